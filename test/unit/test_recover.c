/* Covers: recover, past, engine, log, framer, segment, streamtab */
#include <errno.h>

#include "base/bytes.h"
#include "check.h"
#include "driver.h"
#include "record/event.h"
#include "record/frame.h"
#include "store/segment.h"

static struct memfs *
one_store(struct driver *d, unsigned seals)
{
	struct ops_err err = { 0 };

	memset(d, 0, sizeof(*d));
	d->seed = 99;
	d->m = memfs_new();
	memset(d->boot_id, 7, sizeof(d->boot_id));
	CHECK(driver_open(d, &err) == 0, "open", err.msg);
	driver_session(d);
	driver_session(d);
	for (unsigned i = 0; i < seals; i++) {
		driver_output(d, &d->s[0], 10);
		driver_event(d, &d->s[1]);
		CHECK(driver_flush(d, &err) == 0, "flush", err.msg);
		CHECK(driver_seal(d, false, &err) == 0, "seal", err.msg);
	}
	return d->m;
}

static void
reopen(struct driver *d, const char *row)
{
	struct ops_err err = { 0 };

	d->m->locked = false;
	CHECK(driver_open(d, &err) == 0, row, err.msg);
}

static struct leaf_boot
last_boot(struct driver *d)
{
	char path[LOG_PATH + 8];
	struct ops_buf b = { .max = 1u << 24 };
	struct leaf_boot ret = { 0 };
	size_t at = 0;
	long used;
	const uint8_t *p;
	size_t n;

	snprintf(path, sizeof(path), "log/%u/leaves", d->e->log->n);
	assert_int_equal(
	    vfs_read_file(&d->m->vfs, path, 1u << 23, &b, NULL), 0);
	while ((used = leaf_file_next(b.data + at, b.len - at, &p, &n, NULL)) >
	       0) {
		struct leaf l;

		assert_true(leaf_decode(p, n, &l, NULL) >= 0);
		if (l.type == LEAF_BOOT)
			ret = l.u.boot;
		at += (size_t)used;
	}
	ops_buf_free(&b);
	return ret;
}

static void
finish(struct driver *d, const char *row, bool whole)
{
	struct ops_err err = { 0 };
	struct memfs *m = d->m;
	const char *bad;

	CHECK(driver_close(d, &err) == 0, row, err.msg);
	if (whole) {
		bad = driver_check(m, false, NULL);
		CHECK(bad == NULL, row, bad);
		bad = driver_compare(d, m);
		CHECK(bad == NULL, row, bad);
	}
	driver_free(d);
	vfs_free(&m->vfs);
}

static void
test_first_clean_crash(void **state)
{
	struct driver d;

	(void)state;
	one_store(&d, 2);
	assert_int_equal(last_boot(&d).why, BOOT_FIRST);
	driver_drop(&d);
	reopen(&d, "crash");
	assert_int_equal(last_boot(&d).why, BOOT_CRASH);
	assert_int_equal(driver_close(&d, NULL), 0);
	reopen(&d, "clean");
	assert_int_equal(last_boot(&d).why, BOOT_CLEAN);
	assert_int_equal(d.e->log->n, 0);
	finish(&d, "end", true);
}

/* What was durable in the WAL only is sealed by the start after. */
static void
test_wal_replayed(void **state)
{
	struct driver d;

	(void)state;
	one_store(&d, 1);
	driver_output(&d, &d.s[0], 7);
	driver_end(&d, &d.s[1]);
	assert_int_equal(driver_flush(&d, NULL), 0);
	driver_drop(&d);
	reopen(&d, "crash");
	assert_int_equal(last_boot(&d).found.wal_records, 8);
	finish(&d, "end", true);
}

/* The recorder of a session whose CLOSE came with the recovery may ask. */
static void
test_closed_is_remembered(void **state)
{
	struct driver d;
	bool found = false;

	(void)state;
	one_store(&d, 1);
	driver_end(&d, &d.s[1]);
	assert_int_equal(driver_flush(&d, NULL), 0);
	driver_drop(&d);
	reopen(&d, "crash");
	for (size_t i = 0; i < d.e->n_closed; i++)
		found |= memcmp(d.e->closed[i], d.s[1].id, OPS_ID_LEN) == 0;
	assert_true(found);
	assert_int_equal(framer_open_sessions(d.e->framer), 1);
	finish(&d, "end", true);
}

/* Another boot of the machine is told from a mere start; the sessions stay
 * open until the writer has said that they are lost (test_writer.c). */
static void
test_reboot(void **state)
{
	struct driver d;

	(void)state;
	one_store(&d, 2);
	driver_drop(&d);
	reopen(&d, "same boot");
	assert_false(d.e->rebooted);
	driver_drop(&d);
	d.boot_id[0] ^= 1;
	reopen(&d, "reboot");
	assert_true(d.e->rebooted);
	assert_int_equal(framer_open_sessions(d.e->framer), 2);
	finish(&d, "end", true);
}

/* A start that dies between SEAL and checkpoint, again and again: there is
 * never more than one SEAL that no checkpoint covers. */
static void
test_checkpoint_fails_often(void **state)
{
	struct driver d;
	const char *bad;

	(void)state;
	one_store(&d, 2);
	driver_drop(&d);
	for (int i = 0; i < 6; i++) {
		struct ops_err err = { 0 };

		d.m->fail_mask = 1u << MEMFS_RENAME;
		d.m->fail_errno = EIO;
		d.m->fail_times = 1;
		d.m->fail_after = i % 2; /* the old one's, or its own */
		d.m->locked = false;
		assert_int_equal(driver_open(&d, &err), -1);
		d.m->fail_after = -1;
		bad = driver_check(d.m, false, NULL);
		CHECK(bad == NULL, "checkpoint", bad);
	}
	reopen(&d, "at last");
	assert_int_equal(d.e->log->n, 0);
	finish(&d, "end", true);
}

/* -- successor logs -- */

static struct {
	uint8_t resume[1024];
	uint64_t len; /* of the leaves */
	struct ops_buf checkpoint, previous;
} saved;

static void
read_whole(struct memfs *m, const char *path, struct ops_buf *b)
{
	b->max = 1u << 24;
	assert_int_equal(vfs_read_file(&m->vfs, path, 1u << 23, b, NULL), 0);
}

static void
save(struct memfs *m)
{
	for (uint64_t i = 0; i < sizeof(saved.resume); i++)
		saved.resume[i] = memfs_peek(m, "keys/resume", i);
	saved.len = memfs_file_size(m, "log/0/leaves");
	read_whole(m, "log/0/checkpoint", &saved.checkpoint);
}

static void
no_resume(struct memfs *m)
{
	assert_int_equal(vfs_unlink(&m->vfs, "keys/resume", NULL), 0);
}

static void
old_resume(struct memfs *m)
{
	for (uint64_t i = 0; i < sizeof(saved.resume); i++)
		memfs_poke(m, "keys/resume", i, saved.resume[i]);
}

static void
no_log_key(struct memfs *m)
{
	assert_int_equal(vfs_unlink(&m->vfs, "keys/log-0", NULL), 0);
}

static void
other_log_key(struct memfs *m)
{
	memfs_poke(
	    m, "keys/log-0", 3, (uint8_t)~memfs_peek(m, "keys/log-0", 3));
}

static void
cut_leaves(struct memfs *m)
{
	struct vfs_file *f;

	assert_int_equal(
	    vfs_open(&m->vfs, "log/0/leaves", VFS_WRITE, &f, NULL), 0);
	assert_int_equal(vfs_truncate(f, saved.len, NULL), 0);
	vfs_close(f);
}

static void
put_back(struct memfs *m)
{
	assert_int_equal(vfs_replace_file(&m->vfs, "log/0/checkpoint",
			     saved.checkpoint.data, saved.checkpoint.len, NULL),
	    0);
}

static void
cut_all(struct memfs *m)
{
	cut_leaves(m);
	put_back(m);
}

static void
flip(struct memfs *m, const char *path, uint64_t off)
{
	memfs_poke(m, path, off, (uint8_t)~memfs_peek(m, path, off));
}

static void
damage(struct memfs *m)
{
	flip(m, "log/0/leaves", saved.len + 40);
}

static void
damage_first(struct memfs *m)
{
	flip(m, "log/0/leaves", 40);
}

static void
damage_last(struct memfs *m)
{
	flip(m, "log/0/leaves", memfs_file_size(m, "log/0/leaves") - 3);
}

static void
put_back_and_damage(struct memfs *m)
{
	put_back(m);
	damage(m);
}

/* The checkpoint is of the SEAL before the last: as after a crash, but for the
 * byte in the last SEAL. */
static void
damage_behind(struct memfs *m)
{
	assert_int_equal(vfs_replace_file(&m->vfs, "log/0/checkpoint",
			     saved.previous.data, saved.previous.len, NULL),
	    0);
	damage_last(m);
}

static void
no_checkpoint(struct memfs *m)
{
	assert_int_equal(vfs_unlink(&m->vfs, "log/0/checkpoint", NULL), 0);
}

/* clang-format off */
static const struct {
	const char *name;
	void (*change)(struct memfs *m);
	uint32_t why;
	bool whole; /* nothing that was recorded is lost by it */
} rows[] = {
	{ "the resume key is missing",	  no_resume,	 BOOT_NO_RESUME, true },
	{ "keys from a backup",		  old_resume,	 BOOT_NO_RESUME, true },
	{ "the log key is missing",	  no_log_key,	 BOOT_NO_RESUME, true },
	{ "another log key",		  other_log_key, BOOT_NO_RESUME, true },
	{ "leaves cut at an older SEAL",  cut_leaves,	 BOOT_NO_RESUME, false },
	{ "and the checkpoint with them", cut_all,	 BOOT_NO_RESUME, false },
	{ "a leaf is damaged",		  damage,	 BOOT_DAMAGED,	 false },
	{ "the first leaf is damaged",	  damage_first,	 BOOT_NO_RESUME, false },
	{ "the last leaf is damaged",	  damage_last,	 BOOT_NO_RESUME, false },
	{ "behind the checkpoint, too",	  damage_behind, BOOT_NO_RESUME, false },
	{ "the checkpoint is put back",	  put_back,	 BOOT_DAMAGED,	 false },
	{ "and a leaf is damaged",	  put_back_and_damage, BOOT_DAMAGED, false },
	{ "the checkpoint is missing",	  no_checkpoint, BOOT_DAMAGED,	 false },
};
/* clang-format on */

static unsigned
count_segments(struct memfs *m)
{
	struct vfs_names names;
	unsigned n = 0;

	memfs_files(m, &names);
	for (size_t i = 0; i < names.n; i++)
		n += strstr(names.name[i], ".seg") != NULL;
	vfs_names_free(&names);
	return n;
}

/* What is wrong is named for ever: nothing of the old log changes, and no
 * segment is removed, however often the daemon starts. */
static void
starts_change_nothing(struct driver *d, const char *row)
{
	struct ops_buf before = { 0 }, after = { 0 };
	unsigned segments = count_segments(d->m);
	struct ops_err err = { 0 };
	const char *bad;

	read_whole(d->m, "log/0/leaves", &before);
	for (int i = 0; i < 2; i++) {
		CHECK(driver_close(d, &err) == 0, row, err.msg);
		bad = driver_check(d->m, false, NULL);
		CHECK(bad != NULL, row, "verify says nothing");
		reopen(d, row);
	}
	CHECK(d->e->log->n == 1, row, "it goes on in the successor");
	read_whole(d->m, "log/0/leaves", &after);
	CHECK(after.len == before.len &&
		  memcmp(after.data, before.data, after.len) == 0,
	    row, "the old log changed");
	CHECK(count_segments(d->m) >= segments, row, "segments are gone");
	ops_buf_free(&before);
	ops_buf_free(&after);
	finish(d, row, false);
}

static void
test_successors(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *row = rows[i].name;
		struct ops_err err = { 0 };
		struct framer_stream s = { 0 };
		struct leaf_boot boot;
		uint64_t before;
		struct driver d;

		one_store(&d, 2);
		save(d.m);
		driver_output(&d, &d.s[0], 5);
		assert_int_equal(driver_flush(&d, NULL), 0);
		assert_int_equal(driver_seal(&d, false, NULL), 0);
		read_whole(d.m, "log/0/checkpoint", &saved.previous);
		driver_output(&d, &d.s[0], 5);
		assert_int_equal(driver_flush(&d, NULL), 0);
		assert_int_equal(driver_seal(&d, false, NULL), 0);
		driver_drop(&d);
		rows[i].change(d.m);
		before = memfs_file_size(d.m, "log/0/leaves");
		reopen(&d, row);
		boot = last_boot(&d);
		CHECK(d.e->log->n == 1, row, "no successor");
		CHECK(boot.why == rows[i].why, row, "reason");
		CHECK(boot.has_pred && strstr(boot.pred_origin, "/0") != NULL,
		    row, "predecessor");
		CHECK(memfs_file_size(d.m, "log/0/leaves") == before, row,
		    "the old log was cut");
		framer_stream(d.e->framer, d.s[0].id, &s);
		if (rows[i].whole) {
			/* Numbers go on where they were. */
			CHECK(s.next_record == d.s[0].put, row, "numbers");
			driver_output(&d, &d.s[0], 5);
			driver_end(&d, &d.s[0]);
			CHECK(driver_flush(&d, &err) == 0, row, err.msg);
			finish(&d, row, true);
		} else {
			starts_change_nothing(&d, row);
		}
		ops_buf_free(&saved.checkpoint);
		ops_buf_free(&saved.previous);
	}
}

/* -- leaves that nothing signs -- */

static void
append(struct driver *d, const struct leaf *l)
{
	struct ops_buf b = { .max = 4096 };
	uint8_t bytes[LEAF_MAX];
	struct vfs_file *f;
	long n = leaf_encode(l, bytes, NULL);
	uint64_t end = memfs_file_size(d->m, "log/0/leaves");

	assert_true(n > 0);
	leaf_file_put(&b, bytes, (size_t)n);
	assert_int_equal(
	    vfs_open(&d->m->vfs, "log/0/leaves", VFS_WRITE, &f, NULL), 0);
	assert_int_equal(vfs_pwrite(f, b.data, b.len, end, NULL), 0);
	assert_int_equal(vfs_sync(f, NULL), 0);
	vfs_close(f);
	ops_buf_free(&b);
}

static void
forge_frame(struct driver *d, struct driver_session *s, uint64_t first)
{
	struct leaf l = { .type = LEAF_FRAME,
		.u.frame = { .class = CLASS_SCREEN,
		    .number = 2,
		    .has_prev = true,
		    .first = first,
		    .count = 5,
		    .arrived_first = 1,
		    .arrived_last = 2,
		    .codec = CODEC_ZSTD,
		    .stored_len = 200,
		    .raw_len = 200 } };

	memcpy(l.u.frame.stream, s->id, OPS_ID_LEN);
	append(d, &l);
}

/* In the place of records that stand in the WAL. */
static void
frame_of_open(struct driver *d)
{
	forge_frame(d, &d->s[0], 20);
}

static void
frame_of_closed(struct driver *d)
{
	forge_frame(d, &d->s[1], 0);
}

static void
close_of_open(struct driver *d)
{
	struct leaf l = { .type = LEAF_CLOSE, .u.close.state = CLOSE_CLOSED };

	memcpy(l.u.close.stream, d->s[0].id, OPS_ID_LEN);
	append(d, &l);
}

static void
tombstone(struct driver *d)
{
	struct leaf l = { .type = LEAF_TOMBSTONE, .u.tombstone.to = 1 };

	memcpy(l.u.tombstone.stream, d->s[0].id, OPS_ID_LEN);
	append(d, &l);
}

/* clang-format off */
static const struct {
	const char *name;
	void (*forge)(struct driver *d);
} forged[] = {
	{ "a frame of an open session",	  frame_of_open },
	{ "a frame of a closed session",  frame_of_closed },
	{ "the end of an open session",	  close_of_open },
	{ "a tombstone",		  tombstone },
};
/* clang-format on */

/* Behind the last SEAL of a killed store: no start believes it, and what the
 * WAL has is sealed instead. */
static void
test_unsigned_leaves(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2 * OPS_ARRAY_LEN(forged); i++) {
		const char *row = forged[i / 2].name;
		struct leaf_boot boot;
		uint64_t end, forged_end;
		struct driver d;

		one_store(&d, 2);
		driver_end(&d, &d.s[1]);
		assert_int_equal(driver_flush(&d, NULL), 0);
		assert_int_equal(driver_seal(&d, false, NULL), 0);
		driver_output(&d, &d.s[0], 5);
		assert_int_equal(driver_flush(&d, NULL), 0);
		driver_drop(&d);
		end = memfs_file_size(d.m, "log/0/leaves");
		forged[i / 2].forge(&d);
		forged_end = memfs_file_size(d.m, "log/0/leaves");
		/* A successor doesn't believe them either. */
		if (i % 2 == 1)
			no_resume(d.m);
		reopen(&d, row);
		boot = last_boot(&d);
		CHECK(d.e->log->n == i % 2, row, "which log");
		CHECK(boot.found.leaf_torn_bytes == forged_end - end, row,
		    "BOOT says what was cut");
		CHECK(boot.found.wal_records == 5, row, "replayed");
		CHECK(framer_open_sessions(d.e->framer) == 1, row, "open");
		driver_end(&d, &d.s[0]);
		assert_int_equal(driver_flush(&d, NULL), 0);
		finish(&d, row, true);
	}
}

/* Behind the SEAL that closed the log no append begins like this. */
static void
test_unsigned_behind_final(void **state)
{
	struct driver d;

	(void)state;
	one_store(&d, 2);
	assert_int_equal(driver_close(&d, NULL), 0);
	frame_of_open(&d);
	reopen(&d, "behind the end");
	assert_int_equal(last_boot(&d).why, BOOT_DAMAGED);
	starts_change_nothing(&d, "behind the end");
}

/* -- places and names -- */

/* The segment of that number of this boot's events stream, whatever the day. */
static bool
events_segment(const struct driver *d, unsigned number, char out[static 96])
{
	char path[SEGMENT_PATH_MAX];
	struct vfs_names names;
	bool found = false;

	segment_path(CLASS_EVENTS, "0000-00-00", d->e->events, number, path);
	memfs_files(d->m, &names);
	for (size_t i = 0; i < names.n && !found; i++) {
		const char *name = strrchr(names.name[i], '/');

		found = name != NULL && strcmp(name, strrchr(path, '/')) == 0;
		if (found)
			snprintf(out, 96, "%s", names.name[i]);
	}
	vfs_names_free(&names);
	return found;
}

/* Numbers come from the leaves: one that is missing moves no other. */
static void
test_missing_segment(void **state)
{
	struct driver d;
	char path[96];

	(void)state;
	one_store(&d, 2);
	assert_true(events_segment(&d, 0, path));
	assert_int_equal(driver_close(&d, NULL), 0);
	assert_int_equal(vfs_unlink(&d.m->vfs, path, NULL), 0);
	reopen(&d, "missing");
	driver_session(&d);
	assert_int_equal(driver_flush(&d, NULL), 0);
	assert_int_equal(driver_seal(&d, false, NULL), 0);
	assert_false(events_segment(&d, 0, path));
	assert_true(events_segment(&d, 1, path));
	finish(&d, "missing", false);
}

/* A file in the place of the next segment, which no crash left, makes way. */
static void
test_segment_in_the_way(void **state)
{
	struct driver d;
	char path[96];

	(void)state;
	one_store(&d, 2);
	assert_true(events_segment(&d, 0, path));
	assert_int_equal(driver_close(&d, NULL), 0);
	memcpy(path + strlen(path) - strlen("0.seg"), "1", 1);
	assert_int_equal(
	    vfs_replace_file(&d.m->vfs, path, "no segment", 10, NULL), 0);
	reopen(&d, "in the way");
	driver_session(&d);
	assert_int_equal(driver_flush(&d, NULL), 0);
	assert_int_equal(driver_seal(&d, false, NULL), 0);
	memcpy(path + strlen(path) - strlen("seg"), "bad", 3);
	assert_int_equal(memfs_file_size(d.m, path), 10);
	assert_true(events_segment(&d, 1, path));
	assert_true(memfs_file_size(d.m, path) > SEGMENT_HEADER);
	finish(&d, "in the way", false);
}

/* Folders that are no logs' don't count, and cost nothing. */
static void
test_log_names(void **state)
{
	static const char *const name[] = { "log/999999999", "log/07", "log/+8",
		"log/9 ", "log/9" };
	struct driver d;

	(void)state;
	one_store(&d, 2);
	assert_int_equal(driver_close(&d, NULL), 0);
	for (size_t i = 0; i < OPS_ARRAY_LEN(name); i++)
		assert_int_equal(vfs_mkdir(&d.m->vfs, name[i], NULL), 0);
	reopen(&d, "names");
	assert_int_equal(d.e->log->n, 0);
	assert_int_equal(last_boot(&d).why, BOOT_CLEAN);
	finish(&d, "names", false);
}

/* -- after a successor -- */

/* Stop as `how` says: closed, or as by a kill. */
static void
stop(struct driver *d, bool closed, const char *row)
{
	struct ops_err err = { 0 };

	if (closed)
		CHECK(driver_close(d, &err) == 0, row, err.msg);
	else
		driver_drop(d);
}

static void
record_more(struct driver *d, const char *row)
{
	struct ops_err err = { 0 };

	/* A session that is open through all of it, and one of this run. */
	driver_output(d, &d->s[0], 5);
	driver_event(d, &d->s[0]);
	driver_output(d, driver_session(d), 5);
	driver_end(d, &d->s[d->n - 1]);
	CHECK(driver_flush(d, &err) == 0, row, err.msg);
	CHECK(driver_seal(d, false, &err) == 0, row, err.msg);
	driver_output(d, &d->s[0], 1);
	CHECK(driver_flush(d, &err) == 0, row, err.msg);
}

/* A successor begins, and the daemon starts again and again: each log's
 * recordings stay, and what was open over all of it goes on. */
static void
test_starts_after_successor(void **state)
{
	static const char *const name[] = { "killed", "stopped" };

	(void)state;
	for (int closed = 0; closed < 2; closed++) {
		const char *row = name[closed];
		struct framer_stream s;
		struct driver d;

		one_store(&d, 2);
		record_more(&d, row);
		for (unsigned i = 0; i < 4; i++) {
			stop(&d, closed, row);
			if (i % 2 == 0)
				no_resume(d.m);
			reopen(&d, row);
			CHECK(d.e->log->n == 1 + i / 2, row, "which log");
			memset(&s, 0, sizeof(s));
			framer_stream(d.e->framer, d.s[0].id, &s);
			CHECK(s.next_record == d.s[0].put, row, "records");
			CHECK(s.opened && !s.closing, row, "open");
			CHECK(s.recorder_events == d.s[0].put_events, row,
			    "events");
			CHECK(framer_open_sessions(d.e->framer) == 2, row,
			    "sessions open");
			record_more(&d, row);
		}
		driver_end(&d, &d.s[0]);
		assert_int_equal(driver_flush(&d, NULL), 0);
		finish(&d, row, true);
	}
}

/* keys/ and the machine's id changed, or not: the store went to another host. */
static void
test_machine(void **state)
{
	struct engine_opts o = { .machine_id = "another" };
	struct driver d;
	struct ops_err err = { 0 };

	(void)state;
	one_store(&d, 2);
	assert_int_equal(driver_close(&d, NULL), 0);
	d.m->locked = false;
	memcpy(o.boot_id, d.boot_id, sizeof(o.boot_id));
	CHECK(engine_open(&d.m->vfs, &o, &d.e, &err) == 0, "open", err.msg);
	assert_int_equal(d.e->log->n, 1);
	assert_int_equal(last_boot(&d).why, BOOT_MACHINE);
	finish(&d, "machine", true);
}

/* A day of 65,000 records in many batches, with a start in the middle. */
static void
test_many(void **state)
{
	struct driver d;

	(void)state;
	one_store(&d, 1);
	for (int i = 0; i < 650; i++) {
		driver_output(&d, &d.s[i % 2], 100);
		assert_int_equal(driver_flush(&d, NULL), 0);
		if (i % 50 == 49)
			assert_int_equal(driver_seal(&d, false, NULL), 0);
		if (i == 333) {
			driver_drop(&d);
			reopen(&d, "crash");
		}
	}
	assert_true(d.s[0].put + d.s[1].put > 65000);
	finish(&d, "many", true);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_clean_crash),
		cmocka_unit_test(test_wal_replayed),
		cmocka_unit_test(test_closed_is_remembered),
		cmocka_unit_test(test_reboot),
		cmocka_unit_test(test_checkpoint_fails_often),
		cmocka_unit_test(test_successors),
		cmocka_unit_test(test_unsigned_leaves),
		cmocka_unit_test(test_unsigned_behind_final),
		cmocka_unit_test(test_missing_segment),
		cmocka_unit_test(test_segment_in_the_way),
		cmocka_unit_test(test_log_names),
		cmocka_unit_test(test_starts_after_successor),
		cmocka_unit_test(test_machine),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
