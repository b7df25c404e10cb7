/* A program as one JSON object: what a row says, and all that it doesn't. */
#include <stdio.h>
#include <sys/wait.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "caps.h"
#include "describe.h"
#include "fate.h"
#include "programs.h"
#include "store/switches.h"
#include "transferred.h"

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

			if (programs_in_hole(e, at, &at))
				continue;
			n = strnlen((const char *)args->p + at, args->n - at);
			json_word(j, args->p + at, n, base64);
			valid &= ops_utf8_valid(args->p + at, n);
			at += n + 1;
		}
		json_end_array(j);
	}
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

/* As program.person. */
static void
json_person(struct json *j, const struct program *p)
{
	if (p->person.p != NULL) {
		json_text_bytes(j, "person", p->person.p, p->person.n);
		return;
	}
	json_key(j, "person");
	json_nil(j);
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
	if (e->has_io) {
		describe_json_number(j, "rchar", e->rchar);
		describe_json_number(j, "wchar", e->wchar);
	}
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
	json_person(j, p);
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
	transferred_json(p, j);
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
	json_person(j, p);
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
	json_person(j, p);
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
json_loss(struct json *j, const struct program *p)
{
	const struct program_loss *l = &p->loss;

	json_key(j, "seconds");
	json_seconds(j, l->until - l->from);
	json_key(j, "counted");
	json_bool(j, program_lost_counted(p));
	json_key(j, "restarted");
	json_bool(j, program_lost_restarted(p));
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

void
programs_switched_json(struct json *j, const struct switched *s)
{
	const struct event_daemon *e = &s->e;

	describe_json_id(j, "uid", e->has_who ? e->uid : EVENT_UNSET);
	describe_json_text(j, "user", &e->user);
	describe_json_id(j, "auid", e->has_who ? e->auid : EVENT_UNSET);
	describe_json_text(j, "login", &e->login);
	if (e->what == DAEMON_OFF)
		describe_json_text(j, "reason", &e->text);
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
	case PROGRAM_SWITCHED:
		programs_switched_json(j, p->switched);
		break;
	default:
		json_loss(j, p);
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

static const char *
source_name_of(const struct program *p)
{
	if (p->kind == PROGRAM_SWITCHED)
		return "opseald";
	return program_imported(p)            ? "import"
	       : p->kind == PROGRAM_ACCOUNTED ? "acct"
					      : "capture";
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
	if (p->kind == PROGRAM_SWITCHED)
		json_str(&j, p->switched->e.what == DAEMON_OFF ? "off" : "on");
	else
		json_str(&j, kinds[p->kind]);
	ops_time_rfc3339(p->time, utc, text);
	json_key(&j, "time");
	json_str(&j, text);
	describe_json_number(&j, "boottime", p->boottime);
	json_key(&j, "sealed");
	json_bool(&j, p->sealed);
	json_key(&j, "source");
	json_str(&j, source_name_of(p));
	json_fate(&j, p, utc);
	json_kind(&j, p);
	json_end_object(&j);
}
