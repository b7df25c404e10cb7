#!/usr/bin/python3
# alone: it starts programs as fast as the machine can, and the kernel tells all daemons of them
# timeout: 600
"""Kernel capture, for real: every program that was started, its arguments, its
end, and what was lost."""
import base64
import hashlib
import json
import os
import re
import resource
import shutil
import signal
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import captured as c
import opsealtest as t
import recorded as r

# Sanitized, capture itself takes several times the time; then one starts less than 4 do.
WORKERS, EACH = (1, 2000) if t.SANITIZE else (4, 5000)
STOPPED = 6000
LONG = 16  # programs, 800,000 bytes each; BULK has 8 MiB
PIECE = 32768  # CAP_CHUNK


def spawn_many(path, tag, worker, n):
    """n short processes, one after the other, each with arguments of its own."""
    for i in range(n):
        pid = os.posix_spawn(path, ["true", tag, str(worker), str(i)], {})
        _, status = os.waitpid(pid, 0)
        assert status == 0


def forks():
    """Processes made since the boot."""
    with open("/proc/stat") as f:
        return int(next(x for x in f if x.startswith("processes ")).split()[1])


class Capture(t.Test):
    def setup(self):
        c.need_capture()
        # Nothing but an exec and an end: most of what /bin/true takes is the
        # loader's, and what is to be shown is many in a short time.
        self.short = self.write("true", c.tiny(c.EXIT_0))
        os.chmod(self.short, 0o755)

    def captured(self, name="", **options):
        return c.wait_captured(self.instance(capture=True, name=name, **options))

    def role(self, inst, name):
        return t.wait_for("role " + name, lambda: r.role_pids(inst, name))[0]

    def mark(self, text):
        """An exec that shows how far the log has come, of a file of its own."""
        path = self.path("mark-" + text)
        shutil.copy(os.path.realpath("/bin/true"), path)
        t.run([path, text])

    def log(self, inst, *args):
        done = inst.opseal("log", "--json", *args)
        assert done.status in (0, 1, 5), done.text
        return [json.loads(x) for x in done.text.splitlines()]

    def wait_for_mark(self, inst, text):
        def there():
            time.sleep(0.5)  # each look reads all of the log
            return any(p["kind"] == "exec" and "exit" in p
                       for p in self.log(inst, "--exe", self.path("mark-" + text)))
        t.wait_for("the mark " + text, there, 120, about=lambda: "%s%r" % (
            inst.opseal("status").text, self.log(inst, "-n", "3")))

    def workers(self, tag, n):
        pids = []
        for w in range(WORKERS):
            pid = os.fork()
            if pid == 0:
                try:
                    spawn_many(self.short, tag, w, n)
                    os._exit(0)
                finally:
                    os._exit(1)
            pids.append(pid)
        return pids

    def wait_all(self, pids):
        for pid in pids:
            self.equal(os.waitpid(pid, 0)[1], 0, "worker")

    def test_twenty_thousand(self):
        """4 workers, 20,000 processes: all execs, all arguments, all ends, 0 lost."""
        inst = self.captured()
        tag = "many-%d" % os.getpid()  # others run this test too, on the same kernel
        self.wait_all(self.workers(tag, EACH))
        self.mark("end-of-many")
        self.wait_for_mark(inst, "end-of-many")
        all_of_it = self.log(inst, "true")
        self.equal([p for p in all_of_it if p["kind"] == "lost"], [], "lost")
        seen = {}
        for p in all_of_it:
            if p["kind"] == "exec" and p["argv"][1:2] == [tag]:
                key = tuple(p["argv"][2:])
                assert key not in seen, "%s twice" % (key,)
                seen[key] = p
        want = {(str(w), str(i)) for w in range(WORKERS) for i in range(EACH)}
        self.equal(set(seen), want, "arguments of execs")
        self.equal([k for k, p in seen.items() if p.get("status") != 0], [], "without an end")
        self.equal({p["exe"] for p in seen.values()}, {self.short}, "files")
        self.equal(inst.opseal("verify").status, 0, "verify")

    def test_reader_stopped(self):
        """As many programs as four workers can start, some with long arguments, and the
        capture role stands still for 2 s of it: what is missing equals what the
        LOSS records count, starts, ends and pieces of arguments, by the word of a
        second daemon beside it.  (facts: 10,000 a second for a minute; this is what
        the machine gives for some seconds.)"""
        # To look for secrets in megabytes takes seconds, and is another test's.
        inst, witness = (self.captured(x, config="mask = no\n") for x in ("stopped", "witness"))
        os.setpriority(os.PRIO_PROCESS, self.role(witness, "capture"), -15)  # so that it sees all
        program, stop = self.write("tiny", c.tiny(c.EXIT_0)), self.path("enough")
        os.chmod(program, 0o755)
        term = self.record_pty(inst, ["sleep", "1000"])
        self.mark("begin-of-stop")
        for i in (inst, witness):
            self.wait_for_mark(i, "begin-of-stop")
        began, before = time.monotonic(), forks()
        pids = [self.spawn_until(stop, program, w) for w in range(WORKERS)]
        role = self.role(inst, "capture")
        self.spawn_long(program, "before", 2)
        time.sleep(0.5)
        os.kill(role, signal.SIGSTOP)
        # More than BULK holds, before HEADS is full.
        self.spawn_long(program, "while", LONG)
        # So many fill the rings, also where 2 s are not enough for them.
        end, enough = time.monotonic() + 2, forks() + STOPPED
        while time.monotonic() < end or (forks() < enough and time.monotonic() < end + 60):
            time.sleep(0.01)
        os.kill(role, signal.SIGCONT)
        time.sleep(0.5)
        t.wait_for("all of them", lambda: forks() > before + WORKERS * EACH, 300)
        open(stop, "w").close()
        started = sum(self.count_of(pid, w) for w, pid in enumerate(pids))
        took = time.monotonic() - began
        time.sleep(1)
        self.spawn_long(program, "after", 2)
        self.mark("end-of-stop")
        for i in (inst, witness):
            self.wait_for_mark(i, "end-of-stop")
        print("# %d programs in %.1f s, %d a second" % (started, took, started / took))
        rows = {i: self.log(i, "--forks") for i in (inst, witness)}
        lost = [p for p in rows[inst] if p["kind"] == "lost"]
        assert lost, "nothing was lost: the test shows nothing"
        self.equal([p for p in rows[witness] if p["kind"] == "lost"], [], "witness's losses")
        mine = {(p["argv"][1], p["argv"][2]) for p in rows[witness] if p.get("exe") == program and
                len(p["argv"]) == 3}
        self.equal(len(mine), started, "programs that the witness saw")
        self.check_starts_and_ends(rows[inst], rows[witness], lost)
        self.check_pieces(rows[inst], rows[witness], program, lost)
        self.equal(sum(p["other"] for p in lost), 0, "lost for no known reason")
        status = json.loads(inst.opseal("status", "--json").text)
        self.equal(status["capture_lost"], sum(p["execs"] + p["ends"] for p in lost), "status")
        shown = inst.opseal("show", "last").text
        term.close()
        self.equal([tuple(map(int, x)) for x in re.findall(
            r"^ +[0-9:.]+  \[lost: (\d+) starts, (\d+) ends, \d+ failed starts, (\d+) pieces of arguments",
            shown, re.M)], [(p["execs"], p["ends"], p["args"]) for p in lost], "show")
        self.equal(inst.opseal("verify").status, 0, "verify")

    def spawn_until(self, stop, program, worker):
        """One after the other, until there is that file; how many is written."""
        pid = os.fork()
        if pid:
            return pid
        n = 0
        try:
            while n % 20 or not os.path.exists(stop):
                _, status = os.waitpid(os.posix_spawn(program, ["tiny", str(worker), str(n)], {}), 0)
                assert status == 0
                n += 1
            with open(self.path("count-%d" % worker), "w") as f:
                f.write(str(n))
            os._exit(0)
        finally:
            os._exit(1)

    def count_of(self, pid, worker):
        self.equal(os.waitpid(pid, 0)[1], 0, "worker")
        with open(self.path("count-%d" % worker)) as f:
            return int(f.read())

    def spawn_long(self, program, tag, n):
        """Each has eight arguments of 100,000 bytes, 25 pieces.  All at once they are more than
        BULK holds, also for one who reads it after every nap."""
        for i in range(n):
            argv = ["long", "%s-%d" % (tag, i)] + [chr(97 + x) * 100000 for x in range(8)]
            self.equal(os.waitpid(os.posix_spawn(program, argv, {}), 0)[1], 0, "status")
            time.sleep(0.03)

    def check_starts_and_ends(self, seen, all_, lost):
        execs, ends = {}, {}
        for name, rows in ("seen", seen), ("all", all_):
            marks = [p["boottime"] for p in rows if p["kind"] == "exec" and
                     p["argv"][1:] in (["begin-of-stop"], ["end-of-stop"])]
            self.equal(len(marks), 2, "marks")
            execs[name] = {(p["pid"], p["start"], p["boottime"]) for p in rows
                           if p["kind"] == "exec" and marks[0] <= p["boottime"] < marks[1]}
            # One whose exec is lost is told of at its end, wherever that is.
            ends[name] = {(p["pid"], p["start"]) for p in rows if "ended" in p and
                          (rows is seen or marks[0] <= p["ended"] < marks[1])}
        self.equal(len(execs["all"]) - len(execs["seen"]), sum(p["execs"] for p in lost), "lost execs")
        # The two have different clock readings of one exec, so those are not compared.
        processes = {k: {x[:2] for x in v} for k, v in execs.items()}
        self.equal(processes["seen"] - processes["all"], set(), "execs that only one saw")
        missing = len(ends["all"] - ends["seen"])
        self.equal(missing, sum(p["ends"] for p in lost), "lost ends")

    def check_pieces(self, seen, all_, program, lost):
        """A start that is there says which parts of its arguments are not, and they are
        the pieces that were counted as lost; what there is, is right."""
        whole = {(p["pid"], p["start"]): p for p in all_ if p.get("exe") == program and
                 p["argv"][0] == "long"}
        self.equal(len(whole), LONG + 4, "long ones that the witness saw")
        pieces = 0
        for p in seen:
            key = (p.get("pid"), p.get("start"))
            if p["kind"] != "exec" or key not in whole:
                if p["kind"] == "exec":
                    self.check("holes" not in p or "seeded" in p["flags"], "holes in %s" % str(p)[:300])
                continue
            self.equal((p["args_len"], p["argc"]), (whole[key]["args_len"], 10), "args_len, argc")
            self.check("holes" not in whole[key], "the witness's holes")
            text = "".join(x + "\0" for x in whole[key]["argv"])
            kept = at = 0
            parts = []
            for hole in p.get("holes", []):
                self.equal(hole["offset"] % PIECE, 0, "a hole's begin")
                pieces += -(-hole["length"] // PIECE)
                parts.append(text[at:hole["offset"]])
                at = hole["offset"] + hole["length"]
            parts.append(text[at:])
            want = [x for part in parts if part for x in (part[:-1] if part[-1] == "\0" else part).split("\0")]
            self.equal([(x[:1], len(x)) for x in p["argv"]], [(x[:1], len(x)) for x in want], "argv")
        self.equal(pieces, sum(p["args"] for p in lost), "lost pieces")
        self.check(pieces > 0, "no piece was lost: the test shows nothing")

    def check_args(self, inst, argv, limit=None):
        def preexec():
            if limit:
                resource.setrlimit(resource.RLIMIT_STACK, (limit, limit))
        digest = hashlib.sha256(b"\0".join(argv[1:])).digest()
        t.run([os.fsdecode(a) for a in argv], preexec=preexec)
        self.mark("end-of-args")

        def found():
            for p in self.log(inst, "true"):
                if p["kind"] != "exec" or p["args_len"] != sum(len(a) + 1 for a in argv):
                    continue
                got = [base64.b64decode(a) for a in p["argv_b64"]] if "argv_b64" in p else [
                    a.encode() for a in p["argv"]]
                if hashlib.sha256(b"\0".join(got[1:])).digest() == digest:
                    return True
            return False
        t.wait_for("%d bytes of arguments" % sum(len(a) + 1 for a in argv), found, 60)

    def random_args(self, size, step=100000):
        """Bytes of every value but NUL, the last argument empty."""
        data = os.urandom(size).replace(b"\0", b"\1")
        return [b"/bin/true"] + [data[i:i + step] for i in range(0, size, step)] + [b""]

    def test_arguments(self):
        """From 100 bytes to 5.5 MB, SHA-256 equal to what was given."""
        inst = self.captured()
        for size in (100, 4000, 4096, 5000, 100000, 1800000):
            self.check_args(inst, self.random_args(size))
        self.check_args(inst, self.random_args(5500000), resource.RLIM_INFINITY)
        self.check_args(inst, [b"/bin/true", b"", b"a\nb", b"\x1b[31m", b"\xff\xfe", b"", b""])
        text = inst.opseal("log", "true").out
        assert b"\x1b" not in text, "an escape in a list"
        assert b"\\x1b[31m" in text or b"\\e[31m" in text, text

    def test_secrets(self):
        """Masked before they are stored; equal ones are seen to be equal, also by
        another daemon on the same log."""
        inst = self.captured()
        secret = "hunter2-%d" % os.getpid()
        masks = []
        for n in range(2):
            t.run(["/bin/true", "--password=" + secret, "-x"])
            t.run(["sh", "-c", ": ; /bin/true --token %s" % secret])
            self.mark("end-of-secrets-%d" % n)
            self.wait_for_mark(inst, "end-of-secrets-%d" % n)
            found = [p for p in self.log(inst) if p["kind"] == "exec" and "masked" in p["flags"]]
            self.equal(len(found), 3 * (n + 1), "masked programs")  # sh, too
            self.equal(found[-3]["argv"][0::2], ["/bin/true", "-x"], "what is no secret")
            masks.append(found[-3]["argv"][1])
            self.matches(masks[-1], r"^--password=\[masked %d [0-9a-f]{12}\]$" % len(secret))
            self.equal("--token " + masks[-1].partition("=")[2], found[-2]["argv"][2][-len(
                "--token " + masks[-1].partition("=")[2]):], "the same secret in a shell's line")
            inst.stop()
            for path in inst.segments():
                raw = t.run(["zstd", "-dcq", path]).out
                assert secret.encode() not in raw, path
            inst.start()
            c.wait_captured(inst)
        self.equal(masks[0], masks[1], "masks after a restart")

    def test_secrets_kept(self):
        inst = self.instance(capture=True, config="mask = no\n")
        c.wait_captured(inst)
        t.run(["/bin/true", "--password=plain"])
        t.wait_for("the program", lambda: [p for p in self.log(inst, "true") if p["kind"] == "exec" and
                                           p["argv"][1:] == ["--password=plain"]])

    def test_rules_of_ones_own(self):
        rules = self.path("rules")
        with open(rules, "w") as f:
            f.write("option word\n")
        os.chmod(rules, 0o644)
        inst = self.instance(capture=True, config="mask_rules = %s\n" % rules)
        c.wait_captured(inst)
        t.run(["/bin/true", "--word=x", "--password=plain"])
        t.wait_for("the program", lambda: [
            p for p in self.log(inst, "true") if p["kind"] == "exec" and len(p["argv"]) == 3 and
            p["argv"][1].startswith("--word=[masked 1 ") and p["argv"][2] == "--password=plain"])
        inst.stop()
        with open(rules, "w") as f:
            f.write("include default\noption word\n")
        inst.start()
        t.wait_for("capture", lambda: "programs    captured" in inst.opseal("status").text)
        t.run(["/bin/true", "--word=xy", "--password=plain"])
        t.wait_for("the program", lambda: [
            p for p in self.log(inst, "true") if p["kind"] == "exec" and len(p["argv"]) == 3 and
            p["argv"][1].startswith("--word=[masked 2 ") and
            p["argv"][2].startswith("--password=[masked 5 ")])
        inst.stop()
        with open(rules, "w") as f:
            f.write("option word\nnonsense\n")
        inst = self.instance(capture=True, start=False, name="bad",
                             config="mask_rules = %s\n" % rules)
        inst.launch()
        self.equal(inst.proc.wait(20), 2, "exit status")
        self.matches(inst.log(), r"mask_rules: %s, line 2: no such rule" % rules)

    def test_how_they_end(self):
        """A signal is a signal, and not exit 0; whether it left a core is what wait(2)
        says of the real child."""
        inst = self.captured()
        folder, shell = self.path("cores"), self.path("sh")
        os.mkdir(folder)
        shutil.copy(os.path.realpath("/bin/sh"), shell)
        none, any_size = (0, 0), (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        ways = {"ends-3": ("exit 3", none), "ends-9": ("kill -9 $$", any_size),
                "ends-11": ("kill -11 $$", any_size), "ends-bare": ("kill -11 $$", none)}
        want = {}
        for tag, (script, limit) in ways.items():
            pid = os.fork()
            if pid == 0:
                try:
                    os.chdir(folder)
                    resource.setrlimit(resource.RLIMIT_CORE, limit)
                    os.execv(shell, ["sh", "-c", script, tag])
                finally:
                    os._exit(99)
            want[tag] = os.waitpid(pid, 0)[1]
        self.mark("end-of-ends")
        self.wait_for_mark(inst, "end-of-ends")

        def tagged(*args):
            return {p["argv"][3]: p for p in self.log(inst, "--exe", shell, *args)
                    if p["kind"] == "exec"}
        ends = tagged()
        for tag, status in want.items():
            exit_, signal_ = (os.WEXITSTATUS(status), None) if os.WIFEXITED(status) else (
                None, os.WTERMSIG(status))
            self.equal((ends[tag]["status"], ends[tag]["exit"], ends[tag]["signal"], ends[tag]["core"]),
                       (status, exit_, signal_, os.WCOREDUMP(status)), tag)
        self.equal([ends[x]["exit"] or ends[x]["signal"] for x in ways], [3, 9, 11, 11], "what they did")
        self.equal((ends["ends-9"]["core"], ends["ends-bare"]["core"]), (False, False), "no cores")
        self.equal(list(tagged("--failed")), list(ways), "--failed")
        text = inst.opseal("log", "--exe", shell, "--failed").text
        self.matches(text, r" SIGSEGV .* ends-bare")
        # Where cores go (core_pattern), and whether they may, is the machine's to say.
        if os.WCOREDUMP(want["ends-11"]):
            self.matches(text, r" SIGSEGV\* .* ends-11")
        else:
            self.check(not os.listdir(folder), "a core that wait(2) doesn't know of")
            t.skip("this machine makes no cores")

    def test_exec_that_failed(self):
        inst = self.captured()
        for path, error in (("/nonexistent/program", 2), ("/etc/passwd", 13)):
            pid = os.fork()
            if pid == 0:
                try:
                    os.execv(path, [path])
                finally:
                    os._exit(0)
            os.waitpid(pid, 0)
            found = t.wait_for(path, lambda: [
                p for p in self.log(inst, "--failed", "--exe", path) if p["kind"] == "failed"])
            self.equal((found[0]["errno"], found[0]["pid"], found[0]["provenance"]),
                       (error, pid, "claimed"), path)

    def test_ended(self):
        """The daemon ends in the middle of it: what ran before is there without a gap, as
        capture says that it ended only when it has told of all."""
        inst = self.captured()
        tag = "ended-%d" % os.getpid()
        pids = self.workers(tag, 1000 * EACH)
        time.sleep(0.7)
        self.equal(inst.stop(), 0, "exit status")
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        done = inst.offline("log", "--json", "--forks")
        rows = [json.loads(x) for x in done.text.splitlines()]
        seen = {}
        for p in rows:
            if p["kind"] == "exec" and p["argv"][1:2] == [tag]:
                seen.setdefault(p["argv"][2], []).append(int(p["argv"][3]))
        self.equal(len(seen), WORKERS, "workers seen")
        for worker, numbers in seen.items():
            self.equal(sorted(numbers), list(range(len(numbers))), "programs of " + worker)
            self.check(len(numbers) > 10, "%d programs: the test shows nothing" % len(numbers))
        self.equal([p for p in rows if p["kind"] == "lost"], [], "lost")
        inst.start()
        c.wait_captured(inst)
        self.mark("after")
        self.wait_for_mark(inst, "after")
        # Whoever stops it, does something and starts it again, is seen to.
        lost = [p for p in self.log(inst, "--forks") if p["kind"] == "lost"]
        self.equal([(p["counted"], p["restarted"]) for p in lost], [(False, False)], "away")
        self.check(0 < lost[0]["seconds"] < 120, "for %s s" % lost[0]["seconds"])
        self.contains(inst.opseal("log").text, "[capture did not run for ")

    def test_ended_behind(self):
        """The daemon is told to end while capture has more for the writer than its queue
        (4 MiB) holds, since that stands still: all of it is told once it goes on."""
        inst = self.captured()
        tag, n = "behind-%d" % os.getpid(), 3000
        writer = self.role(inst, "writer")
        self.mark("before")
        self.wait_for_mark(inst, "before")
        os.kill(writer, signal.SIGSTOP)
        self.later(lambda: os.kill(writer, signal.SIGCONT) if os.path.exists("/proc/%d" % writer) else 0)
        for i in range(n):
            argv = ["true", tag, str(i), "x" * 2000]
            self.equal(os.waitpid(os.posix_spawn(self.short, argv, {}), 0)[1], 0, "status")
        time.sleep(1)
        inst.proc.terminate()
        time.sleep(1)
        os.kill(writer, signal.SIGCONT)
        self.equal(inst.stop(), 0, "exit status")
        rows = [json.loads(x) for x in inst.offline("log", "--json").text.splitlines()]
        mine = [p for p in rows if p["kind"] == "exec" and p["argv"][1:2] == [tag]]
        self.equal([int(p["argv"][2]) for p in mine], list(range(n)), "programs")
        self.equal([p["argv"][2] for p in mine if p.get("status") != 0], [], "without an end")
        self.equal([p for p in rows if p["kind"] == "lost"], [], "lost")
        self.exits(inst.offline("verify"), 0)

    def test_ended_without_a_writer(self):
        """The writer dies, and before another one is started the daemon is told to end: that
        one is started all the same, and takes what capture has."""
        inst = self.captured()
        tag, n = "alone-%d" % os.getpid(), 200
        self.mark("before")
        self.wait_for_mark(inst, "before")
        inst.proc.send_signal(signal.SIGSTOP)  # so that it hears of both at once
        os.kill(self.role(inst, "writer"), signal.SIGKILL)
        for i in range(n):
            self.equal(os.waitpid(os.posix_spawn(self.short, ["true", tag, str(i)], {}), 0)[1], 0, "status")
        inst.proc.terminate()
        inst.proc.send_signal(signal.SIGCONT)
        self.equal(inst.stop(), 0, "exit status")
        rows = [json.loads(x) for x in inst.offline("log", "--json").text.splitlines()]
        mine = [p for p in rows if p["kind"] == "exec" and p["argv"][1:2] == [tag]]
        self.equal([int(p["argv"][2]) for p in mine], list(range(n)), "programs")
        inst.start()
        c.wait_captured(inst)
        self.mark("after")
        self.wait_for_mark(inst, "after")
        self.equal([p["counted"] for p in self.log(inst) if p["kind"] == "lost"], [False], "away")

    def test_lost_at_the_end(self):
        """Capture stands still until its rings are full, and then the daemon ends: what the
        rings had no room for is counted in the last of its records."""
        inst, witness = (self.captured(x, config="mask = no\n") for x in ("ended", "witness"))
        os.setpriority(os.PRIO_PROCESS, self.role(witness, "capture"), -15)  # so that it sees all
        self.mark("begin-of-stop")
        for i in (inst, witness):
            self.wait_for_mark(i, "begin-of-stop")
        role = self.role(inst, "capture")
        os.kill(role, signal.SIGSTOP)
        self.later(lambda: os.kill(role, signal.SIGCONT) if os.path.exists("/proc/%d" % role) else 0)
        # A head of 4 KiB each: 4 MiB of them.
        for i in range(STOPPED // 2):
            argv = ["true", "last", str(i), "x" * 3500]
            self.equal(os.waitpid(os.posix_spawn(self.short, argv, {}), 0)[1], 0, "status")
        self.mark("end-of-stop")  # is lost, too
        self.wait_for_mark(witness, "end-of-stop")
        inst.proc.terminate()
        time.sleep(0.5)
        os.kill(role, signal.SIGCONT)
        self.equal(inst.stop(), 0, "exit status")
        rows = [json.loads(x) for x in inst.offline("log", "--json", "--forks").text.splitlines()]
        lost = [p for p in rows if p["kind"] == "lost"]
        self.check(sum(p["execs"] for p in lost) > 0, "nothing was lost: the test shows nothing")
        self.equal([p for p in lost if not p["counted"]], [], "lost and not counted")
        seen = {int(p["argv"][2]) for p in rows if p["kind"] == "exec" and p["argv"][1:2] == ["last"]}
        all_ = {int(p["argv"][2]) for p in self.log(witness) if p["kind"] == "exec" and
                p["argv"][1:2] == ["last"]}
        self.equal(all_, set(range(STOPPED // 2)), "what the witness saw")
        # Others run programs meanwhile: what is missing of ours is lost, but not all that is.
        missing = len(all_) - len(seen)
        self.check(0 < missing <= sum(p["execs"] for p in lost), "%d are missing, lost: %s" % (
            missing, lost))
        self.equal(inst.offline("verify").status, 0, "verify")

    def test_sessions_that_end(self):
        """One that ends hurries what is told; many don't hold it up."""
        inst = self.captured()
        over = threading.Event()

        def sessions():
            while not over.is_set():
                inst.opseal("record", "--", "true")
        threads = [threading.Thread(target=sessions) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            for i in range(4):
                time.sleep(0.5)
                self.mark("meanwhile-%d" % i)
                self.wait_for_mark(inst, "meanwhile-%d" % i)
        finally:
            over.set()
            for thread in threads:
                thread.join()
        self.equal([p for p in self.log(inst) if p["kind"] == "lost"], [], "lost")

    def test_restarted_writer(self):
        """Capture stays attached while the writer is killed and started again."""
        inst = self.captured()
        role = self.role(inst, "capture")
        tag = "restart-%d" % os.getpid()
        pids = self.workers(tag, 500)
        for _ in range(5):
            time.sleep(0.3)
            os.kill(self.role(inst, "writer"), signal.SIGKILL)
            t.wait_for("the writer", lambda: inst.opseal("status").status == 0)
        self.wait_all(pids)
        self.mark("end-of-restart")
        self.wait_for_mark(inst, "end-of-restart")
        self.equal(self.role(inst, "capture"), role, "the capture role's process")
        everything = self.log(inst, "true")
        rows = [p for p in everything if p["kind"] == "exec" and p["argv"][1:2] == [tag]]
        self.equal(len(rows), WORKERS * 500, "execs")
        self.equal(len({tuple(p["argv"]) for p in rows}), WORKERS * 500, "different ones")
        self.equal([p for p in rows if p.get("status") != 0 or p["ended"] <= p["boottime"]], [],
                   "without an end")
        self.equal([p for p in everything if p["kind"] == "lost"], [], "lost")
        self.equal(inst.opseal("verify").status, 0, "verify")


class Off(t.Test):
    def test_said(self):
        """Without capture everything else works, and status says why."""
        inst = self.instance()
        text = inst.opseal("status").text
        assert "programs    NOT captured: switched off (--no-capture)" in text, text
        self.equal(inst.opseal("log").status, 1, "nothing found")

    def test_no_rights(self):
        user = t.person() if t.is_root() else None
        inst = self.instance(capture=True, drop=False, start=False,
                             preexec=t.become(user) if user else None)
        if user:
            for path in (inst.base, inst.store, inst.run_dir):
                os.chown(path, user.pw_uid, user.pw_gid)
        inst.start()
        t.wait_for("the reason", lambda: "CAP_BPF" in inst.opseal("status").text)


if __name__ == "__main__":
    t.main()
