/*
 * confput - values as a configuration file says them: conf.h the other way.
 */
#ifndef OPS_CONFPUT_H
#define OPS_CONFPUT_H

#include <stdbool.h>

#include "buf.h"
#include "conf.h"

/*
 * Append the value of this key in the struct at from, as it can stand behind
 * "key = ": conf_take() reads the same value back.  A size or a duration is in
 * its largest unit that fits, a text in quotes where it needs them.
 */
void conf_put_value(
    struct ops_buf *out, const struct conf_key *key, const void *from);

/* Is it the same in both? */
bool conf_same(const struct conf_key *key, const void *a, const void *b);

#endif
