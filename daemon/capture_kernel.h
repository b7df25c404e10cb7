/*
 * capture_kernel - the BPF programs of bpf/capture.bpf.c, and what they say.
 *
 * To load and attach takes CAP_BPF and CAP_PERFMON; everything else works without
 * any right.  Closing detaches them.
 *
 * Built with -Dcapture=disabled, kernel_open() says so.
 */
#ifndef OPS_DAEMON_CAPTURE_KERNEL_H
#define OPS_DAEMON_CAPTURE_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "capture_order.h"
#include "config/config.h"
#include "tracefs.h"

struct kernel;

struct kernel_wants {
	enum capture_hooks hooks;  /* no others than those */
	struct tracepoints failed; /* one is 0: done without */
	bool environment;          /* copy those, too */
};

/* OPS_EUNAVAIL: this kernel, these rights or this build can't; err says what is
 * missing. */
int kernel_open(
    const struct kernel_wants *wants, struct kernel **ret, struct ops_err *err);
void kernel_close(struct kernel *k);

/* "tp_btf" or "raw_tp", and what is missing. */
const char *kernel_how(const struct kernel *k);
/* Nothing comes into the rings any more, once what goes on just now is through
 * (KERNEL_THROUGH); what is there can be read, and counted. */
void kernel_detach(struct kernel *k);
#define KERNEL_THROUGH UINT64_C(5000000) /* ns */
/* Readable once something has come into rings that had been read empty. */
int kernel_fd(const struct kernel *k);

/*
 * Read both rings into o, pieces first, until they are empty or o holds `room`
 * events more.  How many were read.  What can't be kept is counted by o.
 */
size_t kernel_read(struct kernel *k, struct order *o, size_t room);

/* All that it counted, of all CPUs, since it was opened; and how often the
 * kernel skipped one of the programs. */
struct kernel_counts {
	uint64_t drops[CAP_TYPES];
	uint64_t faults, skipped;
};
void kernel_count(const struct kernel *k, struct kernel_counts *ret);

#endif
