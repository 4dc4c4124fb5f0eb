# SPDX-License-Identifier: Apache-2.0
"""A holder that a case talks to: tests/conformance/client in Python's words.

Holder has the lease's descriptors; Context is its iommufd, Device a cdev of it,
Edu one that can do DMA. A call gives an Answer: the name of its errno, or "ok",
and the structure as it came back.
"""

import atexit
import functools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from typing import Any

import pytest
from ioasid import NOBODY, Ioasidd, alive, device_name, wait

from world import (BUILD, GROUPED, INFORMED, PORTED, RESERVING,
                   TRANSLATED, TYPE1, WIDE)

PAGE = 4096
MIB = 1 << 20
TOP = (1 << 64) - 1

# enum iommufd_ioas_map_flags
FIXED, WRITE, READ = 1, 2, 4
# enum iommufd_hwpt_alloc_flags
NEST_PARENT, DIRTY, FAULT, PASID = 1, 2, 4, 8

# No machine has memory at this address, and every page table can map it that is
# not an IOMMU's.
NOWHERE = 1 << 59

CONFIG = 7
COMMAND = 4
MEMORY, MASTER = 2, 4


# What a case needs of the machine, where not every machine has it.
translated = pytest.mark.skipif(
    not TRANSLATED, reason="no IOMMU translates DMA: it would go to the memory "
    "of the host that has that address")
reserving = pytest.mark.skipif(
    not RESERVING, reason="all addresses can be used: there is no IOMMU whose "
    "aperture or reserved regions could be in the way")
narrow = pytest.mark.skipif(
    WIDE, reason="all 64 bits of an address can be used")
wide = pytest.mark.skipif(
    not WIDE, reason="the aperture of the IOMMU ends below 2^59")
informed = pytest.mark.skipif(
    not INFORMED, reason="nothing that says what the IOMMU is: it is EOPNOTSUPP")
ported = pytest.mark.skipif(
    not PORTED, reason="devices are on the root bus, which nothing resets or "
    "cuts off")
grouped = pytest.mark.skipif(
    not GROUPED, reason="without an IOMMU each function is a group of its own")


class Answer(dict[str, Any]):
    """What a command was answered with: fields by name, and the errno."""

    def __init__(self, line: str, command: str) -> None:
        words = line.split()
        super().__init__(word.partition("=")[::2] for word in words[1:])
        for key, value in self.items():
            if key in ("message", "remedy"):
                self[key] = bytes.fromhex(value).decode()
            elif value.lstrip("-").isdigit() and key not in ("data", "tail"):
                self[key] = int(value)
        self.error = words[0]
        self.command = command

    def __getattr__(self, name: str) -> Any:
        return self[name]

    def asked(self) -> str:
        """Which call it was, without numbers that differ from run to run."""
        words = self.command.split()
        if words[0] == "call":
            return words[2]
        return " ".join(words[:3 if words[1:2] == ["batch"] else 2]
                        if words[0] == "lib" else words[:1])

    def said(self) -> str:
        """The errno, and what libioasid calls it."""
        name = str(self.get("id", "")) if self.error != "ok" else ""
        return f"{self.error} {name}".strip()


class Another(AssertionError):
    """Another answer than the one that a case wants."""

    def __init__(self, answer: Answer, wanted: str) -> None:
        super().__init__(f"{answer.command}: {answer.error}, not {wanted}")
        self.answer, self.wanted = answer, wanted


def ok(answer: Answer) -> Answer:
    """It succeeded; what it answered."""
    if answer.error != "ok":
        raise Another(answer, "ok")
    return answer


def refused(error: str, answer: Answer) -> Answer:
    """It was refused with that errno."""
    if answer.error != error:
        raise Another(answer, error)
    return answer


class Process:
    """A process that obeys: a client, or a child of it."""

    def __init__(self) -> None:
        self.children: list[Child] = []

    def tell(self, *words: Any) -> Answer:
        """Give a command; its answer."""
        line = " ".join(str(word) for word in words)
        answer = Answer(self.say(line), line)
        assert answer.error != "bad", f"{line[:200]}: {dict(answer)}"
        return answer

    def say(self, line: str) -> str:
        """A line, and the line that it is answered with."""
        raise NotImplementedError

    def call(self, fd: int, structure: str, /, **fields: Any) -> Answer:
        """ioctl(2) with a structure of uapi.h; its size is right by itself."""
        return self.tell("call", fd, structure,
                         *(f"{name}={value}" for name, value in
                           fields.items()))

    def memory(self, size: int, seed: int = 0) -> int:
        """Memory of its own, filled with a row of bytes; its address."""
        va = int(ok(self.tell("mem", size)).va)
        ok(self.tell("fill", va, size, seed))
        return va

    def fill(self, va: int, size: int, seed: int) -> None:
        """Fill memory with another row of bytes."""
        ok(self.tell("fill", va, size, seed))

    def same(self, va: int, size: int, seed: int) -> bool:
        """Has the memory that row of bytes?"""
        return bool(ok(self.tell("same", va, size, seed)).same)

    def memfd(self, size: int) -> int:
        """A file of shmem; its descriptor."""
        return int(ok(self.tell("memfd", size)).fd)

    def close(self, fd: int) -> None:
        """Close a descriptor."""
        ok(self.tell("close", fd))

    def array(self, *values: int) -> int:
        """64-bit numbers in memory; their address."""
        va = int(ok(self.tell("mem", max(8 * len(values), 8))).va)
        data = b"".join(value.to_bytes(8, "little") for value in values)
        if data:
            ok(self.tell("poke", va, data.hex()))
        return va

    def numbers(self, va: int, n: int) -> list[int]:
        """64-bit numbers from memory."""
        data = bytes.fromhex(ok(self.tell("peek", va, 8 * n)).data)
        return [int.from_bytes(data[at:at + 8], "little")
                for at in range(0, 8 * n, 8)]

    def fork(self) -> "Child":
        """A child with all that it has."""
        answer = ok(self.tell("fork"))
        child = Child(self, answer.child, answer.pid)
        self.children.append(child)
        return child


class Child(Process):
    """A forked child of a holder."""

    def __init__(self, parent: Process, number: int, pid: int) -> None:
        super().__init__()
        self.parent, self.number, self.pid = parent, number, pid

    def say(self, line: str) -> str:
        return self.parent.say(f"child {self.number} {line}")

    def end(self) -> None:
        """SIGKILL; it is gone afterwards."""
        ok(self.parent.tell("kill", self.number))
        self.parent.children.remove(self)


class Device:
    """A VFIO cdev of a holder."""

    def __init__(self, holder: "Holder", name: str, fd: int) -> None:
        self.holder, self.name, self.fd = holder, name, fd
        self.id = 0
        self.offsets: dict[int, int] = {}

    def call(self, structure: str, **fields: Any) -> Answer:
        """A call on the cdev."""
        return self.holder.call(self.fd, structure, **fields)

    def bind(self, iommufd: int | None = None, **fields: Any) -> Answer:
        """VFIO_DEVICE_BIND_IOMMUFD to the holder's iommufd, or another."""
        answer = self.call("device_bind_iommufd",
                           iommufd=self.holder.iommufd if iommufd is None
                           else iommufd, **fields)
        if answer.error == "ok":
            self.id = answer.out_devid
        return answer

    def bound(self) -> None:
        """It is in the holder's context: bound, unless the lease is in a
        container, whose devices are opened when it is made."""
        if not TYPE1:
            ok(self.bind())

    def attach(self, pt_id: int, **fields: Any) -> Answer:
        """VFIO_DEVICE_ATTACH_IOMMUFD_PT."""
        return self.call("device_attach_iommufd_pt", pt_id=pt_id, **fields)

    def detach(self, **fields: Any) -> Answer:
        """VFIO_DEVICE_DETACH_IOMMUFD_PT."""
        return self.call("device_detach_iommufd_pt", **fields)

    def reset(self) -> Answer:
        """VFIO_DEVICE_RESET."""
        return self.call("reset")

    def close(self) -> None:
        """Close the descriptor."""
        self.holder.close(self.fd)

    def offset(self, region: int) -> int:
        """Where a region begins in the descriptor."""
        if region not in self.offsets:
            self.offsets[region] = ok(
                self.call("region_info", index=region)).offset
        return self.offsets[region]

    def read(self, region: int, at: int, size: int) -> Answer:
        """pread(2) in a region."""
        return self.holder.tell("pread", self.fd, self.offset(region) + at,
                                size)

    def write(self, region: int, at: int, size: int, value: int) -> Answer:
        """pwrite(2) of a number."""
        return self.holder.tell("pwrite", self.fd, self.offset(region) + at,
                                value.to_bytes(size, "little").hex())

    def get(self, region: int, at: int, size: int) -> int:
        """A number in a region, which must be readable."""
        data = bytes.fromhex(ok(self.read(region, at, size)).data)
        assert len(data) == size
        return int.from_bytes(data, "little")

    def put(self, region: int, at: int, size: int, value: int) -> None:
        """Write it, which must be possible."""
        assert ok(self.write(region, at, size, value)).n == size

    def command(self, bits: int) -> None:
        """Write PCI_COMMAND."""
        self.put(CONFIG, COMMAND, 2, bits)


class Edu(Device):
    """QEMU's edu: a DMA engine with a buffer of 4096 bytes.

    Its registers are in QEMU's docs/specs/edu.rst.
    """

    IDENTITY, LIVENESS, FACTORIAL, STATUS = 0x00, 0x04, 0x08, 0x20
    SOURCE, TARGET, COUNT, START = 0x80, 0x88, 0x90, 0x98
    BUFFER = 0x40000

    def awake(self) -> "Edu":
        """Memory space and bus master on; it must be an edu."""
        self.command(MEMORY | MASTER)
        assert self.get(0, self.IDENTITY, 4) & 0xffff == 0x00ed
        return self

    def begin(self, source: int, target: int, size: int,
              command: int) -> None:
        """A transfer; it takes edu a tenth of a second.

        Not to memory of the host: no case is worth that.
        """
        assert TRANSLATED or {source, target} - {self.BUFFER} <= {NOWHERE}
        self.put(0, self.SOURCE, 8, source)
        self.put(0, self.TARGET, 8, target)
        self.put(0, self.COUNT, 8, size)
        self.put(0, self.START, 8, command)

    def transfer(self, source: int, target: int, size: int,
                 command: int) -> None:
        """A transfer, and its end."""
        self.begin(source, target, size, command)
        end = time.monotonic() + 30
        while self.get(0, self.START, 4) & 1:
            assert time.monotonic() < end, "edu does not finish"
            time.sleep(0.01)

    def load(self, iova: int, size: int = PAGE) -> None:
        """From memory to its buffer."""
        self.transfer(iova, self.BUFFER, size, 1)

    def begin_store(self, iova: int, size: int = PAGE) -> None:
        """From its buffer to memory; its end is not waited for."""
        self.begin(self.BUFFER, iova, size, 3)

    def store(self, iova: int, size: int = PAGE) -> None:
        """From its buffer to memory."""
        self.transfer(self.BUFFER, iova, size, 3)

    def copy(self, source: int, target: int, size: int = PAGE) -> None:
        """From one I/O address to another."""
        self.load(source, size)
        self.store(target, size)


class Context:
    """An iommufd of a process, and what was made in it."""

    def __init__(self, process: Process, fd: int) -> None:
        self.process, self.fd = process, fd
        self.made: list[int] = []

    def call(self, structure: str, **fields: Any) -> Answer:
        """A call on the iommufd."""
        return self.process.call(self.fd, structure, **fields)

    def by(self, process: Process) -> "Context":
        """The same for a child of the process."""
        return Context(process, self.fd)

    def space(self) -> int:
        """IOMMU_IOAS_ALLOC; the id."""
        self.made.append(ok(self.call("ioas_alloc")).out_ioas_id)
        return self.made[-1]

    def table(self, device: Device, pt_id: int, flags: int = 0,
              **fields: Any) -> Answer:
        """IOMMU_HWPT_ALLOC; remembered if it succeeds."""
        answer = self.call("hwpt_alloc", dev_id=device.id, pt_id=pt_id,
                           flags=flags, **fields)
        if answer.error == "ok":
            self.made.append(answer.out_hwpt_id)
        return answer

    def destroy(self, number: int) -> Answer:
        """IOMMU_DESTROY."""
        return self.call("destroy", id=number)

    def map(self, space: int, va: int, length: int, iova: int | None = None,
            flags: int = READ | WRITE, **fields: Any) -> Answer:
        """IOMMU_IOAS_MAP; FIXED if an iova is given."""
        return self.call("ioas_map", ioas_id=space, user_va=va, length=length,
                         iova=iova or 0,
                         flags=flags | (FIXED if iova is not None else 0),
                         **fields)

    def map_file(self, space: int, fd: int, length: int,
                 iova: int | None = None, start: int = 0,
                 flags: int = READ | WRITE, **fields: Any) -> Answer:
        """IOMMU_IOAS_MAP_FILE, likewise."""
        return self.call("ioas_map_file", ioas_id=space, fd=fd, start=start,
                         length=length, iova=iova or 0,
                         flags=flags | (FIXED if iova is not None else 0),
                         **fields)

    def copy(self, target: int, source: int, length: int, source_iova: int,
             iova: int | None = None, flags: int = READ | WRITE,
             **fields: Any) -> Answer:
        """IOMMU_IOAS_COPY, likewise."""
        return self.call("ioas_copy", dst_ioas_id=target, src_ioas_id=source,
                         length=length, src_iova=source_iova,
                         dst_iova=iova or 0,
                         flags=flags | (FIXED if iova is not None else 0),
                         **fields)

    def unmap(self, space: int, iova: int, length: int) -> Answer:
        """IOMMU_IOAS_UNMAP."""
        return self.call("ioas_unmap", ioas_id=space, iova=iova, length=length)

    def iova_ranges(self, space: int, room: int = 32,
                    **fields: Any) -> tuple[Answer, list[list[int]]]:
        """IOMMU_IOAS_IOVA_RANGES: the answer, and the ranges that had room."""
        va = self.process.array(*[0] * (2 * room))
        answer = self.call("ioas_iova_ranges", ioas_id=space, num_iovas=room,
                           allowed_iovas=va, **fields)
        n = min(room, answer.num_iovas)
        flat = self.process.numbers(va, 2 * n) if n else []
        ok(self.process.tell("unmap", va, max(16 * room, 8)))
        return answer, [flat[at:at + 2] for at in range(0, len(flat), 2)]

    def ranges(self, space: int) -> list[list[int]]:
        """The ranges, as [first, last]."""
        answer, ranges = self.iova_ranges(space)
        ok(answer)
        return ranges

    def allow(self, space: int, *windows: tuple[int, int],
              **fields: Any) -> Answer:
        """IOMMU_IOAS_ALLOW_IOVAS."""
        flat = [number for window in windows for number in window]
        va = self.process.array(*flat)
        return self.call("ioas_allow_iovas", ioas_id=space,
                         num_iovas=len(windows), allowed_iovas=va, **fields)

    def lib(self, name: str, *words: Any) -> Answer:
        """A call of libioasid's on the iommufd; see library.c."""
        return self.process.tell("lib", name, self.fd, *words)

    def option(self, number: int, op: int, object_id: int = 0, value: int = 0,
               **fields: Any) -> Answer:
        """IOMMU_OPTION; op 0 sets, 1 gets."""
        return self.call("option", option_id=number, op=op,
                         object_id=object_id, val64=value, **fields)

    def put(self, device: Device, space: int) -> None:
        """Have a device on a space."""
        ok(device.attach(space))

    def take_off(self, device: Device) -> None:
        """Have it on none."""
        ok(device.detach())

    def clean(self) -> None:
        """Destroy what was made, the last first."""
        while self.made:
            answer = self.destroy(self.made.pop())
            assert answer.error in ("ok", "ENOENT"), answer.error


class Container(Context):
    """A VFIO container of a process: one space, and all devices on it.

    What is asked of an iommufd by a structure is asked of libioasid, whose
    answers on a container are to be those of an iommufd. What the library has
    no call for is asked of the container as it stands, which refuses it.
    """

    # IOASID_SPACE_OF_CONTAINER
    SPACE = 0

    def __init__(self, process: Process, fd: int, given: bool) -> None:
        super().__init__(process, fd)
        # The lease says that it has the space; a case gets no other.
        self.given = given

    def by(self, process: Process) -> "Container":
        return Container(process, self.fd, True)

    def space(self) -> int:
        """The one that there is; libioasid's refusal of another."""
        if self.given or self.made:
            ok(self.lib("new"))
        self.made.append(self.SPACE)
        return self.SPACE

    def destroy(self, number: int) -> Answer:
        return self.lib("destroy", number)

    def map(self, space: int, va: int, length: int, iova: int | None = None,
            flags: int = READ | WRITE, **fields: Any) -> Answer:
        if fields:
            return super().map(space, va, length, iova, flags, **fields)
        return self.lib("map", space, va, length,
                        flags | (FIXED if iova is not None else 0), iova or 0)

    def map_file(self, space: int, fd: int, length: int,
                 iova: int | None = None, start: int = 0,
                 flags: int = READ | WRITE, **fields: Any) -> Answer:
        if fields:
            return super().map_file(space, fd, length, iova, start, flags,
                                    **fields)
        return self.lib("map-file", space, fd, start, length,
                        flags | (FIXED if iova is not None else 0), iova or 0)

    def copy(self, target: int, source: int, length: int, source_iova: int,
             iova: int | None = None, flags: int = READ | WRITE,
             **fields: Any) -> Answer:
        if fields:
            return super().copy(target, source, length, source_iova, iova,
                                flags, **fields)
        return self.lib("copy", target, source, source_iova, length,
                        flags | (FIXED if iova is not None else 0), iova or 0)

    def unmap(self, space: int, iova: int, length: int) -> Answer:
        answer = self.lib("unmap", space, iova, length)
        if answer.error == "ok":
            answer["length"] = answer.bytes
        return answer

    def iova_ranges(self, space: int, room: int = 32,
                    **fields: Any) -> tuple[Answer, list[list[int]]]:
        if fields:
            return super().iova_ranges(space, room, **fields)
        answer = self.lib("ranges", space, room)
        answer["num_iovas"] = answer.n
        answer["out_iova_alignment"] = answer.alignment
        return answer, [[int(number) for number in word.split("-")] for word
                        in str(answer.get("ranges", "")).split(",") if word]

    def allow(self, space: int, *windows: tuple[int, int],
              **fields: Any) -> Answer:
        if fields:
            return super().allow(space, *windows, **fields)
        return self.lib("allow", space, *(f"{start},{last}"
                                          for start, last in windows))

    def put(self, device: Device, space: int) -> None:
        """It is there since its group is in the container."""
        assert space == self.SPACE

    def take_off(self, device: Device) -> None:
        """It stays; what was mapped for it goes."""

    def clean(self) -> None:
        self.made.clear()
        ok(self.lib("unmap-all", self.SPACE))


@functools.cache
def client() -> str:
    """The program, where every uid can execute it: BUILD may lie below a home
    that is root's alone."""
    folder = tempfile.mkdtemp(prefix="ioasidd-client.")
    atexit.register(shutil.rmtree, folder)
    os.chmod(folder, 0o755)
    return shutil.copy(BUILD / "tests/conformance/client", folder)


class Holder(Process):
    """A client that has claimed leases of the daemon."""

    def __init__(self, daemon: Ioasidd, uid: int = NOBODY) -> None:
        super().__init__()
        self.daemon = daemon
        self.uid = uid
        self.leases: list[str] = []
        self.names: list[str] = []
        self.devices: list[Device] = []
        self.contexts: list[Context] = []
        self.heir = 0
        # pylint: disable-next=consider-using-with
        self.popen = subprocess.Popen(
            [client()], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True, bufsize=1, user=uid, group=uid,
            extra_groups=[], env=daemon.env)
        self.pid = self.popen.pid

    def say(self, line: str) -> str:
        assert self.popen.stdin and self.popen.stdout
        try:
            self.popen.stdin.write(line + "\n")
            self.popen.stdin.flush()
        except BrokenPipeError:
            pass
        answer = self.popen.stdout.readline()
        if not answer:
            pytest.fail(f"the client has ended with {self.popen.wait(10)} "
                        f"at: {line[:200]}")
        return answer

    def claim(self, *names: str, memlock: str = "64M") -> Context:
        """Offer prepared devices to this client and claim them.

        Without iommufd a transfer lease is one of nodes; descriptors come in a
        lease that is held, which ends a moment after its holder.
        """
        if TYPE1:
            return self.take(self.offer_held(*names), *names, given=False)
        return self.take(self.daemon.offer(*names, uid=self.uid, options=(
            "--memlock", memlock)), *names)

    def offer_held(self, *names: str) -> str:
        """A hold lease that nobody can follow in."""
        conn = self.daemon.native()
        try:
            return str(conn.call(
                "Leases/CreateLease", "Lease", mode="HOLD", grace_ms=1,
                devices=[device_name(self.daemon.bdf(name)) for name in names],
                claimant={"uid": self.uid}, memlock_bytes=64 * MIB).name)
        finally:
            conn.close()

    def take(self, lease: str, *names: str, given: bool = True) -> Context:
        """Claim a lease of these devices; has it spaces of its own (given)?"""
        self.leases.append(lease)
        self.names += names
        answer = ok(self.tell("claim", lease))
        for number, name in enumerate(names):
            kind = Edu if name.startswith(("EDU", "PAIR", "BRIDGED")) \
                else Device
            self.devices.append(kind(self, name, answer[f"device{number}"]))
        self.contexts.append(
            Container(self, answer.iommufd, given) if TYPE1 else
            Context(self, answer.iommufd))
        return self.contexts[-1]

    @property
    def context(self) -> Context:
        """Of the first lease."""
        return self.contexts[0]

    @property
    def iommufd(self) -> int:
        """Its descriptor."""
        return self.contexts[0].fd

    def device(self, name: str) -> Any:
        """A device of it by name."""
        return next(device for device in self.devices if device.name == name)

    def kill(self) -> None:
        """SIGKILL, and it is gone; its children may live on."""
        if self.popen.poll() is None:
            self.popen.kill()
        self.popen.wait(60)
        for pipe in (self.popen.stdin, self.popen.stdout):
            if pipe:
                try:
                    pipe.close()
                except BrokenPipeError:
                    pass

    def leave(self) -> int:
        """It is killed, and a child with all it had obeys in its place; whose
        pid."""
        self.heir = int(ok(self.tell("leave")).pid)
        self.popen.kill()
        self.popen.wait(60)
        return self.heir

    def kill_heir(self) -> None:
        """SIGKILL for who obeys in its place."""
        pid, self.heir = self.heir, 0
        if pid and alive(pid):
            os.kill(pid, signal.SIGKILL)
            wait(lambda: not alive(pid), 10, "the heir has ended")

    def kill_all(self) -> None:
        """The same, and its children are gone, too."""
        self.kill_heir()
        self.kill()
        while self.children:
            pid = self.children.pop().pid
            if alive(pid):
                os.kill(pid, signal.SIGKILL)
                wait(lambda: not alive(pid), 10, "the child has ended")

    def ended(self, seconds: float = 60) -> list[dict[str, Any]]:
        """Kill it; its leases as they are when all of them have ended."""
        self.kill()
        return [self.daemon.wait_lease(lease, "ENDED", seconds)
                for lease in self.leases]
