/* SPDX-License-Identifier: Apache-2.0
 *
 * window-reasons.c - why a window cannot be, and what would fit
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "model/window-private.h"

/* Room in struct error_cause. */
#define DETAIL_SIZE sizeof(((struct error_cause *)NULL)->detail)

/* "0x0-0x7fffffff", at most. */
#define RANGE_SIZE 40

/* range_words() - A range for a person */
static const char *range_words(const struct kernel_range *range,
			       char ret[RANGE_SIZE])
{
	(void)str_format(ret, RANGE_SIZE, "0x%" PRIx64 "-0x%" PRIx64,
			 range->start, range->last);
	return ret;
}

/**
 * add() - Say one more thing, if there is room
 * @text:	What was said
 */
static void add(char text[DETAIL_SIZE], const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void add(char text[DETAIL_SIZE], const char *fmt, ...)
{
	size_t n = strlen(text);
	char words[DETAIL_SIZE];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(words, sizeof(words), fmt, args);
	va_end(args);
	if (n + 2 + strlen(words) < DETAIL_SIZE)
		(void)str_format(text + n, DETAIL_SIZE - n, "%s%s",
				 n ? "; " : "", words);
}

/* reserves() - Is a region of a group out of reach of a device's mappings? */
static bool reserves(const struct kernel_reserved *region)
{
	return !str_eq(region->type, "direct-relaxable");
}

/**
 * reach() - Make a range longer by a region that touches it
 *
 * Return: true if it is longer now.
 */
static bool reach(struct kernel_range *range,
		  const struct kernel_reserved *region)
{
	const struct kernel_range before = *range;

	if (!reserves(region))
		return false;
	if (region->start < range->start && region->last >= range->start - 1)
		range->start = region->start;
	if (region->last > range->last && region->start <= range->last + 1)
		range->last = region->last;
	return range->start != before.start || range->last != before.last;
}

/* window_aperture() - The addresses that a device has, reserved or not */
bool window_aperture(const struct window_device *device,
		     struct kernel_range *ret)
{
	const struct capabilities *caps = device->caps;
	bool longer = true;

	if (!caps->n_ranges)
		return false;
	ret->start = caps->ranges[0].start;
	ret->last = caps->ranges[caps->n_ranges - 1].last;
	while (longer) {
		longer = false;
		for (size_t i = 0; i < device->n_reserved; i++)
			longer |= reach(ret, &device->reserved[i]);
	}
	return true;
}

/* --- what a device has somewhere --- */

/**
 * add_hole() - Say what a device has where it can use nothing
 * @hole:	There
 * @span:	Nothing else is of interest
 */
static void add_hole(char text[DETAIL_SIZE], const struct window_device *device,
		     const struct kernel_range *hole,
		     const struct kernel_range *span)
{
	char words[RANGE_SIZE];
	bool known = false;

	for (size_t i = 0; i < device->n_reserved; i++) {
		const struct kernel_reserved *region = &device->reserved[i];
		struct kernel_range range = { region->start, region->last };

		if (!reserves(region) || !range_meets(&range, hole) ||
		    !range_meets(&range, span))
			continue;
		add(text, "reserves %s (%s)", range_words(&range, words),
		    region->type);
		known = true;
	}
	if (!known)
		add(text, "reserves %s", range_words(hole, words));
}

/**
 * device_detail() - Say what a device has in a range
 * @device:	Which
 * @span:	The range
 * @cut:	What it reserves is not in the way
 * @text:	What; empty if it can use all of it
 */
static void device_detail(const struct window_device *device,
			  const struct kernel_range *span, bool cut,
			  char text[DETAIL_SIZE])
{
	struct kernel_range items[HOLES_MAX], aperture;
	struct ranges holes = { items, 1, HOLES_MAX };
	char words[RANGE_SIZE];

	text[0] = '\0';
	if (!window_aperture(device, &aperture)) {
		add(text, "there is no address that it can use");
		return;
	}
	if (!range_within(span, &aperture))
		add(text, "its aperture is %s", range_words(&aperture, words));
	if (cut)
		return;
	items[0] = aperture;
	for (size_t i = 0; i < device->caps->n_ranges; i++)
		ranges_take(&holes, &device->caps->ranges[i]);
	for (size_t i = 0; i < holes.n; i++)
		if (range_meets(&items[i], span))
			add_hole(text, device, &items[i], span);
}

/**
 * device_longest() - Find the longest room in what a device can use
 * @span:	Nothing else of it
 *
 * Return: true if there is any.
 */
static bool device_longest(const struct window_device *device,
			   const struct kernel_range *span,
			   uint64_t alignment, struct kernel_range *ret)
{
	struct kernel_range items[CAPABILITY_RANGES_MAX];
	struct ranges ranges = { items, 0, CAPABILITY_RANGES_MAX };
	const struct need need = { .alignment = alignment,
				   .last = span->last };

	for (size_t i = 0; i < device->caps->n_ranges; i++) {
		struct kernel_range range = device->caps->ranges[i];

		if (!range_meets(&range, span))
			continue;
		if (range.start < span->start)
			range.start = span->start;
		items[ranges.n++] = range;
	}
	return ranges_longest(&ranges, &need, ret);
}

/* --- remedies --- */

/**
 * remedy_place() - Say where a wish would fit, or how much of it
 * @i:		Which wish
 * @span:	Where it is asked for; NULL for anywhere
 *
 * Windows that have no start do not count if it has one: they are placed later.
 * Without memory it is not said.
 */
static void remedy_place(const struct plan *plan, size_t i,
			 const struct kernel_range *span, struct error *err)
{
	const struct window_wish *wish = &plan->wishes[i];
	struct need need = wish_need(plan, wish);
	_cleanup_ranges_ struct ranges left = RANGES_NULL;
	struct kernel_range other;
	uint64_t start;
	char also[64] = "";

	if (ranges_copy(span ? &plan->usable : &plan->free, &left) < 0)
		return;
	if (span && !wish->around && !plan->no_aperture &&
	    range_within(span, &plan->aperture) &&
	    wish_pieces(plan, wish, &left, span))
		(void)str_format(also, sizeof(also),
				 "; with around_reserved it is cut into %zu",
				 wish_pieces(plan, wish, &left, span));
	for (size_t j = 0; span && j < plan->n_wishes; j++)
		if (j != i && plan->wishes[j].fixed &&
		    range_of(plan->wishes[j].start, plan->wishes[j].size,
			     &other))
			ranges_take(&left, &other);
	if (ranges_place(&left, &need, span ? span->start : 0, &start) ||
	    ranges_place(&left, &need, 0, &start))
		error_remedy(err, "it fits at 0x%" PRIx64 "%s", start, also);
	else if (ranges_longest(&left, &need, &other))
		error_remedy(err, "no more than 0x%" PRIx64 " bytes fit in one piece, at 0x%" PRIx64 "%s",
			     other.last - other.start + 1, other.start, also);
	else
		error_remedy(err, "there is no room at all%s", also);
}

/* --- refusals --- */

/* window_refuse_fixed() - Say why a wish cannot be where it is asked for */
int window_refuse_fixed(const struct plan *plan, size_t i,
			const struct kernel_range *span, struct error *err)
{
	const struct window_wish *wish = &plan->wishes[i];
	bool beyond = plan->no_aperture ||
		      !range_within(span, &plan->aperture);
	char words[RANGE_SIZE], detail[DETAIL_SIZE];
	int r;

	r = error_set(err, -EADDRINUSE, ERROR_WINDOW_UNAVAILABLE,
		      "window %zu: %s cannot be had with %s: %s", i + 1,
		      range_words(span, words),
		      plan->n_devices == 1 ? plan->devices[0].name :
					     "these devices",
		      beyond ? "it goes beyond an aperture" :
		      wish->around ? "nothing of it is left" :
				     "something in it is reserved");
	for (size_t j = 0; j < plan->n_devices; j++) {
		device_detail(&plan->devices[j], span, beyond && wish->around,
			      detail);
		if (*detail)
			error_cause(err, "device", plan->devices[j].name, "%s",
				    detail);
	}
	remedy_place(plan, i, span, err);
	return r;
}

/**
 * cause_placed() - Name the windows that take the room of another
 */
static void cause_placed(const struct plan *plan, struct error *err)
{
	char words[RANGE_SIZE];

	for (size_t i = 0; i < plan->n; i++) {
		const struct window *window = &plan->windows[i];

		error_cause(err, "range",
			    range_words(&(struct kernel_range){ window->start,
								window->last },
					words),
			    "window %zu is there", plan->placed_by[i] + 1);
	}
}

/**
 * cause_short() - Name the devices that have no room that is long enough
 * @need:	How long
 * @all:	Each has by itself: name all of them
 *
 * Return: how many.
 */
static size_t cause_short(const struct plan *plan, const struct need *need,
			  bool all, struct error *err)
{
	const struct kernel_range span = { 0, need->last };
	struct kernel_range longest;
	char words[RANGE_SIZE];
	size_t n = 0;

	for (size_t i = 0; i < plan->n_devices; i++) {
		const struct window_device *device = &plan->devices[i];
		bool any = device_longest(device, &span, need->alignment,
					  &longest);

		if (any && longest.last - longest.start >= need->size - 1 &&
		    !all)
			continue;
		n++;
		error_cause(err, "device", device->name, "%s%s",
			    any ? "the longest range it can use is " :
				  "it can use no range",
			    any ? range_words(&longest, words) : "");
	}
	return n;
}

/* window_refuse_anywhere() - Say why there is no room for a wish */
int window_refuse_anywhere(const struct plan *plan, size_t i,
			   struct error *err)
{
	const struct window_wish *wish = &plan->wishes[i];
	struct need need = wish_need(plan, wish);
	uint64_t start;
	int r;

	r = error_set(err, -EADDRINUSE, ERROR_WINDOW_UNAVAILABLE,
		      "window %zu: there is no room for 0x%" PRIx64 " bytes%s at a multiple of 0x%" PRIx64,
		      i + 1, wish->size,
		      wish->purpose == WINDOW_DMA32 ? " below 4 GiB" : "",
		      need.alignment);
	if (plan->n && ranges_place(&plan->usable, &need, 0, &start))
		cause_placed(plan, err);
	else if (!cause_short(plan, &need, false, err))
		(void)cause_short(plan, &need, true, err);
	remedy_place(plan, i, NULL, err);
	return r;
}

/* window_refuse_pages() - Say that devices have no pages as small as wished */
int window_refuse_pages(const struct plan *plan, size_t i, struct error *err)
{
	uint64_t sizes = plan->wishes[i].page_sizes;
	int r;

	r = error_set(err, -EADDRINUSE, ERROR_WINDOW_UNAVAILABLE,
		      "window %zu: pages of 0x%" PRIx64 " bytes cannot be had with these devices",
		      i + 1, sizes & -sizes);
	for (size_t j = 0; j < plan->n_devices; j++) {
		const struct window_device *device = &plan->devices[j];

		if (device->caps->alignment > (sizes & -sizes))
			error_cause(err, "device", device->name,
				    "its smallest pages are of 0x%" PRIx64 " bytes",
				    device->caps->alignment);
	}
	error_remedy(err, "page_sizes without sizes below 0x%" PRIx64 ", or 0",
		     plan->alignment);
	return r;
}

/* --- one more device --- */

/**
 * check_one() - Can a device be used with a window?
 * @text:	What stands in the way; empty if it can
 */
static void check_one(const struct window_device *device,
		      const struct window *window, char text[DETAIL_SIZE])
{
	const struct kernel_range span = { window->start, window->last };
	uint64_t alignment = device->caps->alignment;
	uint64_t smallest = window->page_sizes & -window->page_sizes;

	device_detail(device, &span, false, text);
	if (alignment && (span.start % alignment ||
			  (span.last + 1) % alignment ||
			  (smallest && smallest < alignment)))
		add(text, "its smallest pages are of 0x%" PRIx64 " bytes",
		    alignment);
}

/**
 * refuse_window() - Say that a device cannot be used with a window
 * @window:	The first such window
 *
 * Return: -EADDRINUSE, window.unavailable.
 */
static int refuse_window(const struct window_device *device,
			 const struct window *window, struct error *err)
{
	const struct kernel_range span = { window->start, window->last };
	struct kernel_range longest;
	char words[RANGE_SIZE];
	int r;

	r = error_set(err, -EADDRINUSE, ERROR_WINDOW_UNAVAILABLE,
		      "%s cannot be used with the window %s", device->name,
		      range_words(&span, words));
	error_object(err, "%s", device->name);
	if (device_longest(device, &span,
			   device->caps->alignment ? device->caps->alignment :
						     1,
			   &longest))
		error_remedy(err, "make the window smaller: of %s it can use %s",
			     words, range_words(&longest,
						(char[RANGE_SIZE]){ "" }));
	else
		error_remedy(err, "take the window away: it can use nothing of %s",
			     words);
	return r;
}

/* window_check() - Can a device be used with windows that were promised? */
int window_check(const struct window_device *device,
		 const struct window *windows, size_t n, struct error *err)
{
	char detail[DETAIL_SIZE], before[DETAIL_SIZE] = "";
	int r;

	r = window_check_ready(device, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		check_one(device, &windows[i], detail);
		if (!*detail)
			continue;
		if (r == 0)
			r = refuse_window(device, &windows[i], err);
		if (!str_eq(detail, before))
			error_cause(err, "device", device->name, "%s", detail);
		(void)str_copy(before, sizeof(before), detail);
	}
	return r;
}
