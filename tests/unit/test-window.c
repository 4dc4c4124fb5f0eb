/* SPDX-License-Identifier: Apache-2.0
 *
 * test-window.c - windows that are placed, and those that are refused: who is
 *		   in the way, and what would fit
 */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "model/window.h"

#define K (UINT64_C(1) << 10)
#define M (UINT64_C(1) << 20)
#define G (UINT64_C(1) << 30)
#define T (UINT64_C(1) << 40)
#define TOP UINT64_MAX
#define PAPR (UINT64_C(1) << 59)

/* --- machines, as their kernels showed them --- */

static const struct kernel_reserved msi[] = {
	{ 0xfee00000, 0xfeefffff, "msi" },
};

static const struct kernel_reserved amd_reserved[] = {
	{ 0xfee00000, 0xfeefffff, "msi" },
	{ 0xfd00000000, 0xffffffffff, "reserved" },
};

static const struct kernel_reserved arm_reserved[] = {
	{ 0x08000000, 0x080fffff, "msi" },
};

/* Graphics that the firmware maps for itself until a driver takes over. */
static const struct kernel_reserved relaxable[] = {
	{ 0xfee00000, 0xfeefffff, "msi" },
	{ 0x40000000, 0x4fffffff, "direct-relaxable" },
};

static const struct capabilities vtd_caps = {
	.ranges = { { 0, 0xfedfffff }, { 0xfef00000, 0xffffffffffff } },
	.n_ranges = 2, .alignment = 4096,
};

static const struct capabilities virtio_caps = {
	.ranges = { { 0, 0xfedfffff }, { 0xfef00000, 0x7fffffffff } },
	.n_ranges = 2, .alignment = 4096,
};

static const struct capabilities amd_caps = {
	.ranges = { { 0, 0xfedfffff }, { 0xfef00000, 0xfcffffffff },
		    { 0x10000000000, TOP } },
	.n_ranges = 3, .alignment = 4096,
};

static const struct capabilities arm_caps = {
	.ranges = { { 0, 0x7ffffff }, { 0x8100000, 0xffffffffffff } },
	.n_ranges = 2, .alignment = 4096,
};

/* An ARM kernel with pages of 64 KiB. */
static const struct capabilities arm64k_caps = {
	.ranges = { { 0, 0x7ffffff }, { 0x8100000, 0xffffffffffff } },
	.n_ranges = 2, .alignment = 65536,
};

#define DEVICE(x, c, r) \
	{ .name = "devices/" x, .caps = &(c), .reserved = r, \
	  .n_reserved = ARRAY_SIZE(r) }

static const struct window_device vtd = DEVICE("vtd", vtd_caps, msi);
static const struct window_device virtio = DEVICE("virtio", virtio_caps, msi);
static const struct window_device amd = DEVICE("amd", amd_caps, amd_reserved);
static const struct window_device arm = DEVICE("arm", arm_caps, arm_reserved);
static const struct window_device arm64k =
	DEVICE("arm64k", arm64k_caps, arm_reserved);
static const struct window_device igd = DEVICE("igd", vtd_caps, relaxable);
static const struct window_device unprepared = { .name = "devices/new" };

/* --- what is asked --- */

#define AT(at, n, ...) { .size = n, .fixed = true, .start = at, __VA_ARGS__ }
#define ANY(n, ...) { .size = n, __VA_ARGS__ }

/* plan() - Plan; what is answered is kept in @windows, @n and @err */
static struct window *windows;
static size_t n;
static struct error err;

static int plan(const struct window_device *devices, size_t n_devices,
		const struct window_wish *wishes, size_t n_wishes)
{
	free(windows);
	windows = NULL;
	n = 0;
	err = ERROR_NULL;
	return window_plan(devices, n_devices, wishes, n_wishes, &windows, &n,
			   &err);
}

/* plan_one() - Plan for one device, or without any */
static int plan_one(const struct window_device *device,
		    const struct window_wish *wishes, size_t n_wishes)
{
	return plan(device, device ? 1 : 0, wishes, n_wishes);
}

#define PLAN(device, ...)                                               \
	({                                                              \
		const struct window_wish _wishes[] = { __VA_ARGS__ };   \
		plan_one(device, _wishes, ARRAY_SIZE(_wishes));         \
	})

static void assert_window(size_t i, uint64_t start, uint64_t last)
{
	assert_true(i < n);
	assert_int_equal(windows[i].start, start);
	assert_int_equal(windows[i].last, last);
}

/* assert_says() - One text is in another */
static void assert_says(const char *text, const char *words)
{
	if (!strstr(text, words))
		fail_msg("'%s' is not in '%s'", words, text);
}

static void assert_error(enum error_id id, const char *words)
{
	assert_string_equal(error_kind(err.kind)->id, error_kind(id)->id);
	assert_says(err.msg, words);
}

static void assert_cause(size_t i, const char *name, const char *detail)
{
	assert_true(i < err.n_causes);
	assert_string_equal(err.causes[i].name, name);
	assert_string_equal(err.causes[i].detail, detail);
}

/* --- placed --- */

static void window_is_given_where_it_is_asked_for(void **state)
{
	assert_int_equal(PLAN(&vtd, AT(0, 2 * G), AT(8 * G, 4 * K)), 0);
	assert_int_equal(n, 2);
	assert_window(0, 0, 2 * G - 1);
	assert_window(1, 8 * G, 8 * G + 4095);
}

static void windows_come_by_address(void **state)
{
	assert_int_equal(PLAN(&vtd, AT(8 * G, G, .purpose = WINDOW_RAM),
			      AT(0, G, .purpose = WINDOW_DMA32)), 0);
	assert_window(0, 0, G - 1);
	assert_int_equal(windows[0].purpose, WINDOW_DMA32);
	assert_window(1, 8 * G, 9 * G - 1);
	assert_int_equal(windows[1].purpose, WINDOW_RAM);
}

static void window_without_a_start_is_at_the_lowest_place(void **state)
{
	assert_int_equal(PLAN(&vtd, ANY(G), ANY(4 * K), ANY(4 * G)), 0);
	assert_int_equal(n, 3);
	assert_window(0, 0, G - 1);
	assert_window(1, G, G + 4095);
	assert_window(2, 0xfef00000, 0xfef00000 + 4 * G - 1);
}

static void windows_with_a_start_are_placed_first(void **state)
{
	assert_int_equal(PLAN(&vtd, ANY(G), AT(0, G)), 0);
	assert_window(0, 0, G - 1);
	assert_window(1, G, 2 * G - 1);
}

static void windows_of_32_bits_are_placed_before_the_rest(void **state)
{
	assert_int_equal(PLAN(&vtd, ANY(3 * G),
			      ANY(2 * G, .purpose = WINDOW_DMA32)), 0);
	assert_window(0, 0, 2 * G - 1);
	assert_int_equal(windows[0].purpose, WINDOW_DMA32);
	assert_window(1, 0xfef00000, 0xfef00000 + 3 * G - 1);
}

static void pages_decide_where_a_window_can_begin(void **state)
{
	assert_int_equal(PLAN(&vtd, AT(0, 4 * K),
			      ANY(2 * M, .page_sizes = 4 * K | 2 * M)), 0);
	assert_window(1, 2 * M, 4 * M - 1);
	assert_int_equal(windows[1].page_sizes, 4 * K | 2 * M);
	assert_int_equal(windows[0].page_sizes, 4 * K);
	assert_int_equal(PLAN(&arm64k, ANY(64 * K)), 0);
	assert_int_equal(windows[0].page_sizes, 64 * K);
}

static void no_device_is_a_machine_without_limits(void **state)
{
	assert_int_equal(PLAN(NULL, AT(0, TOP - 4095), ANY(4 * K)), 0);
	assert_window(0, 0, TOP - 4096);
	assert_window(1, TOP - 4095, TOP);
	assert_int_equal(windows[0].page_sizes, WINDOW_ALIGNMENT_MIN);
}

static void no_wish_is_no_window(void **state)
{
	assert_int_equal(plan(&vtd, 1, NULL, 0), 0);
	assert_int_equal(n, 0);
}

static void last_address_there_is_can_be_in_a_window(void **state)
{
	assert_int_equal(PLAN(&amd, AT(TOP - 4095, 4 * K),
			      AT(TOP - 2 * M + 1, 2 * M - 4 * K)), 0);
	assert_window(0, TOP - 2 * M + 1, TOP - 4096);
	assert_window(1, TOP - 4095, TOP);
	assert_int_equal(PLAN(&amd, AT(T, TOP - T + 1, .around = true)), 0);
	assert_window(0, T, TOP);
	assert_int_equal(PLAN(&amd, AT(0, -2 * M, .around = true),
			      ANY(2 * M, .page_sizes = 2 * M)), 0);
	assert_int_equal(n, 4);
	assert_window(2, T, TOP - 2 * M);
	assert_window(3, TOP - 2 * M + 1, TOP);
}

static void papr_pair_is_given_on_64_bits(void **state)
{
	assert_int_equal(PLAN(&amd, AT(0, 2 * G, .page_sizes = 4 * K),
			      AT(PAPR, T, .page_sizes = 64 * K)), 0);
	assert_int_equal(n, 2);
	assert_window(0, 0, 0x7fffffff);
	assert_window(1, PAPR, PAPR + T - 1);
}

/* --- cut around what is reserved --- */

static void msi_of_x86_is_cut_out_if_asked_for(void **state)
{
	assert_int_equal(PLAN(&vtd, AT(0, 8 * G, .around = true,
				       .purpose = WINDOW_RAM)), 0);
	assert_int_equal(n, 2);
	assert_window(0, 0, 0xfedfffff);
	assert_window(1, 0xfef00000, 8 * G - 1);
	assert_int_equal(windows[1].purpose, WINDOW_RAM);
}

static void msi_of_arm_is_cut_out_if_asked_for(void **state)
{
	assert_int_equal(PLAN(&arm, AT(0, 2 * G, .around = true)), 0);
	assert_int_equal(n, 2);
	assert_window(0, 0, 0x7ffffff);
	assert_window(1, 0x8100000, 2 * G - 1);
}

static void pieces_begin_and_end_with_whole_pages(void **state)
{
	assert_int_equal(PLAN(&vtd, AT(0, 8 * G, .around = true,
				       .page_sizes = G)), 0);
	assert_int_equal(n, 2);
	assert_window(0, 0, 3 * G - 1);
	assert_window(1, 4 * G, 8 * G - 1);
	/* Between 3 and 4 GiB there is none. */
	assert_int_equal(PLAN(&vtd, AT(3 * G, G, .around = true,
				       .page_sizes = G)), -EADDRINUSE);
	assert_error(ERROR_WINDOW_UNAVAILABLE, "nothing of it is left");
	assert_cause(0, "devices/vtd", "reserves 0xfee00000-0xfeefffff (msi)");
	assert_string_equal(err.remedy, "it fits at 0x100000000");
}

static void nothing_but_reserved_is_nothing(void **state)
{
	assert_int_equal(PLAN(&vtd, AT(0xfee00000, M, .around = true)),
			 -EADDRINUSE);
	assert_error(ERROR_WINDOW_UNAVAILABLE,
		     "window 1: 0xfee00000-0xfeefffff cannot be had with devices/vtd: nothing of it is left");
	assert_cause(0, "devices/vtd", "reserves 0xfee00000-0xfeefffff (msi)");
}

static void aperture_is_never_cut(void **state)
{
	assert_int_equal(PLAN(&virtio, AT(0, T, .around = true)),
			 -EADDRINUSE);
	assert_error(ERROR_WINDOW_UNAVAILABLE, "goes beyond an aperture");
	assert_int_equal(err.n_causes, 1);
	assert_cause(0, "devices/virtio", "its aperture is 0x0-0x7fffffffff");
	assert_string_equal(err.remedy, "no more than 0x7f01100000 bytes fit in one piece, at 0xfef00000");
}

static void window_that_may_be_cut_is_at_the_lowest_place(void **state)
{
	assert_int_equal(PLAN(&vtd, ANY(8 * G, .around = true)), 0);
	assert_int_equal(n, 2);
	assert_window(0, 0, 0xfedfffff);
	assert_window(1, 0xfef00000, 8 * G - 1);
	/* Not over one that is placed, nor beginning in what is reserved. */
	assert_int_equal(PLAN(&vtd, AT(0, 0xfee00000), AT(8 * G, G),
			      ANY(6 * G, .around = true)), 0);
	assert_int_equal(n, 3);
	assert_window(2, 9 * G, 15 * G - 1);
}

static void more_pieces_than_a_space_may_have_are_refused(void **state)
{
	struct window_wish wishes[WINDOWS_MAX];

	for (size_t i = 0; i < WINDOWS_MAX; i++)
		wishes[i] = (struct window_wish)AT((i + 1) * 8 * G, G);
	assert_int_equal(plan(&vtd, 1, wishes, WINDOWS_MAX), 0);
	assert_int_equal(n, WINDOWS_MAX);
	wishes[9] = (struct window_wish)AT(0, 8 * G, .around = true);
	assert_int_equal(plan(&vtd, 1, wishes, WINDOWS_MAX), -E2BIG);
	assert_error(ERROR_LIMIT_WINDOWS, "window 64: ");
}

/* --- what cannot be --- */

static void wish_that_cannot_be_is_named(void **state)
{
	static const struct {
		struct window_wish wish;
		const char *words;
	} bad[] = {
		{ ANY(0), "window 2: it has no size" },
		{ AT(4 * G, 0), "window 2: it has no size" },
		{ ANY(4097), "window 2: its size 0x1001 is no multiple of 0x1000, to which the devices map" },
		{ AT(4 * G + 512, 4 * K), "window 2: its start 0x100000200 is no multiple" },
		{ ANY(4 * K, .page_sizes = 2 * M), "window 2: its size 0x1000 is no multiple of 0x200000, the largest of its page sizes" },
		{ AT(4 * G, 2 * M, .page_sizes = TOP - 4095), "no multiple of 0x8000000000000000" },
		{ AT(TOP - 4095, 8 * K), "window 2: 0x2000 bytes from 0xfffffffffffff000 on go beyond the last address, 0xffffffffffffffff" },
		{ AT(4 * G, TOP - 4095), "go beyond the last address" },
		{ AT(4 * G - 4096, 8 * K, .purpose = WINDOW_DMA32), "window 2: dma32, but 0x2000 bytes from 0xfffff000 on do not end below 4 GiB" },
		{ ANY(8 * G, .purpose = WINDOW_DMA32), "do not end below 4 GiB" },
		{ ANY(4 * K, .page_sizes = 4 * K | 1), "window 2: page_sizes 0x1001 has a size below 0x1000" },
		{ AT(G, 2 * G), "windows 1 (0x0-0x7fffffff) and 2 (0x40000000-0xbfffffff) overlap" },
		{ AT(0, G, .around = true), "windows 1 (0x0-0x7fffffff) and 2 (0x0-0x3fffffff) overlap" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(PLAN(&vtd, AT(0, 2 * G), bad[i].wish),
				 -EINVAL);
		assert_error(ERROR_WINDOW_INVALID, bad[i].words);
		assert_null(windows);
	}
}

static void windows_that_touch_do_not_overlap(void **state)
{
	assert_int_equal(PLAN(&vtd, AT(G, G), AT(0, G), AT(2 * G, 4 * K)), 0);
	assert_int_equal(n, 3);
}

static void too_many_wishes_are_refused(void **state)
{
	static const struct window_wish wishes[WINDOWS_MAX + 1];

	assert_int_equal(plan(&vtd, 1, wishes, ARRAY_SIZE(wishes)), -EINVAL);
	assert_error(ERROR_WINDOW_INVALID, "window 65: there are 65, and may be 64");
}

static void device_that_is_not_prepared_is_not_planned_for(void **state)
{
	const struct window_device two[] = { vtd, unprepared };
	const struct window_wish wish = ANY(4 * K);
	const struct window window = { 0, 4095, 4096, WINDOW_ANY };

	assert_int_equal(plan(two, 2, &wish, 1), -EBUSY);
	assert_error(ERROR_DEVICE_NOT_READY, "devices/new");
	assert_string_equal(err.object, "devices/new");
	assert_int_equal(window_check(&unprepared, &window, 1, &err), -EBUSY);
	assert_error(ERROR_DEVICE_NOT_READY, "devices/new");
}

/* --- what is in the way --- */

static void reserved_region_is_named_and_what_would_fit(void **state)
{
	assert_int_equal(PLAN(&vtd, AT(2 * G, 4 * G)), -EADDRINUSE);
	assert_error(ERROR_WINDOW_UNAVAILABLE,
		     "window 1: 0x80000000-0x17fffffff cannot be had with devices/vtd: something in it is reserved");
	assert_int_equal(err.n_causes, 1);
	assert_string_equal(err.causes[0].kind, "device");
	assert_cause(0, "devices/vtd", "reserves 0xfee00000-0xfeefffff (msi)");
	assert_string_equal(err.remedy,
			    "it fits at 0xfef00000; with around_reserved it is cut into 2");
	assert_int_equal(PLAN(&vtd, AT(0xfef00000, 4 * G)), 0);
	assert_int_equal(PLAN(&vtd, AT(2 * G, 4 * G, .around = true)), 0);
	assert_int_equal(n, 2);
}

static void msi_of_arm_is_in_the_way_of_papr(void **state)
{
	assert_int_equal(PLAN(&arm, AT(0, 2 * G), AT(PAPR, T)), -EADDRINUSE);
	assert_error(ERROR_WINDOW_UNAVAILABLE, "window 1: 0x0-0x7fffffff ");
	assert_cause(0, "devices/arm", "reserves 0x8000000-0x80fffff (msi)");
	assert_string_equal(err.remedy,
			    "it fits at 0x8100000; with around_reserved it is cut into 2");
}

static void papr_pair_is_refused_on_48_bits(void **state)
{
	assert_int_equal(PLAN(&vtd, AT(0, 2 * G), AT(PAPR, T)), -EADDRINUSE);
	assert_error(ERROR_WINDOW_UNAVAILABLE,
		     "window 2: 0x800000000000000-0x80000ffffffffff cannot be had with devices/vtd: it goes beyond an aperture");
	assert_int_equal(err.n_causes, 1);
	assert_cause(0, "devices/vtd", "its aperture is 0x0-0xffffffffffff");
	assert_string_equal(err.remedy, "it fits at 0xfef00000");
}

static void nearest_place_above_is_told_before_one_below(void **state)
{
	assert_int_equal(PLAN(&amd, AT(0xfc00000000, 8 * G)), -EADDRINUSE);
	assert_cause(0, "devices/amd",
		     "reserves 0xfd00000000-0xffffffffff (reserved)");
	assert_string_equal(err.remedy,
			    "it fits at 0x10000000000; with around_reserved it is cut into 1");
}

static void other_windows_are_no_place_to_fit(void **state)
{
	assert_int_equal(PLAN(&vtd, AT(4 * G, 4 * G), AT(2 * G, 2 * G)),
			 -EADDRINUSE);
	assert_error(ERROR_WINDOW_UNAVAILABLE, "window 2: ");
	assert_says(err.remedy, "it fits at 0x200000000;");
}

static void relaxable_region_reserves_nothing(void **state)
{
	assert_int_equal(PLAN(&igd, AT(G, G)), 0);
	assert_int_equal(PLAN(&igd, AT(0, 4 * G)), -EADDRINUSE);
	assert_cause(0, "devices/igd", "reserves 0xfee00000-0xfeefffff (msi)");
}

static void each_device_is_named_with_what_it_has(void **state)
{
	const struct window_device all[] = { amd, vtd, virtio };
	const struct window_wish wishes[] = { AT(0, T) };

	assert_int_equal(plan(all, 3, wishes, 1), -EADDRINUSE);
	assert_error(ERROR_WINDOW_UNAVAILABLE, "with these devices");
	assert_int_equal(err.n_causes, 3);
	assert_cause(0, "devices/amd",
		     "reserves 0xfee00000-0xfeefffff (msi); reserves 0xfd00000000-0xffffffffff (reserved)");
	assert_cause(1, "devices/vtd", "reserves 0xfee00000-0xfeefffff (msi)");
	assert_cause(2, "devices/virtio",
		     "its aperture is 0x0-0x7fffffffff; reserves 0xfee00000-0xfeefffff (msi)");
	assert_string_equal(err.remedy, "no more than 0x7f01100000 bytes fit in one piece, at 0xfef00000");
}

static void two_apertures_give_what_both_have(void **state)
{
	const struct window_device two[] = { vtd, virtio };
	const struct window_wish small[] = { AT(256 * G, 4 * G) };
	const struct window_wish large[] = { AT(512 * G, 4 * G) };
	_cleanup_free_ struct kernel_range *ranges = NULL;
	size_t n_ranges;
	uint64_t alignment;

	assert_int_equal(plan(two, 2, small, 1), 0);
	assert_int_equal(plan(two, 2, large, 1), -EADDRINUSE);
	assert_int_equal(err.n_causes, 1);
	assert_cause(0, "devices/virtio", "its aperture is 0x0-0x7fffffffff");
	assert_int_equal(window_ranges(two, 2, &ranges, &n_ranges, &alignment,
				       &err), 0);
	assert_int_equal(alignment, 4096);
	assert_int_equal(n_ranges, 2);
	assert_int_equal(ranges[0].last, 0xfedfffff);
	assert_int_equal(ranges[1].start, 0xfef00000);
	assert_int_equal(ranges[1].last, 0x7fffffffff);
}

static void devices_without_a_common_address_have_no_room(void **state)
{
	static const struct capabilities low = {
		.ranges = { { 0, G - 1 } }, .n_ranges = 1, .alignment = 4096 };
	static const struct capabilities high = {
		.ranges = { { G, 2 * G - 1 } }, .n_ranges = 1,
		.alignment = 4096 };
	static const struct capabilities none = { .alignment = 4096 };
	struct window_device two[] = { { .name = "devices/low", .caps = &low },
				       { .name = "devices/high",
					 .caps = &high } };
	const struct window_wish any[] = { ANY(M) };
	const struct window_wish around[] = { AT(0, 2 * G, .around = true) };

	assert_int_equal(plan(two, 2, any, 1), -EADDRINUSE);
	assert_int_equal(err.n_causes, 2);
	assert_cause(1, "devices/high",
		     "the longest range it can use is 0x40000000-0x7fffffff");
	assert_string_equal(err.remedy, "there is no room at all");
	assert_int_equal(plan(two, 2, around, 1), -EADDRINUSE);
	assert_int_equal(err.n_causes, 2);
	two[1].caps = &none;
	assert_int_equal(plan(two, 2, around, 1), -EADDRINUSE);
	assert_cause(1, "devices/high", "there is no address that it can use");
	assert_int_equal(plan(two, 2, any, 1), -EADDRINUSE);
	assert_cause(0, "devices/high", "it can use no range");
}

static void no_room_below_4_gib_names_who_is_there(void **state)
{
	assert_int_equal(PLAN(&vtd, AT(0, 3 * G),
			      ANY(2 * G, .purpose = WINDOW_DMA32)),
			 -EADDRINUSE);
	assert_error(ERROR_WINDOW_UNAVAILABLE,
		     "window 2: there is no room for 0x80000000 bytes below 4 GiB");
	assert_string_equal(err.causes[0].kind, "range");
	assert_cause(0, "0x0-0xbfffffff", "window 1 is there");
	assert_string_equal(err.remedy, "no more than 0x3ee00000 bytes fit in one piece, at 0xc0000000");
}

static void size_that_is_nowhere_names_what_there_is(void **state)
{
	assert_int_equal(PLAN(&virtio, ANY(T)), -EADDRINUSE);
	assert_error(ERROR_WINDOW_UNAVAILABLE,
		     "window 1: there is no room for 0x10000000000 bytes at a multiple of 0x1000");
	assert_cause(0, "devices/virtio",
		     "the longest range it can use is 0xfef00000-0x7fffffffff");
}

static void reserved_end_of_an_aperture_is_cut_out(void **state)
{
	static const struct kernel_reserved ends[] = {
		{ 0, 0xfff, "reserved" }, { 0xff0000, 0xffffff, "msi" },
	};
	static const struct capabilities caps = {
		.ranges = { { 0x1000, 0x7fffff }, { 0x900000, 0xfeffff } },
		.n_ranges = 2, .alignment = 4096,
	};
	static const struct window_device device = DEVICE("ends", caps, ends);

	assert_int_equal(PLAN(&device, AT(0, 16 * M, .around = true)), 0);
	assert_int_equal(n, 2);
	assert_window(0, 0x1000, 0x7fffff);
	assert_window(1, 0x900000, 0xfeffff);
	assert_int_equal(PLAN(&device, AT(0, 32 * M, .around = true)),
			 -EADDRINUSE);
	assert_cause(0, "devices/ends", "its aperture is 0x0-0xffffff");
	/* That nothing in sysfs tells what it is does not make it usable. */
	assert_int_equal(PLAN(&device, AT(0x800000, M)), -EADDRINUSE);
	assert_cause(0, "devices/ends", "reserves 0x800000-0x8fffff");
}

static void pages_that_a_device_does_not_have_are_refused(void **state)
{
	const struct window_device two[] = { vtd, arm64k };
	const struct window_wish wish = ANY(2 * M, .page_sizes = 4 * K | 2 * M);

	assert_int_equal(plan(two, 2, &wish, 1), -EADDRINUSE);
	assert_error(ERROR_WINDOW_UNAVAILABLE,
		     "window 1: pages of 0x1000 bytes cannot be had");
	assert_int_equal(err.n_causes, 1);
	assert_cause(0, "devices/arm64k",
		     "its smallest pages are of 0x10000 bytes");
	assert_string_equal(err.remedy,
			    "page_sizes without sizes below 0x10000, or 0");
}

/* --- one more device --- */

static void device_is_checked_against_windows(void **state)
{
	const struct window promised[] = {
		{ 0, 2 * G - 1, 4096, WINDOW_ANY },
		{ 512 * G, T - 1, 4096, WINDOW_RAM },
		{ T, 2 * T - 1, 4096, WINDOW_RAM },
	};

	assert_int_equal(window_check(&vtd, promised, 3, &err), 0);
	assert_int_equal(window_check(&vtd, NULL, 0, &err), 0);
	assert_int_equal(window_check(&arm, promised, 3, &err), -EADDRINUSE);
	assert_error(ERROR_WINDOW_UNAVAILABLE,
		     "devices/arm cannot be used with the window 0x0-0x7fffffff");
	assert_string_equal(err.object, "devices/arm");
	assert_cause(0, "devices/arm", "reserves 0x8000000-0x80fffff (msi)");
	assert_string_equal(err.remedy, "make the window smaller: of 0x0-0x7fffffff it can use 0x8100000-0x7fffffff");
	assert_int_equal(window_check(&virtio, promised, 3, &err),
			 -EADDRINUSE);
	assert_int_equal(err.n_causes, 1);
	assert_cause(0, "devices/virtio", "its aperture is 0x0-0x7fffffffff");
	assert_string_equal(err.remedy, "take the window away: it can use nothing of 0x8000000000-0xffffffffff");
}

static void device_with_larger_pages_is_checked_for_them(void **state)
{
	const struct window odd = { G, G + 4095, 4096, WINDOW_ANY };
	const struct window small = { G, 2 * G - 1, 4096, WINDOW_ANY };
	const struct window good = { G, 2 * G - 1, 2 * M, WINDOW_ANY };

	assert_int_equal(window_check(&arm64k, &odd, 1, &err), -EADDRINUSE);
	assert_cause(0, "devices/arm64k",
		     "its smallest pages are of 0x10000 bytes");
	assert_int_equal(window_check(&arm64k, &small, 1, &err), -EADDRINUSE);
	assert_int_equal(window_check(&arm64k, &good, 1, &err), 0);
}

static void purposes_have_names(void **state)
{
	enum window_purpose purpose;

	for (int i = 0; i < WINDOW_PURPOSE_COUNT; i++) {
		assert_int_equal(window_purpose_from_name(
					 window_purpose_name(i), &purpose), 0);
		assert_int_equal(purpose, i);
	}
	assert_int_equal(window_purpose_from_name("RAM", &purpose), -EINVAL);
}

/* end() - What the last case was answered */
static int end(void **state)
{
	free(windows);
	windows = NULL;
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(window_is_given_where_it_is_asked_for),
		cmocka_unit_test(windows_come_by_address),
		cmocka_unit_test(window_without_a_start_is_at_the_lowest_place),
		cmocka_unit_test(windows_with_a_start_are_placed_first),
		cmocka_unit_test(windows_of_32_bits_are_placed_before_the_rest),
		cmocka_unit_test(pages_decide_where_a_window_can_begin),
		cmocka_unit_test(no_device_is_a_machine_without_limits),
		cmocka_unit_test(no_wish_is_no_window),
		cmocka_unit_test(last_address_there_is_can_be_in_a_window),
		cmocka_unit_test(papr_pair_is_given_on_64_bits),
		cmocka_unit_test(msi_of_x86_is_cut_out_if_asked_for),
		cmocka_unit_test(msi_of_arm_is_cut_out_if_asked_for),
		cmocka_unit_test(pieces_begin_and_end_with_whole_pages),
		cmocka_unit_test(nothing_but_reserved_is_nothing),
		cmocka_unit_test(aperture_is_never_cut),
		cmocka_unit_test(window_that_may_be_cut_is_at_the_lowest_place),
		cmocka_unit_test(more_pieces_than_a_space_may_have_are_refused),
		cmocka_unit_test(wish_that_cannot_be_is_named),
		cmocka_unit_test(windows_that_touch_do_not_overlap),
		cmocka_unit_test(too_many_wishes_are_refused),
		cmocka_unit_test(device_that_is_not_prepared_is_not_planned_for),
		cmocka_unit_test(reserved_region_is_named_and_what_would_fit),
		cmocka_unit_test(msi_of_arm_is_in_the_way_of_papr),
		cmocka_unit_test(papr_pair_is_refused_on_48_bits),
		cmocka_unit_test(nearest_place_above_is_told_before_one_below),
		cmocka_unit_test(other_windows_are_no_place_to_fit),
		cmocka_unit_test(relaxable_region_reserves_nothing),
		cmocka_unit_test(each_device_is_named_with_what_it_has),
		cmocka_unit_test(two_apertures_give_what_both_have),
		cmocka_unit_test(devices_without_a_common_address_have_no_room),
		cmocka_unit_test(no_room_below_4_gib_names_who_is_there),
		cmocka_unit_test(size_that_is_nowhere_names_what_there_is),
		cmocka_unit_test(reserved_end_of_an_aperture_is_cut_out),
		cmocka_unit_test(pages_that_a_device_does_not_have_are_refused),
		cmocka_unit_test(device_is_checked_against_windows),
		cmocka_unit_test(device_with_larger_pages_is_checked_for_them),
		cmocka_unit_test(purposes_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, end);
}
