#include "losses.h"

#include <stdbool.h>
#include <stddef.h>

/* What somebody may have set the clock by, within one boot. */
#define SAME_BOOT (UINT64_C(3600) * 1000000000)

/* Of another boot's the times of the two clocks lie apart. */
static bool
of_its_boot(const struct program *p, const struct session *s)
{
	uint64_t boot = s->start - s->start_boottime;
	uint64_t clock = p->time - p->boottime;

	return (boot > clock ? boot - clock : clock - boot) <= SAME_BOOT;
}

static bool
lost_in(const struct program *p, const struct session *s)
{
	uint64_t end = s->end_boottime;

	if (program_lost_restarted(p))
		return p->time > s->start &&
		       (s->end == 0 || program_lost_from(p) <= s->end);
	if (!of_its_boot(p, s) || p->loss.until < s->start_boottime)
		return false;
	/* Of one that has no end it isn't known until when it went on. */
	return end == 0 || (int64_t)p->loss.from <= (int64_t)end;
}

static bool
switched_in(const struct program *p, const struct session *s)
{
	return of_its_boot(p, s) && p->boottime >= s->start_boottime &&
	       (s->end_boottime == 0 || p->boottime <= s->end_boottime);
}

/* Anything of it is kept that says whose it was. */
static bool
is_in(const struct program *p, const struct session *s, bool over)
{
	if (p->kind == PROGRAM_LOST)
		return !over && lost_in(p, s);
	return p->kind != PROGRAM_SWITCHED || (!over && switched_in(p, s));
}

void
losses_keep(struct program_list *l, const struct session *s)
{
	bool over = session_imported(s);
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++) {
		const struct program *p = &l->p[i];
		/* It went on until then at most. */
		bool ends = program_lost_restarted(p) &&
			    program_lost_from(p) > s->start;

		if (is_in(p, s, over))
			l->p[n++] = *p;
		over |= ends;
	}
	l->n = n;
}

uint64_t
losses_offset(const struct program *p, const struct session *s)
{
	uint64_t at = p->boottime, begin = s->start_boottime;

	if (program_lost_restarted(p)) {
		at = program_lost_from(p);
		begin = s->start;
	}
	return at > begin ? at - begin : 0;
}
