#include "alert.h"

#include <assert.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/json.h"
#include "role.h"

/* clang-format off */
static const struct {
	const char *name;
	enum logline_id line;
} kinds[] = {
	[ALERT_GAP]	     = { "gap",		 LOGLINE_GAP },
	[ALERT_LOSS]	     = { "loss",	 LOGLINE_LOSS },
	[ALERT_LOST]	     = { "lost-session", LOGLINE_SESSION_LOST },
	[ALERT_LOG_FAILED] = { "log-failed",	 LOGLINE_LOG_FAILED },
	[ALERT_LOG_BACK]   = { "log-back",	 LOGLINE_LOG_BACK },
	[ALERT_STOP]	     = { "stop",	 LOGLINE_STOPPED },
	[ALERT_DOOR]	     = { "door",	 LOGLINE_DOOR },
	[ALERT_VERIFY]     = { "verify",	 LOGLINE_VERIFY },
	[ALERT_OFF]	     = { "off",		 LOGLINE_OFF },
	[ALERT_ON]	     = { "on",		 LOGLINE_ON },
	[ALERT_LIMIT]	     = { "limit",	 LOGLINE_LIMIT },
	[ALERT_SWITCH]	     = { "switch",	 LOGLINE_SWITCH },
};
/* clang-format on */

const char *
alert_name(uint32_t kind)
{
	assert(kind > 0 && kind < OPS_ARRAY_LEN(kinds));
	return kinds[kind].name;
}

enum logline_id
alert_line(uint32_t kind)
{
	assert(kind > 0 && kind < OPS_ARRAY_LEN(kinds));
	return kinds[kind].line;
}

void
alert_json(struct ops_buf *out, const struct proto_alert *f, const char *host,
    unsigned dropped)
{
	char time[OPS_TIME_TEXT], id[OPS_ID_TEXT_LEN + 1];
	struct json j = { .out = out };

	ops_time_rfc3339(f->time, true, time);
	if (f->has_session)
		ops_id_text(f->session, id);
	json_begin_object(&j);
	json_key(&j, "kind");
	json_str(&j, alert_name(f->kind));
	json_key(&j, "time");
	json_str(&j, time);
	json_key(&j, "host");
	json_str(&j, host);
	json_key(&j, "session");
	json_str(&j, f->has_session ? id : NULL);
	json_key(&j, "count");
	json_uint(&j, f->count);
	json_text_bytes(&j, "detail",
	    f->detail.p != NULL ? f->detail.p : (const uint8_t *)"",
	    f->detail.n);
	json_key(&j, "dropped");
	json_uint(&j, dropped);
	json_end_object(&j);
	ops_buf_put8(out, '\n');
}

void
alert_tell(enum alert_kind kind, const uint8_t *session, uint64_t count,
    const char *fmt, ...)
{
	struct proto_alert f = { .kind = kind, .count = count };
	char text[EVENT_TEXT_MAX + 1], id[OPS_ID_TEXT_LEN + 1];
	/* What is longer would not be one packet of the pipe. */
	uint8_t bytes[PIPE_BUF];
	struct ops_buf b = OPS_BUF_FIXED(bytes);
	struct ops_clock now;
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (session != NULL) {
		f.has_session = true;
		memcpy(f.session, session, OPS_ID_LEN);
		ops_id_text(session, id);
	}
	logline_event(
	    alert_line(kind), session != NULL ? id : NULL, "%s", text);
	ops_clock_read(&now);
	f.time = now.realtime;
	f.detail = (struct event_text){ (const uint8_t *)text, strlen(text) };
	proto_alert_put(&b, &f);
	if (!b.failed)
		(void)!write(ROLE_FD_ALERTS, b.data, b.len);
}
