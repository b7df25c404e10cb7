/*
 * opseald - records sessions, seals them, and answers those who may read.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/err.h"
#include "capture_mask.h"
#include "config/config_files.h"
#include "installed.h"
#include "logline.h"
#include "role.h"
#include "supervisor.h"

/* Where meson install puts the file (/etc, unless told). */
#define CONFIG_DEFAULT_PATH OPSEAL_SYSCONFDIR "/opseal.conf"
#define CONFIG_VENDOR_PATH OPSEAL_VENDORDIR "/opseal.conf.d"

#define DEFAULT_STORE "/var/lib/opseal"
#define DEFAULT_RUN "/run/opseal"

struct options {
	const char *store, *run, *config; /* config NULL: not given */
	bool foreground, no_drop, no_capture, to_syslog;
	struct tracepoints failed;
	const char *role; /* NULL: the supervisor */
	pid_t parent;
	struct drop_user user; /* role: whom to become; change false: look */
};

enum {
	OPT_STORE = 256,
	OPT_RUN,
	OPT_CONFIG,
	OPT_FOREGROUND,
	OPT_NO_DROP,
	OPT_NO_CAPTURE,
	OPT_PRINT_MASK_RULES,
	OPT_VERSION,
	OPT_HELP,
	OPT_ROLE,
	OPT_PARENT,
	OPT_BECOME,
	OPT_SYSLOG,
	OPT_EXECVE,
	OPT_EXECVEAT,
};

/* From role on they are how the supervisor starts a role. */
static const struct option long_options[] = {
	{ "store", required_argument, NULL, OPT_STORE },
	{ "run", required_argument, NULL, OPT_RUN },
	{ "config", required_argument, NULL, OPT_CONFIG },
	{ "foreground", no_argument, NULL, OPT_FOREGROUND },
	{ "no-drop", no_argument, NULL, OPT_NO_DROP },
	{ "no-capture", no_argument, NULL, OPT_NO_CAPTURE },
	{ "print-mask-rules", no_argument, NULL, OPT_PRINT_MASK_RULES },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ "help", no_argument, NULL, OPT_HELP },
	{ "role", required_argument, NULL, OPT_ROLE },
	{ "parent", required_argument, NULL, OPT_PARENT },
	{ "become", required_argument, NULL, OPT_BECOME },
	{ "syslog", no_argument, NULL, OPT_SYSLOG },
	{ "execve", required_argument, NULL, OPT_EXECVE },
	{ "execveat", required_argument, NULL, OPT_EXECVEAT },
	{ NULL, 0, NULL, 0 },
};

static const char usage[] =
    "usage: opseald [--store DIR] [--run DIR] [--config FILE] [--foreground]\n"
    "               [--no-drop] [--no-capture]\n"
    "       opseald --print-mask-rules\n"
    "\n"
    "Records sessions into a sealed store and answers who may read it.\n"
    "\n"
    "  --store DIR    the store; made if missing (" DEFAULT_STORE ")\n"
    "  --run DIR      where the sockets are; made if missing (" DEFAULT_RUN
    ")\n"
    "  --config FILE  settings (" CONFIG_DEFAULT_PATH
    ", which may be missing)\n"
    "  --foreground   stay here and say what happens on stderr\n"
    "  --no-drop      started as root: stay root instead of becoming " DROP_USER
    "\n"
    "  --no-capture   record sessions only, and not which programs are "
    "started\n"
    "  --print-mask-rules\n"
    "                 print the rules by which secrets in arguments are "
    "masked\n"
    "                 if the settings name no others\n"
    "  --version      print the version\n"
    "  --help         print this\n"
    "\n"
    "SIGTERM seals the store and ends it; SIGHUP reads the settings again:\n"
    "opseal.conf(5).\n";

/* A number, so that a --parent by hand gets a clear answer too. */
static int
parse_pid(const char *s, pid_t *ret)
{
	char *end;
	long v;

	errno = 0;
	v = strtol(s, &end, 10);
	if (errno != 0 || end == s || *end != '\0' || v < 1 || v > 0x7fffffff)
		return -1;
	*ret = (pid_t)v;
	return 0;
}

/* One of the two numbers of UID:GID, of nobody who is root; what stands behind it. */
static const char *
parse_id(const char *s, uint32_t *ret)
{
	unsigned long v;
	char *end;

	errno = 0;
	v = strtoul(s, &end, 10);
	if (errno != 0 || end == s || v == 0 || v >= UINT32_MAX)
		return NULL;
	*ret = (uint32_t)v;
	return end;
}

static int
parse_user(const char *s, struct drop_user *ret)
{
	const char *colon, *end = NULL;
	uint32_t uid, gid;

	colon = parse_id(s, &uid);
	if (colon != NULL && *colon == ':')
		end = parse_id(colon + 1, &gid);
	if (end == NULL || *end != '\0')
		return -1;
	*ret = (struct drop_user){ true, uid, gid };
	return 0;
}

/* -1: go on.  Else the exit status. */
static int
parse_options(int argc, char **argv, struct options *o)
{
	int c;

	while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (c) {
		case OPT_STORE:
			o->store = optarg;
			break;
		case OPT_RUN:
			o->run = optarg;
			break;
		case OPT_CONFIG:
			o->config = optarg;
			break;
		case OPT_FOREGROUND:
			o->foreground = true;
			break;
		case OPT_NO_DROP:
			o->no_drop = true;
			break;
		case OPT_NO_CAPTURE:
			o->no_capture = true;
			break;
		case OPT_PRINT_MASK_RULES:
			fputs(mask_default_rules, stdout);
			return fflush(stdout) == 0 ? 0 : 2;
		case OPT_VERSION:
			puts("opseald " OPSEAL_VERSION);
			return 0;
		case OPT_HELP:
			fputs(usage, stdout);
			return 0;
		case OPT_ROLE:
			o->role = optarg;
			break;
		case OPT_PARENT:
			if (parse_pid(optarg, &o->parent) == 0)
				break;
			logline("--parent %s: no process id", optarg);
			return 2;
		case OPT_BECOME:
			if (parse_user(optarg, &o->user) == 0)
				break;
			logline("--become %s: no UID:GID", optarg);
			return 2;
		case OPT_EXECVE:
			o->failed.execve = (uint32_t)strtoul(optarg, NULL, 10);
			break;
		case OPT_EXECVEAT:
			o->failed.execveat =
			    (uint32_t)strtoul(optarg, NULL, 10);
			break;
		case OPT_SYSLOG:
			o->to_syslog = true;
			break;
		default:
			return 2; /* getopt has said why */
		}
	}
	if (optind < argc) {
		logline("%s: what is that? See opseald --help", argv[optind]);
		return 2;
	}
	return -1;
}

static int
run_role(const struct options *o)
{
	struct role r = { .store = o->store,
		.run = o->run,
		.no_drop = o->no_drop,
		.no_capture = o->no_capture,
		.failed = o->failed,
		.to_syslog = o->to_syslog,
		.user = o->user,
		.parent = o->parent };
	int id = role_find(o->role);

	if (id < 0 || o->parent == 0) {
		logline("--role is for opseald's own use");
		return 2;
	}
	r.id = (enum role_id)id;
	return role_main(&r);
}

/* -- in the background -- */

static int
dev_null(void)
{
	return open("/dev/null", O_RDWR | O_CLOEXEC);
}

/* All roles answer: tell who called us, and let go of his terminal. */
static void
leave_caller(void *arg)
{
	int *caller = arg;
	int null = dev_null();

	if (null >= 0) {
		(void)dup2(null, STDOUT_FILENO);
		(void)dup2(null, STDERR_FILENO);
		close(null);
	}
	logline_open(NULL, true);
	(void)!write(*caller, "R", 1);
	close(*caller);
}

/* What the caller waits for: "R", or the daemon's end. */
static int
wait_ready(int fd, pid_t pid)
{
	char c;
	ssize_t n;
	int status;

	do
		n = read(fd, &c, 1);
	while (n < 0 && errno == EINTR);
	if (n == 1)
		return 0;
	if (waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
	    WEXITSTATUS(status) != 0)
		return WEXITSTATUS(status);
	return 2;
}

static int
run_background(const struct supervisor_opts *o)
{
	struct supervisor_opts s = *o;
	int ends[2], null;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0) {
		logline("pipe: %s", strerror(errno));
		return 2;
	}
	pid = fork();
	if (pid < 0) {
		logline("fork: %s", strerror(errno));
		return 2;
	}
	if (pid > 0) {
		close(ends[1]);
		return wait_ready(ends[0], pid);
	}
	close(ends[0]);
	null = dev_null();
	if (setsid() < 0 || null < 0 || dup2(null, STDIN_FILENO) < 0) {
		logline("can't go to the background: %s", strerror(errno));
		return 2;
	}
	close(null);
	s.to_syslog = true;
	s.ready = leave_caller;
	s.arg = &ends[1];
	return supervise(&s);
}

static void
say_fault(void *arg, const char *text)
{
	(void)arg;
	logline("%s", text);
}

/* The files are read again later, and not from here. */
static int
absolute(const char *path, char out[static PATH_MAX], struct ops_err *err)
{
	char here[PATH_MAX] = "";
	int n;

	if (path[0] != '/' && getcwd(here, sizeof(here)) == NULL)
		return ops_fail_errno(err, "%s", path);
	n = snprintf(
	    out, PATH_MAX, "%s%s%s", here, here[0] != '\0' ? "/" : "", path);
	if (n < 0 || n >= PATH_MAX)
		return ops_fail(err, OPS_EUSAGE, "%.100s: too long", path);
	return 0;
}

/* What is for us alone must not reach whom we start. */
static int
take_passed(struct supervisor_opts *s, struct ops_err *err)
{
	static const char *const names[] = { "LISTEN_PID", "LISTEN_FDS",
		"LISTEN_FDNAMES", "WATCHDOG_USEC", "WATCHDOG_PID" };
	int rc = passed_sockets_parse(getenv(names[0]), getenv(names[1]),
	    getenv(names[2]), getpid(), &s->passed, err);

	s->watchdog =
	    passed_watchdog_parse(getenv(names[3]), getenv(names[4]), getpid());
	for (size_t i = 0; i < OPS_ARRAY_LEN(names); i++)
		(void)unsetenv(names[i]);
	return rc;
}

static int
run_supervisor(const struct options *o)
{
	char path[PATH_MAX];
	const struct config_where where = { path, o->config != NULL,
		o->config != NULL ? NULL : CONFIG_VENDOR_PATH };
	const struct conf_faults faults = { say_fault, NULL };
	struct config_set set = { .n_files = 0 };
	struct supervisor_opts s = { .store = o->store,
		.run = o->run,
		.where = &where,
		.config = &set.config,
		.no_drop = o->no_drop,
		.no_capture = o->no_capture };
	struct ops_err err = { 0 };
	int rc;

	if (take_passed(&s, &err) < 0) {
		logline("%s", err.msg);
		return 2;
	}
	if (absolute(o->config != NULL ? o->config : CONFIG_DEFAULT_PATH, path,
		&err) < 0) {
		logline("%s", err.msg);
		return 2;
	}
	if (config_load(&where, &set, &faults, &err) < 0)
		return 2;
	rc = o->foreground ? supervise(&s) : run_background(&s);
	config_set_free(&set);
	return rc;
}

/* A closed 0, 1 or 2 would be taken by the first thing opened. */
static void
fill_standard_fds(void)
{
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 &&
		    open("/dev/null", O_RDWR) != fd) // NOLINT: kept over exec
			_exit(2);
}

int
main(int argc, char **argv)
{
	struct options o = { .store = DEFAULT_STORE, .run = DEFAULT_RUN };
	int rc;

	fill_standard_fds();
	(void)umask(022);
	logline_open(NULL, false);
	rc = parse_options(argc, argv, &o);
	if (rc >= 0)
		return rc;
	return o.role != NULL ? run_role(&o) : run_supervisor(&o);
}
