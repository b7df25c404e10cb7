/*
 * notify - tell the service manager how it stands (sd_notify(3)'s protocol).
 */
#ifndef OPS_DAEMON_NOTIFY_H
#define OPS_DAEMON_NOTIFY_H

/* Send e.g. "READY=1" to $NOTIFY_SOCKET; nothing where there is none.  A
 * manager that does not listen is no reason to stop. */
void notify_send(const char *state);

#endif
