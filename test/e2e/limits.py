#!/usr/bin/python3
# timeout: 600
"""How much of one user's screens is recorded: what is over it is a gap of his, counted to
the byte, with its reason; and nobody else's.
"""
import json
import os
import re
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import opsealtest as t
import openmetrics
import recorded as r
import smalldisk

MB = smalldisk.MB
WHY = "the user had reached screen_rate or screen_day"


class Limits(smalldisk.SmallDisk):
    CONFIG = ""

    def login(self, user):
        """A preexec that logs user in, as pam_loginuid does, where that can be."""
        def log_in():
            try:
                with open("/proc/self/loginuid", "w") as f:
                    f.write(str(user.pw_uid))
            except OSError:
                pass  # then the uid counts, which is another for each, too
        return log_in

    def shell(self, inst, command, n=0):
        user = t.person(n)
        return self.record_pty(inst, ["sh", "-c", command], user=user, preexec=self.login(user))

    def noise(self, inst, size, then="read x; echo after; read y; exit 5", n=0):
        """Shows size random bytes, then waits for a line, says "after", and waits again."""
        path = self.write("random", os.urandom(MB))
        os.chmod(path, 0o644)
        return self.shell(inst, (
            "stty raw; i=0; while [ $i -lt %d ]; do cat %s; i=$((i+1)); done; stty sane; "
            "echo all shown; %s") % (size // MB, path, then), n)

    def limited(self, inst):
        s = r.json_lines(self.exits(inst.opseal("status", "--json"), 0))[0]
        return s["limited_users"]

    def is_limited(self, inst, n=0):
        return t.wait_for("a user who is limited", lambda: [
            u for u in self.limited(inst) if u["uid"] == t.person(n).pw_uid])[0]

    def nobody_limited(self, inst, timeout=None):
        t.wait_for("the end of the limit", lambda: self.limited(inst) == [], timeout,
                   about=lambda: inst.opseal("status").text)

    def reload(self, inst, config):
        inst.write_config(config)
        inst.proc.send_signal(signal.SIGHUP)

    def gaps(self, inst, term, status=5):
        """It has ended; what it showed is recorded or counted, at its place."""
        self.equal(term.wait(60), status, "exit status")
        s = self.ended(inst, term, "gapped")
        gaps = self.accounted(inst, term, s)
        self.equal(bytes(term.out).count(r.LIMIT_NOTICE), len(gaps), "notices, gaps %r" % gaps)
        return s, gaps

    def test_told_everywhere(self):
        """Bytes, place and reason: to all who read the screen, and to who checks the log."""
        inst = self.instance(config="screen_day = 2M\n")
        term = self.noise(inst, 9 * MB)
        term.expect("more than is recorded of one user", 60)
        term.expect("all shown", 60)
        user = self.is_limited(inst)
        self.equal((user["limit"], user["allowed"]), ("screen_day", 2 * MB), "limited")
        self.check(user["used"] >= 2 * MB, "used: %r" % user)
        result = self.exits(inst.opseal("status"), 0)
        self.matches(result.text, r"^limits +2\.1 MB of screens a user and day$", "status")
        self.matches(result.text, r"^LIMITED +user %d, by screen_day: " % t.person().pw_uid, "status")
        families = openmetrics.parse(inst.opseal("status", "--metrics").text)
        self.equal(families["opseal_limited"].samples, {("opseal_limited", (
            ("limit", "screen_day"), ("uid", str(t.person().pw_uid)))): 1}, "metrics")
        self.equal(inst.log().count("has reached screen_day"), 1, "log lines")
        # What isn't a screen goes on: a command, a session's begin and end.
        user = t.person()
        result = t.run(inst.argv("record", "--", "sh", "-c", "exit 3"), user=user, preexec=self.login(user))
        self.exits(result, 3)
        late = self.shell(inst, "yes | head -c 200000; exit 4")
        s, gaps = self.gaps(inst, late, 4)
        self.equal((s["exit"], len(gaps)), (4, 1), "a session that began later")
        self.check(s["bytes_out"] - gaps[0] <= 8192, "kept of it: %d" % (s["bytes_out"] - gaps[0]))
        self.equal(len(self.sessions(inst)), 3, "sessions")
        term.line("")
        term.expect("after")
        term.line("")
        s, gaps = self.gaps(inst, term)
        self.equal(len(gaps), 1, "gaps")
        self.check(2 * MB - 500000 < s["bytes_out"] - gaps[0] < 8 * MB, "kept: %d" % (s["bytes_out"] - gaps[0]))
        mark = "gap: %d bytes not recorded: %s" % (gaps[0], WHY)
        session = s["session"]
        for args in (["cat", session], ["play", "--no-tui", "--speed", "0", session]):
            result = self.exits(inst.opseal(*args), 5, args[0])
            self.contains(result.text, mark, args[0])
            self.contains(result.errtext, "%d bytes of %s were not recorded (%s)" % (
                gaps[0], session, WHY), args[0])
        self.contains(self.exits(inst.opseal("show", session), 5).text,
                      "GAP: %d bytes were not recorded: %s" % (gaps[0], WHY), "show")
        rows = [x for x in r.json_lines(inst.opseal("export", session, "--format", "json")) if x["type"] == "gap"]
        self.equal([(x["bytes"], x["why"]) for x in rows], [(gaps[0], "limit")], "export")
        # What isn't sealed yet it doesn't look into.
        t.wait_for("the gap, by verify", lambda: re.search(
            r"^GAP .*: %d bytes were not recorded: %s$" % (gaps[0], WHY), self.verifies(inst).text, re.M))
        status = r.json_lines(inst.opseal("status", "--json"))[0]
        self.equal(status["limit_lost"], gaps[0] + self.session(inst, late)["bytes_lost"], "limit_lost")
        self.equal(status["limit_lost"], status["lost"], "lost")

    def test_the_terminal_waits_for_nothing(self):
        """However long hold_time is."""
        inst = self.instance(config="screen_day = 2M\nhold_time = 50s\n")
        begin = time.monotonic()
        term = self.noise(inst, 6 * MB, "exit 5")
        self.gaps(inst, term)
        self.check(time.monotonic() - begin < 40, "it took %d s" % (time.monotonic() - begin))

    def test_nobody_else(self):
        """One prints without an end; all of another's is recorded, and all of the first's
        own sessions are limited."""
        inst = self.instance(config="screen_day = 3M\n")
        other = self.shell(inst, "echo begin; while read x; do echo \"got $x\"; done; exit 6", n=1)
        other.expect("begin")
        floods = [self.shell(inst, "yes | head -c 20000000; exit 5") for _ in range(2)]
        self.is_limited(inst)
        own = self.shell(inst, "echo begin; read x; echo got $x; exit 5")
        for i in range(20):
            other.line("line %d" % i)
            other.expect("got line %d\r\n" % i)
        big = self.noise(inst, 2 * MB, "exit 7", n=1)
        self.exact(inst, big, 7)
        self.equal([u["uid"] for u in self.limited(inst)], [t.person().pw_uid], "limited")
        own.expect("begin")
        own.line("mine")
        own.expect("got mine\r\n")
        s, gaps = self.gaps(inst, own)
        self.check(sum(gaps) > 0, "gaps of his other session: %r" % gaps)
        for flood in floods:
            s, gaps = self.gaps(inst, flood)
            self.check(sum(gaps) > 5 * MB, "gaps of the flood: %r" % gaps)
        other.send("\x04")
        self.exact(inst, other, 6)
        self.verifies(inst)

    def test_root_over_it(self):
        """Before the log knows whose a session is, it isn't root's."""
        t.need_root("root, who prints")
        inst = self.instance(config="screen_day = 2M\n")
        flood = self.record_pty(inst, ["sh", "-c", "yes | head -c 9000000; read x; exit 5"])
        t.wait_for("root's limit", lambda: self.limited(inst))
        other = self.noise(inst, MB, "exit 7", n=1)
        self.exact(inst, other, 7)
        flood.line("")
        self.gaps(inst, flood)
        self.verifies(inst)

    def test_reload(self):
        """A larger limit holds at once; what comes then is recorded, in the same session."""
        inst = self.instance(config="screen_day = 2M\n")
        term = self.noise(inst, 6 * MB)
        term.expect("all shown", 60)
        self.is_limited(inst)
        self.reload(inst, "screen_day = 100M\n")
        self.nobody_limited(inst)
        t.wait_for("the gap", lambda: self.session(inst, term)["bytes_lost"])
        term.line("")
        term.expect("after")
        # And a smaller one: what was had counts.
        self.reload(inst, "screen_rate = 1K\n")
        t.wait_for("the other settings", lambda: r.json_lines(
            inst.opseal("status", "--json"))[0]["screen_rate"] == 1024, about=inst.log)
        term.line("")
        s, gaps = self.gaps(inst, term)
        self.equal(len(gaps), 1, "gaps")
        raw = self.raw(inst, s)
        self.check(raw.out.endswith(b"after\r\n\r\n"), "the end: %r" % raw.out[-40:])
        late = self.shell(inst, "yes | head -c 200000; sleep 2; echo more; exit 4")
        self.gaps(inst, late, 4)
        self.equal(self.is_limited(inst)["limit"], "screen_rate", "limit")

    def test_rate_runs_out(self):
        """Who stops for a moment is recorded again."""
        inst = self.instance(config="screen_day = 0\nscreen_rate = 512K\n")
        term = self.noise(inst, 40 * MB)
        term.expect("all shown", 60)
        self.equal(self.is_limited(inst)["limit"], "screen_rate", "limit")
        self.nobody_limited(inst, 60)
        t.wait_for("a line of opseald", lambda: "is below screen_rate again" in inst.log())
        term.line("")
        term.expect("after")
        term.line("")
        s, gaps = self.gaps(inst, term)
        kept = s["bytes_out"] - sum(gaps)
        self.check(29 * MB < kept < 39 * MB, "kept: %d, gaps %r" % (kept, gaps))
        self.check(self.raw(inst, s).out.endswith(b"after\r\n\r\n"), "the end")

    def test_refuse(self):
        """Where nothing unrecorded may be shown, his sessions end."""
        inst = self.instance(config="screen_day = 2M\non_log_failure = refuse\nhold_time = 300ms\n")
        other = self.shell(inst, "echo begin; read x; exit 6", n=1)
        other.expect("begin")
        term = self.noise(inst, 20 * MB)
        term.expect("more than is recorded of one user; the session ends here", 60)
        self.check(term.wait(60) != 0, "exit status")
        s = self.ended(inst, term)
        self.equal(s["bytes_lost"], 0, "bytes lost")
        self.contains(inst.opseal("show", s["session"]).text, r.END_BY_LOG, "show")
        # A command that shows nothing has its own end, though it runs for longer.
        user = t.person()
        result = t.run(inst.argv("record", "--", "sh", "-c", "sleep 1; exit 3"), user=user, preexec=self.login(user))
        self.exits(result, 3)
        s = t.wait_for("its end", lambda: [x for x in self.sessions(inst) if "sleep 1" in x["command"] and x["end"]])[0]
        self.equal(s["status"], "closed", "command")
        self.check(r.END_BY_LOG not in inst.opseal("show", s["session"]).text, "a command, ended by the log")
        other.line("")
        self.exact(inst, other, 6)
        self.verifies(inst)

    def test_switched_off_meanwhile(self):
        """Each reason has a gap of its own, and the terminal says the new one."""
        inst = self.instance(config="screen_day = 2M\n")
        term = self.noise(inst, 6 * MB)
        term.expect("more than is recorded of one user; this part is not recorded", 60)
        term.expect("all shown", 60)
        self.is_limited(inst)
        self.exits(inst.opseal("off", "--reason", "the disk is replaced"), 0)
        term.expect("recording is switched off by .*: the disk is replaced; this part is not recorded")
        term.line("")
        term.expect("after\r\n")
        self.exits(inst.opseal("on"), 0)
        term.expect("more than is recorded of one user; this part is not recorded")
        term.line("")
        self.equal(term.wait(60), 5, "exit status")
        s = self.ended(inst, term, "gapped")
        rows = [x for x in r.json_lines(inst.opseal("export", s["session"], "--format", "json")) if x["type"] == "gap"]
        self.equal([x["why"] for x in rows], ["limit", "off", "limit"], "reasons: %r" % rows)
        self.equal([x["bytes"] for x in rows[1:]], [len("\r\nafter\r\n"), 2], "bytes: %r" % rows)
        self.equal(sum(x["bytes"] for x in rows), s["bytes_lost"], "bytes lost")
        self.verifies(inst)

    def test_refused_with_the_reason(self):
        """Who is over it as he is asked why he comes is told that, and not that the log fails."""
        config = "screen_day = 2M\non_log_failure = refuse\nhold_time = 300ms\n"
        inst = self.instance(config=config)
        term = self.noise(inst, 20 * MB)
        term.expect("the session ends here", 60)
        self.reload(inst, config + "reason = ask\n")
        t.wait_for("the reload", lambda: "changed: reason" in inst.log())
        late = self.shell(inst, "echo ran")
        late.expect("nothing was run: refused: more was shown than is recorded of one user")
        self.equal(late.wait(60), 2, "exit status")
        self.check(b"ran\r\n" not in bytes(late.out).replace(b"nothing was run", b""), "it ran")
        # While it is switched off all go on, however far they are.
        asked = self.shell(inst, "echo ran", n=1)
        asked.expect("Reason for this session")
        self.exits(inst.opseal("off", "--reason", "the disk is replaced"), 0)
        asked.expect("recording is switched off by .*; this part is not recorded")
        asked.send("CHG-9\r")
        asked.expect("CHG-9\r\nran\r\n")
        self.equal(asked.wait(60), 0, "exit status")

    def test_refuse_but_root(self):
        """Root is limited as anybody, and never thrown out."""
        t.need_root()
        inst = self.instance(config="screen_day = 2M\non_log_failure = refuse\nhold_time = 300ms\n")
        path = self.write("random", os.urandom(MB))
        term = self.record_pty(inst, ["sh", "-c", (
            "stty raw; i=0; while [ $i -lt 9 ]; do cat %s; i=$((i+1)); done; stty sane; echo all shown; "
            "read x; exit 5") % path])
        term.expect("more than is recorded of one user; this part is not recorded", 60)
        term.expect("all shown", 60)
        time.sleep(0.5)
        term.line("")
        self.gaps(inst, term)

    def test_refuse_after_off(self):
        """It is off while his session is held: that goes on, and ends once it is on again and he
        still over his limit."""
        inst = self.instance(config="screen_day = 2M\non_log_failure = refuse\nhold_time = 6s\n")
        term = self.noise(inst, 20 * MB)
        self.is_limited(inst)
        self.exits(inst.opseal("off", "--reason", "the disk is replaced"), 0)
        term.expect("recording is switched off by .*; this part is not recorded")
        term.expect("all shown", 60)
        term.line("")
        term.expect("after\r\n")
        self.exits(inst.opseal("on"), 0)
        term.expect("more than is recorded of one user; the session ends here", 60)
        self.equal(term.wait(60), 2, "exit status")
        s = self.ended(inst, term, "gapped")
        self.matches(inst.opseal("show", s["session"]).text, "state +gapped: the log could not be written", "show")
        rows = [x for x in r.json_lines(inst.opseal("export", s["session"], "--format", "json")) if x["type"] == "gap"]
        self.equal([(x["why"], x["bytes"]) for x in rows], [("off", s["bytes_lost"])], "gaps")
        self.check(s["bytes_lost"] > 5 * MB, "lost: %r" % s)
        self.verifies(inst)

    def test_restart(self):
        """The counts begin at zero; sessions go on."""
        inst = self.instance(config="screen_day = 2M\n")
        term = self.noise(inst, 6 * MB)
        term.expect("all shown", 60)
        self.is_limited(inst)
        inst.stop()
        inst.start()
        self.nobody_limited(inst)
        t.wait_for("the gap", lambda: self.session(inst, term)["bytes_lost"])
        term.line("")
        term.expect("after")
        # The session's user is known from the log now.
        more = self.noise(inst, 6 * MB, "exit 5")
        self.gaps(inst, more)
        self.is_limited(inst)
        term.line("")
        self.gaps(inst, term)
        self.verifies(inst)

    def test_windows(self):
        """A terminal whose size changes without end can't fill the disk either."""
        inst = self.instance(config="screen_day = 100K\n")
        user = t.person()
        term = self.record_pty(inst, ["sh", "-c", "yes | head -c 400000; echo all shown; read x; exit 5"],
                               user=user, preexec=self.login(user))
        term.expect("all shown", 60)
        self.is_limited(inst)
        used = self.is_limited(inst)["used"]
        for i in range(2000):
            term.resize(24, 80 + i % 50)
        term.resize(30, 99)
        time.sleep(0.5)
        self.check(self.is_limited(inst)["used"] <= used, "what was counted meanwhile")
        term.line("")
        s, gaps = self.gaps(inst, term)
        rows = [(x["cols"], x["rows"]) for x in r.json_lines(
            inst.opseal("export", s["session"], "--format", "json")) if x["type"] == "resize"]
        self.check(rows[-1] == (99, 30) and len(rows) < 20, "sizes: %r" % rows)

    def test_default(self):
        """With no setting at all one user, who prints what can't be compressed, leaves room for
        the others' screens."""
        inst = self.small("size=120m")
        term = self.noise(inst, 150 * MB)
        term.expect("all shown", 120)
        self.equal(self.is_limited(inst)["limit"], "screen_day", "limit")
        s = r.json_lines(self.exits(inst.opseal("status", "--json"), 0))[0]
        self.equal(s["state"], "ok", "state")
        self.check(s["space_free"] > 50 * MB, "free: %d" % s["space_free"])
        other = self.noise(inst, 4 * MB, "exit 7", n=1)
        self.exact(inst, other, 7)
        term.line("")
        term.expect("after")
        term.line("")
        self.gaps(inst, term)
        self.verifies(inst)

    def test_notify(self):
        """One finding a user and hour, however often he comes back."""
        out = self.write("out", "")
        os.chmod(out, 0o666)
        tell = self.write("tell", "#!/bin/sh\ncat >>%s\n" % out)
        os.chmod(tell, 0o755)
        inst = self.instance(config="screen_day = 1M\nnotify = %s\n" % tell)
        for n in (0, 0, 1):
            self.noise(inst, 6 * MB, "exit 5", n).wait(60)
            self.is_limited(inst, n)
            self.reload(inst, "screen_day = 0\nnotify = %s\n" % tell)
            self.nobody_limited(inst)
            self.reload(inst, "screen_day = 1M\nnotify = %s\n" % tell)
            t.wait_for("the settings", lambda: r.json_lines(
                inst.opseal("status", "--json"))[0]["screen_day"] == MB)

        def told():
            with open(out) as f:
                return [json.loads(line) for line in f.read().splitlines()]
        rows = t.wait_for("two findings", lambda: told() if len(told()) >= 2 else None)
        time.sleep(0.5)
        rows = told()
        self.equal([x["kind"] for x in rows], ["limit", "limit"], "findings: %r" % rows)
        for n, row in enumerate(rows):
            self.matches(row["detail"], r"^user %d has reached screen_day: more than %d bytes" % (
                t.person(n).pw_uid, MB), "detail")
            self.check(row["count"] >= MB, "count: %r" % row)


t.main()
