#!/usr/bin/python3
# timeout: 600
"""A playbook through the recorded sshd, with and without pipelining: it changes what it
would, and what it ran is in the log under who logged in."""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import captured as c
import opsealtest as t
import sshhost

PLAYBOOK = """- hosts: all
  gather_facts: true
  tasks:
    - name: copy
      copy: { content: "a copy\\n", dest: /home/anna/copied, mode: "0640" }
    - name: template
      template: { src: t.j2, dest: /home/anna/templated }
    - name: shell
      shell: "printf '%s' \\"$SHELL $0\\"; exit 3"
      register: shell
      failed_when: shell.rc != 3
    - name: what it said
      debug: { msg: "SAID {{ shell.stdout }}" }
    - name: become
      command: touch /home/ben/by-root
      become: true
"""
SUDOERS = "Defaults !lecture, !syslog, !fqdn\nanna ALL=(ALL) NOPASSWD: ALL\n"


class Ansible(t.Test):
    def setup(self):
        t.need_program("ansible-playbook", "sudo")
        c.need_capture()
        self.host = sshhost.Host(self.path("host"))
        self.later(self.host.close)
        self.host.set_shells()
        self.host.put("/etc/sudoers", SUDOERS, 0o440)
        self.host.run(["rm", "-rf", "/etc/sudoers.d"])
        self.inst = c.wait_captured(self.host.instance(self, capture=True))
        self.write("play.yml", PLAYBOOK)
        self.write("t.j2", "of {{ ansible_user_id }}\n")
        self.write("hosts", "h ansible_user=anna ansible_python_interpreter=/usr/bin/python3\n")

    def play(self, pipelining):
        env = {"ANSIBLE_SSH_ARGS": "-F %s/ssh_config -o ControlMaster=no" % self.host.folder,
               "ANSIBLE_PIPELINING": str(pipelining), "HOME": self.dir, "ANSIBLE_NOCOLOR": "1",
               "ANSIBLE_LOCAL_TEMP": self.path("tmp"), "ANSIBLE_HOME": self.path("home"), "LC_ALL": "C.UTF-8"}
        return self.host.run(["ansible-playbook", "-i", self.path("hosts"), self.path("play.yml")],
                             env=env, timeout=300)

    def check_play(self, pipelining):
        got = self.exits(self.play(pipelining), 0)
        self.matches(got.text, r"ok=6 +changed=4 +unreachable=0 +failed=0", "recap")
        self.contains(got.text, "SAID /bin/bash /bin/sh", "shell")
        self.equal(self.host.get("/home/anna/templated"), b"of anna\n", "template")
        self.equal(self.host.get("/home/anna/copied"), b"a copy\n", "copy")

        def touched():
            rows = [json.loads(x) for x in self.host.run(
                self.inst.argv("log", "touch", "--json")).text.splitlines()]
            return [p for p in rows if p["kind"] == "exec" and "/home/ben/by-root" in p["argv"]]
        rows = t.wait_for("touch", touched, about=lambda: self.inst.opseal("log", "touch").text)
        self.equal([(p["login"], p["euid"]) for p in rows], [("anna", 0)], "who ran touch")
        self.check(rows[0]["session"], "touch belongs to no session")

    def test_plain(self):
        self.check_play(False)

    def test_pipelining(self):
        self.check_play(True)


t.main()
