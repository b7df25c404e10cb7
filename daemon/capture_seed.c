#include "capture_seed.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/procstat.h"
#include "procid.h"
#include "record/program.h"
#include "record/record.h"

/* The arguments, as far as they fit into one record; *all is as many bytes as
 * there are, or more than fit. */
static size_t
read_args(
    int proc, pid_t pid, uint8_t out[static PROGRAM_ARGS_MAX], uint64_t *all)
{
	char path[32];
	uint8_t more;
	ssize_t n;
	int fd;

	*all = 0;
	(void)snprintf(path, sizeof(path), "%d/cmdline", (int)pid);
	fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	n = read(fd, out, PROGRAM_ARGS_MAX);
	if (n < 0)
		n = 0;
	*all = (uint64_t)n;
	if (n == PROGRAM_ARGS_MAX && read(fd, &more, 1) == 1)
		++*all;
	close(fd);
	return (size_t)n;
}

static uint32_t
count_args(const uint8_t *p, size_t n)
{
	uint32_t count = 0;

	for (size_t i = 0; i < n; i++)
		count += p[i] == 0;
	return count;
}

/* False: no room. */
static bool
put_seed(int proc, const struct procid_seen *seen, const struct proc *x,
    uint64_t now, const struct mask *mask, const struct capture_sink *sink)
{
	static uint8_t args[PROGRAM_ARGS_MAX];
	const uint8_t id[OPS_ID_LEN] = { 0 };
	struct ops_buf b = { .max = RECORD_PAYLOAD_MAX };
	struct ops_buf masked = { .max = 8 * PROGRAM_ARGS_MAX };
	struct program_exec r = { .pid = x->pid,
		.start = x->start,
		.ppid = x->ppid,
		.uid = seen->uid,
		.euid = seen->euid,
		.gid = seen->gid,
		.egid = seen->egid,
		.auid = seen->auid,
		.ses = seen->ses,
		.flags = PROGRAM_SEEDED,
		.tty = seen->tty_major << 20 | seen->tty_minor };
	uint8_t hole[PROGRAM_HOLE_LEN];
	size_t n = read_args(proc, (pid_t)x->pid, args, &r.args_len);
	bool rc;

	if (n == 0)
		return true; /* the kernel's own, or it is gone */
	if (mask != NULL && mask_args(mask, args, n, &masked) > 0) {
		r.flags |= PROGRAM_MASKED;
		r.args = (struct event_text){ masked.data, masked.len };
	} else {
		r.args = (struct event_text){ args, n };
	}
	r.argc = count_args(args, n);
	r.comm = (struct event_text){ (const uint8_t *)seen->comm,
		strlen(seen->comm) };
	if (r.args_len > n) {
		ops_putle64(hole, n);
		ops_putle64(hole + 8, r.args_len - n);
		r.holes = (struct event_text){ hole, sizeof(hole) };
	}
	program_exec_put(&b, id, &r);
	rc = b.failed || masked.failed ||
	     sink->put(sink->arg, REC_EXEC, now, b.data, b.len);
	ops_buf_free(&masked);
	ops_buf_free(&b);
	return rc;
}

/* As capture_seed(), for one. */
static int
seed_one(struct procs *p, int proc, pid_t pid, uint64_t now,
    const struct mask *mask, const struct capture_sink *sink,
    struct ops_err *err)
{
	struct procid_seen seen;
	struct proc x = { .pid = (uint32_t)pid };

	if (procid_see(pid, &seen, NULL) < 0)
		return 1; /* it has ended */
	x.start = seen.start * PROCS_TICK;
	x.ppid = (uint32_t)seen.parent;
	x.uid = seen.uid;
	x.euid = seen.euid;
	x.auid = seen.auid;
	x.ses = seen.ses;
	x.tty_major = seen.tty_major;
	x.tty_minor = seen.tty_minor;
	memcpy(x.comm, seen.comm, strnlen(seen.comm, CAP_COMM));
	if (procs_seed(p, &x) < 0)
		return ops_fail(err, OPS_ENOMEM, "processes: no memory");
	return put_seed(proc, &seen, &x, now, mask, sink);
}

int
capture_seed(struct procs *p, uint64_t now, const struct mask *mask,
    const struct capture_sink *sink, uint32_t *from, struct ops_err *err)
{
	DIR *proc = opendir("/proc"); /* in the order of pids */
	struct dirent *e;
	int pid, rc = 1;

	if (proc == NULL)
		return ops_fail_errno(err, "/proc");
	while (rc == 1 && (e = readdir(proc)) != NULL) {
		if (!procstat_entry(e->d_name, &pid) || (uint32_t)pid < *from)
			continue;
		*from = (uint32_t)pid;
		rc = seed_one(p, dirfd(proc), pid, now, mask, sink, err);
	}
	closedir(proc);
	return rc;
}
