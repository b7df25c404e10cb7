/*
 * program_walk - from the records of programs streams to what ran.
 *
 * The one place that knows which end belongs to which start, what a session's
 * Nth command is, and who logged in.  What is made of it is the sink's: a list
 * (programs.h), or the index (lib/index).  A walk may go on where an earlier one
 * stopped: give it what that one knew, then the records after that.
 *
 * What comes out depends on the records alone, never on what a sink keeps.
 *
 * Fuzzed: programs
 */
#ifndef OPS_PROGRAM_WALK_H
#define OPS_PROGRAM_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "programs.h"
#include "session.h"
#include "store.h"

#define PROGRAM_NONE UINT64_MAX

struct program_walk;

/* The last process of a pid that ended, by capture, and by the kernel's
 * accounting: an end that both tell of is told once. */
struct program_gone {
	uint32_t pid;
	bool captured, accounted;         /* it is known */
	uint64_t start, end;              /* captured: BOOTTIME */
	uint64_t began, elapsed;          /* accounted: as program_accounted */
	uint64_t over;                    /* BOOTTIME of its end */
	uint64_t entry;                   /* of accounted; PROGRAM_NONE */
	bool new_captured, new_accounted; /* since it was taken last */
};

/* Each returns 0, or -1 with err, which ends the walk. */
struct program_sink {
	/* One more; texts live until it returns.  *at: what the two below call it,
	 * PROGRAM_NONE if they needn't. */
	int (*add)(void *arg, const struct program *p, uint64_t *at,
	    struct ops_err *err);
	/* What at was executed something else, or ended (e; its comm lives until
	 * it returns), as p says: ended, stream, record. */
	int (*replaced)(void *arg, uint64_t at, const struct program *p,
	    struct ops_err *err);
	int (*ended)(void *arg, uint64_t at, const struct program *p,
	    struct ops_err *err);
	/* at, of accounting, is told twice. */
	int (*dropped)(void *arg, uint64_t at, struct ops_err *err);
	/* Arguments; a NULL: that was all of them.  NULL: not wanted. */
	int (*args)(
	    void *arg, const struct program_args *a, struct ops_err *err);
	/* What an earlier walk knew of ends of g->pid: fill what g hasn't.  NULL:
	 * there was none. */
	int (*gone)(void *arg, struct program_gone *g, struct ops_err *err);
	/* Another boot begins: what gone tells of is over.  NULL: never mind. */
	int (*forget)(void *arg, struct ops_err *err);
	bool seeded; /* add gets what ran before capture, too */
};

/* sessions and sink are borrowed; sessions: all there are. */
int program_walk_new(const struct session_list *sessions,
    const struct program_sink *sink, void *arg, struct program_walk **ret,
    struct ops_err *err);
/* From now on entries say by whom they are (program.by), and who f's reader is is
 * told in it (f->me), both of the sessions' list. */
void program_walk_persons(struct program_walk *w, struct program_filter *f);
void program_walk_free(struct program_walk *w); /* NULL is fine */

/* Which records of a stream. */
struct program_span {
	size_t stream;    /* in store_streams() */
	uint64_t from;    /* the first */
	uint64_t most;    /* at most so many; 0: all */
	bool strict;      /* sealed ones only, and stop at what can't be read */
	uint64_t next;    /* out: behind the last that was read */
	uint64_t missing; /* out: frames that can't be read */
};
int program_walk_stream(struct program_walk *w, struct store *s,
    struct program_span *span, struct ops_err *err);

/* The sink that fills a list with what a filter wants. */
struct program_keep {
	const struct program_filter *f;
	struct program_list *l; /* at: places in it, until it is cut */
	bool args_follow;       /* the last record was its last exec */
};
extern const struct program_sink program_keep_sink;

/* -- what a walk knows -- */

/* A process that may still end. */
struct program_process {
	uint32_t pid;
	bool seeded;
	uint64_t start;
	uint64_t at;
};
/* The next one from *i on, which starts at 0; NULL: no more. */
const struct program_process *program_walk_process(
    const struct program_walk *w, size_t *i);
int program_walk_know(struct program_walk *w, const struct program_process *p,
    struct ops_err *err);

/* The next pid from *i on of which an end came since it was taken last, which this
 * does; NULL: no more. */
const struct program_gone *program_walk_gone(struct program_walk *w, size_t *i);

/* What capture told last, and whether it said that it ended with it.  known, and
 * last 0: that was in an earlier boot, and in this one it hasn't run yet. */
struct program_capturing {
	bool known;
	bool unended;
	uint64_t last; /* BOOTTIME; 0: nothing yet in this boot */
	/* The same, CLOCK_REALTIME.  Who sets known from elsewhere must set it
	 * before more is taken. */
	uint64_t wall;
	size_t stream; /* where that lies */
	uint64_t record;
};
struct program_capturing *program_walk_capturing(struct program_walk *w);
/* Since when capture had not run when it began with p: the BOOTTIME of what it told
 * last; where that was 0, in an earlier boot, by its wall time: as many ns before
 * this boot, a negative number in two's complement, or 0. */
uint64_t program_walk_hole(
    const struct program *p, uint64_t last, uint64_t wall);

/* First bytes of the boot id they are of. */
const uint8_t *program_walk_boot(const struct program_walk *w);
void program_walk_set_boot(
    struct program_walk *w, const uint8_t boot[static 4]);

/* Commands of a session so far; NULL: it isn't in the list. */
uint32_t *program_walk_commands(
    struct program_walk *w, const uint8_t id[static OPS_ID_LEN]);

/* -- one record -- */

/* The entry that record begins, but for its number and, where capture began, since
 * when it hadn't run (is_hole).  Whether it is one is for the walk to know.
 * 0: none. */
int program_walk_entry(const struct program_walk *w, const struct record *r,
    const struct stream_pos *pos, struct program *ret);
/* Does this record end p, or replace it?  Then p says so.  e's texts live as r. */
bool program_walk_is_end(
    const struct record *r, const struct program *p, struct program_ended *e);
/* Is it from the kernel's side, and of the time it says?  Then capture ran. */
bool program_walk_is_captured(const struct record *r);
bool program_walk_is_next(const struct record *r, const struct program *p);

#endif
