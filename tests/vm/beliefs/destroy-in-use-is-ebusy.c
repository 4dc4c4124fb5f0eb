/* SPDX-License-Identifier: Apache-2.0
 *
 * An object that is used is not destroyed: EBUSY
 *
 * A space that a device is attached to; the device itself, which ends with its
 * descriptor and not before.
 */
#include "belief.h"

int main(void)
{
	const char *bdf = device("EDU0");
	int cdev, iommufd;
	uint32_t ioas, dev = 0;

	take(bdf, "vfio-pci");
	cdev = open_cdev(bdf);
	iommufd = open_iommufd();
	need("BIND", try_bind(cdev, iommufd, &dev));
	ioas = new_ioas(iommufd);
	need("ATTACH", try_attach(cdev, ioas));
	believe("IOMMU_DESTROY of a space in use", try_destroy(iommufd, ioas),
		-EBUSY);
	believe("IOMMU_DESTROY of a bound device", try_destroy(iommufd, dev),
		-EBUSY);
	need("DETACH", try_detach(cdev));
	believe("IOMMU_DESTROY of a space no longer in use",
		try_destroy(iommufd, ioas), 0);
	believe("IOMMU_DESTROY of what is not there",
		try_destroy(iommufd, ioas), -ENOENT);

	return 0;
}
