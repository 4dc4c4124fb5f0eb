/* SPDX-License-Identifier: Apache-2.0
 *
 * space.c - address spaces: ranges, windows, unmap; what of them is pinned
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/str.h"
#include "base/uapi.h"
#include "kernel/sim/memory.h"
#include "kernel/sim/object.h"
#include "kernel/sim/rule.h"

/* --- pages of a space --- */

/* pin_area() - Pin what one area maps */
static int pin_area(const struct sim_area *area)
{
	return sim_memory_pin(area->memory, area->offset,
			      area->last - area->iova + 1);
}

/* unpin_area() - Undo it */
static void unpin_area(const struct sim_area *area)
{
	sim_memory_unpin(area->memory, area->offset,
			 area->last - area->iova + 1);
}

/* sim_space_pin() - Pin what some areas map */
int sim_space_pin(struct sim_space *space, size_t at, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int r = pin_area(&space->ioas.areas[at + i]);

		if (r < 0) {
			sim_space_unpin(space, at, i);
			return r;
		}
	}

	return 0;
}

/* sim_space_unpin() - Undo it */
void sim_space_unpin(struct sim_space *space, size_t at, size_t n)
{
	for (size_t i = 0; i < n; i++)
		unpin_area(&space->ioas.areas[at + i]);
}

/* sim_space_unmap() - End mappings */
void sim_space_unmap(struct sim_space *space, size_t at, size_t n)
{
	struct sim_ioas *ioas = &space->ioas;

	if (ioas->n_tables)
		sim_space_unpin(space, at, n);
	/* With what is mapped goes that it was written. */
	for (size_t i = 0; n && i < ioas->n_tables; i++)
		sim_dirty_forget((struct sim_table *)ioas->tables[i].owner,
				 ioas->areas[at].iova,
				 ioas->areas[at + n - 1].last);
	for (size_t i = at; i < at + n; i++)
		ioas->areas[i].memory =
			sim_memory_unref(ioas->areas[i].memory);

	sim_ioas_remove(ioas, at, n);
}

/* --- spaces, ranges, windows --- */

/* sim_ioas_alloc() - IOMMU_IOAS_ALLOC */
int sim_ioas_alloc(struct sim_context *context, const struct sim_caller *caller,
		   void *data)
{
	struct uapi_ioas_alloc *cmd = data;
	struct sim_space *space;
	int r;

	if (sim_rule(SIM_RULE_UNKNOWN_FLAG_EOPNOTSUPP) && cmd->flags)
		return -EOPNOTSUPP;

	space = calloc(1, sizeof(*space));
	if (!space)
		return -ENOMEM;

	space->object.kind = SIM_OBJECT_SPACE;
	sim_ioas_init(&space->ioas);
	r = sim_object_add(context, &space->object);
	if (r < 0) {
		free(space);
		return r;
	}

	cmd->out_ioas_id = space->object.id;
	return 0;
}

/* sim_ioas_iova_ranges() - IOMMU_IOAS_IOVA_RANGES */
int sim_ioas_iova_ranges(struct sim_context *context,
			 const struct sim_caller *caller, void *data)
{
	_cleanup_free_ struct kernel_range *ranges = NULL;
	struct uapi_ioas_iova_ranges *cmd = data;
	uint32_t room = cmd->num_iovas;
	struct sim_space *space;
	size_t n, some;
	int r;

	if (sim_rule(SIM_RULE_RESERVED_FIELD_EOPNOTSUPP) && cmd->reserved)
		return -EOPNOTSUPP;
	r = sim_object_get(context, cmd->ioas_id, SIM_OBJECT_SPACE, &space);
	if (r < 0)
		return r;
	r = sim_ioas_ranges(&space->ioas, &ranges, &n);
	if (r < 0)
		return r;

	static_assert(sizeof(*ranges) == sizeof(struct uapi_iova_range),
		      "a range is a range");
	some = n < room ? n : room;
	r = sim_copy_out(caller, cmd->allowed_iovas, ranges,
			 some * sizeof(*ranges));
	if (r < 0)
		return r;

	cmd->out_iova_alignment = space->ioas.alignment;
	cmd->num_iovas = (uint32_t)(sim_rule(SIM_RULE_RANGES_TOTAL) ? n : some);
	return n > room && sim_rule(SIM_RULE_RANGES_EMSGSIZE) ? -EMSGSIZE : 0;
}

/* read_windows() - Read the caller's windows, refusing the first bad one */
static int read_windows(const struct sim_caller *caller, uint64_t from,
			uint32_t n, struct sim_windows *windows)
{
	struct kernel_range range;

	for (uint32_t i = 0; i < n; i++) {
		int r = sim_copy_in(caller, &range, from + i * sizeof(range),
				    sizeof(range));

		if (r >= 0)
			r = sim_windows_add(windows, &range);
		if (r < 0)
			return r;
	}

	return 0;
}

/* sim_ioas_allow_iovas() - IOMMU_IOAS_ALLOW_IOVAS */
int sim_ioas_allow_iovas(struct sim_context *context,
			 const struct sim_caller *caller, void *data)
{
	const struct uapi_ioas_allow_iovas *cmd = data;
	struct sim_windows windows = SIM_WINDOWS_NULL;
	struct sim_space *space;
	int r;

	if (sim_rule(SIM_RULE_RESERVED_FIELD_EOPNOTSUPP) && cmd->reserved)
		return -EOPNOTSUPP;
	r = sim_object_get(context, cmd->ioas_id, SIM_OBJECT_SPACE, &space);
	if (r < 0)
		return r;

	r = read_windows(caller, cmd->allowed_iovas, cmd->num_iovas, &windows);
	if (r >= 0)
		r = sim_ioas_allow(&space->ioas, &windows);

	sim_windows_deinit(&windows);
	return r;
}

/* --- unmap --- */

/**
 * unmap_range() - End the mappings of a range
 * @ret:	Bytes that were mapped, on failure too
 *
 * Return: 0; -ENOENT: one is only partly in it; those before it are gone.
 */
static int unmap_range(struct sim_space *space, uint64_t start, uint64_t last,
		       uint64_t *ret)
{
	struct sim_ioas *ioas = &space->ioas;
	size_t at = sim_ioas_find(ioas, start), n = 0;
	int r = 0;

	for (*ret = 0; at + n < ioas->n_areas; n++) {
		const struct sim_area *area = &ioas->areas[at + n];

		if (area->iova > last)
			break;
		if (sim_rule(SIM_RULE_UNMAP_WHOLE) &&
		    (area->iova < start || area->last > last)) {
			r = -ENOENT;
			break;
		}
		*ret += area->last - area->iova + 1;
	}

	sim_space_unmap(space, at, n);
	return r;
}

/* unmap_some() - All that is not everything */
static int unmap_some(struct sim_space *space, uint64_t iova, uint64_t length,
		      uint64_t *ret)
{
	int r;

	if (iova == UINT64_MAX || length == UINT64_MAX)
		return -EOVERFLOW;
	if (!length)
		return -EINVAL;
	if (iova + (length - 1) < iova)
		return -EOVERFLOW;

	r = unmap_range(space, iova, iova + (length - 1), ret);
	if (r >= 0 && !*ret && sim_rule(SIM_RULE_UNMAP_NOTHING_ENOENT))
		return -ENOENT;

	return r;
}

/* sim_ioas_unmap() - IOMMU_IOAS_UNMAP */
int sim_ioas_unmap(struct sim_context *context, const struct sim_caller *caller,
		   void *data)
{
	struct uapi_ioas_unmap *cmd = data;
	struct sim_space *space;
	uint64_t unmapped;
	int r;

	r = sim_object_get(context, cmd->ioas_id, SIM_OBJECT_SPACE, &space);
	if (r < 0)
		return r;

	if (!cmd->iova && cmd->length == UINT64_MAX &&
	    sim_rule(SIM_RULE_UNMAP_ALL))
		r = unmap_range(space, 0, UINT64_MAX, &unmapped);
	else
		r = unmap_some(space, cmd->iova, cmd->length, &unmapped);
	if (r < 0)
		return r;
	if (!unmapped && !sim_rule(SIM_RULE_UNMAP_ALL_EMPTY))
		return -ENOENT;

	if (sim_rule(SIM_RULE_UNMAP_LENGTH))
		cmd->length = unmapped;
	return 0;
}
