#include "sftpplan.h"

#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "sshd.h"

#define FOLDER "/etc/ssh/" /* where a path of Include begins that has no / */
#define DEPTH_MAX 8        /* files that include others */

/* What was found in the files of the configuration. */
struct look {
	bool shut_in, internal;
	char shuts[PATH_MAX], sftp[PATH_MAX]; /* the first such file */
};

static const char *
program(void)
{
	static const char *const paths[] = { "/usr/lib/openssh/sftp-server",
		"/usr/libexec/openssh/sftp-server", "/usr/lib/ssh/sftp-server",
		"/usr/libexec/sftp-server" };

	for (size_t i = 0; i < OPS_ARRAY_LEN(paths); i++)
		if (access(paths[i], X_OK) == 0)
			return paths[i];
	return NULL;
}

static int look_at(
    struct look *k, const char *path, unsigned depth, struct ops_err *err);

static int
look_at_all(
    struct look *k, const char *pattern, unsigned depth, struct ops_err *err)
{
	char whole[PATH_MAX];
	glob_t found;
	int n, rc = 0;

	n = snprintf(whole, sizeof(whole), "%s%s",
	    pattern[0] == '/' ? "" : FOLDER, pattern);
	if (n < 0 || (size_t)n >= sizeof(whole) ||
	    glob(whole, 0, NULL, &found) != 0)
		return 0; /* sshd takes one that leads nowhere for empty, too */
	for (size_t i = 0; rc == 0 && i < found.gl_pathc; i++)
		rc = look_at(k, found.gl_pathv[i], depth + 1, err);
	globfree(&found);
	return rc;
}

static int
look_at(struct look *k, const char *path, unsigned depth, struct ops_err *err)
{
	struct hostfile f = { 0 };
	char pattern[SSHDCONF_VALUE];
	size_t at = 0;
	const char *p;
	int rc;

	if (depth > DEPTH_MAX)
		return ops_fail(err, OPS_EUSAGE,
		    "%.200s: files that include each other deeper than %d",
		    path, DEPTH_MAX);
	if (hostfile_read(path, SSHDCONF_MAX, &f, err) < 0)
		return -1;
	rc = 0;
	p = f.bytes.len > 0 ? (const char *)f.bytes.data : "";
	if (!k->shut_in && sshdconf_shuts_in(p, f.bytes.len)) {
		k->shut_in = true;
		(void)snprintf(k->shuts, sizeof(k->shuts), "%s", path);
	}
	if (!k->internal && sshdconf_sftp_is_internal(p, f.bytes.len)) {
		k->internal = true;
		(void)snprintf(k->sftp, sizeof(k->sftp), "%s", path);
	}
	while (rc == 0 && sshdconf_include(p, f.bytes.len, &at, pattern))
		rc = look_at_all(k, pattern, depth, err);
	hostfile_free(&f);
	return rc;
}

/* Is there something to do, and can it be done?  1, 0, -1. */
static int
check(struct setuphost *h, const struct look *k, struct ops_err *err)
{
	if (!k->internal) {
		setuphost_note(h,
		    "sshd's sftp is not internal-sftp (any more): it stays as "
		    "it is");
		return 0;
	}
	if (k->shut_in)
		return ops_fail(err, OPS_EUSAGE,
		    "--sftp-server: %.150s has a ChrootDirectory, in which "
		    "there is no sftp-server; internal-sftp has to stay",
		    k->shuts);
	if (program() == NULL)
		return ops_fail(err, OPS_ENOENT,
		    "--sftp-server: sftp-server isn't installed "
		    "(openssh-sftp-server)");
	if (strcmp(k->sftp, SSHD_CONFIG) != 0)
		return ops_fail(err, OPS_EUSAGE,
		    "--sftp-server: internal-sftp stands in %.120s, which "
		    "opseal leaves alone; put %s in its place there",
		    k->sftp, program());
	return 1;
}

static int
swap(struct setuphost *h, const struct hostfile *f, struct ops_buf *after,
    struct ops_err *err)
{
	struct ops_buf to = { .max = SSHDCONF_MAX },
		       from = { .max = SSHDCONF_MAX };
	const char *p = f->bytes.len > 0 ? (const char *)f->bytes.data : "";
	struct textline l = { 0 };
	int rc;

	if (!sshdconf_sftp(p, f->bytes.len, program(), &l, &to)) {
		ops_buf_free(&to);
		return ops_fail(err, OPS_EUSAGE,
		    "--sftp-server: " SSHD_CONFIG " has internal-sftp in a "
		    "line that isn't understood; put %s in its place there",
		    program());
	}
	ops_buf_put(after, p, l.start);
	ops_buf_put(after, to.data, to.len);
	ops_buf_put(after, p + l.start + l.n, f->bytes.len - l.start - l.n);
	ops_buf_put8(&to, 0);
	ops_buf_put(&from, l.p, l.n);
	ops_buf_put8(&from, 0);
	rc = ops_buf_check(&to, SSHD_CONFIG, err);
	if (rc == 0)
		rc = ops_buf_check(&from, SSHD_CONFIG, err);
	if (rc == 0)
		rc = setupstate_add_swap(&h->state, SSHD_CONFIG,
		    (const char *)from.data, (const char *)to.data, err);
	if (rc == 0)
		rc = sshd_try_main(after->data, after->len, err);
	ops_buf_free(&to);
	ops_buf_free(&from);
	return rc;
}

int
sftpplan_make(struct setuphost *h, struct hostfile *file, struct ops_buf *after,
    struct ops_err *err)
{
	struct hostfile f = { 0 };
	struct look k = { 0 };
	int rc;

	if (look_at(&k, SSHD_CONFIG, 0, err) < 0)
		return -1;
	rc = check(h, &k, err);
	if (rc <= 0)
		return rc;
	if (hostfile_read(SSHD_CONFIG, SSHDCONF_MAX, &f, err) < 0)
		return -1;
	if (swap(h, &f, after, err) < 0) {
		hostfile_free(&f);
		return -1;
	}
	*file = f;
	return 0;
}
