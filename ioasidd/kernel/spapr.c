/* SPDX-License-Identifier: Apache-2.0
 *
 * spapr.c - VFIO containers of kind SPAPR TCE v2, as POWER has them
 */
#include "kernel/spapr.h"

#include <errno.h>
#include <unistd.h>

#include "base/uapi.h"
#include "kernel/call.h"

/* spapr_info() - Ask which windows a container can have */
int spapr_info(int container, struct kernel_tce_info *ret, struct error *err)
{
	struct uapi_iommu_spapr_tce_info info = { .argsz = sizeof(info) };
	const long page = sysconf(_SC_PAGESIZE);

	if (kernel_ioctl(container, UAPI_IOMMU_SPAPR_TCE_GET_INFO, &info))
		return error_set(err, -errno, ERROR_KERNEL_VFIO,
				 "VFIO_IOMMU_SPAPR_TCE_GET_INFO: %m");
	*ret = (struct kernel_tce_info){
		.dma32_start = info.dma32_window_start,
		.dma32_size = info.dma32_window_size,
		.kernel_page = page > 0 ? (uint64_t)page : 4096,
	};
	if (info.flags & UAPI_IOMMU_SPAPR_INFO_DDW) {
		ret->page_sizes = info.ddw.pgsizes;
		ret->max_windows = info.ddw.max_dynamic_windows_supported;
		ret->levels = info.ddw.levels;
	}
	return 0;
}
