/* What each leaf must say, given all before it (design section 4). */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "history_work.h"
#include "parallel.h"

/* -- signatures -- */

static void
run_job(void *arg, size_t i, unsigned worker)
{
	struct history_job *j = (struct history_job *)arg + i;

	(void)worker;
	j->good = ops_verify(j->pub, j->msg.data, j->msg.len, j->sig);
}

void
history_run_jobs(struct history_work *w)
{
	parallel_for(w->o->threads, w->jobs, run_job, w->job);
	for (size_t i = 0; i < w->jobs; i++)
		if (!w->job[i].good)
			history_say(w, FIND_FORGED_SEAL, w->job[i].where,
			    "not signed by %s", w->job[i].by);
	w->jobs = 0;
}

/* `by` says whose key it must be. */
static int
check_signature(struct history_work *w, const struct leaf *l,
    const uint8_t *pub, const char *by, const struct tree *before,
    struct ops_err *err)
{
	const struct store_log *log = &w->h->log[w->log].pub;
	struct history_job *j = &w->job[w->jobs];
	uint8_t root[OPS_HASH_LEN];

	/* A checkpoint over it vouches for it as well. */
	if (!w->o->all_signatures && w->index < w->stated)
		return 0;
	ops_buf_reset(&j->msg);
	tree_root(before, root);
	if (leaf_signed_message(
		l, log->key.name, before->size, root, &j->msg, err) < 0)
		return -1;
	memcpy(j->pub, pub, OPS_PUB_LEN);
	memcpy(j->sig, l->type == LEAF_BOOT ? l->u.boot.sig : l->u.seal.sig,
	    OPS_SIG_LEN);
	j->by = by;
	history_where(w, w->index, j->where);
	if (++w->jobs == HISTORY_JOBS)
		history_run_jobs(w);
	return 0;
}

/* -- saying -- */

void
history_say_here(
    struct history_work *w, enum finding_kind k, const char *fmt, ...)
{
	char where[HISTORY_WHERE], detail[300];
	va_list ap;

	history_where(w, w->index, where);
	va_start(ap, fmt);
	vsnprintf(detail, sizeof(detail), fmt, ap);
	va_end(ap);
	w->o->found(w->o->arg, k, where, detail);
}

/* -- time -- */

static int64_t
wall_of(const struct leaf_clock *c)
{
	return (int64_t)(c->at.realtime - c->at.boottime);
}

static int
add_mark(struct history_work *w, bool boot, const struct leaf_clock *c,
    struct ops_err *err)
{
	struct history *h = w->h;

	if (!history_grow(&h->mark, h->marks, &h->mark_cap, sizeof(*h->mark)))
		return history_fail_memory(err);
	h->mark[h->marks] = (struct history_mark){ .log = (uint32_t)w->log,
		.run = boot || h->marks == 0 ? h->marks
					     : h->mark[h->marks - 1].run,
		.index = w->index,
		.realtime = c->at.realtime,
		.wall = wall_of(c) };
	memcpy(h->mark[h->marks++].boot_id, c->boot_id, 16);
	return 0;
}

/*
 * Clocks of one kernel boot never run backwards (realtime may be set), as one
 * process sees them.  The next one may live in another time namespace, or on a
 * machine that was put back to a snapshot.
 */
static void
check_clock(struct history_work *w, const struct leaf_clock *c, bool boot)
{
	bool back = w->has_boot && memcmp(w->boot_id, c->boot_id, 16) == 0 &&
		    (c->at.boottime < w->clock.boottime ||
			c->at.monotonic < w->clock.monotonic);

	if (back && boot)
		history_say_here(w, FIND_CLOCK,
		    "the clocks of this boot were set back before this start: "
		    "BOOTTIME %" PRIu64 " after %" PRIu64,
		    c->at.boottime, w->clock.boottime);
	else if (back)
		history_say_here(w, FIND_TIME,
		    "its clocks are behind those of an earlier leaf");
	if (boot)
		w->stepped = back;
	w->clock = c->at;
	w->has_boot = true;
	memcpy(w->boot_id, c->boot_id, 16);
}

/*
 * A frame whose SEAL has come, or whose BOOT shows that none will.  Frames
 * that a recovery brings may be from before the restart; which ones, their
 * stream tells, or that they arrived outside of the new boot's period.
 */
static void
settle_frame(struct history_work *w, const struct history_pending *p,
    const struct leaf_seal *seal)
{
	struct history_stream *s = &w->h->stream[p->stream];
	struct store_frame *f = &s->frame[p->frame];
	bool other = s->has_boot && memcmp(s->boot_id, w->boot_id, 16) != 0;
	bool outside = seal != NULL && (f->leaf.arrived_first <= seal->from ||
					   f->leaf.arrived_last > seal->until);
	/* Nothing arrives before the writer is there to take it. */
	bool early = w->first_period && f->leaf.arrived_first < w->boot_at;
	char where[HISTORY_WHERE];

	/* It was brought over a step of the clock. */
	if (w->stepped && w->first_period && w->crash_period)
		outside = false;

	if (!s->has_boot && w->crash_period && w->has_seal &&
	    memcmp(w->seal_boot, w->boot_id, 16) != 0 && (outside || early))
		other = true;
	f->wall = w->wall;
	memcpy(f->boot, w->boot_id, sizeof(f->boot));
	if (other) {
		const struct history_mark *m = NULL;

		/* The last thing known of that boot's clocks. */
		for (size_t i = w->h->marks; i > 0 && m == NULL; i--)
			if (memcmp(w->h->mark[i - 1].boot_id,
				s->has_boot ? s->boot_id : w->seal_boot,
				16) == 0)
				m = &w->h->mark[i - 1];
		if (m != NULL) {
			f->wall = m->wall;
			memcpy(f->boot, m->boot_id, sizeof(f->boot));
			memcpy(s->boot_id, m->boot_id, 16);
			s->has_boot = true;
		}
	} else if (!s->has_boot) {
		memcpy(s->boot_id, w->boot_id, 16);
		s->has_boot = true;
	}
	history_where(w, f->index, where);
	if (other && !w->crash_period)
		history_say(w, FIND_TIME, where,
		    "a frame of a stream that belongs to an earlier boot");
	else if (!other && (outside || (early && !w->crash_period)))
		history_say(w, FIND_TIME, where,
		    "it arrived from %" PRIu64 " to %" PRIu64
		    ", outside of its period",
		    f->leaf.arrived_first, f->leaf.arrived_last);
}

static void
settle(struct history_work *w, const struct leaf_seal *seal)
{
	for (size_t i = 0; i < w->n_pending; i++)
		settle_frame(w, &w->pending[i], seal);
	w->n_pending = 0;
}

/* Recovery leaves no leaf that nothing signs: it cuts them off, and makes what
 * they said again from the WAL (format.md section 13). */
static void
check_unsigned(struct history_work *w)
{
	char where[HISTORY_WHERE];

	if (w->since == 0)
		return;
	snprintf(where, sizeof(where), "log/%" PRIu32 "/leaves leaf %" PRIu64,
	    w->h->log[w->signed_log].pub.n, w->signed_to);
	history_say(w, FIND_TAMPER, where,
	    "%" PRIu64 " leaves that no SEAL signed, and that no start would "
	    "have left there",
	    w->since);
}

void
history_rules_end(struct history_work *w)
{
	w->h->unfinished = w->since > 0;
	settle(w, NULL);
	history_judge_tombstones(w);
}

/* -- keys of the WAL -- */

static int
add_key(struct history_work *w, uint64_t period, const uint8_t *pub,
    struct ops_err *err)
{
	struct history *h = w->h;

	if (!history_grow(&h->key, h->keys, &h->key_cap, sizeof(*h->key)))
		return history_fail_memory(err);
	h->key[h->keys].period = period;
	memcpy(h->key[h->keys++].pub, pub, OPS_PUB_LEN);
	return 0;
}

/* A batch may have been signed long before it is framed: on a busy machine
 * several SEALs over the ones before it come first.  Recovery looks as far
 * back (past.h). */
static void
drop_keys(struct history *h, uint64_t newest)
{
	size_t n = 0;

	for (size_t i = 0; i < h->keys; i++)
		if (h->key[i].period > newest ||
		    newest - h->key[i].period < WAL_PERIODS)
			h->key[n++] = h->key[i];
	h->keys = n;
}

static void
check_wal(struct history_work *w, const struct leaf_wal *wal)
{
	const struct leaf_wal *old = &w->h->wal;

	if (wal->batch < old->batch ||
	    (wal->batch == old->batch && old->batch > 0 &&
		memcmp(wal->chain, old->chain, OPS_HASH_LEN) != 0))
		history_say_here(w, FIND_TAMPER,
		    "its place in the WAL is not one after that of the leaf "
		    "before");
	w->h->wal = *wal;
}

/* -- BOOT -- */

static const char *
why_text(uint32_t why)
{
	switch (why) {
	case BOOT_NO_RESUME:
		return "the resume key was missing or wrong: the store was "
		       "restored or put back to an older state, or the key "
		       "was lost";
	case BOOT_MACHINE:
		return "the machine id changed";
	case BOOT_ROTATE:
		return "on request";
	case BOOT_DAMAGED:
		return "the log before it was damaged";
	default:
		return "for no known reason";
	}
}

/* The first leaf of log n > 0 names all of log n - 1. */
static void
check_successor(struct history_work *w, const struct leaf_boot *b)
{
	const struct history_log *old;
	uint8_t root[OPS_HASH_LEN];

	if (!b->has_pred) {
		history_say_here(w, FIND_TAMPER, "it names no log before it");
		return;
	}
	history_say_here(w, FIND_SUCCESSOR,
	    "the log was continued here after %" PRIu64
	    " leaves of %s: %s; nothing of that log vouches for this: only a "
	    "checkpoint kept elsewhere shows whether more had followed",
	    b->pred_size, b->pred_origin, why_text(b->why));
	if (b->why < BOOT_NO_RESUME)
		history_say_here(w, FIND_TAMPER,
		    "a first leaf can't say that it "
		    "continues its log");
	if (w->log == 0 ||
	    w->h->log[w->log - 1].pub.n + 1 != w->h->log[w->log].pub.n)
		return; /* the missing log was named */
	old = &w->h->log[w->log - 1];
	tree_root(&old->tree, root);
	if (strcmp(old->pub.key.name, b->pred_origin) != 0)
		history_say_here(w, FIND_TAMPER,
		    "log/%" PRIu32 " is %s, not %s", old->pub.n,
		    old->pub.key.name, b->pred_origin);
	else if (old->pub.size < b->pred_size)
		history_say_here(w, FIND_MISSING,
		    "log/%" PRIu32 " had %" PRIu64
		    " leaves, but there are only %" PRIu64,
		    old->pub.n, b->pred_size, old->pub.size);
	else if (old->pub.size > b->pred_size)
		history_say_here(w, FIND_TAMPER,
		    "log/%" PRIu32 " had ended at %" PRIu64
		    " leaves, but grew to %" PRIu64,
		    old->pub.n, b->pred_size, old->pub.size);
	else if (memcmp(root, b->pred_root, OPS_HASH_LEN) != 0)
		history_say_here(w, FIND_TAMPER,
		    "log/%" PRIu32 " has another root than when it ended",
		    old->pub.n);
}

static int
first_boot(struct history_work *w, const struct leaf *l,
    const struct tree *before, struct ops_err *err)
{
	struct store_log *log = &w->h->log[w->log].pub;
	const struct leaf_boot *b = &l->u.boot;
	struct ops_err why = { 0 };

	if (note_key_init(
		&log->key, b->origin, NOTE_ED25519, b->log_pub, &why) < 0) {
		history_say_here(w, FIND_TAMPER, "%s", why.msg);
		return 0;
	}
	w->has_key = true;
	if (log->n > 0)
		check_successor(w, b);
	else if (b->has_pred || b->why != BOOT_FIRST)
		history_say_here(w, FIND_TAMPER,
		    "the first leaf of the store says that it is not");
	if (b->period != 0)
		history_say_here(w, FIND_MISSING,
		    "a log does not begin with period %" PRIu64, b->period);
	return check_signature(
	    w, l, b->log_pub, "the key of the log it begins", before, err);
}

static int
next_boot(struct history_work *w, const struct leaf *l,
    const struct tree *before, struct ops_err *err)
{
	const struct store_log *log = &w->h->log[w->log].pub;
	const struct leaf_boot *b = &l->u.boot;

	if (!w->has_key)
		return 0;
	if (strcmp(b->origin, log->key.name) != 0 ||
	    memcmp(b->log_pub, log->key.pub, OPS_PUB_LEN) != 0)
		history_say_here(
		    w, FIND_TAMPER, "it names another log than the first leaf");
	if (b->has_pred || (b->why != BOOT_CLEAN && b->why != BOOT_CRASH))
		history_say_here(w, FIND_TAMPER,
		    "only the first leaf of a log can begin it");
	if (b->why == BOOT_CLEAN && !(w->final && w->since == 0))
		history_say_here(w, FIND_MISSING,
		    "it says that the log had been closed, but the closing "
		    "seal is not before it");
	/* The period that a SEAL or BOOT began is given up by a restart. */
	if (w->has_period && b->period != w->period + 1)
		history_say_here(w, FIND_MISSING,
		    "it begins period %" PRIu64 " after %" PRIu64, b->period,
		    w->period);
	if (!w->has_resume)
		return 0;
	return check_signature(
	    w, l, w->resume_pub, "the resume key named last", before, err);
}

static int
rules_boot(struct history_work *w, const struct leaf *l,
    const struct tree *before, struct ops_err *err)
{
	const struct leaf_boot *b = &l->u.boot;
	struct history_stream *s;
	int rc;

	rc = before->size == 0 ? first_boot(w, l, before, err)
			       : next_boot(w, l, before, err);
	if (rc < 0)
		return -1;
	if (!ops_all_zero((const uint8_t *)&b->found, sizeof(b->found)))
		history_say_here(w, FIND_CRASH,
		    "found at this start: %" PRIu64
		    " records recovered, %" PRIu64
		    " bytes of a batch and %" PRIu64
		    " of an append cut short, %" PRIu64 " segments with a tail",
		    b->found.wal_records, b->found.wal_torn_bytes,
		    b->found.leaf_torn_bytes, b->found.frames_cut);
	check_unsigned(w);
	settle(w, NULL);
	check_clock(w, &b->clock, true);
	if (!b->has_pred)
		w->h->replayed = b->wal;
	else if (before->size == 0)
		w->h->replayed = w->h->wal;
	check_wal(w, &b->wal);
	w->crash_period = b->why == BOOT_CRASH ||
			  (b->has_pred && !(w->final && w->since == 0)) ||
			  (w->first_period && w->crash_period);
	w->first_period = true;
	w->boot_why = b->why;
	w->format = b->format;
	w->boot_at = b->clock.at.boottime;
	w->final = false;
	w->since = 0;
	w->signed_log = w->log;
	w->signed_to = w->index + 1;
	w->has_period = w->has_resume = true;
	w->period = b->period;
	memcpy(w->seal_pub, b->seal_pub, OPS_PUB_LEN);
	memcpy(w->resume_pub, b->resume_pub, OPS_PUB_LEN);
	memcpy(w->h->boot_id, b->clock.boot_id, 16);
	w->wall = wall_of(&b->clock);
	if (add_key(w, b->period, b->seal_pub, err) < 0 ||
	    add_mark(w, true, &b->clock, err) < 0)
		return -1;
	s = history_stream_get(w->h, b->events, CLASS_EVENTS);
	if (s == NULL)
		return history_fail_memory(err);
	if (s->class != CLASS_EVENTS ||
	    (s->has_boot && memcmp(s->boot_id, b->clock.boot_id, 16) != 0))
		history_say_here(
		    w, FIND_TAMPER, "its events stream is one that was in use");
	s->has_boot = true;
	memcpy(s->boot_id, b->clock.boot_id, 16);
	return 0;
}

/* -- SEAL -- */

/* Where the period must begin.  The first one after a crash within the same
 * kernel boot takes up where the last SEAL ended; any other first one begins
 * at 0, and settle_frame() looks at the BOOT instead. */
static uint64_t
expected_from(const struct history_work *w)
{
	bool same = w->has_seal && memcmp(w->seal_boot, w->boot_id, 16) == 0;

	if (!w->first_period)
		return w->seal_until;
	if (w->stepped)
		return 0; /* that end lies in the future */
	return w->boot_why == BOOT_CRASH && same ? w->seal_until : 0;
}

static void
check_span(struct history_work *w, const struct leaf_seal *s)
{
	if (s->from > s->until || s->until > s->clock.at.boottime)
		history_say_here(w, FIND_TIME,
		    "its period is from %" PRIu64 " to %" PRIu64
		    ", its clock %" PRIu64,
		    s->from, s->until, s->clock.at.boottime);
	else if (w->has_period && s->from != expected_from(w))
		history_say_here(w, FIND_TIME,
		    "its period begins at %" PRIu64 ", where %" PRIu64
		    " is expected",
		    s->from, expected_from(w));
}

static int
rules_seal(struct history_work *w, const struct leaf *l,
    const struct tree *before, struct ops_err *err)
{
	const struct leaf_seal *s = &l->u.seal;

	w->last_was_seal = true;
	if (w->final)
		history_say_here(
		    w, FIND_TAMPER, "it stands behind a closing seal");
	if (w->has_period && s->period != w->period)
		history_say_here(w,
		    s->period > w->period ? FIND_MISSING : FIND_TAMPER,
		    "it seals period %" PRIu64 ", where %" PRIu64
		    " is expected",
		    s->period, w->period);
	if (w->has_period && w->has_key &&
	    check_signature(
		w, l, w->seal_pub, "the key of its period", before, err) < 0)
		return -1;
	if (w->has_boot && memcmp(w->boot_id, s->clock.boot_id, 16) != 0)
		history_say_here(
		    w, FIND_TAMPER, "it names another boot than its BOOT");
	check_clock(w, &s->clock, false);
	check_span(w, s);
	check_wal(w, &s->wal);
	w->wall = wall_of(&s->clock);
	settle(w, s);
	drop_keys(w->h, s->period);
	if (s->period == UINT64_MAX)
		history_say_here(
		    w, FIND_TAMPER, "there is no period after this one");
	if (add_key(w, s->period + 1, s->next_pub, err) < 0 ||
	    add_mark(w, false, &s->clock, err) < 0)
		return -1;
	w->has_period = true;
	w->period = s->period + 1;
	memcpy(w->seal_pub, s->next_pub, OPS_PUB_LEN);
	if (s->has_resume) {
		w->has_resume = true;
		memcpy(w->resume_pub, s->resume_pub, OPS_PUB_LEN);
	}
	w->has_seal = true;
	memcpy(w->seal_boot, s->clock.boot_id, 16);
	w->seal_until = s->until;
	w->first_period = w->crash_period = w->stepped = false;
	w->h->replayed = s->wal;
	w->final = s->final;
	w->since = 0;
	w->signed_log = w->log;
	w->signed_to = w->index + 1;
	return 0;
}

int
history_rules(struct history_work *w, const struct leaf *l, const uint8_t *hash,
    const struct tree *before, struct ops_err *err)
{
	if (before->size == 0 && l->type != LEAF_BOOT)
		history_say_here(
		    w, FIND_MISSING, "the BOOT leaf that begins a log");
	if (l->type != LEAF_BOOT && l->type != LEAF_SEAL)
		w->since++;
	switch (l->type) {
	case LEAF_BOOT:
		return rules_boot(w, l, before, err);
	case LEAF_SEAL:
		return rules_seal(w, l, before, err);
	case LEAF_FRAME:
		return history_rules_frame(w, &l->u.frame, hash, err);
	case LEAF_CLOSE:
		return history_rules_close(w, &l->u.close, err);
	case LEAF_TOMBSTONE:
		return history_rules_tombstone(w, &l->u.tombstone, err);
	}
	return 0;
}
