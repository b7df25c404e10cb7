"""hosted - a host of a test's own: a mount namespace with copies of /etc, /home and
/usr/local, in which opseal is installed.  What is changed there is gone with it, and
nothing of this machine is."""
import hashlib
import os
import shutil
import stat
import subprocess
import time

import opsealtest as t

DOOR = "/usr/local/libexec/opseal/opseal-shell"
FORCED = "/usr/local/libexec/opseal/opseal-door"
OPSEAL = "/usr/local/bin/opseal"
MODULE = "pam_opseal.so"
MAKE = r"""
set -e
base=$1
mount --make-rprivate /
mkdir -p $base/etc $base/home $base/local $base/run $base/security
mount -t tmpfs -o mode=755,size=%s tmpfs $base/etc
for d in home local run security; do mount -t tmpfs -o mode=755 tmpfs $base/$d; done
cp -a /etc/. $base/etc/
for d in etc home run; do mount --bind $base/$d /$d; done
mount --bind $base/local /usr/local
echo ready
exec cat
"""
# What the accounts of a usual server are, beside those of the machine.
PEOPLE = ("al:x:2001:2001:Al,,,:/home/al:/bin/bash\n"
          "bo:x:2002:2002::/home/bo:\n"
          "cy:x:2003:2003:Cy:/home/cy:/bin/sh\n")


class Hosted(t.Test):
    SIZE = "32m"  # of /etc

    def setup(self):
        t.need_root()
        t.need_program("unshare", "nsenter")
        self.holder = subprocess.Popen(
            ["unshare", "--mount", "sh", "-c", MAKE % self.SIZE, "sh", self.dir],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.later(self.stop)
        if self.holder.stdout.readline() != b"ready\n":
            t.skip("no mount namespace of its own can be made here")
        self.install()
        self.people()

    def stop(self):
        self.holder.stdin.close()
        self.holder.wait(20)

    def at(self, path):
        """The path of a file of that host, from here."""
        return "/proc/%d/root%s" % (self.holder.pid, path)

    def install(self):
        for folder in ("bin", "libexec/opseal"):
            os.makedirs(self.at("/usr/local/" + folder), 0o755, exist_ok=True)
        shutil.copy2(t.program("opseal"), self.at(OPSEAL))
        shutil.copy2(t.program("opseal-shell"), self.at(DOOR))
        shutil.copy2(t.program("opseal-door"), self.at(FORCED))
        for path, mode in ((OPSEAL, 0o755), (DOOR, 0o711), (FORCED, 0o711)):
            os.chown(self.at(path), 0, 0)
            os.chmod(self.at(path), mode)
        os.makedirs(self.at("/etc/opseal"), 0o755, exist_ok=True)
        os.chmod(self.at("/etc/opseal"), 0o755)
        # As on any host where an account was ever made.
        self.append("/etc/.pwd.lock", "")
        os.chmod(self.at("/etc/.pwd.lock"), 0o600)

    def people(self):
        self.append("/etc/passwd", PEOPLE)
        self.append("/etc/group", "team:x:2100:bo,nobody-there\n")
        for line in PEOPLE.splitlines():
            name, _, uid = line.split(":")[:3]
            self.append("/etc/shadow", name + ":*:19000:0:99999:7:::\n")
            self.append("/etc/group", "%s:x:%s:\n" % (name, uid))
            os.makedirs(self.at("/home/%s/.ssh" % name))
            os.chown(self.at("/home/" + name), int(uid), int(uid))

    def module(self):
        """Put a PAM module of that name where PAM looks; nothing loads it here."""
        folder = self.enter(["sh", "-c", "ls -d /lib/*/security | head -1"]).text.strip()
        if not folder:
            t.skip("PAM is not installed")
        self.exits(self.enter(["sh", "-c", "cp -a $1/pam_permit.so $2/ && mount --bind $2 $1",
                               "sh", folder, self.dir + "/security"]), 0)
        shutil.copy2(self.at(folder + "/pam_permit.so"), self.at(folder + "/" + MODULE))

    # ---- files ----

    def read(self, path):
        with open(self.at(path), "rb") as f:
            return f.read().decode(errors="backslashreplace")

    def put(self, path, text, mode=0o644):
        with open(self.at(path), "w") as f:
            f.write(text)
        os.chmod(self.at(path), mode)

    def append(self, path, text):
        with open(self.at(path), "a") as f:
            f.write(text)

    def change(self, path, old, new):
        text = self.read(path)
        self.check(old in text, "%s: no %r" % (path, old))
        with open(self.at(path), "w") as f:
            f.write(text.replace(old, new))

    def shell_of(self, name):
        for line in self.read("/etc/passwd").splitlines():
            fields = line.split(":")
            if fields[0] == name:
                return fields[6]
        return None

    def snapshot(self):
        """What there is in /etc: all but times."""
        found = {}
        root = self.at("/etc")
        for folder, dirs, names in os.walk(root):
            for name in dirs + names:
                path = os.path.join(folder, name)
                st = os.lstat(path)
                what = [stat.S_IFMT(st.st_mode), stat.S_IMODE(st.st_mode), st.st_uid, st.st_gid,
                        st.st_nlink if not stat.S_ISDIR(st.st_mode) else 0]
                if stat.S_ISLNK(st.st_mode):
                    what.append(os.readlink(path))
                elif stat.S_ISREG(st.st_mode):
                    with open(path, "rb") as f:
                        what.append(hashlib.sha256(f.read()).hexdigest())
                    what.append([(x, os.getxattr(path, x)) for x in sorted(os.listxattr(path))])
                found[os.path.relpath(path, root)] = what
        return found

    def same(self, before, what):
        now = self.snapshot()
        changed = sorted(p for p in set(now) | set(before) if now.get(p) != before.get(p))
        self.equal(changed, [], what + ": what is not as before in /etc")

    # ---- programs ----

    def argv(self, argv):
        return ["nsenter", "-m", "-t", str(self.holder.pid), "--"] + list(argv)

    def enter(self, argv, **options):
        return t.run(self.argv(argv), **options)

    def opseal(self, *args, **options):
        return self.enter([OPSEAL] + list(args), **options)
