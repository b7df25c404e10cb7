/*
 * config - what opseal.conf can say (etc/opseal.conf, base/conf.h).
 *
 * Fuzzed: config
 */
#ifndef OPS_DAEMON_CONFIG_H
#define OPS_DAEMON_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "capture_env.h"

#define CONFIG_PATH_MAX 1023 /* bytes of a path in it */

/* capture_hooks */
enum capture_hooks {
	HOOKS_AUTO, /* the best that the kernel takes */
	HOOKS_TP_BTF,
	HOOKS_RAW_TP,
	HOOKS_OLD, /* raw_tp, without what only newer kernels have */
};

enum on_log_failure { ON_FAILURE_CONTINUE, ON_FAILURE_REFUSE };

struct config {
	uint64_t hold_time; /* ns */
	int on_log_failure; /* enum on_log_failure */
	bool input;
	uint64_t seal_after;      /* ns; 0: the writer's own default */
	uint64_t anchor_interval; /* ns; 0: off */
	bool mask;                /* secrets in arguments */
	bool accounting;          /* the kernel's, as a second source */
	int capture_hooks;        /* enum capture_hooks */
	char mask_rules[CONFIG_PATH_MAX + 1];    /* file; "": our own */
	char environment[ENV_LIST_MAX + 1];      /* names; "": none */
	char anchor_file[CONFIG_PATH_MAX + 1];   /* "": none */
	char anchor_syslog[CONFIG_PATH_MAX + 1]; /* "": find one; "off" */
};

/* The defaults. */
void config_init(struct config *c);

/* Append the file's bytes to text (max CONF_MAX).  A missing file is empty
 * unless must_exist. */
int config_read(const char *path, bool must_exist, struct ops_buf *text,
    struct ops_err *err);

/* Defaults, then what these bytes say.  path: for messages. */
int config_parse(const char *path, const struct ops_buf *text,
    struct config *ret, struct ops_err *err);

#endif
