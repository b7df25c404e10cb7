#!/usr/bin/python3
# timeout: 900
"""Terminals over ssh, through Debian's sshd, with the door as the account's shell and
without it: what the person sees, what the programs get, what lives on (P6)."""
import os
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import opsealtest as t
import sshhost

# Of a login shell: a prompt that says nothing of the host.
PROFILE = "PS1='> '; unset PROMPT_COMMAND; HISTFILE=\n"
EIGHT = bytes(range(0xa0, 0x100))


class Terminal(sshhost.Twin):
    def setup(self):
        super().setup()
        for host in self.hosts.values():
            for name in host.names:
                host.put("/home/%s/.bash_profile" % name, PROFILE)

    def talk(self, talk, *words, status=0, **options):
        """talk(terminal, host) with `ssh -tt WORDS` of each; what it showed is the same, and
        the status.  Gives what it showed."""
        def one(host):
            term = host.pty(host.ssh_argv("anna", "-tt", *(words or ("h",))), **options)
            self.later(term.close)
            talk(term, host)
            got = term.wait()
            return got, sshhost.without_numbers(bytes(term.out))
        got = self.both(one)
        self.equal(got["door"][1], got["plain"][1], "what was shown")
        self.equal([got["plain"][0], got["door"][0]], [status, status], "status")
        return got["door"][1]

    def lines(self, *lines):
        def talk(term, _):
            for line in lines:
                term.expect("> $")
                term.line(line)
        return talk

    def test_lines(self):
        """A login as people have it; and it is in the log."""
        out = self.talk(self.lines("echo $0 $SHELL; tty", "stty -a", "echo one; echo two >&2",
                                   "printf '\\303\\244\\377\\001\\033[1mbold\\033[m\\n'", "exit 5"), status=5)
        self.contains(out, b"-bash /bin/bash", "shown")
        session = self.sessions()[-1]
        shown = self.shown(session)
        self.contains(shown, b"bold", "cat")
        self.equal((session["user"], session["exit"], session["command"]), ("anna", 5, None), "ls")

    def test_keys(self):
        """^C, ^Z, fg, bg, ^D, ^S and ^Q, ^\\."""
        def talk(term, _):
            term.expect("> $")
            term.line("sleep 100")
            term.expect("sleep 100\r\n")
            time.sleep(0.3)
            term.send(b"\x03")
            term.expect("> $")
            term.line("echo $?; sleep 101")
            term.expect("130\r\n")
            time.sleep(0.3)
            term.send(b"\x1a")
            term.expect("Stopped")
            term.expect("> $")
            term.line("jobs; bg; kill %1; wait; echo waited")
            term.expect("waited\r\n")
            term.expect("> $")
            term.line("cat | sed 's/^/got /'")
            time.sleep(0.3)
            term.line("typed")
            term.expect("got typed\r\n|typed\r\n")
            term.send(b"\x04")
            term.expect("> $")
            term.line("sh -c 'echo pid; sleep 9'")
            term.expect("pid\r\n")
            time.sleep(0.3)
            term.send(b"\x1c")
            term.expect("Quit")
            term.expect("> $")
            term.send(b"\x04")
        self.talk(talk, status=131)

    def test_eight_bits(self):
        """Each byte of the upper half, typed and shown, on a raw terminal."""
        def talk(term, _):
            term.expect("> $")
            term.line("stty raw -echo; echo ready; head -c %d | od -An -tx1; stty sane" % len(EIGHT))
            term.expect("ready")
            time.sleep(0.2)
            term.send(EIGHT)
            term.expect("> $")
            term.line("exit")
        out = self.talk(talk)
        self.contains(out.replace(b"\r\n", b"").replace(b"\n", b""), b" a0 a1 a2", "typed")

    def test_size(self):
        def talk(term, _):
            term.expect("> $")
            term.line("trap 'echo changed' WINCH; stty size")
            term.expect("30 100\r\n")
            term.expect("> $")
            term.resize(41, 77)
            time.sleep(0.5)
            term.line("stty size; echo $LINES $COLUMNS")
            term.expect("41 77\r\n")
            term.expect("> $")
            term.line("exit")
        self.talk(talk, rows=30, cols=100)

    def test_commands(self):
        """`ssh -tt host CMD`: a status, a signal, and the bypass that scp's name was."""
        for command, status in (("exit 9", 9), ("kill -9 $$", 255), ("echo a; echo b >&2", 0),
                                ("ulimit -c 0; kill -SEGV $$", 255)):
            self.talk(lambda term, host: None, "h", command, status=status)
        self.talk(lambda term, host: None, "h", "scp -t x 2>/dev/null </dev/null; bash -c 'echo hidden; exit 4'",
                  status=4)
        self.contains(self.shown(self.sessions()[-1]), b"hidden", "recorded")

    def processes(self, host, marker):
        got = host.run(["pgrep", "-cf", "-u", str(host.uid("anna")), marker])
        return int(got.text)

    def test_lives_on(self):
        """A background job outlives a logout as it does without the door."""
        left = {}
        for name, host in self.hosts.items():
            mark = "sleep 3%04d%d" % (os.getpid() % 10000, name == "door")
            term = host.pty(host.ssh_argv("anna", "-tt", "h"))
            self.later(term.close)
            for line in (mark + " &", "exit 2"):
                term.expect("> $")
                term.line(line)
            began = time.monotonic()
            self.equal(term.wait(), 2, "status")
            self.check(time.monotonic() - began < 20, name + ": it waited for the job")
            time.sleep(1)
            left[name] = self.processes(host, mark)
            host.run(["pkill", "-f", mark])
        self.equal((left["plain"], left["door"]), (1, 1), "jobs")

    def hang_up(self, command):
        """How many of the processes of command are left when the client was killed."""
        left = {}
        for name, host in self.hosts.items():
            mark = "sleep 4%04d%d" % (os.getpid() % 10000, name == "door")
            term = host.pty(host.ssh_argv("anna", "-tt", "h"))
            self.later(term.close)
            term.expect("> $")
            term.line(command % mark)
            t.wait_for("the process", lambda: self.processes(host, mark))
            time.sleep(0.5)
            term.signal(signal.SIGKILL)
            term.wait()
            time.sleep(2)
            left[name] = self.processes(host, mark)
            host.run(["pkill", "-f", mark])
        return left

    def test_hang_up(self):
        for command, want in (("%s", 0), ("nohup %s &", 1), ("setsid %s &", 1), ("%s &", None),
                              ("(trap '' HUP; %s) &", 1)):
            left = self.hang_up(command)
            self.equal(left["door"], left["plain"], command)
            if want is not None:
                self.equal(left["plain"], want, command + " without the door")

    def test_background(self):
        """`ssh host 'x &'` comes back at once where x lets go of the streams."""
        for words in (("h",), ("-tt", "h")):
            for name, host in self.hosts.items():
                mark = "5%04d%d" % (os.getpid() % 10000, name == "door")
                began = time.monotonic()
                got = host.ssh("anna", *words, "setsid sleep %s >/dev/null 2>&1 </dev/null & sleep .5; echo started" % mark)
                self.check(time.monotonic() - began < 20, "%s: it waited" % name)
                self.contains(got.out, b"started", name)
                t.wait_for("the process", lambda: self.processes(host, "sleep " + mark) == 1)
                host.run(["pkill", "-f", "sleep " + mark])

    def test_multiplexers(self):
        """tmux and screen: the shell in a pane is the account's own."""
        t.need_program("tmux", "screen")

        def talk(term, _):
            term.expect("> $")
            term.line("tmux -f /dev/null new-session 'echo $SHELL; tmux display -p \"#{default-shell}\"; sleep 1'")
            term.expect(r"\[exited\]")
            term.expect("> $")
            term.line("SCREENDIR=$HOME/.s; mkdir -m 700 .s; export SCREENDIR; screen -d -m sh -c 'echo $SHELL > shell'; "
                      "for i in $(seq 50); do test -s shell && break; sleep .1; done; cat shell")
            term.expect("/bin/bash\r\n")
            term.expect("> $")
            term.line("exit")
        for host in self.hosts.values():
            term = host.pty(host.ssh_argv("anna", "-tt", "h"))
            self.later(term.close)
            talk(term, host)
            self.equal(term.wait(), 0, "status")
            self.contains(bytes(term.out), b"/bin/bash", "default-shell")
            self.check(b"opseal-door" not in term.out, "tmux has the door as its shell")

    def test_su_and_sudo(self):
        t.need_program("sudo", "su")
        for host in self.hosts.values():
            host.put("/etc/sudoers", "Defaults !lecture, !syslog, !fqdn\nanna ALL=(ALL) NOPASSWD: ALL\n", 0o440)
            host.run(["rm", "-rf", "/etc/sudoers.d"])
        for command in ("sudo -u ben -i", "sudo -u ben -i env", "sudo su - ben -c env", "sudo -u ben -i id -un", "sudo -u ben -s echo '$SHELL'",
                        "sudo su - ben -c 'echo $0 $SHELL $HOME'", "sudo su ben -c 'echo $0 $SHELL'",
                        "sudo -u ben sh -c 'exit 6'", "sudo -u ben -i exit 7"):
            for words in ((), ("-tt",)):
                # What is typed ahead on a terminal is echoed when it pleases.
                typed = b"" if words else b"echo $0 $SHELL; exit 3\n"
                if not typed and command == "sudo -u ben -i":
                    continue
                got = self.same(command, *words, "h", command, told=sshhost.without_numbers, stdin=typed)
            self.check(b"opseal" not in got.out, "%s shows the door: %r" % (command, got))
        for command in "sudo su - ben", "sudo -u ben -i":
            self.talk(self.lines(command, "echo $0 $SHELL; whoami", "exit 4", "exit $?"), status=4)


class Forwarding(sshhost.Twin):
    def serve(self, host, port, answer):
        """One connection on a port of the host gets answer."""
        proc = t.subprocess.Popen(
            ["/usr/bin/python3", "-c",
             "import socket,sys\ns=socket.create_server(('127.0.0.1',int(sys.argv[1])))\nprint(flush=True)\n"
             "while 1:\n c=s.accept()[0]; c.sendall(sys.argv[2].encode()); c.shutdown(1); c.recv(1); c.close()",
             str(port), answer], preexec_fn=host.enter, stdout=t.subprocess.PIPE)
        proc.stdout.readline()
        self.later(lambda: (proc.kill(), proc.wait(), proc.stdout.close()))

    def fetch(self, host, port):
        def answered():
            got = host.run(["/usr/bin/python3", "-c",
                            "import socket,sys\nc=socket.create_connection(('127.0.0.1',int(sys.argv[1])))\n"
                            "sys.stdout.write(c.makefile().read())", str(port)])
            return got.text or None
        return t.wait_for("an answer on port %d" % port, answered)

    def test_ports(self):
        """-N with -L and -R: no program is started, so nothing is recorded; -W; -D."""
        for name, host in self.hosts.items():
            self.serve(host, 7001, "from afar")
            for options, port in (("-L 7002:127.0.0.1:7001", 7002), ("-R 7003:127.0.0.1:7001", 7003)):
                client = t.subprocess.Popen(host.ssh_argv("anna", "-N", *options.split(), "h"),
                                            preexec_fn=host.enter, stdin=t.subprocess.DEVNULL)
                try:
                    self.equal(self.fetch(host, port), "from afar", "%s %s" % (name, options))
                finally:
                    client.terminate()
                    client.wait()
            got = host.ssh("anna", "-W", "127.0.0.1:7001", "h")
            self.equal((got.status, got.out), (0, b"from afar"), "%s -W" % name)
        self.equal(self.sessions(), [], "sessions of -N and -W")

    def test_agent(self):
        t.need_program("ssh-agent", "ssh-add")
        for name, host in self.hosts.items():
            got = host.run(["ssh-agent", "sh", "-c", "ssh-add -q %s/key; exec \"$@\"" % host.folder, "sh",
                            *host.ssh_argv("anna", "-A", "h", "ssh-add -l; test -S \"$SSH_AUTH_SOCK\"")])
            self.equal(got.status, 0, "%s: %r" % (name, got))
            self.contains(got.text, "(ED25519)", name)

    def test_x11(self):
        """DISPLAY and the cookie of a forwarded X server; xauth's calls go by the shell."""
        t.need_program("xauth")
        for name, host in self.hosts.items():
            host.run(["xauth", "-f", host.folder + "/cookies", "add", "127.0.0.1:7", "MIT-MAGIC-COOKIE-1", "0" * 32])
            for words in ((), ("-tt",)):
                got = host.ssh("anna", "-Y", *words, "h", "echo $DISPLAY; xauth list | wc -l; test -n \"$DISPLAY\"",
                               env={"DISPLAY": "127.0.0.1:7", "XAUTHORITY": host.folder + "/cookies"})
                self.equal(got.status, 0, "%s: %r" % (name, got))
                self.matches(got.text, r"^localhost:1\d\.0\s+1\s", name)

    def test_as_editors_start(self):
        """As VS Code Remote begins: a script for a shell without a terminal, by stdin, with a
        port; it leaves a server behind that has let go of the streams."""
        script = ("uname -s\nprintf 'marker %s\\n' \"$0\"\ncd \"$HOME\"\n"
                  "(while :; do sleep 1; done) > server.log 2>&1 < /dev/null &\necho $! > server.pid\n"
                  "echo listening\nkill $(cat server.pid)\nexit 0\n")
        for shell in ("bash", "sh"):
            self.same("remote server by " + shell, "-T", "-D", "7009", "h", shell, stdin=script.encode(), status=0)
        self.same("no command", "-T", "h", stdin=script.encode(), status=0)

    def test_mosh(self):
        """mosh starts its server by ssh -tt and reads the port from it."""
        t.need_program("mosh-server")
        for name, host in self.hosts.items():
            got = host.ssh("anna", "-n", "-tt", "h", "LC_ALL=C.UTF-8 mosh-server new -i 127.0.0.1 -p 60001 -- true")
            self.equal(got.status, 0, "%s: %r" % (name, got))
            self.matches(got.text, r"MOSH CONNECT 60001 \S{22}", name)
            host.run(["pkill", "-u", str(host.uid("anna")), "mosh-server"])


t.main()
