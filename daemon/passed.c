#include "passed.h"

#include <string.h>

/* All of it is decimal digits.  0 or -1. */
static int
number(const char *s, uint64_t *ret)
{
	uint64_t v = 0;

	if (*s == '\0')
		return -1;
	for (; *s != '\0'; s++)
		if (*s < '0' || *s > '9' || __builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*s - '0'), &v))
			return -1;
	*ret = v;
	return 0;
}

static int
take_names(const char *names, struct passed *p, struct ops_err *err)
{
	for (size_t i = 0; i < p->n; i++) {
		size_t len = strcspn(names, ":");

		if (len == 0 || len > PASSED_NAME_MAX)
			return ops_fail(err, OPS_EUSAGE,
			    "LISTEN_FDNAMES: no name for socket %zu of %zu",
			    i + 1, p->n);
		memcpy(p->name[i], names, len);
		p->name[i][len] = '\0';
		names += len;
		if (*names == ':')
			names++;
	}
	if (*names != '\0')
		return ops_fail(err, OPS_EUSAGE,
		    "LISTEN_FDNAMES names more than the %zu sockets", p->n);
	return 0;
}

int
passed_sockets_parse(const char *pid, const char *fds, const char *names,
    pid_t self, struct passed *ret, struct ops_err *err)
{
	struct passed p = { 0 };
	uint64_t v;

	if (pid == NULL || fds == NULL) {
		*ret = p;
		return 0;
	}
	if (number(pid, &v) < 0)
		return ops_fail(err, OPS_EUSAGE, "LISTEN_PID is no number");
	if (v != (uint64_t)self) {
		*ret = p;
		return 0;
	}
	if (number(fds, &v) < 0 || v > PASSED_MAX)
		return ops_fail(err, OPS_EUSAGE,
		    "LISTEN_FDS is no number up to %d", PASSED_MAX);
	p.n = (size_t)v;
	if (take_names(names != NULL ? names : "", &p, err) < 0)
		return -1;
	*ret = p;
	return 0;
}

uint64_t
passed_watchdog_parse(const char *usec, const char *pid, pid_t self)
{
	uint64_t v;

	if (usec == NULL)
		return 0;
	if (pid != NULL && (number(pid, &v) < 0 || v != (uint64_t)self))
		return 0;
	if (number(usec, &v) < 0 || __builtin_mul_overflow(v, 1000, &v))
		return 0;
	return v;
}
