/* opseal doctor - is every way to work on this host recorded, and what is wrong here. */
#include "doctor.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "hostfile.h"
#include "installed.h"
#include "reported.h"

#define OUT_MAX (16u << 20)
#define TOLD OPSEAL_SYSCONFDIR "/doors.told" /* beside what setup keeps */
/* Findings that are told each; of the others how many.  With that one they find room in
 * the pipe to the supervisor (16 packets), however late it comes to read. */
#define SINGLY 12

/* -- learning -- */

static void
ask_daemon(struct doctor *d)
{
	d->answer.max = OUT_MAX;
	if (remote_open(d->cli->run_dir, d->cli->cmd->name, &d->remote,
		&d->no_remote) < 0)
		return;
	d->has_status = remote_status(d->remote, &d->answer, &d->status,
			    &d->no_remote) == 0;
}

static void
learn(struct doctor *d)
{
	d->root = geteuid() == 0;
	ask_daemon(d);
	if (d->root)
		d->has_host =
		    setuphost_open(d->cli, &d->host, &d->no_host) == 0;
	if (d->has_host && d->host.state.kind != NULL)
		d->forced = strcmp(d->host.state.kind, "force") == 0;
	if (doorpath_login(d->door, sizeof(d->door), d->forced, &d->no_door) <
	    0)
		d->door[0] = '\0';
	d->no_doors =
	    d->has_host && d->host.file.real == NULL && !doorcheck_any(d);
}

static void
forget(struct doctor *d)
{
	if (d->has_host)
		setuphost_close(&d->host);
	remote_free(d->remote);
	ops_buf_free(&d->answer);
	verdicts_free(&d->all);
}

/* -- telling opseald -- */

static int
check_report(const struct doctor *d, struct ops_err *err)
{
	if (!d->root)
		return ops_fail(
		    err, OPS_EPERM, "--report: only root reports findings");
	if (d->remote == NULL)
		return ops_fail(
		    err, OPS_EUNAVAIL, "--report: %s", d->no_remote.msg);
	return 0;
}

static bool
is_told(const struct hostfile *before, const char *text)
{
	return before->bytes.len > 0 &&
	       reported_has(
		   (const char *)before->bytes.data, before->bytes.len, text);
}

static void
finding(const struct verdict *v, char out[static 2 * VERDICT_TEXT])
{
	(void)snprintf(out, 2 * VERDICT_TEXT, "%s: %s", v->check, v->why);
}

/* How many there are that were not told yet. */
static unsigned
count_new(const struct doctor *d, const struct hostfile *before)
{
	char text[2 * VERDICT_TEXT];
	unsigned n = 0;

	for (size_t i = 0; i < d->all.n; i++) {
		finding(&d->all.v[i], text);
		n += d->all.v[i].door && !is_told(before, text);
	}
	return n;
}

/* Those that aren't told singly. */
static int
tell_rest(struct doctor *d, unsigned rest, struct ops_err *err)
{
	char text[VERDICT_TEXT];

	(void)snprintf(text, sizeof(text),
	    "and %u more changes of doors: opseal doctor --json lists them",
	    rest);
	return remote_report(d->remote, ALERT_DOOR, rest, text, err);
}

/* Tell what was not told yet; next is what was told then.  What can't be told is tried
 * again the next time. */
static int
tell(struct doctor *d, const struct hostfile *before, struct ops_buf *next,
    struct ops_err *err)
{
	unsigned all = count_new(d, before), n = 0;
	bool rest = all > SINGLY && tell_rest(d, all - SINGLY, err) == 0;
	int rc = all > SINGLY && !rest ? -1 : 0;

	reported_begin(next);
	for (size_t i = 0; i < d->all.n; i++) {
		char text[2 * VERDICT_TEXT];
		struct ops_err why = { 0 };
		bool told;

		if (!d->all.v[i].door)
			continue;
		finding(&d->all.v[i], text);
		told = is_told(before, text);
		if (!told && n++ >= SINGLY)
			told = rest;
		else if (!told) {
			told = remote_report(
				   d->remote, ALERT_DOOR, 0, text, &why) == 0;
			if (!told) {
				*err = why;
				rc = -1;
			}
		}
		if (told)
			reported_add(next, text);
	}
	reported_end(next);
	return rc;
}

static int
report(struct doctor *d, struct ops_err *err)
{
	struct ops_buf next = { .max = REPORTED_MAX };
	struct ops_err why = { 0 };
	struct hostfile f = { 0 };
	int rc = check_report(d, err);

	if (rc == 0)
		rc = hostfile_read(TOLD, REPORTED_MAX, &f, err);
	if (rc == 0) {
		rc = tell(d, &f, &next, err);
		if (ops_buf_check(&next, TOLD, &why) < 0 ||
		    hostfile_replace(&f, next.data, next.len, 0600, &why) < 0) {
			if (rc == 0)
				*err = why;
			rc = -1;
		}
	}
	hostfile_free(&f);
	ops_buf_free(&next);
	return rc < 0 ? ops_context(err, "this could not be reported") : 0;
}

/* -- all of it -- */

static int
answer(const struct doctor *d, const struct doctor_opts *o, struct ops_err *err)
{
	struct ops_buf out = { .max = OUT_MAX };
	unsigned lacks = 0;

	for (size_t i = 0; i < d->all.n; i++)
		lacks += verdict_lacks(d->all.v[i].kind);
	if (o->json) {
		verdicts_put_json(&d->all, &out);
	} else {
		verdicts_put(&d->all, d->cli->colour, &out);
		if (lacks == 0)
			ops_buf_puts(&out, "All is recorded as it is meant.\n");
		else
			ops_buf_printf(&out, "To be looked at: %u\n", lacks);
	}
	if (ops_buf_check(&out, "verdicts", err) < 0) {
		ops_buf_free(&out);
		return -1;
	}
	cli_put(&out);
	ops_buf_free(&out);
	if (d->all.failed)
		cli_note(d->cli, "there are more than find room here");
	return lacks > 0 || d->all.failed ? CLI_PARTIAL : CLI_FINE;
}

int
cmd_doctor(struct cli *cli, const void *opts, int argc, char **argv)
{
	const struct doctor_opts *o = opts;
	struct doctor d = { .cli = cli, .quick = o->quick };
	struct ops_err err = { 0 };
	int status;

	(void)argc;
	(void)argv;
	learn(&d);
	if (o->report && check_report(&d, &err) < 0) {
		status = cli_fail(cli, &err);
		forget(&d);
		return status;
	}
	ways_look(&d);
	doorcheck_look(&d);
	hostcheck_look(&d);
	status = answer(&d, o, &err);
	if (status < 0 || (o->report && report(&d, &err) < 0))
		status = cli_fail(cli, &err);
	forget(&d);
	return status;
}
