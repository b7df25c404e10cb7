#include "who.h"

#include <pwd.h>
#include <security/pam_ext.h>
#include <security/pam_modutil.h>
#include <stdlib.h>
#include <string.h>

#include "keyfile.h"
#include "record/people.h"

static struct event_text
text_of(const char *s)
{
	size_t n = s != NULL ? strlen(s) : 0;

	return (struct event_text){ n > 0 ? (const uint8_t *)s : NULL, n };
}

static struct event_text
item(pam_handle_t *pamh, int which)
{
	const void *p = NULL;

	if (pam_get_item(pamh, which, &p) != PAM_SUCCESS)
		return (struct event_text){ 0 };
	return text_of(p);
}

/* -- the key -- */

/* As many as there is room for. */
static void
put_principals(struct who *w, const struct sshkey *k)
{
	struct event_text one;
	size_t n = 0;

	for (size_t i = 0; sshkey_principal(k, i, &one); i++) {
		size_t between = i > 0;

		if (between + one.n > sizeof(w->principals) - n)
			break;
		if (between)
			w->principals[n++] = '\0';
		if (one.n > 0)
			memcpy(w->principals + n, one.p, one.n);
		n += one.n;
	}
	w->l.principals =
	    (struct event_text){ n > 0 ? w->principals : NULL, n };
}

static int
read_key(struct who *w, const struct sshauth *a, struct sshkey *k,
    struct ops_err *err)
{
	ssize_t n = ops_unbase64(
	    (const char *)a->key.p, a->key.n, w->key, sizeof(w->key));

	w->l.type = a->type;
	if (n < 0)
		return ops_fail(err, OPS_EFORMAT, "key: not base64");
	if (sshkey_parse(w->key, (size_t)n, k, err) < 0)
		return -1;
	sshkey_fingerprint(k, w->key, (size_t)n, w->fingerprint);
	w->l.key = text_of(w->fingerprint);
	if (!k->is_cert)
		return 0;
	w->l.cert_id = k->id;
	w->l.serial = k->serial;
	sshkey_hash(k->ca.p, k->ca.n, w->ca);
	w->l.ca = text_of(w->ca);
	put_principals(w, k);
	return 0;
}

/* -- whose it is -- */

static int
ask_people(struct who *w, const char *path, const struct sshkey *k,
    struct ops_err *err)
{
	const struct people_key who = { w->fingerprint, k, w->ca };
	struct ops_buf b = { .max = PEOPLE_MAX + 1 };
	struct ops_err why = { 0 };
	int rc = keyfile_read_own(path, &b, &why);

	if (rc == 0)
		rc = people_find(
		    path, (const char *)b.data, b.len, &who, w->person, &why);
	ops_buf_free(&b);
	if (rc == 0 || why.code == OPS_ENOENT) /* nobody has written one */
		return 0;
	if (err != NULL)
		*err = why;
	return -1;
}

static void
set_person(struct who *w)
{
	const char *name = w->person;

	w->l.how = LOGIN_MAP;
	if (name[0] == '\0') {
		name = w->comment;
		w->l.how = LOGIN_COMMENT;
	}
	if (name[0] == '\0') {
		name = w->fingerprint;
		w->l.how = LOGIN_FINGERPRINT;
	}
	w->l.person = text_of(name);
}

static int
read_auth(struct who *w, const char *info, const struct arguments *args,
    const struct passwd *pw, struct ops_err *err)
{
	struct sshauth auth;
	struct sshkey k;
	int rc;

	if (info == NULL)
		return 0;
	if (sshauth_parse(info, strlen(info), &auth, err) < 0)
		return -1;
	memcpy(w->methods, auth.methods, sizeof(w->methods));
	w->l.method = text_of(w->methods);
	if (auth.key.p == NULL)
		return 0;
	if (read_key(w, &auth, &k, err) < 0)
		return -1;
	rc = ask_people(w, args->people, &k, err);
	/* Of a certificate no line of that file is. */
	if (!k.is_cert && pw != NULL)
		keyfile_comment(pw, auth.key, w->comment);
	w->l.comment = text_of(w->comment);
	set_person(w);
	return rc;
}

int
who_read(pam_handle_t *pamh, const struct arguments *a, struct who **ret,
    struct ops_err *err)
{
	struct who *w = calloc(1, sizeof(*w));
	const struct passwd *pw = NULL;
	const char *user = NULL;
	int rc;

	if (w == NULL)
		return ops_fail(err, OPS_ENOMEM, "login: no memory");
	if (pam_get_user(pamh, &user, NULL) == PAM_SUCCESS && user != NULL)
		pw = pam_modutil_getpwnam(pamh, user);
	w->l.uid = pw != NULL ? pw->pw_uid : EVENT_UNSET;
	w->l.user = text_of(user);
	w->l.service = item(pamh, PAM_SERVICE);
	w->l.from = item(pamh, PAM_RHOST);
	w->l.tty = item(pamh, PAM_TTY);
	rc = read_auth(w, pam_getenv(pamh, "SSH_AUTH_INFO_0"), a, pw, err);
	*ret = w;
	return rc < 0 ? 1 : 0;
}
