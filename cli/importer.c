#include "importer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/io.h"
#include "base/procstat.h"
#include "ipc/link.h"
#include "ipc/msg.h"

#define QUIET_NS UINT64_C(10000000000) /* without a word of the daemon */
#define TURN_MS 100
#define FLUSH_BYTES (256u << 10) /* gathered before they are sent */
#define REFUSALS 3               /* connections that got nowhere */
#define PROGRAM_LEN_MAX 256      /* bytes of a program */

/* What goes over one connection: one stream. */
struct side {
	struct queue queue;
	struct link link;
	unsigned connected; /* link.opened when something became durable last */
};

struct importer {
	struct side session, programs;
	bool begun, has_programs;
	bool ending;  /* SESSION-CLOSE may have been sent */
	bool another; /* the log that the begin is in is gone */
	char path[PATH_MAX];
	uint64_t start;
	uint64_t progress; /* BOOTTIME of the last thing that moved */
};

/* -- the link -- */

static void
on_held(void *arg, uint64_t now)
{
	(void)arg, (void)now;
}

static int
on_behind(
    void *arg, const struct proto_held *h, uint64_t now, struct ops_err *err)
{
	struct importer *im = arg;

	(void)h, (void)now;
	im->another = true;
	return ops_fail(err, OPS_EUNAVAIL, "the log is another one now");
}

static const struct link_owner session_owner = {
	.hello = MSG_REC_HELLO,
	.held = on_held,
	.behind = on_behind,
};
static const struct link_owner programs_owner = {
	.hello = MSG_IMP_HELLO,
	.held = on_held,
	.behind = on_behind,
};

static bool
is_refused(const struct side *s)
{
	return s->link.opened - s->connected > REFUSALS;
}

static int
stuck(const struct importer *im, const struct side *s, struct ops_err *err)
{
	const struct link *l = &s->link;

	if (im->another)
		return ops_fail(err, OPS_EUNAVAIL,
		    "the log is another one than that in which it began; "
		    "import it again");
	if (l->fd >= 0 && l->held && !l->log_ok)
		return ops_fail(err, OPS_EUNAVAIL,
		    "the log can't be written; opseal status says why");
	if (is_refused(s))
		return ops_fail(err, OPS_EUNAVAIL,
		    "the daemon does not take it; its messages say why");
	return ops_fail(err, OPS_EUNAVAIL,
	    "the daemon does not answer; opseal status says why");
}

/* The writer takes a program only while its session's connection is there, and
 * after a restart of its own it has neither. */
static bool
may_send(struct importer *im, const struct side *s, uint64_t now)
{
	struct link *l = &im->session.link;

	if (s == &im->session)
		return true;
	link_connect(l, now);
	link_read(l, now);
	if (l->held) /* it has nothing that could become durable */
		im->session.connected = l->opened;
	return l->held;
}

/* Send, and hear what became durable.  -1: nothing has moved for long. */
static int
turn(struct importer *im, struct side *s, int timeout, struct ops_err *err)
{
	struct link *l = &s->link;
	struct queue *q = &s->queue;
	uint64_t now = ops_boottime(), sent = q->sent_no;
	uint64_t kept = q->head_no, events = q->event_head;
	struct pollfd p;

	link_connect(l, now);
	if (may_send(im, s, now))
		link_flush(l, now);
	else
		timeout = TURN_MS / 10; /* it may be there soon */
	link_ring(l, UINT64_MAX);
	p = (struct pollfd){ l->fd,
		(short)(l->full ? POLLIN | POLLOUT : POLLIN), 0 };
	/* Without a connection it only waits for the next attempt. */
	if (poll(&p, 1, timeout) > 0)
		link_read(l, ops_boottime());
	now = ops_boottime();
	if (q->head_no != kept || q->event_head != events)
		s->connected = l->opened;
	if (q->head_no != kept || q->sent_no != sent || q->event_head != events)
		im->progress = now;
	/* In the line of others it may be long, and the writer says so. */
	if (l->held && l->heard > im->progress)
		im->progress = l->heard;
	if (im->another || now - im->progress > QUIET_NS || is_refused(s))
		return stuck(im, s, err);
	return 0;
}

/* Until all that was handed over there is durable. */
static int
drain(struct importer *im, struct side *s, struct ops_err *err)
{
	while (!queue_empty(&s->queue))
		if (turn(im, s, TURN_MS, err) < 0)
			return -1;
	return 0;
}

/* -- who imports -- */

static uint32_t
read_number(const char *path)
{
	char text[PROCSTAT_TEXT_MAX];
	struct ops_buf b = { .max = sizeof(text) };
	uint32_t v = EVENT_UNSET;

	if (ops_read_file(AT_FDCWD, path, 0, &b, NULL) == 0 &&
	    procstat_number((const char *)b.data, b.len, &v, NULL) < 0)
		v = EVENT_UNSET;
	ops_buf_free(&b);
	return v;
}

static int
read_start(uint64_t *ret, struct ops_err *err)
{
	struct ops_buf b = { .max = PROCSTAT_TEXT_MAX };
	struct procstat st;
	int rc = ops_read_file(AT_FDCWD, "/proc/self/stat", 0, &b, err);

	if (rc == 0)
		rc = procstat_parse((const char *)b.data, b.len, &st, err);
	if (rc == 0)
		*ret = st.start;
	ops_buf_free(&b);
	return rc;
}

static struct event_text
text_of(const char *s)
{
	return (struct event_text){ (const uint8_t *)s, strlen(s) };
}

/* A copy: the next look-up writes over the name. */
static struct event_text
name_of(uid_t uid, char out[static EVENT_TEXT_MAX])
{
	const struct passwd *pw = uid != EVENT_UNSET ? getpwuid(uid) : NULL;

	if (pw == NULL)
		return (struct event_text){ NULL, 0 };
	snprintf(out, EVENT_TEXT_MAX, "%s", pw->pw_name);
	return text_of(out);
}

int
importer_open(
    struct importer *im, const struct event_open *o, struct ops_err *err)
{
	struct ops_buf b = { .max = RECORD_PAYLOAD_MAX };
	char user[EVENT_TEXT_MAX], login[EVENT_TEXT_MAX];
	struct event_open e = *o;
	struct utsname host;
	struct ops_clock now;
	int rc;

	if (uname(&host) < 0)
		return ops_fail_errno(err, "uname");
	ops_clock_read(&now);
	im->start = im->progress = now.boottime;
	e.uid = geteuid();
	e.gid = getegid();
	e.auid = read_number("/proc/self/loginuid");
	e.ses = read_number("/proc/self/sessionid");
	e.pid = e.recorder_pid = (uint32_t)getpid();
	e.start = e.recorder_start = im->session.link.start;
	e.user = name_of(e.uid, user);
	e.login = name_of(e.auid, login);
	e.host = text_of(host.nodename);
	e.realtime = now.realtime;
	event_open_put(&b, im->session.link.id, &e);
	rc = ops_buf_check(&b, "SESSION-OPEN", err);
	if (rc == 0 && queue_event(&im->session.queue, REC_SESSION_OPEN,
			   im->start, b.data, b.len, 1) < 0)
		rc = ops_fail(err, OPS_ENOMEM, "SESSION-OPEN: no memory");
	ops_buf_free(&b);
	/* From here on it may be in the log. */
	im->begun = rc == 0;
	return rc == 0 ? turn(im, &im->session, 0, err) : -1;
}

/* -- its records -- */

static int
put(struct importer *im, struct side *s, uint8_t type, uint64_t time,
    const void *p, size_t n, struct ops_err *err)
{
	const struct queue *q = &s->queue;

	while (queue_put(&s->queue, type, time, p, n) < 0) {
		if (q->data == NULL)
			return ops_fail(err, OPS_ENOMEM, "records: no memory");
		if (turn(im, s, TURN_MS, err) < 0)
			return -1;
	}
	return q->tail - q->sent >= FLUSH_BYTES ? turn(im, s, 0, err) : 0;
}

int
importer_put(struct importer *im, uint8_t type, uint64_t offset, const void *p,
    size_t n, struct ops_err *err)
{
	return put(im, &im->session, type, im->start + offset, p, n, err);
}

int
importer_program(
    struct importer *im, const struct program_accounted *a, struct ops_err *err)
{
	uint8_t bytes[PROGRAM_LEN_MAX];
	struct ops_buf b = OPS_BUF_FIXED(bytes);

	/* The daemon takes no program of a session that it doesn't know. */
	if (!im->has_programs && drain(im, &im->session, err) < 0)
		return -1;
	im->has_programs = true;
	program_imported_put(&b, im->session.link.id, a);
	if (ops_buf_check(&b, "program", err) < 0)
		return -1;
	return put(
	    im, &im->programs, REC_ACCOUNTED, im->start, b.data, b.len, err);
}

int
importer_end(
    struct importer *im, const struct event_close *c, struct ops_err *err)
{
	uint8_t bytes[QUEUE_EVENT_SMALL];
	struct ops_buf b = OPS_BUF_FIXED(bytes);
	struct event_close e = *c;

	if (im->has_programs && drain(im, &im->programs, err) < 0)
		return -1;
	e.records = im->session.queue.tail_no;
	event_close_put(&b, im->session.link.id, &e);
	if (ops_buf_check(&b, "SESSION-CLOSE", err) < 0)
		return -1;
	im->ending = true;
	if (queue_event(&im->session.queue, REC_SESSION_CLOSE, ops_boottime(),
		b.data, b.len, 1) < 0)
		return ops_fail(err, OPS_ENOMEM, "SESSION-CLOSE: no room");
	return drain(im, &im->session, err);
}

/* -- begin and end -- */

const uint8_t *
importer_id(const struct importer *im)
{
	return im->session.link.id;
}

uint64_t
importer_start(const struct importer *im)
{
	return im->start;
}

bool
importer_begun(const struct importer *im)
{
	return im->begun;
}

bool
importer_ending(const struct importer *im)
{
	return im->ending;
}

/* Asked for by hand once, so that a refusal has a reason. */
static int
can_connect(const struct importer *im, const char *run_dir, struct ops_err *err)
{
	int fd;

	if (msg_connect(im->path, &fd, err) == 0) {
		close(fd);
		return 0;
	}
	if (err == NULL)
		return -1;
	if (err->code == OPS_EUNAVAIL)
		return ops_fail(err, OPS_EUNAVAIL,
		    "no daemon answers in %.80s (is opseald running?)",
		    run_dir);
	if (err->sys == EACCES || err->sys == EPERM)
		return ops_fail(err, OPS_EPERM,
		    "only root, or the user opseald runs as, may import");
	return -1;
}

static void
begin(struct importer *im, struct side *s, const struct link_owner *owner)
{
	s->link = (struct link){ .path = im->path,
		.arg = im,
		.queue = &s->queue,
		.owner = owner,
		.fd = -1,
		.bell = -1 };
	ops_random(s->link.id, sizeof(s->link.id));
}

int
importer_new(const char *run_dir, struct importer **ret, struct ops_err *err)
{
	struct importer *im = calloc(1, sizeof(*im));
	int n;

	if (im == NULL)
		return ops_fail(err, OPS_ENOMEM, "import: no memory");
	begin(im, &im->session, &session_owner);
	begin(im, &im->programs, &programs_owner);
	n = snprintf(im->path, sizeof(im->path), "%s/record.sock", run_dir);
	if (n < 0 || (size_t)n >= sizeof(im->path)) {
		ops_fail(err, OPS_EUSAGE, "%.80s: too long", run_dir);
	} else if (can_connect(im, run_dir, err) == 0 &&
		   read_start(&im->session.link.start, err) == 0) {
		im->programs.link.start = im->session.link.start;
		*ret = im;
		return 0;
	}
	importer_free(im);
	return -1;
}

void
importer_free(struct importer *im)
{
	if (im == NULL)
		return;
	link_close(&im->session.link, 0);
	link_close(&im->programs.link, 0);
	queue_free(&im->session.queue);
	queue_free(&im->programs.queue);
	free(im);
}
