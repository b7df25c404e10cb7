/*
 * capture_mask - secrets in arguments, replaced before they are stored.
 *
 * What is a secret, rules say, a line each ("#" begins a comment).  PROGRAMS are
 * names with commas between; "a+b" is a, if b is among its first arguments.  In a
 * name "*" is any text, upper and lower case are the same, and so are - and _.
 *
 *	option NAME...		what follows --NAME= or, as the next argument, --NAME;
 *				one dash will do
 *	assign NAME...		what follows NAME=: a word, an element of a,b,c, of
 *				?a&b, or a value; and the value of "NAME": in JSON
 *	plain PROGRAMS NAME...	nothing follows these: exceptions from both
 *	short PROGRAMS LETTER [next] [from C]
 *				what follows -LETTER in the same argument; next: in
 *				the next one, too; from: what is behind the first C
 *				in it, and nothing without one
 *	flags PROGRAMS LETTERS	may stand before such a LETTER: -xLETTER
 *	long PROGRAMS NAME [from C]	as option, of these
 *	behind PROGRAMS NAME...	the argument behind NAME, which may be -NAME
 *	bare PROGRAMS NAME from C [to C]
 *				in an argument that is no option, what is behind NAME and
 *				C, up to the last C of `to`; not what begins with @, a
 *				file; * has no = and no @ in it
 *	last PROGRAMS [LETTER]	the last argument, if -LETTER is among the first
 *	runs PROGRAMS [image]	another program and its arguments may be theirs; image:
 *				but no word that may be the value of the option before it
 *	after TEXT		the word that follows TEXT, which goes to the end of the
 *				line of the rule, wherever it stands; a quote that ends
 *				TEXT begins the word
 *	line TEXT		the same, up to the line's end or that of the quotes
 *	prefix TEXT MIN [word]	what follows TEXT at the begin of a word or a value, if
 *				that is at least MIN letters, digits and -._~+/=; word:
 *				MIN of any, to the end of the word, argument or quotes
 *	url			the password in scheme://user:password@host, there, and
 *				a user without one who is too long to be a name
 *	include default		the rules that opseald comes with
 *
 * A shell's command line in one argument is looked at word by word.  Time is in
 * proportion to the length of the arguments.
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

/* The rules that opseald comes with: etc/mask-rules. */
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
