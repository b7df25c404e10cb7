/*
 * event - the bodies of the records in the events stream.
 *
 * A body is a deterministic CBOR map with the keys below.  Text that comes
 * from outside (command lines, terminal names, claimed addresses) is a byte
 * string: it need not be valid UTF-8.  Unknown keys are skipped, so that a
 * newer writer's records can be shown; a key with the wrong type is an error.
 * Numbers are always there.  A text is absent if its p is NULL, a bool (the
 * integer 1) if it is false.
 *
 * Provenance: who says so is part of the key.  Everything in SESSION-OPEN is
 * proven (kernel state read by the daemon) except `term`, `from`, `command`
 * and `env_*`, which the user's door claims.
 *
 * Fuzzed: event
 */
#ifndef OPS_EVENT_H
#define OPS_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/text.h"
#include "record.h"

#define EVENT_ARGV_MAX 12000   /* bytes of a command kept in one event */
#define EVENT_TEXT_MAX 256     /* bytes of any other text */
#define EVENT_IMPORT_MAX 13000 /* bytes of what is said of an import */
#define EVENT_UNSET                                                            \
	UINT32_MAX /* loginuid or sessionid not set, as the kernel says it */

struct event_text {
	const uint8_t *p; /* borrowed from the record; NULL if absent */
	size_t n;
};

enum session_kind {
	SESSION_TERMINAL = 1, /* recorded through a pty */
	SESSION_COMMAND =
	    2, /* no terminal: executed in place, not a byte touched */
};

/* REC_SESSION_OPEN */
struct event_open {
	uint32_t kind;  /* 1  enum session_kind */
	uint32_t uid;   /* 2  SO_PEERCRED */
	uint32_t gid;   /* 3 */
	uint32_t auid;  /* 4  /proc/PID/loginuid */
	uint32_t ses;   /* 5  /proc/PID/sessionid */
	uint32_t pid;   /* 6  the door */
	uint64_t start; /* 7  its start time, clock ticks since boot, proc(5) */
	struct event_text user; /* 8  name of uid when it began */
	struct event_text
	    tty; /* 9  outer terminal, "pts/3"; absent without one */
	struct event_text inner; /* 10 inner terminal */
	uint16_t cols, rows;     /* 11, 12 */
	struct event_text term;  /* 13 claimed: TERM */
	struct event_text
	    from; /* 14 claimed: SSH_CONNECTION's address, or absent */
	struct event_text
	    command; /* 15 claimed: argv joined with NUL; absent: login shell */
	bool command_cut;        /* 16 argv was longer than EVENT_ARGV_MAX */
	uint32_t recorder_pid;   /* 17 opseal-rec */
	uint64_t recorder_start; /* 18 */
	struct event_text host;  /* 19 nodename, uname(2) */
	bool input;              /* 20 input recording is on */
	uint64_t realtime;       /* 21 CLOCK_REALTIME at open, ns */
	struct event_text login; /* 22 name of auid, absent if unset */
	/* The inner terminal's number, and its devpts's: major << 20 | minor. */
	bool has_inner;
	bool has_inner_dev;           /* the same: put sets it, get checks it */
	uint32_t inner_fs, inner_dev; /* 23, 24 */
	/* There if the session was not recorded but imported: import.h reads it.
	 * Then 2..8, 17..19 and 22 are of who imported it, 21 is when, and 9,
	 * 11..13 and 15 are what the file says. */
	struct event_text import; /* 25 */
	/* The processes that the door descends from, nearest first, each u32 pid
	 * and u64 start time: event_process_put() and _get(). */
	struct event_text ancestors; /* 26 */
	/* To whom it counts (daemon/charge.h); absent: to uid. */
	bool has_charge;
	uint32_t charge; /* 50 */
};
/* To whom it counts. */
uint32_t event_open_charge(const struct event_open *e);

/* A process, as the pid and the start time that tell it from every other of
 * the boot. */
#define EVENT_PROCESS_LEN 12
#define EVENT_ANCESTORS_MAX 32           /* processes */
#define EVENT_TICK_NS UINT64_C(10000000) /* a clock tick: USER_HZ is 100 */
struct event_process {
	uint32_t pid;
	uint64_t start; /* clock ticks since boot, proc(5) */
};
void event_process_put(struct ops_buf *b, const struct event_process *p);
/* Number i of a text of such; false: there are no more. */
bool event_process_get(
    struct event_text t, size_t i, struct event_process *ret);

enum close_state {
	CLOSE_CLOSED =
	    1,          /* the recorder saw the end; everything shown is here */
	CLOSE_LOST = 2, /* it vanished: end and perhaps more are missing */
};

enum close_why {
	CLOSE_EXIT = 1,        /* the shell or command ended */
	CLOSE_DOOR_KILLED = 2, /* the door vanished, so the session was ended */
	CLOSE_HANGUP = 3,      /* the outer terminal hung up */
	CLOSE_LOG_FAILURE = 4, /* on_log_failure = refuse */
	CLOSE_REBOOT = 5,      /* lost: the machine was restarted */
	CLOSE_RECORDER = 6,    /* lost: the recorder vanished */
	CLOSE_NO_REASON = 7, /* reason = require: not started, none was given */
};

/* REC_SESSION_CLOSE */
struct event_close {
	uint32_t state;      /* 1 enum close_state */
	uint32_t why;        /* 2 enum close_why */
	bool has_status;     /*   status is known */
	uint32_t status;     /* 3 raw wait status, wait(2) */
	uint64_t bytes_out;  /* 4 */
	uint64_t bytes_in;   /* 5 bytes typed (counted even when not kept) */
	uint64_t bytes_lost; /* 6 in GAPs */
	uint64_t records;    /* 7 records of the screen stream */
};

/* REC_ACCESS: session id in the record's head is zero; `session` names what
 * was read, so that reading does not extend the session's own chain. */
struct event_access {
	uint32_t uid;           /* 1 SO_PEERCRED */
	uint32_t auid;          /* 2 */
	uint32_t pid;           /* 3 */
	struct event_text user; /* 4 */
	struct event_text
	    what; /* 5 the command: "cat", "play", "ls", ... (claimed) */
	bool has_session;
	uint8_t session[OPS_ID_LEN]; /* 6 absent: lists, verify, everything */
	bool refused;                /* 7 the answer was no */
};

/* REC_GAP_EVENT, REC_BYPASS, REC_LOSS */
struct event_gap {
	uint64_t bytes; /* 1 not recorded */
	uint64_t from;  /* 2 BOOTTIME */
	uint64_t until; /* 3 */
	bool has_why;
	uint32_t why; /* 4 enum gap_why; absent: the log could not be written */
};
enum gap_why {
	GAP_FULL = 1,  /* the disk was nearly full: the rest is for events */
	GAP_OFF = 2,   /* recording was switched off: DAEMON_OFF says by whom */
	GAP_LIMIT = 4, /* the user had reached screen_rate or screen_day */
};
/* In words, for who reads of a gap; 0: the log could not be written. */
const char *event_gap_why(uint32_t why);
struct event_bypass {
	uint32_t pid;           /* 1 */
	uint32_t uid;           /* 2 */
	struct event_text comm; /* 3 */
};

enum daemon_what {
	DAEMON_START = 1,
	DAEMON_STOP = 2,
	DAEMON_LOG_FAILED = 3, /* the log could not be written since `since` */
	DAEMON_LOG_BACK = 4,
	DAEMON_ANCHOR = 5, /* a checkpoint was handed to an anchor */
	/* What the daemon goes by, from its start or from here on: "sha256 H",
	 * then " changed KEY..." */
	DAEMON_CONFIG = 6,
	/* Recording was switched off, text: why, as was claimed; and on.  Off ends
	 * with DAEMON_ON, or with a DAEMON_START that no DAEMON_OFF follows. */
	DAEMON_OFF = 7,
	DAEMON_ON = 8,
};
/* REC_DAEMON */
struct event_daemon {
	uint32_t what;          /* 1 enum daemon_what */
	uint32_t pid;           /* 2 */
	struct event_text text; /* 3 version, reason, anchor name, ... */
	uint64_t since;         /* 4 BOOTTIME, 0 if not about a span */
	uint64_t realtime;      /* 5 */
	/* Who asked for it, as the kernel says, and the names of these ids. */
	bool has_who;
	bool has_auid;           /* the same: put sets it, get checks it */
	uint32_t uid, auid;      /* 6, 7 */
	struct event_text user;  /* 8 */
	struct event_text login; /* 9 absent if auid is unset */
};

/*
 * Encode: append session id and CBOR map to b (whose max the caller set,
 * usually RECORD_PAYLOAD_MAX).  Check with ops_buf_check().  Texts over their
 * limit are cut there, so that a claim can't keep an event from being written;
 * cutting the command also sets key 16.
 */
void event_open_put(struct ops_buf *b, const uint8_t id[static OPS_ID_LEN],
    const struct event_open *e);
void event_close_put(struct ops_buf *b, const uint8_t id[static OPS_ID_LEN],
    const struct event_close *e);
void event_access_put(struct ops_buf *b, const struct event_access *e);
void event_gap_put(struct ops_buf *b, const uint8_t id[static OPS_ID_LEN],
    const struct event_gap *e);
void event_bypass_put(struct ops_buf *b, const uint8_t id[static OPS_ID_LEN],
    const struct event_bypass *e);
void event_daemon_put(struct ops_buf *b, const struct event_daemon *e);

/* The session whose account counts this record: that of an event.  False: none,
 * or the record is a program's, which may come after the session's end. */
bool event_owner(const struct record *r, uint8_t id[static OPS_ID_LEN]);

/* Decode the payload of a record of the matching type (id included, skipped).
 * Texts point into p.  Anything wrong is OPS_EFORMAT, leftover bytes too;
 * *ret is then untouched. */
int event_open_get(
    const uint8_t *p, size_t n, struct event_open *ret, struct ops_err *err);
int event_close_get(
    const uint8_t *p, size_t n, struct event_close *ret, struct ops_err *err);
int event_access_get(
    const uint8_t *p, size_t n, struct event_access *ret, struct ops_err *err);
int event_gap_get(
    const uint8_t *p, size_t n, struct event_gap *ret, struct ops_err *err);
int event_bypass_get(
    const uint8_t *p, size_t n, struct event_bypass *ret, struct ops_err *err);
int event_daemon_get(
    const uint8_t *p, size_t n, struct event_daemon *ret, struct ops_err *err);

#endif
