#include "check_run.h"

#include <stdio.h>
#include <string.h>

#include "check.h"

void
collect(void *arg, const struct finding *f)
{
	struct found *to = arg;
	size_t n = strlen(to->text);

	to->count[f->kind]++;
	CHECK(strcmp(to->last_where, f->where) <= 0 ||
		  strverscmp(to->last_where, f->where) <= 0,
	    f->where, "findings stand in order");
	snprintf(to->last_where, sizeof(to->last_where), "%s", f->where);
	snprintf(to->text + n, sizeof(to->text) - n, "\n  %s %s: %s",
	    finding_name(f->kind), f->where, f->detail);
}

int
run(struct memstore *m, bool quick, const struct checkpoint_anchor *anchors,
    size_t n, struct found *found, struct check_result *r)
{
	struct check_opts o = { .quick = quick,
		.threads = 1,
		.found = collect,
		.arg = found,
		.anchors = anchors,
		.n_anchors = n };
	struct ops_err err = { 0 };

	memset(found, 0, sizeof(*found));
	memset(r, 0, sizeof(*r));
	if (check_store(&m->vfs, &o, r, &err) < 0) {
		snprintf(
		    found->text, sizeof(found->text), "failed: %s", err.msg);
		return -1;
	}
	return 0;
}

void
expect_pass(struct memstore *m, const char *row)
{
	struct check_result r;
	struct found f;

	CHECK(run(m, false, NULL, 0, &f, &r) == 0, row, f.text);
	CHECK(r.fails == 0, row, f.text);
}

void
expect_fail(struct memstore *m, const char *row, enum finding_kind kind)
{
	struct check_result r;
	struct found f;

	CHECK(run(m, false, NULL, 0, &f, &r) == 0, row, f.text);
	CHECK(r.fails > 0, row, "passed");
	CHECK(f.count[kind] > 0, row, f.text);
}

void
expect_text(struct memstore *m, const char *row, enum finding_kind kind,
    const char *text)
{
	struct check_result r;
	struct found f;

	CHECK(run(m, false, NULL, 0, &f, &r) == 0, row, f.text);
	CHECK((r.fails > 0) == finding_fails(kind), row, f.text);
	CHECK(f.count[kind] > 0 && strstr(f.text, text) != NULL, row, f.text);
}
