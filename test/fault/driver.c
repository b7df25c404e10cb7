#include "driver.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "record/body.h"
#include "record/event.h"
#include "store/check.h"
#include "store/expire.h"
#include "store/store.h"

static const uint8_t zero[OPS_HASH_LEN];

int
driver_open(struct driver *d, struct ops_err *err)
{
	struct engine_opts o = { .machine_id = "driver",
		.resume_every = 1 }; /* a new one with every seal */
	struct framer_stream s = { 0 };

	memcpy(o.boot_id, d->boot_id, sizeof(o.boot_id));
	d->batch.max = WAL_BATCH_MAX;
	d->blocks.max = WAL_DISK_LEN(WAL_BATCH_MAX);
	d->batch_open = false;
	if (engine_open(&d->m->vfs, &o, &d->e, err) < 0)
		return -1;
	framer_stream(d->e->framer, d->e->events, &s);
	d->next_event = s.next_record;
	return 0;
}

static void
put(struct driver *d, const uint8_t *stream, uint8_t class, uint64_t number,
    const struct record *r)
{
	static uint64_t last;
	uint8_t bytes[RECORD_MAX];
	struct wal_entry e = {
		.class = class, .number = number, .record = bytes
	};
	uint64_t now = ops_boottime();

	if (!d->batch_open) {
		wal_batch_begin(&d->batch, 0, 0, zero);
		d->batch_open = true;
	}
	last = now > last ? now : last + 1;
	e.arrival = last;
	memcpy(e.stream, stream, OPS_ID_LEN);
	e.len = record_encode(r, bytes);
	wal_batch_add(&d->batch, &e);
	if (d->batch.failed)
		abort();
}

static void
put_event(
    struct driver *d, struct driver_session *s, uint8_t type, struct ops_buf *b)
{
	struct record r = { .type = type,
		.time = s->put_events,
		.payload = b->data,
		.len = b->len };

	if (b->failed)
		abort();
	put(d, d->e->events, CLASS_EVENTS, d->next_event++, &r);
	s->put_events++;
	ops_buf_free(b);
}

struct driver_session *
driver_session(struct driver *d)
{
	struct driver_session *s = &d->s[d->n++];
	struct ops_buf b = { .max = RECORD_PAYLOAD_MAX };
	struct event_open o = { .kind = SESSION_TERMINAL,
		.auid = EVENT_UNSET,
		.ses = EVENT_UNSET };

	if (d->n > DRIVER_SESSIONS)
		abort();
	memset(s, 0, sizeof(*s));
	for (int i = 0; i < OPS_ID_LEN; i++)
		s->id[i] = (uint8_t)memfs_random(&d->seed);
	event_open_put(&b, s->id, &o);
	put_event(d, s, REC_SESSION_OPEN, &b);
	return s;
}

size_t
driver_content(
    const uint8_t *id, uint64_t number, uint8_t out[static RECORD_MAX])
{
	uint64_t seed = ops_getle64(id) ^ number;
	size_t n = memfs_random(&seed) % 3000;

	for (size_t i = 0; i < n; i += 8) {
		uint8_t b[8];

		ops_putle64(b, memfs_random(&seed) & 0xff00ff0000ffffff);
		memcpy(out + i, b, n - i < 8 ? n - i : 8);
	}
	return n;
}

void
driver_output(struct driver *d, struct driver_session *s, unsigned records)
{
	uint8_t bytes[RECORD_MAX];

	while (records-- > 0) {
		struct record r = { .type = REC_OUTPUT,
			.time = s->put,
			.payload = bytes,
			.len = driver_content(s->id, s->put, bytes) };

		put(d, s->id, CLASS_SCREEN, s->put++, &r);
	}
}

void
driver_event(struct driver *d, struct driver_session *s)
{
	struct ops_buf b = { .max = RECORD_PAYLOAD_MAX };
	struct event_gap g = { .bytes = s->put_events };

	event_gap_put(&b, s->id, &g);
	put_event(d, s, REC_GAP_EVENT, &b);
}

void
driver_end(struct driver *d, struct driver_session *s)
{
	struct ops_buf b = { .max = RECORD_PAYLOAD_MAX };
	struct event_close c = {
		.state = CLOSE_CLOSED, .why = CLOSE_EXIT, .records = s->put
	};

	event_close_put(&b, s->id, &c);
	put_event(d, s, REC_SESSION_CLOSE, &b);
	s->closed = true;
}

int
driver_flush(struct driver *d, struct ops_err *err)
{
	size_t at = 0;

	if (!d->batch_open)
		return 0;
	if (engine_batch_end(d->e, &d->batch, err) < 0 ||
	    engine_wal_write(d->e, &d->batch, &d->blocks, err) < 0)
		return -1;
	for (unsigned i = 0; i < d->n; i++) {
		d->s[i].acked = d->s[i].put;
		d->s[i].acked_events = d->s[i].put_events;
	}
	d->batch_open = false;
	return engine_consume(d->e, &d->batch, &at, err);
}

int
driver_seal(struct driver *d, bool final, struct ops_err *err)
{
	return engine_seal(d->e, final, err);
}

static int
look(struct driver *d, const struct expire_rules *rules, struct expire_plan *p,
    struct ops_err *err)
{
	/* No event goes: sessions are open through all of it. */
	struct expire_now now = { .open_since = 0 };
	struct ops_clock c;

	ops_clock_read(&c);
	now.realtime = c.realtime;
	memcpy(now.boot_id, d->boot_id, sizeof(now.boot_id));
	return expire_look(&d->m->vfs, rules, &now, true, p, err);
}

int
driver_expire(struct driver *d, size_t *n, struct ops_err *err)
{
	const struct expire_rules rules = { .keep_screens = 1 };
	struct expire_plan p;
	int rc;

	if (look(d, &rules, &p, err) < 0)
		return -1;
	*n = p.n;
	d->e->stones = calloc(p.n + 1, sizeof(*d->e->stones));
	if (d->e->stones == NULL)
		abort();
	for (size_t i = 0; i < p.n; i++) {
		d->e->stones[d->e->n_stones++] = p.old[i].t;
		for (unsigned k = 0; k < d->n; k++)
			d->s[k].expiring |=
			    memcmp(d->s[k].id, p.old[i].t.stream, OPS_ID_LEN) ==
			    0;
	}
	rc = driver_seal(d, false, err);
	if (rc == 0)
		rc = expire_remove(&d->m->vfs, p.old, p.n, err);
	expire_plan_free(&p);
	return rc;
}

int
driver_expire_rest(struct driver *d, size_t *n, struct ops_err *err)
{
	const struct expire_rules none = { 0 };
	struct expire_plan p;
	int rc;

	if (look(d, &none, &p, err) < 0)
		return -1;
	*n = p.n_left;
	rc = expire_remove(&d->m->vfs, p.left, p.n_left, err);
	expire_plan_free(&p);
	return rc;
}

void
driver_drop(struct driver *d)
{
	engine_free(d->e);
	d->e = NULL;
}

int
driver_close(struct driver *d, struct ops_err *err)
{
	int rc = driver_seal(d, true, err);

	if (rc == 0)
		rc = engine_finish(d->e, err);
	driver_drop(d);
	return rc;
}

void
driver_free(struct driver *d)
{
	driver_drop(d);
	ops_buf_free(&d->batch);
	ops_buf_free(&d->blocks);
}

/* -- reading back -- */

static char why[512];

static const char *
compare_screen(struct store *st, const struct driver_session *s)
{
	struct stream_reader *r;
	struct stream_pos pos;
	struct record rec;
	struct ops_err err = { 0 };
	uint8_t bytes[RECORD_MAX];
	uint64_t n = 0;
	int rc;

	if (stream_open(st, s->id, 0, &r, &err) < 0) {
		if (err.code == OPS_ENOENT && s->acked == 0)
			return NULL;
		snprintf(why, sizeof(why), "stream: %s", err.msg);
		return why;
	}
	why[0] = '\0';
	while ((rc = stream_next(r, &rec, &pos, &err)) != 0) {
		const struct store_frame *f = stream_failed(r);

		if (rc < 0 && s->expiring && f != NULL &&
		    store_expired(st, f) != NULL) {
			n = f->leaf.first + f->leaf.count;
			continue;
		}
		if (rc < 0)
			break;
		if (n >= s->put || pos.number != n || rec.time != n ||
		    rec.len != driver_content(s->id, n, bytes) ||
		    memcmp(rec.payload, bytes, rec.len) != 0) {
			snprintf(why, sizeof(why),
			    "record %" PRIu64 " is not what was put", n);
			break;
		}
		n++;
	}
	stream_free(r);
	if (why[0] != '\0')
		return why;
	if (rc < 0)
		snprintf(
		    why, sizeof(why), "record %" PRIu64 ": %s", n, err.msg);
	else if (n < s->acked)
		snprintf(why, sizeof(why),
		    "%" PRIu64 " records, %" PRIu64 " were acknowledged", n,
		    s->acked);
	return why[0] != '\0' ? why : NULL;
}

struct seen_events {
	const struct driver *d;
	uint64_t n[DRIVER_SESSIONS];
};

static const char *
count_event(struct seen_events *se, const struct record *r)
{
	uint8_t id[OPS_ID_LEN];

	if (body_session(r->payload, r->len, id, NULL) < 0)
		return "an event without a session id";
	for (unsigned i = 0; i < se->d->n; i++) {
		const struct driver_session *s = &se->d->s[i];

		if (memcmp(s->id, id, OPS_ID_LEN) != 0)
			continue;
		if (r->time != se->n[i]++)
			return "events out of order, missing or doubled";
	}
	return NULL;
}

static const char *
compare_events(const struct driver *d, struct store *st)
{
	struct seen_events se = { .d = d };
	const struct store_stream *streams;
	size_t n = store_streams(st, &streams);

	for (size_t i = 0; i < n; i++) {
		struct stream_reader *r;
		struct stream_pos pos;
		struct record rec;
		struct ops_err err = { 0 };
		const char *bad = NULL;
		int rc = 0;

		if (streams[i].class != CLASS_EVENTS)
			continue;
		if (stream_open(st, streams[i].id, 0, &r, &err) < 0)
			return "an events stream can't be opened";
		while (
		    bad == NULL && (rc = stream_next(r, &rec, &pos, &err)) > 0)
			bad = count_event(&se, &rec);
		stream_free(r);
		if (bad != NULL)
			return bad;
		if (rc < 0) {
			snprintf(why, sizeof(why), "events: %s", err.msg);
			return why;
		}
	}
	for (unsigned i = 0; i < d->n; i++) {
		if (se.n[i] < d->s[i].acked_events)
			return "an acknowledged event is missing";
	}
	return NULL;
}

const char *
driver_compare(const struct driver *d, struct memfs *m)
{
	struct ops_err err = { 0 };
	const char *bad = NULL;
	struct store *st;

	if (store_open(&m->vfs, 0, &st, &err) < 0) {
		snprintf(why, sizeof(why), "store: %s", err.msg);
		return why;
	}
	for (unsigned i = 0; bad == NULL && i < d->n; i++)
		bad = compare_screen(st, &d->s[i]);
	if (bad == NULL)
		bad = compare_events(d, st);
	store_free(st);
	return bad;
}

struct findings {
	char first[512];
};

static void
found(void *arg, const struct finding *f)
{
	struct findings *fs = arg;

	if (finding_fails(f->kind) && fs->first[0] == '\0')
		snprintf(fs->first, sizeof(fs->first), "%s %s: %s",
		    finding_name(f->kind), f->where, f->detail);
}

const char *
driver_check(struct memfs *m, bool quick, uint64_t *explained)
{
	static struct findings fs;
	struct check_opts o = {
		.quick = quick, .threads = 1, .found = found, .arg = &fs
	};
	struct check_result r = { 0 };
	struct ops_err err = { 0 };

	fs.first[0] = '\0';
	if (check_store(&m->vfs, &o, &r, &err) < 0) {
		snprintf(
		    fs.first, sizeof(fs.first), "not checked: %s", err.msg);
		return fs.first;
	}
	if (explained != NULL)
		*explained = r.explained;
	if (r.fails > 0 && fs.first[0] == '\0')
		return "fails without a finding";
	return fs.first[0] != '\0' ? fs.first : NULL;
}
