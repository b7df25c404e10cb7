#include "pamfile.h"

#include <string.h>
#include <strings.h>

#include "base/bytes.h"
#include "textline.h"

#define MANAGED "# end of pam-auth-update config"

static const char *const kinds[] = { "account", "auth", "password", "session" };

struct word {
	const char *p;
	size_t n;
};

/* The next word of the line; a control in brackets is one.  False: no more. */
static bool
next_word(struct word *rest, struct word *ret)
{
	const char *close;
	size_t i = 0;

	while (rest->n > 0 && (rest->p[0] == ' ' || rest->p[0] == '\t')) {
		rest->p++;
		rest->n--;
	}
	if (rest->n == 0 || rest->p[0] == '#')
		return false;
	close = rest->p[0] == '[' ? memchr(rest->p, ']', rest->n) : NULL;
	if (close != NULL)
		i = (size_t)(close - rest->p) + 1;
	while (i < rest->n && rest->p[i] != ' ' && rest->p[i] != '\t')
		i++;
	*ret = (struct word){ rest->p, i };
	rest->p += i;
	rest->n -= i;
	return true;
}

static bool
is_word(const struct word *w, const char *text)
{
	return w->n == strlen(text) && strncasecmp(w->p, text, w->n) == 0;
}

/* The kind of the line, without the dash of "may be missing"; NULL: it is none. */
static const char *
kind_of(struct word w)
{
	if (w.n > 0 && w.p[0] == '-') {
		w.p++;
		w.n--;
	}
	for (size_t i = 0; i < OPS_ARRAY_LEN(kinds); i++)
		if (is_word(&w, kinds[i]))
			return kinds[i];
	return NULL;
}

static bool
continues(const struct textline *l)
{
	return l->n > 0 && l->p[l->n - 1] == '\\';
}

unsigned
pamfile_wrong(const char *p, size_t n)
{
	struct textline l;
	size_t at = 0;
	bool inside = false;

	for (unsigned line = 1; textline_next(p, n, &at, &l); line++) {
		struct word rest = { l.p, l.n }, first, control, module;
		bool was_inside = inside;

		inside = continues(&l);
		if (was_inside || !next_word(&rest, &first))
			continue;
		if (inside)
			rest.n--; /* the backslash */
		if (is_word(&first, "@include")) {
			if (!next_word(&rest, &module))
				return line;
			continue;
		}
		if (kind_of(first) == NULL)
			return line;
		if ((!next_word(&rest, &control) ||
			!next_word(&rest, &module)) &&
		    !inside)
			return line;
	}
	return 0;
}

/* The module that a line names, without its folder. */
static struct word
module_of(struct word rest)
{
	struct word control, w;

	if (!next_word(&rest, &control) || !next_word(&rest, &w))
		return (struct word){ "", 0 };
	for (size_t i = w.n; i-- > 0;)
		if (w.p[i] == '/')
			return (struct word){ w.p + i + 1, w.n - i - 1 };
	return w;
}

bool
pamfile_has(const char *p, size_t n, const char *kind, const char *module)
{
	struct textline l;
	size_t at = 0;

	while (textline_next(p, n, &at, &l)) {
		struct word rest = { l.p, l.n }, first, named;
		const char *is;

		if (!next_word(&rest, &first))
			continue;
		is = kind_of(first);
		named = module_of(rest);
		if (is != NULL && strcmp(is, kind) == 0 &&
		    named.n == strlen(module) &&
		    memcmp(named.p, module, named.n) == 0)
			return true;
	}
	return false;
}

/* Where the first account line begins; an include may bring them.  n: nowhere. */
static size_t
first_account(const char *p, size_t n)
{
	struct textline l;
	size_t at = 0;
	bool inside = false;

	while (textline_next(p, n, &at, &l)) {
		struct word rest = { l.p, l.n }, first;
		bool was_inside = inside;
		const char *kind;

		inside = continues(&l);
		if (was_inside || !next_word(&rest, &first))
			continue;
		kind = kind_of(first);
		if (is_word(&first, "@include") ||
		    (kind != NULL && strcmp(kind, "account") == 0))
			return l.start;
	}
	return n;
}

bool
pamfile_add(const char *p, size_t n, const char *kind, const char *line,
    struct ops_buf *out)
{
	size_t at = n;

	if (strcmp(kind, "account") == 0 && !textline_find(p, n, MANAGED, NULL))
		at = first_account(p, n);
	ops_buf_put(out, p, at);
	if (at == n)
		return textline_append(out, line);
	ops_buf_puts(out, line);
	ops_buf_put8(out, '\n');
	ops_buf_put(out, p + at, n - at);
	return false;
}
