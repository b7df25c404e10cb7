/* opseal cat - the text that was on the screen. */
#include <string.h>

#include "base/bytes.h"
#include "cli.h"
#include "describe.h"
#include "lines.h"
#include "screen.h"

#define OUT_MAX (256u << 20)

/* What a command wrote last is read from its terminal a little after its end. */
#define LATE_NS UINT64_C(20000000)

/*
 * Does this record still belong to a command that ended at `until`?  What came
 * late may have the shell's next prompt behind it: a line editor's begins with
 * bracketed paste (xterm's mode 2004) or a mark of its own (OSC 133), so there
 * it is cut.
 */
static bool
belongs(struct screen_record *r, uint64_t until)
{
	static const char *const prompts[] = { "\033[?2004h", "\033]133;" };
	bool whole = true;

	if (r->offset <= until)
		return true;
	if (r->offset - until > LATE_NS || r->rec.type != REC_OUTPUT)
		return false;
	for (size_t i = 0; i < OPS_ARRAY_LEN(prompts); i++) {
		const uint8_t *at = memmem(
		    r->rec.payload, r->rec.len, prompts[i], strlen(prompts[i]));

		if (at != NULL) {
			r->rec.len = (size_t)(at - r->rec.payload);
			whole = false;
		}
	}
	return whole || r->rec.len > 0;
}

static int
print_lines(struct screen *sc, const struct session *s, uint64_t from,
    uint64_t until, struct ops_err *err)
{
	struct ops_buf out = { .max = OUT_MAX };
	char mark[DESCRIBE_MARK];
	struct screen_hole hole;
	struct screen_record r;
	struct lines *l;
	int rc = 0;

	if (lines_new(s->open.cols, &l, err) < 0)
		return -1;
	while (rc == 0) {
		bool before, more = screen_next_noted(sc, &r);

		if (screen_take_hole(sc, &hole)) {
			describe_hole(&hole, mark);
			lines_note(l, mark, &out);
		}
		if (!more || !belongs(&r, until))
			break;
		/* What came before still moved the cursor and the width. */
		before = r.offset < from;
		describe_line(l, &r, &out);
		rc = ops_buf_check(&out, "text", err);
		if (before)
			ops_buf_reset(&out);
		else
			cli_put(&out);
	}
	lines_end(l, &out);
	cli_put(&out);
	lines_free(l);
	ops_buf_free(&out);
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
	    print_lines(sc, s, from, place.has_until ? place.until : UINT64_MAX,
		&err) < 0)
		status = cli_fail(cli, &err);
	else
		status = screen_status(sc);
	screen_free(sc);
	session_list_free(&list);
	return status;
}
