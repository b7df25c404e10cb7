#!/usr/bin/python3
# ls, show, cat, play and export, on a store and through a daemon.
import base64
import datetime
import json
import os
import pwd
import re
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import opsealstore as store
import opsealtest as t

# Everything that must not reach an auditor's terminal.
HOSTILE = (b"\033]0;title\007\033]52;c;aGk=\007\033[6n\033[c\033P$q\"p\033\\\033[18t"
           b"\033[?1000h\033[?2004h\005\033[5i\033kname\033\\\033[3J\033c")


class Reading(t.Test):
    def setup(self):
        self.inst = self.instance()

    def record(self, script, **options):
        """Record a shell script on a terminal; gives what the terminal got."""
        path = self.write("script.sh", script)
        term = self.record_pty(self.inst, ["sh", path], **options)
        self.status = term.wait()
        return bytes(term.out)

    def both(self, *args):
        """The same from the store's folder and through the daemon; what is
        sealed in between makes them differ once."""
        for _ in range(5):
            direct = self.inst.offline(*args)
            asked = t.run(["opseal", "--run", self.inst.run_dir] + list(args))
            if asked.out == direct.out:
                break
            time.sleep(1)
        self.equal(asked.status, direct.status, "exit status through the daemon")
        self.equal(asked.out, direct.out, "output through the daemon")
        return direct

    def test_ls(self):
        self.equal(self.exits(self.inst.offline("ls"), 1).errtext.strip(),
                   "opseal ls: no sessions", "stderr")
        self.record("exit 3")
        self.record("kill -9 $$")
        result = self.exits(self.both("ls"), 0)
        lines = result.text.splitlines()
        self.equal(len(lines), 3, "lines")
        self.check(lines[0].startswith("SESSION"), lines[0])
        self.matches(lines[1], r"^[a-z2-7]{8,16} .* 3 .*closed")
        self.matches(lines[2], r" 137 .*closed")
        newest = self.inst.offline("ls", "-n", "1").text.splitlines()
        self.equal(newest[1].split()[0], lines[2].split()[0], "-n 1")
        turned = self.inst.offline("ls", "-r").text.splitlines()
        self.equal([x.split()[0] for x in turned[1:]],
                   [x.split()[0] for x in (lines[2], lines[1])], "-r")

    def on_terminal(self, cols, *args, **env):
        """The lines of `ls` on a terminal of that many columns."""
        term = self.pty([t.program("opseal"), "--store", self.inst.store, "--no-pager", "ls", *args],
                        cols=cols, env=dict(env, NO_COLOR="1"))
        term.wait()
        return bytes(term.out).decode().splitlines()

    def test_ls_fits_a_terminal(self):
        command = "echo " + 40 * "long " + "end"
        self.record_pty(self.inst, ["sh", "-c", command]).wait()
        for cols in (60, 80, 100, 132, 400):
            lines = self.on_terminal(cols)
            for line in lines:
                self.check(len(line) <= cols, "%d columns: %r" % (cols, line))
            titles = lines[0].split()
            self.equal([x for x in ("STATE", "COMMAND") if x not in titles], [],
                       "left out of %d columns: %s" % (cols, titles))
            # What says nothing goes before what does.
            self.check(not ("FROM" in titles and "EXIT" not in titles), titles)
            self.contains(lines[1], "sh -c", "a command, shortened")
        self.check(lines[1].rstrip().endswith("end"), "where there is room, all of it")
        self.check("FROM" not in self.on_terminal(100)[0] and "EXIT" in self.on_terminal(100)[0], "100")
        self.equal(self.on_terminal(200, COLUMNS="80"), self.on_terminal(80), "COLUMNS")
        for env in ({}, {"COLUMNS": "80"}):
            piped = self.inst.offline("ls", env=env).text.splitlines()
            self.equal(piped[0].split(), "SESSION USER PERSON FROM TTY START END DURATION CMDS EXIT "
                       "IDLE STATE COMMAND".split(), "columns in a pipe")
            self.check(piped[1].endswith(command), piped[1])

    def test_ls_filters(self):
        self.record("true")
        self.exits(self.inst.offline("ls", "--user", "no-such-user"), 1)
        self.exits(self.inst.offline("ls", "--until", "yesterday"), 1)
        self.exits(self.inst.offline("ls", "--active"), 1)
        self.exits(self.inst.offline("ls", "--command", "no such thing"), 1)
        self.exits(self.inst.offline("ls", "--command", "script.sh"), 0)
        self.exits(self.inst.offline("ls", "--since", "-5min", "--mine"), 0)
        for args in (["--user", "no-such-user"], ["--mine"], ["--command", "script.sh"],
                     ["--since", "-5min"], ["--until", "yesterday"]):
            self.both("ls", "--json", *args)

    def test_ls_person(self):
        """--person means what the column PERSON says."""
        self.record("true")
        lines = self.inst.offline("ls", env={"COLUMNS": "200"}).text.splitlines()
        at = lines[0].index("PERSON")
        person = lines[1][at:].split()[0]
        self.equal(len(self.exits(self.both("ls", "--json", "--person", person), 0)
                       .text.splitlines()), 1, "sessions of " + person)
        for other in ("somebody", person + "x"):
            result = self.exits(self.both("ls", "--person", other), 1, "--person " + other)
            self.contains(result.errtext, "no sessions", "stderr")

    def names(self, *args):
        """The sessions that `ls ARGS` shows, oldest first."""
        result = self.both("ls", "--json", *args)
        rows = [json.loads(x) for x in result.text.splitlines()]
        self.equal(result.status, 0 if rows else 1, "status of ls %s" % (args,))
        return [row["session"] for row in rows]

    def test_ls_by_time(self):
        """Between two sessions, in every form that a moment has."""
        self.record("true")
        time.sleep(0.01)
        between = time.time_ns()
        time.sleep(0.01)
        self.record("true")
        first, second = self.names()
        text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(between // 10**9))
        fraction = "%09d" % (between % 10**9)
        for moment in ("@%d.%s" % (between // 10**9, fraction), text + "." + fraction + "Z"):
            self.equal(self.names("--since", moment), [second], "--since " + moment)
            self.equal(self.names("--until", moment), [first], "--until " + moment)
        self.equal(self.names("--since", "-1h", "--until", "now"), [first, second], "both")
        self.equal(self.names("--since", moment, "--until", moment), [], "neither")

    def test_ls_by_user(self):
        one = t.person(0)
        self.record("true")
        term = self.pty([t.program("opseal"), "--run", self.inst.run_dir, "record", "--", "true"],
                        user=one)
        self.equal(term.wait(), 0, "exit status")
        mine, his = self.names()
        me = pwd.getpwuid(os.getuid()).pw_name
        self.equal(self.names("--user", me), [mine], "--user " + me)
        self.equal(self.names("--user", one.pw_name), [his], "--user " + one.pw_name)

    def test_utc(self):
        """Without it times are this place's; with it the same ones, in UTC."""
        self.record("true")
        tokyo = {"TZ": "JST-9"}

        def start(*args):
            result = self.exits(self.inst.offline(*args, "ls", "--json", env=tokyo), 0)
            return json.loads(result.text)["start"]

        def instant(text):
            # fromisoformat() knows neither Z nor nanoseconds.
            m = re.match(r"(.{19})(\.\d{9})(Z|[+-]\d\d:\d\d)$", text)
            zone = m.group(3).replace("Z", "+00:00")
            return datetime.datetime.fromisoformat(m.group(1) + zone).timestamp(), m.group(2)

        # Sealed, it began when the log says; before, when its door says.
        t.wait_for("the seal", lambda: json.loads(self.inst.offline("ls", "--json").text)["sealed"])
        here, utc = start(), start("--utc")
        self.check(here.endswith("+09:00"), here)
        self.check(utc.endswith("Z") or utc.endswith("+00:00"), utc)
        self.equal(instant(here), instant(utc), "the moment")
        for args, pattern in ((("show", "last"), r"^start +(\S+)T(\d\d):"),
                              (("ls",), r"\b(\d\d):\d\d(:\d\d)?\b")):
            hours = [int(self.matches(self.exits(self.inst.offline(*(flag + args), env=tokyo), 0).text,
                                      pattern).groups()[1 if args[0] == "show" else 0])
                     for flag in ((), ("--utc",))]
            self.equal((hours[0] - hours[1]) % 24, 9, "hours between, %s" % (args,))

    def test_my_own_session(self):
        """Inside a session `.` is that session, not the newest."""
        term = self.record_pty(self.inst, ["sh", "-c", "echo begun; read x; exec opseal --store %s "
                                           "--run %s show --json ." % (self.inst.store, self.inst.run_dir)],
                               cols=2000, env={"PATH": t.programs() + ":" + os.environ["PATH"]})
        term.expect("begun")
        self.record("true")
        mine, newest = self.names()
        term.line("")
        self.equal(term.wait(), 0, "exit status")
        self.matches(bytes(term.out).decode(), '"session":"%s"' % mine, "what `show .` says")
        # Outside of any there is none.
        self.one_line(self.exits(self.inst.opseal("show", "."), 2))

    def test_damaged_events(self):
        """What they told of isn't all there: that is said, with ls and show, from
        the folder and through the daemon, and nothing is made up for it."""
        self.record("sleep 1.5; exit 3")  # its end is in another frame than its beginning
        self.inst.restart()
        path = sorted((p for p in self.inst.segments() if "/events/" in p), key=os.path.getmtime)[0]
        damage = []

        def says(result, what):
            self.exits(result, 5, what)
            self.matches(self.one_line(result, what),
                         r": 1 of \d+ frames of the events can't be read \(.*opseal verify", what)
            return result.text

        at = 48
        for number, data in store.frames(path)[1]:
            at += len(data)
            copy = self.inst.copy_store()
            t.flip(os.path.join(copy, os.path.relpath(path, self.inst.store)), at - 20)
            what = "frame %d" % number
            result = self.inst.offline("ls", store=copy)
            text = says(result, what)
            if text == "":  # its beginning was there
                continue
            self.check("active" not in text, text)
            if "damaged" not in text:
                continue
            damage.append(at - 20)
            text = says(self.inst.offline("show", "last", store=copy), what)
            self.matches(text, r"(?m)^state +damaged: it ended, but")
            self.matches(text, r"(?m)^end +missing from the log")
            says(self.inst.offline("cat", "last", store=copy), what)
            self.exits(self.inst.offline("ls", "--active", store=copy), 5)
        self.equal(len(damage), 1, "frames with the session's end")

        gone = self.inst.copy_store("gone")
        os.rename(gone + "/data/events", gone + "/events")
        result = self.exits(self.inst.offline("ls", store=gone), 5)
        self.matches(result.errtext, r"(\d+) of \1 frames of the events can't be read \(.*No such file")

        t.flip(path, damage[0])
        ask = ["opseal", "--run", self.inst.run_dir]
        self.contains(says(t.run(ask + ["ls"]), "ls"), "damaged")
        self.contains(says(t.run(ask + ["show", "last"]), "show"), "damaged")

    def test_unreadable_events(self):
        """As somebody who may not look into that folder."""
        user = t.person(0)
        self.record("exit 3")
        self.inst.stop()
        copy = self.inst.copy_store()
        t.run(["chown", "-R", user.pw_name, copy])
        self.exits(self.inst.offline("ls", store=copy, user=user), 0)
        os.chmod(copy + "/data/events", 0)
        result = self.exits(self.inst.offline("ls", store=copy, user=user), 5)
        self.contains(result.errtext, "Permission denied")

    def test_a_gap(self):
        """The daemon was away for longer than output is held back: all that reads
        the session marks the place, and says with its status that parts are missing."""
        self.inst = self.instance(config="hold_time = 300ms\n")
        term = self.record_pty(self.inst, ["sh", "-c", "echo before; read x; echo held; read x; "
                                           "echo unseen; read x; echo after; read x; exit 3"])
        term.expect("before")
        t.wait_for("the record", lambda: "before" in self.inst.opseal("cat", "last").text)
        self.inst.stop()
        term.line("")
        # What was held back comes first, and all or none of it may be recorded.
        notice = "this part is not recorded"
        term.expect("held.*%s|%s.*held" % (notice, notice))
        term.line("")
        term.expect("unseen")
        self.inst.start()
        t.wait_for("the gap", lambda: "gap:" in self.inst.opseal("cat", "last").text)
        term.line("")
        term.expect("after")
        term.line("")
        self.equal(term.wait(), 3, "exit status")
        mark = r"\[gap: \d+ bytes not recorded\]"
        for args in (["cat", "last"], ["export", "last", "-f", "text"], ["play", "last", "-s", "0"]):
            result = self.exits(self.both(*args), 5, args[0])
            self.matches(result.text, r"(?s)before\s.*" + mark + r".*after\s", args[0])
            self.contains(result.errtext, "were not recorded", args[0])
        self.exits(self.both("show", "last"), 5)
        # Who stops before he comes to it is told all the same.
        player = self.pty([t.program("opseal"), "--store", self.inst.store, "play", "last", "-s", "0.1"])
        player.expect("before")
        player.send("q")
        self.equal(player.wait(), 5, "exit status of play")

    def test_ls_json(self):
        self.record("exit 3")
        self.record("kill -15 $$")
        first, second = [json.loads(x) for x in
                         self.exits(self.both("ls", "--json"), 0).text.splitlines()]
        for name in ("session user uid auid login person tty from host command start end "
                     "duration exit signal status bytes_out bytes_in commands").split():
            self.check(name in first, "no %s in %r" % (name, first))
        self.equal(first["exit"], 3, "exit")
        self.equal(first["signal"], None, "signal")
        self.equal(second["signal"], 15, "signal")
        self.equal(first["status"], "closed", "status")
        self.equal(first["uid"], os.getuid(), "uid")
        self.matches(first["start"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}")
        self.check(first["duration"] > 0, "duration")
        self.equal(len(first["session"]), 16, "id")

    def test_hostile_command_in_lists(self):
        term = self.record_pty(self.inst, ["sh", "-c", "true", "\033]0;evil\007\u202e\x9b2J"])
        term.wait()
        for args in (["ls"], ["ls", "--json"], ["show", "last"], ["show", "--json", "last"]):
            result = self.exits(self.inst.offline(*args, env={"COLUMNS": "300"}), 0)
            for line in result.text.splitlines():
                self.check(line.isprintable(), "%s: %r" % (args, line))

    def test_show(self):
        self.record("exit 3")
        text = self.exits(self.both("show", "last"), 0).text
        for pattern in (r"^session +[a-z2-7]{16}$", r"^user .*\(proven\)$", r"^start ",
                        r"^end ", r"^state +closed: .*exit 3$", r"exit status 3",
                        r"^command .*script.sh +\(claimed\)$",
                        r"^bytes +\d+ B shown in \d+ records; 0 B typed, not kept$"):
            self.matches(text, pattern, "show")
        got = json.loads(self.exits(self.both("show", "last", "--json"), 0).text)
        self.equal(got["timeline"][-1]["type"], "exit", "timeline")
        self.equal(got["timeline"][-1]["exit"], 3, "timeline")
        self.matches(text, "^terminal +%s, shown on %s," % (got["inner"], got["tty"]), "terminals")
        for name in (got["session"], got["session"][:8], "last", "last:" + got["user"],
                     got["tty"], got["inner"]):
            self.contains(self.exits(self.inst.offline("show", name), 0).text, got["session"])

    def test_show_from_a_moment(self):
        self.record("sleep 1.2; exit 3")
        whole = t.wait_for("the seal", lambda: (lambda x: "yes, all of it" in x and x)(
            self.exits(self.inst.offline("show", "last"), 0).text))
        head, timeline = whole.split("\n\n")
        self.check(len(timeline.splitlines()) >= 2, "timeline: %r" % timeline)
        late = self.exits(self.both("show", "last@0:01"), 0).text.split("\n\n")
        self.equal(late[0], head, "the header is the whole session's")
        self.equal(late[1].splitlines(), [x for x in timeline.splitlines() if " 0:00 " not in x],
                   "timeline from 0:01")
        got = json.loads(self.exits(self.both("show", "last@1", "--json"), 0).text)
        self.equal([e["type"] for e in got["timeline"]], ["exit"], "timeline of --json")
        line = self.one_line(self.exits(self.inst.offline("show", "last@0:09"), 2))
        self.contains(line, "ended at 0:01", "message")

    def test_a_moment_of_an_active_session(self):
        term = self.record_pty(self.inst, ["sh", "-c", "echo begun; read x"])
        term.expect("begun")
        self.exits(self.inst.opseal("show", "last@1:00:00"), 0)
        term.line("")
        self.equal(term.wait(), 0, "exit status")

    def test_cat(self):
        self.record("printf 'one\\r\\n\\033[31mred\\033[0m\\nabc\\bX\\n10%%\\r99%%\\n\\xff\\n'\n"
                    "printf '\\033[?1049hhidden\\033[?1049l'; printf 'C:\\\\x 日本語\\n'")
        result = self.exits(self.both("cat", "last"), 0)
        self.equal(result.text, "one\nred\nabX\n99%\n\\xff\n[full-screen program, 0 s]\n"
                   "C:\\x 日本語\n", "text")
        self.equal(self.inst.offline("export", "last", "-f", "text").text, result.text, "text")

    def test_cat_from_a_moment(self):
        self.record("echo before; sleep 1.2; echo after")
        self.equal(self.exits(self.inst.offline("cat", "last@1"), 0).text, "after\n", "text")

    def test_cat_is_safe(self):
        path = self.write("hostile", HOSTILE + b"end\n")
        self.record("cat %s" % path)
        for line in self.exits(self.inst.offline("cat", "last"), 0).text.splitlines():
            self.check(line.isprintable(), repr(line))

    def test_raw_is_exact(self):
        data = os.urandom(200000) + b"\0\r\n\xff\xe3\x81" + bytes(range(256)) * 10
        path = self.write("data", data)
        shown = self.record("stty raw; cat %s; printf '\\xe6\\x97'; sleep .1; printf '\\xa5'" % path)
        self.contains(shown, data, "the terminal")
        result = self.exits(self.both("export", "last", "--format", "raw"), 0)
        self.equal(result.out, shown, "raw")

    def test_export_json(self):
        self.record("printf 'a\\377b'; printf '日本'; exit 4")
        rows = [json.loads(x) for x in
                self.exits(self.both("export", "last", "-f", "json"), 0).text.splitlines()]
        data = b"".join(base64.b64decode(r["data_b64"]) if "data_b64" in r else r["data"].encode()
                        for r in rows if r["type"] == "output")
        self.equal(data, b"a\xffb" + "日本".encode(), "data")
        self.equal([r["exit"] for r in rows if r["type"] == "exit"], [4], "exit")
        self.equal([r["number"] for r in rows], list(range(len(rows))), "numbers")

    def events(self, text):
        lines = text.splitlines()
        return json.loads(lines[0]), [json.loads(x) for x in lines[1:]]

    def test_asciicast_v2(self):
        shown = self.record("printf '日本\\033[1m\\r\\n'; printf '\\343\\201'; sleep .05; "
                            "printf '\\202\\n'; exit 2", rows=30, cols=100)
        result = self.exits(self.both("export", "last", "-f", "asciicast-v2"), 0)
        self.equal(result.err, b"", "stderr")
        header, events = self.events(result.text)
        self.equal((header["version"], header["width"], header["height"]), (2, 100, 30), "header")
        self.check("opseal_lossy_bytes" not in header, "nothing was lost")
        self.equal("".join(e[2] for e in events if e[1] == "o").encode(), shown, "output")
        times = [e[0] for e in events]
        self.equal(times, sorted(times), "times")
        self.check(all(e[1] in "oirm" for e in events), "codes of version 2")

    def test_asciicast_v3(self):
        shown = self.record("echo hello; sleep .3; exit 2")
        header, events = self.events(
            self.exits(self.both("export", "last", "-f", "asciicast-v3"), 0).text)
        self.equal((header["version"], header["term"]["cols"]), (3, 80), "header")
        self.equal("".join(e[2] for e in events if e[1] == "o").encode(), shown, "output")
        self.equal([e[2] for e in events if e[1] == "x"], ["2"], "exit")
        total = sum(e[0] for e in events)
        self.check(0.3 <= total < 5, "intervals add up to %f" % total)

    def test_asciicast_says_what_it_lost(self):
        self.record("printf 'a\\377\\376b'")
        for version in ("2", "3"):
            result = self.exits(self.inst.offline("export", "last", "-f", "asciicast-v" + version), 0)
            self.contains(self.one_line(result), "2 bytes are not valid UTF-8")
            header, events = self.events(result.text)
            self.equal(header["opseal_lossy_bytes"], 2, "header")
            self.contains("".join(e[2] for e in events), "a\ufffd\ufffdb")
        self.record("printf 'a\\377b'")
        result = self.exits(self.inst.offline("export", "last", "-f", "asciicast-v2"), 0)
        self.contains(self.one_line(result), "1 byte is not valid UTF-8; this format can't hold it; ")

    def test_asciinema_plays_it(self):
        t.need_program("asciinema")
        shown = self.record("printf '\\033[31m日本語\\033[0m\\r\\n'; printf 'x\\377y\\n'; exit 1")
        path = self.path("demo.cast")
        self.exits(self.inst.offline("export", "last", "-f", "asciicast-v2", "-o", path), 0)
        term = self.pty(["asciinema", "cat", path], env={"HOME": self.dir,
                                                        "XDG_CONFIG_HOME": self.dir})
        self.equal(term.wait(), 0, "asciinema")
        self.equal(bytes(term.out), shown.replace(b"\xff", "\ufffd".encode()), "asciinema cat")

    def test_scriptreplay_plays_it(self):
        t.need_program("scriptreplay")
        shown = self.record("printf 'one\\r\\n'; sleep .1; stty rows 40; printf 'two \\377\\r\\n'; exit 5")
        for kind, option in (("classic", "-t"), ("advanced", "-T")):
            log, timing = self.path(kind), self.path(kind + ".timing")
            self.exits(self.inst.offline("export", "last", "-f", "typescript", "-o", log,
                                         "-t", timing, "--timing-format", kind), 0)
            result = self.exits(t.run(["scriptreplay", option, timing, "-O", log, "-d", "100"]), 0)
            self.equal(result.out.rstrip(b"\n"), shown.rstrip(b"\n"), kind)
        summary = t.run(["scriptreplay", "--summary", "-T", timing, "-O", log]).text
        self.matches(summary, r"EXIT_CODE: +5")

    def test_export_files(self):
        self.record("echo hello")
        path = self.write("there", "mine")
        result = self.exits(self.inst.offline("export", "last", "-f", "raw", "-o", path), 2)
        self.contains(self.one_line(result), "--force")
        with open(path, "rb") as f:
            self.equal(f.read(), b"mine", "the file")
        self.exits(self.inst.offline("export", "last", "-f", "raw", "-o", path, "--force"), 0)
        with open(path, "rb") as f:
            self.equal(f.read(), b"hello\r\n", "the file")

    def test_failed_export_leaves_no_file(self):
        self.record("echo hello")
        log = self.path("log")
        self.exits(self.inst.offline("export", "last", "-f", "typescript", "-o", log,
                                     "-t", "/nonexistent/timing"), 2)
        self.check(not os.path.exists(log), "a half-written file is left")

    def test_raw_to_a_terminal_is_refused(self):
        self.record("echo hello")
        term = self.pty([t.program("opseal"), "--store", self.inst.store,
                         "export", "last", "-f", "raw"])
        self.equal(term.wait(), 2, "exit status")
        self.contains(bytes(term.out), b"--output")

    def play(self, *args, **options):
        return self.pty([t.program("opseal"), "--store", self.inst.store, "play"] + list(args),
                        **options)

    def test_play(self):
        self.record("printf 'one\\n'; sleep 1; printf 'two\\n'")
        result = self.exits(self.inst.offline("play", "last", "--speed", "0"), 0)
        self.equal(result.out, b"one\r\ntwo\r\n", "played")
        start = time.monotonic()
        self.exits(self.inst.offline("play", "last"), 0)
        self.check(time.monotonic() - start > 0.9, "too fast")
        start = time.monotonic()
        self.exits(self.inst.offline("play", "last", "--max-idle", "50ms"), 0)
        self.check(time.monotonic() - start < 0.9, "pauses not cut")

    def test_play_from_a_moment(self):
        """What was before is drawn at once; from there on it takes its time."""
        self.record("printf one; sleep 2.1; printf two")
        _, events = self.events(self.inst.offline("export", "last", "-f", "asciicast-v2").text)
        at = next(e[0] for e in events if e[2] == "two")
        # A tenth of the speed: the two seconds left out would be 20.
        begin = time.monotonic()
        term = self.play("last@0:02", "--speed", "0.1", "--no-tui")
        term.expect("one")
        term.expect("two", 60)
        took, want = time.monotonic() - begin, (at - 2) * 10
        self.check(want <= took < want + 10, "%.2f s, want %.2f" % (took, want))
        self.equal(term.wait(), 0, "exit status")

    def test_play_is_safe(self):
        path = self.write("hostile", b"begin " + HOSTILE + b"end\n")
        self.record("cat %s" % path)
        term = self.play("last")
        self.equal(term.wait(), 0, "exit status")
        out = bytes(term.out)
        for bad in (b"\033]", b"\033P", b"\033[6n", b"\033[c", b"t\033", b"\033[18t", b"\033[?1000",
                    b"\033[?2004", b"\005", b"\033[5i", b"\033k", b"\033[3J", b"\033c", b"\007"):
            self.check(bad not in out, "%r got through: %r" % (bad, out))
        self.contains(out, b"begin ")
        self.contains(out, b"end")

    def test_play_restores_the_terminal(self):
        self.record("printf '\\033[?1049h\\033[?25l\\033[31mred'; sleep 2")
        for end in ("q", signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            term = self.play("last")
            term.expect("red")
            if end == "q":
                term.send("q")
                self.equal(term.wait(), 0, "q")
            else:
                term.signal(end)
                self.equal(term.wait(), -end, "signal")
            out = bytes(term.out)
            after = out[out.index(b"red"):]
            for need in (b"\033[?1049l", b"\033[?25h", b"\033[0m", b"\033[?7h"):
                self.check(need in after, "%r: no %r in %r" % (end, need, after))
            self.equal(term.modes()[:4], term.initial_modes[:4], "modes after %r" % (end,))
            term.close()

    def test_play_keys(self):
        self.record("printf one; sleep 1; printf two; sleep 1; printf three; sleep 3")
        term = self.play("last")
        term.expect("one")
        term.send(" ")
        time.sleep(1.5)  # two would have come after one
        self.equal(bytes(term.out).count(b"two"), 0, "output while it stands")
        term.send(" ")
        term.expect("two")
        term.send("q")
        self.equal(term.wait(), 0, "exit status")
        self.check(b"three" not in bytes(term.out), "played to the end")

    def test_play_steps_and_speed(self):
        self.record("printf one; sleep 1; printf two; sleep 1; printf three; sleep 3")
        term = self.play("last")
        term.expect("one")
        term.send(" ")
        term.send("++++++")
        term.send(".")
        term.expect("two")
        term.send(".")
        term.expect("three")
        term.send(" ")
        term.send("q")
        self.equal(term.wait(), 0, "exit status")

    def test_play_tells_the_size(self):
        self.record("true", rows=50, cols=200)
        term = self.play("last", rows=24, cols=80)
        term.wait()
        self.contains(bytes(term.out), b"recorded at 200x50; this terminal is 80x24")

    def test_pager(self):
        self.record("true")
        argv = [t.program("opseal"), "--store", self.inst.store]
        term = self.pty(argv + ["ls"], env={"PAGER": "sed s/^/paged:/"})
        self.equal(term.wait(), 0, "exit status")
        self.contains(bytes(term.out), b"paged:")
        term = self.pty(argv + ["ls", "--no-pager"], env={"PAGER": "sed s/^/paged:/"})
        term.wait()
        self.check(b"paged:" not in bytes(term.out), "paged")

    def test_pager_that_is_not_there(self):
        """What can't be shown is not lost silently."""
        self.record("true")
        self.record("yes | head -c 300000")  # more than a pipe holds
        argv = [t.program("opseal"), "--store", self.inst.store]
        refused = self.write("refused", "")
        for pager in ("no-such-pager -R", refused):
            for args in (["ls"], ["cat", "last"]):
                term = self.pty(argv + args, env={"PAGER": pager})
                self.equal(term.wait(), 2, "exit status of %s" % args)
                self.matches(bytes(term.out).decode(), r"(?m)^opseal: the pager \"%s\" can't be run, so nothing "
                             r"was shown; --no-pager does" % re.escape(pager), args)
                self.equal(bytes(term.out).count(b"can't be run"), 1, "said once")
        # Its own end, and who quits it early, are no such thing.
        term = self.pty(argv + ["ls"], env={"PAGER": "cat >&2; exit 1"})
        self.equal(term.wait(), 0, "exit status")
        term = self.pty(argv + ["cat", "last"], env={"PAGER": "head -n 1"})
        self.equal(term.wait(), -signal.SIGPIPE, "exit status")
        self.equal(bytes(term.out), b"y\r\n", "one line")

    def test_no_pager_where_there_is_no_less(self):
        self.record("true")
        argv = [t.program("opseal"), "--store", self.inst.store, "ls"]
        os.mkdir(self.path("bin"))
        bare = self.pty(["env", "-u", "PAGER", "PATH=" + self.path("bin")] + argv)
        self.equal(bare.wait(), 0, "exit status")
        self.contains(bytes(bare.out), b"closed")
        with open(self.path("bin/less"), "w") as f:
            f.write("#!/bin/sh\nexec /bin/sed s/^/less:/\n")
        os.chmod(self.path("bin/less"), 0o755)
        term = self.pty(["env", "-u", "PAGER", "PATH=/nonexistent::" + self.path("bin")] + argv)
        self.equal(term.wait(), 0, "exit status")
        self.contains(bytes(term.out), b"less:")

    def test_colours(self):
        self.record("true")
        argv = [t.program("opseal"), "--store", self.inst.store, "ls", "--no-pager"]
        for env, coloured in (({"NO_COLOR": ""}, True), ({"NO_COLOR": "1"}, False)):
            term = self.pty(argv, env=env)
            term.wait()
            self.equal(b"\033[1m" in bytes(term.out), coloured, "colours with %r" % env)
        self.check(b"\033" not in self.inst.offline("ls").out, "colours in a pipe")

    def test_status(self):
        self.record("echo hello")
        got = json.loads(self.exits(self.inst.opseal("status", "--json"), 0).text)
        for name in ("sessions records lost unsealed sealed_size lag sources durable_p50_ms "
                     "durable_p99_ms sealed_p50_ms sealed_p99_ms state reason log origin store "
                     "space_free stored").split():
            self.check(name in got, "no %s in %r" % (name, got))
        self.equal(got["state"], "ok", "state")
        self.equal(got["lost"], 0, "lost")
        text = self.exits(self.inst.opseal("status"), 0).text
        self.matches(text, r"^state +ok")
        self.matches(text, r"(?m)^lost +0 bytes shown but not recorded$")

    def test_status_of_a_time(self):
        result = self.exits(self.inst.opseal("status", "--since", "-2h"), 2)
        self.contains(self.one_line(result), "go with --coverage")
        text = self.exits(self.inst.opseal("status", "--coverage", "-S", "-2h", "-U", "-1h"), 0).text
        self.contains(text, "nothing was compared in that time")
        result = self.exits(self.inst.opseal("status", "--coverage", "-S", "2026-01-02", "-U", "2026-01-01"), 2)
        self.contains(self.one_line(result),
                      "--since 2026-01-02 00:00:00 is later than --until 2026-01-01 00:00:00")

    def ask(self, *args):
        return [t.program("opseal"), "--run", self.inst.run_dir] + list(args)

    def test_log_finds_nothing(self):
        """What one may have meant, and why there is nothing."""
        off = r"(?m)^opseal log: programs are not captured here: .*; see opseal status$"
        for args, says in (([], "no programs"),
                           (["root"], "no programs named root; --user root shows what root ran"),
                           (["pts/3"], "no programs named pts/3; --tty pts/3 shows what ran there"),
                           (["--forks", "kworker/0:1"], "no programs named kworker/0:1; --exe kworker/0:1 ")):
            result = self.exits(t.run(self.ask("log", *args)), 1)
            self.contains(result.err.decode(), says, args)
            self.matches(result.err.decode(), off)
            self.equal(result.out, b"", "stdout")
        for argv in (self.inst.argv("log"), self.ask("log", "--source", "import")):
            result = self.exits(t.run(argv), 1)
            self.check(b"captured" not in result.err, "nobody asked about capture: %r" % result.err)

    def test_log_follow_without_capture(self):
        term = self.pty(self.ask("log", "--follow"))
        term.expect("programs are not captured here: ")

    def test_record_gives_the_status(self):
        self.record("exit 42")
        self.equal(self.status, 42, "exit status")
        result = self.inst.opseal("record", "--", "sh", "-c", "cat; exit 7", stdin=b"in\0put")
        self.exits(result, 7)
        self.equal(result.out, b"in\0put", "output without a terminal")

    def test_without_a_terminal(self):
        """What it printed is not in the log: whoever reads it is told."""
        result = self.exits(self.inst.opseal("record", "--", "echo", "hello"), 0)
        self.equal((result.out, result.err), (b"hello\n", b""), "nothing is said to a pipe")
        for args in (["show", "last"], ["cat", "last"], ["play", "last"], ["export", "last", "-f", "raw"]):
            result = self.exits(self.both(*args), 0)
            self.contains(self.one_line(result, args[0]), "recorded without a terminal", args[0])
        self.matches(self.inst.offline("show", "last").text, r"(?m)^bytes +not recorded: it had no terminal$")
        argv = self.inst.argv("record", "--", "echo", "hello")
        for redirected, said in (("", False), ("> %s" % self.path("out"), True),
                                 ("< /dev/null", True)):
            term = self.pty(["sh", "-c", '"$@" ' + redirected, "sh"] + argv)
            self.equal(term.wait(), 0, "exit status")
            self.equal(bytes(term.out).count(b"what it prints will not be in the log"), int(said),
                       "said with %r: %r" % (redirected, bytes(term.out)))
            self.equal(bytes(term.out).count(b"\n"), said + (">" not in redirected), "lines")

    def test_an_active_session(self):
        term = self.record_pty(self.inst, ["sh", "-c", "echo begun; read x"])
        term.expect("begun")
        line = self.inst.opseal("ls", "--active").text.splitlines()[-1]
        self.contains(line, "active")
        self.matches(self.inst.opseal("show", "last").text, r"(?m)^bytes .*; what is typed is not kept$")
        self.contains(self.exits(self.both("cat", "last"), 0).text, "begun")
        self.exits(self.inst.opseal("verify"), 0)
        term.line("")
        term.wait()
        self.exits(self.inst.opseal("ls", "--active"), 1)

    def test_own_sessions_only(self):
        one, two = t.person(0), t.person(1)
        ask = ["opseal", "--run", self.inst.run_dir]
        self.record("echo of root")
        mine = self.pty([t.program("opseal"), "--run", self.inst.run_dir, "record", "--",
                         "echo", "of one"], user=one)
        mine.wait()
        got = json.loads(self.exits(t.run(ask + ["ls", "--json"], user=one), 0).text)
        self.equal(got["uid"], one.pw_uid, "whose session")
        self.equal(self.exits(t.run(ask + ["cat", "last"], user=one), 0).text, "of one\n", "text")
        self.exits(t.run(ask + ["ls"], user=two), 1)
        self.exits(t.run(ask + ["cat", got["session"]], user=two), 4)
        result = self.exits(t.run(ask + ["verify"], user=one), 4)
        self.one_line(result)


t.main()
