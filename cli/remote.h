/*
 * remote - the daemon's query role, asked over RUN/control.sock: the requests
 * of ipc/proto.h, and the store behind it as a read-only vfs whose files are
 * descriptors handed over one by one.
 *
 * What the daemon refuses comes back as its error code and its words.  A
 * connection that the daemon closed (it ends idle ones) is made again once a
 * request.  The vfs may be used from several threads.
 */
#ifndef OPS_CLI_REMOTE_H
#define OPS_CLI_REMOTE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "ipc/proto.h"
#include "store/programs.h"
#include "store/remarks.h"
#include "store/session.h"
#include "store/switches.h"
#include "store/vfs.h"
#include "store/visits.h"

#define REMOTE_TAIL_MAX                                                        \
	(512u << 20) /* bytes of one session's unsealed records */

struct remote;

/* Connect and say which command asks.  OPS_EUNAVAIL: nobody answers. */
int remote_open(const char *run_dir, const char *command, struct remote **ret,
    struct ops_err *err);
void remote_free(struct remote *r); /* NULL is fine */
/* May this user read everybody's? */
bool remote_may_all(const struct remote *r);

/* The store's files; borrowed from r. */
struct vfs *remote_vfs(struct remote *r);

/* Texts of *ret point into answer, which is reset first. */
int remote_status(struct remote *r, struct ops_buf *answer,
    struct proto_status *ret, struct ops_err *err);
int remote_sessions(struct remote *r, const struct proto_filter *f,
    struct session_list *ret, struct ops_err *err);
/* Logins into ret->logins, and no sessions; their texts are the list's. */
int remote_logins(struct remote *r, const struct proto_filter *f,
    struct session_list *ret, struct ops_err *err);
int remote_programs(struct remote *r, const struct proto_programs *f,
    struct program_list *ret, struct ops_err *err);
/* Who was here, with the sessions of each, in that time (0: open). */
int remote_visits(struct remote *r, uint64_t since, uint64_t until,
    struct visits *ret, struct ops_err *err);
/* When recording was switched off and on. */
int remote_switches(
    struct remote *r, struct switches *ret, struct ops_err *err);
/* Say what a check found (C_REPORT): opseald writes a line and tells who is to be
 * notified.  Root's alone. */
int remote_report(struct remote *r, enum alert_kind kind, uint64_t count,
    const char *detail, struct ops_err *err);
/* A note in one's own session; id all zero: in the one that one is in. */
int remote_note(struct remote *r, const uint8_t id[static OPS_ID_LEN],
    const char *text, size_t n, struct ops_err *err);
/* The notes of a session that is announced. */
int remote_remarks(struct remote *r, const uint8_t id[static OPS_ID_LEN],
    struct remark_list *ret, struct ops_err *err);
/* Announce reading a session, or (id NULL) everything. */
int remote_read(struct remote *r, const uint8_t *id, struct ops_err *err);
/* Records of the session that may not be sealed yet, back to back, appended
 * to out; *first is the number of the first. */
int remote_tail(struct remote *r, const uint8_t id[static OPS_ID_LEN],
    struct ops_buf *out, uint64_t *first, struct ops_err *err);

#endif
