/* The unsealed tail: batches signed and whole, from where the leaves end. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "check_work.h"
#include "record/event.h"
#include "walread.h"

struct tail {
	struct check *c;
	uint64_t records;
	uint64_t batches;
	uint64_t period;
};

/* An event that no frame holds yet may be all that tells of its session. */
static void
take_event(struct check *c, const struct wal_entry *e)
{
	uint8_t id[OPS_ID_LEN];
	struct record r;

	if (e->class != CLASS_EVENTS ||
	    record_decode(e->record, e->len, &r, NULL) < 0 ||
	    !event_owner(&r, id))
		return;
	check_met_session(c, id);
	c->r->events += c->one && check_wants(c, id);
}

static int
take_entry(struct tail *t, const struct wal_entry *e, const char *where,
    struct ops_err *err)
{
	struct history *h = &t->c->h;
	struct history_stream *s = history_stream_get(h, e->stream, e->class);
	char id[OPS_ID_TEXT_LEN + 1];

	if (s == NULL)
		return check_no_memory(err);
	if (!s->in_wal) {
		s->in_wal = true;
		s->wal_next = s->next_record;
	}
	ops_id_text(e->stream, id);
	if (e->class != s->class) {
		check_say(t->c, FIND_TAMPER, where,
		    "stream %s: a record of another class", id);
	} else if (e->number > s->wal_next) {
		check_say(t->c, FIND_MISSING, where,
		    "stream %s: record %" PRIu64 " follows %" PRIu64, id,
		    e->number, s->wal_next);
		s->wal_next = e->number + 1;
	} else if (e->number == s->wal_next) {
		s->wal_next++;
		s->wal_records++;
		s->wal_bytes += e->len;
		t->records++;
		take_event(t->c, e);
	} /* else it stands in a frame already: a crash cut the seal short */
	return 0;
}

static int
take_batch(struct tail *t, const struct wal_reader *r,
    const struct wal_batch *b, struct ops_err *err)
{
	const struct history *h = &t->c->h;
	const char *where = wal_where(r);
	bool is_signed = history_batch_signed(h, b);
	struct wal_entry e;
	size_t at = 0;

	if (t->batches++ == 0 &&
	    memcmp(b->prev, h->wal.chain, OPS_HASH_LEN) != 0)
		check_say(t->c, FIND_TAMPER, where,
		    "batch %" PRIu64 " does not continue what was sealed",
		    b->number);
	if (!is_signed)
		check_say(t->c, FIND_TAMPER, where,
		    "batch %" PRIu64
		    " is not signed by the key of period %" PRIu64,
		    b->number, b->period);
	if (h->clean)
		check_say(t->c, FIND_TAMPER, where,
		    "batch %" PRIu64 " came after the log was closed",
		    b->number);
	while (wal_entry_next(b, &at, &e) == 1) {
		if (take_entry(t, &e, where, err) < 0)
			return -1;
		if (is_signed)
			check_tail_entry(t->c, &e);
	}
	return 0;
}

/* A copy without wal/ and keys/ (design 4.8) can't be told from a store that
 * lost only its unsealed tail; nobody could prove that tail anyway. */
static void
judge_files(struct check *c, const struct wal_reader *r)
{
	if (c->h.logs == 0 || wal_has_start(r))
		return;
	if (c->h.clean && wal_files(r) == 0)
		return;
	if (wal_files(r) == 0 && !vfs_exists(c->v, "keys") &&
	    !vfs_exists(c->v, "wal")) {
		c->copy = true;
		check_say(c, FIND_UNSEALED, "wal",
		    "this is a copy without it: what was not sealed yet is "
		    "not here");
	} else if (!c->h.clean)
		check_say(c, FIND_MISSING, "wal",
		    "there is no file with batch %" PRIu64
		    ", though the log was not closed",
		    c->h.wal.batch);
}

static void
judge_end(struct tail *t, const struct wal_reader *r)
{
	const char *where, *detail;
	uint64_t torn;

	switch (wal_reader_end(r, &where, &detail, &torn)) {
	case WAL_END_CLEAN:
		break;
	case WAL_END_TORN:
		check_say(t->c, FIND_CRASH, where,
		    "a batch was cut short: %" PRIu64
		    " bytes, never acknowledged",
		    torn);
		break;
	case WAL_END_DAMAGED:
		t->c->wal_damaged = true;
		check_say(t->c, FIND_TAMPER, where, "%s", detail);
		break;
	}
	if (!t->c->h.clean && wal_stops_short(r))
		check_say(t->c, FIND_MISSING, where,
		    "batch %" PRIu64 ", or one before it that is sealed "
		    "already, is not there",
		    t->c->h.wal.batch);
	if (t->c->h.clean && wal_files(r) > 0)
		check_say(t->c, FIND_CRASH, "wal",
		    "files are left, though the log was closed");
	if (t->records > 0)
		check_say(t->c, FIND_UNSEALED, "wal",
		    "%" PRIu64 " record%s durable, but not sealed yet",
		    t->records, t->records == 1 ? " is" : "s are");
}

bool
check_moved_on(struct check *c)
{
	struct wal_reader *r;
	struct wal_batch b;
	bool more;

	if (history_moved_on(c->v, &c->h))
		return true;
	if (c->wal_end == 0 || wal_open_read(c->v, c->wal_end, &r, NULL) < 0)
		return false;
	/* Only what is signed: somebody else's bytes are not the writer. */
	more = wal_next(r, &b, NULL) == 1 && history_batch_signed(&c->h, &b);
	wal_reader_free(r);
	return more;
}

/* A successor that has no SEAL yet: its frames hold what the log before left
 * in the WAL. */
static int
read_replayed(struct check *c, struct ops_err *err)
{
	struct wal_reader *r;
	struct wal_batch b;
	struct wal_entry e;
	int rc;

	if (c->h.replayed.batch == c->h.wal.batch)
		return 0;
	if (wal_open_read(c->v, c->h.replayed.batch, &r, NULL) < 0)
		return 0; /* it was named */
	while ((rc = wal_next(r, &b, err)) == 1) {
		size_t at = 0;

		while (history_batch_signed(&c->h, &b) &&
		       wal_entry_next(&b, &at, &e) == 1)
			check_tail_entry(c, &e);
	}
	wal_reader_free(r);
	return rc < 0 && err != NULL && err->code == OPS_ENOMEM ? -1 : 0;
}

int
check_wal(struct check *c, struct ops_err *err)
{
	struct check_mark mark = check_mark(c);
	struct tail t = { .c = c };
	struct ops_err why = { 0 };
	struct wal_reader *r;
	struct wal_batch b;
	uint8_t chain[OPS_HASH_LEN];
	int rc;

	c->wal_end = c->h.wal.batch;
	if (wal_open_read(c->v, c->h.wal.batch, &r, &why) < 0) {
		if (why.code == OPS_ENOMEM)
			return check_no_memory(err);
		c->wal_unread = true;
		check_say(c, FIND_UNREADABLE, "wal", "%s", why.msg);
		return 0;
	}
	judge_files(c, r);
	if (read_replayed(c, err) < 0) {
		wal_reader_free(r);
		return -1;
	}
	while ((rc = wal_next(r, &b, &why)) == 1)
		if (take_batch(&t, r, &b, err) < 0)
			break;
	if (rc < 0) {
		c->wal_unread = true;
		check_say(c, FIND_UNREADABLE, "wal", "%s", why.msg);
	}
	if (rc <= 0)
		judge_end(&t, r);
	if (t.batches > 0)
		wal_position(r, &c->wal_end, chain);
	wal_reader_free(r);
	/* The WAL is not that of one session. */
	if (c->one)
		check_take_back(c, &mark);
	/* Batches were signed with keys of later leaves, files were taken
	 * away: nothing about this WAL can be said from these leaves. */
	if (c->r->fails > mark.fails && history_moved_on(c->v, &c->h)) {
		check_take_back(c, &mark);
		c->wal_moved = true;
		c->wal_damaged = false;
		check_say(c, FIND_UNSEALED, "wal",
		    "the writer went on meanwhile; what came after these "
		    "leaves was not checked");
	}
	return rc == 1 ? -1 : 0;
}
