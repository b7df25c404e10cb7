/*
 * scopemsg - what is said to systemd to get a scope for a process, and its answer.
 *
 * The D-Bus protocol as far as that takes: on systemd's own socket
 * (/run/systemd/private), where no message bus is needed.  One call a connection:
 * StartTransientUnit with one process.  Pure.
 *
 * Fuzzed: scopemsg
 */
#ifndef OPS_DAEMON_SCOPEMSG_H
#define OPS_DAEMON_SCOPEMSG_H

#include <stdint.h>

#include "base/buf.h"

#define SCOPEMSG_MAX 2048    /* bytes of what is said */
#define SCOPEMSG_HEARD 65536 /* bytes of what is heard until the answer */

/* All that the connection says: who we are, and the call.  unit, about, slice, after,
 * before: texts without control characters, of at most 128 bytes each. */
struct scopemsg {
	uint32_t uid, pid;
	const char *unit;  /* NAME.scope */
	const char *about; /* its description */
	const char *slice;
	const char *after, *before; /* units, by which it is ordered */
};
void scopemsg_put(struct ops_buf *out, const struct scopemsg *m);

enum scopemsg_answer {
	SCOPEMSG_MORE,    /* it isn't whole yet */
	SCOPEMSG_DONE,    /* the job is queued */
	SCOPEMSG_REFUSED, /* it said no, or what isn't D-Bus */
};
/* All that was heard so far; signals in it are passed over. */
enum scopemsg_answer scopemsg_heard(const uint8_t *p, size_t n);

#endif
