#include "import.h"

#include "base/bytes.h"
#include "map.h"

#define TEXT_AT(m) offsetof(struct import, m), EVENT_TEXT_MAX
#define HEAD_AT(m) offsetof(struct import, m), IMPORT_HEAD_MAX
#define TAIL_AT(m) offsetof(struct import, m), IMPORT_TAIL_MAX

/* clang-format off */
static const struct map_field fields[] = {
	{ 1,  MAP_UINT,  MAP_AT(import, format) },
	{ 2,  MAP_VIEW,  TEXT_AT(file) },
	{ 3,  MAP_UINT,  MAP_AT(import, size) },
	{ 4,  MAP_UINT,  MAP_AT(import, mtime) },
	{ 5,  MAP_BYTES, MAP_AT(import, sha256) },
	{ 6,  MAP_UINT,  MAP_AT(import, start), .has = MAP_HAS(import, has_start) },
	{ 7,  MAP_UINT,  MAP_AT(import, duration) },
	{ 8,  MAP_FLAG,  MAP_AT(import, untimed) },
	{ 9,  MAP_VIEW,  HEAD_AT(head) },
	{ 10, MAP_VIEW,  TAIL_AT(tail) },
	{ 11, MAP_VIEW,  TEXT_AT(timing) },
	{ 12, MAP_SOME,  MAP_AT(import, timing_sha256) },
	{ 13, MAP_FLAG,  MAP_AT(import, multi) },
	{ 14, MAP_VIEW,  HEAD_AT(timing_head) },
	{ 15, MAP_VIEW,  TAIL_AT(timing_tail) },
	{ 16, MAP_FLAG,  MAP_AT(import, both) },
};
/* clang-format on */

void
import_put(struct ops_buf *b, const struct import *i)
{
	map_put(b, fields, OPS_ARRAY_LEN(fields), i);
}

int
import_get(const uint8_t *p, size_t n, struct import *ret, struct ops_err *err)
{
	struct cbor_reader r = { p, n };
	struct import i = { 0 };

	if (map_get(&r, fields, OPS_ARRAY_LEN(fields), MAP_SKIP_UNKNOWN, &i,
		err) < 0 ||
	    cbor_end(&r, err) < 0) {
		/* It is whole: more bytes will not come. */
		if (err != NULL && err->code == OPS_ETRUNC)
			err->code = OPS_EFORMAT;
		return ops_context(err, "import");
	}
	*ret = i;
	return 0;
}
