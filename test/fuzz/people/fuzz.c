/*
 * people - any bytes as the file.  It is right for one person if and only if it
 * is for all; a name is a word of it; and a line appended can't change whom an
 * earlier one names.
 */
#include "../fuzz.h"

#include "record/people.h"

#define SHA "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU"

static const uint8_t principal[] = "\0\0\0\4root";

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct sshkey cert = { .is_cert = true,
		.id = { (const uint8_t *)"id", 2 },
		.principals = { principal, sizeof(principal) - 1 } };
	const struct people_key whom[] = { { .fingerprint = SHA },
		{ SHA, &cert, SHA } };
	static const char more[] = "\nkey " SHA " somebody\n";
	char name[EVENT_TEXT_MAX + 1], same[EVENT_TEXT_MAX + 1];
	char *file;
	int rc;

	rc = people_find("people", (const char *)data, size, NULL, name, NULL);
	file = malloc(size + sizeof(more));
	REQUIRE(file != NULL);
	memcpy(file, data, size);
	memcpy(file + size, more, sizeof(more));
	for (size_t i = 0; i < 2; i++) {
		REQUIRE(people_find("people", (const char *)data, size,
			    &whom[i], name, NULL) == rc);
		if (rc < 0 || size + sizeof(more) > PEOPLE_MAX)
			continue;
		REQUIRE(people_find("people", file, size + sizeof(more) - 1,
			    &whom[i], same, NULL) == 0);
		REQUIRE(strcmp(same, name[0] != '\0' ? name : "somebody") == 0);
	}
	free(file);
	return 0;
}
