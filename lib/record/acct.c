#include "acct.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/bytes.h"

/* Where the fields of struct acct_v3 stand (linux/acct.h).  glibc's
 * <sys/acct.h> has other names and another padding, so neither is used. */
enum {
	AT_FLAG = 0,
	AT_VERSION = 1,
	AT_TTY = 2,
	AT_EXITCODE = 4,
	AT_UID = 8,
	AT_GID = 12,
	AT_PID = 16,
	AT_PPID = 20,
	AT_BTIME = 24,
	AT_ETIME = 28,
	AT_UTIME = 32,
	AT_STIME = 34,
	AT_MEM = 36,
	AT_IO = 38,
	AT_RW = 40,
	AT_MINFLT = 42,
	AT_MAJFLT = 44,
	AT_SWAPS = 46,
	AT_COMM = 48,
};

static_assert(
    AT_COMM + ACCT_NAME_MAX == ACCT_RECORD_LEN, "the name ends the record");

#define VERSION 3
#define VERSION_BIG_ENDIAN 0x80 /* ACCT_BYTEORDER */

uint64_t
acct_comp(uint16_t c)
{
	return (uint64_t)(c & 0x1fff) << (3 * (c >> 13));
}

static uint64_t
ticks(const uint8_t *p)
{
	return acct_comp(ops_getle16(p)) * ACCT_TICK_NS;
}

/* An IEEE 754 single of ticks.  Above 2^64 / ACCT_TICK_NS it is no time that a
 * machine can have been up for. */
static int
float_ticks(const uint8_t *p, uint64_t *ret, struct ops_err *err)
{
	uint32_t bits = ops_getle32(p);
	float f;

	static_assert(sizeof(f) == sizeof(bits), "float is a single");
	memcpy(&f, &bits, sizeof(f));
	if (!isfinite(f) || signbit(f) ||
	    f >= (float)(UINT64_MAX / ACCT_TICK_NS))
		return ops_fail(err, OPS_EFORMAT,
		    "accounting: elapsed time 0x%08x is none", bits);
	*ret = (uint64_t)f * ACCT_TICK_NS;
	return 0;
}

static int
check_version(uint8_t version, struct ops_err *err)
{
	unsigned number = version & ~VERSION_BIG_ENDIAN & 0xff;

	if (number != VERSION)
		return ops_fail(err, OPS_EFORMAT,
		    number == 1 || number == 2
			? "accounting: a record of version %u; only version 3 "
			  "is read"
			: "accounting: no record, or one of a version %u",
		    number);
	if ((version & VERSION_BIG_ENDIAN) != 0)
		return ops_fail(err, OPS_EFORMAT,
		    "accounting: a record in big-endian byte order, of "
		    "another machine");
	return 0;
}

int
acct_decode(
    const uint8_t *p, size_t n, struct acct_record *ret, struct ops_err *err)
{
	struct acct_record r = { 0 };
	uint16_t tty;

	if (n < ACCT_RECORD_LEN)
		return ops_fail(err, OPS_ETRUNC,
		    "accounting: %zu bytes of a record's %d", n,
		    ACCT_RECORD_LEN);
	if (check_version(p[AT_VERSION], err) < 0)
		return -1;
	if (float_ticks(p + AT_ETIME, &r.etime, err) < 0)
		return -1;
	r.flags = p[AT_FLAG];
	tty = ops_getle16(p + AT_TTY);
	r.tty = (uint32_t)(tty >> 8) << 20 | (tty & 0xff);
	r.status = ops_getle32(p + AT_EXITCODE);
	r.uid = ops_getle32(p + AT_UID);
	r.gid = ops_getle32(p + AT_GID);
	r.pid = ops_getle32(p + AT_PID);
	r.ppid = ops_getle32(p + AT_PPID);
	r.began = ops_getle32(p + AT_BTIME);
	r.utime = ticks(p + AT_UTIME);
	r.stime = ticks(p + AT_STIME);
	r.mem = acct_comp(ops_getle16(p + AT_MEM));
	r.io = acct_comp(ops_getle16(p + AT_IO));
	r.rw = acct_comp(ops_getle16(p + AT_RW));
	r.minflt = acct_comp(ops_getle16(p + AT_MINFLT));
	r.majflt = acct_comp(ops_getle16(p + AT_MAJFLT));
	r.swaps = acct_comp(ops_getle16(p + AT_SWAPS));
	memcpy(r.comm, p + AT_COMM, sizeof(r.comm));
	r.comm_len = (uint8_t)strnlen(r.comm, sizeof(r.comm));
	*ret = r;
	return 0;
}
