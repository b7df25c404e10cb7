#include "mask_rules.h"

#include <fcntl.h>

#include "base/io.h"

int
mask_rules_load(const struct config *c, struct mask **ret, struct ops_err *err)
{
	struct ops_buf text = { .max = MASK_RULES_MAX };
	const char *name = c->mask_rules;
	int rc = 0;

	*ret = NULL;
	if (!c->mask)
		return 0;
	if (name[0] != '\0')
		rc = ops_read_file(AT_FDCWD, name, OPS_IO_FOLLOW, &text, err);
	else
		ops_buf_puts(&text, mask_default_rules);
	if (rc == 0)
		rc = ops_buf_check(&text, "rules of masking", err);
	if (rc == 0)
		rc =
		    mask_new(name, (const char *)text.data, text.len, ret, err);
	ops_buf_free(&text);
	return rc < 0 ? ops_context(err, "mask_rules") : 0;
}
