/* opseal note - say something in the session that one is in. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "record/remark.h"
#include "screen.h"
#include "source.h"

/* Up to a newline, or the end of the input. */
static int
read_line(struct ops_buf *text, struct ops_err *err)
{
	if (isatty(STDIN_FILENO))
		fputs("Note: ", stderr);
	for (;;) {
		uint8_t byte;
		ssize_t n = read(STDIN_FILENO, &byte, 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return ops_fail_errno(err, "stdin");
		if (n == 0 || byte == '\n' || text->failed)
			return 0;
		ops_buf_put8(text, byte);
	}
}

static void
join_words(struct ops_buf *text, int argc, char **argv)
{
	for (int i = 0; i < argc; i++) {
		if (i > 0)
			ops_buf_put8(text, ' ');
		ops_buf_puts(text, argv[i]);
	}
}

static int
take_text(struct ops_buf *text, int argc, char **argv, struct ops_err *err)
{
	if (argc > 0)
		join_words(text, argc, argv);
	else if (read_line(text, err) < 0)
		return -1;
	if (text->failed)
		return ops_fail(err, OPS_EUSAGE,
		    "a note has at most %d bytes; say the rest in another one",
		    REMARK_TEXT_MAX);
	for (size_t i = 0; i < text->len; i++)
		if (text->data[i] > ' ')
			return 0;
	return ops_fail(err, OPS_EUSAGE, "the note is empty");
}

/* The one that --session names; else all zero, and the daemon finds it. */
static int
find_session(struct cli *cli, const char *arg, uint8_t id[static OPS_ID_LEN],
    struct ops_err *err)
{
	struct session_list list = { 0 };
	const struct session *s;
	struct sessionarg place;
	int rc;

	memset(id, 0, OPS_ID_LEN);
	if (arg == NULL)
		return 0;
	rc = screen_find(cli, arg, &list, &s, &place, err);
	if (rc == 0 && (place.has_number || place.has_offset))
		rc = ops_fail(err, OPS_EUSAGE,
		    "a note is said now, in the whole session: %.60s", arg);
	if (rc == 0)
		memcpy(id, s->id, OPS_ID_LEN);
	session_list_free(&list);
	return rc;
}

int
cmd_note(struct cli *cli, const void *opts, int argc, char **argv)
{
	const struct note_opts *o = opts;
	struct ops_buf text = { .max = REMARK_TEXT_MAX };
	uint8_t id[OPS_ID_LEN];
	struct ops_err err = { 0 };
	int status = CLI_FINE;

	if (find_session(cli, o->session, id, &err) < 0 ||
	    take_text(&text, argc, argv, &err) < 0) {
		status = cli_fail(cli, &err);
	} else if (source_note(cli->source, id, (const char *)text.data,
		       text.len, &err) < 0) {
		status = cli_fail(cli, &err);
		if (err.code == OPS_ENOENT)
			status = CLI_NOTHING;
	}
	ops_buf_free(&text);
	return status;
}
