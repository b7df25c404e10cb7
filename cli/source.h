/*
 * source - where the commands get what they show: a store's folder, or the
 * daemon.  They needn't know which.
 *
 * With the store named, its folder is read directly, with no daemon and no
 * access record: that is for copies, and for root.  Otherwise the daemon is
 * asked; if none answers and the default store may be read, it is, and a line
 * on stderr says so.
 */
#ifndef OPS_CLI_SOURCE_H
#define OPS_CLI_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "cli.h"
#include "ipc/proto.h"
#include "store/programs.h"
#include "store/remarks.h"
#include "store/session.h"
#include "store/store.h"
#include "store/switches.h"
#include "store/vfs.h"
#include "store/visits.h"

struct source;

int source_open(
    const struct cli *cli, struct source **ret, struct ops_err *err);
void source_free(struct source *s); /* NULL is fine */

/* Is it the daemon? */
bool source_is_daemon(const struct source *s);

/* May this user read everybody's?  Who can read the folder may. */
bool source_may_all(const struct source *s);

/* Sessions, oldest first; mine: those of this user only.  If it isn't all, since
 * events could not be read, a line on stderr says so (cli_partial()). */
int source_sessions(struct cli *cli, const struct session_filter *f, bool mine,
    struct session_list *ret, struct ops_err *err);

/* Logins, oldest first, into ret->logins; else as above. */
int source_logins(struct cli *cli, const struct login_filter *f, bool mine,
    struct session_list *ret, struct ops_err *err);

/* Programs, oldest first. */
int source_programs(struct source *s, const struct program_filter *f,
    struct program_list *ret, struct ops_err *err);

/* Who was here, with the sessions of each; only of the daemon (else OPS_EUNAVAIL). */
int source_visits(struct source *s, uint64_t since, uint64_t until,
    struct visits *ret, struct ops_err *err);

/* When recording was switched off and on; what can't be read of it is told on stderr
 * (cli_partial()).  told: that was said of the events already. */
int source_switches(
    struct cli *cli, bool told, struct switches *ret, struct ops_err *err);

/* The files; for checks and checkpoints.  everything: announce that all of it
 * will be read (verify).  Borrowed. */
int source_vfs(
    struct source *s, bool everything, struct vfs **ret, struct ops_err *err);

/* Where the files lie, for messages. */
const char *source_name(const struct source *s);

/* Only of the daemon (else OPS_EUNAVAIL).  Texts point into answer. */
int source_status(struct source *s, struct ops_buf *answer,
    struct proto_status *ret, struct ops_err *err);

/* Its notes, once it is announced (source_read()).  Without asking for them where it
 * has none; those that can't be read are told on stderr (cli_partial()). */
int source_remarks(struct cli *cli, const struct session *s,
    struct remark_list *ret, struct ops_err *err);

/* Say something in one's own session; id all zero: in that of who calls.  Only of the
 * daemon.  OPS_ENOENT: he is in none, or it has ended. */
int source_note(struct source *s, const uint8_t id[static OPS_ID_LEN],
    const char *text, size_t n, struct ops_err *err);

/* Announce that one session will be read, and no more.  -1: OPS_EPERM, the
 * daemon has kept that it was tried. */
int source_ask(
    struct source *s, const uint8_t id[static OPS_ID_LEN], struct ops_err *err);

/*
 * Get ready to read one session: announce it, fetch what isn't sealed yet
 * (records back to back, appended to tail, the first with number *first), and
 * open the store.  In that order: what is sealed in between is then in both.
 * From a folder, tail stays empty: the store has those records itself.
 */
int source_read(struct source *s, const uint8_t id[static OPS_ID_LEN],
    struct ops_buf *tail, uint64_t *first, struct store **ret,
    struct ops_err *err);

#endif
