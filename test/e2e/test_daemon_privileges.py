#!/usr/bin/python3
# Every process of the daemon has exactly the rights that the tables in
# ARCHITECTURE.md and doc/design/processes.md give it.
import os
import pwd
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import opsealipc as ipc
import opsealtest as t

# linux/capability.h, the ones a table may name.
CAPABILITIES = {"chown": 0, "dac_override": 1, "dac_read_search": 2, "fowner": 3, "kill": 5,
                "setgid": 6, "setuid": 7, "setpcap": 8, "sys_ptrace": 19, "perfmon": 38, "bpf": 39}


def tables(path):
    """The rows of every table that starts with a column `process`, as dicts."""
    rows, head = {}, None
    with open(os.path.join(t.SOURCE, path)) as f:
        for line in f:
            cells = [c.strip().strip("`") for c in line.strip().strip("|").split("|")]
            if not line.startswith("|"):
                head = None
            elif head is None:
                head = cells if cells[0] == "process" else ["?"]
            elif head[0] == "process" and not set(line) <= set("|-\n "):
                rows[cells[0]] = dict(zip(head, cells))
    return rows


def mask(text):
    if text == "none":
        return 0
    return sum(1 << CAPABILITIES[w.lower()] for w in re.findall(r"\w+", text))


def status(pid):
    with open("/proc/%d/status" % pid) as f:
        return dict(line.rstrip("\n").split(":\t", 1) if ":\t" in line else (line, "")
                    for line in f)


class Privileges(t.Test):
    def setup(self):
        t.need_root("root, to see what is dropped")
        try:
            pwd.getpwnam("opseal")
        except KeyError:
            t.skip("there is no user opseal; `make deps` makes it")

    def processes(self, inst):
        """Pid by the name in the table."""
        found = {}
        for pid in inst.pids():
            try:
                st = status(pid)
            except OSError:
                continue
            if pid == inst.proc.pid:
                found["supervisor"] = pid
            elif int(st["PPid"]) == inst.proc.pid:  # not a process for a client
                found[st["Name"][len("opseald-"):]] = pid
        return found

    def test_as_the_tables_say(self):
        inst = self.instance(capture=True)
        rows = tables("doc/design/processes.md")
        summary = tables("ARCHITECTURE.md")
        pids = self.processes(inst)
        self.equal(sorted(pids), ["capture", "index", "query", "scan", "session", "supervisor", "writer"],
                   "processes")
        # Where it can't attach it has said so by now, and has no more rights than else.
        t.wait_for("what capture says", lambda: not self.starting(inst))
        self.with_recorder(inst, pids)
        for name, pid in pids.items():
            row, st = rows[name], status(pid)
            uid = pwd.getpwnam(row["uid"]).pw_uid
            self.equal(st["Uid"].split(), [str(uid)] * 4, name + ": uid")
            gid = pwd.getpwnam(row["uid"]).pw_gid
            self.equal(st["Gid"].split(), [str(gid)] * 4, name + ": gid")
            self.equal(st["Groups"].split(), [], name + ": groups (%s)" % row["groups"])
            for field, column in (("CapEff", "capabilities"), ("CapPrm", "capabilities"),
                                  ("CapBnd", "bounding")):
                self.equal(int(st[field], 16), mask(row[column]), "%s: %s" % (name, field))
            self.equal(int(st["CapInh"], 16), 0, name + ": CapInh")
            self.equal(int(st["CapAmb"], 16), 0, name + ": CapAmb")
            self.equal(st["NoNewPrivs"], "1", name + ": no_new_privs")
            self.no_core(name, pid)
            if name in summary:
                self.equal(summary[name]["uid"], row["uid"], name + ": uid in ARCHITECTURE.md")
                self.equal(mask(summary[name]["capabilities"]), mask(row["capabilities"]),
                           name + ": capabilities in ARCHITECTURE.md")

    def starting(self, inst):
        client = ipc.Client(inst.run_dir)
        text = ipc.uncbor(client.ask(ipc.C_STATUS)[1]).get(24, b"")
        client.close()
        return b"is being started" in text

    def with_recorder(self, inst, pids):
        """Add a recorder, if there is one to start."""
        if not os.path.exists(os.path.join(t.BIN, "opseal-door")):
            return
        term = self.record_pty(inst, ["sh", "-c", "echo up; read x"])
        term.expect("up")
        for pid in t.descendants(inst.proc.pid):
            if status(pid)["Name"] == "opseal-rec":
                pids["opseal-rec"] = pid
        self.check("opseal-rec" in pids, "no opseal-rec below the daemon")

    def no_core(self, name, pid):
        with open("/proc/%d/limits" % pid) as f:
            limits = f.read()
        self.matches(limits, r"^Max core file size +0 +0 ", name + ": core files")

    def test_nobody_traces_a_role(self):
        inst = self.instance(capture=True)
        for name, pid in self.processes(inst).items():
            errno = t.call_as(t.person(), lambda: t.ptrace_attach(pid))
            self.check(errno != 0, "a stranger can trace %s" % name)
            if name != "supervisor":
                # Not even with the same uid: the key is in the writer.
                errno = t.call_as(pwd.getpwnam("opseal"), lambda: t.ptrace_attach(pid))
                self.check(errno != 0, "opseal can trace %s" % name)

    def test_no_drop_keeps_root_but_locks_down(self):
        inst = self.instance(drop=False, capture=True)
        for name, pid in self.processes(inst).items():
            st = status(pid)
            self.equal(st["Uid"].split(), ["0"] * 4, name + ": uid")
            self.equal(st["NoNewPrivs"], "1", name + ": no_new_privs")
            self.no_core(name, pid)

    def test_descriptors(self):
        """A role holds nothing of another: no second listening socket."""
        inst = self.instance(capture=True)
        for name, pid in self.processes(inst).items():
            listening = 0
            inodes = set()
            for fd in os.listdir("/proc/%d/fd" % pid):
                try:
                    target = os.readlink("/proc/%d/fd/%s" % (pid, fd))
                except FileNotFoundError:
                    continue  # of a connection that has just ended
                m = re.match(r"socket:\[(\d+)\]", target)
                if m:
                    inodes.add(m.group(1))
            with open("/proc/net/unix") as f:
                for line in f:
                    words = line.split()
                    if words[6] in inodes and words[3] == "00010000":
                        listening += 1
            self.equal(listening, {"supervisor": 3, "scan": 0, "capture": 0, "index": 0}.get(name, 1),
                       name + ": listening sockets")


t.main()
