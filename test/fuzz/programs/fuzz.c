/*
 * programs - the input as programs of query's answer, each with the rest of its
 * arguments: what is taken can be put again, and then comes back the same; what
 * is refused leaves the list as it was; no more is kept than was announced.
 */
#include <string.h>

#include "../fuzz.h"
#include "base/bytes.h"
#include "store/programs.h"

/* Put p, get it again, give it all its arguments: the same bytes as before. */
static void
again(const struct program *p)
{
	struct ops_buf one = { .max = 1u << 20 }, two = { .max = 1u << 20 };
	struct program_list l = { 0 };
	uint64_t more;

	program_put(&one, p);
	REQUIRE(!one.failed);
	REQUIRE(program_get(one.data, one.len, &l, &more, NULL) == 0);
	REQUIRE(l.n == 1);
	while (more > 0) {
		size_t at = p->exec.args.n - (size_t)more;
		size_t n = more > 1000 ? 1000 : (size_t)more;

		REQUIRE(
		    program_more(p->exec.args.p + at, n, &l, &more, NULL) == 0);
	}
	program_put(&two, &l.p[0]);
	REQUIRE(one.len == two.len && memcmp(one.data, two.data, one.len) == 0);
	REQUIRE(p->exec.args.n == l.p[0].exec.args.n);
	if (p->exec.args.n > 0)
		REQUIRE(memcmp(p->exec.args.p, l.p[0].exec.args.p,
			    p->exec.args.n) == 0);
	program_list_free(&l);
	ops_buf_free(&one);
	ops_buf_free(&two);
}

/* The input: u16 length, a program; as much of more arguments as it says. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct program_list l = { 0 };

	while (size > 2) {
		size_t n = ops_getle16(data), before = l.n;
		uint64_t more = 0;

		data += 2;
		size -= 2;
		n = n < size ? n : size;
		if (program_get(data, n, &l, &more, NULL) < 0) {
			REQUIRE(l.n == before);
			more = 0;
		}
		data += n;
		size -= n;
		n = more < size ? (size_t)more : size;
		if (n > 0 && program_more(data, n, &l, &more, NULL) == 0) {
			data += n;
			size -= n;
		}
		if (l.n > before && more == 0)
			again(&l.p[l.n - 1]);
	}
	program_list_free(&l);
	return 0;
}
