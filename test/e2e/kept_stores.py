#!/usr/bin/python3
# The stores of test/data, one of each format version, made by test/data/make-store
# when that version was new: read, verified and continued by this version.
# timeout: 600
import base64
import glob
import json
import os
import shutil
import sys
import tarfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import opsealstore as st
import opsealtest as t
import recorded as r

DATA = os.path.join(t.SOURCE, "test/data")
BOOT_CLEAN, BOOT_CRASH, BOOT_MACHINE = 2, 3, 5  # doc/format.md: why of a BOOT leaf


FORMAT = 5  # of this version


class Kept(r.Recorded):
    def setup(self):
        self.names = sorted(os.path.basename(p)[:-len(".tar.xz")]
                            for p in glob.glob(os.path.join(DATA, "store-v*.tar.xz")))

    def unpack(self, name):
        """A copy of its own, and what was to be found in it when it was made."""
        with tarfile.open(os.path.join(DATA, name + ".tar.xz")) as tar:
            tar.extractall(self.path(name))
        with open(os.path.join(DATA, name + ".json")) as f:
            return self.path(name, "store"), json.load(f)

    def opseal(self, store, *args):
        return t.run(["opseal", "--store", store] + list(args))

    def adopt(self, store):
        """A daemon, not yet started, whose store is now this one."""
        inst = self.instance(start=False)
        owner = os.stat(inst.store)
        shutil.rmtree(inst.store)
        shutil.move(store, inst.store)
        for folder, dirs, files in os.walk(inst.store):
            for name in ["."] + dirs + files:
                os.chown(os.path.join(folder, name), owner.st_uid, owner.st_gid)
        return inst

    def same_rows(self, got, want, but=()):
        """All that was known of a session then is said now; more may be."""
        got = {row["session"]: row for row in got}
        for row in want:
            for key in row.keys() - set(but):
                if key == "commands" and row[key] is None:
                    continue  # nobody had counted them
                self.equal(got[row["session"]].get(key), row[key], "%s of %s" % (
                    key, row["session"]))

    def same_bytes(self, store, raw, but=()):
        for session, (status, data) in raw.items():
            result = self.opseal(store, "export", session, "--format", "raw")
            self.equal(result.out, base64.b64decode(data), "raw export of " + session)
            if session not in but:
                self.equal(result.status, status, "its exit status")

    def test_there_is_one_of_this_version(self):
        self.equal(self.names, ["store-v%d" % (i + 1) for i in range(FORMAT)], "kept stores")

    def test_it_holds_what_it_should(self):
        """A lost or emptied file must not make the tests below pass."""
        for name in self.names:
            store, want = self.unpack(name)
            self.equal({row["status"] for row in want["ls"]},
                       {"closed", "gapped", "lost", "active"}, "states")
            self.check(len(st.leaves(store)) >= 257, "few leaves")
            self.check(os.path.exists(store + "/log/1/leaves"), "no successor log")
            self.check(os.listdir(store + "/wal"), "nothing in the WAL")
            self.equal(st.uncbor(st.leaves(store)[0])[1], int(name[-1]), "format of " + name)
            self.equal(os.path.exists(store + "/data/programs"), name != "store-v1", "programs")
            self.check(sum(len(data) for _, data in want["raw"].values()) > 1000, "few bytes")

    def test_read(self):
        for name in self.names:
            store, want = self.unpack(name)
            before = st.fingerprint(store)
            rows = r.json_lines(self.exits(self.opseal(store, "ls", "--utc", "--json"), 0))
            self.equal([row["session"] for row in rows],
                       [row["session"] for row in want["ls"]], "sessions")
            self.same_rows(rows, want["ls"])
            self.same_bytes(store, want["raw"])
            for row in want["ls"]:
                self.contains(self.opseal(store, "show", row["session"]).text, row["session"])
            if "log" in want:
                self.check(len(want["log"]) > 8, "few programs in " + name)
                self.equal(r.programs(self.opseal(store, "log", "--json")), want["log"], "log")
                # What was lost may have been anybody's: it makes no session.
                none = self.opseal(store, "log", "--session", "abcdefghijklmnop")
                self.exits(none, 2)
                self.contains(none.text + none.errtext, "no session abcdefghijklmnop")
            self.check(st.fingerprint(store) == before, "reading changed it")

    def test_verified(self):
        for name in self.names:
            store, want = self.unpack(name)
            result = self.exits(self.opseal(store, "verify"), 0, name)
            # Kind and place of each finding; the words after that may change.
            found = [line.split(":")[0] for line in result.text.splitlines()[:-2]]
            self.equal(found, [line.split(":")[0] for line in want["verify"][1][:-2]], "findings")
            self.equal(self.opseal(store, "checkpoint", "--vkey").text.strip(), want["vkey"], "vkey")
            self.equal(self.opseal(store, "checkpoint").text, want["note"], "checkpoint")
            note = self.write("note", want["note"])
            self.exits(self.opseal(store, "verify", "--against", note), 0, "--against its checkpoint")

    def test_a_changed_byte_is_named(self):
        for name in self.names:
            store, _ = self.unpack(name)
            segments = sorted(glob.glob(store + "/data/screen/*/*.seg"))
            programs = glob.glob(store + "/data/programs/*/*.seg")
            for path in [store + "/log/0/leaves", store + "/log/1/checkpoint", segments[0]] + programs:
                size = os.path.getsize(path)
                t.flip(path, size // 2)
                result = self.exits(self.opseal(store, "verify"), 3, path)
                self.contains(result.text, os.path.relpath(path, store), "findings")
                t.flip(path, size // 2)

    def test_continued(self):
        for name in self.names:
            store, want = self.unpack(name)
            inst = self.adopt(store)
            before = len(st.leaves(inst.store, 1))
            inst.start()
            term = self.record_pty(inst, ["sh", "-c", "echo years later"])
            self.equal(term.wait(), 0, "exit status")
            self.exits(inst.opseal("verify"), 0, "verify, while it goes on")
            # The session that was going on has no recorder any more.
            going = [row["session"] for row in want["ls"] if row["status"] == "active"]
            t.wait_for("the end of what was going on", lambda: not any(
                row["status"] == "active" for row in self.sessions(inst)))
            self.equal(inst.stop(), 0, "exit status of opseald")
            rows = r.json_lines(self.exits(inst.offline("ls", "--utc", "--json"), 0))
            self.equal(len(rows), len(want["ls"]) + 1, "sessions")
            self.equal([row["status"] for row in rows if row["session"] in going],
                       ["lost"] * len(going), "what was going on")
            self.same_rows([row for row in rows if row["session"] not in going],
                           [row for row in want["ls"] if row["session"] not in going])
            self.same_bytes(inst.store, want["raw"], but=going)
            self.contains(self.exits(inst.offline("cat", "last"), 0).text, "years later")
            note = self.write("note", want["note"])
            for args in (["verify"], ["verify", "--against", note]):
                self.exits(inst.offline(*args), 0, args)
            self.equal(os.listdir(inst.store + "/wal"), [], "wal after a clean stop")
            # The keys were accepted: the log goes on, or, on another machine
            # than it was made on, the next one says just that.
            if os.path.exists(inst.store + "/log/2"):
                boot = st.uncbor(st.leaves(inst.store, 2)[0])
                self.equal(boot[16], BOOT_MACHINE, "why there is another log")
            else:
                boot = st.uncbor(st.leaves(inst.store, 1)[before])
                self.equal((boot[0], boot[16]), (st.BOOT, BOOT_CRASH), "the leaf that goes on")
            self.equal(boot[1], FORMAT, "its format")


class Successor(Kept):
    """A store of several logs, started again: each start looks for what a crash
    left in the newest log, and must leave the others' segments alone."""

    def test_segments_of_the_logs_before_stay(self):
        inst = self.instance()
        raw = {}
        for log in range(3):
            if log > 0:
                os.unlink(inst.store + "/keys/resume")
            for start in range(3):
                inst.start() if inst.proc is None else None
                term = self.record_pty(inst, ["sh", "-c", "echo log %d start %d" % (log, start)])
                self.equal(term.wait(), 0, "exit status")
                inst.kill() if start == 1 else inst.stop()
                row = r.json_lines(inst.offline("ls", "--json"))[-1]
                raw[row["session"]] = [0, base64.b64encode(bytes(term.out)).decode()]
                self.exits(inst.offline("verify"), 0, "log %d, start %d" % (log, start))
                self.same_bytes(inst.store, raw)
        self.equal(sorted(os.listdir(inst.store + "/log")), ["0", "1", "2"], "logs")
        self.equal(len(raw), 9, "sessions")

    def test_a_removed_log_costs_no_segment(self):
        """What it held is evidence: verify names the log, and no start of the
        daemon makes it worse."""
        inst = self.instance()
        self.record_pty(inst, ["echo", "before"]).wait()
        inst.stop()
        os.unlink(inst.store + "/keys/resume")
        inst.start()
        inst.stop()
        shutil.rmtree(inst.store + "/log/0")
        before = {p: st.read(p) for p in inst.segments()}
        self.check(len(before) >= 2, "segments: %r" % list(before))
        inst.start()
        inst.stop()
        after = {p: st.read(p) for p in inst.segments()}
        self.check(before.items() <= after.items(), "segments were changed or removed")
        self.contains(self.exits(inst.offline("verify"), 3).text, "log/0", "findings")


t.main()
