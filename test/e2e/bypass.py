#!/usr/bin/python3
"""SCREEN-BYPASS: who has a recorded session's outer terminal open, besides the
door and those it descends from, is reported; found by a daemon that runs as
opseal, about processes that are anybody's."""
import os
import pwd
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import opsealtest as t
import recorded as r

# Two forks and a session of its own: no shell knows it, no terminal controls
# it.  It says in a file who it is; its ancestor goes on to the program in its arguments.
DAEMON = """
import os, sys
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        {how}
        with open({file!r} + '.new', 'w') as f:
            f.write(str(os.getpid()))
        os.rename({file!r} + '.new', {file!r})
        {stay}
    os._exit(0)
os.wait()
os.execvp(sys.argv[1], sys.argv[1:])
"""
HIDE = "import ctypes; ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)"  # not dumpable
ONLY_7 = ("[os.dup2(os.open('/dev/null', os.O_RDWR), n) for n in (0, 1, 2)]; "
          "os.set_inheritable(7, True)")
SOON = 5  # seconds: soon after the start, and not only in the next turn


class Bypass(r.Recorded):
    def setup(self):
        t.need_root("root, for a daemon that gives it up")
        try:
            pwd.getpwnam("opseal")
        except KeyError:
            t.skip("there is no user opseal; `make deps` makes it")
        self.user = t.person()
        self.inst = self.instance()
        if "--no-drop" in self.inst.daemon_args:
            t.skip("the user opseal can't reach the programs")
        self.pids = []
        os.chmod(self.dir, 0o777)  # the user's processes say who they are

    def teardown(self):
        r.kill(*self.pids)

    def held(self, how="pass", before="", stay="os.execvp('sleep', ['sleep', '60'])"):
        """A session on a terminal that a process of the user has kept; gives
        terminal and pid."""
        path = self.path("held")
        code = before + DAEMON.format(how=how, stay=stay, file=path)
        term = self.pty([sys.executable, "-c", code] + self.inst.argv(
            "record", "--", "sh", "-c", "echo up; read x; echo bye"), user=self.user)
        term.expect("up\r")
        return term, self.holder(path)

    def holder(self, path):
        t.wait_for("the holder", lambda: os.path.exists(path))
        with open(path) as f:
            pid = int(f.read())
        self.pids.append(pid)
        return pid

    def plain(self, *command):
        command = command or ("sh", "-c", "echo up; read x; echo bye")
        term = self.record_pty(self.inst, command, user=self.user)
        term.expect("up\r")
        return term

    def end(self, term):
        term.line("")
        self.equal(term.wait(), 0, "exit status")
        return self.ended(term)

    def bypasses(self, term):
        return self.session(self.inst, term)["bypasses"]

    def reported(self, term, n=1):
        t.wait_for("%d reports" % n, lambda: self.bypasses(term) >= n, SOON)
        self.equal(self.bypasses(term), n, "reports")

    def session(self, inst, term):
        rows = self.sessions(inst)
        found = [s for s in rows if s["tty"] == term_name(term)]
        self.equal(len(found), 1, "sessions on %s, of %r" % (term_name(term), rows))
        return found[0]

    def ended(self, term):
        def look():
            s = self.session(self.inst, term)
            return s if s["end"] is not None else None
        return t.wait_for("the session's end", look)

    def aftermath(self, session, n):
        """The count stays; `show` says it; the log is whole."""
        self.equal(session["bypasses"], n, "reports")
        shown = self.inst.opseal("show", session["session"])
        self.exits(shown, 0)
        self.equal("BYPASS" in shown.text, n > 0, "show: %s" % shown.text)
        if n > 0:
            self.matches(shown.text, r"BYPASS.*held the terminal")
        self.exits(self.inst.opseal("verify", timeout=60), 0)
        self.inst.stop()
        self.exits(self.inst.offline("verify"), 0)

    def test_held_before_the_session(self):
        begin = time.monotonic()
        term, pid = self.held()
        self.reported(term)
        self.check(time.monotonic() - begin < SOON, "too late")
        with open("/proc/%d/stat" % pid) as f:
            self.check(f.read().split()[6] == "0", "the holder has a controlling terminal")
        self.aftermath(self.end(term), 1)

    def test_opened_as_dev_tty(self):
        """The descriptor alone knows which terminal that is."""
        term, _ = self.held(ONLY_7, "import os\nos.dup2(os.open('/dev/tty', os.O_RDWR), 7)\n")
        self.reported(term)
        self.aftermath(self.end(term), 1)

    def test_not_dumpable(self):
        """It hides its descriptors from its own user, and is found."""
        term, _ = self.held(HIDE, stay="import time; time.sleep(60); os._exit(0)")
        self.reported(term)
        self.aftermath(self.end(term), 1)

    def test_several_once_each(self):
        """A background job of the shell that started the session counts as well."""
        path = self.path("three")
        term = self.pty(["sh", "-c", "sleep 61 & sleep 62 & sleep 63 & echo $! >%s; exec \"$@\"" % path,
                         "x"] + self.inst.argv("record", "--", "sh", "-c", "echo up; read x"),
                        user=self.user)
        term.expect("up\r")
        last = self.holder(path)
        self.pids += [last - 1, last - 2]
        self.reported(term, 3)
        # The next look finds them again and says nothing; nor does a new role.
        r.kill(*r.role_pids(self.inst, "scan"))
        t.wait_for("a new scan role", lambda: r.role_pids(self.inst, "scan"))
        time.sleep(2)
        self.reported(term, 3)
        # The recorder connects to another writer and names its terminal again.
        r.kill(*r.role_pids(self.inst, "writer"))
        time.sleep(3)
        self.reported(term, 3)
        self.aftermath(self.end(term), 3)

    def test_daemon_started_from_the_terminal(self):
        """As the README has it: `opseald --foreground &`, then `opseal record`."""
        term = self.pty(["bash", "--norc"])
        inst = self.instance(start=False)
        term.expect(r"\$ ")
        term.line("%s &" % " ".join(inst.daemon_argv()))
        term.expect("ready")
        term.line(" ".join(inst.argv("record", "--", "sh", "-c", "'echo u''p; read x'")))
        term.expect("up\r")
        time.sleep(1.5)
        sessions = self.sessions(inst)
        self.equal([s["bypasses"] for s in sessions], [0], "reports")
        term.line("")
        term.expect(r"\$ ")
        term.line("kill %1; wait; exit")
        self.equal(term.wait(), 0, "exit status")

    def test_handed_on_from_child_to_child(self):
        """None of them lives until a second look; one of them is there at each."""
        stay = ("import time\n"
                "        end = time.time() + 200\n"
                "        while time.time() < end:\n"
                "            time.sleep(0.1)\n"
                "            if os.fork():\n"
                "                os._exit(0)\n"
                "            open({0!r} + '.new', 'w').write(str(os.getpid()))\n"
                "            os.rename({0!r} + '.new', {0!r})").format(self.path("held"))
        term, _ = self.held(stay=stay)
        # One that is born behind the look's back is for the next; where looking
        # is dear (a loaded machine) that is 60 s later, EVERY_MAX of role_scan.
        t.wait_for("a report", lambda: self.bypasses(term) >= 1, 150)
        session = self.end(term)
        r.kill(self.holder(self.path("held")))
        self.aftermath(session, session["bypasses"])

    def test_a_fork_that_comes_and_goes(self):
        """As every shell's does before its exec: there at the first look, gone
        before the second."""
        for _ in range(5):
            term = self.plain()
            pid = os.fork()  # we have the terminal open, and so has it
            if pid == 0:
                time.sleep(0.15)
                os._exit(0)
            os.waitpid(pid, 0)
            time.sleep(0.8)
            self.equal(self.bypasses(term), 0, "reports")
            self.end(term)
        self.aftermath(self.ended(term), 0)

    def test_root_opens_it_later(self):
        """TIOCEXCL doesn't stop root; the next look finds it."""
        self.opened_later(lambda: None)

    def test_root_opens_it_after_a_restart(self):
        """The scanner learns again of a session that does nothing."""
        def restart():
            for role in ("writer", "scan"):
                r.kill(*r.role_pids(self.inst, role))
            time.sleep(2)
        self.opened_later(restart)

    def opened_later(self, before):
        term = self.plain()
        time.sleep(1)
        self.equal(self.bypasses(term), 0, "before")
        before()
        pid = os.fork()
        if pid == 0:
            os.setsid()
            fd = os.open("/dev/" + term_name(term), os.O_RDWR | os.O_NOCTTY)
            os.dup2(fd, 0)
            os.execvp("sleep", ["sleep", "60"])
        self.later(lambda: (os.kill(pid, signal.SIGKILL), os.waitpid(pid, 0)))
        t.wait_for("the report", lambda: self.bypasses(term), 20)
        self.aftermath(self.end(term), 1)

    def test_user_cannot_open_it(self):
        term = self.plain()

        def try_open():
            try:
                os.open("/dev/" + term_name(term), os.O_RDWR | os.O_NOCTTY)
            except OSError as e:
                return e.errno
            return 0
        self.equal(t.call_as(self.user, try_open), 16, "EBUSY")
        self.aftermath(self.end(term), 0)

    def test_nobody_is_reported(self):
        """Not the door, nor the shells it was started from, deep as they are;
        not the recorder; nothing in the session; no other session."""
        inner = self.inst.argv("record", "--", "sh", "-c", "echo up; sleep 100 & read x; kill $!")
        deep = ["sh", "-c", "\"$@\"; exit $?", "x"] * 5 + inner
        term = self.pty(deep, user=self.user)
        term.expect("up\r")
        others = [self.plain() for _ in range(3)]
        time.sleep(13)  # two looks
        for one in [term] + others:
            self.equal(self.bypasses(one), 0, "reports")
        for one in others:
            self.end(one)
        self.aftermath(self.end(term), 0)

    def test_recorded_session_inside_another(self):
        term = self.record_pty(self.inst, ["sh"], user=self.user)
        path = term_name(term)
        term.expect(r"\$ ")
        term.line(" ".join(self.inst.argv("record", "--", "sh", "-c", "'echo in''ner; read x'")))
        term.expect("inner\r")
        time.sleep(2)
        found = self.sessions(self.inst)
        self.equal([s["bypasses"] for s in found], [0, 0], path)
        term.line("")
        term.expect(r"\$ ")
        term.line("exit")
        self.equal(term.wait(), 0)

    def test_stopped_session_gives_the_terminal_back(self):
        """What runs on it while the session is stopped has every right to;
        what stays when it goes on is reported."""
        term = self.pty(["bash", "--norc", "--noprofile", "-i"], user=self.user,
                        env={"HISTFILE": "", "PS1": "out> "})
        term.expect("out> ")
        term.line(" ".join(self.inst.argv("record", "--", "bash", "--norc", "--noprofile", "-i")))
        time.sleep(1.5)
        term.line("suspend -f")
        term.expect("Stopped")
        term.line("sleep 14; echo do''ne")  # over a look
        term.expect("done", 30)
        self.equal(self.bypasses(term), 0, "while it was stopped")
        term.line("sleep 77 & fg %1")
        t.wait_for("the report", lambda: self.bypasses(term) == 1, SOON)
        term.line("exit")
        time.sleep(0.5)
        term.line("kill %2; exit")
        term.wait()
        self.aftermath(self.ended(term), 1)

    def test_private_instance(self):
        """Without root the user's own processes are seen, without a capability."""
        self.inst = self.instance(drop=False, start=False, preexec=t.become(self.user))
        self.inst.daemon_args.remove("--no-drop")
        for path in (self.inst.base, self.inst.store, self.inst.run_dir):
            os.chown(path, self.user.pw_uid, self.user.pw_gid)
        self.inst.start()
        plain = self.plain()
        term, _ = self.held()
        self.reported(term)
        self.equal(self.bypasses(plain), 0, "the other one")
        self.equal(self.end(plain)["bypasses"], 0, "the other one")
        self.aftermath(self.end(term), 1)

    def test_root_that_stays_root(self):
        self.inst = self.instance(drop=False)
        plain = self.plain()
        term, _ = self.held()
        self.reported(term)
        self.equal(self.end(plain)["bypasses"], 0, "the other one")
        self.aftermath(self.end(term), 1)

    def test_it_sleeps_between_looks(self):
        """Also with many descriptors to look at."""
        pid = os.fork()
        if pid == 0:
            t.become(self.user)()
            for _ in range(900):
                os.open("/dev/null", os.O_RDONLY)
            time.sleep(60)
            os._exit(0)
        self.later(lambda: (os.kill(pid, signal.SIGKILL), os.waitpid(pid, 0)))
        term, _ = self.held()
        self.reported(term)
        scan, = r.role_pids(self.inst, "scan")
        before = cpu(scan)
        time.sleep(3)
        self.check(cpu(scan) - before <= 1, "ticks of CPU in a pause: %d" % (cpu(scan) - before))
        self.aftermath(self.end(term), 1)


def cpu(pid):
    """Clock ticks a process has used."""
    with open("/proc/%d/stat" % pid) as f:
        words = f.read().rpartition(") ")[2].split()
    return int(words[11]) + int(words[12])


def term_name(term):
    return term.slave_name[len("/dev/"):]


t.main()
