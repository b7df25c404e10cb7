#include "programs.h"

#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/bytes.h"
#include "base/text.h"
#include "describe.h"
#include "fate.h"
#include "store/switches.h"
#include "transferred.h"
#include "word.h"

/* -- who -- */

/* Lists name the same few again and again. */
#define CACHE 64
static struct {
	bool used;
	uint32_t uid;
	char name[PROGRAMS_USER];
} cache[CACHE];

void
programs_user(uint32_t uid, char out[static PROGRAMS_USER])
{
	size_t at = uid % CACHE;
	const struct passwd *pw;

	if (uid == EVENT_UNSET) {
		(void)snprintf(out, PROGRAMS_USER, "-");
		return;
	}
	if (!cache[at].used || cache[at].uid != uid) {
		pw = getpwuid(uid);
		cache[at].used = true;
		cache[at].uid = uid;
		if (pw != NULL)
			(void)snprintf(cache[at].name, PROGRAMS_USER, "%.*s",
			    PROGRAMS_USER - 1, pw->pw_name);
		else
			(void)snprintf(
			    cache[at].name, PROGRAMS_USER, "%" PRIu32, uid);
	}
	memcpy(out, cache[at].name, PROGRAMS_USER);
}

/* -- how it ended -- */

static void
exit_of(int w, char out[static 32])
{
	const char *name;

	if (WIFSIGNALED(w)) {
		name = sigabbrev_np(WTERMSIG(w));
		if (name != NULL)
			(void)snprintf(
			    out, 32, "SIG%s%s", name, WCOREDUMP(w) ? "*" : "");
		else
			(void)snprintf(out, 32, "signal %d%s", WTERMSIG(w),
			    WCOREDUMP(w) ? "*" : "");
	} else {
		(void)snprintf(out, 32, "%d", WEXITSTATUS(w));
	}
}

void
programs_exit(const struct program *p, char out[static 32])
{
	static const char *const texts[] = { [FATE_REPLACED] = "exec'd",
		[FATE_RUNS] = "runs",
		[FATE_PENDING] = "-",
		[FATE_UNKNOWN] = "?",
		[FATE_NONE] = "-" };
	enum fate f = fate_of(p);
	const char *name;

	if (f == FATE_ENDED) {
		exit_of((int)p->end.status, out);
	} else if (f == FATE_FAILED) {
		name = strerrorname_np((int)p->failed.error);
		(void)snprintf(out, 32, "%s", name != NULL ? name : "failed");
	} else {
		(void)snprintf(out, 32, "%s", texts[f]);
	}
}

uint64_t
programs_ended_at(const struct program *p)
{
	return p->time + (p->ended - p->boottime);
}

uint64_t
programs_duration(const struct program *p)
{
	uint64_t from = p->kind == PROGRAM_ENDED || program_seeded(p)
			    ? p->exec.start
			    : p->boottime;

	return p->ended > from ? p->ended - from : 0;
}

/* -- what it was -- */

bool
programs_in_hole(const struct program_exec *e, size_t at, size_t *ret)
{
	if ((e->flags & PROGRAM_MASKED) != 0)
		return false;
	for (size_t i = 0; i + PROGRAM_HOLE_LEN <= e->holes.n;
	     i += PROGRAM_HOLE_LEN) {
		uint64_t offset = ops_getle64(e->holes.p + i);
		uint64_t n = ops_getle64(e->holes.p + i + 8);

		if (n > 0 && at >= offset && at - offset < n) {
			*ret = n - (at - offset) < e->args.n - at
				   ? (size_t)(offset + n)
				   : e->args.n;
			return true;
		}
	}
	return false;
}

static void
put_words(struct ops_buf *out, struct event_text args)
{
	for (size_t at = 0; at < args.n;) {
		size_t n = strnlen((const char *)args.p + at, args.n - at);

		if (at > 0)
			ops_buf_puts(out, " ");
		word_put(out, args.p + at, n, false);
		at += n + 1;
	}
}

static void
put_args(struct ops_buf *out, const struct program_exec *e)
{
	for (size_t at = 0; at < e->args.n;) {
		size_t n;

		if (at > 0)
			ops_buf_puts(out, " ");
		if (programs_in_hole(e, at, &at)) {
			ops_buf_puts(out, "[...]");
			continue;
		}
		n = strnlen((const char *)e->args.p + at, e->args.n - at);
		word_put(out, e->args.p + at, n, at == 0);
		at += n + 1;
	}
}

static bool
is_same(struct event_text a, struct event_text b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* Its folder; /bin is /usr/bin. */
static struct event_text
folder(struct event_text path)
{
	struct event_text t = { path.p, path.n - program_last_part(path).n };

	if (t.n > 4 && memcmp(t.p, "/usr/", 5) == 0)
		t = (struct event_text){ t.p + 4, t.n - 4 };
	return t;
}

/* Does argv[0] name the file that ran: as it is, as a login shell, or by a link
 * beside it (sh, python3)? */
static bool
is_named(const struct program_exec *e)
{
	struct event_text a = { e->args.p,
		e->args.n > 0 ? strnlen((const char *)e->args.p, e->args.n)
			      : 0 };

	a = program_last_part(a);
	if (a.n > 1 && a.p[0] == '-')
		a = (struct event_text){ a.p + 1, a.n - 1 };
	if (e->exe.n == 0 || is_same(a, program_last_part(e->exe)))
		return true;
	return e->filename.p != NULL &&
	       is_same(a, program_last_part(e->filename)) &&
	       is_same(folder(e->filename), folder(e->exe));
}

#define PREFIX 8 /* characters of a session's id */

void
programs_place(const struct program *p, char out[static PROGRAMS_PLACE])
{
	char id[OPS_ID_TEXT_LEN + 1];

	ops_id_text(p->session, id);
	if (ops_all_zero(p->session, OPS_ID_LEN))
		(void)snprintf(out, PROGRAMS_PLACE, "-");
	else if (p->number > 0)
		(void)snprintf(
		    out, PROGRAMS_PLACE, "%.*s:%u", PREFIX, id, p->number);
	else
		(void)snprintf(out, PROGRAMS_PLACE, "%.*s", PREFIX, id);
}

static void
put_inferred(struct ops_buf *out, const struct program_exec *e)
{
	char id[OPS_ID_TEXT_LEN + 1];

	ops_buf_puts(out, " [session inferred");
	for (size_t i = 0; i < e->also.n; i += OPS_ID_LEN) {
		ops_id_text(e->also.p + i, id);
		ops_buf_printf(
		    out, "%s%.*s", i == 0 ? ", also " : " ", PREFIX, id);
	}
	ops_buf_puts(out, "]");
}

/* The variables that were kept, as a shell would take them. */
static void
put_env(struct ops_buf *out, const struct program_exec *e)
{
	if (e->env.n > 0) {
		ops_buf_puts(out, " [with ");
		put_words(out, e->env);
		ops_buf_puts(out, "]");
	}
	if ((e->flags & PROGRAM_ENV_CUT) != 0)
		ops_buf_puts(out, " [more of its environment is not here]");
}

static void
put_marks(struct ops_buf *out, const struct program_exec *e)
{
	static const struct {
		uint32_t flag;
		const char *text;
	} marks[] = {
		{ PROGRAM_SECURE, "gained privileges" },
		{ PROGRAM_UNLINKED, "file without a name" },
		{ PROGRAM_CWD_UNLINKED, "removed directory" },
		{ PROGRAM_SEEDED, "ran before capture did" },
	};

	for (size_t i = 0; i < OPS_ARRAY_LEN(marks); i++)
		if ((e->flags & marks[i].flag) != 0)
			ops_buf_printf(out, " [%s]", marks[i].text);
	if (e->holes.n > 0)
		ops_buf_puts(out, " [arguments are missing]");
	if (e->joined == JOINED_INFERRED)
		put_inferred(out, e);
}

/* What a process or a file is called; it may be missing. */
static void
put_name(struct ops_buf *out, struct event_text name)
{
	if (name.n > 0)
		word_put(out, name.p, name.n, true);
}

static void
put_switched(struct ops_buf *out, const struct switched *s)
{
	if (s->e.what == DAEMON_START) {
		ops_buf_puts(out, "[recording was on again as the daemon "
				  "began: who switched it on isn't known]");
		return;
	}
	ops_buf_printf(out, "[recording was switched %s by ",
	    s->e.what == DAEMON_OFF ? "off" : "on");
	switched_by(out, s);
	if (s->e.what == DAEMON_OFF && s->e.text.p != NULL) {
		ops_buf_puts(out, ": ");
		describe_text(out, &s->e.text);
	}
	ops_buf_puts(out, "]");
}

void
programs_command(const struct program *p, struct ops_buf *out)
{
	const struct program_loss *l = &p->loss;
	char span[24];

	if (p->kind == PROGRAM_SWITCHED) {
		put_switched(out, p->switched);
		return;
	}
	if (p->kind == PROGRAM_LOST && !program_lost_counted(p)) {
		describe_span(l->until - l->from, span);
		ops_buf_printf(out,
		    "[capture did not run for %s%s: what ran then is not here]",
		    span,
		    program_lost_restarted(p)
			? ", in which the machine was restarted"
			: "");
		return;
	}
	if (p->kind == PROGRAM_LOST) {
		ops_buf_printf(out,
		    "[lost: %" PRIu64 " starts, %" PRIu64 " ends, %" PRIu64
		    " failed starts, %" PRIu64 " pieces of arguments, %" PRIu64
		    " others]",
		    l->execs, l->ends, l->failed, l->args, l->other);
		return;
	}
	if (p->kind == PROGRAM_FAILED) {
		put_name(out, p->failed.name);
		ops_buf_puts(out, " [not executed, claimed]");
		return;
	}
	if (p->kind == PROGRAM_ENDED) {
		put_name(out, p->exec.comm);
		ops_buf_puts(out, (p->exec.flags & PROGRAM_FORKED) != 0
				      ? " [executed nothing]"
				      : " [its start was not seen]");
		return;
	}
	if (p->kind == PROGRAM_ACCOUNTED) {
		put_name(out, p->exec.comm);
		ops_buf_puts(out, program_imported(p)
				      ? " [imported, claimed]"
				      : " [by the kernel's accounting alone]");
		ops_buf_puts(out, (p->exec.flags & PROGRAM_FORKED) != 0
				      ? " [executed nothing]"
				      : "");
		return;
	}
	if (!is_named(&p->exec)) {
		ops_buf_puts(out, "(");
		put_name(out, p->exec.exe);
		ops_buf_puts(out, ") ");
	}
	put_args(out, &p->exec);
	put_env(out, &p->exec);
	put_marks(out, &p->exec);
	transferred_mark(p, out);
}

/* -- names and numbers for others -- */

const char *
programs_flag(unsigned i)
{
	static const char *const names[] = { "secure", "unlinked", "exe_cut",
		"cwd_cut", "cwd_unlinked", "thread", "seeded", "forked",
		"unseen", "masked", "environment_cut" };

	return i < OPS_ARRAY_LEN(names) ? names[i] : NULL;
}

uint64_t
programs_caps_gained(const struct program_exec *e)
{
	return e->has_before ? e->caps & ~e->before_caps : 0;
}
