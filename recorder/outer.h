/*
 * outer - the terminal the person sits at: raw and exclusive during the
 * session, restored on every way out; and written to without ever blocking
 * (with a guard set, see guard.h).
 *
 * After a hang-up it is dead: what is written to it is dropped.
 */
#ifndef OPS_OUTER_H
#define OPS_OUTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <termios.h>

#define OUTER_PENDING_MAX 20480 /* one read and notices */

struct outer {
	int fd;       /* -1: none */
	bool private; /* O_NONBLOCK: a description the door opened for us */
	bool raw;
	bool dead;
	struct termios modes;               /* as found */
	uint8_t pending[OUTER_PENDING_MAX]; /* not written yet */
	size_t from, to;
	bool gate; /* pending may not be shown yet: it isn't in the log */
};

/* Take the terminal.  0, or -1 if it is none. */
int outer_init(struct outer *o, int fd);
/* Raw and exclusive; and back as it was, as far as it is still as we made it: a
 * shell's modes stay, and another session's terminal stays its own.  Both may
 * be called at any time. */
void outer_raw(struct outer *o);
void outer_restore(struct outer *o);

/* Show n bytes: at once as far as the terminal takes them, the rest later, or
 * all later if the gate is closed.  n <= what outer_room() says. */
void outer_write(struct outer *o, const void *p, size_t n);
/* The same for words of our own, which are left out if there is no room, and
 * which pass the gate if nothing waits behind it. */
void outer_say(struct outer *o, const char *text);
/* Write what is pending, if the gate is open. */
void outer_flush(struct outer *o);
/* The same after waiting up to ms for the terminal to take it. */
void outer_wait(struct outer *o, int ms);
/* Is something pending? */
bool outer_pending(const struct outer *o);
size_t outer_room(const struct outer *o);

/* Read what was typed.  Bytes; 0: nothing there; -1: it hung up. */
long outer_read(struct outer *o, void *p, size_t n);

#endif
