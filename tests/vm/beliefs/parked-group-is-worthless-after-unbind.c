/* SPDX-License-Identifier: Apache-2.0
 *
 * An unbind does not wait for a descriptor of the group, and makes it worthless:
 * ENODEV, also after a bind; the group can be opened anew
 *
 * So the ladder's re-registration takes from whoever has a group what he has, if
 * its devices are off VFIO all at once; a group of one device always is.
 */
#include "belief.h"
#include "group.h"

int main(void)
{
	const char *bdf = device("EDU0");
	int parked, status, container;
	pid_t pid;

	take(bdf, "vfio-pci");
	parked = need_group(bdf);
	believe("a second open of a group", try_group(bdf), -EBUSY);
	/* Without what start_unbind() closes, the child would hold it. */
	pid = start_unbind(bdf);
	if (!ended(pid, 5000, &status) || status)
		changed("unbind waits for a descriptor of the group");
	believe("VFIO_GROUP_GET_STATUS after the unbind", try_status(parked),
		-ENODEV);
	need("bind", try_write("/sys/bus/pci/drivers_probe", bdf));

	believe("VFIO_GROUP_GET_STATUS after the bind", try_status(parked),
		-ENODEV);
	container = open_container();
	believe("VFIO_GROUP_SET_CONTAINER", try_container(parked, container),
		-ENODEV);
	believe("an open of the group by somebody else",
		close(need_group(bdf)), 0);

	return 0;
}
