#include "procid.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "record/event.h"

#define PROC_TEXT_MAX 4096
#define STAT_START_AFTER_NAME 20 /* words after the name: state is the first */

/* The text of /proc/PID/name, NUL-terminated. */
static int
read_text(pid_t pid, const char *name, char out[static PROC_TEXT_MAX],
    struct ops_err *err)
{
	char path[64];
	ssize_t n;
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return ops_fail_errno(err, "%s", path);
	n = read(fd, out, PROC_TEXT_MAX - 1);
	if (n < 0) {
		ops_fail_errno(err, "%s", path);
		if (err != NULL && errno == ESRCH)
			err->code = OPS_ENOENT;
		close(fd);
		return -1;
	}
	close(fd);
	out[n] = '\0';
	return 0;
}

static int
parse_start(const char *stat, uint64_t *ret, struct ops_err *err)
{
	/* The name may hold spaces and parentheses, but not the last one. */
	const char *p = strrchr(stat, ')');
	char *end;

	if (p == NULL)
		return ops_fail(err, OPS_EFORMAT, "stat: no name");
	/* Only its parent has still to hear of it. */
	if (strncmp(p, ") Z", 3) == 0 || strncmp(p, ") X", 3) == 0)
		return ops_fail(err, OPS_ENOENT, "stat: it has ended");
	for (int i = 0; i < STAT_START_AFTER_NAME; i++) {
		p = strchr(p + 1, ' ');
		if (p == NULL)
			return ops_fail(err, OPS_EFORMAT, "stat: too short");
	}
	errno = 0;
	*ret = strtoull(p + 1, &end, 10);
	if (errno != 0 || end == p + 1 || *end != ' ')
		return ops_fail(err, OPS_EFORMAT, "stat: no start time");
	return 0;
}

int
procid_start(pid_t pid, uint64_t *ret, struct ops_err *err)
{
	char text[PROC_TEXT_MAX];

	if (read_text(pid, "stat", text, err) < 0)
		return -1;
	return parse_start(text, ret, err);
}

/* A kernel without audit has no such file: unset. */
static uint32_t
read_audit(pid_t pid, const char *name)
{
	char text[PROC_TEXT_MAX];
	unsigned long v;
	char *end;

	if (read_text(pid, name, text, NULL) < 0)
		return EVENT_UNSET;
	errno = 0;
	v = strtoul(text, &end, 10);
	if (errno != 0 || end == text || v > UINT32_MAX)
		return EVENT_UNSET;
	return (uint32_t)v;
}

/* The number behind these words.  No name can imitate a line of status: a
 * newline in one is escaped there. */
static int
find_number(
    const char *text, const char *words, uint32_t *ret, struct ops_err *err)
{
	const char *p = strstr(text, words);
	unsigned long v = 0;
	char *end = NULL;

	errno = 0;
	if (p != NULL)
		v = strtoul(p + strlen(words), &end, 10);
	if (p == NULL || errno != 0 || end == p + strlen(words) ||
	    v > UINT32_MAX)
		return ops_fail(err, OPS_EFORMAT, "status: no number");
	*ret = (uint32_t)v;
	return 0;
}

int
procid_name(pid_t pid, struct procid_name *ret, struct ops_err *err)
{
	char text[PROC_TEXT_MAX];
	struct procid_name who = { 0 };
	uint32_t parent = 0, uid = 0;
	size_t n;

	if (read_text(pid, "status", text, err) < 0)
		return -1;
	if (find_number(text, "\nPPid:\t", &parent, err) < 0 ||
	    find_number(text, "\nUid:\t", &uid, err) < 0)
		return -1;
	who.parent = (pid_t)parent;
	who.uid = uid;
	if (read_text(pid, "comm", text, err) < 0)
		return -1;
	n = strlen(text);
	if (n > 0 && text[n - 1] == '\n')
		text[--n] = '\0';
	memcpy(who.comm, text, n < PROCID_COMM_MAX ? n : PROCID_COMM_MAX);
	*ret = who;
	return 0;
}

bool
procid_gone(int pidfd)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };

	return poll(&p, 1, 0) != 0;
}

int
procid_read(int pidfd, pid_t pid, struct procid *ret, struct ops_err *err)
{
	struct procid id = { 0 };

	if (procid_start(pid, &id.start, err) < 0)
		return -1;
	id.auid = read_audit(pid, "loginuid");
	id.ses = read_audit(pid, "sessionid");
	if (procid_gone(pidfd))
		return ops_fail(
		    err, OPS_ENOENT, "process %d has ended", (int)pid);
	*ret = id;
	return 0;
}
