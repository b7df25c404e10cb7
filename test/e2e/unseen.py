#!/usr/bin/python3
# timeout: 300
"""Logins without a session (opseal status --coverage), and what opseal status tells an
ordinary user of himself: with Debian's real sshd and our PAM module."""
import datetime
import json
import os
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import captured as c
import opsealtest as t
import recorded as r
import sshhost

PEOPLE = "/etc/opseal/people"


class Unseen(t.Test):
    def setup(self):
        sshhost.need()
        module = os.path.join(t.programs(), "pam_opseal.so")
        if not os.path.exists(module):
            t.skip("pam_opseal.so was not built")
        if t.SANITIZE:
            t.skip("sshd can't load a module that has sanitizers in it")
        pam = ("auth required pam_permit.so\naccount required pam_permit.so\n"
               "session required pam_loginuid.so\nsession optional %s timeout=5\n" % module)
        os.mkdir(self.path("h"))
        self.host = sshhost.Host(self.path("h"), pam=pam)
        self.later(self.host.close)
        self.host.set_shells()

    def serve(self, config="", capture=False):
        if capture:
            c.need_capture()
        self.inst = self.host.instance(self, config="seal_after = 200ms\n" + config, capture=capture)
        if capture:
            c.wait_captured(self.inst)

    def coverage(self, *args, status=0):
        rows = r.json_lines(self.exits(
            self.inst.opseal("status", "--coverage", "--json", *args), status))
        sums, = [x for x in rows if x["kind"] == "logins"]
        return sums, [x for x in rows if x["kind"] == "login"]

    def of(self, user):
        return [x for x in self.coverage()[1] if x["user"] == user]

    @staticmethod
    def too_new(row):
        """What it did may not be in the log yet."""
        return (row["reason"] or "").startswith("not to be said yet")

    def test_recorded_ones_are_not_listed(self):
        self.serve()
        self.exits(self.host.ssh("anna", "h", "true"), 0)
        self.exits(self.host.ssh("ben", "h", "echo there"), 0)
        sums, rows = self.coverage()
        self.check(sums["recorded"] >= 2, "recorded: %r" % sums)
        self.equal((sums["assumed"], sums["by_hand"]), (0, 0), "sums: %r" % sums)
        self.equal([x for x in rows if x["user"] in ("anna", "ben")], [], "unseen")
        text = self.exits(self.inst.opseal("status", "--coverage"), 0).text
        self.matches(text, r"(?m)^logins +\d+: \d+ with a session from their begin(, |$)")
        self.check(not re.search(r"(?m)^logins.*[ :]0 ", text), "a count of 0: " + text)

    def test_nothing_compared(self):
        """Whether accounting is on, and what to do."""
        def since(*args):
            return self.inst.opseal("status", "--coverage", *args).text.splitlines()[0]
        self.serve()
        never = "since       never: nothing was compared "
        self.equal(since(), never + 'yet: accounting isn\'t on; "accounting = on" in opseal.conf(5) '
                   "switches it on as opseald starts")
        self.equal(since("--until", "-1h"), never + "in that time")
        self.exits(self.inst.opseal("off", "--reason", "a new disk"), 0)
        self.equal(since(), never + "yet: recording is switched off")

    def test_no_program(self):
        """internal-sftp, and a connection that only forwards ports."""
        self.host.restart_sshd("Subsystem sftp internal-sftp\n")
        self.serve(capture=True)
        batch = self.host.write("batch", "ls /\n")
        self.exits(self.host.run(["sftp", "-q", "-F", os.path.join(self.host.folder, "ssh_config"),
                                  "-b", batch, "anna@h"]), 0)
        row, = t.wait_for("the login", lambda: [
            x for x in self.of("anna") if x["end"] and not self.too_new(x)])
        self.equal((row["service"], row["from"]), ("sshd", "127.0.0.1"), row)
        self.contains(row["reason"], "internal-sftp", "reason")
        quiet = subprocess.Popen(self.host.ssh_argv("ben", "-N", "h"), preexec_fn=self.host.enter,
                                 stdin=subprocess.DEVNULL)
        self.later(lambda: (quiet.kill(), quiet.wait()))
        row, = t.wait_for("the login", lambda: [
            x for x in self.of("ben") if not self.too_new(x)])
        self.equal((row["end"], row["active"]), (None, row["ses"] is not None), row)
        self.contains(row["reason"], "ssh -N", "reason")

    def chsh(self, shell):
        """anna's, in the user database."""
        def change():
            with open("/etc/passwd") as f:
                text = f.read()
            with open("/etc/passwd", "w") as f:
                f.write(re.sub(r"(?m)^(anna:.*:)\S+$", r"\1" + shell, text))
        self.host.inside(change)

    def record(self, *words):
        return " ".join((t.program("opseal"), "record", "--") + words)

    def by_hand(self, status=0):
        """Her only login: it is listed, with the time from which on it is recorded."""
        row, = self.of("anna")
        session, = r.json_lines(self.exits(self.inst.opseal("ls", "--json"), status))
        start, recorded = (datetime.datetime.fromisoformat(x) for x in (row["start"], row["recorded_from"]))
        self.check(abs((recorded - datetime.datetime.fromisoformat(session["start"])).total_seconds()) < 1,
                   "recorded_from: %r, %r" % (row, session))
        self.check(recorded >= start, "times: %r" % row)
        self.equal(row["reason"], None, "reason of %r" % row)
        sums, _ = self.coverage()
        self.equal((sums["by_hand"], sums["recorded"]), (1, 0), "sums: %r" % sums)
        self.check(sums["unexplained"] >= 1, "sums: %r" % sums)
        text = self.inst.opseal("status", "--coverage").text
        self.matches(text, r"(?m)^logins +\d+: 1 with one that was begun later, by hand(, |$)")
        self.matches(text, r"(?m)^\S+ \S+ +anna .*recorded by hand from \d\d:\d\d:\d\d, login since \d\d:")

    def test_recorded_by_hand(self):
        """Around the door, then opseal record: known by descent alone."""
        self.serve()
        self.chsh("/bin/sh")
        self.exits(self.host.ssh("anna", "h", "sleep 1; %s; true" % self.record("true")), 0)
        self.by_hand()

    def test_recorded_by_hand_on_a_terminal(self):
        self.serve()
        self.chsh("/bin/sh")
        self.exits(self.host.ssh("anna", "-tt", "h", "%s; true" % self.record("echo", "here")), 0)
        self.by_hand()

    def test_shell_that_became_a_door(self):
        """No other process stands between, so only capture tells."""
        self.serve(capture=True)
        self.chsh("/bin/sh")
        self.exits(self.host.ssh("anna", "h", "exec %s" % self.record("true")), 0)
        t.wait_for("its programs", lambda: self.of("anna"))
        self.by_hand()

    def test_door_is_seen_by_capture(self):
        self.serve(capture=True)
        self.exits(self.host.ssh("anna", "h", "true"), 0)
        self.exits(self.host.ssh("anna", "-tt", "h", self.record("true")), 0)  # one within
        t.wait_for("its programs", lambda: "opseal-shell" in self.inst.opseal("log", "opseal-shell").text)
        sums, rows = self.coverage()
        self.equal([x for x in rows if x["user"] == "anna"], [], "unseen")
        self.equal((sums["by_hand"], sums["assumed"]), (0, 0), "sums: %r" % sums)

    def test_shell_that_was_put_back(self):
        """What doctor --report, once an hour, does not see."""
        self.serve(capture=True)
        self.chsh("/bin/sh")
        self.exits(self.host.ssh("anna", "h", "/bin/true"), 0)
        self.chsh(sshhost.DOOR)
        self.exits(self.host.ssh("anna", "h", "/bin/true"), 0)
        row, = t.wait_for("the login", lambda: [
            x for x in self.of("anna") if not self.too_new(x)])
        self.equal((row["reason"], row["recorded_from"]), (None, None), "%r" % row)
        self.check(self.coverage()[0]["unexplained"] >= 1, "sums")

    def test_while_it_was_off(self):
        self.serve()
        self.exits(self.host.ssh("anna", "h", "true"), 0)
        self.exits(self.inst.opseal("off", "--reason", "a new disk"), 0)
        self.exits(self.host.ssh("ben", "h", "true"), 0)
        self.inst.restart()
        self.exits(self.host.ssh("ben", "h", "true"), 0)
        self.exits(self.inst.opseal("on"), 0)
        self.exits(self.host.ssh("ben", "h", "true"), 0)
        rows = self.of("ben")
        self.equal([x["reason"] for x in rows], ["recording was off (root: a new disk)"] * 2, "reasons")
        self.equal(self.of("anna"), [], "anna's")
        text = self.inst.opseal("status", "--coverage").text
        self.matches(text, r"(?m)^logins +\d+: .*\d without, for a reason told below(, |$)")
        self.matches(text, r"(?m)^\S+ \S+ +ben .*recording was off \(root: a new disk\)")

    def test_shell_that_is_no_door(self):
        self.serve(capture=True)
        self.chsh("/bin/sh")
        begin = time.time()
        self.exits(self.host.ssh("anna", "h", "/bin/true"), 0)
        row, = t.wait_for("the login", lambda: [
            x for x in self.of("anna") if not self.too_new(x)])
        self.equal(row["reason"], None, "reason of %r" % row)
        sums, _ = self.coverage()
        self.check(sums["unexplained"] >= 1, "sums: %r" % sums)
        text = self.inst.opseal("status", "--coverage").text
        self.matches(text, r"(?m)^logins +\d+: .*\d without, for no known reason$")
        self.matches(text, r"(?m)^\S+ \S+ +anna .*NOT KNOWN")
        _, rows = self.coverage("--since", "@%d" % (begin + 3600))
        self.equal([x for x in rows if x["user"] == "anna" and not x["active"]], [], "later ones")

    def test_only_ones_own(self):
        self.host.restart_sshd("Subsystem sftp internal-sftp\n")
        self.serve()
        batch = self.host.write("batch", "ls /\n")
        for name in ("anna", "ben"):
            self.exits(self.host.run(["sftp", "-q", "-F", self.host.folder + "/ssh_config",
                                      "-b", batch, name + "@h"]), 0)
        t.wait_for("both", lambda: self.of("anna") and self.of("ben"))
        # By ssh: a person may see only what the same person did.
        seen = self.host.ssh("anna", "h", t.program("opseal") + " status --coverage --json")
        users = {x["user"] for x in r.json_lines(self.exits(seen, 0)) if x["kind"] == "login"}
        self.equal(users, {"anna"}, "whose logins anna sees")

    def entry(self, name):
        uid = self.host.uid(name)
        return type("Entry", (), {"pw_name": name, "pw_uid": uid, "pw_gid": uid, "pw_dir": "/"})

    def test_status_of_ones_own(self):
        """As whom, in which session, until when, read by whom."""
        key = self.exits(t.run(["ssh-keygen", "-l", "-f", self.host.folder + "/key.pub"]), 0)
        self.host.put(PEOPLE, "key %s \"Anna Alvarez\"\n" % key.text.split()[1])
        self.serve(config="keep_screens = 90d\nkeep_events = 400d\n")
        opseal = t.program("opseal")
        one = json.loads(self.exits(self.host.ssh("anna", "h", opseal + " status --json"), 0).text)
        session, = r.json_lines(self.inst.opseal("ls", "--json"))
        # Its wall time is by the clock of now until that is sealed.
        told, listed = (datetime.datetime.fromisoformat(x) for x in (one["session_start"], session["start"]))
        self.check(abs((told - listed).total_seconds()) < 1, "session_start: %s, %s" % (told, listed))
        self.equal({k: one[k] for k in ("you", "person", "person_how", "session", "reads_all")},
                   {"you": "anna", "person": "Anna Alvarez", "person_how": "map",
                    "session": session["session"], "reads_all": False}, "what anna is told")
        self.matches(one["readers"], r"^root\b", "readers")
        text = self.exits(self.host.ssh("anna", "-tt", "h", opseal + " status"), 0).text
        self.matches(text, r"(?m)^you +recorded as anna, person Anna Alvarez "
                     r"\(root's list of people says so\)")
        newest = r.json_lines(self.inst.opseal("ls", "--json"))[-1]
        self.matches(text, r"(?m)^session +%s, since 20" % newest["session"])
        self.matches(text, r"its screens are kept until 20\d\d-\d\d-\d\d; its programs until 20")
        self.matches(text, r"(?m)^read by +you, root")
        whole = json.loads(self.inst.opseal("status", "--json").text)
        self.equal((whole["reads_all"], whole["session"]), (True, None), "of root")

    def test_status_outside_of_any_session(self):
        self.serve()
        result = self.host.run([t.program("opseal"), "status"], user=self.entry("anna"))
        self.matches(self.exits(result, 0).text,
                     r"(?m)^session +none: what is done here is NOT recorded")


t.main()
