/* opseal ls - the recorded sessions, newest last. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/text.h"
#include "choice.h"
#include "cli.h"
#include "describe.h"
#include "ending.h"
#include "personhint.h"
#include "source.h"
#include "table.h"

#define OUT_MAX (1u << 30)
#define PREFIX_MIN 8 /* characters of an id shown at least */

/* clang-format off */
static const struct table_column columns[] = {
	{ "SESSION",  false, 0,  0,  0 },
	{ "USER",     false, 0,  16, 0 },
	{ "PERSON",   false, 1,  16, 0 },
	{ "FROM",     false, 8,  24, 0 },
	{ "TTY",      false, 6,  10, 0 },
	{ "START",    false, 0,  0,  0 },
	{ "END",      false, 5,  0,  0 },
	{ "DURATION", true,  10, 0,  0 },
	{ "CMDS",     true,  3,  0,  0 },
	{ "EXIT",     true,  9,  0,  0 },
	{ "IDLE",     true,  4,  0,  0 },
	{ "STATE",    false, 0,  0,  0 },
	{ "COMMAND",  false, 0,  40, 12 },
};
/* clang-format on */

static size_t
common_prefix(const char *a, const char *b)
{
	size_t n = 0;

	while (a[n] != '\0' && a[n] == b[n])
		n++;
	return n;
}

static int
compare_ids(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Characters that tell every id from the others. */
static size_t
prefix_length(const struct session_list *all)
{
	const char **ids = calloc(all->n > 0 ? all->n : 1, sizeof(*ids));
	size_t n = PREFIX_MIN;

	if (ids == NULL)
		return OPS_ID_TEXT_LEN;
	for (size_t i = 0; i < all->n; i++)
		ids[i] = all->s[i].id_text;
	qsort(ids, all->n, sizeof(*ids), compare_ids);
	for (size_t i = 1; i < all->n; i++) {
		size_t k = common_prefix(ids[i - 1], ids[i]) + 1;

		if (k > n)
			n = k;
	}
	free(ids);
	return n < OPS_ID_TEXT_LEN ? n : OPS_ID_TEXT_LEN;
}

static void
cell_text(struct table *t, const struct event_text *text)
{
	struct ops_buf b = { .max = 65536 };

	describe_text(&b, text);
	table_cell(t, b.data, b.len);
	ops_buf_free(&b);
}

static void
cell_command(struct table *t, const struct event_open *o)
{
	struct ops_buf b = { .max = 65536 };

	describe_command(&b, o);
	table_cell(t, b.data, b.len);
	ops_buf_free(&b);
}

static void
cell_span(struct table *t, uint64_t ns)
{
	char text[24];

	describe_span(ns, text);
	table_cell_str(t, text);
}

static void
cell_exit(struct table *t, const struct session *s)
{
	char text[24] = "-";

	if (s->has_close && s->close.has_status)
		snprintf(
		    text, sizeof(text), "%d", describe_exit(s->close.status));
	table_cell_str(t, text);
}

/* Without seconds' date where it ended on the day it began. */
static void
cell_end(struct table *t, const struct session *s, bool utc)
{
	char start[OPS_TIME_TEXT], end[OPS_TIME_TEXT];

	if (s->end == 0) {
		table_cell_str(t, "-");
		return;
	}
	ops_time_short(s->start, utc, start);
	ops_time_short(s->end, utc, end);
	table_cell_str(t, strncmp(start, end, 11) == 0 ? end + 11 : end);
}

static void
cell_commands(struct table *t, const struct session *s)
{
	char text[16] = "-";

	if (s->has_commands)
		(void)snprintf(text, sizeof(text), "%u", s->commands);
	table_cell_str(t, text);
}

static void
put_session(struct table *t, const struct cli *cli, const struct session *s,
    size_t prefix, uint64_t now)
{
	static const char *const colours[] = {
		[SESSION_ACTIVE] = "32",
		[SESSION_CLOSED] = NULL,
		[SESSION_GAPPED] = "33",
		[SESSION_LOST] = "31",
		[SESSION_DAMAGED] = "31",
	};
	const struct event_text person = session_person(s);
	const struct event_open *o = &s->open;
	char start[OPS_TIME_TEXT];
	bool on = describe_goes_on(s);

	ops_time_short(s->start, cli->global.utc, start);
	table_row(t);
	table_cell(t, s->id_text, prefix);
	/* Whose an imported one was, nobody knows; its state says that it is. */
	if (session_imported(s))
		table_cell_str(t, "-");
	else
		cell_text(t, &o->user);
	cell_text(t, &person);
	cell_text(t, &o->from);
	cell_text(t, &o->tty);
	table_cell_str(t, start);
	cell_end(t, s, cli->global.utc);
	cell_span(
	    t, on && now > s->start ? now - s->start : describe_duration(s));
	cell_commands(t, s);
	cell_exit(t, s);
	if (on && s->last > 0 && now > s->last)
		cell_span(t, now - s->last);
	else
		table_cell_str(t, "-");
	table_cell_str(t, describe_state(s));
	if ((size_t)s->state < OPS_ARRAY_LEN(colours))
		table_colour(t, colours[s->state]);
	cell_command(t, o);
}

/* Keep those that came into the log this way; NULL: all. */
static int
keep_source(struct session_list *l, const char *source, struct ops_err *err)
{
	bool imported;
	size_t n = 0;

	if (source == NULL)
		return 0;
	imported = strcmp(source, "import") == 0;
	if (!imported && strcmp(source, "record") != 0)
		return ops_fail(err, OPS_EUSAGE,
		    "unknown source \"%.40s\"; record and import are known",
		    source);
	for (size_t i = 0; i < l->n; i++)
		if (session_imported(&l->s[i]) == imported)
			l->s[n++] = l->s[i];
	l->n = n;
	return 0;
}

static int
print_table(const struct cli *cli, const struct session_list *l,
    const struct choice *c, struct ops_err *err)
{
	struct ops_buf out = { .max = OUT_MAX };
	struct ops_clock now;
	struct table *t;
	size_t prefix;
	int rc;

	if (table_new(columns, OPS_ARRAY_LEN(columns), &t, err) < 0)
		return -1;
	ops_clock_read(&now);
	prefix = prefix_length(l);
	for (size_t i = 0; i < c->n; i++)
		put_session(
		    t, cli, &l->s[choice_at(c, i)], prefix, now.realtime);
	rc = table_put(t, cli->width, cli->colour, &out, err);
	cli_put(&out);
	ops_buf_free(&out);
	table_free(t);
	return rc;
}

static void
print_json(
    const struct cli *cli, const struct session_list *l, const struct choice *c)
{
	struct ops_buf out = { .max = OUT_MAX };

	for (size_t i = 0; i < c->n; i++) {
		describe_session_json(
		    &l->s[choice_at(c, i)], cli->global.utc, &out);
		ops_buf_put8(&out, '\n');
		cli_put(&out);
	}
	ops_buf_free(&out);
}

/* Where the recorder could not learn how a command ended. */
static int
learn_endings(struct cli *cli, struct session *s, size_t n, struct ops_err *err)
{
	struct program_filter f = { .forks = true, .source = SOURCE_CAPTURE };
	struct program_list l;

	if (!ending_wanted(s, n, &f.since))
		return 0;
	if (source_programs(cli->source, &f, &l, err) < 0)
		return -1;
	ending_fill(s, n, &l);
	program_list_free(&l);
	return 0;
}

/* Nothing was found; whom one may have meant, of the same list but of anybody. */
static void
put_nothing(
    struct cli *cli, const struct ls_opts *o, const struct session_filter *f)
{
	struct session_filter anybody = *f;
	struct personhint hint = { .asked = o->person };
	struct session_list l = { 0 };

	anybody.person = NULL;
	anybody.commands = false;
	if (o->person != NULL && strcmp(o->person, "-") != 0 &&
	    source_sessions(cli, &anybody, o->mine, &l, NULL) == 0 &&
	    keep_source(&l, o->source, NULL) == 0)
		for (size_t i = 0; i < l.n && i < PERSONHINT_NEWEST; i++)
			personhint_meet(
			    &hint, session_person(&l.s[l.n - 1 - i]));
	if (!personhint_put(cli, &hint, "sessions"))
		cli_note(cli, "no sessions");
	session_list_free(&l);
}

int
cmd_ls(struct cli *cli, const void *opts, int argc, char **argv)
{
	const struct ls_opts *o = opts;
	const struct session_filter filter = {
		.user = o->user,
		.since = o->since,
		.until = o->until,
		.active = o->active,
		.command = o->command,
		.commands = true,
		.person = o->person,
		.note = o->note,
	};
	struct session_list list = { 0 };
	struct choice c;
	struct ops_err err = { 0 };
	int status = CLI_FINE;

	(void)argc, (void)argv;
	if (cli_check_span(cli, o->since, o->until, &err) < 0 ||
	    source_sessions(cli, &filter, o->mine, &list, &err) < 0)
		return cli_fail(cli, &err);
	if (keep_source(&list, o->source, &err) < 0) {
		session_list_free(&list);
		return cli_fail(cli, &err);
	}
	c = choice_of(list.n, o->count, o->reverse);
	if (c.n == 0) {
		/* There may be some, where events can't be read: that was said. */
		if (!cli->partial)
			put_nothing(cli, o, &filter);
		status = CLI_NOTHING;
	} else if (learn_endings(cli, list.s + c.first, c.n, &err) < 0 ||
		   (!o->json && print_table(cli, &list, &c, &err) < 0)) {
		status = cli_fail(cli, &err);
	} else if (o->json) {
		print_json(cli, &list, &c);
	}
	session_list_free(&list);
	return status;
}
