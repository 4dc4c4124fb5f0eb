/* SPDX-License-Identifier: Apache-2.0
 *
 * revision.c - an object of the registry is another one now: its revision, and
 * its entry into the log of changes
 */
#include "model/registry-private.h"

/* How far the durable ceiling runs ahead of the revisions given. Hot-plug
 * events use revisions up without a commit; none can bring a million of them
 * between two commits.
 */
#define CEILING_AHEAD (UINT64_C(1) << 21)

/**
 * audience_of() - To whom an object is leased
 * @reg:	The registry
 * @collection:	What it is of
 * @object:	The object
 */
static struct audience audience_of(struct registry *reg,
				   enum change_collection collection,
				   const void *object)
{
	struct audience ret = { .leased = false };
	const struct lease *lease = NULL;

	if (collection == CHANGE_LEASES)
		lease = object;
	if (collection == CHANGE_DEVICES) {
		lease = registry_lease(reg,
				       ((const struct device *)object)->lease);
		if (lease && lease->state == LEASE_ENDED)
			lease = NULL;
	}
	if (lease) {
		ret.leased = true;
		ret.uid = lease->claimant_uid;
		ret.pid = lease->claimant_pid;
	}
	return ret;
}

/**
 * find_object() - An object that was changed, as it is now
 * @reg:	The registry
 * @touched:	Which
 *
 * Return: the object; NULL if the registry does not have it any more.
 */
static void *find_object(struct registry *reg, const struct touched *touched)
{
	size_t i;

	switch (touched->collection) {
	case CHANGE_DEVICES:
		return registry_device(reg, touched->name);
	case CHANGE_GROUPS:
		return registry_group(reg, touched->name);
	case CHANGE_LEASES:
		return registry_lease(reg, touched->name);
	case CHANGE_OPERATIONS:
		return registry_operation(reg, touched->name);
	case CHANGE_IOMMUS:
		for (i = 0; i < reg->n_iommus; i++)
			if (str_eq(reg->iommus[i].name, touched->name))
				return &reg->iommus[i];
		break;
	case CHANGE_COLLECTION_COUNT:
		break;
	}
	return NULL;
}

/**
 * enter() - Enter one change into the log
 * @reg:	The registry, locked
 * @touched:	Which
 */
static void enter(struct registry *reg, const struct touched *touched)
{
	struct registry_observer *observer = reg->observer;
	void *object = find_object(reg, touched);
	struct logged *entry;

	if (object)
		entry = observer->write(observer->data, reg, touched, object);
	else
		entry = logged_new(touched, 0);
	if (entry) {
		entry->removed = !object;
		entry->audience = entry->before;
	}
	if (entry && object)
		entry->audience = audience_of(reg, touched->collection,
					      object);
	if (object && touched->collection == CHANGE_DEVICES)
		((struct device *)object)->audience =
			audience_of(reg, touched->collection, object);
	changes_add_consume(&reg->changes, entry, touched->revision);
}

/**
 * registry_enter_all() - See registry-private.h
 */
void registry_enter_all(struct registry *reg)
{
	struct changes *changes = &reg->changes;
	size_t i;

	if (reg->settled == reg->shown)
		return;
	reg->settled = reg->shown;
	for (i = 0; i < changes->n_touched; i++)
		enter(reg, &changes->touched[i]);
	changes_done(changes, reg->shown);
	if (reg->observer && reg->observer->wanted) {
		reg->observer->wanted = false;
		reg->observer->entered(reg->observer->data);
	}
}

/* registry_observe() - See registry.h */
void registry_observe(struct registry *reg, struct registry_observer *observer)
{
	size_t i;

	registry_enter_all(reg);
	reg->observer = observer;
	changes_begin(&reg->changes, reg->shown);
	for (i = 0; i < reg->n_devices; i++)
		reg->devices[i]->audience = audience_of(reg, CHANGE_DEVICES,
							reg->devices[i]);
}

/**
 * registry_foresee() - See registry.h
 */
uint64_t registry_foresee(struct registry *reg)
{
	return ++reg->revision;
}

/**
 * changed() - Give an object that was changed its revision
 * @reg:	The registry, locked
 * @collection:	What it is of
 * @name:	Its name
 * @before:	Whose it was before; NULL for nobody's
 * @principal:	Of an operation
 * @foreseen:	See registry_changed_device()
 * @revision:	The object's
 */
static void changed(struct registry *reg, enum change_collection collection,
		    const char *name, const struct audience *before,
		    const char *principal, uint64_t foreseen,
		    uint64_t *revision)
{
	const struct audience nobody = { .leased = false };

	if (*revision > reg->settled)
		return;
	*revision = foreseen > reg->shown ? foreseen : registry_foresee(reg);
	reg->shown = *revision;
	if (reg->observer)
		changes_touch(&reg->changes, collection, name, *revision,
			      before ? before : &nobody, principal);
}

/**
 * registry_changed_device() - See registry.h
 */
void registry_changed_device(struct registry *reg, struct device *device,
			     uint64_t foreseen)
{
	changed(reg, CHANGE_DEVICES, device->name, &device->audience, "",
		foreseen, &device->revision);
}

/**
 * registry_changed_group() - See registry-private.h
 */
void registry_changed_group(struct registry *reg, struct group *group)
{
	changed(reg, CHANGE_GROUPS, group->name, NULL, "", 0, &group->revision);
}

/**
 * registry_changed_iommu() - See registry-private.h
 */
void registry_changed_iommu(struct registry *reg, struct iommu *iommu)
{
	changed(reg, CHANGE_IOMMUS, iommu->name, NULL, "", 0, &iommu->revision);
}

/**
 * registry_changed_lease() - See registry-private.h
 */
void registry_changed_lease(struct registry *reg, struct lease *lease,
			    uint64_t foreseen)
{
	const struct audience audience = audience_of(reg, CHANGE_LEASES, lease);

	changed(reg, CHANGE_LEASES, lease->name, &audience, "", foreseen,
		&lease->revision);
}

/**
 * registry_changed_operation() - See registry.h
 */
void registry_changed_operation(struct registry *reg, struct operation *op,
				uint64_t foreseen)
{
	struct lease *lease = NULL;

	changed(reg, CHANGE_OPERATIONS, op->name, NULL, op->principal,
		foreseen, &op->revision);
	if (op->kind == OPERATION_RECLAIM)
		lease = registry_lease(reg, op->target);
	if (lease && str_eq(lease->reclaim, op->name))
		registry_changed_lease(reg, lease, 0);
}

/**
 * registry_ceiling() - See registry.h
 */
uint64_t registry_ceiling(const struct registry *reg)
{
	if (reg->revision + CEILING_AHEAD / 2 < reg->ceiling)
		return reg->ceiling;
	return reg->revision + CEILING_AHEAD;
}
