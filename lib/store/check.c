#include "check.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "check_work.h"
#include "parallel.h"

#define TRIES 3 /* a running writer changes the store while it is read */
#define CHEAP_LEAVES 20000 /* of so many a reading costs no second */

/* clang-format off */
static const struct {
	const char *name;
	bool fails;
} kinds[] = {
	[FIND_CRASH] = { "CRASH", false },
	[FIND_GAP] = { "GAP", false },
	[FIND_LOST] = { "LOST", false },
	[FIND_EXPIRED] = { "EXPIRED", false },
	[FIND_UNSEALED] = { "UNSEALED", false },
	[FIND_CLOCK] = { "CLOCK", false },
	[FIND_SUCCESSOR] = { "SUCCESSOR", false },
	[FIND_TILE_MISSING] = { "TILE-MISSING", false },
	[FIND_TAMPER] = { "TAMPER", true },
	[FIND_MISSING] = { "MISSING", true },
	[FIND_FORGED_SEAL] = { "FORGED-SEAL", true },
	[FIND_UNKNOWN] = { "UNKNOWN", true },
	[FIND_INCOMPLETE] = { "INCOMPLETE", true },
	[FIND_TIME] = { "TIME", true },
	[FIND_EARLY] = { "EARLY", true },
	[FIND_ANCHOR] = { "ANCHOR", true },
	[FIND_UNREADABLE] = { "UNREADABLE", true },
};
/* clang-format on */

const char *
finding_name(enum finding_kind k)
{
	return (size_t)k < OPS_ARRAY_LEN(kinds) ? kinds[k].name : "?";
}

bool
finding_fails(enum finding_kind k)
{
	return (size_t)k >= OPS_ARRAY_LEN(kinds) || kinds[k].fails;
}

/* -- findings -- */

int
check_no_memory(struct ops_err *err)
{
	return ops_fail(err, OPS_ENOMEM, "check: no memory");
}

static void
add_finding(
    struct check *c, enum finding_kind k, const char *where, const char *detail)
{
	struct check_finding f = { .kind = k };

	pthread_mutex_lock(&c->lock);
	if (finding_fails(k))
		c->r->fails++;
	else
		c->r->explained++;
	if (c->n_found == CHECK_FINDINGS_MAX) {
		c->lost_findings++;
	} else {
		f.where = strdup(where);
		f.detail = strdup(detail);
		if (f.where != NULL && f.detail != NULL &&
		    history_grow(&c->found, c->n_found, &c->found_cap,
			sizeof(*c->found))) {
			c->found[c->n_found++] = f;
		} else {
			free(f.where);
			free(f.detail);
			c->no_memory = true;
		}
	}
	pthread_mutex_unlock(&c->lock);
}

void
check_say(struct check *c, enum finding_kind k, const char *where,
    const char *fmt, ...)
{
	char detail[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(detail, sizeof(detail), fmt, ap);
	va_end(ap);
	add_finding(c, k, where, detail);
}

void
check_take_back(struct check *c, const struct check_mark *m)
{
	while (c->n_found > m->n_found) {
		c->n_found--;
		free(c->found[c->n_found].where);
		free(c->found[c->n_found].detail);
	}
	c->r->fails = m->fails;
	c->r->explained = m->explained;
	c->lost_findings = m->lost;
}

struct check_mark
check_mark(const struct check *c)
{
	return (struct check_mark){ c->n_found, c->r->fails, c->r->explained,
		c->lost_findings };
}

void
check_say_err(struct check *c, const char *where, const struct ops_err *err)
{
	check_say(c, err->code == OPS_ENOENT ? FIND_MISSING : FIND_UNREADABLE,
	    where, "%s", err->msg);
}

/* Numbers within a place compare as numbers. */
static int
compare_findings(const void *a, const void *b)
{
	const struct check_finding *x = a, *y = b;
	int d = strverscmp(x->where, y->where);

	if (d == 0)
		d = (int)x->kind - (int)y->kind;
	return d != 0 ? d : strcmp(x->detail, y->detail);
}

static void
tell_findings(struct check *c)
{
	if (c->n_found > 1)
		qsort(
		    c->found, c->n_found, sizeof(*c->found), compare_findings);
	for (size_t i = 0; i < c->n_found && c->o->found != NULL; i++) {
		struct finding f = { .kind = c->found[i].kind,
			.where = c->found[i].where,
			.detail = c->found[i].detail };

		c->o->found(c->o->arg, &f);
	}
	if (c->lost_findings > 0 && c->o->found != NULL) {
		char detail[80];
		struct finding f = { .kind = FIND_TAMPER,
			.where = "everywhere",
			.detail = detail };

		snprintf(detail, sizeof(detail), "%" PRIu64 " more findings",
		    c->lost_findings);
		c->o->found(c->o->arg, &f);
	}
}

/* -- anchors -- */

static int
compare_anchors(const void *a, const void *b, void *arg)
{
	const struct check *c = arg;
	const struct checkpoint_anchor *all = c->o->anchors;
	const struct checkpoint *x = &all[*(const size_t *)a].cp;
	const struct checkpoint *y = &all[*(const size_t *)b].cp;

	return (x->size > y->size) - (x->size < y->size);
}

static int
prepare_anchors(struct check *c, struct ops_err *err)
{
	size_t n = c->o->n_anchors;

	c->anchor = calloc(n + 1, sizeof(*c->anchor));
	c->anchor_good = calloc(n + 1, sizeof(*c->anchor_good));
	c->anchor_met = calloc(n + 1, sizeof(*c->anchor_met));
	if (c->anchor == NULL || c->anchor_good == NULL ||
	    c->anchor_met == NULL)
		return check_no_memory(err);
	for (size_t i = 0; i < n; i++)
		c->anchor[i] = i;
	if (n > 1)
		qsort_r(c->anchor, n, sizeof(*c->anchor), compare_anchors, c);
	return 0;
}

/* The anchors that speak of the tree as it is now. */
static void
meet_anchors(struct check *c, size_t log, const struct tree *t)
{
	const struct note_key *key = &c->h.log[log].pub.key;
	uint8_t root[OPS_HASH_LEN];

	for (; c->anchor_at < c->o->n_anchors; c->anchor_at++) {
		size_t i = c->anchor[c->anchor_at];
		const struct checkpoint *cp = &c->o->anchors[i].cp;

		if (cp->size > t->size)
			break;
		if (cp->size < t->size || strcmp(cp->origin, key->name) != 0)
			continue;
		tree_root(t, root);
		c->anchor_met[i] = true;
		c->anchor_good[i] = memcmp(root, cp->root, OPS_HASH_LEN) == 0;
	}
}

static const struct history_log *
log_of(const struct check *c, const char *origin)
{
	for (size_t i = 0; i < c->h.logs; i++)
		if (strcmp(c->h.log[i].pub.key.name, origin) == 0)
			return &c->h.log[i];
	return NULL;
}

static void
judge_anchors(struct check *c)
{
	const struct history_log *newest = NULL;
	uint64_t fails = c->r->fails;

	for (size_t i = 0; i < c->o->n_anchors; i++) {
		const struct checkpoint_anchor *a = &c->o->anchors[i];
		const struct history_log *l = log_of(c, a->cp.origin);
		char where[CHECK_WHERE];

		snprintf(where, sizeof(where), "anchor of %.90s size %" PRIu64,
		    a->cp.origin, a->cp.size);
		if (l == NULL) {
			check_say(c, FIND_ANCHOR, where,
			    "no log of this origin is in this store");
		} else if (!checkpoint_anchor_check(a, &l->pub.key)) {
			check_say(c, FIND_ANCHOR, where,
			    "it was not signed by the key of log/%" PRIu32,
			    l->pub.n);
		} else if (a->cp.size > l->pub.size) {
			check_say(c, FIND_ANCHOR, where,
			    "log/%" PRIu32 " has only %" PRIu64
			    " leaves: its end was cut off",
			    l->pub.n, l->pub.size);
		} else if (a->cp.size > 0 &&
			   (!c->anchor_met[i] || !c->anchor_good[i])) {
			check_say(c, FIND_ANCHOR, where,
			    "log/%" PRIu32 " had another root then: it was "
			    "rewritten",
			    l->pub.n);
		} else if (newest == NULL || l->pub.n > newest->pub.n ||
			   (l == newest && a->cp.size > c->r->anchor.size)) {
			newest = l;
			c->r->anchored = true;
			c->r->anchor = a->cp;
		}
	}
	if (c->r->fails > fails)
		c->r->anchored = false;
}

/* -- leaves -- */

static void
on_found(void *arg, enum finding_kind k, const char *where, const char *detail)
{
	add_finding(arg, k, where, detail);
}

static void
on_log(void *arg, size_t log, bool first)
{
	struct check *c = arg;

	c->anchor_at = 0;
	if (c->one)
		return;
	if (!first)
		check_tiles_end(c, log);
	else if (check_tiles_begin(c, log) < 0)
		c->no_memory = true;
}

static void
on_leaf(void *arg, size_t log, const uint8_t *p, size_t n, const uint8_t *hash,
    const struct tree *after)
{
	struct check *c = arg;

	meet_anchors(c, log, after);
	check_tiles_leaf(c, p, n, hash);
}

static void
say_unsealed(struct check *c)
{
	for (size_t i = 0; i < c->h.logs; i++) {
		const struct store_log *l = &c->h.log[i].pub;
		char where[CHECK_WHERE];

		if (l->size == l->sealed.size || !c->h.log[i].sealed_ok ||
		    i + 1 < c->h.logs)
			continue;
		snprintf(where, sizeof(where),
		    "log/%" PRIu32 "/leaves leaf %" PRIu64, l->n,
		    l->sealed.size);
		check_say(c, FIND_UNSEALED, where,
		    "%" PRIu64 " leaves are behind the newest checkpoint",
		    l->size - l->sealed.size);
	}
}

static int
read_leaves(struct check *c, struct ops_err *err)
{
	struct history_opts o = { .all_signatures = true,
		.threads = c->threads,
		.found = on_found,
		.leaf = on_leaf,
		.log = on_log,
		.arg = c };

	if (history_read(c->v, &o, &c->h, err) < 0)
		return -1;
	say_unsealed(c);
	c->r->logs = c->h.logs;
	c->r->leaves = c->h.leaves;
	return 0;
}

/* -- sessions -- */

bool
check_wants(const struct check *c, const uint8_t id[static OPS_ID_LEN])
{
	return !c->one || memcmp(id, c->o->session, OPS_ID_LEN) == 0;
}

void
check_met_session(struct check *c, const uint8_t id[static OPS_ID_LEN])
{
	if (history_stream_get(&c->sessions, id, CLASS_SCREEN) == NULL)
		c->no_memory = true;
}

/* A session without a terminal has no frame, and its CLOSE says so: that is
 * what the rules for leaves check.  While it goes on, its events tell of it. */
static void
count_sessions(struct check *c)
{
	for (size_t i = 0; i < c->h.streams; i++)
		if (c->h.stream[i].class == CLASS_SCREEN)
			check_met_session(c, c->h.stream[i].id);
	for (size_t i = 0; i < c->h.closes; i++)
		check_met_session(c, c->h.close[i].leaf.stream);
	c->r->sessions = c->sessions.streams;
	if (!c->one)
		return;
	c->r->sessions = history_find(&c->sessions, c->o->session) != NULL;
	c->r->no_screen = history_find(&c->h, c->o->session) == NULL;
	if (c->r->sessions == 0)
		check_say(c, FIND_MISSING, "log",
		    "nothing of this session is in the log");
}

/* -- the whole -- */

static int
check_all(struct check *c, struct ops_err *err)
{
	bool events;

	if (prepare_anchors(c, err) < 0 || read_leaves(c, err) < 0)
		return -1;
	judge_anchors(c);
	if (check_tail_begin(c, err) < 0 || check_wal(c, err) < 0 ||
	    check_data(c, err) < 0 || check_tail_end(c, err) < 0 ||
	    check_frames(c, err) < 0)
		return -1;
	events = !c->o->quick ||
		 (c->one && history_find(&c->h, c->o->session) == NULL);
	if (events && check_sessions(c, err) < 0)
		return -1;
	count_sessions(c);
	return c->no_memory ? check_no_memory(err) : 0;
}

static void
clean_up(struct check *c)
{
	for (size_t i = 0; i < c->n_found; i++) {
		free(c->found[i].where);
		free(c->found[i].detail);
	}
	free(c->found);
	free(c->segment);
	free(c->expired);
	free(c->anchor);
	free(c->anchor_good);
	free(c->anchor_met);
	check_tiles_free(c->tiles);
	check_tail_free(c->tail);
	history_free(&c->sessions);
	history_free(&c->h);
	pthread_mutex_destroy(&c->lock);
}

/* Did this reading and the one before find the same, place by place? */
static bool
same_findings(struct check *a, struct check *b)
{
	if (b == NULL || a->n_found != b->n_found || a->r->fails != b->r->fails)
		return false;
	for (int i = 0; i < 2; i++) {
		struct check *c = i == 0 ? a : b;

		if (c->n_found > 1)
			qsort(c->found, c->n_found, sizeof(*c->found),
			    compare_findings);
	}
	for (size_t i = 0; i < a->n_found; i++)
		if (compare_findings(&a->found[i], &b->found[i]) != 0)
			return false;
	return true;
}

/* What a crash leaves is what a writer at work leaves for a moment. */
static void
soften(struct check *c)
{
	for (size_t i = 0; i < c->n_found; i++) {
		struct check_finding *f = &c->found[i];

		if (f->kind == FIND_CRASH &&
		    (strstr(f->where, "/leaves offset") != NULL ||
			strncmp(f->where, "wal/", 4) == 0) &&
		    check_moved_on(c))
			f->kind = FIND_UNSEALED;
	}
}

/*
 * 0: checked, the findings told.  1: do it again: what fails while a writer is
 * at work may be its work.  It is believed when it is found twice.
 */
static int
check_once(
    struct check *c, struct check *before, bool last, struct ops_err *err)
{
	bool moved;

	if (check_all(c, err) < 0)
		return -1;
	moved = c->wal_damaged || (c->r->fails > 0 && check_moved_on(c));
	if (!last && c->r->fails > 0 && moved && !same_findings(c, before))
		return 1;
	if (!last && c->wal_moved && c->h.leaves < CHEAP_LEAVES)
		return 1;
	soften(c);
	tell_findings(c);
	return 0;
}

int
check_store(struct vfs *v, const struct check_opts *o, struct check_result *ret,
    struct ops_err *err)
{
	struct check_result r[TRIES] = { 0 };
	struct check c[TRIES] = { 0 };
	int n = 0, rc;

	do {
		c[n] = (struct check){ .v = v,
			.o = o,
			.r = &r[n],
			.threads = parallel_threads(o->threads),
			.one = o->session != NULL };
		pthread_mutex_init(&c[n].lock, NULL);
		rc = check_once(
		    &c[n], n > 0 ? &c[n - 1] : NULL, n + 1 == TRIES, err);
		n++;
	} while (rc > 0);
	if (rc == 0)
		*ret = r[n - 1];
	while (n > 0)
		clean_up(&c[--n]);
	return rc < 0 ? ops_context(err, "check") : 0;
}
