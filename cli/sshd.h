/*
 * sshd - what this host's sshd would do, asked of itself, and having it read its
 * configuration again.
 */
#ifndef OPS_CLI_SSHD_H
#define OPS_CLI_SSHD_H

#include <stdbool.h>
#include <stddef.h>

#include "accounts.h"
#include "base/buf.h"
#include "base/err.h"
#include "sshdconf.h"

#define SSHD_CONFIG "/etc/ssh/sshd_config"
#define SSHD_FOLDER "/etc/ssh/sshd_config.d"

/* The path of the program, or NULL: it isn't installed. */
const char *sshd_program(void);

/* Append to out what it would do with that account (sshd -T), by the configuration
 * at config (NULL: its own).  user NULL: with anybody. */
int sshd_effective(const char *config, const char *user, struct ops_buf *out,
    struct ops_err *err);

/* What it says of the keyword ("usepam") for anybody.  False: it isn't installed, or
 * doesn't say. */
bool sshd_value(const char *keyword, char value[static SSHDCONF_VALUE]);
/* Is its sftp internal-sftp, which starts no program?  False as above. */
bool sshd_sftp_is_internal(void);

/* Why the account can't have the door as ForceCommand.  1: reason says it.  0: it
 * can. */
int sshd_refuses(const struct account *a, const char *door,
    char reason[static SSHDCONF_VALUE], struct ops_err *err);

/* Try the whole configuration with the file p[0..n) in SSHD_FOLDER, in a private
 * copy: is it accepted, and does it have the door as user's ForceCommand? */
int sshd_try(const void *p, size_t n, const char *user, const char *door,
    struct ops_err *err);

/* Is p[0..n) accepted in place of sshd_config?  What it includes is as it is. */
int sshd_try_main(const void *p, size_t n, struct ops_err *err);

/* Have a running sshd read its configuration; who is logged in stays.  what gets a
 * line about what was done. */
int sshd_reload(struct ops_buf *what, struct ops_err *err);

#endif
