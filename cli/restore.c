/* opseal restore - a backup, or a snapshot, becomes a store. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "checkcopy.h"
#include "cli.h"
#include "store/backup.h"

/* What is made is the store's owner's. */
static uid_t owner_uid;
static gid_t owner_gid;

static int
own(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)kind, (void)ftw;
	if (st->st_uid == owner_uid && st->st_gid == owner_gid)
		return 0;
	return lchown(path, owner_uid, owner_gid);
}

static int
open_target(const char *path, struct vfs **ret, struct ops_err *err)
{
	struct vfs_names names;
	size_t n;

	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return ops_fail_errno(err, "%.200s", path);
	if (vfs_dir_new(path, ret, err) < 0)
		return -1;
	if (vfs_lock(*ret, NULL) < 0)
		return ops_fail(err, OPS_EBUSY,
		    "%.200s is in use: stop opseald first", path);
	if (vfs_list(*ret, "", &names, err) < 0)
		return -1;
	n = names.n;
	vfs_names_free(&names);
	return n == 0 ? 0
		      : ops_fail(err, OPS_EUSAGE,
			    "%.200s is not empty: move what is in it away, or "
			    "name another folder with --store",
			    path);
}

static int
give_away(const char *path, struct ops_err *err)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return ops_fail_errno(err, "%.200s", path);
	owner_uid = st.st_uid;
	owner_gid = st.st_gid;
	if (nftw(path, own, 16, FTW_PHYS) != 0)
		return ops_fail_errno(err, "%.200s: its owner", path);
	return 0;
}

int
cmd_restore(struct cli *cli, const void *opts, int argc, char **argv)
{
	static const struct ops_buf none = { 0 };
	struct vfs *from = NULL, *to = NULL;
	struct ops_err err = { 0 };
	int status = -1;

	(void)opts, (void)argc;
	if (vfs_dir_new(argv[0], &from, &err) == 0 &&
	    open_target(cli->store_dir, &to, &err) == 0)
		status = checkcopy(cli, from, &none, &err);
	if (status == CLI_TAMPER) {
		cli_note(cli, "%s does not verify, so nothing was restored",
		    argv[0]);
	} else if (status < 0 || backup_restore(from, to, &err) < 0 ||
		   give_away(cli->store_dir, &err) < 0) {
		status = cli_fail(cli, &err);
	} else {
		status = checkcopy(cli, to, &none, &err);
		if (status < 0)
			status = cli_fail(cli, &err);
		else
			cli_note(cli,
			    "restored to %s; keys are in no backup, so the "
			    "next start of opseald opens a successor log",
			    cli->store_dir);
	}
	vfs_free(from);
	vfs_free(to);
	return status;
}
