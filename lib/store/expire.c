#include "expire.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "history.h"
#include "layout.h"

#define NS UINT64_C(1000000000)
#define DAY (86400 * NS)
#define LOOKS 3 /* while the writer goes on */
/* A log that is written has a SEAL each minute. */
#define QUIET_MAX (600 * NS)

bool
expire_rules_any(const struct expire_rules *r)
{
	return r->keep_screens != 0 || r->keep_events != 0 ||
	       r->max_size != 0 || r->keep_free != 0;
}

/* -- in words -- */

static void
put_duration(uint64_t ns, char *out, size_t n)
{
	static const struct {
		uint64_t ns;
		const char *name;
	} units[] = { { 86400 * NS, "d" }, { 3600 * NS, "h" },
		{ 60 * NS, "min" }, { NS, "s" }, { NS / 1000, "us" } };

	for (size_t i = 0; i < OPS_ARRAY_LEN(units); i++) {
		if (ns % units[i].ns == 0) {
			snprintf(out, n, "%" PRIu64 "%s", ns / units[i].ns,
			    units[i].name);
			return;
		}
	}
	snprintf(out, n, "%" PRIu64 "ns", ns);
}

static void
put_size(uint64_t bytes, char *out, size_t n)
{
	static const char units[] = "\0KMGT";
	size_t u = 0;

	while (u + 2 < sizeof(units) && bytes != 0 && bytes % 1024 == 0) {
		bytes /= 1024;
		u++;
	}
	snprintf(
	    out, n, u == 0 ? "%" PRIu64 : "%" PRIu64 "%c", bytes, units[u]);
}

void
expire_rule_text(uint32_t why, uint64_t limit, char out[static EXPIRE_TEXT])
{
	static const char *const names[TOMBSTONE_WHYS] = { NULL, "keep_screens",
		"keep_events", "max_size", "keep_free" };
	char value[32];

	if (why == 0 || why >= TOMBSTONE_WHYS) {
		snprintf(out, EXPIRE_TEXT, "a rule that is not named");
		return;
	}
	if (why == TOMBSTONE_SCREENS || why == TOMBSTONE_EVENTS)
		put_duration(limit, value, sizeof(value));
	else
		put_size(limit, value, sizeof(value));
	snprintf(out, EXPIRE_TEXT, "%s = %s", names[why], value);
}

void
expire_text(const struct leaf_tombstone *t, char out[static EXPIRE_TEXT])
{
	char day[11], rule[EXPIRE_TEXT];

	ops_time_day(t->realtime, day);
	expire_rule_text(t->why, t->limit, rule);
	snprintf(out, EXPIRE_TEXT, "%s by %.80s", day, rule);
}

/* -- is there anything? -- */

static uint64_t
keep_of(const struct expire_rules *r, uint8_t class)
{
	return class == CLASS_SCREEN ? r->keep_screens : r->keep_events;
}

/* Are there folders of days that have grown old since then?  What is kept for
 * days goes by whole days, a day late at most. */
static bool
class_due(struct vfs *v, uint8_t class, uint64_t keep, uint64_t realtime,
    uint64_t before)
{
	char dir[SEGMENT_PATH_MAX], limit[11], last[11] = "";
	struct vfs_names days;
	bool due;

	if (keep == 0 || keep >= realtime)
		return false;
	ops_time_day(realtime - keep, limit);
	if (before > keep)
		ops_time_day(before - keep, last);
	if (keep >= DAY && strcmp(last, limit) == 0)
		return false;
	snprintf(dir, sizeof(dir), "data/%s", stream_class_name(class));
	if (vfs_list(v, dir, &days, NULL) < 0)
		return false;
	/* Sorted: the first is the oldest. */
	due = days.n > 0 && strcmp(days.name[0], limit) < (keep < DAY ? 1 : 0);
	vfs_names_free(&days);
	return due;
}

bool
expire_due(struct vfs *v, const struct expire_rules *r, uint64_t realtime,
    uint64_t before)
{
	if (r->max_size != 0 || r->keep_free != 0)
		return true;
	for (unsigned class = CLASS_SCREEN; class < CLASSES; class ++)
		if (class_due(v, (uint8_t) class, keep_of(r, (uint8_t) class),
			realtime, before))
			return true;
	return false;
}

/* -- what there is -- */

struct looker {
	struct vfs *v;
	const struct expire_rules *r;
	const struct expire_now *now;
	struct expire_plan *p;
	struct history h;
	struct expire_segment *all; /* that no TOMBSTONE covers */
	size_t n, cap, old_cap, left_cap;
	bool fails;
};

static void
on_found(void *arg, enum finding_kind k, const char *where, const char *detail)
{
	struct looker *l = arg;

	(void)where, (void)detail;
	l->fails |= finding_fails(k);
}

/* As they are, or, where the writer goes on, as they were a moment ago. */
static int
read_leaves(struct looker *l, struct ops_err *err)
{
	const struct history_opts o = {
		.threads = 1, .found = on_found, .arg = l
	};

	for (int i = 0; i < LOOKS; i++) {
		history_free(&l->h);
		l->fails = false;
		if (history_read(l->v, &o, &l->h, err) < 0)
			return -1;
		if (!l->fails || !history_moved_on(l->v, &l->h))
			break;
	}
	return 0;
}

static bool
of_this_boot(const struct looker *l, const struct history_stream *s)
{
	return s->has_boot &&
	       memcmp(s->boot_id, l->now->boot_id, sizeof(s->boot_id)) == 0;
}

static bool
covered(const struct looker *l, const struct history_stream *s,
    const struct layout_segment *g)
{
	for (size_t i = g->first; i < g->first + g->n; i++)
		if (!history_expired(&l->h, s->id, s->frame[i].leaf.number))
			return false;
	return true;
}

static int
push(struct expire_segment **a, size_t *n, size_t *cap,
    const struct expire_segment *s, struct ops_err *err)
{
	if (!history_grow(a, *n, cap, sizeof(**a)))
		return ops_fail(err, OPS_ENOMEM, "expiry: no memory");
	(*a)[(*n)++] = *s;
	return 0;
}

static void
describe(const struct history_stream *s, const struct layout_segment *g,
    struct expire_segment *ret)
{
	memset(ret, 0, sizeof(*ret));
	memcpy(ret->t.stream, s->id, OPS_ID_LEN);
	ret->t.class = s->class;
	ret->t.from = s->frame[g->first].leaf.number;
	ret->t.to = s->frame[g->first + g->n - 1].leaf.number + 1;
	ret->bytes = g->len;
	memcpy(ret->path, g->path, sizeof(ret->path));
	ret->oldest = s->frame[g->first].leaf.arrived_first +
		      (uint64_t)s->frame[g->first].wall;
	for (size_t i = g->first; i < g->first + g->n; i++) {
		uint64_t at =
		    s->frame[i].leaf.arrived_last + (uint64_t)s->frame[i].wall;

		if (at > ret->newest)
			ret->newest = at;
	}
}

/* Is it in use: of an open session, not sealed yet, or written to? */
static bool
in_use(const struct looker *l, const struct history_stream *s,
    const struct layout_segment *g, bool last)
{
	if (g->day[0] == '\0')
		return true; /* nobody knows its name */
	if (s->class == CLASS_SCREEN && !s->closed)
		return true;
	if (s->class != CLASS_SCREEN && last && of_this_boot(l, s))
		return true;
	for (size_t i = g->first; i < g->first + g->n; i++) {
		const struct store_frame *f = &s->frame[i];

		if (!f->sealed ||
		    (s->class != CLASS_SCREEN && of_this_boot(l, s) &&
			f->leaf.arrived_last >= l->now->open_since))
			return true;
	}
	return false;
}

static void
note_oldest(struct expire_plan *p, uint8_t class, uint64_t at)
{
	uint64_t *to = class == CLASS_SCREEN ? &p->screens : &p->events;

	if (*to == 0 || at < *to)
		*to = at;
}

static int
take_segment(struct looker *l, const struct history_stream *s,
    const struct layout_segment *g, bool last, bool left, struct ops_err *err)
{
	struct expire_segment e;

	describe(s, g, &e);
	if (covered(l, s, g)) {
		l->p->expired += g->n;
		return !left || !vfs_exists(l->v, e.path)
			   ? 0
			   : push(&l->p->left, &l->p->n_left, &l->left_cap, &e,
				 err);
	}
	l->p->bytes += e.bytes;
	if (in_use(l, s, g, last))
		e.newest = UINT64_MAX;
	return push(&l->all, &l->n, &l->cap, &e, err);
}

static int
take_stream(struct looker *l, const struct history_stream *s, bool left,
    struct ops_err *err)
{
	struct layout_segment *g;
	size_t n;
	int rc = 0;

	if (layout_segments(&l->h, s, &g, &n, err) < 0)
		return -1;
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = take_segment(l, s, &g[i], i + 1 == n, left, err);
	free(g);
	return rc;
}

/* -- what may go -- */

/*
 * A clock that was set wrong must not empty a store.  So the log has to have
 * been written for a day, with no jump in it, before anything goes.
 */
static bool
clock_is_settled(const struct looker *l)
{
	const struct expire_rules *r = l->r;
	uint64_t want = DAY, at = l->now->realtime;
	const uint64_t ages[] = { r->keep_screens, r->keep_events,
		r->max_size != 0 || r->keep_free != 0 ? r->at_least : 0 };

	for (size_t i = 0; i < OPS_ARRAY_LEN(ages); i++)
		if (ages[i] != 0 && ages[i] < want)
			want = ages[i];
	for (size_t i = l->h.marks; i > 0; i--) {
		uint64_t m = l->h.mark[i - 1].realtime;
		uint64_t gap = want > QUIET_MAX ? want : QUIET_MAX;

		if (m > at || at - m > gap)
			return false;
		at = m;
		if (l->now->realtime - at >= want)
			return true;
	}
	return false;
}

/* Screens first, then the oldest. */
static int
compare(const void *a, const void *b)
{
	const struct expire_segment *x = a, *y = b;
	bool xs = x->t.class == CLASS_SCREEN, ys = y->t.class == CLASS_SCREEN;

	if (xs != ys)
		return xs ? -1 : 1;
	if (x->newest != y->newest)
		return x->newest < y->newest ? -1 : 1;
	return strcmp(x->path, y->path);
}

static bool
is_old(const struct looker *l, const struct expire_segment *e, uint64_t age)
{
	return e->newest < l->now->realtime &&
	       l->now->realtime - e->newest >= age;
}

static int
let_go(struct looker *l, struct expire_segment *e, uint32_t why, uint64_t limit,
    uint64_t age, struct ops_err *err)
{
	e->t.has_rule = true;
	e->t.why = why;
	e->t.limit = limit;
	e->t.age = age;
	e->t.realtime = l->now->realtime;
	return push(&l->p->old, &l->p->n, &l->old_cap, e, err);
}

/* When the oldest session began that keeps some of its screen. */
static uint64_t
screens_since(const struct looker *l, uint64_t age)
{
	uint64_t since = UINT64_MAX, slack;

	for (size_t i = 0; i < l->n; i++) {
		const struct expire_segment *e = &l->all[i];
		const struct history_stream *s;
		const struct leaf_frame *f;
		uint64_t began;

		if (e->t.class != CLASS_SCREEN || e->t.has_rule)
			continue;
		s = history_find(&l->h, e->t.stream);
		if (s == NULL || s->n == 0)
			continue;
		f = &s->frame[0].leaf;
		began = f->arrived_first + (uint64_t)s->frame[0].wall;
		if (began < since)
			since = began;
	}
	/* Its SESSION-OPEN was before it: who logs in may see nothing for a while. */
	slack = age < DAY ? age : DAY;
	return since == UINT64_MAX ? since : since < slack ? 0 : since - slack;
}

/* What a size limit needs; it may take it from what no time rule keeps. */
struct need {
	uint64_t bytes, limit;
	uint32_t why;
};

static int
let_class_go(
    struct looker *l, bool screens, struct need *need, struct ops_err *err)
{
	const struct expire_rules *r = l->r;
	uint64_t keep = screens ? r->keep_screens : r->keep_events;
	uint64_t since = screens
			     ? UINT64_MAX
			     : screens_since(l, keep != 0 ? keep : r->at_least);
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < l->n; i++) {
		struct expire_segment *e = &l->all[i];

		if ((e->t.class == CLASS_SCREEN) != screens ||
		    e->newest == UINT64_MAX || e->newest >= since)
			continue;
		if (keep != 0 && is_old(l, e, keep))
			rc = let_go(l, e,
			    screens ? TOMBSTONE_SCREENS : TOMBSTONE_EVENTS,
			    keep, keep, err);
		else if (keep == 0 && need->bytes > 0 && r->at_least != 0 &&
			 is_old(l, e, r->at_least))
			rc = let_go(
			    l, e, need->why, need->limit, r->at_least, err);
		else
			continue;
		need->bytes -= e->bytes < need->bytes ? e->bytes : need->bytes;
	}
	return rc;
}

static int
what_is_needed(const struct looker *l, struct need *ret, struct ops_err *err)
{
	const struct expire_rules *r = l->r;
	uint64_t space;

	*ret = (struct need){ 0 };
	if (r->max_size != 0 && l->p->bytes > r->max_size)
		*ret = (struct need){ l->p->bytes - r->max_size, r->max_size,
			TOMBSTONE_SIZE };
	if (r->keep_free == 0)
		return 0;
	if (vfs_space(l->v, &space, err) < 0)
		return -1;
	if (space < r->keep_free && r->keep_free - space > ret->bytes)
		*ret = (struct need){ r->keep_free - space, r->keep_free,
			TOMBSTONE_FREE };
	return 0;
}

static void
note_rest(struct looker *l)
{
	struct expire_plan *p = l->p;

	for (size_t i = 0; i < l->n; i++) {
		const struct expire_segment *e = &l->all[i];

		if (!e->t.has_rule)
			note_oldest(p, e->t.class, e->oldest);
	}
	for (size_t i = 0; i < l->h.logs; i++)
		p->leaves += l->h.log[i].bytes;
	for (size_t i = 0; i < l->h.tombstones; i++) {
		const struct leaf_tombstone *t = &l->h.tombstone[i].leaf;

		if (!p->has_last || t->realtime > p->last.realtime)
			p->last = *t;
		p->has_last = true;
	}
}

static int
look(struct looker *l, bool left, struct ops_err *err)
{
	struct need need;
	int rc = read_leaves(l, err);

	for (size_t i = 0; rc == 0 && i < l->h.streams; i++)
		rc = take_stream(l, &l->h.stream[i], left, err);
	if (rc < 0 || what_is_needed(l, &need, err) < 0)
		return -1;
	if (l->n > 1)
		qsort(l->all, l->n, sizeof(*l->all), compare);
	l->p->damaged = l->fails;
	if (!l->p->damaged)
		rc = let_class_go(l, true, &need, err) < 0 ||
			     let_class_go(l, false, &need, err) < 0
			 ? -1
			 : 0;
	l->p->over = need.bytes;
	if (l->p->n > 0 && !clock_is_settled(l)) {
		l->p->clock_waits = true;
		l->p->n = 0;
		for (size_t i = 0; i < l->n; i++)
			l->all[i].t.has_rule = false;
	}
	note_rest(l);
	return rc;
}

int
expire_look(struct vfs *v, const struct expire_rules *r,
    const struct expire_now *now, bool left, struct expire_plan *ret,
    struct ops_err *err)
{
	struct expire_plan p = { 0 };
	struct looker l = { .v = v, .r = r, .now = now, .p = &p };
	int rc = look(&l, left, err);

	history_free(&l.h);
	free(l.all);
	if (rc < 0)
		expire_plan_free(&p);
	else
		*ret = p;
	return rc < 0 ? ops_context(err, "expiry") : 0;
}

void
expire_plan_free(struct expire_plan *p)
{
	free(p->old);
	free(p->left);
	*p = (struct expire_plan){ 0 };
}

/* -- their going -- */

static void
folder_of(const char *path, char out[static SEGMENT_PATH_MAX])
{
	const char *slash = strrchr(path, '/');

	snprintf(out, SEGMENT_PATH_MAX, "%.*s", (int)(slash - path), path);
}

/* A day of which nothing is left.  Today's may be about to get a file. */
static int
sync_folder(struct vfs *v, const char *dir, struct ops_err *err)
{
	struct vfs_names names;
	char class[SEGMENT_PATH_MAX];
	bool empty;

	if (vfs_list(v, dir, &names, NULL) < 0)
		return 0;
	empty = names.n == 0;
	vfs_names_free(&names);
	if (vfs_sync_dir(v, dir, err) < 0)
		return -1;
	if (!empty || vfs_rmdir(v, dir, NULL) < 0)
		return 0;
	folder_of(dir, class);
	return vfs_sync_dir(v, class, err);
}

int
expire_remove(struct vfs *v, const struct expire_segment *s, size_t n,
    struct ops_err *err)
{
	char dir[SEGMENT_PATH_MAX] = "", last[SEGMENT_PATH_MAX] = "";

	for (size_t i = 0; i < n; i++) {
		struct ops_err why = { 0 };

		folder_of(s[i].path, dir);
		if (last[0] != '\0' && strcmp(dir, last) != 0 &&
		    sync_folder(v, last, err) < 0)
			return -1;
		memcpy(last, dir, sizeof(last));
		if (vfs_unlink(v, s[i].path, &why) < 0 &&
		    why.code != OPS_ENOENT)
			return ops_fail(err, why.code, "%s", why.msg);
	}
	return last[0] != '\0' ? sync_folder(v, last, err) : 0;
}
