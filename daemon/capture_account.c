#include "capture_account.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "record/record.h"

#define SECOND UINT64_C(1000000000)
#define COUNT_EVERY (10 * SECOND) /* a REC_COVERAGE, if nothing is missed */
#define LATE (10 * SECOND)        /* an end without a record has none */
#define LAST_EVERY (SECOND / 100) /* looks at what is left at the end */

int
capture_account_open(struct capture_account *c, const char *run,
    uint32_t parent, struct ops_err *err)
{
	struct ops_clock now;

	ops_clock_read(&now);
	*c = (struct capture_account){ .file = { -1, -1, 0, 0, 0, 0 },
		.parent = parent,
		.due = UINT64_MAX };
	if (account_file_open(run, &c->file, err) < 0) {
		(void)snprintf(c->state, sizeof(c->state), "off");
		return 0;
	}
	c->ends = account_new(&now);
	if (c->ends == NULL)
		return ops_fail(err, OPS_ENOMEM, "accounting: no memory");
	account_file_forget(&c->file, 0); /* opens the first */
	account_file_state(&c->file, c->state);
	c->counts.from = now.boottime;
	c->due = now.boottime + CAPTURE_ACCOUNT_EVERY;
	return 0;
}

void
capture_account_close(struct capture_account *c)
{
	account_free(c->ends);
	account_file_close(&c->file);
	c->ends = NULL;
}

void
capture_account_ended(struct capture_account *c, const struct cap_exit *e)
{
	/* Of another pid namespace the kernel tells us nothing. */
	if (c->ends == NULL || c->file.fd < 0 || e->own_pid == 0)
		return;
	c->counts.captured++;
	account_captured(c->ends, e->own_pid, e->head.start, e->head.time);
}

/* When a file is changed or closed the kernel writes a record of who does that,
 * the supervisor, as if it had ended. */
void
capture_account_read(struct capture_account *c)
{
	struct acct_record r;
	int rc;

	if (c->ends == NULL)
		return;
	c->caught_up = false;
	while (account_waiting(c->ends) < ACCOUNT_RECORDS_MAX) {
		rc = account_file_next(&c->file, &r, NULL);
		if (rc == 0) {
			c->caught_up = account_file_is_last(&c->file);
			break;
		}
		if (rc < 0) {
			c->counts.bad++;
			continue;
		}
		if (r.pid == c->parent)
			continue;
		c->counts.accounted++;
		(void)account_take(c->ends, &r, ops_boottime()); /* room */
	}
}

static void
fill(struct capture_account *c, const struct acct_record *r,
    enum account_word word, uint64_t end)
{
	memcpy(c->comm, r->comm, sizeof(c->comm));
	c->record = acct_accounted(r);
	c->record.unsure = word == ACCOUNT_UNSURE;
	c->record.comm.p = (const uint8_t *)c->comm; /* it outlives r */
	c->record_time = end;
	c->waits = true;
}

/* False: no room. */
static bool
put_waiting(struct capture_account *c, const struct capture_sink *sink)
{
	struct ops_buf b = { .max = RECORD_PAYLOAD_MAX };
	bool rc;

	if (!c->waits)
		return true;
	program_accounted_put(&b, &c->record);
	rc = !b.failed &&
	     sink->put(sink->arg, REC_ACCOUNTED, c->record_time, b.data, b.len);
	ops_buf_free(&b);
	if (!rc)
		return false;
	c->counts.missed += !c->record.unsure;
	c->counts.unsure += c->record.unsure;
	c->waits = false;
	account_file_done(&c->file, false);
	return true;
}

/* As long as records are to come, or wait, one may be of the oldest end. */
static void
forget(struct capture_account *c, uint64_t now, uint64_t told)
{
	uint64_t upto = now < told ? now : told;

	if (c->caught_up && capture_account_idle(c))
		c->counts.unaccounted +=
		    account_forget(c->ends, upto > LATE ? upto - LATE : 0);
}

/* False: no room. */
static bool
put_counts(struct capture_account *c, uint64_t now, bool last,
    const struct capture_sink *sink)
{
	struct program_coverage *n = &c->counts;
	struct ops_buf b = { .max = RECORD_PAYLOAD_MAX };
	bool rc;

	if (n->captured + n->accounted + n->unaccounted + n->bad == 0 ||
	    (now - n->from < COUNT_EVERY && n->missed + n->unsure == 0 &&
		!last))
		return true;
	n->until = now;
	program_coverage_put(&b, n);
	rc =
	    !b.failed && sink->put(sink->arg, REC_COVERAGE, now, b.data, b.len);
	if (rc)
		*n = (struct program_coverage){ .from = now };
	ops_buf_free(&b);
	return rc;
}

bool
capture_account_put(struct capture_account *c, uint64_t now, uint64_t told,
    const struct capture_sink *sink)
{
	char state[ACCOUNT_STATE_MAX];
	struct acct_record r;
	struct ops_clock clock;
	enum account_word word;
	uint64_t end;
	bool changed;

	if (c->ends == NULL)
		return false;
	c->due = now + CAPTURE_ACCOUNT_EVERY;
	ops_clock_read(&clock);
	account_clock(c->ends, &clock);
	while (put_waiting(c, sink) &&
	       (word = account_next(c->ends, told, &r, &end)) != ACCOUNT_WAIT)
		if (word == ACCOUNT_BOTH)
			account_file_done(&c->file, false);
		else
			fill(c, &r, word, end);
	if (capture_account_idle(c))
		account_file_done(&c->file, true);
	forget(c, now, told);
	(void)put_counts(c, now, false, sink);
	account_file_state(&c->file, state);
	changed = strcmp(state, c->state) != 0;
	memcpy(c->state, state, sizeof(c->state));
	return changed;
}

bool
capture_account_end(
    struct capture_account *c, uint64_t now, const struct capture_sink *sink)
{
	if (c->ends == NULL)
		return true;
	(void)capture_account_put(c, now, UINT64_MAX, sink);
	if (c->caught_up && capture_account_idle(c) &&
	    put_counts(c, now, true, sink)) {
		c->due = UINT64_MAX;
		return true;
	}
	/* Another file, more records than are held at a time, or no room. */
	c->due = now + LAST_EVERY;
	return false;
}

void
capture_account_safe(
    struct capture_account *c, uint64_t head, uint64_t tail, bool look)
{
	uint64_t number = c->file.number;

	if (c->ends == NULL)
		return;
	if (!c->marked || head == tail) {
		c->marked = c->file.done > c->file.zeroed;
		c->mark = tail;
		c->pending = c->file.done;
	}
	if (c->marked ? head < c->mark : !look)
		return;
	account_file_forget(&c->file, c->marked ? c->pending : 0);
	c->marked = false;
	if (c->file.number != number && c->due != UINT64_MAX)
		c->due = 0; /* read it at once */
}

void
capture_account_anew(struct capture_account *c)
{
	c->marked = false;
}

bool
capture_account_idle(const struct capture_account *c)
{
	return c->ends == NULL || (!c->waits && account_waiting(c->ends) == 0);
}
