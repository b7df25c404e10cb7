/*
 * procstat - the texts of proc(5) about a process: stat, status, loginuid,
 * comm, and the names of its entries; and how many there were.
 *
 * A process chooses its own name, and the name stands in the middle of stat:
 * no byte of it is ever taken for a field.  Bytes in, struct out; the caller
 * reads the file.
 *
 * Fuzzed: procstat
 */
#ifndef OPS_PROCSTAT_H
#define OPS_PROCSTAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "err.h"

#define PROCSTAT_TEXT_MAX 4096 /* more than any of these files has */

struct procstat {
	char state;   /* 'R', 'S', 'T', 'Z', ... */
	pid_t parent; /* 0: none, or not in our pid namespace */
	uint32_t tty_major, tty_minor; /* field 7; 0, 0: none */
	uint64_t start;                /* clock ticks since boot, field 22 */
};

/* The n bytes at p are /proc/PID/stat, or its beginning up to field 22 and
 * the space behind it.  OPS_EFORMAT if they are not. */
int procstat_parse(
    const char *p, size_t n, struct procstat *ret, struct ops_err *err);

/* The number that is word `word` (from 0) behind "NAME:" and blanks at the
 * beginning of a line, as in status; all before it are numbers, more words may
 * follow.  The kernel escapes a newline in a name there, so none can imitate a
 * line. */
int procstat_line(const char *p, size_t n, const char *name, unsigned word,
    uint32_t *ret, struct ops_err *err);

/* The whole file is one number: loginuid, sessionid. */
int procstat_number(
    const char *p, size_t n, uint32_t *ret, struct ops_err *err);

/* Processes and threads that were made since the boot, of /proc/stat: its line
 * "processes N".  The file may be cut behind that. */
int procstat_made(const char *p, size_t n, uint64_t *ret, struct ops_err *err);

/* The name of an entry of /proc, /proc/PID/task or /proc/PID/fd: digits alone,
 * of a number up to INT_MAX.  False, with *ret untouched, if it is none. */
bool procstat_entry(const char *name, int *ret);

/* /proc/PID/comm without the newline behind it: a name, which may hold any
 * byte but NUL.  out: its first size - 1 bytes and NUL. */
void procstat_comm(const char *p, size_t n, char *out, size_t size);

#endif
