#include "notifier.h"

#include <assert.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "alert.h"
#include "base/io.h"
#include "logline.h"

static char *const environment[] = {
	(char[]){ "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/"
		  "sbin:/bin" },
	(char[]){ "HOME=/" },
	NULL,
};

int
notifier_set(struct notifier *n, const struct config *c, bool change,
    struct ops_err *err)
{
	const struct passwd *pw = NULL;

	n->on = false;
	if (c->notify[0] == '\0')
		return 0;
	if (change) {
		pw = getpwnam(c->notify_user);
		if (pw == NULL)
			return ops_fail(err, OPS_EUSAGE,
			    "notify_user: there is no user %s; nobody is told",
			    c->notify_user);
		if (pw->pw_uid == 0)
			return ops_fail(err, OPS_EUSAGE,
			    "notify_user: %s is root; nobody is told",
			    c->notify_user);
		n->uid = pw->pw_uid;
		n->gid = pw->pw_gid;
	}
	if (command_parse(c->notify, &n->command, err) < 0)
		return ops_context(err, "notify");
	n->change = change;
	n->timeout = c->notify_timeout;
	n->on = true;
	return 0;
}

void
notifier_add(struct notifier *n, const struct proto_alert *f)
{
	struct notifier_finding *q =
	    &n->queue[(n->first + n->n) % NOTIFIER_QUEUE];

	if (!n->on)
		return;
	assert(f->detail.n <= sizeof(q->detail));
	if (n->n == NOTIFIER_QUEUE) {
		if (n->dropped++ == 0)
			logline_event(LOGLINE_NOTIFY_FAILED, NULL,
			    "notify: %d findings wait; more are dropped",
			    NOTIFIER_QUEUE);
		return;
	}
	q->f = *f;
	if (f->detail.n > 0)
		memcpy(q->detail, f->detail.p, f->detail.n);
	q->f.detail.p = q->detail;
	n->n++;
}

/* -- the command -- */

/* In the child.  Nothing of ours reaches it but the finding. */
static void
execute(const struct notifier *n, int in, pid_t parent)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	sigset_t none;

	if (null < 0 || setsid() < 0 || dup2(in, STDIN_FILENO) < 0 ||
	    dup2(null, STDOUT_FILENO) < 0 || dup2(null, STDERR_FILENO) < 0 ||
	    close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
		return;
	if (n->change &&
	    (setgroups(0, NULL) < 0 || setresgid(n->gid, n->gid, n->gid) < 0 ||
		setresuid(n->uid, n->uid, n->uid) < 0))
		return;
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 ||
	    getppid() != parent || chdir("/") < 0)
		return;
	(void)signal(SIGPIPE, SIG_DFL);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)execve(n->command.argv[0], n->command.argv, environment);
}

static const char *
host_name(char out[static 256])
{
	if (gethostname(out, 255) < 0)
		out[0] = '\0';
	out[255] = '\0';
	return out;
}

/* All of it is there before the command begins: it need not read it. */
static int
input_of(const struct notifier *n, struct ops_err *err)
{
	uint8_t bytes[8192]; /* each byte of a text may become six */
	struct ops_buf b = OPS_BUF_FIXED(bytes);
	char host[256];
	int fd = memfd_create("opseal-finding", MFD_CLOEXEC);

	if (fd < 0)
		return ops_fail_errno(err, "memfd_create");
	alert_json(&b, &n->queue[n->first].f, host_name(host), n->dropped);
	assert(!b.failed);
	if (ops_write_full(fd, b.data, b.len, err) < 0 ||
	    lseek(fd, 0, SEEK_SET) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static void
start_next(struct notifier *n, uint64_t now)
{
	struct ops_err err = { 0 };
	pid_t pid = -1, self = getpid();
	int in = input_of(n, &err);

	n->first = (n->first + 1) % NOTIFIER_QUEUE;
	n->n--;
	if (in >= 0) {
		pid = fork();
		if (pid == 0) {
			execute(n, in, self);
			_exit(127);
		}
		if (pid < 0)
			ops_fail_errno(&err, "fork");
		close(in);
	}
	if (pid < 0) {
		logline_event(
		    LOGLINE_NOTIFY_FAILED, NULL, "notify: %s", err.msg);
		return;
	}
	n->pid = pid;
	n->dropped = 0;
	n->killed = false;
	n->deadline = now + n->timeout;
}

uint64_t
notifier_look(struct notifier *n, uint64_t now)
{
	if (n->pid > 0 && !n->killed && now >= n->deadline) {
		logline_event(LOGLINE_NOTIFY_FAILED, NULL,
		    "notify: %s takes more than %llu ms; killed",
		    n->command.argv[0],
		    (unsigned long long)(n->timeout / 1000000));
		notifier_kill(n);
	}
	while (n->pid == 0 && n->n > 0)
		start_next(n, now);
	return n->pid > 0 && !n->killed ? n->deadline : UINT64_MAX;
}

void
notifier_ends(const struct notifier *n, pid_t pid)
{
	if (n->pid == pid)
		(void)kill(-pid, SIGKILL);
}

void
notifier_ended(struct notifier *n, pid_t pid, int status)
{
	if (n->pid != pid)
		return;
	n->pid = 0;
	if (!n->killed && status != 0)
		logline_event(LOGLINE_NOTIFY_FAILED, NULL,
		    "notify: %s ended with %s %d", n->command.argv[0],
		    WIFSIGNALED(status) ? "signal" : "status",
		    WIFSIGNALED(status) ? WTERMSIG(status)
					: WEXITSTATUS(status));
}

bool
notifier_busy(const struct notifier *n)
{
	return n->pid > 0 || n->n > 0;
}

void
notifier_kill(struct notifier *n)
{
	if (n->pid <= 0)
		return;
	/* Before it has a session of its own it is a process alone. */
	if (kill(-n->pid, SIGKILL) < 0)
		(void)kill(n->pid, SIGKILL);
	n->killed = true;
}
