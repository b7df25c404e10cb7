#include "err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "text.h"

/*
 * A message often quotes bytes from outside.  It is printed as it is, so
 * whatever could act on a terminal becomes '?', also a character that was cut
 * in two at the end of the buffer.
 */
static void
make_safe(char *msg)
{
	uint8_t *p = (uint8_t *)msg;
	size_t n = strlen(msg);

	for (size_t i = 0, len; i < n; i += len) {
		len = ops_text_visible_len(p + i, n - i);
		if (len == 0) {
			p[i] = '?';
			len = 1;
		}
	}
}

static void set_msg(struct ops_err *err, const char *fmt, va_list ap,
    const char *tail) __attribute__((format(printf, 2, 0)));

/* fmt, and ": tail" if there is one.  Both may quote err->msg itself. */
static void
set_msg(struct ops_err *err, const char *fmt, va_list ap, const char *tail)
{
	char msg[sizeof(err->msg)];
	size_t n = 0;
	int len = vsnprintf(msg, sizeof(msg), fmt, ap);

	if (len > 0)
		n = (size_t)len;
	if (tail != NULL && n < sizeof(msg) - 1)
		snprintf(msg + n, sizeof(msg) - n, ": %s", tail);
	make_safe(msg);
	memcpy(err->msg, msg, sizeof(msg));
}

int
ops_fail(struct ops_err *err, enum ops_code code, const char *fmt, ...)
{
	va_list ap;

	if (err == NULL)
		return -1;
	va_start(ap, fmt);
	set_msg(err, fmt, ap, NULL);
	va_end(ap);
	err->code = code;
	err->sys = 0;
	return -1;
}

static enum ops_code
code_of_errno(int sys)
{
	switch (sys) {
	case EACCES:
	case EPERM:
		return OPS_EPERM;
	case ENOENT:
		return OPS_ENOENT;
	case ENOMEM:
		return OPS_ENOMEM;
	default:
		return OPS_EIO;
	}
}

int
ops_fail_errno(struct ops_err *err, const char *fmt, ...)
{
	int sys = errno;
	va_list ap;

	if (err == NULL)
		return -1;
	va_start(ap, fmt);
	set_msg(err, fmt, ap, strerror(sys));
	va_end(ap);
	err->code = code_of_errno(sys);
	err->sys = sys;
	errno = sys;
	return -1;
}

int
ops_context(struct ops_err *err, const char *fmt, ...)
{
	va_list ap;

	if (err == NULL)
		return -1;
	va_start(ap, fmt);
	set_msg(err, fmt, ap, err->msg);
	va_end(ap);
	return -1;
}
