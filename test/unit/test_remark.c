#include "check.h"

#include "base/bytes.h"
#include "record/body.h"
#include "record/record.h"
#include "record/remark.h"

#define T(s)                                                                   \
	{                                                                      \
		(const uint8_t *)(s), sizeof(s) - 1                            \
	}

static const uint8_t id[OPS_ID_LEN] = "session-id";

/* Every member another value, so that no two can be mixed up. */
static const struct remark rows[] = {
	{ REMARK_NOTE, 1001, 1002, 3, 1ull << 40, 17, T("CHG-1 \xff\n") },
	{ REMARK_REASON, 0, EVENT_UNSET, 4, 5, 6, T("x") },
	{ .kind = REMARK_REASON },
};

static bool
same(const struct remark *a, const struct remark *b)
{
	return a->kind == b->kind && a->uid == b->uid && a->auid == b->auid &&
	       a->pid == b->pid && a->start == b->start &&
	       a->realtime == b->realtime && a->text.n == b->text.n &&
	       (a->text.p == NULL) == (b->text.p == NULL) &&
	       (a->text.n == 0 || memcmp(a->text.p, b->text.p, a->text.n) == 0);
}

static void
test_again(void **state)
{
	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(rows); i++) {
		struct ops_buf b = { .max = RECORD_PAYLOAD_MAX };
		struct remark got = { .uid = 99 };

		remark_put(&b, id, &rows[i]);
		assert_false(b.failed);
		assert_memory_equal(b.data, id, OPS_ID_LEN);
		/* Every cut is refused and leaves the output alone. */
		for (size_t n = 0; n < b.len; n++) {
			uint8_t *cut = heap_copy(b.data, n);

			assert_int_equal(remark_get(cut, n, &got, NULL), -1);
			assert_int_equal(got.uid, 99);
			free(cut);
		}
		assert_int_equal(remark_get(b.data, b.len, &got, NULL), 0);
		assert_true(same(&got, &rows[i]));
		ops_buf_put8(&b, 0);
		assert_int_equal(remark_get(b.data, b.len, &got, NULL), -1);
		ops_buf_free(&b);
	}
}

static void
test_refused(void **state)
{
	static const struct {
		const char *name;
		struct remark r;
	} bad[] = {
		{ "kind 0", { .kind = 0, .text = T("x") } },
		{ "kind 3", { .kind = 3, .text = T("x") } },
		{ "a note without words", { .kind = REMARK_NOTE } },
		{ "an empty note", { .kind = REMARK_NOTE, .text = T("") } },
		{ "an empty reason", { .kind = REMARK_REASON, .text = T("") } },
	};

	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(bad); i++) {
		struct ops_buf b = { .max = RECORD_PAYLOAD_MAX };
		struct remark got = { .uid = 99 };
		struct ops_err err = { 0 };

		remark_put(&b, id, &bad[i].r);
		CHECK(remark_get(b.data, b.len, &got, &err) == -1, bad[i].name,
		    "taken");
		CHECK(err.code == OPS_EFORMAT, bad[i].name, err.msg);
		CHECK(got.uid == 99, bad[i].name, "output touched");
		ops_buf_free(&b);
	}
}

/* A text over the limit is cut there, and nowhere else. */
static void
test_limit(void **state)
{
	static uint8_t text[REMARK_TEXT_MAX + 1];
	struct remark r = { .kind = REMARK_NOTE,
		.text = { text, sizeof(text) } };
	struct ops_buf b = { .max = RECORD_PAYLOAD_MAX };
	struct remark got;

	(void)state;
	memset(text, 'x', sizeof(text));
	remark_put(&b, id, &r);
	assert_int_equal(remark_get(b.data, b.len, &got, NULL), 0);
	assert_int_equal(got.text.n, REMARK_TEXT_MAX);
	ops_buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_again),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
