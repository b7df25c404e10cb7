#include "reload.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/text.h"
#include "logline.h"
#include "mask_rules.h"

static void
say_fault(void *arg, const char *text)
{
	(void)arg;
	logline("configuration: %s", text);
}

static uint64_t
wall_clock(void)
{
	struct ops_clock now;

	ops_clock_read(&now);
	return now.realtime;
}

/* As who masks: what that user can't read or parse is a mistake. */
static int
hash_rules(const struct reload *r, const struct config *c,
    uint8_t out[static OPS_HASH_LEN], struct ops_err *err)
{
	struct ops_buf text = { .max = MASK_RULES_MAX };
	struct mask *mask = NULL;
	int rc;

	memset(out, 0, OPS_HASH_LEN);
	if (!c->mask || c->mask_rules[0] == '\0')
		return 0;
	if (drop_act_as(&r->user, err) < 0)
		return -1;
	rc = mask_rules_load(c, &mask, err);
	if (rc == 0)
		rc = ops_read_file(
		    AT_FDCWD, c->mask_rules, OPS_IO_FOLLOW, &text, err);
	drop_act_back(&r->user);
	if (rc == 0)
		ops_sha256(text.data, text.len, out);
	mask_free(mask);
	ops_buf_free(&text);
	return rc;
}

int
reload_init(struct reload *r, const struct config_where *where,
    const struct config *now, const struct drop_user *user, struct ops_err *err)
{
	*r = (struct reload){ .where = where, .user = *user };
	r->now.config = *now;
	r->now.read = wall_clock();
	/* At the start the roles themselves say what is wrong with the rules. */
	(void)hash_rules(r, now, r->rules, NULL);
	if (settings_new(&r->page, err) < 0)
		return -1;
	return settings_write(&r->page, &r->now, err);
}

/* What was in force stays; status says why. */
static unsigned
refuse(struct reload *r, const struct ops_err *why)
{
	logline_event(LOGLINE_CONFIG_REFUSED, NULL,
	    "configuration: not taken over; what was in force stays");
	(void)snprintf(r->now.fault, sizeof(r->now.fault), "%s", why->msg);
	r->now.fault_time = wall_clock();
	return settings_write(&r->page, &r->now, NULL) == 0 ? RELOAD_TOLD : 0;
}

static void
say_taken(const struct settings *s, const char *names)
{
	uint8_t hash[OPS_HASH_LEN];
	char hex[2 * OPS_HASH_LEN + 1] = "";

	if (config_hash(&s->config, hash, NULL) == 0)
		ops_hex(hash, sizeof(hash), hex);
	if (names[0] == '\0')
		logline_event(LOGLINE_CONFIG_TAKEN, NULL,
		    "configuration: read again, nothing changed");
	else
		logline_event(LOGLINE_CONFIG_TAKEN, NULL,
		    "configuration: taken over, changed: %s; sha256 %s", names,
		    hex);
}

/* Put it in force; the kinds of keys that changed. */
static unsigned
take(struct reload *r, const struct config *c, const uint8_t *rules)
{
	struct ops_buf names = { .max = CONF_KEYS_MAX * 64 };
	struct settings next = { .config = *c, .read = wall_clock() };
	struct ops_err err = { 0 };
	unsigned kinds = config_compare(&r->now.config, c, NULL);

	if (kinds & CONFIG_LATER) {
		config_keep(&next.config, &r->now.config, CONFIG_LATER);
		(void)snprintf(next.fault, sizeof(next.fault),
		    "accounting: takes effect when opseald is started again");
		next.fault_time = next.read;
		logline("configuration: %s", next.fault);
	}
	kinds = config_compare(&r->now.config, &next.config, &names);
	if (memcmp(rules, r->rules, OPS_HASH_LEN) != 0 &&
	    !(kinds & CONFIG_CAPTURE)) {
		ops_buf_printf(
		    &names, "%smask_rules", names.len > 0 ? " " : "");
		kinds |= CONFIG_CAPTURE;
	}
	ops_buf_put8(&names, '\0');
	if (ops_buf_check(&names, "configuration", &err) < 0 ||
	    settings_write(&r->page, &next, &err) < 0) {
		logline("%s", err.msg);
		kinds = refuse(r, &err);
	} else {
		say_taken(&next, (const char *)names.data);
		r->now = next;
		memcpy(r->rules, rules, OPS_HASH_LEN);
		kinds |= RELOAD_TOLD;
	}
	ops_buf_free(&names);
	return kinds;
}

unsigned
reload_again(struct reload *r)
{
	const struct conf_faults faults = { say_fault, NULL };
	struct config_set set = { .n_files = 0 };
	uint8_t rules[OPS_HASH_LEN];
	struct ops_err err = { 0 };
	unsigned kinds;

	if (config_load(r->where, &set, &faults, &err) < 0)
		return refuse(r, &err);
	if (hash_rules(r, &set.config, rules, &err) < 0) {
		say_fault(NULL, err.msg);
		kinds = refuse(r, &err);
	} else {
		kinds = take(r, &set.config, rules);
	}
	config_set_free(&set);
	return kinds;
}
