/*
 * opseal-shell: the door as an account's shell in the user database
 * (doc/design/door.md).
 *
 * A program of its own, without an option: su(1) lets its caller choose all words
 * but the first, so what the door's options do would be his to say.
 */
#include "door.h"
#include "shell.h"

int
main(int argc, char **argv)
{
	static struct door d;
	struct ops_err err = { 0 };

	(void)argc;
	if (door_begin(&d) < 0)
		return DOOR_EXIT_TROUBLE;
	d.at_login = d.as_shell = d.run_anyway = true;
	if (shell_words(&d, argv, &err) < 0) {
		door_say("opseal-shell: nothing was run: %s", err.msg);
		return DOOR_EXIT_TROUBLE;
	}
	return door_run(&d);
}
