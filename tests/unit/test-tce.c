/* SPDX-License-Identifier: Apache-2.0
 *
 * test-tce.c - windows of SPAPR TCE that are planned, and those that are refused
 *		before the platform is asked
 */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "model/tce.h"

#define K (UINT64_C(1) << 10)
#define M (UINT64_C(1) << 20)
#define G (UINT64_C(1) << 30)
#define T (UINT64_C(1) << 40)
#define PAGES_4K (UINT64_C(1) << 12)
#define PAGES_64K (UINT64_C(1) << 16)

/* --- machines, as their kernels showed them --- */

/* QEMU's pseries with Debian's 7.2 kernel for powerpc64le. */
static const struct kernel_tce_info pseries = {
	.dma32_start = 0, .dma32_size = 0x40000000, .page_sizes = 0x1211000,
	.max_windows = 2, .levels = 1, .kernel_page = 4096,
};

/* The same with a kernel of 64 KiB pages. */
static const struct kernel_tce_info pseries64k = {
	.dma32_start = 0, .dma32_size = 0x40000000, .page_sizes = 0x1211000,
	.max_windows = 2, .levels = 1, .kernel_page = 65536,
};

/* A PE with one window at a time, such as a VF (by the source; not seen). */
static const struct kernel_tce_info one_window = {
	.dma32_start = 0, .dma32_size = 0x40000000, .page_sizes = 0x11000,
	.max_windows = 1, .levels = 1, .kernel_page = 65536,
};

/* A pSeries without ibm,ddw-applicable: the kernel's -1 (by the source). */
static const struct kernel_tce_info no_dynamic = {
	.dma32_start = 0, .dma32_size = 0x80000000, .page_sizes = 0x1000,
	.max_windows = UINT32_MAX, .levels = 0, .kernel_page = 65536,
};

/* PowerNV (by the source). */
static const struct kernel_tce_info powernv = {
	.dma32_start = 0, .dma32_size = 0x80000000, .page_sizes = 0x40211000,
	.max_windows = 2, .levels = 5, .kernel_page = 65536,
};

/* --- checks --- */

#define WISH(...) &(const struct window_wish){ __VA_ARGS__ }, 1

static struct tce_plan planned(const struct kernel_tce_info *info,
			       const struct window_wish *wishes, size_t n)
{
	struct error err = ERROR_NULL;
	struct tce_plan plan;

	if (tce_plan("devices/x", info, wishes, n, &plan, &err) < 0)
		fail_msg("refused: %s", err.msg);
	return plan;
}

/* refused() - It is, with that id; the words hold what is looked for. */
static void refused(const struct kernel_tce_info *info,
		    const struct window_wish *wishes, size_t n,
		    enum error_id id, const char *cause, const char *remedy)
{
	struct error err = ERROR_NULL;
	struct tce_plan plan;
	bool found = false;

	assert_true(tce_plan("devices/x", info, wishes, n, &plan, &err) < 0);
	assert_int_equal(err.kind, id);
	for (size_t i = 0; i < err.n_causes; i++)
		found |= strstr(err.causes[i].detail, cause) != NULL;
	found |= strstr(err.msg, cause) != NULL;
	if (!found)
		fail_msg("no '%s' in '%s' and its causes, '%s'", cause, err.msg,
			 err.n_causes ? err.causes[0].detail : "");
	if (remedy && !strstr(err.remedy, remedy))
		fail_msg("no '%s' in '%s'", remedy, err.remedy);
}

/* --- what is planned --- */

static void nothing_wished_keeps_the_default_window(void **state)
{
	struct tce_plan plan = planned(&pseries, NULL, 0);

	assert_int_equal(plan.n_windows, 0);
	assert_int_equal(plan.n_steps, 1);
	assert_int_equal(plan.steps[0].kind, TCE_KEEP_DEFAULT);
	assert_int_equal(plan.steps[0].size, G);
	assert_int_equal(plan.steps[0].table, 2 * M);
}

static void default_and_dynamic_are_had_in_either_order(void **state)
{
	const struct window_wish wishes[2][2] = {
		{ { .fixed = true, .size = G },
		  { .size = 64 * G, .page_sizes = PAGES_64K } },
		{ { .size = 64 * G, .page_sizes = PAGES_64K },
		  { .fixed = true, .size = G } },
	};

	for (size_t i = 0; i < 2; i++) {
		struct tce_plan plan = planned(&pseries, wishes[i], 2);

		assert_int_equal(plan.n_steps, 2);
		assert_int_equal(plan.steps[0].kind, TCE_KEEP_DEFAULT);
		assert_int_equal(plan.steps[1].kind, TCE_CREATE);
		assert_int_equal(plan.steps[1].size, 64 * G);
		assert_int_equal(plan.steps[1].page_shift, 16);
		assert_int_equal(plan.steps[1].levels, 1);
		assert_int_equal(plan.steps[1].table, 8 * M);
		assert_int_equal(plan.n_windows, 2);
		assert_int_equal(plan.windows[0].start, 0);
		assert_int_equal(plan.windows[0].page_shift, 12);
		assert_false(plan.windows[0].dynamic);
		assert_int_equal(plan.windows[0].wish, i);
		assert_int_equal(plan.windows[1].start, TCE_DYNAMIC_START);
		assert_true(plan.windows[1].dynamic);
		assert_int_equal(plan.windows[1].wish, !i);
	}
}

static void larger_pages_than_the_kernels_need_huge_pages(void **state)
{
	assert_true(planned(&pseries, WISH(.size = G, .page_sizes = PAGES_64K))
			    .windows[0].huge_pages);
	assert_false(planned(&pseries64k,
			     WISH(.size = G, .page_sizes = PAGES_64K))
			     .windows[0].huge_pages);
	assert_false(planned(&pseries, WISH(.size = G)).windows[0].huge_pages);
}

static void pages_are_chosen_that_any_memory_has(void **state)
{
	const struct window_wish big = { .size = 64 * G };

	assert_int_equal(planned(&pseries, &big, 1).steps[1].page_shift, 12);
	assert_int_equal(planned(&pseries64k, &big, 1).steps[1].page_shift, 16);
}

static void two_gib_of_small_pages_are_had_beside_the_default(void **state)
{
	const struct window_wish wishes[] = {
		{ .fixed = true, .size = G },
		{ .size = 2 * G, .page_sizes = PAGES_4K },
	};
	struct tce_plan plan = planned(&pseries, wishes, 2);

	assert_int_equal(plan.steps[1].kind, TCE_CREATE);
	assert_int_equal(plan.steps[1].page_shift, 12);
}

static void one_window_replaces_the_default_one(void **state)
{
	struct tce_plan plan = planned(&one_window,
				       WISH(.size = 64 * G,
					    .page_sizes = PAGES_64K));

	assert_int_equal(plan.steps[0].kind, TCE_REMOVE_DEFAULT);
	assert_int_equal(plan.steps[1].kind, TCE_CREATE);
	assert_int_equal(planned(&one_window, WISH(.size = G)).steps[0].kind,
			 TCE_KEEP_DEFAULT);
}

static void large_tables_get_levels_where_there_are_any(void **state)
{
	const struct window_wish wish = { .size = T,
					  .page_sizes = PAGES_64K };

	assert_int_equal(planned(&pseries, &wish, 1).steps[1].levels, 1);
	assert_int_equal(planned(&powernv, &wish, 1).steps[1].levels, 2);
}

/* --- what is refused --- */

static void second_dynamic_window_is_refused(void **state)
{
	const struct window_wish wishes[] = {
		{ .size = 64 * G, .page_sizes = PAGES_64K },
		{ .size = 2 * G, .page_sizes = PAGES_4K },
	};

	refused(&pseries, wishes, 2, ERROR_WINDOW_UNAVAILABLE,
		"one dynamic window", "fits into the default window");
}

static void papr_guest_with_two_gib_is_refused(void **state)
{
	const struct window_wish wishes[] = {
		{ .fixed = true, .size = 2 * G, .page_sizes = PAGES_4K },
		{ .size = 64 * G, .page_sizes = PAGES_64K },
	};

	refused(&pseries, wishes, 2, ERROR_WINDOW_UNAVAILABLE,
		"the default window is 0x0-0x3fffffff", "would fit");
	assert_int_equal(planned(&powernv, wishes, 2).n_windows, 2);
}

static void size_is_a_power_of_two(void **state)
{
	refused(&pseries, WISH(.size = 3 * G, .page_sizes = PAGES_64K),
		ERROR_WINDOW_UNAVAILABLE, "power of two",
		"0x100000000 bytes with pages of 0x10000 would fit");
}

static void pages_are_the_platforms(void **state)
{
	refused(&pseries, WISH(.size = G, .page_sizes = UINT64_C(1) << 21 << 9),
		ERROR_WINDOW_UNAVAILABLE, "0x1211000", "would fit");
}

static void platform_says_where_a_window_begins(void **state)
{
	refused(&pseries, WISH(.fixed = true, .start = 4 * G, .size = G,
			       .page_sizes = PAGES_64K),
		ERROR_WINDOW_UNAVAILABLE, "decides where it begins",
		"from where the platform says");
	assert_true(planned(&pseries, WISH(.fixed = true,
					   .start = TCE_DYNAMIC_START,
					   .size = G, .page_sizes = PAGES_64K))
			    .windows[0].dynamic);
}

static void dynamic_window_is_not_below_4_gib(void **state)
{
	refused(&pseries, WISH(.size = 2 * G, .purpose = WINDOW_DMA32),
		ERROR_WINDOW_UNAVAILABLE, "above 4 GiB", "default window");
}

static void no_dynamic_windows_is_known_for_what_it_is(void **state)
{
	assert_false(tce_has_dynamic(&no_dynamic));
	refused(&no_dynamic, WISH(.size = 4 * G), ERROR_WINDOW_UNAVAILABLE,
		"no dynamic windows", "ask for what is in the default window");
	assert_int_equal(planned(&no_dynamic, WISH(.size = 2 * G)).n_windows, 1);
}

static void two_wishes_do_not_share_the_default_window(void **state)
{
	const struct window_wish wishes[] = {
		{ .size = 16 * M, .purpose = WINDOW_DMA32 },
		{ .size = 16 * M, .purpose = WINDOW_DMA32 },
	};

	refused(&pseries, wishes, 2, ERROR_WINDOW_UNAVAILABLE,
		"lies in, the default one", NULL);
	refused(&one_window, wishes, 2, ERROR_WINDOW_UNAVAILABLE,
		"one window on this platform", NULL);
}

static void third_window_is_refused(void **state)
{
	const struct window_wish wishes[] = {
		{ .size = G }, { .size = G }, { .size = G },
	};

	refused(&pseries, wishes, 3, ERROR_WINDOW_UNAVAILABLE, "two windows",
		NULL);
}

static void what_cannot_be_anywhere_is_invalid(void **state)
{
	refused(&pseries, WISH(.size = 0), ERROR_WINDOW_INVALID, "no size",
		NULL);
	refused(&pseries, WISH(.size = G + 1), ERROR_WINDOW_INVALID,
		"no multiple", NULL);
	refused(&pseries, WISH(.size = G, .page_sizes = 2 * K),
		ERROR_WINDOW_INVALID, "below 0x1000", NULL);
	refused(&pseries, WISH(.size = 16 * K, .page_sizes = PAGES_64K),
		ERROR_WINDOW_INVALID, "no multiple of 0x10000", NULL);
	refused(&pseries, WISH(.size = 2 * G, .fixed = true,
			       .start = UINT64_MAX - G + 1),
		ERROR_WINDOW_INVALID, "beyond the last address", NULL);
	refused(&pseries, WISH(.size = G, .fixed = true, .start = 4 * G - M,
			       .purpose = WINDOW_DMA32),
		ERROR_WINDOW_INVALID, "below 4 GiB", NULL);
}

/* --- for devices --- */

/* device() - One with windows as pseries has them. */
static struct window_device device(const struct capabilities *caps,
				   const char *group)
{
	return (struct window_device){
		.name = "devices/x", .caps = caps, .group = group,
	};
}

static void places_are_those_of_the_plan(void **state)
{
	const struct capabilities caps = { .tce = pseries };
	const struct window_device devices[] = {
		device(&caps, "groups/a"), device(&caps, "groups/a"),
	};
	const struct window_wish wishes[] = {
		{ .size = 64 * G, .page_sizes = PAGES_64K,
		  .purpose = WINDOW_RAM },
		{ .size = G, .fixed = true, .purpose = WINDOW_DMA32 },
	};
	struct error err = ERROR_NULL;
	struct window *windows = NULL;
	size_t n = 0;

	assert_int_equal(tce_place(devices, 2, wishes, 2, &windows, &n, &err),
			 0);
	assert_int_equal(n, 2);
	assert_int_equal(windows[0].start, 0);
	assert_int_equal(windows[0].last, G - 1);
	assert_int_equal(windows[0].page_sizes, PAGES_4K);
	assert_int_equal(windows[0].purpose, WINDOW_DMA32);
	assert_int_equal(windows[1].start, TCE_DYNAMIC_START);
	assert_int_equal(windows[1].last, TCE_DYNAMIC_START + 64 * G - 1);
	assert_int_equal(windows[1].page_sizes, PAGES_64K);
	assert_int_equal(windows[1].purpose, WINDOW_RAM);
	free(windows);
	assert_int_equal(tce_place(devices, 2, NULL, 0, &windows, &n, &err),
			 0);
	assert_null(windows);
	assert_int_equal(n, 0);
}

static void devices_of_two_groups_have_no_place(void **state)
{
	const struct capabilities caps = { .tce = pseries };
	const struct window_device devices[] = {
		device(&caps, "groups/a"), device(&caps, "groups/b"),
	};
	const struct window_wish wish = { .size = G };
	struct error err = ERROR_NULL;
	struct window *windows = NULL;
	size_t n = 0;

	assert_int_equal(tce_place(devices, 2, &wish, 1, &windows, &n, &err),
			 -EADDRINUSE);
	assert_int_equal(err.kind, ERROR_WINDOW_UNAVAILABLE);
	assert_null(windows);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_wished_keeps_the_default_window),
		cmocka_unit_test(default_and_dynamic_are_had_in_either_order),
		cmocka_unit_test(larger_pages_than_the_kernels_need_huge_pages),
		cmocka_unit_test(pages_are_chosen_that_any_memory_has),
		cmocka_unit_test(two_gib_of_small_pages_are_had_beside_the_default),
		cmocka_unit_test(one_window_replaces_the_default_one),
		cmocka_unit_test(large_tables_get_levels_where_there_are_any),
		cmocka_unit_test(second_dynamic_window_is_refused),
		cmocka_unit_test(papr_guest_with_two_gib_is_refused),
		cmocka_unit_test(size_is_a_power_of_two),
		cmocka_unit_test(pages_are_the_platforms),
		cmocka_unit_test(platform_says_where_a_window_begins),
		cmocka_unit_test(dynamic_window_is_not_below_4_gib),
		cmocka_unit_test(no_dynamic_windows_is_known_for_what_it_is),
		cmocka_unit_test(two_wishes_do_not_share_the_default_window),
		cmocka_unit_test(third_window_is_refused),
		cmocka_unit_test(what_cannot_be_anywhere_is_invalid),
		cmocka_unit_test(places_are_those_of_the_plan),
		cmocka_unit_test(devices_of_two_groups_have_no_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
