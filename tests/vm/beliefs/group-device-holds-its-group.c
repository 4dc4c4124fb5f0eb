/* SPDX-License-Identifier: Apache-2.0
 *
 * A device out of a group keeps the group open, and its unbind waits for it; both
 * are free when it is closed, at once
 *
 * So who is found to have nothing of a group, as it can be opened, has no device of
 * it either, whatever procfs shows.
 */
#include "belief.h"
#include "group.h"

int main(void)
{
	const char *bdf = device("EDU0");
	int group, container, fd, status;
	pid_t pid;

	take(bdf, "vfio-pci");
	group = need_group(bdf);
	container = open_container();
	believe("VFIO_GROUP_GET_DEVICE_FD without a container",
		try_device(group, bdf), -EINVAL);
	need("VFIO_GROUP_SET_CONTAINER", try_container(group, container));
	need("VFIO_SET_IOMMU", call(container, UAPI_SET_IOMMU,
				    (void *)UAPI_TYPE1v2_IOMMU));
	fd = try_device(group, bdf);
	need("VFIO_GROUP_GET_DEVICE_FD", fd);
	close(group);
	close(container);
	believe("an open of the group whose device is open", try_group(bdf),
		-EBUSY);
	close(fd);
	group = try_group(bdf);
	believe("an open of the group whose device was closed",
		group < 0 ? group : 0, 0);

	container = open_container();
	need("VFIO_GROUP_SET_CONTAINER", try_container(group, container));
	need("VFIO_SET_IOMMU", call(container, UAPI_SET_IOMMU,
				    (void *)UAPI_TYPE1v2_IOMMU));
	fd = try_device(group, bdf);
	need("VFIO_GROUP_GET_DEVICE_FD", fd);
	close(group);
	close(container);
	pid = start_unbind(bdf);
	if (ended(pid, 1000, &status))
		changed("unbind does not wait for a group's device");
	close(fd);
	if (!ended(pid, 20000, &status))
		broken("unbind waits although nobody has the device");

	return 0;
}
