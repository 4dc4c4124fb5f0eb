/* SPDX-License-Identifier: Apache-2.0
 *
 * blame.h - who keeps an IOMMU group from being assigned
 */
#ifndef IOASIDD_KERNEL_BLAME_H
#define IOASIDD_KERNEL_BLAME_H

#include "kernel/kernel.h"

/**
 * blame_siblings() - Which devices of a group keep it from being assigned?
 * @sysfs:	An open sysfs
 * @proc:	An open procfs
 * @group:	Its number; -1 for none
 * @bdf:	One that is not blamed; empty for none
 * @found:	A filled error: each is added as a cause, and what would free the
 *		first with a host driver is its remedy
 *
 * Return: how many.
 */
int blame_siblings(int sysfs, int proc, int group, const char *bdf,
		   struct error *found);

/**
 * blame_permission() - Find out what EPERM of VFIO means
 * @sysfs:	An open sysfs
 * @proc:	An open procfs
 * @group:	The group that is concerned
 * @bdf:	The device that is concerned; empty for all of the group
 * @module:	Whose parameter allow_unsafe_interrupts counts
 * @what:	What was refused, such as "VFIO_SET_IOMMU of group 7"
 * @err:	Filled
 *
 * The kernel says EPERM for a group that has another owner, a host driver
 * counting as one, and for interrupts that are not isolated.
 *
 * Return: -EPERM: group.not-viable with the devices in the way,
 * device.unsafe-interrupts, or device.unusable if nothing shows why.
 */
int blame_permission(int sysfs, int proc, int group, const char *bdf,
		     const char *module, const char *what, struct error *err);

#endif
