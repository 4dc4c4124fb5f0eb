/* SPDX-License-Identifier: Apache-2.0
 *
 * VFIO's group interface and its cdev exclude each other: EBUSY
 *
 * So a group that somebody has open by the older way is not taken away from
 * him.
 */
#include "belief.h"

int main(void)
{
	const char *bdf = device("EDU0"), *number;
	char target[256], path[64];
	int cdev, iommufd, group;
	ssize_t n;

	take(bdf, "vfio-pci");
	n = readlink(of(bdf, "iommu_group"), target, sizeof(target) - 1);
	target[n < 0 ? 0 : n] = '\0';
	number = strrchr(target, '/');
	snprintf(path, sizeof(path), "/dev/vfio/%s", number ? number + 1 : "");
	if (access(path, F_OK))
		skipped("no VFIO groups in this kernel");

	cdev = open_cdev(bdf);
	iommufd = open_iommufd();
	group = open(path, O_RDWR | O_CLOEXEC);
	need("open the group", group < 0 ? -errno : 0);
	believe("BIND while the group is open", try_bind(cdev, iommufd, NULL),
		-EBUSY);
	close(group);
	believe("BIND", try_bind(cdev, iommufd, NULL), 0);
	group = open(path, O_RDWR | O_CLOEXEC);
	believe("open of the group while a cdev is bound",
		group < 0 ? -errno : 0, -EBUSY);

	return 0;
}
