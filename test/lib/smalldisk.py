"""smalldisk - an instance whose store is on a small disk of its own: a tmpfs, in a mount
namespace of the test's."""
import ctypes
import os
import subprocess

import opsealtest as t
import recorded as r

CLONE_NEWNS = 0x20000
MB = 1 << 20


def own_mounts():
    """From here on this process and its children have mounts of their own."""
    libc = ctypes.CDLL(None, use_errno=True)
    if not t.is_root() or libc.unshare(CLONE_NEWNS) != 0:
        return False
    return subprocess.call(["mount", "--make-rprivate", "/"]) == 0


class SmallDisk(r.Recorded):
    mounts_are_ours = None

    def setup(self):
        t.need_root("root, to mount a small file system")
        if SmallDisk.mounts_are_ours is None:
            SmallDisk.mounts_are_ours = own_mounts()
        if not SmallDisk.mounts_are_ours:
            t.skip("no mount namespaces here")

    # That one user alone may not fill it is limits.py's: here he is to.
    CONFIG = "screen_day = 0\n"

    def small(self, options, config="", **more):
        """An instance whose store is a tmpfs with these options."""
        inst = self.instance(start=False, config=self.CONFIG + config, **more)
        self.disk = self.path("disk")
        self.mount(inst, options)
        inst.start()
        return inst

    def mount(self, inst, options):
        """A small disk at self.disk, with the store on it."""
        owner = os.stat(inst.store)
        os.mkdir(self.disk)
        self.mount_at(options)
        # Run in reverse order: before this the instance must be gone.
        self.later(lambda: subprocess.call(["umount", "-l", self.disk]))
        self.later(inst.destroy)
        inst.store = os.path.join(self.disk, "store")
        os.mkdir(inst.store, 0o700)
        os.chown(inst.store, owner.st_uid, owner.st_gid)

    def mount_at(self, options):
        subprocess.check_call(["mount", "-t", "tmpfs", "-o", "mode=755," + options, "small", self.disk])

    def remount(self, options):
        subprocess.check_call(["mount", "-o", "remount," + options, self.disk])
