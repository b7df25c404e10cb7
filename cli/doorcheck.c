/* Whose logins go by a door, and whether the doors are as they were set up. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "accounts.h"
#include "base/bytes.h"
#include "base/shellmap.h"
#include "doctor.h"
#include "hostfile.h"
#include "pamplan.h"
#include "passwd.h"
#include "setupwish.h"
#include "sshd.h"

#define SHELLS "/etc/shells"
#define SETUP "opseal setup"

/* Was a door set up?  Where that can't be read, one was. */
static bool
is_set_up(const struct doctor *d)
{
	return d->root && (!d->has_host || d->host.state.door != NULL);
}

static void
changed(struct doctor *d, const char *name, const char *mend, const char *why)
{
	verdict_add(&d->all, name, VERDICT_WRONG, NULL, mend, "%s", why);
	if (is_set_up(d))
		verdict_door(&d->all);
}

/* -- the program -- */

static void
look_program(struct doctor *d, const char *name)
{
	const struct setup_hash *then = &d->host.state.program;
	struct setup_hash now;
	struct ops_err err = { 0 };
	int packaged;

	if (d->door[0] == '\0') {
		changed(d, name, "install opseal again", d->no_door.msg);
		return;
	}
	packaged = d->root ? doorpath_as_packaged(d->door) : -1;
	if (packaged == 0) {
		verdict_add(&d->all, name, VERDICT_WRONG, NULL,
		    "install the package again",
		    "%s isn't as its package has it", d->door);
		verdict_door(&d->all);
	} else if (packaged < 0 && d->has_host && then->there &&
		   (doorpath_hash(d->door, &now, &err) < 0 ||
		       !setup_hash_is(&now, then))) {
		verdict_add(&d->all, name, VERDICT_WRONG, NULL,
		    "if that was an upgrade: " SETUP " takes it over",
		    "%s is another program than when it was set up", d->door);
		verdict_door(&d->all);
	} else {
		verdict_add(&d->all, name, VERDICT_FINE, NULL, NULL,
		    "%s is root's alone, and runs%s", d->door,
		    packaged > 0 ? "; it is as its package has it" : "");
	}
}

/* -- accounts -- */

struct census {
	struct doctor *d;
	const char *name;
	struct hostfile passwd, shells, map, login_defs;
	uint32_t min, max;
	bool by_shell;  /* the door is the shell; else sshd's ForceCommand */
	unsigned doors; /* accounts that have it */
};

static const char *
text(const struct hostfile *f)
{
	return f->bytes.len > 0 ? (const char *)f->bytes.data : "";
}

static void
wrong(struct census *c, const char *mend, const char *account, const char *why,
    const char *shell)
{
	verdict_add(&c->d->all, c->name, VERDICT_UNCOVERED,
	    "judged from /etc/passwd", mend, "%s: %s%s", account, why, shell);
	verdict_door(&c->d->all);
}

static void
left(struct census *c, const char *mend, const char *account, const char *shell,
    const char *why)
{
	verdict_add(&c->d->all, c->name, doctor_events(c->d),
	    "judged from /etc/passwd", mend, "%s has %s, and not the door: %s",
	    account, shell, why);
}

/* The door has something behind it for this account? */
static void
check_behind(struct census *c, const char *account, uint32_t uid)
{
	char shell[SHELLMAP_SHELL_MAX + 1];
	struct shellmap_entry e;

	if (!shellmap_find(text(&c->map), c->map.bytes.len, uid, account, &e)) {
		wrong(c, SETUP, account,
		    "has no line in the map of shells, so its shell is "
		    "/bin/sh",
		    "");
		return;
	}
	memcpy(shell, e.shell, e.shell_len);
	shell[e.shell_len] = '\0';
	if (access(shell, X_OK) < 0)
		wrong(c, "edit /etc/opseal/shells", account,
		    "its shell in the map can't be executed: ", shell);
}

static bool
was_set_up(const struct census *c, const char *account, uint32_t uid)
{
	return c->d->has_host &&
	       setupstate_account(&c->d->host.state, account, uid) != NULL;
}

static void
judge_account(
    struct census *c, const char *account, uint32_t uid, const char *shell)
{
	const struct doctor *d = c->d;
	bool people = !d->has_host || d->host.state.people;
	/* The one that was set up, even if it is no door any more. */
	const char *door = d->has_host && d->host.state.door != NULL
			       ? d->host.state.door
			       : d->door;
	bool known = was_set_up(c, account, uid);

	if (strcmp(shell, door) == 0) {
		c->doors++;
		check_behind(c, account, uid);
	} else if (known && !c->by_shell) {
		c->doors++;
	} else if (known) {
		wrong(c, SETUP " puts the door back, with that shell behind it",
		    account, "was set up, and its shell was changed to ",
		    shell);
	} else if (!accounts_is_shell(
		       text(&c->shells), c->shells.bytes.len, shell)) {
		return; /* nobody logs in with it */
	} else if (accounts_restricts(shell)) {
		left(c, NULL, account, shell,
		    "that shell is there to restrict it");
	} else if (uid == 0) {
		left(c, SETUP " --root has root's logins recorded, too",
		    account, shell,
		    "so that there is always a way in, root's is left alone");
	} else if (uid < c->min || uid > c->max) {
		left(c, SETUP " --user NAME takes it in", account, shell,
		    "it is no person's");
	} else if (people) {
		wrong(c, SETUP, account,
		    "people are recorded here, and it is new: its shell is ",
		    shell);
	} else {
		left(c, SETUP " --user NAME takes it in", account, shell,
		    "it isn't among those that were set up");
	}
}

static void
judge_all(struct census *c)
{
	struct passwd_line l;
	size_t at = 0;
	int rc;

	while ((rc = passwd_next(
		    text(&c->passwd), c->passwd.bytes.len, &at, &l)) != 0) {
		char *account, *shell;

		if (rc < 0)
			continue;
		account = strndup(l.name, l.name_len);
		shell = strndup(l.shell, l.shell_len);
		if (account != NULL && shell != NULL)
			judge_account(c, account, l.uid, accounts_shell(shell));
		else
			c->d->all.failed = true;
		free(account);
		free(shell);
	}
	verdict_add(&c->d->all, c->name,
	    c->doors > 0 ? VERDICT_RECORDED : VERDICT_WRONG,
	    c->by_shell ? "judged from /etc/passwd"
			: "judged from what was set up",
	    c->doors > 0 ? NULL : SETUP, "%u account%s the door", c->doors,
	    c->doors == 1 ? " has" : "s have");
}

/* Accounts that have the door of this installation. */
static unsigned
count_doors(const struct doctor *d, const struct hostfile *passwd)
{
	size_t n = strlen(d->door), at = 0;
	struct passwd_line l;
	unsigned doors = 0;
	int rc;

	while (
	    (rc = passwd_next(text(passwd), passwd->bytes.len, &at, &l)) != 0)
		doors += rc > 0 && n > 0 && l.shell_len == n &&
			 memcmp(l.shell, d->door, n) == 0;
	return doors;
}

bool
doorcheck_any(const struct doctor *d)
{
	struct hostfile passwd = { 0 };
	bool any =
	    hostfile_read(SETUPSTATE_PASSWD, PASSWD_MAX, &passwd, NULL) < 0 ||
	    count_doors(d, &passwd) > 0;

	hostfile_free(&passwd);
	return any;
}

/* Nothing is set up: nobody should have the door. */
static void
judge_nothing(struct census *c)
{
	struct doctor *d = c->d;

	c->doors = count_doors(d, &c->passwd);
	if (c->doors == 0) {
		verdict_add(&d->all, c->name, VERDICT_UNCOVERED, NULL, SETUP,
		    "nothing is set up: no login is recorded by itself");
		return;
	}
	verdict_add(&d->all, c->name, VERDICT_WRONG, NULL, SETUP,
	    "%u account%s the door, but %s is gone: what was set up isn't "
	    "known",
	    c->doors, c->doors == 1 ? " has" : "s have",
	    setuphost_state_path());
	verdict_door(&d->all);
}

static int
read_census(struct census *c, struct ops_err *err)
{
	if (hostfile_read(SETUPSTATE_PASSWD, PASSWD_MAX, &c->passwd, err) < 0 ||
	    hostfile_read(SHELLS, 1u << 20, &c->shells, err) < 0 ||
	    hostfile_read("/etc/login.defs", 1u << 20, &c->login_defs, err) <
		0 ||
	    hostfile_read(setuphost_map_path(), SHELLMAP_MAX, &c->map, err) < 0)
		return -1;
	accounts_range(
	    text(&c->login_defs), c->login_defs.bytes.len, &c->min, &c->max);
	return 0;
}

static void
look_accounts(struct doctor *d, const char *name)
{
	struct census c = { .d = d, .name = name, .by_shell = !d->forced };
	struct ops_err err = { 0 };

	if (read_census(&c, &err) < 0)
		verdict_add(
		    &d->all, name, VERDICT_UNKNOWN, NULL, NULL, "%s", err.msg);
	else if (d->has_host && d->host.file.real == NULL)
		judge_nothing(&c);
	else
		judge_all(&c);
	hostfile_free(&c.passwd);
	hostfile_free(&c.shells);
	hostfile_free(&c.map);
	hostfile_free(&c.login_defs);
}

/* -- the map -- */

static void
look_map(struct doctor *d, const char *name)
{
	const char *path = setuphost_map_path();
	struct shellmap_entry e = { 0 };
	struct hostfile f = { 0 };
	struct ops_err err = { 0 };
	size_t at = 0;
	int rc;

	if (hostfile_read(path, SHELLMAP_MAX, &f, &err) < 0) {
		verdict_add(
		    &d->all, name, VERDICT_WRONG, NULL, NULL, "%s", err.msg);
		return;
	}
	if (f.real == NULL) {
		verdict_add(&d->all, name,
		    d->has_host && d->host.file.real != NULL ? VERDICT_WRONG
							     : VERDICT_ABSENT,
		    NULL, SETUP, "%s isn't there", path);
		if (d->has_host && d->host.file.real != NULL)
			verdict_door(&d->all);
	} else if (f.uid != 0 || (f.mode & 022) != 0) {
		verdict_add(&d->all, name, VERDICT_WRONG, NULL,
		    "chown root: and chmod go-w it",
		    "%s isn't root's alone (owner %u, mode %04o): the door "
		    "doesn't read it",
		    path, f.uid, f.mode);
		verdict_door(&d->all);
	} else {
		while (
		    (rc = shellmap_next(text(&f), f.bytes.len, &at, &e)) != 0)
			if (rc < 0)
				break;
		verdict_add(&d->all, name,
		    rc < 0 ? VERDICT_WRONG : VERDICT_FINE, NULL,
		    rc < 0 ? "mend that line" : NULL, "%s:%u%s%s", path, e.line,
		    rc < 0 ? ": " : " lines",
		    rc < 0 && e.wrong != NULL ? e.wrong : "");
		if (rc < 0)
			verdict_door(&d->all);
	}
	hostfile_free(&f);
}

/* -- what setup would change -- */

/* The row that tells of it. */
static const char *
row_of(const char *path)
{
	if (strncmp(path, "/etc/pam.d/", 11) == 0)
		return "PAM";
	return strncmp(path, "/etc/ssh/", 9) == 0 ? "sshd's file" : "as set up";
}

static bool
told(const struct doctor *d)
{
	for (size_t i = 0; i < d->all.n; i++)
		if (d->all.v[i].door)
			return true;
	return false;
}

/* One change is one finding: of the accounts and their map others have told. */
static void
tell_change(struct doctor *d, const struct plan_change *c, bool before)
{
	const char *path = c->file.path, *row = row_of(path);
	bool accounts = strcmp(path, SETUPSTATE_PASSWD) == 0 ||
			strcmp(path, setuphost_map_path()) == 0;

	if (accounts && before)
		return;
	verdict_add(&d->all, row, VERDICT_WRONG, NULL,
	    SETUP "; with --dry-run it shows how",
	    strcmp(row, "PAM") == 0 ? "%s lacks lines of pam_opseal.so"
				    : "%s isn't as it was set up",
	    path);
	verdict_door(&d->all);
}

static void
look_plan(struct doctor *d, const char *name)
{
	static const struct setup_opts asked = { .check = true };
	struct setupwish wish = { .plan = { .kind = d->host.state.kind,
				      .door = d->door } };
	bool before = told(d);
	struct setupplan_result r;
	struct ops_err err = { 0 };

	if (!d->root) {
		verdict_add(&d->all, name, VERDICT_UNKNOWN, NULL,
		    "sudo opseal doctor", "only root sees what was set up");
		return;
	}
	if (!d->has_host) {
		changed(d, name, SETUP, d->no_host.msg);
		return;
	}
	if (d->host.state.door == NULL || d->door[0] == '\0')
		return; /* the accounts, the program say so */
	if (setupwish_make(&asked, &d->host.state, &wish, &err) < 0 ||
	    setupplan_make(&d->host, &wish.plan, &r, &err) < 0)
		changed(d, name, "mend it, then " SETUP, err.msg);
	else if (d->host.plan.n == 0)
		verdict_add(&d->all, name, VERDICT_FINE, NULL, NULL,
		    "%zu account%s; nothing was changed by hand", r.recorded,
		    r.recorded == 1 ? "" : "s");
	for (size_t i = 0; i < d->host.plan.n; i++)
		tell_change(d, &d->host.plan.change[i], before);
	setupwish_free(&wish);
}

/* -- PAM -- */

static void
look_pam(struct doctor *d, const char *name)
{
	char module[PAMPLAN_MODULE], value[SSHDCONF_VALUE];
	struct ops_err err = { 0 };

	if (pamplan_module(module, &err) < 0) {
		changed(d, name,
		    "install pam_opseal.so (libpam-opseal), then " SETUP,
		    err.msg);
		return;
	}
	if (d->root && sshd_value("usepam", value) && strcmp(value, "no") == 0)
		verdict_add(&d->all, name, VERDICT_WRONG, "judged from sshd -T",
		    "UsePAM yes in " SSHD_CONFIG,
		    "sshd has UsePAM no: with which key somebody logged in is "
		    "not in the log");
	else
		verdict_add(&d->all, name, VERDICT_FINE, NULL, NULL,
		    "%s is installed", module);
}

/* clang-format off */
static const struct doctor_check checks[] = {
	{ "the door",	look_program },
	{ "accounts",	look_accounts },
	{ "map of shells", look_map },
	{ "PAM",	look_pam },
	{ "as set up",	look_plan },
};
/* clang-format on */

void
doorcheck_look(struct doctor *d)
{
	for (size_t i = 0; i < OPS_ARRAY_LEN(checks); i++)
		checks[i].look(d, checks[i].name);
}
