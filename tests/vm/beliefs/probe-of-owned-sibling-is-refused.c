/* SPDX-License-Identifier: Apache-2.0
 *
 * A host driver is not bound to a sibling of an assigned function
 *
 * Neither drivers_probe nor anything else takes it into the group while that is
 * owned. So nobody gets between prepare and restore unseen.
 */
#include "belief.h"

int main(void)
{
	const char *bdf = device("PAIR0"), *sibling = device("PAIR1");
	int cdev, iommufd, r;

	take(bdf, "vfio-pci");
	take(sibling, "");
	cdev = open_cdev(bdf);
	iommufd = open_iommufd();
	need("BIND", try_bind(cdev, iommufd, NULL));
	r = try_switch(sibling, "uio_pci_generic");
	if (!r)
		printf("drivers_probe says success\n");
	if (driver_of(sibling)[0])
		changed("driver '%s' was bound to a sibling of an assigned "
			"function", driver_of(sibling));
	close(cdev);
	r = try_switch(sibling, "uio_pci_generic");
	believe("drivers_probe after the last close", r, 0);
	if (strcmp(driver_of(sibling), "uio_pci_generic"))
		changed("the group is not released by the last close");

	return 0;
}
