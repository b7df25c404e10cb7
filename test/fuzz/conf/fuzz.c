/* conf - any file: values stay in their ranges and inside their members, a
 * refused file changes nothing, and the message names it. */
#include "../fuzz.h"

#include <stdbool.h>

#include "base/conf.h"

struct settings {
	bool flag;
	uint64_t number;
	char text[11];
	char guard;
	uint64_t size;
	uint64_t duration;
	int word;
	bool other;
};

static const char *const words[] = { "one", "two", "three", NULL };

#define AT(member) offsetof(struct settings, member)
/* clang-format off */
static const struct conf_key keys[] = {
	{ NULL, "flag",	    CONF_BOOL,	   0, 0,     AT(flag), NULL },
	{ NULL, "number",   CONF_UINT,	   3, 3000,  AT(number), NULL },
	{ NULL, "text",	    CONF_TEXT,	   2, 10,    AT(text), NULL },
	{ NULL, "size",	    CONF_SIZE,	   1, 1 << 30, AT(size), NULL },
	{ NULL, "duration", CONF_DURATION, 0, 1000000000, AT(duration), NULL },
	{ "s",	"word",	    CONF_ENUM,	   0, 0,     AT(word), words },
	{ "s",	"flag",	    CONF_BOOL,	   0, 0,     AT(other), NULL },
};
/* clang-format on */

static bool
same(const struct settings *a, const struct settings *b)
{
	return a->flag == b->flag && a->number == b->number &&
	       memcmp(a->text, b->text, sizeof(a->text)) == 0 &&
	       a->guard == b->guard && a->size == b->size &&
	       a->duration == b->duration && a->word == b->word &&
	       a->other == b->other;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct settings before = {
		.number = 3, .text = "ab", .guard = 'g', .size = 1
	};
	struct settings s = before;
	struct ops_err err = { 0 };

	if (conf_parse("file", (const char *)data, size, keys,
		sizeof(keys) / sizeof(keys[0]), &s, &err) < 0) {
		REQUIRE(same(&s, &before));
		REQUIRE(err.code == OPS_EFORMAT || err.code == OPS_EUSAGE);
		REQUIRE(memcmp(err.msg, "file:", 5) == 0);
		return 0;
	}
	REQUIRE(s.number >= 3 && s.number <= 3000);
	REQUIRE(s.size >= 1 && s.size <= 1 << 30);
	REQUIRE(s.duration <= 1000000000);
	REQUIRE(s.word >= 0 && s.word <= 2);
	REQUIRE(strnlen(s.text, sizeof(s.text)) >= 2);
	REQUIRE(strnlen(s.text, sizeof(s.text)) <= 10);
	REQUIRE(s.guard == 'g');
	return 0;
}
