#include "check.h"

#include "base/bytes.h"
#include "excuse.h"

#define T(s)                                                                   \
	{                                                                      \
		(const uint8_t *)(s), sizeof(s) - 1                            \
	}

/* clang-format off */
static const struct {
	const char *name;
	struct excuse_facts f;
	const char *why; /* a part of it; NULL: none */
} rows[] = {
	{ "nothing is known",	{ .uid = 1000 }, NULL },
	{ "cron",		{ .service = T("cron"), .uid = 1000 }, "a job" },
	{ "su within",		{ .service = T("su"), .uid = 0, .knows_shell = true }, "within another login" },
	{ "sudo -i",		{ .service = T("sudo-i") }, "within another login" },
	{ "not quite cron",	{ .service = T("cron2") }, NULL },
	{ "the user's manager",	{ .service = T("systemd-user") }, "service manager" },
	{ "a manager PAM told nothing of", { .program = T("(systemd)") }, "service manager" },
	{ "a job PAM told nothing of", { .program = T("CRON") }, "a job" },
	/* A name can be chosen: where PAM told of the service, that counts. */
	{ "who calls himself cron", { .service = T("sshd"), .program = T("cron"), .has_ses = true,
		.captured = true, .programs = 3, .knows_shell = true, .door = true }, NULL },
	{ "root's own shell",	{ .service = T("sshd"), .uid = 0, .knows_shell = true }, "root's own shell" },
	{ "root's, who has the door", { .service = T("sshd"), .uid = 0, .knows_shell = true, .door = true,
		.has_ses = true, .captured = true, .programs = 1 }, NULL },
	{ "a person with another shell", { .service = T("sshd"), .uid = 1000, .knows_shell = true,
		.has_ses = true, .captured = true }, NULL },
	{ "no program",		{ .service = T("sshd"), .uid = 1000, .knows_shell = true, .door = true,
		.has_ses = true, .captured = true }, "no program was started" },
	{ "none as yet",	{ .service = T("sshd"), .uid = 1000, .fresh = true, .has_ses = true,
		.captured = true }, "not to be said yet" },
	{ "a program",		{ .service = T("sshd"), .uid = 1000, .knows_shell = true, .door = true,
		.has_ses = true, .captured = true, .programs = 1 }, NULL },
	{ "none that capture could see", { .service = T("sshd"), .uid = 1000, .has_ses = true }, NULL },
	{ "no audit session",	{ .service = T("sshd"), .uid = 1000, .captured = true }, NULL },
};
/* clang-format on */

static void
test_excuses(void **state)
{
	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(rows); i++) {
		const char *why = excuse_of(&rows[i].f);

		CHECK((why != NULL) == (rows[i].why != NULL), rows[i].name,
		    why != NULL ? why : "none");
		CHECK(why == NULL || strstr(why, rows[i].why) != NULL,
		    rows[i].name, why);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_excuses) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
