#!/usr/bin/python3
"""How long what is kept: screens and events that are old enough go, with evidence,
and nothing else does.  Backup of a store at work, and restore.

timeout: 300
"""
import glob
import os
import shutil
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import opsealtest as t
import recorded as r


class Kept(r.Recorded):
    def status(self, inst):
        return r.json_lines(inst.opseal("status", "--json"))[0]

    def sealed(self, inst):
        t.wait_for("the seal", lambda: self.status(inst)["unsealed"] == 0)

    def say(self, inst, word):
        """A session that is over and sealed."""
        term = self.record_pty(inst, ["sh", "-c", "echo %s; true" % word])
        return self.exact(inst, term), bytes(term.out)

    def files(self, inst, kind):
        return sorted(glob.glob(os.path.join(inst.store, "data", kind, "*", "*")))

    def expired(self, inst, least=1, timeout=30):
        return t.wait_for("an expiry", lambda: (
            lambda s: s if s["expired_frames"] >= least else None)(self.status(inst)), timeout)


class Retention(Kept):
    def test_screens(self):
        """The screen goes, the session stays; who asks for it is told."""
        inst = self.instance(config="seal_after = 1ms\nkeep_screens = 3s\n")
        session, _ = self.say(inst, "gone")
        going_on = self.record_pty(inst, ["sh", "-c", "echo stays; read x"])
        going_on.expect("stays")
        self.sealed(inst)
        open_id = self.session(inst, going_on)["session"]
        status = self.expired(inst)
        t.wait_for("the file", lambda: [f for f in self.files(inst, "screen")
                                        if session["session"] in f] == [])
        self.equal((status["keep_screens"], status["expired_by"]), (3, "keep_screens = 3s"), "status")
        self.matches(inst.opseal("status").text, r"^kept +keep_screens = 3s$", "status")
        self.matches(inst.opseal("status").text, r"^expired +\d+ frames?, the last on .* by keep_screens = 3s$", "status")
        self.contains([s["session"] for s in self.sessions(inst)], session["session"], "ls")
        said = r"the screen of %s expired on \d{4}-\d\d-\d\d by keep_screens = 3s" % session["session"]
        for command in (["cat"], ["play", "--no-tui"], ["show"], ["export", "--format", "raw"]):
            result = self.exits(inst.opseal(command[0], session["session"], *command[1:]), 5, command[0])
            self.matches(result.err.decode(), said, command[0])
        result = self.exits(inst.opseal("show", session["session"]), 5)
        self.matches(result.text, r"^expired +the screen, on .* by keep_screens = 3s$", "show")
        shown = r.json_lines(self.exits(inst.opseal("show", "--json", session["session"]), 5))[0]
        self.equal(shown["records_missing"], 0, "missing")
        self.check(shown["records_expired"] > 0, "records_expired")
        for options in ([], ["--quick"], [session["session"]]):
            result = self.exits(inst.opseal("verify", *options), 0, "verify")
            self.matches(result.text, r"^EXPIRED data/screen: .* by keep_screens = 3s$", "verify")
        # The open one is as old by now.
        self.matches(inst.opseal("cat", open_id).text, "stays", "the open session")
        going_on.line("")
        self.equal(going_on.wait(60), 0, "exit status")
        self.matches(inst.log(), r"retention: \d+ files removed by keep_screens = 3s", "opseald's log")
        # The next start, without the rule, knows what went.
        self.equal(inst.stop(), 0, "exit status")
        result = self.exits(inst.offline("verify"), 0)
        self.matches(result.text, r"EXPIRED data/screen", "stopped")

    def test_events(self):
        """Of runs that are over all goes; the index forgets it, once."""
        inst = self.instance(config="seal_after = 1ms\nkeep_screens = 2s\nkeep_events = 4s\n")
        old, _ = self.say(inst, "old")
        self.equal(inst.stop(), 0, "exit status")
        inst.start()
        t.wait_for("the old session to go", lambda: old["session"] not in [
            s["session"] for s in self.sessions(inst)], 40)
        new, raw = self.say(inst, "new")
        self.contains([s["session"] for s in self.sessions(inst)], new["session"], "ls")
        result = self.exits(inst.opseal("verify"), 0)
        self.matches(result.text, r"^EXPIRED data/events: .* by keep_events = 4s$", "verify")
        self.exits(inst.opseal("cat", old["session"]), 2, "cat")
        self.check(inst.opseal("log").status in (0, 1), "log")
        time.sleep(6)
        self.check(inst.log().count("it is made anew") <= 3, "the index is made anew:\n" + inst.log())
        # Nobody's session is called incomplete for that.
        self.equal(inst.stop(), 0, "exit status")
        self.exits(inst.offline("verify"), 0)

    def test_killed(self):
        """opseald killed while files go: the next start goes on, and verify never fails."""
        inst = self.instance(config="seal_after = 1ms\nkeep_screens = 1s\n")
        for i in range(6):
            for _ in range(3):
                self.say(inst, "x%d" % i)
            time.sleep(0.3)
            inst.kill()
            self.exits(inst.offline("verify"), 0, "killed")
            inst.start()
        self.expired(inst, 18, 30)
        t.wait_for("all files", lambda: self.files(inst, "screen") == [])
        self.exits(inst.opseal("verify"), 0)

    def test_size(self):
        """Where all that is there is to be kept, a size limit removes nothing and says so."""
        inst = self.instance(config="seal_after = 1ms\nkeep_screens = 1h\nkeep_events = 1h\nmax_size = 1K\n")
        self.say(inst, "`head -c 3000 /dev/urandom | base64`")
        self.equal(inst.stop(), 0, "exit status")
        inst.start()
        status = t.wait_for("trouble", lambda: (
            lambda s: s if s["expiry_trouble"] else None)(self.status(inst)), 30)
        self.check("size limits are passed" in status["expiry_trouble"]
                   or "without a jump" in status["expiry_trouble"], status["expiry_trouble"])
        self.equal(status["expired_frames"], 0, "expired")
        self.check(self.files(inst, "screen"), "the screen")

    def test_settings(self):
        for text, error in (
                ("keep_events = 1d\n", "keep_events is shorter than keep_screens"),
                ("keep_screens = 2d\nkeep_events = 1d\n", "keep_events is shorter than keep_screens"),
                ("keep_free = 95%\n", "keep_free"),
                ("disk_reserve = much\n", "disk_reserve"),
                ("keep_at_least = 0\n", "out of range")):
            inst = self.instance(start=False, config=text)
            inst.launch()
            self.check(inst.proc.wait(t.PATIENCE) != 0, text)
            inst.proc = None
            self.contains(inst.log(), error, text)


class Backup(Kept):
    def asked(self, inst, *args):
        """Through the daemon."""
        return t.run([t.program("opseal"), "--run", inst.run_dir] + list(args))

    def test_running(self):
        """While sessions go on; again, with only what is new; each verifies."""
        inst = self.instance(config="seal_after = 10ms\n")
        target = self.path("backup")
        stop = self.path("stop")
        done = [self.say(inst, "one"), self.say(inst, "two")]
        terms = [self.record_pty(inst, ["sh", "-c", (
            "i=0; until [ -e %s ]; do i=$((i+1)); echo line $i; sleep 0.01; done") % stop])
            for _ in range(2)]
        for term in terms:
            term.expect("line 20\r")
        for i in range(4):
            result = self.exits(self.asked(inst, "backup", target), 0, "backup %d" % i)
            self.matches(result.text, r"^Checked against size \d+ of opseal/", "backup")
            if i:
                self.matches(result.text, r", [1-9]\d* \(.*\) were there", "the second one")
            self.exits(inst.offline("verify", store=target), 0, "the copy")
            self.equal(sorted(os.listdir(target)), ["data", "log"], "what is in it")
            for session, raw in done:
                got = self.exits(inst.offline("export", session["session"], "--format", "raw",
                                              store=target), 0)
                self.equal(got.out, raw, "a session in it")
            done.append(self.say(inst, "more%d" % i))
        open(stop, "w").close()
        for term in terms:
            self.exact(inst, term)

    def test_restore(self):
        """Into an empty folder; the next daemon opens a successor, and both verify."""
        inst = self.instance(config="seal_after = 1ms\n")
        target = self.path("backup")
        old, raw = self.say(inst, "before")
        self.sealed(inst)
        self.exits(self.asked(inst, "backup", target), 0)
        again = self.instance(start=False, config="seal_after = 1ms\n")
        result = t.run([t.program("opseal"), "--store", again.store, "restore", target])
        self.exits(result, 0, "restore")
        again.start()
        new, _ = self.say(again, "after")
        got = self.exits(again.opseal("export", old["session"], "--format", "raw"), 0)
        self.equal(got.out, raw, "the old session")
        self.equal([s["session"] for s in self.sessions(again)], [old["session"], new["session"]], "ls")
        self.sealed(again)
        result = self.exits(again.opseal("verify"), 0)
        self.matches(result.text, r"^SUCCESSOR log/1", "verify")
        # Not into a store, and not while a daemon runs.
        result = t.run([t.program("opseal"), "--store", again.store, "restore", target])
        self.exits(result, 2, "into a store at work")
        self.equal(again.stop(), 0, "exit status")
        result = t.run([t.program("opseal"), "--store", again.store, "restore", target])
        self.exits(result, 2, "into a store")
        self.matches(result.err.decode(), "is not empty", "into a store")
        # A changed byte, and nothing is done.
        path = glob.glob(os.path.join(target, "data/screen/*/*"))[0]
        with open(path, "r+b") as f:
            f.seek(60)
            f.write(b"\xff\xff\xff")
        result = t.run([t.program("opseal"), "--store", self.path("other"), "restore", target])
        self.exits(result, 3, "a changed one")
        self.equal(os.listdir(self.path("other")), [], "what was restored")
        # Made again, it is whole.
        self.exits(self.asked(inst, "backup", target), 0)
        self.exits(inst.offline("verify", store=target), 0)

    def test_read_is_logged(self):
        inst = self.instance(config="seal_after = 1ms\n")
        self.say(inst, "one")
        self.exits(self.asked(inst, "backup", self.path("backup")), 0)
        self.equal(inst.stop(), 0, "exit status")
        found = False
        for path in self.files(inst, "events"):
            data = t.run(["zstd", "-dc", path]).out if shutil.which("zstd") else b""
            found |= b"backup" in data
        if shutil.which("zstd"):
            self.check(found, "no access record")


t.main()
