#include "check.h"

#include "base/bytes.h"
#include "record/cbor.h"
#include "record/event.h"
#include "record/frame.h"
#include "record/leaf.h"

/* Members each of another value.  Static and copied as bytes, so that padding
 * is zero and whole structs can be compared. */
static const struct leaf_frame frame = { .stream = "stream-id",
	.class = CLASS_SCREEN,
	.first = 70000,
	.count = 4,
	.arrived_first = 1ull << 40,
	.arrived_last = (1ull << 40) + 5,
	.codec = CODEC_ZSTD,
	.stored_len = 300,
	.raw_len = 400,
	.sha256 = "sha256",
	.root = "root" };
static const struct leaf_boot boot = { .format = LEAF_FORMAT,
	.compat = 6,
	.origin = "example.org/log/\u00e9",
	.log_pub = "log",
	.period = 9,
	.seal_pub = "seal",
	.resume_pub = "resume",
	.clock = { .boot_id = "boot-id", .at = { 1, 2, 3, 4 } },
	.machine = "machine",
	.events = "events",
	.why = BOOT_CRASH,
	.found = { 5, 6, 7, 8 },
	.wal = { .batch = 12, .chain = "chain" },
	.sig = "signature" };
static const struct leaf_seal seal = { .period = 9,
	.next_pub = "next",
	.clock = { .boot_id = "boot", .at = { 1, 2, 3, 4 } },
	.from = 10,
	.until = 11,
	.open = 2,
	.wal = { .batch = 13, .chain = "chain" },
	.sig = "signature" };
static const struct leaf_close close_leaf = { .stream = "stream-id",
	.state = CLOSE_LOST,
	.events = 4,
	.chain = "chain" };
static const struct leaf_tombstone tombstone = {
	.stream = "stream-id", .from = 2, .to = 5, .realtime = 6
};
static const struct leaf_tombstone ruled = { .stream = "stream-id",
	.from = 2,
	.to = 5,
	.realtime = 6,
	.has_rule = true,
	.class = CLASS_SCREEN,
	.why = TOMBSTONE_SIZE,
	.limit = 7,
	.age = 8 };

/* One leaf of each shape: even ones with as little as can be, odd ones full. */
static struct leaf
make(unsigned shape)
{
	struct leaf l;

	memset(&l, 0, sizeof(l));
	switch (shape) {
	case 0:
	case 1:
		l.type = LEAF_FRAME;
		memcpy(&l.u.frame, &frame, sizeof(frame));
		l.u.frame.number = shape;
		l.u.frame.has_prev = shape == 1;
		if (shape == 1)
			memset(l.u.frame.prev, 0x11, OPS_HASH_LEN);
		break;
	case 2:
	case 3:
		l.type = LEAF_BOOT;
		memcpy(&l.u.boot, &boot, sizeof(boot));
		if (shape == 2)
			break;
		l.u.boot.why = BOOT_MACHINE;
		l.u.boot.has_pred = true;
		memcpy(l.u.boot.pred_origin, "old", 4);
		l.u.boot.pred_size = 1000;
		memset(l.u.boot.pred_root, 0x99, OPS_HASH_LEN);
		break;
	case 4:
	case 5:
		l.type = LEAF_SEAL;
		memcpy(&l.u.seal, &seal, sizeof(seal));
		l.u.seal.has_resume = l.u.seal.final = shape == 5;
		if (shape == 5)
			memset(l.u.seal.resume_pub, 0xbb, OPS_PUB_LEN);
		break;
	case 6:
	case 7:
		l.type = LEAF_CLOSE;
		memcpy(&l.u.close, &close_leaf, sizeof(close_leaf));
		l.u.close.frames = shape == 7 ? 3 : 0;
		if (shape == 7)
			memset(l.u.close.last, 0xdd, OPS_HASH_LEN);
		break;
	case 8:
		l.type = LEAF_TOMBSTONE;
		memcpy(&l.u.tombstone, &tombstone, sizeof(tombstone));
		break;
	default:
		l.type = LEAF_TOMBSTONE;
		memcpy(&l.u.tombstone, &ruled, sizeof(ruled));
	}
	return l;
}
#define SHAPES 10

static void
test_round_trip(void **state)
{
	(void)state;
	for (unsigned i = 0; i < SHAPES; i++) {
		struct leaf l, got;
		uint8_t p[LEAF_MAX], again[LEAF_MAX];
		struct ops_err err = { 0 };
		uint8_t *in;
		long n;

		l = make(i);
		memset(&got, 0, sizeof(got));
		n = leaf_encode(&l, p, &err);
		CHECK(n > 0, "encode", err.msg);
		in = heap_copy(p, (size_t)n);
		CHECK(leaf_decode(in, (size_t)n, &got, &err) == 0, "decode",
		    err.msg);
		assert_memory_equal(&got, &l, sizeof(l));
		assert_int_equal(leaf_encode(&got, again, NULL), n);
		assert_memory_equal(p, again, (size_t)n);
		free(in);
	}
}

/* Cuts and leftovers are wrong, not "more to come"; flipped bits are refused
 * or mean something else. */
static void
test_cut_and_flip(void **state)
{
	(void)state;
	for (unsigned i = 0; i < SHAPES; i++) {
		struct leaf l = make(i), got;
		uint8_t p[LEAF_MAX + 1];
		struct ops_err err = { 0 };
		size_t len = (size_t)leaf_encode(&l, p, NULL);

		p[len] = 0;
		for (size_t n = 0; n <= len + 1; n++) {
			uint8_t *in = heap_copy(p, n);

			if (n != len) {
				assert_int_equal(
				    leaf_decode(in, n, &got, &err), -1);
				assert_int_equal(err.code, OPS_EFORMAT);
			}
			free(in);
		}
		for (size_t bit = 0; bit < len * 8; bit++) {
			uint8_t again[LEAF_MAX];

			p[bit / 8] ^= (uint8_t)(1u << bit % 8);
			if (leaf_decode(p, len, &got, &err) == 0) {
				assert_memory_not_equal(&got, &l, sizeof(got));
				assert_int_equal(
				    leaf_encode(&got, again, NULL), len);
				assert_memory_equal(again, p, len);
			} else {
				assert_true(err.code == OPS_EFORMAT ||
					    err.code == OPS_ENEWER);
			}
			p[bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
	}
}

/* The longest leaf there can be is under LEAF_MAX. */
static void
test_longest(void **state)
{
	struct leaf l = make(3), got;
	uint8_t p[LEAF_MAX];
	long n;

	(void)state;
	memset(l.u.boot.origin, 'o', LEAF_ORIGIN_MAX);
	memset(l.u.boot.pred_origin, 'p', LEAF_ORIGIN_MAX);
	l.u.boot.compat = l.u.boot.period = UINT64_MAX;
	l.u.boot.clock.at = (struct ops_clock){ UINT64_MAX, UINT64_MAX,
		UINT64_MAX, UINT32_MAX };
	l.u.boot.found = (struct boot_found){ UINT64_MAX, UINT64_MAX,
		UINT64_MAX, UINT64_MAX };
	l.u.boot.wal.batch = l.u.boot.pred_size = UINT64_MAX;
	n = leaf_encode(&l, p, NULL);
	assert_true(n > 600 && n <= LEAF_MAX);
	assert_int_equal(leaf_decode(p, (size_t)n, &got, NULL), 0);
	assert_memory_equal(&got, &l, sizeof(l));
	/* not terminated within its array */
	l.u.boot.origin[LEAF_ORIGIN_MAX] = 'o';
	assert_int_equal(leaf_encode(&l, p, NULL), -1);
}

/* What a leaf must not say; encoder and decoder agree. */
static void
test_refused(void **state)
{
	(void)state;
	/* clang-format off */
	for (unsigned i = 0; i < 32; i++) {
		static const char *const names[] = {
			"class", "codec", "prev of 0", "no records", "records", "stored",
			"raw", "arrival", "first", "origin space", "origin empty",
			"origin newline", "origin UTF-8", "why 0", "why 8", "pred missing",
			"pred unexpected", "pred origin", "format 0", "incompat", "period",
			"state 0", "state 3", "last missing", "last unexpected",
			"tombstone", "type", "rule's class", "rule 0", "rule 5", "limit", "age" };
		static const unsigned shape[] = { 1, 1, 0, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2,
			2, 2, 3, 2, 3, 2, 2, 4, 6, 6, 7, 6, 8, 8, 9, 9, 9, 9, 9 };
		struct leaf l = make(shape[i]);
		const uint8_t *now = (const uint8_t *)&l;
		uint8_t before[sizeof(l)];
		uint8_t p[LEAF_MAX];
		struct ops_err err = { 0 };

		memcpy(before, now, sizeof(before));
		switch (i) {
		case 0: l.u.frame.class = CLASSES; break;
		case 1: l.u.frame.codec = 2; break;
		case 2: l.u.frame.has_prev = true; break;
		case 3: l.u.frame.count = 0; break;
		case 4: l.u.frame.count = FRAME_RECORDS_MAX + 1; break;
		case 5: l.u.frame.stored_len = FRAME_STORED_MAX + 1; break;
		case 6: l.u.frame.raw_len = FRAME_RAW_MAX + 1; break;
		case 7: l.u.frame.arrived_last = 0; break;
		case 8: l.u.frame.first = UINT64_MAX; break;
		case 9: l.u.boot.origin[3] = ' '; break;
		case 10: l.u.boot.origin[0] = '\0'; break;
		case 11: l.u.boot.origin[3] = '\n'; break;
		case 12: l.u.boot.origin[3] = '\xff'; break;
		case 13: l.u.boot.why = 0; break;
		case 14: l.u.boot.why = 8; break;
		case 15: l.u.boot.has_pred = false; break;
		case 16: l.u.boot.has_pred = true; break;
		case 17: l.u.boot.pred_origin[1] = '+'; break;
		case 18: l.u.boot.format = 0; break;
		case 19: l.u.boot.incompat = 1; break;
		case 20: l.u.seal.from = 12; break;
		case 21: l.u.close.state = 0; break;
		case 22: l.u.close.state = 3; break;
		case 23: memset(l.u.close.last, 0, OPS_HASH_LEN); break;
		case 24: l.u.close.last[31] = 1; break;
		case 25: l.u.tombstone.to = 2; break;
		case 26: l.type = (enum leaf_type)6; break;
		case 27: l.u.tombstone.class = CLASSES; break;
		case 28: l.u.tombstone.why = 0; break;
		case 29: l.u.tombstone.why = TOMBSTONE_WHYS; break;
		case 30: l.u.tombstone.limit = 0; break;
		case 31: l.u.tombstone.age = 0; break;
		}
		CHECK(memcmp(now, before, sizeof(before)) != 0, names[i], "unchanged");
		CHECK(leaf_encode(&l, p, &err) == -1, names[i], "encoded");
		CHECK(err.code == OPS_EUSAGE, names[i], err.msg);
	}
	/* clang-format on */
}

/* What an earlier version wrote is read for ever. */
static void
test_formats(void **state)
{
	(void)state;
	for (uint64_t format = 1; format <= LEAF_FORMAT + 1; format++) {
		struct leaf l = { .type = LEAF_BOOT, .u.boot = boot }, got;
		struct ops_err err = { 0 };
		uint8_t p[LEAF_MAX];
		long n;

		l.u.boot.format = format;
		n = leaf_encode(&l, p, &err);
		if (format > LEAF_FORMAT) {
			assert_int_equal(n, -1);
			continue;
		}
		assert_true(n > 0);
		assert_int_equal(leaf_decode(p, (size_t)n, &got, &err), 0);
		assert_int_equal(got.u.boot.format, format);
	}
}

/* Raw leaves that the encoder can't be asked for. */
static void
test_decode_raw(void **state)
{
#define B(s) s, sizeof(s) - 1
#define S10                                                                    \
	"\x4a"                                                                 \
	"stream-id\0"
	/* clang-format off */
	static const struct {
		const char *name;
		const char *in;
		size_t n;
		enum ops_code code;
	} rows[] = {
		{ "tombstone",		B("\xa5\x00\x05\x01" S10 "\x02\x02\x03\x05\x04\x06"), OPS_OK },
		{ "tombstone, rule",	B("\xa9\x00\x05\x01" S10 "\x02\x02\x03\x05\x04\x06\x05\x01\x06\x01\x07\x09\x08\x09"), OPS_OK },
		{ "rule without class",	B("\xa8\x00\x05\x01" S10 "\x02\x02\x03\x05\x04\x06\x06\x01\x07\x09\x08\x09"), OPS_EFORMAT },
		{ "rule without why",	B("\xa8\x00\x05\x01" S10 "\x02\x02\x03\x05\x04\x06\x05\x01\x07\x09\x08\x09"), OPS_EFORMAT },
		{ "rule without limit",	B("\xa8\x00\x05\x01" S10 "\x02\x02\x03\x05\x04\x06\x05\x01\x06\x01\x08\x09"), OPS_EFORMAT },
		{ "rule without age",	B("\xa8\x00\x05\x01" S10 "\x02\x02\x03\x05\x04\x06\x05\x01\x06\x01\x07\x09"), OPS_EFORMAT },
		{ "rule of class 4",	B("\xa9\x00\x05\x01" S10 "\x02\x02\x03\x05\x04\x06\x05\x04\x06\x01\x07\x09\x08\x09"), OPS_EFORMAT },
		{ "rule 5",		B("\xa9\x00\x05\x01" S10 "\x02\x02\x03\x05\x04\x06\x05\x01\x06\x05\x07\x09\x08\x09"), OPS_EFORMAT },
		{ "unknown key",	B("\xa6\x00\x05\x01" S10 "\x02\x02\x03\x05\x04\x06\x09\x00"), OPS_EFORMAT },
		{ "missing key",	B("\xa4\x00\x05\x01" S10 "\x02\x02\x03\x05"), OPS_EFORMAT },
		{ "long integer",	B("\xa5\x00\x05\x01" S10 "\x02\x18\x02\x03\x05\x04\x06"), OPS_EFORMAT },
		{ "deleting nothing",	B("\xa5\x00\x05\x01" S10 "\x02\x05\x03\x05\x04\x06"), OPS_EFORMAT },
		{ "stream of 9",	B("\xa5\x00\x05\x01\x49" "stream-id" "\x02\x02\x03\x05\x04\x06"), OPS_EFORMAT },
		{ "type last",		B("\xa5\x01" S10 "\x02\x02\x03\x05\x04\x06\x00\x05"), OPS_EFORMAT },
		{ "no type",		B("\xa4\x01" S10 "\x02\x02\x03\x05\x04\x06"), OPS_EFORMAT },
		{ "type 0",		B("\xa1\x00\x00"), OPS_EFORMAT },
		{ "type 6",		B("\xa1\x00\x06"), OPS_EFORMAT },
		{ "type a text",	B("\xa1\x00\x61" "1"), OPS_EFORMAT },
		{ "empty map",		B("\xa0"), OPS_EFORMAT },
		{ "an array",		B("\x81\x00"), OPS_EFORMAT },
		{ "nothing",		B(""), OPS_EFORMAT },
		{ "BOOT, format 6",	B("\xa2\x00\x02\x01\x06"), OPS_ENEWER },
		{ "BOOT, format 6, foreign rest", B("\xa3\x00\x02\x01\x06\xf6\xff"), OPS_ENEWER },
		{ "BOOT, format 1, unknown feature, unknown keys", B("\xa5\x00\x02\x01\x01\x02\x00\x03\x08\x18\x63\xff"), OPS_ENEWER },
		{ "BOOT, format 1, no features", B("\xa4\x00\x02\x01\x01\x02\x00\x03\x00"), OPS_EFORMAT },
		{ "BOOT without format", B("\xa2\x00\x02\x02\x01"), OPS_EFORMAT },
		{ "CLOSE, last all zero", B("\xa7\x00\x04\x01" S10 "\x02\x01\x03\x00\x04\x58\x20"
		    "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0" "\x05\x00\x06\x58\x20"
		    "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), OPS_EFORMAT },
		{ "CLOSE without last",	B("\xa6\x00\x04\x01" S10 "\x02\x01\x03\x00\x05\x00\x06\x58\x20"
		    "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), OPS_OK },
	};
	/* clang-format on */
#undef S10
#undef B

	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(rows); i++) {
		uint8_t *in = heap_copy(rows[i].in, rows[i].n);
		struct leaf got = { .type = (enum leaf_type)77 };
		struct ops_err err = { 0 };
		int rc = leaf_decode(in, rows[i].n, &got, &err);

		CHECK(err.code == rows[i].code, rows[i].name, err.msg);
		CHECK(
		    (rc == 0) == (rows[i].code == OPS_OK), rows[i].name, "rc");
		if (rows[i].code == OPS_EFORMAT)
			CHECK(got.type == 77, rows[i].name, "touched");
		if (rows[i].code == OPS_ENEWER)
			CHECK(got.type == LEAF_BOOT &&
				  (got.u.boot.format == LEAF_FORMAT + 1 ||
				      got.u.boot.incompat == 8),
			    rows[i].name, "not filled in");
		/* also without anybody to tell */
		CHECK(leaf_decode(in, rows[i].n, &got, NULL) == rc,
		    rows[i].name, "without err");
		free(in);
	}
}

static void
test_hash(void **state)
{
	uint8_t got[OPS_HASH_LEN], want[OPS_HASH_LEN];

	(void)state;
	leaf_hash((const uint8_t *)"abc", 3, got);
	ops_sha256("\0abc", 4, want);
	assert_memory_equal(got, want, sizeof(want));
}

static void
test_signed_message(void **state)
{
	uint8_t root[OPS_HASH_LEN], with[LEAF_MAX];
	struct ops_buf m = { .max = 2048 };
	struct leaf l = make(5);
	const size_t head = 15 + 2 + 8 + 32;
	struct ops_err err = { 0 };
	size_t n;

	(void)state;
	memset(root, 0x5a, sizeof(root));
	n = (size_t)leaf_encode(&l, with, NULL);
	assert_int_equal(
	    leaf_signed_message(&l, "o", 0x0102, root, &m, &err), 0);
	assert_memory_equal(m.data, "opseal leaf v1\no\n\0\0\0\0\0\0\1\2Z", 26);
	assert_memory_equal(m.data + 25, root, sizeof(root));
	/* The map has one pair less: key 15, head of 64 bytes, signature. */
	assert_int_equal(m.len, head + n - (size_t)(1 + 2 + OPS_SIG_LEN));
	assert_int_equal(m.data[head], with[0] - 1);
	assert_memory_equal(m.data + head + 1, with + 1, m.len - head - 1);
	/* Everything but the signature is in it. */
	l.u.seal.sig[0] ^= 1;
	ops_buf_reset(&m);
	assert_int_equal(
	    leaf_signed_message(&l, "o", 0x0102, root, &m, &err), 0);
	assert_memory_equal(m.data + head + 1, with + 1, m.len - head - 1);

	l = make(0);
	assert_int_equal(leaf_signed_message(&l, "o", 1, root, &m, &err), -1);
	assert_int_equal(err.code, OPS_EUSAGE);
	ops_buf_free(&m);
}

static void
test_file(void **state)
{
	struct ops_buf b = { .max = 4096 };
	static const uint8_t big[LEAF_MAX] = { 9 };
	const uint8_t *leaf = NULL;
	struct ops_err err = { 0 };
	size_t len = 0, whole;

	(void)state;
	leaf_file_put(&b, (const uint8_t *)"123456789", 9);
	/* CRC32C of "123456789" is a published check value. */
	assert_memory_equal(b.data,
	    "\x09\0\0\0\x83\x92\x06\xe3"
	    "123456789",
	    17);
	leaf_file_put(&b, big, sizeof(big));
	assert_int_equal(leaf_file_next(b.data, b.len, &leaf, &len, &err), 17);
	assert_int_equal(len, 9);
	assert_ptr_equal(leaf, b.data + 8);
	assert_int_equal(
	    leaf_file_next(b.data + 17, b.len - 17, &leaf, &len, &err),
	    8 + LEAF_MAX);
	whole = 17;
	for (size_t n = 0; n < whole; n++) {
		uint8_t *in = heap_copy(b.data, n);

		assert_int_equal(leaf_file_next(in, n, &leaf, &len, &err), -1);
		assert_int_equal(err.code, OPS_ETRUNC);
		free(in);
	}
	for (size_t bit = 0; bit < whole * 8; bit++) {
		uint8_t *in = heap_copy(b.data, whole);

		in[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(
		    leaf_file_next(in, whole, &leaf, &len, &err), -1);
		free(in);
	}
	/* length 0 and LEAF_MAX + 1 can never become valid */
	assert_int_equal(
	    leaf_file_next((const uint8_t *)"\0\0\0\0", 4, &leaf, &len, &err),
	    -1);
	assert_int_equal(err.code, OPS_EFORMAT);
	assert_int_equal(
	    leaf_file_next((const uint8_t *)"\0\x04\0\0", 4, &leaf, &len, &err),
	    -1);
	assert_int_equal(err.code, OPS_EFORMAT);
	ops_buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_cut_and_flip),
		cmocka_unit_test(test_longest),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_decode_raw),
		cmocka_unit_test(test_formats),
		cmocka_unit_test(test_hash),
		cmocka_unit_test(test_signed_message),
		cmocka_unit_test(test_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
