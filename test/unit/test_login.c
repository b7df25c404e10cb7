#include "check.h"

#include "base/bytes.h"
#include "record/body.h"
#include "record/cbor.h"
#include "record/login.h"
#include "record/record.h"

#define T(s)                                                                   \
	{                                                                      \
		(const uint8_t *)(s), sizeof(s) - 1                            \
	}

/* Every member another value, so that no two can be mixed up. */
static const struct login all = {
	.auid = 1001,
	.ses = 70000,
	.pid = 3,
	.start = 1ull << 40,
	.uid = 1005,
	.user = T("ec2-user"),
	.service = T("sshd"),
	.from = T("192.0.2.7"),
	.tty = T("ssh"),
	.method = T("publickey,password"),
	.key = T("SHA256:key"),
	.type = T("ssh-ed25519-cert-v01@openssh.com"),
	.cert_id = T("alice@corp"),
	.serial = UINT64_MAX,
	.ca = T("SHA256:ca"),
	.principals = T("ec2-user\0admin"),
	.comment = T("alice@\xff"),
	.person = T("Alice"),
	.how = LOGIN_MAP,
	.realtime = 17,
};
static const struct login least = { .auid = EVENT_UNSET, .ses = EVENT_UNSET };

static const struct logout out_all = {
	.auid = 1001,
	.ses = 70000,
	.pid = 3,
	.start = 4,
	.user = T("ec2-user"),
	.service = T("sshd"),
	.has_bytes = true,
	.bytes_in = 7,
	.bytes_out = UINT64_MAX,
	.realtime = 9,
};
static const struct logout out_least = { .ses = EVENT_UNSET };

static bool
same_text(struct event_text a, struct event_text b)
{
	return (a.p == NULL) == (b.p == NULL) && a.n == b.n &&
	       (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static bool
same(const struct login *a, const struct login *b)
{
	return a->auid == b->auid && a->ses == b->ses && a->pid == b->pid &&
	       a->start == b->start && a->uid == b->uid &&
	       same_text(a->user, b->user) &&
	       same_text(a->service, b->service) &&
	       same_text(a->from, b->from) && same_text(a->tty, b->tty) &&
	       same_text(a->method, b->method) && same_text(a->key, b->key) &&
	       same_text(a->type, b->type) &&
	       same_text(a->cert_id, b->cert_id) && a->serial == b->serial &&
	       same_text(a->ca, b->ca) &&
	       same_text(a->principals, b->principals) &&
	       same_text(a->comment, b->comment) &&
	       same_text(a->person, b->person) && a->how == b->how &&
	       a->realtime == b->realtime;
}

static bool
same_out(const struct logout *a, const struct logout *b)
{
	return a->auid == b->auid && a->ses == b->ses && a->pid == b->pid &&
	       a->start == b->start && same_text(a->user, b->user) &&
	       same_text(a->service, b->service) &&
	       a->has_bytes == b->has_bytes && a->bytes_in == b->bytes_in &&
	       a->bytes_out == b->bytes_out && a->realtime == b->realtime;
}

static void
test_login(void **state)
{
	const struct login *rows[] = { &all, &least };

	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(rows); i++) {
		struct ops_buf b = { .max = RECORD_PAYLOAD_MAX };
		struct login got = { .uid = 99 };

		login_put(&b, rows[i]);
		assert_false(b.failed);
		assert_true(ops_all_zero(b.data, OPS_ID_LEN));
		/* Every cut is refused and leaves the output alone. */
		for (size_t n = 0; n < b.len; n++) {
			uint8_t *cut = heap_copy(b.data, n);

			assert_int_equal(login_get(cut, n, &got, NULL), -1);
			assert_int_equal(got.uid, 99);
			free(cut);
		}
		assert_int_equal(login_get(b.data, b.len, &got, NULL), 0);
		assert_true(same(&got, rows[i]));
		ops_buf_put8(&b, 0);
		assert_int_equal(login_get(b.data, b.len, &got, NULL), -1);
		ops_buf_free(&b);
	}
}

static void
test_logout(void **state)
{
	const struct logout *rows[] = { &out_all, &out_least };

	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(rows); i++) {
		struct ops_buf b = { .max = RECORD_PAYLOAD_MAX };
		struct logout got = { .pid = 99 };

		logout_put(&b, rows[i]);
		assert_false(b.failed);
		for (size_t n = 0; n < b.len; n++) {
			assert_int_equal(logout_get(b.data, n, &got, NULL), -1);
			assert_int_equal(got.pid, 99);
		}
		assert_int_equal(logout_get(b.data, b.len, &got, NULL), 0);
		assert_true(same_out(&got, rows[i]));
		ops_buf_free(&b);
	}
}

/* A person without how he is known, and the other way round. */
static void
test_half(void **state)
{
	struct login bad[] = { all, all, least };

	(void)state;
	bad[0].how = LOGIN_NOBODY;
	bad[1].person = (struct event_text){ 0 };
	bad[2].how = LOGIN_FINGERPRINT;
	for (size_t i = 0; i < OPS_ARRAY_LEN(bad); i++) {
		struct ops_buf b = { .max = RECORD_PAYLOAD_MAX };
		struct login got = { .uid = 99 };
		struct ops_err err = { 0 };

		login_put(&b, &bad[i]);
		assert_int_equal(login_get(b.data, b.len, &got, &err), -1);
		assert_int_equal(err.code, OPS_EFORMAT);
		assert_int_equal(got.uid, 99);
		ops_buf_free(&b);
	}
}

/* The longest of everything still is one record. */
static void
test_longest(void **state)
{
	static uint8_t x[LOGIN_PRINCIPALS_MAX + 1];
	const struct event_text t = { x, sizeof(x) };
	struct login l = all, got;
	struct ops_buf b = { .max = RECORD_PAYLOAD_MAX };

	(void)state;
	memset(x, 'x', sizeof(x));
	l.user = l.service = l.from = l.tty = l.method = l.key = l.type = t;
	l.cert_id = l.ca = l.principals = l.comment = l.person = t;
	login_put(&b, &l);
	assert_false(b.failed);
	assert_int_equal(login_get(b.data, b.len, &got, NULL), 0);
	assert_int_equal(got.principals.n, LOGIN_PRINCIPALS_MAX);
	assert_int_equal(got.person.n, EVENT_TEXT_MAX);
	ops_buf_free(&b);
}

static void
test_names(void **state)
{
	(void)state;
	assert_string_equal(login_how_name(LOGIN_MAP), "map");
	assert_string_equal(login_how_name(LOGIN_COMMENT), "comment");
	assert_string_equal(login_how_name(LOGIN_FINGERPRINT), "fingerprint");
	assert_null(login_how_name(LOGIN_NOBODY));
	assert_null(login_how_name(LOGIN_HOWS));
	assert_null(login_how_name(UINT32_MAX));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_login),
		cmocka_unit_test(test_logout),
		cmocka_unit_test(test_half),
		cmocka_unit_test(test_longest),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
