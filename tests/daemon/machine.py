# SPDX-License-Identifier: Apache-2.0
"""A simulated machine: ioasidd-sim, ioasidctl in front of it, and holders."""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

from daemon import ALARM, NOBODY, Daemon

MACHINES = pathlib.Path(__file__).resolve().parents[2] / "packaging/machines"


class Failed(Exception):
    """ioasidctl said no; `id` is of the error catalogue."""

    def __init__(self, status, words):
        super().__init__(words)
        found = re.search(r"\[([a-z-]+\.[a-z-]+)\]", words)
        self.id, self.words, self.status = found and found[1], words, status


def wait(condition, what, seconds=30):
    """Until the condition is true; what it returned."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.02)


def alive(pid):
    """Is there such a process, and is it no zombie?"""
    try:
        words = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return words.rpartition(")")[2].split()[0] not in "ZX"


class Holder:
    """A process that may hold devices, and what it says."""

    def __init__(self, command, out, **options):
        self.out = out
        with open(out, "wb") as file:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=file,
                stderr=subprocess.STDOUT, **options)
        self.pid = self.process.pid

    def said(self):
        return self.out.read_text(errors="replace")

    def wait_for(self, words, seconds=60):
        """Until it has said that."""
        def there():
            assert words in self.said() or self.process.poll() is None, \
                self.said()
            return words in self.said()
        wait(there, f"{words!r} of {self.process.args}: {self.said()}",
             seconds)

    def children(self):
        """Those that it said it has forked."""
        return [int(pid) for pid in
                re.findall(r"^child: (\d+)$", self.said(), re.M)]

    def kill(self):
        self.process.kill()
        self.process.wait()


class Machine(Daemon):
    """ioasidd-sim on a description. The machine itself goes on until end()."""

    def __init__(self, build, folder, description="testbed"):
        super().__init__(build / "ioasidd-sim", folder,
                         MACHINES / f"{description}.json")
        self.build = build
        self.holders = []
        self.environment = {**os.environ, "IOASIDD_SOCKET": str(self.socket)}

    def poke(self, command, good=True):
        """Do something to the machine; what it said."""
        done = subprocess.run(
            [self.program, "--state-dir", self.state, "--poke", command],
            capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode == 0) == good, done.stderr
        return done.stdout if good else done.stderr

    def pid_of_machine(self):
        return int(self.poke("pid"))

    def ctl(self, *arguments, uid=0):
        """ioasidctl: what it printed, as JSON; raises Failed."""
        # As ourselves without a change of uid: that takes fork(), whose handlers
        # of gRPC's hang (seen with Debian 13's grpcio); else it is vfork().
        other = {} if uid == os.geteuid() else {
            "user": uid, "group": uid, "extra_groups": []}
        done = subprocess.run(
            [self.build / "ioasidctl" if uid == 0 else
             self.prog("../../ioasidctl"), "--json", *arguments],
            env=self.environment, **other,
            capture_output=True, text=True, timeout=120, check=False)
        assert not ALARM.search(done.stderr), done.stderr
        if done.returncode:
            raise Failed(done.returncode, done.stderr)
        return json.loads(done.stdout) if done.stdout.strip() else None

    def refused(self, *arguments):
        """ioasidctl must fail; how."""
        try:
            self.ctl(*arguments)
        except Failed as failed:
            return failed
        raise AssertionError(f"{arguments} was not refused")

    def device(self, bdf):
        return self.ctl("device", "show", bdf)

    def lease(self, name):
        return self.ctl("lease", "show", name)

    def wait_device(self, bdf, state, seconds=60):
        """Until it is in that state; the device."""
        def there():
            device = self.device(bdf)
            return device if device["state"] == state else None
        return wait(there, f"{bdf} is {state}: {self.device(bdf)}", seconds)

    def wait_ended(self, name, seconds=60):
        """Until a lease has ended; the lease."""
        def there():
            lease = self.lease(name)
            return lease if lease["state"] == "ENDED" else None
        return wait(there, f"{name} has ended", seconds)

    def lease_of(self, pid):
        """The name of the lease that a process holds."""
        found = [lease["name"] for lease in
                 self.ctl("lease", "list", "--all")["leases"]
                 if lease["holders"] and lease["holders"][-1]["pid"] == pid]
        assert len(found) == 1, found
        return found[0]

    def prog(self, name):
        """A client program, where everybody can execute it."""
        copy = self.run / pathlib.Path(name).name
        if not copy.exists():
            shutil.copy(self.build / "tests/progs" / name, copy)
        return str(copy)

    def start_holder(self, *command, uid=0):
        """Start a program as that uid."""
        holder = Holder(command, self.folder / f"out.{len(self.holders)}",
                        env=self.environment, user=uid, group=uid,
                        extra_groups=[])
        self.holders.append(holder)
        return holder

    def hold(self, bdf, *acts):
        """reclaim-holder with the device, as nobody, doing that."""
        holder = self.start_holder(
            str(self.build / "ioasidctl"), "run", "--device", bdf, "--uid",
            str(NOBODY), "--gid", str(NOBODY), "--vmm", "none", "--",
            self.prog("reclaim-holder"), "{iommufd}", "{device0}", *acts)
        holder.wait_for("waiting" if "wait" in acts else "done")
        return holder

    def carry(self, bdf):
        """Lease the edu to nobody, who has it carry pages; the lease."""
        lease = self.ctl("lease", "create", "--uid", str(NOBODY), bdf)["name"]
        holder = self.start_holder(self.prog("edu-dma"), lease, uid=NOBODY)
        assert holder.process.wait(60) == 0, holder.said()
        return lease, holder.said()

    def restart(self):
        """kill -9 of the daemon, and another one; the machine goes on."""
        self.kill()
        self.start()

    def end(self):
        """Everything: holders, the daemon, the machine."""
        for holder in self.holders:
            for pid in filter(alive, holder.children()):
                os.kill(pid, signal.SIGKILL)
            holder.kill()
            assert not ALARM.search(holder.said()), holder.said()
        if self.process:
            assert self.process.poll() is None, self.words()
            self.process.send_signal(signal.SIGTERM)
            assert self.process.wait(60) == 0, self.words()
            self.process = None
        if (self.state / "machine.sock").exists():
            pid = self.pid_of_machine()
            self.poke("power-off")
            wait(lambda: not alive(pid), "the machine is off")
        assert not self.log.exists() or not ALARM.search(self.words()), \
            self.words()
