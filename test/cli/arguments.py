#!/usr/bin/python3
# Wrong arguments: one clear line on stderr, exit 2, nothing changed.
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import opsealtest as t

# A row: arguments, and what the line must say.  STORE is a store with one session.
WRONG = [
    ([], "no command"),
    (["sho"], "did you mean show?"),
    (["verfy"], "did you mean verify?"),
    (["frobnicate"], "unknown command \"frobnicate\""),
    (["\033[2J"], "unknown command \"?[2J\""),
    (["help", "lss"], "did you mean ls?"),
    (["--stroe", "x", "ls"], "did you mean --store?"),
    (["--store"], "--store needs DIR"),
    (["--store", "/", "ls"], "--store is given twice"),
    (["ls", "--store", "/"], "--store is given twice"),
    (["ls", "--run", "/"], "--run is given twice"),
    (["ls", "--host", "here"], "unknown option --host"),
    (["ls", "--utx"], "did you mean --utc?"),
    (["ls", "--json=1"], "--json takes no argument"),
    (["ls", "extra"], "unexpected argument \"extra\""),
    (["ls", "-n", "0"], "no number above 0"),
    (["ls", "-n", "many"], "no number above 0"),
    (["ls", "--since", "whenever"], "--since"),
    (["ls", "-z"], "unknown option -z"),
    (["show"], "SESSION[:N][@TIME] is missing"),
    (["show", "a", "b"], "unexpected argument \"b\""),
    (["show", "zzzzzzzz"], "zzzzzzzz"),
    (["show", ""], "no name"),
    (["show", "last:nobody-of-this-name"], "nobody-of-this-name"),
    (["show", "last@later"], "\"later\" is no time"),
    (["play", "last@-3"], "\"-3\" is no time"),
    (["show", "nobody@later"], "no session nobody@later"),
    (["show", "last:nobody@example"], "no session last:nobody@example"),
    (["show", "pts/9999"], "pts/9999"),
    (["cat", "last:1"], "has no command 1, the last is 0"),
    (["show", "last:1"], "has no command 1, the last is 0"),
    (["play", "last:1"], "has no command 1, the last is 0"),
    (["show", "last@99:00"], "there is no 1:39:00 in it"),
    (["cat", "last@99:00"], "there is no 1:39:00 in it"),
    (["play", "last@99:00"], "there is no 1:39:00 in it"),
    (["cat", "last:7"], "has no command 7, the last is 0"),
    (["log", "--user", "no-such-user"], "no user no-such-user"),
    (["log", "--session", "nosuch"], "no session nosuch"),
    (["log", "--session", "abcdefghijklmnop"], "no session abcdefghijklmnop"),
    (["log", "--session", "aaaaaaaaaaaaaaaa"], "no session aaaaaaaaaaaaaaaa"),  # all zero
    (["log", "root", "pts/3", "ls"], "opseal log --user root --tty pts/3 ls"),
    (["ls", "--person", ""], "--person: it is empty"),
    (["log", "--exe", ""], "--exe: it is empty"),
    (["log", ""], "PROGRAM is empty"),
    (["log", "ls", "cp"], "one PROGRAM at a time, not ls and cp"),
    (["log", "root", "ls", "cp"], "one PROGRAM at a time, not ls and cp"),
    (["log", "root", "root"], "one --user at a time, not root and root"),
    (["log", "root", "/dev/pts/3", "/nonexistent/curl"],
     "opseal log --user root --tty /dev/pts/3 --exe /nonexistent/curl"),
    (["log", "/nonexistent/curl"], "opseal log --exe /nonexistent/curl"),
    (["log", "--follow", "bin/curl"], "opseal log --exe bin/curl"),
    (["log", "--session", "last:4"], "opseal show last:4 tells all of that command"),
    (["log", "-s", "last@0:00"], "opseal show last@0:00 tells what happened from there on"),
    (["log", "-f", "-s", "last:4@1"], "opseal show last:4@1 tells what happened from there on"),
    (["log", "--since", "2026-01-02 10:00", "--until", "2026-01-02 09:00"],
     "--since 2026-01-02 10:00:00 is later than --until 2026-01-02 09:00:00"),
    (["ls", "-S", "2026-01-02", "-U", "2026-01-01"],
     "--since 2026-01-02 00:00:00 is later than --until 2026-01-01 00:00:00"),
    (["log", "--tree", "--json"], "--tree is a picture"),
    (["log", "--tree", "-r"], "--tree is a picture"),
    (["cat", "last@1:2:3:4"], "last@1:2:3:4"),
    (["play", "last", "--speed", "fast"], "--speed"),
    (["play", "last", "--max-idle", "long"], "--max-idle"),
    (["play", "last", "--json"], "unknown option --json"),
    (["export", "last"], "which format?"),
    (["export", "last", "--format", "gif"], "unknown format \"gif\""),
    (["export", "last", "--format", "asciicast-v1"], "did you mean asciicast-v2?"),
    (["export", "last@1:00", "--format", "raw"], "whole sessions"),
    (["export", "last", "-f", "raw", "--timing", "x"], "typescript format only"),
    (["export", "last", "-f", "typescript", "--timing-format", "classic"], "needs --timing"),
    (["export", "last", "-f", "typescript", "-t", "T", "--timing-format", "new"], "classic or advanced"),
    (["export", "last", "-f", "typescript", "-t", "S", "-o", "S"], "same file"),
    (["export", "last", "-f", "raw", "-o", "/nonexistent/file"], "/nonexistent/file"),
    (["verify", "zzzzzzzz"], "zzzzzzzz"),
    (["verify", "--against", "/nonexistent"], "/nonexistent"),
    (["verify", "--against", "/dev/null"], "no checkpoint"),
    (["checkpoint", "--vkey", "--anchor"], "not both"),
    (["status"], "--store names a store to read, but this asks a daemon"),
    (["record", "true"], "--store names a store to read, but this asks a daemon"),
]


def snapshot(folder):
    found = {}
    for where, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(where, name)
            with open(path, "rb") as f:
                found[path] = f.read()
    return found

# The same of commands that read no store.
WRONG_ALONE = [
    (["setup", "--user", ""], "--user: it is empty"),
    (["setup", "--door", "back"], "\"back\" is no kind of door"),
    (["setup", "--yes", "--check"], "only one of them"),
    (["setup", "--print", "zsh"], "none of profile and ssm"),
    (["setup", "alice"], "unexpected argument \"alice\""),
    (["unsetup", "--yes", "--dry-run"], "only one of them"),
    (["unsetup", "--store", "/"], "--store"),
    (["off"], "--reason is missing"),
    (["off", "--reason", " "], "the reason is empty"),
    (["off", "-m", "a\nb"], "can't be shown"),
    (["off", "-m", "a", "-m", "b"], "--reason"),
    (["on", "now"], "unexpected argument \"now\""),
]

class Arguments(t.Test):
    def store(self):
        inst = self.instance()
        self.record_pty(inst, ["echo", "hello"]).wait()
        inst.stop()
        return inst

    def test_wrong(self):
        inst = self.store()
        before = snapshot(inst.store)
        work = self.path("work")
        os.mkdir(work)
        for argv, says in WRONG:
            row = " ".join(argv)
            result = inst.offline(*argv, cwd=work)
            self.exits(result, 2, row)
            self.contains(self.one_line(result, row), says, row)
            self.equal(result.out, b"", row + ": stdout")
            self.equal(os.listdir(work), [], row + ": files made")
        self.check(snapshot(inst.store) == before, "the store was changed")

    def test_no_store(self):
        for args in (["ls"], ["show", "last"], ["verify"], ["checkpoint"]):
            result = t.run(["opseal", "--store", self.path("none")] + args)
            self.exits(result, 2, args[0])
            self.contains(self.one_line(result), "No such file", args[0])

    def test_a_folder_of_stores(self):
        inst = self.store()
        os.mkdir(self.path("several"))
        os.rename(inst.store, self.path("several/one"))
        for args in (["ls"], ["show", "last"], ["verify"], ["checkpoint"],
                     ["export", "last", "-f", "raw"]):
            result = t.run(["opseal", "--store", self.path("several")] + args)
            self.exits(result, 2, args[0])
            self.contains(self.one_line(result), "a folder of stores; name one, such as one", args[0])
        self.exits(t.run(["opseal", "--store", self.path("several/one"), "ls"]), 0)

    def test_empty_store(self):
        os.mkdir(self.path("empty"))
        for args in (["ls"], ["verify"], ["checkpoint"]):
            self.one_line(self.exits(t.run(["opseal", "--store", self.path("empty")] + args), 2))

    def test_only_a_daemon_can(self):
        for args in (["status"], ["record", "true"]):
            for argv in (["--run", self.path("none")] + args, args[:1] + ["--run", self.path("none")] + args[1:]):
                result = t.run(["opseal"] + argv, env={"OPSEAL_STORE": self.path("elsewhere")})
                self.contains(self.one_line(self.exits(result, 2)), "no daemon answers", " ".join(argv))

    def test_no_daemon(self):
        result = t.run(["opseal", "--run", self.path("none"), "ls"],
                       env={"OPSEAL_STORE": self.path("nowhere")})
        self.exits(result, 2)
        line = self.one_line(result)
        self.contains(line, "no daemon answers")
        self.contains(line, "isn't there")

    def test_may_not_read(self):
        user = t.person(0)
        inst = self.store()
        for args in (["ls"], ["cat", "last"], ["verify"], ["checkpoint"]):
            result = inst.offline(*args, user=user)
            self.exits(result, 4, args[0])
            self.one_line(result, args[0])

    def test_no_daemon_falls_back(self):
        inst = self.store()
        result = t.run(["opseal", "--run", self.path("none"), "ls"],
                       env={"OPSEAL_STORE": inst.store})
        self.exits(result, 0)
        self.contains(self.one_line(result), "reading")
        self.contains(result.text, "closed")

    def test_environment(self):
        inst = self.store()
        self.exits(t.run(["opseal", "ls"], env={"OPSEAL_STORE": inst.store}), 0)
        self.equal(t.run(["opseal", "ls"], env={"OPSEAL_STORE": inst.store}).err, b"", "stderr")

    def test_a_full_disk_is_told(self):
        inst = self.store()
        for args in (["ls"], ["cat", "last"], ["export", "last", "-f", "raw", "--force"], ["help"]):
            with open("/dev/full", "w") as full:
                proc = subprocess.run([t.program("opseal"), "--store", inst.store] + args,
                                      stdout=full, stderr=subprocess.PIPE)
            self.equal(proc.returncode, 2, "%s to a full disk" % args[0])
            self.contains(proc.stderr.decode(), "No space left", args[0])

    def test_a_closed_pipe_is_quiet(self):
        inst = self.store()
        result = t.run(["bash", "-c", "'%s' --store '%s' cat last | true" % (
            t.program("opseal"), inst.store)])
        self.equal(result.err, b"", "stderr")

    def test_version(self):
        self.matches(self.exits(t.run(["opseal", "--version"]), 0).text, r"^opseal \d")

    def test_wrong_without_a_store(self):
        for row, says in WRONG_ALONE:
            result = self.exits(t.run(["opseal"] + row), 2, row)
            self.contains(self.one_line(result), says, row)
            self.equal(result.out, b"", row)


t.main()
