/*
 * bench-store - writes a store with many programs in it, as fast as the writer
 * takes them.  What is in them follows from their number.
 *
 * usage: bench-store DIR PROGRAMS SESSIONS [AT_ONCE]
 *
 * AT_ONCE sessions (100) go on at a time; 0: all of them, all the time.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "record/event.h"
#include "record/login.h"
#include "record/program.h"
#include "record/record.h"
#include "store/writer.h"

#define USERS 20 /* each a person, too: person-0 to person-19 */
#define FIRST_UID 1000
/* Audit sessions: of the sessions by their number, then one of each user without
 * a session. */
#define FIRST_SES 100

static struct writer *w;
static uint8_t programs_id[OPS_ID_LEN] = { 0xb0 };
static uint64_t next, ticket;
static uint64_t sessions, at_once = 100, each; /* each: programs */

static void
die(const char *what, const struct ops_err *err)
{
	(void)fprintf(stderr, "bench-store: %s: %s\n", what, err->msg);
	exit(1);
}

static void
nap(void)
{
	const struct timespec t = { 0, 1000000 };

	(void)nanosleep(&t, NULL);
}

static void
session_id(uint64_t n, uint8_t id[static OPS_ID_LEN])
{
	memset(id, 0, OPS_ID_LEN);
	id[0] = 0x5e;
	for (int i = 0; i < 8; i++)
		id[OPS_ID_LEN - 1 - i] = (uint8_t)(n >> (8 * i));
}

static void
put_event(uint8_t type, const struct ops_buf *b)
{
	struct ops_err err = { 0 };

	while (writer_put_event(w, type, ops_boottime(), b->data, b->len,
		   &ticket, &err) < 0) {
		if (err.code != OPS_EBUSY)
			die("event", &err);
		nap();
	}
}

static void
put_login(uint64_t user, uint32_t ses)
{
	struct ops_buf b = { .max = RECORD_PAYLOAD_MAX };
	char person[32];
	int len = snprintf(person, sizeof(person), "person-%u", (unsigned)user);
	struct login l = { .auid = FIRST_UID + (uint32_t)user,
		.ses = ses,
		.pid = ses,
		.start = 1,
		.uid = FIRST_UID + (uint32_t)user,
		.user = { (const uint8_t *)"someone", 7 },
		.service = { (const uint8_t *)"sshd", 4 },
		.method = { (const uint8_t *)"publickey", 9 },
		.person = { (const uint8_t *)person, (size_t)len },
		.how = LOGIN_MAP };

	login_put(&b, &l);
	put_event(REC_LOGIN, &b);
	ops_buf_free(&b);
}

static void
put_session(uint64_t n)
{
	struct ops_buf b = { .max = RECORD_PAYLOAD_MAX };
	uint8_t id[OPS_ID_LEN];
	struct event_open o = { .kind = SESSION_TERMINAL,
		.uid = FIRST_UID + (uint32_t)(n % USERS),
		.auid = FIRST_UID + (uint32_t)(n % USERS),
		.ses = FIRST_SES + (uint32_t)n,
		.user = { (const uint8_t *)"someone", 7 },
		.recorder_pid = 77,
		.recorder_start = 88 };
	struct event_close c = { .state = CLOSE_CLOSED, .why = CLOSE_EXIT };

	put_login(n % USERS, o.ses);
	session_id(n, id);
	event_open_put(&b, id, &o);
	put_event(REC_SESSION_OPEN, &b);
	ops_buf_reset(&b);
	event_close_put(&b, id, &c);
	put_event(REC_SESSION_CLOSE, &b);
	ops_buf_free(&b);
}

static void
put_record(struct ops_buf *out, uint8_t type, const struct ops_buf *body)
{
	struct record r = { .type = type,
		.time = ops_boottime(),
		.payload = body->data,
		.len = body->len };
	uint8_t bytes[RECORD_MAX];

	ops_buf_put(out, bytes, record_encode(&r, bytes));
}

/* Groups of sessions, one after the other; their programs in turn. */
static uint64_t
session_of(uint64_t n)
{
	uint64_t group = at_once * each;

	return (n / group * at_once + n % at_once) % sessions;
}

/* One ran and ended: of 200 names, 50 terminals, one in 50 failing, one in 50 of a
 * login without a session. */
static void
put_program(struct ops_buf *out, uint64_t n)
{
	struct ops_buf b = { .max = RECORD_PAYLOAD_MAX };
	char exe[64], args[128];
	uint8_t id[OPS_ID_LEN] = { 0 };
	struct program_exec e = { .pid = 2 + (uint32_t)(n % 30000),
		.start = ops_boottime(),
		.ppid = 1,
		.uid = FIRST_UID + (uint32_t)(n % USERS),
		.euid = n % 97 == 0 ? 0 : FIRST_UID + (uint32_t)(n % USERS),
		.auid = FIRST_UID + (uint32_t)(n % USERS),
		.ses = FIRST_SES + (uint32_t)(sessions + n % USERS),
		.tty = 136u << 20 | (uint32_t)(n % 50),
		.argc = 3,
		.exe_mode = 0755,
		.comm = { (const uint8_t *)"tool", 4 },
		.cwd = { (const uint8_t *)"/home/someone/project", 21 } };
	struct program_ended end = { .pid = e.pid,
		.start = e.start,
		.status = n % 50 == 7 ? 0x100 : 0,
		.utime = n % 1000 * 1000,
		.maxrss = 4000 + n % 100 };
	int len;

	if (sessions > 0 && n % 50 != 3) {
		session_id(session_of(n), id);
		e.joined = JOINED_DESCENT;
		e.ses = FIRST_SES + (uint32_t)session_of(n);
	}
	len = snprintf(
	    exe, sizeof(exe), "/usr/bin/tool-%u", (unsigned)(n * 7 % 200));
	e.exe = (struct event_text){ (const uint8_t *)exe, (size_t)len };
	len = snprintf(args, sizeof(args),
	    "tool-%u%c--number=%" PRIu64 "%cfile%u.txt",
	    (unsigned)(n * 7 % 200), 0, n, 0, (unsigned)(n % 1000));
	e.args = (struct event_text){ (const uint8_t *)args, (size_t)len + 1 };
	e.args_len = e.args.n;
	program_exec_put(&b, id, &e);
	put_record(out, REC_EXEC, &b);
	ops_buf_reset(&b);
	program_ended_put(&b, id, &end);
	put_record(out, REC_ENDED, &b);
	ops_buf_free(&b);
}

static void
put_all(uint64_t programs)
{
	struct ops_buf out = { .max = 1 << 20 };
	struct ops_err err = { 0 };

	for (uint64_t n = 0; n < programs;) {
		uint64_t first = next;

		ops_buf_reset(&out);
		for (int i = 0; i < 64 && n < programs; i++, n++) {
			put_program(&out, n);
			next += 2;
		}
		while (writer_put_records(w, programs_id, first, out.data,
			   out.len, &ticket, &err) < 0) {
			if (err.code != OPS_EBUSY)
				die("records", &err);
			nap();
		}
	}
	ops_buf_free(&out);
}

int
main(int argc, char **argv)
{
	const struct writer_opts o = {
		.machine_id = "bench", .boot_id = { 1 }, .note = "bench"
	};
	struct ops_err err = { 0 };
	struct vfs *v;
	uint64_t programs;

	if (argc != 4 && argc != 5) {
		(void)fprintf(stderr,
		    "usage: bench-store DIR PROGRAMS SESSIONS [AT_ONCE]\n");
		return 2;
	}
	programs = strtoull(argv[2], NULL, 10);
	sessions = strtoull(argv[3], NULL, 10);
	if (argc == 5)
		at_once = strtoull(argv[4], NULL, 10);
	if (at_once == 0 || at_once > sessions)
		at_once = sessions;
	each = sessions == 0 || programs < sessions ? 1 : programs / sessions;
	if (mkdir(argv[1], 0700) < 0 && errno != EEXIST) {
		perror(argv[1]);
		return 1;
	}
	if (vfs_dir_new(argv[1], &v, &err) < 0 ||
	    writer_open(v, &o, &w, &err) < 0 ||
	    writer_programs(w, programs_id, &err) < 0)
		die("open", &err);
	for (uint64_t n = 0; n < USERS; n++)
		put_login(n, FIRST_SES + (uint32_t)(sessions + n));
	for (uint64_t n = 0; n < sessions; n++)
		put_session(n);
	put_all(programs);
	if (writer_close(w, &err) < 0)
		die("close", &err);
	vfs_free(v);
	return 0;
}
