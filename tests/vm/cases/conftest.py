"""What every case in the test machine may use.

The devices are in the environment (tests/vm/README.md lists them); the fixture
testbed wraps them. A case that has taken a device to another driver gives it
back: the fixture does that after each test.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

PCI = Path("/sys/bus/pci")


class Testbed:
    """The machine as the environment describes it, and what cases do to it."""

    def __init__(self) -> None:
        self.iommu = os.environ["IOMMU"]
        self.taken: dict[str, str] = {}

    def bdf(self, name: str) -> str:
        """PCI address of a device: EDU0, NVME1, PAIR0, ..."""
        return os.environ[name]

    def sysfs(self, name: str) -> Path:
        """Its folder."""
        return PCI / "devices" / self.bdf(name)

    def group(self, name: str) -> Path:
        """The folder of its IOMMU group."""
        return (self.sysfs(name) / "iommu_group").resolve()

    def driver(self, name: str) -> str:
        """The driver that is bound, or an empty string."""
        try:
            return Path(os.readlink(self.sysfs(name) / "driver")).name
        except FileNotFoundError:   # none, or the device is just going
            return ""

    def switch(self, name: str, driver: str) -> None:
        """Bind the device to that driver by driver_override, as root would."""
        dev = self.sysfs(name)
        self.taken.setdefault(name, self.driver(name))
        if (dev / "driver").exists():
            (dev / "driver/unbind").write_text(self.bdf(name))
        (dev / "driver_override").write_text(driver or "\n")
        if driver or self.taken[name]:
            (PCI / "drivers_probe").write_text(self.bdf(name))

    def cdev(self, name: str) -> Path:
        """The VFIO cdev of a device that is bound to vfio-pci."""
        entry = next((self.sysfs(name) / "vfio-dev").iterdir())
        return Path("/dev/vfio/devices") / entry.name

    def restore(self) -> None:
        """Every device back to the driver it had."""
        while self.taken:
            name, driver = self.taken.popitem()
            self.taken[name] = driver
            self.switch(name, "")
            del self.taken[name]
            # nvme scans its namespaces after the probe.
            end = time.monotonic() + 120
            while self.driver(name) != driver and time.monotonic() < end:
                time.sleep(0.05)
            assert self.driver(name) == driver, f"{name} not restored"


@pytest.fixture
def testbed() -> Iterator[Testbed]:
    """The machine; devices are put back after the test."""
    machine = Testbed()
    yield machine
    machine.restore()


def pytest_collection_modifyitems(config: pytest.Config,
                                  items: list[pytest.Item]) -> None:
    """Leave out what is not for this machine, so that no skip hides in a run.

    A case says by skipif which machines it is for; it is not part of the plan of
    the others. A skip inside a test stays a skip, and fails `make check`.
    """
    out = [item for item in items
           if any(any(mark.args) for mark in item.iter_markers("skipif"))]
    if out:
        config.hook.pytest_deselected(items=out)
        items[:] = [item for item in items if item not in out]


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line(
        "markers", "sanitize: also run on the builds with sanitizers")
