/*
 * who - who logs in, by what PAM and sshd say.
 */
#ifndef OPS_PAM_WHO_H
#define OPS_PAM_WHO_H

#include <security/pam_modules.h>

#include "arguments.h"
#include "base/buf.h"
#include "base/err.h"
#include "record/login.h"
#include "record/sshkey.h"

struct who {
	struct login l; /* borrows from PAM and from here */
	char methods[SSHAUTH_METHODS + 1];
	char fingerprint[SSHKEY_FINGERPRINT_SIZE], ca[SSHKEY_FINGERPRINT_SIZE];
	char comment[EVENT_TEXT_MAX + 1], person[EVENT_TEXT_MAX + 1];
	uint8_t principals[LOGIN_PRINCIPALS_MAX];
	uint8_t key[SSHKEY_MAX]; /* as sshd has it, decoded */
};

/*
 * *ret is the caller's to free(), and valid as long as PAM's items stay as they
 * are.  A file that can't be read, and a key that can't be, is no reason to know
 * nothing: 1, and err says what was left out.  0: all is told.  -1: nothing is.
 */
int who_read(pam_handle_t *pamh, const struct arguments *a, struct who **ret,
    struct ops_err *err);

#endif
