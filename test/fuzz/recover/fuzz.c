/*
 * recover - a whole store with bytes of any of its files changed: leaves,
 * checkpoint, tiles, segments, WAL, keys.
 *
 * The store is written once, by the real engine, and killed: sealed sessions,
 * a restart, and a tail that is only in the WAL.  The input is a list of
 * changes.  The changed store is checked, recovered as a starting writer does
 * it, closed and checked again.  It must not crash, hang or ask for much
 * memory; and a sealed byte that was changed is never reported clean, neither
 * before nor after a recovery.
 */
#include "../fuzz.h"

#include <stdio.h>
#include <string.h>

#include "driver.h"
#include "store/check.h"

#define FILES_MAX 64
#define CHANGES_MAX 16
#define WAL_USED 131072 /* of a WAL file; behind it are zeros */

struct file {
	char path[160];
	uint64_t size;   /* when the store was killed */
	uint64_t sealed; /* bytes of it that stood when the last seal did */
};

/* One place that was changed on top of a file that is otherwise as it was. */
struct place {
	const struct file *file;
	uint64_t off;
	uint8_t was;
};

static struct memfs *base;
static struct file file[FILES_MAX];
static size_t n_files;
static const uint8_t boot_id[16] = "fuzzed boot id";

static void
must(int rc, const struct ops_err *err)
{
	if (rc < 0) {
		(void)fprintf(stderr, "%s\n", err->msg);
		abort();
	}
}

/* -- the store -- */

static void
note_sealed(struct memfs *m)
{
	struct vfs_names names;

	memfs_files(m, &names);
	REQUIRE(names.n <= FILES_MAX);
	n_files = names.n;
	for (size_t i = 0; i < names.n; i++) {
		struct file *f = &file[i];

		(void)snprintf(f->path, sizeof(f->path), "%s", names.name[i]);
		f->sealed = memfs_file_size(m, f->path);
	}
	vfs_names_free(&names);
}

/* What came after the seal is a tail; the WAL and the keys are no evidence. */
static void
note_files(struct memfs *m)
{
	struct file old[FILES_MAX];
	struct vfs_names names;
	size_t n_old = n_files;

	memcpy(old, file, sizeof(old));
	memset(file, 0, sizeof(file));
	memfs_files(m, &names);
	REQUIRE(names.n <= FILES_MAX);
	n_files = names.n;
	for (size_t i = 0; i < names.n; i++) {
		struct file *f = &file[i];

		(void)snprintf(f->path, sizeof(f->path), "%s", names.name[i]);
		f->size = memfs_file_size(m, f->path);
		if (strncmp(f->path, "wal/", 4) == 0 ||
		    strncmp(f->path, "keys/", 5) == 0)
			continue;
		for (size_t k = 0; k < n_old; k++)
			if (strcmp(old[k].path, f->path) == 0)
				f->sealed = old[k].sealed;
	}
	vfs_names_free(&names);
}

static void
some_work(struct driver *d, struct driver_session *s, struct ops_err *err)
{
	driver_output(d, s, 2);
	driver_event(d, s);
	must(driver_flush(d, err), err);
}

/* Megabytes of preallocated zeros say nothing and cost all the time. */
static void
cut_wal(struct memfs *m)
{
	struct vfs_names names;
	struct vfs_file *f;
	struct ops_err err = { 0 };

	memfs_files(m, &names);
	for (size_t i = 0; i < names.n; i++) {
		if (strncmp(names.name[i], "wal/", 4) != 0)
			continue;
		must(m->vfs.ops->open(
			 &m->vfs, names.name[i], VFS_WRITE, &f, &err),
		    &err);
		must(m->vfs.ops->truncate(f, WAL_USED, &err), &err);
		m->vfs.ops->close(f);
	}
	vfs_names_free(&names);
}

static void
make_base(void)
{
	struct driver d = { .m = memfs_new(), .seed = 7 };
	struct driver_session *a, *b;
	struct ops_err err = { 0 };

	memcpy(d.boot_id, boot_id, sizeof(boot_id));
	must(driver_open(&d, &err), &err);
	a = driver_session(&d);
	b = driver_session(&d);
	some_work(&d, a, &err);
	some_work(&d, b, &err);
	must(driver_seal(&d, false, &err), &err);
	some_work(&d, a, &err);
	driver_end(&d, a);
	must(driver_flush(&d, &err), &err);
	must(driver_close(&d, &err), &err); /* with tiles */
	d.m->locked = false;
	must(driver_open(&d, &err), &err);
	some_work(&d, b, &err);
	must(driver_seal(&d, false, &err), &err);
	note_sealed(d.m);
	some_work(&d, b, &err);
	a = driver_session(&d);
	some_work(&d, a, &err);
	driver_drop(&d);
	d.m->locked = false;
	cut_wal(d.m);
	note_files(d.m);
	base = d.m;
	REQUIRE(driver_check(base, false, NULL) == NULL);
	driver_free(&d);
}

/* -- changes -- */

struct changed {
	struct memfs *m;
	struct place place[CHANGES_MAX];
	size_t n;
};

static uint64_t
place_in(const struct file *f, struct fuzz_in *in)
{
	uint32_t off;

	fuzz_take(in, &off, 3);
	off &= 0xffffff;
	return f->size > 0 ? off % f->size : 0;
}

static void
poke(struct changed *c, const struct file *f, uint64_t off, uint8_t value)
{
	if (off >= f->size || !vfs_exists(&c->m->vfs, f->path) ||
	    off >= memfs_file_size(c->m, f->path))
		return;
	c->place[c->n++] =
	    (struct place){ f, off, memfs_peek(base, f->path, off) };
	memfs_poke(c->m, f->path, off, value);
}

/* Shorter; longer by what stands at its beginning. */
static void
resize(struct changed *c, const struct file *f, uint64_t off, bool longer)
{
	struct vfs_file *h;
	uint8_t bytes[64];
	size_t n = f->size < sizeof(bytes) ? (size_t)f->size : sizeof(bytes);

	if (c->m->vfs.ops->open(&c->m->vfs, f->path, VFS_WRITE, &h, NULL) < 0)
		return;
	for (size_t i = 0; i < n; i++)
		bytes[i] = memfs_peek(base, f->path, i);
	if (longer)
		(void)c->m->vfs.ops->pwrite(h, bytes, n, f->size, NULL);
	else
		(void)c->m->vfs.ops->truncate(h, off, NULL);
	c->m->vfs.ops->close(h);
}

static void
change(struct changed *c, struct fuzz_in *in)
{
	const struct file *f = &file[fuzz_byte(in) % n_files];
	uint8_t op = fuzz_byte(in), value = fuzz_byte(in);
	uint64_t off = place_in(f, in);

	if (op < 224)
		poke(c, f, off, value);
	else if (op < 236)
		resize(c, f, off, false);
	else if (op < 248)
		resize(c, f, off, true);
	else
		(void)c->m->vfs.ops->unlink(&c->m->vfs, f->path, NULL);
}

/* A sealed byte that is another one now; NULL: there is none.  Where the file
 * became shorter or longer it isn't looked at: what a crash leaves may be so. */
static const struct place *
sealed_place(const struct changed *c, bool evidence)
{
	for (size_t i = 0; i < c->n; i++) {
		const struct place *p = &c->place[i];
		bool lasting = strstr(p->file->path, "/leaves") != NULL ||
			       strncmp(p->file->path, "data/", 5) == 0;

		if (p->off < p->file->sealed && (lasting || !evidence) &&
		    vfs_exists(&c->m->vfs, p->file->path) &&
		    memfs_file_size(c->m, p->file->path) >= p->file->size &&
		    memfs_peek(c->m, p->file->path, p->off) != p->was)
			return p;
	}
	return NULL;
}

static void
not_clean(const struct place *p, const char *bad, const char *when)
{
	if (p == NULL || bad != NULL)
		return;
	(void)fprintf(stderr, "%s recovery: %s byte %llu was changed\n", when,
	    p->file->path, (unsigned long long)p->off);
	abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = { data, size };
	struct driver r = { .seed = 9 };
	struct changed c = { .n = 0 };
	struct ops_err err = { 0 };

	if (base == NULL)
		make_base();
	c.m = memfs_clone(base);
	for (int i = 0; i < CHANGES_MAX && in.n > 0; i++)
		change(&c, &in);
	not_clean(
	    sealed_place(&c, false), driver_check(c.m, false, NULL), "before");
	r.m = c.m;
	memcpy(r.boot_id, boot_id, sizeof(boot_id));
	r.boot_id[0] ^= size & 1; /* the machine came up again */
	if (driver_open(&r, &err) == 0) {
		/* A writer that has begun goes on, or says why not. */
		(void)driver_session(&r);
		if (driver_flush(&r, &err) == 0)
			(void)driver_close(&r, &err);
	} else {
		REQUIRE(err.code != OPS_OK && err.msg[0] != '\0');
	}
	c.m->locked = false;
	/* What a recovery may write again is the checkpoint and tiles. */
	not_clean(
	    sealed_place(&c, true), driver_check(c.m, false, NULL), "after");
	driver_free(&r);
	vfs_free(&c.m->vfs);
	return 0;
}
