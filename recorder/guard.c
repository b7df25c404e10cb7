#include "guard.h"

#include <signal.h>
#include <stddef.h>
#include <sys/time.h>

static void
on_alarm(int sig)
{
	(void)sig; /* it is there to interrupt */
}

int
guard_init(void)
{
	struct sigaction sa = { .sa_handler = on_alarm };

	return sigaction(SIGALRM, &sa, NULL);
}

void
guard_set(struct guard *g, uint64_t now)
{
	static const struct itimerval on = { { 0, GUARD_AGAIN_MS * 1000 },
		{ GUARD_MS / 1000, GUARD_MS % 1000 * 1000 } };

	if (now < g->renew)
		return;
	setitimer(ITIMER_REAL, &on, NULL);
	g->renew = now + GUARD_RENEW_NS;
}

void
guard_rest(struct guard *g)
{
	static const struct itimerval off;

	setitimer(ITIMER_REAL, &off, NULL);
	g->renew = 0;
}
