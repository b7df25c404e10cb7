#!/usr/bin/python3
"""Copies of a store (design 4.8, doc/design/store.md): of a stopped store in
the order data, log, checkpoint; of a running one only a snapshot.

timeout: 300
"""
import os
import shutil
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import opsealstore as st
import opsealtest as t
import recorded as r

PARTS = ("data", "log", "checkpoint")


class Copies(r.Recorded):
    def setup(self):
        self.inst = self.instance(config="seal_after = 1ms\n")
        self.target = self.path("copy")
        self.raws = {}

    def say(self, *words):
        """Sessions that are over and sealed."""
        for word in words:
            term = self.record_pty(self.inst, ["echo", word])
            s = self.exact(self.inst, term)
            self.raws[s["session"]] = bytes(term.out)
        t.wait_for("the seal", lambda: r.json_lines(
            self.inst.opseal("status", "--json"))[0]["unsealed"] == 0)

    def part(self, name):
        """Copy one part of the store as it is now."""
        for rel in st.files(self.inst.store):
            kind = "checkpoint" if os.path.basename(rel) == "checkpoint" else rel.split("/")[0]
            if kind != name:
                continue
            to = os.path.join(self.target, rel)
            os.makedirs(os.path.dirname(to), exist_ok=True)
            shutil.copyfile(os.path.join(self.inst.store, rel), to)

    def verify(self):
        return self.inst.offline("verify", store=self.target)

    def complete(self):
        """The copy verifies by itself, and gives all sessions back."""
        self.exits(self.verify(), 0, "verify")
        self.exits(self.inst.offline("verify", "--quick", store=self.target), 0, "verify --quick")
        for session, raw in self.raws.items():
            got = self.inst.offline("export", session, "--format", "raw", store=self.target)
            self.equal(self.exits(got, 0).out, raw, "session %s" % session)

    def test_stopped(self):
        """Without keys, WAL and index it is whole."""
        self.say("one", "two", "three")
        self.equal(self.inst.stop(), 0, "exit status")
        for name in PARTS:
            self.part(name)
        self.equal(sorted(os.listdir(self.target)), ["data", "log"], "what was copied")
        self.complete()

    def test_running_but_at_rest(self):
        """Nothing is written meanwhile and all is sealed: the same."""
        self.say("one", "two")
        for name in PARTS:
            self.part(name)
        self.complete()

    def test_running(self):
        """What is sealed between the steps makes a copy that says so: leaves
        without their data in one order, too many leaves in the other."""
        self.say("one")
        self.part("data")
        self.say("two", "three")
        self.part("log")
        self.part("checkpoint")
        result = self.exits(self.verify(), 3, "data first")
        self.matches(result.text, r"^MISSING data/", "data first")
        shutil.rmtree(self.target)
        self.part("checkpoint")
        self.say("four", "five", "six")
        self.part("log")
        self.part("data")
        result = self.exits(self.verify(), 3, "checkpoint first")
        self.matches(result.text, r"^TAMPER log/0", "checkpoint first")

    def test_snapshot(self):
        """All of it at one moment, as a snapshot of the file system has it: to
        the store a power cut.  Also while sessions go on."""
        self.say("one", "two")
        stop = self.path("stop")
        terms = [self.record_pty(self.inst, ["sh", "-c", (
            "i=0; until [ -e %s ]; do i=$((i+1)); echo line $i; sleep 0.01; done") % stop])
            for _ in range(2)]
        for term in terms:
            term.expect("line 20\r")
        for _ in range(5):
            writer = r.role_pids(self.inst, "writer")
            r.kill(*writer, number=signal.SIGSTOP)
            t.wait_for("a standing writer", lambda: all(stands(pid) for pid in writer))
            shutil.copytree(self.inst.store, self.target)
            r.kill(*writer, number=signal.SIGCONT)
            shutil.rmtree(self.target + "/keys")
            self.complete()
            shutil.rmtree(self.target)
        open(stop, "w").close()
        for term in terms:
            self.exact(self.inst, term)

    def test_the_document_says_so(self):
        text = " ".join(st.read(os.path.join(t.SOURCE, "doc/design/store.md")).decode().split())
        self.contains(text, "So copy a stopped store, or a snapshot")


def stands(pid):
    """Stopped with all its threads."""
    states = []
    for task in os.listdir("/proc/%d/task" % pid):
        with open("/proc/%d/task/%s/stat" % (pid, task), "rb") as f:
            states.append(f.read().rpartition(b")")[2].split()[0])
    return set(states) == {b"T"}


t.main()
