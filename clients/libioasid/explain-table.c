/* SPDX-License-Identifier: Apache-2.0
 *
 * explain-table.c - the words for what the kernel refuses of page tables
 */
#include <errno.h>
#include <inttypes.h>

#include "base/uapi.h"
#include "libioasid/explain.h"
#include "libioasid/fail.h"

#define CAPABILITIES "What a device and its IOMMU can do together is in its " \
		     "capabilities (ioasidctl device show)."

/* space_exists() - Is there a space of that id? */
static bool space_exists(int iommufd, uint32_t id)
{
	size_t n = 0;

	return ioasid_ioas_ranges(iommufd, id, NULL, &n, NULL, NULL) != -ENOENT;
}

/* cannot() - The IOMMU cannot do it. Return: -EOPNOTSUPP. */
static int cannot(const char *call, const char *what, struct ioasid_error *err)
{
	(void)fail_set(err, -EOPNOTSUPP, IOASID_ERROR_UNSUPPORTED,
		       "%s: this IOMMU, or its driver, cannot do that: %s",
		       call, what);
	fail_remedy(err, CAPABILITIES);
	return -EOPNOTSUPP;
}

/* invalid_table() - EINVAL of a page table. Return: it. */
static int invalid_table(int iommufd, const struct uapi_hwpt_alloc *alloc,
			 struct ioasid_error *err)
{
	if (alloc->data_len || alloc->data_type) {
		(void)fail_set(err, -EINVAL, IOASID_ERROR_ARGUMENT,
			       "%" PRIu32 " is no page table made as nest "
			       "parent and no vIOMMU of the device's IOMMU, or "
			       "%" PRIu32 " bytes are not what data of type %"
			       PRIu32 " has", alloc->pt_id, alloc->data_len,
			       alloc->data_type);
		fail_remedy(err, "Make the parent with IOASID_TABLE_NEST_PARENT.");
		return -EINVAL;
	}
	if (!space_exists(iommufd, alloc->pt_id))
		return fail_set(err, -EINVAL, IOASID_ERROR_NO_OBJECT,
				"there is no space %" PRIu32 " in this context",
				alloc->pt_id);

	return fail_set(err, -EINVAL, IOASID_ERROR_KERNEL,
			"IOMMU_HWPT_ALLOC: %m");
}

/* explain_table() - See explain.h. */
int explain_table(int error, int iommufd, const struct uapi_hwpt_alloc *alloc,
		  struct ioasid_error *err)
{
	const char *call = "IOMMU_HWPT_ALLOC";

	if (!err)
		return -error;

	switch (error) {
	case EOPNOTSUPP:
		return cannot(call, alloc->data_len ?
			      "a guest's page table of this type, on this" :
			      "a page table with these flags", err);
	case ENOENT:
		return fail_set(err, -error, IOASID_ERROR_NO_OBJECT,
				alloc->flags & IOASID_TABLE_FAULTS ?
				"there is no device %" PRIu32 ", or no fault "
				"queue %" PRIu32 ", in this context" :
				"there is no device %" PRIu32
				" in this context", alloc->dev_id,
				alloc->fault_id);
	case EINVAL:
		return invalid_table(iommufd, alloc, err);
	case EIO:
		return fail_set(err, -error, IOASID_ERROR_ARGUMENT,
				"the guest's entry has what a guest may not "
				"set");
	case ENODEV:
		return fail_set(err, -error, IOASID_ERROR_UNSUPPORTED,
				"no IOMMU translates for device %" PRIu32
				", or the simulated machine is no more",
				alloc->dev_id);
	default:
		return explain_attach(error, call, iommufd, "an iommufd",
				      alloc->pt_id, err);
	}
}

/* explain_invalidate() - See explain.h. */
int explain_invalidate(int error, int iommufd,
		       const struct uapi_hwpt_invalidate *invalidate,
		       struct ioasid_error *err)
{
	const char *call = "IOMMU_HWPT_INVALIDATE";

	if (!err)
		return -error;

	switch (error) {
	case EOPNOTSUPP:
		return cannot(call, "entries of this kind, for this object",
			      err);
	case EINVAL:
	case EIO:
		(void)fail_set(err, -error, IOASID_ERROR_ARGUMENT,
			       "entry %" PRIu32 ", of type %" PRIu32 " and %"
			       PRIu32 " bytes, is not as the IOMMU's driver "
			       "wants it, or %" PRIu32 " is neither a guest's "
			       "page table nor a vIOMMU", invalidate->entry_num,
			       invalidate->data_type, invalidate->entry_len,
			       invalidate->hwpt_id);
		fail_remedy(err, "Those before it were done; go on from it.");
		return -error;
	default:
		return explain_object(error, call, iommufd, "page table",
				      invalidate->hwpt_id, err);
	}
}

/* explain_dirty() - See explain.h. */
int explain_dirty(int error, const char *call, int iommufd, uint32_t table,
		  struct ioasid_error *err)
{
	if (!err)
		return -error;

	switch (error) {
	case EOPNOTSUPP:
		(void)fail_set(err, -error, IOASID_ERROR_UNSUPPORTED,
			       "page table %" PRIu32 " was made without dirty "
			       "tracking", table);
		fail_remedy(err, "Make one with IOASID_TABLE_DIRTY, and move "
			    "the devices to it.");
		return -error;
	case EINVAL:
		return fail_set(err, -error, IOASID_ERROR_ARGUMENT,
				"address or length are 0 or no multiples of "
				"the page, or page table %" PRIu32
				" is not watched", table);
	case EOVERFLOW:
		return fail_set(err, -error, IOASID_ERROR_MAP_RANGE,
				"the range goes beyond the last address");
	default:
		return explain_object(error, call, iommufd, "page table", table,
				      err);
	}
}

/* explain_fault() - See explain.h. */
int explain_fault(int error, const char *call, int fd, uint32_t cookie,
		  struct ioasid_error *err)
{
	bool answer = *call == 'w';

	if (!err || explain_descriptor(error, call, fd, "a fault queue", err))
		return -error;

	switch (error) {
	case EINVAL:
		return answer ? fail_set(err, -error, IOASID_ERROR_NO_OBJECT,
					 "no fault waits for an answer under "
					 "cookie %" PRIu32, cookie) :
				fail_set(err, -error, IOASID_ERROR_ARGUMENT,
					 "the next group of faults needs more "
					 "room");
	case ESPIPE:
		return fail_set(err, -error, IOASID_ERROR_UNSUPPORTED,
				"%s: descriptor %d is not a fault queue", call,
				fd);
	case EFAULT:
		return fail_set(err, -error, IOASID_ERROR_MAP_MEMORY,
				"the process has no such memory");
	default:
		return fail_set(err, -error, IOASID_ERROR_KERNEL, "%s: %m",
				call);
	}
}

/* explain_viommu() - See explain.h. */
int explain_viommu(int error, int iommufd, const struct uapi_viommu_alloc *alloc,
		   struct ioasid_error *err)
{
	const char *call = "IOMMU_VIOMMU_ALLOC";

	if (!err)
		return -error;

	switch (error) {
	case EOPNOTSUPP:
		return cannot(call, "a vIOMMU of this type (VT-d has none: a "
			      "guest's page table is nested on its parent)",
			      err);
	case EINVAL:
		(void)fail_set(err, -error, IOASID_ERROR_ARGUMENT,
			       "page table %" PRIu32 " is no nest parent for "
			       "the IOMMU of device %" PRIu32, alloc->hwpt_id,
			       alloc->dev_id);
		fail_remedy(err, "Make it with IOASID_TABLE_NEST_PARENT.");
		return -error;
	case ENOENT:
		return fail_set(err, -error, IOASID_ERROR_NO_OBJECT,
				"there is no device %" PRIu32 ", or no page "
				"table %" PRIu32 " that translates a space",
				alloc->dev_id, alloc->hwpt_id);
	default:
		return explain_object(error, call, iommufd, "vIOMMU", 0, err);
	}
}

/* explain_vdevice() - See explain.h. */
int explain_vdevice(int error, int iommufd,
		    const struct uapi_vdevice_alloc *alloc,
		    struct ioasid_error *err)
{
	const char *call = "IOMMU_VDEVICE_ALLOC";

	if (!err)
		return -error;

	switch (error) {
	case EOPNOTSUPP:
		return cannot(call, "a vDEVICE for this device", err);
	case EEXIST:
		(void)fail_set(err, -error, IOASID_ERROR_IN_USE,
			       "0x%" PRIx64 " is the number of another device "
			       "of vIOMMU %" PRIu32 ", or device %" PRIu32
			       " has a number", alloc->virt_id,
			       alloc->viommu_id, alloc->dev_id);
		fail_remedy(err, "Destroy that vDEVICE first.");
		return -error;
	case EINVAL:
		return fail_set(err, -error, IOASID_ERROR_ARGUMENT,
				"device %" PRIu32 " is behind another IOMMU "
				"than vIOMMU %" PRIu32, alloc->dev_id,
				alloc->viommu_id);
	case ENOENT:
		return fail_set(err, -error, IOASID_ERROR_NO_OBJECT,
				"there is no vIOMMU %" PRIu32 ", or no device %"
				PRIu32 ", in this context", alloc->viommu_id,
				alloc->dev_id);
	default:
		return explain_object(error, call, iommufd, "vDEVICE", 0, err);
	}
}

/* explain_pasid() - See explain.h. */
int explain_pasid(int error, const char *call, int cdev, uint32_t pasid,
		  uint32_t table, struct ioasid_error *err)
{
	if (!err)
		return -error;

	switch (error) {
	case EOPNOTSUPP:
		return cannot(call, "the device, or its driver, has no PASIDs",
			      err);
	case EINVAL:
		(void)fail_set(err, -error, IOASID_ERROR_ARGUMENT,
			       "PASID %" PRIu32 " cannot be on %" PRIu32 ": "
			       "that, or what the device itself is on, was not "
			       "made for PASIDs, or the device has fewer",
			       pasid, table);
		fail_remedy(err, "Make both page tables with "
			    "IOASID_TABLE_PASID.");
		return -error;
	case ENOSPC:
		return fail_set(err, -error, IOASID_ERROR_ARGUMENT,
				"%" PRIu32 " is no PASID", pasid);
	default:
		return explain_attach(error, call, cdev, "a VFIO device", table,
				      err);
	}
}
