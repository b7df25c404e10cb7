#include "heard.h"

#include <string.h>

#include "base/bytes.h"
#include "base/text.h"
#include "ipc/proto.h"
#include "record/event.h"

#define IN(state) (1u << (state))
#define GOES_ON (IN(HEARD_RUNNING) | IN(HEARD_STOPPING))
#define REFUSED_MAX 200 /* bytes of text */

static int
got_go(void *conn, struct msg *m, struct ops_err *err)
{
	struct heard *h = conn;

	(void)m, (void)err;
	h->go = true;
	return 0;
}

static int
got_asking(void *conn, struct msg *m, struct ops_err *err)
{
	struct heard *h = conn;

	(void)m, (void)err;
	h->asking = true;
	return 0;
}

/* The reason is the daemon's; that it can be printed is up to ops_fail(). */
static int
got_refused(void *conn, struct msg *m, struct ops_err *err)
{
	(void)conn;
	return ops_fail(err, OPS_EPERM, "%.*s", (int)m->n, (const char *)m->p);
}

static int
got_stop_ok(void *conn, struct msg *m, struct ops_err *err)
{
	struct heard *h = conn;

	(void)m, (void)err;
	h->stop_ok = true;
	return 0;
}

static int
got_bye(void *conn, struct msg *m, struct ops_err *err)
{
	struct heard *h = conn;

	(void)err;
	h->bye = true;
	h->refused |= m->p[0] == CLOSE_LOG_FAILURE;
	return 0;
}

static int
got_end(void *conn, struct msg *m, struct ops_err *err)
{
	struct heard *h = conn;

	(void)m, (void)err;
	h->end = true;
	return 0;
}

/* One that doesn't fit, escaped, is left out. */
static int
got_off(void *conn, struct msg *m, struct ops_err *err)
{
	struct heard *h = conn;
	uint8_t text[HEARD_WHY] = { 0 };
	struct ops_buf b = OPS_BUF_FIXED(text);

	(void)err;
	ops_escape(&b, m->p, m->n);
	h->off = true;
	memcpy(h->why, text, b.failed ? 0 : b.len);
	h->why[b.failed ? 0 : b.len] = '\0';
	return 0;
}

/* clang-format off */
static const struct msg_rule rules[] = {
	/* type          name            states              min             max             fds   handler */
	{ DOOR_GO,      "DOOR_GO",      IN(HEARD_ASKED),    OPS_ID_LEN + 1, OPS_ID_LEN + 1, 0, 0, got_go },
	{ DOOR_ASKING,  "DOOR_ASKING",  IN(HEARD_ASKED),    0,              0,              0, 0, got_asking },
	{ DOOR_REFUSED, "refused",      IN(HEARD_ASKED),    0,              REFUSED_MAX,    0, 0, got_refused },
	{ DOOR_OFF,     "DOOR_OFF",     IN(HEARD_ASKED),    0,              HEARD_WHY,      0, 0, got_off },
	{ DOOR_STOP_OK, "DOOR_STOP_OK", IN(HEARD_STOPPING), 0,              0,              0, 0, got_stop_ok },
	{ DOOR_BYE,     "DOOR_BYE",     GOES_ON,            1,              1,              0, 0, got_bye },
	{ DOOR_END,     "DOOR_END",     GOES_ON,            1,              1,              0, 0, got_end },
};
/* clang-format on */

int
heard_take(struct heard *ret, enum heard_state state, struct msg *m,
    struct ops_err *err)
{
	return msg_dispatch(rules, OPS_ARRAY_LEN(rules), state, ret, m, err);
}
