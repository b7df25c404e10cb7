#!/usr/bin/python3
# opseald begins, ends, is killed and starts again; and says clearly why not.
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import captured
import opsealipc as ipc
import opsealtest as t

SOCKETS = {"record.sock": 0o600, "control.sock": 0o666, "session.sock": 0o666}

# A configuration, and what the one line about it must hold.
BAD_CONFIGS = [
    ("hold_tim = 3s\n", [":1:", "hold_time"]),
    ("input = on\nhold_time = soon\n", [":2:", "hold_time"]),
    ("on_log_failure = panic\n", [":1:", "on_log_failure"]),
    ("input = maybe\n", [":1:", "input"]),
    ("hold_time = 3s\nhold_time = 4s\n", [":2:", "hold_time"]),
    ("anchor_file = log/anchors\n", ["anchor_file", "absolute"]),
    ("nonsense\n", [":1:"]),
    ("hold_time = 9999h\n", [":1:", "hold_time"]),
]


class Life(t.Test):
    def opseald(self, *args, **options):
        return t.run(["opseald"] + list(args), **options)

    def again(self, inst, *args, store=None, run=None):
        """A second daemon beside inst; it must end by itself."""
        more = ["--no-drop"] if "--no-drop" in inst.daemon_args else []
        return self.opseald("--store", store or inst.store, "--run", run or inst.run_dir,
                            "--foreground", *more, *args, timeout=30)

    def test_start_and_stop(self):
        inst = self.instance()
        t.wait_for("the ready line", lambda: "opseald: ready, store %s run %s\n" % (
            inst.store, inst.run_dir) in inst.log())
        for name, mode in SOCKETS.items():
            st = os.stat(os.path.join(inst.run_dir, name))
            self.check(stat.S_ISSOCK(st.st_mode), name)
            self.equal(stat.S_IMODE(st.st_mode), mode, name)
        self.equal(sorted(os.listdir(inst.run_dir)), sorted([*SOCKETS, "lock"]), "names in RUN")
        self.equal(stat.S_IMODE(os.stat(os.path.join(inst.run_dir, "lock")).st_mode), 0o600, "lock")
        pids = inst.pids()
        self.equal(inst.stop(), 0, "exit status")
        self.equal(os.listdir(inst.run_dir), [], "sockets left behind")
        for pid in pids:
            self.check(t.gone(pid), "process %d is left" % pid)
        self.equal(os.listdir(os.path.join(inst.store, "wal")), [], "wal after a clean stop")
        self.equal(inst.log().count("\n"), 2, "lines of a daemon that had nothing to say but its start and end")

    def test_sigint_is_a_stop_too(self):
        inst = self.instance()
        os.killpg(inst.proc.pid, signal.SIGINT)  # as Ctrl-C: to all of them
        self.equal(inst.proc.wait(t.PATIENCE), 0, "exit status")
        self.equal(os.listdir(os.path.join(inst.store, "wal")), [], "wal after a clean stop")

    def test_sighup_changes_nothing(self):
        inst = self.instance()
        os.killpg(inst.proc.pid, signal.SIGHUP)
        time.sleep(0.2)
        self.check(inst.proc.poll() is None, "SIGHUP ended it")
        ipc.Client(inst.run_dir).close()

    def test_makes_its_folders(self):
        store, run = self.path("new-store"), self.path("new-run")
        inst = self.instance(start=False)
        inst.store, inst.run_dir = store, run
        inst.start()
        self.equal(stat.S_IMODE(os.stat(store).st_mode), 0o700, "mode of STORE")
        self.equal(stat.S_IMODE(os.stat(run).st_mode), 0o755, "mode of RUN")
        self.equal(inst.stop(), 0, "exit status")

    def test_second_daemon_on_the_store(self):
        inst = self.instance()
        for run in (inst.run_dir, self.path("run2")):
            result = self.exits(self.again(inst, run=run), 2)
            self.equal(self.one_line(result), "opseald: store %s: another opseald is writing it"
                       % inst.store, "message")
        ipc.Client(inst.run_dir).close()
        self.equal(inst.stop(), 0, "the first one's exit status")

    def test_second_daemon_in_the_run_folder(self):
        inst = self.instance()
        result = self.exits(self.again(inst, store=self.path("store2")), 2)
        self.contains(self.one_line(result), "run %s: another opseald" % inst.run_dir, "message")
        self.check(not os.path.exists(self.path("store2")), "a store was made, with keys")
        self.equal(sorted(os.listdir(inst.run_dir)), sorted([*SOCKETS, "lock"]), "names in RUN")
        self.equal(stat.S_IMODE(os.stat(os.path.join(inst.run_dir, "lock")).st_mode), 0o600, "lock")
        ipc.Client(inst.run_dir).close()

    def test_killed_roles_are_started_again(self):
        inst = self.instance()
        for role in ("query", "session", "writer"):
            pid = inst.role(role)
            os.kill(pid, signal.SIGKILL)
            # Whoever connects meanwhile waits in the queue of the socket.
            if role == "query":
                ipc.Client(inst.run_dir).close()
            t.wait_for("a new " + role, lambda: inst.role(role) not in (None, pid))
            t.wait_for("a line", lambda: "opseald: role %s: ended by signal 9; starting it again "
                       "in 100 ms\n" % role in inst.log())
        client = ipc.Client(inst.run_dir)
        kind, _ = client.ask(ipc.C_STATUS)
        self.equal(kind, ipc.C_STATUS_IS, "answer after the restarts")
        self.equal(inst.stop(), 0, "exit status")

    def test_backoff_grows(self):
        inst = self.instance()
        for _ in range(3):
            pid = t.wait_for("session", lambda: inst.role("session"))
            os.kill(pid, signal.SIGKILL)
            t.wait_for("its end", lambda: inst.role("session") != pid)
        t.wait_for("three lines", lambda: inst.log().count("starting it again") == 3)
        for ms in (100, 200, 400):
            self.contains(inst.log(), "starting it again in %d ms" % ms, "log")

    def test_killed_supervisor_takes_all_along(self):
        inst = self.instance()
        pids = inst.pids()
        os.kill(inst.proc.pid, signal.SIGKILL)
        inst.proc.wait()
        for pid in pids:
            t.wait_for("the end of %d" % pid, lambda: t.gone(pid))
        self.equal(sorted(os.listdir(inst.run_dir)), sorted([*SOCKETS, "lock"]), "stale sockets")
        inst.start()
        ipc.Client(inst.run_dir).close()
        self.equal(inst.stop(), 0, "exit status")

    def test_all_killed_and_started(self):
        inst = self.instance()
        for _ in range(3):
            inst.kill()
            inst.start()
        self.equal(inst.stop(), 0, "exit status")
        self.equal(os.listdir(os.path.join(inst.store, "log")), ["0"], "logs")

    def test_a_file_in_place_of_a_socket(self):
        """What is no socket is somebody's file; rename(2) would replace it."""
        inst = self.instance(start=False)
        path = os.path.join(inst.run_dir, "control.sock")
        with open(path, "w") as f:
            f.write("mine")
        result = self.exits(self.again(inst), 2)
        self.contains(self.one_line(result), "control.sock", "message")
        with open(path) as f:
            self.equal(f.read(), "mine", "the file")

    def test_bad_configurations(self):
        for text, words in BAD_CONFIGS:
            path = self.write("opseal.conf", text)
            result = self.exits(self.opseald("--store", self.path("s"), "--run", self.path("r"),
                                             "--foreground", "--config", path), 2, text)
            line = self.one_line(result)
            for word in [path] + words:
                self.contains(line, word, text)
            self.check(not os.path.exists(self.path("s")), "the store was made all the same")

    def test_missing_configuration(self):
        result = self.exits(self.opseald("--store", self.path("s"), "--run", self.path("r"),
                                         "--foreground", "--config", self.path("no.conf")), 2)
        self.contains(self.one_line(result), "no.conf", "message")

    def test_good_configuration(self):
        inst = self.instance(config="hold_time = 250ms\non_log_failure = refuse\ninput = on\n"
                                    "anchor_interval = 0\nanchor_syslog = off\nseal_after = 200ms\n")
        ipc.Client(inst.run_dir).close()
        self.equal(inst.stop(), 0, "exit status")

    def test_arguments(self):
        for args in (["--nonsense"], ["extra"], ["--store"], ["--role=writer"],
                     ["--role=writer", "--parent", "1"], ["--role=king", "--parent", "1"],
                     ["--parent", "x"]):
            result = self.exits(self.opseald(*args), 2, args)
            self.check(result.err, "%r: says nothing" % args)
        self.contains(self.exits(self.opseald("--help"), 0).text, "--foreground", "help")
        self.matches(self.exits(self.opseald("--version"), 0).text, r"^opseald \d", "version")

    def test_folders_of_others(self):
        inst = self.instance(start=False)
        os.chmod(inst.store, 0o777)
        result = self.exits(self.again(inst), 2)
        self.matches(self.one_line(result), "others may write.*; chmod go-w it$", "message")
        if t.is_root() and "--no-drop" not in inst.daemon_args:
            os.chmod(inst.store, 0o700)
            os.chown(inst.store, t.person().pw_uid, -1)
            result = self.exits(self.again(inst), 2)
            self.matches(self.one_line(result), "belongs to uid.*; (chown -R opseal: it, if|start opseald as that user)", "message")

    def test_recorders_are_let_in_first(self):
        """Capture takes its time to start; a running session waits for the writer alone."""
        captured.need_capture()
        inst = self.instance(capture=True, start=False)
        inst.launch()
        there = os.path.join(inst.run_dir, "record.sock")
        end = time.monotonic() + t.PATIENCE
        while not os.path.exists(there):
            self.check(time.monotonic() < end, "no record.sock: " + inst.log())
        self.equal([x for x in os.listdir(inst.run_dir) if re.match(r"(control|session)\.sock$", x)], [], "sockets")
        self.check("ready" not in inst.log(), "it was ready before")
        captured.wait_captured(inst)

    def test_no_such_parent_folder(self):
        result = self.exits(self.opseald("--store", self.path("a/b/c"), "--run", self.path("r"),
                                         "--foreground"), 2)
        self.contains(self.one_line(result), "a/b/c", "message")

    def test_run_path_too_long(self):
        run = self.path("x" * 100)
        result = self.exits(self.opseald("--store", self.path("s"), "--run", run, "--foreground"), 2)
        self.contains(self.one_line(result), "path", "message")

    def test_without_root(self):
        user = t.person()
        inst = self.instance(start=False)
        inst.daemon_args = []
        for path in (inst.store, inst.run_dir):
            os.chown(path, user.pw_uid, user.pw_gid)
        inst.preexec = t.become(user)
        inst.start()
        for pid in inst.pids():
            self.equal(os.stat("/proc/%d/stat" % pid).st_uid in (0, user.pw_uid), True, "owner")
        self.equal(inst.stop(), 0, "exit status")

    def test_without_the_user(self):
        """A root machine where nobody ran make deps or make install."""
        t.need_root("root, to hide the user opseal")
        hidden = self.write("passwd", "".join(
            line for line in open("/etc/passwd") if not line.startswith("opseal:")))
        os.chmod(hidden, 0o644)
        result = t.run(["unshare", "-m", "sh", "-c",
                        "mount --bind %s /etc/passwd && exec \"$@\"" % hidden, "x",
                        t.program("opseald"), "--store", self.path("s"), "--run", self.path("r"),
                        "--foreground"])
        self.exits(result, 2)
        line = self.one_line(result)
        for word in ("make deps", "useradd", "--no-drop"):
            self.contains(line, word, "message")
        self.check(not os.path.exists(self.path("s")), "the store was made all the same")

    def test_tells_the_service_manager(self):
        path = self.path("notify")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            s.bind(path)
            os.chmod(path, 0o666)
            s.settimeout(t.PATIENCE)
            inst = self.instance(env={"NOTIFY_SOCKET": path})
            self.equal(s.recv(100), b"READY=1", "notification")
            inst.stop()
            self.equal(s.recv(100), b"STOPPING=1", "notification")

    def test_background(self):
        inst = self.instance(start=False)
        argv = [a for a in inst.daemon_argv() if a != "--foreground"]
        result = self.exits(t.run(argv), 0)
        self.contains(self.one_line(result), "ready", "message")
        self.later(inst.destroy)
        supervisor = [p for p in t.processes_of(inst.store)
                      if b"--role" not in open("/proc/%d/cmdline" % p, "rb").read()]
        self.equal(len(supervisor), 1, "supervisors")
        pid = supervisor[0]
        self.equal(os.getsid(pid), pid, "its session")
        for fd in range(3):
            self.equal(os.readlink("/proc/%d/fd/%d" % (pid, fd)), "/dev/null", "fd %d" % fd)
        # Ready means ready: no waiting here.
        ipc.Client(inst.run_dir).close()
        result = self.exits(t.run(argv), 2)
        self.contains(self.one_line(result), "another opseald", "message")
        os.kill(pid, signal.SIGTERM)
        t.wait_for("the end", lambda: not t.processes_of(inst.store))
        self.equal(os.listdir(os.path.join(inst.store, "wal")), [], "wal after a clean stop")

    def test_closed_standard_descriptors(self):
        inst = self.instance(start=False)
        inst.preexec = lambda: os.closerange(0, 3)
        inst.start(says=False)
        self.equal(inst.stop(), 0, "exit status")


t.main()
