#!/usr/bin/python3
# The rpm: built from the spec, and linted.
#
# timeout: 1200 (it compiles all programs)
import glob
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import debian
import opsealtest as t

# Nobody runs what is built here: as in e2e/install it is compiled fast.
FAST = "-O0 -g0 -U_FORTIFY_SOURCE"


class Rpm(t.Test):
    def test_builds_and_lints(self):
        t.need_program("rpmbuild", "rpmlint", "meson", "ninja")
        spec = os.path.join(t.SOURCE, "packaging/opseal.spec")
        with open(spec) as f:
            text = f.read()
        self.equal(re.search(r"(?m)^Version: +(\S+)$", text)[1], debian.version(), "its version")
        top = self.path("rpm")
        os.makedirs(top + "/SOURCES")
        tree = debian.copy_tree(self.dir)
        self.exits(t.run(["tar", "-C", self.dir, "-czf", "%s/SOURCES/opseal-%s.tar.gz" % (top, debian.version()),
                          os.path.basename(tree)]), 0, "tar")
        # Debian's rpm has no database to find what building needs in.
        self.exits(t.run(["rpmbuild", "-bb", "--nodeps", "--quiet", "--define", "_topdir " + top, spec],
                         timeout=900, env={"MAKEFLAGS": "", "LC_ALL": "C", "CFLAGS": FAST}), 0, "rpmbuild")
        rpms = glob.glob(top + "/RPMS/*/*.rpm")
        self.equal(len(rpms), 1, "packages")
        rc = os.path.join(t.SOURCE, "packaging/opseal.rpmlintrc")
        result = t.run(["rpmlint", "-r", rc] + rpms + [spec], timeout=300)
        self.contains(self.exits(result, 0, "rpmlint").text, " 0 errors, 0 warnings", "rpmlint")


t.main()
