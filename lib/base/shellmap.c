#include "shellmap.h"

#include <string.h>

#include "text.h"

struct span {
	const char *p;
	size_t n;
};

static bool
is_space(char c)
{
	return c == ' ' || c == '\t';
}

/* Without its comment and the spaces around it. */
static struct span
content(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '#' && (i == 0 || is_space(s.p[i - 1])))
			s.n = i;
	while (s.n > 0 && is_space(s.p[0])) {
		s.p++;
		s.n--;
	}
	while (s.n > 0 && is_space(s.p[s.n - 1]))
		s.n--;
	return s;
}

/* The part up to the next colon; false: there is none. */
static bool
part(struct span *s, struct span *ret)
{
	const char *colon = s->n > 0 ? memchr(s->p, ':', s->n) : NULL;

	if (colon == NULL)
		return false;
	*ret = (struct span){ s->p, (size_t)(colon - s->p) };
	s->n -= ret->n + 1;
	s->p = colon + 1;
	return true;
}

static bool
is_star(struct span s)
{
	return s.n == 1 && s.p[0] == '*';
}

/* As of an editor that ends lines with CR LF: such a file is never meant. */
static bool
has_control(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
			return true;
	return false;
}

static const char *
read_line(struct span s, struct shellmap_entry *e)
{
	struct span name, uid;

	if (!part(&s, &name) || !part(&s, &uid))
		return "it is not NAME:UID:SHELL";
	e->any = is_star(name) && is_star(uid);
	if (!e->any && !ops_uid_parse(uid.p, uid.n, &e->uid))
		return "its UID is not a number";
	if (name.n == 0 || name.n > SHELLMAP_NAME_MAX)
		return "it has no name, or a long one";
	if (s.n == 0 || s.n > SHELLMAP_SHELL_MAX || s.p[0] != '/')
		return "its shell is not a path from / on, or a long one";
	if (has_control(s))
		return "its shell has a control character";
	e->name = name.p;
	e->name_len = name.n;
	e->shell = s.p;
	e->shell_len = s.n;
	return NULL;
}

int
shellmap_next(const char *p, size_t n, size_t *at, struct shellmap_entry *ret)
{
	while (*at < n) {
		const char *end = memchr(p + *at, '\n', n - *at);
		struct span s = { p + *at,
			(end != NULL ? (size_t)(end - p) : n) - *at };

		*at += s.n + (end != NULL);
		*ret = (struct shellmap_entry){ .line = ret->line + 1 };
		s = content(s);
		if (s.n == 0)
			continue;
		ret->wrong = end == NULL ? "it has no end: is the file whole?"
					 : read_line(s, ret);
		return ret->wrong == NULL ? 1 : -1;
	}
	return 0;
}

static bool
is_called(const struct shellmap_entry *e, const char *name)
{
	return name != NULL && strlen(name) == e->name_len &&
	       memcmp(name, e->name, e->name_len) == 0;
}

bool
shellmap_find(const char *p, size_t n, uint32_t uid, const char *name,
    struct shellmap_entry *ret)
{
	struct shellmap_entry e = { 0 }, any = { 0 }, first = { 0 };
	size_t at = 0;
	int rc;

	while ((rc = shellmap_next(p, n, &at, &e)) != 0) {
		if (rc < 0)
			continue;
		if (e.any) {
			if (any.line == 0)
				any = e;
		} else if (e.uid == uid) {
			if (first.line == 0 || is_called(&e, name))
				first = e;
			if (is_called(&e, name))
				break;
		}
	}
	*ret = first.line != 0 ? first : any;
	return ret->line != 0;
}
