# SPDX-License-Identifier: Apache-2.0
"""Every method, over every surface: the same results, errors and events."""

import concurrent.futures
import contextlib
import json
import pathlib
import shutil
from collections.abc import Iterator

import pytest
from surfaces import BUILD, CATALOGUE, CONTRACT, SURFACES, Broken
from google.protobuf.message import Message
from machine import MACHINES, Machine
from story import ADMIN, NESTING, POLICY, STORY, Row
from telling import Telling, differences

NAMES = [surface.name for surface in SURFACES]


@contextlib.contextmanager
def told(folder: pathlib.Path, ceiling: str, description: str = "testbed") \
        -> Iterator[list[Telling]]:
    """A simulated machine with a daemon for each surface."""
    made: list[Telling] = []
    (folder / "policy.d").mkdir()
    (folder / "policy.d" / "10.conf").write_text(POLICY)
    config = folder / "ioasidd.conf"
    config.write_text(f"[api]\nceiling = {ceiling}\n")
    try:
        for number, name in enumerate(NAMES):
            own = folder / str(number)
            own.mkdir()
            machine = Machine(BUILD, own, description)
            machine.start("--config", str(config), "--policy-dir",
                          str(folder / "policy.d"))
            made.append(Telling(machine, name, ceiling))
        yield made
        for telling in made:
            telling.end()
            telling.machine.end()
    finally:
        for telling in made:
            telling.end()
            telling.machine.kill()
            shutil.rmtree(telling.machine.run, ignore_errors=True)


def expected(row: Row, telling: Telling) -> str:
    """The id that a surface must answer with."""
    capped = row.why != ADMIN or telling.ceiling != "admin"
    if row.native and (telling.surface == "native" or not capped):
        return row.native
    return row.but.get(telling.surface, row.answer)


def tell(row: Row, tellings: list[Telling]) -> list[str]:
    """A row on every surface; what is wrong with the answers."""
    with concurrent.futures.ThreadPoolExecutor(len(tellings)) as pool:
        outcomes = list(pool.map(lambda telling: telling.tell(row), tellings))
    if row.act:
        return []
    trouble: list[str] = []
    first: dict[str, tuple[str, object]] = {}
    for telling, outcome in zip(tellings, outcomes):
        wanted = expected(row, telling)
        assert wanted == row.answer or row.why, "what differs needs a reason"
        if outcome is None:
            trouble.append(f"{telling.surface}: builds upon what was refused")
        elif outcome.id() != wanted:
            trouble.append(f"{telling.surface}: {outcome.id()}, not {wanted}: "
                           f"{outcome.error or outcome.replies}")
        else:
            said = telling.comparable(row, outcome)
            surface, other = first.setdefault(
                wanted, (telling.surface, said))
            trouble += [f"{surface} and {telling.surface}: {words}"
                        for words in differences(other, said)]
    return trouble


def test_every_method_is_in_the_table() -> None:
    """With an answer, and none that the catalogue does not have."""
    rows = STORY + NESTING
    told = {row.method for row in rows if row.method}
    assert told == set(CONTRACT)
    unanswered = told - {row.method for row in rows
                         if "ok" in (row.answer, row.native)}
    assert not unanswered
    ids = {row.answer for row in rows} | {row.native for row in rows}
    assert ids - {"", "ok"} <= set(CATALOGUE)


def tell_all(rows: list[Row], tellings: list[Telling]) -> None:
    """All rows, one after the other, each to all surfaces."""
    trouble = []
    for number, row in enumerate(rows):
        try:
            said = tell(row, tellings)
        except (AssertionError, Broken) as error:
            said = [f"{row.fields}: {error}"]
        # What one row says wrong others repeat.
        trouble += [f"row {number}, {row.method} {row.fields}: {words}"[:600]
                    for words in said[:6]]
        assert len(trouble) < 24, "\n".join(trouble)
    assert not trouble, "\n".join(trouble)


@pytest.mark.limit(300)
@pytest.mark.slow
@pytest.mark.parametrize("ceiling", ["operator", "admin"])
def test_all_surfaces_say_the_same(tmp_path: pathlib.Path,
                                   ceiling: str) -> None:
    """A daemon for each surface, and the same story told to each; afterwards
    each daemon is asked over all of them."""
    with told(tmp_path, ceiling) as tellings:
        tell_all(STORY, tellings)
        for telling in tellings:
            on_one_daemon(telling)
    print(f"{len(STORY)} rows, {len(CONTRACT)} methods, "
          f"{len({row.answer for row in STORY})} ids, {len(NAMES)} surfaces")


def test_all_surfaces_nest_alike(tmp_path: pathlib.Path) -> None:
    """On a machine whose IOMMU can do what the test machine's cannot."""
    with told(tmp_path, "operator", "vtd-nesting") as tellings:
        tell_all(NESTING, tellings)


def awkward(folder: pathlib.Path) -> pathlib.Path:
    """A server that isolates no interrupts, and has a card without a group."""
    machine = json.loads((MACHINES / "vtd-server.json").read_text())
    machine["isolated_msi"] = "no"
    lonely = machine["devices"][-1]
    machine["groups"] = [one for one in machine["groups"]
                         if one["number"] != lonely["group"]]
    del lonely["group"], lonely["iommu"]
    path = folder / "awkward.json"
    path.write_text(json.dumps(machine))
    return path


def test_all_surfaces_refuse_alike(tmp_path: pathlib.Path) -> None:
    """Each device of a machine where most cannot be prepared, with causes."""
    with told(tmp_path, "operator",
              str(awkward(tmp_path).with_suffix(""))) as tellings:
        devices = tellings[0].everything("Devices", 0)
        answers = [tellings[0].ask(
            "native", "Devices/PrepareDevice", name=one.name,
            dry_run=True).id() for one in devices]
        tell_all([Row("Devices/PrepareDevice", {
            "name": one.name, "dry_run": True}, answer)
            for one, answer in zip(devices, answers)], tellings)
    print(", ".join(f"{answers.count(one)} {one}"
                    for one in sorted(set(answers))))
    assert {"device.bridge", "device.direct-mapped", "device.no-group",
            "device.no-reset", "device.sriov",
            "device.unsafe-interrupts"} <= set(answers)


READS = {
    "Devices/ListDevices": {"all": True}, "Groups/ListGroups": {},
    "Iommus/ListIommus": {}, "Leases/ListLeases": {"all": True},
    "Operations/ListOperations": {}, "Host/GetVersion": {},
}


def on_one_daemon(telling: Telling) -> None:
    """What a daemon says now it says to all alike, to the last bit."""
    for method, fields in READS.items():
        assert len({replies(telling, surface, method, 0, **fields)
                    for surface in NAMES}) == 1, method
    last = telling.last_for(Row("Events/WatchEvents"))
    assert len({replies(telling, surface, "Events/WatchEvents", last,
                        revision=telling.first)
                for surface in NAMES}) == 1


def replies(telling: Telling, surface: str, method: str, until: int,
            **fields: object) -> bytes:
    """All that is answered, as bytes."""
    outcome = telling.ask(surface, method, until=until, **fields)
    assert outcome.replies, outcome.error
    return b"|".join(serialised(one) for one in outcome.replies)


def serialised(message: Message) -> bytes:
    """A message, with its maps in order."""
    return message.SerializeToString(deterministic=True)
