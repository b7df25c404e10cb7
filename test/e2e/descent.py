#!/usr/bin/python3
"""What has no terminal of a session still belongs to one by its descent: containers,
daemons that somebody started, `at` and cron only where they come from a session."""
import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import captured as c
import opsealtest as t

# In a container of its own: a devpts of its own, and there a terminal of the number that
# is asked for, with the program on it.
CONTAINER = """
import fcntl, os, subprocess, sys, termios
folder, number, program = sys.argv[1], int(sys.argv[2]), sys.argv[3]
subprocess.run(["mount", "-t", "devpts", "-o", "newinstance,ptmxmode=666", "devpts", folder], check=True)
kept = []
while True:
    master = os.open(folder + "/ptmx", os.O_RDWR | os.O_NOCTTY)
    kept.append(master)
    mine = int.from_bytes(fcntl.ioctl(master, 0x80045430, b"\\0\\0\\0\\0"), sys.byteorder)  # TIOCGPTN
    if mine >= number:
        break
assert mine == number
fcntl.ioctl(master, 0x40045431, b"\\0\\0\\0\\0")  # TIOCSPTLCK
if os.fork() == 0:
    os.setsid()
    fd = os.open("%s/%d" % (folder, mine), os.O_RDWR)
    fcntl.ioctl(fd, termios.TIOCSCTTY, 0)
    os.execv(program, [program])
os.wait()
"""


class Descent(c.Captured):
    def session(self):
        """A recorded shell: its terminal, its id, and that terminal's number."""
        before = {s["session"] for s in c.json_rows(self.inst.opseal("ls", "--json"))}
        term = self.record_pty(self.inst, ["sh"], env={"TERM": "dumb", "ENV": "", "PATH": os.environ["PATH"]})
        new = t.wait_for("the session", lambda: {
            s["session"] for s in c.json_rows(self.inst.opseal("ls", "--json"))} - before)
        term.line("tty")
        number = term.expect(rb"/dev/pts/(\d+)").group(1)
        return term, new.pop(), int(number)

    def named(self, row):
        return row["joined"], row["session"]

    def test_no_terminal(self):
        """A daemon that somebody starts; also what it does when he has long gone, since
        his shell started it."""
        term, session, _ = self.session()
        now, later = self.program("now"), self.program("later")
        go = self.path("go")
        script = self.made("daemon", "#!/bin/sh\n%s\nuntil [ -e %s ]; do sleep 0.1; done\n%s\n" % (
            now, go, later))
        term.line("setsid %s </dev/null >/dev/null 2>&1 &" % script)
        self.equal(self.named(self.run_of(now)), ("descent", session), "no terminal")
        term.line("exit")
        term.wait()
        t.wait_for("the end", lambda: json.loads(self.inst.opseal(
            "ls", "--json", "-n", "1").text)["status"] != "recording")
        self.write("go", "")
        self.equal(self.named(self.run_of(later)), ("descent", session), "after its end")

    def test_container(self):
        """In namespaces of its own; there its terminal has the number of another session's,
        and is not that."""
        t.need_root("root, to mount")
        t.need_program("unshare")
        term, session, _ = self.session()
        _, other, number = self.session()
        program, folder = self.program("contained"), self.path("pts")
        os.mkdir(folder)
        script = self.write("container.py", CONTAINER)
        term.line("unshare --mount --pid --uts --net --ipc --fork --propagation private "
                  "/usr/bin/python3 %s %s %d %s" % (script, folder, number, program))
        row = self.run_of(program)
        self.equal(row["tty"], "pts/%d" % number, "its terminal's name")
        self.equal(self.named(row), ("descent", session), "not %s" % other)
        self.check(row["ns_pid"] != self.run_of_shell(row)["ns_pid"], "no namespace of its own")

    def run_of_shell(self, row):
        """The session's first program."""
        rows = [p for p in self.log("--session", row["session"]) if p["kind"] == "exec"]
        return min(rows, key=lambda p: p["boottime"])

    def test_su(self):
        """`su` in a session, where it takes a terminal away, is of it; from a daemon that
        nobody's session started it is of none."""
        t.need_root("root, for su")
        t.need_program("su")
        user = t.person()
        os.chmod(self.dir, 0o755)
        term, session, _ = self.session()
        mine, nobodys = self.program("mine"), self.program("nobodys")
        term.line("setsid -w su -s /bin/sh -c %s %s </dev/null" % (mine, user.pw_name))
        row = self.run_of(mine)
        self.equal((row["uid"], self.named(row)), (user.pw_uid, ("descent", session)), "su in a session")
        t.run(["setsid", "-w", "su", "-s", "/bin/sh", "-c", nobodys, user.pw_name])
        row = self.run_of(nobodys)
        self.equal((row["uid"], row.get("session")), (user.pw_uid, None), "su from a daemon")


t.main()
