#!/usr/bin/python3
"""kill -9 of the daemon, of its roles, of the recorder and of the door, at any
moment: nothing that was shown is missing from the log, nothing is in it twice,
and what isn't complete is never called so.

timeout: 600
"""
import os
import random
import re
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import grudge
import opsealtest as t
import recorded as r

KILLS = 12 if t.SANITIZE else 100
STARTS = 8 if t.SANITIZE else 40
READ = 8192  # bytes that the recorder reads at once, at most

# Numbered lines, no two alike, until the file argv[1] exists: argv[2] a second.
# Odd ones come in bulk now and then.
TALKER = r"""
import os, random, sys, time
stop, rate, rnd, i = sys.argv[1], float(sys.argv[2]), random.Random(sys.argv[3]), 0
while not os.path.exists(stop):
    i += 1
    extra = rnd.randbytes(rnd.choice((0, 3, 40, 3000) if i % 50 else (60000,)))
    os.write(1, b"line %d " % i + extra + b"\r\n")
    time.sleep(1 / rate)
os.write(1, b"%d lines\r\n" % i)
sys.exit(int(sys.argv[4]))
"""


class Kills(r.Recorded):
    def talker(self, inst, rate=100, status=0, **options):
        """A session with steady output on a raw terminal, until silence()."""
        if not os.path.exists(self.path("talker.py")):
            os.chmod(self.write("talker.py", TALKER), 0o644)
        term = self.record_pty(inst, ["sh", "-c", "stty raw; exec /usr/bin/python3 %s %s %s %d %d" % (
            self.path("talker.py"), self.path("stop"), rate, len(self._cleanups), status)], **options)
        term.expect("line 3 ")
        return term

    def silence(self):
        open(self.path("stop"), "w").close()

    def whole(self, term):
        """The lines on the terminal: none missing, none twice."""
        total = int(re.search(rb"(\d+) lines\r\n$", term.out).group(1))
        numbers = [int(n) for n in re.findall(rb"line (\d+) ", term.out)]
        self.equal(numbers, list(range(1, total + 1)), "numbers of the lines shown")


class Daemon(Kills):
    def test_killed_and_started_again(self):
        inst = self.instance()
        term = self.talker(inst)
        time.sleep(0.3)
        inst.kill()
        time.sleep(0.5)
        inst.start()
        mark = len(term.out)
        t.wait_for("more output", lambda: len(term.out) > mark + 3000)
        self.silence()
        self.exact(inst, term)
        self.whole(term)
        self.verifies(inst)
        self.equal(inst.stop(), 0, "exit status")
        self.exits(inst.offline("verify"), 0)

    def test_terminated_and_started_again(self):
        """SIGTERM seals and ends; the session waits and goes on."""
        inst = self.instance()
        term = self.talker(inst)
        for _ in range(3):
            time.sleep(0.2)
            self.equal(inst.stop(), 0, "exit status of opseald")
            self.equal(os.listdir(os.path.join(inst.store, "wal")), [], "wal after a clean stop")
            self.exits(inst.offline("verify"), 0)
            mark = len(term.out)
            time.sleep(0.3)
            self.check(len(term.out) == mark, "shown without being recorded")
            inst.start()
            t.wait_for("more output", lambda: len(term.out) > mark + 3000)
        self.silence()
        self.exact(inst, term)
        self.whole(term)
        self.verifies(inst)

    def test_only_one_role_killed(self):
        inst = self.instance()
        term = self.talker(inst)
        for role in ("writer", "query", "session", "writer"):
            time.sleep(0.2)
            old = r.role_pids(inst, role)
            r.kill(*old)
            t.wait_for("a new " + role, lambda: r.role_pids(inst, role) not in ([], old))
            mark = len(term.out)
            t.wait_for("more output after " + role, lambda: len(term.out) > mark + 3000)
        self.silence()
        self.exact(inst, term)
        self.whole(term)
        self.verifies(inst)

    def test_writer_stopped_for_a_while(self):
        inst = self.instance()
        term = self.talker(inst, rate=300)
        pids = r.role_pids(inst, "writer")
        r.kill(*pids, number=signal.SIGSTOP)
        time.sleep(1)
        r.kill(*pids, number=signal.SIGCONT)
        mark = len(term.out)
        t.wait_for("more output", lambda: len(term.out) > mark + 3000)
        self.silence()
        self.exact(inst, term)
        self.whole(term)
        self.verifies(inst)

    def test_killed_while_it_ends(self):
        """The session ends while nobody takes its records."""
        inst = self.instance()
        term = self.talker(inst, status=9)
        inst.kill()
        self.silence()
        begin = time.monotonic()
        time.sleep(0.3)
        inst.start()
        self.exact(inst, term, 9)
        self.check(time.monotonic() - begin < 10, "slow")
        self.whole(term)
        self.verifies(inst)

    def test_everything_comes_back_after_the_end(self):
        """The door left long ago; the recorder has kept what it was owed."""
        inst = self.instance(config="hold_time = 400ms\n")
        term = self.record_pty(inst, ["sh", "-c", "echo before; read x; exit 4"])
        term.expect("before")
        time.sleep(0.3)
        inst.kill()
        term.send("\r")
        self.equal(term.wait(), 4, "exit status")
        time.sleep(1)
        inst.start()
        s = self.ended(inst, term)
        self.equal(self.exits(self.raw(inst, s), 0).out,
                   bytes(term.out).replace(r.GAP_NOTICE, b""), "what was shown")
        self.equal(s["exit"], 4, "recorded exit")
        self.verifies(inst)


class Hundred(Kills):
    def short_one(self, inst, i):
        """A session that begins while things are being killed."""
        return self.record_pty(inst, ["sh", "-c", "echo ran-%d; exit 7" % i])

    def check_short(self, inst, i, term, rows):
        """Recorded in full; or refused with a line, and then nothing ran; or
        broken off, and then it isn't called closed."""
        status = term.wait(60)
        out = bytes(term.out)
        mine = [s for s in rows if s["pid"] == term.pid]
        if status == 7:
            self.equal(len(mine), 1, "sessions of short one %d, %r" % (i, out))
            self.exact(inst, term, 7)
        else:
            self.equal(status, 2, "exit status of short one %d, %r" % (i, out))
            self.contains(out, b"opseal", "what short one %d says" % i)
            for s in mine:
                self.check(s["status"] != "closed" or s["exit"] != 7, "closed: %r, %r" % (s, out))

    def all_of_it(self, inst):
        """kill -9 of every process of opseald; the recorders stay."""
        pids = r.role_pids(inst)
        inst.kill()
        t.wait_for("opseald's end", lambda: all(t.gone(pid) for pid in pids))

    def one_role(self, inst, role):
        if role == "writer":
            r.kill(*r.role_pids(inst, "writer"))
        else:
            # The others follow by themselves, and somebody starts it again.
            r.kill(inst.proc.pid)
            inst.proc.wait()
            inst.start()

    def test_a_hundred_kills(self):
        """Of all of opseald, at random moments of its life and of its start;
        in between of one role alone."""
        rnd = random.Random(os.environ.get("OPSEAL_SEED", "100 kills"))
        inst = self.instance(config="hold_time = 60s\n")
        terms = [self.talker(inst, rate=rate) for rate in (20, 60, 100, 200)]
        short = []
        for i in range(KILLS):
            if i % 3 == 0:
                self.one_role(inst, rnd.choice(("writer", "supervisor")))
                time.sleep(rnd.uniform(0, 0.2))
            if i % 10 == 5:
                short.append(self.short_one(inst, i))
            self.all_of_it(inst)
            if i % 2 == 0:
                inst.start()
                time.sleep(rnd.uniform(0, 0.2))
            else:
                inst.launch()  # the next kill may come before it is ready
                time.sleep(rnd.uniform(0, 0.12))
                self.equal(inst.proc.poll(), None, "opseald after kill %d\n%s" % (i, inst.log()))
        self.all_of_it(inst)
        inst.start()
        self.silence()
        for term in terms:
            self.exact(inst, term)
            self.whole(term)
        for term in short:
            term.wait(60)
        rows = t.wait_for("the sessions' ends", lambda: (lambda rows: rows if all(
            s["status"] != "active" for s in rows) else None)(self.sessions(inst)))
        for i, term in enumerate(short):
            self.check_short(inst, i, term, rows)
        self.verifies(inst)
        self.exits(inst.opseal("verify", "--quick"), 0)
        self.equal(sorted(os.listdir(os.path.join(inst.store, "log"))), ["0"], "logs")
        self.equal(inst.stop(), 0, "exit status")
        self.exits(inst.offline("verify"), 0)
        self.equal(os.listdir(os.path.join(inst.store, "wal")), [], "wal after a clean stop")

    def test_killed_in_the_start(self):
        """Recovery itself is cut off, again and again."""
        rnd = random.Random("starts")
        inst = self.instance(config="hold_time = 60s\n")
        term = self.talker(inst, rate=200)
        for i in range(STARTS):
            inst.kill()
            inst.launch()
            time.sleep(rnd.uniform(0, 0.12))
        inst.kill()
        inst.start()
        mark = len(term.out)
        t.wait_for("more output", lambda: len(term.out) > mark + 3000)
        self.silence()
        self.exact(inst, term)
        self.whole(term)
        self.verifies(inst)


class Successor(Kills):
    """The log can't be continued, while a session is open."""

    def test_over_successors_and_restarts(self):
        inst = self.instance()
        term = self.talker(inst)
        for kill, lose in ((0, 1), (0, 0), (1, 0), (1, 1), (0, 0)):
            time.sleep(0.2)
            if kill:
                inst.kill()
            else:
                inst.stop()
            segments = set(inst.segments())
            if lose:
                os.unlink(os.path.join(inst.store, "keys", "resume"))
            inst.start()
            mark = len(term.out)
            t.wait_for("more output", lambda: len(term.out) > mark + 3000)
            self.equal(segments - set(inst.segments()), set(), "segments that are gone")
        self.silence()
        self.exact(inst, term)
        self.whole(term)
        self.equal(inst.stop(), 0, "exit status")
        result = inst.offline("verify")
        self.exits(result, 0)
        self.equal(result.text.count("SUCCESSOR"), 2, "successors")

    def test_the_store_is_another(self):
        """Its log is gone, but not the rest of the session, nor that there was more."""
        inst = self.instance(config="seal_after = 10ms\n")
        term = self.talker(inst)
        t.wait_for("a sealed frame", lambda: any("/screen/" in s for s in inst.segments()))
        inst.stop()
        for name in os.listdir(inst.store):
            os.rename(os.path.join(inst.store, name), self.path(name))
        inst.start()
        mark = len(term.out)
        t.wait_for("more output", lambda: len(term.out) > mark + 3000)
        self.silence()
        self.equal(term.wait(), 0, "exit status")
        self.whole(term)
        s = self.ended(inst, term, "gapped")
        got = self.raw(inst, s)
        self.check(got.status in (0, 5), "export: %r" % got.status)
        out = bytes(term.out)
        self.check(len(got.out) > 2000 and out.endswith(got.out), "the rest is not what was shown")
        self.equal(s["bytes_lost"], len(out) - len(got.out), "bytes lost")
        # And at its place, for all who read the screen.
        self.equal(self.accounted(inst, term, s), [len(out) - len(got.out)], "gaps")
        cat = self.exits(inst.opseal("cat", s["session"]), 5)
        self.check(cat.text.lstrip().startswith("[gap: %d bytes not recorded" % s["bytes_lost"]),
                   "cat begins %r" % cat.text[:200])
        self.equal(inst.stop(), 0, "exit status")
        self.exits(inst.offline("verify"), 0)


class Away(Kills):
    """The daemon is away for longer than hold_time."""

    def test_continue(self):
        inst = self.instance(config="hold_time = 400ms\n")
        term = self.talker(inst)
        inst.kill()
        term.expect("this part is not recorded")
        mark = len(term.out)
        t.wait_for("output without a log", lambda: len(term.out) > mark + 20000)
        inst.start()
        s = t.wait_for("the gap in ls", lambda: (lambda s: s if s["bytes_lost"] else None)(
            self.session(inst, term)))
        self.equal(s["status"], "gapped", "state while it goes on")
        for args in (["ls"], ["ls", "--active"], ["show", s["session"]]):
            self.contains(inst.opseal(*args).text, "active, gapped", " ".join(args))
        mark = len(term.out)
        t.wait_for("more output", lambda: len(term.out) > mark + 3000)
        self.silence()
        self.equal(term.wait(), 0, "exit status")
        self.whole(term)
        s = self.ended(inst, term, "gapped")
        self.check("active" not in inst.opseal("ls").text, "it has ended")
        self.equal(s["exit"], 0, "recorded exit")
        self.equal(bytes(term.out).count(r.GAP_NOTICE), 1, "notices")
        self.equal(len(self.accounted(inst, term, s)), 1, "gaps")
        result = self.verifies(inst)
        self.matches(inst.opseal("ls").text, r"gap", "ls")
        self.matches(result.text, r"gap|GAP", "verify")

    def test_refuse(self):
        inst = self.instance(config="hold_time = 400ms\non_log_failure = refuse\n")
        term = self.talker(inst, user=r.not_root())
        inst.kill()
        self.equal(term.wait(), 2, "exit status")
        out = bytes(term.out)
        self.equal(out.count(r.END_NOTICE), 1, "notices")
        self.equal(term.modes(), term.initial_modes, "modes of the outer terminal")
        inst.start()
        s = self.ended(inst, term)
        self.equal(s["exit"], None, "recorded exit")
        got = self.exits(self.raw(inst, s), 0).out
        shown = out[:out.index(r.END_NOTICE)]
        self.equal(got[:len(shown)], shown, "all that was shown")
        # What was read last and then held back is in the log all the same.
        self.check(len(got) - len(shown) < READ, "%d bytes more" % (len(got) - len(shown)))
        self.contains(inst.opseal("show", s["session"]).text, r.END_BY_LOG, "why it ended")
        self.verifies(inst)
        # And now nothing begins without a log.
        inst.kill()
        term = self.record_pty(inst, ["sh", "-c", "echo ran"], user=r.not_root())
        self.equal(term.wait(), 2, "exit status without a daemon")
        self.check(b"ran\r\n" not in bytes(term.out), "it ran")

    def test_refuse_what_a_command_left(self):
        """It ends by itself while its output is held.  What was held then is
        refused, what it wrote after that isn't even read: the log must not
        say that the end of the command was all."""
        inst = self.instance(config="hold_time = 1s\non_log_failure = refuse\n")
        term = self.record_pty(inst, ["sh", "-c", "echo one; read x; echo two; exit 3"], user=r.not_root())
        term.expect("one\r\n")
        inst.kill()
        term.line("")
        self.equal(term.wait(), 2, "exit status: not all was shown")
        self.equal(bytes(term.out), b"one\r\n" + r.END_NOTICE, "shown")
        inst.start()
        s = self.ended(inst, term)
        self.equal((s["exit"], s["bytes_lost"]), (3, 0), "recorded exit, bytes lost")
        got = self.exits(self.raw(inst, s), 0).out
        self.check(b"one\r\n\r\ntwo\r\n".startswith(got) and got.startswith(b"one\r\n"),
                   "recorded %r" % got)
        self.contains(inst.opseal("show", s["session"]).text, r.END_BY_LOG, "why it ended")
        self.verifies(inst)


class Recorder(Kills):
    def test_recorder_killed(self):
        inst = self.instance()
        term = self.talker(inst)
        recorder, = r.recorders(inst)
        r.kill(recorder)
        self.equal(term.wait(), 2, "exit status")
        self.equal(term.modes(), term.initial_modes, "modes of the outer terminal")
        # Not exclusive any more: by path, as anybody would.
        os.close(os.open(term.slave_name, os.O_RDWR | os.O_NOCTTY))
        out = bytes(term.out)
        notice = re.search(rb"\r+\nopseal.*the recorder is gone", out).start()
        self.check(self.session(inst, term)["status"] != "closed", "called closed")
        s = t.wait_for("lost", lambda: (lambda s: s if s["status"] == "lost" else None)(
            self.session(inst, term)))
        self.equal(s["exit"], None, "recorded exit")
        got = self.raw(inst, s)
        self.check(got.status in (0, 5), "export: %r" % got.status)
        self.equal(got.out[:notice], out[:notice], "what was shown")
        self.verifies(inst)
        # The shell is gone as well: it has lost its terminal.
        t.wait_for("the end of the program", lambda: not t.processes_of(self.path("talker.py")))

    def test_recorder_and_daemon_killed(self):
        """All at once, as an out-of-memory killer might."""
        inst = self.instance()
        term = self.talker(inst)
        pids = r.recorders(inst)
        inst.kill()
        r.kill(*pids)
        self.equal(term.wait(), 2, "exit status")
        self.equal(term.modes(), term.initial_modes, "modes of the outer terminal")
        inst.start()
        self.check(self.session(inst, term)["status"] != "closed", "called closed")
        t.wait_for("lost", lambda: self.session(inst, term)["status"] == "lost")
        self.verifies(inst)

    def test_recorder_stopped(self):
        """Stopped by root: nothing is shown meanwhile, nothing is lost."""
        inst = self.instance()
        term = self.talker(inst)
        recorder, = r.recorders(inst)
        r.kill(recorder, number=signal.SIGSTOP)
        time.sleep(0.2)
        mark = len(term.out)
        time.sleep(0.5)
        self.equal(len(term.out), mark, "bytes shown while the recorder stands")
        r.kill(recorder, number=signal.SIGCONT)
        t.wait_for("more output", lambda: len(term.out) > mark + 3000)
        self.silence()
        self.exact(inst, term)
        self.whole(term)


class Door(Kills):
    def test_door_killed(self):
        inst = self.instance()
        term = self.talker(inst)
        term.signal(signal.SIGKILL)
        self.equal(term.wait(), -signal.SIGKILL, "exit status")
        s = self.ended(inst, term)
        t.wait_for("the modes", lambda: term.modes() == term.initial_modes)
        os.close(os.open(term.slave_name, os.O_RDWR | os.O_NOCTTY))
        self.equal(s["exit"], None, "recorded exit")
        time.sleep(0.2)  # the outer terminal's last bytes
        self.equal(self.exits(self.raw(inst, s), 0).out, bytes(term.out), "what was shown")
        self.contains(inst.opseal("show", s["session"]).text, "kill", "why it ended")
        self.verifies(inst)

    def test_door_killed_while_the_daemon_is_away(self):
        inst = self.instance(config="hold_time = 60s\n")
        term = self.talker(inst)
        inst.kill()
        term.signal(signal.SIGKILL)
        term.proc.wait()
        time.sleep(0.5)
        inst.start()
        s = self.ended(inst, term)
        t.wait_for("the modes", lambda: term.modes() == term.initial_modes)
        time.sleep(0.2)
        self.equal(self.exits(self.raw(inst, s), 0).out, bytes(term.out), "what was shown")
        self.verifies(inst)

    def test_everything_killed_by_its_user(self):
        """kill -9 -1 of a person: all that is his dies, and is in the log."""
        inst = self.instance()
        user = grudge.stranger()  # nobody else's processes on the machine
        term = self.record_pty(inst, ["sh", "-c", (
            "stty raw; yes output | head -c 300000; sleep 0.1; kill -9 -1")], user=user)
        term.wait()
        s = self.ended(inst, term)
        time.sleep(0.2)
        self.equal(self.exits(self.raw(inst, s), 0).out, bytes(term.out), "what was shown")
        self.equal(s["uid"], user.pw_uid, "uid")
        self.verifies(inst)


t.main()
