/*
 * program - the bodies of the records in a programs stream: which programs were
 * started on this machine, by whom, and how they ended.
 *
 * A stream is one run of capture: REC_CAPTURE first, then what happened in the
 * order of the kernel's times.  A process is a pid and the BOOTTIME it was made
 * at; both together are never used twice in a boot.
 *
 * A second source, the kernel's own accounting (acct.h), can be switched on: an
 * end that it tells of and capture doesn't is a REC_ACCOUNTED, and REC_COVERAGE
 * counts what each of them saw.
 *
 * Provenance: REC_EXEC and REC_ENDED are proven (read in the kernel), and so is
 * REC_ACCOUNTED (written by it), except comm, which a process can choose, and
 * `tty` names and the session of a `joined` that says so.  REC_FAILED is
 * claimed: the name is read from the program's own memory.
 *
 * The session id in front is the session that the process belongs to, as
 * `joined` says; all zero: none.  Such records may come after its CLOSE, so
 * they don't count in its account.
 *
 * Fuzzed: program
 */
#ifndef OPS_PROGRAM_H
#define OPS_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/text.h"
#include "event.h"

#define PROGRAM_PATH_MAX 4096  /* bytes of a path, PATH_MAX */
#define PROGRAM_INTERP_MAX 256 /* BINPRM_BUF_SIZE */
#define PROGRAM_CGROUP_MAX 2048
#define PROGRAM_IO_MIN 16384  /* bytes that a program moved, to be told */
#define PROGRAM_COMM_MAX 16   /* TASK_COMM_LEN */
#define PROGRAM_ENV_MAX 4000  /* bytes of environment that are kept */
#define PROGRAM_ARGS_MAX 8000 /* bytes of arguments in one record */
/* In all; the kernel takes 6 MiB, and what is short may be masked by more. */
#define PROGRAM_ARGS_TOTAL (50u << 20)

enum capture_what {
	CAPTURE_BEGAN = 1,
	CAPTURE_ENDED = 2,
};

/* REC_CAPTURE */
struct program_capture {
	uint32_t what;          /* 1 enum capture_what */
	uint32_t pid;           /* 2 of the capture role */
	uint64_t realtime;      /* 3 CLOCK_REALTIME, ns */
	struct event_text how;  /* 4 "tp_btf", "raw_tp" */
	struct event_text host; /* 5 nodename */
	/* 6: began by the same process as the run before, without a break, since
	 * the log is another one */
	bool goes_on;
};

enum program_joined {
	JOINED_NOTHING = 0,
	JOINED_TTY = 1,      /* its controlling terminal is the session's */
	JOINED_DESCENT = 2,  /* it descends from the session's shell */
	JOINED_LOGIN = 3,    /* the kernel's audit session is the same */
	JOINED_INFERRED = 4, /* its terminal is shown in that session (tmux) */
};

enum program_flag {
	PROGRAM_SECURE = 1 << 0,   /* privileges came with the file */
	PROGRAM_UNLINKED = 1 << 1, /* the file has no name any more */
	PROGRAM_EXE_CUT = 1 << 2,  /* its path begins in the middle */
	PROGRAM_CWD_CUT = 1 << 3,
	PROGRAM_CWD_UNLINKED = 1 << 4, /* the directory was removed */
	PROGRAM_THREAD = 1 << 5,       /* by a thread that wasn't the leader */
	PROGRAM_SEEDED = 1 << 6,       /* ran before capture did; from /proc */
	PROGRAM_FORKED = 1 << 7, /* REC_ENDED: it never executed anything */
	PROGRAM_UNSEEN = 1 << 8, /* REC_ENDED: its start isn't here */
	PROGRAM_MASKED = 1 << 9, /* secrets in args are replaced by their masks:
				  * "[masked N H]", N bytes, H 12 hex digits of
				  * a keyed hash.  args_len and holes are as
				  * before that.  env, too */
	PROGRAM_ENV_CUT = 1 << 10, /* not all of the environment was looked at,
				    * or kept that should be */
};

/* REC_EXEC */
struct program_exec {
	uint32_t pid;    /* 1 */
	uint64_t start;  /* 2 BOOTTIME, ns */
	uint32_t ppid;   /* 3 who made it, even if that one is gone since */
	uint64_t pstart; /* 4 0: unknown */
	uint32_t uid, euid, gid, egid; /* 5 to 8 */
	uint32_t auid, ses;            /* 9, 10; EVENT_UNSET */
	uint32_t joined;               /* 11 enum program_joined */
	uint32_t flags;                /* 12 enum program_flag */
	uint32_t pgrp, sid;            /* 13, 14 in the first pid namespace */
	uint32_t nspid;                /* 15 in its own */
	uint32_t argc;                 /* 16 */
	uint64_t args_len;             /* 17 bytes of all arguments */
	uint32_t tty;                  /* 18 major << 20 | minor; 0: none */
	uint32_t tty_fs; /* 19 the same of its devpts; 0: no pty */
	uint64_t caps;   /* 20 effective capabilities */
	bool has_before; /*    what it was until then is known */
	uint32_t before_uid, before_euid; /* 21, 22 */
	uint64_t before_caps;             /* 23 */
	struct event_text comm;           /* 24 */
	struct event_text args;     /* 25 NUL after each; more: REC_ARGS */
	struct event_text filename; /* 26 as asked; absent: as exe */
	struct event_text interp;   /* 27 absent: as filename */
	struct event_text exe;      /* 28 the executed file */
	struct event_text cwd;      /* 29 */
	struct event_text cgroup;   /* 30 version 2; absent: the root */
	uint32_t exe_dev;           /* 31 major << 20 | minor */
	uint64_t exe_ino;           /* 32 */
	uint32_t exe_mode, exe_uid; /* 33, 34 */
	uint32_t ns_pid, ns_mnt, ns_net, ns_uts, ns_user,
	    ns_cgroup;           /* 35 to 40 */
	struct event_text holes; /* 41 of the arguments, see below */
	struct event_text env;   /* 42 those variables that are to be kept,
				  * NUL after each; absent: none */
	struct event_text also;  /* 43 JOINED_INFERRED: ids of the other
				  * sessions that show its terminal */
	/* Where ppid is not such a one: the nearest ancestor that executed
	 * something, or ran before capture did. */
	bool has_ancestor;
	uint32_t ancestor;      /* 44 its pid */
	uint64_t ancestor_back; /* 45 its start is so much before pstart, ns */
};

#define PROGRAM_ALSO_MAX 16 /* of them */

/* What could not be read of the arguments: u64 offset, u64 length each. */
#define PROGRAM_HOLES_MAX 64
#define PROGRAM_HOLE_LEN 16

/* REC_ARGS: directly after its REC_EXEC, or after another one. */
struct program_args {
	uint32_t pid;           /* 1 */
	uint64_t start;         /* 2 */
	uint64_t offset;        /* 3 in all of the arguments */
	struct event_text args; /* 4 at most PROGRAM_ARGS_MAX */
};

/* REC_ENDED */
struct program_ended {
	uint32_t pid;                     /* 1 */
	uint64_t start;                   /* 2 */
	uint32_t status;                  /* 3 as wait(2) has it */
	uint32_t joined;                  /* 4 */
	uint32_t flags;                   /* 5 */
	uint64_t utime, stime;            /* 6, 7 ns */
	uint64_t maxrss;                  /* 8 KiB */
	uint64_t read_bytes, write_bytes; /* 9, 10 from and to storage */
	uint64_t minflt, majflt;          /* 11, 12 */
	bool has_who; /*   where no REC_EXEC says it: PROGRAM_FORKED, _UNSEEN */
	uint32_t ppid;                 /* 13 */
	uint64_t pstart;               /* 14 */
	uint32_t uid, euid, auid, ses; /* 15 to 18 */
	struct event_text comm; /* 19 absent if the REC_EXEC has the same */
	bool has_own;           /*   opseald's pid namespace is not the first */
	uint32_t own;           /* 20 its pid there; 0: it isn't in that */
	/* What it read and wrote by read(2), write(2) and their kin, of files,
	 * pipes and sockets; its children that it waited for, too.  There from
	 * PROGRAM_IO_MIN on, of either: most programs move less, and what they
	 * move is the libraries that they load. */
	bool has_io;
	bool has_wchar;        /*    the same: put sets it, get checks it */
	uint64_t rchar, wchar; /* 21, 22 as /proc/PID/io has them */
};

/* REC_FAILED: claimed by the program that tried. */
struct program_failed {
	uint32_t pid;                  /* 1 */
	uint64_t start;                /* 2 */
	uint32_t error;                /* 3 errno */
	uint32_t joined;               /* 4 */
	uint32_t uid, euid, auid, ses; /* 5 to 8 */
	struct event_text comm;        /* 9 of who tried */
	struct event_text name;        /* 10 what */
	bool has_where;         /*    what first logs of version 2 lack */
	uint32_t tty, tty_fs;   /* 11, 12 as in REC_EXEC */
	uint32_t ppid;          /* 13 0: not known */
	uint64_t pstart;        /* 14 */
	bool has_ancestor;      /*    as in REC_EXEC */
	uint32_t ancestor;      /* 15 */
	uint64_t ancestor_back; /* 16 */
};

/* REC_LOSS */
struct program_loss {
	uint64_t from, until; /* 1, 2 BOOTTIME: it happened in between */
	uint64_t execs;       /* 3 */
	uint64_t ends;        /* 4 */
	uint64_t forks;       /* 5 */
	uint64_t failed;      /* 6 */
	uint64_t args;        /* 7 pieces of arguments */
	uint64_t other; /* 8 numbers that are missing for no reason known, and
			 * events that the kernel didn't call capture for */
};

/* REC_ACCOUNTED: what acct(5) says of an end.  The record's time is that of the
 * end to the second; the pid is of the pid namespace that is accounted. */
struct program_accounted {
	uint32_t pid, ppid;      /* 1, 2 */
	uint32_t uid, gid;       /* 3, 4 real ones */
	uint32_t status;         /* 5 as wait(2) has it */
	uint64_t began;          /* 6 CLOCK_REALTIME, s; see acct.h */
	uint64_t elapsed;        /* 7 ns, in ticks, without suspended times */
	uint64_t utime, stime;   /* 8, 9 ns, in ticks */
	uint64_t mem;            /* 10 KiB of address space at the end */
	uint64_t minflt, majflt; /* 11, 12 */
	uint32_t tty;   /* 13 major << 20 | minor; 8 bits of each; 0: none */
	uint32_t flags; /* 14 enum acct_flag */
	bool unsure;    /* 15 it ended before this run of capture began: an
			 * earlier one may have seen it */
	struct event_text comm; /* 16 */
};

/* REC_COVERAGE: of the ends of processes in between. */
struct program_coverage {
	uint64_t from, until; /* 1, 2 BOOTTIME */
	uint64_t captured;    /* 3 capture saw */
	uint64_t accounted;   /* 4 the kernel's accounting told of */
	uint64_t missed;      /* 5 of them capture did not see */
	uint64_t unsure;      /* 6 or may not have seen */
	uint64_t unaccounted; /* 7 capture alone saw */
	uint64_t bad;         /* 8 records that could not be read */
};

/* As event_*_put() and event_*_get(), see there; OPS_EFORMAT as well if a number
 * isn't one of its enum, or holes aren't whole ones. */
void program_capture_put(struct ops_buf *b, const struct program_capture *e);
void program_exec_put(struct ops_buf *b, const uint8_t id[static OPS_ID_LEN],
    const struct program_exec *e);
void program_args_put(struct ops_buf *b, const uint8_t id[static OPS_ID_LEN],
    const struct program_args *e);
void program_ended_put(struct ops_buf *b, const uint8_t id[static OPS_ID_LEN],
    const struct program_ended *e);
void program_failed_put(struct ops_buf *b, const uint8_t id[static OPS_ID_LEN],
    const struct program_failed *e);
void program_loss_put(struct ops_buf *b, const struct program_loss *e);
void program_accounted_put(
    struct ops_buf *b, const struct program_accounted *e);
/* The same, of one that was imported in that session: then it is claimed. */
void program_imported_put(struct ops_buf *b,
    const uint8_t id[static OPS_ID_LEN], const struct program_accounted *e);
void program_coverage_put(struct ops_buf *b, const struct program_coverage *e);

int program_capture_get(const uint8_t *p, size_t n, struct program_capture *ret,
    struct ops_err *err);
int program_exec_get(
    const uint8_t *p, size_t n, struct program_exec *ret, struct ops_err *err);
int program_args_get(
    const uint8_t *p, size_t n, struct program_args *ret, struct ops_err *err);
int program_ended_get(
    const uint8_t *p, size_t n, struct program_ended *ret, struct ops_err *err);
int program_failed_get(const uint8_t *p, size_t n, struct program_failed *ret,
    struct ops_err *err);
int program_loss_get(
    const uint8_t *p, size_t n, struct program_loss *ret, struct ops_err *err);
int program_accounted_get(const uint8_t *p, size_t n,
    struct program_accounted *ret, struct ops_err *err);
int program_coverage_get(const uint8_t *p, size_t n,
    struct program_coverage *ret, struct ops_err *err);

#endif
