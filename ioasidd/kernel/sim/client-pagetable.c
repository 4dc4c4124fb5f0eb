/* SPDX-License-Identifier: Apache-2.0
 *
 * client-pagetable.c - the simulated machine, behind the table: page tables
 */
#include "kernel/pagetable.h"
#include "kernel/sim/private.h"
#include "kernel/vfio.h"

/* client_hwpt_alloc() - See pagetable_alloc(). */
int client_hwpt_alloc(struct kernel *k, int iommufd,
		      const struct kernel_hwpt *wish, uint32_t *ret_id,
		      struct error *err)
{
	return pagetable_alloc(iommufd, wish, ret_id, err);
}

/* client_hwpt_invalidate() - See pagetable_invalidate(). */
int client_hwpt_invalidate(struct kernel *k, int iommufd, uint32_t hwpt_id,
			   uint32_t data_type, const void *entries,
			   uint32_t entry_len, uint32_t *inout_n,
			   struct error *err)
{
	return pagetable_invalidate(iommufd, hwpt_id, data_type, entries,
				    entry_len, inout_n, err);
}

/* client_hwpt_set_dirty() - See pagetable_set_dirty(). */
int client_hwpt_set_dirty(struct kernel *k, int iommufd, uint32_t hwpt_id,
			  bool on, struct error *err)
{
	return pagetable_set_dirty(iommufd, hwpt_id, on, err);
}

/* client_hwpt_get_dirty() - See pagetable_get_dirty(). */
int client_hwpt_get_dirty(struct kernel *k, int iommufd, uint32_t hwpt_id,
			  uint64_t iova, uint64_t length, uint64_t page_size,
			  bool keep, uint64_t *bitmap, struct error *err)
{
	return pagetable_get_dirty(iommufd, hwpt_id, iova, length, page_size,
				   keep, bitmap, err);
}

/* client_fault_queue_alloc() - See pagetable_fault_queue(). */
int client_fault_queue_alloc(struct kernel *k, int iommufd, uint32_t *ret_id,
			     int *ret_fd, struct error *err)
{
	return pagetable_fault_queue(iommufd, ret_id, ret_fd, err);
}

/* client_viommu_alloc() - See pagetable_viommu(). */
int client_viommu_alloc(struct kernel *k, int iommufd, uint32_t type,
			uint32_t dev_id, uint32_t hwpt_id, uint32_t *ret_id,
			struct error *err)
{
	return pagetable_viommu(iommufd, type, dev_id, hwpt_id, ret_id, err);
}

/* client_vdevice_alloc() - See pagetable_vdevice(). */
int client_vdevice_alloc(struct kernel *k, int iommufd, uint32_t viommu_id,
			 uint32_t dev_id, uint64_t virt_id, uint32_t *ret_id,
			 struct error *err)
{
	return pagetable_vdevice(iommufd, viommu_id, dev_id, virt_id, ret_id,
				 err);
}

/* client_vfio_attach_pasid() - See vfio_attach_pasid(). */
int client_vfio_attach_pasid(struct kernel *k, int cdev, uint32_t pasid,
			     uint32_t pt_id, uint32_t *ret_pt_id,
			     struct error *err)
{
	return vfio_attach_pasid(cdev, pasid, pt_id, ret_pt_id, err);
}

/* client_vfio_detach_pasid() - See vfio_detach_pasid(). */
int client_vfio_detach_pasid(struct kernel *k, int cdev, uint32_t pasid,
			     struct error *err)
{
	return vfio_detach_pasid(cdev, pasid, err);
}
