/* opseal off, opseal on - recording is switched off, and on again. */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/doorpolicy.h"
#include "base/io.h"
#include "cli.h"
#include "hostfile.h"
#include "installed.h"
#include "ipc/msg.h"
#include "ipc/proto.h"
#include "offlog.h"
#include "record/event.h"
#include "store/offswitch.h"

#define ANSWER_SECONDS 30
#define DOOR OPSEAL_SYSCONFDIR "/door"
#define HOST_STORE "/var/lib/opseal"

/* -- who -- */

static void
name_of(uid_t uid, char out[static OFFSWITCH_NAME + 1])
{
	const struct passwd *pw = getpwuid(uid);

	if (pw != NULL && strlen(pw->pw_name) <= OFFSWITCH_NAME &&
	    offswitch_check_reason(pw->pw_name, strlen(pw->pw_name), NULL) == 0)
		memcpy(out, pw->pw_name, strlen(pw->pw_name) + 1);
}

static uint32_t
login_uid(void)
{
	struct ops_buf b = { .max = 32 };
	unsigned long uid = EVENT_UNSET;

	if (ops_read_file(AT_FDCWD, "/proc/self/loginuid", 0, &b, NULL) == 0) {
		ops_buf_put8(&b, '\0');
		if (!b.failed)
			uid = strtoul((const char *)b.data, NULL, 10);
	}
	ops_buf_free(&b);
	return uid < EVENT_UNSET ? (uint32_t)uid : EVENT_UNSET;
}

/* The daemon asks the kernel for the numbers itself. */
static void
fill_who(struct offswitch *s)
{
	struct ops_clock now;

	ops_clock_read(&now);
	s->realtime = now.realtime;
	s->has_who = true;
	s->uid = getuid();
	s->auid = login_uid();
	name_of(s->uid, s->user);
	if (s->auid != EVENT_UNSET)
		name_of(s->auid, s->login);
}

/* -- with a daemon -- */

/* What it answered, enum proto_switched; text: its words. */
static int
take_answer(const struct msg *m, char *text, size_t size, struct ops_err *err)
{
	size_t skip = m->type == MSG_SWITCHED ? 1 : 0;

	if (m->n < skip || (m->type != MSG_SWITCHED && m->type != Q_FAILED))
		return ops_fail(err, OPS_EFORMAT,
		    "the daemon answers with message %u", m->type);
	(void)snprintf(
	    text, size, "%.*s", (int)(m->n - skip), (const char *)m->p + skip);
	if (m->type == Q_FAILED)
		return ops_fail(err, OPS_EUNAVAIL, "%s", text);
	return m->p[0];
}

static int
ask(int fd, const struct offswitch *s, char *text, size_t size,
    struct ops_err *err)
{
	const struct timeval wait = { .tv_sec = ANSWER_SECONDS };
	struct ops_buf b = { .max = OFFSWITCH_MAX };
	static uint8_t buf[MSG_MAX];
	struct msg m;
	int rc;

	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	offswitch_put(&b, s, 0);
	rc = ops_buf_check(&b, "switch", err);
	if (rc == 0)
		rc = msg_send(fd, MSG_SWITCH, b.data, b.len, NULL, 0, err);
	ops_buf_free(&b);
	if (rc < 0)
		return -1;
	rc = msg_recv(fd, buf, &m, err);
	if (rc <= 0)
		return ops_fail(err, OPS_EUNAVAIL,
		    "the daemon gives no answer: opseal status says whether "
		    "it is off");
	msg_close_fds(&m);
	return take_answer(&m, text, size, err);
}

/* -- without one -- */

/* What is made is to be the store's owner's. */
static int
become_owner(const char *store, struct ops_err *err)
{
	struct stat st;

	if (stat(store, &st) < 0)
		return ops_fail_errno(err, "%.150s", store);
	if (st.st_uid == geteuid())
		return 0;
	if (geteuid() != 0)
		return ops_fail(
		    err, OPS_EPERM, "only root switches recording off and on");
	if (setegid(st.st_gid) < 0 || seteuid(st.st_uid) < 0)
		return ops_fail_errno(err, "%.150s: its owner", store);
	return 0;
}

/* As take_answer(): what is there now goes to text. */
static int
switch_store(struct vfs *v, const struct offswitch *s, char *text, size_t size,
    struct ops_err *err)
{
	int rc = offlog_switch(v, s, text, size, err);

	if (rc < 0 && err->code == OPS_EBUSY)
		return ops_fail(err, OPS_EBUSY,
		    "an opseald writes this store, though none answers: --run "
		    "says where");
	return rc;
}

/* The doors go by it as long as no daemon answers.  One that was never made says
 * "continue", and so nothing of this. */
static int
tell_doors(const struct offswitch *s, struct ops_err *err)
{
	struct ops_buf b = { .max = DOORPOLICY_MAX };
	struct hostfile f = { 0 };
	struct doorpolicy p;
	char by[OFFSWITCH_BY];
	int rc;

	if (hostfile_read(DOOR, DOORPOLICY_MAX, &f, err) < 0)
		return -1;
	if (f.real == NULL || doorpolicy_parse((const char *)f.bytes.data,
				  f.bytes.len, &p, NULL) < 0) {
		hostfile_free(&f);
		return 0;
	}
	offswitch_by(s, by);
	p.off[0] = '\0';
	if (s->off)
		(void)snprintf(
		    p.off, sizeof(p.off), "by %s: %s", by, s->reason);
	doorpolicy_put(&b, &p);
	rc = ops_buf_check(&b, DOOR, err);
	if (rc == 0)
		rc = hostfile_replace(&f, b.data, b.len, 0644, err);
	ops_buf_free(&b);
	hostfile_free(&f);
	return rc;
}

static int
without_daemon(const struct cli *cli, const struct offswitch *s, char *text,
    size_t size, struct ops_err *err)
{
	const char *store = cli->store_dir;
	uid_t uid = geteuid();
	gid_t gid = getegid();
	struct vfs *v = NULL;
	int rc = -1;

	/* Of which store that daemon is, only it could say. */
	if (!cli->direct && strcmp(cli->run_dir, "/run/opseal") != 0)
		return ops_fail(err, OPS_EUNAVAIL,
		    "no daemon answers in %.80s; --store says which store it "
		    "would write",
		    cli->run_dir);
	if (become_owner(store, err) == 0 && vfs_dir_new(store, &v, err) == 0)
		rc = switch_store(v, s, text, size, err);
	vfs_free(v);
	if (uid == 0 && (seteuid(uid) < 0 || setegid(gid) < 0))
		return ops_fail_errno(err, "root again");
	if (rc > 0 && uid == 0 && strcmp(store, HOST_STORE) == 0 &&
	    tell_doors(s, err) < 0)
		return -1;
	return rc;
}

/* -- both -- */

static int
do_switch(const struct cli *cli, const struct offswitch *s, bool *daemon,
    char *text, size_t size, struct ops_err *err)
{
	char path[4096];
	int fd, rc;
	int n = snprintf(path, sizeof(path), "%s/record.sock", cli->run_dir);

	if (n < 0 || (size_t)n >= sizeof(path))
		return ops_fail(
		    err, OPS_EUSAGE, "%.80s: too long", cli->run_dir);
	*daemon = msg_connect(path, &fd, err) == 0;
	if (!*daemon && (err->sys == EACCES || err->sys == EPERM))
		return ops_fail(
		    err, OPS_EPERM, "only root switches recording off and on");
	if (!*daemon && err->code == OPS_EUNAVAIL) {
		*err = (struct ops_err){ 0 };
		return without_daemon(cli, s, text, size, err);
	}
	if (!*daemon)
		return -1;
	rc = ask(fd, s, text, size, err);
	close(fd);
	return rc;
}

static void
say_ends(const struct cli *cli)
{
	cli_note(cli,
	    "capture is still ending: programs that begin now may be in the "
	    "log");
}

static int
run(struct cli *cli, struct offswitch *s)
{
	struct ops_err err = { 0 };
	char text[512] = "";
	bool daemon = false;
	int rc;

	fill_who(s);
	rc = do_switch(cli, s, &daemon, text, sizeof(text), &err);
	if (rc < 0)
		return cli_fail(cli, &err);
	if (s->off && (rc == SWITCHED_NOTHING || rc == SWITCHED_NOTHING_ENDS)) {
		cli_note(cli,
		    "it is switched off already, %s; nothing was "
		    "changed",
		    text);
		if (rc == SWITCHED_NOTHING_ENDS)
			say_ends(cli);
		return CLI_FINE;
	}
	if (rc == SWITCHED_NOTHING) {
		cli_note(cli, "it is on; nothing was changed");
		return CLI_FINE;
	}
	if (text[0] != '\0')
		cli_note(cli,
		    "this lasts only until the daemon is started "
		    "again: %s",
		    text);
	if (rc == SWITCHED_CAPTURE_ENDS)
		say_ends(cli);
	if (daemon)
		puts(s->off ? "recording is off, until opseal on"
			    : "recording is on");
	else
		puts(s->off ? "recording is off, also when opseald is started, "
			      "until opseal on"
			    : "recording is on as soon as opseald is started: "
			      "none answers");
	return CLI_FINE;
}

int
cmd_off(struct cli *cli, const void *opts, int argc, char **argv)
{
	const struct off_opts *o = opts;
	struct offswitch s = { .off = true };
	struct ops_err err = { 0 };
	size_t n;

	(void)argc, (void)argv;
	if (o->reason == NULL) {
		ops_fail(&err, OPS_EUSAGE,
		    "--reason is missing: it is what the log says of it");
		return cli_fail(cli, &err);
	}
	n = strlen(o->reason);
	if (offswitch_check_reason(o->reason, n, &err) < 0)
		return cli_fail(cli, &err);
	memcpy(s.reason, o->reason, n + 1);
	return run(cli, &s);
}

int
cmd_on(struct cli *cli, const void *opts, int argc, char **argv)
{
	struct offswitch s = { .off = false };

	(void)opts, (void)argc, (void)argv;
	return run(cli, &s);
}
