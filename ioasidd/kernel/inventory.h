/* SPDX-License-Identifier: Apache-2.0
 *
 * inventory.h - what sysfs says of IOMMUs, groups and PCI functions
 */
#ifndef IOASIDD_KERNEL_INVENTORY_H
#define IOASIDD_KERNEL_INVENTORY_H

#include "kernel/kernel.h"

/**
 * inventory_read() - Read the whole machine
 * @sysfs:	An open sysfs
 * @ret:	Ends with kernel_inventory_free()
 * @err:	Filled on failure
 *
 * Return: 0; -ENOMEM; -errno if the folder of the PCI functions cannot be read.
 */
int inventory_read(int sysfs, struct kernel_inventory **ret,
		   struct error *err);

/**
 * inventory_device() - Read one function
 * @sysfs:	An open sysfs
 * @bdf:	As the kernel writes it
 * @ret:	What it says
 * @err:	Filled on failure
 *
 * Return: 0; -ENODEV, device.not-found; -EINVAL if @bdf is no address; -errno.
 */
int inventory_device(int sysfs, const char *bdf, struct kernel_device *ret,
		     struct error *err);

/**
 * inventory_isolated_msi() - Does the host remap interrupts?
 * @sysfs:	An open sysfs
 *
 * Source: chip_name of the interrupts. On x86 those of a remapped chip begin
 * with "IR-"; a machine that remaps has none left that does not for its
 * IO-APICs. Elsewhere, and where there is no such file, it is not known.
 */
enum kernel_isolated_msi inventory_isolated_msi(int sysfs);

#endif
