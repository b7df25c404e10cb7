#include "pulse.h"

#include <unistd.h>

static void
on_timer(struct watch *w, uint32_t events)
{
	struct pulse *p = (struct pulse *)w;

	(void)events;
	loop_drain(w->fd);
	/* Full: the supervisor is late, and has enough to read. */
	(void)!write(p->fd, "", 1);
}

int
pulse_start(struct pulse *p, struct loop *l, int pipe, struct ops_err *err)
{
	*p = (struct pulse){ { -1, on_timer }, pipe };
	if (loop_timer_new(&p->timer.fd, err) < 0 ||
	    loop_add(l, &p->timer, EPOLLIN, err) < 0)
		return -1;
	loop_timer_set(p->timer.fd, PULSE_EVERY, PULSE_EVERY);
	return 0;
}
