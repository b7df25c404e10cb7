#include "check.h"

#include "base/bytes.h"
#include "record/record.h"

static const enum record_type screen_types[] = { REC_OUTPUT, REC_INPUT,
	REC_MASKED, REC_RESIZE, REC_STOP, REC_CONT, REC_ECHO, REC_GAP,
	REC_EXIT };
static const enum record_type event_types[] = { REC_SESSION_OPEN,
	REC_SESSION_CLOSE, REC_ACCESS, REC_GAP_EVENT, REC_BYPASS, REC_DAEMON,
	REC_LOGIN, REC_LOGOUT, REC_NOTE };
static const enum record_type program_types[] = { REC_CAPTURE, REC_EXEC,
	REC_ARGS, REC_ENDED, REC_FAILED, REC_LOSS, REC_ACCOUNTED,
	REC_COVERAGE };

#define T8 "\x01\x02\x03\x04\x05\x06\x07\x08" /* a time */
#define ID "0123456789"
#define TIME 0x0807060504030201u

/* clang-format off */
static const struct {
	const char *name;
	const char *in;
	size_t n;
	enum ops_code code;
	long used;
	uint8_t type;
	size_t len;
} cases[] = {
#define B(s) s, sizeof(s) - 1
	{ "output",		B("\x01\0\x02\0" T8 "hi"),		OPS_OK, 14, 1, 2 },
	{ "empty output",	B("\x01\0\0\0" T8),			OPS_OK, 12, 1, 0 },
	{ "and something after", B("\x01\0\x02\0" T8 "hi\xff"),		OPS_OK, 14, 1, 2 },
	{ "masked",		B("\x03\0\x01\0" T8 "\x01"),		OPS_OK, 13, 3, 1 },
	{ "resize",		B("\x04\0\x04\0" T8 "\x50\0\x18\0"),	OPS_OK, 16, 4, 4 },
	{ "cont",		B("\x06\0\0\0" T8),			OPS_OK, 12, 6, 0 },
	{ "gap",		B("\x08\0\x18\0" T8 T8 T8 T8),	OPS_OK, 36, 8, 24 },
	{ "gap with why",	B("\x08\0\x19\0" T8 T8 T8 T8 "\x04"), OPS_OK, 37, 8, 25 },
	{ "exit",		B("\x09\0\x04\0" T8 "\0\x01\0\0"),	OPS_OK, 16, 9, 4 },
	{ "event",		B("\x40\0\x0b\0" T8 ID "\xa0"),		OPS_OK, 23, 64, 11 },
	{ "output in parts",	B("\x01\x01\x05\0" T8 "\x01\0\x02\0" "x"), OPS_OK, 17, 1, 5 },
	{ "event in parts",	B("\x40\x01\x0e\0" T8 "\0\0\x02\0" ID),	OPS_OK, 26, 64, 14 },
	{ "most parts",		B("\x01\x01\x04\0" T8 "\xff\x03\0\x04"), OPS_OK, 16, 1, 4 },

	{ "nothing",		B(""),				OPS_ETRUNC, 0, 0, 0 },
	{ "type alone",		B("\x01"),			OPS_ETRUNC, 0, 0, 0 },
	{ "cut payload",	B("\x01\0\x02\0" T8 "h"),	OPS_ETRUNC, 0, 0, 0 },
	{ "longest, cut",	B("\x01\0\xf4\x3f"),		OPS_ETRUNC, 0, 0, 0 },

	{ "type 0",		B("\0"),			OPS_EFORMAT, 0, 0, 0 },
	{ "type 10",		B("\x0a"),			OPS_EFORMAT, 0, 0, 0 },
	{ "type 63",		B("\x3f"),			OPS_EFORMAT, 0, 0, 0 },
	{ "type 74",		B("\x4a"),			OPS_EFORMAT, 0, 0, 0 },
	{ "type 255",		B("\xff"),			OPS_EFORMAT, 0, 0, 0 },
	{ "flag 2",		B("\x01\x02"),			OPS_EFORMAT, 0, 0, 0 },
	{ "flag 0x80",		B("\x01\x80"),			OPS_EFORMAT, 0, 0, 0 },
	{ "over the limit",	B("\x01\0\xf5\x3f"),		OPS_EFORMAT, 0, 0, 0 },
	{ "short gap",		B("\x08\0\x17\0"),		OPS_EFORMAT, 0, 0, 0 },
	{ "long gap",		B("\x08\0\x1a\0"),		OPS_EFORMAT, 0, 0, 0 },
	{ "long resize",	B("\x04\0\x05\0"),		OPS_EFORMAT, 0, 0, 0 },
	{ "short resize",	B("\x04\0\x03\0"),		OPS_EFORMAT, 0, 0, 0 },
	{ "masked without why",	B("\x03\0\0\0"),		OPS_EFORMAT, 0, 0, 0 },
	{ "stop with 2",	B("\x05\0\x02\0"),		OPS_EFORMAT, 0, 0, 0 },
	{ "cont with 1",	B("\x06\0\x01\0"),		OPS_EFORMAT, 0, 0, 0 },
	{ "echo with 0",	B("\x07\0\0\0"),		OPS_EFORMAT, 0, 0, 0 },
	{ "gap with 23",	B("\x08\0\x17\0"),		OPS_EFORMAT, 0, 0, 0 },
	{ "exit with 3",	B("\x09\0\x03\0"),		OPS_EFORMAT, 0, 0, 0 },
	{ "event without id",	B("\x40\0\x09\0"),		OPS_EFORMAT, 0, 0, 0 },
	{ "resize in parts",	B("\x04\x01\x04\0"),		OPS_EFORMAT, 0, 0, 0 },
	{ "part without head",	B("\x01\x01\x03\0"),		OPS_EFORMAT, 0, 0, 0 },
	{ "event part, no id",	B("\x40\x01\x0d\0"),		OPS_EFORMAT, 0, 0, 0 },
	{ "part 2 of 2",	B("\x01\x01\x04\0" T8 "\x02\0\x02\0"), OPS_EFORMAT, 0, 0, 0 },
	{ "part 0 of 1",	B("\x01\x01\x04\0" T8 "\0\0\x01\0"), OPS_EFORMAT, 0, 0, 0 },
	{ "part 0 of 0",	B("\x01\x01\x04\0" T8 "\0\0\0\0"), OPS_EFORMAT, 0, 0, 0 },
	{ "one part too many",	B("\x01\x01\x04\0" T8 "\0\0\x01\x04"), OPS_EFORMAT, 0, 0, 0 },
#undef B
};
/* clang-format on */

static void
test_decode(void **state)
{
	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(cases); i++) {
		const char *row = cases[i].name;
		uint8_t *in = heap_copy(cases[i].in, cases[i].n);
		struct ops_err err = { 0 };
		struct record r = { .len = 99 };
		long used = record_decode(in, cases[i].n, &r, &err);

		CHECK(err.code == cases[i].code, row, err.msg);
		if (cases[i].code == OPS_OK) {
			CHECK(used == cases[i].used, row, "used");
			CHECK(r.type == cases[i].type, row, "type");
			CHECK(r.len == cases[i].len, row, "length");
			CHECK(r.time == TIME, row, "time");
			CHECK(r.payload == in + 12, row, "payload");
		} else {
			CHECK(used == -1 && r.len == 99, row, "touched");
		}
		free(in);
	}
}

/* Every cut of a valid record asks for more. */
static void
test_every_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(cases); i++) {
		for (long n = 0; n < cases[i].used; n++) {
			uint8_t *in = heap_copy(cases[i].in, (size_t)n);
			struct ops_err err = { 0 };
			struct record r;

			CHECK(record_decode(in, (size_t)n, &r, &err) == -1,
			    cases[i].name, "accepted");
			CHECK(err.code == OPS_ETRUNC, cases[i].name, err.msg);
			free(in);
		}
	}
}

static void
test_encode(void **state)
{
	static uint8_t payload[RECORD_PAYLOAD_MAX];
	static uint8_t out[RECORD_MAX];
	struct record r = { .type = REC_OUTPUT,
		.time = TIME,
		.payload = payload,
		.len = sizeof(payload) };
	struct record again;

	(void)state;
	memset(payload, 0xa5, sizeof(payload));
	assert_int_equal(record_encode(&r, out), RECORD_MAX);
	assert_memory_equal(out, "\x01\x00\xf4\x3f" T8 "\xa5", 13);
	assert_int_equal(record_decode(out, sizeof(out), &again, NULL), 16384);
	assert_memory_equal(again.payload, payload, sizeof(payload));

	r.len = 0;
	r.payload = NULL;
	assert_int_equal(record_encode(&r, out), RECORD_HEADER);
}

static void
are_of(uint8_t class, const enum record_type *types, size_t n)
{
	for (size_t i = 0; i < n; i++)
		assert_int_equal(record_type_class((uint8_t)types[i]), class);
}

static void
test_types(void **state)
{
	size_t count[CLASSES] = { 0 };

	(void)state;
	for (unsigned t = 0; t < 256; t++) {
		uint8_t class = record_type_class((uint8_t)t);

		assert_true(class < CLASSES);
		count[class]++;
	}
	assert_int_equal(count[CLASS_SCREEN], OPS_ARRAY_LEN(screen_types));
	assert_int_equal(count[CLASS_EVENTS], OPS_ARRAY_LEN(event_types));
	assert_int_equal(count[CLASS_PROGRAMS], OPS_ARRAY_LEN(program_types));
	are_of(CLASS_SCREEN, screen_types, OPS_ARRAY_LEN(screen_types));
	are_of(CLASS_EVENTS, event_types, OPS_ARRAY_LEN(event_types));
	are_of(CLASS_PROGRAMS, program_types, OPS_ARRAY_LEN(program_types));
	assert_string_equal(stream_class_name(CLASS_PROGRAMS), "programs");
	assert_string_equal(stream_class_name(0), "?");
	assert_string_equal(stream_class_name(CLASSES), "?");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decode),
		cmocka_unit_test(test_every_cut),
		cmocka_unit_test(test_encode),
		cmocka_unit_test(test_types),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
