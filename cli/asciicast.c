#include "asciicast.h"

#include <inttypes.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */
#define US UINT64_C(1000)
#define TEXT_MAX (64u << 20) /* of one event */

static uint64_t
utf8_byte(struct utf8_carry *c, uint8_t byte, struct ops_buf *out)
{
	uint64_t replaced = 0;

	c->p[c->n++] = byte;
	while (c->n > 0) {
		int len = ops_utf8_len(c->p, c->n);
		size_t used = len > 0 ? (size_t)len : 1;

		if (len < 0)
			break;
		if (len > 0) {
			ops_buf_put(out, c->p, used);
		} else {
			ops_buf_puts(out, REPLACEMENT);
			replaced++;
		}
		c->n -= used;
		memmove(c->p, c->p + used, c->n);
	}
	return replaced;
}

uint64_t
utf8_feed(struct utf8_carry *c, const uint8_t *p, size_t n, struct ops_buf *out)
{
	uint64_t replaced = 0;

	for (size_t i = 0; i < n; i++) {
		size_t plain = i;

		while (c->n == 0 && plain < n && p[plain] < 0x80)
			plain++;
		ops_buf_put(out, p + i, plain - i);
		i = plain;
		if (i < n)
			replaced += utf8_byte(c, p[i], out);
	}
	return replaced;
}

uint64_t
utf8_end(struct utf8_carry *c, struct ops_buf *out)
{
	uint64_t replaced = c->n;

	for (; c->n > 0; c->n--)
		ops_buf_puts(out, REPLACEMENT);
	return replaced;
}

/* The command as a person would read it: arguments with spaces between. */
static void
put_command(struct json *j, const uint8_t *p, size_t n)
{
	struct ops_buf text = { .max = TEXT_MAX };

	ops_buf_put(&text, p, n);
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] == 0)
			text.data[i] = ' ';
	if (text.len > 0) {
		json_key(j, "command");
		json_text(j, text.data, text.len);
	}
	ops_buf_free(&text);
}

static void
put_size(struct json *j, const struct asciicast_header *h)
{
	if (h->version == 2) {
		json_key(j, "width");
		json_uint(j, h->cols);
		json_key(j, "height");
		json_uint(j, h->rows);
		return;
	}
	json_key(j, "term");
	json_begin_object(j);
	json_key(j, "cols");
	json_uint(j, h->cols);
	json_key(j, "rows");
	json_uint(j, h->rows);
	if (h->term != NULL) {
		json_key(j, "type");
		json_text(j, h->term, h->term_len);
	}
	json_end_object(j);
}

void
asciicast_put_header(const struct asciicast_header *h, struct ops_buf *out)
{
	struct json j = { .out = out };

	json_begin_object(&j);
	json_key(&j, "version");
	json_uint(&j, (uint64_t)h->version);
	put_size(&j, h);
	json_key(&j, "timestamp");
	json_uint(&j, h->timestamp);
	if (h->version == 2 && h->duration > 0) {
		json_key(&j, "duration");
		json_seconds(&j, h->duration);
	}
	if (h->command != NULL)
		put_command(&j, h->command, h->command_len);
	if (h->version == 2 && h->term != NULL) {
		json_key(&j, "env");
		json_begin_object(&j);
		json_key(&j, "TERM");
		json_text(&j, h->term, h->term_len);
		json_end_object(&j);
	}
	json_key(&j, "opseal_session");
	json_str(&j, h->session);
	if (h->lossy > 0) {
		json_key(&j, "opseal_lossy_bytes");
		json_uint(&j, h->lossy);
	}
	json_end_object(&j);
	ops_buf_put8(out, '\n');
}

/* Version 2 counts from the start in microseconds.  Version 3 counts from the
 * event before in milliseconds; each rounds from the true offset, so that the
 * errors don't add up. */
static void
put_time(struct asciicast *a, uint64_t offset, struct ops_buf *out)
{
	uint64_t ms;

	if (a->version == 2) {
		ops_buf_printf(out, "[%" PRIu64 ".%06" PRIu64 ", ",
		    offset / (US * US * US), offset / US % (US * US));
		return;
	}
	ms = (offset + US * US / 2) / (US * US);
	if (ms < a->last)
		ms = a->last;
	ops_buf_printf(out, "[%" PRIu64 ".%03" PRIu64 ", ", (ms - a->last) / US,
	    (ms - a->last) % US);
	a->last = ms;
}

static void
put_event(struct asciicast *a, uint64_t offset, char code, struct ops_buf *out)
{
	struct json j = { .out = out };

	put_time(a, offset, out);
	ops_buf_printf(out, "\"%c\", ", code);
	json_text(&j, a->text.data, a->text.len);
	ops_buf_puts(out, "]\n");
	if (a->text.failed)
		out->failed = true;
}

static struct utf8_carry *
carry_of(struct asciicast *a, char code)
{
	return code == 'o' ? &a->output : code == 'i' ? &a->input : NULL;
}

void
asciicast_put(struct asciicast *a, uint64_t offset, char code, const void *p,
    size_t n, struct ops_buf *out)
{
	struct utf8_carry *carry = carry_of(a, code), none = { .n = 0 };

	if (code == 'x' && a->version == 2)
		return;
	a->text.max = TEXT_MAX;
	ops_buf_reset(&a->text);
	a->replaced += utf8_feed(carry != NULL ? carry : &none, p, n, &a->text);
	if (carry == NULL || a->text.len > 0)
		put_event(a, offset, code, out);
}

void
asciicast_end(struct asciicast *a, uint64_t offset, struct ops_buf *out)
{
	static const char codes[] = { 'o', 'i' };

	a->text.max = TEXT_MAX;
	for (size_t i = 0; i < sizeof(codes); i++) {
		ops_buf_reset(&a->text);
		a->replaced += utf8_end(carry_of(a, codes[i]), &a->text);
		if (a->text.len > 0)
			put_event(a, offset, codes[i], out);
	}
}

void
asciicast_free(struct asciicast *a)
{
	ops_buf_free(&a->text);
}
