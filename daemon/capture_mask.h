/*
 * capture_mask - secrets in arguments, replaced before they are stored.
 *
 * What is a secret, rules say, a line each ("#" begins a comment):
 *
 *	option NAME...		what follows --NAME= or, as an argument of its
 *				own, --NAME; one dash will do
 *	short PROGRAM LETTER	what follows -LETTER in the same argument, if argv[0]
 *				is PROGRAM
 *	short PROGRAM LETTER next	in the next argument, too
 *	assign PATTERN...	what follows NAME=, where NAME fits: a word in which
 *				* is any text
 *	after TEXT		the word that follows TEXT, to the end of the line
 *				of the rule, wherever it stands
 *	prefix TEXT MIN		what follows TEXT at the begin of a word or behind
 *				its =, if that
 *				is at least MIN letters, digits and -._~+/=
 *	url			the password in scheme://user:password@host, there
 *
 * Letters are the same in upper and lower case, but for LETTER and prefix.  A
 * shell's command line in one argument is looked at word by word.
 *
 * In its place stands "[masked N H]": N its length in bytes, H 12 hex digits of
 * HMAC-SHA-256 with the key, so that equal secrets are still seen to be equal.
 *
 * Pure: no I/O, no clock.
 *
 * Fuzzed: capture_mask
 */
#ifndef OPS_DAEMON_CAPTURE_MASK_H
#define OPS_DAEMON_CAPTURE_MASK_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define MASK_RULES_MAX 65536 /* bytes of them */
#define MASK_KEY 32

struct mask;

/* The rules that opseald comes with. */
extern const char mask_default_rules[];

/* name: of the file, for messages.  OPS_EFORMAT: a line that is no rule. */
int mask_new(const char *name, const char *rules, size_t n, struct mask **ret,
    struct ops_err *err);
void mask_free(struct mask *m); /* NULL is fine */
void mask_key(struct mask *m, const uint8_t key[static MASK_KEY]);

/* Append the n bytes of arguments at p, each ended by NUL, to out.  How many
 * secrets were replaced.  out->failed: no memory. */
size_t mask_args(
    const struct mask *m, const uint8_t *p, size_t n, struct ops_buf *out);

#endif
