#!/usr/bin/python3
# The writer role: who may speak on record.sock, and what becomes of it.
import os
import resource
import signal
import socket
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import opsealipc as ipc
import opsealtest as t


def sid_text(sid):
    alphabet = "abcdefghijklmnopqrstuvwxyz234567"
    value = int.from_bytes(sid, "big")
    return "".join(alphabet[(value >> shift) & 31] for shift in range(75, -1, -5))


def session(inst, sid):
    """What C_SESSIONS says of this one: {1: id, 2: state, ...}, or None."""
    client = ipc.Client(inst.run_dir)
    try:
        for answer in client.sessions():
            found = ipc.uncbor(answer)
            if found[1] == sid:
                return found
    finally:
        client.close()
    return None


def outputs(inst, sid):
    """The texts of the session's REC_OUTPUT records, read from its end of the
    WAL; so nothing may have been sealed yet."""
    client = ipc.Client(inst.run_dir)
    client.ask(ipc.C_READ, sid)
    texts, want = [], None
    for answer in client.all(ipc.C_TAIL, sid):
        number, at = struct.unpack("<Q", answer[:8])[0], 8
        while at < len(answer):
            kind, _, size = struct.unpack("<BBH", answer[at:at + 4])
            if kind == ipc.OUTPUT:
                texts.append((number, answer[at + 12:at + 12 + size]))
            at += 12 + size
            number += 1
    client.close()
    return texts


def status(inst):
    client = ipc.Client(inst.run_dir)
    kind, payload = client.ask(ipc.C_STATUS)
    client.close()
    if kind != ipc.C_STATUS_IS:
        raise AssertionError("answer to C_STATUS: %r %r" % (kind, payload))
    return ipc.uncbor(payload)


def kill(inst):
    """kill -9 of the whole daemon, and wait until nothing of it answers."""
    pids = inst.pids()
    inst.kill()
    for pid in pids:
        t.wait_for("the end of %d" % pid, lambda: t.gone(pid))


# What a peer may send wrong.  After each the peer is cut off; each row gets a
# fresh recorder with an open session, and gives what to send raw.
BAD = [
    ("one byte", lambda r: b"\x20"),
    ("header only half", lambda r: b"\x20\0\0\0"),
    ("length too small", lambda r: ipc.frame(ipc.REC_EVENT, b"x" * 40, length=39)),
    ("length too big", lambda r: ipc.frame(ipc.REC_EVENT, b"x" * 40, length=41)),
    ("reserved bits", lambda r: ipc.frame(ipc.REC_EVENT, b"x" * 40, zero=1)),
    ("over 64 KiB", lambda r: ipc.frame(ipc.REC_RECORDS, b"x" * 65536)),
    ("unknown type", lambda r: ipc.frame(999, b"")),
    ("type of another socket", lambda r: ipc.frame(ipc.C_HELLO, b"cat")),
    ("answer instead of question", lambda r: ipc.frame(ipc.REC_ACK, b"\0" * 16)),
    ("hello again", lambda r: ipc.frame(ipc.REC_HELLO, r.sid + struct.pack("<IQ", os.getpid(), 1))),
    ("query in between", lambda r: ipc.frame(ipc.Q_STATUS)),
    ("event too short", lambda r: ipc.frame(ipc.REC_EVENT, b"\0" * 20)),
    ("event of another session", lambda r: event(r, ipc.SESSION_CLOSE,
                                                 ipc.close_payload(b"x" * 10))),
    ("event number skipped", lambda r: event(r, ipc.SESSION_CLOSE, ipc.close_payload(r.sid),
                                             number=5)),
    ("open a second time", lambda r: event(r, ipc.SESSION_OPEN, ipc.open_payload(r.sid))),
    ("access record", lambda r: event(r, ipc.ACCESS, r.sid + ipc.cbor({}))),
    ("note of a recorder", lambda r: event(r, ipc.NOTE, ipc.remark_payload(
        r.sid, kind=2, keys={7: b"words"}))),
    ("reason of no kind", lambda r: event(r, ipc.NOTE, ipc.remark_payload(r.sid, kind=3))),
    ("reason of another session", lambda r: event(r, ipc.NOTE, ipc.remark_payload(b"x" * 10))),
    ("recorder that notes", lambda r: ipc.frame(ipc.Q_NOTE, ipc.note_request())),
    ("body no CBOR", lambda r: event(r, ipc.SESSION_CLOSE, r.sid + b"\xff\xff")),
    ("body with bytes after it", lambda r: event(r, ipc.SESSION_CLOSE,
                                                 ipc.close_payload(r.sid) + b"\0")),
    ("records with a hole before", lambda r: records(r, 7, ipc.record(1, b"x"))),
    ("records cut short", lambda r: records(r, 0, ipc.record(1, b"xyz")[:-1])),
    ("record of an event's type", lambda r: records(r, 0, ipc.record(64, b"x" * 12))),
    ("record of no type", lambda r: records(r, 0, ipc.record(200, b"x"))),
    ("no records", lambda r: ipc.frame(ipc.REC_RECORDS, b"\0" * 8)),
    ("terminal too short", lambda r: ipc.frame(ipc.REC_OUTER, outer(r.sid)[:-1])),
    ("terminal too long", lambda r: ipc.frame(ipc.REC_OUTER, outer(r.sid) + b"x")),
    ("terminal of another session", lambda r: ipc.frame(ipc.REC_OUTER, outer(b"x" * 10))),
    ("terminal of no door", lambda r: ipc.frame(ipc.REC_OUTER, outer(r.sid, door=0))),
    ("inner terminal too short", lambda r: ipc.frame(ipc.REC_INNER, inner(r.sid)[:-1])),
    ("inner terminal too long", lambda r: ipc.frame(ipc.REC_INNER, inner(r.sid) + b"x")),
    ("inner one of another session", lambda r: ipc.frame(ipc.REC_INNER, inner(b"x" * 10))),
    ("inner one of no door", lambda r: ipc.frame(ipc.REC_INNER, inner(r.sid, door=0))),
    ("recorder that would capture", lambda r: ipc.frame(ipc.CAP_HELLO, r.sid + struct.pack(
        "<IQ", os.getpid(), ipc.start_time(os.getpid())))),
    ("recorder that says it captures", lambda r: ipc.frame(ipc.CAP_STATE, b"\1" + bytes(8))),
    ("recorder that syncs", lambda r: ipc.frame(ipc.CAP_SYNC, bytes(8))),
    ("record of a program", lambda r: records(r, 0, ipc.record(ipc.LOSS, bytes(10) + b"\xa0"))),
    ("recorder that would watch", lambda r: ipc.frame(ipc.Q_WATCH)),
    ("recorder that reports", lambda r: ipc.frame(ipc.Q_FOUND, holder(r.sid))),
]


def outer(sid, door=1, dev=0x8805):
    return sid + struct.pack("<QQIQIQ", 22, dev, door, 1, os.getpid(), 1)


def inner(sid, door=1, dev=136 << 20 | 5):
    return sid + struct.pack("<IIIQIQ", 22, dev, door, 1, ipc.UNSET, 9)


def holder(sid, pid=7, name=b"thief"):
    return sid + struct.pack("<IQI", pid, 1, 1000) + name


def event(r, kind, payload, number=1):
    return ipc.frame(ipc.REC_EVENT, struct.pack("<QBQ", number, kind, ipc.boottime()) + payload)


def records(r, first, data):
    return ipc.frame(ipc.REC_RECORDS, struct.pack("<Q", first) + data)


class Writer(t.Test):
    def recorder(self, inst, **options):
        r = ipc.Recorder(inst.run_dir, **options)
        self.later(r.close)
        return r

    def test_a_session(self):
        inst = self.instance(config="seal_after = 30s\n")
        r = self.recorder(inst).begin(command=b"ls\0-l")
        r.output(b"one", b"two")
        r.output(b"three")
        r.settle()
        self.equal(r.state, 1, "REC_STATE")
        self.equal(outputs(inst, r.sid), [(0, b"one"), (1, b"two"), (2, b"three")], "records")
        found = session(inst, r.sid)
        self.equal(found[2], 0, "state: active")
        r.finish()
        r.settle()
        t.wait_for("the end in the list", lambda: session(inst, r.sid)[2] == 1)
        self.equal(inst.stop(), 0, "exit status")

    def test_resent_is_kept_once(self):
        inst = self.instance(config="seal_after = 30s\n")
        r = self.recorder(inst).begin()
        r.output(b"a", b"b", b"c")
        r.settle()
        # The recorder doubts all of it and sends it again, with more.
        again = self.recorder(inst, sid=r.sid)
        self.equal(again.held(), (1, 0, 3, 1), "what the writer holds")
        again.event(ipc.SESSION_OPEN, ipc.open_payload(r.sid), number=0)
        again.output(b"a", b"b", b"c", b"d", first=0)
        again.next_record = 4
        again.settle()
        self.equal(outputs(inst, r.sid), [(0, b"a"), (1, b"b"), (2, b"c"), (3, b"d")], "records")
        self.check(r.ended(), "the older connection is still there")

    def test_taken_when_it_rings(self):
        """Records wake nobody until the recorder rings; they are in the log all
        the same when it is killed before it can."""
        inst = self.instance(config="seal_after = 30s\n")
        recorder = self.recorder(inst).begin()
        recorder.settle()
        bell, recorder.bell = recorder.bell, None
        recorder.output(b"one")
        time.sleep(0.3)
        self.equal(outputs(inst, recorder.sid), [], "taken without a ring")
        os.eventfd_write(bell, 1)
        recorder.settle()
        recorder.output(*[b"%d" % i for i in range(40)])
        recorder.sock.setblocking(False)  # one with a timeout waits for a socket three quarters empty
        for i in range(100):
            recorder.output(b"two %d" % i)
        recorder.close()  # as a killed one
        os.close(bell)
        t.wait_for("all of them", lambda: len(outputs(inst, recorder.sid)) == 141)
        self.exits(inst.opseal("verify"), 0)

    def test_many_ring_once(self):
        """More recorders than are looked at in one turn, and one ring for all."""
        inst = self.instance()
        recorders = [self.recorder(inst).begin() for _ in range(150)]
        bells = []
        for recorder in recorders:
            recorder.settle()
            bells.append(recorder.bell)
            recorder.bell = None
        for _ in range(3):
            for recorder in recorders:
                recorder.output(b"some")
            os.eventfd_write(bells[0], 1)
            for recorder in recorders:
                recorder.settle()
        for recorder, bell in zip(recorders, bells):
            recorder.bell = bell
            recorder.finish()
            recorder.settle()

    def test_goes_on_after_kill(self):
        """kill -9 of the daemon at any moment: acknowledged is kept, the rest
        is sent again, nothing is there twice."""
        inst = self.instance(config="seal_after = 30s\n")
        r = self.recorder(inst).begin()
        sent = []
        for turn in range(6):
            for i in range(20):
                sent.append(b"%d.%d" % (turn, i))
                r.output(sent[-1])
            if turn % 2 == 0:
                r.settle()
            acked = r.acked
            kill(inst)
            inst.start()
            r.close()
            r = self.recorder(inst, sid=r.sid)
            known, closed, next_record, next_event = r.held()
            self.equal((known, closed, next_event), (1, 0, 1), "after kill %d" % turn)
            self.check(acked[0] <= next_record <= len(sent), "holds %d of %d, acknowledged %d" % (
                next_record, len(sent), acked[0]))
            if next_record < len(sent):
                r.output(*sent[next_record:], first=next_record)
            r.next_record = len(sent)
            r.settle()
        r.finish()
        r.settle()
        self.equal(inst.stop(), 0, "exit status")

    def test_late_recorder_of_a_closed_session(self):
        """Its CLOSE arrived, the acknowledgement did not."""
        inst = self.instance()
        r = self.recorder(inst).begin()
        r.finish()
        r.settle()
        again = self.recorder(inst, sid=r.sid)
        self.equal(again.held()[:2], (1, 1), "known, closed")

    def test_bad_messages_end_only_that_peer(self):
        inst = self.instance()
        good = self.recorder(inst).begin()
        for name, make in BAD:
            bad = self.recorder(inst).begin().settle()
            try:
                bad.raw(make(bad))
            except OSError as e:
                raise AssertionError("%s: %s" % (name, e))
            self.check(bad.ended(), "%s: not cut off" % name)
            good.output(name.encode())
            good.settle()
        self.equal(inst.log().count("cut off\n"), len(BAD), "lines about it\n" + inst.log())
        self.equal(inst.log().count("starting it again"), 0, "restarts")

    def test_descriptors_are_not_taken(self):
        inst = self.instance()
        bad = self.recorder(inst).begin().settle()
        try:
            bad.raw(event(bad, ipc.SESSION_CLOSE, ipc.close_payload(bad.sid)), fds=[0])
        except PermissionError:
            return  # Linux 6.16 has refused them for us
        self.check(bad.ended(), "not cut off")

    def test_bad_beginnings(self):
        inst = self.instance()
        path = os.path.join(inst.run_dir, "record.sock")
        me = os.getpid()
        rows = [
            ("records before hello", records(None, 0, ipc.record(1, b"x"))),
            ("hello of another process", ipc.frame(ipc.REC_HELLO, b"i" * 10 + struct.pack(
                "<IQ", 1, 1))),
            ("short hello", ipc.frame(ipc.REC_HELLO, b"i" * 10)),
            ("access of nonsense", ipc.frame(ipc.Q_ACCESS, b"\0" * 10 + b"\xff")),
            ("status with more", ipc.frame(ipc.Q_STATUS, b"x")),
        ]
        for name, data in rows:
            c = ipc.Conn(path)
            c.raw(data)
            self.check(c.ended(), "%s: not cut off" % name)
            c.close()
        # A session that belongs to a living recorder isn't another's.
        other = subprocess.Popen(["sleep", "100"])
        self.later(lambda: (other.kill(), other.wait()))
        r = self.recorder(inst)
        r.held()
        r.event(ipc.SESSION_OPEN, ipc.open_payload(r.sid, pid=other.pid))
        self.check(r.ended(), "SESSION-OPEN that names another process: not cut off")
        self.check(session(inst, r.sid) is None, "and the session is there")

    def scanner(self, inst):
        """A connection that is told of terminals, as the scan role's is."""
        c = ipc.Conn(os.path.join(inst.run_dir, "record.sock"))
        self.later(c.close)
        c.send(ipc.Q_WATCH)
        return c

    def test_who_holds_a_terminal(self):
        """A recorder names its terminal, the scan role hears of it and
        reports, and it comes back to that recorder alone."""
        inst = self.instance()
        # It would take the place of ours.
        os.kill(t.wait_for("scan", lambda: inst.role("scan")), signal.SIGSTOP)
        early, late, silent = [self.recorder(inst).begin().settle() for _ in range(3)]
        early.send(ipc.REC_OUTER, outer(early.sid, dev=1))
        scan = self.scanner(inst)
        self.equal(scan.recv(), (ipc.Q_OUTER, outer(early.sid, dev=1)), "what was there")
        late.send(ipc.REC_OUTER, outer(late.sid, dev=2))
        self.equal(scan.recv(), (ipc.Q_OUTER, outer(late.sid, dev=2)), "what came")
        late.send(ipc.REC_OUTER, outer(late.sid, dev=3))
        self.equal(scan.recv(), (ipc.Q_OUTER, outer(late.sid, dev=3)), "what came again")
        scan.send(ipc.Q_FOUND, holder(b"n" * 10))  # nobody's
        scan.send(ipc.Q_FOUND, holder(late.sid))
        self.equal(late.recv(), (ipc.REC_FOUND, holder(late.sid)), "report")
        early.output(b"x")
        early.settle()  # nothing but acknowledgements came
        # The next takes its place, and hears of all of them.
        other = self.scanner(inst)
        self.equal(sorted([other.recv(), other.recv()]), sorted([
            (ipc.Q_OUTER, outer(early.sid, dev=1)), (ipc.Q_OUTER, outer(late.sid, dev=3))]), "all")
        self.check(scan.ended(), "two of them")
        for name, data in [("no process", ipc.frame(ipc.Q_FOUND, holder(late.sid, pid=0))),
                           ("too short", ipc.frame(ipc.Q_FOUND, holder(late.sid, name=b"")[:-1])),
                           ("too long", ipc.frame(ipc.Q_FOUND, holder(late.sid, name=b"x" * 65))),
                           ("a terminal", ipc.frame(ipc.REC_OUTER, outer(late.sid))),
                           ("watch again", ipc.frame(ipc.Q_WATCH)),
                           ("watch what", ipc.frame(ipc.Q_WATCH, b"x"))]:
            bad = self.scanner(inst)
            bad.raw(data)
            self.check(bad.ended(), name + ": not cut off")
        late.output(b"x")
        late.settle()

    # What capture may say wrong: a name, and what it sends.
    BAD_CAPTURE = [
        ("state too short", ipc.frame(ipc.CAP_STATE, bytes(8))),
        ("state too long", ipc.frame(ipc.CAP_STATE, bytes(9 + 401))),
        ("state of no kind", ipc.frame(ipc.CAP_STATE, b"\2" + bytes(8))),
        ("sync too short", ipc.frame(ipc.CAP_SYNC, bytes(7))),
        ("sync too long", ipc.frame(ipc.CAP_SYNC, bytes(9))),
        ("hello again", ipc.frame(ipc.CAP_HELLO, b"c" * 10 + bytes(12))),
        ("an event", ipc.frame(ipc.REC_EVENT, struct.pack("<QBQ", 0, ipc.GAP_EVENT, 1) + b"c" * 11)),
        ("a terminal", ipc.frame(ipc.REC_INNER, inner(b"c" * 10))),
        ("a question", ipc.frame(ipc.Q_STATUS)),
        ("record of a screen", ipc.frame(ipc.REC_RECORDS, bytes(8) + ipc.record(1, b"x"))),
        ("record of an event", ipc.frame(ipc.REC_RECORDS, bytes(8) + ipc.record(
            ipc.ACCESS, bytes(10) + b"\xa0"))),
        ("a hole before it", ipc.frame(ipc.REC_RECORDS, struct.pack("<Q", 7) + ipc.record(
            ipc.LOSS, bytes(10) + b"\xa0"))),
    ]

    def capture(self, inst, **options):
        c = ipc.Capture(inst.run_dir, **options)
        self.later(c.close)
        return c

    def test_capture_hears_of_sessions(self):
        """Of those that are there, of one whose word lies in the socket still,
        and of the end of each."""
        inst = self.instance()
        early, late = [self.recorder(inst).begin().settle() for _ in range(2)]
        early.send(ipc.REC_INNER, inner(early.sid, dev=1))
        c = self.capture(inst)
        self.equal(c.held(), (0, 0, 0, 0), "what it holds")
        self.equal(c.sync(), [], "before it captures")
        c.on()
        self.equal(c.sync(), [(ipc.Q_INNER, inner(early.sid, dev=1))], "what was there")
        late.sock.sendmsg([ipc.frame(ipc.REC_INNER, inner(late.sid, dev=2))])  # and doesn't ring
        self.equal(c.sync(8), [(ipc.Q_INNER, inner(late.sid, dev=2))], "what lay there")
        early.finish()
        early.settle()
        (kind, over), = c.sync(9)
        self.equal((kind, over[:10]), (ipc.Q_OVER, early.sid), "its end")
        self.check(0 <= ipc.boottime() - struct.unpack("<Q", over[10:])[0] < 60 * 10**9, "when")
        # The next takes its place, and hears of those that go on.
        other = self.capture(inst)
        other.held()
        other.on()
        self.equal(other.sync(), [(ipc.Q_INNER, inner(late.sid, dev=2))], "what goes on")
        self.check(c.ended(), "two of them")
        for name, data in self.BAD_CAPTURE:
            bad = self.capture(inst)
            bad.held()
            bad.raw(data)
            self.check(bad.ended(), name + ": not cut off")
        late.output(b"x")
        late.settle()

    def test_capture_records(self):
        """Its records become durable, numbered from where the writer is."""
        inst = self.instance()
        self.equal(status(inst).get(23), 0, "status: captures")
        c = self.capture(inst)
        c.held()
        c.on(b"raw_tp", lost=3)
        body = bytes(10) + ipc.cbor({1: 1, 2: os.getpid(), 3: time.time_ns(), 4: b"raw_tp"})
        c.records(ipc.record(ipc.CAPTURE, body), ipc.record(ipc.LOSS, bytes(10) + ipc.cbor(
            {1: 1, 2: 2, 3: 3, 4: 0, 5: 0, 6: 0, 7: 0, 8: 0})))
        c.settle()
        got = status(inst)
        self.equal((got[23], got[24], got[25]), (1, b"raw_tp", 3), "status")
        c.close()
        again = self.capture(inst, sid=c.sid)
        self.equal(again.held(), (0, 0, 2, 0), "what it holds then")
        again.on()
        again.records(ipc.record(ipc.CAPTURE, body))
        again.settle()
        self.equal(status(inst)[23], 1, "status")
        again.close()
        t.wait_for("its end", lambda: status(inst)[23] == 0)
        self.equal(inst.stop(), 0, "exit status")
        self.exits(inst.offline("verify"), 0, "verify")

    def test_wrong_uid_is_cut_off(self):
        user = t.person()
        inst = self.instance()
        path = os.path.join(inst.run_dir, "record.sock")

        def knock():
            try:
                c = ipc.Conn(path)
            except PermissionError:
                return 1
            return 2 if c.ended() else 3

        self.equal(t.call_as(user, knock), 1, "with the socket's mode 0600")
        os.chmod(path, 0o666)
        self.equal(t.call_as(user, knock), 2, "with everybody let in by mode")
        self.contains(inst.log(), "uid %d; cut off" % user.pw_uid, "log")
        self.recorder(inst).begin().settle()

    def test_lost_recorder(self):
        """A recorder that dies leaves a session that is not called complete."""
        inst = self.instance(config="seal_after = 100ms\n")
        sid = os.urandom(10)
        pid = os.fork()
        if pid == 0:
            try:
                r = ipc.Recorder(inst.run_dir, sid=sid)
                r.begin()
                r.output(b"last words")
                r.settle()
            finally:
                os._exit(0)
        os.waitpid(pid, 0)
        begin = time.monotonic()
        found = session(inst, sid)
        self.equal(found[2], 0, "at first: active")
        t.wait_for("its end", lambda: session(inst, sid)[2] == 3, timeout=t.PATIENCE)
        self.check(time.monotonic() - begin > 4, "no time to come back")
        self.contains(inst.log(), "session %s: its recorder (process %d) is gone; closed as lost"
                      % (sid_text(sid), pid), "log")
        close = ipc.uncbor(session(inst, sid)[12][10:])
        self.equal((close[1], close[2], close[7]), (2, 6, 1), "state, why, records")

    def test_lost_while_the_daemon_was_away(self):
        inst = self.instance()
        sid = os.urandom(10)
        pid = os.fork()
        if pid == 0:
            try:
                ipc.Recorder(inst.run_dir, sid=sid).begin().settle()
                os.kill(os.getpid(), signal.SIGSTOP)
            finally:
                os._exit(0)
        os.waitpid(pid, os.WUNTRACED)
        kill(inst)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        inst.start()
        t.wait_for("its end", lambda: session(inst, sid)[2] == 3)

    def test_living_recorder_is_waited_for(self):
        inst = self.instance()
        r = self.recorder(inst).begin().settle()
        r.close()
        time.sleep(7)
        self.equal(session(inst, r.sid)[2], 0, "state of a session whose recorder lives")
        again = self.recorder(inst, sid=r.sid)
        self.equal(again.held(), (1, 0, 0, 1), "what the writer holds")

    def test_fast_recorders_wait_for_a_full_queue(self):
        """More than the writer's queue holds, as fast as it goes, from several
        at once: all of it arrives."""
        inst = self.instance()
        block = [b"x" * 8000] * 7
        recorders = [self.recorder(inst).begin() for _ in range(3)]
        for _ in range(600):
            for r in recorders:
                r.output(*block)
        for r in recorders:
            r.settle()
            r.finish()
            r.settle()
        self.equal(status(inst)[5] >= 3 * 600 * 7, True, "records")

    def test_many_connections(self):
        inst = self.instance()
        recorders = [self.recorder(inst).begin() for _ in range(300)]
        for r in recorders:
            r.output(b"here")
        for r in recorders:
            r.settle()
        self.equal(status(inst)[4], 300, "open sessions")

    def test_log_that_cannot_be_written(self):
        """Every write of the writer fails for a while: recorders are told,
        status says so, nothing is shown unlogged; then all goes on."""
        t.need_root("root, to act as the writer's user")
        inst = self.instance(config="seal_after = 30s\n")
        r = self.recorder(inst).begin().settle()
        client = ipc.Client(inst.run_dir)
        writer = inst.role("writer")
        t.limit_files(writer, 1000)  # more than the lines of its log
        r.output(b"held back")
        kind, payload = r.recv()
        self.equal((kind, payload[0]), (ipc.REC_STATE, 0), "REC_STATE")
        self.check(len(payload) > 1 and payload[1:].decode().isprintable(), "its reason")
        self.contains(inst.log(), "the log can't be written: ", "log")
        st = ipc.uncbor(client.ask(ipc.C_STATUS)[1])
        self.equal((st[1], st[2]), (0, payload[1:]), "ok, reason")
        kind, text = client.ask(ipc.C_READ, r.sid)
        self.equal(kind, ipc.C_FAILED, "reading meanwhile")
        self.contains(text, b"the access can't be logged", "answer")
        t.limit_files(writer, resource.RLIM_INFINITY)
        r.settle()
        if r.state != 1:
            self.equal(r.recv(), (ipc.REC_STATE, b"\1"), "REC_STATE")
        self.equal(client.ask(ipc.C_READ, r.sid)[0], ipc.C_DONE, "reading afterwards")
        self.equal(outputs(inst, r.sid), [(0, b"held back")], "records")
        self.contains(inst.log(), "the log is written again", "log")
        self.equal(inst.stop(), 0, "exit status")

    def test_status(self):
        inst = self.instance()
        r = self.recorder(inst).begin().settle()
        st = status(inst)
        self.equal((st[1], st[4], st[11]), (1, 1, 0), "ok, sessions, log")
        self.equal(st[22], inst.store.encode(), "store")
        self.check(st[5] >= 1 and st[9] >= 1 and st[21] > 0, "records, size, space: %r" % st)
        now = time.time_ns()
        for key in (3, 20):
            self.check(now - 600e9 < st[key] <= now + 1e9, "time %d" % key)
        self.check(st[17], "origin")
        self.check(18 not in st, "an anchor, without one")
        r.event(ipc.GAP_EVENT, r.sid + ipc.cbor({1: 77, 2: 1, 3: 2}))
        r.settle()
        self.equal(status(inst)[10], 77, "bytes lost")

    def test_idle_costs_nothing(self):
        inst = self.instance()
        self.recorder(inst).begin().settle()
        time.sleep(14)  # the index has seen it by then, however busy others are

        def ticks():
            total = 0
            for pid in inst.pids():
                with open("/proc/%d/stat" % pid) as f:
                    words = f.read().rsplit(")", 1)[1].split()
                total += int(words[11]) + int(words[12])
            return total

        before = ticks()
        time.sleep(3)
        self.check(ticks() - before <= 1, "%d ticks in 3 idle seconds" % (ticks() - before))


class Anchors(t.Test):
    def listen(self, name):
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.chmod(os.path.dirname(path), 0o755)
        s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.later(s.close)
        s.bind(path)
        os.chmod(path, 0o666)
        s.settimeout(t.PATIENCE)
        return s, path

    def folder(self):
        """Where the daemon's user may write."""
        path = self.path("anchors")
        os.mkdir(path)
        os.chmod(path, 0o777)
        return path

    def test_journal_and_file(self):
        s, path = self.listen("journal/socket")
        file = os.path.join(self.folder(), "a")
        inst = self.instance(config="anchor_interval = 200ms\nanchor_syslog = %s\n"
                                    "anchor_file = %s\nseal_after = 100ms\n" % (path, file))
        fields = dict(line.split("=", 1) for line in s.recv(4096).decode().splitlines())
        self.equal((fields["SYSLOG_IDENTIFIER"], fields["PRIORITY"]), ("opseal", "5"), "fields")
        self.matches(fields["MESSAGE_ID"], "^[0-9a-f]{32}$", "MESSAGE_ID")
        m = self.matches(fields["MESSAGE"], r"^opseal-anchor (\S+) (\d+) (\S{44}) (\S{92})$",
                         "MESSAGE")
        t.wait_for("the line in the file", lambda: os.path.exists(file) and
                   fields["MESSAGE"] + "\n" in open(file).read())
        anchored = t.wait_for("the status", lambda: status(inst).get(18))
        self.matches(anchored.decode(), r"^size \d+ journal file \d{4}-", "status")
        self.check(int(m.group(2)) >= 1, "size")
        inst.stop()
        with open(file) as f:
            sizes = [int(line.split()[3]) for line in f]
        self.check(sizes == sorted(set(sizes)), "sizes grow: %r" % sizes)

    def test_syslog(self):
        s, path = self.listen("log/dev-log")
        self.instance(config="anchor_interval = 200ms\nanchor_syslog = %s\n" % path)
        self.matches(s.recv(4096).decode(), r"^<85>opseal: opseal-anchor \S+ \d+ \S+ \S+$", "line")

    def test_trouble_is_shown_and_not_fatal(self):
        inst = self.instance(config="anchor_interval = 200ms\nanchor_syslog = off\n"
                                    "anchor_file = %s\n" % self.path("no/such/file"))
        text = t.wait_for("the status", lambda: status(inst).get(18)).decode()
        self.matches(text, "^failed: .*no/such/file", "status")
        time.sleep(1)
        self.equal(inst.log().count("anchor:"), 1, "lines about the same trouble")
        self.equal(inst.stop(), 0, "exit status")

    def test_a_place_that_hangs(self):
        """Nobody opens the other end of this FIFO; recording goes on."""
        path = os.path.join(self.folder(), "fifo")
        os.mkfifo(path)
        os.chmod(path, 0o666)
        inst = self.instance(config="anchor_interval = 200ms\nanchor_syslog = off\n"
                                    "anchor_file = %s\nseal_after = 100ms\n" % path)
        t.wait_for("the status", lambda: b"not done" in status(inst).get(18, b""))
        r = ipc.Recorder(inst.run_dir)
        self.later(r.close)
        r.begin().settle()
        self.equal(inst.stop(), 0, "exit status")


t.main()
