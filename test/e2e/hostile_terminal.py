#!/usr/bin/python3
# timeout: 600
"""A recorded user with a grudge, at the terminal: he starts the door in odd
ways, tries to reach the outer terminal past it, and shakes both terminals."""
import errno
import fcntl
import os
import re
import signal
import struct
import subprocess
import sys
import termios
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import grudge as g
import opsealtest as t


class Starts(g.Grudge):
    """However the door is started: recorded, or not run at all."""

    def good(self, term, text=b"squeezed"):
        status = term.wait()
        self.equal(status, 0, "status: %r" % bytes(term.out))
        self.contains(bytes(term.out), text, "terminal")
        self.same(term)

    def test_under_another_name(self):
        door, link = t.program("opseal-door"), self.path("link")
        os.symlink(door, link)
        hard = os.path.join(os.path.dirname(door), "hard")
        os.link(door, hard)
        self.later(lambda: os.unlink(hard))
        rest = ["--run", self.inst.run_dir, "--", "/bin/echo", "squeezed"]
        for path in (link, hard):
            self.good(self.pty([path] + rest, user=self.user))
            # Neither makes it readable, and so traceable.
            self.equal(g.try_call(self.user, lambda: open(path)), errno.EACCES, path)
        for name in ("", "-bash", "-" * 200, "a\033]0;b", "opseal-rec", "/bin/sh"):
            self.good(self.pty(["bash", "-c", 'name=$1; shift; exec -a "$name" "$@"', "x", name,
                                door] + rest, user=self.user))
        self.aftermath()

    def test_a_copy(self):
        """The door can't be copied, being unreadable.  Whoever has one from
        elsewhere can trace it, but runs it for himself: it is recorded the
        same, and the door that sshd or login starts is still root's."""
        door = t.program("opseal-door")
        self.equal(g.try_call(self.user, lambda: open(door, "rb").read()), errno.EACCES, "copying")
        self.check(g.try_call(self.user, lambda: os.link(door, "/tmp/opslink.%d" % os.getpid())) in
                   (errno.EPERM, errno.EXDEV), "a link of his own")
        copy = self.path("copy")
        with open(door, "rb") as f:
            self.write("copy", f.read())
        os.chmod(copy, 0o755)
        term = self.pty([copy, "--run", self.inst.run_dir, "--", "sh", "-c",
                         g.COUNT % (50, 0.01)], user=self.user)
        term.expect("line-4\r")
        # It still makes itself untraceable, once it runs.
        self.equal(t.call_as(self.user, lambda: t.ptrace_attach(term.pid)), errno.EPERM, "attach")
        self.good(term, b"line-50")
        self.aftermath()

    def test_traced_from_its_start(self):
        """He who traces a door that he starts himself sees its system calls,
        not its memory; all that is shown goes through the recorder still."""
        t.need_program("strace")
        out = self.path("trace")
        self.write("trace", b"")
        os.chown(out, self.user.pw_uid, -1)
        term = self.pty(["strace", "-f", "-o", out] + self.door_argv("/bin/echo", "squeezed"),
                        user=self.user)
        self.equal(term.wait(), 0, "status: %r" % bytes(term.out))
        session = [s for s in self.sessions() if s["uid"] == self.user.pw_uid][-1]
        self.equal(self.raw(session), bytes(term.out), "shown and recorded")
        self.aftermath()

    def test_closed_descriptors(self):
        for closed in range(1, 8):
            fds = [fd for fd in range(3) if closed >> fd & 1]
            script = "exec %s; exec \"$@\"" % " ".join("%d>&-" % fd for fd in fds)
            term = self.pty(["sh", "-c", script, "x"] + self.door_argv(
                "sh", "-c", "echo squeezed; echo loud >&2; ls -l /proc/self/fd >&2"),
                user=self.user)
            term.wait()
            session = self.ended(term)
            self.check(session is not None, "closed %s: no session" % fds)
            if session["kind"] == "terminal":
                self.equal(self.raw(session), bytes(term.out), "closed %s" % fds)
            self.restored(term)
        self.aftermath()

    def test_from_a_folder_that_is_gone(self):
        gone = self.path("gone")
        term = self.pty(["sh", "-c", 'mkdir -p "$1" && cd "$1" && rmdir "$1"; shift; exec "$@"',
                         "x", "/tmp/opsgone.%d" % os.getpid()] +
                        self.door_argv("/bin/echo", "squeezed"), user=self.user)
        self.good(term)
        self.aftermath()

    def test_long_arguments_and_environment(self):
        big = {"BIG%d" % n: "x" * 100000 for n in range(12)}
        self.good(self.door("/bin/echo", "squeezed", env=big))
        term = self.door("sh", "-c", "echo squeezed $#", *["y" * 100000] * 12)
        self.good(term)
        term = self.door("sh", "-c", "echo squeezed $#", *["z"] * 100000)
        self.good(term, b"99999")
        self.good(self.door("/bin/echo", "squeezed", env={
            "TERM": "\033]0;evil\007" * 4000, "SSH_CONNECTION": "\033[2J" * 9000, "SSH_TTY": "x" * 9999}))
        for args in (["ls"], ["show", "last"]):
            self.check("\033" not in self.inst.opseal(*args).text, "%s shows it raw" % args)
        self.aftermath()

    def test_loader_variables(self):
        mark = self.path("mark")
        source = self.write("x.c", '#include <stdlib.h>\n#include <fcntl.h>\n#include <unistd.h>\n'
                            '__attribute__((constructor)) static void x(void) { char b[64] = {0};'
                            'int f = open("/proc/self/comm", O_RDONLY), o = open("%s",'
                            'O_WRONLY|O_APPEND); if (f >= 0 && o >= 0) write(o, b, '
                            '(size_t)read(f, b, 63)); }\n' % mark)
        lib = self.path("x.so")
        subprocess.run(["cc", "-w", "-shared", "-fPIC", "-o", lib, source], check=True)
        self.write("mark", b"")
        os.chmod(mark, 0o666)
        for env in ({"LD_PRELOAD": lib}, {"LD_AUDIT": lib}, {"LD_LIBRARY_PATH": self.dir},
                    {"LD_DEBUG": "all"}, {"LD_BIND_NOW": "1", "LD_SHOW_AUXV": "1"},
                    {"GLIBC_TUNABLES": "glibc.malloc.check=3:glibc.malloc.perturb=165" + ":x" * 500},
                    {"MALLOC_TRACE": self.path("trace"), "LOCPATH": "/proc/self/mem",
                     "GCONV_PATH": self.dir, "GETCONF_DIR": self.dir, "NLSPATH": "%s" * 99,
                     "RESOLV_HOST_CONF": "/etc/shadow", "POSIXLY_CORRECT": "1"}):
            self.good(self.door("/bin/echo", "squeezed", env=env))
        with open(mark) as f:
            got = f.read()
        self.contains(got, "echo", "the command has its LD_PRELOAD")
        self.check("opseal-door" not in got, "the library was in the door: %r" % got)
        self.aftermath()

    def test_with_children_timers_and_ignored_signals(self):
        os.mkdir(self.path("open"))
        os.chmod(self.path("open"), 0o777)
        for script in ("sleep 0.3 & exec", "(sleep 0.3 &) ; exec", "trap '' CHLD; exec",
                       "trap '' HUP INT QUIT TERM TSTP CONT WINCH PIPE; exec", "setsid -w",
                       "cd %s; nohup" % self.path("open"), "timeout 20", "timeout --foreground 20",
                       "env -i", "stdbuf -o0", "umask 777; exec", "exec 9<>/dev/null; exec"):
            term = self.pty(["bash", "-c", script + ' "$@"', "x"] + self.door_argv(
                "/bin/echo", "squeezed"), user=self.user)
            self.equal(term.wait(), 0, "%s: %r" % (script, bytes(term.out)))
            session = [s for s in self.sessions() if s["uid"] == self.user.pw_uid][-1]
            self.equal(session["command"], "/bin/echo squeezed", script)
            if session["kind"] == "terminal":
                t.wait_for("the end", lambda: not t.processes_of(session["session"]))
                self.contains(self.raw(session), b"squeezed", script)
            else:
                self.check("nohup" in script, "%s: no terminal session" % script)
        self.aftermath()


class Outer(g.Grudge):
    """The terminal he sits at is the recorder's while he is recorded."""

    def test_not_to_be_opened(self):
        term = self.counting()
        for flags in (os.O_RDWR, os.O_WRONLY, os.O_RDONLY, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY):
            self.equal(g.try_call(self.user, lambda: os.open(term.slave_name, flags)), errno.EBUSY,
                       "opening %s" % term.slave_name)
            for fd in range(12):
                got = g.try_call(self.user, lambda: os.open("/proc/%d/fd/%d" % (term.pid, fd), flags))
                self.check(got in (errno.EACCES, errno.EPERM), "the door's descriptor %d: %d" % (fd, got))
        path = "/tmp/opsnode.%d" % os.getpid()
        self.equal(g.try_call(self.user, lambda: os.mknod(path, 0o666 | 0o020000,
                   os.stat(term.slave_name).st_rdev)), errno.EPERM, "mknod")
        link = self.path("pts")
        os.symlink(term.slave_name, link)
        self.equal(g.try_call(self.user, lambda: os.open(link, os.O_RDWR)), errno.EBUSY, "symlink")
        self.kill(term.pid, signal.SIGKILL)
        self.whole(term)
        self.aftermath()

    def test_from_inside(self):
        """What the shell and its children hold leads to the inner terminal."""
        script = self.write("inside.py", INSIDE)
        term = self.door("/usr/bin/python3", script)
        self.equal(term.wait(), 0, "status: %r" % bytes(term.out)[-600:])
        self.contains(bytes(term.out), b"done inside", "terminal")
        self.same(term)
        self.aftermath()

    def test_inherited_descriptors_are_closed(self):
        """A copy of the outer terminal that the door's caller left open."""
        term = self.pty(["bash", "-c", 'exec 7>&1 8<&0 200>&1; exec "$@"', "x"] + self.door_argv(
            "bash", "-c", "echo past the recorder >&7; echo again >&200; read x <&8; ls /proc/self/fd; echo end"),
            user=self.user)
        self.equal(term.wait(), 0, "status")
        self.check(b"past the recorder\r\n" not in term.out, "written past the recorder")
        self.same(term)
        self.aftermath()

    def test_size_changes(self):
        term = self.door("sh", "-c", g.COUNT % (150, 0.005))
        for n in range(400):
            term.resize(10 + n % 50, 20 + n % 170)
            self.kill(term.pid, signal.SIGWINCH)
        self.equal(term.wait(), 0, "status")
        self.same(term)
        self.aftermath()

    def test_inner_modes(self):
        script = ("for m in raw sane '-a' 'cs7' 'parenb' '-opost' 'tostop' 'noflsh' 'min 0 time 0' "
                  "'rows 3 cols 9' '0' 'hup' '-icanon -echo' 'columns 65535' 'ixon' 'eol x' 'sane'; do "
                  "stty $m; echo after $m; done 2>&1")
        term = self.door("sh", "-c", script)
        self.equal(term.wait(), 0, "status")
        self.same(term)
        self.aftermath()


# What one may try from inside a session; exits 0 if all of it was in vain.
INSIDE = r"""
import array, ctypes, errno, fcntl, os, signal, struct, sys, termios, time
libc = ctypes.CDLL(None, use_errno=True)
signal.signal(signal.SIGHUP, signal.SIG_IGN)
inner = os.ttyname(0)
for fd in range(3):
    assert os.ttyname(fd) == inner, os.ttyname(fd)
assert os.readlink("/proc/self/fd/0") == inner
tty = os.open("/dev/tty", os.O_RDWR)
assert fcntl.ioctl(tty, 0x80045432, b"\0" * 4) == struct.pack("I", os.stat(inner).st_rdev & 0xffffffff)
parent = os.getppid()
for number in range(12):
    try:
        os.open("/proc/%d/fd/%d" % (parent, number), os.O_RDWR)
        print("opened the door's", number); sys.exit(1)
    except PermissionError:
        pass
for request, arg in ((0x540C, 0), (0x540D, 0), (0x5412, b"x"), (0x540E, 1), (0x5422, 0), (0x5437, 0),
                     (0x540A, 0), (0x540A, 1), (0x540A, 2), (0x540A, 3), (0x540B, 0), (0x540B, 1),
                     (0x540B, 2), (0x5409, 0), (0x5425, 1), (0x541D, 0), (0x5420, b"\1\0\0\0"),
                     (0x5424, b"\2\0\0\0"), (0x5423, b"\1\0\0\0"), (0x5440, 0), (0x5427, 0),
                     (0x5428, 0), (0x5456, b"\1\0\0\0"), (0x5441, 0o2), (0x5423, b"\0\0\0\0")):
    if request == 0x540B and arg != 0:
        continue   # throwing away output that wasn't read yet is his right
    if request == 0x540A and arg in (0, 2):
        continue   # so is stopping his own terminal
    try:
        fcntl.ioctl(0, request, arg)
    except (OSError, ValueError):
        pass
    sys.stdout.write("after %x %r\n" % (request, arg)); sys.stdout.flush()
fcntl.ioctl(0, 0x540D)
for path in os.listdir("/dev/pts"):
    if path.isdigit() and "/dev/pts/" + path != inner:
        try:
            fd = os.open("/dev/pts/" + path, os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK)
            # Another terminal of this uid that isn't recorded: none here.
            print("opened", path); sys.exit(1)
        except OSError as e:
            assert e.errno in (errno.EBUSY, errno.EACCES, errno.EIO, errno.ENOENT), e
os.setpgid(0, 0) if os.getpid() != os.getsid(0) else None
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
for pgrp in (os.getpgid(parent), 1, 999999):
    try:
        os.tcsetpgrp(0, pgrp)
    except OSError:
        pass
print("done inside")
"""


class Bypass(g.Grudge):
    """Who holds the outer terminal besides the door and its ancestors is
    reported, wherever he has hidden."""

    HOLD = ("import ctypes, os, sys, time\n"
            "for n in range(%d):\n"
            "    if os.fork(): os._exit(0) if n else os.execvp(sys.argv[1], sys.argv[1:])\n"
            "    os.setsid()\n"
            "os.close(0); os.close(2); os.dup2(1, 77); os.close(1)\n"
            "ctypes.CDLL(None).prctl(4, 0)\n"  # not to be looked at, he thinks
            "for n in range(900):\n"
            "    time.sleep(0.01)\n"
            "    os.write(77, b'<past>')\n")

    # One thread has descriptors of its own; the process seems to have none.
    THREAD = ("import ctypes, os, sys, threading, time\n"
              "if os.fork(): os.execvp(sys.argv[1], sys.argv[1:])\n"
              "os.setsid()\n"
              "def write():\n"
              "    ctypes.CDLL(None).unshare(0x400)\n"
              "    time.sleep(0.1)\n"
              "    for n in range(900):\n"
              "        time.sleep(0.01)\n"
              "        os.write(1, b'<past>')\n"
              "threading.Thread(target=write).start()\n"
              "time.sleep(0.05)\n"
              "for fd in range(3): os.close(fd)\n"
              "time.sleep(20)\n")

    def run_with(self, *argv):
        term = self.pty(list(argv) + self.door_argv("sh", "-c", g.COUNT % (2000, 0.01)),
                        user=self.user)
        term.expect("line-20\r")
        return term

    def over(self, term):
        """All but what was written past the recorder is in the log."""
        self.kill(term.pid, signal.SIGKILL)
        g.try_call(self.user, lambda: os.kill(-1, signal.SIGKILL))
        term.wait()
        session = self.ended(term)
        out = bytes(term.out).replace(b"<past>", b"")
        self.equal(out, self.raw(session)[:len(out)], "the rest is recorded")
        return session, self.inst.opseal("show", session["session"]).text

    def reported(self, *argv):
        term = self.run_with(*argv)
        self.check(b"<past>" in term.out, "nothing came past the recorder")
        t.wait_for("the report", lambda: self.session_of(term)["bypasses"])
        session, shown = self.over(term)
        self.contains(shown, "BYPASS")
        self.equal(session["bypasses"], 1, shown)
        self.aftermath()

    def test_child_of_the_door(self):
        # One process, or each would be reported: no `sleep`.
        self.reported("bash", "-c", "{ exec 3<> <(:); while :; do printf '<past>'; "
                      "read -t 0.01 -u 3 x; done; } & exec \"$@\"", "x")

    def test_session_of_its_own(self):
        self.reported("/usr/bin/python3", "-c", self.HOLD % 1)

    def test_daemon_by_two_forks(self):
        self.reported("/usr/bin/python3", "-c", self.HOLD % 2)

    def test_thread_with_its_own(self):
        self.reported("/usr/bin/python3", "-c", self.THREAD)

    def test_nobody(self):
        terms = [self.run_with("env") for _ in range(4)]
        time.sleep(2)
        for term in terms:
            session, shown = self.over(term)
            self.equal(session["bypasses"], 0, shown)
        self.aftermath()


g.install()
t.main()
