#include "outer.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/bytes.h"

#define TICK_US 5000 /* longest wait in a write to a terminal that is shared */

int
outer_init(struct outer *o, int fd)
{
	int flags = fcntl(fd, F_GETFL);

	*o = (struct outer){ .fd = fd };
	if (flags < 0 || tcgetattr(fd, &o->modes) < 0)
		return -1;
	o->private = (flags & O_NONBLOCK) != 0;
	return 0;
}

/*
 * Raw mode has no use for these characters, so they say who set it.  A second
 * session can begin on a terminal while the first one's door is stopped, and a
 * shell sets modes of its own: neither is to be "restored" under its feet.
 */
static const int mark_at[] = { VREPRINT, VWERASE, VLNEXT, VDISCARD, VEOL2 };
#define MARK_MAGIC 0xfd

static void
make_mark(cc_t mark[static OPS_ARRAY_LEN(mark_at)])
{
	uint32_t pid = (uint32_t)getpid();

	mark[0] = mark[1] = MARK_MAGIC;
	for (size_t i = 2; i < OPS_ARRAY_LEN(mark_at); i++, pid >>= 8)
		mark[i] = (cc_t)pid;
}

enum owner { OURS, ANOTHER_RECORDER, SOMEBODY };

static enum owner
owner_of(const struct termios *t)
{
	cc_t mark[OPS_ARRAY_LEN(mark_at)];
	size_t same = 0;

	make_mark(mark);
	while (same < OPS_ARRAY_LEN(mark_at) &&
	       t->c_cc[mark_at[same]] == mark[same])
		same++;
	if (same == OPS_ARRAY_LEN(mark_at))
		return OURS;
	return same >= 2 ? ANOTHER_RECORDER : SOMEBODY;
}

void
outer_raw(struct outer *o)
{
	cc_t mark[OPS_ARRAY_LEN(mark_at)];
	struct termios raw = o->modes;

	if (o->fd < 0 || o->dead)
		return;
	cfmakeraw(&raw);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	make_mark(mark);
	for (size_t i = 0; i < OPS_ARRAY_LEN(mark_at); i++)
		raw.c_cc[mark_at[i]] = mark[i];
	/* Not TCSAFLUSH: what was typed ahead is for the shell. */
	tcsetattr(o->fd, TCSANOW, &raw);
	ioctl(o->fd, TIOCEXCL);
	o->raw = true;
}

void
outer_restore(struct outer *o)
{
	struct termios now;
	enum owner owner;

	if (o->fd < 0 || !o->raw)
		return;
	o->raw = false;
	if (tcgetattr(o->fd, &now) < 0)
		return;
	owner = owner_of(&now);
	/* Whoever comes to the fore again makes it exclusive again. */
	if (owner != ANOTHER_RECORDER)
		ioctl(o->fd, TIOCNXCL);
	if (owner == OURS)
		tcsetattr(o->fd, TCSANOW, &o->modes);
}

/*
 * The description of a terminal that we share with the person's programs can't
 * be made non-blocking under their feet.  There a write gets a timer that
 * interrupts it; what the terminal took by then is counted.  The guard's timer
 * (guard.h) goes on afterwards.
 */
static ssize_t
write_shared(int fd, const void *p, size_t n)
{
	static const struct itimerval on = { { 0, TICK_US }, { 0, TICK_US } };
	struct itimerval before;
	struct pollfd pfd = { .fd = fd, .events = POLLOUT };
	ssize_t rc;

	if (poll(&pfd, 1, 0) == 0) {
		errno = EAGAIN;
		return -1;
	}
	setitimer(ITIMER_REAL, &on, &before);
	rc = write(fd, p, n);
	setitimer(ITIMER_REAL, &before, NULL);
	return rc;
}

/* Bytes that were taken. */
static size_t
write_some(struct outer *o, const void *p, size_t n)
{
	ssize_t rc;

	if (o->dead || o->fd < 0)
		return n;
	rc = o->private ? write(o->fd, p, n) : write_shared(o->fd, p, n);
	if (rc >= 0)
		return (size_t)rc;
	if (errno == EAGAIN || errno == EINTR)
		return 0;
	o->dead = true;
	return n;
}

bool
outer_pending(const struct outer *o)
{
	return o->from < o->to;
}

size_t
outer_room(const struct outer *o)
{
	return sizeof(o->pending) - (o->to - o->from);
}

static void
keep(struct outer *o, const uint8_t *p, size_t n)
{
	assert(n <= outer_room(o));
	if (o->to + n > sizeof(o->pending)) {
		memmove(o->pending, o->pending + o->from, o->to - o->from);
		o->to -= o->from;
		o->from = 0;
	}
	memcpy(o->pending + o->to, p, n);
	o->to += n;
}

void
outer_write(struct outer *o, const void *p, size_t n)
{
	const uint8_t *q = p;
	size_t done = 0;

	if (!o->gate && !outer_pending(o))
		done = write_some(o, q, n);
	if (done < n)
		keep(o, q + done, n - done);
}

void
outer_say(struct outer *o, const char *text)
{
	size_t n = strlen(text), done = 0;

	if (n > outer_room(o))
		return;
	if (!outer_pending(o))
		done = write_some(o, text, n);
	if (done < n)
		keep(o, (const uint8_t *)text + done, n - done);
}

void
outer_flush(struct outer *o)
{
	if (o->gate)
		return;
	if (outer_pending(o))
		o->from += write_some(o, o->pending + o->from, o->to - o->from);
	if (o->from == o->to)
		o->from = o->to = 0;
}

void
outer_wait(struct outer *o, int ms)
{
	struct pollfd pfd = { .fd = o->fd, .events = POLLOUT };

	if (o->gate || o->fd < 0 || !outer_pending(o))
		return;
	if (poll(&pfd, 1, ms) > 0)
		outer_flush(o);
}

long
outer_read(struct outer *o, void *p, size_t n)
{
	struct pollfd pfd = { .fd = o->fd, .events = POLLIN };
	ssize_t rc;

	/* Somebody who shares it may have been faster. */
	if (!o->private && poll(&pfd, 1, 0) == 0)
		return 0;
	rc = read(o->fd, p, n);
	if (rc > 0)
		return rc;
	if (rc < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	o->dead = true;
	return -1;
}
