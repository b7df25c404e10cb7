/*
 * capture - what the kernel's side says to the daemon's, byte by byte.
 *
 * Two rings.  HEADS has one record an event: the structures below, in the
 * machine's own byte order.  BULK has arguments that didn't fit into their
 * head, so that a flood of them can't push an event out.
 *
 * Each record has a number, counted on its CPU and for its ring, whether there
 * was room for it or not: what is missing is what was lost.  drops[] counts the
 * same by type.
 *
 * Times are BOOTTIME in ns.  A process is its tgid and the BOOTTIME it was
 * started at, which fork keeps and exec too.
 */
#ifndef OPS_BPF_CAPTURE_H
#define OPS_BPF_CAPTURE_H

#ifndef __bpf__ /* there vmlinux.h has them */
#include <linux/types.h>
#endif

/* Bytes; powers of 2, whole pages.  A program's 6 MiB of arguments come within
 * a millisecond or two, so BULK must hold them all. */
#define CAP_HEADS_SIZE (4u << 20)
#define CAP_BULK_SIZE (8u << 20)
#define CAP_COMM 16       /* TASK_COMM_LEN */
#define CAP_NAME_MAX 256  /* longest name in a directory, with a NUL */
#define CAP_PATH_MAX 4096 /* PATH_MAX */
#define CAP_DEPTH_MAX 128 /* names in a path; more: CAP_*_CUT */
#define CAP_CGROUP_DEPTH 32
#define CAP_ARGS_INLINE 4096  /* arguments as long as that are in the head */
#define CAP_CHUNK 32768       /* of longer ones, a record in BULK */
#define CAP_ENV_SMALL 4096    /* most environments */
#define CAP_CHUNKS_MAX 200    /* more than 6 MiB, the kernel's own limit */
#define CAP_PAGE 4096         /* a chunk that faults is read by pages */
#define CAP_UNSET 0xffffffffu /* auid and ses that were never set */

enum cap_type {
	CAP_FORK,
	CAP_EXEC,
	CAP_EXIT,
	CAP_FAILED,
	CAP_CHUNK_DATA,
	CAP_TYPES,
};

/* Begins each record. */
struct cap_head {
	__u16 type; /* enum cap_type */
	__u16 cpu;
	__u32 size; /* of what is used, this included */
	__u64 seq;  /* number on this CPU, in this ring, from 0 */
	__u64 time;
	__u64 start; /* the process's */
	__u32 pid;   /* tgid */
	__u32 ppid;
	__u64 pstart; /* the parent's start */
};

/* A process (not a thread) was made; head.pid is the new one. */
struct cap_fork {
	struct cap_head head;
	__u32 uid, euid;
	__u32 auid, ses;
	char comm[CAP_COMM];
};

enum cap_flag {
	CAP_SECURE = 1 << 0,   /* AT_SECURE: privileges came with the file */
	CAP_UNLINKED = 1 << 1, /* the file has no name any more */
	CAP_EXE_CUT =
	    1 << 2, /* deeper than CAP_DEPTH_MAX: begins in the middle */
	CAP_CWD_CUT = 1 << 3,
	CAP_CWD_UNLINKED = 1 << 4,
	CAP_THREAD = 1 << 5,     /* by a thread that wasn't the leader */
	CAP_ARGS_BULK = 1 << 6,  /* the arguments are in BULK */
	CAP_ARGS_FAULT = 1 << 7, /* inline arguments couldn't be read */
	CAP_BEFORE = 1 << 8,     /* the before_ fields are known */
	CAP_ENV = 1 << 9,        /* its environment is in BULK */
};

struct cap_exec {
	struct cap_head head;
	__u32 flags; /* enum cap_flag */
	__u32 uid, euid;
	__u32 auid, ses;
	__u32 gid, egid;
	__u32 before_uid, before_euid; /* of the process until then */
	__u32 pgrp, sid;               /* process group, session leader */
	__u32 nspid;
	__u64 caps, before_caps;    /* effective capabilities */
	__u32 tty_major, tty_minor; /* 0, 0: none */
	__u32 tty_dev; /* of the devpts instance, 0 if it's no pty */
	__u32 ns_pid, ns_mnt, ns_net, ns_uts, ns_user, ns_cgroup;
	__u32 exe_dev;
	__u64 exe_ino;
	__u32 exe_mode, exe_uid, exe_nlink;
	__u32 argc;
	__u64 args_len; /* as the kernel has it: each with its NUL */
	char comm[CAP_COMM];
	/*
	 * Data follows, one after the other, each until the offset named: the
	 * arguments (unless CAP_ARGS_BULK), the name as asked, the interpreter,
	 * both without a NUL; then paths, as names from the inside out, each
	 * with its NUL: of the executed file, the working directory, the cgroup
	 * (version 2), whose end is all there is.
	 */
	__u32 args_end, filename_end, interp_end, exe_end, cwd_end, end;
};

struct cap_exit {
	struct cap_head head;
	__u32 uid, euid;
	__u32 auid, ses;
	__u32 status;  /* wait(2) */
	__u32 own_pid; /* in opseald's pid namespace; 0: it isn't in that */
	__u64 utime, stime; /* ns */
	__u64 maxrss;       /* pages */
	__u64 read_bytes, write_bytes;
	__u64 rchar, wchar;
	__u64 minflt, majflt;
	char comm[CAP_COMM];
};

/* An exec that failed, as the program's own memory tells it: claimed. */
struct cap_failed {
	struct cap_head head;
	__u32 uid, euid;
	__u32 auid, ses;
	__u32 tty_major, tty_minor, tty_dev;
	__s32 error; /* errno */
	char comm[CAP_COMM];
	__u32 name_n, pad;
	/* the name, without NUL */
};

/* A piece of the arguments of the exec of that process and time; in order.  Or
 * the begin of its environment: then there is one, of at most CAP_CHUNK. */
#define CAP_CHUNK_ENV (1u << 31) /* in faults: it is that */
struct cap_chunk {
	struct cap_head head;
	__u64 left;   /* bytes from here to the end of all */
	__u32 n;      /* of data, which follows */
	__u32 faults; /* bit i: page i of it couldn't be read */
};

/* Per CPU, written by the kernel's side only; whole numbers of 64 bytes. */
struct cap_counts {
	__u64 seq[2]; /* next number: HEADS, BULK */
	__u64 drops[CAP_TYPES];
	__u64 faults; /* memory that couldn't be read */
};

#endif
