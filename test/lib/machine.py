"""machine - a Debian with systemd as its pid 1, without a machine.

Namespaces of its own (all but users and time, so that programs can be captured and logins
have their audit session), a cgroup of its own, a layer over a Debian that is kept.  It can
be shut down, killed and booted again, with another boot id each time.

What would change the one kernel is closed to it: /proc/sys and /sys are read-only, and it
can neither set the clock nor load a module."""
import ctypes
import errno
import fcntl
import os
import select
import shutil
import signal
import subprocess
import termios
import time
import uuid

import debian
import opsealtest as t

PROGRAMS = ["systemd", "systemd-sysv", "dbus", "libpam-systemd", "openssh-server", "sudo", "procps",
            "libbpf1", "libsqlite3-0", "libssl3", "libzstd1", "openssl"]
LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# What is in a container's way or of no use in one.
MASKED = ("systemd-journald-audit.socket", "systemd-networkd.service", "systemd-resolved.service",
          "systemd-timesyncd.service", "apt-daily.timer", "apt-daily-upgrade.timer")

# $1: the root, $2: what is below it, $3: the layer over that, then systemd's words.
BOOT = r"""set -e
root=$1 lower=$2 layer=$3
shift 3
mount -t overlay -o "lowerdir=$lower,upperdir=$layer/upper,workdir=$layer/work" none "$root"
cd "$root"
mount -t proc -o nosuid,nodev,noexec proc proc
mount -t sysfs -o nosuid,nodev,noexec sysfs sys
mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 sys/fs/cgroup
mount -t bpf -o nosuid,nodev,noexec,mode=700 bpf sys/fs/bpf
mount -t tracefs -o nosuid,nodev,noexec tracefs sys/kernel/tracing
mount -t tmpfs -o nosuid,mode=755 tmpfs dev
mkdir dev/pts dev/shm
mount -t devpts -o nosuid,noexec,newinstance,gid=5,mode=620,ptmxmode=666 devpts dev/pts
mount -t tmpfs -o nosuid,nodev,mode=1777 tmpfs dev/shm
for node in null:3 zero:5 full:7 random:8 urandom:9; do
	mknod -m 666 "dev/${node%:*}" c 1 "${node#*:}"
done
mknod -m 666 dev/tty c 5 0
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
: >dev/console
mount --bind "$(readlink /proc/self/fd/0)" dev/console
mount -t tmpfs -o nosuid,nodev,mode=755 tmpfs run
mount --bind proc/sys proc/sys
mount --bind "$layer/boot_id" proc/sys/kernel/random/boot_id
mount -o remount,bind,ro proc/sys
mount -o remount,bind,ro sys
mkdir -p .before
pivot_root . .before
exec chroot . /bin/sh -c '
umount -l /.before
export container=test PATH='"$PATH"' TERM=linux SYSTEMD_COLORS=0 SYSTEMD_LOG_TARGET=journal
exec setpriv --bounding-set=-sys_module,-sys_time,-sys_rawio,-mac_admin --inh-caps=-all \
    /lib/systemd/systemd "$@" <>/dev/console >&0 2>&0' sh "$@"
"""


def need():
    t.need_root("root: mounts, namespaces and a cgroup of its own")
    t.need_program("unshare", "nsenter", "mmdebstrap", "pivot_root", "dpkg-buildpackage", "dh", "ssh", "ip")
    if t.SANITIZE:
        t.skip("the packages are built without sanitizers; make check has seen them")
    with open("/proc/filesystems") as f:
        known = f.read().split()
    for name in ("overlay", "cgroup2", "bpf"):
        if name not in known:
            t.skip("this kernel has no file system %s" % name)
    with open("/proc/self/loginuid") as f:
        if int(f.read()) != 0xffffffff:
            t.skip("who runs this has a login uid, which those inside couldn't change")


class Console(t.Pty):
    """The terminal that is /dev/console; it is nobody's yet, and stays when it is hung up."""

    def __init__(self, argv):
        def let_go():
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            fcntl.ioctl(0, termios.TIOCNOTTY)
            signal.signal(signal.SIGHUP, signal.SIG_DFL)
        super().__init__(argv, preexec=let_go)

    def _read(self):
        while not self.stop.is_set():
            if not select.select([self.master], [], [], 0.05)[0]:
                continue
            try:
                data = os.read(self.master, 65536)
            except OSError as e:
                if e.errno != errno.EIO:
                    raise
                time.sleep(0.05)  # vhangup(2): who opens it next goes on
                continue
            with self.changed:
                self.out += data
                self.changed.notify_all()


class Machine:
    """Files and keys in folder, which needs to hold an overlay's upper layer."""

    def __init__(self, folder):
        need()
        self.folder = folder
        self.console = None
        self.pid = None
        self.lower = debian.root("systemd", PROGRAMS)
        self.layer = os.path.join(folder, "layer")
        self.root = os.path.join(folder, "root")
        for path in ("/upper", "/work"):
            os.makedirs(self.layer + path)
        os.makedirs(self.root)
        self._make_keys()
        self._make_files()

    def put(self, path, text, mode=0o644):
        """A file, while it doesn't run."""
        path = self.layer + "/upper" + path
        folder = os.path.dirname(path)
        os.makedirs(folder, exist_ok=True)
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, mode)

    def _make_keys(self):
        for name in ("key", "host_key"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name,
                            "-f", os.path.join(self.folder, name)], check=True)
        with open(os.path.join(self.folder, "host_key.pub")) as f:
            host = f.read().split()
        with open(os.path.join(self.folder, "known_hosts"), "w") as f:
            f.write("127.0.0.1 %s %s\n" % (host[0], host[1]))
        with open(os.path.join(self.folder, "ssh_config"), "w") as f:
            f.write("Host *\n  HostName 127.0.0.1\n  IdentityFile {0}/key\n  IdentitiesOnly yes\n"
                    "  UserKnownHostsFile {0}/known_hosts\n  GlobalKnownHostsFile /dev/null\n"
                    "  StrictHostKeyChecking yes\n  BatchMode yes\n  LogLevel ERROR\n".format(self.folder))

    def _make_files(self):
        with open(os.path.join(self.folder, "host_key")) as f:
            self.put("/etc/ssh/host_key", f.read(), 0o600)
        self.put("/etc/ssh/sshd_config.d/test.conf",
                 "HostKey /etc/ssh/host_key\nMaxStartups 100\nUseDNS no\n")
        self.put("/etc/hostname", "box\n")
        self.put("/etc/hosts", "127.0.0.1 localhost box\n")
        for name in MASKED:
            path = self.layer + "/upper/etc/systemd/system/" + name
            os.makedirs(os.path.dirname(path), exist_ok=True)
            os.symlink("/dev/null", path)

    # -- on and off --

    def launch(self, *words):
        """Power on.  words: as on the kernel's command line."""
        with open(self.layer + "/boot_id", "w") as f:
            f.write("%s\n" % uuid.uuid4())
        cgroup = _own_cgroup()

        self.console = Console(["sh", "-c", 'echo 0 > "$0/cgroup.procs" && exec "$@"', cgroup,
                                "unshare", "--mount", "--pid", "--net", "--uts", "--ipc", "--cgroup",
                                "--fork", "--kill-child=KILL", "--propagation", "private",
                                "sh", "-c", BOOT, "sh", self.root, self.lower, self.layer] + list(words))
        self.pid = t.wait_for("its pid 1", self._find_init, 30, about=self.screen)

    def _find_init(self):
        """The child of unshare, once it is systemd."""
        if self.console.proc.poll() is not None:
            t.skip("no machine can be made here: %s" % self.screen()[-300:])
        for pid in t.descendants(self.console.pid):
            try:
                with open("/proc/%d/comm" % pid) as f, open("/proc/%d/status" % pid) as status:
                    if f.read() == "systemd\n" and "\nNSpid:\t%d\t1\n" % pid in status.read():
                        return pid
            except OSError:
                pass
        return None

    def boot(self, *words):
        """Power on, and wait until all is started; gives systemd's word for it."""
        self.launch(*words)
        t.wait_for("the system bus", lambda: self.run(["systemctl", "is-system-running"]).text
                   not in ("", "offline\n", "unknown\n"), 60, about=self.screen)
        return self.run(["systemctl", "is-system-running", "--wait"], timeout=120).text.strip()

    def screen(self):
        return bytes(self.console.out).decode(errors="backslashreplace")

    def power_off(self):
        """As an administrator does."""
        self.run(["systemctl", "poweroff"])
        self._over()

    def kill(self):
        """All of it at once, as if the power was cut; what was written stays."""
        os.kill(self.pid, signal.SIGKILL)
        self._over()

    def _over(self):
        self.console.proc.wait(100)
        self.console.close()
        self.console = self.pid = None

    def destroy(self):
        if self.console is not None:
            if self.pid is not None and not t.gone(self.pid):
                os.kill(self.pid, signal.SIGKILL)
            self.console.close()
        _drop_cgroup()
        shutil.rmtree(self.layer, ignore_errors=True)

    # -- doing things --

    def argv(self, argv):
        return ["nsenter", "-t", str(self.pid), "-m", "-u", "-i", "-n", "-p", "-C", "env", "-i", "PATH=" + PATH,
                "LC_ALL=C", "HOME=/root", "TERM=xterm", "DEBIAN_FRONTEND=noninteractive"] + list(argv)

    def run(self, argv, **options):
        """A program of its, as root, and not in any unit; gives a Result."""
        return t.run(self.argv(argv), **options)

    def well(self, *argv, **options):
        result = self.run(list(argv), **options)
        if result.status != 0:
            raise AssertionError("%s: %r" % (" ".join(argv), result))
        return result

    def sh(self, text, **options):
        return self.well("sh", "-euc", text, **options)

    def show(self, unit, name):
        return self.well("systemctl", "show", "--value", "-p", name, unit).text.strip()

    def journal(self, *words):
        return self.well("journalctl", "--no-pager", "-q", "-o", "short-monotonic", *words).text

    def copy(self, path, to):
        """A file of the host's, to the running machine's."""
        with open(path, "rb") as f:
            self.sh("cat > '%s'" % to, stdin=f.read())

    def terminals(self, count):
        """Take so many of its terminals, 0 to count - 1 if none is in use."""
        path = "/proc/%d/root/dev/pts/ptmx" % self.pid
        return [os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC) for _ in range(count)]

    # -- logging in --

    def user(self, name, password):
        """An account, whom the key lets in."""
        with open(os.path.join(self.folder, "key.pub"), "rb") as f:
            key = f.read()
        self.sh("useradd -m -s /bin/bash {0}; echo '{0}:{1}' | chpasswd; mkdir -m 700 ~{0}/.ssh;"
                "cat > ~{0}/.ssh/authorized_keys; chown -R {0}: ~{0}/.ssh".format(name, password), stdin=key)

    def network(self):
        """preexec: from here on the machine's localhost is ours."""
        path = "/proc/%d/ns/net" % self.pid

        def enter():
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            if LIBC.setns(fd, CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), path)
            os.close(fd)
        return enter

    def ssh_argv(self, name, *words):
        return ["ssh", "-F", os.path.join(self.folder, "ssh_config"), "-l", name, *words]

    def ssh(self, name, *words, **options):
        """`ssh WORDS`: options, the host (any name), the command."""
        return t.run(self.ssh_argv(name, *words), preexec=self.network(), **options)

    def ssh_pty(self, name, *words):
        return t.Pty(self.ssh_argv(name, *words), preexec=self.network())


# -- the cgroup --

def _cgroup_mount():
    with open("/proc/self/mounts") as f:
        for line in f:
            words = line.split()
            if words[2] == "cgroup2":
                return words[1]
    t.skip("no cgroup2 is mounted here")
    return None


def _own_cgroup():
    path = os.path.join(_cgroup_mount(), "opseal-test.%d" % os.getpid())
    os.makedirs(path, exist_ok=True)
    return path


def _drop_cgroup():
    """From the leaves up; they are empty when all in them is reaped."""
    path = os.path.join(_cgroup_mount(), "opseal-test.%d" % os.getpid())
    for folder, _, _ in os.walk(path, topdown=False):
        t.wait_for("the end of all in " + folder, lambda: _remove(folder))


def _remove(folder):
    try:
        os.rmdir(folder)
    except FileNotFoundError:
        return True
    except OSError as e:
        if e.errno != errno.EBUSY:
            raise
        return False
    return True
