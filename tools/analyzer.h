/*
 * analyzer - included first by `make lint` in what clang-tidy reads, and by
 * nothing else.
 *
 * ops_fail() and its kin return -1, always, but their code is in another file,
 * so the analyzer would also follow the path where they don't, and there find
 * outputs that were never written.
 */
#ifndef OPS_ANALYZER_H
#define OPS_ANALYZER_H

#include "base/err.h"

#define ops_fail(...) (ops_fail(__VA_ARGS__), -1)
#define ops_fail_errno(...) (ops_fail_errno(__VA_ARGS__), -1)
#define ops_context(...) (ops_context(__VA_ARGS__), -1)

#endif
