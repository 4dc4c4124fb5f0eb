# SPDX-License-Identifier: Apache-2.0
"""What there is is listed, page by page, and what is not is refused."""

import os

import pytest

from daemon import METHODS, PACKET_MAX

PCI = "/sys/bus/pci/devices"
NO_DEVICE = "devices/pci-ffff-ff-1f.7"
NO_LEASE = "leases/01jd00000000000000000000zz"
NO_OPERATION = "operations/01jd00000000000000000000zz"


def everything(client, method, field, **fields):
    """All objects of a list, over all its pages."""
    found, token = [], ""
    while True:
        page = client.call(method, page_token=token, **fields)
        found += getattr(page, field)
        token = page.next_page_token
        if not token:
            return found
        assert getattr(page, field), "an empty page that is not the last"


def test_the_hello_comes_first(daemon):
    with daemon.connect() as client:
        assert client.hello.contract == "ioasid.v1"
        assert client.hello.max_packet == PACKET_MAX
        assert client.hello.uid == 0
        assert client.hello.pid == os.getpid()


def test_the_version_names_this_boot(client):
    version = client.call("Host/GetVersion")
    assert version.contract == "ioasid.v1"
    assert version.daemon == client.hello.daemon
    assert version.kernel == os.uname().release
    assert version.backend == (
        "iommufd" if os.path.exists("/dev/iommu") else "none")
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        assert version.boot_id == file.read().strip()


def test_all_devices_are_those_of_sysfs(client):
    devices = everything(client, "Devices/ListDevices", "devices", all=True)
    assert [d.pci.bdf for d in devices] == sorted(os.listdir(PCI))
    for device in devices:
        folder = f"{PCI}/{device.pci.bdf}"
        with open(f"{folder}/vendor", encoding="ascii") as file:
            assert device.pci.vendor == int(file.read(), 16)
        driver = f"{folder}/driver"
        assert device.driver == (os.path.basename(os.readlink(driver))
                                 if os.path.exists(driver) else "")
        assert device.name == "devices/pci-" + device.pci.bdf.replace(":", "-")
        assert bool(device.group) == os.path.exists(f"{folder}/iommu_group")


def test_bridges_and_the_unisolated_are_listed_if_asked_for(client):
    every = everything(client, "Devices/ListDevices", "devices", all=True)
    some = everything(client, "Devices/ListDevices", "devices")
    assert [d.name for d in some] == \
        [d.name for d in every if d.group and not d.bridge]


@pytest.mark.parametrize("size", [1, 2, 1000])
def test_pages_of_each_size_make_the_whole(client, size):
    whole = everything(client, "Devices/ListDevices", "devices", all=True)
    pages = everything(client, "Devices/ListDevices", "devices", all=True,
                       page_size=size)
    assert pages == whole


def test_a_device_is_shown_as_it_is_listed(client):
    for device in everything(client, "Devices/ListDevices", "devices",
                             all=True):
        assert client.call("Devices/GetDevice", name=device.name) == device


def test_an_etag_stays_while_nothing_changes(client):
    first = client.call("Devices/ListDevices", all=True)
    again = client.call("Devices/ListDevices", all=True)
    assert first == again
    assert all(device.etag for device in first.devices)


def test_groups_and_iommus_are_listed(client):
    groups = everything(client, "Groups/ListGroups", "groups")
    folder = "/sys/kernel/iommu_groups"
    assert sorted(str(group.number) for group in groups) == \
        sorted(os.listdir(folder) if os.path.exists(folder) else [])
    for group in groups:
        assert client.call("Groups/GetGroup", name=group.name) == group
    everything(client, "Iommus/ListIommus", "iommus")


@pytest.mark.parametrize("method", [
    name for name in METHODS if "/List" in name and
    # One page; and of a lease, of which tests/daemon/test_guarded.py has some.
    name.rpartition(".")[2] not in ("Policy/ListUsage",
                                    "Memory/ListMappings")])
def test_a_list_refuses_what_is_no_page(client, method):
    assert client.refusal(method, page_size=1000) == "ok"
    assert client.refusal(method, page_size=1001) == "request.invalid"
    assert client.refusal(method, page_size=2 ** 32 - 1) == "request.invalid"
    for token in ("x", "devices", "other/x", "devices/X", "\x01", "é" * 20,
                  "operations/" + "a" * 200):
        assert client.refusal(method, page_token=token) == "list.bad-token"
    client.call(method)


def test_what_there_is_not_is_not_found(client):
    found = {
        "Devices/GetDevice": (NO_DEVICE, "device.not-found"),
        "Devices/PrepareDevice": (NO_DEVICE, "device.not-found"),
        "Devices/RestoreDevice": (NO_DEVICE, "device.not-found"),
        "Devices/RecoverDevice": (NO_DEVICE, "device.not-found"),
        "Groups/GetGroup": ("groups/pci-ffff-ff-1f.7", "group.not-found"),
        "Leases/GetLease": (NO_LEASE, "lease.not-found"),
        "Leases/ClaimLease": (NO_LEASE, "lease.not-found"),
        "Leases/AcknowledgeLease": (NO_LEASE, "lease.not-found"),
        "Leases/ReleaseLease": (NO_LEASE, "lease.not-found"),
        "Operations/GetOperation": (NO_OPERATION, "operation.not-found"),
        "Operations/WaitOperation": (NO_OPERATION, "operation.not-found"),
    }
    for method, (name, error) in found.items():
        assert client.refusal(method, name=name) == error, method


@pytest.mark.parametrize("name", [
    "", "x", "devices/", "devices", "groups/", "/", "../etc", "devices/A",
    "devices/a b", "devices/a/b", "devices/é", "leases/\n", "x" * 1000,
    "operations/" + "x" * 300], ids=lambda name: repr(name[:12]))
def test_what_is_no_name_is_refused(client, name):
    for method, (request, _) in METHODS.items():
        if "name" in request.DESCRIPTOR.fields_by_name:
            assert client.refusal(method, name=name) == "request.invalid"


def test_an_error_says_what_and_why(client):
    client.send("Devices/GetDevice",
                METHODS["ioasid.v1.Devices/GetDevice"][0](
                    name=NO_DEVICE).SerializeToString())
    error = client.receive().error
    assert error.id == "device.not-found"
    assert error.object == NO_DEVICE
    assert NO_DEVICE in error.message
    assert "ioasidctl devices" in error.remedy


def test_an_unknown_method_is_named(client):
    for name in ("Devices/Nothing", "ioasid.v2.Devices/ListDevices",
                 "ListDevices", "devices.ListDevices/", "x" * 1000):
        number = client.send(name)
        answer = client.receive()
        assert answer.id == number
        assert answer.error.id == "request.unknown-method"


def test_an_unisolated_device_is_not_prepared(client):
    for device in client.call("Devices/ListDevices", all=True).devices:
        if device.group or device.bridge:
            continue
        assert client.refusal("Devices/PrepareDevice", name=device.name,
                              dry_run=True) == "device.no-group"
        break
    else:
        pytest.skip("an IOMMU isolates all devices of this host")


def test_a_bridge_is_not_prepared(client):
    for device in client.call("Devices/ListDevices", all=True).devices:
        if device.bridge:
            assert client.refusal("Devices/PrepareDevice", name=device.name,
                                  dry_run=True) == "device.bridge"
            break
    else:
        pytest.skip("this host has no bridge")


def test_a_driver_has_a_drivers_name(client):
    for driver in ("../vfio-pci", "vfio pci", "a\nb", "x" * 64, "é"):
        assert client.refusal("Devices/PrepareDevice", name=NO_DEVICE,
                              driver=driver, dry_run=True) \
            == "request.invalid"


def test_an_offer_is_looked_at_closely(client):
    good = {"devices": [NO_DEVICE], "claimant": {"uid": 65534}}

    def refusal(**fields):
        return client.refusal("Leases/CreateLease", **{**good, **fields})

    assert refusal() == "device.not-found"
    assert refusal(dry_run=True) == "device.not-found"
    assert refusal(claimant=None) == "request.invalid"
    assert refusal(claimant={"uid": 1, "pid": -1}) == "request.invalid"
    assert refusal(claimant={"uid": 2 ** 32 - 1}) == "request.invalid"
    assert refusal(devices=[]) == "lease.devices"
    assert refusal(devices=[NO_DEVICE] * 2) == "lease.devices"
    assert refusal(devices=[f"devices/{i}" for i in range(65)]) \
        == "lease.devices"
    assert refusal(devices=["x"]) == "request.invalid"
    assert refusal(labels={str(i): "x" for i in range(33)}) \
        == "request.invalid"
    assert refusal(labels={"x" * 64: "x"}) == "request.invalid"
    assert refusal(labels={"": "x"}) == "request.invalid"
    assert refusal(labels={"x": "x" * 256}) == "request.invalid"
    assert refusal(request_id="x" * 65) == "request.invalid"
    assert refusal(expires={"seconds": -1}) == "request.invalid"
    assert refusal(expires={"seconds": 2 ** 62}) == "request.invalid"
    assert refusal(expires={"seconds": 1}) == "request.invalid"
    assert refusal(expires={"seconds": 2 ** 33, "nanos": -1}) \
        == "request.invalid"
    assert refusal(memlock_bytes=1, memlock_unlimited=True) \
        == "lease.memlock"
    for device in client.call("Devices/ListDevices", all=True).devices:
        if not device.lease:
            assert refusal(devices=[device.name], dry_run=True) in (
                "device.not-ready", "ok", "lease.devices")


def test_waiting_has_a_longest(client):
    assert client.refusal("Operations/WaitOperation", name=NO_OPERATION,
                          timeout_ms=600001) == "request.invalid"
    assert client.refusal("Operations/WaitOperation", name=NO_OPERATION,
                          timeout_ms=600000) == "operation.not-found"
