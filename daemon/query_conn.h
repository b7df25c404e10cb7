/*
 * query_conn - one client on control.sock, in a process of its own.
 *
 *	query_conn.c	message table, permission, access records
 *	query_read.c	the answers that read the store
 *	query_programs.c	those about programs
 *	query_notes.c		notes: those there are, and new ones
 *	query_visits.c	those about who was here
 *	query_switches.c	when recording was switched off
 *	query_self.c	what is said of the peer himself
 *	query_logins.c	those about logins
 *
 * Fuzzed: query_conn
 */
#ifndef OPS_DAEMON_QUERY_CONN_H
#define OPS_DAEMON_QUERY_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"
#include "ipc/msg.h"
#include "ipc/proto.h"
#include "query_path.h"
#include "query_who.h"
#include "record/event.h"
#include "role.h"
#include "store/session.h"
#include "store/vfs.h"

#define QUERY_WHAT_MAX 64       /* bytes of C_HELLO's command */
#define QUERY_SESSIONS_MAX 4096 /* C_READs on one connection */
#define QUERY_REFUSALS_MAX 8    /* then it is cut off */
#define QUERY_IDLE_SECONDS 600
#define QUERY_SELF_MAX 1024 /* bytes of the texts of query_self() */

enum query_state { QUERY_NEW, QUERY_OPEN };

struct query_conn {
	const struct role *role;
	int fd;
	struct query_who who;
	enum query_state state;
	char what[QUERY_WHAT_MAX + 1]; /* claimed */
	struct vfs *vfs;
	int store_fd;
	int writer; /* connection to record.sock, -1: none yet */
	uint8_t (*may)[OPS_ID_LEN]; /* sessions of C_READ */
	size_t n_may;
	bool all; /* C_READ_ALL was granted */
	unsigned refusals;
	bool path_refused; /* one access record is enough for these */
};

/* Serve it until it ends.  The process ends afterwards. */
void query_conn_serve(const struct role *role, int fd);

/* -- shared by the two files; each handler as in struct msg_rule -- */
/* Answer C_FAILED; 0, or -1 if it can't be sent. */
int query_fail(
    struct query_conn *q, const struct ops_err *why, struct ops_err *err);
/* Write the access record and wait until it is durable.  id: NULL if no one
 * session is meant. */
int query_log(
    struct query_conn *q, const uint8_t *id, bool refused, struct ops_err *err);
/* A filter's text, ended by NUL; *ret stays as it is where none was given. */
int query_text(const struct event_text *t, char out[static EVENT_TEXT_MAX + 1],
    const char **ret, struct ops_err *err);
/* A message's filter of sessions or logins, with what the peer may see of them.  Its
 * texts are in it, so it isn't to be copied. */
struct query_filter {
	struct session_filter s;
	struct login_filter l; /* the same, as far as it goes */
	char text[4][EVENT_TEXT_MAX + 1];
};
/* 1: ret has it.  0: it was answered that it can't be.  -1: it is none. */
int query_filter(struct query_conn *q, const struct msg *m,
    struct query_filter *ret, struct ops_err *err);
/* Hand the writer something for the log, and wait until it is durable.  OPS_EUNAVAIL:
 * it isn't; or as Q_NOT_NOTED says. */
int query_tell(struct query_conn *q, uint16_t type, const struct ops_buf *b,
    struct ops_err *err);
/* Answer C_FAILED, after an access record that says so; -1: who keeps trying. */
int query_refuse(struct query_conn *q, const uint8_t *id, const char *text,
    struct ops_err *err);
/* Answer C_DONE. */
int query_done(struct query_conn *q, struct ops_err *err);
/* C_END of a list of n that was made of these sessions and their events. */
int query_end_events(struct query_conn *q, size_t n,
    const struct session_list *l, struct ops_err *err);
/* C_END of such a list, which lacks what was in so many frames. */
int query_end_missing(
    struct query_conn *q, size_t n, uint64_t missing, struct ops_err *err);
bool query_may(const struct query_conn *q, const uint8_t id[static OPS_ID_LEN]);

int query_on_sessions(void *conn, struct msg *m, struct ops_err *err);
int query_on_programs(void *conn, struct msg *m, struct ops_err *err);
int query_on_switches(void *conn, struct msg *m, struct ops_err *err);
int query_on_visits(void *conn, struct msg *m, struct ops_err *err);
int query_on_logins(void *conn, struct msg *m, struct ops_err *err);
int query_on_open(void *conn, struct msg *m, struct ops_err *err);
int query_on_list(void *conn, struct msg *m, struct ops_err *err);
int query_on_note(void *conn, struct msg *m, struct ops_err *err);
int query_on_notes(void *conn, struct msg *m, struct ops_err *err);
int query_on_tail(void *conn, struct msg *m, struct ops_err *err);

/* Fill in what a status says of the peer himself.  buf keeps the texts. */
void query_self(struct query_conn *q, struct proto_status *s,
    char buf[static QUERY_SELF_MAX]);

/* Is this session one of the peer's own?  1, 0, or -1. */
int query_owns(struct query_conn *q, const uint8_t id[static OPS_ID_LEN],
    struct ops_err *err);

#endif
