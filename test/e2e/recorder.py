#!/usr/bin/python3
# timeout: 300
"""Doors of somebody's own making: what they share with their recorder can't
keep it from seeing their end."""
import array
import fcntl
import os
import pty
import socket
import struct
import sys
import time
import tty

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import fakedaemon as f
import grudge as g
import opsealipc as ipc
import opsealtest as t


def lingering():
    """A socket whose last close() waits for a peer that reads nothing; and
    what must stay open for that."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(1)
    s = socket.socket()
    s.connect(listener.getsockname())
    peer = listener.accept()[0]
    s.setblocking(False)
    try:
        while True:
            s.send(b"x" * 65536)
    except BlockingIOError:
        pass
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 30000))
    return s, (listener, peer)


class Door:
    """A terminal pair each and a connection that asked for a session."""

    def __init__(self, path):
        self.outer, self.outer_slave = pty.openpty()
        self.inner, self.inner_slave = pty.openpty()
        tty.setraw(self.outer_slave)
        tty.setraw(self.inner_slave)
        self.fds = [os.open(os.ttyname(self.outer_slave), os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK),
                    self.inner]
        self.conn = ipc.Conn(path)
        self.conn.send(ipc.DOOR_OPEN, ipc.cbor({1: 1, 2: b"xterm"}), self.fds)

    def go(self):
        kind = self.conn.recv()[0]
        if kind != ipc.DOOR_GO:
            raise RuntimeError("answered by %d" % kind)

    def fill(self):
        """As much output as goes: until nothing was taken for a second."""
        os.set_blocking(self.inner_slave, False)
        end = time.monotonic() + 1
        while time.monotonic() < end:
            try:
                os.write(self.inner_slave, b"x" * 4000)
                end = time.monotonic() + 1
            except BlockingIOError:
                time.sleep(0.01)


class Shared(g.Grudge):
    def attack(self, function):
        """function(door), as the user; then the door is gone, but a process of
        his keeps all that was open.  The session and its recorder end."""
        path = os.path.join(self.inst.run_dir, "session.sock")
        r, w = os.pipe()

        def as_user():
            door = Door(path)
            kept = function(door)
            if os.fork() == 0:
                os.close(w)
                os.close(door.conn.sock.fileno())
                os.read(r, 1)
                os._exit(0)
            del kept
        self.equal(t.call_as(self.user, lambda: as_user() or 0), 0, "the attack")
        os.close(r)
        try:
            t.wait_for("the session", lambda: self.mine() or not self.recorders())
            t.wait_for("its end", lambda: not [s for s in self.mine() if s["status"] == "active"])
            t.wait_for("the recorder's end", lambda: not self.recorders())
        finally:
            os.close(w)
        self.aftermath()

    def mine(self):
        return [s for s in self.sessions() if s["uid"] == self.user.pw_uid]

    def recorders(self):
        """Those but the bystander's."""
        found = t.processes_of(os.path.join(self.inst.run_dir, "record.sock"))
        return [p for p in found if p != self.recorder_of(self.bystander)]

    @staticmethod
    def block(fds):
        for fd in fds:
            fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) & ~os.O_NONBLOCK)

    def test_outer_blocks(self):
        def function(door):
            door.go()
            self.block(door.fds[:1])
            door.fill()
        self.attack(function)

    def test_inner_blocks(self):
        """He reads what the recorder was told is there."""
        def function(door):
            door.go()
            self.block(door.fds)
            for _ in range(200):
                os.write(door.inner_slave, b"x")
                os.set_blocking(door.inner, False)
                try:
                    os.read(door.inner, 1)
                except BlockingIOError:
                    pass
                self.block(door.fds)
        self.attack(function)

    def test_nobody_reads(self):
        """It needs no trick: his terminal is full, and the door is gone."""
        def function(door):
            door.go()
            door.fill()
        self.attack(function)

    def linger(self, door, n):
        """Sends a lingering socket; the recorder gets the last reference."""
        s, kept = lingering()
        anc = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [s.fileno()]))]
        try:
            for _ in range(n):
                door.conn.sock.sendmsg([f.message(f.DOOR_WINCH)], anc)
        except (PermissionError, BrokenPipeError):
            # SO_PASSRIGHTS, or it was cut off: ours may be the last reference.
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        s.close()
        return kept

    def test_socket_that_lingers(self):
        def function(door):
            door.go()
            return self.linger(door, 1)
        self.attack(function)

    def test_socket_that_lingers_at_once(self):
        """Before the recorder can say that it wants none."""
        self.attack(lambda door: [self.linger(door, 1) for _ in range(3)])


g.install()
t.main()
