#include "logline.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <syslog.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/text.h"

#define LINE_TEXT_MAX 1024
#define OFTEN_NS UINT64_C(10000000000)

/* Lines that peers caused. */
struct often {
	_Atomic uint64_t since; /* BOOTTIME */
	_Atomic uint32_t said, left_out;
};

static const char *role_name;
static bool use_syslog;
static struct often own;
static struct often *often = &own;

void
logline_open(const char *role, bool to_syslog)
{
	role_name = role;
	use_syslog = to_syslog;
	if (to_syslog)
		openlog("opseald", LOG_PID | LOG_NDELAY, LOG_DAEMON);
}

void
logline_release(void)
{
	if (use_syslog)
		closelog();
}

static void
put_prefix(struct ops_buf *b)
{
	if (role_name == NULL)
		ops_buf_puts(b, "opseald: ");
	else
		ops_buf_printf(b, "opseald[%s]: ", role_name);
}

static void
say(const char *text)
{
	/* That memory is short must be said without any. */
	uint8_t line[8 * LINE_TEXT_MAX];
	struct ops_buf b = OPS_BUF_FIXED(line);

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
}

void
logline(const char *fmt, ...)
{
	char text[LINE_TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	say(text);
}

/* -- lines that peers cause -- */

/* Without a page to share each process counts for itself: children that each
 * say one line are not limited then, but all is said. */
void
logline_share(void)
{
	int fd = memfd_create("opseald-lines", MFD_CLOEXEC);
	void *p = MAP_FAILED;

	if (fd < 0)
		return;
	if (ftruncate(fd, sizeof(*often)) == 0)
		p = mmap(NULL, sizeof(*often), PROT_READ | PROT_WRITE,
		    MAP_SHARED, fd, 0);
	close(fd);
	if (p != MAP_FAILED)
		often = p;
}

static bool
may_say(void)
{
	uint64_t now = ops_boottime(), since = atomic_load(&often->since);
	uint32_t left_out;

	if (now - since >= OFTEN_NS &&
	    atomic_compare_exchange_strong(&often->since, &since, now)) {
		atomic_store(&often->said, 0);
		left_out = atomic_exchange(&often->left_out, 0);
		if (left_out > 0)
			logline("%u lines of this kind were left out",
			    (unsigned)left_out);
	}
	if (atomic_fetch_add(&often->said, 1) < LOGLINE_OFTEN_MAX)
		return true;
	atomic_fetch_add(&often->left_out, 1);
	return false;
}

void
logline_often(const char *fmt, ...)
{
	char text[LINE_TEXT_MAX];
	va_list ap;

	if (!may_say())
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	say(text);
}
