#include "settings.h"

#include <string.h>
#include <time.h>

#include "base/bytes.h"
#include "base/io.h"

/* hash[32] of the rest; u64 read; u64 fault_time; fault; u32 length; text */
#define AT_READ OPS_HASH_LEN
#define AT_FAULT_TIME (AT_READ + 8)
#define AT_FAULT (AT_FAULT_TIME + 8)
#define AT_LENGTH (AT_FAULT + SETTINGS_FAULT_MAX)
#define AT_TEXT (AT_LENGTH + 4)
#define SIZE 65536
#define TRIES 200
#define NAP 1000000 /* ns */

int
settings_new(struct page *ret, struct ops_err *err)
{
	return page_new(ret, "opseald-settings", SIZE, err);
}

int
settings_write(struct page *page, const struct settings *s, struct ops_err *err)
{
	struct ops_buf text = { .max = SIZE - AT_TEXT };
	int rc;

	config_put(&text, &s->config);
	rc = ops_buf_check(&text, "configuration", err);
	if (rc == 0) {
		memset(page->p, 0, SIZE);
		ops_putle64(page->p + AT_READ, s->read);
		ops_putle64(page->p + AT_FAULT_TIME, s->fault_time);
		memcpy(page->p + AT_FAULT, s->fault, SETTINGS_FAULT_MAX);
		ops_putle32(page->p + AT_LENGTH, (uint32_t)text.len);
		if (text.len > 0)
			memcpy(page->p + AT_TEXT, text.data, text.len);
		ops_sha256(
		    page->p + OPS_HASH_LEN, SIZE - OPS_HASH_LEN, page->p);
	}
	ops_buf_free(&text);
	return rc;
}

static bool
is_whole(const uint8_t *p)
{
	uint8_t hash[OPS_HASH_LEN];

	ops_sha256(p + OPS_HASH_LEN, SIZE - OPS_HASH_LEN, hash);
	return memcmp(hash, p, sizeof(hash)) == 0;
}

/* Of a page that is whole: it is as settings_write() left it. */
static int
take(uint8_t *p, struct settings *ret, struct ops_err *err)
{
	struct ops_buf text = { .data = p + AT_TEXT,
		.len = ops_getle32(p + AT_LENGTH) };

	if (text.len > SIZE - AT_TEXT)
		return ops_fail(err, OPS_EFORMAT, "configuration: too long");
	if (config_parse("configuration", &text, &ret->config, err) < 0)
		return -1;
	ret->read = ops_getle64(p + AT_READ);
	ret->fault_time = ops_getle64(p + AT_FAULT_TIME);
	memcpy(ret->fault, p + AT_FAULT, SETTINGS_FAULT_MAX);
	ret->fault[SETTINGS_FAULT_MAX - 1] = '\0';
	return 0;
}

int
settings_read(int fd, struct settings *ret, struct ops_err *err)
{
	const struct timespec nap = { 0, NAP };
	struct ops_buf page = { .max = SIZE };
	uint8_t *p = ops_buf_reserve(&page, SIZE);
	int rc = -1;

	if (p == NULL)
		return ops_fail(err, OPS_ENOMEM, "configuration: no memory");
	for (int i = 0; i < TRIES; i++) {
		if (ops_pread_full(fd, p, SIZE, 0, err) != SIZE)
			break;
		if (is_whole(p)) {
			rc = take(p, ret, err);
			break;
		}
		if (i == TRIES - 1)
			ops_fail(err, OPS_EFORMAT,
			    "configuration: the supervisor's page is torn");
		(void)nanosleep(&nap, NULL);
	}
	ops_buf_free(&page);
	return rc;
}
