/*
 * offswitch - is recording switched off?  STORE/switch says so beyond the end of the
 * daemon and of the machine's run.
 *
 * It is the payload of a DAEMON record (record/event.h): of the DAEMON_OFF that is in
 * force.  No file: recording is on.  It is made once the record is durable, by the
 * writer, or by `opseal off` where no daemon runs, which writes the log itself then.
 * It is a hint, which spares a start the look into the log: whoever runs as the log's
 * user can write it, so nobody goes by it unless the log says the same (switchlog.h).
 * It is no part of the log: it is in no backup, and no proof depends on it.
 *
 * Fuzzed: offswitch
 */
#ifndef OPS_OFFSWITCH_H
#define OPS_OFFSWITCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "vfs.h"

#define OFFSWITCH_FILE "switch"
#define OFFSWITCH_MAX 2048   /* bytes of the file */
#define OFFSWITCH_REASON 200 /* bytes of a reason */
#define OFFSWITCH_NAME 64    /* bytes kept of a name */
#define OFFSWITCH_BY (2 * OFFSWITCH_NAME + 16)

struct offswitch {
	bool off;
	uint64_t realtime; /* when, CLOCK_REALTIME ns */
	bool has_who;
	uint32_t uid, auid; /* who; EVENT_UNSET: nobody logged in */
	char user[OFFSWITCH_NAME + 1], login[OFFSWITCH_NAME + 1];
	char reason[OFFSWITCH_REASON + 1]; /* off: never empty */
};

/* Is it one line that can be shown as it is?  OPS_EUSAGE: why not. */
int offswitch_check_reason(const char *p, size_t n, struct ops_err *err);

/* Append the payload; pid is whose record it becomes, 0: nobody's. */
void offswitch_put(struct ops_buf *b, const struct offswitch *s, uint32_t pid);
/* OPS_EFORMAT, and *ret is untouched: it is no such payload. */
int offswitch_get(
    const uint8_t *p, size_t n, struct offswitch *ret, struct ops_err *err);

/* Do both say the very same? */
bool offswitch_same(const struct offswitch *a, const struct offswitch *b);

/* OPS_ENOENT: there is no file. */
int offswitch_read(struct vfs *v, struct offswitch *ret, struct ops_err *err);
/* Durable when they return 0. */
int offswitch_write(
    struct vfs *v, const struct offswitch *s, struct ops_err *err);
int offswitch_remove(struct vfs *v, struct ops_err *err);

/* "root", "root (anna)" who logged in as anna, "uid 0" without a name. */
void offswitch_by(const struct offswitch *s, char out[static OFFSWITCH_BY]);

#endif
