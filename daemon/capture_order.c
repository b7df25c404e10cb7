#include "capture_order.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FEW_HOLES 2 /* seldom is there one */

struct node {
	struct order_event ev;
	uint8_t *args; /* own memory of pieces; NULL: inline, or none came */
	uint8_t *env;  /* own memory; NULL: none, or none came */
	bool waits;    /* for more pieces */
	bool env_waits;
	bool whole;   /* nothing more is taken, what is missing is named */
	uint64_t end; /* of what came */
	struct order_hole few[FEW_HOLES], *many; /* own memory, or NULL */
	_Alignas(8) uint8_t bytes[];
};

/* A piece whose exec hasn't been seen yet. */
struct piece {
	struct piece *next;
	struct cap_chunk k;
	uint8_t data[];
};

struct order {
	/* Waiting events by time: node[first..end). */
	struct node **node;
	size_t first, end, cap;
	struct piece *piece, **last_piece;
	size_t heads;                     /* bytes of nodes */
	size_t memory;                    /* of pieces and of args */
	uint64_t next[2][ORDER_CPUS_MAX]; /* numbers, by ring and CPU */
	uint64_t skipped;
	uint64_t refused[CAP_TYPES];
};

struct order *
order_new(void)
{
	struct order *o = calloc(1, sizeof(*o));

	if (o != NULL)
		o->last_piece = &o->piece;
	return o;
}

static void
free_node(struct order *o, struct node *n)
{
	if (n->args != NULL)
		o->memory -= n->ev.args_n;
	if (n->env != NULL)
		o->memory -= n->ev.env_n;
	o->heads -= sizeof(*n) + n->ev.n;
	free(n->args);
	free(n->env);
	free(n->many);
	free(n);
}

static void
free_pieces(struct order *o)
{
	struct piece *p;

	while ((p = o->piece) != NULL) {
		o->piece = p->next;
		free(p);
	}
}

void
order_free(struct order *o)
{
	if (o == NULL)
		return;
	for (size_t i = o->first; i < o->end; i++)
		free_node(o, o->node[i]);
	free_pieces(o);
	free(o->node);
	free(o);
}

/* -- numbers -- */

static void
count(struct order *o, enum order_ring ring, const struct cap_head *h)
{
	uint64_t *next = &o->next[ring][h->cpu];

	if (h->seq >= *next) {
		o->skipped += h->seq - *next;
		*next = h->seq + 1;
	} else if (o->skipped > 0) {
		/* A program that was preempted comes late. */
		o->skipped--;
	}
}

uint64_t
order_skipped(const struct order *o)
{
	return o->skipped;
}

void
order_refused(const struct order *o, uint64_t ret[static CAP_TYPES])
{
	memcpy(ret, o->refused, sizeof(o->refused));
}

/* -- events -- */

static bool
grow(struct order *o)
{
	size_t n = o->end - o->first, cap;
	struct node **more;

	if (o->end < o->cap)
		return true;
	if (o->first > o->cap / 2) {
		memmove(o->node, o->node + o->first, n * sizeof(struct node *));
		o->first = 0;
		o->end = n;
		return true;
	}
	cap = o->cap == 0 ? 1024 : 2 * o->cap;
	more = realloc(o->node, cap * sizeof(struct node *));
	if (more == NULL)
		return false;
	o->node = more;
	o->cap = cap;
	return true;
}

/* Most come nearly in order, so look from the end.  One that was given out may
 * be half told already, so nothing gets before it. */
static void
insert(struct order *o, struct node *n)
{
	size_t at = o->end++;

	while (at > o->first && !o->node[at - 1]->whole &&
	       o->node[at - 1]->ev.u->head.time > n->ev.u->head.time) {
		o->node[at] = o->node[at - 1];
		at--;
	}
	o->node[at] = n;
}

static int
check_exec(const struct cap_exec *e, size_t n, struct ops_err *err)
{
	const uint32_t end[] = { e->args_end, e->filename_end, e->interp_end,
		e->exe_end, e->cwd_end, e->end };
	uint32_t before = 0;

	for (size_t i = 0; i < sizeof(end) / sizeof(*end); i++) {
		if (end[i] < before || end[i] > n - sizeof(*e))
			return ops_fail(err, OPS_EFORMAT,
			    "capture: exec: part %zu ends at %u", i, end[i]);
		before = end[i];
	}
	return 0;
}

static int
check_event(
    const uint8_t *p, size_t n, const struct cap_head *h, struct ops_err *err)
{
	struct cap_exec e;
	struct cap_failed f;

	switch (h->type) {
	case CAP_FORK:
		if (n == sizeof(struct cap_fork))
			return 0;
		break;
	case CAP_EXIT:
		if (n == sizeof(struct cap_exit))
			return 0;
		break;
	case CAP_EXEC:
		if (n < sizeof(e))
			break;
		memcpy(&e, p, sizeof(e));
		return check_exec(&e, n, err);
	case CAP_FAILED:
		if (n < sizeof(f))
			break;
		memcpy(&f, p, sizeof(f));
		if (f.name_n == n - sizeof(f))
			return 0;
		break;
	default:
		break;
	}
	return ops_fail(
	    err, OPS_EFORMAT, "capture: type %u of %zu bytes", h->type, n);
}

static int
take_event(struct order *o, const uint8_t *p, size_t n, uint16_t type,
    struct ops_err *err)
{
	struct node *node = NULL;

	if (grow(o))
		node = malloc(sizeof(*node) + n);
	if (node == NULL) {
		o->refused[type]++;
		return ops_fail(err, OPS_ENOMEM, "capture: no memory");
	}
	*node = (struct node){ 0 };
	memcpy(node->bytes, p, n);
	node->ev.u = (void *)node->bytes;
	node->ev.n = n;
	node->ev.hole = node->few;
	o->heads += sizeof(*node) + n;
	if (node->ev.u->head.type == CAP_EXEC) {
		const struct cap_exec *e = &node->ev.u->exec;

		node->waits = (e->flags & CAP_ARGS_BULK) != 0 &&
			      e->args_len <= ORDER_ARGS_MAX;
		node->env_waits = (e->flags & CAP_ENV) != 0;
		node->ev.env_cut = node->env_waits;
		node->ev.args = (const uint8_t *)(e + 1);
		node->ev.args_n = e->args_end;
	}
	insert(o, node);
	return 0;
}

/* -- pieces -- */

/* Room for one more? */
static bool
grow_holes(struct node *n)
{
	if (n->ev.holes < FEW_HOLES)
		return true;
	if (n->many == NULL) {
		n->many = calloc(ORDER_HOLES, sizeof(*n->many));
		if (n->many == NULL)
			return false;
		memcpy(n->many, n->few, sizeof(n->few));
		n->ev.hole = n->many;
	}
	return n->ev.holes < ORDER_HOLES;
}

static void
hole(struct node *n, uint64_t offset, uint64_t length)
{
	struct order_event *ev = &n->ev;
	struct order_hole *last =
	    ev->holes > 0 ? &ev->hole[ev->holes - 1] : NULL;

	assert(ev->hole != NULL); /* few, or many */
	if (length == 0)
		return;
	if (last != NULL &&
	    (last->offset + last->length == offset || !grow_holes(n)))
		last->length = offset + length - last->offset;
	else
		ev->hole[ev->holes++] = (struct order_hole){ offset, length };
}

/* Room for all the arguments, once the first piece is there. */
static bool
make_room(struct order *o, struct node *n, uint64_t all)
{
	if (n->args != NULL)
		return true;
	if (o->memory + all > ORDER_MEMORY ||
	    (n->args = calloc(1, all)) == NULL)
		return false;
	n->ev.args = n->args;
	n->ev.args_n = all;
	o->memory += all;
	return true;
}

static void
put_piece(struct order *o, struct node *n, const struct piece *p)
{
	uint64_t all = n->ev.u->exec.args_len;
	uint64_t at = all - p->k.left;

	if (p->k.left > all || at < n->end || p->k.n == 0)
		return; /* of no use; what it stood for stays a hole */
	if (!make_room(o, n, all)) {
		o->refused[CAP_CHUNK_DATA]++;
		return;
	}
	hole(n, n->end, at - n->end);
	memcpy(n->args + at, p->data, p->k.n);
	for (uint32_t i = 0; i < CAP_CHUNK / CAP_PAGE; i++)
		if ((p->k.faults & 1u << i) != 0 && i * CAP_PAGE < p->k.n) {
			uint64_t length = p->k.n - i * CAP_PAGE;

			if (length > CAP_PAGE)
				length = CAP_PAGE;
			memset(n->args + at + i * CAP_PAGE, 0, length);
			hole(n, at + i * CAP_PAGE, length);
		}
	n->end = at + p->k.n;
	n->waits = n->end < all;
}

static bool
is_env(const struct cap_chunk *k)
{
	return (k->faults & CAP_CHUNK_ENV) != 0;
}

/* All there will be of it comes at once. */
static void
put_env(struct order *o, struct node *n, const struct piece *p)
{
	n->env_waits = false;
	if (p->k.n == 0)
		return;
	/* The piece's own bytes are counted until the caller frees it. */
	n->env = malloc(p->k.n);
	if (n->env == NULL) {
		o->refused[CAP_CHUNK_DATA]++;
		return;
	}
	memcpy(n->env, p->data, p->k.n);
	o->memory += p->k.n;
	n->ev.env = n->env;
	n->ev.env_n = p->k.n;
	n->ev.env_cut = p->k.left > p->k.n;
}

static struct node *
exec_of(struct order *o, const struct cap_chunk *k)
{
	const struct cap_head *h = &k->head;
	/* The newest of that process and time, so look from the end. */
	for (size_t i = o->end; i > o->first; i--) {
		struct node *n = o->node[i - 1];
		const struct cap_head *x = &n->ev.u->head;

		if (x->time < h->time)
			return NULL;
		if ((is_env(k) ? n->env_waits : n->waits) &&
		    x->time == h->time && x->pid == h->pid &&
		    x->start == h->start)
			return n;
	}
	return NULL;
}

static int
take_piece(struct order *o, const uint8_t *p, size_t n, struct ops_err *err)
{
	struct cap_chunk k;
	struct piece *piece;

	if (n < sizeof(k))
		return ops_fail(
		    err, OPS_EFORMAT, "capture: a piece of %zu bytes", n);
	memcpy(&k, p, sizeof(k));
	if (k.n > CAP_CHUNK || k.n != n - sizeof(k) || k.n > k.left ||
	    k.head.type != CAP_CHUNK_DATA)
		return ops_fail(err, OPS_EFORMAT,
		    "capture: a piece of %u bytes in %zu", k.n, n);
	count(o, ORDER_BULK, &k.head);
	if (o->memory + k.n > ORDER_MEMORY ||
	    (piece = malloc(sizeof(*piece) + k.n)) == NULL) {
		o->refused[CAP_CHUNK_DATA]++;
		return ops_fail(err, OPS_ENOMEM, "capture: no memory");
	}
	piece->next = NULL;
	piece->k = k;
	memcpy(piece->data, p + sizeof(k), k.n);
	*o->last_piece = piece;
	o->last_piece = &piece->next;
	o->memory += k.n;
	return 0;
}

int
order_take(struct order *o, enum order_ring ring, const uint8_t *p, size_t n,
    struct ops_err *err)
{
	struct cap_head h;

	if (n < sizeof(h))
		return ops_fail(err, OPS_EFORMAT, "capture: %zu bytes", n);
	memcpy(&h, p, sizeof(h));
	if (h.size < sizeof(h) || h.size > n || h.cpu >= ORDER_CPUS_MAX)
		return ops_fail(err, OPS_EFORMAT,
		    "capture: %u bytes in %zu, CPU %u", h.size, n, h.cpu);
	if (ring == ORDER_BULK)
		return take_piece(o, p, h.size, err);
	if (check_event(p, h.size, &h, err) < 0)
		return -1;
	count(o, ORDER_HEADS, &h);
	return take_event(o, p, h.size, h.type, err);
}

void
order_read(struct order *o, uint64_t now)
{
	struct piece **at = &o->piece, *p;

	while ((p = *at) != NULL) {
		struct node *n = exec_of(o, &p->k);

		if (n != NULL && is_env(&p->k))
			put_env(o, n, p);
		else if (n != NULL)
			put_piece(o, n, p);
		else if (p->k.head.time + ORDER_ARGS_NS > now) {
			at = &p->next;
			continue;
		}
		*at = p->next;
		o->memory -= p->k.n;
		free(p);
	}
	o->last_piece = at;
}

const struct order_event *
order_next(struct order *o, uint64_t until)
{
	struct node *n;
	uint64_t all, have;

	if (o->first == o->end)
		return NULL;
	n = o->node[o->first];
	if (n->ev.u->head.time >= until)
		return NULL;
	if ((n->waits || n->env_waits) &&
	    until - n->ev.u->head.time < ORDER_ARGS_NS)
		return NULL;
	if (!n->whole && n->ev.u->head.type == CAP_EXEC) {
		all = n->ev.u->exec.args_len;
		have = n->args != NULL ? n->end : n->ev.args_n;
		hole(n, have, have < all ? all - have : 0);
	}
	n->waits = n->env_waits = false;
	n->whole = true;
	return &n->ev;
}

void
order_done(struct order *o)
{
	assert(o->first < o->end);
	free_node(o, o->node[o->first++]);
	if (o->first == o->end)
		o->first = o->end = 0;
}

static bool
same_name(const uint8_t *a, size_t a_n, const uint8_t *b, size_t b_n)
{
	const uint8_t *slash = a_n > 0 ? memrchr(a, '/', a_n) : NULL;
	size_t a_dir = slash != NULL ? (size_t)(slash + 1 - a) : 0, b_dir;

	slash = b_n > 0 ? memrchr(b, '/', b_n) : NULL;
	b_dir = slash != NULL ? (size_t)(slash + 1 - b) : 0;
	return a_n - a_dir == b_n - b_dir &&
	       memcmp(a + a_dir, b + b_dir, a_n - a_dir) == 0;
}

bool
order_is_search(const struct order *o)
{
	const struct cap_failed *f;

	if (o->first == o->end ||
	    o->node[o->first]->ev.u->head.type != CAP_FAILED)
		return false;
	f = &o->node[o->first]->ev.u->failed;
	if (f->error != ENOENT && f->error != ENOTDIR && f->error != EACCES)
		return false;
	for (size_t i = o->first + 1;
	     i < o->end && i - o->first < ORDER_SEARCH_MAX; i++) {
		const struct cap_exec *e = &o->node[i]->ev.u->exec;

		if (e->head.pid != f->head.pid ||
		    e->head.start != f->head.start)
			continue;
		if (e->head.type == CAP_EXEC)
			return same_name((const uint8_t *)(f + 1), f->name_n,
			    (const uint8_t *)(e + 1) + e->args_end,
			    e->filename_end - e->args_end);
		if (e->head.type != CAP_FAILED)
			return false;
	}
	return false;
}

size_t
order_count(const struct order *o)
{
	return o->end - o->first;
}

size_t
order_heads(const struct order *o)
{
	return o->heads;
}

size_t
order_memory(const struct order *o)
{
	return o->memory;
}
