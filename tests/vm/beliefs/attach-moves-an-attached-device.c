/* SPDX-License-Identifier: Apache-2.0
 *
 * A device that is attached is moved by a second attach
 *
 * It is not refused, and the space it leaves is free at once.
 */
#include "belief.h"

int main(void)
{
	const char *bdf = device("EDU0");
	int cdev, iommufd;
	uint32_t a, b;

	take(bdf, "vfio-pci");
	cdev = open_cdev(bdf);
	iommufd = open_iommufd();
	need("BIND", try_bind(cdev, iommufd, NULL));
	a = new_ioas(iommufd);
	b = new_ioas(iommufd);
	need("ATTACH", try_attach(cdev, a));
	believe("ATTACH while attached", try_attach(cdev, b), 0);
	believe("IOMMU_DESTROY of the space it left", try_destroy(iommufd, a),
		0);
	believe("IOMMU_DESTROY of the space it is on", try_destroy(iommufd, b),
		-EBUSY);

	return 0;
}
