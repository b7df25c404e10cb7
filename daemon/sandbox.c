#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>

#include <sys/syscall.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/leaks.h"

/* -- files: landlock(7) -- */

/* As far as the newest kernel knows; older headers lack the last. */
struct ruleset {
	uint64_t files, net, scoped;
};
#define TRUNCATE (UINT64_C(1) << 14)  /* version 3 */
#define IOCTL_DEV (UINT64_C(1) << 15) /* version 5 */
#define NET_ALL UINT64_C(3)           /* version 4: bind and connect TCP */
#define FILES_FIRST ((UINT64_C(1) << 13) - 1) /* version 1 */
#define REFER (UINT64_C(1) << 13)             /* version 2 */

#define READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define WRITE                                                                  \
	(READ | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG |  \
	    LANDLOCK_ACCESS_FS_REMOVE_FILE)
#define WRITE_FILE (LANDLOCK_ACCESS_FS_WRITE_FILE | TRUNCATE)

/* As far as the kernel's version goes. */
static void
fill(struct ruleset *r, const struct sandbox *s, long version, size_t *size)
{
	*r = (struct ruleset){ .files = FILES_FIRST };
	*size = sizeof(r->files);
	if (version >= 2)
		r->files |= REFER;
	if (version >= 3)
		r->files |= TRUNCATE;
	if (s->kind == SANDBOX_NO_WRITE) {
		/* What it executes has to read, and to look names up. */
		r->files &= ~(READ | LANDLOCK_ACCESS_FS_EXECUTE);
		return;
	}
	if (version >= 5)
		r->files |= IOCTL_DEV;
	if (version >= 4) {
		r->net = NET_ALL;
		*size = offsetof(struct ruleset, scoped);
	}
}

static int
allow(int set, const char *path, uint64_t what, struct ops_err *err)
{
	struct landlock_path_beneath_attr a = { .allowed_access = what };
	long rc;

	a.parent_fd = open(path, O_PATH | O_CLOEXEC);
	if (a.parent_fd < 0)
		return ops_fail_errno(err, "sandbox: %s", path);
	rc = syscall(
	    SYS_landlock_add_rule, set, LANDLOCK_RULE_PATH_BENEATH, &a, 0);
	if (rc < 0)
		ops_fail_errno(err, "sandbox: %s: landlock_add_rule", path);
	close(a.parent_fd);
	return rc < 0 ? -1 : 0;
}

static int
add_rules(
    int set, const struct sandbox *s, uint64_t handled, struct ops_err *err)
{
	if (s->kind == SANDBOX_NO_WRITE)
		return allow(set, "/dev/null", handled & WRITE_FILE, err);
	for (size_t i = 0; s->read[i] != NULL; i++)
		if (allow(set, s->read[i], READ, err) < 0)
			return -1;
	return allow(set, s->write, WRITE | (handled & TRUNCATE), err);
}

static int
restrict_files(struct sandbox *s, struct ops_err *err)
{
	long version = syscall(SYS_landlock_create_ruleset, NULL, 0,
	    LANDLOCK_CREATE_RULESET_VERSION);
	struct ruleset r;
	size_t size;
	int set, rc;

	if (version < 1)
		return 0; /* not built in, or not switched on */
	fill(&r, s, version, &size);
	set = (int)syscall(SYS_landlock_create_ruleset, &r, size, 0);
	if (set < 0)
		return ops_fail_errno(err, "sandbox: landlock_create_ruleset");
	rc = add_rules(set, s, r.files, err);
	if (rc == 0 && syscall(SYS_landlock_restrict_self, set, 0) < 0)
		rc = ops_fail_errno(err, "sandbox: landlock_restrict_self");
	close(set);
	s->files = rc == 0;
	return rc;
}

/* -- system calls: seccomp(2) -- */

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#endif

#ifdef ARCH
#define X32 0x40000000u /* another way to the same calls */
#define LOAD(member)                                                           \
	BPF_STMT(                                                              \
	    BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, member))
#define REFUSE BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM)
#define REFUSE_CALL(nr) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1), REFUSE
/* With any of these bits in an argument; its lower half comes first, as both
 * architectures have it. */
#define REFUSE_BITS(call, arg, bits)                                           \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 4), LOAD(args[arg]),      \
	    BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, bits, 0, 1), REFUSE, LOAD(nr)
/* Without O_CREAT and O_TRUNC a file that is only read can be made and emptied. */
#define WRITES ((uint32_t)(O_ACCMODE | O_CREAT | O_TRUNC))
#define FCHMODAT2 452 /* newer than the headers we build with */

#define BEGIN                                                                  \
	LOAD(arch), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0),           \
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS), LOAD(nr),     \
	    BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32, 0, 1), REFUSE
#define END BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

/* What neither has any use for: other processes, and a way to have another do it. */
/* clang-format off */
#ifdef SYS_fork
#define REFUSE_OLD_FORKS REFUSE_CALL(SYS_fork), REFUSE_CALL(SYS_vfork),
#else
#define REFUSE_OLD_FORKS
#endif
#define REFUSE_PROCESSES                                                       \
	REFUSE_OLD_FORKS                                                       \
	REFUSE_CALL(SYS_execve), REFUSE_CALL(SYS_execveat),                    \
	REFUSE_CALL(SYS_clone), /* a process, a thread, a namespace */         \
	REFUSE_CALL(SYS_clone3), REFUSE_CALL(SYS_unshare),                     \
	REFUSE_CALL(SYS_setns), REFUSE_CALL(SYS_ptrace),                       \
	REFUSE_CALL(SYS_process_vm_readv), REFUSE_CALL(SYS_process_vm_writev), \
	REFUSE_CALL(SYS_bpf), REFUSE_CALL(SYS_perf_event_open),                \
	REFUSE_CALL(SYS_userfaultfd), REFUSE_CALL(SYS_keyctl),                 \
	REFUSE_CALL(SYS_io_uring_setup) /* the same calls without calling */

static struct sock_filter shut[] = {
	BEGIN,
	REFUSE_PROCESSES,
	REFUSE_CALL(SYS_pidfd_getfd),
	/* The log's socket is open already. */
	REFUSE_CALL(SYS_socket),
	REFUSE_CALL(SYS_connect),
	END,
};

static struct sock_filter look[] = {
	BEGIN,
	REFUSE_PROCESSES,
	REFUSE_BITS(SYS_openat, 2, WRITES),
	REFUSE_CALL(SYS_openat2), /* its flags are in memory */
	REFUSE_CALL(SYS_open_by_handle_at),
	REFUSE_CALL(SYS_mkdirat),
	REFUSE_CALL(SYS_mknodat),
	REFUSE_CALL(SYS_linkat),
	REFUSE_CALL(SYS_symlinkat),
	REFUSE_CALL(SYS_renameat2),
	REFUSE_CALL(SYS_unlinkat),
	REFUSE_CALL(SYS_truncate),
	REFUSE_CALL(SYS_fchmod),
	REFUSE_CALL(SYS_fchmodat),
	REFUSE_CALL(FCHMODAT2),
	REFUSE_CALL(SYS_fchown),
	REFUSE_CALL(SYS_fchownat),
	REFUSE_CALL(SYS_bind), /* makes a socket's name */
	REFUSE_CALL(SYS_mount),
	REFUSE_CALL(SYS_umount2),
	REFUSE_CALL(SYS_move_mount),
	REFUSE_CALL(SYS_chroot),
	REFUSE_CALL(SYS_pivot_root),
#ifdef SYS_renameat
	REFUSE_CALL(SYS_renameat),
#endif
#ifdef SYS_open /* the older of each pair: not on every architecture */
	REFUSE_BITS(SYS_open, 1, WRITES),
	REFUSE_CALL(SYS_creat),
	REFUSE_CALL(SYS_mkdir),
	REFUSE_CALL(SYS_mknod),
	REFUSE_CALL(SYS_link),
	REFUSE_CALL(SYS_symlink),
	REFUSE_CALL(SYS_rename),
	REFUSE_CALL(SYS_unlink),
	REFUSE_CALL(SYS_rmdir),
	REFUSE_CALL(SYS_chmod),
	REFUSE_CALL(SYS_chown),
	REFUSE_CALL(SYS_lchown),
#endif
	END,
};
/* clang-format on */

static int
restrict_calls(struct sandbox *s, struct ops_err *err)
{
	bool all = s->kind == SANDBOX_SHUT;
	const struct sock_fprog prog = { .len = all ? OPS_ARRAY_LEN(shut)
						    : OPS_ARRAY_LEN(look),
		.filter = all ? shut : look };

	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog, 0, 0) < 0)
		return errno == EINVAL
			   ? 0
			   : ops_fail_errno(err, "sandbox: seccomp");
	s->calls = true;
	return 0;
}
#else
static int
restrict_calls(struct sandbox *s, struct ops_err *err)
{
	(void)s, (void)err;
	return 0;
}
#endif

int
sandbox_enter(struct sandbox *s, struct ops_err *err)
{
	s->files = s->calls = false;
	if (s->kind != SANDBOX_NO_WRITE)
		ops_leaks_unseen();
	if (s->kind != SANDBOX_LOOK && restrict_files(s, err) < 0)
		return -1;
	return s->kind != SANDBOX_NO_WRITE ? restrict_calls(s, err) : 0;
}
