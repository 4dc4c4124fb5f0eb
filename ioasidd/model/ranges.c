/* SPDX-License-Identifier: Apache-2.0
 *
 * ranges.c - sets of addresses: cut out of each other, searched for room
 */
#include "model/ranges.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>


/**
 * append() - Add a range behind all others
 * @ranges:	What it is added to; has room
 * @start:	First address, above all others
 * @last:	Last address
 *
 * One that begins where the last one ends makes that longer.
 */
static void append(struct ranges *ranges, uint64_t start, uint64_t last)
{
	if (ranges->n && start &&
	    ranges->items[ranges->n - 1].last == start - 1) {
		ranges->items[ranges->n - 1].last = last;
		return;
	}
	assert(ranges->n < ranges->room);
	ranges->items[ranges->n++] = (struct kernel_range){ start, last };
}

/* ranges_all() - A set of all addresses */
int ranges_all(struct ranges *ret, size_t room)
{
	struct kernel_range *items = calloc(room, sizeof(*items));

	if (!items)
		return -ENOMEM;
	*ret = (struct ranges){ .items = items, .room = room };
	append(ret, 0, UINT64_MAX);
	return 0;
}

/* ranges_copy() - Another one of the same addresses and room */
int ranges_copy(const struct ranges *ranges, struct ranges *ret)
{
	struct kernel_range *items = calloc(ranges->room, sizeof(*items));

	if (!items)
		return -ENOMEM;
	memcpy(items, ranges->items, ranges->n * sizeof(*items));
	*ret = (struct ranges){ items, ranges->n, ranges->room };
	return 0;
}

/* ranges_deinit() - Free it */
void ranges_deinit(struct ranges *ranges)
{
	free(ranges->items);
	*ranges = RANGES_NULL;
}

/* ranges_keep() - Drop what is not in another set */
int ranges_keep(struct ranges *ranges, const struct kernel_range *items,
		size_t n)
{
	struct ranges kept = { .room = ranges->room };
	size_t i = 0, j = 0;

	kept.items = calloc(kept.room, sizeof(*kept.items));
	if (!kept.items)
		return -ENOMEM;
	while (i < ranges->n && j < n) {
		const struct kernel_range *a = &ranges->items[i];
		const struct kernel_range *b = &items[j];

		if (range_meets(a, b))
			append(&kept, a->start > b->start ? a->start : b->start,
			       a->last < b->last ? a->last : b->last);
		if (a->last < b->last)
			i++;
		else
			j++;
	}
	ranges_deinit(ranges);
	*ranges = kept;
	return 0;
}

/* ranges_take() - Drop a range */
void ranges_take(struct ranges *ranges, const struct kernel_range *range)
{
	size_t i = 0;

	while (i < ranges->n) {
		struct kernel_range *at = &ranges->items[i];
		const struct kernel_range whole = *at;
		bool below = whole.start < range->start;
		bool above = whole.last > range->last;

		if (!range_meets(&whole, range)) {
			i++;
			continue;
		}
		if (below)
			at->last = range->start - 1;
		if (above && !below)
			at->start = range->last + 1;
		if (above && below) {
			assert(ranges->n < ranges->room);
			memmove(at + 2, at + 1,
				(ranges->n++ - i - 1) * sizeof(*at));
			at[1].start = range->last + 1;
			at[1].last = whole.last;
			return;
		}
		if (above || below)
			i++;
		else
			memmove(at, at + 1, (--ranges->n - i) * sizeof(*at));
	}
}

/* ranges_cover() - Are all addresses of a range in it? */
bool ranges_cover(const struct ranges *ranges, const struct kernel_range *range)
{
	for (size_t i = 0; i < ranges->n; i++)
		if (range_within(range, &ranges->items[i]))
			return true;
	return false;
}

/* range_of() - The range of some bytes */
bool range_of(uint64_t start, uint64_t size, struct kernel_range *ret)
{
	if (!size || start > UINT64_MAX - (size - 1))
		return false;
	*ret = (struct kernel_range){ start, start + (size - 1) };
	return true;
}

/* range_align() - Shorten a range to multiples of something */
bool range_align(struct kernel_range *range, uint64_t alignment)
{
	uint64_t mask = alignment - 1;
	struct kernel_range to = *range;

	if (to.start & mask) {
		if ((to.start | mask) == UINT64_MAX)
			return false;
		to.start = (to.start | mask) + 1;
	}
	if ((to.last & mask) != mask) {
		if (to.last < alignment)
			return false;
		to.last = (to.last & ~mask) - 1;
	}
	if (to.start > to.last)
		return false;
	*range = to;
	return true;
}

/**
 * room_in() - What of a range can be used for a need
 * @range:	The range
 * @from:	There, or higher
 * @ret:	What of it
 *
 * Return: true if there is any.
 */
static bool room_in(const struct kernel_range *range, const struct need *need,
		    uint64_t from, struct kernel_range *ret)
{
	*ret = *range;
	if (ret->start < from)
		ret->start = from;
	if (ret->last > need->last)
		ret->last = need->last;
	return ret->start <= ret->last && range_align(ret, need->alignment);
}

/* ranges_place() - Find the lowest room */
bool ranges_place(const struct ranges *ranges, const struct need *need,
		  uint64_t from, uint64_t *ret)
{
	struct kernel_range room;

	for (size_t i = 0; i < ranges->n; i++) {
		if (!room_in(&ranges->items[i], need, from, &room) ||
		    room.last - room.start < need->size - 1)
			continue;
		*ret = room.start;
		return true;
	}
	return false;
}

/* ranges_longest() - Find the longest room */
bool ranges_longest(const struct ranges *ranges, const struct need *need,
		    struct kernel_range *ret)
{
	struct kernel_range room;
	bool found = false;

	for (size_t i = 0; i < ranges->n; i++) {
		if (!room_in(&ranges->items[i], need, 0, &room) ||
		    (found && room.last - room.start <= ret->last - ret->start))
			continue;
		*ret = room;
		found = true;
	}
	return found;
}
