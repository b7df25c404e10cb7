/*
 * query_path - which file of the store a path of a peer means, and what kind
 * of thing that is.  Pure; the allow-list of C_OPEN and C_LIST.
 *
 * Fuzzed: query_path
 */
#ifndef OPS_DAEMON_QUERY_PATH_H
#define OPS_DAEMON_QUERY_PATH_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/text.h"

#define QUERY_PATH_MAX 255

enum path_kind {
	PATH_OTHER,      /* well-formed, for readers of everything */
	PATH_KEYS,       /* keys/ and all in it: for nobody */
	PATH_LOG,        /* log/<n>/leaves, log/<n>/checkpoint */
	PATH_SCREEN,     /* data/screen/<day>/<id>-<nnnn>.seg */
	PATH_FOLDER,     /* log, log/<n>, data, data/screen */
	PATH_SCREEN_DAY, /* data/screen/<day> */
};

struct query_path {
	enum path_kind kind;
	char text[QUERY_PATH_MAX + 1];
	uint8_t id[OPS_ID_LEN]; /* PATH_SCREEN */
};

/* OPS_EUSAGE if it is absolute, empty, too long, or has a part that is empty,
 * "." or "..", or a byte other than letters, digits, '.', '-' and '_'. */
int query_path_parse(
    const uint8_t *p, size_t n, struct query_path *ret, struct ops_err *err);

#endif
