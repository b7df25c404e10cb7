#include "page.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/io.h"

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010 /* Linux 5.1 */
#endif

int
page_new(struct page *ret, const char *name, size_t size, struct ops_err *err)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	void *p;

	if (fd < 0 || ftruncate(fd, (off_t)size) < 0) {
		ops_fail_errno(err, "memfd_create");
		goto fail;
	}
	p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED) {
		ops_fail_errno(err, "mmap");
		goto fail;
	}
	/* What is mapped already may go on writing. */
	if (fcntl(fd, F_ADD_SEALS,
		F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE |
		    F_SEAL_SEAL) < 0) {
		ops_fail_errno(err, "memfd seals");
		munmap(p, size);
		goto fail;
	}
	*ret = (struct page){ p, fd };
	return 0;
fail:
	if (fd >= 0)
		close(fd);
	return -1;
}
