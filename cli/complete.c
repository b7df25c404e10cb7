/* What the word at the cursor can become, told from the tables. */
#include "complete.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/text.h"
#include "source.h"

#define TIME_US 150000  /* all that it may take */
#define NAMES_MAX 100   /* newest sessions, or their users: more nobody reads */
#define WORD_BYTES 256  /* of a candidate */
#define SHELL_LINE '\t' /* begins a line that asks the shell for its own */

/* What stands at the cursor. */
struct cursor {
	const struct command *cmd;  /* NULL: none was named yet */
	const struct opt *value_of; /* its value is wanted; or NULL */
	const char *before; /* what of the word stands before that value */
	int before_len;
	const char *begun; /* what was typed of it */
	int argument;    /* of the command, from 0; -1: no argument is wanted */
	bool no_options; /* it stands behind "--", or behind what is run */
	bool help;       /* of "opseal help" */
};

struct tables {
	const struct command *commands;
	size_t n;
	const struct opt *global;
};

/* -- what stands at the cursor -- */

static const struct command *
command_of(const struct tables *t, const char *name)
{
	for (size_t i = 0; i < t->n; i++)
		if (strcmp(t->commands[i].name, name) == 0)
			return &t->commands[i];
	return NULL;
}

/* The long option of n characters, which may be cut short as getopt_long(3) lets
 * one do, or (n 0) the letter. */
static const struct opt *
option_of(
    const struct opt *const set[2], const char *name, size_t n, char letter)
{
	const struct opt *found = NULL;

	for (size_t k = 0; k < 2; k++) {
		for (const struct opt *o = set[k]; o != NULL && o->name != NULL;
		     o++) {
			if (n == 0 && o->letter == letter)
				return o;
			if (n == 0 || strncmp(o->name, name, n) != 0)
				continue;
			if (o->name[n] == '\0')
				return o;
			found = o;
		}
	}
	return found;
}

/* The last option in the word; *value is what follows its name in it, or NULL. */
static const struct opt *
option_in(const struct opt *const set[2], const char *word, const char **value)
{
	const struct opt *o = NULL;

	*value = NULL;
	if (word[1] == '-') {
		size_t n = strcspn(word + 2, "=");

		if (word[2 + n] == '=')
			*value = word + 3 + n;
		return n > 0 ? option_of(set, word + 2, n, 0) : NULL;
	}
	for (const char *s = word + 1; *s != '\0'; s++) {
		o = option_of(set, NULL, 0, *s);
		if (o == NULL)
			return NULL;
		if (o->kind != OPT_FLAG) {
			*value = s[1] != '\0' ? s + 1 : NULL;
			break;
		}
	}
	return o;
}

static void
keep_place(struct cli *cli, const struct opt *o, const char *value)
{
	if (strcmp(o->name, "store") == 0)
		cli->global.store = value;
	else if (strcmp(o->name, "run") == 0)
		cli->global.run = value;
}

/* One word before the cursor's. */
static bool
pass_word(
    struct cli *cli, const struct tables *t, struct cursor *c, const char *word)
{
	const struct opt *const set[2] = { t->global,
		c->cmd != NULL ? c->cmd->opts : NULL };
	const char *value;
	const struct opt *o;

	if (c->value_of != NULL) {
		keep_place(cli, c->value_of, word);
		c->value_of = NULL;
	} else if (!c->no_options && strcmp(word, "--") == 0) {
		c->no_options = true;
	} else if (!c->no_options && word[0] == '-' && word[1] != '\0') {
		o = option_in(set, word, &value);
		if (o == NULL)
			return false;
		if (o->kind != OPT_FLAG && value == NULL)
			c->value_of = o;
		else if (o->kind != OPT_FLAG)
			keep_place(cli, o, value);
	} else if (c->help) {
		return false;
	} else if (c->cmd == NULL) {
		c->help = strcmp(word, "help") == 0;
		c->cmd = command_of(t, word);
		return c->help || c->cmd != NULL;
	} else {
		c->argument++;
		if (c->cmd->needs & ARGS_RAW)
			c->no_options = true;
	}
	return true;
}

/* False: nothing can be said of it. */
static bool
find_cursor(struct cli *cli, const struct tables *t, int argc, char **argv,
    struct cursor *c)
{
	const struct opt *set[2] = { t->global, NULL };
	const char *word = argv[argc - 1], *value;
	const struct opt *o;

	for (int i = 0; i < argc - 1; i++)
		if (!pass_word(cli, t, c, argv[i]))
			return false;
	set[1] = c->cmd != NULL ? c->cmd->opts : NULL;
	c->before = word;
	c->begun = word;
	if (c->value_of != NULL || c->no_options || word[0] != '-')
		return true;
	c->argument = -1;
	o = option_in(set, word, &value);
	if (o != NULL && o->kind != OPT_FLAG && value != NULL) {
		c->value_of = o;
		c->before_len = (int)(value - word);
		c->begun = value;
	}
	return true;
}

/* -- candidates -- */

/* A line, if it begins as what was typed, and hides nothing. */
static bool
put(const struct cursor *c, const char *word, const char *what)
{
	size_t n = strlen(word), len;

	if (strncmp(word, c->begun, strlen(c->begun)) != 0)
		return false;
	for (size_t i = 0; i < n; i += len) {
		len = ops_text_visible_len((const uint8_t *)word + i, n - i);
		if (len == 0)
			return false;
	}
	printf("%.*s%s\t%s\n", c->before_len, c->before, word, what);
	return true;
}

static void
put_commands(const struct tables *t, const struct cursor *c)
{
	for (size_t i = 0; i < t->n; i++)
		(void)put(c, t->commands[i].name, t->commands[i].summary);
	if (!c->help)
		(void)put(c, "help", "Help of a command");
}

static void
put_options(const struct cursor *c, const struct opt *opts)
{
	char word[WORD_BYTES];

	for (const struct opt *o = opts; o != NULL && o->name != NULL; o++) {
		(void)snprintf(word, sizeof(word), "--%s", o->name);
		(void)put(c, word, o->help);
	}
}

/* Words with spaces between. */
static void
put_words(const struct cursor *c, const char *words, const char *what)
{
	char word[WORD_BYTES];

	while (*words != '\0') {
		int n = (int)strcspn(words, " ");

		(void)snprintf(word, sizeof(word), "%.*s", n, words);
		(void)put(c, word, what);
		words += n + (words[n] == ' ');
	}
}

static void
ask_shell(const char *what)
{
	printf("%c%s\n", SHELL_LINE, what);
}

/* -- what the log knows -- */

/* The text is a name that can be shown and typed. */
static bool
name_of(const struct event_text *t, const char *before, char out[WORD_BYTES])
{
	int n;

	if (t->p == NULL || t->n == 0 || t->n >= WORD_BYTES / 2 ||
	    memchr(t->p, '\0', t->n) != NULL)
		return false;
	n = snprintf(
	    out, WORD_BYTES, "%s%.*s", before, (int)t->n, (const char *)t->p);
	return n > 0 && n < WORD_BYTES;
}

static void
put_session(
    const struct cli *cli, const struct cursor *c, const struct session *s)
{
	struct ops_buf what = { .max = WORD_BYTES * 8 };
	char start[OPS_TIME_TEXT];

	ops_time_short(s->start, cli->global.utc, start);
	if (!session_imported(s) && s->open.user.p != NULL)
		ops_escape(&what, s->open.user.p, s->open.user.n);
	else
		ops_buf_puts(&what, "imported");
	ops_buf_puts(&what, ", ");
	ops_buf_puts(&what, start);
	ops_buf_put8(&what, '\0');
	if (ops_buf_check(&what, "description", NULL) == 0)
		(void)put(c, s->id_text, (const char *)what.data);
	ops_buf_free(&what);
}

/* Who ran them, or the persons behind them, each once. */
static void
put_users(const struct cursor *c, const struct session_list *l, bool persons,
    const char *before)
{
	static char seen[NAMES_MAX][WORD_BYTES];
	size_t n = 0;

	for (size_t i = l->n; i-- > 0 && n < NAMES_MAX;) {
		const struct session *s = &l->s[i];
		struct event_text who =
		    persons ? session_person(s) : s->open.user;
		size_t k = 0;

		if (session_imported(s) || !name_of(&who, before, seen[n]))
			continue;
		while (k < n && strcmp(seen[k], seen[n]) != 0)
			k++;
		if (k == n && put(c, seen[n],
				  persons ? "person behind a session"
					  : "user of a session"))
			n++;
	}
}

/* The sessions that this user may list. */
static bool
load(struct cli *cli, struct session_list *l)
{
	static const struct command asker = { .name = "complete" };
	static const struct session_filter all = { 0 };
	static const struct itimerval no_limit = { 0 };
	struct ops_err err = { 0 };

	(void)fflush(stdout); /* what the tables gave is there in any case */
	cli->cmd = &asker;
	if (source_open(cli, &cli->source, &err) < 0 ||
	    source_sessions(cli, &all, false, l, &err) < 0)
		return false;
	/* What is printed from here on is whole lines. */
	return setitimer(ITIMER_REAL, &no_limit, NULL) == 0;
}

static void
put_sessions(struct cli *cli, const struct cursor *c)
{
	struct session_list l = { 0 };
	size_t shown = 0;

	(void)put(c, "last", "the newest session");
	if (!load(cli, &l))
		return;
	for (size_t i = l.n; i-- > 0 && shown < NAMES_MAX; shown++)
		put_session(cli, c, &l.s[i]);
	if (strncmp(c->begun, "last:", 5) == 0)
		put_users(c, &l, false, "last:");
	session_list_free(&l);
}

static void
put_names(struct cli *cli, const struct cursor *c)
{
	bool persons =
	    c->value_of != NULL && strcmp(c->value_of->name, "person") == 0;
	struct session_list l = { 0 };

	if (load(cli, &l)) {
		put_users(c, &l, persons, "");
		session_list_free(&l);
	}
}

/* -- by what the tables call it -- */

static void
put_kind(struct cli *cli, const struct cursor *c, const char *name, size_t n)
{
	/* clang-format off */
	static const struct {
		const char *name;
		const char *shell; /* the shell knows them */
		const char *words; /* or these */
	} kinds[] = {
		{ "FILE",    "files",    NULL },
		{ "TIMING",  "files",    NULL },
		{ "DIR",     "folders",  NULL },
		{ "ACCOUNT", "users",    NULL },
		{ "GROUP",   "groups",   NULL },
		{ "PROGRAM", "programs", NULL },
		{ "COMMAND", "programs", NULL },
		{ "KIND",    NULL,       "typescript acct" },
		{ "TIME",    NULL,       "today yesterday" },
	};
	/* clang-format on */

	if (n == 7 && strncmp(name, "SESSION", n) == 0)
		put_sessions(cli, c);
	else if (n == 4 && strncmp(name, "NAME", n) == 0)
		put_names(cli, c);
	for (size_t i = 0; i < OPS_ARRAY_LEN(kinds); i++) {
		if (strlen(kinds[i].name) != n ||
		    strncmp(kinds[i].name, name, n) != 0)
			continue;
		if (kinds[i].shell != NULL)
			ask_shell(kinds[i].shell);
		else
			put_words(c, kinds[i].words, "");
	}
}

static void
put_value(struct cli *cli, const struct cursor *c)
{
	const struct opt *o = c->value_of;

	if (o->words != NULL)
		put_words(c, o->words, "");
	else if (o->kind != OPT_DURATION)
		put_kind(cli, c, o->arg, strlen(o->arg));
}

/* The command's usage line names its arguments: "KIND FILE [TIMING]". */
static void
put_argument(struct cli *cli, const struct cursor *c)
{
	static const char capitals[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	const char *s = c->cmd->args;

	for (int i = 0;; i++) {
		size_t n;

		s += strcspn(s, capitals);
		n = strspn(s, capitals);
		if (n == 0)
			return;
		/* Of "COMMAND..." the second is whatever that takes. */
		if (strncmp(s + n, "...", 3) == 0 && i < c->argument) {
			ask_shell("files");
			return;
		}
		if (i == c->argument) {
			put_kind(cli, c, s, n);
			return;
		}
		s += n;
		/* [:N][@TIME] are parts of the one before. */
		s += strcspn(s, " ");
	}
}

static void
put_all(struct cli *cli, const struct tables *t, const struct cursor *c)
{
	if (c->value_of != NULL) {
		put_value(cli, c);
	} else if (c->argument < 0) {
		put_options(c, c->cmd != NULL ? c->cmd->opts : NULL);
		put_options(c, t->global);
	} else if (c->cmd == NULL || c->help) {
		put_commands(t, c);
	} else {
		put_argument(cli, c);
	}
}

static void
too_late(int sig)
{
	(void)sig;
	_exit(CLI_FINE);
}

/* Nobody waits for a completion, and nobody reads its errors. */
static int
be_quiet(void)
{
	const struct itimerval limit = { .it_value = { .tv_usec = TIME_US } };
	struct sigaction sa = { .sa_handler = too_late };
	int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || dup2(fd, STDERR_FILENO) < 0)
		return -1;
	(void)close(fd);
	return sigaction(SIGALRM, &sa, NULL) == 0
		   ? setitimer(ITIMER_REAL, &limit, NULL)
		   : -1;
}

int
complete_words(struct cli *cli, const struct command *commands, size_t n,
    const struct opt *global, int argc, char **argv)
{
	const struct tables t = { commands, n, global };
	struct cursor c = { .argument = 0 };

	if (argc < 1 || be_quiet() < 0)
		return CLI_FINE;
	if (find_cursor(cli, &t, argc, argv, &c)) {
		cli_places(cli);
		put_all(cli, &t, &c);
	}
	source_free(cli->source);
	cli->source = NULL;
	(void)fflush(stdout);
	return CLI_FINE;
}
