# SPDX-License-Identifier: Apache-2.0
"""The table: what is asked, in order, and what the answer must be.

Each row is one call. Between them things are done to the machine. A method of
the contract that has no row fails the test that tells this table.
"""

from collections.abc import Callable
from typing import NamedTuple

from google.protobuf.timestamp_pb2 import Timestamp

# OTHER is root, too, but another process.
NOBODY, OPERATOR, OTHER = 65534, 60001, 100000

# Beside root, who may do everything: an operator of one device, who may lease
# it to nobody, and to whoever has a token.
POLICY = """
[grant operators]
uid = 60001
role = operator
devices = 0000:01:00.0
address = uid:60001, uid:65534, token
"""

EDU, OTHER_EDU, NVME = "0000:01:00.0", "0000:02:00.0", "0000:03:00.0"
OTHER_NVME, TWIN, BRIDGE = "0000:04:00.0", "0000:05:00.0", "0000:00:08.0"
NO_CARD = "0000:ff:00.0"
ULID = "01arz3ndektsv4rrffq69g5fav"


def name(bdf: str) -> str:
    """The resource name of a device."""
    return "devices/pci-" + bdf.replace(":", "-")


class Row(NamedTuple):
    """One call, or something that is done meanwhile."""

    # "Devices/GetDevice"; empty: something is done.
    method: str
    # Fields of the request; "{word}" in a value is what was kept under it.
    fields: dict[str, object] = {}
    # The error's id, or "ok".
    answer: str = "ok"
    # Keep the reply under this word: "{word}" is its name, "{word.etag}" and
    # the like its fields.
    keep: str = ""
    # Who asks.
    uid: int = 0
    # What the native socket says instead, with the reason in why.
    native: str = ""
    # Fields of the reply that depend on how far a worker has come.
    races: bool = False
    # Surfaces that cannot carry the request, or that say something else.
    but: dict[str, str] = {}
    # Why some say something else.
    why: str = ""
    # What is done, to each machine: with the story of that surface.
    act: Callable[[object], None] | None = None


def do(what: str, act: Callable[[object], None]) -> Row:
    """Something that is done between calls."""
    return Row("", {"what": what}, act=act)


def poke(words: str) -> Row:
    """Something that is done to the simulated machine."""
    return do(f"poke {words}", lambda told: told.machine.poke(words))


ADMIN = "an administrator's business, which the ceiling keeps from clients " \
    "of ioasid-api"
FDS = "descriptors never go through ioasid-api"
ADDRESS = "through ioasid-api leases are addressed to oneself and to whom " \
    "the policy lists"
PATH = "in a path that is no name of the collection there is no such resource"

REST = ("rest", "rest, headers and query")


def nowhere(row: Row) -> Row:
    """A name that no route has: over REST there is nothing at that path."""
    return row._replace(but={surface: "request.unknown-method"
                             for surface in REST}, why=PATH)


def prepared(bdf: str, word: str, **more: object) -> list[Row]:
    """Prepare a device, to its end."""
    return [Row("Devices/PrepareDevice", {"name": name(bdf), **more},
                keep=word, races=True),
            Row("Operations/WaitOperation", {"name": "{%s}" % word},
                keep=word)]


READS = [
    Row("Host/GetVersion"),
    Row("Devices/ListDevices"),
    Row("Devices/ListDevices", {"all": True}),
    Row("Devices/ListDevices", {"page_size": 3}, keep="page"),
    Row("Devices/ListDevices", {
        "page_size": 3, "page_token": "{page.next_page_token}"}),
    Row("Devices/ListDevices", {"page_token": "bad"}, "list.bad-token"),
    Row("Devices/ListDevices", {"page_size": 1001}, "request.invalid"),
    Row("Devices/ListDevices", {"state": "HOST"}),
    Row("Devices/ListDevices", {"state": "READY"}),
    Row("Devices/ListDevices", {"driver": "nvme"}),
    Row("Devices/ListDevices", {"driver": "none"}),
    Row("Devices/ListDevices", {"id": "1234:11e8"}),
    Row("Devices/ListDevices", {"id": "1234"}, "request.invalid"),
    Row("Devices/ListDevices", {"group": "groups/pci-0000-05-00.0"}),
    Row("Devices/ListDevices", {"group": "no"}, "request.invalid"),
    Row("Devices/ListDevices", {"numa_node": -1}),
    Row("Devices/ListDevices", {"numa_node": 0}),
    Row("Devices/GetDevice", {"name": name(EDU)}),
    Row("Devices/GetDevice", {"name": name(NO_CARD)}, "device.not-found"),
    Row("Devices/GetDevice", {"name": "devices/x y\u00e9%"},
        "request.invalid"),
    nowhere(Row("Devices/GetDevice", {"name": "things/x"},
                "request.invalid")),
    nowhere(Row("Devices/GetDevice", {}, "request.invalid")),
    Row("Groups/ListGroups"),
    Row("Groups/ListGroups", {"page_size": 2}, keep="page"),
    Row("Groups/ListGroups", {
        "page_size": 2, "page_token": "{page.next_page_token}"}),
    Row("Groups/ListGroups", {"page_token": "devices/x"}, "list.bad-token"),
    Row("Groups/GetGroup", {"name": "groups/pci-0000-05-00.0"}),
    Row("Groups/GetGroup", {"name": "groups/pci-0000-ff-00.0"},
        "group.not-found"),
    Row("Groups/GetGroup", {"name": "groups/A"}, "request.invalid"),
    Row("Iommus/ListIommus"),
    Row("Iommus/ListIommus", {"page_token": "x"}, "list.bad-token"),
    Row("Leases/ListLeases"),
    Row("Leases/ListLeases", {"all": True}),
    Row("Leases/ListLeases", {"state": "ENDED", "page_size": 1}),
    Row("Leases/ListLeases", {"page_token": "x"}, "list.bad-token"),
    Row("Leases/GetLease", {"name": f"leases/{ULID}"}, "lease.not-found"),
    Row("Leases/GetLease", {"name": "leases/X"}, "request.invalid"),
    Row("Operations/ListOperations"),
    Row("Operations/ListOperations", {"state": "DONE", "page_size": 1}),
    Row("Operations/ListOperations", {"page_token": "x"}, "list.bad-token"),
    Row("Operations/GetOperation", {"name": f"operations/{ULID}"},
        "operation.not-found"),
    Row("Operations/GetOperation", {"name": "operations/X"},
        "request.invalid"),
    Row("Events/WatchEvents", {"revision": 2 ** 62}, "watch.expired"),
    Row("Events/WatchEvents", {"collections": ["things"]},
        "request.invalid"),
]

PREPARE = [
    Row("Devices/PrepareDevice", {"name": name(EDU), "dry_run": True}),
    Row("Devices/PrepareDevice", {"name": name(EDU), "etag": "other"},
        "request.etag-mismatch"),
    Row("Devices/PrepareDevice", {"name": name(EDU), "driver": "../x"},
        "request.invalid"),
    Row("Devices/PrepareDevice", {"name": name(EDU), "request_id": "x" * 65},
        "request.invalid"),
    Row("Devices/PrepareDevice", {"name": name(NO_CARD)}, "device.not-found"),
    nowhere(Row("Devices/PrepareDevice", {"name": "x"}, "request.invalid")),
    Row("Devices/PrepareDevice", {"name": name(BRIDGE)}, "device.bridge"),
    Row("Devices/PrepareDevice", {"name": name(TWIN)}, "device.no-reset"),
    poke(f"users {NVME} mount /data of it"),
    Row("Devices/PrepareDevice", {"name": name(NVME), "dry_run": True},
        "device.in-use"),
    Row("Devices/PrepareDevice", {"name": name(NVME)}, "device.in-use"),
    Row("Devices/PrepareDevice", {
        "name": name(NVME), "force": True, "dry_run": True},
        "permission.native-socket-only", native="ok", why=ADMIN),
    Row("Devices/PrepareDevice", {"name": name(EDU)}, "permission.denied",
        uid=NOBODY),
    Row("Devices/GetDevice", {"name": name(EDU)}, keep="edu"),
    Row("Devices/PrepareDevice", {
        "name": name(EDU), "etag": "{edu.etag}", "request_id": "one"},
        keep="op", races=True),
    Row("Operations/WaitOperation", {"name": "{op}", "timeout_ms": 30000},
        keep="op"),
    Row("Devices/PrepareDevice", {
        "name": name(EDU), "etag": "{edu.etag}", "request_id": "one"}),
    Row("Devices/PrepareDevice", {
        "name": name(EDU), "driver": "vfio-pci", "request_id": "one"},
        "request.id-reused"),
    Row("Devices/PrepareDevice", {
        "name": name(OTHER_EDU), "request_id": "one"}, "request.id-reused"),
    Row("Devices/RestoreDevice", {"name": name(EDU), "request_id": "one"},
        "request.id-reused"),
    Row("Devices/GetDevice", {"name": name(EDU)}),
    Row("Operations/GetOperation", {"name": "{op}"}),
    Row("Operations/GetOperation", {"name": "{op}"}, "operation.not-found",
        uid=NOBODY),
    Row("Operations/WaitOperation", {"name": "{op}", "timeout_ms": 600001},
        "request.invalid"),
    Row("Operations/WaitOperation", {"name": f"operations/{ULID}"},
        "operation.not-found"),
    # What fails on the way is the operation's error.
    *prepared(OTHER_NVME, "failed", driver="nonesuch"),
    Row("Devices/ListDevices", {"driver": "vfio-pci"}),
    # A card that is with VFIO, but not by us.
    poke(f"override {OTHER_NVME} vfio-pci"),
    poke(f"unbind {OTHER_NVME}"),
    poke(f"probe {OTHER_NVME}"),
    do("it is seen", lambda told: told.until_device(OTHER_NVME, "FOREIGN")),
    Row("Devices/PrepareDevice", {"name": name(OTHER_NVME)},
        "device.foreign"),
]



def wish(size: int, **more: object) -> dict[str, object]:
    """A wish for a window."""
    return {"size": size, **more}


# The edu is prepared; its aperture is of 47 bits, with the MSI of x86 in it.
WINDOWS = [
    Row("Windows/PlanWindows"),
    Row("Windows/PlanWindows", {"windows": [
        wish(4096), wish(2 ** 40, start=2 ** 59, purpose="WINDOW_PURPOSE_RAM")
    ]}),
    Row("Windows/PlanWindows", {"devices": [name(EDU)]}),
    Row("Windows/PlanWindows", {"devices": [name(EDU)], "windows": [
        wish(2 ** 31, start=0, page_sizes=0x1000,
             purpose="WINDOW_PURPOSE_DMA32"),
        wish(2 ** 33, start=2 ** 31, around_reserved=True),
        wish(2 ** 21, page_sizes=0x201000)]}),
    Row("Windows/PlanWindows", {"devices": [name(EDU)], "windows": [
        wish(2 ** 32, start=0)]}, "window.unavailable"),
    Row("Windows/PlanWindows", {"devices": [name(EDU)], "windows": [
        wish(2 ** 40, start=2 ** 59)]}, "window.unavailable"),
    Row("Windows/PlanWindows", {"windows": [wish(0)]}, "window.invalid"),
    Row("Windows/PlanWindows", {"windows": [
        wish(8192, start=0), wish(4096, start=4096)]}, "window.invalid"),
    Row("Windows/PlanWindows", {"windows": [wish(4096)] * 65},
        "window.invalid"),
    Row("Windows/PlanWindows", {"devices": [name(EDU)], "windows": [
        *[wish(2 ** 20, start=(i + 8) * 2 ** 32) for i in range(63)],
        wish(2 ** 33, start=0, around_reserved=True)]}, "limit.windows"),
    Row("Windows/PlanWindows", {"devices": [name(OTHER_EDU)]},
        "device.not-ready"),
    Row("Windows/PlanWindows", {"devices": [name(EDU)] * 2},
        "request.invalid"),
    Row("Windows/PlanWindows", {"devices": ["x"]}, "request.invalid"),
    Row("Windows/PlanWindows", {"devices": [name(NO_CARD)]},
        "device.not-found"),
    Row("Windows/PlanWindows", {"devices": [name(EDU)]}, uid=OPERATOR),
    Row("Windows/PlanWindows", {"devices": [name(EDU)]}, "device.not-found",
        uid=NOBODY),
    Row("Windows/PlanWindows", {"windows": [wish(4096)]}, uid=NOBODY),
]

CANCEL = [
    Row("Operations/CancelOperation", {"name": "{op}"},
        "operation.not-running"),
    Row("Operations/CancelOperation", {"name": f"operations/{ULID}"},
        "operation.not-found"),
    Row("Operations/CancelOperation", {"name": "operations/X"},
        "request.invalid"),
    Row("Operations/CancelOperation", {"name": "{op}"},
        "operation.not-found", uid=NOBODY),
    poke(f"delay {OTHER_EDU} bind_ms 3000"),
    Row("Devices/PrepareDevice", {"name": name(OTHER_EDU)}, keep="slow",
        races=True),
    do("its driver takes its time",
       lambda told: told.until_step("slow", "probe")),
    Row("Devices/PrepareDevice", {"name": name(OTHER_EDU)}, "device.busy"),
    Row("Operations/WaitOperation", {"name": "{slow}", "timeout_ms": 1}),
    Row("Operations/GetOperation", {"name": "{slow}"}, keep="slow"),
    Row("Operations/CancelOperation", {"name": "{slow}", "etag": "other"},
        "request.etag-mismatch"),
    Row("Operations/CancelOperation", {
        "name": "{slow}", "etag": "{slow.etag}", "dry_run": True}),
    Row("Operations/CancelOperation", {
        "name": "{slow}", "etag": "{slow.etag}", "request_id": "two"}),
    Row("Operations/CancelOperation", {"name": "{slow}"}),
    Row("Operations/WaitOperation", {"name": "{slow}"}),
    poke(f"delay {OTHER_EDU} bind_ms 0"),
    Row("Devices/GetDevice", {"name": name(OTHER_EDU)}),
    Row("Operations/ListOperations", {"state": "FAILED"}),
]


def offer(**more: object) -> dict[str, object]:
    """A request for a lease of the edu to root."""
    return {"devices": [name(EDU)], "claimant": {"uid": 0}, **more}


LEASE = [
    Row("Leases/CreateLease", offer(dry_run=True)),
    Row("Leases/CreateLease", {"devices": [name(EDU)]}, "request.invalid"),
    Row("Leases/CreateLease", {"claimant": {"uid": 0}}, "lease.devices"),
    Row("Leases/CreateLease", offer(devices=[name(EDU)] * 2),
        "lease.devices"),
    Row("Leases/CreateLease", offer(devices=[name(NO_CARD)]),
        "device.not-found"),
    Row("Leases/CreateLease", offer(devices=["x"]), "request.invalid"),
    Row("Leases/CreateLease", offer(devices=[name(NVME)]),
        "device.not-ready"),
    Row("Leases/CreateLease", offer(claimant={"uid": 0, "pid": -1}),
        "request.invalid"),
    Row("Leases/CreateLease", offer(labels={"": "x"}), "request.invalid"),
    Row("Leases/CreateLease", offer(expires=Timestamp(seconds=1000)),
        "request.invalid"),
    Row("Leases/CreateLease", offer(
        memlock_bytes=4096, memlock_unlimited=True), "lease.memlock"),
    Row("Leases/CreateLease", offer(memlock_bytes=2 ** 62), "limit.pinned"),
    Row("Leases/CreateLease", offer(memlock_unlimited=True, dry_run=True),
        "permission.native-socket-only", native="ok", why=ADMIN),
    # There are nodes on hosts without iommufd only.
    Row("Leases/CreateLease", offer(shared_uid=True, dry_run=True),
        "permission.native-socket-only", native="lease.nodes", why=ADMIN),
    Row("Leases/CreateLease", offer(shared_uid=True, mode="HOLD"),
        "lease.mode"),
    Row("Leases/CreateLease", offer(claimant={"uid": NOBODY}, dry_run=True),
        "permission.denied", native="ok", why=ADDRESS),
    Row("Leases/CreateLease", offer(), "permission.denied", uid=NOBODY),
    Row("Leases/CreateLease", offer(
        labels={"vm": "a \u00e9 \"1\"", "b": ""}, memlock_bytes=2 ** 20,
        mode="TRANSFER", expires=Timestamp(seconds=4102444800, nanos=5000),
        request_id="three"), keep="lease"),
    Row("Leases/CreateLease", offer(
        labels={"b": "", "vm": "a \u00e9 \"1\""}, memlock_bytes=2 ** 20,
        mode="TRANSFER", expires=Timestamp(seconds=4102444800, nanos=5000),
        request_id="three", dry_run=True)),
    Row("Leases/CreateLease", offer(
        labels={"b": ""}, memlock_bytes=2 ** 20,
        mode="TRANSFER", expires=Timestamp(seconds=4102444800, nanos=5000),
        request_id="three"), "request.id-reused"),
    Row("Leases/CreateLease", offer(
        request_id="three", claimant={"uid": 0}, devices=[name(OTHER_EDU)]),
        "request.id-reused"),
    Row("Leases/CreateLease", offer(), "device.not-ready"),
    Row("Devices/PrepareDevice", {"name": name(EDU)}, "device.leased"),
    Row("Devices/RestoreDevice", {"name": name(EDU)}, "device.leased"),
    Row("Leases/GetLease", {"name": "{lease}"}),
    Row("Leases/GetLease", {"name": "{lease}"}, "lease.not-found",
        uid=NOBODY),
    Row("Leases/ListLeases", {"state": "OFFERED"}),
    Row("Leases/ListLeases", {}, uid=NOBODY),
    Row("Leases/AcknowledgeLease", {"name": "{lease}"}, "lease.state"),
    Row("Leases/AcknowledgeLease", {"name": f"leases/{ULID}"},
        "lease.not-found"),
    Row("Leases/AcknowledgeLease", {"name": "leases/X"}, "request.invalid"),
    Row("Leases/ClaimLease", {"name": "{lease}", "dry_run": True},
        "permission.native-socket-only", native="ok", why=FDS),
    Row("Leases/ClaimLease", {"name": "{lease}", "own_nodes": True},
        "permission.native-socket-only", native="lease.nodes", why=FDS),
    Row("Leases/ClaimLease", {"name": f"leases/{ULID}"},
        "permission.native-socket-only", native="lease.not-found", why=FDS),
    Row("Leases/ClaimLease", {"name": "{lease}", "etag": "x"},
        "permission.native-socket-only", native="request.etag-mismatch",
        why=FDS),
    Row("Leases/ReleaseLease", {"name": "{lease}"}, "lease.not-found",
        uid=NOBODY),
    Row("Leases/ReleaseLease", {"name": "{lease}", "etag": "x"},
        "request.etag-mismatch"),
    Row("Leases/ReleaseLease", {"name": "{lease}", "dry_run": True}),
    Row("Leases/ReleaseLease", {"name": f"leases/{ULID}"},
        "lease.not-found"),
    Row("Leases/ReleaseLease", {
        "name": "{lease}", "etag": "{lease.etag}", "request_id": "four"}),
    Row("Leases/ReleaseLease", {"name": "{lease}", "request_id": "four"}),
    # One that is claimed, and whose holder lives.
    Row("Leases/CreateLease", offer(), keep="lease"),
    do("it is claimed", lambda told: told.claim("lease")),
    Row("Leases/AcknowledgeLease", {"name": "{lease}", "dry_run": True}),
    Row("Leases/AcknowledgeLease", {
        "name": "{lease}", "request_id": "five"}),
    Row("Leases/AcknowledgeLease", {"name": "{lease}"},
        "lease.not-claimant", uid=OTHER),
    Row("Leases/ClaimLease", {"name": "{lease}"},
        "permission.native-socket-only", native="lease.state", why=FDS),
    Row("Leases/ReleaseLease", {"name": "{lease}"}, "lease.held"),
    Row("Leases/GetLease", {"name": "{lease}"}),
    Row("Devices/GetDevice", {"name": name(EDU)}),
    do("its holder dies",
       lambda told: told.holder_dies("lease", "READY")),
    Row("Leases/GetLease", {"name": "{lease}"}),
    Row("Devices/GetDevice", {"name": name(EDU)}),
    Row("Leases/AcknowledgeLease", {"name": "{lease}"}, "lease.state"),
    # One that nobody claims in time.
    do("an offer of a second", lambda told: told.offer_briefly(EDU, "brief")),
    Row("Leases/ClaimLease", {"name": "{brief}"},
        "permission.native-socket-only", native="lease.expired", why=FDS),
    Row("Leases/GetLease", {"name": "{brief}"}),
    # One for somebody who may see nothing else.
    do("a lease to nobody", lambda told: told.natively(
        "Leases/CreateLease", offer(claimant={"uid": NOBODY}), "theirs")),
    Row("Leases/ListLeases", {}, uid=NOBODY),
    Row("Devices/ListDevices", {}, uid=NOBODY),
    Row("Devices/GetDevice", {"name": name(EDU)}, uid=NOBODY),
    Row("Devices/GetDevice", {"name": name(NVME)}, "device.not-found",
        uid=NOBODY),
    Row("Groups/ListGroups", {}, "permission.denied", uid=NOBODY),
    Row("Groups/GetGroup", {"name": "groups/pci-0000-01-00.0"},
        "permission.denied", uid=NOBODY),
    Row("Iommus/ListIommus", {}, "permission.denied", uid=NOBODY),
    Row("Host/GetVersion", {}, uid=NOBODY),
    Row("Operations/ListOperations", {}, uid=NOBODY),
    Row("Leases/AcknowledgeLease", {"name": "{theirs}"}, "lease.state",
        uid=NOBODY),
    Row("Leases/ReleaseLease", {"name": "{theirs}"}, uid=NOBODY),
    Row("Leases/GetLease", {"name": "{theirs}"}, uid=NOBODY),
]

SPACES = [
    Row("Spaces/ListSpaces"),
    Row("Spaces/ListSpaces", {"lease": "x"}, "request.invalid"),
    Row("Spaces/ListSpaces", {"page_token": "bad"}, "list.bad-token"),
    Row("Leases/CreateLease", offer(mode="TRANSFER", spaces=[{}]),
        "lease.mode"),
    Row("Leases/CreateLease", offer(grace_ms=5), "lease.mode"),
    Row("Leases/CreateLease", offer(mode="HOLD", grace_ms=600001),
        "request.invalid"),
    Row("Leases/CreateLease", offer(mode="HOLD", spaces=[{}] * 17),
        "limit.spaces"),
    Row("Leases/CreateLease", offer(mode="HOLD", spaces=[
        {"windows": [wish(2 ** 32, start=0)], "devices": [name(EDU)]}]),
        "window.unavailable"),
    Row("Leases/CreateLease", offer(mode="HOLD", spaces=[
        {"devices": [name(NVME)]}]), "lease.devices"),
    Row("Leases/CreateLease", offer(mode="HOLD", dry_run=True, spaces=[
        {"windows": [wish(2 ** 30)], "devices": [name(EDU)]}])),
    Row("Leases/CreateLease", offer(mode="HOLD", grace_ms=2000, spaces=[
        {"windows": [wish(2 ** 30, start=2 ** 32), wish(4096)],
         "devices": [name(EDU)], "labels": {"b": "", "a": "1"}}]),
        keep="hold"),
    Row("Leases/GetLease", {"name": "{hold}"}),
    Row("Spaces/ListSpaces", {"lease": "{hold}"}),
    Row("Spaces/ListSpaces", {}, uid=NOBODY),
    Row("Spaces/CreateSpace", {"lease": "{hold}", "dry_run": True, "space": {
        "windows": [wish(4096)], "devices": [name(EDU)]}}),
    Row("Spaces/CreateSpace", {"lease": "{hold}", "request_id": "space"},
        keep="space"),
    Row("Spaces/CreateSpace", {"lease": "{hold}", "request_id": "space"}),
    Row("Spaces/CreateSpace", {
        "lease": "{hold}", "request_id": "space", "space": {
            "labels": {"x": "y"}}}, "request.id-reused"),
    Row("Spaces/CreateSpace", {"lease": "{hold}", "etag": "x"},
        "request.etag-mismatch"),
    Row("Spaces/CreateSpace", {"lease": f"leases/{ULID}"},
        "lease.not-found"),
    Row("Spaces/CreateSpace", {"lease": "x"}, "request.invalid"),
    Row("Spaces/CreateSpace", {"lease": "{hold}"}, "lease.not-found",
        uid=NOBODY),
    Row("Spaces/GetSpace", {"name": "{space}"}),
    Row("Spaces/GetSpace", {"name": "{space}"}, "space.not-found",
        uid=NOBODY),
    Row("Spaces/GetSpace", {"name": f"spaces/{ULID}"}, "space.not-found"),
    nowhere(Row("Spaces/GetSpace", {"name": "things/x"}, "request.invalid")),
    Row("Spaces/SetWindows", {"name": "{space}", "windows": [
        wish(2 ** 20, start=2 ** 20)]}),
    Row("Spaces/SetWindows", {"name": "{space}", "windows": [wish(5)]},
        "window.invalid"),
    Row("Spaces/SetWindows", {"name": "{space}", "dry_run": True,
                              "windows": []}),
    Row("Spaces/SetWindows", {"name": f"spaces/{ULID}"}, "space.not-found"),
    Row("Spaces/AttachDevice", {"name": "{space}", "device": name(NVME)},
        "lease.devices"),
    Row("Spaces/AttachDevice", {"name": "{space}", "device": "x"},
        "request.invalid"),
    Row("Spaces/AttachDevice", {"name": "{space}", "device": name(EDU),
                                "dry_run": True}),
    Row("Spaces/AttachDevice", {"name": "{space}", "device": name(EDU)}),
    Row("Spaces/DeleteSpace", {"name": "{space}"}, "space.in-use"),
    Row("Spaces/DetachDevice", {"name": "{space}", "device": name(EDU),
                                "etag": "x"}, "request.etag-mismatch"),
    Row("Spaces/DetachDevice", {"name": "{space}", "device": name(EDU)},
        "space.not-found", uid=NOBODY),
    Row("Spaces/DetachDevice", {"name": "{space}", "device": name(EDU)}),
    Row("Spaces/DetachDevice", {"name": "{space}", "device": name(EDU)},
        "space.not-attached"),
    Row("Spaces/DeleteSpace", {"name": "{space}", "dry_run": True}),
    Row("Spaces/DeleteSpace", {"name": "{space}"}),
    Row("Spaces/DeleteSpace", {"name": "{space}"}, "space.not-found"),
    Row("Leases/ReleaseLease", {"name": "{hold}"}),
    Row("Spaces/CreateSpace", {"lease": "{hold}"}, "lease.state"),
    Row("Leases/CreateLease", offer(), keep="lease"),
    Row("Spaces/CreateSpace", {"lease": "{lease}"}, "space.mode"),
    Row("Memory/ListMappings", {"lease": "{lease}"}),
    Row("Memory/UnmapMemory", {"lease": "{lease}"}, "memory.mode"),
    Row("Leases/ReleaseLease", {"name": "{lease}"}),
]

# What is told about memory needs descriptors, and is tests/daemon/test_guarded.py's.
GUARDED = [
    Row("Leases/CreateLease", offer(mode="GUARDED"), "store.absent"),
    Row("Leases/CreateLease", offer(mode="HOLD", volatile=True),
        "lease.mode"),
    Row("Leases/CreateLease", offer(mode="GUARDED", volatile=True, spaces=[
        {"windows": [wish(4096)]}, {"windows": [wish(8192)]}]),
        "space.windows-differ"),
    Row("Leases/CreateLease", offer(
        mode="GUARDED", volatile=True, grace_ms=1, spaces=[
        {"windows": [wish(2 ** 30, start=2 ** 32)],
         "devices": [name(EDU)]}]), keep="guarded"),
    Row("Leases/GetLease", {"name": "{guarded}"}),
    Row("Spaces/CreateSpace", {"lease": "{guarded}"}, "space.windows-differ"),
    Row("PageTables/CreatePageTable", {
        "lease": "{guarded}", "parent": f"spaces/{ULID}",
        "device": name(EDU)}, "space.mode"),
    Row("Memory/CreateMemory", {"lease": "{guarded}", "size": 4096},
        "permission.native-socket-only", native="lease.state", why=FDS),
    Row("Memory/MapMemory", {"lease": "{guarded}"},
        "permission.native-socket-only", native="lease.state", why=FDS),
    Row("Memory/UnmapMemory", {"lease": "{guarded}", "entries": [
        {"space": f"spaces/{ULID}", "length": 4096}]}, "lease.state"),
    Row("Memory/UnmapMemory", {"lease": f"leases/{ULID}"},
        "lease.not-found"),
    Row("Memory/UnmapMemory", {"lease": "x"}, "request.invalid"),
    Row("Memory/ListMappings", {"lease": "{guarded}"}),
    Row("Memory/ListMappings", {"lease": "{guarded}", "page_token": "x"},
        "list.bad-token"),
    Row("Memory/ListMappings", {"lease": "{guarded}", "page_size": 1001},
        "request.invalid"),
    Row("Memory/ListMappings", {"lease": "x"}, "request.invalid"),
    Row("Memory/ListMappings", {"lease": "{guarded}"}, "lease.not-found",
        uid=NOBODY),
    do("it is claimed", lambda told: told.claim("guarded")),
    Row("Memory/UnmapMemory", {"lease": "{guarded}"}, "lease.not-claimant",
        uid=OTHER),
    Row("Memory/CreateMemory", {"lease": "{guarded}", "size": 4096},
        "permission.native-socket-only", native="ok", why=FDS),
    Row("Memory/CreateMemory", {"lease": "{guarded}", "size": 1},
        "permission.native-socket-only", native="memory.range", why=FDS),
    Row("Memory/MapMemory", {"lease": "{guarded}"},
        "permission.native-socket-only", native="ok", why=FDS),
    Row("Memory/MapMemory", {"lease": "{guarded}", "more_entries": True},
        "permission.native-socket-only", native="memory.descriptor",
        why=FDS),
    Row("Memory/UnmapMemory", {"lease": "{guarded}", "entries": [
        {"space": f"spaces/{ULID}", "length": 4096},
        {"space": "x", "iova": 4096}]}),
    Row("Memory/ListMappings", {"lease": "{guarded}"}),
    Row("Leases/GetLease", {"name": "{guarded}"}),
    do("its holder dies",
       lambda told: told.holder_dies("guarded", "READY")),
]


def table(**more: object) -> dict[str, object]:
    """A request for a page table of the lease's space."""
    return {"lease": "{bind}", "parent": "{space}", "device": name(EDU),
            **more}


# The IOMMU of the test machine has PASIDs, but neither nesting nor a record of
# what is written.
PAGE_TABLES = [
    Row("PageTables/ListPageTables"),
    Row("PageTables/ListPageTables", {"lease": "x"}, "request.invalid"),
    Row("PageTables/ListPageTables", {"page_token": "bad"},
        "list.bad-token"),
    Row("Leases/CreateLease", offer(mode="HOLD", grace_ms=2000),
        keep="bind"),
    Row("Spaces/CreateSpace", {"lease": "{bind}", "space": {
        "devices": [name(EDU)]}}, keep="space"),
    Row("PageTables/CreatePageTable", table(pasid=True, dry_run=True)),
    Row("PageTables/CreatePageTable", table(
        pasid=True, labels={"a": "1"}, request_id="table"), keep="table"),
    Row("PageTables/CreatePageTable", table(
        pasid=True, labels={"a": "1"}, request_id="table")),
    Row("PageTables/CreatePageTable", table(request_id="table"),
        "request.id-reused"),
    Row("PageTables/CreatePageTable", table(etag="x"),
        "request.etag-mismatch"),
    Row("PageTables/CreatePageTable", table(nest_parent=True),
        "pagetable.unsupported"),
    Row("PageTables/CreatePageTable", table(dirty_tracking=True),
        "pagetable.unsupported"),
    Row("PageTables/CreatePageTable", table(
        known_type="PAGE_TABLE_TYPE_VTD_S1", data=b"\0" * 24),
        "pagetable.parent"),
    Row("PageTables/CreatePageTable", table(
        known_type="PAGE_TABLE_TYPE_VTD_S1", data=b"\0" * 23),
        "pagetable.invalid"),
    Row("PageTables/CreatePageTable", table(type_number=7, data=b"\0" * 257),
        "pagetable.invalid"),
    Row("PageTables/CreatePageTable", table(type_number=0),
        "request.invalid"),
    Row("PageTables/CreatePageTable", table(device=name(NVME)),
        "lease.devices"),
    Row("PageTables/CreatePageTable", table(parent=f"spaces/{ULID}"),
        "space.not-found"),
    Row("PageTables/CreatePageTable", table(parent="{table}"),
        "pagetable.parent"),
    Row("PageTables/CreatePageTable", table(), "lease.not-found",
        uid=NOBODY),
    Row("PageTables/RegisterPageTable", table(kernel_id=77), "lease.state"),
    Row("PageTables/RegisterPageTable", table(), "request.invalid"),
    Row("PageTables/GetPageTable", {"name": "{table}"}),
    Row("PageTables/GetPageTable", {"name": "{table}"},
        "pagetable.not-found", uid=NOBODY),
    nowhere(Row("PageTables/GetPageTable", {"name": "things/x"},
                "request.invalid")),
    Row("PageTables/ListPageTables", {"lease": "{bind}"}),
    Row("PageTables/ListPageTables", {}, uid=NOBODY),
    Row("PageTables/BindDevice", {"name": "{table}", "device": "x"},
        "request.invalid"),
    Row("PageTables/BindDevice", {"name": "{table}", "device": name(NVME)},
        "lease.devices"),
    Row("PageTables/BindDevice", {"name": "{table}", "device": name(EDU),
                                  "pasid": 5}, "pagetable.unsupported"),
    Row("PageTables/BindDevice", {"name": "{table}", "device": name(EDU),
                                  "dry_run": True}),
    Row("PageTables/BindDevice", {"name": "{table}", "device": name(EDU)}),
    Row("Leases/GetLease", {"name": "{bind}"}),
    Row("Spaces/DeleteSpace", {"name": "{space}"}, "space.in-use"),
    Row("PageTables/DeletePageTable", {"name": "{table}"},
        "pagetable.in-use"),
    Row("PageTables/UnbindDevice", {"name": "{table}", "device": name(EDU),
                                    "pasid": 5}, "pagetable.not-bound"),
    Row("PageTables/UnbindDevice", {"name": "{table}", "device": name(EDU)},
        "pagetable.not-found", uid=NOBODY),
    Row("PageTables/UnbindDevice", {"name": "{table}", "device": name(EDU)}),
    Row("PageTables/InvalidatePageTable", {
        "name": "{table}", "entries": b"\0" * 24, "entry_size": 24},
        "pagetable.invalid"),
    Row("PageTables/InvalidatePageTable", {
        "name": "{table}", "entries": b"\0" * 25, "entry_size": 24},
        "request.invalid"),
    Row("PageTables/SetDirtyTracking", {"name": "{table}", "on": True},
        "pagetable.unsupported"),
    Row("PageTables/GetDirtyBitmap", {
        "name": "{table}", "length": 2 ** 40, "page_size": 4096},
        "pagetable.unsupported"),
    Row("PageTables/GetDirtyBitmap", {
        "name": "{table}", "length": 4096, "page_size": 4095},
        "request.invalid"),
    Row("PageTables/GetDirtyBitmap", {
        "name": "{table}", "length": 4096, "page_size": 4096,
        "as_memfd": True}, "permission.native-socket-only",
        native="pagetable.unsupported", why=FDS),
    Row("PageTables/OpenFaultQueue", {"name": "{table}"},
        "permission.native-socket-only", native="lease.not-claimant",
        why=FDS),
    Row("PageTables/DeletePageTable", {"name": "{table}", "dry_run": True}),
    Row("PageTables/DeletePageTable", {"name": "{table}"}),
    Row("PageTables/DeletePageTable", {"name": "{table}"},
        "pagetable.not-found"),
    Row("Leases/ReleaseLease", {"name": "{bind}"}),
    Row("PageTables/CreatePageTable", table(), "lease.state"),
    Row("Leases/CreateLease", offer(), keep="lease"),
    Row("PageTables/CreatePageTable", {
        "lease": "{lease}", "parent": "{space}", "device": name(EDU)},
        "space.mode"),
    Row("Leases/ReleaseLease", {"name": "{lease}"}),
]

TOKEN = [
    Row("Leases/ReissueToken", {"name": f"leases/{ULID}"},
        "lease.not-found"),
    Row("Leases/ReissueToken", {"name": "leases/X"}, "request.invalid"),
    Row("Leases/CreateLease", {
        "devices": [name(EDU)], "with_token": True, "dry_run": True},
        "permission.denied", native="ok", why=ADDRESS),
    Row("Leases/CreateLease", offer(
        token_expires=Timestamp(seconds=4102444800)), "request.invalid"),
    do("a lease for whoever has its token", lambda told: told.natively(
        "Leases/CreateLease",
        {"devices": [name(EDU)], "with_token": True}, "token")),
    Row("Leases/GetLease", {"name": "{token}"}),
    Row("Leases/ReissueToken", {"name": "{token}", "etag": "x"},
        "request.etag-mismatch"),
    Row("Leases/ReissueToken", {"name": "{token}"}, "permission.denied",
        native="ok", why=ADDRESS),
    Row("Leases/ReissueToken", {"name": "{token}"}, "permission.denied",
        uid=NOBODY),
    Row("Leases/ReleaseLease", {"name": "{token}"}),
    Row("Leases/ReissueToken", {"name": "{token}"}, "lease.state"),
    # The token is in the first answer alone.
    Row("Leases/CreateLease", {
        "devices": [name(EDU)], "with_token": True, "request_id": "seven"},
        keep="token", uid=OPERATOR),
    Row("Leases/CreateLease", {
        "devices": [name(EDU)], "with_token": True, "request_id": "seven"},
        uid=OPERATOR),
    Row("Leases/GetLease", {"name": "{token}"}, uid=OPERATOR),
    Row("Leases/ReissueToken", {"name": "{token}", "dry_run": True},
        uid=OPERATOR),
    Row("Leases/ReissueToken", {
        "name": "{token}", "etag": "{token.etag}",
        "token_expires": Timestamp(seconds=4102444800, nanos=5000)},
        uid=OPERATOR),
    Row("Leases/ReleaseLease", {"name": "{token}"}, uid=OPERATOR),
]

# What who may do only some of it is told.
POLICIES = [
    Row("Policy/CheckPolicy", {
        "identity": ["uid:60001"], "verb": "device.prepare",
        "device": name(EDU)},
        "permission.native-socket-only", native="ok", why=ADMIN),
    Row("Policy/CheckPolicy", {
        "identity": ["uid:60001"], "verb": "device.prepare",
        "device": name(NVME)},
        "permission.native-socket-only", native="ok", why=ADMIN),
    Row("Policy/CheckPolicy", {"identity": ["uid:0"], "verb": "x.y"},
        "permission.native-socket-only", native="request.invalid",
        why=ADMIN),
    Row("Policy/CheckPolicy", {
        "identity": ["uid:60001"], "verb": "device.prepare",
        "device": name(NO_CARD)},
        "permission.native-socket-only", native="device.not-found",
        why=ADMIN),
    Row("Policy/CheckPolicy", {"verb": "host.view"}, "permission.denied",
        uid=OPERATOR),
    Row("Policy/ListUsage", {}),
    Row("Policy/ListUsage", {"owner": "uid:0"}),
    Row("Policy/ListUsage", {"owner": "nobody we know"}),
    Row("Policy/ListUsage", {}, uid=OPERATOR),
    Row("Devices/ListDevices", {}, uid=OPERATOR),
    Row("Devices/GetDevice", {"name": name(NVME)}, "device.not-found",
        uid=OPERATOR),
    Row("Devices/PrepareDevice", {"name": name(NVME)}, "permission.denied",
        uid=OPERATOR),
    Row("Devices/PrepareDevice", {
        "name": name(EDU), "force": True}, "permission.denied",
        uid=OPERATOR),
    Row("Devices/RecoverDevice", {"name": name(EDU)}, "permission.denied",
        uid=OPERATOR),
    Row("Leases/CreateLease", offer(dry_run=True), "permission.denied",
        native="ok", why=ADDRESS, uid=OPERATOR),
    Row("Leases/CreateLease", offer(
        claimant={"uid": NOBODY}, memlock_unlimited=True),
        "permission.denied", uid=OPERATOR),
    Row("Leases/CreateLease", offer(
        claimant={"uid": NOBODY}, request_id="three"), keep="operators",
        uid=OPERATOR),
    Row("Leases/GetLease", {"name": "{operators}"}, uid=NOBODY),
    Row("Leases/ListLeases", {}, uid=OPERATOR),
    Row("Leases/ReleaseLease", {
        "name": "{operators}", "etag": "{operators.etag}"}, uid=OPERATOR),
    Row("Operations/ListOperations", {}, uid=OPERATOR),
    Row("Groups/ListGroups", {}, uid=OPERATOR),
]

# What is done when a holder has died is walked to its end.
RECLAIM = [
    Row("Leases/CreateLease", offer(), keep="lease"),
    do("it is claimed", lambda told: told.claim("lease")),
    poke(f"delay {EDU} reset_ms 3000"),
    do("its holder dies", lambda told: told.holder_is_dying("lease", "dying")),
    Row("Operations/CancelOperation", {"name": "{dying}"},
        "operation.not-cancellable"),
    Row("Devices/PrepareDevice", {"name": name(EDU)}, "device.busy"),
    do("it is over", lambda told: told.until_device(EDU, "READY")),
    poke(f"delay {EDU} reset_ms 0"),
]

RECOVER = [
    Row("Devices/RecoverDevice", {"name": name(EDU)},
        "permission.native-socket-only", native="device.not-quarantined",
        why=ADMIN),
    Row("Devices/RecoverDevice", {"name": name(NO_CARD)},
        "permission.native-socket-only", native="device.not-found",
        why=ADMIN),
    Row("Devices/RecoverDevice", {"name": name(EDU)}, "permission.denied",
        uid=NOBODY),
    Row("Leases/CreateLease", offer(), keep="lease"),
    do("it is claimed", lambda told: told.claim("lease")),
    poke(f"reset-error {EDU} EIO"),
    do("its holder dies",
       lambda told: told.holder_dies("lease", "QUARANTINED")),
    Row("Devices/GetDevice", {"name": name(EDU)}),
    Row("Devices/PrepareDevice", {"name": name(EDU)}, "device.unusable"),
    Row("Leases/CreateLease", offer(), "device.not-ready"),
    poke(f"reset-error {EDU} 0"),
    Row("Devices/RecoverDevice", {"name": name(EDU), "dry_run": True},
        "permission.native-socket-only", native="ok", why=ADMIN),
    do("it is recovered", lambda told: told.recover(EDU)),
    Row("Devices/GetDevice", {"name": name(EDU)}),
]

RESTORE = [
    Row("Devices/RestoreDevice", {"name": name(NVME)},
        "device.not-prepared"),
    Row("Devices/RestoreDevice", {"name": name(NO_CARD)},
        "device.not-found"),
    Row("Devices/RestoreDevice", {"name": name(EDU), "etag": "x"},
        "request.etag-mismatch"),
    Row("Devices/RestoreDevice", {"name": name(EDU)}, "permission.denied",
        uid=NOBODY),
    Row("Devices/RestoreDevice", {"name": name(EDU), "dry_run": True}),
    Row("Devices/RestoreDevice", {"name": name(EDU), "request_id": "six"},
        keep="op", races=True),
    Row("Operations/WaitOperation", {"name": "{op}"}),
    Row("Devices/RestoreDevice", {"name": name(EDU), "request_id": "six"}),
    Row("Devices/GetDevice", {"name": name(EDU)}),
    Row("Devices/PrepareDevice", {
        "name": name(TWIN), "allow_no_reset": True, "dry_run": True},
        "permission.native-socket-only", native="ok", why=ADMIN),
    do("two functions are prepared all the same",
       lambda told: told.prepare(TWIN, allow_no_reset=True)),
    Row("Leases/CreateLease", offer(devices=[name(TWIN)]), "lease.devices"),
    Row("Groups/GetGroup", {"name": "groups/pci-0000-05-00.0"}),
]

# The watch from the beginning: all that was done above.
WATCH = [
    Row("Events/WatchEvents", {"revision": "{first}"}),
    Row("Events/WatchEvents", {
        "revision": "{first}", "collections": ["leases", "operations"]}),
    Row("Events/WatchEvents", {
        "revision": "{first}", "collections": ["leases"]}, uid=NOBODY),
]

STORY = [*READS, *PREPARE, *WINDOWS, *CANCEL, *LEASE, *SPACES, *GUARDED,
         *PAGE_TABLES, *TOKEN, *POLICIES, *RECLAIM, *RECOVER, *RESTORE, *READS, *WATCH]

# On a machine whose IOMMU nests and records what is written.
NEST = "0000:15:00.0"
GUEST = {"known_type": "PAGE_TABLE_TYPE_VTD_S1",
         "data": bytes(8) + b"\0\x10" + bytes(6) + b"\x30" + bytes(7)}


def nested(**more: object) -> dict[str, object]:
    """A request for a page table for its edu."""
    return {"lease": "{bind}", "parent": "{space}", "device": name(NEST),
            **more}


NESTING = [
    *prepared(NEST, "op"),
    Row("Devices/GetDevice", {"name": name(NEST)}),
    Row("Leases/CreateLease", offer(mode="HOLD", devices=[name(NEST)]),
        keep="bind"),
    Row("Spaces/CreateSpace", {"lease": "{bind}", "space": {
        "devices": [name(NEST)]}}, keep="space"),
    do("it is claimed", lambda told: told.claim("bind")),
    # The page table that the space has made by itself is none of ours yet.
    Row("PageTables/RegisterPageTable", nested(kernel_id=3, dry_run=True)),
    Row("PageTables/RegisterPageTable", nested(kernel_id=2),
        "pagetable.kernel-id"),
    Row("PageTables/CreatePageTable", nested(nest_parent=True),
        keep="parent"),
    Row("PageTables/CreatePageTable", nested(
        parent="{parent}", fault_queue=True, **GUEST), keep="guest"),
    Row("PageTables/CreatePageTable", nested(
        parent="{parent}", dirty_tracking=True, **GUEST),
        "pagetable.invalid"),
    Row("PageTables/CreatePageTable", nested(dirty_tracking=True),
        keep="watched"),
    Row("PageTables/OpenFaultQueue", {"name": "{guest}", "dry_run": True},
        "permission.native-socket-only", native="ok", why=FDS),
    Row("PageTables/OpenFaultQueue", {"name": "{watched}"},
        "permission.native-socket-only", native="pagetable.no-faults",
        why=FDS),
    Row("PageTables/InvalidatePageTable", {
        "name": "{guest}", "entries": bytes(48), "entry_size": 24}),
    Row("PageTables/InvalidatePageTable", {
        "name": "{guest}", "entries": bytes(48), "entry_size": 24,
        "data_type": 9}, "pagetable.invalid"),
    Row("PageTables/DeletePageTable", {"name": "{parent}"},
        "pagetable.in-use"),
    Row("PageTables/GetDirtyBitmap", {
        "name": "{watched}", "length": 4096, "page_size": 4096},
        "pagetable.invalid"),
    Row("PageTables/SetDirtyTracking", {"name": "{watched}", "on": True}),
    Row("PageTables/GetDirtyBitmap", {
        "name": "{watched}", "length": 4096, "page_size": 4096}),
    Row("PageTables/GetDirtyBitmap", {
        "name": "{watched}", "length": 2 ** 40, "page_size": 4096,
        "dry_run": True}),
    Row("PageTables/ListPageTables", {"page_size": 2}, keep="page"),
    Row("PageTables/ListPageTables", {
        "page_size": 2, "page_token": "{page.next_page_token}"}),
]
