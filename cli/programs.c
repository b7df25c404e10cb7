#include "programs.h"

#include <errno.h>
#include <inttypes.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "caps.h"
#include "describe.h"
#include "fate.h"

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

/* Would a shell take it for more or less than one word? */
static bool
needs_quotes(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] <= ' ' ||
		    strchr("\"'$`&|;<>()*?[]{}!#~", p[i]) != NULL)
			return true;
	return n == 0;
}

static void
put_word(struct ops_buf *out, const uint8_t *p, size_t n)
{
	bool quote = needs_quotes(p, n);
	const char *mark = memchr(p, '\'', n) != NULL ? "\"" : "'";

	ops_buf_puts(out, quote ? mark : "");
	ops_escape(out, p, n);
	ops_buf_puts(out, quote ? mark : "");
}

/* Is there a hole of the arguments at this place?  *ret is then where it ends.  They
 * are counted as before secrets were replaced, so of those no place is known. */
static bool
in_hole(const struct program_exec *e, size_t at, size_t *ret)
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
		put_word(out, args.p + at, n);
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
		if (in_hole(e, at, &at)) {
			ops_buf_puts(out, "[...]");
			continue;
		}
		n = strnlen((const char *)e->args.p + at, e->args.n - at);
		put_word(out, e->args.p + at, n);
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

/* Or did capture not run, so that nobody counted? */
static bool
is_counted(const struct program_loss *l)
{
	return (l->execs | l->ends | l->forks | l->failed | l->args |
		   l->other) != 0;
}

void
programs_command(const struct program *p, struct ops_buf *out)
{
	const struct program_loss *l = &p->loss;
	char span[24];

	if (p->kind == PROGRAM_LOST && !is_counted(l)) {
		describe_span(l->until - l->from, span);
		ops_buf_printf(out,
		    "[capture did not run for %s: what ran then is not here]",
		    span);
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
		ops_escape(out, p->failed.name.p, p->failed.name.n);
		ops_buf_puts(out, " [not executed, claimed]");
		return;
	}
	if (p->kind == PROGRAM_ENDED) {
		ops_escape(out, p->exec.comm.p, p->exec.comm.n);
		ops_buf_puts(out, (p->exec.flags & PROGRAM_FORKED) != 0
				      ? " [executed nothing]"
				      : " [its start was not seen]");
		return;
	}
	if (p->kind == PROGRAM_ACCOUNTED) {
		ops_escape(out, p->exec.comm.p, p->exec.comm.n);
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
		ops_escape(out, p->exec.exe.p, p->exec.exe.n);
		ops_buf_puts(out, ") ");
	}
	put_args(out, &p->exec);
	put_env(out, &p->exec);
	put_marks(out, &p->exec);
}

/* -- JSON -- */

static void
json_user(struct json *j, const char *key, uint32_t uid)
{
	char name[PROGRAMS_USER];

	json_key(j, key);
	if (uid == EVENT_UNSET) {
		json_nil(j);
		return;
	}
	programs_user(uid, name);
	json_str(j, name);
}

static void
json_word(struct json *j, const uint8_t *p, size_t n, bool base64)
{
	if (base64)
		json_base64(j, p, n);
	else
		json_text(j, p, n);
}

/* Each argument by itself, without what lies in holes; as base64 too if one isn't
 * valid UTF-8. */
static void
json_args(struct json *j, const char *key, const char *key_b64,
    const struct program_exec *e)
{
	const struct event_text *args = &e->args;
	bool valid = true;

	for (int base64 = 0; base64 < (valid ? 1 : 2); base64++) {
		json_key(j, base64 ? key_b64 : key);
		json_begin_array(j);
		for (size_t at = 0; at < args->n;) {
			size_t n;

			if (in_hole(e, at, &at))
				continue;
			n = strnlen((const char *)args->p + at, args->n - at);
			json_word(j, args->p + at, n, base64);
			valid &= ops_utf8_valid(args->p + at, n);
			at += n + 1;
		}
		json_end_array(j);
	}
}

const char *
programs_flag(unsigned i)
{
	static const char *const names[] = { "secure", "unlinked", "exe_cut",
		"cwd_cut", "cwd_unlinked", "thread", "seeded", "forked",
		"unseen", "masked", "environment_cut" };

	return i < OPS_ARRAY_LEN(names) ? names[i] : NULL;
}

static void
json_flags(struct json *j, uint32_t flags)
{
	const char *name;

	json_key(j, "flags");
	json_begin_array(j);
	for (unsigned i = 0; (name = programs_flag(i)) != NULL; i++)
		if ((flags & 1u << i) != 0)
			json_str(j, name);
	json_end_array(j);
}

uint64_t
programs_caps_gained(const struct program_exec *e)
{
	return e->has_before ? e->caps & ~e->before_caps : 0;
}

static void
json_caps_gained(struct json *j, const struct program_exec *e)
{
	uint64_t caps = programs_caps_gained(e);
	char name[CAPS_NAME];

	if (!e->has_before)
		return;
	json_key(j, "caps_gained");
	json_begin_array(j);
	for (unsigned i = 0; i < 64; i++) {
		if ((caps >> i & 1) == 0)
			continue;
		caps_name(i, name);
		json_str(j, name);
	}
	json_end_array(j);
}

/* Who started it, where its parent executed nothing itself. */
static void
json_ancestor(struct json *j, bool has, uint32_t pid, uint64_t start)
{
	if (!has)
		return;
	describe_json_number(j, "ancestor", pid);
	describe_json_number(j, "ancestor_start", start);
}

static void
json_tty(struct json *j, uint32_t number)
{
	char tty[PROGRAM_TTY_NAME];

	program_tty(number, tty);
	json_key(j, "tty");
	json_str(j, number != 0 ? tty : NULL);
}

static void
json_session(struct json *j, const struct program *p)
{
	char id[OPS_ID_TEXT_LEN + 1];

	json_key(j, "session");
	if (ops_all_zero(p->session, OPS_ID_LEN)) {
		json_nil(j);
		return;
	}
	ops_id_text(p->session, id);
	json_str(j, id);
}

static void
json_place(struct json *j, const struct program *p, uint32_t joined)
{
	static const char *const how[] = { NULL, "tty", "descent", "login",
		"inferred" };

	json_session(j, p);
	if (ops_all_zero(p->session, OPS_ID_LEN))
		return;
	if (p->number > 0)
		describe_json_number(j, "number", p->number);
	json_key(j, "joined");
	json_str(j, joined < OPS_ARRAY_LEN(how) ? how[joined] : NULL);
	if (p->has_offset) {
		json_key(j, "offset");
		json_seconds(j, p->offset);
	}
}

static void
json_also(struct json *j, const struct event_text *also)
{
	char id[OPS_ID_TEXT_LEN + 1];

	if (also->n == 0)
		return;
	json_key(j, "also");
	json_begin_array(j);
	for (size_t i = 0; i < also->n; i += OPS_ID_LEN) {
		ops_id_text(also->p + i, id);
		json_str(j, id);
	}
	json_end_array(j);
}

static void
json_status(struct json *j, uint32_t status)
{
	int w = (int)status;

	json_key(j, "exit");
	if (WIFEXITED(w))
		json_int(j, WEXITSTATUS(w));
	else
		json_nil(j);
	json_key(j, "signal");
	if (WIFSIGNALED(w))
		json_int(j, WTERMSIG(w));
	else
		json_nil(j);
	json_key(j, "core");
	json_bool(j, WIFSIGNALED(w) && WCOREDUMP(w));
	describe_json_number(j, "status", status);
}

static void
json_end(struct json *j, const struct program *p)
{
	const struct program_ended *e = &p->end;

	if (p->replaced || p->has_end) {
		json_key(j, "duration");
		json_seconds(j, programs_duration(p));
	}
	if (p->replaced) {
		json_key(j, "replaced");
		json_bool(j, true);
	}
	if (!p->has_end || p->replaced)
		return;
	json_status(j, e->status);
	describe_json_number(j, "ended", p->ended);
	json_key(j, "cpu");
	json_seconds(j, e->utime + e->stime);
	json_key(j, "cpu_user");
	json_seconds(j, e->utime);
	json_key(j, "cpu_system");
	json_seconds(j, e->stime);
	describe_json_number(j, "maxrss", e->maxrss);
	describe_json_number(j, "read_bytes", e->read_bytes);
	describe_json_number(j, "write_bytes", e->write_bytes);
	describe_json_number(j, "minflt", e->minflt);
	describe_json_number(j, "majflt", e->majflt);
}

static void
json_device(struct json *j, const char *key, uint32_t number)
{
	char text[32];

	(void)snprintf(
	    text, sizeof(text), "%u:%u", number >> 20, number & 0xfffff);
	json_key(j, key);
	json_str(j, text);
}

static void
json_file(struct json *j, const struct program_exec *e)
{
	char text[8];

	json_text_bytes(j, "exe", e->exe.p, e->exe.n);
	if (e->filename.p != NULL)
		json_text_bytes(j, "filename", e->filename.p, e->filename.n);
	if (e->interp.p != NULL)
		json_text_bytes(j, "interp", e->interp.p, e->interp.n);
	json_text_bytes(j, "cwd", e->cwd.p, e->cwd.n);
	json_device(j, "exe_dev", e->exe_dev);
	describe_json_number(j, "exe_ino", e->exe_ino);
	(void)snprintf(text, sizeof(text), "%04o", e->exe_mode & 07777);
	json_key(j, "exe_mode");
	json_str(j, text);
	describe_json_number(j, "exe_uid", e->exe_uid);
}

static void
json_holes(struct json *j, const struct event_text *holes)
{
	if (holes->n == 0)
		return;
	json_key(j, "holes");
	json_begin_array(j);
	for (size_t i = 0; i + PROGRAM_HOLE_LEN <= holes->n;
	     i += PROGRAM_HOLE_LEN) {
		json_begin_object(j);
		describe_json_number(j, "offset", ops_getle64(holes->p + i));
		describe_json_number(
		    j, "length", ops_getle64(holes->p + i + 8));
		json_end_object(j);
	}
	json_end_array(j);
}

static void
json_args_of(struct json *j, const struct program_exec *e)
{
	json_args(j, "argv", "argv_b64", e);
	describe_json_number(j, "argc", e->argc);
	describe_json_number(j, "args_len", e->args_len);
	json_holes(j, &e->holes);
	if (e->env.p != NULL)
		json_args(j, "environment", "environment_b64",
		    &(struct program_exec){ .args = e->env });
}

static void
json_spaces(struct json *j, const struct program_exec *e)
{
	describe_json_number(j, "ns_pid", e->ns_pid);
	describe_json_number(j, "ns_mnt", e->ns_mnt);
	describe_json_number(j, "ns_net", e->ns_net);
	describe_json_number(j, "ns_uts", e->ns_uts);
	describe_json_number(j, "ns_user", e->ns_user);
	describe_json_number(j, "ns_cgroup", e->ns_cgroup);
}

static void
json_exec(struct json *j, const struct program *p)
{
	const struct program_exec *e = &p->exec;

	json_place(j, p, e->joined);
	json_also(j, &e->also);
	json_user(j, "user", e->uid);
	describe_json_number(j, "uid", e->uid);
	describe_json_id(j, "auid", e->auid);
	describe_json_number(j, "euid", e->euid);
	describe_json_number(j, "gid", e->gid);
	describe_json_number(j, "egid", e->egid);
	describe_json_id(j, "ses", e->ses);
	json_user(j, "login", p->login);
	describe_json_number(j, "pid", e->pid);
	describe_json_number(j, "start", e->start);
	describe_json_number(j, "ppid", e->ppid);
	describe_json_number(j, "ppid_start", e->pstart);
	json_ancestor(
	    j, e->has_ancestor, e->ancestor, e->pstart - e->ancestor_back);
	describe_json_number(j, "pgrp", e->pgrp);
	describe_json_number(j, "sid", e->sid);
	describe_json_number(j, "nspid", e->nspid);
	json_text_bytes(j, "comm", e->comm.p, e->comm.n);
	json_file(j, e);
	json_args_of(j, e);
	json_tty(j, e->tty);
	if (e->tty_fs != 0)
		json_device(j, "tty_fs", e->tty_fs);
	describe_json_number(j, "caps", e->caps);
	if (e->has_before) {
		describe_json_number(j, "before_uid", e->before_uid);
		describe_json_number(j, "before_euid", e->before_euid);
		describe_json_number(j, "before_caps", e->before_caps);
	}
	json_caps_gained(j, e);
	if (e->cgroup.p != NULL)
		json_text_bytes(j, "cgroup", e->cgroup.p, e->cgroup.n);
	json_spaces(j, e);
	json_flags(j, e->flags);
	json_end(j, p);
}

static void
json_fork(struct json *j, const struct program *p)
{
	const struct program_exec *e = &p->exec;

	json_place(j, p, e->joined);
	json_user(j, "user", e->uid);
	describe_json_number(j, "uid", e->uid);
	describe_json_id(j, "auid", e->auid);
	describe_json_number(j, "euid", e->euid);
	json_user(j, "login", p->login);
	describe_json_number(j, "pid", e->pid);
	describe_json_number(j, "start", e->start);
	describe_json_number(j, "ppid", e->ppid);
	describe_json_number(j, "ppid_start", e->pstart);
	json_text_bytes(j, "comm", e->comm.p, e->comm.n);
	json_flags(j, e->flags);
	json_end(j, p);
}

static void
json_failed(struct json *j, const struct program *p)
{
	const struct program_failed *f = &p->failed;

	json_place(j, p, f->joined);
	json_user(j, "user", f->uid);
	describe_json_number(j, "uid", f->uid);
	describe_json_id(j, "auid", f->auid);
	describe_json_number(j, "euid", f->euid);
	json_user(j, "login", p->login);
	describe_json_number(j, "pid", f->pid);
	describe_json_number(j, "start", f->start);
	describe_json_number(j, "ppid", f->ppid);
	describe_json_number(j, "ppid_start", f->pstart);
	json_ancestor(
	    j, f->has_ancestor, f->ancestor, f->pstart - f->ancestor_back);
	json_tty(j, f->tty);
	json_text_bytes(j, "comm", f->comm.p, f->comm.n);
	json_text_bytes(j, "filename", f->name.p, f->name.n);
	describe_json_number(j, "errno", f->error);
	json_key(j, "provenance");
	json_str(j, "claimed");
}

static void
json_loss(struct json *j, const struct program_loss *l)
{
	json_key(j, "seconds");
	json_seconds(j, l->until - l->from);
	json_key(j, "counted");
	json_bool(j, is_counted(l));
	describe_json_number(j, "execs", l->execs);
	describe_json_number(j, "ends", l->ends);
	describe_json_number(j, "forks", l->forks);
	describe_json_number(j, "failed", l->failed);
	describe_json_number(j, "args", l->args);
	describe_json_number(j, "other", l->other);
}

static void
json_accounted(struct json *j, const struct program *p)
{
	const struct program_accounted *a = &p->accounted;

	json_user(j, "user", a->uid);
	describe_json_number(j, "uid", a->uid);
	describe_json_number(j, "gid", a->gid);
	describe_json_number(j, "pid", a->pid);
	describe_json_number(j, "ppid", a->ppid);
	json_text_bytes(j, "comm", a->comm.p, a->comm.n);
	json_tty(j, a->tty);
	json_key(j, "duration");
	json_seconds(j, a->elapsed);
	json_status(j, a->status);
	describe_json_number(j, "began", a->began);
	describe_json_number(j, "ended", p->ended);
	json_key(j, "cpu");
	json_seconds(j, a->utime + a->stime);
	json_key(j, "cpu_user");
	json_seconds(j, a->utime);
	describe_json_number(j, "mem", a->mem);
	describe_json_number(j, "minflt", a->minflt);
	describe_json_number(j, "majflt", a->majflt);
	describe_json_number(j, "acct_flags", a->flags);
	json_key(j, "unsure");
	json_bool(j, a->unsure);
	if (program_imported(p))
		json_session(j, p);
}

static void
json_coverage(struct json *j, const struct program_coverage *c)
{
	json_key(j, "seconds");
	json_seconds(j, c->until - c->from);
	describe_json_number(j, "captured", c->captured);
	describe_json_number(j, "accounted", c->accounted);
	describe_json_number(j, "missed", c->missed);
	describe_json_number(j, "unsure", c->unsure);
	describe_json_number(j, "unaccounted", c->unaccounted);
	describe_json_number(j, "bad", c->bad);
}

static void
json_kind(struct json *j, const struct program *p)
{
	switch (p->kind) {
	case PROGRAM_RAN:
		json_exec(j, p);
		break;
	case PROGRAM_ENDED:
		json_fork(j, p);
		break;
	case PROGRAM_FAILED:
		json_failed(j, p);
		break;
	case PROGRAM_ACCOUNTED:
		json_accounted(j, p);
		break;
	case PROGRAM_COVERAGE:
		json_coverage(j, &p->coverage);
		break;
	default:
		json_loss(j, &p->loss);
		break;
	}
}

static void
json_fate(struct json *j, const struct program *p, bool utc)
{
	enum fate f = fate_of(p);
	char text[OPS_TIME_TEXT];

	if (f == FATE_NONE)
		return;
	json_key(j, "state");
	json_str(j, fate_name(f));
	if (f != FATE_ENDED && f != FATE_REPLACED)
		return;
	ops_time_rfc3339(programs_ended_at(p), utc, text);
	json_key(j, "ended_at");
	json_str(j, text);
}

void
programs_json(const struct program *p, bool utc, struct ops_buf *out)
{
	static const char *const kinds[] = { [PROGRAM_RAN] = "exec",
		[PROGRAM_FAILED] = "failed",
		[PROGRAM_LOST] = "lost",
		[PROGRAM_ENDED] = "ended",
		[PROGRAM_ACCOUNTED] = "accounted",
		[PROGRAM_COVERAGE] = "coverage" };
	char text[OPS_TIME_TEXT];
	struct json j = { .out = out };

	json_begin_object(&j);
	json_key(&j, "kind");
	json_str(&j, kinds[p->kind]);
	ops_time_rfc3339(p->time, utc, text);
	json_key(&j, "time");
	json_str(&j, text);
	describe_json_number(&j, "boottime", p->boottime);
	json_key(&j, "sealed");
	json_bool(&j, p->sealed);
	json_key(&j, "source");
	json_str(&j, program_imported(p)            ? "import"
		     : p->kind == PROGRAM_ACCOUNTED ? "acct"
						    : "capture");
	json_fate(&j, p, utc);
	json_kind(&j, p);
	json_end_object(&j);
}
