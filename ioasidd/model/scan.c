/* SPDX-License-Identifier: Apache-2.0
 *
 * scan.c - taking over what a scan of the machine found: devices, groups, IOMMUs
 */
#include <errno.h>
#include <string.h>

#include "model/registry-private.h"

#ifndef __clang__
/* gcc 12's -fanalyzer forgets what an array of unknown length points to: it
 * takes the room for devices that groups_new() puts there for a leak.
 */
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#endif

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

/* registry_unread() - See registry.h */
void registry_unread(struct registry *reg)
{
	reg->unread = true;
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
	reg->unread = true;
	groups = groups_new(inv);
	if (!groups)
		return -ENOMEM;
	iommus = calloc(inv->n_iommus + 1, sizeof(*iommus));
	if (!iommus || add_new(reg, inv) < 0) {
		groups_free(groups, inv->n_groups);
		free(iommus);
		return -ENOMEM;
	}

	reg->unread = false;
	/* One that cannot be seen just now has not gone. */
	if (inv->backend != KERNEL_BACKEND_NONE)
		reg->backend = inv->backend;
	for (i = 0; i < inv->n_devices; i++)
		take_facts(reg, &inv->devices[i]);
	mark_vanished(reg, inv);
	/* From here on groups may point to devices that are freed: they are
	 * replaced before anybody can look.
	 */
	drop_unknown(reg, true);
	take_isolated_msi(reg, inv->isolated_msi);
	reg->no_iommu_mode = inv->no_iommu_mode;
	take_groups(reg, inv, groups);
	take_iommus(reg, inv, iommus);
	return reg->shown != before;
}
