/*
 * crc32c - the table form behind ops_crc32c(), for processors without the
 * instruction; named here so that a test can compare the two.
 */
#ifndef OPS_CRC32C_H
#define OPS_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* As ops_crc32c() of crypto.h. */
uint32_t ops_crc32c_table(uint32_t crc, const void *bytes, size_t n);

#endif
