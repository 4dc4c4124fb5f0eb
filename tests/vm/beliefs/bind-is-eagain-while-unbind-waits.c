/* SPDX-License-Identifier: Apache-2.0
 *
 * While an unbind waits for a parked cdev, that one cannot BIND: EAGAIN, if the
 * function has a reset
 *
 * BIND resets the function and takes its lock for that, which unbind has; it
 * does not wait for it. So BIND is EAGAIN, too, whenever somebody else happens
 * to switch or reset the function: to be tried again. A function that no reset
 * is known for can BIND all the same, and be used for as long as its holder
 * likes: a device whose unbind waits is not taken to be idle.
 */
#include "belief.h"

/**
 * ask() - What does BIND give while an unbind waits?
 */
static void ask(const char *bdf)
{
	int parked, iommufd, status;
	char methods[64], what[128];
	pid_t pid;

	take(bdf, "vfio-pci");
	(void)try_read(of(bdf, "reset_method"), methods, sizeof(methods));
	parked = open_cdev(bdf);
	iommufd = open_iommufd();
	pid = start_unbind(bdf);
	if (ended(pid, 1000, &status))
		broken("unbind does not wait (it gave %d)", status);
	snprintf(what, sizeof(what), "BIND with resets '%s' while an unbind "
		 "waits", methods);
	believe(what, try_bind(parked, iommufd, NULL),
		methods[0] ? -EAGAIN : 0);
	close(parked);
	close(iommufd);
	if (!ended(pid, 20000, &status))
		broken("unbind waits although nobody has the device");
}

int main(void)
{
	ask(device("EDU0"));
	ask(device("PAIR1")); /* which has no reset on any machine */

	return 0;
}
