#include "checkcopy.h"

#include <inttypes.h>
#include <string.h>

#include "base/text.h"
#include "describe.h"
#include "merkle/checkpoint.h"
#include "store/check.h"
#include "store/store.h"

#define OUT_MAX (1u << 20)

static void
put_finding(void *arg, const struct finding *f)
{
	struct ops_buf out = { .max = OUT_MAX };

	(void)arg;
	if (!finding_fails(f->kind))
		return;
	describe_finding(&out, f);
	ops_buf_put8(&out, '\n');
	cli_put(&out);
	ops_buf_free(&out);
}

/* The note as something to check against: of the log that it names. */
static int
anchor_of(struct vfs *v, const struct ops_buf *note,
    struct checkpoint_anchor *ret, struct ops_err *err)
{
	struct ops_buf line = { .max = CHECKPOINT_ANCHOR_MAX };
	const struct store_log *logs;
	struct store *s;
	size_t n;
	int rc = -1;

	if (store_open(v, STORE_NO_WAL, &s, err) < 0)
		return -1;
	n = store_logs(s, &logs);
	for (size_t i = n; rc < 0 && i > 0; i--)
		rc = checkpoint_anchor_put((const char *)note->data, note->len,
		    &logs[i - 1].key, &line, err);
	store_free(s);
	if (rc == 0 && checkpoint_anchor_parse(
			   (const char *)line.data, line.len, ret, err) != 1)
		rc = ops_fail(err, OPS_EFORMAT, "the checkpoint is none");
	ops_buf_free(&line);
	return rc;
}

static void
put_result(const struct check_result *r, struct ops_buf *out)
{
	char stored[24];

	describe_bytes(r->stored_bytes, stored);
	ops_buf_printf(out, "%s: %" PRIu64 " leaves, ",
	    r->fails > 0 ? "FAILED" : "ok", r->leaves);
	describe_count(out, r->frames, "frame");
	ops_buf_printf(out, " (%s), ", stored);
	describe_count(out, r->sessions, "session");
	ops_buf_puts(out, " in ");
	describe_count(out, r->logs, "log");
	ops_buf_puts(out, "; ");
	describe_count(out, r->fails, "finding");
	ops_buf_printf(
	    out, " against it, %" PRIu64 " explained\n", r->explained);
	if (r->anchored) {
		ops_buf_printf(out, "Checked against size %" PRIu64 " of ",
		    r->anchor.size);
		ops_escape(out, r->anchor.origin, strlen(r->anchor.origin));
		ops_buf_puts(out, ", the store's newest checkpoint.\n");
	} else {
		ops_buf_puts(out,
		    "Anchored: no. Compare with a checkpoint kept elsewhere "
		    "(opseal verify --against).\n");
	}
}

int
checkcopy(struct cli *cli, struct vfs *v, const struct ops_buf *note,
    struct ops_err *err)
{
	struct ops_buf out = { .max = OUT_MAX };
	struct checkpoint_anchor anchor;
	struct check_result r = { 0 };
	struct check_opts o = { .found = put_finding, .arg = cli };

	if (note->len > 0) {
		if (anchor_of(v, note, &anchor, err) < 0)
			return -1;
		o.anchors = &anchor;
		o.n_anchors = 1;
	}
	if (check_store(v, &o, &r, err) < 0)
		return -1;
	put_result(&r, &out);
	cli_put(&out);
	ops_buf_free(&out);
	return r.fails > 0 ? CLI_TAMPER : CLI_FINE;
}
