#!/usr/bin/python3
# The query role: who may read what on control.sock, and that it is logged.
import grp
import os
import re
import struct
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import opsealipc as ipc
import opsealtest as t

REFUSED = ipc.EPERM_CODE


def as_person(entry, groups, function, *args):
    """function(*args) in a child with that uid and these groups; gives what it
    returns (a bytes or str, by repr)."""
    r, w = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(r)
            os.setgroups(groups)
            os.setresgid(entry.pw_gid, entry.pw_gid, entry.pw_gid)
            os.setresuid(entry.pw_uid, entry.pw_uid, entry.pw_uid)
            try:
                result = repr(function(*args))
            except BaseException as e:
                result = repr("%s: %s" % (type(e).__name__, e))
            os.write(w, result.encode()[:60000])
        finally:
            os._exit(0)
    os.close(w)
    with os.fdopen(r, "rb") as f:
        text = f.read().decode()
    os.waitpid(pid, 0)
    return eval(text, {"__builtins__": {}})


def look(run_dir, own, other):
    """Everything a client can ask for, as one dict."""
    c = ipc.Client(run_dir, b"look")
    seen = {"full": c.full, "status": c.ask(ipc.C_STATUS)[0] == ipc.C_STATUS_IS,
            "sessions": sorted(ipc.uncbor(s)[1] for s in c.sessions()),
            "leaves": isinstance(c.file(b"log/0/leaves"), bytes),
            "checkpoint": isinstance(c.file(b"log/0/checkpoint"), bytes),
            "before": c.all(ipc.C_TAIL, own)}
    for name, sid in (("own", own), ("other", other)):
        kind, payload = c.ask(ipc.C_READ, sid)
        seen["read " + name] = "done" if kind == ipc.C_DONE else payload[0]
    days = c.names(b"data/screen")
    listed = [n for d in days for n in c.names(b"data/screen/" + d)]
    seen["segments"] = sorted(n[:16].decode() for n in listed)
    seen["open listed"] = all(isinstance(c.file(b"data/screen/%s/%s" % (d, n)), bytes)
                              for d in days for n in c.names(b"data/screen/" + d))
    kind, payload = c.ask(ipc.C_READ_ALL)
    seen["all"] = "done" if kind == ipc.C_DONE else payload[0]
    seen["keys"] = c.file(b"keys/log-0")
    seen["root names"] = c.names(b"")
    seen["events"] = c.names(b"data/events")
    seen["wal"] = c.names(b"wal")
    c.close()
    return seen


def id_text(sid):
    alphabet = "abcdefghijklmnopqrstuvwxyz234567"
    value = int.from_bytes(sid, "big")
    return "".join(alphabet[(value >> shift) & 31] for shift in range(75, -1, -5))


class Query(t.Test):
    def session_of(self, inst, uid, auid=ipc.UNSET):
        """A recorded, ended session; its id."""
        r = ipc.Recorder(inst.run_dir)
        r.begin(uid=uid, auid=auid, command=b"cmd-%d" % uid)
        r.output(b"screen of %d" % uid)
        r.finish()
        r.settle()
        r.close()
        return r.sid

    def sealed(self, inst, sid):
        """Wait until the session's segment is there and its end is sealed."""
        pattern = id_text(sid)
        t.wait_for("the segment", lambda: any(pattern in p for p in inst.segments()))
        c = ipc.Client(inst.run_dir)
        t.wait_for("the seal", lambda: any(ipc.uncbor(s)[1] == sid and ipc.uncbor(s).get(3)
                                           for s in c.sessions()))
        c.close()

    def matrix(self):
        t.need_root("root, to be several people")
        inst = self.instance(config="seal_after = 100ms\n")
        owner, other = t.person(0), t.person(1)
        a = self.session_of(inst, owner.pw_uid)
        b = self.session_of(inst, other.pw_uid)
        for sid in (a, b):
            self.sealed(inst, sid)
        return inst, owner, other, a, b

    def sees_all(self, seen, a, b, who):
        self.equal(seen["full"], True, who + ": full")
        self.equal(seen["sessions"], sorted([a, b]), who + ": sessions")
        self.equal((seen["read own"], seen["read other"], seen["all"]), ("done",) * 3, who)
        self.equal(seen["segments"], sorted([id_text(a), id_text(b)]), who + ": segments")
        self.equal(seen["open listed"], True, who + ": segments opened")
        self.equal(seen["keys"], REFUSED, who + ": keys")
        self.equal(seen["root names"], [b"data", b"log", b"wal"], who + ": names in the store")
        self.check(isinstance(seen["events"], list) and isinstance(seen["wal"], list),
                   who + ": events, wal")

    def test_root_and_readers_see_all(self):
        inst, owner, other, a, b = self.matrix()
        self.sees_all(look(inst.run_dir, a, b), a, b, "root")
        gid = grp.getgrnam("opseal-read").gr_gid
        self.sees_all(as_person(other, [gid], look, inst.run_dir, b, a), b, a, "reader")

    def test_the_others_see_their_own(self):
        inst, owner, other, a, b = self.matrix()
        for person, own, foreign in ((owner, a, b), (other, b, a)):
            who = person.pw_name
            seen = as_person(person, [], look, inst.run_dir, own, foreign)
            self.check(isinstance(seen, dict), "%s: %r" % (who, seen))
            self.equal(seen["full"], False, who + ": full")
            self.equal(seen["status"], True, who + ": status")
            self.equal(seen["sessions"], [own], who + ": sessions")
            self.equal(seen["before"], REFUSED, who + ": tail before C_READ")
            self.equal((seen["read own"], seen["read other"], seen["all"]),
                       ("done", REFUSED, REFUSED), who + ": reads")
            self.equal(seen["segments"], [id_text(own)], who + ": segments")
            self.equal(seen["open listed"], True, who + ": segments opened")
            self.equal((seen["leaves"], seen["checkpoint"]), (True, True), who + ": leaves")
            for what in ("keys", "root names", "events", "wal"):
                self.check(seen[what] in (REFUSED, ipc.EUSAGE_CODE), "%s: %s: %r" % (
                    who, what, seen[what]))

    def test_foreign_segment_by_name(self):
        inst, owner, other, a, b = self.matrix()
        path = next(p for p in inst.segments() if id_text(b) in p)
        path = os.path.relpath(path, inst.store).encode()

        def fetch():
            c = ipc.Client(inst.run_dir)
            before = c.file(path)
            c.ask(ipc.C_READ, a)
            return before, c.file(path)

        self.equal(as_person(owner, [], fetch), (REFUSED, REFUSED), "the other's segment")

    def test_login_user_counts(self):
        """After su or sudo the session has another uid; the person's own it is."""
        t.need_root("root, to be several people")
        inst = self.instance()
        person = t.person(0)
        sid = self.session_of(inst, 0, auid=person.pw_uid)
        seen = as_person(person, [], lambda: [
            ipc.uncbor(s)[1] for s in ipc.Client(inst.run_dir).sessions()])
        self.equal(seen, [sid], "sessions")

    def access_records(self, inst, session=None):
        """The REC_ACCESS bodies in the sealed events, by their CBOR."""
        inst.stop()
        found = []
        for path in inst.segments():
            if "/events/" not in path:
                continue
            raw = subprocess.run(["zstd", "-dcq", path], stdout=subprocess.PIPE,
                                 stderr=subprocess.DEVNULL).stdout
            for m in re.finditer(re.escape(b"\x42\0"), raw):
                size = struct.unpack("<H", raw[m.start() + 2:m.start() + 4])[0]
                body = raw[m.start() + 12:m.start() + 12 + size]
                if body[:10] == b"\0" * 10 and len(body) == size:
                    try:
                        found.append(ipc.uncbor(body[10:]))
                    except (ValueError, IndexError):
                        pass
        return found

    def test_reading_is_logged(self):
        t.need_program("zstd")
        inst, owner, other, a, b = self.matrix()
        c = ipc.Client(inst.run_dir, b"ls -l")
        c.sessions()
        c.close()
        c = ipc.Client(inst.run_dir, b"cat")
        self.equal(c.ask(ipc.C_READ, a)[0], ipc.C_DONE, "root reads")
        c.close()

        def trespass():
            c = ipc.Client(inst.run_dir, b"steal")
            return c.ask(ipc.C_READ, a)[1][:1], c.file(b"wal/x"), c.file(b"wal/x")

        self.equal(as_person(other, [], trespass), (bytes([REFUSED]), REFUSED, REFUSED), "refused")
        records = self.access_records(inst)
        brief = [(r[1], r[5], r.get(6), r.get(7, 0)) for r in records]
        self.check((0, b"ls -l", None, 0) in brief, "no record of ls: %r" % brief)
        self.check((0, b"cat", a, 0) in brief, "no record of cat: %r" % brief)
        self.check((other.pw_uid, b"steal", a, 1) in brief, "no record of the refusal: %r" % brief)
        self.equal(brief.count((other.pw_uid, b"steal", None, 1)), 1, "records of refused paths")
        names = {r[1]: r[4] for r in records}
        self.equal((names[0], names[other.pw_uid]), (b"root", other.pw_name.encode()), "names")

    def test_who_keeps_trying_is_cut_off(self):
        inst, owner, other, a, b = self.matrix()

        def insist():
            c = ipc.Client(inst.run_dir)
            tries = 0
            while tries < 50:
                c.send(ipc.C_READ, a)
                if c.recv()[0] is None:
                    return tries
                tries += 1
            return tries

        self.equal(as_person(other, [], insist), 7, "answers before the end")

    def test_paths(self):
        inst = self.instance()
        c = ipc.Client(inst.run_dir)
        self.equal(c.ask(ipc.C_READ_ALL)[0], ipc.C_DONE, "C_READ_ALL")
        os.symlink("/etc/passwd", os.path.join(inst.store, "link"))
        os.symlink("/etc", os.path.join(inst.store, "dir"))
        os.mkfifo(os.path.join(inst.store, "fifo"))
        for path in (b"..", b"../run", b"/etc/passwd", b"log/../keys/log-0", b"./keys/log-0",
                     b"log//0/leaves", b"log/0/leaves/", b"keys", b"keys/resume", b"KEYS/../keys/x",
                     b"log/0/leaves\0x", b"link", b"dir/passwd", b"fifo", b"log", b"log/7/leaves",
                     b"a/b/c/d/e/f/g/h/i", b"log/0/l\xc3\xa4", b"x" * 255, b"."):
            self.check(isinstance(c.file(path), int), "%r was opened" % path)
        for path in (b"..", b"/", b"keys", b"dir", b"log/..", b"none"):
            self.check(isinstance(c.names(path), int), "%r was listed" % path)
        self.equal(c.names(b"log"), [b"0"], "log")
        self.check(b"keys" not in c.names(b""), "keys is listed")
        with open(os.path.join(inst.store, "log/0/leaves"), "rb") as f:
            self.equal(c.file(b"log/0/leaves"), f.read(), "leaves")

    def test_files_are_read_only(self):
        inst = self.instance()
        c = ipc.Client(inst.run_dir)
        c.send(ipc.C_OPEN, b"log/0/leaves")
        _, _, fds = c.recv_fds()
        try:
            os.write(fds[0], b"x")
        except OSError:
            pass
        else:
            raise AssertionError("the descriptor can be written")
        finally:
            os.close(fds[0])

    def test_bad_messages_end_only_that_client(self):
        inst = self.instance()
        good = ipc.Client(inst.run_dir)
        path = os.path.join(inst.run_dir, "control.sock")
        hello = ipc.frame(ipc.C_HELLO, b"x")
        for name, data in [
                ("one byte", [b"x"]),
                ("question before hello", [ipc.frame(ipc.C_STATUS)]),
                ("hello twice", [hello, hello]),
                ("empty hello", [ipc.frame(ipc.C_HELLO)]),
                ("long hello", [ipc.frame(ipc.C_HELLO, b"x" * 65)]),
                ("unknown", [hello, ipc.frame(500)]),
                ("a recorder's", [hello, ipc.frame(ipc.REC_HELLO, b"x" * 22)]),
                ("writer's", [hello, ipc.frame(ipc.Q_ACCESS, b"x" * 12)]),
                ("wrong length", [hello, ipc.frame(ipc.C_STATUS, b"", length=1)]),
                ("status with more", [hello, ipc.frame(ipc.C_STATUS, b"x")]),
                ("switches before hello", [ipc.frame(ipc.C_SWITCHES)]),
                ("switches with more", [hello, ipc.frame(ipc.C_SWITCHES, b"x")]),
                ("short id", [hello, ipc.frame(ipc.C_READ, b"x" * 9)]),
                ("filter no CBOR", [hello, ipc.frame(ipc.C_SESSIONS, b"\xff")]),
                ("filter with bytes after it", [hello, ipc.frame(
                    ipc.C_SESSIONS, ipc.cbor({2: 0, 3: 0}) + b"\0")]),
                ("filter of the future", [hello, ipc.frame(
                    ipc.C_SESSIONS, ipc.cbor({2: 0, 3: 0, 99: 1}))]),
                ("long path", [hello, ipc.frame(ipc.C_OPEN, b"x" * 256)]),
                ("big", [hello, ipc.frame(ipc.C_OPEN, b"x" * 65528)])]:
            c = ipc.Conn(path)
            for part in data:
                c.raw(part)
            self.check(c.ended(), "%s: not cut off" % name)
            c.close()
            self.equal(good.ask(ipc.C_STATUS)[0], ipc.C_STATUS_IS, "the other client, " + name)
        c = ipc.Conn(path)
        try:
            c.raw(hello, fds=[0])
        except PermissionError:
            return  # Linux 6.16 has refused them for us
        self.check(c.ended(), "descriptors: not cut off")

    def test_filters(self):
        inst = self.instance()
        begin = time.time_ns()
        a = self.session_of(inst, 4001)
        r = ipc.Recorder(inst.run_dir)
        self.later(r.close)
        r.begin(uid=4002, command=b"vi\0file")
        r.settle()
        b = r.sid
        c = ipc.Client(inst.run_dir)

        def ids(**filters):
            keys = {"user": 1, "since": 2, "until": 3, "active": 4, "command": 5, "mine": 6}
            return sorted(ipc.uncbor(s)[1] for s in c.sessions(
                {keys[k]: v for k, v in filters.items()}))

        self.equal(ids(), sorted([a, b]), "no filter")
        self.equal(ids(user=b"user4002"), [b], "user")
        self.equal(ids(active=1), [b], "active")
        self.equal(ids(command=b"cmd-4001"), [a], "command")
        self.equal(ids(mine=1), [], "mine")
        self.equal(ids(since=begin), sorted([a, b]), "since")
        self.equal(ids(until=begin - 10**9), [], "until")
        self.equal(c.all(ipc.C_SESSIONS, ipc.cbor({1: b"a\0b", 2: 0, 3: 0})), ipc.EUSAGE_CODE,
                   "a user with a NUL")

    def test_slow_clients_block_nobody(self):
        inst = self.instance()
        for _ in range(20):  # connected and silent
            c = ipc.Conn(os.path.join(inst.run_dir, "control.sock"))
            self.later(c.close)
        deaf = ipc.Client(inst.run_dir)
        self.later(deaf.close)
        deaf.sock.setblocking(False)
        try:  # asks and never takes an answer
            for _ in range(10000):
                deaf.send(ipc.C_STATUS)
        except BlockingIOError:
            pass
        begin = time.monotonic()
        self.equal(ipc.Client(inst.run_dir).ask(ipc.C_STATUS)[0], ipc.C_STATUS_IS, "answer")
        self.check(time.monotonic() - begin < 5, "it took too long")

    def test_one_person_cannot_take_all_places(self):
        inst = self.instance()
        person = t.person()

        def grab():
            conns = []
            try:
                for _ in range(40):
                    conns.append(ipc.Client(inst.run_dir))
            except (AssertionError, BrokenPipeError):
                pass  # refused, or closed before it could ask
            # While this person holds them, the daemon's owner still gets in.
            with open(mark, "w"):
                time.sleep(2)
            return len(conns)

        folder = self.path("open")
        os.mkdir(folder)
        os.chmod(folder, 0o777)
        mark = os.path.join(folder, "mark")
        places = []
        thread = threading.Thread(target=lambda: places.append(as_person(person, [], grab)))
        thread.start()
        t.wait_for("all places taken", lambda: os.path.exists(mark))
        self.equal(ipc.Client(inst.run_dir).ask(ipc.C_STATUS)[0], ipc.C_STATUS_IS, "root's answer")
        thread.join()
        self.equal(places, [16], "places of one person")

    def test_nothing_is_shown_unlogged(self):
        """The writer is away: reading is refused, also for root, who is told
        another way."""
        inst = self.instance()
        c = ipc.Client(inst.run_dir)
        os.rename(os.path.join(inst.run_dir, "record.sock"), os.path.join(inst.run_dir, "away"))
        try:
            for kind, payload in ((ipc.C_READ, b"x" * 10), (ipc.C_READ_ALL, b""),
                                  (ipc.C_SESSIONS, ipc.cbor({2: 0, 3: 0}))):
                answer, text = c.ask(kind, payload)
                self.equal((answer, text[:1]), (ipc.C_FAILED, bytes([ipc.EUNAVAIL_CODE])), kind)
                self.contains(text, b"the access can't be logged", "text")
                if t.is_root():
                    self.contains(text, b"--store " + inst.store.encode(), "text")
        finally:
            os.rename(os.path.join(inst.run_dir, "away"),
                      os.path.join(inst.run_dir, "record.sock"))
        self.equal(c.ask(ipc.C_READ_ALL)[0], ipc.C_DONE, "and afterwards")

    def test_tail(self):
        inst = self.instance(config="seal_after = 30s\n")
        r = ipc.Recorder(inst.run_dir)
        self.later(r.close)
        r.begin()
        texts = [b"%d " % i * 3000 for i in range(40)]
        for text in texts:
            r.output(text[:16000])
        r.settle()
        c = ipc.Client(inst.run_dir)
        c.ask(ipc.C_READ, r.sid)
        got = []
        for answer in c.all(ipc.C_TAIL, r.sid):
            self.equal(struct.unpack("<Q", answer[:8])[0], len(got), "number of the first")
            at = 8
            while at < len(answer):
                size = struct.unpack("<H", answer[at + 2:at + 4])[0]
                got.append(answer[at + 12:at + 12 + size])
                at += 12 + size
        self.equal(got, [text[:16000] for text in texts], "records")
        self.equal(c.all(ipc.C_TAIL, b"y" * 10), REFUSED, "a session not asked for")


t.main()
