#!/usr/bin/python3
# timeout: 600
"""When something is missing or broken, who can still log in: through Debian's sshd with
the door as the account's shell; and root on the console, whose shell it isn't."""
import os
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import fakedaemon as f
import faults
import opsealtest as t
import recorded as r
import sshhost

MAP = "/etc/opseal/shells"
NO_DAEMON = b"opseal-door: this is not recorded: no daemon answers at /run/opseal/session.sock"
REFUSES = """
import os, socket, sys
try:
    os.unlink("/run/opseal/session.sock")
except FileNotFoundError:
    pass
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.bind("/run/opseal/session.sock")
os.chmod("/run/opseal/session.sock", 0o666)
s.listen(8)
print(flush=True)
while True:
    c = s.accept()[0]
    c.recv(65536)
    c.send(bytes.fromhex(sys.argv[1]))
    c.close()
"""
POLICY = "/etc/opseal/door"
REFUSE = "on_log_failure = refuse\nbreak_glass = glass\nhold_time = 300ms\n"
GLASS = 61900
HEARS = """
import os, socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind("/dev/log")
os.chmod("/dev/log", 0o666)
print(flush=True)
while True:
    text = s.recv(2000).decode()
    if "opseal" in text:
        print(text, flush=True)
"""
LOGIN_PAM = "auth sufficient pam_permit.so\naccount required pam_permit.so\nsession required pam_permit.so\n"


class Trouble(t.Test):
    def setup(self):
        self.host = sshhost.Host(self.path("host"))
        self.later(self.host.close)
        self.host.set_shells()

    def with_daemon(self, **options):
        self.inst = self.host.instance(self, **options)
        return self.inst

    def sessions(self):
        return r.json_lines(self.inst.opseal("ls", "--json"))

    def console(self):
        """root logs in as login(1) does it on a console."""
        self.host.put("/etc/pam.d/login", LOGIN_PAM)
        term = self.host.pty(["login", "-f", "root"])
        self.later(term.close)
        term.expect("[#$] ")
        term.line("echo in as $(id -un); exit 3")
        term.expect("in as root\r\n")
        term.wait()

    def logs_in(self, name="anna", said=b""):
        """A command: nothing is said on its streams; a terminal: said is."""
        got = self.host.ssh(name, "h", "echo out; echo err >&2; exit 4")
        self.equal((got.status, got.out, got.err), (4, b"out\n", b"err\n"), "a command")
        got = self.host.ssh(name, "-tt", "h", "echo out; exit 5")
        self.equal(got.status, 5, "a terminal: %r" % got)
        self.equal(said in got.out and b"out\r\n" in got.out, True, "a terminal: %r" % got)

    def test_no_daemon(self):
        """None was ever started; it was killed; then it is there again."""
        self.logs_in(said=NO_DAEMON)
        self.console()
        self.with_daemon()
        self.logs_in()
        self.equal(len(self.sessions()), 2, "sessions")
        self.inst.kill()
        self.logs_in(said=NO_DAEMON)
        self.console()
        self.inst.start()
        self.logs_in()
        self.equal(len(self.sessions()), 4, "sessions")

    def test_started_again(self):
        """A daemon that ends while a door waits for its answer: the door asks the next one."""
        self.with_daemon()
        role = self.inst.role("session")
        os.kill(role, signal.SIGSTOP)
        term = self.host.pty(self.host.ssh_argv("anna", "-tt", "h", "echo out; exit 6"))
        self.later(term.close)

        def waits():
            return self.host.run(["pgrep", "-x", "opseal-shell"]).text.split()
        t.wait_for("the door", waits)
        time.sleep(0.5)
        os.kill(role, signal.SIGKILL)  # it is started again
        self.equal(term.wait(), 6, "status: %r" % bytes(term.out))
        self.equal([(s["command"], s["exit"]) for s in self.sessions()], [("bash -c echo out; exit 6", 6)], "ls")

    def shell_is(self, want, said):
        """What the account's shell is, and what was said about it on stderr."""
        got = self.host.ssh("anna", "h", "readlink /proc/$$/exe; echo $0 $SHELL")
        self.equal(got.status, 0, "%r" % got)
        lines = got.text.splitlines()
        self.equal(lines[1], "%s %s" % (os.path.basename(want), want), "shell")
        if said:
            self.contains(got.errtext, said, "said")
        else:
            self.equal(got.err, b"", "said")

    def test_map(self):
        """The map of shells is missing, broken, or not root's: /bin/sh, recorded, and why."""
        self.with_daemon()
        self.shell_is("/bin/bash", "")
        mine = "anna:%d:" % self.host.uid("anna")
        for text, want, said in (
                (mine + "/bin/dash\n", "/bin/dash", ""),
                ("*:*:/bin/dash\n", "/bin/dash", ""),
                ("nonsense\n%s/bin/dash\n" % mine, "/bin/dash", ""),
                (mine + "/bin/dash\r\n", "/bin/sh", "no line for uid"),
                (mine + "/bin/da", "/bin/sh", "no line for uid"),
                ("", "/bin/sh", "no line for uid"),
                ("ben:%d:/bin/dash\n" % self.host.uid("ben"), "/bin/sh", "no line for uid"),
                (mine + sshhost.DOOR + "\n", "/bin/sh", "that shell is the door")):
            self.host.put(MAP, text)
            self.shell_is(want, said)
        self.host.put(MAP, mine + "/bin/dash\n", mode=0o666)
        self.shell_is("/bin/sh", "not a file of root's alone")
        self.host.put(MAP, mine + "/bin/dash\n", uid=self.host.uid("anna"))
        self.shell_is("/bin/sh", "not a file of root's alone")
        self.host.run(["rm", MAP])
        self.shell_is("/bin/sh", "No such file")
        self.host.run(["ln", "-s", "/home/anna/mine", MAP])
        self.host.put("/home/anna/mine", mine + "/bin/dash\n")
        self.shell_is("/bin/sh", "symbolic link")
        self.host.run(["rm", MAP])
        self.host.run(["mkfifo", MAP])
        self.shell_is("/bin/sh", "not a file of root's alone")
        self.equal(len(self.sessions()), 14, "sessions")

    def test_uid_of_two(self):
        """Two names with one uid: each has its own shell."""
        uid = self.host.uid("anna")

        def second():
            with open("/etc/passwd", "a") as f:
                f.write("anna2:x:%d:%d::/home/anna:%s\n" % (uid, uid, sshhost.DOOR))
            with open("/etc/shadow", "a") as f:
                f.write("anna2:*:19000:0:99999:7:::\n")
        self.host.inside(second)
        self.host.put(MAP, "anna2:%d:/bin/dash\nanna:%d:/bin/bash\n" % (uid, uid))
        self.with_daemon()
        for name, want in (("anna", "/bin/bash"), ("anna2", "/bin/dash")):
            self.equal(self.host.ssh(name, "h", "echo $SHELL").text, want + "\n", name)

    def test_su_chooses_no_options(self):
        """Whatever words su hands on are the shell's."""
        self.with_daemon()
        self.host.put("/etc/pam.d/su", LOGIN_PAM)
        for words in (["--run", "/none", "--if-unavailable", "run", "--", "/bin/echo", "unrecorded"],
                      ["--shell", "/bin/echo"], ["--forced"], ["--help"]):
            got = self.host.run(["su", "anna", "--", *words])
            self.check(got.status != 0 or b"GNU bash" in got.out, "%r" % got)
            self.check(b"unrecorded" not in got.out and b"opseal" not in got.out + got.err, "%r" % got)
        got = self.host.run(["su", "anna", "--", "--norc", "-c", "echo $0 $SHELL; exit 8"])
        self.equal((got.status, got.out), (8, b"bash /bin/bash\n"), "bash's own option")
        # Without a terminal a command may end before its first record is in the log.
        t.wait_for("five sessions", lambda: len(self.sessions()) >= 5)
        self.equal(len(self.sessions()), 5, "sessions")

    def test_of_another(self):
        """sudo CMD: SHELL is the caller's, which as root is the door: his own shell runs."""
        t.need_program("sudo")
        self.with_daemon()
        self.host.put("/etc/sudoers", "Defaults !lecture, !syslog, !fqdn\nanna ALL=(ALL) NOPASSWD: ALL\n", 0o440)
        self.host.run(["rm", "-rf", "/etc/sudoers.d"])
        got = self.host.ssh("anna", "h", "sudo sh -c '$SHELL -c \"id -u; readlink /proc/\\$\\$/exe; true\"'")
        self.equal((got.status, got.out, got.err), (0, b"0\n/usr/bin/bash\n", b""), "sudo's child")

    def test_not_ours_to_read(self):
        """su -c begins a session of its own, whose terminal is still the caller's: it must
        not take his keys."""
        self.with_daemon()
        self.host.put("/etc/pam.d/su", LOGIN_PAM)
        term = self.host.pty(["bash", "--norc"])
        self.later(term.close)
        term.expect("[#$] ")
        term.line("su anna -c 'sleep 30' & sleep 1; echo typed")
        term.expect("typed\r\n")
        term.line("su anna -c 'echo in $SHELL' < /dev/tty; exit 3")
        term.expect("in /bin/bash\r\n")
        self.equal(term.wait(), 3, "status")
        self.host.run(["pkill", "-x", "sleep", "-u", "anna"])

    def test_shell_gone(self):
        """The account's own shell was removed: as without the door it can't be run."""
        self.with_daemon()
        self.host.put(MAP, "anna:%d:/no/such/shell\n" % self.host.uid("anna"))
        got = self.host.ssh("anna", "h", "true")
        self.equal(got.status, 127, "status")
        self.contains(got.errtext, "/no/such/shell: No such file or directory", "said")

    def test_no_door(self):
        """The door is gone: sshd refuses those whose shell it is.  Root is not among them."""
        self.with_daemon()
        self.host.run(["rm", sshhost.DOOR])
        got = self.host.ssh("anna", "h", "true")
        self.equal(got.status, 255, "status")
        self.contains(self.host.log(), "shell %s does not exist" % sshhost.DOOR, "sshd's log")
        self.console()

    def refused(self, name, said=b"nothing was run: no daemon answers at /run/opseal/session.sock"):
        """One clear line and a status, whatever the client is; nothing ran."""
        for words in (("h", "echo ran"), ("-tt", "h", "echo ran"), ("h",)):
            got = self.host.ssh(name, *words)
            self.equal(got.status, 2, "%r: %r" % (words, got))
            lines = [x for x in (got.out + got.err).splitlines() if x]
            self.equal(len(lines), 1, "%r: %r" % (words, got))
            self.check(said in lines[0] and b"ran\r" not in lines[0], "%r: %r" % (words, got))
        # Of a subsystem, which scp is by now, sshd drops what is said on stderr.
        for option, shown in (("-O", said), ("-s", b"Connection closed")):
            got = self.host.run(["scp", option, "-F", os.path.join(self.host.folder, "ssh_config"), "/etc/hostname",
                                 "%s@h:" % name])
            self.check(got.status != 0 and shown in got.err, "scp %s: %r" % (option, got))

    def glass(self):
        """anna is in the group, ben isn't."""
        t.need_program("scp")
        self.host.add_group("glass", GLASS, "anna")
        return self.with_daemon(policy=REFUSE)

    def policy_is(self, *lines):
        text = self.host.get(POLICY).decode()
        self.equal([x for x in text.splitlines() if not x.startswith("#")], list(lines), POLICY)

    IN_GLASS = NO_DAEMON + b" (is opseald running?) (you are in the group glass)"
    RULES = ("on_log_failure = refuse", "break_glass = %d glass" % GLASS)

    def test_refuse(self):
        """on_log_failure = refuse: no daemon, one that was killed, one that its configuration keeps
        from starting.  Root and who may break the glass get in, unrecorded; nobody else."""
        self.glass()
        self.policy_is(*self.RULES)
        for name in ("anna", "ben"):
            self.logs_in(name)
        self.equal(len(self.sessions()), 4, "sessions")
        self.inst.stop()
        for _ in range(2):
            self.logs_in("anna", said=self.IN_GLASS)
            self.refused("ben")
            self.console()
            self.inst.start()
            self.inst.kill()
        self.host.set_policy(REFUSE + "no_such_key = 1\n")
        self.equal(self.inst.launch().wait(30), 2, "a daemon with that")
        self.logs_in("anna", said=self.IN_GLASS)
        self.refused("ben", b"nobody may work unrecorded here (on_log_failure = refuse)")
        self.console()
        # Mended, and then told to go on: the doors hear of it without a start.
        self.host.set_policy(REFUSE)
        self.inst.start()
        self.logs_in("ben")
        self.host.set_policy("on_log_failure = continue\n")
        self.inst.proc.send_signal(signal.SIGHUP)
        t.wait_for("the doors' file", lambda: b"= continue" in self.host.get(POLICY))
        self.inst.kill()
        self.logs_in("ben", said=NO_DAEMON)

    def test_group_by_number(self):
        """Who is a member is the kernel's to say, and which group it is was looked up before."""
        self.glass()
        self.inst.stop()
        self.host.run(["sed", "-i", "s/^glass:/glass2:/", "/etc/group"])
        self.logs_in("anna", said=b"(you are in the group glass)")
        # Of another number he isn't in it, whatever a name service says.
        self.host.put(POLICY, "on_log_failure = refuse\nbreak_glass = %d anna\n" % (GLASS + 1))
        self.refused("anna")
        # A daemon that can't look the group up stays with what it knew.
        self.host.put(POLICY, "on_log_failure = refuse\nbreak_glass = %d glass\n" % GLASS)
        self.inst.start()
        self.contains(self.inst.log(), "there is no group glass; nobody is in it; it stays %d" % GLASS, "log")
        self.policy_is(*self.RULES)

    def test_policy_file(self):
        """What the doors go by is missing, or isn't root's alone, or isn't understood: nobody is
        locked out by it."""
        uid = self.host.uid("ben")
        for text, mode, owner, refuses in (
                ("on_log_failure = refuse\n", 0o644, 0, True),
                ("# a comment\n\non_log_failure = refuse\nnewer = 1\n", 0o600 | 0o044, 0, True),
                ("on_log_failure = continue\n", 0o644, 0, False),
                ("on_log_failure = refuse\n", 0o666, 0, False),
                ("on_log_failure = refuse\n", 0o644, uid, False),
                ("on_log_failure = refuse", 0o644, 0, False),
                ("on_log_failure = refuse\nbreak_glass = glass\n", 0o644, 0, False),
                ("break_glass = 1 glass\n", 0o644, 0, False),
                ("", 0o644, 0, False)):
            self.host.put(POLICY, text, mode, owner)
            if refuses:
                self.refused("ben")
            else:
                self.logs_in("ben", said=NO_DAEMON)
        self.host.run(["rm", POLICY])
        self.logs_in("ben", said=NO_DAEMON)
        self.host.run(["mkfifo", POLICY])
        self.logs_in("ben", said=NO_DAEMON)

    def test_gone_in_the_middle(self):
        """The daemon goes while sessions run, and it is to be refused: who may break the glass goes on,
        with a gap, and so does root; others' sessions end."""
        self.host.give_door("root")
        self.host.put(MAP, self.host.get(MAP).decode() + "root:0:/bin/bash\n")
        self.host.put("/etc/pam.d/login", LOGIN_PAM)
        self.glass()
        terms = {"root": self.host.pty(["login", "-f", "root"])}
        self.later(terms["root"].close)
        terms["root"].expect("[#$] ")
        terms["root"].line("echo he''re; read x; echo sh''own; sleep 1; echo still; exit 7")
        terms["root"].expect("here")
        for name in ("anna", "ben"):
            terms[name] = self.host.pty(self.host.ssh_argv(
                name, "-tt", "h", "echo here; read x; yes 0123456789 | head -c 9000000; echo; echo shown; exit 7"))
            self.later(terms[name].close)
            terms[name].expect("here")
        self.inst.kill()
        for term in terms.values():
            term.line("")
        terms["ben"].expect("the session ends here", 60)
        terms["anna"].expect("this part is not recorded", 60)
        self.equal(terms["ben"].wait(60), 2, "ben's status")
        terms["anna"].expect("shown", 60)
        self.equal(terms["anna"].wait(60), 7, "anna's status")
        terms["root"].expect("this part is not recorded", 60)
        terms["root"].expect("still", 60)
        terms["root"].wait(60)
        self.inst.start()

        def rows():
            found = {s["user"]: s for s in self.sessions()}
            return found if all(s["end"] for s in found.values()) else None
        found = t.wait_for("the ends", rows, 60)
        self.check(found["root"]["bytes_lost"] > 0 and found["root"]["exit"] == 7, "root's: %r" % found["root"])
        self.check(found["anna"]["bytes_lost"] > 1000000, "anna's: %r" % found["anna"])
        self.equal(found["ben"]["bytes_lost"] < found["anna"]["bytes_lost"], True, "ben's: %r" % found["ben"])

    def test_log_fails(self):
        """The daemon is there, and its log can't be written: the same people get in."""
        fault = faults.Faults(self)
        self.host.add_group("glass", GLASS, "anna")
        self.with_daemon(policy=REFUSE, env=fault.env)
        self.logs_in("ben")
        fault.fail("pwrite sync")
        self.logs_in("anna", said=b"this part is not recorded")
        self.refused("ben", b"nothing was run: refused: the log can't be written")
        self.console()
        fault.heal()
        t.wait_for("the log to be well", lambda: self.inst.opseal("status").status == 0, 30)
        self.logs_in("ben")

    def test_no_answer(self):
        """A daemon that hangs: who may break the glass gets in, after half a minute."""
        self.glass()
        pids = [self.inst.proc.pid, self.inst.role("session")]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        self.later(lambda: [os.kill(pid, signal.SIGCONT) for pid in pids])
        terms = {name: self.host.pty(self.host.ssh_argv(name, "-tt", "h", "exit 5")) for name in ("anna", "ben")}
        for term in terms.values():
            self.later(term.close)
        self.equal({name: term.wait(60) for name, term in terms.items()}, {"anna": 5, "ben": 2}, "status")
        for name, said in (("anna", b"this is not recorded: the daemon gives no answer in 30 s"
                            b" (you are in the group glass)"),
                           ("ben", b"nothing was run: the daemon gives no answer in 30 s")):
            self.check(said in bytes(terms[name].out), "%s: %r" % (name, bytes(terms[name].out)))

    def test_noted(self):
        """What goes on unrecorded is in the host's own log, with who it was."""
        top = os.path.join(self.host.folder, "layers/dev")

        def make():
            os.mkdir(top)
            for name in ("null", "zero", "urandom", "tty"):
                open(os.path.join(top, name), "w").close()
                subprocess.run(["mount", "--bind", "/dev/" + name, os.path.join(top, name)], check=True)
            os.mkdir(os.path.join(top, "pts"))
            subprocess.run(["mount", "--bind", "/dev/pts", os.path.join(top, "pts")], check=True)
            os.symlink("pts/ptmx", os.path.join(top, "ptmx"))
            subprocess.run(["mount", "--rbind", top, "/dev"], check=True)
        self.host.inside(make)
        log = subprocess.Popen(["/usr/bin/python3", "-c", HEARS], preexec_fn=self.host.enter, stdout=subprocess.PIPE)
        self.later(lambda: (log.kill(), log.wait(), log.stdout.close()))
        log.stdout.readline()
        self.host.put(POLICY, "on_log_failure = refuse\nbreak_glass = %d glass\n" % GLASS)
        self.host.add_group("glass", GLASS, "anna")
        self.equal(self.host.ssh("anna", "h", "true").err, b"", "said on a pipe")
        self.matches(log.stdout.readline().decode(), r"^<84>opseal-shell\[\d+\]: a login of uid %d is not recorded: no daemon"
                     r" .*\(you are in the group glass\)\n$" % self.host.uid("anna"))
        self.host.ssh("ben", "h", "true")
        self.matches(log.stdout.readline().decode(), r": a login of uid %d was refused: no daemon" % self.host.uid("ben"))

    def test_root(self):
        """Root's shell is the door, too, and the daemon refuses: root gets in, unrecorded."""
        self.host.give_door("root")
        self.host.put(MAP, "root:0:/bin/bash\nanna:%d:/bin/bash\n" % self.host.uid("anna"))
        self.with_daemon()
        self.console()
        self.equal([(s["user"], s["exit"]) for s in self.sessions()], [("root", 3)], "ls")
        # What the map says can't be run.
        self.host.put(MAP, "root:0:/no/such/shell\n")
        self.console()
        self.host.put(MAP, "root:0:/bin/bash\nanna:%d:/bin/bash\n" % self.host.uid("anna"))
        # One that says no to everybody.
        self.inst.stop()
        listener = subprocess.Popen(
            ["/usr/bin/python3", "-c", REFUSES, f.message(f.DOOR_REFUSED, b"not today").hex()],
            preexec_fn=self.host.enter, stdout=subprocess.PIPE)
        self.later(lambda: (listener.kill(), listener.wait(), listener.stdout.close()))
        listener.stdout.readline()
        got = self.host.ssh("anna", "h", "echo ran")
        self.equal((got.status, got.out), (2, b""), "anna")
        self.contains(got.errtext, "nothing was run: refused: not today", "anna")
        self.console()


t.main()
