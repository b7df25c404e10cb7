#include "journal.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

static bool
is_key(const char *key)
{
	size_t n = strlen(key);

	if (n == 0 || n > JOURNAL_KEY_MAX || key[0] < 'A' || key[0] > 'Z')
		return false;
	return strspn(key, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == n;
}

void
journal_put(struct ops_buf *out, const char *key, const void *value, size_t n)
{
	assert(is_key(key));
	ops_buf_puts(out, key);
	if (n > 0 && memchr(value, '\n', n) != NULL) {
		ops_buf_put8(out, '\n');
		ops_buf_putle64(out, n);
	} else {
		ops_buf_put8(out, '=');
	}
	ops_buf_put(out, value, n);
	ops_buf_put8(out, '\n');
}

void
journal_puts(struct ops_buf *out, const char *key, const char *value)
{
	journal_put(out, key, value, strlen(value));
}
