#include "check.h"

#include "base/bytes.h"
#include "record/sshkey.h"

/* Made by OpenSSH 9.2's ssh-keygen, which also said the fingerprints. */
#define CA "SHA256:X0M+3klUsR+EaC6xiG6CxRMyjRfpAKxIt8X2nkPFEpI"
/* clang-format off */
static const struct {
	const char *type, *id, *base64, *fingerprint;
	bool cert;
} keys[] = {
	{ "ssh-ed25519", "",
		"AAAAC3NzaC1lZDI1NTE5AAAAILBGmI2dg/+/fML64HjSxDlZPkRcPpJMf9PO"
		"v8mE2Wbh",
		"SHA256:1ho+G6LXogTAYeYst68H52myN2schLK5ag0M2bpW5Qg", false },
	{ "ssh-ed25519-cert-v01@openssh.com", "id ed25519",
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
		"nwcucmnEOgU=",
		"SHA256:1ho+G6LXogTAYeYst68H52myN2schLK5ag0M2bpW5Qg", true },
	{ "ecdsa-sha2-nistp256", "",
		"AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBE4ehvgU"
		"wPhxhAfoM0l6pt7utjFhLfmoEcXzYtkCSlI+NaZ6QefIyThOVbV69Ge5Kok1"
		"xvFn+KbspGh/usPecdc=",
		"SHA256:+lIVzMTbz7MzsREQD4hKteeCY5H0HGn+InEYZLeFSRA", false },
	{ "ecdsa-sha2-nistp256-cert-v01@openssh.com", "id ecdsa",
		"AAAAKGVjZHNhLXNoYTItbmlzdHAyNTYtY2VydC12MDFAb3BlbnNzaC5jb20A"
		"AAAgjVkRkNMfsd4bbEnFN+ArjuiAboLWmQeaf+iq8DKJIK0AAAAIbmlzdHAy"
		"NTYAAABBBE4ehvgUwPhxhAfoM0l6pt7utjFhLfmoEcXzYtkCSlI+NaZ6QefI"
		"yThOVbV69Ge5Kok1xvFn+KbspGh/usPecdcAAAAAAAAATQAAAAEAAAAIaWQg"
		"ZWNkc2EAAAAUAAAABHJvb3QAAAAIZWMyLXVzZXIAAAAAAAAAAP//////////"
		"AAAAAAAAAIIAAAAVcGVybWl0LVgxMS1mb3J3YXJkaW5nAAAAAAAAABdwZXJt"
		"aXQtYWdlbnQtZm9yd2FyZGluZwAAAAAAAAAWcGVybWl0LXBvcnQtZm9yd2Fy"
		"ZGluZwAAAAAAAAAKcGVybWl0LXB0eQAAAAAAAAAOcGVybWl0LXVzZXItcmMA"
		"AAAAAAAAAAAAADMAAAALc3NoLWVkMjU1MTkAAAAgKkGwINzEEuMJgZ2dIki/"
		"rQD9ivkx6o3y2Ru6qoaRCPoAAABTAAAAC3NzaC1lZDI1NTE5AAAAQBr6TW8I"
		"fAVzO5Yakd+lgVv9jxvrEK30qTws/EN1mAd4J3NICXvca7LaSsox3S9DeRYR"
		"pxv2MSIoI7T7AdQzNQ8=",
		"SHA256:+lIVzMTbz7MzsREQD4hKteeCY5H0HGn+InEYZLeFSRA", true },
	{ "ssh-rsa", "",
		"AAAAB3NzaC1yc2EAAAADAQABAAABgQCy18ECNry1hYePg2PnWaDKzqzY+7ns"
		"k7x2ndq2tagp0eOqxZXgzjbiXXhMpHXs6pBcaRm2Ecf4wts16wtSqB3xHrNW"
		"dyfGJEGyxy/NTabVP9fBQ9q4IBijvtbktJRAWeRFleepRHQOQHgc9ei1TmFI"
		"ZCFyJs/DH1xkXtqscMWq7BG/JD33EbwwfEwS3kd17bWemKKlul1HUdunu1pu"
		"/T/NKPGfj0oFdZcoww5zHMTVWW9gbKsHwmKbX7ax/gpSQlSoQzoWZMbqJgu9"
		"jP6py7Aog/5LNga1bTxdeIuZvVd4U8pQ2OYxrVfBBg3jbEmb3/B+JirPAgvB"
		"bo11v/GMS089evvy1/LQpCo4dfYvOS1iYkIeEYUt04ELPYrsl+Fsj3r6wXh1"
		"C1ZclmipJMNZHys3ADo48rKmmfxAo6N2a8i20/o4tN6fQ4lJvfX7ZO5ADgXs"
		"2YxnAO3JQOR+qod3KrQBQ6BZnN/oJ+LWTQb8jWY0CzN6eVLpQwqIPOI1lQrv"
		"Ci0=",
		"SHA256:jxPSky0672AEcHxYaWvpJ40R8l4xDgsM/q4RRwMrzZE", false },
	{ "ssh-rsa-cert-v01@openssh.com", "id rsa",
		"AAAAHHNzaC1yc2EtY2VydC12MDFAb3BlbnNzaC5jb20AAAAgTWeD19Hi9MQg"
		"ahxFRmIcL+f18pT+9Ygx3zEG+W+eCawAAAADAQABAAABgQCy18ECNry1hYeP"
		"g2PnWaDKzqzY+7nsk7x2ndq2tagp0eOqxZXgzjbiXXhMpHXs6pBcaRm2Ecf4"
		"wts16wtSqB3xHrNWdyfGJEGyxy/NTabVP9fBQ9q4IBijvtbktJRAWeRFleep"
		"RHQOQHgc9ei1TmFIZCFyJs/DH1xkXtqscMWq7BG/JD33EbwwfEwS3kd17bWe"
		"mKKlul1HUdunu1pu/T/NKPGfj0oFdZcoww5zHMTVWW9gbKsHwmKbX7ax/gpS"
		"QlSoQzoWZMbqJgu9jP6py7Aog/5LNga1bTxdeIuZvVd4U8pQ2OYxrVfBBg3j"
		"bEmb3/B+JirPAgvBbo11v/GMS089evvy1/LQpCo4dfYvOS1iYkIeEYUt04EL"
		"PYrsl+Fsj3r6wXh1C1ZclmipJMNZHys3ADo48rKmmfxAo6N2a8i20/o4tN6f"
		"Q4lJvfX7ZO5ADgXs2YxnAO3JQOR+qod3KrQBQ6BZnN/oJ+LWTQb8jWY0CzN6"
		"eVLpQwqIPOI1lQrvCi0AAAAAAAAATQAAAAEAAAAGaWQgcnNhAAAAFAAAAARy"
		"b290AAAACGVjMi11c2VyAAAAAAAAAAD//////////wAAAAAAAACCAAAAFXBl"
		"cm1pdC1YMTEtZm9yd2FyZGluZwAAAAAAAAAXcGVybWl0LWFnZW50LWZvcndh"
		"cmRpbmcAAAAAAAAAFnBlcm1pdC1wb3J0LWZvcndhcmRpbmcAAAAAAAAACnBl"
		"cm1pdC1wdHkAAAAAAAAADnBlcm1pdC11c2VyLXJjAAAAAAAAAAAAAAAzAAAA"
		"C3NzaC1lZDI1NTE5AAAAICpBsCDcxBLjCYGdnSJIv60A/Yr5MeqN8tkbuqqG"
		"kQj6AAAAUwAAAAtzc2gtZWQyNTUxOQAAAECJfe5oneJ+b0ZI2LpO355HgDy6"
		"5zXFMF/9N9aAVn/cEaYtDdYVdiyFcn7A5ugVFUTRBYDvmLfipMRm4VWt+NcD",
		"SHA256:jxPSky0672AEcHxYaWvpJ40R8l4xDgsM/q4RRwMrzZE", true },
	{ "ssh-dss", "",
		"AAAAB3NzaC1kc3MAAACBAKQ/HkJiruG/q8i32jid6IbJcnZMbf0nmZGJ8Jdq"
		"9j/L26mWGSqLmhAJ2zkLRLgKYWY2RVI8PUxX54ISAwRzIGrlcJ7o2CsE1sjH"
		"0nNvy+xCwaa0JgY2b1TBDlMII01qYi1N3CJ5SfU/Cji0EJuOrUU3ONWfwC0O"
		"m4qQxob3yQBtAAAAFQDmTT7AZvmnJx6Tk3fB++M4G1vifwAAAIB7KoyCHX1g"
		"PRHMvHapGFZ7B+LPE9hhc43RT001z4ghSFptYRw7YFrW+4yZ2AxxlFhAdL8p"
		"0mUvSStoud2WtXhWfMKB6gUugSLpAcFrK46Uf87PrYg4GppO6Pr5hxgwAIwb"
		"DNtAn7fKUK6IQgxE0vgWQrC+5pkzLdUp38/NOe9bDAAAAIAoAUfLW8NJqy4A"
		"wv4ljOz7ZcGRIU3xKV6aRnz5gl8tciegadJeZ436QK3Z6aElrCK8J8lF/7ne"
		"6I3PB99bh9Dz42iw2TMwh+J6oveVuzfBtGPX/PfwPf3uqKsZo0iT9zoJeOKy"
		"0KXyM1+gXzwqTWqNIzcs8OJ8in21wsw5fM9J7A==",
		"SHA256:onISE8ldP6T2KM1dsNBffGCioRxAdJ4Ha7ZM6nSTha0", false },
	{ "ssh-dss-cert-v01@openssh.com", "id dsa",
		"AAAAHHNzaC1kc3MtY2VydC12MDFAb3BlbnNzaC5jb20AAAAg+2qOjJMGuGhw"
		"oazzlIPVGGCvi34AwtGpoAt+kk6VH7oAAACBAKQ/HkJiruG/q8i32jid6IbJ"
		"cnZMbf0nmZGJ8Jdq9j/L26mWGSqLmhAJ2zkLRLgKYWY2RVI8PUxX54ISAwRz"
		"IGrlcJ7o2CsE1sjH0nNvy+xCwaa0JgY2b1TBDlMII01qYi1N3CJ5SfU/Cji0"
		"EJuOrUU3ONWfwC0Om4qQxob3yQBtAAAAFQDmTT7AZvmnJx6Tk3fB++M4G1vi"
		"fwAAAIB7KoyCHX1gPRHMvHapGFZ7B+LPE9hhc43RT001z4ghSFptYRw7YFrW"
		"+4yZ2AxxlFhAdL8p0mUvSStoud2WtXhWfMKB6gUugSLpAcFrK46Uf87PrYg4"
		"GppO6Pr5hxgwAIwbDNtAn7fKUK6IQgxE0vgWQrC+5pkzLdUp38/NOe9bDAAA"
		"AIAoAUfLW8NJqy4Awv4ljOz7ZcGRIU3xKV6aRnz5gl8tciegadJeZ436QK3Z"
		"6aElrCK8J8lF/7ne6I3PB99bh9Dz42iw2TMwh+J6oveVuzfBtGPX/PfwPf3u"
		"qKsZo0iT9zoJeOKy0KXyM1+gXzwqTWqNIzcs8OJ8in21wsw5fM9J7AAAAAAA"
		"AABNAAAAAQAAAAZpZCBkc2EAAAAUAAAABHJvb3QAAAAIZWMyLXVzZXIAAAAA"
		"AAAAAP//////////AAAAAAAAAIIAAAAVcGVybWl0LVgxMS1mb3J3YXJkaW5n"
		"AAAAAAAAABdwZXJtaXQtYWdlbnQtZm9yd2FyZGluZwAAAAAAAAAWcGVybWl0"
		"LXBvcnQtZm9yd2FyZGluZwAAAAAAAAAKcGVybWl0LXB0eQAAAAAAAAAOcGVy"
		"bWl0LXVzZXItcmMAAAAAAAAAAAAAADMAAAALc3NoLWVkMjU1MTkAAAAgKkGw"
		"INzEEuMJgZ2dIki/rQD9ivkx6o3y2Ru6qoaRCPoAAABTAAAAC3NzaC1lZDI1"
		"NTE5AAAAQOGcpztD0cm0/qXDYKr11saAPMVGkfsWMkdY0rfv6NZcpf/Sx+LF"
		"J2N4caBgYkSnFE+rMaey8+MIBG7F5JTnqA8=",
		"SHA256:onISE8ldP6T2KM1dsNBffGCioRxAdJ4Ha7ZM6nSTha0", true },
};
/* clang-format on */

struct blob {
	uint8_t p[4096];
	size_t n;
};

static void
decode(const char *base64, struct blob *b)
{
	ssize_t n = ops_unbase64(base64, strlen(base64), b->p, sizeof(b->p));

	assert_true(n > 0);
	b->n = (size_t)n;
}

static bool
is(struct event_text t, const char *s)
{
	return t.n == strlen(s) && memcmp(t.p, s, t.n) == 0;
}

static void
check_cert(const struct sshkey *k, const char *row, const char *id)
{
	char ca[SSHKEY_FINGERPRINT_SIZE];
	struct event_text t;

	CHECK(is(k->id, id), row, "key id");
	CHECK(k->serial == 77, row, "serial");
	sshkey_hash(k->ca.p, k->ca.n, ca);
	CHECK(strcmp(ca, CA) == 0, row, ca);
	CHECK(sshkey_principal(k, 0, &t) && is(t, "root"), row, "principal");
	CHECK(sshkey_principal(k, 1, &t) && is(t, "ec2-user"), row, "second");
	CHECK(!sshkey_principal(k, 2, &t), row, "more principals");
}

static void
test_keys(void **state)
{
	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(keys); i++) {
		const char *row = keys[i].type;
		char fingerprint[SSHKEY_FINGERPRINT_SIZE];
		struct sshkey k;
		struct blob b;

		decode(keys[i].base64, &b);
		CHECK(sshkey_parse(b.p, b.n, &k, NULL) == 0, row, "refused");
		CHECK(is(k.type, keys[i].type), row, "type");
		CHECK(k.is_cert == keys[i].cert, row, "certificate or not");
		sshkey_fingerprint(&k, b.p, b.n, fingerprint);
		CHECK(strcmp(fingerprint, keys[i].fingerprint) == 0, row,
		    fingerprint);
		if (k.is_cert)
			check_cert(&k, row, keys[i].id);
	}
}

/* Every cut of a certificate, and a byte more, is refused. */
static void
test_cuts(void **state)
{
	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(keys); i++) {
		struct sshkey k = { .serial = 99 };
		struct blob b;

		if (!keys[i].cert)
			continue;
		decode(keys[i].base64, &b);
		for (size_t n = 0; n <= b.n + 1; n++) {
			uint8_t *cut = heap_copy(b.p, n);

			if (n != b.n) {
				CHECK(sshkey_parse(cut, n, &k, NULL) == -1,
				    keys[i].type, "a cut is taken");
				CHECK(k.serial == 99, keys[i].type, "touched");
			}
			free(cut);
		}
	}
}

/* One of a host lets nobody in. */
static void
test_host(void **state)
{
	struct ops_err err = { 0 };
	struct sshkey k;
	struct blob b;
	size_t at;

	(void)state;
	decode(keys[1].base64, &b);
	assert_int_equal(sshkey_parse(b.p, b.n, &k, NULL), 0);
	at = (size_t)(k.id.p - b.p) - 8; /* in front of the id's length */
	assert_int_equal(ops_getbe32(b.p + at), 1);
	ops_putbe32(b.p + at, 2);
	assert_int_equal(sshkey_parse(b.p, b.n, &k, &err), -1);
	assert_string_equal(err.msg, "certificate: not of a user");
}

static const struct {
	const char *name, *in, *methods, *type, *key;
} infos[] = {
	{ "nothing", "", "", NULL, NULL },
	{ "password", "password\n", "password", NULL, NULL },
	{ "without an end", "password", "password", NULL, NULL },
	{ "a key", "publickey ssh-ed25519 AAAA\n", "publickey", "ssh-ed25519",
	    "AAAA" },
	{ "two", "publickey t k1 x\npassword\npublickey t k2\n",
	    "publickey,password,publickey", "t", "k1" },
	{ "password first", "keyboard-interactive/pam\npublickey t k\n",
	    "keyboard-interactive/pam,publickey", "t", "k" },
	{ "a host's", "hostbased t k\n", "hostbased", NULL, NULL },
	{ "half a key", "publickey ssh-ed25519\n", "publickey", NULL, NULL },
	{ "empty lines", "\n \n\npassword\n", "password", NULL, NULL },
};

static void
test_auth(void **state)
{
	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(infos); i++) {
		const char *row = infos[i].name;
		struct sshauth a;

		CHECK(sshauth_parse(
			  infos[i].in, strlen(infos[i].in), &a, NULL) == 0,
		    row, "refused");
		CHECK(strcmp(a.methods, infos[i].methods) == 0, row, a.methods);
		CHECK((a.key.p == NULL) == (infos[i].key == NULL), row, "key");
		if (infos[i].key != NULL) {
			CHECK(is(a.key, infos[i].key), row, "which key");
			CHECK(is(a.type, infos[i].type), row, "which type");
		}
	}
}

/* Methods that don't fit are left out whole. */
static void
test_methods_end(void **state)
{
	char in[64 * 11 + 1] = "";
	struct sshauth a;

	(void)state;
	for (size_t i = 0; i < 64; i++)
		memcpy(in + i * 11, "abcdefghij\n", 12);
	assert_int_equal(sshauth_parse(in, strlen(in), &a, NULL), 0);
	assert_int_equal((strlen(a.methods) + 1) % 11, 0);
	assert_true(strlen(a.methods) > SSHAUTH_METHODS - 11);
}

static const struct {
	const char *name, *file, *comment;
} comments[] = {
	{ "plain", "ssh-ed25519 KEY alice@x\n", "alice@x" },
	{ "with blanks", "ssh-ed25519\tKEY   Alice of  Acme \t\r\n",
	    "Alice of  Acme" },
	{ "options", "restrict,command=\"a b\" ssh-ed25519 KEY al\n", "al" },
	{ "quotes in options", "command=\"a \\\" ssh-rsa KEY\" t KEY me\n",
	    "me" },
	{ "none", "ssh-ed25519 KEY\n", NULL },
	{ "only blanks", "ssh-ed25519 KEY  \n", NULL },
	{ "another's", "ssh-ed25519 KEY2 bob\nssh-rsa KE eve\n", NULL },
	{ "behind others", "# KEY x\n\nt OTHER bob\nt KEY carol", "carol" },
	{ "the first counts", "t KEY one\nt KEY two\n", "one" },
	{ "commented out", "#t KEY one\n # t KEY two\n", NULL },
	{ "within a command", "command=\"x KEY y\" t K2 bob\n", NULL },
	{ "empty", "", NULL },
};

static void
test_comments(void **state)
{
	const struct event_text key = { (const uint8_t *)"KEY", 3 };

	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(comments); i++) {
		const char *row = comments[i].name;
		size_t n = strlen(comments[i].file);
		char *file = (char *)heap_copy(comments[i].file, n);
		struct event_text t;
		bool found = sshkey_comment(file, n, key, &t);

		CHECK(found == (comments[i].comment != NULL), row, "found");
		if (found)
			CHECK(is(t, comments[i].comment), row, "what");
		free(file);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_cuts),
		cmocka_unit_test(test_host),
		cmocka_unit_test(test_auth),
		cmocka_unit_test(test_methods_end),
		cmocka_unit_test(test_comments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
