#include "loghint.h"

#include <pwd.h>
#include <stdio.h>
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
	return strncmp(word, "pts/", 4) == 0 || strncmp(word, "tty", 3) == 0;
}

int
loghint_words(int argc, char **argv, struct ops_err *err)
{
	char text[160] = "";
	size_t n = 0;

	for (int i = 0; i < argc && n < sizeof(text); i++) {
		const char *as = is_user(argv[i])  ? "--user "
				 : is_tty(argv[i]) ? "--tty "
						   : "";
		int k = snprintf(
		    text + n, sizeof(text) - n, " %s%.32s", as, argv[i]);

		n += k > 0 ? (size_t)k : 0;
	}
	return ops_fail(err, OPS_EUSAGE,
	    "one PROGRAM, and the rest as options: opseal log%s", text);
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
