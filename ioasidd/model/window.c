/* SPDX-License-Identifier: Apache-2.0
 *
 * window.c - windows: placed, all of them, or none
 */
#include "model/window.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "model/table.h"
#include "model/window-private.h"

static const char *const purpose_names[] = {
	[WINDOW_ANY] = "any",
	[WINDOW_DMA32] = "dma32",
	[WINDOW_RAM] = "ram",
};
static_assert(ARRAY_SIZE(purpose_names) == WINDOW_PURPOSE_COUNT,
	      "every purpose");

/**
 * enum turn - When a wish is placed: the harder it is, the earlier
 */
enum turn {
	TURN_FIXED,
	TURN_DMA32,
	TURN_ANYWHERE,
	TURN_COUNT
};

/* window_purpose_name() - "any", "dma32", "ram" */
const char *window_purpose_name(enum window_purpose purpose)
{
	return purpose_names[purpose];
}

/* window_purpose_from_name() - The reverse */
int window_purpose_from_name(const char *name, enum window_purpose *ret)
{
	int i = table_find(purpose_names, ARRAY_SIZE(purpose_names), name);

	if (i < 0)
		return i;
	*ret = (enum window_purpose)i;
	return 0;
}

/* window_device() - What windows have to know of a device */
struct window_device window_device(const struct device *device,
				   const struct group *group)
{
	return (struct window_device){
		.name = device->name,
		.caps = device->caps,
		.reserved = group ? group->facts.reserved : NULL,
		.n_reserved = group ? group->facts.n_reserved : 0,
		.group = group ? group->name : NULL,
	};
}

/* no_memory() - Return: -ENOMEM, daemon.no-memory */
static int no_memory(struct error *err)
{
	return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY, "no memory");
}

/* window_check_ready() - Is known what a device can use? */
int window_check_ready(const struct window_device *device, struct error *err)
{
	int r;

	if (device->caps)
		return 0;
	r = error_set(err, -EBUSY, ERROR_DEVICE_NOT_READY,
		      "it is not known which addresses %s can use: it is not prepared",
		      device->name);
	error_object(err, "%s", device->name);
	return r;
}

/**
 * keep_aperture() - Only addresses that a device has, too
 * @plan:	Its aperture gets smaller
 */
static void keep_aperture(struct plan *plan, const struct window_device *device)
{
	struct kernel_range own;

	if (plan->no_aperture || !window_aperture(device, &own) ||
	    !range_meets(&own, &plan->aperture)) {
		plan->no_aperture = true;
		return;
	}
	if (plan->aperture.start < own.start)
		plan->aperture.start = own.start;
	if (plan->aperture.last > own.last)
		plan->aperture.last = own.last;
}

/**
 * plan_begin() - Find what all devices can use
 * @plan:	With the devices and nothing else
 *
 * Return: 0; -EBUSY, device.not-ready; -ENOMEM.
 */
static int plan_begin(struct plan *plan, struct error *err)
{
	size_t room = 1 + WINDOWS_MAX;
	int r = 0;

	for (size_t i = 0; i < plan->n_devices && r == 0; i++) {
		r = window_check_ready(&plan->devices[i], err);
		if (r == 0)
			room += plan->devices[i].caps->n_ranges;
	}
	if (r < 0)
		return r;
	plan->alignment = WINDOW_ALIGNMENT_MIN;
	plan->aperture = (struct kernel_range){ 0, UINT64_MAX };
	r = ranges_all(&plan->usable, room);
	for (size_t i = 0; i < plan->n_devices && r == 0; i++) {
		const struct capabilities *caps = plan->devices[i].caps;

		if (plan->alignment < caps->alignment)
			plan->alignment = caps->alignment;
		keep_aperture(plan, &plan->devices[i]);
		r = ranges_keep(&plan->usable, caps->ranges, caps->n_ranges);
	}
	return r < 0 ? no_memory(err) : 0;
}

/* plan_deinit() - Free what a plan owns */
static void plan_deinit(struct plan *plan)
{
	ranges_deinit(&plan->usable);
	ranges_deinit(&plan->free);
	free(plan->windows);
}

#define _cleanup_plan_ __attribute__((cleanup(plan_deinit)))

/* window_ranges() - What all of some devices can use */
int window_ranges(const struct window_device *devices, size_t n_devices,
		  struct kernel_range **ret, size_t *ret_n,
		  uint64_t *ret_alignment, struct error *err)
{
	_cleanup_plan_ struct plan plan = { .devices = devices,
					    .n_devices = n_devices };
	int r;

	r = plan_begin(&plan, err);
	if (r < 0)
		return r;
	*ret_n = plan.usable.n;
	*ret = plan.usable.n ? TAKE_PTR(plan.usable.items) : NULL;
	*ret_alignment = plan.alignment;
	return 0;
}

/* --- what a wish is --- */

/* wish_alignment() - What a wish's windows are multiples of */
uint64_t wish_alignment(const struct plan *plan, const struct window_wish *wish)
{
	uint64_t largest = 0;

	if (wish->page_sizes)
		largest = UINT64_C(1) << (63 - __builtin_clzll(
						  wish->page_sizes));
	return largest > plan->alignment ? largest : plan->alignment;
}

/* wish_need() - What room a wish looks for */
struct need wish_need(const struct plan *plan, const struct window_wish *wish)
{
	return (struct need){
		.size = wish->size,
		.alignment = wish_alignment(plan, wish),
		.last = wish->purpose == WINDOW_DMA32 ? DMA32_LAST : UINT64_MAX,
	};
}

/* turn_of() - When a wish is placed */
static enum turn turn_of(const struct window_wish *wish)
{
	if (wish->fixed)
		return TURN_FIXED;
	return wish->purpose == WINDOW_DMA32 ? TURN_DMA32 : TURN_ANYWHERE;
}

/**
 * check_multiple() - Is a number of a wish a multiple of what it has to be?
 * @i:		Which wish
 * @what:	What the number is
 *
 * Return: 0; -EINVAL, window.invalid.
 */
static int check_multiple(const struct plan *plan, size_t i, const char *what,
			  uint64_t number, struct error *err)
{
	uint64_t alignment = wish_alignment(plan, &plan->wishes[i]);
	bool pages = alignment > plan->alignment;

	if (number % alignment == 0)
		return 0;
	return error_set(err, -EINVAL, ERROR_WINDOW_INVALID,
			 "window %zu: its %s 0x%" PRIx64 " is no multiple of 0x%" PRIx64 ", %s",
			 i + 1, what, number, alignment,
			 pages ? "the largest of its page sizes" :
				 "to which the devices map");
}

/**
 * check_place() - Can a wish be anywhere at all?
 * @i:		Which wish
 *
 * Return: 0; -EINVAL, window.invalid.
 */
static int check_place(const struct plan *plan, size_t i, struct error *err)
{
	const struct window_wish *wish = &plan->wishes[i];
	uint64_t start = wish->fixed ? wish->start : 0;
	struct kernel_range span;

	if (!range_of(start, wish->size, &span))
		return error_set(err, -EINVAL, ERROR_WINDOW_INVALID,
				 "window %zu: 0x%" PRIx64 " bytes from 0x%" PRIx64 " on go beyond the last address, 0x%" PRIx64,
				 i + 1, wish->size, start, UINT64_MAX);
	if (span.last <= wish_need(plan, wish).last)
		return 0;
	return error_set(err, -EINVAL, ERROR_WINDOW_INVALID,
			 "window %zu: dma32, but 0x%" PRIx64 " bytes from 0x%" PRIx64 " on do not end below 4 GiB",
			 i + 1, wish->size, start);
}

/**
 * check_wish() - Can a wish be, by itself?
 * @i:		Which wish
 *
 * Return: 0; -EINVAL, window.invalid; -EADDRINUSE, window.unavailable.
 */
static int check_wish(const struct plan *plan, size_t i, struct error *err)
{
	const struct window_wish *wish = &plan->wishes[i];
	uint64_t smallest = wish->page_sizes & -wish->page_sizes;
	int r;

	if (!wish->size)
		return error_set(err, -EINVAL, ERROR_WINDOW_INVALID,
				 "window %zu: it has no size", i + 1);
	if (smallest && smallest < WINDOW_ALIGNMENT_MIN)
		return error_set(err, -EINVAL, ERROR_WINDOW_INVALID,
				 "window %zu: page_sizes 0x%" PRIx64 " has a size below 0x%" PRIx64 "; it is one bit for each size",
				 i + 1, wish->page_sizes, WINDOW_ALIGNMENT_MIN);
	r = check_multiple(plan, i, "size", wish->size, err);
	if (r == 0 && wish->fixed)
		r = check_multiple(plan, i, "start", wish->start, err);
	if (r == 0)
		r = check_place(plan, i, err);
	if (r == 0 && smallest && smallest < plan->alignment)
		r = window_refuse_pages(plan, i, err);
	return r;
}

/**
 * check_overlaps() - Is a wish with a start apart from those before it?
 * @i:		Which wish
 *
 * Return: 0; -EINVAL, window.invalid, naming both.
 */
static int check_overlaps(const struct plan *plan, size_t i, struct error *err)
{
	struct kernel_range own, other;

	if (!plan->wishes[i].fixed)
		return 0;
	(void)range_of(plan->wishes[i].start, plan->wishes[i].size, &own);
	for (size_t j = 0; j < i; j++) {
		const struct window_wish *wish = &plan->wishes[j];

		if (!wish->fixed ||
		    !range_of(wish->start, wish->size, &other) ||
		    !range_meets(&own, &other))
			continue;
		return error_set(err, -EINVAL, ERROR_WINDOW_INVALID,
				 "windows %zu (0x%" PRIx64 "-0x%" PRIx64 ") and %zu (0x%" PRIx64 "-0x%" PRIx64 ") overlap",
				 j + 1, other.start, other.last, i + 1,
				 own.start, own.last);
	}
	return 0;
}

/**
 * check_wishes() - Can all wishes be, before any is placed?
 *
 * Return: 0; -EINVAL, window.invalid; -EADDRINUSE, window.unavailable.
 */
static int check_wishes(const struct plan *plan, struct error *err)
{
	int r = 0;

	for (size_t i = 0; i < plan->n_wishes && r == 0; i++) {
		r = check_wish(plan, i, err);
		if (r == 0)
			r = check_overlaps(plan, i, err);
	}
	return r;
}

/* --- placing --- */

/**
 * next_piece() - The next part of a wish that is not reserved
 * @from:	What is not
 * @at:		Where to look next; 0 at first
 * @ret:	The part: multiples of the wish's alignment
 *
 * Return: false if there are no more.
 */
static bool next_piece(const struct ranges *from, size_t *at,
		       const struct kernel_range *span, uint64_t alignment,
		       struct kernel_range *ret)
{
	while (*at < from->n) {
		*ret = from->items[(*at)++];
		if (!range_meets(ret, span))
			continue;
		if (ret->start < span->start)
			ret->start = span->start;
		if (ret->last > span->last)
			ret->last = span->last;
		if (range_align(ret, alignment))
			return true;
	}
	return false;
}

/* wish_pieces() - How many windows a wish would be */
size_t wish_pieces(const struct plan *plan, const struct window_wish *wish,
		   const struct ranges *from, const struct kernel_range *span)
{
	uint64_t alignment = wish_alignment(plan, wish);
	struct kernel_range piece;
	size_t at = 0, n = 0;

	while (next_piece(from, &at, span, alignment, &piece))
		n++;
	return n;
}

/**
 * place() - Give a wish its windows
 * @i:		Which wish
 * @span:	Where: all of it free, or to be cut
 *
 * Return: 0; -E2BIG, limit.windows.
 */
static int place(struct plan *plan, size_t i, const struct kernel_range *span,
		 struct error *err)
{
	const struct window_wish *wish = &plan->wishes[i];
	uint64_t alignment = wish_alignment(plan, wish);
	struct kernel_range piece;
	size_t at = 0;

	while (next_piece(&plan->free, &at, span, alignment, &piece)) {
		if (plan->n == WINDOWS_MAX)
			return error_set(err, -E2BIG, ERROR_LIMIT_WINDOWS,
					 "window %zu: with the pieces that it is cut into there are more than %d windows",
					 i + 1, WINDOWS_MAX);
		plan->placed_by[plan->n] = i;
		plan->windows[plan->n++] = (struct window){
			.start = piece.start,
			.last = piece.last,
			.page_sizes = wish->page_sizes ? wish->page_sizes :
							 alignment,
			.purpose = wish->purpose,
		};
	}
	ranges_take(&plan->free, span);
	return 0;
}

/**
 * is_apart() - Is nothing placed in a range?
 */
static bool is_apart(const struct plan *plan, const struct kernel_range *span)
{
	for (size_t i = 0; i < plan->n; i++) {
		const struct window *window = &plan->windows[i];

		if (range_meets(span, &(struct kernel_range){ window->start,
							      window->last }))
			return false;
	}
	return true;
}

/**
 * find_cut() - Find the lowest place for a wish that may be cut
 * @wish:	Which
 * @ret:	Where
 *
 * In each free range its lowest place is the only one to look at: from any
 * higher one it reaches further into what comes behind.
 *
 * Return: true if there is one.
 */
static bool find_cut(const struct plan *plan, const struct window_wish *wish,
		     struct kernel_range *ret)
{
	struct need need = wish_need(plan, wish);

	for (size_t i = 0; i < plan->free.n && !plan->no_aperture; i++) {
		struct kernel_range range = plan->free.items[i];

		if (range_align(&range, need.alignment) &&
		    range_of(range.start, wish->size, ret) &&
		    ret->last <= need.last &&
		    range_within(ret, &plan->aperture) && is_apart(plan, ret))
			return true;
	}
	return false;
}

/**
 * place_anywhere() - Place a wish that has no start
 * @i:		Which
 *
 * Return: 0; -EADDRINUSE, window.unavailable; -E2BIG, limit.windows.
 */
static int place_anywhere(struct plan *plan, size_t i, struct error *err)
{
	const struct window_wish *wish = &plan->wishes[i];
	struct need need = wish_need(plan, wish);
	struct kernel_range span;
	uint64_t start;
	bool found;

	if (wish->around)
		found = find_cut(plan, wish, &span);
	else
		found = ranges_place(&plan->free, &need, 0, &start) &&
			range_of(start, wish->size, &span);
	if (!found)
		return window_refuse_anywhere(plan, i, err);
	return place(plan, i, &span, err);
}

/**
 * place_fixed() - Place a wish that has a start
 * @i:		Which
 *
 * Return: likewise.
 */
static int place_fixed(struct plan *plan, size_t i, struct error *err)
{
	const struct window_wish *wish = &plan->wishes[i];
	struct kernel_range span;
	bool good;

	(void)range_of(wish->start, wish->size, &span);
	if (wish->around)
		good = !plan->no_aperture &&
		       range_within(&span, &plan->aperture) &&
		       wish_pieces(plan, wish, &plan->free, &span) > 0;
	else
		good = ranges_cover(&plan->free, &span);
	if (!good)
		return window_refuse_fixed(plan, i, &span, err);
	return place(plan, i, &span, err);
}

/**
 * place_all() - Place all wishes, each kind in its turn
 *
 * Return: likewise.
 */
static int place_all(struct plan *plan, struct error *err)
{
	int r = 0;

	for (enum turn turn = TURN_FIXED; turn < TURN_COUNT; turn++) {
		for (size_t i = 0; i < plan->n_wishes && r == 0; i++) {
			if (turn_of(&plan->wishes[i]) != turn)
				continue;
			r = turn == TURN_FIXED ? place_fixed(plan, i, err) :
						 place_anywhere(plan, i, err);
		}
	}
	return r;
}

/* by_address() - For qsort(3) */
static int by_address(const void *a, const void *b)
{
	const struct window *one = a, *other = b;

	return one->start < other->start ? -1 : one->start > other->start;
}

/* window_plan() - Place windows, or say why they cannot be */
int window_plan(const struct window_device *devices, size_t n_devices,
		const struct window_wish *wishes, size_t n_wishes,
		struct window **ret, size_t *ret_n, struct error *err)
{
	_cleanup_plan_ struct plan plan = { .devices = devices,
					    .n_devices = n_devices,
					    .wishes = wishes,
					    .n_wishes = n_wishes };
	int r;

	if (n_wishes > WINDOWS_MAX)
		return error_set(err, -EINVAL, ERROR_WINDOW_INVALID,
				 "window %d: there are %zu, and may be %d",
				 WINDOWS_MAX + 1, n_wishes, WINDOWS_MAX);
	r = plan_begin(&plan, err);
	if (r == 0)
		r = check_wishes(&plan, err);
	if (r < 0)
		return r;
	plan.windows = calloc(WINDOWS_MAX, sizeof(*plan.windows));
	if (!plan.windows || ranges_copy(&plan.usable, &plan.free) < 0)
		return no_memory(err);
	r = place_all(&plan, err);
	if (r < 0)
		return r;
	qsort(plan.windows, plan.n, sizeof(*plan.windows), by_address);
	*ret_n = plan.n;
	*ret = plan.n ? TAKE_PTR(plan.windows) : NULL;
	return 0;
}
