#!/usr/bin/python3
# verify and checkpoint: what they say, against what, and their exit statuses.
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import opsealstore as store
import opsealtest as t

UNANCHORED = ("Anchored: no. Root of this host could have rebuilt all of it; compare with a "
              "checkpoint kept elsewhere (opseal checkpoint).")


class Verifying(t.Test):
    def setup(self):
        self.inst = self.instance()
        self.session("echo fir''st")

    def session(self, script):
        self.record_pty(self.inst, ["sh", "-c", script]).wait()

    def sealed(self):
        """The store of a stopped daemon: all of it is sealed."""
        self.inst.stop()
        return self.inst.store

    def last_line(self, result):
        return result.text.splitlines()[-1]

    def test_fine(self):
        self.sealed()
        for args in ([], ["--quick"], ["last"]):
            result = self.exits(self.inst.offline("verify", *args), 0)
            self.equal(self.last_line(result), UNANCHORED, "last line")
            self.equal(result.err, b"", "stderr")
            self.matches(result.text, r"^ok")

    def test_through_the_daemon(self):
        result = self.exits(t.run(["opseal", "--run", self.inst.run_dir, "verify"]), 0)
        self.equal(self.last_line(result), UNANCHORED, "last line")
        for args in ([], ["--vkey"]):
            asked = self.exits(t.run(["opseal", "--run", self.inst.run_dir, "checkpoint"] + args), 0)
            self.contains(asked.text, "opseal/")

    def test_changed_byte(self):
        store = self.sealed()
        path = self.inst.segments()[0]
        t.flip(path, os.path.getsize(path) - 20)
        for args in ([], ["--quick"]):
            result = self.exits(self.inst.offline("verify", *args), 3)
            self.matches(result.text, r"^(TAMPER|MISSING|UNKNOWN) .*%s.*: " %
                         os.path.basename(path))
            self.matches(result.text, r"^FAILED")
        rows = [json.loads(x) for x in
                self.exits(self.inst.offline("verify", "--json"), 3).text.splitlines()]
        self.equal(rows[-1]["result"], "failed", "result")
        self.check(rows[-1]["fails"] > 0, "fails")
        bad = [r for r in rows[:-1] if r["fails"]]
        self.check(bad and all(r["kind"] and r["where"] and r["detail"] for r in bad), repr(rows))
        self.check(os.path.isdir(store), "the store")

    def test_without_a_terminal(self):
        """It has no screen, so none is missing; nor is it left out of the count."""
        self.exits(self.inst.opseal("record", "--", "sh", "-c", "exit 7"), 7)
        # The door became the command, so its end comes before its session's.
        t.wait_for("the end of its session",
                   lambda: self.inst.opseal("ls", "--active").status == 1)

        def check(run, what):
            for args in (["last"], ["last", "--quick"]):
                result = self.exits(run("verify", *args), 0, what)
                self.matches(result.text, r"(?m)^Session \w{16} was recorded without a terminal: it has "
                             r"no screen, and 2 events of it were checked\.$", what)
            self.matches(self.exits(run("verify"), 0).text, r"\b2 sessions in 1 log", what)

        check(self.inst.offline, "while the daemon runs")
        check(lambda *args: t.run(["opseal", "--run", self.inst.run_dir] + list(args)),
              "through the daemon")
        self.sealed()
        check(self.inst.offline, "sealed")
        events = [p for p in self.inst.segments() if "/events/" in p]
        t.flip(events[0], os.path.getsize(events[0]) - 20)
        self.matches(self.exits(self.inst.offline("verify", "--quick"), 3).text, r"(?m)^TAMPER data/events")

    def test_a_missing_frame_is_told(self):
        self.inst = self.instance(config="seal_after = 60s\n")
        self.session("echo fir''st")
        self.sealed()
        for path in (p for p in self.inst.segments() if "/screen/" in p):
            at = 48
            for _, data in store.frames(path)[1]:  # on a slow machine more than one
                at += len(data)
                t.flip(path, at - 20)
        for args in (["cat", "last"], ["show", "last"], ["play", "last", "--speed", "0"],
                     ["export", "last", "-f", "raw"], ["export", "last", "-f", "asciicast-v2"]):
            result = self.exits(self.inst.offline(*args), 5, " ".join(args))
            self.contains(result.errtext, "missing", " ".join(args))
            self.check("first" not in result.text, "damaged text was shown")

    def test_the_place_of_what_is_missing(self):
        """cat, play and export mark it, and show doesn't call it whole."""
        self.session("for i in 1 2 3; do echo line''$i; sleep 1.1; done; exit 7")
        self.sealed()
        whole = self.inst.offline("cat", "last").text
        path = max((p for p in self.inst.segments() if "/screen/" in p), key=os.path.getmtime)
        header, frames = store.frames(path)
        self.check(len(frames) >= 3, "%d frames" % len(frames))
        at = 48 + len(frames[0][1])
        t.flip(path, at + len(frames[1][1]) - 20)
        mark = r"\[damaged: record(s \d+ to \d+ are| \d+ is) missing\]"
        text = self.exits(self.inst.offline("cat", "last"), 5).text
        self.matches(text, r"\A(?s:(.*\n)?)" + mark + r"\n(?s:.*)\Z", "cat")
        self.equal([x for x in text.splitlines() if not x.startswith("[damaged")],
                   [x for x in whole.splitlines() if x in text], "the rest is there")
        self.check(len(text.splitlines()) <= len(whole.splitlines()), "nothing is missing: %s" % text)
        self.matches(self.exits(self.inst.offline("export", "last", "-f", "text"), 5).text, mark)
        self.matches(self.exits(self.inst.offline("play", "last", "--speed", "0"), 5).text, mark)
        text = self.exits(self.inst.offline("show", "last"), 5).text
        self.matches(text, r"(?m)^state +closed, damaged: .*exit 7$")
        self.matches(text, r"(?m)^MISSING +record.*; opseal verify says why$")
        self.matches(text, r"(?m)^bytes +\d+ B of \d+ B shown in ")
        self.matches(text, r"(?m)^sealed +what is here is; the rest is missing$")
        row = json.loads(self.exits(self.inst.offline("show", "--json", "last"), 5).text)
        self.check(row["records_missing"] > 0, "records_missing")
        os.unlink(path)
        self.matches(self.exits(self.inst.offline("cat", "last"), 5).text,
                     r"\A\[damaged: records 0 to \d+ are missing\]\n\Z", "cat of nothing")
        text = self.exits(self.inst.offline("show", "last"), 5).text
        self.matches(text, r"(?m)^MISSING +records 0 to \d+;")
        self.check("all of it" not in text, text)

    def test_json(self):
        self.sealed()
        row = json.loads(self.exits(self.inst.offline("verify", "--json"), 0).text.splitlines()[-1])
        self.equal((row["result"], row["fails"], row["anchored"], row["against"]),
                   ("ok", 0, False, None), "result")
        self.check(row["sessions"] == 1 and row["leaves"] > 0 and row["records"] > 0, repr(row))

    def test_against_a_checkpoint(self):
        self.inst.restart()
        note = self.write("note", self.exits(self.inst.offline("checkpoint"), 0).out)
        line = self.exits(self.inst.offline("checkpoint", "--anchor"), 0).text
        self.matches(line, r"^opseal-anchor opseal/\S+ \d+ \S+ \S+\n$")
        size = int(line.split()[2])
        self.session("echo second")
        self.sealed()
        # The log may have gone on between the two.
        with open(note) as f:
            noted = int(f.read().splitlines()[1])
        result = self.exits(self.inst.offline("verify", "--against", note), 0)
        self.equal(self.last_line(result), "Anchored: size %d (%s)" % (noted, note), "last line")
        log = self.write("log", "noise\n2026-11-23T09:14:00+0000 host opseal[1]: " + line +
                         "more noise\nopseal-anchor half\n")
        result = self.exits(self.inst.offline("verify", "--against", log), 0)
        self.equal(self.last_line(result),
                   "Anchored: size %d of 2026-11-23T09:14:00+0000 (%s)" % (size, log), "last line")
        self.contains(self.one_line(result), "1 malformed")
        row = json.loads(self.inst.offline("verify", "--json", "--against", note).text.splitlines()[-1])
        self.equal((row["anchored"], row["anchor_size"]), (True, noted), "json")

    def test_against_the_journal(self):
        line = self.exits(self.inst.offline("checkpoint", "--anchor"), 0).text
        self.sealed()
        os.mkdir(self.path("bin"))
        fake = self.write("bin/journalctl", "#!/bin/sh\ncase \"$*\" in *'-t opseal'*) ;; *) exit 9;; esac\n"
                          "echo '2026-11-23T09:14:00+0000 host opseal[1]: %s'\n" % line.strip())
        os.chmod(fake, 0o755)
        env = {"PATH": self.path("bin") + ":" + os.environ["PATH"]}
        result = self.exits(self.inst.offline("verify", "--against", "journal", env=env), 0)
        self.matches(self.last_line(result),
                     r"^Anchored: size \d+ of 2026-11-23T09:14:00\+0000 \(journal\)$")
        self.write("bin/journalctl", "#!/bin/sh\nexit 1\n")
        result = self.exits(self.inst.offline("verify", "--against", "journal", env=env), 2)
        self.contains(self.one_line(result), "journalctl ended with status 1")

    def test_against_another_log(self):
        """A log that was replaced as a whole; and lines of others beside ours."""
        other = self.instance()
        self.record_pty(other, ["echo", "other"]).wait()
        other.restart()
        theirs = self.exits(other.offline("checkpoint", "--anchor"), 0).text
        ours = self.exits(self.inst.offline("checkpoint", "--anchor"), 0).text
        self.sealed()
        only = self.write("only", theirs)
        result = self.exits(self.inst.offline("verify", "--against", only), 3)
        self.matches(result.text, r"^ANCHOR ")
        self.matches(self.last_line(result), r"^Anchored: NO\. ")
        both = self.write("both", theirs + ours)
        result = self.exits(self.inst.offline("verify", "--against", both), 0)
        self.contains(self.one_line(result), "1 of 2 checkpoints")
        self.matches(self.last_line(result), r"^Anchored: size ")

    def test_against_a_log_that_was_removed(self):
        """Checkpoints of two logs of a store, put back to the end of the first."""
        self.sealed()
        first = self.exits(self.inst.offline("checkpoint", "--anchor"), 0).text
        old = self.inst.copy_store()
        os.unlink(os.path.join(self.inst.store, "keys", "resume"))
        self.inst.start()
        self.session("echo second")
        self.sealed()
        second = self.exits(self.inst.offline("checkpoint", "--anchor"), 0).text
        both = self.write("both", first + second)
        result = self.exits(self.inst.offline("verify", "--against", both), 0, "the whole")
        self.matches(self.last_line(result), r"^Anchored: size ")
        self.equal(result.err, b"", "both are of this store")
        result = self.exits(self.inst.offline("verify", "--against", both, store=old), 3, "put back")
        self.matches(result.text, r"(?m)^ANCHOR .*/1 size \d+: no log of this origin")
        self.matches(self.last_line(result), r"^Anchored: NO\. ")
        self.exits(self.inst.offline("verify", "--against", self.write("first", first), store=old), 0)

    def test_forged_lines_are_named(self):
        """In the name of this store nothing is left out: a log that was replaced
        has another key as well.  A forged line fails the check, and passes nothing."""
        line = self.exits(self.inst.offline("checkpoint", "--anchor"), 0).text
        self.sealed()
        words = line.split()
        forged = " ".join(words[:2] + ["999999"] + words[3:]) + "\n"
        log = self.write("log", forged + line)
        result = self.exits(self.inst.offline("verify", "--against", log), 3)
        self.matches(result.text, r"(?m)^ANCHOR .*size 999999: it was not signed by the key of log/0")
        self.exits(self.inst.offline("verify", "--against", self.write("bad", forged)), 3)

    def test_vkey(self):
        vkey = self.exits(self.inst.offline("checkpoint", "--vkey"), 0).text
        self.matches(vkey, r"^opseal/\S+\+[0-9a-f]{8}\+[A-Za-z0-9+/=]+\n$")
        note = self.exits(self.inst.offline("checkpoint"), 0).text
        self.equal(note.splitlines()[0], vkey.split("+")[0], "origin")

    def test_a_copy(self):
        self.sealed()
        copy = self.inst.copy_store()
        self.exits(self.inst.offline("verify", store=copy), 0)
        self.contains(self.inst.offline("cat", "last", store=copy).text, "first")


t.main()
