/*
 * setupstate - what `opseal setup` did to the host, and what undoes it.
 *
 *	opseal setup 1
 *	door shell PATH
 *	program HASH		SHA-256 of the door when it was set up
 *	people			all of them, also those that come later
 *	file BEFORE AFTER PATH	SHA-256 as hex, "-": there is none
 *	line 0|1 PATH TEXT	put in by us; 1: the line before it was given its end
 *	swap N PATH OLD NEW	a line of N bytes that was there, and ours in its place
 *	account NAME:UID:SHELL	whose shell is the door now, and what it was in passwd
 *	end
 *
 * A path has no blank in it.  The state is written before anything is changed, so
 * what it names may not be done yet: undoing is by what is there (setupstate_undo()),
 * and what isn't there needs no undoing.  Pure.
 *
 * Fuzzed: setupstate
 */
#ifndef OPS_CLI_SETUPSTATE_H
#define OPS_CLI_SETUPSTATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/crypto.h"
#include "base/err.h"

#define SETUPSTATE_MAX 16777216 /* bytes of the file */
#define SETUPSTATE_ROWS 100000  /* of each kind */
#define SETUPSTATE_PASSWD "/etc/passwd"

struct setup_hash {
	bool there; /* the file is */
	uint8_t hash[OPS_HASH_LEN];
};

struct setup_file {
	const char *path;
	struct setup_hash before, after;
};

struct setup_line {
	const char *path, *text;
	bool was_open;
};

struct setup_swap {
	const char *path, *from, *to;
};

struct setup_account {
	const char *name;
	uint32_t uid;
	const char *shell; /* as in passwd: may be empty */
};

/* All of it belongs to the state; { 0 } is one with nothing in it. */
struct setupstate {
	struct arena *arena;
	const char *kind, *door; /* NULL: nothing is set up */
	bool people;
	struct setup_hash program; /* of the door; !there: not known */
	struct setup_file *files;
	struct setup_line *lines;
	struct setup_swap *swaps;
	struct setup_account *accounts;
	size_t n_files, n_lines, n_swaps, n_accounts;
};

int setupstate_parse(
    const char *p, size_t n, struct setupstate *ret, struct ops_err *err);
void setupstate_put(const struct setupstate *s, struct ops_buf *out);
void setupstate_free(struct setupstate *s); /* and it is { 0 } again */

/* Texts are copied.  OPS_ENOMEM or, for what can't be written down, OPS_EUSAGE. */
int setupstate_door(struct setupstate *s, const char *kind, const char *door,
    struct ops_err *err);
/* One that is there already is put in again. */
int setupstate_add_line(struct setupstate *s, const char *path,
    const char *text, bool was_open, struct ops_err *err);
/* One of the same path and line of ours is there already: nothing is done. */
int setupstate_add_swap(struct setupstate *s, const char *path,
    const char *from, const char *to, struct ops_err *err);
/* One that is there already gets this shell. */
int setupstate_add_account(struct setupstate *s, const char *name, uint32_t uid,
    const char *shell, struct ops_err *err);
int setupstate_set_file(struct setupstate *s, const char *path,
    const struct setup_hash *before, const struct setup_hash *after,
    struct ops_err *err);

const struct setup_file *setupstate_file(
    const struct setupstate *s, const char *path);
const struct setup_account *setupstate_account(
    const struct setupstate *s, const char *name, uint32_t uid);
void setupstate_drop_account(struct setupstate *s, size_t i);
/* The line is in the file no more; that it stood behind one that was given its end goes
 * over to our next. */
void setupstate_drop_line(
    struct setupstate *s, const char *path, const char *text);
/* All that is said of the files in that folder ("/etc/pam.d/"): what was put there is
 * no more. */
void setupstate_drop_folder(struct setupstate *s, const char *folder);
/* The line says something else now, in the same place. */
int setupstate_change_line(struct setupstate *s, const char *path,
    const char *from, const char *to, struct ops_err *err);

void setup_hash_of(bool there, const void *p, size_t n, struct setup_hash *ret);
bool setup_hash_is(const struct setup_hash *a, const struct setup_hash *b);

enum setup_undo {
	UNDO_NOTHING, /* nothing of ours is in it */
	UNDO_CHANGE,  /* out is what it should be */
	UNDO_REMOVE,  /* the file was ours, and is no more than that */
	UNDO_LEAVE,   /* it was ours, but somebody changed it since */
};
/* What path, which holds p[0..n) now, is to be without what is ours.  A file that
 * isn't there has nothing of ours. */
enum setup_undo setupstate_undo(const struct setupstate *s, const char *path,
    const char *p, size_t n, struct ops_buf *out);

#endif
