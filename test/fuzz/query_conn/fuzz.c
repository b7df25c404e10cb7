/*
 * query_conn - any client on control.sock: the real table and handlers of the
 * query role over a store on disk, with the client, the writer and who the
 * kernel says it is in the target's hands.
 *
 * First byte: may the client read everything.  Then messages: a type, how it is
 * made, and its body.  Whatever is asked:
 *	- nothing is answered before a C_HELLO, and each message that isn't the
 *	  client's end gets its one whole answer, of the kind proto.h says;
 *	- no session is listed, no segment and no tail handed out, unless the
 *	  access record was acknowledged by the writer before: for a reader of
 *	  all this connection's, else the one of that very session;
 *	- who may read only his own is shown no other's, by whatever path;
 *	- a descriptor is read-only, of a file in the store, never of keys/;
 *	- who is refused too often is cut off.
 */
#include "../fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../unit/store_build.h"
#include "alert.h"
#include "base/bytes.h"
#include "ipc/proto.h"
#include "logline.h"
#include "procid.h"
#include "query_conn.h"
#include "store/remarks.h"
#include "store/segment.h"
#include "store/session.h"
#include "store/switches.h"
#include "store/visits.h"

#define MINE 1000
#define SESSIONS 3
#define MESSAGES_MAX 32
#define CLIENT 100 /* of /dev/null: nothing is sent for real */
#define WRITER 101

static struct build b;
static char store[] = "/tmp/opseal-fuzz-XXXXXX";
static uint8_t ids[SESSIONS][OPS_ID_LEN];
static const uint32_t uids[SESSIONS] = { MINE, 2000, MINE };
static struct role role;

static struct {
	struct fuzz_in in;
	bool full;
	unsigned messages;

	/* the request that is being answered */
	uint16_t asked; /* 0: none */
	bool answered, refused;
	uint8_t id[OPS_ID_LEN]; /* C_READ, C_TAIL */
	char day[OPS_ID_TEXT_LEN + 32];
	uint32_t parts; /* C_SESSION, or names, or nothing counted */

	bool greeted, all;
	unsigned refusals;
	bool may[SESSIONS];
	/* acknowledged access records of this request */
	bool logged, logged_id[SESSIONS];
	bool noted; /* the same of a note */

	/* the writer */
	uint8_t mode;
	uint16_t to_answer;
	struct event_access access;
} t;

static int
index_of(const uint8_t *id)
{
	for (int i = 0; i < SESSIONS; i++)
		if (memcmp(ids[i], id, OPS_ID_LEN) == 0)
			return i;
	return -1;
}

/* -- what the role asks of the rest -- */

const struct role_info role_table[ROLES] = { [ROLE_WRITER] = {
						 .socket = "record.sock" } };

int
query_who(int conn, uid_t own, struct query_who *ret, struct ops_err *err)
{
	(void)own, (void)err;
	REQUIRE(conn == CLIENT);
	*ret = (struct query_who){ .peer = { 7, MINE, MINE },
		.auid = EVENT_UNSET,
		.user = "ann",
		.way = { .ses = EVENT_UNSET, .self = { 7, 8 } },
		.full = t.full };
	return 0;
}

int
procid_see(pid_t pid, struct procid_seen *ret, struct ops_err *err)
{
	(void)err;
	REQUIRE(pid == 7);
	*ret = (struct procid_seen){ .start = 8, .tty_major = 136 };
	return 0;
}

void
logline_often(const char *fmt, ...)
{
	(void)fmt;
}

/* Who asks here is not root. */
void
alert_tell(enum alert_kind kind, const uint8_t *session, uint64_t count,
    const char *fmt, ...)
{
	(void)kind, (void)session, (void)count, (void)fmt;
	REQUIRE(false);
}

unsigned __wrap_alarm(unsigned seconds);
int __wrap_msg_connect(const char *path, int *ret, struct ops_err *err);
int __wrap_msg_recv(
    int fd, uint8_t buf[static MSG_MAX], struct msg *ret, struct ops_err *err);
int __wrap_msg_send(int fd, uint16_t type, const void *p, size_t n,
    const int *fds, unsigned n_fds, struct ops_err *err);
int __wrap_msg_send2(int fd, uint16_t type, const void *head, size_t head_len,
    const void *p, size_t n, struct ops_err *err);

/* It is libFuzzer's, too. */
unsigned
__wrap_alarm(unsigned seconds)
{
	REQUIRE(seconds > 0);
	return 0;
}

int
__wrap_msg_connect(const char *path, int *ret, struct ops_err *err)
{
	REQUIRE(strcmp(path, "RUN/record.sock") == 0);
	if (t.mode == 3)
		return ops_fail(err, OPS_EUNAVAIL, "nobody is there");
	*ret = dup2(CLIENT, WRITER);
	REQUIRE(*ret == WRITER);
	return 0;
}

/* -- the writer -- */

/* Who it is is what the kernel says; and only what is his own is named, unless he may
 * read all. */
static void
check_note(const uint8_t *p, size_t n)
{
	struct proto_note note;
	int i;

	REQUIRE(t.asked == C_NOTE);
	REQUIRE(proto_note_get(p, n, &note, NULL) == 0);
	REQUIRE(note.uid == MINE && note.pid == 7 && note.start == 8 &&
		note.auid == EVENT_UNSET && note.tty == 136 << 20);
	REQUIRE(memcmp(note.session, t.id, OPS_ID_LEN) == 0);
	i = index_of(note.session);
	REQUIRE(t.full || ops_all_zero(note.session, OPS_ID_LEN) ||
		(i >= 0 && uids[i] == MINE));
}

static void
writer_hears(uint16_t type, const void *p, size_t n)
{
	t.to_answer = type;
	if (type == Q_STATUS)
		return;
	if (type == Q_NOTE) {
		check_note(p, n);
		return;
	}
	REQUIRE(type == Q_ACCESS);
	REQUIRE(event_access_get(p, n, &t.access, NULL) == 0);
	REQUIRE(t.access.uid == MINE && t.access.pid == 7);
	t.refusals += t.access.refused;
}

static void
note_access(void)
{
	int i = index_of(t.access.session);

	if (t.access.refused)
		return;
	if (!t.access.has_session)
		t.logged = true;
	else if (i >= 0)
		t.logged_id[i] = true;
}

static int
writer_says(struct msg *ret, struct ops_err *err)
{
	static const uint8_t text[] = "no space";

	if (t.mode == 1)
		return ops_fail(err, OPS_EBUSY, "time is up");
	if (t.mode == 2)
		return 0;
	*ret = (struct msg){ .type = Q_FAILED, .p = text, .n = 8 };
	if (t.mode == 4)
		return 1;
	if (t.mode == 5) {
		ret->type = Q_FOUND;
		return 1;
	}
	if (t.mode == 6 && t.to_answer == Q_NOTE) {
		*ret = (struct msg){ .type = Q_NOT_NOTED,
			.p = (const uint8_t *)"\6no",
			.n = 3 };
		return 1;
	}
	ret->type = t.to_answer == Q_STATUS ? Q_STATUS_IS : Q_DONE;
	if (t.to_answer == Q_ACCESS)
		note_access();
	t.noted |= t.to_answer == Q_NOTE;
	return 1;
}

/* -- the client: what it is told -- */

static void
may_see(const uint8_t *id)
{
	int i = index_of(id);

	if (t.all)
		return;
	REQUIRE(i >= 0 && t.may[i]);
	REQUIRE(t.full || uids[i] == MINE);
}

static void
check_session(const uint8_t *p, size_t n)
{
	struct session_list l = { 0 };

	REQUIRE(t.asked == C_SESSIONS);
	REQUIRE(session_get(p, n, &l, NULL) == 0 && l.n == 1);
	REQUIRE(t.full ? t.logged : l.s[0].open.uid == MINE);
	session_list_free(&l);
	t.parts++;
}

static void
check_login(const uint8_t *p, size_t n)
{
	struct login_seen l;

	REQUIRE(t.asked == C_LOGINS);
	REQUIRE(login_seen_get(p, n, &l, NULL) == 0);
	REQUIRE(t.full ? t.logged : l.l.uid == MINE || l.l.auid == MINE);
	t.parts++;
}

static void
check_visit(const uint8_t *p, size_t n)
{
	struct visits all = { 0 };

	REQUIRE(t.asked == C_VISITS);
	REQUIRE(visit_get(p, n, &all, NULL) == 0 && all.n == 1);
	REQUIRE(
	    t.full ? t.logged : all.v[0].uid == MINE || all.v[0].auid == MINE);
	visits_free(&all);
	t.parts++;
}

/* They are everybody's. */
static void
check_switched(const uint8_t *p, size_t n)
{
	struct switches all = { 0 };

	REQUIRE(t.asked == C_SWITCHES);
	REQUIRE(switched_get(p, n, &all, NULL) == 0);
	switches_free(&all);
	t.parts++;
}

/* Is what is asked for a list of events, of which some may be missing? */
static bool
counts_missing(void)
{
	return t.asked == C_NOTES || t.asked == C_VISITS ||
	       t.asked == C_SWITCHES;
}

/* Which file is it really? */
static void
check_file(int fd)
{
	char self_fd[64], target[PATH_MAX], *name;
	ssize_t n;
	uint8_t id[OPS_ID_LEN];
	uint32_t number;
	struct stat st;

	REQUIRE(t.asked == C_OPEN);
	REQUIRE(fstat(fd, &st) == 0 && S_ISREG(st.st_mode));
	REQUIRE(write(fd, "", 1) < 0 && errno == EBADF);
	(void)snprintf(self_fd, sizeof(self_fd), "/proc/self/fd/%d", fd);
	n = readlink(self_fd, target, sizeof(target) - 1);
	REQUIRE(n > 0);
	target[n] = '\0';
	REQUIRE(strncmp(target, store, strlen(store)) == 0);
	name = target + strlen(store) + 1;
	REQUIRE(strncmp(name, "keys", 4) != 0);
	if (t.all)
		return;
	if (strncmp(name, "log/", 4) == 0) {
		name = strrchr(name, '/');
		REQUIRE(strcmp(name, "/leaves") == 0 ||
			strcmp(name, "/checkpoint") == 0);
		return;
	}
	REQUIRE(strncmp(name, "data/screen/", 12) == 0);
	REQUIRE(segment_name_parse(strrchr(name, '/') + 1, id, &number) == 0);
	may_see(id);
}

static void
check_names(const uint8_t *p, size_t n)
{
	uint8_t id[OPS_ID_LEN];
	uint32_t number;

	REQUIRE(t.asked == C_LIST && n > 0 && p[n - 1] == '\0');
	for (size_t len; n > 0; p += len, n -= len) {
		const char *name = (const char *)p;

		len = strlen(name) + 1;
		t.parts++;
		if (strncmp(t.day, "data/screen/", 12) == 0 &&
		    segment_name_parse(name, id, &number) == 0)
			may_see(id);
		REQUIRE(t.day[0] != '\0' || strcmp(name, "keys") != 0);
	}
}

static void
check_tail(const uint8_t *p, size_t n)
{
	REQUIRE(t.asked == C_TAIL && n > 8);
	may_see(t.id);
	for (size_t at = 8; at < n; t.parts++) {
		struct record r;
		long used = record_decode(p + at, n - at, &r, NULL);

		REQUIRE(used > 0);
		at += (size_t)used;
	}
}

static void
check_remark(const uint8_t *p, size_t n)
{
	struct remark_list l = { 0 };

	REQUIRE(t.asked == C_NOTES);
	may_see(t.id);
	REQUIRE(remark_seen_get(p, n, &l, NULL) == 0);
	REQUIRE(memcmp(p + 17, t.id, OPS_ID_LEN) == 0);
	remark_list_free(&l);
	t.parts++;
}

static void
check_done(void)
{
	int i = index_of(t.id);

	if (t.asked == C_NOTE) {
		REQUIRE(t.noted);
		return;
	}
	if (t.asked == C_READ_ALL) {
		REQUIRE(t.full && t.logged);
		t.all = true;
		return;
	}
	REQUIRE(t.asked == C_READ);
	if (i < 0) /* there is none; a reader of all may ask */
		REQUIRE(t.full);
	else
		REQUIRE(t.logged_id[i] || t.may[i]);
	if (i >= 0)
		t.may[i] = true;
}

static void
client_hears(
    uint16_t type, const uint8_t *p, size_t n, const int *fds, unsigned n_fds)
{
	REQUIRE(t.asked != 0 && !t.answered);
	REQUIRE((type == C_WELCOME) == (t.asked == C_HELLO));
	REQUIRE(type == C_WELCOME || t.greeted);
	REQUIRE(n_fds == (type == C_FILE ? 1 : 0));
	t.answered = type != C_SESSION && type != C_NAMES &&
		     type != C_TAIL_RECORDS && type != C_NOTE_IS &&
		     type != C_LOGIN && type != C_VISIT && type != C_SWITCHED;
	switch (type) {
	case C_WELCOME:
		REQUIRE(!t.greeted && n == 1 && p[0] == t.full);
		t.greeted = true;
		break;
	case C_STATUS_IS:
		REQUIRE(t.asked == C_STATUS);
		break;
	case C_SESSION:
		check_session(p, n);
		break;
	case C_LOGIN:
		check_login(p, n);
		break;
	case C_VISIT:
		check_visit(p, n);
		break;
	case C_SWITCHED:
		check_switched(p, n);
		break;
	case C_FILE:
		check_file(fds[0]);
		break;
	case C_NAMES:
		check_names(p, n);
		break;
	case C_TAIL_RECORDS:
		check_tail(p, n);
		break;
	case C_NOTE_IS:
		check_remark(p, n);
		break;
	case C_END:
		REQUIRE(t.asked == C_SESSIONS || t.asked == C_LOGINS ||
			t.asked == C_LIST || t.asked == C_TAIL ||
			counts_missing());
		REQUIRE(
		    n == (counts_missing() ? 12 : 4) ||
		    ((t.asked == C_SESSIONS || t.asked == C_LOGINS) && n > 20));
		REQUIRE(ops_getle32(p) == t.parts);
		break;
	case C_DONE:
		check_done();
		break;
	default:
		REQUIRE(type == C_FAILED && n > 1 && p[0] != OPS_OK);
	}
}

/* -- the client: what it says -- */

static size_t
put_path(struct fuzz_in *in, uint8_t how, uint8_t *p)
{
	static const char *const paths[] = { "", "log", "log/1", "log/1/leaves",
		"log/1/checkpoint", "keys", "keys/resume", "keys/log", "data",
		"data/screen", "data/events", "wal", "lock", "..",
		"data/../keys/resume", "/etc/passwd" };
	const struct memfile *f;
	uint8_t len;

	if (how < 16)
		return (size_t)snprintf((char *)p, 256, "%s", paths[how]);
	if (how < 224) { /* a file that is there, or its folder */
		f = &b.mem.file[how / 2 % b.mem.n];
		len = (uint8_t)strlen(f->path);
		if (how & 1)
			len = (uint8_t)(strrchr(f->path, '/') - f->path);
		memcpy(p, f->path, len);
		return len;
	}
	len = fuzz_byte(in);
	fuzz_take(in, p, len);
	return len;
}

static size_t
put_body(struct fuzz_in *in, uint16_t type, uint8_t how, uint8_t *p)
{
	struct ops_buf body = { .max = 4096 };
	struct proto_filter f = { .active = how & 1, .mine = how >> 1 & 1 };
	size_t n;

	switch (type) {
	case C_HELLO:
		memcpy(p, "cat", 3);
		return 3;
	case C_SESSIONS:
	case C_LOGINS:
	case C_VISITS:
		if (how & 4)
			f.user = (struct event_text){ in->p, in->n & 15 };
		proto_filter_put(&body, &f);
		n = body.len;
		memcpy(p, body.data, n);
		ops_buf_free(&body);
		return n;
	case C_NOTE:
		memset(t.id, 0, OPS_ID_LEN);
		if (how & 0x10)
			memcpy(t.id, ids[how % SESSIONS], OPS_ID_LEN);
		memcpy(p, t.id, OPS_ID_LEN);
		memcpy(p + OPS_ID_LEN, "words", 5);
		return OPS_ID_LEN + 5;
	case C_READ:
	case C_TAIL:
	case C_NOTES:
		memcpy(t.id, ids[how % SESSIONS], OPS_ID_LEN);
		t.id[0] ^= how >> 7;
		memcpy(p, t.id, OPS_ID_LEN);
		return OPS_ID_LEN;
	case C_OPEN:
	case C_LIST:
		return put_path(in, how, p);
	default:
		return 0;
	}
}

/* The others, by what is kin to them. */
static uint16_t
variant(uint16_t type, uint8_t how)
{
	if (type == C_TAIL && (how & 0x40) != 0)
		return how & 0x20 ? C_NOTES : C_NOTE;
	if (type == C_SESSIONS && (how & 8) != 0)
		return how & 0x10 ? C_VISITS : C_LOGINS;
	if (type == C_STATUS && (how & 0x10) != 0)
		return C_SWITCHES;
	return type;
}

/* The next message.  0: none. */
static int
client_says(uint8_t buf[static MSG_MAX], struct msg *ret)
{
	static const uint16_t types[] = { C_HELLO, C_STATUS, C_SESSIONS, C_READ,
		C_READ_ALL, C_OPEN, C_LIST, C_TAIL };
	uint8_t what = fuzz_byte(&t.in), how = fuzz_byte(&t.in);
	uint16_t type = variant(types[what % 8], how);
	size_t n = put_body(&t.in, type, how, buf);

	/* The answer before was whole. */
	REQUIRE(t.asked == 0 || t.answered);
	t.asked = 0;
	if (t.in.n == 0 || t.messages++ == MESSAGES_MAX)
		return 0;
	t.mode = what >> 3 & 7;
	if (what >= 0xc0) { /* wrong */
		fuzz_take(&t.in, buf, how % 64);
		n = how % 64;
		type = fuzz_byte(&t.in);
		memcpy(t.id, buf, OPS_ID_LEN);
	}
	memset(t.day, 0, sizeof(t.day));
	memcpy(t.day, buf, n < sizeof(t.day) ? n : sizeof(t.day) - 1);
	t.asked = type;
	t.answered = t.logged = t.noted = false;
	t.parts = 0;
	memset(t.logged_id, 0, sizeof(t.logged_id));
	*ret = (struct msg){ .type = type, .p = buf, .n = n };
	return 1;
}

int
__wrap_msg_recv(
    int fd, uint8_t buf[static MSG_MAX], struct msg *ret, struct ops_err *err)
{
	return fd == CLIENT ? client_says(buf, ret) : writer_says(ret, err);
}

int
__wrap_msg_send(int fd, uint16_t type, const void *p, size_t n, const int *fds,
    unsigned n_fds, struct ops_err *err)
{
	(void)err;
	REQUIRE(n <= MSG_PAYLOAD_MAX);
	if (fd == CLIENT)
		client_hears(type, p, n, fds, n_fds);
	else
		writer_hears(type, p, n);
	return 0;
}

int
__wrap_msg_send2(int fd, uint16_t type, const void *head, size_t head_len,
    const void *p, size_t n, struct ops_err *err)
{
	struct ops_buf both = { .max = MSG_PAYLOAD_MAX };
	int rc;

	ops_buf_put(&both, head, head_len);
	ops_buf_put(&both, p, n);
	REQUIRE(!both.failed);
	rc = __wrap_msg_send(fd, type, both.data, both.len, NULL, 0, err);
	ops_buf_free(&both);
	return rc;
}

/* -- the store -- */

static void
remove_store(void)
{
	char path[256];

	for (size_t i = 0; i < b.mem.n; i++) {
		(void)snprintf(
		    path, sizeof(path), "%s/%s", store, b.mem.file[i].path);
		(void)unlink(path);
	}
	/* Its folders, from the inside. */
	for (size_t i = 0; i < b.mem.n; i++) {
		(void)snprintf(
		    path, sizeof(path), "%s/%s", store, b.mem.file[i].path);
		for (char *s; (s = strrchr(path, '/')) != NULL;) {
			*s = '\0';
			(void)rmdir(path);
		}
	}
	build_free(&b);
}

static void
save(const struct memfile *f)
{
	char path[256];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", store, f->path);
	for (char *s = path + strlen(store); (s = strchr(s + 1, '/')) != NULL;
	     *s = '/') {
		*s = '\0';
		(void)mkdir(path, 0700);
	}
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	REQUIRE(fd >= 0 && write(fd, f->data, f->len) == (ssize_t)f->len);
	close(fd);
}

static void
make_store(void)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	size_t s[SESSIONS];

	REQUIRE(dup2(null, CLIENT) == CLIENT && close(null) == 0);
	build_init(&b);
	build_boot(&b, BOOT_FIRST, NULL);
	for (size_t i = 0; i < SESSIONS; i++) {
		s[i] = build_stream(&b, CLASS_SCREEN);
		build_open(&b, s[i], uids[i], "user", "pts/1", "ls|-l");
		build_output(&b, s[i], "some output");
		build_remark(&b, s[i], REMARK_NOTE, "a note");
		memcpy(ids[i], b.stream[s[i]].id, OPS_ID_LEN);
	}
	build_sync(&b);
	build_close(&b, s[0], CLOSE_CLOSED);
	build_frames(&b);
	build_seal(&b, false, false);
	build_checkpoint(&b);
	build_output(&b, s[2], "not sealed yet");
	build_sync(&b);
	mem_put(&b.mem, "keys/resume", "secret", 6);
	mem_put(&b.mem, "keys/log", "secret", 6);
	REQUIRE(mkdtemp(store) != NULL);
	for (size_t i = 0; i < b.mem.n; i++)
		save(&b.mem.file[i]);
	role = (struct role){ .store = store, .run = "RUN" };
	REQUIRE(atexit(remove_store) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (b.mem.n == 0)
		make_store();
	memset(&t, 0, sizeof(t));
	t.in = (struct fuzz_in){ data, size };
	t.full = fuzz_byte(&t.in) & 1;
	query_conn_serve(&role, CLIENT);
	REQUIRE(t.refusals <= QUERY_REFUSALS_MAX + 1); /* one of a path */
	return 0;
}
