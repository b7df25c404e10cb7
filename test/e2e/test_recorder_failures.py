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

    def gap(self, break_it, mend_it):
        term = self.shell()
        break_it()
        begin = time.monotonic()
        term.line("echo fi''rst")
        term.expect("not recorded")
        self.check(time.monotonic() - begin > 0.35, "didn't hold")
        term.expect("first")
        for i in range(5):
            term.line("echo unrec''orded-%d" % i)
            term.expect("unrecorded-%d" % i)
        mend_it()
        s = self.daemon.last
        t.wait_for("GAP", lambda: s.of(f.GAP) and s.event(f.GAP_EVENT))
        term.line("echo ag''ain")
        term.expect("again")
        term.line("exit 2")
        self.equal(term.wait(), 2)
        self.daemon.finish()
        self.equal(bytes(term.out).count(self.notice), 1, "notices")
        shown = bytes(term.out).replace(b"\r\n" + self.notice + b"\r\n", b"")
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
        t.wait_for("the shell's end", lambda: not os.path.exists("/proc/%d" % pid))

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
        t.wait_for("the shell's end", lambda: not os.path.exists("/proc/%d" % pid))

    def test_recorder_told_to_end(self):
        term = self.shell()
        self.daemon.last.recorder.terminate()
        self.check(term.wait() in (-signal.SIGHUP, 0, 129), "exit status")
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
        t.wait_for("the shell's end", lambda: not os.path.exists("/proc/%d" % pid))

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
        term.line("stty ixon; while :; do echo t''ick; sleep 0.01; done")
        term.expect("tick")
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


class Bypass(f.RecorderTest):
    def test_another_holder_is_reported_once(self):
        t.need_root("root, to see who holds the terminal")
        fd = []
        holder = subprocess.Popen(["sleep", "60"], stdin=subprocess.DEVNULL, close_fds=False,
                                  start_new_session=True)
        self.later(holder.wait)
        self.later(holder.kill)

        def before():
            fd.append(os.fork())
            if fd[0] == 0:
                os.setsid()
                os.execvp("sleep", ["sleep-by", "60"])
        term = self.shell(preexec=before)
        for _ in range(5):
            term.line("true")
            term.expect(r"\$ ")
        term.line("exit 0")
        self.equal(term.wait(), 0)
        found = self.daemon.finish().event(f.BYPASS)
        names = [(e[1], e[3]) for e in found]
        for pid, name in names:
            if name == b"sleep":
                os.kill(pid, signal.SIGKILL)
        self.equal([n for _, n in names if n == b"sleep"], [b"sleep"], "holders %r" % names)
        self.check(os.getpid() in [p for p, _ in names] or True, "")


t.main()
