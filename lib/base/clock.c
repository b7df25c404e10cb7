#include "clock.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/timex.h>
#include <time.h>

#include "buf.h"
#include "io.h"
#include "text.h"

#define NS UINT64_C(1000000000)

/* Reading */

static uint64_t
read_ns(clockid_t id)
{
	struct timespec ts = { 0 };

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * NS + (uint64_t)ts.tv_nsec;
}

static void
read_kernel(struct ops_clock *ret)
{
	struct timex tx = { .modes = 0 };

	ret->boottime = read_ns(CLOCK_BOOTTIME);
	ret->monotonic = read_ns(CLOCK_MONOTONIC);
	ret->realtime = read_ns(CLOCK_REALTIME);
	ret->state = adjtimex(&tx) < 0 ? 0 : (uint32_t)tx.status;
}

static void (*replaced)(struct ops_clock *);

void
ops_clock_set(void (*source)(struct ops_clock *))
{
	replaced = source;
}

void
ops_clock_read(struct ops_clock *ret)
{
	if (replaced != NULL)
		replaced(ret);
	else
		read_kernel(ret);
}

uint64_t
ops_boottime(void)
{
	struct ops_clock c;

	if (replaced == NULL)
		return read_ns(CLOCK_BOOTTIME);
	replaced(&c);
	return c.boottime;
}

int
ops_boot_id(uint8_t id[static 16], struct ops_err *err)
{
	static const char path[] = "/proc/sys/kernel/random/boot_id";
	struct ops_buf b = { .max = 64 };
	char hex[32];
	size_t n = 0;
	int rc = -1;

	if (ops_read_file(AT_FDCWD, path, 0, &b, err) < 0)
		goto out;
	/* A UUID: 32 digits, of which hyphens make groups. */
	for (size_t i = 0; i < b.len; i++)
		if (b.data[i] != '-' && b.data[i] != '\n' && n++ < sizeof(hex))
			hex[n - 1] = (char)b.data[i];
	if (n != sizeof(hex) || ops_unhex(hex, n, id, 16) < 0) {
		ops_fail(err, OPS_EFORMAT, "%s: not a boot id", path);
		goto out;
	}
	rc = 0;
out:
	ops_buf_free(&b);
	return rc;
}

int
ops_machine_id(struct ops_buf *out, struct ops_err *err)
{
	size_t n;

	out->max = 256;
	if (ops_read_file(
		AT_FDCWD, "/etc/machine-id", OPS_IO_FOLLOW, out, NULL) < 0)
		ops_buf_reset(out);
	for (n = 0; n < out->len && out->data[n] > ' '; n++)
		continue;
	out->len = n;
	ops_buf_put8(out, '\0');
	return ops_buf_check(out, "machine id", err);
}

/* Printing */

/* Broken-down time; the offset in *off is 0 for UTC. */
static void
break_down(uint64_t realtime, int utc, struct tm *tm, long *off)
{
	time_t t = (time_t)(realtime / NS);

	*off = 0;
	if (!utc) {
		localtime_r(&t, tm);
		*off = tm->tm_gmtoff;
		/* RFC 3339 has no seconds in an offset; zones that once had
		 * some are shown in UTC. */
		if (*off % 60 == 0)
			return;
		*off = 0;
	}
	gmtime_r(&t, tm);
}

void
ops_time_rfc3339(uint64_t realtime, int utc, char out[static OPS_TIME_TEXT])
{
	char zone[8] = "Z";
	struct tm tm;
	unsigned minutes;
	long off;

	break_down(realtime, utc, &tm, &off);
	if (!utc) {
		minutes = (unsigned)(off < 0 ? -off : off) / 60 % 6000;
		snprintf(zone, sizeof(zone), "%c%02u:%02u", off < 0 ? '-' : '+',
		    minutes / 60, minutes % 60);
	}
	snprintf(out, OPS_TIME_TEXT, "%04d-%02d-%02dT%02d:%02d:%02d.%09u%s",
	    tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
	    tm.tm_sec, (unsigned)(realtime % NS), zone);
}

void
ops_time_short(uint64_t realtime, int utc, char out[static OPS_TIME_TEXT])
{
	struct tm tm;
	long off;

	break_down(realtime, utc, &tm, &off);
	snprintf(out, OPS_TIME_TEXT, "%04d-%02d-%02d %02d:%02d:%02d",
	    tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
	    tm.tm_sec);
}

void
ops_time_day(uint64_t realtime, char out[static 11])
{
	char text[OPS_TIME_TEXT];

	ops_time_short(realtime, 1, text);
	memcpy(out, text, 10);
	out[10] = '\0';
}

void
ops_offset_text(uint64_t ns, char out[static 24])
{
	uint64_t s = ns / NS;
	unsigned sec = (unsigned)(s % 60), min = (unsigned)(s / 60 % 60);
	unsigned long hours = s / 3600;

	if (hours > 0)
		snprintf(out, 24, "%lu:%02u:%02u", hours, min, sec);
	else
		snprintf(out, 24, "%u:%02u", min, sec);
}
