/* SPDX-License-Identifier: Apache-2.0
 *
 * probe.h - what a device, its driver and its IOMMU can do together
 */
#ifndef IOASIDD_OPS_PROBE_H
#define IOASIDD_OPS_PROBE_H

#include "ops/journal.h"

/**
 * struct probe_context - A device bound in a context that is thrown away
 * @iommufd:	The context
 * @cdev:	The device, bound; the last close of it unbinds
 * @dev_id:	Its id in the context
 * @bind_us:	How long BIND took
 */
struct probe_context {
	int iommufd;
	int cdev;
	uint32_t dev_id;
	uint64_t bind_us;
};

#define PROBE_CONTEXT_NULL ((struct probe_context){ .iommufd = -1, .cdev = -1 })

/**
 * probe_bind() - Bind a device in a context of its own; resets the function
 * @bdf:	On its VFIO driver, claimed
 * @ret:	Ends with probe_release()
 */
int probe_bind(struct host *host, const char *bdf, struct probe_context *ret,
	       struct error *err);

void probe_release(struct probe_context *context);

#define _cleanup_probe_ __attribute__((cleanup(probe_release)))

/**
 * probe_device() - Find out what a device can do, and journal it as one act
 * @op:		The operation, which has claimed the device
 * @device:	The draft's copy, on its VFIO driver
 * @ret:	To be freed
 * @ret_resets:	A reset of the function works; what sysfs says of that is what
 *		the kernel thought when it scanned the bus
 *
 * Return: 0; -EPERM group.not-viable or device.unsafe-interrupts; other kernel
 * errors.
 */
int probe_device(struct host *host, struct operation *op,
		 const struct device *device, struct capabilities **ret,
		 bool *ret_resets, struct error *err);

#endif
