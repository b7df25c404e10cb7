/*
 * programs - what ran, told from the programs streams of a store.
 *
 * One entry an exec; a process that executes again has one more, and its end
 * belongs to the last.  Execs that failed, what was lost, and ends that only the
 * kernel's accounting tells of are entries too.
 * Strings are owned by the list.
 *
 * Fuzzed: programs
 */
#ifndef OPS_PROGRAMS_H
#define OPS_PROGRAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "logins.h"
#include "record/program.h"
#include "store.h"

enum program_kind {
	PROGRAM_RAN = 1,
	PROGRAM_FAILED = 2, /* claimed: an exec that did not happen */
	PROGRAM_LOST = 3,   /* what capture could not see; without a number:
			     * it didn't run then, and nobody counted */
	PROGRAM_ENDED = 4,  /* of a process whose exec is not here: it executed
			     * nothing (PROGRAM_FORKED), or before capture ran */
	PROGRAM_ACCOUNTED = 5, /* an end by the kernel's accounting alone */
	PROGRAM_COVERAGE = 6,  /* what the two sources saw, counted */
	PROGRAM_SWITCHED =
	    7, /* recording was switched off, or on: put into a list
				* by who shows it, never in a store's */
};

struct switched;

struct program {
	uint8_t kind;                /* enum program_kind */
	bool sealed;                 /* its start */
	bool replaced;               /* by the process's next exec */
	uint8_t session[OPS_ID_LEN]; /* all zero: none */
	uint32_t number;             /* of its session's commands, from 1 */
	uint32_t login;              /* uid of who logged in; EVENT_UNSET */
	uint64_t time;               /* CLOCK_REALTIME, ns */
	uint64_t boottime;
	bool has_offset;          /* it happened on its session's terminal */
	uint64_t offset;          /* ns since that session's begin */
	struct program_exec exec; /* PROGRAM_RAN; args: all there are.
				   * PROGRAM_ENDED: who, and no more */
	struct program_failed failed; /* PROGRAM_FAILED */
	struct program_loss loss;     /* PROGRAM_LOST */
	/* PROGRAM_ACCOUNTED; exec and end have what it says.  Its time is that
	 * of its begin, as far as that is known. */
	struct program_accounted accounted;
	struct program_coverage coverage; /* PROGRAM_COVERAGE */
	const struct switched *switched;  /* PROGRAM_SWITCHED; borrowed */
	bool has_end;   /* PROGRAM_RAN, PROGRAM_ENDED, PROGRAM_ACCOUNTED */
	uint64_t ended; /* BOOTTIME */
	struct program_ended end;
	/* Where it lies; not part of what program_put() sends. */
	size_t stream;   /* in store_streams() */
	uint64_t record; /* its number there */
	/* PROGRAM_LOST because capture did not run: where it was told of last. */
	bool is_hole;
	size_t hole_stream;
	uint64_t hole_record;
	/* Its audit session, logins_key(), where that isn't its session's, which
	 * then says nothing new; 0: none. */
	uint64_t ses;
	/* While it is walked over for a list: how who ran it came
	 * here, by its session, else by its audit session.  NULL: not known. */
	const struct login *by;
	/* The person of that; absent: not known.  Of a list, its own. */
	struct event_text person;
};

/* Was it read from a file?  Then it carries the session that did so. */
static inline bool
program_imported(const struct program *p)
{
	return p->kind == PROGRAM_ACCOUNTED &&
	       !ops_all_zero(p->session, OPS_ID_LEN);
}

/* Says nothing of anybody, so it may belong to whatever is asked for. */
static inline bool
program_of_nobody(const struct program *p)
{
	return p->kind == PROGRAM_LOST || p->kind == PROGRAM_COVERAGE ||
	       p->kind == PROGRAM_SWITCHED;
}

struct program_list {
	struct program *p; /* in the order of their times */
	size_t n;
	uint64_t missing; /* frames that can't be read, or don't fit */
	uint64_t
	    expired; /* REALTIME up to which there were more; 0: they are all */
	/* As in struct session_list; 0 as well where a daemon was asked, which
	 * doesn't say. */
	uint64_t switched;
	size_t cap;
	struct arena *arena;
	struct ops_buf args; /* of the last one, behind those that it has */
};

/* PROGRAM_LOST has its time at the end of when that was; this is its begin, by the
 * wall clock. */
static inline uint64_t
program_lost_from(const struct program *p)
{
	return p->time - (p->loss.until - p->loss.from);
}
/* Is it known how much it was?  Else capture did not run, so nobody counted. */
bool program_lost_counted(const struct program *p);
/* Capture did not run, and the machine was restarted in that time. */
bool program_lost_restarted(const struct program *p);

enum program_source {
	SOURCE_ANY = 0,
	SOURCE_CAPTURE = 1,
	SOURCE_ACCT = 2,   /* the kernel's accounting alone tells of it */
	SOURCE_IMPORT = 3, /* it was imported: of SOURCE_ACCT, too */
};

/* Which to keep; zero-initialised keeps all but PROGRAM_COVERAGE, and of what
 * executed nothing none. */
struct program_filter {
	bool has_owner;
	uint32_t owner; /* who may see only what he or his login ran */
	bool has_login, has_euid;
	uint32_t login, euid;
	const char *name; /* of the program: of its file, or as it was called */
	const char *exe;  /* path of the file; fnmatch(3) */
	const char *tty;  /* "pts/3" */
	bool has_session;
	uint8_t session[OPS_ID_LEN];
	uint64_t since, until; /* wall clock, ns; 0: open */
	bool failed;           /* ended by a signal or with a status that is not
				* 0, or could not be executed */
	bool forks;            /* what executed nothing, too */
	bool seeded;        /* what ran before capture did, too, but for owner
				* whatever else is asked: PROGRAM_SEEDED */
	bool coverage;      /* only what says how much of all is here:
				* PROGRAM_LOST, _ACCOUNTED, _COVERAGE */
	uint32_t source;    /* enum program_source */
	const char *person; /* who ran it, as program.by says */
	/* Who may see only what is of the same person, where one is known:
	 * login_may_read(). */
	const struct login_way *reader;
	const struct login *me; /* for who loads: the reader's own */
	uint32_t newest; /* at most so many that program_counts(), and what was
				* lost since the oldest of them; 0: all */
};

int program_list_load(struct store *s, const struct program_filter *f,
    struct program_list *ret, struct ops_err *err);
void program_list_free(struct program_list *l);

/* Append a copy; then, if it is an exec whose arguments go on, what came into
 * l->args.  -1: no memory. */
int program_list_add(
    struct program_list *l, const struct program *p, struct ops_err *err);
int program_list_args(struct program_list *l, struct ops_err *err);

/* Is it asked for, as far as its start says?  Then, of all such: those that
 * failed if that is asked, in the order of their times, the newest. */
/* By how somebody came here alone: is that asked for, and may it be seen? */
bool program_login_fits(const struct login *by, const struct program_filter *f);
/* The same of who ran it. */
bool program_person_fits(
    const struct program *p, const struct program_filter *f);
/* Does the filter take program.by? */
static inline bool
program_asks_persons(const struct program_filter *f)
{
	return f->person != NULL || f->reader != NULL;
}
bool program_wanted(const struct program *p, const struct program_filter *f);
bool program_failed(const struct program *p);
void program_list_cut(struct program_list *l, const struct program_filter *f);
/* Keep the newest that program_counts(), and what else is behind the oldest of
 * them; with fewer of them, all.  Are there as many? */
bool program_list_newest(struct program_list *l, size_t newest);

/* PROGRAM_ENDED: fill exec from end. */
void program_from_end(struct program *p);
/* PROGRAM_ACCOUNTED: fill exec and end from accounted. */
void program_from_accounted(struct program *p);

/* Did it run before capture, and was found doing so? */
bool program_seeded(const struct program *p);
/* Is it one that was asked for, and not only something that comes with them? */
bool program_counts(const struct program *p);

/* Name of a terminal by its number (major << 20 | minor): "pts/3". */
#define PROGRAM_TTY_NAME 24
void program_tty(uint32_t tty, char out[static PROGRAM_TTY_NAME]);
uint32_t program_terminal(const struct program *p); /* 0: none is known */
/* A path's last part, behind its last slash; t itself if it has none. */
struct event_text program_last_part(struct event_text t);
/* That of the executed file's path; else of argv[0], else comm. */
struct event_text program_name(const struct program *p);
/* All that filter.name may be, some perhaps twice; how many. */
#define PROGRAM_NAMES 3
size_t program_names(
    const struct program *p, struct event_text ret[static PROGRAM_NAMES]);
/* What filter.exe is held against, and how. */
struct event_text program_path(const struct program *p);
bool program_path_fits(struct event_text path, const char *pattern);

/*
 * One entry as bytes and back, for query's answers.  Arguments over
 * PROGRAM_ARGS_MAX are not in it: *more says how many bytes of them follow, for
 * program_more() in as many pieces as there are.  get: the entry is appended to
 * the list, which owns its texts.
 */
void program_put(struct ops_buf *b, const struct program *p);
int program_get(const uint8_t *p, size_t n, struct program_list *l,
    uint64_t *more, struct ops_err *err);
int program_more(const uint8_t *p, size_t n, struct program_list *l,
    uint64_t *more, struct ops_err *err);

#endif
