#include "check.h"

#include "base/bytes.h"
#include "sshdconf.h"

#define USUAL                                                                  \
	"port 22\nusepam yes\nchrootdirectory none\nforcecommand none\n"       \
	"authorizedkeyscommand none\ntrustedusercakeys none\n"                 \
	"subsystem sftp /usr/lib/openssh/sftp-server\n"

/* clang-format off */
static const struct {
	const char *name, *in, *why;
} refusals[] = {
	{ "usual",	USUAL, NULL },
	{ "nothing",	"", NULL },
	{ "the door",	"forcecommand /door --forced\n", NULL },
	{ "like the door", "forcecommand /door2 --forced\n", "ForceCommand" },
	{ "forced",	"forcecommand /bin/menu\n", "ForceCommand" },
	{ "chroot",	USUAL "chrootdirectory /srv\n", NULL }, /* the first counts */
	{ "shut in",	"chrootdirectory /srv/%u\n", "ChrootDirectory" },
	{ "keys by command", "authorizedkeyscommand /usr/bin/sss_ssh_authorizedkeys\n", "AuthorizedKeysCommand" },
	{ "a CA",	"trustedusercakeys /etc/ssh/ca.pub\n", "TrustedUserCAKeys" },
	{ "internal-sftp", "subsystem sftp internal-sftp -l INFO\n", "internal-sftp" },
};
/* clang-format on */

static void
test_refusals(void **state)
{
	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(refusals); i++) {
		char reason[SSHDCONF_VALUE] = "";
		size_t n = strlen(refusals[i].in);
		char *in = (char *)heap_copy(refusals[i].in, n);
		bool refused = sshdconf_refuses(in, n, "/door", reason);

		CHECK(refused == (refusals[i].why != NULL), refusals[i].name,
		    "refused");
		CHECK(!refused || strstr(reason, refusals[i].why) != NULL,
		    refusals[i].name, reason);
		free(in);
	}
}

#define FOLDER "/etc/ssh/sshd_config.d"
/* clang-format off */
static const struct {
	const char *name, *in, *out;
} withs[] = {
	{ "usual",	"# x\nInclude " FOLDER "/*.conf\nPort 22\n",
	    "# x\nInclude /new\nInclude " FOLDER "/*.conf\nPort 22\n" },
	{ "written otherwise", "include=\"" FOLDER "/*.conf\"\n", "Include /new\ninclude=\"" FOLDER "/*.conf\"\n" },
	{ "none",	"Port 22\n", NULL },
	{ "a comment",	"#Include " FOLDER "/*.conf\n", NULL },
	{ "another",	"Include /etc/ssh/other/*.conf\n", NULL },
	{ "for some",	"Match User al\nInclude " FOLDER "/*.conf\n", NULL },
};
/* clang-format on */

static void
test_with(void **state)
{
	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(withs); i++) {
		struct ops_buf out = { .max = 1000 };
		bool rc = sshdconf_with(
		    withs[i].in, strlen(withs[i].in), FOLDER, "/new", &out);

		ops_buf_put8(&out, 0);
		CHECK(rc == (withs[i].out != NULL), withs[i].name, "found");
		CHECK(
		    strcmp((char *)out.data,
			withs[i].out != NULL ? withs[i].out : withs[i].in) == 0,
		    withs[i].name, (char *)out.data);
		ops_buf_free(&out);
	}
}

/* clang-format off */
static const struct {
	const char *name, *in, *to;
} sftps[] = {
	{ "usual",	"Port 22\nSubsystem sftp internal-sftp\n", "Subsystem sftp /s" },
	{ "options, blanks", "  subsystem\tsftp  internal-sftp\t-l INFO ", "  subsystem\tsftp  /s\t-l INFO " },
	{ "with =",	"Subsystem=sftp internal-sftp\n", "Subsystem=sftp /s" },
	{ "a program",	"Subsystem sftp /usr/lib/sftp-server\n", NULL },
	{ "another",	"Subsystem files internal-sftp\n", NULL },
	{ "a comment",	"#Subsystem sftp internal-sftp\n", NULL },
	{ "quoted",	"Subsystem sftp \"internal-sftp\"\n", NULL },
	{ "no program",	"Subsystem sftp\n", NULL },
	{ "longer",	"Subsystem sftp internal-sftp2\n", NULL },
};
static const struct {
	const char *in;
	bool shut;
} shuts[] = {
	{ "", false }, { "ChrootDirectory none\n", false }, { "ChrootDirectory NONE", false },
	{ "#ChrootDirectory /srv\n", false }, { "ChrootDirectoryX /srv\n", false },
	{ "Match User x\n\tchrootdirectory=/srv\n", true },
	{ "ChrootDirectory none\nMatch all\nChrootDirectory %h\n", true }, { "ChrootDirectory", true },
};
/* clang-format on */

static void
test_sftp(void **state)
{
	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(sftps); i++) {
		size_t n = strlen(sftps[i].in);
		char *in = (char *)heap_copy(sftps[i].in, n);
		struct ops_buf to = { .max = 1000 };
		struct textline l;
		bool is = sshdconf_sftp(in, n, "/s", &l, &to);

		CHECK(is == (sftps[i].to != NULL), sftps[i].name, "is it");
		CHECK(!is || (to.len == strlen(sftps[i].to) &&
				 memcmp(to.data, sftps[i].to, to.len) == 0),
		    sftps[i].name, "the line");
		CHECK(!is || l.n + 2 - strlen("internal-sftp") == to.len,
		    sftps[i].name, "what it was");
		ops_buf_free(&to);
		free(in);
	}
	for (size_t i = 0; i < OPS_ARRAY_LEN(shuts); i++)
		CHECK(sshdconf_shuts_in(shuts[i].in, strlen(shuts[i].in)) ==
			  shuts[i].shut,
		    shuts[i].in, "shut in");
}

static void
test_include(void **state)
{
	static const char in[] =
	    "Include a \"b\"\tc\n#Include no\nPort 22\ninclude=d\nInclude\n"
	    "Match all\n Include e ";
	static const char *const want[] = { "a", "b", "c", "d", "e" };
	char value[SSHDCONF_VALUE];
	size_t at = 0, n = 0;

	(void)state;
	while (sshdconf_include(in, sizeof(in) - 1, &at, value)) {
		assert_true(n < OPS_ARRAY_LEN(want));
		assert_string_equal(value, want[n++]);
	}
	assert_int_equal(n, OPS_ARRAY_LEN(want));
}

static void
test_names(void **state)
{
	static const char *const good[] = { "al", "a.b-c_d", "HOST$", "x1" };
	static const char *const bad[] = { "", "!al", "a*", "a,b", "a b", "-a",
		"a?", "DOM\\al", "\"a", "a@b", "al\n" };

	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(good); i++)
		CHECK(sshdconf_is_name(good[i]), good[i], "good");
	for (size_t i = 0; i < OPS_ARRAY_LEN(bad); i++)
		CHECK(!sshdconf_is_name(bad[i]), bad[i], "bad");
}

static void
test_put(void **state)
{
	static const char *const names[] = { "al", "bo" };
	struct ops_buf out = { .max = 1000 };

	(void)state;
	sshdconf_put(&out, "/door", names, 2);
	ops_buf_put8(&out, 0);
	assert_string_equal((char *)out.data,
	    "# By opseal setup --door force; opseal unsetup removes it.\n"
	    "Match User al,bo\n"
	    "\tForceCommand /door --forced\n");
	ops_buf_free(&out);
}

static void
test_next(void **state)
{
	static const char in[] = "# Subsystem sftp no\nPort 22\n\n"
				 "subsystem sftp internal-sftp\n"
				 "Match Group x\n\tSubsystem=b c";
	char *p = (char *)heap_copy(in, sizeof(in) - 1);
	char value[SSHDCONF_VALUE];
	unsigned line = 0;
	size_t at = 0;

	(void)state;
	assert_true(
	    sshdconf_next(p, sizeof(in) - 1, &at, &line, "Subsystem", value));
	assert_int_equal(line, 4);
	assert_string_equal(value, "sftp internal-sftp");
	assert_true(
	    sshdconf_next(p, sizeof(in) - 1, &at, &line, "Subsystem", value));
	assert_int_equal(line, 6);
	assert_string_equal(value, "b c");
	assert_false(
	    sshdconf_next(p, sizeof(in) - 1, &at, &line, "Subsystem", value));
	free(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_with),
		cmocka_unit_test(test_sftp),
		cmocka_unit_test(test_include),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_put),
		cmocka_unit_test(test_next),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
