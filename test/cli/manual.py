#!/usr/bin/python3
# Help and the manual: each knows every command and option.
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import opsealtest as t

MAN = os.path.join(t.SOURCE, "doc/man")


# What is written by which files, and told in which sections of JSON NAMES.
JSON = (
    (("programs_json.c", "transferred.c", "coverage.c", "unseen.c"),
     ("Of log, and of the programs of show", "Of status --coverage")),
    (("describe.c", "person.c", "said.c", "show.c", "tally.c"), ("Of ls", "Of show")),
    (("logins.c",), ("Of logins",)),
    (("status.c",), ("Of status",)),
    (("verdict.c",), ("Of doctor",)),
    (("verify.c",), ("Of verify",)),
    (("config.c",), ("Of config",)),
)


def json_keys(source):
    """The names that it writes: key("name"...) with the writer j in front, rows of a
    table, and members put by hand."""
    keys = set(re.findall(r'{ "([a-z0-9_]+)", ', source)) | set(re.findall(r'\\"(\w+)\\":', source))
    for function, one, two in re.findall(r'(\w+)\(\s*&?j,\s*"(\w+)"(?:,\s*"(\w+)")?', source):
        if function != "json_str":
            keys |= {one, two} - {""}
    return keys


def table():
    """The command table, as (commands, [(command or "-", option)])."""
    commands, options = [], []
    for line in t.run(["opseal", "__table"]).text.splitlines():
        words = line.split()
        if words[0] == "command":
            commands.append(words[1])
        else:
            options.append((words[1], words[2]))
    return commands, options


def page(name):
    with open(os.path.join(MAN, name)) as f:
        return f.read().replace("\\-", "-").replace("\\fB", "").replace("\\fP", "")


def summary(command):
    """Its line in the help, as a page says it."""
    text = t.run(["opseal", command, "--help"]).text.splitlines()[1].rstrip(".")
    return text[0].lower() + text[1:]


class Manual(t.Test):
    def test_table_is_there(self):
        commands, options = table()
        for name in "record ls show play cat export verify checkpoint status".split():
            self.check(name in commands, "no command " + name)
        self.check(len(options) > 20, "few options")

    def test_every_command_has_help(self):
        commands, options = table()
        whole = self.exits(t.run(["opseal", "--help"]), 0).text
        for name in commands:
            self.matches(whole, r"^  %s " % name, "--help")
            text = self.exits(t.run(["opseal", name, "--help"]), 0).text
            self.matches(text, r"^usage: opseal %s\b" % name, name)
            self.equal(t.run(["opseal", "help", name]).text, text, "help " + name)
            for of, option in options:
                if of in ("-", name):
                    self.matches(text, r"--%s\b" % option, "help of " + name)

    def test_help_fits_a_terminal(self):
        commands, _ = table()
        for argv in [["--help"]] + [[c, "--help"] for c in commands]:
            for line in t.run(["opseal"] + argv).text.splitlines():
                self.check(len(line) <= 100, "%s: %d columns" % (line, len(line)))

    def test_help_says_more(self):
        """How a session is named, where one is; the keys; the exit status."""
        commands, _ = table()
        for name in commands:
            text = self.exits(t.run(["opseal", name, "--help"]), 0).text
            self.contains(text, "\nExit status: ", name)
            takes = re.search(r"(?m)^usage: .*SESSION", text) is not None
            self.equal("\nSESSION is the beginning of an id, last, last:USER" in text, takes, name)
            self.equal("\n@TIME is a moment in it" in text, "@TIME" in text.splitlines()[0], name)
        keys = t.run(["opseal", "play", "--help"]).text.split("\nKeys:\n")[1].split("\n\n")[0]
        with open(os.path.join(t.SOURCE, "cli/player.c")) as f:
            known = set(re.findall(r"case '(.)':", f.read()))
        told = set(re.findall(r"(?m)^  (\S+)", keys)) | set(re.findall(r" or (\S)", keys))
        self.equal(told, {k.replace(" ", "space") for k in known if not k.isupper()}, "keys")

    def test_help_groups_commands(self):
        text = t.run(["opseal", "--help"]).text
        at = [text.index("\n%s:\n" % g) for g in ("See", "Prove", "Run")]
        self.equal(at, sorted(at), "groups")

    def test_every_command_has_a_page(self):
        """With its options and no others; and opseal(1) names it, and those of all commands."""
        commands, options = table()
        overview = page("opseal.1")
        for name in commands:
            self.matches(overview, r"(?m)^\.BR opseal-%s \(1\)\n%s$" % (name, re.escape(summary(name))),
                         "opseal.1")
            text = page("opseal-%s.1" % name)
            self.matches(text, r"(?m)^\.TH OPSEAL-%s 1 " % name.upper(), name)
            self.matches(text, r"(?m)^opseal-%s \\?- %s$" % (name, re.escape(summary(name))), "NAME")
            self.matches(text, r"\.SH SYNOPSIS\n\.B opseal %s\n" % name, "SYNOPSIS")
            usage = t.run(["opseal", name, "--help"]).text.splitlines()[0]
            synopsis = text.split("\n.SH SYNOPSIS\n")[1].split("\n.SH ")[0]
            words = re.sub(r"\\f.|^\.\w+ ", "", synopsis, flags=re.M)
            self.equal(re.findall(r"[A-Z]+", words), re.findall(r"[A-Z]+", usage), "SYNOPSIS of " + name)
            defined = set()
            for line in re.findall(r"(?m)^\.TP\n(.*)$", text):
                defined |= set(re.findall(r"--([a-z][a-z-]+)", line))
            self.equal(sorted(defined), sorted(o for c, o in options if c == name), "options of " + name)
        for of, option in options:
            if of == "-":
                self.contains(overview, "--" + option, "opseal.1")
        pages = {n[len("opseal-"):-2] for n in os.listdir(MAN) if re.match(r"opseal-\w+\.1$", n)}
        self.equal(sorted(pages), sorted(commands), "pages of commands")

    def test_pages_that_are_named(self):
        there = set()
        for name in os.listdir(MAN):
            for other in re.search(r"\.SH NAME\n(.*?) \\?- ", page(name))[1].split(", "):
                there.add((other, name[-1]))
        for name in os.listdir(MAN):
            for other, section in re.findall(r"(?m)^\.BR (opseal[a-z.-]*) \((\d)\)", page(name)):
                self.check((other, section) in there, "%s names %s(%s)" % (name, other, section))

    def test_format(self):
        """opseal-format(5) says nothing that doc/format.md doesn't."""
        with open(os.path.join(t.SOURCE, "doc/format.md")) as f:
            told = f.read()
        text = page("opseal-format.5")
        self.equal(re.search(r"format has version (\d+)", text)[1],
                   re.search(r"This is format version (\d+)", told)[1], "version")
        for magic in re.findall(r"OPS[A-Z]+\d+", told):
            if magic in ("OPSFRM01", "OPSSEG01"):
                self.contains(text, magic, "magic")
        for first in ("50 2A 4D 18", "51 2A 4D 18"):
            self.contains(text, first, "first bytes")
            self.contains(told, "0x" + "".join(reversed(first.split())), "the same in format.md")
        files = re.sub(r"\\f.", "", text).split("\n.SH FILES\n")[1].split("\n.TE")[0]
        for path in re.findall(r"(?m)^  (\S+?)/", told.split("## 2. Files")[1].split("## 3.")[0]):
            self.matches(files, r"(?m)^%s/" % path, "files")

    def test_json_names(self):
        """What can be written stands in a table of the manual, and nothing else does."""
        told, section, inside = {}, None, False
        for line in page("opseal.1").split("\n.SH JSON NAMES\n")[1].split("\n.SH ")[0].splitlines():
            if line.startswith(".SS "):
                section = told.setdefault(line[4:], set())
            elif line in (".TS", ".TE"):
                inside = line == ".TS"
            elif inside and re.match(r"[a-z0-9_]+(, [a-z0-9_]+)*\|", line):
                section.update(line.split("|")[0].split(", "))
        asked = set()
        for files, sections in JSON:
            written = set()
            for name in files:
                with open(os.path.join(t.SOURCE, "cli", name)) as f:
                    written |= json_keys(f.read())
            self.check(len(written) >= 4, "few keys in " + " ".join(files))
            here = set().union(*(told[s] for s in sections))
            self.equal(sorted(written - here), [], "not in the manual, but in " + " ".join(files))
            self.equal(sorted(here - written), [], "in the manual, but not in " + " ".join(files))
            asked.update(sections)
        self.equal(sorted(told), sorted(asked), "sections")
        # Nobody else writes any, but for other people's formats.
        known = {name for files, _ in JSON for name in files} | {"asciicast.c"}
        for name in sorted(os.listdir(os.path.join(t.SOURCE, "cli"))):
            if name.endswith(".c") and name not in known:
                with open(os.path.join(t.SOURCE, "cli", name)) as f:
                    self.check("json_key(" not in f.read(), name + " writes JSON")

    def test_manual_names_no_other_option(self):
        _, options = table()
        known = {o for _, o in options}
        for name in os.listdir(MAN):
            if name.endswith(".1"):
                for option in re.findall(r"--([a-z][a-z-]+)", page(name)):
                    self.check(option in known, "%s: --%s is no option" % (name, option))

    def test_pages_of_the_programs(self):
        for name, program in (("opseald.8", "opseald"), ("opseal-door.8", "opseal-door")):
            text = page(name)
            result = self.exits(t.run([program, "--help"]), 0)
            for named, section in re.findall(r"([a-z.-]+)\((\d)\)", result.text):
                self.check(os.path.exists("%s/%s.%s" % (MAN, named, section)), "%s(%s)" % (named, section))
                if "ettings: %s" % named in result.text:
                    self.contains(page("%s.%s" % (named, section)), "hold_time", "its settings")
            for option in set(re.findall(r"--([a-z][a-z-]+)", result.text)):
                self.contains(text, "--" + option, name)

    def test_messages(self):
        """Each MESSAGE_ID is in opseald(8), and no other is."""
        found = set()
        for name in ("logline.c", "anchor.c"):
            with open(os.path.join(t.SOURCE, "daemon", name)) as f:
                found |= set(re.findall(r'"([0-9a-f]{32})"', f.read()))
        self.check(len(found) >= 12, "few ids")
        told = re.findall(r"(?m)^([0-9a-f]{32})\|", page("opseald.8"))
        self.equal(sorted(told), sorted(found), "MESSAGE_IDs")

    def test_settings(self):
        with open(os.path.join(t.SOURCE, "lib/config/config.c")) as f:
            keys = re.findall(r'\{ NULL, "([a-z_]+)"', f.read())
        self.check(len(keys) >= 5, "no settings found")
        text = page("opseal.conf.5")
        for key in keys:
            self.contains(text, ".BR %s " % key, "opseal.conf.5")


t.main()
