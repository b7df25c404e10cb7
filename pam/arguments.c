#include "arguments.h"

#include <stdlib.h>
#include <string.h>

#include "installed.h"

/* What is behind "name=", or NULL. */
static const char *
value(const char *arg, const char *name)
{
	size_t n = strlen(name);

	return strncmp(arg, name, n) == 0 && arg[n] == '=' ? arg + n + 1 : NULL;
}

static bool
is_path(const char *s, const char **ret)
{
	if (s == NULL || s[0] != '/')
		return false;
	*ret = s;
	return true;
}

static bool
is_seconds(const char *s, unsigned *ret)
{
	char *end;
	unsigned long v;

	if (s == NULL || s[0] < '0' || s[0] > '9')
		return false;
	v = strtoul(s, &end, 10);
	if (*end != '\0' || v == 0 || v > ARGUMENTS_TIMEOUT_MAX)
		return false;
	*ret = (unsigned)v;
	return true;
}

static bool
take(struct arguments *a, const char *arg)
{
	if (strcmp(arg, "required") == 0) {
		a->required = true;
		return true;
	}
	return is_path(value(arg, "run"), &a->run) ||
	       is_path(value(arg, "people"), &a->people) ||
	       is_seconds(value(arg, "timeout"), &a->timeout);
}

int
arguments_read(
    int argc, const char **argv, struct arguments *ret, struct ops_err *err)
{
	struct arguments a = { .run = "/run/opseal",
		.people = OPSEAL_SYSCONFDIR "/people",
		.timeout = ARGUMENTS_TIMEOUT };
	int rc = 0;

	for (int i = 0; i < argc; i++)
		if (!take(&a, argv[i]))
			rc = ops_fail(err, OPS_EUSAGE,
			    "argument \"%.60s\" is ignored; known are run=DIR, "
			    "people=FILE, timeout=SECONDS (1 to %d), required",
			    argv[i], ARGUMENTS_TIMEOUT_MAX);
	*ret = a;
	return rc;
}
