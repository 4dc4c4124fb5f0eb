/* SPDX-License-Identifier: Apache-2.0
 *
 * probe.h - what a device, its driver and its IOMMU can do together
 */
#ifndef IOASIDD_OPS_PROBE_H
#define IOASIDD_OPS_PROBE_H

#include "ops/journal.h"

/**
 * struct probe_context - A device bound in a context that is thrown away
 * @backend:	What the context is of
 * @iommufd:	The context, of iommufd
 * @container:	The context, of type1
 * @group:	With @container: the device's group, in it
 * @cdev:	The device, bound; the last close of it unbinds
 * @dev_id:	With @iommufd: its id in the context
 * @bind_us:	How long BIND took, or to get the device from its group
 */
struct probe_context {
	enum kernel_backend backend;
	int iommufd;
	int container;
	int group;
	int cdev;
	uint32_t dev_id;
	uint64_t bind_us;
};

#define PROBE_CONTEXT_NULL \
	((struct probe_context){ .iommufd = -1, .container = -1, .group = -1, \
				 .cdev = -1 })

/**
 * probe_bind() - Bind a device in a context of its own; resets the function
 * @facts:	The device: on its VFIO driver, claimed
 * @ret:	Ends with probe_release()
 *
 * Without iommufd it is taken out of its group, which nobody else can have then:
 * so one device of a group after the other.
 */
int probe_bind(struct host *host, const struct kernel_device *facts,
	       struct probe_context *ret, struct error *err);

/* probe_act() - What probe_bind() does here, for records: "bind" or "open". */
const char *probe_act(struct host *host);

void probe_release(struct probe_context *context);

#define _cleanup_probe_ __attribute__((cleanup(probe_release)))

/**
 * probe_group_free() - Can the group of a device be opened?
 * @facts:	The device, claimed with its group
 *
 * Only without iommufd, where a group is open once: so it shows that somebody has
 * it, or a device of it, who is found nowhere else. One who ends just now is waited
 * for, 2 s.
 *
 * Return: 0, also if it is not with VFIO, and with iommufd; -EBUSY device.held.
 */
int probe_group_free(struct host *host, const struct kernel_device *facts,
		     struct error *err);

/* --- probe-type1.c, for probe.c --- */

/* probe_open_type1() - probe_bind() without iommufd. @context: what was opened is
 * in it on failure, too.
 */
int probe_open_type1(struct host *host, const struct kernel_device *facts,
		     struct probe_context *context, struct error *err);

/* probe_read_type1() - Ask the container what it can do. */
int probe_read_type1(struct host *host, const struct probe_context *context,
		     struct capabilities *caps, struct error *err);

/* probe_read_spapr() - The same of POWER's (probe-spapr.c). */
int probe_read_spapr(struct host *host, const struct probe_context *context,
		     struct capabilities *caps, struct error *err);

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
