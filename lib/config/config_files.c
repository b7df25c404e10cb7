#include "config_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/io.h"

#define SUFFIX ".conf"

/* Drop-ins of one folder: paths, by name. */
struct names {
	char *path[CONFIG_FILES_MAX];
	size_t n;
};

struct loading {
	struct config_set set;
	const struct conf_faults *faults;
	struct ops_err first; /* mistake */
};

static void
fault(struct loading *l, const struct ops_err *e)
{
	if (l->first.code == OPS_OK)
		l->first = *e;
	if (l->faults != NULL)
		l->faults->say(l->faults->arg, e->msg);
}

static const char *
base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(base_name(*(const char *const *)a),
	    base_name(*(const char *const *)b));
}

static bool
is_drop_in(const char *name)
{
	size_t n = strlen(name), m = strlen(SUFFIX);

	return name[0] != '.' && n > m && strcmp(name + n - m, SUFFIX) == 0;
}

static int
add_name(
    struct names *l, const char *dir, const char *name, struct ops_err *err)
{
	if (l->n == CONFIG_FILES_MAX)
		return ops_fail(err, OPS_EUSAGE, "%s: more than %d files", dir,
		    CONFIG_FILES_MAX);
	if (asprintf(&l->path[l->n], "%s/%s", dir, name) < 0) {
		l->path[l->n] = NULL;
		return ops_fail(err, OPS_ENOMEM, "configuration: no memory");
	}
	l->n++;
	return 0;
}

static void
free_names(struct names *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->path[i]);
	l->n = 0;
}

/* A folder that isn't there has none. */
static int
list(const char *dir, struct names *ret, struct ops_err *err)
{
	const struct dirent *d;
	DIR *folder = opendir(dir);
	int rc = 0;

	if (folder == NULL)
		return errno == ENOENT ? 0 : ops_fail_errno(err, "%s", dir);
	for (errno = 0; rc == 0 && (d = readdir(folder)) != NULL; errno = 0)
		if (is_drop_in(d->d_name))
			rc = add_name(ret, dir, d->d_name, err);
	if (rc == 0 && errno != 0)
		rc = ops_fail_errno(err, "%s", dir);
	(void)closedir(folder);
	qsort(ret->path, ret->n, sizeof(ret->path[0]), by_name);
	return rc;
}

static bool
is_dev_null(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISCHR(st.st_mode) &&
	       st.st_rdev == makedev(1, 3);
}

/* Remember the path; its number, 0 without memory. */
static unsigned
number_of(struct loading *l, const char *path, struct ops_err *err)
{
	struct config_set *s = &l->set;

	if (s->n_files == CONFIG_FILES_MAX) {
		ops_fail(err, OPS_EUSAGE, "%s: more than %d files", path,
		    CONFIG_FILES_MAX);
		return 0;
	}
	s->file[s->n_files] = strdup(path);
	if (s->file[s->n_files] == NULL) {
		ops_fail(err, OPS_ENOMEM, "configuration: no memory");
		return 0;
	}
	return (unsigned)++s->n_files;
}

static void
take_file(struct loading *l, const char *path, bool must_exist)
{
	struct ops_buf text = { .max = CONF_MAX };
	struct ops_err err = { 0 };
	struct conf_file f = { .name = path };
	const struct conf_key *keys;
	size_t n_keys;

	if (is_dev_null(path))
		return;
	if (ops_read_file(AT_FDCWD, path, OPS_IO_FOLLOW, &text, &err) < 0) {
		if (err.code != OPS_ENOENT || must_exist)
			fault(l, &err);
		goto out;
	}
	f.number = number_of(l, path, &err);
	if (f.number == 0) {
		fault(l, &err);
		goto out;
	}
	keys = config_keys(&n_keys);
	f.p = (const char *)text.data;
	f.n = text.len;
	/* Each mistake is said by conf_take() itself. */
	if (f.n > 0 &&
	    conf_take(&f, keys, n_keys, &l->set.config, l->set.place, l->faults,
		&err) < 0 &&
	    l->first.code == OPS_OK)
		l->first = err;
out:
	ops_buf_free(&text);
}

static bool
is_masked(const char *path, const struct names *by)
{
	for (size_t i = 0; i < by->n; i++)
		if (strcmp(base_name(path), base_name(by->path[i])) == 0)
			return true;
	return false;
}

static void
take_all(struct loading *l, const struct config_where *where,
    const struct names *vendor, const struct names *own)
{
	for (size_t i = 0; i < vendor->n; i++)
		if (!is_masked(vendor->path[i], own))
			take_file(l, vendor->path[i], true);
	take_file(l, where->main, where->must_exist);
	for (size_t i = 0; i < own->n; i++)
		take_file(l, own->path[i], true);
}

/* What no file says alone: the fault is named where it was completed. */
static void
check_together(struct loading *l)
{
	struct ops_buf place = { .max = PATH_MAX + 16 };
	struct ops_err err = { 0 };
	size_t key;

	if (config_check(&l->set.config, l->set.place, &key, &err) == 0)
		return;
	config_place_put(&place, &l->set, &l->set.place[key]);
	ops_buf_put8(&place, '\0');
	if (!place.failed)
		(void)ops_context(&err, "%s", (const char *)place.data);
	fault(l, &err);
	ops_buf_free(&place);
}

int
config_load(const struct config_where *where, struct config_set *ret,
    const struct conf_faults *faults, struct ops_err *err)
{
	struct loading *l = calloc(1, sizeof(*l));
	struct names *vendor = calloc(2, sizeof(*vendor));
	struct names *own = vendor != NULL ? vendor + 1 : NULL;
	struct ops_err e = { 0 };
	char dir[PATH_MAX];
	int n, rc = -1;

	if (l == NULL || vendor == NULL) {
		ops_fail(err, OPS_ENOMEM, "configuration: no memory");
		goto out;
	}
	l->faults = faults;
	config_init(&l->set.config);
	n = snprintf(dir, sizeof(dir), "%s.d", where->main);
	if (n < 0 || (size_t)n >= sizeof(dir)) {
		ops_fail(err, OPS_EUSAGE, "%.100s: too long", where->main);
		goto out;
	}
	if (list(dir, own, &e) < 0 ||
	    (where->vendor != NULL && list(where->vendor, vendor, &e) < 0))
		fault(l, &e);
	take_all(l, where, vendor, own);
	if (l->first.code == OPS_OK)
		check_together(l);
	if (l->first.code == OPS_OK) {
		*ret = l->set;
		l->set.n_files = 0;
		rc = 0;
	} else if (err != NULL) {
		*err = l->first;
	}
out:
	if (l != NULL)
		config_set_free(&l->set);
	if (vendor != NULL) {
		free_names(vendor);
		free_names(own);
	}
	free(vendor);
	free(l);
	return rc;
}

void
config_set_free(struct config_set *s)
{
	for (size_t i = 0; i < s->n_files; i++)
		free(s->file[i]);
	s->n_files = 0;
}

void
config_place_put(struct ops_buf *out, const struct config_set *s,
    const struct conf_place *place)
{
	if (place->file == 0 || place->file > s->n_files)
		ops_buf_puts(out, "default");
	else
		ops_buf_printf(
		    out, "%s:%u", s->file[place->file - 1], place->line);
}
