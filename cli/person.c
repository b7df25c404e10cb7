#include "person.h"

#include <inttypes.h>

#include "describe.h"

static void
label(struct ops_buf *out, int width, const char *name)
{
	ops_buf_printf(out, "%-*s  ", width, name);
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

static void
put_text(struct json *j, const char *name, const struct event_text *t)
{
	if (t->p != NULL) {
		json_text_bytes(j, name, t->p, t->n);
		return;
	}
	json_key(j, name);
	json_nil(j);
}

void
person_json(struct json *j, const struct session *s)
{
	static const struct login none;
	const struct login *l = s->has_login ? &s->login : &none;
	const char *how = login_how_name(l->how);

	put_text(j, "person", &l->person);
	json_key(j, "person_how");
	if (how != NULL)
		json_str(j, how);
	else
		json_nil(j);
	put_text(j, "service", &l->service);
	put_text(j, "method", &l->method);
	put_text(j, "key", &l->key);
	put_text(j, "cert", &l->cert_id);
	put_text(j, "cert_ca", &l->ca);
}
