/*
 * lead - the words in which the index is asked for programs.
 *
 * One condition leads: its index is gone through from the newest row on; the
 * others are looked at for each row.  Where persons are asked for one of those
 * is whose(), see whose.h.  All texts are ours; what somebody asks
 * for is bound to the numbers of enum lead_bound.
 */
#ifndef OPS_INDEX_LEAD_H
#define OPS_INDEX_LEAD_H

#include <stdbool.h>

#include "store/programs.h"

#define LEAD_SQL_MAX 2048

#define LEAD_COLUMNS                                                           \
	"p.id, p.start_at, p.stream, p.end_at, p.end_stream, p.next_at, "      \
	"p.next_stream, p.time, p.n, p.failed, p.exe, p.hole_at, "             \
	"p.hole_stream "

/* ?1 and so on. */
enum lead_bound {
	BOUND_NAME = 1,
	BOUND_SESSION,
	BOUND_TTY,
	BOUND_EUID,
	BOUND_OWNER,
	BOUND_LOGIN,
	BOUND_SINCE,
	BOUND_UNTIL,
	BOUND_EXE,
	BOUND_WHOSE /* a session, or an audit session */
};

/* The session that is asked for. */
#define LEAD_ASKED "(SELECT id FROM session s WHERE s.session = ?2)"

/* What rows are gone through by: the first that is asked for leads; the plus in
 * the other conditions keeps SQLite from another choice. */
struct lead {
	const char *from, *where;
	const char *time; /* the table whose times they are ordered by */
	bool name, session, tty, exe, failed, euid, owner, login;
};

/* Is only what the kernel's accounting tells of asked for? */
bool lead_accounted(const struct program_filter *f);

/* few_exes: the paths that fit f->exe are known, and each is asked for. */
struct lead lead_of(const struct program_filter *f, bool few_exes);

/* The conditions that don't lead, each with its AND in front. */
const char *lead_rest(const struct program_filter *f, const struct lead *l,
    char out[static LEAD_SQL_MAX / 2]);

/* All of it: SELECT LEAD_COLUMNS, the newest row first. */
const char *lead_newest(const struct program_filter *f, const struct lead *l,
    char out[static LEAD_SQL_MAX]);

#endif
