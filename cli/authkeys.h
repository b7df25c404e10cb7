/*
 * authkeys - what the lines of an authorized_keys file allow, sshd(8).
 *
 * Pure.
 *
 * Fuzzed: authkeys
 */
#ifndef OPS_CLI_AUTHKEYS_H
#define OPS_CLI_AUTHKEYS_H

#include <stdbool.h>
#include <stddef.h>

#define AUTHKEYS_MAX 4194304 /* bytes of the file */
#define AUTHKEYS_OPTION 32   /* bytes of an option's name and NUL */

/* The first line whose key is restricted: to a command, to where it is used from, in
 * what may be done with it; or that trusts a CA, whose certificates may be.  Its
 * number from 1, and the name of the option.  0: there is none. */
unsigned authkeys_restricted(
    const char *p, size_t n, char option[static AUTHKEYS_OPTION]);

#endif
