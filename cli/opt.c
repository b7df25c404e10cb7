#include "opt.h"

#include <assert.h>
#include <getopt.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define LONG_ONLY 256 /* first value for options without a letter */
#define WORD_MAX 32
#define NEAR 2 /* edits that a misspelt word may be away */

/* Levenshtein distance; words over WORD_MAX are far from everything. */
static size_t
distance(const char *a, const char *b)
{
	size_t n = strlen(a), m = strlen(b), row[WORD_MAX + 1];

	if (n > WORD_MAX || m > WORD_MAX)
		return WORD_MAX;
	for (size_t j = 0; j <= m; j++)
		row[j] = j;
	for (size_t i = 1; i <= n; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= m; j++) {
			size_t best = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[m];
}

const char *
opt_nearest(const char *name, const char *const *words, size_t n)
{
	const char *best = NULL;
	size_t best_distance = NEAR + 1;

	for (size_t i = 0; i < n; i++) {
		size_t d = distance(name, words[i]);

		/* A word that was begun is meant, too. */
		if (strlen(name) >= 2 &&
		    strncmp(name, words[i], strlen(name)) == 0)
			d = 1;
		if (d < best_distance && d < strlen(words[i])) {
			best = words[i];
			best_distance = d;
		}
	}
	return best;
}

/* Both tables as getopt_long(3) wants them. */
struct getopt_table {
	const struct opt *row[OPT_MAX];
	void *values[OPT_MAX];
	size_t n;
	struct option longs[OPT_MAX + 1];
	char shorts[2 * OPT_MAX + 3];
};

static int
row_value(const struct getopt_table *t, size_t i)
{
	return t->row[i]->letter != 0 ? t->row[i]->letter : LONG_ONLY + (int)i;
}

static void
build_table(struct getopt_table *t, const struct opt_set set[2], bool in_order)
{
	char *s = t->shorts;

	if (in_order)
		*s++ = '+';
	*s++ = ':';
	for (size_t k = 0; k < 2; k++) {
		for (const struct opt *o = set[k].opts;
		     o != NULL && o->name != NULL; o++) {
			assert(t->n < OPT_MAX);
			t->row[t->n] = o;
			t->values[t->n] = set[k].values;
			t->longs[t->n] = (struct option){
				.name = o->name,
				.has_arg = o->kind == OPT_FLAG
					       ? no_argument
					       : required_argument,
				.val = row_value(t, t->n),
			};
			if (o->letter != 0) {
				*s++ = o->letter;
				if (o->kind != OPT_FLAG)
					*s++ = ':';
			}
			t->n++;
		}
	}
	*s = '\0';
}

static int
parse_number(const struct opt *o, const char *s, void *at, struct ops_err *err)
{
	char *end;

	if (o->kind == OPT_COUNT) {
		unsigned long v = strtoul(s, &end, 10);

		if (s[0] < '0' || s[0] > '9' || *end != '\0' || v == 0 ||
		    v > UINT32_MAX)
			return ops_fail(err, OPS_EUSAGE,
			    "--%s: \"%s\" is no number above 0", o->name, s);
		*(unsigned *)at = (unsigned)v;
	} else {
		double v = strtod(s, &end);

		if (s[0] < '0' || s[0] > '9' || *end != '\0' ||
		    !(v >= 0 && v <= 1000))
			return ops_fail(err, OPS_EUSAGE,
			    "--%s: \"%s\" is no number from 0 to 1000", o->name,
			    s);
		*(double *)at = v;
	}
	return 0;
}

static int
store_item(const struct opt *o, struct opt_list *list, const char *s,
    struct ops_err *err)
{
	if (*s == '\0')
		return ops_fail(err, OPS_EUSAGE, "--%s: it is empty", o->name);
	if (list->n == OPT_LIST_MAX)
		return ops_fail(err, OPS_EUSAGE, "--%s: over %d of them",
		    o->name, OPT_LIST_MAX);
	list->v[list->n++] = s;
	return 0;
}

static int
store_value(
    const struct opt *o, void *values, const char *s, struct ops_err *err)
{
	void *at = (char *)values + o->offset;
	struct ops_clock now;
	int rc = 0;

	switch (o->kind) {
	case OPT_FLAG:
		*(bool *)at = true;
		break;
	case OPT_ONCE:
		if (*(const char **)at != NULL) {
			rc = ops_fail(err, OPS_EUSAGE,
			    "--%s is given twice; only one can be read at a "
			    "time",
			    o->name);
			break;
		}
		*(const char **)at = s;
		break;
	case OPT_TEXT:
		/* "$NAME" of a script, where NAME isn't set. */
		if (*s == '\0')
			rc = ops_fail(
			    err, OPS_EUSAGE, "--%s: it is empty", o->name);
		*(const char **)at = s;
		break;
	case OPT_LIST:
		rc = store_item(o, at, s, err);
		break;
	case OPT_COUNT:
	case OPT_SPEED:
		rc = parse_number(o, s, at, err);
		break;
	case OPT_TIME:
		ops_clock_read(&now);
		rc = ops_time_parse(s, now.realtime, at, err);
		if (rc < 0)
			ops_context(err, "--%s", o->name);
		break;
	case OPT_DURATION:
		rc = ops_duration_parse(s, at, err);
		if (rc < 0)
			ops_context(err, "--%s", o->name);
		break;
	}
	if (rc == 0 && o->seen != 0)
		*(bool *)((char *)values + o->seen) = true;
	return rc < 0 ? -1 : 0;
}

static const struct opt *
find_value(const struct getopt_table *t, int value, void **values)
{
	for (size_t i = 0; i < t->n; i++) {
		if (row_value(t, i) == value) {
			*values = t->values[i];
			return t->row[i];
		}
	}
	return NULL;
}

static int
bad_option(const struct getopt_table *t, char **argv, struct ops_err *err)
{
	const char *words[OPT_MAX], *near, *word;
	char name[WORD_MAX + 1];
	void *values;
	const struct opt *o;

	/* A known one that was given an argument, or a letter. */
	if (optopt != 0) {
		o = find_value(t, optopt, &values);
		if (o != NULL)
			return ops_fail(err, OPS_EUSAGE,
			    "option --%s takes no argument", o->name);
		return ops_fail(err, OPS_EUSAGE, "unknown option -%c", optopt);
	}
	word = argv[optind - 1];
	while (*word == '-')
		word++;
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(word, "="), word);
	for (size_t i = 0; i < t->n; i++)
		words[i] = t->row[i]->name;
	near = opt_nearest(name, words, t->n);
	if (near != NULL)
		return ops_fail(err, OPS_EUSAGE,
		    "unknown option --%s; did you mean --%s?", name, near);
	return ops_fail(err, OPS_EUSAGE, "unknown option --%s", name);
}

int
opt_parse(int argc, char **argv, const struct opt_set set[2], bool in_order,
    int *rest, struct ops_err *err)
{
	struct getopt_table t = { .n = 0 };
	const struct opt *o;
	void *values;
	int c;

	build_table(&t, set, in_order);
	opterr = 0;
	optind = 0; /* glibc: start afresh */
	while ((c = getopt_long(argc, argv, t.shorts, t.longs, NULL)) != -1) {
		if (c == '?')
			return bad_option(&t, argv, err);
		o = find_value(&t, c == ':' ? optopt : c, &values);
		assert(o != NULL);
		if (c == ':')
			return ops_fail(err, OPS_EUSAGE, "option --%s needs %s",
			    o->name, o->arg);
		if (store_value(o, values, optarg, err) < 0)
			return -1;
	}
	*rest = optind;
	return 0;
}

void
opt_help(FILE *out, const struct opt *opts)
{
	for (const struct opt *o = opts; o != NULL && o->name != NULL; o++) {
		char left[64];

		snprintf(left, sizeof(left), "%c%c%s --%s%s%s",
		    o->letter != 0 ? '-' : ' ',
		    o->letter != 0 ? o->letter : ' ',
		    o->letter != 0 ? "," : " ", o->name,
		    o->arg != NULL ? " " : "", o->arg != NULL ? o->arg : "");
		fprintf(out, "  %-28s %s\n", left, o->help);
	}
}
