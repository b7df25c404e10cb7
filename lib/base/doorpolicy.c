#include "doorpolicy.h"

#include <string.h>

static const char head[] =
    "# Written by opseald from its configuration: what the door does where no "
    "daemon\n# answers.  Change opseal.conf(5), not this.\n";

struct line {
	const char *p;
	size_t n;
};

/* Is it "KEY = VALUE" of this key?  Then what is left is the value. */
static bool
is_key(struct line *l, const char *key)
{
	size_t n = strlen(key);

	if (l->n < n + 3 || memcmp(l->p, key, n) != 0 ||
	    memcmp(l->p + n, " = ", 3) != 0)
		return false;
	l->p += n + 3;
	l->n -= n + 3;
	return true;
}

static bool
is_word(const struct line *l, const char *word)
{
	return l->n == strlen(word) && memcmp(l->p, word, l->n) == 0;
}

/* No control character; 1..max bytes. */
static bool
take_text(const struct line *l, size_t max, char *out)
{
	if (l->n == 0 || l->n > max)
		return false;
	for (size_t i = 0; i < l->n; i++)
		if ((unsigned char)l->p[i] < ' ' || l->p[i] == 0x7f)
			return false;
	memcpy(out, l->p, l->n);
	out[l->n] = '\0';
	return true;
}

/* GID NAME.  UINT32_MAX is nobody's: (gid_t)-1 says "no change" to the kernel. */
static bool
take_group(struct line l, struct doorpolicy *p)
{
	uint64_t v = 0;
	size_t i = 0;

	for (; i < l.n && i < 10 && l.p[i] >= '0' && l.p[i] <= '9'; i++)
		v = v * 10 + (uint64_t)(l.p[i] - '0');
	if (i == 0 || i == l.n || l.p[i] != ' ' || v >= UINT32_MAX)
		return false;
	p->has_group = true;
	p->gid = (uint32_t)v;
	l.p += i + 1;
	l.n -= i + 1;
	return take_text(&l, DOORPOLICY_NAME, p->group);
}

static bool
take_line(struct line l, bool *begun, struct doorpolicy *p)
{
	if (l.n == 0 || l.p[0] == '#')
		return true;
	if (!*begun) {
		*begun = is_key(&l, "on_log_failure");
		p->refuse = is_word(&l, "refuse");
		return *begun && (p->refuse || is_word(&l, "continue"));
	}
	if (is_key(&l, "on_log_failure"))
		return false; /* twice */
	if (is_key(&l, "break_glass"))
		return !p->has_group && take_group(l, p);
	if (is_key(&l, "off"))
		return p->off[0] == '\0' &&
		       take_text(&l, DOORPOLICY_OFF, p->off);
	return true;
}

int
doorpolicy_parse(
    const char *p, size_t n, struct doorpolicy *ret, struct ops_err *err)
{
	struct doorpolicy got = { 0 };
	bool begun = false;
	unsigned line = 0;

	for (size_t at = 0; at < n;) {
		const char *end = memchr(p + at, '\n', n - at);

		line++;
		if (end == NULL)
			return ops_fail(
			    err, OPS_EFORMAT, "line %u has no end", line);
		if (!take_line(
			(struct line){ p + at, (size_t)(end - (p + at)) },
			&begun, &got))
			return ops_fail(err, OPS_EFORMAT,
			    "line %u is not understood", line);
		at = (size_t)(end - p) + 1;
	}
	if (!begun)
		return ops_fail(err, OPS_EFORMAT, "on_log_failure is missing");
	*ret = got;
	return 0;
}

void
doorpolicy_put(struct ops_buf *out, const struct doorpolicy *p)
{
	ops_buf_printf(out, "%son_log_failure = %s\n", head,
	    p->refuse ? "refuse" : "continue");
	if (p->has_group)
		ops_buf_printf(
		    out, "break_glass = %u %s\n", (unsigned)p->gid, p->group);
	if (p->off[0] != '\0')
		ops_buf_printf(out, "off = %s\n", p->off);
}
