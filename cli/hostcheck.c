/* What opseal needs on a host besides its doors: the daemon, its disk, its sources. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/timex.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/io.h"
#include "child.h"
#include "config/config_files.h"
#include "describe.h"
#include "doctor.h"
#include "installed.h"
#include "record/people.h"

#define SECOND UINT64_C(1000000000)
#define LAG_MAX (10 * SECOND)           /* of what isn't sealed yet */
#define ANCHOR_MAX (48 * 3600 * SECOND) /* age of the newest anchor */
#define SPACE_MIN (UINT64_C(256) << 20) /* bytes */
#define MESSAGES "journalctl -u opseald says why"
#define CONFIG OPSEAL_SYSCONFDIR "/opseal.conf"
#define PEOPLE OPSEAL_SYSCONFDIR "/people"
#define SYSTEMCTL "/usr/bin/systemctl"

/* Say so where there is nobody to ask. */
static bool
lacks_status(struct doctor *d, const char *name)
{
	if (d->has_status)
		return false;
	verdict_add(
	    &d->all, name, VERDICT_UNKNOWN, NULL, NULL, "no daemon answers");
	return true;
}

static void
look_daemon(struct doctor *d, const char *name)
{
	const struct proto_status *s = &d->status;

	if (!d->has_status)
		verdict_add(&d->all, name, VERDICT_WRONG, NULL,
		    "systemctl start opseald; " MESSAGES, "%s",
		    d->no_remote.msg);
	else if (s->off_since != 0)
		verdict_add(&d->all, name, VERDICT_WRONG, NULL, "opseal on",
		    "recording is switched off by %.*s: %.*s", (int)s->off_by.n,
		    (const char *)s->off_by.p, (int)s->off_reason.n,
		    (const char *)s->off_reason.p);
	else if (!s->ok)
		verdict_add(&d->all, name, VERDICT_WRONG, NULL,
		    "mend that; opseald goes on by itself",
		    "the log can't be written: %.*s", (int)s->reason.n,
		    (const char *)s->reason.p);
	else
		verdict_add(&d->all, name, VERDICT_FINE, NULL, NULL,
		    "opseald %.*s answers, and the log can be written",
		    (int)s->version.n, (const char *)s->version.p);
}

static void
look_disk(struct doctor *d, const char *name)
{
	const struct proto_status *s = &d->status;
	static const char mend[] =
	    "free space, or set keep_screens or max_size";
	char space[24];

	if (lacks_status(d, name))
		return;
	describe_bytes(s->space, space);
	if (s->no_screens)
		verdict_add(&d->all, name, VERDICT_WRONG, NULL, mend,
		    "nearly full (%s free): screens are not recorded", space);
	else if (s->space < SPACE_MIN)
		verdict_add(&d->all, name, VERDICT_WRONG, NULL, mend,
		    "only %s are free", space);
	else
		verdict_add(&d->all, name, VERDICT_FINE, NULL, NULL,
		    "%s are free", space);
}

static void
look_capture(struct doctor *d, const char *name)
{
	const struct proto_status *s = &d->status;
	const char *how = (const char *)s->capture_text.p;
	int n = (int)s->capture_text.n;

	if (lacks_status(d, name))
		return;
	if (s->capture != CAPTURE_ON)
		verdict_add(&d->all, name, VERDICT_WRONG, NULL,
		    s->off_since != 0
			? "opseal on"
			: "opseald started as root, on a kernel with BPF and "
			  "BTF",
		    "programs are NOT captured: %.*s", n, how);
	else if (s->capture_lost > 0)
		verdict_add(&d->all, name, VERDICT_NOTE, NULL,
		    "opseal status --coverage says when",
		    "programs are captured (%.*s); %" PRIu64 " were lost", n,
		    how, s->capture_lost);
	else
		verdict_add(&d->all, name, VERDICT_FINE, NULL, NULL,
		    "programs are captured (%.*s), none was lost", n, how);
}

static void
look_losses(struct doctor *d, const char *name)
{
	if (lacks_status(d, name))
		return;
	if (d->status.lost > 0)
		verdict_add(&d->all, name, VERDICT_NOTE, NULL,
		    "opseal ls says of which sessions",
		    "%" PRIu64 " bytes were shown and not recorded, since the "
		    "daemon's start",
		    d->status.lost);
	else
		verdict_add(&d->all, name, VERDICT_FINE, NULL, NULL,
		    "all that was shown was recorded, since the daemon's "
		    "start");
}

static void
look_seal(struct doctor *d, const char *name)
{
	const struct proto_status *s = &d->status;
	bool late = s->lag > LAG_MAX;

	if (lacks_status(d, name))
		return;
	verdict_add(&d->all, name, late ? VERDICT_WRONG : VERDICT_FINE, NULL,
	    late ? "the disk is slow, or " MESSAGES : NULL,
	    "%" PRIu64 " records are not sealed yet, for %.1f s", s->unsealed,
	    (double)s->lag / 1e9);
}

static void
look_no_anchor(struct doctor *d, const char *name)
{
	struct ops_buf why = { .max = VERDICT_TEXT };

	if (d->status.anchor.p != NULL)
		ops_escape(
		    &why, (const char *)d->status.anchor.p, d->status.anchor.n);
	verdict_add(&d->all, name, VERDICT_WRONG, NULL,
	    "set anchor_file to a place elsewhere, or have a syslog",
	    "no checkpoint was kept outside of the store%s%.*s: root could "
	    "make a whole new log",
	    why.len > 0 ? ", " : "", (int)why.len,
	    why.len > 0 ? (const char *)why.data : "");
	ops_buf_free(&why);
}

static void
look_anchor(struct doctor *d, const char *name)
{
	const struct proto_status *s = &d->status;
	struct ops_clock now;
	uint64_t age;

	if (lacks_status(d, name))
		return;
	ops_clock_read(&now);
	if (s->anchored == 0) {
		look_no_anchor(d, name);
		return;
	}
	age = now.realtime > s->anchored ? now.realtime - s->anchored : 0;
	verdict_add(&d->all, name,
	    age > ANCHOR_MAX ? VERDICT_WRONG : VERDICT_FINE, NULL,
	    age > ANCHOR_MAX ? MESSAGES : NULL,
	    "the newest checkpoint outside of the store is %.1f hours old",
	    (double)age / 3600e9);
}

static void
look_clock(struct doctor *d, const char *name)
{
	struct timex t = { .modes = 0 };
	bool synced = adjtimex(&t) >= 0 && (t.status & STA_UNSYNC) == 0;

	if (synced)
		verdict_add(&d->all, name, VERDICT_FINE,
		    "judged from adjtimex(2)", NULL,
		    "a time service keeps the kernel's clock");
	else
		verdict_add(&d->all, name, VERDICT_NOTE,
		    "judged from adjtimex(2)",
		    "run chrony, or systemd-timesyncd",
		    "no time service keeps the kernel's clock: times are what "
		    "this machine believes");
}

/* -- configuration -- */

struct mistakes {
	struct doctor *d;
	const char *name;
	unsigned n;
};

static void
on_mistake(void *arg, const char *text)
{
	struct mistakes *m = arg;

	if (m->n++ < 10)
		verdict_add(&m->d->all, m->name, VERDICT_WRONG, NULL,
		    "mend it; opseal config --check", "%s", text);
}

static void
look_config(struct doctor *d, const char *name)
{
	const struct config_where where = { CONFIG, false,
		OPSEAL_VENDORDIR "/opseal.conf.d" };
	struct mistakes m = { d, name, 0 };
	const struct conf_faults faults = { on_mistake, &m };
	struct config_set set = { .n_files = 0 };
	struct ops_err err = { 0 };

	if (config_load(&where, &set, &faults, &err) < 0) {
		if (m.n == 0)
			verdict_add(&d->all, name,
			    err.code == OPS_EPERM ? VERDICT_UNKNOWN
						  : VERDICT_WRONG,
			    NULL, NULL, "%s", err.msg);
		return;
	}
	config_set_free(&set);
	if (d->has_status && d->status.config_fault.p != NULL)
		verdict_add(&d->all, name, VERDICT_WRONG, NULL,
		    "systemctl reload opseald",
		    "opseald goes by an older one: %.*s",
		    (int)d->status.config_fault.n,
		    (const char *)d->status.config_fault.p);
	else
		verdict_add(&d->all, name, VERDICT_FINE, NULL, NULL,
		    "there is no mistake in it");
}

static void
look_people(struct doctor *d, const char *name)
{
	struct ops_buf b = { .max = PEOPLE_MAX };
	char nobody[EVENT_TEXT_MAX + 1];
	struct ops_err err = { 0 };

	if (ops_read_file(AT_FDCWD, PEOPLE, OPS_IO_FOLLOW, &b, &err) < 0) {
		bool none = err.code == OPS_ENOENT;

		verdict_add(&d->all, name,
		    none ? VERDICT_NOTE : VERDICT_UNKNOWN, NULL,
		    none ? "opseal.people(5): which key is whose" : NULL, "%s",
		    err.msg);
	} else if (people_find(PEOPLE, b.len > 0 ? (const char *)b.data : "",
		       b.len, NULL, nobody, &err) < 0) {
		verdict_add(&d->all, name, VERDICT_WRONG, NULL,
		    "mend that line: until then nobody is known by it", "%s",
		    err.msg);
	} else {
		verdict_add(&d->all, name, VERDICT_FINE, NULL, NULL,
		    "there is no mistake in " PEOPLE);
	}
	ops_buf_free(&b);
}

/* -- users, sockets, units -- */

static void
look_readers(struct doctor *d, const char *name)
{
	const struct group *gr = getgrnam("opseal-read");

	for (size_t i = 0; gr != NULL && gr->gr_mem[i] != NULL && i < 20; i++)
		verdict_add(&d->all, name, VERDICT_NOTE,
		    "judged from the group opseal-read", NULL,
		    "%s may read everybody's sessions", gr->gr_mem[i]);
}

static void
look_user(struct doctor *d, const char *name)
{
	const struct passwd *pw = getpwnam("opseal");

	if (pw == NULL)
		verdict_add(&d->all, name, VERDICT_WRONG, NULL,
		    "systemd-sysusers, or useradd --system --shell "
		    "/usr/sbin/nologin opseal",
		    "there is no user opseal, as which opseald works");
	else if (pw->pw_uid == 0)
		verdict_add(&d->all, name, VERDICT_WRONG, NULL,
		    "give it a uid of its own", "the user opseal is root");
	else
		verdict_add(&d->all, name, VERDICT_FINE, NULL, NULL,
		    "the user opseal is uid %u", (unsigned)pw->pw_uid);
	look_readers(d, name);
}

static void
check_socket(struct doctor *d, const char *name, const char *file, mode_t mode)
{
	static const char mend[] = "systemctl restart opseald";
	char path[4200];
	struct stat st;

	(void)snprintf(path, sizeof(path), "%s/%s", d->cli->run_dir, file);
	if (lstat(path, &st) < 0)
		verdict_add(&d->all, name, VERDICT_WRONG, NULL, mend,
		    "%.200s: %s", path, strerror(errno));
	else if (!S_ISSOCK(st.st_mode) || (st.st_mode & 0777) != mode)
		verdict_add(&d->all, name, VERDICT_WRONG, NULL, mend,
		    "%.200s: it should be a socket of mode %04o, and has "
		    "%04o",
		    path, (unsigned)mode, (unsigned)st.st_mode & 07777);
	else
		verdict_add(
		    &d->all, name, VERDICT_FINE, NULL, NULL, "%.200s", path);
}

static void
look_sockets(struct doctor *d, const char *name)
{
	check_socket(d, name, "session.sock", 0666);
	check_socket(d, name, "control.sock", 0666);
	check_socket(d, name, "record.sock", 0600);
}

/* What `systemctl WHAT UNIT` says by its status. */
static bool
unit_is(const char *what, const char *unit)
{
	const char *const argv[] = { SYSTEMCTL, what, "--quiet", unit, NULL };
	struct ops_buf said = { .max = 4096 };
	int rc = child_run(argv, &said, NULL);

	ops_buf_free(&said);
	return rc == 0;
}

/* clang-format off */
static const struct {
	const char *unit, *what, *mend, *why;
} units[] = {
	{ "opseald.service", "is-enabled", "systemctl enable opseald", "it isn't started with the machine" },
	{ "opseald.service", "is-active", "systemctl start opseald", "it doesn't run" },
	{ "opseald-session.socket", "is-active", "systemctl restart opseald", "logins don't wait while opseald is restarted" },
	{ "opseald-record.socket", "is-active", "systemctl restart opseald", "recorders don't wait while opseald is restarted" },
	{ "opseal-verify.timer", "is-enabled", "systemctl enable --now opseal-verify.timer", "nobody checks the log by himself" },
	{ "opseal-doctor.timer", "is-enabled", "systemctl enable --now opseal-doctor.timer", "nobody tells when a door is changed" },
};
/* clang-format on */

static void
look_units(struct doctor *d, const char *name)
{
	struct stat st;
	bool all = true;

	if (stat("/run/systemd/system", &st) < 0 ||
	    access(SYSTEMCTL, X_OK) < 0) {
		verdict_add(&d->all, name, VERDICT_ABSENT, NULL,
		    "have cron run opseal doctor --quick --report",
		    "systemd doesn't run here");
		return;
	}
	for (size_t i = 0; i < OPS_ARRAY_LEN(units); i++) {
		if (unit_is(units[i].what, units[i].unit))
			continue;
		all = false;
		verdict_add(&d->all, name, VERDICT_WRONG, NULL, units[i].mend,
		    "%s: %s", units[i].unit, units[i].why);
	}
	if (all)
		verdict_add(&d->all, name, VERDICT_FINE, NULL, NULL,
		    "the service, its sockets and its timers are on");
}

/* clang-format off */
static const struct doctor_check checks[] = {
	{ "daemon",	   look_daemon },
	{ "disk",	   look_disk },
	{ "capture",	   look_capture },
	{ "losses",	   look_losses },
	{ "seal",	   look_seal },
	{ "anchor",	   look_anchor },
	{ "clock",	   look_clock },
	{ "configuration", look_config },
	{ "people",	   look_people },
	{ "users",	   look_user },
	{ "sockets",	   look_sockets },
	{ "units",	   look_units },
};
/* clang-format on */

void
hostcheck_look(struct doctor *d)
{
	for (size_t i = 0; i < OPS_ARRAY_LEN(checks); i++)
		checks[i].look(d, checks[i].name);
}
