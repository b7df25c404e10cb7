#include "check.h"

#include "base/bytes.h"
#include "transfer.h"

/* clang-format off */
#define A(s) s, sizeof(s) /* with the last NUL */
static const struct {
	const char *name, *exe, *args;
	size_t n;
	const char *program;
	enum transfer_way way;
	const char *names; /* with | for the NULs between */
} rows[] = {
	{ "scp to here", "/usr/bin/scp", A("scp\0-t\0/tmp"), "scp", TRANSFER_IN, "/tmp" },
	{ "as sshd starts it", "/usr/bin/scp", A("scp\0-v\0-r\0-p\0-d\0-t\0--\0-x"), "scp", TRANSFER_IN, "-x" },
	{ "scp from here", "/usr/bin/scp", A("scp\0-f\0a b\0c"), "scp", TRANSFER_OUT, "a b|c" },
	{ "together", "/usr/bin/scp", A("scp\0-rpt\0."), "scp", TRANSFER_IN, "." },
	{ "no name", "/usr/bin/scp", A("scp\0-t"), "scp", TRANSFER_IN, NULL },
	{ "an empty name", "/usr/bin/scp", A("scp\0-t\0"), "scp", TRANSFER_IN, "" },
	{ "the client", "/usr/bin/scp", A("scp\0-oBatchMode=yes\0a\0h:b"), NULL, 0, NULL },
	{ "and its value", "/usr/bin/scp", A("scp\0-i\0-t\0a\0h:b"), NULL, 0, NULL },
	{ "both ends", "/usr/bin/scp", A("scp\0-t\0-f\0a"), NULL, 0, NULL },
	{ "behind the names", "/usr/bin/scp", A("scp\0a\0-t"), NULL, 0, NULL },
	{ "called otherwise", "/usr/bin/scp", A("ls\0-t\0x"), "scp", TRANSFER_IN, "x" },
	{ "another program", "/usr/bin/ls", A("scp\0-t\0x"), NULL, 0, NULL },
	{ "its name is longer", "/usr/bin/scpx", A("scp\0-t\0x"), NULL, 0, NULL },
	{ "sftp-server", "/usr/lib/openssh/sftp-server", A("/usr/lib/openssh/sftp-server"), "sftp-server", TRANSFER_BOTH, NULL },
	{ "rsync to here", "/usr/bin/rsync", A("rsync\0--server\0-logDtpre.iLsfxCIvu\0--delete\0.\0dir/"), "rsync", TRANSFER_IN, "dir/" },
	{ "rsync from here", "/usr/bin/rsync", A("rsync\0--server\0--sender\0-logDtpre\0.\0a\0b"), "rsync", TRANSFER_OUT, "a|b" },
	{ "names are sent apart", "/usr/bin/rsync", A("rsync\0--server\0--sender\0-s"), "rsync", TRANSFER_OUT, NULL },
	{ "a local rsync", "/usr/bin/rsync", A("rsync\0-a\0x\0y"), NULL, 0, NULL },
	{ "a push", "/usr/bin/git", A("git-receive-pack\0r.git"), "git", TRANSFER_IN, "r.git" },
	{ "a fetch", "/usr/bin/git", A("git-upload-pack\0--strict\0r.git"), "git", TRANSFER_OUT, "r.git" },
	{ "in two words", "/usr/bin/git", A("git\0upload-pack\0r.git"), "git", TRANSFER_OUT, "r.git" },
	{ "by its path", "/usr/lib/git-core/git-upload-pack", A("/usr/bin/git-upload-pack\0r"), "git", TRANSFER_OUT, "r" },
	{ "another git", "/usr/bin/git", A("git\0commit\0r.git"), NULL, 0, NULL },
	{ "git alone", "/usr/bin/git", A("git"), NULL, 0, NULL },
	{ "no arguments", "/usr/bin/scp", "", 0, NULL, 0, NULL },
	{ "the last has no end", "/usr/bin/scp", "scp\0-t\0/tmp", 10, "scp", TRANSFER_IN, "/tm" },
};
/* clang-format on */

static void
test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(rows); i++) {
		uint8_t *args = heap_copy(rows[i].args, rows[i].n);
		const struct program_exec e = {
			.exe = { (const uint8_t *)rows[i].exe,
			    strlen(rows[i].exe) },
			.args = { args, rows[i].n }
		};
		struct transfer t = { 0 };
		bool is = transfer_of(&e, &t);
		char names[64] = "";

		CHECK(is == (rows[i].program != NULL), rows[i].name, "is it");
		if (is) {
			CHECK(strcmp(t.program, rows[i].program) == 0,
			    rows[i].name, t.program);
			CHECK(t.way == rows[i].way, rows[i].name,
			    transfer_way_name(t.way));
			CHECK((t.names.p != NULL) == (rows[i].names != NULL),
			    rows[i].name, "names");
		}
		for (size_t k = 0; k < t.names.n; k++)
			if (k + 1 < t.names.n || t.names.p[k] != '\0')
				names[k] =
				    (char)(t.names.p[k] == '\0' ? '|'
								: t.names.p[k]);
		CHECK(!is || rows[i].names == NULL ||
			  strcmp(names, rows[i].names) == 0,
		    rows[i].name, names);
		free(args);
	}
}

/* What couldn't be read may be anything. */
static void
test_holes(void **state)
{
	static const uint8_t hole[PROGRAM_HOLE_LEN] = { 1 };
	const struct program_exec e = {
		.exe = { (const uint8_t *)"/usr/bin/scp", 12 },
		.args = { (const uint8_t *)"scp\0-t\0/tmp", 12 },
		.holes = { hole, sizeof(hole) }
	};
	struct transfer t = { .program = "as it was" };

	(void)state;
	assert_false(transfer_of(&e, &t));
	assert_string_equal(t.program, "as it was");
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_rows),
		cmocka_unit_test(test_holes) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
