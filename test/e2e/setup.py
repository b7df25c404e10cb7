#!/usr/bin/python3
"""opseal setup and unsetup, on a host of the test's own (lib/hosted.py).

timeout: 300
"""
import errno
import os
import re
import shutil
import signal
import struct
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import hosted
import opsealtest as t
import recorded as r
from faults import Faults
from hosted import DOOR, FORCED

STATE = "/etc/opseal/setup.state"
MAP = "/etc/opseal/shells"
PAM = ("/etc/pam.d/common-account", "/etc/pam.d/common-session",
       "/etc/pam.d/common-session-noninteractive")


class Setup(hosted.Hosted):
    def set_up(self, *args):
        return self.exits(self.opseal("setup", "--yes", *args), 0)

    def unset(self):
        return self.exits(self.opseal("unsetup", "--yes"), 0)

    def test_dry_run_shows_and_changes_nothing(self):
        self.module()
        before = self.snapshot()
        shown = self.exits(self.opseal("setup", "--dry-run"), 0)
        self.same(before, "after --dry-run")
        for part in ("--- /dev/null\n+++ %s\n" % MAP, "+al:2001:/bin/bash\n", "+bo:2002:/bin/sh\n",
                     "--- /etc/shells\n+++ /etc/shells\n", "+%s\n" % DOOR,
                     "-al:x:2001:2001:Al,,,:/home/al:/bin/bash\n",
                     "+al:x:2001:2001:Al,,,:/home/al:%s\n" % DOOR,
                     "+++ /etc/pam.d/common-session\n", "+session optional pam_opseal.so\n"):
            self.contains(shown.text, part, "the diff")
        self.check("\n-root" not in shown.text, "root is touched: %s" % shown.text)
        # It is a diff that patch(1) would take: each hunk is as long as it says.
        for head, body in re.findall(r"(?m)^(@@ .*)\n((?:[-+ ].*\n)+?)(?=@@|--- |\Z)", shown.text):
            a, b = map(int, re.match(r"@@ -\d+,(\d+) \+\d+,(\d+) @@", head).groups())
            lines = body.splitlines()
            self.equal((sum(x[0] != "+" for x in lines), sum(x[0] != "-" for x in lines)),
                       (a, b), head)

    def test_there_and_back(self):
        self.module()
        before = self.snapshot()
        done = self.set_up()
        self.contains(done.text, "recorded from the next login on", "told")
        for name in ("al", "bo", "cy"):
            self.equal(self.shell_of(name), DOOR, name)
        self.equal(self.shell_of("root"), "/bin/bash", "root")
        self.equal(self.shell_of("daemon"), "/usr/sbin/nologin", "who can't log in")
        for line in ("al:2001:/bin/bash", "bo:2002:/bin/sh", "cy:2003:/bin/sh"):
            self.matches(self.read(MAP), "^%s$" % line, MAP)
        self.matches(self.read("/etc/shells"), "^%s$" % DOOR, "/etc/shells")
        self.contains(self.read(PAM[0]), "\naccount optional pam_opseal.so\n", PAM[0])
        for path in PAM[1:]:
            self.contains(self.read(path), "\nsession optional pam_opseal.so\n", path)
        self.equal(os.stat(self.at(STATE)).st_mode & 0o777, 0o600, "the state's mode")
        self.equal(os.stat(self.at(MAP)).st_mode & 0o777, 0o644, "the map's mode")
        self.exits(self.opseal("setup", "--check"), 0)
        middle = self.snapshot()
        self.contains(self.set_up().text, "Nothing to do", "again")
        self.same(middle, "after a second setup")
        self.unset()
        self.same(before, "after unsetup")
        self.contains(self.unset().text, "Nothing is set up", "again")
        self.exits(self.opseal("setup", "--check"), 1)
        self.same(before, "after a second unsetup")

    def test_pam_alone(self):
        """As before the module is removed: its lines go, the door stays; setup puts them back."""
        self.module()
        for path in PAM[:2]:
            self.put(path, self.read(path).rstrip("\n"))
        before = self.snapshot()
        self.set_up()
        middle = self.snapshot()
        shown = self.exits(self.opseal("unsetup", "--pam", "--dry-run"), 0)
        self.contains(shown.text, "-session optional pam_opseal.so", "the diff")
        self.check("passwd" not in shown.text, shown.text)
        self.same(middle, "after --dry-run")
        self.exits(self.opseal("unsetup", "--pam", "--yes"), 0)
        now = self.snapshot()
        self.equal(sorted(p for p in now if now[p] != before.get(p) and "pam.d/" in p), [], "PAM's files")
        self.equal(self.shell_of("al"), DOOR, "al")
        self.check("pam.d" not in self.read(STATE), "the state: " + self.read(STATE))
        self.contains(self.exits(self.opseal("unsetup", "--pam", "--yes"), 0).text, "Nothing is set up in", "again")
        self.exits(self.opseal("setup", "--check"), 1)
        self.set_up()
        self.contains(self.read(PAM[1]), "\nsession optional pam_opseal.so\n", PAM[1])
        self.exits(self.opseal("setup", "--check"), 0)
        self.unset()
        self.same(before, "after unsetup")

    def test_files_that_are_odd(self):
        """No line end, an ACL, a link, another owner and mode: all kept, there and back."""
        self.module()
        for path in ("/etc/passwd", "/etc/shells", PAM[1]):
            text = self.read(path)
            self.put(path, text.rstrip("\n"))
        acl = struct.pack("<I", 2) + b"".join(
            struct.pack("<HHI", *e) for e in ((1, 6, 0xffffffff), (2, 4, 2001), (4, 4, 0xffffffff),
                                              (16, 4, 0xffffffff), (32, 4, 0xffffffff)))
        try:
            os.setxattr(self.at("/etc/passwd"), "system.posix_acl_access", acl)
        except OSError as e:
            if e.errno != errno.EOPNOTSUPP:
                raise
        os.rename(self.at("/etc/shells"), self.at("/etc/shells.real"))
        os.symlink("shells.real", self.at("/etc/shells"))
        os.chown(self.at("/etc/shells.real"), 0, 2001)
        os.chmod(self.at("/etc/shells.real"), 0o640)
        before = self.snapshot()
        self.set_up()
        self.equal(os.readlink(self.at("/etc/shells")), "shells.real", "the link")
        self.contains(self.read("/etc/shells.real"), "\n%s\n" % DOOR, "what it leads to")
        now = self.snapshot()
        for path in ("passwd", "shells.real"):
            self.equal(now[path][1:4], before[path][1:4], "mode and owner of " + path)
            self.equal(now[path][6], before[path][6], "ACL of " + path)
        self.unset()
        self.same(before, "after unsetup")

    def test_changes_by_hand_survive(self):
        self.module()
        self.set_up()
        self.append("/etc/passwd", "di:x:2004:2004::/home/di:/bin/bash\n")
        self.change("/etc/passwd", "2001:Al,,,:", "2001:Alice,,,:")
        self.change("/etc/passwd", "/home/cy:%s" % DOOR, "/home/cy:/bin/bash")
        self.append("/etc/shells", "/opt/shell\n")
        self.append(PAM[1], "session optional pam_other.so\n")
        self.change(MAP, "bo:2002:/bin/sh", "bo:2002:/bin/dash")
        told = self.unset().errtext
        for path in ("/etc/passwd", "/etc/shells", PAM[1], MAP):
            self.contains(told, path + " was changed since", "told")
        self.contains(told, "bo: its shell in the map was changed by hand to /bin/dash", "told")
        self.equal([self.shell_of(n) for n in ("al", "bo", "cy", "di")],
                   ["/bin/bash", "/bin/dash", "/bin/bash", "/bin/bash"], "shells")
        self.contains(self.read("/etc/passwd"), "al:x:2001:2001:Alice,,,:", "GECOS")
        self.check(self.read("/etc/shells").endswith("/opt/shell\n"), "/etc/shells")
        self.check(DOOR not in self.read("/etc/shells"), "the door is in /etc/shells")
        self.check(self.read(PAM[1]).endswith("session optional pam_other.so\n"), PAM[1])
        self.check("pam_opseal" not in self.read(PAM[1]), PAM[1])
        self.equal(self.read(MAP), "bo:2002:/bin/dash\n", "the map")
        self.check(not os.path.exists(self.at(STATE)), "the state is left")

    def test_setup_again_after_changes_by_hand(self):
        self.set_up()
        self.append("/etc/passwd", "di:x:2004:2004::/home/di:/bin/bash\n"
                    "ed:x:2005:2005::/home/ed:%s\n" % DOOR)
        self.change("/etc/passwd", "/home/cy:%s" % DOOR, "/home/cy:/bin/dash")
        self.change(MAP, "bo:2002:/bin/sh", "bo:2002:/bin/dash")
        self.change("/etc/passwd", "al:x:2001:2001:Al,,,:/home/al:%s\n" % DOOR, "")
        check = self.exits(self.opseal("setup", "--check"), 1)
        self.contains(check.text, "Not as set up: /etc/passwd", "--check")
        self.contains(check.errtext, "cy: its shell was changed by hand to /bin/dash", "--check")
        told = self.set_up().errtext
        for part in ("cy: its shell was changed by hand to /bin/dash since; the door is put back",
                     "bo: its shell in the map was changed by hand to /bin/dash",
                     "al: there is no such user any more",
                     "ed: has the door as its shell already, by hand"):
            self.contains(told, part, "told")
        lines = self.read(MAP).splitlines()
        self.equal(sorted(l for l in lines if re.match("(al|bo|cy|di|ed):", l)),
                   ["bo:2002:/bin/dash", "cy:2003:/bin/dash", "di:2004:/bin/bash",
                    "ed:2005:/bin/bash"], "the map")
        self.exits(self.opseal("setup", "--check"), 0)
        self.unset()
        self.equal([self.shell_of(n) for n in ("bo", "cy", "di", "ed")],
                   ["/bin/dash", "/bin/dash", "/bin/bash", "/bin/bash"], "shells")

    def test_whom(self):
        self.set_up("--user", "al")
        self.equal([self.shell_of(n) for n in ("al", "bo", "cy")], [DOOR, "", "/bin/sh"], "--user")
        self.exits(self.opseal("setup", "--check"), 0, "of who was named")
        told = self.set_up("--group", "team").errtext
        self.contains(told, "nobody-there: left alone", "told")
        self.equal([self.shell_of(n) for n in ("al", "bo", "cy")], [DOOR, DOOR, "/bin/sh"],
                   "--group")
        for args, why in ((("--user", "root"), "--root asks for it"),
                          (("--user", "no-such-user"), 'no user "no-such-user"'),
                          (("--group", "no-such-group"), 'no group "no-such-group"')):
            bad = self.exits(self.opseal("setup", "--yes", *args), 2)
            self.contains(bad.errtext, why, args)
        left = self.exits(self.opseal("setup", "--yes", "--user", "daemon"), 0)
        self.contains(left.errtext, "daemon: left alone: its shell is not in /etc/shells", "told")
        self.set_up("--root")
        self.equal([self.shell_of(n) for n in ("root", "cy")], [DOOR, DOOR], "--root")
        self.unset()
        self.equal([self.shell_of(n) for n in ("root", "al", "bo", "cy")],
                   ["/bin/bash", "/bin/bash", "", "/bin/sh"], "unsetup")

    def test_elsewhere(self):
        """An account of another user database: played by a getpwnam() of our own."""
        t.need_program("cc")
        if t.SANITIZE:
            t.skip("the sanitizers' own shims must come first")
        source = self.write("ldap.c", """
            #define _GNU_SOURCE
            #include <dlfcn.h>
            #include <pwd.h>
            #include <string.h>
            struct passwd *getpwnam(const char *name)
            {
                static struct passwd p = { "lena", "x", 900001, 900001, "", "/home/lena", "/bin/bash" };
                if (strcmp(name, "lena") == 0)
                    return &p;
                return ((struct passwd *(*)(const char *))dlsym(RTLD_NEXT, "getpwnam"))(name);
            }
            """)
        shim = self.path("ldap.so")
        subprocess.check_call(["cc", "-shared", "-fPIC", "-w", "-o", shim, source, "-ldl"])
        before = self.snapshot()
        env = {"LD_PRELOAD": shim}
        told = self.exits(self.opseal("setup", "--yes", "--user", "lena", env=env), 0).errtext
        for part in ("lena: not in /etc/passwd", "/etc/sssd/sssd.conf", "[nss]",
                     "override_shell = " + DOOR, "sss_override user-add lena -s " + DOOR):
            self.contains(told, part, "told")
        self.matches(self.read(MAP), "^lena:900001:/bin/bash$", MAP)
        self.unset()
        self.same(before, "after unsetup")

    def test_asks(self):
        before = self.snapshot()
        none = self.exits(self.opseal("setup"), 2, "without a terminal")
        self.contains(none.errtext, "--yes", "the way out")
        for answer in ("n", "", "yeah"):
            term = self.pty(self.argv([hosted.OPSEAL, "setup"]))
            term.expect(r"\[y/N\] ")
            term.line(answer)
            self.equal(term.wait(), 1, "answer %r" % answer)
        self.same(before, "after no")
        term = self.pty(self.argv([hosted.OPSEAL, "setup"]))
        term.expect(r"Change \d files\? \[y/N\] ")
        term.line("y")
        self.equal(term.wait(), 0, "answer y")
        self.equal(self.shell_of("al"), DOOR, "al")

    def test_only_root(self):
        for command in ("setup", "unsetup"):
            no = self.exits(self.enter(["setpriv", "--reuid=2001", "--clear-groups", hosted.OPSEAL,
                                        command, "--yes"]), 4)
            self.contains(self.one_line(no), "try sudo opseal " + command, "the way out")

    def test_a_door_that_must_not_be_one(self):
        before = self.snapshot()
        door = self.at(DOOR)

        def refused(why):
            bad = self.exits(self.opseal("setup", "--yes"), 2, why)
            self.contains(bad.errtext, why, "told")
            self.same(before, why)
        os.chmod(door, 0o777)
        refused("is not root's alone")
        os.chmod(door, 0o711)
        os.chown(door, 2001, 0)
        refused("is not root's alone")
        os.chown(door, 0, 0)
        os.chmod(door, 0o700)
        refused("not everybody may execute it")
        os.chmod(os.path.dirname(door), 0o700)
        os.chmod(door, 0o711)
        refused("not everybody may enter it")
        os.chmod(os.path.dirname(door), 0o777)
        refused("is not root's alone")
        os.chmod(os.path.dirname(door), 0o755)
        shutil.copy2(door, door + ".kept")
        with open(door, "w") as f:
            f.write("#!/bin/sh\nexit 3\n")
        refused("doesn't run (status 3)")
        os.rename(door + ".kept", door)
        self.set_up()
        # One that is gone: --check says so, and unsetup needs none.
        os.rename(door, door + ".away")
        self.contains(self.exits(self.opseal("setup", "--check"), 2).errtext, "opseal-shell", "gone")
        self.unset()
        self.same(before, "after unsetup")

    def test_another_door(self):
        self.set_up("--user", "al")
        bad = self.exits(self.opseal("setup", "--yes", "--door", "force"), 2)
        self.check("opseal unsetup" in bad.errtext or "knows no --forced" in bad.errtext,
                   bad.errtext)

    def test_pam(self):
        told = self.exits(self.opseal("setup", "--dry-run"), 0).errtext
        self.contains(told, "pam_opseal.so is not installed", "without the module")
        self.module()
        self.append(PAM[1], "sessoin optional pam_x.so\n")
        bad = self.exits(self.opseal("setup", "--yes"), 2)
        self.contains(bad.errtext, PAM[1] + ":", "a line that is none")
        self.change(PAM[1], "sessoin", "session")
        # Where a package's profile put it in, there is nothing to do.
        self.append(PAM[1], "session optional pam_opseal.so\n")
        shown = self.set_up().text
        self.check("+++ %s\n" % PAM[1] not in shown, "it is there already")
        self.contains(shown, "+++ %s\n" % PAM[2], "and there it isn't")
        self.unset()
        self.contains(self.read(PAM[1]), "pam_opseal.so", "what wasn't ours")
        self.check("pam_opseal" not in self.read(PAM[2]), "what was")

    def test_pam_module_below_a_prefix(self):
        """make install puts it where PAM doesn't look: then it is named by its path, and
        only if it is root's."""
        folder = "/usr/local/" + self.libdir() + "/security"
        os.makedirs(self.at(folder))
        self.put(folder + "/pam_opseal.so", "")
        before = self.snapshot()
        os.chmod(self.at(folder), 0o777)
        told = self.set_up("--user", "al").errtext
        self.contains(told, "/etc/pam.d is left as it is: %s is not root's alone" % folder, "told")
        os.chmod(self.at(folder), 0o755)
        self.set_up("--user", "al")
        self.contains(self.read(PAM[1]), "\nsession optional %s/pam_opseal.so\n" % folder, PAM[1])
        self.exits(self.opseal("setup", "--check"), 0)
        self.unset()
        self.same(before, "after unsetup")

    def libdir(self):
        with open(os.path.join(t.BUILD, "installed.h")) as f:
            found = re.search(r'OPSEAL_LIBDIR "/usr/local/(.*)"', f.read())
        if found is None:
            t.skip("not built for /usr/local")
        return found[1]

    def test_pam_elsewhere(self):
        """No common-*: the services' own files, with account lines first."""
        self.module()
        for path in PAM:
            os.unlink(self.at(path))
        self.put("/etc/pam.d/sshd", "#%PAM-1.0\nauth include x\naccount sufficient pam_a.so\n"
                 "session include x\n")
        before = self.snapshot()
        self.set_up()
        self.equal(self.read("/etc/pam.d/sshd"),
                   "#%PAM-1.0\nauth include x\naccount optional pam_opseal.so\n"
                   "account sufficient pam_a.so\nsession include x\n"
                   "session optional pam_opseal.so\n", "sshd's")
        self.unset()
        self.same(before, "after unsetup")

    def test_state_that_is_not_to_be_trusted(self):
        self.set_up()
        os.chmod(self.at(STATE), 0o666)
        self.contains(self.exits(self.opseal("unsetup", "--yes"), 3).errtext, "not root's alone",
                      "its mode")
        os.chmod(self.at(STATE), 0o600)
        text = self.read(STATE)
        self.put(STATE, text[:-4], 0o600)
        self.contains(self.exits(self.opseal("unsetup", "--yes"), 2).errtext, "its end is missing",
                      "cut")
        self.put(STATE, text, 0o600)
        self.unset()


class Failing(hosted.Hosted):
    """Nothing half done: a full disk, a disk that can't be written, the n-th call that
    fails, and a kill at each."""

    SIZE = "8m"

    def test_read_only(self):
        before = self.snapshot()
        self.set_up_in("ro", "setup")
        self.same(before, "after setup, read-only")
        self.exits(self.opseal("setup", "--yes"), 0)
        before = self.snapshot()
        self.set_up_in("ro", "unsetup")
        self.same(before, "after unsetup, read-only")

    def set_up_in(self, how, command):
        self.exits(self.enter(["mount", "-o", "remount,bind,%s" % how, "/etc"]), 0)
        bad = self.exits(self.opseal(command, "--yes"), 2)
        self.contains(bad.errtext, "Read-only file system", "told")
        self.exits(self.enter(["mount", "-o", "remount,bind,rw", "/etc"]), 0)

    def test_full(self):
        """As many pages free as n: it works with enough, and does nothing with less."""
        self.module()
        filler = self.at("/etc/filler")
        with open(filler, "wb", buffering=0) as f:
            try:
                while True:
                    f.write(bytes(4096))
            except OSError as e:
                self.equal(e.errno, errno.ENOSPC, "filling")
        size = os.stat(filler).st_size
        for free in range(0, 40):
            os.truncate(filler, size - 4096 * free)
            before = self.snapshot()
            result = self.opseal("setup", "--yes")
            if result.status == 0:
                break
            self.exits(result, 2)
            self.contains(result.errtext, "No space left", "told")
            self.contains(result.errtext, "nothing was changed", "told")
            self.same(before, "%d pages free" % free)
        self.check(free > 1 and result.status == 0, "%d pages free: %r" % (free, result))
        self.exits(self.opseal("unsetup", "--yes"), 0)
        self.same(before, "after unsetup")

    def each(self, number, kinds, command, prepare, after):
        """The command, with its n-th such call failing, for each n there is."""
        faults = Faults(self)
        for n in range(1, 400):
            prepare()
            faults.fail(kinds, number, n - 1, 1)
            result = self.opseal(command, "--yes", env=faults.env)
            hit = faults.failed
            faults.heal()
            if not hit:
                self.exits(result, 0)
                self.check(n > 3, "%s: only %d calls" % (kinds, n))
                return
            with self.during("%s %s of number %d" % (command, kinds, n)):
                after(result)
        self.fail("it never came to an end")

    def test_each_call_fails(self):
        self.module()
        before = self.snapshot()

        def all_or_nothing(result):
            self.exits(result, 2)
            self.same(before, "after it failed: %s" % result.errtext)
        for kinds in ("rename", "sync", "open", "write"):
            self.each(errno.EIO, kinds, "setup", lambda: None, all_or_nothing)
            self.exits(self.opseal("unsetup", "--yes"), 0)
            self.same(before, "after unsetup")

    def test_each_call_of_unsetup_fails(self):
        self.module()
        before = self.snapshot()

        def again(result):
            if result.status == 0:  # what could not be removed wasn't there
                self.same(before, "after unsetup")
                return
            self.exits(result, 2)
            self.exits(self.opseal("unsetup", "--yes"), 0)
            self.same(before, "after a second unsetup")

        def set_up():
            self.exits(self.opseal("setup", "--yes"), 0)
        for kinds in ("rename", "sync", "unlink"):
            self.each(errno.EIO, kinds, "unsetup", set_up, again)
            self.same(before, "after unsetup")

    def test_killed_and_back(self):
        """Killed at each call: unsetup makes it all as it was."""
        self.module()
        before = self.snapshot()

        def back(result):
            self.exits(result, -signal.SIGKILL)
            self.exits(self.opseal("unsetup", "--yes"), 0)
            self.same(before, "after unsetup")
        for kinds in ("rename", "sync", "open", "write", "unlink"):
            self.each(0, kinds, "setup", lambda: None, back)
            self.exits(self.opseal("unsetup", "--yes"), 0)

    def test_killed_and_on(self):
        """Killed at each call: setup goes on, and unsetup after it makes all as it was."""
        self.module()
        before = self.snapshot()
        self.exits(self.opseal("setup", "--yes"), 0)
        whole = self.snapshot()
        self.exits(self.opseal("unsetup", "--yes"), 0)

        def on(result):
            self.exits(result, -signal.SIGKILL)
            self.exits(self.opseal("setup", "--yes"), 0)
            self.same(whole, "after a second setup")
            self.exits(self.opseal("unsetup", "--yes"), 0)
            self.same(before, "after unsetup")
        self.each(0, "rename sync open", "setup", lambda: None, on)

    def test_unsetup_killed(self):
        self.module()
        before = self.snapshot()

        def set_up():
            self.exits(self.opseal("setup", "--yes"), 0)

        def back(result):
            self.exits(result, -signal.SIGKILL)
            self.exits(self.opseal("unsetup", "--yes"), 0)
            self.same(before, "after a second unsetup")
        for kinds in ("rename", "sync", "unlink"):
            self.each(0, kinds, "unsetup", set_up, back)


class Force(hosted.Hosted):
    """The door as sshd's ForceCommand, with Debian's sshd."""

    DROPIN = "/etc/ssh/sshd_config.d/50-opseal.conf"

    def setup(self):
        t.need_program("ssh-keygen")
        if not os.path.exists("/usr/sbin/sshd"):
            t.skip("sshd is not installed")
        super().setup()
        if self.enter([FORCED, "--forced", "--help"]).status != 0:
            t.skip("this opseal-door has no --forced")
        os.makedirs(self.at("/run/sshd"), 0o755)
        os.makedirs(self.at("/etc/ssh/sshd_config.d"), 0o755, exist_ok=True)
        self.put("/etc/ssh/sshd_config", "Include /etc/ssh/sshd_config.d/*.conf\n"
                 "UsePAM no\nPort 2222\nListenAddress 127.0.0.1\n"
                 "Subsystem sftp /usr/lib/openssh/sftp-server\n")
        self.exits(self.enter(["ssh-keygen", "-A"]), 0)

    def keys(self, name, text):
        self.put("/home/%s/.ssh/authorized_keys" % name, text)

    def effective(self, name):
        done = self.exits(self.enter(
            ["/usr/sbin/sshd", "-T", "-C", "user=%s,host=x,addr=127.0.0.1" % name]), 0)
        return re.search(r"(?m)^forcecommand (.*)$", done.text)[1]

    def test_there_and_back(self):
        before = self.snapshot()
        self.exits(self.opseal("setup", "--yes", "--door", "force"), 0)
        self.equal(self.effective("al"), FORCED + " --forced", "al")
        self.equal(self.effective("root"), "none", "root")
        self.equal(self.shell_of("al"), "/bin/bash", "its shell")
        self.exits(self.opseal("setup", "--check"), 0)
        self.append("/etc/passwd", "di:x:2004:2004::/home/di:/bin/bash\n")
        self.exits(self.opseal("setup", "--check"), 1)
        self.exits(self.opseal("setup", "--yes"), 0)
        self.equal(self.effective("di"), FORCED + " --forced", "who came later")
        self.change("/etc/passwd", "di:x:2004:2004::/home/di:/bin/bash\n", "")
        self.exits(self.opseal("unsetup", "--yes"), 0)
        self.same(before, "after unsetup")

    def test_refusals(self):
        self.keys("al", "ssh-ed25519 AAAA al\ncommand=\"borg serve\" ssh-ed25519 AAAA backup\n")
        done = self.exits(self.opseal("setup", "--yes", "--door", "force"), 5)
        self.contains(done.errtext, "al: refused: it has a restricted key (/home/al/.ssh/"
                      "authorized_keys, line 2: command)", "told")
        self.equal((self.effective("al"), self.effective("bo")), ("none", FORCED + " --forced"),
                   "al and bo")
        self.exits(self.opseal("unsetup", "--yes"), 0)
        config = self.read("/etc/ssh/sshd_config")
        for more, why in (("Match User bo\nChrootDirectory /srv\n", "ChrootDirectory"),
                          ("Match User bo\nForceCommand /bin/menu\n", "has a ForceCommand"),
                          ("AuthorizedKeysCommand /bin/keys\nAuthorizedKeysCommandUser nobody\n",
                           "AuthorizedKeysCommand"),
                          ("TrustedUserCAKeys /etc/ssh/ca.pub\n", "TrustedUserCAKeys")):
            self.put("/etc/ssh/sshd_config", config + more)
            told = self.opseal("setup", "--dry-run", "--door", "force", "--user", "bo").errtext
            self.matches(told, "bo: refused: .*" + why, more)
        self.put("/etc/ssh/sshd_config",
                 config.replace("/usr/lib/openssh/sftp-server", "internal-sftp"))
        told = self.opseal("setup", "--dry-run", "--door", "force", "--user", "bo").errtext
        self.matches(told, "bo: refused: .*internal-sftp", "internal-sftp")

    def test_configuration_without_the_folder(self):
        before = self.snapshot()
        self.change("/etc/ssh/sshd_config", "Include", "#Include")
        bad = self.exits(self.opseal("setup", "--yes", "--door", "force"), 2)
        self.contains(bad.errtext, "put this line at its top: Include", "the way out")
        self.change("/etc/ssh/sshd_config", "#Include", "Include")
        self.append("/etc/ssh/sshd_config", "NoSuchKeyword yes\n")
        bad = self.exits(self.opseal("setup", "--yes", "--door", "force"), 2)
        self.contains(bad.errtext, "NoSuchKeyword", "sshd's own words")
        self.change("/etc/ssh/sshd_config", "NoSuchKeyword yes\n", "")
        self.same(before, "after refusals")

    def test_file_changed_by_hand(self):
        self.exits(self.opseal("setup", "--yes", "--door", "force", "--user", "al"), 0)
        self.append(self.DROPIN, "Match User cy\n\tForceCommand /bin/menu\n")
        text = self.read(self.DROPIN)
        bad = self.exits(self.opseal("setup", "--yes", "--user", "bo"), 2)
        self.contains(bad.errtext, "was changed by hand", "setup")
        told = self.exits(self.opseal("unsetup", "--yes"), 0).errtext
        self.contains(told, self.DROPIN + " is left", "unsetup")
        self.equal(self.read(self.DROPIN), text, "the file")

    def test_sshd_is_told(self):
        log = open(self.path("sshd.log"), "wb")
        self.later(log.close)
        server = subprocess.Popen(self.argv(["/usr/sbin/sshd", "-D", "-e"]), stderr=log)
        self.later(lambda: server.wait(20))
        self.later(server.kill)

        def said(what, times=1):
            def look():
                with open(self.path("sshd.log")) as f:
                    return f.read().count(what) == times
            t.wait_for("%r of sshd" % what, look)
        said("Server listening")
        done = self.exits(self.opseal("setup", "--yes", "--door", "force"), 0)
        self.contains(done.text, "SIGHUP to process %d" % server.pid, "told")
        said("Received SIGHUP")
        said("Server listening", 2)
        self.equal(server.poll(), None, "its status, going on")


class Snippets(hosted.Hosted):
    def test_print(self):
        line = self.exits(self.opseal("setup", "--print", "ssm"), 0)
        self.matches(line.text, r"\Aexec %s --run /run/opseal .*\n\Z" % FORCED, "ssm")
        self.contains(line.errtext, "shellProfile.linux", "where it goes")
        profile = self.exits(self.opseal("setup", "--print", "profile"), 0).text
        self.contains(profile, "exec " + FORCED, "profile")
        self.exits(self.enter(["sh", "-n"], stdin=profile.encode()), 0)
        bad = self.exits(self.opseal("setup", "--print", "x"), 2)
        self.contains(bad.errtext, "profile and ssm", "the way out")

    def test_nobody_is_locked_out(self):
        """No daemon answers: there is a shell all the same, and only once."""
        self.put("/etc/profile.d/opseal.sh",
                 self.exits(self.opseal("setup", "--print", "profile"), 0).text)
        term = self.pty(self.argv(["/bin/bash", "-l"]), env={"SHELL": "/bin/bash"})
        term.line("echo is'-'here")
        term.expect("is-here")
        self.equal(bytes(term.out).count(b"no daemon answers"), 1, "told once")
        term.line("exit 7")
        self.equal(term.wait(), 7, "its status")


class Login(hosted.Hosted):
    """What it is for: with the real door and a daemon."""

    def setup(self):
        super().setup()

    def login(self):
        """A login of al; what it showed, and its status."""
        term = self.pty(self.argv(["su", "-", "al"]))
        term.expect(r"\$ ")
        term.line("echo $0 $SHELL; exit 3")
        status = term.wait()
        return bytes(term.out), status

    def test_is_recorded_from_setup_to_unsetup(self):
        inst = self.instance()
        os.makedirs(self.at("/run/opseal"))
        self.exits(self.enter(["mount", "--bind", inst.run_dir, "/run/opseal"]), 0)

        def sessions():
            return r.json_lines(inst.opseal("ls", "--json"))
        before = self.login()
        self.contains(before[0].decode(), "-bash /bin/bash", "before")
        told = self.exits(self.opseal("setup", "--yes", "--user", "al"), 0).errtext
        self.check("no daemon" not in told, told)
        self.equal(sessions(), [], "sessions before")
        after = self.login()
        self.contains(after[0].decode(), "-bash /bin/bash", "after")
        self.equal((before[1], after[1]), (3, 3), "status; %r" % after[0])
        t.wait_for("the session's end", lambda: [s for s in sessions() if s["end"]])
        self.equal(len(sessions()), 1, "sessions")
        self.contains(inst.opseal("cat", "last").text, "-bash /bin/bash", "what is in the log")
        self.exits(self.opseal("unsetup", "--yes"), 0)
        self.equal(self.login()[1], 3, "status, unset up")
        self.equal(len(sessions()), 1, "sessions, unset up")


t.main()
