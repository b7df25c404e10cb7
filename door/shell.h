/*
 * shell - the door at a login: what it is asked for, and which shell is really the
 * account's (doc/design/door.md).
 */
#ifndef OPS_DOOR_SHELL_H
#define OPS_DOOR_SHELL_H

#include "door.h"

/* d: as the caller's own shell, with the words of argv, whose first says whether as a
 * login shell.  d->args is allocated, and stays.  0, or -1: no memory. */
int shell_words(struct door *d, char **argv, struct ops_err *err);

/* d: what sshd's ForceCommand stands for: the command that the client sent, which its
 * environment is then without, or a login shell. */
int shell_forced(struct door *d, struct ops_err *err);

/* The caller's own shell: as SHELL says, unless d->as_shell, and but for the door
 * itself; else by the map: the line of his uid, else of who logged in, else of
 * everybody; else /bin/sh, with a line that says so.  It stays. */
const char *shell_own(const struct door *d);

#endif
