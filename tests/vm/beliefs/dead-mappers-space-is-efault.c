/* SPDX-License-Identifier: Apache-2.0
 *
 * A space with memory of a dead process cannot be attached: EFAULT
 *
 * Pages are pinned at attach, through the process that mapped them. With these
 * mappings taken out it can. So memory that shall outlive its process is mapped
 * by file (file-maps-outlive-their-mapper).
 */
#include "belief.h"

int main(void)
{
	const char *bdf = device("EDU0");
	int cdev, iommufd, status;
	uint32_t ioas;
	pid_t pid;

	take(bdf, "vfio-pci");
	cdev = open_cdev(bdf);
	iommufd = open_iommufd();
	need("BIND", try_bind(cdev, iommufd, NULL));
	ioas = new_ioas(iommufd);
	pid = start();
	if (!pid)
		_exit(try_map(iommufd, ioas, pages(PAGE), PAGE, 1 << 20) ? 1
									 : 0);
	if (!ended(pid, 10000, &status) || status)
		broken("another process cannot map");
	believe("ATTACH to a space with a dead process's memory",
		try_attach(cdev, ioas), -EFAULT);
	need("UNMAP", try_unmap_all(iommufd, ioas));
	believe("ATTACH after it was unmapped", try_attach(cdev, ioas), 0);

	return 0;
}
