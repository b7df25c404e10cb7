/*
 * connection - how much the service's TCP connection has carried, as the kernel
 * counts it.
 *
 * sshd's process that PAM runs in keeps the connection open, though others read and
 * write it; so this tells of internal-sftp and of forwarded ports as well, which
 * start no program.  What is counted is what was sent: encrypted, with the
 * protocol's own messages, compressed if it was.
 */
#ifndef OPS_PAM_CONNECTION_H
#define OPS_PAM_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>

/* Bytes that came in, and that went out and arrived.  False: this process has no
 * TCP connection, or several, or the kernel doesn't tell. */
bool connection_bytes(uint64_t *in, uint64_t *out);

#endif
