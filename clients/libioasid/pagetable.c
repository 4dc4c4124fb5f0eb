/* SPDX-License-Identifier: Apache-2.0
 *
 * pagetable.c - page tables of the caller's own iommufd: made, nested,
 *		 invalidated, given to PASIDs; guests' shares of an IOMMU
 *
 * One ioctl a function, as in map.c: a guest's invalidations are a hot path, too.
 */
#include <assert.h>
#include <errno.h>

#include "base/uapi.h"
#include "libioasid/call.h"
#include "libioasid/explain.h"
#include "libioasid/ioasid.h"

static_assert(IOASID_TABLE_NEST_PARENT == UAPI_HWPT_ALLOC_NEST_PARENT &&
	      IOASID_TABLE_DIRTY == UAPI_HWPT_ALLOC_DIRTY_TRACKING &&
	      IOASID_TABLE_FAULTS == UAPI_HWPT_FAULT_ID_VALID &&
	      IOASID_TABLE_PASID == UAPI_HWPT_ALLOC_PASID,
	      "the flags are passed on as they are");

/* ioasid_table_nest() - See ioasid.h. */
int ioasid_table_nest(int iommufd, uint32_t device, uint32_t parent,
		      uint32_t flags, uint32_t fault_queue, uint32_t type,
		      const void *data, uint32_t length, uint32_t *ret_table,
		      struct ioasid_error *err)
{
	struct uapi_hwpt_alloc alloc = {
		.size = sizeof(alloc),
		.flags = flags,
		.dev_id = device,
		.pt_id = parent,
		.data_type = type,
		.data_len = length,
		.data_uptr = (uintptr_t)data,
		.fault_id = fault_queue,
	};

	if (call_ioctl(iommufd, UAPI_HWPT_ALLOC, &alloc) < 0)
		return explain_table(errno, iommufd, &alloc, err);

	*ret_table = alloc.out_hwpt_id;
	return 0;
}

/* ioasid_table_new() - See ioasid.h. */
int ioasid_table_new(int iommufd, uint32_t device, uint32_t ioas,
		     uint32_t flags, uint32_t fault_queue, uint32_t *ret_table,
		     struct ioasid_error *err)
{
	return ioasid_table_nest(iommufd, device, ioas, flags, fault_queue,
				 UAPI_HWPT_DATA_NONE, NULL, 0, ret_table, err);
}

/* ioasid_table_nest_vtd() - See ioasid.h. */
int ioasid_table_nest_vtd(int iommufd, uint32_t device, uint32_t parent,
			  uint32_t flags, uint64_t root, uint32_t width,
			  uint64_t vtd_flags, uint32_t *ret_table,
			  struct ioasid_error *err)
{
	const struct uapi_hwpt_vtd_s1 data = {
		.flags = vtd_flags,
		.pgtbl_addr = root,
		.addr_width = width,
	};

	return ioasid_table_nest(iommufd, device, parent, flags, 0,
				 UAPI_HWPT_DATA_VTD_S1, &data, sizeof(data),
				 ret_table, err);
}

/* ioasid_table_invalidate() - See ioasid.h. */
int ioasid_table_invalidate(int iommufd, uint32_t table, uint32_t type,
			    const void *entries, uint32_t length, uint32_t *n,
			    struct ioasid_error *err)
{
	struct uapi_hwpt_invalidate invalidate = {
		.size = sizeof(invalidate),
		.hwpt_id = table,
		.data_uptr = (uintptr_t)entries,
		.data_type = type,
		.entry_len = length,
		.entry_num = *n,
	};
	int error;

	if (call_ioctl(iommufd, UAPI_HWPT_INVALIDATE, &invalidate) == 0) {
		*n = invalidate.entry_num;
		return 0;
	}

	error = errno;
	/* A refusal that the kernel has read says how many were done. */
	if (error == ENOTTY || error == EFAULT || error == EBADF ||
	    error == ENODEV)
		invalidate.entry_num = 0;
	*n = invalidate.entry_num;
	return explain_invalidate(error, iommufd, &invalidate, err);
}

/* ioasid_table_invalidate_vtd() - See ioasid.h. */
int ioasid_table_invalidate_vtd(int iommufd, uint32_t table, uint64_t address,
				uint64_t pages, bool leaf,
				struct ioasid_error *err)
{
	const struct uapi_hwpt_vtd_s1_invalidate entry = {
		.addr = address,
		.npages = pages,
		.flags = leaf ? UAPI_VTD_INV_FLAGS_LEAF : 0,
	};
	uint32_t n = 1;

	return ioasid_table_invalidate(iommufd, table,
				       UAPI_HWPT_INVALIDATE_DATA_VTD_S1,
				       &entry, sizeof(entry), &n, err);
}

/* ioasid_viommu_new() - See ioasid.h. */
int ioasid_viommu_new(int iommufd, uint32_t type, uint32_t device,
		      uint32_t parent, uint32_t *ret_viommu,
		      struct ioasid_error *err)
{
	struct uapi_viommu_alloc alloc = {
		.size = sizeof(alloc),
		.type = type,
		.dev_id = device,
		.hwpt_id = parent,
	};

	if (call_ioctl(iommufd, UAPI_VIOMMU_ALLOC, &alloc) < 0)
		return explain_viommu(errno, iommufd, &alloc, err);

	*ret_viommu = alloc.out_viommu_id;
	return 0;
}

/* ioasid_vdevice_new() - See ioasid.h. */
int ioasid_vdevice_new(int iommufd, uint32_t viommu, uint32_t device,
		       uint64_t number, uint32_t *ret_vdevice,
		       struct ioasid_error *err)
{
	struct uapi_vdevice_alloc alloc = {
		.size = sizeof(alloc),
		.viommu_id = viommu,
		.dev_id = device,
		.virt_id = number,
	};

	if (call_ioctl(iommufd, UAPI_VDEVICE_ALLOC, &alloc) < 0)
		return explain_vdevice(errno, iommufd, &alloc, err);

	*ret_vdevice = alloc.out_vdevice_id;
	return 0;
}

/* ioasid_cdev_attach_pasid() - See ioasid.h. */
int ioasid_cdev_attach_pasid(int cdev, uint32_t pasid, uint32_t table,
			     uint32_t *ret_table, struct ioasid_error *err)
{
	struct uapi_device_attach_iommufd_pt attach = {
		.argsz = sizeof(attach),
		.flags = UAPI_DEVICE_ATTACH_PASID,
		.pt_id = table,
		.pasid = pasid,
	};

	if (call_ioctl(cdev, UAPI_DEVICE_ATTACH_IOMMUFD_PT, &attach) < 0)
		return explain_pasid(errno, "VFIO_DEVICE_ATTACH_IOMMUFD_PT",
				     cdev, pasid, table, err);

	if (ret_table)
		*ret_table = attach.pt_id;
	return 0;
}

/* ioasid_cdev_detach_pasid() - See ioasid.h. */
int ioasid_cdev_detach_pasid(int cdev, uint32_t pasid, struct ioasid_error *err)
{
	struct uapi_device_detach_iommufd_pt detach = {
		.argsz = sizeof(detach),
		.flags = UAPI_DEVICE_DETACH_PASID,
		.pasid = pasid,
	};

	if (call_ioctl(cdev, UAPI_DEVICE_DETACH_IOMMUFD_PT, &detach) < 0)
		return explain_pasid(errno, "VFIO_DEVICE_DETACH_IOMMUFD_PT",
				     cdev, pasid, 0, err);

	return 0;
}
