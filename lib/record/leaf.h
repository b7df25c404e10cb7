/*
 * leaf - what the tree is made of: the commitment to one frame, or an event of
 * the log itself.
 *
 * A leaf is a deterministic CBOR map under LEAF_MAX bytes.  Key 0 is the type,
 * the other keys are per type (numbers in the comments).  A leaf holds no
 * user, host, command or path, so leaves may be shown to anyone.  Unknown
 * types and keys are refused: what they mean can't be skipped in a log whose
 * completeness is the point.
 *
 * Signed leaves (BOOT, SEAL) carry their Ed25519 signature in the highest key.
 * The signed message is
 *
 *	"opseal leaf v1\n" || origin || "\n" || u64 big-endian size || root[32] || leaf
 *
 * where size and root are those of the tree before this leaf and `leaf` is
 * the same map without the signature's key.
 *
 * Fuzzed: leaf
 */
#ifndef OPS_LEAF_H
#define OPS_LEAF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/err.h"
#include "base/text.h"

#define LEAF_MAX 1023
#define LEAF_ORIGIN_MAX 128
#define LEAF_FORMAT                                                            \
	5 /* the store format this code writes, and the newest it reads: all */

enum leaf_type {
	LEAF_FRAME = 1,
	LEAF_BOOT = 2,
	LEAF_SEAL = 3,
	LEAF_CLOSE = 4,
	LEAF_TOMBSTONE = 5,
};

struct leaf_frame {
	uint8_t stream[OPS_ID_LEN]; /* 1 */
	uint8_t class;              /* 2 enum stream_class */
	uint64_t number;            /* 3 */
	bool has_prev;
	uint8_t prev
	    [OPS_HASH_LEN]; /* 4 leaf hash of the stream's previous FRAME in this log; absent in the first */
	uint64_t first;     /* 5 number of the first record */
	uint32_t count;     /* 6 records */
	uint64_t arrived_first;       /* 7 BOOTTIME ns */
	uint64_t arrived_last;        /* 8 */
	uint8_t codec;                /* 9 enum frame_codec */
	uint32_t stored_len;          /* 10 whole stored frame */
	uint32_t raw_len;             /* 11 */
	uint8_t sha256[OPS_HASH_LEN]; /* 12 of the whole stored frame */
	uint8_t root[OPS_HASH_LEN];   /* 13 over the records, frame.h */
};

/* All clocks, as BOOT and SEAL carry them. */
struct leaf_clock {
	uint8_t boot_id[16];
	struct ops_clock at;
};

/* Where the WAL stands: batches below `batch` are covered by leaves. */
struct leaf_wal {
	uint64_t batch;
	uint8_t chain[OPS_HASH_LEN]; /* chain value before that batch */
};

enum boot_why {
	BOOT_FIRST = 1,     /* the first leaf of the store */
	BOOT_CLEAN = 2,     /* the log ended with a final SEAL */
	BOOT_CRASH = 3,     /* it did not; see `found` */
	BOOT_NO_RESUME = 4, /* successor: resume key missing or wrong */
	BOOT_MACHINE = 5,   /* successor: the machine id changed */
	BOOT_ROTATE = 6,    /* successor: on request */
	BOOT_DAMAGED = 7,   /* successor: the old log can't be continued */
};

/* What recovery found; each is a crash shape of design 4.5. */
struct boot_found {
	uint64_t wal_records;     /* replayed from the WAL */
	uint64_t wal_torn_bytes;  /* of a batch cut short: never acknowledged */
	uint64_t leaf_torn_bytes; /* of an append cut short */
	uint64_t frames_cut;      /* segments whose tail had no leaf */
};

struct leaf_boot {
	uint64_t format;                  /* 1 LEAF_FORMAT */
	uint64_t compat;                  /* 2 ignorable feature flags */
	uint64_t incompat;                /* 3 must-understand feature flags */
	char origin[LEAF_ORIGIN_MAX + 1]; /* 4 text */
	uint8_t log_pub[OPS_PUB_LEN];     /* 5 key of the checkpoints */
	uint64_t period;                  /* 6 the period this starts */
	uint8_t seal_pub[OPS_PUB_LEN];    /* 7 its key */
	uint8_t resume_pub[OPS_PUB_LEN];  /* 8 signs the next BOOT */
	struct leaf_clock
	    clock; /* 9 boot id, 10 boottime, 11 monotonic, 12 realtime, 13 state */
	uint8_t machine
	    [16]; /* 14 first 16 of SHA-256("opseal machine" || origin's store id text || machine-id) */
	uint8_t events[OPS_ID_LEN]; /* 15 id of this boot's events stream */
	uint32_t why;               /* 16 enum boot_why */
	struct boot_found found;    /* 17 array of four */
	struct leaf_wal wal;        /* 18 batch, 19 chain */
	bool
	    has_pred; /* 20 array: origin text, size, root; only in a successor's first leaf */
	char pred_origin[LEAF_ORIGIN_MAX + 1];
	uint64_t pred_size;
	uint8_t pred_root[OPS_HASH_LEN];
	uint8_t sig
	    [OPS_SIG_LEN]; /* 21 by the resume key named last; in the first leaf of a log by log_pub */
};

struct leaf_seal {
	uint64_t period;               /* 1 */
	uint8_t next_pub[OPS_PUB_LEN]; /* 2 key of period + 1 */
	bool has_resume;
	uint8_t resume_pub
	    [OPS_PUB_LEN]; /* 3 a new resume key, about once a minute */
	struct leaf_clock
	    clock; /* 4 boot id, 5 boottime, 6 monotonic, 7 realtime, 8 state */
	uint64_t from;  /* 9 arrivals of the period lie in (from, until] */
	uint64_t until; /* 10 */
	bool final;     /* 11 1: clean stop, the WAL is empty; else absent */
	uint64_t open;  /* 12 sessions open at the cut */
	struct leaf_wal wal;      /* 13 batch, 14 chain */
	uint8_t sig[OPS_SIG_LEN]; /* 15 by the period's key */
};

struct leaf_close {
	uint8_t stream[OPS_ID_LEN]; /* 1 the session */
	uint32_t state;             /* 2 enum close_state */
	uint64_t frames;            /* 3 of its screen stream in this log */
	uint8_t last
	    [OPS_HASH_LEN]; /* 4 leaf hash of the last of them; absent if none */
	uint64_t events;    /* 5 event records of this session in this log */
	uint8_t chain
	    [OPS_HASH_LEN]; /* 6 c_0 = 32 zero bytes; c_i = SHA-256(c_{i-1} || record_i) */
};

/* The rule by which frames were deleted. */
enum tombstone_why {
	TOMBSTONE_SCREENS = 1, /* keep_screens; the limit is ns */
	TOMBSTONE_EVENTS = 2,  /* keep_events; ns */
	TOMBSTONE_SIZE = 3,    /* max_size; bytes */
	TOMBSTONE_FREE = 4,    /* keep_free; bytes */
};
#define TOMBSTONE_WHYS 5

/* Frames [from, to) of a stream were deleted under a retention rule. */
struct leaf_tombstone {
	uint8_t stream[OPS_ID_LEN]; /* 1 */
	uint64_t from;              /* 2 frame numbers */
	uint64_t to;                /* 3 */
	uint64_t realtime;          /* 4 when */
	bool has_rule;              /* 5 to 8 are there: since format 4 */
	uint8_t class;              /* 5 enum stream_class */
	uint32_t why;               /* 6 enum tombstone_why */
	uint64_t limit;             /* 7 what the rule said: ns or bytes */
	uint64_t age; /* 8 ns: the rule allows nothing that is younger */
};

struct leaf {
	enum leaf_type type;
	union {
		struct leaf_frame frame;
		struct leaf_boot boot;
		struct leaf_seal seal;
		struct leaf_close close;
		struct leaf_tombstone tombstone;
	} u;
};

/* Encode into out[LEAF_MAX]; returns the length, or -1: OPS_EUSAGE if a leaf
 * must not say this (what leaf_decode() would refuse; doc/format.md). */
long leaf_encode(
    const struct leaf *l, uint8_t out[static LEAF_MAX], struct ops_err *err);

/* Decode exactly n bytes.  Anything but the one canonical encoding is
 * OPS_EFORMAT; a BOOT of a newer format or with an unknown incompatible flag
 * is OPS_ENEWER, whatever follows (of ret, only type, format, compat and
 * incompat are filled in).  Otherwise *ret is untouched on failure. */
int leaf_decode(
    const uint8_t *p, size_t n, struct leaf *ret, struct ops_err *err);

/* SHA-256(0x00 || leaf bytes), RFC 6962. */
void leaf_hash(const uint8_t *p, size_t n, uint8_t out[static OPS_HASH_LEN]);

/*
 * The message a BOOT or SEAL signs (see above): appended to out (max at least
 * 2048).  size and root: the tree before this leaf.
 */
int leaf_signed_message(const struct leaf *l, const char *origin, uint64_t size,
    const uint8_t root[static OPS_HASH_LEN], struct ops_buf *out,
    struct ops_err *err);

/* -- the leaves file: u32 length, u32 CRC32C of the leaf, leaf, ... -- */
#define LEAF_FILE_HEADER 8
/* Append one entry to b. */
void leaf_file_put(struct ops_buf *b, const uint8_t *leaf, size_t n);
/* Take one entry from p[0..n).  Returns the bytes it takes (8 + *len), or -1:
 * OPS_ETRUNC (cut short), OPS_EFORMAT (length out of range, CRC wrong). */
long leaf_file_next(const uint8_t *p, size_t n, const uint8_t **leaf,
    size_t *len, struct ops_err *err);

#endif
