#include "detail.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/text.h"
#include "caps.h"
#include "describe.h"
#include "fate.h"
#include "programs.h"

#define LABEL 12 /* columns of a name */

static void
label(struct ops_buf *out, const char *name)
{
	ops_buf_printf(out, "%-*s  ", LABEL, name);
}

static void
line(struct ops_buf *out, const char *name, const char *value)
{
	label(out, name);
	ops_buf_printf(out, "%s\n", value);
}

/* Nothing where there is none. */
static void
text_line(struct ops_buf *out, const char *name, struct event_text t)
{
	if (t.p == NULL)
		return;
	label(out, name);
	ops_escape(out, t.p, t.n);
	ops_buf_puts(out, "\n");
}

static void
user(struct ops_buf *out, uint32_t uid)
{
	char name[PROGRAMS_USER], number[16];

	programs_user(uid, name);
	(void)snprintf(number, sizeof(number), "%" PRIu32, uid);
	if (uid == EVENT_UNSET || strcmp(name, number) == 0)
		ops_buf_puts(out, uid == EVENT_UNSET ? "not set" : number);
	else
		ops_buf_printf(out, "%s (%s)", name, number);
}

/* -- when -- */

static void
put_times(struct ops_buf *out, const struct program *p, bool utc)
{
	char text[OPS_TIME_TEXT];

	ops_time_rfc3339(p->time, utc, text);
	line(out,
	    program_seeded(p)           ? "found"
	    : p->kind == PROGRAM_FAILED ? "tried"
	    : p->kind == PROGRAM_ENDED  ? "ended"
					: "started",
	    text);
	if (!p->has_end && !p->replaced)
		return;
	if (p->kind != PROGRAM_ENDED) {
		ops_time_rfc3339(programs_ended_at(p), utc, text);
		line(out, p->replaced ? "replaced" : "ended", text);
	}
	describe_span(programs_duration(p), text);
	line(out, "duration", text);
}

/* -- how it ended -- */

static void
put_status(struct ops_buf *out, int w)
{
	const char *name;

	if (!WIFSIGNALED(w)) {
		ops_buf_printf(out, "exited with %d", WEXITSTATUS(w));
		return;
	}
	name = sigabbrev_np(WTERMSIG(w));
	ops_buf_printf(out, "killed by %s%s (signal %d)%s",
	    name != NULL ? "SIG" : "", name != NULL ? name : "a signal",
	    WTERMSIG(w), WCOREDUMP(w) ? ", left a core" : "");
}

static void
put_fate(struct ops_buf *out, const struct program *p)
{
	const char *why;

	label(out, "end");
	switch (fate_of(p)) {
	case FATE_ENDED:
		put_status(out, (int)p->end.status);
		break;
	case FATE_REPLACED:
		ops_buf_puts(out, "its process executed another program");
		break;
	case FATE_RUNS:
		ops_buf_puts(out, "it still runs");
		break;
	case FATE_FAILED:
		why = strerrordesc_np((int)p->failed.error);
		ops_buf_printf(out, "not executed: %s  (claimed)",
		    why != NULL ? why : "an unknown error");
		break;
	case FATE_PENDING:
		ops_buf_puts(out, "not in the log yet");
		break;
	case FATE_UNKNOWN:
	case FATE_NONE:
		ops_buf_puts(out, "not in the log");
		break;
	}
	ops_buf_puts(out, "\n");
}

/* What it took; of the whole process, whatever it executed before. */
static void
put_usage(struct ops_buf *out, const struct program *p)
{
	const struct program_ended *e = &p->end;

	if (!p->has_end)
		return;
	label(out, "CPU");
	ops_buf_printf(out,
	    "%" PRIu64 ".%06" PRIu64 " s user, %" PRIu64 ".%06" PRIu64
	    " s system\n",
	    e->utime / 1000000000, e->utime / 1000 % 1000000,
	    e->stime / 1000000000, e->stime / 1000 % 1000000);
	if (p->kind != PROGRAM_ACCOUNTED) {
		label(out, "memory");
		describe_put_bytes(out, "at most\n", e->maxrss * 1024);
		label(out, "storage");
		describe_put_bytes(out, "read, ", e->read_bytes);
		describe_put_bytes(out, "written\n", e->write_bytes);
	}
	if (e->has_io) {
		label(out, "moved");
		describe_put_bytes(out, "read, ", e->rchar);
		describe_put_bytes(
		    out, "written, to files, pipes and sockets\n", e->wchar);
	}
	label(out, "page faults");
	ops_buf_printf(out, "%" PRIu64 " minor, %" PRIu64 " major\n", e->minflt,
	    e->majflt);
}

/* -- who -- */

static void
put_who(struct ops_buf *out, const struct program *p, uint32_t uid,
    uint32_t euid, uint32_t auid, uint32_t ses)
{
	if (p->person.p != NULL) {
		label(out, "person");
		describe_text(out, &p->person);
		ops_buf_puts(out, "\n");
	}
	label(out, "login");
	user(out, p->login);
	if (auid == EVENT_UNSET)
		ops_buf_puts(out, "; the kernel knows of none");
	else if (ses != EVENT_UNSET)
		ops_buf_printf(out, ", kernel session %" PRIu32, ses);
	ops_buf_puts(out, "\n");
	label(out, "user");
	user(out, uid);
	ops_buf_puts(out, ", as ");
	user(out, euid);
	ops_buf_puts(out, "\n");
}

static void
put_place(struct ops_buf *out, const struct program *p, uint32_t joined)
{
	static const char *const how[] = { NULL, "on its terminal",
		"below its shell", "of the same login",
		"inferred: shown there" };
	char place[PROGRAMS_PLACE];
	bool known = joined < OPS_ARRAY_LEN(how) && how[joined] != NULL;

	programs_place(p, place);
	label(out, "session");
	ops_buf_printf(out, "%s%s%s\n", place, known ? "  " : "",
	    known ? how[joined] : "");
}

static void
put_terminal(struct ops_buf *out, const struct program *p)
{
	char tty[PROGRAM_TTY_NAME];

	program_tty(program_terminal(p), tty);
	line(out, "terminal", strcmp(tty, "-") == 0 ? "none" : tty);
}

static void
put_parent(
    struct ops_buf *out, uint32_t ppid, bool has_ancestor, uint32_t ancestor)
{
	label(out, "parent");
	if (ppid == 0)
		ops_buf_puts(out, "not known");
	else
		ops_buf_printf(out, "process %" PRIu32, ppid);
	if (has_ancestor)
		ops_buf_printf(out,
		    ", which executed nothing; forked by process %" PRIu32,
		    ancestor);
	ops_buf_puts(out, "\n");
}

/* -- rights -- */

static void
put_caps(struct ops_buf *out, const char *name, uint64_t caps)
{
	char text[CAPS_NAME];

	if (caps == 0)
		return;
	label(out, name);
	for (unsigned i = 0, n = 0; i < 64; i++) {
		if ((caps >> i & 1) == 0)
			continue;
		caps_name(i, text);
		ops_buf_printf(out, "%s%s", n++ > 0 ? " " : "", text);
	}
	ops_buf_puts(out, "\n");
}

static void
put_rights(struct ops_buf *out, const struct program_exec *e)
{
	label(out, "group");
	ops_buf_printf(out, "%" PRIu32 ", as %" PRIu32 "\n", e->gid, e->egid);
	if (e->has_before &&
	    (e->before_uid != e->uid || e->before_euid != e->euid)) {
		label(out, "until then");
		user(out, e->before_uid);
		ops_buf_puts(out, ", as ");
		user(out, e->before_euid);
		ops_buf_puts(out, "\n");
	}
	put_caps(out, "capabilities", e->caps);
	put_caps(out, "gained", programs_caps_gained(e));
}

/* -- what -- */

static void
put_file(struct ops_buf *out, const struct program_exec *e)
{
	text_line(out, "file", e->exe);
	if (e->exe_ino != 0) {
		label(out, "");
		ops_buf_printf(out,
		    "device %" PRIu32 ":%" PRIu32 ", inode %" PRIu64
		    ", mode %04" PRIo32 ", owner ",
		    e->exe_dev >> 20, e->exe_dev & 0xfffff, e->exe_ino,
		    e->exe_mode & 07777);
		user(out, e->exe_uid);
		ops_buf_puts(out, "\n");
	}
	text_line(out, "asked for", e->filename);
	text_line(out, "interpreter", e->interp);
	text_line(out, "called", e->comm);
	text_line(out, "directory", e->cwd);
}

static void
put_env(struct ops_buf *out, struct event_text env)
{
	for (size_t at = 0; at < env.n;) {
		size_t n = strnlen((const char *)env.p + at, env.n - at);

		text_line(out, at == 0 ? "environment" : "",
		    (struct event_text){ env.p + at, n });
		at += n + 1;
	}
}

static void
put_flags(struct ops_buf *out, uint32_t flags)
{
	const char *name;
	unsigned n = 0;

	for (unsigned i = 0; (name = programs_flag(i)) != NULL; i++) {
		if ((flags >> i & 1) == 0)
			continue;
		if (n == 0)
			label(out, "flags");
		ops_buf_printf(out, "%s%s", n++ > 0 ? " " : "", name);
	}
	if (n > 0)
		ops_buf_puts(out, "\n");
}

static void
put_surroundings(struct ops_buf *out, const struct program_exec *e)
{
	text_line(out, "cgroup", e->cgroup);
	if ((e->ns_pid | e->ns_mnt | e->ns_net | e->ns_uts | e->ns_user |
		e->ns_cgroup) != 0) {
		label(out, "namespaces");
		ops_buf_printf(out,
		    "pid %" PRIu32 ", mnt %" PRIu32 ", net %" PRIu32
		    ", uts %" PRIu32 ", user %" PRIu32 ", cgroup %" PRIu32 "\n",
		    e->ns_pid, e->ns_mnt, e->ns_net, e->ns_uts, e->ns_user,
		    e->ns_cgroup);
	}
	put_env(out, e->env);
}

/* -- one of each kind -- */

static void
put_process(struct ops_buf *out, const struct program_exec *e)
{
	label(out, "process");
	ops_buf_printf(out, "%" PRIu32, e->pid);
	if (e->nspid != 0 && e->nspid != e->pid)
		ops_buf_printf(
		    out, ", %" PRIu32 " in its own namespace", e->nspid);
	if (e->pgrp != 0 || e->sid != 0)
		ops_buf_printf(out, ", group %" PRIu32 ", leader %" PRIu32,
		    e->pgrp, e->sid);
	ops_buf_puts(out, "\n");
	put_parent(out, e->ppid, e->has_ancestor, e->ancestor);
}

static void
put_ran(struct ops_buf *out, const struct program *p)
{
	const struct program_exec *e = &p->exec;

	put_fate(out, p);
	put_place(out, p, e->joined);
	put_who(out, p, e->uid, e->euid, e->auid, e->ses);
	if (p->kind == PROGRAM_RAN)
		put_rights(out, e);
	put_process(out, e);
	if (p->kind != PROGRAM_ENDED)
		put_terminal(out, p);
	put_file(out, e);
	put_surroundings(out, e);
	put_usage(out, p);
	put_flags(out, e->flags);
}

static void
put_failed(struct ops_buf *out, const struct program *p)
{
	const struct program_failed *f = &p->failed;

	put_fate(out, p);
	put_place(out, p, f->joined);
	put_who(out, p, f->uid, f->euid, f->auid, f->ses);
	label(out, "process");
	ops_buf_printf(out, "%" PRIu32 "\n", f->pid);
	put_parent(out, f->ppid, f->has_ancestor, f->ancestor);
	put_terminal(out, p);
	text_line(out, "asked for", f->name);
	text_line(out, "by", f->comm);
}

void
detail_put(const struct program *p, bool utc, struct ops_buf *out)
{
	label(out, "command");
	programs_command(p, out);
	ops_buf_puts(out, "\n");
	put_times(out, p, utc);
	if (p->kind == PROGRAM_FAILED)
		put_failed(out, p);
	else if (!program_of_nobody(p))
		put_ran(out, p);
	line(out, "sealed", p->sealed ? "yes" : "not yet");
}
