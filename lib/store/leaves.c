#include "leaves.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "record/leaf.h"
#include "store.h"

#define CHUNK (256u << 10)
#define ENTRY_MAX (LEAF_FILE_HEADER + LEAF_MAX)

struct leaves {
	struct vfs_file *f;
	uint64_t size;   /* of the file when it was opened */
	uint64_t sealed; /* entries */
	uint64_t index;  /* of the next entry */
	uint64_t offset; /* where it begins */
	enum leaves_end end;
	size_t at, have; /* in buf */
	uint8_t buf[CHUNK];
};

int
leaves_open(struct vfs *v, uint32_t log, uint64_t sealed, struct leaves **ret,
    struct ops_err *err)
{
	struct leaves *l = malloc(sizeof(*l));
	char path[32];

	if (l == NULL)
		return ops_fail(err, OPS_ENOMEM, "leaves: no memory");
	memset(l, 0, offsetof(struct leaves, buf));
	l->sealed = sealed;
	snprintf(path, sizeof(path), "log/%" PRIu32 "/leaves", log);
	if (vfs_open(v, path, VFS_READ, &l->f, err) < 0 ||
	    vfs_size(l->f, &l->size, err) < 0)
		goto fail;
	if (l->size > STORE_LEAVES_MAX) {
		ops_fail(err, OPS_EFORMAT, "%s: too long", path);
		goto fail;
	}
	*ret = l;
	return 0;
fail:
	leaves_free(l);
	return -1;
}

void
leaves_free(struct leaves *l)
{
	if (l == NULL)
		return;
	vfs_close(l->f);
	free(l);
}

/* Have a whole entry in the buffer, or all that is left of the file. */
static int
fill(struct leaves *l, struct ops_err *err)
{
	uint64_t left;
	ssize_t got;
	size_t want;

	if (l->have - l->at >= ENTRY_MAX)
		return 0;
	memmove(l->buf, l->buf + l->at, l->have - l->at);
	l->have -= l->at;
	l->at = 0;
	left = l->size - (l->offset + l->have);
	want = sizeof(l->buf) - l->have;
	if (want > left)
		want = (size_t)left;
	if (want == 0)
		return 0;
	got = vfs_pread(l->f, l->buf + l->have, want, l->offset + l->have, err);
	if (got < 0)
		return -1;
	if ((size_t)got < want) /* it shrank: a recovery cut its tail */
		l->size = l->offset + l->have + (uint64_t)got;
	l->have += (size_t)got;
	return 0;
}

/*
 * Could a power cut during an append have left these bytes?  It could if they
 * stop short, or if a whole sector among them was never written: what the
 * append brought to that sector is zero then, to its end or that of the file.
 */
static bool
is_torn(const struct leaves *l, const uint8_t *p, size_t n)
{
	uint32_t len = n < 4 ? 0 : ops_getle32(p);
	uint64_t end;

	if (n < LEAF_FILE_HEADER)
		return true;
	if (len > 0 && len <= LEAF_MAX && LEAF_FILE_HEADER + len > n)
		return true;
	if (len > 0 && len <= LEAF_MAX)
		n = LEAF_FILE_HEADER + len;
	else if (n > ENTRY_MAX)
		n = ENTRY_MAX;
	for (uint64_t at = l->offset; at < l->offset + n; at = end) {
		const uint8_t *from = p + (at - l->offset);
		uint64_t take;

		end = at / LEAVES_SECTOR * LEAVES_SECTOR + LEAVES_SECTOR;
		take = (end < l->size ? end : l->size) - at;
		if (from + take > l->buf + l->have)
			take = (uint64_t)(l->buf + l->have - from);
		if (take > 0 && ops_all_zero(from, (size_t)take))
			return true;
	}
	return false;
}

int
leaves_next(struct leaves *l, struct leaves_entry *ret, struct ops_err *err)
{
	const uint8_t *p, *leaf;
	size_t n, len;
	long used;
	bool bad = false;

	if (l->end != LEAVES_END_CLEAN)
		return 0;
	if (fill(l, err) < 0)
		return -1;
	p = l->buf + l->at;
	n = l->have - l->at;
	if (n == 0)
		return 0;
	used = leaf_file_next(p, n, &leaf, &len, NULL);
	if (used < 0) {
		uint32_t stated = n < LEAF_FILE_HEADER ? 0 : ops_getle32(p);

		if (l->index >= l->sealed && is_torn(l, p, n)) {
			l->end = LEAVES_END_TORN;
			return 0;
		}
		if (stated == 0 || stated > LEAF_MAX ||
		    stated > n - LEAF_FILE_HEADER) {
			l->end = LEAVES_END_DAMAGED;
			return 0;
		}
		bad = true;
		leaf = p + LEAF_FILE_HEADER;
		len = stated;
		used = (long)(LEAF_FILE_HEADER + len);
	}
	*ret = (struct leaves_entry){ .p = leaf,
		.n = len,
		.index = l->index,
		.offset = l->offset,
		.bad = bad };
	l->at += (size_t)used;
	l->offset += (uint64_t)used;
	l->index++;
	return 1;
}

enum leaves_end
leaves_end(const struct leaves *l, uint64_t *offset, uint64_t *bytes)
{
	*offset = l->offset;
	*bytes = l->size - l->offset;
	return l->end;
}
