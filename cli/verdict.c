#include "verdict.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"

#define INDENT "              "

/* clang-format off */
static const struct {
	bool lacks;
	const char *name, *word, *sgr;
} kinds[VERDICT_KINDS] = {
	[VERDICT_RECORDED]  = { false, "recorded", "recorded", "32" },
	[VERDICT_EVENTS]    = { false, "events", "events only", NULL },
	[VERDICT_UNCOVERED] = { true, "uncovered", "NOT COVERED", "31" },
	[VERDICT_FINE]	    = { false, "fine", "fine", "32" },
	[VERDICT_NOTE]	    = { false, "note", "note", NULL },
	[VERDICT_WRONG]	    = { true, "wrong", "WRONG", "31" },
	[VERDICT_UNKNOWN]   = { true, "unknown", "not known", "33" },
	[VERDICT_ABSENT]    = { false, "absent", "not here", NULL },
};
/* clang-format on */

const char *
verdict_name(enum verdict_kind kind)
{
	assert(kind < VERDICT_KINDS);
	return kinds[kind].name;
}

bool
verdict_lacks(enum verdict_kind kind)
{
	assert(kind < VERDICT_KINDS);
	return kinds[kind].lacks;
}

/* -- gathering -- */

static struct verdict *
room(struct verdicts *all)
{
	struct verdict *more;

	if (all->n >= VERDICTS_MAX)
		return NULL;
	if ((all->n & (all->n - 1)) == 0) { /* grown in powers of two */
		more = reallocarray(
		    all->v, all->n == 0 ? 1 : 2 * all->n, sizeof(*more));
		if (more == NULL)
			return NULL;
		all->v = more;
	}
	return &all->v[all->n++];
}

void
verdict_add(struct verdicts *all, const char *check, enum verdict_kind kind,
    const char *how, const char *mend, const char *fmt, ...)
{
	struct verdict *v = room(all);
	va_list ap;

	if (v == NULL) {
		all->failed = true;
		return;
	}
	*v = (struct verdict){ .kind = kind, .check = check };
	(void)snprintf(v->how, sizeof(v->how), "%s", how != NULL ? how : "");
	(void)snprintf(
	    v->mend, sizeof(v->mend), "%s", mend != NULL ? mend : "");
	va_start(ap, fmt);
	(void)vsnprintf(v->why, sizeof(v->why), fmt, ap);
	va_end(ap);
}

void
verdict_door(struct verdicts *all)
{
	if (!all->failed && all->n > 0)
		all->v[all->n - 1].door = true;
}

void
verdicts_free(struct verdicts *all)
{
	free(all->v);
	*all = (struct verdicts){ 0 };
}

/* -- printing -- */

static void
put_escaped(struct ops_buf *out, const char *text)
{
	ops_escape(out, text, strlen(text));
}

static void
put_one(const struct verdict *v, bool colour, struct ops_buf *out)
{
	const char *sgr = colour ? kinds[v->kind].sgr : NULL;

	if (sgr != NULL)
		ops_buf_printf(out, "\033[%sm", sgr);
	ops_buf_printf(out, "%-11s", kinds[v->kind].word);
	if (sgr != NULL)
		ops_buf_puts(out, "\033[m");
	ops_buf_printf(out, "   %s: ", v->check);
	put_escaped(out, v->why);
	if (v->how[0] != '\0') {
		ops_buf_puts(out, " (");
		put_escaped(out, v->how);
		ops_buf_puts(out, ")");
	}
	ops_buf_puts(out, "\n");
	if (v->mend[0] == '\0')
		return;
	ops_buf_puts(out, INDENT "mend: ");
	put_escaped(out, v->mend);
	ops_buf_puts(out, "\n");
}

/* Those of one check stand together. */
struct rows {
	const char *check;
	unsigned n[2]; /* without a lack, with one */
};

static unsigned
over(unsigned n)
{
	return n > VERDICTS_ROWS ? n - VERDICTS_ROWS : 0;
}

static void
put_rest(const struct rows *r, struct ops_buf *out)
{
	unsigned lacks = over(r->n[true]), rest = over(r->n[false]) + lacks;

	if (rest == 0)
		return;
	ops_buf_printf(out, "%-11s   %s: and %u more", "", r->check, rest);
	if (lacks > 0)
		ops_buf_printf(out, ", %u of them to be looked at", lacks);
	ops_buf_puts(out, ": opseal doctor --json has all\n");
}

void
verdicts_put(const struct verdicts *all, bool colour, struct ops_buf *out)
{
	struct rows r = { .check = NULL };

	for (size_t i = 0; i < all->n; i++) {
		const struct verdict *v = &all->v[i];

		if (r.check == NULL || strcmp(r.check, v->check) != 0) {
			put_rest(&r, out);
			r = (struct rows){ .check = v->check };
		}
		if (r.n[kinds[v->kind].lacks]++ < VERDICTS_ROWS)
			put_one(v, colour, out);
	}
	put_rest(&r, out);
}

static void
put_text(struct json *j, const char *key, const char *text)
{
	json_key(j, key);
	json_str(j, text[0] != '\0' ? text : NULL);
}

void
verdicts_put_json(const struct verdicts *all, struct ops_buf *out)
{
	for (size_t i = 0; i < all->n; i++) {
		const struct verdict *v = &all->v[i];
		struct json j = { .out = out };

		json_begin_object(&j);
		json_key(&j, "check");
		json_str(&j, v->check);
		json_key(&j, "verdict");
		json_str(&j, kinds[v->kind].name);
		put_text(&j, "detail", v->why);
		put_text(&j, "how", v->how);
		put_text(&j, "mend", v->mend);
		json_end_object(&j);
		ops_buf_put8(out, '\n');
	}
}
