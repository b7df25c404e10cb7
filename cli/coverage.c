#include "coverage.h"

#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/json.h"
#include "cli.h"
#include "describe.h"
#include "programs.h"
#include "source.h"
#include "table.h"
#include "unseen.h"

#define OUT_MAX (1u << 30)
#define ACCOUNTING                                                             \
	"; accounting " /* in what capture says of itself, its state */

/* clang-format off */
static const struct table_column columns[] = {
	{ "TIME",     false, 0, 0,  0 },
	{ "USER",     false, 0, 16, 0 },
	{ "PID",      true,  1, 0,  0 },
	{ "EXIT",     true,  0, 0,  0 },
	{ "DURATION", true,  2, 0,  0 },
	{ "COMMAND",  false, 0, 60, 16 },
};
/* clang-format on */

/* All of the list together.  Missed are those that stand in it: who may see
 * only his own is told of no others. */
struct sums {
	struct program_coverage all;           /* from, until: CLOCK_REALTIME */
	uint64_t counts, missed, losses, away; /* away: of the losses */
	bool of_all;                           /* not of a time alone */
};

static void
add_up(const struct program_list *l, struct sums *ret)
{
	for (size_t i = 0; i < l->n; i++) {
		const struct program *p = &l->p[i];
		const struct program_coverage *c = &p->coverage;
		uint64_t ran = c->until - c->from;

		ret->missed += p->kind == PROGRAM_ACCOUNTED;
		ret->losses += p->kind == PROGRAM_LOST;
		ret->away +=
		    p->kind == PROGRAM_LOST && !program_lost_counted(p);
		if (p->kind != PROGRAM_COVERAGE)
			continue;
		if (ret->counts++ == 0)
			ret->all.from = p->time > ran ? p->time - ran : 0;
		ret->all.until = p->time;
		ret->all.captured += c->captured;
		ret->all.accounted += c->accounted;
		ret->all.unaccounted += c->unaccounted;
		ret->all.bad += c->bad;
	}
}

/* -- as JSON -- */

static void
put_sums_json(const struct cli *cli, const struct sums *s, struct ops_buf *out)
{
	const struct {
		const char *key;
		uint64_t value;
	} numbers[] = {
		{ "captured", s->all.captured },
		{ "accounted", s->all.accounted },
		{ "missed", s->missed },
		{ "unaccounted", s->all.unaccounted },
		{ "bad", s->all.bad },
		{ "losses", s->losses },
	};
	char text[OPS_TIME_TEXT];
	struct json j = { .out = out };

	json_begin_object(&j);
	json_key(&j, "kind");
	json_str(&j, "sum");
	json_key(&j, "since");
	ops_time_rfc3339(s->all.from, cli->global.utc, text);
	json_str(&j, s->counts > 0 ? text : NULL);
	json_key(&j, "until");
	ops_time_rfc3339(s->all.until, cli->global.utc, text);
	json_str(&j, s->counts > 0 ? text : NULL);
	for (size_t i = 0; i < OPS_ARRAY_LEN(numbers); i++)
		describe_json_number(&j, numbers[i].key, numbers[i].value);
	json_end_object(&j);
	ops_buf_put8(out, '\n');
}

static void
print_json(const struct cli *cli, const struct program_list *l,
    const struct sums *s, const struct unseen *u)
{
	struct ops_buf out = { .max = OUT_MAX };

	put_sums_json(cli, s, &out);
	for (size_t i = 0; i < l->n; i++) {
		if (l->p[i].kind == PROGRAM_COVERAGE)
			continue;
		programs_json(&l->p[i], cli->global.utc, &out);
		ops_buf_put8(&out, '\n');
	}
	unseen_put_json(cli, u, &out);
	cli_put(&out);
	ops_buf_free(&out);
}

/* -- as text -- */

/* Is the kernel's accounting on, as far as the state of capture tells: it says so
 * wherever it is wanted, unless its text had to be cut. */
static void
put_accounting(const struct proto_status *s, struct ops_buf *out)
{
	const struct event_text *all = &s->capture_text;
	const uint8_t *at =
	    all->n > 0 ? memmem(all->p, all->n, ACCOUNTING, strlen(ACCOUNTING))
		       : NULL;
	struct event_text state = { 0 };
	const uint8_t *next;

	if (s->off_since != 0) {
		ops_buf_puts(out, ": recording is switched off");
	} else if (at != NULL) {
		state.p = at + strlen(ACCOUNTING);
		state.n = all->n - (size_t)(state.p - all->p);
		next = memmem(state.p, state.n, "; ", 2);
		if (next != NULL)
			state.n = (size_t)(next - state.p);
		ops_buf_puts(out, "; accounting is ");
		describe_text(out, &state);
	} else if (all->n < PROTO_CAPTURE_TEXT) {
		ops_buf_puts(out,
		    ": accounting isn't on; \"accounting = on\" in "
		    "opseal.conf(5) switches it on as opseald starts");
	}
}

/* Nothing was compared; of all that the log holds, why not, as far as the daemon
 * tells. */
static void
put_never(struct cli *cli, bool of_all, struct ops_buf *out)
{
	struct ops_buf answer = { .max = 1u << 20 };
	struct proto_status s;

	ops_buf_puts(out, "since       never: nothing was compared ");
	ops_buf_puts(out, of_all ? "yet" : "in that time");
	if (of_all && source_status(cli->source, &answer, &s, NULL) == 0)
		put_accounting(&s, out);
	ops_buf_puts(out, "\n");
	ops_buf_free(&answer);
}

static void
put_sums(struct cli *cli, const struct sums *s, struct ops_buf *out)
{
	const struct program_coverage *c = &s->all;
	char from[OPS_TIME_TEXT], until[OPS_TIME_TEXT];

	ops_time_short(c->from, cli->global.utc, from);
	ops_time_short(c->until, cli->global.utc, until);
	if (s->counts == 0)
		put_never(cli, s->of_all, out);
	else
		ops_buf_printf(out, "since       %s, until %s\n", from, until);
	ops_buf_printf(out,
	    "captured    %" PRIu64 " ends of processes\n"
	    "accounted   %" PRIu64 " by the kernel's accounting\n"
	    "missed      %" PRIu64 " by capture\n",
	    c->captured, c->accounted, s->missed);
	if (c->unaccounted > 0)
		ops_buf_printf(out,
		    "unaccounted %" PRIu64 " by capture alone: accounting was "
		    "off, or paused for want of space\n",
		    c->unaccounted);
	if (c->bad > 0)
		ops_buf_printf(out,
		    "unreadable  %" PRIu64 " records of the accounting\n",
		    c->bad);
	ops_buf_printf(out,
	    "losses      %" PRIu64
	    " times that capture itself counted, %" PRIu64
	    " that it did not run\n",
	    s->losses - s->away, s->away);
}

static void
put_row(struct table *t, const struct cli *cli, const struct program *p)
{
	bool lost = p->kind == PROGRAM_LOST;
	char text[OPS_TIME_TEXT], user[PROGRAMS_USER];
	struct ops_buf b = { .max = OUT_MAX };

	table_row(t);
	ops_time_short(p->time, cli->global.utc, text);
	table_cell_str(t, text);
	programs_user(lost ? EVENT_UNSET : p->accounted.uid, user);
	table_cell_str(t, user);
	(void)snprintf(text, sizeof(text), "%u", p->accounted.pid);
	table_cell_str(t, lost ? "-" : text);
	programs_exit(p, text);
	table_cell_str(t, text);
	describe_span(p->accounted.elapsed, text);
	table_cell_str(t, lost ? "-" : text);
	programs_command(p, &b);
	table_cell(t, b.data, b.len);
	ops_buf_free(&b);
}

static int
print_text(struct cli *cli, const struct program_list *l, const struct sums *s,
    const struct unseen *u, struct ops_err *err)
{
	struct ops_buf out = { .max = OUT_MAX };
	struct table *t;
	int rc = 0;

	if (table_new(columns, OPS_ARRAY_LEN(columns), &t, err) < 0)
		return -1;
	put_sums(cli, s, &out);
	for (size_t i = 0; i < l->n; i++)
		if (l->p[i].kind != PROGRAM_COVERAGE)
			put_row(t, cli, &l->p[i]);
	if (s->missed + s->losses > 0) {
		ops_buf_puts(&out, "\n");
		rc = table_put(t, cli->width, cli->colour, &out, err);
		ops_buf_puts(&out, "\n");
	}
	if (rc == 0)
		rc = unseen_put(cli, u, &out, err);
	cli_put(&out);
	ops_buf_free(&out);
	table_free(t);
	return rc;
}

/* Are programs captured now?  Then one that isn't there did not run. */
static bool
captured(struct cli *cli)
{
	struct ops_buf answer = { .max = 1u << 20 };
	struct proto_status s;
	bool on = source_status(cli->source, &answer, &s, NULL) == 0 &&
		  s.capture == CAPTURE_ON;

	ops_buf_free(&answer);
	return on;
}

int
coverage_status(struct cli *cli, const struct status_opts *o)
{
	const struct program_filter f = {
		.coverage = true, .since = o->since, .until = o->until
	};
	struct program_list list = { 0 };
	struct sums s = { .of_all = o->since == 0 && o->until == 0 };
	struct unseen u = { .logins = 0 };
	struct ops_err err = { 0 };
	int status = CLI_FINE;

	if (cli_check_span(cli, o->since, o->until, &err) < 0 ||
	    source_programs(cli->source, &f, &list, &err) < 0)
		return cli_fail(cli, &err);
	if (unseen_load(cli, o->since, o->until, captured(cli), &u, &err) < 0) {
		program_list_free(&list);
		return cli_fail(cli, &err);
	}
	add_up(&list, &s);
	if (o->json)
		print_json(cli, &list, &s, &u);
	else if (print_text(cli, &list, &s, &u, &err) < 0)
		status = cli_fail(cli, &err);
	if (list.missing > 0)
		cli_partial(cli,
		    "%" PRIu64 " frame%s of programs can't be read: there may "
		    "be more; opseal verify says more",
		    list.missing, list.missing == 1 ? "" : "s");
	if (u.visits.missing > 0)
		cli_partial(cli,
		    "%" PRIu64 " frame%s of the events can't be read: logins "
		    "or their sessions may be missing; opseal verify says more",
		    u.visits.missing, u.visits.missing == 1 ? "" : "s");
	unseen_free(&u);
	program_list_free(&list);
	return status;
}
