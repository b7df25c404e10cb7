#include "config.h"

#include <string.h>

#include "base/bytes.h"
#include "base/confput.h"
#include "command.h"

#define NS UINT64_C(1000000000)
#define HOUR (3600 * NS)
#define CENTURY (876000 * HOUR)

static const char *const failure_words[] = { "continue", "refuse", NULL };
static const char *const reason_words[] = { "off", "ask", "require", NULL };
static const char *const hooks_words[] = { "auto", "tp_btf", "raw_tp", "old",
	NULL };

/* The daemon changes to /, so a relative path would surprise. */
static int
check_path(const char *value, struct ops_err *err)
{
	if (value[0] == '\0' || value[0] == '/')
		return 0;
	return ops_fail(err, OPS_EUSAGE, "%.100s is no absolute path", value);
}

static int
check_syslog(const char *value, struct ops_err *err)
{
	return strcmp(value, "off") == 0 ? 0 : check_path(value, err);
}

static int
check_env(const char *list, struct ops_err *err)
{
	for (const char *p = list; *p != '\0'; p++)
		if (*p == '=' || *p < ' ' || *p > '~')
			return ops_fail(err, OPS_EUSAGE,
			    "names of variables have no '=' and no control "
			    "characters");
	return 0;
}

/* What groupadd(8) takes, and what no other file takes for an end or a comment. */
static int
check_group(const char *name, struct ops_err *err)
{
	for (const char *p = name; *p != '\0'; p++)
		if (*p <= ' ' || *p > '~' || strchr(":,#/", *p) != NULL)
			return ops_fail(err, OPS_EUSAGE,
			    "%.32s is no name of a group", name);
	return 0;
}

static int
check_notify(const char *value, struct ops_err *err)
{
	struct command c;

	return value[0] == '\0' ? 0 : command_parse(value, &c, err);
}

static int
check_free(const char *value, struct ops_err *err)
{
	uint64_t bytes;

	return retention_free_parse(value, 0, &bytes, err);
}

#define AT(member) offsetof(struct config, member)
/* clang-format off */
static const struct conf_key keys[] = {
	{ NULL, "hold_time",       CONF_DURATION, 0,         HOUR,            AT(hold_time),       NULL,          NULL },
	{ NULL, "on_log_failure",  CONF_ENUM,     0,         0,               AT(on_log_failure),  failure_words, NULL },
	{ NULL, "break_glass",     CONF_TEXT,     0,         CONFIG_GROUP_MAX, AT(break_glass),    NULL,          check_group },
	{ NULL, "input",           CONF_BOOL,     0,         0,               AT(input),           NULL,          NULL },
	{ NULL, "notice",          CONF_TEXT,     0,         CONFIG_NOTICE_MAX, AT(notice),        NULL,          NULL },
	{ NULL, "reason",          CONF_ENUM,     0,         0,               AT(reason),          reason_words,  NULL },
	{ NULL, "accounting",      CONF_BOOL,     0,         0,               AT(accounting),      NULL,          NULL },
	{ NULL, "mask",            CONF_BOOL,     0,         0,               AT(mask),            NULL,          NULL },
	{ NULL, "mask_rules",      CONF_TEXT,     0,         CONFIG_PATH_MAX, AT(mask_rules),      NULL,          check_path },
	{ NULL, "environment",     CONF_TEXT,     0,         CONFIG_ENV_MAX,  AT(environment),     NULL,          check_env },
	{ NULL, "capture_hooks",   CONF_ENUM,     0,         0,               AT(capture_hooks),   hooks_words,   NULL },
	{ NULL, "seal_after",      CONF_DURATION, NS / 1000, 60 * NS,         AT(seal_after),      NULL,          NULL },
	{ NULL, "anchor_interval", CONF_DURATION, 0,         24 * HOUR,       AT(anchor_interval), NULL,          NULL },
	{ NULL, "anchor_file",     CONF_TEXT,     0,         CONFIG_PATH_MAX, AT(anchor_file),     NULL,          check_path },
	{ NULL, "anchor_syslog",   CONF_TEXT,     0,         CONFIG_PATH_MAX, AT(anchor_syslog),   NULL,          check_syslog },
	{ NULL, "notify",          CONF_TEXT,     0,         CONFIG_PATH_MAX, AT(notify),          NULL,          check_notify },
	{ NULL, "notify_user",     CONF_TEXT,     1,         CONFIG_USER_MAX, AT(notify_user),     NULL,          NULL },
	{ NULL, "notify_timeout",  CONF_DURATION, NS / 10,   600 * NS,        AT(notify_timeout),  NULL,          NULL },
	{ NULL, "keep_screens",   CONF_DURATION, 0,         CENTURY,         AT(keep_screens),      NULL,          NULL },
	{ NULL, "keep_events",    CONF_DURATION, 0,         CENTURY,         AT(keep_events),       NULL,          NULL },
	{ NULL, "max_size",       CONF_SIZE,     0,         UINT64_MAX,      AT(max_size),          NULL,          NULL },
	{ NULL, "keep_free",      CONF_TEXT,     0,         RETENTION_FREE_MAX,AT(keep_free),         NULL,          check_free },
	{ NULL, "keep_at_least",  CONF_DURATION, NS,        CENTURY,         AT(keep_at_least),     NULL,          NULL },
	{ NULL, "disk_reserve",   CONF_TEXT,     0,         RETENTION_FREE_MAX,AT(disk_reserve),      NULL,          check_free },
	{ NULL, "screen_day",     CONF_TEXT,     0,         RETENTION_FREE_MAX,AT(screen_day),        NULL,          check_free },
	{ NULL, "screen_rate",    CONF_SIZE,     0,         UINT64_MAX,      AT(screen_rate),       NULL,          NULL },
};

/* What is not here is taken over in place. */
static const struct {
	size_t offset;
	enum config_change kind;
} changes[] = {
	{ AT(mask),          CONFIG_CAPTURE },
	{ AT(mask_rules),    CONFIG_CAPTURE },
	{ AT(environment),   CONFIG_CAPTURE },
	{ AT(capture_hooks), CONFIG_CAPTURE },
	/* The supervisor has no right to switch it, unless it was to at its start. */
	{ AT(accounting),    CONFIG_LATER },
};
/* clang-format on */

const struct conf_key *
config_keys(size_t *n)
{
	*n = OPS_ARRAY_LEN(keys);
	return keys;
}

void
config_init(struct config *c)
{
	/* Anchored also where the file is missing: what is anchored nowhere
	 * could have been rebuilt by root. */
	*c = (struct config){ .hold_time = 3 * NS,
		.on_log_failure = ON_FAILURE_CONTINUE,
		.seal_after = NS,
		.anchor_interval = 60 * NS,
		.notify_user = "nobody",
		.notify_timeout = 30 * NS,
		.keep_free = "0",
		.keep_at_least = 7 * 24 * HOUR,
		.mask = true };
}

/* The row of the key, if it was set after *last, which is one that was. */
static void
take_later(const char *name, const struct conf_place *places, size_t *last)
{
	for (size_t i = 0; i < OPS_ARRAY_LEN(keys); i++) {
		const struct conf_place *p = &places[i], *q = &places[*last];

		if (strcmp(keys[i].name, name) == 0 &&
		    (p->file > q->file ||
			(p->file == q->file && p->line > q->line)))
			*last = i;
	}
}

int
config_check(const struct config *c, const struct conf_place *places,
    size_t *key, struct ops_err *err)
{
	if (c->keep_events == 0 ||
	    (c->keep_screens != 0 && c->keep_screens <= c->keep_events))
		return 0;
	*key = 0;
	while (strcmp(keys[*key].name, "keep_events") != 0)
		++*key;
	take_later("keep_screens", places, key);
	return ops_fail(err, OPS_EFORMAT,
	    "keep_events is shorter than keep_screens%s: what happened in a "
	    "session is kept as long as its screen",
	    c->keep_screens == 0 ? ", which is for ever" : "");
}

int
config_parse(const char *name, const struct ops_buf *text, struct config *ret,
    struct ops_err *err)
{
	struct conf_place places[OPS_ARRAY_LEN(keys)] = { 0 };
	const struct conf_file f = { name, 1, (const char *)text->data,
		text->len };
	struct config c;
	size_t key;

	config_init(&c);
	if (f.n > 0 &&
	    conf_take(&f, keys, OPS_ARRAY_LEN(keys), &c, places, NULL, err) < 0)
		return -1;
	if (config_check(&c, places, &key, err) < 0)
		return ops_context(err, "%s:%u", name, places[key].line);
	*ret = c;
	return 0;
}

void
config_put(struct ops_buf *out, const struct config *c)
{
	struct config defaults;

	config_init(&defaults);
	for (size_t i = 0; i < OPS_ARRAY_LEN(keys); i++) {
		if (conf_same(&keys[i], c, &defaults))
			continue;
		ops_buf_printf(out, "%s = ", keys[i].name);
		conf_put_value(out, &keys[i], c);
		ops_buf_put8(out, '\n');
	}
}

int
config_hash(const struct config *c, uint8_t out[static OPS_HASH_LEN],
    struct ops_err *err)
{
	struct ops_buf text = { .max = CONF_MAX };
	int rc;

	config_put(&text, c);
	rc = ops_buf_check(&text, "configuration", err);
	if (rc == 0)
		ops_sha256(text.data, text.len, out);
	ops_buf_free(&text);
	return rc;
}

static enum config_change
kind_of(const struct conf_key *key)
{
	for (size_t i = 0; i < OPS_ARRAY_LEN(changes); i++)
		if (changes[i].offset == key->offset)
			return changes[i].kind;
	return CONFIG_IN_PLACE;
}

unsigned
config_compare(
    const struct config *a, const struct config *b, struct ops_buf *names)
{
	unsigned kinds = 0;

	for (size_t i = 0; i < OPS_ARRAY_LEN(keys); i++) {
		if (conf_same(&keys[i], a, b))
			continue;
		if (names != NULL)
			ops_buf_printf(
			    names, "%s%s", kinds != 0 ? " " : "", keys[i].name);
		kinds |= kind_of(&keys[i]);
	}
	return kinds;
}

/* The size of a key's member. */
static size_t
size_of(const struct conf_key *key)
{
	switch (key->kind) {
	case CONF_BOOL:
		return sizeof(bool);
	case CONF_ENUM:
		return sizeof(int);
	case CONF_TEXT:
		return (size_t)key->max + 1;
	case CONF_UINT:
	case CONF_SIZE:
	case CONF_DURATION:
		break;
	}
	return sizeof(uint64_t);
}

void
config_keep(
    struct config *c, const struct config *other, enum config_change kind)
{
	for (size_t i = 0; i < OPS_ARRAY_LEN(keys); i++)
		if (kind_of(&keys[i]) == kind)
			memcpy((uint8_t *)c + keys[i].offset,
			    (const uint8_t *)other + keys[i].offset,
			    size_of(&keys[i]));
}
