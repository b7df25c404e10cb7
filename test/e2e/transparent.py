#!/usr/bin/python3
# timeout: 900
"""What people do over ssh, through Debian's sshd, with the door as the account's shell
and without it: the same bytes, the same status, the same environment (P6)."""
import hashlib
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import opsealtest as t
import sshhost

# What of a process its children have from it, and how it stands to its session.
STATE = r"""echo "$0 $SHELL $-"; shopt -q login_shell; echo "login $?"; umask; ulimit -a; ulimit -Ha
for f in /proc/self/fd/*; do readlink $f; done | sed 's/[0-9]\+/N/g'; trap
grep -E '^(Umask|Groups|Seccomp|NoNewPrivs|Sig...|Cap...|Uid|Gid|CoreDumping|TracerPid)' /proc/self/status
cat /proc/$$/oom_score_adj /proc/$$/coredump_filter /proc/$$/cgroup /proc/$$/loginuid; cat /proc/self/timerslack_ns
nice; id; pwd; set -- $(sed 's/.*) //' /proc/$$/stat); echo "$(($3 == $$)) $(($4 == $$))"
"""


class Commands(sshhost.Twin):
    def test_status(self):
        for command in ("true", "false", "exit 7", "kill -9 $$", "kill -TERM $$", "/no/such", "(exit 300)",
                        "ulimit -c 0; kill -SEGV $$", "exec /no/such", "sh -c 'kill -INT $$'"):
            self.same(command, "h", command)
        self.equal([(s["user"], s["command"]) for s in self.sessions()][:3],
                   [("anna", "bash -c " + c) for c in ("true", "false", "exit 7")], "sessions")

    def test_environment(self):
        for options in ((), ("-tt",)):
            got = self.same("env", *options, "h", "env", told=sshhost.without_numbers)
            self.contains(got.out, b"SHELL=/bin/bash", "env")
        self.same("one that is sent", "-o", "SendEnv=TEST_*", "h", "env", told=sshhost.without_numbers,
                  env={"TEST_A": "a b\tc", "TEST_EMPTY": ""})

    def test_state(self):
        for options in ((), ("-tt",)):
            got = self.same("state", *options, "h", STATE, told=sshhost.without_numbers)
            self.contains(got.text, "bash /bin/bash", "$0 and SHELL")
        # As a login shell: what it reads comes by stdin.
        got = self.same("login shell", "h", stdin=STATE.encode(), told=sshhost.without_numbers)
        self.contains(got.text, "-bash /bin/bash", "$0 and SHELL")
        self.contains(got.text, "login 0", "login_shell")

    def test_bytes(self):
        """Each byte, both ways, and none added at the end."""
        data = os.urandom(3000000) + bytes(range(256)) * 40
        got = self.same("cat", "h", "cat", stdin=data)
        self.equal(hashlib.sha256(got.out).hexdigest(), hashlib.sha256(data).hexdigest(), "bytes")
        self.same("stderr apart", "h", "printf 'o\\0ut'; printf '\\377err' >&2")
        self.same("no stdin", "-n", "h", "cat; echo end")
        self.same("a command from stdin", "h", stdin=b"echo one\nexit 5\n", status=5)
        self.same("closed early", "h", "head -c 5", stdin=b"x" * 100000)
        self.same("quotes", "h", "printf '%s|' 'a b' \"c'd\" '' \\* \"$((1+1))\"")
        self.same("a newline", "h", "echo one\necho two")
        self.same("empty", "h", "")

    def test_transfer(self):
        """scp of both protocols, sftp, rsync: the files, and what they print."""
        data = os.urandom(700000)
        source = self.path("source")
        os.makedirs(source + "/sub")
        for name, text in (("a", data), ("sub/b", b"b\n"), ("sub/ü", b"")):
            with open(os.path.join(source, name), "wb") as f:
                f.write(text)

        def copies(host):
            ssh = " ".join(host.ssh_argv("anna"))
            config = os.path.join(host.folder, "ssh_config")
            results = []
            for argv in (["scp", "-F", config, "-rp", source, "anna@h:new"],
                         ["scp", "-O", "-F", config, "-rp", source, "anna@h:old"],
                         ["scp", "-F", config, "-r", "anna@h:new", host.folder + "/back-new"],
                         ["scp", "-O", "-F", config, "-r", "anna@h:old", host.folder + "/back-old"],
                         ["scp", "-O", "-F", config, "anna@h:none", host.folder + "/none"],
                         ["rsync", "-a", "-e", ssh, source + "/", "h:synced"],
                         ["rsync", "-a", "--delete", "-e", ssh, "h:synced/", host.folder + "/back-synced"],
                         ["rsync", "-a", "-e", ssh, "h:none", host.folder]):
                got = host.run(argv)
                results.append((got.status, got.out.replace(host.folder.encode(), b""), re.sub(
                    rb"rsync\(\d+\)|\[\w+=[\d.]+\]", b"", got.err.replace(host.folder.encode(), b""))))
            batch = host.write("batch", "put %s/a viasftp\nls -1\nget viasftp %s/back-sftp\nrm viasftp\n" % (
                source, host.folder))
            got = host.run(["sftp", "-F", config, "-b", batch, "anna@h"])
            results.append((got.status, got.out.replace(host.folder.encode(), b""), got.err))
            for back in ("back-new", "back-old", "back-synced"):
                got = t.run(["diff", "-r", source, os.path.join(host.folder, back)])
                results.append((got.status, got.out))
            with open(os.path.join(host.folder, "back-sftp"), "rb") as f:
                results.append(hashlib.sha256(f.read()).hexdigest())
            return results
        t.need_program("scp", "sftp", "rsync")
        got = self.both(copies)
        self.equal(got["door"], got["plain"], "transfers")
        self.equal(got["plain"][-1], hashlib.sha256(data).hexdigest(), "by sftp")
        self.equal([x[0] for x in got["plain"][:8]], [0, 0, 0, 0, 1, 0, 0, 23], "status")
        # None of it is stored as what a screen showed.
        for s in self.sessions():
            self.equal(s["bytes_out"] or 0, 0, "%s" % s["command"])

    def test_git(self):
        t.need_program("git")

        def work(host):
            env = {"GIT_SSH_COMMAND": " ".join(host.ssh_argv("anna")), "HOME": host.folder,
                   "GIT_AUTHOR_DATE": "@1 +0000", "GIT_COMMITTER_DATE": "@1 +0000",
                   "GIT_CONFIG_COUNT": "3", "GIT_CONFIG_KEY_0": "user.name", "GIT_CONFIG_VALUE_0": "a",
                   "GIT_CONFIG_KEY_1": "user.email", "GIT_CONFIG_VALUE_1": "a@b",
                   "GIT_CONFIG_KEY_2": "init.defaultBranch", "GIT_CONFIG_VALUE_2": "main"}
            here = os.path.join(host.folder, "work")
            results = []
            for argv in (["ssh", "-F", host.folder + "/ssh_config", "anna@h", "git init -q --bare r.git"],
                         ["git", "init", "-q", here], ["git", "-C", here, "commit", "-q", "--allow-empty", "-m", "x"],
                         ["git", "-C", here, "push", "-q", "h:r.git", "HEAD:main"],
                         ["git", "clone", "-q", "h:r.git", here + "-again"],
                         ["git", "ls-remote", "h:r.git"], ["git", "ls-remote", "h:none.git"]):
                got = host.run(argv, env=env)
                results.append((got.status, got.out.replace(host.folder.encode(), b""), got.err))
            return results
        got = self.both(work)
        self.equal(got["door"], got["plain"], "git")
        self.equal([x[0] for x in got["plain"]], [0] * 6 + [128], "status")

    def test_restricted_keys(self):
        """command=, rrsync and a forced command of sshd's stay what they are."""
        keys = {"forced": 'command="echo forced: $SSH_ORIGINAL_COMMAND",restrict',
                "env": 'environment="TEST_KEY=k",command="env"',
                "pty": 'command="tty | sed s/[0-9]*$/N/; echo $-; exit 3"'}
        for host in self.hosts.values():
            host.restart_sshd("PermitUserEnvironment yes\n")
        for name, options in keys.items():
            for host in self.hosts.values():
                with open(os.path.join(host.folder, "key.pub")) as f:
                    host.put("/home/anna/.ssh/authorized_keys", "%s %s" % (options, f.read()))
            for words in (("-tt", "h"), ("-tt", "h", "bash"), ("h",), ("h", "rm -rf /")):
                got = self.same("%s %s" % (name, words), *words, told=sshhost.without_numbers)
            self.equal(got.status, 3 if name == "pty" else 0, "%s: %r" % (name, got))
            if name == "forced":
                self.equal(got.out, b"forced: rm -rf /\n", name)

    def test_rc(self):
        """~/.ssh/rc runs before, with what sshd gives it."""
        for host in self.hosts.values():
            host.put("/home/anna/.ssh/rc", "echo rc $# >&2; cat >/dev/null; echo \"$SHELL\" > ~/rc-ran\n")
        self.same("rc", "h", "echo and then; cat rc-ran")


t.main()
