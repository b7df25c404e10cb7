/*
 * logins - the logins of a store, and by which of them something came.
 *
 * A session, a program or a reader is joined to the LOGIN of its boot that has
 * its audit session; where several have it (a su within, a container whose
 * logins the kernel doesn't tell apart), to the one whose process is the nearest
 * it descends from and that tells a method or a person; else the first that
 * tells a person; else the first.  Without an audit session only descent counts.
 *
 * A LOGOUT belongs to the last LOGIN before it of the same process.
 *
 * Fuzzed: logins
 */
#ifndef OPS_LOGINS_H
#define OPS_LOGINS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/err.h"
#include "record/login.h"

#define LOGINS_BOOT 16 /* bytes of a boot id */

struct login_seen {
	uint8_t boot[LOGINS_BOOT];
	uint64_t time; /* BOOTTIME */
	uint64_t wall; /* CLOCK_REALTIME, ns */
	struct login l;
	bool has_out; /* its LOGOUT was seen */
	uint64_t out_wall;
	struct logout out;
	uint32_t sessions; /* that are joined to it */
	bool sealed;       /* both of them, as far as they are there */
};

struct logout_seen {
	uint8_t boot[LOGINS_BOOT];
	uint64_t time, wall;
	bool sealed;
	struct logout o;
};

/* Zero-initialised there are none. */
struct logins {
	struct login_seen *l;
	size_t n, cap;
	size_t *process; /* places in l, by boot, process and time */
	struct logout_seen *out;
	size_t n_out, cap_out;
};

/* l's texts are borrowed. */
int logins_add(struct logins *all, const uint8_t boot[static LOGINS_BOOT],
    uint64_t time, const struct login *l, struct ops_err *err);
/* The same of a LOGOUT. */
int logins_add_out(
    struct logins *all, const struct logout_seen *o, struct ops_err *err);
/* After the last one, before any is looked for. */
int logins_sort(struct logins *all, struct ops_err *err);
void logins_free(struct logins *all);

/* How something came to be: its boot, audit session (EVENT_UNSET: none), itself
 * and whom it descends from, as in event_open; and when. */
struct login_way {
	uint8_t boot[LOGINS_BOOT];
	uint32_t ses;
	struct event_process self;
	struct event_text ancestors;
	uint64_t when; /* BOOTTIME; one process may log in several, one after
			* the other */
};
/* NULL: none is known. */
const struct login *logins_of(
    const struct logins *all, const struct login_way *w);

/* What else is known of one that logins_of() gave. */
struct login_seen *logins_seen(struct logins *all, const struct login *l);

/* By boot (its first bytes) and audit session alone. */
const struct login *logins_of_ses(
    const struct logins *all, const uint8_t boot[static 4], uint32_t ses);

/* Both as one number. */
static inline uint64_t
logins_key(const uint8_t boot[static 4], uint32_t ses)
{
	return (uint64_t)ops_getle32(boot) << 32 | ses;
}

/* Is a person known?  NULL is fine, and nobody. */
bool login_has_person(const struct login *l);
/* Name "-": that none is. */
bool login_is_person(const struct login *l, const char *name);

/*
 * May who came by `reader` see, behind a shared account, what came by `l`?  Where
 * no person is known of that, nothing stands against it.  Else it must be the
 * same one: by name only if root's map says so of both; by what else is known,
 * only if it was the same key.  Anybody can write another's name into a comment.
 */
bool login_may_read(const struct login *reader, const struct login *l);

/* Which to show, and which a user may see. */
struct login_filter {
	const char *user, *person; /* as in struct session_filter */
	uint64_t since, until;     /* CLOCK_REALTIME ns, overlap; 0: open */
	bool has_uid;
	uint32_t uid; /* of the account, or the kernel's login uid */
	const struct login_way *reader;
};
/* Keep those, in the order of their times.  It is no place to look one up in
 * any more. */
void logins_keep(struct logins *all, const struct login_filter *f);

/* One as a CBOR map and back, without its boot; texts point into p. */
void login_seen_put(struct ops_buf *b, const struct login_seen *l);
int login_seen_get(
    const uint8_t *p, size_t n, struct login_seen *ret, struct ops_err *err);

#endif
