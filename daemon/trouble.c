#include "trouble.h"

#include <string.h>

#include "base/io.h"

int
trouble_new(struct page *ret, struct ops_err *err)
{
	return page_new(ret, "opseald-trouble", TROUBLE_MAX, err);
}

void
trouble_say(struct page *page, const char *text)
{
	size_t n = strnlen(text, TROUBLE_MAX - 1);

	/* Who reads it at this moment finds a text that ends. */
	memset(page->p, 0, TROUBLE_MAX);
	memcpy(page->p, text, n);
}

bool
trouble_read(int fd, char out[static TROUBLE_MAX])
{
	if (ops_pread_full(fd, out, TROUBLE_MAX, 0, NULL) != TROUBLE_MAX)
		return false;
	out[TROUBLE_MAX - 1] = '\0';
	return out[0] != '\0';
}
