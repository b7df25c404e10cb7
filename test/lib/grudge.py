"""grudge - what the hostile tests share: users who mean harm, and the oracle
that every attack must leave true.

The programs are installed for root into a folder of their own (the door 0711,
as make install does), the daemon runs as the user opseal, and the sessions
belong to uids that nobody else on the machine has, so that even `kill -1` hits
only us.
"""

import atexit
import ctypes
import errno
import fcntl
import json
import os
import pwd
import shutil
import signal
import struct
import sys
import tempfile
import termios
import time

import opsealtest as t

COUNT = "i=0; while [ $i -lt %d ]; do i=$((i+1)); echo line-$i; sleep %s; done"
# Two of a test's own, also beside another test: run-tests gives each a slot.
FIRST_UID = 61000 + 450 * int(os.environ.get("OPSEAL_SLOT", 0)) + os.getpid() % 225 * 2
TIOCGEXCL, TIOCNXCL = 0x80045440, 0x540D

libc = ctypes.CDLL(None, use_errno=True)


def stranger(n=0):
    """The n-th of the users with a grudge: a passwd entry without an account."""
    t.need_root("root, to run as another user")
    uid = FIRST_UID + n
    return pwd.struct_passwd(("stranger%d" % n, "x", uid, uid, "", "/tmp", "/bin/sh"))


def install():
    """Root's programs in root's folder; what t.program() finds from now on."""
    if not t.is_root():
        return
    folder = tempfile.mkdtemp(prefix="opsinst.", dir="/tmp")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.chmod(folder, 0o755)
    for name in ("opseal", "opseald", "opseal-rec", "opseal-door"):
        path = os.path.join(folder, name)
        shutil.copyfile(os.path.join(t.BIN, name), path)
        os.chmod(path, 0o711 if name == "opseal-door" else 0o755)
    t._programs = folder


def try_call(entry, function):
    """errno of an OSError that function() raises as that user; 0: it worked;
    200: something else happened."""
    def attempt():
        try:
            function()
        except OSError as e:
            return e.errno
        except Exception as e:
            print("# %s: %s" % (type(e).__name__, e), file=sys.stderr)
            return 200
        return 0
    return t.call_as(entry, attempt)


def syscall(*args):
    """A system call by number; raises OSError."""
    rc = libc.syscall(*[a if isinstance(a, ctypes._SimpleCData) or isinstance(a, ctypes._Pointer)
                        or a is None or hasattr(a, "_length_") else ctypes.c_long(a) for a in args])
    if rc < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return rc


class Grudge(t.Test):
    config = "seal_after = 200ms\n"

    def setup(self):
        self.user, self.other = stranger(0), stranger(1)
        self.inst = self.instance(config=self.config)
        self.check("--no-drop" not in self.inst.daemon_args, "the daemon keeps root's rights")
        # Somebody else's session, through all of it.
        self.bystander = self.record_pty(self.inst, ["sh", "-c", "echo ready; exec cat"],
                                         user=self.other)
        self.bystander.expect("ready")
        self.hears()

    def hears(self, word="still here"):
        self.bystander.line(word)
        self.bystander.expect(re_twice(word))

    # -- sessions --

    def door_argv(self, *command, options=()):
        return [t.program("opseal-door"), "--run", self.inst.run_dir] + list(options) + \
            (["--"] + list(command) if command else [])

    def door(self, *command, options=(), user=None, **more):
        """The door itself on a terminal, as that user."""
        return self.pty(self.door_argv(*command, options=options), user=user or self.user, **more)

    def counting(self, n=2000, pause="0.01", **more):
        """A session in the middle of its output."""
        term = self.door("sh", "-c", COUNT % (n, pause), **more)
        term.expect("line-4\r")
        return term

    def sessions(self):
        return [json.loads(x) for x in self.inst.opseal("ls", "--json").text.splitlines()]

    def session_of(self, term):
        found = [s for s in self.sessions() if s["pid"] == term.pid]
        self.check(len(found) <= 1, "two sessions of process %d" % term.pid)
        return found[0] if found else None

    def recorder_of(self, term):
        return json_pid(self.inst.opseal("show", self.session_of(term)["session"]).text)

    def raw(self, session):
        return self.inst.opseal("export", session["session"], "--format", "raw").out

    # -- the oracle --

    def ended(self, term):
        """Wait for the session's end and its recorder's; gives the session."""
        session = self.session_of(term)
        if session is None:
            return None
        sid = session["session"]
        session = t.wait_for("the end of the session", lambda: [
            s for s in self.sessions() if s["session"] == sid and s["status"] != "active"],
            about=term.autopsy)[0]
        t.wait_for("the recorder's end", lambda: not t.processes_of(sid), about=term.autopsy)
        return session

    def whole(self, term, notices=()):
        """The session of term is over: all that it showed is in the log, which
        says how it ended; the terminal is as it was.  notices: words of the
        door itself, which may follow."""
        term.wait()
        session = self.ended(term)
        self.check(session is not None, "no session")
        raw, out = self.raw(session), bytes(term.out)
        for notice in notices:
            if out.endswith(notice):
                out = out[:-len(notice)]
        if not raw.startswith(out):
            self.equal(out, raw[:len(out)], "shown, but not recorded")
        self.equal(session["bytes_out"], len(raw), "bytes_out")
        self.equal(session["bytes_lost"], 0, "bytes_lost")
        self.equal(session["status"], "closed", "status")
        self.restored(term)
        return session, raw

    def same(self, term):
        """As whole(), and nothing is recorded that wasn't shown."""
        session, raw = self.whole(term)
        self.equal(bytes(term.out), raw, "shown and recorded")
        return session

    def restored(self, term):
        self.equal(term.modes(), term.initial_modes, "modes of the outer terminal")
        value = struct.unpack("i", fcntl.ioctl(term.slave, TIOCGEXCL, b"\0" * 4))[0]
        self.equal(value, 0, "the outer terminal is still exclusive")

    def aftermath(self):
        """After an attack: the other's session, a fresh one, the log."""
        self.hears("and now")
        fresh = self.record_pty(self.inst, ["echo", "fresh"], user=self.user)
        self.equal(fresh.wait(), 0, "status of a fresh session")
        self.contains(bytes(fresh.out), b"fresh", "terminal")
        self.same(fresh)
        self.bystander.send("\x04")
        self.equal(self.bystander.wait(), 0, "status of the other's session")
        self.same(self.bystander)
        self.exits(self.inst.opseal("verify"), 0)
        zombies = [p for p in t.descendants(self.inst.proc.pid) if t.state(p) == "Z"]
        self.equal(zombies, [], "zombies")

    # -- attacks --

    def kill(self, pid, sig, user=None):
        return try_call(user or self.user, lambda: os.kill(pid, sig))

    def shell_of(self, term):
        return t.wait_for("the shell", lambda: t.descendants(term.pid))[0]


def re_twice(word):
    return "%s\r\n%s\r\n" % (word, word)


def json_pid(text):
    return int(text.split("recorded by ")[1].split()[0])
