"""captured - what the tests share that run programs and then look for them in
the log.

One daemon that captures serves all tests of a file: each sees what the whole
machine does, and to start one takes longer than most tests.  So every test
runs programs of its own: copies, whose paths are in its own folder."""
import atexit
import json
import os
import shutil
import struct
import tempfile
import time

import opsealtest as t

HELPER = os.path.join(t.BUILD, "test", "helper")
UNSET = 0xffffffff
# Why an opseald can't capture, by no fault of its own.
EXCUSES = ("this opseald was built without it", "BPF programs may not be loaded", "the kernel has no BTF")
_shared = None
_excuse = None


def need_capture():
    """Skip where nothing can be captured."""
    t.need_root("root, to load BPF programs")
    if not os.path.exists("/sys/kernel/btf/vmlinux"):
        t.skip("no BTF in this kernel")
    if _excuse is not None:
        t.skip(_excuse)


def wait_captured(inst):
    """Wait until it captures; skip where it says that it can't."""
    def look():
        global _excuse
        text = inst.opseal("status").text
        why = text.partition("programs    NOT captured: ")[2].partition("\n")[0]
        if why.startswith(EXCUSES):
            _excuse = "programs aren't captured: " + why
            t.skip(_excuse)
        return "programs    captured" in text
    t.wait_for("capture", look, 60, about=lambda: inst.opseal("status").text)
    return inst


def shared():
    global _shared
    if _shared is None:
        folder = tempfile.mkdtemp(prefix="ops.", dir="/tmp")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        os.chmod(folder, 0o755)
        _shared = t.Instance(folder, capture=True, start=False)
        atexit.register(_shared.destroy)
        _shared.start()
        wait_captured(_shared)
    return _shared


def boottime():
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def json_rows(result):
    assert result.status in (0, 1, 5), result
    return [json.loads(x) for x in result.text.splitlines()]


def tiny(code, machine=62, wide=True):
    """A static program without a library, of these instructions: of AMD64, or of
    the machine with that number.  elf(5)."""
    at, head = 0x10000000, 64 + 56 if wide else 52 + 32
    size = head + len(code)
    ident = b"\x7fELF" + bytes([2 if wide else 1, 1, 1]) + bytes(9)
    if wide:
        header = struct.pack("<HHIQQQIHHHHHH", 2, machine, 1, at + head, 64, 0, 0, 64, 56, 1, 0, 0, 0)
        segment = struct.pack("<IIQQQQQQ", 1, 5, 0, at, at, size, size, 4096)
    else:
        header = struct.pack("<HHIIIIIHHHHHH", 2, machine, 1, at + head, 52, 0, 0, 52, 32, 1, 0, 0, 0)
        segment = struct.pack("<IIIIIIII", 1, 0, at, at, size, size, 5, 4096)
    return ident + header + segment + code


# mov edi, 42; mov eax, SYS_exit; syscall
EXIT_0 = b"\x31\xff\xb8\x3c\0\0\0\x0f\x05"  # xor edi, edi
EXIT_42 = b"\xbf\x2a\0\0\0\xb8\x3c\0\0\0\x0f\x05"


class Captured(t.Test):
    def setup(self):
        need_capture()
        self.inst = shared()
        self.began = boottime()

    def own(self, **options):
        """A daemon of this test's own, for what it does to it."""
        return wait_captured(self.instance(capture=True, **options))

    def program(self, name="program", source="/bin/true", mode=0o755):
        """A copy with a path that no other test has."""
        path = self.path(name)
        shutil.copy(os.path.realpath(source), path)
        os.chmod(path, mode)
        return path

    def made(self, name, data):
        path = self.write(name, data)
        os.chmod(path, 0o755)
        return path

    def evade(self, way, *args, want=0, **options):
        """Run test/helper/evade.c; it must end with the status want."""
        path = os.path.join(HELPER, "evade")
        if not os.path.exists(path):
            t.skip("test/helper isn't built")
        result = t.run([self.program("evade", path), way] + list(args), **options)
        return self.exits(result, want, "evade " + way)

    def log(self, *args, inst=None):
        return json_rows((inst or self.inst).opseal("log", "--json", *args))

    def runs(self, exe, n=1, inst=None):
        """Wait for the rows of n execs of that file, the last of them ended."""
        def look():
            time.sleep(0.1)  # each look reads all of the log
            rows = [p for p in self.log("--exe", exe, inst=inst) if p["kind"] == "exec"]
            return rows if len(rows) >= n and all("duration" in p for p in rows) else None
        rows = t.wait_for("%d runs of %s" % (n, exe), look, 60, about=lambda: str(
            self.log("--exe", exe, inst=inst))[:2000])
        self.equal(len(rows), n, "runs of " + exe)
        return rows

    def run_of(self, exe):
        return self.runs(exe)[0]

    def failed(self, name):
        """Wait for the row of an exec that failed."""
        return t.wait_for(name, lambda: [
            p for p in self.log("--failed", "--exe", name) if p["kind"] == "failed"])[0]

    def everything(self, *args, inst=None):
        """All rows since this test began, up to a program that is run now."""
        mark = self.program("mark-%d" % time.monotonic_ns())
        t.run([mark])
        self.runs(mark, inst=inst)
        rows = self.log("--forks", *args, inst=inst)
        self.equal([p for p in rows if p["kind"] == "lost"], [], "lost")
        return [p for p in rows if p["boottime"] >= self.began]

    def unseen(self, text, inst=None):
        """There is no trace of text in any row."""
        found = [p for p in self.everything(inst=inst) if text in json.dumps(p)]
        self.equal(found, [], "rows with " + text)
