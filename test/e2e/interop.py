#!/usr/bin/python3
# What opseal writes, read by tools that nobody here wrote: Go's sumdb library,
# asciinema, scriptreplay, zstd; and asciicast v3 by a strict reader of its own.
import glob
import json
import os
import shutil
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import opsealtest as t

HERE = os.path.dirname(os.path.abspath(__file__))

# A session with all that is awkward for a format of text: colours, Japanese,
# a character in two writes, control characters, long lines, a resize.
SHOW = r"""
printf '\033[1;31mred\033[0m \033[38;5;208morange\033[m\n'
printf '日本語のテキスト 絵文字🎌 naïve\n'
printf '\346\227'; sleep 0.05; printf '\245 split\n'
printf 'tab\there "quoted" back\\slash \007bell \033]0;title\007\n'
read x
# The door passes the new size on; what is typed may overtake it.
while [ "$(stty size)" = '30 100' ]; do sleep 0.05; done
stty size
i=0; while [ $i -lt 300 ]; do printf 'line %d あいうえお\r\n' $i; i=$((i+1)); done
read y
exit 7
"""


class Log(t.Test):
    """The checkpoint and its tiles."""

    def setup(self):
        t.need_program("go")
        if not os.path.isdir("/usr/share/gocode/src/golang.org/x/mod/sumdb"):
            t.skip("golang-golang-x-mod-dev is not installed")
        self.gocheck = self.path("gocheck")
        env = {"GOPATH": "/usr/share/gocode", "GO111MODULE": "off", "GOPROXY": "off", "GOFLAGS": "",
               "GOCACHE": self.path("gocache"), "HOME": self.dir}
        self.exits(t.run(["go", "build", "-o", self.gocheck, os.path.join(HERE, "gocheck/main.go")],
                         env=env, timeout=250), 0)

    def check_log(self, *older, log=None):
        vkey = self.inst.offline("checkpoint", "--vkey").text.strip()
        return t.run([self.gocheck, log or os.path.join(self.inst.store, "log/0"), vkey] + list(older))

    def size(self):
        return int(self.inst.offline("checkpoint").text.splitlines()[1])

    def grow(self, beyond):
        """Record until the log has more leaves than that."""
        while self.size() <= beyond:
            script = "for i in 1 2 3 4 5 6 7 8 9 10; do echo $i; sleep 0.01; done"
            for term in [self.record_pty(self.inst, ["sh", "-c", script]) for _ in range(2)]:
                term.wait()

    def test_go_checks_log_tiles_and_proofs(self):
        self.inst = inst = self.instance(config="seal_after = 1ms\n")
        older = []
        # Clean stops, so that partial tiles of several sizes are there too.
        for beyond in (3, 100, 270, 530):
            self.grow(beyond)
            inst.stop()
            older.append(self.write("old%d" % beyond, inst.offline("checkpoint").out))
            result = self.exits(self.check_log(*older), 0)
            self.matches(result.text, r"^ok: size %d, \d+ tiles, %d older" % (self.size(), len(older)))
            if beyond != 530:
                inst.start()
        self.exits(inst.offline("verify"), 0)
        self.changes_are_seen(older)

    def changes_are_seen(self, older):
        """The checker is no rubber stamp: a changed byte anywhere fails it."""
        source = os.path.join(self.inst.store, "log/0")
        files = [p for p in glob.glob(source + "/tile/**", recursive=True) if os.path.isfile(p)]
        self.check(len(files) >= 8, "tiles: %r" % files)
        for path in files + [os.path.join(source, "checkpoint")]:
            size = os.path.getsize(path)
            for offset in (0, size // 2, size - 2):
                copy = self.path("changed")
                shutil.rmtree(copy, ignore_errors=True)
                shutil.copytree(source, copy)
                name = os.path.relpath(path, source)
                t.flip(os.path.join(copy, name), offset)
                result = self.check_log(log=copy)
                self.equal(result.status, 1, "%s changed at %d: %r" % (name, offset, result))
        # Another log's checkpoint as an older one of this.
        other = self.write("other", open(older[0]).read().replace("\n", "\n1", 1))
        self.equal(self.check_log(other).status, 1, "a wrong older checkpoint")


class Session(t.Test):
    """Recordings in the formats of others."""

    def setup(self):
        self.inst = self.instance()
        term = self.record_pty(self.inst, ["sh", "-c", SHOW], rows=30, cols=100)
        term.expect("bell")
        term.resize(40, 120)
        term.line("")
        term.expect("line 299")
        term.line("")
        term.wait()
        self.equal(term.proc.returncode, 7, "exit status")
        self.shown = bytes(term.out)
        self.contains(self.shown, b"40 120", "the resize")
        self.inst.stop()
        raw = self.export("raw")
        self.equal(raw, self.shown, "raw bytes")

    def export(self, kind, *args, session="last", status=0):
        return self.exits(self.inst.offline("export", session, "-f", kind, *args), status).out

    def cat(self, path):
        """What `asciinema cat` prints.  It wants a terminal to type on."""
        out = self.path("cat.out")
        term = self.pty(["sh", "-c", 'asciinema cat "$0" >"$1"', path, out])
        self.equal(term.wait(), 0, "exit status of asciinema")
        with open(out, "rb") as f:
            return f.read()

    def test_asciinema_plays_the_same_bytes(self):
        t.need_program("asciinema")
        for args in ([], ["-o", self.path("given")]):
            cast = self.export("asciicast-v2", *args)
            path = args[1] if args else self.write("cast", cast)
            self.equal(self.cat(path), self.shown, "asciinema cat")

    def test_lossy_session_says_so(self):
        self.inst.start()
        self.record_pty(self.inst, ["printf", r"ok \377\376 \303( end\n"]).wait()
        self.inst.stop()
        for kind in ("asciicast-v2", "asciicast-v3"):
            result = self.exits(self.inst.offline("export", "last", "-f", kind), 0)
            self.matches(self.one_line(result), r"\b3\b.*UTF-8|UTF-8.*\b3\b")
            self.equal(json.loads(result.text.splitlines()[0])["opseal_lossy_bytes"], 3, "marked")
        text = self.cat(self.write("cast", self.inst.offline("export", "last", "-f", "asciicast-v2").out))
        self.equal(text, "ok \ufffd\ufffd \ufffd( end\r\n".encode(), "asciinema cat")

    def test_scriptreplay_plays_the_same_bytes(self):
        t.need_program("scriptreplay")
        for kind in ("classic", "advanced"):
            log, timing = self.path(kind + ".log"), self.path(kind + ".tm")
            self.export("typescript", "-o", log, "--timing", timing, "--timing-format", kind)
            result = self.exits(t.run(["scriptreplay", "--divisor", "1000000", "--typescript", log,
                                       "--timing", timing]), 0)
            # The last newline is scriptreplay's own.
            self.equal(result.out, self.shown + b"\n", "scriptreplay, " + kind)
            self.equal(result.err, b"", "stderr")
        summary = self.exits(t.run(["scriptreplay", "--summary", "--log-timing", timing,
                                    "--log-out", log]), 0)
        self.matches(summary.text, r"COLUMNS: *100\b.*EXIT_CODE: *7\b|EXIT_CODE: *7\b.*COLUMNS: *100\b")

    def test_zstd_reads_a_segment(self):
        t.need_program("zstd")
        paths = self.inst.segments()
        self.check(len(paths) >= 2, repr(paths))
        texts = {}
        for path in paths:
            whole = self.exits(t.run(["zstd", "-dc", path]), 0).out
            sizes = chunk_sizes(path)
            self.equal(len(whole), sum(sizes), "size of " + path)
            texts[path] = outputs(whole, sizes)
        screen = [p for p in paths if "/screen/" in p]
        self.equal(b"".join(texts[p] for p in screen), self.shown, "the session's text")
        self.contains(self.shown, "日本語".encode(), "the text")

    def test_asciicast_v3_is_strictly_right(self):
        events = self.v3_events(self.export("asciicast-v3"), 100, 30)
        self.equal("".join(d for _, c, d in events if c == "o").encode(), self.shown, "output")
        self.contains([d for _, c, d in events if c == "r"], "120x40", "resizes")
        self.equal(events[-1][1:], ("x", "7"), "the last event")
        # No drift: each time is the one of version 2, to the millisecond.
        other = [json.loads(x) for x in self.export("asciicast-v2").decode().splitlines()[1:]]
        mine = [e for e in events if e[1] != "x"]
        self.equal([tuple(e[1:]) for e in other], [e[1:] for e in mine], "events of version 2 and 3")
        for (time, _, _), (want, _, _) in zip(mine, other):
            self.check(abs(time - want * 1000) <= 1, "times %r and %r" % (time, want))

    def test_asciicast_v3_of_a_killed_command(self):
        self.inst.start()
        self.record_pty(self.inst, ["sh", "-c", "echo x; kill -9 $$"]).wait()
        self.inst.stop()
        events = self.v3_events(self.export("asciicast-v3"), 80, 24)
        self.equal(events[-1][1:], ("x", "137"), "the last event")

    def v3_events(self, data, cols, rows):
        """A strict reader: [(time in ms, code, data)].  Times are sums."""
        lines = data.decode("utf-8").split("\n")
        self.equal(lines.pop(), "", "after the last line")
        head = json.loads(lines[0])
        own = [k for k in head if k.startswith("opseal_")]
        allowed = {"version", "term", "timestamp", "idle_time_limit", "command", "title", "env", "tags"}
        self.check(set(head) - set(own) <= allowed, "header %r" % head)
        self.equal(head["version"], 3, "version")
        self.equal((head["term"]["cols"], head["term"]["rows"]), (cols, rows), "size")
        self.check(set(head["term"]) <= {"cols", "rows", "type", "version", "theme"}, repr(head))
        self.check(isinstance(head.get("timestamp", 0), int), "timestamp")
        self.check(isinstance(head.get("command", ""), str), "command")
        self.check(all(isinstance(v, str) for v in head.get("env", {}).values()), "env")
        events, now = [], 0
        for i, line in enumerate(lines[1:]):
            m = self.matches(line, r'\A\[(\d+)\.(\d{3}), "([oirmx])", ("(?:[^"\\\x00-\x1f]|\\.)*")\]\Z',
                             "event %d" % i)
            now += int(m.group(1)) * 1000 + int(m.group(2))
            text = json.loads(m.group(4))
            text.encode("utf-8")  # no halves of surrogate pairs
            if m.group(3) == "r":
                self.matches(text, r"\A[1-9]\d*x[1-9]\d*\Z", "resize")
            if m.group(3) == "x":
                self.matches(text, r"\A\d+\Z", "exit")
                self.equal(i, len(lines) - 2, "an exit that isn't the last event")
            events.append((now, m.group(3), text))
        return events


def chunk_sizes(path):
    """The raw sizes of a segment's chunks, as doc/format.md says (6, 7)."""
    with open(path, "rb") as f:
        data = f.read()
    at, sizes = 48, []
    while at < len(data):
        chunks, = struct.unpack_from("<H", data, at + 60)
        stored, = struct.unpack_from("<I", data, at + 52)
        sizes += [struct.unpack_from("<I", data, at + 72 + 12 * i)[0] for i in range(chunks)]
        at += 64 + 12 * chunks + stored
    return sizes


def outputs(raw, sizes):
    """The OUTPUT records of chunks: 32 bytes of seed, then records (4)."""
    text, begin = b"", 0
    for size in sizes:
        at = begin + 32
        begin += size
        while at < begin:
            kind, _, n = struct.unpack_from("<BBH", raw, at)
            if kind == 1:
                text += raw[at + 12:at + 12 + n]
            at += 12 + n
    return text


t.main()
