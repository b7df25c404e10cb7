/*
 * capture_order - what a kernel's side can say, read in any pieces and in any
 * order, lost here and there, or nonsense altogether.
 *
 * The input is a list of steps: something happens on a CPU and gets into its
 * ring, or is lost; a ring's next records are read, or one that has been held
 * back; time goes on and events are taken.
 *	- events come out by time, each as it went in, once, and none before its
 *	  time;
 *	- an exec's arguments are those that it had, but for what is named as a
 *	  hole, and there they are zero;
 *	- of what was not lost nothing is missing in the end, and numbers that
 *	  were skipped are no more than were lost;
 *	- the memory for pieces stays below its limit.
 */
#include "../fuzz.h"

#include <stdbool.h>

#include "capture_order.h"

#define CPUS 3
#define EVENTS_MAX 1024 /* an input has no more bytes */
#define WAITING 64      /* records in a ring */
#define MS UINT64_C(1000000)
#define PAST (100 * MS) /* a record is read so much later at the most */

/* What happened, by its number, which is its pid too. */
struct event {
	uint16_t type;
	uint64_t time;
	uint64_t args_len;
	bool bulk, lost, out;
};

struct record {
	uint8_t *p;
	size_t n;
};

static struct {
	struct order *o;
	struct event event[EVENTS_MAX];
	uint32_t events;
	struct record ring[2][WAITING];
	size_t in_ring[2];
	uint64_t seq[2][CPUS];
	uint64_t now, last; /* time of the newest that came out */
	uint64_t lost;      /* numbers that nobody will see */
	bool nonsense;
} t;

/* The i-th byte of the arguments of that event. */
static uint8_t
arg_byte(uint32_t event, uint64_t i)
{
	return (uint8_t)(event * 31 + i / 251 + i * 7 + 1);
}

static struct cap_head
head_of(enum cap_type type, uint32_t event, uint16_t cpu)
{
	return (struct cap_head){ .type = (uint16_t)type,
		.cpu = cpu,
		.seq = t.seq[type == CAP_CHUNK_DATA][cpu]++,
		.time = t.event[event].time,
		.start = event + 1000,
		.pid = event };
}

/* Into the ring, unless it is lost there; a full one loses it. */
static bool
submit(enum order_ring ring, const void *p, size_t n, const void *data,
    size_t n_data, bool lose)
{
	struct record *r;

	if (lose || t.in_ring[ring] == WAITING) {
		t.lost++;
		return false;
	}
	r = &t.ring[ring][t.in_ring[ring]++];
	r->n = n + n_data;
	r->p = malloc(r->n);
	REQUIRE(r->p != NULL);
	memcpy(r->p, p, n);
	if (n_data > 0)
		memcpy(r->p + n, data, n_data);
	return true;
}

static void
read_one(enum order_ring ring, size_t at)
{
	struct record *r = &t.ring[ring][at];
	struct ops_err err = { 0 };

	if (order_take(t.o, ring, r->p, r->n, &err) < 0)
		/* Pieces, when there are too many that belong to nothing. */
		REQUIRE(err.code == OPS_ENOMEM && ring == ORDER_BULK);
	free(r->p);
	t.in_ring[ring]--;
	memmove(r, r + 1, (t.in_ring[ring] - at) * sizeof(*r));
}

/* -- what happens -- */

static bool
small_event(enum cap_type type, uint32_t number, uint16_t cpu, bool lose)
{
	struct cap_fork f = { .head = head_of(type, number, cpu) };
	struct cap_exit x = { .head = f.head };
	struct cap_failed e = { .head = f.head, .name_n = 3 };

	if (type == CAP_EXIT) {
		x.head.size = sizeof(x);
		return submit(ORDER_HEADS, &x, sizeof(x), NULL, 0, lose);
	}
	if (type == CAP_FAILED) {
		e.head.size = sizeof(e) + 3;
		return submit(ORDER_HEADS, &e, sizeof(e), "ls\xff", 3, lose);
	}
	f.head.size = sizeof(f);
	return submit(ORDER_HEADS, &f, sizeof(f), NULL, 0, lose);
}

/* faults: of the first and the last pages of each. */
static void
pieces(uint32_t number, uint16_t cpu, uint8_t lose, uint8_t faults)
{
	static uint8_t data[CAP_CHUNK];
	uint64_t all = t.event[number].args_len;
	unsigned i = 0;

	for (uint64_t at = 0; at < all; at += CAP_CHUNK, i++) {
		uint32_t n =
		    all - at < CAP_CHUNK ? (uint32_t)(all - at) : CAP_CHUNK;
		struct cap_chunk k = { .head =
					   head_of(CAP_CHUNK_DATA, number, cpu),
			.left = all - at,
			.n = n,
			.faults = faults };

		k.head.size = (uint32_t)sizeof(k) + n;
		for (uint32_t j = 0; j < n; j++)
			data[j] = (faults & 1u << j / CAP_PAGE) != 0
				      ? 0xee /* whatever was there */
				      : arg_byte(number, at + j);
		(void)submit(ORDER_BULK, &k, sizeof(k), data, n,
		    (lose & 1u << i % 8) != 0);
	}
}

static bool
exec_event(uint32_t number, uint16_t cpu, struct fuzz_in *in, bool lose)
{
	static uint8_t data[CAP_ARGS_INLINE + 4];
	struct event *ev = &t.event[number];
	struct cap_exec e = { .head = head_of(CAP_EXEC, number, cpu) };
	uint8_t size = fuzz_byte(in), how = fuzz_byte(in);
	uint32_t n;

	ev->bulk = how & 1;
	ev->args_len = ev->bulk ? (uint64_t)size * 1201 + (how & 6)
				: size * 16u % (CAP_ARGS_INLINE + 1);
	e.args_len = ev->args_len;
	e.flags = ev->bulk ? CAP_ARGS_BULK : 0;
	n = ev->bulk ? 0 : (uint32_t)ev->args_len;
	if (!ev->bulk && how & 2) { /* they couldn't be read to their end */
		n /= 2;
		e.flags |= CAP_ARGS_FAULT;
	}
	for (uint32_t i = 0; i < n; i++)
		data[i] = arg_byte(number, i);
	memcpy(data + n, "exe", 4);
	e.args_end = e.filename_end = e.interp_end = n;
	e.exe_end = e.cwd_end = e.end = n + 4;
	e.head.size = (uint32_t)sizeof(e) + e.end;
	/* The kernel's side sends the pieces first. */
	if (ev->bulk)
		pieces(number, cpu, fuzz_byte(in), how >> 3 & 9);
	return submit(ORDER_HEADS, &e, sizeof(e), data, e.end, lose);
}

static void
happens(struct fuzz_in *in, uint8_t how)
{
	static const uint8_t type[] = { CAP_FORK, CAP_EXEC, CAP_EXIT,
		CAP_FAILED };
	uint32_t number = t.events;
	uint16_t cpu = (uint16_t)(how >> 2) % CPUS;
	bool lose = (how & 0x30) == 0x30, told;

	if (number == EVENTS_MAX)
		return;
	t.events++;
	t.event[number] = (struct event){ .type = type[how & 3],
		.time = how & 0x40 ? t.now : ++t.now };
	told = t.event[number].type == CAP_EXEC
		   ? exec_event(number, cpu, in, lose)
		   : small_event(t.event[number].type, number, cpu, lose);
	t.event[number].lost = !told;
}

/* -- what comes out -- */

static bool
in_hole(const struct order_event *ev, uint64_t i)
{
	for (unsigned h = 0; h < ev->holes; h++)
		if (i >= ev->hole[h].offset &&
		    i - ev->hole[h].offset < ev->hole[h].length)
			return true;
	return false;
}

static void
check_args(const struct order_event *ev, uint32_t number)
{
	uint64_t all = t.event[number].args_len;

	REQUIRE(ev->u->exec.args_len == all && ev->args_n <= all);
	for (unsigned h = 0; h < ev->holes; h++)
		REQUIRE(ev->hole[h].length > 0 &&
			ev->hole[h].offset + ev->hole[h].length <= all);
	for (uint64_t i = 0; i < all; i++) {
		bool hole = in_hole(ev, i);

		if (i >= ev->args_n)
			REQUIRE(hole);
		else if (ev->args[i] != arg_byte(number, i))
			REQUIRE(hole && ev->args[i] == 0);
	}
}

static void
check_event(const struct order_event *ev, uint64_t until)
{
	const struct cap_head *h = &ev->u->head;
	struct event *e = &t.event[h->pid % EVENTS_MAX];

	REQUIRE(((uintptr_t)ev->u & 7) == 0 && ev->n >= sizeof(*h));
	REQUIRE(h->time < until && h->time >= t.last);
	t.last = h->time;
	if (t.nonsense) {
		/* Nothing reads behind its end. */
		for (size_t i = 0; i < ev->args_n; i += 61)
			REQUIRE(ev->args[i] + 1 > 0);
		return;
	}
	REQUIRE(h->pid < t.events && !e->lost && !e->out);
	REQUIRE(h->type == e->type && h->time == e->time);
	e->out = true;
	if (h->type == CAP_EXEC)
		check_args(ev, h->pid);
}

static void
take_until(uint64_t until)
{
	const struct order_event *ev;
	size_t count;

	while ((ev = order_next(t.o, until)) != NULL) {
		count = order_count(t.o);
		REQUIRE(count > 0 && order_next(t.o, until) == ev);
		check_event(ev, until);
		order_done(t.o);
		REQUIRE(order_count(t.o) == count - 1);
	}
}

static void
read_all(void)
{
	while (t.in_ring[ORDER_BULK] > 0)
		read_one(ORDER_BULK, 0);
	while (t.in_ring[ORDER_HEADS] > 0)
		read_one(ORDER_HEADS, 0);
	order_read(t.o, t.now);
}

/* Until the oldest that hasn't been read. */
static uint64_t
oldest(void)
{
	uint64_t until = t.now + 1;

	for (size_t i = 0; i < t.in_ring[ORDER_HEADS]; i++) {
		struct cap_head h;

		memcpy(&h, t.ring[ORDER_HEADS][i].p, sizeof(h));
		if (h.time < until)
			until = h.time;
	}
	return until;
}

/* -- a run -- */

/* Records that no kernel's side would write; from then on only that nothing
 * breaks is looked at. */
static void
nonsense(struct fuzz_in *in)
{
	uint8_t how = fuzz_byte(in), n = fuzz_byte(in);
	static uint8_t b[sizeof(struct cap_exec) + 256];
	size_t size = sizeof(struct cap_head) + 2 * (size_t)n;
	struct cap_head h = { .type = how % 6,
		.cpu = fuzz_byte(in),
		.size = (uint32_t)size - (how >> 6),
		.seq = fuzz_byte(in),
		.time = t.now,
		.pid = fuzz_byte(in) };
	uint8_t *copy;

	t.nonsense = true;
	memset(b, how & 8 ? 0 : 0xff, sizeof(b));
	memcpy(b, &h, sizeof(h));
	fuzz_take(in, b + sizeof(h), in->n < 64 ? in->n : 64);
	if (size > sizeof(b))
		size = sizeof(b);
	copy = malloc(size);
	REQUIRE(copy != NULL);
	memcpy(copy, b, size);
	(void)order_take(
	    t.o, how & 16 ? ORDER_BULK : ORDER_HEADS, copy, size, NULL);
	free(copy);
}

static void
step(struct fuzz_in *in)
{
	uint8_t op = fuzz_byte(in), how = op >> 2;
	enum order_ring ring = how & 1 ? ORDER_BULK : ORDER_HEADS;

	switch (op & 3) {
	case 0:
	case 1:
		happens(in, (uint8_t)(how | (op & 1) << 6));
		break;
	case 2: /* one CPU's may be in front of another's */
		if (t.in_ring[ring] > 0)
			read_one(ring, (size_t)(how >> 1) % t.in_ring[ring]);
		break;
	default:
		if (how == 63) {
			nonsense(in);
		} else if (how >= 56) {
			t.now += ORDER_ARGS_NS / 3;
		} else if (how & 1) {
			read_all();
			take_until(t.now - (how >> 1) % 8);
		} else {
			order_read(t.o, t.now);
			take_until(oldest());
		}
	}
}

static void
finish(void)
{
	uint64_t refused[CAP_TYPES];

	read_all();
	t.now += ORDER_ARGS_NS + PAST;
	order_read(t.o, t.now);
	take_until(t.nonsense ? UINT64_MAX : t.now);
	order_refused(t.o, refused);
	for (int i = 0; i < CAP_TYPES; i++)
		REQUIRE(refused[i] == 0 || i == CAP_CHUNK_DATA);
	if (t.nonsense)
		return;
	REQUIRE(order_count(t.o) == 0);
	for (uint32_t i = 0; i < t.events; i++)
		REQUIRE(t.event[i].out != t.event[i].lost);
	REQUIRE(order_skipped(t.o) <= t.lost);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = { data, size };

	if (size > 2048)
		return 0;
	memset(&t, 0, sizeof(t));
	t.now = 1000 * MS;
	t.o = order_new();
	REQUIRE(t.o != NULL);
	while (in.n > 0) {
		step(&in);
		REQUIRE(order_memory(t.o) <= ORDER_MEMORY);
	}
	finish();
	REQUIRE(t.nonsense || order_memory(t.o) == 0);
	order_free(t.o);
	for (int r = 0; r < 2; r++)
		while (t.in_ring[r] > 0)
			free(t.ring[r][--t.in_ring[r]].p);
	return 0;
}
