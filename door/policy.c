#include "policy.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include "base/doorpolicy.h"
#include "installed.h"
#include "rootfile.h"

#define POLICY OPSEAL_SYSCONFDIR "/door"
#define LOG_SOCKET "/dev/log"

/* As the kernel has it of this process. */
static bool
is_member(gid_t group)
{
	int n = getgroups(0, NULL);
	gid_t *groups;
	bool found = getegid() == group;

	if (found || n <= 0)
		return found;
	groups = calloc((size_t)n, sizeof(*groups));
	if (groups == NULL)
		return false;
	n = getgroups(n, groups);
	for (int i = 0; i < n; i++)
		found |= groups[i] == group;
	free(groups);
	return found;
}

/* What was in force last.  Without it, or where it can't be understood, nobody is
 * locked out: a user can bring about neither. */
static void
read_policy(struct doorpolicy *ret)
{
	struct ops_buf b = { .max = DOORPOLICY_MAX };

	*ret = (struct doorpolicy){ .refuse = false };
	if (rootfile_read(POLICY, &b, NULL) == 0)
		(void)doorpolicy_parse((const char *)b.data, b.len, ret, NULL);
	ops_buf_free(&b);
}

/* Members are let in where nothing answers.  What the daemon refuses it has decided,
 * with the same configuration. */
static void
by_group(const struct doorpolicy *file, struct policy *p)
{
	if (!file->has_group || !is_member(file->gid))
		return;
	p->run = true;
	(void)snprintf(
	    p->why, sizeof(p->why), " (you are in the group %s)", file->group);
}

static void
at_login(const struct door *d, struct policy *p)
{
	struct doorpolicy file;

	if (d->off || getuid() == 0) { /* root is never locked out */
		p->run = true;
		return;
	}
	if (!d->missing && !d->no_answer)
		return;
	read_policy(&file);
	if (!d->missing) {
		by_group(&file, p);
		return;
	}
	p->run = !file.refuse || file.off[0] != '\0';
	if (file.off[0] != '\0')
		(void)snprintf(p->trouble, sizeof(p->trouble),
		    "recording is switched off %s", file.off);
	else if (file.refuse)
		by_group(&file, p);
	if (!p->run)
		(void)snprintf(p->why, sizeof(p->why),
		    "; nobody may work unrecorded here (on_log_failure = "
		    "refuse)");
}

void
policy_decide(
    const struct door *d, const struct ops_err *err, struct policy *ret)
{
	*ret = (struct policy){ .run = false };
	if (d->off)
		(void)snprintf(ret->trouble, sizeof(ret->trouble),
		    "recording is switched off %s", d->off_text);
	else if (d->missing)
		(void)snprintf(ret->trouble, sizeof(ret->trouble),
		    "no daemon answers at %.200s/session.sock (is opseald "
		    "running?)",
		    d->run);
	else
		(void)snprintf(
		    ret->trouble, sizeof(ret->trouble), "%s", err->msg);
	if (d->at_login)
		at_login(d, ret);
	else
		ret->run = d->run_anyway && (d->missing || d->off);
}

void
policy_note(const struct policy *p)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX,
		.sun_path = LOG_SOCKET };
	char line[800];
	int fd, n;

	/* The journal keeps beside it who says so, as the kernel knows him. */
	n = snprintf(line, sizeof(line),
	    "<%d>opseal-shell[%d]: a login of uid %u %s: %s%s",
	    LOG_AUTHPRIV | LOG_WARNING, (int)getpid(), (unsigned)getuid(),
	    p->run ? "is not recorded" : "was refused", p->trouble, p->why);
	if (n < 0)
		return;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return;
	(void)sendto(fd, line,
	    (size_t)n < sizeof(line) ? (size_t)n : sizeof(line) - 1,
	    MSG_NOSIGNAL, (const struct sockaddr *)&to, sizeof(to));
	close(fd);
}
