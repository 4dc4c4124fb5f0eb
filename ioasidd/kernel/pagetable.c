/* SPDX-License-Identifier: Apache-2.0
 *
 * pagetable.c - page tables of an iommufd: made, nested, invalidated, watched;
 *		 faults of devices, and a guest's share of an IOMMU
 */
#include "kernel/pagetable.h"

#include <errno.h>
#include <inttypes.h>

#include "base/uapi.h"
#include "kernel/call.h"

/**
 * refused() - What usually is behind a number of the kernel, as a remedy
 * @r:		-errno, returned
 * @err:	Filled already; NULL is allowed
 * @cannot:	What the IOMMU cannot do, for -EOPNOTSUPP
 * @invalid:	What has to be right, for -EINVAL
 */
static int refused(int r, const char *cannot, const char *invalid,
		   struct error *err)
{
	if (r == -EOPNOTSUPP)
		error_remedy(err, "This IOMMU, or its driver, cannot do that: "
			     "%s", cannot);
	else if (r == -EINVAL)
		error_remedy(err, "%s", invalid);
	else if (r == -ENOTTY)
		error_remedy(err, "This kernel is too old for the call");

	return r;
}

/* pagetable_alloc() - Make a page table */
int pagetable_alloc(int fd, const struct kernel_hwpt *wish, uint32_t *ret_id,
		    struct error *err)
{
	struct uapi_hwpt_alloc cmd = {
		.size = sizeof(cmd),
		.flags = wish->flags,
		.dev_id = wish->dev_id,
		.pt_id = wish->pt_id,
		.data_type = wish->data_type,
		.data_len = wish->data_len,
		.data_uptr = (uintptr_t)wish->data,
		.fault_id = wish->fault_id,
	};
	int r;

	if (!kernel_ioctl(fd, UAPI_HWPT_ALLOC, &cmd)) {
		*ret_id = cmd.out_hwpt_id;
		return 0;
	}

	r = error_set(err, -errno, ERROR_KERNEL_IOMMUFD,
		      "IOMMU_HWPT_ALLOC for device %u on %u, flags 0x%x, data type %u of %u bytes: %m",
		      wish->dev_id, wish->pt_id, wish->flags, wish->data_type,
		      wish->data_len);
	return refused(r, "leave out the flag or the data; what a device can do is in its capabilities",
		       "Without data a page table translates a space; with data it is nested on a page table made as nest parent, or on a vIOMMU, of the same IOMMU, and the data is of its type and size",
		       err);
}

/* pagetable_invalidate() - A guest has changed its page table */
int pagetable_invalidate(int fd, uint32_t id, uint32_t data_type,
			 const void *entries, uint32_t entry_len,
			 uint32_t *inout_n, struct error *err)
{
	struct uapi_hwpt_invalidate cmd = {
		.size = sizeof(cmd),
		.hwpt_id = id,
		.data_uptr = (uintptr_t)entries,
		.data_type = data_type,
		.entry_len = entry_len,
		.entry_num = *inout_n,
	};
	uint32_t n = *inout_n;
	int r = 0;

	if (kernel_ioctl(fd, UAPI_HWPT_INVALIDATE, &cmd))
		r = -errno;
	/* The kernel answers this one on failure too, once it has read it. */
	if (r < 0 && (r == -ENOTTY || r == -EFAULT || r == -E2BIG))
		cmd.entry_num = 0;
	*inout_n = cmd.entry_num;
	if (!r)
		return 0;

	r = error_set(err, r, ERROR_KERNEL_IOMMUFD,
		      "IOMMU_HWPT_INVALIDATE of page table %u, data type %u, "
		      "after %u of %u entries of %u bytes: %m", id, data_type,
		      cmd.entry_num, n, entry_len);
	return refused(r, "its guests' page tables are not cached, or the entry has what it does not know",
		       "Name a nested page table or a vIOMMU, and entries of its type and size",
		       err);
}

/* pagetable_set_dirty() - Begin or end to watch what devices write */
int pagetable_set_dirty(int fd, uint32_t id, bool on, struct error *err)
{
	struct uapi_hwpt_set_dirty_tracking cmd = {
		.size = sizeof(cmd),
		.flags = on ? UAPI_HWPT_DIRTY_TRACKING_ENABLE : 0,
		.hwpt_id = id,
	};
	int r;

	if (!kernel_ioctl(fd, UAPI_HWPT_SET_DIRTY_TRACKING, &cmd))
		return 0;

	r = error_set(err, -errno, ERROR_KERNEL_IOMMUFD,
		      "IOMMU_HWPT_SET_DIRTY_TRACKING %s of page table %u: %m",
		      on ? "on" : "off", id);
	return refused(r, "make the page table with dirty tracking, where the device's capabilities have it",
		       "Name a page table that translates a space", err);
}

/* pagetable_get_dirty() - Read what devices have written */
int pagetable_get_dirty(int fd, uint32_t id, uint64_t iova, uint64_t length,
			uint64_t page_size, bool keep, uint64_t *bitmap,
			struct error *err)
{
	struct uapi_hwpt_get_dirty_bitmap cmd = {
		.size = sizeof(cmd),
		.hwpt_id = id,
		.flags = keep ? UAPI_HWPT_GET_DIRTY_BITMAP_NO_CLEAR : 0,
		.iova = iova,
		.length = length,
		.page_size = page_size,
		.data = (uintptr_t)bitmap,
	};
	int r;

	if (!kernel_ioctl(fd, UAPI_HWPT_GET_DIRTY_BITMAP, &cmd))
		return 0;

	r = error_set(err, -errno, ERROR_KERNEL_IOMMUFD,
		      "IOMMU_HWPT_GET_DIRTY_BITMAP of page table %u, "
		      "0x%" PRIx64 " bytes at 0x%" PRIx64 ", %" PRIu64
		      " to a bit: %m", id, length, iova, page_size);
	return refused(r, "make the page table with dirty tracking, where the device's capabilities have it",
		       "Turn tracking on first; address and length are multiples of the page, which is a power of two",
		       err);
}

/* pagetable_fault_queue() - Make a queue of page faults */
int pagetable_fault_queue(int fd, uint32_t *ret_id, int *ret_fd,
			  struct error *err)
{
	struct uapi_fault_alloc cmd = { .size = sizeof(cmd) };

	if (kernel_ioctl(fd, UAPI_FAULT_QUEUE_ALLOC, &cmd))
		return refused(error_set(err, -errno, ERROR_KERNEL_IOMMUFD,
					 "IOMMU_FAULT_QUEUE_ALLOC: %m"),
			       "there are no fault queues", "", err);

	*ret_id = cmd.out_fault_id;
	*ret_fd = (int)cmd.out_fault_fd;
	return 0;
}

/* pagetable_viommu() - Make a guest's share of an IOMMU */
int pagetable_viommu(int fd, uint32_t type, uint32_t dev_id, uint32_t hwpt_id,
		     uint32_t *ret_id, struct error *err)
{
	struct uapi_viommu_alloc cmd = {
		.size = sizeof(cmd),
		.type = type,
		.dev_id = dev_id,
		.hwpt_id = hwpt_id,
	};
	int r;

	if (!kernel_ioctl(fd, UAPI_VIOMMU_ALLOC, &cmd)) {
		*ret_id = cmd.out_viommu_id;
		return 0;
	}

	r = error_set(err, -errno, ERROR_KERNEL_IOMMUFD,
		      "IOMMU_VIOMMU_ALLOC of type %u for device %u on page table %u: %m",
		      type, dev_id, hwpt_id);
	return refused(r, "VT-d nests a guest's page table on its parent, without a vIOMMU; SMMUv3 has type 1 if it can force what a guest caches",
		       "Name a page table made as nest parent", err);
}

/* pagetable_vdevice() - Say what a guest calls a device */
int pagetable_vdevice(int fd, uint32_t viommu_id, uint32_t dev_id,
		      uint64_t virt_id, uint32_t *ret_id, struct error *err)
{
	struct uapi_vdevice_alloc cmd = {
		.size = sizeof(cmd),
		.viommu_id = viommu_id,
		.dev_id = dev_id,
		.virt_id = virt_id,
	};
	int r;

	if (!kernel_ioctl(fd, UAPI_VDEVICE_ALLOC, &cmd)) {
		*ret_id = cmd.out_vdevice_id;
		return 0;
	}

	r = error_set(err, -errno, ERROR_KERNEL_IOMMUFD,
		      "IOMMU_VDEVICE_ALLOC of device %u as 0x%" PRIx64
		      " of vIOMMU %u: %m", dev_id, virt_id, viommu_id);
	if (r == -EEXIST)
		error_remedy(err, "The number is another device's, or the device has one: destroy that vDEVICE first");
	return refused(r, "its vIOMMU has no vDEVICEs",
		       "The device is behind another IOMMU than the vIOMMU",
		       err);
}
