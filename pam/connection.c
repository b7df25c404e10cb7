#include "connection.h"

#include <dirent.h>
#include <linux/tcp.h> /* glibc's lacks the counts */
#include <netinet/in.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define FDS "/proc/self/fd"
#define STATE_LISTEN 10 /* TCP_LISTEN, of the kernel's net/tcp_states.h */
#define COUNTED (offsetof(struct tcp_info, tcpi_bytes_received) + 8)

static bool
has(int fd, int option, int value)
{
	socklen_t n = sizeof(int);
	int got = 0;

	return getsockopt(fd, SOL_SOCKET, option, &got, &n) == 0 &&
	       got == value;
}

/* Which socket it is, however often it is open; its counts.  False: it is no TCP
 * connection. */
static bool
look(int fd, uint64_t *cookie, struct tcp_info *info)
{
	socklen_t n = sizeof(*cookie), len = sizeof(*info);

	memset(info, 0, sizeof(*info));
	return (has(fd, SO_DOMAIN, AF_INET) || has(fd, SO_DOMAIN, AF_INET6)) &&
	       has(fd, SO_PROTOCOL, IPPROTO_TCP) &&
	       getsockopt(fd, SOL_SOCKET, SO_COOKIE, cookie, &n) == 0 &&
	       getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, &len) == 0 &&
	       len >= COUNTED && info->tcpi_state != STATE_LISTEN;
}

bool
connection_bytes(uint64_t *in, uint64_t *out)
{
	uint64_t first = 0, cookie;
	struct tcp_info found = { 0 }, info;
	const struct dirent *e;
	bool several = false, any = false;
	DIR *d = opendir(FDS);

	if (d == NULL)
		return false;
	while ((e = readdir(d)) != NULL) {
		char *end;
		long fd = strtol(e->d_name, &end, 10);

		if (end == e->d_name || *end != '\0' || fd == dirfd(d) ||
		    !look((int)fd, &cookie, &info))
			continue;
		several |= any && cookie != first;
		any = true;
		first = cookie;
		found = info;
	}
	closedir(d);
	if (!any || several)
		return false;
	*in = found.tcpi_bytes_received;
	*out = found.tcpi_bytes_acked;
	return true;
}
