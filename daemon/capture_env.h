/*
 * capture_env - which variables of a program's environment are kept.
 *
 * A list of names, with spaces or commas between; none is kept unless it is
 * named.  No patterns: an environment holds secrets whose names nobody knows
 * beforehand.
 *
 * Pure: no I/O, no clock.
 *
 * Fuzzed: capture_env
 */
#ifndef OPS_DAEMON_CAPTURE_ENV_H
#define OPS_DAEMON_CAPTURE_ENV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

/* Append those of the n bytes of variables at p that the list names, each as
 * NAME=VALUE and a NUL.  One whose end isn't there is left out. */
void env_keep(
    const char *list, const uint8_t *p, size_t n, struct ops_buf *out);

#endif
