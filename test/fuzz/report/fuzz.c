/*
 * report - a role says anything over its ready pipe, in any pieces.
 *
 * Cut anywhere, it is the same report as in one piece; who is ready stays it and
 * gives no reason; a reason is what stands behind its two bytes, up to a NUL,
 * with a code that there is; and never is more kept than there is room for.
 */
#include "../fuzz.h"

#include "report.h"

/* As the supervisor reads it: no more than it has room for, until it is full. */
static void
read_all(struct report *r, const uint8_t *p, size_t n, size_t piece)
{
	while (n > 0 && report_room(r) > 0) {
		size_t some = n < piece ? n : piece;

		if (some > report_room(r))
			some = report_room(r);
		report_add(r, (const char *)p, some);
		p += some;
		n -= some;
	}
	REQUIRE(n == 0 || !r->ready);
}

static void
check(const struct report *r, const uint8_t *p, size_t n)
{
	enum ops_code code = OPS_OK;
	const char *why = report_why(r, &code);
	size_t kept = n < ROLE_REPORT_MAX - 1 ? n : ROLE_REPORT_MAX - 1;

	REQUIRE(r->ready == (n > 0 && p[0] == ROLE_SAYS_READY));
	REQUIRE((why != NULL) == (kept > 2 && p[0] == ROLE_SAYS_ERROR));
	if (why == NULL) {
		REQUIRE(code == OPS_OK);
		return;
	}
	REQUIRE(code > OPS_OK && code <= OPS_EUNAVAIL);
	REQUIRE(code == p[1] || code == OPS_EIO);
	REQUIRE(strlen(why) <= kept - 2);
	REQUIRE(memcmp(why, p + 2, strlen(why)) == 0);
	REQUIRE(strlen(why) == kept - 2 || p[2 + strlen(why)] == '\0');
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t pieces[] = { 1, 2, 3, 7, 100, 511, 4096 };

	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		struct report r = { 0 };

		read_all(&r, data, size, pieces[i]);
		check(&r, data, size);
	}
	return 0;
}
