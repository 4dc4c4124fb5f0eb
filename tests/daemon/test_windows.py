# SPDX-License-Identifier: Apache-2.0
"""Windows are planned for the devices of simulated machines, or it is said what
is in the way.
"""

import pytest

from daemon import METHODS, Client, Refused, child
from machine import Machine

GIB, TIB = 1 << 30, 1 << 40
TOP = (1 << 64) - 1
DMA32, RAM = 1, 2
PAPR = [{"size": 2 * GIB, "start": 0, "page_sizes": 1 << 12},
        {"size": TIB, "start": 1 << 59, "page_sizes": 1 << 16}]
MSI = (0xfee00000, 0xfeefffff)


def name(bdf: str) -> str:
    """The resource name of a device."""
    return "devices/pci-" + bdf.replace(":", "-")


EDU, OTHER_EDU = name("0000:01:00.0"), name("0000:02:00.0")


@pytest.fixture(name="prepared")
def fixture_prepared(make_machine):
    """Makes a machine with these devices prepared; a connection as root."""
    clients: list[Client] = []

    def make(machine: str, *bdfs: str) -> Client:
        one: Machine = make_machine(machine)
        one.start()
        for bdf in bdfs:
            one.ctl("prepare", bdf)
        clients.append(one.connect())
        return clients[-1]

    yield make
    for client in clients:
        client.close()


def plan(client: Client, devices: list[str], *windows: dict):
    """The answer, which must be one."""
    return client.call("Windows/PlanWindows", devices=devices,
                       windows=windows)


def placed(client: Client, devices: list[str],
           *windows: dict) -> list[tuple[int, int]]:
    """Where windows are."""
    return [(one.start, one.last)
            for one in plan(client, devices, *windows).windows]


def refusal(client: Client, devices: list[str], *windows: dict):
    """The error, which there must be."""
    with pytest.raises(Refused) as refused:
        plan(client, devices, *windows)
    return refused.value.error


def causes(error) -> list[tuple[str, str, str]]:
    """What stands in the way."""
    return [(one.kind, one.name, one.detail) for one in error.causes]


# --- without devices ---

def test_without_devices_there_are_no_limits(client):
    answer = plan(client, [], {"size": 4096}, *PAPR)
    assert [(one.start, one.last) for one in answer.iova_ranges] == [(0, TOP)]
    assert answer.iova_alignment == 4096
    assert answer.revision == client.call("Host/GetVersion").revision
    assert [(one.start, one.last) for one in answer.windows] == [
        (0, 2 * GIB - 1), (2 * GIB, 2 * GIB + 4095),
        (1 << 59, (1 << 59) + TIB - 1)]
    assert [one.page_sizes for one in answer.windows] == [4096, 4096, 65536]


def test_what_cannot_be_is_refused(client):
    wrong = [{"size": 0}, {"size": 100}, {"size": 4096, "start": 1},
             {"size": 8192, "start": TOP - 4095},
             {"size": 8 * GIB, "purpose": DMA32},
             {"size": 4096, "page_sizes": 1}]
    for wish in wrong:
        error = refusal(client, [], {"size": 4096}, wish)
        assert error.id == "window.invalid"
        assert error.message.startswith("window 2: "), error.message
    error = refusal(client, [], {"size": 8192, "start": 0}, {"size": 4096},
                    {"size": 4096, "start": 4096})
    assert error.id == "window.invalid"
    assert error.message == \
        "windows 1 (0x0-0x1fff) and 3 (0x1000-0x1fff) overlap"
    for n in (65, 1000):
        error = refusal(client, [], *[{"size": 4096}] * n)
        assert error.id == "window.invalid" and str(n) in error.message
    assert refusal(client, [], *[{"size": 4096}] * 10000).id == \
        "request.too-complex"
    error = refusal(client, [], {"size": 4096, "purpose": 3})
    assert error.id == "request.invalid"
    assert "purpose" in error.message


def test_devices_are_looked_at_closely(client):
    assert refusal(client, ["x"]).id == "request.invalid"
    assert refusal(client, ["devices/pci-ffff-ff-1f.7"]).id == \
        "device.not-found"
    assert refusal(client, ["devices/a"] * 2).id == "request.invalid"
    assert refusal(client, [f"devices/{i}" for i in range(65)]).id == \
        "request.invalid"


# --- x86 ---

def test_vtd_reserves_its_msi_range(prepared):
    gpu = name("0000:66:00.0")
    client = prepared("vtd-server", "66:00.0")
    ranges = plan(client, [gpu]).iova_ranges
    assert (ranges[0].start, ranges[0].last) == (0, MSI[0] - 1)
    assert ranges[1].start == MSI[1] + 1
    whole = {"size": 8 * GIB, "start": 0, "purpose": RAM}
    error = refusal(client, [gpu], whole)
    assert error.id == "window.unavailable"
    assert causes(error) == [
        ("device", gpu, "reserves 0xfee00000-0xfeefffff (msi)")]
    assert error.remedy == \
        "it fits at 0xfef00000; with around_reserved it is cut into 2"
    assert placed(client, [gpu], {**whole, "start": 0xfef00000})
    answer = plan(client, [gpu], {**whole, "around_reserved": True})
    assert [(one.start, one.last, one.purpose) for one in answer.windows] == [
        (0, MSI[0] - 1, RAM), (MSI[1] + 1, 8 * GIB - 1, RAM)]


def test_papr_pair_is_beyond_the_aperture_of_vtd(prepared):
    gpu = name("0000:66:00.0")
    client = prepared("vtd-server", "66:00.0")
    last = plan(client, [gpu]).iova_ranges[-1].last
    error = refusal(client, [gpu], *PAPR)
    assert error.id == "window.unavailable"
    assert error.message.startswith(
        "window 2: 0x800000000000000-0x80000ffffffffff cannot be had with ")
    assert causes(error) == [
        ("device", gpu, f"its aperture is 0x0-{last:#x}")]


def test_papr_pair_is_given_on_amd(prepared):
    gpu = name("0000:05:00.0")
    client = prepared("amd-server", "05:00.0")
    assert placed(client, [gpu], *PAPR) == [
        (0, 2 * GIB - 1), (1 << 59, (1 << 59) + TIB - 1)]
    # The HyperTransport range below 1 TiB is nobody's.
    error = refusal(client, [gpu], {"size": TIB, "start": 4 * GIB})
    assert causes(error) == [
        ("device", gpu, "reserves 0xfd00000000-0xffffffffff (reserved)")]
    assert "it fits at 0x10000000000" in error.remedy


# --- others ---

def test_arm_has_its_msi_in_the_low_gigabytes(prepared):
    disk = name("0005:01:00.0")
    client = prepared("arm-smmuv3", "0005:01:00.0")
    error = refusal(client, [disk], PAPR[0])
    assert causes(error) == [
        ("device", disk, "reserves 0x8000000-0x80fffff (msi)")]
    assert placed(client, [disk], {**PAPR[0], "around_reserved": True}) == [
        (0, 0x7ffffff), (0x8100000, 2 * GIB - 1)]


def test_pseries_cannot_be_planned_for(prepared):
    client = prepared("power-pseries")
    card = name("0001:00:00.0")
    error = refusal(client, [card], *PAPR)
    assert error.id == "device.not-ready" and error.object == card


# --- several devices, and whose they are ---

def test_windows_are_for_all_devices(sim):
    sim.ctl("prepare", "01:00.0")
    with sim.connect() as client:
        error = refusal(client, [EDU, OTHER_EDU])
        assert (error.id, error.object) == ("device.not-ready", OTHER_EDU)
        sim.ctl("prepare", "02:00.0")
        error = refusal(client, [EDU, OTHER_EDU], {"size": 1 << 50})
        assert [one.name for one in error.causes] == [EDU, OTHER_EDU]
        answer = plan(client, [EDU, OTHER_EDU], {"size": GIB})
        assert answer == plan(client, [EDU], {"size": GIB})


def test_planning_changes_nothing(sim):
    sim.ctl("prepare", "01:00.0")
    with sim.connect() as client:
        before = client.call("Host/GetVersion")
        for _ in range(3):
            answer = plan(client, [EDU], {"size": GIB, "start": 0})
            assert answer.revision == before.revision
        assert client.call("Host/GetVersion") == before


def test_a_leased_device_can_be_planned_for_by_its_claimant(sim):
    sim.ctl("prepare", "01:00.0")

    def ask(path, devices):
        with Client(path) as client:
            return client.refusal("Windows/PlanWindows", devices=devices)

    assert child(ask, sim.socket, [EDU]) == "device.not-found"
    sim.ctl("lease", "create", "--uid", "65534", "01:00.0")
    assert child(ask, sim.socket, [EDU]) == "ok"
    assert child(ask, sim.socket, [EDU, OTHER_EDU]) == "device.not-found"
    sim.ctl("prepare", "02:00.0")
    assert child(ask, sim.socket, [OTHER_EDU]) == "device.not-found"


def test_a_restored_device_is_not_planned_for(sim):
    sim.ctl("prepare", "01:00.0")
    sim.ctl("restore", "01:00.0")
    with sim.connect() as client:
        assert refusal(client, [EDU]).id == "device.not-ready"


def test_the_loop_is_not_held_up_by_the_worst_request(sim):
    sim.ctl("prepare", "01:00.0")
    request = METHODS["ioasid.v1.Windows/PlanWindows"][0](
        devices=[EDU], windows=[
            {"size": GIB, "start": i * 8 * GIB, "around_reserved": True}
            for i in range(1, 64)] + [{"size": 1 << 60}])
    with sim.connect() as client:
        for _ in range(20):
            with pytest.raises(Refused, match="window.unavailable"):
                client.call_raw("Windows/PlanWindows",
                                request.SerializeToString())
    with sim.connect() as client, sim.others_served(1.0):
        for _ in range(500):
            assert client.refusal("Windows/PlanWindows", devices=[EDU],
                                  windows=request.windows) == \
                "window.unavailable"


# --- ioasidctl ---

def test_the_command_plans_and_explains(sim):
    sim.ctl("prepare", "01:00.0")
    said = sim.ctl("window", "plan", "--device", "01:00.0",
                   "size=2G,start=0,page-sizes=4K+2M,purpose=dma32",
                   "size=8G,start=2G,around-reserved", "size=1M")
    assert [(int(one["start"]), int(one["last"]), one["purpose"])
            for one in said["windows"]] == [
        (0, 2 * GIB - 1, "WINDOW_PURPOSE_DMA32"),
        (2 * GIB, MSI[0] - 1, "WINDOW_PURPOSE_UNSPECIFIED"),
        (MSI[1] + 1, 10 * GIB - 1, "WINDOW_PURPOSE_UNSPECIFIED"),
        (10 * GIB, 10 * GIB + (1 << 20) - 1, "WINDOW_PURPOSE_UNSPECIFIED")]
    assert said["windows"][0]["pageSizes"] == str(0x201000)
    assert sim.ctl("window", "plan")["windows"] == []
    failed = sim.refused("window", "plan", "-d", "01:00.0", "size=4G,start=0")
    assert failed.id == "window.unavailable" and failed.status == 1
    assert "reserves 0xfee00000-0xfeefffff (msi)" in failed.words
    assert "it fits at 0xfef00000" in failed.words
    for wrong in ("start=0", "size=x", "size=1G,size=2G", "size=1G,no"):
        assert sim.refused("window", "plan", wrong).status == 2
