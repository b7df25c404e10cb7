/* opseal import - other recorders' files into the log, marked as what they are. */
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/text.h"
#include "cli.h"
#include "import.h"

static const struct {
	const char *name;
	int max_args; /* after the name */
	int (*run)(struct cli *cli, int argc, char **argv, struct ops_err *err);
} kinds[] = {
	{ "typescript", 2, import_typescript },
	{ "acct", 1, import_acct },
};

int
import_hand_over(const struct cli *cli,
    int (*put)(void *file, struct importer *im, struct ops_err *err),
    void *file, struct ops_err *err)
{
	char id[OPS_ID_TEXT_LEN + 1];
	struct importer *im;
	int rc;

	if (importer_new(cli->run_dir, &im, err) < 0)
		return -1;
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

	(void)opts;
	for (size_t i = 0; i < OPS_ARRAY_LEN(kinds); i++) {
		words[i] = kinds[i].name;
		if (strcmp(argv[0], words[i]) != 0)
			continue;
		if (argc - 1 > kinds[i].max_args)
			ops_fail(&err, OPS_EUSAGE,
			    "unexpected argument \"%.60s\"",
			    argv[1 + kinds[i].max_args]);
		else if (kinds[i].run(cli, argc - 1, argv + 1, &err) == 0)
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
