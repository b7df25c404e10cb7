#!/usr/bin/python3
# timeout: 300
"""The commands of a recorded session: SESSION:N in log, cat, play and show; and
the list of programs as people read it."""
import json
import os
import re
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import captured as c
import opsealtest as t
import recorded as r


class Typed(c.Captured):
    """Somebody types at a recorded shell."""

    def setup(self):
        super().setup()
        self.say = self.program("say", "/bin/echo")
        self.put = self.program("put", "/usr/bin/printf")
        self.shell = self.program("shell", "/bin/sh")
        self.up = self.program("up", "/usr/bin/tr")

    def type(self, term, line, shown):
        """As a person does: the line, a look at it, Return; then the prompt."""
        term.send(line)
        term.expect(re.escape(line[-8:]))
        time.sleep(0.1)
        term.send("\r")
        term.expect(shown + rb".*\$ $")
        time.sleep(0.1)

    def session(self, argv, lines, **options):
        """Those lines (with what they show) typed at argv; gives the session's id
        and its rows by their last argument, when all have ended."""
        term = self.record_pty(self.inst, argv, **options)
        term.expect(r"\$ $")
        for line, shown in lines:
            self.type(term, line, shown)
        term.line("exit")
        term.wait()
        rows = {}

        def ended():
            time.sleep(0.2)
            for p in self.log("--session", "last"):
                if p["kind"] == "exec":
                    rows[p["argv"][-1]] = p
            return len(rows) > len(lines) and all("duration" in p for p in rows.values())
        t.wait_for("the session's commands", ended)
        return r.json_lines(self.inst.opseal("ls", "--json", "-n", "1"))[0], rows

    def cat(self, row, status=0):
        place = "%s:%d" % (row["session"], row["number"])
        return self.exits(self.inst.opseal("cat", place), status).out

    def lines(self):
        """What is typed, and what it shows."""
        return [
            (self.say + " first", b"[\r\n]first\r\n"),
            (self.put + " 'h\\303\\244 \\377\\n'", b"[\r\n]h\xc3\xa4 \xff\r\n"),
            (self.shell + " -c 'echo oops; exit 3'", b"[\r\n]oops\r\n"),
            (self.say + " piped | " + self.up + " a-z A-Z", b"[\r\n]PIPED\r\n"),
            (self.put + " 'no end'", b"[\r\n]no end"),
            (self.say + " a; " + self.say + " b", b"[\r\n]a\r\nb\r\n"),
            (self.say + " last", b"[\r\n]last\r\n"),
        ]

    def check_cat(self, rows):
        self.equal(self.cat(rows["first"]), b"first\n", "first")
        self.equal(self.cat(rows["h\\303\\244 \\377\\n"]), b"h\xc3\xa4 \\xff\n", "not only UTF-8")
        self.equal(self.cat(rows["echo oops; exit 3"]), b"oops\n", "one that fails")
        self.equal(self.cat(rows["A-Z"]), b"PIPED\n", "the end of a pipe")
        self.contains((b"", b"PIPED\n"), self.cat(rows["piped"]), "the begin of a pipe")
        self.equal(self.cat(rows["no end"]), b"no end\n", "no line end")
        self.equal(self.cat(rows["last"]), b"last\n", "last")
        # The second one may be there before the recorder has read the first.
        self.equal(self.cat(rows["a"]) + self.cat(rows["b"]), b"a\nb\n", "two in a line")

    def check_log(self, session, rows):
        numbers = sorted(p["number"] for p in rows.values())
        self.equal(numbers, list(range(1, len(numbers) + 1)), "numbers")
        for p in rows.values():
            self.equal((p["session"], p["joined"]), (session["session"], "tty"), "session")
            self.check(0 <= p["offset"] <= session["duration"], "offset %s" % p["offset"])
        text = self.inst.opseal("log", "--session", session["session"]).text
        for p in rows.values():
            self.matches(text, r"%s.* %s:%d$" % (re.escape(p["exe"]), session["session"][:8], p["number"])
                         if p["exe"].startswith(self.dir) else r":%d$" % p["number"], "log")

    def check_show(self, session, rows):
        text = self.exits(self.inst.opseal("show", session["session"]), 0).text
        self.matches(text, r"^commands +%d$" % len(rows))
        for p in rows.values():
            how = "exit %d" % p["exit"] if p.get("exit") is not None else "became another"
            at = r"^ +[0-9:.]+  :%d .*\(%s\)" % (p["number"], how)
            self.matches(text, at, "show, " + p["argv"][-1])
        self.matches(text, r":%d %s -c 'echo oops; exit 3'  \(exit 3\)|:%d %s -c .*\(exit 3\)" % (
            rows["echo oops; exit 3"]["number"], self.shell,
            rows["echo oops; exit 3"]["number"], self.shell))
        times = [self.seconds(x) for x in re.findall(r"^ +([0-9:.]+)  :\d", text, re.M)]
        self.equal(times, sorted(times), "order")
        whole = json.loads(self.inst.opseal("show", "--json", session["session"]).text)
        self.equal({(p["number"], p.get("exit")) for p in whole["programs"]},
                   {(p["number"], p.get("exit")) for p in rows.values()}, "show --json")
        # With a moment, what is before is left out.
        late = self.inst.opseal("show", "%s@%.3f" % (
            session["session"], rows["last"]["offset"] - 0.001)).text
        self.check(" :%d " % rows["last"]["number"] in late and "oops" not in late, late)

    @staticmethod
    def seconds(text):
        value = 0.0
        for part in text.split(":"):
            value = 60 * value + float(part)
        return value

    def test_bash(self):
        t.need_program("bash")
        session, rows = self.session(["bash", "--norc"], self.lines())
        self.contains(self.inst.opseal("export", session["session"], "-f", "raw").out, b"\x1b[?2004h",
                      "bracketed paste")
        self.check_cat(rows)
        self.check_log(session, rows)
        self.check_show(session, rows)
        self.check_errors(session, rows)

    def check_errors(self, session, rows):
        done = self.exits(self.inst.opseal("cat", "%s:%d" % (session["session"], len(rows) + 1)), 2)
        self.contains(self.one_line(done), "has no command %d, the last is %d" % (
            len(rows) + 1, len(rows)))

    def test_bash_without_marks(self):
        """No bracketed paste, no OSC 133: the prompt is known by the line before."""
        t.need_program("bash")
        session, rows = self.session(["bash", "--norc"], self.lines(),
                                     env={"TERM": "dumb", "PS1": "somebody@here:/$ "})
        self.check(b"\x1b[?2004" not in self.inst.opseal(
            "export", session["session"], "-f", "raw").out, "bracketed paste")
        self.check_cat(rows)

    def test_dash(self):
        t.need_program("dash")
        _, rows = self.session(["dash"], self.lines(), env={"TERM": "dumb"})
        self.check_cat(rows)

    def test_play(self):
        """What was before is drawn at once, from the command on time passes."""
        term = self.record_pty(self.inst, ["dash"], env={"TERM": "dumb"})
        term.expect(r"\$ $")
        self.type(term, "sleep 2", rb"\r\n")
        self.type(term, self.shell + " -c 'sleep 0.5; echo then'", b"then")
        self.type(term, self.say + " last", b"last")
        term.line("exit")
        term.wait()
        rows = {p["argv"][-1]: p for p in self.runs(self.shell) + self.runs(self.say)}
        session = rows["last"]["session"]
        # The recorder goes on to keep it for a moment.
        whole = t.wait_for("the session's end", lambda: json.loads(self.inst.opseal(
            "show", "--json", session).text)["end"]) and self.inst.opseal(
                "export", session, "-f", "raw").out
        took = {}
        for name, place, speed in (("all", session, "2"),
                                   ("second", "%s:%d" % (session, rows["sleep 0.5; echo then"]["number"]), "2"),
                                   ("last", "%s:%d" % (session, rows["last"]["number"]), "2"),
                                   ("at once", "%s:%d" % (session, rows["last"]["number"]), "0")):
            begin = time.monotonic()
            done = self.exits(self.inst.opseal("play", place, "--speed", speed), 0)
            took[name] = time.monotonic() - begin
            # What only a terminal acts on is left out, and its state is put back.
            self.check(done.out.startswith(whole), "%s: %r, %r" % (name, done.out, whole))
        length = json.loads(self.inst.opseal("show", "--json", session).text)["duration"]
        for name, start in (("all", 0), ("second", rows["sleep 0.5; echo then"]["offset"]),
                            ("last", rows["last"]["offset"])):
            self.check(took[name] >= (length - start) / 2 - 0.05, "%s: %s" % (name, took))
        self.check(took["second"] < took["all"] - 0.4, "%s" % took)
        # A pipe that is read as it comes: what was before comes first, in one piece.
        self.check_first_bytes(session, rows, whole)

    def check_first_bytes(self, session, rows, whole):
        """At a tenth of the speed the command's own output is seconds away when what
        was before it is there."""
        place = "%s:%d" % (session, rows["sleep 0.5; echo then"]["number"])
        term = self.pty(self.inst.argv("play", place, "--speed", "0.1", "--no-tui"))
        term.expect(r"sleep 0.5; echo then'")
        time.sleep(0.5)
        shown = bytes(term.out)
        self.check(b"\nthen" not in shown, "shown at once: %r" % shown)
        term.signal(signal.SIGTERM)
        term.wait()


class Lost(c.Captured):
    def test_in_show(self):
        """What capture lost, or when it did not run, has its line in the timeline of
        the sessions that went on then, and in no other's."""
        inst, say = self.own(), self.program("say", "/bin/echo")
        before = self.record_pty(inst, [say, "before"])
        self.equal(before.wait(), 0, "status")
        term = self.record_pty(inst, ["dash"], env={"TERM": "dumb"})
        term.expect(r"\$ $")
        term.line(say + " one")
        term.expect(r"\none\r\n")
        self.runs(say, 2, inst=inst)
        old = r.role_pids(inst, "capture")
        r.kill(*old)
        t.wait_for("another process", lambda: r.role_pids(inst, "capture") not in ([], old))
        c.wait_captured(inst)
        time.sleep(0.5)
        term.line(say + " two")
        term.expect(r"\ntwo\r\n")
        self.runs(say, 3, inst=inst)
        term.line("exit")
        term.wait()
        after = self.record_pty(inst, [say, "after"])
        self.equal(after.wait(), 0, "status")
        self.runs(say, 4, inst=inst)
        ids = [s["session"] for s in r.json_lines(inst.opseal("ls", "--json"))]
        shown = [self.exits(inst.opseal("show", x), 0).text for x in ids]
        self.matches(shown[1], r"^ +[0-9:.]+  :\d \S*/say one  \(exit 0\)\n"
                     r" +[0-9:.]+  \[capture did not run for [^\n]*: what ran then is not here\]\n"
                     r" +[0-9:.]+  :\d \S*/say two  \(exit 0\)\n", "timeline")
        self.matches(shown[1], r"^commands +3$")  # dash, too
        for text in shown[0], shown[2]:
            self.check("capture did not run" not in text, text)
        whole = json.loads(inst.opseal("show", "--json", ids[1]).text)
        self.equal([(p["kind"], p.get("counted")) for p in whole["programs"]],
                   [("exec", None), ("exec", None), ("lost", False), ("exec", None)], "show --json")


class Pasted(c.Captured):
    def test_into_a_shell(self):
        """A line of the log is the same command again, byte by byte, and nothing that
        its arguments hold is executed."""
        t.need_program("bash")
        put, trap = self.program("put", "/usr/bin/printf"), self.path("trap")
        words = [x.replace("TRAP", trap).encode() if isinstance(x, str) else x for x in (
            "it's $(touch TRAP)", "'`touch TRAP`'", "$(touch TRAP)", "\"; touch TRAP; \"", "\\", "a\\x41'", "",
            "two\nlines", "\x1b[2J\u202e \u65e5\u672c", b"\xff'\xe7\xab", "!!", "*", "=ls", bytes(range(1, 256)), "end")]
        direct = self.exits(t.run([put, "%s\\0"] + words), 0).out
        self.equal(direct, b"\0".join(words) + b"\0", "what it prints")
        self.run_of(put)
        line = self.exits(self.inst.opseal("log", "--exe", put), 0).text.splitlines()[1]
        self.check(line.isprintable(), repr(line))
        command = re.sub(r"  +-$", "", line[line.index(put):])
        for options in ([], ["-o", "history", "-o", "histexpand"]):
            pasted = t.run(["bash", "--norc"] + options, stdin=(command + "\n").encode())
            self.equal((pasted.out, pasted.err), (direct, b""), "pasted")
        self.check(not os.path.exists(trap), "an argument was executed")

    def test_the_file_in_front(self):
        """Its name is no command either."""
        t.need_program("bash")
        trap = self.path("trap")
        path = self.program("x);touch $(echo trap);(true", "/bin/true")
        t.run(["bash", "-c", 'exec -a other "$0" arg', path])
        self.run_of(path)
        line = self.exits(self.inst.opseal("log", "--exe", path), 0).text.splitlines()[1]
        command = re.sub(r"  +-$", "", line[line.index("('"):])
        self.equal(command, "('%s') other arg" % path, "command")
        t.run(["bash", "--norc"], stdin=(command + "\n").encode(), cwd=self.path(""))
        self.check(not os.path.exists(trap), "a file's name was executed")


class Lists(c.Captured):
    """`opseal log` as people read it, of programs that one test started for all."""
    made = None

    def setup(self):
        super().setup()
        self.user, self.other = t.person(0), t.person(1)
        if Lists.made is None:
            Lists.made = self.make()

    def make(self):
        """By their last arguments; all have one name, which no other program has."""
        t.need_program("setpriv")
        made = {"name": "listed-%d" % os.getpid()}
        shell = self.program(made["name"], "/bin/sh")
        with open("/proc/self/loginuid") as f:
            uid = int(f.read())
        made["me"] = "root" if uid == c.UNSET else t.pwd.getpwuid(uid).pw_name
        t.run([shell, "-c", "exit 0", "plain"])
        t.run([shell, "-c", "exit 3", "three"])
        t.run([shell, "-c", "kill -9 $$", "nine"])
        t.run([shell, "-c", "exit 0", "user"], user=self.user)
        term = self.pty([shell, "-c", "exit 0", "tty"])
        term.wait()
        made["tty"] = term.slave_name
        made["logins"] = t.call_as(t.pwd.getpwuid(0), lambda: self.log_in() or 0) == 0
        if made["logins"]:
            t.run([shell, "-c", "exit 0", "login"], preexec=self.log_in, user=self.user)
            t.run(["setpriv", "--reuid", str(self.other.pw_uid), "--clear-groups",
                   shell, "-c", "exit 0", "as"], preexec=self.log_in)
        made["missing"] = self.path("none", made["name"])
        pid = os.fork()
        if pid == 0:
            try:
                os.execv(made["missing"], ["missing"])
            finally:
                os._exit(0)
        os.waitpid(pid, 0)
        n = 5 + 2 * made["logins"]
        self.runs(shell, n)
        self.failed(made["missing"])
        rows = self.log(made["name"])
        made["rows"] = {p["argv"][-1] if p["kind"] == "exec" else "missing": p for p in rows}
        self.equal(len(made["rows"]), n + 1, "rows")
        made["order"] = [p["argv"][-1] if p["kind"] == "exec" else "missing" for p in rows]
        self.equal(sorted(made["order"], key=lambda x: made["rows"][x]["boottime"]), made["order"],
                   "order")
        return made

    def log_in(self):
        with open("/proc/self/loginuid", "w") as f:
            f.write(str(self.user.pw_uid))

    def table(self, *args):
        """The list's rows: by the tag, the cells by the column."""
        done = self.inst.opseal("log", self.made["name"], *args)
        if done.status == 1:  # no programs
            return {}
        lines = self.exits(done, 0).text.splitlines()
        names = lines[0].split()
        rows = {}
        for line in lines[1:]:
            cells = re.split(r"  +", line.strip())
            self.equal(len(cells), len(names), "cells of %r" % line)
            row = dict(zip(names, cells))
            rows["missing" if "[not executed" in row["COMMAND"] else row["COMMAND"].split()[-1]] = row
        return rows

    def tags(self, *args):
        return list(self.table(*args))

    def with_logins(self, *tags):
        """Those, in the log's order; of a login only where there can be one."""
        return [x for x in self.made["order"] if x in tags]

    def test_columns(self):
        rows, me = self.table(), self.made["me"]
        self.equal(list(rows), self.made["order"], "order")
        user, other = self.user.pw_name, self.other.pw_name
        want = {"plain": (me, "-", "-", "0"), "three": (me, "-", "-", "3"),
                "nine": (me, "-", "-", "SIGKILL"), "tty": (me, "-", self.made["tty"][5:], "0"),
                "user": (user, "-", "-", "0") if me == "root" else (me, user, "-", "0"),
                "login": (user, "-", "-", "0"), "as": (user, other, "-", "0"),
                "missing": (me, "-", "-", "ENOENT")}
        for tag, row in rows.items():
            self.equal((row["LOGIN"], row["AS"], row["TTY"], row["EXIT"]), want[tag], tag)
            self.equal((int(row["PID"]), row["SESSION"]), (self.made["rows"][tag]["pid"], "-"), tag)
        self.matches(rows["three"]["COMMAND"], r"/%s -c 'exit 3' three$" % self.made["name"])
        self.equal(rows["missing"]["COMMAND"], self.made["missing"] + " [not executed, claimed]", "missing")

    def test_user(self):
        if not self.made["logins"]:
            t.skip("/proc/self/loginuid can't be set here")
        names = ["login", "as"] + ["user"] * (self.made["me"] == "root")
        for name in self.user.pw_name, str(self.user.pw_uid):
            self.equal(self.tags("--user", name), self.with_logins(*names), "--user " + name)
        self.exits(self.inst.opseal("log", self.made["name"], "-u", self.other.pw_name), 1)
        self.exits(self.inst.opseal("log", "-u", "no-such-user"), 2)

    def test_euid(self):
        for name in self.user.pw_name, str(self.user.pw_uid):
            self.equal(self.tags("--euid", name), self.with_logins("user", "login"), "--euid " + name)
        self.equal(self.tags("--euid", "root"),
                   self.with_logins("plain", "three", "nine", "tty", "missing"), "--euid root")
        if self.made["logins"]:
            self.equal(self.tags("--euid", self.other.pw_name), ["as"], "--euid of another")
        self.exits(self.inst.opseal("log", "--euid", "no-such-user"), 2)

    def test_tty(self):
        """As `tty` says it, as `log` does, and no other one that begins so."""
        for name in self.made["tty"], self.made["tty"][len("/dev/"):]:
            self.equal(self.tags("--tty", name), ["tty"], "--tty " + name)
        for name in "pts/", self.made["tty"] + "0", "/dev/":
            self.exits(self.inst.opseal("log", self.made["name"], "--tty", name), 1)
        self.equal(self.tags("--tty", "-"), [x for x in self.made["order"] if x != "tty"], "on none")

    def test_times(self):
        """--since and --until take what the log says of its times; each is in it."""
        order, rows = self.made["order"], self.made["rows"]
        for i, tag in enumerate(order):
            # The log's times have no more digits than a person would type.
            at = rows[tag]["time"]
            since, until = self.tags("-S", at), self.tags("-U", at)
            close = [x for x in order if rows[x]["time"] == at]
            self.equal([x for x in since if x not in close], [x for x in order[i:] if x not in close],
                       "--since " + at)
            self.equal([x for x in until if x not in close], [x for x in order[:i] if x not in close],
                       "--until " + at)
        self.exits(self.inst.opseal("log", self.made["name"], "-U", rows[order[0]]["time"][:10]), 1)

    def test_newest_and_reverse(self):
        order = self.made["order"]
        self.equal(self.tags("-n", "2"), order[-2:], "-n 2")
        self.equal(self.tags("-r"), order[::-1], "-r")
        self.equal(self.tags("-r", "-n", "3"), order[:-4:-1], "-r -n 3")
        self.equal(self.tags("-n", "1000"), order, "-n 1000")
        self.equal([p["pid"] for p in self.log(self.made["name"], "-r", "-n", "2")],
                   [self.made["rows"][x]["pid"] for x in order[:-3:-1]], "--json -r -n 2")

    def test_failed(self):
        self.equal(self.tags("--failed"), self.with_logins("three", "nine", "missing"), "--failed")
        self.equal(self.tags("--failed", "-n", "1", "--euid", "root"),
                   self.with_logins("three", "nine", "missing")[-1:], "two filters and the newest")


if __name__ == "__main__":
    t.main()
