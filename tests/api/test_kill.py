# SPDX-License-Identifier: Apache-2.0
"""kill -9 of ioasid-api at random moments: ioasidd and the leases go on, and
what was asked with an Idempotency-Key is done once.

Each caller has a device of its own, so it knows what must come of each call. It
repeats what it has lost the answer of, over whatever surface, until there is an
answer.
"""

import os
import pathlib
import random
import threading
import time
from collections.abc import Iterator

import pytest
from surfaces import BUILD, CONTRACT, Broken, Grpc, Native, Outcome, Rest, \
    RestElsewhere
from google.protobuf.message import Message
from machine import Machine, alive, wait
from story import EDU, NVME, OTHER_EDU, OTHER_NVME, name

LONG = "IOASID_LONG" in os.environ

CALLS = 1000 if LONG else 150
# It is started again after 100 ms, then twice as long each time: so many kills
# are 6 s of waiting, or 51 s.
KILLS = 9 if LONG else 6
DEVICES = (OTHER_EDU, NVME, OTHER_NVME, "0000:07:01.0")
SEED = int(os.environ.get("IOASID_SEED", time.time_ns() % 10 ** 6))

READS = (
    ("Host/GetVersion", {}), ("Devices/ListDevices", {"all": True}),
    ("Groups/ListGroups", {}), ("Iommus/ListIommus", {}),
    ("Leases/ListLeases", {"all": True, "page_size": 5}),
    ("Operations/ListOperations", {"page_size": 5}),
)


def api_pid(machine: Machine) -> int:
    """The pid of its ioasid-api; 0 if there is none now."""
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        comm, _, rest = words.partition("(")[2].rpartition(")")
        state, parent = rest.split()[:2]
        if int(parent) == machine.process.pid and comm == "ioasid-api" and \
                state not in "ZX":
            return int(folder.name)
    return 0


class Killer:
    """Kills ioasid-api a moment after it was asked to, so often."""

    def __init__(self, machine: Machine, chance: random.Random) -> None:
        self.machine, self.chance = machine, chance
        self.kills = 0
        self.begun = 0
        self.lock = threading.Lock()

    def call_begins(self) -> None:
        """Now and then, kill while the call is under way."""
        with self.lock:
            self.begun += 1
            if self.kills >= KILLS or \
                    self.begun < (self.kills + 1) * CALLS // (KILLS + 1):
                return
            pid = api_pid(self.machine)
            if not pid:
                return
            self.kills += 1
            delay = self.chance.choice((0, 0.001, 0.002, 0.004, 0.010))
        threading.Timer(delay * self.chance.random(), os.kill,
                        (pid, 9)).start()


class Caller:
    """Calls of all kinds, about one device, and what must have come of them."""

    def __init__(self, machine: Machine, bdf: str, killer: Killer) -> None:
        self.device = name(bdf)
        self.killer = killer
        self.chance = random.Random(f"{SEED} {bdf}")
        self.surfaces = [kind(machine.run)
                         for kind in (Rest, RestElsewhere, Grpc)]
        self.native = Native(machine.run)
        self.n = 0
        self.lost = self.lost_done = 0
        self.operations: dict[str, tuple[str, str]] = {}
        self.leases: dict[str, str] = {}
        self.offer = ""
        self.ready = False
        self.trouble: BaseException | None = None

    def try_once(self, method: str, request: Message) -> Outcome | None:
        """Call over some surface; None if the answer was lost."""
        self.n += 1
        self.killer.call_begins()
        surface = self.chance.choice(self.surfaces)
        try:
            return surface.call(method, request)
        except Broken:
            self.lost += 1
            surface.close()
            return None

    def call(self, method: str, **fields: object) -> Message:
        """Call until there is an answer, which must be a reply."""
        request = CONTRACT[method].request(**fields)
        done = []
        while True:
            outcome = self.try_once(method, request)
            if outcome:
                break
            if "request_id" in fields:
                done += self.happened(fields["request_id"])
            time.sleep(0.05 * self.chance.random())
        assert outcome.replies, f"{method} {fields}: {outcome.error}"
        reply = outcome.replies[0]
        if done:
            self.lost_done += 1
            assert set(done) == {reply.name}, "it was done another time"
        return reply

    def happened(self, key: str) -> list[str]:
        """What a key has done, as the native socket shows it."""
        found = [one.name for one in everything(self.native, "Operations")
                 if one.request_id == key]
        return found + [one.name for one in everything(self.native, "Leases")
                        if one.labels.get("key") == key]

    def key(self) -> str:
        """One that was not used before."""
        return f"{self.device[-7:]}-{self.n}-{SEED}"

    def change(self, method: str, key: str, **fields: object) -> Message:
        """Ask for a change, now and then twice, and see that it is one."""
        reply = self.call(method, request_id=key, **fields)
        if self.chance.random() < 0.2:
            again = self.call(method, request_id=key, **fields)
            assert again.name == reply.name
        return reply

    def operate(self, method: str, kind: str) -> None:
        """Prepare or restore the device."""
        key = self.key()
        op = self.change(method, key, name=self.device)
        self.operations[op.name] = (key, kind)
        while op.state == op.RUNNING:
            op = self.call("Operations/WaitOperation", name=op.name,
                           timeout_ms=5000)
        assert op.state == op.DONE, op

    def offer_lease(self) -> None:
        """Offer the device to root."""
        key = self.key()
        lease = self.change("Leases/CreateLease", key, devices=[self.device],
                            claimant={"uid": 0}, labels={"key": key})
        self.leases[lease.name] = key
        self.offer = lease.name

    def next_change(self) -> None:
        """What can be done to the device as it is."""
        if self.offer:
            lease = self.change("Leases/ReleaseLease", self.key(),
                                name=self.offer)
            assert lease.state == lease.ENDED
            self.offer = ""
        elif not self.ready:
            self.operate("Devices/PrepareDevice", "prepare")
            self.ready = True
        elif self.chance.random() < 0.5:
            self.operate("Devices/RestoreDevice", "restore")
            self.ready = False
        else:
            self.offer_lease()

    def run(self) -> None:
        """Until there were calls enough."""
        try:
            while self.killer.begun < CALLS or self.killer.kills < KILLS:
                if self.chance.random() < 0.6:
                    self.next_change()
                else:
                    method, fields = self.chance.choice(READS)
                    self.call(method, **fields)
        except BaseException as error:  # for the test to see
            self.trouble = error
        finally:
            for surface in (*self.surfaces, self.native):
                surface.close()


def everything(native: Native, kind: str) -> Iterator[Message]:
    """All objects of a collection."""
    token, fields = "", {} if kind == "Operations" else {"all": True}
    while True:
        outcome = native.call(f"{kind}/List{kind}", CONTRACT[
            f"{kind}/List{kind}"].request(
                page_size=1000, page_token=token, **fields))
        yield from getattr(outcome.replies[0], kind.lower())
        token = outcome.replies[0].next_page_token
        if not token:
            return


@pytest.fixture
def machine(tmp_path) -> Iterator[Machine]:
    """A simulated machine with a daemon."""
    one = Machine(BUILD, tmp_path)
    one.start()
    try:
        yield one
        one.end()
    finally:
        one.kill()


def check_what_there_is(machine: Machine, callers: list[Caller],
                        held: str) -> None:
    """Operations and leases are those that were asked for, each once."""
    native = Native(machine.run)
    operations = {one.name: (one.request_id, one.kind)
                  for one in everything(native, "Operations")
                  if one.request_id}
    leases = {one.name: one.labels["key"]
              for one in everything(native, "Leases") if one.name != held}
    devices = {one.name: one for one in everything(native, "Devices")}
    native.close()
    wanted, wanted_leases = {}, {}
    for caller in callers:
        wanted |= caller.operations
        wanted_leases |= caller.leases
        device = devices[caller.device]
        assert device.lease == caller.offer
        assert device.state == (device.LEASED if caller.offer else
                                device.READY if caller.ready else
                                device.HOST), device
    assert operations == wanted
    assert leases == wanted_leases
    assert len(set(operations.values())) == len(operations)
    assert len(set(leases.values())) == len(leases)


@pytest.mark.limit(240)
@pytest.mark.slow
def test_what_is_repeated_is_done_once(machine: Machine) -> None:
    """Also when ioasid-api was killed while it was asked."""
    machine.ctl("prepare", EDU)
    holder = machine.hold(EDU, "wait")
    held = machine.lease_of(holder.pid)
    daemon, before = machine.process.pid, machine.measure()
    killer = Killer(machine, random.Random(SEED))
    callers = [Caller(machine, bdf, killer) for bdf in DEVICES]
    threads = [threading.Thread(target=one.run) for one in callers]
    begun = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.monotonic() - begun
    print(f"seed {SEED}: {killer.begun} calls in {took:.1f} s, "
          f"{killer.kills} kills, {sum(one.lost for one in callers)} answers "
          f"lost, of those {sum(one.lost_done for one in callers)} changes "
          f"that had been made")
    for caller in callers:
        if caller.trouble:
            raise caller.trouble
    assert killer.kills == KILLS and sum(one.lost for one in callers) > 0
    check_what_there_is(machine, callers, held)

    lease = machine.lease(held)
    assert lease["state"] == "HELD" and alive(holder.pid)
    assert [one["pid"] for one in lease["holders"]] == [holder.pid]
    assert machine.process.pid == daemon and machine.process.poll() is None
    wait(lambda: api_pid(machine), "ioasid-api runs")
    machine.settle(before)
