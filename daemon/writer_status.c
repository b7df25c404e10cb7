#include <string.h>

#include "base/clock.h"
#include "installed.h"
#include "ipc/proto.h"
#include "merkle/note.h"
#include "writer_role.h"

static struct event_text
text_of(const char *s)
{
	return (struct event_text){ (const uint8_t *)s, strlen(s) };
}

int
status_start(struct writer_role *r, struct ops_err *err)
{
	struct ops_buf note = { .max = NOTE_MAX }, vkey = { .max = NOTE_MAX };
	uint64_t size;
	int rc;

	rc = writer_checkpoint(r->w, &note, &vkey, &size, err);
	if (rc == 0)
		rc = note_vkey_parse(
		    (const char *)vkey.data, vkey.len, &r->key, err);
	ops_buf_free(&note);
	ops_buf_free(&vkey);
	return rc;
}

/* A time of CLOCK_BOOTTIME on the wall, as the clock stands now. */
static uint64_t
to_wall(uint64_t boottime, const struct ops_clock *now)
{
	return boottime > now->boottime
		   ? now->realtime
		   : now->realtime - (now->boottime - boottime);
}

static void
put_config(const struct writer_role *r, struct proto_status *s,
    char hex[static 2 * OPS_HASH_LEN + 1])
{
	const struct role *role = r->role;

	s->config_read = role->config_time;
	/* Counted when it was read: here there may be no memory to do it. */
	ops_hex(r->config_hash, OPS_HASH_LEN, hex);
	s->config_hash = text_of(hex);
	if (role->config_fault[0] != '\0')
		s->config_fault = text_of(role->config_fault);
	s->config_fault_time = role->config_fault_time;
}

int
status_put(struct writer_role *r, struct ops_buf *out, struct ops_err *err)
{
	struct writer_status w;
	struct proto_status s = { 0 };
	struct ops_clock now;
	char anchor[ANCHOR_TEXT_MAX], hash[2 * OPS_HASH_LEN + 1];
	uint8_t bytes[PROTO_LIMITED_MAX * PROTO_LIMITED_LEN];
	struct ops_buf limited = OPS_BUF_FIXED(bytes);

	memory_status(r, &w);
	ops_clock_read(&now);
	s.ok = w.state == WRITER_OK;
	if (w.state != WRITER_OK)
		s.reason = text_of(w.reason);
	if (r->state_boottime != w.since) {
		r->state_boottime = w.since;
		r->state_realtime = to_wall(w.since, &now);
	}
	s.since = r->state_realtime;
	s.sessions = w.sessions;
	s.records = w.records;
	s.bytes = w.bytes;
	s.unsealed = w.unsealed;
	s.lag = w.lag;
	s.sealed_size = w.sealed_size;
	s.lost = r->lost_bytes;
	s.log = w.log;
	s.stored = w.stored;
	s.durable_p50 = w.durable_p50;
	s.durable_p99 = w.durable_p99;
	s.sealed_p50 = w.sealed_p50;
	s.sealed_p99 = w.sealed_p99;
	s.origin = text_of(r->key.name);
	anchor_text(r->anchor, anchor);
	if (anchor[0] != '\0')
		s.anchor = text_of(anchor);
	s.version = text_of(OPSEAL_VERSION);
	s.started = r->started;
	if (vfs_space(r->vfs, &s.space, NULL) < 0)
		s.space = 0;
	s.store = text_of(r->role->store);
	s.capture = r->capture_state;
	s.capture_text = text_of(r->capture_text);
	s.capture_lost = r->capture_lost;
	s.anchored = anchor_time(r->anchor);
	put_config(r, &s, hash);
	retention_status(r, &s);
	switch_status(r, &s);
	quota_status(r, &s, &limited);
	proto_status_put(out, &s);
	return ops_buf_check(out, "status", err);
}
