/*
 * memfs - a file system in memory that can lose power.
 *
 * What a program sees is the current state; what survives a power cut is the
 * durable state plus any subset of what was not synced since:
 *
 *	- each 512-byte sector written since its file's last fdatasync is there
 *	  in any of its versions, or not at all;
 *	- the file's length is any it had since then;
 *	- each name changed in a folder since that folder's last sync is there in
 *	  any of its versions.
 *
 * That is weaker than any real disk and file system.  It also fails on
 * request: the n-th write, sync, ... with an error of the test's choice.
 * One thread at a time.
 */
#ifndef OPS_MEMFS_H
#define OPS_MEMFS_H

#include <stdbool.h>
#include <stdint.h>

#include "store/vfs.h"

enum memfs_op {
	MEMFS_WRITE,
	MEMFS_SYNC,
	MEMFS_TRUNCATE,
	MEMFS_CREATE,
	MEMFS_RENAME,
	MEMFS_UNLINK,
	MEMFS_MKDIR,
	MEMFS_RMDIR,
	MEMFS_SYNC_DIR,
	MEMFS_OPS,
};

struct memfs {
	struct vfs vfs; /* first: a struct memfs is a vfs */
	struct inode **inode;
	unsigned n_inodes;
	uint64_t ops;     /* mutating operations so far */
	uint64_t written; /* bytes, but not the zeros */
	bool locked;

	/* Called after each mutating operation. */
	void (*hook)(
	    void *arg, struct memfs *m, enum memfs_op op, const char *path);
	void *hook_arg;

	/* Fault: counts down operations of the kinds in fail_mask; at zero they
	 * fail with fail_errno, fail_times times (0: for ever). */
	unsigned fail_mask; /* 1 << enum memfs_op */
	int64_t fail_after; /* < 0: off */
	uint64_t fail_times;
	int fail_errno;
	uint64_t failed; /* how many did */
	/* As Linux does it: what a failed sync did not write will not be
	 * written by the next one either, unless it is written again. */
	bool forgets;
	uint64_t space; /* bytes left for new pages; UINT64_MAX: plenty */

	/* The last write, for cuts inside it. */
	unsigned last_inode;
	uint64_t last_off, last_len;
};

struct memfs *memfs_new(void);
/* The same, with nothing shared and nothing pending forgotten. */
struct memfs *memfs_clone(const struct memfs *m);

/* What a power cut now may leave; *seed moves on. */
struct memfs *memfs_crash(const struct memfs *m, uint64_t *seed);
/* What a crash of the machine's program alone leaves: all of it, but of the
 * last write only its first n bytes. */
struct memfs *memfs_cut_last(const struct memfs *m, uint64_t n);
/* All writes undone but those synced. */
struct memfs *memfs_durable(const struct memfs *m);
/* Two of one descent that have the same have the same names and bytes.  Cheap: what
 * they share is hashed once. */
uint64_t memfs_hash(const struct memfs *m);

/* Give direct access to a file's bytes for tests that change one. */
uint64_t memfs_file_size(struct memfs *m, const char *path);
uint8_t memfs_peek(struct memfs *m, const char *path, uint64_t off);
void memfs_poke(struct memfs *m, const char *path, uint64_t off, uint8_t value);
/* All paths of files, sorted; free with vfs_names_free(). */
void memfs_files(struct memfs *m, struct vfs_names *ret);

/* A small generator with a seed (splitmix64). */
uint64_t memfs_random(uint64_t *seed);

#endif
