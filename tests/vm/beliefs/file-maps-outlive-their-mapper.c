/* SPDX-License-Identifier: Apache-2.0
 *
 * A space with memory mapped by file can be attached when its mapper is dead
 *
 * So what shall outlive a holder is backed by memfd.
 */
#include "belief.h"

int main(void)
{
	const char *bdf = device("EDU0");
	int cdev, iommufd, memory, status;
	uint32_t ioas;
	pid_t pid;

	take(bdf, "vfio-pci");
	cdev = open_cdev(bdf);
	iommufd = open_iommufd();
	need("BIND", try_bind(cdev, iommufd, NULL));
	ioas = new_ioas(iommufd);
	memory = memfd_create("belief", MFD_CLOEXEC);
	if (memory < 0 || ftruncate(memory, PAGE))
		broken("memfd: %s", strerror(errno));
	pid = start();
	if (!pid)
		_exit(try_map_file(iommufd, ioas, memory, PAGE, 1 << 20) ? 1
									 : 0);
	if (!ended(pid, 10000, &status) || status)
		broken("another process cannot map");
	believe("ATTACH to a space with a dead process's files",
		try_attach(cdev, ioas), 0);
	need("DETACH", try_detach(cdev));
	believe("ATTACH again", try_attach(cdev, ioas), 0);

	return 0;
}
