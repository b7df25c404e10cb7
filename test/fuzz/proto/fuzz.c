/*
 * The first byte says which message; the rest is its body.  What can be read
 * is one byte string per meaning: written again it is the same, unless the
 * writer of this version would leave something out (an unknown key).
 */
#include <stdlib.h>
#include <string.h>

#include "ipc/msg.h"
#include "ipc/proto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	OPEN,
	HELD,
	STATUS,
	FILTER,
	OUTER,
	FOUND,
	INNER,
	CAPTURE,
	ALERT,
	NOTE,
	KINDS
};

union body {
	struct proto_open open;
	struct proto_held held;
	struct proto_status status;
	struct proto_filter filter;
	struct proto_outer outer;
	struct proto_found found;
	struct proto_inner inner;
	struct proto_capture capture;
	struct proto_alert alert;
	struct proto_note note;
};

static int
get(unsigned kind, const uint8_t *p, size_t n, union body *ret)
{
	struct proto_limited limited;
	struct ops_err err = { 0 };
	int rc;

	switch (kind) {
	case OPEN:
		rc = proto_open_get(p, n, &ret->open, &err);
		break;
	case HELD:
		rc = proto_held_decode(p, n, &ret->held, &err);
		break;
	case STATUS:
		rc = proto_status_get(p, n, &ret->status, &err);
		for (size_t i = 0;
		     rc == 0 &&
		     proto_limited_get(ret->status.limited_users, i, &limited);
		     i++)
			continue;
		break;
	case FILTER:
		rc = proto_filter_get(p, n, &ret->filter, &err);
		break;
	case OUTER:
		rc = proto_outer_decode(p, n, &ret->outer, &err);
		break;
	case INNER:
		rc = proto_inner_decode(p, n, &ret->inner, &err);
		break;
	case CAPTURE:
		rc = proto_capture_get(p, n, &ret->capture, &err);
		break;
	case ALERT:
		rc = proto_alert_get(p, n, &ret->alert, &err);
		break;
	case NOTE:
		rc = proto_note_get(p, n, &ret->note, &err);
		break;
	default:
		rc = proto_found_get(p, n, &ret->found, &err);
	}
	if (rc < 0 && (err.code != OPS_EFORMAT || err.msg[0] == '\0'))
		abort();
	return rc;
}

static void
put(unsigned kind, struct ops_buf *b, const union body *body)
{
	uint8_t held[PROTO_HELD_LEN], outer[PROTO_OUTER_LEN];
	uint8_t inner[PROTO_INNER_LEN];

	switch (kind) {
	case OPEN:
		proto_open_put(b, &body->open);
		break;
	case HELD:
		proto_held_encode(&body->held, held);
		ops_buf_put(b, held, sizeof(held));
		break;
	case STATUS:
		proto_status_put(b, &body->status);
		break;
	case FILTER:
		proto_filter_put(b, &body->filter);
		break;
	case OUTER:
		proto_outer_encode(&body->outer, outer);
		ops_buf_put(b, outer, sizeof(outer));
		break;
	case INNER:
		proto_inner_encode(&body->inner, inner);
		ops_buf_put(b, inner, sizeof(inner));
		break;
	case CAPTURE:
		proto_capture_put(b, &body->capture);
		break;
	case ALERT:
		proto_alert_put(b, &body->alert);
		break;
	case NOTE:
		proto_note_put(b, &body->note);
		break;
	default:
		proto_found_put(b, &body->found);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ops_buf once = { .max = MSG_PAYLOAD_MAX };
	struct ops_buf twice = { .max = MSG_PAYLOAD_MAX };
	union body body, again;
	unsigned kind;

	if (size == 0)
		return 0;
	kind = data[0] % KINDS;
	if (get(kind, data + 1, size - 1, &body) < 0)
		return 0;
	put(kind, &once, &body);
	if (once.failed || get(kind, once.data, once.len, &again) < 0)
		abort();
	put(kind, &twice, &again);
	if (twice.len != once.len ||
	    memcmp(once.data, twice.data, once.len) != 0)
		abort();
	/* Nothing gets lost or is written otherwise, where every key is known. */
	if (once.len > size - 1 ||
	    (kind != OPEN && kind != STATUS && kind != ALERT && kind != NOTE &&
		once.len != size - 1) ||
	    (once.len == size - 1 &&
		memcmp(once.data, data + 1, once.len) != 0))
		abort();
	ops_buf_free(&once);
	ops_buf_free(&twice);
	return 0;
}
