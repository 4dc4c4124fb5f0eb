/* SPDX-License-Identifier: Apache-2.0
 *
 * dirty.c - what devices have written, by a page table that is watched, or a
 *	     container
 */
#include <errno.h>

#include "base/uapi.h"
#include "libioasid/call.h"
#include "libioasid/container.h"
#include "libioasid/explain.h"
#include "libioasid/ioasid.h"

/* ioasid_dirty_watch() - See ioasid.h. */
int ioasid_dirty_watch(int iommufd, uint32_t table, bool on,
		       struct ioasid_error *err)
{
	struct uapi_hwpt_set_dirty_tracking set = {
		.size = sizeof(set),
		.flags = on ? UAPI_HWPT_DIRTY_TRACKING_ENABLE : 0,
		.hwpt_id = table,
	};

	if (table == IOASID_SPACE_OF_CONTAINER)
		return container_dirty_watch(iommufd, on, err);
	if (call_ioctl(iommufd, UAPI_HWPT_SET_DIRTY_TRACKING, &set) < 0)
		return explain_dirty(errno, "IOMMU_HWPT_SET_DIRTY_TRACKING",
				     iommufd, table, err);

	return 0;
}

/* ioasid_dirty_read() - See ioasid.h. */
int ioasid_dirty_read(int iommufd, uint32_t table, uint64_t iova,
		      uint64_t length, uint64_t page, unsigned int options,
		      uint64_t *bitmap, struct ioasid_error *err)
{
	struct uapi_hwpt_get_dirty_bitmap get = {
		.size = sizeof(get),
		.hwpt_id = table,
		.flags = options & IOASID_DIRTY_KEEP ?
			 UAPI_HWPT_GET_DIRTY_BITMAP_NO_CLEAR : 0,
		.iova = iova,
		.length = length,
		.page_size = page,
		.data = (uintptr_t)bitmap,
	};

	if (table == IOASID_SPACE_OF_CONTAINER)
		return container_dirty_read(iommufd, iova, length, page,
					    options, bitmap, err);
	if (call_ioctl(iommufd, UAPI_HWPT_GET_DIRTY_BITMAP, &get) < 0)
		return explain_dirty(errno, "IOMMU_HWPT_GET_DIRTY_BITMAP",
				     iommufd, table, err);

	return 0;
}
