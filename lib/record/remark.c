#include "remark.h"

#include "base/bytes.h"
#include "body.h"

/* clang-format off */
static const struct map_field fields[] = {
	{ 1, MAP_UINT, MAP_AT(remark, kind) },
	{ 2, MAP_UINT, MAP_AT(remark, uid) },
	{ 3, MAP_UINT, MAP_AT(remark, auid) },
	{ 4, MAP_UINT, MAP_AT(remark, pid) },
	{ 5, MAP_UINT, MAP_AT(remark, start) },
	{ 6, MAP_UINT, MAP_AT(remark, realtime) },
	{ 7, MAP_VIEW, offsetof(struct remark, text), REMARK_TEXT_MAX },
};
/* clang-format on */

void
remark_put(struct ops_buf *b, const uint8_t id[static OPS_ID_LEN],
    const struct remark *r)
{
	body_put(b, id, fields, OPS_ARRAY_LEN(fields), r);
}

int
remark_get(const uint8_t *p, size_t n, struct remark *ret, struct ops_err *err)
{
	struct remark r, got;

	if (body_get(p, n, fields, OPS_ARRAY_LEN(fields), &r, sizeof(r), &got,
		err) < 0)
		return -1;
	if (got.kind != REMARK_REASON && got.kind != REMARK_NOTE)
		return ops_fail(
		    err, OPS_EFORMAT, "note: of kind %u", (unsigned)got.kind);
	if (got.text.p == NULL ? got.kind != REMARK_REASON : got.text.n == 0)
		return ops_fail(err, OPS_EFORMAT, "note: without words");
	*ret = got;
	return 0;
}
