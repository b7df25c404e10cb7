/*
 * pam_opseal - tells opseald who logs in and out.
 *
 * It runs in sshd, login, su and whatever else: it keeps nothing, changes
 * nothing of the process or of the user's environment, and never is why a login
 * fails, unless `required` says so.
 */
#include <security/pam_ext.h>
#include <security/pam_modules.h>
#include <security/pam_modutil.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "arguments.h"
#include "connection.h"
#include "ipc/proto.h"
#include "record/login.h"
#include "record/record.h"
#include "tell.h"
#include "who.h"

#define VISIBLE __attribute__((visibility("default")))
#define TOLD "opseal_login" /* set: this login was recorded */

static void
read_arguments(
    pam_handle_t *pamh, int argc, const char **argv, struct arguments *ret)
{
	struct ops_err err = { 0 };

	if (arguments_read(argc, argv, ret, &err) < 0)
		pam_syslog(pamh, LOG_WARNING, "%s", err.msg);
}

/* record.sock is for root; who else asks PAM (a screen lock) is no login. */
static bool
may_tell(void)
{
	return geteuid() == 0;
}

/* -- session -- */

static int
tell_login(const struct arguments *a, const struct who *w, struct ops_err *err)
{
	struct ops_buf b = { .max = RECORD_PAYLOAD_MAX };
	int rc;

	login_put(&b, &w->l);
	rc = ops_buf_check(&b, "login", err);
	if (rc == 0)
		rc = tell(a, MSG_LOGIN, &b, err);
	ops_buf_free(&b);
	return rc;
}

VISIBLE int
pam_sm_open_session(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	static char told; /* its address is all that is kept */
	struct ops_err err = { 0 };
	struct arguments a;
	struct who *w = NULL;
	int rc;

	(void)flags;
	if (!may_tell())
		return PAM_SUCCESS;
	read_arguments(pamh, argc, argv, &a);
	rc = who_read(pamh, &a, &w, &err);
	if (rc != 0)
		pam_syslog(pamh, LOG_ERR, "%s", err.msg);
	err = (struct ops_err){ 0 };
	if (rc >= 0 && tell_login(&a, w, &err) < 0)
		pam_syslog(
		    pamh, LOG_ERR, "this login is not recorded: %s", err.msg);
	else if (rc >= 0)
		(void)pam_set_data(pamh, TOLD, &told, NULL);
	free(w);
	return PAM_SUCCESS;
}

static struct event_text
item(pam_handle_t *pamh, int which)
{
	const void *p = NULL;
	size_t n;

	if (pam_get_item(pamh, which, &p) != PAM_SUCCESS || p == NULL)
		return (struct event_text){ 0 };
	n = strlen(p);
	return (struct event_text){ n > 0 ? p : NULL, n };
}

VISIBLE int
pam_sm_close_session(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	struct ops_buf b = { .max = RECORD_PAYLOAD_MAX };
	struct logout l = { .user = item(pamh, PAM_USER),
		.service = item(pamh, PAM_SERVICE) };
	struct ops_err err = { 0 };
	struct arguments a;
	const void *told;

	(void)flags;
	if (!may_tell() || pam_get_data(pamh, TOLD, &told) != PAM_SUCCESS)
		return PAM_SUCCESS;
	read_arguments(pamh, argc, argv, &a);
	/* Who came over no network has a socket only by somebody's doing. */
	l.has_bytes = item(pamh, PAM_RHOST).p != NULL &&
		      connection_bytes(&l.bytes_in, &l.bytes_out);
	logout_put(&b, &l);
	if (ops_buf_check(&b, "logout", &err) < 0 ||
	    tell(&a, MSG_LOGOUT, &b, &err) < 0)
		pam_syslog(
		    pamh, LOG_ERR, "this logout is not recorded: %s", err.msg);
	ops_buf_free(&b);
	return PAM_SUCCESS;
}

/* -- account -- */

/* Root at the machine itself: not over the network, whatever is broken. */
static bool
is_root_here(pam_handle_t *pamh)
{
	const struct passwd *pw;
	const char *user = NULL;

	if (item(pamh, PAM_RHOST).p != NULL ||
	    pam_get_user(pamh, &user, NULL) != PAM_SUCCESS || user == NULL)
		return false;
	pw = pam_modutil_getpwnam(pamh, user);
	return pw != NULL && pw->pw_uid == 0;
}

VISIBLE int
pam_sm_acct_mgmt(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	struct ops_err err = { 0 };
	struct arguments a;

	read_arguments(pamh, argc, argv, &a);
	if (!a.required || !may_tell() || tell_ask(&a, &err) == 0)
		return PAM_SUCCESS;
	if (is_root_here(pamh)) {
		pam_syslog(pamh, LOG_WARNING,
		    "root may log in here, though it can't be recorded: %s",
		    err.msg);
		return PAM_SUCCESS;
	}
	pam_syslog(pamh, LOG_ERR,
	    "the login is refused, as it can't be recorded: %s", err.msg);
	if (((unsigned)flags & PAM_SILENT) == 0)
		(void)pam_error(pamh,
		    "opseal: this login can't be recorded now, and so is "
		    "refused.");
	return PAM_PERM_DENIED;
}
