/*
 * people - /etc/opseal/people: which key or certificate is whose.
 *
 *	# a line a key; what isn't there is nobody's
 *	key        SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU  alice
 *	cert       SHA256:CA...  "alice@example.org"    "Alice Example"
 *	principal  SHA256:CA...  arn:aws:sts::1:role/x  bob
 *
 * cert: the key id, and principal: one of the principals of a certificate that
 * this key signed.  A word in double quotes may have blanks, \" and \\.  The
 * first line that fits counts.  UTF-8; lines end in \n or \r\n; # at the begin
 * of a word, outside of quotes, begins a comment.
 *
 * Pure: the caller reads the file and gives its name for the messages, which
 * name the line as well.
 *
 * Fuzzed: people
 */
#ifndef OPS_PEOPLE_H
#define OPS_PEOPLE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "event.h"
#include "sshkey.h"

#define PEOPLE_MAX 1048576   /* bytes of the file */
#define PEOPLE_LINE_MAX 4096 /* of a line */

/* Whom to look for. */
struct people_key {
	const char *fingerprint;  /* of the key; NULL: none */
	const struct sshkey *key; /* its certificate, or NULL */
	const char *ca;           /* fingerprint of who signed that */
};

/*
 * Read all of it, and find the person: *ret is "" if nobody is named.  -1:
 * OPS_EFORMAT, some line of it is wrong, and nobody is found.  who NULL: only
 * check it.
 */
int people_find(const char *file, const char *p, size_t n,
    const struct people_key *who, char ret[static EVENT_TEXT_MAX + 1],
    struct ops_err *err);

#endif
