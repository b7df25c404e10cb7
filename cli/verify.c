/* opseal verify - check that nothing was changed, and say against what. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "anchors.h"
#include "base/clock.h"
#include "base/text.h"
#include "cli.h"
#include "describe.h"
#include "remote.h"
#include "screen.h"
#include "source.h"
#include "store/check.h"

#define OUT_MAX (1u << 20)

struct verify {
	struct cli *cli;
	const struct verify_opts *opts;
	const struct session *session; /* the one to check; NULL: all */
	struct anchors anchors;
	struct checkpoint_anchor *use; /* those of this store */
	size_t n_use;
	char first[240]; /* finding that fails, in words; "": none */
	uint64_t fails;
};

/* -- findings -- */

static void
put_finding(void *arg, const struct finding *f)
{
	struct verify *v = arg;
	struct ops_buf out = { .max = OUT_MAX };
	struct json j = { .out = &out };

	if (finding_fails(f->kind) && v->fails++ == 0)
		(void)snprintf(v->first, sizeof(v->first), "%s %s: %s",
		    finding_name(f->kind), f->where, f->detail);
	if (v->opts->json) {
		json_begin_object(&j);
		json_key(&j, "kind");
		json_str(&j, finding_name(f->kind));
		json_key(&j, "fails");
		json_bool(&j, finding_fails(f->kind));
		json_key(&j, "where");
		json_str(&j, f->where);
		json_key(&j, "detail");
		json_str(&j, f->detail);
		json_end_object(&j);
	} else {
		describe_finding(&out, f);
	}
	ops_buf_put8(&out, '\n');
	cli_put(&out);
	ops_buf_free(&out);
}

/* -- anchors -- */

/* "opseal/<store id>/<n>": up to the number it is the same for all logs of a
 * store. */
static bool
of_store(const char *origin, const struct store_log *logs, size_t n)
{
	const char *end = strrchr(origin, '/');
	size_t len = end != NULL ? (size_t)(end - origin) + 1 : strlen(origin);

	for (size_t i = 0; i < n; i++)
		if (strncmp(logs[i].key.name, origin, len) == 0)
			return true;
	return false;
}

/*
 * A journal holds lines of other stores too.  Those are left out.  What names
 * this store always goes to the check, also if its log isn't here or has
 * another key: somebody may have removed or replaced the log.  And where
 * nothing names it, all of it goes there: he may have replaced the store.
 */
static int
choose_anchors(struct verify *v, struct vfs *vfs, struct ops_err *err)
{
	const struct store_log *logs = NULL;
	struct store *store = NULL;
	size_t n_logs = 0;

	v->use = calloc(v->anchors.n, sizeof(*v->use));
	if (v->use == NULL)
		return ops_fail(err, OPS_ENOMEM, "checkpoints: no memory");
	if (store_open(vfs, STORE_NO_WAL, &store, NULL) == 0)
		n_logs = store_logs(store, &logs);
	for (size_t i = 0; i < v->anchors.n; i++)
		if (of_store(v->anchors.v[i].a.cp.origin, logs, n_logs))
			v->use[v->n_use++] = v->anchors.v[i].a;
	store_free(store);
	if (v->n_use > 0) {
		if (v->n_use < v->anchors.n)
			cli_note(v->cli,
			    "%zu of %zu checkpoints in %.100s are of other "
			    "stores",
			    v->anchors.n - v->n_use, v->anchors.n,
			    v->opts->against);
		return 0;
	}
	for (size_t i = 0; i < v->anchors.n; i++)
		v->use[v->n_use++] = v->anchors.v[i].a;
	return 0;
}

static int
load_anchors(struct verify *v, struct vfs *vfs, struct ops_err *err)
{
	const char *from = v->opts->against;

	if (from == NULL)
		return 0;
	if (anchors_load(from, &v->anchors, err) < 0)
		return -1;
	if (v->anchors.malformed > 0)
		cli_note(v->cli, "%zu malformed checkpoints in %.100s",
		    v->anchors.malformed, from);
	if (v->anchors.n == 0)
		return ops_fail(err, OPS_ENOENT,
		    "%.100s holds no checkpoint to check against", from);
	return choose_anchors(v, vfs, err);
}

/* When the checkpoint was remembered, if that stood beside it. */
static const char *
anchor_time(const struct verify *v, const struct checkpoint *cp)
{
	for (size_t i = 0; i < v->anchors.n; i++) {
		const struct anchor *a = &v->anchors.v[i];

		if (a->time[0] != '\0' && a->a.cp.size == cp->size &&
		    strcmp(a->a.cp.origin, cp->origin) == 0)
			return a->time;
	}
	return NULL;
}

static void
put_anchored(
    const struct verify *v, const struct check_result *r, struct ops_buf *out)
{
	const char *from = v->opts->against;
	const char *time;

	if (from != NULL && !r->anchored) {
		ops_buf_puts(out, "Anchored: NO. The log is not the one that ");
		ops_escape(out, from, strlen(from));
		ops_buf_puts(out, " remembers.\n");
		return;
	}
	if (from == NULL) {
		ops_buf_puts(out,
		    "Anchored: no. Root of this host could have rebuilt all "
		    "of it; compare with a checkpoint kept elsewhere (opseal "
		    "checkpoint).\n");
		return;
	}
	time = anchor_time(v, &r->anchor);
	ops_buf_printf(out, "Anchored: size %" PRIu64, r->anchor.size);
	if (time != NULL)
		ops_buf_printf(out, " of %s", time);
	ops_buf_puts(out, " (");
	ops_escape(out, from, strlen(from));
	ops_buf_puts(out, ")\n");
}

/* -- the result -- */

/* No frame of a session is nothing that went missing where it had none. */
static void
put_no_screen(
    const struct session *s, const struct check_result *r, struct ops_buf *out)
{
	ops_buf_printf(out, "Session %s ", s->id_text);
	if (s->open.kind == SESSION_COMMAND)
		ops_buf_puts(out,
		    "was recorded without a terminal: it has no screen, and ");
	else
		ops_buf_puts(out, "has shown nothing: ");
	describe_count(out, r->events, "event");
	ops_buf_puts(out, r->events == 1 ? " of it was checked.\n"
					 : " of it were checked.\n");
}

static void
put_summary(
    const struct verify *v, const struct check_result *r, struct ops_buf *out)
{
	char stored[24];

	describe_bytes(r->stored_bytes, stored);
	ops_buf_printf(out, "%s%s: %" PRIu64 " leaves, ",
	    r->fails > 0 ? "FAILED" : "ok", v->opts->quick ? " (quick)" : "",
	    r->leaves);
	describe_count(out, r->frames, "frame");
	ops_buf_printf(out, " (%s), ", stored);
	if (!v->opts->quick) {
		describe_count(out, r->records, "record");
		ops_buf_puts(out, ", ");
	}
	describe_count(out, r->sessions, "session");
	ops_buf_puts(out, " in ");
	describe_count(out, r->logs, "log");
	if (r->expired > 0) {
		ops_buf_puts(out, ", ");
		describe_count(out, r->expired, "frame");
		ops_buf_puts(out, " expired");
	}
	ops_buf_puts(out, "; ");
	describe_count(out, r->fails, "finding");
	ops_buf_printf(
	    out, " against it, %" PRIu64 " explained\n", r->explained);
	if (v->session != NULL && r->no_screen && r->sessions > 0)
		put_no_screen(v->session, r, out);
	put_anchored(v, r, out);
}

static void
put_summary_json(
    const struct verify *v, const struct check_result *r, struct ops_buf *out)
{
	const struct {
		const char *key;
		uint64_t value;
	} numbers[] = {
		{ "fails", r->fails },
		{ "explained", r->explained },
		{ "logs", r->logs },
		{ "leaves", r->leaves },
		{ "frames", r->frames },
		{ "records", r->records },
		{ "sessions", r->sessions },
		{ "expired", r->expired },
		{ "stored_bytes", r->stored_bytes },
		{ "raw_bytes", r->raw_bytes },
	};
	struct json j = { .out = out };

	json_begin_object(&j);
	json_key(&j, "result");
	json_str(&j, r->fails > 0 ? "failed" : "ok");
	json_key(&j, "quick");
	json_bool(&j, v->opts->quick);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		json_key(&j, numbers[i].key);
		json_uint(&j, numbers[i].value);
	}
	json_key(&j, "anchored");
	json_bool(&j, r->anchored);
	json_key(&j, "anchor_size");
	if (r->anchored)
		json_uint(&j, r->anchor.size);
	else
		json_nil(&j);
	json_key(&j, "against");
	json_str(&j, v->opts->against);
	json_end_object(&j);
	ops_buf_put8(out, '\n');
}

static int
verify(struct verify *v, struct vfs *vfs, struct ops_err *err)
{
	struct ops_buf out = { .max = OUT_MAX };
	struct check_result r = { 0 };
	struct check_opts o = {
		.quick = v->opts->quick,
		.session = v->session != NULL ? v->session->id : NULL,
		.found = put_finding,
		.arg = v,
	};

	if (load_anchors(v, vfs, err) < 0)
		return -1;
	o.anchors = v->use;
	o.n_anchors = v->n_use;
	if (check_store(vfs, &o, &r, err) < 0)
		return -1;
	if (v->opts->json)
		put_summary_json(v, &r, &out);
	else
		put_summary(v, &r, &out);
	cli_put(&out);
	ops_buf_free(&out);
	return r.fails > 0 ? CLI_TAMPER : CLI_FINE;
}

static int
find_session(struct cli *cli, const char *arg, struct session_list *list,
    const struct session **ret, struct ops_err *err)
{
	struct sessionarg place;

	if (screen_find(cli, arg, list, ret, &place, err) < 0)
		return -1;
	if (place.has_offset)
		return ops_fail(
		    err, OPS_EUSAGE, "verify checks whole sessions");
	return 0;
}

/* To the daemon, for the journal and who is notified.  It can't make the verdict
 * another one. */
static void
report(const struct verify *v, int status, const char *trouble)
{
	struct remote *r = NULL;
	struct ops_err err = { 0 };
	char text[512];

	if (status == CLI_FINE)
		return;
	if (status == CLI_TAMPER)
		(void)snprintf(
		    text, sizeof(text), "verify FAILED, %s", v->first);
	else
		(void)snprintf(
		    text, sizeof(text), "verify could not check: %s", trouble);
	if (remote_open(v->cli->run_dir, "verify", &r, &err) < 0 ||
	    remote_report(r, ALERT_VERIFY, v->fails, text, &err) < 0)
		cli_note(v->cli, "this could not be reported: %s", err.msg);
	remote_free(r);
}

int
cmd_verify(struct cli *cli, const void *opts, int argc, char **argv)
{
	struct verify v = { .cli = cli, .opts = opts };
	struct session_list list = { 0 };
	struct ops_err err = { 0 };
	struct vfs *vfs;
	int status;

	if ((argc > 0 &&
		find_session(cli, argv[0], &list, &v.session, &err) < 0) ||
	    source_vfs(cli->source, true, &vfs, &err) < 0 ||
	    (status = verify(&v, vfs, &err)) < 0)
		/* A store that can't be checked is trouble, not a verdict. */
		status =
		    cli_fail(cli, &err) == CLI_PERM ? CLI_PERM : CLI_TROUBLE;
	if (v.opts->report)
		report(&v, status, err.msg);
	free(v.use);
	anchors_free(&v.anchors);
	session_list_free(&list);
	return status;
}
