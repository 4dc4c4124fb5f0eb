/* SPDX-License-Identifier: Apache-2.0
 *
 * Opening a cdev does not wake the device
 *
 * Only BIND does. So cdevs are opened, and handed over, at no cost.
 */
#include "belief.h"

int main(void)
{
	const char *bdf = device("EDU0");
	struct timespec step = { .tv_nsec = 100000000 };
	char before[32], after[32], status[32];
	int cdev;

	take(bdf, "vfio-pci");
	if (access(of(bdf, "power/runtime_status"), F_OK))
		skipped("a kernel without CONFIG_PM puts no device to sleep");
	for (int i = 0; i < 30; i++) {
		need("read runtime_status",
		     try_read(of(bdf, "power/runtime_status"), status,
			      sizeof(status)));
		if (!strcmp(status, "suspended"))
			break;
		nanosleep(&step, NULL);
	}
	need("read power_state",
	     try_read(of(bdf, "power_state"), before, sizeof(before)));
	cdev = open_cdev(bdf);
	need("read power_state",
	     try_read(of(bdf, "power_state"), after, sizeof(after)));
	if (strcmp(before, after))
		changed("open took the device from %s to %s", before, after);
	need("read runtime_status",
	     try_read(of(bdf, "power/runtime_status"), after, sizeof(after)));
	if (strcmp(status, after))
		changed("open took the device from %s to %s", status, after);
	close(cdev);

	return 0;
}
