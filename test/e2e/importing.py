#!/usr/bin/python3
# opseal import: what script(1) of Debian really writes, taken into the log, shown
# as what it is, and given back.
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import opsealipc as ipc
import opsealtest as t

SHOW = r"printf '\033[1;31mred\033[0m 日本語\n'; sleep 0.2; stty size; printf '\377\376 no UTF-8\n'; sleep 0.1; exit 3"


SEEDS = os.path.join(t.SOURCE, "test", "fuzz", "acct", "seeds")


class Accounting(t.Test):
    """Files of the kernel's process accounting; the seed is one that it wrote."""

    def setup(self):
        self.inst = self.instance()

    def seed(self, name):
        return os.path.join(SEEDS, name)

    def take(self, path):
        result = self.exits(self.inst.opseal("import", "acct", path), 0)
        self.matches(result.text, r"^[a-z2-7]{16}\n$", "stdout")
        self.contains(result.errtext, "what the file says")
        return result.text.strip()

    def programs(self, *args):
        result = self.exits(self.inst.opseal("log", "--json", *args), 0)
        return [json.loads(x) for x in result.text.splitlines()]

    def test_its_programs_are_all_there(self):
        session = self.take(self.seed("several"))
        rows = self.programs("--source", "import", "--forks")
        with open(self.seed("several"), "rb") as f:
            data = f.read()
        want = []
        for at in range(0, len(data), 64):
            r = struct.unpack("<BBHIIIIIIf8H16s", data[at:at + 64])
            want.append((r[6], r[7], r[4], r[8], r[18].split(b"\0")[0].decode()))
        got = [(x["pid"], x["ppid"], x["uid"], x["began"], x["comm"]) for x in rows]
        self.equal(sorted(got), sorted(want), "pid, ppid, uid, begin, comm")
        self.equal({x["source"] for x in rows}, {"import"}, "source")
        self.equal({x["session"] for x in rows}, {session}, "session")
        # lastcomm of acct(8) names the same, if it is here.
        result = t.run(["lastcomm", "-f", self.seed("several")]) if shutil.which("lastcomm") else None
        if result is not None:
            names = [x.split()[0] for x in result.text.splitlines()]
            self.equal(sorted(names), sorted(x["comm"] for x in rows), "lastcomm")
        for args in (["--source", "acct", "--forks"], ["--session", session, "--forks"]):
            self.equal(len(self.programs(*args)), len(want), " ".join(args))
        text = self.inst.opseal("log", "--source", "capture", "--json", "--forks").text
        self.check('"source":"import"' not in text, "taken for captured")
        text = self.exits(self.inst.opseal("log", "--source", "import"), 0).text
        self.check(all("[imported, claimed]" in x for x in text.splitlines()[1:]), text)
        row = json.loads(self.exits(self.inst.opseal("ls", "--source", "import", "--json"), 0).text)
        self.equal((row["session"], row["import"]["format"], row["user"]), (session, "acct", None), "ls")
        text = self.exits(self.inst.opseal("show", session), 0).text
        for part in ("IMPORTED", "several", "(proven)", row["import"]["sha256"]):
            self.contains(text, part)
        self.inst.stop()
        self.exits(self.inst.offline("verify"), 0)
        self.equal(self.exits(self.inst.offline("log", "--source", "import", "--json", "--forks"), 0)
                   .text.count("\n"), len(want), "offline")

    def test_many(self):
        with open(self.seed("several"), "rb") as f:
            data = f.read()
        path = self.write("many", data * 400)
        self.take(path)
        rows = self.exits(self.inst.opseal("log", "--source", "import", "--json", "--forks"), 0).text
        self.equal(rows.count("\n"), len(data) // 64 * 400, "programs")
        self.exits(self.inst.opseal("verify"), 0)

    def test_the_writer_is_killed_meanwhile(self):
        """It goes on in the next one, with the session and with its programs."""
        with open(self.seed("several"), "rb") as f:
            data = f.read() * 8000
        path = self.write("big", data)
        proc = subprocess.Popen(self.inst.argv("import", "acct", path),
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(3):
            # Step by step, so that it is in the middle of it on a slow machine too.
            for _ in range(400):
                time.sleep(0.02)
                proc.send_signal(signal.SIGSTOP)
                if self.inst.opseal("log", "--source", "import", "-n", "1").status == 0:
                    break
                proc.send_signal(signal.SIGCONT)
            self.equal(proc.poll(), None, "it is over too soon")
            os.kill(self.inst.role("writer"), signal.SIGKILL)
            # It is to meet nobody for a moment; not to be done before we have looked.
            proc.send_signal(signal.SIGCONT)
            time.sleep(0.1)
            proc.send_signal(signal.SIGSTOP)
            t.wait_for("the next writer", lambda: self.inst.opseal("status").status == 0)
            proc.send_signal(signal.SIGCONT)
        out, err = proc.communicate(timeout=300)
        self.equal(proc.returncode, 0, repr((out, err)))
        rows = self.exits(self.inst.opseal("log", "--source", "import", "--json", "--forks"), 0).text
        self.equal(rows.count("\n"), len(data) // 64, "programs")
        self.exits(self.inst.opseal("verify"), 0)

    def test_what_is_refused(self):
        with open(self.seed("several"), "rb") as f:
            data = f.read()
        rows = (
            (self.path("missing"), r"missing: .*No such file"),
            (self.dir, r"not a regular file"),
            (self.write("empty", ""), r"empty is empty"),
            (self.seed("big-endian"), r"record 1: .*big-endian"),
            (self.seed("v1"), r"record 1: .*version 1"),
            (self.seed("v2"), r"record 1: .*version 2"),
            (self.seed("negative"), r"record 1: "),
            (self.write("cut", data[:-1]), r"cut: record %d: .*63 bytes" % (len(data) // 64)),
            (self.write("other", "Script started on x\n" * 10), r"other: record 1: "),
        )
        for path, why in rows:
            with self.during(path):
                result = self.exits(self.inst.opseal("import", "acct", path), 2)
                self.equal(result.text, "", "stdout")
                self.matches(self.one_line(result), why)
        self.one_line(self.exits(self.inst.opseal("import", "acct", self.seed("several"), "x"), 2))
        self.exits(self.inst.opseal("ls", "--source", "import"), 1)
        self.exits(self.inst.opseal("log", "--source", "import"), 1)


class Liars(t.Test):
    """What a process may say that imports: root, by hand."""

    def setup(self):
        self.inst = self.instance()

    def peer(self, kind, **options):
        p = kind(self.inst.run_dir, **options)
        self.later(p.close)
        return p

    def test_he_is_who_he_is(self):
        for key, value in (("k2", 12345), ("k3", 12345), ("k4", 12345), ("k5", 12345), ("k6", 1), ("k7", 1),
                           ("k25", b""), ("k25", b"\xa0")):
            with self.during("%s %r" % (key, value)):
                r = self.peer(ipc.Recorder)
                r.held()
                r.event(ipc.SESSION_OPEN, ipc.import_payload(r.sid, **{key: value}))
                self.check(r.ended(), "not cut off")
        self.exits(self.inst.opseal("ls"), 1)
        r = self.peer(ipc.Recorder)
        r.held()
        r.event(ipc.SESSION_OPEN, ipc.import_payload(r.sid))
        r.settle()
        self.contains(self.exits(self.inst.opseal("ls", "--source", "import"), 0).text, "importing")

    def test_only_programs_of_his_own_session(self):
        mine = self.peer(ipc.Recorder)
        mine.held()
        mine.event(ipc.SESSION_OPEN, ipc.import_payload(mine.sid))
        mine.settle()
        recorded = self.peer(ipc.Recorder).begin()
        recorded.settle()
        rows = (
            ("of nobody", ipc.accounted(bytes(10))),
            ("of no session", ipc.accounted(b"0123456789")),
            ("of a recorded session", ipc.accounted(recorded.sid)),
            ("capture's", ipc.record(96, bytes(10) + ipc.cbor({1: 1, 2: 1, 3: 1}))),
            ("a loss", ipc.record(ipc.LOSS, bytes(10) + b"\xa0")),
            ("no map", ipc.record(102, mine.sid + b"\xff")),
            ("a screen's", ipc.record(1, b"x")),
            ("his own, then capture's", ipc.accounted(mine.sid) + ipc.record(ipc.LOSS, bytes(10) + b"\xa0")),
        )
        for name, data in rows:
            with self.during(name):
                p = self.peer(ipc.Importer)
                p.held()
                p.records(data)
                self.check(p.ended(), "not cut off")
        for kind, data in ((ipc.CAP_STATE, b"\1" + bytes(8)), (ipc.CAP_SYNC, bytes(8)),
                           (ipc.IMP_HELLO, mine.sid + bytes(12)), (ipc.REC_EVENT, bytes(40))):
            with self.during("message %d" % kind):
                p = self.peer(ipc.Importer)
                p.held()
                p.send(kind, data)
                self.check(p.ended(), "not cut off")
        self.exits(self.inst.opseal("log", "--source", "import"), 1)
        p = self.peer(ipc.Importer)
        p.held()
        p.records(ipc.accounted(mine.sid))
        p.settle()
        self.exits(self.inst.opseal("log", "--source", "import"), 0)


    def test_what_is_said_again(self):
        """An OPEN that the log has doesn't become an import by being sent once more."""
        r = self.peer(ipc.Recorder).begin()
        r.settle()
        r.event(ipc.SESSION_OPEN, ipc.import_payload(r.sid), number=0)
        p = self.peer(ipc.Importer)
        p.held()
        p.records(ipc.accounted(r.sid))
        self.check(p.ended(), "not cut off")

    def test_a_stream_of_his_own(self):
        """Who is behind another's records would have his taken for those."""
        capture = self.peer(ipc.Capture)
        capture.held()
        recorder = self.peer(ipc.Recorder).begin()
        for other in capture, recorder:
            p = self.peer(ipc.Importer, sid=other.sid)
            self.check(p.ended(), "not cut off")
            other.settle()


class Importing(t.Test):
    def setup(self):
        t.need_program("script")
        self.inst = self.instance()

    def script(self, *args, on_pty=None, command=SHOW):
        """Run script in our folder; on a terminal, on_pty gets it to type."""
        argv = ["script", "-q", "-c", command] + list(args)
        if on_pty is None:
            result = t.run(argv, cwd=self.dir)
            self.equal(result.status, 0, repr(result))
            return
        term = self.pty(argv, cwd=self.dir, rows=30, cols=100)
        on_pty(term)
        term.wait()

    def take(self, *files):
        """Import; gives the id and what was said besides."""
        result = self.exits(self.inst.opseal("import", "typescript", *[self.path(f) for f in files]), 0)
        self.matches(result.text, r"^[a-z2-7]{16}\n$", "stdout")
        return result.text.strip(), result.errtext

    def read(self, name):
        with open(self.path(name), "rb") as f:
            return f.read()

    def row(self, session):
        rows = [json.loads(x) for x in self.exits(self.inst.opseal("ls", "--json"), 0).text.splitlines()]
        return [r for r in rows if r["session"] == session][0]

    def given_back(self, session, log, timing=None, *args):
        """The files, byte by byte."""
        out = ["-o", self.path("x.log"), "--force"] + (["-t", self.path("x.tim")] if timing else [])
        self.exits(self.inst.opseal("export", session, "-f", "typescript", *out, *args), 0)
        self.equal(self.read("x.log"), self.read(log), "the log given back")
        if timing:
            self.equal(self.read("x.tim"), self.read(timing), "the timing given back")

    def records(self, session):
        text = self.exits(self.inst.opseal("export", session, "-f", "json"), 0).text
        return [json.loads(x) for x in text.splitlines()]

    def test_classic_timing(self):
        self.script("-m", "classic", "-T", "tim", "-O", "log")
        session, said = self.take("log", "tim")
        self.contains(said, "what the file says")
        self.given_back(session, "log", "tim")
        # The original times, and they are played in them.
        want, at = [], 0.0
        for line in self.read("tim").decode().splitlines():
            at += float(line.split()[0])
            want.append(round(at, 6))
        got = [round(r["offset"], 6) for r in self.records(session) if r["type"] == "output"]
        self.equal(got, want, "offsets")
        self.check(want[-1] >= 0.2, "script's own times: %r" % want)
        begin = time.monotonic()
        shown = self.exits(self.inst.opseal("play", "--no-tui", session), 0).out
        self.check(time.monotonic() - begin >= 0.2, "played at its own pace")
        self.contains(shown, "日本語".encode())
        self.contains(self.exits(self.inst.opseal("cat", session), 0).text, "red 日本語")
        self.exits(self.inst.opseal("verify"), 0)

    def test_several_streams_on_a_terminal(self):
        def user(term):
            term.expect("30 100")
            term.resize(40, 120)
            term.expect("40 120")
        self.script("--log-timing", "tim", "-m", "advanced", "-O", "log", on_pty=user,
                    command='stty size; until [ "$(stty size)" = "40 120" ]; do sleep 0.05; done; stty size; exit 7')
        self.contains(self.read("tim").decode(), "SIGWINCH")
        session, _ = self.take("log", "tim")
        self.given_back(session, "log", "tim")
        row = self.row(session)
        self.equal((row["cols"], row["rows"], row["exit"]), (100, 30, 7), "what the file says")
        self.matches(row["tty"], r"^pts/\d+$")
        self.contains(row["command"], "stty size")
        sizes = [(r["cols"], r["rows"]) for r in self.records(session) if r["type"] == "resize"]
        self.equal(sizes, [(120, 40)], "resizes")
        # The other kind of timing, if that is asked for.
        self.exits(self.inst.opseal("export", session, "-f", "typescript", "-o", self.path("y"), "-t",
                                    self.path("y.tim"), "--timing-format", "classic"), 0)
        self.matches(self.read("y.tim").decode(), r"^\d+\.\d{6} \d+\n")
        for kind in ("asciicast-v2", "asciicast-v3", "text", "raw"):
            self.exits(self.inst.opseal("export", session, "-f", kind), 0)

    def typed(self, *args):
        def user(term):
            term.expect("say:")
            term.line("a word")
            term.expect("got")
        self.script(*args, on_pty=user, command='printf say:; read x; echo got "$x"')

    def test_input_in_the_same_file(self):
        self.typed("-T", "tim", "-B", "both")
        session, _ = self.take("both", "tim")
        self.given_back(session, "both", "tim")
        typed = "".join(r["data"] for r in self.records(session) if r["type"] == "input")
        self.equal(typed, "a word\r", "what was typed")
        self.contains(self.exits(self.inst.opseal("show", session), 0).text, "typed, kept")
        # It isn't taken for output.
        self.equal(self.exits(self.inst.opseal("cat", session), 0).text.count("a word"), 2, "shown")

    def test_input_in_another_file(self):
        self.typed("-T", "tim", "--log-in", "in", "-O", "out")
        session, said = self.take("out", "tim")
        self.contains(said, "is in another file, and was not imported")
        self.given_back(session, "out")
        self.equal([r for r in self.records(session) if r["type"] == "input"], [], "input")

    def test_without_timing(self):
        self.script("-T", "tim", "-O", "log")
        session, said = self.take("log")
        self.contains(said, "no times within")
        self.given_back(session, "log")
        self.equal({r["offset"] for r in self.records(session) if r["type"] == "output"}, {0.0}, "offsets")
        self.contains(self.exits(self.inst.opseal("show", session), 0).text, "no times within")

    def test_what_an_older_script_wrote(self):
        """A date in words, no values, no last line: it was killed."""
        self.write("log", b"Script started on Fri 27 Nov 2026 04:15:41 PM UTC\nhi\r\n")
        self.write("tim", "0.500000 2\n1.250000 2\n")
        session, said = self.take("log", "tim")
        self.contains(said, "its recording was cut off")
        self.given_back(session, "log", "tim")
        row = self.row(session)
        self.equal(row["import"]["start_claimed"], False, "no start")
        self.equal(row["import"]["whole"], False, "cut")
        self.equal(row["duration"], 1.75, "duration")
        text = self.exits(self.inst.opseal("show", session), 0).text
        self.contains(text, "its last line is missing")
        self.contains(text, "not said by the file")

    def test_nobody_takes_it_for_a_recording(self):
        self.inst.opseal("record", "--", "true")
        recorded = json.loads(self.inst.opseal("ls", "--json").text)["session"]
        # It claims to be from the day after tomorrow.
        later = time.strftime("%Y-%m-%d %H:%M:%S+00:00", time.gmtime(time.time() + 2 * 86400))
        self.write("log", 'Script started on %s [TERM="xterm" TTY="/dev/pts/77" COLUMNS="80" LINES="24"]\n'
                          "hi\r\n\nScript done on %s [COMMAND_EXIT_CODE=\"0\"]\n" % (later, later))
        session, _ = self.take("log")
        text = self.exits(self.inst.opseal("ls"), 0).text
        mine = [x for x in text.splitlines() if x.startswith(session[:8])][0]
        self.matches(mine, r"^\S+ +- +- .* imported ")
        for source, want in (("import", session), ("record", recorded)):
            rows = self.exits(self.inst.opseal("ls", "--source", source, "--json"), 0).text.splitlines()
            self.equal([json.loads(r)["session"] for r in rows], [want], source)
            self.equal(json.loads(rows[0])["source"], source, "source")
        self.one_line(self.exits(self.inst.opseal("ls", "--source", "elsewhere"), 2))
        row = self.row(session)
        self.equal([row[k] for k in ("user", "uid", "auid", "login")], [None] * 4, "whose it was")
        info = row["import"]
        self.equal(info["file"], os.path.realpath(self.path("log")), "file")
        self.equal(info["size"], os.path.getsize(self.path("log")), "size")
        self.equal(info["sha256"], t.run(["sha256sum", self.path("log")]).text.split()[0], "SHA-256")
        self.equal(info["uid"], os.geteuid(), "who imported it")
        self.check(row["start"] > info["time"], "the claimed begin and the import's: %r" % row)
        text = self.exits(self.inst.opseal("show", session), 0).text
        for part in ("not recorded here", "(claimed)", info["sha256"], "(proven)"):
            self.contains(text, part)
        self.check("recorded by" not in text, text)
        # What means the newest, or a terminal, means a recorded one.
        self.contains(self.exits(self.inst.opseal("show", "last"), 0).text, recorded)
        self.one_line(self.exits(self.inst.opseal("show", "pts/77"), 2))
        user = row["import"]["user"]
        rows = self.inst.opseal("ls", "--user", user, "--json").text.splitlines()
        self.equal([json.loads(r)["session"] for r in rows], [recorded], "of " + user)
        # A copy says the same.
        self.inst.stop()
        copy = json.loads(self.inst.offline("ls", "--source", "import", "--json").text)
        # The wall clock of what is sealed is the seal's; before, that of the moment.
        for r in row, copy:
            self.matches(r["import"].pop("time"), r"^\d{4}-\d\d-\d\dT")
        self.equal(copy, dict(row, sealed=True), "offline")
        self.exits(self.inst.offline("verify"), 0)

    def test_what_is_refused(self):
        self.script("-T", "tim", "-O", "log")
        self.script("-m", "classic", "-T", "classic", "-O", "other", command="echo another one")
        tim = self.read("tim")
        self.write("cut-line", tim[:-3])
        self.write("cut", b"\n".join(tim.split(b"\n")[:-2]) + b"\n")
        self.write("mixed", tim + b"O 0.1 2\n")
        self.write("not-one", "hello\n")
        self.write("empty", "")
        self.write("long", b"Script started on " + b"x" * 5000 + b"\n")
        os.mkfifo(self.path("fifo"))
        os.mkdir(self.path("dir"))
        rows = (
            (["missing"], r"missing: No such file"),
            (["dir"], r"dir is a directory"),
            (["fifo"], r"fifo is no regular file"),
            (["not-one"], r"not-one: is no typescript"),
            (["empty"], r"empty: is no typescript"),
            (["tim"], r"tim: is no typescript"),
            (["long"], r"long: its first line is over 4096 bytes"),
            (["log", "missing"], r"missing: .*No such file"),
            (["log", "dir"], r"dir\b"),
            (["log", "log"], r"log: line 1 is none of a timing file"),
            (["log", "mixed"], r"mixed: line \d+ is none of a timing file"),
            (["log", "cut-line"], r"cut-line: it ends within line \d+"),
            (["log", "cut"], r"counts \d+ bytes and .*log has \d+.*without TIMING"),
            (["log", "classic"], r"classic counts \d+ bytes"),
        )
        for files, why in rows:
            with self.during(" ".join(files)):
                result = self.inst.opseal("import", "typescript", *[self.path(f) for f in files])
                self.exits(result, 2)
                self.equal(result.text, "", "stdout")
                self.matches(self.one_line(result), why)
        for args, why in ((["nothing", self.path("log")], "unknown kind of file"),
                          (["typescrip", self.path("log")], "did you mean typescript"),
                          (["typescript"], "missing"),
                          (["typescript", "a", "b", "c"], "unexpected argument")):
            self.matches(self.one_line(self.exits(self.inst.opseal("import", *args), 2)), why)
        # Of all that nothing is in the log.
        self.exits(self.inst.opseal("ls", "--source", "import"), 1)
        self.inst.stop()
        result = self.exits(self.inst.opseal("import", "typescript", self.path("log")), 2)
        self.contains(self.one_line(result), "no daemon answers")

    def test_twice(self):
        """The same file is refused, and named; --again takes it."""
        self.script("-m", "classic", "-T", "tim", "-O", "log")
        first, _ = self.take("log", "tim")
        shutil.copy(self.path("log"), self.path("copy"))
        for name in ("log", "copy"):
            line = self.one_line(self.exits(self.inst.opseal("import", "typescript", self.path(name), self.path("tim")), 2))
            self.matches(line, r"imported already, as session %s on \d{4}-\d\d-\d\d .*; --again" % first, name)
        self.equal(len(self.inst.opseal("ls", "--source", "import").text.splitlines()), 2, "lines of ls")
        # Another file, or the same one without its times, is another.
        second, _ = self.take("log")
        self.write("other", self.read("log") + b"more")
        third, _ = self.take("other")
        argv = ["import", "--again", "typescript", self.path("log"), self.path("tim")]
        fourth = self.exits(self.inst.opseal(*argv), 0).text.strip()
        self.equal(len({first, second, third, fourth}), 4, "sessions")
        line = self.one_line(self.exits(self.inst.opseal("import", "typescript", self.path("log"), self.path("tim")), 2))
        self.contains(line, fourth, "the newest is named")
        seed = os.path.join(SEEDS, "several")
        acct = self.exits(self.inst.opseal("import", "acct", seed), 0).text.strip()
        self.contains(self.one_line(self.exits(self.inst.opseal("import", "acct", seed), 2)), acct)
        self.exits(self.inst.opseal("import", "--again", "acct", seed), 0)
        self.exits(self.inst.opseal("verify"), 0)

    def test_who_may(self):
        t.need_root("users that are not root")
        user = t.person()
        self.write("log", "Script started on x\n")
        os.chmod(self.path("log"), 0o644)
        result = self.inst.opseal("import", "typescript", "/proc/self/status", user=user)
        self.exits(result, 2)
        t.reachable(self.path("log"), user)
        result = self.exits(self.inst.opseal("import", "typescript", self.path("log"), user=user), 4)
        self.contains(self.one_line(result), "only root")
        os.chmod(self.path("log"), 0o600)
        result = self.exits(self.inst.opseal("import", "typescript", self.path("log"), user=user), 4)
        self.contains(self.one_line(result), "Permission denied")
        self.exits(self.inst.opseal("ls", "--source", "import"), 1)

    def big(self, size):
        line = b"0123456789abcdef" * 4 + b"\r\n"
        body = (line * (size // len(line) + 1))[:size]
        self.write("big", b"Script started on x\n" + body + b"\nScript done on x [end of it\n")

    def test_the_writer_is_killed_meanwhile(self):
        self.big(48 << 20)
        proc = subprocess.Popen(self.inst.argv("import", "typescript", self.path("big")),
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        # Step by step, so that it is in the middle of it on a slow machine too.
        for _ in range(400):
            time.sleep(0.02)
            proc.send_signal(signal.SIGSTOP)
            if self.inst.opseal("ls", "--source", "import").status == 0:
                break
            proc.send_signal(signal.SIGCONT)
        text = self.exits(self.inst.opseal("ls", "--source", "import"), 0).text
        self.contains(text, "importing", "the import is over too soon")
        os.kill(self.inst.role("writer"), signal.SIGKILL)
        proc.send_signal(signal.SIGCONT)
        out, err = proc.communicate(timeout=120)
        self.equal(proc.returncode, 0, repr((out, err)))
        self.given_back(out.decode().strip(), "big")
        self.exits(self.inst.opseal("verify"), 0)

    def test_the_import_is_killed(self):
        self.big(32 << 20)
        writer = self.inst.role("writer")
        os.kill(writer, signal.SIGSTOP)
        self.later(lambda: os.kill(writer, signal.SIGCONT))
        proc = subprocess.Popen(self.inst.argv("import", "typescript", self.path("big")),
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        time.sleep(1)
        self.equal(proc.poll(), None, "it waits for the writer")
        os.kill(writer, signal.SIGCONT)
        t.wait_for("the session", lambda: self.inst.opseal("ls", "--source", "import").status == 0)
        proc.kill()
        out, _ = proc.communicate()
        if out:
            t.skip("it was through before it could be killed")

        def over():
            text = self.inst.opseal("ls", "--source", "import").text
            return None if "importing" in text else text
        if "imported in part" not in t.wait_for("its end to be missed", over):
            t.skip("it was through before it could be killed")
        session = json.loads(self.inst.opseal("ls", "--source", "import", "--json").text)
        self.equal((session["status"], session["import"]["whole"]), ("lost", False), "state")
        result = self.exits(self.inst.opseal("export", session["session"], "-f", "typescript"), 5)
        self.contains(result.errtext, "imported in part")
        self.check(not result.out.endswith(b"end of it\n"), "it has its end, and isn't whole")
        self.exits(self.inst.opseal("verify"), 0)


t.main()
