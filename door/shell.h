/*
 * shell - opseal-door as somebody's shell in the user database: what it is asked for,
 * and which shell is really his (doc/design/door.md).
 */
#ifndef OPS_DOOR_SHELL_H
#define OPS_DOOR_SHELL_H

#include "door.h"

/* Was it called as a shell is, by this argv, and not with options of its own? */
bool shell_called(char **argv);

/* d: as the caller's own shell, with the words of argv, whose first says whether as a
 * login shell.  d->args is allocated, and stays.  0, or -1: no memory. */
int shell_words(struct door *d, char **argv, struct ops_err *err);

/* d: what sshd's ForceCommand stands for: the command that the client sent, which its
 * environment is then without, or a login shell. */
int shell_forced(struct door *d, struct ops_err *err);

/* The caller's own shell: as SHELL says, but for the door itself; else by the map; else
 * /bin/sh, with a line that says so.  It stays. */
const char *shell_own(const struct door *d);

#endif
