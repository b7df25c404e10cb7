/*
 * conf - the configuration file: "key = value" lines, checked by a table.
 *
 *	# comment		; comment
 *	[section]
 *	hold_time = 3s		# a comment needs a space before it
 *	shell     = "/bin/my shell"	# \" \\ \n \t inside quotes
 *
 * UTF-8; lines end in \n or \r\n.  What isn't in the table is an error, and so
 * is a key set twice in one file.  Messages name file and line and, for a
 * misspelt key, the likely one.  Pure: the caller reads the file and gives its
 * name for the messages.  Of several files, taken one after another, the last
 * that sets a key counts.
 *
 * Fuzzed: conf
 */
#ifndef OPS_CONF_H
#define OPS_CONF_H

#include <stddef.h>
#include <stdint.h>

#include "err.h"

#define CONF_MAX 1048576    /* bytes of a file */
#define CONF_VALUE_MAX 4096 /* bytes of a value */
#define CONF_KEYS_MAX 128   /* rows of a table */

/* What a value is, and the type of the member it is stored in. */
enum conf_kind {
	CONF_BOOL,     /* bool: yes no, true false, on off, 1 0 */
	CONF_UINT,     /* uint64_t: decimal */
	CONF_SIZE,     /* uint64_t bytes: decimal, then K M G T (of 1024) */
	CONF_DURATION, /* uint64_t ns: as ops_duration_parse() */
	CONF_TEXT,     /* char[max + 1]; min and max are bytes */
	CONF_ENUM,     /* int: the place in names */
};

struct conf_key {
	const char *section; /* NULL: stands before any [section] */
	const char *name;
	enum conf_kind kind;
	uint64_t min, max; /* inclusive; of ENUM and BOOL not looked at */
	size_t offset;     /* of the member in the struct; offsetof() */
	const char *const *names; /* ENUM: its words, NULL at the end */
	/* TEXT: what else it must be; NULL: nothing */
	int (*check)(const char *value, struct ops_err *err);
};

/* One file, as the caller has read it. */
struct conf_file {
	const char *name; /* for messages */
	unsigned number;  /* the caller's, for conf_place; not 0 */
	const char *p;
	size_t n;
};

/* Where the value of a key was set. */
struct conf_place {
	unsigned file; /* its number; 0: nowhere, it is the default */
	unsigned line; /* from 1 */
};

/* Called with each mistake: "FILE:LINE: what". */
struct conf_faults {
	void (*say)(void *arg, const char *text);
	void *arg;
};

/*
 * Parse the file and store what it sets into the struct at ret; other members
 * keep what they hold (the defaults, or what a file before said).  places, if
 * not NULL, has a row for each key: those of the keys that it sets are filled
 * in.  0, or -1 and nothing is stored; err has the first mistake, and faults,
 * if not NULL, hears of all.
 */
int conf_take(const struct conf_file *file, const struct conf_key *keys,
    size_t n_keys, void *ret, struct conf_place *places,
    const struct conf_faults *faults, struct ops_err *err);

/* The same for a single file of which the first mistake is enough. */
int conf_parse(const char *file, const char *p, size_t n,
    const struct conf_key *keys, size_t n_keys, void *ret, struct ops_err *err);

#endif
