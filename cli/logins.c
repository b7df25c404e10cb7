/* opseal logins - who logged in, as PAM told; newest last. */
#include <inttypes.h>
#include <stdio.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/json.h"
#include "choice.h"
#include "cli.h"
#include "describe.h"
#include "person.h"
#include "source.h"
#include "table.h"

#define OUT_MAX (1u << 30)

/* clang-format off */
static const struct table_column columns[] = {
	{ "TIME",     false, 0, 0,  0 },
	{ "USER",     false, 0, 16, 0 },
	{ "PERSON",   false, 1, 16, 0 },
	{ "SERVICE",  false, 3, 12, 0 },
	{ "FROM",     false, 2, 24, 0 },
	{ "METHOD",   false, 6, 20, 0 },
	{ "END",      false, 4, 0,  0 },
	{ "DURATION", true,  5, 0,  0 },
	{ "IN",       true,  0, 0,  0 },
	{ "OUT",      true,  0, 0,  0 },
	{ "SESSIONS", true,  0, 0,  0 },
};
/* clang-format on */

static void
cell_text(struct table *t, const struct event_text *text)
{
	struct ops_buf b = { .max = 65536 };

	describe_text(&b, text);
	table_cell(t, b.data, b.len);
	ops_buf_free(&b);
}

static void
cell_bytes(struct table *t, bool known, uint64_t n)
{
	char text[24] = "-";

	if (known)
		describe_bytes(n, text);
	table_cell_str(t, text);
}

static void
put_end(struct table *t, const struct login_seen *l, bool utc)
{
	char end[OPS_TIME_TEXT] = "-", span[24] = "-";

	if (l->has_out) {
		ops_time_short(l->out_wall, utc, end);
		describe_span(
		    l->out_wall > l->wall ? l->out_wall - l->wall : 0, span);
	}
	table_cell_str(t, end);
	table_cell_str(t, span);
}

static void
put_row(struct table *t, const struct cli *cli, const struct login_seen *l)
{
	bool known = l->has_out && l->out.has_bytes;
	char text[OPS_TIME_TEXT];

	ops_time_short(l->wall, cli->global.utc, text);
	table_row(t);
	table_cell_str(t, text);
	cell_text(t, &l->l.user);
	cell_text(t, &l->l.person);
	cell_text(t, &l->l.service);
	cell_text(t, &l->l.from);
	cell_text(t, &l->l.method);
	put_end(t, l, cli->global.utc);
	cell_bytes(t, known, l->out.bytes_in);
	cell_bytes(t, known, l->out.bytes_out);
	(void)snprintf(text, sizeof(text), "%" PRIu32, l->sessions);
	table_cell_str(t, text);
}

static int
print_table(const struct cli *cli, const struct logins *l,
    const struct choice *c, struct ops_err *err)
{
	struct ops_buf out = { .max = OUT_MAX };
	struct table *t;
	int rc;

	if (table_new(columns, OPS_ARRAY_LEN(columns), &t, err) < 0)
		return -1;
	for (size_t i = 0; i < c->n; i++)
		put_row(t, cli, &l->l[choice_at(c, i)]);
	rc = table_put(t, cli->width, cli->colour, &out, err);
	cli_put(&out);
	ops_buf_free(&out);
	table_free(t);
	return rc;
}

/* -- JSON -- */

static void
json_time(struct json *j, const char *key, bool known, uint64_t t, bool utc)
{
	char text[OPS_TIME_TEXT];

	ops_time_rfc3339(t, utc, text);
	json_key(j, key);
	json_str(j, known ? text : NULL);
}

static void
json_bytes(struct json *j, const char *key, bool known, uint64_t n)
{
	json_key(j, key);
	if (known)
		json_uint(j, n);
	else
		json_nil(j);
}

static void
put_json(const struct login_seen *l, bool utc, struct ops_buf *out)
{
	bool known = l->has_out && l->out.has_bytes;
	struct json j = { .out = out };

	json_begin_object(&j);
	json_time(&j, "time", true, l->wall, utc);
	person_json_text(&j, "user", &l->l.user);
	describe_json_id(&j, "uid", l->l.uid);
	describe_json_id(&j, "auid", l->l.auid);
	describe_json_id(&j, "ses", l->l.ses);
	describe_json_number(&j, "pid", l->l.pid);
	person_json_login(&j, &l->l);
	person_json_text(&j, "from", &l->l.from);
	person_json_text(&j, "tty", &l->l.tty);
	json_time(&j, "end", l->has_out, l->out_wall, utc);
	json_key(&j, "duration");
	if (l->has_out)
		json_seconds(
		    &j, l->out_wall > l->wall ? l->out_wall - l->wall : 0);
	else
		json_nil(&j);
	json_bytes(&j, "connection_in", known, l->out.bytes_in);
	json_bytes(&j, "connection_out", known, l->out.bytes_out);
	describe_json_number(&j, "sessions", l->sessions);
	json_key(&j, "sealed");
	json_bool(&j, l->sealed);
	json_end_object(&j);
	ops_buf_put8(out, '\n');
}

static void
print_json(
    const struct cli *cli, const struct logins *l, const struct choice *c)
{
	struct ops_buf out = { .max = OUT_MAX };

	for (size_t i = 0; i < c->n; i++) {
		put_json(&l->l[choice_at(c, i)], cli->global.utc, &out);
		cli_put(&out);
	}
	ops_buf_free(&out);
}

int
cmd_logins(struct cli *cli, const void *opts, int argc, char **argv)
{
	const struct logins_opts *o = opts;
	const struct login_filter f = { .user = o->user,
		.person = o->person,
		.since = o->since,
		.until = o->until };
	struct session_list list = { 0 };
	const struct logins *l = &list.logins;
	struct choice c;
	struct ops_err err = { 0 };
	int status = CLI_FINE;

	(void)argc, (void)argv;
	if (cli_check_span(cli, o->since, o->until, &err) < 0 ||
	    source_logins(cli, &f, o->mine, &list, &err) < 0)
		return cli_fail(cli, &err);
	c = choice_of(l->n, o->count, o->reverse);
	if (c.n == 0) {
		if (!cli->partial)
			cli_note(cli, "no logins");
		status = CLI_NOTHING;
	} else if (o->json) {
		print_json(cli, l, &c);
	} else if (print_table(cli, l, &c, &err) < 0) {
		status = cli_fail(cli, &err);
	}
	session_list_free(&list);
	return status;
}
