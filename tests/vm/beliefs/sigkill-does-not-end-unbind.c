/* SPDX-License-Identifier: Apache-2.0
 *
 * SIGKILL does not end an unbind that waits
 *
 * So it is not done in the daemon itself, whose death would wait for it.
 */
#include "belief.h"

int main(void)
{
	const char *bdf = device("EDU0");
	int cdev, status;
	pid_t pid;

	take(bdf, "vfio-pci");
	cdev = open_cdev(bdf);
	pid = start_unbind(bdf);
	if (ended(pid, 500, &status))
		broken("unbind does not wait (it gave %d)", status);
	kill(pid, SIGKILL);
	if (ended(pid, 1500, &status))
		changed("a waiting unbind ends by SIGKILL");
	close(cdev);
	if (!ended(pid, 20000, &status))
		broken("unbind waits although nobody has the device");

	return 0;
}
