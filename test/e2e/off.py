#!/usr/bin/python3
# timeout: 600
"""opseal off, opseal on: recording stops and goes on as root says, the log has who and
why before anything stops, and nobody is hindered by it."""
import errno
import glob
import json
import os
import pwd
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import captured as c
import faults
import opsealipc as ipc
import opsealtest as t
import recorded as r
import sshhost

WHY = "the disk is being replaced"
OFF, ON = 7, 8  # DAEMON


def switch_payload(what, reason=None):
    body = {1: what, 2: 0, 4: 0, 5: 0}
    if reason is not None:
        body[3] = reason
    return bytes(10) + ipc.cbor(body)


class Switch(r.Recorded):
    def off(self, inst, reason=WHY, status=0, **options):
        return self.exits(inst.opseal("off", "--reason", reason, **options), status)

    def on(self, inst, status=0):
        return self.exits(inst.opseal("on"), status)

    def status(self, inst):
        result = inst.opseal("status", "--json")
        found = r.json_lines(result)[0]
        self.equal(result.status, 0 if found["state"] == "ok" else 2, "exit status of status")
        return found

    def is_off(self, inst, reason=WHY):
        found = self.status(inst)
        self.equal((found["state"], found["off_reason"]), ("off", reason), "%r" % found)
        return found

    def is_on(self, inst):
        found = self.status(inst)
        self.equal((found["state"], found["off_since"], found["off_by"], found["off_reason"]),
                   ("ok", None, None, None), "%r" % found)

    def log_says(self, inst, text):
        """How often a text is in the events of a stopped store."""
        data = b"".join(t.run(["zstd", "-dcq", path]).out for path in
                        sorted(glob.glob(os.path.join(inst.store, "data/events/*/*.seg"))))
        return data.count(text.encode())

    def well(self, inst):
        """Nothing that happened looks like tampering."""
        result = self.exits(inst.offline("verify"), 0)
        self.check("TAMPER" not in result.text and "FORGED" not in result.text, result.text)
        return result.text


class Sessions(Switch):
    def test_off_and_on(self):
        """A session that runs: what it shows meanwhile is counted, and what came before and comes
        after is there to the byte."""
        inst = self.instance()
        term = self.record_pty(inst, ["sh", "-c", "stty -echo; for i in 1 2 3 4; do echo part $i; read x; done; exit 6"])
        term.expect("part 1\r\n")
        before = time.time()
        self.equal(self.off(inst).text, "recording is off, until opseal on\n", "off")
        term.expect("recording is switched off by .*: %s; this part is not recorded\r\n" % WHY)
        found = self.is_off(inst)
        self.check(found["off_since"] >= time.strftime("%Y-%m-%dT%H", time.gmtime(before)), "since: %r" % found)
        self.check(found["off_by"].startswith(pwd.getpwuid(os.getuid()).pw_name), "by: %r" % found)
        text = self.exits(inst.opseal("status"), 2).text.splitlines()
        self.matches(text[0], r"^state +OFF since 20.*: NOTHING is recorded. By .*: %s$" % WHY)
        for wanted in ("opseal_recording 0\n", "opseal_switched_off 1\n"):
            self.contains(inst.opseal("status", "--metrics").text, wanted)
        for line in ("2", "3"):
            term.line("")
            term.expect("part %s\r\n" % line)
        self.equal(self.on(inst).text, "recording is on\n", "on")
        self.is_on(inst)
        term.expect(r.BACK_NOTICE.decode())
        t.wait_for("the gap to end", lambda: self.session(inst, term)["bytes_lost"])
        term.line("")
        term.expect("part 4\r\n")
        term.line("")
        self.equal(term.wait(), 6, "status")
        s = self.ended(inst, term, "gapped")
        shown = inst.opseal("cat", s["session"])
        for part, there in (("1", True), ("2", False), ("3", False), ("4", True)):
            self.equal("part " + part in shown.text, there, "part %s: %r" % (part, shown))
        self.equal(s["bytes_lost"], len("part 2\r\npart 3\r\n"), "bytes lost")
        rows = r.json_lines(inst.opseal("export", s["session"], "--format", "json"))
        self.equal([x["why"] for x in rows if x["type"] == "gap"], ["off"], "why, in the export")
        self.contains(inst.log(), "recording is switched off by ", "log")
        self.contains(inst.log(), "recording is switched on again by ", "log")
        self.equal(inst.stop(), 0, "stop")
        self.equal(self.log_says(inst, WHY), 1, "times that the log says why")
        self.contains(self.well(inst), "16 bytes were not recorded: recording was switched off", "verify")
        self.equal(os.path.exists(os.path.join(inst.store, "switch")), False, "the file")

    def test_log(self):
        """opseal log has both as lines of their own, and who may read only his own has them, too."""
        inst = self.instance()
        rows = r.json_lines(inst.opseal("log", "--json"))
        self.equal([x for x in rows if x["kind"] in ("off", "on")], [], "before")
        follow = subprocess.Popen(inst.argv("log", "--follow", "--json"), stdout=subprocess.PIPE,
                                  stderr=subprocess.DEVNULL)
        self.later(lambda: (follow.kill(), follow.wait()))
        before = time.time()
        self.off(inst)
        inst.restart()  # it says so once more
        self.on(inst)
        name = pwd.getpwuid(os.getuid()).pw_name
        off, on = [json.loads(follow.stdout.readline()) for _ in range(2)]
        self.equal((off["kind"], off["uid"], off["user"], off["reason"], off["source"]),
                   ("off", os.getuid(), name, WHY, "opseald"), "off, followed")
        self.equal((on["kind"], on["uid"], on["user"]), ("on", os.getuid(), name), "on, followed")
        ways = [inst.opseal("log", "--json"), inst.offline("log", "--json")]
        if t.is_root():
            ways.append(t.run([t.program("opseal"), "--run", inst.run_dir, "log", "--json"],
                              preexec=t.become(t.person())))
        for got in ways:
            found = [x for x in r.json_lines(got) if x["kind"] in ("off", "on")]
            self.equal([x["kind"] for x in found], ["off", "on"], "%r" % got)
            self.equal((found[0]["reason"], found[0]["boottime"]), (WHY, off["boottime"]), "%r" % got)
        text = inst.opseal("log").text
        self.matches(text, r"(?m)\[recording was switched off by %s[^\n]*: %s\]" % (name, WHY))
        self.matches(text, r"(?m)\[recording was switched on by %s" % name)
        later = inst.opseal("log", "--json", "--since", "@%d" % (before + 3600))
        self.equal([x for x in r.json_lines(later) if x["kind"] in ("off", "on")], [], "of another time")
        # Of a name that nothing has they say nothing.
        self.equal(r.json_lines(inst.opseal("log", "--json", "no-such-program")), [], "nothing")

    def test_show(self):
        """Who switched, and why, stands in the timeline of a session that went on then, and of no other."""
        inst = self.instance()
        early = self.record_pty(inst, ["true"])
        early.wait()
        early = self.ended(inst, early, "closed")
        term = self.record_pty(inst, ["sh", "-c", "echo here; read x; echo there; exit 6"])
        term.expect("here")
        self.off(inst)
        term.expect("this part is not recorded")
        going = inst.opseal("show", self.session(inst, term)["session"])
        self.contains(going.text, "[recording was switched off by ")
        self.on(inst)
        t.wait_for("the gap to end", lambda: self.session(inst, term)["bytes_lost"] is not None)
        term.line("")
        self.equal(term.wait(), 6, "status")
        s = t.wait_for("its end", lambda: [x for x in self.sessions(inst)
                       if x["session"] != early["session"] and x["end"]])[0]
        name = pwd.getpwuid(os.getuid()).pw_name
        for ask in (inst.opseal, inst.offline):
            self.matches(ask("show", s["session"]).text, r"(?ms)^ +0:\d\d(\.\d+)?  \[recording was switched off by %s"
                         r"[^\n]*: %s\].*\[recording was switched on by %s" % (name, WHY, name))
            shown = r.json_lines(ask("show", s["session"], "--json"))[0]
            off, on = [x for x in shown["timeline"] if x["type"] in ("off", "on")]
            self.equal((off["type"], off["session"], off["uid"], off["user"], off["reason"]),
                       ("off", s["session"], os.getuid(), name, WHY), "off")
            self.equal((on["type"], on["user"], "reason" in on), ("on", name, False), "on")
            self.check(0 < off["offset"] < on["offset"], "offsets: %r" % [off, on])
            self.equal([x for x in shown["programs"] if x["kind"] in ("off", "on")], [], "its programs")
            self.check("switched" not in ask("show", early["session"]).text, "of one that had ended")

    def test_ends_meanwhile(self):
        """A session that ends while it is off has its end in the log, and what it lacks."""
        inst = self.instance()
        term = self.record_pty(inst, ["sh", "-c", "echo seen; read x; echo unseen; exit 3"])
        term.expect("seen")
        self.off(inst)
        term.expect("this part is not recorded")
        term.line("")
        self.equal(term.wait(), 3, "status")
        s = self.ended(inst, term, "gapped")
        self.equal((s["exit"], s["bytes_lost"] > 0), (3, True), "%r" % s)
        self.is_off(inst)
        inst.stop()
        self.well(inst)

    def test_refuse_is_not_for_it(self):
        """on_log_failure is about a log that fails, and not about what root wants."""
        inst = self.instance(config="on_log_failure = refuse\nhold_time = 200ms\n")
        term = self.record_pty(inst, ["sh", "-c", "echo seen; read x; echo more; exit 3"], user=r.not_root())
        term.expect("seen")
        self.off(inst)
        term.expect("this part is not recorded")
        term.line("")
        self.equal(term.wait(), 3, "status")

    def test_recorded_by_hand(self):
        """`opseal record` promises a record: it runs nothing, or says what it doesn't do."""
        inst = self.instance()
        self.off(inst)
        got = inst.opseal("record", "--", "echo", "ran")
        self.equal((got.status, got.out), (2, b""), "%r" % got)
        self.matches(got.errtext, r"nothing was run: recording is switched off by .*: %s\n$" % WHY)
        got = t.run([t.program("opseal-door"), "--run", inst.run_dir, "--if-unavailable", "run", "--", "echo", "ran"])
        self.equal((got.status, got.out), (0, b"ran\n"), "%r" % got)
        self.matches(got.errtext, r"^opseal-door: this is not recorded: recording is switched off by ")
        self.equal(self.is_off(inst)["off_sessions"], 2, "counted")
        self.equal(self.sessions(inst), [], "sessions")
        self.on(inst)
        self.exits(inst.opseal("record", "--", "true"), 0)
        self.equal(len(self.sessions(inst)), 1, "sessions")


class Steps(Switch):
    def test_outlasts(self):
        """A restart and a crash; each run of the daemon says so in the log."""
        inst = self.instance()
        self.off(inst)
        since = self.is_off(inst)["off_since"]
        inst.restart()
        self.equal(self.is_off(inst)["off_since"], since, "since")
        inst.kill()
        inst.start()
        self.equal(self.is_off(inst)["off_since"], since, "since")
        # The writer alone, too.
        writer = inst.role("writer")
        os.kill(writer, signal.SIGKILL)
        t.wait_for("another writer", lambda: inst.role("writer") not in (None, writer))
        t.wait_for("its answer", lambda: inst.opseal("status").status == 2)
        t.wait_for("status", lambda: "OFF since" in inst.opseal("status").text)
        self.on(inst)
        self.is_on(inst)
        inst.restart()
        self.is_on(inst)
        self.equal(inst.stop(), 0, "stop")
        self.equal(self.log_says(inst, WHY), 4, "times that the log says so")
        self.well(inst)

    def test_twice(self):
        inst = self.instance()
        self.matches(self.on(inst).errtext, "it is on; nothing was changed")
        self.off(inst)
        got = self.off(inst, "another reason")
        self.matches(got.errtext, "it is switched off already, by .*: %s; nothing was changed" % WHY)
        self.is_off(inst)
        self.on(inst)
        inst.stop()
        self.equal((self.log_says(inst, WHY), self.log_says(inst, "another reason")), (1, 0), "events")

    def test_reasons(self):
        """One line that can be shown as it is."""
        inst = self.instance()
        for reason, said in (("", "the reason is empty"), ("  ", "the reason is empty"), ("a\nb", "can't be shown"),
                             ("a\x1b[2Jb", "can't be shown"), (b"a\xff", "can't be shown"), ("x" * 201, "201 bytes")):
            self.contains(self.off(inst, reason, status=2).errtext, said, repr(reason))
        self.contains(self.exits(inst.opseal("off"), 2).errtext, "--reason is missing")
        self.is_on(inst)
        self.off(inst, "x" * 198 + "ö")
        self.is_off(inst, "x" * 198 + "ö")

    def test_who_may(self):
        """Root, and in a private instance its owner: nobody else, whatever he says."""
        t.need_root("root, to be somebody else")
        inst = self.instance()
        got = inst.opseal("off", "--reason", WHY, user=t.person())
        self.equal(got.status, 4, "%r" % got)
        self.contains(got.errtext, "only root switches recording off and on")
        got = inst.offline("off", "--reason", WHY, user=t.person())
        self.equal(got.status in (2, 4), True, "%r" % got)
        self.is_on(inst)
        self.equal(os.path.exists(os.path.join(inst.store, "switch")), False, "the file")

    def test_not_by_a_role(self):
        """What runs as the log's own user, such as a recorder, may not."""
        t.need_root("root, to be the log's user")
        inst = self.instance()
        if "--no-drop" in inst.daemon_args:
            t.skip("no user opseal here, or it can't reach the programs")
        entry = pwd.getpwnam("opseal")

        def ask():
            conn = ipc.Conn(os.path.join(inst.run_dir, "record.sock"))
            conn.send(ipc.SWITCH, switch_payload(OFF, b"by a role"))
            return 0 if conn.ended() else 1
        self.equal(t.call_as(entry, ask), 0, "cut off")
        t.wait_for("the daemon to say so", lambda: "may not switch recording off" in inst.log())
        self.is_on(inst)

    def test_no_daemon(self):
        """It is off as the next one starts, and on again the same way."""
        inst = self.instance()
        self.exits(inst.opseal("record", "--", "true"), 0)
        inst.stop()
        got = self.exits(inst.offline("off", "--reason", WHY), 0)
        self.matches(got.text, "^recording is off, also when opseald is started")
        self.matches(self.exits(inst.offline("off", "--reason", "again"), 0).errtext, "off already, by .*: " + WHY)
        inst.start()
        self.is_off(inst)
        inst.stop()
        got = self.exits(inst.offline("on"), 0)
        self.matches(got.text, "^recording is on as soon as opseald is started")
        self.matches(self.exits(inst.offline("on"), 0).errtext, "it is on")
        inst.start()
        self.is_on(inst)
        self.equal(os.path.exists(os.path.join(inst.store, "switch")), False, "the file")
        # Of a daemon that runs elsewhere the store isn't another's to switch.
        got = self.exits(inst.offline("off", "--reason", WHY), 2)
        self.contains(got.errtext, "an opseald writes this store, though none answers")
        self.is_on(inst)
        inst.stop()
        self.well(inst)
        got = t.run([t.program("opseal"), "--run", self.path("none"), "off", "--reason", WHY], env={"OPSEAL_STORE": ""})
        self.equal(got.status, 2, "%r" % got)
        self.contains(got.errtext, "--store says which store")

    def test_who_asked_is_gone(self):
        """`opseal off` is killed once it has asked: it is off."""
        inst = self.instance()
        conn = ipc.Conn(os.path.join(inst.run_dir, "record.sock"))
        conn.send(ipc.SWITCH, switch_payload(OFF, WHY.encode()))
        conn.close()
        t.wait_for("it to be off", lambda: "OFF since" in inst.opseal("status").text)
        self.on(inst)

    def test_killed_between(self):
        """The daemon is killed when the log has it, before it is kept: it is on, and the log shows that,
        since that run says nothing of off."""
        fault = faults.Faults(self)
        inst = self.instance(env=fault.env)
        fault.fail("rename", number=0, role="writer")
        got = inst.opseal("off", "--reason", WHY)
        fault.heal()
        self.equal(got.status, 2, "%r" % got)
        t.wait_for("the next writer", lambda: inst.opseal("status").status == 0)
        self.is_on(inst)
        self.exits(inst.opseal("record", "--", "true"), 0)
        inst.stop()
        self.well(inst)

    def test_in_the_log_first(self):
        """A log that can't be written can't say it, so nothing stops; as soon as it has it, it does."""
        fault = faults.Faults(self)
        inst = self.instance(env=fault.env, config="hold_time = 60s\n")
        term = self.record_pty(inst, ["sh", "-c", "echo here; read x; echo there; read x; exit 2"])
        term.expect("here")
        fault.fail("pwrite sync", errno.EIO)
        got = inst.opseal("off", "--reason", WHY)
        self.equal(got.status, 2, "%r" % got)
        self.matches(got.errtext, "the log can't be written: .*; it is switched off as soon as the log has it")
        self.equal(self.status(inst)["state"], "failed", "state")
        got = inst.opseal("off", "--reason", "another")
        self.matches(got.errtext, "another switch is not in the log yet")
        fault.heal()
        t.wait_for("it to be off", lambda: "OFF since" in inst.opseal("status").text)
        term.expect("this part is not recorded")
        # And on goes through whatever the log does.
        fault.fail("pwrite sync", errno.EIO)
        self.on(inst)
        fault.heal()
        t.wait_for("it to be well", lambda: inst.opseal("status").status == 0)
        term.line("")
        term.line("")
        self.equal(term.wait(), 2, "status")
        inst.stop()
        self.well(inst)

    def test_notified(self):
        out = self.write("out", "")
        os.chmod(out, 0o666)
        script = self.write("tell", "#!/bin/sh\ncat >>%s\n" % out)
        os.chmod(script, 0o755)
        inst = self.instance(config="notify = %s\n" % script)

        def kinds():
            with open(out) as f:
                return [json.loads(line) for line in f.read().splitlines()]
        self.off(inst)
        t.wait_for("off", lambda: [x["kind"] for x in kinds()] == ["off"], 20)
        self.matches(kinds()[0]["detail"], "recording is switched off by .*: " + WHY)
        self.on(inst)
        t.wait_for("on", lambda: [x["kind"] for x in kinds()] == ["off", "on"], 20)

    def test_broken_file(self):
        """What says so can't be read: it is on, and said."""
        inst = self.instance()
        self.off(inst)
        inst.stop()
        path = os.path.join(inst.store, "switch")
        t.flip(path, 12)
        inst.start()
        self.is_on(inst)
        self.matches(inst.log(), "STORE/switch: .*: recording is on")
        self.off(inst)
        self.is_off(inst)
        inst.stop()
        self.well(inst)


class Forged(Switch):
    """STORE/switch, written by who has the daemon's user: a role that was taken over, say."""
    REASON = "so that nobody sees it"

    def setup(self):
        t.need_root("root, to be the log's user")
        t.need_program("setpriv")

    def forged(self, **options):
        """An instance; findings: what notify is told."""
        self.out = self.write("out", "")
        os.chmod(self.out, 0o666)
        script = self.write("tell", "#!/bin/sh\ncat >>%s\n" % self.out)
        os.chmod(script, 0o755)
        inst = self.instance(config="notify = %s\n" % script, **options)
        if "--no-drop" in inst.daemon_args:
            t.skip("no user opseal here, or it can't reach the programs")
        return inst

    def findings(self):
        with open(self.out) as f:
            return [json.loads(line)["kind"] for line in f.read().splitlines()]

    def file(self, inst):
        return os.path.join(inst.store, "switch")

    def as_opseal(self, script, stdin=b""):
        self.exits(t.run(["setpriv", "--reuid=opseal", "--regid=opseal", "--clear-groups", "sh", "-c", script],
                         stdin=stdin), 0, "as opseal")

    def forge(self, inst, what=OFF):
        payload = bytes(10) + ipc.cbor({1: what, 2: 0, 3: self.REASON.encode(), 4: 0, 5: time.time_ns(), 6: 0, 7: 0,
                                        8: b"root", 9: b"root"})
        self.as_opseal("umask 077; cat >%s" % self.file(inst), payload)

    def not_believed(self, inst):
        found = t.wait_for("the fault", lambda: self.status(inst)["switch_fault"], 20)
        self.matches(found, "^STORE/switch is there, and not the writer's: recording is on, whatever it says; opseal on removes it$")
        self.is_on(inst)
        self.contains(self.exits(inst.opseal("status"), 0).text, "\nSWITCH      STORE/switch is there, and not")
        before = len(self.sessions(inst))
        self.exits(inst.opseal("record", "--", "true"), 0)
        t.wait_for("its session", lambda: len(self.sessions(inst)) == before + 1)

    def test_while_it_runs(self):
        inst = self.forged()
        term = self.record_pty(inst, ["sh", "-c", "echo part 1; read x; echo part 2; read x; exit 6"])
        term.expect("part 1\r\n")
        self.forge(inst)
        self.not_believed(inst)
        term.line("")
        term.expect("part 2\r\n")
        # Once, however often it is looked at, and whatever it says meanwhile.
        for what in (OFF, ON, OFF):
            self.forge(inst, what)
            time.sleep(3.5)
        self.equal(self.findings(), ["switch"], "findings")
        term.line("")
        self.equal(term.wait(), 6, "status")
        self.ended(inst, term, "closed")
        # The writer alone, too.
        writer = inst.role("writer")
        os.kill(writer, signal.SIGKILL)
        t.wait_for("another writer", lambda: inst.role("writer") not in (None, writer))
        t.wait_for("its answer", lambda: inst.opseal("status").status == 0)
        self.not_believed(inst)
        # It is removed by who may.
        self.matches(self.on(inst).errtext, "it is on; nothing was changed")
        self.equal((os.path.exists(self.file(inst)), self.status(inst)["switch_fault"]), (False, None), "the file")
        # And is no hindrance to who may switch it off.
        self.forge(inst)
        self.off(inst)
        self.equal(self.is_off(inst)["switch_fault"], None, "fault")
        inst.restart()
        self.is_off(inst)
        self.on(inst)
        inst.stop()
        self.equal(self.log_says(inst, self.REASON), 0, "times that the log says it")
        self.well(inst)

    def test_at_the_start(self):
        inst = self.forged()
        inst.stop()
        self.forge(inst)
        inst.start()
        self.matches(inst.log(), "STORE/switch: the log says nothing of it: recording is on")
        self.not_believed(inst)
        t.wait_for("the finding", lambda: "switch" in self.findings())
        inst.kill()
        inst.start()
        self.not_believed(inst)
        inst.stop()
        self.equal(self.log_says(inst, self.REASON), 0, "times that the log says it")
        self.equal(self.findings().count("switch"), 2, "findings, one each start: %r" % self.findings())
        # Nor by who switches it where no daemon runs.
        self.matches(self.exits(inst.offline("on"), 0).errtext, "it is on")
        self.equal(os.path.exists(self.file(inst)), False, "the file")
        self.forge(inst)
        self.matches(self.exits(inst.offline("off", "--reason", WHY), 0).text, "^recording is off")
        inst.start()
        self.is_off(inst)
        inst.stop()
        self.well(inst)

    def test_old_one_put_back(self):
        """Of an off that was root's, and is over."""
        inst = self.forged()
        kept = os.path.join(inst.store, "kept")
        self.off(inst)
        self.as_opseal("cp %s %s" % (self.file(inst), kept))
        inst.restart()
        self.is_off(inst)
        self.on(inst)
        back = "cp %s %s" % (kept, self.file(inst))
        self.as_opseal(back)
        self.not_believed(inst)
        inst.restart()
        self.not_believed(inst)
        # The same where it was switched on without a daemon.
        self.on(inst)
        self.off(inst)
        self.as_opseal("cp %s %s" % (self.file(inst), kept))
        inst.stop()
        self.exits(inst.offline("on"), 0)
        self.as_opseal(back)
        inst.start()
        self.not_believed(inst)
        # A run of the daemon that didn't say so ended it, too.
        self.on(inst)
        self.off(inst)
        self.as_opseal("cp %s %s" % (self.file(inst), kept))
        inst.stop()
        self.as_opseal("rm %s" % self.file(inst))
        inst.start()
        self.is_on(inst)
        before = len(self.sessions(inst))
        self.exits(inst.opseal("record", "--", "true"), 0)
        # One that is killed before the log has anything of it counts for nothing.
        t.wait_for("its session", lambda: len(self.sessions(inst)) == before + 1)
        inst.kill()
        self.as_opseal(back)
        inst.start()
        self.not_believed(inst)
        inst.stop()
        os.unlink(kept)
        self.on_removes(inst)

    def on_removes(self, inst):
        self.exits(inst.offline("on"), 0)
        self.equal(os.path.exists(self.file(inst)), False, "the file")
        self.well(inst)

    def test_taken_away(self):
        """While it is off: it stays so, and that this won't last is said."""
        inst = self.forged()
        self.off(inst)
        self.as_opseal("rm %s" % self.file(inst))
        found = t.wait_for("the fault", lambda: self.status(inst)["switch_fault"], 20)
        self.matches(found, "^STORE/switch is not as the writer left it: recording is off, but only until")
        self.is_off(inst)
        t.wait_for("the finding", lambda: self.findings() == ["off", "switch"], 20)
        inst.restart()
        self.is_on(inst)
        inst.stop()
        self.well(inst)

    def test_what_hangs(self):
        """A fifo or a folder in its place: nobody waits for it."""
        inst = self.forged()
        for make in ("mkfifo %s", "mkdir %s", "ln -s /dev/zero %s"):
            self.as_opseal(make % self.file(inst))
            self.not_believed(inst)
            inst.restart()
            self.not_believed(inst)
            self.as_opseal("rm -r %s" % self.file(inst))
            t.wait_for("no fault", lambda: self.status(inst)["switch_fault"] is None, 20)
        inst.stop()
        self.well(inst)

    def test_capture_goes_on(self):
        c.need_capture()
        inst = self.forged(capture=True)
        c.wait_captured(inst)
        capture = inst.role("capture")
        self.forge(inst)
        self.not_believed(inst)
        time.sleep(4)
        self.equal(inst.role("capture"), capture, "the process that captures")
        inst.restart()
        self.not_believed(inst)
        c.wait_captured(inst)
        inst.stop()


class Programs(Switch):
    def test_capture(self):
        """Programs aren't captured either, and where capture ended and began is in the log."""
        c.need_capture()
        inst = self.instance(capture=True)
        c.wait_captured(inst)
        paths = [self.path(name) for name in ("before", "during", "after")]
        for path in paths:
            t.run(["cp", "/bin/true", path])
        t.run([paths[0]])
        self.off(inst)
        t.wait_for("capture to end", lambda: "NOT captured: recording is switched off" in inst.opseal("status").text, 20)
        t.run([paths[1]])
        self.on(inst)
        c.wait_captured(inst)
        t.run([paths[2]])
        # It was told to end, and didn't die.
        self.contains(inst.opseal("status").text, "programs    captured (")
        self.check("died" not in inst.opseal("status").text, inst.opseal("status").text)
        for path, there in zip(paths, (True, False, True)):
            def found():
                # 5: none, and there was a time in which nothing was seen.
                return inst.opseal("log", "--exe", path).status == (0 if there else 5)
            t.wait_for("%s in the log: %r" % (path, there), found, 20)
        # Among what ran it stands in its place: before the hole, which is told of when it ends.
        rows = r.json_lines(inst.opseal("log", "--json", "--exe", self.path("*")))
        self.equal([x["exe"] if x["kind"] == "exec" else x["kind"] for x in rows],
                   [paths[0], "off", "on", "lost", paths[2]], "the order")
        rows = r.json_lines(inst.opseal("log", "--json", "-n", "1", "--exe", self.path("*")))
        self.equal([x["kind"] for x in rows], ["exec"], "since the newest one")
        # One that dies is counted after that, too.
        os.kill(inst.role("capture"), signal.SIGKILL)
        t.wait_for("its death", lambda: "died and was started again 1 time, opseal" in inst.opseal("status").text, 60)
        # Nor where it was off as the daemon began.
        self.off(inst)
        inst.restart()
        self.contains(self.exits(inst.opseal("status"), 2).text, "NOT captured: recording is switched off")
        self.equal(inst.role("capture"), None, "a process that captures")
        inst.stop()
        self.well(inst)


    def test_none_behind_it(self):
        """When opseal off is back what begins is in no log, and what began before is."""
        c.need_capture()
        inst = self.instance(capture=True)
        wanted = []
        for turn in range(5):
            c.wait_captured(inst)
            before, during = [[self.path("%s-%d-%d" % (when, turn, i)) for i in range(4)] for when in ("before", "during")]
            for path in before + during:
                t.run(["cp", "/bin/true", path])
            for path in before:
                t.run([path])
            self.equal(self.off(inst).errtext, "", "what off says")
            self.equal(inst.role("capture"), None, "a process that captures")
            for path in during:
                t.run([path])
            self.on(inst)
            wanted += before
        c.wait_captured(inst)
        paths = {}
        for when in ("before", "during"):
            rows = r.json_lines(inst.opseal("log", "--json", "--exe", self.path(when + "-*")))
            paths[when] = [x["exe"] for x in rows if x["kind"] == "exec"]
        self.equal(paths, {"before": wanted, "during": []}, "programs")
        self.contains(inst.opseal("log").text, "[capture did not run for ")
        inst.stop()
        self.well(inst)

    def test_while_it_starts(self):
        """The writer answers before capture, which is then ended as soon as it is there."""
        c.need_capture()
        inst = self.instance(capture=True)
        c.wait_captured(inst)
        inst.stop()
        inst.launch()
        t.wait_for("the writer", lambda: os.path.exists(os.path.join(inst.run_dir, "record.sock")))
        self.equal(inst.log().count("ready, store"), 1, "starts that are over")
        got = self.off(inst)
        self.equal((got.text, got.errtext), ("recording is off, until opseal on\n", ""), "off")
        self.equal(inst.role("capture"), None, "a process that captures")
        t.wait_for("status", lambda: "NOT captured: recording is switched off" in inst.opseal("status").text)
        self.on(inst)
        c.wait_captured(inst)
        inst.stop()
        self.well(inst)

    def test_capture_hangs(self):
        """Then opseal off is back after a while and says so, and nobody else waits for it."""
        c.need_capture()
        inst = self.instance(capture=True)
        c.wait_captured(inst)
        term = self.record_pty(inst, ["sh", "-c", "echo seen; read x; exit 3"])
        term.expect("seen")
        capture = inst.role("capture")
        os.kill(capture, signal.SIGSTOP)
        self.later(lambda: inst.role("capture") == capture and os.kill(capture, signal.SIGCONT))
        off = subprocess.Popen(inst.argv("off", "--reason", WHY), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.later(lambda: (off.kill(), off.communicate()))
        begin = time.monotonic()
        term.expect("this part is not recorded")
        self.is_off(inst)
        self.check(time.monotonic() - begin < 2, "the others waited %.1f s" % (time.monotonic() - begin))
        self.equal(off.poll(), None, "opseal off")
        out, err = off.communicate(timeout=20)
        self.equal((off.returncode, out), (0, b"recording is off, until opseal on\n"), "off")
        self.contains(err.decode(), "capture is still ending: programs that begin now may be in the log")
        again = inst.opseal("off", "--reason", "once more")
        self.exits(again, 0)
        self.contains(again.errtext, "it is switched off already, by root: %s; nothing was changed" % WHY)
        self.contains(again.errtext, "capture is still ending")
        # What ends then is no death.
        os.kill(capture, signal.SIGCONT)
        self.on(inst)
        t.wait_for("another capture", lambda: inst.role("capture") not in (None, capture))
        c.wait_captured(inst)
        self.check("died" not in inst.opseal("status").text, inst.opseal("status").text)
        term.line("")
        self.equal(term.wait(), 3, "status")
        inst.stop()
        self.well(inst)

    def test_capture_hangs_for_good(self):
        """Who switches it on again doesn't wait; what hangs is killed after some seconds, and that is a death."""
        c.need_capture()
        inst = self.instance(capture=True)
        c.wait_captured(inst)
        capture = inst.role("capture")
        os.kill(capture, signal.SIGSTOP)
        self.later(lambda: inst.role("capture") == capture and os.kill(capture, signal.SIGKILL))
        off = inst.opseal("off", "--reason", WHY, timeout=30)
        self.exits(off, 0)
        self.contains(off.errtext, "capture is still ending")
        begin = time.monotonic()
        self.on(inst)
        self.check(time.monotonic() - begin < 5, "on took %.1f s" % (time.monotonic() - begin))
        t.wait_for("another capture", lambda: inst.role("capture") not in (None, capture), 60)
        c.wait_captured(inst)
        self.contains(inst.opseal("status").text, "died and was started again 1 time,")
        inst.stop()
        self.well(inst)

    def test_capture_that_died_before(self):
        """An off in the time until it is started again doesn't hide that it died."""
        c.need_capture()
        inst = self.instance(capture=True)
        c.wait_captured(inst)
        os.kill(inst.role("capture"), signal.SIGKILL)
        self.off(inst)
        self.on(inst)
        c.wait_captured(inst)
        self.contains(inst.opseal("status").text, "died and was started again 1 time,")
        inst.stop()
        self.well(inst)


class Logins(Switch):
    def setup(self):
        self.host = sshhost.Host(self.path("host"))
        self.later(self.host.close)
        self.host.set_shells()

    def logs_in(self, said=None):
        """On a terminal said is said; on pipes never anything."""
        got = self.host.ssh("anna", "h", "echo out; echo err >&2; exit 4")
        self.equal((got.status, got.out, got.err), (4, b"out\n", b"err\n"), "a command")
        got = self.host.ssh("anna", "-tt", "h", "echo out; exit 5")
        self.equal(got.status, 5, "a terminal: %r" % got)
        text = got.out.replace(b"\r\n", b"\n").decode()
        if said is None:
            self.equal(text, "out\n", "a terminal")
        else:
            self.matches(text, r"^opseal-door: this is not recorded: recording is switched off by [^\n]*: %s\nout\n$" % said)

    def test_logins(self):
        inst = self.host.instance(self, policy="on_log_failure = refuse\n")
        self.logs_in()
        self.off(inst)
        self.logs_in(WHY)
        self.equal(self.is_off(inst)["off_sessions"], 2, "counted")
        self.contains(self.host.get("/etc/opseal/door").decode(), "\noff = by ")
        # Then the daemon is stopped: though the policy is to refuse.
        inst.stop()
        self.logs_in(WHY)
        inst.start()
        self.logs_in(WHY)
        self.on(inst)
        t.wait_for("the doors' file", lambda: b"\noff" not in self.host.get("/etc/opseal/door"))
        self.logs_in()
        self.equal(len(r.json_lines(inst.opseal("ls", "--json"))), 4, "sessions")
        inst.stop()
        got = self.host.ssh("anna", "h", "echo ran")
        self.equal((got.status, got.out), (2, b""), "refused again: %r" % got)
        self.well(inst)

    def test_forged(self):
        """What the log's user writes tells the doors nothing; what root said stays, whatever becomes of a start."""
        inst = self.host.instance(self, policy="on_log_failure = refuse\n")
        payload = switch_payload(OFF, b"so that nobody sees it")

        def forge():
            with open(os.path.join(inst.store, "switch"), "wb") as f:
                f.write(payload)
            os.chown(f.name, os.stat(inst.store).st_uid, os.stat(inst.store).st_gid)
        forge()
        t.wait_for("the fault", lambda: self.status(inst)["switch_fault"], 20)
        inst.stop()
        self.equal(b"\noff" in self.host.get("/etc/opseal/door"), False, "the doors' file")
        got = self.host.ssh("anna", "h", "echo ran")
        self.equal((got.status, got.out), (2, b""), "refused: %r" % got)
        inst.start()
        self.is_on(inst)
        self.equal(b"\noff" in self.host.get("/etc/opseal/door"), False, "the doors' file")
        self.logs_in()
        # Off, and a daemon that can't start: the doors still know.
        self.off(inst)
        inst.stop()
        os.rename(os.path.join(inst.store, "keys"), os.path.join(inst.store, "gone"))
        self.write_in_keys_place(inst)
        inst.launch()
        self.check(inst.proc.wait(30) != 0, "it started")
        self.contains(self.host.get("/etc/opseal/door").decode(), "\noff = by ")
        self.logs_in(WHY)

    @staticmethod
    def write_in_keys_place(inst):
        with open(os.path.join(inst.store, "keys"), "w"):
            pass

    def test_no_daemon(self):
        """Of the host's own store the doors hear at once, though no daemon is there to tell them."""
        self.host.put("/etc/opseal/door", "on_log_failure = refuse\nbreak_glass = 1 glass\n")

        def make():
            subprocess.run(["mount", "-t", "tmpfs", "none", "/var/lib"], check=True)
            os.mkdir("/var/lib/opseal", 0o700)
            os.chown("/var/lib/opseal", self.host.uid("ben"), self.host.uid("ben"))
        self.host.inside(make)
        opseal = t.program("opseal")
        self.exits(self.host.run([opseal, "off", "--reason", WHY]), 0)
        lines = self.host.get("/etc/opseal/door").decode().splitlines()
        self.equal(lines[-3:-1], ["on_log_failure = refuse", "break_glass = 1 glass"], "the rest")
        self.matches(lines[-1], "^off = by .*: %s$" % WHY)
        # The daemon's user must be able to read and to remove it.
        self.equal(self.host.run(["stat", "-c", "%u %a", "/var/lib/opseal/switch"]).text,
                   "%d 600\n" % self.host.uid("ben"), "its owner")
        self.logs_in(WHY)
        self.exits(self.host.run([opseal, "on"]), 0)
        self.equal(self.host.get("/etc/opseal/door").decode().splitlines()[-1], "break_glass = 1 glass", "the last line")
        got = self.host.ssh("anna", "h", "echo ran")
        self.equal((got.status, got.out), (2, b""), "refused again: %r" % got)


t.main()
