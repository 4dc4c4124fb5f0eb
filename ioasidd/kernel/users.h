/* SPDX-License-Identifier: Apache-2.0
 *
 * users.h - does anything on the host use a PCI function?
 *
 * The kernel takes a driver off a disk that is mounted without asking. So we
 * ask before: everything below the function's folder in sysfs is looked at.
 */
#ifndef IOASIDD_KERNEL_USERS_H
#define IOASIDD_KERNEL_USERS_H

#include "kernel/kernel.h"

/**
 * users_find() - Does anything on the host use a function?
 * @sysfs:	An open sysfs
 * @proc:	An open procfs
 * @bdf:	The function
 * @err:	Filled on failure
 *
 * Looked for: file systems mounted in any mount namespace that a process is
 * in; swap; dm, md and other holders of its disks and their partitions;
 * exclusive opens of them, and descriptors open for writing; its network
 * interfaces, in any network namespace, that are up with an address or have
 * another interface on them; VFs that exist; processes that have any other
 * device node of it open or mapped: UIO, VFIO, DRM, a serial port.
 *
 * Return: 0; -EBUSY, device.in-use, with a cause for each user; -ENODEV,
 * device.not-found; -errno if it cannot be told.
 */
int users_find(int sysfs, int proc, const char *bdf, struct error *err);

/**
 * users_cdev_holders() - Which processes but ours have a function's VFIO
 *			  device?
 * @sysfs:	An open sysfs
 * @proc:	An open procfs
 * @dev:	The function; one whose @cdev is known from before the cdev was
 *		taken out of sysfs is found by it still
 * @err:	Filled on failure
 *
 * Return: 0; -EBUSY, device.held, with a cause for each; -errno.
 */
int users_cdev_holders(int sysfs, int proc, const struct kernel_device *dev,
		       struct error *err);

/**
 * users_group_holders() - Which processes but ours have a VFIO group, or devices
 *			   of it?
 * @sysfs:	An open sysfs
 * @proc:	An open procfs
 * @group:	The group's number; it is known to be held
 * @err:	Filled
 *
 * Return: -EBUSY, device.held, with a cause for each that shows.
 */
int users_group_holders(int sysfs, int proc, int group, struct error *err);

/**
 * users_mounts() - Which mounts of a mountinfo are of some disks?
 * @text:	/proc/<pid>/mountinfo; changed
 * @disks:	Block devices, by number
 * @n:		How many
 * @where:	Mount namespace, for messages; empty for ours
 * @found:	A filled error; each is added as a cause
 *
 * Return: how many were found.
 */
int users_mounts(char *text, const dev_t *disks, size_t n, const char *where,
		 struct error *found);

#endif
