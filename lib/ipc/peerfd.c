#include "peerfd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/io.h"
#include "base/procstat.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77 /* Linux 6.5 */
#endif

#define STATUS_MAX 1048576 /* /proc/PID/status, with 65,536 groups */

/* Of the process that has this pid now. */
static int
read_euid(pid_t pid, uint32_t *ret, struct ops_err *err)
{
	struct ops_buf b = { .max = STATUS_MAX };
	char path[40];
	int rc;

	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	rc = ops_read_file(AT_FDCWD, path, 0, &b, err);
	if (rc == 0)
		rc = procstat_line(
		    (const char *)b.data, b.len, "Uid", 1, ret, err);
	ops_buf_free(&b);
	return rc;
}

static bool
has_ended(int pidfd)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };

	return poll(&p, 1, 0) != 0;
}

/* As long as the process of this pidfd lives, its pid is nobody else's. */
static int
check_uid(const struct msg_peer *peer, int pidfd, struct ops_err *err)
{
	uint32_t euid = 0;

	if (read_euid(peer->pid, &euid, err) < 0)
		return -1;
	if (has_ended(pidfd))
		return ops_fail(
		    err, OPS_EUNAVAIL, "process %d has ended", (int)peer->pid);
	if (euid != peer->uid)
		return ops_fail(err, OPS_EUNAVAIL,
		    "process %d is of uid %u, and uid %u connected: it has "
		    "ended, or become another user",
		    (int)peer->pid, (unsigned)euid, (unsigned)peer->uid);
	return 0;
}

int
peerfd_open(const struct msg_peer *peer, int *ret, struct ops_err *err)
{
	int fd = pidfd_open(peer->pid, 0);

	if (fd < 0) {
		ops_fail_errno(err, "pidfd_open of %d", (int)peer->pid);
		if (err != NULL && errno == ESRCH)
			err->code = OPS_EUNAVAIL;
		return -1;
	}
	if (check_uid(peer, fd, err) < 0) {
		close(fd);
		return -1;
	}
	*ret = fd;
	return 0;
}

int
peerfd_get(int fd, int *ret, struct ops_err *err)
{
	struct msg_peer peer;
	int pidfd = -1;
	socklen_t len = sizeof(pidfd);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &len) == 0) {
		*ret = pidfd;
		return 0;
	}
	if (errno != ENOPROTOOPT)
		return ops_fail_errno(err, "SO_PEERPIDFD");
	if (msg_peer(fd, &peer, err) < 0)
		return -1;
	return peerfd_open(&peer, ret, err);
}
