# SPDX-License-Identifier: Apache-2.0
"""Where the suite runs: on a real kernel, or on the simulated machine.

The real one is the test machine (tests/vm): what root does to devices there is
done through sysfs. On the simulated one the same is said to ioasidd-sim by
--poke. Cases see no difference: they are given a World.

IOASID_MACHINE names a description, and so the simulation; without it the real
kernel is taken if the environment is that of the test machine (IOMMU, EDU0,
...), and the simulation of the test machine elsewhere.

IOASID_BACKEND=type1 has the daemon use VFIO's containers, on a real kernel that
has both.
"""

import importlib.machinery
import importlib.util
import json
import mmap
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

TOP = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("IOASID_BUILD") or
             TOP / os.environ.get("BUILD", "build"))
TESTBED = TOP / "packaging/machines/testbed.json"
PCI = Path("/sys/bus/pci")
REAL = "IOMMU" in os.environ and "IOASID_MACHINE" not in os.environ
BACKEND = os.environ.get("IOASID_BACKEND", "iommufd")
TYPE1 = BACKEND == "type1"


def load(name: str, path: Path) -> Any:
    """A python file as a module of that name, whatever its own name is."""
    loader = importlib.machinery.SourceFileLoader(name, str(path))
    spec = importlib.util.spec_from_loader(name, loader)
    assert spec
    module = importlib.util.module_from_spec(spec)
    sys.dont_write_bytecode = True
    loader.exec_module(module)
    return module


def kind_of(machine: dict[str, Any]) -> str:
    """Which of the test machine's IOMMUs a description has."""
    # That of iommufd's own tests has nothing behind it.
    used = {device.get("iommu") for device in machine["devices"]}
    units = [unit for unit in machine["iommus"] if unit["name"] in used]
    if not units:
        return "none"
    unit = units[0]
    if unit["family"] != "vt-d":
        return str(unit["family"]).partition("-")[0]
    # ECAP.SMTS: it has a scalable mode.
    return "vtd-scalable" if int(unit["registers"]["ecap"], 16) >> 43 & 1 \
        else "vtd-legacy"


def enter_simulation() -> None:
    """Make the environment that of the test machine, for a simulated one."""
    path = Path(os.environ.setdefault("IOASID_MACHINE", str(TESTBED)))
    machine = json.loads(path.read_text())
    there = {device["bdf"] for device in machine["devices"]}
    # It knows where the test machine has its devices.
    module = load("machines", TOP / "tests/vm/machines.py")
    ports = {**module.DEVICES, **module.BRIDGED}
    names = ports if ports["EDU0"] in there else module.FLAT
    for name in ports:
        os.environ.pop(name, None)
        if names.get(name) in there:
            os.environ[name] = names[name]
    os.environ["IOMMU"] = kind_of(machine)
    os.environ["IOASID_BUILD"] = str(BUILD)
    os.environ["PATH"] = f"{BUILD}:{os.environ['PATH']}"


def privileged() -> bool:
    """Has root CAP_SYS_RESOURCE here (bit 24)? In many containers not."""
    words = Path("/proc/self/status").read_text()
    return bool(int(words.partition("CapEff:")[2].split()[0], 16) >> 24 & 1)


if not REAL:
    enter_simulation()
if privileged():
    os.environ["IOASID_PRIVILEGED"] = "1"
sys.path.insert(0, str(TOP / "tests/vm/cases"))

# pylint: disable=wrong-import-position
import ioasid  # noqa: E402  (needs the environment and the path above)

IOMMU = os.environ["IOMMU"]
# What is in front of the devices translates their DMA; it reserves addresses,
# isolates groups, says what it is; all of 64 bits can be used, but for a hole.
TRANSLATED = IOMMU != "none" and not ioasid.FLAT
RESERVING = GROUPED = INFORMED = IOMMU != "none"
WIDE = IOMMU in ("none", "amd")
# Each device is alone behind a port of its own.
PORTED = "EDU0_PORT" in os.environ


class Background(threading.Thread):
    """Something that may wait for long, such as an unbind."""

    def __init__(self, function: Callable[[], Any]) -> None:
        super().__init__(daemon=True)
        self.function = function
        self.start()

    def run(self) -> None:
        """Its errors show in what becomes of the device."""
        try:
            self.function()
        except (OSError, AssertionError):
            pass

    def over(self, seconds: float) -> bool:
        """Has it ended within that time?"""
        self.join(seconds)
        return not self.is_alive()


class World:
    """What root does to the machine, and sees of it, beside the daemon."""

    name = ""

    def bdf(self, name: str) -> str:
        """PCI address of a device: EDU0, PAIR1, ..."""
        return os.environ[name]

    def has(self, name: str) -> bool:
        """Is there such a device?"""
        return name in os.environ

    def daemon(self) -> ioasid.Ioasidd:
        """A daemon of this machine, not started."""
        raise NotImplementedError

    def driver(self, name: str) -> str:
        """The driver that is bound, or an empty string."""
        raise NotImplementedError

    def set_override(self, name: str, driver: str) -> None:
        """Write driver_override; an empty one clears it."""
        raise NotImplementedError

    def probe(self, name: str) -> str:
        """Write drivers_probe: "ok", or the errno's name."""
        raise NotImplementedError

    def unbind(self, name: str) -> None:
        """Take the driver off; no driver: nothing. May wait."""
        raise NotImplementedError

    def remove(self, name: str) -> None:
        """Let the kernel forget the device. May wait."""
        raise NotImplementedError

    def add(self, name: str) -> None:
        """Let the kernel find it again."""
        raise NotImplementedError

    def dead(self, name: str, on: bool) -> None:
        """The bus in front of the device leads nowhere (on), or does again."""
        raise NotImplementedError

    def config(self, name: str, at: int, size: int,
               value: int | None = None) -> int:
        """Read configuration space as the host does, or write it first."""
        raise NotImplementedError

    def write_bar(self, name: str, at: int, value: int) -> None:
        """Write 4 bytes of BAR 0 as the host does."""
        raise NotImplementedError

    def read_bar(self, name: str, at: int) -> int:
        """Read 4 bytes of it."""
        raise NotImplementedError

    def mounted(self, name: str) -> Any:
        """A context in which the disk of an NVMe is mounted; it gives where."""
        raise NotImplementedError

    def unsafe_interrupts(self, allowed: bool) -> None:
        """iommufd.allow_unsafe_interrupts."""
        raise NotImplementedError

    def no_iommu_mode(self, on: bool) -> None:
        """vfio.enable_unsafe_noiommu_mode."""
        raise NotImplementedError

    def faults(self, name: str) -> set[int]:
        """Pages of which the IOMMU has reported that a device was refused."""
        raise NotImplementedError

    def switch(self, name: str, driver: str) -> str:
        """Give a device to that driver, as root would; what probe said."""
        self.unbind(name)
        self.set_override(name, driver)
        return self.probe(name)

    def settle(self, name: str, driver: str, seconds: float = 30) -> None:
        """Until it has that driver."""
        ioasid.wait(lambda: self.driver(name) == driver, seconds,
                    f"{name} has driver '{driver}'")


def errno_of(call: Callable[[], Any]) -> str:
    """ "ok", or the name of the errno that it raises."""
    import errno  # pylint: disable=import-outside-toplevel
    try:
        call()
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return "ok"


class RealWorld(World):
    """The test machine."""

    name = "kernel"

    def folder(self, name: str) -> Path:
        """Of a device in sysfs."""
        return PCI / "devices" / self.bdf(name)

    def daemon(self) -> ioasid.Ioasidd:
        cases = load("testbed", TOP / "tests/vm/cases/conftest.py")
        return ioasid.Ioasidd(cases.Testbed())

    def driver(self, name: str) -> str:
        try:
            return Path(os.readlink(self.folder(name) / "driver")).name
        except FileNotFoundError:   # none, or the device is just going
            return ""

    def set_override(self, name: str, driver: str) -> None:
        (self.folder(name) / "driver_override").write_text(driver or "\n")

    def probe(self, name: str) -> str:
        return errno_of(
            lambda: (PCI / "drivers_probe").write_text(self.bdf(name)))

    def unbind(self, name: str) -> None:
        if self.driver(name):
            (self.folder(name) / "driver/unbind").write_text(self.bdf(name))

    def remove(self, name: str) -> None:
        (self.folder(name) / "remove").write_text("1")

    def add(self, name: str) -> None:
        (PCI / "rescan").write_text("1")

    def dead(self, name: str, on: bool) -> None:
        bus = "fe" if on else self.bdf(name).split(":")[1]
        subprocess.run(["setpci", "-s", self.bdf(f"{name}_PORT"),
                        f"SECONDARY_BUS={bus}"], check=True)

    def config(self, name: str, at: int, size: int,
               value: int | None = None) -> int:
        fd = os.open(self.folder(name) / "config", os.O_RDWR | os.O_CLOEXEC)
        try:
            if value is not None:
                os.pwrite(fd, value.to_bytes(size, "little"), at)
            return int.from_bytes(os.pread(fd, size, at), "little")
        finally:
            os.close(fd)

    @contextmanager
    def bar(self, name: str) -> Iterator[mmap.mmap]:
        """The first page of BAR 0, with the function awake and memory on."""
        control = self.folder(name) / "power/control"
        if control.exists():
            control.write_text("on")
        self.config(name, 4, 2, self.config(name, 4, 2) | 2)
        fd = os.open(self.folder(name) / "resource0", os.O_RDWR | os.O_CLOEXEC)
        try:
            with mmap.mmap(fd, 4096) as page:
                yield page
        finally:
            os.close(fd)
            if control.exists():
                control.write_text("auto")

    def write_bar(self, name: str, at: int, value: int) -> None:
        with self.bar(name) as page, memoryview(page).cast("I") as words:
            words[at // 4] = value

    def read_bar(self, name: str, at: int) -> int:
        with self.bar(name) as page, memoryview(page).cast("I") as words:
            return int(words[at // 4])

    @contextmanager
    def mounted(self, name: str) -> Iterator[str]:
        def disk() -> Path | None:
            for folder in self.folder(name).glob("nvme/nvme*/nvme*n1"):
                node = Path("/dev") / folder.name
                if node.is_block_device():
                    return node
            return None

        node = ioasid.wait(disk, 30, f"{name} has a disk")
        where = tempfile.mkdtemp(dir="/run")
        subprocess.run(["mount", node, where], check=True)
        try:
            yield where
        finally:
            subprocess.run(["umount", where], check=True)

    def unsafe_interrupts(self, allowed: bool) -> None:
        Path("/sys/module/iommufd/parameters/allow_unsafe_interrupts"
             ).write_text("Y" if allowed else "N")

    def faults(self, name: str) -> set[int]:
        """By the kernel's log, which is where Linux reports them."""
        place = self.bdf(name).partition(":")[2]
        return {address & -4096 for device, address in ioasid.faults()
                if device == place}

    def no_iommu_mode(self, on: bool) -> None:
        Path("/sys/module/vfio/parameters/enable_unsafe_noiommu_mode"
             ).write_text("Y" if on else "N")


class NoTestbed:
    """What class Ioasidd asks of the machine's devices; it has them not."""

    taken: dict[str, str] = {}

    def driver(self, _name: str) -> str:
        """Nobody puts a simulated device back: its machine ends."""
        return ""


class SimIoasidd(ioasid.Ioasidd):
    """ioasidd-sim; its machine ends a moment after it."""

    program = ("ioasidd-sim", "--machine", os.environ.get("IOASID_MACHINE", ""),
               "--machine-linger", "1")

    def put_back(self) -> None:
        """There is nothing to be put back."""


class SimWorld(World):
    """The simulated machine."""

    name = "simulation"

    def __init__(self) -> None:
        self.state: Path | None = None

    def daemon(self) -> ioasid.Ioasidd:
        daemon = SimIoasidd(NoTestbed())
        self.state = daemon.state
        return daemon

    def poke(self, *words: str) -> str:
        """What the machine answers."""
        done = subprocess.run(
            ["ioasidd-sim", "--state-dir", str(self.state), "--poke",
             " ".join(words)], capture_output=True, text=True, check=False,
            stdin=subprocess.DEVNULL)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def line(self, name: str) -> list[str]:
        """What the machine's state says of a device."""
        for line in self.poke("state").splitlines():
            words = line.split()
            if words[:2] == ["device", self.bdf(name)]:
                return words[2:]
        raise AssertionError(f"no {name} in the machine")

    def driver(self, name: str) -> str:
        for word in self.line(name):
            if word.startswith("driver="):
                return word.removeprefix("driver=")
        return ""

    def set_override(self, name: str, driver: str) -> None:
        self.poke("override", self.bdf(name), driver or "none")

    def probe(self, name: str) -> str:
        return self.poke("probe", self.bdf(name)).strip()

    def unbind(self, name: str) -> None:
        self.poke("unbind", self.bdf(name))

    def remove(self, name: str) -> None:
        self.poke("remove", self.bdf(name))

    def add(self, name: str) -> None:
        self.poke("add", self.bdf(name))

    def dead(self, name: str, on: bool) -> None:
        self.poke("dead", self.bdf(name), "on" if on else "off")

    def config(self, name: str, at: int, size: int,
               value: int | None = None) -> int:
        words = ["config", self.bdf(name), str(at), str(size)]
        if value is not None:
            words.append(str(value))
        return int(self.poke(*words), 0)

    def write_bar(self, name: str, at: int, value: int) -> None:
        self.poke("bar", self.bdf(name), str(at), str(value))

    def read_bar(self, name: str, at: int) -> int:
        return int(self.poke("bar", self.bdf(name), str(at)), 0)

    @contextmanager
    def mounted(self, name: str) -> Iterator[str]:
        self.poke("users", self.bdf(name), "mount", "/mnt")
        try:
            yield "/mnt"
        finally:
            self.poke("users", self.bdf(name), "none")

    def unsafe_interrupts(self, allowed: bool) -> None:
        self.poke("unsafe-interrupts", "on" if allowed else "off")

    def faults(self, name: str) -> set[int]:
        """The last one is enough for a case."""
        return {int(word.removeprefix("fault="), 16)
                for word in self.line(name) if word.startswith("fault=")}

    def no_iommu_mode(self, on: bool) -> None:
        self.poke("no-iommu", "on" if on else "off")


def world() -> World:
    """The one that this run is in."""
    return RealWorld() if REAL else SimWorld()
