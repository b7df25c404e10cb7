#include "check.h"

#include <string.h>

#include "base/bytes.h"
#include "scopemsg.h"

static const struct scopemsg call = { .uid = 0,
	.pid = 4711,
	.unit = "opseal-x.scope",
	.about = "a recorder",
	.slice = "some.slice",
	.after = "one.service",
	.before = "two.service" };

/* What reads a message as the specification has it. */
struct reader {
	const uint8_t *p;
	size_t n, at;
};

static uint32_t
get_u32(struct reader *r)
{
	r->at = (r->at + 3) / 4 * 4;
	assert_true(r->at + 4 <= r->n);
	r->at += 4;
	return ops_getle32(r->p + r->at - 4);
}

static const char *
get_text(struct reader *r, size_t len)
{
	const char *s = (const char *)r->p + r->at;

	assert_true(r->at + len < r->n);
	assert_int_equal(strlen(s), len);
	r->at += len + 1;
	return s;
}

static const char *
get_string(struct reader *r)
{
	uint32_t len = get_u32(r);

	return get_text(r, len);
}

static const char *
get_signature(struct reader *r)
{
	size_t len = r->p[r->at++];

	return get_text(r, len);
}

static void
align8(struct reader *r)
{
	while (r->at % 8 != 0)
		assert_int_equal(r->p[r->at++], 0);
}

static void
check_property(struct reader *r, const char *name, const char *type)
{
	align8(r);
	assert_string_equal(get_string(r), name);
	assert_string_equal(get_signature(r), type);
}

static void
check_list(struct reader *r, const char *name, const char *value)
{
	uint32_t len;
	size_t begin;

	check_property(r, name, "as");
	len = get_u32(r);
	begin = r->at;
	assert_string_equal(get_string(r), value);
	assert_int_equal(r->at - begin, len);
}

static void
check_header(struct reader *r)
{
	static const struct {
		uint8_t code;
		const char *type, *value;
	} fields[] = { { 1, "o", "/org/freedesktop/systemd1" },
		{ 2, "s", "org.freedesktop.systemd1.Manager" },
		{ 3, "s", "StartTransientUnit" },
		{ 6, "s", "org.freedesktop.systemd1" },
		{ 8, "g", "ssa(sv)a(sa(sv))" } };
	uint32_t body, len;

	assert_memory_equal(r->p, "l\1\0\1", 4);
	r->at = 4;
	body = get_u32(r);
	assert_int_equal(get_u32(r), 1);
	len = get_u32(r);
	for (size_t i = 0; i < OPS_ARRAY_LEN(fields); i++) {
		align8(r);
		assert_int_equal(r->p[r->at++], fields[i].code);
		assert_string_equal(get_signature(r), fields[i].type);
		assert_string_equal(
		    *fields[i].type == 'g' ? get_signature(r) : get_string(r),
		    fields[i].value);
	}
	assert_int_equal(r->at, 16 + len);
	align8(r);
	assert_int_equal(r->n - r->at, body);
}

static void
test_call(void **state)
{
	static const char hello[] = "\0AUTH EXTERNAL 30\r\nBEGIN\r\n";
	struct ops_buf b = { .max = 4096 };
	struct reader r;
	uint32_t len;
	size_t begin;

	(void)state;
	scopemsg_put(&b, &call);
	assert_false(b.failed);
	assert_memory_equal(b.data, hello, sizeof(hello) - 1);
	r = (struct reader){ b.data + sizeof(hello) - 1,
		b.len - (sizeof(hello) - 1), 0 };
	check_header(&r);
	assert_string_equal(get_string(&r), call.unit);
	assert_string_equal(get_string(&r), "fail");
	len = get_u32(&r);
	align8(&r);
	begin = r.at;
	check_property(&r, "PIDs", "au");
	assert_int_equal(get_u32(&r), 4);
	assert_int_equal(get_u32(&r), call.pid);
	check_property(&r, "Description", "s");
	assert_string_equal(get_string(&r), call.about);
	check_property(&r, "Slice", "s");
	assert_string_equal(get_string(&r), call.slice);
	check_property(&r, "CollectMode", "s");
	assert_string_equal(get_string(&r), "inactive-or-failed");
	check_list(&r, "After", call.after);
	check_list(&r, "Before", call.before);
	assert_int_equal(r.at - begin, len);
	assert_int_equal(get_u32(&r), 0);
	align8(&r);
	assert_int_equal(r.at, r.n);
	ops_buf_free(&b);
}

static void
test_uid(void **state)
{
	struct scopemsg m = call;
	struct ops_buf b = { .max = 4096 };

	(void)state;
	m.uid = 1000;
	scopemsg_put(&b, &m);
	assert_memory_equal(b.data + 1, "AUTH EXTERNAL 31303030\r\n", 24);
	ops_buf_free(&b);
}

static void
test_too_long(void **state)
{
	char name[SCOPEMSG_MAX + 1];
	struct scopemsg m = call;
	struct ops_buf b = { .max = 2 * SCOPEMSG_MAX };

	(void)state;
	memset(name, 'x', SCOPEMSG_MAX);
	name[SCOPEMSG_MAX] = '\0';
	m.about = name;
	scopemsg_put(&b, &m);
	assert_true(b.failed);
	ops_buf_free(&b);
}

/* A message of that type, with a body and fields of these lengths. */
static void
put_message(struct ops_buf *b, uint8_t type, uint32_t body, uint32_t fields)
{
	const uint8_t head[] = { 'l', type, 0, 1 };

	ops_buf_put(b, head, sizeof(head));
	ops_buf_putle32(b, body);
	ops_buf_putle32(b, 7);
	ops_buf_putle32(b, fields);
	for (uint32_t i = 0; i < (fields + 7) / 8 * 8 + body; i++)
		ops_buf_put8(b, 2);
}

static void
test_answers(void **state)
{
	struct ops_buf b = { .max = 4096 };
	size_t before;

	(void)state;
	assert_int_equal(scopemsg_heard(NULL, 0), SCOPEMSG_MORE);
	ops_buf_puts(&b, "OK 0123456789abcdef\r\n");
	put_message(&b, 4, 5, 9); /* a signal */
	put_message(&b, 4, 0, 0);
	before = b.len;
	put_message(&b, 2, 8, 8);
	/* The answer's head is enough. */
	for (size_t n = 0; n < b.len; n++)
		assert_int_equal(scopemsg_heard(b.data, n),
		    n < before + 16 ? SCOPEMSG_MORE : SCOPEMSG_DONE);
	b.data[before + 1] = 3;
	assert_int_equal(scopemsg_heard(b.data, b.len), SCOPEMSG_REFUSED);
	b.data[before + 1] = 2;
	b.data[before] = 'B';
	assert_int_equal(scopemsg_heard(b.data, b.len), SCOPEMSG_REFUSED);
	ops_buf_reset(&b);
	ops_buf_puts(&b, "OK\r\n");
	assert_int_equal(scopemsg_heard(b.data, b.len), SCOPEMSG_REFUSED);
	ops_buf_reset(&b);
	ops_buf_puts(&b, "REJECTED EXTERNAL\r\n");
	assert_int_equal(scopemsg_heard(b.data, b.len), SCOPEMSG_REFUSED);
	ops_buf_reset(&b);
	ops_buf_puts(&b, "OK x\r\n");
	put_message(&b, 4, 0, 0);
	ops_putle32(b.data + 6 + 4, UINT32_MAX);
	assert_int_equal(scopemsg_heard(b.data, b.len), SCOPEMSG_REFUSED);
	ops_buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_call),
		cmocka_unit_test(test_uid),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_answers),
	};

	return cmocka_run_group_tests_name("scopemsg", tests, NULL, NULL);
}
