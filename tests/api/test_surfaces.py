# SPDX-License-Identifier: Apache-2.0
"""Every method, over every surface: the same results, errors and events."""

import shutil
from collections.abc import Iterator

import pytest
from surfaces import BUILD, CATALOGUE, CONTRACT, SURFACES
from google.protobuf.message import Message
from machine import Machine
from story import STORY, Row
from telling import Telling, differences

NAMES = [surface.name for surface in SURFACES]


@pytest.fixture
def tellings(tmp_path) -> Iterator[list[Telling]]:
    """A simulated machine with a daemon for each surface."""
    made = []
    try:
        for number, name in enumerate(NAMES):
            folder = tmp_path / str(number)
            folder.mkdir()
            machine = Machine(BUILD, folder)
            machine.start()
            made.append(Telling(machine, name))
        yield made
        for telling in made:
            telling.end()
            telling.machine.end()
    finally:
        for telling in made:
            telling.end()
            telling.machine.kill()
            shutil.rmtree(telling.machine.run, ignore_errors=True)


def expected(row: Row, surface: str) -> str:
    """The id that a surface must answer with."""
    if surface == "native" and row.native:
        return row.native
    return row.but.get(surface, row.answer)


def tell(row: Row, tellings: list[Telling]) -> list[str]:
    """A row on every surface; what is wrong with the answers."""
    outcomes = [telling.tell(row) for telling in tellings]
    if row.act:
        return []
    trouble, first = [], None
    for telling, outcome in zip(tellings, outcomes):
        wanted = expected(row, telling.surface)
        if outcome.id() != wanted:
            trouble.append(f"{telling.surface}: {outcome.id()}, not {wanted}: "
                           f"{outcome.error or outcome.replies}")
        elif wanted != row.answer:
            assert row.why, "what differs needs a reason"
        elif first is None:
            first = telling.surface, telling.comparable(row, outcome)
        else:
            trouble += [f"{first[0]} and {telling.surface}: {words}"
                        for words in differences(
                            first[1], telling.comparable(row, outcome))]
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
def test_all_surfaces_say_the_same(tellings: list[Telling]) -> None:
    """A daemon for each surface, and the same story told to each."""
    trouble = []
    for number, row in enumerate(STORY):
        said = tell(row, tellings)
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
