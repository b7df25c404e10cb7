"""faults - calls of a running daemon that fail, by a shim in front of libc
(shim.c), when a test says so."""
import ctypes
import errno
import os
import struct
import subprocess

import opsealtest as t

KINDS = {"pwrite": 1, "sync": 2, "rename": 4, "unlink": 8, "open": 16, "write": 32,
         "memory": 64, "slow": 128, "lazy": 256}
SIZE = 72
ROLE, FAILED, CLOCK = 32, 24, 64  # offsets in struct control


def shared(test):
    """Memory that the daemon's processes have, too: its number and its bytes.  Not a file:
    who is shut in can open none for writing."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.shmat.restype = ctypes.c_void_p
    number = libc.shmget(0, SIZE, 0o1666)  # IPC_PRIVATE, IPC_CREAT
    at = libc.shmat(number, None, 0)
    if number < 0 or at in (None, ctypes.c_void_p(-1).value):
        raise OSError(ctypes.get_errno(), "shared memory")
    test.later(lambda: libc.shmctl(number, 0, None))  # IPC_RMID
    return number, memoryview((ctypes.c_char * SIZE).from_address(at)).cast("B")


class Faults:
    """What fails in an instance that was started with self.env."""

    def __init__(self, test):
        t.need_program("cc")
        if t.SANITIZE:
            t.skip("the sanitizers' own shims must come first")
        shim = test.path("shim.so")
        if not os.path.exists(shim):
            subprocess.check_call(["cc", "-shared", "-fPIC", "-O1", "-w", "-o", shim,
                                   os.path.join(os.path.dirname(__file__), "shim.c"), "-ldl"])
            os.chmod(shim, 0o755)
        number, self.map = shared(test)
        self.env = {"LD_PRELOAD": shim, "FAULT_SHM": str(number)}

    def fail(self, calls, number=errno.EIO, after=0, times=0, role=""):
        """Calls of these kinds ("pwrite sync ...") fail with that errno, after so
        many that don't, so many times (0: until heal()).  Errno 0: the process is
        killed where it calls."""
        self.heal()
        self.map[4:32] = struct.pack("<iqqQ", number, after, times, 0)
        self.map[ROLE:CLOCK] = role.encode().ljust(CLOCK - ROLE, b"\0")
        # Last, since it is what switches the rest on.
        self.map[0:4] = struct.pack("<I", sum(KINDS[c] for c in calls.split()))

    def clock(self, seconds):
        """From here on the wall clock is wrong by so much."""
        self.map[CLOCK:SIZE] = struct.pack("<q", seconds)

    def heal(self):
        self.map[0:4] = bytes(4)

    @property
    def failed(self):
        """How many calls failed since fail()."""
        return struct.unpack("<Q", self.map[FAILED:ROLE])[0]
