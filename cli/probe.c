#include "probe.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "record/record.h"
#include "store/store.h"

#define NAME_MAX_LEN 64
#define LOOK_MS 5000 /* for the log to have its end */
#define PAUSE_MS 50
#define SECOND UINT64_C(1000000000)

int
probe_begin(struct probe *p, struct ops_err *err)
{
	uint8_t id[OPS_ID_LEN];
	char text[OPS_ID_TEXT_LEN + 1];

	*p = (struct probe){ .shown.max = PROBE_SHOWN,
		.logged.max = 4 * PROBE_SHOWN };
	if (getrandom(id, sizeof(id), 0) != (ssize_t)sizeof(id))
		return ops_fail_errno(err, "getrandom");
	ops_id_text(id, text);
	(void)snprintf(p->word, sizeof(p->word), "opseal-doctor-%.8s", text);
	return 0;
}

void
probe_end(struct probe *p)
{
	ops_buf_free(&p->shown);
	ops_buf_free(&p->logged);
}

/* -- running -- */

/* In the child: what its streams are to be is in from and to. */
static void
become(const struct probe_how *how, int from, int to)
{
	static char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
		    term[] = "TERM=xterm", locale[] = "LC_ALL=C.UTF-8",
		    home[] = "HOME=/";
	char name[80];
	char *const env[] = { path, term, locale, home, name, NULL };
	char *args[8] = { NULL };

	(void)snprintf(name, sizeof(name), "LOGNAME=%s", how->user);
	/* execve() takes no const, and changes nothing. */
	for (size_t i = 0; i < 7 && how->argv[i] != NULL; i++)
		memcpy(&args[i], &how->argv[i], sizeof(args[i]));
	(void)signal(SIGPIPE, SIG_DFL);
	if (dup2(from, STDIN_FILENO) < 0 || dup2(to, STDOUT_FILENO) < 0 ||
	    dup2(to, STDERR_FILENO) < 0 || chdir("/") < 0)
		_exit(125);
	if (how->change && (setgroups(1, &how->gid) < 0 ||
			       setresgid(how->gid, how->gid, how->gid) < 0 ||
			       setresuid(how->uid, how->uid, how->uid) < 0))
		_exit(125);
	if (args[0] != NULL)
		(void)execve(args[0], args, env);
	_exit(127);
}

static void
become_on_terminal(const struct probe_how *how, const char *tty)
{
	int fd;

	if (setsid() < 0)
		_exit(125);
	/* It becomes the controlling terminal. */
	fd = open(tty, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		_exit(125);
	become(how, fd, fd);
}

static void
become_without(const struct probe_how *how, int in, int out)
{
	if (setsid() < 0)
		_exit(125);
	become(how, in, out);
}

/* Its terminal: the master's descriptor. */
static int
open_terminal(struct probe *p, const struct probe_how *how, struct ops_err *err)
{
	const struct winsize size = { .ws_row = 24, .ws_col = 80 };
	int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (fd < 0)
		return ops_fail_errno(err, "a terminal to try it on");
	if (grantpt(fd) < 0 || unlockpt(fd) < 0 ||
	    ptsname_r(fd, p->tty, sizeof(p->tty)) != 0 ||
	    ioctl(fd, TIOCSWINSZ, &size) < 0 ||
	    (how->change && chown(p->tty, how->uid, (gid_t)-1) < 0)) {
		ops_fail_errno(err, "a terminal to try it on");
		(void)close(fd);
		return -1;
	}
	return fd;
}

static int
start_on_terminal(
    struct probe *p, const struct probe_how *how, struct ops_err *err)
{
	int fd = open_terminal(p, how, err);

	if (fd < 0)
		return -1;
	p->pid = fork();
	if (p->pid == 0)
		become_on_terminal(how, p->tty);
	if (p->pid < 0) {
		p->pid = 0;
		ops_fail_errno(err, "%.100s", how->argv[0]);
		(void)close(fd);
		return -1;
	}
	return fd;
}

/* Write the input to a pipe, which holds more than that. */
static int
input_pipe(const char *text, struct ops_err *err)
{
	int ends[2];
	size_t n = text != NULL ? strlen(text) : 0;

	assert(n < 4096); /* PIPE_BUF: it doesn't wait */
	if (pipe2(ends, O_CLOEXEC) < 0)
		return ops_fail_errno(err, "a pipe");
	if (n > 0 && write(ends[1], text, n) != (ssize_t)n) {
		ops_fail_errno(err, "a pipe");
		(void)close(ends[0]);
		ends[0] = -1;
	}
	(void)close(ends[1]);
	return ends[0];
}

static int
start_without(struct probe *p, const struct probe_how *how, struct ops_err *err)
{
	int in = input_pipe(how->input, err), out[2];

	if (in < 0)
		return -1;
	if (pipe2(out, O_CLOEXEC) < 0) {
		ops_fail_errno(err, "a pipe");
		(void)close(in);
		return -1;
	}
	p->pid = fork();
	if (p->pid == 0)
		become_without(how, in, out[1]);
	(void)close(in);
	(void)close(out[1]);
	if (p->pid < 0) {
		p->pid = 0;
		ops_fail_errno(err, "%.100s", how->argv[0]);
		(void)close(out[0]);
		return -1;
	}
	return out[0];
}

/* Who asks for a reason waits for one. */
static void
answer(struct probe *p, int fd)
{
	static const char question[] = "Reason for this session",
			  reason[] = "opseal doctor\r";

	if (p->answered || p->shown.len == 0 ||
	    memmem(p->shown.data, p->shown.len, question,
		sizeof(question) - 1) == NULL)
		return;
	p->answered = write(fd, reason, sizeof(reason) - 1) > 0;
}

/* Hear it until its end of the terminal is closed.  False: the time is over. */
static bool
hear(struct probe *p, const struct probe_how *how, int fd)
{
	uint64_t end = ops_boottime() + how->seconds * SECOND;

	for (;;) {
		struct pollfd pfd = { .fd = fd, .events = POLLIN };
		uint64_t now = ops_boottime();
		uint8_t bytes[4096];
		ssize_t n;

		if (now >= end ||
		    poll(&pfd, 1, (int)((end - now) / 1000000) + 1) == 0)
			return false;
		n = read(fd, bytes, sizeof(bytes));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) /* EIO: nobody has the terminal any more */
			return true;
		if ((size_t)n <= p->shown.max - p->shown.len)
			ops_buf_put(&p->shown, bytes, (size_t)n);
		if (how->terminal)
			answer(p, fd);
		if (how->shows != NULL)
			how->shows(p, how->arg);
	}
}

int
probe_run(struct probe *p, const struct probe_how *how, struct ops_err *err)
{
	int fd = how->terminal ? start_on_terminal(p, how, err)
			       : start_without(p, how, err);
	bool ended;
	int status;

	if (fd < 0)
		return -1;
	p->door = p->pid;
	p->uid = how->change ? how->uid : geteuid();
	ended = hear(p, how, fd);
	/* Whoever is left hangs up. */
	(void)close(fd);
	if (!ended)
		(void)kill(p->pid, SIGKILL);
	while (waitpid(p->pid, &status, 0) < 0)
		if (errno != EINTR)
			break;
	p->pid = 0;
	if (!ended)
		return ops_fail(err, OPS_EUNAVAIL,
		    "a session that was tried didn't end in %u seconds",
		    how->seconds);
	return ops_buf_check(&p->shown, "what it shows", err);
}

/* -- looking -- */

static bool
is_its(const struct probe *p, const struct session *s)
{
	return !session_imported(s) && s->open.uid == p->uid &&
	       s->open.pid == (uint32_t)p->door;
}

/* *ret: in the list; NULL: there is none. */
static int
find(struct probe *p, struct remote *r, struct session_list *list,
    const struct session **ret, struct ops_err *err)
{
	const struct proto_filter f = { .command = { (const uint8_t *)p->word,
					    strlen(p->word) } };
	const struct session *s = NULL;

	if (remote_sessions(r, &f, list, err) < 0)
		return -1;
	for (size_t i = 0; i < list->n && s == NULL; i++)
		if (is_its(p, &list->s[i]))
			s = &list->s[i];
	*ret = s;
	p->found = s != NULL;
	if (s == NULL)
		return 0;
	p->kind = s->open.kind;
	p->has_close = s->has_close;
	p->close = s->close;
	memcpy(p->id, s->id_text, sizeof(p->id));
	return 0;
}

static void
take(struct probe *p, const struct record *rec)
{
	if (rec->type == REC_OUTPUT &&
	    rec->len <= p->logged.max - p->logged.len)
		ops_buf_put(&p->logged, rec->payload, rec->len);
}

static int
take_tail(struct probe *p, const struct ops_buf *tail, uint64_t first,
    uint64_t next, struct ops_err *err)
{
	struct record rec;

	for (size_t at = 0; at < tail->len; first++) {
		long n =
		    record_decode(tail->data + at, tail->len - at, &rec, err);

		if (n < 0)
			return -1;
		at += (size_t)n;
		if (first >= next)
			take(p, &rec);
	}
	return 0;
}

/* What the session shows: of its frames, then of what isn't sealed yet. */
static int
read_session(struct probe *p, struct remote *r,
    const uint8_t id[static OPS_ID_LEN], struct ops_err *err)
{
	struct ops_buf tail = { .max = REMOTE_TAIL_MAX };
	struct stream_reader *in = NULL;
	struct store *s = NULL;
	struct stream_pos pos;
	struct record rec;
	uint64_t first = 0, next = 0;
	int rc = remote_read(r, id, err);

	if (rc == 0)
		rc = remote_tail(r, id, &tail, &first, err);
	if (rc == 0)
		rc = store_open(remote_vfs(r), STORE_NO_WAL, &s, err);
	if (rc == 0 && stream_open(s, id, 0, &in, NULL) == 0) {
		while ((rc = stream_next(in, &rec, &pos, err)) > 0) {
			take(p, &rec);
			next = pos.number + 1;
		}
		stream_free(in);
	}
	if (rc == 0)
		rc = take_tail(p, &tail, first, next, err);
	store_free(s);
	ops_buf_free(&tail);
	return rc;
}

int
probe_look(struct probe *p, struct remote *r, struct ops_err *err)
{
	const struct timespec pause = { 0, PAUSE_MS * 1000000L };
	uint64_t end = ops_boottime() + LOOK_MS * (SECOND / 1000);
	struct session_list list = { 0 };
	const struct session *s = NULL;
	int rc;

	for (;;) {
		rc = find(p, r, &list, &s, err);
		if (rc < 0 || p->has_close || ops_boottime() >= end)
			break;
		session_list_free(&list);
		(void)nanosleep(&pause, NULL);
	}
	if (rc == 0 && s != NULL && p->kind == SESSION_TERMINAL)
		rc = read_session(p, r, s->id, err);
	session_list_free(&list);
	return rc;
}

static size_t
word_of(const struct probe *p, const char *name, char *out, size_t size)
{
	int n = snprintf(out, size, "%s-%s.", p->word, name);

	assert(n > 0 && (size_t)n < size);
	return (size_t)n;
}

static bool
has(const struct ops_buf *b, const struct probe *p, const char *name)
{
	char word[PROBE_WORD + NAME_MAX_LEN];
	size_t n = word_of(p, name, word, sizeof(word));

	return b->len > 0 && memmem(b->data, b->len, word, n) != NULL;
}

bool
probe_shown(const struct probe *p, const char *name)
{
	return has(&p->shown, p, name);
}

bool
probe_logged(const struct probe *p, const char *name)
{
	return has(&p->logged, p, name);
}

bool
probe_ran(const struct probe *p, const char *name,
    const struct program_list *programs)
{
	char word[PROBE_WORD + NAME_MAX_LEN];
	size_t n = word_of(p, name, word, sizeof(word));

	for (size_t i = 0; i < programs->n; i++) {
		const struct event_text *args = &programs->p[i].exec.args;

		if (programs->p[i].kind == PROGRAM_RAN && args->p != NULL &&
		    memmem(args->p, args->n, word, n) != NULL)
			return true;
	}
	return false;
}
