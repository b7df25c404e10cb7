/*
 * record - any bytes: each record taken is encoded to the same bytes again,
 * a cut of it asks for more, and joining parts never gives more than went in.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "record/parts.h"
#include "record/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool ok)
{
	if (!ok)
		abort();
}

static void
check_record(const uint8_t *p, size_t used, const struct record *r)
{
	uint8_t again[RECORD_MAX];
	struct ops_err err = { 0 };
	struct record cut;
	size_t n = p[used - 1] % used;

	must(used <= RECORD_MAX && r->payload + r->len == p + used);
	must(record_type_class(r->type) != 0);
	must(record_encode(r, again) == used);
	must(memcmp(again, p, used) == 0);
	must(record_decode(p, n, &cut, &err) == -1 && err.code == OPS_ETRUNC);
}

/* A thing that was joined is cut into the parts it may have come from. */
static void
check_joined(const struct record *whole)
{
	struct ops_buf out = { .max = 1u << 22 };
	struct parts j = { .payload = { .max = 1u << 22 } };
	struct record r, again = { 0 };
	size_t at = 0;
	long n;
	int rc = 0;

	must(whole->flags == 0);
	n = parts_put(&out, whole, NULL);
	must(n > 0 && (size_t)n == parts_count(whole->type, whole->len));
	for (; n > 0; n--) {
		long used =
		    record_decode(out.data + at, out.len - at, &r, NULL);

		must(used > 0 && rc == 0);
		at += (size_t)used;
		rc = parts_join(&j, &r, &again, NULL);
	}
	must(rc == 1 && at == out.len && again.len == whole->len);
	must(again.len == 0 ||
	     memcmp(again.payload, whole->payload, again.len) == 0);
	parts_free(&j);
	ops_buf_free(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct parts j = { .payload = { .max = 1u << 20 } };
	struct record r, whole;
	size_t at = 0;

	while (at < size) {
		long used = record_decode(data + at, size - at, &r, NULL);

		if (used < 0)
			break;
		if (used == 0)
			abort();
		check_record(data + at, (size_t)used, &r);
		if (parts_join(&j, &r, &whole, NULL) == 1) {
			must(whole.len <= size);
			check_joined(&whole);
		}
		at += (size_t)used;
	}
	parts_free(&j);
	return 0;
}
