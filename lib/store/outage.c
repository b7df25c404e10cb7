#include "writer_work.h"

#include <string.h>
#include <time.h>

#include "base/clock.h"

#define RETRY_NS SEC
#define CLOSE_TRIES 3

void
writer_wake(const struct writer *w)
{
	if (w->wake != NULL)
		w->wake(w->arg);
}

/* The log can't be written (reason), or can again (NULL).  Lock held.
 * Returns whether the whole changed. */
static bool
set_state(struct writer *w, enum side side, const char *reason)
{
	bool before = w->failed[SYNC_SIDE] || w->failed[FRAME_SIDE];
	bool after;

	w->failed[side] = reason != NULL;
	if (reason != NULL) {
		size_t n = strnlen(reason, sizeof(w->reason[0]) - 1);

		memcpy(w->reason[side], reason, n);
		w->reason[side][n] = '\0';
	}
	after = w->failed[SYNC_SIDE] || w->failed[FRAME_SIDE];
	if (after != before && after)
		w->since = ops_boottime();
	return after != before;
}

void
writer_report(struct writer *w, enum side side, const struct ops_err *err)
{
	bool changed;

	pthread_mutex_lock(&w->lock);
	changed = set_state(w, side, err == NULL ? NULL : err->msg);
	if (changed && err == NULL) {
		writer_say_back(w, w->reason[side]);
		w->since = ops_boottime();
	}
	pthread_mutex_unlock(&w->lock);
	if (changed)
		writer_wake(w);
}

void
writer_wait_until(struct writer *w, pthread_cond_t *cv, uint64_t until)
{
	uint64_t now = ops_boottime();
	struct timespec ts;
	uint64_t at;

	if (until <= now)
		return;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	at = (uint64_t)ts.tv_sec * SEC + (uint64_t)ts.tv_nsec + (until - now);
	ts.tv_sec = (time_t)(at / SEC);
	ts.tv_nsec = (long)(at % SEC);
	pthread_cond_timedwait(cv, &w->lock, &ts);
}

bool
writer_pause(struct writer *w, pthread_cond_t *cv, unsigned *tries)
{
	uint64_t until = ops_boottime() + RETRY_NS;
	bool go_on;

	pthread_mutex_lock(&w->lock);
	if (w->stop) {
		go_on = ++*tries < CLOSE_TRIES;
		until = ops_boottime() + 100 * MS;
	} else {
		go_on = true;
	}
	while (go_on && ops_boottime() < until) {
		bool was = w->stop;

		writer_wait_until(w, cv, until);
		if (w->stop && !was)
			break;
	}
	pthread_mutex_unlock(&w->lock);
	return go_on;
}
