#include "ending.h"

#include <string.h>

#define TICK_NS 10000000u /* of a session's start; USER_HZ is 100 */
#define SECOND UINT64_C(1000000000)

static bool
lacks_status(const struct session *s)
{
	return s->open.kind == SESSION_COMMAND && !session_imported(s) &&
	       s->has_close && !s->close.has_status;
}

bool
ending_wanted(const struct session *s, size_t n, uint64_t *since)
{
	bool wanted = false;

	*since = UINT64_MAX;
	for (size_t i = 0; i < n; i++) {
		uint64_t from = s[i].start > SECOND ? s[i].start - SECOND : 1;

		if (!lacks_status(&s[i]))
			continue;
		wanted = true;
		if (from < *since)
			*since = from;
	}
	return wanted;
}

/* The door's process, which executes the command.  Its pid is that of opseald's
 * namespace. */
static bool
is_own(const struct session *s, const struct program *p)
{
	uint32_t pid = p->end.has_own ? p->end.own : p->end.pid;

	return (p->kind == PROGRAM_RAN || p->kind == PROGRAM_ENDED) &&
	       p->has_end && pid == s->open.pid &&
	       p->end.start / TICK_NS == s->open.start &&
	       memcmp(p->session, s->id, OPS_ID_LEN) == 0;
}

const struct program *
ending_of(const struct session *s, const struct program_list *l)
{
	for (size_t j = l->n; j-- > 0;)
		if (is_own(s, &l->p[j]))
			return &l->p[j];
	return NULL;
}

void
ending_fill(struct session *s, size_t n, const struct program_list *l)
{
	for (size_t i = 0; i < n; i++) {
		const struct program *p =
		    lacks_status(&s[i]) ? ending_of(&s[i], l) : NULL;

		if (p == NULL)
			continue;
		s[i].close.has_status = true;
		s[i].close.status = p->end.status;
	}
}
