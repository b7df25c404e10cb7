#include "log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "store.h"
#include "tiles.h"

#define READ_CHUNK (1u << 20)
#define CHECKPOINT_MAX 65536

void
log_dir(uint32_t n, char out[static LOG_PATH])
{
	snprintf(out, LOG_PATH, "log/%" PRIu32, n);
}

/* -- which there are -- */

/* The number in a name as log_dir() writes it, or UINT32_MAX. */
static uint32_t
name_number(const char *name)
{
	uint32_t n = 0;

	if (*name == '\0' || (name[0] == '0' && name[1] != '\0'))
		return UINT32_MAX;
	for (; *name != '\0'; name++) {
		if (*name < '0' || *name > '9')
			return UINT32_MAX;
		n = n * 10 + (uint32_t)(*name - '0');
		if (n >= STORE_LOGS_MAX)
			return UINT32_MAX;
	}
	return n;
}

static int
compare_numbers(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

int
log_list(struct vfs *v, uint32_t **ret, size_t *ret_n, struct ops_err *err)
{
	struct vfs_names names = { 0 };
	size_t count = 0;
	uint32_t *n;

	if (vfs_exists(v, "log") && vfs_list(v, "log", &names, err) < 0)
		return -1;
	n = calloc(names.n + 1, sizeof(*n));
	if (n == NULL) {
		vfs_names_free(&names);
		return ops_fail(err, OPS_ENOMEM, "log");
	}
	for (size_t i = 0; i < names.n; i++) {
		n[count] = name_number(names.name[i]);
		count += n[count] != UINT32_MAX;
	}
	vfs_names_free(&names);
	qsort(n, count, sizeof(*n), compare_numbers);
	*ret = n;
	*ret_n = count;
	return 0;
}

static void
log_file(const struct log *l, const char *name, char out[static LOG_PATH])
{
	snprintf(out, LOG_PATH, "log/%" PRIu32 "/%s", l->n, name);
}

static struct log *
log_new(struct vfs *v, uint32_t n)
{
	struct log *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	l->v = v;
	l->n = n;
	l->note.max = CHECKPOINT_MAX;
	log_dir(n, l->dir);
	tree_init(&l->tree);
	l->tiles = tiles_new(v, n);
	if (l->tiles == NULL) {
		free(l);
		return NULL;
	}
	return l;
}

int
log_set_key(struct log *l, const char *origin, struct ops_signer *signer,
    struct ops_err *err)
{
	if (note_key_init(
		&l->key, origin, NOTE_ED25519, ops_signer_pub(signer), err) < 0)
		return -1;
	snprintf(l->origin, sizeof(l->origin), "%s", origin);
	l->signer = signer;
	return 0;
}

int
log_create(struct vfs *v, uint32_t n, const char *origin,
    struct ops_signer *signer, struct log **ret, struct ops_err *err)
{
	struct log *l = log_new(v, n);

	if (l == NULL)
		return ops_fail(err, OPS_ENOMEM, "log");
	if (vfs_make_path(v, l->dir, err) < 0 ||
	    log_set_key(l, origin, signer, err) < 0) {
		log_free(l);
		return -1;
	}
	*ret = l;
	return 0;
}

void
log_free(struct log *l)
{
	if (l == NULL)
		return;
	vfs_close(l->f);
	ops_signer_free(l->signer);
	ops_buf_free(&l->note);
	tiles_free(l->tiles);
	free(l);
}

/* -- reading at start -- */

/* The checkpoint there is, unchecked so far: its size says at which leaf the
 * root has to be remembered. */
static int
read_stated(struct log *l, struct ops_err *err)
{
	char path[LOG_PATH];
	struct ops_err e = { 0 };
	struct note note;
	struct checkpoint c;

	log_file(l, "checkpoint", path);
	if (vfs_read_file(l->v, path, CHECKPOINT_MAX, &l->note, &e) < 0) {
		ops_buf_reset(&l->note);
		if (e.code == OPS_ENOENT)
			return 0;
		if (err != NULL)
			*err = e;
		return -1;
	}
	if (note_parse((const char *)l->note.data, l->note.len, &note, &e) <
	    0) {
		if (e.code != OPS_ENOMEM)
			return 0;
		if (err != NULL)
			*err = e;
		return -1;
	}
	if (checkpoint_parse(note.text, note.text_len, &c, NULL) == 0)
		l->stated = c.size;
	note_free(&note);
	return 0;
}

struct leaf_scan {
	int (*seen)(void *arg, const struct leaf *l, const uint8_t *bytes,
	    size_t len, uint64_t index, struct ops_err *err);
	void *arg;
};

/* 1: went on by one leaf.  0: nothing whole at p.  -1: error. */
static int
take_leaf(struct log *l, const struct leaf_scan *scan, const uint8_t *p,
    size_t n, long *used, struct ops_err *err)
{
	uint8_t hash[OPS_HASH_LEN];
	const uint8_t *bytes;
	struct ops_err e = { 0 };
	struct leaf leaf;
	size_t len;

	*used = leaf_file_next(p, n, &bytes, &len, NULL);
	if (*used < 0)
		return 0;
	if (leaf_decode(bytes, len, &leaf, &e) < 0) {
		/* No leaf of ours: as good as the end of the log. */
		if (e.code != OPS_ENEWER)
			return 0;
		if (err != NULL)
			*err = e;
		return -1;
	}
	if (scan->seen(scan->arg, &leaf, bytes, len, l->tree.size, err) < 0)
		return -1;
	leaf_hash(bytes, len, hash);
	tree_append(&l->tree, hash);
	tiles_add(l->tiles, bytes, len, hash);
	if (l->tree.size == l->stated)
		tree_root(&l->tree, l->stated_root);
	return 1;
}

static int
read_leaves(struct log *l, const struct leaf_scan *scan, struct ops_err *err)
{
	uint8_t *buf = malloc(READ_CHUNK);
	size_t have = 0, at = 0;
	uint64_t off = 0;
	int rc = 0;

	if (buf == NULL)
		return ops_fail(err, OPS_ENOMEM, "%s/leaves", l->dir);
	for (;;) {
		ssize_t n;
		long used;

		rc = take_leaf(l, scan, buf + at, have - at, &used, err);
		if (rc < 0)
			break;
		if (rc == 1) {
			at += (size_t)used;
			l->len += (uint64_t)used;
			if (l->tree.size == l->stated)
				l->stated_len = l->len;
			continue;
		}
		memmove(buf, buf + at, have - at);
		have -= at;
		at = 0;
		n = vfs_pread(l->f, buf + have, READ_CHUNK - have, off, err);
		if (n < 0) {
			rc = -1;
			break;
		}
		if (n == 0)
			break;
		off += (uint64_t)n;
		have += (size_t)n;
		/* A whole leaf fits many times: what does not parse now
		 * is torn. */
		if (have == READ_CHUNK && at == 0 &&
		    leaf_file_next(buf, have, &(const uint8_t *){ NULL },
			&(size_t){ 0 }, NULL) < 0)
			break;
	}
	free(buf);
	return rc < 0 ? -1 : 0;
}

int
log_open(struct vfs *v, uint32_t n,
    int (*seen)(void *arg, const struct leaf *l, const uint8_t *bytes,
	size_t len, uint64_t index, struct ops_err *err),
    void *arg, struct log **ret, uint64_t *torn, struct ops_err *err)
{
	struct leaf_scan scan = { seen, arg };
	struct log *l = log_new(v, n);
	char path[LOG_PATH];
	uint64_t size;

	if (l == NULL)
		return ops_fail(err, OPS_ENOMEM, "log");
	log_file(l, "leaves", path);
	if (read_stated(l, err) < 0 ||
	    vfs_open(v, path, VFS_WRITE, &l->f, err) < 0 ||
	    vfs_size(l->f, &size, err) < 0 || read_leaves(l, &scan, err) < 0) {
		log_free(l);
		return -1;
	}
	*torn = size - l->len;
	*ret = l;
	return 0;
}

int
log_cut_tail(struct log *l, struct ops_err *err)
{
	if (vfs_truncate(l->f, l->len, err) < 0)
		return -1;
	return vfs_sync(l->f, err);
}

int
log_check_checkpoint(struct log *l, struct ops_err *err)
{
	struct checkpoint c;
	struct ops_err e = { 0 };

	if (l->note.len == 0)
		return 1;
	/* Only a tree that still has all its sealed leaves may go on. */
	if (checkpoint_open(
		(const char *)l->note.data, l->note.len, &l->key, &c, &e) < 0) {
		if (err != NULL)
			*err = e;
		return e.code == OPS_ENOMEM ? -1 : 0;
	}
	if (c.size != l->stated || c.size > l->tree.size ||
	    memcmp(c.root, l->stated_root, OPS_HASH_LEN) != 0) {
		ops_fail(err, OPS_ETAMPER,
		    "%s/checkpoint: does not fit the leaves", l->dir);
		return 0;
	}
	l->sealed = c.size;
	return 1;
}

/* -- appending -- */

void
log_append_begin(const struct log *l, struct log_append *a)
{
	memset(a, 0, sizeof(*a));
	a->bytes.max = LOG_APPEND_MAX;
	a->tree = l->tree;
	a->from = l->tree.size;
}

int
log_append_leaf(
    struct log_append *a, const uint8_t *leaf, size_t n, struct ops_err *err)
{
	uint8_t hash[OPS_HASH_LEN];

	leaf_file_put(&a->bytes, leaf, n);
	if (ops_buf_check(&a->bytes, "leaves", err) < 0)
		return -1;
	leaf_hash(leaf, n, hash);
	tree_append(&a->tree, hash);
	return 0;
}

int
log_append_signed(struct log *l, struct log_append *a, struct leaf *leaf,
    const struct ops_signer *key, struct ops_err *err)
{
	struct ops_buf msg = { .max = 4096 };
	uint8_t root[OPS_HASH_LEN], bytes[LEAF_MAX];
	uint8_t *sig =
	    leaf->type == LEAF_BOOT ? leaf->u.boot.sig : leaf->u.seal.sig;
	long n;
	int rc;

	tree_root(&a->tree, root);
	rc =
	    leaf_signed_message(leaf, l->origin, a->tree.size, root, &msg, err);
	if (rc == 0)
		ops_signer_sign(key, msg.data, msg.len, sig);
	ops_buf_free(&msg);
	if (rc < 0)
		return -1;
	n = leaf_encode(leaf, bytes, err);
	if (n < 0)
		return -1;
	return log_append_leaf(a, bytes, (size_t)n, err);
}

/* Feed the appended leaves to the tiles, now that they are durable. */
static void
feed_tiles(struct log *l, const struct log_append *a)
{
	uint8_t hash[OPS_HASH_LEN];
	const uint8_t *leaf;
	size_t len, at = 0;
	long used;

	while ((used = leaf_file_next(a->bytes.data + at, a->bytes.len - at,
		    &leaf, &len, NULL)) > 0) {
		leaf_hash(leaf, len, hash);
		tiles_add(l->tiles, leaf, len, hash);
		at += (size_t)used;
	}
}

/* A log begins whole or not at all: a successor's first append also holds the
 * records that the old log's WAL can no longer be asked for. */
static int
first_append(struct log *l, const struct log_append *a, struct ops_err *err)
{
	char path[LOG_PATH];

	log_file(l, "leaves", path);
	if (vfs_replace_file(l->v, path, a->bytes.data, a->bytes.len, err) < 0)
		return -1;
	return vfs_open(l->v, path, VFS_WRITE, &l->f, err);
}

int
log_append_write(struct log *l, struct log_append *a, struct ops_err *err)
{
	if (l->f == NULL) {
		if (first_append(l, a, err) < 0)
			return -1;
	} else if (vfs_pwrite(l->f, a->bytes.data, a->bytes.len, l->len, err) <
		       0 ||
		   vfs_sync(l->f, err) < 0) {
		return -1;
	}
	l->len += a->bytes.len;
	l->tree = a->tree;
	feed_tiles(l, a);
	return 0;
}

void
log_append_free(struct log_append *a)
{
	ops_buf_free(&a->bytes);
	memset(a, 0, sizeof(*a));
}

int
log_checkpoint(struct log *l, struct ops_err *err)
{
	struct ops_buf note = { .max = CHECKPOINT_MAX };
	struct checkpoint c = { .size = l->tree.size };
	char path[LOG_PATH];
	int rc;

	memcpy(c.origin, l->origin, sizeof(c.origin));
	tree_root(&l->tree, c.root);
	log_file(l, "checkpoint", path);
	rc = checkpoint_sign(&c, &l->key, l->signer, &note, err);
	if (rc == 0)
		rc = vfs_replace_file(l->v, path, note.data, note.len, err);
	if (rc == 0) {
		ops_buf_free(&l->note);
		l->note = note;
		l->sealed = c.size;
	} else {
		ops_buf_free(&note);
	}
	return rc;
}

static int
write_again(struct log *l, uint64_t from, struct ops_err *err)
{
	uint8_t *buf = malloc(READ_CHUNK);
	int rc = 0;

	if (buf == NULL)
		return ops_fail(err, OPS_ENOMEM, "%s/leaves", l->dir);
	while (rc == 0 && from < l->len) {
		size_t n = l->len - from < READ_CHUNK ? (size_t)(l->len - from)
						      : READ_CHUNK;
		ssize_t got = vfs_pread(l->f, buf, n, from, err);

		if (got < 0)
			rc = -1;
		else if ((size_t)got != n)
			rc = ops_fail(
			    err, OPS_EIO, "%s/leaves: became shorter", l->dir);
		else
			rc = vfs_pwrite(l->f, buf, n, from, err);
		from += n;
	}
	free(buf);
	return rc;
}

int
log_catch_up(struct log *l, bool sign, struct ops_err *err)
{
	if (l->sealed == l->tree.size)
		return 0;
	if (write_again(l, l->sealed == 0 ? 0 : l->stated_len, err) < 0 ||
	    vfs_sync(l->f, err) < 0)
		return -1;
	return sign ? log_checkpoint(l, err) : 0;
}

int
log_partial_tiles(struct log *l, struct ops_err *err)
{
	return tiles_write_partial(l->tiles, err);
}
