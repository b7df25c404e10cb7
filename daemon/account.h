/*
 * account - the ends of processes that capture saw, beside those that the
 * kernel's own accounting tells of (record/acct.h): who is in both, and who in
 * one alone.
 *
 * A pair has one pid, and a begin that is the same as far as acct(5) knows it:
 * to a second, and without the times that the machine was suspended.  Records
 * come out in the order in which they went in.
 *
 * Pure: no I/O, no clock.
 */
#ifndef OPS_DAEMON_ACCOUNT_H
#define OPS_DAEMON_ACCOUNT_H

#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "record/acct.h"

#define ACCOUNT_RECORDS_MAX 16384 /* that wait for capture's word */
#define ACCOUNT_ENDS_MAX 262144   /* that wait for a record */

struct account;

/* now: what ended before is unsure.  NULL: no memory. */
struct account *account_new(const struct ops_clock *now);
void account_free(struct account *a);
/* What the clocks say now; before each round. */
void account_clock(struct account *a, const struct ops_clock *now);

/* Capture saw it end; times are BOOTTIME.  More than ACCOUNT_ENDS_MAX, or
 * without memory for it, are counted as forgotten. */
void account_captured(
    struct account *a, uint32_t pid, uint64_t start, uint64_t time);
/* The kernel's accounting tells of it; now: BOOTTIME, after it was read.  -1: no
 * room. */
int account_take(struct account *a, const struct acct_record *r, uint64_t now);

enum account_word {
	ACCOUNT_WAIT,   /* none, or not known yet */
	ACCOUNT_BOTH,   /* capture saw it too */
	ACCOUNT_MISSED, /* it didn't */
	ACCOUNT_UNSURE, /* nor could it: that was before it ran */
};
/* What is known of the oldest record, if capture has said all that happened
 * until `told` (BOOTTIME); then it is gone.  *end: BOOTTIME of its end, by the
 * wall clock as it is now, and no later than when it was read. */
enum account_word account_next(
    struct account *a, uint64_t told, struct acct_record *ret, uint64_t *end);

/* Forget the ends before that time that no record came for: how many, with
 * those that there was no room for. */
uint64_t account_forget(struct account *a, uint64_t before);
size_t account_waiting(const struct account *a); /* records */

#endif
