/*
 * doorside - any door: any messages at any time, while a shell writes, a person
 * types, the log comes and goes, and the door is stopped or killed.
 *
 * The input is a list of steps, one before each turn of the recorder's real
 * loop, which runs over real terminals and sockets with a clock that stands
 * still but for what it waits.  When the input ends so does the door, and the
 * log is well.  Whatever came before:
 *	- the session ends, in bounded time and turns, and a loop that has
 *	  nothing to wait for never waits;
 *	- a session that was begun is OPEN first and CLOSE last, in the log and
 *	  each once; CLOSE counts the records and has the status the door gave;
 *	- STOP and CONT take turns;
 *	- a door is told to wait once at most, where something is asked, and then to go
 *	  or that it is refused; a session that needs a reason has one, unless the log
 *	  failed;
 *	- what is shown is what was recorded, in its order, and was sent before;
 *	- while the door is stopped the terminal is as the session found it, and
 *	  nothing is shown; and at the end it is so too.
 */
#include "../fuzz.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "ipc/msg.h"
#include "ipc/proto.h"
#include "record/remark.h"
#include "recorder/rec.h"

#define MS UINT64_C(1000000)
#define SHOWN_MAX 65536
#define TURNS_AFTER 5000 /* after the last step; ending takes a few hundred */

static const uint8_t id[OPS_ID_LEN] = "door";
static struct rec r;

/* What is around the recorder. */
static struct {
	struct fuzz_in in;
	uint64_t now;
	unsigned after; /* turns since the input ended */
	int door, door_process, shell, person, sigterm, writer; /* -1: gone */
	char door_state;
	bool reads; /* the person's terminal is emptied */
	bool told;  /* there was a gap, and it was said there */

	/* what the door has said and heard */
	bool stopped; /* its last word about it was STOP */
	unsigned stops, stop_oks;
	bool asked, went, go, exited, bad;
	uint32_t status;

	/* the log */
	bool away, silent, failed, owes_ack;
	uint8_t lean; /* what of REC_STATE comes after 1; 0: nothing */
	uint64_t records, events;
	uint8_t last_mark; /* REC_STOP or REC_CONT */
	bool closed;
	struct event_close close;
	bool has_note, reason;
	uint8_t logged[SHOWN_MAX];
	size_t n_logged, stop_at; /* all, and before the last STOP */

	size_t shown;
	struct termios found; /* modes of the outer terminal at the start */
} w;

/* -- what the recorder asks of the system -- */

int __real_epoll_wait(int epfd, struct epoll_event *ev, int n, int ms);
int __wrap_epoll_wait(int epfd, struct epoll_event *ev, int n, int ms);
int __wrap_msg_connect(const char *path, int *ret, struct ops_err *err);
int __wrap_proc_stat(pid_t pid, struct procstat *ret);
void __wrap_guard_set(struct guard *g, uint64_t now);
void __wrap_guard_rest(struct guard *g);

/* Its timer is libFuzzer's, too. */
void
__wrap_guard_set(struct guard *g, uint64_t now)
{
	g->renew = now;
}

void
__wrap_guard_rest(struct guard *g)
{
	g->renew = 0;
}

int
__wrap_proc_stat(pid_t pid, struct procstat *ret)
{
	(void)pid;
	*ret = (struct procstat){ .state = w.door_state };
	return 0;
}

static void
read_clock(struct ops_clock *ret)
{
	*ret = (struct ops_clock){ .boottime = w.now };
}

static void
make_pair(int pair[static 2])
{
	REQUIRE(
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK,
		0, pair) == 0);
}

static void
let_go(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* -- the writer -- */

static void
say_state(void)
{
	uint8_t state = w.failed ? 0 : (uint8_t)(1 + w.lean);

	(void)msg_send(w.writer, MSG_REC_STATE, &state, 1, NULL, 0, NULL);
}

static void
greet(void)
{
	const struct proto_held h = { w.events > 0, w.closed, w.records,
		w.events };
	uint8_t b[PROTO_HELD_LEN];

	proto_held_encode(&h, b);
	(void)msg_send(w.writer, MSG_REC_HELD, b, sizeof(b), NULL, 0, NULL);
	say_state();
}

static void
take_record(const struct record *rec)
{
	w.records++;
	if (rec->type == REC_OUTPUT) {
		REQUIRE(rec->len <= SHOWN_MAX - w.n_logged);
		memcpy(w.logged + w.n_logged, rec->payload, rec->len);
		w.n_logged += rec->len;
	}
	if (rec->type != REC_STOP && rec->type != REC_CONT)
		return;
	REQUIRE(rec->type != w.last_mark);
	REQUIRE(rec->type == REC_STOP || w.last_mark == REC_STOP);
	w.last_mark = rec->type;
	w.stop_at = w.n_logged;
}

static void
take_records(const struct msg *m)
{
	REQUIRE(ops_getle64(m->p) == w.records && !w.closed);
	for (size_t at = 8; at < m->n;) {
		struct record rec;
		long used = record_decode(m->p + at, m->n - at, &rec, NULL);

		REQUIRE(used > 0);
		take_record(&rec);
		at += (size_t)used;
	}
}

static void
take_event(const struct msg *m)
{
	uint8_t type = m->p[8];
	struct remark note;

	REQUIRE(ops_getle64(m->p) == w.events && !w.closed);
	REQUIRE((type == REC_SESSION_OPEN) == (w.events == 0));
	w.events++;
	if (type == REC_NOTE) {
		REQUIRE(remark_get(m->p + 17, m->n - 17, &note, NULL) == 0);
		REQUIRE(note.kind == REMARK_REASON && !w.has_note);
		w.has_note = true;
		w.reason = note.text.p != NULL;
	}
	if (type != REC_SESSION_CLOSE)
		return;
	REQUIRE(event_close_get(m->p + 17, m->n - 17, &w.close, NULL) == 0);
	REQUIRE(w.close.records == w.records);
	w.closed = true;
}

static void
take_message(const struct msg *m)
{
	if (m->type == MSG_REC_HELLO)
		greet();
	else if (m->type == MSG_REC_RECORDS)
		take_records(m);
	else if (m->type == MSG_REC_EVENT)
		take_event(m);
	w.owes_ack = true;
}

static void
run_writer(void)
{
	static uint8_t buf[MSG_MAX];
	uint8_t ack[16];
	struct msg m;
	int rc;

	while (w.writer >= 0 && (rc = msg_recv(w.writer, buf, &m, NULL)) >= 0) {
		if (rc > 0)
			take_message(&m);
		else
			let_go(&w.writer);
	}
	if (w.writer < 0 || w.silent || !w.owes_ack)
		return;
	w.owes_ack = false;
	ops_putle64(ack, w.records);
	ops_putle64(ack + 8, w.events);
	(void)msg_send(w.writer, MSG_REC_ACK, ack, sizeof(ack), NULL, 0, NULL);
}

int
__wrap_msg_connect(const char *path, int *ret, struct ops_err *err)
{
	int pair[2];

	(void)path;
	if (w.away)
		return ops_fail(err, OPS_EUNAVAIL, "away");
	run_writer(); /* what came before the old one was closed */
	let_go(&w.writer);
	make_pair(pair);
	w.writer = pair[0];
	*ret = pair[1];
	return 0;
}

/* -- what is seen at the outer terminal, and by the door -- */

static bool
as_found(void)
{
	struct termios t;

	return tcgetattr(w.person, &t) == 0 && t.c_lflag == w.found.c_lflag &&
	       t.c_iflag == w.found.c_iflag && t.c_oflag == w.found.c_oflag &&
	       memcmp(t.c_cc, w.found.c_cc, sizeof(t.c_cc)) == 0;
}

static void
look(void)
{
	static const char own[] = "\r\nopseal: ";
	uint8_t p[4096];
	bool given_back =
	    w.stopped && w.stop_oks == w.stops && w.door >= 0 && !w.bad;
	ssize_t n;

	/* What waits has an end, and a command never waits; where nothing is shown
	 * unrecorded there is no gap, unless it is switched off. */
	REQUIRE(!r.outer.gate || r.hold_since != 0);
	REQUIRE(r.terminal || r.hold_since == 0);
	REQUIRE(!r.gap || !r.refuse || r.link.off);
	w.told |= r.noticed || r.gap || r.bytes_lost > 0;
	if (w.person < 0)
		return;
	if (given_back)
		REQUIRE(as_found());
	while (w.reads && (n = read(w.person, p, sizeof(p))) > 0) {
		/* What the log can't take is shown with words of our own; which
		 * may be read only when the gap is over, or has lost nothing. */
		w.told |= memmem(p, (size_t)n, own, sizeof(own) - 1) != NULL;
		if (w.told)
			continue;
		/* The kernel may take its time with what was written before. */
		REQUIRE(!given_back || w.shown + (size_t)n <= w.stop_at);
		REQUIRE((size_t)n <= w.n_logged - w.shown);
		REQUIRE(memcmp(p, w.logged + w.shown, (size_t)n) == 0);
		w.shown += (size_t)n;
	}
}

static void
hear(void)
{
	static uint8_t buf[MSG_MAX];
	struct msg m;
	int rc;

	while (w.door >= 0 && (rc = msg_recv(w.door, buf, &m, NULL)) >= 0) {
		if (rc == 0) {
			let_go(&w.door);
			return;
		}
		if (m.type == DOOR_ASKING) {
			REQUIRE(!w.asked && !w.went && r.ask.mode != ASK_OFF &&
				r.terminal);
			w.asked = true;
			continue;
		}
		REQUIRE((m.type == DOOR_GO || m.type == DOOR_REFUSED ||
			    m.type == DOOR_OFF) == !w.went);
		w.went = true;
		w.go |= m.type == DOOR_GO;
		w.stop_oks += m.type == DOOR_STOP_OK;
		REQUIRE(w.stop_oks <= w.stops);
		if (m.type == DOOR_BYE)
			w.bad = true; /* nothing it says is heard any more */
	}
}

/* -- the steps -- */

static void
send_one(uint16_t type, const void *p, size_t n)
{
	(void)msg_send(w.door, type, p, n, NULL, 0, NULL);
}

static void
say(struct fuzz_in *in, uint8_t how)
{
	uint8_t p[64];
	size_t n;

	if (w.door < 0)
		return;
	fuzz_take(in, p, 4);
	switch (how % 8) {
	case 0:
		send_one(DOOR_WINCH, NULL, 0);
		break;
	case 1:
		w.stopped = true;
		w.stops++;
		send_one(DOOR_STOP, p, 1);
		break;
	case 2:
		w.stopped = false;
		send_one(DOOR_CONT, NULL, 0);
		break;
	case 3:
		send_one(DOOR_CHILD, p, 4);
		break;
	case 4:
		if (!w.exited)
			w.status = ops_getle32(p);
		w.bad |= w.exited;
		w.exited = true;
		send_one(DOOR_EXIT, p, 4);
		break;
	case 5: /* a descriptor with what mustn't have one */
		w.bad = true;
		(void)msg_send(w.door, DOOR_WINCH, NULL, 0, &w.door, 1, NULL);
		break;
	case 6: /* never right by chance, or it would have to be understood */
		w.bad = true;
		n = p[0] % sizeof(p);
		fuzz_take(in, p, sizeof(p));
		p[2] |= 1;
		(void)send(w.door, p, n, MSG_NOSIGNAL);
		break;
	default:
		w.bad = true;
		send_one((uint16_t)(p[0] % 16), p, 2 + p[1] % 2);
	}
}

static void
put(int fd, struct fuzz_in *in, size_t n)
{
	uint8_t p[4096];

	memset(p, fuzz_byte(in), sizeof(p));
	fuzz_take(in, p, n < in->n ? n : in->n);
	/* A full one takes less. */
	if (fd >= 0 && write(fd, p, n * n < sizeof(p) ? n * n : n) < 0)
		return;
}

static void
change_writer(uint8_t how)
{
	switch (how % 4) {
	case 0:
		w.away = !w.away;
		if (w.away)
			let_go(&w.writer);
		break;
	case 1:
		w.silent = !w.silent;
		break;
	case 2:
		/* It fails, or is well again; or takes no screens: the disk is
		 * nearly full, it is switched off, the user is over a limit. */
		if (how < 4)
			w.failed = !w.failed;
		else
			w.lean = w.lean == how / 4 ? 0 : (uint8_t)(how / 4);
		say_state();
		break;
	default:
		let_go(&w.writer);
	}
}

static void
end_something(uint8_t how)
{
	static const uint8_t info[sizeof(struct signalfd_siginfo)];

	switch (how % 4) {
	case 0:
		let_go(&w.person);
		break;
	case 1:
		let_go(&w.shell);
		break;
	case 2:
		REQUIRE(write(w.sigterm, info, sizeof(info)) > 0);
		break;
	default:
		let_go(&w.door_process);
	}
}

/* True if another one comes before the turn. */
static bool
step(void)
{
	struct fuzz_in *in = &w.in;
	uint8_t op = fuzz_byte(in), how = op >> 3 & 15;
	struct winsize size = { .ws_row = how, .ws_col = 80 };

	switch (op & 7) {
	case 0:
	case 1:
		say(in, how);
		break;
	case 2:
		put(w.shell, in, how * 4u);
		break;
	case 3:
		put(w.person, in, how);
		break;
	case 4:
		if (how == 15)
			w.reads = !w.reads;
		else if (w.person >= 0)
			(void)ioctl(w.person, TIOCSWINSZ, &size);
		break;
	case 5:
		w.now += (UINT64_C(1) << how) * MS;
		break;
	case 6:
		change_writer(how);
		break;
	default:
		if (how & 8)
			w.door_state = how & 1 ? 'T' : 'S';
		else if (how & 4) /* rarely: mostly it goes on */
			end_something(how);
	}
	return (op & 0x80) != 0;
}

/* The door ends; then all there is to wait for is time. */
static void
wind_up(void)
{
	if (w.after++ == 0) {
		w.away = w.silent = false;
		w.reads = true;
		w.lean = 0;
		w.failed = false;
		say_state();
	}
	REQUIRE(w.after < TURNS_AFTER);
	if (w.after == 2)
		let_go(&w.door);
	if (w.after == 3)
		let_go(&w.door_process);
}

int
__wrap_epoll_wait(int epfd, struct epoll_event *ev, int n, int ms)
{
	int rc;

	run_writer();
	look();
	hear();
	if (w.in.n == 0)
		wind_up();
	while (w.in.n > 0 && step())
		continue;
	run_writer();
	w.now += MS / 20;
	rc = __real_epoll_wait(epfd, ev, n, 0);
	if (rc != 0 || w.in.n > 0)
		return rc;
	/* Once the door is gone somebody must be waited for, or the time. */
	REQUIRE(ms >= 0 || w.after < 10);
	w.now += ms > 0 ? (uint64_t)ms * MS : 0;
	return 0;
}

/* -- a session -- */

static int
terminal_pair(int *other)
{
	int unlock = 0;
	int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);

	REQUIRE(fd >= 0 && ioctl(fd, TIOCSPTLCK, &unlock) == 0);
	*other =
	    ioctl(fd, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	REQUIRE(*other >= 0);
	return fd;
}

static void
queue_open(void)
{
	const struct event_open e = { .kind = r.terminal ? SESSION_TERMINAL
							 : SESSION_COMMAND,
		.recorder_pid = 1 };
	static uint8_t *memory; /* megabytes, which ASan looks after slowly */
	uint8_t bytes[QUEUE_EVENT_SMALL];
	struct ops_buf b = OPS_BUF_FIXED(bytes);

	event_open_put(&b, id, &e);
	if (memory != NULL)
		r.queue = (struct queue){ .data = memory, .cap = READ_SIZE };
	REQUIRE(!b.failed && queue_room(&r.queue, 0) != NULL);
	memory = r.queue.data;
	REQUIRE(
	    queue_event(&r.queue, REC_SESSION_OPEN, 1, b.data, b.len, 1) == 0);
}

static void
begin(uint8_t how)
{
	static const uint8_t notice[] = "Be told\n\x1b[2J.";
	int pair[2], outer;

	memset(&r, 0, sizeof(r));
	r = (struct rec){ .hold_time = 3000 * MS,
		.master = -1,
		.notify = -1,
		.echo = -1,
		.door = 1,
		.outer = { .fd = -1 },
		.terminal = (how & 3) != 3,
		.keep_input = (how & 4) != 0,
		.refuse = (how & 8) != 0,
		.link = {
		    .fd = -1, .bell = -1, .path = "", .queue = &r.queue } };
	/* Of four: nothing is asked, twice it may be left empty, once root is. */
	r.ask.mode = how >> 4 & 3;
	r.ask.uid = r.ask.mode > ASK_REQUIRED ? 0 : 1000;
	if (r.ask.mode > ASK_REQUIRED)
		r.ask.mode = ASK_REQUIRED;
	if (how & 0x40) {
		memcpy(r.ask.notice, notice, sizeof(notice) - 1);
		r.ask.notice_len = sizeof(notice) - 1;
	}
	r.link.owner = &uplink_owner;
	r.uplink.link = &r.link;
	r.uplink.found = rec_found;
	r.uplink.arg = &r;
	r.link.arg = &r.uplink;
	r.uplink.outer = (struct proto_outer){ .door = 1, .recorder = 1 };
	r.input.sink = (struct input_sink){ copy_keep, copy_mask, &r };
	memcpy(r.id, id, sizeof(id));
	memcpy(r.link.id, id, sizeof(id));
	make_pair(pair);
	r.conn = pair[0];
	w.door = pair[1];
	REQUIRE(pipe2(pair, O_CLOEXEC | O_NONBLOCK) == 0);
	r.pidfd = pair[0];
	w.door_process = pair[1];
	REQUIRE(pipe2(pair, O_CLOEXEC | O_NONBLOCK) == 0);
	r.signals = pair[0];
	w.sigterm = pair[1];
	queue_open();
	if (!r.terminal)
		return;
	r.master = terminal_pair(&w.shell);
	w.person = terminal_pair(&outer);
	/* Without echo: when that is shown is up to the kernel. */
	REQUIRE(tcgetattr(outer, &w.found) == 0);
	w.found.c_lflag &= (tcflag_t)~ECHO;
	REQUIRE(tcsetattr(outer, TCSANOW, &w.found) == 0);
	REQUIRE(outer_init(&r.outer, outer) == 0 && r.outer.private);
}

static void
check_end(int rc)
{
	run_writer();
	look();
	hear();
	REQUIRE(rc == 0 || w.events == 0);
	REQUIRE(w.events == 0 || w.closed);
	if (w.closed && r.terminal && w.close.has_status)
		REQUIRE(w.exited);
	if (w.closed && r.terminal && w.close.why == CLOSE_EXIT)
		REQUIRE(w.close.has_status && w.close.status == w.status);
	if (w.go && r.terminal && r.ask.mode == ASK_REQUIRED && r.ask.uid != 0)
		REQUIRE(w.reason || w.told);
	REQUIRE(w.person < 0 || as_found());
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int *fds[] = { &r.conn, &r.pidfd, &r.master, &r.signals, &r.outer.fd,
		&r.link.fd, &r.epoll, &w.door, &w.door_process, &w.shell,
		&w.person, &w.sigterm, &w.writer };
	uint8_t how;

	if (size > 400)
		return 0;
	memset(&w, 0, sizeof(w));
	w.in = (struct fuzz_in){ data, size };
	w.now = 1000 * MS;
	w.door_state = 'S';
	w.reads = true;
	w.shell = w.person = w.writer = -1;
	how = fuzz_byte(&w.in);
	ops_clock_set(read_clock);
	begin(how);
	check_end(rec_run(&r));
	for (size_t i = 0; i < OPS_ARRAY_LEN(fds); i++)
		let_go(fds[i]);
	return 0;
}
