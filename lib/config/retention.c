#include "retention.h"

#include <stdlib.h>
#include <string.h>

int
retention_free_parse(
    const char *text, uint64_t total, uint64_t *ret, struct ops_err *err)
{
	static const char units[] = "KMGT";
	size_t digits = strspn(text, "0123456789");
	const char *unit = text + digits;
	const char *at;
	uint64_t n;

	if (text[0] == '\0') {
		*ret = 0;
		return 0;
	}
	/* 15 digits fit, whatever they are. */
	if (digits == 0 || digits > 15 || (unit[0] != '\0' && unit[1] != '\0'))
		goto bad;
	n = strtoull(text, NULL, 10);
	at = unit[0] != '\0' ? strchr(units, unit[0]) : NULL;
	if (unit[0] == '%' && n <= 90)
		n = total / 100 * n;
	else if (at != NULL && n < 1 << 20)
		n <<= 10 * (at - units + 1);
	else if (unit[0] != '\0')
		goto bad;
	*ret = n;
	return 0;
bad:
	return ops_fail(err, OPS_EFORMAT,
	    "\"%.60s\" is neither a size (a number, then K, M, G or "
	    "T) nor a part of the disk (0%% to 90%%)",
	    text);
}
