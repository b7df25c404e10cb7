#include "setupplan.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/shellmap.h"
#include "doorpath.h"
#include "pamplan.h"
#include "passwd.h"
#include "sftpplan.h"
#include "sshd.h"
#include "textline.h"

#define SHELLS "/etc/shells"
#define DROPIN SSHD_FOLDER "/50-opseal.conf"
#define MAP_HEAD "# NAME:UID:SHELL, the shells behind opseal-shell(8)."
#define SHELLS_MAX 1048576

struct making {
	struct setuphost *h;
	const struct setupplan_wish *wish;
	struct setupplan_result *ret;
	struct setupstate old; /* the state as it was read */
	struct hostfile passwd, shells, map, login_defs, dropin;
	struct accounts accounts;
	struct ops_buf new_map;
	struct passwd_change *changes; /* to passwd */
	size_t n_changes;
};

static const char *
text(const struct hostfile *f)
{
	return f->bytes.len > 0 ? (const char *)f->bytes.data : "";
}

/* -- one file -- */

/*
 * The state learns what the file was without us and is with us; what is ours must
 * come off again exactly, or nothing is done.  Lines come off by the state that was
 * when they were put in; shells by what is known of them now, as somebody may have
 * changed one behind the door.
 */
static int
register_file(struct making *m, const struct hostfile *now,
    const struct ops_buf *after, struct ops_err *err)
{
	struct ops_buf before = { .max = now->bytes.max };
	struct ops_buf undone = { .max = now->bytes.max };
	struct hostfile then = *now;
	struct setup_hash was, is, back;
	bool there = false, again = false, left;
	const struct setupstate *then_known = &m->old;
	int rc = 0;

	setup_hash_of(false, NULL, 0, &was);
	if (strcmp(now->path, SETUPSTATE_PASSWD) == 0) {
		then_known = &m->h->state;
		rc = setupstate_set_file(
		    &m->h->state, now->path, &was, &was, err);
	}
	if (rc == 0)
		rc = setuphost_without(
		    then_known, now, &before, &there, &left, err);
	setup_hash_of(there, before.data, before.len, &was);
	setup_hash_of(true, after->data, after->len, &is);
	if (rc == 0)
		rc = setupstate_set_file(
		    &m->h->state, now->path, &was, &is, err);
	then.real = now->path;
	then.bytes = *after;
	if (rc == 0)
		rc = setuphost_without(
		    &m->h->state, &then, &undone, &again, &left, err);
	setup_hash_of(again, undone.data, undone.len, &back);
	if (rc == 0 && !setup_hash_is(&was, &back))
		rc = ops_fail(err, OPS_EUSAGE,
		    "%.150s: what is put in could not be taken out again "
		    "exactly, so it is left alone",
		    now->path);
	ops_buf_free(&before);
	ops_buf_free(&undone);
	return rc;
}

/* Put the file into the plan, if that changes it. */
static int
plan_file(struct making *m, struct hostfile *f, struct ops_buf *after,
    struct ops_err *err)
{
	if (ops_buf_check(after, f->path, err) < 0)
		return -1;
	if (f->real != NULL && after->len == f->bytes.len &&
	    (after->len == 0 ||
		memcmp(after->data, f->bytes.data, after->len) == 0))
		return 0;
	if (register_file(m, f, after, err) < 0)
		return -1;
	return plan_add(&m->h->plan, f, after, 0644, err);
}

/* -- the map of shells -- */

static bool
map_entry(const struct making *m, const char *name, uint32_t uid,
    struct shellmap_entry *ret)
{
	return shellmap_find((const char *)m->new_map.data, m->new_map.len, uid,
		   name, ret) &&
	       !ret->any;
}

static bool
is_exact(const struct shellmap_entry *e, const char *name)
{
	return e->name_len == strlen(name) &&
	       memcmp(e->name, name, e->name_len) == 0;
}

static bool
is_ours(const struct making *m, const char *line)
{
	for (size_t i = 0; i < m->h->state.n_lines; i++)
		if (strcmp(m->h->state.lines[i].path, setuphost_map_path()) ==
			0 &&
		    strcmp(m->h->state.lines[i].text, line) == 0)
			return true;
	return false;
}

static int
map_put(struct making *m, const char *line, struct ops_err *err)
{
	bool open = textline_append(&m->new_map, line);

	return setupstate_add_line(
	    &m->h->state, setuphost_map_path(), line, open, err);
}

/* A line of ours goes, or (to) says something else in the same place. */
static int
map_change(
    struct making *m, const char *from, const char *to, struct ops_err *err)
{
	struct ops_buf next = { .max = m->new_map.max };
	const char *p = (const char *)m->new_map.data;
	struct textline l;

	if (m->new_map.len > 0 && textline_find(p, m->new_map.len, from, &l)) {
		ops_buf_put(&next, p, l.start);
		if (to != NULL) {
			ops_buf_puts(&next, to);
			ops_buf_put8(&next, '\n');
		}
		ops_buf_put(&next, p + l.end, m->new_map.len - l.end);
		if (ops_buf_check(&next, "the map of shells", err) < 0) {
			ops_buf_free(&next);
			return -1;
		}
		ops_buf_free(&m->new_map);
		m->new_map = next;
	}
	if (to != NULL)
		return setupstate_change_line(
		    &m->h->state, setuphost_map_path(), from, to, err);
	setupstate_drop_line(&m->h->state, setuphost_map_path(), from);
	return 0;
}

static int
map_line(const char *name, uint32_t uid, const char *shell,
    char ret[static 600], struct ops_err *err)
{
	struct shellmap_entry e = { 0 };
	size_t at = 0;
	int n = snprintf(ret, 600, "%s:%u:%s\n", name, uid, shell);

	if (n < 0 || n >= 600 || shellmap_next(ret, (size_t)n, &at, &e) != 1 ||
	    e.any || !is_exact(&e, name) || e.shell_len != strlen(shell))
		return ops_fail(err, OPS_EUSAGE,
		    "%.60s: its name or shell can't stand in the map", name);
	ret[n - 1] = '\0'; /* the newline */
	return 0;
}

/* -- one account -- */

/* The shell behind the door of one that has the door, but no line of its own: it was
 * renamed, or given the door by hand. */
static int
find_behind(struct making *m, const struct account *a, char ret[static 600],
    struct ops_err *err)
{
	const struct setup_account *known =
	    setupstate_account(&m->h->state, a->name, a->uid);
	struct shellmap_entry e;

	if (known != NULL) {
		setuphost_note(m->h,
		    "%s: its line in the map was taken out by hand; it is put "
		    "back",
		    a->name);
		return map_line(
		    a->name, a->uid, accounts_shell(known->shell), ret, err);
	}
	if (map_entry(m, a->name, a->uid, &e)) {
		char shell[SHELLMAP_SHELL_MAX + 1];

		memcpy(shell, e.shell, e.shell_len);
		shell[e.shell_len] = '\0';
		return map_line(a->name, a->uid, shell, ret, err);
	}
	setuphost_note(m->h,
	    "%s: has the door as its shell already, by hand; the shell behind "
	    "it will be /bin/bash or /bin/sh",
	    a->name);
	return map_line(a->name, a->uid,
	    access("/bin/bash", X_OK) == 0 ? "/bin/bash" : "/bin/sh", ret, err);
}

/* Its shell is the door, as it should be. */
static int
keep_account(struct making *m, const struct account *a, struct ops_err *err)
{
	const struct setup_account *known =
	    setupstate_account(&m->h->state, a->name, a->uid);
	char line[600], shell[SHELLMAP_SHELL_MAX + 1];
	struct shellmap_entry e;

	if (!map_entry(m, a->name, a->uid, &e) || !is_exact(&e, a->name)) {
		if (find_behind(m, a, line, err) < 0 ||
		    map_put(m, line, err) < 0)
			return -1;
		if (known != NULL)
			return 0;
		return setupstate_add_account(
		    &m->h->state, a->name, a->uid, strrchr(line, ':') + 1, err);
	}
	if (known == NULL)
		return 0; /* all of it by hand: not ours to undo */
	memcpy(shell, e.shell, e.shell_len);
	shell[e.shell_len] = '\0';
	if (strcmp(shell, accounts_shell(known->shell)) == 0)
		return 0;
	setuphost_note(m->h,
	    "%s: its shell in the map was changed by hand to %s, which is kept",
	    a->name, shell);
	return setupstate_add_account(
	    &m->h->state, a->name, a->uid, shell, err);
}

/* Its shell in the map is to be the one it has now. */
static int
map_account(struct making *m, const struct account *a, struct ops_err *err)
{
	char line[600], old[600];
	struct shellmap_entry e;

	if (map_line(a->name, a->uid, accounts_shell(a->shell), line, err) < 0)
		return -1;
	if (map_entry(m, a->name, a->uid, &e) && is_exact(&e, a->name)) {
		(void)snprintf(old, sizeof(old), "%s:%u:%.*s", a->name, a->uid,
		    (int)e.shell_len, e.shell);
		if (strcmp(old, line) == 0)
			return 0;
		if (!is_ours(m, old)) {
			setuphost_note(m->h,
			    "%s: its line in the map was written by hand, and "
			    "is kept: %.200s",
			    a->name, old);
			return 0;
		}
		return map_change(m, old, line, err);
	}
	return map_put(m, line, err);
}

static int
take_account(struct making *m, const struct account *a, struct ops_err *err)
{
	const struct setup_account *known =
	    setupstate_account(&m->h->state, a->name, a->uid);
	bool shell_door = strcmp(m->wish->kind, "shell") == 0;

	if (strcmp(a->shell, m->wish->door) == 0)
		return keep_account(m, a, err);
	if (known != NULL && strcmp(known->shell, a->shell) != 0)
		setuphost_note(m->h,
		    "%s: its shell was changed by hand to %s since; %s",
		    a->name, accounts_shell(a->shell),
		    shell_door ? "the door is put back, and that is the shell "
				 "behind it"
			       : "that is its shell now");
	else if (known != NULL && shell_door && !a->elsewhere)
		setuphost_note(m->h,
		    "%s: its shell is %s again (changed by hand, or setup was "
		    "broken off); the door is put in again",
		    a->name, accounts_shell(a->shell));
	if (map_account(m, a, err) < 0)
		return -1;
	if (a->elsewhere)
		setuphost_note(m->h,
		    "%s: not in /etc/passwd, so its shell can't be changed "
		    "here; with SSSD put these lines into "
		    "/etc/sssd/sssd.conf:\n[nss]\noverride_shell = %s\n"
		    "or for it alone: sss_override user-add %s -s %s",
		    a->name, m->wish->door, a->name, m->wish->door);
	else if (shell_door)
		m->changes[m->n_changes++] = (struct passwd_change){ a->name,
			a->uid, a->shell, m->wish->door };
	return setupstate_add_account(
	    &m->h->state, a->name, a->uid, a->shell, err);
}

/* One that was set up, by its uid. */
struct known {
	const struct setup_account *account;
	size_t i; /* in the state */
};

static int
by_uid(const void *a, const void *b)
{
	const struct known *x = a, *y = b;

	return (x->account->uid > y->account->uid) -
	       (x->account->uid < y->account->uid);
}

/* there[i]: passwd has the i-th account of the state. */
static int
look_for(const struct making *m, bool *there, struct ops_err *err)
{
	const struct setupstate *s = &m->h->state;
	struct known *k = calloc(s->n_accounts + 1, sizeof(*k));
	struct passwd_line l;
	size_t at = 0;
	int rc;

	if (k == NULL)
		return ops_fail(err, OPS_ENOMEM, "accounts: no memory");
	for (size_t i = 0; i < s->n_accounts; i++)
		k[i] = (struct known){ &s->accounts[i], i };
	qsort(k, s->n_accounts, sizeof(*k), by_uid);
	while ((rc = passwd_next(
		    text(&m->passwd), m->passwd.bytes.len, &at, &l)) != 0) {
		struct setup_account wanted = { .uid = l.uid };
		struct known key = { &wanted, 0 }, *found;

		if (rc < 0)
			continue;
		found = bsearch(&key, k, s->n_accounts, sizeof(*k), by_uid);
		/* Several names may have the uid. */
		while (found != NULL && found > k &&
		       found[-1].account->uid == l.uid)
			found--;
		for (; found != NULL && found < k + s->n_accounts &&
		       found->account->uid == l.uid;
		     found++)
			there[found->i] |=
			    passwd_is(&l, found->account->name, l.uid);
	}
	free(k);
	return 0;
}

/* Accounts that are gone take their lines along. */
static int
drop_gone(struct making *m, struct ops_err *err)
{
	struct setupstate *s = &m->h->state;
	bool *there = calloc(s->n_accounts + 1, sizeof(*there));
	int rc;

	if (there == NULL)
		return ops_fail(err, OPS_ENOMEM, "accounts: no memory");
	rc = look_for(m, there, err);
	for (size_t i = s->n_accounts; rc == 0 && i-- > 0;) {
		const struct setup_account *a = &s->accounts[i];
		char line[600];

		if (there[i] || getpwnam(a->name) != NULL)
			continue;
		setuphost_note(
		    m->h, "%s: there is no such user any more", a->name);
		(void)snprintf(line, sizeof(line), "%s:%u:%s", a->name, a->uid,
		    accounts_shell(a->shell));
		if (is_ours(m, line))
			rc = map_change(m, line, NULL, err);
		setupstate_drop_account(s, i);
	}
	free(there);
	return rc;
}

/* -- the door as ForceCommand -- */

/* Accounts that can't have it are taken from the list, with the reason. */
static int
refuse_accounts(struct making *m, struct ops_err *err)
{
	char reason[SSHDCONF_VALUE];
	size_t n = 0;

	for (size_t i = 0; i < m->accounts.n; i++) {
		struct account *a = &m->accounts.v[i], kept = *a;
		int rc = sshd_refuses(a, m->wish->door, reason, err);

		if (rc < 0)
			return -1;
		if (rc == 0) {
			*a = m->accounts.v[n];
			m->accounts.v[n++] = kept;
			continue;
		}
		setuphost_note(m->h, "%s: refused: %s", a->name, reason);
		m->ret->refused++;
		for (size_t k = m->h->state.n_accounts; k-- > 0;)
			if (m->h->state.accounts[k].uid == a->uid)
				setupstate_drop_account(&m->h->state, k);
	}
	for (size_t i = n; i < m->accounts.n; i++) {
		free(m->accounts.v[i].name);
		free(m->accounts.v[i].home);
		free(m->accounts.v[i].shell);
	}
	m->accounts.n = n;
	return 0;
}

static int
plan_dropin(struct making *m, struct ops_err *err)
{
	const struct setupstate *s = &m->h->state;
	const struct setup_file *f = setupstate_file(&m->old, DROPIN);
	struct ops_buf after = { .max = SSHDCONF_MAX };
	const char **names = calloc(s->n_accounts + 1, sizeof(*names));
	struct setup_hash now;
	size_t planned = m->h->plan.n;
	int rc = 0;

	if (names == NULL)
		return ops_fail(err, OPS_ENOMEM, DROPIN ": no memory");
	for (size_t i = 0; i < s->n_accounts; i++)
		names[i] = s->accounts[i].name;
	sshdconf_put(&after, m->wish->door, names, s->n_accounts);
	setup_hash_of(m->dropin.real != NULL, m->dropin.bytes.data,
	    m->dropin.bytes.len, &now);
	if (m->dropin.real != NULL &&
	    (f == NULL || !setup_hash_is(&now, &f->after)) &&
	    (m->dropin.bytes.len != after.len ||
		memcmp(m->dropin.bytes.data, after.data, after.len) != 0))
		rc = ops_fail(err, OPS_EUSAGE,
		    DROPIN " was changed by hand: it is kept; move it away to "
			   "have it made again");
	if (rc == 0)
		rc = sshd_try(after.data, after.len,
		    s->n_accounts > 0 ? names[0] : NULL, m->wish->door, err);
	if (rc == 0)
		rc = plan_file(m, &m->dropin, &after, err);
	m->ret->sshd |= m->h->plan.n > planned;
	ops_buf_free(&after);
	free(names);
	return rc;
}

/* -- the rest -- */

static int
plan_shells(struct making *m, struct ops_err *err)
{
	struct ops_buf after = { .max = SHELLS_MAX };
	int rc = 0;

	if (accounts_is_shell(
		text(&m->shells), m->shells.bytes.len, m->wish->door))
		return 0;
	ops_buf_put(&after, m->shells.bytes.data, m->shells.bytes.len);
	if (setupstate_add_line(&m->h->state, SHELLS, m->wish->door,
		textline_append(&after, m->wish->door), err) < 0)
		rc = -1;
	if (rc == 0)
		rc = plan_file(m, &m->shells, &after, err);
	ops_buf_free(&after);
	return rc;
}

static int
plan_passwd(struct making *m, struct ops_err *err)
{
	struct ops_buf after = { .max = PASSWD_MAX };
	int rc;

	if (m->n_changes == 0)
		return 0;
	(void)passwd_change(text(&m->passwd), m->passwd.bytes.len, m->changes,
	    m->n_changes, &after);
	rc = plan_file(m, &m->passwd, &after, err);
	ops_buf_free(&after);
	return rc;
}

static int
plan_pam(struct making *m, struct ops_err *err)
{
	struct pamplan_file files[PAMPLAN_FILES];
	size_t n = 0;
	int rc = pamplan_make(m->h, files, &n, err);

	for (size_t i = 0; i < n; i++) {
		if (rc == 0)
			rc = plan_file(m, &files[i].file, &files[i].after, err);
		hostfile_free(&files[i].file);
		ops_buf_free(&files[i].after);
	}
	return rc;
}

static int
plan_sftp(struct making *m, struct ops_err *err)
{
	struct ops_buf after = { .max = SSHDCONF_MAX };
	struct hostfile config = { 0 };
	size_t planned = m->h->plan.n;
	int rc = sftpplan_make(m->h, &config, &after, err);

	if (rc == 0 && config.real != NULL)
		rc = plan_file(m, &config, &after, err);
	m->ret->sshd |= m->h->plan.n > planned;
	hostfile_free(&config);
	ops_buf_free(&after);
	return rc;
}

static int
read_files(struct making *m, struct ops_err *err)
{
	if (hostfile_read(SETUPSTATE_PASSWD, PASSWD_MAX, &m->passwd, err) < 0 ||
	    hostfile_read(SHELLS, SHELLS_MAX, &m->shells, err) < 0 ||
	    hostfile_read("/etc/login.defs", SHELLS_MAX, &m->login_defs, err) <
		0 ||
	    hostfile_read(setuphost_map_path(), SHELLMAP_MAX, &m->map, err) <
		0 ||
	    hostfile_read(DROPIN, SSHDCONF_MAX, &m->dropin, err) < 0)
		return -1;
	if (m->passwd.real == NULL)
		return ops_fail(
		    err, OPS_ENOENT, SETUPSTATE_PASSWD " is missing");
	m->new_map.max = SHELLMAP_MAX;
	ops_buf_put(&m->new_map, m->map.bytes.data, m->map.bytes.len);
	return 0;
}

static int
choose(struct making *m, struct ops_err *err)
{
	const struct accounts_host host = {
		.passwd = text(&m->passwd),
		.passwd_len = m->passwd.bytes.len,
		.shells = text(&m->shells),
		.shells_len = m->shells.bytes.len,
		.login_defs = text(&m->login_defs),
		.login_defs_len = m->login_defs.bytes.len,
		.door = m->wish->door,
	};

	if (accounts_choose(
		&host, &m->wish->accounts, &m->accounts, &m->h->notes, err) < 0)
		return -1;
	m->changes = calloc(m->accounts.n + 1, sizeof(*m->changes));
	if (m->changes == NULL)
		return ops_fail(err, OPS_ENOMEM, "accounts: no memory");
	return 0;
}

static int
make(struct making *m, struct ops_err *err)
{
	struct setupstate *s = &m->h->state;
	bool force = strcmp(m->wish->kind, "force") == 0;

	if (read_files(m, err) < 0 || choose(m, err) < 0 ||
	    (force && refuse_accounts(m, err) < 0) ||
	    setupstate_door(s, m->wish->kind, m->wish->door, err) < 0 ||
	    drop_gone(m, err) < 0)
		return -1;
	if (doorpath_hash(m->wish->door, &s->program, err) < 0)
		return -1;
	s->people = s->people || m->wish->accounts.people;
	if (m->map.real == NULL && map_put(m, MAP_HEAD, err) < 0)
		return -1;
	for (size_t i = 0; i < m->accounts.n; i++)
		if (take_account(m, &m->accounts.v[i], err) < 0)
			return -1;
	m->ret->recorded = s->n_accounts;
	/* What the door needs first, and who comes by it last. */
	if (plan_file(m, &m->map, &m->new_map, err) < 0 ||
	    (!force && plan_shells(m, err) < 0) || plan_pam(m, err) < 0 ||
	    (m->wish->sftp_server && plan_sftp(m, err) < 0))
		return -1;
	return force ? plan_dropin(m, err) : plan_passwd(m, err);
}

int
setupplan_make(struct setuphost *h, const struct setupplan_wish *wish,
    struct setupplan_result *ret, struct ops_err *err)
{
	struct making m = { .h = h, .wish = wish, .ret = ret };
	int rc = 0;

	*ret = (struct setupplan_result){ 0 };
	if (h->file.real != NULL)
		rc = setupstate_parse((const char *)h->file.bytes.data,
		    h->file.bytes.len, &m.old, err);
	if (rc == 0)
		rc = make(&m, err);
	setupstate_free(&m.old);
	accounts_free(&m.accounts);
	hostfile_free(&m.passwd);
	hostfile_free(&m.shells);
	hostfile_free(&m.map);
	hostfile_free(&m.login_defs);
	hostfile_free(&m.dropin);
	ops_buf_free(&m.new_map);
	free(m.changes);
	return rc;
}
