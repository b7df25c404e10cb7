#include "conf.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "bytes.h"
#include "clock.h"
#include "text.h"

struct span {
	const char *p;
	size_t n;
};

struct parser {
	const char *file;
	unsigned line;
	struct span section; /* p == NULL: before the first */
	const struct conf_key *keys;
	size_t n_keys;
	unsigned set_on[CONF_KEYS_MAX]; /* line that set the key, 0: none */
	void *ret;                      /* NULL: only check */
	const struct conf_faults *faults;
	struct ops_err *err; /* e */
	struct ops_err e;    /* of this line */
};

/* For messages: "%.*s" takes an int. */
#define SPAN(s) (int)((s).n < 60 ? (s).n : 60), (s).p

static bool
is_space(char c)
{
	return c == ' ' || c == '\t';
}

static struct span
trim(struct span s)
{
	while (s.n > 0 && is_space(s.p[0])) {
		s.p++;
		s.n--;
	}
	while (s.n > 0 && is_space(s.p[s.n - 1]))
		s.n--;
	return s;
}

static bool
equal(struct span s, const char *word)
{
	return s.n == strlen(word) && memcmp(s.p, word, s.n) == 0;
}

static bool
in_section(const struct parser *ps, const struct conf_key *key)
{
	if (key->section == NULL || ps->section.p == NULL)
		return key->section == NULL && ps->section.p == NULL;
	return equal(ps->section, key->section);
}

/* Remember the candidate nearest to what was typed. */
static void
consider(struct span typed, const char *word, size_t *best, const char **ret)
{
	size_t d = ops_edit_distance(typed.p, typed.n, word, strlen(word));

	if (d < *best) {
		*best = d;
		*ret = word;
	}
}

/* A suggestion further away than this is a guess and no help. */
static size_t
worth_saying(struct span typed)
{
	return typed.n / 3 + 2;
}

static int
unknown_key(struct parser *ps, struct span name)
{
	size_t best = worth_saying(name);
	const char *near = NULL;

	for (size_t i = 0; i < ps->n_keys; i++)
		if (in_section(ps, &ps->keys[i]))
			consider(name, ps->keys[i].name, &best, &near);
	if (near != NULL)
		return ops_fail(ps->err, OPS_EFORMAT,
		    "unknown key \"%.*s\", did you mean \"%s\"?", SPAN(name),
		    near);
	/* The right word in the wrong place is the other usual mistake. */
	for (size_t i = 0; i < ps->n_keys; i++)
		if (equal(name, ps->keys[i].name))
			return ops_fail(ps->err, OPS_EFORMAT,
			    "key \"%.*s\" belongs %s%s%s", SPAN(name),
			    ps->keys[i].section != NULL
				? "into section ["
				: "before the first section",
			    ps->keys[i].section != NULL ? ps->keys[i].section
							: "",
			    ps->keys[i].section != NULL ? "]" : "");
	return ops_fail(
	    ps->err, OPS_EFORMAT, "unknown key \"%.*s\"", SPAN(name));
}

static int
take_section(struct parser *ps, struct span line)
{
	size_t best;
	const char *near = NULL;
	struct span name;

	if (line.p[line.n - 1] != ']')
		return ops_fail(
		    ps->err, OPS_EFORMAT, "section without its \"]\"");
	name = trim((struct span){ line.p + 1, line.n - 2 });
	best = worth_saying(name);
	for (size_t i = 0; i < ps->n_keys; i++) {
		if (ps->keys[i].section == NULL)
			continue;
		if (equal(name, ps->keys[i].section)) {
			ps->section = name;
			return 0;
		}
		consider(name, ps->keys[i].section, &best, &near);
	}
	if (near != NULL)
		return ops_fail(ps->err, OPS_EFORMAT,
		    "unknown section [%.*s], did you mean [%s]?", SPAN(name),
		    near);
	return ops_fail(
	    ps->err, OPS_EFORMAT, "unknown section [%.*s]", SPAN(name));
}

/* The character that \c stands for in quotes, 0: none. */
static char
unescape(char c)
{
	switch (c) {
	case 'n':
		return '\n';
	case 't':
		return '\t';
	case '"':
	case '\\':
		return c;
	default:
		return '\0';
	}
}

/* After the value only a comment may stand. */
static bool
is_rest_empty(struct span rest)
{
	struct span s = trim(rest);

	return s.n == 0 || (s.n < rest.n && (s.p[0] == '#' || s.p[0] == ';'));
}

/* s begins with a quote.  Text into out. */
static int
take_quoted(struct parser *ps, struct span s, char out[CONF_VALUE_MAX + 1])
{
	size_t n = 0, i;

	for (i = 1; i < s.n && s.p[i] != '"'; i++) {
		char c = s.p[i];

		if (c == '\\') {
			c = (char)(++i < s.n ? unescape(s.p[i]) : '\0');
			if (c == '\0')
				return ops_fail(ps->err, OPS_EFORMAT,
				    "only \\\" \\\\ \\n \\t stand in quotes");
		}
		if (n == CONF_VALUE_MAX)
			return ops_fail(ps->err, OPS_EFORMAT,
			    "value over %d bytes", CONF_VALUE_MAX);
		out[n++] = c;
	}
	if (i >= s.n)
		return ops_fail(ps->err, OPS_EFORMAT, "quote without its end");
	if (!is_rest_empty((struct span){ s.p + i + 1, s.n - i - 1 }))
		return ops_fail(
		    ps->err, OPS_EFORMAT, "text after the closing quote");
	out[n] = '\0';
	return 0;
}

static int
take_value(struct parser *ps, struct span s, char out[CONF_VALUE_MAX + 1])
{
	s = trim(s);
	if (s.n > 0 && s.p[0] == '"')
		return take_quoted(ps, s, out);
	for (size_t i = 0; i < s.n; i++) {
		if ((s.p[i] == '#' || s.p[i] == ';') &&
		    (i == 0 || is_space(s.p[i - 1]))) {
			s = trim((struct span){ s.p, i });
			break;
		}
	}
	if (s.n > CONF_VALUE_MAX)
		return ops_fail(ps->err, OPS_EFORMAT, "value over %d bytes",
		    CONF_VALUE_MAX);
	memcpy(out, s.p, s.n);
	out[s.n] = '\0';
	return 0;
}

/* Leading decimal digits; the rest of the text, NULL if none or too many. */
static const char *
take_digits(const char *s, uint64_t *ret)
{
	uint64_t v = 0;

	if (*s < '0' || *s > '9')
		return NULL;
	for (; *s >= '0' && *s <= '9'; s++)
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*s - '0'), &v))
			return NULL;
	*ret = v;
	return s;
}

static int
parse_uint(struct parser *ps, const char *s, uint64_t *ret)
{
	const char *end = take_digits(s, ret);

	if (end == NULL || *end != '\0')
		return ops_fail(
		    ps->err, OPS_EFORMAT, "\"%.60s\" is no whole number", s);
	return 0;
}

static int
parse_size(struct parser *ps, const char *s, uint64_t *ret)
{
	static const char units[] = "KMGT";
	const char *end = take_digits(s, ret), *unit;

	if (end != NULL && *end != '\0') {
		unit = strchr(units, *end);
		if (unit == NULL || end[1] != '\0' ||
		    __builtin_mul_overflow(
			*ret, UINT64_C(1) << (10 * (unit - units + 1)), ret))
			end = NULL;
	}
	if (end == NULL)
		return ops_fail(ps->err, OPS_EFORMAT,
		    "\"%.60s\" is no size (number, then K, M, G or T)", s);
	return 0;
}

static int
parse_bool(struct parser *ps, const char *s, bool *ret)
{
	static const char *const words[] = { "no", "yes", "false", "true",
		"off", "on", "0", "1" };

	for (size_t i = 0; i < OPS_ARRAY_LEN(words); i++) {
		if (strcmp(s, words[i]) == 0) {
			*ret = i % 2 == 1;
			return 0;
		}
	}
	return ops_fail(
	    ps->err, OPS_EFORMAT, "\"%.60s\" is neither yes nor no", s);
}

static int
parse_enum(
    struct parser *ps, const struct conf_key *key, const char *s, int *ret)
{
	char list[160] = "";
	size_t at = 0;

	for (int i = 0; key->names[i] != NULL; i++) {
		size_t n = strlen(key->names[i]);

		if (strcmp(s, key->names[i]) == 0) {
			*ret = i;
			return 0;
		}
		if (at + n + 2 < sizeof(list)) {
			if (at > 0)
				list[at++] = ' ';
			memcpy(list + at, key->names[i], n + 1);
			at += n;
		}
	}
	return ops_fail(
	    ps->err, OPS_EFORMAT, "\"%.60s\" is none of: %s", s, list);
}

/* Check the value and, unless only checking, store it. */
static int
store(struct parser *ps, const struct conf_key *key, const char *s)
{
	uint64_t number = 0;
	bool flag = false;
	int word = 0, rc = 0;
	void *to = ps->ret != NULL ? (uint8_t *)ps->ret + key->offset : NULL;

	switch (key->kind) {
	case CONF_BOOL:
		if (parse_bool(ps, s, &flag) < 0)
			return -1;
		if (to != NULL)
			memcpy(to, &flag, sizeof(flag));
		return 0;
	case CONF_ENUM:
		if (parse_enum(ps, key, s, &word) < 0)
			return -1;
		if (to != NULL)
			memcpy(to, &word, sizeof(word));
		return 0;
	case CONF_TEXT:
		number = strlen(s);
		if (number < key->min || number > key->max)
			return ops_fail(ps->err, OPS_EFORMAT,
			    "text of %zu bytes, not %ju to %ju", (size_t)number,
			    (uintmax_t)key->min, (uintmax_t)key->max);
		if (key->check != NULL && key->check(s, ps->err) < 0)
			return -1;
		if (to != NULL)
			memcpy(to, s, (size_t)number + 1);
		return 0;
	case CONF_UINT:
		rc = parse_uint(ps, s, &number);
		break;
	case CONF_SIZE:
		rc = parse_size(ps, s, &number);
		break;
	case CONF_DURATION:
		rc = ops_duration_parse(s, &number, ps->err);
		break;
	}
	if (rc < 0)
		return -1;
	if (number < key->min || number > key->max)
		return ops_fail(ps->err, OPS_EFORMAT,
		    "\"%.60s\" is out of range, %ju to %ju%s", s,
		    (uintmax_t)key->min, (uintmax_t)key->max,
		    key->kind == CONF_DURATION ? " ns" : "");
	if (to != NULL)
		memcpy(to, &number, sizeof(number));
	return 0;
}

static int
take_key(struct parser *ps, struct span line)
{
	const char *eq = memchr(line.p, '=', line.n);
	char value[CONF_VALUE_MAX + 1];
	struct span name, rest;

	if (eq == NULL)
		return ops_fail(
		    ps->err, OPS_EFORMAT, "neither [section] nor key = value");
	name = trim((struct span){ line.p, (size_t)(eq - line.p) });
	rest = (struct span){ eq + 1, line.n - (size_t)(eq + 1 - line.p) };
	for (size_t i = 0; i < ps->n_keys; i++) {
		const struct conf_key *key = &ps->keys[i];

		if (!in_section(ps, key) || !equal(name, key->name))
			continue;
		if (ps->set_on[i] != 0)
			return ops_fail(ps->err, OPS_EFORMAT,
			    "%s is set already on line %u", key->name,
			    ps->set_on[i]);
		ps->set_on[i] = ps->line;
		if (take_value(ps, rest, value) == 0 &&
		    store(ps, key, value) == 0)
			return 0;
		return ops_context(ps->err, "%s", key->name);
	}
	return unknown_key(ps, name);
}

static int
take_line(struct parser *ps, struct span line)
{
	if (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	if (!ops_utf8_valid((const uint8_t *)line.p, line.n))
		return ops_fail(ps->err, OPS_EFORMAT, "not UTF-8");
	for (size_t i = 0; i < line.n; i++)
		if (((uint8_t)line.p[i] < 0x20 && line.p[i] != '\t') ||
		    line.p[i] == 0x7f)
			return ops_fail(
			    ps->err, OPS_EFORMAT, "control character");
	line = trim(line);
	if (line.n == 0 || line.p[0] == '#' || line.p[0] == ';')
		return 0;
	if (line.p[0] == '[')
		return take_section(ps, line);
	return take_key(ps, line);
}

/* A mistake: -1, or 0 if the rest is to be looked at all the same.  The first
 * one stays in the caller's err. */
static int
fault(struct parser *ps, struct ops_err *first, const struct ops_err *e)
{
	if (first->code == OPS_OK)
		*first = *e;
	if (ps->faults == NULL)
		return -1;
	ps->faults->say(ps->faults->arg, e->msg);
	return 0;
}

static int
take_all(struct parser *ps, const char *p, size_t n, struct ops_err *first)
{
	memset(ps->set_on, 0, sizeof(ps->set_on));
	ps->section = (struct span){ NULL, 0 };
	for (ps->line = 1; n > 0; ps->line++) {
		const char *nl = memchr(p, '\n', n);
		size_t len = nl != NULL ? (size_t)(nl - p) : n;

		ps->e = (struct ops_err){ 0 };
		ps->err = &ps->e;
		if (take_line(ps, (struct span){ p, len }) < 0) {
			ops_context(ps->err, "%s:%u", ps->file, ps->line);
			if (fault(ps, first, ps->err) < 0)
				break;
		}
		len += nl != NULL;
		p += len;
		n -= len;
	}
	ps->err = NULL;
	return first->code == OPS_OK ? 0 : -1;
}

int
conf_take(const struct conf_file *file, const struct conf_key *keys,
    size_t n_keys, void *ret, struct conf_place *places,
    const struct conf_faults *faults, struct ops_err *err)
{
	struct parser ps = {
		.file = file->name,
		.keys = keys,
		.n_keys = n_keys,
		.faults = faults,
	};
	struct ops_err e = { 0 };

	assert(n_keys <= CONF_KEYS_MAX);
	if (file->n > CONF_MAX) {
		ops_fail(&e, OPS_EFORMAT,
		    "%s: larger than the limit of %d bytes", file->name,
		    CONF_MAX);
		(void)fault(&ps, &e, &e);
	}
	/* Twice, so that a bad file changes nothing. */
	if (e.code != OPS_OK || take_all(&ps, file->p, file->n, &e) < 0) {
		if (err != NULL)
			*err = e;
		return -1;
	}
	ps.ret = ret;
	(void)take_all(&ps, file->p, file->n, &e);
	for (size_t i = 0; i < n_keys && places != NULL; i++)
		if (ps.set_on[i] != 0)
			places[i] =
			    (struct conf_place){ file->number, ps.set_on[i] };
	return 0;
}

int
conf_parse(const char *file, const char *p, size_t n,
    const struct conf_key *keys, size_t n_keys, void *ret, struct ops_err *err)
{
	const struct conf_file f = { file, 1, p, n };

	return conf_take(&f, keys, n_keys, ret, NULL, NULL, err);
}
