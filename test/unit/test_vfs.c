/* Covers: vfs, vfs_dir */
#include "check.h"

#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/vfs.h"

static char root[64];
static struct vfs *v;

static int
remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static int
setup(void **state)
{
	(void)state;
	strncpy(root, "/tmp/opseal-vfs-XXXXXX", sizeof(root) - 1);
	if (mkdtemp(root) == NULL)
		return -1;
	return vfs_dir_new(root, &v, NULL);
}

static int
teardown(void **state)
{
	(void)state;
	vfs_free(v);
	return nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void
put(const char *path, const char *text)
{
	struct ops_err err = { 0 };

	CHECK(vfs_replace_file(v, path, text, strlen(text), &err) == 0, path,
	    err.msg);
}

/* The text of a file as a NUL-terminated string, or the error's name. */
static const char *
get(const char *path, size_t limit)
{
	static char text[256];
	struct ops_err err = { 0 };
	struct ops_buf b = { 0 };

	if (vfs_read_file(v, path, limit, &b, &err) < 0) {
		assert_int_equal(b.len, 0);
		ops_buf_free(&b);
		return err.code == OPS_ENOENT    ? "ENOENT"
		       : err.code == OPS_EFORMAT ? "EFORMAT"
						 : "other";
	}
	snprintf(text, sizeof(text), "%.*s", (int)b.len, (char *)b.data);
	ops_buf_free(&b);
	return text;
}

static void
test_read_and_replace(void **state)
{
	(void)state;
	assert_string_equal(get("a", 10), "ENOENT");
	put("a", "12345");
	assert_string_equal(get("a", 5), "12345");
	assert_string_equal(get("a", 4), "EFORMAT");
	put("a", "12");
	assert_string_equal(get("a", 2), "12");
	put("a", "");
	assert_string_equal(get("a", 0), "");
	assert_false(vfs_exists(v, "a.tmp"));
	/* a left-over of a crash is no obstacle, and is cut to size */
	put("b.tmp", "left over from before");
	put("b", "new");
	assert_string_equal(get("b", 100), "new");
	assert_false(vfs_exists(v, "b.tmp"));
}

static void
test_file_calls(void **state)
{
	struct ops_err err = { 0 };
	struct vfs_file *f, *g;
	char buf[16] = { 0 };
	uint64_t n;

	(void)state;
	assert_int_equal(vfs_open(v, "f", VFS_WRITE, &f, &err), -1);
	assert_int_equal(err.code, OPS_ENOENT);
	assert_int_equal(
	    vfs_open(v, "f", VFS_WRITE | VFS_CREATE | VFS_EXCL, &f, &err), 0);
	assert_int_equal(
	    vfs_open(v, "f", VFS_WRITE | VFS_CREATE | VFS_EXCL, &g, &err), -1);
	assert_int_equal(vfs_pwrite(f, "hello", 5, 3, &err), 0);
	assert_int_equal(vfs_size(f, &n, &err), 0);
	assert_int_equal(n, 8);
	assert_int_equal(vfs_pread(f, buf, sizeof(buf), 3, &err), 5);
	assert_string_equal(buf, "hello");
	assert_int_equal(vfs_pread(f, buf, 1, 8, &err), 0);
	assert_int_equal(vfs_pread(f, buf, 1, UINT64_MAX, &err), -1);
	assert_int_equal(vfs_pwrite(f, buf, 1, UINT64_MAX, &err), -1);
	assert_int_equal(vfs_sync(f, &err), 0);
	assert_int_equal(vfs_truncate(f, 4, &err), 0);
	assert_int_equal(vfs_truncate(f, UINT64_MAX, &err), -1);
	assert_int_equal(vfs_size(f, &n, &err), 0);
	assert_int_equal(n, 4);
	/* opened for reading it can't be written */
	assert_int_equal(vfs_open(v, "f", VFS_READ, &g, &err), 0);
	assert_int_equal(vfs_pwrite(g, "x", 1, 0, &err), -1);
	vfs_close(g);
	vfs_close(f);
	vfs_close(NULL);
	assert_int_equal(vfs_space(v, &n, &err), 0);
	assert_true(n > 0);
}

static void
test_folders(void **state)
{
	struct ops_err err = { 0 };
	struct vfs_names names = { 0 };

	(void)state;
	assert_int_equal(vfs_make_path(v, "x/y/z", &err), 0);
	assert_int_equal(vfs_make_path(v, "x/y/z", &err), 0);
	assert_int_equal(vfs_mkdir(v, "x", &err), 0);
	put("x/b", "1");
	put("x/a", "2");
	put("x/B", "3");
	assert_int_equal(vfs_make_path(v, "x/a/c", &err), -1);
	assert_int_equal(vfs_list(v, "x", &names, &err), 0);
	assert_int_equal(names.n, 4);
	assert_string_equal(names.name[0], "B");
	assert_string_equal(names.name[1], "a");
	assert_string_equal(names.name[2], "b");
	assert_string_equal(names.name[3], "y");
	vfs_names_free(&names);
	assert_int_equal(vfs_list(v, "", &names, &err), 0);
	assert_int_equal(names.n, 1);
	vfs_names_free(&names);
	assert_int_equal(vfs_list(v, "none", &names, &err), -1);
	assert_int_equal(err.code, OPS_ENOENT);
	assert_int_equal(vfs_list(v, "x/a", &names, &err), -1);

	assert_true(vfs_exists(v, "x"));
	assert_true(vfs_exists(v, "x/a"));
	assert_false(vfs_exists(v, "x/a/b"));
	assert_false(vfs_exists(v, "x/none"));
	assert_int_equal(vfs_rmdir(v, "x/y", &err), -1);
	assert_int_equal(vfs_rmdir(v, "x/y/z", &err), 0);
	assert_int_equal(vfs_rename(v, "x/a", "x/y/moved", &err), 0);
	assert_string_equal(get("x/y/moved", 9), "2");
	assert_int_equal(vfs_rename(v, "x/a", "x/q", &err), -1);
	assert_int_equal(err.code, OPS_ENOENT);
	assert_int_equal(vfs_unlink(v, "x/y/moved", &err), 0);
	assert_int_equal(vfs_unlink(v, "x/y/moved", &err), -1);
	assert_int_equal(vfs_unlink(v, "x/y", &err), -1);
	assert_int_equal(vfs_sync_dir(v, "x/y", &err), 0);
	assert_int_equal(vfs_sync_dir(v, "", &err), 0);
}

/* Nothing outside is reached, nothing that could block is opened. */
static void
test_bad_paths(void **state)
{
	static const char *const bad[] = { "", "/", "/etc", "..", "../x",
		"a/../b", "./a", "a/.", "a//b", "a/", ".", "link",
		"linkdir/hostname", "fifo", "dir" };
	char path[128];

	(void)state;
	snprintf(path, sizeof(path), "%s/link", root);
	assert_int_equal(symlink("/etc/hostname", path), 0);
	snprintf(path, sizeof(path), "%s/linkdir", root);
	assert_int_equal(symlink("/etc", path), 0);
	snprintf(path, sizeof(path), "%s/fifo", root);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(vfs_mkdir(v, "dir", NULL), 0);
	assert_int_equal(vfs_mkdir(v, "a", NULL), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct ops_err err = { 0 };
		struct vfs_names names;
		struct vfs_file *f;

		CHECK(vfs_open(v, bad[i], VFS_READ, &f, &err) == -1, bad[i],
		    "opened");
		CHECK(
		    vfs_open(v, bad[i], VFS_WRITE | VFS_CREATE, &f, &err) == -1,
		    bad[i], "made");
		if (strcmp(bad[i], "dir") != 0 && *bad[i] != '\0')
			CHECK(vfs_list(v, bad[i], &names, &err) == -1, bad[i],
			    "listed");
	}
	assert_int_equal(
	    vfs_list(v, "linkdir", &(struct vfs_names){ 0 }, NULL), -1);
	assert_int_equal(vfs_mkdir(v, "linkdir", NULL), -1);
}

static void
test_lock(void **state)
{
	struct ops_err err = { 0 };
	struct vfs *other;

	(void)state;
	assert_int_equal(vfs_dir_new(root, &other, &err), 0);
	assert_int_equal(vfs_lock(v, &err), 0);
	assert_int_equal(vfs_lock(v, &err), -1);
	assert_int_equal(vfs_lock(other, &err), -1);
	assert_int_equal(err.code, OPS_EBUSY);
	vfs_free(v);
	assert_int_equal(vfs_lock(other, &err), 0);
	v = other;
	assert_int_equal(vfs_dir_new("/none/such", &other, &err), -1);
	assert_int_equal(err.code, OPS_ENOENT);
	vfs_free(NULL);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_read_and_replace),
		T(test_file_calls),
		T(test_folders),
		T(test_bad_paths),
		T(test_lock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
