/* SPDX-License-Identifier: Apache-2.0
 *
 * A cdev that is parked, unbound, can BIND when its first holder is gone
 *
 * So that the device is idle says nothing of who may take it next: whoever kept
 * a copy may. Only a completed unbind does (unbind-waits-for-last-close).
 */
#include "belief.h"

int main(void)
{
	const char *bdf = device("EDU0");
	int parked, holder, one, other;

	take(bdf, "vfio-pci");
	parked = open_cdev(bdf);
	holder = open_cdev(bdf);
	one = open_iommufd();
	other = open_iommufd();
	need("BIND", try_bind(holder, one, NULL));
	believe("BIND of a parked cdev while another one is bound",
		try_bind(parked, other, NULL), -EINVAL);
	close(holder);
	close(one);
	believe("BIND of a parked cdev later", try_bind(parked, other, NULL),
		0);

	return 0;
}
