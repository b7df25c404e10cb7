#!/usr/bin/python3
# timeout: 600
"""A user with a grudge, against the daemon itself: descriptors that hang who
closes them, locks, floods of refusals, borrowed names."""
import array
import fcntl
import os
import resource
import select
import signal
import socket
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import fakedaemon as f
import grudge as g
import opsealipc as ipc
import opsealtest as t

TERMINAL, COMMAND = 1, 2
SO_SNDBUFFORCE = 32
PLACES = {"session.sock": 64, "control.sock": 16}  # of one uid
ROLES = {"session.sock": "session", "control.sock": "query"}


def request(kind=COMMAND):
    return ipc.cbor({1: kind, 2: b"xterm"})


def lingering():
    """A TCP socket whose last close() sleeps, and those that keep it so."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(1)
    sender = socket.socket()
    sender.connect(listener.getsockname())
    reader, _ = listener.accept()
    sender.setblocking(False)
    try:
        while True:
            sender.send(b"x" * 65536)
    except BlockingIOError:
        pass
    sender.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 30000))
    return sender, [listener, reader]


def closed_at_once(sender):
    """If the other side dropped it first it is we who sleep, until the alarm."""
    signal.signal(signal.SIGALRM, lambda *_: None)
    signal.setitimer(signal.ITIMER_REAL, 1)
    begin = time.monotonic()
    sender.close()
    signal.setitimer(signal.ITIMER_REAL, 0)
    return time.monotonic() - begin < 0.9


def send_away(path, sender):
    """On a connection of its own, as its only holder; gives the connection."""
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        s.connect(path)
        s.sendmsg([ipc.frame(1, b"x")],
                  [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [sender.fileno()]))])
    except OSError:  # closed already, or a kernel that lets us refuse descriptors
        s.close()
        s = None
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 0, 0))
    if not closed_at_once(sender) and s is not None:
        s.close()
        s = None
    return s


class Daemon(g.Grudge):
    def grudge(self, attack):
        """Start attack() as the user; it says when it has done it, and stays.
        What it holds ends with the test."""
        done_r, done_w = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                os.close(done_r)
                t.become(self.user)()
                attack(lambda: os.write(done_w, b"1"))
                time.sleep(600)
            finally:
                os._exit(0)
        os.close(done_w)
        self.later(lambda: os.waitpid(pid, 0))
        self.later(lambda: os.kill(pid, signal.SIGKILL))
        self.equal(os.read(done_r, 1), b"1", "the attack")
        os.close(done_r)
        return pid

    def linger_at(self, name):
        """All of his places taken, then descriptors on connections that are
        refused without being read."""
        path = os.path.join(self.inst.run_dir, name)

        def attack(done):
            keep = [ipc.Conn(path) for _ in range(PLACES[name])]
            # Until one was sent before its connection was closed.
            for _ in range(40):
                sender, others = lingering()
                conn = send_away(path, sender)
                keep += others + [conn]
                if conn is not None and len([k for k in keep if isinstance(k, socket.socket)
                                             and k.family == socket.AF_UNIX]) >= 3:
                    break
            done()
            time.sleep(600)
        return self.grudge(attack)

    def check_linger(self, name):
        role = self.inst.role(ROLES[name])
        self.linger_at(name)
        begin = time.monotonic()
        fresh = self.door("echo", "fresh", options=["--if-unavailable", "run"], user=self.other)
        self.equal(fresh.wait(), 0, "status of another's session: %r" % bytes(fresh.out))
        self.same(fresh)
        listed = t.run([t.program("opseal"), "--run", self.inst.run_dir, "ls", "--json"], user=self.other)
        self.contains(listed.text, "echo fresh", "another's ls")
        self.check(time.monotonic() - begin < 5, "it took %.1f s" % (time.monotonic() - begin))
        self.equal(self.inst.role(ROLES[name]), role, "process of the role")

    def test_descriptors_that_linger(self):
        """Whoever drops the last reference to one sleeps: not the role."""
        self.check_linger("session.sock")

    def test_descriptors_that_linger_at_control(self):
        self.check_linger("control.sock")

    def test_descriptors_that_linger_at_the_stop(self):
        """In the listener's queue, when the daemon ends: neither the
        supervisor nor a role sleeps over them."""
        path = os.path.join(self.inst.run_dir, "session.sock")
        role = self.inst.role("session")
        os.kill(role, signal.SIGSTOP)  # nobody takes the connection
        keep = []

        def attack(done):
            sender, others = lingering()
            keep.extend(others + [send_away(path, sender)])
            done()
        self.grudge(attack)
        self.inst.proc.terminate()
        os.kill(role, signal.SIGKILL)  # so that the supervisor is the last
        begin = time.monotonic()
        self.equal(self.inst.proc.wait(t.PATIENCE), 0, "status")
        self.check(time.monotonic() - begin < 15, "it took long")
        self.inst.start()
        self.aftermath()

    def test_role_that_stands_still(self):
        """Whatever holds one up: it is started again, and sessions go on."""
        for name in ("session", "query"):
            pid = self.inst.role(name)
            os.kill(pid, signal.SIGSTOP)
            t.wait_for("a new " + name, lambda: self.inst.role(name) not in (None, pid), 30)
            self.contains(self.inst.log(), "role %s: stands still; killed" % name, "log")
        self.equal(self.inst.log().count("stands still"), 2, "roles killed")
        self.aftermath()

    def test_lock_of_the_run_folder(self):
        """He locks all that he can open in RUN, and the daemon starts again."""
        run = self.inst.run_dir

        def attack(done):
            for path in [run] + [os.path.join(run, n) for n in os.listdir(run)]:
                try:
                    fd = os.open(path, os.O_RDONLY)
                except OSError:
                    continue
                fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
            done()
        # Held by the daemon it would be refused now, and waited for.
        self.equal(self.inst.stop(), 0, "stop")
        self.grudge(attack)
        self.inst.start()
        self.equal(g.try_call(self.user, lambda: os.open(os.path.join(run, "lock"), os.O_RDONLY)), 13, "lock")
        self.aftermath()

    def answer(self, prepare=None, payload=None, wait=0, fds=()):
        """What a door hears that asks after `wait` seconds: type, text."""
        c = ipc.Conn(os.path.join(self.inst.run_dir, "session.sock"))
        self.later(c.close)
        time.sleep(wait)
        if payload is not None:
            try:
                c.send(ipc.DOOR_OPEN, payload, fds)
            except BrokenPipeError:
                pass
        return c.recv()

    def test_every_refusal_is_an_answer(self):
        """A door that is connected never hears just the end: that would look
        as if there was no daemon."""
        kind, text = self.answer()  # asks for nothing
        self.equal((kind, text), (ipc.DOOR_REFUSED, b"no request came in time"), "silent")
        # A door that was stopped meanwhile.
        kind, text = self.answer(payload=request(), wait=6.5)
        self.equal((kind, text), (ipc.DOOR_REFUSED, b"no request came in time"), "late")
        for name, payload in (("kind", request(9)), ("no CBOR", b"\xff"), ("terminal", request(TERMINAL))):
            kind, text = self.answer(payload=payload)
            self.equal(kind, ipc.DOOR_REFUSED, name)
            self.check(text, name + ": no reason")
        if t.is_root():
            os.seteuid(t.person().pw_uid)  # root has as many places as he wants
        try:
            places = [ipc.Conn(os.path.join(self.inst.run_dir, "session.sock")) for _ in range(64)]
            kind, text = self.answer(payload=request())
        finally:
            os.seteuid(os.getuid())
        self.equal(kind, ipc.DOOR_REFUSED, "no place: %r" % text)
        self.contains(text, b"too many connections", "no place")
        for c in places:
            c.close()
        self.aftermath()

    def test_recorder_that_cannot_start(self):
        """opseal-rec itself says so, too."""
        mine, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        mine.settimeout(t.PATIENCE)
        pidfd = os.pidfd_open(os.getpid())
        with open(self.write("open", b"nonsense")) as f:
            for fd in (its.fileno(), pidfd, f.fileno()):
                os.set_inheritable(fd, True)
            rec = subprocess.run([
                t.program("opseal-rec"), "--session", "a" * 16, "--record", self.path("none"), "--conn",
                str(its.fileno()), "--pidfd", str(pidfd), "--open", str(f.fileno())],
                close_fds=False, stderr=subprocess.DEVNULL, timeout=t.PATIENCE)
        self.equal(rec.returncode, 1, "status")
        its.close()
        kind = struct.unpack("<H", mine.recv(65536)[:2])[0]
        self.equal(kind, ipc.DOOR_REFUSED, "answer")
        os.close(pidfd)

    def test_refusals_do_not_flood_the_journal(self):
        for name, kind in (("session.sock", 77), ("control.sock", 99)):
            path = os.path.join(self.inst.run_dir, name)
            before = len(self.inst.log().splitlines())

            def attack(done):
                for _ in range(300):
                    c = ipc.Conn(path)
                    try:
                        c.send(kind, b"x")
                    except OSError:
                        pass
                    c.recv()
                    c.close()
                done()
            begin = time.monotonic()
            self.grudge(attack)
            windows = 1 + int((time.monotonic() - begin) / 10)
            lines = len(self.inst.log().splitlines()) - before
            self.check(lines >= 1, "%s: nothing was said" % name)
            self.check(lines <= 22 * (windows + 1), "%s: %d lines" % (name, lines))
        self.aftermath()

    def test_borrowed_name_of_a_terminal(self):
        """In a mount namespace of his own he puts his terminal over another's
        name; the log has the kernel's."""
        t.need_program("unshare", "mount")
        name = self.bystander.slave_name
        script = 'mount --bind "$(tty)" %s && exec 0<>%s 1>&0 2>&0 && exec "$@"' % (name, name)
        term = self.pty(["unshare", "-m", "sh", "-c", script, "x"] + self.door_argv("echo", "hi"))
        self.equal(term.wait(), 0, "status: %r" % bytes(term.out))
        session = self.same(term)
        self.equal(session["tty"], term.slave_name[len("/dev/"):], "terminal")
        self.aftermath()


BLOCK = b"".join(ipc.record(ipc.OUTPUT, b"x" * 8000) for _ in range(8))
ROOM = 64 << 20  # bytes with the writer, in one form or two


class Flood(t.Test):
    """Recorders that send more than the disk takes."""

    def setup(self):
        t.need_root("root, to act as the writer's user")

    def recorder(self, inst):
        r = ipc.Recorder(inst.run_dir).begin()
        self.later(r.close)
        r.sock.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, 1 << 20)
        r.settle()
        return r

    def fill(self, r, most=10 ** 6):
        """As much as its socket takes."""
        r.sock.settimeout(1)
        try:
            for _ in range(most):
                r.send(ipc.REC_RECORDS, struct.pack("<Q", r.next_record) + BLOCK)
                r.next_record += 8
        except (BlockingIOError, socket.timeout):
            pass

    def test_who_waits_longest_goes_first(self):
        """The writer is full and four hundred wait, each with more in its socket:
        the one that came last doesn't get all of its own in before the one that
        came first has got anything."""
        inst = self.instance()
        filler = self.recorder(inst)
        many = [self.recorder(inst) for _ in range(400)]
        writer = inst.role("writer")
        t.limit_files(writer, 1000)  # more than the lines of its log
        self.fill(filler)
        sent = filler.next_record // 8 * len(BLOCK)
        self.check(sent > ROOM // 2, "only %d bytes sent" % sent)
        for r in many:
            self.fill(r, 3)
            self.equal(r.next_record, 24, "records sent")
        t.limit_files(writer, resource.RLIM_INFINITY)
        poll = select.epoll()
        self.later(poll.close)
        for r in many:
            poll.register(r.sock.fileno(), select.EPOLLIN)
        by_fd = {r.sock.fileno(): r for r in many}
        early = None  # how many had nothing when the first had everything
        end = time.monotonic() + 60
        while early is None:
            self.check(time.monotonic() < end, "no progress")
            for fd, _ in poll.poll(1):
                kind, payload = by_fd[fd].recv()
                if kind == ipc.REC_ACK:
                    by_fd[fd].acked = struct.unpack("<QQ", payload)
            if any(r.acked[0] == 24 for r in many):
                early = sum(r.acked[0] == 0 for r in many)
        self.equal(early, 0, "had nothing when another had everything")


class Slow(f.RecorderTest):
    def test_slow_is_not_failed(self):
        """The writer has so much to do that it takes nothing for longer than
        hold_time, but it goes on acknowledging: output waits for it, and there
        is no gap."""
        self.daemon.args = ["--hold-time", str(10**9)]
        path = self.write("data", os.urandom(1 << 20).hex())
        term = self.shell()
        s = self.daemon.last
        self.daemon.acking = False
        term.line("stty raw; cat %s %s; stty sane" % (path, path))
        t.wait_for("records", lambda: len(s.records) > 100)
        self.daemon.reading = False
        conn = next(iter(self.daemon.conns))
        for n in range(15):
            time.sleep(0.2)
            conn.send(f.message(f.ACK, struct.pack("<QQ", s.durable[0] + n, s.durable[1])))
        with term.changed:
            shown = len(term.out)
        self.check(shown < 4 << 20, "nothing had to wait")
        self.daemon.reading = self.daemon.acking = True
        term.line("exit")
        self.equal(term.wait(), 0)
        self.daemon.finish()
        self.equal(s.output(), bytes(term.out), "recorded")
        self.equal(s.event(f.GAP_EVENT), [], "gaps")


g.install()
t.main()
