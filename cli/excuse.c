#include "excuse.h"

#include <string.h>

#include "base/bytes.h"

#define JOB "a job, which has no terminal: its programs are in the log"
#define WITHIN "within another login, whose session has it"
#define MANAGER "the user's service manager: its programs are in the log"

/* clang-format off */
static const struct {
	const char *name, *why;
} services[] = {
	{ "cron",	  JOB },
	{ "crond",	  JOB },
	{ "atd",	  JOB },
	{ "anacron",	  JOB },
	{ "systemd-user", MANAGER },
	{ "su",		  WITHIN },
	{ "su-l",	  WITHIN },
	{ "runuser",	  WITHIN },
	{ "runuser-l",	  WITHIN },
	{ "sudo",	  WITHIN },
	{ "sudo-i",	  WITHIN },
	{ "doas",	  WITHIN },
	{ "polkit-1",	  WITHIN },
}, programs[] = {
	{ "cron",	  JOB },
	{ "CRON",	  JOB },
	{ "crond",	  JOB },
	{ "atd",	  JOB },
	{ "systemd",	  MANAGER },
	{ "(systemd)",	  MANAGER },
};
/* clang-format on */

static bool
is(const struct event_text *t, const char *s)
{
	return t->p != NULL && t->n == strlen(s) && memcmp(t->p, s, t->n) == 0;
}

const char *
excuse_of(const struct excuse_facts *f)
{
	for (size_t i = 0; i < OPS_ARRAY_LEN(services); i++)
		if (is(&f->service, services[i].name))
			return services[i].why;
	if (f->service.p == NULL)
		for (size_t i = 0; i < OPS_ARRAY_LEN(programs); i++)
			if (is(&f->program, programs[i].name))
				return programs[i].why;
	/* root, or whose shell is another on purpose or by his own doing: that
	 * is the doctor's to tell apart. */
	if (f->knows_shell && !f->door)
		return f->uid == 0
			   ? "root's own shell, which is left alone: its "
			     "programs are in the log"
			   : NULL;
	if (!f->has_ses || !f->captured || f->programs > 0)
		return NULL;
	if (f->fresh)
		return "not to be said yet: it is some seconds old";
	return "no program was started: internal-sftp, or ssh -N and port "
	       "forwards";
}
