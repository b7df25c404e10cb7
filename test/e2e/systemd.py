#!/usr/bin/python3
# timeout: 900 (it may have to build packages and fetch a Debian)
"""The Debian packages on a Debian whose pid 1 is systemd: its units, logins by ssh, su, sudo
and the console, the daemon restarted and upgraded below running sessions, the machine shut
down and killed, what boots when, and removal.  lib/machine.py makes the machine."""
import atexit
import json
import os
import re
import shutil
import subprocess
import sys
import termios
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import debian
import machine
import opsealtest as t
import recorded as r

DOOR = "/usr/libexec/opseal/opseal-shell"
SOCKETS = ("session", "record", "control")
COUNTERS = 20
PASSWORD = "pass word"
# MESSAGE_IDs of opseald(8).
READY, ENDED, ROLE_ENDED, VERIFY = (
    "bb4405286315454d89b161e3e2eee3f6", "22a960dae5f345ebb8744e66b6258291",
    "ddf1e7a65e9a4f5b999b14d4f0920a09", "737a4e57f90c46b593d703b510df30bb")
TELL = """#!/bin/sh
cat >> /run/told/findings
"""
_shared = None


def make(folder):
    """A machine with the packages installed and two people, set up; running."""
    box = machine.Machine(folder)
    try:
        state = box.boot()
        if state != "running":
            raise AssertionError("a Debian without opseal is %s\n%s" % (
                state, box.run(["systemctl", "--failed"]).text))
        box.user("anna", PASSWORD)
        box.user("ben", PASSWORD)
        box.sh("echo 'root:%s' | chpasswd; usermod -aG sudo anna;"
               "echo '%%sudo ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/test" % PASSWORD)
        install(box, debian.packages())
        box.well("opseal", "setup", "--yes")
    except BaseException:
        box.destroy()
        raise
    return box


def install(box, debs):
    for deb in debs:
        box.copy(deb, "/root/" + os.path.basename(deb))
    return box.well("dpkg", "-i", *("/root/" + os.path.basename(d) for d in debs), timeout=300)


def shared():
    """One for all that leaves it as it was."""
    global _shared
    if _shared is None:
        folder = tempfile.mkdtemp(prefix="opsbox.", dir="/tmp")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        os.chmod(folder, 0o755)
        _shared = make(folder)
        atexit.register(_shared.destroy)
    if _shared.pid is None:
        _shared.boot()
    return _shared


class Boxed(t.Test):
    def setup(self):
        machine.need()
        self.box = shared()

    def teardown(self):
        if self.box.pid is None or t.gone(self.box.pid):
            return
        # What is set for one test is gone for the next.
        self.box.run(["sh", "-c", "rm -rf /etc/systemd/system/opseald*.d /etc/opseal/opseal.conf.d;"
                      "systemctl daemon-reload; systemctl reset-failed; systemctl start opseald; systemctl reload opseald"])

    def opseal(self, *args):
        return self.box.run(["opseal", *args])

    def sessions(self):
        result = self.opseal("ls", "--json")
        if result.status != 1:
            self.exits(result, 0)
        return r.json_lines(result)

    def session(self, word):
        """The one whose command has that word, once it has ended."""
        return t.wait_for("the session " + word, lambda: [
            s for s in self.sessions() if word in (s["command"] or "") and s["status"] == "closed"],
            about=lambda: "%r" % self.sessions())[0]

    def status(self):
        return json.loads(self.exits(self.opseal("status", "--json"), 0).text)

    def dropin(self, text):
        self.box.sh("mkdir -p /etc/systemd/system/opseald.service.d; cat >"
                    "/etc/systemd/system/opseald.service.d/test.conf; systemctl daemon-reload", stdin=text.encode())

    def config(self, text):
        self.box.sh("mkdir -p /etc/opseal/opseal.conf.d; cat > /etc/opseal/opseal.conf.d/test.conf;"
                    "systemctl reload opseald", stdin=text.encode())

    def main_pid(self):
        return int(self.box.show("opseald", "MainPID"))

    def active(self):
        t.wait_for("opseald to be active", lambda: self.box.show("opseald", "ActiveState") == "active",
                   about=lambda: self.box.journal("-u", "opseald", "-n", "30"))

    def verified(self, *allowed):
        """Clean, but for findings of these kinds; gives those that stay in a log."""
        result = self.exits(self.opseal("verify"), 0)
        for line in result.text.splitlines()[:-1]:
            word = line.split()[0] if line.split() else ""
            if word.isupper() and word not in allowed + ("UNSEALED",):
                self.fail("verify: " + result.text)
        return [line for line in result.text.splitlines() if line.split()[:1] in (["CRASH"], ["LOST"])]

    def role(self, name):
        return int(self.box.well("pgrep", "-x", "opseald-" + name).text.split()[0])


class Units(Boxed):
    def test_started(self):
        box = self.box
        self.active()
        for name in SOCKETS:
            self.equal(box.show("opseald-%s.socket" % name, "ActiveState"), "active", name)
            self.equal(box.show("opseald-%s.socket" % name, "UnitFileState"), "enabled", name)
        self.equal(box.show("opseald", "UnitFileState"), "enabled", "opseald")
        self.equal(box.well("systemctl", "--failed", "--plain", "--no-legend").text, "", "units that failed")
        self.contains(box.well("systemctl", "list-timers", "--no-pager").text, "opseal-verify.timer", "timers")
        self.contains(box.well("systemctl", "status", "--no-pager", "opseald").text, "active (running)", "status")
        ready = box.journal("MESSAGE_ID=" + READY, "_SYSTEMD_UNIT=opseald.service")
        self.contains(ready, "ready", "the journal, by MESSAGE_ID")
        text = box.well("systemd-analyze", "security", "--no-pager", "opseald.service").text
        rate = float(re.search(r"Overall exposure level for opseald.service: ([0-9.]+)", text)[1])
        self.check(rate <= 4.9, "exposure %.1f" % rate)
        self.contains(box.well("systemd-analyze", "verify", "--man=no", *box.sh(
            "ls -d /lib/systemd/system/opseal*").text.split()).errtext + "\n", "\n", "systemd-analyze verify")

    def test_users_and_folders(self):
        """Of sysusers and tmpfiles; and what purge would keep is there."""
        self.matches(self.box.well("getent", "passwd", "opseal").text, r"^opseal:[^:]*:\d+:\d+:[^:]*:/nonexistent:")
        self.box.well("getent", "group", "opseal-read")
        text = self.box.well("stat", "-c", "%n %U %G %a", "/run/opseal", "/var/lib/opseal",
                             *("/run/opseal/%s.sock" % s for s in SOCKETS)).text
        self.equal(text, "/run/opseal opseal opseal 755\n/var/lib/opseal opseal opseal 700\n"
                   "/run/opseal/session.sock opseal opseal 666\n/run/opseal/record.sock opseal opseal 600\n"
                   "/run/opseal/control.sock opseal opseal 666\n", "owners and modes")

    def test_hardening_lets_it_work(self):
        """Each role is there, capture attached, nothing was refused; a finding is told."""
        status = self.status()
        self.equal(status["state"], "ok", "state: %r" % status)
        text = self.opseal("status").text
        self.contains(text, "programs    captured (tp_btf)", "status")
        for role in ("session", "writer", "scan", "capture", "index", "query"):
            self.role(role)
        self.box.well("true", "a-word-of-its-own")
        t.wait_for("the program", lambda: "a-word-of-its-own" in self.opseal("log", "true").text)
        said = self.box.journal("-u", "opseald", "-b")
        for word in ("not permitted", "Permission denied", "Bad system call"):
            self.check(word not in said, said)
        # By the kernel's own word, of the supervisor and of a role.
        for pid, want in ((self.main_pid(), "2"), (self.role("query"), "2")):
            text = self.box.well("cat", "/proc/%d/status" % pid).text
            self.equal(re.search(r"Seccomp:\t(\d)", text)[1], want, "seccomp")
            self.equal(re.search(r"NoNewPrivs:\t(\d)", text)[1], "1", "no new privileges")

    def test_finding_is_told(self):
        """What notify names is started, as nobody, with the unit's rights."""
        self.box.sh("mkdir -p /run/told; chown nobody /run/told; cat > /usr/local/bin/tell; chmod 755 /usr/local/bin/tell;"
                    "rm -f /run/told/findings", stdin=TELL.encode())
        self.config("notify = /usr/local/bin/tell\n")
        t.wait_for("the configuration", lambda: "/usr/local/bin/tell" in self.opseal("config").text)
        self.box.well("systemctl", "restart", "opseald")
        told = t.wait_for("the finding", lambda: self.box.run(["cat", "/run/told/findings"]).text)
        self.equal(json.loads(told.splitlines()[0])["kind"], "stop", "kind")
        self.equal(self.box.well("stat", "-c", "%U", "/run/told/findings").text, "nobody\n", "who was told")

    def test_verify_timer(self):
        """What it starts is well, and fails with a finding once the log was changed."""
        box = self.box
        self.exits(box.ssh("anna", "h", "echo to be checked"), 0)
        self.session("to be checked")
        box.well("systemctl", "start", "opseal-verify.service")
        self.equal(box.show("opseal-verify", "Result"), "success", "result")
        # A copy of the log is put back afterwards.
        box.sh("systemctl stop opseald; cp -a /var/lib/opseal /var/lib/kept;"
               "f=$(ls /var/lib/opseal/data/*/*/*.seg | head -n 1);"
               "printf X | dd of=$f bs=1 seek=200 conv=notrunc 2>&1; systemctl start opseald")
        result = box.run(["systemctl", "start", "opseal-verify.service"])
        box.sh("systemctl stop opseald opseald-session.socket opseald-record.socket opseald-control.socket;"
               "rm -r /var/lib/opseal; mv /var/lib/kept /var/lib/opseal; systemctl start opseald")
        self.check(result.status != 0, "verify found nothing: %s" % box.journal("-u", "opseal-verify"))
        self.contains(box.journal("MESSAGE_ID=" + VERIFY), "opseal", "the journal")
        self.verified("CRASH")

    def test_restarted(self):
        """A role that dies, the daemon killed, each; systemd and the journal say so."""
        box = self.box
        self.active()
        box.well("kill", "-KILL", str(self.role("scan")))
        t.wait_for("another role", lambda: "scan" in box.journal("MESSAGE_ID=" + ROLE_ENDED)
                   and box.run(["pgrep", "-x", "opseald-scan"]).status == 0)
        before, count = self.main_pid(), int(box.show("opseald", "NRestarts"))
        box.well("kill", "-KILL", str(before))
        t.wait_for("another daemon", lambda: self.main_pid() not in (0, before))
        self.active()
        self.equal(int(box.show("opseald", "NRestarts")), count + 1, "NRestarts")
        self.verified("CRASH")

    def test_watchdog(self):
        """Of the supervisor, and of a role through it; both are waited for here by
        their own clocks.  The unit's own time is a minute, which is too long for a test:
        here it is five seconds."""
        box = self.box
        self.equal(box.show("opseald", "WatchdogUSec"), "1min", "the unit's own")
        self.dropin("[Service]\nWatchdogSec=5s\n")
        box.well("systemctl", "restart", "opseald")
        supervisor, scan = self.main_pid(), self.role("query")
        time.sleep(6)  # fed
        self.equal(self.main_pid(), supervisor, "MainPID while all is well")
        box.well("kill", "-STOP", str(scan))
        t.wait_for("another query", lambda: str(scan) not in box.run(["pgrep", "-x", "opseald-query"]).text.split()
                   and box.run(["pgrep", "-x", "opseald-query"]).status == 0, 40)
        before = self.main_pid()
        box.well("kill", "-STOP", str(before))
        t.wait_for("another daemon", lambda: self.main_pid() not in (0, before), 40,
                   about=lambda: box.journal("-u", "opseald", "-n", "30"))
        self.contains(box.journal("-u", "opseald", "-n", "40"), "atchdog", "the journal")
        self.active()


class Sessions(Boxed):
    def cgroup(self, pid):
        return self.box.well("cat", "/proc/%s/cgroup" % pid).text.split("0::")[1].strip()

    def test_ssh(self):
        """Under the person's name; the shell in logind's scope, the recorder in no way of it."""
        term = self.box.ssh_pty("anna", "-tt", "h")
        self.later(term.close)
        term.expect(r"\$ ")
        term.line("echo $$ $XDG_SESSION_ID ${SHELL}; opseal status | head -n 3; echo e'n'd")
        m = term.expect(r"(\d+) (\w+) /bin/bash\r\n.*end\r\n")
        scope = self.cgroup(m[1].decode())
        self.matches(scope, r"/user-\d+\.slice/session-%s\.scope$" % m[2].decode(), "the shell's cgroup")
        logind = json.loads(self.box.well("loginctl", "list-sessions", "-o", "json").text)
        self.contains([s["session"] for s in logind], m[2].decode(), "logind's sessions")
        recorder = self.box.well("pgrep", "-x", "opseal-rec").text.split()[0]
        session = self.box.well("ps", "-o", "args=", "-p", recorder).text.split("--session ")[1].split()[0]
        self.equal(t.wait_for("its scope", lambda: self.cgroup(recorder).split("/")[-1] == "opseal-%s.scope" % session
                              and self.cgroup(recorder), about=lambda: self.cgroup(recorder)),
                   "/system.slice/system-opseal.slice/opseal-%s.scope" % session, "the recorder's cgroup")
        self.contains(self.box.well("systemctl", "status", "--no-pager", "opseal-%s.scope" % session).text,
                      "recorder of session " + session, "its unit")
        term.line("exit")
        self.equal(term.wait(), 0, "exit status")
        rows = [s for s in self.sessions() if s["user"] == "anna" and s["command"] is None]
        row = rows[-1]
        self.equal((row["person"], row["service"], row["method"], row["login"]),
                   ("key", "sshd", "publickey", "anna"), "who")
        self.check(row["ses"] not in (None, 4294967295), "audit session: %r" % row["ses"])

    def test_su_and_sudo(self):
        box = self.box
        self.exits(box.ssh("anna", "h", "sudo -u ben /bin/true by-sudo"), 0)
        term = box.ssh_pty("anna", "-tt", "h", "sudo su - ben")
        self.later(term.close)
        term.expect(r"ben@box.*\$ ")
        term.line("/bin/true by-su; exit")
        self.equal(term.wait(), 0, "exit status")
        for word in ("by-sudo", "by-su"):
            row = t.wait_for(word, lambda: [x for x in r.json_lines(self.opseal("log", "--json"))
                                            if word in x.get("argv", ())[1:]
                                            or word in " ".join(x.get("argv", ()))])[-1]
            self.equal((row["user"], row["login"]), ("ben", "anna"), word)
            self.check(row["session"] is not None, "%s: in no session: %r" % (word, row))

    def test_console(self):
        """agetty and login on /dev/console, with a password; root too, whose shell is his own."""
        for name, prompt in (("ben", r"\$ "), ("root", "# ")):
            con = self.box.console
            # The door's terminal gets the number of the console, which is of another devpts.
            held = self.box.terminals(int(con.slave_name.rsplit("/", 1)[1]))
            try:
                con.seen = len(con.out)
                con.line("")
                con.expect("login: ")
                con.line(name)
                con.expect("Password: ")
                con.line(PASSWORD)
                con.expect(prompt)
                con.line("tty; echo console-$((40+2)); exit")
                con.expect("console-42")
            except AssertionError as e:
                self.fail("%s: %s\n%s" % (name, e, self.box.journal("-n", "30")))
            finally:
                for fd in held:
                    os.close(fd)
        row = t.wait_for("the session", lambda: [
            s for s in self.sessions() if s["service"] == "login" and s["status"] == "closed"],
            about=lambda: "%r" % self.sessions())[-1]
        self.equal((row["user"], row["login"]), ("ben", "ben"), "who")
        self.contains(self.opseal("cat", row["session"]).text, "console-42", "what was shown")

    def test_nothing_is_missed(self):
        """20 sessions print on while the daemon is restarted, reloaded, killed and the
        package upgraded: each goes on, and the log has what each has shown."""
        box = self.box
        box.sh("rm -f /tmp/enough")
        script = "i=0; while [ ! -e /tmp/enough ]; do i=$((i+1)); echo counter $0 $i; sleep 0.1; done"
        clients = [Client(box, "sh -c '%s' %d" % (script, i)) for i in range(COUNTERS)]
        for c in clients:
            self.later(c.close)
        t.wait_for("all counters", lambda: all(b" 3\r\n" in c.out for c in clients), 60)

        def on(what):
            """All print on, and how long the longest has shown nothing."""
            at = [len(c.out) for c in clients]
            for i, c in enumerate(clients):
                t.wait_for("counter %d after %s" % (i, what), lambda: len(c.out) > at[i] + 100, 60,
                           about=lambda: box.journal("-u", "opseald", "-n", "30"))
            print("# %s: the longest pause %.2f s" % (what, max(c.longest for c in clients)), flush=True)
            for c in clients:
                c.longest = 0.0
        on("nothing")
        box.well("systemctl", "restart", "opseald")
        on("restart")
        box.well("systemctl", "reload", "opseald")
        on("reload")
        box.well("systemctl", "kill", "-s", "KILL", "opseald")  # all of its processes
        on("a kill")
        install(box, [debian.bumped(deb, self.dir) for deb in debian.packages()])
        on("an upgrade")
        self.equal(box.show("opseald", "ActiveState"), "active", "opseald")
        self.check(not re.search(r"left-over process \d+ \(opseal-rec\)", box.journal("-b")), "a restart found recorders")
        self.contains(box.well("dpkg-query", "-W", "opseal").text, "\t99\n", "version")
        box.sh("touch /tmp/enough")
        for i, c in enumerate(clients):
            self.equal(c.proc.wait(60), 0, "exit status of counter %d" % i)
            c.thread.join(10)
        rows = t.wait_for("the ends", lambda: (lambda got: got if len(got) == COUNTERS else None)([
            s for s in self.sessions() if "counter" in (s["command"] or "") and s["status"] == "closed"]),
            about=lambda: "%r" % self.sessions())
        kept = {}
        for s in rows:
            self.equal(s["bytes_lost"], 0, "bytes lost")
            kept[s["command"].split()[-1]] = self.exits(
                self.opseal("export", s["session"], "--format", "raw"), 0).out
        for i, c in enumerate(clients):
            self.equal(kept[str(i)], bytes(c.out), "what is kept of counter %d" % i)
        print("# %d bytes of %d sessions" % (sum(map(len, kept.values())), COUNTERS))
        self.verified("CRASH")


class Client:
    """ssh with a terminal over there, and none here; all it prints."""

    def __init__(self, box, command):
        self.proc = subprocess.Popen(box.ssh_argv("anna", "-tt", "h", command), preexec_fn=box.network(),
                                     stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        self.out = bytearray()
        self.longest = 0.0  # s without output
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        last = None
        while True:
            data = os.read(self.proc.stdout.fileno(), 65536)
            if not data:
                return
            now = time.monotonic()
            self.longest = max(self.longest, now - (last or now))
            last = now
            self.out += data

    def close(self):
        if self.proc.poll() is None:
            self.proc.kill()
            self.proc.wait()


class Boots(Boxed):
    def test_shut_down_and_killed(self):
        """The log is clean after the one, and at worst has a crash in it after the other."""
        box = self.box
        term = box.ssh_pty("anna", "-tt", "h")
        self.later(term.close)
        term.expect(r"\$ ")
        term.line("echo before the shut'down'")
        term.expect("shutdown")
        before = self.verified("CRASH", "LOST", "GAP")
        box.power_off()
        self.equal(box.boot(), "running", "after a shutdown")
        self.equal(self.verified("CRASH", "LOST", "GAP"), before, "what a shutdown left")
        row = [s for s in self.sessions() if s["user"] == "anna" and s["command"] is None][-1]
        self.check(row["status"] in ("closed", "lost"), "the session then: %r" % row)
        self.contains(self.opseal("cat", row["session"]).text, "before the shutdown", "what it showed")
        term = box.ssh_pty("anna", "-tt", "h")
        self.later(term.close)
        term.expect(r"\$ ")
        term.line("echo before the 'end'")
        term.expect("before the end")
        time.sleep(2)  # sealed
        box.kill()
        self.equal(box.boot(), "running", "after a kill")
        self.verified("CRASH", "LOST")
        self.contains(self.opseal("cat", [s for s in self.sessions() if s["user"] == "anna"
                                          and s["command"] is None][-1]["session"]).text, "before the end")

    def test_login_before_the_daemon(self):
        """sshd waits for it; and who comes while it is still starting is recorded."""
        box = self.box
        self.dropin("[Service]\nExecStartPre=/bin/sleep 4\n")
        box.power_off()
        box.launch()
        t.wait_for("sshd", lambda: box.run(["systemctl", "is-active", "ssh"]).text == "active\n", 60,
                   about=box.screen)
        self.equal(box.show("opseald", "ActiveState"), "active", "opseald when sshd is there")
        # Now the sockets alone: the first who comes starts it.
        box.well("systemctl", "stop", "opseald")
        self.equal(self.exits(box.ssh("anna", "h", "echo came-early"), 0).text, "came-early\n", "output")
        self.equal(self.session("came-early")["bytes_lost"], 0, "bytes lost")
        self.active()

    def test_broken_daemon_locks_nobody_out(self):
        """One that never starts: the boot goes on, logins too, and it is said."""
        box = self.box
        self.dropin("[Service]\nExecStart=\nExecStart=/bin/false\n")
        # A minute is long: here it is tried again every three seconds.
        self.contains(box.show("opseald-again.timer", "TimersCalendar"), "OnCalendar=*-*-* *:*:00 ", "the timer")
        box.sh("mkdir -p /etc/systemd/system/opseald-again.timer.d; printf '[Timer]\nOnCalendar=\nOnCalendar=*:*:0/3\n'"
               " > /etc/systemd/system/opseald-again.timer.d/test.conf")
        box.power_off()
        box.boot()
        t.wait_for("systemd to give up", lambda: [
            box.show(unit, "ActiveState") for unit in ("opseald", "opseald-session.socket")] == ["failed"] * 2, about=lambda: box.journal("-u", "opseald", "-n", "30"))
        began = time.monotonic()
        result = box.ssh("anna", "h", "echo still-here")
        print("# a login took %.1f s" % (time.monotonic() - began))
        self.equal((result.status, result.text), (0, "still-here\n"), "%r" % result)
        t.wait_for("its name among what failed", lambda: "opseald.service" in box.well("systemctl", "--failed").text)
        # It goes on trying: more than the five starts after which systemd gives up.
        def tried():
            return box.journal("-u", "opseald", "-b").count("Main process exited, code=exited, status=1")
        t.wait_for("a third round", lambda: tried() > 10, 60, about=lambda: box.journal("-u", "opseald*", "-n", "60"))
        # Mended by somebody who doesn't think of opseald: it comes by itself, with its sockets.
        box.sh("rm -r /etc/systemd/system/opseald.service.d; systemctl daemon-reload")
        self.active()
        for name in SOCKETS:
            self.equal(box.show("opseald-%s.socket" % name, "ActiveState"), "active", name)
        self.exits(box.ssh("anna", "h", "echo mended"), 0)
        self.session("mended")
        # Who stops it means it.
        self.equal(box.show("opseald-again.timer", "ActiveState"), "active", "the timer")
        box.sh("systemctl stop opseald; rm -r /etc/systemd/system/opseald-again.timer.d; systemctl daemon-reload")
        self.equal(box.show("opseald-again.timer", "ActiveState"), "inactive", "the timer, when opseald was stopped")
        box.well("systemctl", "start", "opseald")

    def test_rescue(self):
        """The shells of rescue.target and emergency.target: nothing of opseal runs, and root
        gets in; then the boot goes on."""
        box = self.box
        for target in ("rescue", "emergency"):
            box.power_off()
            box.launch("systemd.unit=%s.target" % target)
            con = box.console
            con.expect(r"maintenance.*continue\): ", 60)
            # What comes before sulogin has switched echo off it throws away.
            t.wait_for("a terminal without echo", lambda: not termios.tcgetattr(con.master)[3] & termios.ECHO)
            con.line(PASSWORD)
            con.expect("# ")
            con.line("systemctl is-active opseald; echo %s-$((40+2)); exit" % target)
            con.expect("inactive.*%s-42" % target)
            t.wait_for("the rest of the boot", lambda: box.run(["systemctl", "is-active", "opseald"]).text == "active\n",
                       60, about=box.screen)


class Removal(Boxed):
    def setup(self):
        machine.need()
        self.box = shared()

    def test_removed_and_purged(self):
        """With a real setup in place: its accounts get their shells back, who is logged in
        stays so, and the log stays until somebody takes it away himself."""
        box = self.box
        term = box.ssh_pty("anna", "-tt", "h")
        self.later(term.close)
        term.expect(r"\$ ")
        self.contains(box.well("getent", "passwd", "anna").text, DOOR, "her shell")
        box.well("dpkg", "--remove", "libpam-opseal", "opseal", timeout=200)
        for name in ("anna", "ben"):
            self.matches(box.well("getent", "passwd", name).text, r":/bin/bash\n$", "shell of " + name)
        self.equal(box.run(["grep", "-rl", "opseal", "/etc/pam.d", "/etc/shells"]).text, "", "what names opseal")
        self.equal(self.exits(box.ssh("anna", "h", "echo after"), 0).text, "after\n", "a login")
        term.line("echo still 'there'")
        term.expect("still there", 30)
        term.line("exit")
        self.equal(term.wait(), 0, "exit status of who was logged in")
        self.equal(box.run(["systemctl", "is-active", "opseald", "opseald-session.socket"]).text,
                   "inactive\ninactive\n", "units")
        self.equal(box.well("systemctl", "--failed", "--plain", "--no-legend").text, "", "units that failed")
        box.well("dpkg", "--purge", "libpam-opseal", "opseal")
        self.equal(box.well("ls", "/var/lib/opseal").text.split().count("log"), 1, "the log")
        # And installed again it goes on with that log.
        install(box, debian.packages())
        self.active()
        self.verified("CRASH", "LOST", "GAP")
        self.contains(self.opseal("ls").text, "anna", "the old sessions")


if __name__ == "__main__":
    t.main()
