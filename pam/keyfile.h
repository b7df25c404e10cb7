/*
 * keyfile - files that the module reads for a login: the account's own
 * authorized_keys, and root's /etc/opseal/people.
 */
#ifndef OPS_PAM_KEYFILE_H
#define OPS_PAM_KEYFILE_H

#include <pwd.h>

#include "base/buf.h"
#include "base/err.h"
#include "record/event.h"

/*
 * The comment of the key with this base64 text in ~/.ssh/authorized_keys or
 * authorized_keys2, copied to out (cut to its size); "": there is none.  They are
 * read with the account's rights to files, and only this thread's change.
 */
void keyfile_comment(const struct passwd *pw, struct event_text key,
    char out[static EVENT_TEXT_MAX + 1]);

/* Append a file that belongs to this process's user or to root and that nobody
 * else can write.  OPS_ENOENT: there is none. */
int keyfile_read_own(
    const char *path, struct ops_buf *out, struct ops_err *err);

#endif
