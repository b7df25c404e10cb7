// SPDX-License-Identifier: Dual MIT/GPL
/*
 * capture - each program that was started and each process that ended.
 *
 * At sched_process_exec the kernel has copied the arguments and the new
 * program hasn't run yet, so what is read here is what it was given.
 *
 * Each hook is here twice, as tp_btf, which follows the kernel's pointers itself
 * (a load where a helper's call takes 30 ns, of which an exec would need a
 * hundred), and as raw_tp for kernels where that doesn't load; one body serves
 * both.  Nothing is put together anywhere but in the ring itself: a program here
 * can be preempted, and memory of its CPU could be another's by then.
 */
#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "capture.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* Set before loading: sched_process_exit tells whether the group is dead. */
const volatile bool has_group_dead = true;
/* And opseald's pid namespace: the inode of /proc/self/ns/pid. */
const volatile __u32 own_pid_ns = 0;
#define PID_NS_DEPTH 32 /* MAX_PID_NS_LEVEL */

/* Set before loading: environments are wanted. */
const volatile bool copy_env = false;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, CAP_HEADS_SIZE);
} heads SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, CAP_BULK_SIZE);
} bulk SEC(".maps");

/* One a CPU; as memory, so that who reads it needs no rights for that. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* set before loading */
	__type(key, u32);
	__type(value, struct cap_counts);
} counts SEC(".maps");

/* Where a string is measured; what it holds is never read. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, char[CAP_PATH_MAX]);
} ruler SEC(".maps");

/* Set before loading: sched_prepare_exec tells what is in befores. */
const volatile bool has_prepare = false;

/* Credentials of a thread on its way into an exec that changes them. */
struct before {
	u32 uid, euid;
	u64 caps;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, u64); /* tgid and tid */
	__type(value, struct before);
} befores SEC(".maps");

/* Only without has_group_dead: processes whose end was told. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, u64); /* start ^ tgid */
	__type(value, u8);
} ended SEC(".maps");

/*
 * GET(p, a, b) is p->a->b.  A bad pointer reads as 0.  direct is a constant in
 * each program.  Linux 6.2; the cast is no call, it tells the verifier the type.
 */
extern void *bpf_rdonly_cast(void *obj, __u32 btf_id) __ksym __weak;
#define CAST(p)                                                                \
	((typeof(p))bpf_rdonly_cast(                                           \
	    (void *)(p), bpf_core_type_id_kernel(typeof(*(p)))))
#define FOLLOW_1(p, a) CAST(p)->a
#define FOLLOW_2(p, a, b) CAST(p)->a->b
#define FOLLOW_3(p, a, b, c) CAST(p)->a->b->c
#define FOLLOW_OF(a, b, c, which, ...) which
#define FOLLOW(p, ...)                                                         \
	FOLLOW_OF(__VA_ARGS__, FOLLOW_3, FOLLOW_2, FOLLOW_1, 0)                \
	(p, __VA_ARGS__)
#define GET(p, ...)                                                            \
	(direct ? FOLLOW(p, __VA_ARGS__) : BPF_CORE_READ(p, __VA_ARGS__))

static __always_inline struct cap_counts *
counters(void)
{
	u32 cpu = bpf_get_smp_processor_id();

	return bpf_map_lookup_elem(&counts, &cpu);
}

static __always_inline u64
next_seq(struct cap_counts *c, u32 ring)
{
	/* Atomic since a program can be preempted here by another. Linux 5.12. */
	return __sync_fetch_and_add(&c->seq[ring], 1);
}

static __always_inline u64
start_of(const bool direct, struct task_struct *leader)
{
	struct task_struct___old *old = (void *)leader;

	if (bpf_core_field_exists(leader->start_boottime))
		return GET(leader, start_boottime);
	return GET(old, real_start_time);
}

static __always_inline void
fill_head(const bool direct, struct cap_head *h, struct task_struct *task,
    u32 type, u64 seq)
{
	struct task_struct *leader = GET(task, group_leader);
	struct task_struct *parent = GET(leader, real_parent);
	struct task_struct *pleader = GET(parent, group_leader);

	h->type = type;
	h->cpu = bpf_get_smp_processor_id();
	h->seq = seq;
	h->time = bpf_ktime_get_boot_ns();
	h->pid = GET(task, tgid);
	h->start = start_of(direct, leader);
	h->ppid = GET(parent, tgid);
	h->pstart = start_of(direct, pleader);
}

/* fill_who() is given the first of four that stand together. */
#define AT(s, m) __builtin_offsetof(struct s, m)
#define WHO_OF(s)                                                              \
	_Static_assert(AT(s, euid) == AT(s, uid) + 4 &&                        \
			   AT(s, auid) == AT(s, uid) + 8 &&                    \
			   AT(s, ses) == AT(s, uid) + 12,                      \
	    "who of " #s)
WHO_OF(cap_fork);
WHO_OF(cap_exec);
WHO_OF(cap_exit);
WHO_OF(cap_failed);

static __always_inline void
fill_who(const bool direct, u32 who[4], struct task_struct *task)
{
	struct cred *cred = GET(task, cred);

	who[0] = GET(cred, uid).val;
	who[1] = GET(cred, euid).val;
	who[2] = who[3] = CAP_UNSET;
	if (bpf_core_field_exists(task->loginuid))
		who[2] = GET(task, loginuid).val;
	if (bpf_core_field_exists(task->sessionid))
		who[3] = GET(task, sessionid);
}

static __always_inline void
fill_tty(const bool direct, u32 tty[3], struct task_struct *task)
{
	struct signal_struct *signal = GET(task, signal);
	struct tty_struct *t = GET(signal, tty);
	struct tty_driver *driver;
	struct dentry *dentry;

	tty[0] = tty[1] = tty[2] = 0;
	if (t == NULL)
		return;
	driver = GET(t, driver);
	tty[0] = GET(driver, major);
	tty[1] = GET(driver, minor_start) + GET(t, index);
	/* The other side of a pty: its dentry says which devpts. */
	if (tty[0] >= 136 && tty[0] <= 143) {
		dentry = GET(t, driver_data);
		tty[2] = GET(dentry, d_sb, s_dev);
	}
}

/* -- names -- */

struct place {
	struct dentry *dentry;
	struct vfsmount *mnt;
};

/* What is found before room is reserved for it. */
struct found {
	struct task_struct *task;
	struct linux_binprm *bprm;
	struct place exe, cwd;
	struct kernfs_node *cgroup;
	/* On the way outwards.  volatile, in the caller's memory: what is read
	 * from there the verifier takes for any number, so that all ways to get
	 * to a loop's next turn are one to it. */
	volatile struct place place;
	struct kernfs_node *volatile node;
	u64 args_at, args_len, env_at, env_len, seq, time, start;
	u32 old_pid, pid;
};

/* One step outwards.  1: *name is one of the path; 0: it was a mount; -1: end. */
static __always_inline int
outwards(const bool direct, struct found *f, struct dentry **name)
{
	volatile struct place *p = &f->place;
	struct dentry *dentry = p->dentry;
	struct vfsmount *mnt = p->mnt;
	struct dentry *parent = GET(dentry, d_parent);
	struct dentry *root = GET(mnt, mnt_root);
	struct mount *m, *above;

	if (dentry != root) {
		*name = dentry;
		/* A memfd is its own parent, and has a name all the same. */
		p->dentry = dentry != parent ? parent : root;
		return 1;
	}
	m = (void *)((char *)mnt - bpf_core_field_offset(struct mount, mnt));
	above = GET(m, mnt_parent);
	if (above == m || above == NULL)
		return -1;
	p->dentry = GET(m, mnt_mountpoint);
	p->mnt =
	    (void *)((char *)above + bpf_core_field_offset(struct mount, mnt));
	return 0;
}

static __always_inline struct kernfs_node *
kernfs_parent(const bool direct, struct kernfs_node *kn)
{
	struct kernfs_node___old *old = (void *)kn;

	if (bpf_core_field_exists(kn->__parent))
		return GET(kn, __parent);
	return (void *)GET(old, parent);
}

/* Room behind a record, for a copy whose length is known only afterwards. */
#define SLACK CAP_NAME_MAX
#define FULL (1u << 31) /* of flags: there was no room for all */

/*
 * The end of what was put lies in the record: what is read from there the
 * verifier takes for any number, so that all ways to get to a loop's next turn
 * are one to it.
 */

/* Copy s without its NUL. */
static __always_inline void
put_string(struct cap_exec *e, u8 *data, const u32 room, const char *s)
{
	for (int i = 0; i < CAP_PATH_MAX / (CAP_NAME_MAX - 1) + 1; i++) {
		u32 at = e->end;
		long n;

		if (at > room) {
			e->flags |= FULL;
			return;
		}
		n = bpf_probe_read_kernel_str(data + at, CAP_NAME_MAX, s);
		if (n <= 0)
			return;
		e->end = at + (u32)n - 1;
		if (n < CAP_NAME_MAX)
			return;
		s += CAP_NAME_MAX - 1;
	}
}

/* Copy a name with its NUL. */
static __always_inline void
put_name(struct cap_exec *e, u8 *data, const u32 room, const void *s)
{
	u32 at = e->end;
	long n;

	if (at > room) {
		e->flags |= FULL;
		return;
	}
	n = bpf_probe_read_kernel_str(data + at, CAP_NAME_MAX, s);
	if (n > 0)
		e->end = at + (u32)n;
}

static __always_inline void
put_path(const bool direct, struct cap_exec *e, u8 *data, const u32 room,
    struct found *f, struct place p, u32 cut)
{
	u32 from = e->end;
	struct dentry *name;

	f->place.dentry = p.dentry;
	f->place.mnt = p.mnt;
	for (int i = 0; i < CAP_DEPTH_MAX; i++) {
		int step = outwards(direct, f, &name);

		if (step < 0)
			return;
		if (step > 0)
			put_name(e, data, room, GET(name, d_name.name));
		/* More isn't kept, and others need the room. */
		if (e->flags & FULL || e->end - from > CAP_PATH_MAX)
			break;
	}
	e->flags |= cut;
}

static __always_inline void
put_cgroup(const bool direct, struct cap_exec *e, u8 *data, const u32 room,
    struct found *f)
{
	f->node = f->cgroup;
	for (int i = 0; i < CAP_CGROUP_DEPTH; i++) {
		struct kernfs_node *kn = f->node, *parent;

		if (kn == NULL)
			return;
		parent = kernfs_parent(direct, kn);
		if (parent == NULL)
			return;
		put_name(e, data, room, GET(kn, name));
		f->node = parent;
	}
}

/* -- credentials until an exec; newer kernels only -- */

/* Attached before what relies on it, since it stands before that here. */

static __always_inline void
fill_cred(const bool direct, struct before *b, struct cred *cred)
{
	b->uid = GET(cred, uid.val);
	b->euid = GET(cred, euid.val);
	bpf_core_read(&b->caps, sizeof(b->caps), &cred->cap_effective);
}

static __always_inline int
on_prepare(
    const bool direct, struct task_struct *task, struct linux_binprm *bprm)
{
	u64 key = bpf_get_current_pid_tgid();
	struct before b = { 0 }, after = { 0 };

	fill_cred(direct, &b, GET(task, cred));
	fill_cred(direct, &after, GET(bprm, cred));
	if (b.uid != after.uid || b.euid != after.euid ||
	    b.caps != after.caps ||
	    BPF_CORE_READ_BITFIELD_PROBED(bprm, secureexec))
		bpf_map_update_elem(&befores, &key, &b, BPF_ANY);
	else if (bpf_map_lookup_elem(&befores, &key) != NULL)
		/* Of an exec that died, or wasn't told. */
		bpf_map_delete_elem(&befores, &key);
	return 0;
}

SEC("tp_btf/sched_prepare_exec")
int
BPF_PROG(prepare_btf, struct task_struct *task, struct linux_binprm *bprm)
{
	return on_prepare(true, task, bprm);
}

SEC("raw_tp/sched_prepare_exec")
int
prepare_raw(struct bpf_raw_tracepoint_args *ctx)
{
	return on_prepare(false, (void *)ctx->args[0], (void *)ctx->args[1]);
}

/* -- exec -- */

static __always_inline void
find(const bool direct, struct found *f)
{
	struct task_struct *task = f->task;
	struct linux_binprm *bprm = f->bprm;
	struct file *file = GET(bprm, file);
	struct fs_struct *fs = GET(task, fs);
	struct mm_struct *mm = GET(task, mm);

	f->exe.dentry = GET(file, f_path.dentry);
	f->exe.mnt = GET(file, f_path.mnt);
	f->cwd.dentry = GET(fs, pwd.dentry);
	f->cwd.mnt = GET(fs, pwd.mnt);
	f->cgroup = GET(task, cgroups, dfl_cgrp, kn);
	f->args_at = GET(mm, arg_start);
	f->args_len = GET(mm, arg_end) - f->args_at;
	if (copy_env) {
		f->env_at = GET(mm, env_start);
		f->env_len = GET(mm, env_end) - f->env_at;
	}
}

/* Of most execs nothing is kept: those that change nothing.  Of one with secureexec
 * it always is, so where it isn't here it was lost. */
static __always_inline void
fill_before(struct cap_exec *e, u32 tid)
{
	u64 key = (u64)e->head.pid << 32 | tid;
	struct before *b;

	e->before_uid = e->before_euid = 0;
	e->before_caps = 0;
	if (!has_prepare)
		return;
	b = bpf_map_lookup_elem(&befores, &key);
	if (b != NULL) {
		e->before_uid = b->uid;
		e->before_euid = b->euid;
		e->before_caps = b->caps;
		bpf_map_delete_elem(&befores, &key);
	} else if (e->flags & CAP_SECURE) {
		return;
	} else {
		e->before_uid = e->uid;
		e->before_euid = e->euid;
		e->before_caps = e->caps;
	}
	e->flags |= CAP_BEFORE;
}

static __always_inline u32
number_of(const bool direct, struct signal_struct *signal, u32 type)
{
	struct pid *pid;

	bpf_core_read(&pid, sizeof(pid), &signal->pids[type]);
	return GET(pid, numbers[0].nr);
}

static __always_inline void
fill_spaces(const bool direct, struct cap_exec *e, struct task_struct *task)
{
	struct nsproxy *ns = GET(task, nsproxy);
	struct pid *pid = GET(task, thread_pid);
	u32 level = GET(pid, level) & 31; /* MAX_PID_NS_LEVEL */
	struct upid upid;

	bpf_probe_read_kernel(&upid, sizeof(upid), &pid->numbers[level]);
	e->nspid = upid.nr;
	e->ns_pid = GET(upid.ns, ns.inum);
	e->ns_mnt = GET(ns, mnt_ns, ns.inum);
	e->ns_net = GET(ns, net_ns, ns.inum);
	e->ns_uts = GET(ns, uts_ns, ns.inum);
	e->ns_cgroup = GET(ns, cgroup_ns, ns.inum);
	e->ns_user = GET(task, cred, user_ns, ns.inum);
}

static __always_inline void
fill_file(const bool direct, struct cap_exec *e, struct linux_binprm *bprm)
{
	struct file *file = GET(bprm, file);
	struct inode *inode = GET(file, f_inode);

	e->exe_dev = GET(inode, i_sb, s_dev);
	e->exe_ino = GET(inode, i_ino);
	e->exe_mode = GET(inode, i_mode);
	e->exe_uid = GET(inode, i_uid.val);
	e->exe_nlink = GET(inode, i_nlink);
	if (e->exe_nlink == 0)
		e->flags |= CAP_UNLINKED;
	if (BPF_CORE_READ_BITFIELD_PROBED(bprm, secureexec))
		e->flags |= CAP_SECURE;
}

static __always_inline void
fill_exec(const bool direct, struct cap_exec *e, struct found *f)
{
	struct task_struct *task = f->task;
	struct linux_binprm *bprm = f->bprm;
	struct signal_struct *signal = GET(task, signal);
	struct cred *cred = GET(task, cred);

	fill_head(direct, &e->head, task, CAP_EXEC, f->seq);
	fill_who(direct, &e->uid, task);
	e->gid = GET(cred, gid).val;
	e->egid = GET(cred, egid).val;
	bpf_core_read(&e->caps, sizeof(e->caps), &cred->cap_effective);
	if (f->old_pid != e->head.pid)
		e->flags |= CAP_THREAD;
	if (copy_env && f->env_len > 0)
		e->flags |= CAP_ENV;
	e->pgrp = number_of(
	    direct, signal, bpf_core_enum_value(enum pid_type, PIDTYPE_PGID));
	e->sid = number_of(
	    direct, signal, bpf_core_enum_value(enum pid_type, PIDTYPE_SID));
	fill_tty(direct, &e->tty_major, task);
	fill_spaces(direct, e, task);
	fill_file(direct, e, bprm);
	fill_before(e, f->old_pid);
	e->argc = GET(bprm, argc);
	e->args_len = f->args_len;
	bpf_core_read(e->comm, sizeof(e->comm), &task->comm);
}

static __always_inline void
put_args(struct cap_exec *e, u8 *data, const u32 room, struct found *f)
{
	u64 n = f->args_len;

	e->end = 0;
	if (n > CAP_ARGS_INLINE) {
		e->flags |= CAP_ARGS_BULK;
		return;
	}
	if (n > room) {
		e->flags |= FULL;
		return;
	}
	if (bpf_probe_read_user(data, n, (void *)f->args_at) != 0) {
		struct cap_counts *c = counters();

		if (c != NULL)
			__sync_fetch_and_add(&c->faults, 1);
		e->flags |= CAP_ARGS_FAULT;
		return;
	}
	e->end = n;
}

static __always_inline void
put_exec(const bool direct, struct cap_exec *e, u8 *data, const u32 room,
    struct found *f)
{
	struct linux_binprm *bprm = f->bprm;
	struct dentry *cwd = f->cwd.dentry;

	put_args(e, data, room, f);
	e->args_end = e->end;
	put_string(e, data, room, GET(bprm, filename));
	e->filename_end = e->end;
	put_string(e, data, room, GET(bprm, interp));
	e->interp_end = e->end;
	put_path(direct, e, data, room, f, f->exe, CAP_EXE_CUT);
	e->exe_end = e->end;
	put_path(direct, e, data, room, f, f->cwd, CAP_CWD_CUT);
	e->cwd_end = e->end;
	put_cgroup(direct, e, data, room, f);
	if (GET(cwd, d_inode, i_nlink) == 0)
		e->flags |= CAP_CWD_UNLINKED;
	e->head.size = sizeof(*e) + e->end;
}

/*
 * A ring gives only room of a size that is known here, so there are a few
 * sizes.  Each has a function of its own that isn't static: the verifier looks
 * at it once, by itself, and not for each way to get there.
 */
#define EXEC_ROOM_MAX 24576 /* all that five paths and inline arguments have */

#define PUT_EXEC_OF(n, how, direct)                                            \
	__noinline int put_exec_##n##_##how(                                   \
	    struct exec_##n *r, struct found *f)                               \
	{                                                                      \
		if (r == NULL || f == NULL)                                    \
			return 0;                                              \
		put_exec(direct, &r->e, r->data, n, f);                        \
		return 0;                                                      \
	}
#define EXEC_OF(n)                                                             \
	struct exec_##n {                                                      \
		struct cap_exec e;                                             \
		u8 data[n + SLACK];                                            \
	};                                                                     \
	PUT_EXEC_OF(n, btf, true)                                              \
	PUT_EXEC_OF(n, raw, false)

EXEC_OF(256)
EXEC_OF(768)
EXEC_OF(2048)
EXEC_OF(6144)
EXEC_OF(24576) /* EXEC_ROOM_MAX */

/* -- arguments that are too long for a head -- */

/* Functions of their own, not static: so each is verified once, by itself. */

/* One bad page doesn't take the others with it.  Bit i of *ret: not page i. */
static __always_inline u32
read_pages(u8 *data, u64 at, u32 n)
{
	u32 faults = 0;

	for (u32 i = 0; i < CAP_CHUNK / CAP_PAGE; i++)
		if (i * CAP_PAGE < n &&
		    bpf_probe_read_user(data + i * CAP_PAGE, CAP_PAGE,
			(void *)(at + i * CAP_PAGE)) != 0)
			faults |= 1u << i;
	return faults;
}

__noinline int
put_chunk(u64 at, u64 left, u64 time, u64 start, u32 pid)
{
	struct cap_counts *c = counters();
	struct cap_chunk *k;
	u64 n = left, seq;

	if (c == NULL)
		return 0;
	seq = next_seq(c, 1);
	k = bpf_ringbuf_reserve(&bulk, sizeof(*k) + CAP_CHUNK, 0);
	if (k == NULL) {
		__sync_fetch_and_add(&c->drops[CAP_CHUNK_DATA], 1);
		return 0;
	}
	k->head = (struct cap_head){
		.type = CAP_CHUNK_DATA,
		.cpu = bpf_get_smp_processor_id(),
		.seq = seq,
		.time = time,
		.start = start,
		.pid = pid,
	};
	k->left = left;
	k->n = n < CAP_CHUNK ? n : CAP_CHUNK;
	k->head.size = sizeof(*k) + k->n;
	n = k->n; /* read again, so that clang and the verifier agree */
	if (n > CAP_CHUNK)
		n = CAP_CHUNK;
	barrier_var(n);
	k->faults = 0;
	if (bpf_probe_read_user(k + 1, n, (void *)at) != 0) {
		k->faults = read_pages((u8 *)(k + 1), at, n);
		__sync_fetch_and_add(&c->faults, 1);
	}
	bpf_ringbuf_submit(k, 0);
	return 0;
}

__noinline int
put_bulk(u64 at, u64 left, u64 time, u64 start, u32 pid)
{
	for (u32 i = 0; i < CAP_CHUNKS_MAX; i++) {
		put_chunk(at, left, time, start, pid);
		if (left <= CAP_CHUNK)
			break;
		at += CAP_CHUNK;
		left -= CAP_CHUNK;
	}
	return 0;
}

/* -- the environment, if it is wanted -- */

#define ENV_OF(len)                                                            \
	__noinline int put_env_##len(                                          \
	    u64 at, u64 left, u64 time, u64 start, u32 pid)                    \
	{                                                                      \
		struct cap_counts *c = counters();                             \
		struct cap_chunk *k;                                           \
		u64 n, seq;                                                    \
                                                                               \
		if (c == NULL)                                                 \
			return 0;                                              \
		seq = next_seq(c, 1);                                          \
		k = bpf_ringbuf_reserve(&bulk, sizeof(*k) + (len), 0);         \
		if (k == NULL) {                                               \
			__sync_fetch_and_add(&c->drops[CAP_CHUNK_DATA], 1);    \
			return 0;                                              \
		}                                                              \
		k->head = (struct cap_head){                                   \
			.type = CAP_CHUNK_DATA,                                \
			.cpu = bpf_get_smp_processor_id(),                     \
			.seq = seq,                                            \
			.time = time,                                          \
			.start = start,                                        \
			.pid = pid,                                            \
		};                                                             \
		k->left = left;                                                \
		k->n = left < (len) ? left : (len);                            \
		n = k->n; /* as in put_chunk() */                              \
		if (n > (len))                                                 \
			n = (len);                                             \
		barrier_var(n);                                                \
		k->faults = CAP_CHUNK_ENV;                                     \
		if (bpf_probe_read_user(k + 1, n, (void *)at) != 0) {          \
			k->n = 0; /* none of it, and left says so */           \
			__sync_fetch_and_add(&c->faults, 1);                   \
		}                                                              \
		k->head.size = sizeof(*k) + k->n;                              \
		bpf_ringbuf_submit(k, 0);                                      \
		return 0;                                                      \
	}

ENV_OF(4096)  /* CAP_ENV_SMALL */
ENV_OF(32768) /* CAP_CHUNK */

static __always_inline void
put_env(struct found *f)
{
	if (f->env_len <= CAP_ENV_SMALL)
		put_env_4096(f->env_at, f->env_len, f->time, f->start, f->pid);
	else
		put_env_32768(f->env_at, f->env_len, f->time, f->start, f->pid);
}

/* Where there is no room for the arguments isn't tried; more than a try is needed
 * for few. */
#define TELL_EXEC(n)                                                           \
	do {                                                                   \
		struct exec_##n *r_;                                           \
		if (inline_ > n)                                               \
			break;                                                 \
		r_ = bpf_ringbuf_reserve(&heads, sizeof(*r_), 0);              \
		if (r_ == NULL)                                                \
			return false;                                          \
		r_->e.flags = 0;                                               \
		if (direct)                                                    \
			put_exec_##n##_btf(r_, f);                             \
		else                                                           \
			put_exec_##n##_raw(r_, f);                             \
		if (r_->e.flags & FULL && n < EXEC_ROOM_MAX) {                 \
			/* Wakes who waits for this: the next one wouldn't. */ \
			bpf_ringbuf_discard(r_, 0);                            \
			break;                                                 \
		}                                                              \
		r_->e.flags &= ~FULL;                                          \
		fill_exec(direct, &r_->e, f);                                  \
		f->time = r_->e.head.time;                                     \
		f->start = r_->e.head.start;                                   \
		f->pid = r_->e.head.pid;                                       \
		bpf_ringbuf_submit(r_, 0);                                     \
		return true;                                                   \
	} while (0)

static __always_inline bool
tell_exec(const bool direct, struct found *f)
{
	u64 inline_ = f->args_len <= CAP_ARGS_INLINE ? f->args_len : 0;

	TELL_EXEC(256);
	TELL_EXEC(768);
	TELL_EXEC(2048);
	TELL_EXEC(6144);
	TELL_EXEC(24576);
	return false;
}

static __always_inline int
on_exec(const bool direct, struct task_struct *task, u32 old_pid,
    struct linux_binprm *bprm)
{
	struct found f = { .task = task, .bprm = bprm, .old_pid = old_pid };
	struct cap_counts *c = counters();

	if (c == NULL)
		return 0;
	f.seq = next_seq(c, 0);
	find(direct, &f);
	if (!tell_exec(direct, &f)) {
		__sync_fetch_and_add(&c->drops[CAP_EXEC], 1);
		return 0;
	}
	if (f.args_len > CAP_ARGS_INLINE)
		put_bulk(f.args_at, f.args_len, f.time, f.start, f.pid);
	if (copy_env && f.env_len > 0)
		put_env(&f);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int
BPF_PROG(exec_btf, struct task_struct *task, pid_t old_pid,
    struct linux_binprm *bprm)
{
	return on_exec(true, task, old_pid, bprm);
}

SEC("raw_tp/sched_process_exec")
int
exec_raw(struct bpf_raw_tracepoint_args *ctx)
{
	return on_exec(
	    false, (void *)ctx->args[0], ctx->args[1], (void *)ctx->args[2]);
}

/* -- fork -- */

static __always_inline int
on_fork(const bool direct, struct task_struct *child)
{
	struct cap_counts *c = counters();
	struct cap_fork *e;
	u64 seq;

	/* A thread is no process. */
	if (c == NULL || GET(child, pid) != GET(child, tgid))
		return 0;
	seq = next_seq(c, 0);
	e = bpf_ringbuf_reserve(&heads, sizeof(*e), 0);
	if (e == NULL) {
		__sync_fetch_and_add(&c->drops[CAP_FORK], 1);
		return 0;
	}
	fill_head(direct, &e->head, child, CAP_FORK, seq);
	e->head.size = sizeof(*e);
	fill_who(direct, &e->uid, child);
	bpf_core_read(e->comm, sizeof(e->comm), &child->comm);
	bpf_ringbuf_submit(e, 0);
	return 0;
}

SEC("tp_btf/sched_process_fork")
int
BPF_PROG(fork_btf, struct task_struct *parent, struct task_struct *child)
{
	return on_fork(true, child);
}

SEC("raw_tp/sched_process_fork")
int
fork_raw(struct bpf_raw_tracepoint_args *ctx)
{
	return on_fork(false, (void *)ctx->args[1]);
}

/* -- exit -- */

/* Without the kernel's word for it the last threads may each look like the
 * last one. */
static __always_inline bool
first_to_end(const bool direct, struct task_struct *task)
{
	struct signal_struct *signal = GET(task, signal);
	struct task_struct *leader = GET(task, group_leader);
	u64 key = start_of(direct, leader) ^ (u64)GET(task, tgid) << 32;
	u8 one = 1;

	if (GET(signal, live.counter) != 0)
		return false;
	return bpf_map_update_elem(&ended, &key, &one, BPF_NOEXIST) == 0;
}

static __always_inline void
fill_usage(const bool direct, struct cap_exit *e, struct task_struct *task)
{
	struct signal_struct *signal = GET(task, signal);

	if (bpf_core_field_exists(signal->pacct)) {
		/* All threads, this one too; kept with accounting off as well. */
		e->utime = GET(signal, pacct.ac_utime);
		e->stime = GET(signal, pacct.ac_stime);
		e->minflt = GET(signal, pacct.ac_minflt);
		e->majflt = GET(signal, pacct.ac_majflt);
	} else {
		e->utime = GET(signal, utime) + GET(task, utime);
		e->stime = GET(signal, stime) + GET(task, stime);
		e->minflt = GET(signal, min_flt) + GET(task, min_flt);
		e->majflt = GET(signal, maj_flt) + GET(task, maj_flt);
	}
	e->maxrss = GET(signal, maxrss);
	e->read_bytes = e->write_bytes = 0;
	if (bpf_core_field_exists(task->ioac.read_bytes)) {
		e->read_bytes =
		    GET(signal, ioac.read_bytes) + GET(task, ioac.read_bytes);
		e->write_bytes =
		    GET(signal, ioac.write_bytes) + GET(task, ioac.write_bytes);
	}
	e->rchar = e->wchar = 0;
	if (bpf_core_field_exists(task->ioac.rchar)) {
		e->rchar = GET(signal, ioac.rchar) + GET(task, ioac.rchar);
		e->wchar = GET(signal, ioac.wchar) + GET(task, ioac.wchar);
	}
}

/* The kernel's accounting names processes as who switched it on sees them. */
static __always_inline u32
own_pid(const bool direct, struct task_struct *leader)
{
	struct pid *pid = GET(leader, thread_pid);
	u32 level = GET(pid, level);
	struct upid upid;

	for (u32 i = 0; i < PID_NS_DEPTH && i <= level; i++) {
		bpf_probe_read_kernel(&upid, sizeof(upid), &pid->numbers[i]);
		if (GET(upid.ns, ns.inum) == own_pid_ns)
			return upid.nr;
	}
	return 0;
}

#define SIGNAL_GROUP_EXIT 4

static __always_inline int
on_exit(const bool direct, struct task_struct *task)
{
	struct signal_struct *signal = GET(task, signal);
	struct task_struct *leader = GET(task, group_leader);
	struct cap_counts *c = counters();
	struct cap_exit *e;
	u64 seq;

	if (c == NULL)
		return 0;
	seq = next_seq(c, 0);
	e = bpf_ringbuf_reserve(&heads, sizeof(*e), 0);
	if (e == NULL) {
		__sync_fetch_and_add(&c->drops[CAP_EXIT], 1);
		return 0;
	}
	fill_head(direct, &e->head, task, CAP_EXIT, seq);
	e->head.size = sizeof(*e);
	fill_who(direct, &e->uid, task);
	/* As wait(2) will have it, kernel/exit.c. */
	if (GET(signal, flags) & SIGNAL_GROUP_EXIT)
		e->status = GET(signal, group_exit_code);
	else
		e->status = GET(leader, exit_code);
	e->own_pid = own_pid(direct, leader);
	fill_usage(direct, e, task);
	bpf_core_read(e->comm, sizeof(e->comm), &leader->comm);
	bpf_ringbuf_submit(e, 0);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int
exit_btf(u64 *ctx)
{
	struct task_struct *task = (void *)ctx[0];
	bool dead = has_group_dead ? (bool)ctx[1] : first_to_end(true, task);

	return dead ? on_exit(true, task) : 0;
}

SEC("raw_tp/sched_process_exit")
int
exit_raw(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *task = (void *)ctx->args[0];
	bool dead =
	    has_group_dead ? (bool)ctx->args[1] : first_to_end(false, task);

	return dead ? on_exit(false, task) : 0;
}

/*
 * -- execs that failed: what the program says it wanted, and the errno --
 *
 * The name is read where the call's argument points, after the call: so it is in
 * memory, and so another thread may have changed it.  Of x86-64 alone; a 32-bit
 * program's call isn't seen.
 */
#ifdef __TARGET_ARCH_x86

/* The tracepoint's record, tracefs' events/syscalls/sys_exit_execve/format. */
struct sys_exit {
	u64 common;
	u32 nr, pad;
	long ret;
};

#define FAILED_OF(n)                                                           \
	struct failed_##n {                                                    \
		struct cap_failed e;                                           \
		char name[n];                                                  \
	};                                                                     \
	static __always_inline bool tell_failed_##n(                           \
	    struct task_struct *task, u64 name, long ret, u64 seq)             \
	{                                                                      \
		struct failed_##n *r =                                         \
		    bpf_ringbuf_reserve(&heads, sizeof(*r), 0);                \
		long len;                                                      \
                                                                               \
		if (r == NULL)                                                 \
			return false;                                          \
		fill_failed(&r->e, task, ret, seq);                            \
		len = bpf_probe_read_user_str(r->name, n, (void *)name);       \
		r->e.name_n = len > 0 ? (u32)len - 1 : 0;                      \
		r->e.head.size = sizeof(r->e) + r->e.name_n;                   \
		bpf_ringbuf_submit(r, 0);                                      \
		return true;                                                   \
	}

static __always_inline void
fill_failed(struct cap_failed *e, struct task_struct *task, long ret, u64 seq)
{
	fill_head(false, &e->head, task, CAP_FAILED, seq);
	fill_who(false, &e->uid, task);
	fill_tty(false, &e->tty_major, task);
	e->error = -ret;
	e->pad = 0;
	bpf_core_read(e->comm, sizeof(e->comm), &task->comm);
}

FAILED_OF(256)
FAILED_OF(4096)

static __always_inline int
on_failed(struct sys_exit *ctx, bool at)
{
	u32 zero = 0;
	struct cap_counts *c = counters();
	char *to = bpf_map_lookup_elem(&ruler, &zero);
	struct task_struct *task;
	struct pt_regs *regs;
	u64 seq, name;
	long len;

	if (ctx->ret >= 0 || c == NULL || to == NULL)
		return 0;
	task = bpf_get_current_task_btf();
	regs = (void *)bpf_task_pt_regs(task);
	name = at ? PT_REGS_PARM2_CORE_SYSCALL(regs)
		  : PT_REGS_PARM1_CORE_SYSCALL(regs);
	seq = next_seq(c, 0);
	len = bpf_probe_read_user_str(to, CAP_PATH_MAX, (void *)name);
	if (!(len <= 256 ? tell_failed_256(task, name, ctx->ret, seq)
			 : tell_failed_4096(task, name, ctx->ret, seq)))
		__sync_fetch_and_add(&c->drops[CAP_FAILED], 1);
	return 0;
}

SEC("tracepoint/syscalls/sys_exit_execve")
int
failed_execve(struct sys_exit *ctx)
{
	return on_failed(ctx, false);
}

SEC("tracepoint/syscalls/sys_exit_execveat")
int
failed_execveat(struct sys_exit *ctx)
{
	return on_failed(ctx, true);
}
#endif
