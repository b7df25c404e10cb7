#!/usr/bin/python3
# timeout: 300
"""The door and the terminal it stands before: when it may go on without a
daemon, and that nobody gets the outer terminal past the recorder."""
import contextlib
import fcntl
import os
import resource
import signal
import socket
import sys
import termios
import threading

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import fakedaemon as f
import grudge as g
import opsealtest as t

PIDFD_GETFD = 438
RUN = ["--if-unavailable", "run", "--", "sh", "-c", "echo ran; exit 9"]


class Answer(t.Test):
    """--if-unavailable run is for a daemon that isn't there; any other trouble
    may be the user's own doing."""

    def listener(self, answer):
        """session.sock; each connection goes to answer(conn)."""
        s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        s.bind(self.path("session.sock"))
        s.listen(8)

        def serve():
            while True:
                try:
                    conn = s.accept()[0]
                except OSError:
                    return
                answer(conn)
                conn.close()
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()

        def end():
            s.shutdown(socket.SHUT_RDWR)
            thread.join(5)
            s.close()
            os.unlink(self.path("session.sock"))
        return end

    def argv(self):
        return [t.program("opseal-door"), "--run", self.dir] + RUN

    def refused(self, what):
        got = t.run(self.argv())
        self.exits(got, 2)
        self.equal(got.out, b"", what)
        self.contains(got.errtext, "nothing was run", what)
        term = self.pty(self.argv())
        self.equal(term.wait(), 2, what + ", on a terminal")
        self.check(b"ran\r" not in term.out, what + ": it ran: %r" % bytes(term.out))
        self.equal(term.modes(), term.initial_modes, what + ": modes")

    def test_broken_off(self):
        def asked(conn):
            conn.recv(65536)

        def nonsense(conn):
            conn.recv(65536)
            conn.send(b"x")

        def bye(conn):
            conn.recv(65536)
            conn.send(f.message(f.DOOR_BYE, b"\1"))
        for what, answer in (("closed before the request", lambda conn: None),
                             ("closed after it", asked), ("nonsense", nonsense),
                             ("another message", bye)):
            end = self.listener(answer)
            self.refused(what)
            end()

    def test_nobody_listens(self):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        s.bind(self.path("session.sock"))
        s.close()
        got = self.exits(t.run(self.argv()), 9)
        self.contains(got.errtext, "not recorded")

    def test_other_trouble(self):
        """A socket that isn't one, or a folder that isn't one."""
        self.write("session.sock", b"")
        self.exits(t.run([t.program("opseal-door"), "--run", self.path("session.sock")] + RUN), 2)


class Leader(f.RecorderTest):
    """No shell could take the terminal: it isn't given back for a stop."""

    STOPS = "for i in 1 2 3; do kill -STOP $$; echo on-$i; done"

    def whole(self, term):
        self.equal(term.wait(), 0, "status: %r" % bytes(term.out))
        s = self.daemon.finish()
        self.equal(s.output(), bytes(term.out), "shown and recorded")
        self.equal((s.of(f.STOP), s.of(f.CONT)), ([], []), "the recorder was told to stop")
        return s

    def test_its_child_stops(self):
        term = self.door("--", "sh", "-c", self.STOPS)
        self.contains(self.whole(term).output(), b"on-3\r\n")

    def test_below_a_shell_without_jobs(self):
        """As sshd runs a forced command: sh leads the session, and waits."""
        term = self.pty(["sh", "-c", '"$@"; exit $?', "x"] + self.door_argv(
            "--", "sh", "-c", self.STOPS))
        self.contains(self.whole(term).output(), b"on-3\r\n")

    def test_told_to_stop(self):
        term = self.door("--", "sh", "-c", "echo go; read x; echo got $x")
        term.expect("go\r\n")
        os.kill(term.pid, signal.SIGTSTP)
        term.line("on")
        term.expect("got on")
        self.whole(term)


class Window(g.Grudge):
    """He stops his shell over and over, and looks for the moment in which the
    outer terminal can be opened."""

    INSIDE = r"""
import os, signal, sys
dev = int(open("/proc/%d/stat" % os.getppid()).read().rsplit(")", 1)[1].split()[4])
outer = "/dev/pts/%d" % ((dev & 0xff) | ((dev >> 12) & 0xfff00))
r, w = os.pipe()
pid = os.fork()
if pid == 0:
    os.close(w)
    os.set_blocking(r, False)
    found = 0
    while found < 3:
        try:
            fd = os.open(outer, os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK)
            os.write(fd, b"past the recorder\r\n")
            os.close(fd)
            found += 1
        except OSError:
            pass
        try:
            if os.read(r, 1) == b"":
                break
        except BlockingIOError:
            pass
    os._exit(found)
os.close(r)
for n in range(200):
    os.kill(os.getpid(), signal.SIGSTOP)   # the door continues us
os.close(w)
found = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
print("opened %d times" % found)
"""

    def test_while_it_stops(self):
        term = self.door("/usr/bin/python3", self.write("inside.py", self.INSIDE))
        self.equal(term.wait(60), 0, "status: %r" % bytes(term.out)[-600:])
        self.contains(bytes(term.out), b"opened 0 times", "terminal")
        self.same(term)


class Copies(f.RecorderTest):
    """Descriptors of the outer terminal aren't passed on, whatever number they
    have, and whatever the limit is by now."""

    # A caller of the door with a descriptor of that number, and that limit.
    CALLER = ("import fcntl, os, resource, sys\n"
              "old, new, soft = map(int, sys.argv[1:4])\n"
              "hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]\n"
              "resource.setrlimit(resource.RLIMIT_NOFILE, (8192, hard))\n"
              "fd = os.open('/dev/null', os.O_RDWR) if old < 0 else old\n"
              "os.set_inheritable(fcntl.fcntl(fd, fcntl.F_DUPFD, new), True)\n"
              "resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))\n"
              "os.execv(sys.argv[4], sys.argv[4:])\n")

    def caller(self, old, new, soft, argv):
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        if hard != resource.RLIM_INFINITY and hard < 8192:
            t.skip("the hard limit on descriptors is %d" % hard)
        return self.pty(["/usr/bin/python3", "-c", self.CALLER, old, new, soft] + argv)

    @staticmethod
    def writing(fd):
        return ["/usr/bin/python3", "-c", "import os\ntry: os.write(%d, b'through')\n"
                "except OSError as e: print(e.strerror)" % fd]

    def test_beyond_the_limits(self):
        for fd, soft in ((5000, 8192), (200, 100), (4096, 64), (9, 32)):
            term = self.caller(1, fd, soft, self.door_argv("--", *self.writing(fd)))
            self.equal(term.wait(), 0, "descriptor %d: %r" % (fd, bytes(term.out)))
            self.equal(bytes(term.out), b"Bad file descriptor\r\n", "descriptor %d" % fd)
            self.equal(self.daemon.finish().output(), bytes(term.out), "shown and recorded")

    def test_not_to_be_looked_up(self):
        """No descriptor left to look with: nothing is run."""
        seen = set()
        for soft in range(4, 12):
            term = self.caller(1, 200, soft, self.door_argv(
                "--", "bash", "-c", "echo through >&200; echo ran"))
            status, out = term.wait(), bytes(term.out)
            self.check(b"through" not in out, "limit %d: %r" % (soft, out))
            self.check((status, b"ran\r" in out) == (0, True) or
                       (status, b"nothing was run" in out) == (2, True), "limit %d: %r" % (soft, out))
            self.equal(term.modes(), term.initial_modes, "modes")
            seen.add(status)
        self.equal(seen, {0, 2}, "both happened")

    def test_others_are_kept(self):
        term = self.caller(-1, 300, 1024, self.door_argv("--", "sh", "-c", "ls /proc/self/fd"))
        self.equal(term.wait(), 0)
        self.contains(bytes(term.out), b"300")

    def test_without_a_daemon(self):
        """Then it is as if the door weren't there."""
        term = self.caller(1, 30, 1024, [
            t.program("opseal-door"), "--run", self.path("none"), "--if-unavailable", "run", "--"] +
            self.writing(30))
        self.equal(term.wait(), 0)
        self.contains(bytes(term.out), b"through")


class Foreground(f.RecorderTest):
    """A door that was stopped and then killed: whoever has the terminal by
    then, a shell or another session, keeps it as it is."""

    def setup(self):
        super().setup()
        self.term = self.pty(["bash", "--norc", "--noprofile", "-i"],
                             env={"PS1": "out> ", "HISTFILE": ""})
        self.term.expect("out> ")
        self.prompt = self.modes()

    def modes(self):
        return self.term.modes()[:4] + [self.term.modes()[6]]

    def exclusive(self):
        return fcntl.ioctl(self.term.slave, g.TIOCGEXCL, b"\0" * 4) != b"\0" * 4

    def first(self):
        """A session whose door was stopped; gives it."""
        self.term.line(" ".join(self.door_argv("--", "sleep", "1000")))
        s = t.wait_for("the session", lambda: self.daemon.sessions and self.daemon.last)
        t.wait_for("its terminal", self.exclusive)
        os.kill(s.door, signal.SIGSTOP)
        self.term.expect("Stopped")
        self.term.expect("out> ")
        return s

    def second(self):
        self.term.line("PS1=in'> ' %s -- bash --norc --noprofile" % " ".join(self.door_argv()))
        self.term.expect("in> ")
        t.wait_for("the session", lambda: len(self.daemon.sessions) == 2)
        return self.daemon.last

    def test_second_session(self):
        first, second = self.first(), self.second()
        mine = self.modes()
        self.check(self.exclusive(), "the second session's terminal isn't exclusive")
        os.kill(first.door, signal.SIGKILL)
        self.daemon.finish(first)
        self.equal(self.modes(), mine, "modes of the second session")
        self.check(self.exclusive(), "not exclusive any more")
        self.term.line("echo in''side; exit")
        self.term.expect("inside")
        self.term.expect("out> ")
        self.check(b"inside" in self.daemon.finish(second).output(), "not recorded")
        t.wait_for("the shell's modes", lambda: self.modes() == self.prompt)
        self.check(not self.exclusive(), "left exclusive")

    def test_first_session_goes_on(self):
        first, second = self.first(), self.second()
        self.term.line("exit")
        self.term.expect("out> ")
        self.daemon.finish(second)
        self.term.line("fg")
        t.wait_for("an exclusive terminal", self.exclusive)
        self.term.send("\x03")
        self.term.expect("out> ")
        self.daemon.finish(first)
        t.wait_for("the shell's modes", lambda: self.modes() == self.prompt)
        self.check(not self.exclusive(), "left exclusive")

    def test_shell(self):
        """The recorder comes late: the shell is at its prompt by then."""
        self.term.line(" ".join(self.door_argv("--", "sleep", "1000")))
        t.wait_for("the session", lambda: self.daemon.sessions and self.daemon.last)
        t.wait_for("its terminal", self.exclusive)
        s = self.daemon.last
        s.recorder.send_signal(signal.SIGSTOP)
        os.kill(s.door, signal.SIGKILL)
        self.term.expect("Killed")
        self.term.expect("out> ")
        t.wait_for("the shell's modes", lambda: self.modes() == self.prompt)
        s.recorder.send_signal(signal.SIGCONT)
        self.daemon.finish(s)
        self.equal(self.modes(), self.prompt, "modes at the shell's prompt")
        self.check(not self.exclusive(), "left exclusive")

    def late(self, sig, before=lambda s: None):
        """A session whose recorder reads only after its door got sig that the
        door had been continued; the shell is at its prompt."""
        self.term.line(" ".join(self.door_argv("--", "sleep", "1000")))
        t.wait_for("the session", lambda: self.daemon.sessions and self.daemon.last)
        t.wait_for("its terminal", self.exclusive)
        s = self.daemon.last
        t.wait_for("a door that waits", lambda: self.waits_of(s.door) > 0)
        s.recorder.send_signal(signal.SIGSTOP)
        waits = self.waits_of(s.door)
        os.kill(s.door, signal.SIGCONT)
        t.wait_for("the door to say so", lambda: self.waits_of(s.door) > waits)
        before(s)
        os.kill(s.door, sig)
        self.term.expect("Stopped" if sig == signal.SIGSTOP else "Killed")
        self.term.expect("out> ")
        t.wait_for("the shell's modes", lambda: self.modes() == self.prompt)
        waits = self.waits_of(s.recorder.pid)
        s.recorder.send_signal(signal.SIGCONT)
        if sig == signal.SIGSTOP:
            t.wait_for("the recorder to read", lambda: self.waits_of(s.recorder.pid) > waits)
        else:
            self.daemon.finish(s)
        self.equal(self.modes(), self.prompt, "modes at the shell's prompt")
        return s

    @staticmethod
    def waits_of(pid):
        """How often it has waited for something."""
        with open("/proc/%d/status" % pid) as f:
            return int(f.read().split("voluntary_ctxt_switches:")[1].split()[0])

    def test_continued_and_stopped(self):
        s = self.late(signal.SIGSTOP)
        self.term.line("fg")
        t.wait_for("a raw terminal", lambda: not self.modes()[3] & termios.ISIG)
        self.term.send("\x03")
        self.term.expect("out> ")
        self.daemon.finish(s)
        t.wait_for("the shell's modes", lambda: self.modes() == self.prompt)
        self.check(not self.exclusive(), "left exclusive")

    def test_continued_and_killed(self):
        self.late(signal.SIGKILL)
        self.check(not self.exclusive(), "left exclusive")

    def test_continued_and_killed_before_exec(self):
        """The door's child has the connection too until it is the command."""
        with contextlib.ExitStack() as kept:
            self.late(signal.SIGKILL, lambda s: kept.enter_context(self.connection_of(s.door)))
            self.check(not self.exclusive(), "left exclusive")

    @staticmethod
    @contextlib.contextmanager
    def connection_of(door):
        """Another descriptor of the door's connection, as a fork has it."""
        pidfd = os.pidfd_open(door)
        theirs = next(int(fd) for fd in os.listdir("/proc/%d/fd" % door)
                      if os.readlink("/proc/%d/fd/%s" % (door, fd)).startswith("socket:"))
        fd = g.syscall(PIDFD_GETFD, pidfd, theirs, 0)
        try:
            yield fd
        finally:
            os.close(fd)
            os.close(pidfd)

    def test_nobody(self):
        """No shell set the modes: they are restored."""
        term = self.door("--", "sh", "-c", "echo go; sleep 100")
        term.expect("go")
        term.proc.kill()
        self.daemon.finish()
        self.equal(term.modes(), term.initial_modes, "modes")


g.install()
t.main()
