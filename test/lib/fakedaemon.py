"""fakedaemon - session.sock and record.sock without opseald.

A FakeDaemon starts opseal-rec for each door that asks, as the acceptor does,
and plays the writer, whose failures a test can order: not being there, a log
that can't be written, acknowledgements that don't come, a crash that loses what
wasn't durable.  What arrives is checked as the real writer would (numbers
without a hole or a repetition) and kept as Session objects.
"""

import fcntl
import os
import select
import socket
import struct
import subprocess
import sys
import termios
import threading
import time

import opsealtest as t

(DOOR_OPEN, DOOR_GO, DOOR_REFUSED, DOOR_WINCH, DOOR_STOP, DOOR_STOP_OK, DOOR_CONT,
 DOOR_CHILD, DOOR_EXIT, DOOR_BYE, DOOR_END) = range(1, 12)
HELLO, HELD, EVENT, RECORDS, ACK, STATE = range(32, 38)
OUTER, FOUND, INNER = 44, 45, 49
(OUTPUT, INPUT, MASKED, RESIZE, STOP, CONT, ECHO, GAP, EXIT) = range(1, 10)
OPEN, CLOSE, GAP_EVENT, BYPASS = 64, 65, 67, 68
WHY_EXIT, WHY_KILLED, WHY_HANGUP, WHY_LOG = 1, 2, 3, 4
MASKED_ECHO_OFF, MASKED_NO_ECHO = 1, 2


def message(kind, payload=b""):
    return struct.pack("<HHI", kind, 0, len(payload)) + payload


def parse(data):
    kind, zero, n = struct.unpack_from("<HHI", data)
    assert zero == 0 and n == len(data) - 8, data[:16]
    return kind, data[8:]


def cbor_head(major, v):
    for code, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if v < 24:
            return bytes([major << 5 | v])
        if v < 1 << 8 * size:
            return bytes([major << 5 | code]) + v.to_bytes(size, "big")


def cbor_map(m):
    """A map of numbers and byte strings; None is absent."""
    m = {k: v for k, v in m.items() if v is not None}
    out = cbor_head(5, len(m))
    for k in sorted(m):
        v = m[k]
        out += cbor_head(0, k) + (cbor_head(2, len(v)) + v if isinstance(v, bytes)
                                  else cbor_head(0, v))
    return out


def cbor_item(p, at):
    major, info = p[at] >> 5, p[at] & 31
    at += 1
    if info >= 24:
        size = 1 << (info - 24)
        info, at = int.from_bytes(p[at:at + size], "big"), at + size
    if major == 0:
        return info, at
    if major == 2:
        return p[at:at + info], at + info
    assert major == 5, major
    m = {}
    for _ in range(info):
        k, at = cbor_item(p, at)
        m[k], at = cbor_item(p, at)
    return m, at


def cbor(p):
    value, at = cbor_item(p, 0)
    assert at == len(p), "bytes left over"
    return value


def id_text(raw):
    digits = "abcdefghijklmnopqrstuvwxyz234567"
    n = int.from_bytes(raw, "big")
    return "".join(digits[n >> 5 * i & 31] for i in range(15, -1, -1))


class Session:
    def __init__(self, raw):
        self.id = raw
        self.ask = None      # what the door claimed
        self.recorder = None  # Popen
        self.door = None
        self.events = []     # (type, time, payload)
        self.records = []    # (type, time, payload)
        self.durable = (0, 0)
        self.hellos = 0
        self.messages = 0
        self.outers = []     # (fs, dev, door, its start, recorder, its start)
        self.inners = []     # (fs, dev, door, its start, audit session, begun)

    def event(self, kind):
        """Decoded bodies of the events of this type."""
        return [cbor(p[10:]) for k, _, p in self.events if k == kind]

    def of(self, kind):
        return [p for k, _, p in self.records if k == kind]

    def output(self):
        return b"".join(self.of(OUTPUT))

    def typed(self):
        return b"".join(self.of(INPUT))

    @property
    def closed(self):
        return any(k == CLOSE for k, _, _ in self.events)


class FakeDaemon:
    def __init__(self, folder, args=()):
        self.run_dir = folder
        self.args = list(args)
        self.env = None
        self.stderr = None    # of the recorders
        self.sessions = []
        self.errors = []
        self.acking = True
        self.state = 1
        self.reading = True
        self.greeting = True  # answer REC_HELLO
        self.refusal = None   # text: refuse every door
        self.silent = False   # never answer a door
        self.conns = {}       # writer connections -> Session or None
        self.named = set()    # those of them that named their terminal
        self.lock = threading.RLock()
        self.door_sock = self._listen("session.sock", 0o666)
        self.writer_sock = self._listen("record.sock", 0o600)
        self.running = True
        self.thread = threading.Thread(target=self._loop, daemon=True)
        self.thread.start()

    def _listen(self, name, mode):
        path = os.path.join(self.run_dir, name)
        if os.path.exists(path):
            os.unlink(path)
        s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        s.bind(path)
        os.chmod(path, mode)
        s.listen(64)
        return s

    # What a test orders.

    def writer_down(self, crash=False):
        """The writer goes away; a crash forgets what it hadn't made durable."""
        with self.lock:
            self.writer_sock.close()
            for c in self.conns:
                # select() may still hold it for a moment
                c.shutdown(socket.SHUT_RDWR)
                c.close()
            self.conns = {}
            for s in self.sessions:
                if crash:
                    del s.records[s.durable[0]:]
                    del s.events[s.durable[1]:]

    def writer_up(self):
        with self.lock:
            self.writer_sock = self._listen("record.sock", 0o600)

    def set_state(self, state):
        with self.lock:
            self.state = state
            self.state_since = time.monotonic()
            for c in self.conns:
                c.send(message(STATE, bytes([state]) + b"disk full"))
        if state == 1 and self.acking:
            self.ack()

    def ack(self):
        with self.lock:
            for c, s in self.conns.items():
                if s:
                    self._ack(c, s)

    def found(self, pid, start=1, uid=1000, name=b"thief", sid=None):
        """Somebody else has the last session's terminal open."""
        with self.lock:
            for c, s in self.conns.items():
                if s is self.last:
                    c.send(message(FOUND, (sid or s.id) + struct.pack("<IQI", pid, start, uid) + name))

    @property
    def last(self):
        return self.sessions[-1]

    def finish(self, session=None):
        """Wait until the session is closed in the log and its recorder left."""
        s = session or self.last
        t.wait_for("the CLOSE event", lambda: s.closed)
        try:
            s.recorder.wait(t.PATIENCE)
        except subprocess.TimeoutExpired:
            raise AssertionError("opseal-rec does not end")
        if self.errors:
            raise AssertionError("; ".join(self.errors))
        return s

    def destroy(self):
        self.running = False
        self.thread.join(5)
        for s in self.sessions:
            if s.recorder and s.recorder.poll() is None:
                s.recorder.kill()
                s.recorder.wait()
        self.door_sock.close()
        self.writer_sock.close()
        for c in self.conns:
            c.close()

    # The daemon.

    def _loop(self):
        while self.running:
            with self.lock:
                socks = [s for s in [self.door_sock, self.writer_sock]
                         if s.fileno() >= 0]
                if self.reading:
                    socks += list(self.conns)
            try:
                ready, _, _ = select.select(socks, [], [], 0.01)
            except (OSError, ValueError):
                continue
            with self.lock:
                for s in ready:
                    if s.fileno() < 0:
                        continue
                    try:
                        self._ready(s)
                    except BrokenPipeError:
                        pass
                    except (AssertionError, struct.error) as e:
                        self.errors.append("%s: %s" % (type(e).__name__, e))
                        print("fake daemon: " + self.errors[-1], file=sys.stderr)

    def _ready(self, s):
        if s is self.door_sock:
            self._door(s.accept()[0])
        elif s is self.writer_sock:
            self.conns[s.accept()[0]] = None
        else:
            self._writer(s)

    def _door(self, conn):
        conn.settimeout(5)
        data, fds, flags, _ = socket.recv_fds(conn, 65536, 8)
        if not data:
            conn.close()
            return
        kind, body = parse(data)
        assert kind == DOOR_OPEN and flags == 0, (kind, flags)
        if self.silent:
            self.kept = conn
            return
        if self.refusal:
            conn.send(message(DOOR_REFUSED, self.refusal.encode()))
            conn.close()
            return
        conn.settimeout(None)
        pid, uid, gid = struct.unpack("3i", conn.getsockopt(
            socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        session = Session(os.urandom(10))
        session.ask = cbor(body)
        session.door = pid
        pidfd = os.pidfd_open(pid)
        memfd = os.memfd_create("open")
        size = (0, 0)
        if len(fds) == 2 and os.isatty(fds[0]):
            rows, cols = struct.unpack("HHHH", fcntl.ioctl(fds[0], termios.TIOCGWINSZ, b"\0" * 8))[:2]
            size = (cols, rows)
        os.write(memfd, session.id + cbor_map({
            1: session.ask[1], 2: uid, 3: gid, 4: 2**32 - 1, 5: 2**32 - 1, 6: pid, 7: 1,
            11: size[0], 12: size[1], 13: session.ask.get(2), 14: session.ask.get(3),
            15: session.ask.get(4), 17: 0, 18: 0, 21: time.time_ns()}))
        argv = [t.program("opseal-rec"), "--session", id_text(session.id),
                "--record", os.path.join(self.run_dir, "record.sock"),
                "--conn", str(conn.fileno()), "--pidfd", str(pidfd), "--open", str(memfd)]
        if fds:
            argv += ["--outer", str(fds[0]), "--master", str(fds[1])]
        # Before the recorder runs, so that its HELLO finds the session.
        self.sessions.append(session)
        session.recorder = subprocess.Popen(
            argv + self.args, env=self.env, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=self.stderr,
            pass_fds=[conn.fileno(), pidfd, memfd] + list(fds))
        for fd in [pidfd, memfd] + list(fds):
            os.close(fd)
        conn.close()

    def _writer(self, c):
        try:
            data = c.recv(65536)
        except ConnectionResetError:
            data = b""
        if not data:
            c.close()
            self.conns.pop(c, None)
            return
        kind, body = parse(data)
        session = self.conns[c]
        if session is None:
            assert kind == HELLO and len(body) == 22, (kind, len(body))
            session = next(s for s in self.sessions if s.id == body[:10])
            pid = struct.unpack_from("<I", body, 10)[0]
            assert pid == session.recorder.pid, "another recorder"
            session.hellos += 1
            if not self.greeting:
                return
            self.conns[c] = session
            if self.state != 1:
                c.send(message(STATE, bytes([self.state]) + b"disk full"))
            known = bool(session.events)
            c.send(message(HELD, struct.pack("<BBQQ", known, 0, len(session.records),
                                             len(session.events))))
            return
        if kind == INNER:
            assert body[:10] == session.id, "terminal of another session"
            session.inners.append(struct.unpack("<IIIQIQ", body[10:]))
            self.named.add(c)
            return
        # Before anything else: capture must know the session of what comes.
        assert c in self.named, "no REC_INNER after REC_HELD"
        if kind == OUTER:
            assert body[:10] == session.id, "terminal of another session"
            session.outers.append(struct.unpack("<QQIQIQ", body[10:]))
            return
        # What was under way when it failed is taken, and not acknowledged.
        assert self.state == 1 or time.monotonic() - self.state_since < 0.3, \
            "sent while the log can't be written"
        session.messages += 1
        if kind == EVENT:
            no, what, when = struct.unpack_from("<QBQ", body)
            assert no == len(session.events), "event %d, want %d" % (no, len(session.events))
            assert body[17:27] == session.id, "event of another session"
            assert not session.closed, "event after CLOSE"
            session.events.append((what, when, body[17:]))
        else:
            assert kind == RECORDS, kind
            self._records(session, body)
        if self.acking and self.state == 1:
            self._ack(c, session)

    def _records(self, session, body):
        no = struct.unpack_from("<Q", body)[0]
        assert no == len(session.records), "record %d, want %d" % (no, len(session.records))
        assert session.events, "record before OPEN"
        assert not session.closed, "record after CLOSE"
        at = 8
        while at < len(body):
            what, flags, n, when = struct.unpack_from("<BBHQ", body, at)
            assert flags == 0 and at + 12 + n <= len(body)
            session.records.append((what, when, body[at + 12:at + 12 + n]))
            at += 12 + n

    def _ack(self, c, s):
        s.durable = (len(s.records), len(s.events))
        try:
            c.send(message(ACK, struct.pack("<QQ", *s.durable)))
        except OSError:
            pass


class RecorderTest(t.Test):
    """A test with a fake daemon: self.daemon, self.door()."""

    args = ()

    def setup(self):
        self.daemon = FakeDaemon(self.dir, self.args)
        self.later(self.daemon.destroy)

    def door_argv(self, *argv):
        return [t.program("opseal-door"), "--run", self.dir] + list(argv)

    def door(self, *argv, **options):
        """opseal-door on a terminal; gives the Pty."""
        return self.pty(self.door_argv(*argv), **options)

    def shell(self, **options):
        """A recorded bash without rc files, at its prompt."""
        env = dict({"PS1": "$ ", "TERM": "xterm", "HISTFILE": ""}, **options.pop("env", {}))
        term = self.door("--", "bash", "--norc", "--noprofile", env=env, **options)
        term.expect(r"\$ ")
        return term
