#include "metrics.h"

#include <inttypes.h>
#include <string.h>

#define NS UINT64_C(1000000000)

/* The lines before the samples.  unit: NULL or what the name ends with. */
static void
head(struct ops_buf *out, const char *name, const char *type, const char *unit,
    const char *help)
{
	ops_buf_printf(out, "# TYPE opseal_%s %s\n", name, type);
	if (unit != NULL)
		ops_buf_printf(out, "# UNIT opseal_%s %s\n", name, unit);
	ops_buf_printf(out, "# HELP opseal_%s %s\n", name, help);
}

static void
gauge(struct ops_buf *out, const char *name, const char *unit, uint64_t value,
    const char *help)
{
	head(out, name, "gauge", unit, help);
	ops_buf_printf(out, "opseal_%s %" PRIu64 "\n", name, value);
}

static void
put_seconds(struct ops_buf *out, uint64_t ns)
{
	ops_buf_printf(out, "%" PRIu64 ".%09" PRIu64 "\n", ns / NS, ns % NS);
}

static void
seconds(struct ops_buf *out, const char *name, uint64_t ns, const char *help)
{
	head(out, name, "gauge", "seconds", help);
	ops_buf_printf(out, "opseal_%s ", name);
	put_seconds(out, ns);
}

/* Counted since the daemon's start. */
static void
counter(struct ops_buf *out, const struct proto_status *s, const char *name,
    const char *unit, uint64_t value, const char *help)
{
	head(out, name, "counter", unit, help);
	ops_buf_printf(out, "opseal_%s_total %" PRIu64 "\n", name, value);
	ops_buf_printf(out, "opseal_%s_created ", name);
	put_seconds(out, s->started);
}

static void
quantiles(struct ops_buf *out, const char *name, uint64_t p50, uint64_t p99,
    const char *help)
{
	head(out, name, "summary", "seconds", help);
	ops_buf_printf(out, "opseal_%s{quantile=\"0.5\"} ", name);
	put_seconds(out, p50);
	ops_buf_printf(out, "opseal_%s{quantile=\"0.99\"} ", name);
	put_seconds(out, p99);
}

static void
put_label(struct ops_buf *out, const char *name, const struct event_text *t)
{
	ops_buf_printf(out, "%s=\"", name);
	for (size_t i = 0; i < (t->p != NULL ? t->n : 0); i++) {
		uint8_t c = t->p[i];

		/* They are the daemon's own words: plain ASCII. */
		if (c == '"' || c == '\\')
			ops_buf_put8(out, '\\');
		ops_buf_put8(out, c < ' ' || c > '~' ? '?' : c);
	}
	ops_buf_put8(out, '"');
}

static void
put_info(struct ops_buf *out, const struct proto_status *s)
{
	head(out, "build", "info", NULL, "The daemon and its log.");
	ops_buf_puts(out, "opseal_build_info{");
	put_label(out, "version", &s->version);
	ops_buf_put8(out, ',');
	put_label(out, "origin", &s->origin);
	ops_buf_puts(out, "} 1\n");
}

static void
put_disk(
    struct ops_buf *out, const struct proto_status *s, const struct metrics *m)
{
	gauge(out, "space_free_bytes", "bytes", s->space,
	    "Free where the store is.");
	if (!m->has_growth)
		return;
	gauge(out, "growth_per_day_bytes", "bytes", m->per_day,
	    "What the store grew by a day, over the last days.");
	if (m->per_day == 0)
		return;
	head(out, "space_left_days", "gauge", "days",
	    "Days until the disk is full, if it grows on like this.");
	ops_buf_printf(out, "opseal_space_left_days %.1f\n",
	    (double)s->space / (double)m->per_day);
}

/* Which users, and by which limit. */
static void
put_limited(struct ops_buf *out, const struct proto_status *s)
{
	struct proto_limited l;

	gauge(out, "limited_users", NULL, s->limited,
	    "Users whose screens are not kept, as they have had their share.");
	if (s->limited_users.p == NULL)
		return;
	head(out, "limited", "gauge", NULL, "1: this user, by this limit.");
	for (size_t i = 0; proto_limited_get(s->limited_users, i, &l); i++)
		ops_buf_printf(out,
		    "opseal_limited{uid=\"%" PRIu32 "\",limit=\"%s\"} 1\n",
		    l.uid, l.which == 0 ? "screen_rate" : "screen_day");
}

static void
put_age(struct ops_buf *out, const struct metrics *m, const char *name,
    uint64_t time, const char *help)
{
	if (time != 0)
		seconds(out, name, m->now > time ? m->now - time : 0, help);
}

static void
put_retention(
    struct ops_buf *out, const struct proto_status *s, const struct metrics *m)
{
	gauge(out, "screens_left_out", NULL, s->no_screens,
	    "1: the disk is nearly full, only events are recorded.");
	put_limited(out, s);
	gauge(out, "expired_frames", "frames", s->expired,
	    "Removed by rules on how long what is kept, ever.");
	gauge(out, "retention_trouble", NULL, s->expiry_trouble.p != NULL,
	    "1: less is removed than the rules say.");
	put_age(out, m, "oldest_screen_age_seconds", s->oldest_screen,
	    "Age of the oldest screen that is kept.");
	put_age(out, m, "oldest_event_age_seconds", s->oldest_event,
	    "Age of the oldest event that is kept.");
}

static void
put_off(
    struct ops_buf *out, const struct proto_status *s, const struct metrics *m)
{
	gauge(out, "switched_off", NULL, s->off_since != 0,
	    "1: root has switched recording off.");
	put_age(out, m, "switched_off_age_seconds", s->off_since,
	    "Since then, if so.");
	gauge(out, "unrecorded_sessions", NULL, s->off_sessions,
	    "Sessions that began while it is off.");
}

void
metrics_put(
    struct ops_buf *out, const struct proto_status *s, const struct metrics *m)
{
	put_info(out, s);
	seconds(out, "start_time_seconds", s->started,
	    "When the daemon was started, since the epoch.");
	gauge(out, "recording", NULL, s->ok && s->off_since == 0,
	    "1: what happens is recorded; 0: the log can't be written, or it "
	    "is "
	    "switched off.");
	put_off(out, s, m);
	gauge(out, "capturing", NULL, s->capture == CAPTURE_ON,
	    "1: programs are captured.");
	gauge(out, "sessions", NULL, s->sessions, "Sessions recorded now.");
	counter(out, s, "records", NULL, s->records, "Records made durable.");
	counter(out, s, "recorded_bytes", "bytes", s->bytes,
	    "Of these records, before they are compressed.");
	counter(out, s, "stored_bytes", "bytes", s->stored,
	    "Written to the store.");
	counter(
	    out, s, "lost_bytes", "bytes", s->lost, "Shown but not recorded.");
	counter(out, s, "limit_lost_bytes", "bytes", s->limit_bytes,
	    "Of lost_bytes, those of users who have had their share.");
	counter(out, s, "lost_programs", NULL, s->capture_lost,
	    "Starts and ends of programs that capture lost.");
	gauge(out, "unsealed_records", "records", s->unsealed,
	    "Durable and not sealed yet.");
	gauge(out, "sealed_leaves", "leaves", s->sealed_size,
	    "Leaves under the newest checkpoint.");
	seconds(out, "lag_seconds", s->lag,
	    "How long the oldest record waits to be durable.");
	quantiles(out, "durable_seconds", s->durable_p50, s->durable_p99,
	    "From a record's arrival until it is on the disk.");
	quantiles(out, "sealed_seconds", s->sealed_p50, s->sealed_p99,
	    "From a record's arrival until it is sealed.");
	if (s->anchored != 0)
		seconds(out, "anchor_age_seconds",
		    m->now > s->anchored ? m->now - s->anchored : 0,
		    "Since a checkpoint was last kept elsewhere.");
	gauge(out, "config_refused", NULL, s->config_fault.p != NULL,
	    "1: the newest configuration is not in force.");
	put_disk(out, s, m);
	put_retention(out, s, m);
	ops_buf_puts(out, "# EOF\n");
}
