#include "report.h"

#include <assert.h>
#include <string.h>

size_t
report_room(const struct report *r)
{
	return sizeof(r->bytes) - 1 - r->n;
}

void
report_add(struct report *r, const char *p, size_t n)
{
	assert(n <= report_room(r));
	if (r->ready || n == 0)
		return;
	memcpy(r->bytes + r->n, p, n);
	r->n += n;
	r->bytes[r->n] = '\0';
	if (r->bytes[0] == ROLE_SAYS_READY)
		*r = (struct report){ .ready = true };
}

const char *
report_why(const struct report *r, enum ops_code *code)
{
	unsigned char said;

	if (r->n <= 2 || r->bytes[0] != ROLE_SAYS_ERROR)
		return NULL;
	said = (unsigned char)r->bytes[1];
	*code = OPS_EIO;
	if (said > OPS_OK && said <= OPS_EUNAVAIL)
		*code = (enum ops_code)said;
	return r->bytes + 2;
}
