/* SPDX-License-Identifier: Apache-2.0
 *
 * platform.c - what is known of the families of IOMMUs, in one table
 */
#include "base/platform.h"

#include "base/str.h"
#include "base/uapi.h"

#define BITS(n) ((UINT64_C(1) << (n)) - 1)

static const char *const none[] = { NULL };
static const char *const intel[] = { "address", "cap", "ecap", "version",
				     NULL };
static const char *const amd[] = { "cap", "features", NULL };

/* Source of names and folders: Documentation/ABI/testing/sysfs-class-iommu* and
 * the drivers of Linux 7.3. In the order in which they are looked for.
 */
static const struct platform platforms[] = {
	{
		.family = "vt-d",
		.folder = "intel-iommu", .registers = intel,
		.aperture_last = BITS(48),
		.guest_table = UAPI_HWPT_DATA_VTD_S1,
	},
	{
		.family = "amd-vi",
		.folder = "amd-iommu", .registers = amd,
		.aperture_last = UINT64_MAX,
		.guest_table = UAPI_HWPT_DATA_AMD_GUEST,
	},
	{
		.family = "smmuv3",
		.registers = none, .prefix = "smmu3.",
		.aperture_last = BITS(48),
		.guest_table = UAPI_HWPT_DATA_ARM_SMMUV3,
	},
	{
		/* One for each host bridge; the default window. */
		.family = "spapr-tce",
		.registers = none, .prefix = "iommu-phb",
		.aperture_last = BITS(30), .spapr = true,
	},
	{
		/* QEMU's on a q35. */
		.family = "virtio-iommu",
		.registers = none, .carrier = "/virtio",
		.aperture_last = BITS(39),
	},
	{
		.family = "other",
		.registers = none,
		.aperture_last = BITS(48),
	},
};

/* platform_all() - The table */
size_t platform_all(const struct platform **ret)
{
	*ret = platforms;
	return ARRAY_SIZE(platforms);
}

/* platform_of() - The family of that name */
const struct platform *platform_of(const char *family)
{
	size_t i = 0;

	while (i < ARRAY_SIZE(platforms) - 1 &&
	       !str_eq(platforms[i].family, family))
		i++;
	return &platforms[i];
}
