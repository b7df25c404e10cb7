#!/usr/bin/python3
# timeout: 300
"""opseal log --follow: what is started from now on, each once."""
import os
import re
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import captured as c
import opsealtest as t


class Follow(c.Captured):
    def follow(self, *args):
        """`opseal log --follow ARGS`, in a pipe; gives the list of its lines."""
        proc = subprocess.Popen(self.inst.argv("log", "--follow", *args), text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.later(lambda: (proc.kill(), proc.wait(), reader.join()))
        lines = []
        reader = threading.Thread(target=lambda: lines.extend(iter(proc.stdout.readline, "")))
        reader.start()
        return lines

    def wait_for_line(self, lines, text):
        return t.wait_for("%r in %r" % (text, lines),
                          lambda: [x for x in lines if text in x], 60)

    def test_each_once(self):
        before, after = self.program("before"), self.program("after")
        t.run([before])
        self.run_of(before)
        lines = self.follow("--exe", self.path("*"))
        self.wait_for_line(lines, before)
        self.check(lines[0].startswith("TIME "), "titles: %r" % lines[0])
        for n in range(3):
            t.run([after, str(n)])
        for n in range(3):
            self.wait_for_line(lines, "%s %d" % (after, n))
        time.sleep(2)
        self.equal(len(lines), 5, "lines")
        at = lines[0].index("COMMAND")
        self.equal([x[at:].split()[0] for x in lines[1:]], [before] + 3 * [after], "aligned")

    def test_only_the_newest_of_before(self):
        paths = [self.program("p%d" % n) for n in range(3)]
        for path in paths:
            t.run([path])
            self.run_of(path)
        lines = self.follow("--json", "--lines", "2", "--exe", self.path("p*"))
        self.wait_for_line(lines, paths[2])
        last = self.program("p9")
        t.run([last])
        self.wait_for_line(lines, last)
        time.sleep(2)
        self.equal([c.json.loads(x)["exe"] for x in lines], [paths[1], paths[2], last], "rows")

    def test_failed(self):
        """One that runs when it begins, and fails later."""
        path = self.program("sh", "/bin/sh")
        t.run([path, "-c", "exit 1"])
        self.run_of(path)
        proc = subprocess.Popen([path, "-c", "read x; exit 3"], stdin=subprocess.PIPE)
        lines = self.follow("--failed", "--exe", path)
        self.wait_for_line(lines, "exit 1")
        t.run([path, "-c", "exit 0"])
        time.sleep(2)
        self.equal(len(lines), 2, "lines: %r" % lines)
        proc.communicate()
        self.wait_for_line(lines, "exit 3")
        self.equal(len(lines), 3, "lines: %r" % lines)

    def test_on_a_terminal(self):
        """Rows fit, whenever they come, and no pager waits for a key."""
        path = self.program("x")
        term = self.pty(self.inst.argv("log", "-f", "--exe", path), env={"PAGER": "less"})
        term.expect("COMMAND")
        t.run([path, "w" * 300])
        term.expect(r" root .*\n")
        t.run([path])
        term.expect(r" root .*\n")
        lines = re.sub(r"\x1b\[[0-9;]*m", "", bytes(term.out).decode()).splitlines()
        at = lines[0].index("SESSION")
        self.equal([x[at:] for x in lines], ["SESSION", "-", "-"], "columns of %r" % lines)
        self.check(len(lines[0]) <= 80, lines[0])

    def test_columns_of_what_comes_later(self):
        """That the first rows have no terminal leaves no column out for good."""
        path = self.program("x")
        t.run([path, "first"])
        self.run_of(path)
        term = self.pty(self.inst.argv("log", "-f", "--exe", path), cols=150, env={"NO_COLOR": "1"})
        term.expect(r" first .*\n")
        on = self.pty([path, "second"])
        on.wait()
        term.expect(r" second .*\n")
        lines = bytes(term.out).decode().splitlines()
        self.equal(lines[0].split(), "TIME LOGIN PERSON AS TTY PID EXIT DURATION CPU COMMAND SESSION".split(), "columns")
        at = lines[0].index("TTY")
        self.equal([x[at:].split()[0] for x in lines], ["TTY", "-", on.slave_name[len("/dev/"):]], "TTY")

    def test_has_no_end(self):
        for other in ("--tree", "--reverse", "--until=now"):
            result = self.exits(self.inst.opseal("log", "-f", other), 2, other)
            self.contains(result.errtext, "--follow has no end", other)


t.main()
