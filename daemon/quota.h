/*
 * quota - how much of each user's screens is recorded, so that nobody alone can
 * fill the disk: see doc/design/limits.md.
 *
 * Bytes of screen records are counted as they arrive, by user, against two
 * rules: in a minute, and in a day.  Who passes one is over until all are eased
 * (base/bucket.h).  Whose bytes they are the caller knows (charge.h).
 *
 * There is a place for QUOTA_USERS_MAX users.  For one more, the one who isn't over
 * and has had nothing for longest gives up his.  Only where all of them are over at
 * once, others have no place, and share one between them.
 *
 * Pure: the caller says what time it is (ns of CLOCK_BOOTTIME).  A struct quota
 * that is all zero has no rules and no users.
 */
#ifndef OPS_DAEMON_QUOTA_H
#define OPS_DAEMON_QUOTA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bucket.h"

enum quota_kind {
	QUOTA_RATE, /* screen_rate: over a minute */
	QUOTA_DAY,  /* screen_day */
	QUOTA_KINDS
};

struct quota_user {
	uint32_t uid;  /* first (sorted.h); QUOTA_REST: those without a place */
	uint64_t last; /* when something came of his */
	bool over;
	enum quota_kind which; /* over: which rule it passed */
	uint64_t since;        /* over: since then */
	/* The caller's: when somebody was told of it last; 0: never.  A user is
	 * remembered for QUOTA_TOLD from then on. */
	uint64_t told;
	bool say_end; /* the caller's */
	struct bucket bucket[QUOTA_KINDS];
};
#define QUOTA_TOLD UINT64_C(3600000000000)

#define QUOTA_USERS_MAX 65536
#define QUOTA_REST UINT32_MAX

struct quota {
	uint64_t size[QUOTA_KINDS]; /* the rules, in bytes; 0: none */
	struct quota_user *user;    /* by uid */
	size_t n, cap;
	struct quota_user rest; /* who has no place */
	size_t n_over;          /* with rest */
};

/* The rules are these from now on; see quota_pass() for who is below them now.
 * Rate: bytes a second. */
void quota_set(struct quota *l, uint64_t rate, uint64_t day);

/* This user's screens have n bytes more.  The user who has just passed a limit,
 * until the next call of any of these; NULL: it is as it was (also where
 * there is no memory to count him). */
struct quota_user *quota_count(
    struct quota *l, uint32_t uid, uint64_t now, uint64_t n);

bool quota_over(const struct quota *l, uint32_t uid);
/* Is this user counted there?  One without a place is, in l->rest. */
bool quota_is(const struct quota *l, const struct quota_user *u, uint32_t uid);

/* Who is below all limits again is no longer over: eased is called for each.
 * Who hasn't had anything lately is forgotten.  Call it once a second while
 * n_over isn't 0. */
void quota_pass(struct quota *l, uint64_t now,
    void (*eased)(void *arg, struct quota_user *u), void *arg);

void quota_free(struct quota *l);

#endif
