#include "transfer.h"

#include <string.h>

#include "base/bytes.h"

/* The arguments, one after the other. */
struct words {
	struct event_text all;
	size_t at;
};

static bool
is(struct event_text t, const char *s)
{
	return t.n == strlen(s) && memcmp(t.p, s, t.n) == 0;
}

static bool
next(struct words *w, struct event_text *ret)
{
	size_t left = w->all.n - w->at;

	if (left == 0)
		return false;
	ret->p = w->all.p + w->at;
	ret->n = strnlen((const char *)ret->p, left);
	w->at += ret->n < left ? ret->n + 1 : left;
	return true;
}

/* All that wasn't read yet. */
static struct event_text
rest(const struct words *w)
{
	size_t n = w->all.n - w->at;

	return (struct event_text){ n > 0 ? w->all.p + w->at : NULL, n };
}

static struct event_text
last_part(struct event_text t)
{
	const uint8_t *slash = t.n > 0 ? memrchr(t.p, '/', t.n) : NULL;
	size_t skip = slash != NULL ? (size_t)(slash - t.p) + 1 : 0;

	return (struct event_text){ t.p + skip, t.n - skip };
}

/* `scp -r -t -- FOLDER`, `scp -f FILES`: the end that the other's scp starts. */
static bool
of_scp(struct words w, struct transfer *ret)
{
	static const char with_value[] = "cDFiJloPSX";
	struct words before = w;
	struct event_text word, value;
	bool to = false, from = false;

	while (next(&w, &word) && word.n > 1 && word.p[0] == '-') {
		before = w;
		if (is(word, "--"))
			break;
		for (size_t i = 1; i < word.n; i++) {
			to |= word.p[i] == 't';
			from |= word.p[i] == 'f';
			if (strchr(with_value, word.p[i]) == NULL)
				continue;
			if (i + 1 == word.n && next(&w, &value))
				before = w;
			break;
		}
	}
	if (to == from)
		return false;
	*ret = (struct transfer){ to ? TRANSFER_IN : TRANSFER_OUT, "scp",
		rest(&before) };
	return true;
}

/* What it moves is asked for over the connection. */
static bool
of_sftp(struct words w, struct transfer *ret)
{
	(void)w;
	*ret =
	    (struct transfer){ .way = TRANSFER_BOTH, .program = "sftp-server" };
	return true;
}

/* `rsync --server [--sender] OPTIONS . FILES` */
static bool
of_rsync(struct words w, struct transfer *ret)
{
	struct event_text word;
	bool server = false, sender = false;

	while (next(&w, &word) && word.n > 0 && word.p[0] == '-') {
		server |= is(word, "--server");
		sender |= is(word, "--sender");
	}
	if (!server)
		return false;
	*ret = (struct transfer){ sender ? TRANSFER_OUT : TRANSFER_IN, "rsync",
		rest(&w) };
	return true;
}

/* `git-upload-pack OPTIONS REPOSITORY`, `git upload-pack ...` */
static bool
of_git(struct words w, struct transfer *ret)
{
	static const struct {
		const char *name;
		enum transfer_way way;
	} ends[] = {
		{ "upload-pack", TRANSFER_OUT },
		{ "upload-archive", TRANSFER_OUT },
		{ "receive-pack", TRANSFER_IN },
	};
	struct words before = { { NULL, 0 }, 0 };
	struct event_text word = { NULL, 0 }, name;

	w.at = 0;
	if (next(&w, &word))
		word = last_part(word);
	if (word.n > 4 && memcmp(word.p, "git-", 4) == 0)
		word = (struct event_text){ word.p + 4, word.n - 4 };
	else if (!next(&w, &word))
		return false;
	name = word;
	before = w;
	while (next(&w, &word) && word.n > 0 && word.p[0] == '-')
		before = w;
	for (size_t i = 0; i < OPS_ARRAY_LEN(ends); i++) {
		if (!is(name, ends[i].name))
			continue;
		*ret = (struct transfer){ ends[i].way, "git", rest(&before) };
		return true;
	}
	return false;
}

bool
transfer_of(const struct program_exec *e, struct transfer *ret)
{
	static const struct {
		const char *file;
		bool (*of)(struct words w, struct transfer *ret);
	} programs[] = {
		{ "scp", of_scp },
		{ "sftp-server", of_sftp },
		{ "rsync", of_rsync },
		{ "git", of_git },
		{ "git-upload-pack", of_git },
		{ "git-receive-pack", of_git },
		{ "git-upload-archive", of_git },
	};
	struct words w = { .all = e->args };
	struct event_text file = last_part(e->exe), called;
	struct transfer t;

	/* What couldn't be read may be anything. */
	if (e->exe.n == 0 || e->args.n == 0 || e->holes.n > 0)
		return false;
	(void)next(&w, &called);
	for (size_t i = 0; i < OPS_ARRAY_LEN(programs); i++) {
		if (!is(file, programs[i].file))
			continue;
		if (!programs[i].of(w, &t))
			return false;
		*ret = t;
		return true;
	}
	return false;
}

const char *
transfer_way_name(enum transfer_way way)
{
	static const char *const names[] = { [TRANSFER_IN] = "in",
		[TRANSFER_OUT] = "out",
		[TRANSFER_BOTH] = "in or out" };

	return names[way];
}
