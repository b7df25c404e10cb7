#!/usr/bin/python3
# timeout: 300
"""The roles that read what users send can't write in the store's folder, by which they could pass for
the writer; tried by the very processes, with a debugger that has them call open(2)."""
import ctypes
import errno
import os
import re
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import opsealtest as t
import recorded as r

LANDLOCK_CREATE_RULESET = 444


def without_landlock():
    """In the child that becomes the daemon: as on a kernel that doesn't have it."""
    def insn(code, jt, jf, k):
        return struct.pack("<HBBI", code, jt, jf, k)
    prog = b"".join((insn(0x20, 0, 0, 0),                                       # load the call's number
                     insn(0x15, 0, 1, LANDLOCK_CREATE_RULESET),
                     insn(0x06, 0, 0, 0x00050000 | errno.EOPNOTSUPP),           # refuse
                     insn(0x06, 0, 0, 0x7fff0000)))                             # allow
    buf = ctypes.create_string_buffer(prog, len(prog))
    fprog = struct.pack("HxxxxxxP", len(prog) // 8, ctypes.addressof(buf))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(22, ctypes.c_ulong(2), fprog, ctypes.c_ulong(0), ctypes.c_ulong(0)) != 0:
        raise OSError(ctypes.get_errno(), "PR_SET_SECCOMP")


class ShutIn(r.Recorded):
    def setup(self):
        t.need_root("root, to debug the daemon")
        if t.SANITIZE:
            t.skip("a sanitizer looks at every open(2)")

    def has_it_open(self, pid, path):
        """That process calls open(path, O_WRONLY | O_CREAT, 0600): 0, or errno."""
        got = t.run(["gdb", "-nx", "-batch", "-p", str(pid), "-iex", "set debuginfod enabled off",
                     "-ex", 'print ((int (*)(const char *, int, int))open64)("%s", 0101, 0600)' % path,
                     "-ex", 'print *((int *(*)(void))__errno_location)()'], timeout=120)
        found = re.findall(r"(?m)^\$\d = (-?\d+)$", got.text)
        self.equal(len(found), 2, "gdb: %r" % got)
        return 0 if int(found[0]) >= 0 else int(found[1])

    def test_roles(self):
        t.need_program("gdb")
        inst = self.instance()
        term = self.record_pty(inst, ["sh", "-c", "echo up; read x; exit 3"])
        term.expect("up")
        t.wait_for("the index", lambda: inst.role("index") is not None)
        if self.status(inst)["not_shut_in"] is not None:
            t.skip("this kernel has no Landlock")
        switch = os.path.join(inst.store, "switch")
        pids = {role: inst.role(role) for role in ("session", "query", "scan", "index")}
        pids["opseal-rec"] = r.recorders(inst)[0]
        t.wait_for("the index's folder", lambda: os.path.exists(os.path.join(inst.store, "index", "programs.sqlite")), 60)
        for name, pid in pids.items():
            got = self.has_it_open(pid, switch)
            self.check(got in (errno.EACCES, errno.EPERM), "%s: %d" % (name, got))
            self.equal(os.path.exists(switch), False, "made by " + name)
            got = self.has_it_open(pid, os.path.join(inst.store, "format"))
            self.check(got in (errno.EACCES, errno.EPERM), "%s, a file that is there: %d" % (name, got))
        # That the debugger can do it at all.
        self.equal(self.has_it_open(inst.role("writer"), switch), 0, "the writer")
        os.unlink(switch)
        # And they all go on.
        self.equal({role: inst.role(role) for role in pids if role != "opseal-rec"},
                   {role: pid for role, pid in pids.items() if role != "opseal-rec"}, "processes")
        term.line("")
        self.equal(term.wait(), 3, "status")
        self.exits(inst.opseal("record", "--", "true"), 0)

    def status(self, inst):
        return r.json_lines(self.exits(inst.opseal("status", "--json"), 0))[0]

    def test_kernel_without(self):
        """It goes on without, and says so."""
        inst = self.instance(preexec=without_landlock)
        self.matches(self.status(inst)["not_shut_in"], "^this kernel has no Landlock .*: a role that was taken over could write")
        self.matches(inst.opseal("status").text, r"(?m)^SANDBOX +this kernel has no Landlock")
        for role in ("session", "query"):
            self.matches(inst.log(), r"opseald\[%s\]: this kernel has no Landlock: who took this process over could" % role)
        self.exits(inst.opseal("record", "--", "true"), 0)
        self.equal(len(self.sessions(inst)), 1, "sessions")


t.main()
