#include <sys/epoll.h>

#include "writer_peer.h"

#define PEERS_A_TURN 64

void
bell_ring(const struct writer_role *r)
{
	loop_ring(r->bell.fd);
}

void
bell_take(struct watch *w, uint32_t events)
{
	struct writer_role *r = ROLE_OF(w, bell);
	struct epoll_event ev[PEERS_A_TURN];
	bool more;
	int n;

	(void)events;
	loop_drain(w->fd);
	n = epoll_wait(r->inbox, ev, PEERS_A_TURN, 0);
	more = n == PEERS_A_TURN;
	for (int i = 0; i < n; i++)
		more |= peer_receive(ev[i].data.ptr);
	peers_free_dead(r);
	if (more)
		bell_ring(r);
}

static int
change_inbox(struct peer *p, int op)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = p };

	return epoll_ctl(p->r->inbox, op, p->watch.fd, &ev);
}

int
bell_follow(struct peer *p, struct ops_err *err)
{
	if (change_inbox(p, EPOLL_CTL_ADD) < 0)
		return ops_fail_errno(err, "epoll_ctl");
	p->follows_bell = true;
	return 0;
}

void
bell_pause(struct peer *p)
{
	if (p->follows_bell)
		(void)change_inbox(p, EPOLL_CTL_DEL);
}

int
bell_resume(struct peer *p, struct ops_err *err)
{
	if (!p->follows_bell)
		return 0;
	if (change_inbox(p, EPOLL_CTL_ADD) < 0)
		return ops_fail_errno(err, "epoll_ctl");
	bell_ring(p->r); /* for what came meanwhile */
	return 0;
}

uint32_t
bell_events(const struct peer *p)
{
	return p->follows_bell ? EPOLLRDHUP : EPOLLIN;
}
