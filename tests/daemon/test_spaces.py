# SPDX-License-Identifier: Apache-2.0
"""Spaces of hold leases, on the simulated machine."""

import contextlib
import ctypes
import json
import multiprocessing
import os
import random
import shutil
import signal
import socket
import sqlite3
import subprocess
import threading
import time

import pytest
from ioasid.v1 import envelope_pb2, lease_pb2

from daemon import NOBODY, Client, Refused, child, open_folder
from machine import MACHINES, wait
from manager import Manager

EDU, OTHER, NVME = ("devices/pci-0000-01-00.0", "devices/pci-0000-02-00.0",
                    "devices/pci-0000-03-00.0")
GIB = 1 << 30
KILLS = 40 if "IOASID_LONG" in os.environ else 8
SEED = int(os.environ.get("IOASID_SEED", time.time_ns() % 10 ** 6))


@pytest.fixture
def ready(sim):
    """A machine with two devices to lease."""
    for name in ("0000:01:00.0", "0000:02:00.0"):
        sim.ctl("prepare", name)
    return sim


@pytest.fixture
def client(ready):
    with ready.connect() as one:
        yield one


def offer(*spaces, **fields):
    """A request for a hold lease of both devices."""
    return {"devices": [EDU, OTHER], "mode": "HOLD", "claimant": {"uid": 0},
            "memlock_bytes": 1 << 30, "spaces": spaces, **fields}


PR_SET_PDEATHSIG = 1
SYS_PIDFD_GETFD = 438


class Holder:
    """A process that has claimed a lease, and has its descriptors."""

    def __init__(self, path, lease, uid=NOBODY, token=""):
        self.said, write_end = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.setresgid(uid, uid, uid)
                os.setresuid(uid, uid, uid)
                # Not longer than a test that has failed.
                ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
                self.fds = self.claim(path, lease, token)
                os.write(write_end, b"%d" % len(self.fds))
                signal.pause()
            finally:
                os._exit(1)
        os.close(write_end)
        self.n_fds = int(os.read(self.said, 16) or b"0")

    @staticmethod
    def claim(path, lease, token):
        """What came with the lease."""
        client = Client(path)
        client.send("Leases/ClaimLease", lease_pb2.ClaimLeaseRequest(
            name=lease, token=token).SerializeToString())
        data, fds, _, _ = socket.recv_fds(client.sock, 1 << 19, 65)
        answer = envelope_pb2.Envelope.FromString(data)
        assert answer.WhichOneof("body") == "reply", answer
        return fds

    def kill(self):
        """It has ended."""
        os.close(self.said)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


def ranges(space):
    return [(one.start, one.last) for one in space.windows]


def on(space):
    return [one.device for one in space.attachments]


def test_a_hold_lease_is_made_with_its_spaces(client):
    lease = client.call("Leases/CreateLease", **offer(
        {"windows": [{"size": 2 * GIB, "start": 0}],
         "devices": [EDU], "labels": {"for": "ram"}},
        {"windows": [{"size": GIB}], "devices": [OTHER]}))
    assert lease.kept and len(lease.device_ids) == 2
    first, second = lease.spaces
    assert ranges(first) == [(0, 2 * GIB - 1)]
    assert on(first) == [EDU] and on(second) == [OTHER]
    assert first.kernel_id and second.kernel_id != first.kernel_id
    assert dict(first.labels) == {"for": "ram"}
    assert first.lease == lease.name and first.iova_ranges
    assert first.iova_alignment == 4096
    listed = client.call("Spaces/ListSpaces", lease=lease.name).spaces
    assert {one.name for one in listed} == {first.name, second.name}
    assert client.call("Spaces/GetSpace", name=first.name) == first
    states = {one.name: one.state for one in
              client.call("Devices/ListDevices").devices}
    assert states[EDU] == states[OTHER]
    client.call("Leases/ReleaseLease", name=lease.name)
    assert not client.call("Spaces/ListSpaces").spaces


@pytest.mark.parametrize("fields,error", [
    ({"mode": "TRANSFER"}, "lease.mode"),
    ({"mode": "TRANSFER", "spaces": [], "grace_ms": 5}, "lease.mode"),
    ({"grace_ms": 600001}, "request.invalid"),
    ({"spaces": [{}] * 17}, "limit.spaces"),
    ({"spaces": [{"devices": [NVME]}]}, "lease.devices"),
    ({"spaces": [{"devices": ["nonsense"]}]}, "request.invalid"),
    ({"spaces": [{"devices": [EDU]}, {"devices": [EDU]}]}, "lease.devices"),
    ({"spaces": [{"windows": [{"size": 4096}] * 65}]}, "window.invalid"),
    ({"spaces": [{"windows": [{}]}]}, "window.invalid"),
    ({"spaces": [{"windows": [{"size": 5}]}]}, "window.invalid"),
    ({"spaces": [{"windows": [{"size": 4096, "start": 2 ** 64 - 4096},
                              {"size": 8192, "start": 2 ** 64 - 8192}]}]},
     "window.invalid"),
    ({"spaces": [{"devices": [EDU], "windows": [
        {"size": 1 << 40, "start": 1 << 59}]}]}, "window.unavailable"),
    ({"spaces": [{"labels": {"": "x"}}]}, "request.invalid"),
    ({"spaces": [{"labels": {str(i): "" for i in range(17)}}]},
     "request.invalid"),
], ids=str)
def test_what_cannot_be_is_refused_and_nothing_is_made(client, fields, error):
    before = client.call("Leases/ListLeases", all=True)
    what = {**offer({}), **fields}
    assert client.refusal("Leases/CreateLease", **what) == error
    assert client.call("Leases/ListLeases", all=True) == before
    assert client.refusal("Leases/CreateLease", **what, dry_run=True) == error


def test_a_dry_run_says_what_there_would_be(client):
    before = client.call("Leases/ListLeases", all=True)
    dry = client.call("Leases/CreateLease", **offer(
        {"windows": [{"size": GIB}], "devices": [EDU]}, dry_run=True))
    assert not dry.name and not dry.kept and dry.grace_ms == 10000
    assert not dry.spaces[0].name and not dry.spaces[0].kernel_id
    assert ranges(dry.spaces[0]) == [(0, GIB - 1)]
    assert client.call("Leases/ListLeases", all=True) == before


def test_spaces_are_changed_or_stay_as_they_were(client):
    lease = client.call("Leases/CreateLease", **offer({"devices": [EDU]}, {}))
    first, second = lease.spaces

    def now():
        found = client.call("Leases/GetLease", name=lease.name)
        return [(on(one), ranges(one)) for one in found.spaces]

    before = now()
    for method, fields, error in [
            ("AttachDevice", {"device": NVME}, "lease.devices"),
            ("DetachDevice", {"device": OTHER}, "space.not-attached"),
            ("DeleteSpace", {}, "space.in-use"),
            ("SetWindows", {"windows": [{"size": 1 << 62}]},
             "window.unavailable"),
            ("SetWindows", {"windows": [{"size": 4096, "start": 0xfee00000}]},
             "window.unavailable"),
            ("AttachDevice", {"device": OTHER, "etag": "no"},
             "request.etag-mismatch")]:
        assert client.refusal(f"Spaces/{method}", name=first.name,
                              **fields) == error
    for method, fields in [
            ("AttachDevice", {"device": OTHER}), ("DetachDevice",
                                                  {"device": EDU}),
            ("SetWindows", {"windows": [{"size": 4096}]})]:
        client.call(f"Spaces/{method}", name=first.name, dry_run=True,
                    **fields)
    client.call("Spaces/DeleteSpace", name=second.name, dry_run=True)
    assert now() == before
    client.call("Spaces/SetWindows", name=second.name,
                windows=[{"size": GIB, "start": 1 << 38}])
    assert client.call("Spaces/AttachDevice", name=second.name,
                       device=EDU).lease == lease.name
    assert now() == [([], []), ([EDU], [(1 << 38, (1 << 38) + GIB - 1)])]
    # What it promises already stands against a device.
    gone = client.call("Spaces/DeleteSpace", name=first.name)
    assert gone.name == first.name
    assert client.refusal("Spaces/GetSpace", name=first.name) == \
        "space.not-found"
    assert client.refusal("Spaces/DeleteSpace", name=first.name) == \
        "space.not-found"


@pytest.fixture
def mixed(make_machine, tmp_path):
    """Two edu behind two IOMMUs: one translates 48 bits, the other 39."""
    machine = json.loads((MACHINES / "testbed.json").read_text())
    unit, = machine["iommus"]
    machine["iommus"].append({**unit, "name": "dmar1", "aperture": {
        "start": "0x0", "last": "0x7fffffffff"}})
    for device in machine["devices"]:
        if device["bdf"] == "0000:02:00.0":
            device["iommu"] = "dmar1"
    (tmp_path / "mixed.json").write_text(json.dumps(machine))
    one = make_machine(tmp_path / "mixed")
    one.start()
    for bdf in ("0000:01:00.0", "0000:02:00.0"):
        one.ctl("prepare", bdf)
    with one.connect() as conn:
        yield conn


def test_devices_of_two_apertures_share_what_both_have(mixed):
    """On a live space: whose aperture is in the way is said, and is out of it
    when that device has left."""
    high = {"size": GIB, "start": 1 << 40}
    low = {"size": GIB, "start": 0}
    lease = mixed.call("Leases/CreateLease", **offer(
        {"devices": [EDU], "windows": [low, high]}, {}))
    space, alone = lease.spaces[0].name, lease.spaces[0].iova_ranges

    def refused(method, **fields):
        with pytest.raises(Refused) as refusal:
            mixed.call(f"Spaces/{method}", name=space, **fields)
        assert refusal.value.id == "window.unavailable"
        return [(one.name, one.detail) for one in refusal.value.error.causes]

    in_the_way = [(OTHER, "its aperture is 0x0-0x7fffffffff")]
    assert refused("AttachDevice", device=OTHER) == in_the_way
    mixed.call("Spaces/SetWindows", name=space, windows=[low])
    mixed.call("Spaces/AttachDevice", name=space, device=OTHER)
    now = mixed.call("Spaces/GetSpace", name=space)
    assert on(now) == [EDU, OTHER]
    assert now.iova_ranges[-1].last == 0x7fffffffff
    assert refused("SetWindows", windows=[low, high]) == in_the_way
    assert ranges(mixed.call("Spaces/GetSpace", name=space)) == [(0, GIB - 1)]
    mixed.call("Spaces/DetachDevice", name=space, device=OTHER)
    now = mixed.call("Spaces/SetWindows", name=space, windows=[high])
    assert ranges(now) == [(1 << 40, (1 << 40) + GIB - 1)]
    assert now.iova_ranges == alone


def test_a_space_is_made_once_for_one_request_id(client):
    lease = client.call("Leases/CreateLease", **offer())
    what = {"lease": lease.name, "request_id": "one", "space": {
        "labels": {"a": "1", "b": "2"}, "windows": [{"size": GIB}]}}
    first = client.call("Spaces/CreateSpace", **what)
    what["space"]["labels"] = {"b": "2", "a": "1"}
    assert client.call("Spaces/CreateSpace", **what).name == first.name
    # The etag that it was made with is not the lease's any more.
    assert client.call("Spaces/CreateSpace", **what,
                       etag=lease.etag).name == first.name
    what["space"]["windows"] = [{"size": 2 * GIB}]
    assert client.refusal("Spaces/CreateSpace", **what) == "request.id-reused"
    for _ in range(15):
        client.call("Spaces/CreateSpace", lease=lease.name)
    assert client.refusal("Spaces/CreateSpace", lease=lease.name) == \
        "limit.spaces"


def test_spaces_of_a_transfer_lease_are_its_holders(client):
    lease = client.call("Leases/CreateLease", devices=[EDU],
                        claimant={"uid": 0}, memlock_bytes=4096)
    assert client.refusal("Spaces/CreateSpace", lease=lease.name) == \
        "space.mode"


def test_strangers_neither_see_nor_change_spaces(ready):
    with ready.connect() as client:
        lease = client.call("Leases/CreateLease", **offer({}))
        name = lease.spaces[0].name
    assert child(ask_all, ready.socket, lease.name, name) == ["space.not-found"] * 5 + \
        ["lease.not-found", 0]


def ask_all(path, lease, space):
    """What a stranger is told."""
    with Client(path) as client:
        return [client.refusal(f"Spaces/{method}", name=space, **fields)
                for method, fields in (
                    ("GetSpace", {}), ("DeleteSpace", {}),
                    ("SetWindows", {}), ("AttachDevice", {"device": EDU}),
                    ("DetachDevice", {"device": EDU}))] + [
            client.refusal("Spaces/CreateSpace", lease=lease),
            len(client.call("Spaces/ListSpaces").spaces)]


# --- grace ---

def held_and_left(machine, **fields):
    """A lease whose holder has ended; it is offered again."""
    with machine.connect() as client:
        lease = client.call("Leases/CreateLease", **offer(
            {"devices": [EDU]}, **fields))
    holder = Holder(machine.socket, lease.name)
    holder.kill()
    wait(lambda: machine.lease(lease.name)["state"] == "OFFERED", "offered")
    return lease


def test_of_two_successors_one_has_it(ready):
    lease = held_and_left(ready, claimant={"uid": NOBODY}, grace_ms=600000)
    both = multiprocessing.Barrier(2)

    def claim():
        with Client(ready.socket) as client:
            both.wait(30)
            client.send("Leases/ClaimLease", lease_pb2.ClaimLeaseRequest(
                name=lease.name).SerializeToString())
            data, fds, _, _ = socket.recv_fds(client.sock, 1 << 19, 65)
            answer = envelope_pb2.Envelope.FromString(data)
            # One that ends leaves the lease to the other.
            both.wait(30)
            return answer.error.id or len(fds)

    answers = []
    threads = [threading.Thread(target=lambda: answers.append(child(claim)))
               for _ in range(2)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(answers, key=str) == [3, "lease.state"]
    wait(lambda: ready.lease(lease.name)["state"] == "OFFERED", "offered")
    with ready.connect() as client:
        client.call("Leases/ReleaseLease", name=lease.name)


def test_a_token_is_no_more_than_one_holders(ready):
    """In grace nobody can claim with it; its maker gives another one."""
    with ready.connect() as client:
        lease = client.call("Leases/CreateLease", **{
            **offer({"devices": [EDU]}, with_token=True, grace_ms=600000),
            "claimant": None})
        holder = Holder(ready.socket, lease.name, token=lease.claim_token)
        assert holder.n_fds == 3
        holder.kill()
        wait(lambda: ready.lease(lease.name)["state"] == "OFFERED",
             "offered")
        for token in (lease.claim_token, ""):
            assert client.refusal("Leases/ClaimLease", name=lease.name,
                                  token=token) == "lease.not-claimant"
        again = client.call("Leases/ReissueToken", name=lease.name)
        successor = Holder(ready.socket, lease.name, token=again.claim_token)
        assert successor.n_fds == 3
        successor.kill()
        wait(lambda: ready.lease(lease.name)["state"] == "OFFERED",
             "offered")
        client.call("Leases/ReleaseLease", name=lease.name)
    assert ready.device("0000:01:00.0")["state"] == "READY"


def test_grace_is_over_some_time(ready):
    """Also while somebody changes its spaces all the time."""
    lease = held_and_left(ready, claimant={"uid": NOBODY}, grace_ms=1500)
    with ready.connect() as client:
        while True:
            said = client.refusal("Spaces/CreateSpace", lease=lease.name)
            if said not in ("ok", "limit.spaces"):
                break
    assert said in ("lease.state", "device.busy"), said
    ready.wait_ended(lease.name)
    ended = ready.lease(lease.name)
    assert not ended.get("kept") and not ended.get("deviceIds")
    assert not any(one.get("kernelId") for one in ended["spaces"])


# --- over a restart ---

def test_an_offer_is_made_again(ready):
    """Nobody has had it: the same spaces, of other numbers maybe."""
    with ready.connect() as client:
        lease = client.call("Leases/CreateLease", **offer(
            {"windows": [{"size": GIB}], "devices": [EDU]}))
    ready.kill()
    ready.start()
    with ready.connect() as client:
        again = client.call("Leases/GetLease", name=lease.name)
        assert again.kept and again.device_ids
        assert [ranges(one) for one in again.spaces] == \
            [[(0, GIB - 1)]]
        assert on(again.spaces[0]) == [EDU]
        client.call("Spaces/AttachDevice", name=again.spaces[0].name,
                    device=OTHER)
        client.call("Leases/ReleaseLease", name=lease.name)
    ready.ctl("restore", "0000:01:00.0")


def copies(daemon):
    """What a process has open, but for its socket and who is connected there: as
    a child has it that was just made."""
    libc = ctypes.CDLL(None, use_errno=True)
    process = os.pidfd_open(daemon.process.pid)
    found = []
    for number in os.listdir(f"/proc/{daemon.process.pid}/fd"):
        fd = libc.syscall(SYS_PIDFD_GETFD, process, int(number), 0)
        # It may have gone since.
        if fd < 0:
            continue
        found.append(fd)
        with contextlib.suppress(OSError), socket.socket(
                fileno=os.dup(fd)) as one:
            if one.getsockname() == str(daemon.socket):
                os.close(found.pop())
    os.close(process)
    return found


def test_an_offer_is_made_again_when_a_killed_ones_child_has_ended(ready):
    """Which has its devices until it has closed them."""
    with ready.connect() as client:
        lease = client.call("Leases/CreateLease", **offer({"devices": [EDU]}))
    left = copies(ready)
    assert left, "nothing is kept open"
    ready.kill()
    closer = threading.Timer(0.5, lambda: [os.close(fd) for fd in left])
    closer.start()
    ready.start()
    closer.join()
    with ready.connect() as client:
        again = client.call("Leases/GetLease", name=lease.name)
        assert again.kept and again.state == lease_pb2.Lease.OFFERED
        client.call("Leases/ReleaseLease", name=lease.name)


def test_a_holder_goes_on_alone_without_a_manager(ready):
    """Nobody can follow it, and its devices are made safe when it ends."""
    with ready.connect() as client:
        lease = client.call("Leases/CreateLease", **offer(
            {"devices": [EDU]}, claimant={"uid": NOBODY}))
    holder = Holder(ready.socket, lease.name)
    ready.kill()
    ready.start()
    with ready.connect() as client:
        now = client.call("Leases/GetLease", name=lease.name)
        assert not now.kept and list(now.device_ids) == list(lease.device_ids)
        assert client.refusal("Spaces/CreateSpace", lease=lease.name) == \
            "context.lost"
        holder.kill()
        ready.wait_ended(lease.name)
    assert ready.device("0000:01:00.0")["state"] == "READY"


@pytest.fixture
def manager(ready):
    """A service manager that keeps descriptors."""
    folder = open_folder()
    one = Manager(folder)
    ready.stop()
    ready.manager = one
    ready.start()
    yield one
    ready.stop()
    one.end()
    shutil.rmtree(folder)


def test_a_manager_keeps_a_lease_over_a_kill(ready, manager):
    """Its spaces can be changed, and it is offered again."""
    with ready.connect() as client:
        lease = client.call("Leases/CreateLease", **offer(
            {"devices": [EDU]}, claimant={"uid": NOBODY}))
    assert len(manager.kept) == 3
    holder = Holder(ready.socket, lease.name)
    # It may have the descriptors before that is recorded.
    wait(lambda: ready.lease(lease.name)["state"] == "HELD", "held")
    before = ready.lease(lease.name)
    ready.kill()
    ready.start()
    assert ready.lease(lease.name) == before
    with ready.connect() as client:
        client.call("Spaces/AttachDevice", name=lease.spaces[0].name,
                    device=OTHER)
        holder.kill()
        wait(lambda: ready.lease(lease.name)["state"] == "OFFERED", "offered")
        ready.kill()
        ready.start()
        assert ready.lease(lease.name)["kept"]
    with ready.connect() as client:
        client.call("Leases/ReleaseLease", name=lease.name)
    assert not manager.kept
    assert ready.device("0000:01:00.0")["state"] == "READY"


def test_what_a_manager_has_lost_is_no_context(ready, manager):
    """All of it, or nothing; nor is what nobody knows."""
    with ready.connect() as client:
        lease = client.call("Leases/CreateLease", **offer({"devices": [EDU]}))
    ready.kill()
    name = next(name for name in manager.kept if name.startswith("cdev"))
    os.close(manager.kept.pop(name))
    manager.kept["iommufd-unknown"] = os.open("/dev/null", os.O_RDWR)
    ready.start()
    # It was an offer that nobody has had, and is made again.
    assert ready.lease(lease.name)["kept"]
    assert "is not whole" in ready.words()
    wait(lambda: len(manager.kept) == 3 and
         "iommufd-unknown" not in manager.kept, "what is kept")


def test_a_manager_that_is_full_keeps_no_half(ready, manager):
    manager.room = 2
    ready.stop()
    ready.start()
    with ready.connect() as client:
        client.call("Leases/CreateLease", **offer())
    assert not manager.kept
    assert "and no more" in ready.words()


def test_a_damaged_row_of_a_space_is_told(ready):
    """With its table and column."""
    with ready.connect() as client:
        client.call("Leases/CreateLease", **offer(
            {"windows": [{"size": GIB}], "devices": [EDU]}))
    ready.kill()
    with sqlite3.connect(ready.state / "state.db") as db:
        db.execute("UPDATE space_window SET last = zeroblob(8), "
                   "start = x'0000000000001000'")
    db.close()
    said = subprocess.run(ready.command(), capture_output=True, text=True,
                          timeout=60, check=False).stderr
    assert "space_window" in said and "before the start" in said


# --- kills ---

class Changer(threading.Thread):
    """Changes a lease's spaces until the daemon is gone."""

    def __init__(self, path, lease, chance):
        super().__init__()
        self.path, self.lease, self.chance = path, lease, chance
        self.names = {one.name for one in lease.spaces}
        self.changes = 0

    def run(self):
        with contextlib.suppress(OSError, AssertionError), \
                Client(self.path) as client:
            while True:
                with contextlib.suppress(Refused):
                    self.change(client)
                    self.changes += 1

    def change(self, client):
        """One, of what there is."""
        space = self.chance.choice(sorted(self.names) or ["spaces/none"])
        device = self.chance.choice((EDU, OTHER))
        method, fields = self.chance.choice((
            ("CreateSpace", {"lease": self.lease.name, "space": {
                "windows": [{"size": GIB}], "devices": [device]}}),
            ("DeleteSpace", {"name": space}),
            ("SetWindows", {"name": space, "windows": [{"size": 4096}]}),
            ("AttachDevice", {"name": space, "device": device}),
            ("DetachDevice", {"name": space, "device": device})))
        made = client.call(f"Spaces/{method}", **fields)
        if method == "CreateSpace":
            self.names.add(made.name)
        if method == "DeleteSpace":
            self.names.remove(made.name)


def nobody_listens(path):
    """A killed one's child has its socket until it is executed."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as one:
        return one.connect_ex(str(path)) != 0


@pytest.mark.parametrize("kept", [False, True], ids=["alone", "with a manager"])
def test_a_kill_leaves_no_half_change(ready, request, kept):
    """What was answered is there; of the change under way all or nothing."""
    kept = request.getfixturevalue("manager") if kept else None
    chance = random.Random(SEED)
    with ready.connect() as client:
        lease = client.call("Leases/CreateLease", **offer({}, {}))
    changes = 0
    for _ in range(KILLS):
        changer = Changer(ready.socket, lease, chance)
        changer.start()
        time.sleep(0.05 + 0.1 * chance.random())
        ready.kill()
        changer.join()
        changes += changer.changes
        wait(lambda: nobody_listens(ready.socket), "nobody listens")
        ready.start()
        with ready.connect() as client:
            lease = client.call("Leases/GetLease", name=lease.name)
        assert lease.kept and lease.state == lease_pb2.Lease.OFFERED, SEED
        names = {one.name for one in lease.spaces}
        assert len(names ^ changer.names) <= 1, SEED
        attached = [device for one in lease.spaces for device in on(one)]
        assert len(attached) == len(set(attached)), SEED
        if kept:
            assert len(kept.kept) == 3, SEED
    assert changes > KILLS, "nothing was changed"
    with ready.connect() as client:
        client.call("Leases/ReleaseLease", name=lease.name)
    assert ready.device("0000:01:00.0")["state"] == "READY"
    assert not kept or not kept.kept
