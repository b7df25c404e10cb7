"""Row L of tools/bench: what a login by ssh costs with the door as the account's shell.

`ssh host true` through Debian's sshd, of one host without the door, of another like it
(the control), and of one with it; each has accounts, mounts and network of its own."""
import os
import shutil
import statistics
import subprocess
import time

import opsealtest
import sshhost

GOAL = 1.05


class Cleanups:
    """What sshhost.Host.instance() wants of a test."""

    def __init__(self):
        self.list = []

    def later(self, function):
        self.list.append(function)

    def run(self):
        for function in reversed(self.list):
            function()


def percentile(values, percent):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


class Logins:
    def __init__(self, bench, quick):
        self.bench, self.each = bench, 8 if quick else 40
        self.base = os.path.join("/tmp", "opseal-bench-logins")
        self.hosts = {}

    def login(self, host):
        argv = host.ssh_argv("anna", "h", "true")
        began = time.monotonic()
        status = subprocess.run(argv, stdin=subprocess.DEVNULL, preexec_fn=host.enter, check=False).returncode
        took = time.monotonic() - began
        if status != 0:
            raise SystemExit("bench: ssh host true: status %d\n%s" % (status, host.log()[-2000:]))
        return took

    def measure(self, rounds):
        """{name: [[seconds of each login] of each round]}, their order another each time."""
        times = {name: [] for name in self.hosts}
        for host in self.hosts.values():
            self.login(host)
        for i in range(rounds):
            names = list(self.hosts)
            for name in names[i % 3:] + names[:i % 3]:
                times[name].append([self.login(self.hosts[name]) for _ in range(self.each)])
        return times

    def row(self, rounds):
        shutil.rmtree(self.base, ignore_errors=True)
        cleanups = Cleanups()
        try:
            for name in ("without", "without again", "opseal"):
                host = sshhost.Host(os.path.join(self.base, name.replace(" ", "-")))
                cleanups.later(host.close)
                self.hosts[name] = host
            door = self.hosts["opseal"]
            door.set_shells()
            inst = door.instance(cleanups)
            times = self.measure(rounds)
            recorded = inst.opseal("ls", "--json").text.count('"command":"bash -c true"')
        except opsealtest.Skip as e:
            print("L    left out: %s" % e)
            return
        finally:
            cleanups.run()
            shutil.rmtree(self.base, ignore_errors=True)
        self.report(times)
        want = rounds * self.each + 1
        print("     recorded: %d of %d" % (recorded, want))
        if recorded != want:
            raise SystemExit("bench: logins that are not recorded")

    def report(self, times):
        base = times["without"]
        for part, percent in (("p50", 50), ("p99", 99)):
            control, ours = ([percentile(a, percent) / percentile(b, percent) for a, b in zip(times[name], base)]
                             for name in ("without again", "opseal"))
            control.sort()
            low, high = control[len(control) // 10], control[-1 - len(control) // 10]
            median = statistics.median(ours)
            verdict = ("reached" if median <= GOAL else
                       "reached (control's spread)" if median <= GOAL * max(1.0, high) else "NOT reached")
            alone = [percentile([t for r in times[name] for t in r], percent) * 1000 for name in ("without", "opseal")]
            print("%-3s  %-52s goal <= %.2f  ours %-9.3f %s" % (
                "L", "ssh host true, %s, of without" % part, GOAL, median, verdict))
            print("     %.1f ms without, %.1f ms with; control %.3f (%.2f to %.2f)" % (
                *alone, statistics.median(control), low, high))
        self.bench.keep("L", times=times)
