#!/usr/bin/python3
# timeout: 600
"""Recorded bytes are hostile: nothing of a recording acts on the terminal of
the person who looks at it, beyond drawing (P8).

What reaches that terminal is parsed here by rules of this file's own: an allow
list, byte by byte."""
import os
import random
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import opsealtest as t

ESC = b"\033"
ST = ESC + b"\\"
BEL = b"\007"

HOSTILE = [
    # the clipboard, titles, colours, links, notifications, shell integration, files
    ESC + b"]52;c;ZXZpbA==" + BEL, ESC + b"]52;c;?" + ST, ESC + b"]52;;!" + ST,
    ESC + b"]0;title" + BEL, ESC + b"]1;icon" + ST, ESC + b"]2;t" + b"\234", ESC + b"]l label" + ST,
    ESC + b"]4;1;?" + BEL, ESC + b"]10;?" + BEL, ESC + b"]11;#ffffff" + BEL, ESC + b"]104" + BEL,
    ESC + b"]8;;http://evil/" + ST, ESC + b"]9;hello" + BEL, ESC + b"]777;notify;a;b" + BEL,
    ESC + b"]50;?" + BEL, ESC + b"]133;A" + BEL, ESC + b"]1337;File=inline=1:AAAA" + BEL,
    ESC + b"]7;file:///etc" + ST, ESC + b"]46;/tmp/log" + ST, ESC + b"]P0ff0000", ESC + b"]R",
    ESC + b"]0;never ended " + b"x" * 300 + b"\030", ESC + b"]" + b"9" * 5000 + b";x" + BEL,
    # strings
    ESC + b"P$qm" + ST, ESC + b"P$q\"p" + ST, ESC + b"P+q544e" + ST, ESC + b"P1$r0m" + ST,
    ESC + b"P0;0|17/41" + ST, ESC + b"Pq#0;2;0;0;0~~" + ST, ESC + b"Ptmux;\033\033]52;c;eA==\007" + ST,
    ESC + b"_Gf=24,s=1,v=1;AAAA" + ST, ESC + b"_evil" + ST, ESC + b"^privacy" + ST,
    ESC + b"Xstring" + ST, ESC + b"ktitle" + ST, ESC + b"k" + b"t" * 2000 + ST,
    # questions
    b"\005", ESC + b"Z", ESC + b"[c", ESC + b"[0c", ESC + b"[>c", ESC + b"[=c", ESC + b"[5n",
    ESC + b"[6n", ESC + b"[?6n", ESC + b"[?15n", ESC + b"[?26n", ESC + b"[x", ESC + b"[1x",
    ESC + b"[?1$p", ESC + b"[20$p", ESC + b"[>q", ESC + b"[?u", ESC + b"[?4m", ESC + b"[1$w",
    ESC + b"[1;1;1;1;1;1*y", ESC + b"[&v", ESC + b"[#R", ESC + b"[?1;1;0S", ESC + b"[1$u",
    # the window
    ESC + b"[1t", ESC + b"[2t", ESC + b"[3;0;0t", ESC + b"[4;9999;9999t", ESC + b"[8;200;300t",
    ESC + b"[9;1t", ESC + b"[11t", ESC + b"[14t", ESC + b"[18t", ESC + b"[20t", ESC + b"[21t",
    ESC + b"[22;0t", ESC + b"[23;0t", ESC + b"[>2t", ESC + b"[60t", ESC + b"[?3h", ESC + b"[?40h\033[?3h",
    # modes of keyboard and mouse, paste, focus, sixel, printing, tests, resets
    ESC + b"[?9h", ESC + b"[?1000h", ESC + b"[?1002;1006h", ESC + b"[?1003h", ESC + b"[?1015h",
    ESC + b"[?1004h", ESC + b"[?2004h", ESC + b"[?1h", ESC + b"[?66h", ESC + b"=", ESC + b">",
    ESC + b"[?25;1000h", ESC + b"[>4;2m", ESC + b"[>1u", ESC + b"[=1;1u", ESC + b"[<u", ESC + b"[2h",
    ESC + b"[12h", ESC + b"[20h", ESC + b"[i", ESC + b"[5i", ESC + b"[4i", ESC + b"[?5i", ESC + b"[0i",
    ESC + b"[3J", ESC + b"[?5W", ESC + b"c", ESC + b"#3", ESC + b"#6", ESC + b"l", ESC + b"m",
    ESC + b" F", ESC + b" G", ESC + b"%@", ESC + b"%G", ESC + b"n", ESC + b"o", ESC + b"|", ESC + b"}",
    ESC + b"[!p", ESC + b"[61\"p", ESC + b"[1\"q", ESC + b"[2 q", ESC + b"[?1001s", ESC + b"[?1001r",
    ESC + b"[1q", ESC + b"[2;1y", ESC + b"[11;500]", ESC + b"[12;3]", ESC + b"[?2026h", ESC + b"[?80h",
    # numbers, intermediates, nesting, and bytes in the middle of a sequence
    ESC + b"[99999999999999999999A", ESC + b"[" + b"1;" * 3000 + b"m", ESC + b"[" + b"?" * 300 + b"h",
    ESC + b"[1\0332J", ESC + b"[6\005n", ESC + b"[\x186n", ESC * 50 + b"[6n", ESC + b"[1;\r\n2H",
    ESC + b"(\033[6n", ESC + b"[3 \033]0;x\007", ESC + b"[:6n", ESC + b"[0;5\x7fn", ESC + b"[6\x80n",
    # 8-bit controls, bare and as UTF-8
    b"\x9b6n", b"\x9d0;t\x9c", b"\x90$qm\x9c", b"\x9fx\x9c", b"\x9ex\x9c", b"\x98x\x9c", b"\x9a",
    b"\xc2\x9b6n", b"\xc2\x9d0;t\xc2\x9c", b"\xc2\x90$qm\xc2\x9c", b"\xc2\x9a", b"\xc0\x9b6n",
    b"\xe0\x82\x9b6n", b"\xc2\033[6n", b"\xe2\x80\xae rtl \xe2\x80\xac", b"\xe2\x81\xa6x\xe2\x81\xa9",
    b"\xf4\x90\x80\x80", b"\xed\xa0\x80", b"\xff\xfe", b"\x00\x01\x02\x03\x04\x06\x10\x11\x13\x14\x7f",
]

# What may come: text, and control sequences that draw.
DRAWING = {b"A", b"B", b"C", b"D", b"E", b"F", b"G", b"H", b"I", b"J", b"K", b"L", b"M", b"P", b"S",
           b"T", b"X", b"Z", b"@", b"`", b"a", b"b", b"d", b"e", b"f", b"g", b"m", b"r", b"s", b"u",
           b"j", b"k"}
MODES = {b"4", b"?5", b"?6", b"?7", b"?25", b"?45", b"?47", b"?1047", b"?1048", b"?1049", b"?69"}
TOKEN = re.compile(rb"\033\[([<-?]?)([0-9;:]*)([ -/]*)([@-~])|\033([()][AB0]|[78DEHM]|#8)|"
                   rb"([\r\n\b\t\x0e\x0f])|([^\0-\x1f\x7f]+)|(.)", re.S)


def foul(out, only_sgr=False):
    """What of out is more than drawing; [] if nothing."""
    found = []
    for m in TOKEN.finditer(out):
        private, params, inter, final, short, control, text, rest = m.groups()
        if rest is not None:
            found.append(out[m.start():m.start() + 20])
        elif text is not None:
            try:
                decoded = text.decode()
            except UnicodeDecodeError:
                found.append(text[:20])
                continue
            if re.search("[\x80-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]", decoded):
                found.append(text[:20])
        elif final is not None:
            good = not private and not inter and final in DRAWING
            if final in b"hl" and not inter:
                good = all(private + p in MODES for p in params.split(b";"))
            if private + inter + final == b"!p":
                good = True  # the soft reset, by which the terminal is left in order
            if final == b"J" and params == b"3":
                good = False
            if any(len(p) > 4 for p in re.split(b"[;:]", params)):
                good = False
            if len(m.group(0)) > 160:
                good = False
            if only_sgr:
                good = not private and not inter and final == b"m"
            if not good:
                found.append(m.group(0)[:40])
        elif only_sgr and (short is not None or control not in (b"\r", b"\n")):
            found.append(m.group(0))
    return found


class Safety(t.Test):
    def setup(self):
        self.inst = self.instance(config="seal_after = 200ms\n")

    def record(self, pieces, pause=0.0):
        """A session whose program writes these pieces, each by a write of its
        own; gives what its terminal got."""
        self.write("pieces.py", "pieces = %r\n" % (pieces,))
        script = self.write("write.py", """
import os, sys, time, tty
sys.path.insert(0, %r)
from pieces import pieces
sys.stdout = None
tty.setraw(1)
for p in pieces:
    while p:
        p = p[os.write(1, p):]
    if %r:
        time.sleep(%r)
""" % (self.dir, pause, pause))
        term = self.record_pty(self.inst, ["/usr/bin/python3", "-B", script])
        self.equal(term.wait(60), 0, "status")
        self.equal(bytes(term.out), b"".join(pieces), "the recorded terminal")
        return term

    def safe(self):
        """Nothing of the newest session acts on a terminal, however it is
        looked at; gives what play draws."""
        for argv in (self.inst.argv(), [t.program("opseal"), "--run", self.inst.run_dir]):
            term = self.pty(argv + ["play", "last", "--speed", "64", "--max-idle", "10ms"])
            self.check(term.wait(60) in (0, 5), "play: %r" % bytes(term.out[-500:]))
            played = bytes(term.out)
            self.equal(foul(played), [], "play")
        for args in (["cat", "last"], ["show", "last"], ["ls"], ["export", "last", "-f", "text"],
                     ["cat", "--json", "last"], ["show", "--json", "last"], ["ls", "--json"],
                     ["status"], ["verify"], ["export", "last", "-f", "json"],
                     ["ls", "--command", "x\033]0;y\007"], ["cat", "\033]0;evil\007"]):
            term = self.pty(self.inst.argv(*args), cols=250, env={"PAGER": "cat"})
            term.wait(60)
            self.equal(foul(bytes(term.out), only_sgr=True), [], " ".join(args))
        return played

    def test_each_alone(self):
        """Each hostile sequence in one write, text before and after it."""
        pieces = []
        for n, evil in enumerate(HOSTILE):
            pieces += [b"<%d>" % n, evil, ST + b"\x18\r\n"]
        self.record(pieces)
        played = self.safe()
        for n in range(len(HOSTILE)):
            self.check(b"<%d>" % n in played, "text number %d was swallowed by number %d" % (n, n - 1))

    def test_split_anywhere(self):
        """Byte by byte, so that each comes with a record of its own."""
        pieces = []
        for n, evil in enumerate(HOSTILE):
            if len(evil) < 100:
                whole = b"<%d>" % n + evil + ST + b"\x18\r\n"
                pieces += [whole[i:i + 1] for i in range(len(whole))]
        self.record(pieces, 0.0003)
        played = self.safe()
        self.check(b"<%d>" % (len(HOSTILE) - 1) in played, "text")

    def test_unended_at_the_end(self):
        """The recording stops within a sequence: what follows is the terminal's
        own again, and must not complete it."""
        for evil in (ESC, ESC + b"[", ESC + b"[6", ESC + b"]0;x", ESC + b"P$q", b"\xc2", b"\xe2\x80",
                     ESC + b"[?1000", ESC + b"(", ESC + b"k", ESC + b"[?1049h" + ESC):
            self.record([b"text", evil])
            self.safe()

    def test_random(self):
        for seed in range(3):
            rng = random.Random(seed)
            alphabet = [ESC, ESC + b"[", ESC + b"]", ESC + b"P", b"?", b";", b"0", b"1", b"25", b"h", b"l",
                        b"m", b"n", b"c", b"t", BEL, ST, b"\x9b", b"\xc2", b"\x9d", b"\x18", b"\xe2\x80",
                        b"\xae", b"A", b" ", b"$", b"q", b"!", b"p", b"\r", b"\n", b"\x0e", b"\x0f", b"("]
            data = b"".join(rng.choice(alphabet) for _ in range(20000))
            data += bytes(rng.randrange(256) for _ in range(20000))
            pieces, at = [], 0
            while at < len(data):
                n = rng.randrange(1, 3000)
                pieces.append(data[at:at + n])
                at += n
            self.record(pieces)
            self.safe()

    def test_hostile_names(self):
        """What the caller chose himself: arguments, TERM, where he came from."""
        for evil in (b"\033]0;evil\007", b"\x9b6n", b"\xc2\x9b6n", b"\r\nforged line", b"\xe2\x80\xaegnp.exe",
                     b"\xff\xfe", b"a\tb\bc\x7f", b"\xe2\x80\xa8\xe2\x80\xa9", b"x" * 3000, b"\033" * 500):
            text = os.fsdecode(evil)
            term = self.pty(self.inst.argv("record", "--", "/bin/sh", "-c", "exit 0", text, text + "-2"),
                            env={"TERM": text, "SSH_CONNECTION": text.replace(" ", "") + " 1 2 3"})
            self.equal(term.wait(), 0, "status")
            self.safe()
        shown = self.inst.opseal("ls").text
        self.equal(len([x for x in shown.splitlines() if "forged line" in x and "record" in x]), 0,
                   "a forged line")
        self.check(not re.search(r"^forged", shown, re.M), "a line of its own: %r" % shown)

    def test_terminal_is_left_in_order(self):
        """Alternate screen, margins, hidden cursor, charset, colours: undone."""
        self.record([b"\033[?1049h\033[?25l\033[5;10r\033(0\033[41;5;7m\033[?6h\033[4h\033[?7l\x0e"])
        played = self.safe()
        for wanted in (b"\033[?1049l", b"\033[?25h"):
            self.check(played.rfind(wanted) > played.rfind(b"\033[?7l"), "not undone: %r in %r" % (
                wanted, played))
        self.check(b"\033[!p" in played or b"\033[r" in played, "margins: %r" % played)

    def test_the_checker_itself(self):
        """Every hostile sequence is one that foul() would notice."""
        harmless = (ESC + b"[1;\r\n2H",)
        for evil in HOSTILE:
            if evil not in harmless:
                self.check(foul(evil) or evil == ESC + b"[!p", "not noticed: %r" % evil)
        self.equal(foul("Ünïcode 日本 \033[1;31mred\033[0m\033[2J\033[H\r\n".encode()), [], "drawing")


t.main()
