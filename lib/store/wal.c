#include "wal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/crypto.h"

#define WAL_MAGIC "OPSWAL01"
#define WAL_SPARE_MAX 8 /* sealed files kept for reuse */
#define WAL_PATH 32

struct wal_file {
	uint64_t number;
	uint64_t last; /* its last batch; 0: not known, from before */
	uint64_t bytes;
};

struct wal {
	struct vfs *v;
	struct vfs_file *f; /* the open one, = file[n - 1]; NULL: given up */
	uint64_t off;       /* where the next batch goes */
	uint64_t next;      /* number of the next new file */
	struct wal_file file[WAL_FILES_MAX]; /* ascending */
	size_t n;
	uint64_t spare[WAL_SPARE_MAX]; /* numbers of files to reuse */
	size_t n_spare;
	bool keep_old; /* damaged files of an earlier start stay, renamed */
};

static void
wal_path(uint64_t number, char out[static WAL_PATH])
{
	snprintf(out, WAL_PATH, "wal/%08" PRIu64 ".wal", number);
}

/* The number in a file's name; false: it is not a WAL file's. */
static bool
wal_number(const char *name, uint64_t *ret)
{
	int end = 0;

	return sscanf(name, "%8" SCNu64 ".wal%n", ret, &end) == 1 && end != 0 &&
	       name[end] == '\0';
}

/* Real zeros, not a hole or unwritten extents: those cost the journal a
 * commit when they are first written (measured: 0.42 against 0.14 ms). */
static int
fill_zero(struct vfs_file *f, struct ops_err *err)
{
	enum { PIECE = 1 << 20 };
	uint8_t *zero = calloc(1, PIECE);
	int rc = 0;

	if (zero == NULL)
		return ops_fail(err, OPS_ENOMEM, "wal: preallocate: no memory");
	for (uint64_t off = 0; rc == 0 && off < WAL_FILE_SIZE; off += PIECE)
		rc = vfs_pwrite(f, zero, PIECE, off, err);
	free(zero);
	return rc;
}

/* Name and header are durable before the first batch is written. */
static int
write_header(
    struct vfs_file *f, uint64_t number, uint64_t batch, struct ops_err *err)
{
	uint8_t block[WAL_BLOCK] = { 0 };

	memcpy(block, WAL_MAGIC, 8);
	ops_putle64(block + 8, number);
	ops_putle64(block + 16, batch);
	ops_putle32(block + 508, ops_crc32c(0, block, 508));
	if (vfs_pwrite(f, block, sizeof(block), 0, err) < 0)
		return -1;
	return vfs_sync(f, err);
}

static int
open_file(struct wal *w, uint64_t batch, struct ops_err *err)
{
	struct vfs_file *f = NULL;
	char path[WAL_PATH];
	uint64_t number = w->next;
	bool recycled = false;

	if (w->n == WAL_FILES_MAX)
		return ops_fail(err, OPS_EBUSY,
		    "wal: %d files hold records that can't be sealed",
		    WAL_FILES_MAX);
	wal_path(number, path);
	if (w->n_spare > 0) {
		char old[WAL_PATH];

		wal_path(w->spare[w->n_spare - 1], old);
		if (vfs_rename(w->v, old, path, err) < 0)
			return -1;
		/* A spare under its new name, should this fail below. */
		w->spare[w->n_spare - 1] = number;
		w->next = number + 1;
		if (vfs_open(w->v, path, VFS_WRITE, &f, err) < 0)
			return -1;
		recycled = true;
	} else {
		if (vfs_open(w->v, path, VFS_WRITE | VFS_CREATE, &f, err) < 0)
			return -1;
		if (fill_zero(f, err) < 0) {
			/* Half a file helps nobody and may be what fills
			 * the disk. */
			vfs_close(f);
			vfs_unlink(w->v, path, NULL);
			return -1;
		}
	}
	if (write_header(f, number, batch, err) < 0 ||
	    vfs_sync_dir(w->v, "wal", err) < 0) {
		vfs_close(f);
		return -1;
	}
	w->n_spare -= recycled;
	w->next = number + 1;
	w->f = f;
	w->off = WAL_BLOCK;
	w->file[w->n++] = (struct wal_file){ .number = number };
	return 0;
}

/* Files from before this start, kept until their batches are sealed. */
static int
find_old(struct wal *w, struct ops_err *err)
{
	struct vfs_names names = { 0 };
	int rc = 0;

	if (vfs_list(w->v, "wal", &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.n; i++) {
		uint64_t number;

		if (!wal_number(names.name[i], &number))
			continue;
		if (w->n == WAL_FILES_MAX) {
			rc = ops_fail(err, OPS_EFORMAT,
			    "wal: more than %d files", WAL_FILES_MAX);
			break;
		}
		w->file[w->n++] = (struct wal_file){ .number = number };
		if (number >= w->next)
			w->next = number + 1;
	}
	vfs_names_free(&names);
	return rc;
}

int
wal_create(struct vfs *v, uint64_t batch, bool keep_old, struct wal **ret,
    struct ops_err *err)
{
	struct wal *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return ops_fail(err, OPS_ENOMEM, "wal: no memory");
	w->v = v;
	w->next = 1;
	w->keep_old = keep_old;
	if (vfs_make_path(v, "wal", err) < 0 || find_old(w, err) < 0 ||
	    open_file(w, batch, err) < 0) {
		wal_free(w);
		return -1;
	}
	*ret = w;
	return 0;
}

void
wal_free(struct wal *w)
{
	if (w == NULL)
		return;
	vfs_close(w->f);
	free(w);
}

static void
give_up_file(struct wal *w)
{
	vfs_close(w->f);
	w->f = NULL;
}

/* One that holds nothing but a batch that failed is of no use.  Were they all
 * kept, a sick disk would come to WAL_FILES_MAX in two minutes. */
static void
drop_failed_file(struct wal *w)
{
	char path[WAL_PATH];
	bool useless = w->off == WAL_BLOCK && w->n > 1;

	give_up_file(w);
	if (!useless)
		return;
	wal_path(w->file[w->n - 1].number, path);
	if (vfs_unlink(w->v, path, NULL) == 0)
		w->n--;
}

int
wal_write(struct wal *w, uint64_t batch, const struct ops_buf *blocks,
    struct ops_err *err)
{
	struct wal_file *cur;

	if (w->f != NULL && w->off + blocks->len > WAL_FILE_SIZE)
		give_up_file(w); /* full; no loss in that */
	if (w->f == NULL && open_file(w, batch, err) < 0)
		return -1;
	cur = &w->file[w->n - 1];
	/* Even a failed write may have left this batch in the file. */
	cur->last = batch;
	if (vfs_pwrite(w->f, blocks->data, blocks->len, w->off, err) < 0 ||
	    vfs_sync(w->f, err) < 0) {
		drop_failed_file(w);
		return -1;
	}
	w->off += blocks->len;
	cur->bytes += blocks->len;
	return 0;
}

/* What is gone already is as good. */
static int
remove_file(struct wal *w, uint64_t number, struct ops_err *err)
{
	struct ops_err e = { 0 };
	char path[WAL_PATH];

	wal_path(number, path);
	if (vfs_unlink(w->v, path, &e) == 0 || e.code == OPS_ENOENT)
		return 0;
	if (err != NULL)
		*err = e;
	return -1;
}

static int
retire(struct wal *w, uint64_t number, struct ops_err *err)
{
	if (w->n_spare < WAL_SPARE_MAX) {
		w->spare[w->n_spare++] = number;
		return 0;
	}
	return remove_file(w, number, err);
}

static int
remove_old(struct wal *w, uint64_t number, struct ops_err *err)
{
	char path[WAL_PATH], bad[WAL_PATH];

	if (!w->keep_old)
		return remove_file(w, number, err);
	wal_path(number, path);
	snprintf(bad, sizeof(bad), "wal/%08" PRIu64 ".bad", number);
	return vfs_rename(w->v, path, bad, err);
}

int
wal_release(struct wal *w, uint64_t batch, struct ops_err *err)
{
	size_t done = 0;
	int rc = 0;

	/* The newest file stays even when it is all sealed: while the log is
	 * not closed there is always a WAL file, so that a missing one shows. */
	while (done + 1 < w->n && w->file[done].last < batch && rc == 0) {
		/* Files of an earlier start may have another size. */
		if (w->file[done].last == 0) {
			rc = remove_old(w, w->file[done].number, err);
		} else {
			rc = retire(w, w->file[done].number, err);
		}
		if (rc == 0)
			done++;
	}
	memmove(w->file, w->file + done, (w->n - done) * sizeof(w->file[0]));
	w->n -= done;
	return rc;
}

int
wal_clear(struct wal *w, struct ops_err *err)
{
	struct vfs_names names = { 0 };
	int rc;

	give_up_file(w);
	if (wal_release(w, UINT64_MAX, err) < 0 ||
	    vfs_list(w->v, "wal", &names, err) < 0)
		return -1;
	rc = 0;
	/* By name, so that also goes what a failed call left behind. */
	for (size_t i = 0; rc == 0 && i < names.n; i++) {
		uint64_t number;

		if (wal_number(names.name[i], &number))
			rc = remove_file(w, number, err);
	}
	vfs_names_free(&names);
	if (rc < 0)
		return -1;
	w->n = w->n_spare = 0;
	return vfs_sync_dir(w->v, "wal", err);
}

uint64_t
wal_held(const struct wal *w)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < w->n; i++)
		sum += w->file[i].bytes;
	return sum;
}
