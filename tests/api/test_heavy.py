# SPDX-License-Identifier: Apache-2.0
"""Messages that are small and cost much, or that are none, over the whole way:
the same words from native socket and gRPC, bounded memory in both processes,
others served.

What HTTP alone can get wrong is in test_abuse.py and test_grpc_abuse.py.
"""

import contextlib
import pathlib
import threading
from collections.abc import Iterator

import pytest
from surfaces import BUILD, CONTRACT, Broken, Grpc, Native, Outcome, Packed, \
    Rest
from machine import Machine
from test_kill import api_pid

SANITIZED = "asan" in BUILD.name or "tsan" in BUILD.name
MIB = 1 << 20
# The issue's. The address sanitizer keeps 256 MiB of what was freed, and
# ioasid-api has no environment to tell it otherwise.
GROWTH = (320 if SANITIZED else 8) * MIB
TIMES = 20
AT_ONCE = 8

CREATE = "Leases/CreateLease"


@pytest.fixture(scope="module")
def machine(tmp_path_factory) -> Iterator[Machine]:
    """A simulated machine with a daemon that has been asked already."""
    one = Machine(BUILD, tmp_path_factory.mktemp("heavy"))
    one.start()
    try:
        for kind in (Native, Grpc, Rest):
            surface = kind(one.run)
            outcome = surface.call("Devices/ListDevices", CONTRACT[
                "Devices/ListDevices"].request(all=True))
            assert outcome.replies
            surface.close()
        yield one
        one.end()
    finally:
        one.kill()


def varint(number: int) -> bytes:
    """A whole number on the wire."""
    out = b""
    while number > 127:
        out += bytes((number & 127 | 128,))
        number >>= 7
    return out + bytes((number,))


def nested(tag: int, depth: int, size: int = 96 * 1024) -> bytes:
    """A submessage in a submessage, so deep, and bytes to fill the size."""
    fill = size
    while True:
        lengths, inner = [], fill
        for _ in range(depth):
            lengths.append(varint(inner))
            inner += 1 + len(lengths[-1])
        if inner <= size:
            return b"".join(bytes((tag,)) + length for length in
                            reversed(lengths)) + b"\x08" * fill
        fill -= inner - size


CLAIMANT, LABELS, DEVICES = 0x1a, 0x22, 0x0a

HEAVY = {
    "claimants nested 20,000 deep": nested(CLAIMANT, 20000),
    "labels nested 20,000 deep": nested(LABELS, 20000),
    "unknown fields nested 20,000 deep": nested(0x7a, 20000),
    "groups nested 20,000 deep": b"\x7b" * 20000 + b"\x7c" * 20000,
    "256 KiB of empty labels": bytes((LABELS, 0)) * 131072,
    "256 KiB of empty names": bytes((DEVICES, 0)) * 131072,
    "256 KiB of one claimant": bytes((CLAIMANT, 0)) * 131072,
    "256 KiB of unknown fields": b"\x7a\x00" * 131072,
    "256 KiB of unknown numbers": b"\x78\x00" * 131072,
}


def test_they_are_as_large_as_they_are_said_to_be() -> None:
    """96 KiB and exactly 256 KiB."""
    for what, data in HEAVY.items():
        if "256 KiB" in what:
            assert len(data) == 262144
        elif "groups" not in what:
            assert 96 * 1024 - 3 < len(data) <= 96 * 1024


def kib(pid: int, key: str) -> int:
    """A figure of /proc/PID/status, bytes."""
    words = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(words.split(f"{key}:")[1].split()[0]) * 1024


class Memory:
    """How much more two processes have had at any moment."""

    def __init__(self, machine: Machine) -> None:
        self.pids = {"ioasidd": machine.process.pid,
                     "ioasid-api": api_pid(machine)}
        self.before = {}
        for name, pid in self.pids.items():
            # Source: proc(5), clear_refs: the peak begins anew.
            pathlib.Path(f"/proc/{pid}/clear_refs").write_text("5")
            self.before[name] = kib(pid, "VmRSS")

    def growth(self) -> dict[str, int]:
        """From before to the peak, bytes."""
        return {name: kib(pid, "VmHWM") - self.before[name]
                for name, pid in self.pids.items()}


@contextlib.contextmanager
def others_served(machine: Machine) -> Iterator[None]:
    """Somebody else asks over REST all the time; see also the daemon's own."""
    over, trouble, count = threading.Event(), [], []

    def ask() -> None:
        rest = Rest(machine.run)
        try:
            while not over.is_set():
                outcome = rest.call(
                    "Host/GetVersion", CONTRACT["Host/GetVersion"].request())
                assert outcome.replies
                count.append(1)
        except BaseException as error:  # for the test to see
            trouble.append(error)
        rest.close()

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        with machine.others_served():
            yield
    finally:
        over.set()
        thread.join()
    assert not trouble and count, trouble


def throw(machine: Machine, kind: type[Native | Grpc], data: bytes) \
        -> list[Outcome]:
    """Send a message many times, on some connections at once."""
    outcomes: list[Outcome] = []

    def run() -> None:
        surface = kind(machine.run)
        for _ in range(TIMES):
            outcomes.append(surface.call(CREATE, Packed(data)))
        surface.close()

    threads = [threading.Thread(target=run) for _ in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


@pytest.mark.parametrize("what", HEAVY)
@pytest.mark.slow
def test_what_costs_much_is_refused_and_costs_little(
        machine: Machine, what: str) -> None:
    """Alike on both surfaces, 160 times, 8 at once; printed for both."""
    said = set()
    for kind in (Native, Grpc):
        memory = Memory(machine)
        with others_served(machine):
            outcomes = throw(machine, kind, HEAVY[what])
        growth = memory.growth()
        print(f"{what}, {kind.name}: {len(outcomes)} times "
              f"{outcomes[0].id()}; " + ", ".join(
                  f"{name} +{size / MIB:.1f} MiB"
                  for name, size in growth.items()))
        assert len(outcomes) == TIMES * AT_ONCE
        said |= {outcome.error.SerializeToString() for outcome in outcomes}
        assert max(growth.values()) < GROWTH
    assert len(said) == 1, said


# What is no CreateLeaseRequest, or not one that anybody would send.
DAMAGED = {
    "a field that ends too early": b"\x0a\x05devi",
    "a varint without end": b"\x28" + b"\xff" * 11,
    "a tag of field 0": b"\x00\x00",
    "a wire type that there is not": b"\x0f\x00",
    "an end of no group": b"\x0c",
    "invalid UTF-8": b"\x52\x02\xc3\x28",
    "NUL in a string": b"\x52\x03a\x00b",
    "a surrogate in UTF-8": b"\x52\x03\xed\xa0\x80",
    "a field twice": b"\x28\x01\x28\x02",
    "a number for a string": b"\x50\x01",
    "a string for a number": b"\x2a\x01x",
    "a mode that there is not": b"\x10\x63",
    "a label twice": (b"\x22\x06\x0a\x01a\x12\x01b" * 2) + b"\x1a\x00",
    "a pid below 0": b"\x0a\x18devices/pci-0000-01-00.0\x1a\x0b\x10" +
                     b"\xff" * 9 + b"\x01",
    "65 devices": b"\x0a\x18devices/pci-0000-01-00.0" * 65 + b"\x1a\x00",
    "a byte too many": bytes((LABELS, 0)) * 131072 + b"\x00",
}


@pytest.mark.parametrize("what", DAMAGED)
def test_what_is_damaged_is_refused_alike(machine: Machine, what: str) -> None:
    """Object, remedy and causes, too. What is too large ioasid-api refuses by
    itself, with the same id."""
    said = []
    for kind in (Native, Grpc):
        surface = kind(machine.run)
        try:
            outcome = surface.call(CREATE, Packed(DAMAGED[what]))
        except Broken as error:
            raise AssertionError(f"{kind.name}: {error}") from error
        surface.close()
        assert outcome.error, outcome.replies
        said.append(outcome.error)
    print(f"{what}: {said[0].id}: {said[0].message}")
    if said[0].id == "request.too-large":
        assert said[0].remedy == said[1].remedy
        for one in said:
            one.ClearField("message")
    assert said[0] == said[1]
    assert said[0].id.startswith("request.") or said[0].id == "lease.devices"
