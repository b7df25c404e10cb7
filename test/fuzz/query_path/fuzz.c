/* query_path - an accepted path is exactly what was asked for, stays below the
 * store, and nothing of keys/ or of another session passes as something else. */
#include "../fuzz.h"

#include "query_path.h"

static void
check_text(const char *text)
{
	const char *part = text;

	REQUIRE(text[0] != '/' && text[0] != '\0');
	for (;;) {
		size_t n = strcspn(part, "/");

		REQUIRE(n > 0);
		REQUIRE(strncmp(part, ".", n) != 0 || n > 1);
		REQUIRE(strncmp(part, "..", n) != 0 || n > 2);
		if (part[n] == '\0')
			break;
		part += n + 1;
	}
}

static void
check_kind(const struct query_path *p)
{
	bool keys =
	    strcmp(p->text, "keys") == 0 || strncmp(p->text, "keys/", 5) == 0;
	char id[OPS_ID_TEXT_LEN + 1];

	REQUIRE((p->kind == PATH_KEYS) == keys);
	if (p->kind == PATH_SCREEN) {
		/* The id that permission is asked for is the one in the name. */
		ops_id_text(p->id, id);
		REQUIRE(strncmp(strrchr(p->text, '/') + 1, id,
			    OPS_ID_TEXT_LEN) == 0);
		REQUIRE(strncmp(p->text, "data/screen/", 12) == 0);
	}
	if (p->kind == PATH_LOG)
		REQUIRE(strncmp(p->text, "log/", 4) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct query_path p = { .kind = PATH_KEYS, .text = "untouched" };
	struct ops_err err = { 0 };

	if (query_path_parse(data, size, &p, &err) < 0) {
		REQUIRE(err.code == OPS_EUSAGE);
		REQUIRE(strcmp(p.text, "untouched") == 0);
		return 0;
	}
	REQUIRE(strlen(p.text) == size);
	REQUIRE(memcmp(p.text, data, size) == 0);
	check_text(p.text);
	check_kind(&p);
	return 0;
}
