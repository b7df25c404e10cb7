#include "events.h"

#include "record/record.h"
#include "store_work.h"

struct walk {
	struct store *s;
	events_take *take;
	void *arg;
	uint64_t missing;
};

/* 1: it was taken, or passed over.  0: that was all.  -1: err. */
static int
take_next(struct walk *w, struct stream_reader *in, const uint8_t *boot,
    struct ops_err *err)
{
	const struct store_frame *f;
	struct ops_err why = { 0 };
	struct stream_pos pos;
	struct record rec;
	int rc = stream_next(in, &rec, &pos, &why);

	if (rc < 0 && why.code == OPS_ENOMEM)
		return ops_fail(err, OPS_ENOMEM, "%s", why.msg);
	if (rc < 0) {
		f = stream_failed(in);
		w->missing += f == NULL || store_expired(w->s, f) == NULL;
		return 1;
	}
	if (rc == 0 || (rec.flags & RECORD_PART) != 0)
		return rc;
	return w->take(w->arg, &rec, &pos, boot, err) < 0 ? -1 : 1;
}

static int
read_stream(
    struct walk *w, const struct store_stream *stream, struct ops_err *err)
{
	const struct history_stream *h = history_find(&w->s->h, stream->id);
	struct stream_reader *in;
	int rc;

	if (stream_open(w->s, stream->id, 0, &in, err) < 0)
		return -1;
	do
		rc = take_next(
		    w, in, h != NULL && h->has_boot ? h->boot_id : NULL, err);
	while (rc > 0);
	stream_free(in);
	return rc;
}

int
events_walk(struct store *s, events_take *take, void *arg, uint64_t *missing,
    struct ops_err *err)
{
	struct walk w = { .s = s, .take = take, .arg = arg };
	const struct store_stream *stream;
	size_t n = store_streams(s, &stream);

	for (size_t i = 0; i < n; i++)
		if (stream[i].class == CLASS_EVENTS &&
		    read_stream(&w, &stream[i], err) < 0)
			return -1;
	if (missing != NULL)
		*missing += w.missing;
	return 0;
}
