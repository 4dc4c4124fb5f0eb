# SPDX-License-Identifier: Apache-2.0
"""Mappings of a space: map, copy, unmap, at every boundary."""

from collections.abc import Callable

from bench import Bench
from holder import (FIXED, PAGE, READ, TOP, WRITE, ok, refused, reserving,
                    translated)
from world import RESERVING

GIB = 1 << 30


# --- map ---

def test_fixed_mapping_is_where_it_was_asked_for(bench: Bench) -> None:
    """Page 0 and the last page that the IOMMU can translate included."""
    context, page = bench.context, bench.page()
    space = bench.attached()
    last = context.ranges(space)[-1][1]
    for iova in (0, GIB, last + 1 - PAGE):
        assert ok(context.map(space, page, PAGE, iova)).iova == iova


def test_mapping_over_another_is_eexist(bench: Bench) -> None:
    """Whether it is the same, a part, or meets one end."""
    context, pages = bench.context, bench.page(n=4)
    space = context.space()
    ok(context.map(space, pages, 2 * PAGE, 4 * PAGE))
    for iova, n in ((4, 2), (4, 1), (5, 1), (3, 2), (5, 2), (3, 4)):
        refused("EEXIST", context.map(space, pages, n * PAGE, iova * PAGE))
    ok(context.map(space, pages, PAGE, 3 * PAGE))
    ok(context.map(space, pages, PAGE, 6 * PAGE))


@reserving
def test_mapping_where_it_is_reserved_is_einval(bench: Bench) -> None:
    """Between the ranges, above them, and over the end of one."""
    context, pages = bench.context, bench.page(n=2)
    space = bench.attached()
    for last in bench.ends(space):
        refused("EINVAL", context.map(space, pages, PAGE, last + 1))
        refused("EINVAL", context.map(space, pages, 2 * PAGE,
                                      last + 1 - PAGE))
        ok(context.map(space, pages, PAGE, last + 1 - PAGE))


@reserving
def test_mapping_over_the_whole_of_a_hole_is_einval(bench: Bench) -> None:
    """Everything is too much."""
    space = bench.attached()
    refused("EINVAL", bench.context.map(space, 0, TOP - 2 * PAGE + 1, PAGE))


def test_unaligned_mapping_is_einval_once_there_is_a_page_table(
        bench: Bench) -> None:
    """Address, length, and where it is in memory."""
    context, pages = bench.context, bench.page(n=3)
    space = bench.attached()
    for va, length, iova in ((0, PAGE, 0x800), (0x800, PAGE, PAGE),
                             (0, 0x800, PAGE), (0, PAGE + 1, PAGE)):
        refused("EINVAL", context.map(space, pages + va, length, iova))
    refused("EINVAL", context.map(space, pages, 0x800))
    refused("EINVAL", context.map(space, pages + 1, PAGE))


def test_unaligned_mapping_is_taken_as_long_as_nothing_is_attached(
        bench: Bench) -> None:
    """Then the attach is what is refused."""
    context, pages = bench.context, bench.page(n=3)
    space = context.space()
    ok(context.map(space, pages + 1, 17, 3))
    ok(context.map(space, pages, 5, 1000))
    refused("EADDRINUSE", bench.devices[0].attach(space))
    assert ok(context.unmap(space, 3, 17)).length == 17
    ok(context.unmap(space, 1000, 5))
    ok(bench.devices[0].attach(space))


def test_mapping_beyond_the_last_address_is_eoverflow(bench: Bench) -> None:
    """In I/O addresses and in the process's own."""
    context, page = bench.context, bench.page()
    space = context.space()
    refused("EOVERFLOW", context.map(space, page, 2 * PAGE, TOP + 1 - PAGE))
    refused("EOVERFLOW", context.map(space, page, PAGE, TOP))
    refused("EOVERFLOW", context.map(space, page, TOP, 0))
    refused("EOVERFLOW", context.map(space, TOP + 1 - PAGE, 2 * PAGE, 0))
    # The very last page is as good as another.
    ok(context.map(space, page, PAGE, TOP + 1 - PAGE))


def test_mapping_without_access_is_einval(bench: Bench) -> None:
    """Neither for reading nor for writing."""
    context, page = bench.context, bench.page()
    space = context.space()
    refused("EINVAL", context.map(space, page, PAGE, 0, flags=0))
    refused("EINVAL", context.map_file(space, 0, PAGE, 0, flags=0))
    refused("EINVAL", context.copy(space, space, PAGE, 0, flags=0))
    ok(context.map(space, page, PAGE, flags=WRITE))
    ok(context.map(space, page, PAGE, flags=READ))


def test_mapping_of_nothing_is_einval(bench: Bench) -> None:
    """In every call with a length."""
    context, page = bench.context, bench.page()
    space, fd = context.space(), bench.holder.memfd(PAGE)
    refused("EINVAL", context.map(space, page, 0, 0))
    refused("EINVAL", context.map(space, page, 0))
    refused("EINVAL", context.map_file(space, fd, 0, 0))
    ok(context.map(space, page, PAGE, 0))
    refused("EINVAL", context.copy(space, space, 0, 0, PAGE))
    refused("EINVAL", context.unmap(space, 0, 0))
    bench.holder.close(fd)


def test_refused_mapping_leaves_nothing(bench: Bench) -> None:
    """The addresses are free for another."""
    context, page = bench.context, bench.page()
    space = bench.attached()
    gone = bench.page()
    ok(bench.holder.tell("unmap", gone, PAGE))
    refused("EFAULT", context.map(space, gone, PAGE, GIB))
    ok(context.map(space, page, PAGE, GIB))


# --- attach over what is mapped ---

@reserving
def test_attach_that_would_reserve_what_is_mapped_is_eaddrinuse(
        bench: Bench) -> None:
    """Above what the IOMMU translates, or where interrupts are."""
    context, page, device = bench.context, bench.page(), bench.devices[0]
    ends = bench.ends(bench.attached())
    ok(device.detach())
    for last in ends:
        space = context.space()
        ok(context.map(space, page, PAGE, last + 1))
        refused("EADDRINUSE", device.attach(space))
        ok(context.unmap(space, last + 1, PAGE))
        ok(device.attach(space))
        ok(device.detach())


# --- unmap ---

def test_unmap_says_how_many_bytes_it_has_unmapped(bench: Bench) -> None:
    """Of all mappings in the range, with holes before, between and behind."""
    context, pages = bench.context, bench.page(n=2)
    space = context.space()
    ok(context.map(space, pages, PAGE, 4 * PAGE))
    ok(context.map(space, pages, 2 * PAGE, 8 * PAGE))
    assert ok(context.unmap(space, PAGE, 16 * PAGE)).length == 3 * PAGE
    ok(context.map(space, pages, PAGE, 4 * PAGE))
    assert ok(context.unmap(space, 4 * PAGE, PAGE)).length == PAGE


def test_part_of_a_mapping_is_not_unmapped(bench: Bench,
                                           fact: Callable[..., None]) -> None:
    """Whatever part; it stays whole."""
    context, pages = bench.context, bench.page(n=4)
    space = context.space()
    ok(context.map(space, pages, 4 * PAGE, 4 * PAGE))
    for iova, n in ((4, 1), (5, 2), (7, 1), (0, 5), (7, 9)):
        refused("ENOENT", context.unmap(space, iova * PAGE, n * PAGE))
    refused("EEXIST", context.map(space, pages, 4 * PAGE, 4 * PAGE))
    # What comes before it in the range.
    ok(context.map(space, pages, PAGE, 0))
    refused("ENOENT", context.unmap(space, 0, 6 * PAGE))
    fact("mapping before it", context.map(space, pages, PAGE, 0).error)
    assert ok(context.unmap(space, 4 * PAGE, 4 * PAGE)).length == 4 * PAGE


def test_unmap_that_finds_nothing_is_enoent(bench: Bench) -> None:
    """It is not as it was thought to be."""
    space = bench.context.space()
    refused("ENOENT", bench.context.unmap(space, 0, PAGE))
    ok(bench.context.map(space, bench.page(), PAGE, 0))
    ok(bench.context.unmap(space, 0, PAGE))
    refused("ENOENT", bench.context.unmap(space, 0, PAGE))


def test_unmap_of_all_ends_every_mapping(bench: Bench) -> None:
    """From 0, as long as can be; also if there is none."""
    context, pages = bench.context, bench.page(n=2)
    for space in (context.space(), bench.attached()):
        ok(context.map(space, pages, 2 * PAGE, 0))
        ok(context.map(space, pages, PAGE, GIB))
        ok(context.map(space, pages, PAGE, 3 * GIB))
        assert ok(context.unmap(space, 0, TOP)).length == 4 * PAGE
        refused("ENOENT", context.unmap(space, 0, PAGE))
        assert ok(context.unmap(space, 0, TOP)).length == 0


def test_unmap_beyond_the_last_address_is_eoverflow(bench: Bench) -> None:
    """Unless it is all."""
    space = bench.context.space()
    refused("EOVERFLOW", bench.context.unmap(space, PAGE, TOP))
    refused("EOVERFLOW", bench.context.unmap(space, TOP, PAGE))
    refused("EOVERFLOW", bench.context.unmap(space, TOP + 1 - PAGE, 2 * PAGE))


# --- copy ---

def test_copy_is_a_mapping_of_its_own(bench: Bench) -> None:
    """It stays when the source is unmapped, or its space destroyed."""
    context, page = bench.context, bench.page()
    source, target = context.space(), context.space()
    ok(context.map(source, page, PAGE, GIB))
    assert ok(context.copy(target, source, PAGE, GIB, 0)).dst_iova == 0
    assert ok(context.copy(target, source, PAGE, GIB)).dst_iova == PAGE
    assert ok(context.copy(source, source, PAGE, GIB, 0)).dst_iova == 0
    ok(context.destroy(source))
    assert ok(context.unmap(target, 0, 2 * PAGE)).length == 2 * PAGE


def test_copy_may_be_a_part_or_several_mappings(bench: Bench) -> None:
    """As long as there is no hole."""
    context, pages = bench.context, bench.page(n=4)
    source, target = context.space(), context.space()
    ok(context.map(source, pages, 2 * PAGE, 4 * PAGE))
    ok(context.map(source, pages, 2 * PAGE, 6 * PAGE))
    ok(context.copy(target, source, PAGE, 5 * PAGE, 0))
    ok(context.copy(target, source, 2 * PAGE, 5 * PAGE, 16 * PAGE))
    ok(context.copy(target, source, 4 * PAGE, 4 * PAGE, 32 * PAGE))
    assert ok(context.unmap(target, 16 * PAGE, 2 * PAGE)).length == 2 * PAGE


def test_copy_of_a_hole_is_enoent(bench: Bench) -> None:
    """Before, between or behind mappings."""
    context, pages = bench.context, bench.page(n=4)
    source, target = context.space(), context.space()
    ok(context.map(source, pages, PAGE, 4 * PAGE))
    ok(context.map(source, pages, PAGE, 6 * PAGE))
    for iova, n in ((0, 1), (3, 2), (4, 2), (4, 3), (6, 2)):
        refused("ENOENT", context.copy(target, source, n * PAGE, iova * PAGE))
    refused("ENOENT", context.unmap(target, 0, 64 * PAGE))


def test_copy_over_a_mapping_is_eexist(bench: Bench) -> None:
    """Or where it is reserved, as any mapping."""
    context, page = bench.context, bench.page()
    source, target = context.space(), bench.attached()
    ok(context.map(source, page, PAGE, 0))
    ok(context.copy(target, source, PAGE, 0, GIB))
    refused("EEXIST", context.copy(target, source, PAGE, 0, GIB))
    for last in bench.ends(target) if RESERVING else []:
        refused("EINVAL", context.copy(target, source, PAGE, 0, last + 1))
    refused("EINVAL", context.copy(target, source, PAGE, 0, 0x800))
    refused("EOVERFLOW", context.copy(target, source, PAGE, TOP, 0))
    refused("EOVERFLOW", context.copy(target, source, PAGE, 0, TOP))


def test_copy_for_writing_of_what_was_mapped_for_reading_is_eperm(
        bench: Bench) -> None:
    """A copy gives no access that the mapping had not."""
    context, page = bench.context, bench.page()
    source, target = context.space(), context.space()
    ok(context.map(source, page, PAGE, 0, flags=READ))
    refused("EPERM", context.copy(target, source, PAGE, 0))
    ok(context.copy(target, source, PAGE, 0, flags=READ))


# --- files ---

def test_file_is_mapped_by_its_descriptor(bench: Bench) -> None:
    """From any page of it."""
    context, holder = bench.context, bench.holder
    space, fd = bench.attached(), holder.memfd(4 * PAGE)
    ok(context.map_file(space, fd, 4 * PAGE, 0))
    ok(context.map_file(space, fd, PAGE, GIB, start=3 * PAGE))
    refused("EINVAL", context.map_file(space, fd, PAGE, start=0x800))
    holder.close(fd)
    assert ok(context.unmap(space, 0, TOP)).length == 5 * PAGE


def test_bad_descriptor_is_no_file(bench: Bench) -> None:
    """Nor is one that is closed."""
    space = bench.context.space()
    refused("EBADF", bench.context.map_file(space, 4711, PAGE, 0))


def test_file_that_is_no_shared_memory_is_einval_when_it_is_pinned(
        bench: Bench, fact: Callable[..., None]) -> None:
    """A file of the disk, say."""
    context, holder = bench.context, bench.holder
    fd = ok(holder.tell("file", "/bin/sh")).fd
    space = bench.attached()
    refused("EINVAL", context.map_file(space, fd, PAGE, 0, flags=READ))
    lazy = context.space()
    answer = context.map_file(lazy, fd, PAGE, 0, flags=READ)
    fact("before an attach", answer.error)
    if answer.error == "ok":
        refused("EINVAL", bench.devices[1].attach(lazy))
    holder.close(fd)


def test_pages_beyond_the_end_of_a_file_are_einval_when_pinned(
        bench: Bench) -> None:
    """The file is as long as it is."""
    context, holder = bench.context, bench.holder
    space, fd = bench.attached(), holder.memfd(2 * PAGE)
    refused("EINVAL", context.map_file(space, fd, 3 * PAGE, 0))
    refused("EINVAL", context.map_file(space, fd, PAGE, 0, start=2 * PAGE))
    ok(context.map_file(space, fd, PAGE, 0, start=PAGE))
    lazy = context.space()
    ok(context.map_file(lazy, fd, 3 * PAGE, 0))
    refused("EINVAL", bench.devices[1].attach(lazy))
    holder.close(fd)


@translated
def test_file_opened_for_reading_is_mapped_for_writing(bench: Bench) -> None:
    """The kernel looks at neither: who has a file may write to it so."""
    context, holder = bench.context, bench.holder
    fd = holder.memfd(PAGE)
    readonly = ok(holder.tell("reopen", fd)).fd
    space, edu = bench.attached(), bench.devices[0]
    ok(context.map(space, bench.page(5), PAGE, 0))
    ok(context.map_file(space, readonly, PAGE, GIB))
    edu.copy(0, GIB)
    va = ok(holder.tell("map", fd, PAGE)).va
    assert holder.same(va, PAGE, 5)
    holder.close(fd)
    holder.close(readonly)


def test_flag_fixed_is_what_makes_an_address_count(bench: Bench) -> None:
    """Without it the kernel chooses."""
    context, page = bench.context, bench.page()
    space = context.space()
    answer = ok(context.call("ioas_map", ioas_id=space, user_va=page,
                             length=PAGE, iova=GIB, flags=READ))
    assert answer.iova != GIB
    answer = ok(context.call("ioas_map", ioas_id=space, user_va=page,
                             length=PAGE, iova=GIB, flags=READ | FIXED))
    assert answer.iova == GIB
