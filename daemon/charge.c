#include "charge.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/io.h"
#include "logline.h"
#include "sorted.h"

bool
charge_can_prove(uint32_t auid, uint32_t ses)
{
	return auid != EVENT_UNSET && ses != EVENT_UNSET && auid != 0;
}

/* -- what was proven -- */

bool
charges_know(struct charges *c, uint32_t auid, uint32_t ses, uint64_t now)
{
	size_t at;

	if (!sorted_find(c->login, c->n, sizeof(c->login[0]), ses, &at) ||
	    c->login[at].auid != auid)
		return false;
	c->login[at].used = now;
	return true;
}

static void
forget_oldest(struct charges *c)
{
	size_t oldest = 0;

	for (size_t i = 1; i < c->n; i++)
		if (c->login[i].used < c->login[oldest].used)
			oldest = i;
	sorted_remove(c->login, &c->n, sizeof(c->login[0]), oldest);
}

static bool
make_room(struct charges *c)
{
	size_t cap = c->cap == 0 ? 64 : 2 * c->cap;
	struct charge_login *more;

	if (c->n < c->cap)
		return true;
	if (c->n == CHARGE_LOGINS_MAX) {
		forget_oldest(c);
		return true;
	}
	more = reallocarray(c->login, cap, sizeof(*more));
	if (more == NULL)
		return false;
	c->login = more;
	c->cap = cap;
	return true;
}

void
charges_learn(struct charges *c, uint32_t auid, uint32_t ses, uint64_t now)
{
	const size_t size = sizeof(c->login[0]);
	size_t at;

	if (!sorted_find(c->login, c->n, size, ses, &at)) {
		if (!make_room(c))
			return;
		(void)sorted_find(c->login, c->n, size, ses, &at);
		(void)sorted_insert(c->login, &c->n, size, at, ses);
	}
	c->login[at] = (struct charge_login){ ses, auid, now };
}

void
charges_free(struct charges *c)
{
	free(c->login);
	subids_free(&c->sub);
	*c = (struct charges){ .n = 0 };
}

/* -- from /proc -- */

/* All that was read is of one process, and not of one that got its pid meanwhile. */
static bool
see(pid_t pid, uint64_t younger, struct procid_seen *ret)
{
	uint64_t start;

	return procid_see(pid, ret, NULL) == 0 && ret->start <= younger &&
	       procid_start(pid, &start, NULL) == 0 && start == ret->start;
}

struct charge_descent
charge_descent(pid_t pid, uint64_t start, uint32_t auid, uint32_t ses)
{
	struct charge_descent d = { 0 };
	struct procid_seen seen;

	for (size_t i = 0; i <= EVENT_ANCESTORS_MAX; i++) {
		if (pid <= 0 || !see(pid, start, &seen))
			break;
		if (charge_can_prove(auid, ses) && seen.uid == auid &&
		    seen.euid == auid && seen.auid == auid && seen.ses == ses)
			return (struct charge_descent){ .proven = true };
		if (d.user == 0)
			d.user = seen.uid != 0 ? seen.uid : seen.euid;
		start = seen.start;
		pid = seen.parent;
	}
	return d;
}

/* -- both -- */

static bool
is_read(const struct charges *c, const struct stat *st)
{
	return c->read && c->dev == st->st_dev && c->ino == st->st_ino &&
	       c->size == (uint64_t)st->st_size &&
	       c->sec == st->st_mtim.tv_sec && c->nsec == st->st_mtim.tv_nsec;
}

/* What can't be read gives nobody a range. */
static void
read_subids(struct charges *c)
{
	struct ops_buf text = { .max = SUBIDS_FILE_MAX };
	struct ops_err err = { 0 };
	struct stat st;

	if (stat(CHARGE_SUBUID, &st) < 0) {
		subids_free(&c->sub);
		c->read = false;
		return;
	}
	if (is_read(c, &st))
		return;
	subids_free(&c->sub);
	if (ops_read_file(AT_FDCWD, CHARGE_SUBUID, OPS_IO_FOLLOW, &text, &err) <
		0 ||
	    subids_parse((const char *)text.data, text.len, &c->sub, &err) < 0)
		logline("%s: %s; its ranges count for nothing", CHARGE_SUBUID,
		    err.msg);
	ops_buf_free(&text);
	c->read = true;
	c->dev = st.st_dev;
	c->ino = st.st_ino;
	c->size = (uint64_t)st.st_size;
	c->sec = st.st_mtim.tv_sec;
	c->nsec = st.st_mtim.tv_nsec;
}

/* A uid of a range is only to be had in a user namespace.  Outside it is an account's,
 * which somebody gave a number that is within a range. */
static uint32_t
of_range(struct charges *c, uint32_t uid, pid_t pid)
{
	uint32_t first;

	read_subids(c);
	first = subids_first(&c->sub, uid);
	return first != uid && procid_maps_uids(pid) ? first : uid;
}

uint32_t
charge_of(struct charges *c, const struct charge_who *who, uint64_t now)
{
	uint32_t payer = who->uid;

	if (charge_can_prove(who->auid, who->ses)) {
		if (who->uid == who->auid ||
		    (!charges_know(c, who->auid, who->ses, now) &&
			charge_descent(
			    who->pid, who->start, who->auid, who->ses)
			    .proven))
			charges_learn(c, who->auid, who->ses, now);
		if (charges_know(c, who->auid, who->ses, now))
			payer = who->auid;
	}
	return of_range(c, payer, who->pid);
}
