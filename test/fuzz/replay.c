/*
 * replay - run a fuzz target over its seeds: a normal test, printing TAP.
 *
 * usage: seeds-NAME DIRECTORY.  Each file is given whole, and also cut at
 * every 1/16th of its length, since cuts are what parsers meet most.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
run(const uint8_t *data, size_t size)
{
	/* An exact-size copy, so that ASan sees any read past the end. */
	uint8_t *copy = malloc(size + (size == 0));

	if (copy == NULL)
		abort();
	memcpy(copy, data, size);
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

static int
replay_file(const char *dir, const char *name)
{
	static uint8_t data[1 << 22];
	char path[4096];
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "rbe");
	if (f == NULL)
		return -1;
	n = fread(data, 1, sizeof(data), f);
	fclose(f);
	for (size_t i = 0; i <= 16; i++)
		run(data, n * i / 16);
	return 0;
}

int
main(int argc, char **argv)
{
	struct dirent *e;
	unsigned count = 0;
	DIR *d;

	if (argc != 2 || (d = opendir(argv[1])) == NULL) {
		fprintf(stderr, "usage: %s DIRECTORY\n", argv[0]);
		return 2;
	}
	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		count++;
		printf("%s %u - %s\n",
		    replay_file(argv[1], e->d_name) == 0 ? "ok" : "not ok",
		    count, e->d_name);
	}
	closedir(d);
	if (count == 0)
		printf("not ok %u - no seeds in %s\n", ++count, argv[1]);
	printf("1..%u\n", count);
	return 0;
}
