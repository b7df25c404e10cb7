/* How much of each user's screens is recorded: quota.h, for the writer role. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

#include "alert.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "record/event.h"
#include "writer_peer.h"

#define SECOND UINT64_C(1000000000)
#define FREE_PART 4  /* of what is free and not reserved: a user's, a day */
#define SIZE_PART 16 /* and of max_size */
#define FREE_LEAST (UINT64_C(16) << 20) /* however little that is */
#define NAME_LEN 24                     /* of "user 1000" */

static const char *const names[QUOTA_KINDS] = {
	[QUOTA_RATE] = "screen_rate",
	[QUOTA_DAY] = "screen_day",
};

/* What screen_day is, where it isn't set: so that the more is taken, the less may
 * be. */
static uint64_t
part_of_free(const struct writer_role *r)
{
	uint64_t max = r->role->config.max_size, space, part = 0;

	if (vfs_space(r->vfs, &space, NULL) < 0)
		return r->quota.size[QUOTA_DAY];
	if (space > r->reserve)
		part = (space - r->reserve) / FREE_PART;
	if (max != 0 && part > max / SIZE_PART)
		part = max / SIZE_PART;
	return part > FREE_LEAST ? part : FREE_LEAST;
}

static void
look_at_free(struct writer_role *r, uint64_t now)
{
	if (!r->limit_by_free || now - r->limit_looked < SECOND)
		return;
	r->limit_looked = now;
	quota_set(&r->quota, r->role->config.screen_rate, part_of_free(r));
}

int
quota_start(struct writer_role *r, struct ops_err *err)
{
	const struct config *c = &r->role->config;
	struct statvfs fs;
	uint64_t day = 0;

	r->limit_by_free = c->screen_day[0] == '\0';
	r->limit_looked = ops_boottime();
	if (r->limit_by_free) {
		day = part_of_free(r);
	} else {
		if (statvfs(r->role->store, &fs) < 0)
			return ops_fail_errno(err, "%s", r->role->store);
		if (retention_free_parse(c->screen_day,
			(uint64_t)fs.f_blocks * fs.f_frsize, &day, err) < 0)
			return -1;
	}
	quota_set(&r->quota, c->screen_rate, day);
	/* Who is below it now is told so at the next tick. */
	return 0;
}

bool
quota_hold(const struct peer *p)
{
	return p->state == PEER_RECORDER && !p->imports &&
	       p->charge != EVENT_UNSET && quota_over(&p->r->quota, p->charge);
}

static void
tell_recorders(struct writer_role *r, const struct quota_user *u)
{
	for (struct peer *p = r->peers; p != NULL; p = p->next)
		if (p->state == PEER_RECORDER && p->charge != EVENT_UNSET &&
		    quota_is(&r->quota, u, p->charge)) {
			p->state_due = true;
			recorder_flush(p);
		}
}

/* "user 1000". */
static const char *
name_of(const struct quota_user *u, char out[static NAME_LEN])
{
	if (u->uid == QUOTA_REST)
		return "who isn't among the users that are counted apart";
	(void)snprintf(out, NAME_LEN, "user %" PRIu32, u->uid);
	return out;
}

static void
tell_somebody(const struct writer_role *r, struct quota_user *u, uint64_t now)
{
	char name[NAME_LEN];

	if (u->told != 0 && now - u->told < QUOTA_TOLD)
		return;
	u->told = now;
	u->say_end = true;
	alert_tell(ALERT_LIMIT, NULL, u->bucket[u->which].used,
	    "%s has reached %s: more than %" PRIu64
	    " bytes of screens in a %s; what is shown from here on is "
	    "counted and not kept",
	    name_of(u, name), names[u->which], r->quota.size[u->which],
	    u->which == QUOTA_DAY ? "day" : "minute");
}

void
quota_took(struct peer *p, size_t n)
{
	struct writer_role *r = p->r;
	uint64_t now = ops_boottime();
	struct quota_user *u;

	/* What comes before it is known whose it is, is little. */
	if (p->state != PEER_RECORDER || p->imports || p->charge == EVENT_UNSET)
		return;
	look_at_free(r, now);
	u = quota_count(&r->quota, p->charge, now, n);
	if (u == NULL)
		return;
	tell_somebody(r, u, now);
	tell_recorders(r, u);
	loop_timer_set(r->limit_tick.fd, SECOND, SECOND);
}

static void
eased(void *arg, struct quota_user *u)
{
	struct writer_role *r = arg;
	char name[NAME_LEN];

	if (u->say_end)
		logline("%s is below %s again: screens are kept",
		    name_of(u, name), names[u->which]);
	u->say_end = false;
	tell_recorders(r, u);
}

void
quota_tick(struct writer_role *r)
{
	uint64_t now = ops_boottime();

	look_at_free(r, now);
	quota_pass(&r->quota, now, eased, r);
	if (r->quota.n_over == 0)
		loop_timer_set(r->limit_tick.fd, 0, 0);
	peers_free_dead(r);
}

void
quota_status(
    struct writer_role *r, struct proto_status *s, struct ops_buf *list)
{
	const struct quota *l = &r->quota;
	size_t n = 0;

	s->screen_rate = r->role->config.screen_rate;
	s->screen_day = l->size[QUOTA_DAY];
	s->limited = l->n_over;
	s->limit_bytes = r->limit_bytes;
	for (size_t i = 0; i < l->n && n < PROTO_LIMITED_MAX; i++) {
		const struct quota_user *u = &l->user[i];
		const struct proto_limited p = { .uid = u->uid,
			.which = u->which,
			.used = u->bucket[u->which].used,
			.size = l->size[u->which] };

		if (!u->over)
			continue;
		proto_limited_put(list, &p);
		n++;
	}
	if (n > 0)
		s->limited_users = (struct event_text){ list->data, list->len };
}
