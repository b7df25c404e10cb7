#include "anchor.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "journal.h"
#include "logline.h"
#include "merkle/checkpoint.h"

#define SYSLOG_SOCKET "/dev/log"
/* One id for all anchor lines: journalctl MESSAGE_ID=... lists them. */
#define ANCHOR_MESSAGE_ID "7d0a1f1b6a7a4f4c9d5f0c2f8e4b6a31"
/* authpriv.notice, RFC 5424 section 6.2.1 */
#define SYSLOG_PRIORITY "<85>"

/* What one anchoring works on; the thread's until `done`. */
struct job {
	struct config config;
	char line[CHECKPOINT_ANCHOR_MAX + 1];
	uint64_t size;
	char where[64];     /* places that took it: "journal file" */
	struct ops_err err; /* of the last that did not */
};

struct anchor {
	struct config config;
	int wake_fd;
	uint64_t time; /* CLOCK_REALTIME of the newest that worked; 0: none */
	uint64_t anchored;              /* newest size handed to some place */
	char last[ANCHOR_TEXT_MAX / 2]; /* the newest that worked, in words */
	char failure[ANCHOR_TEXT_MAX / 2 - 16]; /* "" if the newest worked */
	struct job job;
	bool running; /* main thread's: a job was started, not yet taken */
	pthread_mutex_t lock;
	bool done; /* under lock */
};

/* -- in the thread -- */

static int
send_line(const char *path, const char *text, size_t n, struct ops_err *err)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd, rc = 0;

	if (strlen(path) >= sizeof(sun.sun_path))
		return ops_fail(err, OPS_EUSAGE, "%s: too long", path);
	memcpy(sun.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return ops_fail_errno(err, "socket");
	if (sendto(fd, text, n, MSG_NOSIGNAL | MSG_DONTWAIT,
		(const struct sockaddr *)&sun, sizeof(sun)) < 0)
		rc = ops_fail_errno(err, "%s", path);
	close(fd);
	return rc;
}

static int
to_journal(const char *path, const char *line, struct ops_err *err)
{
	uint8_t bytes[CHECKPOINT_ANCHOR_MAX + 256];
	struct ops_buf b = OPS_BUF_FIXED(bytes);

	journal_puts(&b, "MESSAGE", line);
	journal_puts(&b, "PRIORITY", "5");
	journal_puts(&b, "SYSLOG_FACILITY", "10");
	journal_puts(&b, "SYSLOG_IDENTIFIER", "opseal");
	journal_puts(&b, "MESSAGE_ID", ANCHOR_MESSAGE_ID);
	if (ops_buf_check(&b, "anchor line", err) < 0)
		return -1;
	return send_line(path, (const char *)b.data, b.len, err);
}

static int
to_syslog(const char *path, const char *line, struct ops_err *err)
{
	char text[CHECKPOINT_ANCHOR_MAX + 64];
	int n =
	    snprintf(text, sizeof(text), SYSLOG_PRIORITY "opseal: %s", line);

	if (n < 0 || (size_t)n >= sizeof(text))
		return ops_fail(err, OPS_EUSAGE, "anchor line too long");
	return send_line(path, text, (size_t)n, err);
}

static int
to_file(const char *path, const char *line, struct ops_err *err)
{
	char text[CHECKPOINT_ANCHOR_MAX + 32], now[OPS_TIME_TEXT];
	struct ops_clock clock;
	int fd, rc, n;

	/* A log puts the time before the line; here nobody else does. */
	ops_clock_read(&clock);
	ops_time_rfc3339(clock.realtime, true, now);
	n = snprintf(text, sizeof(text), "%.19sZ %s\n", now, line);
	if (n < 0 || (size_t)n >= sizeof(text))
		return ops_fail(err, OPS_EUSAGE, "anchor line too long");
	fd = open(path,
	    O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY,
	    0644);
	if (fd < 0)
		return ops_fail_errno(err, "%s", path);
	rc = ops_write_full(fd, text, (size_t)n, err);
	if (rc == 0 && fsync(fd) < 0)
		rc = ops_fail_errno(err, "%s: fsync", path);
	close(fd);
	return rc;
}

static void
add_place(struct job *j, const char *name)
{
	size_t n = strlen(j->where);

	(void)snprintf(
	    j->where + n, sizeof(j->where) - n, "%s%s", n > 0 ? " " : "", name);
}

/* A given path that ends as the journal's does speaks its protocol. */
static bool
is_journal(const char *path)
{
	const char *end = "/journal/socket";
	size_t n = strlen(path), m = strlen(end);

	return n >= m && strcmp(path + n - m, end) == 0;
}

static void
to_system_log(const struct config *c, struct job *j)
{
	const char *path = c->anchor_syslog;
	bool journal;
	int rc;

	if (strcmp(path, "off") == 0)
		return;
	if (path[0] == '\0')
		path = access(JOURNAL_SOCKET, F_OK) == 0 ? JOURNAL_SOCKET
							 : SYSLOG_SOCKET;
	journal = is_journal(path);
	rc = journal ? to_journal(path, j->line, &j->err)
		     : to_syslog(path, j->line, &j->err);
	if (rc == 0)
		add_place(j, journal ? "journal" : "syslog");
}

static void *
run_job(void *arg)
{
	struct anchor *a = arg;
	const uint64_t one = 1;

	to_system_log(&a->job.config, &a->job);
	if (a->job.config.anchor_file[0] != '\0' &&
	    to_file(a->job.config.anchor_file, a->job.line, &a->job.err) == 0)
		add_place(&a->job, "file");
	pthread_mutex_lock(&a->lock);
	a->done = true;
	pthread_mutex_unlock(&a->lock);
	(void)!write(a->wake_fd, &one, sizeof(one));
	return NULL;
}

/* -- in the role's thread -- */

int
anchor_new(const struct config *c, int wake_fd, struct anchor **ret,
    struct ops_err *err)
{
	struct anchor *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return ops_fail(err, OPS_ENOMEM, "anchor: no memory");
	a->config = *c;
	a->wake_fd = wake_fd;
	(void)pthread_mutex_init(&a->lock, NULL);
	*ret = a;
	return 0;
}

void
anchor_set(struct anchor *a, const struct config *c)
{
	a->config = *c;
	a->failure[0] = '\0';
}

static void
failed(struct anchor *a, const char *why)
{
	char text[sizeof(a->failure)];

	(void)snprintf(text, sizeof(text), "%s", why);
	/* The same trouble every minute is one line. */
	if (strcmp(text, a->failure) != 0)
		logline("anchor: %s", why);
	memcpy(a->failure, text, sizeof(text));
}

/* Fill in the job: 1, or 0 if there is nothing new. */
static int
prepare(struct anchor *a, struct writer *w, struct ops_err *err)
{
	struct ops_buf note = { .max = NOTE_MAX }, vkey = { .max = NOTE_MAX };
	struct ops_buf line = { .max = CHECKPOINT_ANCHOR_MAX };
	struct note_key key;
	uint64_t size = 0;
	int rc = -1;

	if (writer_checkpoint(w, &note, &vkey, &size, err) < 0)
		goto out;
	if (size == 0 || size == a->anchored) {
		rc = 0;
		goto out;
	}
	if (note_vkey_parse((const char *)vkey.data, vkey.len, &key, err) < 0 ||
	    checkpoint_anchor_put(
		(const char *)note.data, note.len, &key, &line, err) < 0 ||
	    ops_buf_check(&line, "anchor line", err) < 0)
		goto out;
	a->job = (struct job){ .config = a->config, .size = size };
	memcpy(a->job.line, line.data, line.len);
	a->job.line[line.len] = '\0';
	rc = 1;
out:
	ops_buf_free(&note);
	ops_buf_free(&vkey);
	ops_buf_free(&line);
	return rc;
}

void
anchor_start(struct anchor *a, struct writer *w)
{
	struct ops_err err = { 0 };
	pthread_t thread;
	int rc;

	if (a->running) {
		failed(a, "the one before is not done yet");
		return;
	}
	rc = prepare(a, w, &err);
	if (rc < 0)
		failed(a, err.msg);
	if (rc <= 0)
		return;
	a->done = false;
	rc = pthread_create(&thread, NULL, run_job, a);
	if (rc != 0) {
		failed(a, strerror(rc));
		return;
	}
	(void)pthread_detach(thread);
	a->running = true;
}

bool
anchor_done(struct anchor *a, char what[static ANCHOR_TEXT_MAX])
{
	const struct job *j = &a->job;
	char when[OPS_TIME_TEXT];
	struct ops_clock now;
	bool done;

	pthread_mutex_lock(&a->lock);
	done = a->done;
	pthread_mutex_unlock(&a->lock);
	if (!a->running || !done)
		return false;
	a->running = false;
	if (j->err.code != OPS_OK)
		failed(a, j->err.msg);
	else
		a->failure[0] = '\0';
	if (j->where[0] == '\0')
		return false;
	a->anchored = j->size;
	ops_clock_read(&now);
	a->time = now.realtime;
	ops_time_short(now.realtime, 0, when);
	(void)snprintf(a->last, sizeof(a->last), "size %llu %s %s",
	    (unsigned long long)j->size, j->where, when);
	(void)snprintf(what, ANCHOR_TEXT_MAX, "size %llu %s",
	    (unsigned long long)j->size, j->where);
	return true;
}

void
anchor_text(const struct anchor *a, char out[static ANCHOR_TEXT_MAX])
{
	out[0] = '\0';
	if (a == NULL)
		return;
	(void)snprintf(out, ANCHOR_TEXT_MAX, "%s%s%s%s", a->last,
	    a->last[0] != '\0' && a->failure[0] != '\0' ? "; " : "",
	    a->failure[0] != '\0' ? "failed: " : "", a->failure);
}

uint64_t
anchor_time(const struct anchor *a)
{
	return a != NULL ? a->time : 0;
}

void
anchor_free(struct anchor *a)
{
	if (a == NULL || a->running)
		return;
	(void)pthread_mutex_destroy(&a->lock);
	free(a);
}
