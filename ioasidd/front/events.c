/* SPDX-License-Identifier: Apache-2.0
 *
 * events.c - changes as clients see them
 */
#include "front/events.h"

#include <errno.h>

#include "base/clock.h"
#include "front/contract.h"
#include "front/view.h"
#include "ops/authorize.h"

/**
 * fill_time() - Say when
 * @us:		Microseconds since 1970
 * @ret:	The message
 */
static void fill_time(uint64_t us, pb_timestamp *ret)
{
	google__protobuf__timestamp__init(ret);
	ret->seconds = (int64_t)(us / 1000000);
	ret->nanos = (int32_t)(us % 1000000 * 1000);
}

/**
 * fill_object() - Put the object into a change
 * @arena:	Where it goes
 * @reg:	The registry, locked
 * @collection:	What it is of
 * @object:	The object
 * @change:	The change
 */
static void fill_object(struct arena *arena, struct registry *reg,
			enum change_collection collection, const void *object,
			pb_change *change)
{
	switch (collection) {
	case CHANGE_DEVICES:
		change->device = view_device(arena, reg, object);
		change->object_case = IOASID__V1__CHANGE__OBJECT_DEVICE;
		break;
	case CHANGE_GROUPS:
		change->group = view_group(arena, object);
		change->object_case = IOASID__V1__CHANGE__OBJECT_GROUP;
		break;
	case CHANGE_IOMMUS:
		change->iommu = view_iommu(arena, reg, object);
		change->object_case = IOASID__V1__CHANGE__OBJECT_IOMMU;
		break;
	case CHANGE_LEASES:
		change->lease = view_lease(arena, reg, object);
		change->object_case = IOASID__V1__CHANGE__OBJECT_LEASE;
		break;
	case CHANGE_OPERATIONS:
		change->operation = view_operation(arena, object);
		change->object_case = IOASID__V1__CHANGE__OBJECT_OPERATION;
		break;
	case CHANGE_COLLECTION_COUNT:
		break;
	}
}

/* event_write() - Make the entry of an object that was changed */
struct logged *event_write(void *data, struct registry *reg,
			   const struct touched *touched, const void *object)
{
	_cleanup_arena_ struct arena arena;
	pb_change change = IOASID__V1__CHANGE__INIT;
	uint64_t now = clock_real_us();
	struct logged *entry;
	pb_timestamp at;
	size_t size;

	arena_init(&arena, VIEW_BUDGET);
	fill_time(now, &at);
	change.revision = touched->revision;
	change.name = (char *)touched->name;
	change.at = &at;
	fill_object(&arena, reg, touched->collection, object, &change);
	/* A view that there was no memory for may be missing. */
	if (!arena_ok(&arena))
		return NULL;
	size = ioasid__v1__change__get_packed_size(&change);
	if (size > MESSAGE_MAX)
		return NULL;
	entry = logged_new(touched, size);
	if (!entry)
		return NULL;
	entry->at_us = now;
	(void)ioasid__v1__change__pack(&change, entry->data); /* = size */
	return entry;
}

/**
 * sees_now() - May a caller see an object as it is now?
 * @reg:	The registry, locked
 * @entry:	A change of the object
 * @caller:	Who
 */
static bool sees_now(struct registry *reg, const struct logged *entry,
		     const struct caller *caller)
{
	const struct device *device;
	const struct group *group;
	const struct lease *lease;

	switch (entry->collection) {
	case CHANGE_DEVICES:
		device = registry_device(reg, entry->name);
		return device && device_visible(reg, device, caller);
	case CHANGE_LEASES:
		lease = registry_lease(reg, entry->name);
		return lease && lease_visible(reg, lease, caller);
	case CHANGE_GROUPS:
		group = registry_group(reg, entry->name);
		return group && group_visible(reg, group, caller);
	case CHANGE_OPERATIONS:
	case CHANGE_IOMMUS:
	case CHANGE_COLLECTION_COUNT:
		break;
	}
	return false;
}

/**
 * sees() - May a caller see the object of a change?
 * @reg:	The registry, locked
 * @entry:	The change
 * @audience:	Whose the object was: before the change, or with it
 * @caller:	Who
 *
 * As device_visible(), lease_visible() and operation_visible() have it for what
 * there is now; besides, whose it was at that revision.
 */
static bool sees(struct registry *reg, const struct logged *entry, const struct audience *audience,
		 const struct caller *caller)
{
	if (authorize_role(caller) >= ROLE_VIEWER)
		return true;
	switch (entry->collection) {
	case CHANGE_DEVICES:
	case CHANGE_LEASES:
		/* Who came by TCP is no uid; nor is who has a token. */
		if (audience->leased && audience->uid != (uid_t)-1 &&
		    audience->uid == caller->process.uid &&
		    (!audience->pid ||
		     audience->pid == caller->process.pid))
			return true;
		break;
	case CHANGE_OPERATIONS:
		return str_eq(entry->principal, caller->principal);
	case CHANGE_GROUPS:
	case CHANGE_IOMMUS:
	case CHANGE_COLLECTION_COUNT:
		break;
	}
	return sees_now(reg, entry, caller);
}

/**
 * removed_packet() - Make the packet of a change that takes an object away
 * @id:		The request's
 * @entry:	The change
 *
 * Return: the packet; NULL without memory.
 */
static struct packet *removed_packet(uint64_t id, const struct logged *entry)
{
	pb_change change = IOASID__V1__CHANGE__INIT;
	uint8_t data[2 * CHANGE_NAME_SIZE];
	pb_timestamp at;
	size_t size;

	fill_time(entry->at_us, &at);
	change.revision = entry->revision;
	change.name = (char *)entry->name;
	change.at = &at;
	change.removed = true;
	/* A name, three numbers and their tags: well below the room. */
	size = ioasid__v1__change__pack(&change, data);
	return packet_item(id, data, size);
}

/* event_packet() - Make the packet that tells of a change */
int event_packet(struct registry *reg, uint64_t id,
		 const struct logged *entry,
		 const struct caller *caller, struct packet **ret)
{
	*ret = NULL;
	if (!entry->removed && sees(reg, entry, &entry->audience, caller))
		*ret = packet_item(id, entry->data, entry->size);
	else if (sees(reg, entry, &entry->before, caller))
		*ret = removed_packet(id, entry);
	else
		return 0;
	return *ret ? 0 : -ENOMEM;
}
