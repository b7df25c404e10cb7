#!/usr/bin/python3
# The service manager's part: sockets that it listens on and that outlive the daemon,
# its watchdog, its reload, and what its units may do.
import json
import os
import pwd
import re
import select
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import opsealtest as t
import recorded

SOCKETS = ("session", "record", "control")
MODES = {"session": 0o666, "record": 0o600, "control": 0o666}


class Managed(t.Instance):
    """An opseald whose sockets are ours, as systemd passes them."""

    def __init__(self, folder, names=SOCKETS, **options):
        self.names = names
        self.sockets = []
        super().__init__(folder, start=False, **options)
        for name in names:
            self.sockets.append(self.listen(name))

    def listen(self, name, kind=socket.SOCK_SEQPACKET, path=None):
        path = path or os.path.join(self.run_dir, name + ".sock")
        s = socket.socket(socket.AF_UNIX, kind)
        s.bind(path)
        os.chmod(path, MODES[name])
        if t.is_root() and "--no-drop" not in self.daemon_args:
            entry = pwd.getpwnam("opseal")
            os.chown(path, entry.pw_uid, entry.pw_gid)
        s.listen(128)
        return s

    def launch(self, names=None, pid="$$"):
        fds = [s.fileno() for s in self.sockets]
        high = 100

        def place():
            for i, fd in enumerate(fds):
                os.dup2(fd, high + i)
            for i in range(len(fds)):
                os.dup2(high + i, 3 + i)
        env = dict(os.environ, LISTEN_FDS=str(len(fds)),
                   LISTEN_FDNAMES=":".join(names or self.names), **self.env)
        with open(self.log_path, "ab") as log:
            self.proc = subprocess.Popen(
                ["/bin/sh", "-c", 'LISTEN_PID=%s exec "$@"' % pid, "sh"] + self.daemon_argv(),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env, start_new_session=True,
                preexec_fn=place, pass_fds=tuple(range(3, 3 + len(fds))))
        return self.proc

    def close(self):
        for s in self.sockets:
            s.close()


class Manager:
    """What listens on NOTIFY_SOCKET."""

    def __init__(self, path):
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        self.said = []

    def until(self, word, timeout=20, since=0):
        end = time.monotonic() + timeout
        while not any(word in s for s in self.said[since:]):
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.socket], [], [], left)[0]:
                raise AssertionError("%s is not said: %r" % (word, self.said))
            self.said.append(self.socket.recv(4096).decode())

    def heard(self, seconds):
        """All that is said in that time."""
        end, before = time.monotonic() + seconds, len(self.said)
        while time.monotonic() < end:
            if select.select([self.socket], [], [], max(0, end - time.monotonic()))[0]:
                self.said.append(self.socket.recv(4096).decode())
        return self.said[before:]


class Activation(recorded.Recorded):
    def managed(self, **options):
        folder = self.path("managed")
        os.makedirs(folder, exist_ok=True)
        os.chmod(folder, 0o755)
        inst = Managed(folder, **options)
        self.later(inst.close)
        self.later(inst.destroy)
        return inst

    def test_sockets_are_used_and_stay(self):
        inst = self.managed()
        before = {n: os.stat(os.path.join(inst.run_dir, n + ".sock")).st_ino for n in SOCKETS}
        inst.start()
        term = self.record_pty(inst, ["echo", "hello"])
        self.equal(term.wait(), 0, "exit status")
        self.equal(len(self.sessions(inst)), 1, "sessions")
        self.equal(inst.stop(), 0, "stop")
        self.equal({n: os.stat(os.path.join(inst.run_dir, n + ".sock")).st_ino for n in SOCKETS},
                   before, "sockets")
        self.equal(sorted(os.listdir(inst.run_dir)), sorted(n + ".sock" for n in SOCKETS), "names in RUN")

    def test_some_sockets(self):
        """What isn't passed it makes itself."""
        inst = self.managed(names=("session",))
        inst.start()
        self.equal(self.record_pty(inst, ["true"]).wait(), 0, "exit status")
        self.equal(inst.stop(), 0, "stop")
        self.equal(os.listdir(inst.run_dir), ["session.sock"], "names in RUN")

    def test_a_door_waits_for_the_next_daemon(self):
        """Restarted while one session prints and another wants to begin: none fails,
        and nothing is missing."""
        inst = self.managed()
        inst.start()
        old = self.record_pty(inst, ["sh", "-c", "i=0; while [ $i -lt 400 ]; do echo line $i;"
                                     " sleep 0.01; i=$((i+1)); done"])
        old.expect("line 3")
        self.equal(inst.stop(), 0, "stop")
        new = self.record_pty(inst, ["echo", "patience"])
        time.sleep(0.5)
        self.check(not bytes(new.out), "it did not wait: %r" % bytes(new.out))
        inst.start()
        self.equal(new.wait(), 0, "exit status of who waited")
        self.contains(bytes(new.out), b"patience")
        self.exact(inst, old)
        self.exact(inst, new)
        self.equal(json.loads(inst.opseal("status", "--json").text)["lost"], 0, "bytes lost")

    def test_a_reader_waits_too(self):
        inst = self.managed()
        inst.start()
        self.record_pty(inst, ["true"]).wait()
        self.equal(inst.stop(), 0, "stop")
        proc = subprocess.Popen(inst.argv("status", "--json"), stdout=subprocess.PIPE)
        time.sleep(0.3)
        self.equal(proc.poll(), None, "it did not wait")
        inst.start()
        out, _ = proc.communicate(timeout=60)
        self.equal(json.loads(out)["state"], "ok")

    def refused(self, inst, part, **options):
        proc = inst.launch(**options)
        self.equal(proc.wait(timeout=30), 2, "exit status")
        inst.proc = None
        self.contains(inst.log(), part)

    def test_wrong_sockets(self):
        inst = self.managed()
        self.refused(inst, 'passed socket "extra": it is none of session, record, control',
                     names=("session", "record", "extra"))
        self.refused(inst, 'passed socket "session": it is there twice',
                     names=("session", "session", "control"))
        self.refused(inst, "for record.sock is %s/session.sock and not in" % inst.run_dir,
                     names=("record", "session", "control"))
        self.refused(inst, "LISTEN_FDNAMES: no name for socket 3 of 3", names=("session", "record"))
        inst.sockets[0].close()
        os.unlink(os.path.join(inst.run_dir, "session.sock"))
        inst.sockets[0] = inst.listen("session", socket.SOCK_STREAM)
        self.refused(inst, "session.sock is no sequential packet socket that listens")

    def test_sockets_of_another(self):
        """LISTEN_PID of a parent that passed its environment on: not for us."""
        inst = self.managed()
        for s in inst.sockets:
            s.close()
        for name in SOCKETS:
            os.unlink(os.path.join(inst.run_dir, name + ".sock"))
        inst.sockets = []
        inst.launch(pid="1")
        t.wait_for("an answer", lambda: t.socket_answers(os.path.join(inst.run_dir, "control.sock")))
        self.equal(inst.stop(), 0, "stop")

    def test_watchdog(self):
        """It is fed while the roles live, and no more when one stands still."""
        manager = Manager(self.path("notify"))
        inst = self.instance(env={"NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "900000"})
        manager.until("READY=1")
        manager.until("WATCHDOG=1")
        fed = manager.heard(3)
        self.check(fed.count("WATCHDOG=1") >= 3, "fed %r" % fed)
        os.kill(inst.role("session"), signal.SIGSTOP)
        # It is killed after PULSE_MISSES looks of three seconds, and started again:
        # in between there is a time without a word.
        said, gap, last = [], 0.0, time.monotonic()
        end = last + 25
        while time.monotonic() < end:
            if select.select([manager.socket], [], [], 0.1)[0]:
                said.append(manager.socket.recv(4096).decode())
                now = time.monotonic()
                if "WATCHDOG=1" in said[-1]:
                    gap, last = max(gap, now - last), now
        self.contains(inst.log(), "role session: stands still; killed")
        self.equal(said[-1], "WATCHDOG=1", "the last word, when all is well again")

    def test_watchdog_without_a_role(self):
        """A role that can't be started again: the manager is not told that all is well."""
        manager = Manager(self.path("notify"))
        inst = self.instance(env={"NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "600000"})
        manager.until("WATCHDOG=1")
        os.rename(inst.store, inst.store + ".away")
        os.kill(inst.role("writer"), signal.SIGKILL)
        t.wait_for("the writer's end", lambda: "role writer: store" in inst.log(),
                   about=lambda: inst.log()[-2000:])
        manager.heard(0.3)
        self.equal(manager.heard(2), [], "what is said without a writer")
        os.rename(inst.store + ".away", inst.store)
        manager.until("WATCHDOG=1", since=len(manager.said))

    def test_reload_is_told(self):
        manager = Manager(self.path("notify"))
        inst = self.instance(env={"NOTIFY_SOCKET": manager.path})
        manager.until("READY=1")
        before = len(manager.said)
        inst.proc.send_signal(signal.SIGHUP)
        manager.until("READY=1", since=before)
        self.matches(manager.said[before], r"^RELOADING=1\nMONOTONIC_USEC=\d+$")


if __name__ == "__main__":
    t.main()
