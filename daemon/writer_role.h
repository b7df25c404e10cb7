/*
 * writer_role - what the parts of the writer role share.
 *
 *	role_writer.c	start, wake-ups, end
 *	writer_peer.h	connections to record.sock
 *	writer_lost.c	sessions whose recorder vanished
 *	writer_memory.c	what is said while memory is short
 *	writer_status.c	the answer to Q_STATUS
 *	writer_retention.c	rules on how long what is kept
 *	writer_switch.c	recording is switched off, and on
 *	writer_quota.c	how much of each user's screens is
 *	anchor.c	checkpoints to places outside the store
 *
 * Fuzzed: writer_peer
 */
#ifndef OPS_DAEMON_WRITER_ROLE_H
#define OPS_DAEMON_WRITER_ROLE_H

#include <stdbool.h>
#include <stdint.h>

#include "anchor.h"
#include "ipc/link.h"
#include "ipc/proto.h"
#include "loop.h"
#include "merkle/note.h"
#include "quota.h"
#include "ration.h"
#include "role.h"
#include "store/offswitch.h"
#include "store/vfs.h"
#include "store/writer.h"

#define WRITER_PEERS_MAX 8192
#define AGAIN_AFTER UINT64_C(5000000) /* ns; the writer's queue was full */
#define LOOK_AFTER                                                             \
	UINT64_C(100000000) /* ns between looks at the state, which
					* takes the writer's lock and sorts */
#define RESERVE_AGAIN UINT64_C(1000000000) /* ns between looks for room */
#define RESERVE_BYTES (1u << 20) /* taken between two looks at it, at most */
#define MEMORY_AGAIN UINT64_C(1000000000) /* ns between looks for memory */
#define LOSS_EVERY UINT64_C(10000000000)  /* ns between lines of losses */
#define LOST_GRACE UINT64_C(5000000000)   /* ns for a recorder to come back */

struct peer;
struct retention;

/* A session without a connection; closed as lost once its recorder is known
 * to be gone. */
struct lost {
	uint8_t id[OPS_ID_LEN];
	pid_t pid;
	uint64_t start;
	uint64_t since; /* BOOTTIME */
};

struct writer_role {
	struct role *role;
	struct loop loop;
	struct vfs *vfs;
	struct writer *w;
	struct watch listen, signals, wake, tick, again, look;
	struct watch anchor_tick, anchored;
	struct watch bell; /* eventfd: a recorder has rung; see writer_peer.h */
	int inbox;         /* epoll: connections to look at then */
	struct peer *peers;
	size_t n_peers;
	struct peer *scan; /* of these; NULL: not there */
	struct peer *capture;
	enum capture_state capture_state; /* as it said last */
	char capture_text[PROTO_CAPTURE_TEXT + 1];
	uint64_t capture_lost;
	uint64_t loss_told, loss_time; /* of them; BOOTTIME, 0: never */
	pid_t capture_pid;      /* of its process; 0: none, or it had to end */
	uint64_t capture_start; /* the same process's, as it says */
	unsigned capture_again; /* times that one died and another began */
	/* For who asks what is wrong while there is no memory for another;
	 * NULL: in use. */
	struct peer *spare;
	/* Of these, in turn: whose message found no room.  first NULL: none;
	 * end: where the next one is linked (set by the first peer). */
	struct peer *wait_first, **wait_end;
	uint64_t
	    comforted; /* BOOTTIME when they were last told that the log is well */
	uint64_t last_ticket;    /* the newest a put gave */
	enum writer_state state; /* as last told to the recorders */
	char reason[240];
	uint64_t looked; /* BOOTTIME of the last look at it */
	uint64_t
	    short_since;     /* memory is, since then (BOOTTIME); 0: it isn't */
	struct watch memory; /* timer: look for some again */
	uint64_t lost_bytes; /* of GAPs since the start */
	uint64_t started;    /* CLOCK_REALTIME */
	/* The state's begin as the store counts it, and on the wall when it
	 * was first asked for: said the same way each time. */
	uint64_t state_boottime, state_realtime;
	struct note_key key; /* the log's; its name is the origin */
	struct lost *lost;
	size_t n_lost, cap_lost;
	struct rations logins, notes;      /* of each user */
	struct anchor *anchor;             /* NULL: not there yet */
	uint8_t config_hash[OPS_HASH_LEN]; /* of role->config */
	struct retention *retention;
	uint64_t reserve;      /* bytes of the disk that screens may not have */
	uint64_t reserve_took; /* bytes taken since the last look at that */
	bool no_screens;       /* there are less */
	struct offswitch off;  /* what is in force */
	char off_by[OFFSWITCH_BY];
	char off_text[LINK_TEXT + 1]; /* "by WHO: WHY" */
	uint64_t off_sessions; /* that began meanwhile, without a record */
	bool switching;        /* the record of `next` isn't durable yet */
	struct offswitch next;
	uint64_t switch_ticket;
	/* Who waits for it, then for capture's end; NULL: he has gone. */
	struct peer *switcher;
	bool capture_ends;     /* it is off, and capture may still be there */
	uint64_t switch_until; /* BOOTTIME, for capture's end */
	struct ops_err switch_err; /* why STORE/switch isn't as it is to be */
	bool switch_said;   /* the supervisor has heard what is in force */
	bool switch_kept;   /* STORE/switch is to be as `off` says */
	bool switch_warned; /* that it is another's was told */
	const char *switch_fault; /* and is so now; NULL: it isn't */
	struct watch switch_tick; /* timer: look at the file */
	struct quota quota;
	bool limit_by_free;      /* screen_day is a part of what is free */
	uint64_t limit_looked;   /* BOOTTIME; how much that is */
	uint64_t limit_bytes;    /* of GAPs for that, since the start */
	struct watch limit_tick; /* timer: while anybody is over */
};

/* The role, from a watch that is its member. */
#define ROLE_OF(w, member)                                                     \
	((struct writer_role *)(void *)((char *)(w)-offsetof(                  \
	    struct writer_role, member)))

/* -- writer_peer.c -- */
/* For r->spare; free() takes it.  NULL: no memory. */
struct peer *peer_spare(void);
void peer_accept(struct writer_role *r);
/* A connection as accept4() gives it; on success fd is the peer's. */
int peer_add(struct writer_role *r, int fd, struct ops_err *err);
/* After a wake: acknowledge, answer, go on with who had to wait. */
void peers_wake(struct writer_role *r);
void peers_tell_state(struct writer_role *r);
void peers_close(struct writer_role *r);
/* Is a recorder connected for this session? */
bool peers_have(
    const struct writer_role *r, const uint8_t id[static OPS_ID_LEN]);

/* -- writer_bell.c -- */
/* r->bell was rung: look who has sent something. */
void bell_take(struct watch *w, uint32_t events);
void bell_ring(const struct writer_role *r);

/* -- writer_capture.c -- */
/* r->capture is no more, or has never been. */
void capture_gone(struct writer_role *r);
/* The supervisor says that it has, for this off (switchword_number(); 0: for none).
 * as_told: the next one replaces none that died. */
void capture_ended(struct writer_role *r, bool as_told, int off);
/* This session has ended. */
void capture_over(struct writer_role *r, const uint8_t id[static OPS_ID_LEN]);

/* -- writer_lost.c -- */
/* Watch a session whose recorder is not connected. */
void lost_add(struct writer_role *r, const uint8_t id[static OPS_ID_LEN],
    pid_t pid, uint64_t start);
/* Its recorder is back. */
void lost_remove(struct writer_role *r, const uint8_t id[static OPS_ID_LEN]);
/* The sessions that are open in the store when the daemon starts. */
void lost_start(struct writer_role *r);
/* Once a second while there are any. */
void lost_tick(struct writer_role *r);

/* -- writer_memory.c -- */
/* There was none for a connection or a message.  The writer's own threads say
 * so themselves. */
void memory_short(struct writer_role *r);
/* Look whether there is some again. */
void memory_look(struct writer_role *r);
/* The writer's state, in which the role's own want of memory counts. */
void memory_status(const struct writer_role *r, struct writer_status *ret);

/* -- writer_status.c -- */
/* Learn what doesn't change.  Once, with memory. */
int status_start(struct writer_role *r, struct ops_err *err);
int status_put(struct writer_role *r, struct ops_buf *out, struct ops_err *err);

/* -- writer_retention.c -- */
/* Give the writer its rules, once it is open; again, where they have changed. */
int retention_start(struct writer_role *r, struct ops_err *err);
/* After a wake: say what has changed. */
void retention_tell(struct writer_role *r);
/* Is the disk so full that screens may have no more of it?  Tells the recorders, if
 * that has changed. */
bool reserve_look(struct writer_role *r);
/* n bytes of records were taken: look, after so many. */
void reserve_took(struct writer_role *r, size_t n);
/* The texts live until the next call. */
void retention_status(struct writer_role *r, struct proto_status *s);

/* -- writer_switch.c -- */
/* What is switched as the daemon starts, once the store is open: what the log says
 * and the file doesn't contradict.  The supervisor hears of it. */
void switch_start(struct writer_role *r);
/* Every few seconds: is the file still as we left it?  And does anybody wait too long? */
void switch_tick(struct writer_role *r);
/* After a wake: a switch whose record is durable comes into force. */
void switch_look(struct writer_role *r);
/* Nothing is captured any more: who switched it off is told. */
void switch_capture_ended(struct writer_role *r);
void switch_status(const struct writer_role *r, struct proto_status *s);
/* -- writer_quota.c -- */
/* Take the rules from the configuration, after retention_start(). */
int quota_start(struct writer_role *r, struct ops_err *err);
/* Once a second while anybody is over: who no longer is? */
void quota_tick(struct writer_role *r);
/* list: what s points to then. */
void quota_status(
    struct writer_role *r, struct proto_status *s, struct ops_buf *list);

/* -- role_writer.c -- */
/* Queue an event; remembers the ticket. */
int writer_role_event(struct writer_role *r, uint8_t type, uint64_t time,
    const uint8_t *p, size_t n, uint64_t *ticket, struct ops_err *err);

#endif
