/* SPDX-License-Identifier: Apache-2.0
 *
 * test-sim-ioas.c - the rules of an I/O address space: where memory can be
 *		     mapped, where it is put, what windows promise
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/str.h"
#include "kernel/sim/ioas.h"
#include "kernel/sim/sim.h"

#define TOP UINT64_MAX
#define MIB (1ULL << 20)
#define GIB (1ULL << 30)

/* VT-d's: 48 bits, and the hole for interrupts. */
static const struct kernel_range vtd = { 0, (1ULL << 48) - 1 };
#define MSI_START 0xfee00000ULL
#define MSI_LAST 0xfeefffffULL

/* Owners are addresses and nothing more. */
static char table_a, table_b, device_a, device_b;

/* a_space() - One with VT-d's page table and a device on it */
static struct sim_ioas a_space(void)
{
	struct sim_ioas ioas;

	sim_ioas_init(&ioas);
	assert_int_equal(sim_ioas_add_table(&ioas, &vtd, SIM_PAGE, &table_a),
			 0);
	assert_int_equal(sim_ioas_reserve(&ioas, MSI_START, MSI_LAST,
					  &device_a), 0);
	return ioas;
}

/* map() - As a FIXED mapping is made */
static int map(struct sim_ioas *ioas, uint64_t iova, uint64_t length)
{
	struct sim_area area = { .iova = iova, .last = iova + length - 1 };
	int r = sim_ioas_check(ioas, iova, length);

	return r < 0 ? r : sim_ioas_insert(ioas, &area);
}

/* place() - As a mapping without FIXED is made; its address, or 0 */
static uint64_t place(struct sim_ioas *ioas, uint64_t address, uint64_t length)
{
	struct sim_area area = { .offset = address % SIM_PAGE };

	if (sim_ioas_place(ioas, address, length, &area.iova) < 0)
		return 0;

	area.last = area.iova + length - 1;
	assert_int_equal(sim_ioas_check(ioas, area.iova, length), 0);
	assert_int_equal(sim_ioas_insert(ioas, &area), 0);
	return area.iova;
}

/* allow() - Set windows; what fails leaves those that there are */
static int allow(struct sim_ioas *ioas, const struct kernel_range *ranges,
		 size_t n)
{
	struct sim_windows windows = SIM_WINDOWS_NULL;
	int r = 0;

	for (size_t i = 0; i < n && r >= 0; i++)
		r = sim_windows_add(&windows, &ranges[i]);
	if (r >= 0)
		r = sim_ioas_allow(ioas, &windows);

	sim_windows_deinit(&windows);
	return r;
}

/* expect_ranges() - What can be mapped is exactly that */
static void expect_ranges(const struct sim_ioas *ioas,
			  const struct kernel_range *ranges, size_t n)
{
	struct kernel_range *are;
	size_t n_are;

	assert_int_equal(sim_ioas_ranges(ioas, &are, &n_are), 0);
	assert_int_equal(n_are, n);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(are[i].start, ranges[i].start);
		assert_int_equal(are[i].last, ranges[i].last);
	}
	free(are);
}

/* --- ranges --- */

static void a_fresh_space_has_all_addresses(void **state)
{
	struct sim_ioas ioas;

	sim_ioas_init(&ioas);
	assert_int_equal(ioas.alignment, 1);
	expect_ranges(&ioas, &(struct kernel_range){ 0, TOP }, 1);
	sim_ioas_deinit(&ioas);
}

static void apertures_and_reservations_narrow_and_widen(void **state)
{
	struct kernel_range narrow[] = {
		{ 0, MSI_START - 1 }, { MSI_LAST + 1, vtd.last }
	};
	struct sim_ioas ioas = a_space();

	expect_ranges(&ioas, narrow, 2);
	assert_int_equal(ioas.alignment, SIM_PAGE);

	/* Twice the same, and one beside it: still one hole. */
	assert_int_equal(sim_ioas_reserve(&ioas, MSI_START, MSI_LAST,
					  &device_b), 0);
	assert_int_equal(sim_ioas_reserve(&ioas, MSI_LAST + 1,
					  MSI_LAST + SIM_PAGE, &device_b), 0);
	narrow[1].start += SIM_PAGE;
	expect_ranges(&ioas, narrow, 2);

	sim_ioas_unreserve(&ioas, &device_b);
	narrow[1].start -= SIM_PAGE;
	expect_ranges(&ioas, narrow, 2);

	sim_ioas_unreserve(&ioas, &device_a);
	expect_ranges(&ioas, &vtd, 1);
	sim_ioas_remove_table(&ioas, &table_a);
	expect_ranges(&ioas, &(struct kernel_range){ 0, TOP }, 1);
	assert_int_equal(ioas.alignment, 1);
	sim_ioas_deinit(&ioas);
}

static void reservations_reach_both_ends(void **state)
{
	struct sim_ioas ioas;

	sim_ioas_init(&ioas);
	assert_int_equal(sim_ioas_reserve(&ioas, 0, 0, &device_a), 0);
	assert_int_equal(sim_ioas_reserve(&ioas, TOP, TOP, &device_a), 0);
	expect_ranges(&ioas, &(struct kernel_range){ 1, TOP - 1 }, 1);

	assert_int_equal(sim_ioas_reserve(&ioas, 0, TOP, &device_b), 0);
	expect_ranges(&ioas, NULL, 0);
	sim_ioas_deinit(&ioas);
}

static void the_strictest_page_table_counts(void **state)
{
	struct kernel_range narrow = { 0x1000, (1ULL << 39) - 1 };
	struct sim_ioas ioas = a_space();

	assert_int_equal(sim_ioas_add_table(&ioas, &narrow, SIM_PAGE, &table_b),
			 0);
	expect_ranges(&ioas, (struct kernel_range[]){
		{ 0x1000, MSI_START - 1 }, { MSI_LAST + 1, narrow.last } }, 2);
	assert_int_equal(sim_ioas_add_table(&ioas, &vtd, 2 * SIM_PAGE,
					    &device_b), -EINVAL);
	sim_ioas_deinit(&ioas);
}

/* --- fixed mappings --- */

/* Where, how long, and what comes of it. */
static const struct {
	uint64_t iova, length;
	int result;
} fixed[] = {
	{ 0, SIM_PAGE, 0 },
	{ 0, SIM_PAGE, -EEXIST },
	{ SIM_PAGE, SIM_PAGE, 0 },
	{ 0, 2 * SIM_PAGE, -EEXIST },
	{ 1, SIM_PAGE, -EINVAL },
	{ 10 * SIM_PAGE, SIM_PAGE, 0 },
	{ 8 * SIM_PAGE, 2 * SIM_PAGE, 0 },
	{ 8 * SIM_PAGE, 4 * SIM_PAGE, -EEXIST },
	{ 11 * SIM_PAGE, SIM_PAGE, 0 },
	{ MSI_START - SIM_PAGE, SIM_PAGE, 0 },
	{ MSI_START, SIM_PAGE, -EINVAL },
	{ MSI_START - 2 * SIM_PAGE, 3 * SIM_PAGE, -EINVAL },
	{ MSI_LAST + 1 - SIM_PAGE, SIM_PAGE, -EINVAL },
	{ MSI_LAST + 1, SIM_PAGE, 0 },
	{ 0xf0000000ULL, GIB, -EINVAL },
	{ (1ULL << 48) - SIM_PAGE, SIM_PAGE, 0 },
	{ (1ULL << 48) - SIM_PAGE, 2 * SIM_PAGE, -EINVAL },
	{ 1ULL << 48, SIM_PAGE, -EINVAL },
	{ TOP - SIM_PAGE + 1, SIM_PAGE, -EINVAL },
	{ TOP - SIM_PAGE + 1, 2 * SIM_PAGE, -EOVERFLOW },
};

static void fixed_mappings_are_refused_as_by_the_kernel(void **state)
{
	struct sim_ioas ioas = a_space();

	for (size_t i = 0; i < ARRAY_SIZE(fixed); i++) {
		int r = map(&ioas, fixed[i].iova, fixed[i].length);

		if (r != fixed[i].result)
			fail_msg("%zu: %d", i, r);
	}
	sim_ioas_deinit(&ioas);
}

static void without_page_table_bytes_can_be_mapped(void **state)
{
	struct sim_ioas ioas;

	sim_ioas_init(&ioas);
	assert_int_equal(map(&ioas, 1, 1), 0);
	assert_int_equal(map(&ioas, 0, 1), 0);
	assert_int_equal(map(&ioas, 2, 3), 0);
	assert_int_equal(map(&ioas, 4, 1), -EEXIST);
	assert_int_equal(map(&ioas, TOP, 1), 0);
	assert_int_equal(map(&ioas, TOP, 2), -EOVERFLOW);
	/* And then it cannot have a page table. */
	assert_int_equal(sim_ioas_add_table(&ioas, &vtd, SIM_PAGE, &table_a),
			 -EADDRINUSE);
	expect_ranges(&ioas, &(struct kernel_range){ 0, TOP }, 1);
	sim_ioas_deinit(&ioas);
}

static void nothing_is_reserved_over_a_mapping(void **state)
{
	struct sim_ioas ioas;

	sim_ioas_init(&ioas);
	assert_int_equal(map(&ioas, MSI_START - SIM_PAGE, SIM_PAGE), 0);
	assert_int_equal(map(&ioas, 1ULL << 48, SIM_PAGE), 0);
	assert_int_equal(sim_ioas_reserve(&ioas, MSI_START - 1, MSI_LAST,
					  &device_a), -EADDRINUSE);
	assert_int_equal(sim_ioas_reserve(&ioas, MSI_START, MSI_LAST,
					  &device_a), 0);
	sim_ioas_unreserve(&ioas, &device_a);
	assert_int_equal(sim_ioas_add_table(&ioas, &vtd, SIM_PAGE, &table_a),
			 -EADDRINUSE);
	expect_ranges(&ioas, &(struct kernel_range){ 0, TOP }, 1);
	assert_int_equal(ioas.alignment, 1);
	sim_ioas_deinit(&ioas);
}

static void many_mappings_are_found_and_removed(void **state)
{
	const size_t n = 20000;
	struct sim_ioas ioas;

	sim_ioas_init(&ioas);
	/* From the last to the first, with a page between them. */
	for (size_t i = n; i-- > 0;)
		assert_int_equal(map(&ioas, 2 * i * SIM_PAGE, SIM_PAGE), 0);
	assert_int_equal(ioas.n_areas, n);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(sim_ioas_find(&ioas, 2 * i * SIM_PAGE), i);
	assert_int_equal(sim_ioas_find(&ioas, SIM_PAGE), 1);
	assert_int_equal(sim_ioas_find(&ioas, 2 * n * SIM_PAGE), n);

	sim_ioas_remove(&ioas, 10, n - 20);
	assert_int_equal(ioas.n_areas, 20);
	assert_int_equal(ioas.areas[10].iova, 2 * (n - 10) * SIM_PAGE);
	assert_int_equal(map(&ioas, 30 * SIM_PAGE, SIM_PAGE), 0);
	sim_ioas_deinit(&ioas);
}

/* --- placement --- */

static void placement_is_the_lowest_that_is_as_aligned(void **state)
{
	struct sim_ioas ioas = a_space();

	/* Never in page 0. */
	assert_int_equal(place(&ioas, 0x7f0000001000, SIM_PAGE), SIM_PAGE);
	assert_int_equal(place(&ioas, 0x7f0000001000, SIM_PAGE), 2 * SIM_PAGE);
	/* As aligned as the memory, or the length if that is less. */
	assert_int_equal(place(&ioas, 0x7f0000010000, 4 * SIM_PAGE),
			 4 * SIM_PAGE);
	assert_int_equal(place(&ioas, 0x7f0000002000, 4 * SIM_PAGE),
			 8 * SIM_PAGE);
	assert_int_equal(place(&ioas, 0, 3 * SIM_PAGE), 12 * SIM_PAGE);
	/* To 2 MiB, not further. */
	assert_int_equal(place(&ioas, GIB, GIB), 2 * MIB);
	assert_int_equal(place(&ioas, 0x7f0000001000, SIM_PAGE), 3 * SIM_PAGE);
	/* Between it and the hole for interrupts are not 3 GiB. */
	assert_int_equal(place(&ioas, GIB, 3 * GIB), MSI_LAST + 1 + MIB);
	sim_ioas_deinit(&ioas);
}

static void placement_keeps_the_offset_in_the_page(void **state)
{
	struct sim_ioas ioas;

	sim_ioas_init(&ioas);
	assert_int_equal(place(&ioas, 0x7f0000001200, 0x100), 0x1200);
	/* The kernel ORs the offset in: from 0x1300 on that is 0x1300. */
	assert_int_equal(place(&ioas, 0x7f0000001200, 0x100), 0x1300);
	sim_ioas_deinit(&ioas);

	/* With a page table it cannot: 512 bytes are not aligned enough. */
	ioas = a_space();
	assert_int_equal(place(&ioas, 0x7f0000001200, SIM_PAGE), 0);
	sim_ioas_deinit(&ioas);
}

static void placement_stays_in_the_windows(void **state)
{
	const struct kernel_range windows[] = {
		{ 8 * GIB, 8 * GIB + SIM_PAGE - 1 },
		{ GIB + 1, GIB + 2 * SIM_PAGE - 1 },
		/* These two touch, so they are one. */
		{ 4 * GIB, 4 * GIB + SIM_PAGE - 1 },
		{ 4 * GIB + SIM_PAGE, 4 * GIB + 2 * SIM_PAGE - 1 },
	};
	struct sim_ioas ioas = a_space();
	uint64_t iova;

	assert_int_equal(allow(&ioas, windows, 4), 0);
	assert_int_equal(place(&ioas, SIM_PAGE, 2 * SIM_PAGE), 4 * GIB);
	assert_int_equal(place(&ioas, SIM_PAGE, SIM_PAGE), GIB + SIM_PAGE);
	assert_int_equal(place(&ioas, SIM_PAGE, SIM_PAGE), 8 * GIB);
	assert_int_equal(sim_ioas_place(&ioas, SIM_PAGE, SIM_PAGE, &iova),
			 -ENOSPC);
	/* A fence they are not. */
	assert_int_equal(map(&ioas, 9 * GIB, SIM_PAGE), 0);
	sim_ioas_deinit(&ioas);
}

static void placement_knows_when_there_is_no_room(void **state)
{
	struct kernel_range tiny = { 0, 4 * SIM_PAGE - 1 };
	struct sim_ioas ioas;
	uint64_t iova;

	sim_ioas_init(&ioas);
	assert_int_equal(sim_ioas_place(&ioas, 0, 0, &iova), -EOVERFLOW);
	assert_int_equal(sim_ioas_place(&ioas, 0, TOP / 2, &iova), -EOVERFLOW);
	assert_int_equal(sim_ioas_add_table(&ioas, &tiny, SIM_PAGE, &table_a),
			 0);
	assert_int_equal(sim_ioas_place(&ioas, SIM_PAGE, 4 * SIM_PAGE, &iova),
			 -ENOSPC);
	assert_int_equal(place(&ioas, SIM_PAGE, 3 * SIM_PAGE), SIM_PAGE);
	assert_int_equal(sim_ioas_place(&ioas, SIM_PAGE, SIM_PAGE, &iova),
			 -ENOSPC);
	sim_ioas_deinit(&ioas);
}

/* --- windows --- */

static void bad_windows_change_nothing(void **state)
{
	const struct kernel_range good = { GIB, 2 * GIB - 1 };
	const struct kernel_range one = { GIB, GIB }, back = { GIB, GIB - 1 };
	const struct kernel_range meets[] = { good, { 2 * GIB - 1, 3 * GIB } };
	const struct kernel_range before[] = { good, { 0, GIB } };
	const struct kernel_range inside[] = { good, { GIB + 1, GIB + 2 } };
	const struct kernel_range msi = { 0, 4 * GIB - 1 };
	const struct kernel_range beyond = { 1ULL << 47, 1ULL << 48 };
	struct sim_ioas ioas = a_space();

	assert_int_equal(allow(&ioas, &good, 1), 0);
	assert_int_equal(allow(&ioas, &one, 1), -EINVAL);
	assert_int_equal(allow(&ioas, &back, 1), -EINVAL);
	assert_int_equal(allow(&ioas, meets, 2), -EINVAL);
	assert_int_equal(allow(&ioas, before, 2), -EINVAL);
	assert_int_equal(allow(&ioas, inside, 2), -EINVAL);
	assert_int_equal(allow(&ioas, &msi, 1), -EADDRINUSE);
	assert_int_equal(allow(&ioas, &beyond, 1), -EADDRINUSE);
	assert_int_equal(ioas.windows.n, 1);
	assert_int_equal(ioas.windows.ranges[0].start, GIB);

	assert_int_equal(allow(&ioas, NULL, 0), 0);
	assert_int_equal(ioas.windows.n, 0);
	sim_ioas_deinit(&ioas);
}

static void windows_touch_what_is_reserved(void **state)
{
	const struct kernel_range around[] = {
		{ 0, MSI_START - 1 }, { MSI_LAST + 1, vtd.last }
	};
	struct sim_ioas ioas = a_space();

	assert_int_equal(allow(&ioas, around, 2), 0);
	sim_ioas_deinit(&ioas);
}

static void windows_bind_what_comes_later(void **state)
{
	const struct kernel_range high = { 1ULL << 47, 1ULL << 48 };
	struct sim_ioas ioas;

	sim_ioas_init(&ioas);
	assert_int_equal(allow(&ioas, &high, 1), 0);
	assert_int_equal(sim_ioas_add_table(&ioas, &vtd, SIM_PAGE, &table_a),
			 -EADDRINUSE);
	assert_int_equal(sim_ioas_reserve(&ioas, 0, high.start, &device_a),
			 -EADDRINUSE);
	assert_int_equal(sim_ioas_reserve(&ioas, 0, high.start - 1, &device_a),
			 0);
	expect_ranges(&ioas, &(struct kernel_range){ high.start, TOP }, 1);
	sim_ioas_deinit(&ioas);
}

/* --- huge pages --- */

static void small_pages_align_and_are_set_in_time(void **state)
{
	struct sim_ioas ioas;

	sim_ioas_init(&ioas);
	assert_int_equal(map(&ioas, 1, 1), 0);
	assert_int_equal(sim_ioas_huge_pages(&ioas, false), -EADDRINUSE);
	sim_ioas_remove(&ioas, 0, 1);
	assert_int_equal(sim_ioas_huge_pages(&ioas, false), 0);
	assert_int_equal(ioas.alignment, SIM_PAGE);
	assert_int_equal(map(&ioas, 1, 1), -EINVAL);
	assert_int_equal(sim_ioas_huge_pages(&ioas, true), 0);
	assert_int_equal(ioas.alignment, 1);
	sim_ioas_deinit(&ioas);

	ioas = a_space();
	assert_int_equal(map(&ioas, 0, SIM_PAGE), 0);
	assert_int_equal(sim_ioas_huge_pages(&ioas, false), -EINVAL);
	assert_int_equal(sim_ioas_huge_pages(&ioas, true), 0);
	sim_ioas_deinit(&ioas);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_fresh_space_has_all_addresses),
		cmocka_unit_test(apertures_and_reservations_narrow_and_widen),
		cmocka_unit_test(reservations_reach_both_ends),
		cmocka_unit_test(the_strictest_page_table_counts),
		cmocka_unit_test(fixed_mappings_are_refused_as_by_the_kernel),
		cmocka_unit_test(without_page_table_bytes_can_be_mapped),
		cmocka_unit_test(nothing_is_reserved_over_a_mapping),
		cmocka_unit_test(many_mappings_are_found_and_removed),
		cmocka_unit_test(placement_is_the_lowest_that_is_as_aligned),
		cmocka_unit_test(placement_keeps_the_offset_in_the_page),
		cmocka_unit_test(placement_stays_in_the_windows),
		cmocka_unit_test(placement_knows_when_there_is_no_room),
		cmocka_unit_test(bad_windows_change_nothing),
		cmocka_unit_test(windows_touch_what_is_reserved),
		cmocka_unit_test(windows_bind_what_comes_later),
		cmocka_unit_test(small_pages_align_and_are_set_in_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
