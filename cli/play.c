/* opseal play - a session, as it was shown. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/text.h"
#include "cli.h"
#include "describe.h"
#include "player.h"
#include "said.h"
#include "screen.h"

#define TAG_LEN 3 /* random bytes of a tag */

/* What is being played. */
struct playing {
	struct player *p;
	struct said said;          /* none without --notes */
	char tag[2 * TAG_LEN + 1]; /* in front of each note */
	unsigned told;             /* of them */
	uint64_t from;             /* nothing before it is waited for */
	bool jumped;               /* that has come */
};

/* A recording made on a larger terminal won't look as it did. */
static void
tell_size(struct cli *cli, const struct session *s)
{
	struct winsize ws;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) < 0 || ws.ws_col == 0)
		return;
	if (s->open.cols > ws.ws_col || s->open.rows > ws.ws_row)
		cli_note(cli,
		    "recorded at %ux%u; this terminal is %ux%u, so lines may "
		    "fall differently",
		    (unsigned)s->open.cols, (unsigned)s->open.rows,
		    (unsigned)ws.ws_col, (unsigned)ws.ws_row);
}

/* Something is missing here: on a line of its own, in whatever the recording has
 * made of the terminal. */
static enum player_result
play_mark(struct player *p, const char *mark, struct ops_err *err)
{
	char line[DESCRIBE_MARK + 8];
	int n = snprintf(line, sizeof(line), "\r\n[%s]\r\n", mark);

	return player_show(p, (const uint8_t *)line, (size_t)n, err);
}

/* Up to the moment asked for, everything is drawn at once. */
static enum player_result
wait_for(struct playing *g, uint64_t offset)
{
	if (offset < g->from)
		return PLAYER_GO_ON;
	if (!g->jumped)
		player_set(g->p, g->from);
	g->jumped = true;
	return player_wait(g->p, offset);
}

/* The tag is of this play alone: what was recorded can't have it. */
static enum player_result
play_note(struct playing *g, const struct remark_seen *r, uint64_t offset,
    struct ops_err *err)
{
	struct ops_buf line = { .max = 8 * REMARK_TEXT_MAX };
	enum player_result rc = PLAYER_FAILED;
	char at[24];

	ops_offset_text(offset, at);
	ops_buf_printf(&line, "\r\n[opseal %s, %s] ", g->tag, at);
	said_put(&line, g->said.s, r);
	ops_buf_puts(&line, "\r\n");
	if (ops_buf_check(&line, "note", err) == 0)
		rc = player_show(g->p, line.data, line.len, err);
	ops_buf_free(&line);
	g->told++;
	return rc;
}

/* What was said until then, and since the moment asked for. */
static enum player_result
play_notes(struct playing *g, uint64_t until, struct ops_err *err)
{
	enum player_result rc = PLAYER_GO_ON;
	const struct remark_seen *r;
	uint64_t offset;

	while (rc == PLAYER_GO_ON &&
	       (r = said_next(&g->said, until, &offset)) != NULL) {
		if (offset < g->from)
			continue;
		rc = wait_for(g, offset);
		if (rc == PLAYER_GO_ON)
			rc = play_note(g, r, offset, err);
	}
	return rc;
}

static enum player_result
play_record(
    struct playing *g, const struct screen_record *r, struct ops_err *err)
{
	enum player_result rc = play_notes(g, r->offset, err);
	char mark[DESCRIBE_MARK];

	if (rc == PLAYER_GO_ON)
		rc = wait_for(g, r->offset);
	if (rc == PLAYER_GO_ON && r->rec.type == REC_OUTPUT)
		rc = player_show(g->p, r->rec.payload, r->rec.len, err);
	else if (rc == PLAYER_GO_ON && describe_gap(r, mark))
		rc = play_mark(g->p, mark, err);
	return rc;
}

static int
play(struct cli *cli, struct screen *sc, struct playing *g)
{
	enum player_result rc = PLAYER_GO_ON;
	char mark[DESCRIBE_MARK];
	struct screen_hole hole;
	struct screen_record r;
	struct ops_err err = { 0 };

	while (rc == PLAYER_GO_ON) {
		bool more = screen_next_noted(sc, &r);

		if (screen_take_hole(sc, &hole)) {
			describe_hole(&hole, mark);
			rc = play_mark(g->p, mark, &err);
		}
		if (!more)
			break;
		if (rc == PLAYER_GO_ON)
			rc = play_record(g, &r, &err);
	}
	if (rc == PLAYER_GO_ON)
		rc = play_notes(g, UINT64_MAX, &err);
	if (rc == PLAYER_GO_ON)
		rc = player_flush(g->p, &err);
	if (rc == PLAYER_FAILED && err.code == OPS_OK)
		ops_fail(&err, OPS_EIO, "stdout can't be written");
	return rc == PLAYER_FAILED ? cli_fail(cli, &err) : CLI_FINE;
}

static void
tell_tag(struct cli *cli, const struct playing *g)
{
	if (g->said.l->n > 0)
		cli_note(cli,
		    "lines that begin with [opseal %s are notes; any other is "
		    "the session's own",
		    g->tag);
}

static int
play_session(struct cli *cli, const struct play_opts *o,
    const struct session *s, uint64_t from)
{
	const struct player_opts po = {
		.keys =
		    !o->no_tui && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO),
		.speed = o->speed,
		.max_idle = o->max_idle,
		.has_max_idle = o->has_max_idle,
	};
	struct remark_list notes = { 0 };
	struct playing g = {
		.said = { s, &notes, 0 }, .from = from, .jumped = from == 0
	};
	struct screen *sc = NULL;
	struct ops_err err = { 0 };
	uint8_t tag[TAG_LEN];
	int status, sig;

	if (screen_open(cli, s, &sc, &err) < 0)
		return cli_fail(cli, &err);
	tell_size(cli, s);
	ops_random(tag, sizeof(tag));
	ops_hex(tag, sizeof(tag), g.tag);
	if ((o->notes && source_remarks(cli, s, &notes, &err) < 0) ||
	    player_new(&po, &g.p, &err) < 0) {
		remark_list_free(&notes);
		screen_free(sc);
		return cli_fail(cli, &err);
	}
	tell_tag(cli, &g);
	status = play(cli, sc, &g);
	sig = player_signal(g.p);
	player_free(g.p);
	/* Again: what was told first may have been wiped off. */
	if (g.told > 0)
		tell_tag(cli, &g);
	remark_list_free(&notes);
	/* Now that the terminal is in order, end as the signal would have. */
	if (sig != 0)
		raise(sig);
	if (status == CLI_FINE)
		status = screen_status(sc);
	screen_free(sc);
	return status;
}

int
cmd_play(struct cli *cli, const void *opts, int argc, char **argv)
{
	struct play_opts o = *(const struct play_opts *)opts;
	struct session_list list = { 0 };
	const struct session *s;
	struct sessionarg place;
	struct ops_err err = { 0 };
	uint64_t from;
	int status;

	(void)argc;
	if (!o.has_speed)
		o.speed = 1;
	if (screen_find(cli, argv[0], &list, &s, &place, &err) < 0 ||
	    screen_from(s, &place, &from, &err) < 0)
		status = cli_fail(cli, &err);
	else
		status = play_session(cli, &o, s, from);
	session_list_free(&list);
	return status;
}
