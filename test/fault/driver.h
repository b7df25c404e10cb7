/*
 * driver - writes a store step by step over a memfs, and knows what must be in
 * it afterwards.
 *
 * Every record's bytes follow from its stream and number, so what is read back
 * can be checked without keeping what was written.
 */
#ifndef OPS_TEST_DRIVER_H
#define OPS_TEST_DRIVER_H

#include <stdbool.h>
#include <stdint.h>

#include "memfs.h"
#include "store/engine.h"

#define DRIVER_SESSIONS 64

struct driver_session {
	uint8_t id[OPS_ID_LEN];
	uint64_t put, acked;               /* screen records */
	uint64_t put_events, acked_events; /* OPEN, GAPs..., CLOSE */
	bool closed;
	bool expiring; /* its screen may be gone, under a TOMBSTONE */
};

struct driver {
	struct memfs *m;
	struct engine *e;
	uint8_t boot_id[16];
	uint64_t seed;
	uint64_t next_event; /* number in the events stream */
	struct driver_session s[DRIVER_SESSIONS];
	unsigned n;
	struct ops_buf batch, blocks;
	bool batch_open; /* entries in batch, not written */
};

/* Open (or reopen) the store in m.  0 or -1. */
int driver_open(struct driver *d, struct ops_err *err);
/* Begin a session; some records to a session; end it.  They go into the batch. */
struct driver_session *driver_session(struct driver *d);
void driver_output(
    struct driver *d, struct driver_session *s, unsigned records);
void driver_event(struct driver *d, struct driver_session *s);
void driver_end(struct driver *d, struct driver_session *s);
/* The bytes of one screen record, for who puts them another way. */
size_t driver_content(
    const uint8_t *id, uint64_t number, uint8_t out[static RECORD_MAX]);
/* Make the batch durable and frame it; everything put is acknowledged then. */
int driver_flush(struct driver *d, struct ops_err *err);
int driver_seal(struct driver *d, bool final, struct ops_err *err);
/* All screens of sessions that ended before go: TOMBSTONEs, a seal, and the files;
 * *n counts these. */
int driver_expire(struct driver *d, size_t *n, struct ops_err *err);
/* What a start does: files that a TOMBSTONE names go. */
int driver_expire_rest(struct driver *d, size_t *n, struct ops_err *err);
/* Final seal, empty WAL, engine freed. */
int driver_close(struct driver *d, struct ops_err *err);
void driver_drop(struct driver *d); /* as a kill would: no writes */
void driver_free(struct driver *d); /* not the memfs */

/*
 * Read the store in m and compare: of each stream all that was acknowledged is
 * there, what is there is what was put, each once and in order.  NULL, or what
 * is wrong (static text).
 */
const char *driver_compare(const struct driver *d, struct memfs *m);

/* check_store() over m: NULL if nothing fails, else the first failing finding
 * (static text).  *explained counts the others. */
const char *driver_check(struct memfs *m, bool quick, uint64_t *explained);

#endif
