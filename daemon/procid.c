#include "procid.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/procstat.h"
#include "record/event.h"

/* The text of /proc/PID/name; its length or -1. */
static ssize_t
read_text(pid_t pid, const char *name, char out[static PROCSTAT_TEXT_MAX],
    struct ops_err *err)
{
	char path[64];
	ssize_t n;
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return ops_fail_errno(err, "%s", path);
	n = read(fd, out, PROCSTAT_TEXT_MAX);
	if (n < 0) {
		ops_fail_errno(err, "%s", path);
		if (err != NULL && errno == ESRCH)
			err->code = OPS_ENOENT;
		close(fd);
		return -1;
	}
	close(fd);
	return n;
}

int
procid_start(pid_t pid, uint64_t *ret, struct ops_err *err)
{
	char text[PROCSTAT_TEXT_MAX];
	ssize_t n = read_text(pid, "stat", text, err);
	struct procstat st;

	if (n < 0 || procstat_parse(text, (size_t)n, &st, err) < 0)
		return -1;
	/* Only its parent has still to hear of it. */
	if (st.state == 'Z' || st.state == 'X')
		return ops_fail(err, OPS_ENOENT, "stat: it has ended");
	*ret = st.start;
	return 0;
}

/* A kernel without audit has no such file: unset. */
static uint32_t
read_audit(pid_t pid, const char *name)
{
	char text[PROCSTAT_TEXT_MAX];
	ssize_t n = read_text(pid, name, text, NULL);
	uint32_t v;

	if (n < 0 || procstat_number(text, (size_t)n, &v, NULL) < 0)
		return EVENT_UNSET;
	return v;
}

int
procid_name(pid_t pid, struct procid_name *ret, struct ops_err *err)
{
	char text[PROCSTAT_TEXT_MAX];
	ssize_t n = read_text(pid, "status", text, err);
	struct procid_name who = { 0 };
	uint32_t parent, uid;

	if (n < 0 ||
	    procstat_line(text, (size_t)n, "PPid", 0, &parent, err) < 0 ||
	    procstat_line(text, (size_t)n, "Uid", 0, &uid, err) < 0)
		return -1;
	who.parent = (pid_t)parent;
	who.uid = uid;
	n = read_text(pid, "comm", text, err);
	if (n < 0)
		return -1;
	procstat_comm(text, (size_t)n, who.comm, sizeof(who.comm));
	*ret = who;
	return 0;
}

int
procid_see(pid_t pid, struct procid_seen *ret, struct ops_err *err)
{
	char text[PROCSTAT_TEXT_MAX];
	struct procid_seen seen = { 0 };
	struct procstat st;
	ssize_t n = read_text(pid, "stat", text, err);

	if (n < 0 || procstat_parse(text, (size_t)n, &st, err) < 0)
		return -1;
	seen.parent = st.parent;
	seen.start = st.start;
	seen.tty_major = st.tty_major;
	seen.tty_minor = st.tty_minor;
	n = read_text(pid, "status", text, err);
	if (n < 0 ||
	    procstat_line(text, (size_t)n, "Uid", 0, &seen.uid, err) < 0 ||
	    procstat_line(text, (size_t)n, "Uid", 1, &seen.euid, err) < 0 ||
	    procstat_line(text, (size_t)n, "Gid", 0, &seen.gid, err) < 0 ||
	    procstat_line(text, (size_t)n, "Gid", 1, &seen.egid, err) < 0)
		return -1;
	n = read_text(pid, "comm", text, err);
	if (n < 0)
		return -1;
	procstat_comm(text, (size_t)n, seen.comm, sizeof(seen.comm));
	seen.auid = read_audit(pid, "loginuid");
	seen.ses = read_audit(pid, "sessionid");
	*ret = seen;
	return 0;
}

bool
procid_maps_uids(pid_t pid)
{
	char own[PROCSTAT_TEXT_MAX], its[PROCSTAT_TEXT_MAX];
	ssize_t n = read_text(getpid(), "uid_map", own, NULL);
	ssize_t m = read_text(pid, "uid_map", its, NULL);

	return n >= 0 && m >= 0 && (n != m || memcmp(own, its, (size_t)n) != 0);
}

size_t
procid_ancestors(pid_t pid, uint64_t start,
    uint8_t out[static EVENT_ANCESTORS_MAX * EVENT_PROCESS_LEN])
{
	struct ops_buf b = { .data = out,
		.cap = EVENT_ANCESTORS_MAX * EVENT_PROCESS_LEN,
		.max = EVENT_ANCESTORS_MAX * EVENT_PROCESS_LEN };
	struct procid_seen seen;
	uint64_t younger = start;

	if (procid_see(pid, &seen, NULL) < 0 || seen.start != start)
		return 0;
	for (size_t i = 0; i < EVENT_ANCESTORS_MAX; i++) {
		struct event_process p;

		pid = seen.parent;
		/* A pid that is somebody else's by now began later than the
		 * child of whom it was. */
		if (pid <= 0 || procid_see(pid, &seen, NULL) < 0 ||
		    seen.start > younger)
			break;
		p = (struct event_process){ (uint32_t)pid, seen.start };
		event_process_put(&b, &p);
		younger = seen.start;
	}
	return b.len;
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
