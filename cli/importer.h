/*
 * importer - hands a session that was read from a file to the daemon, as a
 * recorder does: the same socket, the same messages, the same queue (ipc/link.h).
 * Programs that ran in it go beside it in a stream of their own, as capture's do.
 * The writer takes a session from its own user and from root only.
 *
 * What the calls hand over is durable when importer_end() has returned.  Where
 * anything fails before that, the log has a session without an end, and the
 * daemon marks it as lost.
 */
#ifndef OPS_CLI_IMPORTER_H
#define OPS_CLI_IMPORTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/text.h"
#include "record/event.h"
#include "record/program.h"

struct importer;

/*
 * Connect to the daemon whose sockets are in run_dir.  OPS_EUNAVAIL: none
 * answers; OPS_EPERM: not for this user.  Nothing is in the log yet.
 */
int importer_new(
    const char *run_dir, struct importer **ret, struct ops_err *err);
void importer_free(struct importer *im); /* NULL is fine */

/* Its id, and BOOTTIME when it began: times within are counted from there. */
const uint8_t *importer_id(const struct importer *im);
uint64_t importer_start(const struct importer *im);
/* Has anything been handed over? */
bool importer_begun(const struct importer *im);
/* And its end?  Then it may still become whole, whatever importer_end() said. */
bool importer_ending(const struct importer *im);

/* SESSION-OPEN: o says what the file does; who imports it is filled in here. */
int importer_open(
    struct importer *im, const struct event_open *o, struct ops_err *err);
/* A record of the screen, at most RECORD_PAYLOAD_MAX bytes, `offset` ns after
 * the session's begin.  Waits for the log where that is slower. */
int importer_put(struct importer *im, uint8_t type, uint64_t offset,
    const void *p, size_t n, struct ops_err *err);
/* A program that ran in it, in a stream beside it. */
int importer_program(struct importer *im, const struct program_accounted *a,
    struct ops_err *err);
/* SESSION-CLOSE; waits until all of it is durable. */
int importer_end(
    struct importer *im, const struct event_close *c, struct ops_err *err);

#endif
