#include "check.h"

#include "capture_mask.h"

static struct mask *m;

/* Arguments joined by '|'; what is masked stands as <N> in the answer. */
static char *
masked(const char *joined)
{
	static char text[1024];
	uint8_t args[512];
	struct ops_buf out = { .max = 4096 };
	size_t n = strlen(joined) + 1, at = 0;

	memcpy(args, joined, n);
	for (size_t i = 0; i < n; i++)
		args[i] = args[i] == '|' ? 0 : args[i];
	(void)mask_args(m, args, n, &out);
	assert_false(out.failed);
	for (size_t i = 0; i < out.len; i++) {
		const char *p = (const char *)out.data + i;
		unsigned long len;
		char *end;

		if (out.len - i > 8 && memcmp(p, "[masked ", 8) == 0) {
			len = strtoul(p + 8, &end, 10);
			assert_int_equal(*end, ' ');
			assert_int_equal(end[13], ']');
			at += (size_t)snprintf(
			    text + at, sizeof(text) - at, "<%lu>", len);
			i += (size_t)(end + 13 - p);
		} else {
			text[at] = *p;
			if (*p == 0)
				text[at] = '|';
			at++;
		}
	}
	text[at - 1] = '\0'; /* for the last NUL */
	ops_buf_free(&out);
	return text;
}

static void
test_rules(void **state)
{
	static const struct {
		const char *args, *want;
	} rows[] = {
		{ "ls|-l", "ls|-l" },
		{ "x|--password=hunter2", "x|--password=<7>" },
		{ "x|--password=two words", "x|--password=<9>" },
		{ "x|--PassWord=h", "x|--PassWord=<1>" },
		{ "x|--password|hunter2|y", "x|--password|<7>|y" },
		{ "x|--password|--verbose", "x|--password|--verbose" },
		{ "x|--password||y", "x|--password||y" },
		{ "x|-password|h|y", "x|-password|<1>|y" },
		{ "x|--passwordless=1", "x|--passwordless=1" },
		{ "mysql|-psecret|db", "mysql|-p<6>|db" },
		{ "/usr/bin/mysql|-u|root|-psecret",
		    "/usr/bin/mysql|-u|root|-p<6>" },
		{ "mysql|-p|db", "mysql|-p|db" },
		{ "tar|-psecret", "tar|-psecret" },
		{ "sshpass|-p|secret|ssh|h", "sshpass|-p|<6>|ssh|h" },
		{ "curl|-u|me:pw|http://h/", "curl|-u|<5>|http://h/" },
		{ "env|PGPASSWORD=x y|psql", "env|PGPASSWORD=<3>|psql" },
		{ "env|AWS_SECRET_ACCESS_KEY=abc|cmd",
		    "env|AWS_SECRET_ACCESS_KEY=<3>|cmd" },
		{ "git|clone|https://me:tok@host/x",
		    "git|clone|https://me:<3>@host/x" },
		{ "git|clone|https://me:t@k@host/x",
		    "git|clone|https://me:<3>@host/x" },
		{ "x|--proxy=http://me:pw@h/|URL=db://me:pwd@h",
		    "x|--proxy=http://me:<2>@h/|URL=db://me:<3>@h" },
		{ "git|clone|https://host:80/a@b",
		    "git|clone|https://host:80/a@b" },
		{ "curl|-H|Authorization: Bearer abc.def",
		    "curl|-H|Authorization: Bearer <7>" },
		{ "x|AKIAIOSFODNN7EXAMPLE", "x|AKIA<16>" },
		{ "x|AKIASHORT", "x|AKIASHORT" },
		{ "openssl|rsa|-passin|pass:abc",
		    "openssl|rsa|-passin|pass:<3>" },
		{ "sh|-c|mysql -psecret db; ls -l",
		    "sh|-c|mysql -p<6> db; ls -l" },
		{ "sh|-c|PASSWORD=abc make all",
		    "sh|-c|PASSWORD=<3> make all" },
		{ "sh|-c|x --password 'a b' y", "sh|-c|x --password <5> y" },
		{ "sh|-c|x --password=\"a b\" y", "sh|-c|x --password=<5> y" },
		{ "ssh|host|mysql -psecret", "ssh|host|mysql -p<6>" },
		{ "su|-c|curl -u me:pw http://h",
		    "su|-c|curl -u <5> http://h" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(masked(rows[i].args), rows[i].want);
}

static size_t
token(const uint8_t key[MASK_KEY], const char *args, size_t n, char out[256])
{
	struct ops_buf b = { .max = 4096 };
	size_t count;

	mask_key(m, key);
	count = mask_args(m, (const uint8_t *)args, n, &b);
	assert_in_range(b.len, 1, 255);
	memcpy(out, b.data, b.len);
	out[b.len] = 0;
	ops_buf_free(&b);
	return count;
}

/* Equal secrets look equal, others don't, and who hasn't the key can't try. */
static void
test_hash(void **state)
{
	static const char one[] = "x\0--token=abc", two[] = "x\0--token=abd";
	const uint8_t key[MASK_KEY] = { 1 }, other[MASK_KEY] = { 2 };
	char a[256], b[256];

	(void)state;
	assert_int_equal(token(key, one, sizeof(one), a), 1);
	assert_int_equal(token(key, one, sizeof(one), b), 1);
	assert_string_equal(a + 2, b + 2);
	assert_int_equal(token(key, two, sizeof(two), b), 1);
	assert_string_not_equal(a + 2, b + 2);
	assert_int_equal(token(other, one, sizeof(one), b), 1);
	assert_string_not_equal(a + 2, b + 2);
}

static void
test_bad_rules(void **state)
{
	static const char *const bad[] = { "nothing here", "option", "assign ",
		"short mysql", "short mysql pp", "short mysql p after",
		"prefix AKIA", "prefix AKIA x", "prefix AKIA 0", "after  " };
	struct ops_err err;
	struct mask *none;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char text[64];

		snprintf(text, sizeof(text), "url\n%s\n", bad[i]);
		assert_int_equal(
		    mask_new("rules", text, strlen(text), &none, &err), -1);
		assert_non_null(strstr(err.msg, "rules, line 2"));
	}
	assert_int_equal(mask_new("rules", "# only\n\n", 8, &none, &err), 0);
	mask_free(none);
}

static int
setup(void **state)
{
	(void)state;
	return mask_new("default", mask_default_rules,
	    strlen(mask_default_rules), &m, NULL);
}

static int
teardown(void **state)
{
	(void)state;
	mask_free(m);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_hash),
		cmocka_unit_test(test_bad_rules),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
