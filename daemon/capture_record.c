#include "capture_record.h"

#include <string.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "record/program.h"
#include "record/record.h"

#define NUMBERS_ROOM 600 /* what an exec's record takes besides its texts */
#define PAGE_KIB 4
#define BODY_USUAL 1000 /* most fit: one piece of memory, asked for once */

size_t
capture_path(
    const uint8_t *names, size_t n, bool cut, uint8_t *out, size_t size)
{
	size_t at = size, len, used;

	/* Filled from its end, since names come from the inside. */
	while (n > 0) {
		const uint8_t *nul = memchr(names, 0, n);

		len = nul != NULL ? (size_t)(nul - names) : n;
		used = len + 1;
		if (used > at)
			break;
		memcpy(out + at - len, names, len);
		at -= used;
		out[at] = '/';
		names += nul != NULL ? used : len;
		n -= nul != NULL ? used : len;
	}
	cut |= n > 0;
	if (at == size && !cut)
		out[--at] = '/';
	else if (cut && at < size)
		at++; /* it doesn't begin at the root */
	memmove(out, out + at, size - at);
	return size - at;
}

static struct event_text
text(const uint8_t *p, size_t n)
{
	static const uint8_t none[1];

	return (struct event_text){ n > 0 ? p : none, n };
}

static struct event_text
comm_of(const char comm[CAP_COMM])
{
	return text((const uint8_t *)comm, strnlen(comm, CAP_COMM));
}

static bool
same(struct event_text a, struct event_text b)
{
	return a.n == b.n && memcmp(a.p, b.p, a.n) == 0;
}

static uint32_t
device(uint32_t major, uint32_t minor)
{
	return major << 20 | (minor & 0xfffff);
}

/* -- exec -- */

static uint32_t
flags_of(uint32_t f)
{
	static const struct {
		uint32_t from, to;
	} bits[] = {
		{ CAP_SECURE, PROGRAM_SECURE },
		{ CAP_UNLINKED, PROGRAM_UNLINKED },
		{ CAP_EXE_CUT, PROGRAM_EXE_CUT },
		{ CAP_CWD_CUT, PROGRAM_CWD_CUT },
		{ CAP_CWD_UNLINKED, PROGRAM_CWD_UNLINKED },
		{ CAP_THREAD, PROGRAM_THREAD },
	};
	uint32_t to = 0;

	for (size_t i = 0; i < OPS_ARRAY_LEN(bits); i++)
		if ((f & bits[i].from) != 0)
			to |= bits[i].to;
	return to;
}

/* Who started it, where its parent is a mere fork of that. */
static bool
has_ancestor(const struct proc *x)
{
	return x != NULL && x->ancestor != 0 && x->ancestor != x->ppid &&
	       x->ancestor_start <= x->pstart;
}

static void
fill_numbers(
    struct program_exec *r, const struct cap_exec *e, const struct proc *x)
{
	r->pid = e->head.pid;
	r->start = e->head.start;
	r->ppid = x != NULL ? x->ppid : e->head.ppid;
	r->pstart = x != NULL ? x->pstart : e->head.pstart;
	r->uid = e->uid;
	r->euid = e->euid;
	r->gid = e->gid;
	r->egid = e->egid;
	r->auid = e->auid;
	r->ses = e->ses;
	r->flags = flags_of(e->flags);
	r->pgrp = e->pgrp;
	r->sid = e->sid;
	r->nspid = e->nspid;
	r->argc = e->argc;
	r->args_len = e->args_len;
	r->tty = device(e->tty_major, e->tty_minor);
	r->tty_fs = e->tty_dev;
	r->caps = e->caps;
	r->has_before = (e->flags & CAP_BEFORE) != 0;
	r->before_uid = e->before_uid;
	r->before_euid = e->before_euid;
	r->before_caps = e->before_caps;
	r->exe_dev = e->exe_dev;
	r->exe_ino = e->exe_ino;
	r->exe_mode = e->exe_mode;
	r->exe_uid = e->exe_uid;
	r->ns_pid = e->ns_pid;
	r->ns_mnt = e->ns_mnt;
	r->ns_net = e->ns_net;
	r->ns_uts = e->ns_uts;
	r->ns_user = e->ns_user;
	r->ns_cgroup = e->ns_cgroup;
	r->has_ancestor = has_ancestor(x);
	if (r->has_ancestor) {
		r->ancestor = x->ancestor;
		r->ancestor_back = x->pstart - x->ancestor_start;
	}
}

struct texts {
	uint8_t exe[PROGRAM_PATH_MAX], cwd[PROGRAM_PATH_MAX];
	uint8_t cgroup[PROGRAM_CGROUP_MAX];
	uint8_t holes[PROGRAM_HOLES_MAX * PROGRAM_HOLE_LEN];
};

static struct event_text
path(const uint8_t *data, uint32_t from, uint32_t to, bool cut, uint8_t *out,
    size_t size)
{
	return text(out, capture_path(data + from, to - from, cut, out, size));
}

/* A path that begins at the root has its slash. */
static uint32_t
lost_begin(struct event_text path, uint32_t flag)
{
	return path.n > 0 && path.p[0] != '/' ? flag : 0;
}

static void
fill_texts(
    struct program_exec *r, const struct order_event *ev, struct texts *t)
{
	const struct cap_exec *e = &ev->u->exec;
	const uint8_t *data = (const uint8_t *)(e + 1);

	r->comm = comm_of(e->comm);
	r->exe = path(data, e->interp_end, e->exe_end,
	    (e->flags & CAP_EXE_CUT) != 0, t->exe, sizeof(t->exe));
	r->cwd = path(data, e->exe_end, e->cwd_end,
	    (e->flags & CAP_CWD_CUT) != 0, t->cwd, sizeof(t->cwd));
	r->flags |= lost_begin(r->exe, PROGRAM_EXE_CUT) |
		    lost_begin(r->cwd, PROGRAM_CWD_CUT);
	if (e->end > e->cwd_end)
		r->cgroup = path(data, e->cwd_end, e->end, false, t->cgroup,
		    sizeof(t->cgroup));
	r->filename = text(data + e->args_end, e->filename_end - e->args_end);
	r->interp =
	    text(data + e->filename_end, e->interp_end - e->filename_end);
	if (same(r->interp, r->filename))
		r->interp.p = NULL;
	if (same(r->filename, r->exe))
		r->filename.p = NULL;
	for (unsigned i = 0; i < ev->holes; i++) {
		uint8_t *h = t->holes + (size_t)i * PROGRAM_HOLE_LEN;

		ops_putle64(h, ev->hole[i].offset);
		ops_putle64(h + 8, ev->hole[i].length);
	}
	if (ev->holes > 0)
		r->holes = text(t->holes, ev->holes * PROGRAM_HOLE_LEN);
}

/* What the texts leave free of a record. */
static size_t
room_in(const struct program_exec *r)
{
	const struct event_text *t[] = { &r->exe, &r->cwd, &r->cgroup,
		&r->filename, &r->interp, &r->holes, &r->env, &r->also };
	size_t room = RECORD_PAYLOAD_MAX - NUMBERS_ROOM;

	for (size_t i = 0; i < OPS_ARRAY_LEN(t); i++)
		room =
		    t[i]->p == NULL || t[i]->n > room ? room : room - t[i]->n;
	return room;
}

/* Whole variables, as many as there is room for. */
static void
fill_env(struct program_exec *r, const struct order_event *ev)
{
	size_t room = room_in(r), n = ev->env_n;

	if (room > PROGRAM_ENV_MAX)
		room = PROGRAM_ENV_MAX;
	if (n > room) {
		const uint8_t *nul = memrchr(ev->env, 0, room);

		n = nul != NULL ? (size_t)(nul - ev->env) + 1 : 0;
	}
	if (n < ev->env_n || ev->env_cut)
		r->flags |= PROGRAM_ENV_CUT;
	if (n > 0)
		r->env = text(ev->env, n);
}

/* As many of the arguments as fit beside the other texts. */
static size_t
args_inside(const struct program_exec *r, const struct order_event *ev)
{
	size_t room = room_in(r), n = ev->args_n;

	if (n > PROGRAM_ARGS_MAX)
		n = PROGRAM_ARGS_MAX;
	return n < room ? n : room;
}

static struct ops_buf
new_body(void)
{
	struct ops_buf b = { .max = RECORD_PAYLOAD_MAX };

	(void)ops_buf_reserve(&b, BODY_USUAL);
	return b;
}

static bool
put(const struct capture_sink *sink, uint8_t type, uint64_t time,
    struct ops_buf *b)
{
	bool rc =
	    !b->failed && sink->put(sink->arg, type, time, b->data, b->len);

	ops_buf_free(b);
	return rc;
}

static bool
put_exec(const struct order_event *ev, const struct procs *p,
    const struct proc *x, size_t *at, const struct capture_sink *sink)
{
	const struct cap_exec *e = &ev->u->exec;
	uint8_t id[1 + PROGRAM_ALSO_MAX][OPS_ID_LEN] = { 0 };
	struct ops_buf b = new_body();
	struct program_exec r = { 0 };
	struct texts t OPS_UNINITIALIZED;
	size_t n;

	if (x != NULL)
		r.joined = procs_joined(p, x, e->head.time, id[0]);
	if (r.joined == JOINED_INFERRED) {
		n = procs_shown(p, x, e->head.time, id, OPS_ARRAY_LEN(id));
		r.also = text(id[1], (n - 1) * OPS_ID_LEN);
	}
	fill_numbers(&r, e, x);
	fill_texts(&r, ev, &t);
	fill_env(&r, ev);
	n = args_inside(&r, ev);
	r.args = text(ev->args, n);
	if (ev->masked)
		r.flags |= PROGRAM_MASKED;
	program_exec_put(&b, id[0], &r);
	if (!put(sink, REC_EXEC, e->head.time, &b))
		return false;
	*at = n + 1; /* not 0, also without any */
	return true;
}

static bool
put_more(const struct order_event *ev, const uint8_t *id, size_t *at,
    const struct capture_sink *sink)
{
	const struct cap_head *h = &ev->u->head;

	while (*at - 1 < ev->args_n) {
		struct ops_buf b = { .max = RECORD_PAYLOAD_MAX };
		size_t from = *at - 1, n = ev->args_n - from;
		struct program_args a = {
			.pid = h->pid, .start = h->start, .offset = from
		};

		if (n > PROGRAM_ARGS_MAX)
			n = PROGRAM_ARGS_MAX;
		a.args = text(ev->args + from, n);
		program_args_put(&b, id, &a);
		if (!put(sink, REC_ARGS, h->time, &b))
			return false;
		*at += n;
	}
	return true;
}

/* -- the end -- */

static bool
put_ended(
    const struct cap_exit *e, struct procs *p, const struct capture_sink *sink)
{
	const struct proc *x = procs_find(p, e->head.pid, e->head.start);
	struct program_ended r = { .pid = e->head.pid,
		.start = e->head.start,
		.status = e->status,
		.utime = e->utime,
		.stime = e->stime,
		.maxrss = e->maxrss * PAGE_KIB,
		.read_bytes = e->read_bytes,
		.write_bytes = e->write_bytes,
		.has_io =
		    e->rchar >= PROGRAM_IO_MIN || e->wchar >= PROGRAM_IO_MIN,
		.rchar = e->rchar,
		.wchar = e->wchar,
		.minflt = e->minflt,
		.majflt = e->majflt,
		/* 0: none.  Its pid is no number there, and might be another's. */
		.has_own = e->own_pid != e->head.pid,
		.own = e->own_pid };
	struct ops_buf b = new_body();
	uint8_t id[OPS_ID_LEN] = { 0 };
	struct proc gone;

	if (x == NULL)
		r.flags = PROGRAM_UNSEEN;
	else if (!x->executed)
		r.flags = x->seeded ? PROGRAM_UNSEEN : PROGRAM_FORKED;
	if (x != NULL)
		r.joined = procs_joined(p, x, e->head.time, id);
	if (r.flags != 0) {
		r.has_who = true;
		r.ppid = x != NULL ? x->ppid : e->head.ppid;
		r.pstart = x != NULL ? x->pstart : e->head.pstart;
		r.uid = e->uid;
		r.euid = e->euid;
		r.auid = e->auid;
		r.ses = e->ses;
	}
	if (r.flags != 0 || !same(comm_of(x->comm), comm_of(e->comm)))
		r.comm = comm_of(e->comm);
	program_ended_put(&b, id, &r);
	if (!put(sink, REC_ENDED, e->head.time, &b))
		return false;
	(void)procs_exit(p, e, &gone);
	return true;
}

static bool
put_failed(const struct cap_failed *e, struct procs *p,
    const struct capture_sink *sink)
{
	const struct proc *x = procs_find(p, e->head.pid, e->head.start);
	struct program_failed r = { .pid = e->head.pid,
		.start = e->head.start,
		.error = (uint32_t)e->error,
		.uid = e->uid,
		.euid = e->euid,
		.auid = e->auid,
		.ses = e->ses,
		.comm = comm_of(e->comm),
		.name = text((const uint8_t *)(e + 1), e->name_n),
		.has_where = true,
		.tty = device(e->tty_major, e->tty_minor),
		.tty_fs = e->tty_dev,
		.ppid = x != NULL ? x->ppid : e->head.ppid,
		.pstart = x != NULL ? x->pstart : e->head.pstart,
		.has_ancestor = has_ancestor(x) };
	struct ops_buf b = new_body();
	uint8_t id[OPS_ID_LEN] = { 0 };

	if (x != NULL)
		r.joined = procs_joined(p, x, e->head.time, id);
	if (r.has_ancestor) {
		r.ancestor = x->ancestor;
		r.ancestor_back = x->pstart - x->ancestor_start;
	}
	program_failed_put(&b, id, &r);
	return put(sink, REC_FAILED, e->head.time, &b);
}

bool
capture_record(const struct order_event *ev, struct procs *p, size_t *at,
    const struct capture_sink *sink)
{
	uint8_t id[OPS_ID_LEN] = { 0 };
	const struct proc *x;

	switch (ev->u->head.type) {
	case CAP_FORK:
		(void)procs_fork(p, &ev->u->fork);
		return true;
	case CAP_EXEC:
		x = procs_exec(p, &ev->u->exec);
		if (*at == 0 && !put_exec(ev, p, x, at, sink))
			return false;
		if (x != NULL && *at - 1 < ev->args_n)
			(void)procs_joined(p, x, ev->u->head.time, id);
		return put_more(ev, id, at, sink);
	case CAP_EXIT:
		return put_ended(&ev->u->exit, p, sink);
	case CAP_FAILED:
		return put_failed(&ev->u->failed, p, sink);
	default:
		return true;
	}
}
