#include "shell.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/io.h"
#include "base/shellmap.h"
#include "installed.h"
#include "rootfile.h"

#define MAP OPSEAL_SYSCONFDIR "/shells"
#define NO_SHELL "/bin/sh"
/* A map that is being written is whole again in less. */
#define MAP_TRIES 3
#define MAP_PAUSE_MS 100

/* Us, under whatever name. */
static const char *const doors[] = { OPSEAL_LIBEXECDIR "/opseal-shell",
	OPSEAL_LIBEXECDIR "/opseal-door" };

/* Who logged in; false: the kernel knows of nobody. */
static bool
login_uid(uint32_t *ret)
{
	struct ops_buf b = { .max = 32 };
	unsigned long uid = UINT32_MAX;

	if (ops_read_file(AT_FDCWD, "/proc/self/loginuid", 0, &b, NULL) == 0 &&
	    b.len > 0) {
		ops_buf_put8(&b, 0);
		if (!b.failed)
			uid = strtoul((const char *)b.data, NULL, 10);
	}
	ops_buf_free(&b);
	*ret = (uint32_t)uid;
	return uid < UINT32_MAX;
}

static const char *
last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == NULL ? path : slash + 1;
}

static bool
is_door(const char *path)
{
	struct stat a, b;

	for (size_t i = 0; i < OPS_ARRAY_LEN(doors); i++)
		if (strcmp(path, doors[i]) == 0 ||
		    (stat(path, &a) == 0 && stat(doors[i], &b) == 0 &&
			a.st_dev == b.st_dev && a.st_ino == b.st_ino))
			return true;
	return false;
}

/* -- the map -- */

/* The uid's own line; behind sudo, which names its caller's shell, the caller's. */
static bool
find_line(const struct ops_buf *map, struct shellmap_entry *ret)
{
	const char *p = (const char *)map->data;
	struct shellmap_entry own;
	uint32_t login;

	if (!shellmap_find(p, map->len, getuid(), getenv("LOGNAME"), ret))
		*ret = (struct shellmap_entry){ 0 };
	if (ret->line != 0 && !ret->any)
		return true;
	if (login_uid(&login) && login != getuid() &&
	    shellmap_find(p, map->len, login, NULL, &own) && !own.any)
		*ret = own;
	return ret->line != 0;
}

/* NULL: there is none, err says why. */
static const char *
look_once(struct ops_err *err)
{
	struct ops_buf map = { .max = SHELLMAP_MAX };
	struct shellmap_entry e;
	char *shell = NULL;

	if (rootfile_read(MAP, &map, err) < 0)
		goto out;
	if (!find_line(&map, &e)) {
		ops_fail(err, OPS_ENOENT, MAP ": no line for uid %u",
		    (unsigned)getuid());
		goto out;
	}
	shell = strndup(e.shell, e.shell_len);
	if (shell == NULL)
		ops_fail(err, OPS_ENOMEM, MAP ": no memory");
	/* It would start itself for ever. */
	if (shell != NULL && is_door(shell)) {
		ops_fail(err, OPS_EFORMAT, MAP ":%u: that shell is the door",
		    e.line);
		free(shell);
		shell = NULL;
	}
out:
	ops_buf_free(&map);
	return shell;
}

static const char *
from_map(struct ops_err *err)
{
	const struct timespec pause = { 0, MAP_PAUSE_MS * 1000000L };
	const char *shell = look_once(err);

	for (int i = 1; shell == NULL && i < MAP_TRIES; i++) {
		(void)nanosleep(&pause, NULL);
		shell = look_once(err);
	}
	return shell;
}

const char *
shell_own(const struct door *d)
{
	const char *shell = d->as_shell ? NULL : getenv("SHELL");
	struct ops_err err = { 0 };

	if (shell != NULL && shell[0] != '\0' && !is_door(shell))
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
set_words(struct door *d, const char *name, char **args, struct ops_err *err)
{
	size_t n = 0;

	while (args[n] != NULL)
		n++;
	d->args = calloc(n + 2, sizeof(*d->args));
	if (d->args == NULL ||
	    asprintf(&d->args[0], "%s%s", d->login ? "-" : "", name) < 0)
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
	return is_door(path) ? n : 0;
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
	bool named = argv[0] != NULL;

	d->login = named && argv[0][0] == '-';
	d->shell = shell_own(d);
	if (correct_environment(d->shell, err) < 0)
		return -1;
	/* By its path, as sudo -s says it. */
	return set_words(d,
	    named && argv[0][0] == '/' ? d->shell : last_part(d->shell),
	    named ? argv + 1 : (char *[]){ NULL }, err);
}

int
shell_forced(struct door *d, struct ops_err *err)
{
	static char dash_c[] = "-c";
	char *sent = getenv("SSH_ORIGINAL_COMMAND");
	char *args[] = { dash_c, sent, NULL };

	d->shell = shell_own(d);
	d->login = sent == NULL;
	/* Its bytes stay where the kernel put them. */
	if (sent == NULL)
		args[0] = NULL;
	else
		(void)unsetenv("SSH_ORIGINAL_COMMAND");
	return set_words(d, last_part(d->shell), args, err);
}
