/* SPDX-License-Identifier: Apache-2.0
 *
 * As long as one device of a group stays on VFIO, a descriptor of the group stays
 * what it was, and nobody else can open it: EBUSY
 *
 * So devices that are re-registered one after the other do not take it from whoever
 * has it; but that somebody has it shows.
 */
#include "belief.h"
#include "group.h"

int main(void)
{
	const char *bdf = device("PAIR0"), *sibling = device("PAIR1");
	int parked, container, status;
	pid_t pid;

	take(bdf, "vfio-pci");
	take(sibling, "vfio-pci");
	parked = need_group(bdf);
	for (int i = 0; i < 2; i++) {
		const char *one = i ? sibling : bdf;

		pid = start_unbind(one);
		if (!ended(pid, 5000, &status) || status)
			changed("unbind waits for a descriptor of the group");
		need("bind", try_write("/sys/bus/pci/drivers_probe", one));
	}
	believe("VFIO_GROUP_GET_STATUS", try_status(parked), 0);
	believe("an open of the group by somebody else", try_group(bdf),
		-EBUSY);
	container = open_container();
	believe("VFIO_GROUP_SET_CONTAINER", try_container(parked, container), 0);

	return 0;
}
