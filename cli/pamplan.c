#include "pamplan.h"

#include <assert.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "doorpath.h"
#include "installed.h"
#include "pamfile.h"

#define FOLDER "/etc/pam.d/"
#define MODULE "pam_opseal.so"
#define MODULE_MAX PAMPLAN_MODULE

enum { SESSION = 1, ACCOUNT = 2 };

static const struct {
	int kind;
	const char *name;
} kinds[] = {
	{ ACCOUNT, "account" },
	{ SESSION, "session" },
};

struct service {
	const char *path;
	int kinds;
};

static const struct service common[] = {
	{ FOLDER "common-account", ACCOUNT },
	{ FOLDER "common-session", SESSION },
	{ FOLDER "common-session-noninteractive", SESSION },
};

static const struct service services[] = {
	{ FOLDER "sshd", ACCOUNT | SESSION },
	{ FOLDER "login", ACCOUNT | SESSION },
	{ FOLDER "remote", ACCOUNT | SESSION },
	{ FOLDER "su", ACCOUNT | SESSION },
	{ FOLDER "su-l", ACCOUNT | SESSION },
	{ FOLDER "sudo", ACCOUNT | SESSION },
	{ FOLDER "sudo-i", ACCOUNT | SESSION },
};

static_assert(sizeof(services) / sizeof(services[0]) <= PAMPLAN_FILES,
    "each has its place");

/* Where PAM looks for modules that are named without a folder: where its own are. */
static bool
is_beside_pams(char *path, size_t size)
{
	static const char *const patterns[] = { "/lib/*/security/pam_permit.so",
		"/usr/lib/*/security/pam_permit.so",
		"/usr/lib64/security/pam_permit.so",
		"/lib64/security/pam_permit.so",
		"/usr/lib/security/pam_permit.so",
		"/lib/security/pam_permit.so" };
	bool found = false;
	glob_t g = { 0 };

	for (size_t i = 0; i < OPS_ARRAY_LEN(patterns); i++)
		(void)glob(patterns[i], i > 0 ? GLOB_APPEND : 0, NULL, &g);
	for (size_t i = 0; i < g.gl_pathc && !found; i++) {
		const char *slash = strrchr(g.gl_pathv[i], '/');
		int n = snprintf(path, size, "%.*s/" MODULE,
		    (int)(slash - g.gl_pathv[i]), g.gl_pathv[i]);

		found = n > 0 && (size_t)n < size && access(path, F_OK) == 0;
	}
	globfree(&g);
	return found;
}

int
pamplan_module(char name[static PAMPLAN_MODULE], struct ops_err *err)
{
	char path[4096], *real;
	bool pams = is_beside_pams(path, sizeof(path));
	int rc;

	if (!pams)
		(void)snprintf(path, sizeof(path), "%s",
		    OPSEAL_LIBDIR "/security/" MODULE);
	real = realpath(path, NULL);
	if (real == NULL)
		return ops_fail(err, OPS_ENOENT,
		    MODULE
		    " is not installed: who logs in from where, by which key, "
		    "is not in the log");
	rc = doorpath_is_roots(real, false, err);
	if (rc == 0) {
		rc = snprintf(name, MODULE_MAX, "%s", pams ? MODULE : real);
		rc = rc > 0 && rc < MODULE_MAX
			 ? 0
			 : ops_fail(
			       err, OPS_EUSAGE, "%.150s: a long path", real);
	}
	free(real);
	return rc;
}

/* One line more in out, which holds the file. */
static int
add_line(struct setuphost *h, const char *path, const char *kind,
    const char *module, struct ops_buf *out, struct ops_err *err)
{
	struct ops_buf next = { .max = PAMFILE_MAX };
	char line[MODULE_MAX + 32];
	bool open;

	(void)snprintf(line, sizeof(line), "%s optional %s", kind, module);
	open =
	    pamfile_add((const char *)out->data, out->len, kind, line, &next);
	ops_buf_free(out);
	*out = next;
	return setupstate_add_line(&h->state, path, line, open, err);
}

static int
plan_service(struct setuphost *h, const struct service *s, const char *module,
    struct pamplan_file *ret, struct ops_err *err)
{
	const char *p;
	size_t n;
	unsigned wrong;

	if (hostfile_read(s->path, PAMFILE_MAX, &ret->file, err) < 0)
		return -1;
	if (ret->file.real == NULL)
		return 0;
	n = ret->file.bytes.len;
	p = n > 0 ? (const char *)ret->file.bytes.data : "";
	wrong = pamfile_wrong(p, n);
	if (wrong > 0)
		return ops_fail(err, OPS_EFORMAT,
		    "%s:%u: not a line of pam.d(5); mend it first", s->path,
		    wrong);
	ret->after.max = PAMFILE_MAX;
	ops_buf_put(&ret->after, p, n);
	for (size_t k = 0; k < OPS_ARRAY_LEN(kinds); k++)
		if ((s->kinds & kinds[k].kind) != 0 &&
		    !pamfile_has(p, n, kinds[k].name, MODULE) &&
		    add_line(h, s->path, kinds[k].name, module, &ret->after,
			err) < 0)
			return -1;
	return 0;
}

int
pamplan_make(struct setuphost *h, struct pamplan_file files[PAMPLAN_FILES],
    size_t *n, struct ops_err *err)
{
	bool debian = access(FOLDER "common-session", F_OK) == 0;
	const struct service *s = debian ? common : services;
	size_t count = debian ? OPS_ARRAY_LEN(common) : OPS_ARRAY_LEN(services);
	char module[MODULE_MAX];
	struct ops_err why = { 0 };

	*n = 0;
	if (pamplan_module(module, &why) < 0) {
		setuphost_note(h, "/etc/pam.d is left as it is: %s", why.msg);
		return 0;
	}
	for (size_t i = 0; i < count; i++) {
		struct pamplan_file f = { 0 };
		int rc = plan_service(h, &s[i], module, &f, err);

		if (rc == 0 && f.file.real != NULL) {
			files[(*n)++] = f;
			continue;
		}
		hostfile_free(&f.file);
		ops_buf_free(&f.after);
		if (rc < 0)
			return -1;
	}
	return 0;
}
