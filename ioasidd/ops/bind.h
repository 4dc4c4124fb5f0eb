/* SPDX-License-Identifier: Apache-2.0
 *
 * bind.h - what resets a function and does not wait for its lock, with patience
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
 * open_device() - Have a device of a group, and again as bind_device()
 * @group:	The group, in a container
 * @bdf:	The device
 * @ret_fd:	Its descriptor
 * @ret_us:	How long the last try took; NULL for not wanted
 *
 * Resets the function, if nobody else has it open. Blocks up to 5 s.
 *
 * Return: 0; as group_device() of the kernel's table.
 */
int open_device(struct host *host, int group, const char *bdf, int *ret_fd,
		uint64_t *ret_us, struct error *err);

#endif
