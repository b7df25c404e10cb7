#include "plan.h"

#include <string.h>

#include "diff.h"

static bool
same(const struct ops_buf *a, const struct ops_buf *b)
{
	return a->len == b->len &&
	       (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}

static int
put(struct plan *p, struct hostfile *file, struct ops_buf *after, bool remove,
    mode_t mode, struct ops_err *err)
{
	struct plan_change *c = &p->change[p->n];

	if (p->n == PLAN_MAX)
		return ops_fail(
		    err, OPS_EUSAGE, "over %d files to change", PLAN_MAX);
	*c = (struct plan_change){
		.file = *file, .remove = remove, .mode = mode
	};
	*file = (struct hostfile){ 0 };
	if (after != NULL) {
		c->after = *after;
		*after = (struct ops_buf){ 0 };
	}
	p->n++;
	return 0;
}

int
plan_add(struct plan *p, struct hostfile *file, struct ops_buf *after,
    mode_t mode, struct ops_err *err)
{
	if (ops_buf_check(after, file->path, err) < 0)
		return -1;
	if (file->real != NULL && same(&file->bytes, after)) {
		hostfile_free(file);
		ops_buf_free(after);
		*after = (struct ops_buf){ 0 };
		return 0;
	}
	return put(p, file, after, false, mode, err);
}

int
plan_remove(struct plan *p, struct hostfile *file, struct ops_err *err)
{
	if (file->real == NULL) {
		hostfile_free(file);
		return 0;
	}
	return put(p, file, NULL, true, 0, err);
}

void
plan_free(struct plan *p)
{
	for (size_t i = 0; i < p->n; i++) {
		hostfile_free(&p->change[i].file);
		ops_buf_free(&p->change[i].after);
	}
	p->n = 0;
}

void
plan_show(const struct plan *p, struct ops_buf *out)
{
	for (size_t i = 0; i < p->n; i++) {
		const struct plan_change *c = &p->change[i];
		struct diff_side from = { c->file.path,
			(const char *)c->file.bytes.data, c->file.bytes.len };
		struct diff_side to = { c->file.path,
			(const char *)c->after.data, c->after.len };

		if (c->file.real == NULL)
			from.name = "/dev/null";
		if (c->remove)
			to = (struct diff_side){ "/dev/null", NULL, 0 };
		diff_put(out, &from, &to);
	}
}

int
plan_unchanged(const struct plan *p, struct ops_err *err)
{
	for (size_t i = 0; i < p->n; i++)
		if (hostfile_unchanged(&p->change[i].file, err) < 0)
			return -1;
	return 0;
}

static int
make(const struct plan_change *c, struct ops_err *err)
{
	if (c->remove)
		return hostfile_remove(&c->file, err);
	return hostfile_replace(
	    &c->file, c->after.data, c->after.len, c->mode, err);
}

/* A file that was removed is made again as it was; its extended attributes are lost,
 * but only our own files are ever removed. */
static int
unmake(const struct plan_change *c, struct ops_err *err)
{
	struct hostfile f = c->file;

	if (c->file.real == NULL)
		return hostfile_remove(&c->file, err);
	if (c->remove)
		f.real = NULL;
	return hostfile_replace(
	    &f, c->file.bytes.data, c->file.bytes.len, c->file.mode, err);
}

int
plan_apply(const struct plan *p, bool *taken_back, struct ops_err *err)
{
	struct ops_err back = { 0 };
	size_t i = 0;

	*taken_back = true;
	while (i < p->n && make(&p->change[i], err) == 0)
		i++;
	if (i == p->n)
		return 0;
	/* The one that failed may be made, and only its sync have failed. */
	for (i++; i-- > 0;)
		if (hostfile_unchanged(&p->change[i].file, &back) < 0 &&
		    unmake(&p->change[i], &back) < 0)
			*taken_back = false;
	return -1;
}
