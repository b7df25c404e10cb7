#include "scopemsg.h"

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"

#define FIXED 16 /* bytes of a message's header before its fields */
#define CALL 1
#define REPLY 2
#define ERROR 3
#define SERIAL 1
#define LENGTH_MAX (1u << 26) /* of the specification */

/* -- saying -- */

/* Alignment counts from the begin of the message; a body begins at a multiple of 8. */
static void
pad(struct ops_buf *b, size_t align)
{
	while (b->len % align != 0 && !b->failed)
		ops_buf_put8(b, 0);
}

static void
put_u32(struct ops_buf *b, uint32_t v)
{
	pad(b, 4);
	ops_buf_putle32(b, v);
}

static void
put_string(struct ops_buf *b, const char *s)
{
	put_u32(b, (uint32_t)strlen(s));
	ops_buf_puts(b, s);
	ops_buf_put8(b, 0);
}

static void
put_signature(struct ops_buf *b, const char *s)
{
	ops_buf_put8(b, (uint8_t)strlen(s));
	ops_buf_puts(b, s);
	ops_buf_put8(b, 0);
}

static void
set_u32(struct ops_buf *b, size_t at, size_t v)
{
	if (!b->failed)
		ops_putle32(b->data + at, (uint32_t)v);
}

/* One field of a header: a number and a variant. */
static void
put_field(struct ops_buf *b, uint8_t code, const char *type, const char *value)
{
	pad(b, 8);
	ops_buf_put8(b, code);
	put_signature(b, type);
	if (*type == 'g')
		put_signature(b, value);
	else
		put_string(b, value);
}

static void
begin_property(struct ops_buf *b, const char *name, const char *type)
{
	pad(b, 8);
	put_string(b, name);
	put_signature(b, type);
}

static void
put_text(struct ops_buf *b, const char *name, const char *value)
{
	begin_property(b, name, "s");
	put_string(b, value);
}

/* A list with one text in it. */
static void
put_list(struct ops_buf *b, const char *name, const char *value)
{
	begin_property(b, name, "as");
	put_u32(b, (uint32_t)(4 + strlen(value) + 1));
	put_string(b, value);
}

static void
put_body(struct ops_buf *b, const struct scopemsg *m)
{
	size_t length, begin;

	put_string(b, m->unit);
	put_string(b, "fail"); /* another job of that name: none of ours */
	put_u32(b, 0);
	length = b->len - 4;
	pad(b, 8);
	begin = b->len;
	begin_property(b, "PIDs", "au");
	put_u32(b, 4);
	put_u32(b, m->pid);
	put_text(b, "Description", m->about);
	put_text(b, "Slice", m->slice);
	put_text(b, "CollectMode", "inactive-or-failed");
	put_list(b, "After", m->after);
	put_list(b, "Before", m->before);
	set_u32(b, length, b->len - begin);
	/* No other units with it. */
	put_u32(b, 0);
	pad(b, 8);
}

static void
put_call(struct ops_buf *b, const struct scopemsg *m)
{
	size_t body;

	ops_buf_puts(b, "l"); /* little-endian */
	ops_buf_put8(b, CALL);
	ops_buf_put8(b, 0);
	ops_buf_put8(b, 1); /* version */
	put_u32(b, 0);      /* of the body, below */
	put_u32(b, SERIAL);
	put_u32(b, 0); /* of the fields, below */
	put_field(b, 1, "o", "/org/freedesktop/systemd1");
	put_field(b, 2, "s", "org.freedesktop.systemd1.Manager");
	put_field(b, 3, "s", "StartTransientUnit");
	put_field(b, 6, "s", "org.freedesktop.systemd1");
	put_field(b, 8, "g", "ssa(sv)a(sa(sv))");
	set_u32(b, FIXED - 4, b->len - FIXED);
	pad(b, 8);
	body = b->len;
	put_body(b, m);
	set_u32(b, 4, b->len - body);
}

void
scopemsg_put(struct ops_buf *out, const struct scopemsg *m)
{
	uint8_t bytes[SCOPEMSG_MAX];
	struct ops_buf call = OPS_BUF_FIXED(bytes);
	char uid[16];

	put_call(&call, m);
	(void)snprintf(uid, sizeof(uid), "%u", (unsigned)m->uid);
	ops_buf_put8(out, 0);
	ops_buf_puts(out, "AUTH EXTERNAL ");
	for (const char *p = uid; *p != '\0'; p++)
		ops_buf_printf(out, "%02x", (unsigned)*p);
	ops_buf_puts(out, "\r\nBEGIN\r\n");
	ops_buf_put(out, call.data, call.len);
	out->failed |= call.failed;
}

/* -- hearing -- */

/* The line that lets us in. */
static enum scopemsg_answer
welcome(const uint8_t *p, size_t n, size_t *ret)
{
	static const char ok[] = "OK ";
	const uint8_t *end;

	if (n == 0)
		return SCOPEMSG_MORE;
	if (memcmp(p, ok, n < 3 ? n : 3) != 0)
		return SCOPEMSG_REFUSED;
	end = memchr(p, '\n', n);
	if (end == NULL)
		return SCOPEMSG_MORE;
	*ret = (size_t)(end - p) + 1;
	return SCOPEMSG_DONE;
}

enum scopemsg_answer
scopemsg_heard(const uint8_t *p, size_t n)
{
	enum scopemsg_answer first;
	size_t at = 0;

	first = welcome(p, n, &at);
	if (first != SCOPEMSG_DONE)
		return first;
	for (;;) {
		uint64_t body, fields, all;

		if (n - at < FIXED)
			return SCOPEMSG_MORE;
		if (p[at] != 'l' || p[at + 3] != 1)
			return SCOPEMSG_REFUSED;
		/* We asked once, so there is one answer. */
		if (p[at + 1] == REPLY)
			return SCOPEMSG_DONE;
		if (p[at + 1] == ERROR)
			return SCOPEMSG_REFUSED;
		body = ops_getle32(p + at + 4);
		fields = ops_getle32(p + at + 12);
		if (body > LENGTH_MAX || fields > LENGTH_MAX)
			return SCOPEMSG_REFUSED;
		all = FIXED + (fields + 7) / 8 * 8 + body;
		if (all > n - at)
			return SCOPEMSG_MORE;
		at += (size_t)all;
	}
}
