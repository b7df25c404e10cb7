#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/bytes.h"
#include "index/lookup.h"
#include "ipc/proto.h"
#include "query_conn.h"
#include "record/record.h"
#include "store/segment.h"
#include "store/session.h"
#include "store/store.h"

/* Every list of answers ends with how many there were. */
static int
end(struct query_conn *q, size_t n, struct ops_err *err)
{
	uint8_t b[4];

	ops_putle32(b, (uint32_t)n);
	return msg_send(q->fd, C_END, b, sizeof(b), NULL, 0, err);
}

/* -- C_SESSIONS -- */

int
query_text(const struct event_text *t, char out[static EVENT_TEXT_MAX + 1],
    const char **ret, struct ops_err *err)
{
	if (t->p == NULL)
		return 0;
	if (t->n > EVENT_TEXT_MAX || memchr(t->p, '\0', t->n) != NULL)
		return ops_fail(err, OPS_EUSAGE, "filter: no such text");
	memcpy(out, t->p, t->n);
	out[t->n] = '\0';
	*ret = out;
	return 0;
}

int
query_end_events(struct query_conn *q, size_t n, const struct session_list *l,
    struct ops_err *err)
{
	const struct session_missing *m = &l->missing;
	uint8_t b[20];

	if (m->frames == 0)
		return end(q, n, err);
	ops_putle32(b, (uint32_t)n);
	ops_putle64(b + 4, m->frames);
	ops_putle64(b + 12, m->of);
	return msg_send2(
	    q->fd, C_END, b, sizeof(b), m->why, strlen(m->why), err);
}

int
query_end_missing(
    struct query_conn *q, size_t n, uint64_t missing, struct ops_err *err)
{
	uint8_t b[12];

	ops_putle32(b, (uint32_t)n);
	ops_putle64(b + 4, missing);
	return msg_send(q->fd, C_END, b, sizeof(b), NULL, 0, err);
}

static int
send_sessions(
    struct query_conn *q, const struct session_list *l, struct ops_err *err)
{
	struct ops_buf b = { .max = MSG_PAYLOAD_MAX };
	int rc = 0;

	for (size_t i = 0; i < l->n && rc == 0; i++) {
		ops_buf_reset(&b);
		session_put(&b, &l->s[i]);
		rc = ops_buf_check(&b, "session", err);
		if (rc == 0)
			rc = msg_send(
			    q->fd, C_SESSION, b.data, b.len, NULL, 0, err);
	}
	ops_buf_free(&b);
	return rc < 0 ? -1 : query_end_events(q, l->n, l, err);
}

int
query_filter(struct query_conn *q, const struct msg *m,
    struct query_filter *ret, struct ops_err *err)
{
	struct session_filter s = { 0 };
	struct proto_filter asked;
	struct ops_err why = { 0 };

	if (proto_filter_get(m->p, m->n, &asked, err) < 0)
		return -1;
	if (query_text(&asked.user, ret->text[0], &s.user, &why) < 0 ||
	    query_text(&asked.command, ret->text[1], &s.command, &why) < 0 ||
	    query_text(&asked.person, ret->text[2], &s.person, &why) < 0 ||
	    query_text(&asked.note, ret->text[3], &s.note, &why) < 0)
		return query_fail(q, &why, err);
	s.since = asked.since;
	s.until = asked.until;
	s.active = asked.active;
	s.commands = asked.commands;
	s.has_uid = asked.mine || !q->who.full;
	s.uid = q->who.peer.uid;
	s.reader = q->who.full ? NULL : &q->who.way;
	ret->s = s;
	ret->l = (struct login_filter){ .user = s.user,
		.person = s.person,
		.since = s.since,
		.until = s.until,
		.has_uid = s.has_uid,
		.uid = s.uid,
		.reader = s.reader };
	return 1;
}

int
query_on_sessions(void *conn, struct msg *m, struct ops_err *err)
{
	struct query_conn *q = conn;
	struct query_filter f = { 0 };
	struct session_list list = { 0 };
	struct ops_err why = { 0 };
	int rc = query_filter(q, m, &f, err);

	if (rc <= 0)
		return rc;
	if (lookup_sessions(q->role->store, q->vfs, &f.s, &list, &why) < 0)
		return query_fail(q, &why, err);
	rc = send_sessions(q, &list, err);
	session_list_free(&list);
	return rc;
}

int
query_owns(struct query_conn *q, const uint8_t id[static OPS_ID_LEN],
    struct ops_err *err)
{
	const struct session_filter f = {
		.has_uid = true, .uid = q->who.peer.uid, .reader = &q->who.way
	};
	struct session_list list = { 0 };
	int found = 0;

	if (lookup_sessions(q->role->store, q->vfs, &f, &list, err) < 0)
		return -1;
	for (size_t i = 0; i < list.n && !found; i++)
		found = memcmp(list.s[i].id, id, OPS_ID_LEN) == 0;
	session_list_free(&list);
	return found;
}

/* -- C_OPEN, C_LIST -- */

static bool
path_allowed(const struct query_conn *q, const struct query_path *p)
{
	switch (p->kind) {
	case PATH_KEYS:
		return false;
	case PATH_LOG:
	case PATH_FOLDER:
	case PATH_SCREEN_DAY:
		return true;
	case PATH_SCREEN:
		return query_may(q, p->id);
	case PATH_OTHER:
		return q->all;
	}
	return false;
}

/* Parse the path and see whether it may be opened or listed: 1, 0 (answered
 * already), -1. */
static int
take_path(struct query_conn *q, const struct msg *m, struct query_path *ret,
    struct ops_err *err)
{
	struct ops_err why = { 0 };

	if (query_path_parse(m->p, m->n, ret, &why) < 0)
		return query_fail(q, &why, err);
	if (path_allowed(q, ret))
		return 1;
	if (!q->path_refused)
		(void)query_log(q, NULL, true, NULL);
	q->path_refused = true;
	ops_fail(&why, OPS_EPERM, "%s: not without having asked to read it",
	    ret->text);
	return query_fail(q, &why, err);
}

/* Nothing below the store is a link, so none is followed. */
static int
open_below(int dirfd, const char *path, int flags, struct ops_err *err)
{
	struct open_how how = {
		.flags = (uint64_t)(unsigned)(flags | O_RDONLY | O_CLOEXEC |
					      O_NONBLOCK | O_NOCTTY),
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
			   RESOLVE_NO_MAGICLINKS
	};
	long fd = syscall(SYS_openat2, dirfd, path, &how, sizeof(how));

	if (fd < 0)
		return ops_fail_errno(err, "%s", path);
	return (int)fd;
}

static int
open_file(const struct query_conn *q, const char *path, struct ops_err *err)
{
	struct stat st;
	int fd = open_below(q->store_fd, path, 0, err);

	if (fd < 0)
		return -1;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return ops_fail(err, OPS_EUSAGE, "%s: is no file", path);
	}
	return fd;
}

int
query_on_open(void *conn, struct msg *m, struct ops_err *err)
{
	struct query_conn *q = conn;
	struct query_path path;
	struct ops_err why = { 0 };
	int fd, rc = take_path(q, m, &path, err);

	if (rc <= 0)
		return rc;
	fd = open_file(q, path.text, &why);
	if (fd < 0)
		return query_fail(q, &why, err);
	rc = msg_send(q->fd, C_FILE, NULL, 0, &fd, 1, err);
	close(fd);
	return rc;
}

/* Whose name may be seen in this folder? */
static bool
name_allowed(
    const struct query_conn *q, const struct query_path *dir, const char *name)
{
	uint8_t id[OPS_ID_LEN];
	uint32_t number;

	if (q->all)
		return dir->text[0] != '\0' || (strcmp(name, "keys") != 0 &&
						   strcmp(name, "index") != 0);
	if (dir->kind != PATH_SCREEN_DAY)
		return true;
	return segment_name_parse(name, id, &number) == 0 && query_may(q, id);
}

static int
send_names(struct query_conn *q, const struct query_path *dir,
    const struct vfs_names *names, struct ops_err *err)
{
	struct ops_buf b = { .max = MSG_PAYLOAD_MAX };
	size_t sent = 0;
	int rc = 0;

	for (size_t i = 0; i < names->n && rc == 0; i++) {
		size_t n = strlen(names->name[i]) + 1;

		if (!name_allowed(q, dir, names->name[i]))
			continue;
		if (b.len + n > b.max) {
			rc = msg_send(
			    q->fd, C_NAMES, b.data, b.len, NULL, 0, err);
			ops_buf_reset(&b);
		}
		ops_buf_put(&b, names->name[i], n);
		sent++;
	}
	if (rc == 0)
		rc = ops_buf_check(&b, "names", err);
	if (rc == 0 && b.len > 0)
		rc = msg_send(q->fd, C_NAMES, b.data, b.len, NULL, 0, err);
	ops_buf_free(&b);
	return rc < 0 ? -1 : end(q, sent, err);
}

int
query_on_list(void *conn, struct msg *m, struct ops_err *err)
{
	struct query_conn *q = conn;
	struct query_path path = { .kind = PATH_OTHER };
	struct vfs_names names = { 0 };
	struct ops_err why = { 0 };
	int rc = 1;

	/* The empty path is the store itself. */
	if (m->n > 0 || !q->all)
		rc = take_path(q, m, &path, err);
	if (rc <= 0)
		return rc;
	if (vfs_list(q->vfs, path.text, &names, &why) < 0)
		return query_fail(q, &why, err);
	rc = send_names(q, &path, &names, err);
	vfs_names_free(&names);
	return rc;
}

/* -- C_TAIL -- */

/* Number of the first record that no frame holds. */
static uint64_t
first_unframed(const struct store *s, const uint8_t id[static OPS_ID_LEN])
{
	const struct store_frame *f;
	size_t n = store_frames(s, id, &f);

	return n == 0 ? 0 : f[n - 1].leaf.first + f[n - 1].leaf.count;
}

/* Send what is gathered: u64 number of the first, records. */
static int
send_tail(struct query_conn *q, struct ops_buf *b, uint64_t first,
    struct ops_err *err)
{
	uint8_t head[8];
	int rc;

	if (b->len == 0)
		return 0;
	ops_putle64(head, first);
	rc = msg_send2(
	    q->fd, C_TAIL_RECORDS, head, sizeof(head), b->data, b->len, err);
	ops_buf_reset(b);
	return rc;
}

static int
stream_tail(struct query_conn *q, struct stream_reader *in, struct ops_err *err)
{
	struct ops_buf b = { .max = MSG_PAYLOAD_MAX - 8 };
	struct stream_pos pos;
	struct record rec;
	uint64_t first = 0;
	size_t sent = 0;
	int rc = 0;

	while (rc == 0 && stream_next(in, &rec, &pos, NULL) > 0) {
		size_t n = RECORD_HEADER + rec.len;
		uint8_t *at;

		if (b.len + n > b.max)
			rc = send_tail(q, &b, first, err);
		if (rc < 0)
			break;
		if (b.len == 0)
			first = pos.number;
		at = ops_buf_reserve(&b, n);
		if (at == NULL) {
			rc = ops_fail(err, OPS_ENOMEM, "tail: no memory");
			break;
		}
		b.len += record_encode(&rec, at);
		sent++;
	}
	if (rc == 0)
		rc = send_tail(q, &b, first, err);
	ops_buf_free(&b);
	return rc < 0 ? -1 : end(q, sent, err);
}

int
query_on_tail(void *conn, struct msg *m, struct ops_err *err)
{
	struct query_conn *q = conn;
	struct stream_reader *in;
	struct ops_err why = { 0 };
	struct store *s;
	int rc;

	if (!query_may(q, m->p)) {
		ops_fail(&why, OPS_EPERM, "ask to read the session first");
		return query_fail(q, &why, err);
	}
	if (store_open(q->vfs, 0, &s, &why) < 0)
		return query_fail(q, &why, err);
	rc = stream_open(s, m->p, first_unframed(s, m->p), &in, &why);
	if (rc == 0) {
		rc = stream_tail(q, in, err);
		stream_free(in);
	} else if (why.code == OPS_ENOENT) {
		rc = end(q, 0, err); /* nothing of it in the WAL */
	} else {
		rc = query_fail(q, &why, err);
	}
	store_free(s);
	return rc;
}
