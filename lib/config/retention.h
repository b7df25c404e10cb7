/*
 * retention - a part of the disk, as keep_free, disk_reserve and screen_day of
 * opseal.conf have it.  Pure.
 *
 * Fuzzed: config
 */
#ifndef OPS_CONFIG_RETENTION_H
#define OPS_CONFIG_RETENTION_H

#include <stdint.h>

#include "base/err.h"

#define RETENTION_FREE_MAX 31 /* bytes of such a text */

/* "5%" of total, or "20G": bytes; "" and "0" are 0.  OPS_EFORMAT. */
int retention_free_parse(
    const char *text, uint64_t total, uint64_t *ret, struct ops_err *err);

#endif
