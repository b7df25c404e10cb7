#include "passwd.h"

#include <string.h>

#include "base/text.h"
#include "textline.h"

#define FIELDS 7

int
passwd_next(const char *p, size_t n, size_t *at, struct passwd_line *ret)
{
	const char *field[FIELDS];
	size_t len[FIELDS], k = 0, from = 0;
	struct textline l;

	if (!textline_next(p, n, at, &l))
		return 0;
	for (size_t i = 0; i <= l.n; i++) {
		if (i < l.n && l.p[i] != ':')
			continue;
		if (k == FIELDS)
			return -1;
		field[k] = l.p + from;
		len[k++] = i - from;
		from = i + 1;
	}
	if (k < FIELDS || len[0] == 0 || field[0][0] == '+' ||
	    field[0][0] == '-' || field[0][0] == '#' ||
	    memchr(l.p, '\0', l.n) != NULL)
		return -1;
	if (!ops_uid_parse(field[2], len[2], &ret->uid) ||
	    !ops_uid_parse(field[3], len[3], &ret->gid))
		return -1;
	ret->name = field[0];
	ret->name_len = len[0];
	ret->home = field[5];
	ret->home_len = len[5];
	ret->shell = field[6];
	ret->shell_len = len[6];
	ret->shell_at = (size_t)(field[6] - p);
	ret->end = l.end;
	return 1;
}

static bool
same(const char *p, size_t n, const char *text)
{
	return strlen(text) == n && memcmp(p, text, n) == 0;
}

bool
passwd_is(const struct passwd_line *l, const char *name, uint32_t uid)
{
	return l->uid == uid && same(l->name, l->name_len, name);
}

size_t
passwd_change(const char *p, size_t n, const struct passwd_change *c,
    size_t n_changes, struct ops_buf *out)
{
	struct passwd_line l;
	size_t at = 0, put = 0, done = 0;
	int rc;

	while ((rc = passwd_next(p, n, &at, &l)) != 0) {
		for (size_t i = 0; rc > 0 && i < n_changes; i++) {
			if (!passwd_is(&l, c[i].name, c[i].uid) ||
			    (c[i].from != NULL &&
				!same(l.shell, l.shell_len, c[i].from)))
				continue;
			ops_buf_put(out, p + put, l.shell_at - put);
			ops_buf_puts(out, c[i].to);
			put = l.shell_at + l.shell_len;
			done++;
			break;
		}
	}
	ops_buf_put(out, p + put, n - put);
	return done;
}
