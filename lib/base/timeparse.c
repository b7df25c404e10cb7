#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "bytes.h"
#include "clock.h"

#define NS UINT64_C(1000000000)
#define DAY 86400            /* seconds */
#define YEAR_MAX_PARSED 2500 /* nanoseconds in 64 bits end in 2554 */

__extension__ typedef unsigned __int128 u128;

/* A text being read; every take_*() that fails leaves it where it was. */
struct scan {
	const char *p;
};

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static void
skip_spaces(struct scan *s)
{
	while (*s->p == ' ' || *s->p == '\t')
		s->p++;
}

static bool
take_char(struct scan *s, char c)
{
	if (*s->p != c)
		return false;
	s->p++;
	return true;
}

/* Exactly this many digits (and no further one). */
static bool
take_fixed(struct scan *s, int digits, int *ret)
{
	int v = 0, i;

	for (i = 0; i < digits && is_digit(s->p[i]); i++)
		v = v * 10 + (s->p[i] - '0');
	if (i < digits || is_digit(s->p[i]))
		return false;
	s->p += digits;
	*ret = v;
	return true;
}

static bool
take_uint(struct scan *s, uint64_t *ret)
{
	const char *p = s->p;
	uint64_t v = 0;

	if (!is_digit(*p))
		return false;
	for (; is_digit(*p); p++)
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*p - '0'), &v))
			return false;
	s->p = p;
	*ret = v;
	return true;
}

/* ".123" as billionths, 0 if there is no point; up to nine digits. */
static bool
take_fraction(struct scan *s, uint64_t *ret)
{
	const char *p = s->p;
	uint64_t v = 0;
	int digits = 0;

	*ret = 0;
	if (*p != '.')
		return true;
	for (p++; is_digit(*p) && digits < 9; p++, digits++)
		v = v * 10 + (uint64_t)(*p - '0');
	if (digits == 0 || is_digit(*p))
		return false;
	for (; digits < 9; digits++)
		v *= 10;
	s->p = p;
	*ret = v;
	return true;
}

static bool
take_word(struct scan *s, const char *word)
{
	size_t n = strlen(word);

	if (strncmp(s->p, word, n) != 0 || is_letter(s->p[n]))
		return false;
	s->p += n;
	return true;
}

/* Durations */

/* As in systemd.time(7): a year is 365.25 days, a month a twelfth of it. */
/* clang-format off */
static const struct unit {
	const char *names; /* separated and ended by spaces */
	uint64_t ns;
} units[] = {
	{ "ns nsec ",				1 },
	{ "us usec \xc2\xb5s ",			1000 },
	{ "ms msec ",				1000000 },
	{ "s sec second seconds ",		NS },
	{ "m min minute minutes ",		60 * NS },
	{ "h hr hour hours ",			3600 * NS },
	{ "d day days ",			DAY * NS },
	{ "w week weeks ",			7 * DAY * NS },
	{ "M month months ",			2629800 * NS },
	{ "y year years ",			31557600 * NS },
};
/* clang-format on */

static bool
is_unit_char(char c)
{
	return is_letter(c) || (unsigned char)c >= 0x80;
}

static const struct unit *
find_unit(const char *word, size_t n)
{
	for (size_t i = 0; i < OPS_ARRAY_LEN(units); i++) {
		const char *name = units[i].names;

		while (*name != '\0') {
			size_t len = (size_t)(strchr(name, ' ') - name);

			if (len == n && memcmp(name, word, n) == 0)
				return &units[i];
			name += len + 1;
		}
	}
	return NULL;
}

static bool
take_unit(struct scan *s, uint64_t *ns)
{
	const struct unit *unit;
	size_t n = 0;

	while (is_unit_char(s->p[n]))
		n++;
	unit = find_unit(s->p, n);
	if (n == 0 || unit == NULL)
		return false;
	s->p += n;
	*ns = unit->ns;
	return true;
}

/* A number and its unit; *bare: there was no unit, it is in seconds. */
static bool
take_amount(struct scan *s, uint64_t *ret, bool *bare)
{
	uint64_t whole, fraction, unit = NS;
	struct scan at = *s, after;
	u128 v;

	if (!take_uint(&at, &whole) || !take_fraction(&at, &fraction))
		return false;
	after = at;
	skip_spaces(&after);
	*bare = !take_unit(&after, &unit);
	v = (u128)whole * unit + (u128)fraction * unit / NS;
	if (v > UINT64_MAX)
		return false;
	*ret = (uint64_t)v;
	*s = *bare ? at : after;
	return true;
}

/* "1h 30min", "2.5 days"; without a unit only one number. */
static bool
take_duration(struct scan *s, uint64_t *ret)
{
	struct scan at = *s;
	uint64_t sum, more;
	bool bare;

	if (!take_amount(&at, &sum, &bare))
		return false;
	while (!bare) {
		struct scan next = at;

		skip_spaces(&next);
		if (!is_digit(*next.p))
			break;
		if (!take_amount(&next, &more, &bare) || bare ||
		    __builtin_add_overflow(sum, more, &sum))
			return false;
		at = next;
	}
	*s = at;
	*ret = sum;
	return true;
}

int
ops_duration_parse(const char *text, uint64_t *ret, struct ops_err *err)
{
	struct scan s = { text };
	uint64_t ns;

	skip_spaces(&s);
	if (!take_duration(&s, &ns) || (skip_spaces(&s), *s.p != '\0'))
		return ops_fail(err, OPS_EUSAGE,
		    "\"%.60s\" is no duration (like 90s, 250ms, 1h 30min)",
		    text);
	*ret = ns;
	return 0;
}

/* "83", "1:23", "1:02:03": the first part is unbounded, the others go to 59. */
static bool
take_offset(struct scan *s, uint64_t *ret)
{
	uint64_t sum, fraction;
	int part;
	u128 v;

	if (!take_uint(s, &sum))
		return false;
	for (int i = 0; i < 2 && take_char(s, ':'); i++) {
		if (!take_fixed(s, 2, &part) || part > 59 ||
		    __builtin_mul_overflow(sum, 60, &sum) ||
		    __builtin_add_overflow(sum, (uint64_t)part, &sum))
			return false;
	}
	if (!take_fraction(s, &fraction))
		return false;
	v = (u128)sum * NS + fraction;
	*ret = (uint64_t)v;
	return v <= UINT64_MAX;
}

int
ops_offset_parse(const char *text, uint64_t *ret, struct ops_err *err)
{
	struct scan s = { text };
	uint64_t ns;

	if (!take_offset(&s, &ns) || *s.p != '\0')
		return ops_fail(err, OPS_EUSAGE,
		    "\"%.60s\" is no offset (like 83, 1:23, 1:02:03.5)", text);
	*ret = ns;
	return 0;
}

/* Points in time */

/* A civil time as typed; east is the offset from UTC if one was given. */
struct civil {
	struct tm tm;
	uint64_t ns;
	bool has_zone;
	long east; /* seconds */
};

/*
 * Local civil time to seconds since the epoch.  Where clocks go back, a time
 * that comes twice means the first; where they go forward, a time that never
 * comes is counted as if they hadn't yet (02:30 is shown as 03:30).  mktime(3)
 * leaves both open.
 */
static int64_t
local_to_epoch(const struct tm *civil)
{
	struct tm tm = *civil;
	time_t as_utc = timegm(&tm), at[2], t;
	long east[2];

	for (int i = 0; i < 2; i++) {
		t = i == 0 ? as_utc - DAY : as_utc + DAY;
		localtime_r(&t, &tm);
		east[i] = tm.tm_gmtoff;
		at[i] = as_utc - east[i];
	}
	for (int i = 0; i < 2; i++) {
		localtime_r(&at[i], &tm);
		if (tm.tm_gmtoff == east[i])
			return at[i];
	}
	return at[0];
}

static bool
civil_to_ns(const struct civil *c, uint64_t *ret)
{
	struct tm tm = c->tm;
	int64_t t;

	t = c->has_zone ? (int64_t)timegm(&tm) - c->east : local_to_epoch(&tm);
	if (t < 0)
		return false;
	*ret = (uint64_t)t * NS + c->ns;
	return true;
}

static bool
is_date(int y, int m, int d)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30,
		31 };
	bool leap = y % 4 == 0 && (y % 100 != 0 || y % 400 == 0);

	/* West of Greenwich the epoch lies in 1969. */
	return y >= 1969 && y <= YEAR_MAX_PARSED && m >= 1 && m <= 12 &&
	       d >= 1 && d <= days[m - 1] + (m == 2 && leap);
}

static bool
take_date(struct scan *s, struct tm *tm)
{
	struct scan at = *s;
	int y, m, d;

	if (!take_fixed(&at, 4, &y) || !take_char(&at, '-') ||
	    !take_fixed(&at, 2, &m) || !take_char(&at, '-') ||
	    !take_fixed(&at, 2, &d) || !is_date(y, m, d))
		return false;
	tm->tm_year = y - 1900;
	tm->tm_mon = m - 1;
	tm->tm_mday = d;
	*s = at;
	return true;
}

/* HH:MM[:SS[.frac]] */
static bool
take_time(struct scan *s, struct civil *c)
{
	struct scan at = *s;
	int h, m, sec = 0;

	if (!take_fixed(&at, 2, &h) || !take_char(&at, ':') ||
	    !take_fixed(&at, 2, &m))
		return false;
	if (take_char(&at, ':') &&
	    (!take_fixed(&at, 2, &sec) || !take_fraction(&at, &c->ns)))
		return false;
	if (h > 23 || m > 59 || sec > 59)
		return false;
	c->tm.tm_hour = h;
	c->tm.tm_min = m;
	c->tm.tm_sec = sec;
	*s = at;
	return true;
}

/* "Z", "UTC", "+09:00", "-0330", or nothing: local. */
static bool
take_zone(struct scan *s, struct civil *c)
{
	struct scan at = *s;
	int h, m, four;
	bool west;

	skip_spaces(&at);
	c->has_zone = true;
	if (take_word(&at, "UTC") || take_word(&at, "Z") ||
	    take_word(&at, "z")) {
		*s = at;
		return true;
	}
	if (*at.p != '+' && *at.p != '-') {
		c->has_zone = false;
		return true;
	}
	west = *at.p++ == '-';
	if (take_fixed(&at, 4, &four)) {
		h = four / 100;
		m = four % 100;
	} else if (!take_fixed(&at, 2, &h) || !take_char(&at, ':') ||
		   !take_fixed(&at, 2, &m))
		return false;
	if (h > 23 || m > 59)
		return false;
	c->east = (h * 60L + m) * 60 * (west ? -1 : 1);
	*s = at;
	return true;
}

/* Midnight of the day that lies `days` after that of now, local. */
static void
set_day(struct civil *c, uint64_t now, int days)
{
	time_t t = (time_t)(now / NS);
	struct tm tm;

	localtime_r(&t, &tm);
	c->tm.tm_year = tm.tm_year;
	c->tm.tm_mon = tm.tm_mon;
	c->tm.tm_mday = tm.tm_mday + days; /* timegm() carries */
}

static bool
take_named(struct scan *s, uint64_t now, uint64_t *ret)
{
	static const char *const names[] = { "yesterday", "today", "tomorrow" };

	if (take_word(s, "now")) {
		*ret = now;
		return true;
	}
	for (int i = 0; i < 3; i++) {
		struct civil c = { 0 };

		if (!take_word(s, names[i]))
			continue;
		set_day(&c, now, i - 1);
		return civil_to_ns(&c, ret);
	}
	return false;
}

/* Dates and times of day; a time alone is today's. */
static bool
take_civil(struct scan *s, uint64_t now, uint64_t *ret)
{
	struct scan at = *s;
	struct civil c = { 0 };

	if (take_date(&at, &c.tm)) {
		bool t = take_char(&at, 'T') || take_char(&at, 't');

		if (!t)
			skip_spaces(&at);
		if (t || is_digit(*at.p)) {
			if (!take_time(&at, &c) || !take_zone(&at, &c))
				return false;
		}
	} else {
		set_day(&c, now, 0);
		if (!take_time(&at, &c))
			return false;
	}
	*s = at;
	return civil_to_ns(&c, ret);
}

/* "@epoch[.frac]" */
static bool
take_epoch(struct scan *s, uint64_t *ret)
{
	uint64_t whole, fraction;

	return take_char(s, '@') && take_uint(s, &whole) &&
	       take_fraction(s, &fraction) &&
	       !__builtin_mul_overflow(whole, NS, &whole) &&
	       !__builtin_add_overflow(whole, fraction, ret);
}

/* "-2h", "+5min", "2 days ago" */
static bool
take_relative(struct scan *s, uint64_t now, uint64_t *ret)
{
	bool minus = take_char(s, '-');
	bool sign = minus || take_char(s, '+');
	uint64_t d;

	if (!take_duration(s, &d))
		return false;
	skip_spaces(s);
	if (!sign) {
		if (!take_word(s, "ago"))
			return false;
		minus = true;
	}
	if (minus)
		return !__builtin_sub_overflow(now, d, ret);
	return !__builtin_add_overflow(now, d, ret);
}

int
ops_time_parse(
    const char *text, uint64_t now, uint64_t *ret, struct ops_err *err)
{
	struct scan start = { text };
	struct scan s;
	uint64_t ns;

	skip_spaces(&start);
	s = start;
	if (!take_named(&s, now, &ns)) {
		s = start;
		if (*s.p == '@') {
			if (!take_epoch(&s, &ns))
				goto bad;
		} else if (!take_civil(&s, now, &ns)) {
			s = start;
			if (!take_relative(&s, now, &ns))
				goto bad;
		}
	}
	skip_spaces(&s);
	if (*s.p != '\0')
		goto bad;
	*ret = ns;
	return 0;
bad:
	return ops_fail(err, OPS_EUSAGE,
	    "\"%.60s\" is no time (like \"2026-11-23 09:14\", yesterday, -2h)",
	    text);
}
