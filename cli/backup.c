/* opseal backup - a copy of the store that verifies by itself. */
#include "store/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"
#include "checkcopy.h"
#include "cli.h"
#include "describe.h"
#include "source.h"

#define OUT_MAX (1u << 20)
#define SEAL_LOOKS 100 /* for a seal, */
#define SEAL_NAP 50    /* ms apart: 5 s; then what is sealed will do */

/* -- until what is recorded now is sealed -- */

static int
status_of(struct cli *cli, struct ops_buf *b, struct proto_status *s,
    struct ops_err *err)
{
	ops_buf_reset(b);
	return source_status(cli->source, b, s, err);
}

/*
 * That everything is about to be read is a record of the log, so a seal comes by
 * itself.  What it covers is what was recorded before.
 */
static int
announce(struct cli *cli, struct vfs **ret, struct ops_err *err)
{
	const struct timespec nap = { 0, SEAL_NAP * 1000000L };
	struct ops_buf b = { .max = OUT_MAX };
	struct proto_status before = { 0 }, now = { 0 };
	bool daemon = source_is_daemon(cli->source);
	int rc = daemon ? status_of(cli, &b, &before, err) : 0;

	if (rc == 0)
		rc = source_vfs(cli->source, true, ret, err);
	for (int i = 0; rc == 0 && daemon && i < SEAL_LOOKS; i++) {
		rc = status_of(cli, &b, &now, err);
		if (now.sealed_size > before.sealed_size)
			break;
		(void)nanosleep(&nap, NULL);
	}
	ops_buf_free(&b);
	return rc;
}

static void
tell_unsealed(struct cli *cli)
{
	struct ops_buf b = { .max = OUT_MAX };
	struct proto_status s;

	if (source_is_daemon(cli->source) &&
	    status_of(cli, &b, &s, NULL) == 0 && s.unsealed > 0)
		cli_note(cli,
		    "%" PRIu64 " newest records were not sealed yet, and are "
		    "not in it",
		    s.unsealed);
	ops_buf_free(&b);
}

/* -- the folder -- */

static int
open_target(const char *path, struct vfs **ret, struct ops_err *err)
{
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return ops_fail_errno(err, "%.200s", path);
	if (vfs_dir_new(path, ret, err) < 0)
		return -1;
	if (vfs_lock(*ret, NULL) == 0)
		return 0;
	vfs_free(*ret);
	*ret = NULL;
	return ops_fail(err, OPS_EBUSY,
	    "%.200s is in use: by another backup, or it is a store", path);
}

/* The name of a new folder is durable, too. */
static void
sync_parent(const char *path)
{
	char up[4096];
	int fd;

	if ((size_t)snprintf(up, sizeof(up), "%s/..", path) >= sizeof(up))
		return;
	fd = open(up, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return;
	(void)fsync(fd);
	close(fd);
}

/* -- the result -- */

static void
put_counts(const struct backup_result *r, struct ops_buf *out)
{
	char bytes[24];

	describe_count(out, r->copied, "file");
	describe_bytes(r->copied_bytes, bytes);
	ops_buf_printf(out, " (%s) copied, ", bytes);
	describe_bytes(r->kept_bytes, bytes);
	ops_buf_printf(out, "%" PRIu64 " (%s) were there", r->kept, bytes);
	if (r->expired > 0)
		ops_buf_printf(
		    out, ", %" PRIu64 " have expired and went", r->expired);
	if (r->left > 0)
		ops_buf_printf(out,
		    ", %" PRIu64 " have expired and are left (--expire)",
		    r->left);
	ops_buf_puts(out, "\n");
}

int
cmd_backup(struct cli *cli, const void *opts, int argc, char **argv)
{
	const struct backup_opts *o = opts;
	struct ops_buf note = { .max = NOTE_MAX }, out = { .max = OUT_MAX };
	struct backup_result r;
	struct ops_err err = { 0 };
	struct vfs *from = NULL, *to = NULL;
	int status = CLI_TROUBLE;

	(void)argc;
	if (open_target(argv[0], &to, &err) < 0 ||
	    announce(cli, &from, &err) < 0 ||
	    backup_make(from, to, o->expire, &note, &r, &err) < 0) {
		status = cli_fail(cli, &err);
	} else {
		sync_parent(argv[0]);
		put_counts(&r, &out);
		cli_put(&out);
		status = checkcopy(cli, to, &note, &err);
		if (status < 0)
			status = cli_fail(cli, &err);
		tell_unsealed(cli);
	}
	vfs_free(to);
	ops_buf_free(&note);
	ops_buf_free(&out);
	return status;
}
