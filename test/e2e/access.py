#!/usr/bin/python3
"""Who may read a recording: its owner, the group opseal-read, root; nobody
else.  Every reading leaves a record, the refused ones too."""
import grp
import json
import os
import pwd
import re
import struct
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import grudge as g
import opsealipc as ipc
import opsealtest as t

SECRET = b"only-for-the-owner"
READING = (["cat"], ["show"], ["play", "--no-tui", "--speed", "64"], ["export", "--format", "raw"],
           ["export", "--format", "asciicast-v2"], ["export", "--format", "json"],
           ["export", "--format", "text"], ["verify"])


class Access(t.Test):
    def setup(self):
        t.need_root("root, to be several people")
        t.need_program("zstd")
        self.owner, self.other = g.stranger(0), g.stranger(1)
        self.inst = self.instance(config="seal_after = 200ms\n")
        term = self.record_pty(self.inst, ["echo", SECRET.decode()], user=self.owner)
        self.equal(term.wait(), 0, "recording")
        self.sid = t.wait_for("the session", lambda: [
            s for s in self.all_sessions() if s["status"] == "closed" and s["sealed"]])[0]["session"]

    def all_sessions(self):
        return [json.loads(x) for x in self.inst.opseal("ls", "--json").text.splitlines()]

    def as_person(self, entry, *args, groups=()):
        """opseal as that user, through the daemon alone."""
        def drop():
            os.setgroups(list(groups))
            os.setresgid(entry.pw_gid, entry.pw_gid, entry.pw_gid)
            os.setresuid(entry.pw_uid, entry.pw_uid, entry.pw_uid)
        env = {"OPSEAL_STORE": "", "HOME": "/tmp"}
        return t.run([t.program("opseal"), "--run", self.inst.run_dir] + list(args),
                     preexec=drop, env=env)

    def accesses(self):
        """(uid, command, session, refused) of every ACCESS event."""
        self.inst.stop()
        found = []
        for path in self.inst.segments():
            if "/events/" not in path:
                continue
            raw = subprocess.run(["zstd", "-dcq", path], stdout=subprocess.PIPE,
                                 stderr=subprocess.DEVNULL).stdout
            for m in re.finditer(re.escape(bytes([ipc.ACCESS, 0])), raw):
                size = struct.unpack("<H", raw[m.start() + 2:m.start() + 4])[0]
                body = raw[m.start() + 12:m.start() + 12 + size]
                if body[:10] != bytes(10) or len(body) != size:
                    continue
                try:
                    e = ipc.uncbor(body[10:])
                except (ValueError, IndexError):
                    continue
                found.append((e[1], e[5].decode(), e.get(6), bool(e.get(7, 0))))
        return found

    def id_bytes(self):
        alphabet = "abcdefghijklmnopqrstuvwxyz234567"
        value = 0
        for c in self.sid:
            value = value * 32 + alphabet.index(c)
        return value.to_bytes(10, "big")

    def reads(self, entry, groups=()):
        for what, *options in READING:
            r = self.as_person(entry, what, self.sid, *options, groups=groups)
            if what == "verify":
                # All of the log is needed for that: it isn't the owner's.
                everything = entry.pw_uid == 0 or groups
                self.exits(r, 0 if everything else 4, what)
                continue
            self.exits(r, 0, what)
            if what not in ("show",):
                self.contains(r.out, SECRET, "%s %s" % (what, options))

    def test_owner(self):
        self.reads(self.owner)
        self.contains(self.exits(self.as_person(self.owner, "ls"), 0).text, self.sid[:8])
        sid = self.id_bytes()
        log = self.accesses()
        for command in ("cat", "show", "play", "export"):
            self.check((self.owner.pw_uid, command, sid, False) in log,
                       "no record of %s: %r" % (command, log))

    def test_root_and_readers(self):
        gid = grp.getgrnam("opseal-read").gr_gid
        self.reads(self.other, groups=[gid])
        self.reads(pwd.getpwnam("root"))
        self.contains(self.exits(self.as_person(self.other, "ls", groups=[gid]), 0).text, self.sid[:8])
        self.exits(self.as_person(self.other, "verify", groups=[gid]), 0)
        sid = self.id_bytes()
        log = self.accesses()
        for uid in (self.other.pw_uid, 0):
            for command in ("cat", "show", "play", "export"):
                self.check((uid, command, sid, False) in log, "no record of %s by %d: %r" % (
                    command, uid, log))
        self.check((self.other.pw_uid, "verify", None, False) in log, "no record of verify: %r" % log)

    def test_others(self):
        for what, *options in READING:
            r = self.as_person(self.other, what, self.sid, *options)
            self.exits(r, 4, "%s %s" % (what, options))
            self.check(SECRET not in r.out + r.err, "%s gave it away" % what)
            self.one_line(r)
        for name in ("last", "last:nobody", self.sid[:8]):
            r = self.as_person(self.other, "cat", name)
            self.check(r.status in (1, 2, 4), "cat %s: %r" % (name, r))
            self.check(SECRET not in r.out + r.err, "cat %s gave it away" % name)
        listed = self.as_person(self.other, "ls")
        self.check(self.sid[:8] not in listed.text, "ls shows it: %r" % listed)
        listed = self.as_person(self.other, "ls", "--json")
        self.equal(listed.text, "", "ls --json")
        sid = self.id_bytes()
        log = self.accesses()
        refused = [e for e in log if e[0] == self.other.pw_uid and e[3]]
        for command in ("cat", "show", "play", "export"):
            self.check((self.other.pw_uid, command, sid, True) in refused,
                       "no record of the refused %s: %r" % (command, log))
        self.check(not any(e[2] == sid and not e[3] for e in log if e[0] == self.other.pw_uid),
                   "recorded as read: %r" % log)

    def test_the_files_themselves(self):
        for folder, _, names in os.walk(self.inst.store):
            for path in [folder] + [os.path.join(folder, n) for n in names]:
                for flags in (os.O_RDONLY, os.O_WRONLY):
                    self.check(g.try_call(self.owner, lambda: os.open(path, flags)) != 0,
                               "%s can be opened" % path)
        r = t.run([t.program("opseal"), "--store", self.inst.store, "--run", "/nonexistent", "ls"],
                  user=self.owner)
        self.exits(r, 4, "--store on somebody else's store")
        for name in ("record.sock",):
            self.check(g.try_call(self.owner, lambda: ipc.Conn(
                os.path.join(self.inst.run_dir, name))) == 13, "%s can be reached" % name)

    def test_running_session(self):
        term = self.record_pty(self.inst, ["sh", "-c", "echo %s; read x" % SECRET.decode()],
                               user=self.owner)
        term.expect(SECRET)
        sid = t.wait_for("the session", lambda: [
            s for s in self.all_sessions() if s["status"] == "active"])[0]["session"]
        mine = self.as_person(self.owner, "cat", sid)
        self.contains(mine.out, SECRET, "cat by its owner")
        his = self.as_person(self.other, "cat", sid)
        self.exits(his, 4, "cat by the other")
        self.check(SECRET not in his.out + his.err, "given away")
        term.line("")
        self.equal(term.wait(), 0, "status")


g.install()
t.main()
