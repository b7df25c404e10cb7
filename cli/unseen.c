#include "unseen.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/json.h"
#include "base/procstat.h"
#include "describe.h"
#include "doorpath.h"
#include "excuse.h"
#include "opening.h"
#include "source.h"
#include "table.h"

#define LOOKED_UP 64 /* logins whose programs are counted */
#define LIVING_MAX 65536
#define SECOND UINT64_C(1000000000)
#define FRESH (5 * SECOND) /* until then capture may be behind */

/* An audit session that processes have now. */
struct living {
	uint32_t ses, auid;
	uint64_t start; /* of the oldest, clock ticks since boot */
	char comm[UNSEEN_COMM];
	bool met; /* the log tells of it */
};

struct alive {
	struct living *l;
	size_t n;
};

/* -- what lives -- */

static bool
read_number(int dir, const char *name, uint32_t *ret)
{
	struct ops_buf b = { .max = PROCSTAT_TEXT_MAX };
	bool ok = ops_read_file(dir, name, 0, &b, NULL) == 0 && b.len > 0 &&
		  procstat_number((const char *)b.data, b.len, ret, NULL) == 0;

	ops_buf_free(&b);
	return ok;
}

/* False: it is gone, or has no audit session. */
static bool
look_process(int proc, const char *pid, struct living *ret)
{
	struct ops_buf b = { .max = PROCSTAT_TEXT_MAX };
	int dir = openat(proc, pid, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct procstat st;
	bool ok;

	if (dir < 0)
		return false;
	ok = read_number(dir, "sessionid", &ret->ses) &&
	     ret->ses != EVENT_UNSET &&
	     read_number(dir, "loginuid", &ret->auid) &&
	     ops_read_file(dir, "stat", 0, &b, NULL) == 0 && b.len > 0 &&
	     procstat_parse((const char *)b.data, b.len, &st, NULL) == 0;
	if (ok)
		ret->start = st.start;
	ops_buf_reset(&b);
	if (ok && ops_read_file(dir, "comm", 0, &b, NULL) == 0)
		procstat_comm(b.len > 0 ? (const char *)b.data : "", b.len,
		    ret->comm, sizeof(ret->comm));
	ops_buf_free(&b);
	(void)close(dir);
	return ok;
}

static int
meet(struct alive *a, const struct living *one, struct ops_err *err)
{
	struct living *more;

	for (size_t i = 0; i < a->n; i++) {
		if (a->l[i].ses != one->ses)
			continue;
		if (one->start < a->l[i].start)
			a->l[i] = *one;
		return 0;
	}
	if (a->n >= LIVING_MAX)
		return 0;
	if ((a->n & (a->n - 1)) == 0) { /* grown in powers of two */
		more =
		    reallocarray(a->l, a->n == 0 ? 1 : 2 * a->n, sizeof(*more));
		if (more == NULL)
			return ops_fail(err, OPS_ENOMEM, "logins: no memory");
		a->l = more;
	}
	a->l[a->n++] = *one;
	return 0;
}

static int
find_living(struct alive *a, struct ops_err *err)
{
	DIR *proc = opendir("/proc");
	const struct dirent *e;
	int pid, rc = 0;

	if (proc == NULL)
		return ops_fail_errno(err, "/proc");
	while (rc == 0 && (e = readdir(proc)) != NULL) {
		struct living one = { .met = false };

		if (procstat_entry(e->d_name, &pid) &&
		    look_process(dirfd(proc), e->d_name, &one))
			rc = meet(a, &one, err);
	}
	(void)closedir(proc);
	return rc;
}

/* -- rows -- */

static struct unseen_row *
add_row(struct unseen *u, const struct visit *v, struct ops_err *err)
{
	struct unseen_row *more;

	if ((u->n & (u->n - 1)) == 0) { /* grown in powers of two */
		more = reallocarray(
		    u->row, u->n == 0 ? 1 : 2 * u->n, sizeof(*more));
		if (more == NULL) {
			ops_fail(err, OPS_ENOMEM, "logins: no memory");
			return NULL;
		}
		u->row = more;
	}
	u->row[u->n] = (struct unseen_row){ .v = *v };
	return &u->row[u->n++];
}

static struct living *
living_of(struct alive *a, const struct visit *v, const uint8_t *boot)
{
	if (v->ses == EVENT_UNSET ||
	    memcmp(v->boot, boot, sizeof(v->boot)) != 0)
		return NULL;
	for (size_t i = 0; i < a->n; i++)
		if (a->l[i].ses == v->ses)
			return &a->l[i];
	return NULL;
}

static int
take_visits(
    struct unseen *u, struct alive *a, const uint8_t *boot, struct ops_err *err)
{
	for (size_t i = 0; i < u->visits.n; i++) {
		const struct visit *v = &u->visits.v[i];
		struct living *l = living_of(a, v, boot);
		struct unseen_row *r;

		if (l != NULL)
			l->met = true;
		u->logins++;
		u->with += visit_recorded(v);
		u->assumed += v->opened == OPENED_ASSUMED;
		u->by_hand += v->opened == OPENED_HAND;
		if (visit_recorded(v))
			continue;
		r = add_row(u, v, err);
		if (r == NULL)
			return -1;
		r->lives = l != NULL;
		if (l != NULL)
			(void)snprintf(r->comm, sizeof(r->comm), "%s", l->comm);
	}
	return 0;
}

/* What only the kernel knows of: PAM told nothing, and no session came. */
static int
take_living(struct unseen *u, const struct alive *a, const uint8_t *boot,
    uint64_t until, struct ops_err *err)
{
	long ticks = sysconf(_SC_CLK_TCK);
	struct ops_clock now;

	ops_clock_read(&now);
	for (size_t i = 0; i < a->n; i++) {
		const struct living *l = &a->l[i];
		struct visit v = {
			.ses = l->ses, .uid = l->auid, .auid = l->auid
		};
		const struct passwd *pw;
		struct unseen_row *r;

		if (l->met)
			continue;
		memcpy(v.boot, boot, sizeof(v.boot));
		v.begin = now.realtime - now.boottime;
		if (ticks > 0)
			v.begin += l->start * (SECOND / (uint64_t)ticks);
		if (until != 0 && v.begin > until)
			continue;
		pw = getpwuid(l->auid);
		if (pw != NULL) {
			v.user.n = strlen(pw->pw_name);
			v.user.p =
			    arena_copy(&u->visits.arena, pw->pw_name, v.user.n);
			if (v.user.p == NULL)
				return ops_fail(
				    err, OPS_ENOMEM, "logins: no memory");
		}
		u->logins++;
		r = add_row(u, &v, err);
		if (r == NULL)
			return -1;
		r->lives = true;
		(void)snprintf(r->comm, sizeof(r->comm), "%s", l->comm);
	}
	return 0;
}

/* -- excuses -- */

/* What the account itself executed in that audit session; PAM and sshd run as root
 * before.  Where something was lost, nothing is known. */
static int
count_programs(struct cli *cli, const struct visit *v, uint64_t *ret,
    bool *known, struct ops_err *err)
{
	const struct program_filter f = { .has_login = true,
		.login = v->auid,
		.since = v->begin,
		.until = v->end };
	struct program_list list = { 0 };

	if (source_programs(cli->source, &f, &list, err) < 0)
		return -1;
	*ret = 0;
	*known = list.missing == 0;
	for (size_t i = 0; i < list.n; i++) {
		if (list.p[i].kind == PROGRAM_LOST)
			*known = false;
		*ret += list.p[i].kind == PROGRAM_RAN &&
			list.p[i].exec.ses == v->ses &&
			list.p[i].exec.uid == v->uid;
	}
	program_list_free(&list);
	return 0;
}

static int
excuse_row(struct cli *cli, struct unseen_row *r, const char *door,
    const struct switches *off, bool captured, bool look_up,
    struct ops_err *err)
{
	const struct passwd *pw = getpwuid(r->v.uid);
	struct ops_clock now;
	struct excuse_facts f = { .service = r->v.service,
		.uid = r->v.uid,
		.has_ses = r->v.ses != EVENT_UNSET,
		.knows_shell = pw != NULL && door[0] != '\0' };

	if (r->comm[0] != '\0')
		f.program = (struct event_text){ (const uint8_t *)r->comm,
			strlen(r->comm) };
	if (f.knows_shell)
		f.door = strcmp(pw->pw_shell, door) == 0;
	r->excuse = excuse_of(&f);
	if (r->excuse == NULL)
		r->off = switches_at(off, r->v.begin);
	/* What has a session has executed something. */
	if (r->excuse != NULL || r->off != NULL || !captured || !look_up ||
	    !f.has_ses || r->v.opened != OPENED_NOT)
		return 0;
	if (count_programs(cli, &r->v, &f.programs, &f.captured, err) < 0)
		return -1;
	ops_clock_read(&now);
	f.fresh =
	    (r->v.end != 0 ? r->v.end : r->v.begin) + FRESH > now.realtime;
	r->excuse = excuse_of(&f);
	return 0;
}

static int
excuse_all(
    struct cli *cli, struct unseen *u, bool captured, struct ops_err *err)
{
	char door[DOORPATH_MAX];

	if (doorpath_find("opseal-shell", door, sizeof(door), NULL) < 0)
		door[0] = '\0';
	for (size_t i = 0; i < u->n; i++)
		/* The newest: an old log may have many. */
		if (excuse_row(cli, &u->row[i], door, &u->switches, captured,
			u->n - i <= LOOKED_UP, err) < 0)
			return -1;
	return 0;
}

/* -- how their sessions began -- */

static int
judge_openings(struct cli *cli, struct visits *all, struct ops_err *err)
{
	static const char *const names[] = { OPENING_SHELL, OPENING_DOOR };
	struct program_filter f = { .source = SOURCE_CAPTURE };
	int rc = 0;

	opening_span(all, &f.since, &f.until);
	for (size_t i = 0; rc == 0 && f.until != 0 && i < OPS_ARRAY_LEN(names);
	     i++) {
		struct program_list list = { 0 };

		f.name = names[i];
		rc = source_programs(cli->source, &f, &list, err);
		if (rc == 0)
			rc = opening_judge(all, &list, err);
		program_list_free(&list);
	}
	return rc;
}

/* -- all of it -- */

int
unseen_load(struct cli *cli, uint64_t since, uint64_t until, bool captured,
    struct unseen *ret, struct ops_err *err)
{
	struct unseen u = { .logins = 0 };
	struct alive a = { .l = NULL };
	uint8_t boot[LOGINS_BOOT];
	int rc = ops_boot_id(boot, err);

	if (rc == 0)
		rc = source_visits(cli->source, since, until, &u.visits, err);
	if (rc == 0)
		rc = judge_openings(cli, &u.visits, err);
	if (rc == 0)
		rc = source_switches(cli, false, &u.switches, err);
	if (rc == 0)
		rc = find_living(&a, err);
	if (rc == 0)
		rc = take_visits(&u, &a, boot, err);
	/* Others' are nothing that he could see the sessions of. */
	if (rc == 0 && source_may_all(cli->source))
		rc = take_living(&u, &a, boot, until, err);
	if (rc == 0)
		rc = excuse_all(cli, &u, captured, err);
	free(a.l);
	if (rc < 0) {
		unseen_free(&u);
		return -1;
	}
	*ret = u;
	return 0;
}

void
unseen_free(struct unseen *u)
{
	free(u->row);
	visits_free(&u->visits);
	switches_free(&u->switches);
	*u = (struct unseen){ 0 };
}

static bool
is_explained(const struct unseen_row *r)
{
	return r->excuse != NULL || r->off != NULL;
}

uint64_t
unseen_unexplained(const struct unseen *u)
{
	uint64_t n = 0;

	for (size_t i = 0; i < u->n; i++)
		n += !is_explained(&u->row[i]);
	return n;
}

/* -- printing -- */

/* clang-format off */
static const struct table_column columns[] = {
	{ "TIME",    false, 0, 0,  0 },
	{ "USER",    false, 0, 16, 0 },
	{ "PERSON",  false, 3, 20, 0 },
	{ "SERVICE", false, 0, 12, 0 },
	{ "FROM",    false, 2, 24, 0 },
	{ "END",     false, 1, 0,  0 },
	{ "WHY NOT", false, 0, 100, 24 },
};
/* clang-format on */

static void
put_cell(struct table *t, const struct event_text *text)
{
	struct ops_buf b = { .max = 4096 };

	describe_text(&b, text);
	table_cell(t, b.data, b.len);
	ops_buf_free(&b);
}

/* "12:03:04", of another day with that. */
static void
put_time(struct ops_buf *out, uint64_t time, uint64_t day, bool utc)
{
	char text[OPS_TIME_TEXT], other[OPS_TIME_TEXT];

	ops_time_short(time, utc, text);
	ops_time_short(day, utc, other);
	ops_buf_puts(out, strncmp(text, other, 11) == 0 ? text + 11 : text);
}

/* The reason, if there is one. */
static void
put_reason(struct ops_buf *out, const struct unseen_row *r)
{
	if (r->excuse != NULL) {
		ops_buf_puts(out, r->excuse);
	} else if (r->off != NULL) {
		ops_buf_puts(out, "recording was off (");
		switched_by(out, r->off);
		ops_buf_puts(out, ": ");
		describe_text(out, &r->off->e.text);
		ops_buf_puts(out, ")");
	}
}

static void
put_why(struct table *t, const struct unseen_row *r, bool utc)
{
	struct ops_buf b = { .max = 4096 };

	if (r->v.opened == OPENED_HAND) {
		ops_buf_puts(&b, "recorded by hand from ");
		put_time(&b, r->v.opened_at, r->v.begin, utc);
		ops_buf_puts(&b, ", login since ");
		put_time(&b, r->v.begin, r->v.opened_at, utc);
		if (is_explained(r))
			ops_buf_puts(&b, "; ");
	} else if (!is_explained(r)) {
		ops_buf_puts(&b, "NOT KNOWN");
	}
	put_reason(&b, r);
	table_cell(t, b.data, b.len);
	ops_buf_free(&b);
	if (!is_explained(r))
		table_colour(t, "31");
}

static void
put_row(const struct cli *cli, struct table *t, const struct unseen_row *r)
{
	struct event_text service = r->v.service;
	char text[OPS_TIME_TEXT];

	table_row(t);
	ops_time_short(r->v.begin, cli->global.utc, text);
	table_cell_str(t, text);
	put_cell(t, &r->v.user);
	put_cell(t, &r->v.person);
	if (service.p == NULL && r->comm[0] != '\0')
		service = (struct event_text){ (const uint8_t *)r->comm,
			strlen(r->comm) };
	put_cell(t, &service);
	put_cell(t, &r->v.from);
	ops_time_short(r->v.end, cli->global.utc, text);
	table_cell_str(t, r->v.end != 0 ? text : r->lives ? "goes on" : "-");
	put_why(t, r, cli->global.utc);
}

/* How many, and of what kinds; each is of one kind. */
static void
put_logins(const struct unseen *u, struct ops_buf *out)
{
	uint64_t why[2] = {
		0
	}; /* without a session: a reason is known; none */
	const char *sep = ": ";

	for (size_t i = 0; i < u->n; i++)
		if (u->row[i].v.opened != OPENED_HAND)
			why[!is_explained(&u->row[i])]++;
	const struct {
		uint64_t n;
		const char *text;
	} kinds[] = {
		{ u->with, "with a session from their begin" },
		{ u->by_hand, "with one that was begun later, by hand" },
		{ why[0], "without, for a reason told below" },
		{ why[1], "without, for no known reason" },
	};

	ops_buf_printf(out, "logins      %" PRIu64, u->logins);
	for (size_t i = 0; i < OPS_ARRAY_LEN(kinds); i++) {
		if (kinds[i].n == 0)
			continue;
		ops_buf_printf(
		    out, "%s%" PRIu64 " %s", sep, kinds[i].n, kinds[i].text);
		sep = ", ";
	}
	ops_buf_puts(out, "\n");
}

int
unseen_put(const struct cli *cli, const struct unseen *u, struct ops_buf *out,
    struct ops_err *err)
{
	struct table *t;
	int rc = 0;

	put_logins(u, out);
	if (u->assumed > 0)
		ops_buf_printf(out,
		    "assumed     of %" PRIu64 " that the session is their "
		    "door's: the log doesn't tell\n",
		    u->assumed);
	if (u->n == 0)
		return 0;
	if (table_new(columns, OPS_ARRAY_LEN(columns), &t, err) < 0)
		return -1;
	for (size_t i = 0; i < u->n; i++)
		put_row(cli, t, &u->row[i]);
	ops_buf_puts(out, "\nLogins without a session from their begin:\n");
	rc = table_put(t, cli->width, cli->colour, out, err);
	table_free(t);
	return rc;
}

static void
put_json_time(struct json *j, const char *key, uint64_t time, bool utc)
{
	char text[OPS_TIME_TEXT];

	ops_time_rfc3339(time, utc, text);
	json_key(j, key);
	json_str(j, time != 0 ? text : NULL);
}

static void
put_json_row(
    const struct cli *cli, const struct unseen_row *r, struct ops_buf *out)
{
	const struct visit *v = &r->v;
	struct ops_buf why = { .max = 4096 };
	struct json j = { .out = out };

	json_begin_object(&j);
	json_key(&j, "kind");
	json_str(&j, "login");
	put_json_time(&j, "start", v->begin, cli->global.utc);
	put_json_time(&j, "end", v->end, cli->global.utc);
	json_key(&j, "active");
	json_bool(&j, r->lives);
	describe_json_text(&j, "user", &v->user);
	describe_json_id(&j, "uid", v->uid);
	describe_json_id(&j, "auid", v->auid);
	describe_json_id(&j, "ses", v->ses);
	describe_json_text(&j, "person", &v->person);
	describe_json_text(&j, "service", &v->service);
	describe_json_text(&j, "from", &v->from);
	describe_json_text(&j, "method", &v->method);
	json_key(&j, "comm");
	json_str(&j, r->comm[0] != '\0' ? r->comm : NULL);
	json_key(&j, "bytes_in");
	if (v->has_bytes)
		json_uint(&j, v->bytes_in);
	else
		json_nil(&j);
	json_key(&j, "bytes_out");
	if (v->has_bytes)
		json_uint(&j, v->bytes_out);
	else
		json_nil(&j);
	put_json_time(&j, "recorded_from", v->opened_at, cli->global.utc);
	put_reason(&why, r);
	json_key(&j, "reason");
	if (why.len > 0)
		json_text(&j, why.data, why.len);
	else
		json_nil(&j);
	ops_buf_free(&why);
	json_end_object(&j);
	ops_buf_put8(out, '\n');
}

void
unseen_put_json(
    const struct cli *cli, const struct unseen *u, struct ops_buf *out)
{
	struct json j = { .out = out };

	json_begin_object(&j);
	json_key(&j, "kind");
	json_str(&j, "logins");
	describe_json_number(&j, "logins", u->logins);
	describe_json_number(&j, "recorded", u->with);
	describe_json_number(&j, "assumed", u->assumed);
	describe_json_number(&j, "by_hand", u->by_hand);
	describe_json_number(&j, "explained", u->n - unseen_unexplained(u));
	describe_json_number(&j, "unexplained", unseen_unexplained(u));
	json_end_object(&j);
	ops_buf_put8(out, '\n');
	for (size_t i = 0; i < u->n; i++)
		put_json_row(cli, &u->row[i], out);
}
