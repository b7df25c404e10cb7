/*
 * evade - run code in the ways that a log of programs may miss.
 *
 * usage: evade WAY ARGS...; the table at the end has the ways.  What a way
 * starts decides the exit status, so that a test knows that it ran.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/sched.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATH_ROOM 256

static _Noreturn void
die(const char *what)
{
	perror(what);
	exit(99);
}

/* Wait for pid; exit as it did. */
static _Noreturn void
end_as(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		die("waitpid");
	exit(WIFEXITED(status) ? WEXITSTATUS(status) : 98);
}

/* -- ways that end in an exec -- */

static void *
exec_thread(void *arg)
{
	char **argv = arg;

	execv(argv[0], argv);
	die(argv[0]);
}

static void
way_thread(char **argv)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, exec_thread, argv) != 0)
		die("pthread_create");
	for (;;)
		(void)pause();
}

static void
way_vfork(char **argv)
{
	pid_t pid = vfork();

	if (pid < 0)
		die("vfork");
	if (pid == 0) {
		execv(argv[0], argv);
		_exit(97);
	}
	end_as(pid);
}

static void
way_at(char **argv)
{
	int fd = open(argv[0], O_PATH | O_CLOEXEC);

	if (fd < 0)
		die(argv[0]);
	(void)syscall(
	    SYS_execveat, (long)fd, "", argv, environ, (long)AT_EMPTY_PATH);
	die("execveat");
}

static void
way_noargs(char **argv)
{
	(void)syscall(SYS_execve, argv[0], NULL, NULL);
	die(argv[0]);
}

/* A process with the pid that argv[0] says runs the rest. */
static void
way_pid(char **argv)
{
	pid_t pid = (pid_t)strtol(argv[0], NULL, 10);
	struct clone_args args = { .exit_signal = SIGCHLD,
		.set_tid = (uintptr_t)&pid,
		.set_tid_size = 1 };
	long made = syscall(SYS_clone3, &args, sizeof(args));

	if (made < 0)
		die("clone3");
	if (made == 0) {
		execv(argv[1], argv + 1);
		_exit(97);
	}
	end_as((pid_t)made);
}

/* -- ways into a process that runs already -- */

/* Somebody else's memory, changed from outside: what the child executes. */
static void
way_write(char **argv)
{
	static char command[PATH_ROOM] = "/nonexistent";
	struct iovec ours = { argv[0], strlen(argv[0]) + 1 };
	struct iovec theirs = { command, sizeof(command) };
	int gate[2];
	pid_t pid;
	char byte;

	if (ours.iov_len > sizeof(command) || pipe2(gate, O_CLOEXEC) != 0)
		die("pipe2");
	pid = fork();
	if (pid < 0)
		die("fork");
	if (pid == 0) {
		char *const args[] = { command, NULL };

		if (close(gate[1]) != 0 || read(gate[0], &byte, 1) != 1)
			_exit(97);
		execv(command, args);
		_exit(97);
	}
	theirs.iov_len = ours.iov_len;
	if (process_vm_writev(pid, &ours, 1, &theirs, 1, 0) !=
	    (ssize_t)ours.iov_len)
		die("process_vm_writev");
	if (write(gate[1], "", 1) != 1)
		die("write");
	end_as(pid);
}

#ifdef __x86_64__
/* Where a call is, for a process that is made to do one. */
extern const char evade_call[];
__asm__(".text\nevade_call:\n\tsyscall\n\tud2\n");

/* The stopped process pid calls the kernel when it goes on. */
static void
set_call(pid_t pid, long number, const void *a, const void *b)
{
	struct user_regs_struct r;

	if (ptrace(PTRACE_GETREGS, pid, NULL, &r) != 0)
		die("PTRACE_GETREGS");
	r.rip = (uintptr_t)evade_call;
	r.rax = (unsigned long long)number;
	r.orig_rax = ~0ull; /* the call it was in isn't begun again */
	r.rdi = (uintptr_t)a;
	r.rsi = (uintptr_t)b;
	r.rdx = 0;
	if (ptrace(PTRACE_SETREGS, pid, NULL, &r) != 0)
		die("PTRACE_SETREGS");
}

/* A running process makes the directory argv[0], and executes argv[1]. */
static void
way_ptrace(char **argv)
{
	static char *args[2];
	int status;
	pid_t pid;

	args[0] = argv[1];
	pid = fork();
	if (pid < 0)
		die("fork");
	while (pid == 0)
		(void)pause();
	if (ptrace(PTRACE_ATTACH, pid, NULL, NULL) != 0 ||
	    waitpid(pid, &status, 0) != pid)
		die("PTRACE_ATTACH");
	set_call(pid, SYS_mkdir, argv[0], (void *)0700);
	if (ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) != 0 ||
	    waitpid(pid, &status, 0) != pid)
		die("PTRACE_SINGLESTEP");
	set_call(pid, SYS_execve, argv[1], args);
	if (ptrace(PTRACE_DETACH, pid, NULL, NULL) != 0)
		die("PTRACE_DETACH");
	end_as(pid);
}

/* -- without an exec -- */

/* What the kernel does for a small static program, without the kernel. */
static void
way_map(char **argv)
{
	int fd = open(argv[0], O_RDONLY | O_CLOEXEC);
	Elf64_Ehdr eh;
	Elf64_Phdr ph;

	if (fd < 0 || pread(fd, &eh, sizeof(eh), 0) != sizeof(eh) ||
	    pread(fd, &ph, sizeof(ph), (off_t)eh.e_phoff) != sizeof(ph))
		die(argv[0]);
	if (mmap((void *)(uintptr_t)ph.p_vaddr, ph.p_memsz,
		PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED_NOREPLACE, fd,
		(off_t)ph.p_offset) == MAP_FAILED)
		die("mmap");
	__asm__ volatile("jmp *%0" : : "r"(eh.e_entry));
	__builtin_unreachable();
}
#endif

static void
fill_entry(struct io_uring_sqe *e, const char *name)
{
	memset(e, 0, sizeof(*e));
	e->opcode = IORING_OP_OPENAT;
	e->fd = AT_FDCWD;
	e->addr = (uintptr_t)name;
	e->open_flags = O_WRONLY | O_CREAT | O_CLOEXEC;
	e->len = 0600;
}

/* The file argv[0] is made by the ring; exit 0 if it is. */
static void
way_uring(char **argv)
{
	struct io_uring_params p = { 0 };
	int fd = (int)syscall(SYS_io_uring_setup, 1, &p);
	size_t size = p.sq_off.array + p.sq_entries * sizeof(uint32_t);
	struct io_uring_sqe *entry;
	uint32_t *tail;
	char *ring;

	if (fd < 0)
		die("io_uring_setup");
	ring = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
	    IORING_OFF_SQ_RING);
	entry = mmap(NULL, p.sq_entries * sizeof(*entry),
	    PROT_READ | PROT_WRITE, MAP_SHARED, fd, IORING_OFF_SQES);
	if (ring == MAP_FAILED || entry == MAP_FAILED)
		die("mmap");
	fill_entry(entry, argv[0]);
	tail = (uint32_t *)(void *)(ring + p.sq_off.tail);
	*(uint32_t *)(void *)(ring + p.sq_off.array) = 0;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, fd, 1, 1, IORING_ENTER_GETEVENTS, NULL,
		0) != 1)
		die("io_uring_enter");
	exit(access(argv[0], F_OK) == 0 ? 0 : 96);
}

/* Call oneself argv[0], in comm and over the arguments; wait to be looked at. */
static void
way_rename(char **argv)
{
	char name[PATH_ROOM] = "", byte;
	size_t n = strlen(argv[0]), old = strlen(program_invocation_name);

	if (n >= sizeof(name))
		die("name");
	memcpy(name, argv[0], n);
	if (prctl(PR_SET_NAME, name) != 0)
		die("PR_SET_NAME");
	memset(program_invocation_name, 0, old);
	memcpy(program_invocation_name, name, n < old ? n : old);
	if (write(STDOUT_FILENO, "ready\n", 6) != 6 ||
	    read(STDIN_FILENO, &byte, 1) < 0)
		die("waiting");
	exit(0);
}

/* clang-format off */
static const struct {
	const char *name;
	int args; /* at least */
	void (*go)(char **argv);
} ways[] = {
	{ "thread", 1, way_thread },
	{ "vfork", 1, way_vfork },
	{ "at", 1, way_at },
	{ "noargs", 1, way_noargs },
	{ "pid", 2, way_pid },
	{ "write", 1, way_write },
#ifdef __x86_64__
	{ "ptrace", 2, way_ptrace },
	{ "map", 1, way_map },
#endif
	{ "uring", 1, way_uring },
	{ "rename", 1, way_rename },
};
/* clang-format on */

int
main(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < sizeof(ways) / sizeof(*ways); i++)
		if (strcmp(argv[1], ways[i].name) == 0 &&
		    argc - 2 >= ways[i].args)
			ways[i].go(argv + 2);
	(void)fprintf(stderr, "evade: no such way\n");
	return 99;
}
