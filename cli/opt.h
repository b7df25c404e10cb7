/*
 * opt - options of a command line, as a table.
 *
 * A row says how an option is written, what it is for, and where its value
 * goes; the parser (over getopt_long(3)), the help text and the completion
 * all read the same rows.
 */
#ifndef OPS_CLI_OPT_H
#define OPS_CLI_OPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/err.h"

#define OPT_MAX 48 /* rows of both tables together */

/* What it takes, and the type of the member its value goes to. */
enum opt_kind {
	OPT_FLAG,     /* nothing: bool */
	OPT_TEXT,     /* const char *; of several the last counts */
	OPT_LIST,     /* struct opt_list: all of several */
	OPT_ONCE,     /* const char *; a second one is an error */
	OPT_COUNT,    /* unsigned, 1.. */
	OPT_TIME,     /* uint64_t, ns since the epoch; as ops_time_parse() */
	OPT_DURATION, /* uint64_t ns; as ops_duration_parse() */
	OPT_SPEED,    /* double, 0..1000 */
};

#define OPT_LIST_MAX 256
struct opt_list {
	const char *v[OPT_LIST_MAX];
	size_t n;
};

struct opt {
	const char *name; /* without the dashes; NULL ends the table */
	char letter;      /* 0: none */
	enum opt_kind kind;
	const char *arg;   /* what it is called in the help; NULL for a flag */
	const char *help;  /* one line, no full stop */
	size_t offset;     /* of the value's member */
	size_t seen;       /* of a bool set when it was given; 0: none */
	const char *words; /* all that it can be, spaces between; or NULL */
};

/* A table and the struct that its values go to; either may be NULL. */
struct opt_set {
	const struct opt *opts;
	void *values;
};

/*
 * Parse argv[1..] by both tables; the rest is left in argv[*rest..argc).
 * in_order: stop at the first argument that is no option.  OPS_EUSAGE with
 * one line that names the option, and the likely one for a misspelt one.
 */
int opt_parse(int argc, char **argv, const struct opt_set set[2], bool in_order,
    int *rest, struct ops_err *err);

/* One line an option: "  -u, --user NAME   sessions of NAME". */
void opt_help(FILE *out, const struct opt *opts);

/* The word of words[0..n) that name most likely stands for, or NULL. */
const char *opt_nearest(const char *name, const char *const *words, size_t n);

#endif
