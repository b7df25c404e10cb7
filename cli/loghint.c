#include "loghint.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "source.h"

static bool
is_user(const char *word)
{
	return getpwnam(word) != NULL;
}

static bool
is_tty(const char *word)
{
	if (strncmp(word, "/dev/", 5) == 0)
		word += 5;
	return strncmp(word, "pts/", 4) == 0 || strncmp(word, "tty", 3) == 0;
}

/* What a word stands for. */
enum meaning { PROGRAM, USER, TTY, EXE, MEANINGS };

/* In a message, and in front of the word. */
static const struct {
	const char *name, *option;
} meanings[MEANINGS] = {
	[PROGRAM] = { "PROGRAM", "" },
	[USER] = { "--user", "--user " },
	[TTY] = { "--tty", "--tty " },
	[EXE] = { "--exe", "--exe " },
};

static enum meaning
meaning_of(const char *word)
{
	if (is_user(word))
		return USER;
	if (is_tty(word))
		return TTY;
	return strchr(word, '/') != NULL ? EXE : PROGRAM;
}

/* Two of a kind can't be said at once. */
static int
check_kinds(int argc, char **argv, struct ops_err *err)
{
	const char *first[MEANINGS] = { NULL };

	for (int i = 0; i < argc; i++) {
		enum meaning m = meaning_of(argv[i]);

		if (first[m] != NULL)
			return ops_fail(err, OPS_EUSAGE,
			    "one %s at a time, not %.32s and %.32s",
			    meanings[m].name, first[m], argv[i]);
		first[m] = argv[i];
	}
	return 0;
}

int
loghint_words(int argc, char **argv, struct ops_err *err)
{
	char text[160] = "";
	size_t n = 0;

	if (check_kinds(argc, argv, err) < 0)
		return -1;
	for (int i = 0; i < argc && n < sizeof(text); i++) {
		int k = snprintf(text + n, sizeof(text) - n, " %s%.32s",
		    meanings[meaning_of(argv[i])].option, argv[i]);

		n += k > 0 ? (size_t)k : 0;
	}
	return ops_fail(err, OPS_EUSAGE,
	    "one PROGRAM, and the rest as options: opseal log%s", text);
}

int
loghint_path(const char *name, struct ops_err *err)
{
	char *path;

	if (meaning_of(name) != EXE)
		return 0;
	/* A program is known by its file, not by a link to it. */
	path = realpath(name, NULL);
	ops_fail(err, OPS_EUSAGE,
	    "PROGRAM is a name without its folder; for a path: opseal log "
	    "--exe %.160s",
	    path != NULL ? path : name);
	free(path);
	return -1;
}

void
loghint_nothing(const struct cli *cli, const char *name)
{
	if (name != NULL && is_user(name))
		cli_note(cli,
		    "no programs named %.64s; --user %.64s shows what %.64s "
		    "ran",
		    name, name, name);
	else if (name != NULL && is_tty(name))
		cli_note(cli,
		    "no programs named %.64s; --tty %.64s shows what ran there",
		    name, name);
	else if (name != NULL && meaning_of(name) == EXE)
		cli_note(cli,
		    "no programs named %.64s; --exe %.64s shows what ran from "
		    "that file",
		    name, name);
	else
		cli_note(cli, "no programs");
}

void
loghint_capture(const struct cli *cli)
{
	struct ops_buf answer = { .max = 1u << 20 };
	struct proto_status s;

	/* No daemon, or one that doesn't tell us: no harm. */
	if (source_status(cli->source, &answer, &s, NULL) == 0 &&
	    s.capture != CAPTURE_ON)
		cli_note(cli,
		    "programs are not captured here: %.*s; see opseal status",
		    (int)s.capture_text.n, (const char *)s.capture_text.p);
	ops_buf_free(&answer);
}
