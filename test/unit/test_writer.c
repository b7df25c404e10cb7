/* Covers: writer, intake, syncer, sealer, expirer, outage, notices */
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "check.h"
#include "record/event.h"
#include "store/check.h"
#include "store/store.h"
#include "store/writer.h"

#define MS 1000000ull
#define SEC 1000000000ull

static const uint8_t A[OPS_ID_LEN] = { 1, 2, 3 };
static const uint8_t B[OPS_ID_LEN] = { 4, 5, 6 };

static struct {
	char dir[64];
	struct vfs *v;
	struct writer *w;
	uint64_t ticket;
} t;

static void
nap(void)
{
	const struct timespec ms = { 0, 1000000 };

	(void)nanosleep(&ms, NULL);
}

static void
open_with(uint8_t boot, uint64_t seal_after)
{
	struct writer_opts o = { .machine_id = "m",
		.boot_id = { boot },
		.seal_after = seal_after,
		.note = "test" };
	struct ops_err err = { 0 };

	CHECK(vfs_dir_new(t.dir, &t.v, &err) == 0, t.dir, err.msg);
	CHECK(writer_open(t.v, &o, &t.w, &err) == 0, t.dir, err.msg);
}

static void
begin(void)
{
	memset(&t, 0, sizeof(t));
	snprintf(t.dir, sizeof(t.dir), "/tmp/opseal-writer-XXXXXX");
	assert_non_null(mkdtemp(t.dir));
	open_with(1, 0);
}

static void
close_writer(void)
{
	struct ops_err err = { 0 };

	CHECK(writer_close(t.w, &err) == 0, "close", err.msg);
	vfs_free(t.v);
}

static void
found(void *arg, const struct finding *f)
{
	(void)arg;
	if (finding_fails(f->kind))
		print_message("# %s %s: %s\n", finding_name(f->kind), f->where,
		    f->detail);
}

static void
remove_all(struct vfs *v, const char *path)
{
	struct vfs_names n = { 0 };

	if (vfs_list(v, path, &n, NULL) < 0)
		return;
	for (size_t i = 0; i < n.n; i++) {
		char sub[256];

		if ((size_t)snprintf(sub, sizeof(sub), "%s%s%s", path,
			*path == '\0' ? "" : "/", n.name[i]) >= sizeof(sub))
			continue;
		if (vfs_unlink(v, sub, NULL) < 0) {
			remove_all(v, sub);
			vfs_rmdir(v, sub, NULL);
		}
	}
	vfs_names_free(&n);
}

/* Close, verify, remove. */
static void
end(void)
{
	struct check_opts o = { .found = found };
	struct check_result r = { 0 };
	struct ops_err err = { 0 };

	close_writer();
	assert_int_equal(vfs_dir_new(t.dir, &t.v, NULL), 0);
	CHECK(check_store(t.v, &o, &r, &err) == 0, "verify", err.msg);
	assert_int_equal(r.fails, 0);
	remove_all(t.v, "");
	vfs_free(t.v);
	rmdir(t.dir);
}

static int
event(uint8_t type, const uint8_t *id, struct ops_err *err)
{
	struct ops_buf b = { .max = RECORD_PAYLOAD_MAX };
	struct event_open o = { .kind = SESSION_TERMINAL,
		.recorder_pid = 77,
		.recorder_start = 88 };
	struct event_close c = { .state = CLOSE_CLOSED, .why = CLOSE_EXIT };
	struct event_gap g = { .bytes = 1 };
	int rc;

	if (type == REC_SESSION_OPEN)
		event_open_put(&b, id, &o);
	else if (type == REC_SESSION_CLOSE)
		event_close_put(&b, id, &c);
	else
		event_gap_put(&b, id, &g);
	rc = writer_put_event(
	    t.w, type, ops_boottime(), b.data, b.len, &t.ticket, err);
	ops_buf_free(&b);
	return rc;
}

/* n records of 20 bytes, the first being number `first`. */
static int
screen(const uint8_t *id, uint64_t first, unsigned n, struct ops_err *err)
{
	uint8_t bytes[65536];
	size_t len = 0;

	for (unsigned i = 0; i < n; i++) {
		uint8_t payload[8] = { (uint8_t)(first + i) };
		struct record r = { .type = REC_OUTPUT,
			.time = first + i,
			.payload = payload,
			.len = sizeof(payload) };

		len += record_encode(&r, bytes + len);
	}
	return writer_put_records(t.w, id, first, bytes, len, &t.ticket, err);
}

static void
wait_durable(void)
{
	uint64_t until = ops_boottime() + 10 * SEC;

	while (writer_durable(t.w) < t.ticket && ops_boottime() < until)
		nap();
	assert_true(writer_durable(t.w) >= t.ticket);
}

/* All of 0..n-1 are in the store, each once. */
static void
check_numbers(const uint8_t *id, uint64_t n)
{
	struct store *st;
	struct stream_reader *r;
	struct stream_pos pos;
	struct record rec;
	uint64_t have = 0;

	assert_int_equal(store_open(t.v, 0, &st, NULL), 0);
	assert_int_equal(stream_open(st, id, 0, &r, NULL), 0);
	while (stream_next(r, &rec, &pos, NULL) > 0) {
		assert_int_equal(pos.number, have);
		assert_int_equal(rec.time, have);
		have++;
	}
	assert_int_equal(have, n);
	stream_free(r);
	store_free(st);
}

/* Sent again, in any overlap, a record is kept once; a hole is refused. */
static void
test_exactly_once(void **state)
{
	struct ops_err err = { 0 };
	struct writer_session s;

	(void)state;
	begin();
	assert_int_equal(screen(A, 0, 1, &err), -1); /* not open */
	assert_int_equal(err.code, OPS_EUSAGE);
	assert_int_equal(event(REC_SESSION_OPEN, A, NULL), 0);
	assert_int_equal(screen(A, 0, 10, NULL), 0);
	assert_int_equal(screen(A, 0, 10, NULL), 0);
	assert_int_equal(screen(A, 5, 10, NULL), 0);
	assert_int_equal(screen(A, 14, 1, NULL), 0);
	assert_int_equal(screen(A, 16, 1, &err), -1);
	assert_int_equal(err.code, OPS_EUSAGE);
	wait_durable();
	writer_session(t.w, A, &s);
	assert_true(s.known && !s.closed);
	assert_int_equal(s.next_record, 15);
	assert_int_equal(s.next_event, 1);
	assert_int_equal(s.recorder_pid, 77);
	close_writer();
	open_with(1, 0);
	/* The next writer knows, too. */
	writer_session(t.w, A, &s);
	assert_int_equal(s.next_record, 15);
	assert_int_equal(s.recorder_start, 88);
	assert_int_equal(screen(A, 10, 10, NULL), 0);
	wait_durable();
	check_numbers(A, 20);
	end();
}

/* A run of capture has a stream that no session opens or closes. */
static void
test_programs(void **state)
{
	uint8_t bytes[65536], payload[OPS_ID_LEN + 1] = { 0 };
	const struct record r = { .type = REC_ENDED,
		.time = 1,
		.payload = payload,
		.len = sizeof(payload) };
	struct ops_err err = { 0 };
	struct writer_session s;
	size_t len = 0;

	(void)state;
	begin();
	for (unsigned i = 0; i < 100; i++)
		len += record_encode(&r, bytes + len);
	assert_int_equal(
	    writer_put_records(t.w, A, 0, bytes, len, &t.ticket, &err), -1);
	assert_int_equal(err.code, OPS_EUSAGE); /* no such stream */
	assert_int_equal(writer_programs(t.w, A, NULL), 0);
	assert_int_equal(
	    writer_put_records(t.w, A, 0, bytes, len, &t.ticket, NULL), 0);
	assert_int_equal(screen(A, 100, 1, &err), -1); /* not its class */
	assert_int_equal(err.code, OPS_EUSAGE);
	assert_int_equal(event(REC_SESSION_OPEN, B, NULL), 0);
	assert_int_equal(writer_programs(t.w, B, &err), -1); /* a session */
	assert_int_equal(err.code, OPS_EUSAGE);
	wait_durable();
	close_writer();
	/* The next writer goes on where it was, and no session is open. */
	open_with(1, 0);
	assert_int_equal(writer_programs(t.w, A, NULL), 0);
	writer_session(t.w, A, &s);
	assert_false(s.known);
	assert_int_equal(s.next_record, 100);
	assert_int_equal(
	    writer_put_records(t.w, A, 50, bytes, len, &t.ticket, NULL), 0);
	assert_int_equal(event(REC_SESSION_CLOSE, B, NULL), 0);
	wait_durable();
	writer_session(t.w, A, &s);
	assert_int_equal(s.next_record, 150);
	end();
}

/* What a put took before it failed is known by its ticket, too. */
static void
test_half_taken(void **state)
{
	struct ops_err err = { 0 };
	struct writer_session s;
	struct record r = { .type = REC_OUTPUT };
	uint8_t bytes[2 * RECORD_HEADER];
	size_t len = record_encode(&r, bytes);

	(void)state;
	begin();
	assert_int_equal(event(REC_SESSION_OPEN, A, NULL), 0);
	assert_int_equal(writer_newest(t.w), t.ticket);
	memset(bytes + len, 0xff, RECORD_HEADER);
	assert_int_equal(writer_put_records(
			     t.w, A, 0, bytes, sizeof(bytes), &t.ticket, &err),
	    -1);
	writer_session(t.w, A, &s);
	assert_int_equal(s.next_record, 1);
	assert_int_equal(writer_newest(t.w), t.ticket + 1);
	t.ticket = writer_newest(t.w);
	wait_durable();
	check_numbers(A, 1);
	end();
}

static void
test_after_close(void **state)
{
	struct ops_err err = { 0 };
	struct writer_session s;

	(void)state;
	begin();
	event(REC_SESSION_OPEN, A, NULL);
	screen(A, 0, 3, NULL);
	assert_int_equal(event(REC_SESSION_CLOSE, A, NULL), 0);
	for (int start = 0; start < 2; start++) {
		assert_int_equal(event(REC_GAP_EVENT, A, &err), -1);
		assert_int_equal(err.code, OPS_EUSAGE);
		assert_int_equal(event(REC_SESSION_CLOSE, A, &err), -1);
		assert_int_equal(event(REC_SESSION_OPEN, A, &err), -1);
		assert_int_equal(screen(A, 3, 1, &err), -1);
		writer_session(t.w, A, &s);
		assert_true(s.known && s.closed);
		close_writer();
		open_with(1, 0);
	}
	end();
}

/* The tickets of puts ascend, and so does what is durable. */
static void
test_tickets(void **state)
{
	uint64_t last = 0, durable = 0;

	(void)state;
	begin();
	event(REC_SESSION_OPEN, A, NULL);
	for (unsigned i = 0; i < 2000; i++) {
		uint64_t now = writer_durable(t.w);

		assert_int_equal(screen(A, i * 5ull, 5, NULL), 0);
		assert_true(t.ticket > last);
		assert_true(now >= durable && now <= t.ticket);
		last = t.ticket;
		durable = now;
	}
	wait_durable();
	end();
}

/* A quiet log is sealed after seal_after; asked to, at once. */
static void
test_seal_timing(void **state)
{
	struct writer_status st;
	struct ops_buf note = { .max = 65536 }, vkey = { .max = 1024 };
	uint64_t start, size, before;

	(void)state;
	begin();
	close_writer();
	open_with(1, 300 * MS);
	event(REC_SESSION_OPEN, A, NULL);
	wait_durable();
	start = ops_boottime();
	do {
		nap();
		writer_status(t.w, &st);
	} while (st.unsealed > 0 && ops_boottime() < start + 5 * SEC);
	assert_int_equal(st.unsealed, 0);
	assert_true(ops_boottime() - start < 2 * SEC);
	close_writer();
	open_with(1, 60 * SEC);
	screen(A, 0, 1, NULL);
	wait_durable();
	writer_status(t.w, &st);
	before = st.sealed_size;
	writer_seal_soon(t.w);
	start = ops_boottime();
	do {
		nap();
		writer_status(t.w, &st);
	} while (st.sealed_size == before && ops_boottime() < start + 5 * SEC);
	assert_true(st.sealed_size > before);
	assert_int_equal(writer_checkpoint(t.w, &note, &vkey, &size, NULL), 0);
	assert_true(size >= st.sealed_size);
	assert_true(note.len > 0 && vkey.len > 0);
	ops_buf_free(&note);
	ops_buf_free(&vkey);
	end();
}

/* What was taken and isn't sealed counts, wherever it is at the moment. */
static void
test_to_write(void **state)
{
	const uint64_t bytes = 1000 * (RECORD_HEADER + 8);
	struct writer_status st;
	uint64_t start;

	(void)state;
	begin();
	close_writer();
	open_with(1, 60 * SEC);
	event(REC_SESSION_OPEN, A, NULL);
	assert_int_equal(screen(A, 0, 1000, NULL), 0);
	start = ops_boottime();
	/* Durable, and for a while after that: framed. */
	do {
		assert_true(writer_to_write(t.w) >= bytes);
		nap();
		writer_status(t.w, &st);
	} while (st.queued > 0 || ops_boottime() < start + 200 * MS);
	writer_seal_soon(t.w);
	start = ops_boottime();
	while (writer_to_write(t.w) > 0 && ops_boottime() < start + 5 * SEC)
		nap();
	assert_int_equal(writer_to_write(t.w), 0);
	writer_status(t.w, &st);
	assert_int_equal(st.unsealed, 0);
	end();
}

/* After a reboot what was open is lost, and said to be. */
static void
test_reboot(void **state)
{
	struct writer_session s;
	struct writer_status st;

	(void)state;
	begin();
	event(REC_SESSION_OPEN, A, NULL);
	event(REC_SESSION_OPEN, B, NULL);
	screen(A, 0, 5, NULL);
	close_writer();
	open_with(2, 0);
	writer_session(t.w, A, &s);
	assert_true(s.known && s.closed);
	writer_status(t.w, &st);
	assert_int_equal(st.sessions, 0);
	end();
}

static void
test_many(void **state)
{
	(void)state;
	begin();
	event(REC_SESSION_OPEN, A, NULL);
	event(REC_SESSION_OPEN, B, NULL);
	for (unsigned i = 0; i < 650; i++) {
		assert_int_equal(screen(A, i * 50ull, 50, NULL), 0);
		assert_int_equal(screen(B, i * 50ull, 50, NULL), 0);
		if (i % 100 == 99)
			writer_seal_soon(t.w);
	}
	wait_durable();
	close_writer();
	open_with(1, 0);
	check_numbers(A, 32500);
	check_numbers(B, 32500);
	end();
}

static size_t
files_in(const char *class)
{
	struct vfs_names days, files;
	char dir[64];
	size_t n = 0;

	snprintf(dir, sizeof(dir), "data/%s", class);
	if (vfs_list(t.v, dir, &days, NULL) < 0)
		return 0;
	for (size_t i = 0; i < days.n; i++) {
		snprintf(
		    dir, sizeof(dir), "data/%s/%.10s", class, days.name[i]);
		if (vfs_list(t.v, dir, &files, NULL) < 0)
			continue;
		n += files.n;
		vfs_names_free(&files);
	}
	vfs_names_free(&days);
	return n;
}

/* Until so many frames have gone; false: they don't. */
static bool
expires(uint64_t frames, struct writer_retention_status *s)
{
	uint64_t until = ops_boottime() + 20 * SEC;

	do {
		nap();
		writer_retention_status(t.w, s);
	} while (
	    (s->expired < frames || s->removed == 0) && ops_boottime() < until);
	return s->expired >= frames && s->removed > 0;
}

/* What is old goes, with its TOMBSTONE; the open session, and its events, stay. */
static void
test_expires(void **state)
{
	const struct expire_rules rules = { .keep_screens = 1,
		.keep_events = 1 };
	const struct expire_rules none = { 0 };
	struct writer_retention_status s;

	(void)state;
	begin();
	writer_retention(t.w, &none);
	assert_int_equal(event(REC_SESSION_OPEN, A, NULL), 0);
	assert_int_equal(screen(A, 0, 5, NULL), 0);
	wait_durable();
	close_writer();
	open_with(1, 0);
	assert_int_equal(event(REC_SESSION_OPEN, B, NULL), 0);
	assert_int_equal(screen(B, 0, 5, NULL), 0);
	assert_int_equal(event(REC_SESSION_CLOSE, A, NULL), 0);
	wait_durable();
	close_writer();
	open_with(1, 0);
	assert_int_equal(files_in("screen"), 2);
	writer_retention(t.w, &rules);
	/* A's screen, and the events of the first run: later ones are B's too */
	CHECK(expires(2, &s), "expires", s.trouble);
	assert_int_equal(s.expired, 2);
	assert_int_equal(s.removed, 2);
	assert_true(s.looked && s.has_last && !s.damaged && !s.clock_waits);
	assert_int_equal(files_in("screen"), 1);
	assert_int_equal(files_in("events"), 2); /* of three runs */
	/* The account of B is rebuilt beside what has expired. */
	close_writer();
	open_with(1, 0);
	writer_retention(t.w, &none);
	check_numbers(B, 5);
	assert_int_equal(event(REC_SESSION_CLOSE, B, NULL), 0);
	end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exactly_once),
		cmocka_unit_test(test_programs),
		cmocka_unit_test(test_half_taken),
		cmocka_unit_test(test_after_close),
		cmocka_unit_test(test_tickets),
		cmocka_unit_test(test_seal_timing),
		cmocka_unit_test(test_to_write),
		cmocka_unit_test(test_reboot),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_expires),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
