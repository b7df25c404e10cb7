/*
 * said - the notes of a session in words and in JSON, one after another beside its
 * records.  Their texts are claimed, and escaped here.
 */
#ifndef OPS_CLI_SAID_H
#define OPS_CLI_SAID_H

#include <stdint.h>

#include "base/buf.h"
#include "store/remarks.h"
#include "store/session.h"

struct said {
	const struct session *s;
	const struct remark_list *l;
	size_t next;
};

/* The next one that was said until this moment (ns since the session began), and when:
 * NULL, there is none. */
const struct remark_seen *said_next(
    struct said *x, uint64_t until, uint64_t *offset);

/* "note (claimed): TEXT", with who wrote it where that isn't the session's user. */
void said_put(
    struct ops_buf *out, const struct session *s, const struct remark_seen *r);
/* One JSON object and a newline, as describe_record_json(). */
void said_json(
    const struct session *s, const struct remark_seen *r, struct ops_buf *out);

#endif
