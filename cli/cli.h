/*
 * cli - what the commands of opseal share: the table row, the options, the
 * exit statuses, and what main() got ready for them.
 *
 * A command is one file and one row in main.c.  Its options are a table too;
 * help, completion and the check of the man page are made from the tables.
 * run() prints its output on stdout, gives an exit status, and leaves errors
 * to cli_fail().
 */
#ifndef OPS_CLI_H
#define OPS_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "opt.h"

/* Design section 7. */
enum cli_exit {
	CLI_FINE = 0,
	CLI_NOTHING = 1, /* nothing found */
	CLI_TROUBLE = 2, /* usage or trouble */
	CLI_TAMPER = 3,  /* verification failed */
	CLI_PERM = 4,    /* not permitted */
	CLI_PARTIAL = 5, /* answered, but parts are missing */
};

/* What main() gets ready before a command runs. */
enum need {
	NEED_STORE = 1 << 0, /* cli->source is open: a folder or the daemon */
	NEED_DAEMON =
	    1 << 1, /* cli->source is the daemon, whatever --store says */
	NEED_PAGER = 1 << 2,  /* page long output on a terminal */
	OWN_SIGPIPE = 1 << 3, /* leave the signal as it was inherited */
	ARGS_RAW = 1 << 4,    /* options end at the first argument */
	NO_STORE = 1 << 5,    /* --store is refused: only a daemon can do it */
};

enum cli_group { GROUP_SEE, GROUP_SEARCH, GROUP_PROVE, GROUP_RUN, GROUP_KEEP };

struct cli;

struct command {
	const char *name;
	enum cli_group group;
	const char *args;    /* after the options, in the usage line */
	const char *summary; /* one line, no full stop */
	const char *more;    /* lines of its help after the options, or NULL */
	unsigned needs;      /* enum need */
	int min_args, max_args; /* -1: any number */
	const struct opt *opts; /* up to a row without a name */
	size_t opts_size;       /* of the struct their offsets are in */
	size_t
	    endless; /* of a bool in it: then there is no end to page; 0: none */
	/* opts: that struct, filled in.  argv: the arguments, NULL at the end. */
	int (*run)(struct cli *cli, const void *opts, int argc, char **argv);
};

/* Options of every command. */
struct global_opts {
	const char *store;
	const char *run;
	bool utc;
	bool no_pager;
	bool help;
	bool version;
};

struct cli {
	const struct command *cmd;
	struct global_opts global;
	const char *store_dir; /* as told, or the default */
	const char *run_dir;
	bool direct; /* the store was named: no daemon is asked */
	bool colour;
	unsigned width; /* columns for tables; 0: stdout is no terminal */
	bool partial;   /* cli_partial() was called */
	struct source *source;
};

/* Print "opseal COMMAND: message" on stderr, one line, and give the status. */
int cli_fail(const struct cli *cli, const struct ops_err *err);
/* A line on stderr, escaped, that isn't an error. */
void cli_note(const struct cli *cli, const char *fmt, ...) OPS_PRINTF(2, 3);
/* The same, of something that the answer lacks: what would have been CLI_FINE, or
 * CLI_NOTHING, is CLI_PARTIAL. */
void cli_partial(struct cli *cli, const char *fmt, ...) OPS_PRINTF(2, 3);
/* OPS_EUSAGE if --since is later than --until; 0: it was not given. */
int cli_check_span(
    const struct cli *cli, uint64_t since, uint64_t until, struct ops_err *err);
/* Write b to stdout and empty it.  An error shows at the end (main). */
void cli_put(struct ops_buf *b);

/* Fill in where the store and the sockets are, as options and environment say. */
void cli_places(struct cli *cli);

/* -- the commands -- */
int cmd_record(struct cli *cli, const void *opts, int argc, char **argv);
int cmd_ls(struct cli *cli, const void *opts, int argc, char **argv);
int cmd_logins(struct cli *cli, const void *opts, int argc, char **argv);
int cmd_log(struct cli *cli, const void *opts, int argc, char **argv);
int cmd_show(struct cli *cli, const void *opts, int argc, char **argv);
int cmd_note(struct cli *cli, const void *opts, int argc, char **argv);
int cmd_play(struct cli *cli, const void *opts, int argc, char **argv);
int cmd_cat(struct cli *cli, const void *opts, int argc, char **argv);
int cmd_export(struct cli *cli, const void *opts, int argc, char **argv);
int cmd_verify(struct cli *cli, const void *opts, int argc, char **argv);
int cmd_checkpoint(struct cli *cli, const void *opts, int argc, char **argv);
int cmd_index(struct cli *cli, const void *opts, int argc, char **argv);
int cmd_import(struct cli *cli, const void *opts, int argc, char **argv);
int cmd_backup(struct cli *cli, const void *opts, int argc, char **argv);
int cmd_restore(struct cli *cli, const void *opts, int argc, char **argv);
int cmd_config(struct cli *cli, const void *opts, int argc, char **argv);
int cmd_status(struct cli *cli, const void *opts, int argc, char **argv);
int cmd_off(struct cli *cli, const void *opts, int argc, char **argv);
int cmd_on(struct cli *cli, const void *opts, int argc, char **argv);
int cmd_doctor(struct cli *cli, const void *opts, int argc, char **argv);
int cmd_setup(struct cli *cli, const void *opts, int argc, char **argv);
int cmd_unsetup(struct cli *cli, const void *opts, int argc, char **argv);

struct ls_opts {
	const char *user, *person, *command, *note, *source;
	uint64_t since, until;
	unsigned count;
	bool mine, active, reverse, json;
};
struct logins_opts {
	const char *user, *person;
	uint64_t since, until;
	unsigned count;
	bool mine, reverse, json;
};
struct log_opts {
	const char *user, *person, *euid, *session, *exe, *tty, *source;
	uint64_t since, until;
	unsigned count;
	bool failed, forks, tree, verbose, reverse, follow, json;
};
struct show_opts {
	bool json;
};
struct note_opts {
	const char *session;
};
struct play_opts {
	double speed;
	uint64_t max_idle;
	bool has_speed, has_max_idle, notes, no_tui;
};
struct export_opts {
	const char *format, *output, *timing, *timing_format;
	bool force;
};
struct verify_opts {
	const char *against;
	bool quick, json, report;
};
struct checkpoint_opts {
	bool vkey, anchor;
};
struct index_opts {
	bool rebuild, status;
};
struct import_opts {
	bool again;
};
struct backup_opts {
	bool expire;
};
struct config_opts {
	bool check, json;
};
struct doctor_opts {
	bool quick, report, json;
};
struct setup_opts {
	struct opt_list users, groups;
	const char *door, *print;
	bool root, sftp_server, dry_run, yes, check;
};
struct unsetup_opts {
	bool pam, dry_run, yes;
};
struct off_opts {
	const char *reason;
};
struct status_opts {
	uint64_t since, until;
	bool coverage, json, metrics;
};

#endif
