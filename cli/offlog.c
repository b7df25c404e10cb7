#include "offlog.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "installed.h"
#include "record/record.h"
#include "store/switchlog.h"
#include "store/writer.h"

#define NAP 5000000 /* ns */
#define NAPS 6000   /* half a minute in all */

static int
open_writer(struct vfs *v, struct writer **ret, struct ops_err *err)
{
	struct ops_buf machine = { 0 };
	struct writer_opts o = { .note = "opseal " OPSEAL_VERSION
					 ", without a daemon" };
	int rc = ops_machine_id(&machine, err);

	if (rc == 0) {
		o.machine_id = (const char *)machine.data;
		rc = ops_boot_id(o.boot_id, err);
	}
	if (rc == 0)
		rc = writer_open(v, &o, ret, err);
	ops_buf_free(&machine);
	return rc;
}

static int
wait_durable(struct writer *w, uint64_t ticket, struct ops_err *err)
{
	const struct timespec nap = { 0, NAP };
	struct writer_status s;

	for (int i = 0; writer_durable(w) < ticket; i++) {
		writer_status(w, &s);
		if (s.state != WRITER_OK)
			return ops_fail(err, OPS_EIO,
			    "the log can't be written: %s", s.reason);
		if (i == NAPS)
			return ops_fail(
			    err, OPS_EIO, "the log can't be written in time");
		(void)nanosleep(&nap, NULL);
	}
	return 0;
}

static int
put_event(struct writer *w, const struct offswitch *s, struct ops_err *err)
{
	struct ops_buf b = { .max = RECORD_PAYLOAD_MAX };
	uint64_t ticket = 0;
	int rc;

	offswitch_put(&b, s, (uint32_t)getpid());
	rc = ops_buf_check(&b, "switch", err);
	if (rc == 0)
		rc = writer_put_event(
		    w, REC_DAEMON, ops_boottime(), b.data, b.len, &ticket, err);
	ops_buf_free(&b);
	return rc < 0 ? -1 : wait_durable(w, ticket, err);
}

/* A run that is off and doesn't say so would end it. */
static int
say_again(struct writer *w, const struct offswitch *is, char *text, size_t size,
    struct ops_err *err)
{
	char by[OFFSWITCH_BY];

	offswitch_by(is, by);
	(void)snprintf(text, size, "by %s: %s", by, is->reason);
	return put_event(w, is, err);
}

/* The lock is ours.  is: what STORE/switch says, NULL: nothing that counts. */
static int
do_switch(struct vfs *v, struct writer *w, const struct offswitch *is,
    const struct offswitch *to, char *text, size_t size, struct ops_err *err)
{
	struct offswitch in_log;
	/* A log that can't be read so far back says nothing, as to a daemon. */
	bool off = is != NULL && is->off &&
		   switchlog_find(v, &in_log, NULL) == 0 &&
		   offswitch_same(is, &in_log);

	if (off && to->off)
		return say_again(w, is, text, size, err);
	if (!off && !to->off) /* a file that isn't the log's */
		return offswitch_remove(v, err);
	if (put_event(w, to, err) < 0)
		return -1;
	if ((to->off ? offswitch_write(v, to, err) : offswitch_remove(v, err)) <
	    0)
		return -1;
	return 1;
}

int
offlog_switch(struct vfs *v, const struct offswitch *to, char *text,
    size_t size, struct ops_err *err)
{
	struct ops_err why = { 0 };
	struct offswitch is;
	struct writer *w = NULL;
	int rc, there = offswitch_read(v, &is, &why);

	if (there < 0 && why.code != OPS_ENOENT && why.code != OPS_EFORMAT) {
		*err = why;
		return -1;
	}
	if (there < 0 && why.code == OPS_ENOENT && !to->off)
		return 0;
	if (open_writer(v, &w, err) < 0)
		return -1;
	rc = do_switch(v, w, there == 0 ? &is : NULL, to, text, size, err);
	if (writer_close(w, rc < 0 ? NULL : err) < 0 && rc >= 0)
		return ops_context(err, "it is in the log; its last seal");
	return rc;
}
