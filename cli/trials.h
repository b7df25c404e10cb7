/*
 * trials - the ways that `opseal doctor` really goes: short sessions of its own through
 * the door, then what the log has of them.
 *
 * As root it goes as nobody and as root, else as its caller.  Nothing is changed by it
 * and nothing stays but those sessions in the log, which say that they are doctor's.
 */
#ifndef OPS_CLI_TRIALS_H
#define OPS_CLI_TRIALS_H

#include "doctor.h"

/* Needs a daemon and a door. */
void trials_look(struct doctor *d);

#endif
