/*
 * nomem - the n-th allocation fails.
 *
 * The linker sends malloc(3) and its relatives here (meson.build).  Counted is
 * what a call under test allocates (armed), but not what the file system below
 * it does, nor the primitives, which end the process (crypto.h).  Any thread's
 * allocations count.
 */
#ifndef OPS_TEST_NOMEM_H
#define OPS_TEST_NOMEM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "memfs.h"

extern struct nomem {
	/* so many succeed, then one fails; < 0: none does */
	_Atomic int64_t after;
	_Atomic uint64_t failed;
	atomic_bool armed;
} nomem;

/* A memfs whose own allocations don't count, and that forgets what a failed
 * sync did not write. */
struct memfs *nomem_disk(void);

#endif
