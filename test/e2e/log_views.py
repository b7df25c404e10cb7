#!/usr/bin/python3
# timeout: 300
"""What opseal log shows of capture: who started whom, also across forks and from
before capture; what failed, on its terminal; what became of each; all that is
stored of one."""
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import captured
import opsealtest as t

# TIME is two words; then LOGIN PERSON AS TTY PID EXIT DURATION CPU.
INDENT = re.compile(r"^\S+ \S+(?: +\S+){8}  ( *)(.*)$")


class LogViews(captured.Captured):
    def tree(self, *args):
        """(depth, command) of each line."""
        text = self.exits(self.inst.opseal("log", "--tree", *args), 0).text
        found = [INDENT.match(x) for x in text.splitlines()[1:] if x]
        assert all(found), text
        return [(len(m.group(1)) // 2, re.sub(r"  +-$", "", m.group(2)).rstrip()) for m in found]

    def below(self, rows, root):
        """The subtree of the line that begins so: depths from it on."""
        at = next(i for i, (_, c) in enumerate(rows) if c.startswith(root))
        top = rows[at][0]
        end = next((i for i in range(at + 1, len(rows)) if rows[i][0] <= top), len(rows))
        return [(d - top, c) for d, c in rows[at:end]]

    def test_forks(self):
        p, shell = self.program("p"), self.program("shell", "/bin/bash")
        t.run([shell, "-c", "({0} a; {0} b; :); x=$({0} c; {0} d; :); {0} e | {0} f; :".format(p)])
        self.runs(p, 6)
        rows = self.below(self.tree(), shell + " -c")
        self.equal({d for d, _ in rows[1:]}, {1}, "depths of %s" % rows)
        said = sorted(c.replace("(fork) ", "") for _, c in rows[1:])
        self.equal(said, [p + " " + x for x in "abcdef"], "below the shell")
        self.check(any(c.startswith("(fork) ") for _, c in rows), "no fork in %s" % rows)
        # With forks listed they stand in between.
        deeper = self.below(self.tree("--forks"), shell + " -c")
        self.equal(sorted(c for d, c in deeper if d == 2), [p + " " + x for x in "abcd"],
                   "below the forks of %s" % deeper)
        cut = self.tree("--exe", p)
        self.check(all("(fork)" not in c for _, c in cut), "a fork of nobody")
        self.check(any(", not listed]" in c for _, c in cut), "no cut in %s" % cut)

    def test_seeded(self):
        """Who ran before capture did is the root of what it starts."""
        p = self.program("p")
        t.run([p, "seeded"])
        self.runs(p)
        rows = self.tree("--exe", p)
        mine = [i for i, (d, c) in enumerate(rows) if c == p + " seeded"]
        self.equal(len(mine), 1, str(rows))
        self.equal(rows[mine[0]][0], 1, "depth")
        roots = [c for d, c in rows[:mine[0]] if d == 0]
        self.check(roots[-1].endswith("[ran before capture did]") and "log_views" in roots[-1],
                   "root: %s" % roots)

    def test_sudo(self):
        if shutil.which("sudo") is None:
            t.skip("no sudo")
        p = self.program("p")
        out = self.on_pty(["sudo", "-n", p, "by-sudo"])
        row = self.runs(p)[0]
        if row["exit"] != 0:
            t.skip("sudo: %r" % out)
        rows = self.below(self.tree(), "sudo -n " + p)
        self.check(any(c.replace("(fork) ", "") == p + " by-sudo" for _, c in rows[1:]), str(rows))

    def on_pty(self, argv):
        pid, fd = pty.fork()
        if pid == 0:
            os.execvp(argv[0], argv)
        out = b""
        try:
            while True:
                more = os.read(fd, 4096)
                if not more:
                    break
                out += more
        except OSError:
            pass
        os.close(fd)
        os.waitpid(pid, 0)
        return out

    def test_failed_on_its_terminal(self):
        gone = self.path("not-there")
        script = "import os\nprint(os.ttyname(0))\n" \
                 "try: os.execv(%r, ['x'])\nexcept OSError: pass\n" % gone
        out = self.on_pty([sys.executable, "-c", script]).decode()
        tty = re.search(r"/dev/(pts/\d+)", out).group(1)
        row = self.failed(gone)
        self.equal(row["tty"], tty, "tty of an exec that failed")
        self.check(row["ppid"] > 0 and row["ppid_start"] > 0, "its parent")
        rows = self.log("--tty", tty, "--failed", "--exe", gone)
        self.equal([x["filename"] for x in rows if x["kind"] == "failed"], [gone], "--tty --failed")

    def test_states(self):
        p, shell = self.program("sleep", "/bin/sleep"), self.program("shell", "/bin/sh")
        proc = subprocess.Popen([shell, "-c", "exec %s 60" % p])
        try:
            t.wait_for("it", lambda: self.log("--exe", p))
            row = [x for x in self.log("--exe", p) if x["kind"] == "exec"][0]
            self.equal(row["state"], "running", "state")
            row = [x for x in self.log("--exe", os.path.realpath(shell)) if x["kind"] == "exec"][0]
            self.equal(row["state"], "replaced", "state of who executed it")
            text = self.inst.opseal("log", "--exe", p).text
            self.matches(text, r" runs ")
        finally:
            proc.send_signal(signal.SIGKILL)
            proc.wait()
        self.equal(self.run_of(p)["state"], "ended", "state")
        self.matches(self.inst.opseal("log", "--exe", p).text, r" SIGKILL ")

    def test_end_not_seen(self):
        """Capture ended first: it is not said to run, or to be replaced."""
        inst = self.own(name="own")
        p = self.program("sleep", "/bin/sleep")
        proc = subprocess.Popen([p, "60"])
        try:
            t.wait_for("it", lambda: self.log("--exe", p, inst=inst))
            inst.stop()
        finally:
            proc.kill()
            proc.wait()
        time.sleep(2.1)
        rows = captured.json_rows(inst.offline("log", "--json", "--exe", p))
        self.equal([x["state"] for x in rows if x["kind"] == "exec"], ["unknown"], "state")
        self.matches(inst.offline("log", "--exe", p).text, r" \? ")

    def test_all_of_one(self):
        p = self.program("p", "/bin/sh")
        t.run([p, "-c", "kill -9 $$; : \x1b[2J"], cwd=self.path(""))
        row = self.run_of(p)
        text = self.exits(self.inst.opseal("log", "-v", "--exe", p), 0).text
        for want in (r"(?m)^file +" + re.escape(p), r"(?m)^end +killed by SIGKILL \(signal 9\)",
                     r"(?m)^directory +/tmp", r"(?m)^process +%d\b" % row["pid"],
                     r"inode %d, mode 0755, owner root \(0\)" % row["exe_ino"],
                     r"(?m)^capabilities .*cap_sys_admin", r"(?m)^CPU +\d+\.\d{6} s user",
                     r"(?m)^namespaces +pid %d, " % row["ns_pid"], r"(?m)^started +\d{4}-"):
            self.matches(text, want)
        self.check("\x1b" not in text, "a control character")
        self.check(row["ended_at"] > row["time"], "ended_at")
        self.one_line(self.exits(self.inst.opseal("log", "-v", "--json"), 2))

    def test_show_command(self):
        """SESSION:N is that command, also where there is no terminal."""
        p = self.program("p")
        self.exits(self.inst.opseal("record", "--", p, "shown"), 0)
        row = self.run_of(p)
        place = "%s:%d" % (row["session"], row["number"])
        text = self.exits(self.inst.opseal("show", place), 0).text
        self.matches(text, r"^command +" + re.escape(p) + " shown\\n")
        self.matches(text, r"(?m)^end +exited with 0$")
        self.matches(text, r"(?m)^session +%s:%d  " % (row["session"][:8], row["number"]))
        shown = json.loads(self.exits(self.inst.opseal("show", "--json", place), 0).text)
        self.equal((shown["pid"], shown["start"]), (row["pid"], row["start"]), "show --json")
        self.one_line(self.exits(self.inst.opseal("show", row["session"] + ":99"), 2))


if __name__ == "__main__":
    t.main()
