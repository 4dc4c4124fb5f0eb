/* SPDX-License-Identifier: Apache-2.0
 *
 * registry.c - the living picture; see the theory of operation in registry.h
 */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "model/registry-private.h"

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
	changes_deinit(&reg->changes);
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
	registry_enter_all(reg);
	pthread_mutex_unlock(&reg->lock);
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
	size_t low = 0, high = reg->n_groups;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(reg->groups[middle].name, name);

		if (order == 0)
			return &reg->groups[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
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
			     !str_eq(device->caps->driver, device->facts.driver))) {
		device_caps_free(device);
		registry_changed_device(reg, device, 0);
	}
	state = device_resting_state(device);
	if (state == device->state)
		return;
	device->state = state;
	registry_changed_device(reg, device, 0);
}

/**
 * changed_pf() - A VF came, went or changed: its PF shows which it has
 * @reg:	The registry
 * @physfn:	Address of the PF; empty for none
 */
static void changed_pf(struct registry *reg, const char *physfn)
{
	struct device *pf = NULL;
	char name[NAME_SIZE];

	if (*physfn) {
		device_name_from_bdf(physfn, name);
		pf = registry_device(reg, name);
	}
	if (pf)
		registry_changed_device(reg, pf, 0);
}

/**
 * take_facts() - Take over what a scan says of one device
 * @reg:	The registry, which has the device
 * @facts:	What it says
 */
static void take_facts(struct registry *reg, const struct kernel_device *facts)
{
	char name[NAME_SIZE];
	struct device *device;

	device_name_from_bdf(facts->bdf, name);
	device = registry_device(reg, name);
	if (!device)
		return;		/* add_new() has made it: it is there */
	if (!device_facts_equal(&device->facts, facts)) {
		if (!str_eq(device->facts.physfn, facts->physfn)) {
			changed_pf(reg, device->facts.physfn);
			changed_pf(reg, facts->physfn);
		}
		device->facts = *facts;
		registry_changed_device(reg, device, 0);
	}
	if (!device->operation[0])
		registry_settle(reg, device);
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
 * mark_vanished() - Take the facts of the devices that a scan did not find
 * @reg:	The registry; no groups point to devices
 * @inv:	What it found
 */
static void mark_vanished(struct registry *reg,
			  const struct kernel_inventory *inv)
{
	size_t i, seen = 0;

	for (i = 0; i < reg->n_devices; i++) {
		struct device *device = reg->devices[i];
		char name[NAME_SIZE] = "";

		/* Both are sorted alike: the address is in the name. */
		for (; seen < inv->n_devices; seen++) {
			device_name_from_bdf(inv->devices[seen].bdf, name);
			if (strcmp(name, device->name) >= 0)
				break;
		}
		if (seen < inv->n_devices && str_eq(name, device->name))
			continue;
		if (device->facts.bdf[0]) {
			changed_pf(reg, device->facts.physfn);
			device->facts = (struct kernel_device){ .group = -1 };
			registry_changed_device(reg, device, 0);
		}
		if (!device->operation[0] && is_known(device))
			registry_settle(reg, device);
	}
}

/**
 * same_group() - Is a group what it was before the scan?
 * @old:	What it was; its devices may be gone. NULL if it was not there
 * @group:	What it is
 */
static bool same_group(const struct group *old, const struct group *group)
{
	return old && str_eq(old->facts.type, group->facts.type) &&
	       old->facts.number == group->facts.number &&
	       old->facts.n_reserved == group->facts.n_reserved &&
	       str_eq(old->iommu, group->iommu) &&
	       old->n_devices == group->n_devices;
}

/**
 * fill_group() - Make a group of what a scan found
 * @reg:	The registry with its devices, and the groups of before
 * @facts:	The group; its reserved regions are taken over
 * @ret:	The group, with room for its devices
 *
 * Its devices show its name.
 */
static void fill_group(struct registry *reg, struct kernel_group *facts,
		       struct group *ret)
{
	struct group *old;
	bool same;
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

	old = registry_group(reg, ret->name);
	same = same_group(old, ret);
	for (i = 0; i < ret->n_devices; i++) {
		if (!old)
			registry_changed_device(reg, ret->devices[i], 0);
		same = same && ret->devices[i]->revision <= reg->settled;
	}
	ret->revision = old ? old->revision : 0;
	if (!same)
		registry_changed_group(reg, ret);
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
 * @groups:	Of groups_new(); consumed
 */
static void take_groups(struct registry *reg, struct kernel_inventory *inv,
			struct group *groups)
{
	struct group *old = reg->groups;
	size_t i, n = 0, n_old = reg->n_groups;

	for (i = 0; i < inv->n_groups; i++) {
		struct group group = groups[i];

		groups[i].devices = NULL;
		if (!group.devices)
			continue;
		fill_group(reg, &inv->groups[i], &group);
		groups[n++] = group;
	}
	qsort(groups, n, sizeof(*groups), compare_groups);
	reg->groups = groups;
	reg->n_groups = n;
	for (i = 0; i < n_old; i++)
		if (!registry_group(reg, old[i].name))
			registry_changed_group(reg, &old[i]);
	groups_free(old, n_old);
}

/**
 * hash_text() - Mix a string into a hash (FNV-1a, 64 bits)
 * @hash:	So far
 * @s:		What
 *
 * Return: the hash now.
 */
static uint64_t hash_text(uint64_t hash, const char *s)
{
	for (; *s; s++)
		hash = (hash ^ (uint8_t)*s) * 0x100000001b3;
	return hash;
}

/**
 * hash_iommu() - Mix into one what an IOMMU is and which devices are behind it
 * @reg:	The registry with the scan's devices
 * @facts:	The IOMMU
 */
static uint64_t hash_iommu(const struct registry *reg,
			   const struct kernel_iommu *facts)
{
	uint64_t hash = 0xcbf29ce484222325;
	size_t i;

	for (i = 0; i < facts->n_registers; i++)
		hash = hash_text(hash, facts->registers[i].value);
	for (i = 0; i < reg->n_devices; i++)
		if (str_eq(reg->devices[i]->facts.iommu, facts->name))
			hash = hash_text(hash, reg->devices[i]->name);
	return hash;
}

/**
 * take_iommus() - Take over the IOMMUs that a scan found
 * @reg:	The registry with the scan's devices
 * @inv:	The scan
 * @iommus:	Room for them; consumed
 *
 * They are few.
 */
static void take_iommus(struct registry *reg,
			const struct kernel_inventory *inv,
			struct iommu *iommus)
{
	struct iommu *old = reg->iommus;
	size_t i, j, n_old = reg->n_iommus;

	for (i = 0; i < inv->n_iommus; i++) {
		struct iommu *iommu = &iommus[i];

		iommu->facts = inv->iommus[i];
		iommu_name_from_sysfs(iommu->facts.name, iommu->name);
		iommu->content = hash_iommu(reg, &iommu->facts);
		for (j = 0; j < n_old; j++)
			if (str_eq(old[j].name, iommu->name))
				break;
		if (j < n_old)
			iommu->revision = old[j].revision;
		if (j == n_old || old[j].content != iommu->content)
			registry_changed_iommu(reg, iommu);
	}
	for (j = 0; j < n_old; j++) {
		for (i = 0; i < inv->n_iommus; i++)
			if (str_eq(old[j].name, iommus[i].name))
				break;
		if (i == inv->n_iommus)
			registry_changed_iommu(reg, &old[j]);
	}
	reg->iommus = iommus;
	reg->n_iommus = inv->n_iommus;
	free(old);
}

/**
 * take_isolated_msi() - Take over whether interrupts are isolated
 * @reg:	The registry
 * @isolated_msi: What a scan says
 *
 * Each device shows it.
 */
static void take_isolated_msi(struct registry *reg,
			      enum kernel_isolated_msi isolated_msi)
{
	size_t i;

	if (reg->isolated_msi == isolated_msi)
		return;
	reg->isolated_msi = isolated_msi;
	for (i = 0; i < reg->n_devices; i++)
		registry_changed_device(reg, reg->devices[i], 0);
}

/**
 * drop_unknown() - Forget the devices of which nothing is known
 * @reg:	The registry
 * @shown:	They could be seen
 */
static void drop_unknown(struct registry *reg, bool shown)
{
	size_t i, kept = 0;

	for (i = 0; i < reg->n_devices; i++) {
		struct device *device = reg->devices[i];

		if (is_known(device)) {
			reg->devices[kept++] = device;
			continue;
		}
		if (shown)
			registry_changed_device(reg, device, 0);
		device_free(device);
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
		drop_unknown(reg, false);
	return r;
}

/**
 * registry_scan() - See registry.h
 */
int registry_scan(struct registry *reg, struct kernel_inventory *inv)
{
	uint64_t before = reg->shown;
	struct group *groups;
	struct iommu *iommus;
	size_t i;

	/* All that can fail comes first. */
	groups = groups_new(inv);
	if (!groups)
		return -ENOMEM;
	iommus = calloc(inv->n_iommus + 1, sizeof(*iommus));
	if (!iommus || add_new(reg, inv) < 0) {
		groups_free(groups, inv->n_groups);
		free(iommus);
		return -ENOMEM;
	}

	for (i = 0; i < inv->n_devices; i++)
		take_facts(reg, &inv->devices[i]);
	mark_vanished(reg, inv);
	/* From here on groups may point to devices that are freed: they are
	 * replaced before anybody can look.
	 */
	drop_unknown(reg, true);
	take_isolated_msi(reg, inv->isolated_msi);
	take_groups(reg, inv, groups);
	take_iommus(reg, inv, iommus);
	return reg->shown != before;
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
		/* To wait is to give the lock back. */
		registry_enter_all(reg);
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
			registry_changed_device(reg, device, 0);
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
	uint64_t foreseen = lease->revision;

	reg->leases_reserved--;
	reg->leases[reg->n_leases++] = lease;
	lease->revision = 0;
	registry_changed_lease(reg, lease, foreseen);
}

/**
 * registry_add_lease_consume() - See registry.h
 */
int registry_add_lease_consume(struct registry *reg, struct lease *lease)
{
	int r = registry_reserve_lease(reg);

	if (r < 0) {
		lease_free(lease);
		return r;
	}
	reg->leases_reserved--;
	reg->leases[reg->n_leases++] = lease;
	return 0;
}

/**
 * registry_swap_lease() - See registry.h
 */
void registry_swap_lease(struct registry *reg, struct lease *lease)
{
	struct lease *ours = registry_lease(reg, lease->name);
	struct lease before;
	uint64_t foreseen;

	if (!ours)
		return;
	before = *ours;
	*ours = *lease;
	*lease = before;
	foreseen = ours->revision;
	ours->revision = before.revision;
	registry_changed_lease(reg, ours, foreseen);
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
	uint64_t foreseen = op->revision;

	reg->operations_reserved--;
	reg->operations[reg->n_operations++] = op;
	op->revision = 0;
	registry_changed_operation(reg, op, foreseen);
}

/**
 * registry_add_operation_consume() - See registry.h
 */
int registry_add_operation_consume(struct registry *reg, struct operation *op)
{
	int r = registry_reserve_operation(reg);

	if (r < 0) {
		operation_free(op);
		return r;
	}
	reg->operations_reserved--;
	reg->operations[reg->n_operations++] = op;
	return 0;
}

/**
 * registry_take_operation() - See registry.h
 *
 * Somebody may have asked the one in the registry to stop meanwhile.
 */
void registry_take_operation(struct registry *reg, const struct operation *op)
{
	struct operation *ours = registry_operation(reg, op->name);
	uint64_t foreseen = op->revision, before;
	bool cancelling;

	if (!ours)
		return;
	before = ours == op ? 0 : ours->revision;
	cancelling = ours->cancelling;
	if (ours != op)
		*ours = *op;
	ours->cancelling |= cancelling;
	ours->revision = before;
	registry_changed_operation(reg, ours, foreseen);
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
		registry_changed_lease(reg, *ret_lease, 0);
		memmove(reg->leases + oldest, reg->leases + oldest + 1,
			(--reg->n_leases - oldest) * sizeof(*reg->leases));
	}
	ended = 0;
	for (i = reg->n_operations; i-- > 0;)
		if (reg->operations[i]->state != OPERATION_RUNNING)
			oldest = i, ended++;
	if (ended > reg->history) {
		*ret_op = reg->operations[oldest];
		registry_changed_operation(reg, *ret_op, 0);
		memmove(reg->operations + oldest, reg->operations + oldest + 1,
			(--reg->n_operations - oldest) *
				sizeof(*reg->operations));
	}
}
