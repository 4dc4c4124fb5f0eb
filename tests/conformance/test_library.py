# SPDX-License-Identifier: Apache-2.0
"""libioasid's calls on spaces: what they do, and the words of each refusal."""

from collections.abc import Iterator

from bench import Bench
from holder import (FIXED, PAGE, READ, TOP, WRITE, Another, Answer, ok,
                    refused, reserving, translated)
from world import WIDE

GIB = 1 << 30
RW = READ | WRITE
UNDO = 1


def words(error: str, kind: str, answer: Answer, *said: str) -> Answer:
    """It was refused with that errno and id, and these words are in it."""
    refused(error, answer)
    if answer["id"] != f"client.{kind}":
        raise Another(answer, f"{error} client.{kind}")
    text = f"{answer.message} {answer.remedy}"
    for word in said:
        assert word in text, f"{word!r} is not in: {text}"
    return answer


def spaces(bench: Bench) -> tuple[int, int]:
    """A space that no device is on, and one with the first device."""
    return bench.context.space(), bench.attached()


def each_space(bench: Bench) -> Iterator[int]:
    """One with the first device, and then one that no device is on."""
    yield bench.attached()
    yield bench.context.space()


# --- what they do ---

@translated
def test_library_maps_memory_that_the_device_reaches(bench: Bench) -> None:
    """Of the process and of a memfd, fixed and placed; until it is unmapped."""
    context, holder, edu = bench.context, bench.holder, bench.devices[0]
    space, fd = bench.attached(), holder.memfd(4 * PAGE)
    file = ok(holder.tell("map", fd, 4 * PAGE)).va
    holder.fill(file + PAGE, PAGE, 3)
    page = bench.page(1)
    source = ok(context.lib("map-file", space, fd, PAGE, PAGE, READ, 0)).iova
    assert ok(context.lib("map", space, page, PAGE, RW | FIXED,
                          GIB)).iova == GIB
    edu.copy(source, GIB)
    assert holder.same(page, PAGE, 3)

    assert ok(context.lib("unmap", space, GIB, PAGE)).bytes == PAGE
    holder.fill(page, PAGE, 4)
    edu.store(GIB)
    assert holder.same(page, PAGE, 4)
    ok(context.lib("map", space, page, PAGE, RW | FIXED, 2 * GIB))
    assert ok(context.lib("unmap-all", space)).bytes == 2 * PAGE
    assert ok(context.lib("unmap-all", space)).bytes == 0
    holder.close(fd)


def test_library_places_inside_windows(bench: Bench) -> None:
    """What the kernel may choose is what the space promises."""
    context, page = bench.context, bench.page()
    fd = bench.holder.memfd(PAGE)
    for space in each_space(bench):
        ok(context.lib("allow", space, f"{GIB},{GIB + PAGE - 1}",
                       f"{2 * GIB},{2 * GIB + 2 * PAGE - 1}"))
        found = {ok(answer).iova for answer in (
            context.lib("map", space, page, PAGE, RW, 0),
            context.lib("map-file", space, fd, 0, PAGE, RW, 0))}
        found.add(ok(context.lib("copy", space, space, min(found), PAGE, RW,
                                 0)).iova)
        assert found == {GIB, 2 * GIB, 2 * GIB + PAGE}
        words("ENOSPC", "map-full", context.lib("map", space, page, PAGE, RW,
                                                0), str(PAGE), "FIXED")
        # And they are no fence.
        ok(context.lib("map", space, page, PAGE, RW | FIXED, 3 * GIB))
        assert ok(context.lib("unmap-all", space)).bytes == 4 * PAGE
    bench.holder.close(fd)


@translated
def test_library_copies_a_page_out_of_a_space_without_a_device(
        bench: Bench) -> None:
    """What a software vIOMMU does: map once, copy single pages."""
    context, holder, edu = bench.context, bench.holder, bench.devices[0]
    cache, shadow = spaces(bench)
    fd = holder.memfd(64 * PAGE)
    file = ok(holder.tell("map", fd, 64 * PAGE)).va
    holder.fill(file + 9 * PAGE, PAGE, 7)
    ok(context.lib("map-file", cache, fd, 0, 64 * PAGE, RW | FIXED, 0))
    ok(context.lib("copy", shadow, cache, 9 * PAGE, PAGE, READ | FIXED, GIB))
    ok(context.lib("copy", shadow, cache, 11 * PAGE, PAGE, RW | FIXED,
                   GIB + PAGE))
    edu.copy(GIB, GIB + PAGE)
    assert holder.same(file + 11 * PAGE, PAGE, 7)
    # It outlives what it was copied from.
    ok(context.lib("unmap-all", cache))
    holder.fill(file + 9 * PAGE, PAGE, 8)
    edu.copy(GIB, GIB + PAGE)
    assert holder.same(file + 11 * PAGE, PAGE, 8)
    holder.close(fd)


def test_space_is_pinned_by_a_page_table_and_not_by_being_there(
        bench: Bench) -> None:
    """Without one each copy out of it pins, and pays for, its own piece."""
    context, holder, device = bench.context, bench.holder, bench.devices[0]
    cache, shadow = spaces(bench)
    fd = holder.memfd(16 * PAGE)
    ok(holder.tell("memlock", 2 * PAGE))
    ok(context.lib("map-file", cache, fd, 0, 16 * PAGE, RW | FIXED, 0))
    for page in range(2):
        ok(context.lib("copy", shadow, cache, page * PAGE, PAGE, RW, 0))
    words("ENOMEM", "map-limit", context.lib("copy", shadow, cache, 2 * PAGE,
                                             PAGE, RW, 0), str(2 * PAGE))
    words("ENOMEM", "map-limit", context.lib("pin", cache, device.id))
    # With one all is paid for at once, and copies cost nothing more.
    ok(holder.tell("memlock", 16 * PAGE))
    table = ok(context.lib("pin", cache, device.id))["id"]
    for page in range(2, 16):
        ok(context.lib("copy", shadow, cache, page * PAGE, PAGE, RW, 0))
    words("EBUSY", "in-use", context.lib("destroy", cache), "page tables")
    ok(context.lib("destroy", table))
    ok(holder.tell("memlock", 8 << 20))
    holder.close(fd)


def test_library_makes_what_a_transfer_lease_needs(bench: Bench) -> None:
    """A space, a device on it, another space, and their ends."""
    context, holder, device = bench.context, bench.holder, bench.devices[0]
    first, second = (ok(context.lib("new"))["id"] for _ in range(2))
    assert ok(context.lib("ranges", first, 4)).alignment == 1
    ok(holder.tell("lib", "attach", device.fd, first))
    answer = ok(context.lib("ranges", first, 16))
    assert answer.alignment == PAGE and answer.n == len(context.ranges(first))
    assert words("EMSGSIZE", "kernel",
                 context.lib("ranges", first, 0)).n == answer.n
    words("EBUSY", "in-use", context.lib("destroy", first), f"object {first}")
    ok(holder.tell("lib", "attach", device.fd, second))
    ok(context.lib("destroy", first))
    ok(holder.tell("lib", "detach", device.fd))
    ok(context.lib("destroy", second))
    words("ENOENT", "no-object", context.lib("destroy", second),
          str(second))
    words("EINVAL", "in-use", holder.tell("lib", "bind", device.fd,
                                          context.fd), "bound already")


# --- refusals, each in words ---

def test_overlap_is_refused_in_words(bench: Bench) -> None:
    """All three kinds of mapping."""
    context, pages = bench.context, bench.page(n=2)
    fd = bench.holder.memfd(2 * PAGE)
    for space in each_space(bench):
        ok(context.lib("map", space, pages, PAGE, RW | FIXED, GIB))
        at = GIB - PAGE
        for answer in (
                context.lib("map", space, pages, 2 * PAGE, RW | FIXED, at),
                context.lib("map-file", space, fd, 0, 2 * PAGE, RW | FIXED,
                            at),
                context.lib("copy", space, space, GIB, PAGE, RW | FIXED,
                            GIB)):
            words("EEXIST", "map-taken", answer, f"space {space}",
                  f"-0x{GIB + PAGE - 1:x}", "Unmap")
    bench.holder.close(fd)


@reserving
def test_mapping_out_of_the_ranges_is_refused_with_the_ranges(
        bench: Bench) -> None:
    """Beyond the aperture, and where a range ends: they are named."""
    context, pages = bench.context, bench.page(n=2)
    space = bench.attached()
    fd = bench.holder.memfd(2 * PAGE)
    ok(context.lib("map", space, pages, PAGE, RW | FIXED, GIB))
    ranges = context.ranges(space)
    named = [f"0x{first:x}-0x{last:x}" for first, last in ranges]
    for last in bench.ends(space):
        for answer in (
                context.lib("map", space, pages, PAGE, RW | FIXED, last + 1),
                context.lib("map-file", space, fd, 0, 2 * PAGE, RW | FIXED,
                            last + 1 - PAGE),
                context.lib("copy", space, space, GIB, PAGE, RW | FIXED,
                            last + 1)):
            words("EINVAL", "map-range", answer, f"space {space}", *named)
    bench.holder.close(fd)


def test_unaligned_mapping_is_refused_with_what_is_unaligned(
        bench: Bench) -> None:
    """Address, length, and where it is in memory, file or space."""
    context, pages = bench.context, bench.page(n=2)
    space = bench.attached()
    for what, answer in (
            ("address 0x40000800", context.lib(
                "map", space, pages, PAGE, RW | FIXED, GIB + 0x800)),
            ("length 0x801", context.lib(
                "map", space, pages, 0x801, RW | FIXED, GIB)),
            ("address in the process", context.lib(
                "map", space, pages + 8, PAGE, RW | FIXED, GIB))):
        words("EINVAL", "map-alignment", answer, what, f"0x{PAGE:x}")
    cache, fd = context.space(), bench.holder.memfd(2 * PAGE)
    ok(context.lib("map", cache, pages, 2 * PAGE, RW | FIXED, 0))
    for what, answer in (
            ("offset in the file 0x10", context.lib(
                "map-file", space, fd, 16, PAGE, RW, 0)),
            ("address copied from 0x200", context.lib(
                "copy", space, cache, 0x200, PAGE, RW, 0))):
        words("EINVAL", "map-alignment", answer, what, f"0x{PAGE:x}")
    bench.holder.close(fd)


def test_wrap_is_refused_in_words(bench: Bench) -> None:
    """Of addresses of the space, the process, the file, the other space."""
    context, page = bench.context, bench.page()
    end = TOP + 1 - PAGE
    fd = bench.holder.memfd(PAGE)
    for space in each_space(bench):
        for answer in (
                context.lib("map", space, page, 2 * PAGE, RW | FIXED, end),
                context.lib("map", space, end, 2 * PAGE, RW | FIXED, GIB),
                context.lib("unmap", space, end, 2 * PAGE),
                context.lib("map-file", space, fd, end, 2 * PAGE, RW, 0),
                context.lib("copy", space, space, end, 2 * PAGE, RW, 0)):
            words("EOVERFLOW", "map-range", answer, f"0x{end:x}",
                  f"0x{2 * PAGE:x}")
    bench.holder.close(fd)


def test_unmap_across_a_boundary_is_refused_in_words(bench: Bench) -> None:
    """A part of a mapping, from either side; and where nothing is."""
    context, pages = bench.context, bench.page(n=4)
    for space in each_space(bench):
        ok(context.lib("map", space, pages, 4 * PAGE, RW | FIXED, GIB))
        for at, n in ((0, 1), (1, 2), (3, 1), (-1, 3), (2, 8), (64, 1)):
            start, length = GIB + at * PAGE, n * PAGE
            words("ENOENT", "not-mapped",
                  context.lib("unmap", space, start, length),
                  f"0x{start:x}-0x{start + length - 1:x}", "whole")
        ok(context.lib("unmap", space, GIB - PAGE, 8 * PAGE))
        words("EINVAL", "argument", context.lib("unmap", space, GIB, 0),
              "length is 0")


def test_argument_that_cannot_be_is_refused_in_words(bench: Bench) -> None:
    """Nothing to map, no access, an unknown flag."""
    context, page = bench.context, bench.page()
    for space in each_space(bench):
        words("EINVAL", "argument", context.lib(
            "map", space, page, 0, RW | FIXED, GIB), "length is 0")
        words("EINVAL", "argument", context.lib(
            "map", space, page, PAGE, FIXED, GIB), "IOASID_MAP_READ")
        words("EOPNOTSUPP", "unsupported", context.lib(
            "map", space, page, PAGE, RW | FIXED | 8, GIB), "flag")


def test_id_that_there_is_not_is_named(bench: Bench) -> None:
    """In every call that takes one."""
    context, page, device = bench.context, bench.page(), bench.devices[0]
    space, fd = context.space(), bench.holder.memfd(PAGE)
    for answer in (
            context.lib("map", 4711, page, PAGE, RW, 0),
            context.lib("map-file", 4711, fd, 0, PAGE, RW, 0),
            context.lib("copy", space, 4711, 0, PAGE, RW, 0),
            context.lib("copy", 4711, space, 0, PAGE, RW, 0),
            context.lib("unmap", 4711, 0, PAGE),
            context.lib("unmap-all", 4711),
            context.lib("ranges", 4711, 4),
            context.lib("allow", 4711),
            context.lib("pin", space, 4711),
            bench.holder.tell("lib", "attach", device.fd, 4711)):
        words("ENOENT", "no-object", answer, "4711")
    words("EINVAL", "no-object", context.lib("pin", 4711, device.id), "4711")
    # The space is there: it is a hole.
    words("ENOENT", "not-mapped", context.lib("copy", space, space, GIB, PAGE,
                                              RW, 0), f"0x{GIB:x}")
    bench.holder.close(fd)


def test_memory_that_cannot_be_had_is_named(bench: Bench) -> None:
    """Of the process, of no file, of a file that is too short or of a disk."""
    context, holder = bench.context, bench.holder
    space, gone = bench.attached(), bench.page()
    ok(holder.tell("unmap", gone, PAGE))
    words("EFAULT", "map-memory", context.lib(
        "map", space, gone, PAGE, RW | FIXED, GIB), f"0x{gone:x}")
    words("EBADF", "map-memory", context.lib("map-file", space, 4711, 0, PAGE,
                                             RW, 0), "4711")
    fd = holder.memfd(2 * PAGE)
    words("EINVAL", "map-memory",
          context.lib("map-file", space, fd, PAGE, 2 * PAGE, RW, 0),
          f"has {2 * PAGE} bytes", "ftruncate")
    holder.close(fd)
    disk = ok(holder.tell("file", "/bin/sh")).fd
    words("EINVAL", "map-memory", context.lib("map-file", space, disk, 0, PAGE,
                                              READ, 0), "memfd")
    holder.close(disk)


def test_copy_for_writing_is_refused_in_words(bench: Bench) -> None:
    """Of what was mapped for reading."""
    context, page = bench.context, bench.page()
    cache, space = spaces(bench)
    ok(context.lib("map", cache, page, PAGE, READ | FIXED, GIB))
    words("EPERM", "map-access", context.lib("copy", space, cache, GIB, PAGE,
                                             RW, 0), f"0x{GIB:x}",
          "IOASID_MAP_WRITE")
    ok(context.lib("copy", space, cache, GIB, PAGE, READ, 0))


def test_limit_of_locked_memory_is_named(bench: Bench) -> None:
    """By the bytes that the process may lock."""
    context, holder = bench.context, bench.holder
    space, pages = bench.attached(), bench.page(n=4)
    ok(holder.tell("memlock", 2 * PAGE))
    words("ENOMEM", "map-limit", context.lib(
        "map", space, pages, 4 * PAGE, RW | FIXED, GIB),
        f"is {2 * PAGE} bytes")
    ok(holder.tell("memlock", 8 << 20))


@reserving
def test_windows_are_refused_in_words(bench: Bench) -> None:
    """Over what the device reserves; that overlap."""
    context = bench.context
    space = bench.attached()
    last = bench.ends(space)[-1]
    words("EADDRINUSE", "map-range",
          context.lib("allow", space, f"0,{GIB - 1}", f"{GIB},{last + PAGE}"),
          f"0x{GIB:x}-0x{last + PAGE:x}", f"-0x{last:x}")
    words("EINVAL", "argument",
          context.lib("allow", space, f"0,{GIB}", f"{GIB},{2 * GIB}"),
          "overlap")


@reserving
def test_attach_over_what_is_mapped_is_refused_in_words(bench: Bench) -> None:
    """Or promised; and of memory that is there no more."""
    context, holder, device = bench.context, bench.holder, bench.devices[0]
    last = bench.ends(bench.attached())[-1]
    ok(device.detach())
    space, page = context.space(), bench.page()
    ok(context.lib("map", space, page, PAGE, RW | FIXED, last + 1))
    words("EADDRINUSE", "map-range",
          holder.tell("lib", "attach", device.fd, space), f"space {space}")
    # A page table alone knows of the aperture, not of what a device reserves.
    if not WIDE:
        words("EADDRINUSE", "map-range",
              context.lib("pin", space, device.id))
    ok(context.lib("unmap-all", space))
    ok(context.lib("map", space, page, PAGE, RW | FIXED, GIB))
    ok(holder.tell("unmap", page, PAGE))
    words("EFAULT", "map-memory",
          holder.tell("lib", "attach", device.fd, space), "Unmap")
    words("EFAULT", "map-memory", context.lib("pin", space, device.id))


# --- many at once ---

def piece(*values: int) -> str:
    """iova, length, at, flags."""
    return ",".join(str(value) for value in values)


def test_batch_maps_all_pieces(bench: Bench) -> None:
    """Of memory, of a file, of a space; and unmaps them."""
    context, pages = bench.context, bench.page(n=4)
    cache, space = spaces(bench)
    fd = bench.holder.memfd(4 * PAGE)
    fixed = [piece(GIB + 2 * n * PAGE, PAGE, n * PAGE, RW | FIXED)
             for n in range(4)]
    ok(context.lib("map-file", cache, fd, 0, 4 * PAGE, RW | FIXED, 0))
    for kind, source, base in (("memory", 0, pages), ("file", fd, 0),
                               ("space", cache, 0)):
        answer = ok(context.process.tell(
            "lib", "batch", kind, context.fd, space, source, 0,
            *[piece(0, PAGE, base + n * PAGE, RW) for n in range(4)]))
        assert answer.done == 4
        assert len(set(answer.iovas.split(","))) == 4
        assert ok(context.lib("unmap-all", space)).bytes == 4 * PAGE
    ok(context.process.tell("lib", "batch", "file", context.fd, space, fd, 0,
                            *fixed))
    assert ok(context.process.tell("lib", "batch", "unmap", context.fd, space,
                                   0, 0, *fixed)).done == 4
    assert ok(context.lib("unmap-all", space)).bytes == 0
    bench.holder.close(fd)


def test_batch_stops_at_the_first_failure(bench: Bench) -> None:
    """What was mapped stays, or with UNDO is gone; what was there stays."""
    context, pages = bench.context, bench.page(n=4)
    space = bench.attached()
    ok(context.lib("map", space, pages, PAGE, RW | FIXED, GIB + 2 * PAGE))
    batch = [piece(GIB + n * PAGE, PAGE, pages + n * PAGE, RW | FIXED)
             for n in range(4)]
    for options, left in ((UNDO, 1), (0, 3)):
        answer = words("EEXIST", "map-taken", context.process.tell(
            "lib", "batch", "memory", context.fd, space, 0, options, *batch),
            "piece 2 of 4", f"0x{GIB + 2 * PAGE:x}")
        assert answer.done == 2
        if options:
            refused("ENOENT", context.lib("unmap", space, GIB, 2 * PAGE))
    assert ok(context.lib("unmap-all", space)).bytes == left * PAGE
    answer = words("ENOENT", "not-mapped", context.process.tell(
        "lib", "batch", "unmap", context.fd, space, 0, 0, *batch),
        "piece 0 of 4")
    assert answer.done == 0
