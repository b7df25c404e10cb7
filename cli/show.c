/* opseal show - one session: who, when, from where, and what happened to it. */
#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/text.h"
#include "cli.h"
#include "describe.h"
#include "detail.h"
#include "ending.h"
#include "logswitch.h"
#include "losses.h"
#include "person.h"
#include "programs.h"
#include "said.h"
#include "screen.h"
#include "store/expire.h"
#include "tally.h"
#include "transferred.h"

#define OUT_MAX (64u << 20)
#define LABEL TALLY_LABEL

static void
label(struct ops_buf *out, const char *name)
{
	ops_buf_printf(out, "%-*s  ", LABEL, name);
}

/* One claimed text, with its mark. */
static void
claimed(struct ops_buf *out, const char *name, const struct event_text *t)
{
	label(out, name);
	describe_text(out, t);
	ops_buf_puts(out, t->p != NULL ? "  (claimed)\n" : "\n");
}

static void
put_who(struct ops_buf *out, const struct event_open *o)
{
	label(out, "user");
	describe_text(out, &o->user);
	ops_buf_printf(out, ", uid %" PRIu32 ", gid %" PRIu32 "  (proven)\n",
	    o->uid, o->gid);
	label(out, "login");
	if (o->auid == EVENT_UNSET) {
		ops_buf_puts(out, "not set by the kernel\n");
	} else {
		describe_text(out, &o->login);
		ops_buf_printf(out,
		    ", uid %" PRIu32 ", kernel session %" PRIu32 "  (proven)\n",
		    o->auid, o->ses);
	}
}

static void
put_file(struct ops_buf *out, const char *name, const struct event_text *path,
    const uint8_t hash[OPS_HASH_LEN])
{
	char text[2 * OPS_HASH_LEN + 1];

	ops_hex(hash, OPS_HASH_LEN, text);
	label(out, name);
	describe_text(out, path);
	ops_buf_puts(out, "\n");
	label(out, "");
	ops_buf_printf(out, "SHA-256 %s", text);
}

/* First of all that it is not a recording, and what the log vouches for. */
static void
put_import(struct ops_buf *out, const struct cli *cli, const struct session *s)
{
	char when[OPS_TIME_TEXT];
	struct import i;

	label(out, "IMPORTED");
	ops_buf_puts(out, "not recorded here: all that it says, times too, is "
			  "what a file claims\n");
	label(out, "imported");
	ops_time_rfc3339(s->logged, cli->global.utc, when);
	ops_buf_printf(out, "%s by ", when);
	describe_text(out, &s->open.user);
	ops_buf_printf(out, ", uid %" PRIu32, s->open.uid);
	if (s->open.auid != EVENT_UNSET) {
		ops_buf_puts(out, ", logged in as ");
		describe_text(out, &s->open.login);
		ops_buf_printf(out, ", uid %" PRIu32, s->open.auid);
	}
	ops_buf_printf(out, ", process %" PRIu32 "  (proven)\n", s->open.pid);
	if (!describe_import(s, &i)) {
		label(out, "file");
		ops_buf_puts(out, "what is said of it can't be read\n");
		return;
	}
	put_file(out, describe_import_format(&i), &i.file, i.sha256);
	ops_buf_printf(out, ", %" PRIu64 " bytes", i.size);
	if (i.mtime > 0) {
		ops_time_rfc3339(i.mtime, cli->global.utc, when);
		ops_buf_printf(out, ", changed last %s", when);
	}
	ops_buf_puts(out, i.tail.p != NULL || i.format != IMPORT_TYPESCRIPT
			      ? "\n"
			      : "; it was cut: its last line is missing\n");
	if (i.timing.p != NULL) {
		put_file(out, "timing", &i.timing, i.timing_sha256);
		ops_buf_puts(out, "\n");
	} else if (i.format == IMPORT_TYPESCRIPT) {
		label(out, "timing");
		ops_buf_puts(out, "none: it has no times within\n");
	}
}

/* Of an imported one all of it is claimed, and said by no kernel. */
static void
put_claims(struct ops_buf *out, const struct event_open *o)
{
	if (o->kind == SESSION_COMMAND)
		return; /* programs, each with its own */
	label(out, "host");
	describe_text(out, &o->host);
	ops_buf_puts(out, "  (where it was imported)\n");
	claimed(out, "terminal", &o->tty);
	if (o->cols > 0) {
		label(out, "size");
		ops_buf_printf(out, "%ux%u  (claimed)\n", (unsigned)o->cols,
		    (unsigned)o->rows);
	}
	claimed(out, "TERM", &o->term);
	label(out, "command");
	describe_command(out, o);
	ops_buf_puts(out, "  (claimed)\n");
}

static void
put_reason(struct ops_buf *out, const struct session *s)
{
	if (!s->asked)
		return;
	label(out, "reason");
	if (s->reason.p == NULL) {
		ops_buf_puts(out, "none was given\n");
		return;
	}
	describe_text(out, &s->reason);
	ops_buf_puts(out, "  (claimed)\n");
}

static void
put_where(struct ops_buf *out, const struct event_open *o)
{
	label(out, "host");
	describe_text(out, &o->host);
	ops_buf_puts(out, "  (proven)\n");
	claimed(out, "from", &o->from);
	label(out, "terminal");
	if (o->kind == SESSION_COMMAND) {
		ops_buf_puts(out, "none: a command without a terminal\n");
	} else {
		/* The one that the shell has, and that the person sits at. */
		describe_text(out, &o->inner);
		ops_buf_puts(out, ", shown on ");
		describe_text(out, &o->tty);
		ops_buf_printf(out, ", %ux%u  (proven)\n", (unsigned)o->cols,
		    (unsigned)o->rows);
		claimed(out, "TERM", &o->term);
	}
	label(out, "process");
	ops_buf_printf(out, "%" PRIu32 ", recorded by %" PRIu32 "  (proven)\n",
	    o->pid, o->recorder_pid);
	label(out, "command");
	describe_command(out, o);
	ops_buf_puts(out, o->command.p != NULL ? "  (claimed)\n" : "\n");
}

static void
put_times(struct ops_buf *out, const struct cli *cli, const struct session *s)
{
	const char *mark = session_imported(s) ? "  (claimed)" : "";
	char text[OPS_TIME_TEXT], span[24];
	struct import i;

	if (describe_import(s, &i) && !i.has_start)
		mark = "  (not said by the file: counted from its import)";
	ops_time_rfc3339(s->start, cli->global.utc, text);
	label(out, "start");
	ops_buf_printf(out, "%s%s\n", text, mark);
	label(out, "end");
	if (s->end > 0) {
		ops_time_rfc3339(s->end, cli->global.utc, text);
		ops_buf_printf(out, "%s%s\n", text, mark);
	} else {
		ops_buf_puts(out, describe_goes_on(s)
				      ? "still going on\n"
				      : "missing from the log\n");
	}
	describe_span(describe_duration(s), span);
	label(out, "duration");
	ops_buf_printf(out, "%s\n", span);
}

static const char *
why_text(uint32_t why)
{
	static const char *const texts[] = {
		[CLOSE_EXIT] = "the shell or command ended",
		[CLOSE_DOOR_KILLED] = "its door was killed",
		[CLOSE_HANGUP] = "the terminal hung up",
		[CLOSE_LOG_FAILURE] = "the log could not be written",
		[CLOSE_REBOOT] = "the machine was restarted",
		[CLOSE_RECORDER] = "its recorder vanished",
		[CLOSE_NO_REASON] = "it wasn't started: no reason was given",
	};

	if (why >= OPS_ARRAY_LEN(texts) || texts[why] == NULL)
		return "for a reason this version does not know";
	return texts[why];
}

static void
put_state(struct ops_buf *out, const struct session *s, const struct tally *t)
{
	label(out, "state");
	ops_buf_puts(out, describe_state(s));
	if (t->missing > 0 && s->state != SESSION_DAMAGED)
		ops_buf_puts(out, ", damaged");
	if (s->state == SESSION_DAMAGED)
		ops_buf_puts(out,
		    ": it ended, but the part of the log that says how can't "
		    "be read");
	if (s->has_close &&
	    (!session_imported(s) || s->close.why != CLOSE_EXIT))
		ops_buf_printf(out, ": %s",
		    session_imported(s) ? "the import was broken off"
					: why_text(s->close.why));
	if (s->has_close && s->close.has_status)
		ops_buf_printf(
		    out, ", exit %d", describe_exit(s->close.status));
	ops_buf_puts(out, "\n");
	if (s->bytes_lost > 0) {
		label(out, "gaps");
		ops_buf_printf(out, "%" PRIu64 " bytes were not recorded\n",
		    s->bytes_lost);
	}
	if (s->bypasses > 0) {
		label(out, "BYPASS");
		ops_buf_printf(out,
		    "somebody else held the terminal, seen %" PRIu64
		    " times: what it showed may not be all here\n",
		    s->bypasses);
	}
}

/* They are counted also where they are not kept, but told at the end only. */
static void
put_typed(struct ops_buf *out, const struct session *s, const struct tally *t)
{
	const char *kept =
	    s->open.input ? "typed, kept\n" : "typed, not kept\n";

	if (session_imported(s) && !s->open.input)
		ops_buf_puts(out, "nothing of what was typed\n");
	else if (s->has_close)
		describe_put_bytes(out, kept, s->close.bytes_in);
	else if (s->open.input)
		describe_put_bytes(out, kept, t->input);
	else
		ops_buf_puts(out, "what is typed is not kept\n");
}

static void
put_bytes_line(
    struct ops_buf *out, const struct session *s, const struct tally *t)
{
	char all[24];

	label(out, "bytes");
	if (s->open.kind == SESSION_COMMAND) {
		ops_buf_puts(out, session_imported(s)
				      ? "none: a list of programs\n"
				      : "not recorded: it had no terminal\n");
		return;
	}
	if (t->missing + t->gone > 0 && s->has_close) {
		describe_bytes(s->close.bytes_out, all);
		describe_put_bytes(out, "of ", t->output);
		ops_buf_printf(out, "%s shown in ", all);
	} else {
		describe_put_bytes(out, "shown in ", t->output);
	}
	describe_count(out, t->records, "record");
	ops_buf_puts(out, "; ");
	put_typed(out, s, t);
}

static void
put_sizes(struct ops_buf *out, const struct session *s, const struct tally *t)
{
	put_bytes_line(out, s, t);
	transferred_put(s, t->programs, LABEL, out);
	if (!session_imported(s) || t->commands > 0) {
		label(out, "commands");
		ops_buf_printf(out, "%" PRIu64 "\n", t->commands);
	}
	if (t->gone > 0) {
		char text[EXPIRE_TEXT];

		expire_text(t->rule, text);
		label(out, "expired");
		ops_buf_printf(out, "%s, on %s\n",
		    t->records == 0 ? "the screen" : "parts of the screen",
		    text);
	}
	if (t->missing > 0) {
		label(out, "MISSING");
		ops_buf_put(out, t->holes.data, t->holes.len);
		ops_buf_puts(out, "; opseal verify says why\n");
	}
	label(out, "sealed");
	if (t->missing > 0)
		ops_buf_puts(out, t->unsealed == 0 && t->records > 0
				      ? "what is here is; the rest is missing\n"
				      : "parts are missing\n");
	else if (s->sealed)
		ops_buf_puts(out, "yes, all of it\n");
	else if (t->unsealed == 0)
		ops_buf_puts(
		    out, "what is shown here is; its end is not yet\n");
	else {
		ops_buf_puts(out, "not yet: ");
		describe_count(out, t->unsealed, "record");
		ops_buf_puts(out, "\n");
	}
}

/* The segments its frames lie in. */
static void
put_places(struct ops_buf *out, struct screen *sc, const struct session *s)
{
	struct store *store = screen_store(sc);
	const struct store_frame *frame;
	size_t n = store_frames(store, s->id, &frame);
	char last[256] = "";

	for (size_t i = 0; i < n; i++) {
		const char *path;
		uint64_t offset;

		if (store_locate(store, &frame[i], &path, &offset, NULL) < 0 ||
		    strcmp(path, last) == 0)
			continue;
		label(out, last[0] == '\0' ? "stored in" : "");
		ops_escape(out, path, strlen(path));
		ops_buf_puts(out, "\n");
		snprintf(last, sizeof(last), "%s", path);
	}
}

static void
put_text(struct cli *cli, const struct session *s, struct screen *sc,
    const struct tally *t)
{
	struct ops_buf out = { .max = OUT_MAX };

	label(&out, "session");
	ops_buf_printf(&out, "%s\n", s->id_text);
	if (session_imported(s)) {
		put_import(&out, cli, s);
		put_claims(&out, &s->open);
	} else {
		put_who(&out, &s->open);
		if (s->has_login)
			person_put(&out, &s->login, LABEL);
		put_where(&out, &s->open);
		put_reason(&out, s);
	}
	put_times(&out, cli, s);
	put_state(&out, s, t);
	put_sizes(&out, s, t);
	put_places(&out, sc, s);
	if (t->timeline.len > 0) {
		ops_buf_puts(&out, "\n");
		ops_buf_put(&out, t->timeline.data, t->timeline.len);
	}
	cli_put(&out);
	ops_buf_free(&out);
}

/* Off and on stand in the timeline. */
static void
put_programs_json(
    const struct cli *cli, const struct program_list *l, struct ops_buf *out)
{
	bool first = true;

	for (size_t i = 0; i < l->n; i++) {
		if (l->p[i].kind == PROGRAM_SWITCHED)
			continue;
		if (!first)
			ops_buf_put8(out, ',');
		programs_json(&l->p[i], cli->global.utc, out);
		first = false;
	}
}

static void
put_json(struct cli *cli, const struct session *s, const struct tally *t)
{
	struct ops_buf out = { .max = OUT_MAX };

	describe_session_json(s, cli->global.utc, &out);
	if (!out.failed && out.len > 0)
		out.len--; /* the closing brace: one more member */
	ops_buf_printf(&out, ",\"records_missing\":%" PRIu64, t->missing);
	ops_buf_printf(&out, ",\"records_expired\":%" PRIu64, t->gone);
	ops_buf_puts(&out, ",\"programs\":[");
	put_programs_json(cli, t->programs, &out);
	ops_buf_puts(&out, "],\"timeline\":[");
	ops_buf_put(&out, t->json.data, t->json.len);
	ops_buf_puts(&out, "]}\n");
	cli_put(&out);
	ops_buf_free(&out);
}

static int
show(struct cli *cli, const struct session *s, struct screen *sc, uint64_t from,
    const struct program_list *programs, const struct remark_list *notes,
    bool json)
{
	struct tally t;
	struct ops_err err = { 0 };
	int status;

	if (tally_read(s, sc, from, programs, notes, &t, &err) < 0) {
		status = cli_fail(cli, &err);
	} else {
		if (json)
			put_json(cli, s, &t);
		else
			put_text(cli, s, sc, &t);
		status = screen_status(sc);
	}
	tally_free(&t);
	return status;
}

/* Its programs, and what was lost while it went on.  told: screen_find() has read
 * them, too, and said what is missing. */
static int
commands_of(struct cli *cli, const struct session *s, bool told,
    struct program_list *ret, struct ops_err *err)
{
	struct program_filter f = { .has_session = true };

	memcpy(f.session, s->id, OPS_ID_LEN);
	if (source_programs(cli->source, &f, ret, err) < 0)
		return -1;
	if (!told)
		screen_programs_missing(cli, ret);
	losses_keep(ret, s);
	return 0;
}

/* Put the lines of opseal off and on between them, of while it went on.  What the list
 * then has of them borrows from all.  told: that events can't be read was said. */
static int
add_switches(struct cli *cli, const struct session *s, bool told,
    struct program_list *l, struct switches *all, struct ops_err *err)
{
	const struct program_filter f = {
		0
	}; /* losses_keep() goes by another clock */
	struct logswitch none = { .looked = false };

	if (session_imported(s) || !logswitch_may_be(cli, &f, l, &none))
		return 0;
	if (source_switches(cli, told, all, err) < 0 ||
	    logswitch_put(all, &f, l, err) < 0)
		return -1;
	losses_keep(l, s);
	return 0;
}

/* -- one command of it -- */

static const struct program *
command_of(const struct session *s, const struct program_list *l,
    uint64_t number, struct ops_err *err)
{
	uint32_t last = 0;

	for (size_t i = 0; i < l->n; i++) {
		const struct program *p = &l->p[i];

		/* Shown in it, but another's command. */
		if (memcmp(p->session, s->id, OPS_ID_LEN) != 0)
			continue;
		if (p->number == number)
			return p;
		if (p->number > last)
			last = p->number;
	}
	ops_fail(err, OPS_ENOENT,
	    "session %s has no command %" PRIu64 ", the last is %" PRIu32,
	    s->id_text, number, last);
	return NULL;
}

static int
show_command(struct cli *cli, const struct sessionarg *place, bool json)
{
	struct session_list list = { 0 };
	struct program_list programs = { 0 };
	struct sessionarg whole;
	const struct session *s;
	const struct program *p = NULL;
	struct ops_err err = { 0 };
	struct ops_buf out = { .max = OUT_MAX };
	int status = CLI_FINE;

	if (screen_find(cli, place->name, &list, &s, &whole, &err) < 0 ||
	    commands_of(cli, s, false, &programs, &err) < 0 ||
	    (p = command_of(s, &programs, place->number, &err)) == NULL) {
		status = cli_fail(cli, &err);
	} else if (json) {
		programs_json(p, cli->global.utc, &out);
		ops_buf_puts(&out, "\n");
	} else {
		detail_put(p, cli->global.utc, &out);
	}
	cli_put(&out);
	ops_buf_free(&out);
	program_list_free(&programs);
	session_list_free(&list);
	return status;
}

int
cmd_show(struct cli *cli, const void *opts, int argc, char **argv)
{
	const struct show_opts *o = opts;
	struct session_list list = { 0 };
	const struct session *s;
	struct program_list programs = { 0 };
	struct switches switches = { 0 };
	struct remark_list notes = { 0 };
	struct screen *sc = NULL;
	struct sessionarg place;
	struct ops_err err = { 0 };
	uint64_t from;
	int status;

	(void)argc;
	if (sessionarg_parse(argv[0], &place, NULL) == 0 && place.has_number &&
	    !place.has_offset)
		return show_command(cli, &place, o->json);
	if (screen_find(cli, argv[0], &list, &s, &place, &err) < 0 ||
	    screen_from(s, &place, &from, &err) < 0 ||
	    commands_of(cli, s, place.has_number, &programs, &err) < 0 ||
	    add_switches(cli, s, list.missing.frames > 0, &programs, &switches,
		&err) < 0 ||
	    screen_open(cli, s, &sc, &err) < 0 ||
	    source_remarks(cli, s, &notes, &err) < 0) {
		status = cli_fail(cli, &err);
	} else {
		ending_fill(&list.s[s - list.s], 1, &programs);
		status = show(cli, s, sc, from, &programs, &notes, o->json);
	}
	remark_list_free(&notes);
	program_list_free(&programs);
	switches_free(&switches);
	screen_free(sc);
	session_list_free(&list);
	return status;
}
