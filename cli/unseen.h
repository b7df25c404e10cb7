/*
 * unseen - logins that were not recorded from their begin, for `opseal status
 * --coverage`: those that PAM told of, and those that go on now, as the kernel's audit
 * sessions of all living processes tell.  They have no session, or one that was begun
 * by hand.
 */
#ifndef OPS_CLI_UNSEEN_H
#define OPS_CLI_UNSEEN_H

#include <stdbool.h>
#include <stdint.h>

#include "cli.h"
#include "store/switches.h"
#include "store/visits.h"

#define UNSEEN_COMM 64

struct unseen_row {
	struct visit v;         /* its texts are the list's */
	bool lives;             /* a process of it does */
	char comm[UNSEEN_COMM]; /* name of the oldest; claimed */
	const char *excuse;     /* NULL: none */
	const struct switched
	    *off; /* recording was off as it began; NULL: on */
};

struct unseen {
	uint64_t
	    logins;    /* in that time, with those that only the kernel knows */
	uint64_t with; /* that have a session, of their door */
	uint64_t assumed; /* of these: that it is their door's */
	uint64_t by_hand; /* rows that have one */
	struct unseen_row *row;
	size_t n;
	struct visits visits;
	struct switches switches;
};

/* captured: programs were, so that none is something to say. */
int unseen_load(struct cli *cli, uint64_t since, uint64_t until, bool captured,
    struct unseen *ret, struct ops_err *err);
void unseen_free(struct unseen *u);

/* Rows that no excuse is known for. */
uint64_t unseen_unexplained(const struct unseen *u);

int unseen_put(const struct cli *cli, const struct unseen *u,
    struct ops_buf *out, struct ops_err *err);
void unseen_put_json(
    const struct cli *cli, const struct unseen *u, struct ops_buf *out);

#endif
