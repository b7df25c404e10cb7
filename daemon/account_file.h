/*
 * account_file - the files that the kernel's accounting is written to, as the
 * capture role reads them: RUN/account/<10 digits>, of opseal, mode 0600.
 *
 * The supervisor (account_switch.h) makes them.  The kernel appends to the one
 * with the highest number; those before it are complete.  They are read one
 * after the other.  What is done with is overwritten with zeros, so that who
 * reads after a crash goes on there, and a file that is complete and done with
 * is removed.
 */
#ifndef OPS_DAEMON_ACCOUNT_FILE_H
#define OPS_DAEMON_ACCOUNT_FILE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "record/acct.h"

#define ACCOUNT_DIR "account" /* below RUN */
#define ACCOUNT_STATE "state" /* in it: a line of text, whether it is on */
#define ACCOUNT_NAME_LEN 10
#define ACCOUNT_STATE_MAX 200

struct account_file {
	int dir, fd; /* -1: not open */
	uint64_t number;
	off_t at, done, zeroed; /* read, done with, and overwritten until */
};

/* The number that a file of this name has; 0: it is none. */
uint64_t account_number(const char *name);
void account_name(uint64_t number, char out[static ACCOUNT_NAME_LEN + 1]);
/* The lowest and the highest number in the folder; both 0: none. */
void account_numbers(int dir, uint64_t *lowest, uint64_t *highest);

/* OPS_ENOENT: no accounting was ever switched on in this RUN. */
int account_file_open(
    const char *run, struct account_file *ret, struct ops_err *err);
void account_file_close(struct account_file *f);
/* What the supervisor says of it; "" if nothing. */
void account_file_state(
    const struct account_file *f, char out[static ACCOUNT_STATE_MAX]);

/* Read the next record.  1: *ret.  0: nothing more now.  -1: what is there is
 * no record, and passed over. */
int account_file_next(
    struct account_file *f, struct acct_record *ret, struct ops_err *err);
/* The oldest of the records that were read is done with; all: everything that
 * was read, with what is no record. */
void account_file_done(struct account_file *f, bool all);
/* What is done with is safe until there: forget it, and go on to the next file
 * if nothing is left of this one. */
void account_file_forget(struct account_file *f, off_t upto);
/* There is no file behind this one. */
bool account_file_is_last(const struct account_file *f);

#endif
