/*
 * clock - the clocks opseal records, in nanoseconds, and wall time as text.
 *
 * Only this module and its callers in programs read a clock; lib/record and
 * lib/merkle never do.  Tests replace the clock through ops_clock_set().
 *
 * Fuzzed: time
 */
#ifndef OPS_CLOCK_H
#define OPS_CLOCK_H

#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "err.h"

/* One reading of all clocks, taken together (clock_gettime(2), adjtimex(2)). */
struct ops_clock {
	uint64_t boottime;  /* CLOCK_BOOTTIME, ns */
	uint64_t monotonic; /* CLOCK_MONOTONIC, ns */
	uint64_t realtime;  /* CLOCK_REALTIME, ns since the epoch */
	uint32_t state;     /* adjtimex() status bits (STA_*), 0 if unknown */
};

void ops_clock_read(struct ops_clock *ret);
uint64_t ops_boottime(void); /* CLOCK_BOOTTIME alone: the hot path */
/* Replace the source (tests); NULL restores the kernel's. */
void ops_clock_set(void (*source)(struct ops_clock *));

/* /proc/sys/kernel/random/boot_id as 16 bytes.  0 or -1. */
int ops_boot_id(uint8_t id[static 16], struct ops_err *err);
/* The text of /etc/machine-id, "" where there is none (a small container); -1: no
 * memory.  out: empty; it ends with a NUL. */
int ops_machine_id(struct ops_buf *out, struct ops_err *err);

/* "2026-11-23T09:14:07.123456789+01:00" (utc: "...Z"); local zone otherwise. */
#define OPS_TIME_TEXT 48
void ops_time_rfc3339(
    uint64_t realtime, int utc, char out[static OPS_TIME_TEXT]);
/* "2026-11-23 09:14:07" for lists. */
void ops_time_short(uint64_t realtime, int utc, char out[static OPS_TIME_TEXT]);
/* "YYYY-MM-DD" in UTC: the name of a day's folder in the store. */
void ops_time_day(uint64_t realtime, char out[static 11]);

/*
 * Parse a point in time as journalctl(1) takes it: "2026-11-23 09:14[:07]",
 * "2026-11-23", "09:14", RFC 3339, "@epoch[.frac]", "now", "today",
 * "yesterday", "tomorrow", "-2h", "+5min", "2 days ago".  now: ns since the
 * epoch.  Units: ns us ms s m min h d w M month(s) y year(s) and their names, as
 * in systemd.time(7).  A local time that comes twice (clocks go back) means the
 * first; one that never comes (they go forward) is counted on from the last
 * that does: 02:30 means 03:30.  The result is from 1970 to 2500.
 */
int ops_time_parse(
    const char *text, uint64_t now, uint64_t *ret, struct ops_err *err);

/* "3s", "250ms", "1min", "1h 30min", "1.5h", "60" (seconds) to ns. */
int ops_duration_parse(const char *text, uint64_t *ret, struct ops_err *err);
/* 83 s -> "1:23", 3723 s -> "1:02:03"; the form of SESSION@OFFSET. */
void ops_offset_text(uint64_t ns, char out[static 24]);
/* "83", "1:23", "90:00", "1:02:03.5" -> ns. */
int ops_offset_parse(const char *text, uint64_t *ret, struct ops_err *err);

#endif
