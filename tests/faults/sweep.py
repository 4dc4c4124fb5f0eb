# SPDX-License-Identifier: Apache-2.0
"""The sweep: an operation again and again, with the 1st, 2nd, ... nth call of
a kind failing, until it passes."""

import contextlib
import dataclasses
import re
import time
from collections.abc import Callable

from bench import DISK, DISK_BDF, NOT_DURABLE, PAIR, Bench, Cut, Snapshot
from daemon import Refused
from operations import Operation
from plan import Action, Kind

# How long what is tried again may take to be done.
SETTLE = 5.0

COLUMNS = {
    "kernel": (Kind.KERNEL,),
    "SQLite": (Kind.SQLITE_WRITE, Kind.SQLITE_SYNC, Kind.SQLITE_OPEN,
               Kind.SQLITE_READ),
    "memory": (Kind.MEMORY,),
}

# Calls whose answer is believed, so that a wrong one has consequences. The answer
# alone says how what was made is called; and of what was not unmapped, as it is
# said, more is remembered than there is.
READS = ("ioas_alloc", "hwpt_alloc", "ioas_unmap", "info", "inventory", "device", "ioas_ranges", "hw_info",
         "vfio_reset_set", "get_override", "uevent_read")

# What is answered when it was done, and the answer was lost.
LOST = ("cut", "daemon.no-memory")


@dataclasses.dataclass
class Round:
    """One fault that was had, and what came of it."""

    operation: str
    kind: Kind
    n: int
    action: Action
    error: int
    point: str = ""
    said: str = ""
    came: str = ""
    why: str = ""

    def __str__(self) -> str:
        return (f"{self.operation}: {self.action.name.lower()} "
                f"{self.kind.name.lower()} {self.n} (errno {self.error}), "
                f"{self.point}: said '{self.said}', came '{self.came}'"
                f"{self.why}")


class Sweep:
    """One operation on one bench."""

    def __init__(self, bench: Bench, operation: Operation) -> None:
        self.bench = bench
        self.operation = operation
        self.clean = False
        bench.fresh()
        self.home = self.settled()
        self.free = self.released()
        self.after = self.reference(act=True)
        self.before = self.after if operation.starts else \
            self.reference(act=False)

    def reference(self, act: bool) -> Snapshot:
        """The state before the operation, or after, without a fault."""
        self.ready()
        if act:
            self.bench.plan.arm(Kind.KERNEL, 0)
            said = self.act()
            assert said in ("ok", ""), f"{self.operation.name}: {said}"
            self.points = self.bench.plan.counted
            self.bench.plan.disarm()
        self.operation.leave(self.bench)
        self.clean = False
        if self.bench.dead() is not None:
            self.bench.restart()
        elif self.operation.starts:
            self.bench.again()
        return self.settled()

    def released(self) -> Snapshot | None:
        """The state with the pair prepared, and no lease of it; of an operation
        whose lease can end so."""
        if not {"ended", "alone"} & set(self.operation.outcomes):
            return None
        assert self.bench.change("PrepareDevice", name=PAIR[0]) == "ok"
        return self.settled()

    def is_free(self, now: Snapshot) -> bool:
        """Is that so, whoever had the devices last?"""
        assert self.free
        database = re.sub(r" last_lease=\S+", " last_lease=", now.database)
        return not dataclasses.replace(now, database=database).differs(
            self.free)

    def act(self) -> str:
        """Do it, and wait until what it has begun is over."""
        bench = self.bench
        begun = bench.logged()
        said = self.operation.act(bench)
        if self.operation.until:
            bench.until(self.operation.until, begun)
        if bench.dead() is None:
            bench.quiet()
        return said

    def ready(self) -> None:
        """The state before, on the same bench if it is that still."""
        if not self.clean:
            self.bench.fresh()
            self.operation.ready(self.bench)
        self.operation.approach(self.bench)
        # What the way here has begun is not to be counted.
        if not self.operation.starts:
            self.bench.plan.arm(Kind.KERNEL, 0)
            self.bench.quiet()
            self.bench.plan.disarm()

    def round(self, kind: Kind, n: int, action: Action,
              error: int) -> Round | None:
        """Have one fault; None if the operation has passed without it."""
        bench, plan = self.bench, self.bench.plan
        self.ready()
        one = Round(self.operation.name, kind, n, action, error)
        plan.arm(kind, n, action, error, delay_ms=20)
        one.error = one.error or plan.error
        one.said = self.act()
        plan.disarm()
        fired = plan.fired
        one.point = plan.point
        with contextlib.suppress(OSError, Cut):
            self.operation.leave(bench)
        one.came, one.why = self.look(one)
        self.clean = one.came == "before" and not self.operation.once
        if one.came and fired:
            return one
        if not one.came:
            stack = "".join(f"\n   from {call}"
                            for call in plan.stack(bench.program))
            one.why = stack + one.why + "\n-- log\n" + "\n".join(
                bench.words().splitlines()[-25:])
            return one
        return None

    def settled(self) -> Snapshot:
        """The state once it is the same twice."""
        last = None
        while last != (now := self.bench.snapshot()):
            last = now
            time.sleep(0.1)
        return now

    @staticmethod
    def comes(true: Callable[[], bool]) -> bool:
        """Wait until something is so."""
        deadline = time.monotonic() + SETTLE
        while not true():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True

    # --- what came of it

    def look(self, one: Round) -> tuple[str, str]:
        """The name of the outcome; "" and why if it is none that may be."""
        bench = self.bench
        dead = bench.dead()
        if dead is None and one.action == Action.KILL and bench.plan.fired:
            dead = bench.daemon.process.wait(10)
        if dead is None and self.operation.starts:
            with contextlib.suppress(OSError):  # it may be about to end
                bench.again()
        deadline = time.monotonic() + SETTLE
        restarted = nudged = False
        while True:
            if dead is not None and not restarted:
                bad = self.died_badly(one, dead)
                if bad:
                    return "", bad
                bench.restart()
                restarted = True
            came, why = self.compare(one, restarted)
            if came:
                return came, ""
            if time.monotonic() > deadline:
                return "", "\n" + why
            # Reading the machine again is what a failed scan comes to, too.
            if not nudged and one.said:
                bench.ask("Devices/PrepareDevice",
                          name="devices/pci-0000-00-00.0", dry_run=True)
                nudged = True
            time.sleep(0.03)
            dead = dead if restarted else bench.dead()

    def died_badly(self, one: Round, status: int) -> str:
        """Why the daemon must not have ended so; empty if it may."""
        if status == -9 and one.action == Action.KILL:
            return ""
        if status == NOT_DURABLE and one.kind in COLUMNS["SQLite"]:
            return ""
        if status == 1 and self.operation.starts and one.said == "cut":
            return ""
        if status == 0 and self.operation.name == "stop":
            return ""
        return f": it ended with status {status}"

    def compare(self, one: Round, restarted: bool) -> tuple[str, str]:
        """The outcome by what is there now, or the differences."""
        try:
            now = self.bench.snapshot()
        except (Cut, Refused, FileNotFoundError):
            with contextlib.suppress(OSError):
                self.bench.again()
            return "", "no answer"
        unlike_before = now.differs(self.before)
        unlike_after = now.differs(self.after)
        if not unlike_after and (
                one.said in ("ok", "", *LOST) or restarted or
                not unlike_before):
            return "after", ""
        if not unlike_before and one.said not in ("ok", ""):
            return "before", ""
        outcomes = self.operation.outcomes
        if one.action == Action.LIE and one.point in READS:
            outcomes += ("believed",)
        for outcome in outcomes:
            if getattr(self, outcome)(now, one):
                return outcome, ""
        return "", (f"--- unlike before\n{unlike_before}\n"
                    f"--- unlike after\n{unlike_after}")

    def trouble(self, now: Snapshot, one: Round) -> bool:
        """Quarantined or stuck, with words; recovering mends it."""
        bench = self.bench
        devices = bench.call("Devices/ListDevices").devices
        sick = [device for device in devices if device.state in
                (device.QUARANTINED, device.STUCK)]
        if not sick or (one.said == "ok" and not self.operation.starts and
                        not self.operation.parts) or not all(
                    device.state_reason and device.state_remedy
                    for device in sick):
            return False
        if now.fds not in (self.before.fds, self.after.fds):
            return False
        # It is remembered.
        bench.daemon.kill()
        bench.restart()
        if bench.model() != now.model:
            return False
        if any(bench.change("RecoverDevice", name=device.name) != "ok"
               for device in sick):
            return False
        bench.quiet()
        then = bench.snapshot()
        return not (then.differs(self.before) and then.differs(self.after))

    def held(self, now: Snapshot, one: Round) -> bool:
        """It counts as having what it was not sent; its end mends that."""
        if one.action != Action.KILL or "state=held" not in now.database:
            return False
        self.bench.holder.end()
        return self.comes(lambda: "lease " not in self.bench.database())

    def ended(self, now: Snapshot, one: Round) -> bool:
        """A hold lease of which nothing is left has ended, and its devices can
        be leased again."""
        last = self.bench.call("Leases/ListLeases", all=True).leases[0]
        return self.is_free(now) and bool(last.end_reason)

    def alone(self, now: Snapshot, one: Round) -> bool:
        """Its holder goes on without us: after but for that. Its end frees
        what it has."""
        if '"kept": true' in now.model or "state=held" not in now.database:
            return False
        self.bench.holder.end()
        return self.comes(lambda: self.is_free(self.bench.snapshot()))

    def believed(self, now: Snapshot, one: Round) -> bool:
        """What was read was wrong, and was acted upon; asking for it brings
        all back to where it was at the very first."""
        bench = self.bench
        if "RUNNING" in now.model or "RECLAIMING" in now.model or \
                "PREPARING" in now.model:
            return False
        if bench.holder:
            bench.holder.end()
            self.comes(lambda: "state=held" not in bench.database() and
                       "state=reclaiming" not in bench.database())
        if DISK_BDF not in now.machine:
            bench.poke(f"add {DISK_BDF}")
            bench.quiet(0.1)
        for lease in bench.call("Leases/ListLeases").leases:
            bench.ask("Leases/ReleaseLease", name=lease.name)
        for device in bench.call("Devices/ListDevices").devices:
            if device.state in (device.QUARANTINED, device.STUCK):
                bench.change("RecoverDevice", name=device.name)
        for name in (PAIR[0], DISK):
            bench.change("PrepareDevice", name=name)
            bench.change("RestoreDevice", name=name)
        then = self.settled()
        if "FOREIGN" not in then.model:
            return not then.differs(self.home)
        # It was said to be without its driver while it was given back: it is
        # shown for what it is, and left to who knows better.
        return bench.change("PrepareDevice", name=PAIR[0]) == \
            "device.foreign" and then.fds == self.home.fds and \
            then.database == self.home.database
