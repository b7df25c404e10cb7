/* The ways to work on this host that are judged from what it is, and those that are
 * tried (trials.h). */
#include <dirent.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "accounts.h"
#include "authkeys.h"
#include "base/bytes.h"
#include "base/io.h"
#include "base/procstat.h"
#include "doctor.h"
#include "hostfile.h"
#include "passwd.h"
#include "sshd.h"
#include "textline.h"
#include "trials.h"

#define PLACE 160
#define CAPTURE_MENDS                                                          \
	"have programs captured: opseal status says why they aren't"

/* -- what no door is at, and capture sees -- */

/* Programs alone, if they are captured. */
static void
by_programs(
    struct doctor *d, const char *name, const char *how, const char *what)
{
	bool on = doctor_captures(d);

	verdict_add(&d->all, name, doctor_events(d), how,
	    on ? NULL : CAPTURE_MENDS, "%s%s", what,
	    on ? "" : "; and programs are not captured now");
}

/* What the account's shell runs, which is its door. */
static enum verdict_kind
by_shell(const struct doctor *d)
{
	return d->no_doors ? doctor_events(d) : VERDICT_RECORDED;
}

/* The first that is there, or NULL. */
static const char *
first_of(const char *const *paths)
{
	for (size_t i = 0; paths[i] != NULL; i++)
		if (access(paths[i], F_OK) == 0)
			return paths[i];
	return NULL;
}

static void
judge_programs(struct doctor *d, const char *name, const char *const *paths,
    const char *what)
{
	const char *path = first_of(paths);
	char how[PLACE];

	if (path == NULL) {
		verdict_add(&d->all, name, VERDICT_ABSENT, NULL, NULL,
		    "it isn't installed");
		return;
	}
	(void)snprintf(how, sizeof(how), "judged from %s", path);
	by_programs(d, name, how, what);
}

static void
look_cron(struct doctor *d, const char *name)
{
	static const char *const paths[] = { "/etc/crontab", "/usr/sbin/cron",
		"/usr/sbin/crond", NULL };

	judge_programs(d, name, paths,
	    "jobs run with /bin/sh, or SHELL of the crontab, and no terminal: "
	    "their programs are in the log, and their logins where PAM tells");
}

static void
look_at(struct doctor *d, const char *name)
{
	static const char *const paths[] = { "/usr/sbin/atd", "/usr/bin/at",
		NULL };

	judge_programs(d, name, paths,
	    "jobs run with /bin/sh and no terminal: their programs are in the "
	    "log");
}

static void
look_docker(struct doctor *d, const char *name)
{
	static const char *const paths[] = { "/usr/bin/docker",
		"/usr/local/bin/docker", "/usr/bin/podman", "/usr/bin/nerdctl",
		"/usr/bin/lxc", NULL };

	judge_programs(d, name, paths,
	    "what is executed in a container has no login, and is in the log "
	    "with its control group; typed in a recorded session, what it "
	    "shows is, too");
}

static void
look_machinectl(struct doctor *d, const char *name)
{
	static const char *const paths[] = { "/usr/bin/machinectl", NULL };

	judge_programs(d, name, paths,
	    "the shell of an account goes by its door, a program that is named "
	    "by none; typed in a recorded session, what it shows is in the "
	    "log");
}

/* -- consoles -- */

struct getty {
	unsigned n;
	char autologin[64]; /* "" none */
	int pid;            /* of that */
};

/* The account that agetty logs in by itself, if it does. */
static bool
autologin(const struct ops_buf *args, char *out, size_t size)
{
	const char *p = (const char *)args->data, *end = p + args->len;

	while (p < end) {
		size_t n = strnlen(p, (size_t)(end - p));
		const char *next = p + n + 1;

		if (strncmp(p, "--autologin=", n < 12 ? n : 12) == 0 && n > 12)
			next = p + 12;
		else if (strcmp(p, "--autologin") != 0 &&
			 strcmp(p, "-a") != 0) {
			p = next;
			continue;
		}
		if (next >= end)
			return false;
		(void)snprintf(out, size, "%s", next);
		return true;
	}
	return false;
}

static void
look_process(const char *pid, int number, struct getty *ret)
{
	struct ops_buf b = { .max = 4096 };
	char path[64], name[PROCSTAT_TEXT_MAX] = "";

	(void)snprintf(path, sizeof(path), "/proc/%s/comm", pid);
	if (ops_read_file(AT_FDCWD, path, 0, &b, NULL) == 0)
		procstat_comm(b.len > 0 ? (const char *)b.data : "", b.len,
		    name, sizeof(name));
	ops_buf_reset(&b);
	if (strcmp(name, "agetty") == 0 || strcmp(name, "getty") == 0 ||
	    strcmp(name, "mgetty") == 0) {
		ret->n++;
		(void)snprintf(path, sizeof(path), "/proc/%s/cmdline", pid);
		if (ops_read_file(AT_FDCWD, path, 0, &b, NULL) == 0) {
			ops_buf_put8(&b, 0);
			if (!b.failed && autologin(&b, ret->autologin,
					     sizeof(ret->autologin)))
				ret->pid = number;
		}
	}
	ops_buf_free(&b);
}

static void
look_console(struct doctor *d, const char *name)
{
	DIR *proc = opendir("/proc");
	const struct dirent *e;
	struct getty g = { 0 };
	char how[PLACE];
	int pid;

	while (proc != NULL && (e = readdir(proc)) != NULL)
		if (procstat_entry(e->d_name, &pid))
			look_process(e->d_name, pid, &g);
	if (proc != NULL)
		(void)closedir(proc);
	if (g.autologin[0] != '\0') {
		(void)snprintf(
		    how, sizeof(how), "judged from process %d", g.pid);
		verdict_add(&d->all, name, VERDICT_NOTE, how,
		    "take --autologin out of the getty's unit",
		    "a getty logs %s in without a password: who that is, "
		    "nobody knows",
		    g.autologin);
	}
	verdict_add(&d->all, name, by_shell(d),
	    "judged from the shells in /etc/passwd", NULL,
	    "login(1) starts the account's shell, which is %s (see "
	    "accounts); %u getty%s now",
	    d->no_doors ? "no door" : "its door", g.n,
	    g.n == 1 ? " runs" : "s run");
}

/* -- sshd -- */

static void
judge_line(struct doctor *d, const char *name, const char *keyword,
    const char *value, const char *how)
{
	if (strcasecmp(keyword, "subsystem") == 0 &&
	    strstr(value, "internal-sftp") != NULL)
		verdict_add(&d->all, name, VERDICT_EVENTS, how,
		    "where nobody is shut in: Subsystem sftp "
		    "/usr/lib/openssh/sftp-server",
		    "internal-sftp starts no program: the login is in the log, "
		    "what was transferred is not");
	else if (strcasecmp(keyword, "forcecommand") == 0 &&
		 strstr(value, "internal-sftp") != NULL)
		verdict_add(&d->all, name, VERDICT_EVENTS, how, NULL,
		    "for some, internal-sftp alone: the login is in the log, "
		    "what was transferred is not");
	else if (strcasecmp(keyword, "chrootdirectory") == 0 &&
		 strcasecmp(value, "none") != 0)
		verdict_add(&d->all, name, VERDICT_EVENTS, how, NULL,
		    "who is shut in in %.100s has no door there, unless it "
		    "holds one: the login and its programs are in the log",
		    value);
	else if (strcasecmp(keyword, "forcecommand") == 0 &&
		 strstr(value, "opseal-door") != NULL)
		verdict_add(&d->all, name, VERDICT_RECORDED, how, NULL,
		    "what sshd starts for whom this is said, it starts by the "
		    "door");
	else if (strcasecmp(keyword, "forcecommand") == 0 &&
		 strcasecmp(value, "none") != 0)
		verdict_add(&d->all, name, by_shell(d), how, NULL,
		    "%.100s is run by the account's shell, so by its door%s",
		    value, d->no_doors ? ", when it has one" : "");
}

static void
judge_config(struct doctor *d, const char *name, const char *path)
{
	static const char *const keywords[] = { "Subsystem", "ForceCommand",
		"ChrootDirectory" };
	struct hostfile f = { 0 };
	struct ops_err err = { 0 };
	char value[SSHDCONF_VALUE], how[PLACE];

	if (hostfile_read(path, SSHDCONF_MAX, &f, &err) < 0) {
		verdict_add(
		    &d->all, name, VERDICT_UNKNOWN, NULL, NULL, "%s", err.msg);
		return;
	}
	for (size_t i = 0; i < OPS_ARRAY_LEN(keywords); i++) {
		unsigned line = 0;
		size_t at = 0;

		while (f.bytes.len > 0 &&
		       sshdconf_next((const char *)f.bytes.data, f.bytes.len,
			   &at, &line, keywords[i], value)) {
			(void)snprintf(how, sizeof(how),
			    "judged from %.100s:%u", path, line);
			judge_line(d, name, keywords[i], value, how);
		}
	}
	hostfile_free(&f);
}

static void
look_sshd(struct doctor *d, const char *name)
{
	size_t before = d->all.n;
	glob_t g = { 0 };

	if (sshd_program() == NULL) {
		verdict_add(&d->all, name, VERDICT_ABSENT, NULL, NULL,
		    "sshd isn't installed");
		return;
	}
	judge_config(d, name, SSHD_CONFIG);
	if (glob(SSHD_FOLDER "/*.conf", 0, NULL, &g) == 0)
		for (size_t i = 0; i < g.gl_pathc; i++)
			judge_config(d, name, g.gl_pathv[i]);
	globfree(&g);
	if (d->all.n == before)
		verdict_add(&d->all, name, by_shell(d),
		    "judged from " SSHD_CONFIG, NULL,
		    "all that sshd starts, it starts with the account's "
		    "shell%s",
		    d->no_doors ? ", which is no door (see accounts)" : "");
}

/* -- restricted keys -- */

static void
judge_keys(struct doctor *d, const char *name, const struct passwd_line *l,
    unsigned *n)
{
	struct ops_buf keys = { .max = AUTHKEYS_MAX };
	char path[512], option[AUTHKEYS_OPTION], how[PLACE];
	unsigned line = 0;

	(void)snprintf(path, sizeof(path), "%.*s/.ssh/authorized_keys",
	    (int)(l->home_len < 400 ? l->home_len : 400), l->home);
	/* Its owner chooses what it is: a pipe or a link leads nowhere here. */
	if (ops_read_file(AT_FDCWD, path, 0, &keys, NULL) == 0 && keys.len > 0)
		line = authkeys_restricted(
		    (const char *)keys.data, keys.len, option);
	ops_buf_free(&keys);
	if (line == 0 || (*n)++ >= 20)
		return;
	(void)snprintf(how, sizeof(how), "judged from %.100s:%u", path, line);
	verdict_add(&d->all, name, by_shell(d), how, NULL,
	    "%.*s has a key with %s: what it runs is run by its shell, so by "
	    "its door%s",
	    (int)(l->name_len < 60 ? l->name_len : 60), l->name, option,
	    d->no_doors ? ", when it has one" : "");
}

static void
look_keys(struct doctor *d, const char *name)
{
	struct hostfile f = { 0 };
	struct passwd_line l;
	unsigned n = 0;
	size_t at = 0;
	int rc;

	if (!d->root) {
		verdict_add(&d->all, name, VERDICT_UNKNOWN, NULL,
		    "sudo opseal doctor", "only root sees everybody's keys");
		return;
	}
	if (hostfile_read(SETUPSTATE_PASSWD, PASSWD_MAX, &f, NULL) < 0)
		return; /* the accounts say so */
	while (f.bytes.len > 0 && (rc = passwd_next((const char *)f.bytes.data,
				       f.bytes.len, &at, &l)) != 0)
		if (rc > 0 && l.home_len > 1)
			judge_keys(d, name, &l, &n);
	hostfile_free(&f);
	if (n == 0)
		verdict_add(&d->all, name, by_shell(d),
		    "judged from .ssh/authorized_keys of each account", NULL,
		    "nobody has a restricted key; what one runs would be run "
		    "by the account's shell, so by its door%s",
		    d->no_doors ? ", when it has one" : "");
	else if (n > 20)
		verdict_add(&d->all, name, by_shell(d), NULL, NULL,
		    "and of %u accounts more", n - 20);
}

/* -- chsh, audit ids -- */

static void
look_chsh(struct doctor *d, const char *name)
{
	struct stat st;

	if (stat("/usr/bin/chsh", &st) < 0 || (st.st_mode & S_ISUID) == 0)
		verdict_add(&d->all, name, VERDICT_ABSENT, NULL, NULL,
		    "only root can change a shell here");
	else
		by_programs(d, name, "judged from /usr/bin/chsh, setuid",
		    "a user may give himself another shell of /etc/shells, and "
		    "comes by no door then: doctor --report tells of it");
}

static void
look_audit(struct doctor *d, const char *name)
{
	struct stat st;

	if (stat("/proc/self/sessionid", &st) == 0)
		verdict_add(&d->all, name, VERDICT_RECORDED,
		    "judged from /proc/self/sessionid", NULL,
		    "the kernel has audit ids; a container that sets none is "
		    "joined to its login by descent");
	else
		verdict_add(&d->all, name, VERDICT_EVENTS,
		    "judged from /proc/self/sessionid",
		    "a kernel with CONFIG_AUDIT",
		    "the kernel has no audit ids: sessions are joined to "
		    "logins by descent alone");
}

/* clang-format off */
static const struct doctor_check checks[] = {
	{ "cron",			look_cron },
	{ "at",				look_at },
	{ "docker exec",		look_docker },
	{ "machinectl shell",		look_machinectl },
	{ "a console",			look_console },
	{ "sshd",			look_sshd },
	{ "keys with command=",		look_keys },
	{ "chsh",			look_chsh },
	{ "a container without audit id", look_audit },
};
/* clang-format on */

void
ways_look(struct doctor *d)
{
	static const char name[] = "a login";

	if (d->remote == NULL)
		verdict_add(&d->all, name, VERDICT_UNCOVERED, "tried",
		    "systemctl start opseald",
		    "no daemon answers in %.80s: logins go on unrecorded",
		    d->cli->run_dir);
	else if (d->door[0] == '\0')
		verdict_add(&d->all, name, VERDICT_UNCOVERED, "tried",
		    "install opseal again", "%s", d->no_door.msg);
	else if (d->quick)
		verdict_add(&d->all, name, VERDICT_NOTE, NULL,
		    "opseal doctor, without --quick",
		    "nothing was tried, as --quick wants it");
	else
		trials_look(d);
	for (size_t i = 0; i < OPS_ARRAY_LEN(checks); i++)
		checks[i].look(d, checks[i].name);
}
