# SPDX-License-Identifier: Apache-2.0
"""A simulated machine with configuration files of its own."""

import signal

from daemon import NOBODY, Client, Refused, child
from machine import wait


class Policy:
    """A simulated machine with configuration files of its own."""

    def __init__(self, sim, folder):
        self.sim = sim
        self.file = folder / "ioasidd.conf"
        self.dir = folder / "policy.d"
        self.dir.mkdir(mode=0o755)
        self.write("", grants="")

    def write(self, text=None, grants=None):
        for path, words in ((self.file, text),
                            (self.dir / "10.conf", grants)):
            if words is not None:
                path.write_text(words, encoding="utf-8")
                path.chmod(0o644)

    def start(self):
        self.sim.start("--config", str(self.file), "--policy-dir",
                       str(self.dir))

    def reload(self, says="reloaded"):
        """SIGHUP, until it says so; what it has said since."""
        before = len(self.sim.words())
        self.sim.process.send_signal(signal.SIGHUP)
        wait(lambda: says in self.sim.words()[before:],
             f"{says}: {self.sim.words()[before:]}")
        return self.sim.words()[before:]

    def audit(self, **words):
        """Lines of the audit that have these words."""
        lines = [line for line in self.sim.words().splitlines()
                 if "audit: " in line]
        return [line for line in lines if all(
            f" {key}={value}" in line for key, value in words.items())]


def asks(path, called, fields):
    """The error, with its words, of a request as somebody else; "ok"."""
    with Client(path) as client:
        try:
            client.call(called, **fields)
        except Refused as refused:
            return refused.id, refused.error.message, refused.error.remedy
        return "ok", "", ""


def as_uid(policy, called, uid=NOBODY, **fields):
    return child(asks, policy.sim.socket, called, fields, uid=uid)
