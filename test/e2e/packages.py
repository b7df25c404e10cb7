#!/usr/bin/python3
# The Debian packages: linted, installed, upgraded, removed and purged in a fresh
# Debian of its own, a folder below /tmp.  The rpm has a file of its own.
#
# timeout: 1200 (it may have to build them, which systemd.py shares, and fetches a Debian)
import atexit
import glob
import os
import re
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import debian
import opsealtest as t

# Of what is installed, what isn't 0755 (folders and programs) or 0644.
MODES = {"/usr/libexec/opseal/opseal-door": 0o711, "/usr/libexec/opseal/opseal-shell": 0o711}
DOOR = "/usr/libexec/opseal/opseal-shell"
PROGRAMS = ["/usr/bin/opseal", "/usr/sbin/opseald", "/usr/libexec/opseal/opseal-rec",
            "/usr/libexec/opseal/opseal-door", "/usr/libexec/opseal/opseal-shell"]
THERE = PROGRAMS + [
    "/etc/opseal/opseal.conf", "/etc/opseal/mask-rules",
    "/usr/lib/sysusers.d/opseal.conf", "/usr/lib/tmpfiles.d/opseal.conf",
    "/usr/share/bash-completion/completions/opseal",
    "/usr/share/zsh/vendor-completions/_opseal",
    "/usr/share/fish/vendor_completions.d/opseal.fish",
    "/usr/share/doc/opseal/README.Debian"] + [
    "/usr/share/man/man%s/%s.gz" % (name[-1], name)
    for name in os.listdir(os.path.join(t.SOURCE, "doc/man")) if name != "pam_opseal.8"]
# Own mounts, so that nothing of the host is in reach and nothing stays mounted.
INSIDE = """mount -t proc proc "$0/proc" && mount -t tmpfs tmpfs "$0/run" &&
exec chroot "$0" "$@"
"""
_folder = None
_root = None


def folder():
    global _folder
    if _folder is None:
        _folder = tempfile.mkdtemp(prefix="opspkg.", dir="/tmp")
        os.chmod(_folder, 0o755)
        atexit.register(shutil.rmtree, _folder, ignore_errors=True)
    return _folder


class Debian(t.Test):
    def setup(self):
        t.need_root("root: a chroot, and files of root's in it")
        t.need_program("dpkg-buildpackage", "dh", "mmdebstrap", "lintian", "unshare")

    def done(self, argv, **options):
        return self.exits(t.run(argv, timeout=900, **options), 0, " ".join(map(str, argv))[:60])

    def debian(self):
        """A fresh Debian, to be changed."""
        global _root
        if _root is None:
            # With apt's lists: it fetches what the package depends on.
            kept = debian.root("fresh", options=["--skip=cleanup/apt/lists"])
            _root = os.path.join(folder(), "debian")
            self.done(["cp", "-a", kept, _root])
        return _root

    def inside(self, *argv, **options):
        return t.run(["unshare", "-m", "--propagation", "private", "sh", "-c", INSIDE, _root] + list(argv),
                     timeout=600, env={"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C",
                                       "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
                     **options)

    def well(self, *argv):
        return self.exits(self.inside(*argv), 0, " ".join(argv))

    def install(self, debs):
        os.makedirs(_root + "/debs", exist_ok=True)
        for deb in debs:
            shutil.copy(deb, _root + "/debs")
        return self.well("apt-get", "-qq", "-y", "--no-install-recommends", "-o", "Dpkg::Use-Pty=0",
                         "install", *("/debs/" + os.path.basename(d) for d in debs))

    def named(self):
        """All that has opseal in its name, but the log itself and the package file."""
        out = self.done(["find", _root, "-xdev", "-name", "*opseal*", "-not", "-path", _root + "/var/lib/opseal/*",
                         "-not", "-path", _root + "/var/lib/dpkg/*", "-not", "-path", _root + "/debs/*"])
        return sorted(p[len(_root):] for p in out.text.splitlines())

    def test_versions_are_one(self):
        with open(os.path.join(t.SOURCE, "debian/changelog")) as f:
            self.equal(re.match(r"opseal \(([^)]+)\)", f.readline())[1], debian.version(), "debian/changelog")

    def test_lintian(self):
        for deb in debian.packages():
            result = t.run(["lintian", "--allow-root", "-EvIL", "+pedantic", "--fail-on",
                            "error,warning,info,pedantic", deb], timeout=300)
            self.exits(result, 0, "lintian")

    def test_install_upgrade_remove_purge(self):
        debs = debian.packages()
        self.equal([os.path.basename(d).split("_")[0] for d in debs], ["libpam-opseal", "opseal"], "packages")
        self.debian()
        self.equal(self.named(), [], "before")
        self.install(debs)
        self.check_files()
        self.check_users()
        self.equal(os.listdir(_root + "/var/lib/opseal"), [], "what the installer put into the store")
        self.first_start()

        config = _root + "/etc/opseal/opseal.conf"
        with open(config, "a") as f:
            f.write("# ours\n")
        owner = os.stat(_root + "/var/lib/opseal").st_uid
        debs = [debian.bumped(deb, self.dir) for deb in debs]
        self.install(debs)
        with open(_root + "/usr/share/doc/opseal/README.Debian") as f:
            self.contains(f.read(), "bumped", "the new version's file")
        with open(config) as f:
            self.contains(f.read(), "# ours", "what an administrator wrote, after the upgrade")
        self.check_files()

        self.remove_the_module(debs)

        # A module that PAM is told to load stays where it is.
        pam = self.write_in("/etc/pam.d/service", "session optional pam_opseal.so\n")
        refused = self.inside("dpkg", "--remove", "libpam-opseal")
        self.check(refused.status != 0, "removed, though PAM loads it")
        self.contains(refused.errtext, "PAM's configuration names the module:\n/etc/pam.d/service\n", "why")
        self.equal(len(self.module()), 1, "the module")
        self.write_in("/etc/pam.d/service", "# session optional pam_opseal.so\n-session optional pam_opseal.so\n")
        self.well("dpkg", "--remove", "libpam-opseal")
        self.equal(self.module(), [], "the module after remove")
        os.unlink(pam)

        # Of the accounts that have the door for a shell: unsetup first, or nothing.
        state = self.write_in("/etc/opseal/setup.state", "kept by the test\n")
        stub = self.write_in("/usr/local/sbin/opseal", "#!/bin/sh\necho \"$@\" >> /ran; exit 2\n", 0o755)
        refused = self.inside("dpkg", "--remove", "opseal")
        self.check(refused.status != 0, "removed, though accounts have the door")
        self.contains(refused.errtext, "opseal: not removed, since", "why")
        for path in PROGRAMS:
            self.check(os.path.exists(_root + path), path + " is gone, though it was refused")
        self.write_in("/usr/local/sbin/opseal", "#!/bin/sh\necho \"$@\" >> /ran; rm /etc/opseal/setup.state\n", 0o755)
        self.well("dpkg", "--remove", "opseal")
        with open(_root + "/ran") as f:
            self.equal(f.read(), "unsetup --yes\n" * 2, "what prerm ran")
        self.check(not os.path.exists(state), "setup's state")
        os.unlink(stub)
        for path in PROGRAMS:
            self.check(not os.path.exists(_root + path), path + " after remove")
        self.check(os.path.exists(config), "remove took the configuration")

        self.write_in("/etc/opseal/people", "of the administrator's\n")
        result = self.well("dpkg", "--purge", "opseal", "libpam-opseal")
        self.contains(result.errtext, "the log is kept in /var/lib/opseal", "purge's words")
        self.equal(self.named(), ["/var/lib/opseal"], "after purge")
        self.check(os.path.isdir(_root + "/var/lib/opseal/keys"), "purge took the log")
        self.equal(os.stat(_root + "/var/lib/opseal").st_uid, owner, "the log's owner")
        self.check_users()

    def remove_the_module(self, debs):
        """What names it goes before it, and no more: the door stays."""
        def shell():
            return self.well("getent", "passwd", "anna").text.strip().split(":")[6]

        def pam():
            return {name: open(os.path.join(_root, "etc/pam.d", name), "rb").read()
                    for name in os.listdir(_root + "/etc/pam.d")}
        state = _root + "/etc/opseal/setup.state"
        self.well("useradd", "-m", "-s", "/bin/bash", "anna")
        before = pam()
        self.well("opseal", "setup", "--yes")
        self.equal(shell(), DOOR, "her shell")
        self.contains(pam()["common-session"], b"session optional pam_opseal.so", "PAM's file")
        self.well("dpkg", "--remove", "libpam-opseal")
        self.equal(pam(), before, "PAM's files after remove")
        self.equal(self.module(), [], "the module after remove")
        self.equal(shell(), DOOR, "her shell after remove")
        self.exits(self.inside("opseal", "setup", "--check"), 0, "setup --check")
        self.contains(self.well("opseal", "unsetup", "--pam", "--yes").text, "Nothing is set up in /etc/pam.d/", "once more")
        with open(state) as f:
            self.check("pam.d" not in f.read(), "the state still names PAM's files")
        # Installed again, setup puts the lines back; unsetup takes back all.
        self.install([d for d in debs if "libpam" in d])
        self.well("opseal", "setup", "--yes")
        self.contains(pam()["common-session"], b"session optional pam_opseal.so", "PAM's file again")
        self.well("opseal", "unsetup", "--yes")
        self.equal((pam(), shell(), os.path.exists(state)), (before, "/bin/bash", False), "after unsetup")

    def module(self):
        return glob.glob(_root + "/usr/lib/*/security/pam_opseal.so")

    def write_in(self, path, text, mode=0o644):
        with open(_root + path, "w") as f:
            f.write(text)
        os.chmod(_root + path, mode)
        return _root + path

    def check_files(self):
        listed = self.well("dpkg", "-L", "opseal").text.split()
        for path in THERE:
            self.check(path in listed, path + " is not in the package")
        self.check(any(p.endswith("/systemd/system/opseald.service") for p in listed), "no unit")
        for path in listed:
            if path == "/.":
                continue
            entry = os.lstat(_root + path)
            self.equal((entry.st_uid, entry.st_gid), (0, 0), "owner of " + path)
            if os.path.islink(_root + path):
                continue
            wanted = 0o755 if os.path.isdir(_root + path) or path in PROGRAMS else 0o644
            self.equal(oct(entry.st_mode & 0o7777), oct(MODES.get(path, wanted)), "mode of " + path)
        conffiles = self.well("dpkg-query", "-W", "-f", "${Conffiles}", "opseal").text
        for path in listed:
            if path.startswith("/etc/opseal/"):
                self.contains(conffiles, " %s " % path, "conffiles")

    def check_users(self):
        user = self.well("getent", "passwd", "opseal").text.strip().split(":")
        self.equal(user[5:], ["/nonexistent", "/usr/sbin/nologin"], "home and shell of opseal")
        self.check(0 < int(user[2]) < 1000, "opseal is no system user")
        self.well("getent", "group", "opseal-read")

    def first_start(self):
        """Keys and origin are made by the daemon, not before; as the user opseal."""
        result = self.inside("timeout", "-s", "TERM", "5", "opseald", "--foreground", "--no-capture")
        self.check(result.status in (0, 124), "opseald: %r" % result)
        uid = int(self.well("getent", "passwd", "opseal").text.split(":")[2])
        store = os.stat(_root + "/var/lib/opseal")
        self.equal((store.st_uid, oct(store.st_mode & 0o7777)), (uid, "0o700"), "the store")
        self.check(os.path.isdir(_root + "/var/lib/opseal/keys"), "no keys")


t.main()
