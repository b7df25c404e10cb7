#include <string.h>

#include "base/bytes.h"
#include "ipc/proto.h"
#include "procid.h"
#include "record/body.h"
#include "record/import.h"
#include "record/program.h"
#include "record/record.h"
#include "writer_peer.h"

/* Who imports a session opens it himself: that he is who he says is checked
 * here, as a recorder's word is only taken from the daemon's own. */
int
import_check(
    const struct peer *p, const struct event_open *o, struct ops_err *err)
{
	struct procid_seen who;
	struct import i;

	if (import_get(o->import.p, o->import.n, &i, err) < 0 ||
	    procid_see(p->who.pid, &who, err) < 0)
		return -1;
	if (o->uid != p->who.uid || o->gid != p->who.gid ||
	    o->pid != (uint32_t)p->who.pid || o->start != p->start ||
	    who.start != p->start || o->auid != who.auid || o->ses != who.ses)
		return ops_fail(
		    err, OPS_EPERM, "SESSION-OPEN names another importer");
	return 0;
}

int
import_on_hello(void *conn, struct msg *m, struct ops_err *err)
{
	struct peer *p = conn;
	uint32_t pid = ops_getle32(m->p + OPS_ID_LEN);

	if (p->spare) /* it will try again, and nothing is lost meanwhile */
		return ops_fail(err, OPS_ENOMEM, "out of memory");
	if (pid != (uint32_t)p->who.pid)
		return ops_fail(err, OPS_EPERM, "says it is process %u", pid);
	/* What came behind capture's last record would be taken for capture's. */
	for (const struct peer *q = p->r->peers; q != NULL; q = q->next)
		if (q != p && !q->dead && memcmp(q->id, m->p, OPS_ID_LEN) == 0)
			return ops_fail(
			    err, OPS_EPERM, "the stream is another's");
	memcpy(p->id, m->p, OPS_ID_LEN);
	if (writer_programs(p->r->w, p->id, err) < 0)
		return -1;
	p->state = PEER_IMPORT;
	return recorder_begin(p, err);
}

/* Is that session being imported, by the same process? */
static bool
imports(const struct peer *me, const uint8_t id[static OPS_ID_LEN])
{
	for (const struct peer *p = me->r->peers; p != NULL; p = p->next)
		if (p->state == PEER_RECORDER && p->imports && !p->dead &&
		    p->who.pid == me->who.pid &&
		    memcmp(p->id, id, OPS_ID_LEN) == 0)
			return true;
	return false;
}

static int
check_record(const struct peer *p, const struct record *r, struct ops_err *err)
{
	struct program_accounted a;
	uint8_t id[OPS_ID_LEN];

	if (r->type != REC_ACCOUNTED || r->flags != 0)
		return ops_fail(err, OPS_EPERM,
		    "records of type %u are not yours", r->type);
	if (body_session(r->payload, r->len, id, err) < 0 ||
	    program_accounted_get(r->payload, r->len, &a, err) < 0)
		return -1;
	if (!imports(p, id))
		return ops_fail(
		    err, OPS_EPERM, "a program of no session of yours");
	return 0;
}

/* Nothing that is imported may look as if capture had seen it. */
int
import_check_records(
    const struct peer *p, const struct msg *m, struct ops_err *err)
{
	const uint8_t *at = m->p + 8, *end = m->p + m->n;
	struct record r;

	while (at < end) {
		long used = record_decode(at, (size_t)(end - at), &r, err);

		if (used < 0 || check_record(p, &r, err) < 0)
			return -1;
		at += used;
	}
	return 0;
}
