/*
 * sshdconf - what sshd says of its configuration (sshd -T), and the file that makes
 * the door its ForceCommand.
 *
 * Pure.
 *
 * Fuzzed: sshdconf
 */
#ifndef OPS_CLI_SSHDCONF_H
#define OPS_CLI_SSHDCONF_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "textline.h"

#define SSHDCONF_MAX 1048576 /* bytes */
#define SSHDCONF_VALUE 512 /* bytes of a value and NUL; what is longer is cut */

/* The first value of the keyword ("usepam"), as sshd -T prints it.  False: it isn't
 * there. */
bool sshdconf_value(const char *p, size_t n, const char *keyword,
    char value[static SSHDCONF_VALUE]);

/* The next line of a configuration that begins with the keyword, and what it says
 * ("sftp internal-sftp"), cut as above; *at and *line are 0 at first, and the caller's
 * to keep.  False: no more. */
bool sshdconf_next(const char *p, size_t n, size_t *at, unsigned *line,
    const char *keyword, char value[static SSHDCONF_VALUE]);

/* Why ForceCommand must not be set for whom sshd -T says this: what it would break.
 * False: nothing.  reason is one clause, without a full stop.  One that is set to
 * this door already is fine. */
bool sshdconf_refuses(const char *p, size_t n, const char *door,
    char reason[static SSHDCONF_VALUE]);

/* Is internal-sftp a subsystem, in what sshd -T says or in a file? */
bool sshdconf_sftp_is_internal(const char *p, size_t n);

/* The line that makes sftp internal-sftp, and that line with this program in place
 * of it; its options stay.  False: there is none. */
bool sshdconf_sftp(const char *p, size_t n, const char *program,
    struct textline *line, struct ops_buf *to);

/* Does some line of a configuration shut anybody in, whoever that is for? */
bool sshdconf_shuts_in(const char *p, size_t n);

/* The next word of an Include; at: 0 at first.  False: there are no more. */
bool sshdconf_include(
    const char *p, size_t n, size_t *at, char value[static SSHDCONF_VALUE]);

/* May it stand in Match User as it is? */
bool sshdconf_is_name(const char *name);

/* The file for these accounts; their names are sshdconf_is_name(). */
void sshdconf_put(
    struct ops_buf *out, const char *door, const char *const *names, size_t n);

/* p[0..n) is sshd_config.  Append it to out with one more file included before the
 * first Include that names the folder.  False: there is none, so a file in that
 * folder would have no effect. */
bool sshdconf_with(const char *p, size_t n, const char *folder,
    const char *file, struct ops_buf *out);

#endif
