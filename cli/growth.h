/*
 * growth - how fast a store has grown, from the sizes of its days' folders.
 */
#ifndef OPS_CLI_GROWTH_H
#define OPS_CLI_GROWTH_H

#include <stdbool.h>
#include <stdint.h>

#define GROWTH_DAYS 7 /* that are looked back, without today */

/*
 * Bytes a day, over the last whole days (UTC) since the store has any.  False:
 * there is no whole day yet, or the folder can't be read; ask growth_since().
 * now: CLOCK_REALTIME.
 */
bool growth_of_store(const char *store, uint64_t now, uint64_t *ret);

/* The same from what a daemon has written since it was started.  False: that was
 * less than a day ago. */
bool growth_since(
    uint64_t started, uint64_t stored, uint64_t now, uint64_t *ret);

#endif
