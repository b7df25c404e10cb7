#include "config.h"

#include <fcntl.h>
#include <string.h>

#include "base/bytes.h"
#include "base/conf.h"
#include "base/io.h"

#define NS UINT64_C(1000000000)
#define HOUR (3600 * NS)

static const char *const failure_words[] = { "continue", "refuse", NULL };
static const char *const hooks_words[] = { "auto", "tp_btf", "raw_tp", "old",
	NULL };

#define AT(member) offsetof(struct config, member)
/* clang-format off */
static const struct conf_key keys[] = {
	{ NULL, "hold_time",       CONF_DURATION, 0,         HOUR,            AT(hold_time),       NULL },
	{ NULL, "on_log_failure",  CONF_ENUM,     0,         0,               AT(on_log_failure),  failure_words },
	{ NULL, "input",           CONF_BOOL,     0,         0,               AT(input),           NULL },
	{ NULL, "seal_after",      CONF_DURATION, NS / 1000, 60 * NS,         AT(seal_after),      NULL },
	{ NULL, "anchor_interval", CONF_DURATION, 0,         24 * HOUR,       AT(anchor_interval), NULL },
	{ NULL, "mask",            CONF_BOOL,     0,         0,               AT(mask),            NULL },
	{ NULL, "mask_rules",      CONF_TEXT,     0,         CONFIG_PATH_MAX, AT(mask_rules),      NULL },
	{ NULL, "environment",     CONF_TEXT,     0,         ENV_LIST_MAX,    AT(environment),     NULL },
	{ NULL, "accounting",      CONF_BOOL,     0,         0,               AT(accounting),      NULL },
	{ NULL, "capture_hooks",   CONF_ENUM,     0,         0,               AT(capture_hooks),   hooks_words },
	{ NULL, "anchor_file",     CONF_TEXT,     0,         CONFIG_PATH_MAX, AT(anchor_file),     NULL },
	{ NULL, "anchor_syslog",   CONF_TEXT,     0,         CONFIG_PATH_MAX, AT(anchor_syslog),   NULL },
};
/* clang-format on */

void
config_init(struct config *c)
{
	/* Anchored also where the file is missing: what is anchored nowhere
	 * could have been rebuilt by root. */
	*c = (struct config){ .hold_time = 3 * NS,
		.on_log_failure = ON_FAILURE_CONTINUE,
		.anchor_interval = 60 * NS,
		.mask = true };
}

int
config_read(const char *path, bool must_exist, struct ops_buf *text,
    struct ops_err *err)
{
	struct ops_err e = { 0 };

	text->max = CONF_MAX;
	if (ops_read_file(AT_FDCWD, path, OPS_IO_FOLLOW, text, &e) == 0)
		return 0;
	if (e.code == OPS_ENOENT && !must_exist)
		return 0;
	if (err != NULL)
		*err = e;
	return -1;
}

static int
check_path(
    const char *path, const char *key, const char *value, struct ops_err *err)
{
	/* The daemon changes to /, so a relative path would surprise. */
	if (value[0] == '\0' || value[0] == '/')
		return 0;
	return ops_fail(err, OPS_EUSAGE, "%s: %s: %s is no absolute path", path,
	    key, value);
}

int
config_parse(const char *path, const struct ops_buf *text, struct config *ret,
    struct ops_err *err)
{
	struct config c;

	config_init(&c);
	if (text->len > 0 &&
	    conf_parse(path, (const char *)text->data, text->len, keys,
		OPS_ARRAY_LEN(keys), &c, err) < 0)
		return -1;
	if (check_path(path, "anchor_file", c.anchor_file, err) < 0 ||
	    check_path(path, "mask_rules", c.mask_rules, err) < 0)
		return -1;
	if (env_list_check(c.environment, err) < 0)
		return ops_context(err, "%s: environment", path);
	if (strcmp(c.anchor_syslog, "off") != 0 &&
	    check_path(path, "anchor_syslog", c.anchor_syslog, err) < 0)
		return -1;
	*ret = c;
	return 0;
}
