/*
 * program - first byte: which record; the rest: its payload.  What is taken and
 * written again is shorter or equal (unknown keys go) and reads the same.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "record/body.h"
#include "record/program.h"
#include "record/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool ok)
{
	if (!ok)
		abort();
}

/* Decode p; if it is taken, append it encoded again. */
static bool
again(unsigned which, const uint8_t *p, size_t n, struct ops_buf *out)
{
	uint8_t id[OPS_ID_LEN];
	union {
		struct program_capture capture;
		struct program_exec exec;
		struct program_args args;
		struct program_ended ended;
		struct program_failed failed;
		struct program_loss loss;
		struct program_accounted accounted;
		struct program_coverage coverage;
	} e;

	if (body_session(p, n, id, NULL) < 0)
		return false;
	switch (which) {
	case 0:
		if (program_capture_get(p, n, &e.capture, NULL) < 0)
			return false;
		program_capture_put(out, &e.capture);
		return true;
	case 1:
		if (program_exec_get(p, n, &e.exec, NULL) < 0)
			return false;
		program_exec_put(out, id, &e.exec);
		return true;
	case 2:
		if (program_args_get(p, n, &e.args, NULL) < 0)
			return false;
		program_args_put(out, id, &e.args);
		return true;
	case 3:
		if (program_ended_get(p, n, &e.ended, NULL) < 0)
			return false;
		program_ended_put(out, id, &e.ended);
		return true;
	case 4:
		if (program_failed_get(p, n, &e.failed, NULL) < 0)
			return false;
		program_failed_put(out, id, &e.failed);
		return true;
	case 5:
		if (program_loss_get(p, n, &e.loss, NULL) < 0)
			return false;
		program_loss_put(out, &e.loss);
		return true;
	case 6:
		if (program_accounted_get(p, n, &e.accounted, NULL) < 0)
			return false;
		program_accounted_put(out, &e.accounted);
		return true;
	default:
		if (program_coverage_get(p, n, &e.coverage, NULL) < 0)
			return false;
		program_coverage_put(out, &e.coverage);
		return true;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ops_buf a = { .max = RECORD_PAYLOAD_MAX };
	struct ops_buf b = { .max = RECORD_PAYLOAD_MAX };
	unsigned which;

	if (size == 0 || size > RECORD_PAYLOAD_MAX)
		return 0;
	which = data[0] % 8;
	if (again(which, data + 1, size - 1, &a)) {
		must(!a.failed && a.len <= size - 1);
		must(again(which, a.data, a.len, &b));
		must(a.len == b.len && memcmp(a.data, b.data, a.len) == 0);
	}
	ops_buf_free(&a);
	ops_buf_free(&b);
	return 0;
}
