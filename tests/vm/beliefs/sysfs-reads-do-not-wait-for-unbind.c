/* SPDX-License-Identifier: Apache-2.0
 *
 * While an unbind waits, what the inventory reads can be read
 *
 * None of these files takes the device's lock. The cdev is out of sysfs by
 * then.
 */
#include "belief.h"

static const char *const files[] = {
	"modalias", "revision", "numa_node", "reset_method", "class", "vendor",
};

static const char *const links[] = {
	"driver", "iommu_group", "iommu", "physfn", "subsystem",
};

int main(void)
{
	const char *bdf = device("EDU0");
	int cdev, status;
	char text[4096];
	pid_t pid, reader;

	take(bdf, "vfio-pci");
	cdev = open_cdev(bdf);
	pid = start_unbind(bdf);
	if (ended(pid, 500, &status))
		broken("unbind does not wait (it gave %d)", status);

	reader = start();
	if (!reader) {
		for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
			(void)try_read(of(bdf, files[i]), text, sizeof(text));
		for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
			(void)!readlink(of(bdf, links[i]), text, sizeof(text));
		(void)access(of(bdf, "secondary_bus_number"), F_OK);
		_exit(cdev_path(bdf) ? 1 : 0);
	}
	if (!ended(reader, 5000, &status)) {
		close(cdev);
		changed("a file of a device that is being unbound blocks");
	}
	if (status)
		changed("the cdev of a device that is being unbound is there");
	close(cdev);
	if (!ended(pid, 20000, &status))
		broken("unbind waits although nobody has the device");

	return 0;
}
