/* opseal play - a session, as it was shown. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/bytes.h"
#include "cli.h"
#include "describe.h"
#include "player.h"
#include "screen.h"

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

static enum player_result
play_record(struct player *p, const struct screen_record *r, uint64_t from,
    bool *jumped, struct ops_err *err)
{
	enum player_result rc = PLAYER_GO_ON;
	char mark[DESCRIBE_MARK];

	/* Up to the moment asked for, everything is drawn at once. */
	if (r->offset >= from) {
		if (!*jumped)
			player_set(p, from);
		*jumped = true;
		rc = player_wait(p, r->offset);
	}
	if (rc == PLAYER_GO_ON && r->rec.type == REC_OUTPUT)
		rc = player_show(p, r->rec.payload, r->rec.len, err);
	else if (rc == PLAYER_GO_ON && describe_gap(r, mark))
		rc = play_mark(p, mark, err);
	return rc;
}

static int
play(struct cli *cli, struct screen *sc, struct player *p, uint64_t from)
{
	enum player_result rc = PLAYER_GO_ON;
	char mark[DESCRIBE_MARK];
	struct screen_hole hole;
	struct screen_record r;
	struct ops_err err = { 0 };
	bool jumped = from == 0;

	while (rc == PLAYER_GO_ON) {
		bool more = screen_next_noted(sc, &r);

		if (screen_take_hole(sc, &hole)) {
			describe_hole(&hole, mark);
			rc = play_mark(p, mark, &err);
		}
		if (!more)
			break;
		if (rc == PLAYER_GO_ON)
			rc = play_record(p, &r, from, &jumped, &err);
	}
	if (rc == PLAYER_GO_ON)
		rc = player_flush(p, &err);
	if (rc == PLAYER_FAILED && err.code == OPS_OK)
		ops_fail(&err, OPS_EIO, "stdout can't be written");
	return rc == PLAYER_FAILED ? cli_fail(cli, &err) : CLI_FINE;
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
	struct screen *sc = NULL;
	struct player *p;
	struct ops_err err = { 0 };
	int status, sig;

	if (screen_open(cli, s, &sc, &err) < 0)
		return cli_fail(cli, &err);
	tell_size(cli, s);
	if (player_new(&po, &p, &err) < 0) {
		screen_free(sc);
		return cli_fail(cli, &err);
	}
	status = play(cli, sc, p, from);
	sig = player_signal(p);
	player_free(p);
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
