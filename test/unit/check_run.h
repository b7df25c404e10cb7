/*
 * check_run - a check of a store in memory, and what it must find; shared by
 * the tests of check.  Messages show all findings.
 */
#ifndef OPS_TEST_CHECK_RUN_H
#define OPS_TEST_CHECK_RUN_H

#include "store/check.h"
#include "store_build.h"

struct found {
	unsigned count[FIND_UNREADABLE + 1];
	char text[8192]; /* all of it, for messages */
	char last_where[256];
};

/* A struct check_opts.found with a struct found, zeroed before. */
void collect(void *arg, const struct finding *f);
/* -1: it could not be checked. */
int run(struct memstore *m, bool quick, const struct checkpoint_anchor *anchors,
    size_t n, struct found *found, struct check_result *r);
void expect_pass(struct memstore *m, const char *row);
void expect_fail(struct memstore *m, const char *row, enum finding_kind kind);
/* The same, and this stands in a finding. */
void expect_text(struct memstore *m, const char *row, enum finding_kind kind,
    const char *text);

#endif
