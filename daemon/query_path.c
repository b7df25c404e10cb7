#include "query_path.h"

#include <stdbool.h>
#include <string.h>

#include "base/bytes.h"
#include "store/segment.h"

#define PARTS_MAX 8

struct parts {
	const char *p[PARTS_MAX];
	size_t len[PARTS_MAX];
	size_t n;
};

static bool
is_fine(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
}

static int
cut(const char *s, struct parts *ret, struct ops_err *err)
{
	struct parts parts = { 0 };

	for (;;) {
		size_t len = strcspn(s, "/");

		if (len == 0 || (len == 1 && s[0] == '.') ||
		    (len == 2 && s[0] == '.' && s[1] == '.'))
			return ops_fail(err, OPS_EUSAGE,
			    "a path is relative, without empty parts, . and "
			    "..");
		if (parts.n == PARTS_MAX)
			return ops_fail(err, OPS_EUSAGE, "a path this deep");
		parts.p[parts.n] = s;
		parts.len[parts.n++] = len;
		if (s[len] == '\0')
			break;
		s += len + 1;
	}
	*ret = parts;
	return 0;
}

static bool
is(const struct parts *parts, size_t i, const char *word)
{
	return parts->len[i] == strlen(word) &&
	       memcmp(parts->p[i], word, parts->len[i]) == 0;
}

/* Digits where the pattern has 0, its own bytes elsewhere. */
static bool
fits(const struct parts *parts, size_t i, const char *pattern)
{
	size_t n = strlen(pattern);

	if (parts->len[i] != n)
		return false;
	for (size_t k = 0; k < n; k++) {
		char c = parts->p[i][k];

		if (pattern[k] == '0' ? c < '0' || c > '9' : c != pattern[k])
			return false;
	}
	return true;
}

static bool
is_number(const struct parts *parts, size_t i)
{
	for (size_t k = 0; k < parts->len[i]; k++)
		if (parts->p[i][k] < '0' || parts->p[i][k] > '9')
			return false;
	return true;
}

static enum path_kind
kind_of_log(const struct parts *parts)
{
	if (parts->n == 1 || (parts->n == 2 && is_number(parts, 1)))
		return PATH_FOLDER;
	if (parts->n == 3 && is_number(parts, 1) &&
	    (is(parts, 2, "leaves") || is(parts, 2, "checkpoint")))
		return PATH_LOG;
	return PATH_OTHER;
}

static enum path_kind
kind_of_data(const struct parts *parts, uint8_t id[static OPS_ID_LEN])
{
	uint32_t number;

	if (parts->n == 1)
		return PATH_FOLDER;
	if (!is(parts, 1, "screen"))
		return PATH_OTHER;
	if (parts->n == 2)
		return PATH_FOLDER;
	if (!fits(parts, 2, "0000-00-00"))
		return PATH_OTHER;
	if (parts->n == 3)
		return PATH_SCREEN_DAY;
	/* The name is the last part, so it ends with a NUL. */
	if (parts->n == 4 && segment_name_parse(parts->p[3], id, &number) == 0)
		return PATH_SCREEN;
	return PATH_OTHER;
}

int
query_path_parse(
    const uint8_t *p, size_t n, struct query_path *ret, struct ops_err *err)
{
	struct query_path path = { .kind = PATH_OTHER };
	struct parts parts = { 0 };

	if (n == 0 || n > QUERY_PATH_MAX)
		return ops_fail(err, OPS_EUSAGE,
		    "a path has 1 to %d bytes, not %zu", QUERY_PATH_MAX, n);
	for (size_t i = 0; i < n; i++)
		if (p[i] != '/' && !is_fine(p[i]))
			return ops_fail(
			    err, OPS_EUSAGE, "a path has no byte 0x%02x", p[i]);
	memcpy(path.text, p, n);
	if (cut(path.text, &parts, err) < 0)
		return -1;
	if (is(&parts, 0, "keys"))
		path.kind = PATH_KEYS;
	else if (is(&parts, 0, "log"))
		path.kind = kind_of_log(&parts);
	else if (is(&parts, 0, "data"))
		path.kind = kind_of_data(&parts, path.id);
	*ret = path;
	return 0;
}
