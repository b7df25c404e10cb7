#include "fate.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/procstat.h"

/* So far the wall clock may have been moved since the program began. */
#define LATE_MAX UINT64_C(2000000000) /* an end is here by then */
#define BOOT_SLACK UINT64_C(60000000000)

/* Did it begin in the boot that this machine is in? */
static bool
is_of_this_boot(const struct program *p, const struct ops_clock *now)
{
	uint64_t then = p->time - p->boottime;
	uint64_t boot = now->realtime - now->boottime;

	return p->boottime <= now->boottime &&
	       (boot > then ? boot - then : then - boot) < BOOT_SLACK;
}

/* Another process may have its pid by now. */
static bool
is_running(const struct program_exec *e)
{
	char path[32], text[PROCSTAT_TEXT_MAX];
	struct procstat st;
	ssize_t n;
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%u/stat", e->pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, text, sizeof(text));
	close(fd);
	return n > 0 && procstat_parse(text, (size_t)n, &st, NULL) == 0 &&
	       st.start == e->start / EVENT_TICK_NS;
}

enum fate
fate_of(const struct program *p)
{
	struct ops_clock now;

	if (program_of_nobody(p))
		return FATE_NONE;
	if (p->kind == PROGRAM_FAILED)
		return FATE_FAILED;
	if (p->replaced)
		return FATE_REPLACED;
	if (p->has_end)
		return FATE_ENDED;
	ops_clock_read(&now);
	if (!is_of_this_boot(p, &now))
		return FATE_UNKNOWN;
	if (is_running(&p->exec))
		return FATE_RUNS;
	return now.boottime - p->boottime < LATE_MAX ? FATE_PENDING
						     : FATE_UNKNOWN;
}

const char *
fate_name(enum fate f)
{
	static const char *const names[] = { [FATE_ENDED] = "ended",
		[FATE_REPLACED] = "replaced",
		[FATE_RUNS] = "running",
		[FATE_PENDING] = "pending",
		[FATE_UNKNOWN] = "unknown",
		[FATE_FAILED] = "failed",
		[FATE_NONE] = NULL };

	return names[f];
}
