#include "check.h"

#include "base/bytes.h"
#include "record/parts.h"

#define EVENT_PIECE (RECORD_PAYLOAD_MAX - RECORD_PART_HEADER - OPS_ID_LEN)

/* clang-format off */
static const struct {
	const char *name;
	uint8_t type;
	size_t n;
	size_t parts; /* 0: must be refused */
} cases[] = {
	{ "empty output",	REC_OUTPUT, 0, 1 },
	{ "longest output",	REC_OUTPUT, RECORD_PAYLOAD_MAX, 1 },
	{ "one byte more",	REC_OUTPUT, RECORD_PAYLOAD_MAX + 1, 2 },
	{ "two full parts",	REC_OUTPUT, 2 * (RECORD_PAYLOAD_MAX - 4), 2 },
	{ "and one byte",	REC_OUTPUT, 2 * (RECORD_PAYLOAD_MAX - 4) + 1, 3 },
	{ "event, one record",	REC_ACCESS, RECORD_PAYLOAD_MAX, 1 },
	{ "event, two",		REC_ACCESS, RECORD_PAYLOAD_MAX + 1, 2 },
	{ "event, two full",	REC_ACCESS, OPS_ID_LEN + 2 * EVENT_PIECE, 2 },
	{ "event, three",	REC_ACCESS, OPS_ID_LEN + 2 * EVENT_PIECE + 1, 3 },
	{ "longest event",	REC_ACCESS, PARTS_PAYLOAD_MAX, RECORD_PARTS_MAX },
	{ "too long",		REC_ACCESS, PARTS_PAYLOAD_MAX + 1, 0 },
	{ "event without id",	REC_ACCESS, OPS_ID_LEN - 1, 0 },
	{ "long resize",	REC_RESIZE, RECORD_PAYLOAD_MAX + 1, 0 },
};
/* clang-format on */

static uint8_t *
pattern(size_t n)
{
	uint8_t *p = malloc(n + (n == 0));

	assert_non_null(p);
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(i * 7 + i / 251);
	return p;
}

/* Feed all records in out to the joiner; the last one must complete it. */
static void
join_all(const struct ops_buf *out, size_t parts, struct parts *j,
    struct record *whole, const char *row)
{
	struct ops_err err = { 0 };
	size_t at = 0, count = 0;
	struct record r;
	long used;
	int rc = 0;

	for (; at < out->len; at += (size_t)used, count++) {
		used = record_decode(out->data + at, out->len - at, &r, &err);
		CHECK(used > 0, row, err.msg);
		CHECK(rc == 0, row, "complete too early");
		rc = parts_join(j, &r, whole, &err);
		CHECK(rc >= 0, row, err.msg);
		CHECK(parts_open(j) == (rc == 0), row, "parts_open");
	}
	CHECK(rc == 1, row, "never complete");
	CHECK(count == parts, row, "number of records");
}

static void
test_round_trip(void **state)
{
	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(cases); i++) {
		const char *row = cases[i].name;
		uint8_t *payload = pattern(cases[i].n);
		struct record r = { .type = cases[i].type,
			.time = 5,
			.payload = payload,
			.len = cases[i].n };
		struct ops_buf out = { .max = 32u << 20 };
		struct parts j = { .payload = { .max = PARTS_PAYLOAD_MAX } };
		struct ops_err err = { 0 };
		struct record whole = { 0 };
		long n = parts_put(&out, &r, &err);

		if (cases[i].parts == 0) {
			CHECK(n == -1 && err.code == OPS_EUSAGE, row, err.msg);
			CHECK(out.len == 0, row, "wrote something");
		} else {
			CHECK(n == (long)cases[i].parts, row, err.msg);
			CHECK(parts_count(r.type, r.len) == cases[i].parts, row,
			    "parts_count");
			join_all(&out, cases[i].parts, &j, &whole, row);
			CHECK(whole.len == r.len && whole.type == r.type &&
				  whole.time == 5 && whole.flags == 0,
			    row, "joined head");
			CHECK(r.len == 0 || (whole.payload != NULL &&
						memcmp(whole.payload, payload,
						    r.len) == 0),
			    row, "joined payload");
			/* The joiner is ready for the next thing. */
			join_all(&out, cases[i].parts, &j, &whole, row);
			CHECK(whole.len == r.len, row, "joined again");
		}
		parts_free(&j);
		ops_buf_free(&out);
		free(payload);
	}
}

static void
test_no_room(void **state)
{
	uint8_t *payload = pattern(40000);
	struct record r = {
		.type = REC_OUTPUT, .payload = payload, .len = 40000
	};
	struct ops_buf out = { .max = 40000 };
	struct ops_err err = { 0 };

	(void)state;
	ops_buf_puts(&out, "before");
	assert_int_equal(parts_put(&out, &r, &err), -1);
	assert_int_equal(err.code, OPS_ENOMEM);
	assert_int_equal(out.len, 6);
	ops_buf_free(&out);
	free(payload);
}

/* Parts as (part, parts, type, time, id), and where joining must fail. */
struct step {
	unsigned part, parts;
	uint8_t type;
	uint64_t time;
	char id;
	int rc;
};

static void
test_broken_order(void **state)
{
	/* clang-format off */
	static const struct {
		const char *name;
		struct step step[4];
	} rows[] = {
		{ "good", { { 0, 3, 64, 1, 'a', 0 }, { 1, 3, 64, 1, 'a', 0 }, { 2, 3, 64, 1, 'a', 1 } } },
		{ "first missing", { { 1, 3, 64, 1, 'a', -1 }, { 0, 2, 64, 1, 'a', 0 }, { 1, 2, 64, 1, 'a', 1 } } },
		{ "middle missing", { { 0, 3, 64, 1, 'a', 0 }, { 2, 3, 64, 1, 'a', -1 } } },
		{ "twice", { { 0, 3, 64, 1, 'a', 0 }, { 0, 3, 64, 1, 'a', -1 }, { 0, 3, 64, 1, 'a', 0 } } },
		{ "another count", { { 0, 3, 64, 1, 'a', 0 }, { 1, 4, 64, 1, 'a', -1 } } },
		{ "another type", { { 0, 3, 64, 1, 'a', 0 }, { 1, 3, 65, 1, 'a', -1 } } },
		{ "another time", { { 0, 3, 64, 1, 'a', 0 }, { 1, 3, 64, 2, 'a', -1 } } },
		{ "another session", { { 0, 3, 64, 1, 'a', 0 }, { 1, 3, 64, 1, 'b', -1 } } },
		{ "a whole one between", { { 0, 3, 64, 1, 'a', 0 }, { 0, 0, 64, 1, 'a', -1 }, { 0, 0, 64, 1, 'a', 1 } } },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(rows); i++) {
		struct parts j = { .payload = { .max = 1000 } };

		for (size_t k = 0; k < 4 && rows[i].step[k].type; k++) {
			const struct step *s = &rows[i].step[k];
			uint8_t payload[20];
			struct record r = { .type = s->type,
				.time = s->time,
				.flags = s->parts > 0 ? RECORD_PART : 0,
				.payload = payload,
				.len = sizeof(payload) };
			struct ops_err err = { 0 };
			struct record whole;

			memset(payload, s->id, sizeof(payload));
			if (s->parts > 0) {
				ops_putle16(payload, (uint16_t)s->part);
				ops_putle16(payload + 2, (uint16_t)s->parts);
			}
			CHECK(parts_join(&j, &r, &whole, &err) == s->rc,
			    rows[i].name, err.msg);
			CHECK(s->rc >= 0 || err.code == OPS_EFORMAT,
			    rows[i].name, err.msg);
			CHECK(s->rc >= 0 || !parts_open(&j), rows[i].name,
			    "still open");
		}
		parts_free(&j);
	}
}

static void
test_limit(void **state)
{
	uint8_t payload[20] = { 0, 0, 2, 0 };
	struct record r = { .type = REC_OUTPUT,
		.flags = RECORD_PART,
		.payload = payload,
		.len = sizeof(payload) };
	struct parts j = { .payload = { .max = 31 } };
	struct ops_err err = { 0 };
	struct record whole;

	(void)state;
	assert_int_equal(parts_join(&j, &r, &whole, &err), 0);
	payload[0] = 1;
	assert_int_equal(parts_join(&j, &r, &whole, &err), -1);
	assert_int_equal(err.code, OPS_ENOMEM);
	assert_false(parts_open(&j));
	/* and it works again */
	payload[0] = 0;
	assert_int_equal(parts_join(&j, &r, &whole, &err), 0);
	parts_free(&j);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_broken_order),
		cmocka_unit_test(test_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
