/*
 * bytes - fixed-width integers in byte strings, and wiping.
 *
 * All of opseal's own structures are little-endian; C2SP and RFC 6962 ones
 * are big-endian.  The caller has checked that the bytes are there.
 */
#ifndef OPS_BYTES_H
#define OPS_BYTES_H

#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define OPS_ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* A large local array that is written before it is read: the compiler's zeros
 * (-ftrivial-auto-var-init) would cost more than what is done with it. */
#if defined(__has_attribute)
#if __has_attribute(uninitialized)
#define OPS_UNINITIALIZED __attribute__((uninitialized))
#endif
#endif
#ifndef OPS_UNINITIALIZED
#define OPS_UNINITIALIZED
#endif

#define OPS_BYTES_DEF(bits, order)                                             \
	static inline uint##bits##_t ops_get##order##bits(const uint8_t *p)    \
	{                                                                      \
		uint##bits##_t v;                                              \
		memcpy(&v, p, sizeof(v));                                      \
		return order##bits##toh(v);                                    \
	}                                                                      \
	static inline void ops_put##order##bits(uint8_t *p, uint##bits##_t v)  \
	{                                                                      \
		v = hto##order##bits(v);                                       \
		memcpy(p, &v, sizeof(v));                                      \
	}

/* ops_getle32(p), ops_putle32(p, v), ops_getbe64(p), ... */
OPS_BYTES_DEF(16, le)
OPS_BYTES_DEF(32, le)
OPS_BYTES_DEF(64, le)
OPS_BYTES_DEF(16, be)
OPS_BYTES_DEF(32, be)
OPS_BYTES_DEF(64, be)

/* Overwrite with zeros in a way the compiler may not remove. */
static inline void
ops_wipe(void *p, size_t n)
{
	explicit_bzero(p, n);
}

/* Are all n bytes zero? */
static inline int
ops_all_zero(const uint8_t *p, size_t n)
{
	return n == 0 || (p[0] == 0 && memcmp(p, p + 1, n - 1) == 0);
}

#endif
