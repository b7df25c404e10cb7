#include "setuphost.h"

#include <errno.h>
#include <shadow.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "installed.h"
#include "sshd.h"

#define STATE OPSEAL_SYSCONFDIR "/setup.state"
#define MAP OPSEAL_SYSCONFDIR "/shells"

const char *
setuphost_state_path(void)
{
	return STATE;
}

const char *
setuphost_map_path(void)
{
	return MAP;
}

/* Whoever may write there would choose everybody's shell. */
static int
check_folder(struct ops_err *err)
{
	struct stat st;

	if (stat(OPSEAL_SYSCONFDIR, &st) < 0)
		return ops_fail_errno(err, OPSEAL_SYSCONFDIR
		    " (make install, or the package, makes it)");
	if (st.st_uid != 0 || (st.st_mode & 022) != 0)
		return ops_fail(err, OPS_EUSAGE,
		    OPSEAL_SYSCONFDIR " is not root's alone (owner %u, mode "
				      "%04o); chown root: and chmod go-w it",
		    st.st_uid, st.st_mode & 07777);
	return 0;
}

int
setuphost_open(struct cli *cli, struct setuphost *ret, struct ops_err *err)
{
	struct setuphost h = { .cli = cli, .notes = { .max = 1u << 20 } };

	if (geteuid() != 0)
		return ops_fail(err, OPS_EPERM,
		    "only root may change how others log in; try sudo opseal "
		    "%s",
		    cli->cmd->name);
	if (check_folder(err) < 0 ||
	    hostfile_read(STATE, SETUPSTATE_MAX, &h.file, err) < 0)
		return -1;
	if (h.file.real != NULL &&
	    (h.file.uid != 0 || (h.file.mode & 022) != 0)) {
		hostfile_free(&h.file);
		return ops_fail(err, OPS_ETAMPER,
		    STATE
		    " is not root's alone: what it says can't be trusted");
	}
	if (h.file.real != NULL &&
	    setupstate_parse((const char *)h.file.bytes.data, h.file.bytes.len,
		&h.state, err) < 0) {
		hostfile_free(&h.file);
		return ops_context(err, OPSEAL_SYSCONFDIR);
	}
	*ret = h;
	return 0;
}

void
setuphost_close(struct setuphost *h)
{
	plan_free(&h->plan);
	setupstate_free(&h->state);
	hostfile_free(&h->file);
	ops_buf_free(&h->notes);
}

/* -- saying and asking -- */

void
setuphost_note(struct setuphost *h, const char *fmt, ...)
{
	char text[1200];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	ops_buf_puts(&h->notes, text);
	ops_buf_put8(&h->notes, '\n');
}

void
setuphost_print_notes(struct setuphost *h)
{
	const char *p = (const char *)h->notes.data;
	size_t n = h->notes.len;

	while (n > 0) {
		const char *end = memchr(p, '\n', n);
		size_t len = end != NULL ? (size_t)(end - p) : n;

		cli_note(h->cli, "%.*s", (int)len, p);
		len += end != NULL;
		p += len;
		n -= len;
	}
	ops_buf_reset(&h->notes);
}

static int
show(const struct setuphost *h, struct ops_err *err)
{
	struct ops_buf b = { .max = 64u << 20 };
	int rc;

	plan_show(&h->plan, &b);
	rc = ops_buf_check(&b, "the diff", err);
	if (rc == 0)
		cli_put(&b);
	ops_buf_free(&b);
	return rc;
}

static int
ask(const struct setuphost *h, struct ops_err *err)
{
	char line[16];
	size_t n = 0;
	ssize_t got;
	char c = 0;

	if (!isatty(STDIN_FILENO))
		return ops_fail(err, OPS_EUSAGE,
		    "there is no terminal to ask on; --yes makes the changes, "
		    "--dry-run only shows them");
	(void)fflush(stdout);
	(void)fprintf(stderr, "Change %zu file%s? [y/N] ", h->plan.n,
	    h->plan.n == 1 ? "" : "s");
	while ((got = read(STDIN_FILENO, &c, 1)) == 1 && c != '\n')
		if (n < sizeof(line) - 1)
			line[n++] = c;
	if (got != 1)
		(void)fputc('\n', stderr);
	line[n] = '\0';
	return got == 1 && (strcmp(line, "y") == 0 || strcmp(line, "Y") == 0 ||
			       strcmp(line, "yes") == 0);
}

/* -- undoing one file -- */

int
setuphost_without(const struct setupstate *s, const struct hostfile *f,
    struct ops_buf *out, bool *there, bool *left, struct ops_err *err)
{
	enum setup_undo undo;

	*there = f->real != NULL;
	*left = false;
	if (!*there)
		return 0;
	undo = setupstate_undo(s, f->path,
	    f->bytes.len > 0 ? (const char *)f->bytes.data : "", f->bytes.len,
	    out);
	*left = undo == UNDO_LEAVE;
	*there = undo != UNDO_REMOVE;
	if (undo != UNDO_CHANGE)
		ops_buf_reset(out);
	if (undo == UNDO_LEAVE || undo == UNDO_NOTHING)
		ops_buf_put(out, f->bytes.data, f->bytes.len);
	return ops_buf_check(out, f->path, err);
}

/* -- making the changes -- */

static int
write_state(struct setuphost *h, struct ops_err *err)
{
	struct ops_buf b = { .max = SETUPSTATE_MAX };
	int rc;

	setupstate_put(&h->state, &b);
	rc = ops_buf_check(&b, STATE, err);
	if (rc == 0)
		rc = hostfile_replace(&h->file, b.data, b.len, 0600, err);
	ops_buf_free(&b);
	return rc;
}

/* As it was before write_state(). */
static int
restore_state(const struct setuphost *h, struct ops_err *err)
{
	if (h->file.real == NULL)
		return hostfile_remove(&h->file, err);
	return hostfile_replace(
	    &h->file, h->file.bytes.data, h->file.bytes.len, 0600, err);
}

/* New files of a run that was killed before it could rename them. */
static void
clean(const struct setuphost *h)
{
	hostfile_clean(STATE);
	for (size_t i = 0; i < h->state.n_files; i++)
		hostfile_clean(h->state.files[i].path);
}

static int
apply(struct setuphost *h, enum setuphost_order order, struct ops_err *err)
{
	bool first = order == STATE_FIRST;
	struct ops_err why = { 0 };
	bool back;

	if (hostfile_unchanged(&h->file, err) < 0 ||
	    plan_unchanged(&h->plan, err) < 0)
		return -1;
	clean(h);
	if (first && write_state(h, err) < 0) {
		(void)restore_state(h, &why);
		return ops_context(err, "nothing was changed");
	}
	if (plan_apply(&h->plan, &back, err) < 0) {
		if (back && first && restore_state(h, &why) < 0)
			back = false;
		if (!back)
			return ops_context(err,
			    "not all could be taken back (opseal unsetup will, "
			    "when this is mended)");
		return ops_context(err, "nothing was changed");
	}
	if (order == STATE_LAST)
		return write_state(h, err) < 0
			   ? ops_context(err,
				 "all is changed, but not written down; run it "
				 "again")
			   : 0;
	return first ? 0 : hostfile_remove(&h->file, err);
}

static int
apply_locked(
    struct setuphost *h, enum setuphost_order order, struct ops_err *err)
{
	int rc;

	/* The lock of passwd(5)'s tools: none of them writes meanwhile. */
	if (lckpwdf() < 0)
		return ops_fail_errno(err,
		    "the user database can't be locked (/etc/.pwd.lock); does "
		    "another program change it now?");
	rc = apply(h, order, err);
	(void)ulckpwdf();
	return rc;
}

/* -- all of it -- */

void
setuphost_tell_by_hand(struct setuphost *h, bool passwd_too)
{
	for (size_t i = 0; i < h->state.n_files; i++) {
		const struct setup_file *f = &h->state.files[i];
		struct hostfile now = { 0 };
		struct ops_err err = { 0 };
		struct setup_hash is;

		if (!passwd_too && strcmp(f->path, SETUPSTATE_PASSWD) == 0)
			continue;
		if (hostfile_read(f->path, SETUPSTATE_MAX, &now, &err) < 0)
			continue; /* who reads it again says so */
		setup_hash_of(
		    now.real != NULL, now.bytes.data, now.bytes.len, &is);
		if (!setup_hash_is(&is, &f->after) &&
		    !setup_hash_is(&is, &f->before))
			setuphost_note(h, "%s was %s since; %s", f->path,
			    now.real != NULL ? "changed" : "removed",
			    now.real != NULL
				? "what others changed in it is kept"
				: "it stays so");
		hostfile_free(&now);
	}
}

int
setuphost_reload(struct ops_err *err)
{
	struct ops_buf what = { .max = 4096 };
	int rc = sshd_reload(&what, err);

	if (rc == 0)
		cli_put(&what);
	ops_buf_free(&what);
	return rc < 0 ? ops_context(err,
			    "it is set up, but sshd could not be told; reload "
			    "it by hand")
		      : 0;
}

int
setuphost_carry_out(struct setuphost *h, bool dry_run, bool yes,
    enum setuphost_order order, struct ops_err *err)
{
	int rc;

	if (show(h, err) < 0)
		return -1;
	setuphost_print_notes(h);
	if (dry_run)
		return 1;
	if (!yes && h->plan.n > 0) {
		rc = ask(h, err);
		if (rc < 0)
			return -1;
		if (rc == 0) {
			puts("Nothing was changed.");
			return 1;
		}
	}
	return apply_locked(h, order, err);
}
