/* opseal unsetup - take back what opseal setup did, and nothing else. */
#include <stdio.h>
#include <string.h>

#include "base/shellmap.h"
#include "cli.h"
#include "passwd.h"
#include "setuphost.h"

static int
plan_undo(struct setuphost *h, const char *path, struct ops_err *err)
{
	struct ops_buf after = { .max = SETUPSTATE_MAX };
	struct hostfile f = { 0 };
	bool there = false, left = false;
	int rc = hostfile_read(path, SETUPSTATE_MAX, &f, err);

	if (rc == 0)
		rc = setuphost_without(
		    &h->state, &f, &after, &there, &left, err);
	if (rc == 0 && left)
		setuphost_note(h,
		    "%s is left: opseal made it, but it was changed by hand "
		    "since",
		    path);
	if (rc == 0 && f.real != NULL)
		rc = there ? plan_add(&h->plan, &f, &after, 0644, err)
			   : plan_remove(&h->plan, &f, err);
	hostfile_free(&f);
	ops_buf_free(&after);
	return rc;
}

/* A shell that was changed in the map by hand is the account's own now. */
static int
hear_map(struct setuphost *h, struct ops_err *err)
{
	struct hostfile map = { 0 };
	int rc = hostfile_read(setuphost_map_path(), SHELLMAP_MAX, &map, err);

	for (size_t i = 0;
	     rc == 0 && map.real != NULL && i < h->state.n_accounts; i++) {
		struct setup_account a = h->state.accounts[i];
		const char *own = a.shell[0] != '\0' ? a.shell : "/bin/sh";
		char shell[SHELLMAP_SHELL_MAX + 1];
		struct shellmap_entry e;

		if (map.bytes.len == 0 ||
		    !shellmap_find((const char *)map.bytes.data, map.bytes.len,
			a.uid, a.name, &e) ||
		    e.any || e.name_len != strlen(a.name) ||
		    memcmp(e.name, a.name, e.name_len) != 0 ||
		    (e.shell_len == strlen(own) &&
			memcmp(e.shell, own, e.shell_len) == 0))
			continue;
		memcpy(shell, e.shell, e.shell_len);
		shell[e.shell_len] = '\0';
		setuphost_note(h,
		    "%s: its shell in the map was changed by hand to %s, which "
		    "it gets",
		    a.name, shell);
		rc = setupstate_add_account(
		    &h->state, a.name, a.uid, shell, err);
	}
	hostfile_free(&map);
	return rc;
}

/* Who would be left with a door that has no map. */
static int
name_others(struct setuphost *h, struct ops_err *err)
{
	struct hostfile f = { 0 };
	struct passwd_line l;
	size_t at = 0, len = strlen(h->state.door);
	int rc;

	if (hostfile_read(SETUPSTATE_PASSWD, PASSWD_MAX, &f, err) < 0)
		return -1;
	while (f.bytes.len > 0 && (rc = passwd_next((const char *)f.bytes.data,
				       f.bytes.len, &at, &l)) != 0) {
		bool ours = false;

		if (rc < 0 || l.shell_len != len ||
		    memcmp(l.shell, h->state.door, len) != 0)
			continue;
		for (size_t i = 0; !ours && i < h->state.n_accounts; i++)
			ours = passwd_is(&l, h->state.accounts[i].name,
			    h->state.accounts[i].uid);
		if (!ours)
			setuphost_note(h,
			    "%.*s: has the door as its shell by hand, and "
			    "keeps "
			    "it; usermod -s SHELL %.*s gives it another",
			    (int)l.name_len, l.name, (int)l.name_len, l.name);
	}
	hostfile_free(&f);
	return 0;
}

/* Where setup puts lines that name the module. */
#define PAM_FOLDER "/etc/pam.d/"

/* The module alone goes: what names it must go before it, and all else stays. */
static int
unset_pam(
    struct setuphost *h, const struct unsetup_opts *o, struct ops_err *err)
{
	size_t before = h->state.n_files;
	int rc;

	for (size_t i = h->state.n_files; i-- > 0;)
		if (strncmp(h->state.files[i].path, PAM_FOLDER,
			strlen(PAM_FOLDER)) == 0 &&
		    plan_undo(h, h->state.files[i].path, err) < 0)
			return -1;
	setupstate_drop_folder(&h->state, PAM_FOLDER);
	if (h->state.n_files == before) {
		puts("Nothing is set up in " PAM_FOLDER ".");
		return CLI_FINE;
	}
	rc = setuphost_carry_out(h, o->dry_run, o->yes, STATE_LAST, err);
	if (rc == 0)
		puts("PAM tells nothing any more: who logged in from where, by "
		     "which key, is not in the log. Sessions stay recorded.");
	if (rc > 0)
		return o->dry_run ? CLI_FINE : CLI_NOTHING;
	return rc;
}

static int
unset_up(struct setuphost *h, const struct unsetup_opts *o, struct ops_err *err)
{
	bool force;
	int rc;

	if (h->state.door == NULL) {
		if (!o->dry_run)
			hostfile_clean(setuphost_state_path());
		puts("Nothing is set up.");
		return CLI_FINE;
	}
	if (o->pam)
		return unset_pam(h, o, err);
	/* What of it sshd reads. */
	force = strcmp(h->state.kind, "force") == 0 || h->state.n_swaps > 0;
	setuphost_tell_by_hand(h, true);
	if (hear_map(h, err) < 0 || name_others(h, err) < 0)
		return -1;
	/* Who comes by the door first, and what the door needs last. */
	for (size_t i = h->state.n_files; i-- > 0;)
		if (plan_undo(h, h->state.files[i].path, err) < 0)
			return -1;
	rc = setuphost_carry_out(h, o->dry_run, o->yes, STATE_REMOVED, err);
	if (rc == 0 && force)
		rc = setuphost_reload(err);
	if (rc == 0)
		puts("Nothing is set up any more. Who is logged in stays "
		     "recorded until the session ends.");
	if (rc > 0)
		return o->dry_run ? CLI_FINE : CLI_NOTHING;
	return rc;
}

int
cmd_unsetup(struct cli *cli, const void *opts, int argc, char **argv)
{
	const struct unsetup_opts *o = opts;
	struct setuphost h = { 0 };
	struct ops_err err = { 0 };
	int status;

	(void)argc;
	(void)argv;
	if (o->dry_run && o->yes) {
		ops_fail(
		    &err, OPS_EUSAGE, "--dry-run and --yes: only one of them");
		return cli_fail(cli, &err);
	}
	if (setuphost_open(cli, &h, &err) < 0)
		return cli_fail(cli, &err);
	status = unset_up(&h, o, &err);
	setuphost_print_notes(&h);
	if (status < 0)
		status = cli_fail(cli, &err);
	setuphost_close(&h);
	return status;
}
