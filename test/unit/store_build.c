#include "store_build.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "merkle/checkpoint.h"
#include "merkle/tile.h"
#include "record/login.h"
#include "record/remark.h"
#include "record/walbatch.h"

#define MS 1000000ull

/* -- files in memory -- */

struct mem_open {
	struct vfs_file base;
	const struct memfile *f;
};

static struct memstore *
mem_of(struct vfs *v)
{
	return (struct memstore *)v;
}

struct memfile *
mem_find(const struct memstore *m, const char *path)
{
	for (size_t i = 0; i < m->n; i++)
		if (strcmp(m->file[i].path, path) == 0)
			return &m->file[i];
	return NULL;
}

/* A folder is what has a file in it. */
static bool
is_folder(const struct memstore *m, const char *path)
{
	size_t n = strlen(path);

	for (size_t i = 0; i < m->n; i++)
		if (n == 0 || (strncmp(m->file[i].path, path, n) == 0 &&
				  m->file[i].path[n] == '/'))
			return true;
	return n == 0;
}

static int
mem_vfs_open(struct vfs *v, const char *path, unsigned flags,
    struct vfs_file **ret, struct ops_err *err)
{
	struct memfile *f = mem_find(mem_of(v), path);
	struct mem_open *o;

	if (flags != VFS_READ)
		return ops_fail(err, OPS_EPERM, "read-only");
	if (f == NULL && is_folder(mem_of(v), path))
		return ops_fail(err, OPS_EFORMAT, "a folder");
	if (f == NULL)
		return ops_fail(err, OPS_ENOENT, "no such file");
	o = malloc(sizeof(*o));
	if (o == NULL)
		return ops_fail(err, OPS_ENOMEM, "no memory");
	o->base.vfs = v;
	o->f = f;
	*ret = &o->base;
	return 0;
}

static void
mem_vfs_close(struct vfs_file *f)
{
	free(f);
}

static ssize_t
mem_vfs_pread(
    struct vfs_file *vf, void *p, size_t n, uint64_t off, struct ops_err *err)
{
	const struct memfile *f = ((struct mem_open *)vf)->f;

	(void)err;
	if (off >= f->len)
		return 0;
	if (n > f->len - off)
		n = f->len - off;
	if (n > 0)
		memcpy(p, f->data + off, n);
	return (ssize_t)n;
}

static int
mem_vfs_size(struct vfs_file *vf, uint64_t *ret, struct ops_err *err)
{
	(void)err;
	*ret = ((struct mem_open *)vf)->f->len;
	return 0;
}

static bool
listed(const struct vfs_names *names, const char *s, size_t n)
{
	for (size_t i = 0; i < names->n; i++)
		if (strlen(names->name[i]) == n &&
		    memcmp(names->name[i], s, n) == 0)
			return true;
	return false;
}

static int
mem_vfs_list(
    struct vfs *v, const char *path, struct vfs_names *ret, struct ops_err *err)
{
	const struct memstore *m = mem_of(v);
	size_t n = *path == '\0' ? 0 : strlen(path) + 1;

	if (!is_folder(m, path))
		return ops_fail(err, OPS_ENOENT, "no such folder");
	ret->n = 0;
	ret->name = calloc(m->n + 1, sizeof(*ret->name));
	if (ret->name == NULL)
		return ops_fail(err, OPS_ENOMEM, "names");
	for (size_t i = 0; i < m->n; i++) {
		const char *rest = m->file[i].path + n;
		size_t len;

		if (n > 0 && (strncmp(m->file[i].path, path, n - 1) != 0 ||
				 m->file[i].path[n - 1] != '/'))
			continue;
		len = strcspn(rest, "/");
		if (!listed(ret, rest, len))
			ret->name[ret->n++] = strndup(rest, len);
	}
	return 0;
}

static const struct vfs_ops mem_ops = {
	.open = mem_vfs_open,
	.close = mem_vfs_close,
	.pread = mem_vfs_pread,
	.size = mem_vfs_size,
	.list = mem_vfs_list,
};

void
mem_init(struct memstore *m)
{
	*m = (struct memstore){ .vfs = { &mem_ops } };
}

void
mem_free(struct memstore *m)
{
	for (size_t i = 0; i < m->n; i++)
		free(m->file[i].data);
	free(m->file);
	mem_init(m);
}

void
mem_put(struct memstore *m, const char *path, const void *p, size_t n)
{
	struct memfile *f = mem_find(m, path);
	uint8_t *copy = malloc(n + 1);

	if (n > 0)
		memcpy(copy, p, n);
	if (f == NULL) {
		m->file = reallocarray(m->file, m->n + 1, sizeof(*m->file));
		f = &m->file[m->n++];
		memset(f, 0, sizeof(*f));
		snprintf(f->path, sizeof(f->path), "%s", path);
	}
	free(f->data);
	f->data = copy;
	f->len = n;
}

void
mem_copy(struct memstore *to, const struct memstore *from)
{
	mem_init(to);
	for (size_t i = 0; i < from->n; i++)
		mem_put(to, from->file[i].path, from->file[i].data,
		    from->file[i].len);
}

void
mem_remove(struct memstore *m, const char *path)
{
	struct memfile *f = mem_find(m, path);

	assert(f != NULL);
	free(f->data);
	*f = m->file[--m->n];
}

void
mem_rename(struct memstore *m, const char *from, const char *to)
{
	struct memfile *f = mem_find(m, from);

	assert(f != NULL);
	snprintf(f->path, sizeof(f->path), "%s", to);
}

void
mem_splice(struct memfile *f, size_t at, size_t cut, const void *p, size_t n)
{
	uint8_t *d = malloc(f->len + n + 1);

	assert(at + cut <= f->len);
	memcpy(d, f->data, at);
	if (n > 0)
		memcpy(d + at, p, n);
	memcpy(d + at + n, f->data + at + cut, f->len - at - cut);
	free(f->data);
	f->data = d;
	f->len = f->len + n - cut;
}

static void
mem_append(struct memstore *m, const char *path, const void *p, size_t n)
{
	struct memfile *f = mem_find(m, path);

	if (f == NULL)
		mem_put(m, path, p, n);
	else
		mem_splice(f, f->len, 0, p, n);
}

/* -- the writer -- */

struct ops_signer *
build_key(struct build *b)
{
	uint8_t seed[OPS_SEED_LEN] = { 0x5e };

	ops_putle64(seed + 8, ++b->seeds);
	return ops_signer_new(seed);
}

void
build_init(struct build *b)
{
	memset(b, 0, sizeof(*b));
	mem_init(&b->mem);
	b->leaves.max = 1u << 24;
	b->wal.max = 8u << 20;
	b->batch.max = WAL_BATCH_MAX;
	snprintf(b->origin, sizeof(b->origin), "%s", BUILD_ORIGIN);
	tree_init(&b->tree);
	b->log_key = build_key(b);
	b->now = 5000 * MS;
	b->wall = 1795600000ull * 1000 * MS; /* 2026-11-25, 11:46 UTC */
	memset(b->boot_id, 0xb1, sizeof(b->boot_id));
	b->ses = 7;
	b->next_batch = 1;
}

void
build_free(struct build *b)
{
	for (size_t i = 0; i < b->streams; i++)
		ops_buf_free(&b->stream[i].pending);
	ops_buf_free(&b->leaves);
	ops_buf_free(&b->wal);
	ops_buf_free(&b->batch);
	ops_signer_free(b->log_key);
	ops_signer_free(b->seal_key);
	ops_signer_free(b->resume_key);
	mem_free(&b->mem);
}

size_t
build_stream(struct build *b, uint8_t class)
{
	struct build_stream *s = &b->stream[b->streams];

	assert(b->streams < BUILD_STREAMS);
	memset(s->id, 0x11 * (int)(b->streams + 1), sizeof(s->id));
	s->id[9] = (uint8_t)b->streams;
	s->class = class;
	s->pending.max = FRAME_RAW_MAX;
	return b->streams++;
}

static void
log_path(const struct build *b, const char *name, char out[static 128])
{
	snprintf(out, 128, "log/%" PRIu32 "/%s", b->log, name);
}

static void
append_bytes(struct build *b, const uint8_t *leaf, size_t n)
{
	uint8_t hash[OPS_HASH_LEN];
	char path[128];

	leaf_hash(leaf, n, hash);
	tree_append(&b->tree, hash);
	leaf_file_put(&b->leaves, leaf, n);
	log_path(b, "leaves", path);
	mem_put(&b->mem, path, b->leaves.data, b->leaves.len);
}

void
build_leaf(struct build *b, const struct leaf *l)
{
	uint8_t bytes[LEAF_MAX];
	long n = leaf_encode(l, bytes, NULL);

	assert(n > 0);
	append_bytes(b, bytes, (size_t)n);
}

static void
sign_leaf(struct build *b, struct leaf *l, const struct ops_signer *key)
{
	struct ops_buf msg = { .max = 4096 };
	uint8_t root[OPS_HASH_LEN];

	tree_root(&b->tree, root);
	leaf_signed_message(l, b->origin, b->tree.size, root, &msg, NULL);
	ops_signer_sign(b->forge != NULL ? b->forge : key, msg.data, msg.len,
	    l->type == LEAF_BOOT ? l->u.boot.sig : l->u.seal.sig);
	ops_buf_free(&msg);
	build_leaf(b, l);
}

static void
clock_of(struct build *b, struct leaf_clock *c)
{
	b->now += MS;
	memcpy(c->boot_id, b->boot_id, 16);
	c->at = (struct ops_clock){ .boottime = b->now,
		.monotonic = b->now,
		.realtime = b->now + b->wall };
	b->mark_realtime = c->at.realtime;
}

/* A new WAL file with its header, preallocated a little. */
static void
new_wal(struct build *b)
{
	uint8_t head[WAL_BLOCK] = "OPSWAL01";

	ops_putle64(head + 8, ++b->wal_number);
	ops_putle64(head + 16, b->next_batch);
	ops_putle32(head + 508, ops_crc32c(0, head, 508));
	ops_buf_reset(&b->wal);
	ops_buf_put(&b->wal, head, sizeof(head));
}

static void
wal_path(const struct build *b, char out[static 128])
{
	snprintf(out, 128, "wal/%08" PRIu64 ".wal", b->wal_number);
}

static void
write_wal(struct build *b)
{
	static const uint8_t zero[4 * WAL_BLOCK];
	char path[128];

	wal_path(b, path);
	mem_put(&b->mem, path, b->wal.data, b->wal.len);
	mem_append(&b->mem, path, zero, sizeof(zero));
}

void
build_boot(struct build *b, enum boot_why why, const struct boot_found *found)
{
	struct leaf l = { .type = LEAF_BOOT };
	struct leaf_boot *o = &l.u.boot;
	struct ops_signer *next = build_key(b);
	bool first = b->tree.size == 0;

	new_wal(b);
	write_wal(b);
	b->run++;
	b->events = build_stream(b, CLASS_EVENTS);
	o->format = LEAF_FORMAT;
	snprintf(o->origin, sizeof(o->origin), "%s", b->origin);
	memcpy(o->log_pub, ops_signer_pub(b->log_key), OPS_PUB_LEN);
	b->period = first ? 0 : b->period + 1;
	o->period = b->period;
	ops_signer_free(b->seal_key);
	b->seal_key = build_key(b);
	memcpy(o->seal_pub, ops_signer_pub(b->seal_key), OPS_PUB_LEN);
	memcpy(o->resume_pub, ops_signer_pub(next), OPS_PUB_LEN);
	clock_of(b, &o->clock);
	memcpy(o->events, b->stream[b->events].id, OPS_ID_LEN);
	o->why = why;
	if (found != NULL)
		o->found = *found;
	if (b->sealed_wal.batch == 0)
		b->sealed_wal.batch = 1;
	o->wal = b->sealed_wal;
	sign_leaf(b, &l, first ? b->log_key : b->resume_key);
	ops_signer_free(b->resume_key);
	b->resume_key = next;
	b->from = why == BOOT_CRASH ? b->until_sealed : 0;
}

void
build_successor(struct build *b, enum boot_why why)
{
	struct leaf l = { .type = LEAF_BOOT };
	struct leaf_boot *o = &l.u.boot;
	struct ops_signer *next = build_key(b);

	tree_root(&b->tree, o->pred_root);
	o->pred_size = b->tree.size;
	snprintf(o->pred_origin, sizeof(o->pred_origin), "%s", b->origin);
	o->has_pred = true;
	b->log++;
	snprintf(
	    b->origin, sizeof(b->origin), "%s%" PRIu32, BUILD_ORIGIN, b->log);
	tree_init(&b->tree);
	ops_buf_reset(&b->leaves);
	ops_signer_free(b->log_key);
	b->log_key = build_key(b);
	for (size_t i = 0; i < b->streams; i++) {
		b->stream[i].has_prev = false;
		b->stream[i].log_frames = 0;
	}
	new_wal(b);
	write_wal(b);
	b->run++;
	b->events = build_stream(b, CLASS_EVENTS);
	o->format = LEAF_FORMAT;
	snprintf(o->origin, sizeof(o->origin), "%s", b->origin);
	memcpy(o->log_pub, ops_signer_pub(b->log_key), OPS_PUB_LEN);
	b->period = 0;
	ops_signer_free(b->seal_key);
	b->seal_key = build_key(b);
	memcpy(o->seal_pub, ops_signer_pub(b->seal_key), OPS_PUB_LEN);
	memcpy(o->resume_pub, ops_signer_pub(next), OPS_PUB_LEN);
	clock_of(b, &o->clock);
	memcpy(o->events, b->stream[b->events].id, OPS_ID_LEN);
	o->why = why;
	o->wal.batch = b->next_batch;
	memcpy(o->wal.chain, b->chain, OPS_HASH_LEN);
	sign_leaf(b, &l, b->log_key);
	ops_signer_free(b->resume_key);
	b->resume_key = next;
	b->from = 0;
}

void
build_record(
    struct build *b, size_t stream, uint8_t type, const void *p, size_t n)
{
	struct build_stream *s = &b->stream[stream];
	struct record r = { .type = type, .payload = p, .len = n };
	uint8_t bytes[RECORD_MAX];
	struct wal_entry e = { .class = s->class, .record = bytes };

	b->now += MS;
	r.time = b->now;
	e.len = record_encode(&r, bytes);
	memcpy(e.stream, s->id, OPS_ID_LEN);
	e.number = s->next_record++;
	e.arrival = b->now;
	if (!b->in_batch)
		wal_batch_begin(&b->batch, b->next_batch, b->period, b->chain);
	b->in_batch = true;
	wal_batch_add(&b->batch, &e);
	ops_buf_put(&s->pending, bytes, e.len);
	if (s->count++ == 0)
		s->arrived_first = b->now;
	s->arrived_last = b->now;
	if (s->class == CLASS_EVENTS)
		for (size_t i = 0; i < b->streams; i++) {
			struct build_stream *o = &b->stream[i];

			if (memcmp(o->id, p, OPS_ID_LEN) != 0)
				continue;
			ops_sha256_parts((struct ops_part[]){ { o->chain, 32 },
					     { bytes, e.len } },
			    2, o->chain);
			o->events++;
		}
}

void
build_output(struct build *b, size_t stream, const char *text)
{
	build_record(b, stream, REC_OUTPUT, text, strlen(text));
}

void
build_program(struct build *b, size_t stream, size_t session, const char *comm)
{
	static const uint8_t nobody[OPS_ID_LEN];
	struct ops_buf o = { .max = RECORD_PAYLOAD_MAX };
	const struct event_text name = { (const uint8_t *)comm, strlen(comm) };
	struct program_exec e = { .pid = 4242,
		.start = b->now,
		.auid = EVENT_UNSET,
		.ses = EVENT_UNSET,
		.joined = session != 0 ? JOINED_TTY : JOINED_NOTHING,
		.argc = 1,
		.args_len = name.n + 1,
		.comm = name,
		.args = { name.p, name.n + 1 } };
	struct program_capture c = { .what = CAPTURE_BEGAN,
		.pid = 42,
		.realtime = b->now + b->wall,
		.how = name };

	if (b->stream[stream].next_record == 0) {
		program_capture_put(&o, &c);
		build_record(b, stream, REC_CAPTURE, o.data, o.len);
		ops_buf_reset(&o);
	}
	program_exec_put(&o, session != 0 ? b->stream[session].id : nobody, &e);
	assert(!o.failed);
	build_record(b, stream, REC_EXEC, o.data, o.len);
	ops_buf_free(&o);
}

static struct event_text
text_of(const char *s)
{
	return (
	    struct event_text){ (const uint8_t *)s, s == NULL ? 0 : strlen(s) };
}

void
build_open(struct build *b, size_t session, uint32_t uid, const char *user,
    const char *tty, const char *command)
{
	struct event_open o = { .kind = SESSION_TERMINAL,
		.uid = uid,
		.auid = uid,
		.ses = b->ses,
		.user = text_of(user),
		.login = text_of(user),
		.tty = text_of(tty),
		.command = text_of(command),
		.cols = 80,
		.rows = 24,
		.realtime = b->now + b->wall };
	struct ops_buf p = { .max = RECORD_PAYLOAD_MAX };
	char argv[256] = "";

	/* arguments are joined by NUL; here they are given with '|' */
	for (size_t i = 0; command != NULL && command[i] != '\0'; i++)
		argv[i] = (char)(command[i] == '|' ? '\0' : command[i]);
	if (command != NULL)
		o.command.p = (const uint8_t *)argv;
	event_open_put(&p, b->stream[session].id, &o);
	build_record(b, b->events, REC_SESSION_OPEN, p.data, p.len);
	ops_buf_free(&p);
}

void
build_login(struct build *b, uint32_t ses, const char *person)
{
	const struct login l = { .auid = 1000,
		.ses = ses,
		.pid = 1000 + ses,
		.start = 1,
		.uid = 1000,
		.user = text_of("alice"),
		.service = text_of("sshd"),
		.method = text_of("publickey"),
		.key = text_of(person),
		.person = text_of(person),
		.how = person != NULL ? LOGIN_MAP : LOGIN_NOBODY };
	struct ops_buf p = { .max = RECORD_PAYLOAD_MAX };

	login_put(&p, &l);
	build_record(b, b->events, REC_LOGIN, p.data, p.len);
	ops_buf_free(&p);
}

void
build_remark(struct build *b, size_t session, uint32_t kind, const char *text)
{
	const struct remark r = {
		.kind = kind, .uid = 1000, .pid = 7, .text = text_of(text)
	};
	struct ops_buf p = { .max = RECORD_PAYLOAD_MAX };

	remark_put(&p, b->stream[session].id, &r);
	build_record(b, b->events, REC_NOTE, p.data, p.len);
	ops_buf_free(&p);
}

void
build_close(struct build *b, size_t session, uint32_t state)
{
	struct event_close c = { .state = state,
		.why = state == CLOSE_CLOSED ? CLOSE_EXIT : CLOSE_RECORDER };
	struct ops_buf p = { .max = RECORD_PAYLOAD_MAX };

	event_close_put(&p, b->stream[session].id, &c);
	build_record(b, b->events, REC_SESSION_CLOSE, p.data, p.len);
	b->stream[session].closing = true;
	b->stream[session].close_state = state;
	ops_buf_free(&p);
}

void
build_gap(struct build *b, size_t session, uint64_t bytes)
{
	struct event_gap g = { .bytes = bytes };
	struct ops_buf p = { .max = RECORD_PAYLOAD_MAX };

	event_gap_put(&p, b->stream[session].id, &g);
	build_record(b, b->events, REC_GAP_EVENT, p.data, p.len);
	ops_buf_free(&p);
}

void
build_sync(struct build *b)
{
	struct ops_buf blocks = { .max = WAL_DISK_LEN(WAL_BATCH_MAX) };

	if (!b->in_batch)
		return;
	wal_batch_end(&b->batch, b->seal_key, b->chain, NULL);
	wal_batch_blocks(&b->batch, &blocks, NULL);
	ops_buf_put(&b->wal, blocks.data, blocks.len);
	ops_buf_free(&blocks);
	b->in_batch = false;
	b->next_batch++;
	write_wal(b);
}

/* Where this stream's next frame goes; begins a segment if it must. */
static void
place_frame(struct build *b, struct build_stream *s)
{
	struct segment_header h = { .class = s->class,
		.first_frame = s->next_frame,
		.number = s->segments };
	uint8_t head[SEGMENT_HEADER];
	char day[11], text[OPS_ID_TEXT_LEN + 1];

	ops_time_day(b->mark_realtime, day);
	if (s->segments > 0 && s->run == b->run && strcmp(day, s->day) == 0)
		return;
	memcpy(h.stream, s->id, OPS_ID_LEN);
	segment_header_encode(&h, head);
	ops_id_text(s->id, text);
	snprintf(s->path, sizeof(s->path), "data/%s/%s/%s-%04" PRIu32 ".seg",
	    stream_class_name(s->class), day, text, s->segments);
	memcpy(s->day, day, sizeof(day));
	s->run = b->run;
	s->segments++;
	mem_put(&b->mem, s->path, head, sizeof(head));
}

static void
cut_frame(struct build *b, struct build_stream *s)
{
	struct frame_id id = { .class = s->class,
		.number = s->next_frame,
		.first = s->next_record - s->count };
	struct leaf l = { .type = LEAF_FRAME };
	struct leaf_frame *f = &l.u.frame;
	struct frame_maker *m = frame_maker_new();
	struct ops_buf out = { .max = FRAME_STORED_MAX };
	uint8_t seeds[FRAME_SEEDS] = { 9 }, bytes[LEAF_MAX];
	struct frame_digest d;
	long n;

	ops_putle64(seeds + 8, ++b->seeds);
	memcpy(id.stream, s->id, OPS_ID_LEN);
	n = frame_make(m, &id, s->count, s->pending.data, s->pending.len, seeds,
	    &out, &d, NULL);
	assert(n == 0);
	place_frame(b, s);
	mem_append(&b->mem, s->path, out.data, out.len);
	memcpy(f->stream, s->id, OPS_ID_LEN);
	f->class = s->class;
	f->number = s->next_frame;
	f->has_prev = s->has_prev;
	memcpy(f->prev, s->prev, OPS_HASH_LEN);
	f->first = id.first;
	f->count = s->count;
	f->arrived_first = s->arrived_first;
	f->arrived_last = s->arrived_last;
	f->codec = CODEC_ZSTD;
	f->stored_len = d.stored_len;
	f->raw_len = d.raw_len;
	memcpy(f->sha256, d.sha256, OPS_HASH_LEN);
	memcpy(f->root, d.root, OPS_HASH_LEN);
	n = leaf_encode(&l, bytes, NULL);
	assert(n > 0);
	leaf_hash(bytes, (size_t)n, s->prev);
	append_bytes(b, bytes, (size_t)n);
	s->has_prev = true;
	s->next_frame++;
	s->log_frames++;
	s->count = 0;
	ops_buf_reset(&s->pending);
	ops_buf_free(&out);
	frame_maker_free(m);
}

static void
close_leaf(struct build *b, struct build_stream *s)
{
	struct leaf l = { .type = LEAF_CLOSE };
	struct leaf_close *c = &l.u.close;

	memcpy(c->stream, s->id, OPS_ID_LEN);
	c->state = s->close_state;
	c->frames = s->log_frames;
	if (s->log_frames > 0)
		memcpy(c->last, s->prev, OPS_HASH_LEN);
	c->events = s->events + b->wrong_events;
	memcpy(c->chain, s->chain, OPS_HASH_LEN);
	s->closing = false;
	build_leaf(b, &l);
}

void
build_frames(struct build *b)
{
	build_sync(b);
	for (size_t i = 0; i < b->streams; i++)
		if (b->stream[i].count > 0)
			cut_frame(b, &b->stream[i]);
	for (size_t i = 0; i < b->streams; i++)
		if (b->stream[i].closing)
			close_leaf(b, &b->stream[i]);
}

void
build_checkpoint(struct build *b)
{
	struct checkpoint c = { .size = b->tree.size };
	struct ops_buf note = { .max = NOTE_MAX };
	struct note_key key;
	char path[128];

	snprintf(c.origin, sizeof(c.origin), "%s", b->origin);
	tree_root(&b->tree, c.root);
	note_key_init(
	    &key, b->origin, NOTE_ED25519, ops_signer_pub(b->log_key), NULL);
	checkpoint_sign(&c, &key, b->log_key, &note, NULL);
	log_path(b, "checkpoint", path);
	mem_put(&b->mem, path, note.data, note.len);
	ops_buf_free(&note);
}

void
build_seal(struct build *b, bool final, bool new_resume)
{
	struct leaf l = { .type = LEAF_SEAL };
	struct leaf_seal *s = &l.u.seal;
	struct ops_signer *next = build_key(b), *resume = NULL;

	build_frames(b);
	s->period = b->period;
	memcpy(s->next_pub, ops_signer_pub(next), OPS_PUB_LEN);
	if (new_resume) {
		resume = build_key(b);
		s->has_resume = true;
		memcpy(s->resume_pub, ops_signer_pub(resume), OPS_PUB_LEN);
	}
	s->from = b->from;
	s->until = b->now;
	clock_of(b, &s->clock);
	s->final = final;
	s->wal.batch = b->next_batch;
	memcpy(s->wal.chain, b->chain, OPS_HASH_LEN);
	b->sealed_wal = s->wal;
	sign_leaf(b, &l, b->seal_key);
	b->from = b->until_sealed = s->until;
	b->period++;
	ops_signer_free(b->seal_key);
	b->seal_key = next;
	if (resume != NULL) {
		ops_signer_free(b->resume_key);
		b->resume_key = resume;
	}
	if (!b->no_checkpoint)
		build_checkpoint(b);
	if (final) {
		for (size_t i = b->mem.n; i > 0; i--)
			if (strncmp(b->mem.file[i - 1].path, "wal/", 4) == 0)
				mem_remove(&b->mem, b->mem.file[i - 1].path);
	}
}

/* Tiles as C2SP has them, from the leaves file. */
void
build_tiles(struct build *b, bool partial)
{
	size_t n = (size_t)b->tree.size;
	uint8_t *hash = malloc(n * OPS_HASH_LEN + 1);
	struct ops_buf bundle = { .max = 1u << 20 };
	const uint8_t *leaf;
	size_t len, at = 0;
	char name[TILE_PATH_MAX], path[128];

	for (size_t i = 0; i < n; i++) {
		at += (size_t)leaf_file_next(
		    b->leaves.data + at, b->leaves.len - at, &leaf, &len, NULL);
		leaf_hash(leaf, len, hash + i * OPS_HASH_LEN);
		tile_entry_put(&bundle, leaf, len);
		if ((i + 1) % TILE_WIDTH != 0 && !(partial && i + 1 == n))
			continue;
		tile_path(TILE_ENTRIES, i / TILE_WIDTH,
		    (unsigned)((i + 1) % TILE_WIDTH), name);
		log_path(b, name, path);
		mem_put(&b->mem, path, bundle.data, bundle.len);
		ops_buf_reset(&bundle);
	}
	for (int level = 0; n > 0; level++) {
		for (size_t i = 0; i < n; i += TILE_WIDTH) {
			size_t w = n - i < TILE_WIDTH ? n - i : TILE_WIDTH;

			if (w < TILE_WIDTH && !partial)
				continue;
			tile_path(level, i / TILE_WIDTH, (unsigned)w, name);
			log_path(b, name, path);
			mem_put(&b->mem, path, hash + i * OPS_HASH_LEN,
			    w * OPS_HASH_LEN);
		}
		for (size_t i = 0; i < n / TILE_WIDTH; i++)
			tree_root_of(hash + i * TILE_BYTES, TILE_WIDTH,
			    hash + i * OPS_HASH_LEN);
		n /= TILE_WIDTH;
	}
	ops_buf_free(&bundle);
	free(hash);
}

void
build_example(struct build *b)
{
	size_t one, two, programs;

	build_init(b);
	build_boot(b, BOOT_FIRST, NULL);
	build_seal(b, false, false);
	one = build_stream(b, CLASS_SCREEN);
	two = build_stream(b, CLASS_SCREEN);
	programs = build_stream(b, CLASS_PROGRAMS);
	build_open(b, one, 1000, "alice", "pts/3", NULL);
	build_output(b, one, "hello, world\r\n");
	build_output(b, one, "$ ");
	build_sync(b);
	build_output(b, one, "make\r\n");
	build_program(b, programs, one, "make");
	build_seal(b, false, true);
	build_open(b, two, 1001, "bob", "pts/4", "vim|/etc/passwd");
	build_output(b, two, "another screen\r\n");
	build_output(b, one, "done\r\n");
	build_gap(b, two, 77);
	build_close(b, two, CLOSE_LOST);
	/* Told late: the session's account is closed, and doesn't have it. */
	build_program(b, programs, two, "vim");
	build_program(b, programs, 0, "cron");
	build_seal(b, true, false);
	/* the next day, in the same kernel boot */
	b->now += 24 * 3600 * 1000 * MS;
	build_boot(b, BOOT_CLEAN, NULL);
	build_seal(b, false, false);
	build_output(b, one, "exit\r\n");
	build_seal(b, false, false);
	build_program(b, programs, one, "true");
	build_close(b, one, CLOSE_CLOSED);
	build_seal(b, true, false);
}

void
build_running(struct build *b)
{
	size_t one, programs;

	build_init(b);
	build_boot(b, BOOT_FIRST, NULL);
	build_seal(b, false, false);
	one = build_stream(b, CLASS_SCREEN);
	build_open(b, one, 1000, "alice", "pts/3", NULL);
	programs = build_stream(b, CLASS_PROGRAMS);
	build_output(b, one, "hello, world\r\n");
	build_program(b, programs, one, "ls");
	build_sync(b);
	build_seal(b, false, false);
	build_output(b, one, "not sealed yet\r\n");
	build_sync(b);
	build_output(b, one, "nor this\r\n");
	build_program(b, programs, one, "cat");
	build_sync(b);
	build_close(b, one, CLOSE_CLOSED);
	build_sync(b);
}
