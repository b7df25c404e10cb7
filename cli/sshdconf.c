#include "sshdconf.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/bytes.h"
#include "textline.h"

/* Is the line that keyword's?  Then where its value begins. */
static bool
begins(const struct textline *l, const char *keyword, size_t *value)
{
	size_t from = 0, len = strlen(keyword);

	while (from < l->n && (l->p[from] == ' ' || l->p[from] == '\t'))
		from++;
	if (l->n - from < len || strncasecmp(l->p + from, keyword, len) != 0)
		return false;
	from += len;
	if (from < l->n && l->p[from] != ' ' && l->p[from] != '\t' &&
	    l->p[from] != '=')
		return false;
	while (from < l->n &&
	       (l->p[from] == ' ' || l->p[from] == '\t' || l->p[from] == '='))
		from++;
	*value = from;
	return true;
}

bool
sshdconf_next(const char *p, size_t n, size_t *at, unsigned *line,
    const char *keyword, char value[static SSHDCONF_VALUE])
{
	struct textline l;
	size_t from, len;

	while (textline_next(p, n, at, &l)) {
		++*line;
		if (!begins(&l, keyword, &from))
			continue;
		len = l.n - from;
		if (len >= SSHDCONF_VALUE)
			len = SSHDCONF_VALUE - 1;
		memcpy(value, l.p + from, len);
		value[len] = '\0';
		return true;
	}
	return false;
}

bool
sshdconf_value(const char *p, size_t n, const char *keyword,
    char value[static SSHDCONF_VALUE])
{
	unsigned line = 0;
	size_t at = 0;

	return sshdconf_next(p, n, &at, &line, keyword, value);
}

/* clang-format off */
static const struct {
	const char *keyword, *why;
} refusals[] = {
	{ "forcecommand", "sshd has a ForceCommand for it already" },
	{ "chrootdirectory", "it is shut in (ChrootDirectory), where there is no door" },
	{ "authorizedkeyscommand", "its keys come from AuthorizedKeysCommand, and may have a command of their own" },
	{ "trustedusercakeys", "certificates are trusted (TrustedUserCAKeys), and may have a force-command of their own" },
};
/* clang-format on */

bool
sshdconf_sftp_is_internal(const char *p, size_t n)
{
	struct textline l;
	size_t at = 0, from;

	while (textline_next(p, n, &at, &l)) {
		static const char internal[] = "internal-sftp";

		if (begins(&l, "subsystem", &from) &&
		    memmem(l.p + from, l.n - from, internal,
			strlen(internal)) != NULL)
			return true;
	}
	return false;
}

/* Take the next word of the line at *from; its quotes, if it has any, too. */
static size_t
word(const struct textline *l, size_t *from)
{
	size_t n = 0;

	while (*from < l->n && (l->p[*from] == ' ' || l->p[*from] == '\t'))
		(*from)++;
	while (*from + n < l->n && l->p[*from + n] != ' ' &&
	       l->p[*from + n] != '\t')
		n++;
	return n;
}

static bool
word_is(const struct textline *l, size_t from, size_t n, const char *text)
{
	return n == strlen(text) && memcmp(l->p + from, text, n) == 0;
}

bool
sshdconf_sftp(const char *p, size_t n, const char *program,
    struct textline *line, struct ops_buf *to)
{
	struct textline l;
	size_t at = 0, from, len;

	while (textline_next(p, n, &at, &l)) {
		if (!begins(&l, "subsystem", &from))
			continue;
		len = word(&l, &from);
		if (!word_is(&l, from, len, "sftp"))
			continue;
		from += len;
		len = word(&l, &from);
		if (!word_is(&l, from, len, "internal-sftp"))
			return false;
		ops_buf_put(to, l.p, from);
		ops_buf_puts(to, program);
		ops_buf_put(to, l.p + from + len, l.n - from - len);
		*line = l;
		return true;
	}
	return false;
}

bool
sshdconf_shuts_in(const char *p, size_t n)
{
	struct textline l;
	size_t at = 0, from, len;

	while (textline_next(p, n, &at, &l)) {
		if (!begins(&l, "chrootdirectory", &from))
			continue;
		len = word(&l, &from);
		if (len != 4 || strncasecmp(l.p + from, "none", 4) != 0)
			return true;
	}
	return false;
}

bool
sshdconf_include(
    const char *p, size_t n, size_t *at, char value[static SSHDCONF_VALUE])
{
	struct textline l;
	size_t next = 0, from, len;

	/* *at is a place in the bytes: behind the word that came last. */
	while (textline_next(p, n, &next, &l)) {
		if (next <= *at || !begins(&l, "include", &from))
			continue;
		if (*at > l.start && *at - l.start > from)
			from = *at - l.start;
		len = word(&l, &from);
		if (len == 0)
			continue;
		*at = l.start + from + len;
		if (len >= 2 && l.p[from] == '"' &&
		    l.p[from + len - 1] == '"') {
			from++;
			len -= 2;
		}
		if (len >= SSHDCONF_VALUE)
			continue;
		memcpy(value, l.p + from, len);
		value[len] = '\0';
		return true;
	}
	return false;
}

bool
sshdconf_refuses(const char *p, size_t n, const char *door,
    char reason[static SSHDCONF_VALUE])
{
	char value[SSHDCONF_VALUE];

	for (size_t i = 0; i < OPS_ARRAY_LEN(refusals); i++) {
		if (!sshdconf_value(p, n, refusals[i].keyword, value) ||
		    strcasecmp(value, "none") == 0)
			continue;
		if (i == 0 && strncmp(value, door, strlen(door)) == 0 &&
		    value[strlen(door)] == ' ')
			continue;
		(void)snprintf(reason, SSHDCONF_VALUE, "%s", refusals[i].why);
		return true;
	}
	if (!sshdconf_sftp_is_internal(p, n))
		return false;
	(void)snprintf(reason, SSHDCONF_VALUE,
	    "its sftp is internal-sftp, which ForceCommand takes away");
	return true;
}

bool
sshdconf_is_name(const char *name)
{
	static const char good[] = "abcdefghijklmnopqrstuvwxyz"
				   "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-$";

	return name[0] != '\0' && name[0] != '-' &&
	       strspn(name, good) == strlen(name);
}

void
sshdconf_put(
    struct ops_buf *out, const char *door, const char *const *names, size_t n)
{
	ops_buf_puts(out,
	    "# By opseal setup --door force; opseal unsetup removes it.\n");
	if (n == 0)
		return;
	ops_buf_puts(out, "Match User ");
	for (size_t i = 0; i < n; i++)
		ops_buf_printf(out, "%s%s", i > 0 ? "," : "", names[i]);
	ops_buf_printf(out, "\n\tForceCommand %s --forced\n", door);
}

bool
sshdconf_with(const char *p, size_t n, const char *folder, const char *file,
    struct ops_buf *out)
{
	struct textline l;
	size_t at = 0, from;

	while (textline_next(p, n, &at, &l)) {
		if (begins(
			&l, "match", &from)) /* what follows is for some only */
			break;
		if (!begins(&l, "include", &from) ||
		    memmem(l.p + from, l.n - from, folder, strlen(folder)) ==
			NULL)
			continue;
		ops_buf_put(out, p, l.start);
		ops_buf_printf(out, "Include %s\n", file);
		ops_buf_put(out, p + l.start, n - l.start);
		return true;
	}
	ops_buf_put(out, p, n);
	return false;
}
