#include "shell.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/io.h"
#include "base/shellmap.h"
#include "installed.h"

#define MAP OPSEAL_SYSCONFDIR "/shells"
#define DOOR "opseal-door"
#define NO_SHELL "/bin/sh"

static const char *
last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == NULL ? path : slash + 1;
}

bool
shell_called(char **argv)
{
	/* Our own options are long ones, and come first; a login shell has none
	 * of ours, whatever it has. */
	return argv[0] == NULL || argv[0][0] == '-' || argv[1] == NULL ||
	       strncmp(argv[1], "--", 2) != 0;
}

/* -- the map -- */

/* Only what nobody but root can have written. */
static int
read_map(struct ops_buf *map, struct ops_err *err)
{
	struct stat st;
	int fd = open(
	    MAP, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	ssize_t n;
	int rc = -1;

	if (fd < 0)
		return ops_fail_errno(err, MAP);
	if (fstat(fd, &st) < 0)
		ops_fail_errno(err, MAP);
	else if (!S_ISREG(st.st_mode) || st.st_uid != 0 ||
		 (st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		ops_fail(err, OPS_EFORMAT, MAP ": not a file of root's alone");
	else if (st.st_size < 0 || st.st_size > SHELLMAP_MAX)
		ops_fail(err, OPS_EFORMAT, MAP ": over %d bytes", SHELLMAP_MAX);
	else if (st.st_size > 0 &&
		 ops_buf_reserve(map, (size_t)st.st_size) == NULL)
		ops_fail(err, OPS_ENOMEM, MAP ": no memory");
	else
		rc = 0;
	if (rc == 0) {
		n = ops_read_full(fd, map->data, (size_t)st.st_size, err);
		rc = n < 0 ? -1 : 0;
		map->len = n < 0 ? 0 : (size_t)n;
	}
	close(fd);
	return rc;
}

/* NULL: there is none, err says why. */
static const char *
from_map(struct ops_err *err)
{
	struct ops_buf map = { .max = SHELLMAP_MAX };
	struct shellmap_entry e;
	char *shell = NULL;

	if (read_map(&map, err) < 0)
		goto out;
	if (!shellmap_find((const char *)map.data, map.len, getuid(),
		getenv("LOGNAME"), &e)) {
		ops_fail(err, OPS_ENOENT, MAP ": no line for uid %u",
		    (unsigned)getuid());
		goto out;
	}
	shell = strndup(e.shell, e.shell_len);
	if (shell == NULL)
		ops_fail(err, OPS_ENOMEM, MAP ": no memory");
	/* It would start itself for ever. */
	if (shell != NULL && strcmp(last_part(shell), DOOR) == 0) {
		ops_fail(err, OPS_EFORMAT, MAP ":%u: that shell is the door",
		    e.line);
		free(shell);
		shell = NULL;
	}
out:
	ops_buf_free(&map);
	return shell;
}

const char *
shell_own(const struct door *d)
{
	const char *shell = d->as_shell ? NULL : getenv("SHELL");
	struct ops_err err = { 0 };

	if (shell != NULL && shell[0] != '\0' &&
	    strcmp(last_part(shell), DOOR) != 0)
		return shell;
	if (!d->as_shell && shell == NULL)
		return NO_SHELL; /* as everybody does */
	shell = from_map(&err);
	if (shell != NULL)
		return shell;
	door_say("opseal-door: %s; this is " NO_SHELL " (root mends it: opseal "
		 "setup)",
	    err.msg);
	return NO_SHELL;
}

/* -- what it is asked for -- */

/* args: of the shell, behind its name. */
static int
set_words(struct door *d, char **args, struct ops_err *err)
{
	const char *base = last_part(d->shell);
	size_t n = 0;

	while (args[n] != NULL)
		n++;
	d->args = calloc(n + 2, sizeof(*d->args));
	if (d->args == NULL ||
	    asprintf(&d->args[0], "%s%s", d->login ? "-" : "", base) < 0)
		return ops_fail(err, OPS_ENOMEM, "arguments: no memory");
	memcpy(d->args + 1, args, n * sizeof(*args));
	return 0;
}

/* The door's path at the begin of value: its length, else 0. */
static size_t
door_path(const char *value)
{
	size_t n = strcspn(value, " ");
	char path[SHELLMAP_SHELL_MAX + 1];

	if (value[0] != '/' || n >= sizeof(path))
		return 0;
	memcpy(path, value, n);
	path[n] = '\0';
	return strcmp(last_part(path), DOOR) == 0 ? n : 0;
}

/*
 * Where what started us said the account's shell, it is now the real one.  Each time
 * that it does: sudo -i gives SHELL twice where PAM adds to the environment, and bash
 * takes the last, while setenv(3) sets the first.
 */
static int
correct_environment(const char *shell, struct ops_err *err)
{
	static const char *const names[] = { "SHELL=", "SUDO_COMMAND=" };

	for (char **e = environ; *e != NULL; e++)
		for (size_t i = 0; i < OPS_ARRAY_LEN(names); i++) {
			size_t name = strlen(names[i]), n;

			if (strncmp(*e, names[i], name) != 0)
				continue;
			n = door_path(*e + name);
			if (n > 0 && asprintf(e, "%s%s%s", names[i], shell,
					 *e + name + n) < 0)
				return ops_fail(
				    err, OPS_ENOMEM, "environment: no memory");
		}
	return 0;
}

int
shell_words(struct door *d, char **argv, struct ops_err *err)
{
	d->login = argv[0] != NULL && argv[0][0] == '-';
	d->shell = shell_own(d);
	if (correct_environment(d->shell, err) < 0)
		return -1;
	return set_words(
	    d, argv[0] != NULL ? argv + 1 : (char *[]){ NULL }, err);
}

int
shell_forced(struct door *d, struct ops_err *err)
{
	static char dash_c[] = "-c";
	const char *sent = getenv("SSH_ORIGINAL_COMMAND");
	char *args[] = { dash_c, NULL, NULL };

	d->shell = shell_own(d);
	d->login = sent == NULL;
	if (sent == NULL) {
		args[0] = NULL;
	} else {
		args[1] = strdup(sent);
		if (args[1] == NULL)
			return ops_fail(err, OPS_ENOMEM, "command: no memory");
		(void)unsetenv("SSH_ORIGINAL_COMMAND");
	}
	return set_words(d, args, err);
}
