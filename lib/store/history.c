#include "history.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "history_work.h"
#include "leafread.h"
#include "log.h"
#include "merkle/note.h"
#include "record/walbatch.h"

#define DETAIL_MAX 400

void
history_say(struct history_work *w, enum finding_kind k, const char *where,
    const char *fmt, ...)
{
	char detail[DETAIL_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(detail, sizeof(detail), fmt, ap);
	va_end(ap);
	w->o->found(w->o->arg, k, where, detail);
}

void
history_where(const struct history_work *w, uint64_t index,
    char out[static HISTORY_WHERE])
{
	snprintf(out, HISTORY_WHERE, "log/%" PRIu32 "/leaves leaf %" PRIu64,
	    w->h->log[w->log].pub.n, index);
}

int
history_fail_memory(struct ops_err *err)
{
	return ops_fail(err, OPS_ENOMEM, "log: no memory");
}

/* -- tables -- */

bool
history_grow(void *array, size_t n, size_t *cap, size_t size)
{
	void **p = array, *grown;
	size_t want;

	if (n < *cap)
		return true;
	want = *cap == 0 ? 8 : *cap * 2;
	grown = reallocarray(*p, want, size);
	if (grown == NULL)
		return false;
	*p = grown;
	*cap = want;
	return true;
}

__extension__ typedef unsigned __int128 u128;

/* Ids are random, but for those that somebody chose so that they collide:
 * multiply-shift (Dietzfelbinger), with multipliers of this process. */
static size_t
slot_of(const struct history *h, const uint8_t *id)
{
	const uint64_t *k = h->hash_key;
	u128 x = (u128)k[0] << 64 | k[1];

	x += ((u128)k[2] << 64 | k[3]) * ops_getle64(id);
	x += ((u128)k[4] << 64 | k[5]) * ops_getle16(id + 8);
	return (size_t)(x >> 64) & (h->table_size - 1);
}

static uint32_t *
find_slot(const struct history *h, const uint8_t *id)
{
	size_t i = slot_of(h, id);

	while (h->table[i] != 0 &&
	       memcmp(h->stream[h->table[i] - 1].id, id, OPS_ID_LEN) != 0)
		i = (i + 1) & (h->table_size - 1);
	return &h->table[i];
}

/* Twice the room, kept at most half full. */
static bool
grow_table(struct history *h)
{
	size_t size = h->table_size == 0 ? 64 : h->table_size * 2;
	uint32_t *table = calloc(size, sizeof(*table));
	struct history_stream *grown;

	grown = reallocarray(h->stream, size / 2, sizeof(*grown));
	if (grown != NULL)
		h->stream = grown;
	if (table == NULL || grown == NULL) {
		free(table);
		return false;
	}
	free(h->table);
	if (h->table_size == 0)
		ops_random(h->hash_key, sizeof(h->hash_key));
	h->table = table;
	h->table_size = size;
	for (size_t i = 0; i < h->streams; i++)
		*find_slot(h, h->stream[i].id) = (uint32_t)i + 1;
	return true;
}

struct history_stream *
history_find(const struct history *h, const uint8_t id[static OPS_ID_LEN])
{
	uint32_t *slot;

	if (h->table_size == 0)
		return NULL;
	slot = find_slot(h, id);
	return *slot == 0 ? NULL : &h->stream[*slot - 1];
}

struct history_stream *
history_stream_get(struct history *h, const uint8_t *id, uint8_t class)
{
	struct history_stream *s = history_find(h, id);

	if (s != NULL)
		return s;
	if (h->streams * 2 >= h->table_size && !grow_table(h))
		return NULL;
	assert(h->stream != NULL); /* a table and streams come together */
	s = &h->stream[h->streams];
	memset(s, 0, sizeof(*s));
	memcpy(s->id, id, OPS_ID_LEN);
	s->class = class;
	s->log = SIZE_MAX;
	*find_slot(h, id) = (uint32_t)++h->streams;
	return s;
}

/* Marks stand in order of log and index. */
const struct history_mark *
history_mark_before(const struct history *h, uint32_t log, uint64_t index)
{
	size_t lo = 0, hi = h->marks;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		const struct history_mark *m = &h->mark[mid];

		if (m->log < log || (m->log == log && m->index < index))
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo > 0 && h->mark[lo - 1].log == log ? &h->mark[lo - 1] : NULL;
}

uint64_t
history_signed(const struct history *h, size_t log)
{
	const struct history_log *l = &h->log[log];

	return l->marks == 0 ? 0
			     : h->mark[l->first_mark + l->marks - 1].index + 1;
}

static int
compare_tombstones(const void *a, const void *b)
{
	const struct leaf_tombstone *x =
	    &((const struct history_tombstone *)a)->leaf;
	const struct leaf_tombstone *y =
	    &((const struct history_tombstone *)b)->leaf;
	int d = memcmp(x->stream, y->stream, OPS_ID_LEN);

	return d != 0 ? d : (x->from > y->from) - (x->from < y->from);
}

/* Keep what counts, in an order to search in. */
static void
settle_tombstones(struct history *h)
{
	struct history_tombstone *t = h->tombstone, *last;
	size_t n = 0;

	for (size_t i = 0; i < h->tombstones; i++)
		if (t[i].sealed)
			t[n++] = t[i];
	if (n > 1)
		qsort(t, n, sizeof(*t), compare_tombstones);
	h->tombstones = n;
	n = 0;
	for (size_t i = 0; i < h->tombstones; i++) {
		last = n > 0 ? &t[n - 1] : NULL;
		if (last == NULL ||
		    memcmp(last->leaf.stream, t[i].leaf.stream, OPS_ID_LEN) !=
			0 ||
		    t[i].leaf.from >= last->leaf.to)
			t[n++] = t[i];
		else if (t[i].leaf.to > last->leaf.to)
			last->leaf.to = t[i].leaf.to;
	}
	h->tombstones = n;
}

const struct leaf_tombstone *
history_tombstone(const struct history *h,
    const uint8_t stream[static OPS_ID_LEN], uint64_t number)
{
	const struct leaf_tombstone *found;
	size_t lo = 0, hi = h->tombstones;

	/* The first that begins behind it; the one before may cover it. */
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		const struct leaf_tombstone *t = &h->tombstone[mid].leaf;
		int d = memcmp(t->stream, stream, OPS_ID_LEN);

		if (d < 0 || (d == 0 && t->from <= number))
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == 0)
		return NULL;
	found = &h->tombstone[lo - 1].leaf;
	return memcmp(found->stream, stream, OPS_ID_LEN) == 0 &&
		       number < found->to
		   ? found
		   : NULL;
}

bool
history_expired(const struct history *h,
    const uint8_t stream[static OPS_ID_LEN], uint64_t number)
{
	return history_tombstone(h, stream, number) != NULL;
}

bool
history_batch_signed(const struct history *h, const struct wal_batch *b)
{
	for (size_t i = 0; i < h->keys; i++)
		if (h->key[i].period == b->period &&
		    wal_batch_signed(b, h->key[i].pub))
			return true;
	return false;
}

bool
history_moved_on(struct vfs *v, const struct history *h)
{
	struct vfs_file *f;
	uint64_t size = 0;
	char path[40];
	bool same;

	if (h->logs == 0)
		return false;
	snprintf(path, sizeof(path), "log/%" PRIu32 "/leaves",
	    h->log[h->logs - 1].pub.n + 1);
	if (!h->next_begun && vfs_exists(v, path))
		return true;
	snprintf(path, sizeof(path), "log/%" PRIu32 "/leaves",
	    h->log[h->logs - 1].pub.n);
	if (vfs_open(v, path, VFS_READ, &f, NULL) < 0)
		return false;
	same =
	    vfs_size(f, &size, NULL) < 0 || size == h->log[h->logs - 1].bytes;
	vfs_close(f);
	return !same;
}

void
history_free(struct history *h)
{
	for (size_t i = 0; i < h->streams; i++)
		free(h->stream[i].frame);
	free(h->stream);
	free(h->table);
	free(h->log);
	free(h->mark);
	free(h->close);
	free(h->tombstone);
	free(h->key);
	memset(h, 0, sizeof(*h));
}

/* -- checkpoints -- */

/* Read before the leaves: a running writer only ever has more of them. */
static void
read_checkpoint(struct history_work *w)
{
	const struct history_log *l = &w->h->log[w->log];
	struct ops_err why = { 0 };
	struct checkpoint c;
	struct note note;
	char path[40];

	w->stated = 0;
	w->stated_met = w->stated_seal = false;
	w->seals_beyond = 0;
	snprintf(path, sizeof(path), "log/%" PRIu32 "/checkpoint", l->pub.n);
	if (vfs_read_file(w->v, path, NOTE_MAX, &w->note, &why) < 0) {
		ops_buf_reset(&w->note);
		if (why.code != OPS_ENOENT)
			history_say(w, FIND_UNREADABLE, path, "%s", why.msg);
		return;
	}
	if (note_parse((const char *)w->note.data, w->note.len, &note, &why) <
	    0) {
		history_say(w, FIND_TAMPER, path, "%s", why.msg);
		ops_buf_reset(&w->note);
		return;
	}
	if (checkpoint_parse(note.text, note.text_len, &c, NULL) == 0)
		w->stated = c.size;
	note_free(&note);
}

/* The text must be what the writer writes, and its signature come first. */
static bool
is_canonical(const struct history_work *w, const struct checkpoint *c,
    const struct note_key *key)
{
	struct ops_buf b = { .max = NOTE_MAX };
	struct note note;
	bool same = false;

	checkpoint_put(c, &b);
	if (note_parse((const char *)w->note.data, w->note.len, &note, NULL) ==
	    0) {
		same = !b.failed && note.text_len == b.len &&
		       memcmp(note.text, b.data, b.len) == 0 &&
		       note.sig[0].name_len == strlen(key->name) &&
		       memcmp(note.sig[0].name, key->name,
			   note.sig[0].name_len) == 0 &&
		       memcmp(note.sig[0].id, key->id, sizeof(key->id)) == 0;
		for (size_t i = 1; same && i < note.sigs; i++)
			same = memcmp(note.sig[i].id, key->id,
				   sizeof(key->id)) != 0;
		note_free(&note);
	}
	ops_buf_free(&b);
	return same;
}

/* All leaves were read: does the checkpoint fit them?  Only the newest log can
 * have been stopped between its first SEAL and its checkpoint. */
static void
judge_checkpoint(struct history_work *w, bool newest)
{
	struct history_log *l = &w->h->log[w->log];
	struct ops_err why = { 0 };
	struct checkpoint c = { 0 };
	char path[40];

	snprintf(path, sizeof(path), "log/%" PRIu32 "/checkpoint", l->pub.n);
	if (w->note.len == 0) {
		if (w->seals_beyond > (newest ? 1 : 0))
			history_say(w, FIND_MISSING, path,
			    "there are %" PRIu64 " seals, but no checkpoint",
			    w->seals_beyond);
		return;
	}
	if (!w->has_key)
		return; /* what stands in the place of the key was named */
	if (checkpoint_open((const char *)w->note.data, w->note.len,
		&l->pub.key, &c, &why) < 0)
		history_say(w, FIND_TAMPER, path, "%s", why.msg);
	else if (!is_canonical(w, &c, &l->pub.key))
		history_say(w, FIND_TAMPER, path,
		    "it is not written as the log's writer writes it");
	else if (c.size > l->pub.size)
		history_say(w, FIND_MISSING, path,
		    "it seals %" PRIu64 " leaves, but there are only %" PRIu64,
		    c.size, l->pub.size);
	else if (!w->stated_met ||
		 memcmp(w->stated_root, c.root, OPS_HASH_LEN) != 0)
		history_say(w, FIND_TAMPER, path,
		    "the root over its %" PRIu64 " leaves is another: leaves "
		    "were changed, moved or exchanged",
		    c.size);
	else if (!w->stated_seal)
		history_say(w, FIND_TAMPER, path,
		    "its size %" PRIu64 " is not that of the end of a period",
		    c.size);
	else {
		if (w->seals_beyond > 1)
			history_say(w, FIND_TAMPER, path,
			    "%" PRIu64 " seals stand behind it: it was put "
			    "back to an older one",
			    w->seals_beyond);
		l->pub.sealed = c;
		l->sealed_ok = true;
	}
}

/* What was read while the checkpoint was not yet known to be good. */
static void
mark_sealed(struct history *h, size_t log)
{
	uint64_t size = h->log[log].pub.sealed.size;

	for (size_t i = 0; i < h->streams; i++)
		for (size_t j = h->stream[i].n; j > 0; j--) {
			struct store_frame *f = &h->stream[i].frame[j - 1];

			if (f->log != log)
				break;
			f->sealed = f->index < size;
		}
	for (size_t i = h->closes; i > 0 && h->close[i - 1].log == log; i--)
		h->close[i - 1].sealed = h->close[i - 1].index < size;
	for (size_t i = h->tombstones; i > 0 && h->tombstone[i - 1].log == log;
	     i--)
		h->tombstone[i - 1].sealed = h->tombstone[i - 1].index < size;
}

/* -- leaves -- */

static int
take_leaf(struct history_work *w, const struct leafread_leaf *leaf,
    struct ops_err *err)
{
	struct history_log *l = &w->h->log[w->log];
	const struct leaves_entry *e = &leaf->e;
	char where[HISTORY_WHERE];

	w->index = e->index;
	w->h->leaves++;
	w->last_was_seal = false;
	if (e->bad) {
		history_where(w, e->index, where);
		history_say(w, FIND_TAMPER, where,
		    "its checksum is wrong (offset %" PRIu64 ")", e->offset);
	} else if (!leaf->good) {
		history_where(w, e->index, where);
		if (leaf->why.code == OPS_ENEWER)
			return ops_fail(err, leaf->why.code, "%s: %s", where,
			    leaf->why.msg);
		history_say(w, FIND_TAMPER, where, "%s", leaf->why.msg);
	} else if (history_rules(w, &leaf->leaf, leaf->hash, &l->tree, err) <
		   0) {
		return -1;
	}
	tree_append(&l->tree, leaf->hash);
	if (l->tree.size == w->stated) {
		tree_root(&l->tree, w->stated_root);
		w->stated_met = true;
		w->stated_seal = w->last_was_seal;
	}
	if (w->last_was_seal && l->tree.size > w->stated)
		w->seals_beyond++;
	if (w->o->leaf != NULL)
		w->o->leaf(w->o->arg, w->log, e->p, e->n, leaf->hash, &l->tree);
	return 0;
}

static void
judge_end(struct history_work *w, const struct leafread *r)
{
	struct history_log *l = &w->h->log[w->log];
	uint64_t offset, bytes;
	enum leaves_end end = leafread_end(r, &offset, &bytes);
	char where[64];

	l->bytes = offset + bytes;
	/* No append is longer. */
	if (end == LEAVES_END_TORN && bytes > LOG_APPEND_MAX)
		end = LEAVES_END_DAMAGED;
	switch (end) {
	case LEAVES_END_CLEAN:
		return;
	case LEAVES_END_TORN:
		snprintf(where, sizeof(where),
		    "log/%" PRIu32 "/leaves offset %" PRIu64, l->pub.n, offset);
		history_say(w, FIND_CRASH, where,
		    "the last append was cut short: %" PRIu64 " bytes", bytes);
		return;
	case LEAVES_END_DAMAGED:
		snprintf(where, sizeof(where),
		    "log/%" PRIu32 "/leaves offset %" PRIu64, l->pub.n, offset);
		history_say(w, FIND_TAMPER, where,
		    "from here on these are no leaves: %" PRIu64 " bytes",
		    bytes);
		return;
	}
}

/* A log without a single leaf.  A crash leaves one, if it was the newest and
 * nothing was ever sealed in it. */
static void
judge_empty(struct history_work *w, bool newest)
{
	char where[40];

	snprintf(where, sizeof(where), "log/%" PRIu32 "/leaves",
	    w->h->log[w->log].pub.n);
	if (newest && w->note.len == 0)
		history_say(w, FIND_CRASH, where, "a log was about to begin");
	else
		history_say(w, FIND_MISSING, where, "it has no leaves");
}

static int
read_log(struct history_work *w, uint32_t n, bool newest, struct ops_err *err)
{
	struct history_log *l = &w->h->log[w->log];
	struct ops_err why = { 0 };
	const struct leafread_leaf *leaf;
	struct leafread *r = NULL;
	int rc = 0;

	memset(l, 0, sizeof(*l));
	l->pub.n = n;
	l->first_mark = w->h->marks;
	tree_init(&l->tree);
	w->has_key = false;
	read_checkpoint(w);
	if (w->o->log != NULL)
		w->o->log(w->o->arg, w->log, true);
	if (leafread_open(w->v, n, w->stated, w->o->threads > 1, &r, &why) <
	    0) {
		if (why.code == OPS_ENOMEM)
			return history_fail_memory(err);
		if (why.code != OPS_ENOENT)
			history_say(w, FIND_UNREADABLE, "log", "%s", why.msg);
	} else {
		while ((rc = leafread_next(r, &leaf, &why)) == 1)
			if (take_leaf(w, leaf, err) < 0) {
				leafread_free(r);
				return -1;
			}
		if (rc < 0)
			history_say(w, FIND_UNREADABLE, "log", "%s", why.msg);
		judge_end(w, r);
		leafread_free(r);
	}
	history_run_jobs(w);
	l->pub.size = l->tree.size;
	l->pub.clean = w->final && w->since == 0 && l->tree.size > 0;
	l->marks = w->h->marks - l->first_mark;
	if (l->tree.size == 0)
		judge_empty(w, newest);
	else
		judge_checkpoint(w, newest);
	if (w->o->log != NULL)
		w->o->log(w->o->arg, w->log, false);
	mark_sealed(w->h, w->log);
	return 0;
}

/* -- which logs there are -- */

static int
list_logs(struct vfs *v, uint32_t **ret, size_t *ret_n, struct ops_err *err)
{
	uint32_t *n;
	size_t count;

	if (log_list(v, &n, &count, err) < 0)
		return -1;
	if (count == 0) {
		free(n);
		return ops_fail(err, OPS_ENOENT, "there is no log here");
	}
	*ret = n;
	*ret_n = count;
	return 0;
}

static int
read_logs(struct history_work *w, const uint32_t *n, size_t count,
    struct ops_err *err)
{
	struct history *h = w->h;
	uint32_t want = 0;

	for (size_t i = 0; i < count; i++, want++) {
		for (; want < n[i]; want++) {
			char where[24];

			snprintf(where, sizeof(where), "log/%" PRIu32, want);
			history_say(w, FIND_MISSING, where, "a whole log");
		}
		w->log = h->logs;
		if (read_log(w, n[i], i + 1 == count, err) < 0)
			return -1;
		h->next_begun = h->log[w->log].tree.size == 0;
		if (!h->next_begun)
			h->logs++;
	}
	history_rules_end(w);
	settle_tombstones(h);
	h->clean = h->logs > 0 && h->log[h->logs - 1].pub.clean;
	return 0;
}

int
history_read(struct vfs *v, const struct history_opts *o, struct history *ret,
    struct ops_err *err)
{
	struct history_work *w;
	uint32_t *n = NULL;
	size_t count = 0;
	int rc = -1;

	memset(ret, 0, sizeof(*ret));
	w = calloc(1, sizeof(*w));
	if (w == NULL)
		return history_fail_memory(err);
	w->o = o;
	w->v = v;
	w->h = ret;
	for (size_t i = 0; i < HISTORY_JOBS; i++)
		w->job[i].msg.max = 4096;
	if (list_logs(v, &n, &count, err) < 0)
		goto out;
	ret->log = calloc(count, sizeof(*ret->log));
	if (ret->log == NULL) {
		history_fail_memory(err);
		goto out;
	}
	rc = read_logs(w, n, count, err);
out:
	for (size_t i = 0; i < HISTORY_JOBS; i++)
		ops_buf_free(&w->job[i].msg);
	ops_buf_free(&w->note);
	history_free(&w->closed);
	free(w->pending);
	free(w);
	free(n);
	return rc;
}
