#!/usr/bin/python3
# timeout: 900
"""doc/design/faults.md, cell by cell: each fault is brought about on a host of its own, and
who logs in, through Debian's sshd or login(1), gets what the table says."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import opsealtest as t
import recorded as r
import sshhost
from faults import Faults

TABLE = os.path.join(t.SOURCE, "doc/design/faults.md")
MAP = "/etc/opseal/shells"
CONFIG = "hold_time = 500ms\n"
YEAR = 365 * 86400
PERMIT = "auth sufficient pam_permit.so\naccount required pam_permit.so\nsession required pam_permit.so\n"
MISSING = "session optional pam_opseal.so\naccount optional pam_opseal.so\n"
NO_DAEMON = b"opseal-door: this is not recorded: no daemon answers"
FULL = 24  # MB of a disk that will be full


def table():
    """The document's: {fault: {who: outcome}}, in its order."""
    with open(TABLE) as f:
        rows = [[c.strip() for c in line.strip().strip("|").split("|")]
                for line in f if line.startswith("| ")]
    head = rows[0]
    return {row[0]: dict(zip(head[1:], row[1:])) for row in rows[1:]}


class Cell(t.Test):
    """One fault and one who."""

    def setup(self):
        self.faults = None
        self.before = self.inst = None
        self.host = sshhost.Host(self.path("host"), names=("anna", "ben"))
        self.later(self.host.close)
        self.host.set_shells()
        for service in ("login", "sudo", "su"):
            self.host.put("/etc/pam.d/" + service, PERMIT)

    # ---- the host, and what goes wrong with it ----

    def daemon(self, size=None, reserve="", **options):
        """opseald; its store on a disk of that many MB, if any."""
        def mount(inst):
            owner = os.stat(inst.store)
            disk = os.path.dirname(inst.store) + "/disk"
            self.disk = disk
            self.host.run(["mkdir", disk])
            self.exits(self.host.run(["mount", "-t", "tmpfs", "-o", "mode=755,size=%dm" % size, "small", disk]), 0)
            inst.store = disk + "/store"
            self.host.run(["install", "-d", "-m", "700", "-o", str(owner.st_uid), "-g", str(owner.st_gid), inst.store])
        if self.faults:
            options["env"] = self.faults.env
        # That is the host's own policy, which the doors go by without a daemon, too.
        options["policy" if "refuse" in self.who else "config"] = CONFIG + reserve + (
            "on_log_failure = refuse\n" if "refuse" in self.who else "")
        self.inst = self.host.instance(self, before=mount if size else None, **options)

    def ends(self, pattern):
        """It was started again, and says why it can't."""
        self.inst.stop()
        before = self.inst.log()
        self.inst.launch()
        self.check(self.inst.proc.wait(t.PATIENCE) != 0, "exit status")
        self.inst.proc = None
        self.matches(self.inst.log()[len(before):], pattern, "what it says")

    def reload(self):
        self.inst.proc.send_signal(1)

    def opseal(self, *args):
        """The host's own, in its mounts."""
        return self.host.run([t.program("opseal"), "--run", "/run/opseal", *args])

    def state(self):
        return r.json_lines(self.opseal("status", "--json"))[0]["state"]

    def fault_nothing_is_wrong(self):
        self.daemon()

    def fault_the_daemon_is_down(self):
        self.daemon()
        self.inst.kill()

    def fault_the_disk_is_nearly_full(self):
        self.daemon(60, "disk_reserve = 40M\n")
        self.exits(self.host.run(["dd", "if=/dev/zero", "of=%s/other" % self.disk, "bs=1M", "count=25"]), 0)
        self.host.ssh("ben", "-tt", "h", "true")  # who writes looks
        t.wait_for("the state", lambda: self.state() == "no_screens")

    def fault_the_disk_is_full(self):
        self.daemon(FULL)
        self.fill()

    def fill(self):
        """All of it, until nothing more is recorded."""
        def full():
            self.host.run(["sh", "-c", "cat /dev/zero >>%s/other" % self.disk])
            if self.state() == "failed":
                return True
            self.host.ssh("ben", "-tt", "h", "head -c 300000 /dev/urandom | base64")
            return False
        t.wait_for("a log that can't be written", full, 60)

    def fault_the_store_turns_read_only(self):
        self.daemon(FULL)
        # tmpfs refuses while a file is open for writing.

        def remounted():
            r.kill(*r.role_pids(self.inst, "writer"))
            return self.host.run(["mount", "-o", "remount,ro", self.disk]).status == 0
        t.wait_for("a read-only disk", remounted)
        t.wait_for("a line in the log", lambda: "Read-only file system" in self.inst.log())

    def fault_the_store_is_read_only_at_the_start(self):
        self.daemon(FULL)
        self.inst.stop()
        self.exits(self.host.run(["mount", "-o", "remount,ro", self.disk]), 0)
        self.inst.launch()
        self.check(self.inst.proc.wait(t.PATIENCE) != 0, "exit status")
        self.inst.proc = None
        self.matches(self.inst.log(), "Read-only file system", "what it says")

    def wrong_settings(self):
        self.exits(self.host.run(["sh", "-c", "echo hold_tyme = 3s >>%s" % self.inst.config_path]), 0)

    def fault_the_configuration_is_wrong_at_a_reload(self):
        self.daemon()
        self.wrong_settings()
        self.reload()
        t.wait_for("a line in the log", lambda: "hold_tyme" in self.inst.log())
        self.contains(self.opseal("status").text, "hold_tyme", "status")

    def fault_the_configuration_is_wrong_at_the_start(self):
        self.daemon()
        self.wrong_settings()
        self.ends("opseal.conf:[0-9]+: .*hold_tyme")

    def no_user(self):
        if "--no-drop" in self.inst.daemon_args:
            t.skip("the daemon can't run as opseal here")
        self.host.run(["sed", "-i", "/^opseal:/d", "/etc/passwd", "/etc/group", "/etc/shadow"])

    def fault_the_user_opseal_goes_while_it_runs(self):
        self.daemon()
        self.no_user()
        # And a part of it is started anew.
        old = self.inst.role("session")
        r.kill(old)
        t.wait_for("another", lambda: self.inst.role("session") not in (None, old))

    def fault_the_user_opseal_is_missing_at_the_start(self):
        self.daemon()
        self.no_user()
        self.ends("no user opseal")

    def fault_the_PAM_module_is_missing(self):
        self.daemon()
        for service in ("sshd", "login"):
            text = self.host.get("/etc/pam.d/" + service).decode()
            self.host.put("/etc/pam.d/" + service, text + MISSING)
        self.equal(self.host.run(["sh", "-c", "ls /lib/*/security/pam_opseal.so"]).out, b"", "the module")

    def fault_the_door_program_is_missing(self):
        self.daemon()
        self.host.run(["rm", sshhost.DOOR])

    def jump(self, seconds):
        self.faults = Faults(self)
        self.daemon()
        self.exits(self.host.ssh("ben", "-tt", "h", "true"), 0)
        self.faults.clock(seconds)

    def fault_the_clock_jumps_a_year_back(self):
        self.jump(-YEAR)

    def fault_the_clock_jumps_a_year_ahead(self):
        self.jump(YEAR)

    def fault_the_map_of_shells_is_missing(self):
        self.daemon()
        self.host.run(["rm", MAP])

    def fault_the_map_of_shells_is_broken(self):
        self.daemon()
        self.host.put(MAP, "\x00\xff:::\n/bin/bash\n")

    # ---- who logs in ----

    def by_ssh(self, name, more=""):
        """Gives the exit status and what the terminal showed."""
        got = self.host.ssh(name, "-tt", "h", "echo in''side; %s exit 5" % more)
        if b"inside\r\n" in got.out:
            self.equal(got.status, 5, "exit status: %r" % got)
        return got.status, got.out + got.err

    def at_console(self):
        term = self.host.pty(["login", "-f", "root"])
        self.later(term.close)

        def prompt_or_end():
            return re.search(rb"[#$] $", bytes(term.out)) or term.proc.poll() is not None
        t.wait_for("a prompt, or an end", prompt_or_end, about=lambda: repr(bytes(term.out)))
        if term.proc.poll() is None:
            term.line("echo in''side as $(id -un); exit 5")
        return term.wait(), bytes(term.out)

    def enter_root_console(self):
        return self.at_console()

    def enter_root_console_door(self):
        return self.at_console()

    def enter_admin_ssh(self):
        status, out = self.by_ssh("anna", "sudo -n id -un;")
        if b"inside" in out:
            self.contains(out, b"inside\r\nroot\r\n", "sudo")
        return status, out

    def enter_user_ssh(self):
        return self.by_ssh("ben")

    enter_user_ssh_refuse = enter_user_ssh

    def prepare(self):
        """The accounts, before anything is wrong."""
        if self.who == "root, console, door":
            self.host.put(MAP, self.host.get(MAP).decode() + "root:0:/bin/bash\n")
            self.host.give_door("root")
        if self.who == "admin, ssh":
            t.need_program("sudo")
            self.host.put("/etc/sudoers", "Defaults !lecture, !syslog, !fqdn\nanna ALL=(ALL) NOPASSWD: ALL\n", 0o440)
            self.host.run(["rm", "-rf", "/etc/sudoers.d"])

    # ---- what came of it ----

    def answers(self):
        return self.inst is not None and self.inst.proc is not None and self.opseal("ls").status in (0, 1)

    def sessions(self):
        return [s["session"] for s in r.json_lines(self.opseal("ls", "--json"))]

    def outcome(self, before, status, out):
        """In the words of the document."""
        if b"this part is not recorded" in out:
            return "gap" if b"inside" in out else "a gap, and not in"
        if NO_DAEMON in out:
            return "unrecorded" if b"inside" in out else "unrecorded, and not in"
        if before is None:
            return "in" if b"inside" in out else "refused"
        new = [s for s in self.sessions() if s not in before]
        if b"inside" not in out:
            return "ended" if new and b"the session ends here" in out else "refused" if not new else "recorded, and not in"
        if not new:
            return "in"
        self.equal(len(new), 1, "new sessions")
        self.contains(self.exits(self.opseal("cat", new[0]), 0).text, "inside", "what is recorded")
        return "recorded, sh" if b"/bin/sh" in out else "recorded"

    def cell(self, fault, who, want):
        self.who = who
        self.prepare()
        getattr(self, "fault_" + re.sub(r"\W", "_", fault))()
        for tries in range(20):
            before = self.sessions() if self.answers() else None
            status, out = getattr(self, "enter_" + re.sub(r"\W+", "_", who))()
            got = self.outcome(before, status, out)
            if got == want or fault != "the disk is full" or tries == 19:
                break
            # The log is back for a moment when a frame has freed the WAL's place.
            self.check(got in ("recorded", "in"), "neither recorded nor %s: %r" % (want, out[-800:]))
            self.fill()
        self.equal(got, want, "%s: %s: status %r, the terminal showed %r" % (fault, who, status, out[-800:]))
        if want.startswith("recorded") or want == "ended":
            self.check(not re.search("TAMPER|DAMAGE", self.exits(self.opseal("verify"), 0).text), "verify")
        if fault.startswith("the clock"):
            self.inst.restart()
            self.equal(self.outcome(self.sessions(), *getattr(self, "enter_" + re.sub(r"\W+", "_", who))()), want,
                       "after a restart")
            self.exits(self.opseal("verify"), 0)


class Table(t.Test):
    def test_is_whole(self):
        """Each fault that is tried stands in the document, and the reverse."""
        known = sorted(n[len("fault_"):] for n in vars(Cell) if n.startswith("fault_"))
        self.equal(sorted(re.sub(r"\W", "_", f) for f in table()), known, "faults")
        who = sorted(n[len("enter_"):] for n in vars(Cell) if n.startswith("enter_"))
        for fault, row in table().items():
            self.equal(sorted(re.sub(r"\W+", "_", w) for w in row), who, fault)
            self.check(all(row.values()), "%s: an empty cell" % fault)


def add(fault, who, want):
    def test(self):
        self.cell(fault, who, want)
    setattr(Cell, "test_%s__%s" % (re.sub(r"\W", "_", fault), re.sub(r"\W+", "_", who)), test)


for _fault, _row in table().items():
    for _who, _want in _row.items():
        add(_fault, _who, _want)

t.main()
