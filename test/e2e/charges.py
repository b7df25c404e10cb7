#!/usr/bin/python3
# timeout: 300
"""To whom it counts what a process does: to who logged in, where that is proven, and else
to who it is.  So nobody uses up another's share by choosing his login uid, and nobody
gets a second one.
"""
import ctypes
import os
import re
import subprocess
import sys
import threading
import time
import traceback

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import opsealipc as ipc
import opsealtest as t
import recorded as r
import smalldisk

MB = smalldisk.MB
BURST = 512  # LOGIN_BURST
PENDING = 64  # PENDING_PER_UID
NOTES, NOTES_USER = 64, 256  # NOTE_BURST, NOTE_USER_BURST
SUBUID = "/etc/subuid"
PR_SET_DUMPABLE = 4
CLONE_NEWUSER = 0x10000000


def log_in(uid):
    with open("/proc/self/loginuid", "w") as f:
        f.write(str(uid))


def become(uid):
    if os.getuid() == uid:
        return
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    # As after an exec: else its files in /proc are root's.
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 1)


class Story:
    """What a process does, each step of it by a method; the steps that say something
    give it to the test."""

    def __init__(self, inst, out):
        self.inst, self.out, self.held = inst, out, []

    def stay(self, uid):
        """Goes on in a child; it has become that user itself by then, and stays."""
        ready, done = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(done)
            os.read(ready, 1)
            return
        os.close(ready)
        become(uid)
        os.close(done)
        os.waitpid(pid, 0)
        os._exit(0)

    def maps(self, first):
        """Goes on in a child, in a user namespace whose uids are the 65,536 from first on."""
        made, mapped = os.pipe(), os.pipe()
        pid = os.fork()
        if pid == 0:
            if ctypes.CDLL(None).unshare(CLONE_NEWUSER) != 0:
                raise OSError("unshare")
            os.write(made[1], b"x")
            os.read(mapped[0], 1)
            return
        os.read(made[0], 1)
        for name in ("uid_map", "gid_map"):
            with open("/proc/%d/%s" % (pid, name), "w") as f:
                f.write("0 %d 65536" % first)
        os.write(mapped[1], b"x")
        for fd in made + mapped + (self.out,):
            os.close(fd)
        os.waitpid(pid, 0)
        os._exit(0)

    def lose(self):
        """Goes on in a child that init takes over."""
        parent = os.getpid()
        if os.fork() > 0:
            os._exit(0)
        while os.getppid() == parent:
            time.sleep(0.01)

    def log_in(self, uid):
        log_in(uid)

    def become(self, uid):
        become(uid)

    def record(self):
        """Its own session: the id."""
        door = ipc.Conn(os.path.join(self.inst.run_dir, "session.sock"))
        door.send(ipc.DOOR_OPEN, ipc.cbor({1: 2, 4: b"a\0command"}))
        kind, payload = door.recv()
        if kind != ipc.DOOR_GO:
            raise AssertionError("answer %r %r" % (kind, payload))
        self.held.append(door)
        os.write(self.out, payload[:10])

    def crowd(self, uids):
        """A connection of each of these login uids that asks for nothing; how many of them
        are too many."""
        read, write = os.pipe()
        pids = []
        for uid in uids:
            pids.append(os.fork())
            if pids[-1] > 0:
                continue
            log_in(uid)
            door = ipc.Conn(os.path.join(self.inst.run_dir, "session.sock"))
            kind, payload = door.recv()
            # Those who are not are told, after some seconds, that they said nothing.
            refused = kind == ipc.DOOR_REFUSED and payload.endswith(b"too many connections that ask for nothing")
            os.write(write, b"r" if refused else b".")
            os._exit(0)
        os.close(write)
        answers = b"".join(iter(lambda: os.read(read, 100), b""))
        for pid in pids:
            os.waitpid(pid, 0)
        os.write(self.out, b"%10d" % answers.count(b"r"))

    def logins(self, at_most, account):
        """So many LOGINs without a key or a method; how many were taken before one wasn't."""
        conns = [ipc.Conn(self.inst.run_dir + "/record.sock") for _ in range(min(at_most, 32))]
        taken, refused, until = 0, False, time.monotonic() + 60
        payload = ipc.login_payload(shown=False, keys={5: account})
        while taken < at_most and not refused and time.monotonic() < until:
            for c in conns:
                c.send(ipc.LOGIN, payload)
            answers = [c.recv()[0] for c in conns]
            taken += answers.count(ipc.Q_DONE)
            refused = ipc.Q_FAILED in answers
        os.write(self.out, b"%9d%d" % (taken, refused))


class Charges(smalldisk.SmallDisk):
    def setup(self):
        super().setup()
        self.a, self.b = t.person(0).pw_uid, t.person(1).pw_uid
        if t.call_as(t.pwd.getpwuid(0), lambda: log_in(self.a) or 0) != 0:
            t.skip("/proc/self/loginuid can't be set here")

    def play(self, inst, *steps):
        """What a process said that went through these; 10 bytes each."""
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                story = Story(inst, write)
                for name, *args in steps:
                    getattr(story, name)(*args)
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(0)
        os.close(write)
        said = b""
        while True:
            more = os.read(read, 1000)
            if not more:
                break
            said += more
        os.close(read)
        os.waitpid(pid, 0)
        return [said[i:i + 10] for i in range(0, len(said), 10)]

    def opens(self, inst):
        """SESSION-OPEN of each, by its id."""
        client = ipc.Client(inst.run_dir)
        try:
            return {s[1]: ipc.uncbor(s[11][10:]) for s in map(ipc.uncbor, client.sessions())}
        finally:
            client.close()

    def opened(self, inst, sid):
        return t.wait_for("session %s" % sid.hex(), lambda: self.opens(inst).get(sid), about=inst.log)

    def charged(self, inst, *steps):
        """To whom each session counts that it says; who it was, by the kernel."""
        rows = [self.opened(inst, sid) for sid in self.play(inst, *steps)]
        return [(o[2], o[4], o.get(50, o[2])) for o in rows]

    def test_to_whom(self):
        """uid, login uid, to whom it counts."""
        inst, a, b = self.instance(), self.a, self.b
        record = ("record",)
        for name, steps, want in (
                ("no login", [("become", b), record], [(b, ipc.UNSET, b)]),
                ("himself", [("log_in", a), ("become", a), record], [(a, a, a)]),
                ("su, as it is for who came in by sshd",
                 [("log_in", a), ("stay", a), ("become", b), record], [(b, a, a)]),
                ("sudo", [("log_in", a), ("stay", a), record], [(0, a, a)]),
                ("and sudo in that",
                 [("log_in", a), ("stay", a), ("stay", 0), ("stay", b), record], [(0, a, a)]),
                ("taken over by init, after it was proven once",
                 [("log_in", a), ("stay", a), record, ("lose",), record, ("become", b), record],
                 [(0, a, a), (0, a, a), (b, a, a)]),
                ("and before", [("log_in", a), ("lose",), ("become", b), record], [(b, a, b)]),
                ("who chose another's", [("become", b), ("log_in", a), record], [(b, a, b)]),
                ("and what he starts",
                 [("become", b), ("log_in", a), ("stay", b), ("stay", b), record], [(b, a, b)]),
                ("a setuid program of who chose another's",
                 [("stay", b), ("log_in", a), ("stay", 0), ("become", b), record], [(b, a, b)]),
                ("who chose root's", [("become", b), ("log_in", 0), record], [(b, 0, b)]),
                ("and his setuid program", [("stay", b), ("log_in", 0), ("stay", 0), ("become", b), record],
                 [(b, 0, b)])):
            with self.during(name):
                self.equal(self.charged(inst, *steps), want)
        # Each choice has an audit session of its own: none gets into a proven one.
        self.equal(self.charged(inst, ("stay", b), ("log_in", a), ("become", b), record), [(b, a, b)])
        self.verifies(inst)

    def test_sudo(self):
        """The real one."""
        t.need_program("sudo")
        sudoers = self.write("sudoers", "Defaults !lecture, !syslog, !fqdn\n%s ALL=(ALL) NOPASSWD: ALL\n" %
                             t.person(0).pw_name)
        os.chmod(sudoers, 0o440)
        for argv in (["--bind", sudoers, "/etc/sudoers"], ["-t", "tmpfs", "none", "/etc/sudoers.d"]):
            self.equal(subprocess.call(["mount"] + argv), 0, "mount")
            self.later(lambda at=argv[-1]: subprocess.call(["umount", at]))
        inst = self.instance()
        line = " ".join(inst.argv("record", "--", "true"))
        t.run(["sh", "-c", "sudo -n -u %s %s; sudo -n %s; exit 3" % (t.person(1).pw_name, line, line)],
              user=t.person(0), preexec=lambda: log_in(self.a))
        opens = t.wait_for("two sessions", lambda: len(self.opens(inst)) == 2 and self.opens(inst), about=inst.log)
        self.equal({(o[2], o[4], o.get(50)) for o in opens.values()},
                   {(self.b, self.a, self.a), (0, self.a, self.a)}, "uid, login uid, to whom it counts")

    def test_connections(self):
        """Nor does anybody keep others out, whoever he says that he is."""
        inst = self.instance()
        uids = [self.a] * (PENDING + 2) + [4000, 4001, 4002, 4003]
        threads = []
        said = []
        for user in (self.b, None):
            steps = [("become", user), ("crowd", uids)] if user else [
                ("log_in", self.a), ("become", self.a), ("record",)]
            threads.append(threading.Thread(target=lambda steps=steps: said.append(self.play(inst, *steps))))
            threads[-1].start()
            if user:
                t.wait_for("the first refusal", lambda: "ask for nothing" in inst.log(), about=inst.log)
        for thread in threads:
            thread.join()
        [refused] = [x[0] for x in said if x[0].strip().isdigit()]
        [sid] = [x[0] for x in said if not x[0].strip().isdigit()]
        self.equal(int(refused), 6, "too many")
        self.equal(self.opened(inst, sid)[2], self.a, "whose session")

    def test_ranges(self):
        """All that a user is in user namespaces is one; a list that changes counts at once."""
        if subprocess.call(["unshare", "--user", "true"]) != 0:
            t.skip("no user namespaces here")
        inst, a = self.instance(), self.a
        path = self.write("subuid", "anna:700000:65536\nben:765536:65536\n")
        os.chmod(path, 0o644)
        within = [("maps", 700000), ("become", 7), ("record",)]
        self.equal(self.charged(inst, *within), [(700007, ipc.UNSET, 700007)], "no such range")
        inst.destroy()
        if not os.path.exists(SUBUID):
            t.skip("no %s to put another on" % SUBUID)
        self.equal(subprocess.call(["mount", "--bind", path, SUBUID]), 0, "mount")
        self.later(lambda: subprocess.call(["umount", SUBUID]))
        inst = self.instance()
        for first, inside, want in ((700000, 7, 700000), (700000, 65535, 700000), (765536, 0, 765536),
                                    (765536, 65535, 765536), (831072, 8, 831080)):
            self.equal(self.charged(inst, ("maps", first), ("become", inside), ("record",)),
                       [(first + inside, ipc.UNSET, want)])
        self.equal(self.charged(inst, *within[:2], ("log_in", 8), ("record",)),
                   [(700007, 700008, 700000)], "with a login uid of his own")
        self.equal(self.charged(inst, *within[:2], ("log_in", 7), ("record",)),
                   [(700007, 700007, 700000)], "and one that he is")
        self.equal(self.charged(inst, ("log_in", a), ("stay", a), *within), [(700007, a, a)], "proven")
        self.equal(self.charged(inst, ("become", 700007), ("record",)), [(700007, ipc.UNSET, 700007)],
                   "an account")
        with open(path, "a") as f:
            f.write("carl:831072:65536\n")
        self.equal(self.charged(inst, ("maps", 831072), ("become", 9), ("record",)),
                   [(831081, ipc.UNSET, 831072)], "a new range")

    def flood(self, inst, uid):
        """b, who chose that login uid, shows more than he may."""
        return self.pty(["sh", "-c", "echo %d >/proc/self/loginuid || exit 9; exec \"$@\"" % uid, "sh"] +
                        inst.argv("record", "--", "sh", "-c", "yes | head -c 9000000; read x; exit 5"),
                        user=t.person(1))

    def limited(self, inst):
        s = r.json_lines(self.exits(inst.opseal("status", "--json"), 0))[0]
        return [u["uid"] for u in s["limited_users"]]

    def test_screens(self):
        """A process without a login uid chooses another user's, and root's, and some that are
        nobody's: it is limited itself, once, and nobody else is."""
        inst = self.instance(config="screen_day = 2M\n")
        floods = [self.flood(inst, uid) for uid in (self.a, 0, 4711, 4712)]
        t.wait_for("the limit", lambda: self.limited(inst) == [self.b], about=inst.log)
        path = self.write("random", os.urandom(MB))
        os.chmod(path, 0o644)
        term = self.record_pty(inst, ["sh", "-c", "stty raw; cat %s; stty sane; exit 7" % path],
                               user=t.person(0), preexec=lambda: log_in(self.a))
        self.exact(inst, term, 7)
        root = self.record_pty(inst, ["sh", "-c", "stty raw; cat %s; stty sane; exit 7" % path])
        self.exact(inst, root, 7)
        for flood in floods:
            flood.line("")
            self.equal(flood.wait(60), 5, "exit status")
            s = self.ended(inst, flood, "gapped")
            self.check(sum(self.accounted(inst, flood, s)) > 5 * MB, "gaps of %r" % s)
        self.equal(self.limited(inst), [self.b], "limited")
        self.verifies(inst)

    def test_logins(self):
        """The LOGINs of a sudo count to who called it, whatever login uid he chose."""
        inst, a, b = self.instance(), self.a, self.b
        flood = [("stay", b), ("log_in", a), ("logins", 5000, 0)]
        [answer] = self.play(inst, *flood)
        self.check(int(answer[:9]) >= BURST and answer[9:] == b"1", "a flood: %r" % answer)
        for name, steps, account in (("a's sudo", [("log_in", a), ("stay", a)], 0),
                                     ("a's cron", [("log_in", a)], a),
                                     ("root's cron", [("log_in", 0)], 0)):
            [answer] = self.play(inst, *steps, ("logins", 1, account))
            self.equal(answer, b"        10", name)
        self.equal(set(re.findall("too many logins of uid ([0-9]+)", inst.log())), {str(b)}, "whose flood")

    def test_notes(self):
        """Each session has a bucket of its own, and each user one over all of his."""
        inst, a, b = self.instance(), self.a, self.b
        conns = [ipc.Conn(inst.run_dir + "/record.sock") for _ in range(32)]
        for c in conns:
            self.later(c.close)

        def session(uid, sid=None):
            rec = ipc.Recorder(inst.run_dir, sid=sid)
            self.later(rec.close)
            rec.begin(uid=uid)
            rec.settle()
            return rec

        def say(rec, uid, n):
            """How many of so many were taken, and why not the others."""
            answers = []
            while len(answers) < n:
                for c in conns[:n - len(answers)]:
                    c.send(ipc.Q_NOTE, ipc.note_request({1: rec.sid, 2: uid}))
                answers += [c.recv() for c in conns[:n - len(answers)]]
            why = {p[1:].decode() for k, p in answers if k == ipc.Q_NOT_NOTED}
            return len([1 for k, _ in answers if k == ipc.Q_DONE]), why

        # The same first byte: they shared a slot once.
        first, other = session(a, b"\1aaaaaaaaa"), session(b, b"\1bbbbbbbbb")
        begin = time.monotonic()
        taken, why = say(first, a, 2 * NOTES)
        self.check(NOTES <= taken <= NOTES + 2 + time.monotonic() - begin, "taken: %d" % taken)
        self.equal(why, {"too many notes in this session at once; try again in a moment"}, "refused")
        self.equal(say(other, b, NOTES), (NOTES, set()), "another session")
        # More sessions don't give more.
        for _ in range(4):
            got, why = say(session(a), a, NOTES)
            taken += got
        took = time.monotonic() - begin
        self.check(NOTES_USER <= taken <= NOTES_USER + 2 + 4 * took, "taken of one user: %d" % taken)
        self.equal(why, {"too many notes of one user at once, over all sessions; try again in a moment"},
                   "refused, in the last")
        self.equal(say(session(b), b, NOTES), (NOTES, set()), "another user")
        self.verifies(inst)


t.main()
