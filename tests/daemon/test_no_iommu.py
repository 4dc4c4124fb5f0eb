# SPDX-License-Identifier: Apache-2.0
"""Devices without an IOMMU: what of the decision to take one is remembered.

What the kernel does with them is in tests/conformance/test_no_iommu.py.
"""

import json
import pathlib

import pytest
from test_capture import capture, look

from machine import Failed, wait

NONE = pathlib.Path(__file__).resolve().parents[1] / \
    "conformance/machines/none"
EDU, PORT = "0000:01:00.0", "0000:00:08.0"


@pytest.fixture
def bare(make_machine):
    """A machine without an IOMMU, in VFIO's no-IOMMU mode."""
    machine = make_machine(NONE)
    machine.start()
    return machine


def test_it_is_remembered_over_a_kill_and_a_boot(bare):
    """It is prepared again as it was, by a daemon that knows of it from its
    database only; and not, if the machine is not in that mode any more."""
    bare.ctl("prepare", "--allow-no-iommu", EDU)
    bare.restart()
    device = bare.device(EDU)
    assert (device["state"], device["noIommu"]) == ("READY", True)
    bare.poke("power-off")
    assert bare.process.wait(30) == 1
    bare.process = None
    bare.start()
    device = bare.wait_device(EDU, "READY")
    assert device["noIommu"]
    bare.ctl("restore", EDU)
    assert not bare.device(EDU)["noIommu"]
    # Given back, it takes the decision again.
    with pytest.raises(Failed) as failed:
        bare.ctl("prepare", EDU)
    assert failed.value.id == "device.no-group"


def test_somebody_elses_shows_it_too(bare):
    """Foreign, and listed with its group; a bridge stays one."""
    bare.poke(f"override {EDU} vfio-pci")
    bare.poke(f"probe {EDU}")
    device = wait(lambda: (found := bare.device(EDU))["state"] == "FOREIGN"
                  and found, "it is seen")
    assert device["noIommu"] and device["group"]
    for options in ([], ["--allow-no-iommu"]):
        with pytest.raises(Failed) as failed:
            bare.ctl("prepare", *options, EDU)
        assert failed.value.id == "device.foreign"
        with pytest.raises(Failed) as failed:
            bare.ctl("prepare", *options, PORT)
        assert failed.value.id == "device.bridge"


def test_it_is_captured_with_the_mode_and_without_its_group(
        bare, make_machine, tmp_path):
    """A simulation of what was captured shows the same."""
    for bdf in (EDU, "0000:03:00.0"):
        bare.ctl("prepare", "--allow-no-iommu", bdf)
    captured = capture(bare, tmp_path)
    text = json.loads(captured.with_suffix(".json").read_text("utf-8"))
    assert text["kernel"]["no_iommu_mode"]
    assert not text["groups"]
    assert not [device for device in text["devices"] if "group" in device]
    copy = make_machine(captured)
    copy.start()
    assert copy.device(EDU)["state"] == "HOST"
    for bdf in (EDU, "0000:03:00.0"):
        copy.ctl("prepare", "--allow-no-iommu", bdf)
    assert look(copy) == look(bare)


def test_nothing_guards_against_the_holder_of_one(bare):
    """What is not translated cannot be kept to what is mapped."""
    bare.ctl("prepare", "--allow-no-iommu", EDU)
    refused = bare.refused("lease", "create", "--mode", "guarded",
                           "--volatile", EDU)
    assert refused.id == "lease.mode"
    assert bare.device(EDU)["state"] == "READY"
