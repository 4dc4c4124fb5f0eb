/* SPDX-License-Identifier: Apache-2.0
 *
 * pagetable.h - page tables of an iommufd: made, nested, invalidated, watched;
 *		 faults of devices, and a guest's share of an IOMMU
 *
 * What an IOMMU cannot do is -EOPNOTSUPP for all of them, with a remedy.
 */
#ifndef IOASIDD_KERNEL_PAGETABLE_H
#define IOASIDD_KERNEL_PAGETABLE_H

#include "kernel/kernel.h"

/**
 * pagetable_alloc() - Make a page table
 * @fd:		The context
 * @wish:	What it is to be
 * @ret_id:	Its id; undone by iommufd_destroy()
 * @err:	Filled on failure
 *
 * Source: IOMMU_HWPT_ALLOC.
 *
 * Return: 0; -EOPNOTSUPP if the IOMMU cannot do what @wish says; -ENOENT if
 * there is no such device or fault queue; -EINVAL if there is nothing that it
 * could translate or be nested on, or its data is too short; -EADDRINUSE if
 * something is mapped where the IOMMU cannot translate; -EIO if the data holds
 * what a guest may not set; others unchanged.
 */
int pagetable_alloc(int fd, const struct kernel_hwpt *wish, uint32_t *ret_id,
		    struct error *err);

/**
 * pagetable_invalidate() - A guest has changed its page table
 * @fd:		The context
 * @id:		A nested page table, or a vIOMMU
 * @data_type:	UAPI_*_INVALIDATE_DATA_*
 * @entries:	What is invalid; @entry_len bytes each
 * @inout_n:	How many; on return, failure included, how many were done
 * @err:	Filled on failure
 *
 * Source: IOMMU_HWPT_INVALIDATE. With no entries only @data_type is looked at.
 *
 * Return: 0; -EINVAL if @id is neither, or the type or an entry is not as the
 * IOMMU's driver wants it; -EOPNOTSUPP if an entry has what the driver does not
 * know; -ENOENT; others unchanged.
 */
int pagetable_invalidate(int fd, uint32_t id, uint32_t data_type,
			 const void *entries, uint32_t entry_len,
			 uint32_t *inout_n, struct error *err);

/**
 * pagetable_set_dirty() - Begin or end to watch what devices write
 * @fd:		The context
 * @id:		A page table made with UAPI_HWPT_ALLOC_DIRTY_TRACKING
 * @on:		Begin: everything counts as not written
 * @err:	Filled on failure
 *
 * Source: IOMMU_HWPT_SET_DIRTY_TRACKING.
 *
 * Return: 0; -EOPNOTSUPP if it was made without; -ENOENT.
 */
int pagetable_set_dirty(int fd, uint32_t id, bool on, struct error *err);

/**
 * pagetable_get_dirty() - Read what devices have written
 * @fd:		The context
 * @id:		A page table with dirty tracking on
 * @iova:	Of the first bit, bytes; a multiple of @page_size
 * @length:	Bytes; a multiple of @page_size
 * @page_size:	Of one bit
 * @keep:	What is read stays written, as before an unmap
 * @bitmap:	Bits are set in it, none cleared; 64 to a word
 * @err:	Filled on failure
 *
 * Source: IOMMU_HWPT_GET_DIRTY_BITMAP. Two things it does not say (seen with
 * 7.3): at a hole in what is mapped it ends, and what is behind is not read, so
 * ask mapping by mapping; and what is set where @bitmap is no memory is lost.
 *
 * Return: 0; -EINVAL if a number does not fit the others, and with some IOMMUs if
 * tracking is off; -EOPNOTSUPP if it was made without; -ENOENT; -EOVERFLOW;
 * others unchanged.
 */
int pagetable_get_dirty(int fd, uint32_t id, uint64_t iova, uint64_t length,
			uint64_t page_size, bool keep, uint64_t *bitmap,
			struct error *err);

/**
 * pagetable_fault_queue() - Make a queue of page faults
 * @fd:		The context
 * @ret_id:	Its id; undone by iommufd_destroy() after @ret_fd was closed
 * @ret_fd:	Faults are read from it (struct uapi_hwpt_pgfault) and answered
 *		by a write (struct uapi_hwpt_page_response); non-blocking if
 *		made so, poll(2) works
 * @err:	Filled on failure
 *
 * Source: IOMMU_FAULT_QUEUE_ALLOC. The descriptor keeps the context.
 *
 * Return: 0; -EMFILE, -ENOMEM; -ENOTTY before Linux 6.11.
 */
int pagetable_fault_queue(int fd, uint32_t *ret_id, int *ret_fd,
			  struct error *err);

/**
 * pagetable_viommu() - Make a guest's share of an IOMMU
 * @fd:		The context
 * @type:	UAPI_VIOMMU_TYPE_*
 * @dev_id:	A device behind that IOMMU
 * @hwpt_id:	A page table made with UAPI_HWPT_ALLOC_NEST_PARENT
 * @ret_id:	Its id; undone by iommufd_destroy()
 * @err:	Filled on failure
 *
 * Source: IOMMU_VIOMMU_ALLOC, without data.
 *
 * Return: 0; -EOPNOTSUPP if the IOMMU has none of @type; -EINVAL if @hwpt_id is
 * no nest parent; -ENOENT.
 */
int pagetable_viommu(int fd, uint32_t type, uint32_t dev_id, uint32_t hwpt_id,
		     uint32_t *ret_id, struct error *err);

/**
 * pagetable_vdevice() - Say what a guest calls a device
 * @fd:		The context
 * @viommu_id:	The guest's share of the device's IOMMU
 * @dev_id:	The device
 * @virt_id:	The guest's number for it
 * @ret_id:	Its id; undone by iommufd_destroy(), and by the last close of
 *		the device
 * @err:	Filled on failure
 *
 * Source: IOMMU_VDEVICE_ALLOC.
 *
 * Return: 0; -EEXIST if that number, or that device, is taken; -EINVAL if the
 * device is behind another IOMMU; -ENOENT.
 */
int pagetable_vdevice(int fd, uint32_t viommu_id, uint32_t dev_id,
		      uint64_t virt_id, uint32_t *ret_id, struct error *err);

#endif
