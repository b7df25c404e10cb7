#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "door.h"
#include "heard.h"

#define OUTER STDIN_FILENO

struct terminal {
	struct door *d;
	struct termios modes; /* of the outer terminal before the session */
	int slave;
	char name[32]; /* of the inner terminal */
	pid_t child;
	int signals;
	int events; /* epoll: that, and the recorder's connection */
	enum heard_state state;
	bool stop_ok;   /* DOOR_STOP_OK came */
	bool exited;    /* the shell ended, with */
	int status;     /* this wait status */
	bool leave;     /* DOOR_BYE came */
	bool refused;   /* with the news that the log ended it */
	bool gone;      /* the recorder vanished */
	uint64_t until; /* DOOR_END came: leave then; 0: no */
};

static uint64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* The number of the terminal itself, which /dev/tty has not. */
static bool
terminal_number(int fd, unsigned *ret)
{
	return isatty(fd) && ioctl(fd, TIOCGDEV, ret) == 0;
}

/*
 * At a login only that which controls us: who is in a session of its own (su -c) must not read
 * the keys of the shell that has the terminal, which may be a recorded one's.
 */
bool
door_has_terminal(const struct door *d)
{
	unsigned in, out;

	return terminal_number(STDIN_FILENO, &in) &&
	       terminal_number(STDOUT_FILENO, &out) && in == out &&
	       (!d->at_login || tcgetpgrp(STDIN_FILENO) >= 0);
}

/*
 * A description of the outer terminal that nobody shares, so that the recorder
 * can make it non-blocking.  After su(1) the terminal belongs to another user
 * and can't be opened; then it gets ours, and knows it by its flags.
 */
static int
open_outer(struct ops_err *err)
{
	int fd =
	    open("/proc/self/fd/0", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	unsigned a, b;

	if (fd >= 0 && terminal_number(fd, &a) && terminal_number(OUTER, &b) &&
	    a == b)
		return fd;
	if (fd >= 0)
		close(fd);
	fd = fcntl(OUTER, F_DUPFD_CLOEXEC, 3);
	if (fd < 0)
		return ops_fail_errno(err, "terminal");
	return fd;
}

/* The inner terminal, with the outer one's size and modes; it belongs to the
 * user, because the user opens it. */
static int
open_inner(struct terminal *t, int *master, struct ops_err *err)
{
	struct winsize size;
	unsigned number;
	int unlock = 0;

	*master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (*master < 0)
		return ops_fail_errno(err, "no inner terminal");
	if (ioctl(*master, TIOCSPTLCK, &unlock) < 0 ||
	    ioctl(*master, TIOCGPTN, &number) < 0 ||
	    (t->slave = ioctl(*master, TIOCGPTPEER, O_RDWR | O_NOCTTY)) < 0 ||
	    fcntl(t->slave, F_SETFD, FD_CLOEXEC) < 0) {
		ops_fail_errno(err, "no inner terminal");
		close(*master);
		return -1;
	}
	snprintf(t->name, sizeof(t->name), "/dev/pts/%u", number);
	tcsetattr(t->slave, TCSANOW, &t->modes);
	if (ioctl(OUTER, TIOCGWINSZ, &size) == 0)
		ioctl(t->slave, TIOCSWINSZ, &size);
	return 0;
}

static int
ask(struct terminal *t, struct ops_err *err)
{
	int fds[2], rc;

	fds[0] = open_outer(err);
	if (fds[0] < 0)
		return -1;
	if (open_inner(t, &fds[1], err) < 0) {
		close(fds[0]);
		return -1;
	}
	rc = door_ask(t->d, SESSION_TERMINAL, fds, 2, err);
	/* The recorder alone holds the master, or its end would go unnoticed. */
	close(fds[0]);
	close(fds[1]);
	if (rc < 0)
		close(t->slave);
	return rc;
}

/*
 * Descriptors the caller gave along are the command's, but not if they lead to
 * the outer terminal: writing there would be seen and not recorded.  A limit on
 * descriptors says nothing about those that are open, so they are looked up.
 * The inner terminal has the same number where it is of another devpts (a container).
 */
static int
close_copies(const struct terminal *t, struct ops_err *err)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned outer, number;
	struct dirent *e;
	int rc = 0;

	if (dir == NULL || !terminal_number(OUTER, &outer)) {
		rc = ops_fail_errno(err, "descriptors of the terminal");
		if (dir != NULL)
			closedir(dir);
		return rc;
	}
	while ((errno = 0, e = readdir(dir)) != NULL) {
		int fd = (int)strtol(e->d_name, NULL, 10);

		if (fd > STDERR_FILENO && fd != t->slave &&
		    terminal_number(fd, &number) && number == outer)
			close(fd);
	}
	if (errno != 0)
		rc = ops_fail_errno(err, "descriptors of the terminal");
	closedir(dir);
	return rc;
}

static void
run_child(struct terminal *t)
{
	unsigned outer, err_number;
	bool own_stderr = true;

	if (terminal_number(OUTER, &outer))
		own_stderr = terminal_number(STDERR_FILENO, &err_number) &&
			     err_number == outer;
	setsid();
	if (ioctl(t->slave, TIOCSCTTY, 0) < 0 ||
	    dup2(t->slave, STDIN_FILENO) < 0 ||
	    dup2(t->slave, STDOUT_FILENO) < 0 ||
	    (own_stderr && dup2(t->slave, STDERR_FILENO) < 0))
		_exit(DOOR_EXIT_NOEXEC);
	if (getenv("SSH_TTY") != NULL)
		setenv("SSH_TTY", t->name, 1);
	_exit(door_exec(t->d));
}

static const int handled[] = { SIGCHLD, SIGWINCH, SIGTSTP, SIGCONT, SIGTERM,
	SIGHUP, SIGINT, SIGQUIT };

/* Not poll(2): that fails once the user has taken our RLIMIT_NOFILE away. */
static int
watch_both(struct terminal *t)
{
	const int fds[] = { t->d->sock, t->signals };

	t->events = epoll_create1(EPOLL_CLOEXEC);
	if (t->events < 0)
		return -1;
	for (size_t i = 0; i < OPS_ARRAY_LEN(fds); i++) {
		struct epoll_event ev = { EPOLLIN, { .fd = fds[i] } };

		if (epoll_ctl(t->events, EPOLL_CTL_ADD, fds[i], &ev) < 0)
			return -1;
	}
	return 0;
}

/* door_exec() and take_signals() set the mask again. */
static int
block_stop(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTSTP);
	return sigprocmask(SIG_BLOCK, &set, NULL);
}

/* SIGCHLD ignored by inheritance would keep the status from us. */
static int
take_signals(struct terminal *t, struct ops_err *err)
{
	struct sigaction dfl = { .sa_handler = SIG_DFL };
	sigset_t set, block;

	sigemptyset(&set);
	for (size_t i = 0; i < OPS_ARRAY_LEN(handled); i++)
		sigaddset(&set, handled[i]);
	block = set;
	sigaddset(&block, SIGTTOU); /* restoring must not stop us */
	if (sigaction(SIGCHLD, &dfl, NULL) < 0 ||
	    sigprocmask(SIG_BLOCK, &block, NULL) < 0 ||
	    (t->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)) < 0 ||
	    watch_both(t) < 0)
		return ops_fail_errno(err, "signals");
	return 0;
}

static void
tell(struct terminal *t, uint16_t type, const void *p, size_t n)
{
	/* If the recorder is gone, reading says so. */
	msg_send(t->d->sock, type, p, n, NULL, 0, NULL);
}

static void
tell32(struct terminal *t, uint16_t type, uint32_t v)
{
	uint8_t p[4];

	ops_putle32(p, v);
	tell(t, type, p, sizeof(p));
}

static void
hang_up(struct terminal *t)
{
	if (t->child <= 0 || t->exited)
		return;
	kill(t->child, SIGHUP);
	kill(t->child, SIGCONT);
}

/* One message, if one is there. */
static void
read_recorder(struct terminal *t)
{
	static uint8_t buf[MSG_MAX];
	struct heard heard = { 0 };
	struct ops_err err = { 0 };
	struct msg m;
	int rc;

	rc = msg_recv(t->d->sock, buf, &m, &err);
	if (rc == 1)
		rc = heard_take(&heard, t->state, &m, &err);
	else if (rc < 0 && err.code == OPS_EBUSY)
		return;
	else
		rc = -1;
	t->stop_ok |= heard.stop_ok;
	t->leave |= heard.bye;
	t->refused |= heard.refused;
	if (heard.end) {
		hang_up(t);
		t->until = now_ms() + DOOR_LEAVE_MS;
	}
	if (rc < 0 && !t->leave)
		t->gone = true;
}

/* Wait up to ms (-1: for ever) for either; true: it was a signal. */
static bool
wait_event(struct terminal *t, int ms)
{
	struct epoll_event ev[2];
	bool signalled = false;
	int n;

	do
		n = epoll_wait(t->events, ev, 2, ms);
	while (n < 0 && errno == EINTR);
	for (int i = 0; i < n; i++) {
		if (ev[i].data.fd == t->signals)
			signalled = true;
		else
			read_recorder(t);
	}
	return signalled;
}

/* In a job-control shell the terminal is ours only in the foreground. */
static void
wait_foreground(void)
{
	for (;;) {
		pid_t pgrp = tcgetpgrp(OUTER);

		if (pgrp < 0 || pgrp == getpgrp() || pgrp == 0)
			return;
		raise(SIGSTOP);
	}
}

/*
 * Is there a shell that could take the terminal over and continue us later?
 * Not for a session leader (a login's door) or in its process group, and not if
 * nobody of the session is our parent.  Only what the user can't change while
 * we run counts, for he would get his terminal back past the recorder.
 */
static bool
has_shell(void)
{
	pid_t leader = getsid(0);

	return getpgrp() != leader && getsid(getppid()) == leader;
}

/*
 * Stop as a job does, by the default action of SIGTSTP: where no shell could
 * continue us (an orphaned process group) the kernel lets us go on.
 */
static void
stop_here(void)
{
	struct sigaction dfl = { .sa_handler = SIG_DFL }, old;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTSTP);
	sigaction(SIGTSTP, &dfl, &old);
	raise(SIGTSTP);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sigaction(SIGTSTP, &old, NULL);
	wait_foreground();
}

static void
stop(struct terminal *t, int sig)
{
	uint8_t byte = (uint8_t)sig;
	uint64_t end = now_ms() + DOOR_LEAVE_MS;

	if (t->exited || t->until != 0)
		return;
	if (!has_shell()) {
		/* The recorder must not give the terminal back for a moment. */
		kill(t->child, SIGCONT);
		return;
	}
	t->state = HEARD_STOPPING;
	t->stop_ok = false;
	tell(t, DOOR_STOP, &byte, 1);
	while (!t->stop_ok && !t->gone && !t->leave && now_ms() < end) {
		struct pollfd pfd = { .fd = t->d->sock, .events = POLLIN };

		if (poll(&pfd, 1, 100) > 0)
			read_recorder(t);
	}
	t->state = HEARD_RUNNING;
	if (t->gone || t->leave || t->until != 0)
		return;
	stop_here();
	tell(t, DOOR_CONT, NULL, 0);
	if (!t->exited)
		kill(t->child, SIGCONT);
}

static void
reap(struct terminal *t)
{
	int status;

	while (waitpid(t->child, &status, WNOHANG | WUNTRACED) == t->child) {
		if (WIFSTOPPED(status)) {
			stop(t, WSTOPSIG(status));
			continue;
		}
		t->exited = true;
		t->status = status;
		tell32(t, DOOR_EXIT, (uint32_t)status);
		return;
	}
}

static void
read_signal(struct terminal *t)
{
	struct signalfd_siginfo si;

	if (read(t->signals, &si, sizeof(si)) != (ssize_t)sizeof(si))
		return;
	switch (si.ssi_signo) {
	case SIGCHLD:
		if (!t->exited)
			reap(t);
		break;
	case SIGWINCH:
		tell(t, DOOR_WINCH, NULL, 0);
		break;
	case SIGTSTP:
		stop(t, SIGTSTP);
		break;
	case SIGCONT:
		wait_foreground();
		tell(t, DOOR_CONT, NULL, 0);
		break;
	case SIGHUP:
		hang_up(t);
		break;
	default:
		if (!t->exited)
			kill(t->child, (int)si.ssi_signo);
	}
}

/* The recorder has done this, unless it was killed. */
static void
restore_outer(const struct terminal *t)
{
	ioctl(OUTER, TIOCNXCL);
	tcsetattr(OUTER, TCSANOW, &t->modes);
}

/* End as the command ended; the core is the command's to leave, if any. */
static int
end_as(int status)
{
	struct sigaction dfl = { .sa_handler = SIG_DFL };
	struct rlimit none = { 0, 0 };
	sigset_t set;

	if (!WIFSIGNALED(status))
		return WEXITSTATUS(status);
	setrlimit(RLIMIT_CORE, &none);
	sigaction(WTERMSIG(status), &dfl, NULL);
	sigemptyset(&set);
	sigaddset(&set, WTERMSIG(status));
	raise(WTERMSIG(status));
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	return 128 + WTERMSIG(status);
}

static int
watch(struct terminal *t)
{
	while (!t->leave && !t->gone) {
		int ms = -1;

		if (t->until != 0) {
			if (now_ms() >= t->until)
				break;
			ms = 100;
		}
		if (wait_event(t, ms))
			read_signal(t);
	}
	if (t->gone)
		hang_up(t);
	/* The status may lie behind the news of the recorder's end. */
	if (!t->exited)
		reap(t);
	if (!t->leave)
		restore_outer(t);
	if (t->gone) {
		door_say("\r\nopseal-door: the recorder is gone; the "
			 "session ends here");
		return DOOR_EXIT_TROUBLE;
	}
	/* Ended by the recorder: the command didn't, whatever it says; or it did,
	 * and what it wrote wasn't shown to the end. */
	if (t->until != 0 || t->refused || !t->exited)
		return DOOR_EXIT_TROUBLE;
	return end_as(t->status);
}

int
door_terminal(struct door *d, struct ops_err *err)
{
	struct terminal t = { .d = d, .state = HEARD_RUNNING };

	wait_foreground();
	if (tcgetattr(OUTER, &t.modes) < 0)
		return ops_fail_errno(err, "terminal");
	/* Who stops us while the daemon waits would have it refuse. */
	if (block_stop() < 0)
		return ops_fail_errno(err, "signals");
	if (ask(&t, err) < 0)
		return -1;
	if (close_copies(&t, err) < 0 || take_signals(&t, err) < 0) {
		restore_outer(&t);
		return -1;
	}
	t.child = fork();
	if (t.child < 0) {
		ops_fail_errno(err, "fork");
		restore_outer(&t);
		return -1;
	}
	if (t.child == 0)
		run_child(&t);
	close(t.slave);
	tell32(&t, DOOR_CHILD, (uint32_t)t.child);
	/* A SIGWINCH or SIGCONT that came before signals were taken: this is
	 * the answer to both. */
	wait_foreground();
	tell(&t, DOOR_CONT, NULL, 0);
	return watch(&t);
}
