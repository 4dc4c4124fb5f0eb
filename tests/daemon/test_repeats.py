# SPDX-License-Identifier: Apache-2.0
"""Requests that come again under their id: answered with what there is, once."""

import pytest

from backwards import take_back

EDU = "0000:01:00.0"
NAME = "devices/pci-0000-01-00.0"
OTHER = "devices/pci-0000-02-00.0"
LABELS = {"vm": "a", "owner": "b", "z": ""}


@pytest.fixture
def ready(sim):
    """A machine with a device to lease."""
    sim.ctl("prepare", EDU)
    return sim


def offer(**fields):
    """A request for a lease."""
    return {"devices": [NAME], "claimant": {"uid": 0}, "labels": LABELS,
            "memlock_bytes": 1 << 20, "request_id": "once", **fields}


def test_a_lease_is_made_once_in_whatever_order_its_labels_come(ready):
    with ready.connect() as client:
        first = client.call("Leases/CreateLease", **offer())
        again = client.call("Leases/CreateLease", **offer(
            labels=dict(reversed(LABELS.items()))))
    assert again.name == first.name
    assert dict(again.labels) == LABELS


@pytest.mark.parametrize("other", [
    {"labels": {"vm": "a"}}, {"labels": {**LABELS, "z": "1"}},
    {"memlock_bytes": 2 << 20}, {"restore_after": True},
    {"claimant": {"uid": 0, "pid": 1}}, {"with_token": True},
    {"devices": [OTHER]}, {"guest_memory": 4096},
    {"expires": {"seconds": 4102444800}}], ids=str)
def test_an_id_does_not_stand_for_two_wishes(ready, other):
    with ready.connect() as client:
        first = client.call("Leases/CreateLease", **offer())
        assert client.refusal("Leases/CreateLease", **offer(**other)) == \
            "request.id-reused"
        assert client.call("Leases/CreateLease", **offer()).name == first.name


def test_both_may_be_under_way(ready):
    """On one connection, and on one that is gone before the answer."""
    for number in range(20):
        what = offer(request_id=f"both{number}")
        with ready.connect() as gone:
            gone.start("Leases/CreateLease", **what)
        with ready.connect() as client:
            client.start("Leases/CreateLease", **what)
            client.start("Leases/CreateLease", **what)
            one, two = client.result("Leases/CreateLease"), \
                client.result("Leases/CreateLease")
            assert one.name == two.name
            client.call("Leases/ReleaseLease", name=one.name)
            leases = client.call("Leases/ListLeases", all=True).leases
            assert len(leases) == number + 1


def test_what_has_ended_is_remembered_over_a_restart(ready):
    """It takes no room from the history of what nobody may ask for again."""
    ready.stop()
    ready.start("--history", "1")
    with ready.connect() as client:
        lease = client.call("Leases/CreateLease", **offer())
        client.call("Leases/ReleaseLease", name=lease.name)
        for _ in range(3):
            other = client.call("Leases/CreateLease", **offer(request_id=""))
            client.call("Leases/ReleaseLease", name=other.name)
    ready.stop()
    ready.start("--history", "1")
    with ready.connect() as client:
        assert [one.name for one in client.call(
            "Leases/ListLeases", all=True).leases] == [other.name,
                                                       lease.name]
        again = client.call("Leases/CreateLease", **offer())
        assert again.name == lease.name
        assert client.refusal("Leases/CreateLease", **offer(
            restore_after=True)) == "request.id-reused"


def test_an_operation_is_begun_once(ready):
    with ready.connect() as client:
        what = {"name": NAME, "request_id": "op"}
        first = client.call("Devices/RestoreDevice", **what)
        again = client.call("Devices/RestoreDevice", **what, etag="other",
                            dry_run=True)
        assert again.name == first.name
        client.call("Operations/WaitOperation", name=first.name)
        assert client.refusal("Devices/RestoreDevice", name=OTHER,
                              request_id="op") == "request.id-reused"
        assert client.refusal("Devices/PrepareDevice", **what) == \
            "request.id-reused"
        prepare = {"name": NAME, "request_id": "prepare"}
        first = client.call("Devices/PrepareDevice", **prepare)
        client.call("Operations/WaitOperation", name=first.name)
        assert client.refusal("Devices/PrepareDevice", **prepare,
                              allow_no_reset=True) == "request.id-reused"
        assert client.call("Devices/PrepareDevice", **prepare).name == \
            first.name


def test_what_the_version_before_has_made_is_not_compared(ready):
    """It kept no fingerprints: an id stands for what it was used for."""
    with ready.connect() as client:
        lease = client.call("Leases/CreateLease", **offer())
        operation = client.call("Operations/ListOperations").operations[0]
    ready.kill()
    take_back(ready.state, 2)
    ready.start()
    with ready.connect() as client:
        assert client.call("Leases/CreateLease", **offer(
            labels={})).name == lease.name
        assert [one.name for one in client.call(
            "Operations/ListOperations").operations] == [operation.name]
