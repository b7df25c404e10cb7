#include "growth.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"

#define DAY UINT64_C(86400000000000) /* ns */

/* Add the sizes of the files in it.  False: it isn't there, or can't be read. */
static bool
add_folder(int store, const char *path, uint64_t *sum)
{
	const struct dirent *d;
	struct stat st;
	DIR *folder;
	int fd = openat(
	    store, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return false;
	folder = fdopendir(fd);
	if (folder == NULL) {
		close(fd);
		return false;
	}
	while ((d = readdir(folder)) != NULL)
		if (fstatat(fd, d->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISREG(st.st_mode))
			*sum += (uint64_t)st.st_size;
	(void)closedir(folder);
	return true;
}

bool
growth_of_store(const char *store, uint64_t now, uint64_t *ret)
{
	static const char *const classes[] = { "screen", "events" };
	int fd = open(store, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	uint64_t sum = 0, days = 0;

	if (fd < 0)
		return false;
	for (uint64_t k = 1; k <= GROWTH_DAYS && k * DAY <= now; k++) {
		char day[11], path[64];

		ops_time_day(now - k * DAY, day);
		for (size_t i = 0; i < OPS_ARRAY_LEN(classes); i++) {
			(void)snprintf(
			    path, sizeof(path), "data/%s/%s", classes[i], day);
			if (add_folder(fd, path, &sum))
				days = k;
		}
	}
	close(fd);
	if (days == 0)
		return false;
	*ret = sum / days;
	return true;
}

bool
growth_since(uint64_t started, uint64_t stored, uint64_t now, uint64_t *ret)
{
	if (started >= now || now - started < DAY)
		return false;
	*ret = (uint64_t)((double)stored / ((double)(now - started) / DAY));
	return true;
}
