#!/usr/bin/python3
"""What the writer takes of who logs in: from whom, when, and how much; and what of it
it doesn't take anybody's word for."""
import os
import pwd
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import opsealipc as ipc
import opsealtest as t
import recorded as r

BURST, RATE = 512, 128  # daemon/writer_peer.h, for one login uid
AT_ONCE = 32  # connections


class Logins(t.Test):
    def setup(self):
        self.inst = self.instance(config="seal_after = 200ms\n")

    def conn(self):
        c = ipc.Conn(self.inst.run_dir + "/record.sock")
        self.later(c.close)
        return c

    def rows(self, *args):
        return r.json_lines(self.inst.opseal("ls", "--json", *args))

    def record(self):
        before = len(self.rows())
        self.exits(t.run(self.inst.argv("record", "--", "true")), 0)

        def ended():
            rows = self.rows()
            return rows if len(rows) > before and rows[-1]["status"] == "closed" else None
        return t.wait_for("the session", ended)[-1]

    def test_it_is_who_connects(self):
        """Pid, start and session are the kernel's: so what we start is that person's."""
        c = self.conn()
        c.send(ipc.LOGIN, ipc.login_payload(b"Alice"))
        self.equal(c.recv(), (ipc.Q_DONE, b""), "answer")
        row = self.record()
        self.equal((row["person"], row["person_how"], row["service"], row["method"], row["key"]),
                   ("Alice", "map", "sshd", "publickey", "SHA256:key"), "who")
        c.send(ipc.LOGOUT, ipc.logout_payload())
        self.equal(c.recv(), (ipc.Q_DONE, b""), "answer to the logout")
        # One process, another login: what came before is the first one's.
        c.send(ipc.LOGIN, ipc.login_payload(b"Bob", how=3))
        self.equal(c.recv()[0], ipc.Q_DONE, "answer")
        self.equal(self.record()["person"], "Bob", "the second")
        self.inst.restart()
        self.equal([s["person"] for s in self.rows()], ["Alice", "Bob"], "persons")

    def test_anything_else_is_cut_off(self):
        good = ipc.login_payload(b"Alice")
        half = bytes(10) + ipc.cbor({1: 1})
        for what, data in (
                ("a login too short", ipc.frame(ipc.LOGIN, bytes(9))),
                ("a login too long", ipc.frame(ipc.LOGIN, bytes(16384 - 12 + 1))),
                ("half a login", ipc.frame(ipc.LOGIN, half)),
                ("nonsense", ipc.frame(ipc.LOGIN, bytes(10) + b"\xff")),
                ("more behind it", ipc.frame(ipc.LOGIN, good + b"\0")),
                ("a person without how", ipc.frame(ipc.LOGIN, ipc.login_payload(b"A", how=0))),
                ("how without a person", ipc.frame(ipc.LOGIN, ipc.login_payload(keys={19: 1}))),
                ("a logout too short", ipc.frame(ipc.LOGOUT, bytes(9))),
                ("half a logout", ipc.frame(ipc.LOGOUT, half)),
                ("half a count", ipc.frame(ipc.LOGOUT, bytes(10) + ipc.cbor(
                    {1: 1, 2: 1, 3: 1, 4: 1, 7: 1, 9: 1})))):
            with self.during(what):
                c = self.conn()
                c.raw(data)
                self.check(c.ended(), "it was not cut off")
        self.equal(self.record()["person"], None, "person")

    def test_not_by_a_recorder(self):
        rec = ipc.Recorder(self.inst.run_dir)
        self.later(rec.close)
        rec.held()
        rec.raw(ipc.frame(ipc.LOGIN, ipc.login_payload(b"Alice")))
        self.check(rec.ended(), "a recorder said who logged in")

    def test_not_by_the_daemons_own_user(self):
        """A recorder, or another role, that somebody took over."""
        t.need_root("root, to be the user opseal")
        try:
            entry = pwd.getpwnam("opseal")
        except KeyError:
            t.skip("there is no user opseal")
        if os.stat(self.inst.store).st_uid != entry.pw_uid:
            t.skip("the daemon can't be the user opseal here")

        def attempt():
            c = ipc.Conn(self.inst.run_dir + "/record.sock")
            c.send(ipc.LOGIN, ipc.login_payload(b"Alice"))
            return 0 if c.recv()[0] is None else 1
        self.equal(t.call_as(entry, attempt), 0, "what came of it")
        self.equal(self.record()["person"], None, "person")

    def test_too_many(self):
        """Who logs in without end is told so, and others of his kind wait for a moment;
        but not who showed the service who he is: it limits that itself."""
        conns = [self.conn() for _ in range(AT_ONCE)]
        answers = []
        started = time.monotonic()
        # Many at once: one by one a slow machine has no more than it may.
        while ipc.Q_FAILED not in answers and time.monotonic() - started < 60:
            for c in conns:
                c.send(ipc.LOGIN, ipc.login_payload(shown=False))
            answers += [c.recv()[0] for c in conns]
        took = time.monotonic() - started
        self.check(ipc.Q_FAILED in answers, "%d in %.1f s, none refused" % (len(answers), took))
        self.equal(set(answers[:BURST]), {ipc.Q_DONE}, "those that it may")
        self.check(answers.count(ipc.Q_DONE) <= BURST + RATE * took + 1,
                   "%d taken in %.1f s" % (answers.count(ipc.Q_DONE), took))
        for c in conns:
            c.send(ipc.LOGIN, ipc.login_payload(b"Alice"))
        self.equal({c.recv()[0] for c in conns}, {ipc.Q_DONE}, "those who showed it")
        self.equal(self.record()["person"], "Alice", "person")

        def again():
            conns[0].send(ipc.LOGIN, ipc.login_payload(b"Bob", shown=False))
            return conns[0].recv()[0] == ipc.Q_DONE
        t.wait_for("one more", again)
        self.equal(self.record()["person"], "Bob", "person")


t.main()
