#include "capture_env.h"

#include <string.h>

#define BETWEEN " \t,"

static bool
is_named(const char *list, const uint8_t *name, size_t n)
{
	while (*(list += strspn(list, BETWEEN)) != '\0') {
		size_t len = strcspn(list, BETWEEN);

		if (len == n && memcmp(list, name, n) == 0)
			return true;
		list += len;
	}
	return false;
}

void
env_keep(const char *list, const uint8_t *p, size_t n, struct ops_buf *out)
{
	const uint8_t *nul, *equals;

	while (n > 0 && (nul = memchr(p, 0, n)) != NULL) {
		size_t len = (size_t)(nul - p) + 1;

		equals = memchr(p, '=', len);
		if (equals != NULL && is_named(list, p, (size_t)(equals - p)))
			ops_buf_put(out, p, len);
		p += len;
		n -= len;
	}
}
