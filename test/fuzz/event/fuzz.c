/*
 * event - first byte: which event; the rest: its payload.  What is taken and
 * written again is shorter or equal (unknown keys go) and reads the same.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "record/body.h"
#include "record/event.h"
#include "record/import.h"
#include "record/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool ok)
{
	if (!ok)
		abort();
}

/* The map within a SESSION-OPEN, in the same way. */
static void
import_again(const struct event_text *t)
{
	struct ops_buf a = { .max = EVENT_IMPORT_MAX };
	struct ops_buf b = { .max = EVENT_IMPORT_MAX };
	struct import i;

	if (t->p == NULL || import_get(t->p, t->n, &i, NULL) < 0)
		return;
	import_put(&a, &i);
	must(!a.failed && a.len <= t->n);
	must(import_get(a.data, a.len, &i, NULL) == 0);
	import_put(&b, &i);
	must(a.len == b.len && memcmp(a.data, b.data, a.len) == 0);
	ops_buf_free(&a);
	ops_buf_free(&b);
}

/* Decode p; if it is taken, append it encoded again. */
static bool
again(unsigned which, const uint8_t *p, size_t n, struct ops_buf *out)
{
	uint8_t id[OPS_ID_LEN];
	union {
		struct event_open open;
		struct event_close close;
		struct event_access access;
		struct event_gap gap;
		struct event_bypass bypass;
		struct event_daemon daemon;
	} e;

	if (body_session(p, n, id, NULL) < 0)
		return false;
	switch (which) {
	case 0:
		if (event_open_get(p, n, &e.open, NULL) < 0)
			return false;
		event_open_put(out, id, &e.open);
		import_again(&e.open.import);
		return true;
	case 1:
		if (event_close_get(p, n, &e.close, NULL) < 0)
			return false;
		event_close_put(out, id, &e.close);
		return true;
	case 2:
		if (event_access_get(p, n, &e.access, NULL) < 0)
			return false;
		event_access_put(out, &e.access);
		return true;
	case 3:
		if (event_gap_get(p, n, &e.gap, NULL) < 0)
			return false;
		event_gap_put(out, id, &e.gap);
		return true;
	case 4:
		if (event_bypass_get(p, n, &e.bypass, NULL) < 0)
			return false;
		event_bypass_put(out, id, &e.bypass);
		return true;
	default:
		if (event_daemon_get(p, n, &e.daemon, NULL) < 0)
			return false;
		event_daemon_put(out, &e.daemon);
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
	which = data[0] % 6;
	if (again(which, data + 1, size - 1, &a)) {
		must(!a.failed && a.len <= size - 1);
		must(again(which, a.data, a.len, &b));
		must(a.len == b.len && memcmp(a.data, b.data, a.len) == 0);
	}
	ops_buf_free(&a);
	ops_buf_free(&b);
	return 0;
}
