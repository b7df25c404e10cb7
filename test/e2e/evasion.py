#!/usr/bin/python3
# timeout: 300
"""The ways around a log of programs, one test each: what is seen all the same,
and what by nature isn't.  SECURITY.md, "What capture doesn't see", has the
latter.  Elsewhere: a reader that stands still under 20,000 programs
(capture.py), pids that come again (identity.py), a step of the clock (the unit
tests: no test may set the clock of a machine that others use)."""
import glob
import os
import resource
import shutil
import signal
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import captured as c
import opsealtest as t
import recorded as r

SYS_EXECVE_32 = 11


class Files(c.Captured):
    """The file that runs isn't where one looks for it."""

    def test_memfd(self):
        """Seen: its name and that it is no file; argv[0] is what it says."""
        pid = os.fork()
        if pid == 0:
            fd = os.memfd_create("evil-%d" % os.getpid(), os.MFD_CLOEXEC)
            with open("/bin/true", "rb") as f:
                os.write(fd, f.read())
            os.execve(fd, ["kworker/0:1"], {})
        self.equal(os.waitpid(pid, 0)[1], 0, "status")
        row = [p for p in self.everything() if p["pid"] == pid and p["kind"] == "exec"][0]
        self.matches(row["exe"], r"memfd:evil-%d" % pid)
        self.contains(row["flags"], "unlinked")
        self.equal((row["argv"], row["exit"]), (["kworker/0:1"], 0), "arguments and exit")
        text = self.inst.opseal("log", "--exe", row["exe"]).text
        self.matches(text, r"\(.*memfd:evil.*\) kworker/0:1 \[file without a name\]")

    def test_deleted(self):
        """Seen: the name that it had, and that it is gone."""
        path = self.program("deleted")
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        os.unlink(path)
        pid = os.fork()
        if pid == 0:
            os.execve(fd, ["deleted"], {})
        self.equal(os.waitpid(pid, 0)[1], 0, "status")
        self.contains(self.run_of(path)["flags"], "unlinked")

    def test_execveat_empty_path(self):
        """Seen: the file behind the descriptor."""
        path = self.program("at")
        self.evade("at", path, "x")
        row = self.run_of(path)
        self.equal(row["argv"], [path, "x"], "arguments")
        self.matches(row["filename"], r"^/dev/fd/\d+$")

    def test_binfmt_misc(self):
        """Seen: the file that ran, and the one that was asked for."""
        script, program = self.path("word.opsx"), self.program("runs-it")
        with open(script, "w") as f:
            f.write("any words")
        os.chmod(script, 0o755)
        done = t.run(["unshare", "-Urm", "sh", "-c", "mount -t binfmt_misc none /proc/sys/fs/"
                      "binfmt_misc && printf ':o:E::opsx::%s:' " + program +
                      " >/proc/sys/fs/binfmt_misc/register && exec " + script])
        if b"mount" in done.err:
            t.skip("binfmt_misc can't be mounted in a user namespace: %s" % done.errtext.strip())
        self.exits(done, 0)
        row = self.run_of(program)
        self.equal((row["filename"], row["interp"]), (script, program), "file asked for, and loader")
        self.equal(row["argv"], [program, script], "arguments")

    def test_five_scripts_deep(self):
        """Seen: one exec with all names that the kernel has; a sixth is refused,
        which is seen too."""
        program = self.program("runs-scripts")
        names = [program] + [self.path("script%d" % i) for i in range(1, 7)]
        for below, name in zip(names, names[1:]):
            self.made(os.path.basename(name), "#!%s\n" % below)
        t.run([names[5], "last"])
        row = self.run_of(program)
        self.equal((row["filename"], row["interp"]), (names[5], program), "asked for, interpreter")
        self.equal(row["argv"], names[:6] + ["last"], "arguments")
        try:
            t.run([names[6]])
            self.fail("a sixth script was executed")
        except OSError:
            pass
        self.equal(self.failed(names[6])["errno"], 40, "ELOOP")

    def test_loader(self):
        """`ld.so ./prog`: seen is ld.so, with the program as its argument.  Not
        seen: that what runs is the program."""
        loader = glob.glob("/lib64/ld-linux-*.so.*")
        if not loader:
            t.skip("no /lib64/ld-linux-*")
        program, loader = self.program("loaded"), os.path.realpath(loader[0])
        self.exits(t.run([loader, program, "x"]), 0)
        rows = [p for p in self.everything() if program in p.get("argv", [])]
        self.equal([(p["exe"], p["argv"]) for p in rows], [(loader, [loader, program, "x"])], "rows")


class Fed(c.Captured):
    """The program is what it should be; what it is told to do is not."""

    def test_c_and_e(self):
        """Seen: the text, as an argument."""
        for argv in (["sh", "-c", ": in-c-%d" % self.began], ["perl", "-e", "'in-e-%d'" % self.began]):
            if shutil.which(argv[0]):
                self.exits(t.run(argv), 0)
                self.equal(len([p for p in self.everything() if p.get("argv") == argv]), 1, argv[1])

    def test_stdin(self):
        """`curl | sh`.  Seen: sh, and the programs that it starts.  Not seen: the
        text that it read."""
        program = self.program("of-a-script")
        script = "true secret-word-%d; %s arg\n" % (self.began, program)
        shell = self.program("sh", "/bin/sh")
        self.exits(t.run([shell], stdin=script.encode()), 0)
        self.equal(self.run_of(shell)["argv"], [shell], "the shell")
        row = self.run_of(program)
        self.equal((row["argv"], row["ppid"]), ([program, "arg"], self.run_of(shell)["pid"]), "child")
        self.unseen("secret-word-%d" % self.began)

    def test_source(self):
        """Seen: what the file starts.  Not seen: that it was read."""
        program = self.program("sourced-one")
        script = self.write("words", "cd /\n%s\n" % program)
        self.exits(t.run(["sh", "-s"], stdin=(". %s\n" % script).encode()), 0)
        self.equal(self.run_of(program)["cwd"], "/", "working directory")
        self.unseen(script)

    def test_builtins(self):
        """Not seen: cd, echo, kill, read, a redirection.  On a recorded terminal
        they are on the screen."""
        made = self.path("made-by-echo")
        term = self.record_pty(self.inst, ["sh"])
        term.expect(r"\$ ")
        term.line("cd /; echo x >%s; kill -0 $$; echo it''-is-done" % made)
        term.expect("it-is-done")
        term.line("exit")
        self.equal(term.wait(), 0, "status")
        self.check(os.path.exists(made), "the shell made no file")
        self.unseen(made)
        text = t.wait_for("the screen", lambda: self.inst.opseal("cat", "last").text)
        self.contains(text.replace("\n", ""), "echo x >" + made, "the screen")

    def test_preload(self):
        """Seen: the program.  Not seen: the library that came into it."""
        library, proof = os.path.join(c.HELPER, "evade-library.so"), self.path("by-library")
        if not os.path.exists(library):
            t.skip("test/helper isn't built")
        program = self.program("innocent")
        self.exits(t.run([program], env={"LD_PRELOAD": library, "EVADE_FILE": proof}), 0)
        self.check(os.path.exists(proof), "the library did nothing")
        self.run_of(program)
        self.unseen("evade-library")

    def test_preload_named(self):
        """Seen where `environment` names it: that the library was asked for.  What
        isn't named is not kept, secrets are masked, and what was padded out of
        sight is said to be."""
        inst = self.own(config="environment = LD_PRELOAD, EVADE_WORD,DATABASE_URL\n")
        program, secret = self.program("innocent"), "hunter2-%d" % os.getpid()
        env = {"LD_PRELOAD": "/nonexistent.so", "EVADE_WORD": "\xe4 b\x1b", "OTHER": "hidden-one",
               "DATABASE_URL": "db://me:%s@host" % secret}
        os.waitpid(os.posix_spawn(program, ["plain"], {}), 0)
        os.waitpid(os.posix_spawn(program, ["with"], env), 0)
        os.waitpid(os.posix_spawn(program, ["long"], {"PAD": "x" * 5000, "EVADE_WORD": "y"}), 0)
        os.waitpid(os.posix_spawn(program, ["padded"], {"PAD": "x" * 40000, "EVADE_WORD": "y"}), 0)
        os.waitpid(os.posix_spawn(program, ["much"], {"EVADE_WORD": "y" * 5000}), 0)
        plain, given, long, padded, much = self.runs(program, 5, inst=inst)
        self.equal((plain.get("environment"), plain["flags"]), (None, []), "without any")
        self.equal(given["environment"][:2], ["LD_PRELOAD=/nonexistent.so", "EVADE_WORD=\xe4 b\x1b"],
                   "what is named")
        self.matches(given["environment"][2], r"^DATABASE_URL=db://me:\[masked %d [0-9a-f]{12}\]@host$"
                     % len(secret))
        self.equal((len(given["environment"]), given["flags"]), (3, ["masked"]), "no more of it")
        self.equal((long["environment"], long["flags"]), (["EVADE_WORD=y"], []), "a longer one")
        for row in (padded, much):
            self.equal((row.get("environment"), row["flags"]), (None, ["environment_cut"]), "too long")
        text = inst.opseal("log", "--exe", program).out
        self.contains(text, b"[with LD_PRELOAD=/nonexistent.so ")
        self.check(b"\x1b" not in text, "an escape in the list")
        inst.stop()
        for path in inst.segments():
            raw = t.run(["zstd", "-dcq", path]).out
            self.check(secret.encode() not in raw and b"hidden-one" not in raw, path)

    def test_ptrace(self):
        """A tracer makes a running process do things.  Seen: an exec that it is
        made to do, as its own.  Not seen: the tracer's hand, and other calls."""
        program, made = self.program("false", "/bin/false"), self.path("by-ptrace")
        self.evade("ptrace", made, program, want=1)
        self.check(os.path.isdir(made), "no directory was made")
        row, tracer = self.run_of(program), self.run_of(self.path("evade"))
        self.equal((row["ppid"], row["exit"]), (tracer["pid"], 1), "parent and exit")
        self.equal([p["pid"] for p in self.everything() if made in p.get("argv", [])],
                   [tracer["pid"]], "rows with the directory")

    def test_process_vm_writev(self):
        """Memory of a running process is changed.  Seen: what it executes then,
        and not what it had before."""
        program = self.program("written")
        self.evade("write", program)
        self.equal(self.run_of(program)["argv"], [program], "arguments")

    def test_userland_exec(self):
        """A program is mapped and jumped to.  Not seen: it; only who did that."""
        program = self.made("mapped", c.tiny(c.EXIT_42))
        self.evade("map", program, want=42)
        row = self.run_of(self.path("evade"))
        self.equal((row["argv"][1:], row["exit"]), (["map", program], 42), "the one that is seen")
        self.equal([p["exe"] for p in self.everything() if p.get("exe") == program], [], "program")

    def test_io_uring(self):
        """Has no exec.  Not seen: files and connections, as those of all programs."""
        with open("/proc/sys/kernel/io_uring_disabled") as f:
            if f.read().strip() == "2":
                t.skip("kernel.io_uring_disabled is 2")
        made = self.path("by-uring")
        self.evade("uring", made)
        rows = [p for p in self.everything() if made in str(p)]
        self.equal([p["exe"] for p in rows], [self.path("evade")], "rows with the file")


class Calls(c.Captured):
    """Odd ways to make the call."""

    def test_vfork(self):
        program = self.program("false", "/bin/false")
        self.evade("vfork", program, want=1)
        row = self.run_of(program)
        self.equal((row["ppid"], row["exit"]), (self.run_of(self.path("evade"))["pid"], 1),
                   "parent and exit")

    def test_thread(self):
        """By a thread that isn't the leader; identity.py has more."""
        program = self.program("false", "/bin/false")
        self.evade("thread", program, want=1)
        self.contains(self.run_of(program)["flags"], "thread")

    def test_all_arguments(self):
        """6 MiB, all that the kernel takes, and one byte of each kind that hurts."""
        program = self.program("much")
        limit = resource.RLIM_INFINITY
        argv = [program.encode(), b"a\nb", b"\x1b]0;x\x07", b"\xff\xfe", b"", b"x" * 131071, b""]
        argv += [b"%07d" % i * 1024 for i in range(850)]
        pid = os.fork()
        if pid == 0:
            resource.setrlimit(resource.RLIMIT_STACK, (limit, limit))
            os.execve(program, argv, {})
        self.equal(os.waitpid(pid, 0)[1], 0, "status")
        row = self.run_of(program)
        size = sum(len(a) + 1 for a in argv)
        self.check(6000000 < size < 6 << 20, "size %d" % size)
        self.equal(row["args_len"], size, "their size")
        self.check("argv_b64" in row, "no base64")
        self.equal([len(a) for a in row["argv"][4:]], [len(a) for a in argv[4:]], "lengths")
        self.equal(row["argv"][1:3], ["a\nb", "\x1b]0;x\x07"], "controls in JSON")
        self.equal(row["argv"][-1], argv[-1].decode(), "the last one")
        text = self.inst.opseal("log", "--exe", program).out
        self.check(b"\x1b" not in text and b"a\nb" not in text, "controls in the list")

    def test_argument_too_long(self):
        """131,072 bytes are one too many.  Seen: the exec that failed."""
        program = self.program("too-long")
        try:
            t.run([program, "x" * 131072])
            self.fail("executed")
        except OSError:
            pass
        self.equal(self.failed(program)["errno"], 7, "E2BIG")

    def test_no_arguments(self):
        """argc = 0: newer kernels make it one empty argument; older ones none."""
        program = self.program("none")
        self.evade("noargs", program)
        self.contains(([], [""]), self.run_of(program)["argv"])

    def test_argv0(self):
        """argv[0] is the caller's; the list shows the file."""
        program = self.program("real-file")
        pid = os.posix_spawn(program, ["[kworker/0:1]", "x"], {})
        self.equal(os.waitpid(pid, 0)[1], 0, "status")
        self.equal((self.run_of(program)["pid"], self.run_of(program)["argv"]),
                   (pid, ["[kworker/0:1]", "x"]), "pid and arguments")
        self.contains(self.inst.opseal("log", "--exe", program).text, "(%s) " % program)

    def test_renamed(self):
        """prctl(PR_SET_NAME) and a new title after the exec: seen is the old."""
        program = self.program("evade", os.path.join(c.HELPER, "evade"))
        with subprocess.Popen([program, "rename", "sshd"], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE) as proc:
            self.equal(proc.stdout.readline(), b"ready\n", "its word")
            with open("/proc/%d/comm" % proc.pid) as f:
                self.equal(f.read(), "sshd\n", "comm")
            with open("/proc/%d/cmdline" % proc.pid, "rb") as f:
                self.equal(f.read()[:5], b"sshd\0", "title")
            proc.stdin.close()
            self.equal(proc.wait(20), 0, "status")
        row = self.run_of(program)
        self.equal((row["argv"], row["comm"], row["exe"]),
                   ([program, "rename", "sshd"], "evade", program), "what is seen")

    def test_32_bit(self):
        """Seen: a 32-bit program, and what it executes.  Not seen: an exec of its
        that fails.  Where the kernel runs none: that exec, which fails."""
        program, missing = self.program("by-32"), self.path("missing-%d" % self.began)
        for name, target, want in (("good32", program, 0), ("bad32", missing, 7)):
            # The path and argv lie behind the code; mov eax, 11; mov ebx, path;
            # mov ecx, argv; xor edx, edx; int 0x80; mov al, 1; mov bl, 7; int 0x80
            data = 0x10000000 + 84 + 29
            code = struct.pack("<BIBIBI", 0xb8, SYS_EXECVE_32, 0xbb, data + 8, 0xb9, data)
            code += b"\x31\xd2\xcd\x80\x31\xc0\x40\xb3\x07\x0f\xb6\xdb\xcd\x80"
            code += struct.pack("<II", data + 8, 0) + os.fsencode(target) + b"\0"
            path = self.made(name, c.tiny(code, machine=3, wide=False))
            try:
                self.equal(t.run([path]).status, want, name)
            except OSError:
                self.equal(self.failed(path)["errno"], 8, "ENOEXEC")
                return
        self.equal(self.run_of(program)["argv"], [program], "what it executed")
        self.equal(self.run_of(self.path("bad32"))["exit"], 7, "exit of the other")
        self.unseen(missing)

    def test_x32(self):
        """Seen: where the kernel runs it, the program; elsewhere the failed exec."""
        path = self.made("x32", c.tiny(c.EXIT_42, wide=False))
        try:
            self.equal(t.run([path]).status, 42, "status")
            self.run_of(path)
        except OSError:
            self.equal(self.failed(path)["errno"], 8, "ENOEXEC")


class Places(c.Captured):
    """Namespaces: the names outside count."""

    def own_space(self, key, *argv, **options):
        """The row of a program that runs in another namespace."""
        program = self.program("in-" + key)
        self.exits(t.run(["unshare"] + list(argv) + [program], **options), 0)
        row, mine = self.run_of(program), self.run_of_here()
        self.check(row["ns_" + key] != mine["ns_" + key], "the namespace is ours")
        return row

    def run_of_here(self):
        program = self.program("here-%d" % time.monotonic_ns())
        t.run([program])
        return self.run_of(program)

    def test_user_namespace(self):
        """Who is root in there is seen as who he is outside."""
        user = t.person()
        row = self.own_space("user", "-Ur", user=user)
        self.equal((row["uid"], row["euid"], row["user"]), (user.pw_uid, user.pw_uid, user.pw_name),
                   "who")

    def test_pid_namespace(self):
        row = self.own_space("pid", "-fp")
        self.equal(row["nspid"], 1, "its pid in there")
        self.check(row["pid"] != 1, "its pid outside")

    def test_mount_namespace(self):
        """Seen: the path in that namespace, and its number."""
        os.mkdir(self.path("there"))
        path = self.path("there", "hidden")
        self.exits(t.run(["unshare", "-m", "sh", "-c", "mount -t tmpfs none %s && cp /bin/true %s && "
                          "exec %s" % (self.path("there"), path, path)]), 0)
        row = self.run_of(path)
        self.check(row["ns_mnt"] != self.run_of_here()["ns_mnt"], "the namespace is ours")
        self.check(not os.path.exists(path), "the file is here, too")

    def test_chroot(self):
        """Seen: the path from outside."""
        path = self.made("jailed", c.tiny(c.EXIT_42))
        pid = os.fork()
        if pid == 0:
            os.chroot(self.dir)
            os.chdir("/")
            os.execve("/jailed", ["/jailed"], {})
        self.equal(os.WEXITSTATUS(os.waitpid(pid, 0)[1]), 42, "exit")
        row = self.run_of(path)
        self.equal((row["filename"], row["cwd"]), ("/jailed", self.dir), "asked for, and folder")

    def test_pivot_root(self):
        """Seen: the path in the new root, and the namespace's number."""
        path = self.made("pivoted-%d" % self.began, c.tiny(c.EXIT_42))
        root, name = self.path("root"), os.path.basename(path)
        os.mkdir(root)
        done = t.run(["unshare", "-m", "sh", "-c", "mount -t tmpfs none %s && mkdir %s/old && cp %s %s "
                      "&& cd %s && pivot_root . old && exec /%s" % (root, root, path, root, root, name)])
        self.exits(done, 42)
        row = self.run_of("/" + name)
        self.check(row["ns_mnt"] != self.run_of_here()["ns_mnt"], "the namespace is ours")


class Rights(c.Captured):
    """Privileges that come with a file; identity.py has who that is."""

    def test_setuid(self):
        program, user = self.program("setuid", mode=0o4755), t.person()
        self.exits(t.run([program], user=user), 0)
        row = self.run_of(program)
        self.equal((row["uid"], row["euid"], row["exe_mode"]), (user.pw_uid, 0, "4755"), "who")
        self.contains(row["flags"], "secure")
        self.contains(self.inst.opseal("log", "--exe", program).text, "[gained privileges]")

    def test_file_capabilities(self):
        t.need_program("setcap")
        program, user = self.program("capable"), t.person()
        self.exits(t.run(["setcap", "cap_net_raw+ep", program]), 0)
        self.exits(t.run([program], user=user), 0)
        row = self.run_of(program)
        self.equal((row["euid"], row["caps"]), (user.pw_uid, 1 << 13), "who, and what he may")
        self.contains(row["flags"], "secure")
        self.equal(row.get("before_caps", 0), 0, "before")

    def test_no_new_privs(self):
        t.need_program("setpriv")
        program, user = self.program("setuid", mode=0o4755), t.person()
        self.exits(t.run(["setpriv", "--no-new-privs", program], user=user), 0)
        row = self.run_of(program)
        self.equal((row["uid"], row["euid"], row["flags"]), (user.pw_uid, user.pw_uid, []), "who")


class Blinding(c.Captured):
    """Root, and load: against capture itself."""

    def role(self, inst, name="capture"):
        return t.wait_for("role " + name, lambda: r.role_pids(inst, name))[0]

    def test_killed(self):
        """kill -9 (the OOM killer does the same): the role is started again.  What
        ran before is there, and what runs since.  Not seen: what ran between; the
        log says that there was such a time, and how long."""
        inst = self.own()
        before, after = self.program("before"), self.program("after")
        t.run([before])
        self.runs(before, inst=inst)
        old = self.role(inst)
        os.kill(old, signal.SIGKILL)
        t.wait_for("another process", lambda: r.role_pids(inst, "capture") not in ([], [old]))
        # Only when it is attached its programs are seen.
        c.wait_captured(inst)
        t.wait_for("programs that are seen", lambda: t.run([after]) and self.log(
            "--exe", after, inst=inst))
        self.runs(before, inst=inst)
        lost = [p for p in self.log(inst=inst) if p["kind"] == "lost"]
        self.equal([(p["counted"], p["execs"]) for p in lost], [(False, 0)], "the time between")
        self.check(0 < lost[0]["seconds"] < 120, "%s s" % lost[0]["seconds"])
        self.contains(inst.opseal("log").text, "[capture did not run for ")
        self.contains(inst.opseal("status").text, "died and was started again 1 time, opseal log says when")
        self.exits(inst.opseal("verify"), 0)

    def test_stopped(self):
        """Root stops the daemon properly, does something, and starts it again.  Not seen:
        what ran between; the log says that there was such a time."""
        inst = self.own()
        after = self.program("after")
        inst.restart()
        c.wait_captured(inst)
        t.run([after])
        t.wait_for("the program", lambda: [p for p in self.log("--exe", after, inst=inst) if p["kind"] == "exec"])
        lost = [p for p in self.log(inst=inst) if p["kind"] == "lost"]
        self.equal([(p["counted"], p["restarted"]) for p in lost], [(False, False)], "the time between")
        for _ in range(3):
            self.exits(inst.opseal("log", "--exe", "/no/such"), 5)
            inst.restart()
            c.wait_captured(inst)
        # Of many such times, and nothing else, there is a line.
        result = t.wait_for("all of them", lambda: (lambda r: r if "4 times" in r.errtext else None)(
            inst.opseal("log", "--exe", "/no/such")))
        self.equal((result.status, result.text), (5, ""), "status, rows")
        self.matches(result.errtext, r"capture did not run 4 times, .* in all, and one may have run then")
        self.equal(len(self.log("--exe", "/no/such", inst=inst)), 4, "rows of --json")

    def test_out_of_memory(self):
        """A program that the kernel kills for its memory.  Seen: signal 9, as that of
        anybody else's kill; and capture goes on."""
        group, limit = self.memory_group()
        with open(os.path.join(group, limit), "w") as f:
            f.write(str(24 << 20))
        swappiness = os.path.join(group, "memory.swap.max")
        if os.path.exists(swappiness):
            with open(swappiness, "w") as f:
                f.write("0")
        program = self.program("python", sys.executable)

        def enter():
            with open(os.path.join(group, "cgroup.procs"), "w") as f:
                f.write("0")
        done = t.run([program, "-c", "x = b'x' * (200 << 20)"], preexec=enter)
        if done.status == 0:
            t.skip("the limit of a memory cgroup has no effect here")
        self.equal(done.status, -9, "status")
        row = self.run_of(program)
        self.equal((row["exit"], row["signal"], row["core"]), (None, 9, False), "its end")
        # The kernel counts what it was before its exec, too: a copy of this test.
        most = (40 << 10) + resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        self.check(8 << 10 < row["maxrss"] < most, "maxrss %d KiB" % row["maxrss"])
        self.contains(self.inst.opseal("log", "--exe", program).text, " SIGKILL ")

    def memory_group(self):
        """A cgroup of its own with a limit for memory, of version 2 or 1."""
        with open("/proc/self/mounts") as f:
            mounts = [x.split() for x in f]
        for _, path, kind, options, *_ in mounts:
            group = os.path.join(path, "opseal-test-%d" % os.getpid())
            name = "memory.max" if kind == "cgroup2" else "memory.limit_in_bytes"
            if kind == "cgroup2" or (kind == "cgroup" and "memory" in options.split(",")):
                try:
                    os.mkdir(group)
                except OSError:
                    continue
                self.later(lambda group=group: os.rmdir(group))
                if os.path.exists(os.path.join(group, name)):
                    return group, name
        return t.skip("no memory cgroup can be made here")

    def test_crash(self):
        """A crash, kexec, the power: what was acknowledged is there."""
        inst = self.own()
        before = self.program("before")
        t.run([before])
        self.runs(before, inst=inst)
        inst.kill()
        inst.start()
        self.runs(before, inst=inst)
        self.exits(inst.opseal("verify"), 0)

    def test_other_logs_off(self):
        """`accton off`, `auditctl -D`: capture rests on neither."""
        program = self.program("after-that")
        if shutil.which("accton"):
            t.run(["unshare", "-fp", "--mount-proc", "accton", "off"])
        if shutil.which("auditctl") and b"No rules" in t.run(["auditctl", "-l"]).out:
            t.run(["auditctl", "-D"])
        t.run([program])
        self.run_of(program)

    def test_bpf_tools(self):
        """`bpftool link detach` is refused for these links, `sysctl kernel.bpf_stats_enabled`
        changes nothing, and there is no pin to remove."""
        t.need_program("bpftool")
        inst, program = self.own(), self.program("after-that")
        role = self.role(inst)
        links = [os.readlink(x) for x in glob.glob("/proc/%d/fd/*" % role)]
        self.check([x for x in links if "bpf" in x], "no BPF descriptors in %s" % links)
        ids = set()
        for fd in os.listdir("/proc/%d/fdinfo" % role):
            try:
                with open("/proc/%d/fdinfo/%s" % (role, fd)) as f:
                    ids |= {x.split()[1] for x in f if x.startswith("link_id:")}
            except FileNotFoundError:
                pass  # one that the role closed meanwhile: a file of /proc, no link
        self.check(len(ids) >= 3, "links: %s" % ids)
        for link in ids:
            self.check(t.run(["bpftool", "link", "detach", "id", link]).status != 0,
                       "link %s was detached" % link)
        done = t.run(["bpftool", "prog", "show", "--bpffs"])
        self.check("pinned" not in done.text or "opseal" not in done.text, "a pin: %r" % done)
        t.run([program])
        self.runs(program, inst=inst)
        stats = "/proc/sys/kernel/bpf_stats_enabled"
        if not os.path.exists(stats):
            t.skip("no " + stats)
        with open(stats) as f:
            before = f.read()
        for value in "1", "0":
            with open(stats, "w") as f:
                self.later(lambda: open(stats, "w").write(before))
                f.write(value)
            with_stats = self.program("stats-" + value)
            t.run([with_stats])
            row = self.runs(with_stats, inst=inst)[0]
            self.equal((row["exit"], row["argv"]), (0, [with_stats]), "with statistics " + value)
        self.equal([p for p in self.log(inst=inst) if p["kind"] == "lost"], [], "lost")

    def test_disk_full(self):
        """Nothing can be written for a while.  Seen afterwards: all of it."""
        inst, program = self.own(), self.program("while-full")
        writer = self.role(inst, "writer")
        t.limit_files(writer, 1)
        for i in range(50):
            t.run([program, str(i)])
        time.sleep(1)
        t.limit_files(writer, resource.RLIM_INFINITY)
        rows = self.runs(program, 50, inst=inst)
        self.equal({p["argv"][1] for p in rows}, {str(i) for i in range(50)}, "programs")

    def test_fork_bomb(self):
        """1,000 processes that execute nothing, from five that each wait for none."""
        shell = self.program("bomb", "/bin/sh")
        pids = [os.posix_spawn(shell, ["sh", "-c", "i=0; while [ $i -lt 200 ]; do (exit 9) & "
                                       "i=$((i + 1)); done; wait"], {}) for _ in range(5)]
        for pid in pids:
            self.equal(os.waitpid(pid, 0)[1], 0, "a branch")
        forks = [p for p in self.everything() if p["kind"] == "ended" and p["ppid"] in pids]
        self.equal({(p["exit"], tuple(p["flags"]), p["comm"]) for p in forks},
                   {(9, ("forked",), "bomb")}, "what they are")
        self.equal(len({(p["pid"], p["start"]) for p in forks}), 1000, "processes")


if __name__ == "__main__":
    t.main()
