"""recorded - what the tests share that record real sessions and then compare
what the terminal showed with what is in the log."""
import base64
import hashlib
import json
import os
import re
import signal

import opsealtest as t

GAP_NOTICE = b"\r\nopseal: the log can't be written; this part is not recorded\r\n"
LIMIT_NOTICE = b"\r\nopseal: more than is recorded of one user; this part is not recorded\r\n"
BACK_NOTICE = b"\r\nopseal: what is shown from here on is recorded\r\n"
# Also as a terminal shows it that isn't raw yet, in a session that just began.
ANY_GAP_NOTICE = re.compile(GAP_NOTICE.replace(b"\r\n", rb"\r+\n"))
END_NOTICE = b"\r\nopseal: the log can't be written; the session ends here\r\n"
# What `show` says of a session that on_log_failure = refuse has ended.
END_BY_LOG = "closed: the log could not be written"


def json_lines(result):
    return [json.loads(line) for line in result.out.splitlines() if line.strip()]


def programs(result):
    """The rows of `log --json`, in short: kind, exe, hash of the arguments, exit."""
    return [[p["kind"], p.get("exe"), hashlib.sha256(repr(p.get("argv")).encode()).hexdigest(),
             p.get("exit")] for p in json_lines(result)]


def role_pids(inst, *roles):
    """The processes of these roles (all, if none is named) of opseald."""
    found = []
    for pid in inst.pids():
        try:
            with open("/proc/%d/comm" % pid) as f:
                name = f.read().strip()
        except OSError:
            continue
        if name.startswith("opseald") and (not roles or name[len("opseald-"):] in roles):
            found.append(pid)
    return found


def recorders(inst):
    """The recorders that write to inst."""
    found = []
    for pid in t.processes_of(inst.run_dir + "/record.sock"):
        try:
            with open("/proc/%d/comm" % pid) as f:
                if f.read() == "opseal-rec\n":
                    found.append(pid)
        except OSError:
            pass
    return found


def kill(*pids, number=signal.SIGKILL):
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass


def not_root():
    """The user of a session that on_log_failure = refuse may end: root's it never does."""
    return t.person() if t.is_root() else None


class Recorded(t.Test):
    def sessions(self, inst):
        """The rows of `opseal ls`, oldest first."""
        result = inst.opseal("ls", "--json")
        if result.status != 1:  # 1: there are none yet
            self.exits(result, 0)
        return json_lines(result)

    def session(self, inst, term):
        """The row of the session on that terminal."""
        found = [s for s in self.sessions(inst) if s["pid"] == term.pid]
        self.equal(len(found), 1, "sessions of process %d" % term.pid)
        return found[0]

    def ended(self, inst, term, state="closed", timeout=None):
        """Wait until the session on that terminal is in state."""
        last = None

        def look():
            nonlocal last
            last = self.session(inst, term)
            return last if last["end"] is not None or last["status"] == "lost" else None
        try:
            t.wait_for("the session's end", look, timeout)
        except AssertionError:
            self.fail("the session doesn't end: %r\n%s" % (last, term.autopsy()))
        self.equal(last["status"], state, "state")
        return last

    def raw(self, inst, session):
        """All that the log holds of what the session showed."""
        return inst.opseal("export", session["session"], "--format", "raw")

    def exact(self, inst, term, status=0):
        """The session ends or has ended; all it showed must be in the log."""
        self.equal(term.wait(60), status, "exit status on the outer terminal")
        s = self.ended(inst, term)
        if status >= 0:
            self.equal((s["exit"], s["signal"]), (status, None), "recorded exit")
        self.equal(s["bytes_lost"], 0, "bytes lost")
        result = self.exits(self.raw(inst, s), 0)
        self.equal(result.out, bytes(term.out), "what is in the log, against what was shown")
        self.equal(s["bytes_out"], len(term.out), "bytes_out")
        return s

    def accounted(self, inst, term, session):
        """All that the terminal showed is in the log, or in a gap of the log at
        its place and of its size; gives the gaps' sizes."""
        # The notice's own line end, and not one more that was shown before it.
        shown = bytes(term.out)
        for notice in (GAP_NOTICE, LIMIT_NOTICE, BACK_NOTICE):
            shown = shown.replace(notice, b"")
        shown = ANY_GAP_NOTICE.sub(b"", shown)
        result = inst.opseal("export", session["session"], "--format", "json")
        self.check(result.status in (0, 5), "export: %r" % result.status)
        at, gaps = 0, []
        for record in json_lines(result):
            if record["type"] == "gap":
                gaps.append(record["bytes"])
                at += record["bytes"]
            elif record["type"] == "output":
                data = base64.b64decode(record["data_b64"]) if "data_b64" in record \
                    else record["data"].encode()
                self.equal(data, shown[at:at + len(data)],
                           "record %d, at byte %d after gaps of %r" % (record["number"], at, gaps))
                at += len(data)
        self.equal(at, len(shown), "bytes recorded and lost, gaps %r, the rest %r" % (
            gaps, shown[at:at + 100]))
        self.equal(sum(gaps), session["bytes_lost"], "bytes_lost")
        self.equal(session["bytes_out"], len(shown), "bytes_out")
        return gaps

    def verifies(self, inst):
        result = self.exits(inst.opseal("verify"), 0)
        self.check("TAMPER" not in result.text, "verify: %s" % result.text)
        return result
