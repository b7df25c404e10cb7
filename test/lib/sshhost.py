"""A host of its own for Debian's real sshd: mounts and network of its own, so that
accounts, PAM, /etc/opseal and /run/opseal are this test's alone and nothing of it stays.

The processes are the machine's, so is the kernel's audit; what is written to /etc, /run,
/usr/local, /home and /var/log lies in memory and is gone with the host."""
import ctypes
import os
import re
import shutil
import signal
import subprocess

import opsealtest as t
import recorded as r

CLONE_NEWNS, CLONE_NEWNET = 0x00020000, 0x40000000
PORT = 2222
FIRST_UID = 61001
LIBC = ctypes.CDLL(None, use_errno=True)
CONFIG = "/etc/opseal/opseal.conf"
DOOR = "/usr/local/libexec/opseal/opseal-shell"

SSHD_CONFIG = """Port %d
ListenAddress 127.0.0.1
HostKey %s/host_key
PidFile %s/sshd.pid
UsePAM yes
PasswordAuthentication no
KbdInteractiveAuthentication no
AuthorizedKeysFile .ssh/authorized_keys
StrictModes no
AcceptEnv LANG LC_* TEST_*
X11Forwarding yes
PrintMotd no
PrintLastLog no
MaxStartups 1000
MaxSessions 1000
"""

CLIENT_CONFIG = """Host *
  HostName 127.0.0.1
  Port %d
  IdentityFile %s/key
  IdentitiesOnly yes
  UserKnownHostsFile %s/known_hosts
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
  BatchMode yes
  LogLevel ERROR
"""

# What Debian's has, without what looks at the world: mail, motd, systemd.
PAM_SSHD = """auth required pam_permit.so
account required pam_nologin.so
account required pam_unix.so
session required pam_loginuid.so
session optional pam_keyinit.so force revoke
session required pam_limits.so
session required pam_env.so
session required pam_unix.so quiet
"""


def _call(what, rc):
    if rc != 0:
        raise OSError(ctypes.get_errno(), "%s: %s" % (what, os.strerror(ctypes.get_errno())))


def need():
    t.need_root("root, for mounts and accounts of its own")
    t.need_program("sshd", "ssh", "ssh-keygen", "unshare", "mount", "ip")


class Host:
    """names: the accounts.  shell: of all of them, what the user database says; with the
    door, their own is what shells says.  folder: the test's, anything but /home."""

    def __init__(self, folder, names=("anna", "ben"), shell="/bin/bash", pam=PAM_SSHD, config=""):
        need()
        self.folder = folder
        os.makedirs(folder, exist_ok=True)
        os.chmod(folder, 0o755)
        self.names = list(names)
        self.pam, self.shell = pam, shell
        self.sshd = None
        self._make_keys()
        self._make_namespaces()
        self._make_accounts()
        self.start_sshd(config)

    # -- made --

    def _make_keys(self):
        for name in ("key", "host_key"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name,
                            "-f", os.path.join(self.folder, name)], check=True)
        with open(os.path.join(self.folder, "host_key.pub")) as f:
            key = f.read().split()
        self.write("known_hosts", "[127.0.0.1]:%d %s %s\n" % (PORT, key[0], key[1]))
        self.write("ssh_config", CLIENT_CONFIG % (PORT, self.folder, self.folder))

    def write(self, name, text):
        """A file of the folder; gives its path."""
        path = os.path.join(self.folder, name)
        with open(path, "w") as f:
            f.write(text)
        return path

    def _make_namespaces(self):
        ready, go = os.pipe2(os.O_CLOEXEC), os.pipe2(os.O_CLOEXEC)
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                os.close(go[1])
                self._unshare()
                status = 0
                os.write(ready[1], b"1")
                os.read(go[0], 1)
            except BaseException as e:  # pylint: disable=broad-except
                os.write(2, ("%s\n" % e).encode())
            os._exit(status)
        os.close(ready[1])
        made = os.read(ready[0], 1)
        if made:
            # They live as long as somebody has them open.
            self.ns = [os.open("/proc/%d/ns/%s" % (pid, kind), os.O_RDONLY | os.O_CLOEXEC)
                       for kind in ("net", "mnt")]
        os.close(go[1])
        os.close(go[0])
        os.close(ready[0])
        os.waitpid(pid, 0)
        if not made:
            t.skip("no mounts and network of its own can be had here")

    def _unshare(self):
        _call("unshare", LIBC.unshare(CLONE_NEWNS | CLONE_NEWNET))

        def run(*argv):
            subprocess.run(argv, check=True)
        run("mount", "--make-rprivate", "/")
        run("ip", "link", "set", "lo", "up")
        top = os.path.join(self.folder, "layers")
        os.makedirs(top, exist_ok=True)
        run("mount", "-t", "tmpfs", "-o", "mode=755", "none", top)
        for path in ("/etc", "/usr/local", "/var/log"):
            upper, work = ("%s/%s%s" % (top, kind, path.replace("/", "-")) for kind in ("upper", "work"))
            os.makedirs(upper)
            os.makedirs(work)
            run("mount", "-t", "overlay", "-o", "lowerdir=%s,upperdir=%s,workdir=%s" % (
                path, upper, work), "none", path)
        for path in ("/run", "/home"):
            run("mount", "-t", "tmpfs", "-o", "mode=755", "none", path)
        os.makedirs("/run/sshd")
        os.makedirs("/run/opseal")
        os.makedirs("/etc/opseal", exist_ok=True)
        os.makedirs(os.path.dirname(DOOR), exist_ok=True)
        # A build may stand where others can't go; a door is installed.
        shutil.copy(t.program("opseal-shell"), DOOR)
        os.chmod(DOOR, 0o711)

    def inside(self, function):
        """Call it in a process of the host; its exceptions are ours."""
        def call():
            function()
            return 0
        read, write = os.pipe2(os.O_CLOEXEC)
        pid = os.fork()
        if pid == 0:
            try:
                self.enter()
                call()
                os._exit(0)
            except BaseException as e:  # pylint: disable=broad-except
                os.write(write, repr(e).encode())
                os._exit(1)
        os.close(write)
        with os.fdopen(read, "rb") as f:
            why = f.read()
        if os.waitpid(pid, 0)[1] != 0:
            raise AssertionError("in the host: %s" % why.decode(errors="replace"))

    def enter(self):
        """preexec: the process is in the host from here on."""
        for fd in self.ns:
            _call("setns", LIBC.setns(fd, 0))
        os.chdir("/")

    def put(self, path, text, mode=0o644, uid=0):
        """A file of the host, with its folders."""
        def write():
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w") as f:
                f.write(text)
            os.chmod(path, mode)
            os.chown(path, uid, uid)
        self.inside(write)

    def get(self, path):
        return self.run(["cat", path]).out

    def _make_accounts(self):
        def make():
            with open("/etc/passwd", "a") as passwd, open("/etc/shadow", "a") as shadow, \
                    open("/etc/group", "a") as group:
                for i, name in enumerate(self.names):
                    uid = FIRST_UID + i
                    passwd.write("%s:x:%d:%d::/home/%s:%s\n" % (name, uid, uid, name, self.shell))
                    shadow.write("%s:*:19000:0:99999:7:::\n" % name)
                    group.write("%s:x:%d:\n" % (name, uid))
            with open("/etc/shells", "a") as f:
                f.write(DOOR + "\n")
            with open("/etc/pam.d/sshd", "w") as f:
                f.write(self.pam)
            for i, name in enumerate(self.names):
                home = "/home/" + name
                os.makedirs(home + "/.ssh", mode=0o700)
                shutil.copy(os.path.join(self.folder, "key.pub"), home + "/.ssh/authorized_keys")
                for path in (home, home + "/.ssh", home + "/.ssh/authorized_keys"):
                    os.chown(path, FIRST_UID + i, FIRST_UID + i)
        self.inside(make)

    def uid(self, name):
        return FIRST_UID + self.names.index(name)

    def set_shells(self, own="/bin/bash"):
        """As setup does: the door is the accounts' shell; theirs is in the map."""
        self.put("/etc/opseal/shells", "".join("%s:%d:%s\n" % (n, self.uid(n), own) for n in self.names))

        self.give_door(*self.names)

    def give_door(self, *names):
        """The door is the shell of these, in the user database."""
        def edit():
            with open("/etc/passwd") as f:
                lines = f.readlines()
            with open("/etc/passwd", "w") as f:
                for line in lines:
                    words = line.rstrip("\n").split(":")
                    if words[0] in names:
                        words[6] = DOOR
                    f.write(":".join(words) + "\n")
        self.inside(edit)

    # -- running --

    def start_sshd(self, config=""):
        if "Subsystem sftp" not in config:
            # In front: config may end within a Match.
            config = "Subsystem sftp /usr/lib/openssh/sftp-server\n" + config
        self.config = self.write("sshd_config", config + SSHD_CONFIG % (
            PORT, self.folder, self.folder))
        self.log_path = os.path.join(self.folder, "sshd.log")
        with open(self.log_path, "ab") as log:
            self.sshd = subprocess.Popen(
                [shutil.which("sshd") or "/usr/sbin/sshd", "-D", "-e", "-f", self.config],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=self.enter,
                start_new_session=True)

        def answers():
            if self.sshd.poll() is not None:
                raise AssertionError("sshd ended with status %d\n%s" % (self.sshd.returncode, self.log()))
            return os.path.exists(os.path.join(self.folder, "sshd.pid"))
        t.wait_for("sshd", answers, about=self.log)

    def stop_sshd(self):
        if self.sshd is not None:
            self.sshd.send_signal(signal.SIGTERM)
            self.sshd.wait()
            self.sshd = None

    def restart_sshd(self, config=""):
        """With these lines in front of its configuration."""
        self.stop_sshd()
        self.start_sshd(config)

    def log(self):
        with open(self.log_path, errors="replace") as f:
            return f.read()

    def instance(self, test, config="", policy=None, before=None, **options):
        """opseald of that host, on /run/opseal; before(instance) comes before its start.  policy:
        the text of /etc/opseal/opseal.conf, which it then goes by; so it tells the doors where
        no daemon answers, too."""
        def bind():
            subprocess.run(["mount", "--bind", inst.run_dir, "/run/opseal"], check=True)
        inst = t.Instance(os.path.join(self.folder, "opseald"), config=config, start=False,
                          preexec=self.enter, **options)
        test.later(inst.destroy)
        if policy is not None:
            inst.config_path = CONFIG
            self.set_policy(policy)
        self.inside(bind)
        if before:
            before(inst)
        inst.start()
        return inst

    def set_policy(self, text):
        self.put(CONFIG, text + "anchor_interval = 0\n")

    def add_group(self, name, gid, *members):
        def edit():
            with open("/etc/group", "a") as f:
                f.write("%s:x:%d:%s\n" % (name, gid, ",".join(members)))
        self.inside(edit)

    def run(self, argv, **options):
        """A program of the host, as root unless user says; gives a Result."""
        return t.run(argv, preexec=self.enter, **options)

    def ssh_argv(self, name, *words):
        return ["ssh", "-F", os.path.join(self.folder, "ssh_config"), "-l", name, *words]

    def ssh(self, name, *words, **options):
        """`ssh WORDS`, words: options, the host (any name), the command."""
        return self.run(self.ssh_argv(name, *words), **options)

    def pty(self, argv, **options):
        return t.Pty(argv, preexec=self.enter, **options)

    def close(self):
        self.stop_sshd()
        for fd in self.ns:
            os.close(fd)


class Twin(t.Test):
    """Two hosts, alike but for the door."""

    def setup(self):
        self.hosts = {}
        for name in ("plain", "door"):
            host = Host(self.path(name))
            self.later(host.close)
            self.hosts[name] = host
        self.door = self.hosts["door"]
        self.door.set_shells()
        self.inst = self.door.instance(self)

    def both(self, function):
        return {name: function(host) for name, host in self.hosts.items()}

    def same(self, what, *words, status=None, told=None, **options):
        """`ssh WORDS` on both; told: of what it prints, that which is the same."""
        got = self.both(lambda host: host.ssh("anna", *words, **options))
        plain, door = got["plain"], got["door"]
        for part in ("status", "out", "err"):
            values = [getattr(x, part) for x in (door, plain)]
            if told and part != "status":
                values = [told(v) for v in values]
            self.equal(values[0], values[1], "%s: %s" % (what, part))
        if status is not None:
            self.equal(plain.status, status, "%s: status without the door" % what)
        return plain

    def sessions(self):
        return r.json_lines(self.inst.opseal("ls", "--json"))

    def shown(self, session):
        return self.exits(self.inst.opseal("cat", session["session"]), 0).out


def without_numbers(out):
    """The port of the client, and the terminal's number."""
    out = re.sub(rb"127\.0\.0\.1 \d+ ", b"127.0.0.1 PORT ", out)
    return re.sub(rb"/dev/pts/\d+", b"/dev/pts/N", out)
