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
