/*
 * anchors - checkpoints remembered outside the store: signed notes and
 * opseal-anchor lines, found in any text (a file, the journal, syslog).
 *
 * Fuzzed: anchors
 */
#ifndef OPS_CLI_ANCHORS_H
#define OPS_CLI_ANCHORS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "merkle/checkpoint.h"

#define ANCHORS_FILE_MAX (256u << 20) /* bytes of text looked through */
#define ANCHORS_MAX 1000000

struct anchor {
	struct checkpoint_anchor a;
	char time[32]; /* what stood first on its line if it looks like one */
};
struct anchors {
	struct anchor *v;
	size_t n;
	size_t malformed; /* lines that began like an anchor */
};

/* Find all in the text p[0..n), appended to *ret.  A signed note must be all
 * of the text.  Pure. */
int anchors_parse(
    const char *p, size_t n, struct anchors *ret, struct ops_err *err);
/* From a file, or ("journal") from journalctl -t opseal. */
int anchors_load(const char *from, struct anchors *ret, struct ops_err *err);
void anchors_free(struct anchors *a);

#endif
