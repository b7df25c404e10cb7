"""debian - the Debian packages of this tree, and Debians to try them in.

Each is made once and kept below BUILD/debian, as several test files want the same at the
same time: packages as long as no file of the tree changes, a Debian for a day."""
import fcntl
import glob
import hashlib
import os
import re
import shutil
import time

import opsealtest as t

MIRROR = "http://deb.debian.org/debian"
KEPT = os.path.join(t.BUILD, "debian")
NOT_OURS = (".git", "build", "build-*", "__pycache__", ".debhelper")


def version():
    with open(os.path.join(t.SOURCE, "meson.build")) as f:
        return re.search(r"\n  version : '([^']+)'", f.read())[1]


def codename():
    with open("/etc/os-release") as f:
        found = re.search(r"^VERSION_CODENAME=(\w+)", f.read(), re.M)
    return found[1] if found else None


def copy_tree(folder):
    """A copy of the tree to build in, below folder; gives its path."""
    tree = os.path.join(folder, "opseal-" + version())
    shutil.copytree(t.SOURCE, tree, symlinks=True, ignore=shutil.ignore_patterns(*NOT_OURS))
    return tree


def _tree_hash():
    """Of all that a package can depend on; no test is in one."""
    ignore = shutil.ignore_patterns("test", ".ci", *NOT_OURS)
    total = hashlib.sha256()
    for folder, dirs, names in os.walk(t.SOURCE):
        dirs[:] = sorted(set(dirs) - ignore(folder, dirs))
        for name in sorted(set(names) - ignore(folder, names)):
            path = os.path.join(folder, name)
            data = b""
            if not os.path.islink(path):
                with open(path, "rb") as f:
                    data = f.read()
            total.update(b"%s\0%d\0" % (os.fsencode(os.path.relpath(path, t.SOURCE)), len(data)) + data)
    return total.hexdigest()[:16]


def kept(kind, key, make):
    """The folder KIND-KEY, made by make(folder) where there is none; older ones go."""
    os.makedirs(KEPT, exist_ok=True)
    folder = os.path.join(KEPT, "%s-%s" % (kind, key))
    with open(os.path.join(KEPT, kind + ".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.isdir(folder):
            for old in glob.glob(os.path.join(KEPT, kind + "-*")):
                shutil.rmtree(old)
            make(folder + ".new")
            os.rename(folder + ".new", folder)
    return folder


def _done(argv, **options):
    result = t.run(argv, timeout=900, **options)
    if result.status != 0:
        raise AssertionError("%s: %r" % (" ".join(map(str, argv))[:60], result))
    return result


def packages():
    """The .deb files."""
    def make(folder):
        os.makedirs(folder)
        tree = copy_tree(folder)
        _done(["dpkg-buildpackage", "-us", "-uc", "-b", "-d"], cwd=tree, env={
            "DEB_BUILD_OPTIONS": "noautodbgsym parallel=%d" % (os.cpu_count() or 1),
            "DEB_CFLAGS_APPEND": "-g0",  # it would be stripped off again
            "MAKEFLAGS": "", "CFLAGS": "", "LC_ALL": "C"})
        shutil.rmtree(tree)
    return sorted(glob.glob(os.path.join(kept("packages", _tree_hash(), make), "*.deb")))


def bumped(deb, folder, number="99"):
    """The same package as a later version, in folder."""
    tree = os.path.join(folder, "bumped")
    out = os.path.join(folder, os.path.basename(deb).replace(version(), number))
    _done(["dpkg-deb", "-R", deb, tree])
    with open(tree + "/DEBIAN/control") as f:
        text = f.read()
    with open(tree + "/DEBIAN/control", "w") as f:
        f.write(re.sub(r"(?m)^Version: .*$", "Version: " + number, text).replace(
            "(= %s)" % version(), "(= %s)" % number))
    for readme in glob.glob(tree + "/usr/share/doc/opseal/README.Debian"):
        with open(readme, "a") as f:
            f.write("bumped\n")
    _done(["dpkg-deb", "--root-owner-group", "-b", tree, out])
    shutil.rmtree(tree)
    return out


def root(kind, include=(), options=()):
    """A fresh Debian of this machine's release with these packages; nothing is to be
    changed in it: who needs that copies it, or puts a layer over it."""
    name = codename()
    if name is None or not os.path.exists("/etc/debian_version"):
        t.skip("needs a Debian with a codename")

    def make(folder):
        shutil.rmtree(folder, ignore_errors=True)
        probe = ["/usr/lib/apt/apt-helper", "download-file",
                 "%s/dists/%s/InRelease" % (MIRROR, name), folder + ".InRelease"]
        found = t.run(probe, timeout=120).status
        if os.path.exists(folder + ".InRelease"):
            os.unlink(folder + ".InRelease")
        if found != 0:
            t.skip("needs Debian's mirror, %s" % MIRROR)
        argv = ["mmdebstrap", "--quiet", "--mode=root", "--variant=apt",
                "--dpkgopt=path-exclude=/usr/share/locale/*"] + list(options)
        if include:
            argv.append("--include=" + ",".join(include))
        _done(argv + [name, folder, MIRROR])
        shutil.copy("/etc/resolv.conf", folder + "/etc/resolv.conf")
    what = hashlib.sha256(repr((name, include, options)).encode()).hexdigest()[:8]
    return kept(kind, "%s-%s" % (what, time.strftime("%Y%m%d")), make)
