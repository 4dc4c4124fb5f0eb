/* SPDX-License-Identifier: Apache-2.0
 *
 * Before BIND every call on a VFIO cdev is EINVAL
 *
 * Whoever has an unbound cdev has nothing but the right to BIND: so it may be
 * handed over, and parked, without a device behind it being reached.
 */
#include "belief.h"

int main(void)
{
	struct uapi_device_info info = { .argsz = sizeof(info) };
	const char *bdf = device("EDU0");
	int cdev, iommufd;
	uint8_t byte;

	take(bdf, "vfio-pci");
	cdev = open_cdev(bdf);
	iommufd = open_iommufd();
	believe("VFIO_DEVICE_GET_INFO before BIND",
		call(cdev, UAPI_DEVICE_GET_INFO, &info), -EINVAL);
	believe("VFIO_DEVICE_RESET before BIND",
		call(cdev, UAPI_DEVICE_RESET, NULL), -EINVAL);
	believe("VFIO_DEVICE_ATTACH_IOMMUFD_PT before BIND",
		try_attach(cdev, new_ioas(iommufd)), -EINVAL);
	believe("pread before BIND",
		pread(cdev, &byte, 1, 0) < 0 ? -errno : 0, -EINVAL);

	return 0;
}
