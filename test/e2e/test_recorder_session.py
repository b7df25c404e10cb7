#!/usr/bin/python3
"""opseal-door and opseal-rec with a fake daemon: what a user must not notice."""
import fcntl
import os
import re
import resource
import signal
import struct
import subprocess
import sys
import termios
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import opsealtest as t
import fakedaemon as f

# Prints all that a program inherits, but for what names the terminal.
LOOK = r"""
import fcntl, os, resource, signal, sys
out = ["env %s=%s" % kv for kv in sorted(os.environ.items())]
out += ["id %s %s %s" % (os.getresuid(), os.getresgid(), os.getgroups())]
mask = os.umask(0); out += ["umask %o" % mask, "cwd " + os.getcwd()]
for name in sorted(dir(resource)):
    if name.startswith("RLIMIT_"):
        out.append("%s %s" % (name, resource.getrlimit(getattr(resource, name))))
for fd in range(64):
    try:
        flags = fcntl.fcntl(fd, fcntl.F_GETFL)
    except OSError:
        continue
    name = os.readlink("/proc/self/fd/%d" % fd)
    out.append("fd %d %o %s" % (fd, flags, "terminal" if name.startswith("/dev/pts/") else name))
for line in open("/proc/self/status"):
    if line.split(":")[0] in ("SigBlk", "SigIgn", "SigCgt", "NoNewPrivs", "Seccomp", "CapEff",
                              "CapInh", "CapBnd", "CapAmb", "TracerPid"):
        out.append(line.strip())
out.append("nice %d" % os.nice(0))
out.append("argv0 %r" % open("/proc/self/cmdline").read().split("\0")[0])
out.append("signals %s" % [signal.getsignal(s) for s in (2, 15, 17, 18, 20, 28)])
open(sys.argv[1], "w").write("\n".join(out))
"""


def closed_fds(*fds):
    def before():
        for fd in fds:
            os.close(fd)
    return before


class Status(f.RecorderTest):
    """The door ends as the command ended."""

    def test_exit_statuses(self):
        for status in (0, 1, 2, 126, 127, 128, 255):
            term = self.door("--", "sh", "-c", "exit %d" % status)
            self.equal(term.wait(), status, "exit status")
            s = self.daemon.finish()
            self.equal(s.event(f.CLOSE)[0], {
                1: 1, 2: f.WHY_EXIT, 3: status << 8, 4: 0, 5: 0, 6: 0, 7: len(s.records)}, "CLOSE")
            self.equal(s.of(f.EXIT), [struct.pack("<I", status << 8)], "REC_EXIT")

    def test_signals(self):
        for sig in (signal.SIGHUP, signal.SIGINT, signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV,
                    signal.SIGPIPE, signal.SIGTSTP + 5):
            term = self.door("--", "sh", "-c", "ulimit -c 0; kill -%d $$" % sig)
            self.equal(term.wait(), -sig, "signal")
            self.equal(self.daemon.finish().event(f.CLOSE)[0][3], int(sig), "CLOSE")

    def test_not_found_and_not_executable(self):
        plain = self.write("plain", "no program")
        for argv, status in ((["no-such-program"], 127), (["/no/such/program"], 127),
                             ([plain], 126), ([self.dir], 126)):
            term = self.door("--", *argv)
            self.equal(term.wait(), status, "%s on a terminal" % argv)
            self.contains(bytes(term.out), b"opseal-door: " + argv[0].encode(), "terminal")
            self.equal(self.daemon.finish().output(), bytes(term.out), "recorded")
            got = t.run(self.door_argv("--", *argv))
            self.exits(got, status)
            self.contains(self.one_line(got), argv[0])

    def test_shell_and_its_name(self):
        script = self.write("fakeshell", "#!/bin/sh\nexit 0\n")
        for args, env, want in ((["--shell", "/bin/bash"], {}, "bash"),
                                (["--shell", "/bin/bash", "--login"], {}, "-bash"),
                                ([], {"SHELL": "/bin/bash"}, "bash"),
                                (["--login"], {"SHELL": ""}, "-sh")):
            term = self.door(*args, env=dict({"PS1": "$ ", "HOME": self.dir}, **env))
            term.expect(r"[$#] ")
            term.line("tr '\\0' '#' < /proc/$$/cmdline; echo")
            term.expect(r"[\r\n]%s#" % want)
            term.line("exit 0")
            self.equal(term.wait(), 0)
            s = self.daemon.finish()
            self.check(4 not in s.ask, "a shell claims no command")
        del script

    def test_usage(self):
        for args in (["--nonsense"], ["--login", "--", "ls"], ["--if-unavailable", "maybe"]):
            got = t.run(self.door_argv(*args))
            self.exits(got, 2)
            self.contains(got.errtext, "usage: opseal-door")
        self.exits(t.run(self.door_argv("--help")), 0)
        self.equal(self.daemon.sessions, [], "sessions")


class Same(f.RecorderTest):
    """What the command sees is what it would see without the door."""

    def look(self, prefix, name, terminal, **options):
        script = self.write("look.py", LOOK)
        out = self.path(name)
        argv = prefix + ["/usr/bin/python3", script, out]
        if terminal:
            self.equal(self.pty(argv, **options).wait(), 0, "exit status")
        else:
            subprocess.run(argv, stdin=subprocess.DEVNULL, check=True, close_fds=False,
                           stdout=subprocess.DEVNULL, **options)
        with open(out) as file:
            return file.read().splitlines()

    def compare(self, terminal, user=None, **options):
        if user:
            os.chmod(self.dir, 0o777)
            options["user"] = user
        direct = self.look([], "direct", terminal, **options)
        door = self.look(self.door_argv("--"), "door", terminal, **options)
        gone, new = sorted(set(direct) - set(door)), sorted(set(door) - set(direct))
        self.equal((gone, new), ([], []), "lines that differ")
        self.check(len(direct) > 20, "too little to compare")

    def odd(self):
        os.umask(0o037)
        resource.setrlimit(resource.RLIMIT_NOFILE, (200, 300))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGUSR1, signal.SIGWINCH})
        os.dup2(os.open("/etc/passwd", os.O_RDONLY), 17)

    def test_terminal(self):
        self.compare(True, env={"SSH_CONNECTION": "192.0.2.1 1 192.0.2.2 22", "TMPDIR": "/x"})
        self.equal(self.daemon.finish().ask[3], b"192.0.2.1", "claimed address")

    def test_terminal_with_odd_things(self):
        self.compare(True, preexec=self.odd)

    def test_terminal_as_a_user(self):
        self.compare(True, user=t.person())

    def test_command(self):
        self.compare(False)

    def test_command_with_odd_things(self):
        self.compare(False, preexec_fn=self.odd)

    def test_command_with_closed_streams(self):
        for fds in ((0,), (1,), (2,), (0, 1, 2)):
            self.compare(False, preexec_fn=closed_fds(*fds))

    def test_terminal_with_stderr_elsewhere(self):
        err = self.path("err")

        def before():
            os.dup2(os.open(err, os.O_WRONLY | os.O_CREAT, 0o600), 2)
        term = self.door("--", "sh", "-c", "echo to-err >&2; echo to-out", preexec=before)
        self.equal(term.wait(), 0)
        self.equal(bytes(term.out), b"to-out\r\n", "terminal")
        with open(err, "rb") as file:
            self.equal(file.read(), b"to-err\n", "stderr")

    def test_ssh_tty_names_the_inner_terminal(self):
        term = self.door("--", "sh", "-c", 'test "$SSH_TTY" = "$(tty)" && echo same-tty; '
                         'readlink /proc/$$/fd/0', env={"SSH_TTY": "/dev/pts/999"})
        self.equal(term.wait(), 0)
        self.contains(bytes(term.out), b"same-tty")
        self.check(term.slave_name.encode() + b"\r" not in term.out, "the outer terminal")

    def test_outer_terminal_is_not_left_open(self):
        term = self.door("--", "sh", "-c", "ls -l /proc/self/fd",
                         preexec=lambda: os.dup2(0, 9))
        self.equal(term.wait(), 0)
        self.check(term.slave_name.encode() not in bytes(term.out), "outer terminal leaked")

    def test_modes_and_size_are_those_of_the_outer_terminal(self):
        term = self.door("--", "sh", "-c", "stty -a; stty size", rows=33, cols=111)
        self.equal(term.wait(), 0)
        self.contains(bytes(term.out), b"33 111\r\n")
        other = self.pty(["sh", "-c", "stty -a; stty size"], rows=33, cols=111)
        other.wait()
        self.equal(bytes(term.out), bytes(other.out), "stty")

    def test_claims(self):
        term = self.door("--", "sh", "-c", "exit 0", "x y", "", env={"TERM": "t" * 300})
        term.wait()
        ask = self.daemon.finish().ask
        self.equal(ask, {1: 1, 2: b"t" * 256, 4: b"sh\0-c\0exit 0\0x y\0"}, "claims")
        t.run(self.door_argv("--", "true", "a" * 11994))
        self.equal(self.daemon.finish().ask[4], b"true\0" + b"a" * 11994, "longest command")
        t.run(self.door_argv("--", "true", "b" * 11995, "c" * 30000))
        ask = self.daemon.finish().ask
        self.equal((ask[4], ask[5]), (b"true\0" + b"b" * 11995, 1), "cut command")


class InPlace(f.RecorderTest):
    """Without a terminal the door becomes the command."""

    def test_pipes(self):
        data = os.urandom(300000)
        got = t.run(self.door_argv("--", "sh", "-c", "cat; echo done >&2; exit 7"), stdin=data)
        self.exits(got, 7)
        self.equal(got.out, data, "stdout")
        self.equal(got.errtext, "done\n", "stderr")
        s = self.daemon.finish()
        self.equal(s.ask[1], 2, "kind")
        self.equal(s.records, [], "records")

    def test_same_process(self):
        p = subprocess.Popen(self.door_argv("--", "sh", "-c", "echo $$; read x; exit 3"),
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.equal(int(p.stdout.readline()), p.pid, "pid")
        t.wait_for("OPEN", lambda: self.daemon.sessions and self.daemon.last.events)
        self.check(not self.daemon.last.closed, "closed too early")
        p.stdin.close()
        self.equal(p.wait(), 3, "exit status")
        close = self.daemon.finish().event(f.CLOSE)[0]
        self.equal(close[2], f.WHY_EXIT, "why")
        # From the kernel, where it says so (6.15 and newer).
        release = tuple(map(int, re.match(r"(\d+)\.(\d+)", os.uname().release).groups()))
        self.equal(close.get(3), 3 << 8 if release >= (6, 15) else None, "status")

    def test_killed_command(self):
        p = subprocess.Popen(self.door_argv("--", "sleep", "100"), stdin=subprocess.DEVNULL)
        t.wait_for("OPEN", lambda: self.daemon.sessions and self.daemon.last.events)
        t.wait_for("sleep", lambda: b"sleep" in open("/proc/%d/comm" % p.pid, "rb").read())
        p.kill()
        self.equal(p.wait(), -9, "signal")
        self.check(self.daemon.finish().event(f.CLOSE)[0].get(3) in (9, None), "status")

    def test_only_one_side_is_a_terminal(self):
        for redirect in ("</dev/null", "| cat"):
            term = self.pty(["sh", "-c", "%s -- sh -c 'test -t 0; echo $? >&2; echo x' %s" % (
                " ".join(self.door_argv()), redirect)])
            term.wait()
            self.equal(self.daemon.finish().ask[1], 2, "kind with %s" % redirect)


class Unavailable(f.RecorderTest):
    def argv(self, *args):
        return [t.program("opseal-door"), "--run", self.path("none")] + list(args)

    def test_no_daemon(self):
        line = "opseal-door: nothing was run: no daemon answers at %s/session.sock " \
            "(is opseald running?)" % self.path("none")
        got = self.exits(t.run(self.argv("--", "echo", "ran")), 2)
        self.equal((got.out, self.one_line(got)), (b"", line), "output")
        term = self.pty(self.argv("--", "echo", "ran"))
        before = term.modes()
        self.equal(term.wait(), 2, "exit status")
        self.equal(bytes(term.out).decode(), line + "\r\n", "terminal")
        self.equal(term.modes(), before, "modes")

    def test_run_without(self):
        got = self.exits(t.run(self.argv("--if-unavailable", "run", "--", "sh", "-c",
                                         "echo ran; exit 9")), 9)
        self.equal(got.out, b"ran\n", "output")
        self.contains(self.one_line(got), "not recorded")
        term = self.pty(self.argv("--if-unavailable", "run", "--", "sh", "-c", "tty; exit 9"))
        self.equal(term.wait(), 9, "exit status")
        self.contains(bytes(term.out), term.slave_name.encode())

    def test_refused(self):
        self.daemon.refusal = "you\x1b[31m may not"
        for args in ([], ["--if-unavailable", "run"]):
            got = self.exits(t.run(self.door_argv(*args, "--", "echo", "ran")), 2)
            self.equal((got.out, self.one_line(got)),
                       (b"", "opseal-door: nothing was run: refused: you?[31m may not"), "output")

    def test_interrupt_while_waiting(self):
        self.daemon.silent = True
        term = self.door("--", "echo", "ran")
        t.wait_for("the request", lambda: hasattr(self.daemon, "kept"))
        term.send("\x03")
        self.equal(term.wait(), -signal.SIGINT, "signal")
        self.check(b"ran" not in term.out, "it ran")


class Screen(f.RecorderTest):
    def test_first_records_and_exact_bytes(self):
        term = self.door("--", "sh", "-c", r"printf 'a\nb\303\251\0\377\033[1mz'")
        self.equal(term.wait(), 0)
        s = self.daemon.finish()
        self.equal([k for k, _, _ in s.records][:3], [f.RESIZE, f.ECHO, f.OUTPUT], "records")
        self.equal(s.of(f.RESIZE), [struct.pack("<HH", 80, 24)], "size")
        self.equal(s.of(f.ECHO)[0], b"\3", "modes")
        want = b"a\r\nb\xc3\xa9\0\xff\x1b[1mz"
        self.equal(bytes(term.out), want, "terminal")
        self.equal(s.output(), want, "recorded")
        times = [when for _, when, _ in s.records]
        self.equal(times, sorted(times), "times")
        opened = s.event(f.OPEN)[0]
        self.equal(opened[17], s.recorder.pid, "recorder in OPEN")

    def test_ten_megabytes(self):
        data = os.urandom(1 << 20) + bytes(range(256)) * 4096
        path = self.write("data", data)
        term = self.door("--", "sh", "-c", "stty raw; for i in 1 2 3 4 5; do cat %s; done" % path)
        self.equal(term.wait(60), 0)
        s = self.daemon.finish()
        self.equal(bytes(term.out), data * 5, "terminal")
        self.equal(s.output(), data * 5, "recorded")
        self.equal(s.event(f.CLOSE)[0][4], len(data) * 5, "bytes_out")

    def test_last_output_of_a_short_command(self):
        for i in range(30):
            term = self.door("--", "sh", "-c", "echo %d; seq 2000 | tail -400" % i)
            self.equal(term.wait(), 0)
            s = self.daemon.finish()
            self.contains(s.output(), b"2000\r\n", "end of output")
            self.equal(bytes(term.out), s.output(), "terminal")

    def test_typed_bytes_reach_the_program(self):
        term = self.door("--", "sh", "-c",
                         "stty raw -echo; echo ready; head -c 6000 | od -An -tx1 -v | md5sum")
        term.expect("ready")
        data = bytes(range(256)) * 24
        term.send(data[:6000])
        import hashlib
        want = subprocess.run(["sh", "-c", "od -An -tx1 -v | md5sum"], input=data[:6000],
                              capture_output=True).stdout.split()[0]
        term.expect(want.decode())
        self.equal(term.wait(), 0)
        s = self.daemon.finish()
        self.equal(s.event(f.CLOSE)[0][5], 6000, "bytes_in")
        self.equal(s.of(f.INPUT) + s.of(f.MASKED), [], "input is off")
        del hashlib

    def test_typed_ahead(self):
        """What was typed before the session began is for the shell."""
        term = self.pty(["sh", "-c", "sleep 0.5; exec " + " ".join(
            self.door_argv("--", "sh"))], env={"PS1": "$ "})
        term.send("echo al''ready\rexit 4\r")
        self.equal(term.wait(), 4)
        self.contains(bytes(term.out), b"already\r\n")

    def test_one_megabyte_of_paste(self):
        term = self.door("--", "sh", "-c", "stty raw -echo; echo ready; head -c 1000000 | cksum; "
                         "stty sane")
        term.expect("ready")
        data = os.urandom(500000).hex().encode()
        term.send(data)
        want = subprocess.run(["cksum"], input=data, capture_output=True).stdout.split()[0]
        term.expect(want.decode())
        self.equal(term.wait(), 0)

    def test_resize_storm(self):
        term = self.shell()
        sizes = [(20 + i % 50, 70 + i % 31) for i in range(400)]
        begin = time.monotonic()
        for i, (rows, cols) in enumerate(sizes):
            term.resize(rows, cols)
            time.sleep(max(0, begin + i * 0.005 - time.monotonic()))
        rows, cols = sizes[-1]
        t.wait_for("the last size", lambda: self.daemon.last.of(f.RESIZE)[-1:] ==
                   [struct.pack("<HH", cols, rows)])
        term.line("stty size")
        term.expect("%d %d\r" % (rows, cols))
        term.line("exit")
        self.equal(term.wait(), 0)
        got = [struct.unpack("<HH", p) for p in self.daemon.finish().of(f.RESIZE)]
        self.check(len(got) > 100, "only %d sizes" % len(got))
        order = [(80, 24)] + [(c, r) for r, c in sizes]
        at = 0
        for size in got:  # in order; some may be skipped
            at = order.index(size, at)

    def test_a_recorder_in_a_recorded_session(self):
        inner = " ".join(self.door_argv("--", "sh", "-c", "'echo deep; tty; exit 5'"))
        term = self.door("--", "sh", "-c", inner + "; echo status=$?")
        self.equal(term.wait(), 0)
        self.contains(bytes(term.out), b"status=5")
        t.wait_for("both", lambda: all(s.closed for s in self.daemon.sessions))
        self.equal(len(self.daemon.sessions), 2, "sessions")
        for s in self.daemon.sessions:
            self.contains(s.output(), b"deep\r\n")

    def test_background_job_is_hung_up(self):
        mark = self.path("mark")
        term = self.shell()
        term.line("(trap 'echo hup > %s; exit' HUP; while :; do sleep 0.05; done) & disown" % mark)
        term.line("sleep 0.2; exit")
        self.equal(term.wait(), 0)
        self.daemon.finish()

    def test_endless_background_writer(self):
        """It can't keep the session open, nor fill the log after the end."""
        term = self.door("--", "bash", "-c", "trap '' HUP; yes & sleep 0.2; exit 6")
        self.equal(term.wait(), 6)
        self.daemon.finish()


class Jobs(f.RecorderTest):
    def test_stop_and_continue(self):
        term = self.pty(["bash", "--norc", "--noprofile", "-i"],
                        env={"PS1": "out> ", "HISTFILE": ""})
        term.expect("out> ")
        cooked = term.modes()
        term.line("PS1=in'> ' %s -- bash --norc --noprofile" % " ".join(self.door_argv()))
        term.expect("in> ")
        self.check(not term.modes()[3] & termios.ICANON, "not raw")
        term.line("suspend -f")
        term.expect(r"Stopped")
        term.expect("out> ")
        term.line("stty -a | grep -c ' icanon'; echo o''ut-side")
        term.expect("1\r\n")
        term.expect("out-side")
        term.expect("out> ")
        time.sleep(0.2)  # readline reads the size and sets it again: no race with that
        term.resize(40, 100)
        term.line("fg")
        t.wait_for("CONT", lambda: self.daemon.last.of(f.CONT))
        term.line("echo in-s''ide; stty size")
        term.expect("in-side")
        term.expect("40 100")
        term.line("exit 3")
        term.expect("out> ")
        term.line("echo status=$?")
        term.expect("status=3")
        term.line("exit")
        self.equal(term.wait(), 0)
        s = self.daemon.finish()
        self.equal(s.of(f.STOP), [bytes([signal.SIGSTOP])], "REC_STOP")
        self.equal(len(s.of(f.CONT)), 1, "REC_CONT")
        self.check(b"out-side" not in s.output(), "the outer shell was recorded")
        del cooked

    def test_stop_of_the_door(self):
        term = self.pty(["bash", "--norc", "--noprofile", "-i"],
                        env={"PS1": "out> ", "HISTFILE": ""})
        term.expect("out> ")
        for sig, recorded in (("TSTP", 1), ("STOP", 1)):
            term.line("PS1=in'> ' %s -- bash --norc --noprofile" % " ".join(self.door_argv()))
            term.expect("in> ")
            door = self.daemon.last.door
            os.kill(door, getattr(signal, "SIG" + sig))
            term.expect("Stopped")
            term.expect("out> ")
            time.sleep(0.6)
            term.line("echo o''uter")
            term.expect("outer")
            term.line("fg")
            time.sleep(0.7)
            term.line("echo in''ner")
            term.expect("inner")
            term.line("exit")
            term.expect("out> ")
            s = self.daemon.finish()
            self.equal(len(s.of(f.STOP)), recorded if sig == "TSTP" else 0, "REC_STOP after " + sig)
            if sig == "TSTP":
                self.check(b"outer" not in s.output(), "the outer shell was recorded")
        term.line("exit")
        self.equal(term.wait(), 0)

    def test_signals_for_the_door_are_for_the_shell(self):
        for sig in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
            term = self.door("--", "sh", "-c", "ulimit -c 0; echo go; sleep 20 & wait")
            term.expect("go")
            os.kill(term.pid, sig)
            self.equal(term.wait(), -sig, "signal")
            self.daemon.finish()

    def test_keyboard_signals(self):
        term = self.shell()
        for key, status in (("\x03", 130), ("\x1c", 131)):
            term.line("ulimit -c 0; sleep 100")
            time.sleep(0.2)
            term.send(key)
            term.expect(r"\$ ")
            term.line("echo =$?=")
            term.expect("=%d=" % status)
        term.line("exit 0")
        self.equal(term.wait(), 0)


t.main()
