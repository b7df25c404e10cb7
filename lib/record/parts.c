#include "parts.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"

/* Bytes that each part of this type repeats: the session id. */
static size_t
repeated(uint8_t type)
{
	return record_type_class(type) == CLASS_SCREEN ? 0 : OPS_ID_LEN;
}

/* Bytes of the thing itself that fit into one part. */
static size_t
piece_max(uint8_t type)
{
	return RECORD_PAYLOAD_MAX - RECORD_PART_HEADER - repeated(type);
}

static int
may_have_parts(uint8_t type)
{
	return type == REC_OUTPUT || type == REC_INPUT ||
	       record_type_class(type) > CLASS_SCREEN;
}

size_t
parts_count(uint8_t type, size_t n)
{
	size_t parts;

	if (n <= RECORD_PAYLOAD_MAX)
		return 1;
	if (!may_have_parts(type) || n > PARTS_PAYLOAD_MAX)
		return 0;
	n -= repeated(type);
	parts = (n + piece_max(type) - 1) / piece_max(type);
	return parts <= RECORD_PARTS_MAX ? parts : 0;
}

/* Part number i: head, session id, piece. */
static void
put_part(struct ops_buf *out, const struct record *r, size_t i, size_t parts)
{
	uint8_t head[RECORD_HEADER + RECORD_PART_HEADER];
	size_t id = repeated(r->type);
	size_t from = id + i * piece_max(r->type);
	size_t n = r->len - from;

	if (n > piece_max(r->type))
		n = piece_max(r->type);
	head[0] = r->type;
	head[1] = RECORD_PART;
	ops_putle16(head + 2, (uint16_t)(RECORD_PART_HEADER + id + n));
	ops_putle64(head + 4, r->time);
	ops_putle16(head + 12, (uint16_t)i);
	ops_putle16(head + 14, (uint16_t)parts);
	ops_buf_put(out, head, sizeof(head));
	ops_buf_put(out, r->payload, id);
	ops_buf_put(out, r->payload + from, n);
}

long
parts_put(struct ops_buf *out, const struct record *r, struct ops_err *err)
{
	size_t parts = parts_count(r->type, r->len);
	size_t before = out->len;
	uint8_t *p;

	assert(r->flags == 0);
	if (parts == 0 || r->len < repeated(r->type))
		return ops_fail(err, OPS_EUSAGE,
		    "record of type %u: payload of %zu bytes", r->type, r->len);
	if (parts == 1) {
		p = ops_buf_reserve(out, RECORD_HEADER + r->len);
		if (p != NULL)
			out->len += record_encode(r, p);
	} else {
		for (size_t i = 0; i < parts; i++)
			put_part(out, r, i, parts);
	}
	if (ops_buf_check(out, "record", err) < 0) {
		out->len = before;
		return -1;
	}
	return (long)parts;
}

static void
forget(struct parts *j)
{
	ops_buf_reset(&j->payload);
	j->next = j->of = 0;
}

static int
broken(struct parts *j, const char *why, struct ops_err *err)
{
	unsigned next = j->next, of = j->of;

	forget(j);
	return ops_fail(
	    err, OPS_EFORMAT, "%s (part %u of %u was expected)", why, next, of);
}

/* Does this part stand where the joiner is? */
static int
check_order(struct parts *j, const struct record *r, struct ops_err *err)
{
	unsigned part = ops_getle16(r->payload);
	unsigned parts = ops_getle16(r->payload + 2);
	size_t id = repeated(r->type);

	if (part != j->next || (part > 0 && parts != j->of))
		return broken(j, "parts out of order", err);
	if (part == 0)
		return 0;
	if (r->type != j->type || r->time != j->time ||
	    (id > 0 && memcmp(r->payload + RECORD_PART_HEADER, j->payload.data,
			   id) != 0))
		return broken(j, "part of another thing", err);
	return 0;
}

int
parts_join(struct parts *j, const struct record *r, struct record *ret,
    struct ops_err *err)
{
	size_t skip = RECORD_PART_HEADER;

	if (j->of != 0 && j->next == j->of)
		forget(j); /* handed out by the last call */
	if (!(r->flags & RECORD_PART)) {
		if (j->of != 0)
			return broken(j, "a thing ends too early", err);
		*ret = *r;
		return 1;
	}
	if (check_order(j, r, err) < 0)
		return -1;
	if (j->next > 0)
		skip += repeated(r->type);
	ops_buf_put(&j->payload, r->payload + skip, r->len - skip);
	if (ops_buf_check(&j->payload, "joined parts", err) < 0) {
		forget(j);
		return -1;
	}
	j->type = r->type;
	j->time = r->time;
	j->of = ops_getle16(r->payload + 2);
	if (++j->next < j->of)
		return 0;
	*ret = (struct record){ .type = j->type,
		.time = j->time,
		.payload = j->payload.data,
		.len = j->payload.len };
	return 1;
}

int
parts_open(const struct parts *j)
{
	return j->next < j->of;
}

void
parts_free(struct parts *j)
{
	ops_buf_free(&j->payload);
	j->next = j->of = 0;
}
