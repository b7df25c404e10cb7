/* checkpoint - bodies and anchor lines: what parses is written the same way
 * again; what is signed opens; what is changed doesn't. */
#include "../fuzz.h"

#include "merkle/checkpoint.h"

static struct note_key key;
static struct ops_signer *signer;

static void
make_key(void)
{
	static const uint8_t seed[OPS_SEED_LEN] = { 1, 2, 3 };

	signer = ops_signer_new(seed);
	REQUIRE(note_key_init(&key, "fuzz.example", NOTE_ED25519,
		    ops_signer_pub(signer), NULL) == 0);
}

static void
check_body(const char *p, size_t n)
{
	struct ops_buf b = { .max = 4096 };
	struct checkpoint c;

	if (checkpoint_parse(p, n, &c, NULL) < 0)
		return;
	checkpoint_put(&c, &b);
	/* Extension lines may follow. */
	REQUIRE(!b.failed && b.len <= n && memcmp(b.data, p, b.len) == 0);
	ops_buf_free(&b);
}

static void
check_anchor(const char *p, size_t n)
{
	struct checkpoint_anchor a;

	if (checkpoint_anchor_parse(p, n, &a, NULL) != 1)
		return;
	REQUIRE(note_name_valid(a.cp.origin, strlen(a.cp.origin)));
	if (checkpoint_anchor_check(&a, &key))
		REQUIRE(a.cp.size == 8); /* the one in the seeds */
}

/* A checkpoint and its anchor; then with one bit changed somewhere. */
static void
check_made(struct fuzz_in in)
{
	struct ops_buf b = { .max = 4096 }, line = { .max = 4096 };
	struct checkpoint c = { .origin = "fuzz.example" }, back;
	struct checkpoint_anchor a;
	uint16_t bit;

	fuzz_take(&in, &c.size, sizeof(c.size));
	fuzz_take(&in, c.root, sizeof(c.root));
	fuzz_take(&in, &bit, sizeof(bit));
	if (c.size == 0)
		ops_sha256(NULL, 0, c.root);
	REQUIRE(checkpoint_sign(&c, &key, signer, &b, NULL) == 0);
	REQUIRE(checkpoint_open((char *)b.data, b.len, &key, &back, NULL) == 0);
	REQUIRE(back.size == c.size && strcmp(back.origin, c.origin) == 0);
	REQUIRE(memcmp(back.root, c.root, sizeof(c.root)) == 0);

	REQUIRE(checkpoint_anchor_put(
		    (char *)b.data, b.len, &key, &line, NULL) == 0);
	REQUIRE(checkpoint_anchor_parse(
		    (char *)line.data, line.len, &a, NULL) == 1);
	REQUIRE(checkpoint_anchor_check(&a, &key));
	REQUIRE(a.cp.size == c.size);

	line.data[bit / 8 % line.len] ^= (uint8_t)(1 << bit % 8);
	if (checkpoint_anchor_parse((char *)line.data, line.len, &a, NULL) == 1)
		REQUIRE(!checkpoint_anchor_check(&a, &key));
	b.data[bit / 8 % b.len] ^= (uint8_t)(1 << bit % 8);
	REQUIRE(checkpoint_open((char *)b.data, b.len, &key, &back, NULL) < 0);
	ops_buf_free(&b);
	ops_buf_free(&line);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *p = (const char *)data;
	struct checkpoint c;

	if (signer == NULL)
		make_key();
	check_body(p, size);
	check_anchor(p, size);
	if (checkpoint_open(p, size, &key, &c, NULL) == 0)
		REQUIRE(c.size == 8);
	check_made((struct fuzz_in){ data, size });
	return 0;
}
