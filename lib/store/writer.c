#include "writer.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "writer_work.h"

/* -- open and close -- */

struct copy {
	struct writer *w;
	bool failed;
};

static void
copy_stream(void *arg, const struct framer_stream *s)
{
	struct copy *c = arg;
	struct stream *k = streamtab_get(c->w->known, s->id, s->class);

	if (k == NULL) {
		c->failed = true;
		return;
	}
	k->pub = *s;
	c->w->open += s->opened && !s->closing;
}

static void
free_writer(struct writer *w)
{
	engine_free(w->e);
	batches_free(&w->queue);
	batches_free(&w->durable);
	batches_free(&w->pool);
	streamtab_free(w->known);
	ops_buf_free(&w->note);
	free(w->stones);
	pthread_cond_destroy(&w->expire_cv);
	pthread_mutex_destroy(&w->lock);
	pthread_cond_destroy(&w->sync_cv);
	pthread_cond_destroy(&w->frame_cv);
	free(w);
}

static void
init_locks(struct writer *w)
{
	pthread_condattr_t ca;

	pthread_mutex_init(&w->lock, NULL);
	pthread_condattr_init(&ca);
	pthread_condattr_setclock(&ca, CLOCK_MONOTONIC);
	pthread_cond_init(&w->sync_cv, &ca);
	pthread_cond_init(&w->frame_cv, &ca);
	pthread_cond_init(&w->expire_cv, &ca);
	pthread_condattr_destroy(&ca);
}

/* What the framer knows after recovery is what the callers' side begins with. */
static int
copy_state(struct writer *w, struct ops_err *err)
{
	struct copy c = { w, false };
	struct framer_stream ev = { 0 };

	framer_each(w->e->framer, copy_stream, &c);
	if (c.failed)
		return ops_fail(err, OPS_ENOMEM, "writer: no memory");
	streamtab_settle(w->known);
	framer_stream(w->e->framer, w->e->events, &ev);
	w->next_event = ev.next_record;
	memcpy(w->gone, w->e->closed, sizeof(w->gone));
	w->n_gone = w->e->n_closed;
	w->last_arrival = w->e->until;
	w->sealed_size = w->e->log->sealed;
	ops_buf_put(&w->note, w->e->log->note.data, w->e->log->note.len);
	return ops_buf_check(&w->note, "writer", err);
}

static int
start_threads(struct writer *w, struct ops_err *err)
{
	int rc = pthread_create(&w->sync_thread, NULL, writer_sync_main, w);

	if (rc == 0) {
		w->sync_running = true;
		rc = pthread_create(
		    &w->frame_thread, NULL, writer_frame_main, w);
		w->frame_running = rc == 0;
	}
	if (rc != 0) {
		errno = rc;
		return ops_fail_errno(err, "writer: thread");
	}
	return 0;
}

int
writer_open(struct vfs *v, const struct writer_opts *o, struct writer **ret,
    struct ops_err *err)
{
	const struct engine_opts eo = { .machine_id = o->machine_id,
		.resume_every = o->resume_every };
	struct engine_opts opts = eo;
	struct writer *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return ops_fail(err, OPS_ENOMEM, "writer: no memory");
	memcpy(opts.boot_id, o->boot_id, sizeof(opts.boot_id));
	init_locks(w);
	batches_init(&w->queue);
	batches_init(&w->durable);
	batches_init(&w->pool);
	w->seal_after = o->seal_after != 0 ? o->seal_after : SEC;
	w->seal_idle = o->seal_idle != 0 ? o->seal_idle : 60 * SEC;
	w->wake = o->wake;
	w->arg = o->arg;
	w->note.max = NOTE_MAX;
	w->since = ops_boottime();
	w->sync_wants = UINT64_MAX;
	w->known = streamtab_new();
	if (w->known == NULL)
		ops_fail(err, OPS_ENOMEM, "writer: no memory");
	if (w->known == NULL || engine_open(v, &opts, &w->e, err) < 0 ||
	    copy_state(w, err) < 0 || start_threads(w, err) < 0 ||
	    writer_say_started(w, o->note, err) < 0) {
		if (w->sync_running)
			writer_close(w, NULL);
		else
			free_writer(w);
		return -1;
	}
	*ret = w;
	return 0;
}

int
writer_close(struct writer *w, struct ops_err *err)
{
	void *sealed = NULL;
	int rc = 0;

	pthread_mutex_lock(&w->lock);
	writer_say_stopped(w);
	w->stop = true;
	pthread_cond_broadcast(&w->sync_cv);
	pthread_cond_broadcast(&w->frame_cv);
	pthread_cond_broadcast(&w->expire_cv);
	pthread_mutex_unlock(&w->lock);
	if (w->expire_running)
		pthread_join(w->expire_thread, NULL);
	pthread_join(w->sync_thread, NULL);
	if (w->frame_running)
		pthread_join(w->frame_thread, &sealed);
	if (sealed == NULL)
		rc =
		    ops_fail(err, OPS_EIO, "the final seal was not written: %s",
			w->failed[FRAME_SIDE] ? w->reason[FRAME_SIDE]
					      : w->reason[SYNC_SIDE]);
	else
		rc = engine_finish(w->e, err);
	free_writer(w);
	return rc;
}

/* -- asking -- */

static void
describe(const struct stream *s, struct writer_session *ret)
{
	ret->known = s->pub.opened;
	ret->closed = s->pub.closing;
	ret->next_record = s->pub.next_record;
	ret->next_event = s->pub.recorder_events;
	ret->recorder_pid = s->pub.recorder_pid;
	ret->recorder_start = s->pub.recorder_start;
	ret->imported = s->pub.imported;
	ret->auid = s->pub.auid;
	ret->charge = s->pub.charge;
}

void
writer_session(struct writer *w, const uint8_t id[static OPS_ID_LEN],
    struct writer_session *ret)
{
	const struct stream *s;

	memset(ret, 0, sizeof(*ret));
	pthread_mutex_lock(&w->lock);
	s = streamtab_find(w->known, id);
	if (s != NULL)
		describe(s, ret);
	else if (writer_is_gone(w, id))
		ret->known = ret->closed = true;
	pthread_mutex_unlock(&w->lock);
}

struct each_open {
	void (*fn)(
	    void *arg, const uint8_t *id, const struct writer_session *s);
	void *arg;
};

static void
tell_open(void *arg, struct stream *s)
{
	struct each_open *e = arg;
	struct writer_session ws;

	if (!s->pub.opened || s->pub.closing)
		return;
	describe(s, &ws);
	e->fn(e->arg, s->pub.id, &ws);
}

void
writer_open_sessions(struct writer *w,
    void (*fn)(void *arg, const uint8_t *id, const struct writer_session *s),
    void *arg)
{
	struct each_open e = { fn, arg };

	pthread_mutex_lock(&w->lock);
	streamtab_each(w->known, tell_open, &e);
	pthread_mutex_unlock(&w->lock);
}

void
writer_status(struct writer *w, struct writer_status *ret)
{
	enum side side;

	memset(ret, 0, sizeof(*ret));
	pthread_mutex_lock(&w->lock);
	side = w->failed[SYNC_SIDE] ? SYNC_SIDE : FRAME_SIDE;
	if (w->failed[side]) {
		ret->state = WRITER_FAILED;
		memcpy(ret->reason, w->reason[side], sizeof(ret->reason));
	}
	ret->since = w->since;
	ret->records = w->records;
	ret->bytes = w->bytes;
	ret->queued = w->waiting;
	ret->unsealed = w->unsealed + w->sync_unframed;
	ret->lag = w->oldest != 0 ? ops_boottime() - w->oldest : 0;
	ret->sessions = w->open;
	ret->sealed_size = w->sealed_size;
	ret->log = w->e->log->n;
	ret->stored = w->stored;
	latency_percentiles(
	    &w->durable_time, &ret->durable_p50, &ret->durable_p99);
	latency_percentiles(
	    &w->sealed_time, &ret->sealed_p50, &ret->sealed_p99);
	pthread_mutex_unlock(&w->lock);
}

uint64_t
writer_to_write(struct writer *w)
{
	uint64_t n;

	pthread_mutex_lock(&w->lock);
	/* What isn't durable goes to the WAL, and after that into a frame. */
	n = w->waiting + w->in_flight + w->unwritten;
	pthread_mutex_unlock(&w->lock);
	return n;
}

void
writer_seal_soon(struct writer *w)
{
	pthread_mutex_lock(&w->lock);
	w->seal_soon = true;
	pthread_cond_signal(&w->frame_cv);
	pthread_mutex_unlock(&w->lock);
}

void
writer_set_seal_after(struct writer *w, uint64_t ns)
{
	pthread_mutex_lock(&w->lock);
	w->seal_after = ns;
	pthread_cond_signal(&w->frame_cv);
	pthread_mutex_unlock(&w->lock);
}

void
writer_secret(const struct writer *w, const char *purpose,
    uint8_t ret[static WRITER_SECRET])
{
	uint8_t text[128], sig[OPS_SIG_LEN];
	int n =
	    snprintf((char *)text, sizeof(text), "opseal secret: %s", purpose);

	assert(n > 0 && (size_t)n < sizeof(text));
	/* No newline: it can't be the text of a checkpoint.  Ed25519 signs the
	 * same each time (RFC 8032). */
	ops_signer_sign(w->e->log->signer, text, (size_t)n, sig);
	ops_sha256(sig, sizeof(sig), ret);
	ops_wipe(sig, sizeof(sig));
}

int
writer_checkpoint(struct writer *w, struct ops_buf *note, struct ops_buf *vkey,
    uint64_t *size, struct ops_err *err)
{
	pthread_mutex_lock(&w->lock);
	ops_buf_put(note, w->note.data, w->note.len);
	*size = w->sealed_size;
	pthread_mutex_unlock(&w->lock);
	/* The key does not change while the writer is open. */
	note_vkey_put(&w->e->log->key, vkey);
	if (ops_buf_check(note, "checkpoint", err) < 0)
		return -1;
	return ops_buf_check(vkey, "vkey", err);
}
