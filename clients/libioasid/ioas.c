/* SPDX-License-Identifier: Apache-2.0
 *
 * ioas.c - spaces of a context: make, end, ranges, windows
 */
#include <assert.h>
#include <errno.h>
#include <stddef.h>

#include "base/uapi.h"
#include "libioasid/container.h"
#include "libioasid/explain.h"
#include "libioasid/ioasid.h"

static_assert(sizeof(struct ioasid_range) == sizeof(struct uapi_iova_range) &&
	      offsetof(struct ioasid_range, start) ==
		      offsetof(struct uapi_iova_range, start) &&
	      offsetof(struct ioasid_range, last) ==
		      offsetof(struct uapi_iova_range, last),
	      "the kernel reads and writes the caller's array");

/* ioasid_ioas_new() - See ioasid.h. */
int ioasid_ioas_new(int iommufd, uint32_t *ret_ioas, struct ioasid_error *err)
{
	struct uapi_ioas_alloc alloc = { .size = sizeof(alloc) };

	if (ioasid_ioctl(iommufd, UAPI_IOAS_ALLOC, &alloc) < 0)
		return explain_object(errno, "IOMMU_IOAS_ALLOC", iommufd,
				      "space", 0, err);

	*ret_ioas = alloc.out_ioas_id;
	return 0;
}

/* ioasid_object_destroy() - See ioasid.h. */
int ioasid_object_destroy(int iommufd, uint32_t id, struct ioasid_error *err)
{
	struct uapi_destroy destroy = { .size = sizeof(destroy), .id = id };

	if (ioasid_ioctl(iommufd, UAPI_DESTROY, &destroy) < 0)
		return explain_object(errno, "IOMMU_DESTROY", iommufd,
				      "object", id, err);

	return 0;
}

/* ioasid_ioas_ranges() - See ioasid.h. */
int ioasid_ioas_ranges(int iommufd, uint32_t ioas, struct ioasid_range *ranges,
		       size_t *n, uint64_t *ret_alignment,
		       struct ioasid_error *err)
{
	struct uapi_ioas_iova_ranges cmd = {
		.size = sizeof(cmd),
		.ioas_id = ioas,
		.num_iovas = *n < UINT32_MAX ? (uint32_t)*n : UINT32_MAX,
		.allowed_iovas = (uintptr_t)ranges,
	};
	int r;

	if (ioas == IOASID_SPACE_OF_CONTAINER)
		return container_ranges(iommufd, ranges, n, ret_alignment, err);
	r = ioasid_ioctl(iommufd, UAPI_IOAS_IOVA_RANGES, &cmd);
	if (r < 0 && errno != EMSGSIZE)
		return explain_object(errno, "IOMMU_IOAS_IOVA_RANGES", iommufd,
				      "space", ioas, err);

	*n = cmd.num_iovas;
	if (r < 0)
		return explain_object(EMSGSIZE, "IOMMU_IOAS_IOVA_RANGES",
				      iommufd, "space", ioas, err);
	if (ret_alignment)
		*ret_alignment = cmd.out_iova_alignment;
	return 0;
}

/* ioasid_ioas_allow() - See ioasid.h. */
int ioasid_ioas_allow(int iommufd, uint32_t ioas,
		      const struct ioasid_range *windows, size_t n,
		      struct ioasid_error *err)
{
	struct uapi_ioas_allow_iovas allow = {
		.size = sizeof(allow),
		.ioas_id = ioas,
		.num_iovas = (uint32_t)n,
		.allowed_iovas = (uintptr_t)windows,
	};

	if (ioas == IOASID_SPACE_OF_CONTAINER)
		return container_cannot(CONTAINER_ALLOW, err);
	if (n > UINT32_MAX)
		return explain_allow(EINVAL, iommufd, ioas, NULL, 0, err);
	if (ioasid_ioctl(iommufd, UAPI_IOAS_ALLOW_IOVAS, &allow) < 0)
		return explain_allow(errno, iommufd, ioas, windows, n, err);

	return 0;
}

/* ioasid_ioas_pin() - See ioasid.h. */
int ioasid_ioas_pin(int iommufd, uint32_t ioas, uint32_t device,
		    uint32_t *ret_table, struct ioasid_error *err)
{
	struct uapi_hwpt_alloc alloc = {
		.size = sizeof(alloc),
		.dev_id = device,
		.pt_id = ioas,
		.data_type = UAPI_HWPT_DATA_NONE,
	};

	if (ioasid_ioctl(iommufd, UAPI_HWPT_ALLOC, &alloc) < 0)
		return explain_pin(errno, iommufd, ioas, device, err);

	*ret_table = alloc.out_hwpt_id;
	return 0;
}
