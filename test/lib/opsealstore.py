"""opsealstore - a store's files taken apart and put together, for tests that
play the forger.  Written from doc/format.md, not from the code.
"""

import base64
import hashlib
import os
import shutil
import struct
import subprocess
import tempfile

from opsealipc import uncbor

BOOT, SEAL, FRAME, CLOSE = 2, 3, 1, 4  # leaf types
BLOCK = 512

_CRC = []
for _i in range(256):
    _c = _i
    for _ in range(8):
        _c = (_c >> 1) ^ (0x82F63B78 if _c & 1 else 0)
    _CRC.append(_c)


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = (crc >> 8) ^ _CRC[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def read(path):
    with open(path, "rb") as f:
        return f.read()


def write(path, data):
    with open(path, "wb") as f:
        f.write(data)


def files(store, skip=("keys", "wal", "index", "lock")):
    """The files of a store, relative, but not those below the skipped names."""
    found = []
    for folder, _, names in os.walk(store):
        for name in names:
            rel = os.path.relpath(os.path.join(folder, name), store)
            if rel.split("/")[0] not in skip:
                found.append(rel)
    return sorted(found)


def fingerprint(store):
    """All there is in a store, to see whether anything changed."""
    return {rel: (os.lstat(os.path.join(store, rel)).st_mode, read(os.path.join(store, rel)))
            for rel in files(store, skip=())}


# ---- leaves, tree, checkpoint (sections 8, 9, 10) ---------------------------


def leaves(store, log=0):
    data = read("%s/log/%d/leaves" % (store, log))
    found, at = [], 0
    while at < len(data):
        n, crc = struct.unpack_from("<II", data, at)
        found.append(data[at + 8:at + 8 + n])
        assert crc == crc32c(found[-1]), "leaf %d" % (len(found) - 1)
        at += 8 + n
    return found


def put_leaves(store, list_, log=0):
    write("%s/log/%d/leaves" % (store, log),
          b"".join(struct.pack("<II", len(x), crc32c(x)) + x for x in list_))


def kind(leaf):
    return uncbor(leaf)[0]


def places(list_, wanted):
    """Indexes of the leaves of one type."""
    return [i for i, leaf in enumerate(list_) if kind(leaf) == wanted]


def root(list_):
    level = [hashlib.sha256(b"\0" + x).digest() for x in list_]
    if not level:
        return hashlib.sha256(b"").digest()
    while len(level) > 1:
        # An odd one out moves up as it is: the same as RFC 6962's split.
        level = [hashlib.sha256(b"\1" + level[i] + level[i + 1]).digest()
                 if i + 1 < len(level) else level[i] for i in range(0, len(level), 2)]
    return level[0]


def ed25519(seed, message):
    """Sign with OpenSSL, so that no key code of ours signs for the forger."""
    der = bytes.fromhex("302e020100300506032b657004220420") + seed
    folder = tempfile.mkdtemp(prefix="opskey.", dir="/tmp")
    try:
        write(folder + "/key", der)
        write(folder + "/message", message)
        return subprocess.run(["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", folder + "/key",
                               "-keyform", "DER", "-in", folder + "/message"],
                              check=True, stdout=subprocess.PIPE).stdout
    finally:
        shutil.rmtree(folder)


def log_key(store, log=0):
    return read("%s/keys/log-%d" % (store, log))


def sign_checkpoint(store, list_, log=0, seed=None):
    """What a thief of the log's key can do: sign any tree."""
    boot = next(b for b in map(uncbor, list_) if b[0] == BOOT)
    origin, key = boot[4], boot[5]
    if isinstance(origin, bytes):
        origin = origin.decode()
    text = "%s\n%d\n%s\n" % (origin, len(list_), base64.b64encode(root(list_)).decode())
    key_id = hashlib.sha256(origin.encode() + b"\n\x01" + key).digest()[:4]
    sig = ed25519(seed or log_key(store, log), text.encode())
    write("%s/log/%d/checkpoint" % (store, log),
          ("%s\n— %s %s\n" % (text, origin, base64.b64encode(key_id + sig).decode())).encode())


# ---- segments (sections 6, 7) ----------------------------------------------


def frames(path):
    """A segment's header, and its stored frames as (number, bytes)."""
    data = read(path)
    at, found = 48, []
    while at < len(data):
        number, = struct.unpack_from("<Q", data, at + 32)
        stored, = struct.unpack_from("<I", data, at + 52)
        chunks, = struct.unpack_from("<H", data, at + 60)
        n = 64 + 12 * chunks + stored
        found.append((number, data[at:at + n]))
        at += n
    return data[:48], found


def put_frames(path, header, list_):
    write(path, header + b"".join(data for _, data in list_))


def segments(store):
    return [rel for rel in files(store) if rel.endswith(".seg")]


def cut_data(store, list_):
    """Remove the frames that no leaf speaks of, as if they had never been."""
    known = {uncbor(list_[i])[12] for i in places(list_, FRAME)}
    for rel in segments(store):
        path = os.path.join(store, rel)
        header, all_ = frames(path)
        kept = [f for f in all_ if hashlib.sha256(f[1]).digest() in known]
        if kept:
            put_frames(path, header, kept)
        else:
            os.unlink(path)


def cut_log(store, size, log=0):
    """The best that a thief of all keys on the disk can do: end the log after
    `size` leaves (a SEAL being the last), and make everything else fit."""
    list_ = leaves(store, log)[:size]
    assert kind(list_[-1]) == SEAL
    put_leaves(store, list_, log)
    sign_checkpoint(store, list_, log)
    cut_data(store, list_)
    shutil.rmtree("%s/log/%d/tile" % (store, log), ignore_errors=True)
    seal = uncbor(list_[-1])
    for name in os.listdir(store + "/wal"):
        os.unlink(store + "/wal/" + name)
    if 11 not in seal:
        # A log that isn't closed has a WAL; one that holds nothing will do.
        put_wal_file(store, 1, seal[13])


# ---- write-ahead log (section 11) ------------------------------------------


def put_wal_file(store, number, first):
    head = b"OPSWAL01" + struct.pack("<QQ", number, first)
    head = head.ljust(BLOCK - 4, b"\0")
    write("%s/wal/%08d.wal" % (store, number),
          head + struct.pack("<I", crc32c(head)) + bytes((4 << 20) - BLOCK))


def wal_path(store):
    names = [n for n in sorted(os.listdir(store + "/wal")) if n.endswith(".wal")]
    return "%s/wal/%s" % (store, names[0])


def batches(path):
    """[(batch number, [offset of each of its blocks])], in order of place."""
    data = read(path)
    found = []
    for at in range(BLOCK, len(data), BLOCK):
        if data[at:at + BLOCK] == bytes(BLOCK):
            break
        number, index = struct.unpack_from("<QI", data, at + 496)
        if not found or found[-1][0] != number:
            found.append((number, []))
        found[-1][1].append(at)
    return found


def reseal_block(block):
    """A block whose CRC was made right again."""
    return block[:508] + struct.pack("<I", crc32c(block[:508]))


# ---- a newer format --------------------------------------------------------


def newer(leaf, origin, before, seed):
    """This BOOT leaf, saying the next format, signed anew.  before: the leaves before
    it; seed: of the key that signs it."""
    assert leaf[1:4] == b"\x00\x02\x01" and leaf[4] < 23
    body = bytes([leaf[0] - 1]) + leaf[1:4] + bytes([leaf[4] + 1]) + leaf[5:-67]
    sig = ed25519(seed, b"opseal leaf v1\n" + origin + b"\n" + struct.pack(">Q", len(before)) +
                  root(before) + body)
    return bytes([leaf[0]]) + body[1:] + leaf[-67:-64] + sig
