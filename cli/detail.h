/* detail - all that is stored of one program, a line each. */
#ifndef OPS_CLI_DETAIL_H
#define OPS_CLI_DETAIL_H

#include <stdbool.h>

#include "base/buf.h"
#include "store/programs.h"

/* A block of lines, "name  value", without an empty one. */
void detail_put(const struct program *p, bool utc, struct ops_buf *out);

#endif
