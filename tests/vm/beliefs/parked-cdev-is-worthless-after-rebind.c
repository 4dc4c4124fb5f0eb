/* SPDX-License-Identifier: Apache-2.0
 *
 * A descriptor opened before unbind and bind of the driver is of no use after
 *
 * Unbind waits for it to be closed; there is no way by which an old descriptor
 * reaches the device as it was registered anew. So after unbind and bind every
 * descriptor there is was opened since.
 */
#include "belief.h"

int main(void)
{
	const char *bdf = device("EDU0");
	int parked, cdev, iommufd, status;
	pid_t pid;

	take(bdf, "vfio-pci");
	parked = open_cdev(bdf);
	pid = start_unbind(bdf);
	if (ended(pid, 1500, &status)) {
		/* Then the copy must be worthless. */
		need("probe", try_switch(bdf, "vfio-pci"));
		iommufd = open_iommufd();
		if (!try_bind(parked, iommufd, NULL))
			changed("a cdev opened before unbind and bind BINDs "
				"after");
		printf("unbind no longer waits, and the copy is worthless\n");
		return 0;
	}
	if (cdev_path(bdf))
		changed("the cdev can be opened while an unbind waits");
	close(parked);
	if (!ended(pid, 20000, &status))
		broken("unbind waits although nobody has the device");
	need("probe", try_switch(bdf, "vfio-pci"));
	cdev = open_cdev(bdf);
	iommufd = open_iommufd();
	believe("BIND of a new cdev", try_bind(cdev, iommufd, NULL), 0);

	return 0;
}
