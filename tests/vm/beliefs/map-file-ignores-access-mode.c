/* SPDX-License-Identifier: Apache-2.0
 *
 * MAP_FILE lets a device write to a file that is open for reading only
 *
 * Neither the descriptor's mode nor seals are looked at. So who may map trusts
 * whoever gives a descriptor, and who has an iommufd may write to every shmem
 * file it can read.
 */
#include "belief.h"

#define SOURCE_IOVA 0x100000
#define TARGET_IOVA 0x200000

int main(void)
{
	const char *bdf = device("EDU0");
	uint32_t ioas, *source, *target;
	int cdev, iommufd, memory, reader;
	char path[64];
	struct edu edu;

	take(bdf, "vfio-pci");
	cdev = open_cdev(bdf);
	iommufd = open_iommufd();
	need("BIND", try_bind(cdev, iommufd, NULL));
	ioas = new_ioas(iommufd);
	need("ATTACH", try_attach(cdev, ioas));

	memory = memfd_create("belief", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (memory < 0 || ftruncate(memory, PAGE))
		broken("memfd: %s", strerror(errno));
	target = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, memory, 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", memory);
	reader = open(path, O_RDONLY | O_CLOEXEC);
	if (reader < 0 || target == MAP_FAILED)
		broken("open %s for reading: %s", path, strerror(errno));
	if (fcntl(memory, F_ADD_SEALS, F_SEAL_FUTURE_WRITE))
		broken("seal: %s", strerror(errno));

	believe("IOMMU_IOAS_MAP_FILE of a read-only, sealed descriptor",
		try_map_file(iommufd, ioas, reader, PAGE, TARGET_IOVA), 0);
	source = pages(PAGE);
	source[0] = 0x600dbeef;
	need("IOMMU_IOAS_MAP", try_map(iommufd, ioas, source, PAGE,
				       SOURCE_IOVA));
	edu = edu_open(cdev);
	edu_copy(&edu, SOURCE_IOVA, TARGET_IOVA, 64);
	if (target[0] != source[0])
		changed("the device's write did not reach the file (0x%x)",
			target[0]);

	return 0;
}
