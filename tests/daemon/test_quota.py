# SPDX-License-Identifier: Apache-2.0
"""What the leases of one owner may take together, and what they do."""

import subprocess
import threading

import pytest
from test_guarded import GIB, PAGE, Guarded

from daemon import Client, Refused, child
from policies import as_uid

EDU, OTHER, NVME = ("devices/pci-0000-01-00.0", "devices/pci-0000-02-00.0",
                    "devices/pci-0000-03-00.0")
OPERATOR = 60001
MIB = 1 << 20
GRANT = f"""\
[grant op]
uid = {OPERATOR}
role = operator
devices = 0000:02:00.0
address = *
"""


def start(policy, quota):
    """A machine with three devices to lease, and quotas."""
    policy.write(quota, grants=GRANT)
    policy.start()
    for bdf in ("0000:01:00.0", "0000:02:00.0", "0000:03:00.0"):
        policy.sim.ctl("prepare", bdf, "--force")
    return policy.sim.connect()


def offer(device, spaces=0, memlock=MIB, mode="HOLD", **fields):
    return {"devices": [device], "mode": mode, "claimant": {"uid": 0},
            "memlock_bytes": memlock, "spaces": [{}] * spaces, **fields}


def refusal(client, method, **fields):
    try:
        client.call(method, **fields)
    except Refused as refused:
        return refused.id, refused.error.message
    return "ok", ""


def usage(client, owner="uid:0"):
    """(used, limit) of contexts, spaces, pinned bytes."""
    one, = client.call("Policy/ListUsage", owner=owner).usage
    return [(amount.used, amount.limit)
            for amount in (one.contexts, one.spaces, one.pinned)]


def used(client, kind):
    """(used, limit) of one kind, of root."""
    one, = client.call("Policy/ListUsage", owner="uid:0").usage
    amount = getattr(one, kind)
    return amount.used, amount.limit


def table(policy, *owner):
    """What a person is shown, word by word."""
    done = subprocess.run(
        [policy.sim.prog("../../ioasidctl"), "usage", *owner],
        env=policy.sim.environment, capture_output=True, text=True,
        timeout=60, check=True)
    return [line.split() for line in done.stdout.splitlines()]


def test_leases_are_counted_until_they_end(policy):
    with start(policy, "[quota]\ncontexts = 2\n") as client:
        first = client.call("Leases/CreateLease", **offer(EDU))
        client.call("Leases/CreateLease", **offer(OTHER, mode="TRANSFER"))
        assert usage(client)[0] == (2, 2)
        assert refusal(client, "Leases/CreateLease", **offer(NVME)) == (
            "limit.quota", "uid:0 has 2 contexts, 1 more would be over the "
            "quota of 2")
        assert refusal(client, "Leases/CreateLease",
                       **offer(NVME, dry_run=True))[0] == "limit.quota"
        client.call("Leases/ReleaseLease", name=first.name)
        client.call("Leases/CreateLease", **offer(NVME))
        assert usage(client)[0] == (2, 2)


def test_spaces_are_counted_over_all_leases(policy):
    with start(policy, "[quota]\nspaces = 3\n") as client:
        one = client.call("Leases/CreateLease", **offer(EDU, 2))
        two = client.call("Leases/CreateLease", **offer(OTHER))
        made = client.call("Spaces/CreateSpace", lease=two.name)
        for lease in (one, two):
            error, words = refusal(client, "Spaces/CreateSpace",
                                   lease=lease.name)
            assert error == "limit.quota"
            assert words == "uid:0 has 3 spaces, 1 more would be over the " \
                "quota of 3"
        assert refusal(client, "Leases/CreateLease",
                       **offer(NVME, 1))[0] == "limit.quota"
        assert client.call("Devices/GetDevice", name=NVME).state == \
            client.call("Devices/GetDevice", name=NVME).READY
        client.call("Spaces/DeleteSpace", name=made.name)
        client.call("Spaces/CreateSpace", lease=one.name)
        assert usage(client)[1] == (3, 3)


def test_mappings_are_counted_before_they_are_made(policy):
    with start(policy, "[quota]\nmappings = 3\n") as client:
        held = Guarded(client)
        memory = [held.memory(4 * PAGE)]
        held.map(memory, held.entry(GIB), held.entry(GIB + PAGE))
        before = held.mappings()
        with pytest.raises(Refused) as refused:
            held.map(memory, held.entry(GIB + 2 * PAGE),
                     held.entry(GIB + 3 * PAGE))
        assert refused.value.id == "limit.quota"
        assert held.mappings() == before
        assert used(client, "mappings") == (2, 3)
        held.unmap((GIB, PAGE))
        held.map(memory, held.entry(GIB + 2 * PAGE), held.entry(GIB))
        assert used(client, "mappings") == (3, 3)


def test_memory_is_counted_in_bytes(policy):
    with start(policy, "[quota]\npinned = 3M\n") as client:
        client.call("Leases/CreateLease", **offer(EDU, memlock=2 * MIB))
        assert refusal(client, "Leases/CreateLease",
                       **offer(OTHER, memlock=2 * MIB)) == (
            "limit.quota", "uid:0 has 2 MiB pinned, 2 MiB more would be over "
            "the quota of 3 MiB")
        client.call("Leases/CreateLease", **offer(OTHER, memlock=MIB))
        client.call("Leases/CreateLease", devices=[NVME], claimant={"uid": 0},
                    memlock_unlimited=True)
        assert usage(client)[2] == (3 * MIB, 3 * MIB)


def test_one_owner_can_have_other_limits_than_each(policy):
    text = "[quota]\ncontexts = 0\nspaces = 1\n" \
        "[quota uid:0]\ncontexts = unlimited\n"
    with start(policy, text) as client:
        client.call("Leases/CreateLease", **offer(EDU, 1))
        none = 2 ** 64 - 1
        assert usage(client) == [(1, none), (1, 1), (MIB, none)]
        assert as_uid(policy, "Leases/CreateLease", uid=OPERATOR,
                      **offer(OTHER))[0] == "limit.quota"


def test_a_reload_takes_nothing_away(policy):
    with start(policy, "") as client:
        client.call("Leases/CreateLease", **offer(EDU, 2))
        policy.write("[quota]\nspaces = 1\n")
        policy.reload()
        assert usage(client)[1] == (2, 1)
        assert refusal(client, "Leases/CreateLease",
                       **offer(OTHER, 1))[0] == "limit.quota"
        client.call("Leases/CreateLease", **offer(OTHER))


def test_who_may_not_see_all_is_told_of_its_own(policy):
    with start(policy, "") as client:
        client.call("Leases/CreateLease", **offer(EDU))
        assert as_uid(policy, "Leases/CreateLease", uid=OPERATOR,
                      **offer(OTHER))[0] == "ok"
        listed = [one.owner for one in
                  client.call("Policy/ListUsage").usage]
        assert listed == ["uid:0", f"uid:{OPERATOR}"]
        assert table(policy) == [
            "OWNER LEASES SPACES MAPPINGS MEMORY".split(),
            ["uid:0", "1", "0", "0", "1M"], [f"uid:{OPERATOR}", "1", "0", "0", "1M"]]
        own = child(table, policy, uid=OPERATOR)
        assert own[1:] == [[f"uid:{OPERATOR}", "1", "0", "0", "1M"]]
        assert table(policy, "uid:0")[1:] == [["uid:0", "1", "0", "0", "1M"]]
        policy.write("[quota]\ncontexts = 9\npinned = 2G\n")
        policy.reload()
        assert table(policy, "uid:0")[1:] == [
            "uid:0 1 of 9 0 0 1M of 2G".split()]


def test_two_at_once_do_not_both_get_the_last(policy):
    with start(policy, "[quota]\nspaces = 5\n") as client:
        leases = [client.call("Leases/CreateLease", **offer(device)).name
                  for device in (EDU, OTHER, NVME)]
        said = []

        def add(lease):
            with Client(policy.sim.socket) as mine:
                for _ in range(4):
                    said.append(refusal(mine, "Spaces/CreateSpace",
                                        lease=lease)[0])

        threads = [threading.Thread(target=add, args=(lease,))
                   for lease in leases]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(said) == ["limit.quota"] * 7 + ["ok"] * 5
        assert usage(client)[1] == (5, 5)
