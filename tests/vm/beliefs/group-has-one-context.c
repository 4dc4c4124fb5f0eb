/* SPDX-License-Identifier: Apache-2.0
 *
 * A group belongs to one context, and its devices to one space
 *
 * A sibling that is bound to another context is EPERM, one that is attached to
 * another space is EINVAL.
 */
#include "belief.h"

int main(void)
{
	const char *bdf = device("PAIR0"), *sibling = device("PAIR1");
	int cdev, other_cdev, one, other;
	uint32_t a, b;

	take(bdf, "vfio-pci");
	take(sibling, "vfio-pci");
	cdev = open_cdev(bdf);
	other_cdev = open_cdev(sibling);
	one = open_iommufd();
	other = open_iommufd();
	need("BIND", try_bind(cdev, one, NULL));
	believe("BIND of a sibling to another context",
		try_bind(other_cdev, other, NULL), -EPERM);
	believe("BIND of a sibling to the same context",
		try_bind(other_cdev, one, NULL), 0);
	a = new_ioas(one);
	b = new_ioas(one);
	need("ATTACH", try_attach(cdev, a));
	believe("ATTACH of a sibling to another space",
		try_attach(other_cdev, b), -EINVAL);
	believe("ATTACH of a sibling to the same space",
		try_attach(other_cdev, a), 0);

	return 0;
}
