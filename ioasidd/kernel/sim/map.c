/* SPDX-License-Identifier: Apache-2.0
 *
 * map.c - calls that map memory
 *
 * Checks come in the kernel's order, so that a call with two faults is refused
 * for the same one.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/uapi.h"
#include "kernel/sim/memory.h"
#include "kernel/sim/object.h"
#include "kernel/sim/rule.h"

#define MAP_FLAGS (UAPI_IOAS_MAP_FIXED_IOVA | UAPI_IOAS_MAP_WRITEABLE | \
		   UAPI_IOAS_MAP_READABLE)

/* --- what is to be mapped --- */

/**
 * struct parts - What is to be mapped, in one piece of addresses
 * @areas:	@n of them, without addresses; each has a reference to its memory
 * @length:	Of all together
 */
struct parts {
	struct sim_area *areas;
	size_t n;
	uint64_t length;
};

/* parts_deinit() - Give back what was not mapped */
static void parts_deinit(struct parts *parts)
{
	for (size_t i = 0; i < parts->n; i++)
		parts->areas[i].memory =
			sim_memory_unref(parts->areas[i].memory);

	free(parts->areas);
	parts->areas = NULL;
	parts->n = 0;
}

/* parts_add() - Add a piece of memory. Return: 0 or -ENOMEM. */
static int parts_add(struct parts *parts, struct sim_memory *memory,
		     uint64_t offset, uint64_t length)
{
	struct sim_area *more;

	more = reallocarray(parts->areas, parts->n + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;

	parts->areas = more;
	more[parts->n++] = (struct sim_area){
		.last = length - 1,
		.memory = sim_memory_ref(memory),
		.offset = offset,
	};
	parts->length += length;
	return 0;
}

/**
 * insert_parts() - Put them in, one after the other
 * @ret_n:	How many are in, on failure too
 */
static int insert_parts(struct sim_ioas *ioas, const struct parts *parts,
			uint64_t iova, uint32_t flags, size_t *ret_n)
{
	for (*ret_n = 0; *ret_n < parts->n; (*ret_n)++) {
		struct sim_area area = parts->areas[*ret_n];
		int r;

		area.readable = flags & UAPI_IOAS_MAP_READABLE;
		area.writeable = flags & UAPI_IOAS_MAP_WRITEABLE;
		if (area.writeable && !area.memory->writeable &&
		    sim_rule(SIM_RULE_COPY_WRITE_EPERM))
			return -EPERM;

		area.iova = iova;
		area.last += iova;
		r = sim_ioas_insert(ioas, &area);
		if (r < 0)
			return r;
		iova = area.last + 1;
	}

	return 0;
}

/* pin_parts() - Pin what was put in, or look whether it could be */
static int pin_parts(struct sim_space *space, size_t at, size_t n)
{
	int r;

	if (!space->ioas.n_tables && sim_rule(SIM_RULE_PIN_LAZY))
		return 0;

	r = sim_space_pin(space, at, n);
	/* The mistake: only looked. */
	if (r >= 0 && !space->ioas.n_tables)
		sim_space_unpin(space, at, n);

	return r;
}

/**
 * map_parts() - Map memory
 * @flags:	UAPI_IOAS_MAP_*
 * @iova:	Where; without FIXED where it came to be
 *
 * The space has references of its own afterwards.
 */
static int map_parts(struct sim_space *space, const struct parts *parts,
		     uint32_t flags, uint64_t *iova)
{
	struct sim_ioas *ioas = &space->ioas;
	const struct sim_area *first = parts->areas;
	size_t n, at;
	int r;

	if (sim_rule(SIM_RULE_MAP_UNALIGNED_EINVAL) &&
	    parts->length & (ioas->alignment - 1))
		return -EINVAL;

	if (flags & UAPI_IOAS_MAP_FIXED_IOVA)
		r = sim_ioas_check(ioas, *iova, parts->length);
	else
		r = sim_ioas_place(ioas, first->memory->address + first->offset,
				   parts->length, iova);
	if (r < 0)
		return r;

	at = sim_ioas_find(ioas, *iova);
	r = insert_parts(ioas, parts, *iova, flags, &n);
	if (r >= 0)
		r = pin_parts(space, at, n);
	if (r < 0) {
		sim_ioas_remove(ioas, at, n);
		return r;
	}

	for (size_t i = 0; i < n; i++)
		(void)sim_memory_ref(ioas->areas[at + i].memory);
	return 0;
}

/* --- IOMMU_IOAS_MAP, IOMMU_IOAS_MAP_FILE --- */

/**
 * check_map() - What all three mapping calls check first
 * @reserved:	Their reserved field
 * @last:	The highest of their addresses and their length
 */
static int check_map(uint32_t flags, uint32_t reserved, uint64_t last)
{
	if (sim_rule(SIM_RULE_UNKNOWN_FLAG_EOPNOTSUPP) && flags & ~MAP_FLAGS)
		return -EOPNOTSUPP;
	if (sim_rule(SIM_RULE_RESERVED_FIELD_EOPNOTSUPP) && reserved)
		return -EOPNOTSUPP;
	if (last == UINT64_MAX)
		return -EOVERFLOW;
	if (sim_rule(SIM_RULE_MAP_NO_ACCESS_EINVAL) &&
	    !(flags & (UAPI_IOAS_MAP_WRITEABLE | UAPI_IOAS_MAP_READABLE)))
		return -EINVAL;

	return 0;
}

/* higher() - The higher one */
static uint64_t higher(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* map_memory() - Map what was made for one call, and let go of it */
static int map_memory(struct sim_space *space, struct sim_memory *memory,
		      uint64_t address, uint64_t length, uint32_t flags,
		      uint64_t *iova)
{
	struct parts parts = { NULL, 0, 0 };
	int r;

	r = parts_add(&parts, memory, address - memory->address, length);
	if (r >= 0)
		r = map_parts(space, &parts, flags, iova);

	parts_deinit(&parts);
	(void)sim_memory_unref(memory); /* the space has its own */
	return r;
}

/* empty_map() - What a mapping of length 0 is answered with */
static int empty_map(void)
{
	return sim_rule(SIM_RULE_MAP_EMPTY_EINVAL) ? -EINVAL : 0;
}

/* sim_ioas_map() - IOMMU_IOAS_MAP */
int sim_ioas_map(struct sim_context *context, const struct sim_caller *caller,
		 void *data)
{
	struct uapi_ioas_map *cmd = data;
	struct sim_memory *memory;
	struct sim_space *space;
	uint64_t iova = cmd->iova;
	int r;

	r = check_map(cmd->flags, cmd->reserved, higher(iova, cmd->length));
	if (r < 0)
		return r;
	r = sim_object_get(context, cmd->ioas_id, SIM_OBJECT_SPACE, &space);
	if (r < 0)
		return r;
	if (cmd->user_va + cmd->length < cmd->user_va)
		return -EOVERFLOW;
	if (!cmd->length)
		return empty_map();
	if (cmd->length > UINT64_MAX - SIM_PAGE)
		return -EINVAL;

	r = sim_memory_of_process(context->sim, caller, cmd->user_va,
				  cmd->flags & UAPI_IOAS_MAP_WRITEABLE,
				  context->per_process, &memory);
	if (r < 0)
		return r;

	r = map_memory(space, memory, cmd->user_va, cmd->length, cmd->flags,
		       &iova);
	if (r >= 0)
		cmd->iova = iova;
	return r;
}

/* sim_ioas_map_file() - IOMMU_IOAS_MAP_FILE */
int sim_ioas_map_file(struct sim_context *context,
		      const struct sim_caller *caller, void *data)
{
	struct uapi_ioas_map_file *cmd = data;
	struct sim_memory *memory;
	struct sim_space *space;
	uint64_t iova = cmd->iova;
	int r;

	r = check_map(cmd->flags, 0, higher(iova, cmd->length));
	if (r < 0)
		return r;
	r = sim_object_get(context, cmd->ioas_id, SIM_OBJECT_SPACE, &space);
	if (r < 0)
		return r;
	if (!cmd->length)
		return empty_map();
	if (cmd->start + (cmd->length - 1) < cmd->start)
		return -EOVERFLOW;

	r = sim_memory_of_file(context->sim, caller, cmd->fd, cmd->start,
			       cmd->flags & UAPI_IOAS_MAP_WRITEABLE,
			       context->per_process, &memory);
	if (r < 0)
		return r;

	r = map_memory(space, memory, cmd->start, cmd->length, cmd->flags,
		       &iova);
	if (r >= 0)
		cmd->iova = iova;
	return r;
}

/* --- IOMMU_IOAS_COPY --- */

/* add_copy() - Add a piece of a mapping to what is copied */
static int add_copy(struct parts *parts, const struct sim_area *area,
		    uint64_t start, uint64_t last)
{
	uint64_t offset = area->offset + (start - area->iova);
	struct sim_memory *memory;
	int r;

	if (sim_rule(SIM_RULE_COPY_SHARES))
		return parts_add(parts, area->memory, offset, last - start + 1);

	r = sim_memory_copy(area->memory, &memory);
	if (r < 0)
		return r;
	r = parts_add(parts, memory, offset, last - start + 1);
	(void)sim_memory_unref(memory); /* the part has its own */
	return r;
}

/**
 * parts_of() - What a space maps in a range, without a hole
 *
 * Return: 0; -ENOENT: there is a hole; -ENOMEM.
 */
static int parts_of(const struct sim_ioas *ioas, uint64_t start, uint64_t last,
		    struct parts *parts)
{
	for (size_t i = sim_ioas_find(ioas, start);; i++) {
		const struct sim_area *area = &ioas->areas[i];
		uint64_t end;
		int r;

		if (i == ioas->n_areas || area->iova > start)
			break;

		end = area->last < last ? area->last : last;
		r = add_copy(parts, area, start, end);
		if (r < 0)
			return r;
		if (end == last)
			return 0;
		start = end + 1;
	}

	/* The mistake: what there is is copied, up to the hole. */
	return parts->n && !sim_rule(SIM_RULE_COPY_HOLE_ENOENT) ? 0 : -ENOENT;
}

/* copy_between() - Copy what is mapped in one space to another */
static int copy_between(struct sim_context *context, struct uapi_ioas_copy *cmd,
			struct parts *parts)
{
	struct sim_space *from, *to;
	uint64_t iova = cmd->dst_iova;
	int r;

	r = sim_object_get(context, cmd->src_ioas_id, SIM_OBJECT_SPACE, &from);
	if (r < 0)
		return r;
	if (!cmd->length)
		return empty_map();
	if (cmd->src_iova + (cmd->length - 1) < cmd->src_iova)
		return -EOVERFLOW;

	r = parts_of(&from->ioas, cmd->src_iova,
		     cmd->src_iova + (cmd->length - 1), parts);
	if (r < 0)
		return r;
	r = sim_object_get(context, cmd->dst_ioas_id, SIM_OBJECT_SPACE, &to);
	if (r < 0)
		return r;

	r = map_parts(to, parts, cmd->flags, &iova);
	if (r >= 0)
		cmd->dst_iova = iova;
	return r;
}

/* sim_ioas_copy() - IOMMU_IOAS_COPY */
int sim_ioas_copy(struct sim_context *context, const struct sim_caller *caller,
		  void *data)
{
	struct parts parts = { NULL, 0, 0 };
	struct uapi_ioas_copy *cmd = data;
	int r;

	r = check_map(cmd->flags, 0,
		      higher(cmd->length,
			     higher(cmd->src_iova, cmd->dst_iova)));
	if (r < 0)
		return r;

	r = copy_between(context, cmd, &parts);
	parts_deinit(&parts);
	return r;
}
