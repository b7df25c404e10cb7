#include "anchors.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/io.h"

#define CHUNK 65536
#define SIG_BYTES OPS_SIG_LEN

static int
add(struct anchors *as, const struct anchor *one, struct ops_err *err)
{
	struct anchor *grown;

	if (as->n == ANCHORS_MAX)
		return ops_fail(
		    err, OPS_EFORMAT, "over %d checkpoints", ANCHORS_MAX);
	/* Doubled at each power of two. */
	if ((as->n & (as->n - 1)) == 0) {
		grown = realloc(
		    as->v, (as->n > 0 ? 2 * as->n : 1) * sizeof(*grown));
		if (grown == NULL)
			return ops_fail(
			    err, OPS_ENOMEM, "checkpoints: no memory");
		as->v = grown;
	}
	as->v[as->n++] = *one;
	return 0;
}

/* The first word of a line, if it begins like a year: "2026-11-23T09:14:07". */
static void
take_time(const char *p, size_t n, char out[static 32])
{
	size_t len = 0;

	out[0] = '\0';
	while (len < n && p[len] != ' ' && p[len] != '\t')
		len++;
	if (len < 10 || len >= 32 || p[4] != '-' || p[7] != '-')
		return;
	for (size_t i = 0; i < len; i++)
		if (strchr("0123456789-:.,+TZ", p[i]) == NULL)
			return;
	memcpy(out, p, len);
	out[len] = '\0';
}

static int
parse_lines(const char *p, size_t n, struct anchors *ret, struct ops_err *err)
{
	while (n > 0) {
		const char *nl = memchr(p, '\n', n);
		size_t len = nl != NULL ? (size_t)(nl - p) : n;
		struct anchor one;
		int rc = checkpoint_anchor_parse(p, len, &one.a, NULL);

		if (rc < 0)
			ret->malformed++;
		if (rc > 0) {
			take_time(p, len, one.time);
			if (add(ret, &one, err) < 0)
				return -1;
		}
		if (nl == NULL)
			break;
		n -= len + 1;
		p = nl + 1;
	}
	return 0;
}

/* The signatures in the name of the log; those of witnesses are others'. */
static int
parse_note(const struct note *note, struct anchors *ret, struct ops_err *err)
{
	struct anchor one = { .time = "" };

	if (checkpoint_parse(note->text, note->text_len, &one.a.cp, NULL) < 0)
		return 0;
	for (size_t i = 0; i < note->sigs; i++) {
		const struct note_sig *s = &note->sig[i];

		if (s->sig_len != SIG_BYTES ||
		    s->name_len != strlen(one.a.cp.origin) ||
		    memcmp(s->name, one.a.cp.origin, s->name_len) != 0)
			continue;
		memcpy(one.a.key_id, s->id, sizeof(one.a.key_id));
		memcpy(one.a.sig, s->sig, SIG_BYTES);
		if (add(ret, &one, err) < 0)
			return -1;
	}
	return 0;
}

int
anchors_parse(const char *p, size_t n, struct anchors *ret, struct ops_err *err)
{
	struct note note;
	int rc;

	if (n <= NOTE_MAX && note_parse(p, n, &note, NULL) == 0) {
		rc = parse_note(&note, ret, err);
		note_free(&note);
		return rc;
	}
	return parse_lines(p, n, ret, err);
}

/* -- where they come from -- */

static int
read_all(int fd, struct ops_buf *out, struct ops_err *err)
{
	for (;;) {
		uint8_t *p = ops_buf_reserve(out, CHUNK);
		ssize_t n;

		if (p == NULL)
			return ops_fail(err, OPS_EFORMAT, "over %u bytes",
			    ANCHORS_FILE_MAX);
		n = read(fd, p, CHUNK);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return ops_fail_errno(err, "read");
		if (n == 0)
			return 0;
		out->len += (size_t)n;
	}
}

static void
run_journalctl(int out)
{
	if (dup2(out, STDOUT_FILENO) < 0)
		_exit(127);
	execlp("journalctl", "journalctl", "-q", "--no-pager", "-t", "opseal",
	    "-o", "short-iso", (char *)NULL);
	_exit(127);
}

static int
read_journal(struct ops_buf *out, struct ops_err *err)
{
	int fd[2], status, rc;
	pid_t pid;

	if (pipe2(fd, O_CLOEXEC) < 0)
		return ops_fail_errno(err, "pipe");
	pid = fork();
	if (pid == 0)
		run_journalctl(fd[1]);
	close(fd[1]);
	if (pid < 0) {
		close(fd[0]);
		return ops_fail_errno(err, "fork");
	}
	rc = read_all(fd[0], out, err);
	close(fd[0]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	if (rc == 0 && (!WIFEXITED(status) || WEXITSTATUS(status) == 127))
		return ops_fail(err, OPS_ENOENT, "journalctl could not be run");
	if (rc == 0 && WEXITSTATUS(status) != 0)
		return ops_fail(err, OPS_EIO, "journalctl ended with status %d",
		    WEXITSTATUS(status));
	return rc;
}

int
anchors_load(const char *from, struct anchors *ret, struct ops_err *err)
{
	struct ops_buf text = { .max = ANCHORS_FILE_MAX };
	struct anchors found = { 0 };
	int fd, rc;

	if (strcmp(from, "journal") == 0) {
		rc = read_journal(&text, err);
	} else {
		fd = open(from, O_RDONLY | O_CLOEXEC | O_NOCTTY);
		rc = fd < 0 ? ops_fail_errno(err, "open")
			    : read_all(fd, &text, err);
		if (fd >= 0)
			close(fd);
	}
	if (rc == 0)
		rc = anchors_parse(
		    (const char *)text.data, text.len, &found, err);
	ops_buf_free(&text);
	if (rc < 0) {
		anchors_free(&found);
		return ops_context(err, "%.100s", from);
	}
	*ret = found;
	return 0;
}

void
anchors_free(struct anchors *a)
{
	free(a->v);
	*a = (struct anchors){ 0 };
}
