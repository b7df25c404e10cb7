#include "player.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/io.h"
#include "filter.h"

#define OUT_MAX (64u << 20)
#define FLUSH (1u << 16)
#define NS UINT64_C(1000000000)
#define SPEED_MIN (1.0 / 16)
#define SPEED_MAX 64.0

struct player {
	struct player_opts opts;
	struct filter filter;
	struct ops_buf out;
	bool terminal; /* stdout is one: it is put in order again */
	bool raw;      /* stdin's modes were changed */
	struct termios before;
	int signals; /* signalfd */
	sigset_t mask_before;
	int signal; /* that ended it */

	/* Recorded time runs from `from` since the clock showed `since`. */
	uint64_t from, since;
	bool paused, step;
};

static uint64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS + (uint64_t)t.tv_nsec;
}

/* Those that would end the process with the terminal in disorder. */
static int
catch_signals(struct player *p, struct ops_err *err)
{
	static const int ends[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP,
		SIGPIPE };
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < OPS_ARRAY_LEN(ends); i++)
		sigaddset(&set, ends[i]);
	if (sigprocmask(SIG_BLOCK, &set, &p->mask_before) < 0)
		return ops_fail_errno(err, "signals");
	p->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (p->signals < 0) {
		sigprocmask(SIG_SETMASK, &p->mask_before, NULL);
		return ops_fail_errno(err, "signalfd");
	}
	return 0;
}

static int
set_raw(struct player *p, struct ops_err *err)
{
	struct termios t;

	if (tcgetattr(STDIN_FILENO, &p->before) < 0)
		return ops_fail_errno(err, "terminal");
	t = p->before;
	/* Keys one by one and unseen; Ctrl-C stays what it is. */
	t.c_lflag &= (tcflag_t) ~(ICANON | ECHO);
	t.c_cc[VMIN] = 0;
	t.c_cc[VTIME] = 0;
	if (tcsetattr(STDIN_FILENO, TCSADRAIN, &t) < 0)
		return ops_fail_errno(err, "terminal");
	p->raw = true;
	return 0;
}

int
player_new(
    const struct player_opts *o, struct player **ret, struct ops_err *err)
{
	struct player *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return ops_fail(err, OPS_ENOMEM, "player: no memory");
	p->opts = *o;
	p->out.max = OUT_MAX;
	p->terminal = isatty(STDOUT_FILENO);
	p->signals = -1;
	if (catch_signals(p, err) < 0 || (o->keys && set_raw(p, err) < 0)) {
		player_free(p);
		return -1;
	}
	player_set(p, 0);
	*ret = p;
	return 0;
}

void
player_free(struct player *p)
{
	if (p == NULL)
		return;
	if (p->terminal) {
		ops_buf_reset(&p->out);
		filter_leave(&p->filter, &p->out);
		/* Nothing more can be done if the terminal is gone. */
		(void)ops_write_full(
		    STDOUT_FILENO, p->out.data, p->out.len, NULL);
	}
	if (p->raw)
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &p->before);
	if (p->signals >= 0) {
		close(p->signals);
		sigprocmask(SIG_SETMASK, &p->mask_before, NULL);
	}
	ops_buf_free(&p->out);
	free(p);
}

int
player_signal(const struct player *p)
{
	return p->signal;
}

void
player_set(struct player *p, uint64_t offset)
{
	p->from = offset;
	p->since = now_ns();
}

/* Where in the recording it is now. */
static uint64_t
position(const struct player *p)
{
	uint64_t passed = now_ns() - p->since;

	if (p->paused)
		return p->from;
	return p->from + (uint64_t)((double)passed * p->opts.speed);
}

/* Stop as the shell's job control wants it, in order; then go on. */
static void
stop_here(struct player *p)
{
	uint64_t at = position(p);

	if (p->raw)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &p->before);
	kill(getpid(), SIGSTOP);
	if (p->raw) {
		p->raw = false;
		(void)set_raw(p, NULL);
	}
	player_set(p, at);
}

static enum player_result
take_signal(struct player *p)
{
	struct signalfd_siginfo info;

	if (read(p->signals, &info, sizeof(info)) != sizeof(info))
		return PLAYER_GO_ON;
	if (info.ssi_signo == SIGTSTP) {
		stop_here(p);
		return PLAYER_GO_ON;
	}
	p->signal = (int)info.ssi_signo;
	return PLAYER_QUIT;
}

static enum player_result
take_key(struct player *p)
{
	uint64_t at = position(p);
	char c;
	ssize_t n = read(STDIN_FILENO, &c, 1);

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		return PLAYER_QUIT; /* the terminal is gone */
	if (n < 0)
		return PLAYER_GO_ON;
	player_set(p, at);
	switch (c) {
	case ' ':
		p->paused = !p->paused;
		break;
	case '.':
		p->paused = true;
		p->step = true;
		break;
	case '+':
	case '=':
		if (p->opts.speed < SPEED_MAX)
			p->opts.speed *= 2;
		break;
	case '-':
		if (p->opts.speed > SPEED_MIN)
			p->opts.speed /= 2;
		break;
	case 'q':
	case 'Q':
		return PLAYER_QUIT;
	default:
		break;
	}
	return PLAYER_GO_ON;
}

/* Sleep until something happens, at most until offset. */
static enum player_result
sleep_until(struct player *p, uint64_t offset, bool once)
{
	struct pollfd fd[2] = { { .fd = p->signals, .events = POLLIN },
		{ .fd = p->opts.keys ? STDIN_FILENO : -1, .events = POLLIN } };
	uint64_t at = position(p), left = 0;
	struct timespec t;
	int n;

	if (!once && offset > at)
		left = (uint64_t)((double)(offset - at) / p->opts.speed);
	t.tv_sec = (time_t)(left / NS);
	t.tv_nsec = (long)(left % NS);
	n = ppoll(fd, 2, p->paused && !once ? NULL : &t, NULL);
	if (n > 0 && fd[0].revents != 0)
		return take_signal(p);
	if (n > 0 && fd[1].revents != 0)
		return take_key(p);
	return PLAYER_GO_ON;
}

enum player_result
player_wait(struct player *p, uint64_t offset)
{
	enum player_result rc;

	if (p->opts.speed <= 0)
		return sleep_until(p, offset, true);
	if (p->out.len > 0 && player_flush(p, NULL) != PLAYER_GO_ON)
		return PLAYER_FAILED;
	if (p->opts.has_max_idle && !p->paused &&
	    offset > position(p) + p->opts.max_idle)
		player_set(p, offset - p->opts.max_idle);
	do {
		rc = sleep_until(p, offset, false);
		if (rc != PLAYER_GO_ON)
			return rc;
	} while (!p->step && (p->paused || position(p) < offset));
	if (p->step) {
		/* One piece on, then wait for the next key. */
		p->step = false;
		player_set(p, offset);
	}
	return PLAYER_GO_ON;
}

enum player_result
player_flush(struct player *p, struct ops_err *err)
{
	if (ops_buf_check(&p->out, "screen", err) < 0)
		return PLAYER_FAILED;
	if (p->out.len > 0 &&
	    ops_write_full(STDOUT_FILENO, p->out.data, p->out.len, err) < 0) {
		ops_context(err, "stdout");
		return PLAYER_FAILED;
	}
	ops_buf_reset(&p->out);
	return PLAYER_GO_ON;
}

enum player_result
player_show(
    struct player *p, const uint8_t *bytes, size_t n, struct ops_err *err)
{
	filter_feed(&p->filter, bytes, n, &p->out);
	if (p->out.len >= FLUSH || p->out.failed)
		return player_flush(p, err);
	return PLAYER_GO_ON;
}
