#!/usr/bin/python3
# The session role: what a door must bring to get a recorder.
import fcntl
import os
import select
import pty
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import opsealipc as ipc
import opsealtest as t

TERMINAL, COMMAND = 1, 2
TIOCGPTPEER = 0x5441


def request(kind=TERMINAL, **more):
    keys = {"term": 2, "from_": 3, "command": 4, "cut": 5}
    return ipc.cbor({1: kind, **{keys[k]: v for k, v in more.items()}})


class Door(ipc.Conn):
    def __init__(self, run_dir):
        super().__init__(os.path.join(run_dir, "session.sock"))

    def ask(self, payload, fds=()):
        """The answer: ("go", id), ("no", text), or ("end", None)."""
        self.send(ipc.DOOR_OPEN, payload, fds)
        return self.answer()

    def answer(self):
        kind, payload = self.recv()
        if kind == ipc.DOOR_GO:
            return "go", payload[:10]
        if kind == ipc.DOOR_REFUSED:
            return "no", payload.decode()
        if kind is None:
            return "end", None
        raise AssertionError("answer %r %r" % (kind, payload))


class Session(t.Test):
    def terminal(self):
        """(master, slave) of a new pty."""
        pair = pty.openpty()
        for fd in pair:
            self.later(lambda fd=fd: os.close(fd))
        return pair

    def found(self, inst, sid):
        c = ipc.Client(inst.run_dir)
        try:
            for s in c.sessions():
                s = ipc.uncbor(s)
                if s[1] == sid:
                    return s
        finally:
            c.close()
        return None

    def test_terminal(self):
        """The descriptors are a terminal and a pty of our own: a recorder."""
        inst = self.instance()
        _, outer = self.terminal()
        master, slave = self.terminal()
        fcntl.ioctl(outer, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 99, 0, 0))
        door = Door(inst.run_dir)
        answer, sid = door.ask(request(term=b"xterm", from_=b"192.0.2.1", command=b"sh\0-c"),
                               (outer, master))
        self.equal(answer, "go", sid)
        s = t.wait_for("the session", lambda: self.found(inst, sid))
        opened = ipc.uncbor(s[11][10:])
        uid = os.getuid()
        self.equal({k: opened[k] for k in (1, 2, 3, 6, 7, 11, 12, 13, 14, 15)},
                   {1: TERMINAL, 2: uid, 3: os.getgid(), 6: os.getpid(),
                    7: ipc.start_time(os.getpid()), 11: 99, 12: 33, 13: b"xterm",
                    14: b"192.0.2.1", 15: b"sh\0-c"}, "SESSION-OPEN")
        with open("/proc/self/loginuid") as f:
            self.equal(opened[4], int(f.read()), "auid")
        with open("/proc/self/sessionid") as f:
            self.equal(opened[5], int(f.read()), "ses")
        self.equal(opened[9], os.ttyname(outer)[5:].encode(), "tty")
        self.equal(opened[10], os.ttyname(slave)[5:].encode(), "inner")
        self.equal(opened[19], os.uname().nodename.encode(), "host")
        self.equal(opened[18], ipc.start_time(opened[17]), "the recorder's start time")
        self.recorder_is_apart(inst, opened[17])
        door.close()

    def command_of(self, inst, command):
        _, outer = self.terminal()
        master, _ = self.terminal()
        answer, sid = Door(inst.run_dir).ask(request(command=command), (outer, master))
        self.equal(answer, "go", sid)
        s = t.wait_for("the session", lambda: self.found(inst, sid))
        return ipc.uncbor(s[11][10:])

    def test_secrets_in_the_command(self):
        """They are replaced as those of a program's arguments are."""
        inst = self.instance()
        masked = [self.command_of(inst, b"mysql\0-psecret\0" + more)[15] for more in (b"db", b"x")]
        for command, more in zip(masked, (b"db", b"x")):
            self.matches(command.decode(), r"^mysql\0-p\[masked 6 [0-9a-f]{12}\]\0%s$" % more.decode())
        self.equal(masked[0].split(b"\0")[1], masked[1].split(b"\0")[1], "equal secrets")
        # Masks are longer than what they hide: the command may have to be cut.
        opened = self.command_of(inst, b"curl" + b"\0--password=1" * 800)
        self.equal((opened[15].startswith(b"curl\0--password=[masked 1 "), b"=1" in opened[15]),
                   (True, False), "many")
        self.check(len(opened[15]) <= 12000 and opened.get(16), "not cut: %d" % len(opened[15]))
        plain = self.instance(config="mask = no\n")
        self.equal(self.command_of(plain, b"mysql\0-psecret")[15], b"mysql\0-psecret", "switched off")

    def recorder_is_apart(self, inst, pid):
        """It holds nothing of the daemon's, and outlives it."""
        self.equal(os.getsid(pid), pid, "its session")
        with open("/proc/%d/status" % pid) as f:
            self.contains(f.read(), "NoNewPrivs:\t1", "status")
        with open("/proc/net/unix") as f:
            listening = {line.split()[6] for line in f if " 00010000 " in line}
        held = [os.readlink("/proc/%d/fd/%s" % (pid, fd))
                for fd in os.listdir("/proc/%d/fd" % pid)]
        self.check(not any(name[8:-1] in listening for name in held), "listens: %r" % held)
        self.check(not any(name.startswith("pipe:") for name in held), "a pipe: %r" % held)
        pids = [p for p in inst.pids() if p != pid]
        inst.kill()
        for p in pids:
            t.wait_for("the end of %d" % p, lambda: t.gone(p))
        self.check(os.path.exists("/proc/%d" % pid), "the recorder went with the daemon")

    def test_what_is_refused(self):
        inst = self.instance()
        master, slave = self.terminal()
        inner, inner_slave = self.terminal()
        read_only = os.open(os.ttyname(slave), os.O_RDONLY | os.O_NOCTTY)
        path_only = os.open(os.ttyname(slave), os.O_PATH)
        file = tempfile.TemporaryFile()
        r, w = os.pipe()
        for fd in (read_only, path_only, r, w):
            self.later(lambda fd=fd: os.close(fd))
        rows = [
            ("no descriptors", request(), (), "descriptors"),
            ("one descriptor", request(), (slave,), "descriptors"),
            ("a command with descriptors", request(COMMAND), (slave, inner), "descriptors"),
            ("outer: a file", request(), (file.fileno(), inner), "no terminal"),
            ("outer: a pipe", request(), (r, inner), "no terminal"),
            ("outer: a master", request(), (master, inner), "master"),
            ("outer: read-only", request(), (read_only, inner), "reading and writing"),
            ("outer: O_PATH", request(), (path_only, inner), ""),
            ("inner: a slave", request(), (slave, inner_slave), "no pty master"),
            ("inner: a file", request(), (slave, file.fileno()), "no pty master"),
            ("inner: the outer's master", request(), (slave, master), "inner one itself"),
            ("kind 0", request(0), (), "kind"),
            ("kind 9", request(9), (), "kind"),
            ("no CBOR", b"\xff", (), ""),
            ("bytes left over", request(COMMAND) + b"\0", (), ""),
            ("nothing", b"", (), ""),
            ("three descriptors", request(), (slave, inner, r), ""),
        ]
        for name, payload, fds, text in rows:
            door = Door(inst.run_dir)
            answer, said = door.ask(payload, fds)
            self.equal(answer, "no", name)
            self.contains(said, text, name)
            self.check(len(said) <= 200 and said.isprintable(), "%s: %r" % (name, said))
            self.check(door.ended(), name + ": the connection stays")
            door.close()
        t.wait_for("no process left over", lambda: not any(
            b"opseal-rec" in open("/proc/%d/cmdline" % p, "rb").read()
            for p in inst.pids() if os.path.exists("/proc/%d/cmdline" % p)))

    def test_inner_terminal_of_another(self):
        inst = self.instance()
        person = t.person()
        _, outer = self.terminal()
        master, slave = self.terminal()  # root's

        def ask():
            return 1 if Door(inst.run_dir).ask(request(), (outer, master))[0] == "no" else 2

        self.equal(t.call_as(person, ask), 1, "a pty of root's, brought by %s" % person.pw_name)
        os.fchown(slave, person.pw_uid, -1)
        self.equal(t.call_as(person, ask), 2, "his own")

    def test_other_messages(self):
        inst = self.instance()
        for name, data in (("a later one", ipc.frame(4)), ("hello of a client", ipc.frame(
                ipc.C_HELLO, b"x")), ("half a header", b"\1\0\0"), ("wrong length", ipc.frame(
                    ipc.DOOR_OPEN, b"x", length=9))):
            door = Door(inst.run_dir)
            door.raw(data)
            self.equal(door.answer()[0], "no", name)
            door.close()
        self.equal(inst.log().count("starting it again"), 0, "restarts")

    def test_a_silent_door_is_cut_off(self):
        inst = self.instance()
        door = Door(inst.run_dir)
        begin = time.monotonic()
        self.check(door.ended(), "still connected")
        self.check(3 < time.monotonic() - begin < 15, "after %.1f s" % (time.monotonic() - begin))

    def test_many_silent_doors(self):
        """64 of one person wait; more are closed at once; another is served."""
        inst = self.instance()
        person = t.person()

        def crowd():
            doors = [Door(inst.run_dir) for _ in range(80)]
            # Waits for the 16, and then a little for one too many.
            closed, end = 0, time.monotonic() + 4
            while doors and time.monotonic() < end:
                ready, _, _ = select.select([d.sock for d in doors], [], [], 0.3)
                if not ready and closed >= 16:
                    break
                for door in [d for d in doors if d.sock in ready]:
                    closed += door.recv()[0] in (None, ipc.DOOR_REFUSED)
                    doors.remove(door)
            return closed

        self.equal(t.call_as(person, crowd), 16, "closed of 80")
        self.contains(inst.log(), "too many connections", "log")
        _, outer = self.terminal()
        master, _ = self.terminal()
        self.equal(Door(inst.run_dir).ask(request(), (outer, master))[0], "go", "another")

    def test_command(self):
        """No terminal: the door becomes the command; its pid is watched."""
        inst = self.instance()
        code = ("import os, sys; sys.path.insert(0, %r); import opsealipc as i\n"
                "c = i.Conn(%r); c.send(i.DOOR_OPEN, i.cbor({1: 2, 4: b'sleep'}))\n"
                "k, p = c.recv(); print(k, p[:10].hex(), flush=True); c.close()\n"
                "sys.stdin.read()\n" % (os.path.join(t.SOURCE, "test/lib"),
                                        os.path.join(inst.run_dir, "session.sock")))
        proc = subprocess.Popen(["/usr/bin/python3", "-c", code], stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE)
        self.later(lambda: (proc.kill(), proc.wait()))
        kind, sid = proc.stdout.readline().split()
        self.equal(int(kind), ipc.DOOR_GO, "answer")
        sid = bytes.fromhex(sid.decode())
        s = t.wait_for("the session", lambda: self.found(inst, sid))
        self.equal(ipc.uncbor(s[11][10:])[6], proc.pid, "pid of the door")
        self.equal(s[2], 0, "state: active")
        proc.stdin.close()
        proc.wait()
        t.wait_for("its end", lambda: self.found(inst, sid)[2] == 1)

    def test_restart_of_the_role_keeps_sessions(self):
        inst = self.instance()
        _, outer = self.terminal()
        master, _ = self.terminal()
        door = Door(inst.run_dir)
        answer, sid = door.ask(request(), (outer, master))
        self.equal(answer, "go", sid)
        os.kill(inst.role("session"), signal.SIGKILL)
        t.wait_for("a line", lambda: "role session: ended by signal 9" in inst.log())
        t.wait_for("the session", lambda: self.found(inst, sid))
        self.equal(self.found(inst, sid)[2], 0, "state: active")
        _, outer = self.terminal()
        master, _ = self.terminal()
        self.equal(Door(inst.run_dir).ask(request(), (outer, master))[0], "go", "the next one")


t.main()
