#!/usr/bin/python3
# timeout: 300
"""Who is behind a login, by pam_opseal.so in Debian's real sshd: keys and their
comments, certificates, root's list of people, several persons on one account, and
logins while there is no log."""
import json
import os
import pwd
import re
import shlex
import socket
import struct
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import captured as c
import opsealipc as ipc
import opsealtest as t
import sshhost

LOGIN, LOGOUT = 71, 72
NAME = "shared"  # the account that is several persons'
PEOPLE = "/etc/opseal/people"
# Without an agent of the test's own; one more line a method that sshd allows.
SSHD = """KbdInteractiveAuthentication yes
TrustedUserCAKeys %s/ca.pub
"""
# A /dev with a log that is the test's: $1 is its socket, $2 a folder.
DEV = """set -e
mount -t tmpfs -o mode=755 none "$2"
for n in null zero full random urandom tty ptmx; do cp -a "/dev/$n" "$2/$n"; done
ln -s /proc/self/fd "$2/fd"
mkdir "$2/pts"
mount --rbind /dev/pts "$2/pts"
: >"$2/log"
mount --bind "$1" "$2/log"
mount --move "$2" /dev
"""


class Logins(t.Test):
    def setup(self):
        sshhost.need()
        self.module = os.path.join(t.programs(), "pam_opseal.so")
        if not os.path.exists(self.module):
            t.skip("pam_opseal.so was not built")
        if t.SANITIZE:
            t.skip("sshd can't load a module that has sanitizers in it; unit/pam can")
        self.inst = None

    def stack(self, account="", loginuid=True):
        """auth lets everybody in: what is tried here comes behind it."""
        return "".join([
            "auth required pam_permit.so\n",
            "account required pam_permit.so\n",
            "account required %s timeout=5 %s\n" % (self.module, account),
            "session required pam_loginuid.so\n" if loginuid else "",
            "session optional %s timeout=5\n" % self.module])

    def serve(self, daemon=True, **options):
        folder = self.path("h")
        os.mkdir(folder)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder + "/ca"],
                       check=True)
        self.host = sshhost.Host(folder, names=(NAME,), shell="/bin/sh",
                                 pam=self.stack(**options), config=SSHD % folder)
        self.later(self.host.close)
        with open(folder + "/ssh_config") as f:
            config = f.read()
        # Each names its own key.
        self.host.write("ssh_config", re.sub("  IdentityFile .*\n", "", config))
        self.listen()
        if daemon:
            self.inst = self.host.instance(self, config="seal_after = 200ms\n",
                                           capture=daemon == "capture")
        self.alice = self.key("alice", "alice@laptop")
        self.bob = self.key("bob", "bob")
        self.authorize("alice", "bob")

    def listen(self):
        self.syslog = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.later(self.syslog.close)
        self.syslog.bind(self.path("log"))
        self.syslog.setblocking(False)
        self.said = ""
        os.mkdir(self.path("dev"))
        self.exits(self.host.run(["sh", "-c", DEV, "sh", self.path("log"), self.path("dev")]), 0)

    def syslogged(self):
        """All that was sent to syslog in the host."""
        while True:
            try:
                self.said += self.syslog.recv(65536).decode(errors="replace") + "\n"
            except BlockingIOError:
                return self.said

    def key(self, name, comment=""):
        """A new one; its fingerprint."""
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f",
                        os.path.join(self.host.folder, name)], check=True)
        return self.fingerprint(name)

    def fingerprint(self, name):
        return self.exits(t.run(["ssh-keygen", "-l", "-f",
                                 os.path.join(self.host.folder, name + ".pub")]), 0).text.split()[1]

    def certify(self, name, key_id, principals, serial):
        folder = self.host.folder
        subprocess.run(["ssh-keygen", "-q", "-s", folder + "/ca", "-I", key_id, "-n", principals,
                        "-z", str(serial), "%s/%s.pub" % (folder, name)], check=True)

    def authorize(self, *names):
        lines = ""
        for name in names:
            with open(os.path.join(self.host.folder, name + ".pub")) as f:
                lines += f.read()
        path = "/home/%s/.ssh/authorized_keys" % NAME
        self.host.put(path, self.host.get(path).decode() + lines, 0o600, self.host.uid(NAME))

    def name(self, *lines, mode=0o644):
        self.host.put(PEOPLE, "".join(x + "\n" for x in lines), mode)

    def ssh_argv(self, key, *command, options=()):
        """key None: by keyboard-interactive, which asks nothing here."""
        how = ["-o", "PreferredAuthentications=publickey", "-o",
               "IdentityFile=" + os.path.join(self.host.folder, key)] if key else [
                   "-o", "BatchMode=no", "-o", "PubkeyAuthentication=no"]
        return self.host.ssh_argv(NAME) + how + list(options) + ["h"] + list(command)

    def ssh(self, key, *command, **options):
        return self.host.run(self.ssh_argv(key, *command, **options), env={"SSH_AUTH_SOCK": ""})

    def opseal(self, *args):
        """As a command line for the shell on the other side."""
        return " ".join(shlex.quote(a) for a in (t.program("opseal"),) + args)

    def record(self, key, word, **options):
        """Somebody logs in and records a command; its row of ls."""
        r = self.ssh(key, self.opseal("record", "--", "sh", "-c", "echo %s; sleep 0.1" % word),
                     **options)
        self.exits(r, 0, word + "\n" + self.host.log()[-2000:])
        self.equal(r.text, word + "\n", "output")
        return t.wait_for("the session", lambda: [
            s for s in self.sessions() if word in s["command"] and s["status"] == "closed"])[0]

    def sessions(self, *args):
        return [json.loads(x) for x in self.inst.opseal("ls", "--json", *args).text.splitlines()]

    def events(self):
        """(type, keys) of the logins and logouts, once the daemon has ended."""
        self.inst.stop()
        found = []
        for path in self.inst.segments():
            if "/events/" not in path:
                continue
            raw = subprocess.run(["zstd", "-dcq", path], stdout=subprocess.PIPE,
                                 stderr=subprocess.DEVNULL).stdout
            for m in re.finditer(b"[GH]\0", raw):
                at = m.start()
                size = struct.unpack("<H", raw[at + 2:at + 4])[0]
                body = raw[at + 12:at + 12 + size]
                if body[:10] != bytes(10) or len(body) != size:
                    continue
                try:
                    found.append((raw[at], ipc.uncbor(body[10:])))
                except (ValueError, IndexError):
                    continue
        return found

    def is_person(self, row, person, how, key):
        self.equal((row["person"], row["person_how"], row["service"], row["method"], row["key"]),
                   (person, how, "sshd", "publickey", key), "who")
        self.equal(row["user"], NAME, "account")

    def test_key(self):
        """Its comment, as long as nobody says whose it is."""
        t.need_program("zstd")
        self.serve()
        row = self.record("alice", "one")
        self.is_person(row, "alice@laptop", "comment", self.alice)
        self.check(row["ses"] not in (None, 4294967295), "audit session: %r" % row["ses"])
        shown = self.exits(self.inst.opseal("show", row["session"]), 0).text
        self.matches(shown, r"person +alice@laptop  \(claimed: the key's comment\)\n")
        self.matches(shown, r"came by +sshd from 127\.0\.0\.1, by publickey\n")
        self.contains(shown, "ssh-ed25519 " + self.alice, "the key")
        self.contains(self.inst.opseal("ls").text, "alice@laptop", "column")
        t.wait_for("its completion", lambda: "alice@laptop\t" in t.run(
            ["opseal", "__complete", "--store", self.inst.store, "ls", "--person", "al"]).text)
        t.wait_for("the logout", lambda: "pam_opseal" not in self.syslogged())
        events = self.events()
        self.equal([kind for kind, _ in events], [LOGIN, LOGOUT], "events")
        (_, login), (_, logout) = events
        self.equal([login[k] for k in (1, 2, 3, 4)], [logout[k] for k in (1, 2, 3, 4)], "process")
        self.equal((login[1], login[2], login[5]),
                   (self.host.uid(NAME), row["ses"], self.host.uid(NAME)), "auid, ses, uid")
        self.check(1000 < logout[7] < 100000 and 1000 < logout[8] < 100000, "bytes: %s" % logout)

    def test_people(self):
        """From the next login on root's list counts; what was stays."""
        self.serve()
        before = self.record("alice", "before")
        self.name("# ours", "key %s \"Alice A.\"" % self.alice)
        after = self.record("alice", "after")
        self.is_person(after, "Alice A.", "map", self.alice)
        self.is_person(self.sessions()[0], "alice@laptop", "comment", self.alice)
        self.equal([r["session"] for r in self.sessions("--person", "Alice A.")],
                   [after["session"]], "--person")
        self.equal([r["session"] for r in self.sessions("--person", "alice@laptop")],
                   [before["session"]], "--person")
        offline = self.inst.offline("ls", "--json", "--person", "Alice A.").text.splitlines()
        self.equal([json.loads(x)["session"] for x in offline], [after["session"]], "from the store")

    def test_certificate(self):
        self.serve()
        self.key("carol", "carol")
        self.certify("carol", "carol@example.org", NAME + ",deploy", 77)
        row = self.record("carol", "one")
        # The fingerprint is of the key within: its comment stands in no file.
        self.is_person(row, self.fingerprint("carol"), "fingerprint",
                       self.fingerprint("carol"))
        self.equal((row["cert"], row["cert_ca"]),
                   ("carol@example.org", self.fingerprint("ca")), "certificate")
        self.equal(row["principals"], [NAME, "deploy"], "principals")
        shown = self.inst.opseal("show", row["session"]).text
        self.contains(shown, "certificate carol@example.org, serial 77, signed by " +
                      self.fingerprint("ca"), "show")
        self.matches(shown, r"(?m)^ +for %s, deploy$" % NAME, "show")
        self.name("cert %s carol@example.org Carol" % self.fingerprint("ca"))
        self.is_person(self.record("carol", "two"), "Carol", "map", row["key"])
        self.name("principal %s deploy \"the deployment\"" % self.fingerprint("ca"))
        self.is_person(self.record("carol", "three"), "the deployment", "map", row["key"])
        # Another CA's certificate with that key id is somebody else's.
        self.name("cert %s carol@example.org Carol" % self.alice)
        self.equal(self.record("carol", "four")["person_how"], "fingerprint", "of another CA")

    def test_without_a_key(self):
        self.serve()
        row = self.record(None, "one")
        self.equal((row["person"], row["person_how"], row["key"], row["method"]),
                   (None, None, None, "keyboard-interactive/pam"), "who")
        self.equal(len(self.sessions("--person", "-")), 1, "nobody's")

    def read_as(self, key, *args):
        return self.ssh(key, self.opseal(*args))

    def listed(self, key):
        r = self.read_as(key, "ls", "--json")
        return sorted(json.loads(x)["session"] for x in r.text.splitlines())

    def test_shared_account(self):
        """Two persons, one uid: each reads what is his, and what is nobody's."""
        self.serve()
        alice, bob = self.record("alice", "secret-a"), self.record("bob", "secret-b")
        nobody = self.record(None, "secret-n")
        mine = {"alice": alice, "bob": bob}
        for key, row in mine.items():
            other = mine["bob" if key == "alice" else "alice"]
            self.equal(self.listed(key), sorted([row["session"], nobody["session"]]), key)
            for what in ("show", "cat"):
                self.exits(self.read_as(key, what, row["session"]), 0, (key, what, "own"))
                self.exits(self.read_as(key, what, nobody["session"]), 0, (key, what, "nobody's"))
                r = self.exits(self.read_as(key, what, other["session"]), 4, (key, what, "other"))
                self.check("secret" not in r.text, r)
        # Whom one may have meant, but nobody whom he may not list.
        for asked in ("alice", "laptop"):
            for ask in (self.inst.opseal, self.inst.offline):
                r = self.exits(ask("ls", "--person", asked), 1, asked)
                self.equal(r.errtext, "opseal ls: no sessions of %s; did you mean alice@laptop?\n" % asked)
        for name, asked in (("bob", "alice"), ("alice", "bo"), (None, "alice")):
            r = self.read_as(name, "ls", "--person", asked)
            self.equal((r.status, r.errtext), (1, "opseal ls: no sessions\n"), (name, asked))
        self.equal(self.read_as("alice", "ls", "--person", "alice").errtext,
                   "opseal ls: no sessions of alice; did you mean alice@laptop?\n", "her own")
        # Who came without a key is nobody known.
        self.equal(self.listed(None), [nobody["session"]], "without a key")
        self.exits(self.read_as(None, "cat", alice["session"]), 4)
        # Nor does a uid alone say anything.
        uid = self.host.uid(NAME)
        r = t.run([t.program("opseal"), "--run", self.inst.run_dir, "ls", "--json"],
                  user=pwd.struct_passwd((NAME, "x", uid, uid, "", "/", "")),
                  env={"OPSEAL_STORE": ""})
        self.equal([json.loads(x)["session"] for x in r.text.splitlines()], [nobody["session"]],
                   "as that uid")

    def test_a_name_that_was_made_up(self):
        """A comment can say anything: who writes authorized_keys is not who he says."""
        self.serve()
        alice = self.record("alice", "secret")
        self.key("eve", "alice@laptop")
        self.authorize("eve")
        eve = self.record("eve", "mine")
        self.equal(eve["person"], alice["person"], "the names")
        self.equal(self.listed("eve"), [eve["session"]], "what she sees")
        self.exits(self.read_as("eve", "cat", alice["session"]), 4)
        # Two keys of one person are one where root says so.
        self.key("desktop", "x")
        self.authorize("desktop")
        self.name("key %s Alice" % self.alice,
                  "key %s Alice" % self.fingerprint("desktop"))
        one, two = self.record("alice", "three"), self.record("desktop", "four")
        self.check({one["session"], two["session"]} <= set(self.listed("desktop")), "both")

    def test_log(self):
        """Programs, by the session or by the login alone."""
        c.need_capture()
        self.serve(daemon="capture")
        c.wait_captured(self.inst)
        # A program of our own: capture sees what the whole machine does.
        echo = "/usr/local/bin/echo-%d" % os.getpid()
        self.exits(self.host.run(["cp", "/bin/echo", echo]), 0)
        for key in ("alice", "bob"):
            self.exits(self.ssh(key, echo + " plain-" + key), 0)
            self.record(key, "within-" + key)

        def ran(*args):
            text = self.inst.opseal("log", "--json", "--exe", echo, *args).text
            return sorted(" ".join(json.loads(x)["argv"]) for x in text.splitlines())
        plain = t.wait_for("both", lambda: len(ran()) == 2 and ran())
        self.equal(plain, [echo + " plain-alice", echo + " plain-bob"], "all")
        rows = self.inst.opseal("log", "--json", "--exe", echo).text.splitlines()
        self.equal(sorted(json.loads(x)["person"] for x in rows), ["alice@laptop", "bob"], "in JSON")
        # By the index, of the folder, and as a table: LOGIN, then PERSON.
        for text in (self.inst.opseal("log", "--utc", "--exe", echo).text,
                     self.inst.opseal("log", "--utc", "-n", "2", "--exe", echo).text,
                     self.inst.offline("log", "--utc", "--exe", echo).text):
            self.matches(text.splitlines()[0], r"^TIME +LOGIN +PERSON +AS ")
            self.equal(sorted(line.split()[3] for line in text.splitlines()[1:]),
                       ["alice@laptop", "bob"], "in the table")
        self.contains(self.inst.opseal("log", "-v", "--exe", echo).text, "alice@laptop")
        self.equal(ran("--person", "bob"), [plain[1]], "--person")
        self.equal(ran("--person", "alice@laptop"), [plain[0]], "--person")
        self.equal(ran("--person", "eve"), [], "--person of nobody")
        for ask in (self.inst.opseal, self.inst.offline):
            self.contains(ask("log", "--exe", echo, "--person", "alice").errtext,
                          "opseal log: no programs of alice; did you mean alice@laptop?\n")
        self.contains(self.read_as("bob", "log", "--exe", echo, "--person", "alice").errtext,
                      "opseal log: no programs\n")
        r = self.read_as("bob", "log", "--json", "--exe", echo)
        self.equal([json.loads(x)["argv"] for x in r.text.splitlines()], [plain[1].split()],
                   "what bob may read")

    def test_without_audit(self):
        """As in a container: only descent tells which login it was."""
        self.serve(loginuid=False)
        a, b = self.record("alice", "one"), self.record("bob", "two")
        if a["ses"] is not None and a["ses"] != 4294967295:
            t.skip("the test itself has an audit session")
        self.is_person(a, "alice@laptop", "comment", self.alice)
        self.is_person(b, "bob", "comment", self.bob)
        self.equal(self.listed("bob"), [b["session"]], "what bob may read")

    def test_terminal(self):
        self.serve()
        term = self.host.pty(self.ssh_argv("alice", self.opseal("record", "--", "tty"),
                                           options=["-tt"]))
        self.later(term.close)
        self.equal(term.wait(), 0, "status; %r" % bytes(term.out))
        row = t.wait_for("the session", self.sessions)[0]
        self.is_person(row, "alice@laptop", "comment", self.alice)
        self.equal(row["kind"], "terminal", "kind")

    def test_nothing_of_it_is_seen(self):
        """The same environment, limits and descriptors as without the module."""
        look = "env | grep -v '^SSH_'; ulimit -a; umask; ls -l /proc/self/fd | wc -l; id"
        self.serve()
        seen = [self.exits(self.ssh("alice", look), 0).text]
        self.host.put("/etc/pam.d/sshd", "auth required pam_permit.so\n"
                      "account required pam_permit.so\nsession required pam_loginuid.so\n")
        seen.append(self.exits(self.ssh("alice", look), 0).text)
        self.equal(seen[0], seen[1], "what a login sees")

    def test_by_the_door(self):
        """Nothing but a login: the account's shell records it, under her name."""
        self.serve()
        self.host.set_shells("/bin/sh")
        self.equal(self.exits(self.ssh("alice", "echo in"), 0).text, "in\n", "output")
        row = t.wait_for("the session", self.sessions)[0]
        self.is_person(row, "alice@laptop", "comment", self.alice)

    def test_no_daemon(self):
        """By default a login goes on; syslog says that it isn't recorded."""
        self.serve(daemon=False)
        self.equal(self.exits(self.ssh("alice", "echo in"), 0).text, "in\n")
        self.contains(self.syslogged(), "this login is not recorded: /run/opseal/record.sock: ", "syslog")

    def test_required(self):
        self.serve(daemon=False, account="required")
        r = self.ssh("alice", "echo in")
        self.exits(r, 255)
        self.check(r.text == "", r)
        self.contains(self.syslogged(), "the login is refused", "syslog")

    def test_required_and_recorded(self):
        self.serve(account="required")
        self.is_person(self.record("alice", "one"), "alice@laptop", "comment", self.alice)
        self.inst.stop()
        self.exits(self.ssh("alice", "true"), 255)
        self.inst.start()
        self.exits(self.ssh("alice", "true"), 0)

    def test_broken_people(self):
        """None of its names is given, and syslog has file and line."""
        self.serve()
        self.name("key %s Alice" % self.alice, "kee %s Bob" % self.bob)
        self.is_person(self.record("alice", "one"), "alice@laptop", "comment", self.alice)
        self.contains(self.syslogged(),
                      PEOPLE + ":2: a line begins with key, cert or principal", "syslog")
        self.name("key %s Alice" % self.alice, mode=0o666)
        self.is_person(self.record("alice", "two"), "alice@laptop", "comment", self.alice)
        self.contains(self.syslogged(), PEOPLE + ": others than root can write it", "syslog")
        self.name("key %s Alice" % self.alice)
        self.is_person(self.record("alice", "three"), "Alice", "map", self.alice)

    def test_hostile_authorized_keys(self):
        """What the account put there keeps no login from going on, and is no name."""
        self.serve()
        self.key("dave", "dave\x1b]0;x\x07")
        self.authorize("dave")
        self.equal(self.record("dave", "escape")["person"], "dave\x1b]0;x\x07", "JSON")
        self.check("\x1b" not in self.inst.opseal("ls").text, "ls prints it raw")
        # sshd takes the second file; where the first should be is a fifo.
        home = "/home/%s/.ssh/" % NAME
        self.exits(self.host.run(["sh", "-c", "cd $0; mv authorized_keys authorized_keys2; "
                                  "mkfifo authorized_keys", home]), 0)
        self.host.restart_sshd(SSHD % self.host.folder +
                               "AuthorizedKeysFile .ssh/authorized_keys .ssh/authorized_keys2\n")
        self.is_person(self.record("alice", "fifo"), "alice@laptop", "comment", self.alice)

    def test_many_at_once(self):
        self.serve()
        command = self.opseal("record", "--", "true")
        running = [subprocess.Popen(self.ssh_argv(k, command), stdin=subprocess.DEVNULL,
                                    preexec_fn=self.host.enter) for k in ("alice", "bob") * 10]
        self.equal([p.wait() for p in running], [0] * 20, "statuses")
        rows = t.wait_for("all", lambda: len(self.sessions()) == 20 and self.sessions())
        self.equal(sorted(r["person"] for r in rows), ["alice@laptop"] * 10 + ["bob"] * 10, "who")


t.main()
