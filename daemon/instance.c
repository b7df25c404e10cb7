#include "instance.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "ipc/msg.h"

#define SOCKET_NAME_MAX 64
#define LOCK_NAME "lock"
#define LOCK_TRIES 16

/* Make it if it is missing, with its owner; by descriptor, so that nothing
 * put in its place meanwhile is given away. */
static int
make_dir(const char *path, mode_t mode, const struct drop_user *u,
    struct ops_err *err)
{
	int fd, rc = 0;

	if (mkdir(path, 0700) < 0)
		return errno == EEXIST ? 0
				       : ops_fail_errno(err, "make %s", path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return ops_fail_errno(err, "%s", path);
	if ((u->change && fchown(fd, u->uid, u->gid) < 0) ||
	    fchmod(fd, mode) < 0)
		rc = ops_fail_errno(err, "%s", path);
	close(fd);
	return rc;
}

static int
check_dir(const char *path, const struct drop_user *u, struct ops_err *err)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return ops_fail_errno(err, "%s", path);
	if (!S_ISDIR(st.st_mode))
		return ops_fail(err, OPS_EUSAGE, "%s: is no folder", path);
	if (st.st_uid != u->uid && u->uid != 0)
		return ops_fail(err, OPS_EPERM,
		    "%s: belongs to uid %u, but opseald runs as uid %u%s", path,
		    (unsigned)st.st_uid, (unsigned)u->uid,
		    u->change ? " (user " DROP_USER "); chown -R " DROP_USER
				": it, if it is opseal's"
			      : "; start opseald as that user, or name another "
				"folder");
	if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return ops_fail(err, OPS_EPERM,
		    "%s: others may write there (mode %o); chmod go-w it", path,
		    (unsigned)st.st_mode & 07777);
	return 0;
}

static int
prepare_dir(const char *what, const char *path, mode_t mode,
    const struct drop_user *u, char **ret, struct ops_err *err)
{
	char *full;

	if (make_dir(path, mode, u, err) < 0 || check_dir(path, u, err) < 0)
		return ops_context(err, "%s", what);
	full = realpath(path, NULL);
	if (full == NULL) {
		ops_fail_errno(err, "%s", path);
		return ops_context(err, "%s", what);
	}
	*ret = full;
	return 0;
}

static void
hidden_name(enum role_id id, char out[static SOCKET_NAME_MAX])
{
	(void)snprintf(out, SOCKET_NAME_MAX, ".%d.%d", (int)getpid(), (int)id);
}

/* A socket that we make, name and remove. */
static bool
is_own(const struct instance *in, int id)
{
	return role_table[id].socket != NULL && !in->passed[id];
}

static int
bind_socket(struct instance *in, enum role_id id, struct ops_err *err)
{
	char name[SOCKET_NAME_MAX], path[PATH_MAX];
	int n;

	hidden_name(id, name);
	n = snprintf(path, sizeof(path), "%s/%s", in->run, name);
	if (n < 0 || (size_t)n >= sizeof(path))
		return ops_fail(err, OPS_EUSAGE, "%s: too long", in->run);
	if (msg_listen(path, role_table[id].mode, &in->listener[id], err) < 0)
		return -1;
	if (!role_table[id].takes_fds)
		msg_without_fds(in->listener[id]);
	return 0;
}

static int
bind_sockets(struct instance *in, struct ops_err *err)
{
	int rc = 0;

	if (drop_act_as(&in->user, err) < 0)
		return -1;
	for (int id = 0; id < ROLES && rc == 0; id++)
		if (is_own(in, id))
			rc = bind_socket(in, (enum role_id)id, err);
	drop_act_back(&in->user);
	return rc;
}

/* Does somebody hold the lock of this file or folder? */
static bool
is_locked(const char *path, int flags)
{
	int fd = open(path, flags | O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	bool locked =
	    fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;

	if (fd >= 0)
		close(fd);
	return locked;
}

/*
 * A start that RUN's lock is going to refuse makes no store and no keys before.
 * Where the store is busy too, its writer's lock says so, as for any RUN.  This
 * is a look only: who comes in between is refused by the locks themselves.
 */
static int
look_at_locks(const char *store, const char *run, struct ops_err *err)
{
	char path[PATH_MAX];
	int n = snprintf(path, sizeof(path), "%s/" LOCK_NAME, run);

	if (n < 0 || (size_t)n >= sizeof(path))
		return ops_fail(err, OPS_EUSAGE, "run %.100s: too long", run);
	if (!is_locked(path, O_NOFOLLOW | O_NOCTTY) ||
	    is_locked(store, O_DIRECTORY))
		return 0;
	return ops_fail(
	    err, OPS_EBUSY, "run %s: another opseald is running there", run);
}

/* -- sockets of the service manager -- */

/* The role whose socket is NAME.sock, or -1. */
static int
role_of(const char *name)
{
	size_t n = strlen(name);

	for (int id = 0; id < ROLES; id++) {
		const char *file = role_table[id].socket;

		if (file != NULL && strncmp(file, name, n) == 0 &&
		    strcmp(file + n, ".sock") == 0)
			return id;
	}
	return -1;
}

static bool
has_option(int fd, int option, int want)
{
	int value = 0;
	socklen_t n = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, option, &value, &n) == 0 &&
	       value == want;
}

/* One that listens at RUN/NAME.sock, as the doors expect it. */
static int
check_passed(const struct instance *in, int id, int fd, struct ops_err *err)
{
	const char *file = role_table[id].socket;
	struct sockaddr_un sun = { .sun_family = AF_UNSPEC };
	socklen_t n = sizeof(sun) - 1;
	char path[PATH_MAX];
	int len = snprintf(path, sizeof(path), "%s/%s", in->run, file);

	if (!has_option(fd, SO_DOMAIN, AF_UNIX) ||
	    !has_option(fd, SO_TYPE, SOCK_SEQPACKET) ||
	    !has_option(fd, SO_ACCEPTCONN, 1))
		return ops_fail(err, OPS_EUSAGE,
		    "what was passed for %s is no sequential packet socket "
		    "that listens",
		    file);
	if (getsockname(fd, (struct sockaddr *)&sun, &n) < 0)
		return ops_fail_errno(err, "passed %s", file);
	if (len < 0 || (size_t)len >= sizeof(path) ||
	    strncmp(sun.sun_path, path, sizeof(sun.sun_path)) != 0)
		return ops_fail(err, OPS_EUSAGE,
		    "what was passed for %s is %.108s and not in %s", file,
		    sun.sun_path, in->run);
	return 0;
}

static int
take_passed(
    struct instance *in, const struct passed *passed, struct ops_err *err)
{
	for (size_t i = 0; i < passed->n; i++) {
		int fd = PASSED_FIRST + (int)i, id = role_of(passed->name[i]);

		if (id < 0 || in->passed[id])
			return ops_fail(err, OPS_EUSAGE,
			    "passed socket \"%s\": %s", passed->name[i],
			    id < 0 ? "it is none of session, record, control"
				   : "it is there twice");
		if (check_passed(in, id, fd, err) < 0)
			return -1;
		if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ||
		    fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
			return ops_fail_errno(
			    err, "passed socket %s", passed->name[i]);
		if (!role_table[id].takes_fds)
			msg_without_fds(fd);
		in->listener[id] = fd;
		in->passed[id] = true;
	}
	return 0;
}

int
instance_open(const char *store, const char *run, const struct drop_user *user,
    const struct passed *passed, struct instance *ret, struct ops_err *err)
{
	struct instance in = { .user = *user, .run_fd = -1, .lock_fd = -1 };

	for (int id = 0; id < ROLES; id++)
		in.listener[id] = -1;
	if (look_at_locks(store, run, err) < 0 ||
	    prepare_dir("store", store, 0700, user, &in.store, err) < 0 ||
	    prepare_dir("run", run, 0755, user, &in.run, err) < 0)
		goto fail;
	in.run_fd = open(in.run, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (in.run_fd < 0) {
		ops_fail_errno(err, "run %s", in.run);
		goto fail;
	}
	if (take_passed(&in, passed, err) < 0 || bind_sockets(&in, err) < 0)
		goto fail;
	*ret = in;
	return 0;
fail:
	instance_close(&in);
	return -1;
}

/* Is the file that was opened still the one of that name? */
static bool
is_lock(const struct instance *in, int fd)
{
	struct stat st, named;

	return fstat(fd, &st) == 0 &&
	       fstatat(in->run_fd, LOCK_NAME, &named, AT_SYMLINK_NOFOLLOW) ==
		   0 &&
	       st.st_dev == named.st_dev && st.st_ino == named.st_ino;
}

/* 1: locked.  0: who had it removed it meanwhile. */
static int
try_lock(struct instance *in, struct ops_err *err)
{
	int fd = openat(in->run_fd, LOCK_NAME,
	    O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return ops_fail_errno(err, "run %s: " LOCK_NAME, in->run);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno == EWOULDBLOCK)
			ops_fail(err, OPS_EBUSY,
			    "run %s: another opseald is running there",
			    in->run);
		else
			ops_fail_errno(err, "run %s: lock", in->run);
		close(fd);
		return -1;
	}
	if (!is_lock(in, fd)) {
		close(fd);
		return 0;
	}
	in->lock_fd = fd;
	return 1;
}

int
instance_lock(struct instance *in, struct ops_err *err)
{
	int rc = 0;

	if (drop_act_as(&in->user, err) < 0)
		return -1;
	for (int i = 0; i < LOCK_TRIES && rc == 0; i++)
		rc = try_lock(in, err);
	drop_act_back(&in->user);
	if (rc == 0)
		return ops_fail(err, OPS_EBUSY,
		    "run %s: another opseald comes and goes there", in->run);
	return rc < 0 ? -1 : 0;
}

/* Only a socket is replaced, never somebody's file. */
static int
show_socket(struct instance *in, enum role_id id, struct ops_err *err)
{
	const char *name = role_table[id].socket;
	char hidden[SOCKET_NAME_MAX];
	struct stat st;

	if (fstatat(in->run_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    !S_ISSOCK(st.st_mode))
		return ops_fail(err, OPS_EUSAGE,
		    "%s/%s: is there and is no socket", in->run, name);
	hidden_name(id, hidden);
	if (renameat(in->run_fd, hidden, in->run_fd, name) < 0)
		return ops_fail_errno(err, "%s/%s", in->run, name);
	return 0;
}

int
instance_show(struct instance *in, enum role_id id, struct ops_err *err)
{
	int rc;

	if (!is_own(in, (int)id) || in->shown[id])
		return 0;
	if (drop_act_as(&in->user, err) < 0)
		return -1;
	rc = show_socket(in, id, err);
	drop_act_back(&in->user);
	in->shown[id] = rc == 0;
	return rc;
}

static void
remove_files(struct instance *in)
{
	char hidden[SOCKET_NAME_MAX];

	if (in->run_fd < 0 || drop_act_as(&in->user, NULL) < 0)
		return;
	for (int id = 0; id < ROLES; id++) {
		if (!is_own(in, id))
			continue;
		hidden_name((enum role_id)id, hidden);
		(void)unlinkat(in->run_fd, hidden, 0);
		if (in->shown[id])
			(void)unlinkat(in->run_fd, role_table[id].socket, 0);
	}
	if (in->lock_fd >= 0)
		(void)unlinkat(in->run_fd, LOCK_NAME, 0);
	drop_act_back(&in->user);
}

void
instance_close(struct instance *in)
{
	remove_files(in);
	/* A connection that nobody took may hold a descriptor whose close()
	 * sleeps; not so at exit(), which closes the listeners. */
	if (in->lock_fd >= 0)
		close(in->lock_fd);
	if (in->run_fd >= 0)
		close(in->run_fd);
	free(in->store);
	free(in->run);
	*in = (struct instance){ .run_fd = -1, .lock_fd = -1 };
	for (int id = 0; id < ROLES; id++)
		in->listener[id] = -1;
}
