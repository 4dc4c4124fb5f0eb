/* SPDX-License-Identifier: Apache-2.0
 *
 * vfio.h - one function for each call to a VFIO device that we make
 */
#ifndef IOASIDD_KERNEL_VFIO_H
#define IOASIDD_KERNEL_VFIO_H

#include "kernel/kernel.h"

/* vfio_is_host_driver() - Does its driver keep the group of a function from
 * being assigned? Those that do no DMA of their own (driver_managed_dma in
 * Linux) do not.
 */
bool vfio_is_host_driver(const struct kernel_device *dev);

/**
 * vfio_bind() - Bind a function to an iommufd
 * @bdf:	The function, for messages
 * @cdev:	Its cdev; ends what is done here when it is closed
 * @iommufd:	A context
 * @ret_dev_id:	Its id there
 * @err:	Filled on failure
 *
 * Source: VFIO_DEVICE_BIND_IOMMUFD. The function is reset if a reset works, and
 * its whole group belongs to the context until the last device of it is closed.
 *
 * Return: 0; -EPERM if the group belongs to somebody else, or if interrupts are
 * not isolated; -EAGAIN if somebody else has the function's lock just now (a
 * driver switch, a reset by sysfs): to be tried again; -EINVAL if it is bound
 * already; -EBUSY if its group is open by VFIO's group interface; -EACCES for a
 * VF whose PF wants a token; others unchanged. All these are device.unusable.
 */
int vfio_bind(const char *bdf, int cdev, int iommufd, uint32_t *ret_dev_id,
	      struct error *err);

/**
 * vfio_attach() - Attach a bound device to a space or a page table
 * @cdev:	Bound; borrowed
 * @pt_id:	Space or page table in its iommufd
 * @ret_pt_id:	The space given, or the page table now in use
 * @err:	Filled on failure
 *
 * Source: VFIO_DEVICE_ATTACH_IOMMUFD_PT. A device that is attached is moved,
 * not refused. The ranges of the space may become narrower. Undone by
 * VFIO_DEVICE_DETACH_IOMMUFD_PT or the last close.
 *
 * Return: 0; -EBUSY while a device of its group is reset; -EADDRINUSE if a
 * mapping or an allowed range lies where the device reserves; -EINVAL if a
 * sibling is attached elsewhere; -EFAULT if the process behind a mapping has
 * ended; others unchanged.
 */
int vfio_attach(int cdev, uint32_t pt_id, uint32_t *ret_pt_id,
		struct error *err);

/**
 * vfio_detach() - Take a bound device off its space: its DMA is blocked
 * @cdev:	The device, bound
 * @err:	Filled on failure
 *
 * Return: 0, also if it is on none; -errno.
 */
int vfio_detach(int cdev, struct error *err);

/**
 * vfio_attach_pasid() - Attach one PASID of a bound device
 * @cdev:	Bound; borrowed
 * @pasid:	Which, 1 or higher
 * @pt_id:	Space or page table in its iommufd; a page table was made with
 *		UAPI_HWPT_ALLOC_PASID
 * @ret_pt_id:	The page table now in use
 * @err:	Filled on failure
 *
 * Source: VFIO_DEVICE_ATTACH_IOMMUFD_PT with FLAG_PASID, since 6.15. One that
 * is attached is moved. Undone by vfio_detach_pasid() or the last close.
 *
 * Return: 0; -EOPNOTSUPP if the driver has no PASIDs; -EINVAL if the device has
 * none, or the page table, or the one that the rest of the device is on, was not
 * made for them; -ENOTTY or -EINVAL before 6.15; others as vfio_attach().
 */
int vfio_attach_pasid(int cdev, uint32_t pasid, uint32_t pt_id,
		      uint32_t *ret_pt_id, struct error *err);

/**
 * vfio_detach_pasid() - Take a PASID off what it is on
 * @cdev:	Bound; borrowed
 * @pasid:	Which
 * @err:	Filled on failure
 *
 * Return: 0, also if it is on none; -EOPNOTSUPP if the driver has no PASIDs.
 */
int vfio_detach_pasid(int cdev, uint32_t pasid, struct error *err);

/**
 * vfio_reset_set() - Ask which functions a hot reset of the bus resets
 * @cdev:	Bound; borrowed
 * @ret:	Their addresses, its own too; the caller frees them
 * @ret_n:	How many; 0 if neither bus nor slot can be reset
 * @err:	Filled on failure
 *
 * Source: VFIO_DEVICE_GET_PCI_HOT_RESET_INFO. It tells the low 16 bits of the
 * domain only.
 *
 * Return: 0; -EAGAIN if functions come and go; -ENOMEM; others unchanged.
 */
int vfio_reset_set(int cdev, char (**ret)[BDF_SIZE], size_t *ret_n,
		   struct error *err);

/**
 * vfio_reset() - Reset a bound device
 * @cdev:	Bound; borrowed
 * @err:	Filled on failure
 *
 * Source: VFIO_DEVICE_RESET.
 *
 * Return: 0; -EINVAL or -ENOTTY if it has no function reset; -ETIMEDOUT and
 * others of the reset itself.
 */
int vfio_reset(int cdev, struct error *err);

/**
 * vfio_health() - Read what a bound device answers
 * @cdev:	Bound; borrowed
 * @ret:	What was read
 * @err:	Filled on failure
 *
 * Source: VFIO_DEVICE_GET_REGION_INFO and pread(2) of the regions. To read a
 * BAR, memory space is switched on in PCI_COMMAND, and put back.
 *
 * Return: 0; -EIO if something could not be read; others unchanged.
 */
int vfio_health(int cdev, struct kernel_health *ret, struct error *err);

#endif
