#include "parallel.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

struct loop {
	void (*fn)(void *arg, size_t i, unsigned worker);
	void *arg;
	size_t n;
	atomic_size_t next;
};

struct worker {
	struct loop *loop;
	unsigned number;
	pthread_t thread;
};

unsigned
parallel_threads(unsigned wanted)
{
	cpu_set_t set;
	int n;

	if (wanted == 0) {
		n = sched_getaffinity(0, sizeof(set), &set) == 0
			? CPU_COUNT(&set)
			: 1;
		wanted = n < 1 ? 1 : (unsigned)n;
	}
	return wanted > PARALLEL_MAX ? PARALLEL_MAX : wanted;
}

static void *
work(void *arg)
{
	struct worker *w = arg;
	struct loop *l = w->loop;
	size_t i;

	while ((i = atomic_fetch_add(&l->next, 1)) < l->n)
		l->fn(l->arg, i, w->number);
	return NULL;
}

void
parallel_for(unsigned threads, size_t n,
    void (*fn)(void *arg, size_t i, unsigned worker), void *arg)
{
	struct loop loop = { .fn = fn, .arg = arg, .n = n };
	struct worker w[PARALLEL_MAX];
	unsigned started = 1;

	if (threads > PARALLEL_MAX)
		threads = PARALLEL_MAX;
	w[0] = (struct worker){ &loop, 0, 0 };
	for (; started < threads && started < n; started++) {
		w[started] = (struct worker){ &loop, started, 0 };
		/* Fewer threads are slower, but not wrong. */
		if (pthread_create(
			&w[started].thread, NULL, work, &w[started]) != 0)
			break;
	}
	work(&w[0]);
	while (--started > 0)
		pthread_join(w[started].thread, NULL);
}
