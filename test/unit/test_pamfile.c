#include "check.h"

#include "base/bytes.h"
#include "pamfile.h"

#define LINE "X optional pam_x.so"
#define DEBIAN                                                                 \
	"account [success=1 default=ignore] pam_unix.so\n"                     \
	"account required pam_permit.so\n"                                     \
	"# end of pam-auth-update config\n"
#define FEDORA                                                                 \
	"#%PAM-1.0\nauth include password-auth\naccount required "             \
	"pam_nologin.so\nsession include password-auth\n"

/* clang-format off */
static const struct {
	const char *name, *in;
	unsigned wrong;
	const char *kind, *out;
} rows[] = {
	{ "debian",	DEBIAN, 0, "account", DEBIAN LINE "\n" },
	{ "fedora's account", FEDORA, 0, "account",
	    "#%PAM-1.0\nauth include password-auth\n" LINE "\naccount required "
	    "pam_nologin.so\nsession include password-auth\n" },
	{ "fedora's session", FEDORA, 0, "session", FEDORA LINE "\n" },
	{ "may be missing", "-session optional pam_systemd.so\n", 0, "session",
	    "-session optional pam_systemd.so\n" LINE "\n" },
	{ "an include",	"@include common-account\n", 0, "account", LINE "\n@include common-account\n" },
	{ "goes on",	"session required \\\npam_x.so a=b\n", 0, "session",
	    "session required \\\npam_x.so a=b\n" LINE "\n" },
	{ "nothing",	"", 0, "account", LINE "\n" },
	{ "no line end", "session required pam_a.so", 0, "session", "session required pam_a.so\n" LINE "\n" },
	{ "no kind",	"# x\nsessions required pam_a.so\n", 2, "session",
	    "# x\nsessions required pam_a.so\n" LINE "\n" },
	{ "no module",	"session required\n", 1, "session", "session required\n" LINE "\n" },
	{ "no file",	"@include\n", 1, "session", "@include\n" LINE "\n" },
};
/* clang-format on */

static void
test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(rows); i++) {
		size_t n = strlen(rows[i].in);
		char *in = (char *)heap_copy(rows[i].in, n);
		struct ops_buf out = { .max = 1000 };
		bool open;

		CHECK(pamfile_wrong(in, n) == rows[i].wrong, rows[i].name,
		    "wrong");
		open = pamfile_add(in, n, rows[i].kind, LINE, &out);
		CHECK(
		    open == (n > 0 && in[n - 1] != '\n'), rows[i].name, "open");
		ops_buf_put8(&out, 0);
		CHECK(strcmp((char *)out.data, rows[i].out) == 0, rows[i].name,
		    (char *)out.data);
		ops_buf_free(&out);
		free(in);
	}
}

/* clang-format off */
static const struct {
	const char *name, *in;
	bool has;
} modules[] = {
	{ "there",		"session optional pam_x.so\n", true },
	{ "with arguments",	"session optional pam_x.so a b\n", true },
	{ "by its path",	"session optional /lib/security/pam_x.so\n", true },
	{ "may be missing",	"-session\t[default=ignore success=ok]\tpam_x.so\n", true },
	{ "another kind",	"account optional pam_x.so\n", false },
	{ "another module",	"session optional pam_xx.so\n", false },
	{ "a comment",		"#session optional pam_x.so\n", false },
	{ "an argument",	"session optional pam_y.so pam_x.so\n", false },
};
/* clang-format on */

static void
test_has(void **state)
{
	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(modules); i++)
		CHECK(pamfile_has(modules[i].in, strlen(modules[i].in),
			  "session", "pam_x.so") == modules[i].has,
		    modules[i].name, "has");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_has),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
