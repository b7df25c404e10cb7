#!/usr/bin/python3
"""What a recorded terminal showed is in the log, byte for byte, whatever it
was: `export --format raw` gives what the outer terminal received.

timeout: 600
"""
import base64
import os
import random
import re
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import opsealtest as t
import recorded as r

SECRET = "Kx9-quiet-otter-42"

# Prints one byte for each write(2).
ONE_BYTE_EACH = """
import os, sys
data = open(sys.argv[1], "rb").read()
for i in range(len(data)):
    os.write(1, data[i:i + 1])
"""

INVALID = (b"\xff\xfe\xc3(\xa0\xa1\xe2\x28\xa1\xf0\x28\x8c\xbc\xed\xa0\x80"  # no UTF-8
           b"\0\0\0a\0b\x7f\x80\x9b31m\x1b[31m\x1b]0;title\x07\xc0\x80\xf8\x88\x80\x80\x80")


class Bytes(r.Recorded):
    def shows(self, data, **options):
        """Record a program that shows just data on a raw terminal."""
        inst = self.instance()
        path = self.write("data", data)
        term = self.record_pty(inst, ["sh", "-c", "stty raw; cat %s" % path], **options)
        s = self.exact(inst, term)
        self.equal(bytes(term.out), data, "outer terminal")
        return inst, term, s


class Content(Bytes):
    def test_random_bytes(self):
        self.shows(random.Random(1).randbytes(3 << 20))

    def test_every_byte_and_pair(self):
        self.shows(bytes(range(256)) + bytes(b for i in range(256) for j in range(256)
                                             for b in (i, j)))

    def test_invalid_utf8_and_nuls(self):
        self.shows((INVALID + bytes(4096)) * 50 + "日本語のテスト ".encode() * 1000 + INVALID)

    def test_ten_megabytes_without_a_newline(self):
        inst, _, _ = self.shows(b"0123456789abcdef" * (10 << 16))
        self.exits(inst.opseal("verify"), 0)

    def test_cooked_terminal(self):
        """Here the inner terminal changes the bytes (\\n to \\r\\n, tabs);
        what comes out of it is what counts."""
        inst = self.instance()
        path = self.write("data", b"".join(b"%d\tcolumn\n" % i for i in range(50000)))
        term = self.record_pty(inst, ["sh", "-c", "stty tab3; cat " + path])
        self.exact(inst, term)
        self.contains(bytes(term.out), b"49999   column\r\n")

    def test_one_byte_at_a_time(self):
        inst = self.instance()
        data = random.Random(2).randbytes(20000)
        path = self.write("data", data)
        program = self.write("one.py", ONE_BYTE_EACH)
        term = self.record_pty(inst, ["sh", "-c", "stty raw; exec /usr/bin/python3 %s %s" % (
            program, path)])
        self.exact(inst, term)
        self.equal(bytes(term.out), data, "outer terminal")

    def test_nothing_at_all(self):
        inst = self.instance()
        term = self.record_pty(inst, ["true"])
        s = self.exact(inst, term)
        self.equal(s["bytes_out"], 0, "bytes_out")

    def test_last_words_at_the_exit(self):
        """What is written right before the end is neither cut nor lost."""
        inst = self.instance()
        for i in range(20):
            term = self.record_pty(inst, ["sh", "-c", "printf 'first'; printf %%%ds last; exit %d"
                                          % (3000 + i, i)])
            self.exact(inst, term, i)
            self.check(bytes(term.out).endswith(b" last"), "cut: %r" % bytes(term.out[-40:]))
            term.close()

    def test_terminal_that_reads_slowly(self):
        inst = self.instance()
        data = random.Random(3).randbytes(2 << 20)
        path = self.write("data", data)
        term = self.record_pty(inst, ["sh", "-c", "stty raw; cat %s" % path])
        for _ in range(4):
            term.pause()
            time.sleep(0.3)
            term.pause(False)
            time.sleep(0.02)
        self.exact(inst, term)
        self.equal(bytes(term.out), data, "outer terminal")

    def test_full_screen_program(self):
        t.need_program("vim")
        inst = self.instance()
        path = self.write("text", "".join("line %d of the text\n" % i for i in range(500)))
        term = self.record_pty(inst, ["vim", "-u", "NONE", "-N", "-n", path])
        term.expect("line 10 of")
        for keys in ("\x06", "\x06", "G", "gg", "/line 250\r", "ddp", "ihello \x1b", ":%s/text/TEXT/g\r"):
            term.send(keys)
            time.sleep(0.1)
        term.resize(40, 132)
        time.sleep(0.2)
        term.send("\x0c:wq\r")
        self.exact(inst, term)
        self.contains(open(path).read(), "of the TEXT", "the edited file")
        self.contains(bytes(term.out), b"\x1b[", "outer terminal")

    def test_stopped_output(self):
        """^S and ^Q reach the inner terminal."""
        inst = self.instance()
        program = "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); echo line-$i; done"
        term = self.record_pty(inst, ["sh", "-c", "echo go; read x; " + program])
        term.expect("go\r")  # what is typed before is echoed by the outer terminal
        term.send("\r")
        term.expect("line-500\r")
        for _ in range(3):
            term.send("\x13")
            time.sleep(0.3)  # what is on its way may still come
            before = len(term.out)
            time.sleep(0.5)
            self.equal(len(term.out), before, "bytes shown after ^S")
            term.send("\x11")
            t.wait_for("more", lambda: len(term.out) > before or term.proc.poll() is not None)
        self.exact(inst, term)
        self.contains(bytes(term.out), b"line-20000\r\n")

    def test_idle(self):
        """An idle session costs nothing, and goes on as if nothing was."""
        inst = self.instance()
        term = self.record_pty(inst, ["bash", "--norc"])
        term.expect(r"\$ ")  # what is typed before is echoed by the outer terminal
        term.line("echo be''fore")
        term.expect("before")
        time.sleep(2)
        recorder, = r.recorders(inst)

        def switches():
            with open("/proc/%d/status" % recorder) as f:
                return int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)", f.read(), re.M).group(1))
        before = switches()
        time.sleep(6)
        woken = switches() - before
        self.check(woken <= 6, "woken %d times in 6 s" % woken)
        term.line("echo af''ter; exit")
        self.exact(inst, term)
        self.contains(bytes(term.out), b"after\r\n")


class Resizes(Bytes):
    RATE = 200  # a second
    FLOW = r"""
import os, sys, time
size, i = None, 0
while not os.path.exists(sys.argv[1]):
    i += 1
    os.write(1, b'row %d \xff\x00\xe2\x82\r\n' % i * 20)
    if os.get_terminal_size(0) != size:
        size = os.get_terminal_size(0)
        os.write(1, b'size %d %d\r\n' % size)
    time.sleep(0.001)
"""

    def burst(self, term, rnd, n=160):
        """n resizes or a few more, paced by the clock: a moment in which the
        machine does something else is made up for.  Gives the last size."""
        begin, sent = time.monotonic(), 0
        while sent < n or sent < self.RATE * (time.monotonic() - begin):
            due = begin + sent / (1.1 * self.RATE)
            time.sleep(max(0, due - time.monotonic()))
            rows, cols = rnd.randrange(10, 200), rnd.randrange(20, 400)
            term.resize(rows, cols)
            sent += 1
        rate = sent / (time.monotonic() - begin)
        self.check(rate >= self.RATE * 0.99, "sent only %d a second" % rate)
        return cols, rows

    def test_two_hundred_a_second(self):
        inst = self.instance()
        stop = self.path("stop")
        term = self.record_pty(inst, ["sh", "-c", "stty raw; exec /usr/bin/python3 %s %s" % (
            self.write("flow.py", self.FLOW), stop)])
        term.expect("row 20 ")
        rnd = random.Random(4)
        finals = []
        for _ in range(4):
            finals.append(self.burst(term, rnd))
            term.expect("size %d %d\r\n" % finals[-1])
        open(stop, "w").close()
        s = self.exact(inst, term)
        shown = r.json_lines(self.exits(inst.opseal("show", "--json", s["session"]), 0))[0]
        sizes = [(e["cols"], e["rows"]) for e in shown["timeline"] if e["type"] == "resize"]
        self.equal(sizes[-1], finals[-1], "last size recorded")
        at = 0
        for final in finals:  # each, and in this order
            self.check(final in sizes[at:], "size %r after a burst isn't recorded" % (final,))
            at = sizes.index(final, at) + 1
        self.check(len(sizes) > 100, "only %d sizes recorded" % len(sizes))


SESSIONS = 15 if t.SANITIZE else 50


class Many(Bytes):
    def test_many_sessions_at_once(self):
        inst = self.instance()
        rnd = random.Random(5)
        go = self.path("go")
        want, terms = [], []
        for i in range(SESSIONS):
            data = b"session %d " % i + rnd.randbytes(rnd.randrange(1, 200000))
            path = self.write("data%d" % i, data)
            want.append(data)
            terms.append(self.record_pty(inst, ["sh", "-c", (
                "stty raw; while ! [ -e %s ]; do sleep 0.1; done; cat %s; exit %d") % (
                    go, path, i)]))
        t.wait_for("all of them", lambda: len([s for s in self.sessions(inst)
                                               if s["status"] == "active"]) == SESSIONS, 60)
        open(go, "w").close()
        for i, term in enumerate(terms):
            self.exact(inst, term, i)
            self.equal(bytes(term.out), want[i], "outer terminal of session %d" % i)
        states = [s["status"] for s in self.sessions(inst)]
        self.equal(states, ["closed"] * SESSIONS, "states")
        self.exits(inst.opseal("verify"), 0)


class Ends(Bytes):
    def test_exit_statuses(self):
        inst = self.instance()
        for status in (0, 1, 2, 3, 42, 100, 126, 127, 128, 129, 137, 254, 255):
            term = self.record_pty(inst, ["sh", "-c", "echo with %d; exit %d" % (status, status)])
            self.exact(inst, term, status)
            term.close()

    def test_signals(self):
        inst = self.instance()
        for name in ("HUP", "INT", "QUIT", "KILL", "SEGV", "PIPE", "ALRM", "TERM", "USR1", "ABRT"):
            term = self.record_pty(inst, ["sh", "-c", "ulimit -c 0; echo by %s; kill -%s $$" % (
                name, name)])
            number = signal.Signals["SIG" + name].value
            s = self.exact(inst, term, -number)
            self.equal((s["exit"], s["signal"]), (None, number), "recorded end by SIG" + name)
            term.close()

    def test_job_that_writes_after_the_shell(self):
        """What of it reached the terminal is in the log; no more, no less."""
        inst = self.instance()
        for how in ("", "trap '' HUP; ", "set -m; "):
            for delay in ("0", "0.02", "0.3"):
                term = self.record_pty(inst, ["bash", "-c", (
                    "%s(for i in 1 2 3 4 5 6 7 8; do echo late-$i; sleep %s; done) & echo now; exit 6")
                    % (how, delay)])
                self.exact(inst, term, 6)
                self.contains(bytes(term.out), b"now\r\n")
                term.close()

    def test_bulk_job_after_the_shell(self):
        inst = self.instance()
        term = self.record_pty(inst, ["bash", "-c", "trap '' HUP; yes background & sleep 0.2; exit 3"])
        self.exact(inst, term, 3)


class Typed(Bytes):
    """What a person types: off by default; never a password."""

    def everywhere(self, inst):
        """All bytes of STORE: as they are, and unpacked, one blob a file."""
        found = {}
        for folder, _, names in os.walk(inst.store):
            for name in names:
                path = os.path.join(folder, name)
                try:
                    with open(path, "rb") as f:
                        data = f.read()
                except FileNotFoundError:
                    continue  # a temporary file
                if name.endswith(".seg"):
                    # A segment that is being written may end in half a frame.
                    data += subprocess.run(["zstd", "-dcq"], input=data, stdout=subprocess.PIPE,
                                           stderr=subprocess.DEVNULL).stdout
                found[path] = data
        return found

    def nowhere(self, inst, what):
        for path, data in self.everywhere(inst).items():
            for form in (what.encode(), what.encode("utf-16-le"), what[::-1].encode()):
                self.check(form not in data, "%r is in %s" % (what, path))

    def somewhere(self, inst, what):
        t.wait_for("%r in the store" % what, lambda: any(
            what.encode() in data for data in self.everywhere(inst).values()))

    def type_in(self, term, text):
        for c in text:
            term.send(c)
            time.sleep(0.01)

    def passwords(self, config):
        """One session with each kind of prompt; gives the instance, stopped."""
        t.need_program("zstd")
        inst = self.instance(config=config)
        term = self.record_pty(inst, ["bash", "--norc"])
        term.expect(r"\$ ")
        term.line("echo shown-''marker")
        term.expect("shown-marker")
        for i in range(5):
            term.expect(r"\$ ")
            self.type_in(term, ": typed at the shell %d\r" % i)
        term.expect(r"\$ ")
        term.line("read -s -p 'pass''word? ' x; echo; echo ${#x} read")
        term.expect("password\\? ")
        time.sleep(0.2)
        self.type_in(term, SECRET + "\r")
        term.expect("%d read" % len(SECRET))
        self.somewhere(inst, "shown-marker")  # the search itself works
        self.nowhere(inst, SECRET)
        term.line("/usr/bin/python3 -c 'import getpass; print(len(getpass.getpass(\"se\" \"cret? \")), \"got\")'")
        term.expect("secret\\? ")
        time.sleep(0.2)
        self.type_in(term, SECRET + "\r")
        term.expect("%d got" % len(SECRET))
        self.nowhere(inst, SECRET)
        # A prompt that turns everything off, as some programs do.
        term.line("stty -echo -icanon; echo rea''dy; IFS= read -r x; stty sane; echo ${#x} taken")
        term.expect("ready\r\n")
        time.sleep(0.2)
        self.type_in(term, SECRET + "\r")
        term.expect("%d taken" % len(SECRET))
        term.line("cat")
        time.sleep(0.3)
        self.type_in(term, "typed-in-the-open\r")
        term.expect("typed-in-the-open\r\n.*typed-in-the-open\r\n")
        term.send("\x04")
        term.line("exit")
        self.exact(inst, term)
        self.nowhere(inst, SECRET)
        self.equal(inst.stop(), 0, "exit status of opseald")
        self.nowhere(inst, SECRET)
        return inst

    def inputs(self, inst):
        """All that the session's input records hold."""
        inst.start()
        result = self.exits(inst.opseal("export", "last", "--format", "json"), 0)
        data = b""
        for record in r.json_lines(result):
            if record.get("type") == "input":
                data += base64.b64decode(record["data_b64"]) if "data_b64" in record else \
                    record["data"].encode()
        return data

    def test_off_by_default(self):
        inst = self.passwords("")
        self.equal(self.inputs(inst), b"", "input records")

    def test_on(self):
        inst = self.passwords("input = on\n")
        got = self.inputs(inst)
        self.contains(got, b"typed-in-the-open\r", "input records")
        # readline echoes by itself; what it echoes late is left out.
        self.contains(got, b"typed at the shell", "what was typed at the shell")
        self.check(SECRET.encode() not in got, "the password is in the input records")


t.main()
