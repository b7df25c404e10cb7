/*
 * vmlinux - the kernel's types, as far as the programs here read them.
 *
 * Trimmed by hand, so that a build needs neither a kernel's BTF nor its
 * headers.  Only names count: where a field lies is looked up when a program
 * is loaded (CO-RE), so order, padding and fields left out don't matter.  Names
 * ending in ___old are how older kernels have it; libbpf drops what follows the
 * three underscores.
 *
 * Checked against 6.18; the source of each difference is named beside it.
 */
#ifndef OPS_BPF_VMLINUX_H
#define OPS_BPF_VMLINUX_H
#define __VMLINUX_H__ /* so bpf_tracing.h takes the kernel's names */

#ifndef BPF_NO_PRESERVE_ACCESS_INDEX
#pragma clang attribute push(                                                  \
    __attribute__((preserve_access_index)), apply_to = record)
#endif

typedef unsigned char __u8;
typedef signed char __s8;
typedef unsigned short __u16;
typedef short __s16;
typedef unsigned int __u32;
typedef int __s32;
typedef unsigned long long __u64;
typedef long long __s64;
typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef int pid_t;
typedef _Bool bool;
/* libbpf's helper prototypes name these. */
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;

enum { false, true };

/* uapi/linux/bpf.h */
enum bpf_map_type {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_LRU_HASH = 9,
	BPF_MAP_TYPE_RINGBUF = 27,
};
enum { BPF_ANY, BPF_NOEXIST, BPF_EXIST };
enum { BPF_F_MMAPABLE = 1U << 10 };
enum { BPF_RB_NO_WAKEUP = 1, BPF_RB_FORCE_WAKEUP = 2 };

typedef struct {
	int counter;
} atomic_t;

typedef struct {
	u32 val;
} kuid_t;

typedef struct {
	u32 val;
} kgid_t;

/* A pair of u32 before 6.3; both are 64 bits, the low half first. */
typedef struct {
	u64 val;
} kernel_cap_t;

struct ns_common {
	u32 inum;
};

struct mnt_namespace {
	struct ns_common ns;
};
struct net {
	struct ns_common ns;
};
struct uts_namespace {
	struct ns_common ns;
};
struct cgroup_namespace {
	struct ns_common ns;
};
struct user_namespace {
	struct ns_common ns;
};
struct pid_namespace {
	struct ns_common ns;
};

struct nsproxy {
	struct uts_namespace *uts_ns;
	struct mnt_namespace *mnt_ns;
	struct net *net_ns;
	struct cgroup_namespace *cgroup_ns;
};

struct upid {
	int nr;
	struct pid_namespace *ns;
};

struct pid {
	u32 level;
	struct upid numbers[1];
};

enum pid_type { PIDTYPE_PID, PIDTYPE_TGID, PIDTYPE_PGID, PIDTYPE_SID };

struct cred {
	kuid_t uid, suid, euid;
	kgid_t gid, sgid, egid;
	kernel_cap_t cap_permitted, cap_effective;
	struct user_namespace *user_ns;
};

struct super_block {
	u32 s_dev;
};

struct inode {
	u16 i_mode;
	kuid_t i_uid;
	kgid_t i_gid;
	struct super_block *i_sb;
	unsigned long i_ino;
	u32 i_nlink;
	long long i_size;
};

struct qstr {
	u32 len;
	const unsigned char *name;
};

struct dentry {
	struct dentry *d_parent;
	struct qstr d_name;
	struct inode *d_inode;
	struct super_block *d_sb;
};

struct vfsmount {
	struct dentry *mnt_root;
};

struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
};

struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};

struct file {
	struct path f_path;
	struct inode *f_inode;
};

struct fs_struct {
	struct path root, pwd;
};

struct mm_struct {
	unsigned long arg_start, arg_end, env_start, env_end;
	struct file *exe_file;
};

struct tty_driver {
	int major, minor_start;
};

struct tty_struct {
	int index;
	struct tty_driver *driver;
	void *driver_data;
};

struct pacct_struct {
	u64 ac_utime, ac_stime;
	unsigned long ac_minflt, ac_majflt;
};

struct task_io_accounting {
	u64 rchar, wchar, read_bytes, write_bytes;
};

struct signal_struct {
	atomic_t live;
	struct pid *pids[4];
	struct tty_struct *tty;
	int group_exit_code;
	u32 flags;
	u64 utime, stime;
	unsigned long min_flt, maj_flt;
	unsigned long maxrss;
	struct pacct_struct pacct;
	struct task_io_accounting ioac;
};

struct kernfs_node {
	struct kernfs_node *__parent; /* since 6.15 */
	const char *name;
};

struct kernfs_node___old {
	struct kernfs_node___old *parent;
	const char *name;
};

struct cgroup {
	struct kernfs_node *kn;
};

struct css_set {
	struct cgroup *dfl_cgrp;
};

struct task_struct {
	u32 flags;
	struct mm_struct *mm;
	int exit_code;
	pid_t pid, tgid;
	struct task_struct *real_parent, *group_leader;
	struct pid *thread_pid;
	u64 utime, stime;
	u64 start_boottime; /* since 5.5 */
	unsigned long min_flt, maj_flt;
	struct cred *real_cred, *cred;
	char comm[16];
	struct fs_struct *fs;
	struct nsproxy *nsproxy;
	struct signal_struct *signal;
	kuid_t loginuid; /* with CONFIG_AUDIT */
	u32 sessionid;
	struct task_io_accounting ioac;
	struct css_set *cgroups;
};

struct task_struct___old {
	u64 real_start_time; /* before 5.5 */
};

struct linux_binprm {
	struct file *file;
	struct cred *cred;
	u32 secureexec : 1;
	int argc, envc;
	const char *filename, *interp;
};

struct pt_regs {
	/* x86 */
	unsigned long di, si, orig_ax;
};

struct bpf_raw_tracepoint_args {
	u64 args[0];
};

#ifndef BPF_NO_PRESERVE_ACCESS_INDEX
#pragma clang attribute pop
#endif

#endif
