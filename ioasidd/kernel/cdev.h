/* SPDX-License-Identifier: Apache-2.0
 *
 * cdev.h - a function's own VFIO cdev, found and explained by sysfs
 */
#ifndef IOASIDD_KERNEL_CDEV_H
#define IOASIDD_KERNEL_CDEV_H

#include "kernel/kernel.h"

/**
 * cdev_open() - Open a function's own cdev
 * @sysfs:	An open sysfs
 * @folder:	Where the nodes are, "/dev/vfio/devices"
 * @bdf:	The function
 * @ret_fd:	The cdev, not bound
 * @err:	Filled on failure
 *
 * sysfs says which number is the function's, and is asked again afterwards: a
 * number is used anew when a function is taken from its driver.
 *
 * Return: 0; -ENOENT, kernel.no-cdev, if it has none; -ESTALE if it is not
 * the same one any more; -ENODEV, device.not-found; open(2) errors.
 */
int cdev_open(int sysfs, const char *folder, const char *bdf, int *ret_fd,
	      struct error *err);

/**
 * cdev_bind() - Bind a function to an iommufd, and say why not
 * @sysfs:	An open sysfs, to find out why not
 * @proc:	An open procfs, likewise
 * @bdf:	The function
 * @cdev:	Its cdev
 * @iommufd:	A context
 * @ret_dev_id:	Its id there
 * @err:	Filled on failure
 *
 * Return: as vfio_bind(), but -EPERM is group.not-viable, with the siblings
 * that are in the way, device.unsafe-interrupts, or device.unusable if nothing
 * shows why.
 */
int cdev_bind(int sysfs, int proc, const char *bdf, int cdev, int iommufd,
	      uint32_t *ret_dev_id, struct error *err);

#endif
