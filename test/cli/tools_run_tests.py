#!/usr/bin/python3
# tools/run-tests itself: what it counts, and what it must not let pass.
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import opsealtest as t

RUNNER = os.path.join(t.SOURCE, "tools/run-tests")

# A row: a test program's text, what the last line says, and what must be named.
CASES = [
    ("fine", "echo 'ok 1 - a'; echo 'ok 2 - b'; echo 1..2", "2 passed, 0 failed", ""),
    ("plan first", "echo 1..1; echo 'ok 1 - a'", "1 passed, 0 failed", ""),
    ("two groups", "echo 1..1; echo 'ok 1 - a'; echo 1..1; echo 'ok 1 - b'",
     "2 passed, 0 failed", ""),
    ("a failure", "echo 'not ok 1 - broken'; echo '# why'; echo 1..1; exit 1",
     "0 passed, 1 failed", "failed: broken"),
    ("a skip", "echo 'ok 1 - a # SKIP no root'; echo 1..1",
     "0 passed, 0 failed, 1 skipped", "skipped: a: no root"),
    ("cmocka's skip", "echo 'not ok 1 # SKIP test_a'; echo 1..1",
     "0 passed, 0 failed, 1 skipped", "skipped: test_a"),
    ("all skipped", "echo '1..0 # SKIP no disk'",
     "0 passed, 0 failed, 1 skipped", "skipped: no disk"),
    ("no plan", "echo 'ok 1 - a'", "1 passed, 1 failed", "no plan"),
    ("nothing at all", "true", "0 passed, 1 failed", "no plan"),
    ("too few", "echo 'ok 1 - a'; echo 1..3", "1 passed, 1 failed", "planned 3 tests, ran 1"),
    ("crash", "echo 'ok 1 - a'; echo 1..1; kill -SEGV $$", "1 passed, 1 failed", "SIGSEGV"),
    ("status", "echo 'ok 1 - a'; echo 1..1; exit 7", "1 passed, 1 failed", "exit status 7"),
    ("bail out", "echo 1..2; echo 'ok 1 - a'; echo 'Bail out! no'; echo 'ok 2 - b'; exit 1",
     "2 passed, 1 failed", "Bail out! no"),
]


class RunTests(t.Test):
    def fake(self, text, name="x"):
        folder = self.path("build/test/unit")
        os.makedirs(folder, exist_ok=True)
        path = os.path.join(folder, "unit-" + name)
        with open(path, "w") as f:
            f.write("#!/bin/sh\n%s\n" % text)
        os.chmod(path, 0o755)

    def runner(self, *args):
        return t.run([RUNNER, "--build", self.path("build"), "--suite", "unit"] + list(args))

    def test_counts(self):
        for row, text, last, named in CASES:
            self.fake(text)
            result = self.runner()
            self.equal(result.text.splitlines()[-1], last, row)
            self.contains(result.text, named, row)
            self.equal(result.status, 0 if " 0 failed" in last else 1, row)

    def test_escapes_what_tests_print(self):
        self.fake("printf 'not ok 1 - a\\033[2J\\n1..1\\n'; exit 1")
        self.check("\033" not in self.runner().text, "an escape sequence got through")

    def test_empty_suite_fails(self):
        os.makedirs(self.path("build"))
        result = self.exits(self.runner(), 1)
        self.contains(result.text, "no tests")

    def test_filter(self):
        self.fake("echo 'ok 1 - a'; echo 1..1", "one")
        self.fake("echo 'not ok 1 - a'; echo 1..1", "two")
        self.equal(self.runner("--filter", "one").text.splitlines()[-1], "1 passed, 0 failed")
        self.exits(self.runner("--filter", "three"), 1)

    def test_ends_and_names_what_is_left_running(self):
        self.fake("setsid sleep 77777 & sleep 0.3; echo 'ok 1 - a'; echo 1..1", "a")
        self.matches(self.runner().text, r"left running, ended: sleep \(\d+\)")
        # The same beside another test, which keeps what is its own.
        self.fake("sleep 3 & kid=$!; sleep 1.5; kill $kid && echo 'ok 1 - a'; echo 1..1", "b")
        result = self.exits(self.runner(), 0)
        self.equal(result.text.count("left running"), 1, result.text)

    def test_side_by_side(self):
        """Two at a time, each with a slot of its own: both wait for the other."""
        for mine, other in ("ab", "ba"):
            self.fake("cd %s; echo $OPSEAL_SLOT >%s; i=0; until [ -s %s ] || [ $i -gt 100 ]; do "
                      "i=$((i+1)); sleep 0.1; done; ! cmp -s a b && [ -s a ] && [ -s b ] && "
                      "echo 'ok 1 - met'; echo 1..1" % (self.dir, mine, other), mine)
        self.equal(self.exits(self.runner(), 0).text.splitlines()[-1], "2 passed, 0 failed", "last line")

    def test_longest_first(self):
        """By what each took the last time; one that failed says nothing of that."""
        for name, rest in (("a", "sleep 0.2; echo 'ok 1 - a'; echo 1..1"), ("b", "echo 'ok 1 - b'; echo 1..1"), ("c", "exit 1")):
            self.fake("echo %s >>%s/order; %s" % (name, self.dir, rest), name)
        times = self.write("build/test-times", "9 unit/b\n50 unit/c\n5 unit/a\n7 e2e/other\n")
        self.runner("--jobs", "1")
        with open(self.path("order")) as f:
            self.equal(f.read().split(), ["c", "b", "a"], "order")
        with open(times) as f:
            self.equal([line.split()[1] for line in f], ["unit/c", "e2e/other", "unit/a", "unit/b"], "remembered")
        self.runner("--jobs", "1")
        with open(self.path("order")) as f:
            self.equal(f.read().split()[3:], ["c", "a", "b"], "order, the second time")


t.main()
