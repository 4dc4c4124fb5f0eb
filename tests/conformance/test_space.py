# SPDX-License-Identifier: Apache-2.0
"""Objects and structures of an iommufd: sizes, flags, ids, ranges, windows."""

from collections.abc import Callable

from bench import Bench
from holder import PAGE, READ, TOP, ok, refused, reserving

GIB = 1 << 30


# --- structures ---

def test_structure_that_is_too_short_is_einval(bench: Bench) -> None:
    """Each call has a least size: that of its first release."""
    space = bench.context.space()
    for name, size in (("ioas_alloc", 8), ("destroy", 4), ("ioas_map", 32),
                       ("ioas_unmap", 16), ("ioas_iova_ranges", 24),
                       ("ioas_copy", 32), ("option", 16), ("hwpt_alloc", 16),
                       ("hw_info", 24), ("ioas_map_file", 32),
                       ("ioas_allow_iovas", 16)):
        refused("EINVAL", bench.context.call(name, size=size))
    assert len(bench.context.ranges(space)) == 1


def test_longer_structure_is_taken_if_its_rest_is_zero(bench: Bench) -> None:
    """A newer program on an older kernel."""
    answer = ok(bench.context.call("ioas_alloc", tail="00" * 300))
    bench.context.made.append(answer.out_ioas_id)


def test_longer_structure_whose_rest_is_not_zero_is_e2big(
        bench: Bench) -> None:
    """What the kernel does not know it must not ignore."""
    refused("E2BIG", bench.context.call("ioas_alloc", tail="00" * 15 + "01"))
    refused("E2BIG", bench.context.call("ioas_alloc", tail="00" * 299 + "01"))
    refused("E2BIG", bench.context.call("destroy", id=1, tail="01"))


def test_unknown_call_is_enotty(bench: Bench) -> None:
    """So a program finds out what a kernel has."""
    refused("ENOTTY", bench.context.call("raw", nr=0x3bff))
    refused("ENOTTY", bench.devices[0].call("raw", nr=0x3bff))


def test_reserved_field_that_is_not_zero_is_eopnotsupp(bench: Bench) -> None:
    """In every structure that has one."""
    context = bench.context
    space, page = bench.attached(), bench.page()
    refused("EOPNOTSUPP", context.iova_ranges(space, reserved=1)[0])
    refused("EOPNOTSUPP", context.allow(space, reserved=1))
    refused("EOPNOTSUPP", context.map(space, page, PAGE, reserved=1))
    refused("EOPNOTSUPP", context.option(1, 1, space, reserved=1))
    refused("EOPNOTSUPP", context.table(bench.devices[0], space, reserved=1))
    refused("EOPNOTSUPP", context.call("hw_info", dev_id=bench.devices[0].id,
                                       reserved=1))


def test_unknown_flag_is_eopnotsupp(bench: Bench) -> None:
    """In every structure that has flags."""
    context = bench.context
    space, page = bench.attached(), bench.page()
    refused("EOPNOTSUPP", context.call("ioas_alloc", flags=1))
    refused("EOPNOTSUPP", context.map(space, page, PAGE, flags=8 | READ))
    refused("EOPNOTSUPP", context.map_file(space, 0, PAGE, flags=8 | READ))
    refused("EOPNOTSUPP", context.copy(space, space, PAGE, 0, flags=8 | READ))
    refused("EOPNOTSUPP", context.table(bench.devices[0], space,
                                        flags=1 << 31))
    refused("EOPNOTSUPP", context.call("hw_info", dev_id=bench.devices[0].id,
                                       flags=1 << 31))


def test_unknown_option_is_eopnotsupp(bench: Bench) -> None:
    """And an operation that is neither set nor get."""
    space = bench.context.space()
    refused("EOPNOTSUPP", bench.context.option(99, 1))
    refused("EOPNOTSUPP", bench.context.option(1, 7, space))
    refused("EOPNOTSUPP", bench.context.option(0, 1, space))


# --- ids ---

def test_new_object_gets_the_lowest_free_id(bench: Bench,
                                            fact: Callable[..., None]) -> None:
    """Ids are small numbers, and those of ended objects are used again."""
    context = bench.context
    first, second, third = (context.space() for _ in range(3))
    fact("ids", [first, second, third])
    assert (second, third) == (first + 1, first + 2)
    ok(context.destroy(second))
    assert context.space() == second
    assert bench.devices[0].id < first


def test_id_that_there_is_not_is_enoent(bench: Bench) -> None:
    """In every call that takes one; also one of another kind."""
    context, device = bench.context, bench.devices[0]
    page = bench.page()
    space = context.space()
    for number in (0, 4711, TOP >> 32, device.id):
        refused("ENOENT", context.iova_ranges(number)[0])
        refused("ENOENT", context.allow(number))
        refused("ENOENT", context.map(number, page, PAGE))
        refused("ENOENT", context.unmap(number, 0, PAGE))
        refused("ENOENT", context.copy(space, number, PAGE, 0))
        refused("ENOENT", context.option(1, 1, number))
    for number in (0, 4711):
        refused("ENOENT", context.destroy(number))
        refused("ENOENT", device.attach(number))
    refused("ENOENT", context.call("hw_info", dev_id=space))
    refused("ENOENT", context.call("hwpt_alloc", dev_id=space, pt_id=space))


def test_attach_to_a_device_is_einval(bench: Bench) -> None:
    """It is an object, but nothing to be attached to."""
    refused("EINVAL", bench.devices[0].attach(bench.devices[1].id))
    refused("EINVAL", bench.context.table(bench.devices[0],
                                          bench.devices[1].id))


# --- destroy ---

def test_destroyed_space_is_gone(bench: Bench) -> None:
    """With its mappings."""
    space = bench.context.space()
    ok(bench.context.map(space, bench.page(), PAGE, 0))
    ok(bench.context.destroy(space))
    refused("ENOENT", bench.context.destroy(space))
    refused("ENOENT", bench.context.iova_ranges(space)[0])


def test_space_with_a_page_table_is_not_destroyed(bench: Bench) -> None:
    """Whether it was asked for or made by an attach."""
    space = bench.attached()
    refused("EBUSY", bench.context.destroy(space))
    ok(bench.devices[0].detach())
    table = ok(bench.context.table(bench.devices[0], space)).out_hwpt_id
    refused("EBUSY", bench.context.destroy(space))
    ok(bench.context.destroy(table))
    ok(bench.context.destroy(space))


def test_page_table_in_use_is_not_destroyed(bench: Bench) -> None:
    """A device is attached to it."""
    space = bench.context.space()
    table = ok(bench.context.table(bench.devices[0], space)).out_hwpt_id
    ok(bench.devices[0].attach(table))
    refused("EBUSY", bench.context.destroy(table))
    ok(bench.devices[0].detach())
    ok(bench.context.destroy(table))


def test_bound_device_is_not_destroyed(bench: Bench) -> None:
    """It goes with its descriptor."""
    refused("EBUSY", bench.context.destroy(bench.devices[0].id))


# --- ranges ---

def test_new_space_takes_every_address(bench: Bench) -> None:
    """Nothing is attached, so nothing is reserved, and nothing is aligned."""
    answer, ranges = bench.context.iova_ranges(bench.context.space())
    assert ok(answer).out_iova_alignment == 1
    assert ranges == [[0, TOP]]


@reserving
def test_attach_narrows_the_ranges_and_detach_widens_them(
        bench: Bench, fact: Callable[..., None]) -> None:
    """By what the IOMMU cannot translate and what the device reserves."""
    space = bench.attached()
    answer, ranges = bench.context.iova_ranges(space)
    fact("ranges", ranges)
    fact("alignment", ok(answer).out_iova_alignment)
    assert answer.out_iova_alignment == PAGE
    assert ranges != [[0, TOP]]
    ok(bench.devices[0].detach())
    answer, ranges = bench.context.iova_ranges(space)
    assert ranges == [[0, TOP]]
    assert answer.out_iova_alignment == 1


def test_page_table_narrows_to_its_aperture(bench: Bench,
                                            fact: Callable[..., None]) -> None:
    """A device that is not attached reserves nothing."""
    space = bench.context.space()
    table = ok(bench.context.table(bench.devices[0], space)).out_hwpt_id
    answer, ranges = bench.context.iova_ranges(space)
    fact("ranges", ranges)
    assert len(ranges) == 1 and ok(answer).out_iova_alignment == PAGE
    ok(bench.context.destroy(table))
    assert bench.context.ranges(space) == [[0, TOP]]


def test_too_little_room_for_ranges_is_emsgsize(bench: Bench) -> None:
    """The answer says how much room there has to be."""
    space = bench.attached()
    n = len(bench.context.ranges(space))
    for room in range(n):
        answer, _ = bench.context.iova_ranges(space, room)
        assert refused("EMSGSIZE", answer).num_iovas == n
    ok(bench.context.iova_ranges(space, n)[0])


# --- windows ---

def test_window_of_one_address_or_less_is_einval(bench: Bench) -> None:
    """Each has to have a first and a last address."""
    space = bench.context.space()
    refused("EINVAL", bench.context.allow(space, (PAGE, PAGE)))
    refused("EINVAL", bench.context.allow(space, (2 * PAGE, PAGE)))
    ok(bench.context.allow(space, (PAGE, PAGE + 1)))


def test_windows_that_overlap_are_einval(bench: Bench) -> None:
    """Those that touch are not."""
    space = bench.context.space()
    refused("EINVAL", bench.context.allow(space, (0, 2 * GIB), (GIB, 3 * GIB)))
    refused("EINVAL", bench.context.allow(space, (GIB, 2 * GIB),
                                          (0, GIB)))
    ok(bench.context.allow(space, (GIB, 2 * GIB - 1), (0, GIB - 1)))


@reserving
def test_window_over_what_is_reserved_is_eaddrinuse(bench: Bench) -> None:
    """All of it has to be usable by what is attached."""
    space = bench.attached()
    last = bench.ends(space)[-1]
    refused("EADDRINUSE", bench.context.allow(space, (0, last + 1)))
    refused("EADDRINUSE", bench.context.allow(space, (last, last + PAGE)))
    ok(bench.context.allow(space, (0, GIB - 1)))


def test_refused_windows_leave_the_old_ones(bench: Bench) -> None:
    """All or nothing."""
    space = bench.context.space()
    ok(bench.context.allow(space, (GIB, GIB + 16 * PAGE - 1)))
    refused("EINVAL", bench.context.allow(space, (0, GIB - 1), (0, 1)))
    answer = ok(bench.context.map(space, bench.page(), PAGE))
    assert GIB <= answer.iova < GIB + 16 * PAGE


def test_new_windows_take_the_place_of_the_old_ones(bench: Bench) -> None:
    """Also none: then every address is as good as another."""
    context, page = bench.context, bench.page()
    space = context.space()
    ok(context.allow(space, (GIB, GIB + PAGE - 1)))
    ok(context.allow(space, (2 * GIB, 2 * GIB + PAGE - 1)))
    assert ok(context.map(space, page, PAGE)).iova == 2 * GIB
    refused("ENOSPC", context.map(space, page, PAGE))
    ok(context.allow(space))
    ok(context.map(space, page, PAGE))


@reserving
def test_attach_that_would_reserve_in_a_window_is_eaddrinuse(
        bench: Bench) -> None:
    """The window is a promise to those who map."""
    last = bench.ends(bench.attached())[-1]
    ok(bench.devices[0].detach())
    space = bench.context.space()
    ok(bench.context.allow(space, (0, GIB - 1), (last, last + 1)))
    refused("EADDRINUSE", bench.devices[0].attach(space))
    ok(bench.context.allow(space, (0, GIB - 1)))
    ok(bench.devices[0].attach(space))


def test_windows_are_no_fence(bench: Bench) -> None:
    """A FIXED mapping outside of them succeeds."""
    space = bench.attached()
    ok(bench.context.allow(space, (GIB, 2 * GIB - 1)))
    ok(bench.context.map(space, bench.page(), PAGE, 3 * GIB))
    ok(bench.context.map(space, bench.page(), PAGE, 16 * PAGE))


def test_placed_mapping_is_in_a_window(bench: Bench) -> None:
    """As long as there is room in one."""
    context, page = bench.context, bench.page()
    space = bench.attached()
    ok(context.allow(space, (GIB, GIB + PAGE - 1),
                     (2 * GIB, 2 * GIB + PAGE - 1)))
    found = {ok(context.map(space, page, PAGE)).iova for _ in range(2)}
    assert found == {GIB, 2 * GIB}
    refused("ENOSPC", context.map(space, page, PAGE))
    refused("ENOSPC", context.map(space, bench.page(n=2), 2 * PAGE))


def test_placed_mapping_is_never_in_page_zero(bench: Bench) -> None:
    """Address 0 is nobody's, unless it is asked for."""
    context, page = bench.context, bench.page()
    for space in (context.space(), bench.attached()):
        ok(context.allow(space, (0, 3 * PAGE - 1)))
        found = {ok(context.map(space, page, PAGE)).iova for _ in range(2)}
        assert found == {PAGE, 2 * PAGE}
        refused("ENOSPC", context.map(space, page, PAGE))
        ok(context.map(space, page, PAGE, 0))


def test_placed_mapping_is_as_aligned_as_its_memory(
        bench: Bench, fact: Callable[..., None]) -> None:
    """So that the IOMMU can use long pages."""
    context, size = bench.context, 2 << 20
    va = bench.holder.memory(4 << 20)
    aligned = (va + size - 1) & -size
    space = bench.attached()
    answer = ok(context.map(space, aligned, size))
    fact("iova of 2 MiB", answer.iova)
    assert answer.iova % size == 0
    answer = ok(context.map(space, aligned + PAGE, 2 * PAGE))
    fact("iova of 8 KiB", answer.iova)
    assert answer.iova % PAGE == 0


# --- options ---

def test_rlimit_mode_is_fixed_with_the_first_object(bench: Bench) -> None:
    """And only for who may raise limits; the daemon has set it."""
    assert ok(bench.context.option(0, 1)).val64 == 1
    answer = bench.context.option(0, 0, value=0)
    refused("EPERM", answer)


def test_huge_pages_are_forbidden_per_space(bench: Bench) -> None:
    """Then addresses are aligned to pages, also before an attach."""
    context = bench.context
    space = context.space()
    assert ok(context.option(1, 1, space)).val64 == 1
    refused("EINVAL", context.option(1, 0, space, 2))
    ok(context.option(1, 0, space, 0))
    assert ok(context.option(1, 1, space)).val64 == 0
    assert ok(context.iova_ranges(space)[0]).out_iova_alignment == PAGE
    ok(context.option(1, 0, space, 1))
    assert ok(context.iova_ranges(space)[0]).out_iova_alignment == 1


def test_huge_pages_are_not_forbidden_once_they_may_be_used(
        bench: Bench) -> None:
    """Mappings are in a page table already."""
    context = bench.context
    space = bench.attached()
    ok(context.map(space, bench.page(), PAGE, PAGE))
    refused("EINVAL", context.option(1, 0, space, 0))
    ok(context.unmap(space, PAGE, PAGE))
    ok(context.option(1, 0, space, 0))
