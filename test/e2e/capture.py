#!/usr/bin/python3
# timeout: 600
"""Kernel capture, for real: every program that was started, its arguments, its
end, and what was lost."""
import base64
import hashlib
import json
import os
import resource
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import opsealtest as t
import recorded as r

WORKERS, EACH = 4, 500 if t.SANITIZE else 5000
EACH_STOPPED = 1500 if t.SANITIZE else 5000
STOPPED = 4000


def spawn_many(tag, worker, n):
    """n short processes, one after the other, each with arguments of its own."""
    for i in range(n):
        pid = os.posix_spawn("/bin/true", ["true", tag, str(worker), str(i)], {})
        _, status = os.waitpid(pid, 0)
        assert status == 0


def forks():
    """Processes made since the boot."""
    with open("/proc/stat") as f:
        return int(next(x for x in f if x.startswith("processes ")).split()[1])


class Capture(t.Test):
    def setup(self):
        t.need_root("root, to load BPF programs")
        if not os.path.exists("/sys/kernel/btf/vmlinux"):
            t.skip("no BTF in this kernel")

    def captured(self, name=""):
        inst = self.instance(capture=True, name=name)
        t.wait_for("capture", lambda: "programs    captured" in inst.opseal("status").text)
        return inst

    def role(self, inst, name):
        return t.wait_for("role " + name, lambda: r.role_pids(inst, name))[0]

    def mark(self, text):
        """An exec that shows how far the log has come."""
        t.run(["/bin/true", text])

    def log(self, inst, *args):
        done = inst.opseal("log", "--json", *args)
        assert done.status in (0, 1), done.text
        return [json.loads(x) for x in done.text.splitlines()]

    def wait_for_mark(self, inst, text):
        def there():
            time.sleep(1)  # each look reads all of the log
            return any(p["argv"][1:] == [text] for p in self.log(inst, "true", "-n", "1000")
                       if p["kind"] == "exec" and "exit" in p)
        t.wait_for("the mark " + text, there, 120)

    def workers(self, tag, n):
        pids = []
        for w in range(WORKERS):
            pid = os.fork()
            if pid == 0:
                try:
                    spawn_many(tag, w, n)
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
        self.wait_all(self.workers("many", EACH))
        self.mark("end-of-many")
        self.wait_for_mark(inst, "end-of-many")
        all_of_it = self.log(inst, "true")
        self.equal([p for p in all_of_it if p["kind"] == "lost"], [], "lost")
        seen = {}
        for p in all_of_it:
            if p["kind"] == "exec" and p["argv"][1:2] == ["many"]:
                key = tuple(p["argv"][2:])
                assert key not in seen, "%s twice" % (key,)
                seen[key] = p
        want = {(str(w), str(i)) for w in range(WORKERS) for i in range(EACH)}
        self.equal(set(seen), want, "arguments of execs")
        self.equal([k for k, p in seen.items() if p.get("status") != 0], [], "without an end")
        self.equal({p["exe"] for p in seen.values()}, {os.path.realpath("/bin/true")}, "files")
        self.equal(inst.opseal("verify").status, 0, "verify")

    def test_reader_stopped(self):
        """The capture role stands still for 2 s: what is missing equals what the
        LOSS records count, by the word of a second daemon beside it."""
        inst, witness = self.captured("stopped"), self.captured("witness")
        self.mark("begin-of-stop")
        for i in (inst, witness):
            self.wait_for_mark(i, "begin-of-stop")
        pids = self.workers("stop", EACH_STOPPED)
        role = self.role(inst, "capture")
        time.sleep(1)
        os.kill(role, signal.SIGSTOP)
        # So many fill the rings, also where 2 s are not enough for them.
        end, enough = time.monotonic() + 2, forks() + STOPPED
        while time.monotonic() < end or (forks() < enough and time.monotonic() < end + 60):
            time.sleep(0.01)
        os.kill(role, signal.SIGCONT)
        self.wait_all(pids)
        time.sleep(1)
        self.mark("end-of-stop")
        for i in (inst, witness):
            self.wait_for_mark(i, "end-of-stop")
        self.equal([p for p in self.log(witness) if p["kind"] == "lost"], [], "witness's losses")
        execs, ends = {}, {}
        for i in (inst, witness):
            rows = self.log(i, "--forks")
            marks = [p["boottime"] for p in rows if p["kind"] == "exec" and
                     p["argv"][1:] in (["begin-of-stop"], ["end-of-stop"])]
            self.equal(len(marks), 2, "marks")
            execs[i] = {(p["pid"], p["start"], tuple(p["argv"])) for p in rows
                        if p["kind"] == "exec" and marks[0] <= p["boottime"] < marks[1]}
            # One whose exec is lost is told of at its end, wherever that is.
            ends[i] = {(p["pid"], p["start"]) for p in rows if "ended" in p and
                       (i is inst or marks[0] <= p["ended"] < marks[1])}
        lost = [p for p in self.log(inst) if p["kind"] == "lost"]
        assert lost, "nothing was lost in 2 s: the test shows nothing"
        self.equal(execs[inst] - execs[witness], set(), "execs that only one saw")
        self.equal(len(execs[witness] - execs[inst]), sum(p["execs"] for p in lost), "lost execs")
        self.equal(sum(p["other"] for p in lost), 0, "lost for no known reason")
        missing = len(ends[witness] - ends[inst])
        self.equal(missing, sum(p["ends"] for p in lost), "lost ends")
        status = json.loads(inst.opseal("status", "--json").text)
        self.equal(status["capture_lost"], sum(p["execs"] + p["ends"] for p in lost), "status")
        self.equal(inst.opseal("verify").status, 0, "verify")

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
            t.wait_for("capture", lambda: "programs    captured" in inst.opseal("status").text)
        self.equal(masks[0], masks[1], "masks after a restart")

    def test_secrets_kept(self):
        inst = self.instance(capture=True, config="mask = no\n")
        t.wait_for("capture", lambda: "programs    captured" in inst.opseal("status").text)
        t.run(["/bin/true", "--password=plain"])
        t.wait_for("the program", lambda: [p for p in self.log(inst, "true") if p["kind"] == "exec" and
                                           p["argv"][1:] == ["--password=plain"]])

    def test_rules_of_ones_own(self):
        rules = self.path("rules")
        with open(rules, "w") as f:
            f.write("option word\n")
        os.chmod(rules, 0o644)
        inst = self.instance(capture=True, config="mask_rules = %s\n" % rules)
        t.wait_for("capture", lambda: "programs    captured" in inst.opseal("status").text)
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
        """A signal is a signal, and not exit 0; a core is marked."""
        inst = self.captured()
        limit = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        folder = self.path("cores")
        os.mkdir(folder)
        t.run(["sh", "-c", "exit 3", "ends-3"])
        t.run(["sh", "-c", "kill -9 $$", "ends-9"])
        t.run(["sh", "-c", "kill -11 $$", "ends-11"],
              preexec=lambda: (os.chdir(folder), resource.setrlimit(resource.RLIMIT_CORE, limit)))
        self.mark("end-of-ends")
        self.wait_for_mark(inst, "end-of-ends")
        ends = {p["argv"][3]: p for p in self.log(inst, "sh")
                if p["kind"] == "exec" and len(p["argv"]) > 3 and p["argv"][3].startswith("ends-")}
        self.equal((ends["ends-3"]["exit"], ends["ends-3"]["signal"]), (3, None), "exit 3")
        self.equal((ends["ends-9"]["exit"], ends["ends-9"]["signal"]), (None, 9), "SIGKILL")
        self.equal(ends["ends-11"]["signal"], 11, "SIGSEGV")
        self.equal(ends["ends-9"]["core"], False, "core of SIGKILL")
        self.equal(ends["ends-11"]["core"], bool(os.listdir(folder)) or
                   ends["ends-11"]["status"] & 0x80 != 0, "core of SIGSEGV")
        failed = [p["argv"][3] for p in self.log(inst, "--failed", "sh")
                  if p["kind"] == "exec" and len(p["argv"]) > 3 and p["argv"][3].startswith("ends-")]
        self.equal(failed, ["ends-3", "ends-9", "ends-11"], "--failed")

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

    def test_restarted_writer(self):
        """Capture stays attached while the writer is killed and started again."""
        inst = self.captured()
        role = self.role(inst, "capture")
        pids = self.workers("restart", 500)
        for _ in range(5):
            time.sleep(0.3)
            os.kill(self.role(inst, "writer"), signal.SIGKILL)
            t.wait_for("the writer", lambda: inst.opseal("status").status == 0)
        self.wait_all(pids)
        self.mark("end-of-restart")
        self.wait_for_mark(inst, "end-of-restart")
        self.equal(self.role(inst, "capture"), role, "the capture role's process")
        rows = [p for p in self.log(inst, "true") if p["kind"] == "exec" and
                p["argv"][1:2] == ["restart"]]
        self.equal(len(rows), 4 * 500, "execs")
        self.equal(len({tuple(p["argv"]) for p in rows}), 4 * 500, "different ones")
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
