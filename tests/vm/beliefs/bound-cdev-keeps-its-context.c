/* SPDX-License-Identifier: Apache-2.0
 *
 * A bound cdev keeps its context when the iommufd is closed
 *
 * Detach and attach by id work on. So a holder that has only the bound cdev may
 * attach and detach as it likes, and closing an iommufd takes nothing away.
 */
#include "belief.h"

int main(void)
{
	const char *bdf = device("EDU0");
	int cdev, iommufd;
	uint32_t ioas;

	take(bdf, "vfio-pci");
	cdev = open_cdev(bdf);
	iommufd = open_iommufd();
	need("BIND", try_bind(cdev, iommufd, NULL));
	ioas = new_ioas(iommufd);
	close(iommufd);
	believe("ATTACH after the iommufd was closed", try_attach(cdev, ioas),
		0);
	believe("DETACH", try_detach(cdev), 0);
	believe("ATTACH again", try_attach(cdev, ioas), 0);

	return 0;
}
