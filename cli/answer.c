#include "answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "record/record.h"

#define NUMBER_LEN 8
#define MISSING_LEN 20 /* of a C_END that tells of some, without its text */

int
answer_failed(const uint8_t *p, size_t n, struct ops_err *err)
{
	if (n < 1 || p[0] == OPS_OK || p[0] > OPS_EUNAVAIL)
		return ops_fail(
		    err, OPS_EFORMAT, "the daemon's answer makes no sense");
	return ops_fail(err, (enum ops_code)p[0], "%.*s", (int)(n - 1),
	    (const char *)p + 1);
}

static int
add_name(
    struct vfs_names *names, const char *name, size_t n, struct ops_err *err)
{
	char **grown, *copy;

	/* It becomes a part of a path. */
	if (n == 0 || memchr(name, '/', n) != NULL || strcmp(name, ".") == 0 ||
	    strcmp(name, "..") == 0)
		return ops_fail(err, OPS_EFORMAT, "not a file's name");
	if (names->n == ANSWER_NAMES_MAX)
		return ops_fail(
		    err, OPS_EFORMAT, "over %d names", ANSWER_NAMES_MAX);
	grown = realloc(names->name, (names->n + 1) * sizeof(*names->name));
	if (grown == NULL)
		return ops_fail(err, OPS_ENOMEM, "names: no memory");
	names->name = grown;
	copy = strdup(name);
	if (copy == NULL)
		return ops_fail(err, OPS_ENOMEM, "names: no memory");
	grown[names->n++] = copy;
	return 0;
}

int
answer_names(
    struct vfs_names *names, const uint8_t *p, size_t n, struct ops_err *err)
{
	if (n == 0 || p[n - 1] != 0)
		return ops_fail(err, OPS_EFORMAT, "names without an end");
	for (size_t at = 0; at < n;) {
		const char *name = (const char *)p + at;
		size_t len = strlen(name);

		if (add_name(names, name, len, err) < 0)
			return -1;
		at += len + 1;
	}
	return 0;
}

int
answer_sessions_end(const uint8_t *p, size_t n, size_t count,
    struct session_missing *ret, struct ops_err *err)
{
	struct session_missing m = { 0 };

	if (n < 4 || ops_getle32(p) != count)
		return ops_fail(
		    err, OPS_EFORMAT, "the daemon's list is not whole");
	if (n > 4 && n < MISSING_LEN)
		return ops_fail(
		    err, OPS_EFORMAT, "the end of the daemon's list");
	if (n > 4) {
		m.frames = ops_getle64(p + 4);
		m.of = ops_getle64(p + 12);
		snprintf(m.why, sizeof(m.why), "%.*s", (int)(n - MISSING_LEN),
		    (const char *)p + MISSING_LEN);
		if (m.frames == 0 || m.frames > m.of)
			return ops_fail(err, OPS_EFORMAT,
			    "the end of the daemon's list makes no sense");
	}
	*ret = m;
	return 0;
}

int
answer_tail(
    struct answer_tail *t, const uint8_t *p, size_t n, struct ops_err *err)
{
	uint64_t number, next;

	if (n < NUMBER_LEN)
		return ops_fail(err, OPS_EFORMAT, "records without a number");
	number = next = ops_getle64(p);
	if (t->begun && number != t->next)
		return ops_fail(err, OPS_EFORMAT, "records out of order");
	for (size_t at = NUMBER_LEN; at < n; next++) {
		struct record rec;
		long used = record_decode(p + at, n - at, &rec, err);

		if (used < 0)
			return ops_context(
			    err, "record %llu", (unsigned long long)next);
		if (next == UINT64_MAX)
			return ops_fail(
			    err, OPS_EFORMAT, "records beyond the last number");
		at += (size_t)used;
	}
	ops_buf_put(t->out, p + NUMBER_LEN, n - NUMBER_LEN);
	if (ops_buf_check(t->out, "unsealed records", err) < 0)
		return -1;
	if (!t->begun)
		t->first = number;
	t->begun = true;
	t->next = next;
	return 0;
}
