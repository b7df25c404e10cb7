#include "offlook.h"

void
offlook(const char *store, struct offswitch *ret)
{
	struct vfs *v = NULL;

	if (vfs_dir_new(store, &v, NULL) < 0 ||
	    offswitch_read(v, ret, NULL) < 0)
		*ret = (struct offswitch){ .off = false };
	vfs_free(v);
}
