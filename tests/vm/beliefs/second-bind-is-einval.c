/* SPDX-License-Identifier: Apache-2.0
 *
 * A VFIO cdev may be opened often, but BIND is given once
 *
 * Also not to a second open of it, nor to another context. So a lease has one
 * binder, and who asks a second time is told EINVAL.
 */
#include "belief.h"

int main(void)
{
	const char *bdf = device("EDU0");
	int first, second, one, other;

	take(bdf, "vfio-pci");
	first = open_cdev(bdf);
	second = open_cdev(bdf); /* says itself if that is refused */
	one = open_iommufd();
	other = open_iommufd();
	believe("BIND", try_bind(first, one, NULL), 0);
	believe("second BIND of the same descriptor",
		try_bind(first, one, NULL), -EINVAL);
	believe("BIND of a second open", try_bind(second, one, NULL), -EINVAL);
	believe("BIND of a second open to another context",
		try_bind(second, other, NULL), -EINVAL);

	return 0;
}
