/* SPDX-License-Identifier: Apache-2.0
 *
 * ranges.h - sets of addresses: cut out of each other, searched for room
 *
 * Both ends of a range belong to it, as in the uAPI, so that the last of 2^64
 * addresses has a number; an empty range cannot be written. Pure.
 */
#ifndef IOASIDD_MODEL_RANGES_H
#define IOASIDD_MODEL_RANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/kernel.h"

/**
 * struct ranges - A set of addresses: ranges by address, none touching the next
 * @items:	The ranges; @n of them
 * @room:	How many @items has room for, which is fixed
 */
struct ranges {
	struct kernel_range *items;
	size_t n, room;
};

#define RANGES_NULL ((struct ranges){ .items = NULL, .n = 0, .room = 0 })

/**
 * struct need - What room is looked for
 * @size:	Bytes, not 0
 * @alignment:	What its first address must be a multiple of; a power of two
 * @last:	It must end here or before
 */
struct need {
	uint64_t size, alignment, last;
};

/**
 * ranges_all() - A set of all addresses
 * @room:	How many ranges it may become: one, and as many as ranges_take()
 *		and ranges_keep() are going to be given
 *
 * Return: 0; -ENOMEM.
 */
int ranges_all(struct ranges *ret, size_t room);

/* ranges_copy() - Another one of the same addresses and room. 0 or -ENOMEM. */
int ranges_copy(const struct ranges *ranges, struct ranges *ret);

/* ranges_deinit() - Free it. */
void ranges_deinit(struct ranges *ranges);

#define _cleanup_ranges_ __attribute__((cleanup(ranges_deinit)))

/**
 * ranges_keep() - Drop what is not in another set
 * @items:	The other: by address, without overlaps; @n of them
 *
 * Return: 0; -ENOMEM, nothing changed.
 */
int ranges_keep(struct ranges *ranges, const struct kernel_range *items,
		size_t n);

/* ranges_take() - Drop a range; what is not in it is not there anyway. */
void ranges_take(struct ranges *ranges, const struct kernel_range *range);

/* ranges_cover() - Are all addresses of a range in it? */
bool ranges_cover(const struct ranges *ranges,
		  const struct kernel_range *range);

/**
 * ranges_place() - Find the lowest room
 * @from:	There, or higher
 * @ret:	Where it begins
 *
 * Return: true if there is any.
 */
bool ranges_place(const struct ranges *ranges, const struct need *need,
		  uint64_t from, uint64_t *ret);

/**
 * ranges_longest() - Find the longest room, the lowest of several
 * @need:	@size is not looked at
 * @ret:	All of it: multiples of @alignment
 *
 * Return: true if there is any.
 */
bool ranges_longest(const struct ranges *ranges, const struct need *need,
		    struct kernel_range *ret);

/**
 * range_align() - Shorten a range to multiples of something
 * @range:	Changed if something is left
 * @alignment:	A power of two
 *
 * Return: true if something is left.
 */
bool range_align(struct kernel_range *range, uint64_t alignment);

/* range_of() - The range of @size bytes, not 0. Return: false if it would go
 * beyond the last address.
 */
bool range_of(uint64_t start, uint64_t size, struct kernel_range *ret);

/* range_meets() - Do two ranges have an address in common? */
static inline bool range_meets(const struct kernel_range *a,
			       const struct kernel_range *b)
{
	return a->start <= b->last && b->start <= a->last;
}

/* range_within() - Are all addresses of @a in @b? */
static inline bool range_within(const struct kernel_range *a,
				const struct kernel_range *b)
{
	return b->start <= a->start && a->last <= b->last;
}

#endif
