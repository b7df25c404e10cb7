#!/usr/bin/python3
# opseal config: effective values, where they are from, all mistakes at once.
import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import opsealtest as t


class Config(t.Test):
    def write(self, name, text):
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as f:
            f.write(text)
        return path

    def config(self, *args):
        return t.run(["opseal", "config"] + list(args))

    def values(self, main):
        """{key: (value, where)} as the text says them."""
        rows = {}
        for line in self.exits(self.config(main), 0).text.splitlines():
            key, value, where = re.fullmatch(r"(\w+) = (.*?) +# (.+)", line).groups()
            rows[key] = (value, where)
        return rows

    def test_origins(self):
        main = self.write("c/x.conf", "# a comment\nhold_time = 1500ms\ninput = on\n")
        first = self.write("c/x.conf.d/10-a.conf", "input = off\n\nmask = no\n")
        second = self.write("c/x.conf.d/9-b.conf", "anchor_file = /srv/a b\n")
        rows = self.values(main)
        self.equal(rows["hold_time"], ("1500ms", main + ":2"))
        self.equal(rows["input"], ("no", first + ":1"))
        self.equal(rows["mask"], ("no", first + ":3"))
        self.equal(rows["anchor_file"], ("/srv/a b", second + ":1"))
        self.equal(rows["seal_after"], ("1s", "default"))
        with open(os.path.join(t.SOURCE, "lib/config/config.c")) as f:
            self.equal(list(rows), re.findall(r'\{ NULL, "([a-z_]+)"', f.read()), "all keys, in order")

    def test_output_is_a_configuration(self):
        main = self.write("x.conf", "hold_time = 90s\nanchor_file = \"/a#b\"\nenvironment = A, B\n")
        text = self.exits(self.config(main), 0).text
        again = self.write("again.conf", text)
        self.equal({k: v for k, (v, _) in self.values(again).items()},
                   {k: v for k, (v, _) in self.values(main).items()}, "values")

    def test_shipped_file_says_the_defaults(self):
        """What stands behind a # in etc/opseal.conf is the default."""
        defaults = self.values(self.write("empty.conf", ""))
        with open(os.path.join(t.SOURCE, "etc/opseal.conf")) as f:
            lines = re.findall(r"(?m)^#(\w+ = .*)$", f.read())
        examples = ("break_glass", "mask_rules", "environment", "anchor_file", "notify")
        shipped = self.write("x.conf", "".join(line + "\n" for line in lines))
        for key, (value, where) in self.values(shipped).items():
            if where != "default" and key not in examples:
                self.equal(value, defaults[key][0], key)
        self.check(len(lines) > 8, "few lines")

    def test_all_mistakes(self):
        main = self.write("x.conf", "hold_tme = 3s\ninput = perhaps\nmask = no\n")
        drop = self.write("x.conf.d/a.conf", "\nanchor_file = here\n")
        for args in ([main], ["--check", main], ["--json", main]):
            result = self.exits(self.config(*args), 2)
            self.equal(result.text, "", "stdout")
            self.equal(result.errtext.splitlines(), [
                "opseal config: %s:1: unknown key \"hold_tme\", did you mean \"hold_time\"?" % main,
                "opseal config: %s:2: input: \"perhaps\" is neither yes nor no" % main,
                "opseal config: %s:2: anchor_file: here is no absolute path" % drop,
            ])

    def test_check(self):
        main = self.write("x.conf", "hold_time = 3s\n")
        self.equal(self.exits(self.config("--check", main), 0).text, "no mistake in 1 file\n")
        self.write("x.conf.d/a.conf", "")
        self.equal(self.exits(self.config("--check", main), 0).text, "no mistake in 2 files\n")
        self.contains(self.exits(self.config("--check", main + ".no"), 2).errtext, "x.conf.no")

    def test_json(self):
        main = self.write("x.conf", "hold_time = 1500ms\ninput = on\nanchor_syslog = off\n"
                          "on_log_failure = refuse\n")
        rows = {}
        for line in self.exits(self.config("--json", main), 0).text.splitlines():
            row = json.loads(line)
            self.equal(sorted(row), ["file", "key", "line", "value"], "names")
            rows[row["key"]] = row
        self.equal(rows["hold_time"], {"key": "hold_time", "value": 1.5, "file": main, "line": 1})
        self.equal(rows["input"]["value"], True)
        self.equal(rows["anchor_syslog"]["value"], "off")
        self.equal(rows["on_log_failure"]["value"], "refuse")
        self.equal(rows["mask"], {"key": "mask", "value": True, "file": None, "line": None})

    def test_hostile_text(self):
        """A configuration shown on a terminal: no control character of it comes through."""
        main = self.write("x.conf", "anchor_file = /a\u009b31m\n")
        result = self.config(main)
        self.check("\u009b" not in result.text, "a control character")


if __name__ == "__main__":
    t.main()
