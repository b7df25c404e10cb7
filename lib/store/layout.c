#include "layout.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "framer.h"

static struct layout_segment *
begin(struct layout_segment *seg, const struct history_stream *s, size_t i,
    const char *day, uint32_t number)
{
	memset(seg, 0, sizeof(*seg));
	memcpy(seg->day, day, 10);
	seg->number = number;
	seg->first_frame = s->frame[i].leaf.number;
	seg->first = i;
	seg->len = SEGMENT_HEADER;
	segment_path(s->class, seg->day, s->id, number, seg->path);
	return seg;
}

int
layout_segments(const struct history *h, const struct history_stream *s,
    struct layout_segment **ret, size_t *ret_n, struct ops_err *err)
{
	const struct history_mark *last = NULL;
	struct layout_segment *seg = NULL, *at = NULL;
	size_t n = 0, cap = 0;
	size_t run = SIZE_MAX;
	char day[11] = "";

	for (size_t i = 0; i < s->n; i++) {
		const struct store_frame *f = &s->frame[i];
		const struct history_mark *m =
		    history_mark_before(h, f->log, f->index);
		size_t r = m == NULL ? SIZE_MAX : m->run;

		if (m != NULL && m != last)
			ops_time_day(m->realtime, day);
		if (at == NULL || r != run || strcmp(at->day, day) != 0 ||
		    at->len + f->leaf.stored_len > SEGMENT_MAX) {
			if (!history_grow(&seg, n, &cap, sizeof(*seg))) {
				free(seg);
				return ops_fail(
				    err, OPS_ENOMEM, "segments: no memory");
			}
			at = begin(&seg[n], s, i, day, (uint32_t)n);
			n++;
		}
		run = r;
		last = m;
		at->n++;
		at->len += f->leaf.stored_len;
	}
	*ret = seg;
	*ret_n = n;
	return 0;
}
