/* SPDX-License-Identifier: Apache-2.0
 *
 * dirty.c - which pages devices have written to
 *
 * A page table that is watched keeps the addresses of pages. An IOMMU counts in
 * the pages of its page tables, which may be longer: then it says that more was
 * written, never less.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/sim/object.h"
#include "kernel/sim/rule.h"

/* place_of() - Where a page is, or would be */
static size_t place_of(const struct sim_table *table, uint64_t page)
{
	size_t low = 0, high = table->n_dirty;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (table->dirty[middle] < page)
			low = middle + 1;
		else
			high = middle;
	}

	return low;
}

/* sim_dirty_mark() - A device has written to a page */
int sim_dirty_mark(struct sim_table *table, uint64_t iova)
{
	uint64_t page = iova - iova % SIM_PAGE, *more;
	size_t at = place_of(table, page);

	if (at < table->n_dirty && table->dirty[at] == page)
		return 0;
	more = reallocarray(table->dirty, table->n_dirty + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;

	table->dirty = more;
	memmove(&more[at + 1], &more[at],
		(table->n_dirty - at) * sizeof(*more));
	more[at] = page;
	table->n_dirty++;
	return 0;
}

/* sim_dirty_forget() - What is in a range was not written */
void sim_dirty_forget(struct sim_table *table, uint64_t iova, uint64_t last)
{
	size_t at = place_of(table, iova), end = at;

	while (end < table->n_dirty && table->dirty[end] <= last)
		end++;
	if (end == at)
		return;
	memmove(&table->dirty[at], &table->dirty[end],
		(table->n_dirty - end) * sizeof(*table->dirty));
	table->n_dirty -= end - at;
}

/* sim_hwpt_set_dirty() - IOMMU_HWPT_SET_DIRTY_TRACKING */
int sim_hwpt_set_dirty(struct sim_context *context,
		       const struct sim_caller *caller, void *data)
{
	const struct uapi_hwpt_set_dirty_tracking *cmd = data;
	struct sim_table *table;
	int r;

	if (sim_rule(SIM_RULE_UNKNOWN_FLAG_EOPNOTSUPP) &&
	    cmd->flags & ~(uint32_t)UAPI_HWPT_DIRTY_TRACKING_ENABLE)
		return -EOPNOTSUPP;
	r = sim_object_get(context, cmd->hwpt_id, SIM_OBJECT_TABLE, &table);
	if (r < 0)
		return r;
	if (!table->dirty_tracking)
		return -EOPNOTSUPP;

	/* From now on, and nothing of before. */
	if (cmd->flags)
		sim_dirty_forget(table, 0, UINT64_MAX);
	table->watched = cmd->flags;
	return 0;
}

/**
 * check_range() - Do the numbers fit each other and the space?
 *
 * Return: 0; -EINVAL; -EOVERFLOW.
 */
static int check_range(const struct sim_ioas *ioas,
		       const struct uapi_hwpt_get_dirty_bitmap *cmd)
{
	uint64_t last = cmd->iova + (cmd->length - 1);

	if (!cmd->length)
		return -EINVAL;
	if (last < cmd->iova)
		return -EOVERFLOW;
	if (cmd->iova & (ioas->alignment - 1) ||
	    (last + 1) & (ioas->alignment - 1) || !cmd->page_size ||
	    cmd->iova & (cmd->page_size - 1) ||
	    (last + 1) & (cmd->page_size - 1))
		return -EINVAL;

	return 0;
}

/* set_bits() - Set the bits of a page in the caller. What cannot be written
 * there is not: the kernel says nothing of it either.
 */
static void set_bits(const struct sim_caller *caller,
		     const struct uapi_hwpt_get_dirty_bitmap *cmd,
		     uint64_t page)
{
	unsigned int shift = (unsigned int)__builtin_ctzll(cmd->page_size);
	uint64_t first = (page - cmd->iova) >> shift;
	uint64_t last = (page + SIM_PAGE - 1 - cmd->iova) >> shift;

	for (uint64_t bit = first; bit <= last; bit++) {
		uint64_t to = cmd->data + bit / 8;
		uint8_t byte;

		if (sim_copy_in(caller, &byte, to, 1) < 0)
			return;
		byte |= (uint8_t)(1U << bit % 8);
		(void)sim_copy_out(caller, to, &byte, 1);
	}
}

/* mapped_until() - The last address from @iova on up to which all is mapped, or
 * @last; @iova - 1 for none
 */
static uint64_t mapped_until(const struct sim_ioas *ioas, uint64_t iova,
			     uint64_t last)
{
	uint64_t at = iova;

	for (size_t i = sim_ioas_find(ioas, iova); i < ioas->n_areas; i++) {
		if (ioas->areas[i].iova > at)
			break;
		if (ioas->areas[i].last >= last)
			return last;
		at = ioas->areas[i].last + 1;
	}

	return at - 1;
}

/**
 * sim_hwpt_get_dirty() - IOMMU_HWPT_GET_DIRTY_BITMAP
 *
 * At a hole in what is mapped the kernel ends, and says nothing of it.
 */
int sim_hwpt_get_dirty(struct sim_context *context,
		       const struct sim_caller *caller, void *data)
{
	const uint32_t keep = UAPI_HWPT_GET_DIRTY_BITMAP_NO_CLEAR;
	const struct uapi_hwpt_get_dirty_bitmap *cmd = data;
	struct sim_table *table;
	uint64_t last, until;
	int r;

	if (sim_rule(SIM_RULE_UNKNOWN_FLAG_EOPNOTSUPP) &&
	    (cmd->flags & ~keep || cmd->reserved))
		return -EOPNOTSUPP;
	r = sim_object_get(context, cmd->hwpt_id, SIM_OBJECT_TABLE, &table);
	if (r >= 0)
		r = check_range(&table->space->ioas, cmd);
	if (r < 0)
		return r;
	if (!table->dirty_tracking)
		return -EOPNOTSUPP;

	last = cmd->iova + (cmd->length - 1);
	until = mapped_until(&table->space->ioas, cmd->iova, last);
	if (until + 1 != cmd->iova) {
		for (size_t i = place_of(table, cmd->iova);
		     i < table->n_dirty && table->dirty[i] <= until; i++)
			set_bits(caller, cmd, table->dirty[i]);
		if (!(cmd->flags & keep))
			sim_dirty_forget(table, cmd->iova, until);
	}

	return 0;
}
