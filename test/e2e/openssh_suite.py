#!/usr/bin/python3
# timeout: 5400
"""OpenSSH's own regression suite (Debian's openssh-tests), as an account whose shell is
the door and as one whose shell isn't: the same of its tests pass.

Only some that test what a session does; OPSEAL_WHOLE_SUITE=1 takes all, which is more than
half an hour (or what it names, "rekey agent"): most of them are about keys, names and configuration, and never come by a shell.
Both hosts run at once: most of the time is spent waiting."""
import concurrent.futures
import os
import re
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import opsealtest as t
import sshhost

SUITE = "/usr/lib/openssh/regress"
WHOLE = os.environ.get("OPSEAL_WHOLE_SUITE")
SESSIONS = """connect exit-status exit-status-signal envpass transfer stderr-data stderr-after-eof broken-pipe
    yes-head multiplex forcecommand key-options scp sftp""".split()


class Suite(sshhost.Twin):
    def begin(self, host):
        """A copy that the account may write to; gives what to run there.  Terminals are as on any
        host: of group tty from the first, as the suite's own sshd, not being root, can't give them to it."""
        host.run(["mount", "-t", "devpts", "-o", "newinstance,gid=5,mode=620,ptmxmode=666", "devpts", "/dev/pts"])
        where = "/home/anna/regress"
        host.run(["cp", "-a", SUITE, where])
        host.run(["chown", "-R", "anna:", where])
        return ["setpriv", "--reuid", "anna", "--regid", "anna", "--init-groups", "env", "-i",
                "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/home/anna", "USER=anna", "LOGNAME=anna",
                "SHELL=/bin/bash", "TERM=dumb", "make", "-s", "-C", where, ".OBJDIR=" + where,
                ".CURDIR=" + where, "BUILDDIR=" + where, "OBJ=" + where, "SUDO=", "TEST_SHELL=sh",
                "TEST_SSH_SSH=ssh", "TEST_SSH_IPV6=no", "TEST_SSH_SFTPSERVER=/usr/lib/openssh/sftp-server",
                "TEST_SSH_ECC=yes", "TEST_SSH_UNSAFE_PERMISSIONS=1", "USERNAME=anna", "t-exec"]

    def results(self, host, names):
        """{test: whether it passes}, and what those that don't said."""
        argv, passes, said = self.begin(host), {}, ""
        for name in names:
            began = time.monotonic()
            try:
                got = host.run(argv + ["LTESTS=" + name], timeout=2400)
            except AssertionError as e:  # no end
                passes[name], text = False, str(e)
            else:
                passes[name], text = got.status == 0, got.text + got.errtext
            if WHOLE:
                print("# %4d s, %s: %s %s" % (time.monotonic() - began, os.path.basename(host.folder), name,
                                              "passes" if passes[name] else "fails"), flush=True)
            if not passes[name]:
                said += "%s: %s" % (name, text[-1500:])
        return passes, said

    def test_sessions(self):
        if not os.path.exists(SUITE):
            t.skip("openssh-tests isn't installed")
        t.need_program("make", "setpriv")
        names = (WHOLE or "").split() or SESSIONS
        if WHOLE == "1":
            with open(SUITE + "/Makefile") as f:
                names = re.search(r"(?s)\nLTESTS=(.*?)\n\n", f.read())[1].replace("\\", "").split()
        with concurrent.futures.ThreadPoolExecutor() as pool:
            both = {name: pool.submit(self.results, host, names) for name, host in self.hosts.items()}
            plain, said = both["plain"].result()
            self.check(sum(plain.values()) > 0.8 * len(names), "without the door many fail:\n" + said)
            door, said = both["door"].result()
        self.equal([n for n in names if door[n] != plain[n]], [], "results that the door changes:\n" + said)
        self.check(len(self.sessions()) > (len(names) if WHOLE else 50), "%d sessions" % len(self.sessions()))
        print("# pass: %d of %d; not, with the door or without: %s" % (
            sum(door.values()), len(names), " ".join(n for n in names if not plain[n])))


t.main()
