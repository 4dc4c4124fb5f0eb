# SPDX-License-Identifier: Apache-2.0
"""A daemon on a simulated machine, and all of their state to compare."""

import collections
import contextlib
import dataclasses
import difflib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import time

from google.protobuf import json_format
from ioasid.v1 import envelope_pb2, lease_pb2, memory_pb2

from daemon import ALARM, Client, Daemon, Refused, packet
from plan import Plan

HERE = pathlib.Path(__file__).resolve().parent
MACHINE = HERE / "machine.json"

DISK = "devices/pci-0000-01-00.0"
PAIR = ("devices/pci-0000-02-00.0", "devices/pci-0000-02-00.1")
DISK_BDF = "0000:01:00.0"
PAIR_BDF = "0000:02:00.0"

# Exit status of ioasidd when its state can no longer be made durable.
NOT_DURABLE = 5

# Seconds without a point after which what was asked for is over.
QUIET = 0.03

# What differs from one run to the next, and says nothing.
TIMES = {"revision", "etag", "created", "ended", "since", "until", "at",
         "took_us", "bind_us", "probed", "pid", "start_ticks", "expires",
         "boot_id",
         # Numbers that a context gives in turn, also for what came to nothing.
         "kernel_id", "device_ids"}
COLUMNS = {"revision", "created_us", "ended_us", "since_us", "until_us",
           "at_us", "took_us", "bind_us", "probed_us", "pid", "start_ticks",
           "pidfd_inode", "stuck_pid", "stuck_start_ticks", "expires_us",
           "step", "request_id", "number", "boot_id", "stuck_boot_id",
           "kernel_id", "fault_id",
           # Of a memfd: its inode.
           "inode", "memory"}
NAMES = [(re.compile(r"(leases|operations|spaces|pageTables)/[0-9a-z]{26}"), r"\1/*"),
         (re.compile(r"\bvfio\d+\b"), "vfio*"),
         # The inode of what is mapped.
         (re.compile(r"\bof \d+, (\d+) pinned"), r"of *, \1 pinned")]

# Of what has ended the record stays.
LIVE = "(SELECT name FROM lease WHERE state <> 'ended')"
SPACES = f"(SELECT name FROM space WHERE lease IN {LIVE})"

ROWS = {
    # Of a device that is the host's again the record stays.
    "device": "SELECT * FROM device WHERE prepared OR trouble <> 'none'",
    "capability": "SELECT * FROM capability",
    "capability_range": "SELECT * FROM capability_range",
    "lease": "SELECT * FROM lease WHERE state <> 'ended'",
    "lease_device": f"SELECT * FROM lease_device WHERE lease IN {LIVE}",
    "space": f"SELECT * FROM space WHERE lease IN {LIVE}",
    "space_window": f"SELECT * FROM space_window WHERE space IN {SPACES}",
    "space_range": f"SELECT * FROM space_range WHERE space IN {SPACES}",
    "space_device": f"SELECT * FROM space_device WHERE space IN {SPACES}",
    "memory": f"SELECT * FROM memory WHERE lease IN {LIVE}",
    "mapping": f"SELECT * FROM mapping WHERE lease IN {LIVE}",
    "page_table": f"SELECT * FROM page_table WHERE lease IN {LIVE}",
    "page_table_binding": "SELECT * FROM page_table_binding WHERE "
                          f"page_table IN (SELECT name FROM page_table WHERE "
                          f"lease IN {LIVE})",
    "holder": "SELECT * FROM holder WHERE until_us = 0 AND lease IN "
              f"{LIVE}",
    "operation": "SELECT * FROM operation WHERE state = 'running'",
}


def same_names(text: str) -> str:
    """The same words for what is called otherwise in each run."""
    for pattern, name in NAMES:
        text = pattern.sub(name, text)
    return text


def same_ids(text: str) -> str:
    """The same numbers for what is in contexts, by the order in which it is
    named: one that is made anew has other ones."""
    known: dict[str, int] = {}
    return re.sub(
        r"\b(device|space|table|on) (\d+)\b(?!:)",
        lambda found: f"{found[1]} {known.setdefault(found[2], len(known) + 1)}",
        text)


def without_times(value: object) -> object:
    """A message without what differs from run to run."""
    if isinstance(value, dict):
        kept = {key: without_times(item) for key, item in value.items()
                if key not in TIMES}
        return {key: item for key, item in kept.items() if item != []}
    if isinstance(value, list):
        # Who got nothing is kept with the reason, for the audit.
        return [without_times(item) for item in value
                if not (isinstance(item, dict) and str(
                    item.get("why", "")).startswith("got nothing"))]
    return value


@dataclasses.dataclass(frozen=True)
class Snapshot:
    """All that a fault could have left changed, as text."""

    fds: str
    model: str
    database: str
    machine: str

    def differs(self, other: "Snapshot") -> str:
        """What is not the same in another one; empty if all is."""
        found = []
        for field in dataclasses.fields(self):
            mine, its = getattr(self, field.name), getattr(other, field.name)
            if mine != its:
                lines = difflib.unified_diff(
                    its.splitlines(), mine.splitlines(), "expected", "found",
                    n=1, lineterm="")
                found.append("\n".join((f"-- {field.name}", *lines)))
        return "\n".join(found)


class Cut(Exception):
    """The connection was closed without an answer."""


class SimDaemon(Daemon):
    """ioasidd-sim over its real socket."""

    def command(self, *more: str) -> list[str]:
        return super().command("--machine", str(MACHINE), "--machine-linger",
                               "30", *more)

    def begin(self) -> None:
        """Start, and do not wait."""
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command(), stderr=log,
                                            stdout=log)


# What a holder has mapped, and where.
MEMORY, AT = 16384, 1 << 29

# What it asks for, by the word that it is told with.
REQUESTS = {
    "claim": lambda lease: (
        "Leases/ClaimLease", lease_pb2.ClaimLeaseRequest(name=lease)),
    "acknowledge": lambda lease: (
        "Leases/AcknowledgeLease",
        lease_pb2.AcknowledgeLeaseRequest(name=lease)),
    "memory": lambda lease: (
        "Memory/CreateMemory",
        memory_pb2.CreateMemoryRequest(lease=lease, size=MEMORY)),
    "map": lambda lease, space: (
        "Memory/MapMemory", memory_pb2.MapMemoryRequest(
            lease=lease, entries=[{"space": space, "length": MEMORY,
                                   "iova": AT, "writable": True}])),
    "unmap": lambda lease, space: (
        "Memory/UnmapMemory", memory_pb2.UnmapMemoryRequest(
            lease=lease, entries=[{"space": space, "length": MEMORY,
                                   "iova": AT}])),
}


class Holder:
    """A process of its own that claims a lease and has its descriptors."""

    def __init__(self, path: pathlib.Path) -> None:
        self.control, there = socket.socketpair()
        self.pid = os.fork()
        if self.pid == 0:
            status = 1
            with contextlib.suppress(BaseException):
                self.control.close()
                self.serve(path, there)
                status = 0
            os._exit(status)
        there.close()
        assert self.control.recv(16) == b"connected"

    @staticmethod
    def serve(path: pathlib.Path, control: socket.socket) -> None:
        """In the child: connect, then do as told, a word at a time."""
        client = Client(path)
        fds: list[int] = []
        control.send(b"connected")
        while True:
            word, _, names = control.recv(256).decode().partition(" ")
            if not word:
                return
            if word == "close":
                client.close()
                control.send(b"ok")
                continue
            method, request = REQUESTS[word](*names.split())
            said = "cut"
            with contextlib.suppress(OSError):
                client.send_raw(
                    packet(method, request.SerializeToString(),
                           client.next_id()),
                    fds[-1:] if word == "map" else ())
                data, more, _, _ = socket.recv_fds(client.sock, 1 << 18, 65)
                fds += more
                said = outcome_of(word, data) if data else "cut"
            if word == "memory" and said == "ok":
                os.posix_fallocate(fds[-1], 0, MEMORY)
            control.send(said.encode())

    def tell(self, word: str, *names: str) -> str:
        """Have it do something; what it was answered."""
        self.control.send(" ".join((word, *names)).encode())
        return self.control.recv(256).decode()

    def end(self) -> None:
        """It dies, with all that it has."""
        if self.pid:
            self.control.close()
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self.pid = 0


def outcome_of(word: str, data: bytes) -> str:
    """ "ok", or the id of the error that a packet has, or its one entry."""
    answer = envelope_pb2.Envelope.FromString(data)
    if answer.WhichOneof("body") == "error":
        return answer.error.id
    if word not in ("map", "unmap"):
        return "ok"
    reply = memory_pb2.MapMemoryResponse.FromString(answer.reply.payload)
    return reply.errors[0].id if any(reply.results) else "ok"


class Bench:
    """A daemon, its machine, the plan of its faults, and who uses it."""

    def __init__(self, build: pathlib.Path) -> None:
        self.program = build / "ioasidd-sim"
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="ioasidd-faults-"))
        self.plan = Plan(self.folder / "plan")
        self.daemon: SimDaemon | None = None
        self.client: Client | None = None
        self.holder: Holder | None = None
        self.lease = ""
        self.operation = ""
        self.starts = 0

    # --- beginning and ending

    def fresh(self) -> None:
        """A new machine and a daemon without a past."""
        self.plan.disarm()
        self.end()
        self.starts += 1
        folder = self.folder / str(self.starts)
        folder.mkdir()
        self.daemon = SimDaemon(self.program, folder)
        os.environ["IOASID_FAULTS_PLAN"] = str(self.plan.path)
        self.daemon.start()
        self.client = self.daemon.connect()

    def end(self) -> None:
        """No daemon, no machine, no holder."""
        if self.holder:
            self.holder.end()
            self.holder = None
        if self.client:
            self.client.close()
            self.client = None
        if self.daemon:
            self.check_leaks()
            self.daemon.kill()
            self.end_machine()
            shutil.rmtree(self.daemon.run)
            shutil.rmtree(self.daemon.folder)
            self.daemon = None

    def check_leaks(self) -> None:
        """A sanitizer says at the end what has leaked."""
        if self.daemon.process and getattr(self.daemon, "sanitizer", ""):
            self.daemon.process.terminate()
            self.daemon.process.wait(60)
            self.daemon.process = None
            assert not ALARM.search(self.words()), self.words()

    def end_machine(self) -> None:
        """The machine's process ends, if it runs."""
        with contextlib.suppress(subprocess.CalledProcessError):
            self.poke("power-off")
        deadline = time.monotonic() + 5
        while (self.daemon.state / "machine.sock").exists() and \
                time.monotonic() < deadline:
            time.sleep(0.002)

    def close(self) -> None:
        self.end()
        shutil.rmtree(self.folder)

    # --- what is done to it

    def dead(self) -> int | None:
        """Its exit status if it has ended; gives it a moment to do so."""
        return self.daemon.process.poll() if self.daemon.process else -9

    def restart(self) -> None:
        """Start it again on what it has left behind, without faults."""
        self.plan.disarm()
        self.client.close()
        if self.daemon.process:
            self.daemon.process.wait(60)
        self.daemon.start()
        self.client = self.daemon.connect()

    def again(self) -> None:
        """Connect again if the connection was cut."""
        self.client.close()
        self.client = self.daemon.connect()

    def poke(self, command: str) -> str:
        """Do something to the machine."""
        return subprocess.run(
            [str(self.program), "--state-dir", str(self.daemon.state),
             "--poke", command], capture_output=True, text=True, check=True,
            env={}).stdout

    def call(self, method: str, **fields: object) -> object:
        """The reply; Refused or Cut if there is none."""
        try:
            return self.client.call(method, **fields)
        except (OSError, AssertionError) as error:
            raise Cut(str(error)) from error

    def ask(self, method: str, **fields: object) -> str:
        """Only how a call went: "ok", the id of its error, "cut"."""
        try:
            self.call(method, **fields)
        except Refused as refused:
            return refused.id
        except Cut:
            return "cut"
        return "ok"

    def change(self, method: str, **fields: object) -> str:
        """Ask for an operation and wait for its end: how it went."""
        try:
            operation = self.call(f"Devices/{method}", **fields)
            while operation.state == operation.RUNNING:
                operation = self.call("Operations/WaitOperation",
                                      name=operation.name, timeout_ms=5000)
        except Refused as refused:
            return refused.id
        except Cut:
            return "cut"
        return operation.error.id or "ok"

    def offer(self, devices: tuple[str, ...], **fields: object) -> str:
        """Offer devices to root; the lease's name."""
        return self.call("Leases/CreateLease", devices=devices,
                         claimant={"uid": 0}, **fields).name

    def until(self, words: str, begun: int) -> None:
        """Wait until it has logged something since then, or it has ended, or
        the fault was had and may be why it does not."""
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline and self.dead() is None:
            if re.search(words, self.words(begun)):
                return
            if self.plan.fired:
                deadline = min(deadline, time.monotonic() + 0.5)
            time.sleep(0.005)

    def words(self, begun: int = 0) -> str:
        """What it has logged since then."""
        return self.daemon.log.read_bytes()[begun:].decode(errors="replace")

    def logged(self) -> int:
        """How much it has logged."""
        return self.daemon.log.stat().st_size

    def quiet(self, least: float = 0.0) -> None:
        """Wait until the daemon has passed no point for a moment."""
        time.sleep(least)
        deadline = time.monotonic() + 15
        before = None
        while before != (now := self.plan.counted):
            assert time.monotonic() < deadline, "it is never quiet"
            before = now
            time.sleep(QUIET)

    # --- what it is

    def fds(self) -> str:
        """The daemon's descriptors: how many of what."""
        folder = pathlib.Path(f"/proc/{self.daemon.process.pid}/fd")
        found: collections.Counter[str] = collections.Counter()
        for entry in folder.iterdir():
            with contextlib.suppress(FileNotFoundError):
                found[re.sub(r"\d+", "*", os.readlink(entry).replace(
                    str(self.daemon.folder), ""))] += 1
        return "\n".join(f"{n} {name}" for name, n in sorted(found.items()))

    def model(self) -> str:
        """What a client is shown, but for what has ended."""
        shown = [
            *self.call("Devices/ListDevices", all=True).devices,
            *self.call("Groups/ListGroups").groups,
            *self.call("Iommus/ListIommus").iommus,
            *self.call("Leases/ListLeases").leases,
            *self.call("PageTables/ListPageTables").page_tables,
            *(op for op in self.call("Operations/ListOperations").operations
              if op.state == op.RUNNING),
        ]
        return same_names("\n".join(
            json.dumps(without_times(json_format.MessageToDict(
                one, preserving_proto_field_name=True)), indent=1,
                sort_keys=True)
            for one in shown))

    def database(self) -> str:
        """The rows that matter, read from a copy."""
        lines = []
        with tempfile.TemporaryDirectory(dir=self.folder) as copy:
            for name in ("state.db", "state.db-wal"):
                with contextlib.suppress(FileNotFoundError):
                    shutil.copy(self.daemon.state / name, copy)
            with contextlib.closing(sqlite3.connect(
                    f"{copy}/state.db")) as db:
                db.row_factory = sqlite3.Row
                for table, query in ROWS.items():
                    for row in db.execute(query):
                        lines.append(f"{table} " + " ".join(
                            f"{key}={row[key]}" for key in row.keys()
                            if key not in COLUMNS))
        return same_names("\n".join(sorted(lines)))

    def snapshot(self) -> Snapshot:
        """All of it now."""
        return Snapshot(self.fds(), self.model(), self.database(),
                        same_ids(same_names(self.poke("state"))))

