/*
 * sftpplan - sshd starting sftp-server in place of its internal-sftp, for `opseal
 * setup --sftp-server`: as a program it comes by the door and is captured.
 */
#ifndef OPS_CLI_SFTPPLAN_H
#define OPS_CLI_SFTPPLAN_H

#include "hostfile.h"
#include "setuphost.h"

/*
 * *file is sshd_config as it is, *after as it is to be; the swap of the line is in
 * h->state then.  sshd has accepted it.  file->real NULL: there is nothing to change,
 * and h->notes says why.  OPS_EUSAGE: it can't be changed, since somebody is shut in
 * somewhere, where there is no sftp-server; or since the line is in another file.
 */
int sftpplan_make(struct setuphost *h, struct hostfile *file,
    struct ops_buf *after, struct ops_err *err);

#endif
