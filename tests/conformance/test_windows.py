# SPDX-License-Identifier: Apache-2.0
"""The planner against the kernel: what it places the kernel promises, and what
it refuses for a device the kernel refuses.

The planner knows what a probe has found; the kernel is asked with a space that
the device is attached to (IOMMU_IOAS_ALLOW_IOVAS).
"""

import re
from collections.abc import Callable
from typing import Any

import pytest
from ioasid import Ioasidd, Refused, device_name

from bench import Bench
from holder import PAGE, TOP, narrow, ok, refused, reserving, wide
from world import RESERVING

GIB, TIB = 1 << 30, 1 << 40
PAPR = [(0, 2 * GIB), (1 << 59, TIB)]
Fact = Callable[[str, Any], None]
Windows = list[tuple[int, int]]


def wish(size: int, start: int | None = None, more: str = "") -> str:
    """A WINDOW of the command line."""
    return f"size={size:#x}" + more + \
        (f",start={start:#x}" if start is not None else "")


def plan(daemon: Ioasidd, wishes: list[str], *names: str) -> Windows:
    """Where the planner puts them; raises Refused."""
    devices = [word for name in names or ("EDU0",)
               for word in ("--device", daemon.bdf(name))]
    answer = daemon.ask("window", "plan", *devices, *wishes)
    return [(int(one["start"]), int(one["last"]))
            for one in answer["windows"]]


def agrees(daemon: Ioasidd, bench: Bench, space: int,
           start: int, size: int) -> str:
    """Ask both for one window that has a start; the word that both say."""
    answer = bench.context.allow(space, (start, start + size - 1))
    try:
        placed = plan(daemon, [wish(size, start)])
        assert placed == [(start, start + size - 1)]
        ok(answer)
    except Refused as refusal:
        assert refusal.id == "window.unavailable", refusal.words
        refused("EADDRINUSE", answer)
    return answer.error


def edges(ranges: list[list[int]]) -> Windows:
    """Windows at and over each edge of what can be used: start and size."""
    found: set[tuple[int, int]] = set()
    for start, last in ranges:
        found |= {(start, PAGE), (last + 1 - PAGE, PAGE),
                  (start - PAGE, 2 * PAGE), (start - PAGE, PAGE),
                  (last + 1 - PAGE, 2 * PAGE), (last + 1, PAGE),
                  (start, last + 1 - start), (start, last + 1 - start + PAGE)}
    return sorted((start, size) for start, size in found
                  if start >= 0 and size <= TOP
                  and start + size - 1 <= TOP)


def test_planner_and_kernel_agree_at_every_edge(
        bench: Bench, daemon: Ioasidd, fact: Fact) -> None:
    """Page by page: what is usable, what is reserved, where the aperture
    ends."""
    space = bench.attached()
    said = {f"{start:#x}+{size:#x}": agrees(daemon, bench, space, start, size)
            for start, size in edges(bench.context.ranges(space))}
    fact("edges", said)
    assert set(said.values()) == ({"ok", "EADDRINUSE"} if RESERVING else
                                  {"ok"})


def test_planner_and_kernel_agree_on_what_guests_need(
        bench: Bench, daemon: Ioasidd, fact: Fact) -> None:
    """Low and high memory, and the windows of a POWER guest."""
    space = bench.attached()
    fact("needs", {f"{start:#x}+{size:#x}":
                   agrees(daemon, bench, space, start, size)
                   for start, size in [
                       *PAPR, (0, 4 * GIB), (4 * GIB, 64 * GIB), (0, TIB),
                       (TIB, TIB), (1 << 46, TIB), (1 << 47, TIB),
                       (0xfee00000, PAGE), (0x8000000, PAGE)]})


@narrow
def test_aperture_refuses_the_windows_of_a_power_guest(
        bench: Bench, daemon: Ioasidd, fact: Fact) -> None:
    """2 GiB at 0 and 1 TiB at 2^59, as a pair: the kernel refuses it, and the
    planner names the device and where its addresses end."""
    context = bench.context
    space = bench.attached()
    low, high = [(start, start + size - 1) for start, size in PAPR]
    refusal = daemon.refused("window", "plan", "-d", daemon.bdf("EDU0"),
                             *[wish(size, start) for start, size in PAPR])
    assert refusal.id == "window.unavailable"
    assert "it goes beyond an aperture" in refusal.words
    assert device_name(daemon.bdf("EDU0")) in refusal.words
    aperture = re.search(r"its aperture is 0x0-(0x[0-9a-f]+)$",
                         refusal.words, re.M)
    assert aperture, refusal.words
    assert int(aperture[1], 16) == context.ranges(space)[-1][1] < high[0]
    fact("words", refusal.words)
    refused("EADDRINUSE", context.allow(space, low, high))
    # Each for itself: what is in the way is the second.
    assert plan(daemon, [wish(2 * GIB, 0)]) == [low]
    ok(context.allow(space, low))
    refused("EADDRINUSE", context.allow(space, high))
    # With no device there is nothing in the way.
    answer = daemon.ask("window", "plan", *[wish(size, start)
                                            for start, size in PAPR])
    assert [(int(one["start"]), int(one["last"]))
            for one in answer["windows"]] == [low, high]


@wide
def test_windows_of_a_power_guest_are_acknowledged(
        bench: Bench, daemon: Ioasidd, fact: Fact) -> None:
    """2 GiB at 0 and 1 TiB at 2^59, as a pair: placed where they were asked for,
    promised by the kernel to a device that is there, and to one that is to
    come; what is mapped is in either. An IOMMU has a hole for interrupts above
    the first."""
    context, device = bench.context, bench.devices[0]
    space = bench.attached()
    pair = [(start, start + size - 1) for start, size in PAPR]
    assert plan(daemon, [wish(size, start) for start, size in PAPR]) == pair
    fact("ranges", context.ranges(space))
    ok(context.allow(space, *pair))
    ok(device.detach())
    ok(device.attach(space))
    for start, last in pair:
        for iova in (start, last + 1 - PAGE):
            ok(context.map(space, bench.page(), PAGE, iova))
    refused("EEXIST", context.map(space, bench.page(), PAGE, pair[1][0]))
    for _ in range(4):
        iova = ok(context.map(space, bench.page(), PAGE)).iova
        assert any(start <= iova <= last for start, last in pair)
    # Without the first one, all that has no address is high.
    ok(context.allow(space, pair[1]))
    assert pair[1][0] < ok(context.map(space, bench.page(), PAGE)).iova \
        <= pair[1][1]


def test_what_is_placed_is_promised(bench: Bench, daemon: Ioasidd,
                                    fact: Fact) -> None:
    """Anywhere, cut, below 4 GiB, for long pages: all in one list, to which the
    device stays attached."""
    context = bench.context
    space = bench.attached()
    for wishes in (
            [wish(GIB), wish(PAGE), wish(4 * GIB), wish(64 * GIB)],
            [wish(8 * GIB, 0, ",around-reserved")],
            [wish(GIB, None, ",page-sizes=4K+2M+1G"), wish(PAGE),
             wish(1 << 30, None, ",purpose=dma32")],
            [wish(16 * GIB, None, ",around-reserved"), wish(2 << 20)]):
        placed = plan(daemon, wishes)
        fact(" ".join(wishes), placed)
        ok(context.allow(space, *placed))
    # And with the promise made first.
    ok(bench.devices[0].detach())
    ok(bench.devices[0].attach(space))


@reserving
def test_what_is_said_to_fit_fits(bench: Bench, daemon: Ioasidd,
                                  fact: Fact) -> None:
    """Another place, the longest piece, and the pieces around what is
    reserved."""
    space = bench.attached()
    gap = next(start for start, _ in bench.context.ranges(space)[1:])
    over = (gap - PAGE - GIB // 2 & -GIB, GIB * 2)
    words = daemon.refused("window", "plan", "-d", daemon.bdf("EDU0"),
                           wish(over[1], over[0])).words
    fact("over what is reserved", words)
    found = re.search(r"it fits at (0x[0-9a-f]+)", words)
    assert found and "around_reserved" in words
    assert agrees(daemon, bench, space, int(found[1], 16), over[1]) == "ok"
    pieces = plan(daemon, [wish(over[1], over[0], ",around-reserved")])
    assert len(pieces) == 2
    ok(bench.context.allow(space, *pieces))
    for piece in pieces:
        if piece[1] + 1 != sum(over):
            assert agrees(daemon, bench, space, piece[0],
                          piece[1] + 1 + PAGE - piece[0]) == "EADDRINUSE"


@reserving
def test_the_longest_piece_that_is_told_is_the_longest(
        bench: Bench, daemon: Ioasidd) -> None:
    """A page more is refused by both."""
    space = bench.attached()
    words = daemon.refused("window", "plan", "-d", daemon.bdf("EDU0"),
                           wish(TOP - PAGE + 1)).words
    found = re.search(r"no more than (0x[0-9a-f]+) bytes fit in one piece, "
                      r"at (0x[0-9a-f]+)", words)
    assert found, words
    size, start = int(found[1], 16), int(found[2], 16)
    assert agrees(daemon, bench, space, start, size) == "ok"
    if start + size <= TOP:
        assert agrees(daemon, bench, space, start, size + PAGE) == \
            "EADDRINUSE"
    assert agrees(daemon, bench, space, start - PAGE, size) == "EADDRINUSE"


def test_plan_for_two_devices_is_for_a_space_with_both(
        bench: Bench, daemon: Ioasidd) -> None:
    """What both can use; a promise made before holds for both."""
    context = bench.context
    space = context.space()
    placed = plan(daemon, [wish(8 * GIB, 0, ",around-reserved"),
                           wish(GIB, None, ",page-sizes=1G")],
                  "EDU0", "EDU1")
    ok(context.allow(space, *placed))
    for device in bench.devices:
        ok(device.attach(space))
    ok(context.allow(space, *placed))


@reserving
def test_device_that_was_not_planned_for_is_not_attached(
        bench: Bench, daemon: Ioasidd) -> None:
    """A plan for a machine without limits is none for this one."""
    context = bench.context
    space = context.space()
    everywhere = daemon.ask("window", "plan", wish(TOP - PAGE + 1, 0))
    ok(context.allow(space, *[(int(one["start"]), int(one["last"]))
                              for one in everywhere["windows"]]))
    refused("EADDRINUSE", bench.devices[0].attach(space))
    with pytest.raises(Refused, match="window.unavailable"):
        plan(daemon, [wish(TOP - PAGE + 1, 0)])
