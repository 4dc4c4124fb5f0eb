/* SPDX-License-Identifier: Apache-2.0
 *
 * front-host.h - a registry with a small machine in it, for tests of front/
 */
#ifndef TESTS_UNIT_FRONT_HOST_H
#define TESTS_UNIT_FRONT_HOST_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/registry.h"
#include "ops/host.h"

#define BOOT_ID "01234567-89ab-cdef-0123-456789abcdef"

/**
 * machine_add() - Add a function to an inventory that has room
 * @inv:	The inventory
 * @bdf:	Its address
 * @group:	Its group; -1 for none
 *
 * Return: the function, to be changed.
 */
static inline struct kernel_device *
machine_add(struct kernel_inventory *inv, const char *bdf, int group)
{
	struct kernel_device *device = &inv->devices[inv->n_devices++];

	str_copy(device->bdf, sizeof(device->bdf), bdf);
	device->vendor = 0x8086;
	device->device = 0x10c9;
	device->class = 0x020000;
	device->numa_node = -1;
	device->group = group;
	str_copy(device->iommu, sizeof(device->iommu),
		 group < 0 ? "" : "dmar0");
	return device;
}

/**
 * machine_new() - A bridge, a PF with @n_vfs VFs on vfio-pci, a disk, and a
 *		   function that nothing isolates
 * @n_vfs:	At most 256
 *
 * The PF is in group 1, the disk in 2, the VFs in 10 and up.
 */
static inline struct kernel_inventory *machine_new(unsigned int n_vfs)
{
	struct kernel_inventory *inv = calloc(1, sizeof(*inv));
	struct kernel_device *device;
	char bdf[BDF_SIZE];

	inv->devices = calloc(n_vfs + 4, sizeof(*inv->devices));
	inv->groups = calloc(n_vfs + 2, sizeof(*inv->groups));
	inv->iommus = calloc(1, sizeof(*inv->iommus));

	device = machine_add(inv, "0000:00:01.0", 0);
	device->bridge = true;
	device = machine_add(inv, "0000:01:00.0", 1);
	device->sriov_total = 256;
	device->sriov_num = n_vfs;
	str_copy(device->driver, DRIVER_SIZE, "igb");
	str_copy(device->reset_methods, sizeof(device->reset_methods),
		 "flr  pm bus");
	device = machine_add(inv, "0000:02:00.0", 2);
	str_copy(device->driver, DRIVER_SIZE, "nvme");
	for (unsigned int i = 0; i < n_vfs; i++) {
		snprintf(bdf, sizeof(bdf), "0000:03:%02x.%u", i / 8, i % 8);
		device = machine_add(inv, bdf, (int)(10 + i));
		str_copy(device->physfn, BDF_SIZE, "0000:01:00.0");
		str_copy(device->driver, DRIVER_SIZE, "vfio-pci");
		device->vfio = true;
		snprintf(device->cdev_name, sizeof(device->cdev_name),
			 "vfio%u", i);
	}
	(void)machine_add(inv, "0000:ff:00.0", -1);

	for (size_t i = 1; i + 1 < inv->n_devices; i++) {
		struct kernel_group *group = &inv->groups[inv->n_groups++];

		group->number = inv->devices[i].group;
		str_copy(group->type, sizeof(group->type), "DMA-FQ");
	}
	inv->groups[0].reserved = calloc(1, sizeof(struct kernel_reserved));
	inv->groups[0].reserved[0].start = 0xfee00000;
	inv->groups[0].reserved[0].last = 0xfeefffff;
	str_copy(inv->groups[0].reserved[0].type, 24, "msi");
	inv->groups[0].n_reserved = 1;

	str_copy(inv->iommus[0].name, sizeof(inv->iommus[0].name), "dmar0");
	str_copy(inv->iommus[0].family, 16, "vt-d");
	str_copy(inv->iommus[0].registers[0].name, 24, "cap");
	str_copy(inv->iommus[0].registers[0].value, 40, "c9de008cee690462");
	inv->iommus[0].n_registers = 1;
	inv->n_iommus = 1;
	inv->isolated_msi = ISOLATED_MSI_YES;
	return inv;
}

/**
 * machine_free() - What registry_scan() left of an inventory
 */
static inline void machine_free(struct kernel_inventory *inv)
{
	for (size_t i = 0; i < inv->n_groups; i++)
		free(inv->groups[i].reserved);
	free(inv->devices);
	free(inv->groups);
	free(inv->iommus);
	free(inv);
}

/**
 * machine_registry() - A registry that has scanned such a machine
 */
static inline struct registry *machine_registry(unsigned int n_vfs)
{
	struct kernel_inventory *inv = machine_new(n_vfs);
	struct registry *reg;

	if (registry_new(BOOT_ID, &reg) < 0)
		abort();
	registry_lock(reg);
	if (registry_scan(reg, inv) < 0)
		abort();
	registry_unlock(reg);
	machine_free(inv);
	return reg;
}

/**
 * machine_prepare() - Let a VF be as if prepared and probed
 * @reg:	Its registry
 * @name:	"devices/..."
 */
static inline void machine_prepare(struct registry *reg, const char *name)
{
	struct device *device;
	struct capabilities *caps = calloc(1, sizeof(*caps));

	registry_lock(reg);
	device = registry_device(reg, name);
	if (!device)
		abort();
	str_copy(caps->driver, DRIVER_SIZE, "vfio-pci");
	str_copy(caps->boot_id, sizeof(caps->boot_id), BOOT_ID);
	caps->probed_us = 1700000000123456;
	caps->ranges[0].start = 0x100000;
	caps->ranges[0].last = UINT64_MAX;
	caps->n_ranges = 1;
	caps->alignment = 4096;
	caps->hw.type = 1;
	memcpy(caps->hw.data, "\1\2\3\4", 4);
	caps->hw.data_len = 4;
	caps->bind_us = 100000;
	caps->backend = reg->backend = KERNEL_BACKEND_IOMMUFD;
	caps->dma_entries = 65535;
	str_copy(caps->reset_set[0], BDF_SIZE, device->facts.bdf);
	caps->n_reset_set = 1;
	device->caps = caps;
	device->recorded = true;
	device->record.prepared = true;
	device->record.no_reset = true;
	device->record.vendor = device->facts.vendor;
	device->record.device = device->facts.device;
	device->record.class = device->facts.class;
	str_copy(device->record.vfio_driver, DRIVER_SIZE, "vfio-pci");
	str_copy(device->record.former_driver, DRIVER_SIZE, "igbvf");
	registry_settle(reg, device);
	registry_unlock(reg);
}

#endif
