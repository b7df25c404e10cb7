#include "drop.h"

#include <assert.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CAP_BIT(c) (UINT64_C(1) << (c))

/* Starting a role: change its ids, empty its bounding set; ending it: KILL.  A
 * role can keep only what its supervisor had. */
#define SUPERVISOR_CAPS                                                        \
	(CAP_BIT(CAP_SETUID) | CAP_BIT(CAP_SETGID) | CAP_BIT(CAP_SETPCAP) |    \
	    CAP_BIT(CAP_KILL) | DROP_LOOK | DROP_CAPTURE)

int
drop_find_user(bool no_drop, struct drop_user *ret, struct ops_err *err)
{
	const struct passwd *pw;

	*ret = (struct drop_user){ false, geteuid(), getegid() };
	if (no_drop || geteuid() != 0)
		return 0;
	errno = 0;
	pw = getpwnam(DROP_USER);
	/* Where there is none it may leave any of some others: getpwnam(3). */
	if (pw == NULL && (errno == ENOMEM || errno == EMFILE ||
			      errno == ENFILE || errno == EIO))
		return ops_fail_errno(err, "user %s", DROP_USER);
	if (pw == NULL)
		return ops_fail(err, OPS_EUSAGE,
		    "there is no user %s to run as: `make deps` or `make "
		    "install` makes it (useradd --system "
		    "--user-group " DROP_USER
		    "), or give --no-drop to stay root",
		    DROP_USER);
	if (pw->pw_uid == 0 || pw->pw_gid == 0)
		return ops_fail(
		    err, OPS_EUSAGE, "the user %s is root", DROP_USER);
	*ret = (struct drop_user){ true, pw->pw_uid, pw->pw_gid };
	return 0;
}

static int
limit_bounding_set(uint64_t keep, struct ops_err *err)
{
	for (int cap = 0; cap < 64; cap++) {
		int have = prctl(PR_CAPBSET_READ, cap, 0, 0, 0);

		if (have < 0)
			break; /* past the kernel's last capability */
		if (have == 0 || (keep & CAP_BIT(cap)) != 0)
			continue;
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			return ops_fail_errno(
			    err, "drop capability %d for good", cap);
	}
	return 0;
}

static int
set_capabilities(uint64_t keep, struct ops_err *err)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3
	};
	struct __user_cap_data_struct data[2];

	/* Only what is there can be kept (a container may have less). */
	if (syscall(SYS_capget, &head, data) < 0)
		return ops_fail_errno(err, "capget");
	for (int i = 0; i < 2; i++) {
		uint32_t mask = (uint32_t)(keep >> (32 * i));

		data[i].permitted &= mask;
		data[i].effective = data[i].permitted;
		data[i].inheritable = 0;
	}
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return ops_fail_errno(err, "clear ambient capabilities");
	if (syscall(SYS_capset, &head, data) < 0)
		return ops_fail_errno(err, "capset");
	return 0;
}

bool
drop_kept(uint64_t keep)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3
	};
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &head, data) < 0)
		return false;
	return (((uint64_t)data[1].effective << 32 | data[0].effective) &
		   keep) == keep;
}

int
drop_rest(const struct drop_user *u, struct ops_err *err)
{
	return u->change ? set_capabilities(0, err) : 0;
}

static int
become_user(const struct drop_user *u, struct ops_err *err)
{
	if (setgroups(0, NULL) < 0 || setresgid(u->gid, u->gid, u->gid) < 0 ||
	    setresuid(u->uid, u->uid, u->uid) < 0)
		return ops_fail_errno(err, "become uid %u", (unsigned)u->uid);
	/* If the way back were open, nothing after this would be worth much. */
	assert(setuid(0) < 0 && setgid(0) < 0);
	return 0;
}

static int
lock_down(struct ops_err *err)
{
	const struct rlimit none = { 0, 0 };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return ops_fail_errno(err, "no_new_privs");
	if (setrlimit(RLIMIT_CORE, &none) < 0)
		return ops_fail_errno(err, "RLIMIT_CORE");
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return ops_fail_errno(err, "PR_SET_DUMPABLE");
	return 0;
}

int
drop_role(
    const struct drop_user *u, uint64_t keep, pid_t parent, struct ops_err *err)
{
	if (u->change && keep != 0 && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		return ops_fail_errno(err, "PR_SET_KEEPCAPS");
	if (u->change &&
	    (limit_bounding_set(0, err) < 0 || become_user(u, err) < 0))
		return -1;
	if (prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) < 0)
		return ops_fail_errno(err, "PR_SET_KEEPCAPS");
	/* With --no-drop root keeps root's rights: that is what it is for. */
	if (geteuid() != 0 && set_capabilities(u->change ? keep : 0, err) < 0)
		return -1;
	if (lock_down(err) < 0)
		return -1;
	/* Changing ids clears it, so it comes last. */
	if (prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0) < 0)
		return ops_fail_errno(err, "PR_SET_PDEATHSIG");
	if (getppid() != parent)
		return ops_fail(err, OPS_EUNAVAIL, "the supervisor is gone");
	return 0;
}

int
drop_supervisor(const struct drop_user *u, uint64_t more, struct ops_err *err)
{
	const uint64_t keep = SUPERVISOR_CAPS | more;

	if (u->change && setgroups(0, NULL) < 0)
		return ops_fail_errno(err, "drop groups");
	if (u->change && (limit_bounding_set(keep, err) < 0 ||
			     set_capabilities(keep, err) < 0))
		return -1;
	if (geteuid() != 0 && set_capabilities(0, err) < 0)
		return -1;
	return lock_down(err);
}

int
drop_act_as(const struct drop_user *u, struct ops_err *err)
{
	if (!u->change)
		return 0;
	if (setegid(u->gid) < 0)
		return ops_fail_errno(err, "act as gid %u", (unsigned)u->gid);
	if (seteuid(u->uid) < 0) {
		ops_fail_errno(err, "act as uid %u", (unsigned)u->uid);
		drop_act_back(u);
		return -1;
	}
	return 0;
}

void
drop_act_back(const struct drop_user *u)
{
	int rc;

	if (!u->change)
		return;
	rc = seteuid(0);
	assert(rc == 0);
	rc = setegid(0);
	assert(rc == 0);
	/* A change of ids may have made it dumpable by fs.suid_dumpable. */
	rc = prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	assert(rc == 0);
}
