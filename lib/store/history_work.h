/*
 * history_work - what reading a log needs to remember from leaf to leaf;
 * between history.c (files, tables) and history_rules.c (what leaves must say).
 */
#ifndef OPS_HISTORY_WORK_H
#define OPS_HISTORY_WORK_H

#include "history.h"

#define HISTORY_JOBS 64 /* signatures checked together */
#define HISTORY_WHERE 80

/* A signature to check, on whichever core is free. */
struct history_job {
	uint8_t pub[OPS_PUB_LEN];
	uint8_t sig[OPS_SIG_LEN];
	struct ops_buf msg;
	char where[HISTORY_WHERE];
	const char *by;
	bool good;
};

struct history_pending {
	uint32_t stream;
	uint32_t frame;
};

struct history_work {
	const struct history_opts *o;
	struct vfs *v;
	struct history *h;
	size_t log; /* index of the one that is read */
	uint64_t index;
	struct history_job job[HISTORY_JOBS];
	size_t jobs;

	/* the rules' state, through all logs */
	bool has_key;    /* this log's first BOOT was understood */
	bool has_period; /* period and seal_pub are known */
	uint64_t period; /* in progress */
	uint8_t seal_pub[OPS_PUB_LEN];
	bool has_resume;
	uint8_t resume_pub[OPS_PUB_LEN];
	bool has_boot;
	uint64_t format; /* of the last BOOT */
	uint8_t boot_id[16];
	struct ops_clock clock; /* last seen in this boot */
	bool has_seal;          /* of any log: the next two are of the last */
	uint8_t seal_boot[16];
	uint64_t seal_until;
	bool first_period; /* no SEAL since the BOOT */
	uint32_t boot_why;
	uint64_t boot_at;      /* BOOTTIME of that BOOT */
	bool crash_period;     /* and it brings what a crash left */
	bool final;            /* the last SEAL said it is the last */
	uint64_t since;        /* other leaves since BOOT or SEAL */
	size_t signed_log;     /* where that was, */
	uint64_t signed_to;    /* and the leaf behind it */
	struct history closed; /* its stream table: sessions with a CLOSE; */
	bool stepped; /* the BOOT's clocks were behind those of its own boot */
	int64_t wall;
	struct history_pending *pending; /* frames whose SEAL is to come */
	size_t n_pending, cap_pending;

	/* the checkpoint of this log */
	struct ops_buf note;
	uint64_t stated; /* its size, not yet believed */
	uint8_t stated_root[OPS_HASH_LEN];
	bool stated_met, stated_seal;
	uint64_t seals_beyond;
	bool last_was_seal;
};

void history_say(struct history_work *w, enum finding_kind k, const char *where,
    const char *fmt, ...) OPS_PRINTF(4, 5);
/* The same, about the leaf that is being read. */
void history_say_here(struct history_work *w, enum finding_kind k,
    const char *fmt, ...) OPS_PRINTF(3, 4);
void history_where(const struct history_work *w, uint64_t index,
    char out[static HISTORY_WHERE]);
int history_fail_memory(struct ops_err *err);

/* Take the next leaf; before: the tree without it.  -1: no memory. */
int history_rules(struct history_work *w, const struct leaf *l,
    const uint8_t *hash, const struct tree *before, struct ops_err *err);
int history_rules_frame(struct history_work *w, const struct leaf_frame *f,
    const uint8_t *hash, struct ops_err *err);
int history_rules_close(
    struct history_work *w, const struct leaf_close *c, struct ops_err *err);
int history_rules_tombstone(struct history_work *w,
    const struct leaf_tombstone *t, struct ops_err *err);
/* Once all leaves are read: were the frames as old as the rule wanted? */
void history_judge_tombstones(struct history_work *w);
/* Check the signatures that wait. */
void history_run_jobs(struct history_work *w);
/* All leaves were read: what waits for a SEAL gets the newest times. */
void history_rules_end(struct history_work *w);

#endif
