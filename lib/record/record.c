#include "record.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"

/* What a payload of each type may measure, without the head of a part. */
struct rule {
	uint8_t class;
	uint16_t min, max;
};
#define ANY RECORD_PAYLOAD_MAX
/* clang-format off */
static const struct rule rules[UINT8_MAX + 1] = {
	[REC_OUTPUT]	    = { CLASS_SCREEN, 0, ANY },
	[REC_INPUT]	    = { CLASS_SCREEN, 0, ANY },
	[REC_MASKED]	    = { CLASS_SCREEN, 1, 1 },
	[REC_RESIZE]	    = { CLASS_SCREEN, 4, 4 },
	[REC_STOP]	    = { CLASS_SCREEN, 1, 1 },
	[REC_CONT]	    = { CLASS_SCREEN, 0, 0 },
	[REC_ECHO]	    = { CLASS_SCREEN, 1, 1 },
	[REC_GAP]	    = { CLASS_SCREEN, 24, 25 },
	[REC_EXIT]	    = { CLASS_SCREEN, 4, 4 },
	[REC_SESSION_OPEN]  = { CLASS_EVENTS, OPS_ID_LEN, ANY },
	[REC_SESSION_CLOSE] = { CLASS_EVENTS, OPS_ID_LEN, ANY },
	[REC_ACCESS]	    = { CLASS_EVENTS, OPS_ID_LEN, ANY },
	[REC_GAP_EVENT]	    = { CLASS_EVENTS, OPS_ID_LEN, ANY },
	[REC_BYPASS]	    = { CLASS_EVENTS, OPS_ID_LEN, ANY },
	[REC_DAEMON]	    = { CLASS_EVENTS, OPS_ID_LEN, ANY },
	[REC_LOGIN]	    = { CLASS_EVENTS, OPS_ID_LEN, ANY },
	[REC_LOGOUT]	    = { CLASS_EVENTS, OPS_ID_LEN, ANY },
	[REC_NOTE]	    = { CLASS_EVENTS, OPS_ID_LEN, ANY },
	[REC_CAPTURE]	    = { CLASS_PROGRAMS, OPS_ID_LEN, ANY },
	[REC_EXEC]	    = { CLASS_PROGRAMS, OPS_ID_LEN, ANY },
	[REC_ARGS]	    = { CLASS_PROGRAMS, OPS_ID_LEN, ANY },
	[REC_ENDED]	    = { CLASS_PROGRAMS, OPS_ID_LEN, ANY },
	[REC_FAILED]	    = { CLASS_PROGRAMS, OPS_ID_LEN, ANY },
	[REC_LOSS]	    = { CLASS_PROGRAMS, OPS_ID_LEN, ANY },
	[REC_ACCOUNTED]	    = { CLASS_PROGRAMS, OPS_ID_LEN, ANY },
	[REC_COVERAGE]	    = { CLASS_PROGRAMS, OPS_ID_LEN, ANY },
};
/* clang-format on */

const char *
stream_class_name(uint8_t class)
{
	static const char *const names[CLASSES] = {
		[CLASS_SCREEN] = "screen",
		[CLASS_EVENTS] = "events",
		[CLASS_PROGRAMS] = "programs",
	};

	return class < CLASSES && names[class] != NULL ? names[class] : "?";
}

uint8_t
record_type_class(uint8_t type)
{
	return rules[type].class;
}

size_t
record_encode(const struct record *r, uint8_t *out)
{
	assert(r->len <= RECORD_PAYLOAD_MAX);
	out[0] = r->type;
	out[1] = r->flags;
	ops_putle16(out + 2, (uint16_t)r->len);
	ops_putle64(out + 4, r->time);
	if (r->len > 0)
		memcpy(out + RECORD_HEADER, r->payload, r->len);
	return RECORD_HEADER + r->len;
}

/* May a record of this type and flags have a payload of len bytes? */
static int
check_len(uint8_t type, uint8_t flags, size_t len, struct ops_err *err)
{
	const struct rule *rule = &rules[type];
	size_t min = rule->min;

	if (flags & RECORD_PART)
		min += RECORD_PART_HEADER;
	if (len < min || len > rule->max)
		return ops_fail(err, OPS_EFORMAT,
		    "record of type %u: payload of %zu bytes", type, len);
	return 0;
}

/* The head of a part, as far as n bytes of payload are there. */
static int
check_part(const uint8_t *payload, size_t n, struct ops_err *err)
{
	unsigned part, parts;

	if (n < RECORD_PART_HEADER)
		return 0;
	part = ops_getle16(payload);
	parts = ops_getle16(payload + 2);
	if (parts < 2 || parts > RECORD_PARTS_MAX || part >= parts)
		return ops_fail(
		    err, OPS_EFORMAT, "record: part %u of %u", part, parts);
	return 0;
}

/* Whatever the n bytes at p already decide. */
static int
check_head(const uint8_t *p, size_t n, struct ops_err *err)
{
	if (n >= 1 && rules[p[0]].class == 0)
		return ops_fail(
		    err, OPS_EFORMAT, "record: unknown type %u", p[0]);
	if (n >= 2 && (p[1] & ~RECORD_PART) != 0)
		return ops_fail(
		    err, OPS_EFORMAT, "record: unknown flags 0x%02x", p[1]);
	/* What has a fixed size never needs parts. */
	if (n >= 2 && (p[1] & RECORD_PART) && rules[p[0]].max != ANY)
		return ops_fail(
		    err, OPS_EFORMAT, "record of type %u in parts", p[0]);
	if (n >= 4 && check_len(p[0], p[1], ops_getle16(p + 2), err) < 0)
		return -1;
	if (n >= RECORD_HEADER && (p[1] & RECORD_PART))
		return check_part(p + RECORD_HEADER, n - RECORD_HEADER, err);
	return 0;
}

long
record_decode(
    const uint8_t *p, size_t n, struct record *ret, struct ops_err *err)
{
	size_t len;

	if (check_head(p, n, err) < 0)
		return -1;
	if (n < RECORD_HEADER)
		return ops_fail(
		    err, OPS_ETRUNC, "record: header cut at %zu bytes", n);
	len = ops_getle16(p + 2);
	if (n - RECORD_HEADER < len)
		return ops_fail(err, OPS_ETRUNC,
		    "record: %zu of %zu bytes of payload", n - RECORD_HEADER,
		    len);
	ret->type = p[0];
	ret->flags = p[1];
	ret->time = ops_getle64(p + 4);
	ret->payload = p + RECORD_HEADER;
	ret->len = len;
	return (long)(RECORD_HEADER + len);
}
