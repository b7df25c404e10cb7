/* Covers: backup */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "driver.h"
#include "store/backup.h"

static void
open_store(struct driver *d, uint64_t seed)
{
	struct ops_err err = { 0 };

	memset(d, 0, sizeof(*d));
	d->seed = seed;
	d->m = memfs_new();
	memset(d->boot_id, 7, sizeof(d->boot_id));
	CHECK(driver_open(d, &err) == 0, "open", err.msg);
}

static void
close_store(struct driver *d)
{
	driver_free(d);
	vfs_free(&d->m->vfs);
}

/* Some sessions, sealed; the last goes on. */
static void
work(struct driver *d, unsigned sessions)
{
	for (unsigned i = 0; i < sessions; i++) {
		struct driver_session *s = driver_session(d);

		driver_output(d, s, 8);
		assert_int_equal(driver_flush(d, NULL), 0);
		if (i + 1 < sessions)
			driver_end(d, s);
		assert_int_equal(driver_flush(d, NULL), 0);
		assert_int_equal(driver_seal(d, false, NULL), 0);
	}
}

static int
back_up(struct driver *d, struct memfs *to, bool expire,
    struct backup_result *r, struct ops_err *err)
{
	struct ops_buf note = { .max = NOTE_MAX };
	int rc = backup_make(&d->m->vfs, &to->vfs, expire, &note, r, err);

	ops_buf_free(&note);
	return rc;
}

static void
is_whole(struct memfs *m, const char *what)
{
	uint64_t explained;
	const char *bad = driver_check(m, false, &explained);

	CHECK(bad == NULL, what, bad);
}

/* While the writer has records that aren't sealed, and goes on between two. */
static void
test_running(void **state)
{
	struct backup_result r;
	struct ops_err err = { 0 };
	struct memfs *to = memfs_new();
	struct vfs_names names;
	struct driver d;
	uint64_t copied;

	(void)state;
	open_store(&d, 1);
	work(&d, 3);
	driver_output(&d, &d.s[2], 5);
	assert_int_equal(driver_flush(&d, NULL), 0);
	CHECK(back_up(&d, to, false, &r, &err) == 0, "first", err.msg);
	assert_int_equal(r.cp.size, d.e->log->sealed);
	assert_int_equal(r.kept + r.missing, 0);
	copied = r.copied;
	assert_true(copied >= 5);
	is_whole(to, "first");
	assert_int_equal(vfs_list(&to->vfs, "", &names, NULL), 0);
	assert_int_equal(names.n, 2); /* no keys, no WAL */
	vfs_names_free(&names);
	/* nothing new */
	CHECK(back_up(&d, to, false, &r, &err) == 0, "again", err.msg);
	assert_int_equal(r.copied, 0);
	assert_int_equal(r.kept, copied);
	/* the open session's file, the events' file, and the leaves have grown */
	assert_int_equal(driver_seal(&d, false, NULL), 0);
	CHECK(back_up(&d, to, false, &r, &err) == 0, "grown", err.msg);
	assert_int_equal(r.copied, 2);
	assert_int_equal(r.kept, copied - 2);
	is_whole(to, "grown");
	CHECK(driver_compare(&d, to) == NULL, "what is in it", "");
	vfs_free(&to->vfs);
	close_store(&d);
}

static void
damage(struct memfs *m, const char *in)
{
	struct vfs_names names;

	memfs_files(m, &names);
	for (size_t i = 0; i < names.n; i++) {
		if (strstr(names.name[i], in) == NULL)
			continue;
		memfs_poke(m, names.name[i], 60,
		    (uint8_t)~memfs_peek(m, names.name[i], 60));
		break;
	}
	vfs_names_free(&names);
}

/* What was changed in the copy is copied again. */
static void
test_mends(void **state)
{
	static const char *const places[] = { "data/screen", "data/events",
		"/leaves" };
	struct backup_result r;
	struct memfs *to = memfs_new();
	struct driver d;

	(void)state;
	open_store(&d, 2);
	work(&d, 2);
	assert_int_equal(back_up(&d, to, false, &r, NULL), 0);
	for (size_t i = 0; i < OPS_ARRAY_LEN(places); i++) {
		damage(to, places[i]);
		assert_non_null(driver_check(to, false, NULL));
		if (i == 2)
			break; /* below */
		assert_int_equal(back_up(&d, to, false, &r, NULL), 0);
		assert_int_equal(r.copied, 1);
		is_whole(to, places[i]);
	}
	/* A first leaf that is another's: that is another store. */
	assert_int_equal(back_up(&d, to, false, &r, NULL), -1);
	vfs_free(&to->vfs);
	close_store(&d);
}

/* Expired before the first, between two, and left or removed. */
static void
test_expired(void **state)
{
	struct backup_result r;
	struct memfs *to = memfs_new();
	struct driver d;
	size_t gone;

	(void)state;
	open_store(&d, 3);
	work(&d, 3);
	assert_int_equal(back_up(&d, to, false, &r, NULL), 0);
	assert_int_equal(driver_expire(&d, &gone, NULL), 0);
	assert_int_equal(gone, 2);
	assert_int_equal(back_up(&d, to, false, &r, NULL), 0);
	assert_int_equal(r.left, 2);
	assert_int_equal(r.expired + r.missing, 0);
	is_whole(to, "left");
	assert_int_equal(back_up(&d, to, true, &r, NULL), 0);
	assert_int_equal(r.expired, 2);
	assert_int_equal(r.left, 0);
	is_whole(to, "removed");
	vfs_free(&to->vfs);
	to = memfs_new();
	assert_int_equal(back_up(&d, to, false, &r, NULL), 0);
	assert_int_equal(r.missing + r.left, 0);
	is_whole(to, "a new one");
	vfs_free(&to->vfs);
	close_store(&d);
}

static void
test_refuses(void **state)
{
	struct backup_result r;
	struct ops_err err = { 0 };
	struct memfs *to = memfs_new();
	struct driver d, other;

	(void)state;
	open_store(&d, 4);
	open_store(&other, 5);
	work(&d, 1);
	work(&other, 1);
	assert_int_equal(back_up(&d, to, false, &r, NULL), 0);
	assert_int_equal(back_up(&other, to, false, &r, &err), -1);
	assert_int_equal(err.code, OPS_EUSAGE);
	CHECK(strstr(err.msg, "another store") != NULL, "another", err.msg);
	/* a store is no place for it, its own neither */
	assert_int_equal(back_up(&d, other.m, false, &r, &err), -1);
	CHECK(strstr(err.msg, "something else") != NULL, "a store", err.msg);
	is_whole(to, "untouched");
	vfs_free(&to->vfs);
	close_store(&d);
	close_store(&other);
}

/* Each write, sync, rename of the second one fails once: the copy can be made all
 * the same then, and what is under a name is whole. */
static void
test_interrupted(void **state)
{
	struct backup_result r;
	struct memfs *before = memfs_new();
	struct driver d;
	int64_t n;

	(void)state;
	open_store(&d, 6);
	work(&d, 2);
	assert_int_equal(back_up(&d, before, false, &r, NULL), 0);
	work(&d, 2);
	for (n = 0;; n++) {
		struct memfs *to = memfs_clone(before);

		to->fail_mask = ~0u;
		to->fail_after = n;
		to->fail_times = 1;
		to->fail_errno = 28; /* ENOSPC */
		if (back_up(&d, to, false, &r, NULL) == 0 && to->failed == 0) {
			vfs_free(&to->vfs);
			break;
		}
		to->fail_after = -1;
		assert_int_equal(back_up(&d, to, false, &r, NULL), 0);
		is_whole(to, "after a failure");
		vfs_free(&to->vfs);
	}
	assert_true(n > 20);
	vfs_free(&before->vfs);
	close_store(&d);
}

/* -- restore -- */

static struct {
	struct driver *d;
	unsigned calls, states;
	char bad[600];
} snap;

/* A snapshot becomes a store: its keys are left behind, so a successor goes on. */
static void
restore(struct memfs *from)
{
	struct driver r = { .m = memfs_new() };
	struct ops_err err = { 0 };
	const char *bad = NULL;
	uint64_t explained;

	memcpy(r.boot_id, snap.d->boot_id, sizeof(r.boot_id));
	snap.states++;
	if (backup_restore(&from->vfs, &r.m->vfs, &err) < 0 ||
	    driver_open(&r, &err) < 0 || driver_close(&r, &err) < 0)
		bad = err.msg;
	if (bad == NULL)
		bad = driver_check(r.m, false, &explained);
	if (bad == NULL)
		bad = driver_compare(snap.d, r.m);
	if (bad != NULL && snap.bad[0] == '\0')
		snprintf(
		    snap.bad, sizeof(snap.bad), "call %u: %s", snap.calls, bad);
	driver_free(&r);
	vfs_free(&r.m->vfs);
}

static void
after_call(void *arg, struct memfs *m, enum memfs_op op, const char *path)
{
	uint64_t seed = ++snap.calls;
	struct memfs *c;

	(void)arg, (void)op, (void)path;
	/* Before its first SEAL it is no store yet. */
	if (!vfs_exists(&m->vfs, "log/0/checkpoint"))
		return;
	c = memfs_crash(m, &seed);
	restore(c);
	vfs_free(&c->vfs);
	c = memfs_cut_last(m, m->last_len / 2);
	restore(c);
	vfs_free(&c->vfs);
}

static void
test_snapshots(void **state)
{
	struct driver d;
	size_t gone;

	(void)state;
	memset(&snap, 0, sizeof(snap));
	snap.d = &d;
	open_store(&d, 7);
	d.m->hook = after_call;
	work(&d, 3);
	driver_output(&d, &d.s[2], 5);
	assert_int_equal(driver_flush(&d, NULL), 0);
	assert_int_equal(driver_expire(&d, &gone, NULL), 0);
	work(&d, 1);
	CHECK(snap.bad[0] == '\0', "a snapshot", snap.bad);
	assert_true(snap.states > 100);
	close_store(&d);
}

/* A backup becomes a store, is written, and is backed up in turn. */
static void
test_there_and_back(void **state)
{
	struct backup_result r;
	struct memfs *to = memfs_new(), *again = memfs_new();
	struct ops_err err = { 0 };
	struct driver d, e;

	(void)state;
	open_store(&d, 8);
	work(&d, 3);
	assert_int_equal(back_up(&d, to, false, &r, NULL), 0);
	e = (struct driver){ .m = memfs_new(), .seed = 9 };
	memset(e.boot_id, 8, sizeof(e.boot_id));
	assert_int_equal(backup_restore(&to->vfs, &e.m->vfs, NULL), 0);
	is_whole(e.m, "restored");
	CHECK(driver_open(&e, &err) == 0, "start", err.msg);
	assert_int_equal(e.e->log->n, 1);
	work(&e, 2);
	is_whole(e.m, "goes on");
	CHECK(driver_compare(&d, e.m) == NULL, "the old", "");
	CHECK(driver_compare(&e, e.m) == NULL, "the new", "");
	/* The old copy goes on with it, too. */
	CHECK(back_up(&e, to, false, &r, &err) == 0, "both logs", err.msg);
	is_whole(to, "both logs");
	assert_true(r.kept >= 3);
	assert_int_equal(back_up(&e, again, false, &r, NULL), 0);
	is_whole(again, "a new one of both");
	CHECK(driver_compare(&d, again) == NULL, "the old in it", "");
	vfs_free(&to->vfs);
	vfs_free(&again->vfs);
	close_store(&d);
	close_store(&e);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_running),
		cmocka_unit_test(test_mends),
		cmocka_unit_test(test_expired),
		cmocka_unit_test(test_refuses),
		cmocka_unit_test(test_interrupted),
		cmocka_unit_test(test_snapshots),
		cmocka_unit_test(test_there_and_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
