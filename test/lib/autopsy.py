"""autopsy - what a test says about processes that should have ended and
haven't: enough to tell why from one failure, since it may not come again.

Everything is read from /proc, at once and without a claim that it fits
together; what can't be read is left out.
"""

import os
import re

STATUS = ("State", "PPid", "Uid", "TracerPid", "SigQ", "SigPnd", "ShdPnd", "SigBlk", "SigIgn",
          "SigCgt", "Threads")


def read(path):
    try:
        with open(path, "rb") as f:
            return f.read().decode(errors="backslashreplace").replace("\0", " ").strip()
    except OSError as e:
        return "(%s)" % e.strerror


def links(folder):
    """Descriptors and where they lead."""
    found = []
    try:
        for name in sorted(os.listdir(folder), key=int):
            found.append("%s=%s" % (name, os.readlink(os.path.join(folder, name))))
    except OSError as e:
        found.append("(%s)" % e.strerror)
    return " ".join(found)


def process(pid, what="process"):
    """All that /proc says of one process, a line each."""
    base = "/proc/%d/" % pid
    if not os.path.exists(base):
        return "%s %d: gone" % (what, pid)
    status = dict(re.findall(r"^(\w+):\s*(.*)$", read(base + "status"), re.M))
    lines = ["%s %d: %s" % (what, pid, read(base + "cmdline") or read(base + "comm")),
             "  status  " + ", ".join("%s %s" % (k, " ".join(status[k].split()))
                                      for k in STATUS if k in status)]
    try:
        tasks = sorted(os.listdir(base + "task"), key=int)
    except OSError:
        tasks = []
    for task in tasks:
        where = "%stask/%s/" % (base, task)
        lines.append("  thread %s %s: wchan %s, syscall %s" % (
            task, read(where + "comm"), read(where + "wchan"), read(where + "syscall")))
        lines += ["    " + line for line in read(where + "stack").splitlines()]
    lines.append("  fds     " + links(base + "fd"))
    return "\n".join(lines)


def table():
    """pid: (parent, name) of all processes."""
    found = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open("/proc/%s/stat" % entry, "rb") as f:
                stat = f.read()
        except OSError:
            continue
        name = stat[stat.index(b"(") + 1:stat.rindex(b")")].decode(errors="backslashreplace")
        found[int(entry)] = (int(stat[stat.rindex(b")") + 2:].split()[1]), name)
    return found


def tree(root, what):
    """process() of one and of all below it."""
    processes = table()
    todo, text = [(root, what)], []
    while todo:
        pid, name = todo.pop(0)
        text.append(process(pid, name))
        todo += [(p, processes[p][1]) for p in sorted(processes) if processes[p][0] == pid]
    return "\n".join(text)


def recorders(run_dir):
    """process() of each recorder of the instance in run_dir."""
    found = []
    for pid, (_, name) in sorted(table().items()):
        if name == "opseal-rec" and run_dir in read("/proc/%d/cmdline" % pid):
            found.append(process(pid, "recorder"))
    return "\n".join(found) or "no recorder"


def tail(path, lines=15):
    return "the end of %s:\n%s" % (path, "\n".join(
        "  " + line for line in read(path).splitlines()[-lines:]))
