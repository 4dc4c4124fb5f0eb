# SPDX-License-Identifier: Apache-2.0
"""No fault leaves anything behind that is not documented.

Each operation is repeated with the 1st, 2nd, ... nth call of a kind failing
until it passes; with IOASID_LONG=1 all of it, and each call also times out,
lies, takes its time, or is the daemon's last; otherwise a sample. A line for
each operation says how many points were failed.
"""

import collections
import errno
import os
from collections.abc import Iterator

import pytest

from bench import Bench
from operations import OPERATIONS, Operation
from plan import Action, Kind
from sweep import COLUMNS, Round, Sweep

LONG = bool(os.environ.get("IOASID_LONG"))

# Of a sample: how many points of a column are failed.
SAMPLE = 3

Pass = tuple[Kind, Action, int]

# What makes the columns.
FAILED: list[Pass] = [(kind, Action.FAIL, 0) for kind in Kind]
# What is done besides. A kill between two calls into the kernel or to SQLite
# leaves what a kill at the next one leaves: there is none at memory.
BESIDES: dict[str, list[Pass]] = {
    "timed out": [(Kind.KERNEL, Action.FAIL, errno.ETIMEDOUT)],
    "full": [(Kind.SQLITE_WRITE, Action.FAIL, errno.ENOSPC)],
    "lied": [(kind, Action.LIE, 0) for kind in
             (Kind.KERNEL, Kind.SQLITE_WRITE, Kind.SQLITE_SYNC)],
    "late": [(Kind.KERNEL, Action.DELAY, 0)],
    "killed": [(kind, Action.KILL, 0) for kind in
               (Kind.KERNEL, Kind.SQLITE_WRITE, Kind.SQLITE_SYNC)],
}


def every(sweep: Sweep, one: Pass) -> Iterator[Round]:
    """Every point of a pass: until it passes without its fault."""
    n = 1
    while (found := sweep.round(one[0], n, *one[1:])):
        yield found
        n += 1


def some(sweep: Sweep, column: str) -> Iterator[Round]:
    """Some points of a column, evenly spread."""
    points = [(kind, n) for kind in COLUMNS[column]
              for n in range(1, sweep.points[kind] + 1)]
    step = max(1, len(points) // SAMPLE)
    for kind, n in points[step // 2::step][:SAMPLE]:
        found = sweep.round(kind, n, Action.FAIL, 0)
        if found:
            yield found


def words(counts: dict[str, int]) -> str:
    """What there is any of."""
    return ", ".join(f"{n} {name}" for name, n in counts.items() if n)


@pytest.mark.limit(3600)
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.name)
def test_a_fault_leaves_a_documented_state(
        bench: Bench, operation: Operation,
        capsys: pytest.CaptureFixture[str]) -> None:
    """What that is says operations.py for each operation."""
    sweep = Sweep(bench, operation)
    failed: dict[str, int] = dict.fromkeys(COLUMNS, 0)
    besides: dict[str, int] = dict.fromkeys(BESIDES, 0)
    came: collections.Counter[str] = collections.Counter()
    bad = []

    for column in COLUMNS:
        rounds = some(sweep, column) if not LONG else (
            found for one in FAILED if one[0] in COLUMNS[column]
            for found in every(sweep, one))
        for found in rounds:
            failed[column] += 1
            came[found.came] += 1
            bad += [found] if not found.came else []
    for name, passes in BESIDES.items() if LONG else ():
        for one in passes:
            for found in every(sweep, one):
                besides[name] += 1
                came[found.came] += 1
                bad += [found] if not found.came else []

    with capsys.disabled():
        print(f"\n{operation.name}: " + ", ".join(
            f"{name} {n}" for name, n in failed.items()) + " failed" +
            (f"; {words(besides)}" if any(besides.values()) else "") +
            f"; came: {words(came)}", end="")
    assert not bad, "\n\n".join(map(str, bad[:5]))
    for column, n in failed.items():
        assert bool(n) != (column in operation.none), (
            f"{column}: {n} points; said to have none: "
            f"{operation.none.get(column)}")
