#!/usr/bin/python3
# What was lost, and programs that can't be read: log, show, cat and play say so,
# and with their exit status too.
import json
import os
import re
import sys
import tarfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import opsealstore as st
import opsealtest as t

MAYBE = "what was lost may have been one"
UNREADABLE = r": \d+ frames of programs can't be read: .*opseal verify says more"


class LostPrograms(t.Test):
    def setup(self):
        """A store twice told of ls, cron, cc, one that failed, and a loss: once
        sealed, once in the WAL, by a run of capture that begins though the one before
        had not said that it ended."""
        with tarfile.open(os.path.join(t.SOURCE, "test/data/store-v3.tar.xz")) as tar:
            tar.extractall(self.path("kept"))
        self.store = self.path("kept", "store")

    def opseal(self, *args):
        return t.run(["opseal", "--store", self.store] + list(args))

    def rows(self, result):
        """[kind, name] of each."""
        found = [json.loads(x) for x in result.text.splitlines()]
        return [(p["kind"], os.path.basename(p.get("exe", p.get("filename", "")))) for p in found]

    def damage(self):
        """No frame of the sealed programs can be read."""
        for rel in st.segments(self.store):
            if "/programs/" not in rel:
                continue
            path, at = os.path.join(self.store, rel), 48
            for _, data in st.frames(path)[1]:
                at += len(data)
                t.flip(path, at - 1)

    def session(self):
        return next(p["session"] for p in map(json.loads, self.opseal("log", "--json", "ls").text.splitlines())
                    if p["kind"] == "exec")

    def test_newest(self):
        """-n counts programs; losses come with the span of those."""
        loss = ("lost", "")
        for args, want in (
                (("cron", "-n", "1"), [("exec", "cron"), loss]),
                (("cron", "-n", "2"), [("exec", "cron"), loss, loss, ("exec", "cron"), loss]),
                (("cron", "-n", "9"), [("exec", "cron"), loss, loss, ("exec", "cron"), loss]),
                (("-n", "1"), [("failed", "such"), loss])):
            result = self.exits(self.opseal("log", "--json", *args), 0, args)
            self.equal(self.rows(result), want, args)

    def test_nothing_but_losses(self):
        for args, rows in (((), 3), (("-n", "1"), 3), (("--exe", "/no/*", "-r"), 3)):
            args = ("no-such-program",) + args
            result = self.exits(self.opseal("log", "--json", *args), 5, args)
            self.equal(self.rows(result), rows * [("lost", "")], args)
            for form in ((), ("--tree",), ("-v",)):
                if "-r" in args and form:
                    continue
                result = self.exits(self.opseal("log", *args, *form), 5, args + form)
                self.equal(len(re.findall(r"\[lost: |\[capture did not run for ", result.text)), rows, "lines of %s" % (args + form,))
                self.equal(result.errtext, "opseal log: no programs\nopseal log: %s\n" % MAYBE, "stderr")
        # What one may have meant is said there, too.
        result = self.exits(self.opseal("log", "root"), 5)
        self.contains(result.errtext, "--user root shows what root ran")
        self.contains(result.errtext, MAYBE)
        # Where nothing can have been lost there is nothing.
        for args in (("--until", "2001-01-01"), ("--source", "import")):
            result = self.exits(self.opseal("log", "no-such-program", *args), 1)
            self.equal((result.out, result.errtext), (b"", "opseal log: no programs\n"), args)

    def test_unreadable(self):
        sid = self.session()
        whole = self.exits(self.opseal("show", sid), 0).text
        self.matches(whole, r"(?m)^commands +4$")
        self.damage()
        result = self.exits(self.opseal("show", sid), 5)
        self.matches(result.text, r"(?m)^commands +2$")
        self.matches(self.one_line(result), UNREADABLE)
        self.contains(result.errtext, "the numbers behind them be other commands'")
        self.matches(self.one_line(self.exits(self.opseal("show", "--json", sid), 5)), UNREADABLE)
        # What was its third command is the first now.
        for args in ("show", sid + ":1"), ("show", sid + ":1@0"):
            self.matches(self.one_line(self.exits(self.opseal(*args), 5, args)), UNREADABLE)
        for command in "show", "cat", "play":
            result = self.exits(self.opseal(command, sid + ":3"), 2, command)
            self.matches(result.errtext, UNREADABLE)
            self.contains(result.errtext, "has no command 3, the last is 2")
        for args in ("cat", sid + ":1"), ("play", "-s", "0", sid + ":1"):
            self.matches(self.opseal(*args).errtext, UNREADABLE)

    def test_unreadable_and_nothing(self):
        self.damage()
        for args in ("no-such-program",), ("--until", "2001-01-01"):
            result = self.exits(self.opseal("log", *args), 5, args)
            self.matches(result.errtext, UNREADABLE, args)


t.main()
