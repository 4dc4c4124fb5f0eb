"""Transfer of nodes: a VMM on a host without iommufd opens /dev/vfio/<n> itself.

The cases say `--backend type1`, so they run the same on a kernel that has iommufd
as well, and on one that has not. Holders are a stock QEMU, and forked children
that open what they were told of.
"""

import errno
import os
import re
import stat
import struct
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
from ioasid import (FLAT, IOMMU, L2_QEMU, STRANGER, Child, Ioasidd, Native,
                    Process, Refused, wait)

pytest_plugins = ["ioasid"]
pytestmark = pytest.mark.skipif(IOMMU == "none", reason="there is no IOMMU")
translated = pytest.mark.skipif(
    FLAT, reason="QEMU 10's AMD IOMMU does not translate DMA")
with_iommufd = pytest.mark.skipif(
    not Path("/dev/iommu").exists(), reason="this kernel has no iommufd")
MIB = 1 << 20
# Whom nobody else is: not ioasid-api, which is NOBODY on a host without a user of
# its own.
USER = 65532
ACL = "system.posix_acl_access"
# Native connections of children: open as long as the child is.
KEPT: list[Native] = []
OPENED: list[int] = []


# --- in children --------------------------------------------------------------

def claim(pipe: Connection, path: Path, lease: str, own: bool = False,
          opens: bool = True) -> str:
    """Claim a lease of nodes, and open the first; its path.

    Waits to be told before it opens, and before that whether to.
    """
    conn = Native(path)
    KEPT.append(conn)
    conn.send("Leases/ClaimLease", name=lease, own_nodes=own)
    answer = conn.receive()
    if answer.WhichOneof("body") == "error":
        raise Refused(answer.error.id, answer.error.message)
    assert answer.reply.descriptors == 0 and not conn.fds
    reply = conn.messages["ClaimLeaseResponse"].FromString(
        answer.reply.payload)
    nodes = [node.path for node in reply.nodes]
    assert nodes == [node.path for node in reply.lease.nodes]
    conn.call("Leases/AcknowledgeLease", "Lease", name=lease)
    if opens:
        pipe.send(("good", "claimed"))
        pipe.recv()
        OPENED.append(os.open(nodes[0], os.O_RDWR | os.O_CLOEXEC))
    return str(nodes[0])


def open_it(_pipe: Connection, path: str) -> int:
    """Try to open a file for reading and writing; 0 or the errno."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CLOEXEC))
    except OSError as failure:
        return failure.errno or -1
    return 0


def idle(_pipe: Connection) -> None:
    """Be there."""


# --- what is looked at --------------------------------------------------------

def picture(path: str | Path) -> tuple[int, int, int, bytes]:
    """Mode, owner, group and access control list of a node."""
    found = os.stat(path)
    try:
        acl = os.getxattr(path, ACL)
    except OSError as failure:
        assert failure.errno == errno.ENODATA
        acl = b""
    return (stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid, acl)


def may_open(path: str | Path, uid: int) -> bool:
    """Has the user an entry of its own that says so?"""
    acl = picture(path)[3][4:]
    return any(struct.unpack("<HHI", acl[i:i + 8]) == (2, 6, uid)
               for i in range(0, len(acl), 8))


def memlock(pid: int) -> tuple[str, str]:
    """A process's limit of locked memory, soft and hard, as /proc has it."""
    match = re.search(r"^Max locked memory +(\S+) +(\S+)",
                      Path(f"/proc/{pid}/limits").read_text(), re.M)
    assert match
    return match[1], match[2]


def node(daemon: Ioasidd, name: str) -> str:
    """The node of a prepared device's group."""
    return f"/dev/vfio/{daemon.testbed.group(name).name}"


def offer(daemon: Ioasidd, name: str, options: tuple[str, ...] = ()) -> str:
    """Offer a device to the user; the lease's name."""
    return daemon.offer(name, uid=USER, options=options)


def child(daemon: Ioasidd, function: Callable[..., Any], *args: Any) -> Child:
    """Fork a process of the user."""
    return daemon.child(function, *args, uid=USER)


def trial(daemon: Ioasidd, path: str, uid: int = USER) -> int:
    """What a process of that user gets for opening it: 0 or an errno."""
    process = daemon.child(open_it, path, uid=uid)
    result = int(process.heard())
    process.kill()
    return result


@pytest.fixture(name="type1")
def type1_fixture(stopped: Ioasidd) -> Iterator[Ioasidd]:
    """A daemon on containers and groups."""
    stopped.start("--backend", "type1")
    yield stopped


def closed(daemon: Ioasidd, lease: str, before: Any) -> None:
    """Soon nobody may open the node any more, and it is as it was."""
    found = daemon.lease(lease)
    path = found["nodes"][0]["path"]
    wait(lambda: not daemon.lease(lease)["nodes"][0].get("accessible"), 30,
         "access is taken off")
    assert picture(path) == before


def ended(daemon: Ioasidd, lease: str, name: str) -> None:
    """The lease has ended, its device is ready, its node is as ever."""
    daemon.wait_lease(lease, "ENDED")
    assert daemon.device(name)["state"] == "READY"
    assert picture(node(daemon, name)) == (0o600, 0, 0, b"")


# --- a stock VMM --------------------------------------------------------------

@pytest.mark.cell("transfer")
@translated
@pytest.mark.sanitize
@pytest.mark.cell("transfer")
def test_vmm_that_root_starts_reads_disk(type1: Ioasidd) -> None:
    """It has nodes of its own: the host's /dev never changes."""
    type1.prepare("NVME0")
    path = node(type1, "NVME0")
    before = picture(path)
    with type1.l2("NVME0", uid=USER, loop=True) as vmm:
        vmm.wait_for(f"L2: marker {os.environ['NVME0_MARKER']}")
        lease = type1.leases()[0]
        pid = lease["holders"][-1]["pid"]
        assert pid == vmm.pid and lease["nodes"][0]["path"] == path
        assert not lease["nodes"][0].get("accessible")
        assert picture(path) == before
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        assert f"vfio-pci,id=pci-{os.environ['NVME0'].replace(':', '-')}," \
            f"host={os.environ['NVME0']}".encode() in words
        assert set(os.listdir(f"/proc/{pid}/root/dev/vfio")) == \
            {"vfio", Path(path).name}
        status = Path(f"/proc/{pid}/status").read_text()
        assert f"Uid:\t{USER}\t" in status
        assert re.search(r"^CapEff:\t0+$", status, re.M)
        # Who has the uid, too, gets it neither here nor there.
        assert trial(type1, path) == errno.EACCES
        assert trial(type1, f"/proc/{pid}/root{path}") in (errno.EACCES,
                                                           errno.EBUSY)
    ended(type1, lease["name"], "NVME0")


@pytest.mark.cell("transfer")
@translated
def test_vmm_of_a_plain_user_reads_disk(type1: Ioasidd) -> None:
    """The host's node is the user's until QEMU has it open, and no longer."""
    type1.prepare("NVME0")
    path = node(type1, "NVME0")
    before = picture(path)
    lease = offer(type1, "NVME0", options=("--memlock", "1G"))
    vmm = type1.run("ioasidctl", "run", "--lease", lease, "--vmm", "qemu",
                    "--", L2_QEMU, uid=USER)
    vmm.wait_for("L2: up")
    closed(type1, lease, before)
    assert type1.lease(lease)["acknowledged"]
    assert trial(type1, path) == errno.EACCES
    vmm.wait_for(f"L2: marker {os.environ['NVME0_MARKER']}")
    assert vmm.wait(60) == 0, vmm.output()
    ended(type1, lease, "NVME0")


def test_vmm_is_told_nodes_by_placeholders(type1: Ioasidd) -> None:
    """For other VMMs: {group0} is a node, {device0} an address."""
    type1.prepare("EDU0")
    path = node(type1, "EDU0")
    done = type1.ctl(
        "run", "--device", type1.bdf("EDU0"), "--uid", str(USER), "--gid",
        str(USER), "--", "sh", "-c",
        'echo "$@"; ls /dev/vfio; test -w "$1" && echo mine', "sh", "{group0}",
        "path=/sys/bus/pci/devices/{device0}/")
    assert done.stdout.splitlines() == [
        f"{path} path=/sys/bus/pci/devices/{os.environ['EDU0']}/",
        Path(path).name, "vfio", "mine"], done.stderr
    lease = type1.leases()[0]["name"]
    ended(type1, lease, "EDU0")
    done = type1.ctl("run", "--device", type1.bdf("EDU0"), "--uid",
                     str(USER), "--gid", str(USER), "--", "echo",
                     "{iommufd}")
    assert done.returncode == 2 and "this host has none" in done.stderr


def test_nobody_of_the_uid_gets_in_before_exec(type1: Ioasidd) -> None:
    """Between the change of its uid and exec ioasidctl cannot be looked into.

    strace holds it up right before it executes the command.
    """
    type1.prepare("EDU0")
    path = node(type1, "EDU0")
    held = type1.run(
        "strace", "-o", "/dev/null", "-e", "trace=execve", "-e",
        "inject=execve:delay_enter=5000000", "ioasidctl", "run",
        "--device", type1.bdf("EDU0"), "--uid", str(USER), "--gid",
        str(USER), "--", "sleep", "600")
    lease = str(wait(lambda: [one for one in type1.leases()
                              if one["state"] == "HELD"], 60,
                     "it is held")[0]["name"])
    pid = type1.lease(lease)["holders"][-1]["pid"]
    try:
        assert pid != held.pid
        assert Path(f"/proc/{pid}/comm").read_text() == "ioasidctl\n"
        assert f"Uid:\t{USER}\t" in Path(f"/proc/{pid}/status").read_text()
        assert Path(f"/proc/{pid}/root{path}").exists()
        assert trial(type1, f"/proc/{pid}/root{path}") == errno.EACCES
        # It has not gone on meanwhile.
        assert Path(f"/proc/{pid}/comm").read_text() == "ioasidctl\n"
    finally:
        os.kill(pid, 9)
    ended(type1, lease, "EDU0")


# --- who may open, when -------------------------------------------------------

def test_node_is_open_from_claim_to_open(type1: Ioasidd) -> None:
    """To the holder's uid alone; then to nobody, and the group is in use."""
    type1.prepare("EDU0")
    path = node(type1, "EDU0")
    before = picture(path)
    assert before == (0o600, 0, 0, b"")
    lease = offer(type1, "EDU0")
    assert type1.lease(lease)["nodes"][0]["path"] == path
    assert picture(path) == before
    holder = child(type1, claim, type1.socket, lease)
    assert holder.heard() == "claimed"
    assert type1.lease(lease)["nodes"][0]["accessible"]
    assert may_open(path, USER) and not may_open(path, STRANGER)
    assert trial(type1, path, STRANGER) == errno.EACCES
    holder.pipe.send("open it")
    assert holder.heard() == path
    closed(type1, lease, before)
    assert trial(type1, path) == errno.EACCES
    assert trial(type1, path, 0) == errno.EBUSY
    holder.kill()
    ended(type1, lease, "EDU0")


def test_holder_that_opens_nothing_keeps_access_until_its_end(
        type1: Ioasidd) -> None:
    """Also when it acknowledges: it may be about to exec what opens."""
    type1.prepare("EDU0")
    path = node(type1, "EDU0")
    before = picture(path)
    lease = offer(type1, "EDU0")
    holder = child(type1, claim, type1.socket, lease, False, False)
    holder.heard()
    time.sleep(1)
    assert may_open(path, USER)
    holder.kill()
    steps = [step["act"] for step in
             type1.wait_lease(lease, "ENDED")["reclaim"]]
    assert steps.index("nodes") < steps.index("unbind")
    assert picture(path) == before


def test_uid_that_others_have_is_refused(type1: Ioasidd) -> None:
    """A process of the uid elsewhere, or another lease; by name."""
    type1.prepare("EDU0")
    type1.prepare("EDU1")
    path = node(type1, "EDU0")
    before = picture(path)
    lease = offer(type1, "EDU0")
    other = child(type1, idle)
    other.heard()
    refused = child(type1, claim, type1.socket, lease)
    with pytest.raises(Refused) as refusal:
        refused.heard()
    assert refusal.value.id == "lease.uid-shared"
    assert f"process {other.pid} " in refusal.value.words
    refused.kill()
    assert type1.lease(lease)["state"] == "OFFERED"
    assert picture(path) == before
    # One that has nodes of its own does not care.
    owner = child(type1, claim, type1.socket, lease, True, False)
    assert owner.heard() == path
    assert picture(path) == before
    other.kill()
    # Nor can another lease be for the same uid's processes.
    second = offer(type1, "EDU1")
    refused = child(type1, claim, type1.socket, second)
    with pytest.raises(Refused) as refusal:
        refused.heard()
    assert refusal.value.id == "lease.uid-shared"
    assert lease in refusal.value.words
    refused.kill()
    owner.kill()
    ended(type1, lease, "EDU0")


def test_processes_of_its_control_group_are_the_holders(
        type1: Ioasidd) -> None:
    """What a VM manager has started beside its VMM, in one unit."""
    group = Path("/sys/fs/cgroup/ioasid-test")
    group.mkdir(exist_ok=True)
    type1.prepare("EDU0")
    lease = offer(type1, "EDU0")
    try:
        pair = [child(type1, idle), child(type1, claim_when_told, type1.socket,
                                               lease)]
        for one in pair:
            one.heard()
            (group / "cgroup.procs").write_text(str(one.pid))
        pair[1].pipe.send("claim it")
        assert pair[1].heard() == node(type1, "EDU0")
        for one in pair:
            one.kill()
        ended(type1, lease, "EDU0")
    finally:
        for one in pair:
            one.kill()
        wait(lambda: not (group / "cgroup.procs").read_text(), 10, "it is empty")
        group.rmdir()


def claim_when_told(pipe: Connection, path: Path, lease: str) -> str:
    """Claim a lease of nodes once told so."""
    pipe.send(("good", "waiting"))
    pipe.recv()
    return claim(pipe, path, lease, opens=False)


def test_shared_uid_is_a_decision(type1: Ioasidd) -> None:
    """It takes an administrator, and is written down."""
    type1.prepare("EDU0")
    path = node(type1, "EDU0")
    lease = offer(type1, "EDU0", options=("--shared-uid",))
    assert type1.lease(lease)["sharedUid"]
    other = child(type1, idle)
    other.heard()
    holder = child(type1, claim, type1.socket, lease, False, False)
    assert holder.heard() == path
    assert may_open(path, USER)
    assert re.search(rf"{lease}: opened to a shared uid.*process {other.pid} ",
                     type1.log_text())
    other.kill()
    holder.kill()
    ended(type1, lease, "EDU0")


# A list of an administrator's: it lets a stranger read and write, but for its
# mask, which lets him read.
NARROW = struct.pack("<I", 2) + b"".join(
    struct.pack("<HHI", *entry) for entry in (
        (1, 6, 0xffffffff), (2, 6, STRANGER), (4, 6, 0xffffffff),
        (16, 4, 0xffffffff), (32, 0, 0xffffffff)))


def test_what_others_set_on_the_node_stays(type1: Ioasidd) -> None:
    """An administrator's list comes back byte for byte; udev's change stays."""
    type1.prepare("EDU0")
    path = node(type1, "EDU0")
    os.setxattr(path, ACL, NARROW)
    before = picture(path)
    lease = offer(type1, "EDU0")
    holder = child(type1, claim, type1.socket, lease)
    holder.heard()
    assert may_open(path, USER) and not may_open(path, STRANGER)
    # As udev does when it is triggered: mode and owner anew, and no list.
    os.removexattr(path, ACL)
    os.chmod(path, 0o640)
    os.chown(path, 0, STRANGER)
    changed = picture(path)
    wait(lambda: may_open(path, USER), 30, "the entry is set again")
    holder.pipe.send("open it")
    holder.heard()
    closed(type1, lease, changed)
    assert before != changed
    holder.kill()
    type1.wait_lease(lease, "ENDED")


def test_list_of_an_administrator_comes_back(type1: Ioasidd) -> None:
    """With a mask that is narrower than its entries."""
    type1.prepare("EDU0")
    path = node(type1, "EDU0")
    os.setxattr(path, ACL, NARROW)
    before = picture(path)
    lease = offer(type1, "EDU0")
    holder = child(type1, claim, type1.socket, lease)
    holder.heard()
    assert may_open(path, USER)
    assert trial(type1, path, STRANGER) == errno.EACCES
    holder.pipe.send("open it")
    holder.heard()
    closed(type1, lease, before)
    holder.kill()
    type1.wait_lease(lease, "ENDED")


# --- release, death, and a daemon that is not there ---------------------------

@pytest.mark.parametrize("killed", [False, True])
def test_release_takes_back_what_a_live_holder_got(type1: Ioasidd,
                                                   killed: bool) -> None:
    """Its limit is as before, and so is the node; its devices are its own until
    it ends. Also when ioasidd is killed before it, and after."""
    type1.prepare("EDU0")
    path = node(type1, "EDU0")
    before = picture(path)
    lease = offer(type1, "EDU0", options=("--memlock", "256M"))
    holder = child(type1, claim_when_told, type1.socket, lease)
    holder.heard()
    limit = memlock(holder.pid)
    holder.pipe.send("claim it")
    holder.heard()
    assert int(memlock(holder.pid)[0]) == int(limit[0]) + 256 * MIB
    assert may_open(path, USER)
    if killed:
        type1.restart()
        assert may_open(path, USER)
    found = type1.ask("lease", "release", lease)
    assert (found["state"], "released" in found) == ("HELD", True)
    assert memlock(holder.pid) == limit
    assert picture(path) == before
    # Once more changes nothing, and nobody else gets the device.
    assert type1.ask("lease", "release", lease)["revision"] == \
        found["revision"]
    assert type1.refused("restore", type1.bdf("EDU0")).id == "device.leased"
    if killed:
        type1.restart()
        assert memlock(holder.pid) == limit and picture(path) == before
    holder.kill()
    ended(type1, lease, "EDU0")


@pytest.mark.cell("reclaim")
def test_release_leaves_what_the_holder_has_open(type1: Ioasidd) -> None:
    """It goes on with its group; its end gives it back."""
    type1.prepare("EDU0")
    lease = offer(type1, "EDU0")
    holder = child(type1, claim, type1.socket, lease)
    holder.heard()
    holder.pipe.send("open it")
    path = holder.heard()
    type1.ask("lease", "release", lease)
    assert any(os.readlink(entry.path) == path
               for entry in os.scandir(f"/proc/{holder.pid}/fd"))
    assert trial(type1, path, 0) == errno.EBUSY
    holder.kill()
    ended(type1, lease, "EDU0")


def test_two_leases_of_one_holder_are_released_one_by_one(
        type1: Ioasidd) -> None:
    """What the other adds to its limit stays."""
    for name in ("EDU0", "EDU1"):
        type1.prepare(name)
    leases = [offer(type1, name, options=("--memlock", size))
              for name, size in (("EDU0", "64M"), ("EDU1", "128M"))]
    holder = child(type1, claim_two, type1.socket, *leases)
    holder.heard()
    limit = memlock(holder.pid)
    holder.pipe.send("claim them")
    holder.heard()
    assert int(memlock(holder.pid)[0]) == int(limit[0]) + 192 * MIB
    type1.ask("lease", "release", leases[0])
    assert int(memlock(holder.pid)[0]) == int(limit[0]) + 128 * MIB
    type1.ask("lease", "release", leases[1])
    assert memlock(holder.pid) == limit
    holder.kill()
    for name, lease in zip(("EDU0", "EDU1"), leases):
        ended(type1, lease, name)


def claim_two(pipe: Connection, path: Path, *leases: str) -> None:
    """Claim leases of nodes once told so."""
    pipe.send(("good", "waiting"))
    pipe.recv()
    for lease in leases:
        claim(pipe, path, lease, opens=False)


@pytest.mark.parametrize("opens", [False, True])
def test_holder_dies_while_ioasidd_is_away(type1: Ioasidd,
                                           opens: bool) -> None:
    """A start finds the node as it was left, and puts it right."""
    type1.prepare("EDU0")
    path = node(type1, "EDU0")
    lease = offer(type1, "EDU0")
    holder = child(type1, claim, type1.socket, lease)
    holder.heard()
    assert may_open(path, USER)
    type1.kill()
    if opens:
        holder.pipe.send("open it")
        holder.heard()
    holder.kill()
    assert may_open(path, USER)
    type1.start(*type1.options)
    ended(type1, lease, "EDU0")


@pytest.mark.cell("restart")
def test_start_finds_that_the_holder_has_opened(type1: Ioasidd) -> None:
    """It was opened while nobody listened."""
    type1.prepare("EDU0")
    path = node(type1, "EDU0")
    before = picture(path)
    lease = offer(type1, "EDU0")
    holder = child(type1, claim, type1.socket, lease)
    holder.heard()
    type1.kill()
    holder.pipe.send("open it")
    holder.heard()
    assert may_open(path, USER)
    type1.start(*type1.options)
    closed(type1, lease, before)
    holder.kill()
    ended(type1, lease, "EDU0")


def claim_or_not(pipe: Connection, path: Path, lease: str,
                 opens: bool) -> str:
    """Claim a lease of nodes; "cut" if ioasidd did not live to answer."""
    try:
        return claim(pipe, path, lease, opens=opens)
    except (AssertionError, ConnectionError):
        return "cut"


def hold_up(daemon: Ioasidd, done: bool) -> None:
    """From now on it is killed when it is about to change a list, or stands still
    when it has."""
    tracer = daemon.run("strace", "-f", "-p", str(daemon.pid), "-e",
                        "trace=setxattr", "-e", "inject=setxattr:" +
                        ("delay_exit=20s" if done else "signal=KILL"))
    tracer.wait_for("attached")


@pytest.mark.parametrize("done", [False, True])
@pytest.mark.parametrize("opens", [False, True])
def test_kill_in_the_middle_of_a_change(type1: Ioasidd, opens: bool,
                                        done: bool) -> None:
    """When the list is about to be changed, or has been; in a claim, or when the
    holder has opened the node.

    A claim that was half done is a claim: the holder may have its answer.
    """
    type1.prepare("EDU0")
    path = node(type1, "EDU0")
    before = picture(path)
    lease = offer(type1, "EDU0")
    if not opens:
        hold_up(type1, done)
    holder = child(type1, claim_or_not, type1.socket, lease, opens)
    if opens:
        assert holder.heard() == "claimed"
        hold_up(type1, done)
        holder.pipe.send("open it")
        assert holder.heard() == path
    if done:
        wait(lambda: may_open(path, USER) != opens, 30, "it is done")
    else:
        wait(lambda: not type1.running(), 30, "it is killed")
        assert may_open(path, USER) == opens
    type1.kill()
    type1.start(*type1.options)
    assert type1.lease(lease)["state"] == "HELD"
    if opens:
        closed(type1, lease, before)
    else:
        assert holder.heard() == "cut"
        wait(lambda: may_open(path, USER), 30, "the holder may open it")
    holder.kill()
    ended(type1, lease, "EDU0")


# --- what does not go together ------------------------------------------------

@with_iommufd
def test_descriptors_and_nodes_do_not_go_together(ioasidd: Ioasidd) -> None:
    """On a host with iommufd there are no nodes to ask for."""
    ioasidd.prepare("EDU0")
    assert ioasidd.refused("lease", "create", "--shared-uid",
                           ioasidd.bdf("EDU0")).id == "lease.nodes"
    lease = offer(ioasidd, "EDU0")
    assert not ioasidd.lease(lease)["nodes"]
    holder = child(ioasidd, claim, ioasidd.socket, lease, True)
    with pytest.raises(Refused) as refusal:
        holder.heard()
    assert refusal.value.id == "lease.nodes"
    assert ioasidd.lease(lease)["state"] == "OFFERED"


def test_shared_uid_is_for_transfer(type1: Ioasidd) -> None:
    """Of other modes the holder gets descriptors, on every host."""
    type1.prepare("EDU0")
    assert type1.refused("lease", "create", "--shared-uid", "--mode", "hold",
                         type1.bdf("EDU0")).id == "lease.mode"
