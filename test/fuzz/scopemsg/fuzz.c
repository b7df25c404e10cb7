/* scopemsg - what systemd answers, in pieces: once there is an answer, more bytes don't
 * change it; and what is said is never longer than it may be. */
#include "../fuzz.h"

#include <string.h>

#include "scopemsg.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum scopemsg_answer before = SCOPEMSG_MORE;
	struct ops_buf b = { .max = 2 * SCOPEMSG_MAX };
	char text[SCOPEMSG_MAX + 1];
	size_t n = size < SCOPEMSG_MAX ? size : SCOPEMSG_MAX;
	const struct scopemsg m = { .unit = text,
		.about = "",
		.slice = text,
		.after = "",
		.before = "" };

	for (size_t i = 0; i <= size && i < 512; i++) {
		enum scopemsg_answer now = scopemsg_heard(data, i);

		REQUIRE(before == SCOPEMSG_MORE || now == before);
		before = now;
	}
	for (size_t i = 0; i < n; i++)
		text[i] = (char)(data[i] != 0 ? data[i] : 1);
	text[n] = '\0';
	scopemsg_put(&b, &m);
	REQUIRE(b.failed || b.len <= SCOPEMSG_MAX + 64);
	ops_buf_free(&b);
	return 0;
}
