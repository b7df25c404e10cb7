/* opseal cat - the text that was on the screen. */
#include <string.h>

#include "base/bytes.h"
#include "cli.h"
#include "describe.h"
#include "lines.h"
#include "prompt.h"
#include "screen.h"

#define OUT_MAX (256u << 20)

/*
 * Of a command, what the recorder read from its start to its end, and a little
 * later: what it wrote last may be read then, the shell's next prompt too.  And
 * a record has the time at which the recorder woke, so one from just before the
 * end may go on beyond it.
 */
#define EARLY_NS UINT64_C(2000000)
#define BEGIN_NS UINT64_C(50000000) /* the shell's last words before it */

struct catting {
	struct lines *lines;
	struct ops_buf out;
	const struct sessionarg *place;
	uint64_t from;
	/* Only of a command: */
	bool begun;
	struct prompt prompt;
	struct ops_buf end;        /* the last output, not shown yet */
	struct screen_record last; /* that it began with */
};

static int
show(struct catting *c, const struct screen_record *r, bool before,
    struct ops_err *err)
{
	describe_line(c->lines, r, &c->out);
	if (ops_buf_check(&c->out, "text", err) < 0)
		return -1;
	/* What came before still moved the cursor and the width. */
	if (before)
		ops_buf_reset(&c->out);
	else
		cli_put(&c->out);
	return 0;
}

/* Its first output: what of that is still the shell's, and a line that isn't
 * ended, belong to what came before. */
static int
begin(struct catting *c, struct screen_record *r, struct ops_err *err)
{
	struct screen_record head = *r;

	c->begun = true;
	head.rec.len = 0;
	if (r->offset - c->from <= BEGIN_NS)
		head.rec.len =
		    prompt_begin(&c->prompt, r->rec.payload, r->rec.len);
	r->rec.payload += head.rec.len;
	r->rec.len -= head.rec.len;
	if (show(c, &head, true, err) < 0)
		return -1;
	prompt_learn(&c->prompt, head.rec.payload, head.rec.len);
	if (!prompt_is_open(&c->prompt))
		return 0;
	head.rec.payload = (const uint8_t *)"\r\n";
	head.rec.len = 2;
	return show(c, &head, true, err);
}

/* Show the last output without the prompt behind it. */
static int
flush(struct catting *c, struct ops_err *err)
{
	struct screen_record r = c->last;
	int rc = 0;

	if (c->end.len > 0) {
		r.rec.payload = c->end.data;
		r.rec.len = prompt_end(&c->prompt, c->end.data, c->end.len);
		rc = show(c, &r, false, err);
	}
	ops_buf_reset(&c->end);
	return rc;
}

/* 1: the next one, too.  0: that was all of the command. */
static int
take_command(struct catting *c, struct screen_record *r, struct ops_err *err)
{
	const struct sessionarg *place = c->place;
	bool output = r->rec.type == REC_OUTPUT;

	if (place->has_until && r->offset > place->until &&
	    (!output || r->offset > place->late))
		return 0;
	if (r->offset < c->from) {
		if (output)
			prompt_learn(&c->prompt, r->rec.payload, r->rec.len);
		return show(c, r, true, err) < 0 ? -1 : 1;
	}
	if (output && !c->begun && begin(c, r, err) < 0)
		return -1;
	if (!output || !place->has_until || r->offset + EARLY_NS < place->until)
		return flush(c, err) < 0 || show(c, r, false, err) < 0 ? -1 : 1;
	if (c->end.len == 0)
		c->last = *r;
	ops_buf_put(&c->end, r->rec.payload, r->rec.len);
	if (ops_buf_check(&c->end, "text", err) < 0)
		return -1;
	return r->offset <= place->until ||
	       prompt_end(&c->prompt, c->end.data, c->end.len) == c->end.len;
}

static int
take(struct catting *c, struct screen_record *r, struct ops_err *err)
{
	if (c->place->has_number)
		return take_command(c, r, err);
	return show(c, r, r->offset < c->from, err) < 0 ? -1 : 1;
}

static int
print_lines(struct catting *c, struct screen *sc, struct ops_err *err)
{
	char mark[DESCRIBE_MARK];
	struct screen_hole hole;
	struct screen_record r;
	int rc = 1;

	while (rc > 0) {
		bool more = screen_next_noted(sc, &r);

		if (screen_take_hole(sc, &hole)) {
			if (flush(c, err) < 0)
				return -1;
			describe_hole(&hole, mark);
			lines_note(c->lines, mark, &c->out);
		}
		if (!more)
			break;
		rc = take(c, &r, err);
	}
	if (rc < 0 || flush(c, err) < 0)
		return -1;
	/* Of a command without output, the line that isn't ended is the shell's. */
	if (c->place->has_number && !c->begun)
		return 0;
	lines_end(c->lines, &c->out);
	cli_put(&c->out);
	return 0;
}

static int
cat(const struct session *s, const struct sessionarg *place, uint64_t from,
    struct screen *sc, struct ops_err *err)
{
	struct catting c = { .out.max = OUT_MAX,
		.end.max = OUT_MAX,
		.place = place,
		.from = from };
	int rc = lines_new(s->open.cols, &c.lines, err);

	if (rc == 0)
		rc = print_lines(&c, sc, err);
	lines_free(c.lines);
	ops_buf_free(&c.out);
	ops_buf_free(&c.end);
	return rc;
}

int
cmd_cat(struct cli *cli, const void *opts, int argc, char **argv)
{
	struct session_list list = { 0 };
	const struct session *s;
	struct screen *sc = NULL;
	struct sessionarg place;
	struct ops_err err = { 0 };
	uint64_t from;
	int status;

	(void)opts, (void)argc;
	if (screen_find(cli, argv[0], &list, &s, &place, &err) < 0 ||
	    screen_from(s, &place, &from, &err) < 0 ||
	    screen_open(cli, s, &sc, &err) < 0 ||
	    cat(s, &place, from, sc, &err) < 0)
		status = cli_fail(cli, &err);
	else
		status = screen_status(sc);
	screen_free(sc);
	session_list_free(&list);
	return status;
}
