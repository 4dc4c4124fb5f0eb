/* SPDX-License-Identifier: Apache-2.0
 *
 * view.c - what clients see: objects of the model as messages of the contract
 */
#include "front/view.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "model/tce.h"
#include "ops/ops.h"

/* What is around an object in a packet: of a change its name and time, of a page
 * its token; and the step that says that some are left out. Bytes.
 */
#define VIEW_AROUND 4096

/**
 * view_time() - A moment
 * @arena:	Where it goes
 * @us:		Microseconds since 1970; 0 for none
 *
 * Return: the moment; NULL for none.
 */
pb_timestamp *view_time(struct arena *arena, uint64_t us)
{
	pb_timestamp *time;

	if (!us)
		return NULL;
	time = arena_message(arena, &google__protobuf__timestamp__descriptor);
	if (!time)
		return NULL;
	time->seconds = (int64_t)(us / 1000000);
	time->nanos = (int32_t)(us % 1000000 * 1000);

	return time;
}

/**
 * view_etag() - An object's etag
 * @arena:	Where it goes
 * @revision:	The object's
 */
char *view_etag(struct arena *arena, uint64_t revision)
{
	char etag[24];

	etag_of(revision, etag);
	return arena_text(arena, etag);
}

/**
 * view_array() - Room for a list of pointers
 * @arena:	Where it goes
 * @n:		How many
 *
 * Return: the room; NULL if @n is 0 or there is no memory.
 */
static void *view_array(struct arena *arena, size_t n)
{
	return n ? arena_alloc(arena, n * sizeof(void *)) : NULL;
}

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
 * view_causes() - What stands in the way
 * @arena:	Where it goes
 * @err:	Who names it
 * @ret_n:	How many
 */
static pb_cause **view_causes(struct arena *arena, const struct error *err,
			      size_t *ret_n)
{
	pb_cause **causes = view_array(arena, err->n_causes);

	*ret_n = 0;
	for (size_t i = 0; causes && i < err->n_causes; i++) {
		pb_cause *cause = arena_message(arena, PB(cause));

		if (!cause)
			break;
		cause->kind = arena_text(arena, err->causes[i].kind);
		cause->name = arena_text(arena, err->causes[i].name);
		cause->detail = arena_text(arena, err->causes[i].detail);
		causes[(*ret_n)++] = cause;
	}
	return causes;
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

/**
 * view_step() - One step
 * @arena:	Where it goes
 * @step:	The step
 */
static pb_step *view_step(struct arena *arena, const struct step *step)
{
	pb_step *ret = arena_message(arena, PB(step));

	if (!ret)
		return NULL;
	ret->object = arena_text(arena, step->object);
	ret->act = arena_text(arena, step->act);
	ret->method = arena_text(arena, step->method);
	ret->result = arena_text(arena, step->result);
	ret->took_us = step->took_us;
	ret->at = view_time(arena, step->at_us);

	return ret;
}

/**
 * view_left_out() - A step that says that some are missing
 * @arena:	Where it goes
 * @n:		How many
 */
static pb_step *view_left_out(struct arena *arena, size_t n)
{
	struct step step = { .act = "..." };

	snprintf(step.result, sizeof(step.result),
		 "%zu earlier steps are left out: they do not fit", n);
	return view_step(arena, &step);
}

/**
 * view_steps() - Steps, the newest if not all of them fit
 * @arena:	Where they go
 * @op:		Whose; NULL for none
 * @room:	Bytes that they may have
 * @ret_n:	How many
 *
 * Filled from the end, so that what is left out is the beginning.
 */
static pb_step **view_steps(struct arena *arena, const struct operation *op,
			    size_t room, size_t *ret_n)
{
	size_t n = op ? op->n_steps : 0, first = n, size = 0;
	pb_step **steps = view_array(arena, n);

	*ret_n = 0;
	if (!steps)
		return NULL;
	while (first) {
		pb_step *step = view_step(arena, &op->steps[first - 1]);

		if (!step)
			return NULL;
		/* 1 for the tag, 2 for the length */
		size += 3 + ioasid__v1__step__get_packed_size(step);
		if (size > room)
			break;
		steps[--first] = step;
	}
	if (first) {
		steps[first - 1] = view_left_out(arena, first);
		if (!steps[--first])
			return NULL;
	}
	*ret_n = n - first;

	return steps + first;
}

/**
 * view_holder() - A holder of a lease
 * @arena:	Where it goes
 * @holder:	The holder
 */
static pb_holder *view_holder(struct arena *arena, const struct holder *holder)
{
	pb_holder *ret = arena_message(arena, PB(holder));

	if (!ret)
		return NULL;
	ret->pid = holder->process.pid;
	ret->start_ticks = holder->process.start_ticks;
	ret->uid = holder->process.uid;
	ret->gid = holder->process.gid;
	ret->cgroup = arena_text(arena, holder->process.cgroup);
	ret->boot_id = arena_text(arena, holder->boot_id);
	ret->since = view_time(arena, holder->since_us);
	ret->until = view_time(arena, holder->until_us);
	ret->why = arena_text(arena, holder->why);

	return ret;
}

/**
 * view_holders() - The holders of a lease, at most LEASE_HOLDERS_MAX
 * @arena:	Where they go
 * @lease:	The lease
 * @ret:	Its view
 */
static void view_holders(struct arena *arena, const struct lease *lease,
			 pb_lease *ret)
{
	ret->holders = view_array(arena, lease->n_holders);
	for (size_t i = 0; ret->holders && i < lease->n_holders; i++) {
		pb_holder *holder = view_holder(arena, &lease->holders[i]);

		if (!holder)
			return;
		ret->holders[ret->n_holders++] = holder;
	}
}

/**
 * view_labels() - What its owner calls a lease
 * @arena:	Where it goes
 * @lease:	The lease; labels are pairs
 * @ret:	Its view
 */
static void view_labels(struct arena *arena, const struct lease *lease,
			pb_lease *ret)
{
	ret->labels = view_array(arena, lease->labels.n / 2);
	for (size_t i = 0; ret->labels && i + 1 < lease->labels.n; i += 2) {
		pb_label *label = arena_message(arena,
						PB(lease__labels_entry));

		if (!label)
			return;
		label->key = arena_text(arena, lease->labels.items[i]);
		label->value = arena_text(arena, lease->labels.items[i + 1]);
		ret->labels[ret->n_labels++] = label;
	}
}

/**
 * view_lease_devices() - The devices of a lease, and what they bring with them
 * @arena:	Where it goes
 * @reg:	All devices
 * @lease:	The lease
 * @ret:	Its view
 */
static void view_lease_devices(struct arena *arena, struct registry *reg,
			       const struct lease *lease, pb_lease *ret)
{
	ret->devices = view_array(arena, lease->devices.n);
	for (size_t i = 0; ret->devices && i < lease->devices.n; i++) {
		const char *name = lease->devices.items[i];
		const struct device *device = registry_device(reg, name);

		ret->devices[ret->n_devices++] = arena_text(arena, name);
		if (!device || !device->recorded)
			continue;
		ret->no_reset |= device->record.no_reset;
		ret->unsafe_interrupts |= device->record.unsafe_interrupts;
		ret->no_iommu |= device->record.no_iommu;
	}
}

static const Ioasid__V1__Lease__State lease_states[] = {
	[LEASE_OFFERED] = IOASID__V1__LEASE__STATE__OFFERED,
	[LEASE_CLAIMING] = IOASID__V1__LEASE__STATE__CLAIMING,
	[LEASE_HELD] = IOASID__V1__LEASE__STATE__HELD,
	[LEASE_RECLAIMING] = IOASID__V1__LEASE__STATE__RECLAIMING,
	[LEASE_ENDED] = IOASID__V1__LEASE__STATE__ENDED,
};
static_assert(ARRAY_SIZE(lease_states) == LEASE_STATE_COUNT,
	      "each lease state has a number in the contract");

/* view_lease_state() - See view.h */
int view_lease_state(const struct lease *lease)
{
	return lease_states[lease->state];
}

static const Ioasid__V1__Lease__Mode lease_modes[] = {
	[LEASE_TRANSFER] = IOASID__V1__LEASE__MODE__TRANSFER,
	[LEASE_HOLD] = IOASID__V1__LEASE__MODE__HOLD,
	[LEASE_GUARDED] = IOASID__V1__LEASE__MODE__GUARDED,
};
static_assert(ARRAY_SIZE(lease_modes) == LEASE_MODE_COUNT,
	      "each mode has a number in the contract");

/**
 * view_claimant() - Who may claim a lease
 * @arena:	Where it goes
 * @lease:	The lease
 */
static pb_claimant *view_claimant(struct arena *arena,
				  const struct lease *lease)
{
	pb_claimant *ret;

	if (lease->claimant_uid == (uid_t)-1)
		return NULL; /* who has the token, and nobody else */
	ret = arena_message(arena, PB(claimant));
	if (!ret)
		return NULL;
	ret->uid = lease->claimant_uid;
	ret->pid = lease->claimant_pid;
	ret->unit = arena_text(arena, lease->claimant_unit);

	return ret;
}

/**
 * view_kept() - What a hold or guarded lease has beside
 * @arena:	Where it goes
 * @lease:	The lease
 * @ret:	Its view
 */
static void view_kept(struct arena *arena, const struct lease *lease,
		      pb_lease *ret)
{
	size_t n;

	ret->grace_ms = lease->grace_ms;
	ret->volatile_ = lease->volatile_lease;
	if (lease->mapped) {
		mapped_count(lease->mapped, NULL, &n, &ret->mapped_bytes);
		ret->mappings = (uint32_t)n;
	}
	ret->kept = lease->kept;
	ret->device_ids = arena_alloc(arena, lease->n_device_ids *
					     sizeof(*ret->device_ids));
	for (size_t i = 0; ret->device_ids && i < lease->n_device_ids; i++)
		ret->device_ids[ret->n_device_ids++] = lease->device_ids[i];
	ret->page_tables = view_array(arena, lease->n_tables);
	for (size_t i = 0; ret->page_tables && i < lease->n_tables; i++)
		ret->page_tables[ret->n_page_tables++] =
			arena_text(arena, lease->tables[i].name);
	ret->spaces = view_array(arena, lease->n_spaces);
	for (size_t i = 0; ret->spaces && i < lease->n_spaces; i++) {
		pb_space *space = view_space(arena, lease, &lease->spaces[i]);

		if (!space)
			return;
		ret->spaces[ret->n_spaces++] = space;
	}
}

/**
 * view_reclaim() - How its devices were made safe, as far as there is room
 * @arena:	Where it goes
 * @reg:	All operations
 * @lease:	The lease
 * @ret:	Its view, with all else
 */
static void view_reclaim(struct arena *arena, struct registry *reg,
			 const struct lease *lease, pb_lease *ret)
{
	size_t size = VIEW_AROUND +
		      protobuf_c_message_get_packed_size(&ret->base);
	size_t room = size < MESSAGE_MAX ? MESSAGE_MAX - size : 0;

	if (room > VIEW_STEPS_SIZE)
		room = VIEW_STEPS_SIZE;
	ret->reclaim = view_steps(arena,
				  registry_operation(reg, lease->reclaim),
				  room, &ret->n_reclaim);
}

/* view_lease() - A lease */
pb_lease *view_lease(struct arena *arena, struct registry *reg,
		     const struct lease *lease)
{
	pb_lease *ret = arena_message(arena, PB(lease));

	if (!ret)
		return NULL;
	ret->name = arena_text(arena, lease->name);
	ret->revision = lease->revision;
	ret->etag = view_etag(arena, lease->revision);
	ret->state = lease_states[lease->state];
	ret->mode = lease_modes[lease->mode];
	view_lease_devices(arena, reg, lease, ret);
	ret->owner_uid = lease->owner_uid;
	ret->owner = arena_text(arena, lease->owner);
	ret->has_token = lease->has_token;
	ret->token_expires = view_time(arena, lease->token_expires_us);
	ret->claimant = view_claimant(arena, lease);
	view_labels(arena, lease, ret);
	ret->memlock_unlimited = lease->memlock_unlimited;
	ret->memlock_bytes = lease->memlock_unlimited ? 0 : lease->memlock;
	ret->expires = view_time(arena, lease->expires_us);
	ret->incarnation = lease->incarnation;
	view_holders(arena, lease, ret);
	ret->acknowledged = lease->acknowledged;
	ret->restore_after = lease->restore_after;
	ret->created = view_time(arena, lease->created_us);
	ret->ended = view_time(arena, lease->ended_us);
	ret->end_reason = arena_text(arena, lease->end_reason);
	view_kept(arena, lease, ret);
	view_nodes(arena, reg, lease, ret);
	if (*lease->reclaim)
		view_reclaim(arena, reg, lease, ret);

	return ret;
}

/**
 * view_error() - Why an operation failed
 * @arena:	Where it goes
 * @err:	The error; ERROR_NONE for none
 */
static pb_error *view_error(struct arena *arena, const struct error *err)
{
	const struct error_kind *kind = error_kind(err->kind);
	pb_error *ret;

	if (err->kind == ERROR_NONE)
		return NULL;
	ret = arena_message(arena, PB(error));
	if (!ret)
		return NULL;
	ret->id = arena_text(arena, kind->id);
	ret->message = arena_text(arena, err->msg);
	ret->object = arena_text(arena, err->object);
	ret->remedy = arena_text(arena,
				 *err->remedy ? err->remedy : kind->remedy);
	ret->causes = view_causes(arena, err, &ret->n_causes);

	return ret;
}

static const Ioasid__V1__Operation__State operation_states[] = {
	[OPERATION_RUNNING] = IOASID__V1__OPERATION__STATE__RUNNING,
	[OPERATION_DONE] = IOASID__V1__OPERATION__STATE__DONE,
	[OPERATION_FAILED] = IOASID__V1__OPERATION__STATE__FAILED,
};
static_assert(ARRAY_SIZE(operation_states) == OPERATION_STATE_COUNT,
	      "each operation state has a number in the contract");

/* view_operation_state() - See view.h */
int view_operation_state(const struct operation *op)
{
	return operation_states[op->state];
}

/* view_operation() - An operation */
pb_operation *view_operation(struct arena *arena, const struct operation *op)
{
	pb_operation *ret = arena_message(arena, PB(operation));

	if (!ret)
		return NULL;
	ret->name = arena_text(arena, op->name);
	ret->revision = op->revision;
	ret->etag = view_etag(arena, op->revision);
	ret->kind = arena_text(arena, operation_kind_name(op->kind));
	ret->target = arena_text(arena, op->target);
	ret->state = operation_states[op->state];
	ret->step = arena_text(arena, op->step);
	ret->steps = view_steps(arena, op, VIEW_STEPS_SIZE, &ret->n_steps);
	ret->principal = arena_text(arena, op->principal);
	ret->request_id = arena_text(arena, op->request_id);
	if (op->state == OPERATION_FAILED)
		ret->error = view_error(arena, &op->error);
	ret->created = view_time(arena, op->created_us);
	ret->ended = view_time(arena, op->ended_us);
	ret->cancelling = op->state == OPERATION_RUNNING && op->cancelling;

	return ret;
}
