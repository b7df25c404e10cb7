#include "accounts.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "passwd.h"
#include "textline.h"

#define ACCOUNTS_MAX 100000

/* -- files -- */

const char *
accounts_shell(const char *field)
{
	return field[0] != '\0' ? field : "/bin/sh";
}

bool
accounts_is_shell(const char *p, size_t n, const char *shell)
{
	struct textline l;
	size_t at = 0, len = strlen(accounts_shell(shell));

	while (textline_next(p, n, &at, &l)) {
		size_t from = 0;

		while (from < l.n && (l.p[from] == ' ' || l.p[from] == '\t'))
			from++;
		if (l.n - from < len ||
		    memcmp(l.p + from, accounts_shell(shell), len) != 0)
			continue;
		if (l.n - from == len || l.p[from + len] == ' ' ||
		    l.p[from + len] == '\t' || l.p[from + len] == '#')
			return true;
	}
	return false;
}

static void
range_value(const struct textline *l, const char *key, uint32_t *ret)
{
	size_t i = strlen(key);
	uint64_t v = 0;

	if (l->n <= i || memcmp(l->p, key, i) != 0 ||
	    (l->p[i] != ' ' && l->p[i] != '\t'))
		return;
	while (i < l->n && (l->p[i] == ' ' || l->p[i] == '\t'))
		i++;
	if (i == l->n)
		return;
	for (; i < l->n && l->p[i] >= '0' && l->p[i] <= '9'; i++)
		if (v <= UINT32_MAX)
			v = v * 10 + (uint64_t)(l->p[i] - '0');
	if (v > 0 && v < UINT32_MAX)
		*ret = (uint32_t)v;
}

void
accounts_range(const char *p, size_t n, uint32_t *min, uint32_t *max)
{
	struct textline l;
	size_t at = 0;

	*min = 1000;
	*max = 60000;
	while (textline_next(p, n, &at, &l)) {
		range_value(&l, "UID_MIN", min);
		range_value(&l, "UID_MAX", max);
	}
}

/* -- the list -- */

void
accounts_free(struct accounts *a)
{
	for (size_t i = 0; i < a->n; i++) {
		free(a->v[i].name);
		free(a->v[i].home);
		free(a->v[i].shell);
	}
	free(a->v);
	*a = (struct accounts){ 0 };
}

static bool
is_listed(const struct accounts *a, const char *name, size_t len, uint32_t uid)
{
	for (size_t i = 0; i < a->n; i++)
		if (a->v[i].uid == uid && strlen(a->v[i].name) == len &&
		    memcmp(a->v[i].name, name, len) == 0)
			return true;
	return false;
}

static int
list(struct accounts *a, const struct passwd_line *l, bool elsewhere,
    struct ops_err *err)
{
	struct account row = {
		.uid = l->uid, .gid = l->gid, .elsewhere = elsewhere
	};

	if (is_listed(a, l->name, l->name_len, l->uid))
		return 0;
	if (a->n >= ACCOUNTS_MAX)
		return ops_fail(
		    err, OPS_EUSAGE, "over %d accounts", ACCOUNTS_MAX);
	if ((a->n & (a->n - 1)) == 0) { /* grown in powers of two */
		void *more =
		    reallocarray(a->v, a->n == 0 ? 1 : 2 * a->n, sizeof(row));

		if (more == NULL)
			return ops_fail(err, OPS_ENOMEM, "accounts: no memory");
		a->v = more;
	}
	row.name = strndup(l->name, l->name_len);
	row.home = strndup(l->home, l->home_len);
	row.shell = strndup(l->shell, l->shell_len);
	a->v[a->n++] = row;
	if (row.name == NULL || row.home == NULL || row.shell == NULL)
		return ops_fail(err, OPS_ENOMEM, "accounts: no memory");
	return 0;
}

/* -- choosing -- */

struct choice {
	const struct accounts_host *host;
	struct accounts *ret;
	struct ops_buf *notes;
};

static void
note(const struct choice *c, const struct passwd_line *l, const char *why)
{
	ops_buf_printf(c->notes, "%.*s: %s\n", (int)l->name_len, l->name, why);
}

/* A shell that is there to hold its user back: where the map is lost the door falls
 * back to /bin/sh, which doesn't. */
bool
accounts_restricts(const char *shell)
{
	static const char *const names[] = { "rbash", "rksh", "rzsh", "rssh",
		"lshell", "git-shell", "scponly", "nologin", "false", "true" };
	const char *slash = strrchr(shell, '/');
	const char *base = slash != NULL ? slash + 1 : shell;

	for (size_t i = 0; i < OPS_ARRAY_LEN(names); i++)
		if (strcmp(base, names[i]) == 0)
			return true;
	return false;
}

/* Can it log in with that shell?  If not, why, or "" where that is usual. */
static const char *
unusable(const struct choice *c, const char *shell, bool named)
{
	if (strcmp(shell, c->host->door) == 0)
		return NULL;
	if (!accounts_is_shell(c->host->shells, c->host->shells_len, shell))
		return named
			   ? "left alone: its shell is not in /etc/shells, so "
			     "nobody logs in with it"
			   : "";
	if (accounts_restricts(shell))
		return "left alone: its shell is there to restrict it";
	return access(shell, X_OK) < 0
		   ? "left alone: its shell can't be executed"
		   : NULL;
}

static int
choose(const struct choice *c, const struct passwd_line *l, bool elsewhere,
    bool named, struct ops_err *err)
{
	char *shell = strndup(l->shell, l->shell_len);
	const char *why;
	int rc = 0;

	if (shell == NULL)
		return ops_fail(err, OPS_ENOMEM, "accounts: no memory");
	why = unusable(c, accounts_shell(shell), named);
	if (why == NULL)
		rc = list(c->ret, l, elsewhere, err);
	else if (why[0] != '\0')
		note(c, l, why);
	free(shell);
	return rc;
}

static int
choose_people(
    const struct choice *c, bool people, bool root, struct ops_err *err)
{
	struct passwd_line l;
	uint32_t min, max;
	size_t at = 0;
	int rc;

	accounts_range(
	    c->host->login_defs, c->host->login_defs_len, &min, &max);
	while ((rc = passwd_next(
		    c->host->passwd, c->host->passwd_len, &at, &l)) != 0) {
		bool is_root = rc > 0 && l.uid == 0;
		bool person = rc > 0 && l.uid >= min && l.uid <= max;

		if ((is_root && root) || (person && people && !is_root))
			if (choose(c, &l, false, is_root, err) < 0)
				return -1;
	}
	return 0;
}

static int
choose_elsewhere(const struct choice *c, const char *name, struct ops_err *err)
{
	struct passwd_line l;
	const struct passwd *pw;

	errno = 0;
	pw = getpwnam(name);
	if (pw == NULL)
		return ops_fail(err, OPS_ENOENT,
		    "there is no user \"%.60s\" (getent passwd %.60s)", name,
		    name);
	l = (struct passwd_line){ .name = pw->pw_name,
		.name_len = strlen(pw->pw_name),
		.home = pw->pw_dir,
		.home_len = strlen(pw->pw_dir),
		.shell = pw->pw_shell,
		.shell_len = strlen(pw->pw_shell),
		.uid = pw->pw_uid,
		.gid = pw->pw_gid };
	if (l.uid == 0)
		return ops_fail(err, OPS_EUSAGE,
		    "\"%.60s\" is root; --root asks for it", name);
	return choose(c, &l, true, true, err);
}

/* Why an account is looked at. */
enum asked {
	BY_NAME,
	BY_GROUP, /* a group may have users that aren't there, or root */
};

static int
choose_user(const struct choice *c, const char *name, enum asked asked,
    struct ops_err *err)
{
	struct passwd_line l;
	size_t at = 0;
	bool found = false;
	int rc;

	while ((rc = passwd_next(
		    c->host->passwd, c->host->passwd_len, &at, &l)) != 0) {
		if (rc < 0 || !passwd_is(&l, name, l.uid))
			continue;
		found = true;
		if (is_listed(c->ret, l.name, l.name_len, l.uid))
			continue;
		if (l.uid == 0 && asked != BY_NAME)
			note(c, &l,
			    "left alone: it is root; --root asks for it");
		else if (l.uid == 0)
			return ops_fail(err, OPS_EUSAGE,
			    "\"%.60s\" is root; --root asks for it", name);
		else if (choose(c, &l, false, true, err) < 0)
			return -1;
	}
	if (found)
		return 0;
	if (asked == BY_GROUP && getpwnam(name) == NULL) {
		ops_buf_printf(c->notes,
		    "%s: left alone: the group has it, but there is no such "
		    "user\n",
		    name);
		return 0;
	}
	return choose_elsewhere(c, name, err);
}

static int
choose_group(const struct choice *c, const char *name, struct ops_err *err)
{
	const struct group *g = getgrnam(name);
	struct passwd_line l;
	size_t at = 0;
	int rc;

	if (g == NULL)
		return ops_fail(err, OPS_ENOENT,
		    "there is no group \"%.60s\" (getent group %.60s)", name,
		    name);
	for (char *const *member = g->gr_mem; *member != NULL; member++)
		if (choose_user(c, *member, BY_GROUP, err) < 0)
			return -1;
	while ((rc = passwd_next(
		    c->host->passwd, c->host->passwd_len, &at, &l)) != 0)
		if (rc > 0 && l.gid == g->gr_gid && l.uid != 0 &&
		    choose(c, &l, false, true, err) < 0)
			return -1;
	return 0;
}

/* -- those of before -- */

struct before {
	const char *name;
	bool found;
};

static int
compare(const void *a, const void *b)
{
	const struct before *x = a, *y = b;

	return strcmp(x->name, y->name);
}

/* The accounts of passwd that are in the sorted list. */
static int
choose_found(
    const struct choice *c, struct before *b, size_t n, struct ops_err *err)
{
	struct passwd_line l;
	size_t at = 0;
	int rc;

	while ((rc = passwd_next(
		    c->host->passwd, c->host->passwd_len, &at, &l)) != 0) {
		struct before *found, key = { 0 };
		char name[256];

		if (rc < 0 || l.name_len >= sizeof(name))
			continue;
		memcpy(name, l.name, l.name_len);
		name[l.name_len] = '\0';
		key.name = name;
		found = bsearch(&key, b, n, sizeof(*b), compare);
		if (found == NULL)
			continue;
		found->found = true;
		if (l.uid != 0 && choose(c, &l, false, true, err) < 0)
			return -1;
	}
	return 0;
}

static int
choose_before(const struct choice *c, const struct accounts_wish *wish,
    struct ops_err *err)
{
	struct before *b = calloc(wish->n_also + 1, sizeof(*b));
	int rc;

	if (b == NULL)
		return ops_fail(err, OPS_ENOMEM, "accounts: no memory");
	for (size_t i = 0; i < wish->n_also; i++)
		b[i].name = wish->also[i];
	qsort(b, wish->n_also, sizeof(*b), compare);
	rc = choose_found(c, b, wish->n_also, err);
	for (size_t i = 0; rc == 0 && i < wish->n_also; i++)
		if (!b[i].found && getpwnam(b[i].name) != NULL)
			rc = choose_elsewhere(c, b[i].name, err);
	free(b);
	return rc;
}

int
accounts_choose(const struct accounts_host *host,
    const struct accounts_wish *wish, struct accounts *ret,
    struct ops_buf *notes, struct ops_err *err)
{
	struct accounts a = { 0 };
	struct choice c = { host, &a, notes };
	const struct opt_list none = { .n = 0 };
	const struct opt_list *users = wish->users, *groups = wish->groups;
	int rc = choose_people(&c, wish->people, wish->root, err);

	users = users != NULL ? users : &none;
	groups = groups != NULL ? groups : &none;
	for (size_t i = 0; rc == 0 && i < users->n; i++)
		rc = choose_user(&c, users->v[i], BY_NAME, err);
	for (size_t i = 0; rc == 0 && i < groups->n; i++)
		rc = choose_group(&c, groups->v[i], err);
	if (rc == 0 && wish->n_also > 0)
		rc = choose_before(&c, wish, err);
	if (rc < 0) {
		accounts_free(&a);
		return -1;
	}
	*ret = a;
	return 0;
}
