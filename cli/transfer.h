/*
 * transfer - does a program move files to or from another machine, which way, and
 * which?
 *
 * Told from the file that ran and the arguments that the kernel gave it: scp and
 * rsync as sshd starts them, sftp-server, git's two ends.  It is shown, and decides
 * nothing: what is recorded never depends on it.  Who names a program of his own
 * scp, or has a real one read its names from elsewhere, is told of as he names it.
 *
 * Pure: bytes in, struct out.
 *
 * Fuzzed: transfer
 */
#ifndef OPS_CLI_TRANSFER_H
#define OPS_CLI_TRANSFER_H

#include <stdbool.h>

#include "record/program.h"

enum transfer_way {
	TRANSFER_IN = 1, /* to this machine */
	TRANSFER_OUT,
	TRANSFER_BOTH, /* as it is asked, which the arguments don't say */
};

struct transfer {
	enum transfer_way way;
	const char *program; /* "scp", "sftp-server", "rsync", "git" */
	/* Files, folders or a repository, as it was given them: a NUL after
	 * each; of the arguments.  Absent: they don't say. */
	struct event_text names;
};

/* False: it is none of these, and *ret is left alone. */
bool transfer_of(const struct program_exec *e, struct transfer *ret);

/* "in", "out", "in or out" */
const char *transfer_way_name(enum transfer_way way);

#endif
