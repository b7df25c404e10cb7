#!/usr/bin/python3
# timeout: 300
"""What a row says of a program and of what it used, against what the kernel says of
the same process elsewhere: stat(2), /proc, getrusage(2)."""
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import captured as c
import opsealtest as t

SPACES = ("pid", "mnt", "net", "uts", "user", "cgroup")
MB = 1 << 20

# It uses memory and disk, tells what /proc/self/io says then, and ends.
USES = """
import os, sys
data = bytes(range(256)) * (48 << 12)  # 48 MiB, each page touched
with open(sys.argv[1], "wb", 0) as f:
    f.write(data[:3 << 20])
    os.fsync(f.fileno())
    os.posix_fadvise(f.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
with open(sys.argv[1], "rb", 0) as f:
    while f.read(1 << 20):
        pass
for i in range(300000):
    pass
print(open("/proc/self/io").read())
"""


def device(number):
    return "%d:%d" % (os.major(number), os.minor(number))


class Fields(c.Captured):
    def look(self, argv, **options):
        """Run a copy of cat by argv, look at its process while it waits, and end it;
        gives its row and what /proc says: status, stat, maps, cgroup, namespaces."""
        program, seen = argv[-1], {}
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **options) as proc:
            proc.stdin.write(b"x")
            proc.stdin.flush()
            self.equal(proc.stdout.read(1), b"x", "cat")  # so it is running
            pid = self.pid_of(program)
            for name in "status", "stat", "maps", "cgroup":
                with open("/proc/%d/%s" % (pid, name)) as f:
                    seen[name] = f.read()
            seen["pid"] = pid
            seen["ns"] = {x: os.stat("/proc/%d/ns/%s" % (pid, x)).st_ino for x in SPACES}
            seen["exe"] = os.stat("/proc/%d/exe" % pid)
            proc.stdin.close()
            self.equal(proc.wait(20), 0, "status")
        return self.run_of(program), seen

    def pid_of(self, program):
        """unshare -f puts a process between."""
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                if os.readlink("/proc/%s/exe" % pid) == program:
                    return int(pid)
            except OSError:
                pass
        return self.fail("no process of " + program)

    def check_spaces(self, row, seen):
        self.equal({x: row["ns_" + x] for x in SPACES}, seen["ns"], "namespaces")
        numbers = re.search(r"^NSpid:\s+(.*)$", seen["status"], re.M).group(1).split()
        self.equal((row["pid"], row["nspid"]), (int(numbers[0]), int(numbers[-1])), "pids")

    def test_process(self):
        """Who, whose group, which session of the kernel's, which file."""
        user, other = t.person(0), t.person(1)
        program = self.program("cat", "/bin/cat", mode=0o2751)
        os.chown(program, user.pw_uid, other.pw_gid)
        os.chmod(program, 0o2755)  # setgid: egid is the file's

        def before():
            os.setpgid(0, 0)
            os.setresgid(user.pw_gid, user.pw_gid, user.pw_gid)
        row, seen = self.look([program], preexec_fn=before)
        ids = {k: list(map(int, re.search(r"^%s:\s+(.*)$" % k, seen["status"], re.M).group(1).split()))
               for k in ("Uid", "Gid")}
        self.equal((row["uid"], row["euid"]), tuple(ids["Uid"][:2]), "users")
        self.equal((row["gid"], row["egid"]), tuple(ids["Gid"][:2]), "groups")
        self.equal((row["gid"], row["egid"]), (user.pw_gid, other.pw_gid), "groups that were set")
        stat = seen["stat"].rsplit(") ", 1)[1].split()
        self.equal((row["ppid"], row["pgrp"], row["sid"]), tuple(map(int, stat[1:4])), "pgrp and sid")
        self.equal(row["pgrp"], row["pid"], "a group of its own")
        place = [x.split() for x in seen["maps"].splitlines() if x.endswith(program)][0]
        major, minor = (int(x, 16) for x in place[3].split(":"))
        self.equal((row["exe_dev"], row["exe_ino"]), ("%d:%d" % (major, minor), int(place[4])), "file")
        self.equal((row["exe_ino"], row["exe_uid"], row["exe_mode"]),
                   (seen["exe"].st_ino, user.pw_uid, "2755"), "file, by stat(2)")
        self.equal((row["argv"], row["argc"], row["args_len"]), ([program], 1, len(program) + 1), "argc")
        self.check("holes" not in row, "holes: %s" % row)
        self.check_spaces(row, seen)

    def test_namespaces(self):
        """All six of its own; and none of them is ours."""
        t.need_program("unshare")
        program = self.program("cat", "/bin/cat")
        row, seen = self.look(["unshare", "-mnuUCpf", "--mount-proc", "-r", program])
        self.check_spaces(row, seen)
        self.equal(row["nspid"], 1, "its pid in there")
        for name in SPACES:
            self.check(row["ns_" + name] != os.stat("/proc/self/ns/" + name).st_ino, "ns_" + name)

    def test_cgroup(self):
        with open("/proc/self/mounts") as f:
            mounts = [x.split()[1] for x in f if x.split()[2] == "cgroup2"]
        if not mounts:
            t.skip("no cgroup version 2 is mounted")
        folder = os.path.join(mounts[0], "opseal-test-%d" % os.getpid(), "in \xe4 this")
        os.makedirs(folder)
        self.later(lambda: (os.rmdir(folder), os.rmdir(os.path.dirname(folder))))

        def before():
            with open(folder + "/cgroup.procs", "w") as f:
                f.write("0")
        row, seen = self.look([self.program("cat", "/bin/cat")], preexec_fn=before)
        want = re.search(r"^0::(.*)$", seen["cgroup"], re.M).group(1)
        self.equal(row["cgroup"], want, "cgroup")
        self.check(want.endswith("/in \xe4 this"), want)

    def test_terminal(self):
        program = self.program()
        term = self.pty([program])
        self.equal(term.wait(), 0, "status")
        row = self.run_of(program)
        self.equal(("/dev/" + row["tty"], row["tty_fs"]),
                   (term.slave_name, device(os.stat(term.slave_name).st_dev)), "terminal")

    def test_usage(self):
        """Memory, faults, CPU, and bytes from and to the disk."""
        program = self.program("python", sys.executable)
        folder = os.path.dirname(os.path.abspath(c.HELPER))  # /tmp may be memory
        data = os.path.join(folder, "usage-%d" % os.getpid())
        self.later(lambda: os.path.exists(data) and os.unlink(data))
        proc = subprocess.Popen([program, "-c", USES, data], stdout=subprocess.PIPE)
        told = proc.stdout.read().decode()
        _, status, usage = os.wait4(proc.pid, 0)
        proc.returncode = status
        self.equal(status, 0, "status")
        row = self.run_of(program)
        self.equal(row["maxrss"], usage.ru_maxrss, "maxrss")
        self.check(row["maxrss"] > 48 * 1024, "maxrss of %d KiB" % row["maxrss"])
        # What it does after it is told of is in getrusage(2) only: it frees its memory.
        self.check(0 <= usage.ru_minflt - row["minflt"] <= 20, "minflt: %d, %d" % (row["minflt"], usage.ru_minflt))
        self.check(row["minflt"] > 12000, "minflt %d for 12,288 pages" % row["minflt"])
        self.equal(row["majflt"], usage.ru_majflt, "majflt")
        cpu = usage.ru_utime + usage.ru_stime
        # One counts ticks, the other makes them fit the time that it ran.
        self.check(cpu / 2 - 0.05 <= row["cpu"] <= 1.5 * cpu + 0.05, "cpu: %s, %s" % (row["cpu"], cpu))
        self.check(0 < row["cpu_user"] <= row["cpu"], "cpu_user")
        io = {k: int(v) for k, v in re.findall(r"^(\w+): (\d+)$", told, re.M)}
        for name in "read_bytes", "write_bytes":
            # On its way out it may still read from its own files.
            self.check(io[name] <= row[name] <= io[name] + MB, "%s: %d, then %d" % (
                name, io[name], row[name]))
        # All of it, whether the disk was there for it or not: what it printed, and how it ends.
        for name in "rchar", "wchar":
            self.check(io[name] <= row[name] <= io[name] + 8192, "%s: %d, then %d" % (
                name, io[name], row[name]))
        self.check(row["rchar"] >= 3 * MB <= row["wchar"], "3 MiB each way: %s" % row)
        if io["write_bytes"] < 3 * MB or io["read_bytes"] < 3 * MB:
            t.skip("the disk here doesn't count bytes: %s" % io)

    def nested(self, names):
        """A descriptor of a directory so deep; its path may be longer than PATH_MAX."""
        at = os.open(self.path("deep%d" % len(names)), os.O_RDONLY | os.O_DIRECTORY)
        for name in names:
            os.mkdir(name, 0o755, dir_fd=at)
            below = os.open(name, os.O_RDONLY | os.O_DIRECTORY, dir_fd=at)
            os.close(at)
            at = below
        return at

    def test_long_paths(self):
        """Each size of the kernel's record, and more than the largest holds."""
        for n in (1, 2, 3, 7, 8, 9, 15, 16, 17, 25, 60, 95, 110):
            names = ["%03d" % i + "n" * 247 for i in range(n)]
            os.mkdir(self.path("deep%d" % n))
            at = self.nested(names)
            program = self.program("in%d" % n)
            for more in ("", "x" * 200, "x" * 3000):
                subprocess.run([program, more], preexec_fn=lambda: os.fchdir(at), check=True)
            os.close(at)
            whole = "/".join([self.path("deep%d" % n)] + names)
            for row in self.runs(program, 3):
                self.equal(row["exe"], program, "the file")
                cut = [f for f in row["flags"] if f.endswith("_cut")]
                if len(whole) <= 4096:  # PATH_MAX
                    self.check((row["cwd"], cut) == (whole, []), "%d names, %d bytes of %d, %r" % (
                        n, len(row["cwd"]), len(whole), cut))
                else:  # the end is kept, and it is said that the begin isn't
                    self.check(len(row["cwd"]) > 3800 and whole.endswith("/" + row["cwd"]) and
                               "cwd_cut" in cut, "%d names, %d bytes of %d, %r" % (
                                   n, len(row["cwd"]), len(whole), cut))



if __name__ == "__main__":
    t.main()
