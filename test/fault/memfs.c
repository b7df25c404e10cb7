#include "memfs.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/crypto.h"

#define PAGE 4096
#define SECTOR 512

struct page {
	unsigned refs;
	uint64_t hash; /* 0: not known */
	uint8_t b[PAGE];
};

/* A file's bytes: absent pages are zero. */
struct content {
	struct page **page;
	uint64_t pages;
	uint64_t size;
};

/* A version of one sector, or (sector == NO_SECTOR) a length. */
#define NO_SECTOR UINT64_MAX
struct change {
	uint64_t sector;
	uint64_t size;
	uint8_t b[SECTOR];
};

struct entry {
	char *name;
	unsigned inode; /* 0: gone */
};

struct names {
	struct entry *e;
	size_t n;
};

struct inode {
	bool dir;
	struct content cur, dur;
	struct change *change;
	size_t n_changes, cap_changes;
	struct names now, kept,
	    moved; /* a folder's: current, durable, changes in order */
};

struct mem_file {
	struct vfs_file f;
	unsigned inode;
};

static void *
xalloc(void *p)
{
	if (p == NULL)
		abort();
	return p;
}

uint64_t
memfs_random(uint64_t *seed)
{
	uint64_t z = (*seed += 0x9e3779b97f4a7c15ull);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

/* -- bytes -- */

static void
content_free(struct content *c)
{
	for (uint64_t i = 0; i < c->pages; i++) {
		if (c->page[i] != NULL && --c->page[i]->refs == 0)
			free(c->page[i]);
	}
	free(c->page);
	memset(c, 0, sizeof(*c));
}

static void
content_copy(struct content *to, const struct content *from)
{
	to->size = from->size;
	to->pages = from->pages;
	to->page = NULL;
	if (from->pages == 0)
		return;
	to->page = xalloc(malloc(from->pages * sizeof(*to->page)));
	memcpy(to->page, from->page, from->pages * sizeof(*to->page));
	for (uint64_t i = 0; i < to->pages; i++) {
		if (to->page[i] != NULL)
			to->page[i]->refs++;
	}
}

static struct page *
content_page(struct content *c, uint64_t i)
{
	struct page *p;

	if (i >= c->pages) {
		c->page =
		    xalloc(reallocarray(c->page, i + 1, sizeof(*c->page)));
		memset(c->page + c->pages, 0,
		    (i + 1 - c->pages) * sizeof(*c->page));
		c->pages = i + 1;
	}
	p = c->page[i];
	if (p == NULL) {
		p = c->page[i] = xalloc(calloc(1, sizeof(*p)));
		p->refs = 1;
	} else if (p->refs == 1) {
		p->hash = 0; /* it is about to be written */
	} else {
		p->refs--;
		c->page[i] = xalloc(malloc(sizeof(*p)));
		memcpy(c->page[i], p, sizeof(*p));
		p = c->page[i];
		p->refs = 1;
		p->hash = 0;
	}
	return p;
}

static uint64_t
page_hash(struct page *p)
{
	uint8_t h[OPS_HASH_LEN];

	if (p->hash == 0) {
		ops_sha256(p->b, sizeof(p->b), h);
		p->hash = ops_getle64(h) | 1;
	}
	return p->hash;
}

static void
content_read(const struct content *c, uint64_t off, uint8_t *p, size_t n)
{
	while (n > 0) {
		size_t at = off % PAGE;
		size_t len = PAGE - at < n ? PAGE - at : n;
		uint64_t i = off / PAGE;

		if (i < c->pages && c->page[i] != NULL)
			memcpy(p, c->page[i]->b + at, len);
		else
			memset(p, 0, len);
		p += len;
		off += len;
		n -= len;
	}
}

static void
content_write(struct content *c, uint64_t off, const uint8_t *p, size_t n)
{
	if (off + n > c->size)
		c->size = off + n;
	while (n > 0) {
		size_t at = off % PAGE;
		size_t len = PAGE - at < n ? PAGE - at : n;
		uint64_t i = off / PAGE;
		bool absent = i >= c->pages || c->page[i] == NULL;

		/* Preallocated zeros cost nothing. */
		if (!absent || !ops_all_zero(p, len))
			memcpy(content_page(c, i)->b + at, p, len);
		p += len;
		off += len;
		n -= len;
	}
}

static void
content_truncate(struct content *c, uint64_t size)
{
	uint8_t zero[PAGE] = { 0 };

	if (size < c->size) {
		uint64_t last = size / PAGE;

		for (uint64_t i = last + 1; i < c->pages; i++) {
			if (c->page[i] != NULL && --c->page[i]->refs == 0)
				free(c->page[i]);
			c->page[i] = NULL;
		}
		if (last < c->pages && c->page[last] != NULL)
			memcpy(content_page(c, last)->b + size % PAGE, zero,
			    PAGE - size % PAGE);
	}
	c->size = size;
}

/* -- names -- */

static unsigned
names_get(const struct names *n, const char *name)
{
	for (size_t i = 0; i < n->n; i++) {
		if (strcmp(n->e[i].name, name) == 0)
			return n->e[i].inode;
	}
	return 0;
}

static void
names_add(struct names *n, const char *name, unsigned inode)
{
	n->e = xalloc(reallocarray(n->e, n->n + 1, sizeof(*n->e)));
	n->e[n->n].name = xalloc(strdup(name));
	n->e[n->n++].inode = inode;
}

static void
names_set(struct names *n, const char *name, unsigned inode)
{
	for (size_t i = 0; i < n->n; i++) {
		if (strcmp(n->e[i].name, name) != 0)
			continue;
		if (inode != 0) {
			n->e[i].inode = inode;
			return;
		}
		free(n->e[i].name);
		n->e[i] = n->e[--n->n];
		return;
	}
	if (inode != 0)
		names_add(n, name, inode);
}

static void
names_free(struct names *n)
{
	for (size_t i = 0; i < n->n; i++)
		free(n->e[i].name);
	free(n->e);
	memset(n, 0, sizeof(*n));
}

static void
names_copy(struct names *to, const struct names *from)
{
	memset(to, 0, sizeof(*to));
	for (size_t i = 0; i < from->n; i++)
		names_add(to, from->e[i].name, from->e[i].inode);
}

/* -- inodes -- */

static unsigned
new_inode(struct memfs *m, bool dir)
{
	m->inode =
	    xalloc(reallocarray(m->inode, m->n_inodes + 1, sizeof(*m->inode)));
	m->inode[m->n_inodes] = xalloc(calloc(1, sizeof(struct inode)));
	m->inode[m->n_inodes]->dir = dir;
	return m->n_inodes++;
}

static void
free_inode(struct inode *n)
{
	content_free(&n->cur);
	content_free(&n->dur);
	free(n->change);
	names_free(&n->now);
	names_free(&n->kept);
	names_free(&n->moved);
	free(n);
}

/* Resolve a path; *parent and *leaf (into path) may be NULL.  0: not there. */
static unsigned
resolve(const struct memfs *m, const char *path, unsigned *parent,
    const char **leaf)
{
	unsigned at = 1, up = 1;
	const char *name = path;

	if (parent != NULL)
		*parent = 1;
	while (*name != '\0') {
		const char *slash = strchrnul(name, '/');
		char part[256];
		size_t len = (size_t)(slash - name);

		assert(len > 0 && len < sizeof(part));
		memcpy(part, name, len);
		part[len] = '\0';
		if (leaf != NULL)
			*leaf = name;
		up = at;
		if (at == 0 || !m->inode[at]->dir)
			return 0;
		at = names_get(&m->inode[at]->now, part);
		if (*slash == '\0')
			break;
		if (at == 0) {
			if (parent != NULL)
				*parent = 0;
			return 0;
		}
		name = slash + 1;
	}
	if (parent != NULL)
		*parent = up;
	return at;
}

static int
begin(struct memfs *m, enum memfs_op op, struct ops_err *err)
{
	if ((m->fail_mask & (1u << op)) == 0 || m->fail_after < 0)
		return 0;
	if (m->fail_after-- > 0)
		return 0;
	if (m->fail_times == 0 || --m->fail_times > 0)
		m->fail_after = 0;
	m->failed++;
	errno = m->fail_errno;
	return ops_fail_errno(err, "memfs");
}

static void
done(struct memfs *m, enum memfs_op op, const char *path)
{
	m->ops++;
	if (m->hook != NULL)
		m->hook(m->hook_arg, m, op, path);
}

static struct memfs *
of(struct vfs *v)
{
	return (struct memfs *)v;
}

static int
missing(struct ops_err *err)
{
	errno = ENOENT;
	return ops_fail_errno(err, "memfs");
}

static void
set_name(struct memfs *m, unsigned dir, const char *name, unsigned inode)
{
	names_set(&m->inode[dir]->now, name, inode);
	names_add(&m->inode[dir]->moved, name, inode);
}

static int
mem_open(struct vfs *v, const char *path, unsigned flags, struct vfs_file **ret,
    struct ops_err *err)
{
	struct memfs *m = of(v);
	unsigned parent;
	const char *leaf;
	unsigned n = resolve(m, path, &parent, &leaf);
	struct mem_file *f;

	if (n == 0 && (flags & VFS_CREATE) == 0)
		return missing(err);
	/* and a folder is no file. */
	if (n != 0 && ((flags & VFS_EXCL) != 0 || m->inode[n]->dir)) {
		errno = m->inode[n]->dir ? EISDIR : EEXIST;
		return ops_fail_errno(err, "memfs");
	}
	if (n == 0) {
		if (parent == 0)
			return missing(err);
		if (begin(m, MEMFS_CREATE, err) < 0)
			return -1;
		n = new_inode(m, false);
		set_name(m, parent, leaf, n);
		done(m, MEMFS_CREATE, path);
	}
	f = xalloc(calloc(1, sizeof(*f)));
	f->f.vfs = v;
	f->inode = n;
	*ret = &f->f;
	return 0;
}

static void
mem_close(struct vfs_file *f)
{
	free(f);
}

static struct inode *
file_inode(struct vfs_file *f)
{
	return of(f->vfs)->inode[((struct mem_file *)f)->inode];
}

static ssize_t
mem_pread(
    struct vfs_file *f, void *p, size_t n, uint64_t off, struct ops_err *err)
{
	const struct content *c = &file_inode(f)->cur;

	(void)err;
	if (off >= c->size)
		return 0;
	if (n > c->size - off)
		n = (size_t)(c->size - off);
	content_read(c, off, p, n);
	return (ssize_t)n;
}

static struct change *
new_change(struct inode *i)
{
	if (i->n_changes == i->cap_changes) {
		i->cap_changes = i->cap_changes == 0 ? 16 : i->cap_changes * 2;
		i->change = xalloc(reallocarray(
		    i->change, i->cap_changes, sizeof(*i->change)));
	}
	return &i->change[i->n_changes++];
}

static void
note_size(struct inode *i)
{
	struct change *c = new_change(i);

	c->sector = NO_SECTOR;
	c->size = i->cur.size;
}

static bool
is_zero(const uint8_t *p, size_t n)
{
	return n > 0 && p[0] == 0 && memcmp(p, p + 1, n - 1) == 0;
}

static int
mem_pwrite(struct vfs_file *f, const void *p, size_t n, uint64_t off,
    struct ops_err *err)
{
	struct memfs *m = of(f->vfs);
	struct inode *i = file_inode(f);
	uint64_t before = i->cur.size;
	bool zeros;

	if (begin(m, MEMFS_WRITE, err) < 0)
		return -1;
	if (off + n > before) {
		uint64_t more = off + n - before;

		if (more > m->space) {
			errno = ENOSPC;
			return ops_fail_errno(err, "memfs");
		}
		if (m->space != UINT64_MAX)
			m->space -= more;
	}
	/* Preallocation, megabytes of it: a hole reads the same. */
	zeros = off >= before && is_zero(p, n);
	if (zeros)
		i->cur.size = off + n;
	else
		content_write(&i->cur, off, p, n);
	if (i->cur.size != before)
		note_size(i);
	for (uint64_t s = off / SECTOR; !zeros && s * SECTOR < off + n; s++) {
		struct change *c;
		uint8_t b[SECTOR];

		content_read(&i->cur, s * SECTOR, b, SECTOR);
		/* Zeros where nothing was: no version worth a choice. */
		if (s * SECTOR >= before && ops_all_zero(b, SECTOR))
			continue;
		c = new_change(i);
		c->sector = s;
		memcpy(c->b, b, SECTOR);
	}
	for (size_t k = 0; !zeros && k < n; k++)
		m->written += ((const uint8_t *)p)[k] != 0;
	m->last_inode = ((struct mem_file *)f)->inode;
	m->last_off = off;
	m->last_len = n;
	done(m, MEMFS_WRITE, NULL);
	return 0;
}

/* Only what was written since the last sync, failed or not. */
static void
apply_changes(struct inode *i)
{
	for (size_t k = 0; k < i->n_changes; k++) {
		const struct change *c = &i->change[k];

		if (c->sector == NO_SECTOR)
			content_truncate(&i->dur, c->size);
		else
			content_write(
			    &i->dur, c->sector * SECTOR, c->b, SECTOR);
	}
	content_truncate(&i->dur, i->cur.size);
}

static int
mem_sync(struct vfs_file *f, struct ops_err *err)
{
	struct memfs *m = of(f->vfs);
	struct inode *i = file_inode(f);

	if (begin(m, MEMFS_SYNC, err) < 0) {
		if (m->forgets)
			i->n_changes = 0;
		return -1;
	}
	if (m->forgets) {
		apply_changes(i);
	} else {
		content_free(&i->dur);
		content_copy(&i->dur, &i->cur);
	}
	i->n_changes = 0;
	done(m, MEMFS_SYNC, NULL);
	return 0;
}

static int
mem_truncate(struct vfs_file *f, uint64_t len, struct ops_err *err)
{
	struct memfs *m = of(f->vfs);
	struct inode *i = file_inode(f);

	if (begin(m, MEMFS_TRUNCATE, err) < 0)
		return -1;
	content_truncate(&i->cur, len);
	note_size(i);
	done(m, MEMFS_TRUNCATE, NULL);
	return 0;
}

static int
mem_size(struct vfs_file *f, uint64_t *ret, struct ops_err *err)
{
	(void)err;
	*ret = file_inode(f)->cur.size;
	return 0;
}

static int
mem_rename(struct vfs *v, const char *from, const char *to, struct ops_err *err)
{
	struct memfs *m = of(v);
	unsigned from_dir, to_dir;
	const char *from_leaf, *to_leaf;
	unsigned n = resolve(m, from, &from_dir, &from_leaf);

	resolve(m, to, &to_dir, &to_leaf);
	if (n == 0 || to_dir == 0)
		return missing(err);
	if (begin(m, MEMFS_RENAME, err) < 0)
		return -1;
	set_name(m, from_dir, from_leaf, 0);
	set_name(m, to_dir, to_leaf, n);
	done(m, MEMFS_RENAME, to);
	return 0;
}

static int
remove_name(
    struct vfs *v, const char *path, enum memfs_op op, struct ops_err *err)
{
	struct memfs *m = of(v);
	unsigned parent;
	const char *leaf;

	if (resolve(m, path, &parent, &leaf) == 0)
		return missing(err);
	if (begin(m, op, err) < 0)
		return -1;
	set_name(m, parent, leaf, 0);
	done(m, op, path);
	return 0;
}

static int
mem_unlink(struct vfs *v, const char *path, struct ops_err *err)
{
	return remove_name(v, path, MEMFS_UNLINK, err);
}

static int
mem_rmdir(struct vfs *v, const char *path, struct ops_err *err)
{
	return remove_name(v, path, MEMFS_RMDIR, err);
}

static int
mem_mkdir(struct vfs *v, const char *path, struct ops_err *err)
{
	struct memfs *m = of(v);
	unsigned parent;
	const char *leaf;

	if (resolve(m, path, &parent, &leaf) != 0)
		return 0;
	if (parent == 0)
		return missing(err);
	if (begin(m, MEMFS_MKDIR, err) < 0)
		return -1;
	set_name(m, parent, leaf, new_inode(m, true));
	done(m, MEMFS_MKDIR, path);
	return 0;
}

static int
mem_sync_dir(struct vfs *v, const char *path, struct ops_err *err)
{
	struct memfs *m = of(v);
	unsigned n = resolve(m, path, NULL, NULL);
	struct inode *i;

	if (n == 0)
		return missing(err);
	if (begin(m, MEMFS_SYNC_DIR, err) < 0)
		return -1;
	i = m->inode[n];
	names_free(&i->kept);
	names_copy(&i->kept, &i->now);
	names_free(&i->moved);
	done(m, MEMFS_SYNC_DIR, path);
	return 0;
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int
mem_list(
    struct vfs *v, const char *path, struct vfs_names *ret, struct ops_err *err)
{
	struct memfs *m = of(v);
	unsigned n = resolve(m, path, NULL, NULL);
	const struct names *names;

	/* vfs.h: a file can't be listed, */
	if (n == 0 || !m->inode[n]->dir)
		return missing(err);
	names = &m->inode[n]->now;
	ret->n = names->n;
	ret->name = xalloc(calloc(names->n + 1, sizeof(*ret->name)));
	for (size_t i = 0; i < names->n; i++)
		ret->name[i] = xalloc(strdup(names->e[i].name));
	qsort(ret->name, ret->n, sizeof(*ret->name), by_name);
	return 0;
}

static int
mem_lock(struct vfs *v, struct ops_err *err)
{
	struct memfs *m = of(v);

	if (m->locked)
		return ops_fail(err, OPS_EBUSY, "memfs: locked");
	m->locked = true;
	return 0;
}

static int
mem_space(struct vfs *v, uint64_t *ret, struct ops_err *err)
{
	(void)err;
	*ret = of(v)->space;
	return 0;
}

static void
mem_free(struct vfs *v)
{
	struct memfs *m = of(v);

	for (unsigned i = 1; i < m->n_inodes; i++)
		free_inode(m->inode[i]);
	free(m->inode);
	free(m);
}

static const struct vfs_ops mem_ops = {
	.open = mem_open,
	.close = mem_close,
	.pread = mem_pread,
	.pwrite = mem_pwrite,
	.sync = mem_sync,
	.truncate = mem_truncate,
	.size = mem_size,
	.rename = mem_rename,
	.unlink = mem_unlink,
	.mkdir = mem_mkdir,
	.rmdir = mem_rmdir,
	.sync_dir = mem_sync_dir,
	.list = mem_list,
	.lock = mem_lock,
	.space = mem_space,
	.free = mem_free,
};

struct memfs *
memfs_new(void)
{
	struct memfs *m = xalloc(calloc(1, sizeof(*m)));

	m->vfs.ops = &mem_ops;
	m->space = UINT64_MAX;
	m->fail_after = -1;
	m->n_inodes = 1; /* 0 means none */
	m->inode = xalloc(calloc(1, sizeof(*m->inode)));
	new_inode(m, true);
	return m;
}

/* -- other states -- */

static struct memfs *
copy_with(const struct memfs *m,
    void (*fn)(struct inode *to, const struct inode *from, uint64_t *seed),
    uint64_t *seed)
{
	struct memfs *c = memfs_new();

	for (unsigned i = 2; i < m->n_inodes; i++)
		new_inode(c, m->inode[i]->dir);
	for (unsigned i = 1; i < m->n_inodes; i++)
		fn(c->inode[i], m->inode[i], seed);
	return c;
}

/* What a copy sees is durable in it. */
static void
settle(struct inode *n)
{
	content_copy(&n->dur, &n->cur);
	names_copy(&n->kept, &n->now);
}

static void
as_now(struct inode *to, const struct inode *from, uint64_t *seed)
{
	(void)seed;
	content_copy(&to->cur, &from->cur);
	names_copy(&to->now, &from->now);
	settle(to);
}

static void
as_durable(struct inode *to, const struct inode *from, uint64_t *seed)
{
	(void)seed;
	content_copy(&to->cur, &from->dur);
	names_copy(&to->now, &from->kept);
	settle(to);
}

/*
 * Each change is applied with a chance of its own (per file: none, all, or a
 * random share), in order, so that of several versions of a sector any may be
 * the one that stays.
 */
static void
as_crashed(struct inode *to, const struct inode *from, uint64_t *seed)
{
	uint64_t share = memfs_random(seed) % 5; /* 0: none .. 4: all */
	uint64_t size = from->dur.size;

	content_copy(&to->cur, &from->dur);
	names_copy(&to->now, &from->kept);
	for (size_t i = 0; i < from->n_changes; i++) {
		const struct change *c = &from->change[i];

		if (memfs_random(seed) % 4 >= share)
			continue;
		if (c->sector == NO_SECTOR)
			size = c->size;
		else
			content_write(
			    &to->cur, c->sector * SECTOR, c->b, SECTOR);
	}
	content_truncate(&to->cur, size);
	for (size_t i = 0; i < from->moved.n; i++) {
		if (memfs_random(seed) % 4 < share)
			names_set(&to->now, from->moved.e[i].name,
			    from->moved.e[i].inode);
	}
	settle(to);
}

struct memfs *
memfs_clone(const struct memfs *m)
{
	return copy_with(m, as_now, NULL);
}

struct memfs *
memfs_durable(const struct memfs *m)
{
	return copy_with(m, as_durable, NULL);
}

struct memfs *
memfs_crash(const struct memfs *m, uint64_t *seed)
{
	return copy_with(m, as_crashed, seed);
}

struct memfs *
memfs_cut_last(const struct memfs *m, uint64_t n)
{
	struct memfs *c = memfs_clone(m);
	const struct inode *from = m->inode[m->last_inode];
	struct inode *to = c->inode[m->last_inode];
	uint8_t old[SECTOR];

	/* The bytes behind the cut as they were when last synced. */
	for (uint64_t at = n; at < m->last_len; at++) {
		content_read(&from->dur, m->last_off + at, old, 1);
		content_write(&to->cur, m->last_off + at, old, 1);
	}
	if (m->last_off + n >= from->dur.size)
		content_truncate(&to->cur, m->last_off + n);
	else if (to->cur.size > from->dur.size)
		content_truncate(&to->cur, from->dur.size);
	content_free(&to->dur);
	content_copy(&to->dur, &to->cur);
	return c;
}

static uint64_t
mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * 0x9e3779b97f4a7c15u;
	return h ^ (h >> 29);
}

uint64_t
memfs_hash(const struct memfs *m)
{
	uint64_t h = m->n_inodes;

	for (unsigned i = 0; i < m->n_inodes; i++) {
		const struct inode *in = m->inode[i];

		if (in == NULL)
			continue;
		h = mix(mix(h, i), in->cur.size);
		for (uint64_t k = 0; k < in->cur.pages; k++)
			if (in->cur.page[k] != NULL)
				h = mix(mix(h, k), page_hash(in->cur.page[k]));
		for (size_t k = 0; k < in->now.n; k++) {
			h = mix(h, in->now.e[k].inode);
			for (const char *p = in->now.e[k].name; *p != '\0'; p++)
				h = mix(h, (uint8_t)*p);
		}
	}
	return h;
}

/* -- for tests that change a byte -- */

static struct inode *
must(struct memfs *m, const char *path)
{
	unsigned n = resolve(m, path, NULL, NULL);

	if (n == 0)
		abort();
	return m->inode[n];
}

uint64_t
memfs_file_size(struct memfs *m, const char *path)
{
	return must(m, path)->cur.size;
}

uint8_t
memfs_peek(struct memfs *m, const char *path, uint64_t off)
{
	uint8_t b;

	content_read(&must(m, path)->cur, off, &b, 1);
	return b;
}

void
memfs_poke(struct memfs *m, const char *path, uint64_t off, uint8_t value)
{
	struct content *c = &must(m, path)->cur;

	/* Not content_write(): a zero has to be written, too. */
	content_page(c, off / PAGE)->b[off % PAGE] = value;
}

static void
walk(struct memfs *m, unsigned dir, const char *prefix, struct vfs_names *ret)
{
	const struct names *names = &m->inode[dir]->now;

	for (size_t i = 0; i < names->n; i++) {
		char path[512];
		size_t a = strlen(prefix), b = strlen(names->e[i].name);

		assert(a + b + 2 < sizeof(path));
		memcpy(path, prefix, a);
		memcpy(path + a, names->e[i].name, b + 1);
		if (m->inode[names->e[i].inode]->dir) {
			memcpy(path + a + b, "/", 2);
			walk(m, names->e[i].inode, path, ret);
			continue;
		}
		ret->name = xalloc(
		    reallocarray(ret->name, ret->n + 1, sizeof(*ret->name)));
		ret->name[ret->n++] = xalloc(strdup(path));
	}
}

void
memfs_files(struct memfs *m, struct vfs_names *ret)
{
	memset(ret, 0, sizeof(*ret));
	walk(m, 1, "", ret);
	if (ret->n > 0)
		qsort(ret->name, ret->n, sizeof(*ret->name), by_name);
}
