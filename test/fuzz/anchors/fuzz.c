/*
 * fuzz anchors - any text: what is found has an origin, and cutting the text
 * into its lines finds the same (a signed note is one piece).
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "anchors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *p = (const char *)data;
	struct anchors whole = { 0 }, lines = { 0 };
	struct note note;

	if (anchors_parse(p, size, &whole, NULL) < 0)
		abort();
	for (size_t i = 0; i < whole.n; i++)
		if (whole.v[i].a.cp.origin[0] == '\0')
			abort();
	if (size <= NOTE_MAX && note_parse(p, size, &note, NULL) == 0) {
		note_free(&note);
	} else {
		for (size_t at = 0; at < size;) {
			const char *nl = memchr(p + at, '\n', size - at);
			size_t n =
			    nl != NULL ? (size_t)(nl - p) + 1 - at : size - at;

			if (anchors_parse(p + at, n, &lines, NULL) < 0)
				abort();
			at += n;
		}
		if (lines.n != whole.n || lines.malformed != whole.malformed)
			abort();
	}
	anchors_free(&whole);
	anchors_free(&lines);
	return 0;
}
