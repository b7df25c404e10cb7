#include "store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "history.h"
#include "parallel.h"
#include "store_work.h"
#include "walread.h"

#define WAL_KEPT_MAX (256u << 20) /* bytes of unsealed records in memory */
#define WAL_TRIES 3 /* a running writer changes it while it is read */

static void
note_problem(struct store *s, const char *where, const char *detail)
{
	if (s->has_problem)
		return;
	s->has_problem = true;
	snprintf(s->problem, sizeof(s->problem), "%s: %s", where, detail);
}

static void
found(void *arg, enum finding_kind k, const char *where, const char *detail)
{
	if (finding_fails(k))
		note_problem(arg, where, detail);
}

/* -- the WAL -- */

/* As many extras as streams. */
static int
match_extras(struct store *s, struct ops_err *err)
{
	while (s->extras < s->h.streams) {
		if (!history_grow(
			&s->extra, s->extras, &s->extra_cap, sizeof(*s->extra)))
			return ops_fail(err, OPS_ENOMEM, "store: no memory");
		s->extra[s->extras] = (struct store_extra){
			.wal_next = s->h.stream[s->extras].next_record
		};
		s->extras++;
	}
	return 0;
}

static int
keep_entry(struct store *s, const struct wal_entry *e, const char *where,
    struct ops_err *err)
{
	struct history_stream *st =
	    history_stream_get(&s->h, e->stream, e->class);
	struct store_extra *x;

	if (st == NULL)
		return ops_fail(err, OPS_ENOMEM, "store: no memory");
	if (match_extras(s, err) < 0)
		return -1;
	x = &s->extra[st - s->h.stream];
	if (e->number < x->wal_next)
		return 0; /* framed already */
	if (e->number > x->wal_next || e->class != st->class) {
		note_problem(s, where, "a record does not continue its stream");
		return 0;
	}
	if (!history_grow(&s->unsealed, s->n_unsealed, &s->unsealed_cap,
		sizeof(*s->unsealed)))
		return ops_fail(err, OPS_ENOMEM, "store: no memory");
	s->unsealed[s->n_unsealed++] =
	    (struct store_unsealed){ .stream = (uint32_t)(st - s->h.stream),
		    .len = (uint32_t)e->len,
		    .number = e->number,
		    .at = s->wal_bytes.len };
	ops_buf_put(&s->wal_bytes, e->record, e->len);
	x->wal_next++;
	x->unsealed++;
	return ops_buf_check(&s->wal_bytes, "unsealed records", err);
}

static int
keep_batches(struct store *s, struct wal_reader *r, struct ops_err *err)
{
	const uint8_t *chain = s->h.wal.chain;
	struct wal_batch b;
	struct wal_entry e;
	bool first = true;
	int rc;

	while ((rc = wal_next(r, &b, err)) == 1) {
		size_t at = 0;

		if ((first && memcmp(b.prev, chain, OPS_HASH_LEN) != 0) ||
		    !history_batch_signed(&s->h, &b)) {
			note_problem(s, wal_where(r),
			    "a batch that the log's writer did not sign");
			return 0;
		}
		first = false;
		while (wal_entry_next(&b, &at, &e) == 1)
			if (keep_entry(s, &e, wal_where(r), err) < 0)
				return -1;
	}
	return rc;
}

static int
read_wal(struct store *s, struct ops_err *err)
{
	bool before = s->has_problem, lacks;
	const char *where, *detail;
	struct wal_reader *r;
	int rc;

	if (wal_open_read(s->v, s->h.wal.batch, &r, err) < 0)
		return -1;
	rc = keep_batches(s, r, err);
	if (rc == 0 && !(s->h.clean && wal_files(r) == 0) &&
	    wal_reader_end(r, &where, &detail, NULL) == WAL_END_DAMAGED) {
		note_problem(s, where, detail);
		s->again = true;
	}
	/* What isn't in these leaves is in the WAL, unless the writer has sealed it
	 * since and removed the file. */
	lacks = !s->h.clean && (!wal_has_start(r) || wal_stops_short(r));
	/* The writer went on since the leaves were read: that is no problem,
	 * and opening once more shows it. */
	if (((s->has_problem && !before) || lacks) &&
	    history_moved_on(s->v, &s->h)) {
		s->has_problem = before;
		s->again = true;
	}
	wal_reader_free(r);
	return rc;
}

/* -- opening -- */

static int
fill_lists(struct store *s, struct ops_err *err)
{
	const struct history *h = &s->h;

	if (match_extras(s, err) < 0)
		return -1;
	s->logs = calloc(h->logs + 1, sizeof(*s->logs));
	s->streams = calloc(h->streams + 1, sizeof(*s->streams));
	if (s->logs == NULL || s->streams == NULL)
		return ops_fail(err, OPS_ENOMEM, "store: no memory");
	for (size_t i = 0; i < h->logs; i++)
		s->logs[i] = h->log[i].pub;
	for (size_t i = 0; i < h->streams; i++) {
		struct store_stream *t = &s->streams[s->n_streams];

		if (h->stream[i].n == 0 && s->extra[i].unsealed == 0)
			continue;
		memcpy(t->id, h->stream[i].id, OPS_ID_LEN);
		t->class = h->stream[i].class;
		t->frames = h->stream[i].n;
		t->unsealed = s->extra[i].unsealed;
		s->n_streams++;
	}
	if (h->marks > 0)
		s->wall = h->mark[h->marks - 1].wall;
	return 0;
}

static int
by_session(const void *a, const void *b)
{
	const struct store_close *x = a, *y = b;
	int rc = memcmp(x->in->leaf.stream, y->in->leaf.stream, OPS_ID_LEN);

	return rc != 0 ? rc : (x->in > y->in) - (x->in < y->in);
}

static int
sort_closes(struct store *s, struct ops_err *err)
{
	s->close = calloc(s->h.closes + 1, sizeof(*s->close));
	if (s->close == NULL)
		return ops_fail(err, OPS_ENOMEM, "no memory");
	for (size_t i = 0; i < s->h.closes; i++)
		s->close[i].in = &s->h.close[i];
	if (s->h.closes > 1)
		qsort(s->close, s->h.closes, sizeof(s->close[0]), by_session);
	return 0;
}

static struct store *
open_once(struct vfs *v, unsigned flags, struct ops_err *err)
{
	struct store *s = calloc(1, sizeof(*s));
	/* One besides ours, to decode ahead: a daemon opens stores for many. */
	struct history_opts o = { .threads = parallel_threads(0) > 1 ? 2 : 1,
		.found = found,
		.arg = s };

	if (s == NULL) {
		ops_fail(err, OPS_ENOMEM, "no memory");
		return NULL;
	}
	s->v = v;
	s->wal_bytes.max = WAL_KEPT_MAX;
	if (history_read(v, &o, &s->h, err) < 0)
		goto fail;
	if (s->h.logs == 0) {
		ops_fail(err, OPS_ENOENT, "there is no log here");
		goto fail;
	}
	if (match_extras(s, err) < 0 ||
	    (!(flags & STORE_NO_WAL) && read_wal(s, err) < 0) ||
	    fill_lists(s, err) < 0 || sort_closes(s, err) < 0)
		goto fail;
	return s;
fail:
	store_free(s);
	return NULL;
}

int
store_open(
    struct vfs *v, unsigned flags, struct store **ret, struct ops_err *err)
{
	for (int tries = 1;; tries++) {
		struct store *s = open_once(v, flags, err);

		if (s == NULL)
			return ops_context(err, "store");
		if (!s->again || tries == WAL_TRIES) {
			if (s->again)
				note_problem(s, "wal",
				    "the writer went on each time it was read: "
				    "the newest records may not be here");
			*ret = s;
			return 0;
		}
		store_free(s);
	}
}

void
store_free(struct store *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < s->extras; i++)
		free(s->extra[i].segment);
	free(s->extra);
	free(s->unsealed);
	ops_buf_free(&s->wal_bytes);
	free(s->logs);
	free(s->streams);
	free(s->close);
	history_free(&s->h);
	free(s);
}

/* -- what there is -- */

size_t
store_logs(const struct store *s, const struct store_log **ret)
{
	*ret = s->logs;
	return s->h.logs;
}

const char *
store_problem(const struct store *s)
{
	return s->has_problem ? s->problem : NULL;
}

size_t
store_frames(const struct store *s, const uint8_t stream[static OPS_ID_LEN],
    const struct store_frame **ret)
{
	const struct history_stream *st = history_find(&s->h, stream);

	*ret = st == NULL ? NULL : st->frame;
	return st == NULL ? 0 : st->n;
}

size_t
store_streams(const struct store *s, const struct store_stream **ret)
{
	*ret = s->streams;
	return s->n_streams;
}

const struct leaf_close *
store_close_leaf(
    const struct store *s, const uint8_t id[static OPS_ID_LEN], bool *sealed)
{
	size_t from = 0, to = s->h.closes;

	/* Behind the last that is its. */
	while (from < to) {
		size_t mid = from + (to - from) / 2;

		if (memcmp(s->close[mid].in->leaf.stream, id, OPS_ID_LEN) <= 0)
			from = mid + 1;
		else
			to = mid;
	}
	if (from == 0 ||
	    memcmp(s->close[from - 1].in->leaf.stream, id, OPS_ID_LEN) != 0)
		return NULL;
	if (sealed != NULL)
		*sealed = s->close[from - 1].in->sealed;
	return &s->close[from - 1].in->leaf;
}
