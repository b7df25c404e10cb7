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
        self.exits(result, 0)


t.main()
