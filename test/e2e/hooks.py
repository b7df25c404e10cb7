#!/usr/bin/python3
# timeout: 300
"""Capture by other hooks than the best ones: raw_tp, as where tp_btf doesn't load,
and raw_tp on a kernel that tells less.  What is seen is the same."""
import ctypes
import errno
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import captured as c
import opsealtest as t

CLONE_NEWNS, MS_REC, MS_PRIVATE, MNT_DETACH = 0x20000, 0x4000, 1 << 18, 2
TRACEFS = b"/sys/kernel/tracing"

# What no two runs of a program have in common.
OWN = ("time", "boottime", "pid", "start", "duration", "ended", "ended_at", "cpu", "cpu_user", "cpu_system", "maxrss", "minflt", "rchar", "wchar",
       "majflt", "read_bytes", "write_bytes", "sealed", "nspid", "pgrp")


class Hooks(c.Captured):
    def with_hooks(self, hooks, how):
        inst = self.own(config="capture_hooks = %s\n" % hooks)
        self.matches(inst.opseal("status").text, r"programs +captured.*\b%s\b" % how, "status")
        return inst

    def things(self, inst):
        """Programs of all kinds, and their rows, without what differs each time."""
        shell, missing = self.path("shell"), self.path("missing")
        capable, script = self.path("capable"), self.path("script")
        user = t.person()
        self.equal(t.run([shell, "-c", "exit 3", "", "x" * 5000]).status, 3, "exit")
        t.run([shell, "-c", "kill -9 $$", "killed"])
        t.run([script, "word"])
        t.run([shell, "-c", "(exit 5); (exit 6); exit 0", "forks"])
        self.exits(t.run([capable], user=user), 0)
        pid = os.fork()
        if pid == 0:
            try:
                os.execv(missing, [missing])
            finally:
                os._exit(0)
        os.waitpid(pid, 0)
        self.evade_thread(shell)
        mark = self.program("mark")
        for i in range(2):  # the second one's row is later than all others'
            t.run([mark])
        self.runs(mark, 2, inst=inst)
        rows = self.log("--forks", inst=inst)
        self.equal([p for p in rows if p["kind"] == "lost"], [], "lost")
        pids = {p["pid"] for p in rows if p["kind"] == "exec" and p["exe"] == shell}
        mine = [p for p in rows if p["kind"] == "exec" and p["exe"] in (shell, capable, script) or
                p["kind"] == "failed" and p.get("filename") == missing or
                p["kind"] == "ended" and p.get("ppid") in pids]
        for p in mine:
            if p.get("exe") in (shell, capable):
                self.check(p["ended"] > p["boottime"] and p["minflt"] > 0 and p["maxrss"] > 0 and
                           p["pgrp"] > 0, "%s" % p)
        return [{k: v for k, v in p.items() if k not in OWN and not (
            k in ("ppid", "ppid_start") and p["kind"] == "ended")} for p in mine]

    def evade_thread(self, shell):
        helper = os.path.join(c.HELPER, "evade")
        if os.path.exists(helper):
            t.run([helper, "thread", shell, "-c", "exit 8", "by-thread"])

    def setup(self):
        super().setup()
        t.need_program("setcap")
        self.program("shell", "/bin/sh")
        self.program("capable")
        self.made("script", "#!%s -e\nexit 4\n" % self.path("shell"))
        self.exits(t.run(["setcap", "cap_net_raw+ep", self.path("capable")]), 0)

    def test_the_same(self):
        want = self.things(self.with_hooks("tp_btf", "tp_btf"))
        kinds = [p["kind"] for p in want]
        self.equal(sorted(kinds), ["ended"] * 2 + ["exec"] * 6 + ["failed"], "kinds")
        self.equal(sorted(p["exit"] for p in want if p["kind"] == "ended"), [5, 6], "forks")
        for hooks in "raw_tp", "old":
            got = self.things(self.with_hooks(hooks, "raw_tp"))
            if hooks == "old":  # it doesn't know what was before
                for p in want:
                    for key in "before_uid", "before_euid", "before_caps", "caps_gained":
                        p.pop(key, None)
            with self.during(hooks):
                self.equal(len(got), len(want), "rows")
                for a, b in zip(got, want):
                    self.equal(a, b, "row of %s" % b.get("argv", b.get("comm")))

    def test_before(self):
        """Capabilities that came with a file: those from before are known to raw_tp,
        too, where the kernel has the tracepoint."""
        user, rows = t.person(), {}
        for hooks, how in (("tp_btf", "tp_btf"), ("raw_tp", "raw_tp")):
            inst = self.with_hooks(hooks, how)
            self.exits(t.run([self.path("capable")], user=user), 0)
            rows[hooks] = self.runs(self.path("capable"), inst=inst)[0]
        if "before_caps" not in rows["tp_btf"]:
            t.skip("this kernel has no sched_prepare_exec")
        for row in rows.values():
            self.equal((row["before_caps"], row["caps"], row["before_euid"]), (0, 1 << 13, user.pw_uid),
                       "capabilities")

    def test_many_threads_end(self):
        """Without the kernel's word for it a process of many threads ends once."""
        inst = self.with_hooks("old", "raw_tp")
        script = ("import os, threading, time\n"
                  "for i in range(50): threading.Thread(target=time.sleep, args=(0.1,)).start()\n")
        program = self.program("python", sys.executable)
        for status in 0, 7:
            done = t.run([program, "-c", script + ("os._exit(7)\n" if status else "")])
            self.equal(done.status, status, "status")
        rows = self.runs(program, 2, inst=inst)
        self.equal([p["exit"] for p in rows], [0, 7], "exits")
        pids = {p["pid"] for p in rows}
        ends = [p for p in self.log("--forks", inst=inst) if p.get("pid") in pids and "ended" in p]
        self.equal(len(ends), 2, "ends")

    def test_tracefs(self):
        """Execs that failed are seen where tracefs is mounted, and where it isn't: nor is it then."""
        def before(mounted):
            libc = ctypes.CDLL(None)
            unshared = libc.unshare(CLONE_NEWNS) + libc.mount(
                None, b"/", None, ctypes.c_ulong(MS_REC | MS_PRIVATE), None)
            for path in b"/sys/kernel/debug", TRACEFS:
                while libc.umount2(path, MNT_DETACH) == 0:
                    pass
            if unshared != 0 or mounted and libc.mount(
                    b"none", TRACEFS, b"tracefs", ctypes.c_ulong(0), None) != 0:
                raise OSError("tracefs")

        for mounted in True, False:
            inst = self.own(preexec=lambda: before(mounted))
            with open("/proc/%d/mountinfo" % inst.role("capture")) as f:
                self.equal(" - tracefs " in f.read(), mounted, "mounted")
            missing = self.path("missing-%s" % mounted)
            t.run(["sh", "-c", '"$0"', missing])
            row, = t.wait_for("the failed exec", lambda: [
                p for p in self.log("--failed", inst=inst) if p.get("filename") == missing])
            self.equal(row["errno"], errno.ENOENT, "errno")
            inst.stop()

    def test_unknown(self):
        inst = self.instance(config="capture_hooks = other\n", start=False)
        inst.launch()
        self.equal(inst.proc.wait(20), 2, "exit status")
        self.contains(inst.log(), "capture_hooks")


if __name__ == "__main__":
    t.main()
