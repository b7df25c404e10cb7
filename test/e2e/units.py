#!/usr/bin/python3
# The systemd units: well-formed, rated, and enough for what opseald does, as far as that
# can be seen where no systemd runs.
import json
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import captured
import opsealtest as t
import recorded

ETC = os.path.join(t.SOURCE, "etc")
UNITS = ("opseald.service", "opseald-session.socket", "opseald-record.socket",
         "opseald-control.socket", "opseald-again.timer", "opseal-verify.service", "opseal-verify.timer",
         "opseal-doctor.service", "opseal-doctor.timer")


def unit(name):
    """The unit's text, with the programs of this build."""
    path = os.path.join(ETC, name)
    with open(path if os.path.exists(path) else path + ".in") as f:
        return re.sub(r"@s?bindir@", t.programs(), f.read())


def settings(name, key):
    return " ".join(re.findall(r"(?m)^%s=(.*)$" % key, unit(name))).split()


class Units(recorded.Recorded):
    def folder(self):
        for name in UNITS:
            self.write(name, unit(name).encode())
        return [self.path(name) for name in UNITS]

    def test_well_formed(self):
        t.need_program("systemd-analyze")
        result = self.exits(t.run(["systemd-analyze", "verify", "--man=no"] + self.folder()), 0)
        self.equal(result.text + result.errtext, "", "what it says")

    def test_rated(self):
        """Each service is rated OK or better: 4.9 of 10 and less."""
        t.need_program("systemd-analyze")
        self.folder()
        for name, limit in (("opseald.service", 4.9), ("opseal-verify.service", 2.0),
                            ("opseal-doctor.service", 2.5)):
            text = t.run(["systemd-analyze", "security", "--offline=yes", "--no-pager",
                          self.path(name)]).text
            rate = float(re.search(r"Overall exposure level for %s: ([0-9.]+)" % name, text)[1])
            self.check(rate <= limit, "%s: exposure %.1f" % (name, rate))

    def test_sockets_are_those_of_the_roles(self):
        with open(os.path.join(t.SOURCE, "daemon/role.c")) as f:
            roles = dict(re.findall(r'"(\w+)\.sock",\s+(0\d+)', f.read()))
        self.equal(sorted(roles), ["control", "record", "session"], "sockets")
        for name, mode in roles.items():
            one = "opseald-%s.socket" % name
            self.equal(settings(one, "ListenSequentialPacket"), ["/run/opseal/%s.sock" % name])
            self.equal(settings(one, "FileDescriptorName"), [name])
            self.equal(settings(one, "SocketMode"), [mode])
            self.contains(settings("opseald.service", "Sockets"), one)

    def test_capabilities_are_enough(self):
        """opseald with this bounding set and no more: it starts, captures, records."""
        captured.need_capture()
        t.need_program("setpriv")
        caps = [c[4:].lower() for c in settings("opseald.service", "CapabilityBoundingSet")]
        self.check(len(caps) > 5, "few capabilities")

        class Bounded(t.Instance):
            def daemon_argv(self):
                return ["setpriv", "--bounding-set=-all,+" + ",+".join(caps),
                        "--inh-caps=-all"] + super().daemon_argv()
        folder = self.path("bounded")
        os.makedirs(folder)
        os.chmod(folder, 0o755)
        inst = Bounded(folder, capture=True, start=False, config="accounting = on\n")
        self.later(inst.destroy)
        inst.start()
        captured.wait_captured(inst)
        term = self.record_pty(inst, ["/bin/true", "bounded"])
        self.equal(term.wait(), 0, "exit status")
        t.wait_for("the program", lambda: "bounded" in inst.opseal("log", "true").text,
                   about=lambda: inst.log())
        self.equal(inst.stop(), 0, "stop")
        self.check("not permitted" not in inst.log(), inst.log())

    def test_system_calls_are_enough(self):
        """What opseald and its recorders call is what the unit lets them call."""
        captured.need_capture()
        t.need_program("systemd-analyze", "strace")
        allowed = set()
        for word in settings("opseald.service", "SystemCallFilter"):
            todo = [word]
            while todo:
                name = todo.pop()
                if name[0] != "@":
                    allowed.add(name)
                    continue
                text = self.exits(t.run(["systemd-analyze", "syscall-filter", "--no-pager", name]), 0).text
                todo += [x.strip() for x in text.splitlines()[1:]
                         if x.strip() and not x.strip().startswith("#")]
        self.check(len(allowed) > 200, "few system calls")
        trace = self.path("trace")

        class Traced(t.Instance):
            def daemon_argv(self):
                return ["strace", "-f", "-qq", "-o", trace] + super().daemon_argv()
        folder = self.path("traced")
        os.makedirs(folder)
        os.chmod(folder, 0o755)
        inst = Traced(folder, capture=True, start=False)
        self.later(inst.destroy)
        inst.start(timeout=120)
        captured.wait_captured(inst)
        term = self.record_pty(inst, ["sh", "-c", "echo here; /bin/true traced"])
        self.equal(term.wait(60), 0, "exit status")
        t.wait_for("the program", lambda: "traced" in inst.opseal("log", "true").text)
        self.exits(inst.opseal("verify"), 0)
        pid = int(subprocess.run(["pgrep", "-P", str(inst.proc.pid)], stdout=subprocess.PIPE,
                                 check=True).stdout.split()[0])
        os.kill(pid, 15)
        inst.proc.wait(60)
        inst.proc = None
        with open(trace, errors="replace") as f:
            called = {m[1] for m in (re.match(r"\d+ +(\w+)\(", line) for line in f) if m}
        self.check({"bpf", "fdatasync", "fork", "clone"} & called, "nothing was traced")
        # Of openat2(2) systemd can't see the mode, so it refuses all of it.
        if "openat2" in called:
            self.equal(settings("opseald.service", "RestrictSUIDSGID"), [], "RestrictSUIDSGID")
        # Only where /sys/kernel/tracing isn't mounted, as systemd does it.
        called -= {"fsopen", "fsconfig", "fsmount"}
        self.equal(sorted(called - allowed), [], "called and not allowed")

    def test_users_and_folders(self):
        t.need_root("root, to make users in a folder")
        t.need_program("systemd-sysusers", "systemd-tmpfiles")
        root = self.path("root")
        os.makedirs(root + "/etc")
        for kind, name in (("sysusers", "opseal.sysusers"), ("tmpfiles", "opseal.tmpfiles")):
            shutil.copy(os.path.join(ETC, name), self.path(kind + ".conf"))
        self.exits(t.run(["systemd-sysusers", "--root=" + root, self.path("sysusers.conf")]), 0)
        with open(root + "/etc/passwd") as f:
            user = re.search(r"(?m)^opseal:[^:]*:(\d+):(\d+):[^:]*:/nonexistent:/usr/sbin/nologin$", f.read())
        self.check(user, "no user opseal")
        with open(root + "/etc/group") as f:
            self.matches(f.read(), r"(?m)^opseal-read:")
        self.exits(t.run(["systemd-tmpfiles", "--create", "--root=" + root, self.path("tmpfiles.conf")]), 0)
        for path, mode in (("/run/opseal", 0o755), ("/var/lib/opseal", 0o700)):
            st = os.stat(root + path)
            self.equal((st.st_mode & 0o7777, st.st_uid, st.st_gid), (mode, int(user[1]), int(user[2])), path)


if __name__ == "__main__":
    t.main()
