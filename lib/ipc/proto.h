/*
 * proto - the messages on opseal's three sockets.
 *
 * Bodies marked CBOR are deterministic CBOR maps (record/cbor.h) with the
 * keys given; others are little-endian structures.  A peer that sends anything
 * a table does not list is cut off.
 *
 * == RUN/session.sock (mode 0666): the door asks for a session ==
 * The acceptor answers the connection's first message by starting opseal-rec,
 * which inherits the connection and speaks for the rest of the session.
 *
 *	door -> DOOR_OPEN	CBOR, see struct proto_open; SESSION_TERMINAL: fds
 *				{ outer terminal, inner pty master }; SESSION_COMMAND: none
 *	     <- DOOR_GO		id[10], u8 notice (enum door_notice); start the shell
 *	     <- DOOR_REFUSED	text for the user: one line
 *	     <- DOOR_ASKING	empty: the person is asked for a reason, on the terminal; wait
 *				for one of these two as long as that takes
 *	     <- DOOR_OFF	text, as DOOR_REFUSED: recording is switched off; go on without
 *	door -> DOOR_WINCH	empty: the outer terminal changed its size
 *	door -> DOOR_STOP	u8 signal: the door is about to stop itself; the recorder
 *				restores the outer terminal and answers
 *	     <- DOOR_STOP_OK	empty: stop now
 *	door -> DOOR_CONT	empty: it was continued
 *	door -> DOOR_CHILD	u32 pid of the shell, in the door's pid namespace
 *	door -> DOOR_EXIT	u32 raw wait status: the shell ended
 *	     <- DOOR_BYE	u8 why (enum close_why): terminal restored, all recorded; leave,
 *				as the shell ended, or with CLOSE_LOG_FAILURE as one of which
 *				not all was shown
 *	     <- DOOR_END	u8 why: end the session now (on_log_failure = refuse)
 *
 * A DOOR_OPEN of SESSION_COMMAND is answered by DOOR_GO, then the door closes
 * the connection and executes the command in place.
 *
 * == RUN/record.sock (mode 0600, uid opseal): recorder, query, scan, ... -> writer ==
 *
 *	rec -> REC_HELLO	id[10], u32 recorder pid, u64 its start time
 *	    <- REC_HELD		struct proto_held: what the writer has of this session; fd: its
 *				bell, an eventfd.  From here on a message to the writer wakes
 *				nobody: whoever has sent something rings (and may do so a few
 *				ms later, when it is shown); a hang-up is seen without
 *	rec -> REC_EVENT	u64 number of this recorder's event (0: OPEN), u8 type,
 *				u64 time, payload (event.h)
 *	rec -> REC_RECORDS	u64 number of the first, records back to back
 *	    <- REC_ACK		u64 next screen record, u64 next event: durable below these
 *	    <- REC_STATE	u8 1 ok / 0 log can't be written / 2 it can, but the disk is nearly
 *				full: no output, events only / 3 switched off: no output either, and
 *				no session begins / 4 the same as 2, as the
 *				user has reached a limit; text: reason
 *	rec -> REC_INNER	struct proto_inner: the session's own terminal; after each
 *				REC_HELD, before DOOR_GO
 *	rec -> REC_OUTER	struct proto_outer: the session's outer terminal; after each
 *				REC_HELD, and when the session goes on after a stop
 *	    <- REC_FOUND	struct proto_found: somebody else has that terminal open
 *	query -> Q_ACCESS	payload of a REC_ACCESS event; answered by Q_DONE when durable
 *	      <- Q_DONE		empty
 *	      <- Q_FAILED	text
 *	query -> Q_STATUS	empty
 *	      <- Q_STATUS_IS	CBOR, see struct proto_status
 *	query -> Q_SEAL		empty: seal soon; answered by Q_DONE at once
 *	scan -> Q_WATCH		empty: name the terminals of all sessions, now and later
 *	     <- Q_OUTER		struct proto_outer, each time a recorder sent one
 *	scan -> Q_FOUND		struct proto_found; goes to the session's recorder
 *	cap -> CAP_HELLO	as REC_HELLO, of a programs stream; answered by REC_HELD without
 *				a bell, then REC_RECORDS, REC_ACK and REC_STATE as above
 *	imp -> IMP_HELLO	as REC_HELLO, of a programs stream that is imported; answered as
 *				CAP_HELLO.  Its REC_RECORDS are REC_ACCOUNTED alone, of a session
 *				that this very process imports (SESSION-OPEN with key 25)
 *	pam -> LOGIN		payload of a LOGIN record (record/login.h); its keys 1 to 4 and 20
 *				are filled in by the writer.  Answered by Q_DONE when durable, or
 *				Q_FAILED.  Only root, and in a private instance its owner
 *	pam -> LOGOUT		the same of a LOGOUT record
 *	query -> Q_NOTE		CBOR, struct proto_note: becomes a NOTE of that session.
 *				Answered by Q_DONE when durable, by Q_FAILED, or by
 *	      <- Q_NOT_NOTED	u8 enum ops_code, text: there is no such session, it has
 *				ended, or too much is said in it
 *	cli -> SWITCH		payload of a DAEMON record (event.h), DAEMON_OFF or DAEMON_ON, with
 *				the reason; the rest is filled in by the writer.  Only root, and in a
 *				private instance its owner.  Answered when it is durable and in force,
 *				off also: when capture has ended, or doesn't in some seconds,
 *	    <- SWITCHED		u8 enum proto_switched; text, of 0 and 3: by whom, why; else why
 *				it lasts only until the daemon is started again;
 *				or by Q_FAILED
 *	cap -> CAP_STATE	struct proto_capture: whether it captures; any time
 *	    <- CAP_KEY		key[32]: for the masks of secrets; then, to who captures,
 *	    <- Q_INNER		struct proto_inner, of all sessions, now and later
 *	    <- Q_OVER		id[10], u64 BOOTTIME: that session has ended
 *	cap -> CAP_SYNC		u64 any: once the writer has seen what recorders sent before
 *	    <- CAP_SYNCED	the same
 *
 * == RUN/control.sock (mode 0666): opseal (CLI) -> query ==
 *
 *	cli -> C_HELLO		text: the command, at most 64 bytes ("cat", "ls", ...)
 *	    <- C_WELCOME	u8 1: may read everything; 0: own sessions only
 *	cli -> C_STATUS		empty
 *	    <- C_STATUS_IS	CBOR as Q_STATUS_IS
 *	cli -> C_SESSIONS	CBOR filter: 1 user bytes, 2 since, 3 until, 4 active (1),
 *				5 command bytes, 6 mine (1), 7 commands (1), 8 person bytes,
 *				9 note bytes
 *	    <- C_SESSION	CBOR of one session (store/session.h session_put), each
 *	    <- C_END		u32 how many; if frames of the events could not be read, so that
 *				this isn't all: u64 how many, u64 of how many, text: why the first
 *	cli -> C_LOGINS		CBOR filter as of C_SESSIONS, without active, command, commands
 *	    <- C_LOGIN		CBOR of one login (store/logins.h login_seen_put), each
 *	    <- C_END		as of C_SESSIONS
 *	cli -> C_PROGRAMS	CBOR, struct proto_programs
 *	    <- C_PROGRAM	one program (store/programs.h program_put), each
 *	    <- C_PROGRAM_ARGS	the rest of its arguments, in pieces
 *	    <- C_END		u32 how many, u32 frames that could not be read, u64 CLOCK_REALTIME
 *				up to which more have expired (0: none)
 *	cli -> C_VISITS		CBOR filter: 2 since, 3 until, 6 mine (1); the others are ignored
 *	    <- C_VISIT		one login with its sessions (store/visits.h visit_put), each
 *	    <- C_END		u32 how many, u64 frames of events that could not be read
 *	cli -> C_SWITCHES	empty: when recording was switched off and on; who logged in then was
 *				told so, too, so everybody may ask, and it isn't logged
 *	    <- C_SWITCHED	one (store/switches.h switched_put), each
 *	    <- C_END		as of C_VISITS
 *	cli -> C_READ		id[10]: about to read this session; its access record is
 *				written before the answer; C_DONE or C_FAILED
 *	cli -> C_READ_ALL	empty: about to read everything (verify); full readers only
 *	cli -> C_OPEN		path in the store; answered by C_FILE with one read-only fd.
 *				Full readers after C_READ_ALL: anything but keys/.  Others
 *				and after C_READ: log/<n>/leaves, log/<n>/checkpoint, and the screen segments
 *				of sessions named in C_READ on this connection
 *	    <- C_FILE		fd
 *	cli -> C_LIST		path of a folder (same rule; others: log, log/<n>, data,
 *				data/screen, data/screen/<day>, the last filtered)
 *	    <- C_NAMES		NUL-terminated names, as many as fit, sorted
 *	    <- C_END		after the last C_NAMES
 *	cli -> C_TAIL		id[10] (after C_READ): its records in the WAL
 *	    <- C_TAIL_RECORDS	u64 number of the first, records back to back
 *	    <- C_END
 *	    <- C_DONE
 *	cli -> C_REPORT		CBOR, struct proto_alert, of root: what a check found, for
 *				the journal and who is notified; C_DONE
 *	cli -> C_NOTE		id[10], text: a note in that session, which must be one of
 *				one's own; all zero: in the one that one is in.  C_DONE
 *				when it is durable
 *	cli -> C_NOTES		id[10] (after C_READ): its notes
 *	    <- C_NOTE_IS	one (store/remarks.h remark_seen_put), each
 *	    <- C_END		u32 how many, u64 frames of events that can't be read
 *	    <- C_FAILED		u8 enum ops_code, text
 *
 * Fuzzed: proto
 */
#ifndef OPS_PROTO_H
#define OPS_PROTO_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/text.h"
#include "record/event.h"

enum proto_type {
	DOOR_OPEN = 1,
	DOOR_GO,
	DOOR_REFUSED,
	DOOR_WINCH,
	DOOR_STOP,
	DOOR_STOP_OK,
	DOOR_CONT,
	DOOR_CHILD,
	DOOR_EXIT,
	DOOR_BYE,
	DOOR_END,
	DOOR_ASKING,
	DOOR_OFF,

	MSG_REC_HELLO = 32,
	MSG_REC_HELD,
	MSG_REC_EVENT,
	MSG_REC_RECORDS,
	MSG_REC_ACK,
	MSG_REC_STATE,
	Q_ACCESS,
	Q_DONE,
	Q_FAILED,
	Q_STATUS,
	Q_STATUS_IS,
	Q_SEAL,
	MSG_REC_OUTER,
	MSG_REC_FOUND,
	Q_WATCH,
	Q_OUTER,
	Q_FOUND,
	MSG_REC_INNER,
	Q_INNER,
	Q_OVER,
	MSG_CAP_HELLO,
	MSG_CAP_STATE,
	MSG_CAP_SYNC,
	MSG_CAP_SYNCED,
	MSG_CAP_KEY,
	MSG_IMP_HELLO,
	MSG_LOGIN,
	MSG_LOGOUT,
	Q_NOTE,
	Q_NOT_NOTED,
	MSG_SWITCH,
	MSG_SWITCHED,

	C_HELLO = 64,
	C_WELCOME,
	C_STATUS,
	C_STATUS_IS,
	C_SESSIONS,
	C_SESSION,
	C_READ,
	C_READ_ALL,
	C_OPEN,
	C_FILE,
	C_LIST,
	C_NAMES,
	C_TAIL,
	C_TAIL_RECORDS,
	C_END,
	C_DONE,
	C_FAILED,
	C_PROGRAMS,
	C_PROGRAM,
	C_PROGRAM_ARGS,
	C_REPORT,
	C_NOTE,
	C_NOTES,
	C_NOTE_IS,
	C_LOGINS,
	C_LOGIN,
	C_VISITS = 120,
	C_VISIT,
	C_SWITCHES = 125,
	C_SWITCHED,
};

enum door_notice {
	DOOR_RECORDED = 0, /* the session is in the log */
	DOOR_UNRECORDED =
	    1, /* the log can't be written; policy says go on; a GAP is kept */
};

/* In MSG_SWITCHED. */
enum proto_switched {
	SWITCHED_NOTHING = 0, /* it was so already */
	SWITCHED = 1,
	SWITCHED_CAPTURE_ENDS = 2, /* off, but capture has not ended yet */
	SWITCHED_NOTHING_ENDS = 3, /* it was off already, and the same */
};

/*
 * The *_put() below append one CBOR map to b; texts over their limit
 * (EVENT_TEXT_MAX, or as given) are cut there.  The *_get() read exactly n
 * bytes; texts point into p; anything wrong is OPS_EFORMAT with *ret untouched.
 * Keys a reader does not know are skipped, but refused in a filter.
 */

/* DOOR_OPEN: what the door asks for.  All of it is claimed.  A command over
 * EVENT_ARGV_MAX is cut and marked so. */
struct proto_open {
	uint32_t kind;             /* 1 enum session_kind */
	struct event_text term;    /* 2 */
	struct event_text from;    /* 3 */
	struct event_text command; /* 4 argv joined with NUL */
	bool command_cut;          /* 5 */
};
void proto_open_put(struct ops_buf *b, const struct proto_open *o);
int proto_open_get(
    const uint8_t *p, size_t n, struct proto_open *ret, struct ops_err *err);

/* MSG_REC_HELD: u8 known, u8 closed, u64 next_record, u64 next_event */
struct proto_held {
	bool known;
	bool closed;
	uint64_t next_record;
	uint64_t next_event;
};
#define PROTO_HELD_LEN 18
void proto_held_encode(
    const struct proto_held *h, uint8_t out[static PROTO_HELD_LEN]);
int proto_held_decode(
    const uint8_t *p, size_t n, struct proto_held *ret, struct ops_err *err);

/* MSG_REC_OUTER, Q_OUTER: id[10], u64 fs, u64 dev, u32 door, u64 its start
 * time, u32 recorder, u64 its start time.  No process is 0. */
struct proto_outer {
	uint8_t id[OPS_ID_LEN];
	uint64_t
	    fs; /* st_dev of its node; 0: unknown, it was opened as /dev/tty */
	uint64_t dev; /* its number */
	uint32_t door;
	uint64_t door_start;
	uint32_t recorder;
	uint64_t recorder_start;
};
#define PROTO_OUTER_LEN (OPS_ID_LEN + 40)
void proto_outer_encode(
    const struct proto_outer *o, uint8_t out[static PROTO_OUTER_LEN]);
int proto_outer_decode(
    const uint8_t *p, size_t n, struct proto_outer *ret, struct ops_err *err);

/* MSG_REC_INNER, Q_INNER: id[10], u32 fs, u32 dev, u32 door, u64 its start time,
 * u32 ses, u64 begun.  The devices are as in struct event_open, 0 in a session
 * without a terminal. */
struct proto_inner {
	uint8_t id[OPS_ID_LEN];
	uint32_t fs, dev;    /* the inner terminal's */
	uint32_t door;       /* or the command itself */
	uint64_t door_start; /* clock ticks since boot, proc(5) */
	uint32_t ses;        /* EVENT_UNSET: none */
	uint64_t begun;      /* BOOTTIME */
};
#define PROTO_INNER_LEN (OPS_ID_LEN + 32)
void proto_inner_encode(
    const struct proto_inner *i, uint8_t out[static PROTO_INNER_LEN]);
int proto_inner_decode(
    const uint8_t *p, size_t n, struct proto_inner *ret, struct ops_err *err);

/* MSG_REC_FOUND, Q_FOUND: id[10], u32 pid (not 0), u64 its start time, u32 uid, name */
#define PROTO_COMM_MAX 64
#define PROTO_FOUND_HEAD (OPS_ID_LEN + 16)
struct proto_found {
	uint8_t id[OPS_ID_LEN];
	uint32_t pid;
	uint64_t start;
	uint32_t uid;
	struct event_text comm; /* p is never NULL after a get */
};
void proto_found_put(struct ops_buf *b, const struct proto_found *f);
int proto_found_get(
    const uint8_t *p, size_t n, struct proto_found *ret, struct ops_err *err);

/* MSG_CAP_STATE: u8 state, u64 lost, text */
enum capture_state {
	CAPTURE_OFF = 0, /* text: why */
	CAPTURE_ON = 1,  /* text: how */
};
#define PROTO_CAPTURE_HEAD 9
#define PROTO_CAPTURE_TEXT 400
struct proto_capture {
	uint32_t state;         /* enum capture_state */
	uint64_t lost;          /* execs and exits, since it began */
	struct event_text text; /* p is never NULL after a get */
};
void proto_capture_put(struct ops_buf *b, const struct proto_capture *c);
int proto_capture_get(
    const uint8_t *p, size_t n, struct proto_capture *ret, struct ops_err *err);

/* Q_STATUS_IS, C_STATUS_IS */
#define PROTO_PATH_MAX 4096 /* bytes of the store's path */
struct proto_status {
	uint32_t ok;              /* 1  1: the log can be written */
	struct event_text reason; /* 2  why not */
	uint64_t since;       /* 3  CLOCK_REALTIME ns of entering this state */
	uint64_t sessions;    /* 4  open now */
	uint64_t records;     /* 5  durable since the daemon started */
	uint64_t bytes;       /* 6  raw bytes of them */
	uint64_t unsealed;    /* 7 */
	uint64_t lag;         /* 8  ns */
	uint64_t sealed_size; /* 9 */
	uint64_t
	    lost; /* 10 bytes shown but not recorded, by the GAPs since the start */
	uint32_t log;    /* 11 number of the log */
	uint64_t stored; /* 12 bytes of frames written */
	uint64_t durable_p50, durable_p99, sealed_p50,
	    sealed_p99;           /* 13..16 ns */
	struct event_text origin; /* 17 of the log */
	struct event_text
	    anchor; /* 18 newest anchor: "size 41200 journal 2026-..", absent: none */
	struct event_text version;      /* 19 of the daemon */
	uint64_t started;               /* 20 CLOCK_REALTIME ns */
	uint64_t space;                 /* 21 bytes free where the store is */
	struct event_text store;        /* 22 path */
	uint32_t capture;               /* 23 enum capture_state */
	struct event_text capture_text; /* 24 how, or why not */
	uint64_t capture_lost; /* 25 execs and exits that it couldn't see */
	/* The configuration that is in force: when its files were read
	 * (CLOCK_REALTIME ns), SHA-256 of what it says. */
	uint64_t config_read;          /* 40 */
	struct event_text config_hash; /* 41 hex */
	struct event_text
	    config_fault; /* 42 why newer ones aren't; absent: they are */
	uint64_t config_fault_time; /* 43 */
	uint64_t
	    anchored; /* 44 CLOCK_REALTIME ns of the newest anchor; 0: none */
	/* 50.. the rules on how long what is kept; 0: none */
	uint64_t keep_screens, keep_events; /* 50, 51 ns */
	uint64_t max_size, keep_free;       /* 52, 53 bytes */
	/* As of the last look; 0: not known yet, or none. */
	uint64_t kept_bytes,
	    leaves_bytes; /* 54, 55 of segments, and of leaves */
	uint64_t oldest_screen, oldest_event; /* 56, 57 CLOCK_REALTIME ns */
	uint64_t expired;                     /* 58 frames, ever */
	uint64_t expired_at;          /* 59 CLOCK_REALTIME ns, the last */
	struct event_text expired_by; /* 60 the rule; absent: none has */
	struct event_text
	    expiry_trouble; /* 61 why it does less than it should */
	bool no_screens;    /* 62 the disk is nearly full: events only */
	/* Switched off: CLOCK_REALTIME ns, 0: it isn't; by whom; why; and how many
	 * sessions began unrecorded since, as far as this daemon knows. */
	uint64_t off_since;                   /* 63 */
	struct event_text off_by, off_reason; /* 64, 65 */
	uint64_t off_sessions;                /* 66 */
	/* Of who asks; query says so, not the writer. */
	struct event_text you;       /* 73 his user, absent: it has no name */
	struct event_text person;    /* 74 who that is; absent: not known */
	uint32_t person_how;         /* 75 enum login_how */
	uint8_t session[OPS_ID_LEN]; /* 76 that he asks from; zero: none */
	uint64_t session_start;      /* 77 CLOCK_REALTIME ns; 0: none */
	bool reads_all;              /* 78 he may read everybody's sessions */
	struct event_text readers;   /* 79 who else may read his */
	/* 67.. how much of each user's screens is recorded */
	uint64_t limited;                 /* 67 users who are over a limit */
	struct event_text limited_users;  /* 68 the first of them, see below */
	uint64_t screen_rate, screen_day; /* 69, 70 bytes; 0: no such limit */
	uint64_t limit_bytes; /* 71 of lost: for that; since the start */
	struct event_text
	    switch_fault; /* 340 STORE/switch is another's; absent: it isn't */
	/* 341 why roles could write in the store's folder if they were taken over, as
	 * query sees it; absent: they can't */
	struct event_text not_shut_in;
};
/* Users who are over a limit, each u32 uid, u8 which (0 screen_rate, 1
 * screen_day), u64 bytes of it that he has used, u64 of how many. */
#define PROTO_LIMITED_MAX 32
#define PROTO_LIMITED_LEN 21
struct proto_limited {
	uint32_t uid, which;
	uint64_t used, size;
};
void proto_limited_put(struct ops_buf *b, const struct proto_limited *l);
/* Number i; false: there are no more. */
bool proto_limited_get(
    struct event_text t, size_t i, struct proto_limited *ret);

void proto_status_put(struct ops_buf *b, const struct proto_status *s);
int proto_status_get(
    const uint8_t *p, size_t n, struct proto_status *ret, struct ops_err *err);

/* What somebody should hear of.  C_REPORT; and from the roles to the supervisor. */
enum alert_kind {
	ALERT_GAP = 1,    /* shown and not recorded; bytes */
	ALERT_LOSS,       /* programs that capture lost; count */
	ALERT_LOST,       /* a session whose recorder vanished */
	ALERT_LOG_FAILED, /* the log can't be written */
	ALERT_LOG_BACK,
	ALERT_STOP, /* the daemon ended */
	ALERT_DOOR, /* a door was changed by somebody else; C_REPORT may say it */
	ALERT_VERIFY, /* the log's check failed; C_REPORT may say it */
	ALERT_OFF,    /* recording was switched off */
	ALERT_ON,
	ALERT_LIMIT,  /* a user's screens aren't all kept: he has had his
		       * share; bytes that he had */
	ALERT_SWITCH, /* STORE/switch was written by another than the writer */
};
struct proto_alert {
	uint32_t kind; /* 1 enum alert_kind */
	uint64_t time; /* 2 CLOCK_REALTIME, ns */
	bool has_session;
	uint8_t session[OPS_ID_LEN]; /* 3 */
	uint64_t count;              /* 4 bytes or programs, 0: not counted */
	struct event_text detail;    /* 5 in words */
};
void proto_alert_put(struct ops_buf *b, const struct proto_alert *f);
int proto_alert_get(
    const uint8_t *p, size_t n, struct proto_alert *ret, struct ops_err *err);

/* Q_NOTE: who says what, as the kernel tells query; where: the session, or (all zero)
 * the one that he is in, which the writer finds by the rest. */
struct proto_note {
	uint8_t session[OPS_ID_LEN]; /* 1 */
	uint32_t uid;                /* 2 */
	uint32_t auid, ses;          /* 3, 4 EVENT_UNSET: none */
	uint32_t pid;                /* 5 */
	uint64_t start;              /* 6 */
	uint32_t tty; /* 7 controlling terminal, as inner_dev; 0: none */
	struct event_text ancestors; /* 8 as in event_open */
	struct event_text text;      /* 9 claimed; 1..REMARK_TEXT_MAX bytes */
};
void proto_note_put(struct ops_buf *b, const struct proto_note *n);
int proto_note_get(
    const uint8_t *p, size_t n, struct proto_note *ret, struct ops_err *err);

/* C_SESSIONS */
struct proto_filter {
	struct event_text user;    /* 1 */
	uint64_t since, until;     /* 2, 3 CLOCK_REALTIME ns; 0: open */
	bool active;               /* 4 */
	struct event_text command; /* 5 */
	bool mine;                 /* 6 */
	bool commands;             /* 7: count them */
	struct event_text person;  /* 8 */
	struct event_text note;    /* 9 */
};
void proto_filter_put(struct ops_buf *b, const struct proto_filter *f);
int proto_filter_get(
    const uint8_t *p, size_t n, struct proto_filter *ret, struct ops_err *err);

/* C_PROGRAMS: which, as struct program_filter of store/programs.h */
struct proto_programs {
	bool has_login, has_euid;
	uint32_t login, euid;   /* 1, 2 */
	struct event_text name; /* 3 */
	struct event_text exe;  /* 4 */
	struct event_text tty;  /* 5 */
	bool has_session;
	uint8_t session[OPS_ID_LEN]; /* 6 */
	uint64_t since, until;       /* 7, 8 CLOCK_REALTIME ns; 0: open */
	bool failed;                 /* 9 */
	uint32_t newest;             /* 10 at most so many; 0: all */
	bool forks;                  /* 11 */
	bool coverage;               /* 12 */
	uint32_t source;             /* 13 */
	bool seeded;                 /* 14 */
	struct event_text person;    /* 15 */
};
void proto_programs_put(struct ops_buf *b, const struct proto_programs *f);
int proto_programs_get(const uint8_t *p, size_t n, struct proto_programs *ret,
    struct ops_err *err);

/* -- what the acceptor tells opseal-rec on its command line and descriptors --
 * argv: opseal-rec --session ID --record PATH-OF-RECORD.SOCK [--input]
 *	 [--hold-time NS] [--refuse] [--conn FD] [--pidfd FD] [--outer FD]
 *	 [--master FD] [--open FD] [--notify-fd FD] [--notice FD]
 *	 [--reason ask|require]
 * --open: a sealed memfd with the SESSION-OPEN payload (event.h); where it has
 * recorder_pid 0 the recorder fills in itself.
 * --notice: a sealed memfd with the notice, at most ASK_NOTICE_MAX (recorder/ask.h).
 * --notify-fd: gets one byte when the door was told to go.
 * Without --outer and --master it watches the pidfd of a command only.
 * The acceptor keeps none of these descriptors open: the session would not end
 * with the terminal's.
 */

#endif
