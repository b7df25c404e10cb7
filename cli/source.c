#include "source.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "index/lookup.h"
#include "remote.h"

struct source {
	struct remote *remote; /* or */
	struct vfs *dir;
	const char *name;
};

/* Is it no store itself, but holds some?  out: the name of the first. */
static bool
holds_stores(struct vfs *dir, char *out, size_t size)
{
	struct vfs_names names = { 0 };
	bool found = false;

	if (vfs_exists(dir, "log") || vfs_exists(dir, "data") ||
	    vfs_list(dir, "", &names, NULL) < 0)
		return false;
	for (size_t i = 0; i < names.n && !found; i++) {
		char path[PATH_MAX];
		int n = snprintf(path, sizeof(path), "%s/log", names.name[i]);

		found =
		    n > 0 && (size_t)n < sizeof(path) && vfs_exists(dir, path);
		if (found)
			snprintf(out, size, "%s", names.name[i]);
	}
	vfs_names_free(&names);
	return found;
}

static int
open_folder(struct source *s, const char *path, struct ops_err *err)
{
	char name[NAME_MAX + 1];

	s->name = path;
	if (vfs_dir_new(path, &s->dir, err) < 0)
		return ops_context(err, "store %s", path);
	if (holds_stores(s->dir, name, sizeof(name)))
		return ops_fail(err, OPS_EUSAGE,
		    "%.80s is no store, but a folder of stores; name one, such "
		    "as %.60s",
		    path, name);
	return 0;
}

/* No daemon: its store, if that may be read. */
static int
open_fallback(const struct cli *cli, struct source *s, struct ops_err *err)
{
	char why[sizeof(err->msg)];
	struct ops_err dir = { 0 };

	snprintf(why, sizeof(why), "%s", err->msg);
	if (cli->cmd->needs & NEED_DAEMON)
		return ops_fail(err, OPS_EUNAVAIL,
		    "no daemon answers in %.80s (is opseald running?)",
		    cli->run_dir);
	if (open_folder(s, cli->store_dir, &dir) == 0 &&
	    access(cli->store_dir, R_OK | X_OK) == 0) {
		cli_note(cli,
		    "no daemon answers in %.80s; reading %.80s itself",
		    cli->run_dir, cli->store_dir);
		return 0;
	}
	return ops_fail(err, dir.code == OPS_ENOENT ? OPS_EUNAVAIL : OPS_EPERM,
	    "no daemon answers in %.80s, and the store %.80s %s", cli->run_dir,
	    cli->store_dir,
	    dir.code == OPS_ENOENT ? "isn't there" : "may not be read");
}

int
source_open(const struct cli *cli, struct source **ret, struct ops_err *err)
{
	struct source *s = calloc(1, sizeof(*s));
	struct ops_err why = { 0 };
	int rc;

	if (s == NULL)
		return ops_fail(err, OPS_ENOMEM, "source: no memory");
	if (cli->direct) {
		rc = open_folder(s, cli->store_dir, &why);
	} else {
		s->name = cli->run_dir;
		rc =
		    remote_open(cli->run_dir, cli->cmd->name, &s->remote, &why);
		if (rc < 0 && why.code == OPS_EUNAVAIL)
			rc = open_fallback(cli, s, &why);
	}
	if (rc < 0) {
		if (err != NULL)
			*err = why;
		source_free(s);
		return -1;
	}
	*ret = s;
	return 0;
}

void
source_free(struct source *s)
{
	if (s == NULL)
		return;
	remote_free(s->remote);
	vfs_free(s->dir);
	free(s);
}

bool
source_is_daemon(const struct source *s)
{
	return s->remote != NULL;
}

bool
source_may_all(const struct source *s)
{
	return s->remote == NULL || remote_may_all(s->remote);
}

const char *
source_name(const struct source *s)
{
	return s->name;
}

static struct event_text
text_of(const char *s)
{
	return (
	    struct event_text){ (const uint8_t *)s, s != NULL ? strlen(s) : 0 };
}

static int
load_sessions(struct source *s, const struct session_filter *f, bool mine,
    struct session_list *ret, struct ops_err *err)
{
	struct session_filter own = *f;

	if (s->remote != NULL) {
		const struct proto_filter remote = {
			.user = text_of(f->user),
			.since = f->since,
			.until = f->until,
			.active = f->active,
			.command = text_of(f->command),
			.mine = mine,
			.commands = f->commands,
			.person = text_of(f->person),
			.note = text_of(f->note),
		};

		return remote_sessions(s->remote, &remote, ret, err);
	}
	if (mine) {
		own.has_uid = true;
		own.uid = (uint32_t)getuid();
	}
	return lookup_sessions(s->name, s->dir, &own, ret, err) < 0
		   ? ops_context(err, "store %s", s->name)
		   : 0;
}

int
source_programs(struct source *s, const struct program_filter *f,
    struct program_list *ret, struct ops_err *err)
{
	struct proto_programs remote = { .has_login = f->has_login,
		.has_euid = f->has_euid,
		.login = f->login,
		.euid = f->euid,
		.has_session = f->has_session,
		.since = f->since,
		.until = f->until,
		.failed = f->failed,
		.forks = f->forks,
		.seeded = f->seeded,
		.coverage = f->coverage,
		.source = f->source,
		.newest = f->newest };

	if (s->remote != NULL) {
		remote.name = text_of(f->name);
		remote.exe = text_of(f->exe);
		remote.tty = text_of(f->tty);
		remote.person = text_of(f->person);
		memcpy(remote.session, f->session, OPS_ID_LEN);
		return remote_programs(s->remote, &remote, ret, err);
	}
	return lookup_programs(s->name, s->dir, f, ret, NULL, NULL, err) < 0
		   ? ops_context(err, "store %s", s->name)
		   : 0;
}

static int
load_logins(struct source *s, const struct login_filter *f, bool mine,
    struct session_list *ret, struct ops_err *err)
{
	static const struct session_filter all;
	const struct proto_filter remote = { .user = text_of(f->user),
		.since = f->since,
		.until = f->until,
		.mine = mine,
		.person = text_of(f->person) };
	struct login_filter own = *f;

	if (s->remote != NULL)
		return remote_logins(s->remote, &remote, ret, err);
	own.has_uid = mine;
	own.uid = (uint32_t)getuid();
	if (lookup_sessions(s->name, s->dir, &all, ret, err) < 0)
		return ops_context(err, "store %s", s->name);
	logins_keep(&ret->logins, &own);
	return 0;
}

static void
tell_missing(struct cli *cli, const struct session_missing *m)
{
	if (m->frames > 0)
		cli_partial(cli,
		    "%" PRIu64 " of %" PRIu64 " frames of the events can't be "
		    "read (%s): sessions, or how they ended, may be missing "
		    "here; opseal verify says more",
		    m->frames, m->of, m->why);
}

int
source_sessions(struct cli *cli, const struct session_filter *f, bool mine,
    struct session_list *ret, struct ops_err *err)
{
	if (load_sessions(cli->source, f, mine, ret, err) < 0)
		return -1;
	tell_missing(cli, &ret->missing);
	return 0;
}

int
source_logins(struct cli *cli, const struct login_filter *f, bool mine,
    struct session_list *ret, struct ops_err *err)
{
	if (load_logins(cli->source, f, mine, ret, err) < 0)
		return -1;
	tell_missing(cli, &ret->missing);
	return 0;
}

static int
load_remarks(struct source *s, const uint8_t id[static OPS_ID_LEN],
    struct remark_list *ret, struct ops_err *err)
{
	struct store *store;
	int rc;

	if (s->remote != NULL)
		return remote_remarks(s->remote, id, ret, err);
	if (store_open(s->dir, 0, &store, err) < 0)
		return -1;
	rc = remark_list_load(store, id, ret, err);
	store_free(store);
	return rc;
}

int
source_remarks(struct cli *cli, const struct session *s,
    struct remark_list *ret, struct ops_err *err)
{
	struct remark_list l = { 0 };

	if ((s->asked || s->notes > 0) &&
	    load_remarks(cli->source, s->id, &l, err) < 0)
		return -1;
	if (l.missing > 0)
		cli_partial(cli,
		    "%" PRIu64
		    " frame%s of the events can't be read: notes may "
		    "be missing here; opseal verify says more",
		    l.missing, l.missing == 1 ? "" : "s");
	*ret = l;
	return 0;
}

static int
load_switches(struct source *s, struct switches *ret, struct ops_err *err)
{
	struct store *store;
	int rc;

	if (s->remote != NULL)
		return remote_switches(s->remote, ret, err);
	if (store_open(s->dir, 0, &store, err) < 0)
		return ops_context(err, "store %s", s->name);
	rc = switches_load(store, ret, err);
	store_free(store);
	return rc;
}

int
source_switches(
    struct cli *cli, bool told, struct switches *ret, struct ops_err *err)
{
	struct switches all = { 0 };

	if (load_switches(cli->source, &all, err) < 0)
		return -1;
	if (all.missing > 0 && !told)
		cli_partial(cli,
		    "%" PRIu64 " frame%s of the events can't be read: when "
		    "recording was switched off may be missing here; opseal "
		    "verify says more",
		    all.missing, all.missing == 1 ? "" : "s");
	*ret = all;
	return 0;
}

int
source_note(struct source *s, const uint8_t id[static OPS_ID_LEN],
    const char *text, size_t n, struct ops_err *err)
{
	if (s->remote == NULL)
		return ops_fail(err, OPS_EUNAVAIL, "no daemon is asked");
	return remote_note(s->remote, id, text, n, err);
}

int
source_vfs(
    struct source *s, bool everything, struct vfs **ret, struct ops_err *err)
{
	if (s->remote != NULL && everything &&
	    remote_read(s->remote, NULL, err) < 0)
		return -1;
	*ret = s->remote != NULL ? remote_vfs(s->remote) : s->dir;
	return 0;
}

int
source_visits(struct source *s, uint64_t since, uint64_t until,
    struct visits *ret, struct ops_err *err)
{
	if (s->remote == NULL)
		return ops_fail(err, OPS_EUNAVAIL, "no daemon is asked");
	return remote_visits(s->remote, since, until, ret, err);
}

int
source_status(struct source *s, struct ops_buf *answer,
    struct proto_status *ret, struct ops_err *err)
{
	if (s->remote == NULL)
		return ops_fail(err, OPS_EUNAVAIL, "no daemon is asked");
	return remote_status(s->remote, answer, ret, err);
}

int
source_ask(
    struct source *s, const uint8_t id[static OPS_ID_LEN], struct ops_err *err)
{
	return s->remote != NULL ? remote_read(s->remote, id, err) : 0;
}

int
source_read(struct source *s, const uint8_t id[static OPS_ID_LEN],
    struct ops_buf *tail, uint64_t *first, struct store **ret,
    struct ops_err *err)
{
	if (s->remote == NULL) {
		*first = 0;
		return store_open(s->dir, 0, ret, err);
	}
	if (remote_read(s->remote, id, err) < 0 ||
	    remote_tail(s->remote, id, tail, first, err) < 0)
		return -1;
	return store_open(remote_vfs(s->remote), STORE_NO_WAL, ret, err);
}
