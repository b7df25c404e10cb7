"""Rows 4 and 5 of tools/bench: what it costs to know which programs run.

Every watcher is switched on for its turn alone, since each sees the whole
machine.  As root only; the kernel's audit rules and accounting are as they were
afterwards, which needs that nobody else uses them now."""
import glob
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import time

import opsealtest

AUDITD_CONF = """log_file = %s/audit.log
log_format = RAW
log_group = root
flush = INCREMENTAL_ASYNC
freq = 50
num_logs = 2
max_log_file = 500
max_log_file_action = IGNORE
space_left = 75
space_left_action = IGNORE
admin_space_left = 50
admin_space_left_action = IGNORE
disk_full_action = IGNORE
disk_error_action = IGNORE
"""


def call(*argv, **more):
    return subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, **more)


def wait_for(check, what):
    end = time.monotonic() + 20
    while not check():
        if time.monotonic() > end:
            raise SystemExit("bench: waited in vain for " + what)
        time.sleep(0.05)


class Nothing:
    """The machine as it is."""

    def __init__(self, name):
        self.name, self.folder = name, None

    def usable(self):
        return True

    def start(self):
        pass

    def stop(self):
        pass

    def argv(self, command):
        return command

    def env(self):
        return {}

    def cpu(self):
        """CPU seconds of its own processes so far."""
        return 0.0

    def stored(self):
        """Bytes it left, after stop()."""
        return sum(os.path.getsize(os.path.join(top, n))
                   for top, _, names in os.walk(self.folder) for n in names)


class Opseal(Nothing):
    def start(self):
        self.instance = opsealtest.Instance(self.folder, capture=True)
        wait_for(lambda: "programs    captured" in self.instance.opseal("status").text, "capture")

    def stop(self):
        status = self.instance.opseal("status", "--json")
        self.lost = json.loads(status.text)["capture_lost"]
        self.instance.stop(120)

    def cpu(self):
        ticks = 0
        for pid in self.instance.pids():
            with open("/proc/%d/stat" % pid, "rb") as f:
                fields = f.read().rpartition(b")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def stored(self):
        return sum(os.path.getsize(os.path.join(top, n))
                   for part in ("data", "log")
                   for top, _, names in os.walk(os.path.join(self.folder, "store", part))
                   for n in names)


class Acct(Nothing):
    def usable(self):
        return shutil.which("accton") is not None

    def argv(self, command):
        # Accounting is a pid namespace's own.
        path = os.path.join(self.folder, "pacct")
        open(path, "w").close()
        return ["unshare", "--pid", "--fork", "--mount-proc", "sh", "-c",
                'accton "$0" >/dev/null && "$@"', path] + command


class Snoopy(Nothing):
    LIBRARY = (glob.glob("/usr/lib/*/libsnoopy.so") + [""])[0]

    def usable(self):
        return self.LIBRARY != "" and os.path.exists("/etc/snoopy.ini")

    def start(self):
        path = os.path.join(self.folder, "snoopy.ini")
        with open(path, "w") as f:
            f.write("[snoopy]\noutput = file:%s/log\n" % self.folder)
        subprocess.run(["mount", "--bind", path, "/etc/snoopy.ini"], check=True)

    def stop(self):
        subprocess.run(["umount", "/etc/snoopy.ini"], check=True)

    def env(self):
        return {"LD_PRELOAD": self.LIBRARY}


class Auditd(Nothing):
    RULE = ("always,exit", "-F", "arch=b64", "-S", "execve,execveat")

    def usable(self):
        return shutil.which("auditd") is not None and "pid 0" in call("auditctl", "-s").stdout

    def start(self):
        os.makedirs(self.folder, exist_ok=True)
        conf = os.path.join(self.folder, "auditd.conf")
        os.makedirs(os.path.join(self.folder, "etc"))
        conf = os.path.join(self.folder, "etc", "auditd.conf")
        with open(conf, "w") as f:
            f.write(AUDITD_CONF % self.folder)
        self.proc = subprocess.Popen(["auditd", "-n", "-c", os.path.dirname(conf)],
                                     stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                     stderr=subprocess.DEVNULL)
        wait_for(lambda: "pid %d" % self.proc.pid in call("auditctl", "-s").stdout, "auditd")
        call("auditctl", "-b", "8192")
        done = call("auditctl", "-a", *self.RULE)
        if done.returncode != 0:
            raise SystemExit("bench: auditctl: " + done.stderr)

    def stop(self):
        call("auditctl", "-d", *self.RULE)
        time.sleep(0.3)
        self.proc.send_signal(signal.SIGTERM)
        self.proc.wait(20)
        call("auditctl", "-e", "0")

    def cpu(self):
        with open("/proc/%d/stat" % self.proc.pid, "rb") as f:
            fields = f.read().rpartition(b")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def watchers(base):
    found = [Nothing("nothing"), Nothing("nothing again"), Opseal("opseal"), Auditd("auditd"),
             Snoopy("snoopy"), Acct("acct")]
    for w in found:
        w.folder = os.path.join(base, "watch-" + w.name.replace(" ", "-"))
    return found


def processes():
    """Made since the boot."""
    with open("/proc/stat") as f:
        return int(re.search(r"(?m)^processes (\d+)", f.read()).group(1))


class Programs:
    def __init__(self, bench, quick):
        self.bench, self.quick = bench, quick
        self.spawn = os.path.join(bench.build, "test/bench/bench-spawn")
        self.all = []
        self.lost = 0
        for w in watchers(bench.base):
            if w.usable():
                self.all.append(w)
            else:
                print("%s: not here (or in use), left out" % w.name)

    def turn(self, w, argv, warm=False):
        """(what argv printed, CPU seconds of all of it), with w switched on.
        warm: how it goes, and not how it starts, whoever it is, or nobody."""
        shutil.rmtree(w.folder, ignore_errors=True)
        os.makedirs(w.folder, mode=0o755)
        w.start()
        try:
            if warm:
                call(*w.argv([self.spawn, "1000"]), env=dict(os.environ, **w.env()))
            from_cpu, own = w.cpu(), os.times()
            done = call(*w.argv(argv), env=dict(os.environ, **w.env()))
            time.sleep(0.3)  # for what its own processes still have to do
            after = os.times()
            cpu = (after.children_user + after.children_system - own.children_user -
                   own.children_system) + w.cpu() - from_cpu
        finally:
            w.stop()
        if done.returncode != 0:
            raise SystemExit("bench: %s: %s" % (w.name, done.stderr))
        return done.stdout, cpu

    def rounds(self, count, argv, value):
        values = {w.name: [] for w in self.all}
        cpus = {w.name: [] for w in self.all}
        for n in range(count):
            for w in (self.all if n % 2 == 0 else self.all[::-1]):
                out, cpu = self.turn(w, argv, warm=True)
                values[w.name].append(value(out))
                cpus[w.name].append(cpu)
                if w.name == "opseal":
                    self.lost += w.lost
        return values, cpus

    def row4(self, rounds):
        n = 1000 if self.quick else 5000
        self.lost = 0
        rates, cpus = self.rounds(rounds, [self.spawn, str(n)], lambda out: 1e9 * n / int(out))
        self.report("4", "%d x posix_spawn, rate of without" % n, rates, 0.98)
        print("     CPU seconds: " + ", ".join(
            "%s %.2f" % (name, statistics.median(c)) for name, c in cpus.items()))
        print("     lost by opseal: %d" % self.lost)
        self.bench.keep("4", rates=rates, cpu=cpus, lost=self.lost)

    def row4_compile(self, rounds, source):
        """A compile of a C project with and without."""
        self.lost = 0
        kept, self.all = self.all, [w for w in self.all if w.name in (
            "nothing", "nothing again", "opseal")]
        folder = os.path.join(self.bench.base, "compile")
        shutil.rmtree(folder, ignore_errors=True)
        # Not optimized: so there are more programs in the same time.
        done = call("meson", "setup", folder, source, "-Dbench=true", "-Dtests=true",
                    "-Doptimization=0", "-Ddebug=false")
        if done.returncode != 0:
            raise SystemExit("bench: meson: " + done.stdout + done.stderr)
        script = ("ninja -C %s -t clean >/dev/null; s=$(date +%%s%%N); ninja -C %s >/dev/null; "
                  "e=$(date +%%s%%N); echo $((e - s))" % (folder, folder))
        before = processes()
        times, cpus = self.rounds(rounds, ["sh", "-c", script], lambda out: 1e9 / int(out))
        each = (processes() - before) / (rounds * len(self.all))
        self.report("4c", "a compile of opseal, speed of without", times, 1 / 1.02)
        print("     about %d processes each; CPU seconds: %s" % (each, ", ".join(
            "%s %.2f" % (name, statistics.median(c)) for name, c in cpus.items())))
        print("     lost by opseal: %d" % self.lost)
        self.bench.keep("4c", speeds=times, cpu=cpus, lost=self.lost)
        self.all = kept
        shutil.rmtree(folder, ignore_errors=True)

    def report(self, row, what, values, goal):
        base = values["nothing"]
        ratios = {n: [v / b for v, b in zip(vs, base)] for n, vs in values.items() if n != "nothing"}
        control = sorted(ratios.pop("nothing again"))
        low, high = control[len(control) // 10], control[-1 - len(control) // 10]
        medians = {n: statistics.median(r) for n, r in ratios.items()}
        ours = medians.pop("opseal")
        verdict = ("reached" if ours >= goal else
                   "reached (control's spread)" if ours >= goal * min(1.0, low) else "NOT reached")
        print("%-3s  %-52s goal >= %.2f  ours %-9.3f %s" % (row, what, goal, ours, verdict))
        if medians:
            print("     peers: " + ", ".join("%s %.2f" % (n, v) for n, v in medians.items()))
        print("     control, nothing of nothing: %.3f (%.2f to %.2f)" % (
            statistics.median(control), low, high))

    def row5(self):
        for row, what, n, rate in (
                ("5", "bytes stored a program and its end, as fast as it goes",
                 2000 if self.quick else 20000, 0),
                ("5b", "the same at 10 a second", 100 if self.quick else 300, 10)):
            values, speed = {}, 0.0
            for w in self.all:
                if w.name.startswith("nothing") or (rate and w.name != "opseal"):
                    continue
                self.lost = 0
                out, _ = self.turn(w, [self.spawn, str(n)] + ([str(rate)] if rate else []))
                values[w.name] = w.stored() / n
                if w.name == "opseal":
                    speed = 1e9 * n / int(out)
            ours = values.pop("opseal")
            goal = "<= 100" if not rate else ""
            # What a second costs is shared by its programs: fewer than the
            # thousand of the goal make each dearer, not cheaper.
            verdict = "" if rate else "reached" if ours <= 100 else "NOT reached"
            print("%-3s  %-52s goal %-9s ours %-9.1f %s" % (row, what, goal, ours, verdict))
            print("     at %.0f a second" % speed + ("; peers: " + ", ".join(
                "%s %.0f" % (k, v) for k, v in values.items()) if values else ""))
            self.bench.keep(row, ours=ours, peers=values, rate=speed)
