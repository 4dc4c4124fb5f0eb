/* SPDX-License-Identifier: Apache-2.0
 *
 * UNMAP of everything works whoever mapped, attached or not: the fence
 *
 * After it the device reaches none of the memory, while it stays bound and
 * attached and its holder keeps the descriptor.
 */
#include "belief.h"

#define SOURCE_IOVA 0x100000
#define TARGET_IOVA 0x200000

int main(void)
{
	const char *bdf = device("EDU0");
	int cdev, iommufd, status;
	volatile uint32_t *shared;
	struct edu edu;
	uint32_t ioas;
	pid_t pid;

	take(bdf, "vfio-pci");
	cdev = open_cdev(bdf);
	iommufd = open_iommufd();
	need("BIND", try_bind(cdev, iommufd, NULL));
	ioas = new_ioas(iommufd);
	need("ATTACH", try_attach(cdev, ioas));
	shared = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		broken("mmap: %s", strerror(errno));
	pid = start();
	if (!pid) {
		int r = try_map(iommufd, ioas, (void *)shared, PAGE,
				SOURCE_IOVA);

		if (!r)
			r = try_map(iommufd, ioas, (void *)(shared + 1024),
				    PAGE, TARGET_IOVA);
		_exit(r ? 1 : 0);
	}
	if (!ended(pid, 10000, &status) || status)
		broken("another process cannot map");

	edu = edu_open(cdev);
	shared[0] = 0x600dbeef;
	edu_copy(&edu, SOURCE_IOVA, TARGET_IOVA, 64);
	if (shared[1024] != 0x600dbeef)
		broken("DMA does not work at all");
	shared[1024] = 0;
	believe("IOMMU_IOAS_UNMAP of everything, attached",
		try_unmap_all(iommufd, ioas), 0);
	edu_dma(&edu, EDU_BUFFER, TARGET_IOVA, 64, EDU_TO_MEMORY);
	if (shared[1024])
		changed("DMA reaches memory that was unmapped");

	return 0;
}
