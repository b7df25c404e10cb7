/* The rules on how long what is kept, and what became of them. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/clock.h"
#include "logline.h"
#include "writer_role.h"

#define RESERVE (UINT64_C(64) << 20) /* or 1 % of a small disk */

struct retention {
	uint64_t told; /* removed files that the log speaks of */
	char trouble[300];
	char by[EXPIRE_TEXT];
};

int
retention_start(struct writer_role *r, struct ops_err *err)
{
	const struct config *c = &r->role->config;
	struct expire_rules rules = { .keep_screens = c->keep_screens,
		.keep_events = c->keep_events,
		.max_size = c->max_size,
		.at_least = c->keep_at_least };
	struct statvfs fs;
	uint64_t total;

	if (r->retention == NULL)
		r->retention = calloc(1, sizeof(*r->retention));
	if (r->retention == NULL)
		return ops_fail(err, OPS_ENOMEM, "out of memory");
	if (statvfs(r->role->store, &fs) < 0)
		return ops_fail_errno(err, "%s", r->role->store);
	total = (uint64_t)fs.f_blocks * fs.f_frsize;
	if (retention_free_parse(c->keep_free, total, &rules.keep_free, err) <
		0 ||
	    retention_free_parse(c->disk_reserve, total, &r->reserve, err) < 0)
		return -1;
	if (c->disk_reserve[0] == '\0')
		r->reserve = total / 100 < RESERVE ? total / 100 : RESERVE;
	writer_retention(r->w, &rules);
	return 0;
}

/* Why it does less than it should; "": it doesn't. */
static void
trouble_of(
    const struct writer_retention_status *s, bool failed, char *out, size_t n)
{
	out[0] = '\0';
	if (s->trouble[0] != '\0')
		snprintf(out, n, "%s", s->trouble);
	else if (s->damaged)
		snprintf(out, n,
		    "nothing is removed, as leaves of the log don't verify: "
		    "what is left is evidence");
	else if (s->over > 0)
		snprintf(out, n,
		    "the size limits are passed by %" PRIu64
		    " bytes, and all that is there is to be kept%s",
		    s->over, failed ? "" : " (keep_screens, keep_at_least)");
	else if (s->clock_waits && s->looked)
		snprintf(out, n,
		    "nothing is removed until the log was written for a day "
		    "without a jump of the clock");
}

void
retention_tell(struct writer_role *r)
{
	struct retention *t = r->retention;
	struct writer_retention_status s;
	char trouble[sizeof(t->trouble)], text[EXPIRE_TEXT];

	if (t == NULL)
		return;
	writer_retention_status(r->w, &s);
	trouble_of(&s, r->state != WRITER_OK, trouble, sizeof(trouble));
	if (strcmp(trouble, t->trouble) != 0 && trouble[0] != '\0')
		logline("retention: %s", trouble);
	memcpy(t->trouble, trouble, sizeof(t->trouble));
	if (s.removed > t->told && s.has_last) {
		expire_rule_text(s.last.why, s.last.limit, text);
		logline("retention: %" PRIu64 " files removed by %s",
		    s.removed - t->told, text);
		t->told = s.removed;
	}
}

void
retention_status(struct writer_role *r, struct proto_status *s)
{
	struct retention *t = r->retention;
	struct writer_retention_status w;

	if (t == NULL)
		return;
	writer_retention_status(r->w, &w);
	s->no_screens = r->no_screens;
	s->keep_screens = w.rules.keep_screens;
	s->keep_events = w.rules.keep_events;
	s->max_size = w.rules.max_size;
	s->keep_free = w.rules.keep_free;
	s->kept_bytes = w.bytes;
	s->leaves_bytes = w.leaves;
	s->oldest_screen = w.screens;
	s->oldest_event = w.events;
	s->expired = w.expired;
	if (w.has_last) {
		s->expired_at = w.last.realtime;
		expire_rule_text(w.last.why, w.last.limit, t->by);
		s->expired_by = (struct event_text){ (const uint8_t *)t->by,
			strlen(t->by) };
	}
	trouble_of(&w, r->state != WRITER_OK, t->trouble, sizeof(t->trouble));
	if (t->trouble[0] != '\0')
		s->expiry_trouble =
		    (struct event_text){ (const uint8_t *)t->trouble,
			    strlen(t->trouble) };
}

bool
reserve_look(struct writer_role *r)
{
	/* Not on and off with each file that goes. */
	uint64_t want = r->reserve + (r->no_screens ? r->reserve / 4 : 0);
	/* Asked for first: what is written meanwhile counts twice, not never. */
	uint64_t space, taken = writer_to_write(r->w);
	bool full = r->reserve != 0 && vfs_space(r->vfs, &space, NULL) == 0 &&
		    space < want + taken;

	r->reserve_took = 0;
	if (full == r->no_screens)
		return full;
	r->no_screens = full;
	logline(full ? "the disk is nearly full: screens are not recorded, so "
		       "that there is room for what happens"
		     : "the disk has room again: screens are recorded");
	peers_tell_state(r);
	return full;
}

void
reserve_took(struct writer_role *r, size_t n)
{
	r->reserve_took += n;
	if (r->reserve_took >= RESERVE_BYTES)
		reserve_look(r);
}
