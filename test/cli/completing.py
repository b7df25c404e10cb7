#!/usr/bin/python3
# Completion: what opseal offers for a word, and how bash, zsh and fish take it.
import os
import re
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import opsealtest as t

FILES = os.path.join(t.SOURCE, "etc/completions")
# What a name may hold, and no shell may take for more than a name.
NAMES = ["plain", "a b", "$(touch HIT)", "`touch HIT`", "x;touch HIT", "x&touch HIT", "it's",
         'a"b', "a\\b", "*", "~root", "!!", "a|touch HIT", "<HIT", ">HIT", "日本"]
# Stands in for opseal: offers each of NAMES, and keeps what it is run with.
FAKE = """#!/usr/bin/python3
import sys
if sys.argv[1] == "__complete":
    for name in %r:
        if name.startswith(sys.argv[-1]):
            print(name + "\\tof nobody")
else:
    with open("GOT", "a") as f:
        f.write(repr(sys.argv[1:]) + "\\n")
"""


def table():
    """(commands, {(command or "-", option): the words it can be})."""
    commands, options = [], {}
    for line in t.run(["opseal", "__table"]).text.splitlines():
        words = line.split()
        if words[0] == "command":
            commands.append(words[1])
        else:
            options[(words[1], words[2])] = words[3:]
    return commands, options


def words(result):
    return [line.split("\t")[0] for line in result.text.splitlines()]


class Offers(t.Test):
    """opseal __complete WORD... itself."""

    def offered(self, *argv, **options):
        result = self.exits(t.run(["opseal", "__complete"] + list(argv), **options), 0, argv)
        self.equal(result.err, b"", "stderr of %r" % (argv,))
        for line in result.text.splitlines():
            self.equal(line.count("\t"), 1, "tabs in %r" % line)
        return words(result)

    def in_time(self, want, *argv, what="", **options):
        """Sessions and users, which a busy machine may not tell within 0.15 s."""
        got = []

        def told():
            got[:] = self.offered(*argv, **options)
            return got == want
        t.wait_for("%s: %r" % (what, want), told, about=lambda: "the last was %r" % got)

    def test_commands(self):
        commands, _ = table()
        self.equal(sorted(self.offered("")), sorted(commands + ["help"]), "all")
        self.equal(self.offered("pl"), ["play"], "begun")
        self.equal(sorted(self.offered("help", "")), sorted(commands), "behind help")
        self.equal(self.offered("help", "ls", ""), [], "behind help ls")
        self.equal(self.offered("nosuch", ""), [], "behind no command")

    def test_every_option_of_every_command(self):
        commands, options = table()
        everywhere = ["--" + o for c, o in options if c == "-"]
        self.equal(self.offered("-"), everywhere, "of opseal")
        for name in commands:
            own = ["--" + o for c, o in options if c == name]
            self.equal(self.offered(name, "--"), own + everywhere, name)
            for option in own:
                self.check(option in self.offered(name, option[:-1]), name + " " + option)

    def test_values(self):
        _, options = table()
        listed = {key: w for key, w in options.items() if w}
        for key in (("export", "format"), ("log", "source"), ("ls", "source")):
            self.check(key in listed, "%r has no words" % (key,))
        for (command, option), values in listed.items():
            self.equal(self.offered(command, "--" + option, ""), values, option)
            self.equal(self.offered(command, "--%s=" % option),
                       ["--%s=%s" % (option, v) for v in values], option + "=")
            for value in values:
                result = t.run(["opseal", "--store", "/none", command, "--" + option, value, "x"])
                self.check(b"--" + option.encode() + b" " not in result.err
                           and b"unknown" not in result.err, "%s %s: %r" % (option, value, result))
        self.equal(self.offered("export", "-f", "ra"), ["raw"], "after a letter")
        self.equal(self.offered("export", "--form", "ra"), ["raw"], "after an option cut short")
        self.equal(self.offered("play", "--max-idle", ""), [], "a duration")
        self.equal(self.offered("log", "--since", "y"), ["yesterday"], "a time")

    def test_what_the_shell_knows(self):
        for argv, what in ((("--store", ""), "folders"), (("export", "-o", ""), "files"),
                           (("import", "acct", ""), "files"), (("record", ""), "programs"),
                           (("record", "--", ""), "programs"), (("record", "ls", "-"), "files"),
                           (("setup", "--user", ""), "users"), (("setup", "-g", ""), "groups"),
                           (("log", ""), "programs"), (("verify", "--against=/x"), "files")):
            result = self.exits(t.run(["opseal", "__complete"] + list(argv)), 0)
            self.equal(result.text, "\t%s\n" % what, " ".join(argv))
        self.equal(self.offered("import", ""), ["typescript", "acct"], "kinds")
        self.equal(self.offered("ls", ""), [], "no argument")
        self.equal(self.offered("show", "last", ""), [], "one argument too many")

    def test_sessions_and_users(self):
        inst = self.instance()
        for _ in range(3):
            self.record_pty(inst, ["true"]).wait()
        ids = [l.split('"session":"')[1][:16] for l in
               self.exits(inst.opseal("ls", "--json", "--reverse"), 0).text.splitlines()]
        me = re.search(r'"user":"([^"]*)"', inst.opseal("ls", "--json").text)[1]
        for place in (["--run", inst.run_dir], ["--store", inst.store]):
            self.in_time(["last"] + ids, *place, "show", "", what="newest first")
            self.in_time(["--session=" + ids[0]], *place, "log", "--session=" + ids[0][:15])
            self.in_time(["last:" + me], *place, "cat", "last:", what="users behind last:")
            self.in_time([me], *place, "ls", "-u", "", what="users")
            self.in_time([], *place, "ls", "--person", "", what="persons, who are not known here")
            self.in_time([ids[1]], *place, "verify", ids[1], what="a whole id")
        line = ""

        def told():
            nonlocal line
            line = t.run(["opseal", "__complete", "--run", inst.run_dir, "show", ids[0]]).text
            return line != ""
        t.wait_for("a description", told)
        self.matches(line, r"^%s\t%s, \d{4}-\d\d-\d\d " % (ids[0], re.escape(me)), "description")

    def test_only_what_one_may_see(self):
        user = t.person(0)
        inst = self.instance()
        self.record_pty(inst, ["true"]).wait()
        self.record_pty(inst, ["true"], user=user).wait()
        own = t.run(["opseal", "--run", inst.run_dir, "ls", "--json"], user=user).text
        own = re.findall(r'"session":"(\w+)"', own)
        self.equal(len(own), 1, "own sessions")
        self.in_time(["last"] + own, "--run", inst.run_dir, "show", "", user=user, what="of two")
        self.equal(self.offered("--store", inst.store, "show", "", user=user), ["last"],
                   "of a store that may not be read")

    def test_hidden_names_are_left_out(self):
        """A user's name comes from the passwd of the host that recorded."""
        t.need_root("root: a passwd of its own for the daemon")
        user = t.person(0)
        for name, offered in (("a b$(touch HIT)", True), ("a\tb", False), ("x\x1b[2Jy", False),
                              ("a\u202eb", False)):
            passwd = self.write("passwd", (
                "root:x:0:0::/root:/bin/sh\nopseal:x:%d:%d::/:/bin/sh\n%s:x:%d:%d::/:/bin/sh\n" % (
                    *opseal_ids(), name, user.pw_uid, user.pw_gid)).encode())
            os.chmod(passwd, 0o644)
            inst = self.instance(start=False, name="of%d" % len(name.encode()))
            plain = inst.daemon_argv()
            inst.daemon_argv = lambda: ["unshare", "-m", "sh", "-c",
                                        'mount --bind "$0" /etc/passwd && exec "$@"', passwd] + plain
            inst.start()
            self.record_pty(inst, ["true"], user=user).wait()
            self.equal(inst.opseal("ls", "--json").text.count('"session"'), 1, "sessions")
            t.wait_for("its session", lambda: len(self.offered("--run", inst.run_dir, "show", "")) == 2)
            self.in_time([name] if offered else [], "--run", inst.run_dir, "ls", "--user", "", what=repr(name))
            inst.stop()

    def test_silent_and_quick(self):
        inst = self.instance()
        self.record_pty(inst, ["true"]).wait()
        for pid in inst.pids():
            os.kill(pid, 19)
        began = time.monotonic()
        try:
            got = self.offered("--run", inst.run_dir, "show", "")
        finally:
            for pid in inst.pids():
                os.kill(pid, 18)
        self.equal(got, ["last"], "of a daemon that doesn't answer")
        self.check(time.monotonic() - began < t.PATIENCE / 4, "it waited")
        self.equal(self.offered("--run", "/none", "show", ""), ["last"], "of no daemon")
        self.equal(self.offered("--store", "/none", "ls", "-u", ""), [], "of no store")
        for argv in (["--nosuch", ""], ["ls", "--nosuch", ""], ["ls", "-", ""], ["-z"], ["--="], ["--"]):
            self.offered(*argv)
        self.equal(t.run(["opseal", "__complete"]).out, b"", "no word")

    def test_who_may_read_all_leaves_a_trace(self):
        """As with ls: to whom others' sessions are named, the log has it."""
        t.need_root("root, who may read all")
        inst = self.instance()
        self.record_pty(inst, ["true"]).wait()

        def traces():
            inst.restart()
            inst.stop()
            found = 0
            for path in inst.segments():
                text = self.exits(t.run(["sh", "-c", "tail -c +1 -- '%s' | zstd -dcf 2>/dev/null || :" % path]), 0)
                found += text.out.count(b"complete")
            inst.start()
            return found
        before = traces()
        self.offered("--run", inst.run_dir, "ls", "--")
        self.equal(traces(), before, "options name nobody")
        self.offered("--run", inst.run_dir, "show", "")
        self.check(traces() > before, "no access record")


def opseal_ids():
    import pwd
    try:
        entry = pwd.getpwnam("opseal")
    except KeyError:
        t.skip("needs the user opseal")
    return entry.pw_uid, entry.pw_gid


class Shells(t.Test):
    """What a person sees who presses Tab."""

    SHELLS = {
        "bash": (["bash", "--norc", "--noprofile", "-i"], "PS1='$ '; source %s/opseal" % FILES),
        "zsh": (["zsh", "-f", "-i"],
                "PS1='$ '; unsetopt beep; autoload -Uz compinit; compinit -u -D; "
                "autoload -Uz +X %s/_opseal; compdef _opseal opseal" % FILES),
        "fish": (["fish", "--no-config", "-i"],
                 "function fish_prompt; echo '$ '; end; source %s/opseal.fish" % FILES),
    }

    def shell(self, name, path):
        t.need_program(name)
        argv, setup = self.SHELLS[name]
        term = self.pty(argv, cols=200, cwd=self.dir, env={
            "PATH": path + ":" + os.environ["PATH"], "HOME": self.dir, "LC_ALL": "C.UTF-8",
            "XDG_CONFIG_HOME": self.dir, "XDG_DATA_HOME": self.dir})
        term.line(setup + "; echo re''ady")
        term.expect("ready")
        return term

    def arguments(self, name, typed):
        """Press Enter after it, with a stand-in that keeps its arguments."""
        fake = self.path("bin-" + name)
        os.makedirs(fake, exist_ok=True)
        with open(os.path.join(fake, "opseal"), "w") as f:
            f.write(FAKE % NAMES)
        os.chmod(os.path.join(fake, "opseal"), 0o755)
        term = self.shell(name, fake)
        for text in typed:
            got = self.path("GOT")
            before = os.path.getsize(got) if os.path.exists(got) else 0
            term.send("opseal show " + text + "\t")
            time.sleep(0.7)
            term.line("")
            t.wait_for("the stand-in after %r" % text,
                       lambda: os.path.exists(got) and os.path.getsize(got) > before,
                       about=lambda: repr(bytes(term.out[-600:])))
        term.close()
        with open(self.path("GOT")) as f:
            return f.read().splitlines()

    def hostile(self, shell):
        """One that alone begins so is put in; it stays one word, and runs nothing."""
        for name, typed in (("$(touch HIT)", "\\$"), ("x;touch HIT", "x\\;"), ("it's", "i"),
                            ("a b", "a\\ "), ("plain", "pl"), ("日本", "日")):
            got = self.arguments(shell, [typed])
            os.unlink(self.path("GOT"))
            self.equal(got, [repr(["show", name])], "%s: %s" % (shell, typed))
        self.check(not os.path.exists(self.path("HIT")), shell + " ran a name")

    def test_bash_takes_names_as_names(self):
        self.hostile("bash")

    def test_zsh_takes_names_as_names(self):
        self.hostile("zsh")

    def test_fish_takes_names_as_names(self):
        self.hostile("fish")

    def test_zsh_candidates(self):
        """What Tab makes of a line, where one thing alone fits."""
        term = self.shell("zsh", os.path.dirname(t.program("opseal")))
        for typed, becomes in (("expo", "export"), ("export --form", "export --format"),
                               ("export --format typ", "export --format typescript"),
                               ("export --format=typ", "export --format=typescript"),
                               ("--utc log --foll", "--utc log --follow")):
            term.send("opseal " + typed + "\t")
            time.sleep(0.7)
            # Made the arguments of another program.
            term.send("\x01echo '<' \x05 '>'\r")
            self.equal(term.expect("\n< opseal ([^>]*) >")[1].decode().strip(), becomes, typed)
        term.close()

    def bash(self, line, point=None, kind=9, breaks=None):
        """COMPREPLY for a line, as readline would call."""
        script = """
compopt() { :; }
%ssource %s/opseal
COMP_LINE=$1 COMP_POINT=${#1} COMP_TYPE=%d
%s
_opseal
printf '%%s\\n' "${COMPREPLY[@]}"
"""
        split = "COMP_WORDS=(); w=; s=$1; while [[ $s ]]; do case $s in [[:blank:]]*) " \
            "[[ $w ]] && COMP_WORDS+=(\"$w\"); w=; s=${s:1};; [:=]*) [[ $w ]] && COMP_WORDS+=(\"$w\"); " \
            "w=; COMP_WORDS+=(\"${s:0:1}\"); s=${s:1};; *) w+=${s:0:1}; s=${s:1};; esac; done; " \
            "[[ $w || $1 == *[[:blank:]] ]] && COMP_WORDS+=(\"$w\"); COMP_CWORD=$((${#COMP_WORDS[@]} - 1))"
        result = t.run(["bash", "--norc", "-c", script % (
            "COMP_WORDBREAKS=%s;" % breaks if breaks is not None else "", FILES, kind, split), "x", line],
            env={"PATH": os.path.dirname(t.program("opseal")) + ":" + os.environ["PATH"]})
        self.equal(result.err, b"", "stderr of bash")
        return result.text.split("\n")[:-1]

    def test_bash_every_option(self):
        commands, options = table()
        for name in commands:
            self.equal(self.bash("opseal %s --" % name),
                       ["--" + o for c, o in options if c == name]
                       + ["--" + o for c, o in options if c == "-"], name)

    def test_bash_words(self):
        for line, want in (("opseal expo", ["export"]), ("opseal help verif", ["verify"]),
                           ("  opseal   export  -f  ra", ["raw"]),
                           ("opseal export --format=ra", ["raw"]),
                           ("opseal export --format=", ["asciicast-v2", "asciicast-v3", "typescript",
                                                        "raw", "text", "json"]),
                           ("opseal --run /none show las", ["last"]),
                           ("opseal --run=/none show las", ["last"]),
                           ("opseal 'expo", ["export"]), ("opseal nosuch ", [""])):
            self.equal(self.bash(line), want, line)
        self.equal(self.bash("opseal export --format=ra", breaks="' '"), ["--format=raw"],
                   "= ends no word")
        self.equal(self.bash("opseal import ", kind=63), ["typescript", "acct"], "nothing to tell")
        self.equal(self.bash("opseal ver", kind=63), ["verify"], "one alone is put in")
        self.contains("\n".join(self.bash("opseal l", kind=63)), "ls  (List recorded sessions)", "told")

    def test_bash_files(self):
        os.mkdir(self.path("folder"))
        self.write("file", b"")
        place = self.path("f")
        self.equal(sorted(self.bash("opseal export last -o " + place)),
                   [self.path("file"), self.path("folder")], "files")
        self.equal(self.bash("opseal ls --store=" + place), [self.path("folder")], "folders")
        self.check("root" in self.bash("opseal setup --user=roo"), "users")
        self.check("daemon" in self.bash("opseal setup -g daem"), "groups")

    def test_fish_candidates(self):
        t.need_program("fish")

        def offered(line):
            got = self.exits(t.run(
                ["fish", "--no-config", "-c", "source %s/opseal.fish; complete -C $argv[1]" % FILES, line],
                env={"PATH": os.path.dirname(t.program("opseal")) + ":" + os.environ["PATH"],
                     "HOME": self.dir, "XDG_CONFIG_HOME": self.dir, "XDG_DATA_HOME": self.dir}), 0)
            return words(got)
        commands, options = table()
        self.equal(sorted(offered("opseal ")), sorted(commands + ["help"]), "commands")
        for name in commands:
            self.equal(sorted(offered("opseal %s --" % name)),
                       sorted("--" + o for c, o in options if c in (name, "-")), name)
        self.equal(sorted(offered("opseal export --format=a")),
                   ["--format=asciicast-v2", "--format=asciicast-v3"], "values")
        self.write("one", b"")
        self.equal(offered("opseal export last -o %s" % self.path("on")), [self.path("one")], "files")
        self.equal(offered("opseal export last --output=%s" % self.path("on")),
                   ["--output=" + self.path("one")], "files behind =")


t.main()
