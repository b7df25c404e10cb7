#!/usr/bin/python3
# make install: what lies where, with which rights, and that the programs look
# there.  In a build directory of its own, which is set up, installed from, and
# installed from again with other paths, as an administrator would.
#
# timeout: 1200 (it compiles all programs twice)
import atexit
import os
import re
import shutil
import stat
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import opsealtest as t

# Mode of each file under PREFIX.
FILES = {
    "bin/opseal": 0o755,
    "sbin/opseald": 0o755,
    "libexec/opseal/opseal-rec": 0o755,
    "libexec/opseal/opseal-door": 0o711,
    "libexec/opseal/opseal-shell": 0o711,
    "lib/systemd/system/opseald.service": 0o644,
    "lib/security/pam_opseal.so": 0o644,
    "lib/systemd/system/opseald-session.socket": 0o644,
    "lib/systemd/system/opseald-record.socket": 0o644,
    "lib/systemd/system/opseald-control.socket": 0o644,
    "lib/systemd/system/opseald-again.timer": 0o644,
    "lib/systemd/system/opseal-verify.service": 0o644,
    "lib/systemd/system/opseal-verify.timer": 0o644,
    "lib/systemd/system/opseal-doctor.service": 0o644,
    "lib/systemd/system/opseal-doctor.timer": 0o644,
    "lib/sysusers.d/opseal.conf": 0o644,
    "lib/tmpfiles.d/opseal.conf": 0o644,
    "share/bash-completion/completions/opseal": 0o644,
    "share/fish/vendor_completions.d/opseal.fish": 0o644,
    "share/zsh/site-functions/_opseal": 0o644,
}
# Every manual page that there is.
FILES.update(("share/man/man%s/%s" % (name[-1], name), 0o644)
             for name in os.listdir(os.path.join(t.SOURCE, "doc/man")) + ["opseal-shell.8"])
_build = None


def build_folder():
    global _build
    if _build is None:
        _build = tempfile.mkdtemp(prefix="opsinst.", dir="/tmp")
        atexit.register(shutil.rmtree, _build, ignore_errors=True)
    return os.path.join(_build, "build")


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


def config_of(opseald):
    """The configuration file that this opseald reads, by its own word."""
    return re.search(r"--config FILE  settings \((\S+), which", t.run([opseald, "--help"]).text)[1]


def contents(path):
    with open(path, "rb") as f:
        return f.read()


class Install(t.Test):
    def setup(self):
        t.need_program("make", "meson", "ninja", "cc")

    def make(self, *args):
        """Only what is installed, and compiled fast."""
        return self.exits(t.run(
            ["make", "-C", t.SOURCE, "BUILD=" + build_folder(),
             "MESON_ARGS=-Dtests=false -Doptimization=0 -Ddebug=false"] + list(args),
            env={"MAKEFLAGS": "", "PREFIX": "", "LC_ALL": "C"}, timeout=900), 0, args)

    def installed(self, root, prefix):
        found = {}
        for folder, _, names in os.walk(root + prefix):
            for name in names:
                path = os.path.join(folder, name)
                # PAM's modules lie where the distribution's libraries do.
                name = re.sub("^lib(64)?/([^/]+-linux-gnu/)?security/", "lib/security/",
                              os.path.relpath(path, root + prefix))
                found[name] = mode(path)
        return found

    def test_paths_and_modes(self):
        root = self.path("root")
        self.make("install", "DESTDIR=" + root, "PREFIX=/usr/local")
        self.equal(self.installed(root, "/usr/local"), FILES, "below PREFIX")
        config = config_of(root + "/usr/local/sbin/opseald")
        self.equal(config, "/etc/opseal/opseal.conf", "the file that opseald reads")
        self.equal(contents(root + config), contents(os.path.join(t.SOURCE, "etc/opseal.conf")),
                   "the file that is installed there")
        self.equal(mode(root + config), 0o644, "its mode")
        rules = contents(os.path.join(t.SOURCE, "etc/mask-rules"))
        self.equal(contents(os.path.dirname(root + config) + "/mask-rules"), rules,
                   "the rules of masking beside it")
        self.equal(t.run([root + "/usr/local/sbin/opseald", "--print-mask-rules"]).out, rules,
                   "those in opseald")
        unit = contents(root + "/usr/local/lib/systemd/system/opseald.service").decode()
        self.contains(unit, "ExecStart=/usr/local/sbin/opseald ", "unit")
        if t.is_root():
            door = os.stat(root + "/usr/local/libexec/opseal/opseal-door")
            self.equal((door.st_uid, door.st_gid), (0, 0), "the door's owner")

    def test_what_an_administrator_wrote_stays(self):
        root = self.path("root")
        install = ["install", "DESTDIR=" + root, "PREFIX=/usr/local"]
        self.make(*install)
        config = root + "/etc/opseal/opseal.conf"
        shipped = contents(config)
        self.make(*install)
        self.equal(sorted(os.listdir(os.path.dirname(config))), ["mask-rules", "opseal.conf"],
                   "files, unchanged")
        with open(config, "wb") as f:
            f.write(b"input = on\n")
        os.chmod(config, 0o600)
        self.contains(self.make(*install).text, "Kept %s" % config, "make's words")
        self.equal(contents(config), b"input = on\n", "the edited file")
        self.equal(mode(config), 0o600, "its mode")
        self.equal(contents(config + ".new"), shipped, "this version's, beside it")
        # A link is somebody's intention too, even if it leads nowhere now.
        os.rename(config, config + ".old")
        os.symlink("nowhere", config)
        self.make(*install)
        self.equal(os.readlink(config), "nowhere", "a link")

    def test_another_prefix_after_make(self):
        """The prefix is compiled in: naming it at the end must do."""
        root = self.path("root")
        self.make("PREFIX=/usr/local")
        self.make("install", "DESTDIR=" + root, "PREFIX=/opt/x")
        self.equal(self.installed(root, "/opt/x"), FILES, "below PREFIX")
        self.check(not os.path.exists(root + "/usr"), "something went to the old prefix")
        for name in ("bin/opseal", "sbin/opseald"):
            data = contents(os.path.join(root, "opt/x", name))
            self.check(b"/opt/x/libexec/opseal" in data, name + " doesn't know its prefix")
            self.check(b"/usr/local/libexec" not in data, name + " still knows the old prefix")
        unit = contents(root + "/opt/x/lib/systemd/system/opseald.service").decode()
        self.contains(unit, "ExecStart=/opt/x/sbin/opseald ", "unit")
        # What was named once holds until something else is named.
        self.make("install", "DESTDIR=" + self.path("again"))
        self.equal(self.installed(self.path("again"), "/opt/x"), FILES, "without PREFIX")
        self.check(os.path.exists(self.path("again/etc/opseal/opseal.conf")), "no file in /etc")

    def test_what_was_installed_works(self):
        """DESTDIR=/ installs for real, and leaves the machine's users alone."""
        prefix, etc = self.path("p"), self.path("etc")
        self.make("install", "DESTDIR=/", "PREFIX=" + prefix, "SYSCONFDIR=" + etc)
        opseald = prefix + "/sbin/opseald"
        config = config_of(opseald)
        self.equal(config, etc + "/opseal/opseal.conf", "the file that opseald reads")
        inst = self.instance(start=False)
        inst.daemon_argv = lambda: [opseald, "--store", inst.store, "--run", inst.run_dir,
                                    "--foreground"] + inst.daemon_args
        shipped = contents(config)
        with open(config, "ab") as f:
            f.write(b"colour = blue\n")
        result = self.exits(t.run(inst.daemon_argv()), 2, "opseald with a bad line in it")
        self.contains(self.one_line(result), config, "message")
        with open(config, "wb") as f:
            f.write(shipped + b"anchor_interval = 0\n")
        inst.start()
        term = self.pty([prefix + "/bin/opseal", "--run", inst.run_dir, "record", "--",
                         "sh", "-c", "echo installed; exit 7"])
        self.equal(term.wait(), 7, "exit status of a recorded command")
        self.contains(bytes(term.out), b"installed", "its output")
        self.contains(self.exits(inst.opseal("cat", "last"), 0).text, "installed", "the recording")


t.main()
