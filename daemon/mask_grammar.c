#include "mask_grammar.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

const char mask_default_rules[] = {
#include "mask_default.h"
};

#define DEFAULT_NAME "the rules of opseald"

/* -- patterns -- */

uint8_t
mask_fold(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return (uint8_t)(c - 'A' + 'a');
	return c == '_' ? '-' : c;
}

static bool
same(const uint8_t *p, const char *s, size_t n)
{
	while (n > 0 && mask_fold(p[n - 1]) == mask_fold((uint8_t)s[n - 1]))
		n--; /* from behind: most are told apart by their last letter */
	return n == 0;
}

bool
mask_fits(const uint8_t *p, size_t n, const char *pattern, size_t k)
{
	const char *star;
	size_t head;

	if (k > 0 && pattern[k - 1] != '*' &&
	    (n == 0 || !same(p + n - 1, pattern + k - 1, 1)))
		return false; /* as most of them */
	star = memchr(pattern, '*', k);
	head = star != NULL ? (size_t)(star - pattern) : k;
	if (star == NULL)
		return n == k && same(p, pattern, k);
	if (n < head || !same(p, pattern, head))
		return false;
	p += head;
	n -= head;
	while (star != NULL) {
		const char *text = star + 1, *stop = pattern + k;
		size_t m = (size_t)(stop - text);

		star = memchr(text, '*', m);
		if (star == NULL)
			return n >= m && same(p + n - m, text, m);
		m = (size_t)(star - text);
		while (n >= m && !same(p, text, m)) {
			p++;
			n--;
		}
		if (n < m)
			return false;
		p += m;
		n -= m;
	}
	return true;
}

/* -- a rule's place -- */

static int
no_memory(struct ops_err *err)
{
	return ops_fail(err, OPS_ENOMEM, "rules of masking: no memory");
}

static int
index_program(struct mask *m, const char *p, size_t n, enum mask_kind kind,
    struct ops_err *err)
{
	size_t name = strcspn(p, "+,") < n ? strcspn(p, "+,") : n;
	uint8_t first = p[0] == '*' ? 0 : mask_fold((uint8_t)p[0]);
	struct mask_program **at = &m->programs[first], *new;

	if (name == 0)
		return ops_fail(err, OPS_EFORMAT, "a program without a name");
	for (; *at != NULL; at = &(*at)->next)
		if ((*at)->n == name && memcmp((*at)->pattern, p, name) == 0) {
			(*at)->kinds |= MASK_BIT(kind);
			return 0;
		}
	new = calloc(1, sizeof(*new));
	if (new == NULL)
		return no_memory(err);
	*new = (struct mask_program){
		.pattern = p, .n = name, .kinds = MASK_BIT(kind)
	};
	*at = new;
	return 0;
}

static int
index_programs(struct mask *m, const struct mask_rule *r, struct ops_err *err)
{
	const char *p = r->programs;

	while (p != NULL) {
		size_t n = strcspn(p, ",");

		if (index_program(m, p, n, r->kind, err) < 0)
			return -1;
		p = p[n] == ',' ? p + n + 1 : NULL;
	}
	return 0;
}

static void
free_rule(struct mask_rule *r)
{
	free(r->programs);
	free(r->text);
	free(r);
}

struct words {
	const char *p, *end;
};

/* Add a copy of r with these programs (NULL: none) and this text. */
static int
add(struct mask *m, const struct mask_rule *r, struct words programs,
    struct words text, struct ops_err *err)
{
	struct mask_rule *new = malloc(sizeof(*new)), **at = &m->rules[r->kind];

	if (new == NULL)
		return no_memory(err);
	*new = *r;
	new->n = (size_t)(text.end - text.p);
	new->text = strndup(text.p != NULL ? text.p : "", new->n);
	if (programs.p != NULL)
		new->programs =
		    strndup(programs.p, (size_t)(programs.end - programs.p));
	if (new->text == NULL ||
	    (programs.p != NULL && new->programs == NULL)) {
		free_rule(new);
		return no_memory(err);
	}
	if (r->kind == MASK_AFTER)
		at = &m->after[mask_fold((uint8_t) new->text[0])];
	if (r->kind == MASK_PREFIX)
		at = &m->prefix[(uint8_t) new->text[0]];
	while (*at != NULL)
		at = &(*at)->next;
	*at = new;
	return index_programs(m, new, err);
}

/* -- reading rules -- */

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* The next word of a line; p == end: there is none. */
static struct words
word(struct words *line)
{
	struct words w;

	while (line->p < line->end && is_blank(*line->p))
		line->p++;
	w.p = line->p;
	while (line->p < line->end && !is_blank(*line->p))
		line->p++;
	w.end = line->p;
	return w;
}

static bool
is(struct words w, const char *s)
{
	size_t n = (size_t)(w.end - w.p);

	return n == strlen(s) && memcmp(w.p, s, n) == 0;
}

static bool
is_letter(struct words w)
{
	return w.end - w.p == 1;
}

static const struct words nothing = { NULL, NULL };

/* KIND [PROGRAMS] WORD..., a rule each. */
static int
add_words(struct mask *m, enum mask_kind kind, bool of_programs,
    struct words line, struct ops_err *err)
{
	const struct mask_rule r = { .kind = kind };
	struct words programs = of_programs ? word(&line) : nothing, w;
	size_t count = 0;

	for (w = word(&line); w.p < w.end; w = word(&line), count++)
		if (add(m, &r, programs, w, err) < 0)
			return -1;
	if (count > 0)
		return 0;
	return ops_fail(
	    err, OPS_EFORMAT, of_programs ? "a program and a name" : "no name");
}

/* [next] [from C], to the end of the line. */
static int
add_value(struct mask *m, struct mask_rule *r, struct words programs,
    struct words name, struct words line, struct ops_err *err)
{
	struct words w = word(&line);

	if (r->kind == MASK_SHORT && is(w, "next")) {
		r->in_next = true;
		w = word(&line);
	}
	if (is(w, "from")) {
		w = word(&line);
		if (!is_letter(w))
			return ops_fail(err, OPS_EFORMAT, "from: a character");
		r->from = *w.p;
		w = word(&line);
	}
	if (w.p < w.end)
		return ops_fail(
		    err, OPS_EFORMAT, "more than \"next\" and \"from C\"");
	return add(m, r, programs, name, err);
}

static int
add_short(struct mask *m, struct words line, struct ops_err *err)
{
	struct mask_rule r = { .kind = MASK_SHORT };
	struct words programs = word(&line), letter = word(&line);

	if (!is_letter(letter))
		return ops_fail(err, OPS_EFORMAT, "a program and a letter");
	r.letter = *letter.p;
	return add_value(m, &r, programs, letter, line, err);
}

static int
add_long(struct mask *m, struct words line, struct ops_err *err)
{
	struct mask_rule r = { .kind = MASK_LONG };
	struct words programs = word(&line), name = word(&line);

	if (name.p == name.end)
		return ops_fail(err, OPS_EFORMAT, "a program and a name");
	return add_value(m, &r, programs, name, line, err);
}

static int
add_bare(struct mask *m, struct words line, struct ops_err *err)
{
	struct mask_rule r = { .kind = MASK_BARE };
	struct words programs = word(&line), name = word(&line),
		     from = word(&line), c = word(&line), w = word(&line);

	if (!is(from, "from") || !is_letter(c))
		return ops_fail(
		    err, OPS_EFORMAT, "a program, a name and \"from C\"");
	r.from = *c.p;
	if (is(w, "to")) {
		w = word(&line);
		if (!is_letter(w))
			return ops_fail(err, OPS_EFORMAT, "to: a character");
		r.to = *w.p;
		w = word(&line);
	}
	if (w.p < w.end)
		return ops_fail(
		    err, OPS_EFORMAT, "more than \"from C\" and \"to C\"");
	return add(m, &r, programs, name, err);
}

static int
add_last(struct mask *m, struct words line, struct ops_err *err)
{
	struct mask_rule r = { .kind = MASK_LAST };
	struct words programs = word(&line), letter = word(&line);

	if (programs.p == programs.end ||
	    (letter.p < letter.end && !is_letter(letter)) ||
	    word(&line).p < line.end)
		return ops_fail(
		    err, OPS_EFORMAT, "a program, and at most a letter");
	if (letter.p < letter.end)
		r.letter = *letter.p;
	return add(m, &r, programs, nothing, err);
}

static int
add_runs(struct mask *m, struct words line, struct ops_err *err)
{
	struct mask_rule r = { .kind = MASK_RUNS };
	struct words programs = word(&line), w = word(&line);

	r.image = is(w, "image");
	if (r.image)
		w = word(&line);
	if (programs.p == programs.end || w.p < w.end)
		return ops_fail(err, OPS_EFORMAT,
		    "programs, with commas between, and at most \"image\"");
	return add(m, &r, programs, nothing, err);
}

static int
add_after(struct mask *m, bool to_end, struct words line, struct ops_err *err)
{
	const struct mask_rule r = { .kind = MASK_AFTER, .line = to_end };

	while (line.p < line.end && is_blank(*line.p))
		line.p++;
	if (line.p == line.end)
		return ops_fail(err, OPS_EFORMAT, "no text");
	return add(m, &r, nothing, line, err);
}

static int
add_prefix(struct mask *m, struct words line, struct ops_err *err)
{
	struct mask_rule r = { .kind = MASK_PREFIX };
	struct words text = word(&line), min = word(&line), w = word(&line);

	for (const char *p = min.p; p < min.end && r.min < 10000; p++) {
		if (*p < '0' || *p > '9') {
			r.min = 0;
			break;
		}
		r.min = 10 * r.min + (size_t)(*p - '0');
	}
	if (text.p == text.end || r.min == 0)
		return ops_fail(err, OPS_EFORMAT, "a text and a number");
	r.word = is(w, "word");
	if (w.p < w.end && !r.word)
		return ops_fail(
		    err, OPS_EFORMAT, "more than a number and \"word\"");
	return add(m, &r, nothing, text, err);
}

static int
add_url(struct mask *m, struct words line, struct ops_err *err)
{
	const struct mask_rule r = { .kind = MASK_URL };

	if (word(&line).p < line.end)
		return ops_fail(err, OPS_EFORMAT, "url stands alone");
	return add(m, &r, nothing, nothing, err);
}

static int add_text(struct mask *m, const char *name, struct words text,
    bool may_include, struct ops_err *err);

static int
include(struct mask *m, struct words line, bool may, struct ops_err *err)
{
	const struct words ours = { mask_default_rules,
		mask_default_rules + strlen(mask_default_rules) };

	if (!may || !is(word(&line), "default") || word(&line).p < line.end)
		return ops_fail(
		    err, OPS_EFORMAT, "what can be included is \"default\"");
	return add_text(m, DEFAULT_NAME, ours, false, err);
}

static int
add_line(
    struct mask *m, struct words line, bool may_include, struct ops_err *err)
{
	struct words w;

	if (memchr(line.p, '\0', (size_t)(line.end - line.p)) != NULL)
		return ops_fail(err, OPS_EFORMAT, "a NUL in it");
	w = word(&line);
	if (w.p == w.end || *w.p == '#')
		return 0;
	if (is(w, "option"))
		return add_words(m, MASK_OPTION, false, line, err);
	if (is(w, "assign"))
		return add_words(m, MASK_ASSIGN, false, line, err);
	if (is(w, "plain"))
		return add_words(m, MASK_PLAIN, true, line, err);
	if (is(w, "behind"))
		return add_words(m, MASK_BEHIND, true, line, err);
	if (is(w, "flags"))
		return add_words(m, MASK_FLAGS, true, line, err);
	if (is(w, "short"))
		return add_short(m, line, err);
	if (is(w, "long"))
		return add_long(m, line, err);
	if (is(w, "bare"))
		return add_bare(m, line, err);
	if (is(w, "last"))
		return add_last(m, line, err);
	if (is(w, "runs"))
		return add_runs(m, line, err);
	if (is(w, "after") || is(w, "line"))
		return add_after(m, is(w, "line"), line, err);
	if (is(w, "prefix"))
		return add_prefix(m, line, err);
	if (is(w, "url"))
		return add_url(m, line, err);
	if (is(w, "include"))
		return include(m, line, may_include, err);
	return ops_fail(err, OPS_EFORMAT, "no such rule");
}

static int
add_text(struct mask *m, const char *name, struct words text, bool may_include,
    struct ops_err *err)
{
	unsigned number = 0;

	while (text.p < text.end) {
		const char *nl =
		    memchr(text.p, '\n', (size_t)(text.end - text.p));
		struct words line = { text.p, nl != NULL ? nl : text.end };

		number++;
		if (line.end > line.p && line.end[-1] == '\r')
			line.end--;
		if (add_line(m, line, may_include, err) < 0)
			return ops_context(err, "%s, line %u", name, number);
		text.p = nl != NULL ? nl + 1 : text.end;
	}
	return 0;
}

int
mask_new(const char *name, const char *rules, size_t n, struct mask **ret,
    struct ops_err *err)
{
	struct mask *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return ops_fail(err, OPS_ENOMEM, "rules of masking: no memory");
	if (add_text(m, name, (struct words){ rules, rules + n }, true, err) <
	    0) {
		mask_free(m);
		return -1;
	}
	*ret = m;
	return 0;
}

static void
free_rules(struct mask_rule *r)
{
	while (r != NULL) {
		struct mask_rule *next = r->next;

		free_rule(r);
		r = next;
	}
}

void
mask_free(struct mask *m)
{
	struct mask_program *p;

	if (m == NULL)
		return;
	for (size_t i = 0; i < MASK_KINDS; i++)
		free_rules(m->rules[i]);
	for (size_t i = 0; i < 256; i++) {
		free_rules(m->after[i]);
		free_rules(m->prefix[i]);
		while ((p = m->programs[i]) != NULL) {
			m->programs[i] = p->next;
			free(p);
		}
	}
	ops_wipe(m, sizeof(*m));
	free(m);
}

void
mask_key(struct mask *m, const uint8_t key[static MASK_KEY])
{
	memcpy(m->key, key, MASK_KEY);
}
