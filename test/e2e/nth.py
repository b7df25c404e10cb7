#!/usr/bin/python3
"""The n-th call fails: an allocation, a write, a sync, a rename, an open of
exactly one process, once or from there on, for n = 1, 2, 3 ... until a session
comes to its seal without one that failed.

Each time: what was shown is what is recorded and what is counted as lost; the
state names the failure while it lasts; the policy is applied; `verify` finds
nothing; and the session after it is whole.

Where a life has hundreds of calls every k-th is tried (the rows below): the
memory of the writer, of which libcrypto asks for most, and failures that last,
where the calls between the k-th are tries of the same thing again.

Who may die: only the writer, and only for lack of memory.  A primitive of
libcrypto that fails ends the process (must() in lib/base/crypto.c: abort,
signal 6), as there is no log without hashes and signatures.  The supervisor
starts it again, and nothing is lost; while it can't be started `status` says what
of.  One that lives on without memory for a connection answers who asks.  A recorder without memory for its queue
ends before its session has begun.

timeout: 600
"""
import errno
import os
import re
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import opsealtest as t
import recorded as r
from faults import Faults

AT_ONCE = 4  # instances side by side: most of the time is waiting for a retry
HELD = "hold_time = 60s\n"
CONTINUE = "hold_time = 300ms\n"
REFUSE = "hold_time = 300ms\non_log_failure = refuse\n"
WHY = {errno.EIO: "Input/output error", errno.ENOSPC: "No space left",
       errno.ENOMEM: "out of memory|no memory|Cannot allocate memory"}
NOTICE = b"|".join(re.escape(n).replace(b"\\\r\\\n", b"\r+\n")
                   for n in (r.GAP_NOTICE, r.END_NOTICE, r.BACK_NOTICE))
SESSION = ["sh", "-c", "echo one; read x; echo two; exit 3"]
WHOLE = b"one\r\n\r\ntwo\r\n"  # what it shows


class Nth(r.Recorded):
    def loop(self, config, life, step=1, first=1, most=10000):
        """life(inst, faults, n) for n = first, first + step, ... in some
        instances at once, until it returns False: nothing failed."""
        workers = []
        for i in range(AT_ONCE):
            faults = Faults(self)
            workers.append((self.instance(config=config, env=faults.env), faults))
        self.next = first
        self.end = most
        self.bad = None
        self.tried = 0
        lock = threading.Lock()

        def work(inst, faults):
            while True:
                with lock:
                    n = self.next
                    self.next += step
                    if n >= self.end or self.bad is not None:
                        return
                try:
                    failed = life(inst, faults, n)
                except Exception as e:
                    self.bad = AssertionError("number %d: %s\n%s" % (n, e, inst.log()[-2000:]))
                    return
                with lock:
                    if failed:
                        self.tried += 1
                    else:
                        self.end = min(self.end, n)
        threads = [threading.Thread(target=work, args=w) for w in workers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self.bad is not None:
            raise self.bad
        self.check(self.tried > 0, "nothing ever failed")
        self.check(self.end < most, "it never came to an end")

    def status(self, inst):
        """The state as JSON, or what `status` says where it can't ask."""
        result = inst.opseal("status", "--json")
        return r.json_lines(result)[0] if result.out else result.errtext

    def is_ok(self, inst):
        s = self.status(inst)
        return isinstance(s, dict) and s["state"] == "ok" and s["unsealed"] == 0 and s["lag"] == 0

    def is_named(self, inst, number):
        s = self.status(inst)
        if isinstance(s, dict):
            self.check(s["state"] == "ok" or re.search(WHY[number], s["reason"]),
                       "the state names something else: %r" % s["reason"])
            return s["state"] != "ok"
        return re.search(WHY[number], s)

    def deaths(self, inst, number, before):
        """What ended since then must have been allowed to; the next start need
        not wait as after a row of deaths."""
        ended = re.findall(r"role (\w+): (.*); starting it again", inst.log()[before:])
        for role, why in ended:
            self.check(role == "writer" and number == errno.ENOMEM and
                       re.search("signal 6|memory", why), "role %s: %s" % (role, why))
        if ended:
            inst.restart()

    def ends_right(self, inst, term, refuse, status):
        # Before the session begins its terminal isn't raw: CR CR LF.
        shown = re.sub(NOTICE, b"", bytes(term.out))
        def found():
            return [s for s in self.sessions(inst) if s["pid"] == term.pid]
        # The recorder may be between two attempts, a second apart, to hand it over.
        if status != 2 or b"one\r\n" in shown:
            t.wait_for("the session, in the log", found, about=lambda: "status %d, %r" % (status, shown))
        elif not found():  # refused before it began
            self.check(refuse, "not in the log, but status %d, %r" % (status, shown))
            return
        s = t.wait_for("the session's end", lambda: (
            lambda s: s if s["end"] is not None else None)(self.session(inst, term)))
        raw = self.raw(inst, s)
        self.check(raw.status in (0, 5), "export: %r" % raw)
        if refuse:
            self.refused_right(inst, term, s, raw.out, shown, status)
            return
        self.equal(status, 3, "exit status")
        self.equal(shown, WHOLE, "shown")
        self.equal(len(shown), len(raw.out) + s["bytes_lost"], "shown, against recorded and lost")
        self.check(s["bytes_lost"] > 0 or raw.out == shown, "recorded %r" % raw.out)

    def refused_right(self, inst, term, s, recorded, shown, status):
        """With `refuse` nothing is shown that isn't recorded, so nothing is ever
        lost.  What was held when the time was over is not shown, but is in the
        log once that can be written; what the command wrote after that was
        never read.  Then status and log say that it was the log that ended it,
        also where the command had ended meanwhile, with 3."""
        self.check(status in (2, 3), "exit status %d" % status)
        self.equal(s["bytes_lost"], 0, "bytes lost, with refuse")
        self.check(WHOLE.startswith(recorded), "recorded %r" % recorded)
        self.check(recorded.startswith(shown), "shown %r, recorded %r" % (shown, recorded))
        ended = r.END_BY_LOG in inst.opseal("show", s["session"]).text
        noticed = re.search(NOTICE, bytes(term.out)) is not None
        self.equal((ended, noticed), (status == 2,) * 2,
                   "(ended by the log, told so); status %d, shown %r" % (status, shown))
        self.check(ended or shown == WHOLE, "ended by itself, shown %r" % shown)

    def works_after(self, inst):
        self.verifies(inst)
        self.exact(inst, self.record_pty(inst, ["sh", "-c", "echo whole; exit 4"]), 4)

    def run_session(self, inst):
        """Through its steps, as far as it is let; gives terminal and status."""
        term = self.record_pty(inst, SESSION, user=r.not_root())
        t.wait_for("the first line or an end", lambda: b"one\r\n" in bytes(term.out) or
                   term.proc.poll() is not None, 60)
        term.line("")
        return term

    def life(self, kind, number, lasting, refuse):
        def one(inst, faults, n):
            before = len(inst.log())
            faults.fail(kind, number, n - 1, 0 if lasting else 1, "writer")
            term = self.record_pty(inst, SESSION, user=r.not_root())
            named = False
            typed = False
            end = time.monotonic() + 60
            while time.monotonic() < end:
                if not typed and b"one\r\n" in bytes(term.out):
                    term.line("")
                    typed = True
                over = term.proc.poll() is not None
                if lasting and faults.failed and not named:
                    named = self.is_named(inst, number)
                elif over and (faults.failed or self.is_ok(inst)):
                    break
                if lasting and named and (over or not refuse and b"two\r\n" in bytes(term.out)):
                    break
                time.sleep(0.02)
            hit = faults.failed
            self.check(not lasting or not hit or named, "the state never named it: %r"
                       % self.status(inst))
            faults.heal()
            status = term.wait(60)
            t.wait_for("the state ok", lambda: self.is_ok(inst), 30)
            self.deaths(inst, number, before)
            self.ends_right(inst, term, refuse, status)
            self.works_after(inst)
            return hit > 0
        return one

    def once(self, kind, number, step=1):
        self.loop(HELD, self.life(kind, number, False, False), step)

    def lasts(self, kind, number, step):
        for config in (CONTINUE, REFUSE):
            self.loop(config, self.life(kind, number, True, config == REFUSE), step)


class Writer(Nth):
    def test_a_write(self):
        self.once("pwrite", errno.EIO)

    def test_a_sync(self):
        self.once("sync", errno.EIO)

    def test_a_rename(self):
        self.once("rename", errno.EIO)

    def test_an_open(self):
        self.once("open", errno.ENOSPC)

    def test_an_allocation(self):
        self.once("memory", errno.ENOMEM, 23)

    def test_allocations_from_there_on(self):
        self.lasts("memory", errno.ENOMEM, 61)

    def test_writes_from_there_on(self):
        self.lasts("pwrite", errno.ENOSPC, 4)

    def test_syncs_from_there_on(self):
        self.lasts("sync", errno.EIO, 5)


class Recorder(Nth):
    def test_an_allocation(self):
        def life(inst, faults, n):
            faults.fail("memory", errno.ENOMEM, n - 1, 1, "rec")
            term = self.run_session(inst)
            status = term.wait(60)
            hit = faults.failed
            faults.heal()
            found = [s for s in self.sessions(inst) if s["pid"] == term.pid]
            if status == 3 or found:
                self.exact(inst, term, 3)
            else:  # its recorder said no before anything was shown
                self.check(hit and b"one\r\n" not in bytes(term.out), "ran, unrecorded")
            self.works_after(inst)
            return hit > 0
        self.loop(REFUSE, life)

    def test_a_write_to_the_terminal(self):
        """Taken later: the session is whole.  (An error is a hang-up: hostile.py.)"""
        def life(inst, faults, n):
            faults.fail("write", errno.EAGAIN, n - 1, 1, "rec")
            term = self.run_session(inst)
            self.exact(inst, term, 3)
            hit = faults.failed
            faults.heal()
            self.works_after(inst)
            return hit > 0
        self.loop(HELD, life)


t.main()
