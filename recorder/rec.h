/*
 * rec - one recorded session, from its OPEN to its CLOSE.
 *
 *	outer terminal  --typed-->  inner terminal (master)  -->  shell
 *	       ^                              |
 *	       |                              v
 *	       +---- only then ---- queue and link to the writer
 *
 * The process does one thing: it copies, and nothing is shown that wasn't sent
 * to the writer first.  If that can't be done the output is held until it can,
 * or until nothing was heard for hold_time of a writer that can write; then it is
 * shown and counted as a gap, or the session ends, as configured.
 *
 *	main.c		what the acceptor said; the process itself
 *	rec.c		the loop and the phases of a session
 *	copy.c		bytes: outer, master, holding, gaps
 *	doorside.c	the messages of the door
 *	ask, lineedit	what is shown and asked before the shell
 *	uplink		what only a recorder says to the writer (ipc/link.h)
 *	outer, input	the person's terminal; what of its keyboard is kept
 *	guard		what keeps a call from lasting
 *	proc		what the kernel says about processes
 *
 * Fuzzed: doorside
 */
#ifndef OPS_REC_H
#define OPS_REC_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "ask.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/text.h"
#include "guard.h"
#include "input.h"
#include "ipc/link.h"
#include "ipc/queue.h"
#include "outer.h"
#include "proc.h"
#include "record/event.h"
#include "uplink.h"

#define READ_SIZE 8192 /* of the master; the kernel gives at most 4095 */
#define DRAIN_MAX (256u << 10)   /* bytes read after the shell's end */
#define SMALL_NS 5000000u        /* a record waits so long for company */
#define WAIT_EXIT_NS 2000000000u /* for the door's news after a hang-up */
#define REAP_NS 1000000000u      /* for a command's status */
#define LINGER_NS (600 * 1000000000ull) /* for the writer, after the end */
#define PAUSE_CHECK_NS 500000000u
#define STUCK_NS 3000000000u /* for a terminal whose door has ended */
#define BYPASS_MAX 64        /* processes reported in a session */
#define OWED_LEN 4           /* bytes of a RESIZE, an ECHO, an EXIT, ... */
#define OWED_MAX 8           /* types of such records */

enum phase {
	STARTING, /* until the OPEN event was sent and the door told to go */
	ASKING,   /* before that: for a reason (ask.h) */
	RUNNING,
	DRAINING,  /* the end has come: what is left in the master */
	WAIT_EXIT, /* for DOOR_EXIT, or a command's status */
	CLOSING,   /* CLOSE is queued; until it is durable */
	LINGERING, /* the door has left; the writer hasn't got everything */
	DONE,
};

enum slot {
	SLOT_LINK,
	SLOT_DOOR,
	SLOT_OUTER,
	SLOT_MASTER,
	SLOT_PIDFD,
	SLOT_SIGNAL,
	SLOTS
};
struct watched {
	int fd; /* -1: not watched */
	uint32_t events;
	unsigned opened;
};

struct rec {
	/* as the acceptor said */
	uint8_t id[OPS_ID_LEN];
	bool terminal; /* SESSION_TERMINAL */
	bool keep_input;
	bool refuse; /* on_log_failure = refuse */
	uint64_t hold_time;
	int conn, pidfd, master, notify, signals;
	pid_t door;

	struct queue queue;
	struct link link;
	struct uplink uplink;
	struct outer outer;
	struct input input;
	struct guard guard;
	struct ask ask;

	int epoll;
	struct watched watched[SLOTS];
	enum phase phase;
	uint64_t now;         /* BOOTTIME, read once a turn */
	uint64_t phase_until; /* 0: no end */
	bool overdue;         /* CLOSING took too long */
	uint64_t stuck_until; /* nobody reads the outer terminal; 0: no */
	bool door_gone; /* its process ended, or it closed the connection */

	/* copying */
	bool stopped; /* by DOOR_STOP */
	bool paused;  /* the door is stopped by somebody else */
	uint64_t state_checked;
	bool master_hup; /* nobody has the inner terminal open */
	uint64_t master_retry;
	uint8_t typed[INPUT_MAX]; /* not taken by the inner terminal yet */
	size_t typed_from, typed_to;
	uint64_t small_due; /* a small record must leave by then; 0: none */
	int echo;           /* as last recorded; -1: never */
	uint16_t cols, rows;
	size_t drain_left;

	/* when the log can't be written */
	uint64_t hold_since; /* output waits since; 0: it doesn't */
	uint32_t gap_why; /* enum gap_why; 0: since the log can't be written */
	bool gap;         /* output is shown though it isn't recorded */
	bool noticed;     /* and the terminal has said so */
	bool back_due;    /* that is over, which the terminal is to say */
	/* What was lost and isn't in the log yet as a GAP. */
	uint64_t gap_from, gap_bytes;
	bool left_out; /* a record was, of no bytes shown */
	/* Small records for which the full queue has no room, in order: of
	 * each type the last.  No output is recorded before them. */
	struct owed {
		uint64_t time;
		uint8_t type, n;
		uint8_t p[OWED_LEN];
	} owed[OWED_MAX];
	size_t n_owed;

	/* for the CLOSE event */
	bool exit_put, close_queued;
	const char *refused; /* it ended before the door was told to go: why */
	enum close_why why;
	bool has_status;
	uint32_t status;
	uint64_t bytes_out, bytes_in, bytes_lost;
	uint64_t bytes_own; /* of bytes_out: the notice and the question */

	/* who was found for SCREEN-BYPASS; the first n_told of them are queued */
	struct bypass {
		uint32_t pid, uid;
		uint64_t start, time;
		uint8_t comm[PROTO_COMM_MAX];
		size_t comm_len;
	} bypass[BYPASS_MAX];
	size_t n_bypass, n_told;
};

/* The daemon found that somebody else has the outer terminal open. */
void rec_found(void *rec, const struct proto_found *f);

/* Run the session to its end.  The exit status of the process. */
int rec_run(struct rec *r);

/* Begin the end, if it hasn't begun. */
void rec_end(struct rec *r, enum close_why why);

/* Close what the loop watches. */
void rec_close(struct rec *r, enum slot slot, int *fd);

/*
 * -- copy.c --
 * Nothing here needs memory (see queue.h), and the queue keeps room for what
 * the keyboard and the size of the window may add, so a record can only wait.
 */
/* A record of at most OWED_LEN bytes.  Where the queue is full it is owed, and
 * output waits for it; what takes its place meanwhile is told by a GAP. */
void copy_record(struct rec *r, uint8_t type, const void *p, size_t n);
/* Queue what is owed.  True if nothing is any more. */
bool copy_settle(struct rec *r);
/* Queue an event of ours.  False: there is no place; try again later. */
bool copy_event(struct rec *r, uint8_t type, const struct ops_buf *b);
/* Bytes of ours that are the session's: recorded, sent, shown.  At most what a record
 * takes, and only while nothing is pending. */
void copy_show(struct rec *r, const void *p, size_t n);
void copy_output(struct rec *r);  /* the master is readable */
void copy_typed(struct rec *r);   /* the outer terminal is readable */
void copy_forward(struct rec *r); /* the master takes input again */
void copy_size(struct rec *r);    /* the outer terminal may have a new size */
void copy_echo(struct rec *r);    /* the inner terminal may have new modes */
void copy_flush(struct rec *r);   /* send, show, end holding if possible */
void copy_tick(struct rec *r);    /* deadlines of the above */
uint64_t copy_due(const struct rec *r);
/* What input.h keeps. */
void copy_keep(void *rec, const uint8_t *p, size_t n);
void copy_mask(void *rec, unsigned why);
bool copy_wants_output(const struct rec *r);
bool copy_wants_typed(const struct rec *r);
void copy_gap_begin(struct rec *r);
/* Tell the log what was lost.  False: there is no room yet; the gap, if it is
 * one, goes on. */
bool copy_gap_end(struct rec *r);

/* -- doorside.c -- */
/* Take what the door says. */
void doorside_read(struct rec *r);
/* 0 or -1 (the door is gone). */
int doorside_tell(struct rec *r, uint16_t type, const void *p, size_t n);

#endif
