#!/usr/bin/python3
# timeout: 600
"""Where nothing can be captured: a build without it, and root without the right.
opseald says so, all else works, and the tests of capture skip by name."""
import os
import re
import shutil
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import captured as c
import opsealtest as t

E2E = os.path.dirname(os.path.abspath(__file__))


class Without(t.Test):
    def skips(self, why, before=(), env=None):
        """A test with a daemon of its own, and two with one for all: skipped."""
        for name, tests in ("capture.py", ["exec_that_failed"]), ("evasion.py", ["vfork", "no_arguments"]):
            begin = time.monotonic()
            done = t.run(list(before) + [sys.executable, os.path.join(E2E, name)] + tests, env=env)
            took = time.monotonic() - begin
            self.exits(done, 0, name)
            lines = [x for x in done.text.splitlines() if not x.startswith("#")]
            self.equal(lines[-1], "1..%d" % len(tests), name)
            for line in lines[:-1]:
                self.matches(line, r"^ok \d - \S+ # SKIP .*" + re.escape(why), name)
            self.check(took < 50, "%s: skipped after %d s" % (name, took))

    def test_no_right(self):
        """Root, but for CAP_BPF and what has it in it."""
        c.need_capture()
        t.need_program("setpriv")
        drop = "-bpf,-perfmon,-sys_admin"
        self.skips("BPF programs may not be loaded", [
            "setpriv", "--bounding-set", drop, "--inh-caps", drop])

    def test_built_without(self):
        """-Dcapture=disabled: nothing but opseald is built, as fast as can be."""
        t.need_program("meson", "ninja", "cc")
        if t.SANITIZE:
            t.skip("builds without sanitizers")
        if not os.path.exists(os.path.join(t.SOURCE, "meson.build")):
            t.skip("no source")
        build, programs = self.path("build"), self.path("bin")
        self.exits(t.run(["meson", "setup", build, t.SOURCE, "-Dcapture=disabled", "-Dtests=false",
                          "-Dbench=false", "-Doptimization=0", "-Ddebug=false"], timeout=300), 0)
        self.exits(t.run(["ninja", "-C", build, "--quiet", "daemon/opseald"], timeout=400), 0)
        shutil.copytree(t.programs(), programs)
        shutil.copy(os.path.join(build, "daemon", "opseald"), programs)
        os.chmod(programs, 0o755)
        inst = t.Instance(self.path("inst"), capture=True, start=False)
        self.later(inst.destroy)
        argv = inst.daemon_argv()
        inst.daemon_argv = lambda: [os.path.join(programs, "opseald")] + argv[1:]
        inst.start()
        why = "this opseald was built without it (-Dcapture=disabled)"
        t.wait_for("its word", lambda: "programs    NOT captured: " + why in inst.opseal("status").text)
        # All else works.
        term = self.record_pty(inst, ["echo", "hello"])
        self.equal(term.wait(), 0, "status")
        t.wait_for("the session", lambda: inst.opseal("cat", "last").text == "hello\n")
        self.exits(inst.opseal("log"), 1)
        self.exits(inst.opseal("verify"), 0)
        self.skips("built without it", env={"OPSEAL_BIN": programs})


if __name__ == "__main__":
    t.main()
