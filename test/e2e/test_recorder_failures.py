#!/usr/bin/python3
"""opseal-door and opseal-rec when things fail: the writer, the log, the door,
the recorder, the terminal.  Nothing shown may be missing from the log, and
nothing may be in it twice."""
import fcntl
import os
import signal
import struct
import subprocess
import sys
import termios
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import opsealtest as t
import fakedaemon as f

COUNT = "i=0; while [ $i -lt %d ]; do i=$((i+1)); echo line-$i; sleep %s; done"


def lines(n):
    return b"".join(b"line-%d\r\n" % i for i in range(1, n + 1))


class Writer(f.RecorderTest):
    """The writer comes and goes; the session doesn't notice."""

    def test_disconnect_and_resend(self):
        term = self.door("--", "bash", "-c", COUNT % (300, 0.01))
        for i in range(6):
            term.expect("line-%d\r" % (30 * i + 20))
            self.daemon.writer_down()
            time.sleep(0.15)
            self.daemon.writer_up()
        self.equal(term.wait(), 0)
        s = self.daemon.finish()
        self.equal(bytes(term.out), lines(300), "terminal")
        self.equal(s.output(), lines(300), "recorded")
        self.check(s.hellos >= 7, "only %d connections" % s.hellos)
        self.equal(s.event(f.CLOSE)[0][6], 0, "bytes_lost")

    def test_crash_forgets_what_was_not_durable(self):
        self.daemon.acking = False
        term = self.door("--", "bash", "-c", COUNT % (200, 0.01))
        for n in (40, 80, 120):
            term.expect("line-%d\r" % n)
            self.daemon.writer_down(crash=True)
            with self.daemon.lock:
                self.equal(len(self.daemon.last.records), self.daemon.last.durable[0], "records")
            self.daemon.writer_up()
            term.expect("line-%d\r" % (n + 20))
            self.daemon.ack()
        self.daemon.acking = True
        self.equal(term.wait(), 0)
        s = self.daemon.finish()
        self.equal(bytes(term.out), lines(200), "terminal")
        self.equal(s.output(), lines(200), "recorded")

    def test_bulk_over_disconnects(self):
        data = os.urandom(1 << 19).hex().encode()
        path = self.write("data", data)
        term = self.door("--", "sh", "-c", "stty raw; cat %s %s %s %s" % ((path,) * 4))
        for _ in range(4):
            time.sleep(0.05)
            self.daemon.writer_down()
            time.sleep(0.05)
            self.daemon.writer_up()
        self.equal(term.wait(60), 0)
        s = self.daemon.finish()
        self.equal(bytes(term.out), data * 4, "terminal")
        self.equal(s.output(), data * 4, "recorded")

    def test_nothing_is_shown_that_was_not_sent(self):
        term = self.shell()
        self.daemon.writer_down()
        term.line("echo hid''den")
        time.sleep(1)
        with term.changed:
            self.check(b"hidden" not in term.out, "shown before it was in the log")
        self.daemon.writer_up()
        term.expect("hidden")
        term.line("exit")
        self.equal(term.wait(), 0)
        s = self.daemon.finish()
        self.equal(s.output(), bytes(term.out), "recorded")
        self.equal(s.event(f.GAP_EVENT), [], "gaps")

    def test_writer_that_reads_nothing(self):
        """Its socket is full: output waits, and goes on."""
        path = self.write("data", os.urandom(1 << 20).hex())
        self.args = ()
        term = self.shell()
        self.daemon.reading = False
        term.line("stty raw; cat %s; stty sane" % path)
        time.sleep(1)
        with term.changed:
            shown = len(term.out)
        self.check(shown < 1500000, "%d bytes shown" % shown)
        self.daemon.reading = True
        term.line("exit")
        self.equal(term.wait(), 0)
        s = self.daemon.finish()
        self.equal(s.output(), bytes(term.out), "recorded")
        self.check(len(term.out) > 2 << 20, "too little shown")

    def test_no_acknowledgement_holds_at_four_megabytes(self):
        path = self.write("data", os.urandom(1 << 20).hex())
        term = self.shell()
        self.daemon.acking = False
        term.line("stty raw; cat %s %s %s; stty sane" % ((path,) * 3))
        time.sleep(2)
        with term.changed:
            shown = len(term.out)
        self.check(2 << 20 < shown <= 4 << 20, "%d bytes shown" % shown)
        self.daemon.acking = True
        self.daemon.ack()
        term.line("exit")
        self.equal(term.wait(), 0)
        s = self.daemon.finish()
        self.equal(s.output(), bytes(term.out), "recorded")
        self.check(len(term.out) > 6 << 20, "too little shown")

    def test_end_while_the_writer_is_away(self):
        """The door leaves after hold_time; the recorder stays for the log."""
        self.daemon.args = ["--hold-time", str(300 * 10**6)]
        term = self.shell()
        term.line("sleep 0.3; echo la''st; exit 4")
        time.sleep(0.1)
        self.daemon.writer_down()
        begin = time.monotonic()
        self.equal(term.wait(), 4)
        self.check(time.monotonic() - begin < 3, "too slow")
        s = self.daemon.last
        self.check(s.recorder.poll() is None, "the recorder left")
        self.daemon.writer_up()
        self.daemon.finish()
        self.contains(s.output(), b"last\r\n")
        self.equal(s.of(f.EXIT), [struct.pack("<I", 4 << 8)], "REC_EXIT")


class Gap(f.RecorderTest):
    """hold_time is over: go on and say so, or end."""

    args = ("--hold-time", str(400 * 10**6))
    notice = b"opseal: the log can't be written; this part is not recorded"
    back = b"opseal: what is shown from here on is recorded"

    def gap(self, break_it, mend_it):
        term = self.shell()
        break_it()
        begin = time.monotonic()
        term.line("echo fi''rst")
        term.expect("not recorded")
        self.check(time.monotonic() - begin > 0.35, "didn't hold")
        t.wait_for("what was held", lambda: b"first" in term.out)
        for i in range(5):
            term.line("echo unrec''orded-%d" % i)
            term.expect("unrecorded-%d" % i)
        mend_it()
        s = self.daemon.last
        t.wait_for("GAP", lambda: s.of(f.GAP) and s.event(f.GAP_EVENT))
        term.expect(b"\r\n" + self.back + b"\r\n")
        term.line("echo ag''ain")
        term.expect("again")
        term.line("exit 2")
        self.equal(term.wait(), 2)
        self.daemon.finish()
        shown = bytes(term.out)
        for notice in (self.notice, self.back):
            self.equal(shown.count(notice), 1, "notices")
            shown = shown.replace(b"\r\n" + notice + b"\r\n", b"")
        (lost, since, until), = [struct.unpack("<QQQ", p) for p in s.of(f.GAP)]
        self.equal(s.event(f.GAP_EVENT), [{1: lost, 2: since, 3: until}], "GAP event")
        self.equal(len(shown), len(s.output()) + lost, "bytes shown and not recorded")
        self.check(since < until, "span of the gap")
        # What is recorded is what was shown, less one piece.
        got = s.output()
        at = next(i for i in range(len(got)) if got[i] != shown[i])
        self.equal(shown[:at] + got[at:], got[:at] + shown[at + lost:], "around the gap")
        self.contains(shown[at:at + lost], b"unrecorded-4")
        self.check(b"again" in got and b"unrecorded-2" not in got, "wrong part")
        self.equal(s.event(f.CLOSE)[0][6], lost, "bytes_lost")

    def test_writer_away(self):
        self.gap(self.daemon.writer_down, self.daemon.writer_up)

    def test_log_not_writable(self):
        self.gap(lambda: self.daemon.set_state(0), lambda: self.daemon.set_state(1))

    def test_each_gap_is_told(self):
        """Who was told of one an hour ago doesn't know of the next."""
        term = self.shell()
        for i in range(1, 3):
            self.daemon.writer_down()
            term.line("echo he''ld-%d" % i)
            t.wait_for("a notice", lambda: bytes(term.out).count(self.notice) == i)
            term.line("echo unrec''orded-%d" % i)
            term.expect("unrecorded-%d" % i)
            self.daemon.writer_up()
            t.wait_for("GAP %d" % i, lambda: len(self.daemon.last.of(f.GAP)) == i)
            term.line("echo ba''ck-%d" % i)
            term.expect("back-%d" % i)
        term.line("exit 2")
        self.equal(term.wait(), 2)
        self.daemon.finish()
        self.equal([bytes(term.out).count(x) for x in (self.notice, self.back)], [2, 2], "notices")

    def test_short_trouble_is_no_gap(self):
        term = self.shell()
        self.daemon.set_state(0)
        term.line("echo wa''it")
        time.sleep(0.2)
        self.check(b"wait" not in term.out, "shown")
        self.daemon.set_state(1)
        term.expect("wait")
        term.line("exit")
        self.equal(term.wait(), 0)
        s = self.daemon.finish()
        self.equal(s.output(), bytes(term.out), "recorded")
        self.equal(s.of(f.GAP), [], "gaps")

    def test_start_without_a_writer(self):
        self.daemon.writer_down()
        term = self.door("--", "sh", "-c", "echo unseen; read x; echo seen")
        term.expect("not recorded")
        term.expect("unseen")
        self.daemon.writer_up()
        s = self.daemon.last
        t.wait_for("GAP", lambda: s.of(f.GAP))
        term.line("")
        self.equal(term.wait(), 0)
        self.daemon.finish()
        self.equal(s.output(), b"\r\nseen\r\n", "recorded")
        self.equal(struct.unpack("<QQQ", s.of(f.GAP)[0])[0], len(b"unseen\r\n"), "GAP")

    def test_command_without_a_writer(self):
        self.daemon.writer_down()
        got = t.run(self.door_argv("--", "sh", "-c", "echo ran; exit 5"))
        self.equal((got.status, got.out, got.err), (5, b"ran\n", b""), "command")
        self.daemon.writer_up()
        self.daemon.finish()

    def test_gap_until_the_end(self):
        term = self.shell()
        self.daemon.writer_down()
        term.line("echo no''more")
        term.expect("not recorded")
        term.line("echo lo''st")
        term.expect("lost")
        term.line("exit 7")
        self.equal(term.wait(), 7)
        self.daemon.writer_up()
        s = self.daemon.finish()
        self.equal(len(s.of(f.GAP)), 1, "GAP")
        self.check(s.event(f.CLOSE)[0][6] > 0, "bytes_lost")


class Refuse(f.RecorderTest):
    args = ("--hold-time", str(300 * 10**6), "--refuse")

    def test_session_ends(self):
        term = self.shell()
        before = term.initial_modes
        term.line("trap '' HUP; sleep 0.1")
        term.expect(r"\$ ")
        self.daemon.set_state(0)
        term.line("echo se''cret")
        term.expect("the log can't be written; the session ends here")
        self.equal(term.wait(), 2, "exit status")
        self.check(b"secret" not in term.out, "shown and not recorded")
        self.equal(term.modes(), before, "modes")
        self.daemon.set_state(1)
        s = self.daemon.finish()
        self.equal(s.event(f.CLOSE)[0][2], f.WHY_LOG, "why")

    def test_no_start(self):
        self.daemon.writer_down()
        term = self.door("--", "echo", "ran")
        self.equal(term.wait(), 2, "exit status")
        self.equal(bytes(term.out), b"opseal-door: nothing was run: refused: "
                   b"the log can't be written\r\n", "terminal")
        got = self.exits(t.run(self.door_argv("--", "echo", "ran")), 2)
        self.equal(got.out, b"", "command")


class Killed(f.RecorderTest):
    def test_recorder_killed(self):
        term = self.shell()
        term.line("echo pid=$$")
        pid = int(term.expect(r"pid=(\d+)\r").group(1))
        before = term.initial_modes
        self.daemon.last.recorder.kill()
        self.equal(term.wait(), 2, "exit status")
        self.contains(bytes(term.out), b"the recorder is gone; the session ends here\r\n")
        self.equal(term.modes(), before, "modes")
        self.check(not exclusive(term), "still exclusive")
        t.wait_for("the shell's end", lambda: t.gone(pid))

    def test_door_killed(self):
        term = self.shell()
        before = term.initial_modes
        term.line("echo pid=$$; (sleep 0.1; echo af''ter) & sleep 100")
        pid = int(term.expect(r"pid=(\d+)\r").group(1))
        term.proc.kill()
        s = self.daemon.finish()
        self.equal(term.proc.wait(), -9)
        close = s.event(f.CLOSE)[0]
        self.equal((close[2], close.get(3)), (f.WHY_KILLED, None), "CLOSE")
        self.equal(term.modes(), before, "modes")
        self.check(not exclusive(term), "still exclusive")
        self.equal(s.output(), bytes(term.out), "shown and recorded")
        t.wait_for("the shell's end", lambda: t.gone(pid))

    def test_recorder_told_to_end(self):
        term = self.shell()
        self.daemon.last.recorder.terminate()
        self.equal(term.wait(), 2, "exit status")
        s = self.daemon.finish()
        self.equal(s.event(f.CLOSE)[0][1], 1, "closed")
        self.equal(term.modes(), term.initial_modes, "modes")

    def test_hang_up(self):
        """The outer terminal goes away, as a lost connection does."""
        import pty
        master, slave = pty.openpty()

        def before():
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        p = subprocess.Popen(self.door_argv("--", "sh", "-c", "echo $$ > %s; sleep 100" % (
            self.path("pid"))), stdin=slave, stdout=slave, stderr=slave, preexec_fn=before)
        os.close(slave)
        t.wait_for("pid", lambda: os.path.exists(self.path("pid")) and
                   open(self.path("pid")).read())
        pid = int(open(self.path("pid")).read())
        os.close(master)
        self.equal(p.wait(10), -signal.SIGHUP, "the door")
        s = self.daemon.finish()
        self.check(s.event(f.CLOSE)[0][2] in (f.WHY_HANGUP, f.WHY_EXIT), "why")
        t.wait_for("the shell's end", lambda: t.gone(pid))

    def test_user_can_not_reach_door_or_recorder(self):
        user = t.person()
        os.chmod(self.dir, 0o755)
        term = self.door("--", "sh", "-c", "echo go; sleep 100", user=user)
        term.expect("go")
        recorder = self.daemon.last.recorder.pid
        self.check(t.call_as(user, lambda: t.ptrace_attach(term.pid)) != 0, "door traced")
        self.check(t.call_as(user, lambda: t.ptrace_attach(recorder)) != 0, "recorder traced")

        def open_terminal():
            try:
                os.close(os.open(term.slave_name, os.O_WRONLY | os.O_NOCTTY))
                return 0
            except OSError as e:
                return e.errno
        self.equal(t.call_as(user, open_terminal), 16, "open of the outer terminal (EBUSY)")
        with open("/proc/%d/limits" % recorder) as file:
            self.contains(file.read(), "Max core file size        0")
        term.send("\x03")
        self.equal(term.wait(), -signal.SIGINT)
        self.daemon.finish()
        self.equal(t.call_as(user, open_terminal), 0, "open afterwards")


def exclusive(term):
    TIOCGEXCL = 0x80045440
    return struct.unpack("i", fcntl.ioctl(term.slave, TIOCGEXCL, b"\0" * 4))[0] != 0


class Stuck(f.RecorderTest):
    """The person's terminal takes nothing for a while."""

    def stuck(self, term):
        term.line("stty -ixon; seq 100000; echo en''d")
        term.expect("\r\n500\r")
        term.pause()
        time.sleep(0.5)
        term.send("\x03")  # must reach the program although output is stuck
        time.sleep(0.3)
        term.pause(False)
        term.expect(r"\^C")
        self.check(b"\r\n100000\r\n" not in term.out, "seq was not interrupted")
        term.line("echo fine")
        term.expect("fine")
        term.line("exit 0")
        self.equal(term.wait(), 0)
        s = self.daemon.finish()
        self.equal(s.output(), bytes(term.out), "shown and recorded")

    def test_interrupt(self):
        self.stuck(self.shell())

    def test_interrupt_on_a_terminal_of_another_user(self):
        """As after su: the door can't open the terminal again, so its
        description is shared and must stay blocking."""
        user = t.person()
        os.chmod(self.dir, 0o755)

        def before():
            # The terminal stays root's, and closed to the user.
            os.fchown(0, 0, 0)
            os.fchmod(0, 0o600)
        term = self.shell(user=user, preexec=before)
        self.stuck(term)
        self.check(not fcntl.fcntl(term.slave, fcntl.F_GETFL) & os.O_NONBLOCK, "O_NONBLOCK")

    def test_stop_key(self):
        term = self.shell()
        path = self.write("ticks.py", "import time\nwhile True:\n"
                          "    print('ti' + 'ck', flush=True)\n    time.sleep(0.01)\n")
        term.line("stty ixon; /usr/bin/python3 %s" % path)
        term.expect("tick\r")
        term.send("\x13")
        time.sleep(0.3)
        with term.changed:
            before = len(term.out)
        time.sleep(0.3)
        with term.changed:
            self.check(len(term.out) - before < 50, "^S doesn't stop the output")
        term.send("\x11")
        term.expect("tick\r\ntick")
        term.send("\x03")
        term.expect(r"\$ ")
        term.line("exit 0")
        self.equal(term.wait(), 0)
        self.equal(self.daemon.finish().output(), bytes(term.out), "shown and recorded")


class Rogue(f.RecorderTest):
    """Anybody may connect to session.sock and talk as he likes; he harms
    nobody but himself."""

    def rogue(self, *fds):
        import socket
        s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        s.connect(self.path("session.sock"))
        s.settimeout(t.PATIENCE)
        socket.send_fds(s, [f.message(f.DOOR_OPEN, f.cbor_map({1: 1}))], fds)
        self.later(s.close)
        return s

    def terminals(self):
        import pty
        outer, inner = pty.openpty(), pty.openpty()
        for fd in outer + inner:
            self.later(lambda fd=fd: os.close(fd))
        return outer, inner

    def test_nonsense_ends_the_session(self):
        for bad in (b"x", f.message(99), f.message(f.DOOR_EXIT, b"abc"), f.message(f.DOOR_GO),
                    f.message(f.DOOR_STOP, b"\1") * 2, f.message(f.HELLO, b"x" * 22),
                    f.message(f.DOOR_WINCH, b"y" * 60000)):
            outer, inner = self.terminals()
            before = termios.tcgetattr(outer[1])
            s = self.rogue(outer[1], inner[0])
            self.equal(f.parse(s.recv(100))[0], f.DOOR_GO, "answer")
            self.check(not termios.tcgetattr(outer[1])[3] & termios.ICANON, "not raw")
            s.send(bad)
            self.equal(s.recv(100), b"", "connection")
            closed = self.daemon.finish().event(f.CLOSE)[0]
            self.equal((closed[1], closed[2]), (1, f.WHY_KILLED), "CLOSE")
            self.equal(termios.tcgetattr(outer[1]), before, "modes")

    def test_not_a_terminal(self):
        self.daemon.stderr = subprocess.DEVNULL
        read, write = os.pipe()
        outer, inner = self.terminals()
        for fds in ((read, write), (outer[1], write), (read, inner[0]), (outer[1], inner[1])):
            s = self.rogue(*fds)
            kind, text = f.parse(s.recv(300))
            self.equal(kind, f.DOOR_REFUSED, "answer")
            self.contains(text, b"terminal", "reason")
            self.equal(s.recv(100), b"", "answer")
            self.equal(self.daemon.last.recorder.wait(10), 1, "exit status")
            self.equal(self.daemon.last.events, [], "events")
        os.close(read)
        os.close(write)

    def test_recorder_by_hand(self):
        for args in ([], ["--session", "x"], ["--session", "a" * 16, "--record", "/x", "--conn", "0",
                     "--pidfd", "0", "--open", "77"], ["--hold-time", "-1"]):
            got = t.run([t.program("opseal-rec")] + args)
            self.exits(got, 2)
            self.contains(got.errtext, "usage: opseal-rec")


class Bypass(f.RecorderTest):
    """The daemon says who else has the terminal open: test/e2e/bypass.py."""

    def found(self, session):
        return [(e[1], e[2], e[3]) for e in session.event(f.BYPASS)]

    def test_terminal_is_named(self):
        term = self.shell()
        s = self.daemon.last
        st = os.stat(term.slave_name)
        want = (st.st_dev, st.st_rdev, term.pid, 1, s.recorder.pid)
        self.equal([o[:5] for o in s.outers], [want], "REC_OUTER")
        # The inner one's number is in the OPEN event, which is the acceptor's.
        opened = s.event(f.OPEN)[0]
        self.equal([i[:5] for i in s.inners],
                   [(opened.get(23, 0), opened.get(24, 0), term.pid, 1, opened[5])], "REC_INNER")
        self.check(0 < time.clock_gettime_ns(time.CLOCK_BOOTTIME) - s.inners[0][5] < 60 * 10**9, "REC_INNER: begun")
        # To the next writer as well.
        self.daemon.writer_down()
        self.daemon.writer_up()
        t.wait_for("REC_OUTER", lambda: len(s.outers) == 2)
        self.equal(s.outers[1], s.outers[0], "REC_OUTER")
        self.equal(s.inners[1:], s.inners[:1], "REC_INNER")
        term.line("exit 0")
        self.equal(term.wait(), 0)
        self.daemon.finish()

    def test_command_has_no_terminal(self):
        self.exits(t.run(self.door_argv("--", "sleep", "0.2")), 0)
        s = self.daemon.finish()
        self.equal(s.outers, [], "REC_OUTER")
        # Capture is told of it all the same: its programs are the session's.
        self.equal([i[:2] for i in s.inners], [(0, 0)], "REC_INNER")
        self.equal(s.inners[0][2], s.event(f.OPEN)[0][6], "REC_INNER: door")

    def test_reported_once(self):
        term = self.shell()
        s = self.daemon.last
        rows = [(77, 5, 1000, b"thief"), (77, 6, 0, b""), (78, 5, 2**32 - 1, b"x" * 64)]
        for _ in range(3):
            for row in rows:
                self.daemon.found(*row)
        t.wait_for("the events", lambda: len(self.found(s)) >= 3)
        self.daemon.writer_down()
        self.daemon.writer_up()
        t.wait_for("the recorder", lambda: s.hellos == 2)
        self.daemon.found(*rows[0])
        term.line("exit 0")
        self.equal(term.wait(), 0)
        self.daemon.finish()
        self.equal(self.found(s), [(pid, uid, name) for pid, _, uid, name in rows], "BYPASS")

    def test_at_most_64(self):
        term = self.shell()
        for i in range(200):
            self.daemon.found(1000 + i)
        term.line("exit 0")
        self.equal(term.wait(), 0)
        self.equal([e[0] for e in self.found(self.daemon.finish())], list(range(1000, 1064)), "BYPASS")

    def test_nonsense_is_cut_off(self):
        term = self.shell()
        s = self.daemon.last
        rows = [dict(pid=0), dict(pid=5, name=b"x" * 65), dict(pid=5, sid=b"another id")]
        for n, row in enumerate(rows):
            self.daemon.found(**row)
            t.wait_for("a new connection", lambda: s.hellos == n + 2)
        term.line("exit 0")
        self.equal(term.wait(), 0)
        self.equal(self.found(self.daemon.finish()), [], "BYPASS")


t.main()
