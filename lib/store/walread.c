#include "walread.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/crypto.h"

#define WAL_MAGIC "OPSWAL01"
#define NUMBER_DIGITS 8
#define NAMES_MAX (2 * WAL_FILES_MAX) /* in use, spare, and being made */
#define FILE_BLOCKS (WAL_FILE_SIZE / WAL_BLOCK)

struct wal_reader {
	struct vfs *v;
	uint64_t from;
	uint64_t number[NAMES_MAX]; /* of the files, ascending */
	size_t files;
	size_t start; /* index of the file to begin with; == files: none */

	size_t file;   /* being read */
	uint8_t *data; /* all of it */
	size_t room;   /* in data */
	size_t blocks; /* in data */
	size_t pos;    /* next block */
	uint64_t at;   /* number of the batch expected there */
	uint64_t next; /* the next batch to hand out, >= at */
	bool chained;  /* chain is the value before batch `at` */
	uint8_t chain[OPS_HASH_LEN];
	struct ops_buf batch; /* the pieces of one, joined */

	bool ended;
	bool stops_short;
	enum wal_end end;
	uint64_t torn_bytes;
	char batch_where[48], where[48], detail[120];
};

enum header_state {
	HEADER_OK,
	HEADER_UNBORN, /* zero, or of an earlier use: made or recycled, not begun */
	HEADER_BAD,
};

static void
set_where(char out[static 48], const struct wal_reader *r, size_t block)
{
	snprintf(out, 48, "wal/%08" PRIu64 ".wal block %zu", r->number[r->file],
	    block);
}

static void damaged(struct wal_reader *r, size_t block, const char *fmt, ...)
    OPS_PRINTF(3, 4);

/* The first damage is the one that is told; reading may go on after it. */
static void
damaged(struct wal_reader *r, size_t block, const char *fmt, ...)
{
	va_list ap;

	if (r->end == WAL_END_DAMAGED)
		return;
	r->end = WAL_END_DAMAGED;
	set_where(r->where, r, block);
	va_start(ap, fmt);
	vsnprintf(r->detail, sizeof(r->detail), fmt, ap);
	va_end(ap);
}

/* -- files -- */

/* The number in a name like "00000017.wal"; 0 if it is not one. */
static uint64_t
name_number(const char *name)
{
	uint64_t n = 0;

	for (size_t i = 0; i < NUMBER_DIGITS; i++) {
		if (name[i] < '0' || name[i] > '9')
			return 0;
		n = n * 10 + (uint64_t)(name[i] - '0');
	}
	return strcmp(name + NUMBER_DIGITS, ".wal") == 0 ? n : 0;
}

static int
find_files(struct wal_reader *r, struct ops_err *err)
{
	struct ops_err why = { 0 };
	struct vfs_names names;
	int rc = 0;

	if (vfs_list(r->v, "wal", &names, &why) < 0) {
		if (why.code == OPS_ENOENT)
			return 0;
		return ops_fail(err, why.code, "%s", why.msg);
	}
	for (size_t i = 0; rc == 0 && i < names.n; i++) {
		uint64_t n = name_number(names.name[i]);

		if (n == 0)
			continue;
		if (r->files == NAMES_MAX)
			rc = ops_fail(err, OPS_EFORMAT,
			    "wal/: more than %d files", NAMES_MAX);
		else
			r->number[r->files++] = n;
	}
	vfs_names_free(&names);
	return rc;
}

static enum header_state
header_state(const struct wal_reader *r, uint64_t *first)
{
	const uint8_t *p = r->data;
	uint64_t number;

	if (r->blocks == 0 || ops_all_zero(p, WAL_BLOCK))
		return HEADER_UNBORN;
	if (memcmp(p, WAL_MAGIC, 8) != 0 ||
	    ops_crc32c(0, p, WAL_BLOCK - 4) != ops_getle32(p + WAL_BLOCK - 4))
		return HEADER_BAD;
	number = ops_getle64(p + 8);
	*first = ops_getle64(p + 16);
	if (*first == 0 || !ops_all_zero(p + 24, WAL_BLOCK - 4 - 24))
		return HEADER_BAD;
	return number == r->number[r->file] ? HEADER_OK : HEADER_UNBORN;
}

/* Room for *n bytes, or as many as the file has. */
static int
make_room(struct wal_reader *r, size_t *n, uint64_t size, struct ops_err *err)
{
	size_t room;
	uint8_t *p;

	if (size < *n)
		*n = (size_t)size;
	room = *n + WAL_BLOCK; /* the last block may be cut */
	if (room <= r->room)
		return 0;
	p = realloc(r->data, room);
	if (p == NULL)
		return ops_fail(err, OPS_ENOMEM, "wal: no memory");
	r->data = p;
	r->room = room;
	return 0;
}

/*
 * Read the first n bytes of a file.  What lies beyond its end counts as never
 * written, as it would be after a power cut.  A file that the running writer
 * has taken away meanwhile counts as empty.
 */
static int
load(struct wal_reader *r, size_t file, size_t n, struct ops_err *err)
{
	struct ops_err why = { 0 };
	struct vfs_file *f;
	uint64_t size = 0;
	char path[32];
	ssize_t got;

	r->file = file;
	r->blocks = 0;
	snprintf(path, sizeof(path), "wal/%08" PRIu64 ".wal", r->number[file]);
	if (vfs_open(r->v, path, VFS_READ, &f, &why) < 0) {
		if (why.code != OPS_ENOENT)
			return ops_fail(err, why.code, "%s", why.msg);
		damaged(r, 0, "it is gone");
		return 0;
	}
	got = -1;
	if (vfs_size(f, &size, err) == 0 && make_room(r, &n, size, err) == 0)
		got = vfs_pread(f, r->data, n, 0, err);
	if (got < 0) {
		vfs_close(f);
		return -1;
	}
	vfs_close(f);
	if (size > WAL_FILE_SIZE)
		damaged(r, FILE_BLOCKS, "the file is too long");
	r->blocks = ((size_t)got + WAL_BLOCK - 1) / WAL_BLOCK;
	memset(r->data + got, 0, r->blocks * WAL_BLOCK - (size_t)got);
	return 0;
}

/* In a file of which nothing is needed any more no block may be damaged. */
static void
check_old(struct wal_reader *r)
{
	uint64_t first;

	if (header_state(r, &first) == HEADER_BAD)
		damaged(r, 0, "the header is damaged");
	for (size_t i = 1; i < r->blocks; i++)
		if (wal_block_check(r->data + i * WAL_BLOCK, 0, 0) ==
		    WAL_BLOCK_BAD)
			damaged(r, i, "a block is damaged");
}

/* Begin with the last file whose first batch is not after `from`. */
static int
find_start(struct wal_reader *r, struct ops_err *err)
{
	uint64_t first;

	for (r->start = r->files; r->start > 0;) {
		if (load(r, r->start - 1, WAL_BLOCK, err) < 0)
			return -1;
		if (header_state(r, &first) == HEADER_OK && first <= r->from)
			break;
		r->start--;
	}
	if (r->start == 0) {
		r->start =
		    r->files; /* none; what is there is looked at below */
		return 0;
	}
	r->start--;
	return 0;
}

int
wal_open_read(
    struct vfs *v, uint64_t from, struct wal_reader **ret, struct ops_err *err)
{
	struct wal_reader *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return ops_fail(err, OPS_ENOMEM, "wal: no memory");
	r->v = v;
	if (from == 0)
		from = 1; /* no BOOT yet: a first start that was cut short */
	r->from = r->next = r->at = from;
	r->batch.max = WAL_DISK_LEN(WAL_BATCH_MAX);
	if (find_files(r, err) < 0 || find_start(r, err) < 0) {
		wal_reader_free(r);
		return -1;
	}
	r->file = SIZE_MAX; /* nothing loaded yet */
	*ret = r;
	return 0;
}

void
wal_reader_free(struct wal_reader *r)
{
	if (r == NULL)
		return;
	ops_buf_free(&r->batch);
	free(r->data);
	free(r);
}

unsigned
wal_files(const struct wal_reader *r)
{
	return (unsigned)r->files;
}

bool
wal_has_start(const struct wal_reader *r)
{
	return r->start < r->files;
}

bool
wal_stops_short(const struct wal_reader *r)
{
	return r->stops_short;
}

/* -- batches -- */

static const uint8_t *
block_at(const struct wal_reader *r, size_t i)
{
	return r->data + i * WAL_BLOCK;
}

/*
 * The writer put nothing whole after block r->pos.  All that may lie there is
 * what an earlier use left, and blocks of one batch cut short.
 */
static void
check_rest(struct wal_reader *r, uint64_t *torn)
{
	size_t last = SIZE_MAX; /* a TORN block: nothing may follow */

	*torn = 0;
	for (size_t i = r->pos; i < r->blocks; i++) {
		size_t index = i - r->pos;

		switch (
		    wal_block_check(block_at(r, i), r->at, (uint32_t)index)) {
		case WAL_BLOCK_ZERO:
		case WAL_BLOCK_STALE:
			break;
		case WAL_BLOCK_OK:
			*torn += WAL_BLOCK;
			if (last == SIZE_MAX)
				break;
			damaged(r, last, "a block is damaged");
			return;
		case WAL_BLOCK_TORN:
			*torn += WAL_BLOCK;
			/* Only where all before it arrived. */
			if (last == SIZE_MAX &&
			    *torn == (index + 1) * WAL_BLOCK) {
				last = i;
				break;
			}
			damaged(r, i, "a block is damaged");
			return;
		case WAL_BLOCK_AHEAD:
			damaged(r, i,
			    "batch %" PRIu64 " is not whole, but "
			    "a later one is there",
			    r->at);
			return;
		case WAL_BLOCK_BAD:
			damaged(r, i, "a block is damaged");
			return;
		}
	}
}

/* Blocks that batch r->at takes at r->pos: 0 if it is not all there.  What
 * it is then that lies there, check_rest() tells. */
static size_t
whole_batch(struct wal_reader *r)
{
	uint32_t len = 0;
	size_t n = 1;

	ops_buf_reset(&r->batch);
	for (size_t i = 0; i < n; i++) {
		const uint8_t *b = block_at(r, r->pos + i);

		if (r->pos + i >= r->blocks ||
		    wal_block_check(b, r->at, (uint32_t)i) != WAL_BLOCK_OK)
			return 0;
		if (i == 0) {
			len = wal_block_batch_len(b);
			n = WAL_DISK_LEN((size_t)len) / WAL_BLOCK;
		}
		ops_buf_put(&r->batch, b, WAL_PIECE);
	}
	if (n == 0)
		return 1; /* a length out of range: decoding will say so */
	/* Only zeros may pad the last piece. */
	if (r->batch.failed ||
	    !ops_all_zero(r->batch.data + len, r->batch.len - len))
		return n;
	r->batch.len = len;
	return n;
}

/* 1: a batch, at r->pos, which is passed.  0: none there.  -1: damaged. */
static int
take_batch(struct wal_reader *r, struct wal_batch *ret, struct ops_err *err)
{
	struct ops_err why = { 0 };
	struct wal_batch b;
	size_t n;

	n = r->pos < r->blocks ? whole_batch(r) : 0;
	if (n == 0)
		return 0;
	if (r->batch.failed)
		return ops_fail(err, OPS_ENOMEM, "wal: no memory");
	if (wal_batch_decode(r->batch.data, r->batch.len, &b, &why) < 0) {
		damaged(r, r->pos, "batch %" PRIu64 ": %.80s", r->at, why.msg);
		return -1;
	}
	if (b.number != r->at) {
		damaged(r, r->pos, "batch %" PRIu64 " says it is %" PRIu64,
		    r->at, b.number);
		return -1;
	}
	if (r->chained && memcmp(b.prev, r->chain, OPS_HASH_LEN) != 0) {
		damaged(r, r->pos,
		    "batch %" PRIu64 " does not continue the "
		    "one before it",
		    r->at);
		return -1;
	}
	set_where(r->batch_where, r, r->pos);
	memcpy(r->chain, b.chain, OPS_HASH_LEN);
	r->chained = true;
	r->pos += n;
	r->at++;
	*ret = b;
	return 1;
}

/* Damage among batches that are sealed already must not keep anyone from
 * those that are not: look for the first of them. */
static bool
skip_to_from(struct wal_reader *r)
{
	for (size_t i = r->pos; i < r->blocks; i++) {
		if (wal_block_check(block_at(r, i), r->from, 0) != WAL_BLOCK_OK)
			continue;
		r->pos = i;
		r->at = r->from;
		r->chained = false;
		return true;
	}
	return false;
}

/* Go to the file after the one that is read.  1: it goes on there.  0: there
 * is none that has begun.  -1: see err, or damage was noted. */
static int
next_file(struct wal_reader *r, struct ops_err *err)
{
	uint64_t first = 0, torn;

	for (size_t i = r->file + 1; i < r->files; i++) {
		if (load(r, i, WAL_FILE_SIZE, err) < 0)
			return -1;
		r->pos = 1;
		switch (header_state(r, &first)) {
		case HEADER_BAD:
			damaged(r, 0, "the header is damaged");
			return 0;
		case HEADER_UNBORN:
			check_rest(r, &torn);
			if (torn > 0)
				damaged(r, 0, "the header is missing");
			continue;
		case HEADER_OK:
			break;
		}
		if (first > r->at) {
			damaged(r, 0,
			    "it begins with batch %" PRIu64
			    ", but batch %" PRIu64 " is not there",
			    first, r->at);
			return 0;
		}
		/* A batch whose sync failed was written again in a new file. */
		if (first < r->at)
			r->chained = false;
		r->at = first;
		return 1;
	}
	return 0;
}

/* Open the first file, having looked at those before it. */
static int
begin(struct wal_reader *r, struct ops_err *err)
{
	uint64_t first = 0;

	for (size_t i = 0; i < r->start; i++) {
		if (load(r, i, WAL_FILE_SIZE, err) < 0)
			return -1;
		if (wal_has_start(r)) {
			check_old(r);
			continue;
		}
		/* No start: nothing that could hold a batch may be there. */
		if (header_state(r, &first) == HEADER_UNBORN) {
			uint64_t torn;

			r->pos = 1;
			check_rest(r, &torn);
			if (torn == 0)
				continue;
		}
		damaged(r, 0, "no file holds batch %" PRIu64, r->from);
	}
	if (!wal_has_start(r)) {
		r->ended = true;
		return 0;
	}
	if (load(r, r->start, WAL_FILE_SIZE, err) < 0)
		return -1;
	r->pos = 1;
	if (header_state(r, &first) != HEADER_OK || first > r->from) {
		damaged(r, 0, "it changed while it was read");
		r->ended = true;
		return 0;
	}
	r->at = first;
	return 0;
}

/* Nothing whole lies at r->pos: go on elsewhere (1), or it is the end (0). */
static int
at_gap(struct wal_reader *r, struct ops_err *err)
{
	char where[sizeof(r->where)];
	uint64_t torn;
	int more;

	if (r->at < r->from && skip_to_from(r)) {
		damaged(r, r->pos, "sealed batches before it are damaged");
		return 1;
	}
	check_rest(r, &torn);
	if (r->end == WAL_END_DAMAGED && r->at >= r->from)
		return 0;
	set_where(where, r, r->pos);
	more = next_file(r, err);
	if (more == 0 && r->end == WAL_END_CLEAN) {
		memcpy(r->where, where, sizeof(where));
		r->torn_bytes = torn;
		r->end = torn > 0 ? WAL_END_TORN : WAL_END_CLEAN;
		r->stops_short = r->at < r->from;
	}
	return more;
}

int
wal_next(struct wal_reader *r, struct wal_batch *ret, struct ops_err *err)
{
	struct wal_batch b;
	int rc;

	if (r->file == SIZE_MAX && !r->ended && begin(r, err) < 0)
		return -1;
	while (!r->ended) {
		struct ops_err why = { 0 };

		rc = take_batch(r, &b, &why);
		if (rc < 0 && why.code == OPS_ENOMEM)
			return ops_fail(err, why.code, "%s", why.msg);
		if (rc == 1 && b.number < r->next)
			continue;
		if (rc == 1) {
			r->next = r->at;
			*ret = b;
			return 1;
		}
		if (rc < 0)
			rc = r->at < r->from && skip_to_from(r);
		else
			rc = at_gap(r, err);
		if (rc < 0)
			return -1;
		r->ended = rc == 0;
	}
	return 0;
}

enum wal_end
wal_reader_end(const struct wal_reader *r, const char **where,
    const char **detail, uint64_t *torn_bytes)
{
	if (where != NULL)
		*where = r->where;
	if (detail != NULL)
		*detail = r->detail;
	if (torn_bytes != NULL)
		*torn_bytes = r->torn_bytes;
	return r->end;
}

void
wal_position(const struct wal_reader *r, uint64_t *batch,
    uint8_t chain[static OPS_HASH_LEN])
{
	*batch = r->next;
	memcpy(chain, r->chain, OPS_HASH_LEN);
}

const char *
wal_where(const struct wal_reader *r)
{
	return r->batch_where;
}
