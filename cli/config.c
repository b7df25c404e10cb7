/* opseal config - what the configuration says, and where each value is from. */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/confput.h"
#include "base/json.h"
#include "base/text.h"
#include "cli.h"
#include "config/config_files.h"
#include "installed.h"

#define DEFAULT_PATH OPSEAL_SYSCONFDIR "/opseal.conf"
#define VENDOR_PATH OPSEAL_VENDORDIR "/opseal.conf.d"
#define OUT_MAX (1u << 20)
#define PLACE_COLUMN 32

static void
say_fault(void *arg, const char *text)
{
	cli_note(arg, "%s", text);
}

static void
pad(struct ops_buf *line)
{
	do
		ops_buf_put8(line, ' ');
	while (line->len < PLACE_COLUMN && !line->failed);
}

static bool
is_safe(const uint8_t *p, size_t n)
{
	size_t len;

	for (; n > 0; p += len, n -= len) {
		len = ops_text_safe_len(p, n);
		if (len == 0)
			return false;
	}
	return true;
}

/* As a file that says the same; what would steer a terminal is escaped all the
 * same. */
static void
put_text(struct ops_buf *out, const struct config_set *set)
{
	struct ops_buf line = { .max = 2 * CONF_VALUE_MAX + PATH_MAX };
	size_t n;
	const struct conf_key *keys = config_keys(&n);

	for (size_t i = 0; i < n; i++) {
		ops_buf_reset(&line);
		ops_buf_printf(&line, "%s = ", keys[i].name);
		conf_put_value(&line, &keys[i], &set->config);
		pad(&line);
		ops_buf_puts(&line, "# ");
		config_place_put(&line, set, &set->place[i]);
		if (is_safe(line.data, line.len))
			ops_buf_put(out, line.data, line.len);
		else
			ops_escape(out, line.data, line.len);
		ops_buf_put8(out, '\n');
		out->failed |= line.failed;
	}
	ops_buf_free(&line);
}

static void
put_json_value(
    struct json *j, const struct conf_key *key, const struct config *c)
{
	const void *at = (const char *)c + key->offset;
	struct ops_buf text = { .max = CONF_MAX };
	uint64_t number = 0;
	bool flag = false;

	json_key(j, "value");
	switch (key->kind) {
	case CONF_BOOL:
		memcpy(&flag, at, sizeof(flag));
		json_bool(j, flag);
		break;
	case CONF_TEXT:
		json_str(j, at);
		break;
	case CONF_ENUM:
		conf_put_value(&text, key, c);
		json_text(j, text.data, text.len);
		break;
	case CONF_UINT:
	case CONF_SIZE:
		memcpy(&number, at, sizeof(number));
		json_uint(j, number);
		break;
	case CONF_DURATION:
		memcpy(&number, at, sizeof(number));
		json_seconds(j, number);
		break;
	}
	ops_buf_free(&text);
}

static void
put_json(struct ops_buf *out, const struct config_set *set)
{
	size_t n;
	const struct conf_key *keys = config_keys(&n);

	for (size_t i = 0; i < n; i++) {
		const struct conf_place *p = &set->place[i];
		struct json j = { .out = out };

		json_begin_object(&j);
		json_key(&j, "key");
		json_str(&j, keys[i].name);
		put_json_value(&j, &keys[i], &set->config);
		json_key(&j, "file");
		json_str(&j, p->file > 0 ? set->file[p->file - 1] : NULL);
		json_key(&j, "line");
		if (p->file > 0)
			json_uint(&j, p->line);
		else
			json_nil(&j);
		json_end_object(&j);
		ops_buf_put8(out, '\n');
	}
}

int
cmd_config(struct cli *cli, const void *opts, int argc, char **argv)
{
	const struct config_opts *o = opts;
	const struct config_where where = { argc > 0 ? argv[0] : DEFAULT_PATH,
		argc > 0, argc > 0 ? NULL : VENDOR_PATH };
	const struct conf_faults faults = { say_fault, cli };
	struct ops_buf out = { .max = OUT_MAX };
	struct config_set set = { .n_files = 0 };
	struct ops_err err = { 0 };
	int status = CLI_FINE;

	if (o->check && o->json) {
		ops_fail(&err, OPS_EUSAGE,
		    "--check says what is wrong; it has no --json");
		return cli_fail(cli, &err);
	}
	if (config_load(&where, &set, &faults, &err) < 0)
		return err.code == OPS_EPERM ? CLI_PERM : CLI_TROUBLE;
	if (o->check)
		ops_buf_printf(&out, "no mistake in %zu file%s\n", set.n_files,
		    set.n_files == 1 ? "" : "s");
	else if (o->json)
		put_json(&out, &set);
	else
		put_text(&out, &set);
	if (ops_buf_check(&out, "configuration", &err) < 0)
		status = cli_fail(cli, &err);
	else
		cli_put(&out);
	ops_buf_free(&out);
	config_set_free(&set);
	return status;
}
