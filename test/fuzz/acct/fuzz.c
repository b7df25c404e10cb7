/*
 * acct - any numbers a kernel may write into a record are read as they were
 * meant, as exactly as its small floating-point numbers can say them; every
 * cut asks for more.  And any bytes at all: what is refused touches nothing,
 * and another version or byte order never passes.
 */
#include "../fuzz.h"

#include "base/bytes.h"
#include "record/acct.h"

/* As the kernel does it: 13 bits of the number, rounded, and how often it was
 * divided by 8. */
static uint16_t
comp(uint64_t v)
{
	unsigned exponent = 0;
	uint64_t half = 0;

	while (v > 0x1fff) {
		half = v & 4;
		v >>= 3;
		exponent++;
	}
	if (half != 0 && ++v > 0x1fff) {
		v >>= 3;
		exponent++;
	}
	return exponent > 7 ? 0xffff : (uint16_t)(exponent << 13 | v);
}

/* Off by half of the last digit to base 8 at most, and no further up than the
 * largest one. */
static void
near(uint64_t got, uint64_t want)
{
	uint64_t off = got > want ? got - want : want - got;

	REQUIRE(want <= 0x1fff ? off == 0 : off <= want / 512);
}

static void
check_kernels(struct fuzz_in in)
{
	uint8_t p[ACCT_RECORD_LEN];
	struct acct_record r = { .pid = 77 };
	uint64_t v[5];
	uint32_t etime;
	float f;

	fuzz_take(&in, p, sizeof(p));
	fuzz_take(&in, v, sizeof(v));
	fuzz_take(&in, &etime, sizeof(etime));
	for (size_t i = 0; i < OPS_ARRAY_LEN(v); i++)
		v[i] >>= 30; /* what 16 bits can say */
	p[1] = 3;
	f = (float)etime;
	memcpy(p + 28, &f, sizeof(f));
	ops_putle16(p + 32, comp(v[0]));
	ops_putle16(p + 34, comp(v[1]));
	ops_putle16(p + 36, comp(v[2]));
	ops_putle16(p + 42, comp(v[3]));
	ops_putle16(p + 44, comp(v[4]));
	for (size_t cut = 0; cut < sizeof(p); cut++)
		REQUIRE(acct_decode(p, cut, &r, NULL) < 0 && r.pid == 77);
	REQUIRE(acct_decode(p, sizeof(p), &r, NULL) == 0);
	REQUIRE(r.etime == (uint64_t)f * ACCT_TICK_NS);
	REQUIRE(r.utime % ACCT_TICK_NS == 0 && r.stime % ACCT_TICK_NS == 0);
	near(r.utime / ACCT_TICK_NS, v[0]);
	near(r.stime / ACCT_TICK_NS, v[1]);
	near(r.mem, v[2]);
	near(r.minflt, v[3]);
	near(r.majflt, v[4]);
	REQUIRE(r.pid == ops_getle32(p + 16) && r.ppid == ops_getle32(p + 20));
	REQUIRE(r.uid == ops_getle32(p + 8) && r.gid == ops_getle32(p + 12));
	REQUIRE(r.status == ops_getle32(p + 4) && r.flags == p[0]);
	REQUIRE(r.began == ops_getle32(p + 24));
}

static void
check_any(const uint8_t *p, size_t n)
{
	struct acct_record r, was;
	struct ops_err err = { 0 };

	memset(&r, 0x5a, sizeof(r));
	was = r;
	if (acct_decode(p, n, &r, &err) < 0) {
		REQUIRE(memcmp(&r, &was, sizeof(r)) == 0);
		REQUIRE((err.code == OPS_ETRUNC) == (n < ACCT_RECORD_LEN));
		REQUIRE(err.code == OPS_ETRUNC || err.code == OPS_EFORMAT);
		return;
	}
	REQUIRE(n >= ACCT_RECORD_LEN && p[1] == 3);
	REQUIRE(r.comm_len <= ACCT_NAME_MAX);
	REQUIRE(memcmp(r.comm, p + 48, ACCT_NAME_MAX) == 0);
	REQUIRE(memchr(r.comm, 0, r.comm_len) == NULL);
	REQUIRE(r.comm_len == ACCT_NAME_MAX || r.comm[r.comm_len] == '\0');
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_any(data, size);
	check_kernels((struct fuzz_in){ data, size });
	return 0;
}
