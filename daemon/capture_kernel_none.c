/* capture_kernel of a build with -Dcapture=disabled. */
#include "capture_kernel.h"

#include <assert.h>

int
kernel_open(
    const struct kernel_wants *wants, struct kernel **ret, struct ops_err *err)
{
	(void)wants;
	*ret = NULL;
	return ops_fail(err, OPS_EUNAVAIL,
	    "this opseald was built without it (-Dcapture=disabled)");
}

void
kernel_close(struct kernel *k)
{
	assert(k == NULL);
}

/* There is no struct kernel, so nobody can call these. */

const char *
kernel_how(const struct kernel *k)
{
	(void)k;
	assert(false);
	return "";
}

int
kernel_fd(const struct kernel *k)
{
	(void)k;
	assert(false);
	return -1;
}

void
kernel_detach(struct kernel *k)
{
	(void)k;
	assert(false);
}

size_t
kernel_read(struct kernel *k, struct order *o, size_t room)
{
	(void)k, (void)o, (void)room;
	assert(false);
	return 0;
}

void
kernel_count(const struct kernel *k, struct kernel_counts *ret)
{
	(void)k, (void)ret;
	assert(false);
}
