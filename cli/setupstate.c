#include "setupstate.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/text.h"
#include "passwd.h"
#include "textline.h"

#define HEAD "opseal setup 1"
#define WHO "setup.state"

struct span {
	const char *p;
	size_t n;
};

/* -- building -- */

static const char *
keep(struct setupstate *s, const char *p, size_t n)
{
	char *copy = (char *)malloc(n + 1);
	const uint8_t *kept;

	if (copy == NULL)
		return NULL;
	if (n > 0)
		memcpy(copy, p, n);
	copy[n] = '\0';
	kept = arena_copy(&s->arena, copy, n + 1);
	free(copy);
	return (const char *)kept;
}

/* Room for one row more behind n of them. */
static int
grow(void *rows, size_t n, size_t size, struct ops_err *err)
{
	void **v = rows;
	void *more;

	if (n >= SETUPSTATE_ROWS)
		return ops_fail(err, OPS_EUSAGE, WHO ": over %d rows of a kind",
		    SETUPSTATE_ROWS);
	if ((n & (n - 1)) != 0) /* grown in powers of two */
		return 0;
	more = reallocarray(*v, n == 0 ? 1 : 2 * n, size);
	if (more == NULL)
		return ops_fail(err, OPS_ENOMEM, WHO ": no memory");
	*v = more;
	return 0;
}

static bool
writable(const char *text, bool blanks)
{
	for (const char *p = text; *p != '\0'; p++)
		if (*p == '\n' || (!blanks && (*p == ' ' || *p == '\t')))
			return false;
	return true;
}

static int
unwritable(const char *text, struct ops_err *err)
{
	return ops_fail(err, OPS_EUSAGE,
	    WHO ": \"%.100s\": a path or line with a blank or a line end in it "
		"can't be kept",
	    text);
}

int
setupstate_door(struct setupstate *s, const char *kind, const char *door,
    struct ops_err *err)
{
	if (!writable(door, false))
		return unwritable(door, err);
	s->kind = keep(s, kind, strlen(kind));
	s->door = keep(s, door, strlen(door));
	if (s->kind == NULL || s->door == NULL)
		return ops_fail(err, OPS_ENOMEM, WHO ": no memory");
	return 0;
}

/* Where the line is; n_lines: nowhere. */
static size_t
find_line(const struct setupstate *s, const char *path, const char *text)
{
	size_t i = 0;

	while (i < s->n_lines && (strcmp(s->lines[i].path, path) != 0 ||
				     strcmp(s->lines[i].text, text) != 0))
		i++;
	return i;
}

int
setupstate_add_line(struct setupstate *s, const char *path, const char *text,
    bool was_open, struct ops_err *err)
{
	struct setup_line row = { .was_open = was_open };
	size_t i = find_line(s, path, text);

	if (!writable(path, false) || !writable(text, true))
		return unwritable(text, err);
	if (i < s->n_lines) {
		s->lines[i].was_open = was_open;
		return 0;
	}
	if (grow(&s->lines, s->n_lines, sizeof(row), err) < 0)
		return -1;
	row.path = keep(s, path, strlen(path));
	row.text = keep(s, text, strlen(text));
	if (row.path == NULL || row.text == NULL)
		return ops_fail(err, OPS_ENOMEM, WHO ": no memory");
	s->lines[s->n_lines++] = row;
	return 0;
}

int
setupstate_add_swap(struct setupstate *s, const char *path, const char *from,
    const char *to, struct ops_err *err)
{
	struct setup_swap row;

	if (!writable(path, false) || !writable(from, true) ||
	    !writable(to, true))
		return unwritable(from, err);
	for (size_t i = 0; i < s->n_swaps; i++)
		if (strcmp(s->swaps[i].path, path) == 0 &&
		    strcmp(s->swaps[i].to, to) == 0)
			return 0;
	if (grow(&s->swaps, s->n_swaps, sizeof(row), err) < 0)
		return -1;
	row.path = keep(s, path, strlen(path));
	row.from = keep(s, from, strlen(from));
	row.to = keep(s, to, strlen(to));
	if (row.path == NULL || row.from == NULL || row.to == NULL)
		return ops_fail(err, OPS_ENOMEM, WHO ": no memory");
	s->swaps[s->n_swaps++] = row;
	return 0;
}

int
setupstate_add_account(struct setupstate *s, const char *name, uint32_t uid,
    const char *shell, struct ops_err *err)
{
	struct setup_account row = { .uid = uid };
	size_t i = 0;

	if (!writable(name, true) || !writable(shell, true) ||
	    strchr(name, ':') != NULL || name[0] == '\0')
		return unwritable(name, err);
	while (i < s->n_accounts && (s->accounts[i].uid != uid ||
					strcmp(s->accounts[i].name, name) != 0))
		i++;
	if (i == s->n_accounts &&
	    grow(&s->accounts, s->n_accounts, sizeof(row), err) < 0)
		return -1;
	row.name = keep(s, name, strlen(name));
	row.shell = keep(s, shell, strlen(shell));
	if (row.name == NULL || row.shell == NULL)
		return ops_fail(err, OPS_ENOMEM, WHO ": no memory");
	s->accounts[i] = row;
	s->n_accounts += i == s->n_accounts;
	return 0;
}

int
setupstate_set_file(struct setupstate *s, const char *path,
    const struct setup_hash *before, const struct setup_hash *after,
    struct ops_err *err)
{
	size_t i = 0;

	if (!writable(path, false))
		return unwritable(path, err);
	while (i < s->n_files && strcmp(s->files[i].path, path) != 0)
		i++;
	if (i == s->n_files) {
		if (grow(&s->files, i, sizeof(*s->files), err) < 0)
			return -1;
		s->files[i].path = keep(s, path, strlen(path));
		if (s->files[i].path == NULL)
			return ops_fail(err, OPS_ENOMEM, WHO ": no memory");
		s->n_files++;
	}
	s->files[i].before = *before;
	s->files[i].after = *after;
	return 0;
}

void
setupstate_drop_account(struct setupstate *s, size_t i)
{
	s->n_accounts--;
	memmove(s->accounts + i, s->accounts + i + 1,
	    (s->n_accounts - i) * sizeof(*s->accounts));
}

void
setupstate_drop_line(struct setupstate *s, const char *path, const char *text)
{
	size_t i = find_line(s, path, text), next = i + 1;

	if (i == s->n_lines)
		return;
	while (next < s->n_lines && strcmp(s->lines[next].path, path) != 0)
		next++;
	if (next < s->n_lines && s->lines[i].was_open)
		s->lines[next].was_open = true;
	s->n_lines--;
	memmove(s->lines + i, s->lines + i + 1,
	    (s->n_lines - i) * sizeof(*s->lines));
}

void
setupstate_drop_folder(struct setupstate *s, const char *folder)
{
	size_t len = strlen(folder), files = 0, lines = 0, swaps = 0;

	for (size_t i = 0; i < s->n_files; i++)
		if (strncmp(s->files[i].path, folder, len) != 0)
			s->files[files++] = s->files[i];
	for (size_t i = 0; i < s->n_lines; i++)
		if (strncmp(s->lines[i].path, folder, len) != 0)
			s->lines[lines++] = s->lines[i];
	for (size_t i = 0; i < s->n_swaps; i++)
		if (strncmp(s->swaps[i].path, folder, len) != 0)
			s->swaps[swaps++] = s->swaps[i];
	s->n_files = files;
	s->n_lines = lines;
	s->n_swaps = swaps;
}

int
setupstate_change_line(struct setupstate *s, const char *path, const char *from,
    const char *to, struct ops_err *err)
{
	size_t i = find_line(s, path, from);
	const char *kept;

	if (!writable(to, true))
		return unwritable(to, err);
	kept = keep(s, to, strlen(to));
	if (kept == NULL)
		return ops_fail(err, OPS_ENOMEM, WHO ": no memory");
	if (i < s->n_lines)
		s->lines[i].text = kept;
	return 0;
}

void
setupstate_free(struct setupstate *s)
{
	free(s->files);
	free(s->lines);
	free(s->swaps);
	free(s->accounts);
	arena_free(&s->arena);
	*s = (struct setupstate){ 0 };
}

/* -- looking -- */

const struct setup_file *
setupstate_file(const struct setupstate *s, const char *path)
{
	for (size_t i = 0; i < s->n_files; i++)
		if (strcmp(s->files[i].path, path) == 0)
			return &s->files[i];
	return NULL;
}

const struct setup_account *
setupstate_account(const struct setupstate *s, const char *name, uint32_t uid)
{
	for (size_t i = 0; i < s->n_accounts; i++)
		if (s->accounts[i].uid == uid &&
		    strcmp(s->accounts[i].name, name) == 0)
			return &s->accounts[i];
	return NULL;
}

void
setup_hash_of(bool there, const void *p, size_t n, struct setup_hash *ret)
{
	*ret = (struct setup_hash){ .there = there };
	if (there)
		ops_sha256(n > 0 ? p : "", n, ret->hash);
}

bool
setup_hash_is(const struct setup_hash *a, const struct setup_hash *b)
{
	return a->there == b->there &&
	       (!a->there || memcmp(a->hash, b->hash, OPS_HASH_LEN) == 0);
}

/* -- the file -- */

static void
put_hash(struct ops_buf *out, const struct setup_hash *h, char behind)
{
	char hex[2 * OPS_HASH_LEN + 1];

	ops_hex(h->hash, OPS_HASH_LEN, hex);
	ops_buf_puts(out, h->there ? hex : "-");
	ops_buf_put8(out, (uint8_t)behind);
}

void
setupstate_put(const struct setupstate *s, struct ops_buf *out)
{
	ops_buf_puts(out, HEAD "\n");
	if (s->door != NULL)
		ops_buf_printf(out, "door %s %s\n", s->kind, s->door);
	if (s->program.there) {
		ops_buf_puts(out, "program ");
		put_hash(out, &s->program, '\n');
	}
	if (s->people)
		ops_buf_puts(out, "people\n");
	for (size_t i = 0; i < s->n_files; i++) {
		ops_buf_puts(out, "file ");
		put_hash(out, &s->files[i].before, ' ');
		put_hash(out, &s->files[i].after, ' ');
		ops_buf_puts(out, s->files[i].path);
		ops_buf_put8(out, '\n');
	}
	for (size_t i = 0; i < s->n_lines; i++) {
		ops_buf_printf(
		    out, "line %d %s ", s->lines[i].was_open, s->lines[i].path);
		ops_buf_puts(out, s->lines[i].text);
		ops_buf_put8(out, '\n');
	}
	for (size_t i = 0; i < s->n_swaps; i++) {
		const struct setup_swap *w = &s->swaps[i];

		ops_buf_printf(out, "swap %zu %s ", strlen(w->from), w->path);
		ops_buf_puts(out, w->from);
		ops_buf_put8(out, ' ');
		ops_buf_puts(out, w->to);
		ops_buf_put8(out, '\n');
	}
	for (size_t i = 0; i < s->n_accounts; i++)
		ops_buf_printf(out, "account %s:%u:%s\n", s->accounts[i].name,
		    s->accounts[i].uid, s->accounts[i].shell);
	ops_buf_puts(out, "end\n");
}

/* Up to that byte, which is taken too; false: it isn't there. */
static bool
take(struct span *rest, char until, struct span *ret)
{
	const char *end = rest->n > 0 ? memchr(rest->p, until, rest->n) : NULL;

	if (end == NULL)
		return false;
	*ret = (struct span){ rest->p, (size_t)(end - rest->p) };
	rest->n -= ret->n + 1;
	rest->p = end + 1;
	return true;
}

static bool
is(struct span s, const char *text)
{
	return s.n == strlen(text) && memcmp(s.p, text, s.n) == 0;
}

static bool
take_hash(struct span *rest, struct setup_hash *ret)
{
	struct span w;

	if (!take(rest, ' ', &w))
		return false;
	*ret = (struct setup_hash){ .there = !is(w, "-") };
	return !ret->there || ops_unhex(w.p, w.n, ret->hash, OPS_HASH_LEN) == 0;
}

/* A number with that behind it. */
static bool
take_number(struct span *rest, char until, uint32_t *ret)
{
	struct span w;
	uint64_t v = 0;

	if (!take(rest, until, &w) || w.n == 0 || w.n > 10)
		return false;
	for (size_t i = 0; i < w.n; i++) {
		if (w.p[i] < '0' || w.p[i] > '9')
			return false;
		v = v * 10 + (uint64_t)(w.p[i] - '0');
	}
	*ret = (uint32_t)v;
	return v < UINT32_MAX;
}

/* "N PATH OLD NEW", where OLD is of N bytes. */
static int
parse_swap(struct setupstate *s, struct span rest, struct ops_err *err)
{
	struct span path, from, to;
	uint32_t n;
	const char *text[3];

	if (!take_number(&rest, ' ', &n) || !take(&rest, ' ', &path) ||
	    n >= rest.n || rest.p[n] != ' ')
		return ops_fail(err, OPS_EFORMAT, "it is no swap of lines");
	from = (struct span){ rest.p, n };
	to = (struct span){ rest.p + n + 1, rest.n - n - 1 };
	text[0] = keep(s, path.p, path.n);
	text[1] = keep(s, from.p, from.n);
	text[2] = keep(s, to.p, to.n);
	if (text[0] == NULL || text[1] == NULL || text[2] == NULL)
		return ops_fail(err, OPS_ENOMEM, WHO ": no memory");
	return setupstate_add_swap(s, text[0], text[1], text[2], err);
}

/* A row's texts as the functions above take them. */
struct row {
	const char *one, *two;
};

static int
texts(struct setupstate *s, struct span one, struct span two, struct row *ret,
    struct ops_err *err)
{
	ret->one = keep(s, one.p, one.n);
	ret->two = keep(s, two.p, two.n);
	if (ret->one == NULL || ret->two == NULL)
		return ops_fail(err, OPS_ENOMEM, WHO ": no memory");
	return 0;
}

static int
parse_row(struct setupstate *s, struct span kind, struct span rest,
    struct ops_err *err)
{
	struct setup_hash before, after;
	struct span w = { 0 };
	struct row row;
	uint32_t uid;
	bool open;

	if (is(kind, "door") && take(&rest, ' ', &w) && s->door == NULL)
		return texts(s, w, rest, &row, err) < 0
			   ? -1
			   : setupstate_door(s, row.one, row.two, err);
	if (is(kind, "program") && !s->program.there &&
	    ops_unhex(rest.p, rest.n, s->program.hash, OPS_HASH_LEN) == 0) {
		s->program.there = true;
		return 0;
	}
	if (is(kind, "file") && take_hash(&rest, &before) &&
	    take_hash(&rest, &after))
		return texts(s, w, rest, &row, err) < 0
			   ? -1
			   : setupstate_set_file(
				 s, row.two, &before, &after, err);
	if (is(kind, "line") && take(&rest, ' ', &w)) {
		open = is(w, "1");
		if ((open || is(w, "0")) && take(&rest, ' ', &w))
			return texts(s, w, rest, &row, err) < 0
				   ? -1
				   : setupstate_add_line(
					 s, row.one, row.two, open, err);
	}
	if (is(kind, "swap"))
		return parse_swap(s, rest, err);
	if (is(kind, "account") && take(&rest, ':', &w) &&
	    take_number(&rest, ':', &uid))
		return texts(s, w, rest, &row, err) < 0
			   ? -1
			   : setupstate_add_account(
				 s, row.one, uid, row.two, err);
	return ops_fail(err, OPS_EFORMAT, "it is no row of a setup's state");
}

static int
parse(const char *p, size_t n, struct setupstate *s, struct ops_err *err)
{
	struct textline l;
	size_t at = 0;

	if (n > 0 && memchr(p, '\0', n) != NULL)
		return ops_fail(err, OPS_EFORMAT, WHO ": a NUL is in it");
	if (!textline_next(p, n, &at, &l) || !textline_is(&l, HEAD))
		return ops_fail(err, OPS_EFORMAT,
		    WHO ": it doesn't begin with \"" HEAD "\"");
	for (unsigned line = 2; textline_next(p, n, &at, &l); line++) {
		struct span rest = { l.p, l.n }, kind;

		if (textline_is(&l, "end") && l.ended && at == n)
			return 0;
		if (textline_is(&l, "people") && !s->people) {
			s->people = true;
			continue;
		}
		if (!take(&rest, ' ', &kind))
			return ops_fail(err, OPS_EFORMAT,
			    WHO ":%u: it is no row of a setup's state", line);
		if (parse_row(s, kind, rest, err) < 0)
			return ops_context(err, WHO ":%u", line);
	}
	return ops_fail(err, OPS_ETRUNC, WHO ": its end is missing");
}

int
setupstate_parse(
    const char *p, size_t n, struct setupstate *ret, struct ops_err *err)
{
	struct setupstate s = { 0 };

	if (parse(p, n, &s, err) < 0) {
		setupstate_free(&s);
		return -1;
	}
	*ret = s;
	return 0;
}

/* -- undoing -- */

static enum setup_undo
undo_passwd(
    const struct setupstate *s, const char *p, size_t n, struct ops_buf *out)
{
	struct passwd_change *c = calloc(s->n_accounts + 1, sizeof(*c));
	size_t done;

	if (c == NULL) {
		out->failed = true;
		return UNDO_NOTHING;
	}
	for (size_t i = 0; i < s->n_accounts; i++)
		c[i] = (struct passwd_change){ s->accounts[i].name,
			s->accounts[i].uid, s->door, s->accounts[i].shell };
	done = passwd_change(p, n, c, s->n_accounts, out);
	free(c);
	return done > 0 ? UNDO_CHANGE : UNDO_NOTHING;
}

/* The last one first, so that a line end that was added is the file's last again
 * when its turn comes. */
static size_t
drop_lines(const struct setupstate *s, const char *path, struct ops_buf *out)
{
	struct ops_buf next = { .max = out->max };
	size_t done = 0;

	for (size_t i = s->n_lines; i-- > 0;) {
		const struct setup_line *l = &s->lines[i];

		if (strcmp(l->path, path) != 0)
			continue;
		ops_buf_reset(&next);
		done += textline_drop((const char *)out->data, out->len,
		    l->text, l->was_open, &next);
		ops_buf_reset(out);
		ops_buf_put(out, next.data, next.len);
		out->failed |= next.failed;
	}
	ops_buf_free(&next);
	return done;
}

/* The lines that were there, where ours stand. */
static size_t
swap_back(const struct setupstate *s, const char *path, struct ops_buf *out)
{
	struct ops_buf next = { .max = out->max };
	struct textline l;
	size_t done = 0;

	for (size_t i = s->n_swaps; i-- > 0;) {
		const struct setup_swap *w = &s->swaps[i];
		const char *p = (const char *)out->data;

		if (out->len == 0 || strcmp(w->path, path) != 0 ||
		    !textline_find(p, out->len, w->to, &l))
			continue;
		ops_buf_reset(&next);
		ops_buf_put(&next, p, l.start);
		ops_buf_puts(&next, w->from);
		ops_buf_put(&next, p + l.start + l.n, out->len - l.start - l.n);
		ops_buf_reset(out);
		ops_buf_put(out, next.data, next.len);
		out->failed |= next.failed;
		done++;
	}
	ops_buf_free(&next);
	return done;
}

enum setup_undo
setupstate_undo(const struct setupstate *s, const char *path, const char *p,
    size_t n, struct ops_buf *out)
{
	const struct setup_file *f = setupstate_file(s, path);
	struct setup_hash now;
	size_t done;

	if (f == NULL || s->door == NULL)
		return UNDO_NOTHING;
	if (strcmp(path, SETUPSTATE_PASSWD) == 0)
		return undo_passwd(s, p, n, out);
	setup_hash_of(true, p, n, &now);
	if (!f->before.there && setup_hash_is(&now, &f->after))
		return UNDO_REMOVE;
	ops_buf_put(out, p, n);
	done = drop_lines(s, path, out) + swap_back(s, path, out);
	if (!f->before.there && out->len == 0 && done > 0)
		return UNDO_REMOVE;
	if (done > 0)
		return UNDO_CHANGE;
	return f->before.there ? UNDO_NOTHING : UNDO_LEAVE;
}
