/*
 * accounts - whose logins are to be recorded.
 *
 * By default people: those of /etc/passwd with UID_MIN..UID_MAX of login.defs(5) and
 * a shell that is in shells(5).  Named ones may have any uid but 0; root is asked for
 * by its own option.  Named ones that aren't in passwd are looked for in the other
 * user databases (SSSD, LDAP), where nothing can be changed from here.
 */
#ifndef OPS_CLI_ACCOUNTS_H
#define OPS_CLI_ACCOUNTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "opt.h"

struct account {
	char *name, *home;
	char
	    *shell; /* as the user database has it: may be empty, or the door */
	uint32_t uid, gid;
	bool elsewhere; /* not in /etc/passwd */
};

/* { 0 } has nothing to free. */
struct accounts {
	struct account *v;
	size_t n;
};

struct accounts_host {
	const char *passwd, *shells, *login_defs; /* the files; no NUL behind */
	size_t passwd_len, shells_len, login_defs_len;
	const char *door; /* who has it as shell is chosen, too */
};

struct accounts_wish {
	const struct opt_list *users, *groups; /* NULL: none */
	const char *const *also; /* those of before, which may be gone */
	size_t n_also;
	bool people, root;
};

/*
 * Choose.  notes gets a line for each that is left out though it was named, and for
 * people who are.  OPS_ENOENT: a user or group that was named doesn't exist.
 */
int accounts_choose(const struct accounts_host *host,
    const struct accounts_wish *wish, struct accounts *ret,
    struct ops_buf *notes, struct ops_err *err);
void accounts_free(struct accounts *a);

/* Is the shell in shells(5)?  An empty one is /bin/sh. */
bool accounts_is_shell(const char *p, size_t n, const char *shell);
/* The shell itself: /bin/sh for "". */
const char *accounts_shell(const char *field);
/* Is it a shell that is there to hold its user back (rbash, git-shell)? */
bool accounts_restricts(const char *shell);
/* UID_MIN and UID_MAX of login.defs, or what they are without. */
void accounts_range(const char *p, size_t n, uint32_t *min, uint32_t *max);

#endif
