#include "traffic.h"

#include <string.h>

#include "check.h"
#include "record/acct.h"
#include "record/record.h"

#define SECOND UINT64_C(1000000000)
/* clang-format off */
#define LONG_PATH "/tmp/a-name-of-many-letters-a-name-of-many-letters-a-name-of-many-letters"
/* clang-format on */

uint32_t
traffic_throw(struct traffic *t, uint32_t sides)
{
	t->dice = t->dice * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(t->dice >> 33) % sides;
}

struct event_text
traffic_text(const char *s)
{
	return (struct event_text){ (const uint8_t *)s, strlen(s) };
}

void
traffic_put(struct traffic *t, uint8_t type, struct ops_buf *body)
{
	assert_false(body->failed);
	build_record(t->b, t->stream, type, body->data, body->len);
	ops_buf_free(body);
}

const uint8_t *
traffic_any_session(struct traffic *t)
{
	static const uint8_t nobody[OPS_ID_LEN];
	uint32_t i = traffic_throw(t, t->sessions + 1);

	return i == t->sessions ? nobody : t->b->stream[t->session[i]].id;
}

/* Other sessions that show its terminal: none to three, one perhaps twice, or its
 * own, or one that nobody knows. */
static struct event_text
any_also(struct traffic *t, uint8_t room[static 3 * OPS_ID_LEN])
{
	uint32_t n = traffic_throw(t, 4);

	for (uint32_t i = 0; i < n; i++) {
		uint32_t which = traffic_throw(t, 7);

		if (which < 6)
			memcpy(room + (size_t)i * OPS_ID_LEN,
			    t->b->stream[t->session[which % 3]].id, OPS_ID_LEN);
		else
			memset(room + (size_t)i * OPS_ID_LEN, 0x77, OPS_ID_LEN);
	}
	return (
	    struct event_text){ n > 0 ? room : NULL, (size_t)n * OPS_ID_LEN };
}

void
traffic_exec(struct traffic *t, uint32_t i)
{
	uint8_t also[3 * OPS_ID_LEN];
	static const char *const exe[] = { "/usr/bin/a", "/usr/bin/b", "/opt/b",
		LONG_PATH, "" };
	static const char *const args[] = { "a", "b", "./run", "" };
	struct ops_buf body = { .max = RECORD_PAYLOAD_MAX };
	const char *arg = args[traffic_throw(t, 4)];
	struct program_exec e = { .pid = 10 + i,
		.ppid = 1,
		.uid = 1000 + traffic_throw(t, 2),
		.auid = traffic_throw(t, 3) == 0 ? EVENT_UNSET
						 : 1000 + traffic_throw(t, 3),
		.ses = traffic_throw(t, 3) == 0 ? EVENT_UNSET
						: 7 + traffic_throw(t, 3),
		.joined = traffic_throw(t, JOINED_INFERRED + 1),
		.flags = traffic_throw(t, 12) == 0 ? PROGRAM_SEEDED : 0,
		.tty = traffic_throw(t, 2) * (136u << 20 | 7),
		.comm = traffic_text("comm"),
		.exe = traffic_text(exe[traffic_throw(t, 5)]),
		.args = { (const uint8_t *)arg, strlen(arg) + 1 } };

	if (t->running[i].pid == 0 || traffic_throw(t, 3) == 0)
		t->running[i].start = t->b->now + 5000;
	t->running[i].pid = e.pid;
	e.euid = traffic_throw(t, 3) == 0 ? 0 : e.uid;
	e.start = t->running[i].start;
	e.args_len = e.args.n;
	if (traffic_throw(t, 4) == 0)
		e.filename = traffic_text("/bin/called");
	if (e.joined == JOINED_INFERRED)
		e.also = any_also(t, also);
	program_exec_put(&body, traffic_any_session(t), &e);
	traffic_put(t, REC_EXEC, &body);
	for (uint64_t at = e.args.n; traffic_throw(t, 5) == 0; at += 4) {
		struct program_args a = { e.pid, e.start, at,
			traffic_text("more") };

		program_args_put(&body, t->b->stream[t->session[0]].id, &a);
		traffic_put(t, REC_ARGS, &body);
	}
}

void
traffic_end(struct traffic *t, uint32_t i, bool who)
{
	struct ops_buf body = { .max = RECORD_PAYLOAD_MAX };
	struct program_ended e = { .pid = 10 + i,
		.start = t->running[i].start,
		.status = traffic_throw(t, 2) << 8,
		.has_who = who,
		.flags = !who                       ? 0
			 : traffic_throw(t, 2) == 0 ? PROGRAM_FORKED
						    : PROGRAM_UNSEEN,
		.joined = JOINED_TTY,
		.uid = 1000,
		.euid = 1000,
		.auid = EVENT_UNSET,
		.ses = EVENT_UNSET,
		.comm = traffic_text("forked") };

	if (traffic_throw(t, 6) == 0) { /* as another pid namespace names it */
		e.has_own = true;
		e.own = 10 + traffic_throw(t, TRAFFIC_RUNNING);
	}
	program_ended_put(&body, traffic_any_session(t), &e);
	traffic_put(t, REC_ENDED, &body);
	if (traffic_throw(t, 8) != 0) /* else it ends once more */
		t->running[i].pid = 0;
}

static void
do_other(struct traffic *t)
{
	struct ops_buf body = { .max = RECORD_PAYLOAD_MAX };
	struct program_failed f = { .pid = 30,
		.start = 3000,
		.error = 2,
		.uid = 1001,
		.auid = 1001,
		.comm = traffic_text("sh"),
		.name = traffic_text("/nowhere/b"),
		.has_where = true,
		.tty = traffic_throw(t, 2) * (136u << 20 | 7) };
	struct program_loss l = { .from = 1, .until = 2, .execs = 5 };

	if (traffic_throw(t, 4) == 0) {
		program_loss_put(&body, &l);
		traffic_put(t, REC_LOSS, &body);
	} else {
		program_failed_put(&body, traffic_any_session(t), &f);
		traffic_put(t, REC_FAILED, &body);
	}
}

/* What the kernel's accounting says; of few kinds, so that some are told twice.
 * In a session: it was imported. */
void
traffic_accounted(struct traffic *t, bool imported)
{
	struct ops_buf body = { .max = RECORD_PAYLOAD_MAX };
	uint64_t now = (t->b->now + t->b->wall) / SECOND;
	struct program_accounted a = { .pid = 10 +
					      traffic_throw(t, TRAFFIC_RUNNING),
		.uid = 1000 + traffic_throw(t, 3),
		.gid = 1000,
		.status = traffic_throw(t, 2) << 8,
		.began = imported || traffic_throw(t, 3) != 0
			     ? now - traffic_throw(t, 3)
			     : 7 + traffic_throw(t, 2),
		.elapsed = traffic_throw(t, 3) * SECOND,
		.flags = traffic_throw(t, 3) == 0 ? ACCT_FORKED : 0,
		.tty = traffic_throw(t, 2) * (136u << 20 | 7),
		.unsure = traffic_throw(t, 3) != 0,
		.comm = traffic_text(traffic_throw(t, 2) == 0 ? "a" : "acct") };

	if (!imported) {
		program_accounted_put(&body, &a);
		traffic_put(t, REC_ACCOUNTED, &body);
		return;
	}
	program_imported_put(&body,
	    t->b->stream[t->session[traffic_throw(t, t->sessions)]].id, &a);
	assert_false(body.failed);
	if (t->imports == TRAFFIC_NO_STREAM)
		t->imports = build_stream(t->b, CLASS_PROGRAMS);
	build_record(t->b, t->imports, REC_ACCOUNTED, body.data, body.len);
	ops_buf_free(&body);
}

static void
do_coverage(struct traffic *t)
{
	struct ops_buf body = { .max = RECORD_PAYLOAD_MAX };
	struct program_coverage c = { .from = t->b->now - 1,
		.until = t->b->now,
		.captured = traffic_throw(t, 9),
		.accounted = traffic_throw(t, 9) };

	program_coverage_put(&body, &c);
	traffic_put(t, REC_COVERAGE, &body);
}

static void
do_capture(struct traffic *t, enum capture_what what)
{
	struct ops_buf body = { .max = RECORD_PAYLOAD_MAX };
	struct program_capture c = { .what = what,
		.pid = 100 + traffic_throw(t, 3),
		.how =
		    traffic_text(traffic_throw(t, 4) == 0 ? "acct" : "tp_btf"),
		.goes_on = what == CAPTURE_BEGAN && traffic_throw(t, 4) == 0 };

	program_capture_put(&body, &c);
	traffic_put(t, REC_CAPTURE, &body);
}

void
traffic_capture(struct traffic *t, uint32_t pid)
{
	struct ops_buf body = { .max = RECORD_PAYLOAD_MAX };
	const struct program_capture c = {
		.what = CAPTURE_BEGAN, .pid = pid, .how = traffic_text("tp_btf")
	};

	program_capture_put(&body, &c);
	traffic_put(t, REC_CAPTURE, &body);
}

/* What is of no single program, or of another source. */
static void
do_source(struct traffic *t)
{
	switch (traffic_throw(t, 8)) {
	case 0:
		do_coverage(t);
		break;
	case 1:
		do_capture(t, CAPTURE_BEGAN);
		break;
	case 2:
		do_capture(t,
		    traffic_throw(t, 2) == 0 ? CAPTURE_ENDED : CAPTURE_BEGAN);
		break;
	case 3:
		traffic_accounted(t, true);
		break;
	default:
		traffic_accounted(t, false);
		break;
	}
}

/* Another run of capture, in a t->stream of its own. */
void
traffic_next_run(struct traffic *t)
{
	build_seal(t->b, false, false);
	t->stream = build_stream(t->b, CLASS_PROGRAMS);
	do_capture(t, CAPTURE_BEGAN);
}

void
traffic_next_boot(struct traffic *t)
{
	build_seal(t->b, true, false);
	t->b->boot_id[0]++;
	t->b->wall += t->b->now;
	t->b->now = SECOND;
	t->b->until_sealed = 0;
	build_boot(t->b, BOOT_CLEAN, NULL);
	build_seal(t->b, false, false);
	build_login(t->b, 7, "ann");
	build_login(t->b, 8, "bob");
	build_login(t->b, 9, NULL);
	t->stream = build_stream(t->b, CLASS_PROGRAMS);
	t->imports = TRAFFIC_NO_STREAM;
}

void
traffic_happen(struct traffic *t, int n)
{
	for (int j = 0; j < n; j++) {
		uint32_t what = traffic_throw(t, 12),
			 i = traffic_throw(t, TRAFFIC_RUNNING);

		t->b->now += traffic_throw(t, 3) * 1000000;
		if (traffic_throw(t, 60) == 0)
			t->b->now += 3 * SECOND;
		if (what >= 10)
			do_source(t);
		else if (what < 5)
			traffic_exec(t, i);
		else if (what < 9)
			traffic_end(t, i, traffic_throw(t, 4) == 0);
		else
			do_other(t);
	}
}

void
traffic_grow(struct traffic *t, int periods)
{
	for (int i = 0; i < periods; i++) {
		traffic_happen(t, 25);
		build_seal(t->b, false, false);
	}
	traffic_happen(t, 10);
	build_sync(t->b);
}

void
traffic_open_session(struct traffic *t, uint32_t ses)
{
	size_t i = t->session[t->sessions++] = build_stream(t->b, CLASS_SCREEN);

	t->b->ses = ses;
	build_open(t->b, i, 1000 + t->sessions % 3, "alice", "pts/3", NULL);
}
