"""What ioasidd believes of the kernel, asked of the kernel.

Each program of tests/vm/beliefs is named for one belief and is one test here:
exit 0, it is still so; 77, it cannot be asked on this machine; anything else is
a failure, and its words say what changed.
"""

import os
import platform
import subprocess
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[3]
SOURCES = sorted((TOP / "tests/vm/beliefs").glob("*.c"))
PROGRAMS = TOP / "build/tests/beliefs"
SKIPPED = 77
# What is asked without a device, and so without an IOMMU.
WITHOUT_DEVICE = ("allow-iovas-is-no-fence", "peek-installs-descriptors",
                  "peer-pidfd-is-there", "rlimit-mode-needs-empty-context")
# What is of one kind of processor.
X86_ONLY = ("irq-chip-tells-isolated-msi",)


def left_out(name: str) -> list[pytest.MarkDecorator]:
    """Why a belief cannot be asked on this machine."""
    return [
        pytest.mark.skipif(
            os.environ.get("IOMMU") == "none" and name not in WITHOUT_DEVICE,
            reason="there is no IOMMU"),
        pytest.mark.skipif(
            platform.machine() != "x86_64" and name in X86_ONLY,
            reason="nothing tells of interrupts beforehand on this processor")]


def test_there_are_beliefs():
    """An empty folder would pass all the others."""
    assert len(SOURCES) >= 25


@pytest.mark.parametrize("name", [
    pytest.param(source.stem, marks=left_out(source.stem))
    for source in SOURCES])
@pytest.mark.limit(150)
def test_belief(name):
    """The kernel still believes it."""
    done = subprocess.run([PROGRAMS / name], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=420,
                          check=False, env=os.environ)
    if done.returncode == SKIPPED:
        pytest.skip(done.stdout.strip())
    assert done.returncode == 0, done.stdout
