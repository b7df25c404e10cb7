/*
 * writer_peer - a connection to record.sock, as the writer role's files see it.
 *
 *	writer_peer.c		connections and the message table
 *	writer_recorder.c	what a recorder says, and its acknowledgements
 *	writer_query.c		what the query role says
 *	writer_login.c		what root's PAM module says
 *	writer_note.c		what somebody in a session says of it, through query
 *	writer_scan.c		what the scan role is told, and says
 *	writer_capture.c	what the capture role is told, and says
 *	writer_import.c		what who imports says
 *	writer_switch.c		what who switches recording off says
 *	writer_quota.c		how much is taken of each user's screens
 *	writer_bell.c		when a recorder's messages are looked at
 *
 * Fuzzed: writer_peer
 */
#ifndef OPS_DAEMON_WRITER_PEER_H
#define OPS_DAEMON_WRITER_PEER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bucket.h"
#include "ipc/msg.h"
#include "ipc/proto.h"
#include "writer_role.h"

#define PEER_ACKS_MAX 64 /* kept apart; more are merged into the newest */
#define PEER_HELLO_LEN (OPS_ID_LEN + 4 + 8)
#define PEER_EVENT_HEAD 17 /* u64 number, u8 type, u64 time */

enum peer_state {
	PEER_NEW,
	PEER_RECORDER,
	PEER_LATE, /* a recorder whose session is closed: it is told so as soon
		    * as that is durable, and sends nothing more */
	PEER_QUERY,
	PEER_QUERY_WAITS, /* its event is on the way to the disk */
	PEER_SCAN,
	PEER_CAPTURE, /* a recorder of programs */
	PEER_IMPORT,  /* who imports programs */
};
/* Once `ticket` is durable, so is all below these numbers. */
struct ack {
	uint64_t ticket, next_record, next_event;
};

struct peer {
	struct watch watch; /* first: a watch is its peer */
	struct writer_role *r;
	struct peer *next, **link; /* in r->peers */
	struct msg_peer who;
	enum peer_state state;
	bool follows_bell; /* its messages are looked at when it rings */
	bool dead;  /* to be closed before anything else is done with it */
	bool spare; /* memory was short when it came, and this is the role's
		     * one spare: for a question, and not for a recorder */

	uint8_t id[OPS_ID_LEN]; /* PEER_RECORDER, PEER_CAPTURE: the stream */
	uint64_t start;
	uint64_t next_record, next_event; /* what the writer takes next */
	struct ack ack[PEER_ACKS_MAX];
	unsigned acks;
	struct ack due; /* what the next REC_ACK says */
	bool ack_due, state_due;
	struct proto_outer outer; /* door 0: not told */
	bool outer_due;           /* the scan role doesn't know it yet */
	bool imports;             /* PEER_RECORDER: its session has key 25; */
	/* Of the session's OPEN: who was in it, and to whom it counts (charge.h).
	 * EVENT_UNSET: it isn't here yet. */
	uint32_t auid, charge;
	struct bucket notes;      /* said in it, while this connection lasts */
	struct proto_inner inner; /* door 0: not told */
	bool inner_due;           /* the capture role doesn't know it yet */
	bool told;                /* PEER_CAPTURE: wants to be told of them, */
	bool told_waits;          /* has no room for one, */
	bool sync_due;            /* and has asked for a sync */
	uint64_t sync;

	uint64_t ticket; /* PEER_QUERY_WAITS, PEER_LATE */

	/* A message that the writer had no room for; nothing more is read
	 * until it is taken. */
	uint8_t *held;
	size_t held_len;
	uint16_t held_type;
	bool no_room;                        /* found when it was tried again */
	struct peer *wait_next, **wait_link; /* link NULL: not in line */
};

/* -- writer_peer.c -- */
/*
 * Who must wait stands in line, one message each, so that all get the same
 * share of the writer however much one sends: events in front of records, and
 * records behind those that wait already.  Hello and questions don't wait.
 */
/* Must these records wait for others'?  Then peer_hold(). */
bool peer_must_wait(const struct peer *p);
/* Keep a message for later: the writer's queue is full, or others wait. */
int peer_hold(struct peer *p, const struct msg *m, struct ops_err *err);

/* What the loop is to wait for, of p. */
uint32_t peer_events(const struct peer *p);

/* Take what it sent.  True: there may be more. */
bool peer_receive(struct peer *p);
/* Close those marked dead; of all, as a handler may mark another. */
void peers_free_dead(struct writer_role *r);

/* -- writer_bell.c -- */
/*
 * A recorder sends each record before it is shown, and the person waits for it.
 * To wake the writer there would cost more than all the rest (a fifth of the
 * time from key to echo).  So a message of a recorder wakes nobody: it lies in
 * the socket, which outlives the recorder, and when that has shown the record,
 * it rings: an eventfd that it was handed with REC_HELD, the same for all.  Its
 * hang-up is seen at once.
 */
/* From now on p's messages are looked at when the bell rings. */
int bell_follow(struct peer *p, struct ops_err *err);
/* While p is out of the loop. */
void bell_pause(struct peer *p);
int bell_resume(struct peer *p, struct ops_err *err);
/* What the loop waits for, of p, besides room to send. */
uint32_t bell_events(const struct peer *p);

/* -- writer_recorder.c; handlers as in struct msg_rule -- */
int recorder_on_hello(void *conn, struct msg *m, struct ops_err *err);
/* Say what is held of p->id, and begin to acknowledge. */
int recorder_begin(struct peer *p, struct ops_err *err);
int recorder_on_records(void *conn, struct msg *m, struct ops_err *err);
int recorder_on_event(void *conn, struct msg *m, struct ops_err *err);
/* Note what became durable; recorder_flush() says it. */
void recorder_take_acks(struct peer *p, uint64_t durable);
/* Send what is due; what does not fit into the socket stays due. */
void recorder_flush(struct peer *p);
/* A recorder in PEER_LATE: tell it once its session's end is durable. */
int recorder_late(struct peer *p, uint64_t durable, struct ops_err *err);

/* -- writer_query.c -- */
int writer_query_access(void *conn, struct msg *m, struct ops_err *err);
int writer_query_status(void *conn, struct msg *m, struct ops_err *err);
int writer_query_seal(void *conn, struct msg *m, struct ops_err *err);
/* Answer Q_FAILED: 0, or -1 if that can't be sent. */
int writer_query_failed(struct peer *p, const char *why, struct ops_err *err);
/* Its event is durable, or can't become so: answer. */
int writer_query_waiting(struct peer *p, uint64_t durable);

/* -- writer_login.c -- */
#define LOGIN_BURST 512 /* logins of one user at once, */
#define LOGIN_RATE 128  /* and in each second from then on */
extern const struct bucket_rule login_rule;
/* The record, and Q_DONE when it is durable. */
int writer_on_login(void *conn, struct msg *m, struct ops_err *err);
int writer_on_logout(void *conn, struct msg *m, struct ops_err *err);
/* Root, or the owner of a private instance; not the roles and the recorders of a
 * daemon that root started. */
bool peer_is_root(const struct peer *p);
/* Is this login proven (charge.h) by a session that is recorded now? */
bool peer_proves(const struct writer_role *r, uint32_t auid, uint32_t ses);

/* -- writer_switch.c -- */
int writer_on_switch(void *conn, struct msg *m, struct ops_err *err);
/* Is about to be freed. */
void switch_forget(struct peer *p);

/* -- writer_note.c -- */
#define NOTE_BURST 64 /* notes in one session at once, */
#define NOTE_RATE 1   /* and in each second from then on */
/* Of one user, over all sessions: */
#define NOTE_USER_BURST 256
#define NOTE_USER_RATE 4
extern const struct bucket_rule note_user_rule;
/* The NOTE, and Q_DONE when it is durable. */
int writer_on_note(void *conn, struct msg *m, struct ops_err *err);

/* -- writer_capture.c -- */
/* A hello of who sends programs: that it is who it says, and its stream. */
int peer_programs(struct peer *p, const struct msg *m, struct ops_err *err);
int capture_on_hello(void *conn, struct msg *m, struct ops_err *err);
int capture_on_state(void *conn, struct msg *m, struct ops_err *err);
int capture_on_sync(void *conn, struct msg *m, struct ops_err *err);
int recorder_on_inner(void *conn, struct msg *m, struct ops_err *err);
/* Tell the capture role of the sessions that are due; what doesn't fit into the
 * socket stays due. */
void capture_flush(struct writer_role *r);
/* Answer a sync that is due, if all could be told. */
void capture_sync(struct peer *p);

/* -- writer_import.c -- */
/* Is he who opens a session with key 25 the one that it names? */
int import_check(
    const struct peer *p, const struct event_open *o, struct ops_err *err);
int import_on_hello(void *conn, struct msg *m, struct ops_err *err);
/* May he say this?  Only programs, and of the session that he imports. */
int import_check_records(
    const struct peer *p, const struct msg *m, struct ops_err *err);

/* -- writer_quota.c -- */
/* n bytes of records were taken of this recorder. */
void quota_took(struct peer *p, size_t n);
/* Is its user over a limit? */
bool quota_hold(const struct peer *p);

/* -- writer_scan.c -- */
int recorder_on_outer(void *conn, struct msg *m, struct ops_err *err);
int writer_scan_watch(void *conn, struct msg *m, struct ops_err *err);
int writer_scan_found(void *conn, struct msg *m, struct ops_err *err);
/* Tell the scan role of what is due. */
void scan_flush(struct writer_role *r);

#endif
