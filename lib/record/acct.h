/*
 * acct - the records of the kernel's own process accounting, acct(5): one of
 * 64 bytes for each process that ended, in the order of their ends.
 *
 * Only version 3 in little-endian order is read, which is what every kernel
 * writes that opseal runs on.  Versions 1 and 2 and big-endian records are
 * refused by name.
 *
 * What such a record can't say: arguments, the path, the effective and the
 * login uid.  comm is what the process called itself last.
 *
 * Fuzzed: acct
 */
#ifndef OPS_ACCT_H
#define OPS_ACCT_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define ACCT_RECORD_LEN 64
#define ACCT_NAME_MAX 16        /* bytes of comm; the kernel's last is NUL */
#define ACCT_TICK_NS 10000000ul /* AHZ of version 3 is 100 */

enum acct_flag {
	ACCT_FORKED = 0x01, /* AFORK: it never executed anything */
	ACCT_ROOT = 0x02,   /* ASU: used a privilege; not: was root */
	ACCT_COMPAT = 0x04, /* ACOMPAT */
	ACCT_CORE = 0x08,   /* ACORE: dumped core, or would have */
	ACCT_SIGNAL = 0x10, /* AXSIG: ended by a signal */
	ACCT_GROUP = 0x20,  /* AGROUP: taskstats only */
};

/* Times in ns; each was cut to the tick (ACCT_TICK_NS), and above about 80 s
 * of utime and stime, or 46 hours of etime, to what fits the kernel's small
 * floating-point numbers. */
struct acct_record {
	uint8_t flags;      /* enum acct_flag */
	uint32_t tty;       /* major << 20 | minor; 0: none.  The kernel keeps 8
			  * bits of each: pts/256 looks like pts/0 */
	uint32_t status;    /* as wait(2) has it */
	uint32_t uid, gid;  /* real ones */
	uint32_t pid, ppid; /* in the pid namespace that is accounted */
	uint32_t began;     /* CLOCK_REALTIME, s: that of the end without its
			  * fraction, less the whole seconds of etime */
	uint64_t etime;     /* on CLOCK_MONOTONIC: without suspended times */
	uint64_t utime, stime;
	uint64_t mem; /* KiB of address space at the end */
	uint64_t io;  /* no meaning is documented; not always 0 */
	uint64_t rw;  /* always 0 */
	uint64_t minflt, majflt;
	uint64_t swaps;           /* always 0 */
	uint8_t comm_len;         /* bytes of comm in front of the first NUL */
	char comm[ACCT_NAME_MAX]; /* any bytes, padded with NUL */
};

/* comp_t: 3 bits of an exponent to base 8, 13 bits of what it multiplies. */
uint64_t acct_comp(uint16_t c);

/*
 * The first record of the n bytes at p; the next is ACCT_RECORD_LEN behind it.
 * OPS_ETRUNC: fewer bytes than a record has, as at the end of a file that is
 * being written.  OPS_EFORMAT: not one of version 3, or with an etime that no
 * kernel writes (negative, not a number, over 2^64 ns).
 */
int acct_decode(
    const uint8_t *p, size_t n, struct acct_record *ret, struct ops_err *err);

#endif
