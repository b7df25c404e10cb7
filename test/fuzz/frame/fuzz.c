/*
 * frame - the input as a stored frame: decoding stays inside it, and what
 * opens is what its header says.  The input as records: opening what was made
 * gives the same bytes and root, and no changed byte has the same SHA-256.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "record/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct frame_maker *maker;
static struct frame_opener *opener;
static struct ops_buf raw = { .max = FRAME_RAW_MAX };
static struct ops_buf out = { .max = FRAME_STORED_MAX };

static void
must(bool ok)
{
	if (!ok)
		abort();
}

/* That gives what is in raw. */
static void
chunk_by_chunk(const uint8_t *stored, const struct frame_header *h)
{
	static struct ops_buf one = { .max = FRAME_RAW_MAX };
	size_t at = 0;

	for (unsigned i = 0; i < h->chunks; i++) {
		must(frame_open_chunk(opener, h, i, stored, &one, NULL) == 0);
		must(one.len <= raw.len - at &&
		     memcmp(one.data, raw.data + at, one.len) == 0);
		at += one.len;
	}
	must(at == raw.len);
}

static void
as_stored(const uint8_t *data, size_t size)
{
	struct segment_header s;
	struct frame_header h;
	uint8_t root[OPS_HASH_LEN], p[SEGMENT_HEADER];
	long len;

	if (segment_header_decode(data, size, &s, NULL) == 0) {
		segment_header_encode(&s, p);
		memcpy(p + 16, data + 16, 2); /* compatible flags */
		must(memcmp(p, data, sizeof(p)) == 0);
	}
	len = frame_header_decode(data, size, &h, NULL);
	must(len == -1 || (len == (long)h.header_len && (size_t)len <= size));
	if (frame_open(opener, data, size, &h, &raw, root, NULL) < 0) {
		must(raw.len == 0);
		return;
	}
	must(len > 0 && (size_t)len + h.stored == size);
	must(raw.len + FRAME_SEED * h.chunks == h.raw);
	chunk_by_chunk(data, &h);
}

/* Whole records from the front of the input; the rest is left out. */
static void
as_records(const uint8_t *data, size_t size)
{
	struct frame_id id = { .stream = "fuzz", .number = size };
	uint8_t seeds[FRAME_SEEDS] = { 1 }, sha[OPS_HASH_LEN],
		root[OPS_HASH_LEN];
	struct frame_header h;
	struct frame_digest d;
	uint32_t count = 0;
	struct record r;
	size_t n = 0, at;
	long used;

	id.class = size > 0 ? record_type_class(data[0]) : 0;
	if (id.class == 0)
		id.class = CLASS_SCREEN;
	while ((used = record_decode(data + n, size - n, &r, NULL)) > 0 &&
	       record_type_class(r.type) == id.class) {
		n += (size_t)used;
		count++;
	}
	ops_buf_reset(&out);
	if (count == 0) {
		must(frame_make(maker, &id, count, data, n, seeds, &out, &d,
			 NULL) < 0);
		return;
	}
	must(
	    frame_make(maker, &id, count, data, n, seeds, &out, &d, NULL) == 0);
	must(frame_open(opener, out.data, out.len, &h, &raw, root, NULL) == 0);
	must(raw.len == n && memcmp(raw.data, data, n) == 0);
	must(h.chunks == 1 || id.class == CLASS_PROGRAMS);
	chunk_by_chunk(out.data, &h);
	must(memcmp(root, d.root, sizeof(root)) == 0 && h.count == count);
	at = (data[n - 1] * 131u + size) % out.len;
	out.data[at] ^= (uint8_t)(1u + at % 255);
	ops_sha256(out.data, out.len, sha);
	must(memcmp(sha, d.sha256, sizeof(sha)) != 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (maker == NULL) {
		maker = frame_maker_new();
		opener = frame_opener_new();
		must(maker != NULL && opener != NULL);
	}
	as_stored(data, size);
	if (size <= FRAME_RAW_MAX - FRAME_SEEDS)
		as_records(data, size);
	return 0;
}
