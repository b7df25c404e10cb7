/* Covers: check, check_data, check_frames, check_sessions, check_tiles */
/* Covers: check_wal, history, history_frames, history_rules, leaves, parallel */
#include "check.h"

#include <inttypes.h>

#include "base/bytes.h"
#include "check_run.h"
#include "merkle/tile.h"

/* -- whole stores -- */

static void
test_valid(void **state)
{
	struct check_result r;
	struct found f;
	struct build b;

	(void)state;
	build_example(&b);
	CHECK(run(&b.mem, false, NULL, 0, &f, &r) == 0, "example", f.text);
	CHECK(r.fails == 0, "example", f.text);
	assert_int_equal(r.logs, 1);
	assert_int_equal(r.leaves, b.tree.size);
	assert_int_equal(r.sessions, 2);
	assert_int_equal(r.frames, 10);
	assert_int_equal(f.count[FIND_LOST], 1);
	assert_int_equal(f.count[FIND_GAP], 1);
	assert_int_equal(r.explained, 2);
	assert_true(r.records == 16);
	assert_true(r.stored_bytes > 0 && r.raw_bytes > 0);
	assert_false(r.anchored);
	CHECK(run(&b.mem, true, NULL, 0, &f, &r) == 0, "quick", f.text);
	CHECK(r.fails == 0, "quick", f.text);
	assert_int_equal(r.frames, 10);
	build_free(&b);

	build_running(&b);
	CHECK(run(&b.mem, false, NULL, 0, &f, &r) == 0, "running", f.text);
	CHECK(r.fails == 0 && f.count[FIND_UNSEALED] == 1, "running", f.text);
	/* the leaves of an append whose checkpoint is not there yet */
	b.no_checkpoint = true;
	build_seal(&b, false, false);
	CHECK(run(&b.mem, false, NULL, 0, &f, &r) == 0, "behind", f.text);
	CHECK(r.fails == 0 && f.count[FIND_UNSEALED] == 1, "behind", f.text);
	build_seal(&b, false, false);
	expect_fail(&b.mem, "two seals behind the checkpoint", FIND_TAMPER);
	build_free(&b);
}

/* -- every byte -- */

static size_t sparse = 1;

static void
flip_all(struct memstore *m, const char *what)
{
	for (size_t i = 0; i < m->n; i++) {
		struct memfile *f = &m->file[i];

		/* some bytes will do of what is only derived, and of the WAL,
		 * of which test_walread.c tries all */
		size_t step = strstr(f->path, "/tile/") != NULL  ? 29
			      : strncmp(f->path, "wal/", 4) == 0 ? 5
								 : 1;

		char place[256];

		snprintf(place, sizeof(place), "%s", f->path);
		if (strstr(place, ".p/") != NULL) /* a partial tile's width */
			*strstr(place, ".p/") = '\0';
		for (size_t at = 0; at < f->len; at += step * sparse) {
			struct check_result r;
			struct found found;
			char row[256];

			f->data[at] ^= (uint8_t)(1u << (at % 8));
			snprintf(row, sizeof(row), "%s: %s byte %zu", what,
			    f->path, at);
			CHECK(run(m, false, NULL, 0, &found, &r) == 0, row,
			    found.text);
			CHECK(r.fails > 0, row, "passed");
			CHECK(
			    strstr(found.text, place) != NULL, row, found.text);
			f->data[at] ^= (uint8_t)(1u << (at % 8));
		}
	}
}

static void
test_every_byte(void **state)
{
	struct build b;

	(void)state;
	/* Each is tried by make check; a sanitizer needs each kind of place. */
	sparse = getenv("OPSEAL_SANITIZE") != NULL ? 7 : 1;
	build_example(&b);
	build_tiles(&b, true);
	expect_pass(&b.mem, "example with tiles");
	flip_all(&b.mem, "closed");
	build_free(&b);
	build_running(&b);
	flip_all(&b.mem, "running");
	build_free(&b);
}

/* A file gone, or cut anywhere, is named. */
static void
test_every_cut(void **state)
{
	struct memstore m;
	struct build b;

	(void)state;
	build_example(&b);
	for (size_t i = 0; i < b.mem.n; i++) {
		struct check_result r;
		struct found found;
		const char *row = b.mem.file[i].path;

		mem_copy(&m, &b.mem);
		mem_remove(&m, row);
		CHECK(
		    run(&m, false, NULL, 0, &found, &r) == 0, row, found.text);
		CHECK(r.fails > 0, row, "removed, and nobody noticed");
		mem_free(&m);
		for (size_t n = 0; n < b.mem.file[i].len; n += 23) {
			size_t len = b.mem.file[i].len;

			b.mem.file[i].len = n;
			CHECK(run(&b.mem, false, NULL, 0, &found, &r) == 0, row,
			    found.text);
			CHECK(r.fails > 0, row, "cut, and nobody noticed");
			b.mem.file[i].len = len;
		}
		/* and so is one byte more */
		mem_copy(&m, &b.mem);
		mem_splice(&m.file[i], m.file[i].len, 0, "x", 1);
		CHECK(
		    run(&m, false, NULL, 0, &found, &r) == 0, row, found.text);
		/* behind the leaves it looks like the next append, cut short */
		if (strcmp(row, "log/0/leaves") == 0)
			CHECK(r.fails == 0 && found.count[FIND_CRASH] == 1, row,
			    found.text);
		else
			CHECK(r.fails > 0, row, found.text);
		mem_free(&m);
	}
	build_free(&b);
}

/* -- attacks -- */

/* The n-th segment file of a class, by path. */
static struct memfile *
segment(struct memstore *m, const char *class, size_t n)
{
	struct memfile *last = NULL, *best;
	char prefix[32];

	snprintf(prefix, sizeof(prefix), "data/%s/", class);
	do {
		best = NULL;
		for (size_t i = 0; i < m->n; i++) {
			struct memfile *f = &m->file[i];

			if (strncmp(f->path, prefix, strlen(prefix)) == 0 &&
			    (last == NULL || strcmp(f->path, last->path) > 0) &&
			    (best == NULL || strcmp(f->path, best->path) < 0))
				best = f;
		}
		if (best == NULL)
			fail_msg("no segment %zu of %s", n, class);
		last = best;
	} while (n-- > 0);
	return best;
}

/* Offset and length of entry i of a leaves file. */
static size_t
leaf_at(const struct memfile *f, size_t i, size_t *len)
{
	size_t at = 0, n;
	const uint8_t *leaf;
	long used = 0;

	for (size_t k = 0; k <= i; k++) {
		at += (size_t)used;
		used =
		    leaf_file_next(f->data + at, f->len - at, &leaf, &n, NULL);
		assert_true(used > 0);
	}
	*len = (size_t)used;
	return at;
}

static void
swap_parts(struct memfile *f, size_t a, size_t a_len, size_t b, size_t b_len)
{
	uint8_t *one = heap_copy(f->data + a, a_len);
	uint8_t *two = heap_copy(f->data + b, b_len);

	mem_splice(f, b, b_len, one, a_len);
	mem_splice(f, a, a_len, two, b_len);
	free(one);
	free(two);
}

/* Offset of frame i in a segment. */
static size_t
frame_at(const struct memfile *f, size_t i, size_t *len)
{
	struct frame_header h;
	size_t at = SEGMENT_HEADER;

	for (;; i--) {
		assert_true(frame_header_decode(
				f->data + at, f->len - at, &h, NULL) > 0);
		*len = h.header_len + h.stored;
		if (i == 0)
			return at;
		at += *len;
	}
}

static void
cut_frame(struct memstore *m)
{
	struct memfile *f = segment(m, "screen", 0);
	size_t len, at = frame_at(f, 0, &len);

	mem_splice(f, at, len, NULL, 0);
}

static void
swap_frames(struct memstore *m)
{
	struct memfile *f = segment(m, "screen", 0);
	size_t a_len, a = frame_at(f, 0, &a_len);
	size_t b_len, b = frame_at(f, 1, &b_len);

	swap_parts(f, a, a_len, b, b_len);
}

static void
double_frame(struct memstore *m)
{
	struct memfile *f = segment(m, "screen", 0);
	size_t len, at = frame_at(f, 1, &len);
	uint8_t *copy = heap_copy(f->data + at, len);

	mem_splice(f, f->len, 0, copy, len);
	free(copy);
}

/* A24: a frame of another session in this one's place. */
static void
splice_frame(struct memstore *m)
{
	struct memfile *a = segment(m, "screen", 0);
	struct memfile *b = segment(m, "screen", 1);
	size_t a_len, a_at = frame_at(a, 1, &a_len);
	size_t b_len, b_at = frame_at(b, 0, &b_len);

	mem_splice(a, a_at, a_len, b->data + b_at, b_len);
}

static void
swap_segments(struct memstore *m)
{
	struct memfile *a = segment(m, "screen", 0);
	struct memfile *b = segment(m, "screen", 1);
	struct memfile t = *a;

	a->data = b->data;
	a->len = b->len;
	b->data = t.data;
	b->len = t.len;
}

static void
remove_segment(struct memstore *m)
{
	mem_remove(m, segment(m, "screen", 1)->path);
}

static void
remove_events(struct memstore *m)
{
	mem_remove(m, segment(m, "events", 0)->path);
}

static void
move_segment(struct memstore *m)
{
	struct memfile *f = segment(m, "screen", 0);

	memcpy(strchr(f->path + 5, '/') + 1, "2026-01-02", 10);
}

static void
double_segment(struct memstore *m)
{
	struct memfile *f = segment(m, "screen", 0);
	char path[128];

	snprintf(path, sizeof(path), "%s", f->path);
	memcpy(path + strlen(path) - 5, "9", 1);
	mem_put(m, path, f->data, f->len);
}

static void
remove_leaf(struct memstore *m)
{
	struct memfile *f = mem_find(m, "log/0/leaves");
	size_t len, at = leaf_at(f, 3, &len);

	mem_splice(f, at, len, NULL, 0);
}

static void
swap_leaves(struct memstore *m)
{
	struct memfile *f = mem_find(m, "log/0/leaves");
	size_t a_len, a = leaf_at(f, 2, &a_len);
	size_t b_len, b = leaf_at(f, 3, &b_len);

	swap_parts(f, a, a_len, b, b_len);
}

static void
double_leaf(struct memstore *m)
{
	struct memfile *f = mem_find(m, "log/0/leaves");
	size_t len, at = leaf_at(f, 2, &len);
	uint8_t *copy = heap_copy(f->data + at, len);

	mem_splice(f, at, 0, copy, len);
	free(copy);
}

/* A changed leaf with the right CRC. */
static void
change_leaf(struct memstore *m)
{
	struct memfile *f = mem_find(m, "log/0/leaves");
	size_t len, at = leaf_at(f, 2, &len);

	f->data[at + len - 1] ^= 1; /* in the root of a FRAME */
	ops_putle32(f->data + at + 4, ops_crc32c(0, f->data + at + 8, len - 8));
}

static void
remove_checkpoint(struct memstore *m)
{
	mem_remove(m, "log/0/checkpoint");
}

static void
extra_top(struct memstore *m)
{
	mem_put(m, "notes.txt", "x", 1);
}

static void
extra_log(struct memstore *m)
{
	mem_put(m, "log/0/more", "x", 1);
}

static void
extra_logs(struct memstore *m)
{
	mem_put(m, "log/x/leaves", "x", 1);
}

static void
extra_day(struct memstore *m)
{
	mem_put(m, "data/screen/today/x", "x", 1);
}

static void
extra_class(struct memstore *m)
{
	mem_put(m, "data/other/2026-11-25/x", "x", 1);
}

static void
extra_segment_name(struct memstore *m)
{
	mem_put(m, "data/screen/2026-11-25/x.seg", "x", 1);
}

static void
extra_wal_name(struct memstore *m)
{
	mem_put(m, "wal/1.wal", "x", 1);
}

static void
extra_tile(struct memstore *m)
{
	mem_put(m, "log/0/tile/0/001", "x", 1);
}

static void
extra_tile_name(struct memstore *m)
{
	mem_put(m, "log/0/tile/0/0001", "x", 1);
}

static void
missing_first_log(struct memstore *m)
{
	mem_rename(m, "log/0/leaves", "log/1/leaves");
	mem_rename(m, "log/0/checkpoint", "log/1/checkpoint");
}

static void
only_checkpoint(struct memstore *m)
{
	mem_remove(m, "log/0/leaves");
}

/* clang-format off */
static const struct {
	const char *name;
	void (*attack)(struct memstore *m);
	enum finding_kind kind;
} attacks[] = {
	{ "frame cut out",		cut_frame,		FIND_MISSING },
	{ "frames swapped",		swap_frames,		FIND_TAMPER },
	{ "frame twice",		double_frame,		FIND_UNKNOWN },
	{ "frame of another session",	splice_frame,		FIND_TAMPER },
	{ "segments exchanged",		swap_segments,		FIND_TAMPER },
	{ "segment removed",		remove_segment,		FIND_MISSING },
	{ "events removed",		remove_events,		FIND_INCOMPLETE },
	{ "segment in another day",	move_segment,		FIND_TAMPER },
	{ "segment twice",		double_segment,		FIND_UNKNOWN },
	{ "leaf removed",		remove_leaf,		FIND_MISSING },
	{ "leaves swapped",		swap_leaves,		FIND_TAMPER },
	{ "leaf twice",			double_leaf,		FIND_TAMPER },
	{ "leaf changed, CRC mended",	change_leaf,		FIND_TAMPER },
	{ "checkpoint removed",		remove_checkpoint,	FIND_MISSING },
	{ "leaves removed",		only_checkpoint,	FIND_MISSING },
	{ "file at the top",		extra_top,		FIND_UNKNOWN },
	{ "file in a log",		extra_log,		FIND_UNKNOWN },
	{ "file beside the logs",	extra_logs,		FIND_UNKNOWN },
	{ "file beside the days",	extra_day,		FIND_UNKNOWN },
	{ "file beside the classes",	extra_class,		FIND_UNKNOWN },
	{ "file beside segments",	extra_segment_name,	FIND_UNKNOWN },
	{ "file in wal/",		extra_wal_name,		FIND_UNKNOWN },
	{ "tile of no leaves",		extra_tile,		FIND_TAMPER },
	{ "file among tiles",		extra_tile_name,	FIND_UNKNOWN },
	{ "first log gone",		missing_first_log,	FIND_MISSING },
};
/* clang-format on */

static void
test_attacks(void **state)
{
	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(attacks); i++) {
		struct build b;

		build_example(&b);
		attacks[i].attack(&b.mem);
		expect_fail(&b.mem, attacks[i].name, attacks[i].kind);
		build_free(&b);
	}
}

/* -- attacks by one who has the keys found on disk -- */

/* A9, CVE-2023-31439: an old period sealed again with another key, the whole
 * tree and the checkpoint made anew with the log key. */
static void
test_forged_seals(void **state)
{
	struct ops_signer *other;
	struct build b;
	size_t one;

	(void)state;
	for (int which = 0; which < 3; which++) {
		build_init(&b);
		other = build_key(&b);
		build_boot(&b, BOOT_FIRST, NULL);
		one = build_stream(&b, CLASS_SCREEN);
		build_output(&b, one, "what was never said\r\n");
		b.forge = which == 0 ? other : which == 1 ? b.log_key : NULL;
		build_seal(&b, which == 2, false);
		b.forge = NULL;
		if (which == 2) { /* a BOOT by another than the resume key */
			b.forge = other;
			build_boot(&b, BOOT_CLEAN, NULL);
			b.forge = NULL;
		}
		build_seal(&b, true, false);
		expect_fail(&b.mem, "forged", FIND_FORGED_SEAL);
		ops_signer_free(other);
		build_free(&b);
	}
}

/* A1, A2, A12: the log cut at the end of a period, and a checkpoint for that
 * size signed with the stolen log key.  Without an anchor nothing can tell, if
 * an empty WAL is put there as well; with one it is named. */
static void
test_cut_and_resigned(void **state)
{
	struct checkpoint_anchor anchor = { 0 };
	struct check_result r;
	struct found f;
	struct build b;
	struct ops_buf line = { .max = 1024 };
	struct note_key key;
	struct memfile *note;
	size_t one;
	struct memstore old;

	(void)state;
	build_init(&b);
	build_boot(&b, BOOT_FIRST, NULL);
	one = build_stream(&b, CLASS_SCREEN);
	build_output(&b, one, "harmless\r\n");
	build_seal(&b, false, false);
	mem_copy(&old, &b.mem);
	build_output(&b, one, "not harmless\r\n");
	build_seal(&b, false, false);
	note = mem_find(&b.mem, "log/0/checkpoint");
	note_key_init(
	    &key, b.origin, NOTE_ED25519, ops_signer_pub(b.log_key), NULL);
	assert_int_equal(checkpoint_anchor_put(
			     (char *)note->data, note->len, &key, &line, NULL),
	    0);
	assert_int_equal(
	    checkpoint_anchor_parse((char *)line.data, line.len, &anchor, NULL),
	    1);

	CHECK(run(&b.mem, false, &anchor, 1, &f, &r) == 0, "whole", f.text);
	CHECK(r.fails == 0 && r.anchored, "whole", f.text);
	assert_int_equal(r.anchor.size, b.tree.size);
	/* put back as it was: without an anchor all is well */
	CHECK(run(&old, false, NULL, 0, &f, &r) == 0, "old", f.text);
	CHECK(r.fails == 0 && !r.anchored, "old", f.text);
	CHECK(run(&old, false, &anchor, 1, &f, &r) == 0, "old", f.text);
	CHECK(r.fails > 0 && f.count[FIND_ANCHOR] == 1, "old", f.text);
	CHECK(!r.anchored, "old", "anchored");
	/* without its WAL not even that */
	mem_remove(&old, "wal/00000001.wal");
	mem_put(&old, "keys/resume", "x", 1);
	expect_fail(&old, "no WAL", FIND_MISSING);
	/* a copy has neither keys nor WAL */
	mem_remove(&old, "keys/resume");
	expect_pass(&old, "copy");
	mem_free(&old);

	/* another root of the same size, another key, another log */
	anchor.cp.root[0] ^= 1;
	CHECK(run(&b.mem, false, &anchor, 1, &f, &r) == 0, "root", f.text);
	CHECK(f.count[FIND_ANCHOR] == 1 && !r.anchored, "root", f.text);
	anchor.cp.root[0] ^= 1;
	anchor.sig[0] ^= 1;
	CHECK(run(&b.mem, false, &anchor, 1, &f, &r) == 0, "sig", f.text);
	CHECK(f.count[FIND_ANCHOR] == 1 && !r.anchored, "sig", f.text);
	anchor.sig[0] ^= 1;
	anchor.cp.origin[0] = 'x';
	CHECK(run(&b.mem, false, &anchor, 1, &f, &r) == 0, "origin", f.text);
	CHECK(f.count[FIND_ANCHOR] == 1 && !r.anchored, "origin", f.text);
	ops_buf_free(&line);
	build_free(&b);
}

/* A18: only the checkpoint is put back. */
static void
test_old_checkpoint(void **state)
{
	struct build b;
	struct memstore old;
	struct memfile *f;

	(void)state;
	build_running(&b);
	mem_copy(&old, &b.mem);
	f = mem_find(&old, "log/0/checkpoint");
	build_seal(&b, false, false);
	mem_put(&b.mem, "log/0/checkpoint", f->data, f->len);
	expect_pass(&b.mem, "one seal behind is what a crash leaves");
	build_checkpoint(&b);
	build_seal(&b, false, false);
	mem_put(&b.mem, "log/0/checkpoint", f->data, f->len);
	expect_fail(&b.mem, "two seals behind", FIND_TAMPER);
	mem_free(&old);
	build_free(&b);
}

/* Leaves that the right keys signed, but no right writer writes. */
static void
test_wrong_writers(void **state)
{
	struct leaf l = { .type = LEAF_FRAME };
	struct boot_found found = { .wal_records = 1 };
	struct build b;

	(void)state;
	build_running(&b);
	b.wrong_events = true;
	build_seal(&b, true, false);
	expect_fail(&b.mem, "an event is missing", FIND_INCOMPLETE);
	build_free(&b);

	build_running(&b);
	b.stream[1].log_frames++;
	build_seal(&b, true, false);
	expect_fail(&b.mem, "a frame too many in CLOSE", FIND_INCOMPLETE);
	build_free(&b);

	build_running(&b);
	b.stream[1].next_frame++;
	build_seal(&b, true, false);
	expect_fail(&b.mem, "a frame number left out", FIND_MISSING);
	build_free(&b);

	build_running(&b);
	b.stream[1].prev[0] ^= 1;
	build_seal(&b, true, false);
	expect_fail(&b.mem, "another frame before", FIND_TAMPER);
	build_free(&b);

	build_running(&b);
	b.period++;
	build_seal(&b, true, false);
	expect_fail(&b.mem, "a period left out", FIND_MISSING);
	build_free(&b);

	build_running(&b);
	b.from += 1;
	build_seal(&b, true, false);
	expect_fail(&b.mem, "time between periods", FIND_TIME);
	build_free(&b);

	build_running(&b); /* A21: an entry dated back */
	b.stream[1].arrived_first = 1;
	build_seal(&b, true, false);
	expect_fail(&b.mem, "arrival before the period", FIND_TIME);
	build_free(&b);

	build_running(&b);
	b.now -= 50 * 1000000ull; /* the clock of this boot runs backwards */
	b.from = 0;
	build_seal(&b, true, false);
	expect_fail(&b.mem, "boottime backwards", FIND_TIME);
	build_free(&b);

	build_running(&b);
	build_boot(&b, BOOT_CLEAN, NULL);
	expect_fail(&b.mem, "says it was closed", FIND_MISSING);
	build_free(&b);

	build_running(&b);
	build_seal(&b, true, false);
	l.u.frame.count = 1;
	l.u.frame.number = b.stream[1].next_frame;
	l.u.frame.stored_len = l.u.frame.raw_len = 1000;
	memcpy(l.u.frame.stream, b.stream[1].id, OPS_ID_LEN);
	l.u.frame.class = l.u.frame.codec = 1;
	build_leaf(&b, &l);
	expect_fail(&b.mem, "a frame behind the end", FIND_TAMPER);
	build_free(&b);

	build_running(&b);
	b.period += 2;
	build_boot(&b, BOOT_CRASH, &found);
	expect_fail(&b.mem, "a BOOT leaves a period out", FIND_MISSING);
	build_free(&b);

	build_running(&b);
	snprintf(b.origin, sizeof(b.origin), "another.example/log");
	build_boot(&b, BOOT_CRASH, &found);
	expect_fail(&b.mem, "a BOOT of another log", FIND_TAMPER);
	build_free(&b);
}

/* A20: the wall clock may be set to anything at any time. */
static void
test_clock_steps(void **state)
{
	struct build b;
	size_t one;

	(void)state;
	build_init(&b);
	build_boot(&b, BOOT_FIRST, NULL);
	one = build_stream(&b, CLASS_SCREEN);
	for (int i = 0; i < 6; i++) {
		build_output(&b, one, "tick\r\n");
		build_seal(&b, false, false);
		b.wall += i % 2 == 0 ? 365ull * 86400 * 1000000000
				     : (uint64_t)-366 * 86400 * 1000000000;
	}
	build_seal(&b, true, false);
	expect_pass(&b.mem, "steps");
	build_free(&b);
}

/* -- the WAL -- */

static void
test_wal(void **state)
{
	struct memfile *f;
	struct build b;

	(void)state;
	/* header, batch 1 (sealed, two blocks), 2, 3, 4: one block each, zeros */
	for (size_t block = 3; block <= 5; block++) {
		build_running(&b);
		f = mem_find(&b.mem, "wal/00000001.wal");
		memset(f->data + block * 512, 0, 512);
		if (block == 5)
			expect_pass(&b.mem, "the last batch torn away");
		else
			expect_fail(&b.mem, "a batch gone", FIND_TAMPER);
		build_free(&b);
	}
	build_running(&b);
	f = mem_find(&b.mem, "wal/00000001.wal");
	swap_parts(f, 1536, 512, 2048, 512);
	expect_fail(&b.mem, "batches swapped", FIND_TAMPER);
	build_free(&b);

	/* an empty log put behind does not look like a writer at work */
	build_running(&b);
	f = mem_find(&b.mem, "wal/00000001.wal");
	swap_parts(f, 1536, 512, 2048, 512);
	mem_put(&b.mem, "log/1/leaves", "", 0);
	expect_fail(&b.mem, "batches swapped, and a log begun", FIND_TAMPER);
	build_free(&b);

	/* not signed by the period's key */
	build_running(&b);
	ops_signer_free(b.seal_key);
	b.seal_key = build_key(&b);
	build_output(&b, 1, "put in\r\n");
	build_sync(&b);
	expect_fail(&b.mem, "a batch by another key", FIND_TAMPER);
	build_free(&b);

	/* a file of sealed batches, left by a crash of the clean stop */
	build_running(&b);
	{
		struct memfile copy = *mem_find(&b.mem, "wal/00000001.wal");
		uint8_t *data = heap_copy(copy.data, copy.len);

		build_seal(&b, true, false);
		mem_put(&b.mem, "wal/00000001.wal", data, copy.len);
		free(data);
	}
	expect_pass(&b.mem, "sealed WAL left behind");
	b.in_batch = false;
	build_output(&b, 1, "after the end\r\n");
	build_sync(&b);
	expect_fail(&b.mem, "a batch after the end", FIND_TAMPER);
	build_free(&b);

	/* a start that was cut short: files made, not begun */
	build_example(&b);
	mem_put(&b.mem, "wal/00000003.wal", "\0\0\0\0\0\0", 6);
	expect_pass(&b.mem, "unborn WAL file");
	build_free(&b);
}

/* -- what a crash leaves -- */

static void
test_crash_shapes(void **state)
{
	struct boot_found found = { 3, 512, 100, 1 };
	size_t sealed, len;
	struct memfile *f;
	struct memstore m;
	struct build b;
	char path[128];

	(void)state;
	build_running(&b);
	sealed = b.leaves.len;
	b.no_checkpoint = true;
	build_seal(&b, false, false);
	f = mem_find(&b.mem, "log/0/leaves");
	len = f->len;
	for (size_t n = sealed; n <= len; n++) {
		mem_copy(&m, &b.mem);
		mem_find(&m, "log/0/leaves")->len = n;
		expect_pass(&m, "an append cut short");
		mem_free(&m);
	}
	/* each sector of it absent */
	for (size_t at = sealed / 512 * 512; at < len; at += 512) {
		size_t from = at < sealed ? sealed : at;
		size_t to = at + 512 < len ? at + 512 : len;

		mem_copy(&m, &b.mem);
		memset(mem_find(&m, "log/0/leaves")->data + from, 0, to - from);
		expect_pass(&m, "a sector that was not written");
		mem_free(&m);
	}
	/* a flipped bit there is no crash */
	for (size_t at = sealed; at < len; at++) {
		const uint8_t *leaf;
		size_t n, off = sealed;

		mem_copy(&m, &b.mem);
		f = mem_find(&m, "log/0/leaves");
		while (off + 8 + ops_getle32(f->data + off) <= at)
			off += (size_t)leaf_file_next(
			    f->data + off, f->len - off, &leaf, &n, NULL);
		f->data[at] ^= 1;
		/* in the last leaf a longer length says "cut short" */
		if (at - off >= 4)
			expect_fail(&m, "a changed leaf", FIND_TAMPER);
		mem_free(&m);
	}
	build_free(&b);

	/* frames whose leaves never came, temporary files, tiles */
	build_running(&b);
	f = segment(&b.mem, "screen", 0);
	mem_splice(f, f->len, 0, "half a frame", 12);
	snprintf(path, sizeof(path), "%s", f->path);
	mem_put(&b.mem, "log/0/checkpoint.tmp", "x", 1);
	expect_pass(&b.mem, "tail and temporary file");
	memcpy(path + strlen(path) - 5, "1", 1);
	mem_put(&b.mem, path, NULL, 0);
	expect_pass(&b.mem, "a segment just begun");
	memcpy(path + strlen(path) - 5, "2", 1);
	mem_put(&b.mem, path, NULL, 0);
	expect_fail(&b.mem, "two segments just begun", FIND_UNKNOWN);
	build_free(&b);

	/* a restart after it, which brings what was in the WAL */
	build_running(&b);
	build_boot(&b, BOOT_CRASH, &found);
	expect_pass(&b.mem, "BOOT alone");
	build_seal(&b, false, false);
	expect_pass(&b.mem, "recovered");
	build_output(&b, build_stream(&b, CLASS_SCREEN), "more\r\n");
	build_seal(&b, true, false);
	expect_pass(&b.mem, "recovered and closed");
	build_free(&b);

	/* the same after a reboot: boottime begins again */
	build_running(&b);
	memset(b.boot_id, 0xb2, sizeof(b.boot_id));
	b.wall += b.now;
	b.now = 100;
	b.until_sealed = 0;
	build_boot(&b, BOOT_CRASH, &found);
	build_seal(&b, false, false);
	expect_pass(&b.mem, "recovered after a reboot");
	build_output(&b, 1, "a session that outlived a reboot\r\n");
	build_seal(&b, true, false);
	expect_fail(&b.mem, "a frame of an earlier boot", FIND_TIME);
	build_free(&b);

	/* a first start that never came to a leaf */
	build_example(&b);
	mem_put(&b.mem, "log/1/leaves", NULL, 0);
	expect_pass(&b.mem, "a successor about to begin");
	build_free(&b);
}

/* -- successor logs -- */

static void
test_successor(void **state)
{
	struct check_result r;
	struct memstore m;
	struct found f;
	struct memfile *leaves;
	struct build b;
	size_t len, at;

	(void)state;
	build_running(&b);
	build_seal(&b, false, false);
	build_successor(&b, BOOT_NO_RESUME);
	build_output(&b, 1, "in the next log\r\n");
	build_seal(&b, false, false);
	build_seal(&b, true, false);
	CHECK(run(&b.mem, false, NULL, 0, &f, &r) == 0, "two logs", f.text);
	CHECK(r.fails == 0 && f.count[FIND_SUCCESSOR] == 1, "two logs", f.text);
	CHECK(strstr(f.text, "resume key") != NULL, "two logs", f.text);
	assert_int_equal(r.logs, 2);

	mem_copy(&m, &b.mem);
	leaves = mem_find(&m, "log/0/leaves");
	at = leaf_at(leaves, 1, &len);
	mem_splice(leaves, leaves->len, 0, leaves->data + at, len);
	expect_fail(&m, "the old log grew", FIND_TAMPER);
	mem_free(&m);

	mem_copy(&m, &b.mem);
	mem_remove(&m, "log/0/leaves");
	mem_remove(&m, "log/0/checkpoint");
	expect_fail(&m, "the old log is gone", FIND_MISSING);
	mem_free(&m);
	build_free(&b);
}

/* -- tiles -- */

static void
test_tiles(void **state)
{
	struct check_result r;
	struct memstore m;
	struct found f;
	struct build b;

	(void)state;
	build_init(&b);
	build_boot(&b, BOOT_FIRST, NULL);
	for (int i = 0; i < 300; i++)
		build_seal(&b, false, false);
	build_seal(&b, true, false);
	CHECK(run(&b.mem, true, NULL, 0, &f, &r) == 0, "none", f.text);
	CHECK(r.fails == 0 && f.count[FIND_TILE_MISSING] == 1, "none", f.text);
	build_tiles(&b, false);
	CHECK(run(&b.mem, true, NULL, 0, &f, &r) == 0, "full", f.text);
	CHECK(r.fails + r.explained == 0, "full", f.text);
	build_tiles(&b, true);
	CHECK(run(&b.mem, true, NULL, 0, &f, &r) == 0, "partial", f.text);
	CHECK(r.fails + r.explained == 0, "partial", f.text);
	assert_non_null(mem_find(&b.mem, "log/0/tile/1/000.p/1"));
	for (size_t i = 0; i < b.mem.n; i++) {
		struct memfile *t = &b.mem.file[i];

		if (strstr(t->path, "/tile/") == NULL)
			continue;
		t->data[t->len / 2] ^= 1;
		expect_fail(&b.mem, t->path, FIND_TAMPER);
		t->data[t->len / 2] ^= 1;
		t->len--;
		expect_fail(&b.mem, t->path, FIND_TAMPER);
		t->len++;
	}
	/* an older partial tile is the beginning of the full one */
	mem_copy(&m, &b.mem);
	mem_put(&m, "log/0/tile/0/000.p/3",
	    mem_find(&m, "log/0/tile/0/000")->data, 3 * 32);
	expect_pass(&m, "older partial tile");
	mem_remove(&m, "log/0/tile/0/000");
	CHECK(run(&m, true, NULL, 0, &f, &r) == 0, "one gone", f.text);
	CHECK(r.fails == 0 && f.count[FIND_TILE_MISSING] == 1, "one gone",
	    f.text);
	mem_free(&m);
	build_free(&b);
}

/* -- the rest -- */

/* All of a stream's frames, by a rule. */
static void
tombstone(
    struct build *b, size_t stream, uint32_t why, uint64_t limit, uint64_t age)
{
	struct leaf l = { .type = LEAF_TOMBSTONE };
	struct leaf_tombstone *t = &l.u.tombstone;

	memcpy(t->stream, b->stream[stream].id, OPS_ID_LEN);
	t->to = b->stream[stream].next_frame;
	t->realtime = b->now + b->wall;
	t->has_rule = why != 0;
	t->class = b->stream[stream].class;
	t->why = why;
	t->limit = limit;
	t->age = age;
	build_leaf(b, &l);
}

static void
remove_all(struct build *b, size_t stream)
{
	char id[OPS_ID_TEXT_LEN + 1];

	ops_id_text(b->stream[stream].id, id);
	for (size_t i = b->mem.n; i > 0; i--)
		if (strstr(b->mem.file[i - 1].path, id) != NULL)
			mem_remove(&b->mem, b->mem.file[i - 1].path);
}

#define HOUR (3600 * UINT64_C(1000000000))

static void
test_expired(void **state)
{
	struct check_result r;
	struct found f;
	struct build b;

	(void)state;
	build_example(&b);
	b.now += 2 * HOUR;
	build_boot(&b, BOOT_CLEAN, NULL);
	tombstone(&b, 2, TOMBSTONE_SCREENS, HOUR, HOUR);
	build_seal(&b, true, false);
	expect_text(&b.mem, "to be deleted", FIND_CRASH, "not removed yet");
	remove_all(&b, 2);
	expect_text(&b.mem, "expired", FIND_EXPIRED, "by keep_screens = 1h");
	CHECK(run(&b.mem, false, NULL, 0, &f, &r) == 0, "expired", f.text);
	CHECK(r.fails == 0 && f.count[FIND_EXPIRED] == 1 && r.expired == 1,
	    "expired", f.text);
	mem_remove(&b.mem, b.stream[1].path);
	expect_fail(&b.mem, "more than that", FIND_MISSING);
	build_free(&b);
}

/* What went by a rule must have been as old as the rule has it; the clock is the
 * TOMBSTONE's and that of the SEAL over it. */
static void
test_expired_early(void **state)
{
	static const struct {
		const char *name;
		size_t stream;
		uint32_t why;
		uint64_t later, ahead;
		enum finding_kind kind;
	} rows[] = {
		{ "old enough", 2, TOMBSTONE_SCREENS, 2 * HOUR, 0,
		    FIND_EXPIRED },
		{ "too young", 2, TOMBSTONE_SCREENS, HOUR / 2, 0, FIND_EARLY },
		{ "by a clock of its own", 2, TOMBSTONE_SCREENS, HOUR / 2, HOUR,
		    FIND_EARLY },
		{ "by size", 2, TOMBSTONE_SIZE, 2 * HOUR, 0, FIND_EXPIRED },
		{ "by size, too young", 2, TOMBSTONE_SIZE, 1, 0, FIND_EARLY },
		{ "without a rule", 2, 0, 2 * HOUR, 0, FIND_TAMPER },
	};

	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(rows); i++) {
		struct build b;

		build_init(&b);
		build_boot(&b, BOOT_FIRST, NULL);
		build_seal(&b, false, false);
		build_stream(&b, CLASS_SCREEN);
		build_stream(&b, CLASS_SCREEN);
		build_open(&b, 2, 1000, "alice", "pts/3", NULL);
		build_output(&b, 2, "hello");
		build_close(&b, 2, CLOSE_CLOSED);
		build_seal(&b, false, false);
		b.now += rows[i].later;
		b.wall += rows[i].ahead;
		tombstone(&b, rows[i].stream, rows[i].why, HOUR, HOUR);
		b.wall -= rows[i].ahead;
		build_seal(&b, true, false);
		remove_all(&b, 2);
		if (finding_fails(rows[i].kind))
			expect_fail(&b.mem, rows[i].name, rows[i].kind);
		else
			expect_pass(&b.mem, rows[i].name);
		build_free(&b);
	}
}

/* Events that went don't make later sessions unproven. */
static void
test_expired_events(void **state)
{
	(void)state;
	for (int wrong = 0; wrong < 2; wrong++) {
		struct build b;
		size_t old, one;

		build_init(&b);
		build_boot(&b, BOOT_FIRST, NULL);
		build_seal(&b, false, false);
		old = build_stream(&b, CLASS_SCREEN);
		build_open(&b, old, 1000, "alice", "pts/3", NULL);
		build_close(&b, old, CLOSE_CLOSED);
		build_seal(&b, true, false);
		/* another boot, so another events stream */
		b.boot_id[0]++;
		b.now = 1000000;
		b.wall += 24 * HOUR;
		build_boot(&b, BOOT_CLEAN, NULL);
		build_seal(&b, false, false);
		tombstone(&b, 0, TOMBSTONE_EVENTS, HOUR, HOUR);
		build_seal(&b, false, false);
		remove_all(&b, 0);
		one = build_stream(&b, CLASS_SCREEN);
		build_open(&b, one, 1001, "bob", "pts/4", NULL);
		b.wrong_events = wrong;
		build_close(&b, one, CLOSE_CLOSED);
		build_seal(&b, true, false);
		if (wrong)
			expect_fail(
			    &b.mem, "an event too few", FIND_INCOMPLETE);
		else
			expect_pass(&b.mem, "old events expired");
		build_free(&b);
	}
}

/* A changed byte of a stream of programs, wherever it is, is found by every
 * check of all, and by none of a session, whose programs they may be. */
static void
test_programs(void **state)
{
	struct check_opts o = { .found = collect };
	struct check_result r;
	struct memfile *file;
	struct found f;
	struct build b;

	(void)state;
	build_example(&b);
	file = mem_find(&b.mem, b.stream[3].path);
	assert_non_null(strstr(b.stream[3].path, "data/programs/"));
	for (size_t at = 0; at < file->len; at++) {
		file->data[at] ^= 1;
		CHECK(run(&b.mem, false, NULL, 0, &f, &r) == 0 && r.fails > 0,
		    "full", f.text);
		CHECK(run(&b.mem, true, NULL, 0, &f, &r) == 0 && r.fails > 0,
		    "quick", f.text);
		CHECK(
		    strstr(f.text, "data/programs/") != NULL, "where", f.text);
		f = (struct found){ 0 };
		o.arg = &f;
		o.session = b.stream[1].id;
		assert_int_equal(check_store(&b.mem.vfs, &o, &r, NULL), 0);
		CHECK(r.fails == 0 && r.sessions == 1, "session", f.text);
		file->data[at] ^= 1;
	}
	build_free(&b);
}

static void
test_one_session(void **state)
{
	struct check_opts o = { 0 };
	struct check_result r;
	struct found f = { 0 };
	struct build b;

	(void)state;
	build_example(&b);
	o.session = b.stream[1].id;
	o.found = collect;
	o.arg = &f;
	/* damage to another session is none of it */
	mem_find(&b.mem, b.stream[2].path)->data[100] ^= 1;
	assert_int_equal(check_store(&b.mem.vfs, &o, &r, NULL), 0);
	CHECK(r.fails == 0 && r.sessions == 1, "other damaged", f.text);
	mem_find(&b.mem, b.stream[1].path)->data[100] ^= 1;
	memset(&f, 0, sizeof(f));
	assert_int_equal(check_store(&b.mem.vfs, &o, &r, NULL), 0);
	CHECK(r.fails > 0, "damaged", f.text);
	build_free(&b);
}

/* All that is found about one session of b; only counts and texts. */
static void
run_one(struct build *b, size_t stream, bool quick, struct found *f,
    struct check_result *r)
{
	struct check_opts o = { .quick = quick,
		.session = b->stream[stream].id,
		.found = collect,
		.arg = f };

	memset(f, 0, sizeof(*f));
	memset(r, 0, sizeof(*r));
	assert_int_equal(check_store(&b->mem.vfs, &o, r, NULL), 0);
}

/* What went on without a terminal has no frame, at any stage of its life. */
static void
expect_no_screen(
    struct build *b, size_t stream, const char *row, uint64_t events)
{
	for (int quick = 0; quick < 2; quick++) {
		struct check_result r;
		struct found f;

		run_one(b, stream, quick, &f, &r);
		CHECK(r.fails == 0 && r.sessions == 1, row, f.text);
		CHECK(r.no_screen && r.events == events, row, "its events");
	}
}

static void
test_no_screen(void **state)
{
	struct check_result r;
	struct found f;
	struct build b;
	size_t one;

	(void)state;
	build_init(&b);
	build_boot(&b, BOOT_FIRST, NULL);
	build_seal(&b, false, false);
	one = build_stream(&b, CLASS_SCREEN);
	build_open(&b, one, 1000, "alice", NULL, "true");
	build_sync(&b);
	expect_no_screen(&b, one, "in the WAL", 1);
	CHECK(run(&b.mem, false, NULL, 0, &f, &r) == 0, "whole", f.text);
	CHECK(r.fails == 0 && r.sessions == 1, "counted, in the WAL", f.text);
	build_seal(&b, false, false);
	expect_no_screen(&b, one, "open, sealed", 1);
	CHECK(run(&b.mem, false, NULL, 0, &f, &r) == 0, "whole", f.text);
	CHECK(r.fails == 0 && r.sessions == 1, "counted, open", f.text);
	build_close(&b, one, CLOSE_CLOSED);
	build_sync(&b);
	expect_no_screen(&b, one, "closed in the WAL", 2);
	b.no_checkpoint = true;
	build_seal(&b, false, false);
	expect_no_screen(&b, one, "its CLOSE behind the checkpoint", 2);
	build_free(&b);
}

/* Its events are checked, and what never was is missing. */
static void
test_no_screen_damaged(void **state)
{
	struct check_result r;
	struct found f;
	struct build b;
	size_t one, never;

	(void)state;
	build_init(&b);
	build_boot(&b, BOOT_FIRST, NULL);
	build_seal(&b, false, false);
	one = build_stream(&b, CLASS_SCREEN);
	never = build_stream(&b, CLASS_SCREEN);
	build_open(&b, one, 1000, "alice", NULL, "true");
	build_close(&b, one, CLOSE_CLOSED);
	build_seal(&b, true, false);
	expect_no_screen(&b, one, "closed", 2);
	CHECK(run(&b.mem, true, NULL, 0, &f, &r) == 0, "quick", f.text);
	CHECK(r.fails == 0 && r.sessions == 1, "counted, closed", f.text);
	run_one(&b, never, false, &f, &r);
	CHECK(r.fails == 1 && f.count[FIND_MISSING] == 1, "never", f.text);
	mem_find(&b.mem, b.stream[b.events].path)->data[120] ^= 1;
	for (int quick = 0; quick < 2; quick++) {
		run_one(&b, one, quick, &f, &r);
		CHECK(
		    r.fails > 0 && f.count[FIND_TAMPER] > 0, "events", f.text);
	}
	build_free(&b);
	/* One that had frames is not one that had none. */
	build_example(&b);
	mem_remove(&b.mem, b.stream[1].path);
	run_one(&b, 1, false, &f, &r);
	CHECK(r.fails > 0 && f.count[FIND_MISSING] > 0 && !r.no_screen,
	    "its segment is gone", f.text);
	build_free(&b);
	build_init(&b);
	build_boot(&b, BOOT_FIRST, NULL);
	build_seal(&b, false, false);
	one = build_stream(&b, CLASS_SCREEN);
	build_open(&b, one, 1000, "alice", "pts/3", NULL);
	b.stream[one].log_frames = 2; /* its CLOSE will say */
	memset(b.stream[one].prev, 7, OPS_HASH_LEN);
	build_close(&b, one, CLOSE_CLOSED);
	build_seal(&b, true, false);
	run_one(&b, one, false, &f, &r);
	CHECK(r.fails > 0 && f.count[FIND_INCOMPLETE] > 0, "CLOSE", f.text);
	build_free(&b);
}

static void
test_no_store(void **state)
{
	struct check_opts o = { 0 };
	struct check_result r = { .fails = 77 };
	struct ops_err err = { 0 };
	struct memstore m;

	(void)state;
	mem_init(&m);
	assert_int_equal(check_store(&m.vfs, &o, &r, &err), -1);
	assert_int_equal(err.code, OPS_ENOENT);
	assert_int_equal(r.fails, 77);
	mem_put(&m, "log/x", "", 0);
	assert_int_equal(check_store(&m.vfs, &o, &r, &err), -1);
	mem_free(&m);
	for (enum finding_kind k = 0; k <= FIND_UNREADABLE; k++) {
		assert_non_null(finding_name(k));
		assert_int_equal(finding_fails(k), k >= FIND_TAMPER);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_valid),
		cmocka_unit_test(test_every_byte),
		cmocka_unit_test(test_every_cut),
		cmocka_unit_test(test_attacks),
		cmocka_unit_test(test_forged_seals),
		cmocka_unit_test(test_cut_and_resigned),
		cmocka_unit_test(test_old_checkpoint),
		cmocka_unit_test(test_wrong_writers),
		cmocka_unit_test(test_clock_steps),
		cmocka_unit_test(test_wal),
		cmocka_unit_test(test_crash_shapes),
		cmocka_unit_test(test_successor),
		cmocka_unit_test(test_tiles),
		cmocka_unit_test(test_expired),
		cmocka_unit_test(test_expired_early),
		cmocka_unit_test(test_expired_events),
		cmocka_unit_test(test_programs),
		cmocka_unit_test(test_one_session),
		cmocka_unit_test(test_no_screen),
		cmocka_unit_test(test_no_screen_damaged),
		cmocka_unit_test(test_no_store),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
