#include "check.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/io.h"
#include "config/config_files.h"

static char root[64];

static int
setup(void **state)
{
	char path[128];

	(void)state;
	(void)snprintf(root, sizeof(root), "/tmp/opseal-config.XXXXXX");
	if (mkdtemp(root) == NULL)
		return -1;
	(void)snprintf(path, sizeof(path), "%s/vendor", root);
	if (mkdir(path, 0700) < 0)
		return -1;
	(void)snprintf(path, sizeof(path), "%s/main.conf.d", root);
	return mkdir(path, 0700);
}

/* What is in it: known names only, so that nothing else is ever removed. */
static const char *const files[] = { "main.conf", "vendor/10.conf",
	"vendor/20.conf", "main.conf.d/10.conf", "main.conf.d/20.conf",
	"main.conf.d/30.conf", "main.conf.d/.x.conf", "main.conf.d/40.conf~",
	"main.conf.d/.conf" };

static void
empty(void)
{
	char path[128];

	for (size_t i = 0; i < OPS_ARRAY_LEN(files); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", root, files[i]);
		(void)unlink(path);
	}
}

static int
teardown(void **state)
{
	char path[128];

	(void)state;
	empty();
	(void)snprintf(path, sizeof(path), "%s/vendor", root);
	(void)rmdir(path);
	(void)snprintf(path, sizeof(path), "%s/main.conf.d", root);
	(void)rmdir(path);
	return rmdir(root);
}

/* "NAME|text", or "NAME>" for a link to /dev/null. */
static void
put(const char *row)
{
	size_t n = strcspn(row, "|>");
	char path[128];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%.*s", root, (int)n, row);
	if (row[n] == '>') {
		assert_int_equal(symlink("/dev/null", path), 0);
		return;
	}
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(
	    ops_write_full(fd, row + n + 1, strlen(row + n + 1), NULL), 0);
	close(fd);
}

/* Faults, one a line, without the folder's path. */
static void
say(void *arg, const char *text)
{
	size_t n = strlen(root);

	ops_buf_printf(
	    arg, "%s\n", strncmp(text, root, n) == 0 ? text + n : text);
}

static int
load(struct config_set *set, struct ops_buf *said, struct ops_err *err)
{
	char main_path[96], vendor[96];
	const struct config_where where = { main_path, false, vendor };
	const struct conf_faults faults = { say, said };

	(void)snprintf(main_path, sizeof(main_path), "%s/main.conf", root);
	(void)snprintf(vendor, sizeof(vendor), "%s/vendor", root);
	return config_load(&where, set, &faults, err);
}

/* hold_time and where it is from. */
static void
test_order(void **state)
{
	/* clang-format off */
	static const struct { const char *file[5]; const char *want; } rows[] = {
		{ { NULL },	"3s default" },
		{ { "vendor/10.conf|hold_time=1s" },	"1s /vendor/10.conf:1" },
		{ { "vendor/20.conf|hold_time=2s", "vendor/10.conf|\nhold_time=1s" },	"2s /vendor/20.conf:1" },
		{ { "main.conf|#\n\nhold_time=5s", "vendor/10.conf|hold_time=1s" },	"5s /main.conf:3" },
		{ { "main.conf.d/10.conf|hold_time=6s", "main.conf|hold_time=5s" },	"6s /main.conf.d/10.conf:1" },
		{ { "main.conf.d/30.conf|hold_time=7s", "main.conf.d/20.conf|hold_time=6s", "main.conf|hold_time=5s" }, "7s /main.conf.d/30.conf:1" },
		{ { "main.conf.d/10.conf|input=on", "vendor/10.conf|hold_time=1s" },	"3s default" },
		{ { "main.conf.d/10.conf>", "vendor/10.conf|hold_time=1s" },	"3s default" },
		{ { "main.conf.d/10.conf|", "vendor/10.conf|hold_time=1s" },	"3s default" },
		{ { "main.conf.d/20.conf>", "vendor/10.conf|hold_time=1s" },	"1s /vendor/10.conf:1" },
		{ { "main.conf>", "vendor/10.conf|hold_time=1s" },	"1s /vendor/10.conf:1" },
		{ { "main.conf.d/.x.conf|hold_time=6s", "main.conf.d/40.conf~|rubbish", "main.conf.d/.conf|rubbish" }, "3s default" },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(rows); i++) {
		struct ops_buf out = { .max = 4096 }, said = { .max = 4096 };
		struct config_set set = { 0 };
		struct ops_err err = { 0 };
		const char *got;

		for (size_t f = 0; f < 5 && rows[i].file[f] != NULL; f++)
			put(rows[i].file[f]);
		CHECK(load(&set, &said, &err) == 0, rows[i].want, err.msg);
		ops_buf_printf(&out, "%us ",
		    (unsigned)(set.config.hold_time / 1000000000));
		config_place_put(&out, &set, &set.place[0]);
		ops_buf_put8(&out, '\0');
		got = strstr((char *)out.data, root);
		if (got != NULL)
			memmove(out.data + 3, got + strlen(root),
			    strlen(got + strlen(root)) + 1);
		CHECK(strcmp((char *)out.data, rows[i].want) == 0, rows[i].want,
		    (char *)out.data);
		assert_int_equal(said.len, 0);
		config_set_free(&set);
		ops_buf_free(&out);
		ops_buf_free(&said);
		empty();
	}
}

static void
test_all_faults(void **state)
{
	struct ops_buf said = { .max = 4096 };
	struct config_set set = { .n_files = 0 };
	struct ops_err err = { 0 };

	(void)state;
	put("main.conf|hold_tme = 1s\ninput = on\nmask = perhaps\ninput = "
	    "off\n");
	put("main.conf.d/10.conf|hold_time = 2s\n");
	put("main.conf.d/20.conf|\nanchor_file = here\n");
	assert_int_equal(load(&set, &said, &err), -1);
	ops_buf_put8(&said, '\0');
	assert_string_equal((char *)said.data,
	    "/main.conf:1: unknown key \"hold_tme\", did you mean "
	    "\"hold_time\"?\n"
	    "/main.conf:3: mask: \"perhaps\" is neither yes nor no\n"
	    "/main.conf:4: input is set already on line 2\n"
	    "/main.conf.d/20.conf:2: anchor_file: here is no absolute path\n");
	assert_non_null(strstr(err.msg, "main.conf:1: "));
	assert_int_equal(set.n_files, 0);
	ops_buf_free(&said);
	empty();
}

/* Values that contradict: the one that was set last is at fault. */
static void
test_together(void **state)
{
	/* clang-format off */
	static const struct { const char *file[3]; const char *want; } rows[] = {
		{ { "main.conf|keep_events = 9d\n", "main.conf.d/10.conf|keep_screens = 8d\n" }, NULL },
		{ { "main.conf|keep_events = 9d\n" },	"/main.conf:1: keep_events is shorter" },
		{ { "main.conf|keep_screens = 8d\nkeep_events = 9d\n", "main.conf.d/10.conf|\nkeep_screens = 10d\n" },
		    "/main.conf.d/10.conf:2: keep_events is shorter" },
		{ { "vendor/10.conf|keep_events = 9d\nkeep_screens = 8d\n", "main.conf|keep_events = 7d\n" },
		    "/main.conf:1: keep_events is shorter" },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(rows); i++) {
		const char *want = rows[i].want != NULL ? rows[i].want : "";
		struct ops_buf said = { .max = 4096 };
		struct config_set set = { .n_files = 0 };
		struct ops_err err = { 0 };

		for (size_t f = 0; f < 3 && rows[i].file[f] != NULL; f++)
			put(rows[i].file[f]);
		CHECK(
		    load(&set, &said, &err) == (rows[i].want == NULL ? 0 : -1),
		    want, err.msg);
		ops_buf_put8(&said, '\0');
		CHECK(strncmp((char *)said.data, want, strlen(want)) == 0, want,
		    (char *)said.data);
		assert_int_equal(said.len > 1, rows[i].want != NULL);
		config_set_free(&set);
		ops_buf_free(&said);
		empty();
	}
}

static void
test_missing(void **state)
{
	const struct config_where where = { "/nonexistent/x.conf", true, NULL };
	struct config_set set = { 0 };
	struct ops_err err = { 0 };

	(void)state;
	assert_int_equal(config_load(&where, &set, NULL, &err), -1);
	assert_int_equal(err.code, OPS_ENOENT);
	assert_non_null(strstr(err.msg, "/nonexistent/x.conf"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_all_faults),
		cmocka_unit_test(test_together),
		cmocka_unit_test(test_missing),
	};

	return cmocka_run_group_tests_name(
	    "config_files", tests, setup, teardown);
}
