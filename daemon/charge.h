/*
 * charge - to whom it counts what a process does: its sessions, what they show, its
 * notes and logins.  Why it is so: doc/design/limits.md.
 *
 * It is who logged in, whatever he has become since by su, sudo or in a user
 * namespace; but only where that is proven.  The kernel's login uid is no proof: who
 * has none may choose one, and each of his children another.  It does give each
 * choice an audit session of its own, which nobody can get into.  So a pair of login
 * uid and audit session is proven by a process that has both, and is of that very
 * uid: who chose somebody else's has none.  Root's is never believed so: programs
 * that are setuid root would be its proof.
 *
 * Where nothing proves it, it counts to the uid.  In a user namespace, all uids of one
 * range of /etc/subuid are one.
 *
 * A struct charges that is all zero knows of no login.
 */
#ifndef OPS_DAEMON_CHARGE_H
#define OPS_DAEMON_CHARGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "procid.h"
#include "subids.h"

#define CHARGE_LOGINS_MAX 16384 /* the ones that were asked for last */
#define CHARGE_SUBUID "/etc/subuid"

struct charge_login {
	uint32_t ses; /* first: sorted.h */
	uint32_t auid;
	uint64_t used; /* when */
};

struct charges {
	struct charge_login *login; /* proven; by ses */
	size_t n, cap;
	struct subids sub;
	bool read; /* of the file that it is from: */
	uint64_t dev, ino, size;
	int64_t sec, nsec;
};

/* Are these a login uid and an audit session at all, and not root's? */
bool charge_can_prove(uint32_t auid, uint32_t ses);

/* -- what was proven -- */
/* now: of a clock that doesn't go backwards. */
bool charges_know(struct charges *c, uint32_t auid, uint32_t ses, uint64_t now);
/* Without memory for it, it has to be proven again each time. */
void charges_learn(
    struct charges *c, uint32_t auid, uint32_t ses, uint64_t now);
void charges_free(struct charges *c);

/* -- from /proc -- */
struct charge_descent {
	bool proven;   /* some process up there proves the pair */
	uint32_t user; /* not proven: the uid of the nearest that isn't root's;
			* 0: all are */
};
/* Of a process (which waits for us) and those that it descends from, as far as
 * EVENT_ANCESTORS_MAX of them. */
struct charge_descent charge_descent(
    pid_t pid, uint64_t start, uint32_t auid, uint32_t ses);

struct charge_who {
	pid_t pid;
	uint64_t start; /* clock ticks since boot */
	uint32_t uid, auid, ses;
};
/* To whom it counts what this process does. */
uint32_t charge_of(
    struct charges *c, const struct charge_who *who, uint64_t now);

#endif
