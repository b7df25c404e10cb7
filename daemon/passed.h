/*
 * passed - what the service manager hands over in the environment: sockets that
 * it listens on (sd_listen_fds(3)) and the interval of its watchdog
 * (sd_watchdog_enabled(3)).  Pure: text in, struct out.
 *
 * Fuzzed: passed
 */
#ifndef OPS_DAEMON_PASSED_H
#define OPS_DAEMON_PASSED_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

#define PASSED_FIRST 3 /* descriptor of the first */
#define PASSED_MAX 8
#define PASSED_NAME_MAX 63 /* bytes */

struct passed {
	size_t n;
	char name[PASSED_MAX][PASSED_NAME_MAX + 1]; /* of PASSED_FIRST + i */
};

/*
 * LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES; NULL: not set.  What was meant for
 * another process is nothing (n 0).  OPS_EUSAGE: they make no sense, or name
 * fewer or more than there are.
 */
int passed_sockets_parse(const char *pid, const char *fds, const char *names,
    pid_t self, struct passed *ret, struct ops_err *err);

/* WATCHDOG_USEC and WATCHDOG_PID (NULL: any): ns, 0 if there is no watchdog, or
 * it is another process's, or the text is no number. */
uint64_t passed_watchdog_parse(const char *usec, const char *pid, pid_t self);

#endif
