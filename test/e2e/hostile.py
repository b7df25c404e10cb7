#!/usr/bin/python3
# timeout: 600
"""A recorded user with a grudge: kills, stops, traces and limits what is his.

After each attack: all that reached his terminal is in the log, ls says how it
ended, nobody else noticed, and the next session is recorded as ever.
"""
import ctypes
import errno
import fcntl
import os
import resource
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import grudge as g
import opsealtest as t

HARMLESS = (signal.SIGCHLD, signal.SIGCONT, signal.SIGWINCH, signal.SIGURG)
STOPPING = (signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU)
AT_A_TIME = 8  # sessions
DOOR_WORDS = b"\r\r\nopseal-door: the recorder is gone; the session ends here\r\n"


class Kills(g.Grudge):
    def every_signal(self, whom, begin, end):
        """begin(sig) gives a session, which end(sig, session) looks at; several
        at a time, since each takes a second to be sealed."""
        every = range(1, signal.SIGRTMAX + 1)
        for group in (every[i:i + AT_A_TIME] for i in range(0, len(every), AT_A_TIME)):
            begun = []
            for sig in group:
                with self.during("signal %d to the %s" % (sig, whom)):
                    begun.append((sig, begin(sig)))
            for sig, term in begun:
                with self.during("signal %d to the %s" % (sig, whom)):
                    end(sig, term)
        self.aftermath()

    def test_every_signal_to_the_door(self):
        self.every_signal("door", self.signal_the_door, self.after_the_door)

    def signal_the_door(self, sig):
        term = self.counting()
        self.equal(self.kill(term.pid, sig), 0, "kill")
        if sig in HARMLESS or sig in STOPPING:
            term.expect("line-12\r")  # it goes on, door or no door
            self.equal(self.session_of(term)["status"], "active", "session")
            self.kill(term.pid, signal.SIGCONT)
            term.expect("line-16\r")
            self.kill(term.pid, signal.SIGKILL)
        return term

    def after_the_door(self, sig, term):
        session, raw = self.whole(term)
        self.check(b"line-4\r\n" in raw, "recorded: %r" % raw)
        if sig not in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
            self.contains(self.inst.opseal("show", session["session"]).text,
                          "its door was killed", "show")

    def test_every_signal_to_the_shell(self):
        self.every_signal("shell", self.signal_the_shell, self.after_the_shell)

    def signal_the_shell(self, sig):
        term = self.counting(30, "0.01")
        shell = self.shell_of(term)
        self.kill(shell, sig)
        if sig in STOPPING:
            time.sleep(0.1)
            self.kill(shell, signal.SIGCONT)
            self.kill(term.pid, signal.SIGCONT)
        return term

    def after_the_shell(self, sig, term):
        status = term.wait()
        self.same(term)
        # 32 and 33 are the C library's own; it lets nobody die of them.
        self.check(status in (0, -sig, 128 + sig if sig in (32, 33) else -sig),
                   "status %d" % status)

    def test_all_that_is_his_at_once(self):
        for sig in (signal.SIGSTOP, signal.SIGTERM, signal.SIGKILL):
            terms = [self.counting() for _ in range(4)]
            g.try_call(self.user, lambda: os.kill(-1, sig))
            if sig == signal.SIGSTOP:
                time.sleep(0.3)
                for term in terms:
                    self.equal(self.session_of(term)["status"], "active", "stopped session")
                g.try_call(self.user, lambda: os.kill(-1, signal.SIGKILL))
            for term in terms:
                self.whole(term)
        self.aftermath()

    def test_in_the_middle_of_much_output(self):
        """Random moments of 20 MB/s: whatever was shown is in the log."""
        for n in range(12):
            term = self.door("sh", "-c", "stty raw; exec yes %d-abcdefghijklmnopqrstuvwxyz" % n)
            t.wait_for("output", lambda: len(term.out) > 20000)
            time.sleep(0.013 * n)
            victim = term.pid if n % 2 else self.shell_of(term)
            self.kill(victim, signal.SIGKILL)
            self.whole(term)
        self.aftermath()

    def test_stopped_door_loses_nothing(self):
        term = self.counting(120)
        self.kill(term.pid, signal.SIGSTOP)
        term.expect("line-110\r")
        self.kill(term.pid, signal.SIGCONT)
        self.equal(term.wait(), 0, "status")
        self.same(term)
        self.aftermath()

    def test_background_job_outlives_the_shell(self):
        """It ignores the hang-up and writes on: to a terminal that is no more."""
        term = self.door("sh", "-c", "(trap '' HUP; %s) & sleep 0.2; exit 7" % (g.COUNT % (200, 0.01)))
        self.equal(term.wait(), 7, "status")
        self.same(term)
        self.aftermath()

    def test_recorder_killed_by_root(self):
        """Not the user's to do; but ls must not call the session complete."""
        term = self.counting()
        recorder = self.recorder_of(term)
        os.kill(recorder, signal.SIGKILL)
        self.equal(term.wait(), 2, "status")
        sid = self.session_of(term)["session"]
        lost = t.wait_for("the session's end", lambda: [
            s for s in self.sessions() if s["session"] == sid and s["status"] != "active"])[0]
        self.equal(lost["status"], "lost", "status")
        self.restored(term)
        out = bytes(term.out)
        self.check(out.endswith(DOOR_WORDS), "last words: %r" % out[-200:])
        out = out[:-len(DOOR_WORDS)]
        # Sent before it was shown, so the writer has it all.
        self.equal(self.raw(lost)[:len(out)], out, "shown, but not recorded")
        self.aftermath()


class Traces(g.Grudge):
    """He sees nothing of the door, the recorder and the daemon."""

    def processes(self, term):
        found = {"door": term.pid, "recorder": self.recorder_of(term)}
        # Its roles; not the processes that serve one connection and are gone.
        found.update(("daemon %d" % p, p) for p in self.inst.pids()
                     if p == self.inst.proc.pid or parent_of(p) == self.inst.proc.pid)
        return found

    def refused(self, what, function, wanted=(errno.EPERM, errno.EACCES)):
        got = g.try_call(self.user, function)
        self.check(got in wanted, "%s: %s" % (what, errno.errorcode.get(got, got)))

    def test_attach(self):
        PTRACE_ATTACH, PTRACE_SEIZE = 16, 0x4206
        term = self.counting()
        buf = ctypes.create_string_buffer(64)

        def vector(address):
            return (ctypes.c_ulong * 2)(address, 64)

        for name, pid in self.processes(term).items():
            pidfd = os.pidfd_open(pid)
            for request in (PTRACE_ATTACH, PTRACE_SEIZE):
                self.refused("ptrace %s" % name, lambda: g.syscall(101, request, pid, 0, 0))
            for number, what in ((310, "process_vm_readv"), (311, "process_vm_writev")):
                self.refused("%s %s" % (what, name), lambda: g.syscall(
                    number, pid, vector(ctypes.addressof(buf)), 1, vector(0x400000), 1, 0))
            for fd in range(8):
                self.refused("pidfd_getfd %s" % name, lambda: g.syscall(438, pidfd, fd, 0))
            self.refused("process_madvise %s" % name, lambda: g.syscall(
                440, pidfd, vector(0x400000), 1, 20, 0))
            os.close(pidfd)
            for file in ("mem", "maps", "environ", "auxv", "stack", "syscall", "pagemap", "io",
                         "map_files", "fd", "fdinfo", "ns/mnt", "fd/0", "fd/1", "fd/3"):
                self.refused("%s of %s" % (file, name), lambda: open_any(
                    "/proc/%d/%s" % (pid, file)))
            for link in ("exe", "cwd", "root"):
                self.refused("%s of %s" % (link, name),
                             lambda: os.readlink("/proc/%d/%s" % (pid, link)))
            for file, value in (("oom_score_adj", "1000"), ("comm", "x"), ("clear_refs", "1"),
                                ("coredump_filter", "0x7f"), ("mem", "x"), ("timerslack_ns", "1")):
                self.refused("writing %s of %s" % (file, name), lambda: write_to(
                    "/proc/%d/%s" % (pid, file), value), (errno.EPERM, errno.EACCES, errno.EINVAL))
        self.kill(term.pid, signal.SIGKILL)
        self.whole(term)
        self.aftermath()

    def test_attach_with_tools(self):
        t.need_program("gdb", "strace")
        term = self.counting()
        for name, pid in self.processes(term).items():
            for argv in (["strace", "-p", str(pid)],
                         ["gdb", "-nx", "-batch", "-p", str(pid), "-ex", "call (void)exit(0)"]):
                r = t.run(argv, user=self.user, env={"HOME": "/tmp", "DEBUGINFOD_URLS": ""})
                self.matches(r.text + r.errtext, "Operation not permitted|ptrace", "%s" % argv)
        term.expect("line-20\r")
        self.kill(term.pid, signal.SIGKILL)
        self.whole(term)
        self.aftermath()

    def test_recorder_and_daemon_obey_him_not(self):
        term = self.counting()
        others = self.processes(term)
        del others["door"]
        param = struct.pack("i", 0)
        for name, pid in others.items():
            for sig in range(0, signal.SIGRTMAX + 1):
                self.equal(self.kill(pid, sig), errno.EPERM, "signal %d to %s" % (sig, name))
            pidfd = os.pidfd_open(pid)
            self.refused("pidfd signal " + name, lambda: signal.pidfd_send_signal(pidfd, 9))
            os.close(pidfd)
            self.refused("renice " + name, lambda: os.setpriority(os.PRIO_PROCESS, pid, 19))
            self.refused("ionice " + name, lambda: g.syscall(251, 1, pid, 3 << 13))
            self.refused("affinity " + name, lambda: os.sched_setaffinity(pid, {0}))
            self.refused("idle " + name, lambda: os.sched_setscheduler(
                pid, os.SCHED_IDLE, os.sched_param(0)))
            self.refused("pgid " + name, lambda: os.setpgid(pid, pid), (errno.EPERM, errno.ESRCH))
            for limit, number in limits():
                self.refused("prlimit %s %s" % (limit, name), lambda: resource.prlimit(
                    pid, number, (0, 0)))
            for what in ("socket", "fifo"):
                self.check(state_unchanged(pid), name)
        self.kill(term.pid, signal.SIGKILL)
        self.whole(term)
        self.aftermath()

    def test_the_shell_he_may_trace(self):
        """Tracing the shell gets him nothing that isn't recorded."""
        t.need_program("strace")
        term = self.counting(200)
        shell = self.shell_of(term)
        tracer = subprocess.Popen(["strace", "-o", "/dev/null", "-p", str(shell)],
                                  preexec_fn=t.become(self.user), stderr=subprocess.DEVNULL)
        term.expect("line-60\r")
        tracer.kill()
        tracer.wait()
        self.equal(term.wait(), 0, "status")
        self.same(term)
        self.aftermath()


def parent_of(pid):
    """0: it has ended."""
    try:
        with open("/proc/%d/stat" % pid) as f:
            return int(f.read().rsplit(")", 1)[1].split()[1])
    except OSError:
        return 0


def open_any(path):
    if os.path.basename(path) in ("fd", "fdinfo", "map_files"):
        return os.listdir(path)
    with open(path, "rb") as f:
        return f.read(1)


def write_to(path, text):
    with open(path, "w") as f:
        f.write(text)


def state_unchanged(pid):
    return t.state(pid) in ("S", "R", "D")


RLIMIT_LOCKS = 10  # the module knows it not; bash's ulimit -x


def limits():
    """(name, number) of each limit there is."""
    named = [(x, getattr(resource, x)) for x in dir(resource)
             if x.startswith("RLIMIT_") and x != "RLIMIT_OFILE"]
    return sorted(named + [("RLIMIT_LOCKS", RLIMIT_LOCKS)])


class Limits(g.Grudge):
    def squeezed(self, limit, policy, value):
        """A session whose door starts with that limit, the hard one too;
        prlimit executes the door after that."""
        what = "--%s=%d:%d" % (limit[7:].lower(), value, value)
        return "%s, %s" % (what, policy), self.pty(["prlimit", what] + self.door_argv(
            "/bin/echo", "squeezed", options=["--if-unavailable", policy]), user=self.user)

    def test_before_the_start(self):
        """Recorded, or not run at all: never shown and not recorded."""
        for limit, _ in limits():
            terms = (self.squeezed(limit, policy, value)
                     for policy in ("refuse", "run") for value in (0, 1, 4, 100000))
            # Side by side, since each waits more than it computes; but for his
            # processes, which are counted together.
            if limit != "RLIMIT_NPROC":
                terms = list(terms)
            for what, term in terms:
                with self.during(what):
                    term.wait()
                    self.accounted(term, what)
                    term.close()
        self.aftermath()

    def accounted(self, term, what):
        session = self.ended(term)
        out = bytes(term.out)
        raw = self.raw(session) if session else b""
        if b"squeezed" in out:
            self.check(b"squeezed" in raw, "%s: not recorded: %r" % (what, out))
        if session is not None:
            self.check(out.startswith(raw) or raw.startswith(out), "%s: %r is not %r" % (
                what, out, raw))
        self.restored(term)

    def test_no_more_processes(self):
        """All his processes are used up: the door can't fork, and doesn't run
        the command unrecorded either."""
        for policy in ("refuse", "run"):
            term = self.pty(["prlimit", "--nproc=0:0"] + self.door_argv(
                "/bin/echo", "squeezed", options=["--if-unavailable", policy]), user=self.user)
            self.equal(term.wait(), 2, "status, policy " + policy)
            self.accounted(term, policy)
            self.check(b"squeezed" not in term.out, "it ran unrecorded")
        self.aftermath()

    def limited(self, number, hard):
        """A session whose door and shell get a limit of 0 while they run: the
        soft one alone, or the hard one as well."""
        term = self.counting(60, "0.005")
        for pid in (term.pid, self.shell_of(term)):
            g.try_call(self.user, lambda: resource.prlimit(
                pid, number, (0, 0 if hard else resource.prlimit(pid, number)[1])))
        return term

    def test_after_the_start(self):
        for limit, number in limits():
            terms = [self.limited(number, hard) for hard in (False, True)]
            for hard, term in enumerate(terms):
                with self.during("%s, %s" % (limit, "hard" if hard else "soft")):
                    term.wait()
                    _, raw = self.whole(term)
                    self.check(b"line-4\r\n" in raw, "recorded: %r" % raw)
                    term.close()
        self.aftermath()

    def test_nice_and_idle(self):
        def lazy():
            os.nice(19)
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        term = self.counting(100, "0.005", preexec=lazy)
        with open("/proc/%d/stat" % self.recorder_of(term)) as f:
            nice = int(f.read().rsplit(")", 1)[1].split()[16])
        self.equal(nice, os.nice(0), "nice value of the recorder")
        self.equal(term.wait(), 0, "status")
        self.same(term)
        self.aftermath()

    def test_no_room_in_the_terminal(self):
        """He stops reading, then goes: the recorder doesn't stay behind."""
        term = self.door("yes")
        t.wait_for("output", lambda: len(term.out) > 20000)
        term.pause()
        time.sleep(0.5)
        self.kill(term.pid, signal.SIGKILL)
        term.pause(False)
        self.whole(term)
        self.aftermath()


g.install()
t.main()
