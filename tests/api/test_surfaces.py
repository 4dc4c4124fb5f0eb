# SPDX-License-Identifier: Apache-2.0
"""Every method, over every surface: the same results, errors and events."""

import shutil
from collections.abc import Iterator

import pytest
from surfaces import BUILD, CATALOGUE, CONTRACT, SURFACES, Broken
from google.protobuf.message import Message
from machine import Machine
from story import ADMIN, POLICY, STORY, Row
from telling import Telling, differences

NAMES = [surface.name for surface in SURFACES]


@pytest.fixture(params=["operator", "admin"])
def tellings(request, tmp_path) -> Iterator[list[Telling]]:
    """A simulated machine with a daemon for each surface, for a ceiling."""
    made = []
    (tmp_path / "policy.d").mkdir()
    (tmp_path / "policy.d" / "10.conf").write_text(POLICY)
    config = tmp_path / "ioasidd.conf"
    config.write_text(f"[api]\nceiling = {request.param}\n")
    try:
        for number, name in enumerate(NAMES):
            folder = tmp_path / str(number)
            folder.mkdir()
            machine = Machine(BUILD, folder)
            machine.start("--config", str(config), "--policy-dir",
                          str(tmp_path / "policy.d"))
            made.append(Telling(machine, name, request.param))
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
    outcomes = [telling.tell(row) for telling in tellings]
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
    told = {row.method for row in STORY if row.method}
    assert told == set(CONTRACT)
    unanswered = told - {row.method for row in STORY
                         if "ok" in (row.answer, row.native)}
    assert not unanswered
    ids = {row.answer for row in STORY} | {row.native for row in STORY}
    assert ids - {"", "ok"} <= set(CATALOGUE)


@pytest.mark.limit(300)
@pytest.mark.slow
def test_all_surfaces_say_the_same(tellings: list[Telling]) -> None:
    """A daemon for each surface, and the same story told to each."""
    trouble = []
    for number, row in enumerate(STORY):
        try:
            said = tell(row, tellings)
        except (AssertionError, Broken) as error:
            said = [f"{row.fields}: {error}"]
        trouble += [f"row {number}, {row.method} {row.fields}: {words}"
                    for words in said]
        assert len(trouble) < 40, "\n".join(trouble)
    assert not trouble, "\n".join(trouble)
    print(f"{len(STORY)} rows, {len(CONTRACT)} methods, "
          f"{len({row.answer for row in STORY})} ids, {len(NAMES)} surfaces")
    for telling in tellings:
        on_one_daemon(telling)


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
