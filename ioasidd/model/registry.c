/* SPDX-License-Identifier: Apache-2.0
 *
 * registry.c - the living picture; see the theory of operation in registry.h
 */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "model/registry.h"

/* How far the durable ceiling runs ahead of the revisions given. Hot-plug
 * events use revisions up without a commit; none can bring a million of them
 * between two commits.
 */
#define CEILING_AHEAD (UINT64_C(1) << 21)

/**
 * registry_new() - Make an empty registry
 * @boot_id:	This boot
 * @ret:	Ends with registry_free()
 *
 * Return: 0 or -ENOMEM.
 */
int registry_new(const char *boot_id, struct registry **ret)
{
	struct registry *reg = calloc(1, sizeof(*reg));
	pthread_condattr_t monotonic;

	if (!reg)
		return -ENOMEM;
	pthread_mutex_init(&reg->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&reg->unclaimed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	str_copy(reg->boot_id, sizeof(reg->boot_id), boot_id);
	reg->history = REGISTRY_HISTORY;
	*ret = reg;
	return 0;
}

#ifndef __clang__
/* gcc 12's -fanalyzer forgets what an array of unknown length points to: it
 * takes every device that add_device() puts there for a leak, and what is there
 * after another one was added for freed.
 */
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#pragma GCC diagnostic ignored "-Wanalyzer-use-after-free"
#endif

/**
 * device_free() - Free a device
 * @device:	Not in the registry any more
 */
static void device_free(struct device *device)
{
	device_caps_free(device);
	free(device);
}

/**
 * groups_free() - Free groups
 * @groups:	NULL is allowed
 * @n:		How many
 */
static void groups_free(struct group *groups, size_t n)
{
	size_t i;

	for (i = 0; groups && i < n; i++)
		group_deinit(&groups[i]);
	free(groups);
}

/**
 * registry_free() - Free all
 * @reg:	NULL is allowed; nobody else uses it
 *
 * Return: NULL.
 */
struct registry *registry_free(struct registry *reg)
{
	size_t i;

	if (!reg)
		return NULL;
	groups_free(reg->groups, reg->n_groups);
	for (i = 0; i < reg->n_devices; i++)
		device_free(reg->devices[i]);
	for (i = 0; i < reg->n_leases; i++)
		lease_free(reg->leases[i]);
	for (i = 0; i < reg->n_operations; i++)
		operation_free(reg->operations[i]);
	free(reg->devices);
	free(reg->leases);
	free(reg->operations);
	free(reg->iommus);
	pthread_cond_destroy(&reg->unclaimed);
	pthread_mutex_destroy(&reg->lock);
	free(reg);
	return NULL;
}

/**
 * registry_lock() - Take the lock
 * @reg:	The registry
 */
void registry_lock(struct registry *reg)
{
	pthread_mutex_lock(&reg->lock);
}

/**
 * registry_unlock() - Give the lock back
 * @reg:	The registry
 */
void registry_unlock(struct registry *reg)
{
	pthread_mutex_unlock(&reg->lock);
}

/**
 * registry_revise() - See registry.h
 */
uint64_t registry_revise(struct registry *reg)
{
	return ++reg->revision;
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

/* --- looking up --- */

/**
 * device_position() - Where a device is, or would be
 * @reg:	The registry
 * @name:	Its name
 *
 * Return: the index of the first device whose name is not less.
 */
static size_t device_position(const struct registry *reg, const char *name)
{
	size_t low = 0, high = reg->n_devices;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(reg->devices[middle]->name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/**
 * registry_device() - See registry.h
 */
struct device *registry_device(struct registry *reg, const char *name)
{
	size_t i = device_position(reg, name);

	if (i < reg->n_devices && str_eq(reg->devices[i]->name, name))
		return reg->devices[i];
	return NULL;
}

/**
 * registry_group() - See registry.h
 */
struct group *registry_group(struct registry *reg, const char *name)
{
	size_t i;

	for (i = 0; i < reg->n_groups; i++)
		if (str_eq(reg->groups[i].name, name))
			return &reg->groups[i];
	return NULL;
}

/**
 * group_by_number() - The group with the kernel's number
 * @reg:	The registry
 * @number:	-1 for none
 */
static struct group *group_by_number(struct registry *reg, int number)
{
	size_t i;

	for (i = 0; number >= 0 && i < reg->n_groups; i++)
		if (reg->groups[i].facts.number == number)
			return &reg->groups[i];
	return NULL;
}

/**
 * registry_group_of() - See registry.h
 */
struct group *registry_group_of(struct registry *reg,
				const struct device *device)
{
	if (!device->facts.bdf[0])
		return NULL;
	return group_by_number(reg, device->facts.group);
}

/**
 * registry_lease() - See registry.h
 */
struct lease *registry_lease(struct registry *reg, const char *name)
{
	size_t i;

	for (i = reg->n_leases; i-- > 0;)
		if (str_eq(reg->leases[i]->name, name))
			return reg->leases[i];
	return NULL;
}

/**
 * registry_operation() - See registry.h
 */
struct operation *registry_operation(struct registry *reg, const char *name)
{
	size_t i;

	for (i = reg->n_operations; i-- > 0;)
		if (str_eq(reg->operations[i]->name, name))
			return reg->operations[i];
	return NULL;
}

/* --- devices --- */

/**
 * add_device() - Make a device that is not there yet
 * @reg:	The registry
 * @name:	Its name
 * @ret:	The device, of which nothing is known
 *
 * Return: 0 or -ENOMEM.
 */
static int add_device(struct registry *reg, const char *name,
		      struct device **ret)
{
	size_t at = device_position(reg, name);
	struct device *device, **more;

	more = reallocarray(reg->devices, reg->n_devices + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	reg->devices = more;
	device = calloc(1, sizeof(*device));
	if (!device)
		return -ENOMEM;

	str_copy(device->name, sizeof(device->name), name);
	device->state = DEVICE_GONE;
	device->facts.group = -1;
	memmove(more + at + 1, more + at, (reg->n_devices - at) * sizeof(*more));
	more[at] = device;
	reg->n_devices++;
	*ret = device;
	return 0;
}

/**
 * registry_record() - See registry.h
 */
int registry_record(struct registry *reg, const char *name,
		    struct device **ret)
{
	*ret = registry_device(reg, name);
	return *ret ? 0 : add_device(reg, name, ret);
}

/**
 * registry_settle() - See registry.h
 */
void registry_settle(struct registry *reg, struct device *device)
{
	enum device_state state;

	if (device->caps && (!device->facts.vfio ||
			     !str_eq(device->caps->driver, device->facts.driver)))
		device_caps_free(device);
	state = device_resting_state(device);
	if (state == device->state)
		return;
	device->state = state;
	device->revision = registry_revise(reg);
}

/**
 * take_facts() - Take over what a scan says of one device
 * @reg:	The registry, which has the device
 * @facts:	What it says
 *
 * Return: true if that changed the device.
 */
static bool take_facts(struct registry *reg, const struct kernel_device *facts)
{
	uint64_t before = reg->revision;
	char name[NAME_SIZE];
	struct device *device;

	device_name_from_bdf(facts->bdf, name);
	device = registry_device(reg, name);
	if (!device)
		return false;	/* add_new() has made it: it is there */
	if (!device_facts_equal(&device->facts, facts)) {
		device->facts = *facts;
		device->revision = registry_revise(reg);
	}
	if (!device->operation[0])
		registry_settle(reg, device);
	return reg->revision != before;
}

/**
 * is_known() - Is there a reason to have the device in the registry?
 * @device:	The device
 */
static bool is_known(const struct device *device)
{
	return device->facts.bdf[0] || device->recorded ||
	       device->operation[0] || device->lease[0];
}

/**
 * drop_vanished() - Mark or forget the devices that a scan did not find
 * @reg:	The registry; no groups point to devices
 * @inv:	What it found
 *
 * Return: how many changed.
 */
static int drop_vanished(struct registry *reg,
			 const struct kernel_inventory *inv)
{
	size_t i, kept = 0, seen = 0;
	int changed = 0;

	for (i = 0; i < reg->n_devices; i++) {
		struct device *device = reg->devices[i];
		char name[NAME_SIZE] = "";

		/* Both are sorted alike: the address is in the name. */
		for (; seen < inv->n_devices; seen++) {
			device_name_from_bdf(inv->devices[seen].bdf, name);
			if (strcmp(name, device->name) >= 0)
				break;
		}
		if (seen < inv->n_devices && str_eq(name, device->name)) {
			reg->devices[kept++] = device;
			continue;
		}

		if (device->facts.bdf[0]) {
			device->facts = (struct kernel_device){ .group = -1 };
			device->revision = registry_revise(reg);
			changed++;
		}
		if (is_known(device)) {
			reg->devices[kept++] = device;
			if (!device->operation[0])
				registry_settle(reg, device);
		} else {
			device_free(device);
		}
	}
	reg->n_devices = kept;
	return changed;
}

/**
 * fill_group() - Make a group of what a scan found
 * @reg:	The registry with its devices
 * @facts:	The group; its reserved regions are taken over
 * @old:	The group as it was before, for its revision; NULL if it is new
 * @before:	The newest revision before the scan
 * @ret:	The group, with room for its devices
 */
static void fill_group(struct registry *reg, struct kernel_group *facts,
		       const struct group *old, uint64_t before,
		       struct group *ret)
{
	bool same = old && str_eq(old->facts.type, facts->type);
	size_t i;

	for (i = 0; i < reg->n_devices; i++)
		if (reg->devices[i]->facts.group == facts->number)
			ret->devices[ret->n_devices++] = reg->devices[i];

	str_format(ret->name, sizeof(ret->name), "groups/%s",
		   str_starts(ret->devices[0]->name, "devices/"));
	str_copy(ret->iommu, sizeof(ret->iommu), ret->devices[0]->facts.iommu);
	ret->facts = *facts;
	facts->reserved = NULL;
	facts->n_reserved = 0;

	same = same && str_eq(old->name, ret->name) &&
	       old->n_devices == ret->n_devices;
	ret->revision = same ? old->revision : registry_revise(reg);
	for (i = 0; i < ret->n_devices; i++)
		if (ret->devices[i]->revision > before &&
		    ret->devices[i]->revision > ret->revision)
			ret->revision = ret->devices[i]->revision;
}

/**
 * compare_groups() - Order groups by name, for qsort(3)
 */
static int compare_groups(const void *a, const void *b)
{
	return strcmp(((const struct group *)a)->name,
		      ((const struct group *)b)->name);
}

/**
 * groups_new() - Make room for the groups that a scan found
 * @inv:	The scan
 *
 * Return: as many empty groups, each with room for its devices, or for none if
 * it has none; NULL without memory.
 */
static struct group *groups_new(const struct kernel_inventory *inv)
{
	struct group *groups = calloc(inv->n_groups + 1, sizeof(*groups));
	size_t i, j, n;

	for (i = 0; groups && i < inv->n_groups; i++) {
		for (j = 0, n = 0; j < inv->n_devices; j++)
			n += inv->devices[j].group == inv->groups[i].number;
		if (n == 0)
			continue;
		groups[i].devices = calloc(n, sizeof(*groups[i].devices));
		if (!groups[i].devices) {
			groups_free(groups, i);
			return NULL;
		}
	}
	return groups;
}

/**
 * take_groups() - Take over the groups that a scan found
 * @reg:	The registry with the scan's devices
 * @inv:	The scan; its reserved regions are taken over
 * @before:	The newest revision before it
 * @groups:	Of groups_new(); consumed
 */
static void take_groups(struct registry *reg, struct kernel_inventory *inv,
			uint64_t before, struct group *groups)
{
	size_t i, n = 0;

	for (i = 0; i < inv->n_groups; i++) {
		struct group group = groups[i];

		groups[i].devices = NULL;
		if (!group.devices)
			continue;
		fill_group(reg, &inv->groups[i],
			   group_by_number(reg, inv->groups[i].number), before,
			   &group);
		groups[n++] = group;
	}
	qsort(groups, n, sizeof(*groups), compare_groups);
	groups_free(reg->groups, reg->n_groups);
	reg->groups = groups;
	reg->n_groups = n;
}

/**
 * drop_unknown() - Forget the devices of which nothing is known
 * @reg:	The registry
 */
static void drop_unknown(struct registry *reg)
{
	size_t i, kept = 0;

	for (i = 0; i < reg->n_devices; i++) {
		if (is_known(reg->devices[i]))
			reg->devices[kept++] = reg->devices[i];
		else
			device_free(reg->devices[i]);
	}
	reg->n_devices = kept;
}

/**
 * add_new() - Have every device that a scan found, of the new ones nothing yet
 * @reg:	The registry
 * @inv:	The scan
 *
 * Return: 0 or -ENOMEM: as before.
 */
static int add_new(struct registry *reg, const struct kernel_inventory *inv)
{
	struct device *device;
	char name[NAME_SIZE];
	size_t i;
	int r = 0;

	for (i = 0; i < inv->n_devices && r == 0; i++) {
		device_name_from_bdf(inv->devices[i].bdf, name);
		r = registry_record(reg, name, &device);
	}
	if (r < 0)
		drop_unknown(reg);
	return r;
}

/**
 * registry_scan() - See registry.h
 */
int registry_scan(struct registry *reg, struct kernel_inventory *inv)
{
	uint64_t before = reg->revision;
	struct group *groups;
	int changed = 0;
	size_t i;

	/* All that can fail comes first. */
	groups = groups_new(inv);
	if (!groups)
		return -ENOMEM;
	if (add_new(reg, inv) < 0) {
		groups_free(groups, inv->n_groups);
		return -ENOMEM;
	}

	for (i = 0; i < inv->n_devices; i++)
		changed += take_facts(reg, &inv->devices[i]);
	/* From here on groups may point to devices that are freed: they are
	 * replaced before anybody can look.
	 */
	changed += drop_vanished(reg, inv);
	take_groups(reg, inv, before, groups);
	free(reg->iommus);
	reg->iommus = TAKE_PTR(inv->iommus);
	reg->n_iommus = inv->n_iommus;
	inv->n_iommus = 0;
	reg->isolated_msi = inv->isolated_msi;
	return changed;
}

/* --- claims --- */

/**
 * claim_one() - Make one device an operation's own
 * @device:	The device
 * @op:		Name of the operation
 * @ret:	Its name is added if it is an endpoint; NULL for not wanted
 *
 * Return: 0; -EBUSY; -ENOMEM.
 */
static int claim_one(struct device *device, const char *op, struct strv *ret,
		     struct error *err)
{
	int r;

	if (str_eq(device->operation, op))
		return 0;
	if (device->operation[0]) {
		/* A change of a lease claims as "<lease>:<its own name>". */
		char other[NAME_SIZE];

		str_copy(other, sizeof(other), device->operation);
		other[strcspn(other, ":")] = '\0';
		r = error_set(err, -EBUSY, ERROR_DEVICE_BUSY,
			      "%s is at work on %s", other, device->name);
		error_cause(err, "operation", other, "is at work on %s",
			    device->name);
		error_object(err, "%s", device->name);
		return r;
	}
	if (ret && !device->facts.bridge && strv_add(ret, device->name) < 0)
		return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
				 "no memory");
	str_copy(device->operation, sizeof(device->operation), op);
	device->claimed_at = device->revision;
	return 0;
}

/**
 * claim_group_of() - Make a device and its siblings an operation's own
 * @reg:	The registry
 * @name:	The device's name
 * @op:		Name of the operation
 * @ret:	See claim_one()
 *
 * Return: 0; -EBUSY; -ENODEV; -ENOMEM.
 */
static int claim_group_of(struct registry *reg, const char *name,
			  const char *op, struct strv *ret, struct error *err)
{
	struct device *device = registry_device(reg, name);
	struct group *group;
	size_t i;
	int r;

	if (!device) {
		r = error_set(err, -ENODEV, ERROR_DEVICE_NOT_FOUND,
			      "there is no device '%s'", name);
		error_object(err, "%s", name);
		return r;
	}
	group = registry_group_of(reg, device);
	if (!group)
		return claim_one(device, op, ret, err);
	for (i = 0; i < group->n_devices; i++) {
		r = claim_one(group->devices[i], op, ret, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/**
 * registry_claim() - See registry.h
 */
int registry_claim(struct registry *reg, const struct strv *devices,
		   const char *op, struct strv *ret, struct error *err)
{
	size_t i, j;
	int r = 0;

	for (i = 0; i < devices->n && r == 0; i++)
		r = claim_group_of(reg, devices->items[i], op, ret, err);
	if (r == 0)
		return 0;
	for (j = 0; j < reg->n_devices; j++)
		if (str_eq(reg->devices[j]->operation, op))
			reg->devices[j]->operation[0] = '\0';
	if (ret)
		strv_deinit(ret);
	return r;
}

/**
 * registry_claim_wait() - See registry.h
 */
int registry_claim_wait(struct registry *reg, const struct strv *devices,
			const char *op, unsigned int timeout_ms,
			struct strv *ret, struct error *err)
{
	uint64_t until = clock_mono_ns() + timeout_ms * UINT64_C(1000000);
	const struct timespec deadline = {
		.tv_sec = until / 1000000000, .tv_nsec = until % 1000000000,
	};
	int r;

	do {
		r = registry_claim(reg, devices, op, ret, err);
	} while (r == -EBUSY &&
		 !pthread_cond_timedwait(&reg->unclaimed, &reg->lock,
					 &deadline));
	return r;
}

/**
 * registry_unclaim() - See registry.h
 */
void registry_unclaim(struct registry *reg, const char *op)
{
	size_t i;

	for (i = 0; i < reg->n_devices; i++) {
		struct device *device = reg->devices[i];

		if (!str_eq(device->operation, op))
			continue;
		device->operation[0] = '\0';
		/* Who has only looked has changed nothing: etags stay good. */
		if (device->revision != device->claimed_at)
			device->revision = registry_revise(reg);
		registry_settle(reg, device);
	}
	pthread_cond_broadcast(&reg->unclaimed);
}

/* --- leases and operations --- */

/**
 * registry_reserve_lease() - See registry.h
 */
int registry_reserve_lease(struct registry *reg)
{
	size_t room = reg->n_leases + reg->leases_reserved + 1;
	struct lease **more;

	more = reallocarray(reg->leases, room, sizeof(*more));
	if (!more)
		return -ENOMEM;
	reg->leases = more;
	reg->leases_reserved++;
	return 0;
}

/**
 * registry_unreserve_lease() - See registry.h
 */
void registry_unreserve_lease(struct registry *reg)
{
	reg->leases_reserved--;
}

/**
 * registry_publish_lease_consume() - See registry.h
 */
void registry_publish_lease_consume(struct registry *reg, struct lease *lease)
{
	reg->leases_reserved--;
	reg->leases[reg->n_leases++] = lease;
}

/**
 * registry_add_lease_consume() - See registry.h
 */
int registry_add_lease_consume(struct registry *reg, struct lease *lease)
{
	int r = registry_reserve_lease(reg);

	if (r < 0)
		lease_free(lease);
	else
		registry_publish_lease_consume(reg, lease);
	return r;
}

/**
 * registry_swap_lease() - See registry.h
 */
void registry_swap_lease(struct registry *reg, struct lease *lease)
{
	struct lease *ours = registry_lease(reg, lease->name);
	struct lease before;

	if (!ours)
		return;
	before = *ours;
	*ours = *lease;
	*lease = before;
}

/**
 * registry_reserve_operation() - See registry.h
 */
int registry_reserve_operation(struct registry *reg)
{
	size_t room = reg->n_operations + reg->operations_reserved + 1;
	struct operation **more;

	more = reallocarray(reg->operations, room, sizeof(*more));
	if (!more)
		return -ENOMEM;
	reg->operations = more;
	reg->operations_reserved++;
	return 0;
}

/**
 * registry_unreserve_operation() - See registry.h
 */
void registry_unreserve_operation(struct registry *reg)
{
	reg->operations_reserved--;
}

/**
 * registry_publish_operation_consume() - See registry.h
 */
void registry_publish_operation_consume(struct registry *reg,
					struct operation *op)
{
	reg->operations_reserved--;
	reg->operations[reg->n_operations++] = op;
}

/**
 * registry_add_operation_consume() - See registry.h
 */
int registry_add_operation_consume(struct registry *reg, struct operation *op)
{
	int r = registry_reserve_operation(reg);

	if (r < 0)
		operation_free(op);
	else
		registry_publish_operation_consume(reg, op);
	return r;
}

/**
 * registry_pop_ended() - See registry.h
 */
void registry_pop_ended(struct registry *reg, struct lease **ret_lease,
			struct operation **ret_op)
{
	size_t i, ended = 0, oldest = SIZE_MAX;

	*ret_lease = NULL;
	*ret_op = NULL;
	for (i = reg->n_leases; i-- > 0;)
		if (reg->leases[i]->state == LEASE_ENDED)
			oldest = i, ended++;
	if (ended > reg->history) {
		*ret_lease = reg->leases[oldest];
		memmove(reg->leases + oldest, reg->leases + oldest + 1,
			(--reg->n_leases - oldest) * sizeof(*reg->leases));
	}
	ended = 0;
	for (i = reg->n_operations; i-- > 0;)
		if (reg->operations[i]->state != OPERATION_RUNNING)
			oldest = i, ended++;
	if (ended > reg->history) {
		*ret_op = reg->operations[oldest];
		memmove(reg->operations + oldest, reg->operations + oldest + 1,
			(--reg->n_operations - oldest) *
				sizeof(*reg->operations));
	}
}
