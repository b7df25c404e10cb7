"""opsealipc - speak opseal's sockets from a test: lib/ipc/{msg,proto}.h in Python.

Only what tests need, and without opseal's own code, so that a mistake there
isn't repeated here.
"""

import array
import os
import socket
import struct
import time

DOOR_OPEN, DOOR_GO, DOOR_REFUSED = 1, 2, 3
REC_HELLO, REC_HELD, REC_EVENT, REC_RECORDS, REC_ACK, REC_STATE = range(32, 38)
Q_ACCESS, Q_DONE, Q_FAILED, Q_STATUS, Q_STATUS_IS, Q_SEAL = range(38, 44)
REC_OUTER, REC_FOUND, Q_WATCH, Q_OUTER, Q_FOUND = range(44, 49)
REC_INNER, Q_INNER, Q_OVER, CAP_HELLO, CAP_STATE, CAP_SYNC, CAP_SYNCED, CAP_KEY = range(49, 57)
IMP_HELLO, LOGIN, LOGOUT, Q_NOTE, Q_NOT_NOTED, SWITCH, SWITCHED = 57, 58, 59, 60, 61, 62, 63
(C_HELLO, C_WELCOME, C_STATUS, C_STATUS_IS, C_SESSIONS, C_SESSION, C_READ, C_READ_ALL, C_OPEN,
 C_FILE, C_LIST, C_NAMES, C_TAIL, C_TAIL_RECORDS, C_END, C_DONE, C_FAILED) = range(64, 81)

C_NOTE, C_NOTES, C_NOTE_IS = 85, 86, 87
C_SWITCHES, C_SWITCHED = 125, 126
SESSION_OPEN, SESSION_CLOSE, ACCESS, GAP_EVENT, NOTE = 64, 65, 66, 67, 73
OUTPUT = 1
CAPTURE, EXEC, ARGS, ENDED, FAILED, LOSS = range(96, 102)
EPERM_CODE, EUNAVAIL_CODE, EUSAGE_CODE, ENOENT_CODE = 8, 11, 10, 7  # enum ops_code
UNSET = 0xFFFFFFFF


# ---- CBOR: unsigned integers, byte strings, maps with integer keys ---------


def _head(major, value):
    major <<= 5
    if value < 24:
        return bytes([major | value])
    for info, code in ((24, ">B"), (25, ">H"), (26, ">I"), (27, ">Q")):
        if value < 1 << (8 * struct.calcsize(code)):
            return bytes([major | info]) + struct.pack(code, value)
    raise ValueError(value)


def cbor(value):
    if isinstance(value, dict):
        return _head(5, len(value)) + b"".join(
            cbor(k) + cbor(v) for k, v in sorted(value.items()))
    if isinstance(value, (bytes, bytearray)):
        return _head(2, len(value)) + bytes(value)
    return _head(0, int(value))


def _decode(data, at):
    major, info = data[at] >> 5, data[at] & 31
    at += 1
    if info >= 24:
        size = 1 << (info - 24)
        info = int.from_bytes(data[at:at + size], "big")
        at += size
    if major == 0:
        return info, at
    if major in (2, 3):
        return bytes(data[at:at + info]), at + info
    if major == 4:
        items = []
        for _ in range(info):
            item, at = _decode(data, at)
            items.append(item)
        return items, at
    if major == 5:
        pairs = {}
        for _ in range(info):
            key, at = _decode(data, at)
            pairs[key], at = _decode(data, at)
        return pairs, at
    raise ValueError("CBOR major type %d" % major)


def uncbor(data):
    value, at = _decode(data, 0)
    if at != len(data):
        raise ValueError("%d bytes left over" % (len(data) - at))
    return value


# ---- messages -------------------------------------------------------------


def frame(kind, payload=b"", length=None, zero=0):
    """A message; length and zero can be made wrong on purpose."""
    return struct.pack("<HHI", kind, zero, len(payload) if length is None else length) + payload


class Conn:
    """A connection to one of the three sockets."""

    bell = None  # a recorder's: came with REC_HELD, rung when something was sent

    def __init__(self, path, timeout=20.0):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.sock.settimeout(timeout)
        self.sock.connect(path)

    def raw(self, data, fds=()):
        anc = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        self.sock.sendmsg([data], anc)
        if self.bell is not None:
            os.eventfd_write(self.bell, 1)

    def send(self, kind, payload=b"", fds=()):
        self.raw(frame(kind, payload), fds)

    def recv_fds(self):
        """(type, payload, fds); (None, b"", []) at the end of the connection."""
        try:
            try:
                data, anc, _, _ = self.sock.recvmsg(65536, socket.CMSG_SPACE(16))
            except ConnectionResetError:
                # It ended without reading what we sent; its last words are still there.
                data, anc, _, _ = self.sock.recvmsg(65536, socket.CMSG_SPACE(16))
        except (ConnectionResetError, BrokenPipeError):
            return None, b"", []
        fds = array.array("i")
        for level, kind, body in anc:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                fds.frombytes(body)
        if not data:
            return None, b"", []
        kind, zero, length = struct.unpack("<HHI", data[:8])
        if zero != 0 or length != len(data) - 8:
            raise AssertionError("malformed message %r" % data[:40])
        return kind, data[8:], list(fds)

    def recv(self):
        kind, payload, fds = self.recv_fds()
        if kind == REC_HELD and fds:
            self.bell = fds.pop()
        for fd in fds:
            os.close(fd)
        return kind, payload

    def ended(self):
        """Does the other end close the connection?  Messages before that are
        read over."""
        try:
            while True:
                if self.recv()[0] is None:
                    return True
        except socket.timeout:
            return False

    def close(self):
        self.sock.close()
        if self.bell is not None:
            os.close(self.bell)
            self.bell = None


# ---- a recorder -----------------------------------------------------------


def start_time(pid):
    with open("/proc/%d/stat" % pid, "rb") as f:
        stat = f.read()
    return int(stat[stat.rindex(b")") + 2:].split()[19])


def boottime():
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def record(kind, payload, when=None):
    return struct.pack("<BBHQ", kind, 0, len(payload), when or boottime()) + payload


def open_payload(sid, uid=0, auid=UNSET, pid=None, command=b"test"):
    pid = pid or os.getpid()
    return sid + cbor({1: 1, 2: uid, 3: uid, 4: auid, 5: UNSET, 6: pid, 7: start_time(pid),
                       8: b"user%d" % uid, 9: b"pts/90", 10: b"pts/91", 11: 80, 12: 24,
                       13: b"xterm", 15: command, 17: pid, 18: start_time(pid), 19: b"host",
                       21: time.time_ns()})


def import_payload(sid, **other):
    """SESSION-OPEN of a session that this process imports, with other values."""
    pid = os.getpid()

    def number(name):
        with open("/proc/self/" + name) as f:
            return int(f.read())
    keys = {1: 2, 2: os.geteuid(), 3: os.getegid(), 4: number("loginuid"), 5: number("sessionid"), 6: pid,
            7: start_time(pid), 11: 0, 12: 0, 17: pid, 18: start_time(pid), 21: time.time_ns(),
            25: cbor({1: 2, 2: b"file", 3: 64, 4: 0, 5: bytes(32), 7: 0})}
    keys.update({int(k[1:]): v for k, v in other.items()})
    return sid + cbor(keys)


def accounted(sid):
    return record(102, sid + cbor({1: 4, 2: 1, 3: 0, 4: 0, 5: 0, 6: 9, 7: 0, 8: 0, 9: 0, 10: 0, 11: 0,
                                   12: 0, 13: 0, 14: 0, 16: b"true"}))


def remark_payload(sid, kind=1, keys=None):
    """Of a NOTE."""
    return sid + cbor({1: kind, 2: 0, 3: UNSET, 4: 7, 5: 1, 6: 1, **(keys or {})})


def note_request(keys=None):
    """Of Q_NOTE, as query would say it of a process that is in no session."""
    return cbor({2: 0, 3: UNSET, 4: UNSET, 5: 7, 6: 1, 7: 0, 8: b"", 9: b"words", **(keys or {})})


def login_payload(person=None, how=1, shown=True, **other):
    """Of LOGIN: what is said of the process is not what is kept.  shown: there was a
    method and a key by which he showed who he is."""
    body = dict.fromkeys((1, 2, 3, 4, 5, 14, 20), 4711)
    body.update({6: b"shared", 7: b"sshd", 19: 0})
    if shown:
        body.update({10: b"publickey", 11: b"SHA256:key"})
    if person is not None:
        body.update({18: person, 19: how})
    body.update(other.get("keys", {}))
    return bytes(10) + cbor(body)


def logout_payload():
    return bytes(10) + cbor({1: 4711, 2: 4711, 3: 4711, 4: 4711, 5: b"shared", 6: b"sshd", 9: 4711})


def close_payload(sid, records=0):
    return sid + cbor({1: 1, 2: 1, 3: 0, 4: 0, 5: 0, 6: 0, 7: records})


class Sender(Conn):
    """Who puts a stream into the log: says hello, numbers what it sends, knows
    what was acknowledged.  Only root and the daemon's user may be one."""

    hello, hears = None, ()

    def __init__(self, run_dir, sid=None, pid=None):
        super().__init__(os.path.join(run_dir, "record.sock"))
        self.sid = sid or os.urandom(10)
        self.acked = (0, 0)
        self.state = None
        self.told = []  # other messages that came, (type, payload)
        self.next_record = self.next_event = 0
        pid = pid or os.getpid()
        self.send(self.hello, self.sid + struct.pack("<IQ", pid, start_time(pid)))

    def held(self):
        """(known, closed, next record, next event), the answer to hello."""
        kind, payload = self.recv()
        if kind == REC_STATE:
            self.state = payload[0]
            kind, payload = self.recv()
        if kind != REC_HELD:
            raise AssertionError("answer to hello: %r" % (kind,))
        known, closed, self.next_record, self.next_event = struct.unpack("<BBQQ", payload)
        return known, closed, self.next_record, self.next_event

    def records(self, *records):
        first = self.next_record
        self.next_record += len(records)
        self.send(REC_RECORDS, struct.pack("<Q", first) + b"".join(records))

    def settle(self):
        """Read until all that was sent is durable."""
        while self.acked != (self.next_record, self.next_event):
            kind, payload = self.recv()
            if kind == REC_ACK:
                self.acked = struct.unpack("<QQ", payload)
            elif kind == REC_STATE:
                self.state = payload[0]
            elif kind == CAP_KEY:
                self.key = payload
            elif kind in self.hears:
                self.told.append((kind, payload))
            else:
                raise AssertionError("instead of an acknowledgement: %r %r" % (kind, payload))
        return self


class Recorder(Sender):
    """A recorder as the writer sees it."""

    hello, hears = REC_HELLO, ()

    def event(self, kind, payload, number=None, when=None):
        if number is None:
            number = self.next_event
            self.next_event += 1
        self.send(REC_EVENT, struct.pack("<QBQ", number, kind, when or boottime()) + payload)

    def output(self, *texts, first=None):
        if first is None:
            first = self.next_record
            self.next_record += len(texts)
        self.send(REC_RECORDS, struct.pack("<Q", first) + b"".join(
            record(OUTPUT, text) for text in texts))

    def begin(self, **options):
        self.held()
        self.event(SESSION_OPEN, open_payload(self.sid, **options))
        return self

    def finish(self):
        self.event(SESSION_CLOSE, close_payload(self.sid, self.next_record))


class Importer(Sender):
    """Who imports programs, beside a recorder that opened their session."""

    hello, hears = IMP_HELLO, ()


class Capture(Sender):
    """The capture role as the writer sees it."""

    hello, hears = CAP_HELLO, (Q_INNER, Q_OVER)

    def on(self, how=b"tp_btf", lost=0):
        self.send(CAP_STATE, struct.pack("<BQ", 1, lost) + how)

    def sync(self, value=7):
        """What it was told until the answer to this came."""
        self.send(CAP_SYNC, struct.pack("<Q", value))
        while True:
            kind, payload = self.recv()
            if kind in self.hears:
                self.told.append((kind, payload))
            elif kind == REC_ACK:
                self.acked = struct.unpack("<QQ", payload)
            elif kind == CAP_SYNCED:
                if struct.unpack("<Q", payload)[0] != value:
                    raise AssertionError("answer to another sync: %r" % (payload,))
                told, self.told = self.told, []
                return told
            elif kind == CAP_KEY:
                self.key = payload
            elif kind != REC_STATE:
                raise AssertionError("instead of an answer: %r %r" % (kind, payload))


# ---- a client -------------------------------------------------------------


class Client(Conn):
    """What the CLI says on control.sock."""

    def __init__(self, run_dir, what=b"test"):
        super().__init__(os.path.join(run_dir, "control.sock"))
        self.send(C_HELLO, what)
        kind, payload = self.recv()
        if kind != C_WELCOME:
            raise AssertionError("no welcome: %r %r" % (kind, payload))
        self.full = payload == b"\1"

    def ask(self, kind, payload=b""):
        """Send, and return the first answer."""
        self.send(kind, payload)
        return self.recv()

    def all(self, kind, payload=b""):
        """Send, and return the payloads of the answers before C_END; or the
        code (an int) of C_FAILED."""
        self.send(kind, payload)
        answers = []
        while True:
            kind, payload = self.recv()
            if kind == C_END:
                return answers
            if kind == C_FAILED:
                return payload[0]
            if kind is None:
                raise AssertionError("the daemon ended the connection")
            answers.append(payload)

    def sessions(self, filters=None):
        return self.all(C_SESSIONS, cbor({2: 0, 3: 0, **(filters or {})}))

    def names(self, path):
        answer = self.all(C_LIST, path)
        if isinstance(answer, int):
            return answer
        return b"".join(answer).split(b"\0")[:-1]

    def file(self, path):
        """The file's bytes, or the code of C_FAILED."""
        self.send(C_OPEN, path)
        kind, payload, fds = self.recv_fds()
        if kind == C_FAILED:
            return payload[0]
        if kind != C_FILE or len(fds) != 1:
            raise AssertionError("answer to C_OPEN: %r" % (kind,))
        with os.fdopen(fds[0], "rb") as f:
            return f.read()
