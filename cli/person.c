#include "person.h"

#include <inttypes.h>
#include <string.h>

#include "base/text.h"
#include "describe.h"

static void
label(struct ops_buf *out, int width, const char *name)
{
	ops_buf_printf(out, "%-*s  ", width, name);
}

static void
put_principals(struct ops_buf *out, const struct login *l, int width)
{
	if (l->principals.n == 0)
		return;
	label(out, width, "");
	for (size_t at = 0; at < l->principals.n;) {
		const uint8_t *p = l->principals.p + at;
		size_t n = strnlen((const char *)p, l->principals.n - at);

		ops_buf_puts(out, at == 0 ? "for " : ", ");
		ops_escape(out, p, n);
		at += n + 1;
	}
	ops_buf_puts(out, "\n");
}

static void
put_key(struct ops_buf *out, const struct login *l, int width)
{
	label(out, width, "key");
	describe_text(out, &l->type);
	ops_buf_puts(out, " ");
	describe_text(out, &l->key);
	if (l->comment.p != NULL) {
		ops_buf_puts(out, " ");
		describe_text(out, &l->comment);
		ops_buf_puts(out, "  (its comment is claimed)");
	}
	ops_buf_puts(out, "\n");
	if (l->cert_id.p == NULL)
		return;
	label(out, width, "");
	ops_buf_puts(out, "certificate ");
	describe_text(out, &l->cert_id);
	ops_buf_printf(out, ", serial %" PRIu64 ", signed by ", l->serial);
	describe_text(out, &l->ca);
	ops_buf_puts(out, "\n");
	put_principals(out, l, width);
}

void
person_put(struct ops_buf *out, const struct login *l, int width)
{
	static const char *const marks[LOGIN_HOWS] = {
		[LOGIN_MAP] = "  (root's list of people says so)\n",
		[LOGIN_COMMENT] = "  (claimed: the key's comment)\n",
		[LOGIN_FINGERPRINT] = "  (only the key is known)\n",
	};

	if (login_has_person(l)) {
		label(out, width, "person");
		describe_text(out, &l->person);
		ops_buf_puts(out, l->how < LOGIN_HOWS
				      ? marks[l->how]
				      : "  (known in a way that this "
					"version doesn't know)\n");
	}
	label(out, width, "came by");
	describe_text(out, &l->service);
	if (l->from.p != NULL) {
		ops_buf_puts(out, " from ");
		describe_text(out, &l->from);
	}
	if (l->method.p != NULL) {
		ops_buf_puts(out, ", by ");
		describe_text(out, &l->method);
	}
	ops_buf_puts(out, "\n");
	if (l->key.p != NULL)
		put_key(out, l, width);
}

void
person_json_text(struct json *j, const char *name, const struct event_text *t)
{
	if (t->p != NULL) {
		json_text_bytes(j, name, t->p, t->n);
		return;
	}
	json_key(j, name);
	json_nil(j);
}

/* Principals of a certificate; without one, null. */
static void
json_principals(struct json *j, const struct login *l)
{
	json_key(j, "principals");
	if (l->cert_id.p == NULL) {
		json_nil(j);
		return;
	}
	json_begin_array(j);
	for (size_t at = 0; at < l->principals.n;) {
		const uint8_t *p = l->principals.p + at;
		size_t n = strnlen((const char *)p, l->principals.n - at);

		json_text(j, p, n);
		at += n + 1;
	}
	json_end_array(j);
}

void
person_json_login(struct json *j, const struct login *l)
{
	const char *how = login_how_name(l->how);

	person_json_text(j, "person", &l->person);
	json_key(j, "person_how");
	if (how != NULL)
		json_str(j, how);
	else
		json_nil(j);
	person_json_text(j, "service", &l->service);
	person_json_text(j, "method", &l->method);
	person_json_text(j, "key", &l->key);
	person_json_text(j, "cert", &l->cert_id);
	person_json_text(j, "cert_ca", &l->ca);
	json_principals(j, l);
}

void
person_json(struct json *j, const struct session *s)
{
	static const struct login none;

	person_json_login(j, s->has_login ? &s->login : &none);
}
