#include "lead.h"

#include <stdio.h>

bool
lead_accounted(const struct program_filter *f)
{
	return f->coverage || f->source == SOURCE_ACCT ||
	       f->source == SOURCE_IMPORT;
}

struct lead
lead_of(const struct program_filter *f, bool few_exes)
{
	if (f->name != NULL && f->failed)
		return (struct lead){ .name = true,
			.failed = true,
			.time = "c",
			.from = "failing c CROSS JOIN program p ON "
				"p.id = c.program",
			.where = "c.name = ?1" };
	if (f->name != NULL)
		return (struct lead){ .name = true,
			.time = "c",
			.from = "called c CROSS JOIN program p ON "
				"p.id = c.program",
			.where = "c.name = ?1" };
	if (f->has_session)
		return (struct lead){ .session = true,
			.time = "p",
			.from = "program p INDEXED BY by_session",
			.where = "p.session = " LEAD_ASKED };
	if (f->tty != NULL)
		return (struct lead){ .tty = true,
			.time = "p",
			.from = "program p INDEXED BY by_tty",
			.where = "p.tty = ?3" };
	if (f->exe != NULL && few_exes)
		return (struct lead){ .exe = true,
			.time = "p",
			.from = "program p INDEXED BY by_exe",
			.where = "p.exe = ?9" };
	if (f->failed && f->has_euid)
		return (struct lead){ .failed = true,
			.euid = true,
			.time = "p",
			.from = "program p INDEXED BY by_failed_euid",
			.where = "p.failed = 1 AND p.euid = ?4" };
	if (f->failed)
		return (struct lead){ .failed = true,
			.time = "p",
			.from = "program p INDEXED BY by_failed",
			.where = "p.failed = 1" };
	if (f->has_euid)
		return (struct lead){ .euid = true,
			.time = "p",
			.from = "program p INDEXED BY by_euid",
			.where = "p.euid = ?4" };
	if (f->has_login)
		return (struct lead){ .login = true,
			.time = "p",
			.from = "program p INDEXED BY by_login",
			.where = "p.login = ?6" };
	if (lead_accounted(f))
		return (struct lead){ .time = "p",
			.from = "program p INDEXED BY by_accounted",
			.where = "p.kind = 5" };
	return (struct lead){ .time = "p",
		.from = "program p INDEXED BY by_time",
		.where = "1" };
}

/* Which kinds, as program_wanted() has it; those of nobody come by themselves. */
static const char *
kinds_of(const struct program_filter *f)
{
	if (f->coverage)
		return "+p.kind = 5 AND +p.session = 0";
	switch (f->source) {
	case SOURCE_ACCT:
		return f->forks ? "+p.kind = 5"
				: "+p.kind = 5 AND p.forked = 0";
	case SOURCE_IMPORT:
		return f->forks ? "+p.kind = 5 AND +p.session <> 0"
				: "+p.kind = 5 AND p.forked = 0 AND "
				  "+p.session <> 0";
	case SOURCE_CAPTURE:
		return f->forks ? "+p.kind IN (1, 2, 4)"
				: "+p.kind IN (1, 2, 4) AND p.forked = 0";
	default:
		return f->forks ? "+p.kind IN (1, 2, 4, 5)"
				: "+p.kind IN (1, 2, 4, 5) AND p.forked = 0";
	}
}

/* Who it was; of the names, if they lead: what an index has besides its row SQLite
 * looks at first, and the row of each would be in another page. */
enum who { WHO_EUID, WHO_OWNER, WHO_LOGIN, WHO_WHOSE, WHO_ALL };
static const char *const who_of[2][WHO_ALL] = {
	{ " AND +p.euid = ?4", " AND (+p.login = ?5 OR +p.uid = ?5)",
	    " AND +p.login = ?6", " AND whose(+p.session, +p.ses)" },
	{ " AND c.euid = ?4", " AND (c.login = ?5 OR c.uid = ?5)",
	    " AND c.login = ?6", " AND whose(c.session, c.ses)" },
};

const char *
lead_rest(const struct program_filter *f, const struct lead *l,
    char out[static LEAD_SQL_MAX / 2])
{
	const char *const *who = who_of[l->name];

	(void)snprintf(out, LEAD_SQL_MAX / 2, "%s%s%s%s%s%s%s%s%s AND %s",
	    f->name != NULL && !l->name
		? " AND EXISTS(SELECT 1 FROM called n WHERE n.name = ?1 AND "
		  "n.time = p.time AND n.program = p.id)"
		: "",
	    f->has_session && !l->session
		? " AND (+p.session = " LEAD_ASKED
		  " OR EXISTS(SELECT 1 FROM also o WHERE o.session "
		  "= " LEAD_ASKED " AND o.time = p.time AND o.program = p.id))"
		: "",
	    f->tty != NULL && !l->tty ? " AND +p.tty = ?3" : "",
	    f->failed && !l->failed ? " AND +p.failed = 1" : "",
	    f->has_euid && !l->euid ? who[WHO_EUID] : "",
	    f->has_owner && !l->owner ? who[WHO_OWNER] : "",
	    f->has_owner ? " AND NOT (+p.kind = 5 AND +p.session <> 0)" : "",
	    f->has_login && !l->login ? who[WHO_LOGIN] : "",
	    program_asks_persons(f) ? who[WHO_WHOSE] : "", kinds_of(f));
	return out;
}

const char *
lead_newest(const struct program_filter *f, const struct lead *l,
    char out[static LEAD_SQL_MAX])
{
	char rest[LEAD_SQL_MAX / 2];

	(void)snprintf(out, LEAD_SQL_MAX,
	    "SELECT " LEAD_COLUMNS
	    "FROM %s WHERE %s AND %s.time BETWEEN ?7 AND ?8%s "
	    "ORDER BY %s.time DESC",
	    l->from, l->where, l->time, lead_rest(f, l, rest), l->time);
	return out;
}
