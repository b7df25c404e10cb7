#!/usr/bin/python3
# SIGHUP: another configuration is taken over while sessions go on, or refused.
import glob
import json
import os
import re
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import captured
import opsealtest as t
import recorded


class Reload(recorded.Recorded):
    def reload(self, inst, text=None, want="taken over"):
        """SIGHUP, and what the daemon said to it."""
        before = len(inst.log())
        if text is not None:
            inst.write_config(text)
        inst.proc.send_signal(signal.SIGHUP)
        pattern = {"taken over": r"configuration: taken over, changed: (.*); sha256 ([0-9a-f]{64})\n",
                   "refused": r"configuration: not taken over; what was in force stays\n",
                   "nothing": r"configuration: read again, nothing changed\n"}[want]
        return t.wait_for("the daemon to say " + want,
                          lambda: re.search(pattern, inst.log()[before:]),
                          about=lambda: inst.log()[before:])

    def status(self, inst):
        return json.loads(self.exits(inst.opseal("status", "--json"), 0).text)

    def until(self, inst, name, value):
        """Status says so: the writer looks a moment after the supervisor."""
        t.wait_for("%s to be %r" % (name, value), lambda: self.status(inst)[name] == value,
                   about=lambda: self.status(inst))

    def test_what_changes_is_named(self):
        inst = self.instance()
        first = self.status(inst)
        self.equal(first["config_fault"], None, "fault")
        said = self.reload(inst, "hold_time = 1s\nseal_after = 2s\n")
        self.equal(said[1], "hold_time seal_after", "changed")
        self.until(inst, "config_hash", said[2])
        self.check(said[2] != first["config_hash"], "the same hash")
        self.check(self.status(inst)["config_read"] > first["config_read"], "time of reading")
        self.reload(inst, want="nothing")
        # A drop-in counts as well, and what is taken back is as it was.
        os.mkdir(inst.config_path + ".d")
        with open(inst.config_path + ".d/a.conf", "w") as f:
            f.write("hold_time = 3s\nseal_after = 1s\n")
        self.reload(inst)
        self.until(inst, "config_hash", first["config_hash"])

    def test_settings_are_in_the_log(self):
        """Each configuration that was in force, by its hash."""
        inst = self.instance()
        hashes = [self.status(inst)["config_hash"]]
        hashes.append(self.reload(inst, "input = on\n")[2])
        self.until(inst, "config_hash", hashes[1])
        self.equal(inst.stop(), 0, "stop")
        data = b"".join(t.run(["zstd", "-dcq", path]).out for path in
                        glob.glob(os.path.join(inst.store, "data/events/*/*.seg")))
        for text in ("sha256 %s" % hashes[0], "sha256 %s changed input" % hashes[1]):
            self.equal(data.count(text.encode()), 1, "times that the log says " + text)
        self.exits(inst.offline("verify"), 0)

    def test_mistakes_change_nothing(self):
        inst = self.instance(config="hold_time = 2s\n")
        good = self.status(inst)
        before = len(inst.log())
        self.reload(inst, "hold_time = 1s\ninptu = on\nmask = perhaps\n", want="refused")
        self.contains(inst.log()[before:], "configuration: %s:2: unknown key \"inptu\", did you mean"
                      " \"input\"?\n" % inst.config_path)
        self.contains(inst.log()[before:], "configuration: %s:3: mask:" % inst.config_path)
        t.wait_for("status to tell", lambda: self.status(inst)["config_fault"])
        bad = self.status(inst)
        self.contains(bad["config_fault"], "%s:2: unknown key" % inst.config_path)
        self.equal(bad["config_hash"], good["config_hash"], "hash")
        self.equal(bad["config_read"], good["config_read"], "time of reading")
        text = self.exits(inst.opseal("status"), 0).text
        self.matches(text, r"(?m)^ +NOT in force since .*:2: unknown key")
        self.reload(inst, "hold_time = 2s\n", want="nothing")
        self.until(inst, "config_fault", None)

    def test_rules_of_retention(self):
        """In force at once; a drop-in that contradicts the main file is at fault."""
        inst = self.instance()
        self.equal(self.status(inst)["keep_screens"], 0, "keep_screens")
        said = self.reload(inst, "keep_screens = 90d\nkeep_events = 400d\nkeep_free = 1G\n")
        self.equal(said[1], "keep_screens keep_events keep_free", "changed")
        self.until(inst, "keep_screens", 90 * 86400)
        self.until(inst, "keep_events", 400 * 86400)
        self.until(inst, "keep_free", 1 << 30)
        os.mkdir(inst.config_path + ".d")
        with open(inst.config_path + ".d/a.conf", "w") as f:
            f.write("\nkeep_events = 30d\n")
        before = len(inst.log())
        self.reload(inst, want="refused")
        self.contains(inst.log()[before:], "configuration: %s.d/a.conf:2: keep_events is shorter than"
                      " keep_screens" % inst.config_path)
        self.equal(self.status(inst)["keep_events"], 400 * 86400, "keep_events")

    def test_rules_that_cannot_be_read(self):
        inst = self.instance()
        rules = self.write("rules", b"include default\nnonsense\n")
        before = len(inst.log())
        self.reload(inst, "mask_rules = %s\n" % rules, want="refused")
        self.contains(inst.log()[before:], "mask_rules: %s" % rules)
        self.write("rules", b"include default\n")
        self.equal(self.reload(inst)[1], "mask_rules", "changed")

    def test_roles_live_on(self):
        inst = self.instance()
        names = "writer query session scan index".split()
        before = [inst.role(name) for name in names]
        self.reload(inst, "hold_time = 1s\ninput = on\non_log_failure = refuse\nanchor_file = %s\n"
                    % self.path("anchors"))
        self.reload(inst, "input = no\nmask = no\n")
        self.equal([inst.role(name) for name in names], before, "processes")

    def test_accounting_waits(self):
        inst = self.instance()
        self.reload(inst, "accounting = on\n", want="nothing")
        self.contains(inst.log(), "accounting: takes effect when opseald is started again")
        t.wait_for("status to tell", lambda: self.status(inst)["config_fault"])

    def test_new_sessions_get_the_new(self):
        """A recorder keeps what it was started with."""
        inst = self.instance()
        old = self.record_pty(inst, ["sh", "-c", "echo here; read line; echo done"])
        old.expect("here")
        self.reload(inst, "input = on\n")
        new = self.record_pty(inst, ["sh", "-c", "echo here; read line; echo done"])
        new.expect("here")
        got = []
        for term, text in ((old, "typed early"), (new, "typed late")):
            session = self.session(inst, term)["session"]
            term.line(text)
            self.equal(term.wait(), 0, "exit status")
            text = self.exits(inst.opseal("export", "--format", "json", session), 0).text
            got.append('"input"' in text)
        self.equal(got, [False, True], "input is kept")

    def test_anchors_change(self):
        inst = self.instance(config="anchor_syslog = off\nanchor_interval = 0\n")
        first, second = self.path("first"), self.path("second")
        for path in (first, second):
            open(path, "w").close()
            os.chmod(path, 0o666)
            os.chmod(os.path.dirname(path), 0o755)
            self.reload(inst, "anchor_syslog = off\nanchor_interval = 100ms\nanchor_file = %s\n" % path)
            self.record_pty(inst, ["true"]).wait()
            t.wait_for("a line in " + path, lambda: os.path.getsize(path) > 0,
                       about=lambda: inst.log()[-2000:])
        self.check(self.status(inst)["anchored"], "no time of the anchor")

    def test_nothing_is_missing(self):
        """A session prints, others come and go, and the settings change all the time."""
        inst = self.instance(name="busy")
        script = "i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done; echo end"
        term = self.record_pty(inst, ["sh", "-c", script])
        term.expect("line 5")
        others = []
        for i in range(12):
            self.reload(inst, "input = %s\nseal_after = %dms\nhold_time = %ds\n" % (
                ("on", "off")[i % 2], 100 + i, 3 + i))
            other = self.record_pty(inst, ["echo", "other", str(i)])
            self.equal(other.wait(), 0, "exit status of another session")
            others.append((i, other))
        term.expect("end")
        session = self.session(inst, term)["session"]
        self.equal(term.wait(), 0, "exit status")
        text = self.exits(inst.opseal("cat", session), 0).text.splitlines()
        self.equal(text, ["line %d" % i for i in range(3000)] + ["end"], "what was on the screen")
        rows = recorded.json_lines(inst.opseal("ls", "--json"))
        self.equal(len(rows), 1 + len(others), "sessions")
        self.equal({row["status"] for row in rows}, {"closed"}, "how they ended")
        self.equal(self.status(inst)["lost"], 0, "bytes lost")
        self.equal(inst.stop(), 0, "stop")
        self.exits(inst.offline("verify"), 0)


class Capture(captured.Captured):
    reload = Reload.reload
    status = Reload.status

    def test_capture_goes_on(self):
        """Unless a setting of its own changed it isn't started again, and then at once."""
        inst = self.own()
        pid = inst.role("capture")
        for i in range(5):
            self.reload(inst, "hold_time = %ds\ninput = on\n" % (i + 1))
            self.exits(t.run(["/bin/true", "reload-%d" % i]), 0)
        self.equal(inst.role("capture"), pid, "process")
        rules = self.write("rules", b"include default\noption card-pin\n")
        os.chmod(os.path.dirname(rules), 0o755)
        self.equal(self.reload(inst, "hold_time = 5s\ninput = on\nmask_rules = %s\n" % rules)[1],
                   "mask_rules", "changed")
        t.wait_for("another capture", lambda: inst.role("capture") not in (None, pid))
        captured.wait_captured(inst)
        self.exits(t.run(["/bin/true", "--card-pin=1234", "reload-masked"]), 0)

        def runs():
            rows = captured.json_rows(inst.opseal("log", "--json", "true"))
            return [row["argv"][1:] for row in rows if any("reload-" in a for a in row.get("argv", ()))]
        t.wait_for("all programs", lambda: len(runs()) == 6, about=runs)
        self.equal(runs()[:5], [["reload-%d" % i] for i in range(5)], "programs")
        self.matches(runs()[5][0], r"^--card-pin=\[masked 4 [0-9a-f]{12}\]$")
        # The same file with other rules is another setting, too.
        pid = inst.role("capture")
        self.write("rules", b"include default\n")
        self.equal(self.reload(inst)[1], "mask_rules", "changed")
        t.wait_for("another capture", lambda: inst.role("capture") not in (None, pid))
        self.equal(re.findall(r"role capture:.*", inst.log()), [], "what it says of capture's end")
        captured.wait_captured(inst)
        self.check("died" not in inst.opseal("status").text, inst.opseal("status").text)


if __name__ == "__main__":
    t.main()
