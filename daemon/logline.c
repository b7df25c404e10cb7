#include "logline.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/text.h"

#define LINE_TEXT_MAX 1024

static const char *role_name;
static bool use_syslog;

void
logline_open(const char *role, bool to_syslog)
{
	role_name = role;
	use_syslog = to_syslog;
	if (to_syslog)
		openlog("opseald", LOG_PID | LOG_NDELAY, LOG_DAEMON);
}

static void
put_prefix(struct ops_buf *b)
{
	if (role_name == NULL)
		ops_buf_puts(b, "opseald: ");
	else
		ops_buf_printf(b, "opseald[%s]: ", role_name);
}

void
logline(const char *fmt, ...)
{
	struct ops_buf b = { .max = 8 * LINE_TEXT_MAX };
	char text[LINE_TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (!use_syslog)
		put_prefix(&b);
	else if (role_name != NULL)
		ops_buf_printf(&b, "%s: ", role_name);
	ops_escape(&b, text, strlen(text));
	if (use_syslog) {
		ops_buf_put8(&b, '\0');
		if (!b.failed)
			syslog(LOG_NOTICE, "%s", (const char *)b.data);
	} else {
		ops_buf_put8(&b, '\n');
		/* Nobody is left to tell when stderr itself fails. */
		if (!b.failed && write(STDERR_FILENO, b.data, b.len) < 0)
			use_syslog = false;
	}
	ops_buf_free(&b);
}
