/*
 * login - the bodies of LOGIN and LOGOUT, records of the events stream: who
 * logged in, as the PAM module tells.
 *
 * As in event.h; the session id in front is zero.  A session is joined to its
 * login when the log is read (store/logins.h).
 *
 * Provenance: keys 1 to 4 are the kernel's word about the process that PAM ran
 * in, read by the writer.  The others are of that process, which is root's: the
 * account, and what the service says of where and how.  The key's comment is
 * claimed: it stands in a file of the account's.
 *
 * Fuzzed: login
 */
#ifndef OPS_LOGIN_H
#define OPS_LOGIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "event.h"

#define LOGIN_PRINCIPALS_MAX 2048 /* bytes of them, a NUL between */

/* How the person is known. */
enum login_how {
	LOGIN_NOBODY = 0,      /* it isn't */
	LOGIN_MAP = 1,         /* /etc/opseal/people */
	LOGIN_COMMENT = 2,     /* the key's comment; claimed */
	LOGIN_FINGERPRINT = 3, /* only which key it was */
	LOGIN_HOWS,
};

/* REC_LOGIN */
struct login {
	uint32_t auid;          /* 1  /proc/PID/loginuid */
	uint32_t ses;           /* 2  /proc/PID/sessionid */
	uint32_t pid;           /* 3  the process that PAM ran in */
	uint64_t start;         /* 4  its start time, clock ticks since boot */
	uint32_t uid;           /* 5  of the account */
	struct event_text user; /* 6  the account's name */
	struct event_text service; /* 7  "sshd" */
	struct event_text from;    /* 8  PAM_RHOST, or absent */
	struct event_text tty;     /* 9  PAM_TTY, or absent */
	struct event_text method;  /* 10 "publickey", "password"; of several, a
				   * comma between; absent: not told */
	struct event_text key;     /* 11 "SHA256:..." of the key, or absent */
	struct event_text type;    /* 12 of it: "ssh-ed25519" */
	/* Of a certificate: */
	struct event_text cert_id;    /* 13 key id; absent: no certificate */
	uint64_t serial;              /* 14 */
	struct event_text ca;         /* 15 "SHA256:..." of who signed it */
	struct event_text principals; /* 16 a NUL between */
	struct event_text comment;    /* 17 claimed: of the key */
	struct event_text person;     /* 18 absent: not known */
	uint32_t how;                 /* 19 enum login_how */
	uint64_t realtime;            /* 20 CLOCK_REALTIME, ns */
};

/* REC_LOGOUT */
struct logout {
	uint32_t auid;             /* 1 as in the LOGIN */
	uint32_t ses;              /* 2 */
	uint32_t pid;              /* 3 */
	uint64_t start;            /* 4 */
	struct event_text user;    /* 5 the account's name */
	struct event_text service; /* 6 */
	bool has_bytes;            /*   known: */
	bool has_bytes_out;        /*   the same: put sets it, get checks it */
	uint64_t bytes_in;         /* 7 that came in on its TCP connection */
	uint64_t bytes_out;        /* 8 and went out, as the kernel counts */
	uint64_t realtime;         /* 9 */
};

/* Encode and decode, as the others of event.h.  A LOGIN whose how says that a
 * person is known, and that has none, or the other way round, is no LOGIN. */
void login_put(struct ops_buf *b, const struct login *l);
void logout_put(struct ops_buf *b, const struct logout *l);
int login_get(
    const uint8_t *p, size_t n, struct login *ret, struct ops_err *err);
int logout_get(
    const uint8_t *p, size_t n, struct logout *ret, struct ops_err *err);

/* "map", "comment", "fingerprint"; NULL: not known. */
const char *login_how_name(uint32_t how);

#endif
