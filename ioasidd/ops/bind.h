/* SPDX-License-Identifier: Apache-2.0
 *
 * bind.h - VFIO_DEVICE_BIND_IOMMUFD, and VFIO_GROUP_GET_DEVICE_FD, with patience
 */
#ifndef IOASIDD_OPS_BIND_H
#define IOASIDD_OPS_BIND_H

#include "ops/host.h"

/**
 * bind_device() - BIND, and again while somebody else has the device's lock
 * @bdf:	The device
 * @cdev:	Its descriptor
 * @iommufd:	The context
 * @ret_dev_id:	The device's id there
 * @ret_us:	How long the last try took; NULL for not wanted
 *
 * Resets the function. Blocks up to 5 s.
 *
 * Return: 0; as vfio_bind() of the kernel's table.
 */
int bind_device(struct host *host, const char *bdf, int cdev, int iommufd,
		uint32_t *ret_dev_id, uint64_t *ret_us, struct error *err);

/**
 * bind_group_device() - Have a device of a group, and again while somebody else has
 *			 its lock
 * @bdf:	The device
 * @group:	Its group, in a container
 * @ret_fd:	The device
 *
 * Resets the function if it is the first descriptor of it. Blocks up to 5 s.
 *
 * Return: 0; as group_device() of the kernel's table.
 */
int bind_group_device(struct host *host, const char *bdf, int group,
		      int *ret_fd, struct error *err);

#endif
