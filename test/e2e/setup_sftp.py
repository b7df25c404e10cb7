#!/usr/bin/python3
# timeout: 300
"""opseal setup --sftp-server: sshd starts sftp-server in place of internal-sftp, and unsetup
puts the old line back; with Debian's sshd, on a host of the test's own (lib/hosted.py)."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import hosted
import opsealtest as t

CONFIG = "/etc/ssh/sshd_config"
DROPIN = "/etc/ssh/sshd_config.d/site.conf"
SERVER = "/usr/lib/openssh/sftp-server"
LINE = "Subsystem\tsftp internal-sftp -l INFO -f AUTH\n"


class Sftp(hosted.Hosted):
    def setup(self):
        t.need_program("ssh-keygen")
        for path in ("/usr/sbin/sshd", SERVER):
            if not os.path.exists(path):
                t.skip(path + " is not installed")
        super().setup()
        os.makedirs(self.at("/run/sshd"), 0o755)
        os.makedirs(self.at("/etc/ssh/sshd_config.d"), 0o755, exist_ok=True)
        self.put(CONFIG, "Include /etc/ssh/sshd_config.d/*.conf\n#Subsystem sftp internal-sftp\n" + LINE +
                 "UsePAM no\nPort 2222\nListenAddress 127.0.0.1\n")
        self.exits(self.enter(["ssh-keygen", "-A"]), 0)

    def effective(self):
        done = self.exits(self.enter(["/usr/sbin/sshd", "-T"]), 0)
        return re.search(r"(?m)^subsystem (.*)$", done.text)[1]

    def test_there_and_back(self):
        before = self.snapshot()
        told = self.exits(self.opseal("setup", "--dry-run"), 0)
        self.contains(told.errtext, "sftp is internal-sftp, which starts no program", "without the option")
        shown = self.exits(self.opseal("setup", "--dry-run", "--sftp-server"), 0).text
        self.contains(shown, "-" + LINE + "+" + LINE.replace("internal-sftp", SERVER), "the diff")
        self.same(before, "after --dry-run")
        self.exits(self.opseal("setup", "--yes", "--sftp-server"), 0)
        self.equal(self.effective(), "sftp %s -l INFO -f AUTH" % SERVER, "sshd's word")
        self.exits(self.opseal("setup", "--check"), 0)
        middle = self.snapshot()
        again = self.exits(self.opseal("setup", "--yes", "--sftp-server"), 0)
        self.contains(again.text, "Nothing to do", "again")
        self.exits(self.opseal("setup", "--yes"), 0)
        self.same(middle, "after a second and a third setup")
        self.exits(self.opseal("unsetup", "--yes"), 0)
        self.same(before, "after unsetup")

    def test_changes_by_hand_survive(self):
        self.exits(self.opseal("setup", "--yes", "--sftp-server"), 0)
        self.append(CONFIG, "LogLevel DEBUG\n")
        self.exits(self.opseal("unsetup", "--yes"), 0)
        text = self.read(CONFIG)
        self.contains(text, LINE, "the old line")
        self.check(text.endswith("LogLevel DEBUG\n") and SERVER not in text, text)
        self.exits(self.opseal("setup", "--yes", "--sftp-server"), 0)
        self.change(CONFIG, "-l INFO", "-l ERROR")
        self.exits(self.opseal("unsetup", "--yes"), 0)
        self.equal(self.effective(), "sftp %s -l ERROR -f AUTH" % SERVER, "a line that is somebody else's now")

    def test_refusals(self):
        before = self.snapshot()
        for more in ("Match User bo\n\tChrootDirectory /srv\n", "Match Group x\nchrootdirectory=\"/srv/%u\"\n"):
            self.put(DROPIN, more)
            bad = self.exits(self.opseal("setup", "--yes", "--sftp-server"), 2, more)
            self.contains(bad.errtext, DROPIN + " has a ChrootDirectory", more)
            os.unlink(self.at(DROPIN))
            self.same(before, "after a refusal")
        self.put(DROPIN, LINE)
        self.change(CONFIG, LINE, "ChrootDirectory none\n")
        bad = self.exits(self.opseal("setup", "--yes", "--sftp-server"), 2)
        self.matches(bad.errtext, "internal-sftp stands in %s, which opseal leaves alone; put %s" % (DROPIN, SERVER))
        os.unlink(self.at(DROPIN))
        self.append(CONFIG, "Subsystem sftp %s\n" % SERVER)
        done = self.exits(self.opseal("setup", "--yes", "--sftp-server"), 0)
        self.contains(done.errtext, "is not internal-sftp", "nothing to do for sshd")
        self.exits(self.opseal("unsetup", "--yes"), 0)


t.main()
