# SPDX-License-Identifier: Apache-2.0
"""ioasidctl machine capture: the simulation of a host is like the host."""

import json
import subprocess

import pytest

# What is of a boot, or of a moment, and not of the machine.
FLEETING = {"revision", "etag", "probed", "bindUs"}


def lasting(value):
    """JSON without what is another each time."""
    if isinstance(value, dict):
        return {key: lasting(item) for key, item in value.items()
                if key not in FLEETING}
    if isinstance(value, list):
        return [lasting(item) for item in value]
    return value


def look(machine):
    """What people see of devices, groups and so of IOMMUs."""
    return {"devices": lasting(machine.ctl("devices", "--all")),
            "groups": lasting(machine.ctl("groups"))}


def capture(machine, folder):
    """Let it describe itself; the name of the description."""
    done = subprocess.run(
        [machine.build / "ioasidctl", "machine", "capture"],
        env=machine.environment, capture_output=True, text=True, timeout=60,
        check=True)
    json.loads(done.stdout)
    (folder / "captured.json").write_text(done.stdout, encoding="utf-8")
    return folder / "captured"


@pytest.mark.parametrize("name, prepared", [
    ("testbed", ["0000:01:00.0", "0000:05:00.1"]),
    ("vtd-server", ["0000:66:00.0", "0000:18:00.0", "0000:1c:00.1"]),
    ("amd-server", ["0000:05:00.0", "0000:22:00.0"]),
    ("arm-smmuv3", ["0009:01:00.0", "0005:01:00.0"]),
    ("laptop", ["0000:03:00.0"]),
    ("power-pseries", []),
    ("many-vfs", []),
])
def test_simulation_of_a_captured_host_shows_the_same(
        make_machine, tmp_path, name, prepared):
    host = make_machine(name)
    host.start()
    for bdf in prepared:
        host.ctl("prepare", "--allow-no-reset", bdf)
    copy = make_machine(capture(host, tmp_path))
    copy.start()
    # It begins as the host did, with nothing prepared.
    for bdf in prepared:
        assert copy.device(bdf)["state"] == "HOST"
        copy.ctl("prepare", "--allow-no-reset", bdf)
    assert look(copy) == look(host)


def test_what_was_not_probed_is_said_to_be_usual(make_machine, tmp_path):
    host = make_machine("testbed")
    host.start()
    text = capture(host, tmp_path).with_suffix(".json").read_text("utf-8")
    iommu = json.loads(text)["iommus"][0]
    assert iommu["aperture"] == {"start": "0x0", "last": "0xffffffffffff"}
    assert "No device behind it was probed" in iommu["note"]
    assert "hw_info" not in iommu
    host.ctl("prepare", "0000:01:00.0")
    text = capture(host, tmp_path).with_suffix(".json").read_text("utf-8")
    iommu = json.loads(text)["iommus"][0]
    assert "note" not in iommu
    assert iommu["hw_info"]["type"] == 1
