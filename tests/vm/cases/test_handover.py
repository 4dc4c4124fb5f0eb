"""Hand-over: who gets descriptors, which ones, and what becomes of them.

Most holders are forked children that speak the native socket themselves, or
programs of tests/vm/progs on libioasid; all of them have an unprivileged uid.
"""

import fcntl
import os
import platform
import re
import resource
import signal
import socket
import struct
import subprocess
import termios
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
from ioasid import (ALLOWED, FLAT, IOMMU, NOBODY, PROGS, STRANGER, Child,
                    Ioasidd, Native, Process, Refused, device_name, wait)

pytest_plugins = ["ioasid"]
pytestmark = pytest.mark.skipif(IOMMU == "none", reason="there is no IOMMU")
translated = pytest.mark.skipif(
    FLAT, reason="QEMU 10's AMD IOMMU does not translate DMA")
LONG = os.environ.get("IOASID_LONG") == "1"
MIB = 1 << 20
# Native connections of children: open as long as the child is.
KEPT: list[Native] = []


# --- in children --------------------------------------------------------------

def claim(pipe: Connection, path: Path, lease: str, how: str = "") -> list[int]:
    """Claim a lease; the numbers of the descriptors.

    how: "wait": only when told so; "peek": leave the packet where it is;
    "silent": do not acknowledge; "again": once more afterwards.
    """
    if how == "wait":
        pipe.send(("good", "waiting"))
        pipe.recv()
    conn = Native(path)
    KEPT.append(conn)
    conn.send("Leases/ClaimLease", name=lease)
    answer = conn.receive(peek=how == "peek")
    if answer.WhichOneof("body") == "error":
        raise Refused(answer.error.id, answer.error.message)
    assert len(conn.fds) == answer.reply.descriptors
    if how not in ("peek", "silent"):
        conn.call("Leases/AcknowledgeLease", "Lease", name=lease)
    if how == "again":
        pipe.send(("good", list(conn.fds)))
        pipe.recv()
        conn.call("Leases/ClaimLease", "ClaimLeaseResponse", name=lease)
    return list(conn.fds)


def claim_both(pipe: Connection, path: Path, first: str, second: str) -> None:
    """Claim two leases, one when told so."""
    claim(pipe, path, first)
    pipe.send(("good", "first"))
    pipe.recv()
    claim(pipe, path, second)


def call(_pipe: Connection, path: Path, method: str, reply: str,
         fields: dict[str, Any]) -> str:
    """Any call; its reply in protobuf's words."""
    return str(Native(path).call(method, reply, **fields))


def claim_and_leave_unread(pipe: Connection, path: Path, lease: str) -> None:
    """Ask for a lease when told so, and never read the answer."""
    conn = Native(path)
    KEPT.append(conn)
    pipe.send(("good", "waiting"))
    pipe.recv()
    conn.send("Leases/ClaimLease", name=lease)


# --- what is looked at --------------------------------------------------------

def memlock(pid: int | str) -> tuple[str, str]:
    """A process's limit of locked memory, soft and hard, as /proc has it."""
    words = Path(f"/proc/{pid}/limits").read_text()
    match = re.search(r"^Max locked memory +(\S+) +(\S+)", words, re.M)
    assert match
    return match[1], match[2]


def held(child: Child) -> list[str]:
    """The device nodes that a child has open."""
    table = [os.readlink(entry.path)
             for entry in os.scandir(f"/proc/{child.pid}/fd")]
    return sorted(name for name in table
                  if name.startswith(("/dev/vfio", "/dev/iommu")))


def picture(daemon: Ioasidd) -> dict[str, Any]:
    """All that a refusal or a dry run must leave as it is."""
    bus = Path("/sys/bus/pci/devices")
    return {
        "devices": daemon.ask("devices", "--all"),
        "leases": daemon.leases(),
        "operations": daemon.ask("operation", "list"),
        "drivers": {name: os.readlink(bus / name / "driver")
                    for name in os.listdir(bus)
                    if (bus / name / "driver").exists()},
        "overrides": {name: (bus / name / "driver_override").read_text()
                      for name in os.listdir(bus)},
    }


def unchanged(daemon: Ioasidd, before: dict[str, Any],
              fds: list[str]) -> None:
    """The picture is the same; the descriptors are once peers are closed."""
    assert picture(daemon) == before
    wait(lambda: daemon.fds() == fds, 10,
         f"the daemon has the descriptors {fds}, not {daemon.fds()}")


def quiet_fds(daemon: Ioasidd) -> list[str]:
    """The daemon's descriptors when no connection of ours is there."""
    # ioasidctl's own connection ends a moment after ioasidctl.
    table: list[str] = []

    def settled() -> bool:
        nonlocal table
        last, table = table, daemon.fds()
        return last == table

    wait(lambda: settled() or time.sleep(0.2), 10, "descriptors settle")
    return table


def reclaimed(daemon: Ioasidd, lease: str, *names: str) -> None:
    """The lease has ended and its devices are ready, soon."""
    daemon.wait_lease(lease, "ENDED")
    for name in names:
        assert daemon.device(name)["state"] == "READY"


# --- a stock VMM --------------------------------------------------------------

def guest_reads_disk(vmm: Process) -> None:
    """L2's own driver has read the marker, and L2 ends by itself."""
    vmm.wait_for(f"L2: marker {os.environ['NVME0_MARKER']}")
    assert vmm.wait(60) == 0, vmm.output()


@pytest.mark.cell("transfer")
@translated
@pytest.mark.sanitize
def test_guest_reads_disk_over_lease(ioasidd: Ioasidd) -> None:
    """The main job, and the record of its end."""
    ioasidd.prepare("NVME0")
    with ioasidd.l2("NVME0") as vmm:
        guest_reads_disk(vmm)
    lease = ioasidd.leases()[0]
    lease = ioasidd.wait_lease(lease["name"], "ENDED")
    assert lease["acknowledged"] and lease["incarnation"] == 1
    assert lease["holders"][0]["uid"] == NOBODY
    assert ioasidd.device("NVME0")["state"] == "READY"


@translated
def test_vmm_has_no_privilege_and_opens_no_device(ioasidd: Ioasidd) -> None:
    """QEMU is nobody, can gain nothing, and opened nothing but its own files.

    strace says what was opened: by ioasidctl, as root and after, and by QEMU.
    """
    ioasidd.prepare("NVME0")
    trace = ioasidd.folder / "trace"
    with ioasidd.l2("NVME0", wrap=(
            "strace", "-f", "--seccomp-bpf", "-y", "-o", str(trace), "-e",
            "trace=open,openat,openat2,creat,open_by_handle_at,execve")) as vmm:
        vmm.wait_for("L2: up")
        holder = ioasidd.leases()[0]["holders"][-1]["pid"]
        status = Path(f"/proc/{holder}/status").read_text()
        guest_reads_disk(vmm)

    words = dict(line.split(":\t", 1) for line in status.splitlines())
    assert words["Name"].startswith("qemu-system")
    assert words["Uid"].split() == [str(NOBODY)] * 4
    assert words["Gid"].split() == [str(NOBODY)] * 4
    assert words["Groups"].split() == []
    assert words["NoNewPrivs"] == "1"
    for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(words[kind], 16) == 0, kind

    lines = trace.read_text(errors="replace").splitlines()
    # The trace is of all three, and of the opens: else it would show nothing.
    for sight in ("/ioasidctl", f"qemu-system-{platform.machine()}",
                  "/l2/kernel", "/dev/kvm"):
        assert any(sight in line for line in lines), sight
    bdf = os.environ["NVME0"]
    folder = ioasidd.testbed.sysfs("NVME0").resolve()
    group = ioasidd.testbed.group("NVME0")
    tried = [line for line in lines
             if re.search(rf"/dev/vfio|/dev/iommu|{bdf}|{folder}|{group}/",
                          line) and "execve(" not in line]
    assert not tried, "\n".join(tried)


# --- a client of libioasid ----------------------------------------------------

@translated
@pytest.mark.sanitize
def test_client_carries_a_page_through_edu(ioasidd: Ioasidd) -> None:
    """Claims, binds, maps, DMA there and back; what is unmapped stays out."""
    ioasidd.prepare("EDU0")
    lease = ioasidd.offer("EDU0")
    client = ioasidd.run(PROGS / "edu-dma", lease, uid=NOBODY)
    assert client.wait() == 0, client.output()
    for words in ("carried 4096 bytes there and back",
                  "what is not mapped is out of reach",
                  "carried them the other way"):
        assert words in client.output()
    reclaimed(ioasidd, lease, "EDU0")


@pytest.mark.parametrize("uid", [NOBODY, 0])
def test_context_is_fresh(ioasidd: Ioasidd, uid: int) -> None:
    """Object-free with RLIMIT_MODE; cdevs unbound; close-on-exec from birth.

    Setting RLIMIT_MODE anew takes a context without objects, and a privilege:
    root's try tells about the objects, nobody's about the privilege.
    """
    ioasidd.prepare("EDU0")
    ioasidd.prepare("EDU1")
    lease = ioasidd.offer("EDU1", "EDU0", uid=uid)
    cdevs = [str(ioasidd.testbed.cdev(name)) for name in ("EDU1", "EDU0")]
    trace = ioasidd.folder / "trace"
    # Not by setpriv's uid of its own: strace runs as the client does.
    trace.touch()
    trace.chmod(0o666)
    client = ioasidd.run("strace", "-f", "-y", "-o", trace, "-e",
                         "trace=recvmsg", PROGS / "claim", lease, uid=uid,
                         stdin=subprocess.PIPE)
    client.wait_for("holding", 60)
    assert f"{lease}: devices 2 cloexec 3 mode 1 set {0 if uid == 0 else 1} " \
        "unbound 2 first 1\n" in client.output()
    client.popen.communicate(timeout=60)
    rights = [line for line in trace.read_text().splitlines()
              if "SCM_RIGHTS" in line]
    assert len(rights) == 1
    # With -y strace names the descriptors, in their order.
    nodes = re.findall(r"\d+<(/dev/[^>]+)>", rights[0])
    assert nodes[0] == "/dev/iommu"
    assert nodes[1:] == cdevs
    assert "MSG_CMSG_CLOEXEC" in rights[0].rpartition("]")[2] or \
        re.search(r"\}, [A-Z_|]*MSG_CMSG_CLOEXEC", rights[0])
    reclaimed(ioasidd, lease, "EDU0", "EDU1")


# --- who may claim ------------------------------------------------------------

@pytest.mark.parametrize("uid", [STRANGER, 0])
def test_claim_by_another_uid_changes_nothing(ioasidd: Ioasidd,
                                              uid: int) -> None:
    """Root neither: who is to hold a lease is said in the offer."""
    ioasidd.prepare("EDU0")
    lease = ioasidd.offer("EDU0")
    before, fds = picture(ioasidd), quiet_fds(ioasidd)
    other = ioasidd.child(claim, ioasidd.socket, lease, uid=uid)
    with pytest.raises(Refused) as refusal:
        other.heard()
    assert refusal.value.id == "lease.not-claimant"
    assert held(other) == []
    other.kill()
    unchanged(ioasidd, before, fds)
    # And the one whom it is for has lost nothing.
    holder = ioasidd.child(claim, ioasidd.socket, lease)
    assert len(holder.heard()) == 2
    assert held(holder) == ["/dev/iommu",
                            str(ioasidd.testbed.cdev("EDU0"))]
    assert len(held(holder)) == 2


def test_claim_by_another_process_of_the_uid_is_refused(
        ioasidd: Ioasidd) -> None:
    """An offer that names a process is for that one."""
    ioasidd.prepare("EDU0")
    # What it will claim is not known yet when it is forked.
    right = ioasidd.child(claim_what_comes, ioasidd.socket)
    lease = ioasidd.offer("EDU0", options=("--pid", str(right.pid)))
    before, fds = picture(ioasidd), quiet_fds(ioasidd)
    wrong = ioasidd.child(claim, ioasidd.socket, lease)
    with pytest.raises(Refused) as refusal:
        wrong.heard()
    assert refusal.value.id == "lease.not-claimant"
    wrong.kill()
    unchanged(ioasidd, before, fds)
    right.pipe.send(lease)
    assert len(right.heard()) == 2
    assert ioasidd.lease(lease)["holders"][0]["pid"] == right.pid


def claim_what_comes(pipe: Connection, path: Path) -> list[int]:
    """Claim the lease that the pipe names."""
    return claim(pipe, path, pipe.recv())


def test_second_claim_is_refused(ioasidd: Ioasidd) -> None:
    """A transfer lease is handed over once, also to its holder."""
    ioasidd.prepare("EDU0")
    lease = ioasidd.offer("EDU0")
    holder = ioasidd.child(claim, ioasidd.socket, lease, "again")
    assert len(holder.heard()) == 2
    before = picture(ioasidd)
    holder.pipe.send("go on")
    with pytest.raises(Refused) as refusal:
        holder.heard()
    assert refusal.value.id == "lease.state"
    other = ioasidd.child(claim, ioasidd.socket, lease)
    with pytest.raises(Refused) as refusal:
        other.heard()
    assert refusal.value.id == "lease.state"
    assert picture(ioasidd) == before
    assert len(held(holder)) == 2
    assert "/dev/iommu" not in ioasidd.fds()


def test_offer_runs_out(ioasidd: Ioasidd) -> None:
    """Unclaimed until then: over, the devices are free, a claim says why."""
    ioasidd.prepare("EDU0")
    lease = ioasidd.offer("EDU0", options=("--expires", "1"))
    assert ioasidd.device("EDU0")["state"] == "LEASED"
    found = ioasidd.wait_lease(lease, "ENDED", 10)
    assert found["endReason"] == "expired"
    assert ioasidd.device("EDU0")["state"] == "READY"
    before = picture(ioasidd)
    late = ioasidd.child(claim, ioasidd.socket, lease)
    with pytest.raises(Refused) as refusal:
        late.heard()
    assert refusal.value.id == "lease.expired"
    assert picture(ioasidd) == before


def test_released_offer_frees_devices(ioasidd: Ioasidd) -> None:
    """An offer ends at once, by root or by whom it is for; claims are over."""
    ioasidd.prepare("EDU0")
    for uid in (0, NOBODY):
        lease = ioasidd.offer("EDU0")
        assert ioasidd.refused("lease", "release", lease,
                               uid=STRANGER).id == "lease.not-found"
        assert ioasidd.device("EDU0")["state"] == "LEASED"
        ioasidd.ask("lease", "release", lease, uid=uid)
        found = ioasidd.lease(lease)
        assert (found["state"], found["endReason"]) == ("ENDED", "released")
        assert ioasidd.device("EDU0")["state"] == "READY"
        late = ioasidd.child(claim, ioasidd.socket, lease)
        with pytest.raises(Refused) as refusal:
            late.heard()
        assert refusal.value.id == "lease.state"


def test_held_lease_cannot_be_released(ioasidd: Ioasidd) -> None:
    """Nothing takes descriptors back: the holder is named instead."""
    ioasidd.prepare("EDU0")
    lease = ioasidd.offer("EDU0")
    holder = ioasidd.child(claim, ioasidd.socket, lease)
    holder.heard()
    before = picture(ioasidd)
    refusal = ioasidd.refused("lease", "release", lease)
    assert refusal.id == "lease.held"
    assert str(holder.pid) in refusal.words
    assert picture(ioasidd) == before
    holder.kill()
    reclaimed(ioasidd, lease, "EDU0")


def test_others_see_nothing(ioasidd: Ioasidd) -> None:
    """Root sees all; others what is addressed to them; and change nothing."""
    ioasidd.prepare("EDU0")
    ioasidd.prepare("EDU1")
    mine, yours = ioasidd.offer("EDU0"), ioasidd.offer("EDU1", uid=STRANGER)
    assert {lease["name"] for lease in ioasidd.leases()} == {mine, yours}
    for uid, own, other in ((NOBODY, mine, yours), (STRANGER, yours, mine)):
        assert [lease["name"] for lease in ioasidd.leases(uid=uid)] == [own]
        assert ioasidd.ask("lease", "show", own, uid=uid)["name"] == own
        assert ioasidd.refused("lease", "show", other,
                               uid=uid).id == "lease.not-found"
        assert ioasidd.refused("lease", "release", other,
                               uid=uid).id == "lease.not-found"
        devices = ioasidd.ask("devices", uid=uid)["devices"]
        assert [device["lease"] for device in devices] == [own]
    assert ioasidd.leases(uid=1) == []
    assert not ioasidd.ask("devices", uid=1).get("devices")
    before = picture(ioasidd)
    for words in (("prepare", ioasidd.bdf("NVME0")),
                  ("restore", ioasidd.bdf("EDU0")),
                  ("device", "recover", ioasidd.bdf("EDU0")),
                  ("lease", "create", "--uid", "1", ioasidd.bdf("EDU0"))):
        assert ioasidd.refused(*words, uid=NOBODY).id in (
            "permission.denied", "device.not-found"), words
    assert picture(ioasidd) == before


# --- terms --------------------------------------------------------------------

def test_memlock_is_raised_by_each_lease(ioasidd: Ioasidd) -> None:
    """The holder's limit is what it had and what its leases allow."""
    ioasidd.prepare("EDU0")
    ioasidd.prepare("EDU1")
    first = ioasidd.offer("EDU0", options=("--memlock", "100M"))
    second = ioasidd.offer("EDU1", options=("--memory", "1G"))
    assert int(ioasidd.lease(second)["memlockBytes"]) == 1024 * MIB + 64 * MIB

    holder = ioasidd.child(claim_limited, ioasidd.socket, first, second)
    assert holder.heard() == "limited"
    assert memlock(holder.pid) == (str(3 * MIB), str(5 * MIB))
    holder.pipe.send("go on")
    assert holder.heard() == "first"
    assert memlock(holder.pid) == (str(103 * MIB), str(103 * MIB))
    holder.pipe.send("go on")
    holder.heard()
    both = str((3 + 100 + 1024 + 64) * MIB)
    assert memlock(holder.pid) == (both, both)
    holder.kill()
    reclaimed(ioasidd, first, "EDU0")
    reclaimed(ioasidd, second, "EDU1")


def claim_limited(pipe: Connection, path: Path, first: str,
                  second: str) -> None:
    """claim_both() with 3 MiB of locked memory, 5 MiB at most."""
    resource.setrlimit(resource.RLIMIT_MEMLOCK, (3 * MIB, 5 * MIB))
    pipe.send(("good", "limited"))
    pipe.recv()
    claim_both(pipe, path, first, second)


def test_unlimited_memlock(ioasidd: Ioasidd) -> None:
    """Root may allow any amount."""
    ioasidd.prepare("EDU0")
    lease = ioasidd.offer("EDU0", options=("--memlock", "unlimited"))
    holder = ioasidd.child(claim, ioasidd.socket, lease)
    holder.heard()
    assert memlock(holder.pid) == ("unlimited", "unlimited")


def test_max_pinned_is_kept(stopped: Ioasidd) -> None:
    """All leases together cannot allow more than the node's ceiling."""
    stopped.start("--max-pinned=1G")
    stopped.prepare("EDU0")
    stopped.prepare("EDU1")

    def too_much(name: str, size: str) -> None:
        before = picture(stopped)
        assert stopped.refused("lease", "create", "--uid", "1", "--memlock",
                               size, stopped.bdf(name)).id == "limit.pinned"
        assert picture(stopped) == before

    too_much("EDU0", "1025M")
    lease = stopped.offer("EDU0", options=("--memlock", "1000M"))
    too_much("EDU1", "25M")
    stopped.ask("lease", "release", stopped.offer(
        "EDU1", options=("--memlock", "24M")))
    stopped.ask("lease", "release", lease)
    stopped.offer("EDU1", options=("--memlock", "1G"))


def test_list_of_devices_is_checked(ioasidd: Ioasidd) -> None:
    """1 to 64, each once, all ready, all of a group."""
    ioasidd.prepare("EDU0")
    ioasidd.prepare("PAIR0", "--allow-no-reset")
    edu = device_name(ioasidd.bdf("EDU0"))
    before = picture(ioasidd)
    conn = ioasidd.native()
    cases = [
        ([], "lease.devices"),
        ([edu, edu], "lease.devices"),
        ([f"devices/pci-0000-{n:02x}-00.0" for n in range(65)],
         "lease.devices"),
        ([f"devices/pci-0000-{n:02x}-1f.7" for n in range(64)],
         "device.not-found"),
        ([edu, device_name(ioasidd.bdf("EDU1"))], "device.not-ready"),
        ([device_name(ioasidd.bdf("PAIR1"))], "lease.devices"),
        (["devices/"], "request.invalid"),
        (["leases/1"], "request.invalid"),
    ]
    for devices, refusal in cases:
        with pytest.raises(Refused) as refused:
            conn.call("Leases/CreateLease", "Lease", devices=devices,
                      claimant={"uid": NOBODY})
        assert refused.value.id == refusal, devices
    conn.close()
    assert picture(ioasidd) == before
    pair = ioasidd.offer("PAIR1", "PAIR0", "EDU0")
    holder = ioasidd.child(claim, ioasidd.socket, pair)
    assert len(holder.heard()) == 4
    holder.kill()
    reclaimed(ioasidd, pair, "PAIR0", "PAIR1", "EDU0")


def test_request_id_tells_repeats_from_new_requests(ioasidd: Ioasidd) -> None:
    """The same offer twice is one; another one under its id is refused."""
    ioasidd.prepare("EDU0")
    ioasidd.prepare("EDU1")
    conn = ioasidd.native()

    def offer(name: str, request: str) -> str:
        return str(conn.call(
            "Leases/CreateLease", "Lease", request_id=request,
            devices=[device_name(ioasidd.bdf(name))],
            claimant={"uid": NOBODY}).name)

    first = offer("EDU0", "one")
    before = picture(ioasidd)
    assert offer("EDU0", "one") == first
    with pytest.raises(Refused) as refusal:
        offer("EDU1", "one")
    assert refusal.value.id == "request.id-reused"
    with pytest.raises(Refused) as refusal:
        offer("EDU0", "another")
    assert refusal.value.id == "device.not-ready"
    with pytest.raises(Refused) as refusal:
        offer("EDU1", 65 * "x")
    assert refusal.value.id == "request.invalid"
    assert picture(ioasidd) == before
    # Also over a restart, and when the lease has ended.
    conn.close()
    ioasidd.ask("lease", "release", first)
    ioasidd.restart()
    conn = ioasidd.native()
    assert offer("EDU0", "one") == first
    assert ioasidd.device("EDU0")["state"] == "READY"
    conn.close()


def test_dry_run_changes_nothing(ioasidd: Ioasidd) -> None:
    """Of each change: what is good is said to be, and nothing is done."""
    ioasidd.prepare("EDU0")
    lease = ioasidd.offer("EDU0")
    ioasidd.prepare("EDU1")
    before, fds = picture(ioasidd), quiet_fds(ioasidd)
    ioasidd.ask("prepare", "--dry-run", *ALLOWED, ioasidd.bdf("NVME0"))
    ioasidd.ask("restore", "--dry-run", ioasidd.bdf("EDU1"))
    ioasidd.ask("lease", "create", "--dry-run", "--uid", "1",
                ioasidd.bdf("EDU1"))
    ioasidd.ask("lease", "release", "--dry-run", lease)
    # What is not good is refused as ever.
    for words, error in (
            (("device", "recover", "--dry-run", ioasidd.bdf("EDU1")),
             "device.not-quarantined"),
            (("restore", "--dry-run", ioasidd.bdf("EDU0")), "device.leased"),
            (("lease", "create", "--dry-run", "--uid", "1",
              ioasidd.bdf("EDU0")), "device.not-ready")):
        assert ioasidd.refused(*words).id == error
    trial = ioasidd.child(call, ioasidd.socket, "Leases/ClaimLease",
                          "ClaimLeaseResponse",
                          {"name": lease, "dry_run": True})
    trial.heard()
    assert held(trial) == []
    trial.kill()
    unchanged(ioasidd, before, fds)

    # And of an acknowledgement.
    holder = ioasidd.child(acknowledge_dry, ioasidd.socket, lease)
    holder.heard()
    assert not ioasidd.lease(lease).get("acknowledged")


def acknowledge_dry(pipe: Connection, path: Path, lease: str) -> None:
    """Claim, and acknowledge without meaning it."""
    claim(pipe, path, lease, "silent")
    KEPT[-1].call("Leases/AcknowledgeLease", "Lease", name=lease, dry_run=True)


# --- when things go wrong -----------------------------------------------------

def offered_again(daemon: Ioasidd, lease: str, fds: list[str]) -> None:
    """As if nobody had asked; but the record knows."""
    found = daemon.wait_lease(lease, "OFFERED", 30)
    assert not found.get("acknowledged")
    assert found["holders"][-1]["why"].startswith("got nothing")
    assert daemon.device("EDU0")["state"] == "LEASED"
    wait(lambda: daemon.fds() == fds, 10, "the descriptors are closed")
    holder = daemon.child(claim, daemon.socket, lease)
    assert len(holder.heard()) == 2
    assert daemon.lease(lease)["state"] == "HELD"
    holder.kill()
    reclaimed(daemon, lease, "EDU0")


@pytest.mark.parametrize("when", ["asks", "opens"])
def test_claimant_that_dies_before_the_send(ioasidd: Ioasidd,
                                            when: str) -> None:
    """Nothing was sent, so the lease is offered as before.

    asks: the daemon has not read the request yet. opens: it is about to open
    /dev/iommu for it, held up there by strace; the claim is durable by then.
    """
    ioasidd.prepare("EDU0")
    lease = ioasidd.offer("EDU0")
    fds = quiet_fds(ioasidd)
    claimant = ioasidd.child(claim_and_leave_unread, ioasidd.socket, lease)
    assert claimant.heard() == "waiting"
    if when == "asks":
        before = ioasidd.lease(lease)
        os.kill(ioasidd.pid, signal.SIGSTOP)
        claimant.pipe.send("go on")
        claimant.heard()
        claimant.kill()
        os.kill(ioasidd.pid, signal.SIGCONT)
        wait(lambda: ioasidd.fds() == fds, 10, "the connection is closed")
        assert ioasidd.lease(lease) == before
        return
    tracer = ioasidd.run("strace", "-f", "-p", ioasidd.pid, "-P", "/dev/iommu",
                         "-e", "trace=openat", "-e",
                         "inject=openat:delay_enter=2s")
    tracer.wait_for("attached", 30)
    claimant.pipe.send("go on")
    claimant.heard()
    ioasidd.wait_lease(lease, "CLAIMING", 10)
    claimant.kill()
    ioasidd.wait_lease(lease, "OFFERED", 30)
    tracer.popen.send_signal(signal.SIGINT)
    tracer.wait(30)
    offered_again(ioasidd, lease, fds)


def fill(conn: Native, count: int) -> None:
    """Ask for things whose answers will not be read."""
    for _ in range(count):
        conn.send("Host/GetVersion")


def capacity(path: Path) -> int:
    """How many answers a connection takes that nobody reads.

    The daemon stops reading when one does not fit; what it has not read is
    still charged to us.
    """
    conn = Native(path)
    own, mute = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    daemon, conn.sock = conn.sock, own
    fill(conn, 1)
    one, conn.sock = outstanding(own), daemon
    own.close()
    mute.close()
    daemon.setblocking(False)
    sent = 0
    while True:
        try:
            fill(conn, 1)
            sent += 1
        except BlockingIOError:
            # Ours is full. Theirs is too if nothing moves any more.
            before = outstanding(daemon)
            time.sleep(1)
            if outstanding(daemon) == before:
                break
    left = outstanding(daemon)
    conn.close()
    assert left % one == 0, (one, left)
    # The last one that was read is what did not fit.
    return sent - left // one - 1


def outstanding(sock: socket.socket) -> int:
    """Bytes of ours that the other end has not read, as the kernel charges."""
    return int(struct.unpack("i", fcntl.ioctl(
        sock, termios.TIOCOUTQ, b"\0" * 4))[0])


def claim_into_full_socket(pipe: Connection, path: Path, lease: str) -> Any:
    """Claim when there is no room for an answer; what it says afterwards."""
    room = capacity(path)
    conn = Native(path)
    KEPT.append(conn)
    fill(conn, room)
    while outstanding(conn.sock):
        time.sleep(0.01)
    before = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    number = conn.send("Leases/ClaimLease", name=lease)
    pipe.send(("good", room))
    pipe.recv()
    for _ in range(room):
        assert conn.receive().WhichOneof("body") == "reply"
    answer = conn.receive()
    assert answer.id == number and not conn.fds
    assert resource.getrlimit(resource.RLIMIT_MEMLOCK) == before
    return answer.error.id


def test_claimant_that_does_not_read(ioasidd: Ioasidd) -> None:
    """Its socket is full: nothing is sent, the limit is as before."""
    ioasidd.prepare("EDU0")
    lease = ioasidd.offer("EDU0")
    fds = quiet_fds(ioasidd)
    claimant = ioasidd.child(claim_into_full_socket, ioasidd.socket, lease)
    before = memlock(claimant.pid)
    assert claimant.heard() > 10
    wait(lambda: (ioasidd.lease(lease).get("holders") or [{}])[-1].get("until"),
         30, "the claim is taken back")
    assert ioasidd.lease(lease)["state"] == "OFFERED"
    assert memlock(claimant.pid) == before
    assert held(claimant) == []
    claimant.pipe.send("go on")
    assert claimant.heard() == "lease.peer-unreachable"
    claimant.kill()
    offered_again(ioasidd, lease, fds)


@pytest.mark.sanitize
@pytest.mark.parametrize("how", ["peek", "silent"])
def test_holder_that_never_acknowledges(ioasidd: Ioasidd, how: str) -> None:
    """What was sent counts as received, a peek too; the daemon keeps none."""
    ioasidd.prepare("EDU0")
    lease = ioasidd.offer("EDU0", options=("--memlock", "100M"))
    node = str(ioasidd.testbed.cdev("EDU0"))
    holder = ioasidd.child(claim, ioasidd.socket, lease, how)
    assert len(holder.heard()) == 2
    assert held(holder) == ["/dev/iommu", node]
    wait(lambda: f"{lease}: handed over, unacknowledged" in ioasidd.log_text(),
         15, "the silence is noted")
    found = ioasidd.lease(lease)
    assert found["state"] == "HELD" and not found.get("acknowledged")
    assert found["holders"][0]["pid"] == holder.pid
    assert node not in ioasidd.fds() and "/dev/iommu" not in ioasidd.fds()
    assert held(holder) == ["/dev/iommu", node]
    holder.kill()
    reclaimed(ioasidd, lease, "EDU0")


# --- again and again ----------------------------------------------------------

def cycles(daemon: Ioasidd, mode: str, count: int, *names: str) -> None:
    """So many leases, over all of the devices."""
    done = daemon.run(PROGS / "cycle", *["hold"] * (mode == "hold"),
                      count // len(names), NOBODY,
                      *(device_name(daemon.bdf(name)) for name in names))
    assert done.wait(1800) == 0, done.output()
    assert f"{count} leases\n" in done.output()


def rounds(daemon: Ioasidd, mode: str, count: int,
           *names: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """So many leases in four parts; memory after each, KiB: in use, resident."""
    seen = []
    for _ in range(4):
        cycles(daemon, mode, count // 4 // len(names) * len(names), *names)
        seen.append(daemon.quiet_memory())
    return tuple(zip(*seen, strict=True))


@pytest.mark.limit(2400 if LONG else 600)
@pytest.mark.sanitize
@pytest.mark.parametrize("mode", ["transfer", pytest.param(
    "hold", marks=pytest.mark.skipif(
        not LONG and "IOASID_LEASES" not in os.environ,
        reason="IOASID_LONG=1 has it"))])
@pytest.mark.parametrize("names,count", [
    (("EDU0", "EDU1"), int(os.environ.get("IOASID_LEASES") or
                           (1000 if LONG else 100))),
    pytest.param(("NVME0",), 50, marks=pytest.mark.skipif(
        not LONG, reason="IOASID_LONG=1 has it"))])
def test_leases_leave_nothing_behind(stopped: Ioasidd, names: tuple[str, ...],
                                     count: int, mode: str) -> None:
    """Descriptors, drivers, memory and database are as before.

    With a short history and few changes, so that what is kept on purpose is full
    when counting begins. The database is measured when it is closed: then all of
    it is in one file.
    """
    database = stopped.state / "state.db"
    stopped.start("--history=10", "--changes=64")
    for name in names:
        stopped.prepare(name)
    cycles(stopped, mode, 20, *names)
    stopped.stop()
    size = database.stat().st_size

    # What is kept lies where there was room when it was made: how many pages
    # that takes differs by more than 2 % from one look to the next, and does
    # not grow. So of what is resident the least of four looks counts; of what
    # is in use the last one, which is after all of it.
    stopped.start("--history=10", "--changes=64")
    cycles(stopped, mode, 10 if stopped.sanitizer() else 100, *names)
    drivers, fds = picture(stopped)["drivers"], quiet_fds(stopped)
    # That settles in some hundred leases.
    used, resident = rounds(stopped, mode, max(count // 2, min(count, 100)),
                            *names)
    then_used, then_resident = rounds(stopped, mode, count, *names)
    print(f"{count} leases: {used} KiB in use, then {then_used} KiB; "
          f"resident {resident} KiB, then {then_resident} KiB")
    # A sanitizer's memory is its own affair.
    if not stopped.sanitizer():
        assert then_used[-1] <= max(used) * 1.02
        assert min(then_resident) <= max(resident) * 1.02
    assert quiet_fds(stopped) == fds
    assert picture(stopped)["drivers"] == drivers
    stopped.stop()
    assert database.stat().st_size <= size
