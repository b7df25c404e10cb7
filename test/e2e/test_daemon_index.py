#!/usr/bin/python3
"""The index that a daemon keeps: what `log` says is the same with it and without
it, it comes back when it is thrown away, and the process that makes it is shut in."""
# timeout: 600
import os
import re
import pwd
import shutil
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import captured as c
import opsealtest as t
import recorded as r


class Index(t.Test):
    def setup(self):
        t.need_root("root, to load BPF programs")

    def captured(self):
        """A daemon whose index has some programs."""
        inst = c.wait_captured(self.instance(capture=True))
        for i in range(5):
            inst.opseal("record", "--", "sh", "-c", "/bin/true indexed; /bin/false indexed")
        t.wait_for("five in the log", lambda: inst.offline(
            "log", "--json", "true").out.count(b"indexed") >= 5)
        t.wait_for("the index", lambda: self.programs(inst) >= 10, timeout=150)
        return inst

    def programs(self, inst):
        words = inst.offline("index", "--status").out.split()
        return int(words[0]) if words else 0

    def both(self, inst, *args):
        """The log with the index and of a copy without it."""
        copy = inst.copy_store()
        def log():  # but for what runs at this moment
            out = inst.offline("log", "--json", *args, store=copy).out
            return re.sub(rb'"state":"(running|pending|unknown)"', b'"state":""', out)
        with_it = log()
        shutil.rmtree(os.path.join(copy, "index"))
        self.equal(with_it, log(), "log %r" % (args,))
        return with_it

    def test_the_same(self):
        inst = self.captured()
        self.check(self.both(inst, "false").count(b"indexed") >= 5, "false is not there")
        for args in ([], ["true"], ["--failed"], ["-n", "3"], ["--exe", "*/true", "-n", "2"],
                     ["--tty=-"], ["--euid", "root"], ["--forks", "-n", "20"]):
            self.both(inst, *args)
        self.check(b'"commands":3' in inst.offline("ls", "--json").out, "commands of sessions")
        self.equal(inst.opseal("verify").status, 0, "verify")

    def test_rebuild(self):
        inst = self.captured()
        before = self.programs(inst)
        path = os.path.join(inst.store, "index", "programs.sqlite")
        old = os.stat(path).st_ino
        self.equal(inst.offline("index", "--rebuild", timeout=200).status, 0, "rebuild")
        self.check(os.stat(path).st_ino != old or self.programs(inst) >= before, "made anew")
        with open(path, "r+b") as f:
            f.write(b"no database" * 100)
        inst.opseal("record", "--", "true")
        t.wait_for("one after damage", lambda: self.programs(inst) >= before, timeout=150)
        self.check("made anew" in inst.log(), "the log says nothing")

    def test_busy(self):
        """While many programs start the index waits for a better moment, but not
        for ever; what it hasn't yet is listed all the same."""
        inst, tag = self.captured(), "busy-%d" % os.getpid()  # others run this, too
        before, done, number = self.programs(inst), False, 0
        end = time.monotonic() + 150
        while not done and time.monotonic() < end:
            for _ in range(100):
                t.run(["/bin/true", tag])
                number += 1
            done = self.programs(inst) > before + 200
        self.check(done, "%d programs indexed, %d when it began" % (self.programs(inst), before))
        # Its tail is in the log, and then in the index; before, a copy may be of
        # a file that is being written.
        t.wait_for("all of them in the log", lambda: inst.offline(
            "log", "--json", "true").out.count(tag.encode()) == number, timeout=150)
        t.wait_for("all of them in the index",
                   lambda: self.programs(inst) > before + number, timeout=150)
        self.equal(self.both(inst, "true").count(tag.encode()), number, "busy ones")

    def test_removed(self):
        """Under a daemon that runs: it makes it again."""
        inst = self.captured()
        shutil.rmtree(os.path.join(inst.store, "index"))
        inst.opseal("record", "--", "true")
        t.wait_for("another", lambda: self.programs(inst) >= 10, timeout=150)
        self.check("the index was removed" in inst.log(), inst.log())

    def test_full_disk(self):
        """The index leaves the last of a disk to the log: it goes, and comes back
        when there is room."""
        inst = self.instance(capture=True, start=False)
        daemon = pwd.getpwnam("opseal")
        os.makedirs(inst.store, exist_ok=True)
        self.exits(t.run(["mount", "-t", "tmpfs", "-o", "size=400m,mode=700,uid=%d,gid=%d" % (
            daemon.pw_uid, daemon.pw_gid), "none", inst.store]), 0, "mount")
        self.later(lambda: t.run(["umount", "-l", inst.store]))
        inst.start()
        path = os.path.join(inst.store, "index", "programs.sqlite")
        inst.opseal("record", "--", "true")
        t.wait_for("the index", lambda: os.path.exists(path), timeout=150)
        with open(os.path.join(inst.store, "much"), "wb") as f:
            os.posix_fallocate(f.fileno(), 0, 330 << 20)

        def gone():
            inst.opseal("record", "--", "true")
            time.sleep(1)
            return not os.path.exists(path)
        t.wait_for("its end", gone, timeout=150)
        self.check("disk is nearly full" in inst.log(), inst.log())
        self.equal(inst.opseal("log", "true").status, 0, "without it")

    def test_shut_in(self):
        inst = self.instance(capture=True)
        pid, = r.role_pids(inst, "index")
        with open("/proc/%d/status" % pid) as f:
            self.matches(f.read(), r"(?m)^Seccomp:\t2$", "seccomp")
        self.check("without" not in inst.log(), inst.log())

    def test_without_a_daemon(self):
        inst = self.captured()
        inst.stop()
        shutil.rmtree(os.path.join(inst.store, "index"))
        self.equal(inst.offline("index", "--status").status, 1, "there is none")
        self.equal(inst.offline("index").status, 0, "index")
        self.check(self.programs(inst) >= 10, "programs in it")
        owner = os.stat(inst.store).st_uid
        self.equal(os.stat(os.path.join(inst.store, "index", "programs.sqlite")).st_uid, owner, "owner")


t.main()
