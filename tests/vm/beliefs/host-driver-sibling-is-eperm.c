/* SPDX-License-Identifier: Apache-2.0
 *
 * BIND is EPERM while a sibling is with a host driver
 *
 * Without driver it is no obstacle. So a group is prepared whole.
 */
#include "belief.h"

int main(void)
{
	const char *bdf = device("PAIR0"), *sibling = device("PAIR1");
	int cdev, iommufd;

	take(bdf, "vfio-pci");
	/* edu has no driver in Linux; this one serves as one that does DMA. */
	take(sibling, "uio_pci_generic");
	cdev = open_cdev(bdf);
	iommufd = open_iommufd();
	believe("BIND while a sibling is with a host driver",
		try_bind(cdev, iommufd, NULL), -EPERM);
	need("unbind", try_write(of(sibling, "driver/unbind"), sibling));
	believe("BIND while the sibling has no driver",
		try_bind(cdev, iommufd, NULL), 0);

	return 0;
}
