/* The worked example of doc/format.md, decoded: the document is right. */
#include "check.h"

#include "base/bytes.h"
#include "merkle/note.h"
#include "merkle/tree.h"
#include "record/body.h"
#include "record/event.h"
#include "record/frame.h"
#include "record/import.h"
#include "record/leaf.h"
#include "record/program.h"
#include "record/walbatch.h"

#ifndef TEST_SOURCE_ROOT
#error "test/unit/meson.build defines TEST_SOURCE_ROOT"
#endif
#define FORMAT_DOC TEST_SOURCE_ROOT "/doc/format.md"

static char doc[1u << 17];

struct hex {
	uint8_t p[512];
	size_t n;
};
static struct hex records, frame, hashes, chunks, chunkhashes, leaf, leafhash,
    entry, exec, accounted, import, tombstone;

/* The bytes of the block that starts with "```hex NAME". */
static void
read_block(const char *name, struct hex *ret)
{
	char head[64], digits[2 * sizeof(ret->p)];
	const char *at;
	size_t n = 0;

	snprintf(head, sizeof(head), "```hex %s\n", name);
	at = strstr(doc, head);
	CHECK(at != NULL, name, "no such block");
	for (at += strlen(head); *at != '`' && *at != '\0'; at++)
		if (*at != ' ' && *at != '\n') {
			CHECK(n < sizeof(digits), name, "too long");
			digits[n++] = *at;
		}
	ret->n = n / 2;
	CHECK(n > 0 && ops_unhex(digits, n, ret->p, ret->n) == 0, name,
	    "not hex");
}

/* The number in the last table's row for this key. */
static unsigned long long
stated(unsigned key)
{
	const char *at = strstr(doc, "What the leaf says:");
	char row[16];

	assert_non_null(at);
	snprintf(row, sizeof(row), "\n| %u | ", key);
	at = strstr(at, row);
	CHECK(at != NULL, row, "no such row");
	return strtoull(at + strlen(row), NULL, 10);
}

static int
setup(void **state)
{
	FILE *f = fopen(FORMAT_DOC, "re");
	size_t n;

	(void)state;
	if (f == NULL)
		return -1;
	n = fread(doc, 1, sizeof(doc) - 1, f);
	doc[n] = '\0';
	fclose(f);
	read_block("records", &records);
	read_block("frame", &frame);
	read_block("hashes", &hashes);
	read_block("chunks", &chunks);
	read_block("chunkhashes", &chunkhashes);
	read_block("leaf", &leaf);
	read_block("leafhash", &leafhash);
	read_block("entry", &entry);
	read_block("exec", &exec);
	read_block("accounted", &accounted);
	read_block("import", &import);
	read_block("tombstone", &tombstone);
	return n == sizeof(doc) - 1 ? -1 : 0;
}

static void
test_records(void **state)
{
	struct record r;
	long used;

	(void)state;
	used = record_decode(records.p, records.n, &r, NULL);
	assert_int_equal(used, 16);
	assert_int_equal(r.type, REC_OUTPUT);
	assert_int_equal(r.time, 1000000000);
	assert_int_equal(r.len, 4);
	assert_memory_equal(r.payload, "hi\r\n", 4);
	used = record_decode(records.p + 16, records.n - 16, &r, NULL);
	assert_int_equal(used, 16);
	assert_int_equal(r.type, REC_EXIT);
	assert_int_equal(r.time, 2000000000);
	assert_memory_equal(r.payload, "\0\0\0\0", 4);
	assert_int_equal(records.n, 32);
}

static void
test_exec(void **state)
{
	struct program_exec e;
	struct ops_buf again = { .max = RECORD_PAYLOAD_MAX };
	uint8_t id[OPS_ID_LEN];
	struct record r;

	(void)state;
	assert_int_equal(record_decode(exec.p, exec.n, &r, NULL), exec.n);
	assert_int_equal(r.type, REC_EXEC);
	assert_int_equal(r.time, 5000000700);
	assert_int_equal(body_session(r.payload, r.len, id, NULL), 0);
	for (size_t i = 0; i < OPS_ID_LEN; i++)
		assert_int_equal(id[i], i);
	assert_int_equal(program_exec_get(r.payload, r.len, &e, NULL), 0);
	assert_int_equal(e.pid, 4242);
	assert_int_equal(e.joined, JOINED_TTY);
	assert_int_equal(e.argc, 2);
	assert_int_equal(e.args.n, 6);
	assert_memory_equal(e.args.p, "ls\0-l\0", 6);
	assert_int_equal(e.cwd.n, 5);
	assert_memory_equal(e.cwd.p, "/root", 5);
	assert_false(e.has_before);
	program_exec_put(&again, id, &e);
	assert_int_equal(again.len, r.len);
	assert_memory_equal(again.data, r.payload, r.len);
	ops_buf_free(&again);
}

static void
test_import(void **state)
{
	static const char log[] = "%.*shi\r\n%.*s";
	struct ops_buf again = { .max = EVENT_IMPORT_MAX };
	uint8_t sha[OPS_HASH_LEN];
	struct import i;
	char text[512];
	int n;

	(void)state;
	assert_int_equal(import_get(import.p, import.n, &i, NULL), 0);
	assert_int_equal(i.format, IMPORT_TYPESCRIPT);
	assert_int_equal(i.duration, 14895000);
	assert_false(i.untimed || i.multi || i.both);
	/* It is the file, byte by byte. */
	n = snprintf(text, sizeof(text), log, (int)i.head.n, i.head.p,
	    (int)i.tail.n, i.tail.p);
	assert_int_equal(n, i.size);
	ops_sha256(text, (size_t)n, sha);
	assert_memory_equal(sha, i.sha256, sizeof(sha));
	ops_sha256("0.014895 4\n", 11, sha);
	assert_memory_equal(sha, i.timing_sha256, sizeof(sha));
	import_put(&again, &i);
	assert_int_equal(again.len, import.n);
	assert_memory_equal(again.data, import.p, import.n);
	ops_buf_free(&again);
}

static void
test_accounted(void **state)
{
	struct program_accounted e;
	struct ops_buf again = { .max = RECORD_PAYLOAD_MAX };
	struct record r;

	(void)state;
	assert_int_equal(
	    record_decode(accounted.p, accounted.n, &r, NULL), accounted.n);
	assert_int_equal(r.type, REC_ACCOUNTED);
	assert_int_equal(r.time, 7000000000);
	assert_int_equal(program_accounted_get(r.payload, r.len, &e, NULL), 0);
	assert_int_equal(e.pid, 4243);
	assert_int_equal(e.ppid, 4242);
	assert_int_equal(e.uid, 1000);
	assert_int_equal(e.status, 9);
	assert_int_equal(e.elapsed, 1880000000);
	assert_int_equal(e.tty, 136 << 20 | 2);
	assert_int_equal(e.flags, 16);
	assert_false(e.unsure);
	assert_int_equal(e.comm.n, 5);
	assert_memory_equal(e.comm.p, "sleep", 5);
	program_accounted_put(&again, &e);
	assert_int_equal(again.len, r.len);
	assert_memory_equal(again.data, r.payload, r.len);
	ops_buf_free(&again);
}

static void
test_frame(void **state)
{
	struct frame_opener *o = frame_opener_new();
	struct ops_buf raw = { .max = FRAME_RAW_MAX };
	uint8_t sha[OPS_HASH_LEN], root[OPS_HASH_LEN];
	char text[2 * OPS_HASH_LEN + 1];
	struct frame_header h;
	struct ops_err err = { 0 };

	(void)state;
	assert_non_null(o);
	CHECK(frame_open(o, frame.p, frame.n, &h, &raw, root, &err) == 0,
	    "frame", err.msg);
	for (size_t i = 0; i < OPS_ID_LEN; i++)
		assert_int_equal(h.id.stream[i], i);
	ops_id_text(h.id.stream, text);
	assert_non_null(strstr(doc, text));
	assert_int_equal(h.id.class, CLASS_SCREEN);
	assert_int_equal(h.id.number, 0);
	assert_int_equal(h.id.first, 0);
	assert_int_equal(h.count, 2);
	assert_int_equal(h.chunks, 1);
	assert_int_equal(h.raw, FRAME_SEED + records.n);
	assert_int_equal(raw.len, records.n);
	assert_memory_equal(raw.data, records.p, records.n);
	assert_int_equal(hashes.n, 3 * OPS_HASH_LEN);
	assert_memory_equal(hashes.p + 64, root, sizeof(root));
	ops_sha256(frame.p, frame.n, sha);
	ops_hex(sha, sizeof(sha), text);
	assert_non_null(strstr(doc, text));
	frame_opener_free(o);
	ops_buf_free(&raw);
}

/* A frame of several chunks: all of it, and each. */
static void
test_frame_of_chunks(void **state)
{
	struct frame_opener *o = frame_opener_new();
	struct ops_buf raw = { .max = FRAME_RAW_MAX };
	uint8_t root[OPS_HASH_LEN];
	struct frame_header h;
	struct ops_err err = { 0 };

	(void)state;
	assert_non_null(o);
	CHECK(frame_open(o, chunks.p, chunks.n, &h, &raw, root, &err) == 0,
	    "frame", err.msg);
	assert_int_equal(h.chunks, 2);
	assert_int_equal(h.count, 2);
	assert_int_equal(raw.len, records.n);
	assert_memory_equal(raw.data, records.p, records.n);
	assert_memory_equal(chunkhashes.p + 64, root, sizeof(root));
	for (unsigned i = 0; i < 2; i++) {
		CHECK(frame_open_chunk(o, &h, i, chunks.p, &raw, &err) == 0,
		    "chunk", err.msg);
		assert_int_equal(raw.len, 16);
		assert_memory_equal(raw.data, records.p + 16 * i, 16);
	}
	frame_opener_free(o);
	ops_buf_free(&raw);
}

/* The record hashes by the document's words: the seed of the first record's chunk
 * is 00 01 .. 1f, that of the second's begins with byte `second`. */
static void
check_hashes(const struct hex *want, uint8_t second)
{
	uint8_t seed[FRAME_SEED], salt[OPS_HASH_LEN], h[2][OPS_HASH_LEN];
	uint8_t root[OPS_HASH_LEN];
	const uint8_t zero = 0;

	for (uint8_t j = 0; j < 2; j++) {
		const uint8_t be[4] = { 0, 0, 0, j };

		for (size_t i = 0; i < sizeof(seed); i++)
			seed[i] = (uint8_t)(i + j * second);
		ops_hmac_sha256(seed, sizeof(seed), be, sizeof(be), salt);
		ops_sha256_parts(
		    (struct ops_part[]){ { &zero, 1 }, { salt, sizeof(salt) },
			{ records.p + 16 * j, 16 } },
		    3, h[j]);
	}
	assert_int_equal(want->n, 3 * OPS_HASH_LEN);
	assert_memory_equal(want->p, h, sizeof(h));
	tree_node(h[0], h[1], root);
	assert_memory_equal(want->p + 64, root, sizeof(root));
}

static void
test_hashes(void **state)
{
	(void)state;
	check_hashes(&hashes, 0);
	check_hashes(&chunkhashes, 0x20);
}

static void
test_leaf(void **state)
{
	uint8_t hash[OPS_HASH_LEN];
	struct ops_err err = { 0 };
	struct leaf l;

	(void)state;
	CHECK(leaf_decode(leaf.p, leaf.n, &l, &err) == 0, "leaf", err.msg);
	assert_int_equal(l.type, stated(0));
	assert_int_equal(l.type, LEAF_FRAME);
	for (size_t i = 0; i < OPS_ID_LEN; i++)
		assert_int_equal(l.u.frame.stream[i], i);
	assert_int_equal(l.u.frame.class, stated(2));
	assert_int_equal(l.u.frame.number, stated(3));
	assert_false(l.u.frame.has_prev);
	assert_int_equal(l.u.frame.first, stated(5));
	assert_int_equal(l.u.frame.count, stated(6));
	assert_int_equal(l.u.frame.arrived_first, stated(7));
	assert_int_equal(l.u.frame.arrived_last, stated(8));
	assert_int_equal(l.u.frame.codec, stated(9));
	assert_int_equal(l.u.frame.stored_len, stated(10));
	assert_int_equal(l.u.frame.stored_len, frame.n);
	assert_int_equal(l.u.frame.raw_len, stated(11));
	ops_sha256(frame.p, frame.n, hash);
	assert_memory_equal(l.u.frame.sha256, hash, sizeof(hash));
	assert_memory_equal(l.u.frame.root, hashes.p + 64, sizeof(hash));
	leaf_hash(leaf.p, leaf.n, hash);
	assert_int_equal(leafhash.n, sizeof(hash));
	assert_memory_equal(leafhash.p, hash, sizeof(hash));
}

static void
test_tombstone(void **state)
{
	const uint64_t day = 86400 * UINT64_C(1000000000);
	struct ops_err err = { 0 };
	struct leaf l;

	(void)state;
	CHECK(leaf_decode(tombstone.p, tombstone.n, &l, &err) == 0, "tombstone",
	    err.msg);
	assert_int_equal(l.type, LEAF_TOMBSTONE);
	assert_memory_equal(l.u.tombstone.stream, leaf.p + 5, OPS_ID_LEN);
	assert_int_equal(l.u.tombstone.from, 0);
	assert_int_equal(l.u.tombstone.to, 1);
	/* 1970-01-01 to 2026-11-28 */
	assert_int_equal(l.u.tombstone.realtime, 20785 * day);
	assert_true(l.u.tombstone.has_rule);
	assert_int_equal(l.u.tombstone.class, CLASS_SCREEN);
	assert_int_equal(l.u.tombstone.why, TOMBSTONE_SCREENS);
	assert_int_equal(l.u.tombstone.limit, 90 * day);
	assert_int_equal(l.u.tombstone.age, 90 * day);
}

static void
test_entry(void **state)
{
	const uint8_t *p;
	size_t n;

	(void)state;
	assert_int_equal(
	    leaf_file_next(entry.p, entry.n, &p, &n, NULL), entry.n);
	assert_int_equal(n, leaf.n);
	assert_memory_equal(p, leaf.p, n);
}

/* The table of limits says what the headers say. */
static void
test_limits(void **state)
{
#define ROW(name)                                                              \
	{                                                                      \
#name, name                                                    \
	}
	static const struct {
		const char *name;
		unsigned long value;
	} rows[] = { ROW(RECORD_MAX), ROW(RECORD_PAYLOAD_MAX),
		ROW(RECORD_PARTS_MAX), ROW(EVENT_ARGV_MAX), ROW(EVENT_TEXT_MAX),
		ROW(FRAME_RAW_MAX), ROW(FRAME_STORED_MAX),
		ROW(FRAME_CHUNKS_MAX), ROW(FRAME_RECORDS_MAX), ROW(LEAF_MAX),
		ROW(LEAF_ORIGIN_MAX), ROW(WAL_BATCH_MAX), ROW(PROGRAM_IO_MIN),
		ROW(NOTE_MAX) };
#undef ROW

	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(rows); i++) {
		char row[64];

		snprintf(row, sizeof(row), "| `%s` | %lu |", rows[i].name,
		    rows[i].value);
		CHECK(strstr(doc, row) != NULL, row, "not in the document");
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_records),
		cmocka_unit_test(test_exec),
		cmocka_unit_test(test_accounted),
		cmocka_unit_test(test_import),
		cmocka_unit_test(test_frame),
		cmocka_unit_test(test_frame_of_chunks),
		cmocka_unit_test(test_hashes),
		cmocka_unit_test(test_leaf),
		cmocka_unit_test(test_tombstone),
		cmocka_unit_test(test_entry),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
