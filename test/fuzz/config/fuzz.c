/*
 * config - any file as the daemon's configuration.  What is refused touches
 * nothing and names the file; what is taken keeps to the limits of
 * opseal.conf(5), and written out as a file it is read back the same.
 */
#include "../fuzz.h"

#include "config/config.h"

#define SECOND UINT64_C(1000000000)

static bool
same(const struct config *a, const struct config *b)
{
	return config_compare(a, b, NULL) == 0;
}

static void
check_limits(const struct config *c)
{
	uint64_t bytes;

	REQUIRE(c->hold_time <= 3600 * SECOND);
	REQUIRE(c->on_log_failure == ON_FAILURE_CONTINUE ||
		c->on_log_failure == ON_FAILURE_REFUSE);
	REQUIRE(c->seal_after >= SECOND / 1000 && c->seal_after <= 60 * SECOND);
	REQUIRE(c->anchor_interval <= 24 * 3600 * SECOND);
	REQUIRE(memchr(c->anchor_file, 0, sizeof(c->anchor_file)) != NULL);
	REQUIRE(memchr(c->anchor_syslog, 0, sizeof(c->anchor_syslog)) != NULL);
	/* No event goes before the screen of its session. */
	REQUIRE(c->keep_events == 0 ||
		(c->keep_screens != 0 && c->keep_screens <= c->keep_events));
	REQUIRE(c->keep_at_least >= SECOND);
	REQUIRE(retention_free_parse(c->keep_free, 100, &bytes, NULL) == 0);
	REQUIRE(bytes <= 90 || strchr(c->keep_free, '%') == NULL);
	REQUIRE(retention_free_parse(c->disk_reserve, 100, &bytes, NULL) == 0);
	/* The daemon's working directory is /. */
	REQUIRE(c->anchor_file[0] == '\0' || c->anchor_file[0] == '/');
	REQUIRE(c->anchor_syslog[0] == '\0' || c->anchor_syslog[0] == '/' ||
		strcmp(c->anchor_syslog, "off") == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ops_buf text = { .max = 1u << 20 }, again = { .max = 1u << 16 };
	struct config c, before, back;
	struct ops_err err = { 0 };

	ops_buf_put(&text, data, size);
	if (text.failed)
		return 0;
	config_init(&before);
	memset(before.anchor_file, 'x', 5); /* not a default */
	c = before;
	if (config_parse("file", &text, &c, &err) < 0) {
		REQUIRE(same(&c, &before));
		REQUIRE(err.code == OPS_EFORMAT || err.code == OPS_EUSAGE);
		REQUIRE(strncmp(err.msg, "file:", 5) == 0);
	} else {
		check_limits(&c);
		config_put(&again, &c);
		REQUIRE(!again.failed);
		REQUIRE(config_parse("again", &again, &back, &err) == 0);
		REQUIRE(same(&c, &back));
	}
	ops_buf_free(&text);
	ops_buf_free(&again);
	return 0;
}
