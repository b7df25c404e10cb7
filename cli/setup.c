/* opseal setup - have every login recorded. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "doorpath.h"
#include "setuphost.h"
#include "setupwish.h"
#include "snippet.h"
#include "sshd.h"

static int
check_options(const struct setup_opts *o, struct ops_err *err)
{
	if (o->door != NULL && strcmp(o->door, "shell") != 0 &&
	    strcmp(o->door, "force") != 0)
		return ops_fail(err, OPS_EUSAGE,
		    "--door: \"%.40s\" is no kind of door; there are shell and "
		    "force",
		    o->door);
	if (o->check + o->dry_run + o->yes > 1)
		return ops_fail(err, OPS_EUSAGE,
		    "--check, --dry-run and --yes: only one of them");
	return 0;
}

/* -- telling -- */

/* What PAM tells needs sshd to ask it; internal-sftp is no program. */
static void
tell_of_sshd(struct setuphost *h, bool sftp_server)
{
	char value[SSHDCONF_VALUE];

	if (sshd_value("usepam", value) && strcmp(value, "no") == 0)
		setuphost_note(h,
		    "sshd has UsePAM no: with which key somebody logged in is "
		    "not in the log");
	if (!sftp_server && sshd_sftp_is_internal())
		setuphost_note(h,
		    "sshd's sftp is internal-sftp, which starts no program: of "
		    "it the login is recorded with the bytes of its "
		    "connection, and no session (setup --sftp-server has sshd "
		    "start sftp-server instead)");
}

static void
tell_of_daemon(struct setuphost *h)
{
	char path[4096];

	(void)snprintf(path, sizeof(path), "%s/session.sock", h->cli->run_dir);
	if (access(path, F_OK) < 0)
		setuphost_note(h,
		    "no daemon has its socket at %s: start opseald, or what "
		    "is done meanwhile is not recorded",
		    path);
}

static void
tell_of_sssd(struct setuphost *h, const char *door)
{
	if (access("/etc/sssd/sssd.conf", F_OK) == 0)
		setuphost_note(h,
		    "SSSD is here: its accounts come by the door with "
		    "override_shell = %s in [nss] of /etc/sssd/sssd.conf, and "
		    "a "
		    "line *:*:/bin/bash in %s",
		    door, setuphost_map_path());
}

/* -- setup -- */

/* --check: 0, or 1 if something isn't as it was set up. */
static int
answer_check(struct setuphost *h, const struct setupplan_result *r)
{
	if (h->plan.n == 0 && h->file.real != NULL) {
		printf("All is as set up: %zu account%s at the door %s.\n",
		    r->recorded, r->recorded == 1 ? "" : "s", h->state.door);
		return CLI_FINE;
	}
	if (h->file.real == NULL) {
		puts("Nothing is set up.");
		return CLI_NOTHING;
	}
	for (size_t i = 0; i < h->plan.n; i++)
		printf("Not as set up: %s\n", h->plan.change[i].file.path);
	puts("opseal setup mends it; with --dry-run it shows how.");
	return CLI_NOTHING;
}

/* What the state says may change alone: a shell that was changed by hand. */
static bool
state_changes(const struct setuphost *h)
{
	struct ops_buf b = { .max = SETUPSTATE_MAX };
	bool same;

	setupstate_put(&h->state, &b);
	same = !b.failed && b.len == h->file.bytes.len &&
	       memcmp(b.data, h->file.bytes.data, b.len) == 0;
	ops_buf_free(&b);
	return !same;
}

static int
set_up(struct setuphost *h, const struct setup_opts *o,
    const struct setupplan_wish *wish, struct ops_err *err)
{
	struct setupplan_result r;
	int rc;

	setuphost_tell_by_hand(h, false);
	if (setupplan_make(h, wish, &r, err) < 0)
		return -1;
	tell_of_sshd(h, wish->sftp_server);
	if (!o->check || h->file.real != NULL)
		tell_of_daemon(h);
	if (o->check) {
		setuphost_print_notes(h);
		return answer_check(h, &r);
	}
	tell_of_sssd(h, wish->door);
	if (r.recorded == 0) {
		setuphost_print_notes(h);
		return ops_fail(err, OPS_ENOENT,
		    "there is no account to set up; --user, --group and --root "
		    "name some");
	}
	if (h->plan.n == 0 && !state_changes(h)) {
		setuphost_print_notes(h);
		printf("Nothing to do: %zu account%s at the door %s.\n",
		    r.recorded, r.recorded == 1 ? "" : "s", wish->door);
		return r.refused > 0 ? CLI_PARTIAL : CLI_FINE;
	}
	rc = setuphost_carry_out(h, o->dry_run, o->yes, STATE_FIRST, err);
	if (rc < 0 || (rc == 0 && r.sshd && setuphost_reload(err) < 0))
		return -1;
	if (rc > 0 && !o->dry_run)
		return CLI_NOTHING;
	if (rc == 0)
		printf("%zu account%s recorded from the next login on; opseal "
		       "unsetup takes it back.\n",
		    r.recorded, r.recorded == 1 ? " is" : "s are");
	return r.refused > 0 ? CLI_PARTIAL : CLI_FINE;
}

int
cmd_setup(struct cli *cli, const void *opts, int argc, char **argv)
{
	const struct setup_opts *o = opts;
	char door[DOORPATH_MAX];
	struct setupwish wish = { .plan = { .kind = o->door != NULL ? o->door
								    : "shell",
				      .door = door,
				      .sftp_server = o->sftp_server } };
	struct setuphost h = { 0 };
	struct ops_err err = { 0 };
	int status = -1;

	(void)argc;
	(void)argv;
	if (o->print != NULL)
		return snippet_print(cli, o->print);
	if (check_options(o, &err) < 0 || setuphost_open(cli, &h, &err) < 0)
		return cli_fail(cli, &err);
	/* --check and a second run go by what was set up. */
	if (o->door == NULL && h.state.kind != NULL)
		wish.plan.kind = h.state.kind;
	if (doorpath_login(door, sizeof(door),
		strcmp(wish.plan.kind, "force") == 0, &err) == 0 &&
	    setupwish_make(o, &h.state, &wish, &err) == 0)
		status = set_up(&h, o, &wish.plan, &err);
	if (status < 0) {
		setuphost_print_notes(&h);
		status = cli_fail(cli, &err);
	}
	setupwish_free(&wish);
	setuphost_close(&h);
	return status;
}
