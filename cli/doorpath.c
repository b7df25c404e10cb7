#include "doorpath.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/shellmap.h"
#include "child.h"
#include "installed.h"

#define LOGIN_MAX 255 /* bytes: as long as a shell may be in the map */

int
doorpath_find(const char *name, char *path, size_t size, struct ops_err *err)
{
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	if (n > 0) {
		self[n] = '\0';
		slash = strrchr(self, '/');
		if (slash != NULL)
			*slash = '\0';
		snprintf(path, size, "%s/%s", self, name);
		if (access(path, X_OK) == 0)
			return 0;
		snprintf(path, size, "%s/../libexec/opseal/%s", self, name);
		if (access(path, X_OK) == 0)
			return 0;
	}
	snprintf(path, size, "%s/%s", OPSEAL_LIBEXECDIR, name);
	if (access(path, X_OK) == 0)
		return 0;
	return ops_fail(err, OPS_ENOENT, "%s is not installed", name);
}

static int
check_one(const char *path, const char *everybody, struct ops_err *err)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return ops_fail_errno(err, "%.150s", path);
	if (st.st_uid != 0 || (st.st_mode & 022) != 0)
		return ops_fail(err, OPS_EUSAGE,
		    "%.150s is not root's alone (owner %u, mode %04o): whoever "
		    "may change it would be at everybody's login",
		    path, st.st_uid, st.st_mode & 07777);
	if (everybody != NULL && (st.st_mode & 0001) == 0)
		return ops_fail(err, OPS_EUSAGE,
		    "%.150s: not everybody may %s it (mode %04o)", path,
		    everybody, st.st_mode & 07777);
	return 0;
}

int
doorpath_is_roots(const char *path, bool executable, struct ops_err *err)
{
	char part[LOGIN_MAX + 1];

	if (strlen(path) > LOGIN_MAX)
		return ops_fail(err, OPS_EUSAGE, "%.150s: a long path", path);
	if (check_one("/", "enter", err) < 0)
		return -1;
	for (size_t i = 1; path[i] != '\0'; i++) {
		if (path[i] != '/')
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		if (check_one(part, "enter", err) < 0)
			return -1;
	}
	return check_one(path, executable ? "execute" : NULL, err);
}

static int
check_runs(const char *path, bool forced, struct ops_err *err)
{
	const char *const nothing[] = { path, DOOR_RUNS, NULL };
	const char *const help[] = { path, "--forced", "--help", NULL };
	struct ops_buf out = { .max = 4096 };
	int rc = child_run(forced ? help : nothing, &out, err);

	if (rc > 0 && forced)
		rc = ops_fail(err, OPS_EUSAGE,
		    "%.150s knows no --forced: it can't be this kind of door",
		    path);
	else if (rc > 0)
		rc = ops_fail(err, OPS_EUSAGE,
		    "%.150s doesn't run (status %d): nobody could log in", path,
		    rc);
	ops_buf_free(&out);
	return rc;
}

int
doorpath_login(char *path, size_t size, bool forced, struct ops_err *err)
{
	char *real;
	int rc = 0;

	if (doorpath_find(
		forced ? "opseal-door" : "opseal-shell", path, size, err) < 0)
		return -1;
	real = realpath(path, NULL);
	if (real == NULL)
		return ops_fail_errno(err, "%.150s", path);
	if (strlen(real) > LOGIN_MAX || strlen(real) >= size ||
	    strpbrk(real, " \t\n:#\"'\\%") != NULL)
		rc = ops_fail(err, OPS_EUSAGE,
		    "%.150s can't be a login shell: its path is long, or has a "
		    "character that passwd(5) or sshd can't have",
		    real);
	else
		memcpy(path, real, strlen(real) + 1);
	free(real);
	if (rc < 0 || doorpath_is_roots(path, true, err) < 0)
		return -1;
	return check_runs(path, forced, err);
}

#define PROGRAM_MAX (64u << 20) /* bytes of it: a static one is 1 MB */

int
doorpath_hash(const char *path, struct setup_hash *ret, struct ops_err *err)
{
	struct ops_buf b = { .max = PROGRAM_MAX };
	int rc = ops_read_file(AT_FDCWD, path, 0, &b, err);

	if (rc == 0)
		setup_hash_of(true, b.data, b.len, ret);
	ops_buf_free(&b);
	return rc;
}

/* "opseal: /usr/libexec/opseal/opseal-shell" */
static bool
package_name(const struct ops_buf *said, char *name, size_t size)
{
	size_t n = 0;

	while (n < said->len && n < size - 1 && said->data[n] != ':' &&
	       said->data[n] != ',' && said->data[n] != '\n') {
		name[n] = (char)said->data[n];
		n++;
	}
	name[n] = '\0';
	return n > 0 && n < said->len;
}

static bool
has(const struct ops_buf *said, const char *text)
{
	return said->len > 0 &&
	       memmem(said->data, said->len, text, strlen(text)) != NULL;
}

int
doorpath_as_packaged(const char *path)
{
	const char *const whose[] = { "/usr/bin/dpkg", "-S", path, NULL };
	const char *const rpm[] = { "/usr/bin/rpm", "-Vf", path, NULL };
	struct ops_buf said = { .max = 65536 };
	char name[128];
	int rc = -1;

	if (access(whose[0], X_OK) == 0 && child_run(whose, &said, NULL) == 0 &&
	    package_name(&said, name, sizeof(name))) {
		const char *const dpkg[] = { whose[0], "--verify", name, NULL };

		ops_buf_reset(&said);
		if (child_run(dpkg, &said, NULL) >= 0)
			rc = !has(&said, path);
	} else if (access(rpm[0], X_OK) == 0) {
		ops_buf_reset(&said);
		rc = child_run(rpm, &said, NULL);
		if (rc == 0 || (rc > 0 && !has(&said, "not owned")))
			rc = !has(&said, path);
		else
			rc = -1;
	}
	ops_buf_free(&said);
	return rc;
}
