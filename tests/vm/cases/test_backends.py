"""iommufd and type1 give the same answers, but for those that are listed here.

A holder of a hold lease calls libioasid, with an iommufd and the id of its space,
or with a container and 0. Each case is asked of both where the kernel has both;
what it is answered with stands here once. What differs stands in DIFFERENT, with
the kernel's reason.
"""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ioasid import FLAT, IOMMU, TOP, Ioasidd, Refused

sys.path.append(str(TOP / "tests/conformance"))

# pylint: disable=wrong-import-position
from holder import FIXED, PAGE, READ, WRITE, Answer, Holder, ok  # noqa: E402
from holder import TOP as LAST  # noqa: E402

pytest_plugins = ["ioasid"]
pytestmark = pytest.mark.skipif(IOMMU == "none" or FLAT,
                                reason="no IOMMU translates")
GIB = 1 << 30
RW = READ | WRITE | FIXED
# What a case is answered with: errno and id, or what was found.
Said = list[str]


class Bench:
    """A holder with a space, two pages of it mapped at 1 GiB, each alone."""

    def __init__(self, daemon: Ioasidd, backend: str) -> None:
        self.daemon, self.backend = daemon, backend
        daemon.start("--backend", backend)
        daemon.prepare("EDU0")
        self.lease = daemon.offer("EDU0", options=(
            "--mode", "hold", "--memlock", "1M", "--space",
            "window size=1G,start=1G"))
        self.holder = Holder(daemon)
        self.holder.take(self.lease, "EDU0")
        self.va = self.holder.memory(4 * PAGE, 1)
        for page in range(2):
            ok(self.map(GIB + page * PAGE))

    @property
    def space(self) -> dict[str, Any]:
        """As ioasidd has it."""
        space: dict[str, Any] = self.daemon.lease(self.lease)["spaces"][0]
        return space

    def lib(self, name: str, *words: Any) -> Answer:
        """A call of the library's on the space."""
        return self.holder.context.lib(name, self.space["kernelId"], *words)

    def map(self, iova: int, length: int = PAGE, flags: int = RW,
            va: int | None = None) -> Answer:
        """Map memory of the holder's."""
        return self.lib("map", self.va if va is None else va, length, flags,
                        iova)

    def beyond(self) -> int:
        """An address where nothing can be mapped."""
        return int(self.space["iovaRanges"][0]["last"]) + 1

    def refused(self, method: str, **fields: Any) -> Said:
        """What the daemon says to a change."""
        conn = self.daemon.native()
        kind = "PageTable" if "PageTable" in method else "Space"
        try:
            conn.call(method, kind, **fields)
        except Refused as refusal:
            return [refusal.id]
        finally:
            conn.close()
        return ["ok"]


def said(*answers: Answer) -> Said:
    """The errno of each, and what the library calls it; or how many bytes."""
    return [one.error + (f" {one.bytes}" if "bytes" in one else
                         f" {one.id}" if one.error != "ok" else "")
            for one in answers]


def reaches(bench: Bench, source: int, target: int) -> Said:
    """Does the device carry a page from there to there?"""
    bench.holder.fill(bench.va, PAGE, 7)
    bench.holder.fill(bench.va + PAGE, PAGE, 8)
    bench.holder.device("EDU0").awake().copy(source, target)
    return ["yes" if bench.holder.same(bench.va + PAGE, PAGE, 7) else "no"]


def second_page(bench: Bench, flags: int = RW) -> int:
    """Map the second page of the holder's memory; where."""
    ok(bench.map(GIB + 8 * PAGE, PAGE, flags, bench.va + PAGE))
    return GIB + 8 * PAGE


def after_unmap(bench: Bench) -> Said:
    """Of the target of a transfer."""
    target = second_page(bench)
    ok(bench.lib("unmap", target, PAGE))
    return reaches(bench, GIB, target)


def limited(bench: Bench) -> Said:
    """More than may be locked."""
    ok(bench.holder.tell("memlock", 4 * PAGE))
    return said(bench.map(2 * GIB, 4 * PAGE))


def batch(bench: Bench) -> Said:
    """The third piece overlaps the first; then what was before it is free."""
    pieces = [f"{GIB + at * PAGE},{PAGE},{bench.va},{RW}" for at in (4, 5, 4)]
    answer = bench.holder.tell("lib", "batch", "memory", bench.holder.iommufd,
                               bench.space["kernelId"], 0, 1, *pieces)
    return [f"{answer.error} {answer.done}"] + said(bench.map(GIB + 4 * PAGE))


def cut(bench: Bench) -> Said:
    """A range that a mapping sticks out of at its end, and one lies in it: is
    that one there afterwards?"""
    ok(bench.map(GIB + 2 * PAGE, 2 * PAGE))
    return said(bench.lib("unmap", GIB + PAGE, 2 * PAGE),
                bench.lib("unmap", GIB + PAGE, PAGE))


def ranges(bench: Bench) -> Said:
    """What the library reads is what ioasidd has read."""
    answer = ok(bench.lib("ranges", 16))
    space = bench.space
    return ["same" if (answer.n, str(answer.alignment)) ==
            (len(space["iovaRanges"]), space["iovaAlignment"]) else "other"]


SAME: dict[str, tuple[Callable[[Bench], Said], Said]] = {
    "overlap": (lambda b: said(b.map(GIB)), ["EEXIST client.map-taken"]),
    "unaligned": (lambda b: said(b.map(2 * GIB + 8)),
                  ["EINVAL client.map-alignment"]),
    "reserved": (lambda b: said(b.map(b.beyond())),
                 ["EINVAL client.map-range"]),
    "neither read nor write": (lambda b: said(b.map(2 * GIB, PAGE, FIXED)),
                               ["EINVAL client.argument"]),
    "no length": (lambda b: said(b.map(2 * GIB, 0)),
                  ["EINVAL client.argument"]),
    "wraps": (lambda b: said(b.map(LAST - PAGE + 1, 2 * PAGE)),
              ["EOVERFLOW client.map-range"]),
    "no memory": (lambda b: said(b.map(2 * GIB, PAGE, RW, 1 << 46)),
                  ["EFAULT client.map-memory"]),
    "beyond the limit": (limited, ["ENOMEM client.map-limit"]),
    "outside the windows": (lambda b: said(b.map(4 * GIB)), ["ok"]),
    "unmap": (lambda b: said(b.lib("unmap", GIB, PAGE)), ["ok 4096"]),
    "unmap of two": (lambda b: said(b.lib("unmap", GIB, 2 * PAGE)),
                     ["ok 8192"]),
    "unmap of nothing": (lambda b: said(b.lib("unmap", 2 * GIB, PAGE)),
                         ["ENOENT client.not-mapped"]),
    "unmap of a part": (
        lambda b: said(b.map(2 * GIB, 2 * PAGE),
                       b.lib("unmap", 2 * GIB, PAGE),
                       b.lib("unmap", 2 * GIB + PAGE, PAGE)),
        ["ok", "ENOENT client.not-mapped", "ENOENT client.not-mapped"]),
    "unmap of no length": (lambda b: said(b.lib("unmap", GIB, 0)),
                           ["EINVAL client.argument"]),
    "unmap of all": (lambda b: said(b.lib("unmap-all"), b.lib("unmap-all")),
                     ["ok 8192", "ok 0"]),
    "batch": (batch, ["EEXIST 2", "ok"]),
    "ranges": (ranges, ["same"]),
    "DMA": (lambda b: reaches(b, GIB, second_page(b)), ["yes"]),
    "DMA after unmap": (after_unmap, ["no"]),
    "DMA to what is for reading": (
        lambda b: reaches(b, GIB, second_page(b, READ | FIXED)), ["no"]),
    "windows are set": (
        lambda b: b.refused("Spaces/SetWindows", name=b.space["name"]), ["ok"]),
}

# What is asked; iommufd's answer; type1's; why.
DIFFERENT: dict[str, tuple[Callable[[Bench], Said], Said, Said, str]] = {
    "without an address": (
        lambda b: said(b.map(0, PAGE, READ | WRITE)), ["ok"],
        ["EOPNOTSUPP client.unsupported"],
        "VFIO_IOMMU_MAP_DMA places nothing, and GET_INFO does not tell what is "
        "mapped"),
    "a file": (
        lambda b: said(b.lib("map-file", b.holder.memfd(PAGE), 0, PAGE, RW,
                             2 * GIB)), ["ok"],
        ["EOPNOTSUPP client.unsupported"],
        "type1 pins what its caller's memory has, by address"),
    "a copy": (
        lambda b: said(b.lib("copy", b.space["kernelId"], GIB, PAGE, RW,
                             2 * GIB)), ["ok"],
        ["EOPNOTSUPP client.unsupported"], "a container is one space"),
    "allowed windows": (
        lambda b: said(b.lib("allow", f"{GIB},{2 * GIB - 1}")), ["ok"],
        ["EOPNOTSUPP client.unsupported"], "type1 has no ALLOW_IOVAS"),
    "another space": (
        lambda b: said(b.holder.context.lib("new")), ["ok"],
        ["ENOTTY client.unsupported"], "a container is one space"),
    "unmap that ends in a mapping": (
        cut, ["ENOENT client.not-mapped", "ENOENT client.not-mapped"],
        ["ENOENT client.not-mapped", "ok 4096"],
        "iommufd ends mapping by mapping; type1 looks at both ends first"),
    "a second space of the lease": (
        lambda b: b.refused("Spaces/CreateSpace", lease=b.lease), ["ok"],
        ["backend.unsupported"], "a container is one space"),
    "a device off its space": (
        lambda b: b.refused("Spaces/DetachDevice", name=b.space["name"],
                            device=b.daemon.lease(b.lease)["devices"][0]),
        ["ok"], ["backend.unsupported"],
        "a group with an open device cannot leave its container (EBUSY)"),
    "a page table": (
        lambda b: b.refused("PageTables/CreatePageTable", lease=b.lease,
                            parent=b.space["name"],
                            device=b.daemon.lease(b.lease)["devices"][0]),
        ["ok"], ["backend.unsupported"], "type1 has no HWPT_ALLOC"),
}


@pytest.fixture(params=["iommufd", "type1"])
def bench(stopped: Ioasidd, request: pytest.FixtureRequest) -> Iterator[Bench]:
    """A bench of each backend that the kernel has."""
    if request.param == "iommufd" and not Path("/dev/iommu").exists():
        pytest.skip("this kernel has no iommufd")
    one = Bench(stopped, request.param)
    yield one
    one.holder.kill_all()


@pytest.mark.parametrize("case", list(SAME))
def test_answer_is_the_same(bench: Bench, case: str) -> None:
    """Of both."""
    ask, expected = SAME[case]
    assert ask(bench) == expected


@pytest.mark.parametrize("case", list(DIFFERENT))
def test_answer_is_another_one(bench: Bench, case: str) -> None:
    """For the reason that stands beside it."""
    ask, iommufd, type1, reason = DIFFERENT[case]
    assert ask(bench) == (iommufd if bench.backend == "iommufd" else type1), \
        reason
