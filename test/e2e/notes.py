#!/usr/bin/python3
# timeout: 300
"""What auditors ask: the notice, the question for a reason, and notes; on terminals of
the test's own, and through Debian's sshd."""
import fcntl
import json
import os
import pwd
import re
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import opsealipc as ipc
import opsealtest as t
import recorded as r
import sshhost

QUESTION = "Reason for this session"
REFUSED = "nothing was run: refused: no reason was given for the session"
NOTICE = 'notice = "This host is recorded.\\n端末\u3000\u202eevil,\\ta \\\\ tab"\n'
# As it is shown: nothing in it steers a terminal.
SHOWN = "This host is recorded.\r\n端末\u3000\\xe2\\x80\\xaeevil,        a \\ tab\r\n".encode()


class Base(r.Recorded):
    def start(self, config=""):
        self.inst = self.instance(config="seal_after = 200ms\n" + config)
        # Who isn't root: for whom `require` has no way out.
        self.user = pwd.getpwnam("nobody") if t.is_root() else None

    def record(self, *argv, **options):
        return self.pty(self.inst.argv("record", "--", *argv), user=self.user, **options)

    def row(self, term):
        return self.session(self.inst, term)

    def note_argv(self, *words):
        return [t.program("opseal"), "--run", self.inst.run_dir, "note", *words]

    def timeline(self, session, *kinds):
        shown = json.loads(self.inst.opseal("show", session["session"], "--json").text)
        return [x for x in shown["timeline"] if x["type"] in kinds]

    def none_left(self):
        t.wait_for("the end of the recorders", lambda: not r.recorders(self.inst))


class Before(Base):
    """The notice and the question."""

    def test_notice(self):
        self.start(NOTICE)
        term = self.record("echo", "hello")
        s = self.exact(self.inst, term)  # all that was shown is in the log
        self.equal(bytes(term.out), SHOWN + b"hello\r\n", "what was shown")
        self.equal((s["reason"], s["notes"]), (None, 0), "reason and notes")

    def test_long_notice(self):
        """However long it is as it is shown, it isn't taken for a log that fails."""
        self.start('notice = "%s"\nreason = ask\n' % ("\\t" * 990))
        for _ in range(5):
            term = self.record("echo", "hello")
            term.expect(QUESTION)
            term.send("CHG-4\r")
            s = self.exact(self.inst, term)
            self.check(bytes(term.out).startswith(b" " * 8 * 990), "what was shown: %r" % bytes(term.out))
            self.equal(s["reason"], "CHG-4", "reason")

    def test_none_without_a_terminal(self):
        self.start(NOTICE + "reason = require\n")
        for options in ({}, {"stdin": b"CHG-1\n"}):
            got = self.exits(self.inst.opseal("record", "--", "cat", **options), 0)
            self.equal((got.out, got.err), (options.get("stdin", b""), b""), "output")

    def test_off_is_the_default(self):
        self.start()
        term = self.record("echo", "hello")
        self.exact(self.inst, term)
        self.equal(bytes(term.out), b"hello\r\n", "what was shown")

    def test_answered(self):
        for mode in ("ask", "require"):
            self.start(NOTICE + "reason = %s\n" % mode)
            term = self.record("sh", "-c", "read x; echo got $x")
            term.expect(QUESTION)
            # The last character goes, and what is behind the line is the shell's.
            term.send("  CHG-12\x7f 日本\x7f \x1b[A\x07".encode() + b"\xff\rtyped ahead\r")
            term.expect("got typed ahead")
            s = self.exact(self.inst, term)
            self.equal(s["reason"], "CHG-1 日", mode)
            self.check(b"\x07" not in term.out and b"\x1b[A" not in term.out, "keys were echoed raw")
            text = self.inst.opseal("show", s["session"]).text
            self.matches(text, r"(?m)^reason +CHG-1 日  \(claimed\)$")
            [note] = self.timeline(s, "reason")
            self.equal((note["text"], note["uid"], note["pid"]), ("CHG-1 日", s["uid"], term.pid), "note")
            self.verifies(self.inst)
            found = r.json_lines(self.inst.opseal("ls", "--json", "--note", "CHG-1"))
            self.equal([x["session"] for x in found], [s["session"]], "ls --note")
            self.exits(self.inst.opseal("ls", "--note", "CHG-2"), 1)
            self.inst.stop()

    def test_left_empty(self):
        """ask goes on without one."""
        self.start("reason = ask\n")
        for keys in ("\r", "  \r", "\x03", "\x04", "some text\x03"):
            term = self.record("sh", "-c", "echo it runs")
            term.expect(QUESTION)
            term.send(keys)
            term.expect("it runs")
            s = self.exact(self.inst, term)
            self.equal((s["reason"], s["notes"]), (None, 0), repr(keys))
            self.contains(self.inst.opseal("show", s["session"]).text, "none was given")
            self.equal([x["text"] for x in self.timeline(s, "reason")], [None], repr(keys))

    def test_required(self):
        self.start("reason = require\n")
        for keys in (["\r", "\r", " \r"], ["\x03"], ["\x04"], ["half\x03"], ["\r", "\x04"]):
            term = self.record("sh", "-c", "echo it runs")
            for key in keys:
                term.expect(QUESTION)
                term.send(key)
            self.equal(term.wait(), 2, "exit status after %r" % keys)
            self.check(b"it runs" not in term.out, "it ran after %r" % keys)
            self.contains(bytes(term.out), REFUSED.encode(), repr(keys))
            self.equal(term.modes(), term.initial_modes, "modes of the terminal")
            s = self.ended(self.inst, term)
            self.equal((s["reason"], s["exit"], s["signal"]), (None, None, None), "its row")
            self.contains(self.inst.opseal("show", s["session"]).text,
                          "it wasn't started: no reason was given")
            # What was shown and typed is in the log, too; but for what the door said.
            shown = bytes(term.out).split(b"opseal-door: ")[0]
            self.equal(self.raw(self.inst, s).out, shown, "what is in the log")
        self.none_left()
        self.verifies(self.inst)

    def test_third_time(self):
        self.start("reason = require\n")
        term = self.record("sh", "-c", "echo it runs")
        for key in ("\r", "\r", "CHG-3\r"):
            term.expect(QUESTION)
            term.send(key)
        self.equal(self.exact(self.inst, term)["reason"], "CHG-3", "reason")

    def test_root_is_never_locked_out(self):
        t.need_root("root, whom the question doesn't lock out")
        self.start("reason = require\n")
        self.user = None
        term = self.record("sh", "-c", "echo it runs")
        term.expect(r"%s \(empty: none\)" % QUESTION)
        term.send("\r")
        term.expect("it runs")
        self.equal(self.exact(self.inst, term)["reason"], None, "reason")

    def test_gone_while_asked(self):
        """The door is killed, and its terminal hangs up: nothing is left of it."""
        self.start("reason = require\n")
        killed = self.record("sh", "-c", "echo it runs")
        killed.expect(QUESTION)
        killed.signal(signal.SIGKILL)
        hung = self.record("sh", "-c", "echo it runs")
        hung.expect(QUESTION)
        hung.close()
        self.none_left()
        rows = self.sessions(self.inst)
        self.equal([x["status"] for x in rows], ["closed", "closed"], "states")
        texts = [self.inst.opseal("show", x["session"]).text for x in rows]
        self.contains(texts[0], "closed: its door was killed")
        self.check("the terminal hung up" in texts[1] or "its door was killed" in texts[1], texts[1])
        self.verifies(self.inst)

    def test_recorder_is_killed_while_it_asks(self):
        """Another asks again; the terminal is what it was in the end, and not exclusive."""
        self.start("reason = require\n")
        term = self.record("sh", "-c", "echo it runs")
        before = term.initial_modes
        term.expect(QUESTION)
        r.kill(*r.recorders(self.inst))
        term.expect(QUESTION)
        term.send("CHG-9\r")
        term.expect("it runs")
        self.equal(term.wait(), 0, "status")
        self.equal(term.modes(), before, "modes")
        exclusive = bytearray(4)
        fcntl.ioctl(term.slave, 0x80045440, exclusive)  # TIOCGEXCL, asm-generic/ioctls.h
        self.equal(bytes(exclusive), bytes(4), "exclusive")
        self.none_left()
        self.equal([x["reason"] for x in self.sessions(self.inst) if x["status"] == "closed"], ["CHG-9"], "reasons")

    def test_writer_away(self):
        """The answer waits for the log, and is in it once."""
        self.start("reason = ask\n")
        term = self.record("sh", "-c", "echo it runs; read x")
        term.expect(QUESTION)
        r.kill(*r.role_pids(self.inst, "writer"))
        term.send("CHG-5\r")
        term.expect("it runs")
        term.line("")
        s = self.exact(self.inst, term)
        self.equal([x["text"] for x in self.timeline(s, "reason")], ["CHG-5"], "reason")
        self.verifies(self.inst)

    def test_reload(self):
        """Those that begin from then on."""
        self.start()
        self.exact(self.inst, self.record("true"))
        self.inst.write_config("reason = ask\n")
        self.inst.proc.send_signal(signal.SIGHUP)
        t.wait_for("the reload", lambda: "changed: reason" in self.inst.log())
        term = self.record("true")
        term.expect(QUESTION)
        term.send("\r")
        self.exact(self.inst, term)


class Notes(Base):
    def shell(self):
        term = self.record("sh", "-i")
        term.expect(r"\$ ")
        return term

    def say(self, term, *words):
        """Type a note; its exit status."""
        command = " ".join("'%s'" % w for w in self.note_argv(*words))
        term.line(command + "; echo status=$?=")
        return int(term.expect(r"status=(\d+)=").group(1))

    def test_said(self):
        self.start()
        term = self.shell()
        self.equal(self.say(term, "for", "CHG-7"), 0, "status")
        self.equal(self.say(term, "evil \\033"), 0, "status")
        going = self.row(term)
        self.equal((going["notes"], going["status"]), (2, "active"), "while it goes on")
        term.line("exit")
        s = self.exact(self.inst, term)
        self.equal(s["notes"], 2, "how many")
        first, _ = self.timeline(s, "note")
        self.equal(first["text"], "for CHG-7", "text")
        self.equal(first["uid"], s["uid"], "uid")
        self.check(0 < first["offset"] < s["duration"], "offset %r" % first["offset"])
        text = self.inst.opseal("show", s["session"]).text
        self.matches(text, r"(?m)^ +0:\d\d  note \(claimed\): for CHG-7$")
        self.contains(text, "note (claimed): evil \\\\033")
        found = r.json_lines(self.inst.opseal("ls", "--json", "--note", "CHG-7"))
        self.equal([x["session"] for x in found], [s["session"]], "ls --note")
        offline = r.json_lines(self.inst.offline("ls", "--json", "--note", "CHG-7"))
        self.equal([x["session"] for x in offline], [s["session"]], "ls --note, of the folder")
        self.contains(self.inst.offline("show", s["session"]).text, "note (claimed): for CHG-7")
        self.exported(s["session"])
        self.verifies(self.inst)

    def exported(self, session):
        def export(kind):
            return self.exits(self.inst.opseal("export", session, "--format", kind), 0).text
        for kind in ("asciicast-v2", "asciicast-v3"):
            events = [json.loads(line) for line in export(kind).splitlines()[1:]]
            self.equal([e[2] for e in events if e[1] == "m"],
                       ["note (claimed): for CHG-7", "note (claimed): evil \\\\033"], kind)
            if kind == "asciicast-v2":
                times = [e[0] for e in events]
                self.equal(times, sorted(times), "times")
        self.contains(export("text"), "\n[note (claimed): for CHG-7]\n")
        objects = [json.loads(line) for line in export("json").splitlines()]
        self.equal([x["text"] for x in objects if x["type"] == "note"], ["for CHG-7", "evil \\033"], "json")

    def test_played(self):
        """With --notes each stands where it was said, marked as nothing in the session can be."""
        self.start("reason = ask\n")
        term = self.record("sh", "-c", "echo one; %s; sleep 1.2; %s; echo '[opseal 123456, 0:00] note: two'" % (
            " ".join(self.note_argv("first", "\\\\033[31m")), " ".join(self.note_argv("second"))))
        term.expect(QUESTION)
        term.send("CHG-1\r")
        s = self.exact(self.inst, term)
        argv = ["play", s["session"], "--speed", "0"]
        plain = self.exits(self.inst.opseal(*argv), 0)
        self.check(b"CHG-1\r\n[" not in plain.out and b"second" not in plain.out, "without: %r" % plain)
        got = self.exits(self.inst.opseal(*argv, "--notes"), 0)
        tag, again = re.findall(r"begin with (\[opseal [0-9a-f]{6}) are notes", got.errtext)
        self.equal(tag, again, "tags")
        lines = [x for x in got.text.splitlines() if x.startswith(tag + ", ")]
        self.equal([x[len(tag) + 2:] for x in lines],
                   ["0:00] reason (claimed): CHG-1", "0:00] note (claimed): first \\\\033[31m",
                    "0:01] note (claimed): second"], "notes of %r" % got)
        text = got.text
        order = [text.index(x) for x in ("one\r\n", "first", "second", "[opseal 123456")]
        self.equal(order, sorted(order), "their places in %r" % text)
        # What was said before the moment that was asked for isn't told.
        late = self.exits(self.inst.opseal("play", s["session"] + "@1", "--speed", "0", "--notes"), 0)
        self.check("second" in late.text and "first" not in late.text, "from 1 s on: %r" % late)
        offline = self.exits(self.inst.offline("play", s["session"], "--speed", "0", "--notes"), 0)
        self.contains(offline.text, "note (claimed): second")
        other = re.search(r"\[opseal ([0-9a-f]{6}), 0:01", offline.text)[1]
        self.check(other not in tag, "the same tag twice")

    def test_control_characters(self):
        """They are kept, and never shown raw."""
        self.start()
        text = "a\x1b[31m\tb\x9b".encode("latin-1")
        argv = self.inst.argv("record", "--", "sh", "-c", "printf 'a\\033[31m\\tb\\233' | %s" %
                              " ".join(self.note_argv()))
        self.exits(t.run(argv), 0)
        [s] = self.sessions(self.inst)
        out = self.inst.opseal("show", s["session"])
        self.contains(out.text, "note (claimed): a\\x1b[31m\\tb\\x9b")
        self.check(b"\x1b" not in out.out, "raw escapes in show")
        [note] = self.timeline(s, "note")
        self.contains(note["text"], "a\x1b[31m\tb")
        self.check("text_b64" in note, "no bytes of %r" % text)

    def test_from_stdin(self):
        self.start()
        term = self.shell()
        term.line(" ".join(self.note_argv()))
        term.expect("Note: ")
        term.line("what I type")
        term.line("%s < /dev/null; echo status=$?=" % " ".join(self.note_argv()))
        self.equal(term.expect(r"status=(\d+)=").group(1), b"2", "an empty one")
        self.contains(bytes(term.out), b"the note is empty")
        self.equal(self.say(term, "x" * 1001), 2, "too long")
        self.equal(self.say(term, "x" * 1000), 0, "as long as may be")
        term.line("exit")
        s = self.exact(self.inst, term)
        self.equal([len(x["text"]) for x in self.timeline(s, "note")], [11, 1000], "notes")

    def test_without_a_terminal(self):
        """A command's session is found by descent."""
        self.start()
        got = self.inst.opseal("record", "--", "sh", "-c", " ".join(self.note_argv("x")) + " | cat")
        self.exits(got, 0)
        self.equal(got.out, b"", "output")
        [s] = self.sessions(self.inst)
        self.equal((s["kind"], s["notes"]), ("command", 1), "session")

    def test_nowhere(self):
        self.start()
        got = t.run(self.note_argv("x"))
        self.exits(got, 1)
        self.contains(got.errtext, "not in a session that is recorded now")
        term = self.shell()
        term.line("exit")
        s = self.exact(self.inst, term)
        got = t.run(self.note_argv("--session", s["session"], "x"))
        self.exits(got, 1)
        self.contains(got.errtext, "has ended")
        self.exits(t.run(self.note_argv("--session", s["session"] + ":1", "x")), 2)
        self.exits(t.run([t.program("opseal"), "--run", self.path("none"), "note", "x"]), 2)
        self.equal(self.row(term)["notes"], 0, "notes")
        self.verifies(self.inst)

    def test_nested(self):
        """The nearest session is meant."""
        self.start()
        term = self.shell()
        outer = self.row(term)
        inner = self.inst.argv("record", "--", "sh", "-c", " ".join(self.note_argv("inner")))
        term.line(" ".join("'%s'" % w for w in inner) + "; echo inner=$?=")
        self.equal(term.expect(r"inner=(\d+)=").group(1), b"0", "the inner one")
        self.equal(self.say(term, "outer"), 0, "status")
        term.line("exit")
        self.exact(self.inst, term)
        rows = self.sessions(self.inst)
        self.equal(sorted(x["notes"] for x in rows), [1, 1], "notes")
        self.equal([x["text"] for x in self.timeline(outer, "note")], ["outer"], "of the outer one")

    def test_of_others(self):
        t.need_root("root, to be two users")
        self.start()
        term = self.shell()
        s = self.row(term)
        other = pwd.getpwnam("games")
        got = t.run(self.note_argv("--session", s["session"], "not mine"), user=other)
        self.exits(got, 4)
        self.exits(t.run(self.note_argv("--session", s["session"], "by root")), 0)
        self.exits(t.run(self.note_argv("--session", s["session"], "mine"), user=self.user), 0)
        term.line("exit")
        self.exact(self.inst, term)
        notes = self.timeline(s, "note")
        self.equal([(x["text"], x["uid"]) for x in notes],
                   [("by root", 0), ("mine", self.user.pw_uid)], "notes")
        self.contains(self.inst.opseal("show", s["session"]).text, "note by uid 0 (claimed): by root")

    def test_too_many(self):
        self.start()
        term = self.record("sh", "-c", "for i in $(seq 90); do %s $i; done; echo over" %
                           " ".join(self.note_argv()))
        term.expect("over")
        s = self.exact(self.inst, term)
        self.contains(bytes(term.out), b"too many notes in this session at once")
        self.check(64 <= s["notes"] < 90, "%d notes" % s["notes"])

    def test_writer_away(self):
        """What a recorder sends again is not shifted by what others said."""
        self.start()
        term = self.shell()
        self.equal(self.say(term, "one"), 0, "status")
        r.kill(*r.role_pids(self.inst, "writer"))
        t.wait_for("a note after it", lambda: self.say(term, "two") == 0)
        r.kill(*r.role_pids(self.inst, "writer"))
        term.line("exit")
        s = self.exact(self.inst, term)
        self.equal([x["text"] for x in self.timeline(s, "note")], ["one", "two"], "notes")
        self.verifies(self.inst)

    def test_whole(self):
        """A store without one of its notes is not whole."""
        self.start()
        term = self.shell()
        self.say(term, "evidence")
        term.line("exit")
        s = self.exact(self.inst, term)
        self.equal(self.inst.stop(), 0, "opseald")
        self.exits(self.inst.offline("verify", s["session"]), 0)
        shown = self.inst.offline("show", s["session"])
        self.contains(shown.text, "evidence")


class Wire(Base):
    def client(self):
        c = ipc.Client(self.inst.run_dir, b"note")
        self.later(c.close)
        return c

    def test_hostile(self):
        """What opseal would never send: refused, or cut off; nothing of it is in the log."""
        self.start()
        for what, kind, payload in (("no text", ipc.C_NOTE, bytes(10)),
                                    ("too long", ipc.C_NOTE, bytes(10) + b"x" * 1001),
                                    ("no session", ipc.C_NOTES, b""),
                                    ("two", ipc.C_NOTES, bytes(20)),
                                    ("an answer", ipc.C_NOTE_IS, bytes(40))):
            c = self.client()
            c.send(kind, payload)
            self.check(c.ended(), what)
        early = ipc.Conn(self.inst.run_dir + "/control.sock")
        self.later(early.close)
        early.send(ipc.C_NOTE, bytes(10) + b"x")
        self.check(early.ended(), "before C_HELLO")
        kind, payload = self.client().ask(ipc.C_NOTES, b"x" * 10)
        self.equal((kind, payload[0]), (ipc.C_FAILED, ipc.EPERM_CODE), "not announced")
        kind, payload = self.client().ask(ipc.C_NOTE, b"x" * 10 + b"words")
        self.equal(kind, ipc.C_FAILED, "in a session that isn't there")
        self.equal(self.inst.opseal("ls", "--json").status, 1, "sessions")

    def test_of_the_writer(self):
        """Its own doors to the same: a question of query, and a reason of a recorder."""
        self.start()
        for payload in (b"", b"\xff", ipc.note_request() + b"\0", ipc.note_request({9: b""}),
                        ipc.note_request({8: bytes(11)}), bytes(2049)):
            c = ipc.Conn(self.inst.run_dir + "/record.sock")
            c.send(ipc.Q_NOTE, payload)
            self.check(c.ended(), repr(payload[:20]))
            c.close()
        c = ipc.Conn(self.inst.run_dir + "/record.sock")
        self.later(c.close)
        c.send(ipc.Q_NOTE, ipc.note_request({1: b"x" * 10}))
        kind, payload = c.recv()
        self.equal((kind, payload[0]), (ipc.Q_NOT_NOTED, ipc.ENOENT_CODE), "no such session")
        rec = ipc.Recorder(self.inst.run_dir)
        self.later(rec.close)
        rec.begin()
        rec.event(ipc.NOTE, ipc.remark_payload(rec.sid, keys={7: b"why"}))
        rec.settle()
        c.send(ipc.Q_NOTE, ipc.note_request({1: rec.sid}))
        self.equal(c.recv()[0], ipc.Q_DONE, "a note")
        rec.event(ipc.NOTE, ipc.remark_payload(rec.sid, keys={7: b"again"}))
        rec.finish()
        rec.settle()
        c.send(ipc.Q_NOTE, ipc.note_request({1: rec.sid}))
        self.equal(c.recv()[0], ipc.Q_NOT_NOTED, "in one that has ended")
        [s] = self.sessions(self.inst)
        self.equal((s["reason"], s["notes"]), ("again", 1), "session")
        self.verifies(self.inst)


class Through(t.Test):
    """Debian's sshd, with the door as the account's shell."""

    def setup(self):
        self.host = sshhost.Host(self.path("h"))
        self.later(self.host.close)
        self.host.set_shells()
        self.inst = self.host.instance(self, config="seal_after = 200ms\nreason = require\n"
                                                    'notice = "Be told."\n')

    def rows(self):
        return [json.loads(line) for line in self.inst.opseal("ls", "--json").text.splitlines()]

    def test_asked(self):
        term = self.host.pty(self.host.ssh_argv("anna", "-tt", "h"))
        self.later(term.close)
        term.expect("Be told.\r\n" + QUESTION)
        term.send("CHG-9\r")
        term.expect(r"\$ ")
        term.line("opseal() { %s --run /run/opseal \"$@\"; }; opseal note all done; echo status=$?=" %
                  t.program("opseal"))
        self.equal(term.expect(r"status=(\d+)=").group(1), b"0", "opseal note")
        term.line("exit 4")
        self.equal(term.wait(), 4, "exit status")
        [s] = self.rows()
        self.equal((s["reason"], s["notes"], s["user"]), ("CHG-9", 1, "anna"), "session")

    def test_refused(self):
        term = self.host.pty(self.host.ssh_argv("anna", "-tt", "h", "echo it runs"))
        self.later(term.close)
        term.expect(QUESTION)
        term.send("\x03")
        self.check(term.wait() != 0, "exit status")
        self.contains(bytes(term.out), REFUSED.encode())
        self.check(b"it runs" not in term.out, "it ran")

    def test_script(self):
        """Who feeds a terminal answers in the first line."""
        got = self.host.ssh("anna", "-tt", "h", stdin=b"CHG-10\necho x$((40 + 2))\nexit 3\n")
        self.equal(got.status, 3, "exit status: %r" % got)
        self.contains(got.text, "x42")
        self.equal([s["reason"] for s in self.rows()], ["CHG-10"], "reason")

    def test_no_terminal(self):
        got = self.exits(self.host.ssh("anna", "h", "cat", stdin=b"bytes\0\xff"), 0)
        self.equal((got.out, got.err), (b"bytes\0\xff", b""), "output")

    def test_client_gone(self):
        """A client that never answers, and goes, leaves nothing behind."""
        term = self.host.pty(self.host.ssh_argv("anna", "-tt", "h"))
        term.expect(QUESTION)
        term.close()
        t.wait_for("the end of the recorder", lambda: not r.recorders(self.inst))
        [s] = self.rows()
        self.equal(s["status"], "closed", "state")


t.main()
