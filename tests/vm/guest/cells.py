"""pytest plugin of the test machine: what a run shows of the matrix.

The matrix (tests/vm/matrix) has a row for each machine and a column for each of
COLUMNS. A case says which cell it shows:

    @pytest.mark.cell("prepare")
    @pytest.mark.cell("prepare", only="none")	of that machine alone

and, where what it would show cannot be, it takes the fixture `impossible`, lets
the kernel refuse, and passes on what was seen:

    impossible(error.errno, "no IOMMU: there is nothing to ask")

$IOASID_RESULTS/cells.jsonl gets a line of JSON for each such case as soon as it
has ended, and one for each that this machine leaves out, with its reason; the
first line says which machine it is. Runs in one machine add to each other.
"""

import errno
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

# The columns of the matrix, and what a pass in them means.
COLUMNS = {
    "inventory": "devices, groups and IOMMUs are shown as the kernel has them",
    "prepare": "a device goes from its driver to VFIO, is probed, and goes back",
    "windows": "what is planned is promised in a space; what is reserved is refused",
    "transfer": "a stock QEMU without privilege boots a guest that reads a leased disk",
    "hold": "a holder maps memory and an edu carries bytes by DMA; a successor goes on",
    "reclaim": "after kill -9 of its holder a device is reset, checked and ready",
    "restart": "ioasidd is killed and started again while a lease is held",
}
Impossible = Callable[[int, str], None]
# ENOTSUP is the same number, and not what the kernel's manuals call it.
NAMES = {**errno.errorcode, errno.EOPNOTSUPP: "EOPNOTSUPP"}


class CellWriter:
    """Writes a line for each case that shows a cell."""

    def __init__(self, path: Path) -> None:
        self.file = open(path, "a", encoding="utf-8", buffering=1)
        self.write(machine=os.environ.get("IOMMU", ""), release=os.uname().release,
                   kernel_of=os.environ.get("KERNEL_OF", ""),
                   qemu=os.environ.get("QEMU_VERSION", ""))

    def write(self, **what: Any) -> None:
        """One line."""
        self.file.write(json.dumps(what) + "\n")

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        """What conftest has left out for the sake of the machine."""
        for item in items:
            reasons = [mark.kwargs.get("reason", "") for mark in
                       item.iter_markers("skipif") if any(mark.args)]
            for cell in cells_of(item) if reasons else []:
                self.write(cell=cell, case=item.nodeid, outcome="left out",
                           why=reasons[0])

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """The end of a case, or a failure before or after it."""
        if report.when != "call" and report.passed:
            return
        said = dict(report.user_properties)
        for cell in said.get("cells", ()):
            self.write(cell=cell, case=report.nodeid, outcome=report.outcome,
                       impossible=said.get("impossible"))


def cells_of(item: pytest.Item) -> list[str]:
    """The columns that a case shows something of."""
    kind = os.environ.get("IOMMU")
    cells = [str(name) for mark in item.iter_markers("cell")
             if mark.kwargs.get("only", kind) == kind for name in mark.args]
    for cell in cells:
        if cell not in COLUMNS:
            raise pytest.UsageError(f"{item.nodeid}: there is no cell '{cell}'")
    return cells


def pytest_itemcollected(item: pytest.Item) -> None:
    """Reports do not know markers; they know this."""
    cells = cells_of(item)
    if cells:
        item.user_properties.append(("cells", cells))


@pytest.fixture
def impossible(request: pytest.FixtureRequest) -> Impossible:
    """Say that the cell cannot be had on this machine, with the errno and the
    kernel's reason. The case has seen both."""
    def say(error: int, why: str) -> None:
        request.node.user_properties.append(
            ("impossible", {"errno": NAMES[error], "why": why}))

    return say


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, and the writer where results are kept."""
    config.addinivalue_line(
        "markers", "cell(name): the column of the matrix that this case shows")
    results = os.environ.get("IOASID_RESULTS")
    if results:
        config.pluginmanager.register(CellWriter(Path(results) / "cells.jsonl"),
                                      "ioasid-cells")
