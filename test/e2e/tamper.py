#!/usr/bin/python3
# What was changed, removed, put back or cut off in a store, `opseal verify`
# names; what a crash leaves it tells apart; and what can't be seen is shown.
# timeout: 1200
import atexit
import concurrent.futures
import os
import random
import re
import shutil
import signal
import socket
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import opsealstore as st
import opsealtest as t

SEED = 20261123
FAILING = ("TAMPER|MISSING|FORGED-SEAL|UNKNOWN|INCOMPLETE|TIME|ANCHOR|UNREADABLE")


class Past:
    """A stopped store with a past, made once: three writers, one of them
    killed in the middle of a session, and more than 256 leaves."""

    made = None

    def __init__(self):
        self.base = tempfile.mkdtemp(prefix="opst.", dir="/tmp")
        atexit.register(shutil.rmtree, self.base, ignore_errors=True)
        os.chmod(self.base, 0o755)
        self.notes = []  # what somebody remembers: a note, and its size
        inst = t.Instance(os.path.join(self.base, "i"), config="seal_after = 1ms\n")
        try:
            self.record(inst, 3)
            inst.stop()
            self.remember(inst)
            # A backup of all of it, and one as it should be, without keys.
            self.backup = os.path.join(self.base, "backup")
            shutil.copytree(inst.store, self.backup)
            inst.start()
            self.survive_a_kill(inst)
            while self.size(inst) < 300:
                self.record(inst, 4)
            inst.stop()
            self.remember(inst)
            inst.start()
            self.record(inst, 3)
            inst.stop()
            self.remember(inst)
            self.store = inst.store
            self.vkey = inst.offline("checkpoint", "--vkey").text
        finally:
            inst.destroy()

    def size(self, inst):
        return int(inst.offline("checkpoint").text.splitlines()[1])

    def remember(self, inst):
        self.notes.append((inst.offline("checkpoint").out, self.size(inst),
                           inst.offline("checkpoint", "--anchor").text))

    def record(self, inst, n):
        script = "for i in 1 2 3 4 5 6; do echo some text $i; sleep 0.01; done"
        terms = [t.Pty(inst.argv("record", "--", "sh", "-c", script)) for _ in range(n)]
        for term in terms:
            assert term.wait() == 0
            term.close()

    def survive_a_kill(self, inst):
        term = t.Pty(inst.argv("record", "--", "sh", "-c", "echo before; read x; echo after; read y"))
        term.expect("before")
        inst.kill()
        inst.start()
        term.line("")
        term.expect("after")
        term.line("")
        assert term.wait() == 0
        term.close()

    @classmethod
    def get(cls):
        if cls.made is None:
            cls.made = cls()
        return cls.made


def names(result):
    """The failing findings: (kind, where)."""
    return re.findall(r"^(%s) (.*?): " % FAILING, result.text, re.M)


class Tamper(t.Test):
    def setup(self):
        self.past = Past.get()
        self.count = 0
        self.random = random.Random(SEED)

    def copy(self, source=None):
        """A copy of the whole store, keys included."""
        self.count += 1
        target = self.path("copy%d" % self.count)
        shutil.copytree(source or self.past.store, target, symlinks=True)
        return target

    def verify(self, store, *args):
        return t.run(["opseal", "--store", store, "--run", self.path("none"), "verify"] + list(args))

    def named(self, store, what, where, *args):
        """verify exits 3 and a failing finding names the place."""
        result = self.exits(self.verify(store, *args), 3, what)
        found = names(result)
        self.check(any(re.search(where, w) for _, w in found),
                   "%s: nothing names %s: %r" % (what, where, found[:20]))
        self.matches(result.text, "^FAILED", what)
        return result

    def fine(self, store, what, *args):
        return self.exits(self.verify(store, *args), 0, what)

    def adopt(self, store):
        """A daemon, not yet started, whose store is now this one."""
        inst = self.instance(start=False)
        owner = os.stat(inst.store)
        shutil.rmtree(inst.store)
        shutil.move(store, inst.store)
        for folder, dirs, files in os.walk(inst.store):
            for name in ["."] + dirs + files:
                os.chown(os.path.join(folder, name), owner.st_uid, owner.st_gid)
        return inst


def not_sanitized():
    """Of tests that start a process for each byte."""
    if t.SANITIZE:
        t.skip("unit/check reads stores with changed bytes under sanitizers, many times as many, in process")


class Bytes(Tamper):
    """One changed byte, at borders and at places between.  unit/check
    tries each byte of a store, in process; here it is the command a person
    types, and to start it for each byte would take hours."""

    def flips(self, store, rel, offsets):
        path = os.path.join(store, rel)
        for offset in offsets:
            mask = self.random.randrange(1, 256)
            t.flip(path, offset, mask)
            self.named(store, "%s at %d ^ %#x" % (rel, offset, mask), re.escape(rel.split(".p/")[0]))
            t.flip(path, offset, mask)

    def offsets(self, path, places, random):
        """First, last, the places, and some at random."""
        size = os.path.getsize(path)
        every = {0, size - 1} | {p for p in places if p < size}
        every |= {self.random.randrange(size) for _ in range(random)}
        return sorted(every)

    def setup(self):
        super().setup()
        self.store = self.copy()
        self.fine(self.store, "the copy")
        self.before = st.fingerprint(self.store)

    def teardown(self):
        if hasattr(self, "before"):
            self.equal(st.fingerprint(self.store) == self.before, True, "the store is as before")

    def test_leaves(self):
        not_sanitized()
        path = self.store + "/log/0/leaves"
        places, at = [], 0
        for leaf in st.leaves(self.store):
            places += [at, at + 4, at + 8, at + 8 + len(leaf) - 1]
            at += 8 + len(leaf)
        self.flips(self.store, "log/0/leaves",
                   self.offsets(path, self.random.sample(places, 150) + places[:8] + places[-8:], 200))

    def test_checkpoint(self):
        not_sanitized()
        path = self.store + "/log/0/checkpoint"
        self.flips(self.store, "log/0/checkpoint", range(os.path.getsize(path)))

    def test_tiles(self):
        not_sanitized()
        tiles = [rel for rel in st.files(self.store) if "/tile/" in rel]
        self.check(len(tiles) >= 8, "tiles: %r" % tiles)
        for rel in tiles:
            self.flips(self.store, rel, self.offsets(os.path.join(self.store, rel), [31, 32], 12))

    def test_segments(self):
        not_sanitized()
        rels = st.segments(self.store)
        self.check(any("/events/" in rel for rel in rels), "segments: %r" % rels)
        rels.sort(key=lambda rel: -os.path.getsize(os.path.join(self.store, rel)))
        rels = rels[:2] + self.random.sample(rels[2:], 5)
        for rel in rels:
            path = os.path.join(self.store, rel)
            places, at = list(range(0, 48, 5)), 48
            fields = (0, 4, 8, 16, 18, 20, 21, 22, 32, 40, 48, 52, 56, 60, 62, 64, 65, 66, 68, 72, 76)
            for i, (_, frame) in enumerate(st.frames(path)[1]):
                places += [at + f for f in fields] if i < 2 else [at, at + len(frame) - 1]
                at += len(frame)
            self.flips(self.store, rel, self.offsets(path, places[:120], 200 if rel == rels[0] else 20))

    def test_quick_sees_it_too(self):
        for rel in self.random.sample(st.segments(self.store), 5) + ["log/0/leaves", "log/0/checkpoint"]:
            offset = self.random.randrange(os.path.getsize(os.path.join(self.store, rel)))
            t.flip(os.path.join(self.store, rel), offset)
            self.named(self.store, "%s at %d" % (rel, offset), re.escape(rel), "--quick")
            t.flip(os.path.join(self.store, rel), offset)

    def test_lengths(self):
        """A byte more, a byte less, an empty file."""
        for rel in ["log/0/leaves", "log/0/checkpoint"] + self.random.sample(st.segments(self.store), 3) + \
                [r for r in st.files(self.store) if "/tile/" in r][:3]:
            path = os.path.join(self.store, rel)
            data = st.read(path)
            for what, changed in (("more", data + b"\0"), ("less", data[:-1]), ("empty", b"")):
                st.write(path, changed)
                if (rel, what) == ("log/0/leaves", "more"):
                    # A start that a power cut ended in its first append.
                    self.matches(self.fine(self.store, "a torn append").text, "^CRASH log/0/leaves")
                    continue
                self.named(self.store, "%s, %s" % (rel, what), re.escape(rel.split(".p/")[0]))
            st.write(path, data)


class FifthByte(Tamper):
    """Of a small store each fifth byte of each file; unit/check tries each."""

    def small(self):
        inst = self.instance()
        self.equal(self.record_pty(inst, ["echo", "hello"]).wait(), 0, "status")
        self.equal(inst.stop(), 0, "exit status")
        return inst.store

    def flip_some(self, store, places):
        """Flip these bytes, one after the other, in a copy of its own."""
        mine = self.copy(store)
        for rel, offset in places:
            path = os.path.join(mine, rel)
            t.flip(path, offset, 1 << offset % 8)
            self.named(mine, "%s at %d" % (rel, offset), "^" + re.escape(rel.split(".p/")[0]))
            t.flip(path, offset, 1 << offset % 8)
        self.fine(mine, "all put back")

    def test_of_a_small_store(self):
        not_sanitized()
        store = self.small()
        step = 5
        places = [(rel, offset) for rel in st.files(store)
                  for offset in range(0, os.path.getsize(os.path.join(store, rel)), step)]
        self.check({"log", "data"} == {rel.split("/")[0] for rel, _ in places}, "files")
        self.check(len(places) * step > 2000, "only %d places" % len(places))
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            for done in [pool.submit(self.flip_some, store, places[i::2]) for i in range(2)]:
                done.result()


class Parts(Tamper):
    """Whole parts removed, swapped, doubled, put back."""

    def busiest(self, store):
        """The segment with the most frames."""
        return max(st.segments(store), key=lambda rel: len(st.frames(os.path.join(store, rel))[1]))

    def test_frames(self):
        store = self.copy()
        rel = self.busiest(store)
        path = os.path.join(store, rel)
        whole = st.read(path)
        header, all_ = st.frames(path)
        n = len(all_)
        self.check(n >= 20, "%d frames" % n)
        cases = [("frame %d removed" % i, all_[:i] + all_[i + 1:]) for i in (0, 1, n // 2, n - 2, n - 1)]
        cases += [("frames %d and %d swapped" % (i, i + 1),
                   all_[:i] + [all_[i + 1], all_[i]] + all_[i + 2:]) for i in (0, n // 2, n - 2)]
        cases += [("the last frame twice", all_ + [all_[-1]]), ("a frame in another's place",
                   all_[:3] + [all_[4]] + all_[4:]), ("no frame left", [])]
        for what, kept in cases:
            st.put_frames(path, header, kept)
            self.named(store, what, re.escape(rel))
        # A frame of another stream, in a place of the same number.
        other = next(r for r in st.segments(store) if r != rel)
        first = st.frames(os.path.join(store, other))[1][0]
        st.put_frames(path, header, [first] + all_[1:])
        self.named(store, "a frame of another stream", re.escape(rel))
        st.write(path, whole)
        self.fine(store, "all put back")

    def test_segments(self):
        store = self.copy()
        rels = st.segments(store)
        for rel in self.random.sample(rels, 5):
            path = os.path.join(store, rel)
            os.rename(path, store + "/away")
            self.named(store, rel + " removed", re.escape(rel))
            os.rename(store + "/away", path)
        a, b = [os.path.join(store, r) for r in self.random.sample([r for r in rels if "/screen/" in r], 2)]
        da, db = st.read(a), st.read(b)
        st.write(a, db), st.write(b, da)
        result = self.named(store, "two segments swapped", os.path.basename(a))
        self.contains(result.text, os.path.basename(b), "the other one")
        st.write(a, da), st.write(b, db)
        for folder in ("data/screen/2020-01-01", "data/events/2020-01-01"):
            os.makedirs(os.path.join(store, folder))
            extra = os.path.join(store, folder, os.path.basename(a))
            shutil.copy(a, extra)
            self.named(store, "a segment of another day", folder)
            shutil.rmtree(os.path.join(store, folder))
        st.write(os.path.dirname(a) + "/notes.txt", b"mine")
        self.named(store, "a foreign file", "notes.txt")
        os.unlink(os.path.dirname(a) + "/notes.txt")
        shutil.rmtree(store + "/data/screen")
        self.named(store, "all screens removed", "data/screen")

    def test_leaves(self):
        """Removed or swapped, with the CRCs made right; then the tree signed
        anew with the stolen key, which only the seals withstand."""
        store = self.copy()
        all_ = st.leaves(store)
        n = len(all_)
        picks = {0, 1, n - 2, n - 1} | set(self.random.sample(range(2, n - 2), 12))
        for wanted in (st.FRAME, st.SEAL, st.BOOT, st.CLOSE):
            picks |= set(self.random.sample(st.places(all_, wanted), 2))
        for i in sorted(picks):
            st.put_leaves(store, all_[:i] + all_[i + 1:])
            self.named(store, "leaf %d removed" % i, r"log/0/")
            if i + 1 < n:
                st.put_leaves(store, all_[:i] + [all_[i + 1], all_[i]] + all_[i + 2:])
                self.named(store, "leaves %d, %d swapped" % (i, i + 1), r"log/0/")
        for i in self.random.sample(sorted(picks - {n - 1}), 8):
            changed = all_[:i] + all_[i + 1:]
            st.put_leaves(store, changed)
            st.sign_checkpoint(store, changed)
            shutil.rmtree(store + "/log/0/tile", ignore_errors=True)
            result = self.named(store, "leaf %d removed, signed anew" % i, r"log/0/leaves")
            if i > 0:
                self.contains(result.text, "FORGED-SEAL")

    def test_a_whole_session_forged_away(self):
        """FRAME and CLOSE leaves of a session, and its data, all gone, and the
        tree signed anew: the seals over it still don't fit."""
        store = self.copy()
        all_ = st.leaves(store)
        rel = next(r for r in st.segments(store) if "/screen/" in r)
        stream = st.read(os.path.join(store, rel))[22:32]
        kept = [x for x in all_ if st.uncbor(x).get(1) != stream]
        self.check(len(kept) < len(all_), "leaves of the session")
        st.put_leaves(store, kept)
        st.sign_checkpoint(store, kept)
        st.cut_data(store, kept)
        shutil.rmtree(store + "/log/0/tile")
        result = self.named(store, "a session removed", "log/0/leaves")
        self.contains(result.text, "FORGED-SEAL")

    def test_checkpoint(self):
        store = self.copy()
        path = store + "/log/0/checkpoint"
        os.unlink(path)
        self.named(store, "checkpoint removed", "log/0")
        for note, size, _ in self.past.notes[:-1]:
            st.write(path, note)
            self.named(store, "checkpoint of size %d put back" % size, "log/0")
        other = self.instance()
        other.stop()
        st.write(path, st.read(other.store + "/log/0/checkpoint"))
        self.named(store, "another log's checkpoint", "log/0/checkpoint")
        st.sign_checkpoint(store, st.leaves(store), seed=bytes(32))
        self.named(store, "signed by another key", "log/0/checkpoint")

    def test_leaves_cut_at_a_seal(self):
        all_ = st.leaves(self.past.store)
        seals = st.places(all_, st.SEAL)
        for seal in (seals[len(seals) // 2], seals[-2]):
            store = self.copy()
            st.put_leaves(store, all_[:seal + 1])
            self.named(store, "cut at leaf %d" % seal, "log/0")
            os.unlink(store + "/log/0/checkpoint")
            self.named(store, "and the checkpoint removed", "log/0|data/")
            st.sign_checkpoint(store, all_[:seal + 1])
            self.named(store, "or signed anew", "data/|wal")

    def test_tiles_and_index_are_made_again(self):
        store = self.copy()
        tiles = [rel for rel in st.files(store) if "/tile/" in rel]
        full = [rel for rel in tiles if ".p/" not in rel]
        self.check(full, "full tiles: %r" % tiles)
        shutil.rmtree(store + "/index", ignore_errors=True)
        for rel in tiles:
            os.unlink(os.path.join(store, rel))
            result = self.fine(store, rel + " removed")
        self.matches(result.text, "^TILE-MISSING ")
        shutil.rmtree(store + "/log/0/tile")
        self.fine(store, "no tiles at all")
        inst = self.adopt(store)
        inst.start()
        t.wait_for("the tiles", lambda: all(os.path.exists(os.path.join(inst.store, r)) for r in full))
        self.equal(inst.stop(), 0, "exit status")
        for rel in full:
            self.equal(st.read(os.path.join(inst.store, rel)),
                       st.read(os.path.join(self.past.store, rel)), rel)
        self.check("TILE-MISSING" not in self.fine(inst.store, "made again").text, "still missing")


class Wal(Tamper):
    """The write-ahead log of a store whose daemon was killed."""

    def setup(self):
        super().setup()
        inst = self.instance(config="seal_after = 60s\n")
        script = "for i in 1 2 3 4 5 6 7 8; do echo line $i; sleep 0.05; done; head -c 6000 /dev/zero | " \
                 "tr '\\0' x; echo; echo end; read x"
        term = self.record_pty(inst, ["sh", "-c", script])
        term.expect("end")
        time.sleep(0.3)
        inst.kill()
        self.inst, self.store = inst, inst.store
        self.wal = st.wal_path(self.store)
        self.whole = st.read(self.wal)
        # As recovery and verify count: those that no seal has consumed.
        last = st.uncbor(st.leaves(self.store)[-1])
        self.all = [b for b in st.batches(self.wal) if b[0] >= last[13]]
        self.check(len(self.all) >= 5, "batches: %r" % self.all)
        self.fine(self.store, "the killed store")

    def put(self, data):
        st.write(self.wal, data)

    def blocks(self, batch):
        return b"".join(self.whole[at:at + st.BLOCK] for at in batch[1])

    def without(self, *gone):
        """The file without these batches: what comes after moves up."""
        first, kept = self.all[0][1][0], b""
        for batch in self.all:
            kept += b"" if batch in gone else self.blocks(batch)
        return (self.whole[:first] + kept).ljust(len(self.whole), b"\0")

    def test_batches(self):
        place = r"^wal/%s" % os.path.basename(self.wal)
        for batch in self.all[:-1]:
            self.put(self.without(batch))
            self.named(self.store, "batch %d removed" % batch[0], place)
            for at in batch[1]:
                for offset in (0, 20, 495, 496, 505, 508, 511, self.random.randrange(512)):
                    data = bytearray(self.whole)
                    data[at + offset] ^= self.random.randrange(1, 256)
                    self.put(data)
                    self.named(self.store, "batch %d byte %d" % (batch[0], at + offset), place)
                data = bytearray(self.whole)
                data[at + 70] ^= 1
                data[at:at + 512] = st.reseal_block(bytes(data[at:at + 512]))
                self.put(data)
                self.named(self.store, "batch %d, CRC made right" % batch[0], place)
                self.put(self.whole[:at] + bytes(512) + self.whole[at + 512:])
                self.named(self.store, "batch %d, a block of zeros" % batch[0], place)
        a, b = self.all[1:3]
        moved = self.without(a, b)
        at = a[1][0]
        size = len(self.blocks(a)) + len(self.blocks(b))
        data = (moved[:at] + self.blocks(b) + self.blocks(a) + moved[at:])[:len(self.whole)]
        self.check(data[at + size:at + size + 512] == self.whole[at + size:at + size + 512], "places")
        self.put(data)
        self.named(self.store, "two batches swapped", place)
        os.unlink(self.wal)
        self.named(self.store, "the WAL removed", r"^wal")

    def test_byte_of_the_final_batch(self):
        """A crash leaves blocks whole or not at all, never changed ones."""
        for at in self.all[-1][1]:
            for offset in (0, 100, 495, 496, 511):
                data = bytearray(self.whole)
                data[at + offset] ^= 0x10
                self.put(data)
                self.named(self.store, "byte %d" % (at + offset), r"^wal/")

    def test_torn_final_batch(self):
        last = max(self.all, key=lambda b: len(b[1]))
        self.check(len(last[1]) > 3, "no long batch: %r" % self.all)
        # Everything after the long one was never written.
        end = last[1][-1] + 512
        whole = self.whole[:end].ljust(len(self.whole), b"\0")
        for gone in ([last[1][-1]], [last[1][0]], last[1][1:3], last[1][1:]):
            data = bytearray(whole)
            for at in gone:
                data[at:at + 512] = bytes(512)
            self.put(data)
            self.matches(self.fine(self.store, "blocks %r absent" % gone).text, "^CRASH wal/")
        self.put(whole[:last[1][2]])
        self.matches(self.fine(self.store, "the file cut short").text, "^CRASH wal/")
        # And the daemon goes on from there.
        self.inst.start()
        self.inst.stop()
        self.matches(self.fine(self.store, "after recovery").text, "^CRASH ")

    def test_tampered_batch_is_kept_and_named_after_recovery(self):
        """A start doesn't wipe the traces."""
        data = bytearray(self.whole)
        data[self.all[1][1][0] + 100] ^= 1
        self.put(data)
        for pid in t.processes_of(self.inst.run_dir, self.store):
            os.kill(pid, signal.SIGKILL)
        self.inst.start()
        self.inst.stop()
        self.named(self.store, "after recovery", r"^wal/")


class End(Tamper):
    """Whole seal periods cut off the end, with every key on the disk used."""

    def cut(self, periods, source=None):
        store = self.copy(source)
        seals = st.places(st.leaves(store), st.SEAL)
        st.cut_log(store, seals[-1 - periods] + 1)
        return store

    def anchored(self, store, what):
        """Each way to remember a checkpoint names the cut."""
        note, size, line = self.past.notes[-1]
        path = self.write("note", note)
        lines = self.write("lines", "2026-11-23T09:14:00Z " + line)
        os.makedirs(self.path("bin"), exist_ok=True)
        fake = self.write("bin/journalctl", "#!/bin/sh\necho '2026-11-23T09:14:00+0000 host opseal[1]: %s'\n"
                          % line.strip())
        os.chmod(fake, 0o755)
        env = {"PATH": self.path("bin") + ":" + os.environ["PATH"]}
        for against in (path, lines, "journal"):
            result = self.exits(t.run(["opseal", "--store", store, "verify", "--against", against],
                                      env=env), 3, what)
            self.matches(result.text, r"^ANCHOR .*size %d: .*" % size, what)
            self.matches(result.text.splitlines()[-1], r"^Anchored: NO\. ", what)
            self.exits(t.run(["opseal", "--store", self.past.store, "verify", "--against", against],
                             env=env), 0, "the true store")

    def test_cut_is_named_by_an_anchor_and_by_the_resume_key(self):
        for periods in (1, 2, 5, 60):
            store = self.cut(periods)
            # Nothing inside the store shows it, as SECURITY.md says.
            result = self.fine(store, "%d periods cut" % periods)
            self.matches(result.text.splitlines()[-1], r"^Anchored: no\. ")
            self.anchored(store, "%d periods cut" % periods)
            # But the resume key on the disk is not the one named there.
            inst = self.adopt(store)
            inst.start()
            self.equal(inst.stop(), 0, "exit status")
            self.check(os.path.exists(inst.store + "/log/1/leaves"), "%d: no successor log" % periods)
            boot = st.uncbor(st.leaves(inst.store, 1)[0])
            self.equal(boot[16], 4, "why: resume key missing or wrong")
            result = self.fine(inst.store, "after the start")
            self.matches(result.text, r"^SUCCESSOR ")
            self.anchored(inst.store, "%d periods cut, then started" % periods)

    def test_cut_to_an_older_clean_stop(self):
        """The end of a clean stop is the hardest to see: nothing is open there."""
        store = self.copy()
        size = self.past.notes[-2][1]
        st.cut_log(store, size)
        result = self.fine(store, "cut to a clean stop")
        self.check("CRASH wal" not in result.text and "UNSEALED" not in result.text, result.text)
        self.anchored(store, "cut to a clean stop")
        inst = self.adopt(store)
        inst.start()
        inst.stop()
        self.matches(self.fine(inst.store, "after the start").text, r"^SUCCESSOR ")

    def test_security_says_what_cannot_be_seen(self):
        text = " ".join(st.read(os.path.join(t.SOURCE, "SECURITY.md")).decode().split())
        self.contains(text, "The end of a log that isn't anchored")
        self.contains(text, "can't be seen without a remembered checkpoint")

    def test_backup_with_keys_put_back(self):
        """The whole store as it was, keys and all, is a past that really was:
        the daemon goes on with it.  Only who remembers more can tell."""
        store = self.copy(self.past.backup)
        self.fine(store, "the backup")
        inst = self.adopt(store)
        inst.start()
        inst.stop()
        self.check(not os.path.exists(inst.store + "/log/1"), "a successor, though the keys fit")
        self.fine(inst.store, "the backup, continued")
        self.anchored(inst.store, "the backup, continued")

    def test_backup_without_keys_put_back(self):
        """A backup as it should be made: a successor log says what happened."""
        store = self.copy(self.past.backup)
        shutil.rmtree(store + "/keys")
        self.fine(store, "the backup")
        inst = self.adopt(store)
        inst.start()
        inst.stop()
        result = self.fine(inst.store, "the backup, continued")
        self.matches(result.text, r"^SUCCESSOR log/1")
        self.equal(st.uncbor(st.leaves(inst.store, 1)[0])[16], 4, "why")
        self.anchored(inst.store, "the backup, continued")

    def test_old_data_with_the_present_keys(self):
        """Rolled back, but the keys are those of today."""
        store = self.copy(self.past.backup)
        shutil.rmtree(store + "/keys")
        shutil.copytree(self.past.store + "/keys", store + "/keys")
        inst = self.adopt(store)
        inst.start()
        inst.stop()
        self.matches(self.fine(inst.store, "rolled back").text, r"^SUCCESSOR log/1")

    def test_keys_changed(self):
        """Keys prove nothing by themselves; but a wrong one never goes on."""
        for name in ("log-0", "resume"):
            store = self.copy()
            path = store + "/keys/" + name
            st.write(path, bytes(x ^ 1 for x in st.read(path)))
            self.fine(store, name + " changed")
            inst = self.adopt(store)
            inst.start()
            inst.stop()
            self.matches(self.fine(inst.store, name + " changed, started").text, r"^SUCCESSOR log/1")

    def test_a_successor_cannot_hide_its_predecessor(self):
        store = self.cut(3)
        inst = self.adopt(store)
        inst.start()
        inst.stop()
        shutil.copytree(inst.store, self.path("kept"))
        shutil.rmtree(inst.store + "/log/0")
        self.named(inst.store, "the old log removed", "log/")
        shutil.rmtree(inst.store)
        shutil.copytree(self.path("kept"), inst.store)
        all_ = st.leaves(inst.store)
        seals = st.places(all_, st.SEAL)
        st.put_leaves(inst.store, all_[:seals[-3] + 1])
        st.sign_checkpoint(inst.store, all_[:seals[-3] + 1])
        self.named(inst.store, "the old log cut again", "log/")


class Anchors(Tamper):
    def listen(self):
        path = self.path("devlog")
        s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        s.bind(path)
        os.chmod(path, 0o666)
        s.settimeout(t.PATIENCE)
        self.later(s.close)
        return s, path

    def test_lines_arrive_and_are_checked_against(self):
        s, path = self.listen()
        os.mkdir(self.path("a"))
        os.chmod(self.path("a"), 0o777)
        file = self.path("a/anchors")
        inst = self.instance(config="seal_after = 5ms\nanchor_interval = 100ms\nanchor_file = %s\n"
                                    "anchor_syslog = %s\n" % (file, path))
        for _ in range(3):
            self.record_pty(inst, ["echo", "hello"]).wait()
            time.sleep(0.25)
        inst.stop()
        lines = st.read(file).decode().splitlines()
        self.check(len(lines) >= 2, "lines: %r" % lines)
        size = int(lines[-1].split()[3])
        result = self.exits(inst.offline("verify", "--against", file), 0)
        self.matches(result.text.splitlines()[-1],
                     r"^Anchored: size %d of \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ \(%s\)$" % (size, file))
        s.setblocking(False)
        got = []
        try:
            while True:
                got.append(s.recv(4096).decode())
        except BlockingIOError:
            pass
        self.check(got and all(re.match(r"<85>opseal: opseal-anchor \S+ \d+ ", x) for x in got), repr(got))
        # As syslog writes them to its file.
        log = self.write("syslog", "".join("2026-11-23T09:14:07+00:00 host " + x[4:] + "\n" for x in got))
        size = int(got[-1].split()[3])
        result = self.exits(inst.offline("verify", "--against", log), 0)
        self.equal(result.text.splitlines()[-1],
                   "Anchored: size %d of 2026-11-23T09:14:07+00:00 (%s)" % (size, log), "last line")
        # Every line, not only the newest, must still be in the log.
        store = self.copy(inst.store)
        seals = st.places(st.leaves(store), st.SEAL)
        st.cut_log(store, seals[1] + 1)
        self.named(store, "cut", "^anchor of ", "--against", file)


class Busy(Tamper):
    def test_readers_while_sessions_are_recorded(self):
        inst = self.instance(config="seal_after = 10ms\n")
        self.record_pty(inst, ["echo", "first text"]).wait()
        first = inst.opseal("ls", "--json").text.split('"session":"')[1][:16]
        script = "i=0; while [ ! -e %s ]; do i=$((i+1)); echo line $i of text; sleep 0.01; done"
        stop = self.path("stop")
        terms = [self.record_pty(inst, ["sh", "-c", script % stop]) for _ in range(3)]
        for term in terms:
            term.expect("line 3 ")
        long = inst.opseal("ls", "--json").text.splitlines()[-1].split('"session":"')[1][:16]
        # Each round has a longer log than the last: on a slow machine few of
        # them are as much as many are on a fast one.
        ends = time.monotonic() + 8
        rounds = 0
        while rounds < 8 or time.monotonic() < ends:
            rounds += 1
            result = self.exits(inst.offline("verify"), 0, "verify %d" % rounds)
            self.check(not names(result), result.text)
            if rounds % 5 == 1:
                self.exits(inst.opseal("verify"), 0, "verify through the daemon")
            for run in (inst.opseal, inst.offline):
                result = self.exits(run("ls"), 0, "ls %d" % rounds)
                self.equal(len(result.text.splitlines()) >= 4, True, "lines of ls")
                self.contains(self.exits(run("cat", first), 0).text, "first text")
                result = self.exits(run("cat", long), 0, "cat %d" % rounds)
                self.matches(result.text, r"^line 1 of text\nline 2 of text\n")
            # Sessions come and go meanwhile.
            self.record_pty(inst, ["true"]).wait()
            if rounds > 400:
                break
        self.write("stop", "")
        for term in terms:
            self.equal(term.wait(), 0, "exit status of a session")
        inst.stop()
        self.exits(inst.offline("verify"), 0)


class Refused(Tamper):
    """Stores that can't be read: one line, the right status, nothing changed."""

    def refused(self, store, status, *commands, text=None, user=None):
        before = st.fingerprint(store) if os.path.isdir(store) else None
        for command in commands or (["ls"], ["verify"], ["verify", "--quick"], ["checkpoint"],
                                    ["cat", "last"], ["export", "last", "-f", "raw"]):
            result = self.exits(t.run(["opseal", "--store", store] + command, user=user), status,
                                "%s on %s" % (command, store))
            line = self.one_line(result)
            self.equal(result.out, b"", "stdout")
            if text:
                self.matches(line, text, "message")
        if before is not None:
            self.equal(st.fingerprint(store) == before, True, "%s is as before" % store)

    def newer(self, nth):
        store = self.copy()
        all_ = st.leaves(store)
        at = st.places(all_, st.BOOT)[nth]
        seed = st.log_key(store)  # wrong for all but the first, which can't be told any more
        all_[at] = st.newer(all_[at], st.uncbor(all_[0])[4], all_[:at], seed)
        st.put_leaves(store, all_)
        st.sign_checkpoint(store, all_)
        return store

    def test_newer_format(self):
        for nth in (0, 1, -1):
            store = self.newer(nth)
            self.refused(store, 2, text="newer")
            inst = self.adopt(store)
            before = st.fingerprint(inst.store)
            proc = inst.launch()
            self.equal(proc.wait(t.PATIENCE), 2, "exit status of the daemon\n" + inst.log())
            inst.proc = None
            self.matches(inst.log(), "newer")
            self.check(len(inst.log().splitlines()) <= 2, "one clear line: " + inst.log())
            self.equal(st.fingerprint(inst.store) == before, True, "the store is as before")

    def test_unreadable(self):
        if t.is_root():
            self.refused(self.copy(), 4, user=t.person())
        else:
            store = self.copy()
            os.chmod(store + "/log/0/leaves", 0)
            for command in ("ls", "verify"):
                self.one_line(self.exits(t.run(["opseal", "--store", store, command]), 4))

    def test_no_store(self):
        os.mkdir(self.path("empty"))
        os.makedirs(self.path("other/folder"))
        self.write("other/file", "text")
        self.write("file", "text")
        for name in ("missing", "empty", "other", "file", "missing/below", "file/below"):
            self.refused(self.path(name), 2)
        self.check(not os.path.exists(self.path("missing")), "made by looking")


t.main()
