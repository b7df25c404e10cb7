/*
 * heard - a door hears any datagram in any state.
 *
 * First byte: the state; then the datagram, or one of the door's own: its type,
 * length and bytes.  It is taken exactly where proto.h allows it, and then one
 * thing was heard; a byte more or less, or a descriptor with it, and it isn't
 * taken.  What isn't changes nothing, and a refusal can be printed.
 */
#include "../fuzz.h"

#include <stdbool.h>
#include <unistd.h>

#include "base/bytes.h"
#include "heard.h"
#include "ipc/proto.h"
#include "record/event.h"

#define STATES 3
#define REFUSED_MAX 200

static unsigned
count(const struct heard *h)
{
	return (unsigned)h->go + h->asking + h->stop_ok + h->bye + h->end +
	       h->off;
}

/* As proto.h says it. */
static bool
is_allowed(enum heard_state state, const struct msg *m)
{
	switch (m->type) {
	case DOOR_GO:
		return state == HEARD_ASKED && m->n == OPS_ID_LEN + 1;
	case DOOR_ASKING:
		return state == HEARD_ASKED && m->n == 0;
	case DOOR_OFF:
		return state == HEARD_ASKED && m->n <= HEARD_WHY;
	case DOOR_STOP_OK:
		return state == HEARD_STOPPING && m->n == 0;
	case DOOR_BYE:
	case DOOR_END:
		return state != HEARD_ASKED && m->n == 1;
	default:
		return false;
	}
}

static void
check_refusal(const char *msg)
{
	for (const uint8_t *p = (const uint8_t *)msg; *p != '\0'; p++)
		REQUIRE(*p >= ' ' && *p != 0x7f);
}

static void
check_heard(uint16_t type, const struct heard *h)
{
	REQUIRE(count(h) == 1);
	REQUIRE(h->go == (type == DOOR_GO));
	REQUIRE(h->asking == (type == DOOR_ASKING));
	REQUIRE(h->stop_ok == (type == DOOR_STOP_OK));
	REQUIRE(h->bye == (type == DOOR_BYE));
	REQUIRE(h->end == (type == DOOR_END));
	REQUIRE(h->off == (type == DOOR_OFF));
	REQUIRE(strnlen(h->why, sizeof(h->why)) <= HEARD_WHY);
	check_refusal(h->why);
}

static void
hear(enum heard_state state, struct msg m)
{
	struct heard h = { 0 }, all = { .go = true,
		.asking = true,
		.stop_ok = true,
		.bye = true,
		.end = true,
		.off = true };
	struct ops_err err = { 0 };
	struct msg copy = m;
	bool refusal = m.type == DOOR_REFUSED && state == HEARD_ASKED &&
		       m.n <= REFUSED_MAX && m.fds == 0;

	if (heard_take(&h, state, &m, &err) == 0) {
		REQUIRE(is_allowed(state, &copy) && copy.fds == 0);
		check_heard(copy.type, &h);
		REQUIRE(h.refused == (h.bye && copy.p[0] == CLOSE_LOG_FAILURE));
	} else {
		REQUIRE(!is_allowed(state, &copy) || copy.fds > 0);
		REQUIRE(count(&h) == 0);
		REQUIRE(err.code == (refusal ? OPS_EPERM : OPS_EFORMAT));
		check_refusal(err.msg);
	}
	REQUIRE(m.fds == 0);
	/* What was heard before stays. */
	copy.fds = 0;
	(void)heard_take(&all, state, &copy, NULL);
	REQUIRE(count(&all) == 6);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = { data, size };
	enum heard_state state = fuzz_byte(&in) % STATES;
	struct msg m = { .fd = { -1, -1, -1, -1 } };

	if (in.n > MSG_MAX)
		return 0;
	if (msg_parse(in.p, in.n, &m, NULL) == 0)
		hear(state, m);
	/* The head is hard to guess. */
	m = (struct msg){ .type = fuzz_byte(&in) % 16,
		.fd = { -1, -1, -1, -1 } };
	m.p = in.p;
	m.n = in.n;
	hear(state, m);
	m.fds = 1;
	m.fd[0] = dup(STDERR_FILENO);
	hear(state, m);
	return 0;
}
