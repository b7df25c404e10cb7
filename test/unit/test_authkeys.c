#include "check.h"

#include "authkeys.h"
#include "base/bytes.h"

#define KEY "ssh-ed25519 AAAAC3Nz al@laptop\n"
/* clang-format off */
static const struct {
	const char *name, *in, *option;
	unsigned line;
} rows[] = {
	{ "nothing",	"", "", 0 },
	{ "a key",	KEY, "", 0 },
	{ "keys",	"# mine\n\n  " KEY "ecdsa-sha2-nistp256 AAAA x\nsk-ssh-ed25519@openssh.com AAAA\n", "", 0 },
	{ "a command",	KEY "command=\"borg serve\" " KEY, "command", 2 },
	{ "a comma and a blank in it", "command=\"a, ssh-rsa b\",no-pty " KEY, "command", 1 },
	{ "behind a harmless one", "environment=\"A=b c\",restrict " KEY, "restrict", 1 },
	{ "harmless",	"environment=\"A=\\\"b, c\\\"\",expiry-time=\"20301231\",pty " KEY, "", 0 },
	{ "from",	"from=\"10.0.0.0/8\" " KEY, "from", 1 },
	{ "upper case",	"RESTRICT " KEY, "RESTRICT", 1 },
	{ "no pty",	"no-pty " KEY, "no-pty", 1 },
	{ "a CA",	"cert-authority,principals=\"al\" " KEY, "cert-authority", 1 },
	{ "a new option", "hologram=\"yes\" " KEY, "hologram", 1 },
	{ "a command in a comment", "# command=\"x\" " KEY, "", 0 },
	{ "a command in the key's name", "ssh-rsa AAAA command=\"x\"\n", "", 0 },
	{ "no line end", "restrict ssh-rsa AAAA", "restrict", 1 },
	{ "quotes that don't end", "command=\"x " KEY, "command", 1 },
};
/* clang-format on */

static void
test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(rows); i++) {
		size_t n = strlen(rows[i].in);
		char *in = (char *)heap_copy(rows[i].in, n);
		char option[AUTHKEYS_OPTION] = "";

		CHECK(authkeys_restricted(in, n, option) == rows[i].line,
		    rows[i].name, "line");
		CHECK(
		    strcmp(option, rows[i].option) == 0, rows[i].name, option);
		free(in);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
