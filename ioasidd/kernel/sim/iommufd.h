/* SPDX-License-Identifier: Apache-2.0
 *
 * iommufd.h - contexts of the simulated machine: what an open iommufd has
 *
 * All under the machine's lock. A new object has the lowest id from 1 on that
 * is free in its context, as in the kernel: ids are used again.
 */
#ifndef IOASIDD_KERNEL_SIM_IOMMUFD_H
#define IOASIDD_KERNEL_SIM_IOMMUFD_H

#include <stdio.h>

#include "kernel/sim/sim.h"

/* The part of a device that is no PASID. */
#define SIM_NO_PASID UINT32_MAX

/**
 * sim_context_new() - An empty context
 * @ret:	One reference
 *
 * Return: 0 or -ENOMEM.
 */
int sim_context_new(struct sim *sim, struct sim_context **ret);

/* sim_context_ref() - An open iommufd holds one, and each device bound to it:
 * so a bound cdev keeps its context. Return: @context.
 */
struct sim_context *sim_context_ref(struct sim_context *context);

/* sim_context_unref() - With the last one all objects end, and what was pinned
 * for them is accounted to nobody any more. NULL is allowed. Return: NULL.
 */
struct sim_context *sim_context_unref(struct sim_context *context);

/**
 * sim_context_add_device() - A device is bound
 * @ret_id:	Its id
 *
 * The caller has checked group and ownership; what the context itself refuses
 * is -ENOMEM only.
 */
int sim_context_add_device(struct sim_context *context,
			   struct sim_device *device, uint32_t *ret_id);

/* sim_context_remove_device() - It is closed: detached from everything, and
 * page tables that were made for it by an attach to a space end.
 */
void sim_context_remove_device(struct sim_context *context, uint32_t id);

/**
 * sim_context_attach() - VFIO_DEVICE_ATTACH_IOMMUFD_PT
 * @id:		The device's
 * @pasid:	SIM_NO_PASID, or which
 * @pt_id:	Space or page table
 * @ret_pt_id:	The page table now in use: the one given, or the one that the
 *		attach to a space has made or found
 *
 * One that is attached is moved; if that fails it stays where it was.
 *
 * Return: 0; -ENOENT; -EINVAL: a sibling of the group is elsewhere, no space
 * and no page table, a page table without PASID for a PASID, ...; -EADDRINUSE: a
 * mapping or window lies where the device reserves; -EFAULT: the process behind
 * a mapping has ended; -EINVAL: a file behind a mapping cannot be pinned;
 * -ENOMEM: more would be pinned than may be.
 */
int sim_context_attach(struct sim_context *context, uint32_t id, uint32_t pasid,
		       uint32_t pt_id, uint32_t *ret_pt_id);

/* sim_context_detach() - Not attached: nothing. */
void sim_context_detach(struct sim_context *context, uint32_t id,
			uint32_t pasid);

/**
 * sim_context_dma() - A device reads or writes memory through what it is
 *		       attached to
 * @pasid:	SIM_NO_PASID, or which
 * @iova:	Where
 * @buf:	What is written to memory, or where what is read goes
 * @size:	Bytes
 * @write:	To memory
 *
 * Return: 0; -EFAULT: not attached, not mapped, or not for this direction: then
 * nothing is moved beyond the page before.
 */
int sim_context_dma(struct sim_context *context, uint32_t id, uint32_t pasid,
		    uint64_t iova, void *buf, size_t size, bool write);

/* sim_context_machine() - The machine it is of. */
struct sim *sim_context_machine(const struct sim_context *context);

/* sim_faults_closed() - The descriptor of a fault queue has been closed. */
void sim_faults_closed(struct sim_context *context, uint32_t id);

/**
 * sim_faults_read() - read(2) of a fault queue
 *
 * No simulated device asks for pages (it would need PCI's PRI), so there never
 * are any faults. As the kernel does: 0 for none, without waiting.
 *
 * Return: 0; -ESPIPE: not a number of whole records, or not from the beginning.
 */
ssize_t sim_faults_read(size_t size, uint64_t at);

/**
 * sim_faults_write() - write(2) of one: an answer to a fault
 *
 * Return: 0 for nothing; -EINVAL: no fault waits for it; -ESPIPE; -EFAULT.
 */
ssize_t sim_faults_write(const struct sim_caller *caller, uint64_t buf,
			 size_t size, uint64_t at);

/* sim_context_ioctl() - A call on the iommufd; as sim_ioctl(). */
long sim_context_ioctl(struct sim_context *context,
		       const struct sim_caller *caller, unsigned long request,
		       uint64_t arg);

/**
 * sim_context_state() - For sim_state(): a line for each object
 * @out:	Written to
 */
void sim_context_state(const struct sim_context *context, FILE *out);

#endif
