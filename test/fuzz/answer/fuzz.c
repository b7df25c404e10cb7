/*
 * answer - what a daemon says, as one message and as several: the same names
 * and records come out, and they are the very bytes that came in.  First byte:
 * which answer; second: where it is cut.
 */
#include "../fuzz.h"

#include <stdbool.h>

#include "answer.h"
#include "base/bytes.h"
#include "record/record.h"

static void
check_failed(const uint8_t *p, size_t n)
{
	struct ops_err err = { 0 }, want = { 0 };
	char *words;

	REQUIRE(answer_failed(p, n, &err) == -1);
	REQUIRE(err.code != OPS_OK && err.code <= OPS_EUNAVAIL);
	if (n == 0 || p[0] == 0 || p[0] > OPS_EUNAVAIL) {
		REQUIRE(err.code == OPS_EFORMAT);
		return;
	}
	/* Its code and its words, up to a NUL or the end of the room. */
	words = fuzz_string(p + 1, n - 1);
	ops_fail(&want, (enum ops_code)p[0], "%s", words);
	free(words);
	REQUIRE(err.code == want.code && strcmp(err.msg, want.msg) == 0);
}

/* The end of the first name behind `from`. */
static size_t
name_end(const uint8_t *p, size_t n, size_t from)
{
	const uint8_t *nul = memchr(p + from, 0, n - from);

	return nul != NULL ? (size_t)(nul - p) + 1 : n;
}

static void
check_names(const uint8_t *p, size_t n, uint8_t cut)
{
	struct vfs_names whole = { 0 }, two = { 0 };
	size_t at = 0, middle;
	bool taken = answer_names(&whole, p, n, NULL) == 0;

	for (size_t i = 0; taken && i < whole.n; i++) {
		const char *name = whole.name[i];
		size_t len = strlen(name);

		REQUIRE(len > 0 && strchr(name, '/') == NULL);
		REQUIRE(strcmp(name, ".") != 0 && strcmp(name, "..") != 0);
		REQUIRE(at + len + 1 <= n);
		REQUIRE(memcmp(p + at, name, len + 1) == 0);
		at += len + 1;
	}
	REQUIRE(!taken || at == n);
	if (n > 0) {
		middle = name_end(p, n, cut % n);
		if (middle < n && answer_names(&two, p, middle, NULL) == 0 &&
		    answer_names(&two, p + middle, n - middle, NULL) == 0) {
			REQUIRE(taken && two.n == whole.n);
			for (size_t i = 0; i < two.n; i++)
				REQUIRE(
				    strcmp(two.name[i], whole.name[i]) == 0);
		} else if (middle < n) {
			REQUIRE(!taken);
		}
	}
	vfs_names_free(&whole);
	vfs_names_free(&two);
}

/* The records one by one, each in a message of its own, as a number of them
 * that came in one. */
static void
check_split(const struct answer_tail *whole, uint64_t first)
{
	struct ops_buf out = { .max = 1u << 20 };
	struct answer_tail t = { .out = &out };
	uint8_t m[8 + RECORD_MAX];
	uint64_t number = first;

	for (size_t at = 0; at < whole->out->len; number++) {
		struct record r;
		long used = record_decode(
		    whole->out->data + at, whole->out->len - at, &r, NULL);

		REQUIRE(used > 0 && used <= RECORD_MAX);
		ops_putle64(m, number);
		memcpy(m + 8, whole->out->data + at, (size_t)used);
		REQUIRE(answer_tail(&t, m, 8 + (size_t)used, NULL) == 0);
		/* Neither twice nor with one left out. */
		REQUIRE(answer_tail(&t, m, 8 + (size_t)used, NULL) == -1);
		ops_putle64(m, number + 2);
		REQUIRE(answer_tail(&t, m, 8 + (size_t)used, NULL) == -1);
		at += (size_t)used;
	}
	REQUIRE(number == whole->next);
	REQUIRE(out.len == whole->out->len);
	REQUIRE(
	    out.len == 0 || memcmp(out.data, whole->out->data, out.len) == 0);
	REQUIRE(
	    out.len == 0 || (t.first == whole->first && t.next == whole->next));
	ops_buf_free(&out);
}

static void
check_tail(const uint8_t *p, size_t n)
{
	struct ops_buf out = { .max = 1u << 20 };
	struct answer_tail t = { .out = &out };

	if (answer_tail(&t, p, n, NULL) < 0) {
		REQUIRE(out.len == 0 && !t.begun);
	} else {
		REQUIRE(out.len == n - 8 && t.first == ops_getle64(p));
		REQUIRE(out.len == 0 || memcmp(out.data, p + 8, n - 8) == 0);
		if (t.next < UINT64_MAX - 2)
			check_split(&t, t.first);
	}
	ops_buf_free(&out);
}

/* Either one, with the number that is counted, and no other. */
static void
check_sessions_end(const uint8_t *p, size_t n, uint8_t count)
{
	static const struct session_missing none = { 0 };
	struct session_missing m = { .frames = 77 };

	if (answer_sessions_end(p, n, count, &m, NULL) < 0) {
		REQUIRE(m.frames == 77);
		return;
	}
	REQUIRE(n >= 4 && ops_getle32(p) == count);
	REQUIRE((n == 4) == (m.frames == 0) && m.frames <= m.of);
	REQUIRE(n > 4 || memcmp(&m, &none, sizeof(m)) == 0);
	REQUIRE(strlen(m.why) < sizeof(m.why));
	REQUIRE(answer_sessions_end(p, n, count + 1u, &m, NULL) == -1);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2 || size > 65536)
		return 0;
	switch (data[0] % 4) {
	case 0:
		check_failed(data + 2, size - 2);
		break;
	case 1:
		check_names(data + 2, size - 2, data[1]);
		break;
	case 2:
		check_tail(data + 2, size - 2);
		break;
	default:
		check_sessions_end(data + 2, size - 2, data[1]);
	}
	return 0;
}
