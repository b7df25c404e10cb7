#!/usr/bin/python3
# timeout: 900
"""Many logins at once and one after the other: all are recorded, none is refused."""
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import opsealtest as t
import recorded as r
import sshhost

AT_ONCE = 200
SECONDS, A_SECOND = 60, 50


class ManyLogins(t.Test):
    def setup(self):
        self.host = sshhost.Host(self.path("host"))
        self.later(self.host.close)
        self.host.set_shells()
        self.inst = self.host.instance(self)

    def start(self, *words):
        return subprocess.Popen(self.host.ssh_argv("anna", *words), preexec_fn=self.host.enter,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def check_recorded(self, count):
        rows = r.json_lines(t.wait_for("all sessions to end", lambda: (
            lambda got: got if '"state":"active"' not in got.text else None)(self.inst.opseal("ls", "--json"))))
        self.equal(len(rows), count, "sessions")
        self.equal({s["user"] for s in rows}, {"anna"}, "user")
        self.equal(sorted(s["command"] for s in rows), sorted("bash -c echo %d" % i for i in range(count)), "commands")

    def test_at_once(self):
        """Each asks for something of its own; what it says comes back to it."""
        clients = [self.start("h", "echo %d" % i) for i in range(AT_ONCE)]
        for i, client in enumerate(clients):
            out, err = client.communicate(timeout=240)
            self.equal((client.returncode, out, err), (0, b"%d\n" % i, b""), "client %d" % i)
        self.check_recorded(AT_ONCE)

    def test_terminals_at_once(self):
        clients = [self.start("-tt", "h", "echo %d" % i) for i in range(AT_ONCE)]
        for i, client in enumerate(clients):
            out, _ = client.communicate(timeout=240)
            self.equal((client.returncode, out), (0, b"%d\r\n" % i), "client %d" % i)
        self.check_recorded(AT_ONCE)

    def test_steadily(self):
        """Fifty a second for a minute, over connections that are there already: a
        machine of two cores can't do more handshakes than that.  Each is a session
        with PAM's part done and a shell of its own."""
        masters = []
        for i in range(10):
            path = "%s/mux%d" % (self.dir, i)
            self.later(lambda p=path: self.host.run(["ssh", "-S", p, "-O", "exit", "h"]))
            got = self.host.run(self.host.ssh_argv("anna", "-MNf", "-S", path, "h"))
            self.equal(got.status, 0, "%r" % got)
            masters.append(path)
        began, clients = time.monotonic(), []
        for i in range(SECONDS * A_SECOND):
            wait = began + i / A_SECOND - time.monotonic()
            if wait > 0:
                time.sleep(wait)
            clients.append(self.start("-S", masters[i % len(masters)], "h", "echo %d" % i))
        for i, client in enumerate(clients):
            out, err = client.communicate(timeout=240)
            self.equal((client.returncode, out, err), (0, b"%d\n" % i, b""), "client %d" % i)
        print("# %d in %.1f s" % (len(clients), time.monotonic() - began))
        self.check_recorded(len(clients))


t.main()
