#include "capture_secrets.h"

#include "capture_env.h"

/* Four bytes of "-px " become 26. */
#define MASKED_MAX (8 * ORDER_ARGS_MAX)

/* Look once: a program's arguments may be megabytes, told in many turns. */
static void
find(struct capture_secrets *s, const struct order_event *ev)
{
	if (s->looked)
		return;
	ops_buf_reset(&s->masked);
	s->masked.max = MASKED_MAX;
	s->found = mask_args(s->mask, ev->args, ev->args_n, &s->masked) > 0 ||
		   s->masked.failed;
	s->looked = true;
}

static void
hide_args(struct capture_secrets *s, struct order_event *ev)
{
	static const uint8_t none[1];

	if (s->mask == NULL)
		return;
	find(s, ev);
	ev->masked = s->found;
	if (!s->found)
		return;
	ev->args = s->masked.failed ? none : s->masked.data;
	ev->args_n = s->masked.failed ? 0 : s->masked.len;
}

static void
hide_env(struct capture_secrets *s, struct order_event *ev)
{
	struct ops_buf kept = { .max = CAP_CHUNK + 1 };

	if ((ev->u->exec.flags & CAP_ENV) == 0)
		return;
	ops_buf_reset(&s->env);
	s->env.max = 4 * CAP_CHUNK;
	ops_buf_put8(&kept, 0); /* the rules leave the first word as it is */
	env_keep(s->keep_env, ev->env, ev->env_n, &kept);
	if (s->mask == NULL)
		ops_buf_put(&s->env, kept.data, kept.len);
	else if (mask_args(s->mask, kept.data, kept.len, &s->env) > 0)
		ev->masked = true;
	if (kept.failed || s->env.failed) {
		ops_buf_reset(&s->env);
		ev->env_cut = true;
	}
	ev->env = s->env.len > 1 ? s->env.data + 1 : NULL;
	ev->env_n = s->env.len > 1 ? s->env.len - 1 : 0;
	ops_buf_free(&kept);
}

void
capture_secrets_hide(struct capture_secrets *s, struct order_event *ev)
{
	if (ev->u->head.type != CAP_EXEC)
		return;
	hide_args(s, ev);
	hide_env(s, ev);
}

void
capture_secrets_next(struct capture_secrets *s)
{
	s->looked = false;
}

void
capture_secrets_free(struct capture_secrets *s)
{
	mask_free(s->mask);
	ops_buf_free(&s->masked);
	ops_buf_free(&s->env);
}
