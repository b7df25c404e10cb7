/*
 * make_seeds - writes the seeds of lib/record's fuzz targets.
 *
 * usage: make-seeds DIRECTORY (test/fuzz of the source).  Run by hand when
 * the format gains something; the files are part of the source.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "record/cbor.h"
#include "record/event.h"
#include "record/frame.h"
#include "record/leaf.h"
#include "record/login.h"
#include "record/parts.h"
#include "record/program.h"
#include "record/remark.h"
#include "record/walbatch.h"
#include "store/programs.h"
#include "store/remarks.h"

static const char *directory;

static void
save(const char *target, const char *name, const void *p, size_t n)
{
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s/seeds/%s", directory, target, name);
	f = fopen(path, "wbe");
	if (f == NULL || fwrite(p, 1, n, f) != n || fclose(f) != 0) {
		perror(path);
		exit(1);
	}
}

static void
save_buf(const char *target, const char *name, struct ops_buf *b)
{
	if (b->failed)
		abort();
	save(target, name, b->data, b->len);
	ops_buf_reset(b);
}

static void
put_record(struct ops_buf *b, uint8_t type, const void *p, size_t n)
{
	struct record r = { .type = type,
		.time = 1000000007 * (b->len + 1),
		.payload = p,
		.len = n };

	if (parts_put(b, &r, NULL) < 0)
		abort();
}

static void
put_screen(struct ops_buf *b)
{
	put_record(b, REC_RESIZE, "\x50\0\x18\0", 4);
	put_record(b, REC_OUTPUT, "$ ", 2);
	put_record(b, REC_INPUT, "ls\r", 3);
	put_record(b, REC_OUTPUT, "ls\r\n", 4);
	put_record(b, REC_ECHO, "\x02", 1);
	put_record(b, REC_MASKED, "\x01", 1);
	put_record(b, REC_STOP, "\x14", 1);
	put_record(b, REC_CONT, NULL, 0);
	put_record(b, REC_GAP, "abcdefghijklmnopqrstuvwx", 24);
	put_record(b, REC_EXIT, "\0\1\0\0", 4);
}

static void
cbor_seeds(void)
{
	struct ops_buf b = { .max = 4096 };

	cbor_put_map(&b, 3);
	cbor_put_uint(&b, 1);
	cbor_put_text(&b, "t\xc3\xa9xt", 5);
	cbor_put_uint(&b, 300);
	cbor_put_array(&b, 2);
	cbor_put_uint(&b, 70000);
	cbor_put_bytes(&b, "\0\xff", 2);
	cbor_put_uint(&b, 1ull << 33);
	cbor_put_map(&b, 0);
	save_buf("cbor", "map", &b);
	for (int i = 0; i < 7; i++)
		cbor_put_array(&b, 1);
	cbor_put_uint(&b, UINT64_MAX);
	save_buf("cbor", "deep", &b);
	save("cbor", "indefinite", "\x9f\x01\xff", 3);
	save("cbor", "long-form", "\xa1\x18\x01\x19\x00\x02", 6);
	ops_buf_free(&b);
}

static void
record_seeds(void)
{
	static uint8_t x[20000];
	struct ops_buf b = { .max = 65536 };

	put_screen(&b);
	save_buf("record", "screen", &b);
	put_record(&b, REC_ACCESS, x, 11);
	put_record(&b, REC_OUTPUT, x, 100);
	save_buf("record", "mixed", &b);
	put_record(&b, REC_SESSION_OPEN, x, 17000);
	save_buf("record", "parts", &b);
	/* the same shape, small enough to be mutated */
	for (uint8_t i = 0; i < 3; i++) {
		uint8_t p[24] = { REC_OUTPUT, RECORD_PART, 12, 0 };

		p[12] = i;
		p[14] = 3;
		ops_buf_put(&b, p, sizeof(p));
	}
	save_buf("record", "parts-small", &b);
	ops_buf_free(&b);
}

static void
event_seeds(void)
{
#define T(s)                                                                   \
	{                                                                      \
		(const uint8_t *)(s), sizeof(s) - 1                            \
	}
	const struct event_open open = { .kind = SESSION_TERMINAL,
		.uid = 1000,
		.gid = 1000,
		.auid = 1000,
		.ses = 3,
		.pid = 4242,
		.start = 123456,
		.user = T("ann"),
		.tty = T("pts/3"),
		.inner = T("pts/4"),
		.cols = 80,
		.rows = 24,
		.term = T("xterm"),
		.from = T("192.0.2.7"),
		.command = T("ls\0-l"),
		.command_cut = true,
		.recorder_pid = 4243,
		.recorder_start = 123457,
		.host = T("host"),
		.input = true,
		.realtime = 1795000000000000000,
		.login = T("ann"),
		.has_inner = true,
		.inner_fs = 23,
		.inner_dev = 136 << 20 | 4,
		.ancestors = T("\1\0\0\0\2\0\0\0\0\0\0\0") };
	const struct event_close close = { .state = CLOSE_CLOSED,
		.why = CLOSE_EXIT,
		.has_status = true,
		.status = 256,
		.bytes_out = 100,
		.records = 5 };
	const struct event_access access = { .uid = 0,
		.auid = 1000,
		.pid = 9,
		.user = T("root"),
		.what = T("cat"),
		.has_session = true,
		.session = "0123456789",
		.refused = true };
	const struct event_gap gap = { 4096, 1000000, 2000000 };
	const struct event_bypass bypass = { 77, 1000, T("tmux") };
	const struct event_daemon daemon = { .what = DAEMON_START,
		.pid = 1,
		.text = T("0.1.0"),
		.realtime = 1795000000000000000 };
	const uint8_t id[OPS_ID_LEN] = "session-id";
	struct ops_buf b = { .max = 4096 };
#undef T

	ops_buf_put8(&b, 0);
	event_open_put(&b, id, &open);
	save_buf("event", "open", &b);
	ops_buf_put8(&b, 1);
	event_close_put(&b, id, &close);
	save_buf("event", "close", &b);
	ops_buf_put8(&b, 2);
	event_access_put(&b, &access);
	save_buf("event", "access", &b);
	ops_buf_put8(&b, 3);
	event_gap_put(&b, id, &gap);
	save_buf("event", "gap", &b);
	ops_buf_put8(&b, 4);
	event_bypass_put(&b, id, &bypass);
	save_buf("event", "bypass", &b);
	ops_buf_put8(&b, 5);
	event_daemon_put(&b, &daemon);
	save_buf("event", "daemon", &b);
	ops_buf_free(&b);
}

static void
login_seeds(void)
{
#define T(s)                                                                   \
	{                                                                      \
		(const uint8_t *)(s), sizeof(s) - 1                            \
	}
	const struct login in = { .auid = 1000,
		.ses = 3,
		.pid = 4242,
		.start = 123456,
		.uid = 1000,
		.user = T("ec2-user"),
		.service = T("sshd"),
		.from = T("192.0.2.7"),
		.tty = T("ssh"),
		.method = T("publickey"),
		.key = T("SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU"),
		.type = T("ssh-ed25519-cert-v01@openssh.com"),
		.cert_id = T("alice@example.org"),
		.serial = 77,
		.ca = T("SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU"),
		.principals = T("ec2-user\0root"),
		.comment = T("alice"),
		.person = T("Alice"),
		.how = LOGIN_MAP,
		.realtime = 1795000000000000000 };
	const struct logout out = { .auid = 1000,
		.ses = 3,
		.pid = 4242,
		.start = 123456,
		.user = T("ec2-user"),
		.service = T("sshd"),
		.has_bytes = true,
		.bytes_in = 1,
		.bytes_out = 2,
		.realtime = 1795000000000000000 };
	struct ops_buf b = { .max = 4096 };
#undef T

	ops_buf_put8(&b, 0);
	login_put(&b, &in);
	save_buf("login", "in", &b);
	ops_buf_put8(&b, 1);
	logout_put(&b, &out);
	save_buf("login", "out", &b);
	ops_buf_free(&b);
}

static void
remark_seeds(void)
{
	const uint8_t id[OPS_ID_LEN] = "session-id";
	const struct remark_seen note = {
		.r = { .kind = REMARK_NOTE,
		    .uid = 1000,
		    .auid = EVENT_UNSET,
		    .pid = 4242,
		    .start = 123456,
		    .realtime = 1795000000000000000,
		    .text = { (const uint8_t *)"CHG-1", 5 } },
		.time = 1000,
		.wall = 1795000000000000000,
		.sealed = true
	};
	const struct remark none = { .kind = REMARK_REASON };
	struct ops_buf b = { .max = 4096 }, one = { .max = 4096 };

	remark_put(&b, id, &note.r);
	save_buf("remark", "note", &b);
	remark_put(&b, id, &none);
	save_buf("remark", "none", &b);
	remark_seen_put(&one, id, &note);
	for (int i = 0; i < 2; i++) {
		ops_buf_putle16(&b, (uint16_t)one.len);
		ops_buf_put(&b, one.data, one.len);
	}
	save_buf("remarks", "two", &b);
	ops_buf_free(&one);
	ops_buf_free(&b);
}

static void
program_seeds(void)
{
#define T(s)                                                                   \
	{                                                                      \
		(const uint8_t *)(s), sizeof(s) - 1                            \
	}
	const struct program_capture capture = { CAPTURE_BEGAN, 42, 1,
		T("tp_btf"), T("host") };
	const struct program_exec exec = { .pid = 4242,
		.start = 123456789,
		.ppid = 4200,
		.auid = 1000,
		.ses = 3,
		.joined = JOINED_INFERRED,
		.argc = 2,
		.args_len = 6,
		.has_before = true,
		.comm = T("ls"),
		.args = T("ls\0-l\0"),
		.exe = T("/usr/bin/ls"),
		.cwd = T("/root"),
		.holes = T("0123456789abcdef"),
		.env = T("LANG=C\0"),
		.also = T("0123456789"),
		.has_ancestor = true,
		.ancestor = 4100,
		.ancestor_back = 7 };
	const struct program_args args = { 4242, 123456789, 8000, T("x\0") };
	const struct program_ended ended = { .pid = 4242,
		.start = 123456789,
		.status = 0x8b,
		.has_who = true,
		.comm = T("ls") };
	struct program_failed failed = {
		.pid = 4242, .error = 2, .comm = T("sh"), .name = T("/nowhere")
	};
	const struct program_loss loss = { 1, 2, 3, 4, 5, 6, 7, 8 };
	const struct program_accounted accounted = { .pid = 4242,
		.uid = 1000,
		.status = 0x8b,
		.began = 1795769916,
		.unsure = true,
		.comm = T("sh") };
	const struct program_coverage coverage = { 1, 2, 3, 4, 5, 6, 7, 8 };
	const uint8_t id[OPS_ID_LEN] = "session-id";
	struct ops_buf b = { .max = 4096 };
#undef T

	ops_buf_put8(&b, 0);
	program_capture_put(&b, &capture);
	save_buf("program", "capture", &b);
	ops_buf_put8(&b, 1);
	program_exec_put(&b, id, &exec);
	save_buf("program", "exec", &b);
	ops_buf_put8(&b, 2);
	program_args_put(&b, id, &args);
	save_buf("program", "args", &b);
	ops_buf_put8(&b, 3);
	program_ended_put(&b, id, &ended);
	save_buf("program", "ended", &b);
	ops_buf_put8(&b, 4);
	program_failed_put(&b, id, &failed);
	save_buf("program", "failed", &b);
	failed.has_where = failed.has_ancestor = true;
	failed.tty = 136u << 20 | 3;
	failed.ppid = 4200;
	failed.ancestor = 4100;
	ops_buf_put8(&b, 4);
	program_failed_put(&b, id, &failed);
	save_buf("program", "failed_where", &b);
	ops_buf_put8(&b, 5);
	program_loss_put(&b, &loss);
	save_buf("program", "loss", &b);
	ops_buf_put8(&b, 6);
	program_accounted_put(&b, &accounted);
	save_buf("program", "accounted", &b);
	ops_buf_put8(&b, 7);
	program_coverage_put(&b, &coverage);
	save_buf("program", "coverage", &b);
	ops_buf_free(&b);
}

static void
one_program(const char *name, const struct program *p)
{
	struct ops_buf one = { .max = 65536 }, b = { .max = 1u << 20 };

	program_put(&one, p);
	ops_buf_putle16(&b, (uint16_t)one.len);
	ops_buf_put(&b, one.data, one.len);
	if (p->exec.args.n > PROGRAM_ARGS_MAX)
		ops_buf_put(&b, p->exec.args.p + PROGRAM_ARGS_MAX,
		    p->exec.args.n - PROGRAM_ARGS_MAX);
	save_buf("programs", name, &b);
	ops_buf_free(&one);
	ops_buf_free(&b);
}

static void
programs_seeds(void)
{
	static uint8_t args[PROGRAM_ARGS_MAX + 3000];
	struct program p = { .kind = PROGRAM_RAN,
		.session = "0123456789",
		.number = 3,
		.time = 1,
		.boottime = 2,
		.has_offset = true,
		.exec = { .pid = 7, .args_len = sizeof(args) },
		.has_end = true,
		.end = { .pid = 7, .status = 0x100 } };

	memset(args, 'x', sizeof(args));
	args[sizeof(args) - 1] = 0;
	one_program("exec", &p);
	p.exec.args = (struct event_text){ args, sizeof(args) };
	one_program("long", &p);
	p = (struct program){ .kind = PROGRAM_FAILED, .failed = { .pid = 8 } };
	one_program("failed", &p);
	p = (struct program){ .kind = PROGRAM_LOST, .loss = { .execs = 4 } };
	one_program("lost", &p);
	p = (struct program){ .kind = PROGRAM_ENDED,
		.has_end = true,
		.end = { .pid = 9, .has_who = true } };
	one_program("ended", &p);
	p = (struct program){ .kind = PROGRAM_ACCOUNTED,
		.has_end = true,
		.accounted = { .pid = 9, .flags = 1 } };
	one_program("accounted", &p);
	p = (struct program){ .kind = PROGRAM_COVERAGE,
		.coverage = { .captured = 4 } };
	one_program("coverage", &p);
}

static void
frame_seeds(void)
{
	const struct segment_header segment = { .stream = "stream-id",
		.class = CLASS_SCREEN,
		.first_frame = 7,
		.number = 1 };
	struct frame_id id = { .stream = "stream-id",
		.class = CLASS_SCREEN,
		.number = 7,
		.first = 100 };
	const uint8_t program[2000] = "not looked at";
	const uint8_t seeds[FRAME_SEEDS] = "a seed";
	struct ops_buf records = { .max = 3 * FRAME_CHUNK };
	struct ops_buf out = { .max = FRAME_STORED_MAX };
	struct frame_maker *m = frame_maker_new();
	uint8_t header[SEGMENT_HEADER];
	struct frame_digest d;
	uint32_t count;

	put_screen(&records);
	if (m == NULL || frame_make(m, &id, 10, records.data, records.len,
			     seeds, &out, &d, NULL) < 0)
		abort();
	save_buf("frame", "stored", &out);
	save_buf("frame", "records", &records);
	/* One of several chunks. */
	ops_buf_reset(&records);
	ops_buf_reset(&out);
	for (count = 0; records.len < 2 * FRAME_CHUNK + 100; count++)
		put_record(&records, REC_ENDED, program, sizeof(program));
	id.class = CLASS_PROGRAMS;
	if (frame_make(m, &id, count, records.data, records.len, seeds, &out,
		&d, NULL) < 0)
		abort();
	save_buf("frame", "chunks", &out);
	save_buf("frame", "programs", &records);
	segment_header_encode(&segment, header);
	save("frame", "segment", header, sizeof(header));
	frame_maker_free(m);
	ops_buf_free(&records);
	ops_buf_free(&out);
}

static void
save_leaf(const char *name, const struct leaf *l, struct ops_buf *file)
{
	uint8_t p[LEAF_MAX];
	long n = leaf_encode(l, p, NULL);

	if (n < 0)
		abort();
	save("leaf", name, p, (size_t)n);
	leaf_file_put(file, p, (size_t)n);
}

static void
leaf_seeds(void)
{
	const struct ops_clock at = { 5000000000, 4000000000,
		1795000000000000000, 64 };
	struct leaf frame = { .type = LEAF_FRAME,
		.u.frame = { .stream = "stream-id",
		    .class = CLASS_SCREEN,
		    .number = 1,
		    .has_prev = true,
		    .first = 10,
		    .count = 5,
		    .arrived_first = 1000,
		    .arrived_last = 2000,
		    .codec = CODEC_ZSTD,
		    .stored_len = 500,
		    .raw_len = 900 } };
	struct leaf boot = { .type = LEAF_BOOT,
		.u.boot = { .format = LEAF_FORMAT,
		    .origin = "opseal/abcdefgh",
		    .period = 1,
		    .clock = { .boot_id = "boot", .at = at },
		    .why = BOOT_FIRST,
		    .wal = { .batch = 1 } } };
	struct leaf next = boot;
	struct leaf seal = { .type = LEAF_SEAL,
		.u.seal = { .period = 1,
		    .has_resume = true,
		    .clock = { .boot_id = "boot", .at = at },
		    .from = 10,
		    .until = 20,
		    .final = true,
		    .open = 1,
		    .wal = { .batch = 3 } } };
	struct leaf close = { .type = LEAF_CLOSE,
		.u.close = { .stream = "stream-id",
		    .state = CLOSE_CLOSED,
		    .frames = 2,
		    .last = { 1 },
		    .events = 2 } };
	struct leaf tombstone = { .type = LEAF_TOMBSTONE,
		.u.tombstone = { .stream = "stream-id",
		    .from = 0,
		    .to = 2,
		    .realtime = at.realtime } };
	struct leaf expired = tombstone;
	struct ops_buf file = { .max = 8192 };

	expired.u.tombstone.has_rule = true;
	expired.u.tombstone.class = CLASS_SCREEN;
	expired.u.tombstone.why = TOMBSTONE_SCREENS;
	expired.u.tombstone.limit = expired.u.tombstone.age =
	    UINT64_C(7776000000000000);
	next.u.boot.why = BOOT_ROTATE;
	next.u.boot.has_pred = true;
	memcpy(next.u.boot.pred_origin, "opseal/zyxwvuts", 16);
	next.u.boot.pred_size = 41200;
	save_leaf("frame", &frame, &file);
	save_leaf("boot", &boot, &file);
	save_leaf("boot-successor", &next, &file);
	save_leaf("seal", &seal, &file);
	save_leaf("close", &close, &file);
	save_leaf("tombstone", &tombstone, &file);
	save_leaf("tombstone-rule", &expired, &file);
	save_buf("leaf", "leaves-file", &file);
	ops_buf_free(&file);
}

static void
wal_seeds(void)
{
	const uint8_t seed[OPS_SEED_LEN] = "a seed", prev[OPS_HASH_LEN] = { 7 };
	struct ops_signer *signer = ops_signer_new(seed);
	struct ops_buf b = { .max = WAL_BATCH_MAX }, r = { .max = 8192 };
	static const uint8_t x[1500];
	uint8_t chain[OPS_HASH_LEN];
	struct wal_entry e = { .stream = "stream-id", .class = CLASS_SCREEN };

	for (size_t entries = 0; entries <= 4; entries += 2) {
		char name[16];

		wal_batch_begin(&b, 5 + entries, 2, prev);
		for (size_t i = 0; i < entries; i++) {
			put_record(&r, REC_OUTPUT, x, entries * 30 * i);
			e.number = i;
			e.arrival = 1000 * i;
			e.record = r.data;
			e.len = r.len;
			wal_batch_add(&b, &e);
			ops_buf_reset(&r);
		}
		if (wal_batch_end(&b, signer, chain, NULL) < 0)
			abort();
		snprintf(name, sizeof(name), "entries-%zu", entries);
		save_buf("walbatch", name, &b);
	}
	ops_signer_free(signer);
	ops_buf_free(&b);
	ops_buf_free(&r);
}

int
main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: %s DIRECTORY\n", argv[0]);
		return 2;
	}
	directory = argv[1];
	cbor_seeds();
	record_seeds();
	event_seeds();
	login_seeds();
	remark_seeds();
	program_seeds();
	programs_seeds();
	frame_seeds();
	leaf_seeds();
	wal_seeds();
	return 0;
}
