/*
 * answer - the bodies of the query role's answers (ipc/proto.h).  Bytes in,
 * no I/O: remote.h asks and receives.
 *
 * Fuzzed: answer
 */
#ifndef OPS_CLI_ANSWER_H
#define OPS_CLI_ANSWER_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "store/session.h"
#include "store/vfs.h"

#define ANSWER_NAMES_MAX 1000000 /* of one folder */

/* C_FAILED: err becomes what the daemon says.  Its words are kept as they are,
 * the program escapes what it prints.  Always -1. */
int answer_failed(const uint8_t *p, size_t n, struct ops_err *err);

/* C_NAMES: add the names to *names (freed by vfs_names_free()), which may have
 * grown also where it fails. */
int answer_names(
    struct vfs_names *names, const uint8_t *p, size_t n, struct ops_err *err);

/* C_END after `count` C_SESSIONs. */
int answer_sessions_end(const uint8_t *p, size_t n, size_t count,
    struct session_missing *ret, struct ops_err *err);

/* C_TAIL_RECORDS, one after another: records that follow those before. */
struct answer_tail {
	struct ops_buf *out; /* they are appended here, back to back */
	bool begun;
	uint64_t first, next; /* numbers: of the first, of what must follow */
};
/* On failure nothing is appended. */
int answer_tail(
    struct answer_tail *t, const uint8_t *p, size_t n, struct ops_err *err);

#endif
