/*
 * store_build - stores made by hand for tests of what reads them.
 *
 * A second writer, written from the format alone and sharing no code with
 * lib/store's, that puts a store into a file system in memory; deterministic,
 * and able to do what a right writer never does.
 */
#ifndef OPS_TEST_STORE_BUILD_H
#define OPS_TEST_STORE_BUILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/crypto.h"
#include "merkle/note.h"
#include "merkle/tree.h"
#include "record/event.h"
#include "record/frame.h"
#include "record/leaf.h"
#include "record/program.h"
#include "record/record.h"
#include "store/vfs.h"

/* -- files in memory; for reading through a vfs, changed directly -- */
struct memfile {
	char path[128];
	uint8_t *data;
	size_t len;
};
struct memstore {
	struct vfs vfs; /* first; not freed by vfs_free() */
	struct memfile *file;
	size_t n;
};

void mem_init(struct memstore *m);
void mem_free(struct memstore *m);
void mem_copy(struct memstore *to, const struct memstore *from);
struct memfile *mem_find(const struct memstore *m, const char *path);
void mem_put(struct memstore *m, const char *path, const void *p, size_t n);
void mem_remove(struct memstore *m, const char *path);
void mem_rename(struct memstore *m, const char *from, const char *to);
/* Take n bytes out at this place, and put others in. */
void mem_splice(
    struct memfile *f, size_t at, size_t cut, const void *p, size_t n);

/* -- the writer -- */
#define BUILD_STREAMS 24
#define BUILD_ORIGIN "opseal.example/log/test"

struct build_stream {
	uint8_t id[OPS_ID_LEN];
	uint8_t class;
	uint64_t next_frame, next_record;
	bool has_prev;
	uint8_t prev[OPS_HASH_LEN];
	uint64_t log_frames;
	struct ops_buf pending;
	uint32_t count;
	uint64_t arrived_first, arrived_last;
	/* its segment */
	uint32_t segments;
	char path[128], day[11];
	unsigned run;
	/* its session's account */
	uint64_t events;
	uint8_t chain[OPS_HASH_LEN];
	bool closing;
	uint32_t close_state;
};

struct build {
	struct memstore mem;
	uint32_t log;
	char origin[64];
	struct tree tree;
	struct ops_buf leaves;
	struct ops_signer *log_key, *seal_key, *resume_key;
	uint64_t seeds; /* counter: all keys and frame seeds come from it */
	uint64_t period;
	uint64_t now;  /* BOOTTIME */
	uint64_t wall; /* REALTIME - BOOTTIME */
	uint64_t from; /* of the period */
	uint32_t ses;  /* of sessions that are opened */
	uint64_t until_sealed;
	uint8_t boot_id[16];
	uint64_t mark_realtime; /* of the last BOOT or SEAL */
	unsigned run;
	struct build_stream stream[BUILD_STREAMS];
	size_t streams;
	size_t events; /* the events stream of this run */
	/* WAL */
	struct ops_buf wal, batch;
	uint64_t next_batch, wal_number;
	uint8_t chain[OPS_HASH_LEN];
	struct leaf_wal sealed_wal;
	bool in_batch;
	/* for attacks */
	struct ops_signer *forge; /* signs the next BOOT or SEAL instead */
	bool no_checkpoint;       /* the next SEAL gets none */
	bool wrong_events;        /* the next CLOSE miscounts */
};

void build_init(struct build *b);
void build_free(struct build *b);
struct ops_signer *build_key(struct build *b); /* a new one */
/* A new stream; its index. */
size_t build_stream(struct build *b, uint8_t class);
void build_boot(
    struct build *b, enum boot_why why, const struct boot_found *found);
/* A record arrives: into the WAL's open batch and the stream's open frame. */
void build_record(
    struct build *b, size_t stream, uint8_t type, const void *p, size_t n);
void build_output(struct build *b, size_t stream, const char *text);
void build_open(struct build *b, size_t session, uint32_t uid, const char *user,
    const char *tty, const char *command); /* argv joined by "|" */
/* Somebody logged in; person by the map, NULL: none.  Sessions that build_open()
 * makes have the audit session 7. */
void build_login(struct build *b, uint32_t ses, const char *person);
/* A reason of it (text NULL: asked for, and none given), or a note in it. */
void build_remark(
    struct build *b, size_t session, uint32_t kind, const char *text);
/* One was executed, in that session (0: in none); in front of a stream's first,
 * that capture began. */
void build_program(
    struct build *b, size_t stream, size_t session, const char *comm);
void build_close(struct build *b, size_t session, uint32_t state);
void build_gap(struct build *b, size_t session, uint64_t bytes);
void build_sync(struct build *b); /* ends the batch */
void build_leaf(
    struct build *b, const struct leaf *l); /* signed leaves: complete */
void build_frames(struct build *b); /* cut, write and commit open frames */
void build_seal(struct build *b, bool final, bool new_resume);
void build_checkpoint(struct build *b);
void build_tiles(struct build *b, bool partial);
/* Begin log n + 1. */
void build_successor(struct build *b, enum boot_why why);

/* A small whole store: two sessions, a restart, a day's change, closed. */
void build_example(struct build *b);
/* The same with the writer at work: unsealed batches. */
void build_running(struct build *b);

#endif
