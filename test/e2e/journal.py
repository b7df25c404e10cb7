#!/usr/bin/python3
# Lines in the journal, by its own protocol; the journal's part is played by the test.
import os
import re
import select
import signal
import socket
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import opsealtest as t
import recorded


def ids():
    with open(os.path.join(t.SOURCE, "daemon/logline.c")) as f:
        return dict(re.findall(r'\[LOGLINE_(\w+)\]\s+=\s*\{ "([0-9a-f]{32})"', f.read()))


def fields(datagram):
    """As systemd's reader takes them apart: JOURNAL_NATIVE_PROTOCOL."""
    found = []
    while datagram:
        line, _, rest = datagram.partition(b"\n")
        if b"=" in line:
            key, _, value = line.partition(b"=")
        else:
            key, n = line, struct.unpack("<Q", rest[:8])[0]
            value, rest = rest[8:8 + n], rest[8 + n:]
            assert rest[:1] == b"\n", datagram
            rest = rest[1:]
        assert re.fullmatch(rb"[A-Z][A-Z0-9_]*", key), key
        found.append((key.decode(), value))
        datagram = rest
    assert len(dict(found)) == len(found), found
    return dict(found)


class Journalled(t.Instance):
    """In a mount namespace where the journal's socket is the one in folder."""

    def __init__(self, folder, journal, **options):
        self.journal = journal
        super().__init__(folder, **options)

    def daemon_argv(self):
        return ["unshare", "-m", "--propagation", "private", "sh", "-c",
                "mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/journal && "
                "mount --bind %s /run/systemd/journal && exec \"$@\"" % self.journal,
                "sh"] + super().daemon_argv()

    def launch(self):
        with open(self.log_path, "ab") as f:
            st = os.fstat(f.fileno())
        self.env["JOURNAL_STREAM"] = "%d:%d" % (st.st_dev, st.st_ino)
        return super().launch()


class Journal(recorded.Recorded):
    def setup(self):
        t.need_root("root, for a mount namespace with another /run")
        t.need_program("unshare")
        os.chmod(self.path(), 0o755)
        os.makedirs(self.path("journal"))
        os.chmod(self.path("journal"), 0o755)
        self.entries = []
        self.listen()

    def listen(self):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path("journal/socket"))
        os.chmod(self.path("journal/socket"), 0o666)
        self.later(self.socket.close)

    def journalled(self, **options):
        folder = self.path("inst")
        os.makedirs(folder)
        os.chmod(folder, 0o755)
        inst = Journalled(folder, self.path("journal"), start=False, **options)
        self.later(inst.destroy)
        inst.start(says=False)  # that is in the journal
        return inst

    def entry(self, **want):
        """The entry that has these fields; those before it are passed by."""
        end = time.monotonic() + 30
        while time.monotonic() < end:
            if select.select([self.socket], [], [], 0.2)[0]:
                self.entries.append(fields(self.socket.recv(65536)))
            for e in self.entries:
                if all(e.get(k, b"").decode() == v for k, v in want.items()):
                    return e
        self.fail("no entry with %r: %r" % (want, self.entries))

    def test_start_and_stop(self):
        inst = self.journalled()
        e = self.entry(MESSAGE_ID=ids()["STARTED"])
        self.equal(e["MESSAGE"].decode(), "ready, store %s run %s" % (inst.store, inst.run_dir))
        self.equal((e["PRIORITY"], e["SYSLOG_IDENTIFIER"], e["SYSLOG_FACILITY"]), (b"5", b"opseald", b"3"))
        self.check("OPSEAL_ROLE" not in e, "a role")
        self.equal(inst.stop(), 0, "stop")
        self.equal(self.entry(MESSAGE_ID=ids()["STOPPED"])["PRIORITY"], b"4")
        self.equal(inst.log(), "", "stderr")

    def test_a_role_and_a_session(self):
        inst = self.journalled()
        term = self.record_pty(inst, ["sh", "-c", "echo here; sleep 60"])
        term.expect("here")
        session = self.session(inst, term)["session"]
        recorded.kill(*recorded.recorders(inst))
        e = self.entry(MESSAGE_ID=ids()["SESSION_LOST"])
        self.equal((e["OPSEAL_ROLE"], e["OPSEAL_SESSION"]), (b"writer", session.encode()))
        self.contains(e["MESSAGE"].decode(), "session " + session)

    def test_configuration(self):
        inst = self.journalled()
        inst.write_config("inptu = on\n")
        inst.proc.send_signal(signal.SIGHUP)
        self.equal(self.entry(MESSAGE_ID=ids()["CONFIG_REFUSED"])["PRIORITY"], b"4")
        self.check(any(b"unknown key" in e["MESSAGE"] for e in self.entries), "why")
        inst.write_config("input = on\n")
        inst.proc.send_signal(signal.SIGHUP)
        self.contains(self.entry(MESSAGE_ID=ids()["CONFIG_TAKEN"])["MESSAGE"].decode(), "input")

    def test_a_role_that_died(self):
        inst = self.journalled()
        os.kill(inst.role("query"), signal.SIGKILL)
        e = self.entry(MESSAGE_ID=ids()["ROLE_ENDED"])
        self.contains(e["MESSAGE"].decode(), "role query: ended by signal 9")

    def test_without_a_journal(self):
        """It goes away: stderr takes its place; it comes again: so do the lines."""
        inst = self.journalled()
        self.entry(MESSAGE_ID=ids()["STARTED"])
        self.socket.close()
        os.unlink(self.path("journal/socket"))
        inst.proc.send_signal(signal.SIGHUP)
        t.wait_for("stderr", lambda: "opseald: configuration: read again, nothing changed\n" in inst.log(),
                   about=inst.log)
        self.listen()
        inst.proc.send_signal(signal.SIGHUP)
        self.entry(MESSAGE_ID=ids()["CONFIG_TAKEN"])
        self.equal(inst.log().count("read again"), 1, "lines on stderr")

    def test_stderr_that_is_no_journal(self):
        """JOURNAL_STREAM of somebody else, as a terminal of a unit inherits it."""
        inst = self.instance(env={"JOURNAL_STREAM": "1:2"})
        t.wait_for("stderr", lambda: "opseald: ready" in inst.log())


if __name__ == "__main__":
    t.main()
