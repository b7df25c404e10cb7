#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "ipc/msg.h"
#include "ipc/proto.h"
#include "rec.h"

/* The connection's states, for the table of messages. */
enum { ASKED, GOING, STOPPED };
#define ALIVE (1u << GOING | 1u << STOPPED)

int
doorside_tell(struct rec *r, uint16_t type, const void *p, size_t n)
{
	if (r->conn < 0)
		return -1;
	return msg_send(r->conn, type, p, n, NULL, 0, NULL);
}

static int
got_winch(void *conn, struct msg *m, struct ops_err *err)
{
	(void)m, (void)err;
	copy_size(conn);
	return 0;
}

static int
got_stop(void *conn, struct msg *m, struct ops_err *err)
{
	struct rec *r = conn;

	(void)err;
	/* It crossed the end, which a stopped session would never come to; the
	 * door, which waits for an answer, gets its DOOR_BYE. */
	if (r->phase != RUNNING)
		return 0;
	copy_record(r, REC_STOP, m->p, 1);
	copy_flush(r);
	outer_restore(&r->outer);
	r->stopped = true;
	doorside_tell(r, DOOR_STOP_OK, NULL, 0);
	return 0;
}

/* Not if it was stopped or killed since it sent what we read only now: a shell
 * has the terminal by then.  The connection wouldn't tell, a child of the door
 * has it too until it executes the command. */
static bool
door_goes_on(const struct rec *r)
{
	struct pollfd pfd = { .fd = r->pidfd, .events = POLLIN };
	struct procstat st;

	if (poll(&pfd, 1, 0) != 0)
		return false;
	return proc_stat(r->door, &st) < 0 || st.state != 'T';
}

/* After DOOR_STOP; or somebody had stopped the door, and a shell had the
 * terminal since. */
static int
got_cont(void *conn, struct msg *m, struct ops_err *err)
{
	struct rec *r = conn;
	struct termios modes;

	(void)m, (void)err;
	if (!door_goes_on(r)) {
		r->paused = true; /* another one comes when it is continued */
		return 0;
	}
	if (r->stopped) {
		copy_record(r, REC_CONT, NULL, 0);
		if (tcgetattr(r->outer.fd, &modes) == 0)
			r->outer.modes = modes;
	}
	/* What was reported meanwhile had every right to the terminal. */
	if (r->stopped)
		uplink_outer(&r->uplink, r->now);
	r->stopped = r->paused = false;
	outer_raw(&r->outer);
	copy_size(r);
	copy_flush(r);
	return 0;
}

static int
got_child(void *conn, struct msg *m, struct ops_err *err)
{
	(void)conn, (void)m, (void)err; /* for capture, which has it proven */
	return 0;
}

static int
got_exit(void *conn, struct msg *m, struct ops_err *err)
{
	struct rec *r = conn;

	/* The records have its end once, and CLOSE says the same. */
	if (r->has_status)
		return ops_fail(err, OPS_EFORMAT, "the shell has ended before");
	r->has_status = true;
	r->status = ops_getle32(m->p);
	rec_end(r, CLOSE_EXIT);
	return 0;
}

static unsigned
state_of(const struct rec *r)
{
	if (r->phase == STARTING || r->phase == ASKING)
		return ASKED;
	return r->stopped ? STOPPED : GOING;
}

void
doorside_read(struct rec *r)
{
	static const struct msg_rule rules[] = {
		{ DOOR_WINCH, "DOOR_WINCH", ALIVE, 0, 0, 0, 0, got_winch },
		{ DOOR_STOP, "DOOR_STOP", 1u << GOING, 1, 1, 0, 0, got_stop },
		{ DOOR_CONT, "DOOR_CONT", ALIVE, 0, 0, 0, 0, got_cont },
		{ DOOR_CHILD, "DOOR_CHILD", ALIVE, 4, 4, 0, 0, got_child },
		{ DOOR_EXIT, "DOOR_EXIT", ALIVE, 4, 4, 0, 0, got_exit },
	};
	static uint8_t buf[MSG_MAX];
	struct ops_err err;
	struct msg m;
	int rc;

	while (r->conn >= 0) {
		rc = msg_recv(r->conn, buf, &m, &err);
		if (rc < 0 && err.code == OPS_EBUSY)
			return;
		if (rc == 1)
			rc = msg_dispatch(rules, OPS_ARRAY_LEN(rules),
			    state_of(r), r, &m, &err);
		else
			rc = -1;
		if (rc < 0) {
			rec_close(r, SLOT_DOOR, &r->conn);
			/* A command's door leaves as soon as it may go. */
			if (r->terminal || r->phase <= ASKING)
				r->door_gone = true;
		}
	}
}
