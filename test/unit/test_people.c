#include "check.h"

#include "base/bytes.h"
#include "record/people.h"

#define KEY "SHA256:1ho+G6LXogTAYeYst68H52myN2schLK5ag0M2bpW5Qg"
#define CA "SHA256:X0M+3klUsR+EaC6xiG6CxRMyjRfpAKxIt8X2nkPFEpI"
#define OTHER "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU"

/* Its key id is "id ed25519", its principals are root and ec2-user. */
static const char cert[] =
    "AAAAIHNzaC1lZDI1NTE5LWNlcnQtdjAxQG9wZW5zc2guY29tAAAAIPhLTgne"
    "kMpH+pUUNHtJTQxqTLx+g6OgT5dgx6XjzOgwAAAAILBGmI2dg/+/fML64HjS"
    "xDlZPkRcPpJMf9POv8mE2WbhAAAAAAAAAE0AAAABAAAACmlkIGVkMjU1MTkA"
    "AAAUAAAABHJvb3QAAAAIZWMyLXVzZXIAAAAAAAAAAP//////////AAAAAAAA"
    "AIIAAAAVcGVybWl0LVgxMS1mb3J3YXJkaW5nAAAAAAAAABdwZXJtaXQtYWdl"
    "bnQtZm9yd2FyZGluZwAAAAAAAAAWcGVybWl0LXBvcnQtZm9yd2FyZGluZwAA"
    "AAAAAAAKcGVybWl0LXB0eQAAAAAAAAAOcGVybWl0LXVzZXItcmMAAAAAAAAA"
    "AAAAADMAAAALc3NoLWVkMjU1MTkAAAAgKkGwINzEEuMJgZ2dIki/rQD9ivkx"
    "6o3y2Ru6qoaRCPoAAABTAAAAC3NzaC1lZDI1NTE5AAAAQBG1sHSQ6HWQN71z"
    "BX4Qq7wiMEF6v6SXmAIbgXXtRGEvdn5b2Z4oVeYb6O9Dm5noecUjvb0Dsavn"
    "nwcucmnEOgU=";

struct whom {
	struct people_key plain, cert;
	struct sshkey key;
	uint8_t blob[4096];
};

static void
make(struct whom *w)
{
	ssize_t n = ops_unbase64(cert, strlen(cert), w->blob, sizeof(w->blob));

	assert_true(n > 0);
	assert_int_equal(sshkey_parse(w->blob, (size_t)n, &w->key, NULL), 0);
	w->plain = (struct people_key){ .fingerprint = KEY };
	w->cert = (struct people_key){ KEY, &w->key, CA };
}

static const struct {
	const char *name, *file, *plain, *cert;
} good[] = {
	{ "empty", "", "", "" },
	{ "comments", "# x\n\n  # \"\n\t\r\n", "", "" },
	{ "key", "key " KEY " alice\n", "alice", "alice" },
	{ "another's", "key " OTHER " bob\n", "", "" },
	{ "no end", "key " KEY " alice", "alice", "alice" },
	{ "quoted", "key\t" KEY "  \"Alice \\\"A\\\" \\\\\" # hers\r\n",
	    "Alice \"A\" \\", "Alice \"A\" \\" },
	{ "number sign", "key " KEY " a#b\n", "a#b", "a#b" },
	{ "the first", "key " KEY " one\nkey " KEY " two\n", "one", "one" },
	{ "cert", "cert " CA " \"id ed25519\" carol\n", "", "carol" },
	{ "of another CA", "cert " OTHER " \"id ed25519\" carol\n", "", "" },
	{ "another id", "cert " CA " \"id ed2551\" carol\n", "", "" },
	{ "principal", "principal " CA " ec2-user dave\n", "", "dave" },
	{ "part of one", "principal " CA " ec2-use dave\n", "", "" },
	{ "mixed", "cert " CA " x y\nprincipal " CA " root r\nkey " KEY " k\n",
	    "k", "r" },
	{ "UTF-8", "key " KEY " \xe3\x83\x9f\xe3\x82\xad\n",
	    "\xe3\x83\x9f\xe3\x82\xad", "\xe3\x83\x9f\xe3\x82\xad" },
};

static void
test_good(void **state)
{
	struct whom w;

	(void)state;
	make(&w);
	for (size_t i = 0; i < OPS_ARRAY_LEN(good); i++) {
		const char *row = good[i].name;
		size_t n = strlen(good[i].file);
		char *file = (char *)heap_copy(good[i].file, n);
		char found[EVENT_TEXT_MAX + 1];
		struct ops_err err = { 0 };

		CHECK(people_find("f", file, n, &w.plain, found, &err) == 0,
		    row, err.msg);
		CHECK(strcmp(found, good[i].plain) == 0, row, found);
		CHECK(people_find("f", file, n, &w.cert, found, &err) == 0, row,
		    err.msg);
		CHECK(strcmp(found, good[i].cert) == 0, row, found);
		CHECK(people_find("f", file, n, NULL, found, &err) == 0, row,
		    err.msg);
		CHECK(found[0] == '\0', row, "found for nobody");
		free(file);
	}
}

#define GOOD_LINE "key " KEY " alice\n"
static const struct {
	const char *file, *error;
} bad[] = {
	{ "keys " KEY " a\n",
	    "f:1: a line begins with key, cert or principal" },
	{ GOOD_LINE "\nkey " KEY "\n",
	    "f:3: it is to be: key FINGERPRINT NAME" },
	{ "cert " CA " x\n",
	    "f:1: it is to be: cert CA-FINGERPRINT KEY-ID NAME" },
	{ "key " KEY " a b c\n", "f:1: more words than it takes" },
	{ "key " KEY " a b\n", "f:1: it is to be: key FINGERPRINT NAME" },
	{ "key MD5:00 a\n",
	    "f:1: no fingerprint as ssh-keygen -l prints it (SHA256:...)" },
	{ "key " KEY "= a\n",
	    "f:1: no fingerprint as ssh-keygen -l prints it (SHA256:...)" },
	{ "key SHA256: a\n",
	    "f:1: no fingerprint as ssh-keygen -l prints it (SHA256:...)" },
	{ "key " KEY " \"a\n", "f:1: a quote that isn't closed" },
	{ "key " KEY " \"a\"b\n", "f:1: something behind a quote" },
	{ "key " KEY " a\"b\n", "f:1: a quote within a word" },
	{ "key " KEY " \"\"\n", "f:1: an empty word" },
	{ "key " KEY " \"a\\n\"\n",
	    "f:1: a backslash before something else than a quote or a "
	    "backslash" },
	{ "key " KEY " a\x1b[2J\n", "f:1: characters that can't be shown" },
	{ "key " KEY " \xff\n", "f:1: characters that can't be shown" },
	{ "key " KEY " a\xe2\x80\xae\n",
	    "f:1: characters that can't be shown" },
};

static void
test_bad(void **state)
{
	struct whom w;

	(void)state;
	make(&w);
	for (size_t i = 0; i < OPS_ARRAY_LEN(bad); i++) {
		const char *row = bad[i].error;
		char found[EVENT_TEXT_MAX + 1] = "as it was";
		struct ops_err err = { 0 };

		CHECK(people_find("f", bad[i].file, strlen(bad[i].file),
			  &w.plain, found, &err) == -1,
		    row, "taken");
		CHECK(err.code == OPS_EFORMAT, row, "code");
		CHECK(strcmp(err.msg, bad[i].error) == 0, row, err.msg);
		CHECK(strcmp(found, "as it was") == 0, row, "touched");
	}
}

static void
test_limits(void **state)
{
	static char file[PEOPLE_MAX + 1];
	char found[EVENT_TEXT_MAX + 1];
	const char head[] = "key " KEY " ";
	struct whom w;
	struct ops_err err = { 0 };

	(void)state;
	make(&w);
	memset(file, 'x', sizeof(file));
	memcpy(file, head, strlen(head));
	assert_int_equal(people_find("f", file, strlen(head) + EVENT_TEXT_MAX,
			     &w.plain, found, &err),
	    0);
	assert_int_equal(strlen(found), EVENT_TEXT_MAX);
	assert_int_equal(
	    people_find("f", file, strlen(head) + EVENT_TEXT_MAX + 1, &w.plain,
		found, &err),
	    -1);
	assert_string_equal(err.msg, "f:1: a name of more than 256 bytes");
	assert_int_equal(
	    people_find("f", file, PEOPLE_LINE_MAX + 1, &w.plain, found, &err),
	    -1);
	assert_string_equal(err.msg, "f:1: a line of more than 4096 bytes");
	memset(file, '\n', sizeof(file));
	assert_int_equal(
	    people_find("f", file, PEOPLE_MAX, &w.plain, found, &err), 0);
	assert_int_equal(
	    people_find("f", file, PEOPLE_MAX + 1, &w.plain, found, &err), -1);
	assert_string_equal(err.msg, "f: more than 1048576 bytes");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
