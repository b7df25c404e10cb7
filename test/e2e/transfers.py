#!/usr/bin/python3
# timeout: 600
"""What was transferred through Debian's real sshd, behind the door: by which program, which
way, how much, and by which names; of the login's connection; and of internal-sftp."""
import os
import re
import shlex
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import captured as c
import opsealtest as t
import recorded as r
import sshhost

SIZE = 5000000  # of the file that goes to and fro; nothing compresses it
# What a program writes beside the file: packets' heads, answers, progress.
ABOUT = SIZE // 50 + 65536
# And on the connection: the same of ssh, the keys at its begin.
AROUND = ABOUT + 65536


class Transfers(t.Test):
    def setup(self):
        c.need_capture()
        t.need_program("scp", "sftp", "rsync")
        module = os.path.join(t.programs(), "pam_opseal.so")
        if not os.path.exists(module) or t.SANITIZE:
            t.skip("no pam_opseal.so that sshd can load")
        pam = sshhost.PAM_SSHD + "session optional %s timeout=5\n" % module
        self.host = sshhost.Host(self.path("h"), names=("anna",), pam=pam,
                                 config="Subsystem internal internal-sftp\n")
        self.later(self.host.close)
        self.host.set_shells()
        self.inst = self.host.instance(self, config="seal_after = 200ms\n", capture=True)
        c.wait_captured(self.inst)
        self.config = os.path.join(self.host.folder, "ssh_config")
        self.ssh = " ".join(self.host.ssh_argv("anna"))
        self.file = self.path("h/file")
        with open(self.file, "wb") as f:
            f.write(os.urandom(SIZE))

    def rows(self, command, *args):
        return r.json_lines(self.inst.opseal(command, "--json", *args))

    def do(self, argv, **options):
        """Run it; gives the session that it had, with its programs, when all of it is told."""
        before = {s["session"] for s in self.rows("ls")}
        self.exits(self.host.run(argv, **options), 0)
        # Capture tells in order: once it has told of this, it has of what was before.
        marker = "behind-%d" % len(before)
        self.exits(self.host.run(["/bin/echo", marker]), 0)
        t.wait_for("what came behind it", lambda: any(
            marker in p["argv"] for p in self.rows("log", "echo") if p.get("argv")))
        found = []

        def told():
            new = [s for s in self.rows("ls") if s["session"] not in before]
            found[:] = [self.rows("show", s["session"])[0] for s in new]
            return len(new) == 1 and found[0]["end"] and found[0]["connection_in"] is not None and all(
                p["state"] in ("ended", "replaced") for p in found[0]["programs"])
        t.wait_for("the session of %s" % argv, told, 30, about=lambda: str(found))
        return found[0]

    def about(self, bytes_, what, more=ABOUT):
        self.check(bytes_ is not None and SIZE <= bytes_ <= SIZE + more, "%s: %s bytes of %d" % (
            what, bytes_, SIZE))

    def moved(self, session, by, direction, names):
        """The one transfer of it, in JSON and in words."""
        found = [p for p in session["programs"] if "transfer" in p and p["state"] == "ended"]
        self.equal([(p["transfer"]["by"], p["transfer"]["direction"], p["transfer"]["names"]) for p in found],
                   [(by, direction, names)], "transfers")
        program = found[0]
        self.about(program["transfer"]["bytes"], by)
        self.equal(program["transfer"]["bytes"], program["wchar"], "wchar")
        self.check(program["rchar"] >= SIZE, "rchar")
        shown = self.exits(self.inst.opseal("show", session["session"]), 0).text
        self.matches(shown, r"(?m)^transfers +%s %s, 5\.\d MB%s$" % (
            by, direction, (": " + re.escape(" ".join(map(shlex.quote, names)))) if names else ""), "show")
        self.matches(shown, r"(?m)^moved +\d+\.\d MB read, \d+\.\d MB written, by all that it ran$", "show")
        self.matches(shown, r"(?m)^connection +\S+ \S+ in, \S+ \S+ out, of the whole login$", "show")
        listed = self.exits(self.inst.opseal("log", "-s", session["session"]), 0).text
        self.contains(listed, " [transferred %s, 5." % direction, "log")
        self.equal(session["bytes_out"] or 0, 0, "bytes of a screen")
        return program

    def carried(self, session, direction):
        """The connection says which way, whatever the arguments do."""
        other = {"in": "out", "out": "in"}[direction]
        self.about(session["connection_" + direction], "connection", AROUND)
        self.check(session["connection_" + other] < ABOUT, "the other way: %s" % session["connection_" + other])

    def test_scp(self):
        there, back = "anna@h:/home/anna/a b", self.path("back")
        session = self.do(["scp", "-O", "-F", self.config, self.file, there.replace(" ", "\\ ")])
        self.moved(session, "scp", "in", ["/home/anna/a b"])
        self.carried(session, "in")
        session = self.do(["scp", "-O", "-F", self.config, there.replace(" ", "\\ "), back])
        self.moved(session, "scp", "out", ["/home/anna/a b"])
        self.carried(session, "out")
        # The other protocol is sftp.
        session = self.do(["scp", "-F", self.config, self.file, "anna@h:new"])
        self.moved(session, "sftp-server", "in or out", [])
        self.carried(session, "in")

    def test_sftp(self):
        batch = self.host.write("batch", "put %s there\n" % self.file)
        session = self.do(["sftp", "-F", self.config, "-b", batch, "anna@h"])
        self.moved(session, "sftp-server", "in or out", [])
        self.carried(session, "in")
        batch = self.host.write("batch", "get there %s\n" % self.path("back"))
        session = self.do(["sftp", "-F", self.config, "-b", batch, "anna@h"])
        self.moved(session, "sftp-server", "in or out", [])
        self.carried(session, "out")

    def test_rsync(self):
        session = self.do(["rsync", "-a", "-e", self.ssh, self.file, "h:synced"])
        self.moved(session, "rsync", "in", ["synced"])
        self.carried(session, "in")
        session = self.do(["rsync", "-a", "-e", self.ssh, "h:synced", self.path("back")])
        self.moved(session, "rsync", "out", ["synced"])
        self.carried(session, "out")

    def test_git(self):
        t.need_program("git")
        work = self.path("work")
        env = {"GIT_SSH_COMMAND": self.ssh, "HOME": self.host.folder, "GIT_CONFIG_COUNT": "2",
               "GIT_CONFIG_KEY_0": "user.name", "GIT_CONFIG_VALUE_0": "a",
               "GIT_CONFIG_KEY_1": "user.email", "GIT_CONFIG_VALUE_1": "a@b"}
        self.exits(self.host.ssh("anna", "h", "git init -q --bare r.git"), 0)
        os.mkdir(work)
        os.rename(self.file, work + "/file")
        for argv in (["init", "-q"], ["add", "file"], ["commit", "-q", "-m", "x"]):
            self.exits(self.host.run(["git", "-C", work] + argv, env=env), 0)
        session = self.do(["git", "-C", work, "push", "-q", "h:r.git", "HEAD:main"], env=env)
        found = [p for p in session["programs"] if p.get("transfer", {}).get("by") == "git" and
                 p["state"] == "ended"]
        self.equal([(p["transfer"]["direction"], p["transfer"]["names"]) for p in found],
                   [("in", ["r.git"])], "a push")
        # Its helpers, which it waits for, unpack and look through it.
        self.check(SIZE <= found[0]["transfer"]["bytes"] <= 4 * SIZE, "a push: %s" % found[0]["transfer"])
        self.carried(session, "in")
        session = self.do(["git", "clone", "-q", "--bare", "h:r.git", self.path("again")], env=env)
        found = [p for p in session["programs"] if p.get("transfer", {}).get("by") == "git" and
                 p["state"] == "ended"]
        self.equal([(p["transfer"]["direction"], p["transfer"]["names"]) for p in found],
                   [("out", ["r.git"])], "a clone")
        self.check(SIZE <= found[0]["transfer"]["bytes"] <= 4 * SIZE, "a clone: %s" % found[0]["transfer"])
        self.carried(session, "out")

    def test_cat(self):
        """No transfer by its arguments: what it moved, and the command's text."""
        with open(self.file, "rb") as f:
            session = self.do(self.host.ssh_argv("anna", "h", "cat > taken"), stdin=f.read())
        self.contains(session["command"], "cat > taken", "command")
        shown = self.exits(self.inst.opseal("show", session["session"]), 0).text
        self.matches(shown, r"(?m)^moved +5\.\d MB read, 5\.\d MB written, by all that it ran$", "show")
        self.check("transfers" not in shown, shown)
        self.carried(session, "in")

    def test_nothing_is_decided_by_it(self):
        """A shell behind scp is recorded as any other; who calls another program scp hides nothing."""
        p = self.host.pty(self.host.ssh_argv("anna", "-tt", "h", "scp -t /nowhere/x </dev/null; bash"))
        p.line("echo marked-$((40+2))")
        p.expect("marked-42")
        p.line("exit")
        p.wait()
        session = [s for s in self.rows("ls") if s["kind"] == "terminal"][-1]
        self.contains(self.exits(self.inst.opseal("cat", session["session"]), 0).text, "marked-42", "cat")

    def test_internal_sftp(self):
        """No program, so no session: the login is there, and what its connection carried."""
        before = self.rows("ls")
        batch = self.host.write("batch", "put %s there\n" % self.file)
        self.exits(self.host.run(["sftp", "-F", self.config, "-s", "internal", "-b", batch, "anna@h"]), 0)
        rows = []

        def over():
            rows[:] = self.rows("logins", "--user", "anna")
            return rows and rows[-1]["end"] and rows[-1]["sealed"]
        t.wait_for("the logout", over, about=lambda: str(rows))
        row = rows[-1]
        self.equal((row["user"], row["service"], row["sessions"], row["method"]),
                   ("anna", "sshd", 0, "publickey"), "login")
        self.about(row["connection_in"], "in", AROUND)
        self.check(row["connection_out"] < ABOUT, "out: %s" % row["connection_out"])
        self.equal(self.rows("ls"), before, "sessions")
        text = self.exits(self.inst.opseal("logins", "--user", "anna"), 0).text
        self.matches(text, r"anna +key +sshd +127\.0\.0\.1 +publickey .* 5\.\d MB +\S+ kB +0\n", "in words")
        # From the store alone it is the same; sshd's own child has the count, too.
        self.equal(r.json_lines(self.inst.offline("logins", "--json", "--user", "anna"))[-1], row, "offline")
        t.wait_for("the end of the process that moved it", lambda: [
            p for p in self.rows("log", "--forks", "--user", str(self.host.uid("anna"))) if p.get("rchar", 0) >= SIZE],
                   about=lambda: str([(p.get("comm"), p.get("rchar"), p.get("auid"), p["kind"]) for p in self.rows("log", "--forks") if p.get("comm") == "sshd"]))

    def test_who_sees_logins(self):
        """He who came by the same key; not who became anna otherwise, and no other."""
        self.exits(self.host.ssh("anna", "h", "true"), 0)
        t.wait_for("the login", lambda: self.rows("logins"))
        argv = [t.program("opseal"), "--run", "/run/opseal", "logins", "--json"]
        got = self.exits(self.host.ssh("anna", "h", " ".join(argv)), 0)
        self.equal([x["user"] for x in r.json_lines(got)], ["anna", "anna"], "by ssh")
        for user in ("anna", "nobody"):
            self.exits(self.host.run(["setpriv", "--reuid", user, "--clear-groups"] + argv), 1, user)


t.main()
