#include "screen.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "describe.h"
#include "record/parts.h"
#include "remote.h"
#include "store/expire.h"

#define NOTES_MAX 5 /* lines on stderr about single missing parts */

struct screen {
	struct cli *cli;
	const struct session *session;
	struct store *store;
	struct stream_reader *reader;
	struct ops_buf tail; /* unsealed records from the daemon */
	uint64_t tail_first;
	size_t tail_at;
	uint64_t tail_number; /* of the record at tail_at */
	bool in_tail;
	uint64_t next; /* number of the record that must come next */
	struct parts parts;
	/* A record that came after a hole, held back while that is told. */
	bool held;
	struct screen_record after;

	struct screen_hole hole; /* not told yet; to 0: none */
	uint64_t missing;        /* parts that screen_next_noted() met */
	uint64_t gap_bytes;      /* not recorded, by GAP records, */
	uint32_t gap_why;        /* for this reason, */
	bool gap_whys;           /* or for several */
	/* By what rule some of it went; NULL: nothing did. */
	const struct leaf_tombstone *expired;
	bool shown; /* and something is left */
};

/* What a command wrote last is read from its terminal a little after its end;
 * but what is read once another one began is that one's. */
#define LATE_NS UINT64_C(50000000)

static uint64_t
late_end(const struct program_list *l, const struct program *p)
{
	uint64_t late = p->ended + LATE_NS;

	for (size_t i = 0; i < l->n; i++)
		if (l->p[i].kind == PROGRAM_RAN && l->p[i].has_offset &&
		    l->p[i].boottime >= p->ended && l->p[i].boottime < late)
			late = l->p[i].boottime;
	return p->offset + (late - p->boottime);
}

static void
fill_place(struct sessionarg *place, const struct program_list *l,
    const struct program *p)
{
	if (!place->has_offset) {
		place->has_offset = true;
		place->offset = p->offset;
	}
	if (p->has_end || p->replaced) {
		place->has_until = true;
		place->until = p->offset + (p->ended - p->boottime);
		place->late = late_end(l, p);
	}
}

void
screen_programs_missing(struct cli *cli, const struct program_list *l)
{
	if (l->missing > 0)
		cli_partial(cli,
		    "%" PRIu64
		    " frames of programs can't be read: commands, or how they "
		    "ended, may be missing, and the numbers behind them be "
		    "other commands'; opseal verify says more",
		    l->missing);
}

/* Where its Nth command is. */
static int
find_command(struct cli *cli, const struct session *s, struct sessionarg *place,
    struct ops_err *err)
{
	struct program_filter f = { .has_session = true };
	struct program_list l;
	const struct program *p = NULL;
	uint32_t last = 0;
	int rc = 0;

	memcpy(f.session, s->id, OPS_ID_LEN);
	if (source_programs(cli->source, &f, &l, err) < 0)
		return -1;
	for (size_t i = 0; i < l.n; i++) {
		/* Shown in it, but another's command. */
		if (memcmp(l.p[i].session, s->id, OPS_ID_LEN) != 0)
			continue;
		if (l.p[i].number > last)
			last = l.p[i].number;
		if (l.p[i].number == place->number)
			p = &l.p[i];
	}
	screen_programs_missing(cli, &l);
	if (p == NULL)
		rc = ops_fail(err, OPS_ENOENT,
		    "session %s has no command %" PRIu64
		    ", the last is %" PRIu32,
		    s->id_text, place->number, last);
	else if (!p->has_offset)
		rc = ops_fail(err, OPS_EUSAGE,
		    "command %" PRIu64 " of %s did not run on its terminal, so "
		    "it has no place in the recording",
		    place->number, s->id_text);
	else
		fill_place(place, &l, p);
	program_list_free(&l);
	return rc;
}

/* "last@abc": a user's name may hold an @, so it was looked for as it stands.
 * Where what is before it names a session, a time was meant. */
static void
explain_at(const struct session_list *list, const char *name, const char *mine,
    struct ops_err *err)
{
	char before[SESSIONARG_NAME_MAX + 1];
	const struct session *s;
	char *at;

	snprintf(before, sizeof(before), "%s", name);
	at = strrchr(before, '@');
	if (at == NULL)
		return;
	*at = '\0';
	if (session_find(list, before, mine, &s, NULL) == 0)
		ops_fail(err, OPS_EUSAGE,
		    "\"%.60s\" is no time in a session; 83, 1:23 and "
		    "1:02:03.5 are",
		    at + 1);
}

int
screen_find(struct cli *cli, const char *arg, struct session_list *list,
    const struct session **ret, struct sessionarg *place, struct ops_err *err)
{
	static const struct session_filter all = { 0 };
	struct ops_err why = { 0 };
	uint8_t id[OPS_ID_LEN];
	char tty[64] = "";
	const char *mine = NULL;

	if (sessionarg_parse(arg, place, err) < 0)
		return -1;
	if (strcmp(place->name, ".") == 0) {
		if (ttyname_r(STDIN_FILENO, tty, sizeof(tty)) != 0 &&
		    ttyname_r(STDERR_FILENO, tty, sizeof(tty)) != 0)
			return ops_fail(err, OPS_EUSAGE,
			    "\".\" is the session of this terminal, and there "
			    "is none");
		mine = strncmp(tty, "/dev/", 5) == 0 ? tty + 5 : tty;
	}
	if (source_sessions(cli, &all, false, list, err) < 0)
		return -1;
	if (session_find(list, place->name, mine, ret, &why) == 0)
		return place->has_number ? find_command(cli, *ret, place, err)
					 : 0;
	/* Somebody else's session isn't in our list.  Named in full, it is asked
	 * for all the same: whether he may, and that he tried, is the daemon's
	 * to say and to keep. */
	if (why.code == OPS_ENOENT && ops_id_parse(place->name, id) == 0 &&
	    source_ask(cli->source, id, err) < 0)
		return -1;
	if (err != NULL)
		*err = why;
	if (why.code == OPS_ENOENT)
		explain_at(list, place->name, mine, err);
	return -1;
}

int
screen_from(const struct session *s, const struct sessionarg *place,
    uint64_t *ret, struct ops_err *err)
{
	uint64_t from = place->has_offset ? place->offset : 0;
	uint64_t length = describe_duration(s);
	char at[24], end[24];

	/* What is going on may have come that far by now. */
	if (from > length && s->state != SESSION_ACTIVE &&
	    (s->has_close || s->state != SESSION_GAPPED)) {
		ops_offset_text(from, at);
		ops_offset_text(length, end);
		return ops_fail(err, OPS_EUSAGE,
		    "%s ended at %s: there is no %s in it", s->id_text, end,
		    at);
	}
	*ret = from;
	return 0;
}

int
screen_open(struct cli *cli, const struct session *s, struct screen **ret,
    struct ops_err *err)
{
	struct screen *sc = calloc(1, sizeof(*sc));

	if (sc == NULL)
		return ops_fail(err, OPS_ENOMEM, "session: no memory");
	sc->cli = cli;
	sc->session = s;
	sc->tail.max = REMOTE_TAIL_MAX;
	sc->parts.payload.max = PARTS_PAYLOAD_MAX;
	if (source_read(cli->source, s->id, &sc->tail, &sc->tail_first,
		&sc->store, err) < 0 ||
	    screen_rewind(sc, err) < 0) {
		screen_free(sc);
		return -1;
	}
	if (s->open.kind == SESSION_COMMAND && session_imported(s))
		cli_note(cli,
		    "a list of programs: opseal log --session %s shows it",
		    s->id_text);
	else if (s->open.kind == SESSION_COMMAND)
		cli_note(cli,
		    "recorded without a terminal: what it printed is not in "
		    "the log");
	*ret = sc;
	return 0;
}

void
screen_free(struct screen *sc)
{
	if (sc == NULL)
		return;
	stream_free(sc->reader);
	store_free(sc->store);
	ops_buf_free(&sc->tail);
	parts_free(&sc->parts);
	free(sc);
}

int
screen_rewind(struct screen *sc, struct ops_err *err)
{
	stream_free(sc->reader);
	sc->reader = NULL;
	sc->tail_at = 0;
	sc->tail_number = sc->tail_first;
	sc->in_tail = false;
	sc->next = 0;
	sc->held = false;
	sc->hole = (struct screen_hole){ 0 };
	sc->missing = 0;
	sc->gap_bytes = 0;
	sc->gap_why = 0;
	sc->gap_whys = false;
	sc->expired = NULL;
	sc->shown = false;
	if (parts_open(&sc->parts)) {
		parts_free(&sc->parts);
		sc->parts = (struct parts){ .payload.max = PARTS_PAYLOAD_MAX };
	}
	if (stream_open(sc->store, sc->session->id, 0, &sc->reader, err) == 0)
		return 0;
	/* Nothing of it is sealed yet: all there is comes from the tail. */
	sc->in_tail = true;
	return err != NULL && err->code != OPS_ENOENT ? -1 : 0;
}

struct store *
screen_store(struct screen *sc)
{
	return sc->store;
}

static int
next_of_tail(struct screen *sc, struct screen_record *ret, struct ops_err *err)
{
	while (sc->tail_at < sc->tail.len) {
		long used = record_decode(sc->tail.data + sc->tail_at,
		    sc->tail.len - sc->tail_at, &ret->rec, err);

		if (used < 0) {
			sc->tail_at = sc->tail.len;
			return -1;
		}
		sc->tail_at += (size_t)used;
		ret->number = sc->tail_number++;
		ret->sealed = false;
		if (ret->number >= sc->next)
			return 1;
	}
	return 0;
}

/* The next single record, wherever it lies. */
static int
next_single(struct screen *sc, struct screen_record *ret, struct ops_err *err)
{
	struct stream_pos pos;
	int rc;

	if (sc->held) {
		sc->held = false;
		*ret = sc->after;
		return 1;
	}
	if (!sc->in_tail) {
		rc = stream_next(sc->reader, &ret->rec, &pos, err);
		if (rc < 0)
			return -1;
		if (rc > 0) {
			ret->number = pos.number;
			ret->sealed = pos.sealed;
			return 1;
		}
		sc->in_tail = true;
	}
	return next_of_tail(sc, ret, err);
}

/* Number behind the last record that the leaves tell of. */
static uint64_t
frames_end(const struct screen *sc)
{
	const struct store_frame *f;
	size_t n = store_frames(sc->store, sc->session->id, &f);

	return n == 0 ? 0 : f[n - 1].leaf.first + f[n - 1].leaf.count;
}

/* The rule that all records [from, to) went by; NULL: they didn't. */
static const struct leaf_tombstone *
expired_by(const struct screen *sc, uint64_t from, uint64_t to)
{
	const struct leaf_tombstone *t = NULL;
	const struct store_frame *f;
	size_t n = store_frames(sc->store, sc->session->id, &f);

	for (size_t i = 0; i < n && f[i].leaf.first < to; i++) {
		if (f[i].leaf.first + f[i].leaf.count <= from)
			continue;
		t = store_expired(sc->store, &f[i]);
		if (t == NULL)
			return NULL;
	}
	return t;
}

static void
add_hole(struct screen *sc, uint64_t from, uint64_t to)
{
	const struct leaf_tombstone *t;

	if (to <= from)
		return;
	t = expired_by(sc, from, to);
	if (t != NULL)
		sc->expired = t;
	if (sc->hole.to == 0) {
		sc->hole.from = from;
		sc->hole.expired = t;
	} else if (t == NULL) {
		sc->hole.expired = NULL;
	}
	sc->hole.to = to;
	sc->next = to > sc->next ? to : sc->next;
}

bool
screen_take_hole(struct screen *sc, struct screen_hole *ret)
{
	if (sc->hole.to == 0)
		return false;
	*ret = sc->hole;
	sc->hole = (struct screen_hole){ 0 };
	return true;
}

/* As next_single(), and a hole in the numbers is told first. */
static int
next_in_order(struct screen *sc, struct screen_record *ret, struct ops_err *err)
{
	uint64_t from = sc->next;
	int rc = next_single(sc, ret, err);

	if (rc < 0)
		return rc;
	if (rc == 0) {
		add_hole(sc, from, frames_end(sc));
		return 0;
	}
	sc->next = ret->number + 1;
	if (ret->number <= from)
		return 1;
	add_hole(sc, from, ret->number);
	sc->held = true;
	sc->after = *ret;
	return ops_fail(err, OPS_ENOENT,
	    "records %" PRIu64 " to %" PRIu64 " are not there", from,
	    ret->number - 1);
}

static void
take_gap(struct screen *sc, const struct record *r)
{
	uint32_t why = describe_gap_why(r);

	sc->gap_whys |= sc->gap_bytes > 0 && why != sc->gap_why;
	sc->gap_why = why;
	sc->gap_bytes += ops_getle64(r->payload);
}

int
screen_next(struct screen *sc, struct screen_record *ret, struct ops_err *err)
{
	uint64_t start = sc->session->start_boottime;
	struct screen_record one;
	int rc;

	for (;;) {
		rc = next_in_order(sc, &one, err);
		if (rc == 0 && parts_open(&sc->parts)) {
			parts_free(&sc->parts);
			sc->parts =
			    (struct parts){ .payload.max = PARTS_PAYLOAD_MAX };
			return ops_fail(err, OPS_ENOENT,
			    "the end of a record in parts is not there");
		}
		if (rc <= 0)
			return rc;
		*ret = one;
		rc = parts_join(&sc->parts, &one.rec, &ret->rec, err);
		/* What doesn't fit is told, then taken on its own. */
		if (rc < 0) {
			if (!(one.rec.flags & RECORD_PART) ||
			    ops_getle16(one.rec.payload) == 0) {
				sc->held = true;
				sc->after = one;
			}
			return -1;
		}
		if (rc > 0)
			break;
	}
	ret->offset = ret->rec.time > start ? ret->rec.time - start : 0;
	if (ret->rec.type == REC_GAP)
		take_gap(sc, &ret->rec);
	return 1;
}

/* Did screen_next() fail because of what has expired, or at the hole of it? */
static bool
is_excused(struct screen *sc)
{
	const struct store_frame *f =
	    sc->in_tail ? NULL : stream_failed(sc->reader);

	if (sc->held)
		return sc->hole.to != 0 && sc->hole.expired != NULL;
	return f != NULL && store_expired(sc->store, f) != NULL;
}

bool
screen_next_noted(struct screen *sc, struct screen_record *ret)
{
	for (;;) {
		struct ops_err err = { 0 };
		int rc = screen_next(sc, ret, &err);

		if (rc > 0)
			sc->shown = true;
		if (rc >= 0)
			return rc > 0;
		if (is_excused(sc))
			continue;
		if (sc->missing++ < NOTES_MAX)
			cli_note(sc->cli, "%s", err.msg);
	}
}

int
screen_status(struct screen *sc)
{
	uint64_t gaps = sc->gap_bytes;

	/* Its last one may have found no place on the screen, and who stopped
	 * reading has not come to all of them. */
	if (gaps < sc->session->bytes_lost)
		gaps = sc->session->bytes_lost;
	if (gaps > 0)
		cli_note(sc->cli,
		    "%" PRIu64 " bytes of %s were not recorded (%s)", gaps,
		    sc->session->id_text,
		    sc->gap_whys ? "opseal show says why"
				 : event_gap_why(sc->gap_why));
	if (sc->missing > 0)
		cli_note(sc->cli,
		    "parts of %s are missing (%" PRIu64 "); opseal verify "
		    "says why",
		    sc->session->id_text, sc->missing);
	if (sc->expired != NULL) {
		char text[EXPIRE_TEXT];

		expire_text(sc->expired, text);
		cli_note(sc->cli, "%s of %s expired on %s",
		    sc->shown ? "parts of the screen" : "the screen",
		    sc->session->id_text, text);
	}
	return gaps > 0 || sc->missing > 0 || sc->expired != NULL ? CLI_PARTIAL
								  : CLI_FINE;
}
