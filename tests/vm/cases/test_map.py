# SPDX-License-Identifier: Apache-2.0
"""Holders on libioasid's mappings, on a real kernel: examples, KVM.

Each call and each refusal is in tests/conformance/test_library.py.
"""

import re

import pytest
from ioasid import BUILD, FLAT, IOMMU, NOBODY, PROGS, Ioasidd, faults

pytest_plugins = ["ioasid"]
pytestmark = pytest.mark.skipif(IOMMU == "none", reason="there is no IOMMU")
translated = pytest.mark.skipif(
    FLAT, reason="QEMU 10's AMD IOMMU does not translate DMA")


@translated
def test_smallest_holder_sees_a_fault_where_it_has_unmapped(
        ioasidd: Ioasidd) -> None:
    """clients/examples/dma.c: the device writes into a memfd, and then not."""
    ioasidd.prepare("EDU0")
    before = len(faults())
    client = ioasidd.run(BUILD / "examples/dma", ioasidd.offer("EDU0"),
                         uid=NOBODY)
    assert client.wait() == 0, client.output()
    found = re.search(r"^(0x[0-9a-f]+): through the device$", client.output(),
                      re.M)
    assert found, client.output()
    assert "unmapped: out of reach" in client.output()
    new = faults()[before:]
    assert new
    # QEMU's AMD IOMMU says device 0 and address 0, whatever it refuses.
    assert IOMMU == "amd" or int(found[1], 16) >> 12 in {
        address >> 12 for _, address in new}, new


@translated
def test_software_viommu_copies_pages_and_replays_a_table(
        ioasidd: Ioasidd) -> None:
    """clients/examples/shadow.c, with the pages pinned by a page table."""
    ioasidd.prepare("EDU0")
    client = ioasidd.run(BUILD / "examples/shadow", ioasidd.offer("EDU0"),
                         uid=NOBODY)
    assert client.wait() == 0, client.output()
    assert client.output().splitlines() == [
        "mapped: page 6 has 'page 5'", "unmapped: page 6 has ''",
        "another table: page 7 has 'page 9'"]


def test_device_is_added_to_a_virtual_machine(ioasidd: Ioasidd) -> None:
    """Before BIND and after it; KVM has it open; refusals in words."""
    ioasidd.prepare("EDU0")
    lease = ioasidd.offer("EDU0", uid=0)
    client = ioasidd.run(PROGS / "kvm-add", lease)
    assert client.wait() == 0, client.output()
    assert client.output().count("was as it should") == 13, client.output()
    ioasidd.wait_lease(lease, "ENDED")
    ioasidd.wait_device("EDU0", "READY")
