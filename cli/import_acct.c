/*
 * import_acct - a file of the kernel's process accounting, acct(5), as a session
 * of programs that says it was imported.
 *
 * The file is read once into memory and checked whole, so that what is handed
 * over is what was hashed, also where the kernel goes on writing it.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/bytes.h"
#include "base/crypto.h"
#include "base/io.h"
#include "base/text.h"
#include "cli.h"
#include "import.h"
#include "importer.h"
#include "record/acct.h"
#include "record/import.h"

#define FILE_MAX (512u << 20)
#define SECOND UINT64_C(1000000000)

struct acct_file {
	struct cli *cli;
	const char *path;
	char full[PATH_MAX];
	struct ops_buf bytes;
	struct import info;
	uint64_t records;
};

static int
read_file(struct acct_file *f, struct ops_err *err)
{
	struct stat st;

	f->bytes.max = FILE_MAX;
	if (ops_read_file(AT_FDCWD, f->path, OPS_IO_FOLLOW, &f->bytes, err) <
	    0) {
		if (err != NULL && (err->sys == EACCES || err->sys == EPERM))
			err->code = OPS_EPERM;
		if (stat(f->path, &st) == 0 && st.st_size > FILE_MAX)
			return ops_fail(err, OPS_EFORMAT,
			    "%.100s: larger than %u MiB; split -b %uM makes "
			    "files that can be taken one after the other",
			    f->path, FILE_MAX >> 20, FILE_MAX >> 20);
		return -1;
	}
	if (f->bytes.len == 0)
		return ops_fail(err, OPS_EFORMAT, "%.100s is empty", f->path);
	if (stat(f->path, &st) == 0 && st.st_mtim.tv_sec > 0)
		f->info.mtime = (uint64_t)st.st_mtim.tv_sec * SECOND +
				(uint64_t)st.st_mtim.tv_nsec;
	return 0;
}

static uint64_t
end_of(const struct acct_record *r)
{
	return r->began * SECOND + r->etime;
}

/* All of it can be read; and when it begins and ends. */
static int
look_at(struct acct_file *f, struct ops_err *err)
{
	uint64_t first = UINT64_MAX, last = 0;
	struct acct_record r;

	for (size_t at = 0; at < f->bytes.len; at += ACCT_RECORD_LEN) {
		if (acct_decode(
			f->bytes.data + at, f->bytes.len - at, &r, err) < 0)
			return ops_context(err, "%.100s: record %" PRIu64,
			    f->path, f->records + 1);
		if (r.etime > UINT64_MAX - r.began * SECOND)
			return ops_fail(err, OPS_EFORMAT,
			    "%.100s: record %" PRIu64 ": it never ended",
			    f->path, f->records + 1);
		f->records++;
		if (r.began * SECOND < first)
			first = r.began * SECOND;
		if (end_of(&r) > last)
			last = end_of(&r);
	}
	f->info.has_start = true;
	f->info.start = first;
	f->info.duration = last - first;
	return 0;
}

static void
fill_info(struct acct_file *f)
{
	const char *path =
	    realpath(f->path, f->full) != NULL ? f->full : f->path;

	f->info.format = IMPORT_PACCT;
	f->info.file =
	    (struct event_text){ (const uint8_t *)path, strlen(path) };
	f->info.size = f->bytes.len;
	ops_sha256(f->bytes.data, f->bytes.len, f->info.sha256);
}

static int
put_open(struct acct_file *f, struct importer *im, struct ops_err *err)
{
	struct ops_buf b = { .max = EVENT_IMPORT_MAX };
	struct event_open o = { .kind = SESSION_COMMAND };
	int rc;

	import_put(&b, &f->info);
	rc = ops_buf_check(&b, "import", err);
	o.import = (struct event_text){ b.data, b.len };
	if (rc == 0)
		rc = importer_open(im, &o, err);
	ops_buf_free(&b);
	return rc;
}

static int
put_program(
    struct importer *im, const struct acct_record *r, struct ops_err *err)
{
	const struct program_accounted a = acct_accounted(r);

	return importer_program(im, &a, err);
}

static int
put_all(void *file, struct importer *im, struct ops_err *err)
{
	struct acct_file *f = file;
	const struct event_close e = { .state = CLOSE_CLOSED,
		.why = CLOSE_EXIT };
	struct acct_record r;

	if (put_open(f, im, err) < 0)
		return -1;
	for (size_t at = 0; at < f->bytes.len; at += ACCT_RECORD_LEN)
		if (acct_decode(
			f->bytes.data + at, f->bytes.len - at, &r, err) < 0 ||
		    put_program(im, &r, err) < 0)
			return -1;
	return importer_end(im, &e, err);
}

static void
say(const struct acct_file *f)
{
	cli_note(f->cli,
	    "imported %" PRIu64
	    " programs; that they ran, and when, is what the file says",
	    f->records);
}

int
import_acct(struct cli *cli, const struct import_opts *o, int argc, char **argv,
    struct ops_err *err)
{
	struct acct_file f = { .cli = cli, .path = argv[0] };
	int rc;

	(void)argc;
	rc = read_file(&f, err);
	if (rc == 0)
		rc = look_at(&f, err);
	if (rc == 0) {
		fill_info(&f);
		rc = import_hand_over(cli, o, &f.info, put_all, &f, err);
	}
	if (rc == 0)
		say(&f);
	ops_buf_free(&f.bytes);
	return rc;
}
