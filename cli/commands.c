#include "commands.h"

#include <string.h>

#include "base/bytes.h"

/* clang-format off */
const struct opt commands_global[] = {
#define AT(m) offsetof(struct global_opts, m)
	{ "store",    0,   OPT_ONCE, "DIR", "read this store itself; ask no daemon (not record, status)", AT(store), 0 },
	{ "run",      0,   OPT_ONCE, "DIR", "where the daemon's sockets are",        AT(run), 0 },
	{ "utc",      0,   OPT_FLAG, NULL,  "times in UTC",                          AT(utc), 0 },
	{ "no-pager", 0,   OPT_FLAG, NULL,  "don't page long output",                AT(no_pager), 0 },
	{ "help",     'h', OPT_FLAG, NULL,  "this help",                             AT(help), 0 },
	{ "version",  0,   OPT_FLAG, NULL,  "version of opseal",                     AT(version), 0 },
#undef AT
	{ 0 },
};

static const struct opt ls_options[] = {
#define AT(m) offsetof(struct ls_opts, m)
	{ "user",    'u', OPT_TEXT,  "NAME", "of this user, or logged in as it",    AT(user), 0 },
	{ "person",  0,   OPT_TEXT,  "NAME", "of whom the column PERSON names so", AT(person), 0 },
	{ "mine",    0,   OPT_FLAG,  NULL,   "my own",                              AT(mine), 0 },
	{ "since",   'S', OPT_TIME,  "TIME", "that went on after TIME: 09:00, yesterday, -2h", AT(since), 0 },
	{ "until",   'U', OPT_TIME,  "TIME", "that began before TIME",              AT(until), 0 },
	{ "active",  0,   OPT_FLAG,  NULL,   "that are going on now",               AT(active), 0 },
	{ "source",  0,   OPT_TEXT,  "WHAT", "record: recorded here; import: read from a file", AT(source), 0, "record import" },
	{ "command", 0,   OPT_TEXT,  "TEXT", "whose command holds TEXT",            AT(command), 0 },
	{ "note",    0,   OPT_TEXT,  "TEXT", "whose reason or a note in it holds TEXT", AT(note), 0 },
	{ "lines",   'n', OPT_COUNT, "N",    "the newest N only",                   AT(count), 0 },
	{ "reverse", 'r', OPT_FLAG,  NULL,   "newest first",                        AT(reverse), 0 },
	{ "json",    0,   OPT_FLAG,  NULL,   "one JSON object a line",              AT(json), 0 },
#undef AT
	{ 0 },
};

static const struct opt log_options[] = {
#define AT(m) offsetof(struct log_opts, m)
	{ "user",    'u', OPT_TEXT,  "NAME", "of who logged in as NAME, also through su and sudo", AT(user), 0 },
	{ "person",  0,   OPT_TEXT,  "NAME", "of who came by this person's login", AT(person), 0 },
	{ "euid",    0,   OPT_TEXT,  "NAME", "that ran with NAME's rights",         AT(euid), 0 },
	{ "session", 's', OPT_TEXT,  "SESSION", "of this session",                  AT(session), 0 },
	{ "exe",     0,   OPT_TEXT,  "PATTERN", "whose file's path matches, such as '/tmp/*'", AT(exe), 0 },
	{ "tty",     't', OPT_TEXT,  "TTY",  "on this terminal: pts/3",             AT(tty), 0 },
	{ "since",   'S', OPT_TIME,  "TIME", "started after TIME: 09:00, yesterday, -2h", AT(since), 0 },
	{ "until",   'U', OPT_TIME,  "TIME", "started before TIME",                 AT(until), 0 },
	{ "failed",  0,   OPT_FLAG,  NULL,   "that failed: status not 0, a signal, not executed", AT(failed), 0 },
	{ "forks",   0,   OPT_FLAG,  NULL,   "ends of processes that executed nothing, too", AT(forks), 0 },
	{ "source",  0,   OPT_TEXT,  "SOURCE", "capture; acct: the kernel's accounting alone; import", AT(source), 0, "capture acct import" },
	{ "tree",    0,   OPT_FLAG,  NULL,   "who started whom",                    AT(tree), 0 },
	{ "verbose", 'v', OPT_FLAG,  NULL,   "all that is stored of each",          AT(verbose), 0 },
	{ "lines",   'n', OPT_COUNT, "N",    "the newest N only",                   AT(count), 0 },
	{ "reverse", 'r', OPT_FLAG,  NULL,   "newest first",                        AT(reverse), 0 },
	{ "follow",  'f', OPT_FLAG,  NULL,   "go on with what is started from now on", AT(follow), 0 },
	{ "json",    0,   OPT_FLAG,  NULL,   "one JSON object a line",              AT(json), 0 },
#undef AT
	{ 0 },
};

static const struct opt logins_options[] = {
#define AT(m) offsetof(struct logins_opts, m)
	{ "user",    'u', OPT_TEXT,  "NAME", "into this account",                   AT(user), 0 },
	{ "person",  0,   OPT_TEXT,  "NAME", "of whom the column PERSON names so",  AT(person), 0 },
	{ "mine",    0,   OPT_FLAG,  NULL,   "my own",                              AT(mine), 0 },
	{ "since",   'S', OPT_TIME,  "TIME", "that went on after TIME: 09:00, yesterday, -2h", AT(since), 0 },
	{ "until",   'U', OPT_TIME,  "TIME", "that began before TIME",              AT(until), 0 },
	{ "lines",   'n', OPT_COUNT, "N",    "the newest N only",                   AT(count), 0 },
	{ "reverse", 'r', OPT_FLAG,  NULL,   "newest first",                        AT(reverse), 0 },
	{ "json",    0,   OPT_FLAG,  NULL,   "one JSON object a line",              AT(json), 0 },
#undef AT
	{ 0 },
};

static const struct opt show_options[] = {
	{ "json", 0, OPT_FLAG, NULL, "as one JSON object", offsetof(struct show_opts, json), 0 },
	{ 0 },
};

static const struct opt note_options[] = {
	{ "session", 's', OPT_TEXT, "SESSION", "in this one of your own, not in the one you are in", offsetof(struct note_opts, session), 0 },
	{ 0 },
};

static const struct opt play_options[] = {
#define AT(m) offsetof(struct play_opts, m)
	{ "speed",    's', OPT_SPEED,    "X",    "X times as fast; 0: at once",      AT(speed), AT(has_speed) },
	{ "max-idle", 'i', OPT_DURATION, "TIME", "cut pauses to TIME: 2s, 500ms",    AT(max_idle), AT(has_max_idle) },
	{ "notes",    0,   OPT_FLAG,     NULL,   "its reason and notes as well, each when it was said", AT(notes), 0 },
	{ "no-tui",   0,   OPT_FLAG,     NULL,   "just the timing: no keys",         AT(no_tui), 0 },
#undef AT
	{ 0 },
};

static const struct opt export_options[] = {
#define AT(m) offsetof(struct export_opts, m)
	{ "format", 'f', OPT_TEXT, "FORMAT", "asciicast-v2, asciicast-v3, typescript, raw, text or json", AT(format), 0, "asciicast-v2 asciicast-v3 typescript raw text json" },
	{ "output", 'o', OPT_TEXT, "FILE",   "write to FILE, not stdout",               AT(output), 0 },
	{ "timing", 't', OPT_TEXT, "FILE",   "typescript: write its timing to FILE",    AT(timing), 0 },
	{ "timing-format", 0, OPT_TEXT, "KIND", "typescript: classic or advanced",      AT(timing_format), 0, "classic advanced" },
	{ "force",  0,   OPT_FLAG, NULL,     "overwrite files; raw bytes to a terminal", AT(force), 0 },
#undef AT
	{ 0 },
};

static const struct opt verify_options[] = {
#define AT(m) offsetof(struct verify_opts, m)
	{ "quick",   'q', OPT_FLAG, NULL,   "stored bytes only: don't unpack them",       AT(quick), 0 },
	{ "against", 'a', OPT_TEXT, "FILE", "remembered checkpoints in FILE, or \"journal\"", AT(against), 0 },
	{ "report",  0,   OPT_FLAG, NULL,   "tell opseald if it fails: journal, notify", AT(report), 0 },
	{ "json",    0,   OPT_FLAG, NULL,   "one JSON object a finding, the result last", AT(json), 0 },
#undef AT
	{ 0 },
};

static const struct opt checkpoint_options[] = {
#define AT(m) offsetof(struct checkpoint_opts, m)
	{ "vkey",   0, OPT_FLAG, NULL, "the log's public key, as a C2SP vkey", AT(vkey), 0 },
	{ "anchor", 0, OPT_FLAG, NULL, "the checkpoint as one line",           AT(anchor), 0 },
#undef AT
	{ 0 },
};

static const struct opt index_options[] = {
#define AT(m) offsetof(struct index_opts, m)
	{ "rebuild", 0, OPT_FLAG, NULL, "throw it away and make it anew", AT(rebuild), 0 },
	{ "status",  0, OPT_FLAG, NULL, "say how far it reaches",         AT(status), 0 },
#undef AT
	{ 0 },
};

static const struct opt setup_options[] = {
#define AT(m) offsetof(struct setup_opts, m)
	{ "user",    'u', OPT_LIST, "ACCOUNT", "this account; may be given again",    AT(users), 0 },
	{ "group",   'g', OPT_LIST, "GROUP", "the accounts in this group; may be given again", AT(groups), 0 },
	{ "root",    0,   OPT_FLAG, NULL,   "root's own logins, too",              AT(root), 0 },
	{ "door",    0,   OPT_ONCE, "KIND", "shell (the default) or force",        AT(door), 0, "shell force" },
	{ "sftp-server", 0, OPT_FLAG, NULL, "have sshd start sftp-server, not internal-sftp", AT(sftp_server), 0 },
	{ "print",   0,   OPT_ONCE, "WHAT", "print lines to paste: profile, ssm; change nothing", AT(print), 0, "profile ssm" },
	{ "dry-run", 'n', OPT_FLAG, NULL,   "show the changes, make none",         AT(dry_run), 0 },
	{ "yes",     'y', OPT_FLAG, NULL,   "make them without asking",            AT(yes), 0 },
	{ "check",   0,   OPT_FLAG, NULL,   "is all as it was set up?",            AT(check), 0 },
#undef AT
	{ 0 },
};

static const struct opt unsetup_options[] = {
#define AT(m) offsetof(struct unsetup_opts, m)
	{ "pam",     0,   OPT_FLAG, NULL, "PAM's lines alone",           AT(pam), 0 },
	{ "dry-run", 'n', OPT_FLAG, NULL, "show the changes, make none", AT(dry_run), 0 },
	{ "yes",     'y', OPT_FLAG, NULL, "make them without asking",    AT(yes), 0 },
#undef AT
	{ 0 },
};

static const struct opt off_options[] = {
	{ "reason", 'm', OPT_ONCE, "TEXT", "why, for the log; needed", offsetof(struct off_opts, reason), 0 },
	{ 0 },
};

static const struct opt import_options[] = {
	{ "again", 0, OPT_FLAG, NULL, "also what was imported already", offsetof(struct import_opts, again), 0 },
	{ 0 },
};

static const struct opt backup_options[] = {
	{ "expire", 0, OPT_FLAG, NULL, "remove from DIR what has expired", offsetof(struct backup_opts, expire), 0 },
	{ 0 },
};

static const struct opt status_options[] = {
	{ "coverage", 0, OPT_FLAG, NULL, "what capture missed, by the kernel's accounting", offsetof(struct status_opts, coverage), 0 },
	{ "metrics", 0, OPT_FLAG, NULL, "as OpenMetrics text, for a Prometheus", offsetof(struct status_opts, metrics), 0 },
	{ "since", 'S', OPT_TIME, "TIME", "with --coverage: what was seen after TIME", offsetof(struct status_opts, since), 0 },
	{ "until", 'U', OPT_TIME, "TIME", "with --coverage: what was seen before TIME", offsetof(struct status_opts, until), 0 },
	{ "json", 0, OPT_FLAG, NULL, "as one JSON object; with --coverage one a line", offsetof(struct status_opts, json), 0 },
	{ 0 },
};

static const struct opt doctor_options[] = {
#define AT(m) offsetof(struct doctor_opts, m)
	{ "quick",  'q', OPT_FLAG, NULL, "judge only: start no session to try anything", AT(quick), 0 },
	{ "report", 0,   OPT_FLAG, NULL, "tell opseald of each changed door: journal, notify", AT(report), 0 },
	{ "json",   0,   OPT_FLAG, NULL, "one JSON object a verdict", AT(json), 0 },
#undef AT
	{ 0 },
};

static const struct opt config_options[] = {
	{ "check", 0, OPT_FLAG, NULL, "only say what is wrong", offsetof(struct config_opts, check), 0 },
	{ "json",  0, OPT_FLAG, NULL, "one JSON object a key",  offsetof(struct config_opts, json), 0 },
	{ 0 },
};

/* What the help of a command says after its options. */
#define SESSION_IS \
	"SESSION is the beginning of an id, last, last:USER, pts/N (the newest on that\n" \
	"terminal), or . (this terminal's own).\n"
#define PLACE_IS \
	SESSION_IS \
	"@TIME is a moment in it, counted from its start: 83, 1:23 or 1:02:03.5.\n"
#define READ_STATUS \
	"Exit status: 0 fine, 2 no such session, or trouble, 4 not permitted,\n" \
	"5 shown, but parts are missing.\n"

static const char ls_more[] =
	"Exit status: 0 fine, 1 no session, 2 trouble, 4 not permitted, 5 parts of the list\n"
	"are missing.\n";
static const char logins_more[] =
	"As pam_opseal tells them. IN and OUT are the bytes of the login's connection, when\n"
	"it has ended; SESSIONS, how many recorded ones it had: 0 with internal-sftp, with\n"
	"ports that are only forwarded, and where no door is.\n"
	"Exit status: 0 fine, 1 no login, 2 trouble, 4 not permitted, 5 parts of the list\n"
	"are missing.\n";
static const char log_more[] =
	"PROGRAM is the name of a file or of a script, or what it was called, without its\n"
	"folder; --exe takes paths.\n"
	"Exit status: 0 fine, 1 no program, 2 trouble, 4 not permitted, 5 parts of the list\n"
	"are missing, or none was found and what was lost may have been one.\n";
static const char session_more[] = SESSION_IS READ_STATUS;
static const char place_more[] = PLACE_IS READ_STATUS;
static const char note_more[] =
	"TEXT goes into the log as a note of the session that you are in, with the time and\n"
	"who you are; what it says is what you claim.  Without TEXT it is a line of stdin.\n"
	"Exit status: 0 it is in the log, 1 this is no recorded session, or it has ended,\n"
	"2 trouble, 4 not permitted.\n";
static const char play_more[] =
	"Keys:\n"
	"  space    pause, and go on\n"
	"  .        one step, then pause\n"
	"  + or =   twice as fast\n"
	"  -        half as fast\n"
	"  q        quit\n\n" PLACE_IS READ_STATUS;
static const char setup_more[] =
	"Without --user and --group: all people with a login shell; root only with --root.\n"
	"Their shell becomes opseal-shell; their own is kept behind it, in\n"
	"/etc/opseal/shells.\n"
	"--door force: sshd's ForceCommand instead, where accounts can't be touched.\n"
	"--sftp-server: internal-sftp starts no program, so only its login is recorded;\n"
	"where nobody is shut in (ChrootDirectory), sshd starts sftp-server instead.\n"
	"--print: lines to paste where there is nothing else: profile, ssm (AWS).\n"
	"It may be run again at any time, and changes nothing that is right.\n"
	"Exit status: 0 done, or nothing to do, 1 not wanted, or with --check: not as it\n"
	"was set up, 2 trouble: nothing was changed, 4 not permitted, 5 done, but some\n"
	"accounts were refused.\n";
static const char unsetup_more[] =
	"What others changed in these files since is kept, and named.\n"
	"--pam: as before pam_opseal.so is removed; sessions stay recorded.\n"
	"Exit status: 0 done, or nothing to do, 1 not wanted, 2 trouble, 4 not permitted.\n";
static const char off_more[] =
	"Nothing is recorded from here on, until opseal on; the log says so, with who did it\n"
	"and TEXT, and so does opseal status.  Logins go on, and say on a terminal that they\n"
	"are not recorded.  Without a daemon it is off when one is started.\n"
	"Exit status: 0 it is off, 2 trouble, 4 not permitted.\n";
static const char on_more[] =
	"Exit status: 0 it is on, 2 trouble, 4 not permitted.\n";
static const char status_more[] =
	"Exit status: 0 fine, 2 nothing is recorded (state OFF or FAILED), or trouble, 4 not\n"
	"permitted, 5 with --coverage: parts of the list are missing.\n";
static const char doctor_more[] =
	"Root sees all of it; others what they can.  It tries what can be tried without risk,\n"
	"in short sessions of its own, and takes some seconds.\n"
	"Exit status: 0 all is recorded as it is meant, 2 trouble, 4 not permitted (--report),\n"
	"5 something is not covered, wrong, or not known.\n";
static const char verify_more[] =
	SESSION_IS
	"Exit status: 0 nothing is wrong, 2 it could not be checked, 3 the check failed,\n"
	"4 not permitted.\n";
static const char checkpoint_more[] =
	"Exit status: 0 fine, 1 nothing is sealed yet, 2 trouble, 4 not permitted.\n";
static const char index_more[] =
	"The index makes log and ls fast.  It is never trusted: what it names is read and\n"
	"checked.  Removing STORE/index is always safe.  A daemon keeps it up to date; with\n"
	"none, this does.\n"
	"Exit status: 0 fine, 1 there is none (--status), 2 trouble, 4 not permitted.\n";
static const char backup_more[] =
	"DIR becomes a copy that verifies by itself, as the newest checkpoint has the store:\n"
	"log/ and data/, without keys. What is there already isn't copied again.\n"
	"Exit status: 0 the copy verifies, 2 trouble, 3 it does not, 4 not permitted.\n";
static const char restore_more[] =
	"DIR is a backup, or a snapshot of a store's folder. It is checked first, and copied\n"
	"into the store's folder, which must be empty, with no opseald running.\n"
	"Exit status: 0 the store verifies, 2 trouble, 3 DIR does not verify.\n";
static const char config_more[] =
	"Without FILE: the distribution's drop-ins, /etc/opseal/opseal.conf and its drop-ins,\n"
	"as opseald reads them.  With it: FILE and FILE.d/*.conf.  What a running opseald\n"
	"goes by may be older: it reads them at its start and on SIGHUP.\n"
	"Exit status: 0 fine, 2 there are mistakes, each told with its file and line, or\n"
	"trouble, 4 not permitted.\n";
static const char import_more[] =
	"KIND is typescript or acct.\n"
	"typescript: FILE is a log of script(1), TIMING its timing file, of either kind;\n"
	"without it the session has no times within. Its id is printed.\n"
	"acct: FILE is one of the kernel's process accounting, acct(5) version 3; its\n"
	"programs are listed by log --source import.\n"
	"What is imported is marked as such for ever: the log proves that this file was\n"
	"read, when and by whom, not what it says. Only root may.\n"
	"Exit status: 0 all of it is in the log, 2 trouble, 4 not permitted.\n";
static const char record_more[] =
	"Without COMMAND, the shell of SHELL.\n"
	"If stdin and stdout are not the same terminal (a pipe, a file, cron), COMMAND runs\n"
	"in place, and what it prints is not in the log: that it ran is, and who ran it.\n"
	"Exit status: that of COMMAND; 2 if nothing was run, since no daemon answers or the\n"
	"log can't be written; 126 or 127 if COMMAND can't be executed or isn't there.\n";

/* Help, completion and the check of the manual are made from this table. */
static const struct command commands[] = {
	{ "ls", GROUP_SEE, "", "List recorded sessions", ls_more,
	    NEED_STORE | NEED_PAGER, 0, 0, ls_options, sizeof(struct ls_opts), 0, cmd_ls },
	{ "log", GROUP_SEE, "[PROGRAM]", "List the programs that ran", log_more,
	    NEED_STORE | NEED_PAGER, 0, -1, log_options, sizeof(struct log_opts), offsetof(struct log_opts, follow), cmd_log },
	{ "logins", GROUP_SEE, "", "List who logged in, how and for how long", logins_more,
	    NEED_STORE | NEED_PAGER, 0, 0, logins_options, sizeof(struct logins_opts), 0, cmd_logins },
	{ "show", GROUP_SEE, "SESSION[:N][@TIME]", "Who, when, from where: one session", place_more,
	    NEED_STORE | NEED_PAGER, 1, 1, show_options, sizeof(struct show_opts), 0, cmd_show },
	{ "play", GROUP_SEE, "SESSION[:N][@TIME]", "Play a session back", play_more,
	    NEED_STORE, 1, 1, play_options, sizeof(struct play_opts), 0, cmd_play },
	{ "cat", GROUP_SEE, "SESSION[:N][@TIME]", "Print the text that was on the screen", place_more,
	    NEED_STORE | NEED_PAGER, 1, 1, NULL, 0, 0, cmd_cat },
	{ "status", GROUP_SEE, "", "What is recorded now, and how well", status_more,
	    NEED_DAEMON | NO_STORE, 0, 0, status_options, sizeof(struct status_opts), 0, cmd_status },
	{ "doctor", GROUP_SEE, "", "Try every door and way around, and check the set-up", doctor_more,
	    NO_STORE | NEED_PAGER, 0, 0, doctor_options, sizeof(struct doctor_opts), 0, cmd_doctor },
	{ "verify", GROUP_PROVE, "[SESSION]", "Check that nothing was changed", verify_more,
	    NEED_STORE, 0, 1, verify_options, sizeof(struct verify_opts), 0, cmd_verify },
	{ "checkpoint", GROUP_PROVE, "", "Print the checkpoint, to be kept elsewhere", checkpoint_more,
	    NEED_STORE, 0, 0, checkpoint_options, sizeof(struct checkpoint_opts), 0, cmd_checkpoint },
	{ "export", GROUP_PROVE, "SESSION", "Write a session in another format", session_more,
	    NEED_STORE, 1, 1, export_options, sizeof(struct export_opts), 0, cmd_export },
	{ "import", GROUP_KEEP, "KIND FILE [TIMING]", "Take others' recordings into the log", import_more,
	    NO_STORE, 2, 3, import_options, sizeof(struct import_opts), 0, cmd_import },
	{ "backup", GROUP_KEEP, "DIR", "Copy the store, also while it is written", backup_more,
	    NEED_STORE, 1, 1, backup_options, sizeof(struct backup_opts), 0, cmd_backup },
	{ "restore", GROUP_KEEP, "DIR", "Make a store of a backup", restore_more,
	    0, 1, 1, NULL, 0, 0, cmd_restore },
	{ "record", GROUP_RUN, "[-- COMMAND...]", "Record a shell or a command now", record_more,
	    OWN_SIGPIPE | ARGS_RAW | NO_STORE, 0, -1, NULL, 0, 0, cmd_record },
	{ "note", GROUP_RUN, "[TEXT]...", "Say something in the session you are in", note_more,
	    NEED_DAEMON | NO_STORE, 0, -1, note_options, sizeof(struct note_opts), 0, cmd_note },
	{ "config", GROUP_KEEP, "[FILE]", "Show or check the configuration", config_more,
	    NO_STORE | NEED_PAGER, 0, 1, config_options, sizeof(struct config_opts), 0, cmd_config },
	{ "index", GROUP_KEEP, "", "Make the index of what ran, which is derived", index_more,
	    0, 0, 0, index_options, sizeof(struct index_opts), 0, cmd_index },
	{ "off", GROUP_KEEP, "", "Record nothing until opseal on", off_more,
	    0, 0, 0, off_options, sizeof(struct off_opts), 0, cmd_off },
	{ "on", GROUP_KEEP, "", "Record again", on_more,
	    0, 0, 0, NULL, 0, 0, cmd_on },
	{ "setup", GROUP_KEEP, "", "Have every login recorded", setup_more,
	    NO_STORE, 0, 0, setup_options, sizeof(struct setup_opts), 0, cmd_setup },
	{ "unsetup", GROUP_KEEP, "", "Take back what setup did", unsetup_more,
	    NO_STORE, 0, 0, unsetup_options, sizeof(struct unsetup_opts), 0, cmd_unsetup },
};
/* clang-format on */
#define N_COMMANDS OPS_ARRAY_LEN(commands)

static const char *const group_names[] = {
	[GROUP_SEE] = "See",
	[GROUP_SEARCH] = "Search",
	[GROUP_PROVE] = "Prove",
	[GROUP_RUN] = "Run",
	[GROUP_KEEP] = "Keep",
};

const struct command *
commands_all(size_t *n)
{
	*n = N_COMMANDS;
	return commands;
}

const struct command *
commands_find(const char *name, struct ops_err *err)
{
	const char *words[N_COMMANDS], *near;

	for (size_t i = 0; i < N_COMMANDS; i++) {
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
		words[i] = commands[i].name;
	}
	near = opt_nearest(name, words, N_COMMANDS);
	if (near != NULL)
		ops_fail(err, OPS_EUSAGE,
		    "unknown command \"%.60s\"; did you mean %s?", name, near);
	else
		ops_fail(err, OPS_EUSAGE,
		    "unknown command \"%.60s\"; opseal --help lists them",
		    name);
	return NULL;
}

/* -- help -- */

void
commands_help(FILE *out)
{
	fputs("usage: opseal COMMAND [OPTIONS] [ARGUMENTS]\n"
	      "Who did what on this machine, when, from where, and what did "
	      "they see?\n",
	    out);
	for (size_t g = 0; g < OPS_ARRAY_LEN(group_names); g++) {
		bool any = false;

		for (size_t i = 0; i < N_COMMANDS; i++) {
			if (commands[i].group != g)
				continue;
			if (!any)
				fprintf(out, "\n%s:\n", group_names[g]);
			any = true;
			fprintf(out, "  %-10s  %-16s  %s\n", commands[i].name,
			    commands[i].args, commands[i].summary);
		}
	}
	fputs("\nOptions of every command:\n", out);
	opt_help(out, commands_global);
	fputs("\nSESSION is the beginning of an id, last, last:USER, pts/N, "
	      "or . (this one).\n"
	      "opseal COMMAND --help says more; so does opseal-COMMAND(1).\n",
	    out);
}

void
commands_help_of(FILE *out, const struct command *c)
{
	fprintf(out, "usage: opseal %s%s%s%s\n%s.\n", c->name,
	    c->opts != NULL ? " [OPTIONS]" : "", c->args[0] != '\0' ? " " : "",
	    c->args, c->summary);
	if (c->opts != NULL) {
		fputs("\nOptions:\n", out);
		opt_help(out, c->opts);
	}
	fputs("\nOptions of every command:\n", out);
	opt_help(out, commands_global);
	if (c->more != NULL)
		fprintf(out, "\n%s", c->more);
}

void
commands_table(void)
{
	for (const struct opt *o = commands_global; o->name != NULL; o++)
		printf("option - %s\n", o->name);
	for (size_t i = 0; i < N_COMMANDS; i++) {
		printf("command %s\n", commands[i].name);
		for (const struct opt *o = commands[i].opts;
		     o != NULL && o->name != NULL; o++)
			printf("option %s %s%s%s\n", commands[i].name, o->name,
			    o->words != NULL ? " " : "",
			    o->words != NULL ? o->words : "");
	}
}
