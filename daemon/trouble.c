#include "trouble.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/io.h"

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010 /* Linux 5.1 */
#endif

int
trouble_new(struct trouble *ret, struct ops_err *err)
{
	int fd =
	    memfd_create("opseald-trouble", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	void *p;

	if (fd < 0 || ftruncate(fd, TROUBLE_MAX) < 0) {
		ops_fail_errno(err, "memfd_create");
		goto fail;
	}
	p = mmap(NULL, TROUBLE_MAX, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED) {
		ops_fail_errno(err, "mmap");
		goto fail;
	}
	/* What is mapped already may go on writing. */
	if (fcntl(fd, F_ADD_SEALS,
		F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE |
		    F_SEAL_SEAL) < 0) {
		ops_fail_errno(err, "memfd seals");
		munmap(p, TROUBLE_MAX);
		goto fail;
	}
	*ret = (struct trouble){ p, fd };
	return 0;
fail:
	if (fd >= 0)
		close(fd);
	return -1;
}

void
trouble_say(struct trouble *t, const char *text)
{
	size_t n = strnlen(text, TROUBLE_MAX - 1);

	/* Who reads it at this moment finds a text that ends. */
	memset(t->text, 0, TROUBLE_MAX);
	memcpy(t->text, text, n);
}

bool
trouble_read(int fd, char out[static TROUBLE_MAX])
{
	if (ops_pread_full(fd, out, TROUBLE_MAX, 0, NULL) != TROUBLE_MAX)
		return false;
	out[TROUBLE_MAX - 1] = '\0';
	return out[0] != '\0';
}
