#!/usr/bin/python3
# timeout: 300
"""Two people, one account, one tmux (or screen): a program that runs in it is on
a terminal of no session, and each session that shows it is named, as inferred."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import captured as c
import opsealtest as t


class Multiplexer(c.Captured):
    count = 0

    def argv(self, words):
        return [w.replace("{}", self.server) for w in words]

    def sessions(self):
        return {s["session"] for s in c.json_rows(self.inst.opseal("ls", "--json"))}

    def attached(self, words):
        """A recorded session with a client in it: its terminal and its id."""
        before = self.sessions()
        term = self.record_pty(self.inst, self.argv(words), env=self.env)
        new = t.wait_for("the session", lambda: self.sessions() - before)
        term.line("echo pa''ne")
        term.expect("pane")
        return term, new.pop()

    def another(self):
        self.count += 1
        return self.program("program%d" % self.count)

    def run_in(self, term):
        """Run a program of its own in the pane, by a key of this client."""
        path = self.another()
        term.line(path)
        return self.run_of(path)

    def named(self, row):
        return row["joined"], {row["session"]} | set(row.get("also", []))

    def two_people(self):
        self.server = "ops%d" % os.getpid()
        self.env = {"TERM": "xterm", "HOME": self.dir, "TMUX_TMPDIR": self.dir,
                    "SCREENDIR": self.path("screens"), "SHELL": "/bin/sh", "ENV": ""}
        os.mkdir(self.path("screens"), 0o700)
        first, a = self.attached(self.begin)
        self.later(lambda: t.run(self.argv(self.end), env=self.env))
        self.equal(self.named(self.run_in(first)), ("inferred", {a}), "one of them")
        second, b = self.attached(self.attach)
        for term in first, second:
            row = self.run_in(term)
            self.equal(self.named(row), ("inferred", {a, b}), "both of them")
        self.equal((row["session"], row["also"]), (a, [b]), "in the order of their begin")
        for session in a, b:
            rows = self.log("--session", session)
            self.check(any(p["pid"] == row["pid"] for p in rows), "not in %s" % session)
            shown = self.inst.opseal("show", session).text
            self.matches(shown, r":%d .*\[session inferred, also %s\]" % (row["number"], b[:8]))
        # To play a command is to play the session that it counts in.
        self.exits(self.inst.opseal("cat", "%s:%d" % (b, row["number"])), 2)
        second.send(self.detach)
        second.wait()
        self.equal(self.named(self.run_in(first)), ("inferred", {a}), "the other has left")
        # Nobody looks: it still descends from the session in which it began.
        path = self.another()
        first.line("echo le''aving; sleep 2; " + path)
        first.expect("leaving")
        first.send(self.detach)
        first.wait()
        self.equal(self.named(self.run_of(path)), ("descent", {a}), "nobody")


    def test_tmux(self):
        # What is typed fast is typed all the same.
        conf = self.write("tmux.conf", b"set -g assume-paste-time 0\n")
        self.begin = ["tmux", "-f", conf, "-L", "{}", "new-session", "-s", "{}", "sh"]
        self.attach = ["tmux", "-L", "{}", "attach"]
        self.detach = "\x02d"
        self.end = ["tmux", "-L", "{}", "kill-server"]
        self.two_people()

    def test_screen(self):
        self.begin = ["screen", "-c", "/dev/null", "-S", "{}", "sh"]
        self.attach = ["screen", "-c", "/dev/null", "-x", "{}"]
        self.detach = "\x01d"
        self.end = ["screen", "-S", "{}", "-X", "quit"]
        self.two_people()


t.main()
