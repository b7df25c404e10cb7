/*
 * walread - the input as a WAL file, cut in two files after a number of blocks
 * that its first byte says; each block's CRC is made right, or nothing would
 * ever be reached.  Whatever is handed out is in order and linked, and reading
 * comes to an end.
 */
#include <stdio.h>
#include <string.h>

#include "../../unit/store_build.h"
#include "../fuzz.h"
#include "base/bytes.h"
#include "store/walread.h"

static void
mend(uint8_t *p, size_t n, uint64_t number)
{
	for (size_t at = 0; at + WAL_BLOCK <= n; at += WAL_BLOCK) {
		if (at == 0) {
			memcpy(p, "OPSWAL01", 8);
			ops_putle64(p + 8, number);
		}
		if (!ops_all_zero(p + at, WAL_BLOCK))
			ops_putle32(p + at + WAL_BLOCK - 4,
			    ops_crc32c(0, p + at, WAL_BLOCK - 4));
	}
}

static void
read_from(struct memstore *m, uint64_t from)
{
	uint8_t chain[OPS_HASH_LEN];
	const char *where, *detail;
	struct wal_reader *r;
	struct wal_batch b;
	uint64_t next = from, torn, at;

	if (wal_open_read(&m->vfs, from, &r, NULL) < 0)
		return;
	while (wal_next(r, &b, NULL) == 1) {
		struct wal_entry e;
		size_t pos = 0;
		uint32_t n = 0;

		REQUIRE(b.number == next);
		REQUIRE(
		    next == from || memcmp(b.prev, chain, sizeof(chain)) == 0);
		memcpy(chain, b.chain, sizeof(chain));
		while (wal_entry_next(&b, &pos, &e) == 1)
			n++;
		REQUIRE(n == b.entries);
		next++;
	}
	REQUIRE(wal_next(r, &b, NULL) == 0);
	wal_position(r, &at, chain);
	REQUIRE(at == next);
	if (wal_reader_end(r, &where, &detail, &torn) == WAL_END_DAMAGED)
		REQUIRE(detail[0] != '\0');
	else
		REQUIRE(torn % WAL_BLOCK == 0);
	wal_reader_free(r);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = { data, size };
	size_t cut = (size_t)fuzz_byte(&in) * WAL_BLOCK;
	struct memstore m;

	mem_init(&m);
	if (cut == 0 || cut > in.n)
		cut = in.n;
	mem_put(&m, "wal/00000001.wal", in.p, cut);
	mend(m.file[0].data, cut, 1);
	if (cut < in.n) {
		mem_put(&m, "wal/00000002.wal", in.p + cut, in.n - cut);
		mend(m.file[1].data, in.n - cut, 2);
	}
	for (uint64_t from = 1; from <= 3; from++)
		read_from(&m, from);
	mem_free(&m);
	return 0;
}
