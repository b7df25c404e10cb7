#!/usr/bin/python3
# What README.md shows is what the demo does today, in all but ids and times.
# timeout: 180
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import opsealtest as t

TOOL = os.path.join(t.SOURCE, "tools/readme-transcript")


class Readme(t.Test):
    def test_transcript_has_the_demos_shape(self):
        t.need_root("root, to capture programs as README shows them")
        result = t.run([TOOL, "--check", "--build", t.BUILD], timeout=150)
        # What differs comes first: a log may keep only the start of a line.
        self.check(result.status == 0, "%s%r" % (result.text, result))


t.main()
