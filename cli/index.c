/*
 * opseal index - bring the index up to date, or make it anew.
 *
 * It needs the store's folder, so it is for root and for the store's own user.
 * Where a daemon runs, the index is the daemon's: it is asked, by a file that
 * its role looks for.
 */
#include "index/indexer.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/leaks.h"
#include "cli.h"
#include "index/lookup.h"
#include "store/vfs.h"

#define LOOK_MS 200 /* at what the daemon does */

/* What root makes must be the daemon's to change. */
static int
become_owner(const char *store, struct ops_err *err)
{
	struct stat st;

	if (stat(store, &st) < 0)
		return ops_fail_errno(err, "%.100s", store);
	if (geteuid() != 0 || st.st_uid == 0)
		return 0;
	ops_leaks_unseen();
	if (setegid(st.st_gid) < 0 || seteuid(st.st_uid) < 0)
		return ops_fail_errno(err, "becoming the store's owner");
	return 0;
}

/* -- how far it is -- */

static bool
show_progress(void *arg, uint64_t done, uint64_t of)
{
	(void)arg;
	if (isatty(STDERR_FILENO)) {
		(void)fprintf(
		    stderr, "\r%" PRIu64 " of %" PRIu64 " records", done, of);
		if (done == of)
			(void)fprintf(stderr, "\n");
	}
	return true;
}

static void
say_anew(void *arg, const char *why)
{
	cli_note(arg, "%s; making it anew", why);
}

static int
print_status(struct cli *cli, struct vfs *v, struct ops_err *err)
{
	struct ops_buf out = { .max = 4096 };
	struct lookup_reach r;
	struct ops_err why = { 0 };
	int status = CLI_FINE;
	int rc = lookup_reach(cli->store_dir, v, &r, &why, err);

	if (rc < 0)
		return -1;
	if (rc == 1) {
		ops_buf_printf(&out,
		    "%" PRIu64 " programs; %" PRIu64 " of %" PRIu64
		    " sealed records, %" PRIu64 " not sealed yet; %" PRIu64
		    " bytes\n",
		    r.programs, r.done, r.sealed, r.all - r.sealed, r.bytes);
		cli_put(&out);
	} else {
		cli_note(cli, "no index: %s", why.msg);
		status = CLI_NOTHING;
	}
	ops_buf_free(&out);
	return status;
}

/* -- doing it -- */

static int
make_index(struct cli *cli, struct indexer *x, struct vfs *v, bool anew,
    struct ops_err *err)
{
	const struct indexer_calls calls = { show_progress, say_anew, cli };

	if ((anew && indexer_forget(x, err) < 0) ||
	    indexer_update(x, v, &calls, err) < 0)
		return -1;
	return anew ? indexer_answer(cli->store_dir, err) : 0;
}

/* It is the daemon's: ask, and wait until it has done so.  1: there is no daemon any
 * more, and *ret is ours. */
static int
ask_daemon(struct cli *cli, struct indexer **ret, struct ops_err *err)
{
	const struct timespec nap = { 0, LOOK_MS * 1000000L };

	if (indexer_ask(cli->store_dir, err) < 0)
		return -1;
	cli_note(cli, "the daemon makes it anew; this may be left alone");
	while (indexer_is_asked(cli->store_dir)) {
		(void)nanosleep(&nap, NULL);
		if (indexer_new(cli->store_dir, ret, NULL) == 0)
			return 1;
	}
	return 0;
}

int
cmd_index(struct cli *cli, const void *opts, int argc, char **argv)
{
	const struct index_opts *o = opts;
	struct indexer *x = NULL;
	struct vfs *v = NULL;
	struct ops_err err = { 0 };
	int status = CLI_FINE;

	(void)argc, (void)argv;
	if (o->rebuild && o->status) {
		ops_fail(&err, OPS_EUSAGE, "--rebuild or --status, not both");
		return cli_fail(cli, &err);
	}
	if (become_owner(cli->store_dir, &err) < 0 ||
	    vfs_dir_new(cli->store_dir, &v, &err) < 0) {
		status = cli_fail(cli, &err);
	} else if (o->status) {
		status = print_status(cli, v, &err);
	} else if (indexer_new(cli->store_dir, &x, &err) == 0) {
		status = make_index(cli, x, v, o->rebuild, &err);
	} else if (err.code != OPS_EBUSY) {
		status = -1;
	} else if (o->rebuild) {
		status = ask_daemon(cli, &x, &err);
		if (status == 1)
			status = make_index(cli, x, v, true, &err);
	} else {
		cli_note(cli, "somebody else keeps it up to date");
	}
	if (status < 0)
		status = cli_fail(cli, &err);
	indexer_free(x);
	vfs_free(v);
	return status;
}
