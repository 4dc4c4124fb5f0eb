/* SPDX-License-Identifier: Apache-2.0
 *
 * attach.c - devices on page tables
 *
 * The devices of a group are on the same page table: the first one puts the
 * group on it, each other one that is attached has to agree and adds what it
 * reserves.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/str.h"
#include "kernel/sim/object.h"
#include "kernel/sim/rule.h"

/* --- devices --- */

/* sim_context_add_device() - A device is bound */
int sim_context_add_device(struct sim_context *context,
			   struct sim_device *device, uint32_t *ret_id)
{
	struct sim_bound *bound = calloc(1, sizeof(*bound));
	int r;

	if (!bound)
		return -ENOMEM;

	bound->object.kind = SIM_OBJECT_DEVICE;
	bound->device = device;
	r = sim_object_add(context, &bound->object);
	if (r < 0) {
		free(bound);
		return r;
	}

	*ret_id = bound->object.id;
	return 0;
}

/* sim_context_remove_device() - It is closed */
void sim_context_remove_device(struct sim_context *context, uint32_t id)
{
	struct sim_bound *bound;

	if (sim_object_get(context, id, SIM_OBJECT_DEVICE, &bound) < 0)
		return;

	while (bound->n)
		sim_context_detach(context, id, bound->attachments[0].pasid);
	if (bound->vdevice)
		sim_vdevice_lost(bound->vdevice);
	sim_object_end(context, &bound->object);
}

/* next_of_group() - The devices of a group that are bound here, in turn. Each
 * device without a group is one of its own.
 */
static struct sim_bound *next_of_group(const struct sim_context *context,
				       const struct sim_bound *bound,
				       size_t *at)
{
	while (*at < context->n_objects) {
		struct sim_bound *other =
			(struct sim_bound *)context->objects[(*at)++];

		if (other->object.kind == SIM_OBJECT_DEVICE &&
		    (other == bound || (bound->device->group &&
		     other->device->group == bound->device->group)))
			return other;
	}

	return NULL;
}

/* sim_attachment_find() - What a part of a device is attached to */
struct sim_attachment *sim_attachment_find(const struct sim_bound *bound,
					   uint32_t pasid)
{
	for (size_t i = 0; i < bound->n; i++)
		if (bound->attachments[i].pasid == pasid)
			return &bound->attachments[i];

	return NULL;
}

/* table_of_group() - What the group is on; NULL for nothing */
static struct sim_table *table_of_group(const struct sim_context *context,
					const struct sim_bound *bound,
					uint32_t pasid)
{
	struct sim_bound *other;
	size_t at = 0;

	while ((other = next_of_group(context, bound, &at))) {
		struct sim_attachment *attachment =
			sim_attachment_find(other, pasid);

		if (attachment)
			return attachment->table;
	}

	return NULL;
}

/* --- what an attachment needs --- */

/**
 * reserve() - A device reserves its regions in a space
 *
 * Return: 0; as sim_ioas_reserve(): then it reserves nothing there.
 */
static int reserve(struct sim_space *space, const struct sim_bound *bound)
{
	const struct sim_group *group = bound->device->group;
	int r = 0;

	if (!group || !sim_rule(SIM_RULE_RANGES_RESERVED))
		return 0;

	for (size_t i = 0; i < group->facts.n_reserved && r >= 0; i++) {
		const struct kernel_reserved *region =
			&group->facts.reserved[i];

		if (str_eq(region->type, "direct-relaxable") &&
		    sim_rule(SIM_RULE_RANGES_RELAXABLE))
			continue;
		r = sim_ioas_reserve(&space->ioas, region->start, region->last,
				     bound);
	}

	if (r < 0)
		sim_ioas_unreserve(&space->ioas, bound);
	return r;
}

/* unreserve() - It does not any more */
static void unreserve(struct sim_space *space, const struct sim_bound *bound)
{
	if (sim_rule(SIM_RULE_RANGES_WIDEN))
		sim_ioas_unreserve(&space->ioas, bound);
}

/**
 * has_pasids() - Is a PASID of a group attached?
 */
static bool has_pasids(const struct sim_context *context,
		       const struct sim_bound *bound)
{
	struct sim_bound *other;
	size_t at = 0;

	while ((other = next_of_group(context, bound, &at)))
		for (size_t i = 0; i < other->n; i++)
			if (other->attachments[i].pasid != SIM_NO_PASID)
				return true;

	return false;
}

/**
 * check_pasid() - May a PASID be there, or be beside it?
 *
 * Return: 0 or -EINVAL.
 */
static int check_pasid(const struct sim_context *context,
		       const struct sim_bound *bound, uint32_t pasid,
		       const struct sim_table *table)
{
	const struct sim_table *beside;
	uint8_t bits;

	if (!sim_rule(SIM_RULE_ATTACH_PASID_EINVAL))
		return 0;
	if (pasid == SIM_NO_PASID)
		return !table->pasid && has_pasids(context, bound) ? -EINVAL :
								     0;

	beside = table_of_group(context, bound, SIM_NO_PASID);
	if (!table->pasid || (beside && !beside->pasid))
		return -EINVAL;

	/* One without PASIDs can have them all, and will use none. */
	bits = table->iommu ? table->iommu->hw.max_pasid_log2 : 0;
	return !pasid || (bits && pasid >> bits) ? -EINVAL : 0;
}

/**
 * suits() - Can a device use a page table that was made for another?
 *
 * SMMUv3's are of one unit; those of the others suit units that are alike.
 */
static bool suits(const struct sim_table *table, const struct sim_bound *bound)
{
	const struct sim_iommu *a = table->iommu, *b;

	b = bound->device->group ? bound->device->group->iommu : NULL;
	if (a == b)
		return true;
	if (!a || !b || str_eq(a->facts.family, "smmuv3"))
		return false;

	return str_eq(a->facts.family, b->facts.family) &&
	       a->aperture.start == b->aperture.start &&
	       a->aperture.last == b->aperture.last &&
	       a->alignment == b->alignment &&
	       a->dirty_tracking == b->dirty_tracking &&
	       a->nest_parent == b->nest_parent;
}

/**
 * check_table() - Can a device, or a PASID of it, be on a page table?
 *
 * VT-d's driver wants a device that asks for pages (PCI's PRI) if faults go to a
 * queue, and no simulated one does. That of SMMUv3 wants a guest's number for a
 * device on a guest's page table that translates, and no PASIDs beside it.
 *
 * Return: 0; -EINVAL; -ENODEV; -ENOENT; -EBUSY; -EOPNOTSUPP.
 */
static int check_table(const struct sim_context *context,
		       const struct sim_bound *bound, uint32_t pasid,
		       const struct sim_table *table)
{
	int r = check_pasid(context, bound, pasid, table);

	if (r < 0)
		return r;
	if (!suits(table, bound))
		return -EINVAL;
	if (table->faults && str_eq(table->iommu->facts.family, "vt-d"))
		return -ENODEV;
	if (!table->viommu)
		return 0;
	if (pasid != SIM_NO_PASID)
		return -EOPNOTSUPP;
	if (has_pasids(context, bound))
		return -EBUSY;
	if (table->needs_vdevice &&
	    (!bound->vdevice || bound->vdevice->viommu != table->viommu))
		return -ENOENT;

	return 0;
}

/* --- attach, move, detach --- */

/* put_table() - An attachment to it has gone */
static void put_table(struct sim_context *context, struct sim_table *table)
{
	table->object.users--;
	if (table->automatic && !table->object.users &&
	    sim_rule(SIM_RULE_TABLE_AUTO_ENDS))
		sim_object_end(context, &table->object);
}

/* attach() - Attach what is not attached yet */
static int attach(struct sim_context *context, struct sim_bound *bound,
		  uint32_t pasid, struct sim_table *table)
{
	struct sim_table *group = table_of_group(context, bound, pasid);
	struct sim_attachment *more;
	int r = 0;

	if (group && group != table && sim_rule(SIM_RULE_ATTACH_SIBLING_EINVAL))
		return -EINVAL;

	more = reallocarray(bound->attachments, bound->n + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	bound->attachments = more;

	if (pasid == SIM_NO_PASID)
		r = reserve(table->space, bound);
	if (r < 0)
		return r;

	if (!group)
		r = check_table(context, bound, pasid, table);
	if (r < 0) {
		if (pasid == SIM_NO_PASID)
			sim_ioas_unreserve(&table->space->ioas, bound);
		return r;
	}

	more[bound->n++] = (struct sim_attachment){ pasid, table };
	table->object.users++;
	return 0;
}

/* unreserve_group() - All devices of a group that are attached */
static void unreserve_group(struct sim_context *context,
			    struct sim_space *space, struct sim_bound *bound)
{
	struct sim_bound *other;
	size_t at = 0;

	while ((other = next_of_group(context, bound, &at)))
		unreserve(space, other);
}

/* reserve_group() - Likewise. Return: 0; as reserve(): then none does. */
static int reserve_group(struct sim_context *context, struct sim_space *space,
			 struct sim_bound *bound)
{
	struct sim_bound *other;
	size_t at = 0;
	int r;

	while ((other = next_of_group(context, bound, &at))) {
		if (!sim_attachment_find(other, SIM_NO_PASID))
			continue;
		r = reserve(space, other);
		if (r < 0) {
			unreserve_group(context, space, bound);
			return r;
		}
	}

	return 0;
}

/* move_group() - The devices of a group that are on one page table go to
 * another
 */
static void move_group(struct sim_context *context, struct sim_bound *bound,
		       uint32_t pasid, struct sim_table *to)
{
	struct sim_bound *other;
	size_t at = 0;

	while ((other = next_of_group(context, bound, &at))) {
		struct sim_attachment *attachment =
			sim_attachment_find(other, pasid);
		struct sim_table *from = attachment ? attachment->table : NULL;

		if (!from || (other != bound &&
			      !sim_rule(SIM_RULE_ATTACH_MOVES_GROUP)))
			continue;
		attachment->table = to;
		to->object.users++;
		put_table(context, from);
		/* That may have taken one out before us. */
		at = 0;
		while (next_of_group(context, bound, &at) != other)
			;
	}
}

/* move() - Attach elsewhere what is attached to @old, with its group */
static int move(struct sim_context *context, struct sim_bound *bound,
		uint32_t pasid, const struct sim_table *old,
		struct sim_table *table)
{
	bool elsewhere = pasid == SIM_NO_PASID && old->space != table->space;
	struct sim_space *left = old->space;
	int r = 0;

	if (table == old)
		return 0;

	if (elsewhere)
		r = reserve_group(context, table->space, bound);
	if (r < 0)
		return r;

	r = check_table(context, bound, pasid, table);
	if (r < 0) {
		if (elsewhere)
			unreserve_group(context, table->space, bound);
		return r;
	}

	if (elsewhere)
		unreserve_group(context, left, bound);
	move_group(context, bound, pasid, table);
	return 0;
}

/* attach_or_move() - As it is attached or not */
static int attach_or_move(struct sim_context *context, struct sim_bound *bound,
			  uint32_t pasid, struct sim_table *table)
{
	const struct sim_attachment *now = sim_attachment_find(bound, pasid);

	return now ? move(context, bound, pasid, now->table, table) :
		     attach(context, bound, pasid, table);
}

/* take_off() - Remove an attachment of a device */
static void take_off(struct sim_context *context, struct sim_bound *bound,
		     struct sim_attachment *attachment)
{
	struct sim_table *table = attachment->table;

	if (attachment->pasid == SIM_NO_PASID)
		unreserve(table->space, bound);

	*attachment = bound->attachments[--bound->n];
	put_table(context, table);
}

/**
 * attach_to_new() - Attach to a space by a page table that is made for it
 *
 * One that was not attached is attached before the page table has the space's
 * mappings, one that is moved afterwards: so says which error comes first.
 */
static int attach_to_new(struct sim_context *context, struct sim_bound *bound,
			 uint32_t pasid, struct sim_space *space,
			 uint32_t *ret_pt_id)
{
	const struct sim_attachment *now = sim_attachment_find(bound, pasid);
	struct sim_table *table;
	int r;

	r = sim_table_new(context, space, bound, &table);
	if (r < 0)
		return r;

	if (!now) {
		r = attach(context, bound, pasid, table);
		if (r >= 0) {
			r = sim_table_install(table);
			if (r < 0)
				take_off(context, bound,
					 sim_attachment_find(bound, pasid));
		}
	} else {
		r = sim_table_install(table);
		if (r >= 0)
			r = move(context, bound, pasid, now->table, table);
	}
	if (r < 0) {
		sim_object_end(context, &table->object);
		return r;
	}

	table->automatic = true;
	*ret_pt_id = table->object.id;
	return 0;
}

/* attach_to_space() - By a page table that an attach has made, or a new one */
static int attach_to_space(struct sim_context *context, struct sim_bound *bound,
			   uint32_t pasid, struct sim_space *space,
			   uint32_t *ret_pt_id)
{
	for (size_t i = 0; i < context->n_objects; i++) {
		struct sim_table *table =
			(struct sim_table *)context->objects[i];
		uint32_t id = table->object.id;
		int r;

		if (table->object.kind != SIM_OBJECT_TABLE ||
		    !table->automatic || table->space != space ||
		    !sim_rule(SIM_RULE_TABLE_AUTO_SHARED))
			continue;

		/* It does not suit: perhaps the next one does. */
		r = attach_or_move(context, bound, pasid, table);
		if (r == -EINVAL)
			continue;
		if (r >= 0)
			*ret_pt_id = id;
		return r;
	}

	return attach_to_new(context, bound, pasid, space, ret_pt_id);
}

/* sim_context_attach() - VFIO_DEVICE_ATTACH_IOMMUFD_PT */
int sim_context_attach(struct sim_context *context, uint32_t id, uint32_t pasid,
		       uint32_t pt_id, uint32_t *ret_pt_id)
{
	struct sim_object *on = sim_object_find(context, pt_id);
	struct sim_bound *bound;
	int r;

	r = sim_object_get(context, id, SIM_OBJECT_DEVICE, &bound);
	if (r < 0)
		return r;
	if (!on)
		return sim_rule(SIM_RULE_NO_OBJECT_ENOENT) ? -ENOENT : -EINVAL;

	switch (on->kind) {
	case SIM_OBJECT_SPACE:
		r = attach_to_space(context, bound, pasid,
				    (struct sim_space *)on, ret_pt_id);
		break;
	case SIM_OBJECT_TABLE:
	case SIM_OBJECT_NESTED:
		r = attach_or_move(context, bound, pasid,
				   (struct sim_table *)on);
		if (r >= 0)
			*ret_pt_id = pt_id;
		break;
	case SIM_OBJECT_DEVICE:
	case SIM_OBJECT_FAULTS:
	case SIM_OBJECT_VIOMMU:
	case SIM_OBJECT_VDEVICE:
	case SIM_OBJECT_GONE:
		r = -EINVAL;
		break;
	}

	if (r < 0 && !sim_rule(SIM_RULE_ATTACH_FAILED_STAYS))
		sim_context_detach(context, id, pasid);
	return r;
}

/* sim_context_detach() - VFIO_DEVICE_DETACH_IOMMUFD_PT */
void sim_context_detach(struct sim_context *context, uint32_t id,
			uint32_t pasid)
{
	struct sim_attachment *attachment;
	struct sim_bound *bound;

	if (sim_object_get(context, id, SIM_OBJECT_DEVICE, &bound) < 0)
		return;

	attachment = sim_attachment_find(bound, pasid);
	if (attachment)
		take_off(context, bound, attachment);
}
