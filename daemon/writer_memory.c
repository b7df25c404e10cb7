#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "record/walbatch.h"
#include "writer_role.h"

void
memory_short(struct writer_role *r)
{
	if (r->short_since != 0)
		return;
	r->short_since = ops_boottime();
	/* At once, but not in the middle of a message: one allocation that
	 * failed is no state. */
	loop_timer_set(r->memory.fd, 1, 0);
}

void
memory_look(struct writer_role *r)
{
	/* As much as the writer may need at once.  Volatile, or the compiler
	 * knows that nobody uses it and asks for none. */
	void *volatile p = malloc(WAL_BATCH_MAX);

	if (p != NULL)
		r->short_since = 0;
	else
		loop_timer_set(r->memory.fd, MEMORY_AGAIN, 0);
	free(p);
}

void
memory_status(const struct writer_role *r, struct writer_status *ret)
{
	writer_status(r->w, ret);
	if (ret->state != WRITER_OK || r->short_since == 0)
		return;
	ret->state = WRITER_FAILED;
	ret->since = r->short_since;
	snprintf(ret->reason, sizeof(ret->reason), "out of memory");
}
