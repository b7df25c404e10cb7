#include <string.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "programs.h"
#include "record/body.h"
#include "record/record.h"

/*
 * u8 kind, u8 flags, id[10], u32 number, u32 login, u64 time, u64 boottime,
 * u64 offset, u64 ended, u64 more, u16 n; with HAS_PERSON u16 and so many bytes: that;
 * n bytes: the body of its record; then, with HAS_END, the body of the other.
 */
#define HEAD_LEN (2 + OPS_ID_LEN + 8 + 40 + 2)

enum {
	SEALED = 1,
	REPLACED = 2,
	HAS_OFFSET = 4,
	HAS_END = 8,
	HAS_PERSON = 16,
	FLAGS = 32
};

static void
put_body(struct ops_buf *b, const struct program *p)
{
	switch (p->kind) {
	case PROGRAM_RAN:
		program_exec_put(b, p->session, &p->exec);
		break;
	case PROGRAM_ENDED:
		break; /* its end says it */
	case PROGRAM_FAILED:
		program_failed_put(b, p->session, &p->failed);
		break;
	case PROGRAM_ACCOUNTED:
		program_accounted_put(b, &p->accounted);
		break;
	case PROGRAM_COVERAGE:
		program_coverage_put(b, &p->coverage);
		break;
	default:
		program_loss_put(b, &p->loss);
		break;
	}
}

void
program_put(struct ops_buf *b, const struct program *p)
{
	/* Longer than the record was, whose arguments went on in others. */
	struct ops_buf body = { .max = (size_t)2 * RECORD_PAYLOAD_MAX };
	uint64_t more =
	    p->kind == PROGRAM_RAN && p->exec.args.n > PROGRAM_ARGS_MAX
		? p->exec.args.n - PROGRAM_ARGS_MAX
		: 0;
	/* What is accounted is an end itself. */
	bool has_end = p->has_end && p->kind != PROGRAM_ACCOUNTED;
	unsigned flags =
	    (p->sealed ? SEALED : 0u) | (p->replaced ? REPLACED : 0u) |
	    (p->has_offset ? HAS_OFFSET : 0u) | (has_end ? HAS_END : 0u) |
	    (p->person.p != NULL ? HAS_PERSON : 0u);

	put_body(&body, p);
	ops_buf_put8(b, p->kind);
	ops_buf_put8(b, (uint8_t)flags);
	ops_buf_put(b, p->session, OPS_ID_LEN);
	ops_buf_putle32(b, p->number);
	ops_buf_putle32(b, p->login);
	ops_buf_putle64(b, p->time);
	ops_buf_putle64(b, p->boottime);
	ops_buf_putle64(b, p->offset);
	ops_buf_putle64(b, p->ended);
	ops_buf_putle64(b, more);
	ops_buf_putle16(b, (uint16_t)body.len);
	if (p->person.p != NULL) {
		ops_buf_putle16(b, (uint16_t)p->person.n);
		ops_buf_put(b, p->person.p, p->person.n);
	}
	ops_buf_put(b, body.data, body.len);
	if (has_end)
		program_ended_put(b, p->session, &p->end);
	b->failed |= body.failed;
	ops_buf_free(&body);
}

static int
get_body(struct program *p, const uint8_t *body, size_t n, struct ops_err *err)
{
	switch (p->kind) {
	case PROGRAM_RAN:
		return program_exec_get(body, n, &p->exec, err);
	case PROGRAM_FAILED:
		return program_failed_get(body, n, &p->failed, err);
	case PROGRAM_LOST:
		return program_loss_get(body, n, &p->loss, err);
	case PROGRAM_ACCOUNTED:
		return program_accounted_get(body, n, &p->accounted, err);
	case PROGRAM_COVERAGE:
		return program_coverage_get(body, n, &p->coverage, err);
	case PROGRAM_ENDED:
		return n == 0 ? 0
			      : ops_fail(err, OPS_EFORMAT, "an exec too much");
	default:
		return ops_fail(
		    err, OPS_EFORMAT, "no program is of kind %u", p->kind);
	}
}

/* Take it off *p; -1: there is none. */
static int
get_person(struct program *got, const uint8_t **p, size_t *n)
{
	size_t len;

	if (*n < 2)
		return -1;
	len = ops_getle16(*p);
	if (len > EVENT_TEXT_MAX || len > *n - 2)
		return -1;
	got->person = (struct event_text){ *p + 2, len };
	*p += 2 + len;
	*n -= 2 + len;
	return 0;
}

int
program_get(const uint8_t *p, size_t n, struct program_list *l, uint64_t *more,
    struct ops_err *err)
{
	struct program got = { 0 };
	bool has_person;
	size_t body;

	if (n < HEAD_LEN)
		return ops_fail(err, OPS_EFORMAT, "a program of %zu bytes", n);
	got.kind = p[0];
	if (p[1] >= FLAGS)
		return ops_fail(
		    err, OPS_EFORMAT, "a program with flags %u", p[1]);
	got.sealed = (p[1] & SEALED) != 0;
	got.replaced = (p[1] & REPLACED) != 0;
	got.has_offset = (p[1] & HAS_OFFSET) != 0;
	got.has_end = (p[1] & HAS_END) != 0;
	has_person = (p[1] & HAS_PERSON) != 0;
	memcpy(got.session, p + 2, OPS_ID_LEN);
	p += 2 + OPS_ID_LEN;
	got.number = ops_getle32(p);
	got.login = ops_getle32(p + 4);
	got.time = ops_getle64(p + 8);
	got.boottime = ops_getle64(p + 16);
	got.offset = ops_getle64(p + 24);
	got.ended = ops_getle64(p + 32);
	*more = ops_getle64(p + 40);
	body = ops_getle16(p + 48);
	p += 50;
	n -= HEAD_LEN;
	if (has_person && get_person(&got, &p, &n) < 0)
		return ops_fail(err, OPS_EFORMAT, "a program's person");
	if (body > n || *more > PROGRAM_ARGS_TOTAL)
		return ops_fail(err, OPS_EFORMAT, "a program is cut short");
	if (get_body(&got, p, body, err) < 0)
		return -1;
	if (got.has_end
		? program_ended_get(p + body, n - body, &got.end, err) < 0
		: body != n)
		return ops_fail(err, OPS_EFORMAT, "a program's end");
	if (got.kind == PROGRAM_ENDED)
		program_from_end(&got);
	if (got.kind == PROGRAM_ACCOUNTED && got.has_end)
		return ops_fail(err, OPS_EFORMAT, "a program's second end");
	if (got.kind == PROGRAM_ACCOUNTED)
		program_from_accounted(&got);
	return program_list_add(l, &got, err);
}

int
program_more(const uint8_t *p, size_t n, struct program_list *l, uint64_t *more,
    struct ops_err *err)
{
	struct program *to = l->n > 0 ? &l->p[l->n - 1] : NULL;

	if (to == NULL || to->kind != PROGRAM_RAN || n > *more || n == 0)
		return ops_fail(
		    err, OPS_EFORMAT, "%zu bytes of arguments too much", n);
	if (ops_buf_put(&l->args, p, n), l->args.failed)
		return ops_fail(err, OPS_ENOMEM, "programs: no memory");
	*more -= n;
	return *more == 0 ? program_list_args(l, err) : 0;
}
