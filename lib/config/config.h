/*
 * config - what opseal.conf can say (etc/opseal.conf, base/conf.h): the table
 * of its keys, with their limits and defaults.  Pure; config_files.h reads the
 * files.
 *
 * Fuzzed: config
 */
#ifndef OPS_CONFIG_H
#define OPS_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/conf.h"
#include "base/crypto.h"
#include "base/err.h"
#include "retention.h"

#define CONFIG_PATH_MAX 1023   /* bytes of a path in it */
#define CONFIG_USER_MAX 32     /* bytes of a user's name */
#define CONFIG_GROUP_MAX 32    /* bytes of a group's name */
#define CONFIG_ENV_MAX 1000    /* bytes of a list of variables */
#define CONFIG_NOTICE_MAX 2000 /* bytes of the notice; ASK_NOTICE_MAX */

/* capture_hooks */
enum capture_hooks {
	HOOKS_AUTO, /* the best that the kernel takes */
	HOOKS_TP_BTF,
	HOOKS_RAW_TP,
	HOOKS_OLD, /* raw_tp, without what only newer kernels have */
};

enum config_reason { REASON_OFF, REASON_ASK, REASON_REQUIRE };
enum on_log_failure { ON_FAILURE_CONTINUE, ON_FAILURE_REFUSE };

struct config {
	uint64_t hold_time;                     /* ns */
	int on_log_failure;                     /* enum on_log_failure */
	char break_glass[CONFIG_GROUP_MAX + 1]; /* a group; "": nobody */
	bool input;
	char notice[CONFIG_NOTICE_MAX + 1]; /* "": none */
	int reason;                         /* enum config_reason */
	uint64_t seal_after;                /* ns */
	uint64_t anchor_interval;           /* ns; 0: off */
	bool mask;                          /* secrets in arguments */
	bool accounting;   /* the kernel's, as a second source */
	int capture_hooks; /* enum capture_hooks */
	char mask_rules[CONFIG_PATH_MAX + 1];    /* file; "": our own */
	char environment[CONFIG_ENV_MAX + 1];    /* names; "": none */
	char anchor_file[CONFIG_PATH_MAX + 1];   /* "": none */
	char anchor_syslog[CONFIG_PATH_MAX + 1]; /* "": find one; "off" */
	char notify[CONFIG_PATH_MAX + 1]; /* command.h; "": nobody is told */
	char notify_user[CONFIG_USER_MAX + 1];
	uint64_t notify_timeout; /* ns */
	/* What these mean is store/expire.h's.  0: no such rule. */
	uint64_t keep_screens, keep_events;        /* ns */
	uint64_t max_size;                         /* bytes */
	char keep_free[RETENTION_FREE_MAX + 1];    /* retention.h */
	uint64_t keep_at_least;                    /* ns */
	char disk_reserve[RETENTION_FREE_MAX + 1]; /* "": by the disk's size */
	/* Of a user's screens, daemon/quota.h. */
	char screen_day[RETENTION_FREE_MAX + 1]; /* "": by what is free */
	uint64_t screen_rate;                    /* bytes a second; 0: any */
};

/* All keys, in the order of etc/opseal.conf. */
const struct conf_key *config_keys(size_t *n);

/* The defaults. */
void config_init(struct config *c);

/* Do the values fit together?  OPS_EFORMAT, and *key is the row of config_keys()
 * that was set last of those that don't; places has a row for each key. */
int config_check(const struct config *c, const struct conf_place *places,
    size_t *key, struct ops_err *err);

/* Defaults, then what these bytes say.  name: for messages. */
int config_parse(const char *name, const struct ops_buf *text,
    struct config *ret, struct ops_err *err);

/*
 * Append all that differs from the defaults, "key = value" a line: what
 * config_parse() reads back.  One configuration gives one text, however many
 * files said it.
 */
void config_put(struct ops_buf *out, const struct config *c);
/* SHA-256 of that text. */
int config_hash(const struct config *c, uint8_t out[static OPS_HASH_LEN],
    struct ops_err *err);

/* What takes a changed key over; more than one may change. */
enum config_change {
	CONFIG_IN_PLACE = 1 << 0, /* roles, as they run */
	CONFIG_CAPTURE = 1 << 1,  /* capture, started again */
	CONFIG_LATER = 1 << 2,    /* only opseald's next start */
};
/* Which kinds of keys differ, and append their names with blanks between; names
 * may be NULL. */
unsigned config_compare(
    const struct config *a, const struct config *b, struct ops_buf *names);
/* Give c, of the keys of this kind, what the other has. */
void config_keep(
    struct config *c, const struct config *other, enum config_change kind);

#endif
