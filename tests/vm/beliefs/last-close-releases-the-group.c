/* SPDX-License-Identifier: Apache-2.0
 *
 * The last close of a cdev releases the group, also if the iommufd stays open
 *
 * So a holder that lives on with its iommufd keeps nobody from the device.
 */
#include "belief.h"

int main(void)
{
	const char *bdf = device("EDU0");
	int cdev, kept, other;
	uint32_t ioas;

	take(bdf, "vfio-pci");
	kept = open_iommufd();
	other = open_iommufd();
	cdev = open_cdev(bdf);
	need("BIND", try_bind(cdev, kept, NULL));
	ioas = new_ioas(kept);
	need("MAP", try_map(kept, ioas, pages(PAGE), PAGE, 1 << 20));
	need("ATTACH", try_attach(cdev, ioas));
	close(cdev);
	cdev = open_cdev(bdf);
	believe("BIND to another context", try_bind(cdev, other, NULL), 0);
	believe("IOMMU_DESTROY of the space that was used",
		try_destroy(kept, ioas), 0);

	return 0;
}
