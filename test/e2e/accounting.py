#!/usr/bin/python3
# timeout: 600
"""The kernel's own accounting as a second source: what capture missed is there all
the same, files are changed without a loss, and what Debian's tools say of them is
what opseal says.  All of it in a pid namespace of its own: accounting is one a
namespace, so nothing is switched on the machine."""
import glob
import json
import os
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import captured as c
import opsealtest as t
import recorded as r

INNER = "OPSEAL_ACCOUNTING_INNER"
CONFIG = "accounting = on\n"
USUAL = "/var/log/account/pacct"


def spawn(path, n=1):
    for _ in range(n):
        pid = os.posix_spawn(path, [path], {})
        os.waitpid(pid, 0)


class Accounting(t.Test):
    def setup(self):
        t.need_root("root, to switch accounting")
        t.need_program("unshare")

    def daemon(self, capture=False, **options):
        inst = self.instance(config=CONFIG, capture=capture, **options)
        self.started(inst)
        return c.wait_captured(inst) if capture else inst

    def started(self, inst):
        t.wait_for("accounting", lambda: "accounting on" in inst.opseal("status").text,
                   about=inst.log)

    def files(self, inst):
        return sorted(glob.glob(os.path.join(inst.run_dir, "account", "0*")))

    def log(self, inst, *args):
        done = inst.opseal("log", "--json", "--forks", *args)
        assert done.status in (0, 1, 5), done.text
        return [json.loads(x) for x in done.text.splitlines()]

    def coverage(self, inst):
        """The sums, and what is missed; of logins e2e/unseen.py knows."""
        lines = inst.opseal("status", "--coverage", "--json").text.splitlines()
        rows = [json.loads(x) for x in lines[1:]]
        return json.loads(lines[0]), [x for x in rows if x.get("kind") not in ("logins", "login")]

    def named(self, name):
        """A program that ends at once, with a name of its own."""
        path = os.path.join(self.dir, name)
        os.symlink("/bin/true", path)
        return path

    def seen(self, inst, names):
        """Whose ends the log has, by which sources, as often as they tell of it."""
        found = {n: [] for n in names}
        for p in self.log(inst):
            if p.get("comm") in found and "exit" in p and (
                    p["kind"] != "ended" or "unseen" in p["flags"]):
                found[p["comm"]].append(p["source"])
        return found

    def wait_for_all(self, inst, names):
        t.wait_for("all programs", lambda: all(self.seen(inst, names).values()), 60,
                   about=lambda: str({n: s for n, s in self.seen(inst, names).items() if not s}))
        return self.seen(inst, names)

    def test_alone(self):
        """Without kernel capture the accounting alone tells what ran."""
        inst = self.daemon()
        time.sleep(1.1)  # what ends in the second of the begin is unsure
        spawn(self.named("alone"))
        t.run(["sh", "-c", "kill -SEGV $$"])
        self.equal(self.wait_for_all(inst, ["alone", "sh"]), {"alone": ["acct"], "sh": ["acct"]})
        killed = [p for p in self.log(inst, "sh")][0]
        self.equal((killed["kind"], killed["signal"], killed["uid"], killed["unsure"]),
                   ("accounted", signal.SIGSEGV, 0, False), "what was killed")
        text = inst.opseal("status", "--coverage").text
        self.matches(text, r"(?m)^captured +0 ends of processes$")
        self.matches(text, r"(?m)^missed +[1-9]\d* by capture$")
        self.matches(text, r"(?m) root +\d+ +SIGSEGV\*? .* sh \[by the kernel's accounting alone\]")
        self.equal(self.log(inst, "alone", "--source", "capture"), [], "by capture")
        self.equal(len(self.log(inst, "alone", "--source", "acct")), 1, "by accounting")
        self.equal(inst.opseal("log", "--source", "both").status, 2, "no such source")
        self.equal(inst.opseal("verify").status, 0, "verify")

    def test_both(self):
        """What both saw is told once, and counted."""
        inst = self.daemon(capture=True)
        spawn(self.named("both"), 500)

        def counted():
            time.sleep(0.5)
            s, _ = self.coverage(inst)
            return s["captured"] >= 500 and s["accounted"] >= 500
        t.wait_for("the counts", counted, 60)
        s, rows = self.coverage(inst)
        self.equal(rows, [], "missed")
        for of, some in ((["--since", "-1h"], True), (["--until", "-1h"], False)):
            lines = inst.opseal("status", "--coverage", "--json", *of).text.splitlines()
            self.equal(json.loads(lines[0])["captured"] >= 500, some, of)
        self.equal((s["missed"], s["unaccounted"], s["bad"], s["losses"]), (0, 0, 0, 0), "sums")
        self.equal({p["source"] for p in self.log(inst, "both")}, {"capture"}, "sources")

    def test_stopped(self):
        """Capture, or the writer, doesn't run for a while: nothing counts as missed,
        nothing is told twice."""
        inst = self.daemon(capture=True)
        names = []
        for role, rounds, pause in (("capture", 4, 2.7), ("writer", 1, 12)):
            for i in range(rounds):
                pid = r.role_pids(inst, role)[0]
                os.kill(pid, signal.SIGSTOP)
                for j in range(20):
                    names.append("%s-%d-%d" % (role[0], i, j))
                    spawn(self.named(names[-1]))
                time.sleep(pause)
                os.kill(pid, signal.SIGCONT)
                time.sleep(0.5)
        found = self.wait_for_all(inst, names)
        t.wait_for("the counts", lambda: self.coverage(inst)[0]["accounted"] >= len(names), 60)
        found = self.seen(inst, names)
        self.equal({n: s for n, s in found.items() if s != ["capture"]}, {}, "not once, by capture")
        s, rows = self.coverage(inst)
        self.equal(rows, [], "missed")
        self.equal((s["missed"], s["unaccounted"], s["bad"]), (0, 0, 0), "sums")

    def test_never_idle(self):
        """Where something always is on its way to the log, files that were read go, too."""
        inst = self.daemon(capture=True)
        path = self.named("busy")
        for _ in range(100):
            spawn(path, 200)
            numbers = [int(os.path.basename(f)) for f in self.files(inst)]
            if min(numbers) > 1:
                break
        assert numbers[0] > 1, "files that were read are there: %s" % numbers
        self.equal(self.coverage(inst)[0]["missed"], 0, "missed")

    def test_capture_killed(self):
        """Capture is killed again and again: every program is there, once."""
        inst = self.daemon(capture=True)
        # Capture sees those of other runs of this test, too.
        tag = os.stat(self.dir).st_ino % 10000
        names = ["k%04d-%04d" % (tag, i) for i in range(400)]
        for i, path in enumerate([self.named(n) for n in names]):
            if i % 150 == 100:
                for pid in r.role_pids(inst, "capture"):  # unless it is still away
                    os.kill(pid, signal.SIGKILL)
            spawn(path)
            time.sleep(0.005)
        found = self.wait_for_all(inst, names)
        self.equal({n: s for n, s in found.items() if len(s) != 1}, {}, "not once")
        sources = [s[0] for s in found.values()]
        assert "acct" in sources, "capture missed nothing: the test shows nothing"
        assert "capture" in sources, "capture saw nothing"
        _, rows = self.coverage(inst)
        missed = {p["comm"] for p in rows if p["kind"] == "accounted"}
        self.equal({n for n in names if found[n] == ["acct"]}, missed & set(names), "missed")

    def test_rotation(self):
        """The file is changed while processes end as fast as they can: none is lost."""
        inst = self.daemon()
        path = self.named("many")
        stop, workers = self.path("enough"), []
        for _ in range(2):
            pid = os.fork()
            if pid == 0:
                try:
                    for n in range(250):  # hundreds
                        spawn(path, 100)
                        if os.path.exists(stop):
                            os._exit(n)
                finally:
                    os._exit(255)
            workers.append(pid)
        t.wait_for("another file", lambda: 1 < max(
            int(os.path.basename(f)) for f in self.files(inst)), 60)
        open(stop, "w").close()
        many = sum(100 * (os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) + 1) for pid in workers)

        def counted():
            time.sleep(1)
            return len(self.log(inst, "many")) >= many
        t.wait_for("all of %d" % many, counted, 120, about=lambda: len(self.log(inst, "many")))
        self.equal(len(self.log(inst, "many")), many, "ends")
        t.wait_for("files that were read to go", lambda: len(self.files(inst)) == 1)
        self.equal(self.coverage(inst)[0]["bad"], 0, "bad records")

    def test_ended_with_two_files(self):
        """The daemon ends just when it has gone on to another file: both are read first."""
        inst = self.daemon()
        path, n = self.named("twofiles"), 0
        while max(int(os.path.basename(f)) for f in self.files(inst)) < 2:
            self.check(n < 100000, "no other file after %d processes" % n)
            spawn(path, 20)
            n += 20
        inst.proc.terminate()  # what it had not read then is most of the first
        self.equal(inst.stop(), 0, "end")
        rows = c.json_rows(inst.offline("log", "--json", "--forks", "twofiles"))
        self.equal(len(rows), n, "ends")
        self.equal(os.path.exists(os.path.join(inst.run_dir, "account")), False, "the folder")

    def test_daemon_killed(self):
        """kill -9 of the whole daemon: what runs until it is back is in the log."""
        for capture in (False, True):
            inst = self.daemon(capture=capture, name="capture" if capture else "")
            names = ["d%d%s%02d" % (capture, when, i) for when in "bg" for i in range(20)]
            paths = [self.named(n) for n in names]
            for path in paths[:20]:
                spawn(path)
            time.sleep(0.5)
            inst.kill()
            for path in paths[20:]:
                spawn(path)
            inst.start()
            self.started(inst)
            found = self.wait_for_all(inst, names)
            self.equal({n: s for n, s in found.items() if len(s) != 1}, {}, "not once")
            self.equal({s[0] for n, s in found.items() if n[2] == "g"}, {"acct"}, "while it was gone")
            self.equal(inst.stop(), 0, "end")
            self.equal(os.path.exists(os.path.join(inst.run_dir, "account")), False, "the folder")

    def test_switched_off(self):
        """Nothing is written after the daemon's end."""
        inst = self.daemon()
        fd = os.open(self.files(inst)[-1], os.O_RDONLY)
        self.later(lambda: os.close(fd))
        self.equal(os.fstat(fd).st_mode & 0o777, 0o600, "mode")
        inst.stop()
        size = os.fstat(fd).st_size
        spawn("/bin/true", 3)
        self.equal(os.fstat(fd).st_size, size, "size of the file")

    def kept_open(self, inst):
        """The file that the kernel writes now; it can be asked when it has no name more."""
        fd = os.open(self.files(inst)[-1], os.O_RDONLY)
        self.later(lambda: os.close(fd))
        return fd

    def grows(self, fd):
        size = os.fstat(fd).st_size
        spawn("/bin/true", 3)
        return os.fstat(fd).st_size > size

    def test_no_process_can_be_made(self):
        """Whose file it is can't be seen then: it is still ours, and off at the end."""
        pids = "/sys/fs/cgroup/pids"
        if not os.path.exists(os.path.join(pids, "cgroup.procs")):
            t.skip("no cgroup of version 1 that counts processes")
        group = os.path.join(pids, "opseal-test-%s" % os.stat(self.dir).st_ino)
        os.mkdir(group)
        self.later(lambda: os.rmdir(group))
        with open(os.path.join(group, "pids.max"), "w") as f:
            f.write("1")

        def put(pid, where):
            with open(os.path.join(where, "cgroup.procs"), "w") as f:
                f.write(str(pid))
        inst = self.daemon()
        put(inst.proc.pid, group)
        # Full, of what is passed over.
        fd = self.kept_open(inst)
        with open(self.files(inst)[-1], "ab") as f:
            f.write(bytes(256 << 10))
        time.sleep(7)  # two looks
        self.contains(inst.opseal("status").text, "accounting on")
        self.check(self.grows(fd), "it was switched off or to another file")
        put(inst.proc.pid, pids)
        t.wait_for("the next file", lambda: not self.grows(fd))
        fd = self.kept_open(inst)
        self.check(self.grows(fd), "the next file is not used")
        put(inst.proc.pid, group)
        inst.stop()
        self.check(not self.grows(fd), "still on after the end")

    def test_little_space(self):
        """The kernel has paused at the end: it is switched off all the same."""
        inst = self.instance(config=CONFIG, start=False)
        entry = os.stat(inst.run_dir)
        t.run(["mount", "-t", "tmpfs", "-o", "size=8m,mode=755,uid=%d,gid=%d" % (
            entry.st_uid, entry.st_gid), "run", inst.run_dir])
        self.later(lambda: t.run(["umount", "-l", inst.run_dir]))
        self.later(inst.destroy)
        fill = os.path.join(inst.run_dir, "fill")
        with open(fill, "wb") as f:
            f.write(bytes((8 << 20) * 99 // 100))
        inst.start()
        self.started(inst)
        fd = self.kept_open(inst)
        self.check(not self.grows(fd), "the kernel has not paused")
        inst.stop()
        os.unlink(fill)
        time.sleep(32)  # it looks every 30 s
        self.check(not self.grows(fd), "still on after the end")

    def test_left_on(self):
        """The daemon is killed, and the next one is to have no accounting: it is switched off.
        Not so by one that may not run, as another does."""
        inst = self.daemon()
        fd = self.kept_open(inst)
        inst.write_config("accounting = off\n")
        store = self.path("other-store")
        argv = [store if x == inst.store else x for x in inst.daemon_argv()]
        os.mkdir(store, 0o700)
        os.chown(store, os.stat(inst.store).st_uid, os.stat(inst.store).st_gid)
        self.check(t.run(argv).status != 0, "two in one RUN")
        self.check(self.grows(fd), "switched off by a second daemon")
        inst.kill()
        self.check(self.grows(fd), "off when it was killed: the test shows nothing")
        inst.start()
        self.check(not self.grows(fd), "still on")
        self.contains(inst.log(), "accounting is off now: a daemon that was killed had left it on")
        with open("/proc/%d/status" % inst.proc.pid) as f:
            caps = [int(x.split()[1], 16) for x in f if x.startswith(("CapPrm", "CapEff", "CapBnd"))]
        if "--no-drop" not in inst.daemon_args:
            self.equal([c >> 20 & 1 for c in caps], [0, 0, 0], "CAP_SYS_PACCT")
        inst.stop()

    def writes(self, path, name):
        """The kernel writes into this file that a program of this name ended."""
        size = os.stat(path).st_size
        spawn(shutil.copy("/bin/true", self.path(name)))
        with open(path, "rb") as f:
            f.seek(size)
            new = f.read()
        self.equal(len(new) % 64, 0, "whole records")
        self.check(name.encode() in new, "%s is not in %r" % (name, new))

    def test_somebody_elses(self):
        """Who has the accounting keeps it; who takes it keeps it too."""
        t.need_program("accton")
        os.makedirs(os.path.dirname(USUAL), exist_ok=True)
        t.run(["mount", "-t", "tmpfs", "accounting", os.path.dirname(USUAL)])
        self.later(lambda: t.run(["umount", os.path.dirname(USUAL)]))
        open(USUAL, "w").close()
        t.run(["accton", USUAL])
        self.later(lambda: t.run(["accton", "off"]))
        inst = self.instance(config=CONFIG)
        t.wait_for("the reason", lambda: "accounting off: somebody else has it, into " + USUAL in
                   inst.opseal("status").text, about=inst.log)
        self.matches(inst.opseal("status", "--coverage").text,
                     r"^since +never: nothing was compared yet; accounting is off: somebody else has it, into " + USUAL)
        for name in "theirs-1", "theirs-2":
            self.writes(USUAL, name)
            inst.stop()
        t.run(["accton", "off"])
        inst.start()
        self.started(inst)
        t.run(["accton", USUAL])
        inst.stop()
        self.writes(USUAL, "theirs-3")

    def dump_acct(self, path):
        """What dump-acct says: pid -> (comm, user, system, elapsed, uid, ppid, mem, flags, exit)."""
        rows = {}
        for line in t.run(["dump-acct", path]).text.splitlines():
            f = [x.strip() for x in line.split("|")]
            assert f[9] not in rows, "pid twice: " + line
            rows[int(f[9])] = (f[0], float(f[2]), float(f[3]), float(f[4]), int(f[5]),
                               int(f[10]), float(f[7]), set(f[11]), int(f[12]))
        return rows

    def workload(self):
        t.run(["sh", "-c", "exit 3"])
        t.run(["sh", "-c", "kill -KILL $$"])
        t.run(["sh", "-c", "kill -SEGV $$"])
        t.run(["sh", "-c", "(true); (exit 5); /bin/true"])
        t.run(["sh", "-c", "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done"])
        t.run(["sleep", "0.3"])
        person = t.person()
        t.run(["/bin/true"], preexec=t.become(person))
        return person.pw_uid

    def test_as_debians_tools(self):
        """dump-acct and lastcomm on a copy of the very file that opseald read: the same,
        field by field, for each process; and what capture saw agrees."""
        t.need_program("dump-acct", "lastcomm")
        for capture in (False, True):
            inst = self.daemon(capture=capture, name="capture" if capture else "")
            time.sleep(1.5)
            before = os.stat(self.files(inst)[-1]).st_size
            role = r.role_pids(inst, "capture")[0]
            os.kill(role, signal.SIGSTOP)
            uid = self.workload()
            copy = os.path.join(self.dir, "copy%d" % capture)
            with open(self.files(inst)[-1], "rb") as f:
                f.seek(before)
                data = f.read()
            os.kill(role, signal.SIGCONT)
            with open(copy, "wb") as f:
                f.write(data)
            theirs = self.dump_acct(copy)
            self.equal(len(theirs), len(data) // 64, "records")
            assert any(row[4] == uid for row in theirs.values()), "nobody else's process"
            if capture:
                self.compare_captured(inst, theirs)
            else:
                self.compare_accounted(inst, theirs)
                self.compare_lastcomm(copy, [p for p in self.log(inst) if p["pid"] in theirs])
            inst.stop()

    def flags(self, p):
        out = {"F"} if p["acct_flags"] & 1 else set()
        out |= {"S"} if p["acct_flags"] & 2 else set()
        out |= {"D"} if p["acct_flags"] & 8 else set()
        return out | ({"X"} if p["acct_flags"] & 16 else set())

    def compare_accounted(self, inst, theirs):
        t.wait_for("all of them", lambda: set(theirs) <= {p["pid"] for p in self.log(inst)}, 30)
        for p in self.log(inst):
            if p["pid"] not in theirs:
                continue
            user = round(100 * p["cpu_user"])
            ours = (p["comm"], float(user), float(round(100 * p["cpu"]) - user),
                    float(round(100 * p["duration"])), p["uid"], p["ppid"], float(p["mem"]),
                    self.flags(p), p["exit"] or 0)
            self.equal(ours, theirs[p["pid"]], "process %d" % p["pid"])

    def compare_lastcomm(self, copy, ours):
        """Newest first: name, flags, user."""
        lines = t.run(["lastcomm", "-f", copy]).text.splitlines()
        self.equal(len(lines), len(ours), "lines of lastcomm")
        theirs = sorted((x[:16].strip(), "".join(sorted(x[16:23].replace(" ", ""))),
                         x[23:].split()[0][:8]) for x in lines)
        self.equal(sorted((p["comm"], "".join(sorted(self.flags(p))), p["user"][:8])
                          for p in ours), theirs, "lastcomm")

    def compare_captured(self, inst, theirs):
        """What ran, by its pid in this namespace: name, user, status, times."""
        here = os.stat("/proc/self/ns/pid").st_ino

        def ours():
            return {p["nspid"]: p for p in self.log(inst)
                    if p["kind"] == "exec" and "exit" in p and p["ns_pid"] == here}
        ran = {pid for pid, row in theirs.items() if "F" not in row[7]}
        t.wait_for("all of them", lambda: ran <= set(ours()), 30)
        for pid, p in ours().items():
            if pid not in ran:
                continue
            comm, user, system, elapsed, uid, _, _, flags, status = theirs[pid]
            self.equal((p["comm"], p["uid"], p["exit"] or 0, p["signal"] is not None),
                       (comm, uid, status, "X" in flags), "process %d" % pid)
            for what, we, they in (("user", p["cpu_user"], user), ("system", p["cpu"] - p["cpu_user"], system)):
                assert abs(100 * we - they) < 1.01, "%s time of %d: %s, %s" % (what, pid, we, they)
            # Theirs begins at the fork, ours at the exec.
            assert 100 * p["duration"] < elapsed + 1.01, "%d ran for %s, %s" % (pid, p["duration"], elapsed)


if __name__ == "__main__":
    if t.is_root() and INNER not in os.environ:
        os.environ[INNER] = "1"
        sys.exit(subprocess.call(["unshare", "--pid", "--mount", "--fork", "--mount-proc",
                                  "--kill-child", sys.executable] + sys.argv))
    t.main()
