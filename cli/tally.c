#include "tally.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "describe.h"
#include "fate.h"
#include "losses.h"
#include "programs.h"
#include "store/switches.h"

#define TALLY_MAX (64u << 20)

/* No command, but why one may not be here: not all was captured between some time and
 * then, or recording was switched. */
static void
put_why(struct tally *t, const struct program *p, const char *at)
{
	struct ops_buf line = { .max = 4096 };

	programs_command(p, &line);
	ops_buf_printf(&t->timeline, "%*s  %.*s%s\n", TALLY_LABEL, at,
	    (int)line.len, (const char *)line.data,
	    p->sealed ? "" : "  (not sealed yet)");
	ops_buf_free(&line);
}

static void
put_command(struct tally *t, const struct program *p, uint64_t offset)
{
	struct ops_buf line = { .max = 4096 };
	char at[24], how[32], place[PROGRAMS_PLACE];
	enum fate fate = fate_of(p);

	ops_offset_text(offset, at);
	if (program_of_nobody(p)) {
		put_why(t, p, at);
		return;
	}
	programs_command(p, &line);
	programs_exit(p, how);
	ops_buf_printf(&t->timeline, "%*s  ", TALLY_LABEL, at);
	/* Another session's number is of no use without it. */
	if (memcmp(p->session, t->s->id, OPS_ID_LEN) != 0) {
		programs_place(p, place);
		ops_buf_printf(&t->timeline, "%s ", place);
	} else if (p->number > 0) {
		ops_buf_printf(&t->timeline, ":%" PRIu32 " ", p->number);
	}
	ops_buf_printf(&t->timeline, "%.*s%s  (%s%s)%s\n", (int)line.len,
	    (const char *)line.data, line.failed ? "..." : "",
	    fate == FATE_ENDED ? "exit " : "",
	    fate == FATE_REPLACED  ? "became another"
	    : fate == FATE_RUNS    ? "goes on"
	    : fate == FATE_PENDING ? "just ended"
	    : fate == FATE_UNKNOWN ? "its end is not in the log"
				   : how,
	    p->sealed ? "" : "  (not sealed yet)");
	ops_buf_free(&line);
}

/* A comma, unless it is the first; what is added then, without its newline. */
static void
begin_json(struct tally *t)
{
	if (t->json.len > 0)
		ops_buf_put8(&t->json, ',');
}

static void
end_json(struct tally *t)
{
	if (!t->json.failed)
		t->json.len--;
}

static void
put_switched_json(struct tally *t, const struct program *p, uint64_t offset)
{
	struct json j = { .out = &t->json };
	char time[OPS_TIME_TEXT];

	begin_json(t);
	ops_time_rfc3339(t->s->start + offset, true, time);
	json_begin_object(&j);
	json_key(&j, "session");
	json_str(&j, t->s->id_text);
	json_key(&j, "time");
	json_str(&j, time);
	json_key(&j, "offset");
	json_seconds(&j, offset);
	json_key(&j, "type");
	json_str(&j, p->switched->e.what == DAEMON_OFF ? "off" : "on");
	json_key(&j, "sealed");
	json_bool(&j, p->sealed);
	programs_switched_json(&j, p->switched);
	json_end_object(&j);
}

/* Those that were said until then. */
static void
put_notes(struct tally *t, uint64_t until)
{
	const struct remark_seen *r;
	uint64_t offset;
	char at[24];

	while ((r = said_next(&t->said, until, &offset)) != NULL) {
		if (offset < t->from)
			continue;
		ops_offset_text(offset, at);
		ops_buf_printf(&t->timeline, "%*s  ", TALLY_LABEL, at);
		said_put(&t->timeline, t->s, r);
		ops_buf_puts(
		    &t->timeline, r->sealed ? "\n" : "  (not sealed yet)\n");
		begin_json(t);
		said_json(t->s, r, &t->json);
		end_json(t);
	}
}

/* Those that began before then, with what was said between them. */
static void
put_commands(struct tally *t, uint64_t until)
{
	const struct program_list *l = t->programs;

	for (; t->next < l->n; t->next++) {
		const struct program *p = &l->p[t->next];
		uint64_t offset = losses_offset(p, t->s);

		if (offset >= until)
			break;
		put_notes(t, offset);
		if (offset < t->from)
			continue;
		put_command(t, p, offset);
		if (p->kind == PROGRAM_SWITCHED)
			put_switched_json(t, p, offset);
	}
	put_notes(t, until);
}

static void
take_record(
    struct tally *t, const struct session *s, const struct screen_record *r)
{
	struct ops_buf line = { .max = 4096 };
	char at[24];

	put_commands(t, r->offset);
	t->records++;
	if (!r->sealed)
		t->unsealed++;
	if (r->rec.type == REC_OUTPUT) {
		t->output += r->rec.len;
	} else if (r->rec.type == REC_INPUT) {
		t->input += r->rec.len;
	} else if (r->offset >= t->from && describe_record(r, &line)) {
		ops_offset_text(r->offset, at);
		ops_buf_printf(&t->timeline, "%*s  %.*s%s\n", TALLY_LABEL, at,
		    (int)line.len, (const char *)line.data,
		    r->sealed ? "" : "  (not sealed yet)");
		begin_json(t);
		describe_record_json(s, r, &t->json);
		end_json(t);
	}
	ops_buf_free(&line);
}

static void
take_hole(struct tally *t, const struct screen_hole *h)
{
	if (h->expired != NULL) {
		t->gone += h->to - h->from;
		t->rule = h->expired;
		return;
	}
	if (t->missing > 0)
		ops_buf_puts(&t->holes, ", ");
	if (h->to - h->from == 1)
		ops_buf_printf(&t->holes, "record %" PRIu64, h->from);
	else
		ops_buf_printf(&t->holes, "records %" PRIu64 " to %" PRIu64,
		    h->from, h->to - 1);
	t->missing += h->to - h->from;
}

int
tally_read(const struct session *s, struct screen *sc, uint64_t from,
    const struct program_list *programs, const struct remark_list *notes,
    struct tally *ret, struct ops_err *err)
{
	struct tally t = { .timeline.max = TALLY_MAX,
		.json.max = TALLY_MAX,
		.holes.max = TALLY_MAX,
		.from = from,
		.s = s,
		.programs = programs,
		.said = { s, notes, 0 } };
	struct screen_hole hole;
	struct screen_record r;

	for (size_t i = 0; i < programs->n; i++)
		t.commands += !program_of_nobody(&programs->p[i]);
	for (;;) {
		bool more = screen_next_noted(sc, &r);

		if (screen_take_hole(sc, &hole))
			take_hole(&t, &hole);
		if (!more)
			break;
		take_record(&t, s, &r);
	}
	put_commands(&t, UINT64_MAX);
	*ret = t;
	return ops_buf_check(&ret->timeline, "timeline", err) < 0 ||
		       ops_buf_check(&ret->json, "timeline", err) < 0
		   ? -1
		   : 0;
}

void
tally_free(struct tally *t)
{
	ops_buf_free(&t->timeline);
	ops_buf_free(&t->json);
	ops_buf_free(&t->holes);
}
