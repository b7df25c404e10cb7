#include "procstat.h"

#include <limits.h>
#include <stdbool.h>
#include <string.h>

#define PARENT_FIELD 4 /* of proc(5), counted from 1 */
#define TTY_FIELD 7
#define START_FIELD 22

struct text {
	const char *p;
	size_t n;
};

static bool
take(struct text *t, char c)
{
	if (t->n == 0 || *t->p != c)
		return false;
	t->p++;
	t->n--;
	return true;
}

/* Digits up to a number of at most max.  False if there are none. */
static bool
take_number(struct text *t, uint64_t max, uint64_t *ret)
{
	uint64_t v = 0;
	size_t i = 0;

	for (; i < t->n && t->p[i] >= '0' && t->p[i] <= '9'; i++) {
		unsigned digit = (unsigned)(t->p[i] - '0');

		if (v > (max - digit) / 10)
			return false;
		v = v * 10 + digit;
	}
	if (i == 0)
		return false;
	t->p += i;
	t->n -= i;
	*ret = v;
	return true;
}

/* A number of any sign and size, which nobody needs. */
static bool
skip_number(struct text *t)
{
	size_t i = 0;

	take(t, '-');
	while (i < t->n && t->p[i] >= '0' && t->p[i] <= '9')
		i++;
	t->p += i;
	t->n -= i;
	return i > 0;
}

/* As new_encode_dev() of the kernel's linux/kdev_t.h. */
static bool
take_tty(struct text *t, struct procstat *st)
{
	uint64_t v = 0;
	bool negative = take(t, '-'); /* it prints the 32 bits as an int */
	uint32_t dev;

	if (!take_number(t, UINT32_MAX, &v))
		return false;
	dev = negative ? (uint32_t)-v : (uint32_t)v;
	st->tty_major = (dev & 0xfff00) >> 8;
	st->tty_minor = (dev & 0xff) | ((dev >> 12) & 0xfff00);
	return true;
}

int
procstat_parse(
    const char *p, size_t n, struct procstat *ret, struct ops_err *err)
{
	/* The name may hold parentheses, but not the last one. */
	const char *name_end = n > 0 ? memrchr(p, ')', n) : NULL;
	struct procstat st = { 0 };
	struct text t;
	uint64_t parent = 0;
	bool good;

	if (name_end == NULL)
		return ops_fail(err, OPS_EFORMAT, "stat: no name");
	t = (struct text){ name_end + 1, n - (size_t)(name_end + 1 - p) };
	good = take(&t, ' ') && t.n > 0 && *t.p > ' ' && *t.p <= '~';
	if (good) {
		st.state = *t.p++;
		t.n--;
	}
	good = good && take(&t, ' ') && take_number(&t, INT_MAX, &parent);
	for (int i = PARENT_FIELD + 1; good && i < START_FIELD; i++)
		good = take(&t, ' ') &&
		       (i == TTY_FIELD ? take_tty(&t, &st) : skip_number(&t));
	/* What follows shows that the number is whole. */
	good = good && take(&t, ' ') &&
	       take_number(&t, UINT64_MAX, &st.start) && take(&t, ' ');
	if (!good)
		return ops_fail(
		    err, OPS_EFORMAT, "stat: no fields up to the start time");
	st.parent = (pid_t)parent;
	*ret = st;
	return 0;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* The number in a line that begins after "NAME:". */
static bool
line_number(struct text t, unsigned word, uint32_t *ret)
{
	uint64_t v = 0;

	for (unsigned i = 0; i <= word; i++) {
		while (t.n > 0 && is_blank(*t.p)) {
			t.p++;
			t.n--;
		}
		if (!take_number(&t, UINT32_MAX, &v) || t.n == 0 ||
		    !(is_blank(*t.p) || *t.p == '\n'))
			return false;
	}
	*ret = (uint32_t)v;
	return true;
}

int
procstat_line(const char *p, size_t n, const char *name, unsigned word,
    uint32_t *ret, struct ops_err *err)
{
	const char *end = p + n;
	size_t len = strlen(name);

	while (p < end) {
		const char *newline = memchr(p, '\n', (size_t)(end - p));
		size_t line = newline != NULL ? (size_t)(newline + 1 - p)
					      : (size_t)(end - p);

		if (line > len && memcmp(p, name, len) == 0 && p[len] == ':') {
			struct text t = { p + len + 1, line - len - 1 };

			if (line_number(t, word, ret))
				return 0;
			break;
		}
		p += line;
	}
	return ops_fail(err, OPS_EFORMAT, "no number behind %s", name);
}

int
procstat_made(const char *p, size_t n, uint64_t *ret, struct ops_err *err)
{
	static const char name[] = "\nprocesses ";
	const char *at = memmem(p, n, name, sizeof(name) - 1);
	struct text t = { at, 0 };
	uint64_t made;

	if (at != NULL) {
		t.p += sizeof(name) - 1;
		t.n = n - (size_t)(t.p - p);
		if (take_number(&t, UINT64_MAX, &made) && take(&t, '\n')) {
			*ret = made;
			return 0;
		}
	}
	return ops_fail(err, OPS_EFORMAT, "no number of processes");
}

int
procstat_number(const char *p, size_t n, uint32_t *ret, struct ops_err *err)
{
	struct text t = { p, n };
	uint64_t v;

	if (!take_number(&t, UINT32_MAX, &v))
		return ops_fail(err, OPS_EFORMAT, "not a number");
	take(&t, '\n');
	if (t.n > 0)
		return ops_fail(err, OPS_EFORMAT, "not a number alone");
	*ret = (uint32_t)v;
	return 0;
}

bool
procstat_entry(const char *name, int *ret)
{
	struct text t = { name, strlen(name) };
	uint64_t v;

	if (!take_number(&t, INT_MAX, &v) || t.n > 0)
		return false;
	*ret = (int)v;
	return true;
}

void
procstat_comm(const char *p, size_t n, char *out, size_t size)
{
	if (n > 0 && p[n - 1] == '\n')
		n--;
	n = strnlen(p, n < size - 1 ? n : size - 1);
	memcpy(out, p, n);
	out[n] = '\0';
}
