/* opseal checkpoint - what to keep elsewhere, so that it can be compared. */
#include <inttypes.h>
#include <stdio.h>

#include "base/buf.h"
#include "cli.h"
#include "merkle/checkpoint.h"
#include "merkle/note.h"
#include "source.h"
#include "store/store.h"

static int
read_note(struct vfs *v, const struct store_log *log, struct ops_buf *out,
    struct ops_err *err)
{
	struct checkpoint cp;
	char path[64];

	snprintf(path, sizeof(path), "log/%" PRIu32 "/checkpoint", log->n);
	if (vfs_read_file(v, path, NOTE_MAX, out, err) < 0)
		return -1;
	/* It was replaced since the store was opened, perhaps; but only by
	 * one that the same key signed. */
	if (checkpoint_open(
		(const char *)out->data, out->len, &log->key, &cp, err) < 0)
		return ops_context(err, "%s", path);
	return 0;
}

static int
print(const struct checkpoint_opts *o, struct vfs *v,
    const struct store_log *log, struct ops_err *err)
{
	struct ops_buf note = { .max = NOTE_MAX }, out = { .max = NOTE_MAX };
	int rc = 0;

	if (o->vkey) {
		note_vkey_put(&log->key, &out);
		ops_buf_put8(&out, '\n');
	} else {
		rc = read_note(v, log, &note, err);
		if (rc == 0 && o->anchor) {
			rc = checkpoint_anchor_put((const char *)note.data,
			    note.len, &log->key, &out, err);
			ops_buf_put8(&out, '\n');
		} else if (rc == 0) {
			ops_buf_put(&out, note.data, note.len);
		}
	}
	if (rc == 0)
		rc = ops_buf_check(&out, "checkpoint", err);
	if (rc == 0)
		cli_put(&out);
	ops_buf_free(&note);
	ops_buf_free(&out);
	return rc;
}

int
cmd_checkpoint(struct cli *cli, const void *opts, int argc, char **argv)
{
	const struct checkpoint_opts *o = opts;
	const struct store_log *logs;
	struct store *store = NULL;
	struct ops_err err = { 0 };
	struct vfs *v;
	int status = CLI_FINE;
	size_t n;

	(void)argc, (void)argv;
	if (o->vkey && o->anchor) {
		ops_fail(&err, OPS_EUSAGE, "--vkey or --anchor, not both");
		return cli_fail(cli, &err);
	}
	if (source_vfs(cli->source, false, &v, &err) < 0 ||
	    store_open(v, STORE_NO_WAL, &store, &err) < 0)
		return cli_fail(cli, &err);
	n = store_logs(store, &logs);
	if (n == 0 || (!o->vkey && logs[n - 1].sealed.size == 0)) {
		cli_note(cli, "nothing is sealed yet");
		status = CLI_NOTHING;
	} else if (print(o, v, &logs[n - 1], &err) < 0) {
		status = cli_fail(cli, &err);
	}
	store_free(store);
	return status;
}
