/*
 * session - the sessions of a store, told from its events streams.
 *
 * The state shown is the honest one: "closed" only where SESSION-CLOSE is in
 * the log and says so.  Strings are owned by the list.
 *
 * Fuzzed: session
 */
#ifndef OPS_SESSION_H
#define OPS_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "logins.h"
#include "record/event.h"
#include "record/import.h"
#include "store.h"

enum session_state {
	SESSION_ACTIVE,  /* open, in the boot that was last written */
	SESSION_CLOSED,  /* ended, everything shown is here */
	SESSION_GAPPED,  /* ended or active, but GAPs say bytes are missing */
	SESSION_LOST,    /* its end is missing */
	SESSION_DAMAGED, /* it ended, but how can't be read: session_missing */
};

struct session {
	uint8_t id[OPS_ID_LEN];
	char id_text[OPS_ID_TEXT_LEN + 1];
	enum session_state state;
	bool sealed;            /* all of it, and its CLOSE leaf */
	struct event_open open; /* texts owned by the list */
	bool has_close;
	struct event_close close;
	/* CLOCK_REALTIME ns.  Of a session that was imported it is when it says
	 * that it began, if it does. */
	uint64_t start;
	uint64_t end;                          /* 0: unknown or active */
	uint64_t start_boottime, end_boottime; /* for offsets; end 0 as above */
	/* When the machine was last started before; not part of what
	 * session_put() sends. */
	bool has_boot;
	uint8_t boot[LOGINS_BOOT];
	uint64_t bytes_lost;      /* from GAP events */
	uint64_t bypasses;        /* SCREEN-BYPASS events */
	bool asked;               /* for a reason when it began; */
	struct event_text reason; /* it (claimed), absent: none */
	uint64_t notes;           /* opseal note, while it went on */
	bool noted; /* the filter's note is in one of these; not part of what
		     * session_put() sends */
	bool has_commands; /* lib/index knows how many it has */
	uint32_t commands;
	uint64_t
	    last; /* CLOCK_REALTIME of its newest screen record known, for idle */
	uint64_t logged; /* CLOCK_REALTIME of its OPEN: when it was imported */
	bool has_login;  /* how somebody came here is known; texts owned by the
			  * list.  Of an imported session it isn't. */
	struct login login;
	/* What came in and went out on that login's connection, the sessions
	 * beside this one too; known when it has ended. */
	bool has_connection;
	uint64_t connection_in, connection_out;
};

/* What of the events could not be read.  Sessions that only those tell of are
 * not in the list, and others may lack what became of them. */
#define SESSION_WHY_MAX 240
struct session_missing {
	uint64_t frames; /* 0: all of them were read */
	uint64_t of;
	char why[SESSION_WHY_MAX]; /* of the first */
};

struct session_list {
	struct session *s; /* oldest first */
	size_t n;
	struct arena *arena;
	struct session_missing missing;
	/* The newest time (CLOCK_REALTIME, ns) at which recording may have been
	 * switched off or on, see switches.h; 0: it never was. */
	uint64_t switched;
	struct logins logins; /* all of the store, whatever is kept; none from
			       * session_get() */
};

/* Was it read from a file, and not recorded? */
static inline bool
session_imported(const struct session *s)
{
	return s->open.import.p != NULL;
}

/* The person behind it; an absent text: not known. */
static inline struct event_text
session_person(const struct session *s)
{
	return s->has_login ? s->login.person : (struct event_text){ 0 };
}

/* Which to keep; zero-initialised keeps all. */
struct session_filter {
	bool has_uid;
	uint32_t uid;     /* sessions of this uid (uid or auid) */
	const char *user; /* name, of uid or auid; of no imported one, since
				* nothing says whose it was */
	uint64_t since, until; /* wall clock ns; overlap; 0: open */
	bool active;
	const char *command; /* substring of the command */
	bool commands;       /* say how many each had: lookup_sessions() can */
	const char *person;
	const char *note; /* substring of its reason or of a note */
	bool note_marks;  /* only session.noted: those without it are kept */
	/* Who may see only what is of the same person, where one is known:
	 * login_may_read().  Needs the logins of a store. */
	const struct login_way *reader;
};

int session_list_load(struct store *s, const struct session_filter *f,
    struct session_list *ret, struct ops_err *err);
/* Leave out what isn't wanted. */
void session_list_keep(struct session_list *l, const struct session_filter *f);
void session_list_free(struct session_list *l);
/* Append a copy, with its texts. */
int session_list_add(
    struct session_list *l, const struct session *s, struct ops_err *err);
/* Append a copy to l->logins, with its texts. */
int session_list_add_login(
    struct session_list *l, const struct login_seen *in, struct ops_err *err);

/*
 * Find the one that `name` means: an id or a unique prefix of one, "last",
 * "last:USER", "pts/3" (newest on that terminal, outer or inner), "." (the
 * session with this inner terminal: `tty`, NULL if none).  All but the id mean
 * recorded ones: what a file claims is not found by accident.  A suffix ":N" or
 * "@1:23" must have been cut off before.  OPS_ENOENT, or OPS_EUSAGE if the
 * prefix fits several (err says which).
 */
int session_find(const struct session_list *l, const char *name,
    const char *tty, const struct session **ret, struct ops_err *err);

/* Word for a state, as lists and JSON print it. */
const char *session_state_name(enum session_state s);

/* One session as a CBOR map and back, for query's answers.  get: strings are
 * copied into the list, to which the session is appended. */
void session_put(struct ops_buf *b, const struct session *s);
int session_get(
    const uint8_t *p, size_t n, struct session_list *l, struct ops_err *err);

#endif
