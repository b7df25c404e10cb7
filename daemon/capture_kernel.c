#include "capture_kernel.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/bytes.h"

/* bpftool wrote it. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wcast-qual"
#pragma GCC diagnostic ignored "-Woverlength-strings"
#include "capture.skel.h"
#pragma GCC diagnostic pop

#define WHY_MAX 300

struct kernel {
	struct capture *skel;
	struct bpf_link *link[2]; /* what it doesn't attach itself */
	bool btf;                 /* its tp_btf programs, not the raw_tp ones */
	bool failed;              /* execs that failed, too */
	struct kernel_wants wants;
	struct ring_buffer *heads, *bulk;
	struct cap_counts *counts; /* mapped, one a CPU; only read */
	unsigned cpus;
	/* of the read that is under way */
	struct order *order;
	size_t read, room;
};

/* What libbpf complained of first: what follows is its consequence. */
static char why[WHY_MAX];

static int on_print(enum libbpf_print_level level, const char *format,
    va_list ap) OPS_PRINTF(2, 0);

static int
on_print(enum libbpf_print_level level, const char *format, va_list ap)
{
	if (level != LIBBPF_WARN || why[0] != '\0')
		return 0;
	(void)vsnprintf(why, sizeof(why), format, ap);
	why[strcspn(why, "\n")] = '\0';
	return 0;
}

/* -- which programs -- */

static bool
is_btf(const struct bpf_program *p)
{
	return strncmp(bpf_program__section_name(p), "tp_btf/", 7) == 0;
}

static bool
is_syscall(const struct bpf_program *p)
{
	return strncmp(bpf_program__section_name(p), "tracepoint/", 11) == 0;
}

/* Has this kernel the tracepoint?  How many arguments, the context included,
 * and 0 if it hasn't. */
static unsigned
tracepoint_args(const struct btf *btf, const char *name)
{
	char type[128];
	const struct btf_type *t;
	int id;

	(void)snprintf(type, sizeof(type), "btf_trace_%s", name);
	id = btf__find_by_name_kind(btf, type, BTF_KIND_TYPEDEF);
	t = id > 0 ? btf__type_by_id(btf, (unsigned)id) : NULL;
	while (t != NULL && (btf_is_typedef(t) || btf_is_ptr(t)))
		t = btf__type_by_id(btf, t->type);
	return t != NULL && btf_is_func_proto(t) ? btf_vlen(t) : 0;
}

static bool
has_tracepoint(const struct kernel *k, const struct btf *btf, const char *name)
{
	if (k->wants.hooks == HOOKS_OLD &&
	    strcmp(name, "sched_prepare_exec") == 0)
		return false;
	return tracepoint_args(btf, name) > 0;
}

/* Newer kernels have more of them; what is left out then is said in
 * bpf/capture.bpf.c. */
static void
choose(struct kernel *k, const struct btf *btf)
{
	struct bpf_program *p;
	struct stat st;

	bpf_object__for_each_program(p, k->skel->obj)
	{
		const char *tracepoint =
		    strchr(bpf_program__section_name(p), '/') + 1;

		/* libbpf would look for its number, as one who may not. */
		bpf_program__set_autoattach(p, !is_syscall(p));
		bpf_program__set_autoload(
		    p, is_syscall(p) ? k->failed
				     : is_btf(p) == k->btf &&
					   has_tracepoint(k, btf, tracepoint));
	}
	k->skel->rodata->copy_env = k->wants.environment;
	k->skel->rodata->has_prepare =
	    has_tracepoint(k, btf, "sched_prepare_exec");
	k->skel->rodata->has_group_dead =
	    k->wants.hooks != HOOKS_OLD &&
	    tracepoint_args(btf, "sched_process_exit") >= 3;
	if (stat("/proc/self/ns/pid", &st) == 0)
		k->skel->rodata->own_pid_ns = (uint32_t)st.st_ino;
}

/* -- opening -- */

/* To the tracepoint of that number, in all processes.  -1: errno. */
static int
attach_tracepoint(const struct kernel *k, const char *name, uint32_t number,
    struct bpf_link **ret)
{
	struct bpf_program *p =
	    bpf_object__find_program_by_name(k->skel->obj, name);
	struct perf_event_attr attr = { .type = PERF_TYPE_TRACEPOINT,
		.size = sizeof(attr),
		.config = number };
	int fd;

	if (p == NULL) {
		errno = ENOENT; /* not of this architecture */
		return -1;
	}
	fd = (int)syscall(
	    SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	if (fd < 0)
		return -1;
	*ret = bpf_program__attach_perf_event(p, fd);
	if (*ret == NULL)
		close(fd);
	return *ret == NULL ? -1 : 0;
}

static int
attach_failed(struct kernel *k)
{
	if (!k->failed)
		return 0;
	return attach_tracepoint(k, "failed_execve", k->wants.failed.execve,
		   &k->link[0]) < 0 ||
		       attach_tracepoint(k, "failed_execveat",
			   k->wants.failed.execveat, &k->link[1]) < 0
		   ? -1
		   : 0;
}

void
kernel_detach(struct kernel *k)
{
	for (unsigned i = 0; i < OPS_ARRAY_LEN(k->link); i++) {
		(void)bpf_link__destroy(k->link[i]); /* NULL is fine */
		k->link[i] = NULL;
	}
	capture__detach(k->skel);
}

static void
unload(struct kernel *k)
{
	kernel_detach(k);
	capture__destroy(k->skel);
	k->skel = NULL;
}

static int
load(struct kernel *k, const struct btf *btf)
{
	k->skel = capture__open();
	if (k->skel == NULL)
		return -1;
	choose(k, btf);
	if (bpf_map__set_max_entries(k->skel->maps.counts, k->cpus) == 0 &&
	    capture__load(k->skel) == 0 && capture__attach(k->skel) == 0 &&
	    attach_failed(k) == 0)
		return 0;
	unload(k);
	return -1;
}

static int
on_record(void *arg, void *data, size_t n, enum order_ring ring)
{
	struct kernel *k = arg;

	k->read++;
	/* What it refuses is counted there. */
	(void)order_take(k->order, ring, data, n, NULL);
	return k->read < k->room ? 0 : -ECANCELED; /* this one is taken */
}

static int
on_head(void *arg, void *data, size_t n)
{
	return on_record(arg, data, n, ORDER_HEADS);
}

static int
on_piece(void *arg, void *data, size_t n)
{
	return on_record(arg, data, n, ORDER_BULK);
}

static size_t
counts_size(const struct kernel *k)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (k->cpus * sizeof(*k->counts) + page - 1) / page * page;
}

static int
open_rings(struct kernel *k, struct ops_err *err)
{
	void *p = mmap(NULL, counts_size(k), PROT_READ, MAP_SHARED,
	    bpf_map__fd(k->skel->maps.counts), 0);

	if (p == MAP_FAILED)
		return ops_fail_errno(err, "BPF map: mmap");
	k->counts = p;
	k->heads = ring_buffer__new(
	    bpf_map__fd(k->skel->maps.heads), on_head, k, NULL);
	k->bulk = ring_buffer__new(
	    bpf_map__fd(k->skel->maps.bulk), on_piece, k, NULL);
	if (k->heads == NULL || k->bulk == NULL)
		return ops_fail_errno(err, "BPF ring");
	return 0;
}

static int
cannot(int error, struct ops_err *err)
{
	if (error == EPERM || error == EACCES)
		return ops_fail(err, OPS_EUNAVAIL,
		    "BPF programs may not be loaded: that takes CAP_BPF and "
		    "CAP_PERFMON (root)");
	return ops_fail(err, OPS_EUNAVAIL,
	    "BPF programs can't be loaded: %s%s%s", strerror(error),
	    why[0] != '\0' ? ": " : "", why);
}

static int
attach(struct kernel *k, struct ops_err *err)
{
	struct btf *btf = btf__load_vmlinux_btf();
	enum capture_hooks hooks = k->wants.hooks;
	unsigned from = hooks == HOOKS_AUTO || hooks == HOOKS_TP_BTF ? 0 : 2;
	unsigned to = hooks == HOOKS_TP_BTF ? 2 : 4;
	bool failed = k->wants.failed.execve != 0;
	int error = 0, rc = -1;

	if (btf == NULL)
		return ops_fail(err, OPS_EUNAVAIL,
		    "the kernel has no BTF (/sys/kernel/btf/vmlinux, "
		    "CONFIG_DEBUG_INFO_BTF)");
	why[0] = '\0';
	/* From the best to what is still worth having. */
	for (unsigned i = from; i < to; i++) {
		k->btf = i < 2;
		k->failed = i % 2 == 0;
		if (k->failed && !failed)
			continue;
		rc = load(k, btf);
		if (rc == 0)
			break;
		error = error == 0 ? errno : error;
	}
	btf__free(btf);
	return rc == 0 ? 0 : cannot(error, err);
}

int
kernel_open(
    const struct kernel_wants *wants, struct kernel **ret, struct ops_err *err)
{
	struct kernel *k = calloc(1, sizeof(*k));
	int cpus = libbpf_num_possible_cpus();

	if (k == NULL)
		return ops_fail(err, OPS_ENOMEM, "capture: no memory");
	k->wants = *wants;
	k->cpus = cpus > 0 ? (unsigned)cpus : 1;
	(void)libbpf_set_print(on_print);
	if (attach(k, err) < 0 || open_rings(k, err) < 0) {
		kernel_close(k);
		return -1;
	}
	*ret = k;
	return 0;
}

void
kernel_close(struct kernel *k)
{
	if (k == NULL)
		return;
	ring_buffer__free(k->heads);
	ring_buffer__free(k->bulk);
	if (k->counts != NULL)
		(void)munmap(k->counts, counts_size(k));
	if (k->skel != NULL)
		unload(k);
	free(k);
}

/* -- reading -- */

const char *
kernel_how(const struct kernel *k)
{
	if (!k->failed)
		return k->btf ? "tp_btf, no failed starts"
			      : "raw_tp, no failed starts";
	return k->btf ? "tp_btf" : "raw_tp";
}

int
kernel_fd(const struct kernel *k)
{
	return ring_buffer__epoll_fd(k->heads);
}

size_t
kernel_read(struct kernel *k, struct order *o, size_t room)
{
	k->order = o;
	k->read = 0;
	k->room = SIZE_MAX; /* their events are few, and wait for them */
	(void)ring_buffer__consume(k->bulk);
	k->room = k->read + room;
	(void)ring_buffer__consume(k->heads);
	return k->read;
}

/* Without the right to ask (Linux before 5.19) it isn't known. */
static uint64_t
skipped(const struct bpf_program *p)
{
	struct bpf_prog_info info = { 0 };
	uint32_t n = sizeof(info);
	int fd = bpf_program__fd(p);

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &n) < 0)
		return 0;
	return info.recursion_misses;
}

void
kernel_count(const struct kernel *k, struct kernel_counts *ret)
{
	struct bpf_program *p;

	*ret = (struct kernel_counts){ 0 };
	for (unsigned cpu = 0; cpu < k->cpus; cpu++) {
		const struct cap_counts *c = &k->counts[cpu];

		for (int type = 0; type < CAP_TYPES; type++)
			ret->drops[type] +=
			    __atomic_load_n(&c->drops[type], __ATOMIC_RELAXED);
		ret->faults += __atomic_load_n(&c->faults, __ATOMIC_RELAXED);
	}
	bpf_object__for_each_program(p, k->skel->obj)
	{
		ret->skipped += skipped(p);
	}
}
