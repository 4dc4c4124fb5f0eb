# SPDX-License-Identifier: Apache-2.0
"""Holders on libioasid's mappings: the examples, on the simulated machine.

What each call does and what is said of each refusal is in
tests/conformance/test_library.py.
"""

import re
import shutil
import subprocess

import pytest

from conftest import BUILD, ROOT
from daemon import NOBODY

EDU = "0000:01:00.0"


def faults(sim):
    """How many transfers of the edu the IOMMU has refused."""
    line = next(line for line in sim.poke("state").splitlines()
                if line.startswith(f"device {EDU}"))
    return int(re.search(r" faults=(\d+)|$", line)[1] or 0)


def run(sim, name, *options):
    """An example as nobody, on a lease of the edu: what it said."""
    copy = sim.run / name
    shutil.copy(BUILD / "examples" / name, copy)
    lease = sim.ctl("lease", "create", "--uid", str(NOBODY), *options,
                    EDU)["name"]
    holder = sim.start_holder(str(copy), lease, uid=NOBODY)
    status = holder.process.wait(60)
    sim.wait_ended(lease)
    return status, holder.said()


def test_smallest_holder_maps_a_page_and_ends_the_mapping(sim):
    """The device writes into the memfd; once unmapped its DMA is a fault."""
    sim.ctl("prepare", EDU)
    status, said = run(sim, "dma")
    assert status == 0, said
    assert re.search(r"^0x[0-9a-f]+: through the device$", said, re.M), said
    assert "unmapped: out of reach" in said
    assert faults(sim) == 1
    assert sim.device(EDU)["state"] == "READY"


def test_software_viommu_copies_pages_and_replays_a_table(sim):
    """One mapping of all memory, a page at a time, and a move."""
    sim.ctl("prepare", EDU)
    status, said = run(sim, "shadow")
    assert status == 0, said
    assert said.splitlines() == ["mapped: page 6 has 'page 5'",
                                 "unmapped: page 6 has ''",
                                 "another table: page 7 has 'page 9'"]
    # What the guest had unmapped, and nothing else.
    assert faults(sim) == 1


def test_holder_without_a_lease_is_told_so_in_words(sim):
    sim.ctl("prepare", EDU)
    holder = sim.start_holder(str(BUILD / "examples/dma"),
                              "leases/01k8aaaaaaaaaaaaaaaaaaaaaa")
    assert holder.process.wait(60) == 1
    assert "[lease.not-found]" in holder.said(), holder.said()


@pytest.mark.parametrize("name", ["map", "batch", "cdev", "container", "ioas",
                                  "kvm", "pagetable", "dirty", "fault"])
def test_map_path_neither_allocates_nor_locks_nor_talks(name):
    """By what the objects ask of others: a call, and the words of a refusal."""
    said = subprocess.run(
        ["nm", "--undefined-only", "--format=just-symbols",
         BUILD / f"obj/clients/libioasid/{name}.o"], capture_output=True,
        text=True, check=True).stdout
    asked = {symbol for symbol in said.split()
             if not re.match(r"__(asan|ubsan|tsan|stack_chk)|_GLOBAL_", symbol)
             # container.c's own, which is looked at in its turn.
             and not symbol.startswith("container_")}
    assert asked <= {
        "ioasid_ioctl", "ioctl", "call_again", "__errno_location", "fd_close", "fd_closep",
        "ioasid_map", "ioasid_map_file", "ioasid_copy", "ioasid_unmap",
        "explain_map", "explain_unmap", "explain_allow", "explain_object",
        "explain_attach", "explain_pin", "explain_descriptor", "fail_set",
        "fail_remedy",
        "explain_table", "explain_invalidate", "explain_dirty",
        "explain_viommu", "explain_vdevice", "explain_pasid", "explain_fault",
        "ioasid_table_nest", "ioasid_table_invalidate",
        "read", "write", "simfd_is", "simfd_pread", "simfd_pwrite",
        "str_copy", "str_format", "memset", "memcpy"}, asked


def test_examples_are_in_their_list():
    """clients/examples/README.md names each."""
    folder = ROOT / "clients/examples"
    listed = set(re.findall(r"^\| `([\w.]+)` \|",
                            (folder / "README.md").read_text(), re.M))
    assert listed == {path.name for path in folder.glob("*.[ch]")}
