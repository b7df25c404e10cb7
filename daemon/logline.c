#include "logline.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/text.h"
#include "journal.h"

#define LINE_TEXT_MAX 1024
#define OFTEN_NS UINT64_C(10000000000)

/* Lines that peers caused. */
struct often {
	_Atomic uint64_t since; /* BOOTTIME */
	_Atomic uint32_t said, left_out;
};

/* clang-format off */
static const struct {
	const char *id;  /* MESSAGE_ID */
	int priority;	 /* syslog(3) */
} events[LOGLINE_IDS] = {
	[LOGLINE_STARTED]	 = { "bb4405286315454d89b161e3e2eee3f6", LOG_NOTICE },
	[LOGLINE_STOPPED]	 = { "22a960dae5f345ebb8744e66b6258291", LOG_WARNING },
	[LOGLINE_CONFIG_TAKEN]	 = { "553556c652ff44cf9fa244a41583721f", LOG_NOTICE },
	[LOGLINE_CONFIG_REFUSED] = { "7f8ba33e2a4144bb980602c1da998816", LOG_WARNING },
	[LOGLINE_ROLE_ENDED]	 = { "ddf1e7a65e9a4f5b999b14d4f0920a09", LOG_WARNING },
	[LOGLINE_LOG_FAILED]	 = { "a7ef916c670b4fb89fa5fbd1dd374ff6", LOG_CRIT },
	[LOGLINE_LOG_BACK]	 = { "09f761aa57de4e878485d8b189a28392", LOG_NOTICE },
	[LOGLINE_GAP]		 = { "a41f51b2b2a84b8dafaa70ab039bdc6c", LOG_WARNING },
	[LOGLINE_LOSS]		 = { "12e7e316e76b4289bcb5017830f007ed", LOG_WARNING },
	[LOGLINE_SESSION_LOST]	 = { "519702e348d8487a89d3ee51a8281dce", LOG_WARNING },
	[LOGLINE_DOOR]		 = { "ed273c6b2e51468a9b2667959bdf9436", LOG_WARNING },
	[LOGLINE_VERIFY]	 = { "737a4e57f90c46b593d703b510df30bb", LOG_CRIT },
	[LOGLINE_OFF]		 = { "6b598ff60cde498eadde388c098be04f", LOG_CRIT },
	[LOGLINE_ON]		 = { "912b3561a71d4bb589d2c416ffd48cdf", LOG_NOTICE },
	[LOGLINE_LIMIT]		 = { "5d0c9be4a17f4e63b8a26f90c2d713ea", LOG_WARNING },
	[LOGLINE_SWITCH]	 = { "f64a14a31e3e425c94b9888a943a6664", LOG_CRIT },
	[LOGLINE_NOTIFY_FAILED]	 = { "0c6e27d1f35b4f5c9f0b8a7d4e2f9b13", LOG_WARNING },
};
/* clang-format on */

/* What one line is, besides its text. */
struct entry {
	const char *id; /* MESSAGE_ID, NULL: none */
	int priority;
	const char *session; /* NULL: none */
};
static const struct entry plain = { .priority = LOG_NOTICE };

static const char *role_name;
static bool use_syslog, use_journal;
static int journal_fd = -1;
static struct often own;
static struct often *often = &own;

/* -- the journal -- */

/* Is stderr the journal's, as its unit was told? */
static bool
is_journal_stream(void)
{
	const char *s = getenv("JOURNAL_STREAM");
	char here[64];
	struct stat st;

	if (s == NULL || fstat(STDERR_FILENO, &st) < 0)
		return false;
	(void)snprintf(here, sizeof(here), "%ju:%ju", (uintmax_t)st.st_dev,
	    (uintmax_t)st.st_ino);
	return strcmp(s, here) == 0;
}

/* It must not wait for a journal that is behind. */
static void
open_journal(void)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX,
		.sun_path = JOURNAL_SOCKET };

	journal_fd =
	    socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (journal_fd >= 0 &&
	    connect(journal_fd, (const struct sockaddr *)&sun, sizeof(sun)) <
		0) {
		close(journal_fd);
		journal_fd = -1;
	}
}

void
logline_connect(void)
{
	if (use_journal && journal_fd < 0)
		open_journal();
	if (use_syslog)
		openlog("opseald", LOG_PID | LOG_NDELAY, LOG_DAEMON);
}

void
logline_open(const char *role, bool to_syslog)
{
	role_name = role;
	use_syslog = to_syslog;
	use_journal = to_syslog || is_journal_stream();
	logline_connect();
}

void
logline_release(void)
{
	if (use_syslog)
		closelog();
	if (journal_fd >= 0)
		close(journal_fd);
	journal_fd = -1;
}

/* False: it was not taken. */
static bool
to_journal(const struct entry *e, const struct ops_buf *text)
{
	uint8_t bytes[16 * LINE_TEXT_MAX];
	struct ops_buf b = OPS_BUF_FIXED(bytes);
	const char priority[] = { (char)('0' + e->priority), '\0' };

	if (journal_fd < 0)
		open_journal();
	if (journal_fd < 0)
		return false;
	journal_put(&b, "MESSAGE", text->data, text->len);
	journal_puts(&b, "PRIORITY", priority);
	journal_puts(&b, "SYSLOG_FACILITY", "3");
	journal_puts(&b, "SYSLOG_IDENTIFIER", "opseald");
	if (e->id != NULL)
		journal_puts(&b, "MESSAGE_ID", e->id);
	if (role_name != NULL)
		journal_puts(&b, "OPSEAL_ROLE", role_name);
	if (e->session != NULL)
		journal_puts(&b, "OPSEAL_SESSION", e->session);
	if (b.failed || write(journal_fd, b.data, b.len) < 0) {
		/* A journal that was started anew has another socket. */
		close(journal_fd);
		journal_fd = -1;
		return false;
	}
	return true;
}

/* -- lines -- */

static void
put_prefix(struct ops_buf *b)
{
	if (role_name == NULL)
		ops_buf_puts(b, "opseald: ");
	else
		ops_buf_printf(b, "opseald[%s]: ", role_name);
}

static void
to_stderr(struct ops_buf *b)
{
	ops_buf_put8(b, '\n');
	/* Nobody is left to tell when stderr itself fails. */
	if (!b->failed && write(STDERR_FILENO, b->data, b->len) < 0)
		use_syslog = false;
}

static void
say(const struct entry *e, const char *text)
{
	/* That memory is short must be said without any. */
	uint8_t line[8 * LINE_TEXT_MAX], words[8 * LINE_TEXT_MAX];
	struct ops_buf b = OPS_BUF_FIXED(line);
	struct ops_buf message = OPS_BUF_FIXED(words);

	ops_escape(&message, text, strlen(text));
	if (use_journal && !message.failed && to_journal(e, &message))
		return;
	if (!use_syslog)
		put_prefix(&b);
	else if (role_name != NULL)
		ops_buf_printf(&b, "%s: ", role_name);
	ops_buf_put(&b, message.data, message.len);
	if (!use_syslog) {
		to_stderr(&b);
		return;
	}
	ops_buf_put8(&b, '\0');
	if (!b.failed)
		syslog(e->priority, "%s", (const char *)b.data);
}

void
logline(const char *fmt, ...)
{
	char text[LINE_TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	say(&plain, text);
}

void
logline_event(enum logline_id id, const char *session, const char *fmt, ...)
{
	const struct entry e = { events[id].id, events[id].priority, session };
	char text[LINE_TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	say(&e, text);
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
	say(&plain, text);
}
