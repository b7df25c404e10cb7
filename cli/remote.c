#include "remote.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "answer.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/io.h"
#include "ipc/msg.h"

struct remote {
	struct vfs vfs; /* first: the store's files are asked for through it */
	pthread_mutex_t lock; /* one request at a time */
	int fd;
	char socket[128];
	char command[64];
	bool may_all;
	/* What was announced, to be said again on a new connection. */
	bool all, has_id;
	uint8_t id[OPS_ID_LEN];
	uint8_t buf[MSG_MAX]; /* the last answer */
};

struct remote_file {
	struct vfs_file file;
	int fd;
};

/* -- one request, one answer -- */

/* The next message; it must be of one of two types.  A refusal is -1. */
static int
receive(struct remote *r, uint16_t type, uint16_t other, struct msg *ret,
    struct ops_err *err)
{
	struct msg m = { .type = 0 };
	int rc = msg_recv(r->fd, r->buf, &m, err);

	if (rc < 0)
		return ops_context(err, "daemon");
	if (rc == 0)
		return ops_fail(
		    err, OPS_EUNAVAIL, "the daemon closed the connection");
	if (m.type == type || m.type == other) {
		*ret = m;
		return 0;
	}
	msg_close_fds(&m);
	if (m.type == C_FAILED)
		return answer_failed(m.p, m.n, err);
	return ops_fail(err, OPS_EFORMAT, "unexpected answer %u of the daemon",
	    (unsigned)m.type);
}

static int
ask(struct remote *r, uint16_t type, const void *p, size_t n, uint16_t answer,
    uint16_t other, struct msg *ret, struct ops_err *err)
{
	if (msg_send(r->fd, type, p, n, NULL, 0, err) < 0)
		return ops_context(err, "daemon");
	if (receive(r, answer, other, ret, err) < 0)
		return -1;
	if (answer != C_FILE)
		msg_close_fds(ret);
	return 0;
}

static int
connect_again(struct remote *r, struct ops_err *err)
{
	struct msg m = { .type = 0 };

	if (r->fd >= 0)
		close(r->fd);
	r->fd = -1;
	if (msg_connect(r->socket, &r->fd, err) < 0)
		return -1;
	if (ask(r, C_HELLO, r->command, strlen(r->command), C_WELCOME,
		C_WELCOME, &m, err) < 0)
		return -1;
	if (m.n != 1)
		return ops_fail(err, OPS_EFORMAT, "the daemon's welcome");
	r->may_all = m.p[0] == 1;
	if (r->all && ask(r, C_READ_ALL, NULL, 0, C_DONE, C_DONE, &m, err) < 0)
		return -1;
	if (r->has_id &&
	    ask(r, C_READ, r->id, sizeof(r->id), C_DONE, C_DONE, &m, err) < 0)
		return -1;
	return 0;
}

/* As ask(), on a new connection if the daemon has closed this one. */
static int
request(struct remote *r, uint16_t type, const void *p, size_t n,
    uint16_t answer, uint16_t other, struct msg *ret, struct ops_err *err)
{
	struct ops_err first = { 0 };

	if (ask(r, type, p, n, answer, other, ret, &first) == 0)
		return 0;
	if (first.code != OPS_EUNAVAIL) {
		if (err != NULL)
			*err = first;
		return -1;
	}
	if (connect_again(r, err) < 0)
		return -1;
	return ask(r, type, p, n, answer, other, ret, err);
}

/* -- the vfs -- */

static int
file_open(struct vfs *v, const char *path, unsigned flags,
    struct vfs_file **ret, struct ops_err *err)
{
	struct remote *r = (struct remote *)v;
	struct remote_file *f;
	struct msg m = { .type = 0 };
	int rc;

	if (flags != VFS_READ)
		return ops_fail(
		    err, OPS_EPERM, "the daemon's store is read-only here");
	f = calloc(1, sizeof(*f));
	if (f == NULL)
		return ops_fail(err, OPS_ENOMEM, "file: no memory");
	pthread_mutex_lock(&r->lock);
	rc = request(r, C_OPEN, path, strlen(path), C_FILE, C_FILE, &m, err);
	pthread_mutex_unlock(&r->lock);
	if (rc == 0 && m.fds != 1) {
		msg_close_fds(&m);
		rc = ops_fail(
		    err, OPS_EFORMAT, "no file in the daemon's answer");
	}
	if (rc < 0) {
		free(f);
		return -1;
	}
	f->file.vfs = v;
	f->fd = m.fd[0];
	*ret = &f->file;
	return 0;
}

static void
file_close(struct vfs_file *file)
{
	struct remote_file *f = (struct remote_file *)file;

	close(f->fd);
	free(f);
}

static ssize_t
file_pread(
    struct vfs_file *file, void *p, size_t n, uint64_t off, struct ops_err *err)
{
	const struct remote_file *f = (const struct remote_file *)file;

	return ops_pread_full(f->fd, p, n, off, err);
}

static int
file_size(struct vfs_file *file, uint64_t *ret, struct ops_err *err)
{
	const struct remote_file *f = (const struct remote_file *)file;
	struct stat st;

	if (fstat(f->fd, &st) < 0)
		return ops_fail_errno(err, "stat");
	*ret = (uint64_t)st.st_size;
	return 0;
}

static int
list_locked(struct remote *r, const char *path, struct vfs_names *names,
    struct ops_err *err)
{
	struct msg m = { .type = 0 };

	if (request(r, C_LIST, path, strlen(path), C_NAMES, C_END, &m, err) < 0)
		return -1;
	while (m.type == C_NAMES) {
		if (answer_names(names, m.p, m.n, err) < 0 ||
		    receive(r, C_NAMES, C_END, &m, err) < 0)
			return -1;
		msg_close_fds(&m);
	}
	return 0;
}

static int
file_list(
    struct vfs *v, const char *path, struct vfs_names *ret, struct ops_err *err)
{
	struct remote *r = (struct remote *)v;
	struct vfs_names names = { 0 };
	int rc;

	pthread_mutex_lock(&r->lock);
	rc = list_locked(r, path, &names, err);
	pthread_mutex_unlock(&r->lock);
	if (rc < 0) {
		vfs_names_free(&names);
		return -1;
	}
	*ret = names;
	return 0;
}

static int
read_only(struct ops_err *err)
{
	return ops_fail(err, OPS_EPERM, "the daemon's store is read-only here");
}

static int
no_pwrite(struct vfs_file *f, const void *p, size_t n, uint64_t off,
    struct ops_err *err)
{
	(void)f, (void)p, (void)n, (void)off;
	return read_only(err);
}

static int
no_sync(struct vfs_file *f, struct ops_err *err)
{
	(void)f;
	return read_only(err);
}

static int
no_truncate(struct vfs_file *f, uint64_t len, struct ops_err *err)
{
	(void)f, (void)len;
	return read_only(err);
}

static int
no_rename(struct vfs *v, const char *from, const char *to, struct ops_err *err)
{
	(void)v, (void)from, (void)to;
	return read_only(err);
}

static int
no_path(struct vfs *v, const char *path, struct ops_err *err)
{
	(void)v, (void)path;
	return read_only(err);
}

static int
no_lock(struct vfs *v, struct ops_err *err)
{
	(void)v;
	return read_only(err);
}

static int
no_space(struct vfs *v, uint64_t *ret, struct ops_err *err)
{
	(void)v, (void)ret;
	return read_only(err);
}

/* The connection is the remote's. */
static void
no_free(struct vfs *v)
{
	(void)v;
}

static const struct vfs_ops remote_ops = {
	.open = file_open,
	.close = file_close,
	.pread = file_pread,
	.pwrite = no_pwrite,
	.sync = no_sync,
	.truncate = no_truncate,
	.size = file_size,
	.rename = no_rename,
	.unlink = no_path,
	.mkdir = no_path,
	.rmdir = no_path,
	.sync_dir = no_path,
	.list = file_list,
	.lock = no_lock,
	.space = no_space,
	.free = no_free,
};

/* -- the rest of the protocol -- */

int
remote_open(const char *run_dir, const char *command, struct remote **ret,
    struct ops_err *err)
{
	struct remote *r = calloc(1, sizeof(*r));
	int n;

	if (r == NULL)
		return ops_fail(
		    err, OPS_ENOMEM, "connection to the daemon: no memory");
	r->vfs.ops = &remote_ops;
	r->fd = -1;
	pthread_mutex_init(&r->lock, NULL);
	snprintf(r->command, sizeof(r->command), "%s", command);
	n = snprintf(r->socket, sizeof(r->socket), "%s/control.sock", run_dir);
	if (n < 0 || (size_t)n >= sizeof(r->socket)) {
		remote_free(r);
		return ops_fail(err, OPS_EUSAGE,
		    "--run: the path is too long for a socket");
	}
	if (connect_again(r, err) < 0) {
		remote_free(r);
		return -1;
	}
	*ret = r;
	return 0;
}

void
remote_free(struct remote *r)
{
	if (r == NULL)
		return;
	if (r->fd >= 0)
		close(r->fd);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

bool
remote_may_all(const struct remote *r)
{
	return r->may_all;
}

struct vfs *
remote_vfs(struct remote *r)
{
	return &r->vfs;
}

int
remote_status(struct remote *r, struct ops_buf *answer,
    struct proto_status *ret, struct ops_err *err)
{
	struct msg m = { .type = 0 };

	if (request(r, C_STATUS, NULL, 0, C_STATUS_IS, C_STATUS_IS, &m, err) <
	    0)
		return -1;
	ops_buf_reset(answer);
	ops_buf_put(answer, m.p, m.n);
	if (ops_buf_check(answer, "status", err) < 0)
		return -1;
	return proto_status_get(answer->data, answer->len, ret, err);
}

int
remote_report(struct remote *r, enum alert_kind kind, uint64_t count,
    const char *detail, struct ops_err *err)
{
	struct proto_alert a = { .kind = kind,
		.count = count,
		.detail = { (const uint8_t *)detail, strlen(detail) } };
	struct ops_buf b = { .max = MSG_PAYLOAD_MAX };
	struct msg m = { .type = 0 };
	struct ops_clock now;
	int rc;

	ops_clock_read(&now);
	a.time = now.realtime;
	proto_alert_put(&b, &a);
	rc = ops_buf_check(&b, "report", err);
	if (rc == 0)
		rc = request(
		    r, C_REPORT, b.data, b.len, C_DONE, C_DONE, &m, err);
	ops_buf_free(&b);
	return rc;
}

int
remote_note(struct remote *r, const uint8_t id[static OPS_ID_LEN],
    const char *text, size_t n, struct ops_err *err)
{
	struct ops_buf b = { .max = MSG_PAYLOAD_MAX };
	struct msg m = { .type = 0 };
	int rc;

	ops_buf_put(&b, id, OPS_ID_LEN);
	ops_buf_put(&b, text, n);
	rc = ops_buf_check(&b, "note", err);
	if (rc == 0)
		rc = request(r, C_NOTE, b.data, b.len, C_DONE, C_DONE, &m, err);
	ops_buf_free(&b);
	return rc;
}

/* C_END of a list of n that was made of events. */
static int
end_of_events(
    const struct msg *m, size_t n, uint64_t *missing, struct ops_err *err)
{
	if (m->p == NULL || m->n != 12 || ops_getle32(m->p) != n)
		return ops_fail(
		    err, OPS_EFORMAT, "the daemon's list is not whole");
	*missing = ops_getle64(m->p + 4);
	return 0;
}

int
remote_remarks(struct remote *r, const uint8_t id[static OPS_ID_LEN],
    struct remark_list *ret, struct ops_err *err)
{
	struct remark_list list = { 0 };
	struct msg m = { .type = 0 };
	int rc = request(r, C_NOTES, id, OPS_ID_LEN, C_NOTE_IS, C_END, &m, err);

	while (rc == 0 && m.type == C_NOTE_IS) {
		rc = remark_seen_get(m.p, m.n, &list, err);
		if (rc == 0)
			rc = receive(r, C_NOTE_IS, C_END, &m, err);
		if (rc == 0)
			msg_close_fds(&m);
	}
	if (rc == 0)
		rc = end_of_events(&m, list.n, &list.missing, err);
	if (rc < 0) {
		remark_list_free(&list);
		return -1;
	}
	*ret = list;
	return 0;
}

int
remote_sessions(struct remote *r, const struct proto_filter *f,
    struct session_list *ret, struct ops_err *err)
{
	struct ops_buf body = { .max = MSG_PAYLOAD_MAX };
	struct session_list list = { 0 };
	struct msg m = { .type = 0 };
	int rc;

	proto_filter_put(&body, f);
	rc = ops_buf_check(&body, "filter", err);
	if (rc == 0)
		rc = request(r, C_SESSIONS, body.data, body.len, C_SESSION,
		    C_END, &m, err);
	ops_buf_free(&body);
	while (rc == 0 && m.type == C_SESSION) {
		rc = session_get(m.p, m.n, &list, err);
		if (rc == 0)
			rc = receive(r, C_SESSION, C_END, &m, err);
		if (rc == 0)
			msg_close_fds(&m);
	}
	if (rc == 0)
		rc = answer_sessions_end(m.p, m.n, list.n, &list.missing, err);
	if (rc < 0) {
		session_list_free(&list);
		return -1;
	}
	*ret = list;
	return 0;
}

int
remote_logins(struct remote *r, const struct proto_filter *f,
    struct session_list *ret, struct ops_err *err)
{
	struct ops_buf body = { .max = MSG_PAYLOAD_MAX };
	struct session_list list = { 0 };
	struct login_seen l;
	struct msg m = { .type = 0 };
	int rc;

	proto_filter_put(&body, f);
	rc = ops_buf_check(&body, "filter", err);
	if (rc == 0)
		rc = request(
		    r, C_LOGINS, body.data, body.len, C_LOGIN, C_END, &m, err);
	ops_buf_free(&body);
	while (rc == 0 && m.type == C_LOGIN) {
		rc = login_seen_get(m.p, m.n, &l, err);
		if (rc == 0)
			rc = session_list_add_login(&list, &l, err);
		if (rc == 0)
			rc = receive(r, C_LOGIN, C_END, &m, err);
		if (rc == 0)
			msg_close_fds(&m);
	}
	if (rc == 0)
		rc = answer_sessions_end(
		    m.p, m.n, list.logins.n, &list.missing, err);
	if (rc < 0) {
		session_list_free(&list);
		return -1;
	}
	*ret = list;
	return 0;
}

/* The rest of the arguments of the program that came last. */
static int
receive_args(struct remote *r, struct program_list *l, uint64_t more,
    struct ops_err *err)
{
	struct msg m;

	while (more > 0) {
		if (receive(r, C_PROGRAM_ARGS, C_PROGRAM_ARGS, &m, err) < 0)
			return -1;
		msg_close_fds(&m);
		if (program_more(m.p, m.n, l, &more, err) < 0)
			return -1;
	}
	return 0;
}

/* C_END of a list of programs. */
static int
end_of_programs(
    const struct msg *m, struct program_list *l, struct ops_err *err)
{
	if (m->p == NULL || m->n != 16 || ops_getle32(m->p) != l->n)
		return ops_fail(
		    err, OPS_EFORMAT, "the daemon's list is not whole");
	l->missing = ops_getle32(m->p + 4);
	l->expired = ops_getle64(m->p + 8);
	return 0;
}

int
remote_programs(struct remote *r, const struct proto_programs *f,
    struct program_list *ret, struct ops_err *err)
{
	struct ops_buf body = { .max = MSG_PAYLOAD_MAX };
	struct program_list list = { 0 };
	struct msg m = { .type = 0 };
	uint64_t more;
	int rc;

	proto_programs_put(&body, f);
	rc = ops_buf_check(&body, "filter", err);
	if (rc == 0)
		rc = request(r, C_PROGRAMS, body.data, body.len, C_PROGRAM,
		    C_END, &m, err);
	ops_buf_free(&body);
	while (rc == 0 && m.type == C_PROGRAM) {
		rc = program_get(m.p, m.n, &list, &more, err);
		if (rc == 0)
			rc = receive_args(r, &list, more, err);
		if (rc == 0)
			rc = receive(r, C_PROGRAM, C_END, &m, err);
		if (rc == 0)
			msg_close_fds(&m);
	}
	if (rc == 0)
		rc = end_of_programs(&m, &list, err);
	if (rc < 0) {
		program_list_free(&list);
		return -1;
	}
	*ret = list;
	return 0;
}

int
remote_visits(struct remote *r, uint64_t since, uint64_t until,
    struct visits *ret, struct ops_err *err)
{
	const struct proto_filter f = { .since = since, .until = until };
	struct ops_buf body = { .max = MSG_PAYLOAD_MAX };
	struct visits all = { 0 };
	struct msg m = { .type = 0 };
	int rc;

	proto_filter_put(&body, &f);
	rc = ops_buf_check(&body, "filter", err);
	if (rc == 0)
		rc = request(
		    r, C_VISITS, body.data, body.len, C_VISIT, C_END, &m, err);
	ops_buf_free(&body);
	while (rc == 0 && m.type == C_VISIT) {
		rc = visit_get(m.p, m.n, &all, err);
		if (rc == 0)
			rc = receive(r, C_VISIT, C_END, &m, err);
		if (rc == 0)
			msg_close_fds(&m);
	}
	if (rc == 0)
		rc = end_of_events(&m, all.n, &all.missing, err);
	if (rc < 0) {
		visits_free(&all);
		return -1;
	}
	*ret = all;
	return 0;
}

int
remote_switches(struct remote *r, struct switches *ret, struct ops_err *err)
{
	struct switches all = { 0 };
	struct msg m = { .type = 0 };
	int rc = request(r, C_SWITCHES, NULL, 0, C_SWITCHED, C_END, &m, err);

	while (rc == 0 && m.type == C_SWITCHED) {
		rc = switched_get(m.p, m.n, &all, err);
		if (rc == 0)
			rc = receive(r, C_SWITCHED, C_END, &m, err);
		if (rc == 0)
			msg_close_fds(&m);
	}
	if (rc == 0)
		rc = end_of_events(&m, all.n, &all.missing, err);
	if (rc < 0) {
		switches_free(&all);
		return -1;
	}
	*ret = all;
	return 0;
}

int
remote_read(struct remote *r, const uint8_t *id, struct ops_err *err)
{
	struct msg m = { .type = 0 };

	if (request(r, id != NULL ? C_READ : C_READ_ALL, id,
		id != NULL ? OPS_ID_LEN : 0, C_DONE, C_DONE, &m, err) < 0)
		return -1;
	if (id != NULL) {
		memcpy(r->id, id, sizeof(r->id));
		r->has_id = true;
	} else {
		r->all = true;
	}
	return 0;
}

int
remote_tail(struct remote *r, const uint8_t id[static OPS_ID_LEN],
    struct ops_buf *out, uint64_t *first, struct ops_err *err)
{
	struct answer_tail t = { .out = out };
	struct msg m = { .type = 0 };

	if (request(r, C_TAIL, id, OPS_ID_LEN, C_TAIL_RECORDS, C_END, &m, err) <
	    0)
		return -1;
	while (m.type == C_TAIL_RECORDS) {
		if (answer_tail(&t, m.p, m.n, err) < 0 ||
		    receive(r, C_TAIL_RECORDS, C_END, &m, err) < 0)
			return -1;
		msg_close_fds(&m);
	}
	*first = t.first;
	return 0;
}
