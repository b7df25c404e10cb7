#!/usr/bin/python3
# timeout: 600
"""A user with a grudge, at the three sockets: garbage, floods, and requests
for a session with descriptors that are none of his business."""
import errno
import fcntl
import os
import pty
import random
import socket
import struct
import sys
import termios
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import grudge as g
import opsealipc as ipc
import opsealtest as t

DOOR_WINCH, DOOR_STOP, DOOR_STOP_OK, DOOR_CONT, DOOR_CHILD, DOOR_EXIT, DOOR_BYE, DOOR_END = range(4, 12)
TERMINAL, COMMAND = 1, 2


def request(kind=TERMINAL, **more):
    return ipc.cbor(dict({1: kind, 2: b"xterm"}, **more))


class Sockets(g.Grudge):
    def connect(self, name="session.sock"):
        return ipc.Conn(os.path.join(self.inst.run_dir, name))

    def as_user(self, function):
        """0, if function() as the user raises nothing."""
        return t.call_as(self.user, lambda: function() and 0 or 0)

    def answers(self, fds, payload=None):
        """What session.sock answers the user: a message's type, None: the end."""
        def ask():
            c = self.connect()
            try:
                c.send(ipc.DOOR_OPEN, payload if payload is not None else request(), fds)
            except BrokenPipeError:
                pass  # cut off before it asked; there may be an answer
            kind, text = c.recv()
            if kind == ipc.DOOR_REFUSED and not text.decode().isprintable():
                return 99
            return 0 if kind is None else kind
        return t.call_as(self.user, ask)

    def pair(self, owner):
        """A pty: (master, slave) of that uid."""
        pid_r, pid_w = os.pipe()
        master, slave = pty.openpty()
        os.close(pid_r)
        os.close(pid_w)
        os.fchown(slave, owner.pw_uid, -1)
        self.later(lambda: [os.close(fd) for fd in (master, slave)])
        return master, slave

    def test_wrong_descriptors(self):
        outer_m, outer_s = self.pair(self.user)
        inner_m, inner_s = self.pair(self.user)
        other_m, other_s = self.pair(self.other)
        pipe_r, pipe_w = os.pipe()
        null = os.open("/dev/null", os.O_RDWR)
        file = os.open(self.write("file", b"x"), os.O_RDWR)
        read_only = os.open(os.ttyname(outer_s), os.O_RDONLY | os.O_NOCTTY)
        path_only = os.open(os.ttyname(outer_s), os.O_PATH)
        a, b = socket.socketpair()
        ptmx = os.open("/dev/ptmx", os.O_RDWR | os.O_NOCTTY)
        self.later(lambda: [os.close(fd) for fd in (pipe_r, pipe_w, null, file, read_only, path_only, ptmx)])
        for name, fds in (
                ("a pipe outside", [pipe_w, inner_m]), ("a pipe inside", [outer_s, pipe_r]),
                ("/dev/null outside", [null, inner_m]), ("/dev/null inside", [outer_s, null]),
                ("files", [file, file]), ("a socket", [a.fileno(), b.fileno()]),
                ("the master twice", [inner_m, inner_m]), ("the slave twice", [outer_s, outer_s]),
                ("the wrong way round", [inner_m, outer_s]), ("a master outside", [outer_m, inner_m]),
                ("a slave inside", [outer_s, inner_s]), ("the inner one outside", [inner_s, inner_m]),
                ("another's master", [outer_s, other_m]), ("read only", [read_only, inner_m]),
                ("a path", [path_only, inner_m]), ("one", [outer_s]), ("none", []),
                ("three", [outer_s, inner_m, null]), ("four", [outer_s, inner_m, null, null]),
                ("seven", [null] * 7), ("root's own master", [outer_s, ptmx])):
            kind = self.answers(fds)
            self.check(kind in (0, ipc.DOOR_REFUSED), "%s: answered by %d" % (name, kind))
            self.equal(fcntl.ioctl(outer_s, g.TIOCGEXCL, b"\0" * 4), b"\0" * 4, name + ": exclusive")
        self.equal(self.answers([outer_s, inner_m], request(COMMAND)), ipc.DOOR_REFUSED, "a command's")
        self.equal([s for s in self.sessions() if s["uid"] == self.user.pw_uid], [], "sessions")
        self.aftermath()

    def test_the_inner_terminal_by_its_other_name(self):
        """/dev/tty of a process on the inner terminal: a recorder that showed
        what it reads would read it again, for ever."""
        def loop():
            master, slave = pty.openpty()
            os.setsid()
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
            tty = os.open("/dev/tty", os.O_RDWR)
            c = self.connect()
            c.send(ipc.DOOR_OPEN, request(), [tty, master])
            return c.recv()[0]
        self.equal(t.call_as(self.user, loop), ipc.DOOR_REFUSED, "answer")
        self.aftermath()

    def garbage(self, name, rng):
        """One connection that sends nonsense until it is cut off."""
        c = self.connect(name)
        c.sock.settimeout(0.05)
        fds = [os.open("/dev/null", os.O_RDWR) for _ in range(3)]
        try:
            for _ in range(rng.randrange(1, 6)):
                n = rng.choice((0, 1, 7, 8, 9, 40, 1000, 65000))
                data = rng.randbytes(n)
                if rng.random() < 0.7:
                    data = ipc.frame(rng.choice((1, 2, 4, 5, 9, 32, 34, 38, 64, 66, 68, 70, 72, 999)), data,
                                     length=rng.choice((None, None, 0, n, 2**32 - 1)),
                                     zero=rng.choice((0, 0, 0, 1)))
                c.raw(data, fds[:rng.choice((0, 0, 1, 2, 3))])
        except OSError:
            pass
        finally:
            for fd in fds:
                os.close(fd)
        return c

    def test_garbage(self):
        for name in ("session.sock", "control.sock"):
            def storm():
                for seed in range(250):
                    self.garbage(name, random.Random("%s %d" % (name, seed))).close()
            self.equal(self.as_user(storm), 0, name)
            self.hears("after " + name)
        self.equal(g.try_call(self.user, lambda: self.connect("record.sock")), errno.EACCES, "record.sock")
        for name in os.listdir(self.inst.run_dir):
            path = os.path.join(self.inst.run_dir, name)
            for attack in (os.unlink, lambda p: os.rename(p, p + "x"), lambda p: os.chmod(p, 0o777)):
                got = g.try_call(self.user, lambda: attack(path))
                self.check(got in (errno.EACCES, errno.EPERM), "%s: %d" % (name, got))
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            got = g.try_call(self.user, lambda: socket.socket(socket.AF_UNIX, kind).connect(
                os.path.join(self.inst.run_dir, "session.sock")))
            self.equal(got, errno.EPROTOTYPE, "the wrong kind of socket")
        self.aftermath()

    def test_a_door_of_his_own(self):
        """He speaks the door's part himself, and badly."""
        for messages in ([(DOOR_STOP, b"\x14")] * 3, [(DOOR_CONT, b"")] * 200, [(DOOR_WINCH, b"")] * 2000,
                         [(DOOR_EXIT, b"\0\0\0\0")] * 2, [(DOOR_EXIT, b"\xff\xff\xff\xff")],
                         [(DOOR_CHILD, b"\1\0\0\0")] * 50, [(DOOR_EXIT, b"\0")], [(DOOR_BYE, b"\0")],
                         [(DOOR_END, b"\0")], [(ipc.DOOR_GO, b"\0" * 11)], [(ipc.DOOR_OPEN, request())],
                         [(DOOR_STOP, b"\x14"), (DOOR_EXIT, b"\0\1\0\0")],
                         [(ipc.REC_EVENT, b"\0" * 40)], [(999, b"x" * 60000)]):
            def play():
                outer, inner = pty.openpty(), pty.openpty()
                c = self.connect()
                c.send(ipc.DOOR_OPEN, request(), [outer[1], inner[0]])
                os.close(inner[0])
                if c.recv()[0] != ipc.DOOR_GO:
                    return 1
                os.write(inner[1], b"shown")
                end = time.monotonic() + 5
                got = b""
                while b"shown" not in got and time.monotonic() < end:
                    got += os.read(outer[0], 100)
                try:
                    for kind, payload in messages:
                        c.send(kind, payload)
                except OSError:
                    pass
                time.sleep(0.05)
                return 0
            self.equal(t.call_as(self.user, play), 0, "%r" % (messages[0],))
            sid = [s for s in self.sessions() if s["uid"] == self.user.pw_uid][-1]["session"]
            t.wait_for("the recorder's end after %r" % (messages[0],), lambda: not t.processes_of(sid))
            s = [s for s in self.sessions() if s["session"] == sid][0]
            self.equal((s["status"], self.raw(s)), ("closed", b"shown"), "%r" % (messages[0],))
        self.aftermath()

    def hold(self, name, count):
        """A process of the user with that many silent connections."""
        ready_r, ready_w = os.pipe()
        pid = os.fork()
        if pid == 0:
            conns = []
            try:
                os.close(ready_r)
                t.become(self.user)()
                for _ in range(count):
                    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                    s.setblocking(False)
                    try:
                        s.connect(os.path.join(self.inst.run_dir, name))
                        conns.append(s)
                    except OSError:
                        time.sleep(0.001)
                os.write(ready_w, b"1")
                time.sleep(60)
            finally:
                os._exit(0)
        os.close(ready_w)
        os.read(ready_r, 1)
        os.close(ready_r)
        self.later(lambda: os.waitpid(pid, 0))
        self.later(lambda: os.kill(pid, 9))
        return pid

    def test_silent_connections(self):
        """They take his own places, nobody else's; and no policy that lets
        sessions go on unrecorded can be reached that way."""
        self.hold("session.sock", 400)
        self.hold("control.sock", 400)
        term = self.door("echo", "squeezed", options=["--if-unavailable", "run"])
        self.equal(term.wait(), 2, "status: %r" % bytes(term.out))
        self.check(b"squeezed" not in term.out, "it ran unrecorded: %r" % bytes(term.out))
        begin = time.monotonic()
        fresh = self.record_pty(self.inst, ["echo", "fresh"], user=self.other)
        self.equal(fresh.wait(), 0, "another user's session")
        self.check(time.monotonic() - begin < 5, "it took long")
        self.contains(t.run(self.inst.argv("ls")[:1] + ["--run", self.inst.run_dir, "ls", "--json"],
                            user=self.other).text, "echo fresh", "another user's ls")
        self.check(self.inst.log().count("too many connections") < 4, "the daemon's log is flooded")
        # They have five seconds to say what they want.
        t.wait_for("places", lambda: self.answers([], request(COMMAND)) == ipc.DOOR_GO)
        self.aftermath()

    def test_many_sessions_write_at_once(self):
        """Twenty of his flood the log; the other's session has no gap."""
        terms = [self.door("yes", "%d" % n) for n in range(20)]
        for n in range(10):
            self.hears("word %d" % n)
            time.sleep(0.2)
        for term in terms:
            self.kill(term.pid, 9)
        for term in terms:
            self.whole(term)
        self.aftermath()


g.install()
t.main()
