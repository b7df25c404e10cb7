#!/usr/bin/python3
"""The disk is full, has no inodes left, is read-only, or fails: the state says
so, the policy is applied, nothing that is there is damaged, and once there is
room everything works again.

The store lies on a small tmpfs in a mount namespace of this test's own.

timeout: 600
"""
import contextlib
import os
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import opsealtest as t
import recorded as r
import smalldisk
from faults import Faults

MB = smalldisk.MB


class Full(smalldisk.SmallDisk):
    def status(self, inst):
        result = inst.opseal("status", "--json")
        found = r.json_lines(result)[0]
        self.equal(result.status, 0 if found["state"] == "ok" else 2, "exit status of status")
        return found

    def says(self, inst, pattern):
        """The state must name the trouble, in both forms."""
        s = t.wait_for("a state that says so", lambda: (
            lambda s: s if s["state"] != "ok" else None)(self.status(inst)))
        self.matches(s["reason"], pattern, "reason")
        result = self.exits(inst.opseal("status"), 2)
        self.matches(self.one_line(result), r"the log can't be written: .*(%s)" % pattern, "stderr")
        text = result.text
        self.matches(text, r"^state +FAILED since .*can't be written: .*(%s)" % pattern, "status")
        t.wait_for("a line of opseald", lambda: re.search(
            r"the log can't be written: .*(%s)" % pattern, inst.log()))

    def works(self, inst, timeout=8):
        """Full function within a few seconds."""
        t.wait_for("the state ok", lambda: self.status(inst)["state"] == "ok", timeout)
        term = self.record_pty(inst, ["sh", "-c", "echo it works; exit 3"])
        self.exact(inst, term, 3)
        self.verifies(inst)

    def undamaged(self, inst):
        result = inst.opseal("verify")
        self.check("TAMPER" not in result.text and result.status == 0, "verify: %r" % result)

    def filler(self, inst, size, then="exit 5", **options):
        """A session that shows size random bytes, and then waits for a line."""
        path = self.write("random", os.urandom(MB))
        os.chmod(path, 0o644)
        return self.record_pty(inst, ["sh", "-c", (
            "stty raw; i=0; while [ $i -lt %d ]; do cat %s; i=$((i+1)); done; stty sane; "
            "echo all shown; read x; %s") % (size // MB, path, then)], **options)

    def gapped(self, inst, term, status):
        """The session went on; what was not recorded is counted exactly."""
        self.equal(term.wait(60), status, "exit status")
        s = self.ended(inst, term, "gapped")
        self.equal(bytes(term.out).count(r.GAP_NOTICE), 1, "notices")
        self.equal(len(self.accounted(inst, term, s)), 1, "gaps")
        return s


class Reserve(Full):
    def test_screens_stop_first(self):
        """What is left of the disk is for events: sessions begin and end in the log
        while screens are counted gaps; with room again they are recorded."""
        inst = self.small("size=60m", config="hold_time = 300ms\ndisk_reserve = 30M\n")
        term = self.filler(inst, 45 * MB)
        term.expect("this part is not recorded", 60)
        term.expect("all shown", 60)
        s = t.wait_for("a state that says so", lambda: (
            lambda s: s if s["state"] == "no_screens" else None)(self.status(inst)))
        self.check(s["space_free"] > 15 * MB, "what is left: %d" % s["space_free"])
        result = self.exits(inst.opseal("status"), 2)
        self.matches(result.text, r"^state +NO SCREENS: the disk is nearly full", "status")
        self.matches(inst.log(), "the disk is nearly full: screens are not recorded", "log")
        # A command, without a terminal, and a session on one: both are in the log.
        self.exits(inst.opseal("record", "--", "true"), 0)
        late = self.record_pty(inst, ["sh", "-c", "echo unseen; exit 4"])
        self.equal(late.wait(60), 4, "exit status")
        found = t.wait_for("its end", lambda: (
            lambda s: s if s["end"] is not None else None)(self.session(inst, late)))
        self.equal((found["exit"], found["status"], found["bytes_lost"]),
                   (4, "gapped", found["bytes_out"]), "the late session")
        self.equal(len(self.sessions(inst)), 3, "sessions")
        self.remount("size=160m")
        t.wait_for("the state ok", lambda: self.status(inst)["state"] == "ok", 8)
        t.wait_for("the gap", lambda: self.session(inst, term)["bytes_lost"])
        term.line("")
        self.gapped(inst, term, 5)
        self.matches(inst.log(), "the disk has room again", "log")
        result = self.exits(inst.opseal("verify"), 0)
        self.matches(result.text, r"^GAP .* bytes were not recorded: the disk was nearly full$", "verify")
        self.works(inst)

    def test_refuse(self):
        """on_log_failure = refuse holds for it as for a log that can't be written."""
        inst = self.small("size=60m", config=(
            "hold_time = 300ms\ndisk_reserve = 30M\non_log_failure = refuse\n"))
        term = self.filler(inst, 45 * MB, user=r.not_root())
        term.expect("the session ends here", 60)
        self.check(self.status(inst)["state"] == "no_screens", "state")
        self.check(term.wait(60) != 0, "exit status")


class Space(Full):
    """Nothing is kept for events here, so that the log fails: with a reserve screens stop
    first, which is Reserve's."""
    CONFIG = Full.CONFIG + "disk_reserve = 0\n"

    def test_continue(self):
        inst = self.small("size=20m", config="hold_time = 500ms\n")
        early = self.record_pty(inst, ["sh", "-c", "echo early"])
        self.exact(inst, early)
        term = self.filler(inst, 28 * MB)
        term.expect("this part is not recorded", 60)
        term.expect("all shown", 60)
        self.says(inst, "No space left|disk full|full")
        self.undamaged(inst)
        # What is there can be read, and the person's session goes on.
        self.exits(inst.opseal("export", str(self.session(inst, early)["session"]),
                               "--format", "raw"), 0)
        self.remount("size=80m")
        t.wait_for("the state ok", lambda: self.status(inst)["state"] == "ok", 8)
        t.wait_for("the gap", lambda: self.session(inst, term)["bytes_lost"])
        term.line("")
        self.gapped(inst, term, 5)
        self.works(inst)
        self.equal(inst.stop(), 0, "exit status")
        self.exits(inst.offline("verify"), 0)

    def test_held_until_there_is_room(self):
        """With a long hold_time a full disk costs time, and nothing else."""
        inst = self.small("size=20m", config="hold_time = 60s\n")
        term = self.filler(inst, 28 * MB)
        self.says(inst, "No space left|full")
        # A write that failed may do a little later, when a frame has freed the WAL's place; then
        # the log is written again, and shown.  The state says which of the two it is.
        before, after = t.wait_for("a half second of the state failed", lambda: self.pair(
            inst, term), 30)
        self.equal(after, before, "bytes shown while nothing is recorded")
        self.check(before < 28 * MB, "all of it was shown on a disk that can't hold it")
        self.undamaged(inst)
        self.remount("size=120m")
        term.expect("all shown", 60)
        term.line("")
        self.exact(inst, term, 5)
        self.works(inst)

    def pair(self, inst, term):
        """The bytes shown at the begin and the end of a half second of one failure."""
        first = self.status(inst)
        time.sleep(0.5)
        before = len(term.out)
        time.sleep(0.5)
        after = len(term.out)
        last = self.status(inst)
        same = first["state"] == last["state"] == "failed" and first["since"] == last["since"]
        return (before, after) if same else None

    def until_refused(self, inst):
        """Nothing new begins on the full disk.  The log may be back for a moment, when a frame
        has freed the WAL's place: then a session is recorded.  Those are given back."""
        recorded = []
        with open(os.path.join(self.disk, "somebody else's"), "ab", buffering=0) as other:
            while True:
                self.fill(other)
                second = self.record_pty(inst, ["sh", "-c", "echo ran"], user=r.not_root())
                status, ran = second.wait(60), b"ran\r\n" in bytes(second.out)
                if status == 2:
                    self.check(not ran, "refused, and yet it ran")
                    return recorded
                self.equal((status, ran), (0, True), "neither refused nor recorded: %r" % bytes(
                    second.out))
                recorded.append(second)
                self.check(len(recorded) < 100, "a full disk refuses nothing")

    @staticmethod
    def fill(file):
        with contextlib.suppress(OSError):
            while True:
                file.write(b"x" * 4096)

    def test_refuse(self):
        inst = self.small("size=20m", config="hold_time = 500ms\non_log_failure = refuse\n")
        term = self.filler(inst, 28 * MB, user=r.not_root())
        self.equal(term.wait(60), 2, "exit status")
        self.equal(bytes(term.out).count(r.END_NOTICE), 1, "notices")
        self.says(inst, "No space left|full")
        s = self.session(inst, term)
        # Its end is told once the log is back, which may be at once (until_refused()).
        self.check(s["status"] != "closed" or "is written again" in inst.log(), "called closed")
        recorded = self.until_refused(inst)
        self.remount("size=80m")
        self.works(inst)
        for second in recorded:
            self.exact(inst, second)
        s = self.ended(inst, term)
        self.equal(s["exit"], None, "recorded exit")
        shown = bytes(term.out).replace(r.END_NOTICE, b"")
        raw = self.exits(self.raw(inst, s), 0).out
        self.check(raw.startswith(shown), "something that was shown is missing")

    def test_killed_on_a_full_disk(self):
        """A crash there, and a start there."""
        inst = self.small("size=20m", config="hold_time = 60s\n")
        term = self.filler(inst, 28 * MB)
        self.says(inst, "No space left|full")
        for _ in range(2):
            inst.kill()
            inst.launch()
            time.sleep(1)
        # It may wait for room, or end with one clear line; not go wrong.
        if inst.proc.poll() is not None:
            self.matches(inst.log(), "No space left|full", "opseald's log")
        else:
            inst.kill()
        self.check("TAMPER" not in inst.offline("verify").text, "TAMPER on the full disk")
        self.remount("size=120m")
        inst.start()
        term.expect("all shown", 60)
        term.line("")
        self.exact(inst, term, 5)
        self.works(inst)

    def test_stopped_on_a_full_disk(self):
        """SIGTERM ends it in good time; what it holds comes back."""
        inst = self.small("size=20m", config="hold_time = 60s\n")
        term = self.filler(inst, 28 * MB)
        self.says(inst, "No space left|full")
        begin = time.monotonic()
        inst.stop(60)
        self.check(time.monotonic() - begin < 30, "took %d s" % (time.monotonic() - begin))
        self.check("TAMPER" not in inst.offline("verify").text, "TAMPER on the full disk")
        self.remount("size=120m")
        inst.start()
        term.expect("all shown", 60)
        term.line("")
        self.exact(inst, term, 5)
        self.works(inst)

    def test_full_from_the_start(self):
        """No room for even one WAL file."""
        inst = self.instance(start=False)
        self.disk = self.path("disk")
        self.mount(inst, "size=2m")
        inst.launch()
        self.equal(inst.proc.wait(t.PATIENCE), 2, "exit status")
        inst.proc = None
        lines = inst.log().splitlines()
        self.equal(len(lines), 1, "lines: %r" % lines)
        self.matches(lines[0], "No space left", "message")
        self.remount("size=40m")
        inst.start()
        self.works(inst)


class Inodes(Full):
    def test_gone(self):
        inst = self.small("size=64m,nr_inodes=40", config="hold_time = 500ms\n")
        term = self.record_pty(inst, ["bash", "--norc"])
        term.expect(r"\$ ")
        n = 0
        while True:  # the last ones
            try:
                open(os.path.join(self.disk, "filler%d" % n), "w").close()
                n += 1
            except OSError:
                break
        # A session needs a file of its own; the WAL goes on without.
        more = [self.record_pty(inst, ["sh", "-c", "echo more %d; sleep 2" % i]) for i in range(3)]
        self.says(inst, "No space left|inodes|full")
        self.undamaged(inst)
        for i in range(n):
            os.unlink(os.path.join(self.disk, "filler%d" % i))
        for other in more:
            self.equal(other.wait(), 0, "exit status")
        self.works(inst)
        term.line("exit 4")
        self.equal(term.wait(), 4, "exit status")
        for other in more + [term]:
            s = self.ended(inst, other, self.session(inst, other)["status"])
            gaps = self.accounted(inst, other, s)
            self.equal(s["status"], "gapped" if gaps else "closed", "state")
        self.verifies(inst)


class ReadOnly(Full):
    def test_remounted_under_a_session(self):
        """tmpfs refuses while a file is open for writing, so the writer is
        killed; what comes after it finds a read-only store."""
        inst = self.small("size=64m", config="hold_time = 60s\n")
        term = self.record_pty(inst, ["bash", "--norc"])
        term.expect(r"\$ ")
        for _ in range(50):
            r.kill(*r.role_pids(inst, "writer"))
            if subprocess.call(["mount", "-o", "remount,ro", self.disk],
                               stderr=subprocess.DEVNULL) == 0:
                break
            time.sleep(0.02)
        else:
            self.fail("can't remount")
        term.line("echo wait''ing")
        t.wait_for("a line in the log", lambda: "Read-only file system" in inst.log())
        begin = time.monotonic()
        result = inst.opseal("status")
        self.check(time.monotonic() - begin < 15, "status took too long")
        self.exits(result, 2, "status")
        self.contains(self.one_line(result), "Read-only file system", "status")
        self.check(b"waiting" not in bytes(term.out), "shown and not recorded")
        self.exits(inst.offline("verify"), 0)
        self.remount("rw")
        term.expect("waiting")
        term.line("exit 4")
        self.exact(inst, term, 4)
        self.works(inst)


class Journalled(Full):
    """A file system on a disk of its own: ext4 on a loop device."""

    def mount(self, inst, options):
        t.need_program("mkfs.ext4", "losetup")
        image = self.path("image")
        with open(image, "wb") as f:
            f.truncate(64 * MB)
        subprocess.check_call(["mkfs.ext4", "-q", image])
        made = subprocess.run(["losetup", "--find", "--show", image], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True)
        if made.returncode != 0:
            t.skip("no loop devices here")
        self.device = made.stdout.strip()
        self.later(lambda: subprocess.call(["losetup", "--detach", self.device]))
        super().mount(inst, options)

    def mount_at(self, options):
        subprocess.check_call(["mount", "-t", "ext4", "-o", options, self.device, self.disk])

    def test_read_only_under_a_living_writer(self):
        """A file system that finds itself damaged, as ext4 does by default on
        Debian: read-only from one moment to the next, whoever writes."""
        inst = self.small("errors=remount-ro", config="hold_time = 60s\n")
        trigger = "/sys/fs/ext4/%s/trigger_fs_error" % os.path.basename(self.device)
        if not os.access(trigger, os.W_OK):
            t.skip("ext4 has no %s here" % trigger)
        early = self.record_pty(inst, ["sh", "-c", "echo early"])
        self.exact(inst, early)
        term = self.record_pty(inst, ["bash", "--norc"])
        term.expect(r"\$ ")
        writer = r.role_pids(inst, "writer")
        with open(trigger, "w") as f:
            f.write("a test of opseal")
        term.line("echo wait''ing")
        self.says(inst, "Read-only file system")
        self.equal(r.role_pids(inst, "writer"), writer, "the writer's pid")
        term.line("echo wait''ing more")
        shown = bytes(term.out)
        time.sleep(0.5)
        self.equal(bytes(term.out), shown, "shown while nothing can be recorded")
        self.undamaged(inst)
        # ext4 wants to be mounted anew; what runs on it ends first.
        inst.kill()
        t.wait_for("the end of opseald", lambda: subprocess.call(
            ["umount", self.disk], stderr=subprocess.DEVNULL) == 0)
        subprocess.call(["fsck.ext4", "-p", self.device], stdout=subprocess.DEVNULL)
        self.mount_at("errors=remount-ro")
        self.exits(inst.offline("verify"), 0)
        inst.start()
        term.expect("waiting more\r\n")
        term.line("exit 4")
        self.exact(inst, term, 4)
        self.works(inst)


class Calls(Full):
    """Calls that fail under a running daemon, by a shim in front of libc."""

    def instance_with_faults(self, config):
        self.faults = Faults(self)
        return self.instance(config=config, env=self.faults.env)

    def fault(self, text):
        """"NUMBER CALL CALL ...": these fail with that errno; None: none does."""
        if text is None:
            self.faults.heal()
        else:
            number, calls = text.split(" ", 1)
            self.faults.fail(calls, int(number))

    def held(self, faults, pattern):
        inst = self.instance_with_faults("hold_time = 60s\n")
        term = self.record_pty(inst, ["bash", "--norc"])
        term.expect(r"\$ ")
        for fault in faults:
            self.fault(fault)
            term.line("echo wait''ing")
            self.says(inst, pattern)
            time.sleep(1)
            self.undamaged(inst)
            self.fault(None)
            term.expect("waiting\r\n")
            t.wait_for("the state ok", lambda: self.status(inst)["state"] == "ok", 8)
        term.line("exit 4")
        self.exact(inst, term, 4)
        self.works(inst)
        self.equal(inst.stop(), 0, "exit status")
        self.exits(inst.offline("verify"), 0)

    def test_read_only(self):
        self.held(["30 pwrite open rename unlink"] * 2, "Read-only file system")

    def test_sync_fails(self):
        self.held(["5 sync"] * 2, "Input/output error")

    def test_everything_fails(self):
        self.held(["5 pwrite sync open rename unlink"], "Input/output error")

    def test_quota(self):
        self.held(["122 pwrite"], "Disk quota exceeded")

    def test_seals_pass_a_batch_on_its_way(self):
        """The disk takes seconds for one batch of the WAL.  Periods may be
        sealed meanwhile; a crash then must not make the batch, signed with an
        old period's key, look like somebody else's."""
        inst = self.instance_with_faults("hold_time = 60s\nseal_after = 50ms\n")
        term = self.record_pty(inst, ["bash", "--norc"])
        term.expect(r"\$ ")
        for ending in ("kill", "go on"):
            time.sleep(0.5)  # all of it sealed
            self.fault("0 slow")
            term.line("echo during-''%s" % ending.replace(" ", "-"))
            time.sleep(0.3)
            short = []
            for i in range(6):  # each end asks for a seal
                short.append(self.record_pty(inst, ["sh", "-c", "echo short-%d; exit 7" % i]))
                time.sleep(0.3)
            if ending == "kill":
                inst.kill()
                self.fault(None)
                self.exits(inst.offline("verify"), 0, "verify after the crash")
                inst.start()
            else:
                self.fault(None)
            term.expect("during-%s\r\n" % ending.replace(" ", "-"))
            for other in short:
                self.exact(inst, other, 7)
            self.verifies(inst)
        term.line("exit 4")
        self.exact(inst, term, 4)
        self.works(inst)

    def test_seals_slower_than_the_wal(self):
        """Many batches wait for each seal, signed with the keys of periods
        that are over when their turn comes."""
        inst = self.instance_with_faults("hold_time = 60s\nseal_after = 20ms\n")
        term = self.record_pty(inst, ["sh", "-c", (
            "i=0; while ! [ -e %s ]; do i=$((i+1)); echo line-$i; sleep 0.005; done; exit 3")
            % self.path("stop")])
        term.expect("line-5\r")
        self.fault("0 lazy")
        for _ in range(3):
            time.sleep(1)
            self.verifies(inst)
        inst.kill()
        self.verifies_offline(inst)
        inst.start()
        time.sleep(2)
        self.verifies(inst)
        self.fault(None)
        open(self.path("stop"), "w").close()
        self.exact(inst, term, 3)
        self.works(inst)

    def verifies_offline(self, inst):
        result = self.exits(inst.offline("verify"), 0, "verify without a daemon")
        self.check("TAMPER" not in result.text, "verify: %s" % result.text)

    def test_continue(self):
        inst = self.instance_with_faults("hold_time = 400ms\n")
        term = self.record_pty(inst, ["bash", "--norc"])
        term.expect(r"\$ ")
        self.fault("5 sync")
        for i in range(3):
            term.line("echo on-''%d" % i)
            time.sleep(0.3)
        term.expect("this part is not recorded")
        term.expect("on-2\r\n")
        self.says(inst, "Input/output error")
        self.fault(None)
        t.wait_for("the gap", lambda: self.session(inst, term)["bytes_lost"])
        term.line("exit 4")
        self.gapped(inst, term, 4)
        self.works(inst)


t.main()
