#!/usr/bin/python3
# opseal status --metrics, read by a strict reader; and that the reader is strict.
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import openmetrics
import opsealtest as t

GOOD = "# TYPE a_seconds gauge\n# UNIT a_seconds seconds\n# HELP a_seconds text\na_seconds 1.5\n"
WRONG = [
    GOOD,  # no end
    GOOD + "# EOF",
    GOOD + "# EOF\n\n",
    GOOD + "\n# EOF\n",
    "a 1\n# EOF\n",
    "# TYPE a gauge\n# EOF\n",
    "# TYPE a gauge\na one\n# EOF\n",
    "# TYPE a gauge\na 1\na 2\n# EOF\n",
    "# TYPE a gauge\na{x=1} 1\n# EOF\n",
    "# TYPE a gauge\na{x=\"1\",} 1\n# EOF\n",
    "# TYPE a gauge\na{x=\"1\",x=\"2\"} 1\n# EOF\n",
    "# TYPE a counter\na 1\n# EOF\n",
    "# TYPE a counter\na_created 1\n# EOF\n",
    "# TYPE a counter\na_total -1\n# EOF\n",
    "# TYPE a gauge\n# TYPE a gauge\na 1\n# EOF\n",
    "# TYPE a gauge\na 1\n# HELP a late\n# EOF\n",
    "# TYPE a gauge\n# UNIT a seconds\na 1\n# EOF\n",
    "# TYPE a nothing\na 1\n# EOF\n",
    "# TYPE a gauge\na 1\n# TYPE b gauge\nb 1\n# HELP a again\n# EOF\n",
    "# TYPE a gauge\n# TYPE b gauge\na 1\nb 1\n# EOF\n",
    "#TYPE a gauge\na 1\n# EOF\n",
]


class Metrics(t.Test):
    def read(self, inst):
        return openmetrics.parse(self.exits(inst.opseal("status", "--metrics"), 0).text)

    def value(self, families, name):
        return families[name].samples[name, ()]

    def test_reader_is_strict(self):
        openmetrics.parse(GOOD + "# EOF\n")
        for text in WRONG:
            try:
                openmetrics.parse(text)
            except AssertionError:
                continue
            self.fail("accepted: %r" % text)

    def test_names(self):
        inst = self.instance()
        families = self.read(inst)
        for name, family in families.items():
            self.check(name.startswith("opseal_"), name)
            self.check(family.help, name + " has no help")
            if name.endswith(("_seconds", "_bytes", "_days")):
                self.equal(family.unit, name.rpartition("_")[2], "unit of " + name)
        for name in ("recording capturing sessions records lost_bytes lost_programs lag_seconds "
                     "space_free_bytes config_refused sealed_leaves build").split():
            self.check("opseal_" + name in families, "no " + name)
        # A store of today: how long the disk lasts is not known, and it is in no place else.
        for name in ("space_left_days", "growth_per_day_bytes", "anchor_age_seconds"):
            self.check("opseal_" + name not in families, name + " is known")

    def test_values(self):
        inst = self.instance()
        before = self.read(inst)
        self.equal(self.value(before, "opseal_recording"), 1)
        term = self.record_pty(inst, ["sh", "-c", "echo here; read x"])
        term.expect("here")
        during = self.read(inst)
        self.equal(self.value(during, "opseal_sessions"), 1)
        term.line("")
        term.wait()
        after = self.read(inst)
        self.equal(self.value(after, "opseal_sessions"), 0)
        total = [f["opseal_records"].samples["opseal_records_total", ()] for f in (before, after)]
        self.check(total[1] > total[0], "records: %r" % total)
        started = self.value(after, "opseal_start_time_seconds")
        self.check(abs(time.time() - started) < 600, "started %r" % started)

    def test_days_left(self):
        """By the sizes of whole days; of a store that its caller may read."""
        inst = self.instance()
        sizes = {1: 3000, 2: 1000, 4: 4000, 12: 10 ** 9}
        for days, size in sizes.items():
            day = time.strftime("%Y-%m-%d", time.gmtime(time.time() - days * 86400))
            folder = os.path.join(inst.store, "data", "screen", day)
            os.makedirs(folder)
            with open(os.path.join(folder, "x.seg"), "wb") as f:
                f.truncate(size)
        families = self.read(inst)
        self.equal(self.value(families, "opseal_growth_per_day_bytes"), 2000)
        free = self.value(families, "opseal_space_free_bytes")
        left = self.value(families, "opseal_space_left_days")
        self.check(abs(left - free / 2000) <= max(1, left / 100), "%r days of %r" % (left, free))

    def test_anchor_age(self):
        path = self.path("anchors")
        open(path, "w").close()
        os.chmod(path, 0o666)
        os.chmod(self.path(), 0o755)
        inst = self.instance(config="anchor_interval = 100ms\nanchor_syslog = off\nanchor_file = %s\n" % path)
        self.record_pty(inst, ["true"]).wait()
        t.wait_for("an anchor", lambda: "opseal_anchor_age_seconds" in self.read(inst),
                   about=lambda: inst.log())
        age = self.value(self.read(inst), "opseal_anchor_age_seconds")
        self.check(0 <= age < 60, "age %r" % age)

    def test_usage(self):
        inst = self.instance()
        for other in ("--json", "--coverage"):
            result = self.exits(inst.opseal("status", "--metrics", other), 2)
            self.contains(self.one_line(result), "--metrics")


if __name__ == "__main__":
    t.main()
