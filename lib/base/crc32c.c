#include "crc32c.h"

#include <pthread.h>
#include <stdbool.h>

#include "bytes.h"
#include "crypto.h"

#define POLY 0x82f63b78u /* Castagnoli, bit-reversed */

/* table[k][b]: the CRC of byte b followed by k zero bytes, so that eight bytes
 * are taken in one step ("slicing by 8"). */
static uint32_t table[8][256];

static void
make_table(void)
{
	for (uint32_t b = 0; b < 256; b++) {
		uint32_t crc = b;

		for (int i = 0; i < 8; i++)
			crc = crc >> 1 ^ ((crc & 1) != 0 ? POLY : 0);
		table[0][b] = crc;
	}
	for (size_t k = 1; k < 8; k++)
		for (size_t b = 0; b < 256; b++)
			table[k][b] = table[k - 1][b] >> 8 ^
				      table[0][table[k - 1][b] & 255];
}

uint32_t
ops_crc32c_table(uint32_t crc, const void *bytes, size_t n)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	const uint8_t *p = bytes;

	pthread_once(&once, make_table);
	crc = ~crc;
	for (; n >= 8; n -= 8, p += 8) {
		uint64_t v = ops_getle64(p) ^ crc;

		crc = 0;
		for (size_t k = 0; k < 8; k++)
			crc ^= table[7 - k][v >> (8 * k) & 255];
	}
	for (; n > 0; n--)
		crc = crc >> 8 ^ table[0][(crc ^ *p++) & 255];
	return ~crc;
}

#if defined(__x86_64__)
#define HAVE_HARDWARE 1
#include <nmmintrin.h>

static bool
has_hardware(void)
{
	return __builtin_cpu_supports("sse4.2") != 0;
}

__attribute__((target("sse4.2"))) static uint32_t
crc32c_hardware(uint32_t crc, const uint8_t *p, size_t n)
{
	uint64_t wide = ~crc;

	for (; n >= 8; n -= 8, p += 8)
		wide = _mm_crc32_u64(wide, ops_getle64(p));
	crc = (uint32_t)wide;
	for (; n > 0; n--)
		crc = _mm_crc32_u8(crc, *p++);
	return ~crc;
}
#else
#define HAVE_HARDWARE 0
#endif

uint32_t
ops_crc32c(uint32_t crc, const void *p, size_t n)
{
#if HAVE_HARDWARE
	if (has_hardware())
		return crc32c_hardware(crc, p, n);
#endif
	return ops_crc32c_table(crc, p, n);
}
