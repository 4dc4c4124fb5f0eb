/* SPDX-License-Identifier: Apache-2.0
 *
 * Taking the driver off a VFIO device returns only at the last close
 *
 * Also if the last descriptor was never bound. So unbind runs in a helper that
 * can be left behind, and one that has come back proves that nobody has the
 * device, parked copies included.
 */
#include "belief.h"

/**
 * ask() - Does unbind wait for a descriptor?
 * @bdf:	A device with vfio-pci
 * @bound:	It is bound
 */
static void ask(const char *bdf, bool bound)
{
	const char *how = bound ? "a bound cdev" : "an unbound cdev";
	int cdev = open_cdev(bdf), iommufd = open_iommufd(), status;
	pid_t pid;

	if (bound)
		need("BIND", try_bind(cdev, iommufd, NULL));
	pid = start_unbind(bdf);
	if (ended(pid, 1500, &status))
		changed("unbind does not wait for %s (it gave %d)", how,
			status);
	close(cdev);
	if (!ended(pid, 20000, &status))
		changed("unbind waits although %s was closed", how);
	believe("unbind", -status, 0);
	close(iommufd);
}

int main(void)
{
	const char *bdf = device("EDU0");

	take(bdf, "vfio-pci");
	ask(bdf, true);
	need("probe", try_switch(bdf, "vfio-pci"));
	ask(bdf, false);

	return 0;
}
