/*
 * visits - who was here: the logins of a store as the kernel tells them apart, each
 * with the sessions that it had.
 *
 * A visit is an audit session of one boot, of which a LOGIN or a session tells; where
 * the kernel set none, the process that PAM ran in.  One that has no session is a login
 * that was not recorded, for good reasons or bad ones.
 *
 * Fuzzed: visits
 */
#ifndef OPS_VISITS_H
#define OPS_VISITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "logins.h"
#include "store.h"

#define VISITS_MAX 1000000

/* How a login's first session began, by whom its door descends from. */
enum visit_opened {
	OPENED_NOT = 0, /* it has none */
	OPENED_DOOR =
	    1, /* what logged in started the door itself, and nothing else
			  * before: it was recorded from its begin */
	OPENED_HAND =
	    2, /* a program of the login did, later: opseal record, or what
			  * a profile holds */
	OPENED_ASSUMED =
	    3, /* the log doesn't tell; it is taken for OPENED_DOOR */
	VISIT_OPENED_END
};

/* Texts are owned by the list; an absent one has no p. */
struct visit {
	uint8_t boot[LOGINS_BOOT];   /* 1 */
	uint32_t ses;                /* 2 EVENT_UNSET: the kernel set none */
	uint32_t uid, auid;          /* 3, 4 */
	uint64_t begin;              /* 5 CLOCK_REALTIME, ns */
	uint64_t end;                /* 6 0: it goes on, or isn't known */
	bool has_login;              /* 7 PAM told of it: */
	uint32_t pid;                /* 8 the process that it ran in */
	bool has_bytes;              /* 9 the service's own I/O is known */
	uint64_t bytes_in;           /* 10 */
	uint64_t bytes_out;          /* 11 */
	uint64_t sessions;           /* 12 how many it had */
	uint8_t session[OPS_ID_LEN]; /* 13 the first; zero: none */
	uint32_t opened;             /* 55 enum visit_opened */
	uint64_t opened_at;          /* 56 when, CLOCK_REALTIME, ns; 0: never */
	struct event_process door;   /* 57, 58 of that one */
	struct event_text user;      /* 14 */
	struct event_text service; /* 15 "sshd"; these are absent without one */
	struct event_text from;    /* 16 */
	struct event_text tty;     /* 17 */
	struct event_text method;  /* 18 */
	struct event_text person;  /* 19 */
	uint32_t how;              /* 20 enum login_how */
};

struct visits {
	struct visit *v; /* by their begin */
	size_t n, cap;
	struct arena *arena;
	uint64_t missing; /* frames of the events that can't be read */
};

/* Which to keep; zero-initialised keeps all. */
struct visit_filter {
	uint64_t since, until; /* wall clock ns; overlap; 0: open */
	bool has_uid;
	uint32_t uid; /* those of this uid (uid or auid) */
	/* Who may see only what is of the same person, login_may_read(): a visit in
	 * which nothing is of another. */
	const struct login_way *reader;
};

/* All of the store, zero-initialised *ret. */
int visits_load(struct store *s, const struct visit_filter *f,
    struct visits *ret, struct ops_err *err);
void visits_free(struct visits *all);

/* Was it recorded from its begin, as far as is known? */
static inline bool
visit_recorded(const struct visit *v)
{
	return v->opened == OPENED_DOOR || v->opened == OPENED_ASSUMED;
}

/* One as a CBOR map and back, for query's answers; get: appended to the list. */
void visit_put(struct ops_buf *b, const struct visit *v);
int visit_get(
    const uint8_t *p, size_t n, struct visits *all, struct ops_err *err);

#endif
