#include "loop.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define NS UINT64_C(1000000000)

int
loop_init(struct loop *l, struct ops_err *err)
{
	*l = (struct loop){ .epfd = epoll_create1(EPOLL_CLOEXEC) };
	if (l->epfd < 0)
		return ops_fail_errno(err, "epoll_create1");
	return 0;
}

int
loop_add(struct loop *l, struct watch *w, uint32_t events, struct ops_err *err)
{
	struct epoll_event ev = { .events = events, .data.ptr = w };

	if (epoll_ctl(l->epfd, EPOLL_CTL_ADD, w->fd, &ev) < 0)
		return ops_fail_errno(err, "epoll_ctl");
	w->events = events;
	return 0;
}

void
loop_change(struct loop *l, struct watch *w, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = w };
	int rc;

	if (w->events == events)
		return;
	rc = epoll_ctl(l->epfd, EPOLL_CTL_MOD, w->fd, &ev);
	assert(rc == 0);
	w->events = events;
}

void
loop_remove(struct loop *l, struct watch *w)
{
	(void)epoll_ctl(l->epfd, EPOLL_CTL_DEL, w->fd, NULL);
	/* What the batch still holds for it must not be called. */
	for (int i = l->at + 1; i < l->n; i++)
		if (l->batch[i].data.ptr == w)
			l->batch[i].data.ptr = NULL;
}

int
loop_run(struct loop *l, struct ops_err *err)
{
	while (!l->stop) {
		const struct timespec nap = { 0, l->nap };

		if (l->nap != 0)
			(void)nanosleep(&nap, NULL);
		l->nap = 0;
		l->n = epoll_wait(l->epfd, l->batch, LOOP_BATCH, -1);
		if (l->n < 0) {
			l->n = 0;
			if (errno == EINTR)
				continue;
			return ops_fail_errno(err, "epoll_wait");
		}
		for (l->at = 0; l->at < l->n && !l->stop; l->at++) {
			struct watch *w = l->batch[l->at].data.ptr;

			if (w != NULL)
				w->ready(w, l->batch[l->at].events);
		}
		l->n = 0;
	}
	return 0;
}

void
loop_close(struct loop *l)
{
	if (l->epfd >= 0)
		close(l->epfd);
	l->epfd = -1;
}

int
loop_signalfd(const int *signals, int *ret, struct ops_err *err)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	for (; *signals != 0; signals++)
		sigaddset(&set, *signals);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return ops_fail_errno(err, "sigprocmask");
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return ops_fail_errno(err, "signalfd");
	*ret = fd;
	return 0;
}

int
loop_timer_new(int *ret, struct ops_err *err)
{
	int fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);

	if (fd < 0)
		return ops_fail_errno(err, "timerfd_create");
	*ret = fd;
	return 0;
}

static struct timespec
to_timespec(uint64_t ns)
{
	return (struct timespec){ (time_t)(ns / NS), (long)(ns % NS) };
}

void
loop_timer_set(int fd, uint64_t after, uint64_t every)
{
	struct itimerspec it = { to_timespec(every), to_timespec(after) };
	int rc = timerfd_settime(fd, 0, &it, NULL);

	assert(rc == 0);
}

void
loop_ring(int fd)
{
	const uint64_t one = 1;

	(void)!write(fd, &one, sizeof(one));
}

void
loop_drain(int fd)
{
	uint64_t n;

	while (read(fd, &n, sizeof(n)) > 0)
		continue;
}
