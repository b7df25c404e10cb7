#include "backup.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "history.h"
#include "layout.h"
#include "leaves.h"
#include "log.h"

#define PIECE (256u << 10)
#define TRIES 5 /* what expires meanwhile is gone in the next one */

struct backup {
	struct vfs *from, *to;
	bool expire;
	struct backup_result r;
	struct history h;
	struct ops_buf
	    *note; /* of the newest log; the rest of it is behind `at` */
	size_t at;
	uint32_t newest;  /* its number */
	size_t newest_at; /* and its place in h.log[] */
	uint8_t *piece;
	bool changed; /* something went while it was read */
};

/* -- files -- */

static int
make_folder_of(struct vfs *v, const char *path, struct ops_err *err)
{
	char dir[SEGMENT_PATH_MAX];

	snprintf(
	    dir, sizeof(dir), "%.*s", (int)(strrchr(path, '/') - path), path);
	return vfs_make_path(v, dir, err);
}

static int
sync_folder_of(struct vfs *v, const char *path, struct ops_err *err)
{
	char dir[SEGMENT_PATH_MAX];

	snprintf(
	    dir, sizeof(dir), "%.*s", (int)(strrchr(path, '/') - path), path);
	return vfs_sync_dir(v, dir, err);
}

static int
copy_bytes(struct backup *b, struct vfs_file *in, struct vfs_file *out,
    uint64_t len, struct ops_err *err)
{
	for (uint64_t at = 0; at < len;) {
		size_t want = len - at < PIECE ? (size_t)(len - at) : PIECE;
		ssize_t n = vfs_pread(in, b->piece, want, at, err);

		if (n < 0)
			return -1;
		if (n == 0)
			return ops_fail(err, OPS_ETRUNC,
			    "it ends at %" PRIu64 " of %" PRIu64 " bytes", at,
			    len);
		if (vfs_pwrite(out, b->piece, (size_t)n, at, err) < 0)
			return -1;
		at += (uint64_t)n;
	}
	return vfs_sync(out, err);
}

/* The first len bytes of a file, whole under its name or not there. */
static int
copy_file(struct backup *b, const char *path, uint64_t len, struct ops_err *err)
{
	char tmp[SEGMENT_PATH_MAX + 8];
	struct vfs_file *in = NULL, *out = NULL;
	int rc = -1;

	snprintf(tmp, sizeof(tmp), "%s.tmp", path);
	if (vfs_open(b->from, path, VFS_READ, &in, err) < 0)
		return -1;
	if (make_folder_of(b->to, path, err) == 0 &&
	    vfs_open(b->to, tmp, VFS_WRITE | VFS_CREATE, &out, err) == 0 &&
	    vfs_truncate(out, 0, err) == 0)
		rc = copy_bytes(b, in, out, len, err);
	vfs_close(in);
	vfs_close(out);
	if (rc < 0) {
		(void)vfs_unlink(b->to, tmp, NULL);
		return ops_context(err, "%s", path);
	}
	if (vfs_rename(b->to, tmp, path, err) < 0 ||
	    sync_folder_of(b->to, path, err) < 0)
		return -1;
	b->r.copied++;
	b->r.copied_bytes += len;
	return 0;
}

/* -- what there is to be copied -- */

/* The checkpoint first: all that it speaks of is there. */
static int
read_note(struct backup *b, struct ops_err *err)
{
	char path[LOG_PATH + 16], dir[LOG_PATH];
	uint32_t *n = NULL;
	size_t count = 0;
	int rc = log_list(b->from, &n, &count, err);

	b->at = b->note->len;
	/* One that has just begun has none. */
	for (size_t i = count; rc == 0 && i > 0; i--) {
		struct ops_buf one = { .max = NOTE_MAX };
		struct ops_err why = { 0 };

		log_dir(n[i - 1], dir);
		snprintf(path, sizeof(path), "%s/checkpoint", dir);
		rc = vfs_read_file(b->from, path, NOTE_MAX, &one, &why);
		if (rc == 0)
			ops_buf_put(b->note, one.data, one.len);
		ops_buf_free(&one);
		if (rc == 0) {
			b->newest = n[i - 1];
			free(n);
			return ops_buf_check(b->note, "checkpoint", err);
		}
		if (why.code != OPS_ENOENT)
			ops_fail(err, why.code, "%s", why.msg);
		rc = why.code == OPS_ENOENT ? 0 : -1;
	}
	free(n);
	return rc < 0 ? -1
		      : ops_fail(err, OPS_ENOENT,
			    "nothing is sealed yet, so there is nothing to "
			    "copy");
}

static void
ignore(void *arg, enum finding_kind k, const char *where, const char *detail)
{
	(void)arg, (void)k, (void)where, (void)detail;
}

static int
read_leaves(struct backup *b, struct ops_err *err)
{
	const struct history_opts o = { .threads = 1, .found = ignore };
	const struct note_key *key = NULL;

	if (history_read(b->from, &o, &b->h, err) < 0)
		return -1;
	for (size_t i = 0; i < b->h.logs; i++) {
		if (b->h.log[i].pub.n != b->newest)
			continue;
		key = &b->h.log[i].pub.key;
		b->newest_at = i;
	}
	if (key == NULL)
		return ops_fail(err, OPS_EFORMAT,
		    "log/%" PRIu32 " can't be read", b->newest);
	return checkpoint_open((const char *)b->note->data + b->at,
	    b->note->len - b->at, key, &b->r.cp, err);
}

/* Is this leaf in the copy? */
static bool
is_in(const struct backup *b, size_t log, uint64_t index)
{
	return log < b->newest_at ||
	       (log == b->newest_at && index < b->r.cp.size);
}

/* The streams as the checkpoint has them. */
static void
cut_streams(struct backup *b)
{
	for (size_t i = 0; i < b->h.streams; i++) {
		struct history_stream *s = &b->h.stream[i];

		while (s->n > 0 && !is_in(b, s->frame[s->n - 1].log,
				       s->frame[s->n - 1].index))
			s->n--;
	}
}

static bool
has_expired(const struct backup *b, const struct history_stream *s,
    const struct layout_segment *g, bool *later)
{
	*later = false;
	for (size_t i = g->first; i < g->first + g->n; i++) {
		const struct leaf_tombstone *t =
		    history_tombstone(&b->h, s->id, s->frame[i].leaf.number);
		const struct history_tombstone *in;

		if (t == NULL)
			return false;
		/* It is the first member. */
		in = (const struct history_tombstone *)(const void *)t;
		*later |= !is_in(b, in->log, in->index);
	}
	return true;
}

/* -- segments -- */

/* 1: the frames there are those of the leaves.  0: they aren't. */
static int
is_right(struct backup *b, const struct history_stream *s,
    const struct layout_segment *g, struct vfs_file *f, struct ops_err *err)
{
	uint64_t at = SEGMENT_HEADER;
	uint8_t *stored = malloc(FRAME_STORED_MAX), hash[OPS_HASH_LEN];
	int rc = 1;

	(void)b;
	if (stored == NULL)
		return ops_fail(err, OPS_ENOMEM, "backup: no memory");
	for (size_t i = g->first; rc == 1 && i < g->first + g->n; i++) {
		const struct leaf_frame *l = &s->frame[i].leaf;
		ssize_t n = l->stored_len > FRAME_STORED_MAX
				? 0
				: vfs_pread(f, stored, l->stored_len, at, err);

		if (n < 0) {
			rc = -1;
			break;
		}
		ops_sha256(stored, (size_t)n, hash);
		rc = (size_t)n == l->stored_len &&
		     memcmp(hash, l->sha256, sizeof(hash)) == 0;
		at += l->stored_len;
	}
	free(stored);
	return rc;
}

/* 1: the copy has it already. */
static int
is_there(struct backup *b, const struct history_stream *s,
    const struct layout_segment *g, struct ops_err *err)
{
	struct vfs_file *f;
	uint64_t size;
	int rc = 0;

	if (vfs_open(b->to, g->path, VFS_READ, &f, NULL) < 0)
		return 0;
	if (vfs_size(f, &size, err) < 0)
		rc = -1;
	else if (size == g->len)
		rc = is_right(b, s, g, f, err);
	vfs_close(f);
	return rc;
}

static int
copy_segment(struct backup *b, const struct history_stream *s,
    const struct layout_segment *g, struct ops_err *err)
{
	struct ops_err why = { 0 };
	bool later;
	int rc;

	/* What went after the checkpoint is asked for again with the next one. */
	if (has_expired(b, s, g, &later) && !later)
		return 0;
	rc = g->day[0] == '\0' ? 0 : is_there(b, s, g, err);
	if (rc < 0)
		return -1;
	if (rc == 1) {
		b->r.kept++;
		b->r.kept_bytes += g->len;
		return 0;
	}
	if (g->day[0] != '\0' && copy_file(b, g->path, g->len, &why) == 0)
		return 0;
	if (g->day[0] != '\0' && why.code != OPS_ENOENT &&
	    why.code != OPS_ETRUNC)
		return ops_fail(err, why.code, "%s", why.msg);
	b->changed |= later || history_moved_on(b->from, &b->h);
	b->r.missing++;
	return 0;
}

static int
each_segment(struct backup *b,
    int (*fn)(struct backup *b, const struct history_stream *s,
	const struct layout_segment *g, struct ops_err *err),
    struct ops_err *err)
{
	for (size_t i = 0; i < b->h.streams; i++) {
		const struct history_stream *s = &b->h.stream[i];
		struct layout_segment *g;
		size_t n;
		int rc = 0;

		if (layout_segments(&b->h, s, &g, &n, err) < 0)
			return -1;
		for (size_t k = 0; rc == 0 && k < n; k++)
			rc = fn(b, s, &g[k], err);
		free(g);
		if (rc < 0)
			return -1;
	}
	return 0;
}

static int
drop_expired(struct backup *b, const struct history_stream *s,
    const struct layout_segment *g, struct ops_err *err)
{
	bool later;

	if (!has_expired(b, s, g, &later) || later ||
	    !vfs_exists(b->to, g->path))
		return 0;
	if (!b->expire) {
		b->r.left++;
		return 0;
	}
	b->r.expired++;
	return vfs_unlink(b->to, g->path, err) < 0 ||
		       sync_folder_of(b->to, g->path, err) < 0
		   ? -1
		   : 0;
}

/* -- logs -- */

/* The bytes that the leaves under the checkpoint take. */
static int
leaves_len(const struct backup *b, uint64_t *ret, struct ops_err *err)
{
	struct leaves *l;
	struct leaves_entry e;
	uint64_t end = 0, n = 0;
	int rc = 1;

	if (leaves_open(b->from, b->newest, b->r.cp.size, &l, err) < 0)
		return -1;
	while (n < b->r.cp.size && (rc = leaves_next(l, &e, err)) == 1) {
		end = e.offset + LEAF_FILE_HEADER + e.n;
		n++;
	}
	leaves_free(l);
	if (rc < 0)
		return -1;
	if (n < b->r.cp.size)
		return ops_fail(err, OPS_ETAMPER,
		    "log/%" PRIu32 " has %" PRIu64
		    " leaves, and its checkpoint says %" PRIu64,
		    b->newest, n, b->r.cp.size);
	*ret = end;
	return 0;
}

/* 1: the first len bytes of a file are all that is in the copy. */
static int
is_same(struct backup *b, const char *path, uint64_t len, struct ops_err *err)
{
	uint8_t *other = b->piece + PIECE / 2;
	struct vfs_file *in = NULL, *out;
	uint64_t size = 0, at = 0;
	int rc = 1;

	if (vfs_open(b->to, path, VFS_READ, &out, NULL) < 0)
		return 0;
	if (vfs_size(out, &size, err) < 0 ||
	    vfs_open(b->from, path, VFS_READ, &in, err) < 0)
		rc = -1;
	else if (size != len)
		rc = 0;
	while (rc == 1 && at < len) {
		size_t want =
		    len - at < PIECE / 2 ? (size_t)(len - at) : PIECE / 2;
		ssize_t n = vfs_pread(in, b->piece, want, at, err);
		ssize_t m = vfs_pread(out, other, want, at, err);

		if (n < 0 || m < 0)
			rc = -1;
		else if (n != m || n == 0 ||
			 memcmp(b->piece, other, (size_t)n) != 0)
			rc = 0;
		else
			at += (uint64_t)n;
	}
	vfs_close(in);
	vfs_close(out);
	return rc;
}

static int
copy_log(struct backup *b, size_t i, struct ops_err *err)
{
	bool newest = i == b->newest_at;
	uint64_t len = b->h.log[i].bytes;
	char dir[LOG_PATH], path[LOG_PATH + 16];
	struct ops_buf note = { .max = NOTE_MAX };
	int rc;

	if (newest && leaves_len(b, &len, err) < 0)
		return -1;
	log_dir(b->h.log[i].pub.n, dir);
	snprintf(path, sizeof(path), "%s/leaves", dir);
	rc = is_same(b, path, len, err);
	if (rc < 0 || (rc == 0 && copy_file(b, path, len, err) < 0))
		return -1;
	if (rc == 1) {
		b->r.kept++;
		b->r.kept_bytes += len;
	}
	snprintf(path, sizeof(path), "%s/checkpoint", dir);
	if (newest)
		return vfs_replace_file(b->to, path, b->note->data + b->at,
		    b->note->len - b->at, err);
	rc = vfs_read_file(b->from, path, NOTE_MAX, &note, NULL);
	if (rc == 0)
		rc = vfs_replace_file(b->to, path, note.data, note.len, err);
	else
		rc = 0; /* a log that ended before its first: check says so */
	ops_buf_free(&note);
	return rc;
}

/* -- the whole -- */

/* Does the copy go on with this store, or is it empty? */
static int
check_target(const struct backup *b, struct ops_err *err)
{
	struct leaves_entry mine, theirs;
	struct leaves *l = NULL, *m = NULL;
	struct vfs_names names;
	bool same = true;

	if (vfs_list(b->to, "", &names, err) < 0)
		return -1;
	for (size_t i = 0; same && i < names.n; i++)
		same = strcmp(names.name[i], "log") == 0 ||
		       strcmp(names.name[i], "data") == 0;
	vfs_names_free(&names);
	if (!same)
		return ops_fail(err, OPS_EUSAGE,
		    "there is something else than a backup in it");
	if (leaves_open(b->to, b->h.log[0].pub.n, 0, &l, NULL) < 0)
		return 0;
	same = leaves_open(b->from, b->h.log[0].pub.n, 0, &m, NULL) == 0 &&
	       leaves_next(l, &theirs, NULL) == 1 &&
	       leaves_next(m, &mine, NULL) == 1 && mine.n == theirs.n &&
	       memcmp(mine.p, theirs.p, mine.n) == 0;
	leaves_free(l);
	leaves_free(m);
	return same ? 0
		    : ops_fail(err, OPS_EUSAGE,
			  "it holds the backup of another store");
}

static int
make_once(struct backup *b, struct ops_err *err)
{
	b->r = (struct backup_result){ 0 };
	b->changed = false;
	b->note->len = b->at;
	history_free(&b->h);
	if (read_note(b, err) < 0 || read_leaves(b, err) < 0 ||
	    check_target(b, err) < 0)
		return -1;
	cut_streams(b);
	/* What is named comes before what names it. */
	if (each_segment(b, copy_segment, err) < 0)
		return -1;
	for (size_t i = 0; !b->changed && i <= b->newest_at; i++)
		if (copy_log(b, i, err) < 0)
			return -1;
	return b->changed ? 0 : each_segment(b, drop_expired, err);
}

int
backup_make(struct vfs *from, struct vfs *to, bool expire, struct ops_buf *note,
    struct backup_result *ret, struct ops_err *err)
{
	struct backup b = { .from = from,
		.to = to,
		.expire = expire,
		.note = note,
		.at = note->len,
		.piece = malloc(PIECE) };
	uint64_t copied = 0, bytes = 0;
	int rc = -1;

	if (b.piece == NULL)
		return ops_fail(err, OPS_ENOMEM, "backup: no memory");
	for (int i = 0; i < TRIES; i++) {
		rc = make_once(&b, err);
		copied += b.r.copied;
		bytes += b.r.copied_bytes;
		if (rc < 0 || !b.changed)
			break;
	}
	if (rc == 0 && b.changed)
		rc = ops_fail(err, OPS_EBUSY,
		    "the store changes faster than it can be copied");
	b.r.copied = copied;
	b.r.copied_bytes = bytes;
	history_free(&b.h);
	free(b.piece);
	if (rc == 0)
		*ret = b.r;
	return rc < 0 ? ops_context(err, "backup") : 0;
}

/* -- back -- */

#define DEPTH_MAX 8 /* of tiles */
#define RESTORE_PATH 256

static int
restore_file(struct backup *b, const char *path, struct ops_err *err)
{
	struct vfs_file *in, *out;
	uint64_t size;
	int rc = -1;

	if (vfs_open(b->from, path, VFS_READ, &in, err) < 0)
		return -1;
	if (vfs_size(in, &size, err) == 0 &&
	    vfs_open(b->to, path, VFS_WRITE | VFS_CREATE | VFS_EXCL, &out,
		err) == 0) {
		rc = copy_bytes(b, in, out, size, err);
		vfs_close(out);
	}
	vfs_close(in);
	return rc;
}

/* A file, or a folder and all in it.  A file can't be listed. */
static int
restore_tree(
    struct backup *b, const char *path, unsigned depth, struct ops_err *err)
{
	struct vfs_names names;
	char sub[RESTORE_PATH];
	int rc;

	if (vfs_list(b->from, path, &names, NULL) < 0)
		return restore_file(b, path, err);
	rc = depth == 0 ? ops_fail(err, OPS_EFORMAT,
			      "%.100s: a folder this deep", path)
			: vfs_make_path(b->to, path, err);
	for (size_t i = 0; rc == 0 && i < names.n; i++) {
		if ((size_t)snprintf(sub, sizeof(sub), "%s/%s", path,
			names.name[i]) >= sizeof(sub))
			rc = ops_fail(err, OPS_EFORMAT,
			    "%.100s: a name that is too long", path);
		else
			rc = restore_tree(b, sub, depth - 1, err);
	}
	vfs_names_free(&names);
	return rc < 0 ? -1 : vfs_sync_dir(b->to, path, err);
}

int
backup_restore(struct vfs *from, struct vfs *to, struct ops_err *err)
{
	/* The log comes last: without one it is no store yet. */
	static const char *const parts[] = { "data", "wal", "log" };
	struct backup b = { .from = from, .to = to, .piece = malloc(PIECE) };
	int rc = 0;

	if (b.piece == NULL)
		return ops_fail(err, OPS_ENOMEM, "restore: no memory");
	for (size_t i = 0; rc == 0 && i < sizeof(parts) / sizeof(parts[0]);
	     i++) {
		struct vfs_names names;

		if (vfs_list(from, parts[i], &names, NULL) < 0)
			continue;
		vfs_names_free(&names);
		rc = restore_tree(&b, parts[i], DEPTH_MAX, err);
	}
	if (rc == 0)
		rc = vfs_sync_dir(to, "", err);
	free(b.piece);
	return rc < 0 ? ops_context(err, "restore") : 0;
}
