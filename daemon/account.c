#include "account.h"

#include <stdlib.h>

#define SECOND INT64_C(1000000000)
#define SLACK (SECOND + SECOND / 20) /* of a begin known to the second */
#define BUCKETS 4096u                /* a power of two */

struct ended {
	uint32_t pid;
	uint64_t start, time;
	struct ended *next;    /* of its bucket */
	struct ended *younger; /* of all */
	int paired;            /* out of its bucket */
};

struct slot {
	struct acct_record record;
	uint64_t taken; /* BOOTTIME; it had ended then */
};

struct account {
	struct slot *slot; /* a ring of ACCOUNT_RECORDS_MAX */
	size_t first, n;
	struct ended *bucket[BUCKETS];
	struct ended *oldest, *youngest;
	size_t ends;
	uint64_t forgotten;
	uint64_t began;      /* REALTIME, s */
	int64_t least, most; /* REALTIME less BOOTTIME, as it has been */
	int64_t suspended;   /* BOOTTIME less MONOTONIC */
	int64_t offset;      /* REALTIME less BOOTTIME, now */
};

struct account *
account_new(const struct ops_clock *now)
{
	struct account *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return NULL;
	a->slot = calloc(ACCOUNT_RECORDS_MAX, sizeof(*a->slot));
	if (a->slot == NULL) {
		free(a);
		return NULL;
	}
	a->began = now->realtime / (uint64_t)SECOND;
	a->least = a->most = (int64_t)(now->realtime - now->boottime);
	account_clock(a, now);
	return a;
}

void
account_clock(struct account *a, const struct ops_clock *now)
{
	a->offset = (int64_t)(now->realtime - now->boottime);
	a->least = a->offset < a->least ? a->offset : a->least;
	a->most = a->offset > a->most ? a->offset : a->most;
	a->suspended = (int64_t)(now->boottime - now->monotonic);
}

static struct ended **
bucket_of(struct account *a, uint32_t pid)
{
	return &a->bucket[(pid * 2654435761u) >> 20 & (BUCKETS - 1)];
}

/* Where it stands in its bucket. */
static struct ended **
place_of(struct account *a, const struct ended *e)
{
	struct ended **at = bucket_of(a, e->pid);

	while (*at != NULL && *at != e)
		at = &(*at)->next;
	return at;
}

static void
drop_oldest(struct account *a)
{
	struct ended *e = a->oldest;

	if (!e->paired) {
		*place_of(a, e) = e->next;
		a->forgotten++;
	}
	a->oldest = e->younger;
	if (a->oldest == NULL)
		a->youngest = NULL;
	a->ends--;
	free(e);
}

void
account_free(struct account *a)
{
	if (a == NULL)
		return;
	while (a->oldest != NULL)
		drop_oldest(a);
	free(a->slot);
	free(a);
}

void
account_captured(struct account *a, uint32_t pid, uint64_t start, uint64_t time)
{
	struct ended *e = calloc(1, sizeof(*e)), **at;

	if (e == NULL) {
		a->forgotten++;
		return;
	}
	*e = (struct ended){ .pid = pid, .start = start, .time = time };
	/* At the end: of one pid the oldest is found first. */
	for (at = bucket_of(a, pid); *at != NULL; at = &(*at)->next)
		continue;
	*at = e;
	if (a->youngest != NULL)
		a->youngest->younger = e;
	else
		a->oldest = e;
	a->youngest = e;
	if (++a->ends > ACCOUNT_ENDS_MAX)
		drop_oldest(a);
}

int
account_take(struct account *a, const struct acct_record *r, uint64_t now)
{
	if (a->n == ACCOUNT_RECORDS_MAX)
		return -1;
	a->slot[(a->first + a->n++) % ACCOUNT_RECORDS_MAX] =
	    (struct slot){ *r, now };
	return 0;
}

/*
 * The kernel writes the second of the end less the whole seconds that it ran,
 * which is off the begin by less than one, and later by what was slept through.
 * etime has 24 bits, so those of months are off by more.
 */
static int
is_pair(
    const struct account *a, const struct ended *e, const struct acct_record *r)
{
	int64_t began = (int64_t)r->began * SECOND;
	int64_t slack = SLACK + (int64_t)(r->etime >> 22);

	if (e->pid != r->pid || e->start > INT64_MAX / 2)
		return 0;
	return began >= (int64_t)e->start + a->least - slack &&
	       began <= (int64_t)e->start + a->most + a->suspended + slack;
}

static int
take_pair(struct account *a, const struct acct_record *r)
{
	struct ended **at = bucket_of(a, r->pid), *e;

	while (*at != NULL && !is_pair(a, *at, r))
		at = &(*at)->next;
	if (*at == NULL)
		return 0;
	e = *at;
	*at = e->next;
	e->paired = 1;
	return 1;
}

/* REALTIME of its end, s, exactly. */
static uint64_t
end_of(const struct acct_record *r)
{
	return r->began + r->etime / (uint64_t)SECOND;
}

enum account_word
account_next(
    struct account *a, uint64_t told, struct acct_record *ret, uint64_t *end)
{
	const struct slot *s = &a->slot[a->first];
	const struct acct_record *r = &s->record;
	enum account_word word = ACCOUNT_BOTH;
	uint64_t when;
	int64_t at;

	if (a->n == 0)
		return ACCOUNT_WAIT;
	at = (int64_t)end_of(r) * SECOND - a->offset;
	when = at > 0 ? (uint64_t)at : 0;
	if (!take_pair(a, r)) {
		/* Not by its end: the wall clock may have been set since. */
		if (told < s->taken)
			return ACCOUNT_WAIT;
		/* It ended in the second that begins then. */
		if (end_of(r) <= a->began)
			word = ACCOUNT_UNSURE;
		else
			word = ACCOUNT_MISSED;
	}
	*ret = *r;
	*end = when < s->taken ? when : s->taken;
	a->first = (a->first + 1) % ACCOUNT_RECORDS_MAX;
	a->n--;
	return word;
}

uint64_t
account_forget(struct account *a, uint64_t before)
{
	uint64_t n;

	while (a->oldest != NULL && a->oldest->time < before)
		drop_oldest(a);
	n = a->forgotten;
	a->forgotten = 0;
	return n;
}

size_t
account_waiting(const struct account *a)
{
	return a->n;
}
