/*
 * role - the processes of opseald, one enum and one entry function each.
 *
 * The supervisor executes the program again for every role, with fixed
 * descriptors; role_main() then does the same for each, in this order: forget
 * what isn't its own, drop rights, read the settings, and enter the role's
 * function, which opens what it needs, calls role_ready(), and loops until
 * SIGTERM.
 */
#ifndef OPS_DAEMON_ROLE_H
#define OPS_DAEMON_ROLE_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "config/config.h"
#include "drop.h"
#include "settings.h"
#include "tracefs.h"

enum role_id {
	ROLE_WRITER,
	ROLE_QUERY,
	ROLE_SESSION,
	ROLE_SCAN,
	ROLE_CAPTURE,
	ROLE_INDEX,
	ROLES
};

/* Descriptors a role is started with, besides 0 to 2. */
enum role_fd {
	ROLE_FD_READY = 3,  /* pipe to the supervisor */
	ROLE_FD_LISTEN = 4, /* its listening socket; /dev/null: it has none */
	ROLE_FD_CONFIG = 5, /* the configuration, see settings.h */
	ROLE_FD_TROUBLE =
	    6, /* the query role's, see trouble.h; else /dev/null */
	ROLE_FD_ALERTS = 7, /* the query role's and the writer's: alert.h */
	ROLE_FD_SCOPES = 8, /* the session role's: scope.h */
	ROLE_FD_SWITCH = 9, /* the writer's: switchword.h */
	ROLE_FD_END,
};

/* The supervisor's to the writer, with the number of the off that it answers
 * (switchword_number()): capture has ended, as it was told to; or there is none that
 * could: it had died, or never was there. */
#define ROLE_SIG_CAPTURE_ENDED SIGRTMIN
#define ROLE_SIG_CAPTURE_NONE (SIGRTMIN + 1)

/* What a role knows. */
struct role {
	enum role_id id;
	const char *store; /* absolute paths */
	const char *run;
	struct config config;
	uint64_t config_time; /* CLOCK_REALTIME: when its files were read */
	/* Why newer ones are not in force, and since when; "": they are */
	char config_fault[SETTINGS_FAULT_MAX];
	uint64_t config_fault_time;
	struct drop_user user; /* who it is, or became */
	pid_t parent;
	bool no_drop, to_syslog, no_capture; /* as it was told */
	struct tracepoints failed;           /* capture's */
	int listener;                        /* non-blocking */
	const char *not_shut_in; /* what this kernel lacks; NULL: nothing */
	int ready;               /* -1 after role_ready() */
	int pulse; /* what becomes of it in a watched role; see pulse.h */
};

/* A role's function: 0 after SIGTERM, -1 with err. */
struct role_info {
	const char *name;   /* --role=NAME */
	const char *socket; /* below RUN; NULL: none */
	mode_t mode;        /* of the socket */
	bool takes_fds;     /* messages on it may carry descriptors */
	/* Anybody may connect, so it is killed and started again if its loop
	 * stands still.  Not the writer: a slow disk is no reason. */
	bool watched;
	bool rereads;  /* the settings, at SIGHUP: role_reread() */
	uint64_t keep; /* capabilities */
	/* nice(2), as far as the supervisor may.  Whoever makes the machine busy
	 * must not make capture late: what it doesn't read in time is lost. */
	int nice;
	int (*run)(struct role *r, struct ops_err *err);
};
extern const struct role_info role_table[ROLES];

int role_writer(struct role *r, struct ops_err *err);
int role_query(struct role *r, struct ops_err *err);
int role_session(struct role *r, struct ops_err *err);
int role_scan(struct role *r, struct ops_err *err);
int role_capture(struct role *r, struct ops_err *err);
int role_index(struct role *r, struct ops_err *err);

/* The role of this name, or -1. */
int role_find(const char *name);

/* The process of a role from exec to its exit status. */
int role_main(struct role *r);

/* Give up what it no longer needs (rolebox.h).  What the kernel lacks for that is logged,
 * and left in not_shut_in.  -1: it has it and refuses. */
int role_shut_in(struct role *r, struct ops_err *err);

/* Tell the supervisor that the role is open for business. */
void role_ready(struct role *r);

/* Read the settings again.  -1: what was is still there. */
int role_reread(struct role *r, struct ops_err *err);

/* What goes over the ready pipe when it failed: this byte, enum ops_code as a
 * byte, text. */
#define ROLE_SAYS_READY 'R'
#define ROLE_SAYS_ERROR 'E'
#define ROLE_REPORT_MAX 512

#endif
