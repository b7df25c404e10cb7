/*
 * mask_grammar - the rules of capture_mask as it looks them up; capture_mask.h says
 * what each of them means, and has the functions.
 *
 * A rule belongs to its struct mask and lives as long.
 */
#ifndef OPS_DAEMON_MASK_GRAMMAR_H
#define OPS_DAEMON_MASK_GRAMMAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "capture_mask.h"

enum mask_kind {
	MASK_OPTION,
	MASK_ASSIGN,
	MASK_PLAIN,
	MASK_SHORT,
	MASK_LONG,
	MASK_FLAGS,
	MASK_BEHIND,
	MASK_BARE,
	MASK_LAST,
	MASK_RUNS,
	MASK_AFTER,
	MASK_PREFIX,
	MASK_URL,
	MASK_KINDS,
};

#define MASK_BIT(kind) (1u << (kind))

struct mask_rule {
	struct mask_rule *next; /* of its kind, in the order of the file */
	enum mask_kind kind;
	char *programs; /* PROGRAM[+WORD],... or NULL; owned, as text is */
	char *text;     /* NAME, TEXT, LETTERS */
	size_t n;       /* of text */
	char letter;    /* SHORT; LAST, or 0 */
	char
	    from; /* SHORT, LONG, BARE: behind this in the value; 0: all of it */
	char to;  /* BARE: up to the last of this; 0: all */
	bool in_next; /* SHORT */
	bool line;    /* AFTER: to the line's end */
	bool word;    /* PREFIX: to the word's end */
	bool image;   /* RUNS: not what may be the value of an option */
	size_t min;   /* PREFIX */
};

/* A name in a rule's programs, to find what may apply to a program. */
struct mask_program {
	struct mask_program *next;
	const char *pattern; /* in the rule */
	size_t n;
	unsigned kinds; /* MASK_BIT */
};

struct mask {
	struct mask_rule *rules[MASK_KINDS];
	/* By the first letter of the text; of after folded. */
	struct mask_rule *after[256], *prefix[256];
	/* The same of a program's name, folded; 0: those that begin with '*'. */
	struct mask_program *programs[256];
	uint8_t key[MASK_KEY];
};

/* As names are compared: a small letter, and '-' for '_'. */
uint8_t mask_fold(uint8_t c);

/* '*' in the k bytes of the pattern is any text. */
bool mask_fits(const uint8_t *p, size_t n, const char *pattern, size_t k);

#endif
