#include "offswitch.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "record/event.h"

int
offswitch_check_reason(const char *p, size_t n, struct ops_err *err)
{
	const uint8_t *b = (const uint8_t *)p;
	bool seen = false;

	if (n > OFFSWITCH_REASON)
		return ops_fail(err, OPS_EUSAGE,
		    "the reason has %zu bytes, at most %d are kept", n,
		    OFFSWITCH_REASON);
	for (size_t i = 0, len; i < n; i += len) {
		len = ops_text_visible_len(b + i, n - i);
		if (len == 0)
			return ops_fail(err, OPS_EUSAGE,
			    "the reason has something in it that can't be "
			    "shown");
		seen |= b[i] != ' ';
	}
	return seen ? 0 : ops_fail(err, OPS_EUSAGE, "the reason is empty");
}

static struct event_text
text_of(const char *s)
{
	size_t n = strlen(s);

	return (struct event_text){ n > 0 ? (const uint8_t *)s : NULL, n };
}

void
offswitch_put(struct ops_buf *b, const struct offswitch *s, uint32_t pid)
{
	const struct event_daemon e = { .what = s->off ? DAEMON_OFF : DAEMON_ON,
		.pid = pid,
		.text = text_of(s->reason),
		.realtime = s->realtime,
		.has_who = s->has_who,
		.uid = s->uid,
		.auid = s->auid,
		.user = text_of(s->user),
		.login = text_of(s->login) };

	event_daemon_put(b, &e);
}

/* What can't be shown isn't taken: these go to terminals and to a line of a file. */
static int
take_name(struct event_text t, char out[static OFFSWITCH_NAME + 1],
    struct ops_err *err)
{
	if (t.p == NULL)
		return 0;
	if (t.n > OFFSWITCH_NAME ||
	    offswitch_check_reason((const char *)t.p, t.n, NULL) < 0)
		return ops_fail(err, OPS_EFORMAT, "switch: no such name");
	memcpy(out, t.p, t.n);
	return 0;
}

int
offswitch_get(
    const uint8_t *p, size_t n, struct offswitch *ret, struct ops_err *err)
{
	struct offswitch s = { 0 };
	struct event_daemon e;

	if (event_daemon_get(p, n, &e, err) < 0)
		return -1;
	if (e.what != DAEMON_OFF && e.what != DAEMON_ON)
		return ops_fail(err, OPS_EFORMAT, "switch: neither off nor on");
	s.off = e.what == DAEMON_OFF;
	s.realtime = e.realtime;
	s.has_who = e.has_who;
	s.uid = e.uid;
	s.auid = e.auid;
	if (take_name(e.user, s.user, err) < 0 ||
	    take_name(e.login, s.login, err) < 0)
		return -1;
	if ((s.off || e.text.p != NULL) &&
	    offswitch_check_reason(
		e.text.p != NULL ? (const char *)e.text.p : "", e.text.n, err) <
		0) {
		if (err != NULL)
			err->code = OPS_EFORMAT;
		return -1;
	}
	if (e.text.p != NULL)
		memcpy(s.reason, e.text.p, e.text.n);
	*ret = s;
	return 0;
}

bool
offswitch_same(const struct offswitch *a, const struct offswitch *b)
{
	return a->off == b->off && a->realtime == b->realtime &&
	       a->has_who == b->has_who && a->uid == b->uid &&
	       a->auid == b->auid && strcmp(a->user, b->user) == 0 &&
	       strcmp(a->login, b->login) == 0 &&
	       strcmp(a->reason, b->reason) == 0;
}

int
offswitch_read(struct vfs *v, struct offswitch *ret, struct ops_err *err)
{
	struct ops_buf b = { .max = OFFSWITCH_MAX };
	int rc = vfs_read_file(v, OFFSWITCH_FILE, OFFSWITCH_MAX, &b, err);

	if (rc == 0 && offswitch_get(b.data, b.len, ret, err) < 0)
		rc = ops_context(err, OFFSWITCH_FILE);
	ops_buf_free(&b);
	return rc;
}

int
offswitch_write(struct vfs *v, const struct offswitch *s, struct ops_err *err)
{
	struct ops_buf b = { .max = OFFSWITCH_MAX };
	int rc;

	offswitch_put(&b, s, 0);
	rc = ops_buf_check(&b, OFFSWITCH_FILE, err);
	if (rc == 0)
		rc = vfs_replace_file(v, OFFSWITCH_FILE, b.data, b.len, err);
	ops_buf_free(&b);
	return rc;
}

int
offswitch_remove(struct vfs *v, struct ops_err *err)
{
	struct ops_err why = { 0 };

	if (vfs_unlink(v, OFFSWITCH_FILE, &why) < 0 && why.code != OPS_ENOENT) {
		if (err != NULL)
			*err = why;
		return -1;
	}
	return vfs_sync_dir(v, "", err);
}

void
offswitch_by(const struct offswitch *s, char out[static OFFSWITCH_BY])
{
	char uid[24];
	const char *user = s->user;

	(void)snprintf(uid, sizeof(uid), "uid %u", (unsigned)s->uid);
	if (user[0] == '\0')
		user = s->has_who ? uid : "somebody";
	if (s->login[0] != '\0' && strcmp(s->login, user) != 0)
		(void)snprintf(out, OFFSWITCH_BY, "%s (%s)", user, s->login);
	else
		(void)snprintf(out, OFFSWITCH_BY, "%s", user);
}
