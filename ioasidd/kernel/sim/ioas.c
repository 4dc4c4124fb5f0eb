/* SPDX-License-Identifier: Apache-2.0
 *
 * ioas.c - an I/O address space: where memory may be mapped, and what is
 */
#include "kernel/sim/ioas.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/sim/rule.h"
#include "kernel/sim/sim.h"

#ifndef __clang__
/* gcc 12's -fanalyzer forgets that an array has moved where its owner is told. */
#pragma GCC diagnostic ignored "-Wanalyzer-use-after-free"
#endif

/**
 * make_room() - Make sure that an array has room for one element more
 * @array:	It; NULL for none yet
 * @n:		How many it has
 * @size:	Of an element
 *
 * Its size is the next power of two: it has to grow only when @n is one.
 *
 * Return: the array, which may have moved; NULL without memory: it is as it
 * was.
 */
static void *make_room(void *array, size_t n, size_t size)
{
	return n & (n - 1) ? array : reallocarray(array, n ? 2 * n : 1, size);
}

/* overlap() - Do two ranges have an address in common? */
static bool overlap(const struct kernel_range *a, uint64_t start, uint64_t last)
{
	return a->start <= last && start <= a->last;
}

/* sim_ioas_init() - An empty space */
void sim_ioas_init(struct sim_ioas *ioas)
{
	*ioas = (struct sim_ioas){ .alignment = 1 };
}

/* sim_ioas_deinit() - End a space */
void sim_ioas_deinit(struct sim_ioas *ioas)
{
	free(ioas->areas);
	free(ioas->reserved);
	free(ioas->tables);
	sim_windows_deinit(&ioas->windows);
	sim_ioas_init(ioas);
}

/* --- mappings --- */

/* sim_ioas_find() - The first area that ends at an address or later */
size_t sim_ioas_find(const struct sim_ioas *ioas, uint64_t iova)
{
	size_t low = 0, high = ioas->n_areas;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (ioas->areas[middle].last < iova)
			low = middle + 1;
		else
			high = middle;
	}

	return low;
}

/* mapped() - Is something mapped in a range? */
static bool mapped(const struct sim_ioas *ioas, uint64_t start, uint64_t last)
{
	size_t at = sim_ioas_find(ioas, start);

	return at < ioas->n_areas && ioas->areas[at].iova <= last;
}

/* reserved() - Is something reserved in a range? */
static bool reserved(const struct sim_ioas *ioas, uint64_t start, uint64_t last)
{
	for (size_t i = 0; i < ioas->n_reserved; i++)
		if (overlap(&ioas->reserved[i].range, start, last))
			return true;

	return false;
}

/* in_windows() - Is a range inside one window? */
static bool in_windows(const struct sim_ioas *ioas, uint64_t start,
		       uint64_t last)
{
	for (size_t i = 0; i < ioas->windows.n; i++)
		if (ioas->windows.ranges[i].start <= start &&
		    last <= ioas->windows.ranges[i].last)
			return true;

	return !ioas->windows.n;
}

/* sim_ioas_check() - May a mapping be put there? */
int sim_ioas_check(const struct sim_ioas *ioas, uint64_t iova, uint64_t length)
{
	uint64_t last;

	if (sim_rule(SIM_RULE_MAP_UNALIGNED_EINVAL) &&
	    iova & (ioas->alignment - 1))
		return -EINVAL;
	if (__builtin_add_overflow(iova, length - 1, &last)) {
		if (sim_rule(SIM_RULE_MAP_WRAP_EOVERFLOW))
			return -EOVERFLOW;
		return -EINVAL;
	}
	if (sim_rule(SIM_RULE_MAP_RESERVED_EINVAL) &&
	    reserved(ioas, iova, last))
		return -EINVAL;
	if (mapped(ioas, iova, last))
		return sim_rule(SIM_RULE_MAP_OVERLAP_EEXIST) ? -EEXIST :
							       -EADDRINUSE;
	if (!sim_rule(SIM_RULE_ALLOW_NO_FENCE) && !in_windows(ioas, iova, last))
		return -EINVAL;

	return 0;
}

/* sim_ioas_insert() - Add an area where there is room */
int sim_ioas_insert(struct sim_ioas *ioas, const struct sim_area *area)
{
	size_t at = sim_ioas_find(ioas, area->iova);
	struct sim_area *areas;

	if (sim_rule(SIM_RULE_MAP_UNALIGNED_EINVAL) &&
	    (area->offset % SIM_PAGE) & (ioas->alignment - 1))
		return -EINVAL;
	areas = make_room(ioas->areas, ioas->n_areas, sizeof(*areas));
	if (!areas)
		return -ENOMEM;

	ioas->areas = areas;
	memmove(&ioas->areas[at + 1], &ioas->areas[at],
		(ioas->n_areas - at) * sizeof(*ioas->areas));
	ioas->areas[at] = *area;
	ioas->n_areas++;
	return 0;
}

/* sim_ioas_remove() - Forget areas */
void sim_ioas_remove(struct sim_ioas *ioas, size_t at, size_t n)
{
	if (!n)
		return;

	memmove(&ioas->areas[at], &ioas->areas[at + n],
		(ioas->n_areas - at - n) * sizeof(*ioas->areas));
	ioas->n_areas -= n;
}

/* --- ranges --- */

static int by_start(const void *a, const void *b)
{
	const struct kernel_range *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/**
 * merge() - Sort ranges and join those that meet or touch
 *
 * Return: how many are left.
 */
static size_t merge(struct kernel_range *ranges, size_t n)
{
	size_t used = 0;

	if (!n)
		return 0;

	qsort(ranges, n, sizeof(*ranges), by_start);
	for (size_t i = 1; i < n; i++) {
		struct kernel_range *top = &ranges[used];

		if (top->last != UINT64_MAX && ranges[i].start > top->last + 1)
			ranges[++used] = ranges[i];
		else if (ranges[i].last > top->last)
			top->last = ranges[i].last;
	}

	return used + 1;
}

/**
 * merged_reserved() - All that is reserved, sorted and joined
 * @ret:	To be freed; NULL if there is nothing
 *
 * Return: 0 or -ENOMEM.
 */
static int merged_reserved(const struct sim_ioas *ioas,
			   struct kernel_range **ret, size_t *ret_n)
{
	struct kernel_range *ranges = NULL;

	if (ioas->n_reserved) {
		ranges = calloc(ioas->n_reserved, sizeof(*ranges));
		if (!ranges)
			return -ENOMEM;
	}

	for (size_t i = 0; i < ioas->n_reserved; i++)
		ranges[i] = ioas->reserved[i].range;

	*ret_n = merge(ranges, ioas->n_reserved);
	*ret = ranges;
	return 0;
}

/* sim_ioas_ranges() - Where memory can be mapped */
int sim_ioas_ranges(const struct sim_ioas *ioas, struct kernel_range **ret,
		    size_t *ret_n)
{
	struct kernel_range *used, *ranges;
	size_t n_used, n = 0;
	uint64_t from = 0;
	int r;

	r = merged_reserved(ioas, &used, &n_used);
	if (r < 0)
		return r;

	ranges = calloc(n_used + 1, sizeof(*ranges));
	if (!ranges) {
		free(used);
		return -ENOMEM;
	}

	for (size_t i = 0; i < n_used; i++) {
		if (used[i].start > from)
			ranges[n++] = (struct kernel_range){
				from, used[i].start - 1
			};
		from = used[i].last + 1;
	}
	/* from is 0 again if the last one went to the end. */
	if (!n_used || from)
		ranges[n++] = (struct kernel_range){ from, UINT64_MAX };

	free(used);
	*ret = ranges;
	*ret_n = n;
	return 0;
}

/* sim_ioas_reserve() - A device or page table reserves a range */
int sim_ioas_reserve(struct sim_ioas *ioas, uint64_t start, uint64_t last,
		     const void *owner)
{
	struct sim_reserved *reserved;

	if (sim_rule(SIM_RULE_ATTACH_OVER_MAPPING_EADDRINUSE) &&
	    mapped(ioas, start, last))
		return -EADDRINUSE;

	if (sim_rule(SIM_RULE_ALLOW_BINDS_ATTACH))
		for (size_t i = 0; i < ioas->windows.n; i++)
			if (overlap(&ioas->windows.ranges[i], start, last))
				return -EADDRINUSE;

	reserved = make_room(ioas->reserved, ioas->n_reserved,
			     sizeof(*reserved));
	if (!reserved)
		return -ENOMEM;

	ioas->reserved = reserved;
	ioas->reserved[ioas->n_reserved++] = (struct sim_reserved){
		{ start, last }, owner
	};
	return 0;
}

/* sim_ioas_unreserve() - Give up all that an owner has reserved */
void sim_ioas_unreserve(struct sim_ioas *ioas, const void *owner)
{
	size_t n = 0;

	for (size_t i = 0; i < ioas->n_reserved; i++)
		if (ioas->reserved[i].owner != owner)
			ioas->reserved[n++] = ioas->reserved[i];

	ioas->n_reserved = n;
}

/* aligned() - Do all mappings suit an alignment? */
static bool aligned(const struct sim_ioas *ioas, uint64_t alignment)
{
	uint64_t mask = alignment - 1;

	for (size_t i = 0; i < ioas->n_areas; i++) {
		const struct sim_area *area = &ioas->areas[i];

		if (area->iova & mask || (area->last + 1) & mask ||
		    (area->offset % SIM_PAGE) & mask)
			return false;
	}

	return true;
}

/* reserve_outside() - A page table reserves all but its aperture */
static int reserve_outside(struct sim_ioas *ioas,
			   const struct kernel_range *aperture,
			   const void *owner)
{
	int r = 0;

	if (!sim_rule(SIM_RULE_RANGES_APERTURE))
		return 0;

	if (aperture->start)
		r = sim_ioas_reserve(ioas, 0, aperture->start - 1, owner);
	if (r >= 0 && aperture->last != UINT64_MAX)
		r = sim_ioas_reserve(ioas, aperture->last + 1, UINT64_MAX,
				     owner);
	if (r < 0)
		sim_ioas_unreserve(ioas, owner);

	return r;
}

/* sim_ioas_add_table() - A page table is to translate the space */
int sim_ioas_add_table(struct sim_ioas *ioas,
		       const struct kernel_range *aperture, uint64_t alignment,
		       const void *owner)
{
	struct sim_table_need *tables;
	int r;

	if (!sim_rule(SIM_RULE_RANGES_ALIGNMENT))
		alignment = 1;
	if (alignment < ioas->alignment)
		alignment = ioas->alignment;
	if (alignment > SIM_PAGE)
		return -EINVAL;
	if (!aligned(ioas, alignment))
		return -EADDRINUSE;
	tables = make_room(ioas->tables, ioas->n_tables, sizeof(*tables));
	if (!tables)
		return -ENOMEM;

	ioas->tables = tables;
	r = reserve_outside(ioas, aperture, owner);
	if (r < 0)
		return r;

	ioas->tables[ioas->n_tables++] = (struct sim_table_need){
		owner, alignment
	};
	ioas->alignment = alignment;
	return 0;
}

/* recalculate() - The alignment that page tables and options ask for now */
static uint64_t recalculate(const struct sim_ioas *ioas)
{
	uint64_t alignment = ioas->small_pages ? SIM_PAGE : 1;

	for (size_t i = 0; i < ioas->n_tables; i++)
		if (ioas->tables[i].alignment > alignment)
			alignment = ioas->tables[i].alignment;

	return alignment;
}

/* sim_ioas_remove_table() - It does not any more */
void sim_ioas_remove_table(struct sim_ioas *ioas, const void *owner)
{
	size_t n = 0;

	for (size_t i = 0; i < ioas->n_tables; i++)
		if (ioas->tables[i].owner != owner)
			ioas->tables[n++] = ioas->tables[i];
	ioas->n_tables = n;

	if (sim_rule(SIM_RULE_RANGES_WIDEN))
		sim_ioas_unreserve(ioas, owner);
	ioas->alignment = recalculate(ioas);
}

/* sim_ioas_huge_pages() - Allow or forbid pages longer than ours */
int sim_ioas_huge_pages(struct sim_ioas *ioas, bool allow)
{
	if (allow) {
		ioas->small_pages = false;
		ioas->alignment = recalculate(ioas);
		return 0;
	}

	if (ioas->small_pages)
		return 0;
	if (sim_rule(SIM_RULE_HUGE_PAGES_IN_USE_EINVAL) && ioas->n_tables &&
	    ioas->n_areas)
		return -EINVAL;
	if (!aligned(ioas, SIM_PAGE))
		return -EADDRINUSE;

	ioas->small_pages = true;
	ioas->alignment = recalculate(ioas);
	return 0;
}

/* --- windows --- */

/* sim_windows_add() - Add a window to a list */
int sim_windows_add(struct sim_windows *windows,
		    const struct kernel_range *range)
{
	struct kernel_range *ranges;
	size_t at = windows->n;

	if (sim_rule(SIM_RULE_ALLOW_EMPTY_EINVAL) &&
	    range->start >= range->last)
		return -EINVAL;

	while (at && windows->ranges[at - 1].start > range->start)
		at--;
	if (sim_rule(SIM_RULE_ALLOW_OVERLAP_EINVAL) &&
	    ((at && windows->ranges[at - 1].last >= range->start) ||
	     (at < windows->n && windows->ranges[at].start <= range->last)))
		return -EINVAL;

	ranges = make_room(windows->ranges, windows->n, sizeof(*ranges));
	if (!ranges)
		return -ENOMEM;
	windows->ranges = ranges;
	memmove(&ranges[at + 1], &ranges[at],
		(windows->n - at) * sizeof(*ranges));
	ranges[at] = *range;
	windows->n++;
	return 0;
}

/* sim_windows_deinit() - Forget a list */
void sim_windows_deinit(struct sim_windows *windows)
{
	free(windows->ranges);
	*windows = (struct sim_windows)SIM_WINDOWS_NULL;
}

/* sim_ioas_allow() - Replace the windows */
int sim_ioas_allow(struct sim_ioas *ioas, struct sim_windows *windows)
{
	struct sim_windows old = ioas->windows;

	if (sim_rule(SIM_RULE_ALLOW_RESERVED_EADDRINUSE))
		for (size_t i = 0; i < windows->n; i++)
			if (reserved(ioas, windows->ranges[i].start,
				     windows->ranges[i].last))
				return -EADDRINUSE;

	/* The mistake: they add to those that there are. */
	if (!sim_rule(SIM_RULE_ALLOW_REPLACES))
		for (size_t i = 0; i < old.n; i++)
			(void)sim_windows_add(windows, &old.ranges[i]);

	ioas->windows = *windows;
	*windows = old;
	return 0;
}
