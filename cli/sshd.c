#include "sshd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "authkeys.h"
#include "base/bytes.h"
#include "base/io.h"
#include "child.h"
#include "hostfile.h"

#define CONNECTION ",host=localhost,addr=127.0.0.1,laddr=127.0.0.1,lport=22"

const char *
sshd_program(void)
{
	static const char *const paths[] = { "/usr/sbin/sshd",
		"/usr/local/sbin/sshd", "/sbin/sshd", "/usr/bin/sshd" };

	for (size_t i = 0; i < OPS_ARRAY_LEN(paths); i++)
		if (access(paths[i], X_OK) == 0)
			return paths[i];
	return NULL;
}

/* The first line it said; its own words are the reason. */
static int
said(const struct ops_buf *out, size_t from, int status, struct ops_err *err)
{
	size_t n = from;

	while (n < out->len && out->data[n] != '\n' && out->data[n] != '\r')
		n++;
	return ops_fail(err, OPS_EFORMAT,
	    "sshd doesn't accept its configuration (status %d): %.*s", status,
	    (int)(n - from < 150 ? n - from : 150),
	    out->len > from ? (const char *)out->data + from : "");
}

int
sshd_effective(const char *config, const char *user, struct ops_buf *out,
    struct ops_err *err)
{
	const char *argv[8] = { sshd_program(), "-T", "-f",
		config != NULL ? config : SSHD_CONFIG };
	size_t from = out->len;
	char spec[512];
	int rc;

	if (argv[0] == NULL)
		return ops_fail(err, OPS_ENOENT, "sshd is not installed");
	if (user != NULL) {
		rc = snprintf(spec, sizeof(spec), "user=%s" CONNECTION, user);
		if (rc < 0 || (size_t)rc >= sizeof(spec))
			return ops_fail(
			    err, OPS_EUSAGE, "%.60s: a long name", user);
		argv[4] = "-C";
		argv[5] = spec;
	}
	rc = child_run(argv, out, err);
	return rc > 0 ? said(out, from, rc, err) : rc;
}

bool
sshd_value(const char *keyword, char value[static SSHDCONF_VALUE])
{
	struct ops_buf out = { .max = SSHDCONF_MAX };
	struct ops_err err = { 0 };
	bool said;

	said = sshd_program() != NULL &&
	       sshd_effective(NULL, NULL, &out, &err) == 0 &&
	       sshdconf_value((const char *)out.data, out.len, keyword, value);
	ops_buf_free(&out);
	return said;
}

bool
sshd_sftp_is_internal(void)
{
	struct ops_buf out = { .max = SSHDCONF_MAX };
	struct ops_err err = { 0 };
	bool is = sshd_program() != NULL &&
		  sshd_effective(NULL, NULL, &out, &err) == 0 && out.len > 0 &&
		  sshdconf_sftp_is_internal((const char *)out.data, out.len);

	ops_buf_free(&out);
	return is;
}

/* -- an account's keys -- */

/* One word of AuthorizedKeysFile, with its tokens replaced. */
static bool
keys_path(const struct account *a, const char *word, size_t n,
    char path[static PATH_MAX])
{
	struct ops_buf b = {
		.data = (uint8_t *)path, .cap = PATH_MAX, .max = PATH_MAX - 1
	};

	if (n > 0 && word[0] != '/' && memcmp(word, "%h", n < 2 ? n : 2) != 0)
		ops_buf_printf(&b, "%s/", a->home);
	for (size_t i = 0; i < n; i++) {
		if (word[i] != '%' || i + 1 == n) {
			ops_buf_put8(&b, (uint8_t)word[i]);
			continue;
		}
		i++;
		if (word[i] == 'h')
			ops_buf_puts(&b, a->home);
		else if (word[i] == 'u')
			ops_buf_puts(&b, a->name);
		else if (word[i] == 'U')
			ops_buf_printf(&b, "%u", a->uid);
		else
			ops_buf_put8(&b, (uint8_t)word[i]);
	}
	if (b.failed || b.len >= PATH_MAX)
		return false;
	path[b.len] = '\0';
	return true;
}

static int
keys_refuse(
    const char *path, char reason[static SSHDCONF_VALUE], struct ops_err *err)
{
	struct ops_buf keys = { .max = AUTHKEYS_MAX };
	char option[AUTHKEYS_OPTION];
	struct ops_err why = { 0 };
	unsigned line;

	/* Its owner chooses what it is: a pipe or a link leads nowhere here. */
	if (ops_read_file(AT_FDCWD, path, OPS_IO_FOLLOW, &keys, &why) < 0) {
		if (why.code == OPS_ENOENT)
			return 0;
		*err = why;
		return ops_context(err, "its keys");
	}
	line = authkeys_restricted(
	    keys.len > 0 ? (const char *)keys.data : "", keys.len, option);
	ops_buf_free(&keys);
	if (line > 0)
		(void)snprintf(reason, SSHDCONF_VALUE,
		    "it has a restricted key (%.200s, line %u: %s), whose own "
		    "command ForceCommand would replace",
		    path, line, option);
	return line > 0;
}

static int
all_keys_refuse(const struct account *a, const char *files,
    char reason[static SSHDCONF_VALUE], struct ops_err *err)
{
	int rc = 0;

	for (const char *p = files; rc == 0 && *p != '\0';) {
		size_t n = strcspn(p, " ");
		char path[PATH_MAX];

		if (n > 0 && !(n == 4 && memcmp(p, "none", 4) == 0)) {
			if (!keys_path(a, p, n, path))
				return ops_fail(err, OPS_EFORMAT,
				    "%.60s: the path of its keys is long",
				    a->name);
			rc = keys_refuse(path, reason, err);
		}
		p += n + (p[n] == ' ');
	}
	return rc;
}

int
sshd_refuses(const struct account *a, const char *door,
    char reason[static SSHDCONF_VALUE], struct ops_err *err)
{
	struct ops_buf out = { .max = SSHDCONF_MAX };
	char files[SSHDCONF_VALUE];
	int rc;

	if (!sshdconf_is_name(a->name)) {
		(void)snprintf(reason, SSHDCONF_VALUE,
		    "its name has a character that Match User takes for a "
		    "pattern");
		return 1;
	}
	rc = sshd_effective(NULL, a->name, &out, err);
	if (rc == 0)
		rc = sshdconf_refuses(
		    (const char *)out.data, out.len, door, reason);
	if (rc == 0 && sshdconf_value((const char *)out.data, out.len,
			   "authorizedkeysfile", files))
		rc = all_keys_refuse(a, files, reason, err);
	ops_buf_free(&out);
	return rc;
}

/* -- trying -- */

static int
write_new(const char *path, const void *p, size_t n, struct ops_err *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	int rc;

	if (fd < 0)
		return ops_fail_errno(err, "%.100s", path);
	rc = ops_write_full(fd, p, n, err);
	if (close(fd) < 0 && rc == 0)
		rc = ops_fail_errno(err, "%.100s", path);
	return rc;
}

/* Both files in dir, named by the caller. */
static int
try_in(const char *config, const char *fresh, const void *p, size_t n,
    const char *user, const char *door, struct ops_err *err)
{
	struct ops_buf whole = { .max = 2 * SSHDCONF_MAX };
	struct ops_buf out = { .max = SSHDCONF_MAX };
	struct hostfile now = { 0 };
	char value[SSHDCONF_VALUE];
	int rc = hostfile_read(SSHD_CONFIG, SSHDCONF_MAX, &now, err);

	if (rc == 0 &&
	    !sshdconf_with(
		now.bytes.len > 0 ? (const char *)now.bytes.data : "",
		now.bytes.len, SSHD_FOLDER, fresh, &whole))
		rc = ops_fail(err, OPS_EUSAGE,
		    SSHD_CONFIG
		    " doesn't include " SSHD_FOLDER
		    "; put this line at its top: Include " SSHD_FOLDER
		    "/*.conf");
	if (rc == 0)
		rc = write_new(fresh, p, n, err);
	if (rc == 0)
		rc = write_new(config, whole.data, whole.len, err);
	if (rc == 0)
		rc = sshd_effective(config, user, &out, err);
	if (rc == 0 && user != NULL &&
	    (!sshdconf_value(
		 (const char *)out.data, out.len, "forcecommand", value) ||
		strncmp(value, door, strlen(door)) != 0))
		rc = ops_fail(err, OPS_EUSAGE,
		    "with the new file, sshd still doesn't have the door as "
		    "ForceCommand of %.60s",
		    user);
	ops_buf_free(&whole);
	ops_buf_free(&out);
	hostfile_free(&now);
	return rc;
}

int
sshd_try(const void *p, size_t n, const char *user, const char *door,
    struct ops_err *err)
{
	char dir[] = "/tmp/opseal-sshd.XXXXXX", config[64], fresh[64];
	int rc;

	if (mkdtemp(dir) == NULL)
		return ops_fail_errno(
		    err, "a private copy of " SSHD_CONFIG " in /tmp");
	(void)snprintf(config, sizeof(config), "%s/sshd_config", dir);
	(void)snprintf(fresh, sizeof(fresh), "%s/opseal.conf", dir);
	rc = try_in(config, fresh, p, n, user, door, err);
	(void)unlink(config);
	(void)unlink(fresh);
	(void)rmdir(dir);
	return rc;
}

int
sshd_try_main(const void *p, size_t n, struct ops_err *err)
{
	char dir[] = "/tmp/opseal-sshd.XXXXXX", config[64];
	struct ops_buf out = { .max = SSHDCONF_MAX };
	int rc;

	if (mkdtemp(dir) == NULL)
		return ops_fail_errno(
		    err, "a private copy of " SSHD_CONFIG " in /tmp");
	(void)snprintf(config, sizeof(config), "%s/sshd_config", dir);
	rc = write_new(config, p, n, err);
	if (rc == 0)
		rc = sshd_effective(config, NULL, &out, err);
	ops_buf_free(&out);
	(void)unlink(config);
	(void)rmdir(dir);
	return rc;
}

/* -- reloading -- */

/* The pid in the file, if that process is an sshd.  0: there is none. */
static pid_t
running(const char *pid_file)
{
	struct ops_buf b = { .max = 64 };
	char link[64], exe[PATH_MAX];
	struct ops_err err = { 0 };
	char *end;
	long pid = 0;
	ssize_t n;

	if (ops_read_file(AT_FDCWD, pid_file, 0, &b, &err) < 0)
		return 0;
	ops_buf_put8(&b, 0);
	if (!b.failed) {
		pid = strtol((const char *)b.data, &end, 10);
		if (pid <= 1 || pid > INT_MAX || (*end != '\n' && *end != '\0'))
			pid = 0;
	}
	ops_buf_free(&b);
	(void)snprintf(link, sizeof(link), "/proc/%ld/exe", pid);
	n = pid > 0 ? readlink(link, exe, sizeof(exe) - 1) : -1;
	if (n <= 0)
		return 0;
	exe[n] = '\0';
	end = strrchr(exe, '/');
	return end != NULL && strncmp(end, "/sshd", 5) == 0 ? (pid_t)pid : 0;
}

static int
reload_by_systemd(struct ops_buf *what)
{
	static const char *const units[] = { "ssh.service", "sshd.service" };
	struct ops_buf said = { .max = 4096 };
	struct ops_err err = { 0 };
	int rc = -1;

	for (size_t i = 0; rc != 0 && i < OPS_ARRAY_LEN(units); i++) {
		const char *argv[] = { "/usr/bin/systemctl", "reload", units[i],
			NULL };

		rc = child_run(argv, &said, &err);
		if (rc == 0)
			ops_buf_printf(what, "sshd: reloaded (%s)\n", units[i]);
	}
	ops_buf_free(&said);
	return rc;
}

int
sshd_reload(struct ops_buf *what, struct ops_err *err)
{
	struct ops_buf out = { .max = SSHDCONF_MAX };
	char pid_file[SSHDCONF_VALUE] = "/run/sshd.pid";
	struct stat st;
	pid_t pid;
	int rc;

	if (stat("/run/systemd/system", &st) == 0 &&
	    reload_by_systemd(what) == 0)
		return 0;
	rc = sshd_effective(NULL, NULL, &out, err);
	if (rc == 0)
		(void)sshdconf_value(
		    (const char *)out.data, out.len, "pidfile", pid_file);
	ops_buf_free(&out);
	if (rc < 0)
		return -1;
	pid = running(pid_file);
	if (pid == 0) {
		ops_buf_printf(what,
		    "sshd: none runs (by %s); it reads this when it starts\n",
		    pid_file);
		return 0;
	}
	if (kill(pid, SIGHUP) < 0)
		return ops_fail_errno(
		    err, "sshd (process %d): reloading", (int)pid);
	ops_buf_printf(
	    what, "sshd: reloaded (SIGHUP to process %d)\n", (int)pid);
	return 0;
}
