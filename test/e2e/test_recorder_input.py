#!/usr/bin/python3
"""opseal-rec --input: what is typed is kept, but never a password."""
import os
import re
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import opsealtest as t
import fakedaemon as f

SECRET = "Tr0ub4dor&3"


class Input(f.RecorderTest):
    args = ("--input",)

    def slowly(self, term, text):
        for c in text:
            term.send(c)
            time.sleep(0.02)

    def finish(self, term, status=0):
        self.equal(term.wait(), status)
        s = self.daemon.finish()
        for c in SECRET.encode():
            pass
        self.check(SECRET.encode() not in s.typed(), "the password was kept")
        return s

    def test_echoed_lines(self):
        term = self.door("--", "sh", "-c", "echo go; read a; read b; echo got")
        term.expect("go\r")  # before, the outer terminal isn't raw
        self.slowly(term, "hello\rwörld\r")
        s = self.finish(term)
        self.equal(s.typed(), "hello\rwörld\r".encode(), "typed")
        self.equal(s.of(f.MASKED), [], "masked")
        self.equal(s.event(f.CLOSE)[0][5], len("hello\rwörld\r".encode()), "bytes_in")

    def test_read_s(self):
        term = self.door("--", "bash", "-c",
                         "echo go; read a; read -s -p 'pass? ' p; echo; read b; echo ${#p}")
        term.expect("go\r")
        self.slowly(term, "before\r")
        term.expect("pass")
        time.sleep(0.1)
        self.slowly(term, SECRET + "\r")
        term.expect("\r\n")
        time.sleep(0.1)
        self.slowly(term, "after\r")
        s = self.finish(term)
        self.contains(bytes(term.out), b"%d\r\n" % len(SECRET))
        self.equal(s.typed(), b"before\rafter\r", "typed")
        # One fact, whatever its length.
        self.equal(s.of(f.MASKED), [bytes([f.MASKED_ECHO_OFF])], "masked")

    def test_getpass(self):
        term = self.door("--", "/usr/bin/python3", "-c",
                         "import getpass; print(len(getpass.getpass('pass? ')))")
        term.expect("pass")
        time.sleep(0.1)
        self.slowly(term, SECRET + "\r")
        s = self.finish(term)
        self.equal(s.typed(), b"", "typed")

    def test_raw_prompt(self):
        """No echo, no lines: as an ssh to another machine, whose prompt hides
        what is typed."""
        term = self.door("--", "sh", "-c", "stty raw -echo; echo pass; "
                         "head -c %d > /dev/null; printf 'Trouble ahead'; sleep 0.2; stty sane"
                         % (len(SECRET) + 1))
        term.expect("pass")
        term.send(SECRET + "\r")
        s = self.finish(term)
        self.check(len(s.typed()) <= 2, "kept %r" % s.typed())
        self.check(bytes([f.MASKED_NO_ECHO]) in s.of(f.MASKED), "no fact")

    def test_raw_prompt_slowly(self):
        term = self.door("--", "sh", "-c", "stty raw -echo; echo pass; "
                         "head -c %d > /dev/null; sleep 1.2; echo ok; stty sane"
                         % (len(SECRET) + 1))
        term.expect("pass")
        self.slowly(term, SECRET + "\r")
        s = self.finish(term)
        self.equal(s.typed(), b"", "typed")
        self.equal(s.of(f.MASKED), [bytes([f.MASKED_NO_ECHO])], "one fact")

    def test_stars_are_no_echo(self):
        term = self.door("--", "bash", "-c", r"""
            stty raw -echo; echo pass
            for i in {1..11}; do head -c 1 > /dev/null; printf '*'; done
            printf '\r\nok'; stty sane""")
        term.expect("pass")
        self.slowly(term, SECRET)
        s = self.finish(term)
        self.equal(s.typed(), b"", "typed")

    def test_readline(self):
        term = self.shell()
        self.slowly(term, "echo one")
        time.sleep(0.1)
        term.send("\r")
        term.expect(r"\$ ")
        self.slowly(term, "exit 3\r")
        s = self.finish(term, 3)
        self.equal(s.typed(), b"echo one\rexit 3\r", "typed")

    def test_readline_with_silent_keys(self):
        term = self.shell()
        self.slowly(term, "echo ab\x1b[D\x1b[DXY\t\x05c\r")
        term.expect("XYabc\r\n")
        term.expect(r"\$ ")
        self.slowly(term, "exit\r")
        s = self.finish(term)
        self.contains(s.typed(), b"XY", "typed in the middle of a line")
        self.check(b"\x1b" not in s.typed(), "a key without an echo was kept")

    def test_password_at_a_shell(self):
        term = self.shell()
        term.line("read -s p")
        time.sleep(0.3)
        self.slowly(term, SECRET + "\r")
        term.expect(r"\$ ")
        term.line("echo ${#p}; exit")
        s = self.finish(term)
        self.check(not any(SECRET[i:i + 3].encode() in s.typed()
                           for i in range(len(SECRET) - 2)), "parts of the password")

    def test_echo_state_is_recorded(self):
        term = self.door("--", "sh", "-c", "echo one; read a; stty -echo; echo two; read b; "
                         "stty raw; echo three; head -c 1 >/dev/null; stty sane")
        for word, keys in (("one", "x\r"), ("two", "x\r"), ("three", "y")):
            term.expect(word)
            term.send(keys)
        s = self.finish(term)
        self.equal(s.of(f.ECHO)[0], b"\3", "first")
        self.check(b"\2" in s.of(f.ECHO), "echo off: %r" % s.of(f.ECHO))

    def test_order_of_input_and_echo(self):
        term = self.shell()
        term.send("a")
        term.expect("a")
        term.send("\x03")
        time.sleep(0.1)
        term.line("exit 0")
        s = self.finish(term)
        kinds = [(k, p) for k, _, p in s.records if k in (f.INPUT, f.OUTPUT)]
        at = kinds.index((f.INPUT, b"a"))
        self.equal(kinds[at + 1], (f.OUTPUT, b"a"), "behind the typed byte")


class Off(f.RecorderTest):
    def test_nothing_is_kept(self):
        term = self.shell()
        term.line("stty -echo; echo si''lent; read x; stty echo; read y")
        term.expect("silent")
        term.line(SECRET)
        term.line("visible")
        term.expect(r"\$ ")
        term.line("exit 0")
        self.equal(term.wait(), 0)
        s = self.daemon.finish()
        self.equal(s.of(f.INPUT) + s.of(f.MASKED), [], "records")
        self.check(SECRET.encode() not in s.output(), "on the screen")



t.main()
