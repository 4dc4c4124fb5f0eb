/* SPDX-License-Identifier: Apache-2.0
 *
 * place.c - where a mapping goes if its address is left to the kernel
 *
 * Clients come to lean on what they were given, so this is the kernel's way to
 * the last detail: the lowest place that suits, windows in order, never page 0
 * nor the last one, and as well aligned as the memory is, for huge pages.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/str.h"
#include "kernel/sim/ioas.h"
#include "kernel/sim/rule.h"
#include "kernel/sim/sim.h"

/* No further than to a huge page, PMD_SIZE. */
#define ALIGNMENT_MAX (1ULL << 21)

/**
 * struct place - What is looked for
 * @length:	Bytes
 * @alignment:	Of the page it begins in
 * @offset:	In that page
 */
struct place {
	uint64_t length, alignment, offset;
};

/**
 * suits() - Does a free range have room?
 * @range:	The range; begins at the place if it has
 */
static bool suits(const struct place *place, struct kernel_range *range)
{
	uint64_t start;

	if (__builtin_add_overflow(range->start, place->alignment - 1, &start))
		return false;
	start = (start & ~(place->alignment - 1)) | place->offset;

	if (start >= range->last || range->last - start < place->length - 1)
		return false;

	range->start = start;
	return true;
}

/**
 * place_between() - Look between the mappings in a range that is not reserved
 * @range:	Begins at the place if there is one
 */
static bool place_between(const struct sim_ioas *ioas,
			  const struct place *place, struct kernel_range *range)
{
	size_t at = sim_ioas_find(ioas, range->start);
	uint64_t from = range->start;

	for (; at < ioas->n_areas; at++) {
		const struct sim_area *area = &ioas->areas[at];
		struct kernel_range hole = { from, area->iova - 1 };

		if (area->iova > range->last)
			break;
		if (area->iova > from && suits(place, &hole)) {
			range->start = hole.start;
			return true;
		}
		if (area->last >= range->last)
			return false;
		from = area->last + 1;
	}

	range->start = from;
	return suits(place, range);
}

/**
 * place_in_window() - Look in one window
 * @usable:	What is not reserved; @n ranges
 */
static bool place_in_window(const struct sim_ioas *ioas,
			    const struct place *place,
			    const struct kernel_range *window,
			    const struct kernel_range *usable, size_t n,
			    uint64_t *ret_iova)
{
	struct kernel_range all = *window;

	if (!suits(place, &all))
		return false;

	for (size_t i = 0; i < n; i++) {
		struct kernel_range range = usable[i];

		if (range.start < all.start)
			range.start = all.start;
		if (range.last > all.last)
			range.last = all.last;
		if (range.start > range.last)
			continue;
		if (place_between(ioas, place, &range)) {
			*ret_iova = range.start;
			return true;
		}
	}

	return false;
}

/* next_window() - Windows that touch are one. Return: the place after it. */
static size_t next_window(const struct sim_windows *windows, size_t at,
			  const struct kernel_range *within,
			  struct kernel_range *ret)
{
	*ret = windows->ranges[at++];

	while (at < windows->n && windows->ranges[at].start == ret->last + 1)
		ret->last = windows->ranges[at++].last;

	if (ret->start < within->start)
		ret->start = within->start;
	if (ret->last > within->last)
		ret->last = within->last;

	return at;
}

/**
 * place_anywhere() - Look in all windows in order, or everywhere
 *
 * Return: 0 or -ENOSPC.
 */
static int place_anywhere(const struct sim_ioas *ioas,
			  const struct place *place,
			  const struct kernel_range *usable, size_t n,
			  uint64_t *ret_iova)
{
	struct kernel_range all = { SIM_PAGE, UINT64_MAX - SIM_PAGE };
	struct kernel_range window;

	if (!sim_rule(SIM_RULE_PLACE_NOT_ZERO))
		all.start = 0;

	if (!ioas->windows.n || !sim_rule(SIM_RULE_PLACE_IN_WINDOWS))
		return place_in_window(ioas, place, &all, usable, n,
				       ret_iova) ? 0 : -ENOSPC;

	for (size_t i = 0; i < ioas->windows.n;) {
		i = next_window(&ioas->windows, i, &all, &window);
		if (window.start <= window.last &&
		    place_in_window(ioas, place, &window, usable, n, ret_iova))
			return 0;
	}

	return -ENOSPC;
}

/* alignment_of() - The alignment that memory at an address should get */
static uint64_t alignment_of(uint64_t address, uint64_t length)
{
	uint64_t alignment = 1;

	if (!sim_rule(SIM_RULE_PLACE_ALIGNED))
		return SIM_PAGE;

	while (alignment < length && alignment < ALIGNMENT_MAX)
		alignment <<= 1;
	if (address && (address & -address) < alignment)
		alignment = address & -address;

	return alignment;
}

/* sim_ioas_place() - Find room for a mapping */
int sim_ioas_place(const struct sim_ioas *ioas, uint64_t address,
		   uint64_t length, uint64_t *ret_iova)
{
	_cleanup_free_ struct kernel_range *usable = NULL;
	struct place place = { .length = length };
	size_t n;
	int r;

	if (!length || length >= UINT64_MAX / 2)
		return -EOVERFLOW;

	place.alignment = alignment_of(address, length);
	place.offset = address % SIM_PAGE;
	if (place.alignment < ioas->alignment)
		return -EINVAL;

	r = sim_ioas_ranges(ioas, &usable, &n);
	if (r < 0)
		return r;

	r = place_anywhere(ioas, &place, usable, n, ret_iova);
	return r == -ENOSPC && !sim_rule(SIM_RULE_PLACE_ENOSPC) ? -ENOMEM : r;
}
