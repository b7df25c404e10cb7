#include "trials.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/io.h"
#include "cli.h"
#include "probe.h"

#define RUN_DIR "/run/opseal" /* what the door is built with */
#define FOLDER_MAX 64
#define SCRIPT_MAX 8192
#define SECONDS 15       /* for a session */
#define PROGRAMS_MS 3000 /* for the log to have the programs */
#define STAYS "30"       /* seconds that a session waits to be killed */

/* -- what is tried within a session -- */

enum as { AS_ANY, AS_ROOT };

struct way {
	const char *name; /* of the row */
	const char *key;  /* WORD-KEY. */
	enum as as;
	const char *program; /* it needs; NULL: the shell alone */
	/* "$p" is what shows and executes; $d a folder. */
	const char *script;
};

/* clang-format off */
static const struct way ways[] = {
	{ "a nested shell",	"nested",  AS_ANY,  NULL,      "sh -c 'sh -c \"$1\"' x \"$p\"" },
	{ "setsid",		"setsid",  AS_ANY,  "setsid",  "setsid -w sh -c \"$p\"" },
	{ "script",		"script",  AS_ANY,  "script",  "script -qec \"$p\" /dev/null" },
	{ "tmux",		"tmux",	   AS_ANY,  "tmux",    "tmux -S $d/tmux -f /dev/null new-session sh -c \"$p; sleep 0.4\"" },
	{ "screen",		"screen",  AS_ANY,  "screen",  "env SCREENDIR=$d/screen screen -c /dev/null sh -c \"$p; sleep 0.4\"" },
	{ "su",			"su",	   AS_ROOT, "su",      "su -s /bin/sh nobody -c \"$p\"" },
	{ "sudo",		"sudo",	   AS_ROOT, "sudo",    "sudo -n -u nobody sh -c \"$p\"" },
	{ "systemd-run --pty",	"run",	   AS_ROOT, "systemd-run", "systemd-run --pty --quiet --collect sh -c \"$p\"" },
};
/* clang-format on */

static bool
is_here(const char *program)
{
	static const char *const folders[] = { "/usr/bin", "/bin", "/usr/sbin",
		"/sbin", "/usr/local/bin" };
	char path[128];

	for (size_t i = 0; i < OPS_ARRAY_LEN(folders); i++) {
		(void)snprintf(
		    path, sizeof(path), "%s/%s", folders[i], program);
		if (access(path, X_OK) == 0)
			return true;
	}
	return false;
}

static bool
can_go(const struct doctor *d, const struct way *w)
{
	struct stat st;

	if (w->as == AS_ROOT && !d->root)
		return false;
	if (w->program != NULL && !is_here(w->program))
		return false;
	return strcmp(w->key, "run") != 0 ||
	       stat("/run/systemd/system", &st) == 0;
}

/* -- the sessions -- */

enum trial {
	S_LOGIN, /* an ordinary user's; is killed */
	S_WAYS,
	S_SCP,  /* whose command looks like scp's */
	S_PIPE, /* without a terminal */
	SESSIONS
};

struct trials {
	struct doctor *d;
	struct probe probe[SESSIONS];
	bool ran[SESSIONS];
	struct ops_err err[SESSIONS];
	char folder[FOLDER_MAX];
	char command[SESSIONS][256];
	uid_t uid; /* of the ordinary user */
	gid_t gid;
	char user[64];
	int opened; /* -2: not yet; errno of who opened the terminal by its path; -1: nobody */
	struct program_list programs;
};

static int
put_file(const char *path, const struct ops_buf *b, struct ops_err *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	int rc;

	if (fd < 0)
		return ops_fail_errno(err, "%s", path);
	rc = ops_write_full(fd, b->data, b->len, err);
	/* Whatever umask says: nobody is to read it. */
	if (rc == 0 && fchmod(fd, 0644) < 0)
		rc = ops_fail_errno(err, "%s", path);
	(void)close(fd);
	return rc;
}

static void
put_way(struct ops_buf *b, const struct probe *p, const char *key,
    const char *script)
{
	ops_buf_printf(b, "p='echo %s-%s.; /bin/true %s-%s.'\n", p->word, key,
	    p->word, key);
	ops_buf_printf(b, "timeout --foreground -k 1 6 %s\n", script);
}

/* A script a session: what is behind the door may be any shell. */
static int
put_script(struct trials *t, enum trial s, struct ops_err *err)
{
	static const char *const names[SESSIONS] = {
		[S_LOGIN] = "login",
		[S_WAYS] = "ways",
		[S_SCP] = "scp",
		[S_PIPE] = "pipe",
	};
	struct ops_buf b = { .max = SCRIPT_MAX };
	const struct probe *p = &t->probe[s];
	char path[FOLDER_MAX + 16];
	int rc;

	ops_buf_printf(&b, "d=%s\n", t->folder);
	put_way(&b, p, names[s], "sh -c \"$p\"");
	if (s == S_LOGIN)
		ops_buf_printf(
		    &b, "echo %s-ready.; exec sleep " STAYS "\n", p->word);
	for (size_t i = 0; s == S_WAYS && i < OPS_ARRAY_LEN(ways); i++)
		if (can_go(t->d, &ways[i]))
			put_way(&b, p, ways[i].key, ways[i].script);
	(void)snprintf(path, sizeof(path), "%s/%s", t->folder, names[s]);
	/* It bears the session's word, by which that is found. */
	(void)snprintf(t->command[s], sizeof(t->command[s]), "%ssh %s %s",
	    s == S_SCP ? "scp -t x </dev/null >/dev/null 2>&1; " : "", path,
	    p->word);
	rc = ops_buf_check(&b, "a script", err);
	if (rc == 0)
		rc = put_file(path, &b, err);
	ops_buf_free(&b);
	return rc;
}

static int
make_folder(struct trials *t, struct ops_err *err)
{
	char path[FOLDER_MAX + 16];

	/* Not by the word: that finds a session by its command. */
	(void)snprintf(t->folder, sizeof(t->folder), "/tmp/opseal-probes-%s",
	    strrchr(t->probe[S_LOGIN].word, '-') + 1);
	if (mkdir(t->folder, 0700) < 0) {
		ops_fail_errno(err, "%s", t->folder);
		t->folder[0] = '\0';
		return -1;
	}
	/* nobody reads his script there. */
	if (chmod(t->folder, 0711) < 0)
		return ops_fail_errno(err, "%s", t->folder);
	(void)snprintf(path, sizeof(path), "%s/screen", t->folder);
	if (mkdir(path, 0700) < 0)
		return ops_fail_errno(err, "%s", path);
	for (int s = 0; s < SESSIONS; s++)
		if (put_script(t, (enum trial)s, err) < 0)
			return -1;
	return 0;
}

/* All files of a folder, and itself. */
static void
empty(const char *path)
{
	DIR *dir = opendir(path);
	const struct dirent *e;

	while (dir != NULL && (e = readdir(dir)) != NULL)
		(void)unlinkat(dirfd(dir), e->d_name, 0);
	if (dir != NULL)
		(void)closedir(dir);
	(void)rmdir(path);
}

static void
remove_folder(const struct trials *t)
{
	char path[FOLDER_MAX + 16];

	if (t->folder[0] == '\0')
		return;
	(void)snprintf(path, sizeof(path), "%s/screen", t->folder);
	empty(path);
	empty(t->folder);
}

/* -- the terminal by its path, and kill -9 -- */

/* errno of opening it as the session's user. */
static int
open_by_path(const struct trials *t, const char *tty)
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		int fd;

		if (t->d->root && (setresgid(t->gid, t->gid, t->gid) < 0 ||
				      setresuid(t->uid, t->uid, t->uid) < 0))
			_exit(255);
		fd = open(tty, O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
		_exit(fd >= 0 ? 0 : errno & 0x7f);
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) != 255
		   ? WEXITSTATUS(status)
		   : -1;
}

static void
on_shown(struct probe *p, void *arg)
{
	struct trials *t = arg;

	if (t->opened != -2 || !probe_shown(p, "ready"))
		return;
	t->opened = open_by_path(t, p->tty);
	(void)kill(p->pid, SIGKILL);
}

/* -- running -- */

static void
run(struct trials *t, enum trial s)
{
	const struct doctor *d = t->d;
	/* What sshd forces has its words from it, and another run directory is
	 * an option: neither is a shell's. */
	bool own = d->forced || strcmp(d->cli->run_dir, RUN_DIR) != 0;
	char door[DOORPATH_MAX];
	const char *const as_shell[] = { d->door, "-c", t->command[s], NULL };
	const char *const as_door[] = { door, "--run", d->cli->run_dir, "--",
		"/bin/sh", "-c", t->command[s], NULL };
	struct probe_how how = { .argv = own ? as_door : as_shell,
		.change = d->root && s != S_WAYS,
		.uid = t->uid,
		.gid = t->gid,
		.user = s == S_WAYS && d->root ? "root" : t->user,
		.terminal = s != S_PIPE,
		.seconds = SECONDS };
	char input[SESSIONS * 256 + 2];

	if (own &&
	    doorpath_find("opseal-door", door, sizeof(door), &t->err[s]) < 0)
		return;
	if (s == S_LOGIN) {
		how.shows = on_shown;
		how.arg = t;
	}
	if (s == S_WAYS)
		how.seconds = 3 * SECONDS;
	if (s == S_PIPE) {
		/* As `ssh host bash`: what is done comes on the pipe.  The word
		 * stands in the command that is looked for. */
		(void)snprintf(input, sizeof(input), "%s\n", t->command[s]);
		(void)snprintf(t->command[s], sizeof(t->command[s]), "sh -s %s",
		    t->probe[s].word);
		how.input = input;
	}
	t->ran[s] = probe_run(&t->probe[s], &how, &t->err[s]) == 0 &&
		    probe_look(&t->probe[s], d->remote, &t->err[s]) == 0;
}

/* Those of the probes, once the last of them is there. */
static int
find_programs(struct trials *t, uint64_t since, struct ops_err *err)
{
	const struct proto_programs f = {
		.name = { (const uint8_t *)"true", 4 }, .since = since
	};
	const struct timespec pause = { 0, 100000000L };
	uint64_t end = ops_boottime() + PROGRAMS_MS * UINT64_C(1000000);

	for (;;) {
		if (remote_programs(t->d->remote, &f, &t->programs, err) < 0)
			return -1;
		if (probe_ran(&t->probe[S_PIPE], "pipe", &t->programs) ||
		    !doctor_captures(t->d) || ops_boottime() >= end)
			return 0;
		program_list_free(&t->programs);
		(void)nanosleep(&pause, NULL);
	}
}

/* -- what came of it -- */

#define MEND_DAEMON "opseal status and the messages of opseald say more"

/* The last line that was shown. */
static void
last_line(const struct probe *p, char *out, size_t size)
{
	const char *s = (const char *)p->shown.data;
	size_t end = p->shown.len, from;

	while (end > 0 && (s[end - 1] == '\n' || s[end - 1] == '\r'))
		end--;
	for (from = end; from > 0 && s[from - 1] != '\n';)
		from--;
	(void)snprintf(
	    out, size, "%.*s", (int)(end - from), end > 0 ? s + from : "");
}

/* Nothing was shown by it. */
static void
tell_nothing(struct trials *t, enum trial s, const char *name)
{
	char line[200];

	last_line(&t->probe[s], line, sizeof(line));
	verdict_add(&t->d->all, name, VERDICT_UNKNOWN, "tried", NULL,
	    "it did not run%s%s",
	    s == S_WAYS || line[0] == '\0' ? "" : "; it said: ",
	    s == S_WAYS ? "" : line);
}

static void
tell(struct trials *t, enum trial s, const char *name, const char *key)
{
	const struct probe *p = &t->probe[s];
	struct verdicts *all = &t->d->all;

	if (!probe_shown(p, key))
		tell_nothing(t, s, name);
	else if (probe_logged(p, key))
		verdict_add(all, name, VERDICT_RECORDED, "tried", NULL,
		    "what it shows is in session %s", p->id);
	else if (probe_ran(p, key, &t->programs))
		verdict_add(all, name, VERDICT_UNCOVERED, "tried", MEND_DAEMON,
		    "its programs are in the log, what it shows is not");
	else
		verdict_add(all, name, VERDICT_UNCOVERED, "tried", MEND_DAEMON,
		    "nothing of it is in the log");
}

static void
tell_terminal(struct trials *t)
{
	static const char name[] = "the outer terminal by its path";
	struct verdicts *all = &t->d->all;

	if (t->opened == EBUSY)
		verdict_add(all, name, VERDICT_RECORDED, "tried", NULL,
		    "nobody but root can open it while a session goes on; who "
		    "has it open already is reported (SCREEN-BYPASS)");
	else if (t->opened == 0)
		verdict_add(all, name, VERDICT_UNCOVERED, "tried",
		    "look at it with opseal show: it should say BYPASS",
		    "the user could open it and show what isn't recorded");
	else
		verdict_add(all, name, VERDICT_UNKNOWN, "tried", NULL, "%s",
		    t->opened < 0 ? "it could not be tried"
				  : strerror(t->opened));
}

static void
tell_kill(struct trials *t)
{
	static const char name[] = "kill -9 of the door";
	const struct probe *p = &t->probe[S_LOGIN];
	struct verdicts *all = &t->d->all;

	if (p->has_close && p->close.why == CLOSE_DOOR_KILLED &&
	    probe_logged(p, "ready"))
		verdict_add(all, name, VERDICT_RECORDED, "tried", NULL,
		    "it ends the session, and all that was shown is in "
		    "session %s",
		    p->id);
	else if (!probe_shown(p, "ready"))
		verdict_add(all, name, VERDICT_UNKNOWN, "tried", NULL,
		    "there was no session to be killed");
	else
		verdict_add(all, name, VERDICT_UNCOVERED, "tried", MEND_DAEMON,
		    p->has_close ? "it isn't in the log as what it was"
				 : "the session has no end in the log");
}

static void
tell_pipe(struct trials *t)
{
	static const char name[] = "ssh host bash, without a terminal";
	const struct probe *p = &t->probe[S_PIPE];
	struct verdicts *all = &t->d->all;

	if (!probe_shown(p, "pipe"))
		tell_nothing(t, S_PIPE, name);
	else if (p->found && probe_ran(p, "pipe", &t->programs))
		verdict_add(all, name, VERDICT_EVENTS, "tried", NULL,
		    "it is session %s, with its programs; bytes of a pipe "
		    "aren't kept",
		    p->id);
	else if (p->found)
		verdict_add(all, name, VERDICT_UNCOVERED, "tried",
		    "have programs captured (see capture)",
		    "that it was is in the log (session %s), what it did is "
		    "not",
		    p->id);
	else
		verdict_add(all, name, VERDICT_UNCOVERED, "tried", MEND_DAEMON,
		    "nothing of it is in the log");
}

static void
tell_session(struct trials *t, enum trial s, const char *name, const char *key)
{
	if (t->ran[s] || t->probe[s].shown.len > 0)
		tell(t, s, name, key);
	else
		verdict_add(&t->d->all, name, VERDICT_UNKNOWN, "tried", NULL,
		    "%s", t->err[s].msg);
}

static void
tell_ways(struct trials *t)
{
	for (size_t i = 0; i < OPS_ARRAY_LEN(ways); i++) {
		const struct way *w = &ways[i];

		if (can_go(t->d, w))
			tell_session(t, S_WAYS, w->name, w->key);
		else if (w->as == AS_ROOT && !t->d->root)
			verdict_add(&t->d->all, w->name, VERDICT_RECORDED,
			    "judged, not tried: only root can without a "
			    "password",
			    NULL,
			    "what it shows passes through the session it is "
			    "typed in");
		else
			verdict_add(&t->d->all, w->name, VERDICT_ABSENT, NULL,
			    NULL, "%s isn't %s", w->program,
			    is_here(w->program) ? "of use without systemd"
						: "installed");
	}
}

static void
tell_all(struct trials *t)
{
	tell_session(t, S_LOGIN, "a login", "login");
	tell_pipe(t);
	tell_session(t, S_SCP, "ssh -tt host 'scp -t x; sh'", "scp");
	tell_terminal(t);
	tell_kill(t);
	tell_ways(t);
}

static void
find_user(struct trials *t)
{
	const struct passwd *pw = NULL;

	(void)snprintf(t->user, sizeof(t->user), "nobody");
	t->uid = t->gid = 65534;
	if (!t->d->root) {
		t->uid = getuid();
		t->gid = getgid();
		pw = getpwuid(t->uid);
	} else {
		pw = getpwnam("nobody");
	}
	if (pw == NULL)
		return;
	t->uid = pw->pw_uid;
	t->gid = pw->pw_gid;
	if (!t->d->root)
		(void)snprintf(t->user, sizeof(t->user), "%s", pw->pw_name);
}

void
trials_look(struct doctor *d)
{
	struct trials t = { .d = d, .opened = -2 };
	struct ops_clock now;
	struct ops_err err = { 0 };
	int rc = 0;

	find_user(&t);
	ops_clock_read(&now);
	for (int s = 0; rc == 0 && s < SESSIONS; s++)
		rc = probe_begin(&t.probe[s], &err);
	if (rc == 0)
		rc = make_folder(&t, &err);
	for (int s = 0; rc == 0 && s < SESSIONS; s++) {
		run(&t, (enum trial)s);
		/* Nor will others answer, and each would be waited for. */
		if (t.err[s].code == OPS_EUNAVAIL)
			rc = ops_fail(&err, OPS_EUNAVAIL, "%s", t.err[s].msg);
	}
	remove_folder(&t);
	if (rc == 0)
		rc = find_programs(&t, now.realtime, &err);
	if (rc == 0)
		tell_all(&t);
	else
		verdict_add(&d->all, "a login", VERDICT_UNKNOWN, "tried", NULL,
		    "%s", err.msg);
	for (int s = 0; s < SESSIONS; s++)
		probe_end(&t.probe[s]);
	program_list_free(&t.programs);
}
