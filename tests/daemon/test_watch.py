# SPDX-License-Identifier: Apache-2.0
"""Changes: each once and in order, for whom they are, at a bounded cost."""

import contextlib
import json
import os
import random
import select
import socket
import subprocess
import threading
import time

import pytest

from daemon import NOBODY, Client, Refused, child, open_folder
from ioasid.v1 import envelope_pb2, event_pb2, link_pb2
from machine import wait
from puppet import Theatre
from watch import Watch, apply, check_list, differences, list_all

EDU, OTHER_EDU, NVME = "0000:01:00.0", "0000:02:00.0", "0000:03:00.0"
NAMES = {bdf: "devices/pci-" + bdf.replace(":", "-")
         for bdf in (EDU, OTHER_EDU, NVME)}


def prepare(client, bdf):
    """Prepare a device and wait for it."""
    op = client.call("Devices/PrepareDevice", name=NAMES[bdf])
    op = client.call("Operations/WaitOperation", name=op.name)
    assert op.state == op.DONE, op
    return op


def restore(client, bdf):
    """Restore a device and wait for it."""
    op = client.call("Devices/RestoreDevice", name=NAMES[bdf])
    op = client.call("Operations/WaitOperation", name=op.name)
    assert op.state == op.DONE, op
    return op


def newest(client):
    return client.call("Host/GetVersion").revision


def states(changes, name):
    """The states that one object went through."""
    seen = [getattr(change, change.WhichOneof("object")).state
            for change in changes if change.name == name]
    return [state for i, state in enumerate(seen)
            if i == 0 or seen[i - 1] != state]


# --- the promise ---

def test_a_list_that_is_followed_is_what_a_new_list_would_be(sim):
    """Prepare, lease, claim, death, reclaim, restore: each change is there."""
    with sim.connect() as client, sim.connect() as watching:
        objects, revision = list_all(client)
        watch = Watch(watching, revision)
        prepare(client, EDU)
        holder = sim.hold(EDU, "wait")
        lease = sim.lease_of(holder.pid)
        holder.kill()
        sim.wait_ended(lease)
        sim.wait_device(EDU, "READY")
        restore(client, EDU)
        changes = watch.until(newest(client))
        for change in changes:
            apply(objects, change)
        now, _ = list_all(client)
        assert not differences(objects, now), differences(objects, now)[0]
        device = event_pb2.Change().device
        assert states(changes, NAMES[EDU]) == [
            device.PREPARING, device.READY, device.LEASED, device.RECLAIMING,
            device.READY, device.PREPARING, device.HOST]
        a_lease = event_pb2.Change().lease
        assert states(changes, lease) == [
            a_lease.OFFERED, a_lease.CLAIMING, a_lease.HELD,
            a_lease.RECLAIMING, a_lease.ENDED]


def test_a_watch_that_is_resumed_misses_and_repeats_nothing(sim):
    with sim.connect() as client:
        start = newest(client)
        with sim.connect() as watching:
            whole = Watch(watching, start)
            prepare(client, EDU)
            restore(client, EDU)
            every = [change.revision for change in
                     whole.until(newest(client))]
        assert len(every) > 10
        for at in [start, *every[:-1]]:
            with sim.connect() as watching:
                change = Watch(watching, at).receive()
                assert change.revision == min(r for r in every if r > at)


@pytest.mark.slow
def test_a_list_in_the_middle_of_things_is_what_was_told(sim):
    """At any revision, not only when all is quiet."""
    over, trouble, chance = threading.Event(), [], random.Random(1)
    workers = [threading.Thread(target=work, args=(sim, bdf, over, trouble))
               for bdf in NAMES]
    checks = 0
    with sim.connect() as client, sim.connect() as watching:
        objects, revision = list_all(client)
        watch = Watch(watching, revision)
        for thread in workers:
            thread.start()
        try:
            end = time.monotonic() + 4
            while time.monotonic() < end:
                check_list(client, watch, objects, chance.choice(
                    ["devices", "operations", "groups", "iommus"]))
                checks += 1
        finally:
            over.set()
            for thread in workers:
                thread.join(60)
    assert not trouble, trouble[0]
    print(f"{checks} lists compared")
    assert checks > 150


def work(sim, bdf, over, trouble):
    """Prepare, hold, kill, restore a device, over and over; the daemon may be
    gone in between."""
    chance = random.Random(bdf)
    while not over.is_set():
        try:
            with sim.connect() as client:
                prepare(client, bdf)
                if chance.random() < 0.6:
                    lease = client.call(
                        "Leases/CreateLease", devices=[NAMES[bdf]],
                        claimant={"uid": NOBODY})
                    client.call("Leases/ReleaseLease", name=lease.name)
                restore(client, bdf)
        except (OSError, AssertionError, Refused) as error:
            if isinstance(error, Refused) and error.id not in (
                    "device.busy", "device.not-prepared", "device.leased"):
                trouble.append(error)
                return
            time.sleep(0.05)


def follow(sim, over, trouble, counts):
    """Watch and apply; when all is quiet compare with a new list."""
    try:
        objects, revision, watch = {}, None, None
        while True:
            finished = over.is_set()
            try:
                with sim.connect() as client, sim.connect() as watching:
                    if revision is None:
                        objects, revision = list_all(client)
                        counts["lists"] += 1
                    watch = Watch(watching, revision)
                    while not over.is_set() or finished:
                        goal = newest(client) if finished else None
                        change = watch.receive(0.0 if finished and
                                               watch.revision >= goal else 0.3)
                        if change:
                            counts["changes"] += 1
                            apply(objects, change)
                            revision = change.revision
                        elif finished and watch.revision >= goal:
                            now, _ = list_all(client)
                            if newest(client) == goal:
                                bad = differences(objects, now)
                                assert not bad, bad[0]
                                return
            except Refused as refused:
                assert refused.id in ("watch.expired", "watch.slow"), refused
                revision = None
            except (OSError, AssertionError) as error:
                if isinstance(error, AssertionError) and \
                        "closed" not in str(error):
                    raise
                time.sleep(0.05)
    except BaseException as error:  # for the test to see
        trouble.append(error)


@pytest.mark.parametrize("kills", [0, 3])
@pytest.mark.slow
def test_many_watchers_agree_under_load(sim, kills):
    """Devices come and go by several hands at once; with kills, ioasidd too."""
    over, trouble = threading.Event(), []
    counts = {"changes": 0, "lists": 0}
    workers = [threading.Thread(target=work, args=(sim, bdf, over, trouble))
               for bdf in NAMES]
    watchers = [threading.Thread(target=follow,
                                 args=(sim, over, trouble, counts))
                for _ in range(4)]
    for thread in workers + watchers:
        thread.start()
    for _ in range(kills):
        time.sleep(1.0)
        sim.restart()
    time.sleep(2.5)
    over.set()
    for thread in workers + watchers:
        thread.join(60)
        assert not thread.is_alive()
    assert not trouble, trouble[0]
    print(f"{counts['changes']} changes, {counts['lists']} lists")
    assert counts["changes"] > 400


# --- where it begins and ends ---

def test_a_revision_of_another_life_has_expired(sim):
    with sim.connect() as client:
        prepare(client, EDU)
        old = newest(client)
    sim.restart()
    with sim.connect() as client:
        with pytest.raises(Refused) as refused:
            Watch(client, old).receive()
        assert refused.value.id == "watch.expired"
        with pytest.raises(Refused) as refused:
            Watch(client, newest(client) + 1000).receive()
        assert refused.value.id == "watch.expired"
        # The connection goes on, and what the message asks for helps.
        Watch(client, newest(client))


def test_from_now_on_is_from_now_on(sim):
    with sim.connect() as client, sim.connect() as watching:
        prepare(client, EDU)
        watch = Watch(watching)
        assert watch.receive(0.2) is None
        now = newest(client)
        restore(client, EDU)
        assert watch.receive().revision > now


def test_collections_are_chosen(sim):
    with sim.connect() as client, sim.connect() as watching:
        watch = Watch(watching, newest(client), ["operations"])
        prepare(client, EDU)
        name = restore(client, EDU).name
        kinds = set()
        while True:
            change = watch.receive()
            kinds.add(change.WhichOneof("object"))
            if change.name == name and change.operation.state == \
                    change.operation.DONE:
                break
        assert kinds == {"operation"}
        with pytest.raises(Refused) as refused:
            Watch(client, 0, ["windows"]).receive()
        assert refused.value.id == "request.invalid"


def test_a_watch_ends_when_it_is_cancelled_and_only_it(sim):
    with sim.connect() as client:
        watch, other = Watch(client), client.send(
            "Operations/WaitOperation", b"\n\x0coperations/x")
        assert client.receive().id == other  # there is none
        watch.cancel()
        with pytest.raises(Refused) as refused:
            watch.receive()
        assert refused.value.id == "request.cancelled"
        # Of what is not there nothing comes.
        watch.cancel()
        assert client.call("Host/GetVersion").revision


def test_waiting_ends_when_it_is_cancelled_and_the_change_goes_on(sim):
    with sim.connect() as client, sim.connect() as other:
        op = other.call("Devices/PrepareDevice", name=NAMES[EDU])
        request = envelope_pb2.Envelope(id=77, request=envelope_pb2.Request(
            method="ioasid.v1.Operations/WaitOperation",
            payload=b"\n" + bytes([len(op.name)]) + op.name.encode()))
        client.send_raw(request.SerializeToString())
        client.send_raw(envelope_pb2.Envelope(
            id=77, cancel=envelope_pb2.Cancel()).SerializeToString())
        answer = client.receive()
        assert answer.id == 77
        assert answer.WhichOneof("body") == "reply" or \
            answer.error.id == "request.cancelled"
        assert other.call("Operations/WaitOperation", name=op.name).state == \
            op.DONE


# --- asking an operation to stop ---

def begin(sim, client, verb, bdf):
    """Begin to prepare or restore a device that is slow to let go, and be in
    the middle of it; the operation."""
    sim.poke(f"delay {bdf} unbind_ms 700")
    op = client.call(f"Devices/{verb}Device", name=NAMES[bdf])
    wait(lambda: client.call("Operations/GetOperation", name=op.name).step ==
         "unbind", "it unbinds")
    return op.name


def outline(client, bdf):
    """What of a device must be as before."""
    device = client.call("Devices/GetDevice", name=NAMES[bdf])
    return (device.state, device.driver, device.former_driver,
            device.operation, device.state_reason)


@pytest.mark.parametrize("verb", ["Prepare", "Restore"])
def test_an_operation_that_is_cancelled_walks_back(sim, verb):
    with sim.connect() as client:
        if verb == "Restore":
            prepare(client, NVME)
        before = outline(client, NVME)
        name = begin(sim, client, verb, NVME)
        assert client.call("Operations/CancelOperation",
                           name=name).cancelling
        # Twice is as once.
        client.call("Operations/CancelOperation", name=name)
        op = client.call("Operations/WaitOperation", name=name)
        assert (op.state, op.error.id, op.cancelling) == \
            (op.FAILED, "operation.cancelled", False), op
        assert outline(client, NVME) == before
        assert client.call("Operations/CancelOperation",
                           name=name).state == op.FAILED
        # And it can be done after all.
        sim.poke(f"delay {NVME} unbind_ms 0")
        (prepare if verb == "Prepare" else restore)(client, NVME)


@pytest.mark.slow
def test_what_cannot_be_cancelled_says_so(sim):
    with sim.connect() as client:
        def cancel(name, **more):
            return client.refusal("Operations/CancelOperation", name=name,
                                  **more)
        name = prepare(client, NVME).name
        assert cancel(name) == "operation.not-running"
        assert cancel("operations/none") == "operation.not-found"
        assert cancel("devices/none") == "request.invalid"
        holder = sim.hold(NVME, "wait")
        sim.poke(f"delay {NVME} unbind_ms 700")
        lease = sim.lease_of(holder.pid)
        holder.kill()
        reclaim = wait(lambda: [op for op in client.call(
            "Operations/ListOperations", state="RUNNING").operations
            if op.kind == "reclaim"], "it is reclaimed")[0]
        assert cancel(reclaim.name) == "operation.not-cancellable"
        sim.wait_ended(lease)
        name = begin(sim, client, "Restore", NVME)
        assert cancel(name, etag="0") == "request.etag-mismatch"
        assert cancel(name, dry_run=True) == "ok"
        assert child(cancel_as_nobody, sim.socket, name) == "operation.not-found"
        op = client.call("Operations/WaitOperation", name=name)
        assert op.state == op.DONE


def cancel_as_nobody(path, name):
    with Client(path) as client:
        return client.refusal("Operations/CancelOperation", name=name)


# --- a part of a list ---

def test_lists_are_filtered(sim):
    with sim.connect() as client:
        def names(**fields):
            return [one.name for one in
                    client.call("Devices/ListDevices", **fields).devices]
        every = client.call("Devices/ListDevices").devices
        prepare(client, NVME)
        assert names(state="READY") == [NAMES[NVME]]
        assert names(driver="vfio-pci") == [NAMES[NVME]]
        one = client.call("Devices/GetDevice", name=NAMES[EDU])
        same = [d.name for d in every if (d.pci.vendor, d.pci.device) ==
                (one.pci.vendor, one.pci.device)]
        assert 1 <= len(same) < len(every)
        number = f"{one.pci.vendor:04x}:{one.pci.device:04x}"
        assert names(id=number) == names(id=number.upper()) == same
        assert names(id=f"{one.pci.vendor:x}:") == [
            d.name for d in every if d.pci.vendor == one.pci.vendor]
        assert names(group=one.group) == [
            d.name for d in every if d.group == one.group]
        assert names(driver="none") == [
            d.name for d in every if not d.driver and d.name != NAMES[NVME]]
        for node in {d.numa_node for d in every}:
            assert names(numa_node=node) == [
                d.name for d in every if d.numa_node == node]
        assert names(numa_node=0, state="LEASED") == []
        for bad in ("8086", "8086:1:2", ":", "x:", "10000:"):
            assert client.refusal("Devices/ListDevices", id=bad) == \
                "request.invalid"
        assert client.refusal("Devices/ListDevices", group="devices/x") == \
            "request.invalid"
        lease = client.call("Leases/CreateLease", devices=[NAMES[NVME]],
                            claimant={"uid": NOBODY}).name
        leases = client.call("Leases/ListLeases", state="OFFERED").leases
        assert [one.name for one in leases] == [lease]
        client.call("Leases/ReleaseLease", name=lease)
        assert not client.call("Leases/ListLeases", state="OFFERED").leases
        assert client.call("Leases/ListLeases", state="ENDED").leases
        assert not client.call("Operations/ListOperations",
                               state="FAILED").operations
        assert client.call("Operations/ListOperations",
                           state="DONE").operations


# --- the machine changes by itself ---

def test_what_is_plugged_and_pulled_is_told(sim):
    with sim.connect() as client, sim.connect() as watching:
        objects, revision = list_all(client)
        watch = Watch(watching, revision)
        gone = NAMES[OTHER_EDU]
        sim.poke(f"remove {OTHER_EDU}")
        changes = []

        def follow_until(condition):
            while not condition():
                change = watch.receive()
                assert change is not None
                changes.append(change)
                apply(objects, change)
        follow_until(lambda: gone not in objects)
        sim.poke(f"add {OTHER_EDU}")
        follow_until(lambda: gone in objects)
        for change in watch.until(newest(client)):
            apply(objects, change)
        now, _ = list_all(client)
        assert not differences(objects, now), differences(objects, now)[0]


# --- who is told ---

def watch_as_nobody(path, revision, seconds):
    """What nobody is told: (name, removed, lease) of each change."""
    with Client(path) as client:
        watch, seen = Watch(client, revision), []
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            change = watch.receive(0.2)
            if change:
                seen.append((change.name, change.removed,
                             change.device.lease or
                             str(change.lease.claimant.uid)))
        return seen


def test_a_stranger_is_told_of_what_is_his_while_it_is_his(sim):
    with sim.connect() as client:
        start = newest(client)
        prepare(client, EDU)
        prepare(client, OTHER_EDU)
        theirs = client.call("Leases/CreateLease", devices=[NAMES[EDU]],
                             claimant={"uid": NOBODY})
        client.call("Leases/CreateLease", devices=[NAMES[OTHER_EDU]],
                    claimant={"uid": NOBODY + 1})
        client.call("Leases/ReleaseLease", name=theirs.name)
        seen = child(watch_as_nobody, sim.socket, start, 1.0)
    assert {name for name, _, _ in seen} == {theirs.name, NAMES[EDU]}
    device = [(removed, lease) for name, removed, lease in seen
              if name == NAMES[EDU]]
    # Told while it is leased to him, and once that it is not any more.
    assert device[-1][0] and not any(removed for removed, _ in device[:-1])
    assert {lease for removed, lease in device if not removed} == \
        {theirs.name}


# --- what it costs ---

def flood(client, rounds, uid=NOBODY):
    """Make changes: offers that are taken back."""
    for _ in range(rounds):
        lease = client.call("Leases/CreateLease", devices=[NAMES[EDU]],
                            claimant={"uid": uid})
        client.call("Leases/ReleaseLease", name=lease.name)


@pytest.mark.slow
def test_one_who_does_not_read_is_cut_and_can_resume(sim):
    with sim.connect() as client, sim.connect() as watching:
        prepare(client, EDU)
        revision = newest(client)
        slow = Watch(watching, revision)
        with sim.connect() as reading:
            quick = Watch(reading, revision)
            # More than the log, and what the slow one's socket holds, keep.
            told = 0
            for _ in range(20):
                flood(client, 100)
                told += len(quick.until(newest(client)))
        assert told > 8000
        with pytest.raises(Refused) as refused:
            while slow.receive() is not None:
                pass
        assert refused.value.id == "watch.slow"
        assert str(slow.revision) in refused.value.error.message
        with pytest.raises(Refused) as refused:
            Watch(watching, slow.revision).receive()
        assert refused.value.id == "watch.expired"
        objects, revision = list_all(client)
        again = Watch(watching, revision)
        flood(client, 1)
        for change in again.until(newest(client)):
            apply(objects, change)
        assert not differences(objects, list_all(client)[0])


def watch_and_not_read(path, revision, ready, over):
    """32 watches that are never read, until the end of a pipe."""
    with contextlib.ExitStack() as stack:
        for _ in range(32):
            Watch(stack.enter_context(Client(path)), revision)
        os.write(ready, b".")
        os.read(over, 1)


@pytest.mark.slow
def test_256_watches_that_nobody_reads_cost_a_bounded_amount(sim):
    uids = range(NOBODY - 7, NOBODY + 1)
    with sim.connect() as client, contextlib.ExitStack() as stack:
        prepare(client, EDU)
        flood(client, 100)
        before, revision = sim.rss(), newest(client)
        is_ready, ready = os.pipe()
        over, end = os.pipe()
        children = [threading.Thread(target=child, args=(
            watch_and_not_read, sim.socket, revision, ready, over),
            kwargs={"uid": uid}) for uid in uids]
        for one in children:
            one.start()
        stack.callback(lambda: [one.join(60) for one in children])
        stack.callback(os.write, end, b"." * len(children))
        for _ in children:
            assert os.read(is_ready, 1) == b"."
        with sim.others_served():
            for uid in uids:
                flood(client, 300, uid)
        grown = sim.rss() - before
        print(f"256 watches, 14,400 changes: RSS {before} KiB, +{grown} KiB")
        # The log itself is 8 MiB at most.
        if not sim.sanitizer:
            assert grown < 24 << 10


def test_watches_have_a_limit(sim):
    with sim.connect() as client, sim.connect() as watching:
        watches = [Watch(watching) for _ in range(32)]
        assert watching.call("Host/GetVersion")  # it has taken all of them
        with pytest.raises(Refused) as refused:
            Watch(client).receive()
        assert refused.value.id == "limit.watchers"
        watches[3].cancel()
        assert watching.receive().error.id == "request.cancelled"
        assert Watch(client, newest(client)).receive(0.2) is None


def test_a_connection_that_closes_takes_its_watches_with_it(sim):
    with sim.connect() as client:
        for _ in range(5):
            with sim.connect() as watching:
                for _ in range(32):
                    Watch(watching)
        wait(lambda: Watch(client, newest(client)).receive(0.05) is None,
             "there is room again")


# --- over the link of ioasid-api ---

@pytest.fixture
def theatre():
    """Where stand-ins for ioasid-api come to."""
    one = Theatre(open_folder())
    yield one
    one.close()


def ask_to_watch(puppet, connection, number, revision):
    """A stand-in asks for a stream of a connection."""
    puppet.send(connection, envelope=envelope_pb2.Envelope(
        id=number, request=envelope_pb2.Request(
            method="ioasid.v1.Events/WatchEvents",
            payload=event_pb2.WatchEventsRequest(revision=revision)
            .SerializeToString())).SerializeToString())


def items(puppet, connection, number, seconds):
    """Revisions of the changes that come until none does for so long."""
    seen = []
    while select.select([puppet.sock], [], [], seconds)[0]:
        answer = puppet.answer(connection)
        assert (answer.id, answer.WhichOneof("body")) == (number, "item")
        seen.append(event_pb2.Change.FromString(answer.item.payload).revision)
    return seen


def test_no_more_items_are_sent_than_there_is_credit_for(make_machine,
                                                         theatre):
    machine = make_machine()
    machine.start("--api-program", str(theatre.program))
    puppet = theatre.next()
    for fd in puppet.configure().values():
        os.close(fd)
    with machine.connect() as client, \
            socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(machine.run / "api.sock"))
        packet, sock = puppet.opened()
        number = packet.connection
        start = newest(client)
        prepare(client, EDU)
        flood(client, 20)
        with machine.connect() as watching:
            every = [change.revision for change in
                     Watch(watching, start).until(newest(client))]
        ask_to_watch(puppet, number, 9, start)
        assert items(puppet, number, 9, 0.3) == every[:16]
        puppet.send(number, credit=link_pb2.LinkCredit(id=9, items=3))
        assert items(puppet, number, 9, 0.3) == every[16:19]
        # Of what is no stream of its: nothing.
        puppet.send(number, credit=link_pb2.LinkCredit(id=8, items=3))
        assert items(puppet, number, 9, 0.2) == []
        puppet.send(number, credit=link_pb2.LinkCredit(id=9,
                                                       items=2 ** 32 - 1))
        assert items(puppet, number, 9, 0.3) == every[19:]
        puppet.send(number, envelope=envelope_pb2.Envelope(
            id=9, cancel=envelope_pb2.Cancel()).SerializeToString())
        assert puppet.answer(number).error.id == "request.cancelled"
        # And what its client does not want any more ends with it.
        ask_to_watch(puppet, number, 10, start)
        sock.close()


# --- ioasidctl ---

@contextlib.contextmanager
def ctl_watch(sim, *arguments):
    """ioasidctl watch at work: its output as it comes, and its words."""
    out, words = sim.folder / "changes", sim.folder / "words"
    with open(out, "wb") as to, open(words, "wb") as errors:
        process = subprocess.Popen(
            [sim.build / "ioasidctl", *arguments], env=sim.environment,
            stdin=subprocess.DEVNULL, stdout=to, stderr=errors)
    try:
        yield process, out, words
    finally:
        process.kill()
        process.wait()


def test_ioasidctl_prints_a_line_a_change(sim):
    with sim.connect() as client:
        start = newest(client)
        with ctl_watch(sim, "watch", "--since", str(start),
                       "operations") as (_, out, words):
            name = prepare(client, NVME).name
            wait(lambda: f"{name} done prepare" in out.read_text(),
                 "the end of the prepare")
            lines = out.read_text().splitlines()
        assert all(" operations/" in line for line in lines)
        assert any("step=unbind" in line for line in lines)
        assert not words.read_text()


def test_ioasidctl_goes_on_after_a_restart_and_says_so(sim):
    with ctl_watch(sim, "--json", "watch") as (process, out, words):
        def prepared(bdf):
            return any(json.loads(line).get("device", {}).get("state") ==
                       "READY" and NAMES[bdf] in line
                       for line in out.read_text().splitlines())
        time.sleep(0.3)
        with sim.connect() as client:
            prepare(client, EDU)
        wait(lambda: prepared(EDU), "it tells of the first")
        sim.restart()
        wait(lambda: "may be missing" in words.read_text(), "it is back")
        with sim.connect() as client:
            prepare(client, OTHER_EDU)
        wait(lambda: prepared(OTHER_EDU), "it tells of the second")
        assert "ioasidd is gone" in words.read_text()
        assert "ioasidd is back" in words.read_text()
        assert process.poll() is None
    revisions = [int(json.loads(line)["revision"])
                 for line in out.read_text().splitlines()]
    assert revisions == sorted(set(revisions))


def test_ioasidctl_watch_refuses_what_is_gone(sim):
    with sim.connect() as client:
        old = newest(client)
    sim.restart()
    assert sim.refused("watch", "--since", str(old)).id == "watch.expired"
    assert sim.refused("watch", "windows").id == "request.invalid"
    assert sim.refused("watch", "--since", "x").status == 2


def test_ioasidctl_waits_cancels_and_filters(sim):
    sim.poke(f"delay {NVME} unbind_ms 700")
    op = sim.ctl("prepare", "--no-wait", NVME)["name"]
    assert sim.ctl("operation", "cancel", op)["error"]["id"] == \
        "operation.cancelled"
    assert sim.device(NVME)["driver"] == "nvme"
    sim.poke(f"delay {NVME} unbind_ms 0")
    op = sim.ctl("prepare", "--no-wait", NVME)["name"]
    assert sim.ctl("operation", "wait", op)["state"] == "DONE"
    assert sim.refused("operation", "cancel", op).id == \
        "operation.not-running"

    def names(*more):
        return [one["name"] for one in sim.ctl("devices", *more)["devices"]]
    assert names("--state", "ready") == [NAMES[NVME]]
    assert len(names("--id", "1b36:0010")) == 2
    assert names("--group", "pci-0000-03-00.0") == [NAMES[NVME]]
    assert names("--driver", "vfio-pci", "--numa", "7") == []
    assert sim.refused("devices", "--state", "odd").status == 2
    assert len(sim.ctl("operation", "list", "--state",
                       "failed")["operations"]) == 1
    assert sim.ctl("lease", "list", "--state", "held")["leases"] == []
