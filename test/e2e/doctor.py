#!/usr/bin/python3
# timeout: 600
"""opseal doctor, on a host of the test's own (lib/hosted.py): one that is well, and each
fault of a set-up put in, named with its mend; findings that are told once."""
import ctypes
import glob
import json
import os
import pwd
import re
import shutil
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import captured as c
import hosted
import opsealtest as t
import recorded as r
from hosted import DOOR, OPSEAL

MAP = "/etc/opseal/shells"
SESSION = "/etc/pam.d/common-session"
LIBC = ctypes.CDLL(None, use_errno=True)
ANCHORS = "anchor_interval = 1s\nanchor_syslog = off\nanchor_file = %s\n"
# What is tried, by the program that it needs.
TRIED = (("a login", None), ("ssh -tt host 'scp -t x; sh'", None), ("a nested shell", None),
         ("setsid", "setsid"), ("script", "script"), ("tmux", "tmux"), ("screen", "screen"),
         ("su", "su"), ("sudo", "sudo"), ("the outer terminal by its path", None),
         ("kill -9 of the door", None))


class Doctor(hosted.Hosted):
    def setup(self):
        try:
            pwd.getpwnam("opseal")
        except KeyError:
            t.skip("there is no user opseal; `make deps` makes it")
        super().setup()
        os.chmod(self.dir, 0o755)
        if os.path.exists(self.at("/etc/sudoers.d")):
            self.put("/etc/sudoers.d/doctor", "root ALL=(ALL:ALL) NOPASSWD: ALL\n", 0o440)
        self.module()
        # su and sudo want all of PAM's.
        for path in glob.glob("/lib/*/security/*.so"):
            if not os.path.exists(self.at(path)):
                shutil.copy2(path, self.at(path))
        self.exits(self.opseal("setup", "--yes"), 0)

    def inside(self):
        """preexec: with that host's accounts."""
        fd = os.open("/proc/%d/ns/mnt" % self.holder.pid, os.O_RDONLY | os.O_CLOEXEC)
        if LIBC.setns(fd, 0) != 0:
            raise OSError(ctypes.get_errno(), "setns")
        os.chdir("/")

    def serve(self, config="", capture=True):
        """opseald of that host, on /run/opseal."""
        if capture:
            c.need_capture()
        os.makedirs(self.at("/run/opseal"), exist_ok=True)
        inst = t.Instance(self.path("opseald"), config=config + ANCHORS % self.path("anchors"),
                          start=False, capture=capture, preexec=self.inside)
        self.later(inst.destroy)
        for path in ("anchors",):
            open(self.path(path), "a").close()
            os.chmod(self.path(path), 0o666)
        self.exits(self.enter(["mount", "--bind", inst.run_dir, "/run/opseal"]), 0)
        inst.start()
        if capture:
            c.wait_captured(inst)
        t.wait_for("an anchor", lambda: json.loads(
            inst.opseal("status", "--json").text)["anchored"], about=inst.log)
        self.inst = inst
        return inst

    def doctor(self, *args, status=None, argv=()):
        result = self.enter(list(argv) + [OPSEAL, "doctor", "--json"] + list(args))
        rows = [json.loads(line) for line in result.text.splitlines()]
        if status is not None and result.status != status:
            lacks = [x for x in rows if x["verdict"] in ("uncovered", "wrong", "unknown")]
            self.check(False, "status %d, not %d: %s %s" % (
                result.status, status, result.errtext, json.dumps(lacks, indent=1)))
        return rows

    def row(self, rows, check, verdict, *parts):
        """The one that says all of it."""
        found = [x for x in rows if x["check"] == check and x["verdict"] == verdict and all(
            p in "%s (%s) mend: %s" % (x["detail"], x["how"], x["mend"]) for p in parts)]
        self.check(found, "no row %r %r %r in\n%s" % (check, verdict, parts, "\n".join(
            map(str, rows))))
        return found[0]

    def test_healthy(self):
        inst = self.serve()
        before = set(glob.glob("/tmp/*"))
        begun = time.monotonic()
        rows = self.doctor(status=0)
        took = time.monotonic() - begun
        self.check(took < 60, "it took %.0f s" % took)
        for check, program in TRIED:
            if program is None or self.enter(["which", program]).status == 0:
                self.equal(self.row(rows, check, "recorded")["how"], "tried", check)
            else:
                self.row(rows, check, "absent")
        self.row(rows, "ssh host bash, without a terminal", "events", "bytes of a pipe")
        for check in ("accounts", "a console", "keys with command=",
                      "a container without audit id"):
            self.row(rows, check, "recorded")
        self.row(rows, "accounts", "events", "root has /bin/bash", "left alone",
                 "opseal setup --root")
        for check in ("the door", "map of shells", "PAM", "as set up", "daemon", "disk",
                      "capture", "losses", "seal", "anchor", "configuration", "users",
                      "sockets"):
            self.row(rows, check, "fine")
        # Nothing stays but what the log has, and that says what it was.
        self.equal(set(glob.glob("/tmp/opseal-probes-*")) - before, set(), "left in /tmp")
        sessions = r.json_lines(inst.opseal("ls", "--json"))
        self.equal(len(sessions), 4, "sessions")
        for s in sessions:
            self.contains(s["command"], "opseal-doctor-", "its command")
            self.check(s["status"] == "closed", "a session goes on: %r" % s)

    def test_somebody_elses_session(self):
        """A word that others can see doesn't make their session one of doctor's."""
        inst = self.serve()
        found = []

        def imitate():
            path, = t.wait_for("its scripts", lambda: glob.glob("/tmp/opseal-probes-*/pipe"))
            with open(path) as f:
                word = re.search(r"opseal-doctor-\w+", f.read())[0]
            found.append(self.enter(["setpriv", "--reuid=2001", "--regid=2001", "--clear-groups", OPSEAL,
                                     "record", "--", "/bin/sh", "-c", "true", word]))
        t.need_program("setpriv")
        thread = threading.Thread(target=imitate)
        thread.start()
        rows = self.doctor(status=0)
        thread.join()
        self.exits(found[0], 0)
        row = self.row(rows, "ssh host bash, without a terminal", "events")
        sessions = r.json_lines(inst.opseal("ls", "--json"))
        self.equal([s["user"] for s in sessions].count("al"), 1, "the other's")
        mine, = [s for s in sessions if s["session"] in row["detail"]]
        self.equal(mine["user"], "nobody", "whose session is named")

    def test_many_accounts(self):
        """All are in JSON; text has fifty of them, and twelve are told each."""
        script = self.notify()
        inst = self.serve(config="notify = %s\n" % script, capture=False)
        base = len([x for x in self.doctor("--quick") if x["check"] == "accounts"])
        self.append("/etc/passwd", "".join("p%d:x:%d:%d::/:/bin/bash\n" % (n, 3000 + n, 3000 + n)
                                           for n in range(120)))
        rows = [x for x in self.doctor("--quick", status=5) if x["check"] == "accounts"]
        self.equal(len(rows), base + 120, "rows")
        text = self.opseal("doctor", "--quick").text
        lacks = len([x for x in rows if x["verdict"] == "uncovered"])
        self.check(lacks >= 120, "lacks: %d" % lacks)
        self.equal(len(re.findall(r"(?m)^NOT COVERED +accounts: ", text)), 50, "rows of text")
        self.matches(text, r"(?m)^ +accounts: and %d more, %d of them to be looked at: opseal doctor --json has all$" % (
            lacks - 50, lacks - 50))
        self.doctor("--quick", "--report", status=5)
        told = t.wait_for("13 findings", lambda: len(self.told()) >= 13 and self.told(), about=inst.log)
        self.equal(len(told), 13, "findings")
        self.contains(" ".join(x["detail"] for x in told), "and 108 more changes of doors: opseal doctor --json lists them")
        self.doctor("--quick", "--report", status=5)
        time.sleep(0.5)
        self.equal(len(self.told()), 13, "told again")
        # One more, then, is one finding.
        self.append("/etc/passwd", "q:x:4000:4000::/:/bin/bash\n")
        self.doctor("--quick", "--report", status=5)
        t.wait_for("one more", lambda: len(self.told()) == 14, about=inst.log)

    def test_as_text(self):
        self.serve()
        result = self.exits(self.opseal("doctor", "--quick"), 0)
        self.matches(result.text, r"(?m)^fine          daemon: opseald .* answers")
        self.matches(result.text, r"(?m)^events only   accounts: root has /bin/bash.*\n"
                     r"              mend: opseal setup --root")
        self.contains(result.text, "nothing was tried, as --quick wants it")
        self.check(result.text.endswith("\nAll is recorded as it is meant.\n"), "the last line")
        os.chmod(self.at(MAP), 0o666)
        self.matches(self.exits(self.opseal("doctor", "--quick"), 5).text, r"\nTo be looked at: \d+\n\Z")

    def fault(self, inject, undo, *row):
        """Put it in, see that it is named, take it out."""
        inject()
        try:
            self.row(self.doctor("--quick", status=5), *row)
        finally:
            undo()

    def in_file(self, path, change):
        """inject and undo of a change to a file's text."""
        def inject():
            mode.append(os.stat(self.at(path)).st_mode & 0o777)
            with open(self.at(path), "rb") as f:
                before.append(f.read())
            with open(self.at(path), "wb") as f:
                f.write(change(before[0].decode()).encode())

        def undo():
            with open(self.at(path), "wb") as f:
                f.write(before[0])
            os.chmod(self.at(path), mode[0])
        before, mode = [], []
        return inject, undo

    def test_accounts_and_map(self):
        self.serve()
        for path, change, row in (
                ("/etc/passwd", lambda x: x.replace("/home/al:%s" % DOOR, "/home/al:/bin/dash"),
                 ("accounts", "uncovered", "al: was set up, and its shell was changed to /bin/dash",
                  "opseal setup puts the door back")),
                ("/etc/passwd", lambda x: x + "di:x:2004:2004::/home/di:/bin/bash\n",
                 ("accounts", "uncovered", "di: ", "it is new: its shell is /bin/bash")),
                (MAP, lambda x: x.replace("bo:2002:/bin/sh\n", ""),
                 ("accounts", "uncovered", "bo: has no line in the map of shells")),
                (MAP, lambda x: x.replace("bo:2002:/bin/sh", "bo:2002:/no/shell"),
                 ("accounts", "uncovered", "bo: its shell in the map can't be executed: /no/shell")),
                (MAP, lambda x: x + "what is this\n", ("map of shells", "wrong", MAP + ":")),
                ("/etc/shells", lambda x: x.replace(DOOR + "\n", ""),
                 ("as set up", "wrong", "/etc/shells isn't as it was set up", "opseal setup"))):
            self.fault(*self.in_file(path, change), *row)
        self.fault(lambda: os.chmod(self.at(MAP), 0o666), lambda: os.chmod(self.at(MAP), 0o644),
                   "map of shells", "wrong", "isn't root's alone", "chmod go-w")
        self.append("/etc/passwd", "git:x:2005:2005::/home/git:/usr/bin/git-shell\n"
                    "pg:x:300:300::/home/pg:/bin/bash\n")
        self.append("/etc/shells", "/usr/bin/git-shell\n")
        rows = self.doctor("--quick")
        self.row(rows, "accounts", "events", "git has /usr/bin/git-shell", "there to restrict it")
        self.row(rows, "accounts", "events", "pg has /bin/bash", "no person's", "--user NAME")

    def test_door_and_pam(self):
        self.serve()
        door = self.at(DOOR)

        def unowned():
            os.chmod(door, 0o777)

        def replaced():
            with open(door, "ab") as f:
                f.write(b"x")

        def restore():
            os.unlink(door)
            subprocess.check_call(["cp", t.program("opseal-shell"), door])
            os.chown(door, 0, 0)
            os.chmod(door, 0o711)
        self.fault(unowned, restore, "the door", "wrong", "is not root's alone")
        self.fault(replaced, restore, "the door", "wrong", "another program than when it was set up",
                   "opseal setup")
        self.fault(lambda: os.unlink(door), lambda: (open(door, "w").close(), restore()),
                   "the door", "wrong", "opseal-shell", "install opseal again")
        self.fault(*self.in_file(SESSION, lambda x: "".join(
            line + "\n" for line in x.splitlines() if "pam_opseal" not in line)),
                   "PAM", "wrong", SESSION + " lacks lines of pam_opseal.so")
        module, = glob.glob(self.at("/lib/*/security/" + hosted.MODULE))
        self.fault(lambda: os.rename(module, module + ".away"),
                   lambda: os.rename(module + ".away", module),
                   "PAM", "wrong", "pam_opseal.so is not installed", "libpam-opseal")
        state = self.at("/etc/opseal/setup.state")
        self.fault(lambda: os.rename(state, state + ".away"), lambda: os.rename(state + ".away", state),
                   "accounts", "wrong", "setup.state is gone", "opseal setup")
        # Whose state is gone may have doors all the same.
        os.rename(state, state + ".away")
        try:
            self.row(self.doctor("--quick"), "a console", "recorded", "its door")
        finally:
            os.rename(state + ".away", state)
        # An upgrade is taken over by setup.
        replaced()
        self.exits(self.opseal("setup", "--yes"), 0)
        self.row(self.doctor("--quick", status=0), "the door", "fine")
        self.exits(self.opseal("unsetup", "--yes"), 0)
        self.row(self.doctor("--quick"), "accounts", "uncovered", "nothing is set up", "opseal setup")
        rows = self.doctor("--quick")
        for check in ("a console", "sshd"):
            self.row(rows, check, "events", "no door")
        self.row(rows, "keys with command=", "events")

    def test_daemon_and_host(self):
        inst = self.serve()
        self.fault(*self.in_file("/etc/passwd", lambda x: "".join(
            line + "\n" for line in x.splitlines() if not line.startswith("opseal:"))),
                   "users", "wrong", "no user opseal", "systemd-sysusers")
        conf, people = "/etc/opseal/opseal.conf", "/etc/opseal/people"
        self.fault(lambda: self.put(conf, "\nhold_tim = 3s\n"), lambda: os.unlink(self.at(conf)),
                   "configuration", "wrong", conf + ":2:", "opseal config --check")
        self.fault(lambda: self.put(people, "key nonsense al\n"), lambda: os.unlink(self.at(people)),
                   "people", "wrong", people + ":1:", "mend that line")
        os.chmod(os.path.join(inst.run_dir, "session.sock"), 0o600)
        self.row(self.doctor("--quick", status=5), "sockets", "wrong", "session.sock",
                 "of mode 0666, and has 0600", "restart opseald")
        # Without --quick it is tried: nobody can't reach the daemon.
        self.row(self.doctor(status=5), "a login", "unknown",
                 "it said: opseal-door: nothing was run: ", "Permission denied")
        inst.stop()
        rows = self.doctor(status=5)
        self.row(rows, "daemon", "wrong", "systemctl start opseald")
        self.row(rows, "a login", "uncovered", "logins go on unrecorded")
        self.row(rows, "cron", "uncovered", "not captured") if [
            x for x in rows if x["check"] == "cron" and x["verdict"] != "absent"] else None

    def test_where_a_reason_is_asked_and_switched_off(self):
        inst = self.serve('notice = "House rules"\nreason = require\n')
        self.row(self.doctor(status=0), "a login", "recorded")
        self.exits(self.opseal("off", "--reason", "a new disk"), 0)
        self.row(self.doctor("--quick", status=5), "daemon", "wrong", "a new disk", "opseal on")
        self.exits(self.opseal("on"), 0)
        c.wait_captured(inst)
        self.row(self.doctor("--quick", status=0), "daemon", "fine")

    def test_without_capture_and_anchor(self):
        inst = self.serve(capture=False)
        rows = self.doctor(status=5)
        self.row(rows, "capture", "wrong", "programs are NOT captured")
        self.row(rows, "a login", "recorded")
        self.row(rows, "ssh host bash, without a terminal", "uncovered", "what it did is not")
        self.row(rows, "accounts", "uncovered", "root has /bin/bash")
        inst.stop()
        inst = t.Instance(self.path("other"), start=False, preexec=self.inside)
        self.later(inst.destroy)
        self.exits(self.enter(["mount", "--bind", inst.run_dir, "/run/opseal"]), 0)
        inst.start()
        self.row(self.doctor("--quick", status=5), "anchor", "wrong", "outside of the store",
                 "anchor_file")

    def test_sshd_and_keys(self):
        t.need_program("sshd")
        self.serve()
        os.makedirs(self.at("/etc/ssh/sshd_config.d"), exist_ok=True)
        conf = "/etc/ssh/sshd_config.d/x.conf"
        self.put(conf, "# x\nSubsystem sftp internal-sftp\nMatch Group shut\n"
                 "  ChrootDirectory /srv/%u\n  ForceCommand internal-sftp\n")
        self.put("/home/bo/.ssh/authorized_keys", "# mine\ncommand=\"borg serve\" ssh-ed25519 AAAA x\n")
        rows = self.doctor("--quick")
        self.row(rows, "sshd", "events", "internal-sftp starts no program", "judged from %s:2" % conf,
                 "sftp-server")
        self.row(rows, "sshd", "events", "shut in in /srv/%u", "judged from %s:4" % conf)
        self.row(rows, "sshd", "events", "for some, internal-sftp alone", "judged from %s:5" % conf)
        self.row(rows, "keys with command=", "recorded", "bo has a key with command",
                 "/home/bo/.ssh/authorized_keys:2")

    def test_forced_by_sshd(self):
        t.need_program("sshd")
        self.serve(capture=False)
        self.exits(self.opseal("unsetup", "--yes"), 0)
        config = "/etc/ssh/sshd_config"
        self.put(config, "Include /etc/ssh/sshd_config.d/*.conf\nHostKey %s\nSubsystem sftp "
                 "/usr/lib/openssh/sftp-server\n" % self.path("key"))
        subprocess.check_call(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.path("key")])
        for path in glob.glob(self.at("/etc/ssh/sshd_config.d/*")):
            os.unlink(path)
        os.makedirs(self.at("/etc/ssh/sshd_config.d"), exist_ok=True)
        os.makedirs(self.at("/run/sshd"), exist_ok=True)
        self.exits(self.opseal("setup", "--yes", "--door", "force", "--user", "al"), 0)
        rows = self.doctor()
        self.row(rows, "a login", "recorded")
        self.row(rows, "accounts", "recorded", "1 account has the door")
        self.row(rows, "as set up", "fine")
        dropin = "/etc/ssh/sshd_config.d/50-opseal.conf"
        self.fault(*self.in_file(dropin, lambda x: x + "# mine\n"),
                   "as set up", "wrong", dropin + " was changed by hand")
        kept = self.at(dropin)
        self.fault(lambda: os.rename(kept, kept + ".away"), lambda: os.rename(kept + ".away", kept),
                   "sshd's file", "wrong", dropin + " isn't as it was set up", "opseal setup")

    def test_ordinary_user(self):
        inst = self.serve()
        al = ["setpriv", "--reuid=2001", "--regid=2001", "--clear-groups"]
        t.need_program("setpriv")
        rows = self.doctor(argv=al, status=5)
        self.equal(self.row(rows, "a login", "recorded")["how"], "tried", "how")
        self.row(rows, "su", "recorded", "judged, not tried")
        self.row(rows, "keys with command=", "unknown", "only root", "sudo opseal doctor")
        self.row(rows, "daemon", "fine")
        self.equal({s["user"] for s in r.json_lines(inst.opseal("ls", "--json"))}, {"al"}, "whose")
        denied = self.enter(al + [OPSEAL, "doctor", "--quick", "--report"])
        self.exits(denied, 4)
        self.contains(denied.errtext, "only root reports findings")

    def notify(self):
        """A command for `notify`, of what self.told() knows."""
        out = self.path("out")
        open(out, "w").close()
        os.chmod(out, 0o666)
        script = self.write("tell", "#!/bin/sh\ncat >>%s\n" % out)
        os.chmod(script, 0o755)
        return script

    def told(self):
        """The findings of doors."""
        with open(self.path("out")) as f:
            rows = [json.loads(line) for line in f.read().splitlines()]
        return [x for x in rows if x["kind"] == "door"]

    def test_changes_are_told_once(self):
        t.need_program("setpriv")
        # What opseal-doctor.service leaves it.
        with open(os.path.join(t.SOURCE, "etc/opseal-doctor.service.in")) as f:
            caps = re.search(r"(?m)^CapabilityBoundingSet=(.*)$", f.read())[1].split()
        unit = ["setpriv", "--bounding-set=-all,+" + ",+".join(x[4:].lower() for x in caps),
                "--inh-caps=-all", "--no-new-privs"]
        inst = self.serve(config="notify = %s\n" % self.notify(), capture=False)
        told = self.told

        def look(n, about):
            self.doctor("--quick", "--report", status=5, argv=unit)
            t.wait_for("%d findings, %s" % (n, about), lambda: len(told()) >= n, about=inst.log)
            time.sleep(0.3)
            self.equal(len(told()), n, "findings, %s: %r" % (about, told()))
        look(0, "of a host that is as it was set up")
        inject, undo = self.in_file("/etc/passwd", lambda x: x.replace(
            "/home/al:%s" % DOOR, "/home/al:/bin/dash"))
        inject()
        look(1, "after chsh")
        self.contains(told()[0]["detail"], "al: was set up, and its shell was changed to /bin/dash")
        self.contains(inst.log(), "al: was set up, and its shell was changed")
        look(1, "again")
        gone, back = self.in_file(SESSION, lambda x: "".join(
            line + "\n" for line in x.splitlines() if "pam_opseal" not in line))
        gone()
        look(2, "after PAM's lines are gone")
        self.contains(told()[1]["detail"], SESSION + " lacks lines")
        os.chmod(self.at(MAP), 0o666)
        look(3, "after the map was opened")
        os.chmod(self.at(MAP), 0o644)
        with open(self.at(DOOR), "ab") as f:
            f.write(b"x")
        look(4, "after the program was replaced")
        back()
        look(4, "after PAM was mended")
        gone()
        look(5, "after it was undone again")
        # What can't be told isn't held for told.
        back()
        undo()
        self.doctor("--quick", "--report")
        inst.stop()
        inject()
        lost = self.enter([OPSEAL, "doctor", "--quick", "--report"])
        self.exits(lost, 2)
        self.contains(lost.errtext, "--report: ")
        inst.start()
        look(6, "once there is a daemon again")


t.main()
