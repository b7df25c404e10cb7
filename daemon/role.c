#include "role.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "logline.h"
#include "rolebox.h"

/* clang-format off */
const struct role_info role_table[ROLES] = {
	[ROLE_WRITER]  = { "writer",  "record.sock",  0600, false, false, true,  0,            0,   role_writer },
	[ROLE_QUERY]   = { "query",   "control.sock", 0666, false, true,  false, 0,            0,   role_query },
	[ROLE_SESSION] = { "session", "session.sock", 0666, true,  true,  true,  0,            0,   role_session },
	[ROLE_SCAN]    = { "scan",    NULL,           0,    false, false, false, DROP_LOOK,    0,   role_scan },
	[ROLE_CAPTURE] = { "capture", NULL,           0,    false, false, false, DROP_CAPTURE, -10, role_capture },
	[ROLE_INDEX]   = { "index",   NULL,           0,    false, false, false, 0,            19,  role_index },
};
/* clang-format on */

int
role_find(const char *name)
{
	for (int i = 0; i < ROLES; i++)
		if (strcmp(role_table[i].name, name) == 0)
			return i;
	return -1;
}

/*
 * Forget what isn't ours.  The three descriptors must be what the supervisor
 * passes: a --role given by hand ends here.
 */
static int
forget(struct role *r, struct ops_err *err)
{
	struct stat st;

	logline_release();
	if (close_range(ROLE_FD_END, ~0U, 0) < 0)
		return ops_fail_errno(err, "close_range");
	logline_connect();
	if (fstat(ROLE_FD_LISTEN, &st) < 0 ||
	    (role_table[r->id].socket != NULL && !S_ISSOCK(st.st_mode)) ||
	    fstat(ROLE_FD_READY, &st) < 0 || !S_ISFIFO(st.st_mode))
		return ops_fail(
		    err, OPS_EUSAGE, "--role is for opseald's own use");
	if (close_range(ROLE_FD_READY, ROLE_FD_END - 1, CLOSE_RANGE_CLOEXEC) <
	    0)
		return ops_fail_errno(err, "close_range");
	r->ready = ROLE_FD_READY;
	r->listener = ROLE_FD_LISTEN;
	return 0;
}

int
role_reread(struct role *r, struct ops_err *err)
{
	struct settings s;

	if (settings_read(ROLE_FD_CONFIG, &s, err) < 0)
		return -1;
	r->config = s.config;
	r->config_time = s.read;
	memcpy(r->config_fault, s.fault, sizeof(s.fault));
	r->config_fault_time = s.fault_time;
	return 0;
}

/* Sessions need a descriptor each; the soft limit is for programs that use
 * select(2). */
static void
raise_files_limit(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) == 0) {
		l.rlim_cur = l.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &l);
	}
}

static void
ignore_signals(void)
{
	/* Ctrl-C reaches all of a foreground daemon; only the supervisor may
	 * act on it, since the writer must be the last to end. */
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	(void)signal(SIGPIPE, SIG_IGN);
	/* A file size limit is a failing write, not the end of the writer. */
	(void)signal(SIGXFSZ, SIG_IGN);
}

static int
enter(struct role *r, struct ops_err *err)
{
	char name[16];

	if (forget(r, err) < 0)
		return -1;
	raise_files_limit();
	/* As the supervisor found him: who starts again must not need the user
	 * database, which may be broken by now. */
	if (!r->user.change && drop_find_user(r->no_drop, &r->user, err) < 0)
		return -1;
	if (drop_role(&r->user, role_table[r->id].keep, r->parent, err) < 0)
		return ops_context(err, "drop rights");
	(void)snprintf(
	    name, sizeof(name), "opseald-%s", role_table[r->id].name);
	(void)prctl(PR_SET_NAME, name, 0, 0, 0);
	ignore_signals();
	return role_reread(r, err);
}

int
role_shut_in(struct role *r, struct ops_err *err)
{
	if (rolebox_enter(r->id, r->store, &r->not_shut_in, err) < 0)
		return -1;
	if (r->not_shut_in != NULL)
		logline("this kernel has no %s: who took this process over "
			"could write in the store's folder",
		    r->not_shut_in);
	return 0;
}

void
role_ready(struct role *r)
{
	const char c = ROLE_SAYS_READY;

	(void)ops_write_full(r->ready, &c, 1, NULL);
	if (role_table[r->id].watched)
		r->pulse = r->ready;
	else
		close(r->ready);
	r->ready = -1;
}

/* Before it was ready the supervisor prints the reason, else the role does. */
static void
report(struct role *r, const struct ops_err *err)
{
	char text[ROLE_REPORT_MAX];
	int n;

	if (r->ready < 0) {
		logline("%s", err->msg);
		return;
	}
	n = snprintf(text, sizeof(text), "%c%c%s", ROLE_SAYS_ERROR,
	    (char)err->code, err->msg);
	if (n > 0)
		(void)ops_write_full(r->ready, text,
		    (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1,
		    NULL);
}

int
role_main(struct role *r)
{
	struct ops_err err = { 0 };

	r->ready = r->pulse = -1;
	logline_open(role_table[r->id].name, r->to_syslog);
	if (enter(r, &err) == 0 && role_table[r->id].run(r, &err) == 0)
		return 0;
	report(r, &err);
	return 2;
}
