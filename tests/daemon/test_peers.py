# SPDX-License-Identifier: Apache-2.0
"""Who is not root sees nothing that is not his, and changes nothing."""

import os

import pytest

from daemon import METHODS, NOBODY, Client, child

NO_DEVICE = "devices/pci-ffff-ff-1f.7"
NO_LEASE = "leases/01jd00000000000000000000zz"

OPEN = {"Host/GetVersion", "Devices/ListDevices", "Devices/GetDevice",
        "Leases/ListLeases", "Leases/GetLease", "Leases/ClaimLease",
        "Leases/AcknowledgeLease", "Leases/ReleaseLease",
        "Operations/ListOperations", "Operations/GetOperation",
        "Memory/CreateMemory", "Memory/MapMemory", "Memory/UnmapMemory",
        "Memory/ListMappings",
        "Operations/WaitOperation", "Operations/CancelOperation",
        "Spaces/ListSpaces", "Spaces/GetSpace", "Spaces/CreateSpace",
        "Spaces/DeleteSpace", "Spaces/SetWindows", "Spaces/AttachDevice",
        "Spaces/DetachDevice", "Windows/PlanWindows",
        "PageTables/ListPageTables", "PageTables/GetPageTable",
        "PageTables/CreatePageTable", "PageTables/RegisterPageTable",
        "PageTables/DeletePageTable", "PageTables/BindDevice",
        "PageTables/UnbindDevice", "PageTables/InvalidatePageTable",
        "PageTables/SetDirtyTracking", "PageTables/GetDirtyBitmap",
        "PageTables/OpenFaultQueue", "Policy/ListUsage"}


def refusals(path):
    """What each method says to an empty request; and who we are."""
    with Client(path) as client:
        return client.hello.uid, client.hello.pid, {
            name: client.refusal(name) for name in METHODS}


def test_only_root_may_prepare_restore_recover_and_lease(daemon):
    uid, _, said = child(refusals, daemon.socket)
    assert uid == NOBODY
    for name, error in said.items():
        if name.removeprefix("ioasid.v1.") in OPEN:
            assert error in ("ok", "request.invalid"), name
        else:
            assert error == "permission.denied", name
    assert "permission.denied" not in refusals(daemon.socket)[2].values()


def look(path, names):
    """What another uid sees of devices, leases and operations."""
    with Client(path) as client:
        return (len(client.call("Devices/ListDevices", all=True).devices),
                len(client.call("Leases/ListLeases", all=True).leases),
                len(client.call("Operations/ListOperations").operations),
                {client.refusal("Devices/GetDevice", name=name)
                 for name in names})


def test_others_see_nothing(daemon):
    with daemon.connect() as client:
        names = [d.name for d in client.call("Devices/ListDevices",
                                             all=True).devices]
    if not names:
        pytest.skip("this host has no PCI devices")
    assert child(look, daemon.socket, names) == (
        0, 0, 0, {"device.not-found"})


def try_dry_run(path, name):
    """Whether a dry run is allowed to another uid."""
    with Client(path) as client:
        return (client.refusal("Devices/PrepareDevice", name=name,
                               dry_run=True),
                client.refusal("Leases/CreateLease", devices=[name],
                               claimant={"uid": NOBODY}, dry_run=True),
                client.refusal("Leases/ClaimLease", name=NO_LEASE))


def test_a_dry_run_takes_the_permission_too(daemon):
    assert child(try_dry_run, daemon.socket, NO_DEVICE) == (
        "permission.denied", "permission.denied", "lease.not-found")


def who(path):
    """The connection of before, after the uid has changed."""
    with Client(path) as client:
        os.setresuid(NOBODY, NOBODY, NOBODY)
        first = client.refusal("Groups/ListGroups")
        with Client(path) as anew:
            return first, anew.refusal("Groups/ListGroups")


def test_a_connection_is_whose_it_was_when_it_was_made(daemon):
    assert child(who, daemon.socket, uid=0) == ("ok", "permission.denied")


def rude(path):
    """Bad input as nobody: refused before it is read."""
    flood = b"\x7a\x00" * 131072
    with Client(path) as client:
        said = []
        for name in ("Leases/CreateLease", "Leases/ReleaseLease",
                     "Devices/ListDevices"):
            client.send(name, flood)
            said.append(client.receive().error.id)
        # What others ask for is short: more than 64 KiB is not read.
        fill = b"\xfa\x01\x80\x80\x08" + bytes(131072)
        client.send("Leases/ReleaseLease", fill)
        said.append(client.receive().error.id)
        client.call("Devices/ListDevices")
        return said


def test_bad_input_of_others_is_refused(daemon):
    with daemon.others_served():
        assert child(rude, daemon.socket) == [
            "permission.denied", "request.too-complex",
            "request.too-complex", "request.too-complex"]
