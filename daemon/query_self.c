/* What a status says of who asks: as whom he is recorded, and who may read it. */
#include <grp.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "index/lookup.h"
#include "query_conn.h"

#define NOT_SHUT_IN                                                            \
	"this kernel has no Landlock (Linux 5.13, and `landlock` in its lsm="  \
	"): a role that was taken over could write in the store's folder"

/* The nearest of his ancestors, or himself, that is a session's door or command. */
static bool
is_his(const struct query_who *who, const struct session *s)
{
	struct event_process p;

	if (!s->has_boot ||
	    memcmp(s->boot, who->way.boot, sizeof(s->boot)) != 0)
		return false;
	if (s->open.pid == who->way.self.pid &&
	    s->open.start == who->way.self.start)
		return true;
	for (size_t i = 0; event_process_get(who->way.ancestors, i, &p); i++)
		if (p.pid == s->open.pid && p.start == s->open.start)
			return true;
	return false;
}

/* Of several the newest is the innermost. */
static const struct session *
find_session(const struct query_who *who, const struct session_list *l)
{
	const struct session *by_login = NULL;

	for (size_t i = l->n; i-- > 0;) {
		const struct session *s = &l->s[i];

		if (is_his(who, s))
			return s;
		/* What has left its session (nohup) is of the same login. */
		if (by_login == NULL && who->way.ses != EVENT_UNSET &&
		    s->has_boot && s->open.ses == who->way.ses &&
		    memcmp(s->boot, who->way.boot, sizeof(s->boot)) == 0)
			by_login = s;
	}
	return by_login;
}

/* "root, opseal, and of the group opseal-read: ann, bob" */
static void
put_readers(char *out, size_t size)
{
	const struct group *gr = getgrnam(READERS_GROUP);
	struct ops_buf b = {
		.data = (uint8_t *)out, .cap = size, .max = size - 1
	};
	bool any = false;

	ops_buf_puts(&b, "root");
	for (size_t i = 0; gr != NULL && gr->gr_mem[i] != NULL; i++) {
		size_t n = strlen(gr->gr_mem[i]);

		/* The last words are to fit, too. */
		if (b.len + n + 48 > b.max) {
			ops_buf_puts(&b, ", ...");
			break;
		}
		ops_buf_printf(&b, "%s%s",
		    any ? ", " : ", and the group " READERS_GROUP ": ",
		    gr->gr_mem[i]);
		any = true;
	}
	if (gr != NULL && !any)
		ops_buf_puts(
		    &b, ", and the group " READERS_GROUP ", which has nobody");
	out[b.len] = '\0';
}

static struct event_text
text_of(const char *s)
{
	return (struct event_text){ s[0] != '\0' ? (const uint8_t *)s : NULL,
		strlen(s) };
}

/* Who may read everything asks often, and of the log, not of himself: his session is
 * not looked for, which means to read all events. */
static void
find_self(
    struct query_conn *q, struct proto_status *s, char *person, size_t size)
{
	const struct session_filter f = {
		.has_uid = true, .uid = q->who.peer.uid, .active = true
	};
	struct session_list list = { 0 };
	const struct session *mine;
	const struct login *l;

	if (lookup_sessions(q->role->store, q->vfs, &f, &list, NULL) < 0)
		return;
	mine = find_session(&q->who, &list);
	if (mine != NULL) {
		memcpy(s->session, mine->id, sizeof(s->session));
		s->session_start = mine->start;
	}
	l = logins_of(&list.logins, &q->who.way);
	if (mine != NULL && mine->has_login)
		l = &mine->login;
	if (login_has_person(l)) {
		(void)snprintf(person, size, "%.*s", (int)l->person.n,
		    (const char *)l->person.p);
		s->person = text_of(person);
		s->person_how = l->how;
	}
	session_list_free(&list);
}

/* What others print is their own. */
static void
keep_own_limit(uint32_t uid, struct proto_status *s)
{
	struct event_text all = s->limited_users;
	struct proto_limited l;

	s->limited = 0;
	s->limited_users = (struct event_text){ NULL, 0 };
	for (size_t i = 0; proto_limited_get(all, i, &l); i++)
		if (l.uid == uid) {
			s->limited = 1;
			s->limited_users.p = all.p + i * PROTO_LIMITED_LEN;
			s->limited_users.n = PROTO_LIMITED_LEN;
		}
}

void
query_self(struct query_conn *q, struct proto_status *s,
    char buf[static QUERY_SELF_MAX])
{
	char *person = buf, *readers = buf + QUERY_SELF_MAX / 2;

	if (q->role->not_shut_in != NULL)
		s->not_shut_in = text_of(NOT_SHUT_IN);
	s->you = text_of(q->who.user);
	s->reads_all = q->who.full;
	put_readers(readers, EVENT_TEXT_MAX);
	s->readers = text_of(readers);
	if (!q->who.full) {
		find_self(q, s, person, QUERY_SELF_MAX / 2);
		keep_own_limit(q->who.peer.uid, s);
	}
}
