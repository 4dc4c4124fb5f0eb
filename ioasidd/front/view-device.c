/* SPDX-License-Identifier: Apache-2.0
 *
 * view-device.c - what clients see of devices, groups and IOMMUs
 */
#include "front/view.h"

#include <assert.h>
#include <string.h>

#include "model/tce.h"

/**
 * view_bdf() - The resource name of a PCI function
 * @arena:	Where it goes
 * @bdf:	Its address; empty for none
 */
static char *view_bdf(struct arena *arena, const char *bdf)
{
	char name[NAME_SIZE] = "";

	if (*bdf)
		device_name_from_bdf(bdf, name);
	return arena_text(arena, name);
}

/**
 * view_virtual_functions() - Names of the VFs of a device
 * @arena:	Where they go
 * @reg:	All devices
 * @device:	The PF
 * @ret_n:	How many
 *
 * A VF's facts name its PF. Their count is taken first.
 */
static char **view_virtual_functions(struct arena *arena, struct registry *reg,
				     const struct device *device,
				     size_t *ret_n)
{
	char **names;
	size_t n = 0;

	*ret_n = 0;
	if (!device->facts.sriov_num)
		return NULL;
	for (size_t i = 0; i < reg->n_devices && n < VIEW_NAMES; i++)
		n += str_eq(reg->devices[i]->facts.physfn, device->facts.bdf);
	names = view_array(arena, n);
	if (!names)
		return NULL;
	for (size_t i = 0; *ret_n < n; i++)
		if (str_eq(reg->devices[i]->facts.physfn, device->facts.bdf))
			names[(*ret_n)++] =
				arena_text(arena, reg->devices[i]->name);
	return names;
}

/**
 * view_words() - The words of a string, each by itself
 * @arena:	Where they go
 * @s:		"flr bus"
 * @ret_n:	How many
 */
static char **view_words(struct arena *arena, const char *s, size_t *ret_n)
{
	size_t size = strlen(s) + 1;
	char *copy = arena_alloc(arena, size), *word, *rest;
	char **words = view_array(arena, size / 2 + 1);

	*ret_n = 0;
	if (!copy || !words)
		return NULL;
	memcpy(copy, s, size);
	for (word = strtok_r(copy, " ", &rest); word;
	     word = strtok_r(NULL, " ", &rest))
		words[(*ret_n)++] = arena_text(arena, word);
	return words;
}

/**
 * view_pci() - What the PCI bus says of a device
 * @arena:	Where it goes
 * @reg:	All devices
 * @device:	The device
 */
static pb_pci *view_pci(struct arena *arena, struct registry *reg,
			const struct device *device)
{
	const struct capabilities *caps = device->caps;
	const struct kernel_device *facts = &device->facts;
	pb_pci *pci = arena_message(arena, PB(pci_details));

	if (!pci)
		return NULL;
	pci->bdf = arena_text(arena, facts->bdf);
	pci->vendor = facts->vendor;
	pci->device = facts->device;
	pci->subsystem_vendor = facts->subsystem_vendor;
	pci->subsystem_device = facts->subsystem_device;
	pci->class_ = facts->class;
	pci->revision_id = facts->revision;
	pci->physical_function = view_bdf(arena, facts->physfn);
	pci->virtual_functions = view_virtual_functions(
		arena, reg, device, &pci->n_virtual_functions);
	pci->sriov_total = facts->sriov_total;
	pci->reset_methods = view_words(arena, facts->reset_methods,
					&pci->n_reset_methods);
	if (!caps)
		return pci;
	pci->reset_set = view_array(arena, caps->n_reset_set);
	for (size_t i = 0; pci->reset_set && i < caps->n_reset_set; i++)
		pci->reset_set[pci->n_reset_set++] =
			view_bdf(arena, caps->reset_set[i]);
	return pci;
}

/**
 * view_ranges() - Ranges of I/O virtual addresses
 * @arena:	Where they go
 * @caps:	What the probe found
 * @ret:	The message they belong to
 */
static void view_ranges(struct arena *arena, const struct capabilities *caps,
			pb_capabilities *ret)
{
	ret->iova_ranges = view_array(arena, caps->n_ranges);
	for (size_t i = 0; ret->iova_ranges && i < caps->n_ranges; i++) {
		pb_range *range = arena_message(arena, PB(iova_range));

		if (!range)
			return;
		range->start = caps->ranges[i].start;
		range->last = caps->ranges[i].last;
		ret->iova_ranges[ret->n_iova_ranges++] = range;
	}
}

/* view_tce() - Which windows a container of SPAPR TCE can have */
static Ioasid__V1__TceCapabilities *
view_tce(struct arena *arena, const struct kernel_tce_info *tce)
{
	Ioasid__V1__TceCapabilities *ret =
		arena_message(arena, PB(tce_capabilities));

	if (!ret)
		return NULL;
	ret->dma32_start = tce->dma32_start;
	ret->dma32_size = tce->dma32_size;
	ret->max_windows = 1;
	if (tce_has_dynamic(tce)) {
		ret->page_sizes = tce->page_sizes;
		ret->max_windows = tce->max_windows;
		ret->levels = tce->levels;
	}
	ret->kernel_page = tce->kernel_page;

	return ret;
}

/**
 * view_capabilities() - What the probe found
 * @arena:	Where it goes
 * @caps:	What it is; NULL for nothing
 */
static pb_capabilities *view_capabilities(struct arena *arena,
					  const struct capabilities *caps)
{
	pb_capabilities *ret;

	if (!caps)
		return NULL;
	ret = arena_message(arena, PB(capabilities));
	if (!ret)
		return NULL;
	ret->probed = view_time(arena, caps->probed_us);
	view_ranges(arena, caps, ret);
	ret->iova_alignment = caps->alignment;
	ret->hw_info_type = caps->hw.type;
	ret->hw_info.data = arena_alloc(arena, caps->hw.data_len);
	if (ret->hw_info.data && caps->hw.data_len <= sizeof(caps->hw.data)) {
		memcpy(ret->hw_info.data, caps->hw.data, caps->hw.data_len);
		ret->hw_info.len = caps->hw.data_len;
	}
	ret->hw_capabilities = caps->hw.capabilities;
	ret->max_pasid_log2 = caps->hw.max_pasid_log2;
	ret->nest_parent = caps->nest_parent;
	ret->dirty_tracking = caps->dirty_tracking;
	ret->pasid = caps->pasid;
	ret->bind_us = caps->bind_us;
	ret->backend = (char *)kernel_backend_name(caps->backend);
	ret->dma_entries = caps->dma_entries;
	if (caps->backend == KERNEL_BACKEND_SPAPR)
		ret->tce = view_tce(arena, &caps->tce);

	return ret;
}

/* The contract's number of each state of ours. */
static const Ioasid__V1__Device__State device_states[] = {
	[DEVICE_HOST] = IOASID__V1__DEVICE__STATE__HOST,
	[DEVICE_PREPARING] = IOASID__V1__DEVICE__STATE__PREPARING,
	[DEVICE_READY] = IOASID__V1__DEVICE__STATE__READY,
	[DEVICE_LEASED] = IOASID__V1__DEVICE__STATE__LEASED,
	[DEVICE_RECLAIMING] = IOASID__V1__DEVICE__STATE__RECLAIMING,
	[DEVICE_QUARANTINED] = IOASID__V1__DEVICE__STATE__QUARANTINED,
	[DEVICE_STUCK] = IOASID__V1__DEVICE__STATE__STUCK,
	[DEVICE_GONE] = IOASID__V1__DEVICE__STATE__GONE,
	[DEVICE_FOREIGN] = IOASID__V1__DEVICE__STATE__FOREIGN,
};
static_assert(ARRAY_SIZE(device_states) == DEVICE_STATE_COUNT,
	      "each device state has a number in the contract");

/* view_device_state() - See view.h */
int view_device_state(const struct device *device)
{
	return device_states[device->state];
}

/**
 * view_isolated_msi() - Whether interrupts are isolated, in the contract's word
 * @msi:	What the scan found
 */
static Ioasid__V1__Device__IsolatedMsi
view_isolated_msi(enum kernel_isolated_msi msi)
{
	switch (msi) {
	case ISOLATED_MSI_YES:
		return IOASID__V1__DEVICE__ISOLATED_MSI__YES;
	case ISOLATED_MSI_NO:
		return IOASID__V1__DEVICE__ISOLATED_MSI__NO;
	case ISOLATED_MSI_UNKNOWN:
		break;
	}
	return IOASID__V1__DEVICE__ISOLATED_MSI__UNKNOWN;
}

/**
 * view_record() - What is on record of a device
 * @arena:	Where it goes
 * @device:	The device
 * @ret:	Its view
 */
static void view_record(struct arena *arena, const struct device *device,
			pb_device *ret)
{
	const struct device_record *record = &device->record;

	if (!device->recorded)
		return;
	if (record->trouble != TROUBLE_NONE) {
		ret->state_reason = arena_text(arena, record->reason);
		ret->state_remedy = arena_text(arena, record->remedy);
	}
	if (!record->prepared)
		return;
	ret->former_driver = arena_text(arena, record->former_driver);
	ret->no_reset = record->no_reset;
	ret->unsafe_interrupts = record->unsafe_interrupts;
	ret->no_iommu |= record->no_iommu;
}

/* view_device() - A device */
pb_device *view_device(struct arena *arena, struct registry *reg,
		       const struct device *device)
{
	pb_device *ret = arena_message(arena, PB(device));
	const struct group *group = registry_group_of(reg, device);
	char iommu[CHANGE_NAME_SIZE];

	if (!ret)
		return NULL;
	iommu_name_from_sysfs(device->facts.iommu, iommu);
	ret->name = arena_text(arena, device->name);
	ret->revision = device->revision;
	ret->etag = view_etag(arena, device->revision);
	ret->state = device_states[device->state];
	ret->bus = (char *)"pci";
	ret->pci = view_pci(arena, reg, device);
	if (ret->pci)
		ret->bus_details_case = IOASID__V1__DEVICE__BUS_DETAILS_PCI;
	if (group)
		ret->group = arena_text(arena, group->name);
	ret->iommu = arena_text(arena, iommu);
	ret->driver = arena_text(arena, device->facts.driver);
	ret->numa_node = device->facts.numa_node;
	/* Also one that somebody else has put there. */
	ret->no_iommu = device->facts.vfio && kernel_no_iommu(&device->facts);
	view_record(arena, device, ret);
	ret->lease = arena_text(arena, device->lease);
	/* One that has only looked so far has changed nothing. */
	if (device->revision != device->claimed_at)
		ret->operation = arena_text(arena, device->operation);
	ret->isolated_msi = view_isolated_msi(reg->isolated_msi);
	ret->capabilities = view_capabilities(arena, device->caps);
	ret->bridge = device->facts.bridge;

	return ret;
}

/**
 * view_reserved() - The reserved regions of a group
 * @arena:	Where they go
 * @group:	The group
 * @ret:	Its view
 */
static void view_reserved(struct arena *arena, const struct group *group,
			  pb_group *ret)
{
	size_t n = group->facts.n_reserved;

	if (n > VIEW_NAMES)
		n = VIEW_NAMES;
	ret->reserved_regions = view_array(arena, n);
	for (size_t i = 0; ret->reserved_regions && i < n; i++) {
		pb_reserved *region;

		region = arena_message(arena, PB(reserved_region));
		if (!region)
			return;
		region->start = group->facts.reserved[i].start;
		region->last = group->facts.reserved[i].last;
		region->type = arena_text(arena,
					  group->facts.reserved[i].type);
		ret->reserved_regions[ret->n_reserved_regions++] = region;
	}
}

/* view_group() - A group */
pb_group *view_group(struct arena *arena, const struct group *group)
{
	pb_group *ret = arena_message(arena, PB(group));
	struct error blockers = ERROR_NULL;
	char iommu[CHANGE_NAME_SIZE];

	if (!ret)
		return NULL;
	iommu_name_from_sysfs(group->iommu, iommu);
	ret->name = arena_text(arena, group->name);
	ret->revision = group->revision;
	ret->etag = view_etag(arena, group->revision);
	ret->number = (uint32_t)group->facts.number;
	ret->type = arena_text(arena, group->facts.type);
	ret->devices = view_array(arena, group->n_devices);
	for (size_t i = 0; ret->devices && i < group->n_devices &&
			   i < VIEW_NAMES; i++)
		ret->devices[ret->n_devices++] =
			arena_text(arena, group->devices[i]->name);
	view_reserved(arena, group, ret);
	ret->viable = !group_blockers(group, &blockers);
	if (!ret->viable)
		ret->blockers = view_causes(arena, &blockers,
					    &ret->n_blockers);
	ret->unassignable = group_unassignable(group);
	ret->iommu = arena_text(arena, iommu);

	return ret;
}

/**
 * view_behind() - The devices behind an IOMMU
 * @arena:	Where their names go
 * @reg:	All devices
 * @sysfs:	The IOMMU's name in sysfs
 * @ret:	Its view
 */
static void view_behind(struct arena *arena, struct registry *reg,
			const char *sysfs, pb_iommu *ret)
{
	size_t n = 0;

	for (size_t i = 0; i < reg->n_devices && n < VIEW_NAMES; i++)
		n += str_eq(reg->devices[i]->facts.iommu, sysfs);
	ret->devices = view_array(arena, n);
	for (size_t i = 0; ret->devices && ret->n_devices < n; i++)
		if (str_eq(reg->devices[i]->facts.iommu, sysfs))
			ret->devices[ret->n_devices++] =
				arena_text(arena, reg->devices[i]->name);
}

/* view_iommu() - An IOMMU */
pb_iommu *view_iommu(struct arena *arena, struct registry *reg,
		     const struct iommu *iommu)
{
	const struct kernel_iommu *facts = &iommu->facts;
	pb_iommu *ret = arena_message(arena, PB(iommu));

	if (!ret)
		return NULL;
	ret->name = arena_text(arena, iommu->name);
	ret->revision = iommu->revision;
	ret->etag = view_etag(arena, iommu->revision);
	ret->family = arena_text(arena, facts->family);
	view_behind(arena, reg, facts->name, ret);
	ret->registers = view_array(arena, facts->n_registers);
	for (size_t i = 0; ret->registers && i < facts->n_registers; i++) {
		pb_register *one = arena_message(arena, PB(register));

		if (!one)
			return NULL;
		one->name = arena_text(arena, facts->registers[i].name);
		one->value = arena_text(arena, facts->registers[i].value);
		ret->registers[ret->n_registers++] = one;
	}

	return ret;
}
