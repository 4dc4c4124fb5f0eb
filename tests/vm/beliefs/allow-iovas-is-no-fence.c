/* SPDX-License-Identifier: Apache-2.0
 *
 * ALLOW_IOVAS is a guarantee, not a fence
 *
 * A FIXED map outside of the allowed ranges succeeds; only automatic placement
 * keeps within them. So a window is enforced by who maps, not by the kernel.
 */
#include "belief.h"

int main(void)
{
	struct uapi_iova_range range = { .start = 16 << 20,
					 .last = (32 << 20) - 1 };
	int iommufd = open_iommufd();
	uint32_t ioas = new_ioas(iommufd);
	struct uapi_ioas_allow_iovas allow = {
		.size = sizeof(allow),
		.ioas_id = ioas,
		.num_iovas = 1,
		.allowed_iovas = (uintptr_t)&range,
	};
	struct uapi_ioas_map map = {
		.size = sizeof(map),
		.flags = MAP_RW,
		.ioas_id = ioas,
		.user_va = (uintptr_t)pages(PAGE),
		.length = PAGE,
	};

	need("IOMMU_IOAS_ALLOW_IOVAS",
	     call(iommufd, UAPI_IOAS_ALLOW_IOVAS, &allow));
	believe("IOMMU_IOAS_MAP outside of the allowed range",
		try_map(iommufd, ioas, pages(PAGE), PAGE, 64 << 20), 0);
	believe("IOMMU_IOAS_MAP without an address",
		call(iommufd, UAPI_IOAS_MAP, &map), 0);
	if (map.iova < range.start || map.iova > range.last)
		changed("automatic placement gave 0x%llx, not in the window",
			(unsigned long long)map.iova);

	return 0;
}
