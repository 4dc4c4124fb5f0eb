/* SPDX-License-Identifier: Apache-2.0
 *
 * While an unbind waits for a parked cdev, that one cannot BIND: EAGAIN
 *
 * BIND resets the function and takes its lock for that, which unbind has; it
 * does not wait for it. So BIND is EAGAIN, too, whenever somebody else happens
 * to switch or reset the function: to be tried again.
 */
#include "belief.h"

int main(void)
{
	const char *bdf = device("EDU0");
	int parked, iommufd, status;
	pid_t pid;

	take(bdf, "vfio-pci");
	parked = open_cdev(bdf);
	iommufd = open_iommufd();
	pid = start_unbind(bdf);
	if (ended(pid, 1000, &status))
		broken("unbind does not wait (it gave %d)", status);
	believe("BIND while an unbind waits", try_bind(parked, iommufd, NULL),
		-EAGAIN);
	close(parked);
	if (!ended(pid, 20000, &status))
		broken("unbind waits although nobody has the device");

	return 0;
}
