/*
 * err - errors that explain themselves.
 *
 * A function that can fail returns 0 or -1 and takes a struct ops_err * as its
 * last argument.  The lowest layer says what went wrong, each caller that
 * knows more puts it in front:
 *
 *	verify: segment 00000042.seg: header: short read, 12 of 64 bytes
 *
 * Nothing here allocates, so an error can be reported when memory or disk
 * is what ran out.  Passing NULL for err is fine when only the outcome matters.
 */
#ifndef OPS_ERR_H
#define OPS_ERR_H

#define OPS_PRINTF(f, a) __attribute__((format(printf, f, a)))

enum ops_code {
	OPS_OK = 0,
	OPS_EIO,      /* the operating system said no; sys holds errno */
	OPS_ENOMEM,   /* out of memory */
	OPS_ETRUNC,   /* input ends early; more bytes may make it valid */
	OPS_EFORMAT,  /* input can never become valid */
	OPS_ETAMPER,  /* well-formed, but does not match its proof */
	OPS_ENEWER,   /* written by a newer opseal than this one */
	OPS_ENOENT,   /* the thing asked for is not there */
	OPS_EPERM,    /* the caller may not */
	OPS_EBUSY,    /* somebody else holds it */
	OPS_EUSAGE,   /* the request itself makes no sense */
	OPS_EUNAVAIL, /* a service does not answer */
};

struct ops_err {
	enum ops_code code;
	int sys;       /* errno where the failure happened, else 0 */
	char msg[240]; /* no newline; cut, never overrun */
};

/* Each of these returns -1, so "return ops_fail(...)" reads naturally. */
int ops_fail(struct ops_err *err, enum ops_code code, const char *fmt, ...)
    OPS_PRINTF(3, 4);

/* As ops_fail with OPS_EIO; adds ": " and the text of errno.  EACCES and EPERM
 * give OPS_EPERM, ENOENT gives OPS_ENOENT, ENOMEM gives OPS_ENOMEM. */
int ops_fail_errno(struct ops_err *err, const char *fmt, ...) OPS_PRINTF(2, 3);

/* Put "fmt: " in front of the message already in err. */
int ops_context(struct ops_err *err, const char *fmt, ...) OPS_PRINTF(2, 3);

#endif
