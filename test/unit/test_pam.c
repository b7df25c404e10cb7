/* Covers: pam_opseal.so as PAM loads it, against a writer that this test plays. */
#include "check.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <security/pam_appl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "ipc/msg.h"
#include "ipc/proto.h"
#include "record/login.h"
#include "record/sshkey.h"

#ifndef PAM_MODULE
#error "test/unit/meson.build defines PAM_MODULE"
#endif

/* ssh-keygen's; the fingerprint is what it says of it. */
#define KEY_TYPE "ssh-ed25519"
#define KEY                                                                    \
	"AAAAC3NzaC1lZDI1NTE5AAAAIKm4z8nEDyaqpz2yR8kq4W2DQyKGJqDT1qYBH1R5C4eP"
#define SECOND UINT64_C(1000000000)

static char dir[64];

static const char *
path(const char *name)
{
	static char text[128];

	snprintf(text, sizeof(text), "%s/%s", dir, name);
	return text;
}

static void
write_file(const char *name, const char *text, mode_t mode)
{
	int fd =
	    open(path(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

/* -- the writer -- */

enum says { DONE, FAILED, NOTHING, CLOSES };

static struct writer {
	enum says says;
	int listener;
	pthread_t thread;
	/* what it was told last */
	struct login login;
	struct logout logout;
	unsigned logins, logouts, asked;
	uint8_t buf[MSG_MAX];
} writer;

static void
answer(struct writer *w, int fd, struct msg *m)
{
	struct ops_buf b = { .max = 4096 };
	struct proto_status s = { .ok = w->says == DONE };

	if (m->type == MSG_LOGIN && login_get(m->p, m->n, &w->login, NULL) == 0)
		w->logins++;
	else if (m->type == MSG_LOGOUT &&
		 logout_get(m->p, m->n, &w->logout, NULL) == 0)
		w->logouts++;
	else if (m->type == Q_STATUS)
		w->asked++;
	if (w->says == NOTHING)
		sleep(3);
	else if (m->type == Q_STATUS) {
		proto_status_put(&b, &s);
		(void)msg_send(fd, Q_STATUS_IS, b.data, b.len, NULL, 0, NULL);
	} else if (w->says == DONE) {
		(void)msg_send(fd, Q_DONE, NULL, 0, NULL, 0, NULL);
	} else if (w->says == FAILED) {
		(void)msg_send(fd, Q_FAILED, "no room", 7, NULL, 0, NULL);
	}
	ops_buf_free(&b);
}

/* One connection. */
static void *
serve(void *arg)
{
	struct writer *w = arg;
	struct msg m;
	int fd = accept4(w->listener, NULL, NULL, SOCK_CLOEXEC);

	if (fd >= 0 && msg_recv(fd, w->buf, &m, NULL) == 1)
		answer(w, fd, &m);
	if (fd >= 0)
		close(fd);
	return NULL;
}

static void
start(enum says says)
{
	int flags;

	writer = (struct writer){ .says = says, .listener = -1 };
	assert_int_equal(
	    msg_listen(path("record.sock"), 0600, &writer.listener, NULL), 0);
	flags = fcntl(writer.listener, F_GETFL);
	assert_int_equal(
	    fcntl(writer.listener, F_SETFL, flags & ~O_NONBLOCK), 0);
	assert_int_equal(
	    pthread_create(&writer.thread, NULL, serve, &writer), 0);
}

static void
stop(void)
{
	assert_int_equal(pthread_join(writer.thread, NULL), 0);
	close(writer.listener);
	unlink(path("record.sock"));
}

/* -- PAM -- */

static char shown[256]; /* to the user */

static int
talk(int n, const struct pam_message **m, struct pam_response **ret, void *arg)
{
	(void)arg;
	*ret = calloc((size_t)n, sizeof(**ret));
	for (int i = 0; i < n; i++)
		snprintf(shown, sizeof(shown), "%s", m[i]->msg);
	return *ret != NULL ? PAM_SUCCESS : PAM_BUF_ERR;
}

static pam_handle_t *
begin(const char *user, const char *host, const char *info)
{
	static const struct pam_conv conv = { talk, NULL };
	pam_handle_t *h;
	char text[256];

	shown[0] = '\0';
	assert_int_equal(
	    pam_start_confdir("test", user, &conv, dir, &h), PAM_SUCCESS);
	assert_int_equal(pam_set_item(h, PAM_TTY, "ssh"), PAM_SUCCESS);
	if (host != NULL)
		assert_int_equal(pam_set_item(h, PAM_RHOST, host), PAM_SUCCESS);
	if (info != NULL) {
		snprintf(text, sizeof(text), "SSH_AUTH_INFO_0=%s", info);
		assert_int_equal(pam_putenv(h, text), PAM_SUCCESS);
	}
	return h;
}

static void
configure(const char *arguments)
{
	char text[1024];

	snprintf(text, sizeof(text),
	    "account required %s run=%s people=%s/people %s\n"
	    "session required %s run=%s people=%s/people %s\n",
	    PAM_MODULE, dir, dir, arguments, PAM_MODULE, dir, dir, arguments);
	write_file("test", text, 0644);
}

static int
group_setup(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/opseal-pam-XXXXXX");
	return mkdtemp(dir) == NULL ? -1 : 0;
}

static int
group_teardown(void **state)
{
	(void)state;
	unlink(path("test"));
	unlink(path("people"));
	return rmdir(dir);
}

static void
need_root(void)
{
	if (geteuid() != 0)
		skip(); /* the module is quiet for others */
	configure("");
	unlink(path("people"));
}

static unsigned
descriptors(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static bool
is(struct event_text t, const char *s)
{
	return t.p != NULL && t.n == strlen(s) && memcmp(t.p, s, t.n) == 0;
}

static void
open_session(pam_handle_t *h, enum says says)
{
	start(says);
	assert_int_equal(pam_open_session(h, 0), PAM_SUCCESS);
	stop();
}

static void
end(pam_handle_t *h)
{
	assert_int_equal(pam_end(h, PAM_SUCCESS), PAM_SUCCESS);
}

/* The end tells what the one TCP connection of the process carried. */
static void
test_connection(void **state)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(to);
	int listener, client, server, again;
	pam_handle_t *h;
	char got[16];

	(void)state;
	need_root();
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(listener >= 0 && client >= 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&to, sizeof(to)), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(
	    getsockname(listener, (struct sockaddr *)&to, &len), 0);
	assert_int_equal(connect(client, (struct sockaddr *)&to, len), 0);
	server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(server >= 0);
	again = dup(server); /* it is one, however often it is open */
	assert_int_equal(write(client, "12345", 5), 5);
	assert_int_equal(read(server, got, sizeof(got)), 5);
	assert_int_equal(write(server, "123", 3), 3);
	assert_int_equal(read(client, got, sizeof(got)), 3);

	h = begin("games", "192.0.2.7", NULL);
	for (int several = 1; several >= 0; several--) {
		open_session(h, DONE);
		if (!several) {
			close(client);
			/* Its end came: now all that went out has arrived. */
			assert_int_equal(read(server, got, sizeof(got)), 0);
		}
		start(DONE);
		assert_int_equal(pam_close_session(h, 0), PAM_SUCCESS);
		stop();
		assert_int_equal(writer.logout.has_bytes, !several);
		if (several)
			continue;
		/* The end of a stream takes a number itself. */
		assert_in_range(writer.logout.bytes_in, 5, 6);
		assert_int_equal(writer.logout.bytes_out, 3);
	}
	end(h);
	close(again);
	close(server);
	close(listener);
}

/* What it tells of a key, and that nothing of it is left in the process. */
static void
test_key(void **state)
{
	pam_handle_t *h;
	char **before, **after;
	unsigned open_before;

	(void)state;
	need_root();
	h = begin("games", "192.0.2.7", "publickey " KEY_TYPE " " KEY "\n");
	open_session(h, DONE); /* libraries may keep something once */
	start(DONE);
	assert_int_equal(pam_close_session(h, 0), PAM_SUCCESS);
	stop();
	assert_int_equal(writer.logouts, 1);
	assert_true(is(writer.logout.user, "games"));
	assert_true(is(writer.logout.service, "test"));
	assert_false(writer.logout.has_bytes);

	before = pam_getenvlist(h);
	open_before = descriptors();
	open_session(h, DONE);
	assert_int_equal(descriptors(), open_before);
	after = pam_getenvlist(h);
	for (size_t i = 0; before[i] != NULL || after[i] != NULL; i++) {
		assert_string_equal(before[i], after[i]);
		free(before[i]);
		free(after[i]);
	}
	free(before);
	free(after);
	assert_int_equal(writer.logins, 1);
	assert_true(is(writer.login.user, "games"));
	assert_true(is(writer.login.service, "test"));
	assert_true(is(writer.login.from, "192.0.2.7"));
	assert_true(is(writer.login.tty, "ssh"));
	assert_true(is(writer.login.method, "publickey"));
	assert_true(is(writer.login.type, KEY_TYPE));
	assert_int_equal(writer.login.key.n, (SSHKEY_FINGERPRINT_SIZE - 1));
	assert_int_equal(writer.login.how, LOGIN_FINGERPRINT);
	assert_true(writer.login.person.n == writer.login.key.n &&
		    memcmp(writer.login.person.p, writer.login.key.p,
			(SSHKEY_FINGERPRINT_SIZE - 1)) == 0);
	end(h);
}

/* Root's list names it; a broken one, and one that others can write, do not. */
static void
test_people(void **state)
{
	char line[256];
	pam_handle_t *h;

	(void)state;
	need_root();
	h = begin("games", NULL, "publickey " KEY_TYPE " " KEY "\n");
	open_session(h, DONE);
	snprintf(line, sizeof(line), "key %.*s \"Alice A.\"\n",
	    (int)writer.login.key.n, (const char *)writer.login.key.p);
	write_file("people", line, 0644);
	open_session(h, DONE);
	assert_int_equal(writer.login.how, LOGIN_MAP);
	assert_true(is(writer.login.person, "Alice A."));

	write_file("people", line, 0664);
	open_session(h, DONE);
	assert_int_equal(writer.login.how, LOGIN_FINGERPRINT);

	snprintf(
	    line + strlen(line), sizeof(line) - strlen(line), "nonsense\n");
	write_file("people", line, 0644);
	open_session(h, DONE);
	assert_int_equal(writer.login.how, LOGIN_FINGERPRINT);
	end(h);
}

static void
test_others(void **state)
{
	static const char *const infos[] = { NULL, "", "password\n",
		"publickey ssh-ed25519 !!!\n", "publickey x AAAA\n" };

	(void)state;
	need_root();
	for (size_t i = 0; i < OPS_ARRAY_LEN(infos); i++) {
		pam_handle_t *h = begin("games", NULL, infos[i]);

		open_session(h, DONE);
		CHECK(writer.logins == 1, infos[i], "not told");
		CHECK(writer.login.how == LOGIN_NOBODY, infos[i], "a person");
		CHECK(writer.login.from.p == NULL, infos[i], "from");
		CHECK(writer.login.key.p == NULL, infos[i], "key");
		end(h);
	}
}

/* Whatever the log does, the login goes on, and in time.  What wasn't recorded as a
 * login is no logout either. */
static void
test_no_log(void **state)
{
	static const enum says all[] = { FAILED, NOTHING, CLOSES };
	pam_handle_t *h;
	uint64_t began;

	(void)state;
	need_root();
	configure("timeout=1");
	for (size_t i = 0; i < OPS_ARRAY_LEN(all); i++) {
		h = begin("games", "h", "password\n");
		began = ops_boottime();
		start(all[i]);
		assert_int_equal(pam_open_session(h, 0), PAM_SUCCESS);
		assert_true(ops_boottime() - began < 2 * SECOND);
		assert_int_equal(pam_close_session(h, 0), PAM_SUCCESS);
		stop();
		assert_int_equal(writer.logouts, 0);
		end(h);
	}
	h = begin("games", "h", "password\n");
	assert_int_equal(pam_acct_mgmt(h, 0), PAM_SUCCESS);
	assert_int_equal(pam_open_session(h, 0), PAM_SUCCESS); /* no socket */
	assert_int_equal(pam_close_session(h, 0), PAM_SUCCESS);
	end(h);
}

/* Nobody takes a connection: connect(2) itself waits. */
static void
test_full_backlog(void **state)
{
	struct writer w = { .listener = -1 };
	pam_handle_t *h;
	uint64_t began;
	int fd;

	(void)state;
	need_root();
	configure("timeout=1");
	assert_int_equal(
	    msg_listen(path("record.sock"), 0600, &w.listener, NULL), 0);
	assert_int_equal(listen(w.listener, 0), 0);
	assert_int_equal(msg_connect(path("record.sock"), &fd, NULL), 0);
	h = begin("games", "h", "password\n");
	began = ops_boottime();
	assert_int_equal(pam_open_session(h, 0), PAM_SUCCESS);
	assert_true(ops_boottime() - began < 2 * SECOND);
	end(h);
	close(fd);
	close(w.listener);
	unlink(path("record.sock"));
}

static void
test_required(void **state)
{
	/* clang-format off */
	static const struct {
		const char *user, *host;
		enum says says;
		int rc;
	} rows[] = {
		{ "games", "h",	 DONE,	 PAM_SUCCESS },
		{ "games", "h",	 FAILED, PAM_PERM_DENIED },
		{ "games", NULL, FAILED, PAM_PERM_DENIED },
		{ "games", "h",	 CLOSES, PAM_PERM_DENIED },
		{ "root",  "h",	 FAILED, PAM_PERM_DENIED },
		{ "root",  NULL, FAILED, PAM_SUCCESS },
	};
	/* clang-format on */
	pam_handle_t *h;

	(void)state;
	need_root();
	configure("required timeout=5");
	for (size_t i = 0; i < OPS_ARRAY_LEN(rows); i++) {
		h = begin(rows[i].user, rows[i].host, "password\n");
		start(rows[i].says);
		assert_int_equal(pam_acct_mgmt(h, 0), rows[i].rc);
		stop();
		assert_int_equal(writer.asked, 1);
		assert_int_equal(shown[0] != '\0', rows[i].rc != PAM_SUCCESS);
		end(h);
	}
	h = begin("games", "h", "password\n");
	assert_int_equal(pam_acct_mgmt(h, 0), PAM_PERM_DENIED);
	end(h);
	h = begin("root", NULL, NULL);
	assert_int_equal(pam_acct_mgmt(h, 0), PAM_SUCCESS);
	end(h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_key),
		cmocka_unit_test(test_connection),
		cmocka_unit_test(test_people),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_no_log),
		cmocka_unit_test(test_full_backlog),
		cmocka_unit_test(test_required),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
