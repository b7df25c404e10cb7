/*
 * opseal-shell: the door as an account's shell in the user database
 * (doc/design/door.md).
 *
 * A program of its own, without an option that does anything: su(1) lets its caller choose all words
 * but the first, so what the door's options do would be his to say.
 */
#include <string.h>

#include "base/shellmap.h"
#include "door.h"
#include "shell.h"

int
main(int argc, char **argv)
{
	static struct door d;
	struct ops_err err = { 0 };

	/* opseal setup asks whether it can be executed at all.  Nothing is run by
	 * it, so it is nobody's way around. */
	if (argc == 2 && strcmp(argv[1], DOOR_RUNS) == 0)
		return 0;
	if (door_begin(&d) < 0)
		return DOOR_EXIT_TROUBLE;
	d.at_login = d.as_shell = true;
	if (shell_words(&d, argv, &err) < 0) {
		door_say("opseal-shell: nothing was run: %s", err.msg);
		return DOOR_EXIT_TROUBLE;
	}
	return door_run(&d);
}
