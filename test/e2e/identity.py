#!/usr/bin/python3
# timeout: 300
"""Who ran a program, who started it and how it ended: right also through sudo,
su, setpriv, setuid files, scripts, threads, without a login, and when a pid is
another process's soon."""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import captured as c
import opsealtest as t

# Mounts of its own hide the machine's rules; they are gone with the process.
SUDOERS = """Defaults !lecture, !syslog, !fqdn
%s ALL=(ALL) NOPASSWD: ALL
root ALL=(ALL) NOPASSWD: ALL
"""
WITH_SUDOERS = ("mount --bind %s /etc/sudoers && mount -t tmpfs none /etc/sudoers.d && "
                "exec setpriv --reuid %d --regid %d --clear-groups \"$@\"")


def log_in(uid):
    """From here on the process and its children have that login."""
    with open("/proc/self/loginuid", "w") as f:
        f.write(str(uid))


class Identity(c.Captured):
    def setup(self):
        super().setup()
        self.user, self.other = t.person(0), t.person(1)
        self.shell = self.program("shell", "/bin/sh")

        if t.call_as(t.pwd.getpwuid(0), lambda: log_in(self.user.pw_uid) or 0) != 0:
            t.skip("/proc/self/loginuid can't be set here")

    def log_in(self):
        log_in(self.user.pw_uid)

    def logged_in(self, argv, want=0, **options):
        """Run argv in a login of self.user; as root, if nothing is said."""
        self.exits(t.run(argv, preexec=self.log_in, **options), want)

    def who(self, row):
        return row["login"], row["user"], row["euid"]

    def chain(self, row, rows):
        """The files of a process and of those that made it, as far as they ran here."""
        by_pid, names = {}, []
        for p in rows:
            if p["kind"] == "exec":
                by_pid[(p["pid"], p["start"])] = p
        while row is not None:
            names.append(os.path.basename(row["exe"]))
            row = by_pid.get((row["ppid"], row["ppid_start"]))
        return names

    def sudo_argv(self, rules):
        """self.user runs self.shell by sudo as self.other."""
        t.need_program("sudo", "setpriv", "unshare")
        sudoers = self.write("sudoers", SUDOERS % self.user.pw_name + rules)
        os.chmod(sudoers, 0o440)
        script = WITH_SUDOERS % (sudoers, self.user.pw_uid, self.user.pw_gid)
        return ["unshare", "-m", "sh", "-c", script, "sh", "sudo", "-n", "-u", self.other.pw_name,
                self.shell, "-c", "exit 3", "by-sudo"]

    def check_sudo(self):
        """Login: who he was; user: who he became; sudo itself: his, as root."""
        row, rows = self.run_of(self.shell), self.everything()
        self.equal(self.who(row), (self.user.pw_name, self.other.pw_name, self.other.pw_uid), "who")
        self.equal((row["exit"], row["signal"], row["auid"]), (3, None, self.user.pw_uid), "its end")
        sudo = [p for p in rows if p["kind"] == "exec" and self.shell in p["argv"] and
                p["exe"].endswith("/sudo")]
        self.equal([(self.who(p), p["before_euid"], p["exit"], "secure" in p["flags"]) for p in sudo],
                   [((self.user.pw_name, self.user.pw_name, 0), self.user.pw_uid, 3, True)], "sudo")
        self.equal(row["ses"], sudo[0]["ses"], "audit session")
        return row, rows, sudo[0]

    def test_sudo(self):
        self.logged_in(self.sudo_argv("Defaults !use_pty\n"), 3)
        row, _, sudo = self.check_sudo()
        self.equal((row["ppid"], row["ppid_start"]), (sudo["pid"], sudo["start"]), "parent")

    def test_sudo_with_a_terminal(self):
        """The same where sudo puts a process and a terminal of its own between."""
        term = self.pty(self.sudo_argv("Defaults use_pty\n"), preexec=self.log_in)
        self.equal(term.wait(), 3, "status")
        row, rows, sudo = self.check_sudo()
        monitor = [p for p in rows if p["kind"] == "ended" and p["pid"] == row["ppid"]]
        self.equal([(p["ppid"], p["comm"]) for p in monitor], [(sudo["pid"], "sudo")], "parent")
        self.check(None not in (row["tty"], sudo["tty"]) and row["tty"] != sudo["tty"],
                   "terminals %s and %s" % (row["tty"], sudo["tty"]))

    def test_su(self):
        """From a login of one person to another and back to root: who logged in
        stays."""
        t.need_program("su")
        line = "su -s %s %s -c 'exit 4'; exit 5" % (self.shell, self.other.pw_name)
        self.logged_in(["su", "-s", "/bin/sh", "root", "-c", line], 5)
        row = self.run_of(self.shell)
        self.equal(self.who(row), (self.user.pw_name, self.other.pw_name, self.other.pw_uid), "who")
        self.equal(row["exit"], 4, "exit")
        self.equal(self.chain(row, self.everything())[:2], ["shell", "su"], "parents")

    def test_setpriv(self):
        t.need_program("setpriv")
        self.logged_in(["setpriv", "--reuid", str(self.other.pw_uid), "--clear-groups",
                        self.shell, "-c", "kill -9 $$"], -9)
        row = self.run_of(self.shell)
        self.equal(self.who(row), (self.user.pw_name, self.other.pw_name, self.other.pw_uid), "who")
        self.equal((row["exit"], row["signal"]), (None, 9), "its end")
        self.equal(row["before_uid"], self.other.pw_uid, "who it was before")

    def test_setuid(self):
        """Login and user are his, the effective user is the file's owner."""
        program = self.program("setuid", "/bin/false", mode=0o4755)
        os.chown(program, self.other.pw_uid, self.other.pw_gid)
        os.chmod(program, 0o4755)
        self.logged_in([program], 1, user=self.user)
        row = self.run_of(program)
        self.equal(self.who(row), (self.user.pw_name, self.user.pw_name, self.other.pw_uid), "who")
        self.equal((row["before_euid"], row["exit"], row["ppid"]),
                   (self.user.pw_uid, 1, os.getpid()), "before, exit, parent")

    def test_script(self):
        """`#!`: one exec, the script's name, the interpreter's file; its children
        have it as parent."""
        child = self.program("child")
        script = self.made("a-script", "#!%s -e\n%s one\nexit 6\n" % (self.shell, child))
        self.logged_in([script, "word"], 6, user=self.user)
        row, below = self.run_of(self.shell), self.run_of(child)
        self.equal((row["filename"], row["argv"], row["comm"]),
                   (script, [self.shell, "-e", script, "word"], "a-script"), "what")
        self.equal((self.who(row), row["exit"], row["ppid"]),
                   ((self.user.pw_name, self.user.pw_name, self.user.pw_uid), 6, os.getpid()), "who")
        self.equal((below["ppid"], below["ppid_start"], below["login"]),
                   (row["pid"], row["start"], self.user.pw_name), "its child")

    def test_without_a_login(self):
        """As cron does it: no login, no terminal, a session of its own, and a
        parent that is gone.  The user is all there is; the parent is who made it."""
        read, write = os.pipe2(os.O_CLOEXEC)
        first = os.fork()
        if first == 0:
            os.setsid()
            maker, second = os.getpid(), os.fork()
            if second == 0:
                t.become(self.user)()
                null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
                for fd in range(3):
                    os.dup2(null, fd)
                while os.getppid() == maker:
                    time.sleep(0.01)
                os.execv(self.shell, ["sh", "-c", "exit 7"])
            os.write(write, str(second).encode())
            os._exit(0)
        self.equal(os.waitpid(first, 0)[1], 0, "the one between")
        os.close(write)
        with os.fdopen(read) as f:
            second = int(f.read())
        row = self.run_of(self.shell)
        self.equal((row["pid"], row["ppid"], row["sid"], row["exit"]), (second, first, first, 7),
                   "process, parent, session and exit")
        self.equal((row["auid"], row["ses"], row["tty"], row["session"]), (None, None, None, None),
                   "of a login")
        self.equal(self.who(row), (self.user.pw_name, self.user.pw_name, self.user.pw_uid), "who")

    def test_thread(self):
        """An exec by a thread that isn't the leader: the process stays the same,
        and the end of the other thread is not its end."""
        program = self.program("sleeps", "/bin/sh")
        self.logged_in([self.program("evade", os.path.join(c.HELPER, "evade")), "thread", program,
                        "-c", "sleep 0.3; exit 8"], 8, user=self.user)
        row, before = self.run_of(program), self.run_of(self.path("evade"))
        self.equal((row["pid"], row["start"], row["ppid"]), (before["pid"], before["start"],
                                                             os.getpid()), "process and parent")
        self.equal((self.who(row), row["exit"]), ((self.user.pw_name, self.user.pw_name,
                                                   self.user.pw_uid), 8), "who, exit")
        self.equal((before.get("replaced"), row["flags"]), (True, ["thread"]), "flags")
        self.check(row["duration"] >= 0.3, "it ended after %s s" % row["duration"])


class Pids(c.Captured):
    def has_own_pid_max(self):
        """Linux 6.14.  Tried with one pid less than there are, which does no harm where
        it is the machine's after all; 310 would end everybody's forks."""
        path = "/proc/sys/kernel/pid_max"
        with open(path) as f:
            before = int(f.read())
        done = t.run(["unshare", "-pf", "--mount-proc", "sh", "-c", "echo %d >%s && cat %s" % (
            before - 1, path, path)])
        with open(path) as f:
            after = int(f.read())
        if after != before:
            with open(path, "w") as f:
                f.write(str(before))
        return after == before and done.out == b"%d\n" % (before - 1)

    def test_wrap(self):
        """pid_max 310 in a pid namespace: there are ten pids for 200 processes, and
        each keeps its parent, arguments and exit."""
        if not self.has_own_pid_max():
            t.skip("pid_max is the machine's here, not the namespace's")
        shell, child = self.program("shell", "/bin/sh"), self.program("child", "/bin/sh")
        line = ("cd /proc/sys/kernel && echo 310 >pid_max && echo 300 >ns_last_pid || exit 99; i=0; "
                "while [ $i -lt 200 ]; do %s -c \"exit $i\" $i; [ $? = $i ] || exit 98; "
                "i=$((i + 1)); done" % child)
        done = t.run(["unshare", "-pf", "--mount-proc", shell, "-c", line])
        self.exits(done, 0)
        rows, parent = self.runs(child, 200), self.run_of(shell)
        self.check(len({p["nspid"] for p in rows}) <= 10, "too many pids in the namespace")
        self.equal([p for p in rows if (p["ppid"], p["ppid_start"]) != (parent["pid"], parent["start"])],
                   [], "another's children")
        self.equal([p["exit"] for p in rows], list(range(200)), "exits")
        self.equal([p["argv"][3] for p in rows], [str(i) for i in range(200)], "arguments")

    def test_same_pid(self):
        """One pid again and again, at once: twenty processes, each with a child."""
        shell, child = self.program("shell", "/bin/sh"), self.program("child", "/bin/sh")
        pid = self.free_pid()
        for i in range(20):
            self.evade("pid", str(pid), shell, "-c", "%s -c 'exit %d' %d; exit %d" % (
                child, i, i, 100 + i), want=100 + i)
        rows, below = self.runs(shell, 20), self.runs(child, 20)
        self.equal({p["pid"] for p in rows}, {pid}, "pids")
        self.equal(len({p["start"] for p in rows}), 20, "starts")
        self.equal([p["exit"] for p in rows], [100 + i for i in range(20)], "exits")
        self.equal([(p["exit"], int(p["argv"][3]), p["ppid"], p["ppid_start"]) for p in below],
                   [(i, i, pid, rows[i]["start"]) for i in range(20)], "children")
        parents = {p["pid"]: p for p in self.runs(self.path("evade"), 20)}
        self.equal([p["ppid"] for p in rows if p["ppid"] not in parents], [], "parents")

    def test_an_exec_that_died(self):
        """What was kept of who executed it isn't told of whoever has its pid next."""
        user, other = t.person(0), t.person(1)
        setuid, child = self.program("setuid", "/bin/false"), self.program("child", "/bin/false")
        os.chown(setuid, other.pw_uid, other.pw_gid)
        os.chmod(setuid, 0o4755)
        pid = self.free_pid()
        # Without memory for its stack it dies where there is no way back.
        line = "ulimit -v 60; exec %s" % setuid
        self.evade("pid", str(pid), "/usr/bin/setpriv", "--reuid", str(user.pw_uid),
                   "--regid", str(user.pw_gid), "--clear-groups", "/bin/sh", "-c", line, want=98)  # killed
        self.evade("pid", str(pid), child, want=1)
        row = self.run_of(child)
        self.equal((row["pid"], row["before_uid"], row["before_euid"], row.get("caps_gained", [])),
                   (pid, 0, 0, []), "pid, before, gained")
        self.equal(self.everything("--exe", setuid), [], "it never ran")

    def free_pid(self):
        """One that was not given out lately, and is not soon."""
        for pid in range(301, 2000):
            if not os.path.exists("/proc/%d" % pid):
                return pid
        return t.skip("no free pid")


if __name__ == "__main__":
    t.main()
