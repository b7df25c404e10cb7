"""opsealtest - what the tests in test/cli and test/e2e share.

A test file is a few classes and one last line:

    #!/usr/bin/python3
    import os, sys
    sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
    import opsealtest as t

    class Verify(t.Test):
        def test_fresh_store_is_fine(self):
            inst = self.instance()
            inst.record(["sh", "-c", "echo hello"])
            self.equal(inst.opseal("verify").status, 0, "exit status")

    t.main()

Every method test_* is one TAP line.  Each gets a fresh object, a temporary
directory (self.dir) and whatever it starts through self.instance() and
self.pty(); all of it is ended and removed afterwards, whatever happened.
"""

import atexit
import contextlib
import ctypes
import errno
import fcntl
import glob
import os
import pty
import pwd
import re
import resource
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
import traceback

import autopsy

SOURCE = os.environ.get("OPSEAL_SOURCE") or os.path.abspath(
    os.path.join(os.path.dirname(__file__), "..", ".."))
BUILD = os.environ.get("OPSEAL_BUILD") or os.path.join(SOURCE, "build")
BIN = os.environ.get("OPSEAL_BIN") or os.path.join(BUILD, "bin")
SANITIZE = bool(os.environ.get("OPSEAL_SANITIZE"))
# Sanitized programs are several times slower; waits are only upper bounds.
PATIENCE = 60.0 if SANITIZE else 20.0
SPAN = 65536  # bytes: what a match of Pty.expect() may be long
# Two people who are not root and not each other, on any Debian or Fedora.
USER_NAMES = ("nobody", "games")


class Skip(Exception):
    """Raised by skip(): this test can't run here, and why."""


def skip(reason):
    raise Skip(reason)


def is_root():
    return os.geteuid() == 0


def need_root(what="root"):
    if not is_root():
        skip("needs %s" % what)


def need_program(*names):
    for name in names:
        if shutil.which(name) is None:
            skip("%s is not installed" % name)


def reachable(path, entry):
    """Whether that user may walk down to path: a checkout below /root, say,
    is closed to the user opseal."""
    path = os.path.realpath(path)
    while path != "/":
        st = os.stat(path)
        bit = 0o100 if st.st_uid == entry.pw_uid else 0o010 if st.st_gid == entry.pw_gid else 0o001
        if not st.st_mode & bit:
            return False
        path = os.path.dirname(path)
    return True


_programs = None


def programs():
    """The folder of our programs: BIN, or, for root in a checkout that others
    can't enter, a copy that they can."""
    global _programs
    if _programs is None:
        _programs = BIN
        if is_root() and os.path.isdir(BIN) and not reachable(BIN, pwd.getpwnam("nobody")):
            _programs = tempfile.mkdtemp(prefix="opsbin.", dir="/tmp")
            atexit.register(shutil.rmtree, _programs, ignore_errors=True)
            os.chmod(_programs, 0o755)
            for name in os.listdir(BIN):
                shutil.copy2(os.path.join(BIN, name), _programs)
    return _programs


def program(name):
    """The path of one of our programs, or of any other by its own name."""
    path = os.path.join(programs(), name)
    return path if os.path.exists(path) else name


def state(pid):
    """The letter of /proc/PID/stat; None: gone."""
    try:
        with open("/proc/%d/stat" % pid, "rb") as f:
            stat = f.read()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return chr(stat[stat.rindex(b")") + 2])


def gone(pid):
    """Has the process ended?  Whoever inherits it may be slow to reap it; and while a
    thread of it is left, which may wait for a disk, its files are open."""
    try:
        return state(pid) in (None, "Z", "X") and len(os.listdir("/proc/%d/task" % pid)) <= 1
    except OSError:
        return True


def wait_for(what, check, timeout=None, about=None):
    """Call check() until it gives something true; that is returned.  about()
    has more to say when it never does.  The pause between two looks grows with
    what a look costs: one that starts programs takes the processor from what
    it waits for."""
    end = time.monotonic() + (timeout or PATIENCE)
    while True:
        began = time.monotonic()
        value = check()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError("waited in vain for %s%s" % (
                what, "\n%s" % (about(),) if about else ""))
        time.sleep(min(0.5, max(0.01, 3 * (time.monotonic() - began))))


# ---- other users ----------------------------------------------------------


def person(n=0):
    """The passwd entry of the n-th unprivileged user (0 or 1).  Only root can
    be somebody else, so without root the test is skipped."""
    need_root("root, to run as another user")
    return pwd.getpwnam(USER_NAMES[n])


def become(entry):
    """A preexec function: from here on the process is that user's, all of it."""
    def drop():
        os.setgroups([])
        os.setresgid(entry.pw_gid, entry.pw_gid, entry.pw_gid)
        os.setresuid(entry.pw_uid, entry.pw_uid, entry.pw_uid)
    return drop


def ptrace_attach(pid):
    """0 if this process may attach to pid (it lets go at once), else errno."""
    PTRACE_ATTACH, PTRACE_DETACH = 16, 17
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    libc.ptrace.restype = ctypes.c_long
    if libc.ptrace(PTRACE_ATTACH, pid, None, None) != 0:
        return ctypes.get_errno()
    try:
        os.waitpid(pid, 0)
    except ChildProcessError:
        pass
    libc.ptrace(PTRACE_DETACH, pid, None, None)
    return 0


def call_as(entry, function):
    """Run function() in a child that is that user; what it returns (an int
    below 200) comes back.  For system calls that no program makes for us."""
    pid = os.fork()
    if pid == 0:
        status = 255
        try:
            become(entry)()
            status = int(function()) & 0xff
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)


def limit_files(pid, soft):
    """Every write beyond `soft` bytes fails with EFBIG.  Its own user may set
    this; root in a container may not."""
    def limit():
        _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, hard))
        return 0

    with open("/proc/%d/status" % pid) as f:
        uid = int(re.search(r"^Uid:\t(\d+)", f.read(), re.M).group(1))
    if call_as(pwd.getpwuid(uid), limit) != 0:
        raise AssertionError("prlimit of process %d" % pid)


# ---- running a program to its end -----------------------------------------


class Result:
    """How a program ended and what it printed, as bytes and as text."""

    def __init__(self, argv, status, out, err):
        self.argv = argv
        self.status = status  # exit status, or minus the signal's number
        self.out = out
        self.err = err

    @property
    def text(self):
        return self.out.decode(errors="backslashreplace")

    @property
    def errtext(self):
        return self.err.decode(errors="backslashreplace")

    def __repr__(self):
        return "%s -> %d\n%s%s" % (" ".join(map(str, self.argv)), self.status,
                                   self.text[-4000:], self.errtext[-4000:])


def run(argv, user=None, stdin=b"", env=None, cwd=None, timeout=120, preexec=None):
    """Run argv to its end without a terminal.  user: an entry from person()."""
    full = dict(os.environ)
    full.update(env or {})

    def before():
        if preexec:
            preexec()
        if user:
            become(user)()

    argv = [program(str(argv[0]))] + [os.fspath(a) if not isinstance(a, bytes) else a
                                      for a in argv[1:]]
    proc = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, env=full, cwd=cwd,
                            preexec_fn=before if preexec or user else None)
    try:
        out, err = proc.communicate(stdin, timeout=timeout)
    except subprocess.TimeoutExpired:
        proc.kill()
        out, err = proc.communicate()
        raise AssertionError("%s: no end after %d s\n%r %r" % (argv, timeout, out, err))
    return Result(argv, proc.returncode, out, err)


# ---- a terminal -----------------------------------------------------------


class Pty:
    """A program on a terminal of ours.

    self.out holds every byte the terminal received, from the first on; a
    thread keeps reading, so the program never waits for the test.
    """

    def __init__(self, argv, rows=24, cols=80, user=None, env=None, cwd=None, preexec=None):
        self.master, slave = pty.openpty()
        self.slave_name = os.ttyname(slave)
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))
        if user:
            os.fchown(slave, user.pw_uid, -1)
            os.fchmod(slave, 0o620)
        full = dict(os.environ, TERM="xterm-256color", PS1="$ ")
        full.update(env or {})

        def before():
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
            if preexec:
                preexec()
            if user:
                become(user)()

        argv = [program(str(argv[0]))] + [str(a) for a in argv[1:]]
        self.argv = argv
        self.initial_modes = termios.tcgetattr(slave)
        self.proc = subprocess.Popen(argv, stdin=slave, stdout=slave, stderr=slave,
                                     env=full, cwd=cwd, preexec_fn=before)
        self.pid = self.proc.pid
        # Kept open, so that what the terminal got can be read to the end and
        # its modes can be looked at after the program is gone.
        self.slave = slave
        self.out = bytearray()
        self.seen = 0  # expect() looks only at what comes after this
        self.changed = threading.Condition()
        self.stop = threading.Event()
        self.paused = threading.Event()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        while True:
            if self.paused.is_set():
                time.sleep(0.005)
                continue
            ready, _, _ = select.select([self.master], [], [], 0.05)
            if not ready:
                if self.stop.is_set():
                    return
                continue
            try:
                data = os.read(self.master, 65536)
            except OSError as e:
                if e.errno == errno.EIO:
                    return
                raise
            if not data:
                return
            with self.changed:
                self.out += data
                self.changed.notify_all()

    def send(self, data):
        if isinstance(data, str):
            data = data.encode()
        while data:
            data = data[os.write(self.master, data[:512]):]

    def line(self, text):
        """Type text and the Return key."""
        self.send(text + "\r")

    def expect(self, pattern, timeout=None):
        """Wait until pattern (a regular expression, text or bytes) shows up in
        what came since the last match; gives the match."""
        if isinstance(pattern, str):
            pattern = pattern.encode()
        rx = re.compile(pattern, re.S)
        end = time.monotonic() + (timeout or PATIENCE)
        looked = 0  # only what is new, or megabytes take minutes
        with self.changed:
            while True:
                left = end - time.monotonic()
                m = rx.search(self.out, max(self.seen, looked - SPAN if left > 0 else 0))
                if m:
                    self.seen = m.end()
                    return m
                looked = len(self.out)
                if left <= 0:
                    raise AssertionError("%s: no %r after %r" % (
                        self.argv[0], pattern, bytes(self.out[self.seen:][-600:])))
                self.changed.wait(min(left, 0.2))

    def resize(self, rows, cols):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))

    def modes(self):
        return termios.tcgetattr(self.slave)

    def signal(self, number):
        self.proc.send_signal(number)

    def pause(self, on=True):
        """Stop reading: the terminal is stuck, as behind a dead network."""
        if on:
            self.paused.set()
        else:
            self.paused.clear()

    def wait(self, timeout=None):
        """Wait for the program's end and for all it wrote; gives the exit
        status, or minus the signal's number."""
        try:
            status = self.proc.wait(timeout or PATIENCE)
        except subprocess.TimeoutExpired:
            raise AssertionError("%s: no end; last output %r\n%s" % (
                self.argv, bytes(self.out[-600:]), self.autopsy())) from None
        self._drain()
        return status

    def autopsy(self):
        """What there is to know of a program that doesn't end, and of what runs
        below it; of a session also its row, the recorders and the daemon's log."""
        text = [autopsy.tree(self.pid, "on the terminal")]
        if "--run" in self.argv:
            run_dir = self.argv[self.argv.index("--run") + 1]
            text += [autopsy.recorders(run_dir), self._row(run_dir),
                     autopsy.tail(os.path.join(os.path.dirname(run_dir), "opseald.log"))]
        return "\n".join(text)

    def _row(self, run_dir):
        try:
            result = run(["opseal", "--run", run_dir, "ls", "--json"], timeout=10)
        except AssertionError as e:
            return "opseal ls: %s" % e
        rows = [x for x in result.text.splitlines() if '"pid":%d,' % self.pid in x]
        return "\n".join(rows) or "no session of process %d: %r" % (self.pid, result)

    def _drain(self):
        """Read on until the terminal stays quiet, then end the reader."""
        self.paused.clear()
        before = -1
        while before != len(self.out):
            before = len(self.out)
            time.sleep(0.06)
        self.stop.set()
        self.reader.join(5)

    def close(self):
        if self.proc.poll() is None:
            try:
                os.killpg(self.pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                self.proc.kill()
            self.proc.wait()
        self.stop.set()
        self.paused.clear()
        self.reader.join(5)
        for fd in (self.slave, self.master):
            try:
                os.close(fd)
            except OSError:
                pass


# ---- a private instance ---------------------------------------------------


def socket_answers(path):
    for kind in (socket.SOCK_SEQPACKET, socket.SOCK_STREAM):
        with socket.socket(socket.AF_UNIX, kind) as s:
            try:
                s.connect(path)
                return True
            except OSError:
                continue
    return False


def descendants(root):
    """All processes below root, by their parents in /proc."""
    parent = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open("/proc/%s/stat" % entry, "rb") as f:
                    stat = f.read()
            except OSError:
                continue
            parent[int(entry)] = int(stat[stat.rindex(b")") + 2:].split()[1])
    found = []
    todo = [root]
    while todo:
        pid = todo.pop()
        below = [p for p, pp in parent.items() if pp == pid]
        found += below
        todo += below
    return found


def processes_of(*paths):
    """The processes that name one of paths in their arguments."""
    wanted = [os.fsencode(p) for p in paths]
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        try:
            with open("/proc/%s/cmdline" % entry, "rb") as f:
                args = f.read().split(b"\0")
        except OSError:
            continue
        if any(w == a or a.startswith(w + b"/") for w in wanted for a in args):
            found.append(int(entry))
    return found


READY = "opseald: ready, "


class Instance:
    """A private opseald with its own store and run directory.

    config: text of its configuration file.  daemon_args: more arguments.
    env: more environment for the daemon.  As root, the daemon runs as the
    user opseal if there is one; pass drop=False for --no-drop.  capture: whether
    it captures programs, where it may; many daemons at once each would see
    what all the others do.
    """

    def __init__(self, folder, config=None, daemon_args=(), env=None, drop=True, start=True,
                 preexec=None, name="", capture=False):
        self.base = os.path.join(folder, name) if name else folder
        os.makedirs(self.base, exist_ok=True)
        self.store = os.path.join(self.base, "store")
        self.run_dir = os.path.join(self.base, "run")
        self.log_path = os.path.join(self.base, "opseald.log")
        self.config_path = os.path.join(self.base, "opseal.conf")
        self.daemon_args = list(daemon_args)
        if not capture:
            self.daemon_args.append("--no-capture")
        self.env = dict(env or {})
        self.preexec = preexec
        self.proc = None
        self._own_directories(drop)
        # Always one of its own, so that the machine's is never read.
        self.write_config(config or "")
        if start:
            self.start()

    def _own_directories(self, drop):
        """As root: make store and run as an installation would, for the user
        opseal; without that user (or with drop=False, or where it can't reach
        the programs or the store), keep root's rights."""
        os.makedirs(self.store, mode=0o700, exist_ok=True)
        os.makedirs(self.run_dir, mode=0o755, exist_ok=True)
        os.chmod(self.run_dir, 0o755)
        if not is_root():
            return
        try:
            entry = pwd.getpwnam("opseal") if drop else None
        except KeyError:
            entry = None
        if entry is None or not reachable(self.base, entry) or not reachable(programs(), entry):
            self.daemon_args.append("--no-drop")
            return
        for path in (self.store, self.run_dir):
            os.chown(path, entry.pw_uid, entry.pw_gid)

    def write_config(self, text):
        if "anchor_interval" not in text:
            text += "anchor_interval = 0\n"  # a test leaves the machine's journal alone
        with open(self.config_path, "w") as f:
            f.write(text)
        os.chmod(self.config_path, 0o644)

    def daemon_argv(self):
        return [program("opseald"), "--store", self.store, "--run", self.run_dir, "--foreground",
                "--config", self.config_path] + self.daemon_args

    def launch(self):
        """Start the daemon without waiting for it to answer."""
        log = open(self.log_path, "ab")
        try:
            self.proc = subprocess.Popen(
                self.daemon_argv(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=dict(os.environ, **self.env), start_new_session=True,
                preexec_fn=self.preexec)
        finally:
            log.close()
        return self.proc

    def start(self, timeout=None, says=True):
        """Start the daemon and wait until it is ready and answers on control.sock; a
        process of a killed one may do so for a moment, too.  says: it can say so."""
        before = self.log().count(READY)
        self.launch()
        end = time.monotonic() + (timeout or PATIENCE)
        path = os.path.join(self.run_dir, "control.sock")
        while (says and self.log().count(READY) == before) or not socket_answers(path):
            if self.proc.poll() is not None:
                raise AssertionError("opseald ended with status %d\n%s" % (
                    self.proc.returncode, self.log()))
            if time.monotonic() > end:
                raise AssertionError("opseald does not answer on %s\n%s" % (path, self.log()))
            time.sleep(0.01)

    def stop(self, timeout=None):
        """SIGTERM: the daemon seals and ends.  Gives its exit status."""
        if self.proc is None:
            return None
        self.proc.terminate()
        try:
            status = self.proc.wait(timeout or PATIENCE)
        except subprocess.TimeoutExpired:
            raise AssertionError("opseald does not end on SIGTERM\n%s\n%s" % (
                autopsy.tree(self.proc.pid, "opseald"), self.log()))
        self.proc = None
        return status

    def kill(self):
        """kill -9 of every role at once, as a crash would; the recorders, which
        are no part of it, go on."""
        # Stopped first: of a role that it is starting just now we would not know.
        self.proc.send_signal(signal.SIGSTOP)
        wait_for("the supervisor to stop", lambda: state(self.proc.pid) in ("T", "Z", None),
                 about=lambda: "state %s" % state(self.proc.pid))
        pids = [self.proc.pid] + [p for p in descendants(self.proc.pid)
                                  if self._is_daemon(p)]
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.proc.wait()
        self.proc = None
        # One that is still dying answers on control.sock in the next one's place.
        for pid in pids:
            wait_for("the end of %d" % pid, lambda: gone(pid))

    @staticmethod
    def _is_daemon(pid):
        try:
            with open("/proc/%d/comm" % pid) as f:
                return not f.read().startswith("opseal-rec")
        except OSError:
            return False

    def restart(self):
        self.stop()
        self.start()

    def pids(self):
        """The daemon's processes: all roles."""
        return [self.proc.pid] + descendants(self.proc.pid) if self.proc else []

    def role(self, name):
        """The process of a role: the supervisor's child, no process for a client.
        None: there is none now."""
        for pid in self.pids():
            try:
                with open("/proc/%d/stat" % pid) as f:
                    comm, rest = f.read().split("(", 1)[1].rsplit(")", 1)
            except OSError:
                continue
            if comm == "opseald-" + name and int(rest.split()[1]) == self.proc.pid:
                return pid
        return None

    def log(self):
        """All that opseald has printed, over restarts."""
        try:
            with open(self.log_path, errors="backslashreplace") as f:
                return f.read()
        except OSError:
            return ""

    def argv(self, *args):
        if args[:1] in (("import",), ("record",), ("status",)):  # these take no --store
            return [program("opseal"), "--run", self.run_dir] + list(args)
        return [program("opseal"), "--store", self.store, "--run", self.run_dir] + list(args)

    def opseal(self, *args, **options):
        """Run opseal on this instance, without a terminal; gives a Result.
        Options as in run()."""
        return run(self.argv(*args), **options)

    def offline(self, *args, store=None, **options):
        """Run opseal on a store (ours, or a copy) with no daemon to ask."""
        return run([program("opseal"), "--store", store or self.store,
                    "--run", os.path.join(self.base, "no-daemon")] + list(args), **options)

    def copy_store(self, name="copy"):
        """A copy of the store without its keys; gives the path."""
        target = os.path.join(self.base, name)
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(self.store, target, ignore=lambda d, names:
                        ["keys"] if os.path.samefile(d, self.store) else [])
        return target

    def pty(self, *args, **options):
        """`opseal ARGS...` on a terminal; gives a Pty.  The caller closes it
        (Test.record_pty() does it by itself)."""
        return Pty(self.argv(*args), **options)

    def segments(self, store=None):
        return sorted(glob.glob(os.path.join(store or self.store, "data", "*", "*", "*.seg")))

    def destroy(self):
        if self.proc is not None and self.proc.poll() is None:
            self.kill()
        # Recorders live on without their daemon, on purpose; not here.
        for pid in processes_of(self.run_dir, self.store):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass


def flip(path, offset, mask=0x01):
    """Change one byte of a file in place."""
    with open(path, "r+b") as f:
        f.seek(offset)
        byte = f.read(1)
        f.seek(offset)
        f.write(bytes([byte[0] ^ mask]))


# ---- the tests themselves -------------------------------------------------


class Test:
    """One object for each test_* method."""

    def setup(self):
        """Called before each test; may skip()."""

    def teardown(self):
        """Called after each test, also after a failed one."""

    def _begin(self):
        self._cleanups = []
        # Short, since socket paths have 107 bytes; and open to other users,
        # whose programs must reach the sockets below it.
        self.dir = tempfile.mkdtemp(prefix="ops.", dir="/tmp")
        os.chmod(self.dir, 0o755)

    def _end(self):
        for cleanup in reversed(self._cleanups):
            try:
                cleanup()
            except Exception:
                traceback.print_exc()
        shutil.rmtree(self.dir, ignore_errors=True)

    def later(self, cleanup):
        """Call cleanup() at the end of this test."""
        self._cleanups.append(cleanup)

    def path(self, *parts):
        return os.path.join(self.dir, *parts)

    def write(self, name, data):
        path = self.path(name)
        with open(path, "wb") as f:
            f.write(data.encode() if isinstance(data, str) else data)
        return path

    def instance(self, **options):
        """A running Instance, destroyed at the end of the test."""
        inst = Instance(os.path.join(self.dir, "i%d" % len(self._cleanups)),
                        **dict(options, start=False))
        self.later(inst.destroy)
        if options.get("start", True):
            inst.start()
        return inst

    def pty(self, argv, **options):
        """A Pty, closed at the end of the test."""
        term = Pty(argv, **options)
        self.later(term.close)
        return term

    def record_pty(self, inst, command=(), **options):
        """`opseal record -- COMMAND` on a terminal; gives the Pty."""
        args = ["record"] + (["--"] + list(command) if command else [])
        return self.pty(inst.argv(*args), **options)

    # Checks: each says what it wanted and what it got.

    def fail(self, what):
        raise AssertionError(what)

    @contextlib.contextmanager
    def during(self, what):
        """Failures below say that it was then."""
        try:
            yield
        except AssertionError as e:
            e.args = ("%s: %s" % (what, e),)
            raise

    def check(self, condition, what):
        if not condition:
            raise AssertionError(what)

    def equal(self, got, want, what="value"):
        if got == want:
            return
        if isinstance(got, (bytes, bytearray)) and isinstance(want, (bytes, bytearray)):
            raise AssertionError("%s: %s" % (what, bytes_differ(bytes(got), bytes(want))))
        raise AssertionError("%s: got %r, want %r" % (what, got, want))

    def contains(self, text, part, what="text"):
        if part not in text:
            raise AssertionError("%s: no %r in %r" % (what, part, text[-4000:]))

    def matches(self, text, pattern, what="text"):
        m = re.search(pattern, text, re.S | re.M)
        if not m:
            raise AssertionError("%s: nothing like %r in %r" % (what, pattern, text[-4000:]))
        return m

    def exits(self, result, status, what=None):
        """result (from run() or opseal()) must have ended with status."""
        if result.status != status:
            raise AssertionError("%s: exit status %d, want %d\n%r" % (
                what or result.argv[0], result.status, status, result))
        return result

    def one_line(self, result, what="stderr"):
        """Errors are one clear line, with no control characters."""
        lines = result.errtext.splitlines()
        self.check(len(lines) == 1, "%s: %d lines, want one: %r" % (what, len(lines), lines))
        self.check(lines[0].isprintable(), "%s: control characters: %r" % (what, lines[0]))
        return lines[0]


def bytes_differ(got, want):
    n = min(len(got), len(want))
    at = next((i for i in range(n) if got[i] != want[i]), n)
    return "%d bytes, want %d; they part at byte %d: got %r, want %r" % (
        len(got), len(want), at, got[max(0, at - 20):at + 20], want[max(0, at - 20):at + 20])


def _tests_of(module):
    for name, cls in list(vars(module).items()):
        if isinstance(cls, type) and issubclass(cls, Test) and cls is not Test \
                and cls.__module__ == module.__name__:
            for method in vars(cls):
                if method.startswith("test_"):
                    yield cls, method


def cpu_of_children():
    """CPU seconds of what this process started and has waited for."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main(module="__main__"):
    """Run every test of the calling file and print TAP.  Arguments, if any,
    are parts of names: only tests that hold one of them run."""
    wanted = sys.argv[1:]
    count = failed = 0
    for cls, method in _tests_of(sys.modules[module]):
        name = "%s.%s" % (cls.__name__, method[len("test_"):])
        if wanted and not any(w in name for w in wanted):
            continue
        count += 1
        problem = skipped = None
        test = cls()
        begin, cpu = time.monotonic(), cpu_of_children()
        test._begin()
        try:
            test.setup()
            getattr(test, method)()
        except Skip as e:
            skipped = str(e)
        except BaseException as e:
            problem = traceback.format_exc()
            if isinstance(e, KeyboardInterrupt):
                test._end()
                raise
        finally:
            try:
                test.teardown()
            except Exception:
                problem = problem or traceback.format_exc()
            logs = _daemon_logs(test.dir) if problem else ""
            test._end()
        if skipped is not None and not problem:
            print("ok %d - %s # SKIP %s" % (count, name, skipped))
        elif problem:
            failed += 1
            print("not ok %d - %s" % (count, name))
            for line in (problem + logs).splitlines():
                print("# " + line)
        else:
            print("ok %d - %s" % (count, name))
            print("# %.1f s, %.1f s of CPU" % (time.monotonic() - begin, cpu_of_children() - cpu))
        sys.stdout.flush()
    print("1..%d" % count)
    sys.exit(1 if failed else 0)


def _daemon_logs(folder):
    text = ""
    for path in sorted(glob.glob(os.path.join(folder, "**", "opseald.log"), recursive=True)):
        with open(path, errors="backslashreplace") as f:
            text += "%s:\n%s\n" % (path, f.read()[-6000:])
    return text
