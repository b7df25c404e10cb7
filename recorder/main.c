/*
 * opseal-rec: records one session; see rec.h.  Started by opseald's acceptor
 * with the descriptors and arguments that ipc/proto.h lists.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "ipc/msg.h"
#include "ipc/proto.h"
#include "rec.h"
#include "record/body.h"

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83 /* Linux 6.16 */
#endif

#define HOLD_TIME_NS 3000000000u
#define REFUSED_MAX 200 /* bytes of text a door takes */

static const char usage[] =
    "usage: opseal-rec --session ID --record PATH --conn FD --pidfd FD "
    "--open FD\n"
    "                  [--outer FD --master FD] [--input] [--hold-time NS] "
    "[--refuse]\n"
    "                  [--notify-fd FD] [--notice FD] [--reason ask|require]\n"
    "Started by opseald; not by hand.\n";

struct options {
	const char *session;
	int open, outer, notice;
	bool bad;
};

static int
number(const char *s, struct options *o)
{
	char *end;
	long v;

	errno = 0;
	v = strtol(s, &end, 10);
	if (errno != 0 || end == s || *end != '\0' || v < 0 || v > 65535 ||
	    fcntl((int)v, F_GETFD) < 0) {
		o->bad = true;
		return -1;
	}
	return fcntl((int)v, F_SETFD, FD_CLOEXEC) < 0 ? -1 : (int)v;
}

static uint64_t
nanoseconds(const char *s, struct options *o)
{
	unsigned long long v;
	char *end;

	errno = 0;
	v = strtoull(s, &end, 10);
	if (errno != 0 || end == s || *end != '\0' || s[0] == '-' ||
	    v > 86400ull * 1000000000)
		o->bad = true;
	return v;
}

static enum ask_mode
reason(const char *s, struct options *o)
{
	if (strcmp(s, "require") == 0)
		return ASK_REQUIRED;
	o->bad |= strcmp(s, "ask") != 0;
	return ASK_MAYBE;
}

static int
parse(int argc, char **argv, struct rec *r, struct options *o)
{
	static const struct option options[] = {
		{ "session", required_argument, NULL, 's' },
		{ "record", required_argument, NULL, 'r' },
		{ "input", no_argument, NULL, 'i' },
		{ "hold-time", required_argument, NULL, 't' },
		{ "refuse", no_argument, NULL, 'f' },
		{ "conn", required_argument, NULL, 'c' },
		{ "pidfd", required_argument, NULL, 'p' },
		{ "outer", required_argument, NULL, 'o' },
		{ "master", required_argument, NULL, 'm' },
		{ "open", required_argument, NULL, 'e' },
		{ "notify-fd", required_argument, NULL, 'n' },
		{ "notice", required_argument, NULL, 'N' },
		{ "reason", required_argument, NULL, 'R' },
		{ 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 's':
			o->session = optarg;
			break;
		case 'r':
			r->link.path = optarg;
			break;
		case 'i':
			r->keep_input = true;
			break;
		case 't':
			r->hold_time = nanoseconds(optarg, o);
			break;
		case 'f':
			r->refuse = true;
			break;
		case 'c':
			r->conn = number(optarg, o);
			break;
		case 'p':
			r->pidfd = number(optarg, o);
			break;
		case 'o':
			o->outer = number(optarg, o);
			break;
		case 'm':
			r->master = number(optarg, o);
			break;
		case 'e':
			o->open = number(optarg, o);
			break;
		case 'n':
			r->notify = number(optarg, o);
			break;
		case 'N':
			o->notice = number(optarg, o);
			break;
		case 'R':
			r->ask.mode = reason(optarg, o);
			break;
		default:
			return -1;
		}
	}
	if (o->bad || optind != argc || o->session == NULL ||
	    r->link.path == NULL || r->conn < 0 || r->pidfd < 0 ||
	    o->open < 0 || (o->outer < 0) != (r->master < 0))
		return -1;
	return ops_id_parse(o->session, r->id);
}

/* The OPEN event, completed with who we are if the acceptor couldn't know. */
static int
queue_open(struct rec *r, int fd, struct ops_err *err)
{
	static uint8_t raw[RECORD_PAYLOAD_MAX + 1];
	struct ops_buf b = { .max = RECORD_PAYLOAD_MAX };
	uint8_t id[OPS_ID_LEN];
	struct event_open e;
	uint64_t begun = ops_boottime();
	ssize_t n = pread(fd, raw, sizeof(raw), 0);
	int rc;

	if (n < 0 || (size_t)n > RECORD_PAYLOAD_MAX)
		return ops_fail_errno(err, "OPEN event");
	if (body_session(raw, (size_t)n, id, err) < 0 ||
	    event_open_get(raw, (size_t)n, &e, err) < 0)
		return -1;
	if (memcmp(id, r->id, sizeof(id)) != 0)
		return ops_fail(
		    err, OPS_EUSAGE, "OPEN event of another session");
	if (e.recorder_pid == 0) {
		e.recorder_pid = (uint32_t)getpid();
		e.recorder_start = r->link.start;
	}
	ask_whose(&r->ask, &e);
	r->door = (pid_t)e.pid;
	r->uplink.outer.door_start = e.start;
	r->uplink.inner = (struct proto_inner){ .fs = e.inner_fs,
		.dev = e.inner_dev,
		.door = e.pid,
		.door_start = e.start,
		.ses = e.ses,
		.begun = begun };
	memcpy(r->uplink.inner.id, r->id, OPS_ID_LEN);
	event_open_put(&b, r->id, &e);
	rc = ops_buf_check(&b, "OPEN event", err);
	if (rc == 0 && queue_event(&r->queue, REC_SESSION_OPEN, begun, b.data,
			   b.len, 1) < 0)
		rc = ops_fail(err, OPS_ENOMEM, "OPEN event: no memory");
	ops_buf_free(&b);
	return rc;
}

static int
read_notice(struct rec *r, int fd, struct ops_err *err)
{
	ssize_t n = fd < 0 ? 0 : pread(fd, r->ask.notice, ASK_NOTICE_MAX, 0);

	if (n < 0)
		return ops_fail_errno(err, "notice");
	r->ask.notice_len = (size_t)n;
	if (fd >= 0)
		close(fd);
	return 0;
}

/* Nobody who is recorded may look into us or end us; and we outlive the
 * daemon that started us. */
static int
harden(struct rec *r, struct ops_err *err)
{
	static const int ignored[] = { SIGHUP, SIGINT, SIGQUIT, SIGPIPE,
		SIGTSTP, SIGTTIN, SIGTTOU, SIGUSR1, SIGUSR2 };
	struct sigaction ign = { .sa_handler = SIG_IGN };
	struct rlimit none = { 0, 0 };
	sigset_t term;

	setsid(); /* fails where the acceptor did it */
	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		sigaction(ignored[i], &ign, NULL);
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	if (prctl(PR_SET_DUMPABLE, 0) < 0 || guard_init() < 0 ||
	    setrlimit(RLIMIT_CORE, &none) < 0 ||
	    sigprocmask(SIG_SETMASK, &term, NULL) < 0 ||
	    (r->signals = signalfd(-1, &term, SFD_CLOEXEC | SFD_NONBLOCK)) < 0)
		return ops_fail_errno(err, "process");
	return 0;
}

/* Which terminal it is, for who looks for others that have it open. */
static int
name_outer(struct rec *r, struct ops_err *err)
{
	struct proto_outer *o = &r->uplink.outer;
	unsigned number;
	struct stat st;

	if (fstat(r->outer.fd, &st) < 0)
		return ops_fail_errno(err, "outer terminal");
	memcpy(o->id, r->id, OPS_ID_LEN);
	o->fs = st.st_dev;
	o->dev = st.st_rdev;
	/* Opened as /dev/tty: only the number is known. */
	if (ioctl(r->outer.fd, TIOCGDEV, &number) == 0 && number != o->dev) {
		o->fs = 0;
		o->dev = number;
	}
	o->door = (uint32_t)r->door;
	o->recorder = (uint32_t)getpid();
	o->recorder_start = r->link.start;
	return 0;
}

static int
set_nonblocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags < 0 ? -1 : fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

/* No descriptor has any business there, and to close one may take long.  Before
 * Linux 6.16 the guard has to do. */
static void
refuse_descriptors(int conn)
{
	const int no = 0;

	setsockopt(conn, SOL_SOCKET, SO_PASSRIGHTS, &no, sizeof(no));
}

static int
set_up(struct rec *r, const struct options *o, struct ops_err *err)
{
	struct procstat st = { 0 };
	unsigned number;

	if (harden(r, err) < 0)
		return -1;
	refuse_descriptors(r->conn);
	proc_stat(getpid(), &st);
	r->link.start = st.start;
	memcpy(r->link.id, r->id, OPS_ID_LEN);
	if (set_nonblocking(r->conn) < 0)
		return ops_fail_errno(err, "connection of the door");
	/* All the memory the session will need; see queue.h. */
	if (queue_room(&r->queue, 0) == NULL)
		return ops_fail(err, OPS_ENOMEM, "queue: no memory");
	if (queue_open(r, o->open, err) < 0 ||
	    read_notice(r, o->notice, err) < 0)
		return -1;
	close(o->open);
	r->terminal = r->master >= 0;
	if (!r->terminal)
		return 0;
	if (ioctl(r->master, TIOCGPTN, &number) < 0 ||
	    set_nonblocking(r->master) < 0)
		return ops_fail_errno(err, "inner terminal");
	if (outer_init(&r->outer, o->outer) < 0)
		return ops_fail_errno(err, "outer terminal");
	return name_outer(r, err);
}

/* The door waits for an answer; the mere end of the connection would look as
 * if nobody was there. */
static int
give_up(const struct rec *r, const char *text)
{
	size_t n = strlen(text);

	(void)msg_send(r->conn, DOOR_REFUSED, text,
	    n < REFUSED_MAX ? n : REFUSED_MAX, NULL, 0, NULL);
	fprintf(stderr, "opseal-rec: %s\n", text);
	return 1;
}

int
main(int argc, char **argv)
{
	static struct rec r = {
		.hold_time = HOLD_TIME_NS,
		.conn = -1,
		.pidfd = -1,
		.master = -1,
		.notify = -1,
		.signals = -1,
		.outer = { .fd = -1 },
		.echo = -1,
		.link = { .fd = -1, .bell = -1 },
	};
	struct options o = { .open = -1, .outer = -1, .notice = -1 };
	struct ops_err err = { 0 };
	int rc;

	r.link.queue = &r.queue;
	r.link.owner = &uplink_owner;
	r.link.arg = &r.uplink;
	r.uplink.link = &r.link;
	r.uplink.found = rec_found;
	r.uplink.arg = &r;
	r.input.sink = (struct input_sink){ copy_keep, copy_mask, &r };
	if (parse(argc, argv, &r, &o) < 0) {
		fputs(usage, stderr);
		return 2;
	}
	if (set_up(&r, &o, &err) < 0)
		return give_up(&r, err.msg);
	rc = rec_run(&r);
	/* The loop itself failed, before the door was told to go. */
	if (rc != 0 && r.phase <= ASKING)
		return give_up(&r, "the recorder's loop failed");
	return rc;
}
