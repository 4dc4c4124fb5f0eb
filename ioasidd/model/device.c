/* SPDX-License-Identifier: Apache-2.0
 *
 * device.c - devices and groups: states and the rules that follow from facts
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "model/device.h"
#include "model/table.h"

static const char *const state_names[] = {
	[DEVICE_HOST] = "host",
	[DEVICE_PREPARING] = "preparing",
	[DEVICE_READY] = "ready",
	[DEVICE_LEASED] = "leased",
	[DEVICE_RECLAIMING] = "reclaiming",
	[DEVICE_QUARANTINED] = "quarantined",
	[DEVICE_STUCK] = "stuck",
	[DEVICE_GONE] = "gone",
	[DEVICE_FOREIGN] = "foreign",
};
static_assert(ARRAY_SIZE(state_names) == DEVICE_STATE_COUNT, "every state");

static const char *const trouble_names[] = {
	[TROUBLE_NONE] = "none",
	[TROUBLE_QUARANTINED] = "quarantined",
	[TROUBLE_STUCK] = "stuck",
};
static_assert(ARRAY_SIZE(trouble_names) == DEVICE_TROUBLE_COUNT,
	      "every trouble");

/**
 * device_state_name() - See device.h
 */
const char *device_state_name(enum device_state state)
{
	return state_names[state];
}

/**
 * device_trouble_name() - See device.h
 */
const char *device_trouble_name(enum device_trouble trouble)
{
	return trouble_names[trouble];
}

/**
 * device_trouble_from_name() - See device.h
 */
int device_trouble_from_name(const char *name, enum device_trouble *ret)
{
	int i = table_find(trouble_names, ARRAY_SIZE(trouble_names), name);

	if (i < 0)
		return i;
	*ret = i;
	return 0;
}

/**
 * device_name_from_bdf() - See device.h
 */
void device_name_from_bdf(const char *bdf, char ret[NAME_SIZE])
{
	char *c;

	str_format(ret, NAME_SIZE, "devices/pci-%s", bdf);
	for (c = ret; *c; c++)
		if (*c == ':')
			*c = '-';
}

/**
 * iommu_name_from_sysfs() - See device.h
 *
 * Drivers choose the names in sysfs, so any character may come.
 */
void iommu_name_from_sysfs(const char *sysfs, char ret[CHANGE_NAME_SIZE])
{
	char *c;

	ret[0] = '\0';
	if (!*sysfs)
		return;
	str_format(ret, CHANGE_NAME_SIZE, "iommus/%s", sysfs);
	for (c = ret + sizeof("iommus/") - 1; *c; c++) {
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
		else if (!(*c >= 'a' && *c <= 'z') &&
			 !(*c >= '0' && *c <= '9') && *c != '.')
			*c = '-';
	}
}

/**
 * device_resting_state() - See device.h
 */
enum device_state device_resting_state(const struct device *device)
{
	const struct device_record *record = &device->record;

	if (!device->facts.bdf[0])
		return DEVICE_GONE;
	if (device->recorded && record->trouble == TROUBLE_STUCK)
		return DEVICE_STUCK;
	if (device->recorded && record->trouble == TROUBLE_QUARANTINED)
		return DEVICE_QUARANTINED;
	if (device->lease[0])
		return DEVICE_LEASED;
	if (!device->facts.vfio)
		return DEVICE_HOST;
	if (device->recorded && record->prepared && device->caps)
		return DEVICE_READY;
	return DEVICE_FOREIGN;
}

/**
 * device_caps_free() - See device.h
 */
void device_caps_free(struct device *device)
{
	free(device->caps);
	device->caps = NULL;
}

/**
 * device_facts_equal() - See device.h
 */
bool device_facts_equal(const struct kernel_device *a,
			const struct kernel_device *b)
{
	return str_eq(a->bdf, b->bdf) && a->vendor == b->vendor &&
	       a->device == b->device &&
	       a->subsystem_vendor == b->subsystem_vendor &&
	       a->subsystem_device == b->subsystem_device &&
	       a->class == b->class && a->revision == b->revision &&
	       a->bridge == b->bridge && a->numa_node == b->numa_node &&
	       str_eq(a->driver, b->driver) && a->vfio == b->vfio &&
	       a->group == b->group && str_eq(a->iommu, b->iommu) &&
	       str_eq(a->physfn, b->physfn) &&
	       a->sriov_total == b->sriov_total &&
	       a->sriov_num == b->sriov_num &&
	       str_eq(a->reset_methods, b->reset_methods) &&
	       a->cdev == b->cdev && str_eq(a->cdev_name, b->cdev_name);
}

/**
 * device_same() - See device.h
 */
bool device_same(const struct kernel_device *facts,
		 const struct device_record *record)
{
	return facts->vendor == record->vendor &&
	       facts->device == record->device &&
	       facts->subsystem_vendor == record->subsystem_vendor &&
	       facts->subsystem_device == record->subsystem_device &&
	       facts->class == record->class;
}

/**
 * device_identify() - See device.h
 */
void device_identify(const struct kernel_device *facts,
		     struct device_record *record)
{
	record->vendor = facts->vendor;
	record->device = facts->device;
	record->subsystem_vendor = facts->subsystem_vendor;
	record->subsystem_device = facts->subsystem_device;
	record->class = facts->class;
}

/**
 * device_check_endpoint() - See device.h
 */
int device_check_endpoint(const struct device *device,
			  const struct group *group, struct error *err)
{
	const struct kernel_device *facts = &device->facts;
	int r = 0;

	if (!facts->bdf[0])
		r = error_set(err, -ENODEV, ERROR_DEVICE_NOT_FOUND,
			      "'%s' is no longer on this host", device->name);
	else if (facts->bridge)
		r = error_set(err, -EINVAL, ERROR_DEVICE_BRIDGE,
			      "%s is a bridge (class %06x, driver %s)",
			      facts->bdf, facts->class,
			      facts->driver[0] ? facts->driver : "none");
	else if (group && group_unassignable(group))
		r = error_set(err, -EINVAL, ERROR_DEVICE_DIRECT_MAPPED,
			      "%s is in group %d, which has a direct reserved region: the platform itself does DMA there",
			      facts->bdf, group->facts.number);
	if (r < 0)
		error_object(err, "%s", device->name);
	return r;
}

/**
 * group_unassignable() - See device.h
 */
bool group_unassignable(const struct group *group)
{
	size_t i;

	for (i = 0; i < group->facts.n_reserved; i++)
		if (str_eq(group->facts.reserved[i].type, "direct"))
			return true;
	return false;
}

/**
 * harmless() - Does a device leave its group viable?
 * @facts:	The device
 *
 * The drivers that the kernel itself takes as doing no DMA of their own.
 */
static bool harmless(const struct kernel_device *facts)
{
	return facts->bridge || facts->vfio || !facts->driver[0] ||
	       str_eq(facts->driver, "pci-stub");
}

/**
 * group_blockers() - See device.h
 */
int group_blockers(const struct group *group, struct error *err)
{
	int r = 0;
	size_t i;

	for (i = 0; i < group->n_devices; i++) {
		const struct kernel_device *facts = &group->devices[i]->facts;

		if (harmless(facts))
			continue;
		if (!r)
			r = error_set(err, -EPERM, ERROR_GROUP_NOT_VIABLE,
				      "group %d cannot be assigned while a host driver has a device of it",
				      group->facts.number);
		error_cause(err, "device", group->devices[i]->name,
			    "is with driver %s", facts->driver);
	}
	if (r < 0)
		error_object(err, "%s", group->name);
	return r;
}

/**
 * group_deinit() - See device.h
 */
void group_deinit(struct group *group)
{
	free(group->facts.reserved);
	free(group->devices);
	*group = (struct group){ .name = "" };
}
