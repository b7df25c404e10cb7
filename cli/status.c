/* opseal status - what is recorded now, and how well. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "cli.h"
#include "coverage.h"
#include "describe.h"
#include "growth.h"
#include "metrics.h"
#include "record/login.h"
#include "source.h"
#include "store/expire.h"

#define OUT_MAX (1u << 20)

/* 0: there is none. */
static void
put_json_time(struct json *j, const char *key, uint64_t time, bool utc)
{
	char text[OPS_TIME_TEXT];

	json_key(j, key);
	if (time != 0)
		ops_time_rfc3339(time, utc, text);
	json_str(j, time != 0 ? text : NULL);
}

/* 0 is: no such rule. */
static void
put_json_retention(struct json *j, const struct proto_status *s, bool utc)
{
	json_key(j, "keep_screens");
	json_seconds(j, s->keep_screens);
	json_key(j, "keep_events");
	json_seconds(j, s->keep_events);
	json_key(j, "max_size");
	json_uint(j, s->max_size);
	json_key(j, "keep_free");
	json_uint(j, s->keep_free);
	json_key(j, "kept_bytes");
	json_uint(j, s->kept_bytes);
	json_key(j, "leaves_bytes");
	json_uint(j, s->leaves_bytes);
	put_json_time(j, "oldest_screen", s->oldest_screen, utc);
	put_json_time(j, "oldest_event", s->oldest_event, utc);
	json_key(j, "expired_frames");
	json_uint(j, s->expired);
	put_json_time(j, "expired_at", s->expired_at, utc);
	describe_json_text(j, "expired_by", &s->expired_by);
	describe_json_text(j, "expiry_trouble", &s->expiry_trouble);
}

/* Of who asks. */
static void
put_json_self(struct json *j, const struct proto_status *s, bool utc)
{
	char id[OPS_ID_TEXT_LEN + 1];
	bool has = !ops_all_zero(s->session, OPS_ID_LEN);

	describe_json_text(j, "you", &s->you);
	describe_json_text(j, "person", &s->person);
	json_key(j, "person_how");
	json_str(j, login_how_name(s->person_how));
	if (has)
		ops_id_text(s->session, id);
	json_key(j, "session");
	json_str(j, has ? id : NULL);
	put_json_time(j, "session_start", s->session_start, utc);
	json_key(j, "reads_all");
	json_bool(j, s->reads_all);
	describe_json_text(j, "readers", &s->readers);
}

static const char *
limit_name(uint32_t which)
{
	return which == 0 ? "screen_rate" : which == 1 ? "screen_day" : "?";
}

static void
put_json_limits(struct json *j, const struct proto_status *s)
{
	struct proto_limited l;

	json_key(j, "screen_rate");
	json_uint(j, s->screen_rate);
	json_key(j, "screen_day");
	json_uint(j, s->screen_day);
	json_key(j, "limit_lost");
	json_uint(j, s->limit_bytes);
	json_key(j, "limited");
	json_uint(j, s->limited);
	json_key(j, "limited_users");
	json_begin_array(j);
	for (size_t i = 0; proto_limited_get(s->limited_users, i, &l); i++) {
		json_begin_object(j);
		json_key(j, "uid");
		json_uint(j, l.uid);
		json_key(j, "limit");
		json_str(j, limit_name(l.which));
		json_key(j, "used");
		json_uint(j, l.used);
		json_key(j, "allowed");
		json_uint(j, l.size);
		json_end_object(j);
	}
	json_end_array(j);
}

static void
put_json(const struct proto_status *s, bool utc, struct ops_buf *out)
{
	const struct {
		const char *key;
		uint64_t value;
	} numbers[] = {
		{ "sessions", s->sessions },
		{ "records", s->records },
		{ "lost", s->lost },
		{ "unsealed", s->unsealed },
		{ "sealed_size", s->sealed_size },
		{ "log", s->log },
		{ "bytes", s->bytes },
		{ "stored", s->stored },
		{ "space_free", s->space },
	};
	const struct {
		const char *key;
		double ns;
	} times[] = {
		{ "durable_p50_ms", (double)s->durable_p50 },
		{ "durable_p99_ms", (double)s->durable_p99 },
		{ "sealed_p50_ms", (double)s->sealed_p50 },
		{ "sealed_p99_ms", (double)s->sealed_p99 },
	};
	struct json j = { .out = out };

	json_begin_object(&j);
	json_key(&j, "state");
	json_str(&j, s->off_since != 0 ? "off"
		     : !s->ok          ? "failed"
		     : s->no_screens   ? "no_screens"
				       : "ok");
	describe_json_text(&j, "reason", &s->reason);
	put_json_time(&j, "since", s->ok ? 0 : s->since, utc);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		json_key(&j, numbers[i].key);
		json_uint(&j, numbers[i].value);
	}
	json_key(&j, "lag");
	json_seconds(&j, s->lag);
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		json_key(&j, times[i].key);
		json_uint(&j, (uint64_t)(times[i].ns / 1e6));
		/* json has no floats: the fraction is put behind by hand. */
		ops_buf_printf(
		    out, ".%06" PRIu64, (uint64_t)times[i].ns % 1000000);
	}
	put_json_time(&j, "off_since", s->off_since, utc);
	describe_json_text(&j, "off_by", &s->off_by);
	describe_json_text(&j, "off_reason", &s->off_reason);
	json_key(&j, "off_sessions");
	json_uint(&j, s->off_sessions);
	describe_json_text(&j, "switch_fault", &s->switch_fault);
	describe_json_text(&j, "not_shut_in", &s->not_shut_in);
	json_key(&j, "sources");
	json_begin_array(&j);
	json_str(&j, "sessions");
	if (s->capture == CAPTURE_ON)
		json_str(&j, "programs");
	json_end_array(&j);
	describe_json_text(&j, "capture", &s->capture_text);
	json_key(&j, "capture_lost");
	json_uint(&j, s->capture_lost);
	put_json_retention(&j, s, utc);
	put_json_self(&j, s, utc);
	put_json_limits(&j, s);
	describe_json_text(&j, "origin", &s->origin);
	describe_json_text(&j, "anchor", &s->anchor);
	describe_json_text(&j, "store", &s->store);
	describe_json_text(&j, "version", &s->version);
	put_json_time(&j, "started", s->started, utc);
	put_json_time(&j, "anchored", s->anchored, utc);
	put_json_time(&j, "config_read", s->config_read, utc);
	describe_json_text(&j, "config_hash", &s->config_hash);
	describe_json_text(&j, "config_fault", &s->config_fault);
	put_json_time(&j, "config_fault_since", s->config_fault_time, utc);
	json_end_object(&j);
	ops_buf_put8(out, '\n');
}

static void
line(struct ops_buf *out, const char *name)
{
	ops_buf_printf(out, "%-10s  ", name);
}

static void
put_state(const struct proto_status *s, bool utc, struct ops_buf *out)
{
	char text[OPS_TIME_TEXT];

	line(out, "state");
	if (s->off_since != 0) {
		ops_time_short(s->off_since, utc, text);
		ops_buf_printf(
		    out, "OFF since %s: NOTHING is recorded. By ", text);
		describe_text(out, &s->off_by);
		ops_buf_puts(out, ": ");
		describe_text(out, &s->off_reason);
		ops_buf_puts(out, "\n");
		line(out, "");
		describe_count(out, s->off_sessions, "session");
		ops_buf_puts(
		    out, " began unrecorded since; opseal on records again\n");
		if (s->ok)
			return;
		line(out, "");
	}
	if (s->ok && s->no_screens) {
		ops_buf_puts(out,
		    "NO SCREENS: the disk is nearly full, what is left of it "
		    "is for events and programs\n");
		return;
	}
	if (s->ok) {
		ops_buf_puts(out, "ok: what happens is recorded\n");
		return;
	}
	ops_time_short(s->since, utc, text);
	ops_buf_printf(
	    out, "FAILED since %s: the log can't be written: ", text);
	describe_text(out, &s->reason);
	ops_buf_puts(out, "\n");
}

/* What somebody could use, or does already. */
static void
put_warnings(const struct proto_status *s, struct ops_buf *out)
{
	const struct {
		const char *name;
		const struct event_text *text;
	} rows[] = {
		{ "SWITCH", &s->switch_fault },
		{ "SANDBOX", &s->not_shut_in },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].text->p == NULL)
			continue;
		line(out, rows[i].name);
		describe_text(out, rows[i].text);
		ops_buf_puts(out, "\n");
	}
}

static void
put_latency(const struct proto_status *s, struct ops_buf *out)
{
	line(out, "latency");
	ops_buf_printf(out,
	    "durable %.1f ms (p99 %.1f ms), sealed %.0f ms (p99 %.0f ms)\n",
	    (double)s->durable_p50 / 1e6, (double)s->durable_p99 / 1e6,
	    (double)s->sealed_p50 / 1e6, (double)s->sealed_p99 / 1e6);
}

static void
put_store(const struct proto_status *s, struct ops_buf *out)
{
	char stored[24], space[24];

	describe_bytes(s->stored, stored);
	describe_bytes(s->space, space);
	line(out, "store");
	describe_text(out, &s->store);
	ops_buf_printf(out, ", log %" PRIu32 "\n", s->log);
	line(out, "disk");
	ops_buf_printf(
	    out, "%s stored since the start, %s free\n", stored, space);
	line(out, "origin");
	describe_text(out, &s->origin);
	ops_buf_puts(out, "\n");
	line(out, "anchor");
	if (s->anchor.p == NULL)
		ops_buf_puts(out, "none: no checkpoint was kept elsewhere");
	else
		describe_text(out, &s->anchor);
	ops_buf_puts(out, "\n");
}

static void
put_rules(const struct proto_status *s, struct ops_buf *out)
{
	const struct {
		uint32_t why;
		uint64_t limit;
	} rules[] = {
		{ TOMBSTONE_SCREENS, s->keep_screens },
		{ TOMBSTONE_EVENTS, s->keep_events },
		{ TOMBSTONE_SIZE, s->max_size },
		{ TOMBSTONE_FREE, s->keep_free },
	};
	char text[EXPIRE_TEXT];
	bool any = false;

	line(out, "kept");
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		if (rules[i].limit == 0)
			continue;
		expire_rule_text(rules[i].why, rules[i].limit, text);
		ops_buf_printf(out, "%s%s", any ? ", " : "", text);
		any = true;
	}
	ops_buf_puts(out, any ? "\n" : "for ever: no rule is set\n");
}

static void
put_retention(const struct proto_status *s, bool utc, struct ops_buf *out)
{
	char text[OPS_TIME_TEXT];

	put_rules(s, out);
	if (s->oldest_screen != 0 || s->oldest_event != 0) {
		line(out, "oldest");
		ops_time_short(s->oldest_screen, utc, text);
		ops_buf_printf(
		    out, "screen %s, ", s->oldest_screen != 0 ? text : "-");
		ops_time_short(s->oldest_event, utc, text);
		ops_buf_printf(
		    out, "event %s\n", s->oldest_event != 0 ? text : "-");
	}
	if (s->expired_at != 0) {
		line(out, "expired");
		describe_count(out, s->expired, "frame");
		ops_time_short(s->expired_at, utc, text);
		ops_buf_printf(out, ", the last on %s by ", text);
		describe_text(out, &s->expired_by);
		ops_buf_puts(out, "\n");
	}
	if (s->expiry_trouble.p != NULL) {
		line(out, "EXPIRY");
		describe_text(out, &s->expiry_trouble);
		ops_buf_puts(out, "\n");
	}
}

static void
put_limits(const struct proto_status *s, struct ops_buf *out)
{
	struct proto_limited l;
	char used[24], size[24];

	line(out, "limits");
	if (s->screen_day == 0 && s->screen_rate == 0) {
		ops_buf_puts(out, "none: a user's screens may fill the disk\n");
		return;
	}
	describe_bytes(s->screen_day, size);
	if (s->screen_day != 0)
		ops_buf_printf(out, "%s of screens a user and day", size);
	describe_bytes(s->screen_rate, size);
	if (s->screen_rate != 0)
		ops_buf_printf(out, "%s%s a second",
		    s->screen_day != 0 ? ", " : "a user's screens: ", size);
	ops_buf_puts(out, "\n");
	for (size_t i = 0; proto_limited_get(s->limited_users, i, &l); i++) {
		line(out, "LIMITED");
		describe_bytes(l.used, used);
		describe_bytes(l.size, size);
		ops_buf_printf(out,
		    "user %" PRIu32 ", by %s: %s of %s; what is shown is not "
		    "kept\n",
		    l.uid, limit_name(l.which), used, size);
	}
	if (s->limited > PROTO_LIMITED_MAX) {
		line(out, "");
		describe_count(
		    out, s->limited - PROTO_LIMITED_MAX, "more user");
		ops_buf_puts(out, "\n");
	}
}

static void
put_capture(const struct proto_status *s, struct ops_buf *out)
{
	line(out, "programs");
	if (s->capture != CAPTURE_ON)
		ops_buf_puts(out, "NOT captured: ");
	else
		ops_buf_puts(out, "captured (");
	describe_text(out, &s->capture_text);
	if (s->capture == CAPTURE_ON)
		ops_buf_printf(out, "), %" PRIu64 " lost", s->capture_lost);
	ops_buf_puts(out, "\n");
}

static void
put_config(const struct proto_status *s, bool utc, struct ops_buf *out)
{
	char text[OPS_TIME_TEXT];

	ops_time_short(s->config_read, utc, text);
	line(out, "config");
	ops_buf_printf(out, "as of %s\n", text);
	if (s->config_fault.p == NULL)
		return;
	ops_time_short(s->config_fault_time, utc, text);
	line(out, "");
	ops_buf_printf(out, "NOT in force since %s: ", text);
	describe_text(out, &s->config_fault);
	ops_buf_puts(out, "\n");
}

/* "until 2027-02-26", of what began then. */
static void
put_until(uint64_t begin, uint64_t keep, const char *what, bool utc,
    struct ops_buf *out)
{
	char text[OPS_TIME_TEXT];

	if (keep == 0) {
		ops_buf_printf(out, "%s: no rule ends it", what);
		return;
	}
	ops_time_short(begin + keep, utc, text);
	ops_buf_printf(out, "%s until %.10s", what, text);
}

static void
put_session(const struct proto_status *s, bool utc, struct ops_buf *out)
{
	char id[OPS_ID_TEXT_LEN + 1], text[OPS_TIME_TEXT];

	line(out, "session");
	if (ops_all_zero(s->session, OPS_ID_LEN)) {
		ops_buf_puts(out, "none: what is done here is NOT recorded\n");
		return;
	}
	ops_id_text(s->session, id);
	ops_time_short(s->session_start, utc, text);
	ops_buf_printf(out, "%s, since %s\n", id, text);
	line(out, "");
	put_until(s->session_start, s->keep_screens, "its screens are kept",
	    utc, out);
	ops_buf_puts(out, "; ");
	put_until(s->session_start, s->keep_events, "its programs", utc, out);
	ops_buf_puts(out, "\n");
}

/* As whom an ordinary user is recorded, until when, and who reads it. */
static void
put_self(const struct proto_status *s, bool utc, struct ops_buf *out)
{
	static const char *const marks[LOGIN_HOWS] = {
		[LOGIN_MAP] = " (root's list of people says so)",
		[LOGIN_COMMENT] = " (claimed: the key's comment)",
		[LOGIN_FINGERPRINT] = " (only the key is known)",
	};

	line(out, "you");
	ops_buf_puts(out, "recorded as ");
	describe_text(out, &s->you);
	if (s->person.p != NULL) {
		ops_buf_puts(out, ", person ");
		describe_text(out, &s->person);
		if (s->person_how < LOGIN_HOWS && marks[s->person_how] != NULL)
			ops_buf_puts(out, marks[s->person_how]);
	}
	ops_buf_puts(out, "\n");
	put_session(s, utc, out);
	line(out, "read by");
	ops_buf_puts(out, "you, ");
	describe_text(out, &s->readers);
	ops_buf_puts(out, "\n");
}

static void
put_text(const struct proto_status *s, bool utc, struct ops_buf *out)
{
	char bytes[24], started[OPS_TIME_TEXT];

	put_state(s, utc, out);
	put_warnings(s, out);
	if (!s->reads_all && s->you.p != NULL)
		put_self(s, utc, out);
	describe_bytes(s->bytes, bytes);
	ops_time_short(s->started, utc, started);
	line(out, "sessions");
	ops_buf_printf(out, "%" PRIu64 " recorded now\n", s->sessions);
	put_capture(s, out);
	line(out, "records");
	ops_buf_printf(
	    out, "%" PRIu64 " (%s) since %s\n", s->records, bytes, started);
	line(out, "lost");
	ops_buf_printf(out, "%" PRIu64 " byte%s shown but not recorded\n",
	    s->lost, s->lost == 1 ? "" : "s");
	line(out, "sealed");
	ops_buf_printf(out, "tree of %" PRIu64 "; ", s->sealed_size);
	describe_count(out, s->unsealed, "record");
	ops_buf_printf(out, " not yet, lag %.1f s\n", (double)s->lag / 1e9);
	put_latency(s, out);
	put_store(s, out);
	put_retention(s, utc, out);
	put_limits(s, out);
	put_config(s, utc, out);
}

/* Who may read the store sees how much each day took; others have what the daemon
 * counted. */
static void
put_metrics(const struct proto_status *s, struct ops_buf *out)
{
	struct metrics m = { 0 };
	char store[PROTO_PATH_MAX + 1] = "";
	struct ops_clock now;

	ops_clock_read(&now);
	m.now = now.realtime;
	if (s->store.p != NULL && s->store.n <= PROTO_PATH_MAX)
		memcpy(store, s->store.p, s->store.n);
	m.has_growth = growth_of_store(store, m.now, &m.per_day) ||
		       growth_since(s->started, s->stored, m.now, &m.per_day);
	metrics_put(out, s, &m);
}

int
cmd_status(struct cli *cli, const void *opts, int argc, char **argv)
{
	const struct status_opts *o = opts;
	struct ops_buf answer = { .max = OUT_MAX }, out = { .max = OUT_MAX };
	struct proto_status s;
	struct ops_err err = { 0 };
	int status = CLI_FINE;

	(void)argc, (void)argv;
	if (o->metrics && (o->coverage || o->json)) {
		ops_fail(&err, OPS_EUSAGE,
		    "--metrics is a format of its own, without --json and "
		    "--coverage");
		return cli_fail(cli, &err);
	}
	if (o->coverage)
		return coverage_status(cli, o);
	if (o->since != 0 || o->until != 0) {
		ops_fail(&err, OPS_EUSAGE,
		    "--since and --until go with --coverage: status is of now");
		return cli_fail(cli, &err);
	}
	if (source_status(cli->source, &answer, &s, &err) < 0) {
		status = cli_fail(cli, &err);
	} else {
		if (o->metrics)
			put_metrics(&s, &out);
		else if (o->json)
			put_json(&s, cli->global.utc, &out);
		else
			put_text(&s, cli->global.utc, &out);
		cli_put(&out);
		if (s.off_since != 0) {
			cli_note(cli, "recording is switched off: opseal on");
			status = CLI_TROUBLE;
		} else if (!s.ok) {
			cli_note(cli, "the log can't be written: %.*s",
			    (int)s.reason.n, (const char *)s.reason.p);
			status = CLI_TROUBLE;
		} else if (s.no_screens) {
			cli_note(cli, "the disk is nearly full: screens are "
				      "not recorded");
			status = CLI_TROUBLE;
		}
	}
	ops_buf_free(&answer);
	ops_buf_free(&out);
	return status;
}
