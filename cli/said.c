#include "said.h"

#include <inttypes.h>

#include "base/clock.h"
#include "describe.h"

static uint64_t
offset_of(const struct session *s, const struct remark_seen *r)
{
	return r->time > s->start_boottime ? r->time - s->start_boottime : 0;
}

const struct remark_seen *
said_next(struct said *x, uint64_t until, uint64_t *offset)
{
	if (x->next >= x->l->n)
		return NULL;
	*offset = offset_of(x->s, &x->l->r[x->next]);
	return *offset <= until ? &x->l->r[x->next++] : NULL;
}

void
said_put(
    struct ops_buf *out, const struct session *s, const struct remark_seen *r)
{
	if (r->r.text.p == NULL) {
		ops_buf_puts(out, "asked for a reason: none was given");
		return;
	}
	ops_buf_puts(out, r->r.kind == REMARK_REASON ? "reason" : "note");
	if (r->r.uid != s->open.uid)
		ops_buf_printf(out, " by uid %" PRIu32, r->r.uid);
	ops_buf_puts(out, " (claimed): ");
	describe_text(out, &r->r.text);
}

void
said_json(
    const struct session *s, const struct remark_seen *r, struct ops_buf *out)
{
	struct json j = { .out = out };
	char time[OPS_TIME_TEXT];
	uint64_t offset = offset_of(s, r);

	ops_time_rfc3339(s->start + offset, true, time);
	json_begin_object(&j);
	json_key(&j, "session");
	json_str(&j, s->id_text);
	json_key(&j, "time");
	json_str(&j, time);
	json_key(&j, "offset");
	json_seconds(&j, offset);
	json_key(&j, "type");
	json_str(&j, r->r.kind == REMARK_REASON ? "reason" : "note");
	json_key(&j, "sealed");
	json_bool(&j, r->sealed);
	describe_json_id(&j, "uid", r->r.uid);
	describe_json_id(&j, "auid", r->r.auid);
	describe_json_number(&j, "pid", r->r.pid);
	if (r->r.text.p != NULL) {
		json_text_bytes(&j, "text", r->r.text.p, r->r.text.n);
	} else {
		json_key(&j, "text");
		json_nil(&j);
	}
	json_end_object(&j);
	ops_buf_put8(out, '\n');
}
