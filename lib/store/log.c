#include "log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "leaves.h"
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
		return ops_fail(err, OPS_ENOMEM, "log: no memory");
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

/* Who the log is; without a signer until log_set_signer(). */
static int
set_key(struct log *l, const char *origin,
    const uint8_t pub[static OPS_PUB_LEN], struct ops_err *err)
{
	if (note_key_init(&l->key, origin, NOTE_ED25519, pub, err) < 0)
		return -1;
	snprintf(l->origin, sizeof(l->origin), "%s", origin);
	return 0;
}

void
log_set_signer(struct log *l, struct ops_signer *signer)
{
	l->signer = signer;
}

int
log_create(struct vfs *v, uint32_t n, const char *origin,
    struct ops_signer *signer, struct log **ret, struct ops_err *err)
{
	struct log *l = log_new(v, n);

	if (l == NULL)
		return ops_fail(err, OPS_ENOMEM, "log: no memory");
	if (vfs_make_path(v, l->dir, err) < 0 ||
	    set_key(l, origin, ops_signer_pub(signer), err) < 0) {
		log_free(l);
		return -1;
	}
	log_set_signer(l, signer);
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
	if (checkpoint_parse(note.text, note.text_len, &c, NULL) == 0) {
		l->stated = c.size;
		/* Until the first leaf says it; should that be damaged. */
		snprintf(l->origin, sizeof(l->origin), "%s", c.origin);
	}
	note_free(&note);
	return 0;
}

struct scan {
	const struct log_reader *r;
	struct tree tree;       /* over all entries so far */
	uint64_t len;           /* their bytes */
	struct ops_buf pending; /* those that no BOOT or SEAL signs yet */
	bool final;             /* the last one that did closed the log */
};

static void
damage(struct log *l)
{
	l->damaged = l->end_damaged = true;
}

/* Behind the checkpoint only the signature says that a BOOT or SEAL is one.  In
 * a log that is damaged none can be right. */
static int
check_signature(struct log *l, const struct scan *sc, const struct leaf *leaf,
    struct ops_err *err)
{
	struct ops_buf msg = { .max = 4096 };
	bool boot = leaf->type == LEAF_BOOT;
	const uint8_t *sig = boot ? leaf->u.boot.sig : leaf->u.seal.sig;
	const uint8_t *key = sc->tree.size == 0 ? leaf->u.boot.log_pub
						: sc->r->key(sc->r->arg, leaf);
	uint8_t root[OPS_HASH_LEN];
	struct ops_err why = { 0 };
	int rc;

	if (sc->tree.size < l->stated || l->damaged)
		return 0;
	tree_root(&sc->tree, root);
	rc = leaf_signed_message(
	    leaf, l->origin, sc->tree.size, root, &msg, &why);
	if (rc < 0 || key == NULL || !ops_verify(key, msg.data, msg.len, sig))
		damage(l);
	ops_buf_free(&msg);
	if (why.code == OPS_ENOMEM)
		return ops_fail(err, why.code, "%s", why.msg);
	return 0;
}

/* Tell of a leaf that counts. */
static int
tell(struct log *l, const struct log_reader *r, const struct leaf *leaf,
    const uint8_t *p, size_t n, struct ops_err *err)
{
	uint8_t hash[OPS_HASH_LEN];

	if (r->seen(r->arg, leaf, p, n, err) < 0)
		return -1;
	leaf_hash(p, n, hash);
	if (!l->damaged)
		tiles_add(l->tiles, p, n, hash);
	return 0;
}

static int
tell_pending(struct log *l, struct scan *sc, struct ops_err *err)
{
	const uint8_t *p;
	struct leaf leaf;
	size_t n, at = 0;
	long used;

	while ((used = leaf_file_next(sc->pending.data + at,
		    sc->pending.len - at, &p, &n, NULL)) > 0) {
		if (leaf_decode(p, n, &leaf, err) < 0 ||
		    tell(l, sc->r, &leaf, p, n, err) < 0)
			return -1;
		at += (size_t)used;
	}
	ops_buf_reset(&sc->pending);
	return 0;
}

static int
take_unsigned(struct log *l, struct scan *sc, const struct leaves_entry *e,
    struct ops_err *err)
{
	/* No append begins so behind a closed log, or is that long. */
	if (sc->final || sc->tree.size == 0)
		damage(l);
	if (sc->pending.len + LEAF_FILE_HEADER + e->n > sc->pending.max) {
		damage(l);
		ops_buf_reset(&sc->pending);
	}
	leaf_file_put(&sc->pending, e->p, e->n);
	return ops_buf_check(&sc->pending, "leaves", err);
}

static int
take_signed(struct log *l, struct scan *sc, const struct leaves_entry *e,
    const struct leaf *leaf, struct ops_err *err)
{
	bool seal = leaf->type == LEAF_SEAL;
	struct ops_err why = { 0 };

	if (sc->tree.size == 0 &&
	    (seal || set_key(l, leaf->u.boot.origin, leaf->u.boot.log_pub,
			 &why) < 0)) {
		damage(l);
		if (why.code == OPS_ENOMEM)
			return ops_fail(err, why.code, "%s", why.msg);
	}
	if (seal && sc->final)
		damage(l);
	if (check_signature(l, sc, leaf, err) < 0 ||
	    tell_pending(l, sc, err) < 0 ||
	    tell(l, sc->r, leaf, e->p, e->n, err) < 0)
		return -1;
	/* What the checkpoint covers is no end. */
	if (sc->tree.size < l->stated)
		l->end_damaged = false;
	l->seals += seal && sc->tree.size >= l->stated;
	l->ends_in_seal = seal;
	sc->final = seal && leaf->u.seal.final;
	return 0;
}

static int
take_entry(struct log *l, struct scan *sc, const struct leaves_entry *e,
    struct ops_err *err)
{
	struct ops_err why = { 0 };
	uint8_t hash[OPS_HASH_LEN];
	struct leaf leaf = { 0 };
	bool good = !e->bad && leaf_decode(e->p, e->n, &leaf, &why) == 0;
	bool is_signed =
	    good && (leaf.type == LEAF_BOOT || leaf.type == LEAF_SEAL);
	int rc = 0;

	if (why.code == OPS_ENEWER)
		return ops_fail(err, why.code, "%s", why.msg);
	if (is_signed)
		rc = take_signed(l, sc, e, &leaf, err);
	else if (good)
		rc = take_unsigned(l, sc, e, err);
	else
		damage(l);
	if (rc < 0)
		return -1;
	leaf_hash(e->p, e->n, hash);
	tree_append(&sc->tree, hash);
	sc->len += LEAF_FILE_HEADER + e->n;
	if (is_signed) {
		l->tree = sc->tree;
		l->len = sc->len;
	}
	if (sc->tree.size == l->stated) {
		tree_root(&sc->tree, l->stated_root);
		l->stated_len = sc->len;
	}
	return 0;
}

static int
read_leaves(struct log *l, const struct log_reader *r, struct ops_err *err)
{
	struct scan sc = { .r = r, .pending = { .max = LOG_APPEND_MAX } };
	struct leaves_entry e;
	struct leaves *in;
	uint64_t offset, bytes;
	int rc;

	if (leaves_open(l->v, l->n, l->stated, &in, err) < 0)
		return -1;
	tree_init(&sc.tree);
	while ((rc = leaves_next(in, &e, err)) == 1) {
		rc = take_entry(l, &sc, &e, err);
		if (rc < 0)
			break;
	}
	/* The first append is whole or not there at all (first_append()). */
	if (leaves_end(in, &offset, &bytes) == LEAVES_END_DAMAGED ||
	    (l->len == 0 && offset + bytes > 0))
		damage(l);
	leaves_free(in);
	ops_buf_free(&sc.pending);
	if (l->end_damaged) {
		l->tree = sc.tree;
		l->len = sc.len;
	}
	l->tail = offset + bytes - l->len;
	return rc;
}

int
log_open(struct vfs *v, uint32_t n, const struct log_reader *r,
    struct log **ret, struct ops_err *err)
{
	struct log *l = log_new(v, n);
	char path[LOG_PATH];

	if (l == NULL)
		return ops_fail(err, OPS_ENOMEM, "log: no memory");
	log_file(l, "leaves", path);
	if (read_stated(l, err) < 0 ||
	    vfs_open(v, path, VFS_WRITE, &l->f, err) < 0 ||
	    read_leaves(l, r, err) < 0) {
		log_free(l);
		return -1;
	}
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
		return ops_fail(
		    err, OPS_ENOMEM, "%s/leaves: no memory", l->dir);
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
