/* opseal log - the programs that ran, newest last; what lastcomm(1) was for. */
#include <inttypes.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/text.h"
#include "cli.h"
#include "descent.h"
#include "describe.h"
#include "detail.h"
#include "follow.h"
#include "loghint.h"
#include "logswitch.h"
#include "personhint.h"
#include "programs.h"
#include "screen.h"
#include "source.h"
#include "table.h"

#define OUT_MAX (1u << 30)
#define SECOND UINT64_C(1000000000)
/* --follow: what is begun with, and how far back is looked every second: capture may
 * be late, and what --failed asks for is known when a program ends. */
#define FOLLOW_FIRST 10
#define FOLLOW_BACK (30 * SECOND)
#define FOLLOW_BACK_ENDS (3600 * SECOND)
#define HOLES_FEW 3    /* lines of them, where nothing else is found */
#define DEPTH_MAX 40   /* steps to the right */
#define FOLLOW_SHARE 5 /* at most one part in so many of the time */

/* clang-format off */
static const struct table_column columns[] = {
	{ "TIME",     false, 0, 0,  0 },
	{ "LOGIN",    false, 0, 16, 0 },
	{ "PERSON",   false, 4, 16, 0 },
	{ "AS",       false, 3, 16, 0 },
	{ "TTY",      false, 5, 10, 0 },
	{ "PID",      true,  1, 0,  0 },
	{ "EXIT",     true,  0, 0,  0 },
	{ "DURATION", true,  2, 0,  0 },
	{ "CPU",      true,  2, 0,  0 },
	{ "COMMAND",  false, 0, 60, 16 },
	{ "SESSION",  false, 0, 0,  0 },
};
/* Of these, for rows that nobody knows yet. */
static const unsigned least[] = { 19, 8, 8, 8, 7, 7, 8, 8, 6, 200, 11 };
/* clang-format on */

/* -- who: names of numbers -- */

static int
uid_of(const char *name, uint32_t *ret, struct ops_err *err)
{
	const struct passwd *pw = getpwnam(name);
	char *end;
	unsigned long n;

	if (pw != NULL) {
		*ret = pw->pw_uid;
		return 0;
	}
	n = strtoul(name, &end, 10);
	if (name[0] < '0' || name[0] > '9' || *end != '\0' || n >= EVENT_UNSET)
		return ops_fail(err, OPS_EUSAGE, "no user %.64s", name);
	*ret = (uint32_t)n;
	return 0;
}

/* -- where it is from -- */

static int
source_of(const char *name, uint32_t *ret, struct ops_err *err)
{
	static const char *const names[] = { [SOURCE_CAPTURE] = "capture",
		[SOURCE_ACCT] = "acct",
		[SOURCE_IMPORT] = "import" };

	if (name == NULL)
		return 0;
	for (uint32_t i = SOURCE_CAPTURE; i < OPS_ARRAY_LEN(names); i++)
		if (strcmp(name, names[i]) == 0) {
			*ret = i;
			return 0;
		}
	return ops_fail(err, OPS_EUSAGE,
	    "--source: capture, acct or import, not %.32s", name);
}

/* "/dev/pts/3", as tty(1) has it, is pts/3. */
static const char *
tty_of(const char *name)
{
	return name != NULL && strncmp(name, "/dev/", 5) == 0 ? name + 5 : name;
}

/* -- a row -- */

static void
cell_user(struct table *t, uint32_t uid)
{
	char name[PROGRAMS_USER];

	programs_user(uid, name);
	table_cell_str(t, name);
}

/* Where the user's name says it already, not once more. */
static void
cell_person(struct table *t, const struct program *p)
{
	struct ops_buf b = { .max = 4 * EVENT_TEXT_MAX };
	char user[PROGRAMS_USER];

	programs_user(p->login, user);
	if (p->person.p != NULL &&
	    (p->person.n != strlen(user) ||
		memcmp(p->person.p, user, p->person.n) != 0))
		ops_escape(&b, p->person.p, p->person.n);
	if (b.len > 0)
		table_cell(t, b.data, b.len);
	else
		table_cell_str(t, "-");
	ops_buf_free(&b);
}

static void
cell_exit(struct table *t, const struct program *p)
{
	char text[32];

	programs_exit(p, text);
	table_cell_str(t, text);
	if (p->has_end && p->end.status != 0)
		table_colour(t, "31");
}

static void
cell_span(struct table *t, bool known, uint64_t ns)
{
	char text[24] = "-";

	if (known)
		describe_span(ns, text);
	table_cell_str(t, text);
}

static void
cell_command(
    struct table *t, const struct program *p, const struct descent_step *step)
{
	struct ops_buf b = { .max = OUT_MAX };

	for (unsigned i = 0; i < step->depth && i < DEPTH_MAX; i++)
		ops_buf_puts(&b, "  ");
	if (step->forked)
		ops_buf_puts(&b, "(fork) ");
	programs_command(p, &b);
	if (step->cut != 0)
		ops_buf_printf(
		    &b, " [started by %" PRIu32 ", not listed]", step->cut);
	table_cell(t, b.data, b.len);
	ops_buf_free(&b);
}

static void
cell_session(struct table *t, const struct program *p)
{
	char text[PROGRAMS_PLACE];

	programs_place(p, text);
	table_cell_str(t, text);
}

static void
put_row(struct table *t, const struct cli *cli, const struct program *p,
    const struct descent_step *step)
{
	static const struct descent_step flat = { 0 };

	char text[OPS_TIME_TEXT], tty[PROGRAM_TTY_NAME];
	bool nobody = program_of_nobody(p);
	bool ran = p->kind == PROGRAM_RAN || p->kind == PROGRAM_ENDED ||
		   p->kind == PROGRAM_ACCOUNTED;
	uint32_t euid = ran ? p->exec.euid : p->failed.euid;
	bool over = p->has_end || p->replaced;

	ops_time_short(p->time, cli->global.utc, text);
	table_row(t);
	table_cell_str(t, text);
	cell_user(t, p->login);
	cell_person(t, p);
	cell_user(t, nobody || euid == p->login ? EVENT_UNSET : euid);
	program_tty(program_terminal(p), tty);
	table_cell_str(t, tty);
	(void)snprintf(
	    text, sizeof(text), "%u", ran ? p->exec.pid : p->failed.pid);
	table_cell_str(t, nobody ? "-" : text);
	cell_exit(t, p);
	cell_span(t, over, programs_duration(p));
	cell_span(t, p->has_end, p->end.utime + p->end.stime);
	cell_command(t, p, step != NULL ? step : &flat);
	cell_session(t, p);
}

/* -- the tree: who started whom -- */

static int
put_tree(struct table *t, const struct cli *cli, const struct program_list *l,
    struct ops_err *err)
{
	struct descent_step step;
	struct descent *d;

	if (descent_new(l, &d, err) < 0)
		return -1;
	while (descent_next(d, &step))
		put_row(t, cli, &l->p[step.at], &step);
	descent_free(d);
	return 0;
}

/* -- a block each -- */

static void
put_blocks(const struct cli *cli, const struct log_opts *o,
    const struct program_list *l)
{
	struct ops_buf out = { .max = OUT_MAX };

	for (size_t i = 0; i < l->n; i++) {
		detail_put(&l->p[o->reverse ? l->n - 1 - i : i],
		    cli->global.utc, &out);
		ops_buf_puts(&out, "\n");
		cli_put(&out);
	}
	ops_buf_free(&out);
}

/* -- all of it -- */

static int
print_table(const struct cli *cli, const struct log_opts *o,
    const struct program_list *l, struct ops_err *err)
{
	struct ops_buf out = { .max = OUT_MAX };
	struct table *t;
	int rc = 0;

	if (o->verbose) {
		put_blocks(cli, o, l);
		return 0;
	}
	if (table_new(columns, OPS_ARRAY_LEN(columns), &t, err) < 0)
		return -1;
	if (o->tree)
		rc = put_tree(t, cli, l, err);
	else
		for (size_t i = 0; i < l->n; i++)
			put_row(
			    t, cli, &l->p[o->reverse ? l->n - 1 - i : i], NULL);
	if (rc == 0)
		rc = table_put(t, cli->width, cli->colour, &out, err);
	cli_put(&out);
	ops_buf_free(&out);
	table_free(t);
	return rc;
}

static void
print_json(const struct cli *cli, const struct log_opts *o,
    const struct program_list *l)
{
	struct ops_buf out = { .max = OUT_MAX };

	for (size_t i = 0; i < l->n; i++) {
		programs_json(&l->p[o->reverse ? l->n - 1 - i : i],
		    cli->global.utc, &out);
		ops_buf_put8(&out, '\n');
		cli_put(&out);
	}
	ops_buf_free(&out);
}

static int
put_more(struct cli *cli, const struct log_opts *o, struct table *t,
    const struct program_list *l, struct ops_err *err)
{
	struct ops_buf out = { .max = OUT_MAX };
	int rc = 0;

	if (o->json) {
		print_json(cli, o, l);
	} else if (o->verbose) {
		put_blocks(cli, o, l);
	} else {
		for (size_t i = 0; i < l->n; i++)
			put_row(t, cli, &l->p[i], NULL);
		rc = table_put(t, cli->width, cli->colour, &out, err);
		cli_put(&out);
	}
	ops_buf_free(&out);
	if (rc == 0 && fflush(stdout) != 0)
		return ops_fail_errno(err, "stdout");
	return rc;
}

/* What a look asks for, with what was new in the last one. */
struct following {
	struct program_filter f;
	struct follow *follow;
	struct table *table;
	struct logswitch switched;
	unsigned first; /* so many to begin with; 0: it has begun */
	uint64_t from;  /* nothing that began before is asked for */
};

static uint64_t
later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* The first look: its newest are shown, and what began before them is old.  With
 * --failed that isn't said by when it began, so all of them are looked at. */
static void
begin_following(struct following *w, struct program_list *l)
{
	if (program_list_newest(l, w->first) && !w->f.failed)
		w->from = l->p[0].time;
	w->f.newest = 0;
	w->first = 0;
}

static int
look(struct cli *cli, const struct log_opts *o, struct following *w,
    struct ops_err *err)
{
	struct program_list l = { 0 };
	struct switches switches = { 0 };
	struct ops_clock now;
	int rc;

	ops_clock_read(&now);
	if (source_programs(cli->source, &w->f, &l, err) < 0)
		return -1;
	rc = logswitch_may_be(cli, &w->f, &l, &w->switched)
		 ? source_switches(cli, false, &switches, err)
		 : 0;
	if (rc == 0)
		rc = logswitch_put(&switches, &w->f, &l, err);
	if (rc == 0)
		rc = follow_sift(w->follow, &l, err);
	if (rc == 0 && w->first > 0)
		begin_following(w, &l);
	if (rc == 0)
		rc = put_more(cli, o, w->table, &l, err);
	program_list_free(&l);
	switches_free(&switches);
	w->f.since = later(w->from,
	    now.realtime - (o->failed ? FOLLOW_BACK_ENDS : FOLLOW_BACK));
	return rc;
}

static void
nap(uint64_t ns)
{
	const struct timespec t = { (time_t)(ns / SECOND),
		(long)(ns % SECOND) };

	(void)nanosleep(&t, NULL); /* a shorter one does no harm */
}

/* Until somebody ends it. */
static int
follow_log(struct cli *cli, const struct log_opts *o,
    const struct program_filter *f, struct ops_err *err)
{
	struct following w = { .f = *f,
		.follow = follow_new(),
		.first = o->count > 0 ? o->count : FOLLOW_FIRST,
		.from = f->since };
	struct ops_clock now;
	int rc = 0;

	ops_clock_read(&now);
	w.f.newest = o->failed ? 0 : w.first;
	if (o->failed)
		w.f.since = later(f->since, now.realtime - FOLLOW_BACK_ENDS);
	if (w.follow == NULL)
		rc = ops_fail(err, OPS_ENOMEM, "log: no memory");
	if (rc == 0)
		rc = table_new(columns, OPS_ARRAY_LEN(columns), &w.table, err);
	if (rc == 0)
		table_grows(w.table, least);
	while (rc == 0) {
		uint64_t began = ops_boottime();

		rc = look(cli, o, &w, err);
		if (rc == 0)
			nap(later(
			    FOLLOW_SHARE * (ops_boottime() - began), SECOND));
	}
	table_free(w.table);
	follow_free(w.follow);
	return rc;
}

/* Are processes listed by the names that they gave themselves?  Such a one may hold
 * a slash: kworker/0:1. */
static bool
has_own_names(const struct log_opts *o)
{
	return o->forks || o->source != NULL;
}

/* A session is listed whole: to do so where a place in it is named would say more
 * than was asked for. */
static int
check_place(const char *arg, struct ops_err *err)
{
	struct sessionarg place;

	if (arg == NULL)
		return 0;
	if (sessionarg_parse(arg, &place, err) < 0)
		return -1;
	if (place.has_number || place.has_offset)
		return ops_fail(err, OPS_EUSAGE,
		    "--session takes whole sessions; opseal show %.60s tells "
		    "%s",
		    arg,
		    place.has_offset ? "what happened from there on"
				     : "all of that command");
	return 0;
}

/* The session that is asked for; -1: there is none, or it is not theirs to see. */
static int
find_session(struct cli *cli, const char *arg, uint8_t id[static OPS_ID_LEN],
    struct ops_err *err)
{
	struct session_list list = { 0 };
	const struct session *s;
	struct sessionarg place;
	int rc = screen_find(cli, arg, &list, &s, &place, err);

	if (rc == 0)
		memcpy(id, s->id, OPS_ID_LEN);
	session_list_free(&list);
	return rc;
}

static int
fill_filter(struct cli *cli, const struct log_opts *o, const char *name,
    struct program_filter *f, struct ops_err *err)
{
	*f = (struct program_filter){ .name = name,
		.exe = o->exe,
		.tty = tty_of(o->tty),
		.person = o->person,
		.since = o->since,
		.until = o->until,
		.failed = o->failed,
		.forks = o->forks,
		.seeded = o->tree,
		.newest = o->count };
	f->has_login = o->user != NULL;
	f->has_euid = o->euid != NULL;
	if (source_of(o->source, &f->source, err) < 0)
		return -1;
	if ((f->has_login && uid_of(o->user, &f->login, err) < 0) ||
	    (f->has_euid && uid_of(o->euid, &f->euid, err) < 0))
		return -1;
	if (o->session == NULL)
		return 0;
	f->has_session = true;
	/* Named in full it needs no list of all sessions, which takes as long as
	 * its programs; only if it has none: list_programs().  Whose it is, and
	 * that somebody tried, is the daemon's to say; and all zero is what
	 * programs have that are in none. */
	if (!o->follow && source_may_all(cli->source) &&
	    ops_id_parse(o->session, f->session) == 0 &&
	    !ops_all_zero(f->session, OPS_ID_LEN))
		return 0;
	return find_session(cli, o->session, f->session, err);
}

/* What ran before capture did comes with others only. */
static bool
is_empty(const struct program_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		if (!program_seeded(&l->p[i]))
			return false;
	return true;
}

/* Is any of what was asked for, and not only what may have been or came with it? */
static bool
has_wanted(const struct program_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		if (program_counts(&l->p[i]))
			return true;
	return false;
}

/* Is a kind of programs asked for, and not all of a time? */
static bool
is_narrow(const struct log_opts *o, const struct program_filter *f)
{
	return f->name != NULL || f->exe != NULL || f->tty != NULL ||
	       f->person != NULL || f->has_login || f->has_euid ||
	       f->has_session || f->failed || o->source != NULL;
}

static int
list_programs(struct cli *cli, const struct log_opts *o,
    const struct program_filter *f, struct program_list *ret,
    struct ops_err *err)
{
	uint8_t id[OPS_ID_LEN];

	if (source_programs(cli->source, f, ret, err) < 0)
		return -1;
	if (!f->has_session || has_wanted(ret) ||
	    find_session(cli, o->session, id, err) == 0)
		return 0;
	program_list_free(ret);
	return -1;
}

/* Put the lines of opseal off and on between them, where anything was found, or asked
 * for without saying what; of one session, while it went on. */
static int
put_switches(struct cli *cli, const struct log_opts *o,
    const struct program_filter *f, struct program_list *l,
    struct switches *ret, struct ops_err *err)
{
	struct program_filter when = *f;
	struct logswitch none = { .looked = false };

	if (!has_wanted(l) && is_narrow(o, f))
		return 0;
	if (!logswitch_may_be(cli, f, l, &none))
		return 0;
	if (f->has_session) {
		when.since = l->p[0].time;
		when.until = l->p[l->n - 1].time;
	}
	if (source_switches(cli, false, ret, err) < 0)
		return -1;
	return logswitch_put(ret, &when, l, err);
}

static int
print(struct cli *cli, const struct log_opts *o, const struct program_list *l,
    struct ops_err *err)
{
	if (is_empty(l))
		return 0;
	if (!o->json)
		return print_table(cli, o, l, err);
	print_json(cli, o, l);
	return 0;
}

/* Nothing but times that capture did not run, and more of them than a few: each
 * restart of the machine is one.  How many, and how long in all. */
static size_t
only_holes(const struct program_list *l, uint64_t *ret)
{
	*ret = 0;
	for (size_t i = 0; i < l->n; i++) {
		const struct program *p = &l->p[i];

		if (p->kind != PROGRAM_LOST || program_lost_counted(p))
			return 0;
		*ret += p->loss.until - p->loss.from;
	}
	return l->n > HOLES_FEW ? l->n : 0;
}

/* Whom one may have meant, of the same programs but of anybody. */
static bool
put_person(struct cli *cli, const struct program_filter *f)
{
	struct program_filter anybody = *f;
	struct personhint hint = { .asked = f->person };
	struct program_list l = { 0 };
	bool told;

	if (f->person == NULL || strcmp(f->person, "-") == 0)
		return false;
	anybody.person = NULL;
	anybody.newest = PERSONHINT_NEWEST;
	if (source_programs(cli->source, &anybody, &l, NULL) < 0)
		return false;
	for (size_t i = l.n; i-- > 0;)
		personhint_meet(&hint, l.p[i].person);
	told = personhint_put(cli, &hint, "programs");
	program_list_free(&l);
	return told;
}

/* What one may have meant, and why there is none; what is shown may have been one. */
static void
put_nothing(struct cli *cli, const struct program_filter *f,
    const struct program_list *l, size_t holes, uint64_t away)
{
	char span[24];

	if (!put_person(cli, f))
		loghint_nothing(cli, f->name);
	if (f->source != SOURCE_IMPORT)
		loghint_capture(cli);
	describe_span(away, span);
	if (holes > 0)
		cli_partial(cli,
		    "capture did not run %zu times, %s in all, and one may "
		    "have run then; --json has them",
		    holes, span);
	else if (!is_empty(l))
		cli_partial(cli, "what was lost may have been one");
}

static int
check_program(const struct log_opts *o, const char *name, struct ops_err *err)
{
	if (*name == '\0')
		return ops_fail(err, OPS_EUSAGE, "PROGRAM is empty");
	return has_own_names(o) ? 0 : loghint_path(name, err);
}

/* Who asks for a time of which some has gone by a rule is told; and who finds
 * nothing. */
static void
tell_expired(
    struct cli *cli, const struct log_opts *o, uint64_t until, bool nothing)
{
	char text[OPS_TIME_TEXT];

	if (until == 0)
		return;
	ops_time_short(until, cli->global.utc, text);
	if ((o->since != 0 && o->since <= until) ||
	    (o->until != 0 && o->until <= until))
		cli_partial(cli,
		    "programs up to %s have expired (opseal verify says by "
		    "what rule)",
		    text);
	else if (nothing)
		cli_note(cli, "programs up to %s have expired", text);
}

int
cmd_log(struct cli *cli, const void *opts, int argc, char **argv)
{
	const struct log_opts *o = opts;
	struct program_list list = { 0 };
	struct switches switches = { 0 };
	struct program_filter f;
	struct ops_err err = { 0 };
	uint64_t away = 0;
	size_t holes;
	int status = CLI_FINE;

	if (o->follow && (o->tree || o->reverse || o->until != 0)) {
		ops_fail(&err, OPS_EUSAGE,
		    "--follow has no end: --tree, --reverse and --until want "
		    "one");
		return cli_fail(cli, &err);
	}
	if (o->verbose && (o->tree || o->json)) {
		ops_fail(&err, OPS_EUSAGE,
		    "--verbose is text, a block each: not with --tree or "
		    "--json");
		return cli_fail(cli, &err);
	}
	if (o->tree && (o->json || o->reverse)) {
		ops_fail(&err, OPS_EUSAGE,
		    "--tree is a picture in order of time: --json has ppid, "
		    "and --reverse wants a list");
		return cli_fail(cli, &err);
	}
	if (cli_check_span(cli, o->since, o->until, &err) < 0 ||
	    (argc > 1 && loghint_words(argc, argv, &err) < 0) ||
	    (argc > 0 && check_program(o, argv[0], &err) < 0) ||
	    check_place(o->session, &err) < 0)
		return cli_fail(cli, &err);
	if (o->follow)
		loghint_capture(cli);
	if (fill_filter(cli, o, argc > 0 ? argv[0] : NULL, &f, &err) < 0 ||
	    (o->follow && follow_log(cli, o, &f, &err) < 0) ||
	    list_programs(cli, o, &f, &list, &err) < 0)
		return cli_fail(cli, &err);
	holes = o->json ? 0 : only_holes(&list, &away);
	if (holes == 0 &&
	    (put_switches(cli, o, &f, &list, &switches, &err) < 0 ||
		print(cli, o, &list, &err) < 0)) {
		status = cli_fail(cli, &err);
	} else if (!has_wanted(&list)) {
		put_nothing(cli, &f, &list, holes, away);
		status = CLI_NOTHING;
	}
	if (list.missing > 0)
		cli_partial(cli,
		    "%" PRIu64
		    " frames of programs can't be read: programs, or "
		    "how they ended, may be missing here; opseal verify says "
		    "more",
		    list.missing);
	tell_expired(cli, o, list.expired, status == CLI_NOTHING);
	program_list_free(&list);
	switches_free(&switches);
	return status;
}
