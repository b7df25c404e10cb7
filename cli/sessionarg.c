#include "sessionarg.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define NUMBER_DIGITS 18

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Cut "@1:23" off name. */
static int
cut_offset(struct sessionarg *a, struct ops_err *err)
{
	char *at = strrchr(a->name, '@');

	if (at == NULL || (at[1] != '\0' && !is_digit(at[1])))
		return 0;
	if (ops_offset_parse(at + 1, &a->offset, err) < 0)
		return -1;
	a->has_offset = true;
	*at = '\0';
	return 0;
}

/* Cut ":3" off name. */
static int
cut_number(struct sessionarg *a, struct ops_err *err)
{
	char *colon = strrchr(a->name, ':');
	size_t n;

	if (colon == NULL)
		return 0;
	n = strspn(colon + 1, "0123456789");
	if (n == 0 || colon[1 + n] != '\0')
		return 0;
	a->number = strtoull(colon + 1, NULL, 10);
	if (n > NUMBER_DIGITS || a->number == 0)
		return ops_fail(err, OPS_EUSAGE, "commands are counted from 1");
	a->has_number = true;
	*colon = '\0';
	return 0;
}

int
sessionarg_parse(const char *s, struct sessionarg *ret, struct ops_err *err)
{
	struct sessionarg a = { .has_number = false };

	if (strlen(s) > SESSIONARG_NAME_MAX)
		return ops_fail(
		    err, OPS_EUSAGE, "the name of the session is too long");
	memcpy(a.name, s, strlen(s) + 1);
	if (cut_offset(&a, err) < 0 || cut_number(&a, err) < 0)
		return ops_context(err, "session \"%.60s\"", s);
	if (a.name[0] == '\0' || strcmp(a.name, "last:") == 0)
		return ops_fail(
		    err, OPS_EUSAGE, "session \"%.60s\": no name", s);
	*ret = a;
	return 0;
}
