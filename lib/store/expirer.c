/*
 * The third thread: what is old enough goes, with a TOMBSTONE first.
 *
 *	look (expire.h) -> TOMBSTONEs into the next SEAL -> checkpoint -> unlink
 *
 * A crash before the checkpoint leaves TOMBSTONEs that count for nothing, and
 * all files; one behind it leaves files that the next start's first look finds.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "writer_work.h"

#define EVERY (3600 * SEC)
#define TURN 128        /* segments under one SEAL */
#define PIECE 8         /* files removed without a pause */
#define PAUSE (10 * MS) /* between pieces: the disk is the writer's */
#define EXPIRE_NICE 19

/* -- the framing side -- */

void
writer_stones_take(struct writer *w)
{
	pthread_mutex_lock(&w->lock);
	if (w->stones != NULL && w->e->stones == NULL) {
		w->e->stones = w->stones;
		w->e->n_stones = w->n_stones;
		w->stones = NULL;
	}
	pthread_mutex_unlock(&w->lock);
}

void
writer_stones_done(struct writer *w)
{
	pthread_mutex_lock(&w->lock);
	if (w->stones_out && w->stones == NULL && w->e->stones == NULL) {
		w->stones_out = false;
		pthread_cond_signal(&w->expire_cv);
	}
	pthread_mutex_unlock(&w->lock);
}

/* -- this thread -- */

/* True: stop.  Lock held. */
static bool
nap(struct writer *w, uint64_t ns)
{
	uint64_t until = ops_boottime() + ns;

	while (!w->stop && !w->expire_now && ops_boottime() < until)
		writer_wait_until(w, &w->expire_cv, until);
	return w->stop;
}

/* 1: a checkpoint covers them.  0: the writer ends.  -1: see err. */
static int
seal_stones(struct writer *w, const struct expire_segment *s, size_t n,
    struct ops_err *err)
{
	struct leaf_tombstone *t = calloc(n, sizeof(*t));
	int rc;

	if (t == NULL)
		return ops_fail(err, OPS_ENOMEM, "expiry: no memory");
	for (size_t i = 0; i < n; i++)
		t[i] = s[i].t;
	pthread_mutex_lock(&w->lock);
	w->stones = t;
	w->n_stones = n;
	w->stones_out = true;
	w->seal_soon = true;
	pthread_cond_signal(&w->frame_cv);
	while (w->stones_out && !w->stop)
		pthread_cond_wait(&w->expire_cv, &w->lock);
	rc = !w->stones_out;
	if (rc == 1)
		w->retention.last = s[n - 1].t;
	w->retention.has_last |= rc == 1;
	for (size_t i = 0; rc == 1 && i < n; i++) {
		w->retention.expired += s[i].t.to - s[i].t.from;
		w->retention.bytes -= s[i].bytes;
	}
	pthread_mutex_unlock(&w->lock);
	return rc;
}

/* 1: they are gone.  0: the writer ends.  -1: see err. */
static int
remove_files(struct writer *w, const struct expire_segment *s, size_t n,
    struct ops_err *err)
{
	for (size_t i = 0; i < n; i += PIECE) {
		size_t piece = n - i < PIECE ? n - i : PIECE;
		bool stop;

		if (expire_remove(w->e->v, s + i, piece, err) < 0)
			return -1;
		pthread_mutex_lock(&w->lock);
		w->retention.removed += piece;
		stop = nap(w, PAUSE);
		pthread_mutex_unlock(&w->lock);
		if (stop)
			return 0;
	}
	return 1;
}

static int
carry_out(struct writer *w, const struct expire_plan *p, struct ops_err *err)
{
	int rc = remove_files(w, p->left, p->n_left, err);

	for (size_t i = 0; rc > 0 && i < p->n; i += TURN) {
		size_t n = p->n - i < TURN ? p->n - i : TURN;

		rc = seal_stones(w, p->old + i, n, err);
		if (rc > 0)
			rc = remove_files(w, p->old + i, n, err);
		if (rc > 0)
			writer_wake(w);
	}
	return rc;
}

static void
earliest_open(void *arg, struct stream *s)
{
	struct expire_now *now = arg;

	if (s->pub.opened && s->pub.opened_at < now->open_since)
		now->open_since = s->pub.opened_at;
}

static void
note_plan(struct writer *w, const struct expire_plan *p, uint64_t at)
{
	struct writer_retention_status *r = &w->retention;

	pthread_mutex_lock(&w->lock);
	r->looked = true;
	/* One that waits is to look again. */
	r->at = p->clock_waits ? 0 : at;
	r->bytes = p->bytes;
	r->leaves = p->leaves;
	r->screens = p->screens;
	r->events = p->events;
	r->expired = p->expired;
	r->over = p->over;
	r->clock_waits = p->clock_waits;
	r->damaged = p->damaged;
	r->has_last = p->has_last;
	r->last = p->last;
	pthread_mutex_unlock(&w->lock);
	writer_wake(w);
}

static void
look_once(struct writer *w, bool first)
{
	struct expire_now now = { .open_since = UINT64_MAX };
	struct expire_plan p = { 0 };
	struct expire_rules rules;
	struct ops_err err = { 0 };
	struct ops_clock clock;
	uint64_t before;
	bool left;
	int rc;

	ops_clock_read(&clock);
	now.realtime = clock.realtime;
	memcpy(now.boot_id, w->e->boot_id, sizeof(now.boot_id));
	pthread_mutex_lock(&w->lock);
	rules = w->retention.rules;
	left = w->expire_left;
	w->expire_now = false;
	before = first ? 0 : w->retention.at;
	streamtab_each(w->known, earliest_open, &now);
	pthread_mutex_unlock(&w->lock);
	if (!first && !left &&
	    !expire_due(w->e->v, &rules, now.realtime, before))
		return;
	rc = expire_look(w->e->v, &rules, &now, left, &p, &err);
	if (rc == 0) {
		note_plan(w, &p, now.realtime);
		rc = carry_out(w, &p, &err);
	}
	expire_plan_free(&p);
	pthread_mutex_lock(&w->lock);
	/* What is left over is looked for again. */
	w->expire_left = rc <= 0;
	snprintf(w->retention.trouble, sizeof(w->retention.trouble), "%s",
	    rc < 0 ? err.msg : "");
	pthread_mutex_unlock(&w->lock);
	writer_wake(w);
}

static uint64_t
interval(const struct expire_rules *r)
{
	const uint64_t ages[] = { r->keep_screens, r->keep_events,
		r->at_least };
	uint64_t ns = EVERY;

	for (size_t i = 0; i < sizeof(ages) / sizeof(ages[0]); i++)
		if (ages[i] != 0 && ages[i] / 10 < ns)
			ns = ages[i] / 10;
	return ns < SEC ? SEC : ns;
}

static void *
expire_main(void *arg)
{
	struct writer *w = arg;
	bool first = true, stop = false;

	(void)setpriority(PRIO_PROCESS, (id_t)gettid(), EXPIRE_NICE);
	while (!stop) {
		look_once(w, first);
		first = false;
		pthread_mutex_lock(&w->lock);
		stop = nap(w, interval(&w->retention.rules));
		pthread_mutex_unlock(&w->lock);
	}
	return NULL;
}

void
writer_retention(struct writer *w, const struct expire_rules *r)
{
	int rc = 0;

	pthread_mutex_lock(&w->lock);
	w->retention.rules = *r;
	w->expire_now = true;
	w->retention.at = 0;
	if (w->expire_running) {
		pthread_cond_signal(&w->expire_cv);
	} else if (expire_rules_any(r) || w->e->tombstones) {
		w->expire_left = w->e->tombstones;
		rc = pthread_create(&w->expire_thread, NULL, expire_main, w);
		w->expire_running = rc == 0;
	}
	if (rc != 0)
		snprintf(w->retention.trouble, sizeof(w->retention.trouble),
		    "expiry: thread: %s", strerrordesc_np(rc));
	pthread_mutex_unlock(&w->lock);
}

void
writer_retention_status(struct writer *w, struct writer_retention_status *ret)
{
	pthread_mutex_lock(&w->lock);
	*ret = w->retention;
	pthread_mutex_unlock(&w->lock);
}
