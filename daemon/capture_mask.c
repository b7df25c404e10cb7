#include "capture_mask.h"

#include <ctype.h>
#include <string.h>

#include "base/bytes.h"
#include "base/crypto.h"
#include "mask_grammar.h"

#define HASH_SHOWN 6 /* bytes */
/* However long an argument is, looking at it takes time in proportion: names, words
 * and the search for a word before have an end. */
#define NAME_LONGEST 128
#define WORD_LONGEST 255
#define WORDS_BEFORE 16
#define BUNDLE_LONGEST 16
#define TOKEN_SHORTEST 20 /* as a URL's user */

/* -- letters -- */

enum letter {
	BLANK = 1,   /* ends a word */
	BREAK = 2,   /* a word begins behind it */
	VALUE = 4,   /* a value may begin behind it */
	NO_NAME = 8, /* stands in no name */
	ENDS = 16,   /* a command of a shell's line ends with it */
	QUOTE = 32,
	ARROW = 128,
	TOKEN = 64, /* of the texts that prefix knows */
};

/* clang-format off */
static const uint8_t letters[256] = {
	['\t'] = BLANK | NO_NAME, ['\n'] = BLANK | NO_NAME | ENDS,
	['\r'] = BLANK | NO_NAME, [' '] = BLANK | NO_NAME,
	['\''] = BREAK | NO_NAME | QUOTE, ['"'] = BREAK | NO_NAME | QUOTE,
	[';'] = BREAK | NO_NAME | ENDS, ['|'] = BREAK | NO_NAME | ENDS,
	['('] = BREAK | NO_NAME | ENDS, ['`'] = BREAK | NO_NAME | ENDS,
	['&'] = BREAK | VALUE | NO_NAME | ENDS, [')'] = NO_NAME,
	['{'] = NO_NAME, ['}'] = NO_NAME, ['<'] = NO_NAME | ARROW, ['>'] = NO_NAME | ARROW,
	[','] = VALUE | NO_NAME, ['?'] = VALUE | NO_NAME, [':'] = VALUE,
	['='] = VALUE | TOKEN, ['/'] = VALUE | TOKEN, ['@'] = VALUE,
	['-'] = TOKEN, ['.'] = TOKEN, ['_'] = TOKEN, ['~'] = TOKEN, ['+'] = TOKEN,
};
/* clang-format on */

static bool
is(uint8_t c, unsigned kinds)
{
	return (letters[c] & kinds) != 0;
}

static bool
is_token(uint8_t c)
{
	return isalnum(c) || is(c, TOKEN);
}

/* -- what is looked at -- */

/* One argument, and what is known where it is looked at. */
struct look {
	const struct mask *m;
	const uint8_t *p; /* the argument */
	size_t n;
	bool shell; /* it is a command line, of words */
	bool last;  /* of the arguments */
	/* Whose options these are; it is in the same bytes as p, before it. */
	const uint8_t *program;
	size_t program_n;
	unsigned kinds; /* of the rules that name it */
	bool begins;    /* the next word is a program */
	uint8_t quote;  /* of the command line, that is open; or 0 */
	bool next;      /* the next word or argument is a secret */
	char from;      /* behind this in it; 0: all of it */
};

static size_t
word_length(const uint8_t *p, size_t n)
{
	size_t i = 0;

	n = n < WORD_LONGEST ? n : WORD_LONGEST;
	while (i < n && p[i] != '\0' && !is(p[i], BLANK | QUOTE | ENDS))
		i++;
	return i;
}

/* Where a value ends that begins at `at`: with its quote, its word, or, of an
 * argument that is no command line, with that. */
static size_t
end_of(const struct look *l, size_t at, bool whole)
{
	uint8_t quote = at < l->n ? l->p[at] : 0;
	size_t i = at;

	if (whole && !l->shell)
		return l->n;
	if (is(quote, QUOTE)) {
		for (i++; i < l->n && l->p[i] != quote; i++)
			continue;
		return i < l->n ? i + 1 : i;
	}
	while (i < l->n && !is(l->p[i], BLANK | QUOTE))
		i++;
	return i;
}

/* Up to one of these two, or where the word ends. */
static size_t
end_before(const struct look *l, size_t at, uint8_t a, uint8_t b)
{
	while (at < l->n && l->p[at] != a && l->p[at] != b &&
	       !is(l->p[at], BLANK | QUOTE))
		at++;
	return at;
}

/* -- the program -- */

static const uint8_t *
base_name(const uint8_t *p, size_t *n)
{
	const uint8_t *slash = *n > 0 ? memrchr(p, '/', *n) : NULL;

	if (slash == NULL)
		return p;
	*n -= (size_t)(slash + 1 - p);
	return slash + 1;
}

static unsigned
kinds_in(const struct mask_program *r, const uint8_t *p, size_t n)
{
	unsigned kinds = 0;

	for (; r != NULL; r = r->next)
		if (mask_fits(p, n, r->pattern, r->n))
			kinds |= r->kinds;
	return kinds;
}

/* What rules call it by its name. */
static unsigned
kinds_of(const struct mask *m, const uint8_t *p, size_t n)
{
	return n > 0 ? kinds_in(m->programs[mask_fold(p[0])], p, n) : 0;
}

static void
set_program(struct look *l, const uint8_t *p, size_t n)
{
	l->program = base_name(p, &n);
	l->program_n = n;
	l->kinds = kinds_of(l->m, l->program, n) |
		   kinds_in(l->m->programs[0], l->program, n);
}

/* Is one of the words behind the program, before `at`, this one, or an option with
 * this letter?  Only of the first ones. */
static bool
said_before(
    const struct look *l, size_t at, const char *want, size_t n, char letter)
{
	const uint8_t *p = l->program + l->program_n, *end = l->p + at;

	for (unsigned i = 0; p < end && i < WORDS_BEFORE; i++) {
		size_t k = word_length(p, (size_t)(end - p));

		if (letter != '\0' && k > 1 && p[0] == '-' && p[1] != '-' &&
		    memchr(p + 1, letter, k - 1) != NULL)
			return true;
		if (letter == '\0' && mask_fits(p, k, want, n))
			return true;
		p += k + 1;
	}
	return false;
}

/* Is the rule for the program, at `at` in its arguments? */
static bool
is_for(const struct look *l, const struct mask_rule *r, size_t at)
{
	const char *p = r->programs;

	for (;;) {
		size_t n = strcspn(p, ","), name = strcspn(p, "+,");

		if (mask_fits(l->program, l->program_n, p, name) &&
		    (name == n ||
			said_before(l, at, p + name + 1, n - name - 1, '\0')))
			return true;
		if (p[n] == '\0')
			return false;
		p += n + 1;
	}
}

static const struct mask_rule *
rules_of(const struct look *l, enum mask_kind kind)
{
	return (l->kinds & MASK_BIT(kind)) != 0 ? l->m->rules[kind] : NULL;
}

/* May the word be the value of an option of the program's, right before it? */
static bool
behind_option(const struct look *l, size_t at)
{
	const uint8_t *begin = l->program + l->program_n, *end = l->p + at, *p;

	while (end > begin && (end[-1] == '\0' || is(end[-1], BLANK | QUOTE)))
		end--;
	p = end;
	while (p > begin && p[-1] != '\0' && !is(p[-1], BLANK | QUOTE) &&
	       end - p < WORD_LONGEST)
		p--;
	return p < end && *p == '-' && (end - p != 2 || p[1] != '-') &&
	       memchr(p, '=', (size_t)(end - p)) == NULL;
}

/* May the words at `at` be another program and its arguments? */
static bool
runs_another(const struct look *l, size_t at)
{
	const struct mask_rule *r = rules_of(l, MASK_RUNS);

	while (r != NULL &&
	       ((r->image && behind_option(l, at)) || !is_for(l, r, at)))
		r = r->next;
	return r != NULL;
}

/* This word may be the program that the next are for. */
static void
note_word(struct look *l, size_t at)
{
	size_t n = word_length(l->p + at, l->n - at), k = n;
	const uint8_t *name;

	if (n == 0 || l->p[at] == '-')
		return;
	if (l->begins && memchr(l->p + at, '=', n) == NULL) {
		set_program(l, l->p + at, n);
		l->begins = false;
	} else if (!l->begins && (l->kinds & MASK_BIT(MASK_RUNS)) != 0) {
		name = base_name(l->p + at, &k);
		if (kinds_of(l->m, name, k) != 0 && runs_another(l, at))
			set_program(l, l->p + at, n);
	}
}

/* Quotes of a command line, and where commands end in it. */
static void
note_letter(struct look *l, uint8_t c)
{
	if (!l->shell || !is(c, QUOTE | ENDS))
		return;
	if (is(c, ENDS))
		l->begins = l->begins || l->quote == 0;
	else if (l->quote == 0)
		l->quote = c;
	else if (l->quote == c)
		l->quote = 0;
}

/* -- what is a secret -- */

struct secret {
	size_t from, end;
};

static bool
found(size_t from, size_t end, struct secret *ret)
{
	*ret = (struct secret){ from, end };
	return from < end;
}

/* Of the value at `at`, what is behind the letter `from`, if there is one. */
static bool
take(const struct look *l, size_t at, bool whole, char from, struct secret *ret)
{
	size_t n = l->n - at < WORD_LONGEST ? l->n - at : WORD_LONGEST,
	       begin = at;
	const uint8_t *sign;

	if (from != '\0') {
		sign = memchr(l->p + at, from, n);
		if (sign == NULL)
			return false;
		begin = (size_t)(sign + 1 - l->p);
	}
	return found(begin, end_of(l, at, whole), ret);
}

/* Up to `stop` ('=', or 0: the word's end); 0: that is no name. */
static size_t
name_length(const struct look *l, size_t at, uint8_t stop)
{
	size_t n = l->n - at < NAME_LONGEST ? l->n - at : NAME_LONGEST, i = 0;

	while (i < n && l->p[at + i] != stop && !is(l->p[at + i], NO_NAME))
		i++;
	return i;
}

/* The n bytes of a name begin with `dashes` of them. */
static bool
is_plain(const struct look *l, size_t at, size_t n, size_t dashes)
{
	const struct mask_rule *r = rules_of(l, MASK_PLAIN);

	for (; r != NULL; r = r->next) {
		size_t skip = r->text[0] == '-' ? 0 : dashes;

		if (mask_fits(l->p + at + skip, n - skip, r->text, r->n) &&
		    is_for(l, r, at))
			return true;
	}
	return false;
}

/* Dashes before the name are no part of it.  whole: nor is anything else, for which
 * a pattern's first '*' might stand. */
static bool
is_name(
    const struct look *l, enum mask_kind kind, size_t at, size_t n, bool whole)
{
	const struct mask_rule *r = l->m->rules[kind];
	size_t dashes = 0;

	while (dashes < 2 && dashes < n && l->p[at + dashes] == '-')
		dashes++;
	for (; r != NULL; r = r->next) {
		size_t skip = whole && r->text[0] == '*';

		if (mask_fits(l->p + at + dashes, n - dashes, r->text + skip,
			r->n - skip))
			return !is_plain(l, at, n, dashes);
	}
	return false;
}

static void
await(struct look *l, char from)
{
	l->next = true;
	l->from = from;
}

/* --NAME=VALUE, --NAME VALUE; with one dash, which may be letters, all of NAME. */
static bool
at_option(struct look *l, size_t at, struct secret *ret)
{
	size_t name = at + (at + 1 < l->n && l->p[at + 1] == '-' ? 2 : 1);
	size_t n = name_length(l, name, '='), i = name + n;
	const struct mask_rule *r = rules_of(l, MASK_LONG);
	char from = '\0';

	while (r != NULL && (!mask_fits(l->p + name, n, r->text, r->n) ||
				name == at + 1 || !is_for(l, r, at)))
		r = r->next;
	if (n == 0 ||
	    (r == NULL && !is_name(l, MASK_OPTION, at, i - at, name == at + 1)))
		return false;
	if (r != NULL)
		from = r->from;
	if (i < l->n && l->p[i] == '=')
		return take(l, i + 1, at == 0, from, ret);
	if (i == l->n || is(l->p[i], BLANK))
		await(l, from);
	return false;
}

/* May it stand before another letter, and has no value? */
static bool
is_flag(const struct look *l, size_t at, uint8_t c)
{
	const struct mask_rule *r = rules_of(l, MASK_FLAGS);

	while (r != NULL &&
	       (memchr(r->text, c, r->n) == NULL || !is_for(l, r, at)))
		r = r->next;
	return r != NULL;
}

/* -LETTERVALUE, -LETTER VALUE, with flags before it. */
static bool
at_short(struct look *l, size_t at, struct secret *ret)
{
	for (size_t i = at + 1; i < l->n && i < at + BUNDLE_LONGEST; i++) {
		const struct mask_rule *r = rules_of(l, MASK_SHORT);

		while (r != NULL &&
		       ((uint8_t)r->letter != l->p[i] || !is_for(l, r, at)))
			r = r->next;
		if (r != NULL && i + 1 < l->n && !is(l->p[i + 1], BLANK))
			return take(l, i + 1, at == 0, r->from, ret);
		if (r != NULL && r->in_next)
			await(l, r->from);
		if (r != NULL || !is_flag(l, at, l->p[i]))
			return false;
	}
	return false;
}

/* NAME=VALUE: a word, an element of a list, of a URL's query, or a value. */
static bool
at_assignment(const struct look *l, size_t at, struct secret *ret)
{
	uint8_t before = at > 0 ? l->p[at - 1] : 0;
	size_t n = name_length(l, at, '='), from = at + n + 1, end;

	if (n == 0 || from > l->n || l->p[from - 1] != '=' ||
	    !is_name(l, MASK_ASSIGN, at, n, false))
		return false;
	if (before == ',')
		end = end_before(l, from, ',', ',');
	else if (before == '?' || before == '&')
		end = end_before(l, from, '&', '#');
	else
		end = end_of(l, from, at == 0 || before == '=');
	return found(from, end, ret);
}

/* The word behind a NAME of the program's. */
static void
look_behind(struct look *l, size_t at)
{
	const struct mask_rule *r = rules_of(l, MASK_BEHIND);
	size_t n = r != NULL ? word_length(l->p + at, l->n - at) : 0;

	while (r != NULL &&
	       (!mask_fits(l->p + at, n, r->text, r->n) || !is_for(l, r, at)))
		r = r->next;
	if (r != NULL)
		await(l, '\0');
}

/* NAME and a letter before it, in a word that is no option: user/secret. */
static bool
at_bare(const struct look *l, size_t at, struct secret *ret)
{
	const struct mask_rule *r = rules_of(l, MASK_BARE);

	for (; r != NULL && (!l->begins || at == 0); r = r->next) {
		size_t n = name_length(l, at, (uint8_t)r->from), end,
		       from = at + n + 1;
		const uint8_t *name = l->p + at, *stop = NULL;

		if (n == 0 || from >= l->n || name[n] != (uint8_t)r->from ||
		    l->p[from] == '@' || memchr(name, '@', n) != NULL ||
		    (memchr(name, '=', n) != NULL &&
			memchr(r->text, '=', r->n) == NULL) ||
		    !mask_fits(name, n, r->text, r->n) || !is_for(l, r, at))
			continue;
		end = end_of(l, from, at == 0);
		if (r->to != '\0' && !is(l->p[from], QUOTE))
			stop = memrchr(l->p + from, r->to, end - from);
		return found(
		    from, stop != NULL ? (size_t)(stop - l->p) : end, ret);
	}
	return false;
}

/* Is this word the last of its command? */
static bool
is_last(const struct look *l, size_t end)
{
	while (end < l->n && (l->p[end] == ' ' || l->p[end] == '\t'))
		end++;
	if (end == l->n)
		return l->shell || l->last;
	if (end + 1 < l->n && isdigit(l->p[end]) && is(l->p[end + 1], ARROW))
		end++; /* 2>file */
	return l->shell && is(l->p[end], NO_NAME);
}

static bool
at_last(const struct look *l, size_t at, struct secret *ret)
{
	const struct mask_rule *r = rules_of(l, MASK_LAST);
	size_t end = l->n;

	if (r == NULL || l->begins || l->p[at] == '-' || is(l->p[at], ARROW) ||
	    (at + 1 < l->n && is(l->p[at + 1], ARROW)))
		return false;
	if (at > 0 || l->shell)
		end = at + word_length(l->p + at, l->n - at);
	/* No word: else each of many blanks would look at all behind it. */
	if (end == at || !is_last(l, end))
		return false;
	while (r != NULL && (!is_for(l, r, at) ||
				(r->letter != '\0' &&
				    !said_before(l, at, NULL, 0, r->letter))))
		r = r->next;
	return r != NULL && found(at, end, ret);
}

/* "NAME": "VALUE", at the first quote; quotes may have a backslash each. */
static bool
at_json(const struct look *l, size_t at, struct secret *ret)
{
	uint8_t quote = l->p[at];
	size_t name = at + 1, n = name_length(l, name, '\\'), i = name + n;
	bool slash = i < l->n && l->p[i] == '\\', quoted;

	i += slash;
	if (n == 0 || i >= l->n || l->p[i] != quote)
		return false;
	for (i++; i < l->n && is(l->p[i], BLANK) && i < name + NAME_LONGEST;
	     i++)
		continue;
	if (i >= l->n || l->p[i] != ':' ||
	    !is_name(l, MASK_ASSIGN, name, n, false))
		return false;
	for (i++; i < l->n && is(l->p[i], BLANK); i++)
		continue;
	i += slash && i < l->n && l->p[i] == '\\';
	if (i >= l->n || l->p[i] == '{' || l->p[i] == '[')
		return false;
	quoted = l->p[i] == quote;
	i += quoted;
	ret->from = i;
	while (i < l->n &&
	       (quoted ? l->p[i] != quote
		       : !is(l->p[i], BLANK | QUOTE) && l->p[i] != ',' &&
			     l->p[i] != '}' && l->p[i] != ']'))
		/* A quote behind a backslash is of the value, unless all are. */
		i += !slash && l->p[i] == '\\' && i + 1 < l->n ? 2 : 1;
	ret->end = i - (slash && quoted && l->p[i - 1] == '\\');
	return ret->from < ret->end;
}

/* Up to where a prefix's word goes that begins at `at`, and what follows at `from`:
 * all of an argument, also one that seems to be a command line, and of quotes. */
static size_t
end_of_prefixed(const struct look *l, size_t at, size_t from)
{
	const uint8_t *quote;

	if (at == 0)
		return l->n;
	if (l->quote == 0 || l->p[at - 1] != l->quote)
		return end_of(l, from, false);
	quote = memchr(l->p + from, l->quote, l->n - from);
	return quote != NULL ? (size_t)(quote - l->p) : l->n;
}

/* Looks no further than `stop`, as in a URL each of many would look at all. */
static bool
at_prefix(const struct look *where, size_t at, size_t stop, struct secret *ret)
{
	const struct mask_rule *r = where->m->prefix[where->p[at]];
	struct look begin = *where, *l = &begin;

	l->n = stop;

	for (; r != NULL; r = r->next) {
		size_t from = at + r->n, i = from;

		if (l->n - at <= r->n || memcmp(l->p + at, r->text, r->n) != 0)
			continue;
		if (r->word && !is(l->p[from], BLANK))
			i = end_of_prefixed(l, at, from);
		while (!r->word && i < l->n && is_token(l->p[i]))
			i++;
		if (i - from >= r->min)
			return found(from, i, ret);
	}
	return false;
}

/* The user of a URL, up to `end`, if it is a token and not a name: by its length.
 * One that is known by how it begins is found by that. */
static bool
at_user(const struct look *l, size_t user, size_t end, struct secret *ret)
{
	return end - user >= TOKEN_SHORTEST &&
	       memchr(l->p + user, '?', end - user) == NULL &&
	       memchr(l->p + user, '#', end - user) == NULL &&
	       !at_prefix(l, user, end, ret) && found(user, end, ret);
}

/* scheme://user:password@host, at its scheme. */
static bool
at_url(const struct look *l, size_t at, struct secret *ret)
{
	size_t i = at, colon = 0, sign = 0, user;

	while (i < l->n && i < at + NAME_LONGEST &&
	       (isalnum(l->p[i]) || l->p[i] == '+'))
		i++;
	if (i == at || l->n - i < 3 || memcmp(l->p + i, "://", 3) != 0)
		return false;
	user = i + 3;
	for (i = user;
	     i < l->n && !is(l->p[i], BLANK | QUOTE) && l->p[i] != '/'; i++) {
		if (l->p[i] == ':' && colon == 0)
			colon = i;
		if (l->p[i] == '@')
			sign = i; /* the last one is it */
	}
	if (sign == 0)
		return false;
	if (colon == 0 || colon > sign)
		return at_user(l, user, sign, ret);
	if (colon + 1 == sign)
		return at_user(l, user, colon, ret);
	if (at_prefix(l, user, sign, ret))
		return found(ret->from, sign, ret); /* token:x-oauth-basic@ */
	return found(colon + 1, sign, ret);
}

/* To the end of the line, and of the quotes that it is in. */
static size_t
end_of_line(const struct look *l, size_t at)
{
	while (at < l->n && l->p[at] != '\n' &&
	       (l->quote == 0 || l->p[at] != l->quote))
		at++;
	return at;
}

static bool
at_text(const struct look *l, size_t at, struct secret *ret)
{
	const struct mask_rule *r = l->m->after[mask_fold(l->p[at])];

	for (; r != NULL; r = r->next) {
		size_t from = at + r->n;

		if (l->n - at <= r->n ||
		    !mask_fits(l->p + at, r->n, r->text, r->n))
			continue;
		if (is((uint8_t)r->text[r->n - 1], QUOTE)) {
			from--;
		} else if (l->quote != 0 && l->p[from] == l->quote) {
			/* The end of the quotes that TEXT is in. */
			from++;
			if (from == l->n || is(l->p[from], BLANK | ENDS))
				continue;
		}
		if (found(from,
			r->line ? end_of_line(l, from) : end_of(l, from, false),
			ret))
			return true;
	}
	return false;
}

/* The one before said that this is a secret: unless it is an option, too. */
static bool
is_awaited(struct look *l, size_t at, struct secret *ret)
{
	if (!l->next || is(l->p[at], BLANK))
		return false;
	l->next = false;
	if (l->n - at > 2 && l->p[at] == '-' && l->p[at + 1] == '-')
		return false;
	return take(l, at, true, l->from, ret);
}

static bool
at_word(struct look *l, size_t at, struct secret *ret)
{
	if (is_awaited(l, at, ret))
		return true;
	if (l->p[at] == '-') {
		if (at_option(l, at, ret) || at_short(l, at, ret))
			return true;
	} else if (at_bare(l, at, ret)) {
		return true;
	}
	if (!is(l->p[at], BLANK))
		look_behind(l, at);
	return at_last(l, at, ret);
}

/* Does what stands here say that a secret follows?  From where to where. */
static bool
secret_at(struct look *l, size_t at, struct secret *ret)
{
	uint8_t before = at > 0 ? l->p[at - 1] : ' ';
	bool word = is(before, BLANK | BREAK);

	if (word && at_word(l, at, ret))
		return true;
	if (l->m->after[mask_fold(l->p[at])] != NULL && at_text(l, at, ret))
		return true;
	if (is(l->p[at], QUOTE) && at_json(l, at, ret))
		return true;
	if (!word && !is(before, VALUE))
		return false;
	return at_prefix(l, at, l->n, ret) ||
	       (l->m->rules[MASK_URL] != NULL && at_url(l, at, ret)) ||
	       (before != ':' && before != '/' && before != '@' &&
		   at_assignment(l, at, ret));
}

/* -- replacing -- */

static void
put_mask(const struct mask *m, const uint8_t *p, size_t n, struct ops_buf *out)
{
	uint8_t mac[OPS_HASH_LEN];

	ops_hmac_sha256(m->key, MASK_KEY, p, n, mac);
	ops_buf_printf(out, "[masked %zu ", n);
	for (size_t i = 0; i < HASH_SHOWN; i++)
		ops_buf_printf(out, "%02x", mac[i]);
	ops_buf_puts(out, "]");
}

static size_t
mask_one(struct look *l, struct ops_buf *out)
{
	size_t at = 0, copied = 0, count = 0;
	struct secret s;

	while (at < l->n) {
		uint8_t before = at > 0 ? l->p[at - 1] : ' ', c = l->p[at];

		if (!is(before, BLANK | BREAK | VALUE) &&
		    !is(c, QUOTE | ENDS) && l->m->after[mask_fold(c)] == NULL) {
			at++;
			continue;
		}
		if (!secret_at(l, at, &s)) {
			if (is(before, BLANK | BREAK))
				note_word(l, at);
			note_letter(l, c);
			at++;
			continue;
		}
		for (; at < s.from; at++)
			note_letter(l, l->p[at]);
		ops_buf_put(out, l->p + copied, s.from - copied);
		put_mask(l->m, l->p + s.from, s.end - s.from, out);
		count++;
		copied = at = s.end;
		l->next = false; /* that was it */
	}
	ops_buf_put(out, l->p + copied, l->n - copied);
	return count;
}

/* A shell's command line in one argument, as behind -c, or for ssh(1): words,
 * and not an option or an assignment whose value has spaces. */
static bool
is_command_line(const uint8_t *p, size_t n, bool after_c)
{
	size_t i = 0;

	while (i < n && !is(p[i], BLANK) && p[i] != '=')
		i++;
	return after_c || (i < n && p[i] != '=' && p[0] != '-');
}

size_t
mask_args(const struct mask *m, const uint8_t *p, size_t n, struct ops_buf *out)
{
	size_t first = strnlen((const char *)p, n), count = 0;
	struct look l = { .m = m };
	struct look begun;
	bool after_c = false;

	set_program(&l, p, first);
	ops_buf_put(out, p, first < n ? first + 1 : n);
	for (size_t at = first + 1; at < n; at += l.n + 1) {
		const uint8_t *nul = memchr(p + at, 0, n - at);

		l.p = p + at;
		l.n = nul != NULL ? (size_t)(nul - l.p) : n - at;
		l.last = at + l.n + 1 >= n;
		/* A secret that is awaited is all of its argument. */
		l.shell = !l.next && is_command_line(l.p, l.n, after_c);
		l.begins = l.shell;
		l.quote = 0;
		begun = l;
		count += mask_one(&l, out);
		if (nul != NULL)
			ops_buf_put8(out, 0);
		if (l.shell) {
			l.program = begun.program;
			l.program_n = begun.program_n;
			l.kinds = begun.kinds;
		}
		after_c = l.n > 1 && l.p[0] == '-' && l.p[1] != '-' &&
			  l.p[l.n - 1] == 'c';
		/* An empty one may be the secret that was awaited. */
		l.next = l.next && l.n > 0;
	}
	return count;
}
