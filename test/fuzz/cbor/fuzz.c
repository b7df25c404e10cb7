/*
 * cbor - any bytes: the reader stays inside them, and what it takes is what
 * the writer makes of it again, byte for byte.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "record/cbor.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool ok)
{
	if (!ok)
		abort();
}

/* Read one item and write it again.  False: refused. */
static bool
copy_item(struct cbor_reader *r, struct ops_buf *out, unsigned depth)
{
	uint64_t last = UINT64_MAX, key;
	struct cbor_item item;

	if (depth == 0 || cbor_next(r, &item, NULL) < 0)
		return false;
	switch (item.kind) {
	case CBOR_UINT:
		cbor_put_uint(out, item.value);
		return true;
	case CBOR_BYTES:
		cbor_put_bytes(out, item.p, item.n);
		return true;
	case CBOR_TEXT:
		cbor_put_text(out, item.p, item.n);
		return true;
	case CBOR_ARRAY:
		cbor_put_array(out, item.value);
		break;
	case CBOR_MAP:
		cbor_put_map(out, item.value);
		break;
	}
	for (uint64_t i = 0; i < item.value; i++) {
		if (item.kind == CBOR_MAP) {
			if (cbor_map_key(r, &last, &key, NULL) < 0)
				return false;
			cbor_put_uint(out, key);
		}
		if (!copy_item(r, out, depth - 1))
			return false;
	}
	return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cbor_reader skip = { data, size };
	struct cbor_reader copy = { data, size };
	struct ops_buf out = { .max = size + 16 };
	bool taken = cbor_skip(&skip, NULL) == 0;

	must(skip.p >= data && skip.p + skip.n == data + size);
	must(taken || skip.p == data);
	must(copy_item(&copy, &out, 8) == taken);
	if (taken) {
		must(copy.p == skip.p && !out.failed);
		must(out.len == size - skip.n);
		must(memcmp(out.data, data, out.len) == 0);
	}
	ops_buf_free(&out);
	return 0;
}
