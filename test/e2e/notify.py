#!/usr/bin/python3
# notify = COMMAND: each finding once, as JSON on its stdin, by another user, and never in
# the way of the log.
import json
import os
import pwd
import re
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import faults
import opsealtest as t
import recorded

KEYS = ["count", "detail", "dropped", "host", "kind", "session", "time"]


class Notify(recorded.Recorded):
    def command(self, body, name="tell"):
        """A script in a folder that anybody may reach; it may write to what anybody may."""
        os.chmod(self.path(), 0o755)
        path = self.write(name, "#!/bin/sh\n" + body)
        os.chmod(path, 0o755)
        return path

    def place(self, name):
        path = self.path(name)
        open(path, "a").close()
        os.chmod(path, 0o666)
        return path

    def config(self, command, more=""):
        return "notify = %s\nnotify_timeout = 1s\n%s" % (command, more)

    def told(self, path):
        with open(path) as f:
            return [json.loads(line) for line in f.read().splitlines()]

    def report(self, inst, kind="verify"):
        """A verify that fails, with --report."""
        result = inst.opseal("verify", "--report", "--against", self.wrong(inst))
        self.exits(result, 3)

    def wrong(self, inst):
        """A checkpoint that this store doesn't contain."""
        self.record_pty(inst, ["true"]).wait()
        t.wait_for("a checkpoint", lambda: inst.opseal("checkpoint", "--anchor").status == 0)
        line = inst.opseal("checkpoint", "--anchor").text
        path = self.path("anchor")
        if not os.path.exists(path):
            # The same size with another root.
            m = re.search(r"[A-Za-z0-9+/]{43}=", line)
            flipped = ("A" if m[0][0] != "A" else "B") + m[0][1:]
            self.write("anchor", line.replace(m[0], flipped))
        return path

    def test_stop_is_told(self):
        """With arguments as they are written, no shell, and nothing of opseald's own."""
        out, seen = self.place("out"), self.place("seen")
        script = self.command('cat >>%s; { id -un; echo "$#|$1|$2"; env; ls -l /proc/self/fd; } >>%s\n'
                              % (out, seen))
        inst = self.instance(config=self.config(script + ' "a b" $HOME;x'))
        self.equal(inst.stop(), 0, "stop")
        rows = self.told(out)
        self.equal([row["kind"] for row in rows], ["stop"], inst.log())
        self.equal(sorted(rows[0]), KEYS, "names")
        self.equal((rows[0]["session"], rows[0]["dropped"], rows[0]["host"]), (None, 0, os.uname().nodename))
        self.matches(rows[0]["time"], r"^\d{4}-\d\d-\d\dT[0-9:.]+Z$")
        with open(seen) as f:
            lines = f.read().splitlines()
        who = "nobody" if t.is_root() and "--no-drop" not in inst.daemon_args else pwd.getpwuid(os.geteuid())[0]
        self.equal(lines[0], who, "user")
        self.equal(lines[1], "2|a b|$HOME;x", "arguments")
        names = {line.split("=")[0] for line in lines[2:] if "=" in line}
        self.check(names <= {"PATH", "HOME", "PWD", "SHLVL", "_", "OLDPWD"}, "environment: %r" % names)
        fds = {int(m[1]) for m in (re.search(r" (\d+) -> ", x) for x in lines) if m}
        self.check(fds <= {0, 1, 2, 3}, "descriptors: %r" % fds)

    def test_lost_session(self):
        out = self.place("out")
        inst = self.instance(config=self.config(self.command("cat >>%s\n" % out)))
        term = self.record_pty(inst, ["sh", "-c", "echo here; sleep 60"])
        term.expect("here")
        session = self.session(inst, term)
        recorded.kill(*recorded.recorders(inst))
        t.wait_for("a finding", lambda: self.told(out), 30, about=lambda: inst.log())
        row = self.told(out)[0]
        self.equal((row["kind"], row["session"]), ("lost-session", session["session"]))

    def test_log_fails_and_is_back(self):
        """A gap is told of, with its bytes and its session."""
        out = self.place("out")
        fault = faults.Faults(self)
        inst = self.instance(config=self.config(self.command("cat >>%s\n" % out), "hold_time = 200ms\n"),
                             env=fault.env)
        # More than a recorder keeps.
        term = self.record_pty(inst, ["sh", "-c", "echo here; read x; yes 0123456789 | head -c 9000000;"
                                      " echo end; read x"])
        term.expect("here")
        fault.fail("pwrite sync")
        term.line("")
        term.expect("end", 60)
        t.wait_for("the failure", lambda: "log-failed" in [r["kind"] for r in self.told(out)],
                   30, about=lambda: inst.log())
        fault.heal()
        t.wait_for("the rest", lambda: {"log-back", "gap"} <= {r["kind"] for r in self.told(out)},
                   30, about=lambda: inst.log())
        gap = [r for r in self.told(out) if r["kind"] == "gap"][0]
        self.equal(gap["session"], self.session(inst, term)["session"], "session")
        self.check(gap["count"] > 1000000, "bytes: %r" % gap)
        term.line("")
        term.wait()

    def test_verify_reports(self):
        out = self.place("out")
        inst = self.instance(config=self.config(self.command("cat >>%s\n" % out)))
        self.exits(inst.opseal("verify", "--report"), 0)
        self.equal(self.told(out), [], "a finding of a log that is well")
        self.report(inst)
        t.wait_for("a finding", lambda: self.told(out), about=lambda: inst.log())
        row = self.told(out)[0]
        self.equal(row["kind"], "verify")
        self.check(row["count"] >= 1, "count")
        self.contains(row["detail"], "verify FAILED, ")
        self.contains(inst.log(), "opseald[query]: verify FAILED, ")

    def test_others_report_nothing(self):
        t.need_root("root, to be somebody else")
        out = self.place("out")
        inst = self.instance(config=self.config(self.command("cat >>%s\n" % out)))
        # Somebody who may read everything, even: he can't make an alarm.
        result = inst.opseal("verify", "--report", user=t.person())
        self.check(result.status != 0, "it is permitted")
        self.equal(self.told(out), [], "findings")

    def test_one_that_hangs(self):
        """It is killed with what it started; the next finding is told; the log goes on."""
        out, pids = self.place("out"), self.place("pids")
        script = self.command("cat >>%s; sleep 1000 & echo $! >>%s; echo $$ >>%s; wait\n" % (out, pids, pids))
        inst = self.instance(config=self.config(script))
        self.report(inst)
        self.report(inst)
        term = self.record_pty(inst, ["echo", "meanwhile"])
        self.exact(inst, term)
        t.wait_for("both", lambda: len(self.told(out)) == 2, 20, about=lambda: inst.log())
        t.wait_for("the first to be killed", lambda: "takes more than 1000 ms; killed" in inst.log())
        t.wait_for("the second, too", lambda: inst.log().count("takes more than 1000 ms; killed") == 2)
        with open(pids) as f:
            for pid in f.read().split():
                t.wait_for("the end of " + pid, lambda: t.gone(int(pid)))

    def test_one_that_leaves_something_behind(self):
        pids = self.place("pids")
        inst = self.instance(config=self.config(
            self.command("sleep 1000 & echo $! >>%s\n" % pids)))
        self.report(inst)
        t.wait_for("it", lambda: os.path.getsize(pids) > 0)
        with open(pids) as f:
            pid = int(f.read())
        t.wait_for("its end", lambda: t.gone(pid))

    def test_one_that_floods(self):
        """What it prints goes nowhere; what finds no room is counted."""
        out = self.place("out")
        inst = self.instance(config=self.config(
            self.command("cat >>%s; yes | head -c 50000000; yes >&2 & sleep 0.3\n" % out)))
        path = self.wrong(inst)
        for _ in range(80):
            inst.opseal("verify", "--quick", "--report", "--against", path)
        size = os.path.getsize(inst.log_path)
        self.check(size < 100000, "the daemon's log has %d bytes" % size)
        t.wait_for("the last", lambda: sum(1 + r["dropped"] for r in self.told(out)) >= 80, 120,
                   about=lambda: (len(self.told(out)), inst.log()[-3000:]))
        self.exact(inst, self.record_pty(inst, ["echo", "still here"]))

    def test_recorded_while_the_end_is_told(self):
        """A command that takes its time is no gap: the writer goes last."""
        out = self.place("out")
        script = self.command("cat >>%s; sleep 3\n" % out)
        inst = self.instance(config="notify = %s\nhold_time = 1s\n" % script)
        term = self.record_pty(inst, ["sh", "-c", "echo begun; read x; echo said meanwhile; read x"])
        term.expect("begun")
        inst.proc.send_signal(signal.SIGTERM)
        t.wait_for("the command", lambda: os.path.getsize(out) > 0, about=inst.log)
        term.line("")
        term.expect("said meanwhile")
        self.check(inst.proc.poll() is None, "opseald ended before the command")
        self.equal(inst.proc.wait(t.PATIENCE), 0, "exit status")
        inst.proc = None
        inst.start()
        term.line("")
        self.equal(term.wait(), 0, "exit status")
        self.equal([row["kind"] for row in self.told(out)], ["stop"], inst.log())
        s = t.wait_for("the end", lambda: (lambda s: s if s["end"] is not None else None)(self.session(inst, term)))
        self.equal(s["bytes_lost"], 0, "bytes lost")

    def test_failures_are_said(self):
        for body, says in (("exit 3\n", "ended with status 3"), ("kill -9 $$\n", "ended with signal 9")):
            inst = self.instance(config=self.config(self.command(body)))
            self.report(inst)
            t.wait_for(says, lambda: says in inst.log(), about=lambda: inst.log())
            inst.stop()
        inst = self.instance(config=self.config("/nonexistent/tell"))
        self.report(inst)
        t.wait_for("why", lambda: "notify: /nonexistent/tell ended with status 127" in inst.log())

    def test_reload_changes_it(self):
        first, second = self.place("first"), self.place("second")
        inst = self.instance(config=self.config(self.command("cat >>%s\n" % first, "one")))
        self.report(inst)
        t.wait_for("the first", lambda: self.told(first))
        inst.write_config(self.config(self.command("cat >>%s\n" % second, "two")))
        inst.proc.send_signal(signal.SIGHUP)
        t.wait_for("the reload", lambda: "taken over, changed: notify;" in inst.log())
        self.report(inst)
        t.wait_for("the second", lambda: self.told(second))
        self.equal(len(self.told(first)), 1, "told the old one")

    def test_user(self):
        t.need_root("root, to become somebody else")
        out = self.place("out")
        script = self.command("id -un >>%s\n" % out)
        name = t.person().pw_name
        inst = self.instance(config=self.config(script, "notify_user = %s\n" % name))
        inst.stop()
        if "--no-drop" not in inst.daemon_args:
            with open(out) as f:
                self.equal(f.read(), name + "\n", "user")
        for user, says in (("root", "root is root; nobody is told"), ("no-such-user", "there is no user no-such-user")):
            inst = self.instance(config=self.config(script, "notify_user = %s\n" % user))
            if "--no-drop" not in inst.daemon_args:
                # The daemon is ready before its helper has looked the user up.
                t.wait_for("what is said of " + user, lambda: "notify_user: " in inst.log())
                self.contains(inst.log(), says)

    def test_wrong_commands(self):
        for value, says in (("tell", "absolute path"), ("/x \\\"", "quote without its end")):
            value = value.replace("\\", "")
            inst = self.instance(config="notify = %s\n" % value, start=False)
            result = self.exits(t.run(inst.daemon_argv()), 2)
            self.contains(self.one_line(result), says)


if __name__ == "__main__":
    t.main()
