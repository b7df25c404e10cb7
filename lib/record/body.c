#include "body.h"

#include <string.h>

const uint8_t body_no_session[OPS_ID_LEN];

void
body_put(struct ops_buf *b, const uint8_t id[static OPS_ID_LEN],
    const struct map_field *f, size_t n, const void *from)
{
	ops_buf_put(b, id, OPS_ID_LEN);
	map_put(b, f, n, from);
}

int
body_get(const uint8_t *p, size_t n, const struct map_field *f, size_t n_fields,
    void *scratch, size_t size, void *to, struct ops_err *err)
{
	struct cbor_reader r;

	if (n < OPS_ID_LEN)
		return ops_fail(
		    err, OPS_EFORMAT, "event: %zu bytes, no session id", n);
	r = (struct cbor_reader){ p + OPS_ID_LEN, n - OPS_ID_LEN };
	memset(scratch, 0, size);
	if (map_get(&r, f, n_fields, MAP_SKIP_UNKNOWN, scratch, err) < 0 ||
	    cbor_end(&r, err) < 0) {
		/* The payload is whole: more bytes will not come. */
		if (err != NULL && err->code == OPS_ETRUNC)
			err->code = OPS_EFORMAT;
		return ops_context(err, "event");
	}
	memcpy(to, scratch, size);
	return 0;
}

int
body_session(const uint8_t *p, size_t n, uint8_t id[static OPS_ID_LEN],
    struct ops_err *err)
{
	if (n < OPS_ID_LEN)
		return ops_fail(
		    err, OPS_EFORMAT, "event: %zu bytes, no session id", n);
	memcpy(id, p, OPS_ID_LEN);
	return 0;
}
