/* opseal import - other recorders' files into the log, marked as what they are. */
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/text.h"
#include "cli.h"
#include "import.h"
#include "record/import.h"
#include "source.h"

static const struct {
	const char *name;
	int max_args; /* after the name */
	int (*run)(struct cli *cli, const struct import_opts *o, int argc,
	    char **argv, struct ops_err *err);
} kinds[] = {
	{ "typescript", 2, import_typescript },
	{ "acct", 1, import_acct },
};

/* Of one that was broken off the rest is still to be had. */
static bool
is_of(const struct session *s, const struct import *file)
{
	struct import i;

	return session_imported(s) && s->has_close &&
	       s->close.state == CLOSE_CLOSED &&
	       import_get(s->open.import.p, s->open.import.n, &i, NULL) == 0 &&
	       i.format == file->format &&
	       memcmp(i.sha256, file->sha256, OPS_HASH_LEN) == 0 &&
	       memcmp(i.timing_sha256, file->timing_sha256, OPS_HASH_LEN) == 0;
}

/* Where the log can't be read that is no reason against it: the file may be new. */
static int
is_new(struct cli *cli, const struct import *info, struct ops_err *err)
{
	const struct session_filter all = { 0 };
	struct session_list l = { 0 };
	const struct session *earlier = NULL;
	char time[OPS_TIME_TEXT];

	if (source_open(cli, &cli->source, NULL) < 0 ||
	    source_sessions(cli, &all, false, &l, NULL) < 0)
		return 0;
	for (size_t i = 0; i < l.n; i++)
		if (is_of(&l.s[i], info) &&
		    (earlier == NULL || l.s[i].logged >= earlier->logged))
			earlier = &l.s[i];
	if (earlier != NULL) {
		ops_time_short(earlier->logged, cli->global.utc, time);
		ops_fail(err, OPS_EUSAGE,
		    "this file was imported already, as session %s on %s; "
		    "--again imports it once more",
		    earlier->id_text, time);
	}
	session_list_free(&l);
	return earlier != NULL ? -1 : 0;
}

int
import_hand_over(struct cli *cli, const struct import_opts *o,
    const struct import *info,
    int (*put)(void *file, struct importer *im, struct ops_err *err),
    void *file, struct ops_err *err)
{
	char id[OPS_ID_TEXT_LEN + 1];
	struct importer *im;
	int rc;

	if (importer_new(cli->run_dir, &im, err) < 0)
		return -1;
	rc = o->again ? 0 : is_new(cli, info, err);
	if (rc == 0)
		rc = put(file, im, err);
	ops_id_text(importer_id(im), id);
	if (rc == 0)
		printf("%s\n", id);
	else if (importer_ending(im))
		cli_note(cli,
		    "session %s may still become whole: look at `opseal ls "
		    "--source import` before you import it again",
		    id);
	else if (importer_begun(im))
		cli_note(cli,
		    "session %s may be in the log in part: it is lost there, "
		    "and not imported",
		    id);
	importer_free(im);
	return rc;
}

int
cmd_import(struct cli *cli, const void *opts, int argc, char **argv)
{
	const char *words[OPS_ARRAY_LEN(kinds)], *near;
	struct ops_err err = { 0 };

	for (size_t i = 0; i < OPS_ARRAY_LEN(kinds); i++) {
		words[i] = kinds[i].name;
		if (strcmp(argv[0], words[i]) != 0)
			continue;
		if (argc - 1 > kinds[i].max_args)
			ops_fail(&err, OPS_EUSAGE,
			    "unexpected argument \"%.60s\"",
			    argv[1 + kinds[i].max_args]);
		else if (kinds[i].run(cli, opts, argc - 1, argv + 1, &err) == 0)
			return CLI_FINE;
		return cli_fail(cli, &err);
	}
	near = opt_nearest(argv[0], words, OPS_ARRAY_LEN(words));
	ops_fail(&err, OPS_EUSAGE,
	    "unknown kind of file \"%.40s\"%s%s%s; opseal import --help lists "
	    "them",
	    argv[0], near != NULL ? "; did you mean " : "",
	    near != NULL ? near : "", near != NULL ? "?" : "");
	return cli_fail(cli, &err);
}
