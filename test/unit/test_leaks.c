/*
 * In a build with LeakSanitizer a process that says it can't be looked at isn't:
 * what it leaks doesn't end it with an error.
 */
#include "check.h"

#include <stdbool.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/leaks.h"

static void *volatile kept;

/* The exit status of a process that leaks. */
static int
leak(bool unseen)
{
	pid_t pid = fork();
	int status = -1;

	if (pid == 0) {
		if (unseen)
			ops_leaks_unseen();
		kept = malloc(77);
		kept = NULL;
		exit(0);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void
test_unseen(void **state)
{
	(void)state;
#ifdef __SANITIZE_ADDRESS__
	assert_int_not_equal(leak(false), 0); /* else the next shows nothing */
#endif
	assert_int_equal(leak(true), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_unseen) };

	return cmocka_run_group_tests_name("leaks", tests, NULL, NULL);
}
