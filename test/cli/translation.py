#!/usr/bin/python3
# README.ja.md says the same as README.md: what can be compared is compared.
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import opsealtest as t


def text(name):
    with open(os.path.join(t.SOURCE, name), encoding="utf-8") as f:
        return f.read()


def codes(readme):
    """What stands in `...`, but in blocks and in the table of numbers, which the
    translation leaves to README.md."""
    readme = re.sub(r"(?s)```.*?```|<!-- numbers: begin -->.*?<!-- numbers: end -->", "", readme)
    return set(re.findall(r"`([^`\n]+)`", readme))


class Translation(t.Test):
    def test_blocks_of_code(self):
        ours, theirs = ((re.findall(r"(?ms)^```.*?^```$", text(n))) for n in ("README.md", "README.ja.md"))
        self.check(len(ours) >= 3, "few blocks of code")
        self.equal(theirs, ours, "blocks of code")

    def test_sections_commands_and_promises(self):
        ours, theirs = text("README.md"), text("README.ja.md")
        self.equal(theirs.count("\n## "), ours.count("\n## "), "sections")
        self.equal(sorted(codes(theirs)), sorted(codes(ours)), "what stands in backticks")
        for rx in (r"(?m)^\| (P\d) \|", r"(?m)^\| (`opseal [^|]*`)"):
            self.equal([c.replace("、", ", ") for c in re.findall(rx, theirs)], re.findall(rx, ours), rx)


t.main()
