/*
 * sandbox - what a role gives up for good.
 *
 * All roles but the supervisor are one user, and own the store's folder.  Who took one
 * over could write there in the writer's place; so each can write where its work is.
 * Files are kept from it by Landlock (Linux 5.13), system calls by a seccomp filter.
 *
 *	SANDBOX_SHUT	  It reads below some folders, writes below one, touches no other
 *			  file, and uses no TCP.  It executes nothing, makes no process,
 *			  thread or socket, connects none, and looks into no other process.
 *			  So syslog must be open before; if that starts anew, what the
 *			  role would say is lost.
 *	SANDBOX_NO_WRITE  It makes, changes, renames and removes no file; /dev/null it may
 *			  write.  What it reads and executes isn't restricted, and what it
 *			  executes is in the same sandbox: it can't look into a process that
 *			  isn't, whoever's it is (/proc/PID/fd, exe, ...).
 *	SANDBOX_LOOK	  The same for who must look into others, which Landlock keeps it
 *			  from: the filter refuses to open a file for writing, all calls
 *			  that make, rename or remove one, to execute anything, and to make
 *			  a process.
 *
 * What the kernel lacks is left out; which of both is there is said.
 */
#ifndef OPS_DAEMON_SANDBOX_H
#define OPS_DAEMON_SANDBOX_H

#include <stdbool.h>

#include "base/err.h"

enum sandbox_kind { SANDBOX_SHUT = 1, SANDBOX_NO_WRITE, SANDBOX_LOOK };

struct sandbox {
	enum sandbox_kind kind;
	const char *const *read; /* SHUT: paths, NULL at the end */
	const char *write;       /* SHUT */
	bool files, calls;       /* out: these are restricted */
};

/* After no_new_privs.  -1: the kernel has it and refuses. */
int sandbox_enter(struct sandbox *s, struct ops_err *err);

#endif
