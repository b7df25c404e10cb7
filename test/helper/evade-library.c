/* evade-library - code that comes into a program by LD_PRELOAD: it makes the
 * file that $EVADE_FILE names. */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

__attribute__((constructor)) static void
come(void)
{
	const char *name = getenv("EVADE_FILE");
	int fd;

	if (name == NULL)
		return;
	fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || close(fd) != 0)
		abort(); /* so that the test sees it */
}
