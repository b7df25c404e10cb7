/* opseal - see, replay, prove: what was asked for is found, and run. */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/text.h"
#include "cli.h"
#include "commands.h"
#include "complete.h"
#include "installed.h"
#include "pager.h"
#include "source.h"

#define DEFAULT_STORE "/var/lib/opseal"
#define DEFAULT_RUN "/run/opseal"
#define WIDTH_MIN 20 /* columns: less than this is no terminal for tables */

static void
note_line(const struct cli *cli, const char *text)
{
	struct ops_buf b = { .max = 8192 };

	ops_escape(&b, text, strlen(text));
	fflush(stdout);
	fprintf(stderr, "opseal%s%s: %.*s\n", cli->cmd != NULL ? " " : "",
	    cli->cmd != NULL ? cli->cmd->name : "", (int)b.len,
	    b.len > 0 ? (const char *)b.data : "");
	ops_buf_free(&b);
}

int
cli_fail(const struct cli *cli, const struct ops_err *err)
{
	note_line(cli, err->msg);
	switch (err->code) {
	case OPS_EPERM:
		return CLI_PERM;
	case OPS_ETAMPER:
		return CLI_TAMPER;
	case OPS_OK:
	case OPS_EIO:
	case OPS_ENOMEM:
	case OPS_ETRUNC:
	case OPS_EFORMAT:
	case OPS_ENEWER:
	case OPS_ENOENT:
	case OPS_EBUSY:
	case OPS_EUSAGE:
	case OPS_EUNAVAIL:
		break;
	}
	return CLI_TROUBLE;
}

void
cli_note(const struct cli *cli, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	note_line(cli, text);
}

void
cli_partial(struct cli *cli, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	note_line(cli, text);
	cli->partial = true;
}

int
cli_check_span(
    const struct cli *cli, uint64_t since, uint64_t until, struct ops_err *err)
{
	char from[OPS_TIME_TEXT], to[OPS_TIME_TEXT];

	if (until == 0 || since <= until)
		return 0;
	ops_time_short(since, cli->global.utc, from);
	ops_time_short(until, cli->global.utc, to);
	return ops_fail(err, OPS_EUSAGE,
	    "--since %s is later than --until %s: nothing is between them",
	    from, to);
}

void
cli_put(struct ops_buf *b)
{
	if (b->len > 0)
		fwrite(b->data, 1, b->len, stdout);
	ops_buf_reset(b);
}

/* -- choosing and running -- */

static int
check_count(const struct command *c, int n, char **args, struct ops_err *err)
{
	if (n < c->min_args)
		return ops_fail(err, OPS_EUSAGE,
		    "%s is missing; usage: opseal %s %s", c->args, c->name,
		    c->args);
	if (c->max_args >= 0 && n > c->max_args)
		return ops_fail(err, OPS_EUSAGE,
		    "unexpected argument \"%.60s\"", args[c->max_args]);
	return 0;
}

/* Named on the command line, it is meant for this command; the variable is for
 * all of them. */
static int
check_store(const struct cli *cli, struct ops_err *err)
{
	if (!(cli->cmd->needs & NO_STORE) || cli->global.store == NULL)
		return 0;
	return ops_fail(err, OPS_EUSAGE,
	    "--store names a store to read, but this asks a daemon; --run "
	    "says which");
}

/* An empty variable is one that isn't set. */
static const char *
environment(const char *name)
{
	const char *s = getenv(name);

	return s != NULL && s[0] != '\0' ? s : NULL;
}

void
cli_places(struct cli *cli)
{
	const char *store = environment("OPSEAL_STORE");
	const char *run = environment("OPSEAL_RUN");
	const struct global_opts *g = &cli->global;

	cli->direct = g->store != NULL ||
		      (store != NULL && g->run == NULL && run == NULL);
	cli->store_dir = g->store != NULL ? g->store
			 : store != NULL  ? store
					  : DEFAULT_STORE;
	cli->run_dir = g->run != NULL ? g->run
		       : run != NULL  ? run
				      : DEFAULT_RUN;
}

static void
set_terminal(struct cli *cli)
{
	const char *columns = environment("COLUMNS");
	struct winsize ws;
	unsigned long n = columns != NULL ? strtoul(columns, NULL, 10) : 0;

	/* What is piped or kept is read by programs, or later: all of it. */
	if (!isatty(STDOUT_FILENO))
		return;
	cli->width = 120;
	if (n > WIDTH_MIN && n < UINT32_MAX)
		cli->width = (unsigned)n;
	else if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) == 0 &&
		 ws.ws_col > WIDTH_MIN)
		cli->width = ws.ws_col;
	cli->colour = environment("NO_COLOR") == NULL;
}

/* What was printed must have arrived: a full disk is trouble. */
static int
finish_stdout(const struct cli *cli, int status)
{
	int lost = ferror(stdout);

	errno = 0;
	if (fflush(stdout) != 0 || lost) {
		if (errno != EPIPE) {
			struct ops_err err = { .code = OPS_EIO };

			ops_fail_errno(&err, "stdout");
			status = cli_fail(cli, &err);
		}
	}
	return status;
}

static int
run_command(struct cli *cli, void *values, int argc, char **argv)
{
	const struct command *c = cli->cmd;
	struct pager *pager = NULL;
	struct ops_err err = { 0 };
	int status;

	if (c->needs & NEED_DAEMON)
		cli->direct = false;
	if ((c->needs & (NEED_STORE | NEED_DAEMON)) != 0 &&
	    source_open(cli, &cli->source, &err) < 0)
		return cli_fail(cli, &err);
	if ((c->needs & NEED_PAGER) != 0 && !cli->global.no_pager &&
	    !(c->endless != 0 && ((const bool *)values)[c->endless]))
		pager = pager_start();
	status = c->run(cli, values, argc, argv);
	if ((status == CLI_FINE || status == CLI_NOTHING) && cli->partial)
		status = CLI_PARTIAL;
	status = finish_stdout(cli, status);
	if (pager_end(pager) < 0)
		status = CLI_TROUBLE;
	source_free(cli->source);
	return status;
}

/* Words that aren't commands but answered here.  -1: none of them. */
static int
run_special(struct cli *cli, int argc, char **argv)
{
	const struct command *c, *all;
	struct ops_err err = { 0 };
	size_t n;

	if (strcmp(argv[0], "__table") == 0) {
		commands_table();
	} else if (strcmp(argv[0], "__complete") == 0) {
		all = commands_all(&n);
		return complete_words(
		    cli, all, n, commands_global, argc - 1, argv + 1);
	} else if (strcmp(argv[0], "help") == 0 && argc == 1) {
		commands_help(stdout);
	} else if (strcmp(argv[0], "help") == 0) {
		c = commands_find(argv[1], &err);
		if (c == NULL)
			return cli_fail(cli, &err);
		commands_help_of(stdout, c);
	} else {
		return -1;
	}
	return finish_stdout(cli, CLI_FINE);
}

static int
run_words(struct cli *cli, int argc, char **argv)
{
	const struct opt_set global = { commands_global, &cli->global };
	struct ops_err err = { 0 };
	union {
		struct ls_opts ls;
		struct log_opts log;
		struct play_opts play;
		struct export_opts export;
		struct verify_opts verify;
		struct setup_opts setup;
	} values = { 0 };
	int rest, n;

	n = run_special(cli, argc, argv);
	if (n >= 0)
		return n;
	cli->cmd = commands_find(argv[0], &err);
	if (cli->cmd == NULL)
		return cli_fail(cli, &err);
	if (!(cli->cmd->needs & OWN_SIGPIPE))
		signal(SIGPIPE, SIG_DFL);
	if (opt_parse(argc, argv,
		(const struct opt_set[2]){
		    { cli->cmd->opts, &values }, global },
		(cli->cmd->needs & ARGS_RAW) != 0, &rest, &err) < 0)
		return cli_fail(cli, &err);
	if (cli->global.help) {
		commands_help_of(stdout, cli->cmd);
		return finish_stdout(cli, CLI_FINE);
	}
	if (check_count(cli->cmd, argc - rest, argv + rest, &err) < 0 ||
	    check_store(cli, &err) < 0)
		return cli_fail(cli, &err);
	cli_places(cli);
	set_terminal(cli);
	return run_command(cli, &values, argc - rest, argv + rest);
}

int
main(int argc, char **argv)
{
	struct cli cli = { .cmd = NULL };
	const struct opt_set sets[2] = { { commands_global, &cli.global },
		{ NULL, NULL } };
	struct ops_err err = { 0 };
	int rest;

	if (argc < 1 || opt_parse(argc, argv, sets, true, &rest, &err) < 0)
		return cli_fail(&cli, &err);
	if (cli.global.version) {
		puts("opseal " OPSEAL_VERSION);
		return finish_stdout(&cli, CLI_FINE);
	}
	if (cli.global.help) {
		commands_help(stdout);
		return finish_stdout(&cli, CLI_FINE);
	}
	if (rest == argc) {
		ops_fail(
		    &err, OPS_EUSAGE, "no command; opseal --help lists them");
		return cli_fail(&cli, &err);
	}
	return run_words(&cli, argc - rest, argv + rest);
}
