# SPDX-License-Identifier: Apache-2.0
"""Every operation of the product: the state before it, how it is begun, and
what is documented to come of it when something fails.

What may always come of it: all is as before, or all is as after it. Which of
the two fits what was answered is checked by test_sweep.py. The other outcomes
are those of README.md, by name:

trouble		a device is quarantined or stuck, with reason and remedy, and
		recovering it leads to the state before or after
ended		a hold lease ended with ioasidd, which nobody keeps it for
alone		its holder goes on without ioasidd's copies
held		the holder of a claim that was cut off counts as having its
		descriptors
"""

import contextlib
import dataclasses
import shutil
import signal
import struct
import time
import uuid
from collections.abc import Callable

from bench import DISK, DISK_BDF, PAIR, PAIR_BDF, Bench, Cut, Holder
from daemon import Refused
from plan import Action, Kind
from watch import Watch

# What is logged when a holder that has ended was dealt with.
RECLAIMED = r": reclaim leases/\S+: |cannot be reclaimed"

# Columns that can be empty, and why.
NO_KERNEL = "the registry answers, nothing is asked of the machine"
NO_SQLITE = "nothing of it is to outlive the daemon"


@dataclasses.dataclass(frozen=True)
class Operation:
    """One operation.

    @ready makes the state before it of a new bench, @approach what only the
    operation itself needs (its faults are not counted), @act does it and says
    how it went ("" if nobody has asked for it), @leave hangs up. With @once
    @approach cannot be repeated when all is as before. An operation that
    @starts begins with a daemon that does not run. One that @parts from devices
    succeeds all the same if one of them is in trouble then. What goes on after
    @act is over when @until is logged.
    """

    name: str
    act: Callable[[Bench], str]
    ready: Callable[[Bench], None] = lambda _: None
    approach: Callable[[Bench], None] = lambda _: None
    leave: Callable[[Bench], None] = lambda _: None
    once: bool = False
    starts: bool = False
    parts: bool = False
    until: str = ""
    outcomes: tuple[str, ...] = ()
    none: dict[str, str] = dataclasses.field(default_factory=dict)


# --- states before

def prepared(bench: Bench) -> None:
    """The pair is with VFIO."""
    said = bench.change("PrepareDevice", name=PAIR[0])
    assert said == "ok", said + bench.daemon.words()


def offered(bench: Bench) -> None:
    """And offered."""
    prepared(bench)
    bench.lease = bench.offer(PAIR, labels={"vm": "one"})


def kept(bench: Bench) -> None:
    """And offered with spaces, by a lease whose descriptors are kept."""
    prepared(bench)
    lease = bench.call("Leases/CreateLease", **hold())
    bench.lease, bench.space = lease.name, lease.spaces[0].name
    bench.other_space = lease.spaces[1].name


def tabled(bench: Bench) -> None:
    """And with a page table that has a guest's on it, and one of each other
    kind.

    No device was on a space before: a context that is made anew at a start has
    the same numbers.
    """
    prepared(bench)
    lease = bench.call("Leases/CreateLease", **{
        **hold(), "spaces": [{}, {}]})
    bench.lease, bench.other_space = lease.name, lease.spaces[1].name
    ask = {"lease": bench.lease, "parent": bench.other_space,
           "device": PAIR[0]}
    bench.parent = bench.call("PageTables/CreatePageTable", **ask,
                              nest_parent=True).name
    bench.guest = bench.call("PageTables/CreatePageTable", **{
        **ask, "parent": bench.parent}, **GUEST).name
    bench.watched = bench.call("PageTables/CreatePageTable", **ask,
                               dirty_tracking=True, pasid=True).name
    bench.call("PageTables/BindDevice", name=bench.watched, device=PAIR[0])


# A guest's page table as VT-d has it: a root, and how wide addresses are.
GUEST = {"known_type": "PAGE_TABLE_TYPE_VTD_S1",
         "data": struct.pack("=QQII", 0, 0x1000, 48, 0)}


def hold() -> dict[str, object]:
    """What a hold lease is asked for with."""
    return {"devices": PAIR, "claimant": {"uid": 0}, "mode": "HOLD",
            "spaces": [{"devices": PAIR, "windows": [
                {"size": 1 << 30, "start": 0}]}, {}]}


def held(bench: Bench) -> None:
    """And held, by a process that is not connected any more."""
    offered(bench)
    bench.holder = Holder(bench.daemon.socket)
    assert bench.holder.tell("claim", bench.lease) == "ok"
    said = bench.holder.tell("acknowledge", bench.lease)
    assert said == "ok", said
    assert bench.holder.tell("close") == "ok"
    bench.quiet()


def kept_held(bench: Bench) -> None:
    """A kept lease that is held; likewise."""
    prepared(bench)
    bench.lease = bench.call("Leases/CreateLease", **hold()).name
    bench.holder = Holder(bench.daemon.socket)
    assert bench.holder.tell("claim", bench.lease) == "ok"
    assert bench.holder.tell("acknowledge", bench.lease) == "ok"
    assert bench.holder.tell("close") == "ok"
    bench.quiet()


def inherited(bench: Bench) -> None:
    """And its holder has ended: a successor could claim it."""
    kept_held(bench)
    bench.holder.end()
    while not bench.call("Leases/GetLease",
                         name=bench.lease).HasField("expires"):
        time.sleep(0.01)
    bench.quiet()


def kept_alone(bench: Bench) -> None:
    """A kept lease that is offered, and no daemon."""
    kept(bench)
    stopped(bench)


def guarded(bench: Bench) -> None:
    """A guarded lease whose holder has memory to be mapped."""
    prepared(bench)
    lease = bench.call("Leases/CreateLease", **{
        **hold(), "mode": "GUARDED", "volatile": True, "spaces": [
            {"devices": PAIR, "windows": [{"size": 1 << 30, "start": 0}]}]})
    bench.lease, bench.space = lease.name, lease.spaces[0].name
    bench.holder = Holder(bench.daemon.socket)
    for word in ("claim", "acknowledge", "memory"):
        said = bench.holder.tell(word, bench.lease)
        assert said == "ok", f"{word}: {said}"
    bench.quiet()


def mapped(bench: Bench) -> None:
    """And is mapped."""
    guarded(bench)
    said = bench.holder.tell("map", bench.lease, bench.space)
    assert said == "ok", said
    bench.quiet()


def quarantined(bench: Bench) -> None:
    """The disk was leased, and its reset failed when the holder ended."""
    assert bench.change("PrepareDevice", name=DISK) == "ok"
    lease = bench.offer((DISK,))
    holder = Holder(bench.daemon.socket)
    assert holder.tell("claim", lease) == "ok"
    bench.poke(f"reset-error {DISK_BDF} EIO")
    holder.end()
    while not bench.call("Devices/GetDevice", name=DISK).state_reason:
        time.sleep(0.01)
    bench.poke(f"reset-error {DISK_BDF} 0")
    bench.quiet()


def stopped(bench: Bench) -> None:
    """The daemon does not run."""
    bench.client.close()
    bench.daemon.kill()


def new(bench: Bench) -> None:
    """There was never a daemon, nor a machine."""
    stopped(bench)
    bench.end_machine()
    shutil.rmtree(bench.daemon.state)


def remembered(bench: Bench) -> None:
    """A lease that is held, one that is offered, and no daemon."""
    held(bench)
    assert bench.change("PrepareDevice", name=DISK) == "ok"
    bench.offer((DISK,), expires={"seconds": 1 << 33})
    stopped(bench)


def bereaved(bench: Bench) -> None:
    """The holder has ended while there was no daemon."""
    held(bench)
    stopped(bench)
    bench.holder.end()


def half_prepared(bench: Bench) -> None:
    """ioasidd was killed in the middle of a prepare."""
    bench.plan.arm(Kind.KERNEL, 1, Action.KILL, only="vfio_reset")
    assert bench.change("PrepareDevice", name=PAIR[0]) == "cut"
    bench.plan.disarm()
    bench.daemon.process.wait()
    stopped(bench)


# --- acts

def start(bench: Bench) -> str:
    """Start the daemon and wait until it serves, or has ended."""
    begun = bench.logged()
    bench.daemon.begin()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if bench.daemon.process.poll() is not None:
            return "cut"
        if " serves " in bench.words(begun):
            return "ok"
        time.sleep(0.002)
    return "it neither serves nor ends"


def stop(bench: Bench) -> str:
    """SIGTERM."""
    bench.daemon.process.send_signal(signal.SIGTERM)
    return "ok" if bench.daemon.process.wait(20) == 0 else "cut"


def connect(bench: Bench) -> str:
    """One more connection, and its hello."""
    with contextlib.suppress(OSError), \
            bench.daemon.connect(hello=False) as client:
        return "ok" if client.receive() else "cut"
    return "cut"


def pull(bench: Bench) -> str:
    """The disk is pulled; it is announced and looked at, unasked."""
    bench.poke(f"remove {DISK_BDF}")
    bench.quiet(0.1)
    return ""


def let_holder_die(bench: Bench) -> str:
    """The holder ends; its devices are made safe, unasked."""
    bench.holder.end()
    return ""


def let_offer_expire(bench: Bench) -> str:
    """The time of an offer of the pair runs out, unasked."""
    return ""


def short_offer(bench: Bench) -> None:
    """An offer that has a second."""
    prepared(bench)
    now = time.time() + 0.3
    bench.lease = bench.offer(PAIR, expires={
        "seconds": int(now), "nanos": int(now % 1 * 1e9)})


def come(bench: Bench) -> None:
    """Who is to claim connects."""
    if bench.holder:
        bench.holder.end()
    bench.holder = Holder(bench.daemon.socket)


def claimed(bench: Bench) -> None:
    """Who is to acknowledge has claimed, over the same connection."""
    come(bench)
    assert bench.holder.tell("claim", bench.lease) == "ok"


def hang_up(bench: Bench) -> None:
    """It needs its connection no more."""
    bench.holder.tell("close")


def slow_prepare(bench: Bench) -> None:
    """A prepare is at work, and waits for a driver that takes its time."""
    bench.poke(f"delay {PAIR_BDF} unbind_ms 500")
    bench.operation = bench.call("Devices/PrepareDevice",
                                 name=PAIR[0]).name


def let_it_end(bench: Bench) -> None:
    """It has all the time that it needs."""
    bench.again()
    while not bench.call("Operations/WaitOperation", name=bench.operation,
                         timeout_ms=1000).HasField("ended"):
        pass


def slow_driver(bench: Bench) -> None:
    """The pair's driver takes its time to let go."""
    bench.poke(f"delay {PAIR_BDF} unbind_ms 300")


def begin_prepare(bench: Bench) -> object:
    """A prepare at work; who hears no answer asks again."""
    fields = {"name": PAIR[0], "request_id": uuid.uuid4().hex}
    try:
        return bench.call("Devices/PrepareDevice", **fields)
    except (Refused, Cut) as trouble:
        if bench.dead() is not None or \
                getattr(trouble, "id", "cut") not in ("cut", "daemon.no-memory"):
            raise
    bench.again()
    return bench.call("Devices/PrepareDevice", **fields)


def cancel_prepare(bench: Bench) -> str:
    """A prepare is asked to stop while the driver lets go; likewise.

    Not before that: whether an override that was left behind is seen would be
    chance then.
    """
    try:
        operation = begin_prepare(bench)
        time.sleep(0.1)
        said = bench.ask("Operations/CancelOperation", name=operation.name)
        if said in ("cut", "daemon.no-memory") and bench.dead() is None:
            bench.again()
            bench.ask("Operations/CancelOperation", name=operation.name)
        while operation.state == operation.RUNNING:
            operation = bench.call("Operations/WaitOperation",
                                   name=operation.name, timeout_ms=5000)
    except Refused as refused:
        return refused.id
    except (Cut, OSError):  # it was ending when asked again
        return "cut"
    said = operation.error.id or "it was done"
    return "ok" if said == "operation.cancelled" else said


def watch(bench: Bench) -> str:
    """A watch of what has been, up to its first change."""
    try:
        revision = bench.call("Groups/ListGroups").revision
        with bench.daemon.connect(hello=False) as client:
            if not client.receive():
                return "cut"
            Watch(client, revision - 1).receive()
    except Refused as refused:
        return refused.id
    except (Cut, OSError, AssertionError):
        return "cut"
    return "ok"


OPERATIONS = (
    Operation("first start", start, ready=new, starts=True),
    Operation("start with leases", start, ready=remembered, starts=True),
    Operation("start without the holder", start, ready=bereaved, starts=True,
              until=RECLAIMED,
              outcomes=("trouble",)),
    Operation("start after half a prepare", start, ready=half_prepared,
              starts=True, until=r": prepare devices/\S+: ",
              outcomes=("trouble",)),
    Operation("stop", stop, ready=offered,
              none={"kernel": "nothing is asked of the machine at the end",
                    "memory": "it is only given back"}),
    Operation("connect", connect,
              none={"kernel": NO_KERNEL, "SQLite": NO_SQLITE}),
    Operation("list devices",
              lambda bench: bench.ask("Devices/ListDevices"),
              none={"kernel": NO_KERNEL, "SQLite": NO_SQLITE}),
    Operation("get a lease", ready=offered,
              act=lambda bench: bench.ask("Leases/GetLease",
                                          name=bench.lease),
              none={"kernel": NO_KERNEL, "SQLite": NO_SQLITE}),
    Operation("list operations", ready=prepared,
              act=lambda bench: bench.ask("Operations/ListOperations"),
              none={"kernel": NO_KERNEL, "SQLite": NO_SQLITE}),
    Operation("wait for an operation", approach=slow_prepare, once=True,
              act=lambda bench: bench.ask("Operations/WaitOperation",
                                          name=bench.operation,
                                          timeout_ms=50),
              leave=let_it_end,
              none={"kernel": NO_KERNEL, "SQLite": NO_SQLITE}),
    Operation("watch changes", watch, ready=prepared,
              none={"kernel": NO_KERNEL, "SQLite": NO_SQLITE}),
    Operation("a device is pulled", pull,
              none={"SQLite": "what is there is read anew at each start"}),
    Operation("prepare",
              lambda bench: bench.change("PrepareDevice", name=PAIR[0]),
              outcomes=("trouble",)),
    Operation("a prepare is cancelled", cancel_prepare, ready=slow_driver,
              outcomes=("trouble",)),
    Operation("restore", ready=prepared,
              act=lambda bench: bench.change("RestoreDevice", name=PAIR[0]),
              outcomes=("trouble",)),
    Operation("recover", ready=quarantined,
              act=lambda bench: bench.change("RecoverDevice", name=DISK),
              outcomes=("trouble",)),
    Operation("create a lease", ready=prepared,
              act=lambda bench: bench.ask("Leases/CreateLease", devices=PAIR,
                                          claimant={"uid": 0},
                                          labels={"vm": "one"}),
              none={"kernel": NO_KERNEL}),
    # Each claim that fails is one more in the lease's record.
    Operation("claim", ready=offered, approach=come, leave=hang_up, once=True,
              act=lambda bench: bench.holder.tell("claim", bench.lease),
              outcomes=("held",)),
    Operation("acknowledge", ready=offered, approach=claimed, leave=hang_up,
              once=True,
              act=lambda bench: bench.holder.tell("acknowledge", bench.lease),
              none={"kernel": NO_KERNEL}),
    Operation("release", ready=offered,
              act=lambda bench: bench.ask("Leases/ReleaseLease",
                                          name=bench.lease),
              none={"kernel": NO_KERNEL}),
    Operation("an offer expires", ready=short_offer, act=let_offer_expire,
              until=r": expired|cannot expire",
              none={"kernel": NO_KERNEL}),
    Operation("create a hold lease", ready=prepared,
              act=lambda bench: bench.ask("Leases/CreateLease", **hold())),
    Operation("make a space", ready=kept,
              act=lambda bench: bench.ask(
                  "Spaces/CreateSpace", lease=bench.lease,
                  space={"devices": PAIR, "windows": [{"size": 4096}]})),
    Operation("promise other windows", ready=kept,
              act=lambda bench: bench.ask(
                  "Spaces/SetWindows", name=bench.space,
                  windows=[{"size": 1 << 20, "start": 1 << 32}])),
    Operation("move devices to another space", ready=kept,
              act=lambda bench: bench.ask(
                  "Spaces/AttachDevice", name=bench.other_space,
                  device=PAIR[1])),
    Operation("take devices off a space", ready=kept,
              act=lambda bench: bench.ask(
                  "Spaces/DetachDevice", name=bench.space, device=PAIR[0])),
    Operation("end a space", ready=kept,
              act=lambda bench: bench.ask(
                  "Spaces/DeleteSpace", name=bench.other_space)),
    Operation("make a page table", ready=tabled,
              act=lambda bench: bench.ask(
                  "PageTables/CreatePageTable", lease=bench.lease,
                  parent=bench.parent, device=PAIR[0], fault_queue=True,
                  **GUEST)),
    Operation("move devices to a guest's page table", ready=tabled,
              act=lambda bench: bench.ask(
                  "PageTables/BindDevice", name=bench.guest,
                  device=PAIR[1])),
    Operation("give a PASID its page table", ready=tabled,
              act=lambda bench: bench.ask(
                  "PageTables/BindDevice", name=bench.watched,
                  device=PAIR[1], pasid=5)),
    Operation("take devices off a page table", ready=tabled,
              act=lambda bench: bench.ask(
                  "PageTables/UnbindDevice", name=bench.watched,
                  device=PAIR[0])),
    Operation("record what is written", ready=tabled,
              act=lambda bench: bench.ask(
                  "PageTables/SetDirtyTracking", name=bench.watched,
                  on=True)),
    Operation("end a page table", ready=tabled,
              act=lambda bench: bench.ask(
                  "PageTables/DeletePageTable", name=bench.guest)),
    Operation("release a lease with page tables", ready=tabled,
              act=lambda bench: bench.ask("Leases/ReleaseLease",
                                          name=bench.lease),
              none={"kernel": "descriptors are closed, which does not fail"}),
    Operation("release a hold lease", ready=kept,
              act=lambda bench: bench.ask("Leases/ReleaseLease",
                                          name=bench.lease),
              none={"kernel": "descriptors are closed, which does not fail"}),
    Operation("claim a hold lease", ready=kept, approach=come, leave=hang_up,
              once=True,
              act=lambda bench: bench.holder.tell("claim", bench.lease),
              outcomes=("held", "alone"),
              none={"kernel": "descriptors are duplicated"}),
    Operation("the holder of a hold lease dies", ready=kept_held,
              act=let_holder_die,
              until="a successor may claim it|cannot be reclaimed",
              outcomes=("ended",),
              none={"kernel": "it is only offered again"}),
    # What comes of it when its grace is over, too.
    Operation("release a hold lease that was held", ready=inherited,
              act=lambda bench: bench.ask("Leases/ReleaseLease",
                                          name=bench.lease),
              parts=True, outcomes=("trouble", "ended")),
    # A daemon that is started anew has nothing of a lease that is volatile.
    Operation("map for a guarded lease", ready=guarded, once=True,
              act=lambda bench: bench.holder.tell(
                  "map", bench.lease, bench.space),
              outcomes=("alone",)),
    Operation("unmap for a guarded lease", ready=mapped, once=True,
              act=lambda bench: bench.holder.tell(
                  "unmap", bench.lease, bench.space),
              outcomes=("alone",)),
    Operation("the holder of a guarded lease dies", ready=mapped,
              act=let_holder_die,
              until="a successor may claim it|cannot be reclaimed",
              outcomes=("ended",),
              none={"kernel": "it is only offered again"}),
    Operation("start with a hold lease", start, ready=kept_alone,
              starts=True, outcomes=("ended",)),
    Operation("the holder dies", ready=held, act=let_holder_die,
              until=RECLAIMED,
              outcomes=("trouble",)),
)
